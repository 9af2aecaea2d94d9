"""System 1: the verdict at once, as one choice between the allowed letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from judge.backends import Backend, ChoiceProbabilities
from judge.orders import shown
from judge.prompts import fill, fingerprint_of
from judge.records import Choice, Identity, Judgment, Message, Order, Pair, Prompt, Reading, Span, Unparsed

TEMPLATE = "direct"
LETTERS = {"A": Choice.FIRST, "B": Choice.SECOND}
LETTERS_WITH_TIE = {**LETTERS, "C": Choice.TIE}


class Direct:
    """The four-token judge: `[[`, a letter, `]]`, end of turn. Only the letter is undecided.

    Distilled, this is the System 1 of Yu et al. (arXiv:2407.06023).
    """

    def __init__(self, backend: Backend, ties: bool = False) -> None:
        self.backend = backend
        self.ties = ties
        self.letters = LETTERS_WITH_TIE if ties else LETTERS

    @property
    def identity(self) -> Identity:
        return Identity(
            **asdict(self.backend.engine),
            method="direct",
            prompts=fingerprint_of(TEMPLATE),
            letters="".join(self.letters),
            decoding="choice",
            sample=0,
        )

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        prompts = [render_direct(pair, order, self.ties) for pair, order in items]
        chosen = self.backend.choose(prompts, tuple(self.letters))
        return [self._reading(prompt, one) for prompt, one in zip(prompts, chosen, strict=True)]

    def _reading(self, prompt: Prompt, chosen: ChoiceProbabilities | Unparsed) -> Reading:
        if isinstance(chosen, Unparsed):
            return chosen
        probabilities = dict(zip(self.letters.values(), chosen.probabilities, strict=True))
        # The first of equal letters: with equal probabilities the mean of both orders is one half anyway.
        letter = max(self.letters, key=lambda each: probabilities[self.letters[each]])
        return Judgment(
            choice=self.letters[letter],
            probabilities=probabilities,
            raw=f"{prompt.reply_start}{letter}{prompt.reply_end}",
            tokens_in=chosen.tokens_in,
            tokens_out=chosen.tokens_out,
            is_trimmed=chosen.is_trimmed,
        )


def render_direct(pair: Pair, order: Order, ties: bool) -> Prompt:
    """The prompt that asks for a verdict at once; what both responses share is shown once, before them."""
    first, second = shown(pair, order)
    is_shared = first[:-1] == second[:-1]
    values = {
        "system": _context(pair.system),
        "reference": _context(pair.reference),
        "context": _messages(first[:-1]) if is_shared else None,
        "first_context": None if is_shared else _messages(first[:-1]),
        "second_context": None if is_shared else _messages(second[:-1]),
        "first": Span(first[-1].content, "first"),
        "second": Span(second[-1].content, "second"),
        "ties": ties,
    }
    return fill(TEMPLATE, values, prompt_name=f"pair {pair.id} in order {order}")


def _context(text: str | None) -> Span | None:
    return None if text is None else Span(text, "context")


def _messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [{"role": m.role, "content": Span(m.content, "context")} for m in messages]
