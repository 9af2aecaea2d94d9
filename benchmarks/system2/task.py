"""What a task is: questions with known answers, ways to ask them, and how an answer is read from a reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import TypeVar

from judge.records import Message, Unparsed

T = TypeVar("T")

Answer = str | Unparsed
"""What a reply answers, or why that cannot be read."""

ANSWER_ONLY = "Reply with the answer only, without any other word."
END_WITH = "Only after that, as the last line, write: The answer is ..."
LAYERS = 0.5
"""The upper share of a student's layers that learn, where a task does not say otherwise."""

WORK_OUT = f"Write down how you work out the answer, one line for each piece. {END_WITH}"


class Split(StrEnum):
    """What questions are for: to learn from, to look at how the learning goes, and to measure."""

    TRAIN = "train"
    HELD_OUT = "held-out"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Question:
    """Something to ask. `answer` is the right one and measures only: no student and no filter sees it.

    `kind` names the part of a split that a question belongs to, "" where the task has no parts. `subject` is
    what the question is about, the same for all questions that share it; no subject is in two splits.
    """

    text: str
    answer: str
    kind: str = ""
    subject: tuple[str, ...] = ()


Asked = str | tuple[Message, ...]
"""What a model is asked: one user message, or a conversation that ends in one."""

Step = Callable[[str, Sequence[str]], Asked]
"""(the question's text, the replies to the steps before) -> what is asked next."""


@dataclass(frozen=True, slots=True)
class Procedure:
    """A way to answer: its steps one after the other; the answer is in the last reply.

    `max_new_tokens` holds for each step; `usual_tokens` is what a step writes in the mean, a rough figure for
    the estimate of hours.
    """

    what: str
    steps: tuple[Step, ...]
    max_new_tokens: int
    usual_tokens: int


@dataclass(frozen=True, slots=True)
class Task:
    """One table of the paper.

    Args:
        what: one line on its questions. source: whose data they are.
        questions: so many of a split, from the folder of local copies where they are somebody's data.
        system_1: the answer at once; students are asked in the same way.
        system_2: every variant by name. teacher: the one whose answers are distilled.
        answer_in: reads a reply.
        filter: how samples become a target, one of `filters.FILTERS`. n_samples: how many there are.
        epochs: how often a student sees each row.
        sizes: how many questions each split has where there is time.
        layers: the upper share of a student's layers that learn; those below cost next to nothing.
    """

    name: str
    what: str
    source: str
    questions: Callable[[Split, int, Path | None], list[Question]]
    system_1: Procedure
    system_2: Mapping[str, Procedure]
    teacher: str
    answer_in: Callable[[str], Answer]
    filter: str
    n_samples: int
    epochs: int
    sizes: Mapping[Split, int]
    layers: float = LAYERS


def at_once(question: str, before: Sequence[str]) -> str:
    """System 1: the question, and no room for thoughts."""
    return f"{question}\n\n{ANSWER_ONLY}"


def rephrase_and_respond(question: str, before: Sequence[str]) -> str:
    """RaR in one step (Deng et al., arXiv:2311.04205): say the question in other words, then answer it."""
    what = "First say in your own words, and in more detail, what is asked. Then answer it."
    return f"{question}\n\n{what} {WORK_OUT}"


def rephrase(question: str, before: Sequence[str]) -> str:
    """The first of two steps of RaR: the question in other words."""
    what = "Say in your own words, and in more detail, what is asked, and what must be found out for it."
    return f"Here is a question:\n\n{question}\n\n{what} Keep all names, words and facts. Do not answer it."


def respond(question: str, before: Sequence[str]) -> str:
    """The second of two steps of RaR: an answer to the question and its rephrasing."""
    return f"{question}\n\nThe same in other words:\n\n{before[-1]}\n\n{WORK_OUT}"


def rephrasing(usual_tokens: int) -> dict[str, Procedure]:
    """RaR in one step and in two, if a step writes so many tokens in the mean."""
    return {
        "rar-1": Procedure("RaR, one step", (rephrase_and_respond,), 256, 2 * usual_tokens),
        "rar-2": Procedure("RaR, two steps", (rephrase, respond), 256, usual_tokens),
    }


def shuffled(items: Sequence[T], *seed: object) -> list[T]:
    """The items in an order that follows from the seed alone."""
    mixed = list(items)
    Random(repr(seed)).shuffle(mixed)
    return mixed


def shared_out(items: Sequence[T], name: str, shares: Mapping[Split, int]) -> dict[Split, list[T]]:
    """The items in splits, so many hundredths each, no item in two; drawn by the name alone."""
    mixed, start, total = shuffled(items, name), 0, 0
    found: dict[Split, list[T]] = {}
    for split, share in shares.items():
        total += share
        end = len(mixed) * total // 100
        found[split], start = mixed[start:end], end
    return found
