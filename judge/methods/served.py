"""Somebody else does the judging: whole verdicts of a service that `judge serve` runs."""

from __future__ import annotations

from collections.abc import Sequence

from judge.backends.service import ServiceBackend
from judge.progress import Progress, silent
from judge.records import Identity, Order, Pair, Reading, Unparsed, Verdict


class Served:
    """The judge behind a service: its identity, and the readings of its verdicts.

    Both orders of a pair are one question to it.
    """

    def __init__(self, backend: ServiceBackend) -> None:
        self.backend = backend

    @property
    def identity(self) -> Identity:
        return self.backend.identity

    @property
    def batch_characters(self) -> int:
        return self.backend.batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """Does nothing: the service shares what can be shared."""

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        """One reading per item. Raises BackendError: the service fails, or its judge has changed."""
        pairs = {pair.content_hash: pair for pair, _ in items}
        found = dict(zip(pairs, self.backend.verdicts(list(pairs.values())), strict=True))
        return [_reading(found[pair.content_hash], order) for pair, order in items]


def _reading(found: Verdict | Unparsed, order: Order) -> Reading:
    return found if isinstance(found, Unparsed) else found.readings[order]
