"""The judge behind the pages: one thread that loads models once and answers questions one at a time."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from judge.api import Judge
from judge.backends import Backend, Settings, load_backend, scripted
from judge.errors import JudgeError
from judge.ledger.ledger import Ledger, default_path
from judge.methods import AUTO, BY_CRITERIA, BY_GIVEN, DUAL, FAST, LEARNED, WAYS
from judge.models.basemodels import known_models
from judge.options import LOCAL, JudgeOptions
from judge.progress import silent
from judge.records import NO_ADAPTER, Criterion, Pair, Verdict

MEMORY_OF_WEIGHTS = 2
"""A model takes about so many times the size of its weights: while they load, they are there twice."""


class Stopped(Exception):
    """Someone asked for the work to stop."""


@dataclass
class Job:
    """Pairs being judged: the stage, how far it is, and in the end the verdicts or an error in one line.

    A page reads it, and may set `is_stopped`. `is_over` is set last.
    """

    pairs: tuple[Pair, ...]
    options: JudgeOptions
    stage: str = "waiting for the judge"
    done: int = 0
    total: int = 0
    verdicts: tuple[Verdict, ...] = ()
    error: str = ""
    is_over: bool = False
    is_stopped: bool = False
    asked_s: float = field(default_factory=time.monotonic)

    def in_words(self, now_s: float) -> str:
        """The stage and the clock: "loading the model · 4 s"."""
        stage = "stopping after what is being read now" if self.is_stopped else self.stage
        return f"{stage} · {now_s - self.asked_s:.0f} s"


@dataclass(frozen=True, slots=True)
class Model:
    """A model as it lies in memory: the engine and its settings, by which two judges may share it."""

    backend: str
    settings: Settings

    @property
    def memory_gib(self) -> float | None:
        """About how much memory it takes; None where the size of its weights is not known here."""
        sizes = {one.name: one.unpacked for one in known_models()}
        size = sizes.get(self.settings.base_model)
        return None if size is None else MEMORY_OF_WEIGHTS * size / 2**30


@dataclass
class Desk:
    """Takes jobs and works them off one at a time. The same question is asked once, a model loaded once."""

    ledger_path: Path | None
    jobs: dict[tuple[JudgeOptions, tuple[str, ...]], Job] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="judge")
        self._judges: dict[JudgeOptions, Judge] = {}
        self._models: dict[Model, Backend] = {}
        self._ledger: Ledger | None = None
        self._now: Job | None = None

    def ask(self, options: JudgeOptions, pairs: Sequence[Pair]) -> Job:
        """The job that judges these pairs; one that failed or was stopped is taken up again."""
        key = (options, tuple(f"{pair.id}\0{pair.content_hash}" for pair in pairs))
        job = self.jobs.get(key)
        if job is None or job.error or job.is_stopped:
            job = self.jobs[key] = Job(tuple(pairs), options)
            self._worker.submit(self._work, job)
        return job

    def in_memory(self) -> set[Model]:
        """The models that have answered something, so that their weights are loaded."""
        return {model for model, backend in list(self._models.items()) if backend.tokens_computed}

    def _work(self, job: Job) -> None:
        self._now = job
        try:
            self._progress("making the judge ready", 0, 1)
            job.verdicts = tuple(self._judge(job.options).judge(job.pairs))
        except Stopped:
            job.error = "stopped. What was judged is kept."
        except JudgeError as error:
            job.error = str(error)
        except Exception as error:
            logging.getLogger(__name__).exception("the judge failed")
            job.error = f"{type(error).__name__}: {error}. The server's log has more."
        finally:
            job.is_over = True
            self._now = None

    def _judge(self, options: JudgeOptions) -> Judge:
        """The judge, loaded once; all judges share one ledger, opened in the worker's thread."""
        if self._ledger is None:
            self._ledger = Ledger(self.ledger_path or default_path())
        if options not in self._judges:
            self._judges[options] = Judge.of(
                options, ledger=self._ledger, progress=self._progress, load=self._backend
            )
        return self._judges[options]

    def _backend(self, spec: str, settings: Settings) -> Backend:
        """The engine; methods that are asked of one model share it, so that its weights load once."""
        if spec not in LOCAL:
            return load_backend(spec, settings)
        model = Model(spec, replace(settings, progress=silent))
        if model not in self._models:
            self._models[model] = load_backend(spec, replace(settings, progress=self._progress))
        return self._models[model]

    def _progress(self, stage: str, done: int, total: int) -> None:
        job = self._now
        if job is None:
            return
        job.stage, job.done, job.total = stage, done, total
        if job.is_stopped:
            raise Stopped


def models_of(options: JudgeOptions) -> set[Model]:
    """The models that this judge needs in memory: none behind a server, two where it has two methods.

    Raises:
        JudgeError: the judge cannot be made, for example without its adapter.
    """
    parts = options.parts if options.is_two else (options,)
    return {Model(p.backend, replace(p.settings, adapter=p.adapter)) for p in parts if p.backend in LOCAL}


def memory_words(wanted: set[Model], loaded: set[Model], free_gib: float | None) -> str:
    """What is to be known before a judge makes it two models in memory, or more; "" if it does not.

    Args:
        wanted: the models of the judge that is to be asked.
        loaded: those that are in memory already.
        free_gib: memory that is free now; None where this system does not tell.
    """
    new, n = wanted - loaded, len(wanted | loaded)
    if not new or n < 2:
        return ""
    sizes = [model.memory_gib for model in new]
    known = [size for size in sizes if size is not None]
    takes = f" takes about {sum(known):.1f} GiB more" if len(known) == len(sizes) else " takes more memory"
    free = "" if free_gib is None else f", and {free_gib:.1f} GiB are free"
    return f"With this method {n} models are in memory at once. To load what is not there yet{takes}{free}."


def free_memory_gib(meminfo: Path = Path("/proc/meminfo")) -> float | None:
    """Memory that a process can still have, as Linux tells it; None on other systems."""
    if not meminfo.exists():
        return None
    found = re.search(r"^MemAvailable: *(\d+) kB$", meminfo.read_text(encoding="utf-8"), re.MULTILINE)
    return int(found[1]) / 2**20 if found else None


def offered_first(options: JudgeOptions, criteria: Sequence[Criterion] = ()) -> str:
    """The method that a page offers first: the judge's own.

    Where there are criteria, a pair's or the judge's, and it does not judge by them, it is one that does.
    """
    is_by_criteria = WAYS.get(options.method, options.method) in BY_CRITERIA
    has_criteria = bool(criteria or options.method_settings.criteria)
    return BY_GIVEN if has_criteria and not is_by_criteria else options.method


def check(options: JudgeOptions) -> None:
    """Makes the judge that pages offer first, all but its engine, whose weights would have to load.

    Raises:
        JudgeError: it cannot be made: there is no such method, adapter or calibration, or they do not go
        together.
    """
    first = by_method(options, offered_first(options))
    with Judge.of(first, cache=False, load=lambda *_: scripted.ScriptedBackend(scripted.first)):
        pass


def by_method(options: JudgeOptions, method: str) -> JudgeOptions:
    """The same judge asked in another way; a named adapter stays with the fast one: slow ones have none.

    One that has learned to be fast and slow stays with both, and with no other method.

    Criteria stay with the methods that judge by them, a calibration with the way that it was made for.
    """
    settings: Settings = options.settings
    if method not in ((*WAYS, AUTO, *DUAL) if options.is_dual else (FAST, AUTO, *LEARNED)):
        settings = replace(settings, adapter=NO_ADAPTER)
    own = options.method_settings
    if WAYS.get(method, method) not in BY_CRITERIA:
        own = replace(own, criteria=())
    calibration = options.calibration if method == options.method else ""
    return replace(options, method=method, settings=settings, method_settings=own, calibration=calibration)
