"""Whether an adapter answers in a judge as its student did: what the student said, and what is said again."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from distill.examples import TokenRow
from distill.student import Batch
from judge.backends import ChoiceProbabilities, Settings
from judge.backends.embedded import EmbeddedBackend
from judge.errors import ModelError
from judge.records import Prompt

MAX_LOADED_DIFFERENCE = 0.01
"""How far the loaded adapter's probabilities may be from the student's, the mean over the rows compared."""

N_COMPARED = 16
"""The loaded adapter is asked this many rows again."""

B = TypeVar("B", bound=Batch[TokenRow])


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(ABC):
    """What a student said of some rows; `settings` load its base model."""

    settings: Settings

    @abstractmethod
    def differences(self, backend: EmbeddedBackend) -> list[float]:
        """How far the probabilities that an engine gives are from the student's, by row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidVerdicts(Said):
    """The probability of each letter that a verdict may have, by prompt."""

    choices: Sequence[str]
    prompts: Sequence[Prompt]
    probabilities: Sequence[tuple[float, ...]]

    def differences(self, backend: EmbeddedBackend) -> list[float]:
        """Of the first letter."""
        chosen = backend.choose(self.prompts, tuple(self.choices))
        return [
            abs(one.probabilities[0] - own[0])
            for one, own in zip(chosen, self.probabilities, strict=True)
            if isinstance(one, ChoiceProbabilities)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidReplies(Said):
    """The log-probability of each prompt's reply, without the end of the turn, in nats."""

    asked: Sequence[tuple[Prompt, str]]
    likelihoods: Sequence[float]

    def differences(self, backend: EmbeddedBackend) -> list[float]:
        """Of a token, the geometric mean over the reply."""
        longest = max(len(reply.encode()) for _, reply in self.asked)  # no token is less than a byte
        found = backend.log_likelihoods(self.asked, longest)
        return [
            abs(math.exp(total / n_tokens) - math.exp(own / n_tokens))
            for (total, n_tokens), own in zip(found, self.likelihoods, strict=True)
            if total is not None
        ]


def compared(batches: Sequence[B]) -> list[B]:
    """The batches with the shortest rows, which come last, until they have rows enough to compare."""
    some: list[B] = []
    for batch in reversed(batches):
        some.append(batch)
        if sum(len(one.rows) for one in some) >= N_COMPARED:
            break
    return some


def difference_of(said: Said, adapter: Path) -> float:
    """How far an engine that loads the adapter is from the student, the mean over the rows compared.

    Raises:
        ModelError: too far.
    """
    differences = said.differences(EmbeddedBackend(replace(said.settings, adapter=str(adapter))))
    mean = sum(differences) / len(differences) if differences else math.nan
    if not mean <= MAX_LOADED_DIFFERENCE:
        raise ModelError(
            f"{adapter}: the adapter that was written does not answer as the student did (P differs by "
            f"{mean:.3f} in the mean of {len(differences)} readings; {MAX_LOADED_DIFFERENCE} is allowed)."
        )
    return mean
