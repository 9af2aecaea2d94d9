"""How many mazes and steps a run has, by how quick the models are on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from benchmarks.controls.mazes import Maze, Splits, drawn_splits, search
from benchmarks.controls.model import Shape, new_model, written
from benchmarks.controls.students import LEARNERS, Course, Training
from benchmarks.controls.words import FAST, Coder, parts_of, prompt_words, reply_words
from benchmarks.system2.plan import hours
from judge.errors import InputError

LEAST_MAZES, MOST_MAZES = 10_000, 50_000
LEAST_STEPS = 500
"""With fewer a run says nothing, however little time there is."""

SAFETY = 0.85
"""This part of the time is planned with."""

MAZES_A_STEP = 16
N_HELD_OUT, N_TEST = 100, 500
TRIED_STEPS, TRIED_WORDS = 4, 48
ROOM = 1.1
"""A reply may be so many times as long as the longest whole trace of those held out."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large mazes and models are."""

    size: int
    shape: Shape


SCALES = {
    "control": Scale(10, Shape(hidden=256, inner=512, layers=5, heads=4)),
    "middle": Scale(7, Shape(hidden=160, inner=288, layers=4, heads=4)),
    "small": Scale(5, Shape(hidden=96, inner=160, layers=4, heads=3)),
}
"""Models have 3.3, 1.0 and 0.3 million weights; two hours of two cores teach the small one its mazes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run: its scale and seed, mazes of each split, and steps of each student.

    With `most_mazes` below the default the steps stay as many, and each maze is seen more often.
    """

    scale: str
    seed: int
    train: int
    held_out: int
    test: int
    steps: int
    most_mazes: int = MOST_MAZES

    FIXED: ClassVar[tuple[str, ...]] = ("scale", "seed", "most_mazes")

    def splits(self) -> Splits:
        return drawn_splits(self.seed, SCALES[self.scale].size, self.train, self.held_out, self.test)


@dataclass(frozen=True, slots=True)
class Rates:
    """Seconds of one step of each student, by its name, and of one word of all replies to alike prompts."""

    step_s: Mapping[str, float]
    word_s: float


def plan_of(scale: str, seed: int, most_mazes: int = MOST_MAZES) -> Plan:
    """The least plan, which `fitted` makes as large as the time and `most_mazes` allow."""
    return Plan(scale, seed, min(LEAST_MAZES, most_mazes), N_HELD_OUT, N_TEST, LEAST_STEPS, most_mazes)


# --- measured --------------------------------------------------------------------------------------------


def measured(plan: Plan, folder: Path) -> Rates:
    """How quick training and writing are here, tried on a few mazes."""
    scale = SCALES[plan.scale]
    coder, splits = Coder(scale.size), replace(plan, train=MAZES_A_STEP * (TRIED_STEPS + 1)).splits()
    model = new_model(scale.shape, len(coder.words), plan.seed)
    step_s = {}
    for name, learner in LEARNERS.items():
        course = Course(splits.train, learner.levels, TRIED_STEPS + 1, MAZES_A_STEP, plan.seed)
        step_s[name] = step_seconds(Training(model, coder, course, folder / "tried.pt", ""))
    n_alike = max(1, len(splits.test) // n_lengths(splits.test))
    prompts = [coder.ids(prompt_words(splits.test[0]))] * n_alike
    first, never = coder.ids([FAST])[0], len(coder.words)
    started = time.perf_counter()
    written(model, prompts, first, never, TRIED_WORDS)
    word_s = (time.perf_counter() - started) / TRIED_WORDS
    return Rates(step_s, word_s)


def step_seconds(training: Training) -> float:
    """Seconds of a step, after one that sets things up. Nothing is kept."""
    training.step()
    started = time.perf_counter()
    for _ in range(TRIED_STEPS):
        training.step()
    return (time.perf_counter() - started) / TRIED_STEPS


def longest_reply(mazes: Sequence[Maze]) -> int:
    """How many words are written at most: more than the longest whole trace of these mazes has."""
    return int(ROOM * max(n_reply_words(maze) for maze in mazes))


def n_reply_words(maze: Maze) -> int:
    found = search(maze)
    return len(reply_words(parts_of(found), found.path))


def n_lengths(mazes: Sequence[Maze]) -> int:
    """How many different lengths their prompts have; those of one length are answered together."""
    return len({len(maze.walls) for maze in mazes})


# --- fitted ----------------------------------------------------------------------------------------------


def writing_s(plan: Plan, rates: Rates) -> float:
    """Seconds in which all students answer, if a reply of each group is as long as any may be."""
    splits = replace(plan, train=0).splits()
    n_words = longest_reply(splits.held_out)
    groups = n_lengths(splits.held_out) + n_lengths(splits.test)
    n_slow = sum(word != FAST for one in LEARNERS.values() for word in one.asked.values())
    n_slow += sum(len(one.sampled) for one in LEARNERS.values())
    return rates.word_s * groups * n_words * n_slow


def learning_s(plan: Plan, rates: Rates) -> float:
    return plan.steps * sum(rates.step_s.values())


def fitted(plan: Plan, within_s: float, rates: Rates) -> Plan:
    """The plan with as many steps as fit into so many seconds; each maze is seen once while there are enough.

    Raises:
        InputError: not even the fewest steps fit.
    """
    left_s = SAFETY * within_s - writing_s(plan, rates)
    steps = int(left_s / sum(rates.step_s.values()))
    if steps < LEAST_STEPS:
        least_s = (writing_s(plan, rates) + learning_s(replace(plan, steps=LEAST_STEPS), rates)) / SAFETY
        raise InputError(f"--within: {LEAST_STEPS} steps take {hours(least_s)} at least. Give it more time.")
    return replace(plan, steps=steps, train=min(plan.most_mazes, max(LEAST_MAZES, steps * MAZES_A_STEP)))


def estimate_words(plan: Plan, rates: Rates) -> str:
    """The whole estimate and its parts, a line each."""
    parts = {f"{LEARNERS[name].what} learns": plan.steps * each for name, each in rates.step_s.items()}
    parts["all answer, at most"] = writing_s(plan, rates)
    size = SCALES[plan.scale].size
    total = (
        f"mazes of {size} x {size}: about {hours(sum(parts.values()))} ({plan.steps:,} steps of "
        f"{MAZES_A_STEP} mazes, {plan.train:,} mazes to learn from, {plan.held_out} held out, "
        f"{plan.test} to measure)"
    )
    return "\n".join([total, *(f"  {name}: {hours(each)}" for name, each in parts.items())])
