"""What a judge does when the responses swap places, over pairs: no votes are needed.

A pair is *read* where both orders gave a choice. Pairs, not votes, are counted, and cluster by question.
"""

from __future__ import annotations

import numpy as np

from judge.metrics.bootstrap import Measure
from judge.metrics.metric import Metric, MetricGroup, Unit, over_pairs
from judge.metrics.panel import UNREAD, Panel, Sides, share


def inconsistent(panel: Panel, sides: Sides, beside: Sides | None = None) -> Measure:
    """The share of the pairs read in both orders whose outcome changes with the order.

    With `beside` only of pairs that this other judge read in both orders, too. A tie in one order and a
    winner in the other is a change. This is the paper's "% inconsistent" (Yu et al.,
    arXiv:2407.06023); a judge that does not read the responses can have 0 %, as the baselines do.
    """
    is_read = sides.strict != UNREAD
    if beside is not None:
        is_read &= beside.strict != UNREAD
    return share(panel, is_counted=is_read, is_right=sides.is_inconsistent)


def first_preference(panel: Panel, sides: Sides) -> Measure | None:
    """The share of the inconsistent pairs in which both orders chose the first response shown.

    With `second_preference` it leaves those where one order said tie. None where single readings are unknown.
    """
    if sides.first_twice is None:
        return None
    return share(panel, is_counted=sides.is_inconsistent, is_right=sides.first_twice)


def second_preference(panel: Panel, sides: Sides) -> Measure | None:
    """The same with the second response shown."""
    if sides.second_twice is None:
        return None
    return share(panel, is_counted=sides.is_inconsistent, is_right=sides.second_twice)


def unparsed(panel: Panel, sides: Sides) -> Measure:
    """The share of all pairs in which one reply or both could not be read."""
    everywhere = np.ones(len(sides.strict), bool)
    return share(panel, is_counted=everywhere, is_right=sides.strict == UNREAD)


def any_tie(panel: Panel, sides: Sides) -> Measure:
    """The share of the pairs read in both orders that have no winner, the inconsistent ones among them."""
    return share(panel, is_counted=sides.strict != UNREAD, is_right=sides.strict == 0)


def undecided(panel: Panel, sides: Sides) -> Measure | None:
    """The share of the pairs read in both orders that are too close to call. None of a judge without any."""
    if not sides.is_undecided.any():
        return None
    return share(panel, is_counted=sides.strict != UNREAD, is_right=sides.is_undecided)


INCONSISTENT = Metric(
    name="inconsistent",
    label="Inconsistent",
    meaning="pairs whose verdict changes when the two answers swap places, of the pairs read in both orders. "
    "A tie in one order only is a change.",
    unit=Unit.PERCENT,
    group=MetricGroup.CONSISTENCY,
    of_judge=over_pairs(inconsistent),
)
FIRST_PREFERENCE = Metric(
    name="first_preference",
    label="First twice",
    meaning="both orders chose the first answer shown, of the inconsistent pairs.",
    unit=Unit.PERCENT,
    group=MetricGroup.POSITION,
    of_judge=over_pairs(first_preference),
)
SECOND_PREFERENCE = Metric(
    name="second_preference",
    label="Second twice",
    meaning="both orders chose the second answer shown, of the inconsistent pairs.",
    unit=Unit.PERCENT,
    group=MetricGroup.POSITION,
    of_judge=over_pairs(second_preference),
)
ANY_TIE = Metric(
    name="any_tie",
    label="No winner",
    meaning="neither answer wins, of the pairs read in both orders; inconsistent ones are among them.",
    unit=Unit.PERCENT,
    group=MetricGroup.POSITION,
    of_judge=over_pairs(any_tie),
)
UNDECIDED = Metric(
    name="undecided",
    label="Undecided",
    meaning="too close to call by the judge's calibration or band, of the pairs read in both orders; they "
    "count as ties. Only of a judge that left some undecided.",
    unit=Unit.PERCENT,
    group=MetricGroup.POSITION,
    of_judge=over_pairs(undecided),
)
UNPARSED = Metric(
    name="unparsed",
    label="Unparsed",
    meaning="one reply or both could not be read, of all pairs.",
    unit=Unit.PERCENT,
    group=MetricGroup.POSITION,
    of_judge=over_pairs(unparsed),
)
