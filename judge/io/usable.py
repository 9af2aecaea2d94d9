"""Rows of other people's data of which some cannot be used: what is left out is counted, by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count
from typing import TypeVar

from judge.io.labels import labels_told

S = TypeVar("S")
T = TypeVar("T")


class Unusable(Exception):
    """Why one row is left out, in words that fit many rows. `usable` catches and counts all of these."""


class UnknownLabel(Unusable):
    """A row's label is not understood; the label is named, and the rows that have it."""

    def __init__(self, reason: str, label: object) -> None:
        super().__init__(reason)
        self.label = label


def usable(
    rows: Iterable[S], read_one: Callable[[S], T], places: Iterable[object] | None = None
) -> tuple[list[T], Counter[str]]:
    """What `read_one` makes of each row, and how many rows it found Unusable, by reason.

    Args:
        places: what names each row in its file; by default its number from 1.
    """
    done: list[T] = []
    broken: Counter[str] = Counter()
    unknown: dict[str, list[tuple[object, object]]] = {}
    for row, place in zip(rows, count(1) if places is None else places, strict=False):
        try:
            done.append(read_one(row))
        except UnknownLabel as reason:
            unknown.setdefault(str(reason), []).append((place, reason.label))
        except Unusable as reason:
            broken[str(reason)] += 1
    named = {f"{reason} ({labels_told(labels)})": len(labels) for reason, labels in unknown.items()}
    return done, broken + Counter(named)
