"""Judging methods: a pair in one order -> one reading. One method a file, over any backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from judge.records import Identity, Order, Pair, Reading


class Method(Protocol):
    """A way of judging. Lists in, lists of equal length and order out."""

    @property
    def identity(self) -> Identity:
        """Everything that could change a verdict of this judge."""

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        """One reading an item. Raises BackendError where the engine fails."""
