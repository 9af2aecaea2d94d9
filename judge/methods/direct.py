"""System 1: the verdict at once, as one choice between the allowed letters."""

from __future__ import annotations

from collections.abc import Sequence

from judge.backends import Backend, ChoiceProbabilities
from judge.methods import DEFAULTS, MethodSettings
from judge.methods.asking import identity_of, letters_of, pair_values, reading_name
from judge.progress import Progress, silent
from judge.prompts import fill
from judge.records import Identity, Judgment, Order, Pair, Prompt, Reading, Unparsed

TEMPLATE = "direct"


class Direct:
    """The four-token judge: `[[`, a letter, `]]`, end of turn. Only the letter is undecided.

    Distilled, this is the System 1 of Yu et al. (arXiv:2407.06023).
    """

    def __init__(self, backend: Backend, settings: MethodSettings = DEFAULTS) -> None:
        self.backend = backend
        self.ties = settings.ties

    @property
    def identity(self) -> Identity:
        return identity_of(self.backend, "direct", [TEMPLATE], "".join(letters_of(self.ties)), None)

    @property
    def batch_characters(self) -> int:
        return self.backend.batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """Does nothing: no two pairs share a reply."""

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        prompts = [render_direct(pair, order, self.ties) for pair, order in items]
        return choose_letters(self.backend, prompts, self.ties)


def render_direct(pair: Pair, order: Order, ties: bool) -> Prompt:
    """The prompt that asks for a verdict at once; what both responses share is shown once, before them."""
    return fill(TEMPLATE, pair_values(pair, order) | {"ties": ties}, reading_name(pair, order))


def choose_letters(backend: Backend, prompts: Sequence[Prompt], ties: bool) -> list[Reading]:
    """One reading a prompt, from the probabilities of the allowed letters."""
    chosen = backend.choose(prompts, tuple(letters_of(ties)))
    return [reading_of(prompt, one, ties) for prompt, one in zip(prompts, chosen, strict=True)]


def reading_of(prompt: Prompt, chosen: ChoiceProbabilities | Unparsed, ties: bool) -> Reading:
    """The reading that the probabilities of the allowed letters are."""
    if isinstance(chosen, Unparsed):
        return chosen
    letters = letters_of(ties)
    probabilities = dict(zip(letters.values(), chosen.probabilities, strict=True))
    # The first of equal letters: with equal probabilities the mean of both orders is one half anyway.
    letter = max(letters, key=lambda each: probabilities[letters[each]])
    return Judgment(
        choice=letters[letter],
        probabilities=probabilities,
        raw=chosen.raw or f"{prompt.reply_start}{letter}{prompt.reply_end}",
        tokens_in=chosen.tokens_in,
        tokens_out=chosen.tokens_out,
        is_trimmed=chosen.is_trimmed,
        cut=chosen.cut,
    )
