"""The gate of a suite: whether new answers are worse than approved ones, by their win rate and its interval.

A case scores 1 where the new answer wins, 0 where the approved one does, and one half for a tie. Cases with
the same first question, or with one name of a cluster that was given to them, form a cluster: they are not
independent of each other, and count as one in the width of the interval.

A gate that may stop early tests the mean of the clusters' win rates, in which every cluster counts once; any
other the win rate, in which every case does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from judge.errors import InputError
from judge.metrics.bootstrap import LEVEL

Floats = NDArray[np.float64]

EVEN_RATE = 0.5
STOPPING_LEVEL = 0.99
"""Confidence of the interval that may stop a suite early; the rest is left for the final look."""

LAST_LEVEL = LEVEL + (1 - STOPPING_LEVEL)
"""Confidence of the final interval of a suite that might have stopped early: 96 %."""

ADDED = 2
"""This many wins and as many losses are added to what was seen (Agresti and Coull, 1998), so that a few cases
that agree by chance never look certain."""

FEWEST_FLIPS = 5
"""From so many comparisons on, inconsistent or undecided verdicts alone are no evidence."""

MAX_NEEDED = 100_000
GRID = 401
FORM = "not-worse:MARGIN, with a margin of 0 or more, below 0.5 (not-worse:0.05)"


class GateFinding(StrEnum):
    """What a suite shows: only WORSE fails it."""

    WORSE = "worse"
    NOT_WORSE = "not worse"
    UNCLEAR = "too few to tell"


@dataclass(frozen=True, slots=True)
class GateResult:
    """What came of a gate.

    `win_rate` and its interval from `low` to `high` are shares; `n_needed` is how many cases would have
    settled it at this win rate, None if it is settled or no number would settle it. `is_by_cluster` says that
    rate and interval are those of the mean of the clusters' win rates.
    """

    finding: GateFinding
    margin: float
    win_rate: float
    low: float
    high: float
    n_cases: int
    n_clusters: int
    n_needed: int | None = None
    is_by_cluster: bool = False


def margin_of(text: str, said: str = "") -> float:
    """The margin that a gate such as "not-worse:0.05" names; "not-worse" alone is a margin of 0.

    Args:
        said: the gate as it was set, for the message.

    Raises:
        InputError: it is not a gate.
    """
    name, colon, number = text.partition(":")
    try:
        margin = float(number) if colon else 0.0
    except ValueError:
        margin = math.nan
    if name != "not-worse" or not 0 <= margin < EVEN_RATE:
        raise InputError(f"{said or text}: no such gate. Write {FORM}.")
    return margin


def least_share_of(text: str, said: str = "") -> float:
    """The share that --judge-min-readable names: "0.8", or "80%".

    Args:
        said: the share as it was set, for the message.

    Raises:
        InputError: it is no share.
    """
    try:
        share = float(Decimal(text.removesuffix("%").strip()) / (100 if text.endswith("%") else 1))
    except (ArithmeticError, ValueError):
        share = math.nan
    if not 0 <= share <= 1:
        raise InputError(f"{said or text}: no such share. Write one from 0 to 1, or 80%.")
    return share


def lack_of_evidence(
    n_readable: int, n: int, least: float, n_skipped: int = 0, *, n_flipped: int = 0, n_unchanged: int = 0
) -> str:
    """Why so many readable comparisons decide nothing; "" where they may.

    One at least is needed, and not only some that change with the order; a suite in which no answer changed
    needs none.

    Args:
        n_readable, n: of the answers that changed. Of the others no judge was asked.
        n_skipped: of those that are not among `n_readable`, how many were skipped as inconsistent.
        n_flipped: of those among `n_readable`, how many are inconsistent.
        n_unchanged: answers that are the same as before.
    """
    if not n:
        return "" if n_unchanged else "nothing was compared"
    changed = " changed answers" if n_unchanged else ""
    if n_readable >= FEWEST_FLIPS and n_flipped == n_readable:
        what = f"verdicts{' on changed answers' if changed else ''}"
        return f"all {n_flipped} {what} change when the answers swap places, so the judge has told none apart"
    skipped = f" ({n_skipped} skipped as inconsistent)" if n_skipped else ""
    if not n_readable:
        return f"0 of {n}{changed} readable{skipped}"
    if n_readable / n < least:
        return f"{n_readable} of {n}{changed} readable{skipped}, and at least {100 * least:g} % must be"
    return ""


def gate(
    scores: Sequence[float],
    clusters: Sequence[str],
    margin: float,
    level: float = LEVEL,
    is_by_cluster: bool = False,
) -> GateResult:
    """Whether the win rate is below one half less the margin, by its two-sided interval.

    WORSE if and only if the whole interval lies below one half less the margin; NOT_WORSE if it lies above.

    Args:
        scores: of each case, 0, 0.5 or 1.
        clusters: the cluster of each case.
        is_by_cluster: every cluster counts once, however many cases it has.

    Raises:
        ValueError: there are no cases, or there are more or fewer clusters than scores.
    """
    sums, counts = by_cluster(scores, clusters)
    size = float(counts.mean())
    if is_by_cluster:
        sums, counts = sums / counts, np.ones_like(counts)
    low, high = (float(end) for end in interval(sums, counts, level))
    win_rate = float(sums.sum() / counts.sum())
    bound = EVEN_RATE - margin
    finding = finding_of(low, high, bound)
    return GateResult(
        finding,
        margin,
        win_rate,
        low,
        high,
        len(scores),
        len(sums),
        n_needed(sums, counts, bound, level, size) if finding is GateFinding.UNCLEAR else None,
        is_by_cluster,
    )


def finding_of(low: float, high: float, bound: float) -> GateFinding:
    """What an interval shows: whether all of it is below the bound, or at or above it."""
    if high < bound:
        return GateFinding.WORSE
    return GateFinding.NOT_WORSE if low >= bound else GateFinding.UNCLEAR


def by_cluster(scores: Sequence[float], clusters: Sequence[str]) -> tuple[Floats, Floats]:
    """The sum of the scores and the number of cases of each cluster, in order of first appearance."""
    if not scores:
        raise ValueError("a gate needs cases")
    number = {name: n for n, name in enumerate(dict.fromkeys(clusters))}
    places = [number[name] for _, name in zip(scores, clusters, strict=True)]
    sums = np.bincount(places, weights=np.asarray(scores, dtype=np.float64))
    return sums.astype(np.float64), np.bincount(places).astype(np.float64)


def interval(sums: Floats, counts: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """The two-sided interval of a mean over clusters (Student's t on cluster residuals), within 0 and 1.

    Its degrees of freedom are one less than the clusters, counted by Kish's effective number (1965,
    (sum n)^2 / sum n^2): all of them where they are equally large, few where one is most of the suite, whose
    interval would be far too narrow by the plain number. How often it holds: benchmarks/coverage.py.

    Args:
        sums, counts: of the scores of each cluster, shape (..., clusters); leading axes are suites.

    Returns:
        The lower and the upper ends, shape (...).
    """
    from scipy import stats

    size = counts.mean(axis=-1, keepdims=True)
    wins, losses = np.repeat(size, ADDED, axis=-1), np.zeros((*size.shape[:-1], ADDED))
    sums = np.concatenate([sums, wins, losses], axis=-1)
    counts = np.concatenate([counts, np.repeat(size, 2 * ADDED, axis=-1)], axis=-1)
    n, total = sums.shape[-1], counts.sum(axis=-1)
    mean = sums.sum(axis=-1) / total
    residuals = sums - mean[..., None] * counts
    error = np.sqrt(n / (n - 1) * (residuals**2).sum(axis=-1)) / total
    n_effective = total**2 / (counts**2).sum(axis=-1)
    reach = stats.t.ppf((1 + level) / 2, n_effective - 1) * error
    return np.clip(mean - reach, 0, 1), np.clip(mean + reach, 0, 1)


def n_needed(sums: Floats, counts: Floats, bound: float, level: float, size: float) -> int | None:
    """About how many cases like these would settle the gate; None if too many would.

    More clusters are the same ones, each about as often; it is found as if more always settled more.

    Args:
        size: the mean number of cases of a cluster, also where every cluster counts once.
    """
    low, high = len(sums), 2 * len(sums)
    while not is_settled(sums, counts, high, bound, level):
        low, high = high, 2 * high
        if low * size > MAX_NEEDED:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_settled(sums, counts, middle, bound, level) else (middle, high)
    return math.ceil(high * size) if high * size <= MAX_NEEDED else None


def is_settled(sums: Floats, counts: Floats, n: int, bound: float, level: float) -> bool:
    """Whether so many clusters, each of these about as often, tell which side of the bound the rate is on."""
    spread = np.lexsort((counts, sums))[np.arange(n) * len(sums) // n]
    low, high = interval(sums[spread], counts[spread], level)
    return finding_of(float(low), float(high), bound) is not GateFinding.UNCLEAR


# --- stopping early --------------------------------------------------------------------------------------


def sequential_gate(
    scores: Sequence[float], clusters: Sequence[str], margin: float, is_complete: bool
) -> GateResult | None:
    """What the cases so far show for certain of the mean of the clusters' win rates; None if more are needed.

    After every cluster an anytime-valid interval (99 %) may settle it; once `is_complete`, the interval at
    the end (96 %) does. Both errors together are at most those of one interval of 95 %.

    Args:
        scores, clusters: as in `gate`, each cluster whole, in an order in which the first are like the rest.
    """
    sums, counts = by_cluster(scores, clusters)
    rates = sums / counts
    low, high = confidence_sequence(rates)
    bound = EVEN_RATE - margin
    settled = np.flatnonzero((high < bound) | (low >= bound))
    if len(settled):
        n = int(settled[0])
        finding = finding_of(float(low[n]), float(high[n]), bound)
        return early_result(finding, margin, rates[: n + 1], low[n], high[n], int(counts[: n + 1].sum()))
    return gate(scores, clusters, margin, LAST_LEVEL, is_by_cluster=True) if is_complete else None


def early_result(
    finding: GateFinding, margin: float, rates: Floats, low: float, high: float, n_cases: int
) -> GateResult:
    """What the clusters with these win rates settled."""
    mean = float(rates.mean())
    return GateResult(finding, margin, mean, float(low), float(high), n_cases, len(rates), is_by_cluster=True)


def confidence_sequence(values: Floats, level: float = STOPPING_LEVEL) -> tuple[Floats, Floats]:
    """An interval after each value that holds at all times together (Waudby-Smith and Ramdas, 2023).

    For every possible mean one gambler bets that the values are lower and one that they are higher; a mean
    against which one of them grew rich is ruled out. Bets follow from earlier values alone (aGRAPA, section
    B.3).

    Args:
        values: from 0 to 1, independent, of one mean, shape (..., n).

    Returns:
        The lower and the upper ends, shape (..., n).
    """
    low, high = np.zeros(values.shape), np.ones(values.shape)
    bets = Bets.first(values.shape[:-1])
    for place in range(values.shape[-1]):
        bets = bets.after(values[..., place], level)
        low[..., place], high[..., place] = bets.ends
    return low, high


MEANS = np.linspace(0, 1, GRID)
"""The possible means."""

MOST = EVEN_RATE / np.maximum([MEANS, 1 - MEANS], 1e-9)
LOWEST_BETS, HIGHEST_BETS = np.stack([np.zeros(GRID), -MOST[1]]), np.stack([MOST[0], np.zeros(GRID)])
"""What the gamblers may bet, shape (2, GRID): first those on more than a mean, then those on less."""


@dataclass(frozen=True, slots=True)
class Bets:
    """The gamblers of `confidence_sequence` after `n` values, of one suite or of many.

    `total` is the sum of the values, `squares` that of their squared distances from what was expected, shape
    (...); `wealth` is in logarithms, shape (..., 2, GRID); `is_in` says which means are not ruled out, shape
    (..., GRID).
    """

    n: int
    total: Floats
    squares: Floats
    wealth: Floats
    is_in: NDArray[np.bool_]

    @classmethod
    def first(cls, shape: tuple[int, ...] = ()) -> Bets:
        """Before any value."""
        none = np.zeros(shape)
        return cls(0, none, none, np.zeros((*shape, 2, GRID)), np.ones((*shape, GRID), dtype=bool))

    def after(self, values: Floats, level: float = STOPPING_LEVEL) -> Bets:
        """After one more value of each suite, shape (...)."""
        guess = (EVEN_RATE + self.total) / (self.n + 1)
        spread = (EVEN_RATE**2 + self.squares) / (self.n + 1)
        lead = guess[..., None] - MEANS
        bet = np.clip((lead / (spread[..., None] + lead**2))[..., None, :], LOWEST_BETS, HIGHEST_BETS)
        wealth = self.wealth + np.log1p(bet * (values[..., None] - MEANS)[..., None, :])
        left = self.is_in & (wealth < math.log(2 / (1 - level))).all(axis=-2)
        is_in = np.where(left.any(axis=-1, keepdims=True), left, self.is_in)
        squares = self.squares + (values - guess) ** 2
        return Bets(self.n + 1, self.total + values, squares, wealth, is_in)

    @property
    def ends(self) -> tuple[Floats, Floats]:
        """The lower and the upper end of the interval, shape (...).

        They lie between the last mean that is in and the next one, which is out.
        """
        first, last = np.argmax(self.is_in, axis=-1), GRID - 1 - np.argmax(self.is_in[..., ::-1], axis=-1)
        return MEANS[np.maximum(first - 1, 0)], MEANS[np.minimum(last + 1, GRID - 1)]
