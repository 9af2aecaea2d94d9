"""Metrics of a judge against people's votes, one kind per file, over the arrays of `judge.metrics.panel`.

Every function returns a `judge.metrics.bootstrap.Measure` (sums per question and what is made of them, ready
for an interval) or a few of them by name, or None if a judge does not give what the metric needs. A metric
declares itself as a `judge.metrics.metric.Metric` in the file that computes it.

What is not one figure per judge is not a `Metric`: tests of two judges (`significance`), strengths of the
models that wrote the responses (`ranking`), the curves of `calibration`. `judge.study` gives each its own
place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from judge.errors import InputError
from judge.registry import Registry

if TYPE_CHECKING:
    from judge.metrics.metric import Metric

OURS = {
    "strict": "judge.metrics.agreement:STRICT",
    "length_balanced": "judge.metrics.agreement:LENGTH_BALANCED",
    "with_ties": "judge.metrics.agreement:WITH_TIES",
    "without_ties": "judge.metrics.agreement:WITHOUT_TIES",
    "coverage": "judge.metrics.agreement:COVERAGE",
    "half": "judge.metrics.agreement:HALF",
    "single_order": "judge.metrics.agreement:SINGLE_ORDER",
    "by_mean": "judge.metrics.agreement:BY_MEAN",
    "inconsistent": "judge.metrics.inconsistency:INCONSISTENT",
    "first_preference": "judge.metrics.inconsistency:FIRST_PREFERENCE",
    "second_preference": "judge.metrics.inconsistency:SECOND_PREFERENCE",
    "any_tie": "judge.metrics.inconsistency:ANY_TIE",
    "undecided": "judge.metrics.inconsistency:UNDECIDED",
    "unparsed": "judge.metrics.inconsistency:UNPARSED",
    "longer_chosen": "judge.metrics.bias:LONGER_CHOSEN",
    "strict_where_longer_is_right": "judge.metrics.bias:STRICT_WHERE_LONGER_IS_RIGHT",
    "strict_where_shorter_is_right": "judge.metrics.bias:STRICT_WHERE_SHORTER_IS_RIGHT",
    "cohen_kappa": "judge.metrics.kappa:COHEN_KAPPA",
    "cohen_kappa_without_ties": "judge.metrics.kappa:COHEN_KAPPA_WITHOUT_TIES",
    "krippendorff_alpha": "judge.metrics.kappa:KRIPPENDORFF_ALPHA",
    "brier": "judge.metrics.calibration:BRIER",
    "ece": "judge.metrics.calibration:ECE",
}
"""Our own, in the order of a result file. One more needs its declaration in a file of this folder and a line
here: docs/how-to/add-a-metric.md. Every study has all of these; those of other packages are asked for by
name, so that figures do not depend on what else is installed."""


def fault_of(name: str, found: object) -> str:
    """Why an object of another package is not a metric, or ""."""
    from judge.metrics.metric import Metric

    if not isinstance(found, Metric):
        return f"it is no Metric, but {type(found).__name__}"
    if found.name != name:
        return f"its name is {found.name}, and that of its entry point is {name}"
    return "" if found.of_judge or found.of_people else "it has neither of_judge nor of_people"


METRICS: Registry[Metric] = Registry("judge.metrics", "metric", OURS, fault_of)
"""Every metric by name, those of other packages too."""


def own_metrics() -> tuple[Metric, ...]:
    """All of ours, in the order of a result file."""
    return tuple(METRICS[name] for name in METRICS.ours)


def other_metrics(names: Sequence[str]) -> list[Metric]:
    """The metrics of other packages by these names, each once; ours are in every study anyway.

    Raises:
        InputError: there is no such metric.
        PluginError: another package defines it, but it cannot be used.
    """
    found: dict[str, Metric] = {}
    for name in names:
        metric = METRICS.find(name)
        if metric is None:
            known = ", ".join(METRICS.names())
            raise InputError(f"--metric {name}: no such metric. There are: {known}.{METRICS.like(name)}")
        if name not in METRICS.ours:
            found[name] = metric
    return list(found.values())
