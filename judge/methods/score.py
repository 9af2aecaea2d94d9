"""System 1, one answer at a time: each answer gets a grade by itself, and the pair goes by the difference.

No answer is ever shown beside another one, so there is no place to prefer: both orders say the same by
construction, and n answers to a request cost n readings. The grade is the mean of 1 to 9 under their
probabilities at the grade's place, as in G-Eval (Liu et al., arXiv:2303.16634).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from judge.backends import Backend, ChoiceProbabilities
from judge.methods import DEFAULTS, MethodSettings
from judge.methods.asking import answer_values, identity_of, reading_name
from judge.orders import shown_in
from judge.progress import Progress, silent
from judge.prompts import fill
from judge.records import Choice, Identity, Judgment, Message, Order, Pair, Prompt, Reading, Unparsed

TEMPLATE = "score"
GRADES = ("1", "2", "3", "4", "5", "6", "7", "8", "9")

Answer = tuple[tuple[Message, ...], str | None, str | None]
"""A conversation that ends in the answer, the instructions to the assistant, a reference answer."""


@dataclass(frozen=True, slots=True)
class Grade:
    """The mean grade of an answer, 1 to 9, and what reading it took."""

    mean: float
    tokens_in: int
    tokens_out: int
    is_trimmed: bool


class Score:
    """The judge of single answers: `[[`, a grade, `]]`, end of turn. Only the grade is undecided.

    The probability that the first answer is better is the logistic function of the difference of the mean
    grades, which is how a student of this method is trained (Bradley and Terry, 1952).
    """

    def __init__(self, backend: Backend, settings: MethodSettings = DEFAULTS) -> None:
        self.backend = backend

    @property
    def identity(self) -> Identity:
        return identity_of(self.backend, "score", [TEMPLATE], "".join(GRADES), None)

    @property
    def batch_characters(self) -> int:
        return self.backend.batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """Does nothing: an answer that several pairs share is read once a batch."""

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        """One reading per item; each different answer of all items is read once."""
        both = [answers_of(pair, order) for pair, order in items]
        named = {one: reading_name(*item) for item, two in zip(items, both, strict=True) for one in two}
        prompts = [render_score_of(answer, name) for answer, name in named.items()]
        chosen = self.backend.choose(prompts, GRADES)
        grades = dict(zip(named, map(grade_in, chosen), strict=True))
        return [compared(grades[first], grades[second]) for first, second in both]


def answers_of(pair: Pair, order: Order) -> tuple[Answer, Answer]:
    """The first and the second answer, each with all that is shown with it."""
    first, second = shown_in(pair, order)
    return (first, pair.system, pair.reference), (second, pair.system, pair.reference)


def render_score(pair: Pair, order: Order, number: int) -> Prompt:
    """The prompt that asks for the grade of the first (0) or the second (1) answer in that order."""
    return render_score_of(answers_of(pair, order)[number], reading_name(pair, order))


def render_score_of(answer: Answer, name: str) -> Prompt:
    """The prompt that asks for an answer's grade."""
    return fill(TEMPLATE, answer_values(*answer), name)


def grade_in(chosen: ChoiceProbabilities | Unparsed) -> Grade | Unparsed:
    """The mean grade under the probabilities of 1 to 9; rounding keeps it within them."""
    if isinstance(chosen, Unparsed):
        return chosen
    mean = sum(number * p for number, p in enumerate(chosen.probabilities, start=1))
    return Grade(min(9.0, max(1.0, mean)), chosen.tokens_in, chosen.tokens_out, chosen.is_trimmed)


def compared(first: Grade | Unparsed, second: Grade | Unparsed) -> Reading:
    """The reading that two grades make; what they cost together, equal ones a tie."""
    tokens = first.tokens_in + second.tokens_in, first.tokens_out + second.tokens_out
    is_trimmed = first.is_trimmed or second.is_trimmed
    for one in (first, second):
        if isinstance(one, Unparsed):
            return Unparsed(one.reason, one.raw, *tokens, is_trimmed)
    assert isinstance(first, Grade) and isinstance(second, Grade)
    p_first = better_by(first.mean - second.mean)
    choice = (
        Choice.TIE if first.mean == second.mean
        else Choice.FIRST if first.mean > second.mean
        else Choice.SECOND
    )
    probabilities = {Choice.FIRST: p_first, Choice.SECOND: 1.0 - p_first}
    return Judgment(choice, probabilities, f"{first.mean:.2f} : {second.mean:.2f}", *tokens, is_trimmed)


def better_by(difference: float) -> float:
    """The probability that an answer is better whose grade is greater by this much."""
    return 1.0 / (1.0 + math.exp(-difference))
