"""People's votes: from rows of a file, and to JSONL. `judge.forms.reading.read_votes` reads files.

A row has pair_id, voter and outcome (A, B, TIE or BOTH_BAD), and may have turn, category, model_a, model_b,
note, shown_left (A or B), at (ISO 8601), saw_judge (true or false), tags (a list of texts; in a table, JSON)
and confidence (low, medium or high). This file is ours, so an unknown column is an error.
A file is read whole or not at all: every row that cannot be read is named in one BadLines error.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from judge.io.content import JSON, TABLE
from judge.io.labels import ballot_of
from judge.io.rows import (
    Cells,
    NotJson,
    Row,
    Wrong,
    changed,
    claim,
    found,
    gather,
    kind_of,
    parse_json,
    placed,
    refuse_lone_surrogates,
    shown,
    write_json_lines,
)
from judge.io.values import optional_text, whole_number
from judge.records import Ballot, Confidence, HumanVote

REQUIRED = ("pair_id", "voter", "outcome")
OPTIONAL = ("category", "model_a", "model_b", "note", "shown_left", "at", "saw_judge", "tags", "confidence")
KNOWN = (*REQUIRED, "turn", *OPTIONAL)
VOTE_FORM = f"A vote needs {', '.join(REQUIRED)} and may have {', '.join(KNOWN[len(REQUIRED) :])}."
INDEX_COLUMNS = ("", "Unnamed: 0", "__index_level_0__")
"""What pandas calls the index of a table."""

TRUTHS = {"true": True, "false": False}
DIGITS = re.compile(r"([0-9]{1,9})(?:\.0+)?")
"""A whole number as a table has it; pandas writes 1.0 where one is missing."""


def votes_of(rows: Iterable[Row], kind: str = JSON) -> list[HumanVote]:
    """The votes of rows that were read from a file, in their order. Whether the pairs exist is not checked.

    Args:
        kind: what the file holds: JSON, TABLE or PARQUET.

    Raises:
        BadLines: some rows are not votes, or repeat the voter, pair and turn of an earlier row.
    """
    rows = changed(rows, cells_of_csv) if kind == TABLE else rows
    first_with_vote: dict[Hashable, str] = {}

    def vote_of(cells: Mapping[str, Any], where: str) -> HumanVote:
        vote = vote_from_cells(cells)
        what = f"a vote of {shown(vote.voter)} on pair {shown(vote.pair_id)}, turn {vote.turn},"
        claim(first_with_vote, (vote.pair_id, vote.voter, vote.turn), where, what)
        return vote

    return gather(rows, vote_of)


def write_votes(path: str | Path, votes: Iterable[HumanVote]) -> None:
    """Writes votes as JSONL, whole or not at all; "-" is standard output. Equal votes, equal bytes.

    Raises:
        BadLines: some could not be read again, such as two of one voter on one pair and turn.
        InputError: the file cannot be written.
    """
    rows = [vote_to_json(vote) for vote in votes]
    gather(placed(rows, "vote"), lambda cells, _: refuse_lone_surrogates(cells))
    votes_of(placed(rows, "vote"))
    write_json_lines(path, rows)


def vote_to_json(vote: HumanVote) -> dict[str, Any]:
    """The vote as plain JSON values, with its keys in their fixed order; what is not known is left out."""
    row = {"pair_id": vote.pair_id, "voter": vote.voter, "outcome": vote.outcome.value, "turn": vote.turn}
    known = {name: getattr(vote, name) for name in OPTIONAL} | {"tags": list(vote.tags) or None}
    return row | {name: value for name, value in known.items() if value is not None}


def vote_from_cells(cells: Mapping[str, Any]) -> HumanVote:
    """The vote of one row. A null is the same as a cell that is not there."""
    if unknown := [name for name in cells if name not in KNOWN]:
        is_index = unknown[0] in INDEX_COLUMNS
        right = "pandas wrote its index: write the table with index=False." if is_index else VOTE_FORM
        raise Wrong(f"unknown column {shown(unknown[0])}. {right}")
    if missing := [name for name in REQUIRED if cells.get(name) is None]:
        raise Wrong(f"missing {', '.join(missing)} (found: {found(cells)}). {VOTE_FORM}")
    return HumanVote(
        pair_id=label(cells["pair_id"], "pair_id"),
        voter=label(cells["voter"], "voter"),
        outcome=ballot(cells["outcome"]),
        turn=turn_of(cells.get("turn")),
        category=optional_text(cells, "category"),
        model_a=optional_text(cells, "model_a"),
        model_b=optional_text(cells, "model_b"),
        note=optional_text(cells, "note"),
        shown_left=side_of(optional_text(cells, "shown_left")),
        at=moment_of(optional_text(cells, "at")),
        saw_judge=truth_of(cells.get("saw_judge")),
        tags=tags_of(cells.get("tags")),
        confidence=confidence_of(optional_text(cells, "confidence")),
    )


def ballot(value: Any) -> Ballot:
    """The vote, however it is spelled."""
    found = ballot_of(value)
    if found is None:
        raise Wrong(f"outcome is {shown(value)}. It must be one of {', '.join(Ballot)}.")
    return found


def label(value: Any, name: str) -> str:
    """The value as text that is not empty; a whole number counts as its digits, as in a pair's id."""
    if (number := whole_number(value)) is not None:
        return str(number)
    if not isinstance(value, str):
        raise Wrong(f"{name} is {kind_of(value)}. It must be text or a whole number.")
    if not value.strip():
        raise Wrong(f"{name} is empty. It must be text or a whole number.")
    return value


def turn_of(value: Any) -> int:
    """The turn, 1 where none is given."""
    if value is None:
        return 1
    number = whole_number(value)
    if number is None or number < 1:
        raise Wrong(f"turn is {shown(value)}. It must be a whole number from 1 up.")
    return number


def side_of(value: str | None) -> str | None:
    if value not in ("A", "B", None):
        raise Wrong(f"shown_left is {shown(value)}. It must be A or B.")
    return value


def moment_of(value: str | None) -> str | None:
    """The time as it is written, which must be ISO 8601."""
    try:
        if value is not None:
            datetime.fromisoformat(value)
    except ValueError:
        raise Wrong(f"at is {shown(value)}. It must be a time like 2026-11-22T11:14:08+00:00.") from None
    return value


def truth_of(value: Any) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise Wrong(f"saw_judge is {shown(value)}. It must be true or false.")
    return value


def tags_of(value: Any) -> tuple[str, ...]:
    """The tags; a table has them as the JSON of their list."""
    try:
        found = parse_json(value) if isinstance(value, str) else value
    except NotJson:
        found = value
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(tag, str) and tag for tag in found):
        raise Wrong(f'tags is {shown(value)}. It must be a list of texts, such as ["too long"].')
    return tuple(found)


def confidence_of(value: str | None) -> Confidence | None:
    if value not in (*Confidence, None):
        raise Wrong(f"confidence is {shown(value)}. It must be one of {', '.join(Confidence)}.")
    return None if value is None else Confidence(value)


def cells_of_csv(cells: Cells) -> Cells:
    """The non-empty cells of our columns, digits and truths as such, and all cells of unknown columns."""
    given = {name: value for name, value in cells.items() if value or name not in KNOWN}
    turn, saw_judge = given.get("turn", ""), given.get("saw_judge", "").lower()
    digits = DIGITS.fullmatch(turn)
    read: Cells = {"turn": int(digits[1])} if digits else {}
    return given | read | ({"saw_judge": TRUTHS[saw_judge]} if saw_judge in TRUTHS else {})
