"""HH-RLHF's helpful test pairs in two halves, by Bai et al. (arXiv:2204.05862), MIT.

A hash of the first question decides which half a pair is in. Labels of the half `settings` may choose a
teacher, a filter or a learning rate, and its pairs are never trained on. The half `training` may be read by a
teacher, without its labels; its labels are for students of people's votes, whose names say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judge.datasets.dataset import Dataset, DataSource, Wanted, not_empty, preferred, prompt_of
from judge.datasets.sources import local_rows
from judge.errors import InputError
from judge.io.usable import Unusable, usable
from judge.records import HumanVote, Message, Pair, sha256_of_json

FILE = "hh_rlhf/helpful_test_pairs.jsonl.gz"
VOTER = "hh-rlhf-label"
ROLES = ("user", "assistant")
SETTINGS, TRAINING = "settings", "training"
LOCAL_ONLY = (
    "HH-RLHF is read from a local file only. Give --data-dir or JUDGE_DATA a folder with "
    f"{FILE}: an object a line with subset, row, n_turns, context, prompt, chosen, rejected."
)


def read(wanted: Wanted) -> Dataset:
    """The pairs of the half for settings, each with its label as a vote; the category is the subset.

    `wanted.turn` takes pairs whose judged response is in that turn. Which response is a comes from a hash of
    the texts, never from the label.

    Raises:
        InputError: no folder of local files, the file is missing, no pair is left, or votes are named.
    """
    if wanted.votes:
        raise InputError(f"votes {wanted.votes!r}: HH-RLHF has its labels only. Leave --votes out.")
    mine, broken = labelled_pairs(wanted.folder, SETTINGS, wanted.turn)
    return not_empty(
        Dataset(
            name="HH-RLHF helpful, half for settings",
            pairs=tuple(pair for pair, _ in mine),
            votes=tuple(vote for _, vote in mine),
            source="Bai et al. (arXiv:2204.05862), MIT",
            broken=broken,
        )
    )


def labelled_pairs(
    folder: Path | None, half: str, turn: int | None = None
) -> tuple[list[tuple[Pair, HumanVote]], Counter[str]]:
    """The pairs of a half, each with its label as a vote; and what was left out, by reason.

    Raises:
        InputError: no folder of local files, or the file is missing.
    """
    if folder is None:
        raise InputError(LOCAL_ONLY)
    both, broken = usable(rows_in(folder, turn), pair_and_vote)
    return [(pair, vote) for pair, vote in both if half_of(pair) == half], broken


def half_of(pair: Pair) -> str:
    """The half that a pair belongs to; all pairs with the same first question are in the same half."""
    return SETTINGS if int(sha256_of_json(prompt_of(pair))[0], 16) < 8 else TRAINING


def rows_in(folder: Path, turn: int | None) -> Iterator[Mapping[str, Any]]:
    """Every row of the file whose judged response is in that turn; None is any."""
    for row in local_rows(folder / FILE):
        if turn in (None, row.get("n_turns")):
            yield row


def pair_and_vote(row: Mapping[str, Any]) -> tuple[Pair, HumanVote]:
    """The pair of one row, and its label as a vote."""
    if not isinstance(n_turns := row.get("n_turns"), int):
        raise Unusable("missing keys")
    return preferred(
        id=f"hh-rlhf-{row.get('subset')}-{row.get('row')}",
        context=context_of(row),
        chosen=row.get("chosen"),
        rejected=row.get("rejected"),
        voter=VOTER,
        turn=n_turns,
        category=str(row.get("subset")),
    )


def context_of(row: Mapping[str, Any]) -> tuple[Message, ...]:
    """The conversation up to the judged response, from its first user message on."""
    turns = [*(row.get("context") or ()), {"role": "user", "text": row.get("prompt")}]
    if not all(
        isinstance(turn, Mapping) and turn.get("role") in ROLES and isinstance(turn.get("text"), str)
        for turn in turns
    ):
        raise Unusable("missing text")
    return tuple(Message(turn["role"], turn["text"]) for turn in turns)


HH_RLHF = DataSource(read, turn="1")
