"""The whole control: chains, students, the test questions, votes. Interrupted, the same call goes on.

All replies are in the folder's ledger, students and the ranker in folders of their own, and what weighs
samples in files; the result is made of them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.negatives.chains import N_OWN, N_VOTING, STUDENTS, TASK, Chains, extended, parted
from benchmarks.negatives.students import ADAPTED, Workshop
from benchmarks.negatives.votes import plurality, weighed
from benchmarks.negatives.written import CHAINS, hash_of, read_chains, write_chains
from benchmarks.system2.filters import Target, Taught, majority, picked
from benchmarks.system2.following import Followed, sampled
from benchmarks.system2.plan import Plan
from benchmarks.system2.reading import is_right
from benchmarks.system2.run import RIGHT, UNREAD, UNTAUGHT, WRONG, Questions, Run, made_with, row_of
from benchmarks.system2.students import Lesson, Student
from benchmarks.system2.task import Answer, Question, Split
from distill.ensemble import wilson
from judge.backends import Backend
from judge.errors import InputError
from judge.io.writing import write_whole
from judge.ledger.ledger import Ledger
from judge.methods.weighing import likely
from judge.progress import Progress, silent
from judge.prompts import plain
from judge.records import Engine, Unparsed, sha256_of_json

SCHEMA = "four-token-judge/negatives/1"
VOTES = {
    "vote-majority": "majority",
    "vote-plurality": "majority, of equals the one said first",
    "vote-probability": "weighed by probability",
    "vote-ranked": "ranked",
    "vote-usc": "universal self-consistency",
}
"""Ways to vote over samples of the student of right chains, and what tables call them."""

EVEN = 0.5


@dataclass(frozen=True, slots=True)
class Voting:
    """The samples of each test question, their answers, and what each of them weighs in two ways."""

    engine: Engine
    samples: Sequence[Sequence[Followed]]
    answers: Sequence[Sequence[Answer]]
    scores: Sequence[Sequence[float]]
    probabilities: Sequence[Sequence[float]]


def run(
    plan: Plan,
    folder: Path,
    workshop: Workshop,
    data: Path | None = None,
    progress: Progress = silent,
    written: Path | None = None,
) -> dict[str, Any]:
    """The result of the control, as plain JSON values.

    Args:
        written: a file of the teacher's chains, which is then not asked for those.

    Raises:
        InputError: the questions cannot be read, no right or no wrong chain was written, or the file of
            chains is another teacher's.
        BackendError: an engine failed. What was done before is kept.
    """
    questions = {split: TASK.questions(split, plan.n(split), data) for split in (Split.TRAIN, Split.TEST)}
    with Ledger(folder / "ledger.sqlite") as ledger:
        one = Run(TASK, plan, folder, workshop, ledger, progress)
        chains, teacher, rows = taught_by_teacher(one, questions, written)
        rows.append(row_of(one, questions, UNTAUGHT, "not taught", *one.model(plan.student)))
        made, n_own = made_students(one, workshop, questions[Split.TRAIN], chains)
        rows += [student_row(one, questions, *each) for each in made.items()]
        voting = weighed_votes(one, workshop, questions, made["positive"], chains)
        rows += vote_rows(one, questions[Split.TEST], voting)
    told = made_with(one, questions, teacher)
    return {
        **{key: value for key, value in told.items() if key != "filter"},
        "schema": SCHEMA,
        "training": told["training"] | ADAPTED,
        "n_voting": N_VOTING,
        "chains": chains_told(chains) | {"own": n_own},
        "rows": [row | {"right": interval_of(row["marks"][""])} for row in rows],
        "overlap": overlap(*(marks_of(rows, name) for name in ("positive", "negative"))),
        "ranker": ranker_told(questions[Split.TEST], voting),
    }


# --- chains and students ---------------------------------------------------------------------------------


def taught_by_teacher(
    one: Run, questions: Questions, written: Path | None
) -> tuple[Chains, Engine, list[dict[str, Any]]]:
    """The teacher's chains, and its own row of the table."""
    engine, replies = one.model(one.plan.teacher)
    procedure = TASK.system_2[TASK.teacher]
    train = questions[Split.TRAIN]
    known = {} if written is None else read_chains(written, TASK, engine)
    new = [question for question in train if hash_of(question) not in known]
    asked = sampled(procedure, new, TASK.n_samples, replies, "sampling chains")
    known |= {hash_of(question): each for question, each in zip(new, asked, strict=True)}
    samples = [known[hash_of(question)] for question in train]
    write_chains(one.folder / CHAINS, TASK, engine, train, samples)
    chains = parted(TASK, train, samples)
    if not chains.right or not chains.wrong:
        raise InputError(
            f"{TASK.name}: {len(chains.right)} right and {len(chains.wrong)} wrong chains of {len(train)} "
            "questions. Both are needed: take more questions or another teacher."
        )
    return chains, engine, [row_of(one, questions, TASK.teacher, "the teacher", engine, replies)]


def made_students(
    one: Run, workshop: Workshop, train: Sequence[Question], chains: Chains
) -> tuple[dict[str, Student], int]:
    """Every student by its name, in an order in which those come first that others are made of; and how many
    chains of its own NAT adds for NCE."""
    made: dict[str, Student] = {}
    n_before = len(chains.right)
    for how in STUDENTS:
        if how == "nce":
            chains = extended(TASK, chains, train, own_chains(one, train, made["nat"]))
        folder = one.folder / "students" / how
        made[how] = workshop.learn(how, chains, one.plan.student, folder, 0, TASK.epochs, made)
    return made, len(chains.right) - n_before


def own_chains(one: Run, train: Sequence[Question], student: Student) -> list[list[Followed]]:
    """What a student writes itself to the training questions. Its model is let go of when this returns."""
    _, replies = one.model(student.base_model, student.adapter)
    return sampled(TASK.system_1, train, N_OWN, replies, "sampling to learn from too")


def student_row(one: Run, questions: Questions, how: str, student: Student) -> dict[str, Any]:
    model = one.model(student.base_model, student.adapter)
    return row_of(one, questions, how, STUDENTS[how], *model, 0, student.n_steps)


def chains_told(chains: Chains) -> dict[str, Any]:
    return {
        "right": len(chains.right),
        "wrong": len(chains.wrong),
        "left_out": dict(sorted(chains.left_out.items())),
    }


# --- votes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drawn:
    """The samples of each test question, as chains one after the other too, and their probabilities."""

    engine: Engine
    samples: Sequence[Sequence[Followed]]
    chains: Sequence[Lesson]
    probabilities: Sequence[float]

    @property
    def key(self) -> str:
        """SHA-256 (hex) of who wrote the chains, and of these."""
        return sha256_of_json(
            [self.engine.base_model_hash, self.engine.adapter_hash, chains_hash(self.chains)]
        )


def drawn(one: Run, workshop: Workshop, test: Sequence[Question], student: Student) -> Drawn:
    """The samples of a student. Its model is let go of when this returns."""
    backend = workshop.load(student.base_model, student.adapter)
    samples = sampled(TASK.system_1, test, N_VOTING, one.replies(backend), "sampling to vote")
    chains = [
        Lesson(TASK.system_1.steps[0](question.text, ()), way.reply)
        for question, each in zip(test, samples, strict=True)
        for way in each
    ]
    found = Drawn(backend.engine, samples, chains, [])
    path = one.folder / "probabilities.json"
    return replace(found, probabilities=kept(path, found.key, lambda: probabilities_of(backend, chains)))


def weighed_votes(
    one: Run, workshop: Workshop, questions: Questions, student: Student, taught: Chains
) -> Voting:
    """The samples of a student with what each of them weighs, by a ranker that the chains have taught."""
    plan = one.plan
    found = drawn(one, workshop, questions[Split.TEST], student)
    ranker = workshop.rank(taught, plan.student, one.folder / "ranker", 0, TASK.epochs)
    key = sha256_of_json([found.key, chains_hash(taught.right), chains_hash(taught.wrong)])
    path = one.folder / "scores.json"
    scores = kept(path, key, lambda: workshop.scores(ranker, plan.student, found.chains))
    return Voting(
        engine=found.engine,
        samples=found.samples,
        answers=[[TASK.answer_in(way.reply) for way in each] for each in found.samples],
        scores=in_groups(scores),
        probabilities=in_groups(found.probabilities),
    )


def chains_hash(chains: Sequence[Lesson]) -> str:
    """SHA-256 (hex) of the chains and what was asked for each."""
    spans = [
        [[span.text for _, some in plain(one.asked).messages for span in some], one.reply] for one in chains
    ]
    return sha256_of_json(spans)


def probabilities_of(backend: Backend, chains: Sequence[Lesson]) -> list[float]:
    """The mean probability of a token of each chain; 0 of one that says nothing."""
    spoken = [number for number, chain in enumerate(chains) if chain.reply]
    asked = [(plain(chains[number].asked), chains[number].reply) for number in spoken]
    found = dict(zip(spoken, likely(backend, asked), strict=True))
    return [one if isinstance(one := found.get(number, 0.0), float) else 0.0 for number in range(len(chains))]


def kept(path: Path, key: str, make: Callable[[], list[float]]) -> list[float]:
    """The numbers in a file where they are those of this key, else made now, which the file then has."""
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["key"] == key:
            return [float(one) for one in found["numbers"]]
    numbers = make()
    write_whole(path, json.dumps({"key": key, "numbers": numbers}) + "\n", parents=True)
    return numbers


def in_groups(numbers: Sequence[float]) -> list[list[float]]:
    """Those of one question's samples together."""
    return [list(numbers[start : start + N_VOTING]) for start in range(0, len(numbers), N_VOTING)]


def vote_rows(one: Run, test: Sequence[Question], voting: Voting) -> list[dict[str, Any]]:
    """A row for each way to vote. The bare base model picks: the student would write a chain."""
    _, replies = one.model(one.plan.student)
    ranks = [[1 + score for score in each] for each in voting.scores]
    answers = voting.answers
    found: dict[str, list[Taught]] = {
        "vote-majority": [majority(each) for each in answers],
        "vote-plurality": [plurality(each) for each in answers],
        "vote-probability": [weighed(*two) for two in zip(answers, voting.probabilities, strict=True)],
        "vote-ranked": [weighed(*two) for two in zip(answers, ranks, strict=True)],
        "vote-usc": picked(test, voting.samples, answers, replies),
    }
    n = len(test)
    ways = [way for each in voting.samples for way in each]
    return [
        {
            "name": name,
            "what": VOTES[name],
            "model": voting.engine.base_model,
            "adapter_hash": voting.engine.adapter_hash,
            "seed": 0,
            "n_steps": None,
            "marks": {"": "".join(map(mark_of, each, test))},
            "tokens_in": sum(way.tokens_in for way in ways) / n,
            "tokens_out": sum(way.tokens_out for way in ways) / n,
        }
        for name, each in found.items()
    ]


def mark_of(taught: Taught, question: Question) -> str:
    if not isinstance(taught, Target):
        return UNREAD
    return RIGHT if is_right(taught.answer, question.answer) else WRONG


# --- what came of it -------------------------------------------------------------------------------------


def marks_of(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    return next(str(row["marks"][""]) for row in rows if row["name"] == name)


def interval_of(marks: str) -> dict[str, float]:
    """The share of right answers with its 95 % interval over questions (Wilson)."""
    share = marks.count(RIGHT) / len(marks)
    low, high = wilson(share, len(marks))
    return {"value": share, "low": low, "high": high, "n": len(marks)}


def overlap(positive: str, negative: str) -> dict[str, int]:
    """How many questions both students solve, one of them alone, or neither."""
    solved = Counter((one == RIGHT, other == RIGHT) for one, other in zip(positive, negative, strict=True))
    return {
        "both": solved[True, True],
        "only_positive": solved[True, False],
        "only_negative": solved[False, True],
        "neither": solved[False, False],
    }


def ranker_told(test: Sequence[Question], voting: Voting) -> dict[str, float]:
    """What the ranker knows of the samples of the test questions; unread ones are not counted.

    `agrees` counts those on the right side of one half, of `n` in all, of which `samples_right` are right.
    A vote needs something else: of the `pairs` of a right and a wrong sample to one question, `ordered`
    counts those whose right one scores higher; equal scores count half.
    """
    told = [
        [
            (score, is_right(answer, question.answer))
            for answer, score in zip(answers, scores, strict=True)
            if not isinstance(answer, Unparsed)
        ]
        for question, answers, scores in zip(test, voting.answers, voting.scores, strict=True)
    ]
    all_told = [one for each in told for one in each]
    pairs = [two for each in told for two in pairs_of(each)]
    return {
        "agrees": sum((score > EVEN) is right for score, right in all_told),
        "samples_right": sum(right for _, right in all_told),
        "n": len(all_told),
        "ordered": sum((r > w) + (r == w) / 2 for r, w in pairs),
        "pairs": len(pairs),
    }


def pairs_of(scored: Sequence[tuple[float, bool]]) -> list[tuple[float, float]]:
    """The scores of every right sample of a question beside those of every wrong one."""
    right = [score for score, is_one in scored if is_one]
    wrong = [score for score, is_one in scored if not is_one]
    return list(product(right, wrong))
