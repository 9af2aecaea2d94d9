"""A chart for each table: our figures with intervals beside the paper's, one line a row of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.pictures import standing_alone
from benchmarks.system2.figures import Figure, figure_of, kinds_of, names_of, result_of
from benchmarks.system2.paper import MODEL, PAPER
from benchmarks.system2.tasks import TASKS
from judge.drawing.svg import BLUE, GRID, ORANGE, svg_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHARTS = {f"docs/system2-{name}.svg": name for name in TASKS}
"""What each chart file is about."""

WIDTH, HEIGHT_OF_ROW, MARGIN = 7.0, 0.34, 0.9  # inches


def chart_of(task_name: str) -> str:
    """The chart of a task as an SVG file, of the first kind of its questions."""
    task, result = TASKS[task_name], result_of(task_name)
    kind = kinds_of(task, result)[0]
    rows = [
        (what, PAPER[task_name].get((name, kind)), figure_of(result, name, kind))
        for name, what in names_of(task).items()
    ]
    shown = [row for row in rows if row[1] is not None or row[2] is not None]
    model = "ours" if result is None else result["base_model"]

    def draw(axes: Axes) -> None:
        draw_rows(axes, shown, model, f"right answers, %{f' ({kind} questions)' if kind else ''}")

    size = (WIDTH, MARGIN + HEIGHT_OF_ROW * len(shown))
    return standing_alone(svg_of(draw, size, f"{task_name}: right answers by row, the paper's and ours"))


def draw_rows(
    axes: Axes, rows: list[tuple[str, float | None, Figure | None]], model: str, label: str
) -> None:
    places = range(len(rows), 0, -1)
    papers = [(p, paper) for p, (_, paper, _) in zip(places, rows, strict=True) if paper is not None]
    axes.plot([x for _, x in papers], [y + 0.14 for y, _ in papers], "D", color=ORANGE, label=MODEL)
    ours = [(place, one) for place, (_, _, one) in zip(places, rows, strict=True) if one is not None]
    for place, one in ours:
        axes.plot([100 * one.low, 100 * one.high], [place - 0.14] * 2, color=BLUE, linewidth=1.5)
    if ours:
        axes.plot(
            [100 * one.share for _, one in ours], [p - 0.14 for p, _ in ours], "o", color=BLUE, label=model
        )
    axes.set_yticks(list(places), [what for what, _, _ in rows])
    axes.set_xlim(-2, 102)
    axes.set_ylim(0.4, len(rows) + 0.6)
    axes.set_xlabel(label)
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
