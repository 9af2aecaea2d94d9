"""Figures and names as text for the cells of a table: percent, points and plain numbers with intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from judge.io.wording import one_line
from judge.metrics.bootstrap import Estimate
from judge.records import Share

NONE = "-"
MAX_ROW_NAME = 120


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure, its interval, and what follows them, each "" if there is none.

    `is_marked`: the interval of a difference excludes 0.
    """

    value: str = NONE
    interval: str = ""
    behind: str = ""
    is_marked: bool = False

    def __str__(self) -> str:
        return " ".join(part for part in (self.value, self.interval, self.behind, self.mark) if part)

    @property
    def mark(self) -> str:
        return "*" if self.is_marked else ""


def percent_cell(figure: Estimate | None, behind: str = "") -> Cell:
    return figure_cell(figure, percent_figure, behind)


def elo_cell(figure: Estimate | None) -> Cell:
    return figure_cell(figure, lambda value: unsigned_zero(f"{value:+.0f}"))


def points_cell(figure: Estimate | None) -> Cell:
    """A difference of shares, marked where its interval excludes 0."""
    found = figure_cell(figure, lambda value: unsigned_zero(f"{100 * value:+.1f}"))
    return replace(found, is_marked=figure is not None and is_clear(figure))


def figure_cell(figure: Estimate | None, written: Callable[[float], str], behind: str = "") -> Cell:
    if figure is None or figure.value is None:
        return Cell()
    if figure.low is None or figure.high is None:
        return Cell(written(figure.value), behind=behind)
    return Cell(written(figure.value), f"[{written(figure.low)}, {written(figure.high)}]", behind)


def number_cell(figure: Estimate | None) -> Cell:
    """A figure that is not a share, with three decimals."""
    return figure_cell(figure, lambda value: unsigned_zero(f"{value:.3f}"))


def judged_words(judged: Share | None) -> str:
    """For example 97 of 100 judged; "" where all pairs were."""
    return "" if judged is None or judged.count == judged.total else f"{judged_figure(judged)} judged"


def judged_figure(judged: Share) -> str:
    return f"{judged.count:,} of {judged.total:,}"


def rounded_cell(value: float | None) -> Cell:
    """A cost: the larger it is, the fewer decimals it needs."""
    if value is None:
        return Cell()
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return Cell(f"{value:,.{digits}f}")


def with_sign(figure: Estimate | None) -> str:
    """For example 69.4 % [64.8, 73.9]."""
    found = percent_cell(figure)
    return f"{found.value} % {found.interval}".rstrip() if found.value != NONE else NONE


def percent_figure(value: float) -> str:
    return unsigned_zero(f"{100 * value:.1f}")


def unsigned_zero(text: str) -> str:
    """The number; one that was rounded to 0 loses its sign, so there is no -0.0."""
    return text.lstrip("+-") if float(text) == 0 else text


def is_clear(difference: Estimate) -> bool:
    """Whether the interval excludes 0."""
    if difference.low is None or difference.high is None:
        return False
    return difference.low > 0 or difference.high < 0


def name_in_table(text: str) -> str:
    """A name on one line; a very long one keeps both ends, as a fingerprint's end is its hash."""
    line = one_line(text)
    if len(line) <= MAX_ROW_NAME:
        return line
    return f"{line[: MAX_ROW_NAME // 2]}…{line[-(MAX_ROW_NAME // 2 - 1) :]}"
