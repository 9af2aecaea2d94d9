"""A whole run of a task: sample, filter, train, measure. Interrupted, the same call goes on.

All replies are in the folder's ledger and all students in folders of their own; the result is made of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.system2.filters import NONE, Target, Taught, taught
from benchmarks.system2.following import TEMPERATURE, Followed, followed, sampled
from benchmarks.system2.plan import Plan
from benchmarks.system2.reading import is_right, key_of
from benchmarks.system2.students import TRAINING, Lesson, Student, Workshop
from benchmarks.system2.task import Procedure, Question, Split, Task
from distill.advice import is_large
from distill.replies import Replies
from judge.backends import Backend
from judge.errors import InputError
from judge.ledger.ledger import Ledger
from judge.progress import Progress, silent
from judge.provenance import provenance
from judge.records import Engine, Unparsed, sha256_of_json

SCHEMA = "four-token-judge/system2/1"
RIGHT, WRONG, UNREAD = "1", "0", "-"
SYSTEM_1, UNTAUGHT = "system-1", "system-1-student"
DISTILLED, UNFILTERED, CONTROL = "distilled", "unfiltered", "distilled-system-1"
TAUGHT = {
    DISTILLED: "distilled System 2",
    UNFILTERED: "distilled System 2, no filter",
    CONTROL: "distilled System 1",
}
"""The three students of each seed, and what tables call them."""

Questions = Mapping[Split, Sequence[Question]]


@dataclass(frozen=True, slots=True)
class Run:
    """What all stages of a run share."""

    task: Task
    plan: Plan
    folder: Path
    workshop: Workshop
    ledger: Ledger
    progress: Progress = silent

    def model(self, base_model: str, adapter: Path | None = None) -> tuple[Engine, Replies]:
        """A model that answers. A stage lets go of its model when it returns, so that one is in memory."""
        backend = self.workshop.load(base_model, adapter)
        return backend.engine, self.replies(backend)

    def replies(self, backend: Backend) -> Replies:
        """What a backend replies, kept in the run's ledger."""
        return Replies(backend, self.ledger, progress=self.progress)


@dataclass(frozen=True, slots=True)
class Lessons:
    """What each student is taught of each training question, and the filtered targets of those held out."""

    by_student: Mapping[str, Sequence[Taught]]
    held_out: Sequence[Taught]


def run(
    task: Task,
    plan: Plan,
    folder: Path,
    workshop: Workshop,
    data: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """The result of the task, as plain JSON values.

    Raises:
        InputError: the questions cannot be read, or a filter keeps nothing.
        BackendError: an engine failed. What was done before is kept.
    """
    questions = {split: task.questions(split, plan.n(split), data) for split in Split}
    with Ledger(folder / "ledger.sqlite") as ledger:
        one = Run(task, plan, folder, workshop, ledger, progress)
        lessons, rows, teacher = taught_and_measured(one, questions)
        before = fit(one, questions, lessons, None)
        students = list(made_students(one, questions, lessons))
        rows += untaught_student(one, questions)
        rows += [measured_student(one, questions, *each) for each in students]
        first = next(student for name, seed, student in students if (name, seed) == (DISTILLED, 0))
        after = fit(one, questions, lessons, first)
    train = questions[Split.TRAIN]
    return {
        **made_with(one, questions, teacher),
        "rows": rows,
        "targets": {name: targets_told(each, train) for name, each in lessons.by_student.items()},
        "signal": {
            "large": sum(is_large(target.share) for target in kept_of(lessons.by_student[DISTILLED])),
            "n": len(train),
            "fit_constant": most_frequent(lessons.held_out),
            "fit_before": before,
            "fit_after": after,
            "n_fit": len(kept_of(lessons.held_out)),
            "n_steps": first.n_steps,
        },
    }


def made_with(one: Run, questions: Questions, teacher: Engine) -> dict[str, Any]:
    """All that a result depends on, for its file."""
    task, plan = one.task, one.plan
    asked = [[q.text, q.answer, q.kind] for each in questions.values() for q in each]
    return {
        "schema": SCHEMA,
        **provenance(),
        "task": task.name,
        "base_model": plan.teacher,
        "base_model_hash": teacher.base_model_hash,
        "engine": {"backend": teacher.backend, "dtype": teacher.dtype},
        "student": plan.student,
        "seed": 0,
        "seeds": plan.seeds,
        "data": task.source,
        "data_hash": sha256_of_json(asked),
        "n_questions": {split.value: len(each) for split, each in questions.items()},
        "prompts": prompts_of(task),
        "taught_by": task.teacher,
        "filter": task.filter,
        "n_samples": task.n_samples,
        "temperature": TEMPERATURE,
        "training": {**TRAINING, "epochs": task.epochs, "layers": task.layers},
    }


def taught_and_measured(one: Run, questions: Questions) -> tuple[Lessons, list[dict[str, Any]], Engine]:
    """All that the teacher says: what is taught, and its own rows of the table."""
    task, train, held_out = one.task, questions[Split.TRAIN], questions[Split.HELD_OUT]
    engine, replies = one.model(one.plan.teacher)

    def samples(procedure: Procedure, asked: Sequence[Question]) -> list[list[Followed]]:
        return sampled(procedure, asked, task.n_samples, replies, f"sampling {procedure.what}")

    slow, fast = samples(task.system_2[task.teacher], train), samples(task.system_1, train)
    held = samples(task.system_2[task.teacher], held_out)
    by_student = {
        DISTILLED: taught(task, task.filter, train, slow, replies),
        UNFILTERED: taught(task, NONE, train, slow, replies),
        CONTROL: taught(task, task.filter, train, fast, replies),
    }
    for name, each in by_student.items():
        if not kept_of(each):
            raise InputError(f"{task.name}: nothing is left to teach {name} ({dict(dropped_of(each))}).")
    rows = [
        row_of(one, questions, name, procedure.what, engine, replies)
        for name, procedure in {SYSTEM_1: task.system_1, **task.system_2}.items()
    ]
    return Lessons(by_student, taught(task, task.filter, held_out, held, replies)), rows, engine


def untaught_student(one: Run, questions: Questions) -> list[dict[str, Any]]:
    """The row of the student's base model before it is taught, where it is not the teacher's."""
    if one.plan.student == one.plan.teacher:
        return []
    return [row_of(one, questions, UNTAUGHT, "System 1 of the student", *one.model(one.plan.student))]


def row_of(
    one: Run,
    questions: Questions,
    name: str,
    what: str,
    engine: Engine,
    replies: Replies,
    seed: int | None = None,
    n_steps: int | None = None,
) -> dict[str, Any]:
    """One row of the table: a mark for each test question, by kind, and the mean tokens of a question."""
    task, test = one.task, questions[Split.TEST]
    procedure = task.system_2.get(name, task.system_1)
    done = followed(procedure, test, replies, f"measuring {what}")
    marks: dict[str, str] = {}
    for question, way in zip(test, done, strict=True):
        marks[question.kind] = marks.get(question.kind, "") + mark_of(task, way.reply, question)
    return {
        "name": name,
        "what": what,
        "model": engine.base_model,
        "adapter_hash": engine.adapter_hash,
        "seed": seed,
        "n_steps": n_steps,
        "marks": marks,
        "tokens_in": sum(way.tokens_in for way in done) / len(done),
        "tokens_out": sum(way.tokens_out for way in done) / len(done),
    }


def mark_of(task: Task, reply: str, question: Question) -> str:
    answer = task.answer_in(reply)
    if isinstance(answer, Unparsed):
        return UNREAD
    return RIGHT if is_right(answer, question.answer) else WRONG


def made_students(one: Run, questions: Questions, lessons: Lessons) -> Iterator[tuple[str, int, Student]]:
    """Every student of every seed; the first seed's all come first."""
    for seed in range(one.plan.seeds):
        for name, each in lessons.by_student.items():
            rows = [
                Lesson(one.task.system_1.steps[0](question.text, ()), target.answer)
                for question, target in zip(questions[Split.TRAIN], each, strict=True)
                if isinstance(target, Target)
            ]
            folder = one.folder / "students" / f"{name}-{seed}"
            taught = one.workshop.teach(
                rows, one.plan.student, folder, seed, one.task.epochs, one.task.layers
            )
            yield name, seed, taught


def measured_student(
    one: Run, questions: Questions, name: str, seed: int, student: Student
) -> dict[str, Any]:
    engine, replies = one.model(student.base_model, student.adapter)
    return row_of(one, questions, name, TAUGHT[name], engine, replies, seed, student.n_steps)


def fit(one: Run, questions: Questions, lessons: Lessons, student: Student | None) -> int:
    """How many held-out targets a student gives, or the bare base model where there is none."""
    pairs = zip(questions[Split.HELD_OUT], lessons.held_out, strict=True)
    aims = [(question, target) for question, target in pairs if isinstance(target, Target)]
    _, replies = one.model(one.plan.student, student.adapter if student else None)
    done = followed(one.task.system_1, [question for question, _ in aims], replies, "fitting")
    answers = [one.task.answer_in(way.reply) for way in done]
    return sum(is_right(answer, target.answer) for answer, (_, target) in zip(answers, aims, strict=True))


def most_frequent(each: Sequence[Taught]) -> int:
    """How many targets somebody gives who always gives the most frequent one."""
    counts = Counter(key_of(target.answer) for target in kept_of(each))
    return max(counts.values(), default=0)


def targets_told(each: Sequence[Taught], questions: Sequence[Question]) -> dict[str, Any]:
    """What a filter kept, what it dropped and why, and how many targets are right, which only tables see."""
    right = [
        key_of(target.answer) == key_of(question.answer)
        for target, question in zip(each, questions, strict=True)
        if isinstance(target, Target)
    ]
    return {"kept": len(right), "dropped": dict(dropped_of(each)), "right": sum(right)}


def kept_of(each: Sequence[Taught]) -> list[Target]:
    return [one for one in each if isinstance(one, Target)]


def dropped_of(each: Sequence[Taught]) -> Counter[str]:
    return Counter(one.reason for one in each if not isinstance(one, Target))


def prompts_of(task: Task) -> str:
    """SHA-256 of all that is asked around a question: another wording is another task."""
    asked = [
        step("QUESTION", ("BEFORE",))
        for procedure in (task.system_1, *task.system_2.values())
        for step in procedure.steps
    ]
    told = [one if isinstance(one, str) else [[m.role, m.content] for m in one] for one in asked]
    return sha256_of_json(told)
