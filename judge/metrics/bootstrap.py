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

LEVEL = 0.95
N_DRAWS = 10_000
MAX_CELLS = 4_000_000
MIN_DEFINED = 0.95


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure before it is resampled.

    `sums` has shape (n_clusters, n_sums), `n` is what the figure counts over (votes, or pairs). A share lies
    between 0 and 1.
    """

    sums: Floats
    statistic: Statistic
    n: int
    is_share: bool = True


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval from `low` to `high`; None where it does not exist.

    There is no interval with fewer than two clusters, nor where the figure does not exist in one draw of
    twenty or more.
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

    Where all clusters say 0 or all say 1, resampling has nothing to vary; the interval is then the exact
    binomial one over the clusters in which anything is counted (Clopper and Pearson, 1934).
    """
    value = _value(measure)
    if value is None or resampler.n_clusters < 2:
        return Estimate(value, None, None, measure.n)
    low, high = _interval(measure.statistic(resampler.draws(measure.sums)))
    if measure.is_share and low == high and value in (0.0, 1.0):
        n_counted = int(measure.sums.any(axis=1).sum())
        reach = 1 - ((1 - LEVEL) / 2) ** (1 / n_counted)
        low, high = (0.0, reach) if value == 0.0 else (1 - reach, 1.0)
    return Estimate(value, low, high, measure.n)


def estimates(sums: Floats, statistic: Statistic, n: Sequence[int], resampler: Resampler) -> list[Estimate]:
    """Several figures that are found together, each with its percentile interval.

    `statistic` is from sums (..., n_sums) to figures (..., n_figures); `n` is what each figure counts over.
    """
    values = [None if np.isnan(value) else float(value) for value in statistic(sums.sum(axis=0))]
    if resampler.n_clusters < 2:
        return [Estimate(value, None, None, counted) for value, counted in zip(values, n, strict=True)]
    intervals = [_interval(draws) for draws in statistic(resampler.draws(sums)).T]
    return [
        Estimate(value, *((None, None) if value is None else interval), counted)
        for value, interval, counted in zip(values, intervals, n, strict=True)
    ]


def difference(one: Measure, other: Measure, resampler: Resampler) -> Estimate:
    """`one` minus `other`, paired: both are drawn with the same clusters each time."""
    first, second = _value(one), _value(other)
    n = min(one.n, other.n)
    if first is None or second is None:
        return Estimate(None, None, None, n)
    if resampler.n_clusters < 2:
        return Estimate(first - second, None, None, n)
    draws_of_one = one.statistic(resampler.draws(one.sums))
    draws_of_other = other.statistic(resampler.draws(other.sums))
    return Estimate(first - second, *_interval(draws_of_one - draws_of_other), n)


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


def _interval(draws: Floats) -> tuple[float | None, float | None]:
    defined = draws[~np.isnan(draws)]
    if len(defined) < MIN_DEFINED * len(draws):
        return None, None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
