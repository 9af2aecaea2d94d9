"""Curves of a training run as an SVG file: the letter's loss, and the results on held-out pairs."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from distill.history import History
from judge.drawing.svg import BLUE, GREEN, GRID, INK, MUTED, ORANGE, PURPLE
from judge.io.wording import one_line, shortened
from judge.io.writing import write_whole
from judge.records import Share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_TITLE = 100
LIGHT_BLUE = "#a9cfe8"

FEW_STEPS = 40
"""Up to this many steps get a mark each: a line through a single one could not be seen."""

REACH = 0.025
"""The smoothed loss is the mean over this share of all steps to either side."""


def write_curves(path: Path, history: History, title: str) -> None:
    """Writes the drawing as a file that any browser opens. Raises InputError where it cannot be written."""
    write_whole(path, curves_of(history, title), parents=True)


def curves_of(history: History, title: str) -> str:
    """A whole SVG file on white: the letter's loss by step on the left, what the looks found on the right."""
    import matplotlib
    from matplotlib.figure import Figure

    file = io.BytesIO()
    # Text stays text: the browser draws it, so a letter that matplotlib's font lacks is nothing to warn of.
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*Glyph .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "curves", "legend.fontsize": 9})
        matplotlib.rcParams.update({"text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": MUTED})
        matplotlib.rcParams.update({"xtick.color": INK, "ytick.color": INK, "lines.markersize": 5})
        figure = Figure(figsize=(11, 4.6), facecolor="white")
        figure.set_layout_engine("constrained", w_pad=0.15, h_pad=0.12)
        name = shortened(one_line(title), MAX_TITLE)
        figure.suptitle(name, x=0.015, ha="left", fontsize=11, parse_math=False)
        loss, shares = figure.subplots(1, 2)
        for axes, draw in ((loss, draw_loss), (shares, draw_shares)):
            draw(axes, history)
            finish(axes, history)
        figure.savefig(file, format="svg", metadata={"Title": name, "Date": None, "Creator": None})
    return file.getvalue().decode()


def draw_loss(axes: Axes, history: History) -> None:
    numbers, losses = [one.number for one in history.steps], [one.letter_loss for one in history.steps]
    if losses:
        marker = "." if len(losses) < FEW_STEPS else ""
        axes.plot(numbers, losses, marker=marker, color=LIGHT_BLUE, linewidth=0.7, label="each step")
    if reach := round(REACH * len(losses)):
        means = smoothed(losses, reach)
        axes.plot(numbers, means, color=BLUE, linewidth=2, label=f"mean of {2 * reach + 1} steps")
    if history.looks:
        steps, found = [look.step for look in history.looks], [look.letter_loss for look in history.looks]
        axes.plot(steps, found, marker="D", color=ORANGE, linewidth=1, label="held-out pairs")
    if (chance := history.chance) is not None:
        axes.axhline(chance, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        beside = axes.get_yaxis_transform()
        label = f"chance {chance:.3f}"
        axes.text(1.01, chance, label, transform=beside, va="center", color=MUTED, fontsize=9)
    axes.set_ylim(0, max(axes.get_ylim()[1], 1.15 * (chance or 0.0)))
    axes.set_ylabel("loss a token, nats" if chance is None else "letter's loss, nats")


def draw_shares(axes: Axes, history: History) -> None:
    looks, best = history.looks, history.best
    steps = [look.step for look in looks]
    if looks:
        agreement = [percent_of(look.agreement) for look in looks]
        inconsistent = [percent_of(look.inconsistent) for look in looks]
        axes.plot(steps, agreement, marker="o", color=GREEN, label="agree with the teacher")
        axes.plot(steps, inconsistent, marker="s", color=PURPLE, label="inconsistent")
    else:
        axes.text(
            0.5,
            0.6,
            "no looks at held-out pairs",
            transform=axes.transAxes,
            ha="center",
            va="center",
            color=MUTED,
        )
    if best:
        place = [best.step] * 2, [percent_of(best.agreement), percent_of(best.inconsistent)]
        (ring,) = axes.plot(*place, "o", color=INK, markersize=12, label=f"best, step {best.step:,}")
        ring.set(markerfacecolor="none", clip_on=False)
    axes.set_ylim(-3, 103)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.set_ylabel("% of the held-out pairs")


def percent_of(share: Share) -> float:
    return 100 * (share.value or 0.0)


def smoothed(values: Sequence[float], reach: int) -> list[float]:
    """Each value as the mean of those at most `reach` places away."""
    sums = [0.0, *accumulate(values)]
    ends = [(max(n - reach, 0), min(n + reach + 1, len(values))) for n in range(len(values))]
    return [(sums[end] - sums[start]) / (end - start) for start, end in ends]


def finish(axes: Axes, history: History) -> None:
    """Sets the axis of steps, the same in both panels, and the legend above the curves."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    last = max([1, *(one.number for one in history.steps), *(look.step for look in history.looks)])
    axes.set_xlim(-0.02 * last, 1.02 * last)
    axes.set_xlabel("optimizer steps")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10], integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    n_curves = len(axes.get_legend_handles_labels()[1])
    if n_curves:
        axes.legend(loc=(-0.02, 1.0), ncols=n_curves, frameon=False, handlelength=1.6, columnspacing=1.2)
