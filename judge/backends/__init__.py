"""The one seam to the outside world: what a backend must do, and which ones there are."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

from judge.errors import BackendError, InputError
from judge.progress import Progress, silent
from judge.records import Cut, Engine, Prompt, Unparsed
from judge.registry import Registry, lacks

OURS = {
    "embedded": "judge.backends.embedded:EmbeddedBackend",
    "vllm": "judge.backends.vllm_engine:VllmBackend",
    "server": "judge.backends.openai_server:ServerBackend",
    "scripted": "judge.backends.scripted:ScriptedBackend",
    "judge": "judge.backends.service:ServiceBackend",
}
"""Our own. One more needs its file beside these and its line here: docs/how-to/add-a-backend.md."""

DEFAULT_BASE_MODEL = "qwen2.5-coder-0.5b"
OVERFLOWS = ("trim", "error")
DTYPES = ("auto", "bfloat16", "float32")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may set on a backend; each backend takes what concerns it.

    Args:
        base_model: a name from `judge models list`, a hub id, a folder, or what a server calls its model.
        adapter: the folder of a LoRA adapter, or "" for the bare base model.
        max_prompt_tokens: longest prompt, reply not counted.
        overflow: what happens to a longer one: "trim" shortens the two responses alike, "error" refuses.
        dtype: "auto" is bfloat16 where the hardware multiplies it faster, else float32.
        device: "auto" is a CUDA GPU where there is one, else the CPU.
        concurrency: how many requests each address of a server gets at a time.
        requests_per_minute: how many each of them gets a minute at most; 0 is no limit.
        strict: whether a prompt that cannot be answered raises, instead of being Unparsed in its place.
        progress: called with (stage, done, total) while weights are made ready.

    Raises:
        InputError: a value is not allowed.
    """

    base_model: str = DEFAULT_BASE_MODEL
    adapter: str = ""
    max_prompt_tokens: int = 4096
    overflow: str = "trim"
    dtype: str = "auto"
    device: str = "auto"
    concurrency: int = 16
    requests_per_minute: int = 0
    strict: bool = False
    progress: Progress = silent

    def __post_init__(self) -> None:
        for option, value, allowed in (
            ("--overflow", self.overflow, OVERFLOWS),
            ("--dtype", self.dtype, DTYPES),
            ("--device", self.device, DEVICES),
        ):
            if value not in allowed:
                raise InputError(f"{option} {value}: must be one of {', '.join(allowed)}.")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How free text is decoded. `temperature` 0 is greedy, and then `seed` changes nothing.

    Equal prompts in one call get different draws. A reply is over with the first text of `stop` that is in
    it, which stays its end; a chat server, which may think first, is not told of them and writes on.
    """

    max_new_tokens: int = 512
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply as text, without the words put into the judge's mouth.

    `is_ended` is False where the reply was cut at `max_new_tokens`. `is_trimmed` says that answers in the
    prompt were shortened to fit, and `cut` how much of it was read.
    """

    text: str
    tokens_in: int
    tokens_out: int
    is_ended: bool
    is_trimmed: bool = False
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class ChoiceProbabilities:
    """Probabilities of the allowed choices, in the order they were given; they sum to 1.

    `tokens_in` counts the prompt before the reply, `tokens_out` the whole reply: the words before the choice,
    the choice, the words after it and the end of the turn. `raw` is the reply as it came, where an engine
    could not be held to the choices; "" where the reply is the choice and nothing else. `is_trimmed` and
    `cut` are as of a `Completion`.
    """

    probabilities: tuple[float, ...]
    tokens_in: int
    tokens_out: int
    is_trimmed: bool = False
    raw: str = ""
    cut: Cut | None = None


class EngineChanged(BackendError):
    """Answers now come in another way than `Backend.engine` said last, so they are another judge's.

    What was asked for was not given. Look up what is known of the new engine, and ask again.
    """


class Backend(Protocol):
    """Turns prompts into replies. Lists in, lists of equal length and order out.

    What one prompt alone causes (it is too long, a server blocks it) is Unparsed in its place, with a reason
    that names no pair; with `Settings.strict` it raises. What stops all prompts raises BackendError: a server
    that is not there, a wrong key. No failure is ever returned as text.
    """

    @property
    def engine(self) -> Engine:
        """Which weights answer and how they run; known without loading them.

        A server may teach later that it refuses something: then `choose` or `complete` raises EngineChanged,
        if the engine was asked for before.
        """

    @property
    def batch_characters(self) -> int:
        """How many characters of pairs are worth giving in one call, which a failure or a kill can lose."""

    @property
    def tokens_computed(self) -> int:
        """Prompt tokens that went through the model so far; what was shared or cached counts once."""

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion | Unparsed]:
        """One free reply a prompt, which goes on from `Prompt.reply_start`."""

    def choose(
        self, prompts: Sequence[Prompt], choices: Sequence[str]
    ) -> list[ChoiceProbabilities | Unparsed]:
        """Probabilities of `choices` as the words that follow `Prompt.reply_start`.

        Unparsed also where an engine cannot be held to the choices and replied with something else.
        """


@runtime_checkable
class Likelihoods(Protocol):
    """What a backend may do beside: most engines give no probabilities of words that they did not write."""

    def log_likelihoods(
        self, asked: Sequence[tuple[Prompt, str]], longest: int
    ) -> list[tuple[float | None, int]]:
        """How likely the model is to reply to each prompt with the text beside it.

        The sum of the log-probabilities of the text's first `longest` tokens, in nats, and how many these
        are; None and 0 for a prompt that does not fit or a text without a token.
        """


class LikelihoodBackend(Backend, Likelihoods, Protocol):
    """A backend that does both."""


class BackendClass(Protocol):
    """How a backend is made."""

    def from_settings(self, argument: str, settings: Settings) -> Backend:
        """The backend for an argument (the text after the colon, "" without one) and settings.

        Raises InputError where it does not take that argument.
        """


BACKENDS: Registry[BackendClass] = Registry(
    "judge.backends", "backend", OURS, lambda name, found: lacks(found, "from_settings", "complete", "choose")
)
"""Every backend by name, those of other packages too."""

DEFAULTS = Settings()


def until_stop(text: str, stop: Sequence[str]) -> str:
    """The text up to the end of the stop that comes first in it; all of it where there is none."""
    ends = [text.index(one) + len(one) for one in stop if one in text]
    return text[: min(ends)] if ends else text


def with_likelihoods(backend: Backend) -> LikelihoodBackend | None:
    """The backend, if it can also say how likely a text is; None if it cannot."""
    return cast(LikelihoodBackend, backend) if isinstance(backend, Likelihoods) else None


def remembering(backend: Backend) -> AbstractContextManager[None]:
    """Inside, a prompt that a backend is asked to choose after and then to go on from is read once.

    Engines with a cache of their own do so anyway, and need no word of it.
    """
    made: AbstractContextManager[None] = getattr(backend, "remembering", nullcontext)()
    return made


class Kept(Protocol):
    """Answers that a backend kept."""

    def replaying(self) -> AbstractContextManager[None]:
        """Inside, the backend gives what it kept and asks nothing: what is not there raises BackendError."""


def keeping(backend: Backend) -> AbstractContextManager[Kept | None]:
    """Inside, a backend keeps what it is answered, so that it is not lost where a call fails; None of most.

    It is worth it where answers are slow or paid for, and each prompt is answered alone.
    """
    made: AbstractContextManager[Kept | None] = getattr(backend, "keeping", nullcontext)()
    return made


def systems_of(backend: Backend) -> tuple[str, ...]:
    """What a server calls the systems that answered so far; none where a backend knows no such names."""
    return tuple(getattr(backend, "systems", ()))


def answers_alone(backend: Backend) -> bool:
    """Whether what a backend says to a prompt does not depend on the others of its call, in no digit."""
    return bool(getattr(backend, "answers_alone", False))


def news_of(backend: Backend) -> tuple[str, ...]:
    """What happened to a backend's addresses since this was asked last, a line each; mostly none."""
    return tuple(getattr(backend, "news", tuple)())


def load_backend(spec: str, settings: Settings = DEFAULTS) -> Backend:
    """The backend that `spec` names: "embedded", or with an argument after a colon, "scripted:longer".

    Raises:
        InputError: there is no backend of that name, or it does not take that argument.
        PluginError: another package has a backend of that name, but it cannot be used.
    """
    name, _, argument = spec.partition(":")
    made_by = BACKENDS.find(name)
    if made_by is None:
        known = ", ".join(BACKENDS.names())
        raise InputError(f"--backend {spec}: no such backend. There are: {known}.{BACKENDS.like(name)}")
    return made_by.from_settings(argument, settings)
