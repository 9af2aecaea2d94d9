"""Resampling of whole clusters: intervals of a figure, and of the difference between two on the same data.

Votes on one question are not independent of each other, so questions are drawn, never votes (the cluster
bootstrap; Field and Welsh, 2007, doi:10.1111/j.1467-9868.2007.00593.x). A figure is a function of sums over
rows; with one row of sums per cluster, ten thousand draws are one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""From sums, shape (..., n_sums), to figures, shape (...); NaN where a figure does not exist."""

Interval = tuple[float | None, float | None]
"""Its ends; None, None where there is none."""

NOTHING: Interval = (None, None)
LEVEL = 0.95
N_DRAWS = 10_000
MAX_CELLS = 4_000_000
MIN_DEFINED = 0.95
NO_SPREAD = 1e-12
"""Draws that are no further apart than this differ by rounding alone."""

FEWEST_CLUSTERS = 6
"""With fewer no exact test of a difference reaches 5 % (five clusters on one side: 2 * 0.5 ** 5 = 6.25 %),
and resampling them makes intervals that are much too narrow."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure before it is resampled.

    `sums` has shape (n_clusters, n_sums), `n` is what the figure counts over (votes, or pairs). A share lies
    between 0 and 1. `n_clusters` is how many clusters it stands on: by default those with a sum that is not
    0; a figure of several parts gives that of its smallest part.
    """

    sums: Floats
    statistic: Statistic
    n: int
    is_share: bool = True
    n_clusters: int | None = None

    @property
    def n_behind(self) -> int:
        """How many clusters the figure stands on."""
        return _n_counted(self.sums) if self.n_clusters is None else self.n_clusters


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval from `low` to `high`; None where it does not exist.

    There is no interval where the figure does not exist in one draw of twenty or more, nor of a figure that
    is no share where resampling says nothing: with few clusters, or where all draws are the same.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


class Resampler:
    """Draws of whole clusters with replacement. Equal arguments give equal draws, so figures pair up."""

    def __init__(self, n_clusters: int, n_draws: int = N_DRAWS, seed: int = 0) -> None:
        self.n_clusters = n_clusters
        self.n_draws = n_draws
        self._seed = seed
        self._counts: list[NDArray[np.unsignedinteger[Any]]] = []

    def draws(self, sums: Floats) -> Floats:
        """The sums of each draw, shape (n_draws, n_sums), from sums of shape (n_clusters, n_sums)."""
        return np.concatenate([counts.astype(np.float64) @ sums for counts in self._parts()])

    def _parts(self) -> list[NDArray[np.unsignedinteger[Any]]]:
        """How often each draw holds each cluster, shape (some draws, n_clusters), 1 or 2 bytes per cell."""
        if not self._counts:
            self._counts = [counts.astype(np.min_scalar_type(counts.max())) for counts in self._drawn()]
        return self._counts

    def _drawn(self) -> Iterator[NDArray[np.int64]]:
        """The same in parts of at most MAX_CELLS cells; the parts do not change the draws."""
        generator = np.random.default_rng(self._seed)
        n_rows = max(1, MAX_CELLS // self.n_clusters)
        even = np.full(self.n_clusters, 1 / self.n_clusters)
        for start in range(0, self.n_draws, n_rows):
            yield generator.multinomial(self.n_clusters, even, size=min(n_rows, self.n_draws - start))


def estimate(measure: Measure, resampler: Resampler) -> Estimate:
    """The figure with its percentile interval.

    Where resampling says nothing of clusters that were not seen, as all draws are the same or fewer than
    FEWEST_CLUSTERS are behind the figure, the interval of a share is at least that of `unvaried`.
    """
    value = _value(measure)
    if value is None:
        return Estimate(None, None, None, measure.n)
    found = _interval(measure.statistic(resampler.draws(measure.sums)))
    is_extreme = measure.is_share and value in (0.0, 1.0)
    if _says_nothing(found, measure.n_behind) or (found == NOTHING and is_extreme):
        found = _widened(found, value, (0.0, 1.0), measure.n_behind) if measure.is_share else NOTHING
    return Estimate(value, *found, measure.n)


def estimates(sums: Floats, statistic: Statistic, n: Sequence[int], resampler: Resampler) -> list[Estimate]:
    """Several figures that are found together and are no shares, each with its percentile interval.

    `statistic` is from sums (..., n_sums) to figures (..., n_figures); `n` is what each figure counts over.
    """
    values = [None if np.isnan(value) else float(value) for value in statistic(sums.sum(axis=0))]
    intervals = [_interval(draws) for draws in statistic(resampler.draws(sums)).T]
    n_behind = _n_counted(sums)
    return [
        Estimate(value, *(NOTHING if value is None or _says_nothing(found, n_behind) else found), counted)
        for value, found, counted in zip(values, intervals, n, strict=True)
    ]


def difference(one: Measure, other: Measure, resampler: Resampler) -> Estimate:
    """`one` minus `other`, paired: both are drawn with the same clusters each time.

    The interval is widened as that of `estimate`. It excludes 0 only where the two were counted differently
    in FEWEST_CLUSTERS or more: with fewer that differ, it is made to reach 0.
    """
    first, second = _value(one), _value(other)
    n = min(one.n, other.n)
    if first is None or second is None:
        return Estimate(None, None, None, n)
    value, n_behind = first - second, min(one.n_behind, other.n_behind)
    draws = one.statistic(resampler.draws(one.sums)) - other.statistic(resampler.draws(other.sums))
    found = _interval(draws)
    if _says_nothing(found, n_behind):
        are_shares = one.is_share and other.is_share
        found = _widened(found, value, (-1.0, 1.0), n_behind) if are_shares else NOTHING
    low, high = found
    n_that_differ = int((one.sums != other.sums).any(axis=1).sum())
    if low is not None and high is not None and n_that_differ < FEWEST_CLUSTERS:
        low, high = min(low, 0.0), max(high, 0.0)
    return Estimate(value, low, high, n)


def unvaried(value: float, between: tuple[float, float], n_clusters: int) -> tuple[float, float]:
    """The conservative interval of a mean over clusters that all say the same `value`.

    A property that none of k clusters has is one of less than a share q = 1 - 0.025 ** (1 / k) of all
    clusters, with a confidence of 97.5 %: the upper end of Clopper and Pearson's interval for 0 of k (1934,
    doi:10.1093/biomet/26.4.404), about 3.7 / k; with 95 % it is the rule of three (Hanley and
    Lippman-Hand, 1983, doi:10.1001/jama.1983.03330370053031). So less than q of all clusters say less than
    `value`, at worst the least that is possible, and the mean is above value - q * (value - least); likewise
    on the other side, and both hold together with 95 %. Clusters count as equally large. For a share of 0
    or 1 this is Clopper and Pearson's interval itself.

    Args:
        between: the least and the greatest value that is possible.
    """
    least, greatest = between
    q = 1 - ((1 - LEVEL) / 2) ** (1 / n_clusters)
    return value - q * (value - least), value + q * (greatest - value)


def sums_by_cluster(columns: Any, clusters: NDArray[np.intp], n_clusters: int) -> Floats:
    """The sums of each column over each cluster's rows, shape (n_clusters, n_columns).

    Args:
        columns: one array of shape (n_rows,) for each sum.
        clusters: each row's cluster from 0 up, shape (n_rows,).
    """
    each = [np.bincount(clusters, weights=column, minlength=n_clusters) for column in columns]
    return np.stack(each, axis=1).astype(np.float64)


def ratio(sums: Floats) -> Floats:
    """The first sum over the second; NaN where the second is 0."""
    return quotient(sums[..., 0], sums[..., 1])


def quotient(numerator: Floats, denominator: Floats) -> Floats:
    """Element by element; NaN where the denominator is 0."""
    is_there = denominator != 0
    safe = np.where(is_there, denominator, 1.0)
    return np.where(is_there, numerator / safe, np.nan)


def _value(measure: Measure) -> float | None:
    value = float(measure.statistic(measure.sums.sum(axis=0)))
    return None if np.isnan(value) else value


def _interval(draws: Floats) -> Interval:
    defined = draws[~np.isnan(draws)]
    if len(defined) < MIN_DEFINED * len(draws):
        return NOTHING
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _says_nothing(found: Interval, n_behind: int) -> bool:
    """Whether an interval of so many clusters says nothing of those that were not seen."""
    low, high = found
    return low is not None and high is not None and (n_behind < FEWEST_CLUSTERS or high - low <= NO_SPREAD)


def _widened(found: Interval, value: float, between: tuple[float, float], n_behind: int) -> Interval:
    """The interval and that of `unvaried`, as one."""
    ends = [end for end in (*found, *unvaried(value, between, n_behind)) if end is not None]
    return min(ends), max(ends)


def _n_counted(sums: Floats) -> int:
    return max(1, int(sums.any(axis=1).sum()))
