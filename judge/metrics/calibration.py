"""Whether a judge's probabilities mean what they say, over the votes that are no ties.

P(A) is the mean of both orders. The *confidence* is that of the likelier side, from 0.5 to 1; at exactly one
half the judge has no side and is half right. Votes on pairs without a probability are left out, and all is
None where a judge gives none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judge.metrics.bootstrap import Floats, Measure, quotient, ratio, sums_by_cluster
from judge.metrics.metric import Metric, MetricGroup, Unit, over_votes
from judge.metrics.panel import Bools, Ints, VoteRows, decided
from judge.records import Share

N_BINS = 10
COVERAGES = tuple(tenth / 10 for tenth in range(1, 11))


@dataclass(frozen=True, slots=True)
class Bin:
    """The votes whose confidence lies from `low` up to `high`: its mean, and the share that is right."""

    low: float
    high: float
    confidence: float
    right: Measure

    @property
    def n(self) -> int:
        return self.right.n


@dataclass(frozen=True, slots=True)
class AtCoverage:
    """The share that is right if the judge answers only from the confidence `threshold` up.

    `coverage` is what was asked for, `covered` what equal confidences make of it.
    """

    coverage: float
    threshold: float
    covered: Share
    right: Measure


@dataclass(frozen=True, slots=True)
class _Answers:
    """The votes that count; arrays of shape (n_votes,). `is_right` is 0, 0.5 or 1."""

    confidence: Floats
    is_right: Floats
    error: Floats
    question: Ints
    n_questions: int


def brier(rows: VoteRows) -> Measure | None:
    """The mean of (P(A) - y)^2, where y is 1 for a vote for A and 0 for one for B (Brier, 1950).

    0 is best, and 0.25 is what a constant one half gets.
    """
    if (answers := _answers(rows)) is None:
        return None
    columns = [answers.error**2, np.ones(len(answers.error))]
    sums = sums_by_cluster(columns, answers.question, answers.n_questions)
    return Measure(sums, ratio, len(answers.error), is_share=False)


def ece(rows: VoteRows, n_bins: int = N_BINS) -> Measure | None:
    """The expected calibration error (Guo et al., arXiv:1706.04599), 0 is best.

    The mean over votes of |share right - mean confidence| of their bin; bins are equally wide. Few votes per
    bin push it up, and in resampling even more, so its interval is higher than with more votes.
    """
    if (answers := _answers(rows)) is None:
        return None
    numbers = _bin_numbers(answers, n_bins)
    gaps = [(answers.is_right - answers.confidence) * (numbers == number) for number in range(n_bins)]
    columns = [*gaps, np.ones(len(numbers))]
    sums = sums_by_cluster(columns, answers.question, answers.n_questions)
    return Measure(sums, _mean_gap, len(numbers), is_share=False)


def reliability(rows: VoteRows, n_bins: int = N_BINS) -> list[Bin] | None:
    """The bins of `ece` from the lowest, without empty ones. A confidence on an edge is in the upper bin."""
    if (answers := _answers(rows)) is None:
        return None
    edges = _edges(n_bins)
    numbers = _bin_numbers(answers, n_bins)
    return [
        Bin(
            low=float(edges[number]),
            high=float(edges[number + 1]),
            confidence=float(answers.confidence[is_in].mean()),
            right=_share_right(answers, is_in),
        )
        for number in range(n_bins)
        if (is_in := numbers == number).any()
    ]


def accuracy_at_coverage(rows: VoteRows, coverages: Sequence[float] = COVERAGES) -> list[AtCoverage] | None:
    """The share right when the judge answers only the given shares of the votes, where it is surest.

    Votes of equal confidence, so all those on one pair, are answered together. Thresholds come from these
    votes and stay as they are in resampling. Empty without votes.
    """
    if (answers := _answers(rows)) is None:
        return None
    surest_first = -np.sort(-answers.confidence)
    n = len(surest_first)
    points = []
    for coverage in coverages if n else ():
        n_asked = max(1, math.ceil(coverage * n - 1e-9))  # 1e-9: 0.7 * 30 is a little more than 21
        threshold = float(surest_first[n_asked - 1])
        is_answered = answers.confidence >= threshold
        right = _share_right(answers, is_answered)
        points.append(AtCoverage(coverage, threshold, Share(right.n, n), right))
    return points


def _answers(rows: VoteRows) -> _Answers | None:
    if rows.p_a is None:
        return None
    is_counted = decided(rows.voted) & ~np.isnan(rows.p_a)
    p_a, chose_a = rows.p_a[is_counted], rows.voted[is_counted] == 1
    return _Answers(
        confidence=np.maximum(p_a, 1 - p_a),
        is_right=np.where(p_a == 0.5, 0.5, (p_a > 0.5) == chose_a),
        error=p_a - chose_a,
        question=rows.question[is_counted],
        n_questions=rows.n_questions,
    )


def _share_right(answers: _Answers, is_in: Bools) -> Measure:
    columns = [answers.is_right * is_in, is_in]
    sums = sums_by_cluster(columns, answers.question, answers.n_questions)
    return Measure(sums, ratio, int(is_in.sum()))


def _bin_numbers(answers: _Answers, n_bins: int) -> Ints:
    """The bin of each answer, from 0; rounded, since 1 - 0.15 is stored slightly off its edge."""
    places = np.round(2 * n_bins * (answers.confidence - 0.5), 9)
    return np.minimum(np.floor(places), n_bins - 1).astype(np.int64)


def _edges(n_bins: int) -> Floats:
    return np.linspace(0.5, 1.0, n_bins + 1)


def _mean_gap(sums: Floats) -> Floats:
    """From the sum of (right - confidence) in each bin, and the number of votes."""
    return quotient(np.abs(sums[..., :-1]).sum(axis=-1), sums[..., -1])


BRIER = Metric(
    name="brier",
    label="Brier score",
    meaning="mean squared distance of P(A) from the vote, over votes that are no ties. 0 is best; always "
    "saying 0.5 gets 0.25.",
    unit=Unit.NUMBER,
    group=MetricGroup.CALIBRATION,
    of_judge=over_votes(brier),
)
ECE = Metric(
    name="ece",
    label="ECE",
    meaning="expected calibration error: mean distance between confidence and the share right, over ten "
    "bins. 0 is best; few votes a bin push it up, and its interval more so.",
    unit=Unit.NUMBER,
    group=MetricGroup.CALIBRATION,
    of_judge=over_votes(ece),
)
