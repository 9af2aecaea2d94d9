"""deepeval: an arena metric that reads every two contestants in both orders."""

from __future__ import annotations

import asyncio
from itertools import combinations
from typing import TYPE_CHECKING, Any

from judge.frameworks.judging import FrameworkJudge, missing_extra, pair_given, said_of, worth_of

if TYPE_CHECKING:
    from deepeval.metrics import BaseArenaMetric
    from deepeval.test_case import ArenaTestCase


def pairwise_arena(**options: Any) -> BaseArenaMetric:
    """An arena metric of deepeval: `measure(test_case)` names the contestant that is better than the others.

    Every two contestants are a pair, read in both orders. A contestant's score is the mean of what its pairs
    are worth: 1 where it is better in both orders, 0 where it is worse, 0.5 for a tie and where the orders
    disagree. The highest score wins; where two share it nobody wins, and the name is "". The metric then has
    `winner`, `scores` by the contestants' names, and `reason`, a line a pair. deepeval has no place for an
    unreadable reply, so it is an error. The contestants' `expected_output` is a known good answer.

    Args:
        options: those of `judge.Judge`.

    Raises:
        InputError: as `judge.Judge`; of a measurement also outputs that are no text.
        BackendError: in a measurement, the engine failed or a reply could not be read.
        MissingExtra: deepeval is not installed.
    """
    try:
        from deepeval.metrics import BaseArenaMetric
    except ImportError as error:
        raise missing_extra("deepeval", "A metric for deepeval", error) from error

    class PairwiseArena(BaseArenaMetric):  # type: ignore[misc]  # it is Any where deepeval is not installed
        """The metric. deepeval's base class is known here only, as it loads with all of deepeval."""

        def __init__(self) -> None:
            self.name = "Pairwise judge"
            self.winner = ""
            self.scores: dict[str, float] = {}
            self.success = False
            self._judge = FrameworkJudge(**options)

        def measure(self, test_case: ArenaTestCase, *args: Any, **kwargs: Any) -> str:
            self.winner, self.success, self.error = "", False, None
            try:
                self.scores, self.reason = _scores(test_case, self._judge)
            except Exception as error:
                self.error = str(error)
                raise
            best = [name for name, score in self.scores.items() if score == max(self.scores.values())]
            self.winner, self.success = best[0] if len(best) == 1 else "", True
            return self.winner

        async def a_measure(self, test_case: ArenaTestCase, *args: Any, **kwargs: Any) -> str:
            return await asyncio.to_thread(self.measure, test_case)

        def is_successful(self) -> bool:
            return self.success

        @property
        def __name__(self) -> str:
            return self.name

    return PairwiseArena()


def _scores(test_case: ArenaTestCase, judge: FrameworkJudge) -> tuple[dict[str, float], str]:
    """The mean worth of each contestant, by its name, and a line for each pair."""
    duels = list(combinations(test_case.contestants, 2))
    pairs = [
        pair_given(
            a.test_case.input,
            a.test_case.actual_output,
            b.test_case.actual_output,
            a.test_case.expected_output,
        )
        for a, b in duels
    ]
    worths: dict[str, list[float]] = {one.name: [] for one in test_case.contestants}
    lines = []
    for (a, b), verdict in zip(duels, judge.read_verdicts(pairs, "deepeval"), strict=True):
        worths[a.name].append(worth_of(verdict))
        worths[b.name].append(1.0 - worth_of(verdict))
        lines.append(said_of(verdict, a.name, b.name))
    return {name: sum(own) / len(own) if own else 0.5 for name, own in worths.items()}, "\n".join(lines)
