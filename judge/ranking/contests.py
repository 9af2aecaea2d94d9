"""What a judge said of models' answers to common prompts, as arrays that ranking works with.

A *match* is two models, a *contest* is a match on one prompt: one pair that a judge may read. Matches are
numbered as in `matches`: (0, 1), (0, 2), ..., (1, 2), ...
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judge.metrics.bootstrap import Floats
from judge.metrics.panel import UNREAD, Bools, Ints

Bytes = NDArray[np.int8]

NOT_ASKED = 3
"""The side of a contest that nobody has judged yet."""


@dataclass(frozen=True, slots=True)
class Contests:
    """Arrays of shape (n_matches, n_prompts).

    `side` is +1 where the first model of the match won, -1 where the second did, 0 for a tie, UNREAD where a
    reply could not be read, and NOT_ASKED. `is_inconsistent`: the orders disagreed, which is a tie.
    """

    n_models: int
    side: Bytes
    is_inconsistent: Bools

    @classmethod
    def none_of(cls, n_models: int, n_prompts: int) -> Contests:
        """Nothing judged yet."""
        shape = n_models * (n_models - 1) // 2, n_prompts
        return cls(n_models, np.full(shape, NOT_ASKED, np.int8), np.zeros(shape, bool))

    @property
    def n_prompts(self) -> int:
        return len(self.side[0])

    @property
    def is_asked(self) -> Bools:
        found: Bools = self.side != NOT_ASKED
        return found

    @property
    def is_read(self) -> Bools:
        """Contests that count: asked, and the replies could be read."""
        found: Bools = self.side < UNREAD
        return found

    def judged(self, match: Ints, prompt: Ints, side: Bytes, is_inconsistent: Bools) -> Contests:
        """These and the new ones, each array of shape (n_new,)."""
        sides, flips = self.side.copy(), self.is_inconsistent.copy()
        sides[match, prompt], flips[match, prompt] = side, is_inconsistent
        return replace(self, side=sides, is_inconsistent=flips)

    def on(self, prompts: Bools) -> Contests:
        """Those on some of the prompts, an array of shape (n_prompts,)."""
        return Contests(self.n_models, self.side[:, prompts], self.is_inconsistent[:, prompts])


def matches(n_models: int) -> tuple[Ints, Ints]:
    """The first and the second model of every match, each of shape (n_matches,)."""
    first, second = np.triu_indices(n_models, 1)
    return first.astype(np.intp), second.astype(np.intp)


def incidence(n_models: int) -> Floats:
    """+1 for the first and -1 for the second model of each match, shape (n_matches, n_models)."""
    first, second = matches(n_models)
    signs = np.zeros((len(first), n_models))
    at = np.arange(len(first))
    signs[at, first], signs[at, second] = 1.0, -1.0
    return signs


def of_models(counts: NDArray[np.integer[Any]], n_models: int) -> Ints:
    """Counts of matches, shape (n_matches,), added up over the matches of each model, shape (n_models,)."""
    found: Ints = (np.abs(incidence(n_models)).T @ counts).astype(np.intp)
    return found
