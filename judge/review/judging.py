"""The judge behind the pages: one thread that loads models once and answers questions one at a time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from judge.api import Judge
from judge.backends import Settings
from judge.errors import JudgeError
from judge.ledger.ledger import Ledger, default_path
from judge.methods import AUTO, BY_CRITERIA, FAST, LEARNED, WAYS
from judge.options import JudgeOptions
from judge.records import NO_ADAPTER, Pair, Verdict


class Stopped(Exception):
    """Someone asked for the work to stop."""


@dataclass
class Job:
    """Pairs being judged: the stage, how far it is, and in the end the verdicts or an error in one line.

    A page only reads it. `is_over` is set last.
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


@dataclass
class Desk:
    """Takes jobs and works them off one at a time. The same question is asked once."""

    ledger_path: Path | None
    jobs: dict[tuple[JudgeOptions, tuple[str, ...]], Job] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="judge")
        self._judges: dict[JudgeOptions, Judge] = {}
        self._ledger: Ledger | None = None
        self._now: Job | None = None

    def ask(self, options: JudgeOptions, pairs: Sequence[Pair]) -> Job:
        """The job that judges these pairs; one that failed or was stopped is taken up again."""
        key = (options, tuple(f"{pair.id}\0{pair.content_hash}" for pair in pairs))
        job = self.jobs.get(key)
        if job is None or job.error:
            job = self.jobs[key] = Job(tuple(pairs), options)
            self._worker.submit(self._work, job)
        return job

    def _work(self, job: Job) -> None:
        self._now = job
        try:
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
            self._judges[options] = Judge.of(options, ledger=self._ledger, progress=self._progress)
        return self._judges[options]

    def _progress(self, stage: str, done: int, total: int) -> None:
        job = self._now
        if job is None:
            return
        job.stage, job.done, job.total = stage, done, total
        if job.is_stopped:
            raise Stopped


def by_method(options: JudgeOptions, method: str) -> JudgeOptions:
    """The same judge asked in another way; a named adapter stays with the fast one: slow ones have none.

    Criteria stay with the methods that judge by them, a calibration with the way that it was made for.
    """
    settings: Settings = options.settings
    if method not in (FAST, AUTO, *LEARNED):
        settings = replace(settings, adapter=NO_ADAPTER)
    own = options.method_settings
    if WAYS.get(method, method) not in BY_CRITERIA:
        own = replace(own, criteria=())
    calibration = options.calibration if method == options.method else ""
    return replace(options, method=method, settings=settings, method_settings=own, calibration=calibration)
