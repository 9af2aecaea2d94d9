"""What a teacher says of pairs, read in rounds: whatever has been read is a fair sample of all of them.

Pairs come ordered by a hash of their prompts (`distill.pairs.place_of`), so the first ones are like the
others in length, topic and kind. Within a round the longest are read first, as everywhere. A run that stops
between two rounds, or with a smaller limit, has read what a longer one reads first, and the ledger has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from distill.within import COLLECT_SHARE, LATEST_SHARE, Budget, Plan, round_end
from judge.evaluate import size_of
from judge.progress import Progress, stage_kind
from judge.records import Pair, Verdict

BATCHES = 10
"""A round of a run without a time is this many batches, which `judge.evaluate` then makes of full size."""

FIRST_PAIRS = 4
"""So many pairs are measured for the first plan, after one that loads the weights."""

PLAN_AGAIN = 4
"""The plan is made again when so many times the pairs have been read: the first ones say little."""

ROUND_SHARE = 0.03
"""A round of a run with a time takes about this part of it."""


LEAST_RATE = 1e-9
"""Seconds a character where a teacher takes no time that could be measured."""


class Reader(Protocol):
    """What reads pairs: a `judge.api.Judge`."""

    @property
    def batch_characters(self) -> int: ...

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]: ...


Teaches = Callable[[Sequence[Verdict]], bool]
"""Whether a student can learn anything from what was read so far."""

PlanOf = Callable[[Sequence[Verdict], float], Plan]
"""Makes and tells the plan, given what was read so far and the seconds that a character takes."""


@dataclass(slots=True)
class Told:
    """Tells the progress of a round as that of all; `is_brief` leaves out what comes before judging."""

    progress: Progress
    sizes: Sequence[int] = ()
    n_done: int = 0
    is_brief: bool = False

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage_kind(stage) == "judging":
            stage = f"judging, {self.n_done} of {len(self.sizes)} pairs"
            done, total = sum(self.sizes[: self.n_done]) + done, sum(self.sizes)
        elif self.is_brief:
            return
        self.progress(stage, done, total)


def read_all(
    judge: Reader,
    pairs: Sequence[Pair],
    told: Told,
    n_read: int = 0,
    most: int | None = None,
    keep: Callable[[Sequence[Verdict]], object] = lambda verdicts: None,
) -> list[Verdict]:
    """A verdict for each pair.

    Args:
        n_read: so many of the first pairs were read by a run that was cut; no round reaches over them.
        most: so many pairs are read in a round at most.
        keep: takes the verdicts so far after each round that read more than those, the last one left out.

    Raises:
        BackendError: the teacher failed. What it said until then is in the ledger.
    """
    told.sizes = [size_of(pair) for pair in pairs]
    verdicts: list[Verdict] = []
    while len(verdicts) < len(pairs):
        told.n_done = len(verdicts)
        end = round_end(told.sizes, told.n_done, BATCHES * judge.batch_characters)
        end = n_read if told.n_done < n_read < end else end
        end = end if most is None else min(end, told.n_done + most)
        verdicts += judge.judge(pairs[told.n_done : end])
        if n_read < len(verdicts) < len(pairs):
            keep(verdicts)
    return verdicts


def read_within(
    judge: Reader,
    pairs: Sequence[Pair],
    told: Told,
    costs: Sequence[int],
    budget: Budget,
    plan_of: PlanOf,
    teaches: Teaches,
) -> list[Verdict]:
    """A verdict for each of the first pairs, as many as the plan has time for, or until something teaches.

    What the ledger knows of the beginning comes first. Then one pair loads the teacher and the next ones
    measure it. Then there is a plan, and another one when there is much more to go by.

    Args:
        costs: characters that the teacher has to read of each pair; 0 for what the ledger knows.

    Raises:
        BackendError: the teacher failed. What it said until then is in the ledger.
    """
    told.sizes = [size_of(pair) for pair in pairs]
    n_known = next((n for n, cost in enumerate(costs) if cost), len(pairs))
    verdicts = judge.judge(pairs[:n_known]) if n_known else []
    asked: list[tuple[int, float]] = []
    plan: Plan | None = None
    n_planned = 0
    while len(verdicts) < len(pairs):
        start = told.n_done = len(verdicts)
        rate, n_asked = _rate_of(asked), sum(cost > 0 for cost in costs[:start])
        if rate is not None and n_asked >= PLAN_AGAIN * n_planned:
            plan, n_planned = plan_of(verdicts, rate), n_asked
        if plan is None or rate is None:
            is_late = bool(asked) and budget.elapsed_s > COLLECT_SHARE * budget.seconds
            end = _end_of(costs, start, FIRST_PAIRS if asked and not is_late else 1)
        else:
            left_s = plan.collect_until - budget.elapsed_s
            is_late = not _is_time(costs[start:], left_s, rate)
            most = max(0.0, min(left_s, ROUND_SHARE * budget.seconds)) / rate
            end = min(round_end(costs, start, most), _end_of(costs, start, (PLAN_AGAIN - 1) * n_planned))
        if is_late and (teaches(verdicts) or budget.elapsed_s > LATEST_SHARE * budget.seconds):
            break
        before_s = budget.elapsed_s
        verdicts += judge.judge(pairs[start:end])
        if n_characters := sum(costs[start:end]):
            asked.append((n_characters, budget.elapsed_s - before_s))
        told.is_brief = True  # rounds are short
    if plan is None:
        plan_of(verdicts, 0.0)
    return verdicts


def _rate_of(asked: Sequence[tuple[int, float]]) -> float | None:
    """Seconds a character, without the round that loaded the weights; None where there is no other yet."""
    measured = asked[1:]
    if not measured:
        return None
    return max(sum(seconds for _, seconds in measured) / sum(size for size, _ in measured), LEAST_RATE)


def _is_time(costs: Sequence[int], left_s: float, rate: float) -> bool:
    """Whether most of the next pair would be read in time, or the ledger knows the rest."""
    return not any(costs) or left_s > 0.5 * rate * next(cost for cost in costs if cost)


def _end_of(costs: Sequence[int], start: int, n_asked: int) -> int:
    """Where a round ends that begins at `start` and asks of so many pairs; what is known costs nothing."""
    numbers = [n for n in range(start, len(costs)) if costs[n]]
    return numbers[n_asked] if len(numbers) > n_asked else len(costs)
