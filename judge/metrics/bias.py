"""Length: how often the longer response is chosen, and how good a judge is where it should not be.

The longer response is the one with more characters (`Pair.longer`); responses of equal
length are left out. Everything is None where the texts, and with them the lengths, are not known.
"""

from __future__ import annotations

from judge.metrics.bootstrap import Measure
from judge.metrics.metric import Metric, MetricGroup, Unit, over_pairs, over_votes
from judge.metrics.panel import Ints, Panel, Sides, VoteRows, decided, share, votes_alone


def longer_chosen(panel: Panel, sides: Sides) -> Measure | None:
    """The share of the pairs that a judge decided, for A or B in both orders, in which it chose the longer.

    To be read beside `people_chose_longer`: a preference for length is a bias only beyond that of people.
    """
    if panel.longer is None:
        return None
    is_counted = decided(sides.strict) & (panel.longer != 0)
    return share(panel, is_counted, is_right=sides.strict == panel.longer)


def people_chose_longer(rows: VoteRows) -> Measure | None:
    """The share of the votes that are no ties which chose the longer response."""
    if rows.longer is None:
        return None
    return share(
        rows, is_counted=decided(rows.voted) & (rows.longer != 0), is_right=rows.voted == rows.longer
    )


def strict_where_longer_is_right(rows: VoteRows) -> Measure | None:
    """Strict agreement over the votes that chose the longer response. A tie or an inconsistency is wrong."""
    return None if rows.longer is None else _strict_where_chosen(rows, rows.longer)


def strict_where_shorter_is_right(rows: VoteRows) -> Measure | None:
    """Strict agreement over the votes that chose the shorter response. A tie or an inconsistency is wrong."""
    return None if rows.longer is None else _strict_where_chosen(rows, -rows.longer)


def _strict_where_chosen(rows: VoteRows, side: Ints) -> Measure:
    return share(
        rows, is_counted=decided(rows.voted) & (rows.voted == side), is_right=rows.judged == rows.voted
    )


LONGER_CHOSEN = Metric(
    name="longer_chosen",
    label="Longer chosen",
    meaning="the answer with more characters wins, of the pairs decided for A or B; for people, of their "
    "votes that are no ties. A bias is what goes beyond people.",
    unit=Unit.PERCENT,
    group=MetricGroup.LENGTH,
    of_judge=over_pairs(longer_chosen),
    of_people=lambda given: people_chose_longer(votes_alone(given.panel)),
)
STRICT_WHERE_LONGER_IS_RIGHT = Metric(
    name="strict_where_longer_is_right",
    label="Strict, longer is right",
    meaning="strict over the votes for the longer answer.",
    unit=Unit.PERCENT,
    group=MetricGroup.LENGTH,
    of_judge=over_votes(strict_where_longer_is_right),
)
STRICT_WHERE_SHORTER_IS_RIGHT = Metric(
    name="strict_where_shorter_is_right",
    label="Strict, shorter is right",
    meaning="strict over the votes for the shorter answer.",
    unit=Unit.PERCENT,
    group=MetricGroup.LENGTH,
    of_judge=over_votes(strict_where_shorter_is_right),
)
