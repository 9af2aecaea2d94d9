"""Answers of several models to the same questions, made into pairs: every two models on each question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from judge.forms.conversation import Conversation
from judge.forms.form import Comparison, Side
from judge.io.rows import Wrong
from judge.io.wording import some_of

ALONE = "answer: no other model answered the question"
AGAIN = "answer: another one of the same model to the same question"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered after a conversation.

    `question` names what was asked where that is more than the conversation: in a second turn, which follows
    each model's own first answer, or where two prompts put one question.
    """

    before: Conversation
    text: str
    model: str
    question: str = ""
    category: str | None = None
    reference: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def asked(self) -> Hashable:
        """What two answers must share to be compared."""
        return self.question or (self.before.system, self.before.messages)


def compared(answers: Sequence[Answer], left_out: Counter[str]) -> list[Comparison]:
    """Every two models' answers to each question; adds to `left_out` the answers that are in no pair.

    Raises:
        Wrong: all answers are of one model.
    """
    models = list(dict.fromkeys(answer.model for answer in answers))
    if len(models) == 1:
        raise Wrong(
            f"these are answers of one model, {some_of(models)}. Pairs need two: give `judge import` the "
            "files of two models or more."
        )
    return [
        Comparison(
            Side(one.before.answered(one.text), one.model),
            Side(other.before.answered(other.text), other.model),
            category=one.category,
            reference=one.reference,
            metadata=one.metadata,
        )
        for group in groups_of(answers, left_out)
        for one, other in combinations(group, 2)
    ]


def groups_of(answers: Iterable[Answer], left_out: Counter[str]) -> Iterable[list[Answer]]:
    """The answers to each question, one a model, where there are two or more."""
    groups: dict[Hashable, dict[str, Answer]] = {}
    for answer in answers:
        group = groups.setdefault(answer.asked, {})
        if group.setdefault(answer.model, answer) is not answer:
            left_out[AGAIN] += 1
    for group in groups.values():
        if len(group) > 1:
            yield list(group.values())
        else:
            left_out[ALONE] += 1
