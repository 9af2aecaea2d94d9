"""System 2 attention (Weston and Sukhbaatar, arXiv:2311.11829): rewrite without what should not matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from judge.backends import Backend, Completion
from judge.methods import DEFAULTS, MethodSettings
from judge.methods.asking import (
    WRITING,
    SharedReplies,
    identity_of,
    letters_of,
    question_values,
    sampling_of,
    step_of,
    text_in,
)
from judge.methods.direct import TEMPLATE, choose_letters, render_direct
from judge.progress import Progress, silent
from judge.prompts import fill
from judge.records import (
    Identity,
    Message,
    Order,
    Pair,
    Prompt,
    Reading,
    Span,
    Step,
    Unparsed,
    longest_cut,
)

MAX_NEW_TOKENS = 1024
TEMPLATES = ("s2a_question", "s2a_answer", TEMPLATE)
TWO_QUESTIONS = "the two conversations end with different questions, and one is rewritten for both"
ONE_TEXT = "both responses were rewritten to the same text"
NAMES = ("rewrite the request", "rewrite response a", "rewrite response b")


class SystemTwoAttention:
    """Question and responses are rewritten one by one, then the verdict on the rewritten pair is chosen.

    No rewriting sees the other response, so that one serves both orders and every pair it occurs in. A
    rewriting that is empty or was cut makes the reading unreadable: otherwise half a response would be
    judged. So do two that are equal: both orders would be one prompt.
    """

    def __init__(self, backend: Backend, settings: MethodSettings = DEFAULTS) -> None:
        self.backend = backend
        self.ties = settings.ties
        self.sampling = sampling_of(settings, MAX_NEW_TOKENS)
        self._rewritten = SharedReplies(backend, settings, self.sampling)

    @property
    def identity(self) -> Identity:
        letters = "".join(letters_of(self.ties))
        return identity_of(self.backend, "s2a", TEMPLATES, letters, self.sampling)

    @property
    def batch_characters(self) -> int:
        return WRITING * self.backend.batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        self._rewritten.forget_refused()
        prompts = [prompt for pair in pairs for prompt in render_rewriting(pair)]
        self._rewritten.ask(prompts, "rewriting", progress)

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        asked = [prompt for pair, _ in items for prompt in render_rewriting(pair)]
        answers = iter(zip(asked, self._rewritten.ask(asked), strict=True))
        steps: list[tuple[Step, ...]] = []
        rewritten: list[Pair | Unparsed] = []
        asked_for: list[list[Completion | Unparsed]] = []
        for pair, _ in items:
            parts = [next(answers) for _ in NAMES]
            asked_for.append([reply for _, (_, reply) in parts])
            rewritten.append(rewritten_pair(pair, asked_for[-1]))
            steps.append(
                tuple(
                    step_of(name, prompt, reply, key)
                    for name, (prompt, (key, reply)) in zip(NAMES, parts, strict=True)
                )
            )
        prompts = [
            render_direct(pair, order, self.ties)
            for pair, (_, order) in zip(rewritten, items, strict=True)
            if isinstance(pair, Pair)
        ]
        judged = iter(choose_letters(self.backend, prompts, self.ties))
        readings = [pair if isinstance(pair, Unparsed) else next(judged) for pair in rewritten]
        return [rested_on(*one) for one in zip(readings, steps, asked_for, strict=True)]


def rested_on(reading: Reading, steps: tuple[Step, ...], replies: Sequence[Completion | Unparsed]) -> Reading:
    """The reading with the steps before it; what was shortened for a rewriting is shortened for it, too."""
    all_asked = [reading, *replies]
    return replace(
        reading,
        steps=steps,
        is_trimmed=any(one.is_trimmed for one in all_asked),
        cut=longest_cut(one.cut for one in all_asked),
    )


def render_rewriting(pair: Pair) -> list[Prompt]:
    """The prompts that rewrite question, response a and response b."""
    return [
        render_question(pair),
        render_answer(pair, pair.response_a, f"response a of pair {pair.id}"),
        render_answer(pair, pair.response_b, f"response b of pair {pair.id}"),
    ]


def render_question(pair: Pair) -> Prompt:
    """The prompt that asks for the question without opinion, flattery and what is irrelevant."""
    return fill("s2a_question", question_values(pair), f"the question of pair {pair.id}")


def render_answer(pair: Pair, response: str, name: str) -> Prompt:
    """The prompt that asks for one response in the same way; it does not show the other."""
    return fill("s2a_answer", question_values(pair) | {"answer": Span(response, "first")}, name)


def rewritten_pair(pair: Pair, replies: Sequence[Completion | Unparsed]) -> Pair | Unparsed:
    """The pair with its last question and both responses as rewritten, or why it cannot be judged."""
    if len({last_question(context) for context in (pair.context_a, pair.context_b)}) > 1:
        return Unparsed(TWO_QUESTIONS, raw="")
    texts: list[str] = []
    for name, reply in zip(NAMES, replies, strict=True):
        text = text_in(reply)
        if isinstance(text, Unparsed):
            return Unparsed(f"{name}: {text.reason}", text.raw)
        texts.append(text)
    question, *responses = texts
    if responses[0] == responses[1]:
        return Unparsed(ONE_TEXT, responses[0])
    conversations = (pair.conversation_a, pair.conversation_b)
    a, b = (_with(*one, question) for one in zip(conversations, responses, strict=True))
    return replace(pair, conversation_a=a, conversation_b=b)


def last_question(context: Sequence[Message]) -> str | None:
    return next((one.content for one in reversed(context) if one.role == "user"), None)


def _with(messages: Sequence[Message], response: str, question: str) -> tuple[Message, ...]:
    """The conversation with another last user message and another response."""
    *context, last = messages
    asked = max((i for i, message in enumerate(context) if message.role == "user"), default=None)
    changed = [replace(m, content=question) if i == asked else m for i, m in enumerate(context)]
    return (*changed, replace(last, content=response))
