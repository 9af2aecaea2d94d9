"""What a run will do, what that takes, and how much of it fits into the time there is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from benchmarks.system2.task import LAYERS, Procedure, Split, Task
from judge.backends import Backend, Sampling
from judge.errors import InputError
from judge.io.writing import write_whole
from judge.prompts import plain
from judge.records import Prompt

PLAN = "plan.json"
"""The plan's file in the folder of a run."""

CHARACTERS_A_TOKEN = 4
STUDENTS = 3
"""Of each seed: taught by what the filter keeps, by the first samples, and by System 1."""

LEAST = {Split.TRAIN: 40, Split.HELD_OUT: 20, Split.TEST: 40}
"""With fewer questions a run says nothing, however little time there is."""

SMALLER = 0.9
SAFETY = 0.85
"""This part of the time is planned with."""

TRIED_PROMPTS, TRIED_TOKENS = 64, 24
"""Many at once, as in a run: a few write less than half as much a second."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run of a task: who teaches whom, how many questions of each split, and how many seeds of students."""

    task: str
    teacher: str
    student: str
    train: int
    held_out: int
    test: int
    seeds: int

    FIXED: ClassVar[tuple[str, ...]] = ("task", "teacher", "student")

    def n(self, split: Split) -> int:
        return {Split.TRAIN: self.train, Split.HELD_OUT: self.held_out, Split.TEST: self.test}[split]


@dataclass(frozen=True, slots=True)
class Rates:
    """Tokens a second: read in prompts, and written by all rows of a batch together."""

    read: float
    written: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a run: which model works, and the tokens that it reads, writes and learns from."""

    name: str
    is_student: bool
    read: float = 0.0
    written: float = 0.0
    learned: float = 0.0


def plan_of(task: Task, teacher: str, student: str, seeds: int, limit: int | None) -> Plan:
    """The task's own sizes, with at most `limit` questions in each split.

    Raises:
        InputError: `limit` or `seeds` is less than 1.
    """
    for name, number in (("limit", limit), ("seeds", seeds)):
        if number is not None and number < 1:
            raise InputError(f"--{name} {number}: must be 1 or more.")
    sizes = {split: n if limit is None else min(n, limit) for split, n in task.sizes.items()}
    return Plan(
        task.name, teacher, student, sizes[Split.TRAIN], sizes[Split.HELD_OUT], sizes[Split.TEST], seeds
    )


def tokens_asked(
    question_tokens: float, procedure: Procedure, n_questions: float, n_samples: int = 1
) -> dict[str, float]:
    """The tokens that are `read` and `written` where questions are answered by a procedure."""
    written = n_questions * n_samples * len(procedure.steps) * procedure.usual_tokens
    # Samples of one prompt share its beginning; a second step reads what each sample wrote before.
    again = n_samples * (len(procedure.steps) - 1) * (question_tokens + procedure.usual_tokens)
    return {"read": n_questions * (question_tokens + again), "written": written}


def stages_of(task: Task, plan: Plan, question_tokens: float) -> Iterator[Stage]:
    """The parts of a run in their order, if a question has so many tokens in the mean."""
    asked = partial(tokens_asked, question_tokens)
    teacher, learned = task.system_2[task.teacher], plan.train + plan.held_out
    yield Stage("System 2, sampled", False, **asked(teacher, learned, task.n_samples))
    yield Stage("System 1, sampled", False, **asked(task.system_1, plan.train, task.n_samples))
    for procedure in (task.system_1, *task.system_2.values()):
        yield Stage(f"test questions, {procedure.what}", False, **asked(procedure, plan.test))
    row = question_tokens + task.system_1.usual_tokens
    n_students = STUDENTS * plan.seeds
    learned_by_half = n_students * plan.train * task.epochs * row * task.layers / LAYERS
    yield Stage("students learn", True, learned=learned_by_half)
    yield Stage("students answer", True, **asked(task.system_1, n_students * plan.test + 2 * plan.held_out))


def seconds_of(stage: Stage, rates: Rates) -> float:
    """Seconds of a stage. A token that half of the layers learn from costs as much as two that are read: the
    others are frozen and run once, these run forwards and backwards."""
    return (stage.read + 2 * stage.learned) / rates.read + stage.written / rates.written


StagesOf = Callable[[Task, Plan, float], Iterable[Stage]]
"""(task, plan, tokens of a question in the mean) -> the parts of a run."""


def total_seconds(
    task: Task,
    plan: Plan,
    question_tokens: float,
    teacher: Rates,
    student: Rates,
    stages: StagesOf = stages_of,
) -> float:
    parts = stages(task, plan, question_tokens)
    return sum(seconds_of(one, student if one.is_student else teacher) for one in parts)


def fitted(
    task: Task,
    plan: Plan,
    within_s: float,
    question_tokens: float,
    teacher: Rates,
    student: Rates,
    stages: StagesOf = stages_of,
) -> Plan:
    """The plan with fewer seeds, then fewer questions, until it fits into so many seconds.

    Args:
        stages: the parts of such a run.

    Raises:
        InputError: not even the least plan fits.
    """

    def fits(one: Plan) -> bool:
        return total_seconds(task, one, question_tokens, teacher, student, stages) <= SAFETY * within_s

    while not fits(plan):
        if plan.seeds > 1:
            plan = replace(plan, seeds=plan.seeds - 1)
            continue
        smaller = replace(
            plan,
            train=shrunk(plan.train, Split.TRAIN),
            held_out=shrunk(plan.held_out, Split.HELD_OUT),
            test=shrunk(plan.test, Split.TEST),
        )
        if smaller == plan:
            needed = total_seconds(task, plan, question_tokens, teacher, student, stages) / SAFETY
            raise InputError(f"--within: {task.name} takes {hours(needed)} at least. Give it more time.")
        plan = smaller
    return plan


def shrunk(n: int, split: Split) -> int:
    return max(min(n, LEAST[split]), int(SMALLER * n))


def question_tokens_of(texts: list[str]) -> float:
    """Tokens of a question in the mean, with the words around it, roughly."""
    return sum(map(len, texts)) / max(1, len(texts)) / CHARACTERS_A_TOKEN + 30


def measured(backend: Backend, text: str) -> Rates:
    """How quick a model is here, tried on a few prompts of about this length."""
    prompts = [plain(f"{number}. {text}") for number in range(TRIED_PROMPTS)]
    backend.complete(prompts[:1], Sampling(1))  # it may load its model, and sets things up the first time
    read_s, n_read, _ = timed(backend, prompts, 1)
    both_s, _, n_written = timed(backend, prompts, TRIED_TOKENS)
    return Rates(n_read / read_s, n_written / max(both_s - read_s, 1e-3))


def timed(backend: Backend, prompts: Sequence[Prompt], n_tokens: int) -> tuple[float, int, int]:
    """Seconds, prompt tokens and written tokens of one call."""
    started = time.perf_counter()
    replies = backend.complete(prompts, Sampling(n_tokens))
    seconds = max(time.perf_counter() - started, 1e-3)
    return seconds, sum(one.tokens_in for one in replies), sum(one.tokens_out for one in replies)


def hours(seconds: float) -> str:
    """ "1.5 hours", or minutes where it is less than one."""
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{max(1, round(seconds / 60))} minutes"


def estimate_words(
    task: Task,
    plan: Plan,
    question_tokens: float,
    teacher: Rates,
    student: Rates,
    stages: StagesOf = stages_of,
) -> str:
    """The whole estimate and its parts, a line each."""
    parts = [
        (one.name, seconds_of(one, student if one.is_student else teacher))
        for one in stages(task, plan, question_tokens)
    ]
    sizes = f"{plan.train} questions to learn from, {plan.held_out} held out, {plan.test} to measure"
    total = f"{task.name}: about {hours(sum(s for _, s in parts))} ({sizes}, seeds: {plan.seeds})"
    return "\n".join([total, *(f"  {name}: {hours(seconds)}" for name, seconds in parts)])


class Planned(Protocol):
    """A dataclass of plain values; two plans that differ in a field of `FIXED` are of two runs."""

    FIXED: ClassVar[tuple[str, ...]]
    __dataclass_fields__: ClassVar[dict[str, Any]]


P = TypeVar("P", bound=Planned)


def begun_plan(path: Path, wanted: P) -> P | None:
    """The plan of the run that has begun there, which keeps its sizes; None where none has.

    Raises:
        InputError: the file is no plan, or the run that has begun is another one.
    """
    if not path.is_file():
        return None
    try:
        begun = type(wanted)(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: no plan of a run ({error}). Remove it, or name another folder.") from error
    for name in wanted.FIXED:
        found, other = getattr(begun, name), getattr(wanted, name)
        if found != other:
            what = f"this run has {name} {found}, and {other} was asked for"
            raise InputError(f"{path}: {what}. Name another folder.")
    return begun


def write_plan(path: Path, plan: Planned) -> None:
    write_whole(path, json.dumps(asdict(plan)) + "\n", parents=True)
