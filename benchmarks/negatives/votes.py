"""Votes over the samples of a question, in which some may count more."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from benchmarks.system2.filters import NO_MAJORITY, UNREAD, Dropped, Taught, target_of
from benchmarks.system2.reading import key_of
from benchmarks.system2.task import Answer
from judge.records import Unparsed


def plurality(answers: Sequence[Answer]) -> Taught:
    """The most frequent answer, and of equally frequent ones the one said first: a fair lot, as samples have
    no order. Unread samples do not vote."""
    votes = Counter(key_of(one) for one in answers if not isinstance(one, Unparsed))
    return target_of(votes.most_common(1)[0][0], answers) if votes else Dropped(UNREAD)


def weighed(answers: Sequence[Answer], weights: Sequence[float]) -> Taught:
    """The answer whose samples weigh most; unread ones weigh nothing, and equal sums are no majority."""
    sums: dict[str, float] = {}
    for answer, weight in zip(answers, weights, strict=True):
        if not isinstance(answer, Unparsed):
            sums[key_of(answer)] = sums.get(key_of(answer), 0.0) + weight
    if not sums:
        return Dropped(UNREAD)
    (winner, most), *others = sorted(sums.items(), key=lambda item: -item[1])
    if others and math.isclose(most, others[0][1]):
        return Dropped(NO_MAJORITY)
    return target_of(winner, answers)
