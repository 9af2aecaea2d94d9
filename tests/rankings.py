"""Contests in letters, and files of answers, that tests of ranking share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from judge.ranking.contests import Contests


def contests_in(rows: Sequence[str], n_models: int) -> Contests:
    """One row a match, one letter a prompt: + - who won, = a tie, ? not read, . not asked."""
    letters = {"+": 1, "-": -1, "=": 0, "?": 2, ".": 3}
    side = np.array([[letters[letter] for letter in row] for row in rows], np.int8)
    return Contests(n_models, side, np.zeros(side.shape, bool))


def write_outputs(folder: Path, lengths: dict[str, Sequence[int]]) -> list[Path]:
    """A file of AlpacaEval's outputs a model, its answers so many letters long, in two categories."""
    folder.mkdir(exist_ok=True)
    files = []
    for model, counts in lengths.items():
        rows = [
            {
                "instruction": f"Question {n}?",
                "output": model[0] * count,
                "generator": model,
                "dataset": "ab"[n % 2],
            }
            for n, count in enumerate(counts)
        ]
        files.append(folder / f"{model}.json")
        files[-1].write_text(json.dumps(rows), encoding="utf-8")
    return files
