"""Who won, in all spellings: model_a, A, left, response-1; tie, both_bad, tie (bothbad)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from judge.io.rows import shown
from judge.io.usable import Unusable
from judge.records import Ballot

NAME = (
    r"(?:(?:model|response|answer|output|assistant|option|text|completion|candidate|reply|system)s?[ _-]*)?"
)
FIRST = re.compile(rf"{NAME}(?:a|1|left|first)(?: (?:is better|wins))?")
SECOND = re.compile(rf"{NAME}(?:b|2|right|second)(?: (?:is better|wins))?")
TIES = frozenset({"tie", "ties", "tied", "draw", "equal", "equally good", "same", "both", "both good"})
THIRD = "c"
"""A tie beside a and b, and an answer of its own where there is a third one."""
BOTH_BAD = frozenset({"both bad", "bothbad", "neither", "none", "both are bad", "bad"})

TRUE = frozenset({"1", "1.0", "true", "yes"})
FALSE = frozenset({"0", "0.0", "false", "no"})
NUMBER = re.compile(r"-?[0-9.]+|True|False")


def ballot_of(
    value: Any, first: str | None = None, second: str | None = None, *, has_third: bool = False
) -> Ballot | None:
    """What a label says, A for the first side; None where it says nothing (null or empty).

    Args:
        first, second: what the file calls the two sides, which a label may name.
        has_third: the row has a third answer, so that C is no tie.

    Raises:
        Unusable: the label is not known.
    """
    if value is None or value == "":
        return None
    if value in (first, second):
        if first == second:
            raise Unusable("a winner that is both sides' name")
        return Ballot.A if value == first else Ballot.B
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    word = " ".join(str(value).strip().lower().replace("_", " ").split())
    inner = re.fullmatch(r"ties? \((.+)\)", word)
    if word in BOTH_BAD or (inner and inner[1] in BOTH_BAD):
        return Ballot.BOTH_BAD
    if word in TIES or inner or (word == THIRD and not has_third):
        return Ballot.TIE
    if FIRST.fullmatch(word):
        return Ballot.A
    if SECOND.fullmatch(word):
        return Ballot.B
    raise Unusable(f"an unknown winner {shown(value)}")


def named_ballot(
    value: Any, first: str | None = None, second: str | None = None, *, has_third: bool = False
) -> Ballot | None:
    """The same of a label in words. A number is refused: files count from 0 or from 1, or mean yes and no."""
    if isinstance(value, int) and str(value) in (first, second):  # models may be numbers
        value = str(value)
    if NUMBER.fullmatch(str(value).strip()) and value not in (first, second):
        raise Unusable("a number, which may mean either answer")
    return ballot_of(value, first, second, has_third=has_third)


def flagged(cells: Mapping[str, Any], flags: Mapping[str, Ballot]) -> Ballot | None:
    """The ballot whose column says 1, true or yes; None where no column says anything.

    Raises:
        Unusable: none or several do, or a column says neither that nor 0, false or no.
    """
    said = {
        ballot: str(value).strip().lower()
        for name, ballot in flags.items()
        if (value := cells.get(name)) not in (None, "")
    }
    true = [ballot for ballot, word in said.items() if word in TRUE]
    if not said:
        return None
    if len(true) != 1 or not set(said.values()) <= TRUE | FALSE:
        raise Unusable("flags that name no one winner")
    return true[0]
