"""Plots of a report as SVG for its page: P(A) of each pair in both orders, % inconsistent by category."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from judge.drawing.svg import BLUE, GRID, INK, MUTED, ORANGE, PANEL, svg_of
from judge.io.wording import name_of, one_line, percent, shortened
from judge.records import Choice, Outcome, Status
from judge.report.summary import CategoryGroup, Report, ReportRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_DUMBBELLS = 60
MAX_BARS = 40


# Pairs


def plot_of_positions(report: Report) -> str | None:
    """P(A) in both orders as SVG: a dumbbell for each pair, or a scatter of many; None without
    probabilities."""
    rows = rows_with_mean(report)
    if not rows:
        return None
    n_flipped = sum(row.status is Status.INCONSISTENT for row in rows)
    alt = (
        f"P(A) with A shown first and with B shown first, for {len(rows)} pairs: {len(rows) - n_flipped} "
        f"consistent and {n_flipped} inconsistent. The table of pairs has the figures."
    )
    if len(rows) > MAX_DUMBBELLS:
        return svg_of(lambda axes: draw_scatter(axes, rows), (5.2, 5.4), alt)
    return svg_of(lambda axes: draw_dumbbells(axes, rows), (5.2, 1.3 + 0.22 * len(rows)), alt)


def rows_with_mean(report: Report) -> list[ReportRow]:
    """The rows that can be drawn, by rising mean P(A): those that have P(A) in both orders, too."""
    rows = (row for row in report.rows if row.p_a is not None and None not in row.p_a_by_order.values())
    return sorted(rows, key=lambda row: row.p_a or 0.0)


def both_p_a(row: ReportRow) -> tuple[float, float]:
    """P(A) with A shown first and with B shown first, of a row that can be drawn."""
    in_ab, in_ba = row.p_a_by_order.values()
    assert in_ab is not None
    assert in_ba is not None
    return in_ab, in_ba


def draw_dumbbells(axes: Axes, rows: Sequence[ReportRow]) -> None:
    for y, row in enumerate(rows):
        look = look_of(row.status)
        in_ab, in_ba = both_p_a(row)
        axes.plot([in_ab, in_ba], [y, y], color=look["markeredgecolor"], linewidth=1.6, zorder=2)
        axes.plot([in_ab], [y], "o", markersize=7, zorder=3, **look)
        axes.plot([in_ba], [y], "D", markersize=5.8, zorder=3, **look)
    labels = [shortened(one_line(row.id), 24) for row in rows]
    axes.set_yticks(range(len(rows)), labels, parse_math=False)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xlim(-0.03, 1.03)
    axes.spines["bottom"].set_bounds(0, 1)
    axes.axvline(0.5, color=MUTED, linewidth=1, zorder=1)
    axes.grid(axis="y", color=GRID, linewidth=0.6, zorder=0)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    axes.set_xlabel("B better   ←   P(A)   →   A better")
    add_legend(axes, both_shapes=True)


def draw_scatter(axes: Axes, rows: Sequence[ReportRow]) -> None:
    # One mark per hundredth: the plot stays small with any number of pairs.
    for status in (Status.CONSISTENT, Status.INCONSISTENT):
        members = [row for row in rows if row.status is status]
        places = sorted({(round(in_ab, 2), round(in_ba, 2)) for in_ab, in_ba in map(both_p_a, members)})
        xs, ys = [x for x, _ in places], [y for _, y in places]
        axes.plot(xs, ys, "o", markersize=4, alpha=0.65, zorder=2, **look_of(status))
    corners: dict[tuple[float, float], tuple[str, Callable[[ReportRow], bool]]] = {
        (0.98, 0.98): ("consistent: A", lambda r: r.status is Status.CONSISTENT and r.outcome is Outcome.A),
        (0.02, 0.02): ("consistent: B", lambda r: r.status is Status.CONSISTENT and r.outcome is Outcome.B),
        (0.98, 0.02): ("always the first shown", lambda r: r.is_always(Choice.FIRST)),
        (0.02, 0.98): ("always the second shown", lambda r: r.is_always(Choice.SECOND)),
    }
    for (x, y), (name, is_here) in corners.items():
        axes.text(
            x,
            y,
            f"{name}\n{sum(map(is_here, rows)):,}",
            ha="left" if x < 0.5 else "right",
            va="bottom" if y < 0.5 else "top",
            color=INK,
            bbox={"facecolor": PANEL, "edgecolor": "none", "alpha": 0.92, "pad": 3},
            zorder=4,
        )
    axes.axhline(0.5, color=MUTED, linewidth=1, zorder=1)
    axes.axvline(0.5, color=MUTED, linewidth=1, zorder=1)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_aspect("equal")
    axes.set_xlabel("P(A), A shown first")
    axes.set_ylabel("P(A), B shown first")
    add_legend(axes, both_shapes=False)


def look_of(status: Status) -> dict[str, Any]:
    """Consistent pairs are filled and blue, inconsistent ones hollow and orange."""
    is_flipped = status is Status.INCONSISTENT
    colour = ORANGE if is_flipped else BLUE
    face = PANEL if is_flipped else colour
    return {"markeredgecolor": colour, "markerfacecolor": face, "markeredgewidth": 1.5}


def add_legend(axes: Axes, both_shapes: bool) -> None:
    from matplotlib.lines import Line2D

    line = 1.6 if both_shapes else 0
    handles = []
    for status in (Status.CONSISTENT, Status.INCONSISTENT):
        look = look_of(status)
        colour = look["markeredgecolor"]
        handles.append(Line2D([], [], marker="o", color=colour, linewidth=line, label=status.value, **look))
    if both_shapes:
        handles.append(Line2D([], [], marker="o", color=MUTED, linewidth=0, label="A shown first"))
        handles.append(
            Line2D([], [], marker="D", color=MUTED, linewidth=0, markersize=5, label="B shown first")
        )
    assert axes.figure is not None
    axes.figure.legend(handles=handles, loc="outside upper left", ncols=2, frameon=False, handlelength=1.6)


# Categories


def plot_of_categories(report: Report) -> str | None:
    """% inconsistent of each category as SVG, worst first; None without categories or with too many."""
    if not 1 <= len(report.by_category) <= MAX_BARS:
        return None
    by_share = sorted(report.by_category.items(), key=lambda item: item[1].inconsistent.value or 0.0)
    height = 0.75 + 0.3 * len(by_share)
    alt = "Share of inconsistent pairs by category: " + ", ".join(
        f"{name_of(category)} {percent(group.inconsistent)}" for category, group in reversed(by_share)
    )
    return svg_of(lambda axes: draw_bars(axes, by_share), (3.7, height), alt)


def draw_bars(axes: Axes, by_share: Sequence[tuple[str, CategoryGroup]]) -> None:
    for y, (_, group) in enumerate(by_share):
        share = group.inconsistent.value or 0.0
        axes.barh(y, 100 * share, height=0.62, color=ORANGE, zorder=2)
        axes.text(100 * share + 2, y, percent(group.inconsistent), va="center", color=INK, zorder=3)
    axes.set_yticks(range(len(by_share)), [shortened(one_line(c), 18) for c, _ in by_share], parse_math=False)
    axes.set_ylim(-0.6, len(by_share) - 0.4)
    # Room for the words right of a full bar.
    axes.set_xlim(0, 148)
    axes.spines["bottom"].set_bounds(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.grid(axis="x", color=GRID, linewidth=0.8, zorder=0)
    axes.set_xlabel("% inconsistent")
