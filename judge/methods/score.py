"""System 1, one answer at a time: each answer gets a grade by itself, and the pair goes by the difference.

No answer is ever shown beside another one, so there is no place to prefer: both orders say the same by
construction, and n answers to a request cost n readings. The grade is the mean of 1 to 9 under their
probabilities at the grade's place, as in G-Eval (Liu et al., arXiv:2303.16634).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from judge.backends import Backend, ChoiceProbabilities, Completion
from judge.methods import DEFAULTS, MethodSettings
from judge.methods.asking import KeptReplies, answer_values, identity_of, reading_name
from judge.orders import logistic, shown_in
from judge.progress import Progress, silent
from judge.prompts import fill, fingerprint_of
from judge.records import (
    GRADED_ALONE,
    SHARED_LENGTH,
    Choice,
    Cut,
    Identity,
    Judgment,
    Message,
    Order,
    Pair,
    Prompt,
    Reading,
    Step,
    Unparsed,
    longest_cut,
    sha256_of_json,
)

TEMPLATE = "score"
GRADES = ("1", "2", "3", "4", "5", "6", "7", "8", "9")

Answer = tuple[tuple[Message, ...], str | None, str | None]
"""A conversation that ends in the answer, the instructions to the assistant, a reference answer."""


@dataclass(frozen=True, slots=True)
class Grade:
    """The mean grade of an answer, 1 to 9, and the step that gave it, which all its readings share."""

    mean: float
    step: Step
    is_trimmed: bool
    cut: Cut | None


class Score:
    """The judge of single answers: `[[`, a grade, `]]`, end of turn. Only the grade is undecided.

    The probability that the first answer is better is the logistic function of the difference of the mean
    grades, which is how a student of this method is trained (Bradley and Terry, 1952).
    """

    def __init__(self, backend: Backend, settings: MethodSettings = DEFAULTS) -> None:
        self.backend = backend
        self._kept = KeptReplies(settings.store, backend)

    @property
    def identity(self) -> Identity:
        return identity_of(self.backend, "score", [TEMPLATE], "".join(GRADES), None)

    @property
    def batch_characters(self) -> int:
        return self.backend.batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """Grades every different answer of the pairs once, the longest first."""
        self._kept.forget_refused()
        named = {
            answer: reading_name(pair, Order.AB) for pair in pairs for answer in answers_of(pair, Order.AB)
        }
        self.graded(named, progress)

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        """One reading per item, of the grades of its two answers; what was not prepared is asked for."""
        both = [answers_of(pair, order) for pair, order in items]
        named = {one: reading_name(*item) for item, two in zip(items, both, strict=True) for one in two}
        grades = self.graded(named)
        return [compared(*(grades[one] for one in two)) for two in both]

    def graded(
        self, named: Mapping[Answer, str], progress: Progress = silent
    ) -> dict[Answer, Grade | Unparsed]:
        """The grade of each answer; `named` has what error messages call the reading that asks for it."""
        engine = asdict(self.backend.engine)
        prompts = fingerprint_of(TEMPLATE)
        keys = {one: sha256_of_json([engine, prompts, *answer_to_json(one)]) for one in named}
        by_key = {key: one for one, key in keys.items()}

        def ask(some: list[Answer]) -> list[Completion | Unparsed]:
            chosen = self.backend.choose([render_score_of(one, named[one]) for one in some], GRADES)
            return [as_reply(one) for one in chosen]

        replies = self._kept.ask(by_key, self._batches, ask, "grading", progress, " answers")
        return {one: grade_in(replies[key], key) for one, key in keys.items()}

    def _batches(self, todo: dict[str, Answer]) -> Iterator[list[str]]:
        """The keys in batches that are worth reading at once; their order depends on the answers alone."""
        batch: list[str] = []
        room = 0
        sizes = {key: size_of(answer) for key, answer in todo.items()}
        for key in sorted(todo, key=lambda one: (-sizes[one], sha256_of_json(answer_to_json(todo[one])))):
            if batch and sizes[key] > room:
                yield batch
                batch = []
            room = (room if batch else self.batch_characters) - sizes[key]
            batch.append(key)
        if batch:
            yield batch


def answer_to_json(answer: Answer) -> list[Any]:
    """The answer and all that is shown with it, as plain JSON values."""
    conversation, system, reference = answer
    return [[[message.role, message.content] for message in conversation], system, reference]


def size_of(answer: Answer) -> int:
    """How many characters are read to grade it, at least 1."""
    conversation, system, reference = answer
    return max(1, sum(len(m.content) for m in conversation) + len(system or "") + len(reference or ""))


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


def as_reply(chosen: ChoiceProbabilities | Unparsed) -> Completion | Unparsed:
    """The probabilities of the grades as a reply that a store can keep, every float bit for bit."""
    if isinstance(chosen, Unparsed):
        return chosen
    text = json.dumps(list(chosen.probabilities))
    return Completion(text, chosen.tokens_in, chosen.tokens_out, True, chosen.is_trimmed, chosen.cut)


def mean_grade(probabilities: Sequence[float]) -> float:
    """The mean of 1 to 9 under their probabilities; rounding keeps it within them."""
    return min(9.0, max(1.0, sum(number * p for number, p in enumerate(probabilities, start=1))))


def grade_in(reply: Completion | Unparsed, key: str) -> Grade | Unparsed:
    """The grade that a kept reply says; `key` names it in steps."""
    if isinstance(reply, Unparsed):
        return reply
    probabilities = json.loads(reply.text)
    mean = mean_grade(probabilities)
    said = " ".join(f"{number} {p:.3f}" for number, p in zip(GRADES, probabilities, strict=True))
    raw = f"mean grade {mean:.2f} of {said}"
    step = Step("", raw, reply.tokens_in, reply.tokens_out, shared=key[:SHARED_LENGTH])
    return Grade(mean, step, reply.is_trimmed, reply.cut)


def compared(first: Grade | Unparsed, second: Grade | Unparsed) -> Reading:
    """The reading that two grades make, equal ones a tie; unreadable where one of them is."""
    if isinstance(first, Unparsed):
        return first
    if isinstance(second, Unparsed):
        return second
    p_first = logistic(first.mean - second.mean)
    choice = (
        Choice.TIE if p_first == 1 - p_first else Choice.FIRST if p_first > 1 - p_first else Choice.SECOND
    )
    return Judgment(
        choice,
        {Choice.FIRST: p_first, Choice.SECOND: 1.0 - p_first},
        f"{first.mean:.2f} : {second.mean:.2f}",
        tokens_in=0,
        tokens_out=0,
        is_trimmed=first.is_trimmed or second.is_trimmed,
        steps=tuple(
            replace(one.step, name=name) for one, name in zip((first, second), GRADED_ALONE, strict=True)
        ),
        cut=longest_cut([first.cut, second.cut]),
    )
