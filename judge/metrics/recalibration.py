"""How a judge's log-odds become the share of people who agree: a fitted line, and where to abstain.

Platt's way of scaling (1999) for two readings: P(A) = logistic(slope * z + offset), where z is the mean of
both orders' log-odds that a is better. It is fitted by logistic regression over the votes that are no ties,
with a normal prior, so that separable votes do not run away and few votes change little: the slope around 1
and the offset around 0, each with standard deviation `PRIOR`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from judge.metrics.bootstrap import (
    FEWEST_CLUSTERS,
    Estimate,
    Floats,
    Measure,
    Resampler,
    ratio,
    sums_by_cluster,
)
from judge.metrics.panel import Bools, Ints, VoteRows, decided

PRIOR = 1.0
N_FOLDS = 10
N_FITS = 1_000
"""How many times all is fitted again on questions drawn with replacement, for the intervals."""
FEWEST_ANSWERED = 10
"""A band has to leave so many votes: fewer show no precision."""
MOST_NEEDED = 100_000


@dataclass(frozen=True, slots=True)
class Odds:
    """Votes that are no ties beside a judge's log-odds; arrays of shape (n_votes,).

    `z` is the mean of both orders, `place` half the difference of AB and BA: what the first place gains.
    """

    z: Floats
    place: Floats
    is_a: Bools
    question: Ints
    n_questions: int

    @property
    def n(self) -> int:
        return len(self.z)


@dataclass(frozen=True, slots=True)
class Line:
    """P(A) = logistic(slope * z + offset)."""

    slope: float
    offset: float

    def p_a(self, z: Floats) -> Floats:
        from scipy.special import expit

        found: Floats = expit(self.slope * z + self.offset)
        return found


@dataclass(frozen=True, slots=True)
class Band:
    """The share right of the votes on which a judge is at least as sure as `below`; the rest is undecided."""

    precision: float
    below: float
    answered: Bools
    right: Measure


def odds_of(rows: VoteRows, in_ab: Floats, in_ba: Floats) -> Odds:
    """The votes that are no ties, on pairs of which both orders' log-odds are known.

    Args:
        in_ab, in_ba: log-odds that a is better, a row a vote, NaN where they are not known.
    """
    is_counted = decided(rows.voted) & ~np.isnan(in_ab) & ~np.isnan(in_ba)
    _, question = np.unique(rows.question[is_counted], return_inverse=True)
    return Odds(
        z=(in_ab + in_ba)[is_counted] / 2,
        place=(in_ab - in_ba)[is_counted] / 2,
        is_a=rows.voted[is_counted] == 1,
        question=question,
        n_questions=int(question.max(initial=-1)) + 1,
    )


def fitted(odds: Odds, weights: Floats | None = None) -> Line:
    """The likeliest line under the prior.

    Args:
        weights: how often each vote counts, shape (n_votes,); once where there are none.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    counts = np.ones(odds.n) if weights is None else weights
    x = np.column_stack([odds.z, np.ones(odds.n)])
    middle = np.array([1.0, 0.0])

    def loss(line: Floats) -> tuple[float, Floats]:
        at = x @ line
        gone = (line - middle) / PRIOR**2
        height = counts @ (np.logaddexp(0, at) - odds.is_a * at) + (line - middle) @ gone / 2
        return float(height), x.T @ (counts * (expit(at) - odds.is_a)) + gone

    def bend(line: Floats) -> Floats:
        p = expit(x @ line)
        found: Floats = x.T @ ((counts * p * (1 - p))[:, None] * x) + np.eye(2) / PRIOR**2
        return found

    slope, offset = minimize(loss, middle, jac=True, hess=bend, method="trust-exact").x
    return Line(float(slope), float(offset))


def line_intervals(odds: Odds, n_fits: int = N_FITS, seed: int = 0) -> tuple[Estimate, Estimate]:
    """Slope and offset with 95 % intervals: all is fitted again on questions drawn with replacement.

    Without an interval where there are fewer than `FEWEST_CLUSTERS` questions, or all fits are alike.
    """
    line = fitted(odds)
    drawn = Resampler(odds.n_questions, n_fits, seed).draws(np.eye(odds.n_questions))
    again = [fitted(odds, counts[odds.question]) for counts in drawn]
    ends = np.quantile([(one.slope, one.offset) for one in again], [0.025, 0.975], axis=0)

    def with_ends(value: float, low: float, high: float) -> Estimate:
        if odds.n_questions < FEWEST_CLUSTERS or math.isclose(low, high, rel_tol=1e-6):
            return Estimate(value, None, None, odds.n)
        return Estimate(value, low, high, odds.n)

    (low_slope, low_offset), (high_slope, high_offset) = ends.tolist()
    return with_ends(line.slope, low_slope, high_slope), with_ends(line.offset, low_offset, high_offset)


def on_other_questions(odds: Odds) -> Floats:
    """P(A) for each vote by a line that was fitted on other questions, shape (n_votes,): cross-validation.

    The questions are dealt out at random to `N_FOLDS` folds, or one by one where there are fewer.
    """
    fold = np.random.default_rng(0).permutation(odds.n_questions)[odds.question] % N_FOLDS
    p_a = np.full(odds.n, np.nan)
    for number in range(min(N_FOLDS, odds.n_questions)):
        is_out = fold == number
        p_a[is_out] = fitted(odds, (~is_out).astype(np.float64)).p_a(odds.z[is_out])
    return p_a


def place_bias(odds: Odds) -> Measure:
    """The log-odds that the first place gains: the mean of half the difference between AB and BA.

    In the mean of both orders it cancels; it is what judging in one order alone would add.
    """
    columns = [odds.place, np.ones(odds.n)]
    return Measure(sums_by_cluster(columns, odds.question, odds.n_questions), ratio, odds.n, is_share=False)


def log_loss(odds: Odds, p_a: Floats) -> Measure:
    """The mean of -ln P(what the vote says), 0 is best; always saying one half gets 0.693."""
    least = 1e-12
    said = np.clip(np.where(odds.is_a, p_a, 1 - p_a), least, 1)
    sums = sums_by_cluster([-np.log(said), np.ones(odds.n)], odds.question, odds.n_questions)
    return Measure(sums, ratio, odds.n, is_share=False)


def rows_with(odds: Odds, p_a: Floats) -> VoteRows:
    """The votes beside these probabilities, for the metrics of `judge.metrics.calibration`."""
    voted = np.where(odds.is_a, 1, -1)
    return VoteRows(voted, np.sign(p_a - 0.5).astype(np.intp), odds.question, odds.n_questions, p_a=p_a)


def band_for(odds: Odds, p_a: Floats, precision: float) -> Band | None:
    """The narrowest band that leaves votes of which at least the share `precision` is right.

    At exactly one half a judge is half right. None where no `FEWEST_ANSWERED` votes are as precise as that.
    """
    confidence = np.maximum(p_a, 1 - p_a)
    is_right = np.where(p_a == 0.5, 0.5, (p_a > 0.5) == odds.is_a)
    order = np.argsort(-confidence, kind="stable")
    share = np.cumsum(is_right[order]) / np.arange(1, odds.n + 1)
    is_last = np.append(np.diff(confidence[order]) != 0, True)  # votes of equal confidence stand together
    fits = np.flatnonzero(is_last & (share >= precision) & (np.arange(odds.n) >= FEWEST_ANSWERED - 1))
    if not len(fits):
        return None
    below = float(confidence[order[fits[-1]]])
    answered = confidence >= below
    sums = sums_by_cluster([is_right * answered, answered], odds.question, odds.n_questions)
    return Band(precision, below, answered, Measure(sums, ratio, int(answered.sum())))


def votes_needed(gain: Estimate) -> int | None:
    """How many votes like these would show such a gain; None if these do, or none would, of a loss too."""
    if gain.value is None or gain.low is None or gain.high is None or not gain.low <= 0 <= gain.high:
        return None
    if gain.value <= 0:
        return None
    reach = (gain.high - gain.low) / 2
    needed = max(gain.n + 1, math.ceil(gain.n * (reach / gain.value) ** 2))
    return needed if needed <= MOST_NEEDED else None
