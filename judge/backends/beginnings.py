"""Prompts that a model has read and may go on from: their keys and values, kept between two calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from judge.backends.packing import Packing

if TYPE_CHECKING:
    from torch import Tensor

    from judge.backends.gathered import Range

Layers = Sequence["tuple[Tensor, Tensor]"]
"""Of each layer keys and values, either of shape (key-value heads, tokens, head size)."""

FED = 8
"""How many tokens at most are fed behind a kept beginning: each is a step of its own, as in writing."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One packed pass. Another one of the same prompts is another batch."""

    layers: Layers


@dataclass(frozen=True, slots=True)
class Beginning:
    """A sequence that was read: the places of its tokens in the pass that read it."""

    batch: Batch
    path: tuple[Range, ...]

    @property
    def length(self) -> int:
        """How many tokens it has."""
        return sum(end - start for start, end in self.path)


class Beginnings:
    """All that is kept, up to so many tokens; what was read after that is read again."""

    def __init__(self, max_tokens: int) -> None:
        self._found: dict[tuple[int, ...], Beginning] = {}
        self._room = max_tokens

    def has_room(self, packing: Packing) -> bool:
        return len(packing.ids) <= self._room

    def keep(self, sequences: Sequence[Sequence[int]], packing: Packing, cache: Any) -> None:
        """Takes the sequences of a packed pass, with what `cache` has of it."""
        self._room -= len(packing.ids)
        batch = Batch(layers_of(cache))
        for ids, path in zip(sequences, packing.paths, strict=True):
            self._found[tuple(ids)] = Beginning(batch, path)

    def of(self, sequences: Iterable[tuple[int, ...]]) -> dict[tuple[int, ...], Beginning]:
        """The longest kept beginning of each sequence that has one and has little to add to it."""
        found = {ids: self._of_one(ids) for ids in sequences}
        return {ids: one for ids, one in found.items() if one is not None}

    def _of_one(self, ids: tuple[int, ...]) -> Beginning | None:
        ends = range(len(ids) - 1, max(0, len(ids) - 1 - FED), -1)
        return next((self._found[ids[:end]] for end in ends if ids[:end] in self._found), None)


def layers_of(cache: Any) -> Layers:
    """Keys and values of each layer of a cache of transformers with one row."""
    return [(layer.keys[0], layer.values[0]) for layer in cache.layers]
