"""What a metric declares: its name, label, meaning and unit, where it is shown, and how it is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from judge.metrics.bootstrap import Measure
from judge.metrics.panel import Panel, Sides, VoteRows, with_each_other, with_judge


class Unit(StrEnum):
    """How a figure is written."""

    PERCENT = "percent"
    """A share from 0 to 1, times a hundred with one decimal, without the sign."""
    POINTS = "points"
    """A difference of shares, times a hundred, with its sign; marked where the interval excludes 0."""
    ELO = "elo"
    """A strength or a difference of strengths, with its sign and no decimals."""
    NUMBER = "number"
    """Any other figure, with three decimals."""


class MetricGroup(StrEnum):
    """The table that a metric is a column of."""

    CONSISTENCY = "consistency"
    """The main table, before agreement."""
    AGREEMENT = "agreement"
    """The main table."""
    LENGTH = "length"
    """The table of biases: what length decides."""
    POSITION = "position"
    """The table of biases: what position decides, and what has no winner."""
    CHANCE = "chance"
    """Agreement beyond chance."""
    CALIBRATION = "calibration"
    """What probabilities are worth."""
    OTHER = "other"
    """A table of its own, after these."""
    BEHIND = "behind"
    """No column: it is shown after another figure, in the same cell."""


@dataclass(frozen=True)
class Given:
    """What a metric looks at: votes, and the sides that a judge took; people alone where `sides` is None."""

    panel: Panel
    sides: Sides | None = None

    @cached_property
    def rows(self) -> VoteRows:
        """Every vote beside the judge's side; of people alone, beside every other person's vote."""
        return with_each_other(self.panel) if self.sides is None else with_judge(self.panel, self.sides)


Finder = Callable[[Given], Measure | None]
"""Computes the figure's sums from what is given; None if something that the figure needs is missing."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Tables, glossary, result files and documents take their words from here.

    Args:
        name: its key in result files.
        label: the heading of its column.
        meaning: one sentence that continues the label: what is counted, over what.
        unit: how it is written.
        group: the table that it is in.
        of_judge: the figure of one judge; None for a metric of people alone.
        of_people: the figure of people, usually as judges of each other; None if there is none.
    """

    name: str
    label: str
    meaning: str
    unit: Unit
    group: MetricGroup = MetricGroup.OTHER
    of_judge: Finder | None = None
    of_people: Finder | None = None


def over_votes(measure: Callable[[VoteRows], Measure | None]) -> Finder:
    """A figure that is counted over votes, each beside what a judge, or another person, said of the pair."""
    return lambda given: measure(given.rows)


def over_pairs(measure: Callable[[Panel, Sides], Measure | None]) -> Finder:
    """A figure of a judge that is counted over pairs, where votes matter little or not at all."""
    return lambda given: None if given.sides is None else measure(given.panel, given.sides)
