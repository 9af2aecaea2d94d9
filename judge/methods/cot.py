"""Chain of thought: explain first, then the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from judge.backends import Backend
from judge.methods import DEFAULTS, MethodSettings
from judge.methods.asking import (
    WRITING,
    identity_of,
    letters_of,
    pair_values,
    reading_name,
    sampling_of,
    verdict_in,
)
from judge.progress import Progress, silent
from judge.prompts import fill
from judge.records import Identity, Order, Pair, Prompt, Reading

MAX_NEW_TOKENS = 512


class ChainOfThought:
    """The judge explains in free text and ends with `[[letter]]`; the last verdict in the text counts.

    As the pairwise prompt of Zheng et al. (arXiv:2306.05685) asks, and Wei et al. (arXiv:2201.11903) before.
    """

    name = "cot"
    template = "cot"

    def __init__(self, backend: Backend, settings: MethodSettings = DEFAULTS) -> None:
        self.backend = backend
        self.ties = settings.ties
        self.sampling = sampling_of(settings, MAX_NEW_TOKENS)

    @property
    def identity(self) -> Identity:
        letters = "".join(letters_of(self.ties))
        return identity_of(self.backend, self.name, [self.template], letters, self.sampling)

    @property
    def batch_characters(self) -> int:
        return WRITING * self.backend.batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """Does nothing: no two pairs share a reply."""

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        prompts = [self.render(pair, order) for pair, order in items]
        replies = self.backend.complete(prompts, self.sampling)
        return [verdict_in(*one, self.ties) for one in zip(prompts, replies, strict=True)]

    def render(self, pair: Pair, order: Order) -> Prompt:
        """The prompt that asks for an explanation and a verdict after it."""
        return fill(self.template, pair_values(pair, order) | {"ties": self.ties}, reading_name(pair, order))
