"""Any server that speaks OpenAI's protocol: a vLLM server gets token ids, every other one chat text."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from judge.backends import DEFAULTS, ChoiceProbabilities, Completion, Sampling, Settings
from judge.backends.chat_way import ChatWay
from judge.backends.endpoint import (
    OPENAI,
    PATIENCE,
    Job,
    Patience,
    Served,
    Server,
    Session,
    listed,
    models_of,
)
from judge.backends.fleet import server_of
from judge.backends.kept import KeptAnswers
from judge.backends.tokens_way import TokensWay
from judge.errors import BackendError
from judge.io.files import at_home
from judge.models.adapters import MANIFEST, check_one_lora, read_adapter
from judge.models.sizes import last_part
from judge.records import Engine, Prompt, Unparsed

BATCH_CHARACTERS = 200_000  # of pairs, for one address


class ServerBackend:
    """A model behind one or more addresses such as http://127.0.0.1:8000/v1, asked in one of two ways.

    "server-tokens", for a vLLM server: prompts are encoded here and sent as token ids, so that no text of a
    pair can be markup, and the log-probabilities are those of exactly the choices. Which weights answer is
    taken on trust: if the server has the same name for its model, the engine says that it is
    `settings.base_model`. Its tokenizer has to be the same.

    "server-chat", for all others: plain text, in which markup is neutralised and the form of the reply is
    asked for in words. The choice is found in the reply and its probabilities among the 20 most probable
    tokens there; a server that gives none is asked five times, and the shares of the replies are taken. What
    a model thinks before it replies is never read, and it gets room for that. A parameter that the server
    refuses is left out or replaced, and the engine says so, see `judge.backends.habits`.

    The server says at first use which way it takes. Its address is no part of the engine: the same model
    behind another one is the same judge. What its listing says of the weights, beside the model's name, is a
    part of it. The key is read from OPENAI_API_KEY and goes to the server alone.

    Several addresses, with commas between them or in a file, are one server: `judge.backends.fleet`.
    """

    answers_alone = True
    """Each prompt is a request of its own."""

    def __init__(self, url: str, settings: Settings = DEFAULTS, patience: Patience = PATIENCE) -> None:
        self._settings = settings
        self._server = server_of(url, settings, patience, OPENAI)
        self.batch_characters = BATCH_CHARACTERS * self._server.n_addresses
        self._lock = threading.RLock()  # one call at a time, so that the limits hold for all threads together
        self._chosen_way: Way | None = None

    @classmethod
    def from_settings(cls, argument: str, settings: Settings) -> ServerBackend:
        return cls(argument, settings)

    @property
    def engine(self) -> Engine:
        """Who answers and in which way; asks the server once which models it has."""
        return self._way().engine

    @property
    def tokens_computed(self) -> int:
        return self._server.tokens_computed

    @property
    def systems(self) -> tuple[str, ...]:
        """What the server called the systems that answered so far (`system_fingerprint` and the like)."""
        return self._server.systems

    def news(self) -> tuple[str, ...]:
        """What happened to addresses since this was asked last, a line each."""
        return self._server.news()

    def keeping(self) -> AbstractContextManager[KeptAnswers]:
        """Inside, answers are kept, so that they can be read again where a call fails."""
        return self._server.keeping()

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion | Unparsed]:
        with self._lock:
            return self._way().complete(prompts, sampling)

    def choose(
        self, prompts: Sequence[Prompt], choices: Sequence[str]
    ) -> list[ChoiceProbabilities | Unparsed]:
        """One request for all prompts that are equal; five where the server gives no log-probabilities."""
        with self._lock:
            return self._way().choose(prompts, tuple(choices))

    def _way(self) -> Way:
        with self._lock:
            if self._chosen_way is None:
                self._chosen_way = _way_of(self._server, self._settings)
            return self._chosen_way


class Way(Protocol):
    """How prompts become requests, and answers become replies."""

    @property
    def engine(self) -> Engine: ...

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion | Unparsed]: ...

    def choose(
        self, prompts: Sequence[Prompt], choices: tuple[str, ...]
    ) -> list[ChoiceProbabilities | Unparsed]: ...


# Which way, and who answers


@dataclass(frozen=True, slots=True)
class Model:
    """What answers at an address: the server's name for it, and whether it takes token ids, as vLLM does.

    `weights_hash` is that of the server's listing; "" where it says nothing of the weights.
    """

    name: str
    takes_tokens: bool
    weights_hash: str = ""

    def __str__(self) -> str:
        of_vllm = " of a vLLM server" if self.takes_tokens else ""
        weights = f", listed with the weights {self.weights_hash[:8]}" if self.weights_hash else ""
        return f"{self.name}{of_vllm}{weights}"


def _way_of(server: Server, settings: Settings) -> Way:
    model = server.known_by(_model_in(settings), str)
    if model.takes_tokens:
        return TokensWay(server, settings, model.name, model.weights_hash)
    return ChatWay(server, settings, model.name, model.weights_hash)


def _model_in(settings: Settings) -> Job[Model]:
    """What finds out which model answers. Raises BackendError that lists what there is instead."""

    async def model_of(session: Session) -> Model:
        served = await models_of(session)
        if served is None:
            return Model(adapter_name(settings) if settings.adapter else settings.base_model, False)
        name = _served_name(session.url, served, settings)
        weights_hash = next(one.weights_hash for one in served if one.name == name)
        return Model(name, any(one.owner == "vllm" for one in served), weights_hash)

    return model_of


def _served_name(url: str, served: Sequence[Served], settings: Settings) -> str:
    """The server's name for the model in these settings. Raises BackendError that lists the models it has."""
    names = list(dict.fromkeys(one.name for one in served))
    found = f"{url}: it serves {listed(names)}"
    if settings.adapter:
        # Never the base model instead: its answers would be recorded as the adapter's.
        name = adapter_name(settings)
        if name not in names:
            raise BackendError(
                f"{found}, not the adapter {name}. With vLLM, start the server with "
                f"--enable-lora --lora-modules {name}={settings.adapter}"
            )
        return name
    for name in (settings.base_model, last_part(settings.base_model), f"models/{settings.base_model}"):
        if name in names:
            return name
    base_models = {one.name for one in served if not one.is_adapter}
    if len(base_models) != 1:
        raise BackendError(f"{found}, not {settings.base_model}. Name one with --base-model.")
    return base_models.pop()


def adapter_name(settings: Settings) -> str:
    """What the server is asked for: the name in the adapter's manifest, else its folder's."""
    folder = at_home(settings.adapter).resolve()
    if not (folder / MANIFEST).is_file():
        return folder.name
    adapter = read_adapter(folder)
    check_one_lora(adapter, "a server")
    return adapter.name
