"""The options that name a judge, the same for every command that judges."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from judge.backends import DEFAULT_BASE_MODEL, Backend, Settings, load_backend
from judge.errors import InputError
from judge.io.criteria import criteria_given
from judge.io.files import at_home
from judge.methods import (
    AUTO,
    BY_CRITERIA,
    BY_GIVEN,
    DUAL,
    FAST,
    LEARNED,
    RANKED,
    WAYS,
    WITHOUT_PROBABILITIES,
    Method,
    MethodSettings,
    ReplyStore,
    TraceRanker,
    load_method,
)
from judge.methods.auto import Auto
from judge.models.adapters import (
    MANIFEST,
    Adapter,
    check_method,
    check_ties,
    criteria_of,
    is_judge,
    method_of,
    read_adapter,
    shipped_adapter,
)
from judge.models.sizes import SIZES
from judge.records import NO_ADAPTER, Criterion, Rule

if TYPE_CHECKING:
    from judge.progress import Progress

LOCAL = ("embedded", "vllm")
"""Backends that load adapters themselves."""

SERVICE = "judge"
"""The backend that is a judge as a whole, which `judge serve` runs."""


BackendLoader = Callable[[str, Settings], Backend]
"""Takes the text of --backend and the settings, as `load_backend` does."""


@dataclass(frozen=True)  # without slots, so that `rule` can be kept
class JudgeOptions:
    """A judge as the command line names it."""

    method: str = FAST
    backend: str = "embedded"
    samples: int = 1
    vote: str = "majority"
    method_settings: MethodSettings = field(default_factory=MethodSettings)
    settings: Settings = field(default_factory=Settings)
    calibration: str = ""
    abstain_below: float | None = None
    ranker: str = ""
    criteria_file: str = field(default="", compare=False)
    """Where its criteria were read from; "" where they were given as lines."""

    @property
    def files(self) -> tuple[str, str]:
        """The files that it is read from: of its criteria and of its calibration; "" where there is none."""
        return self.criteria_file, self.calibration

    @cached_property
    def rule(self) -> Rule | None:
        """How its readings become verdicts, if not as they say; the calibration's file is read once.

        Raises:
            InputError: it cannot be read, or this judge gives no probabilities to go by.
        """
        below = self.abstain_below
        if not self.calibration and below is None:
            return None
        self._refuse_rule_without_probabilities()
        if not self.calibration and below is not None:
            return Rule(None, float(below))
        from judge.io.calibrations import read_calibration

        found = read_calibration(self.calibration)
        return Rule(found, float(found.undecided_below if below is None else below))

    def _refuse_rule_without_probabilities(self) -> None:
        has_shares = self.samples > 1 and self.vote != "usc"
        if self.is_service or has_shares or self.asked_by not in WITHOUT_PROBABILITIES:
            return
        option = "--calibration" if self.calibration else "--abstain-below"
        raise InputError(
            f"{option}: method {self.asked_by} writes its verdicts and gives no probabilities, by which this "
            "goes. Take fast, score, direct or bsm, or a majority of samples."
        )

    def refuse_other_calibration(self, read_by: str) -> None:
        """Raises InputError where the calibration is not that of the judge of this fingerprint."""
        rule = self.rule
        if rule is not None and rule.calibration is not None and rule.calibration.judge != read_by:
            raise InputError(
                f"{self.calibration}: this calibration is of {rule.calibration.judge}, and the judge here is "
                f"{read_by}. Make one for it with `judge calibrate`."
            )

    def load(self, progress: Progress, store: ReplyStore, load: BackendLoader = load_backend) -> Method:
        """Loads the judge. Its weights load at the first question; `store` keeps what readings share.

        Args:
            load: makes the engine, or gives one that is there already.
        """
        if self.is_service:
            return self._served()
        if self.is_two:
            self._check_auto()
            return Auto(*(part.load(progress, store, load) for part in self.parts))
        adapter = self.adapter
        backend = load(self.backend, replace(self.settings, adapter=adapter, progress=progress))
        settings = replace(self.method_settings, store=store)
        asked_by = self.asked_by
        ranker = self._ranker(progress)
        method = load_method(asked_by, backend, settings, self.samples, self.vote, ranker)
        if here := self.adapter_here:
            check_method(here, asked_by)
            if settings.ties:
                check_ties(here)
        return method

    def _ranker(self, progress: Progress) -> TraceRanker | None:
        """What weighs the samples, loaded at the first of them; None where the vote is another one.

        Raises:
            InputError: a ranked vote on another backend, or a ranker without one.
            ModelError: the ranker is no adapter, or one of another base model.
        """
        if self.vote != RANKED:
            if self.ranker:
                raise InputError(f"--ranker {self.ranker}: only --vote ranked has a ranker.")
            return None
        if self.backend != "embedded":
            raise InputError(
                f"--vote ranked: the ranker reads traces in this process, and --backend {self.backend} does "
                "not judge in it. Take --backend embedded, or --vote majority."
            )
        if not self.ranker:
            return None
        from judge.backends.ranker import Ranker

        return Ranker(self.ranker, replace(self.settings, progress=progress))

    @property
    def is_two(self) -> bool:
        """Whether it is made of two judges: auto, without an adapter that has learned to be both."""
        return self.method == AUTO and not self.is_dual

    @property
    def is_dual(self) -> bool:
        """Whether it names an adapter that judges at once or after a working, as it is asked."""
        adapter = self.adapter_here if self.settings.adapter else None
        return adapter is not None and is_judge(adapter) and method_of(adapter) == DUAL[0]

    def _check_auto(self) -> None:
        """Raises InputError where the fast one of two judges would know nothing of the criteria."""
        if self.method_settings.criteria:
            raise InputError(
                f"--criteria: the fast judge of {AUTO} would know nothing of them. Take "
                f"{' or '.join(BY_CRITERIA)}, or leave --method out."
            )

    @property
    def is_service(self) -> bool:
        """Whether the judge is one that `judge serve` runs, so that its method and model are not ours."""
        return self.backend.partition(":")[0] == SERVICE

    def _served(self) -> Method:
        """The judge behind a service. Raises InputError where options name another judge than that one."""
        from judge.backends.service import ServiceBackend
        from judge.methods.served import Served

        names = ("concurrency", "requests_per_minute", "strict", "progress")
        ours = replace(Settings(), **{name: getattr(self.settings, name) for name in names})
        whole = replace(
            self, calibration="", abstain_below=None
        )  # a rule comes after the readings, so it is ours
        if named := list(_unlike(whole, JudgeOptions(backend=self.backend, settings=ours))):
            raise InputError(
                f"--backend {self.backend}: the judge is the service's own, and {', '.join(named)} would "
                "name another one. Leave that out here, and give it to `judge serve`."
            )
        return Served(ServiceBackend.from_settings(self.backend.partition(":")[2], self.settings))

    @property
    def parts(self) -> tuple[JudgeOptions, JudgeOptions]:
        """The fast and the slow judge of `AUTO`: an adapter is the fast one's, samples are the slow one's.

        A calibration is that of both together, so neither has it.
        """
        exact = replace(self.method_settings, temperature=0.0)
        whole = replace(self, calibration="", abstain_below=None)
        return replace(
            whole, method=FAST, samples=1, vote="majority", ranker="", method_settings=exact
        ), self.bare(WAYS["slow"])

    @property
    def slow(self) -> JudgeOptions:
        """The judge that works its verdicts out: an adapter that has learned to, else the bare base model."""
        if self.is_dual:
            return replace(self, method="slow", calibration="", abstain_below=None)
        return self.bare(WAYS["slow"])

    def bare(self, method: str) -> JudgeOptions:
        """The base model by this method, without an adapter and without what is known of another judge."""
        settings = replace(self.settings, adapter=NO_ADAPTER)
        return replace(self, method=method, settings=settings, calibration="", abstain_below=None)

    @property
    def asked_by(self) -> str:
        """The method by its own name. Fast is what the adapter has learned, direct where there is none.

        Where criteria are given it is the one that judges by them.

        Of two that ship for a base model it is the judge of single answers, which no order can move. An
        adapter that has learned to judge at once and after a working is slow or auto by itself.
        """
        if self.method in (*WAYS, AUTO) and self.is_dual:
            return DUAL[0] if self.method == FAST else f"{DUAL[0]}-{self.method}"
        if self.method != FAST:
            return WAYS.get(self.method, self.method)
        if self.method_settings.criteria:
            return BY_GIVEN
        if self.settings.adapter:
            adapter = self.adapter_here
            return WAYS[FAST] if adapter is None else method_of(adapter)
        if self.backend not in LOCAL:
            return WAYS[FAST]
        base = self.settings.base_model
        return next((one for one in reversed(LEARNED) if shipped_adapter(base, one)), WAYS[FAST])

    @property
    def adapter(self) -> str:
        """The folder of the adapter that it judges with, "" for the bare base model.

        If none is named, a judge in this process has the one shipped for its base model and method.
        """
        named = self.settings.adapter
        if named:
            return "" if named == NO_ADAPTER else named
        asked_by = self.asked_by
        is_learned = asked_by in LEARNED and self.backend in LOCAL
        return shipped_adapter(self.settings.base_model, asked_by) if is_learned else ""

    @property
    def adapter_here(self) -> Adapter | None:
        """The adapter that it judges with, from its folder; None of one that only a server knows, by name.

        Raises:
            ModelError: a backend in this process is to load it, and it is not there or not whole.
        """
        folder = self.adapter
        if not folder or (self.backend not in LOCAL and not (at_home(folder) / MANIFEST).is_file()):
            return None
        return read_adapter(folder)

    @property
    def learned_criteria(self) -> list[str]:
        """The criteria, a line each, that a named adapter was taught by; none where it knows none."""
        adapter = self.adapter_here if self.settings.adapter else None
        return [] if adapter is None else criteria_of(adapter)


LEAST: dict[str, float] = {
    "samples": 1,
    "temperature": 0,
    "max_new_tokens": 1,
    "max_prompt_tokens": 64,
    "concurrency": 1,
    "requests_per_minute": 0,
    "abstain_below": 0.5,
    "slow_above": 0,
}
"""The smallest value that makes sense, by option."""

MOST: dict[str, float] = {
    "samples": 1000,
    "temperature": 100,
    "max_new_tokens": 1_000_000,
    "max_prompt_tokens": 10_000_000,
    "concurrency": 10_000,
    "requests_per_minute": 10_000_000,
    "abstain_below": 1,
    "slow_above": 1,
}
"""The largest value that makes sense, by option."""


def judge_options(
    method: str = FAST,
    ties: bool = False,
    samples: int = 1,
    vote: str = "majority",
    temperature: float = 0.0,
    max_new_tokens: int | None = None,
    criteria: str | Path | Sequence[str | Criterion] = "",
    base_model: str = DEFAULT_BASE_MODEL,
    adapter: str = "",
    backend: str = "embedded",
    overflow: str = "trim",
    max_prompt_tokens: int = 4096,
    dtype: str = "auto",
    device: str = "auto",
    concurrency: int = 16,
    requests_per_minute: int = 0,
    strict: bool = False,
    calibration: str = "",
    abstain_below: float | None = None,
    slow_above: float = 0.5,
    ranker: str = "",
) -> JudgeOptions:
    """The judge that these options name; `judge run --help` says what each of them means.

    They have one name and one default everywhere: on the command line, in a SPEC, in recipes, in Python.

    Raises:
        InputError: a value of another type, too small or too large, or not one of those allowed.
    """
    given = dict(locals())
    for name, kind in kinds_of_options().items():
        if name != "criteria":  # which is checked line by line
            _check(name, name, given[name], kind)
    return JudgeOptions(
        method=method,
        backend=backend,
        samples=samples,
        vote=vote,
        method_settings=MethodSettings(
            ties,
            temperature,
            max_new_tokens=max_new_tokens,
            criteria=criteria_given(criteria),
            slow_above=float(slow_above),
        ),
        settings=Settings(
            base_model=SIZES.get(base_model, base_model),
            adapter=adapter,
            max_prompt_tokens=max_prompt_tokens,
            overflow=overflow,
            dtype=dtype,
            device=device,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
            strict=strict,
        ),
        calibration=calibration,
        abstain_below=abstain_below,
        ranker=ranker,
        criteria_file=str(criteria) if isinstance(criteria, str | Path) else "",
    )


def kinds_of_options() -> dict[str, Any]:
    """The type of each option of `judge_options`, in their order; of criteria that of a file's name."""
    kinds = get_type_hints(judge_options) | {"criteria": str}
    return {name: kind for name, kind in kinds.items() if name != "return"}


def _check(where: str, name: str, value: object, kind: Any) -> None:
    """Raises InputError where an option's value is of another type, too small or too large."""
    kinds = get_args(kind) or (kind,)
    is_number = float in kinds and type(value) is int
    if type(value) not in kinds and not is_number:
        names = " or ".join("None" if one is type(None) else one.__name__ for one in kinds)
        raise InputError(f"{where} is {value!r}. It must be {names}.")
    if isinstance(value, float) and math.isnan(value):
        raise InputError(f"{where} is {value}. It must be a number.")
    if isinstance(value, int | float) and name in LEAST and value < LEAST[name]:
        raise InputError(f"{where} is {value}. It must be at least {LEAST[name]}.")
    if isinstance(value, int | float) and name in MOST and value > MOST[name]:
        raise InputError(f"{where} is {value}. It must be at most {MOST[name]}.")


def judge_of_spec(spec: str, options: JudgeOptions) -> tuple[str, JudgeOptions]:
    """The name ("" if not given) and the judge of a SPEC such as `name=slow,method=bsm,base-model=big`.

    What the SPEC does not say is as in `options`. Names are those of the options of `judge_options`.

    Raises:
        InputError: no such option, a repeated option, or a value of the wrong kind, too small or too large.
    """
    hints = kinds_of_options()
    known = [name.replace("_", "-") for name in hints]
    name = ""
    changes: dict[str, Any] = {}
    for part in re.split(r",(?=[a-z_-]+=)", spec):  # a value may hold commas: scripted:replies:A,B
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
            _check(f"--judge {spec}: {option}", key, changes[key], hints[key])
    if "criteria" in changes:
        changes["criteria_file"] = changes["criteria"]
        changes["criteria"] = criteria_given(changes["criteria"])
    if "base_model" in changes:
        changes["base_model"] = SIZES.get(changes["base_model"], changes["base_model"])
    return name, _changed(options, changes)


def _unlike(one: Any, other: Any) -> Iterator[str]:
    """The names of fields in which two records of a kind differ, those of records in them too."""
    for name in (each.name for each in fields(one) if each.compare):
        mine, its = getattr(one, name), getattr(other, name)
        if is_dataclass(mine) and type(mine) is type(its):
            yield from _unlike(mine, its)
        elif mine != its:
            yield name


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
    number = float if float in (kind, *get_args(kind)) else int
    try:
        return number(text)
    except ValueError:
        raise InputError(f"{where} is {text!r}. It must be a number.") from None
