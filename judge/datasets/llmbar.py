"""LLMBar: pairs in which the nicer answer is often the wrong one, by Zeng et al. (arXiv:2310.07641), MIT.

For measuring only: nothing of it is trained or tuned on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judge.datasets.dataset import Dataset, DataSource, Wanted, not_empty
from judge.datasets.sources import local_rows
from judge.errors import InputError
from judge.io.usable import UnknownLabel, Unusable, usable
from judge.records import Ballot, HumanVote, Message, Pair

SETS = ("natural", "adversarial_neighbor", "adversarial_gptinst", "adversarial_gptout", "adversarial_manual")
OUTCOMES = {1: Ballot.A, 2: Ballot.B}
VOTER = "llmbar-label"
LOCAL_ONLY = (
    "LLMBar is read from local files only, as the hub has it as a program that `datasets` no longer runs. "
    "Give --data-dir or JUDGE_DATA a folder with llmbar/natural.jsonl and four llmbar/adversarial_*.jsonl: "
    "the lists in https://github.com/princeton-nlp/LLMBar, Dataset/LLMBar/**/dataset.json, an object a line."
)


def read(wanted: Wanted) -> Dataset:
    """The pairs of the five sets with one vote each; a is output_1 and the category is the set.

    Raises:
        InputError: no folder of local files, a file is missing, no pair is left, or a turn or votes are named
            that LLMBar does not have.
    """
    if wanted.folder is None:
        raise InputError(LOCAL_ONLY)
    if wanted.turn not in (None, 1):
        raise InputError(f"turn {wanted.turn}: LLMBar has one turn only.")
    if wanted.votes:
        raise InputError(f"votes {wanted.votes!r}: LLMBar has its labels only. Leave --votes out.")
    rows = list(rows_in(wanted.folder))
    places = [f"{name} {number}" for name, number, _ in rows]
    both, broken = usable(rows, lambda row: pair_and_vote(*row), places)
    return not_empty(
        Dataset(
            name="LLMBar",
            pairs=tuple(pair for pair, _ in both),
            votes=tuple(vote for _, vote in both),
            source="Zeng et al. (arXiv:2310.07641), MIT",
            broken=broken,
        )
    )


def rows_in(folder: Path) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Every row with its set and its number there, from 1."""
    for name in SETS:
        for number, row in enumerate(local_rows(folder / "llmbar" / f"{name}.jsonl"), start=1):
            yield name, number, row


def pair_and_vote(name: str, number: int, row: Mapping[str, Any]) -> tuple[Pair, HumanVote]:
    """The pair of one row, and the label as a vote."""
    texts = [row.get(key) for key in ("input", "output_1", "output_2")]
    if not all(isinstance(text, str) for text in texts):
        raise Unusable("missing text")
    if type(row.get("label")) is not int or row["label"] not in OUTCOMES:
        raise UnknownLabel("unknown label", row.get("label"))
    asked = Message("user", row["input"])
    pair = Pair(
        id=f"llmbar-{name.replace('_', '-')}-{number}",
        conversation_a=(asked, Message("assistant", row["output_1"])),
        conversation_b=(asked, Message("assistant", row["output_2"])),
        category=name.replace("_", " "),
    )
    return pair, HumanVote(pair.id, VOTER, OUTCOMES[row["label"]], category=pair.category)


LLMBAR = DataSource(read)
