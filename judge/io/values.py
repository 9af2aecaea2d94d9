"""Values in a row of a file that must be of a kind; each of these raises Wrong, which says what is right."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from judge.io.rows import Wrong, found, kind_of, shown

E = TypeVar("E", bound=StrEnum)

MOST_EXACT = 2**53
"""Up to here a float tells every two whole numbers apart."""

MOST_TOKENS = 2**40
"""More tokens than any reading has, and so few that the sum over a whole ledger is a number of SQLite's."""


def whole_number(value: Any) -> int | None:
    """The whole number that a value is, None if it is none.

    1.0 is one, too: pandas writes a column of whole numbers so where one is missing.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) <= MOST_EXACT:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def keyed(value: Any, keys: tuple[str, ...], name: str) -> dict[str, Any]:
    """The value, an object with exactly these keys."""
    if not isinstance(value, dict):
        raise Wrong(f"{name} is {kind_of(value)}. It must be an object with {', '.join(keys)}.")
    if missing := [key for key in keys if key not in value]:
        must = f"It must have {', '.join(keys)}."
        raise Wrong(f"{name} misses {', '.join(missing)} (found: {found(value)}). {must}")
    if unknown := [key for key in value if key not in keys]:
        raise Wrong(f"{name} has the unknown key {shown(unknown[0])}. It must have {', '.join(keys)} only.")
    return value


def named(value: Any, names: type[E], name: str) -> E:
    """The member of `names` that the value spells."""
    if not isinstance(value, str) or value not in set(names):
        raise Wrong(f"{name} is {shown(value)}. It must be one of {', '.join(names)}.")
    return names(value)


def text(value: Any, name: str) -> str:
    """The value, which must be text."""
    if not isinstance(value, str):
        raise Wrong(f"{name} is {kind_of(value)}. It must be one text.")
    return value


def optional_text(cells: Mapping[str, Any], name: str) -> str | None:
    return None if cells.get(name) is None else text(cells[name], name)


def probability(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise Wrong(f"{name} is {shown(value)}. It must be a number from 0 to 1.")
    return float(value)


def token_count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TOKENS:
        raise Wrong(f"{name} is {shown(value)}. It must be a whole number from 0 to {MOST_TOKENS}.")
    return value
