"""The one seam to the outside world: what a backend must do, and which ones there are."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from judge.errors import InputError
from judge.records import Engine, Prompt, Unparsed

BACKENDS = {
    "embedded": "judge.backends.embedded:EmbeddedBackend",
    "scripted": "judge.backends.scripted:ScriptedBackend",
}


@dataclass(frozen=True, slots=True)
class Sampling:
    """How free text is decoded. `temperature` 0 is greedy, and then `seed` changes nothing."""

    max_new_tokens: int = 512
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply as text, without the words put into the judge's mouth.

    `is_ended` is False where the reply was cut at `max_new_tokens`.
    """

    text: str
    tokens_in: int
    tokens_out: int
    is_ended: bool
    is_trimmed: bool = False


@dataclass(frozen=True, slots=True)
class ChoiceProbabilities:
    """Probabilities of the allowed choices, in the order they were given; they sum to 1.

    `tokens_in` counts the prompt before the reply, `tokens_out` the whole reply: the words before the choice,
    the choice, the words after it and the end of the turn.
    """

    probabilities: tuple[float, ...]
    tokens_in: int
    tokens_out: int
    is_trimmed: bool = False


class Backend(Protocol):
    """Turns prompts into replies. Lists in, lists of equal length and order out.

    Both methods raise BackendError, and never return a failure as text.
    """

    @property
    def engine(self) -> Engine:
        """Which weights answer and how they run; known without loading them."""

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """One free reply a prompt, which goes on from `Prompt.reply_start`."""

    def choose(
        self, prompts: Sequence[Prompt], choices: Sequence[str]
    ) -> list[ChoiceProbabilities | Unparsed]:
        """Probabilities of `choices` as the words that follow `Prompt.reply_start`.

        Unparsed only where an engine cannot be held to the choices and replied with something else.
        """


def load_backend(spec: str, **settings: Any) -> Backend:
    """The backend that `spec` names: "embedded", or with an argument after a colon, "scripted:longer".

    Raises:
        InputError: there is no backend of that name, or it does not take that argument.
    """
    name, _, argument = spec.partition(":")
    if name not in BACKENDS:
        raise InputError(f"--backend {spec}: no such backend. There are: {', '.join(BACKENDS)}.")
    module, _, class_name = BACKENDS[name].partition(":")
    backend_class = getattr(importlib.import_module(module), class_name)
    return cast("Backend", backend_class.from_settings(argument, **settings))
