"""Rephrase and respond (Deng et al., arXiv:2311.04205): say what is asked in other words, then judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from judge.backends import Backend
from judge.methods import DEFAULTS, MethodSettings
from judge.methods.asking import (
    SharedReplies,
    identity_of,
    letters_of,
    pair_values,
    question_values,
    reading_name,
    sampling_of,
    step_of,
    text_in,
)
from judge.methods.cot import ChainOfThought
from judge.methods.direct import choose_letters
from judge.progress import Progress, silent
from judge.prompts import fill
from judge.records import Identity, Order, Pair, Prompt, Reading, Span, Unparsed

MAX_NEW_TOKENS = 512
TEMPLATES = ("rar_rephrase", "rar_judge")


class RephraseAndRespond(ChainOfThought):
    """One step: rephrasing, comparison and verdict in one free reply."""

    name = "rar"
    template = "rar"


class TwoStepRephraseAndRespond:
    """Two steps: the question is rephrased once for all its pairs, then the verdict is chosen at once."""

    def __init__(self, backend: Backend, settings: MethodSettings = DEFAULTS) -> None:
        self.backend = backend
        self.ties = settings.ties
        self.sampling = sampling_of(settings, MAX_NEW_TOKENS)
        self._rephrased = SharedReplies(backend, settings, self.sampling)

    @property
    def identity(self) -> Identity:
        letters = "".join(letters_of(self.ties))
        return identity_of(self.backend, "rar-two-step", TEMPLATES, letters, self.sampling)

    @property
    def batch_characters(self) -> int:
        return self.backend.batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        self._rephrased.forget_refused()
        self._rephrased.ask([render_rephrase(pair) for pair in pairs], "rephrasing", progress)

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        asked = [render_rephrase(pair) for pair, _ in items]
        rephrased = self._rephrased.ask(asked)
        texts = [text_in(reply) for _, reply in rephrased]
        prompts = [
            render_judge(pair, order, text, self.ties)
            for (pair, order), text in zip(items, texts, strict=True)
            if isinstance(text, str)
        ]
        steps = [
            step_of("rephrase", prompt, reply, key)
            for prompt, (key, reply) in zip(asked, rephrased, strict=True)
        ]
        judged = iter(choose_letters(self.backend, prompts, self.ties))
        readings = [
            replace(text, reason=f"rephrase: {text.reason}") if isinstance(text, Unparsed) else next(judged)
            for text in texts
        ]
        return [replace(reading, steps=(step,)) for reading, step in zip(readings, steps, strict=True)]


def render_rephrase(pair: Pair) -> Prompt:
    """The prompt that asks for the question in other words; it shows no answer."""
    return fill("rar_rephrase", question_values(pair), f"the question of pair {pair.id}")


def render_judge(pair: Pair, order: Order, rephrased: str, ties: bool) -> Prompt:
    """The prompt that asks for a verdict at once, with the question in both wordings."""
    values = {"rephrased": Span(rephrased, "context"), "ties": ties}
    return fill("rar_judge", pair_values(pair, order) | values, reading_name(pair, order))
