"""A server's answers of one batch, so that those before a failure are not lost with it.

keeping -> a batch is read -> it fails -> replaying -> the same pairs are read again, and nothing is asked
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from judge.errors import BackendError

T = TypeVar("T")
R = TypeVar("R")


class Unanswered(BackendError):
    """This was not answered before the failure."""


class KeptAnswers:
    """What each request was answered, by all that it asks.

    Draws without a seed are not kept: the same request has another answer each time.
    """

    def __init__(self) -> None:
        self._answers: dict[str, Any] = {}
        self.is_replaying = False

    def note(self, path: str, body: Mapping[str, Any] | None, answer: Any) -> None:
        """Keeps the answer to a request that gets the same one again."""
        if body is not None and body.get("temperature") != 0 and body.get("seed") is None:
            return
        self._answers[_key_of(path, body)] = answer

    def answer_to(self, path: str, body: Mapping[str, Any] | None) -> Any:
        """The answer that was kept. Raises Unanswered: there is none."""
        try:
            return self._answers[_key_of(path, body)]
        except KeyError:
            raise Unanswered(f"{path}: not answered before the failure") from None

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """Inside, requests get the answers that were kept, and none is sent."""
        before, self.is_replaying = self.is_replaying, True
        try:
            yield
        finally:
            self.is_replaying = before


def by_halves(items: Sequence[T], read: Callable[[Sequence[T]], Sequence[R]]) -> list[R]:
    """What `read` makes of the items on which it does not fail."""
    try:
        return list(read(items))
    except BackendError:
        middle = len(items) // 2
        parts = (items[:middle], items[middle:]) if middle else ()
        return [one for part in parts for one in by_halves(part, read)]


def _key_of(path: str, body: Mapping[str, Any] | None) -> str:
    return json.dumps([path, body], sort_keys=True)
