"""Models with known strengths, and files of their answers, that tests of ranking share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from judge.ranking.choice import FIRST, doubtful_neighbours, next_contests, order_of_prompts, size_of_round
from judge.ranking.contests import Contests, matches
from judge.ranking.strengths import Fit, fitted


def contests_in(rows: Sequence[str], n_models: int) -> Contests:
    """One row a match, one letter a prompt: + - who won, = a tie, ? not read, . not asked."""
    letters = {"+": 1, "-": -1, "=": 0, "?": 2, ".": 3}
    side = np.array([[letters[letter] for letter in row] for row in rows], np.int8)
    return Contests(n_models, side, np.zeros(side.shape, bool))


def verdicts_of(strengths: np.ndarray, n_prompts: int, generator: np.random.Generator) -> np.ndarray:
    """Sides of all contests of models with these strengths, shape (n_matches, n_prompts)."""
    first, second = matches(len(strengths))
    p = 1 / (1 + np.exp(strengths[second] - strengths[first]))
    return np.where(generator.random((len(first), n_prompts)) < p[:, None], 1, -1).astype(np.int8)


def all_judged(sides: np.ndarray, n_models: int) -> Contests:
    return Contests(n_models, sides, np.zeros(sides.shape, bool))


def judged(sides: np.ndarray, n_models: int, budget: int, seed: int = 0) -> tuple[Contests, Fit, int]:
    """What is judged of these sides, the fit, and the number of rounds."""
    contests = Contests.none_of(n_models, sides.shape[1])
    order = order_of_prompts(sides.shape[1], seed)
    first = len(sides) * -(-FIRST // (n_models - 1))
    fit, rounds = None, 0
    while (done := int(contests.is_asked.sum())) < budget:
        match, prompt = next_contests(contests, size_of_round(done, first, budget - done), fit, order)
        contests = contests.judged(match, prompt, sides[match, prompt], np.zeros(len(match), bool))
        fit, rounds = fitted(contests), rounds + 1
        if not doubtful_neighbours(fit):
            break
    assert fit is not None
    return contests, fit, rounds


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
