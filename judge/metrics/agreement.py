"""Agreement with people's votes by the conventions in use, which differ by up to twenty points.

`strict`, `without_ties` and `half` count votes that are no ties, `with_ties` all of them. `with_ties` and
`without_ties` are S1 and S2 of Zheng et al. (arXiv:2306.05685). An unread verdict is wrong everywhere but
in `without_ties`, which leaves out what the judge did not decide, and says beside it how much it covers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from judge.metrics.bootstrap import Floats, Measure, quotient, sums_by_cluster
from judge.metrics.panel import Comparison, decided, share


def strict(rows: Comparison) -> Measure:
    """A tie or an inconsistent verdict is wrong. The headline."""
    return share(rows, is_counted=rows.voted != 0, is_right=rows.judged == rows.voted)


def length_balanced(rows: Comparison) -> Measure | None:
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
    return Measure(sums_by_cluster(columns, rows.question, rows.n_questions), mean_of_two_ratios, n)


def with_ties(rows: Comparison) -> Measure:
    """Three ways, over all votes; an inconsistent verdict is a tie."""
    return share(rows, is_counted=np.ones(len(rows.voted), bool), is_right=rows.judged == rows.voted)


def without_ties(rows: Comparison) -> Measure:
    """Over the votes where neither the person nor the judge says tie."""
    return share(
        rows, is_counted=(rows.voted != 0) & decided(rows.judged), is_right=rows.judged == rows.voted
    )


def coverage(rows: Comparison) -> Measure:
    """The share of the votes that are no ties on which `without_ties` is counted."""
    return share(rows, is_counted=rows.voted != 0, is_right=decided(rows.judged))


def half(rows: Comparison) -> Measure:
    """A tie or an inconsistent verdict is half right."""
    credit = (rows.judged == rows.voted) + 0.5 * (rows.judged == 0)
    return share(rows, is_counted=rows.voted != 0, is_right=credit)


def single_order(rows: Comparison) -> Measure | None:
    """Each order by itself, the mean of both. None where no single reading is known."""
    if rows.by_order is None:
        return None
    return share(
        rows, is_counted=rows.voted != 0, is_right=(rows.by_order == rows.voted[:, None]).mean(axis=1)
    )


def by_mean(rows: Comparison) -> Measure | None:
    """The side of 0.5 on which the mean P(A) of both orders lies. None without probabilities."""
    if rows.by_mean is None:
        return None
    return share(rows, is_counted=rows.voted != 0, is_right=rows.by_mean == rows.voted)


CONVENTIONS: dict[str, Callable[[Comparison], Measure | None]] = {
    "strict": strict,
    "length_balanced": length_balanced,
    "with_ties": with_ties,
    "without_ties": without_ties,
    "coverage": coverage,
    "half": half,
    "single_order": single_order,
    "by_mean": by_mean,
}


def mean_of_two_ratios(sums: Floats) -> Floats:
    """From sums (right, all) of one part and of another; NaN where a part is empty."""
    return (quotient(sums[..., 0], sums[..., 1]) + quotient(sums[..., 2], sums[..., 3])) / 2
