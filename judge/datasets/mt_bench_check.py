"""Does the harness reproduce what is published? MT-bench turn 1, experts' votes, GPT-4's released verdicts.

The figures are those of Zheng et al. (arXiv:2306.05685) and of the released votes themselves, in percent to
one decimal. A harness that gets them wrong would get every other judge wrong too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from judge.datasets.dataset import Check, Dataset
from judge.metrics.agreement import coverage, half, length_balanced, strict, with_ties, without_ties
from judge.metrics.bootstrap import Measure
from judge.metrics.inconsistency import inconsistent
from judge.metrics.panel import panel_of, sides_of, with_each_other, with_judge
from judge.records import Share, Status, Verdict

PUBLISHED = {
    "with_ties": with_ties,
    "without_ties": without_ties,
    "coverage": coverage,
    "strict": strict,
    "half": half,
    "length_balanced": length_balanced,
}
N_PAIRS, N_VOTES = 821, 1343
GPT_4 = {
    "with_ties": 66.0,
    "without_ties": 84.6,
    "coverage": 82.0,
    "strict": 69.4,
    "half": 78.4,
    "length_balanced": 64.5,
}
HUMANS = {"with_ties": 63.0, "without_ties": 81.0, "strict": 68.4}
FLIPS, FLIPS_OF_ALL, N_ALL = 15.3, 15.7, 1200
ROUGHLY = {"coverage": 0}
"""Figures published to fewer decimals than one."""


def checks(data: Dataset, released: Sequence[Verdict]) -> list[Check]:
    """Every published figure beside ours.

    Args:
        data: MT-bench turn 1 with the experts' votes.
        released: GPT-4's verdicts on all pairs of turn 1.
    """
    panel = panel_of([pair.id for pair in data.pairs], data.votes, data.pairs)
    sides = sides_of(data.released["gpt-4"], panel)
    gpt_4, humans = with_judge(panel, sides), with_each_other(panel)
    flips = Share(sum(verdict.status is Status.INCONSISTENT for verdict in released), len(released))
    return [
        Check("pairs", N_PAIRS, len(panel.pair_ids)),
        Check("votes", N_VOTES, len(panel.voted)),
        *(
            Check(f"GPT-4 {name}", figure, _percent(PUBLISHED[name](gpt_4), name))
            for name, figure in GPT_4.items()
        ),
        Check("GPT-4 inconsistent", FLIPS, _percent(inconsistent(panel, sides))),
        Check("pairs of turn 1 with a released verdict", N_ALL, len(released)),
        Check("GPT-4 inconsistent on these", FLIPS_OF_ALL, round(100 * (flips.value or 0.0), 1)),
        *(
            Check(f"people {name}", figure, _percent(PUBLISHED[name](humans), name))
            for name, figure in HUMANS.items()
        ),
    ]


def _percent(measure: Measure | None, name: str = "") -> float | None:
    if measure is None:
        return None
    value = float(measure.statistic(measure.sums.sum(axis=0)))
    return None if np.isnan(value) else round(100 * value, ROUGHLY.get(name, 1))
