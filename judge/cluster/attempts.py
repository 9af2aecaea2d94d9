"""How often work was begun and not ended: what a worker process died at is known to those after it."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol

WHOLE_DEATHS = 2
"""After so many deaths of a worker at a block, its pairs are read one by one: one may be the cause."""

PAIR_DEATHS = 2
"""After so many deaths at one pair alone, it is left unparsed. A lost machine is no reason yet."""


class Attempts(Protocol):
    """Counts for one run. A run that is resumed counts anew, as its end was no pair's fault."""

    def begin(self, key: str) -> int:
        """How often this was begun before without an end; it counts as begun from now on."""

    def end(self, key: str) -> None:
        """It is done: whatever happens next was not its fault."""


class Counted:
    """Counts in this process. Ray runs one of these for all workers."""

    def __init__(self) -> None:
        self._begun: Counter[str] = Counter()

    def begin(self, key: str) -> int:
        self._begun[key] += 1
        return self._begun[key] - 1

    def end(self, key: str) -> None:
        self._begun.pop(key, None)


class Elsewhere:
    """The counts of a Ray actor that runs `Counted`."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def begin(self, key: str) -> int:
        import ray

        return int(ray.get(self._actor.begin.remote(key)))

    def end(self, key: str) -> None:
        self._actor.end.remote(key)
