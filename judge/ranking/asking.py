"""How a judge is asked about contests: pair by pair, or answer by answer where it grades single answers.

Both keep what was said as `Contests`. What is asked is cut into chunks of a few batches of the engine, so
that a run can stop between them; the cuts depend on the texts alone, not on the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from judge.evaluate import size_of
from judge.metrics.bootstrap import Floats
from judge.metrics.panel import SIDE_OF, UNREAD, Bools
from judge.ranking.answers import Answers
from judge.ranking.choice import FIRST, next_answers, next_contests
from judge.ranking.contests import NOT_ASKED, Bytes, Contests, matches
from judge.ranking.strengths import Fit
from judge.records import Identity, Message, Pair, Status, Unparsed, Verdict

CHUNK = 4
"""How many batches of the engine are asked at a time: each is then as full as it is for `judge run`."""

IsOver = Callable[[], bool]
"""Whether the time is over; asked before each chunk."""


class Judging(Protocol):
    """What a ranking needs of a judge; `judge.api.Judge` is one."""

    @property
    def identity(self) -> Identity: ...

    @property
    def grades_answers(self) -> bool: ...

    @property
    def batch_characters(self) -> int: ...

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]: ...

    def grades(
        self, conversations: Sequence[Sequence[Message]], references: Sequence[str | None] | None = None
    ) -> list[float | Unparsed]: ...


class Asker(Protocol):
    """What the judge was asked and what it said. `n_asked` and `n_all` count `noun`: pairs or answers."""

    noun: str
    n_all: int
    n_first: int

    @property
    def n_asked(self) -> int: ...

    @property
    def contests(self) -> Contests: ...

    def ask(self, n: int, fit: Fit | None, order: Sequence[int], is_over: IsOver) -> None:
        """Asks about the next `n` of them, or fewer where the time is over. Raises BackendError."""


def asker_of(judge: Judging, answers: Answers) -> Asker:
    """By answers where the judge grades them alone, else by pairs; a calibration and a band are of pairs."""
    return AnswerAsker(judge, answers) if judge.grades_answers else PairAsker(judge, answers)


class PairAsker:
    """Judges pairs, each in both orders."""

    noun = "pair"

    def __init__(self, judge: Judging, answers: Answers) -> None:
        n_models = len(answers.models)
        self._judge, self._answers = judge, answers
        self._first, self._second = matches(n_models)
        self.contests = Contests.none_of(n_models, answers.n_prompts)
        self.n_all = self.contests.side.size
        self.n_first = len(self._first) * -(-FIRST // (n_models - 1))

    @property
    def n_asked(self) -> int:
        return int(self.contests.is_asked.sum())

    def ask(self, n: int, fit: Fit | None, order: Sequence[int], is_over: IsOver) -> None:
        match, prompt = next_contests(self.contests, n, fit, order)
        made = [
            self._answers.pair(int(self._first[m]), int(self._second[m]), int(q))
            for m, q in zip(match, prompt, strict=True)
        ]
        sizes = [size_of(pair) for pair, _ in made]
        for start, end in chunks(sizes, CHUNK * self._judge.batch_characters):
            if is_over():
                return
            verdicts = self._judge.judge([pair for pair, _ in made[start:end]])
            sides = [SIDE_OF[verdict.outcome] for verdict in verdicts]
            turned = [
                side if is_in_order or side == UNREAD else -side
                for side, (_, is_in_order) in zip(sides, made[start:end], strict=True)
            ]
            flips = np.array([verdict.status is Status.INCONSISTENT for verdict in verdicts])
            self.contests = self.contests.judged(
                match[start:end], prompt[start:end], np.array(turned, np.int8), flips
            )


class AnswerAsker:
    """Grades answers, each once; every two graded answers to a prompt are a contest."""

    noun = "answer"

    def __init__(self, judge: Judging, answers: Answers) -> None:
        n_models = len(answers.models)
        self._judge, self._answers = judge, answers
        self._grades = np.full((n_models, answers.n_prompts), np.nan)
        self._is_graded = np.zeros(self._grades.shape, bool)
        self.n_all = self._grades.size
        self.n_first = FIRST * n_models

    @property
    def n_asked(self) -> int:
        return int(self._is_graded.sum())

    @property
    def contests(self) -> Contests:
        return contests_of_grades(self._grades, self._is_graded)

    def ask(self, n: int, fit: Fit | None, order: Sequence[int], is_over: IsOver) -> None:
        model, prompt = next_answers(self._is_graded, n, fit, order)
        asked = [self._answers.conversation(int(m), int(q)) for m, q in zip(model, prompt, strict=True)]
        references = [self._answers.references[int(q)] for q in prompt]
        sizes = [sum(len(turn.content) for turn in one) for one in asked]
        for start, end in chunks(sizes, CHUNK * self._judge.batch_characters):
            if is_over():
                return
            grades = self._judge.grades(asked[start:end], references[start:end])
            at = model[start:end], prompt[start:end]
            self._is_graded[at] = True
            self._grades[at] = [np.nan if isinstance(grade, Unparsed) else grade for grade in grades]


def contests_of_grades(grades: Floats, is_graded: Bools) -> Contests:
    """The contests of every two graded answers, equal grades a tie.

    Args:
        grades: shape (n_models, n_prompts), NaN where a grade could not be read.
        is_graded: whether it was asked for, the same shape.
    """
    first, second = matches(len(grades))
    difference = grades[first] - grades[second]
    side: Bytes = np.where(np.isnan(difference), UNREAD, np.sign(difference)).astype(np.int8)
    side[~(is_graded[first] & is_graded[second])] = NOT_ASKED
    return Contests(len(grades), side, np.zeros(side.shape, bool))


def chunks(sizes: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Where chunks start and end whose sizes add up to `most` or less, or that hold one item."""
    start, total = 0, 0
    for at, size in enumerate(sizes):
        if at > start and total + size > most:
            yield start, at
            start, total = at, 0
        total += size
    if sizes:
        yield start, len(sizes)
