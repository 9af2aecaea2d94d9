"""Progress, estimate and cost of a run, as its blocks come in."""

from __future__ import annotations

import time
from collections.abc import Callable

from judge.cluster.sources import Say
from judge.cluster.worker import Done
from judge.progress import Progress, silent


class Watch:
    """Progress and cost of a run, as its blocks come in."""

    def __init__(
        self,
        n_pairs: int,
        n_known: int,
        n_workers: int,
        say: Say = lambda line: None,
        progress: Progress = silent,
        price: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._n_pairs, self._n_known, self._n_workers = n_pairs, n_known, n_workers
        self._say, self._progress, self._price, self._clock = say, progress, price, clock
        self._began = clock()
        self._n_blocks = 0
        self.n_done = 0
        self.worker_s = 0.0
        progress(self._stage, n_known, n_pairs)

    @property
    def elapsed_s(self) -> float:
        return self._clock() - self._began

    @property
    def _stage(self) -> str:
        return f"judging, {self._n_known + self.n_done:,} of {self._n_pairs:,} pairs"

    def done(self, block: Done) -> None:
        """A block's shard is whole."""
        self._n_blocks += 1
        self.n_done += block.counts["pairs"]
        self.worker_s += block.elapsed_s
        self._progress(self._stage, self._n_known + self.n_done, self._n_pairs)
        if self._n_blocks == self._n_workers and self._n_known + self.n_done < self._n_pairs:
            self._say(self.estimate)

    @property
    def estimate(self) -> str:
        """What the first blocks say of the rest; the workers' own seconds, without their start."""
        n_left = self._n_pairs - self._n_known - self.n_done
        each_s = self.worker_s / self.n_done
        left_s = each_s * n_left / self._n_workers
        return (
            f"By the first {self.n_done:,} pairs: the other {n_left:,} take about {in_words(left_s)} on "
            f"{self._n_workers} workers; {cost_in_words(each_s, self._price)}."
        )


def cost_in_words(each_s: float, price: float | None) -> str:
    """What 1,000 pairs cost that take a worker `each_s` seconds each."""
    hours = 1000 * each_s / 3600
    told = f"1,000 pairs cost {in_words(3600 * hours)} of one worker"
    return told if price is None else f"{told}, {hours * price:,.4g} at {price:g} an hour"


def in_words(seconds: float) -> str:
    """A time for people: 40 s, 12 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
