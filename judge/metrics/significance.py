"""Two judges on the same pairs: a test that is customary, beside the clustered difference that is better."""

from __future__ import annotations

from dataclasses import dataclass

from judge.metrics.panel import Panel, Sides, decided, majorities


@dataclass(frozen=True, slots=True)
class McNemar:
    """How many pairs only one of two judges has right. `p_value` is two-sided and exact."""

    n_pairs: int
    only_one_right: int
    only_other_right: int
    p_value: float


def mcnemar(panel: Panel, one: Sides, other: Sides) -> McNemar:
    """McNemar's exact test of two judges, over the pairs where most people chose A or most chose B.

    Right is the strict side that most people took (doi:10.1007/BF02295996); pairs on which both are right or
    both are wrong say nothing, and where there are no others the p-value is 1. It is NOT clustered by
    question: it treats pairs with the same question as independent and is therefore too sure. Trust the
    interval of `judge.metrics.bootstrap.difference` instead.
    """
    from scipy.stats import binomtest  # takes half a second to import

    majority = majorities(panel)
    is_counted = decided(majority)
    one_right, other_right = one.strict == majority, other.strict == majority
    only_one = int((is_counted & one_right & ~other_right).sum())
    only_other = int((is_counted & other_right & ~one_right).sum())
    n_discordant = only_one + only_other
    p_value = float(binomtest(only_one, n_discordant).pvalue) if n_discordant else 1.0
    return McNemar(int(is_counted.sum()), only_one, only_other, p_value)
