"""Agreement beyond chance: Cohen's kappa of a judge with people, Krippendorff's alpha of people alone.

Neither is a share: 1 is agreement throughout, 0 what the marginal frequencies alone would give, and less is
possible. Which response is called A is arbitrary, so that calling it B in some pairs moves the marginal
frequencies, and with them these figures, a little; renaming all pairs moves nothing.
"""

from __future__ import annotations

import math

import numpy as np

from judge.metrics.bootstrap import Floats, Measure, quotient, sums_by_cluster
from judge.metrics.metric import Metric, MetricGroup, Unit, over_votes
from judge.metrics.panel import UNREAD, Bools, Panel, VoteRows, decided

SIDE_CODES = (1, -1, 0)


def cohen(rows: VoteRows) -> Measure:
    """Cohen's kappa of votes and verdicts, in the categories A, B and tie (Cohen, 1960).

    (p_o - p_e) / (1 - p_e), where p_o is the share of votes that agree and p_e what it would be if both were
    independent: doi:10.1177/001316446002000104. An inconsistent verdict is a tie; an unread one is left out.
    It does not exist if both always say the same one thing.
    """
    return _kappa(rows, is_counted=rows.judged != UNREAD)


def cohen_without_ties(rows: VoteRows) -> Measure:
    """The same in the categories A and B, over the votes where neither the person nor the judge says tie."""
    return _kappa(rows, is_counted=decided(rows.voted) & decided(rows.judged))


def krippendorff_alpha(panel: Panel) -> Measure:
    """Krippendorff's alpha among people, in the categories A, B and tie without an order among them.

    1 - D_o / D_e over all votes on pairs with two votes or more; a pair with m votes puts each two of them
    into the observed disagreement with weight 1 / (m - 1) (Krippendorff, "Computing Krippendorff's
    Alpha-Reliability", 2011). Nobody agrees with themselves: of a person who votes twice on a pair the first
    vote counts. It does not exist if all votes say the same.
    """
    counts = np.zeros((len(panel.pair_ids), len(SIDE_CODES)))
    _, first = np.unique(np.stack([panel.voted_pair, panel.voter]), axis=1, return_index=True)
    np.add.at(counts, (panel.voted_pair[first], panel.voted[first]), 1)  # columns 0, 1, -1: tie, A, B
    counts[counts.sum(axis=1) < 2] = 0
    n_votes = counts.sum(axis=1)
    agreeing = (counts * (counts - 1)).sum(axis=1) / np.maximum(n_votes - 1, 1)
    sums = sums_by_cluster([agreeing, *counts.T], panel.question, panel.n_questions)
    return Measure(sums, _alpha, int(n_votes.sum()), is_share=False)


def _kappa(rows: VoteRows, is_counted: Bools) -> Measure:
    cells = [
        is_counted & (rows.voted == said) & (rows.judged == judged)
        for said in SIDE_CODES
        for judged in SIDE_CODES
    ]
    sums = sums_by_cluster(cells, rows.question, rows.n_questions)
    return Measure(sums, _kappa_of_cells, int(is_counted.sum()), is_share=False)


def _kappa_of_cells(sums: Floats) -> Floats:
    """From the cells of a square table of counts, row after row."""
    size = math.isqrt(sums.shape[-1])
    table = sums.reshape(*sums.shape[:-1], size, size)
    n = table.sum(axis=(-1, -2))
    agreeing = np.trace(table, axis1=-2, axis2=-1)
    by_chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1)  # times n
    return quotient(n * agreeing - by_chance, n * n - by_chance)


def _alpha(sums: Floats) -> Floats:
    """From the weighted number of agreeing votes and the number of votes in each category."""
    agreeing, counts = sums[..., 0], sums[..., 1:]
    n = counts.sum(axis=-1)
    by_chance = (counts * (counts - 1)).sum(axis=-1)  # times n - 1
    return 1 - quotient((n - agreeing) * (n - 1), n * (n - 1) - by_chance)


COHEN_KAPPA = Metric(
    name="cohen_kappa",
    label="Cohen's kappa",
    meaning="votes and verdicts as A, B or tie, beyond chance; an inconsistent pair is a tie, an unread one "
    "is left out.",
    unit=Unit.NUMBER,
    group=MetricGroup.CHANCE,
    of_judge=over_votes(cohen),
)
COHEN_KAPPA_WITHOUT_TIES = Metric(
    name="cohen_kappa_without_ties",
    label="Cohen's kappa, no ties",
    meaning="the same over the votes where neither says tie.",
    unit=Unit.NUMBER,
    group=MetricGroup.CHANCE,
    of_judge=over_votes(cohen_without_ties),
)
KRIPPENDORFF_ALPHA = Metric(
    name="krippendorff_alpha",
    label="Krippendorff's alpha",
    meaning="people among themselves, on pairs with two votes or more.",
    unit=Unit.NUMBER,
    group=MetricGroup.CHANCE,
    of_people=lambda given: krippendorff_alpha(given.panel),
)
