"""Procedures followed: each question through all steps, so many times, with what was written on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.system2.task import Procedure, Question
from distill.replies import GREEDY, Ask, Replies

TEMPERATURE = 0.7
"""At which samples are drawn; figures of the test questions are greedy."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What one way through a procedure wrote. `reply` is the last step's; tokens are those of all steps."""

    reply: str
    tokens_in: int
    tokens_out: int


def followed(
    procedure: Procedure, questions: Sequence[Question], replies: Replies, stage: str = ""
) -> list[Followed]:
    """Each question answered once, greedily."""
    return [one for [one] in _followed(procedure, questions, 1, GREEDY, replies, stage)]


def sampled(
    procedure: Procedure, questions: Sequence[Question], n: int, replies: Replies, stage: str = ""
) -> list[list[Followed]]:
    """Each question answered `n` times at `TEMPERATURE`; each sample goes its own way through the steps."""
    return _followed(procedure, questions, n, TEMPERATURE, replies, stage)


def _followed(
    procedure: Procedure,
    questions: Sequence[Question],
    n: int,
    temperature: float,
    replies: Replies,
    stage: str,
) -> list[list[Followed]]:
    ways = [(question.text, number) for question in questions for number in range(n)]
    before: list[list[str]] = [[] for _ in ways]
    tokens_in, tokens_out = [0] * len(ways), [0] * len(ways)
    for place, step in enumerate(procedure.steps, start=1):
        asks = [Ask(step(text, said), number) for (text, number), said in zip(ways, before, strict=True)]
        told = f"{stage}, step {place}" if len(procedure.steps) > 1 else stage
        for way, reply in enumerate(replies.to(asks, procedure.max_new_tokens, temperature, told)):
            before[way].append(reply.text)
            tokens_in[way] += reply.tokens_in
            tokens_out[way] += reply.tokens_out
    done = [Followed(said[-1], *two) for said, *two in zip(before, tokens_in, tokens_out, strict=True)]
    return [done[start : start + n] for start in range(0, len(done), n)]
