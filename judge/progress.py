"""Progress of long work on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]
"""Called with a stage, how much of it is done, and the total (bytes, characters or steps)."""

PLAIN_EVERY_S = 10.0


def silent(stage: str, done: int, total: int) -> None:
    """Shows no progress."""


@contextmanager
def shown_progress(is_quiet: bool = False) -> Iterator[Progress]:
    """A function to call with (stage, done, total), as often as one likes."""
    if is_quiet:
        yield silent
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield bar
    else:
        yield plain_lines(lambda line: print(line, file=sys.stderr, flush=True))


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)
        current, last = "", 0

        def show(stage: str, done: int, total: int) -> None:
            nonlocal task, current, last
            if stage_kind(stage) != current or done < last:
                bars.remove_task(task)
                task = bars.add_task(stage, total=total, completed=done)
            current, last = stage_kind(stage), done
            bars.update(task, description=stage, completed=done, total=total)

        yield show


def plain_lines(write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Progress:
    """Progress as lines of text: at the start and end of a stage, and at most every ten seconds between.

    A stage of which less is done than before is another one of the same name.
    """
    current, last, started, done_before, shown_at = "", 0, 0.0, 0, 0.0

    def show(stage: str, done: int, total: int) -> None:
        nonlocal current, last, started, done_before, shown_at
        now = clock()
        is_new = stage_kind(stage) != current or done < last
        current, last = stage_kind(stage), done
        if is_new:
            started, done_before = now, done
        if not (is_new or done >= total or now - shown_at >= PLAIN_EVERY_S):
            return
        shown_at = now
        percent = 100 * done // total if total else 100
        write(f"{stage}: {percent} %{_time_left(now - started, done - done_before, total - done)}")

    return show


def stage_kind(stage: str) -> str:
    """A stage without its counts: "judging, 3 of 9 pairs" and "judging, 4 of 9 pairs" are one stage."""
    return stage.partition(",")[0]


def _time_left(elapsed_s: float, done: int, left: int) -> str:
    if done <= 0 or left <= 0:
        return ""
    seconds = round(elapsed_s * left / done)
    return f", about {seconds} s left" if seconds < 120 else f", about {seconds // 60} min left"
