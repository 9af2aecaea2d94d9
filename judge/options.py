"""The options that name a judge, the same for every command that judges."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from judge.adapters import check_ties, read_adapter, shipped_adapter
from judge.backends import Settings, load_backend
from judge.errors import InputError
from judge.methods import AUTO, METHODS, WAYS, Method, MethodSettings, ReplyStore, load_method
from judge.methods.auto import Auto
from judge.records import NO_ADAPTER

if TYPE_CHECKING:
    from judge.progress import Progress

METHOD_HELP = (
    f"{', '.join(METHODS)}; or in everyday words {', '.join(f'{way} ({m})' for way, m in WAYS.items())} and "
    f"{AUTO} (fast, and slow where that is inconsistent or near even)."
)


LOCAL = ("embedded", "vllm")
"""Backends that load adapters themselves."""


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """A judge as the command line names it."""

    method: str = "direct"
    backend: str = "embedded"
    samples: int = 1
    vote: str = "majority"
    method_settings: MethodSettings = field(default_factory=MethodSettings)
    settings: Settings = field(default_factory=Settings)

    def load(self, progress: Progress, store: ReplyStore) -> Method:
        """The judge. Its weights load at the first question; `store` keeps what readings share."""
        if self.method == AUTO:
            return Auto(*(part.load(progress, store) for part in self.parts))
        adapter = self.adapter
        backend = load_backend(self.backend, replace(self.settings, adapter=adapter, progress=progress))
        settings = replace(self.method_settings, store=store)
        method = load_method(self.method, backend, settings, self.samples, self.vote)
        # An adapter that a server only knows by name has no hash, and no manifest here.
        if settings.ties and adapter and backend.engine.adapter_hash:
            check_ties(read_adapter(adapter))
        return method

    @property
    def parts(self) -> tuple[JudgeOptions, JudgeOptions]:
        """The fast and the slow judge of `AUTO`: an adapter is the fast one's, samples are the slow one's."""
        exact = replace(self.method_settings, temperature=0.0)
        bare = replace(self.settings, adapter=NO_ADAPTER)
        return (
            replace(self, method="direct", samples=1, method_settings=exact),
            replace(self, method="bsm", settings=bare),
        )

    @property
    def adapter(self) -> str:
        """The folder of the adapter that it judges with, "" for the bare base model.

        Without a word about it, the fast judge in this process has the one shipped for its base model.
        """
        named = self.settings.adapter
        if named:
            return "" if named == NO_ADAPTER else named
        is_fast = WAYS.get(self.method, self.method) == "direct"
        return shipped_adapter(self.settings.base_model) if is_fast and self.backend in LOCAL else ""


def judge_options(
    method: Annotated[str, typer.Option(help=METHOD_HELP)] = "direct",
    ties: Annotated[
        bool, typer.Option("--ties", help="Let the judge call two answers equally good.")
    ] = False,
    samples: Annotated[
        int, typer.Option(min=1, help="Read each order so many times and vote; needs --temperature.")
    ] = 1,
    vote: Annotated[
        str, typer.Option(help="majority, or usc: the judge picks the most consistent sample.")
    ] = "majority",
    temperature: Annotated[
        float, typer.Option(min=0, help="Of slow methods' free replies; 0 always takes the likeliest word.")
    ] = 0.0,
    max_new_tokens: Annotated[
        int | None, typer.Option(min=1, help="Longest free reply; by default each method's own.")
    ] = None,
    base_model: Annotated[
        str,
        typer.Option(
            help="A name from `judge models list`, a hub id, a folder, or what a server calls its model."
        ),
    ] = "qwen2.5-coder-0.5b",
    adapter: Annotated[
        str,
        typer.Option(
            help="Folder of a LoRA adapter for the base model; none is the bare base model. By default "
            "direct judges with the distilled judge that comes with this package, where there is one."
        ),
    ] = "",
    backend: Annotated[
        str,
        typer.Option(
            help="embedded; vllm; server:URL of an OpenAI-compatible API; or a judge without a model: "
            "scripted:first, scripted:second, scripted:longer, scripted:shorter, scripted:unreadable:3, "
            "scripted:replies:A,B."
        ),
    ] = "embedded",
    overflow: Annotated[
        str, typer.Option(help="Prompts over the limit: trim the middle of both answers alike, or error.")
    ] = "trim",
    max_prompt_tokens: Annotated[int, typer.Option(min=64, help="Longest prompt.")] = 4096,
    dtype: Annotated[str, typer.Option(help="auto, bfloat16 or float32.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    concurrency: Annotated[int, typer.Option(min=1, help="Requests that a server gets at a time.")] = 16,
    requests_per_minute: Annotated[
        int, typer.Option(min=0, help="Requests that a server gets a minute at most; 0 is no limit.")
    ] = 0,
) -> JudgeOptions:
    """The judge that these options name."""
    return JudgeOptions(
        method=method,
        backend=backend,
        samples=samples,
        vote=vote,
        method_settings=MethodSettings(ties, temperature, max_new_tokens=max_new_tokens),
        settings=Settings(
            base_model=base_model,
            adapter=adapter,
            max_prompt_tokens=max_prompt_tokens,
            overflow=overflow,
            dtype=dtype,
            device=device,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
        ),
    )


def judge_of_spec(spec: str, options: JudgeOptions) -> tuple[str, JudgeOptions]:
    """The name ("" if not given) and the judge of a SPEC such as `name=slow,method=bsm,base-model=big`.

    What the SPEC does not say is as in `options`. Names are those of the options of `judge_options`.

    Raises:
        InputError: no such option, an option that is there twice, a value of the wrong kind.
    """
    hints = get_type_hints(judge_options)
    known = [name.replace("_", "-") for name in inspect.signature(judge_options).parameters]
    name = ""
    changes: dict[str, Any] = {}
    for part in re.split(r",(?=[a-z-]+=)", spec):  # a value may hold commas: scripted:replies:A,B
        option, is_given, value = part.partition("=")
        key = option.replace("-", "_")
        if not is_given or option not in ["name", *known]:
            raise InputError(
                f"--judge {spec}: {part!r} is no option of a judge. Write name=value, separated by commas; "
                f"the names are: name, {', '.join(known)}."
            )
        if key in changes or (option == "name" and name):
            raise InputError(f"--judge {spec}: {option} is there twice. Give it once.")
        if option == "name":
            name = value
        else:
            changes[key] = _value_of(value, hints[key], f"--judge {spec}: {option}")
    return name, _changed(options, changes)


def _changed(options: Any, changes: Mapping[str, Any]) -> Any:
    """The record with these fields changed, its own or those of a record in it."""
    own = {one.name: getattr(options, one.name) for one in fields(options)}
    parts = {name: _changed(value, changes) for name, value in own.items() if is_dataclass(value)}
    return replace(options, **parts, **{name: value for name, value in changes.items() if name in own})


def _value_of(text: str, kind: Any, where: str) -> Any:
    """The text as a value of an option's type."""
    if kind is bool:
        if text not in ("yes", "no"):
            raise InputError(f"{where} is {text!r}. It must be yes or no.")
        return text == "yes"
    if kind is str:
        return text
    number = float if kind is float else int
    try:
        return number(text)
    except ValueError:
        raise InputError(f"{where} is {text!r}. It must be a number.") from None


def takes_judge(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of `judge_options` beside its own, handed to it as `judge`."""
    own = [p for name, p in inspect.signature(command).parameters.items() if name != "judge"]
    added = inspect.signature(judge_options).parameters
    hints = get_type_hints(command, include_extras=True) | get_type_hints(judge_options, include_extras=True)

    @wraps(command)
    def with_judge(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in added}
        command(**given, judge=judge_options(**chosen))

    parameters = [p.replace(annotation=hints[p.name]) for p in (*own, *added.values())]
    with_judge.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_judge.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_judge
