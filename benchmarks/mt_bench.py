"""MT-bench with human votes: its pairs, in the schema of the hub's `lmsys/mt_bench_human_judgments`.

`python -m benchmarks.mt_bench --turn 1 --out pairs.jsonl` writes them as a pair file. Texts and votes by
Zheng et al. (arXiv:2306.05685), CC-BY-4.0. For measuring only: nothing of it is trained or tuned on.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.pairfile import write_pairs
from judge.records import Message, Pair

VOTES = "mt_bench_human_judgments/human.jsonl.gz"
QUESTIONS = "mt_bench_human_judgments/question.jsonl"


def read_pairs(folder: Path, turn: int = 1) -> list[Pair]:
    """Every pair of conversations that people voted on in one turn, each once, by question and models.

    Some votes name a pair's models in one order and some in the other; here a is the first by name.

    Raises:
        InputError: the data is not below `folder`.
    """
    votes = [vote for vote in _rows(folder / VOTES) if vote["turn"] == turn]
    questions = {row["question_id"]: row for row in _rows(folder / QUESTIONS)}
    pairs = {}
    for vote in votes:
        pair = _pair_of(vote, questions[vote["question_id"]])
        pairs[pair.id] = pair
    return [pairs[id] for id in sorted(pairs)]


def _pair_of(vote: dict[str, Any], question: dict[str, Any]) -> Pair:
    turn = vote["turn"]
    by_model = {vote[f"model_{side}"]: vote[f"conversation_{side}"][: 2 * turn] for side in "ab"}
    model_a, model_b = sorted(by_model)
    references = question.get("reference") or []
    return Pair(
        id=f"mt-bench-{vote['question_id']}-{model_a}-{model_b}-{turn}",
        conversation_a=_messages(by_model[model_a]),
        conversation_b=_messages(by_model[model_b]),
        category=question["category"],
        reference=references[turn - 1] if len(references) >= turn else None,
        metadata={"question_id": vote["question_id"], "model_a": model_a, "model_b": model_b},
    )


def _messages(conversation: Iterable[dict[str, str]]) -> tuple[Message, ...]:
    return tuple(Message(message["role"], message["content"]) for message in conversation)


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        raise InputError(f"{path}: no such file. --data-dir or JUDGE_DATA names the folder of the data sets.")
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in content.splitlines()]


def data_folder(given: Path | None = None) -> Path:
    """The folder of the data sets: as given, else JUDGE_DATA, else `../shared/data`."""
    return given or Path(os.environ.get("JUDGE_DATA", "../shared/data"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write MT-bench's pairs as a pair file.")
    parser.add_argument("--turn", type=int, choices=(1, 2), default=1)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    write_pairs(arguments.out, read_pairs(data_folder(arguments.data_dir), arguments.turn))
