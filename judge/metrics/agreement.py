"""Agreement with people's votes by the conventions in use, which differ by up to twenty points.

`strict`, `without_ties` and `half` count votes that are no ties, `with_ties` all of them. `with_ties` and
`without_ties` are S1 and S2 of Zheng et al. (arXiv:2306.05685). An unread verdict is wrong everywhere but
in `without_ties`, which leaves out what the judge did not decide, and says beside it how much it covers.
"""

from __future__ import annotations

import numpy as np

from judge.metrics.bootstrap import Floats, Measure, quotient, sums_by_cluster
from judge.metrics.metric import Metric, MetricGroup, Unit, over_votes
from judge.metrics.panel import VoteRows, decided, share


def strict(rows: VoteRows) -> Measure:
    """A tie or an inconsistent verdict is wrong. The headline."""
    return share(rows, is_counted=rows.voted != 0, is_right=rows.judged == rows.voted)


def length_balanced(rows: VoteRows) -> Measure | None:
    """The mean of `strict` where people chose the longer response and where they chose the shorter one.

    A judge that only looks at length gets 50 %. None without texts.
    """
    if rows.longer is None:
        return None
    is_right = rows.judged == rows.voted
    chose_longer = (rows.voted != 0) & (rows.voted == rows.longer)
    chose_shorter = (rows.voted != 0) & (rows.voted == -rows.longer)
    columns = [is_right & chose_longer, chose_longer, is_right & chose_shorter, chose_shorter]
    n = int((chose_longer | chose_shorter).sum())
    sums = sums_by_cluster(columns, rows.question, rows.n_questions)
    return Measure(sums, mean_of_two_ratios, n, n_clusters=int((sums[:, [1, 3]] > 0).sum(axis=0).min()))


def with_ties(rows: VoteRows) -> Measure:
    """Of three outcomes, over all votes; an inconsistent verdict is a tie."""
    return share(rows, is_counted=np.ones(len(rows.voted), bool), is_right=rows.judged == rows.voted)


def without_ties(rows: VoteRows) -> Measure:
    """Over the votes where neither the person nor the judge says tie."""
    return share(
        rows, is_counted=(rows.voted != 0) & decided(rows.judged), is_right=rows.judged == rows.voted
    )


def coverage(rows: VoteRows) -> Measure:
    """The share of the votes that are no ties on which `without_ties` is counted."""
    return share(rows, is_counted=rows.voted != 0, is_right=decided(rows.judged))


def half(rows: VoteRows) -> Measure:
    """A tie or an inconsistent verdict is half right."""
    credit = (rows.judged == rows.voted) + 0.5 * (rows.judged == 0)
    return share(rows, is_counted=rows.voted != 0, is_right=credit)


def single_order(rows: VoteRows) -> Measure | None:
    """Each order by itself, the mean of both. None where no single reading is known."""
    if rows.by_order is None:
        return None
    return share(
        rows, is_counted=rows.voted != 0, is_right=(rows.by_order == rows.voted[:, None]).mean(axis=1)
    )


def by_mean(rows: VoteRows) -> Measure | None:
    """The side of 0.5 on which the mean P(A) of both orders lies. None without probabilities."""
    if rows.by_mean is None:
        return None
    return share(rows, is_counted=rows.voted != 0, is_right=rows.by_mean == rows.voted)


def mean_of_two_ratios(sums: Floats) -> Floats:
    """From sums (right, all) of one part and of another; NaN where a part is empty."""
    return (quotient(sums[..., 0], sums[..., 1]) + quotient(sums[..., 2], sums[..., 3])) / 2


STRICT = Metric(
    name="strict",
    label="Strict",
    meaning="the headline: votes that are no ties; both orders have to say what the vote says. A tie, an "
    "inconsistent or an unread pair is wrong.",
    unit=Unit.PERCENT,
    group=MetricGroup.AGREEMENT,
    of_judge=over_votes(strict),
    of_people=over_votes(strict),
)
LENGTH_BALANCED = Metric(
    name="length_balanced",
    label="Length balanced",
    meaning="the mean of strict where people chose the longer answer and strict where they chose the "
    "shorter. Who looks at nothing but length gets 50.",
    unit=Unit.PERCENT,
    group=MetricGroup.AGREEMENT,
    of_judge=over_votes(length_balanced),
    of_people=over_votes(length_balanced),
)
WITH_TIES = Metric(
    name="with_ties",
    label="With ties",
    meaning="all votes, three ways (A, B, tie); an inconsistent pair is a tie. S1 of Zheng et al. "
    "(arXiv:2306.05685).",
    unit=Unit.PERCENT,
    group=MetricGroup.AGREEMENT,
    of_judge=over_votes(with_ties),
    of_people=over_votes(with_ties),
)
WITHOUT_TIES = Metric(
    name="without_ties",
    label="Without ties, at coverage",
    meaning="votes where neither the person nor the judge says tie, and the share of the votes that are no "
    "ties on which this is counted. S2 of Zheng et al.; it leaves out what the judge flips on.",
    unit=Unit.PERCENT,
    group=MetricGroup.AGREEMENT,
    of_judge=over_votes(without_ties),
    of_people=over_votes(without_ties),
)
COVERAGE = Metric(
    name="coverage",
    label="Coverage",
    meaning="the share of the votes that are no ties on which without ties is counted.",
    unit=Unit.PERCENT,
    group=MetricGroup.BEHIND,
    of_judge=over_votes(coverage),
    of_people=over_votes(coverage),
)
HALF = Metric(
    name="half",
    label="Half",
    meaning="as strict, but a tie or an inconsistent pair is half right.",
    unit=Unit.PERCENT,
    group=MetricGroup.AGREEMENT,
    of_judge=over_votes(half),
    of_people=over_votes(half),
)
SINGLE_ORDER = Metric(
    name="single_order",
    label="Single order",
    meaning="votes that are no ties; each order by itself, the mean of both.",
    unit=Unit.PERCENT,
    group=MetricGroup.AGREEMENT,
    of_judge=over_votes(single_order),
)
BY_MEAN = Metric(
    name="by_mean",
    label="By mean",
    meaning="votes that are no ties; the side on which the mean probability of both orders lies.",
    unit=Unit.PERCENT,
    group=MetricGroup.AGREEMENT,
    of_judge=over_votes(by_mean),
)
