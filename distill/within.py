"""A run that fits the time there is: what `--within` says, what is planned, and what fits.

    parse_duration -> Budget -> measure -> Plan -> keep to it

Times are seconds since the run began. Nothing here asks a model or reads a clock but the one in the budget.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from judge.errors import InputError
from judge.io.durations import seconds_in
from judge.io.rows import shown

LEAST_S = 20.0
"""A run with less time could not even load its models."""

TRIAL_FROM_S = 180.0
"""With this much time or more, training is tried before anything is collected, to share the time out well."""

MEASURED_SHARE = 0.05
"""Trying how long training takes ends with the batch in which it has taken this part of the time."""

COLLECT_SHARE = 0.45
"""Where training was not tried, collecting gets this part of the time."""

SAFETY = 0.93
"""This part of the time for training is planned with: what was measured may have been quick."""

WATCHED_SHARE = 0.15
"""Looks at the held-out pairs get this part of the time for training at most."""

FEW_WATCHED = 20
"""Fewer held-out pairs cannot say which of two looks is better, so a shortened training looks at its end."""

MOST_RESERVED = 0.3
"""At most this part of the time is kept for the end, whatever was measured."""

CHECKED_PAIRS = 8
"""The adapter that was loaded is asked about so many pairs again."""

LATEST_SHARE = 0.9
"""Where nothing that was read may teach, reading goes on until this part of the time has gone."""

FEW_PAIRS = 100
"""From fewer kept pairs than these a student learns little."""

Say = Callable[[str], None]


# --- what the user says ----------------------------------------------------------------------------------


def parse_duration(text: str) -> float:
    """The seconds that "90s", "9m", "2h" or "1h30m" stands for.

    Raises:
        InputError: it is something else, or too little for any run.
    """
    total = seconds_in(text, "--within")
    if total < LEAST_S:
        raise InputError(
            f"--within: {shown(text)}. It must be at least {LEAST_S:.0f}s: two models have to load."
        )
    return total


def minutes_of(seconds: float) -> str:
    """ "4:10" for 250 seconds, "1:02:03" from an hour on."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@dataclass(frozen=True, slots=True)
class Budget:
    """The time that a run has. `started` is what its clock showed then; `say` is told every plan."""

    seconds: float
    started: float
    clock: Callable[[], float] = time.monotonic
    say: Say = print

    @property
    def elapsed_s(self) -> float:
        return self.clock() - self.started


def budget_of(seconds: float, say: Say, clock: Callable[[], float] = time.monotonic) -> Budget:
    """The time from now on."""
    return Budget(seconds, clock(), clock, say)


# --- what is planned for a whole run ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Speed:
    """What training costs: seconds to load a student, of a unit in the frozen layers, and of one in an epoch.

    A unit is a character of pairs where training was tried before collecting, else a token. `measure_s` is
    what it takes to find this out again before the first step.
    """

    load_s: float
    lower_s: float
    step_s: float
    measure_s: float = 0.0

    def per(self, n_units: float) -> Speed:
        """The same with so many of these units as one."""
        return replace(self, lower_s=n_units * self.lower_s, step_s=n_units * self.step_s)


@dataclass(frozen=True, slots=True)
class Measured:
    """How a run goes so far.

    `read_s` is what the teacher needs for one more pair in the mean; `learned` is how many pairs the student
    learns from for each one that is read, those made by construction among them; `speed` is what training
    takes for a pair, None where it was not tried.
    """

    n_read: int
    n_left: int
    read_s: float
    learned: float
    speed: Speed | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do: read `n_pairs` of `of`, train for so many epochs, and check the adapter."""

    n_pairs: int
    of: int
    collect_until: float
    epochs: float
    train_until: float
    is_tried: bool = True

    @property
    def words(self) -> str:
        """What a user reads: "collect 2,140 pairs until 4:10, select, train 3 epochs until 8:20, check"."""
        which = f"all {self.of:,}" if self.n_pairs == self.of else f"{self.n_pairs:,}"
        collect = f"collect {which} pairs until {minutes_of(self.collect_until)}"
        return f"{collect}, select, {train_words(self.epochs, self.train_until, self.is_tried)}"


def train_words(epochs: float, until: float, is_tried: bool = True) -> str:
    """The part of a plan that is about training: "train 2.4 epochs until 8:20, check"."""
    number = f"{epochs:.2g}" if epochs < 1 else f"{epochs:.1f}".removesuffix(".0")
    epoch = "epoch" if number == "1" else "epochs"
    return f"train {'' if is_tried else 'up to '}{number} {epoch} until {minutes_of(until)}, check"


def planned(seconds: float, elapsed_s: float, measured: Measured, epochs: int) -> Plan:
    """What fits into `seconds`, of which some have gone; `epochs` is what the recipe wants at most.

    An epoch is worth half the one before it, and a pair that is read for the first time as much as any: the
    plan has as many epochs as make the most of that. See `worth`.
    """
    of = measured.n_read + measured.n_left
    speed = measured.speed
    if speed is None:
        train_until = seconds - reserve(seconds)
        until = max(elapsed_s, COLLECT_SHARE * train_until)
        n_more = n_that_fit(until - elapsed_s, measured.read_s, measured.n_left)
        until = min(until, elapsed_s + measured.n_left * measured.read_s)
        return Plan(measured.n_read + n_more, of, until, epochs, train_until, is_tried=False)
    train_until = seconds - reserve(seconds, speed, CHECKED_PAIRS)
    left_s = SAFETY * (train_until - elapsed_s - speed.load_s - speed.measure_s)
    n_pairs, _ = max(
        ((n_for(one, left_s, measured), one) for one in range(1, epochs + 1)), key=lambda two: worth(*two)
    )
    read_s = (n_pairs - measured.n_read) * measured.read_s
    n_learned = max(1.0, n_pairs * measured.learned)
    fitting = ((left_s - read_s) / n_learned - speed.lower_s) / max(speed.step_s, 1e-9)
    fitting = min(float(epochs), max(0.0, fitting))
    return Plan(n_pairs, of, elapsed_s + read_s, fitting, train_until)


def n_for(epochs: int, left_s: float, measured: Measured) -> int:
    """How many pairs can be read in all, so that there is time for these epochs of what is learned."""
    assert measured.speed is not None
    of_each = measured.learned * (measured.speed.lower_s + epochs * measured.speed.step_s)
    more = n_that_fit(left_s - measured.n_read * of_each, measured.read_s + of_each, measured.n_left)
    return measured.n_read + more


def worth(n_pairs: int, epochs: int) -> float:
    """What a student gets out of so many pairs, seen so often: every epoch is worth half the one before."""
    return n_pairs * (1 - 0.5**epochs)


def n_that_fit(left_s: float, each_s: float, at_most: int) -> int:
    return max(0, min(at_most, int(left_s / max(each_s, 1e-9))))


def reserve(seconds: float, speed: Speed | None = None, n_asked: float = 0) -> float:
    """Seconds for writing the adapter, loading it and asking it again.

    Args:
        speed: of training, from which loading and asking follow; None is a guess.
        n_asked: units that the student and then the loaded adapter are asked: half a step, and all layers.
    """
    at_least = 2 + 0.03 * seconds
    if speed is None:
        return at_least + 0.05 * seconds
    needed = at_least + 1.2 * speed.load_s + n_asked * (1.5 * speed.lower_s + 0.5 * speed.step_s)
    return min(needed, MOST_RESERVED * seconds)


def warning_of(n_kept: float, epochs: float) -> str:
    """One line where a plan makes little sense, else none."""
    wrong = []
    if n_kept < FEW_PAIRS:
        wrong.append(f"about {n_kept:.0f} pairs are kept, and fewer than {FEW_PAIRS} teach little")
    if epochs < 1:
        wrong.append(f"training gets {epochs:.2g} of an epoch, so not every pair is seen")
    return f"LITTLE TO LEARN FROM: {'; '.join(wrong)}. More time or more pairs help." if wrong else ""


# --- what is read, and for how long ----------------------------------------------------------------------


def round_end(costs: Sequence[float], start: int, most: float) -> int:
    """Where a round ends that begins at `start`: its costs add up to `most` or less, or it is one pair."""
    total = 0.0
    for end in range(start, len(costs)):
        total += costs[end]
        if total > most and end > start:
            return end
    return len(costs)


# --- what fits into the time for training ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shape:
    """How much of a training is done: so many steps, and so many looks at these held-out batches."""

    n_steps: int
    watched: tuple[int, ...]
    n_looks: int


def shape_of(
    steps: Sequence[Sequence[int]],
    sizes: Sequence[int],
    held_out: Sequence[int],
    n_looks: int,
    speed: Speed,
    left_s: float,
) -> Shape:
    """The steps and looks that fit into `left_s` seconds, at least one step.

    Args:
        steps: the numbers of each step's batches.
        sizes: the tokens of each batch.
        held_out: the same of the batches that are only looked at.
        n_looks: how often the recipe wants to look, the look before the first step apart.
    """
    left_s *= SAFETY
    watched, n_looks = looks_that_fit(held_out, n_looks, speed, WATCHED_SHARE * left_s)
    left_s -= look_s([held_out[n] for n in watched], n_looks, speed)
    times = times_of(steps, sizes, speed)
    n_steps = max(1, sum(1 for _ in takewhile(lambda done_s: done_s <= left_s, times)))
    return Shape(n_steps, watched, min(n_looks, n_steps))


def times_of(steps: Sequence[Sequence[int]], sizes: Sequence[int], speed: Speed) -> list[float]:
    """When each step is done; a batch goes through the frozen layers the first time only."""
    seen: set[int] = set()
    times, total = [], 0.0
    for step in steps:
        total += speed.lower_s * sum(sizes[n] for n in {*step} - seen)
        total += speed.step_s * sum(sizes[n] for n in step)
        seen.update(step)
        times.append(total)
    return times


def looks_that_fit(
    sizes: Sequence[int], n_looks: int, speed: Speed, left_s: float
) -> tuple[tuple[int, ...], int]:
    """Which batches are looked at, and how often: fewer looks first, then fewer batches, evenly chosen."""
    for fewer in range(n_looks, 0, -1):
        if look_s(sizes, fewer, speed) <= left_s:
            return tuple(range(len(sizes))), fewer
    for n_batches in range(len(sizes) - 1, 0, -1):
        some = tuple((2 * n + 1) * len(sizes) // (2 * n_batches) for n in range(n_batches))
        if look_s([sizes[n] for n in some], 1, speed) <= left_s:
            return some, 1
    return (), 0


def look_s(sizes: Sequence[int], n_looks: int, speed: Speed) -> float:
    """Seconds of so many looks and the one before the first step; a look takes half of what a step does."""
    return sum(sizes) * (speed.lower_s + (n_looks + 1) * speed.step_s / 2)


# --- whether a stage that was cut is done ----------------------------------------------------------------


def is_enough(manifest: Mapping[str, Any] | None, budget: Budget | None) -> bool:
    """Whether a stage that was cut is all that a run with this much time would do.

    A run with more time goes on, and so does one without `--within`.
    """
    cut = (manifest or {}).get("within")
    return budget is not None and isinstance(cut, dict) and cut.get("seconds", 0) >= budget.seconds
