"""Charts of a study as SVG for its page: judges by category, and what their probabilities are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

from judge.drawing.svg import BLUE, GREEN, GRID, INK, MUTED, ORANGE, PANEL, PURPLE, YELLOW, svg_of
from judge.io.wording import one_line, shortened
from judge.metrics.bootstrap import Estimate
from judge.study.cells import percent_figure
from judge.study.glossary import METRICS
from judge.study.scoreboard import LONGER, Figures, name_and_judged
from judge.study.study import ALL, EntrantKind, Standing, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_CATEGORIES = 30
MAX_JUDGES = 5
LEGEND_WIDTH = 46
WIDTH = 4.8

# Shape and colour both tell entrants apart, so that grey print and colour-blind readers lose nothing.
LOOKS = (("o", BLUE), ("s", ORANGE), ("^", GREEN), ("D", PURPLE), ("v", YELLOW))
LOOK_OF_LONGER = ("X", MUTED)

BY_LENGTH = ("strict_where_shorter_is_right", "strict_where_longer_is_right")
AXES = {
    "strict": "strict agreement, %",
    "length_balanced": "length-balanced agreement, %",
    "inconsistent": "inconsistent, %",
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """An entrant in a chart, with its marker and colour."""

    standing: Standing
    marker: str
    colour: str

    @property
    def name(self) -> str:
        return name_and_judged(self.standing)


def drawn_of(study: Study) -> list[Drawn]:
    """The entrants that charts show: at most `MAX_JUDGES`, judges before released ones, and "longer wins"."""
    members = [
        standing
        for kind in (EntrantKind.JUDGE, EntrantKind.RELEASED)
        for standing in study.standings
        if standing.kind is kind
    ]
    drawn = [Drawn(one, marker, colour) for one, (marker, colour) in zip(members, LOOKS, strict=False)]
    longer = [one for one in study.standings if one.kind is EntrantKind.BASELINE and one.name == LONGER]
    return drawn + [Drawn(one, *LOOK_OF_LONGER) for one in longer]


def not_drawn(study: Study) -> str:
    """A sentence on the judges that the charts leave out; "" if they show all."""
    n_left_out = sum(one.kind is not EntrantKind.BASELINE for one in study.standings) - MAX_JUDGES
    if n_left_out <= 0:
        return ""
    return f"Charts show the first {MAX_JUDGES} judges; the {n_left_out} others are in the tables."


# By category


@dataclass(frozen=True, slots=True)
class Strip:
    """A row of a chart: a figure of each drawn entrant, and people's share where there is one."""

    label: str
    figures: tuple[Estimate | None, ...]
    people: float | None


def chart_by_category(study: Study, name: str) -> str | None:
    """One metric of each entrant with its interval as SVG, one row per category and one for all.

    Agreement has people's agreement by the same convention beside it, and a coin's. None with more than
    `MAX_CATEGORIES` categories, or if no entrant has the figure.
    """
    drawn = [one for one in drawn_of(study) if name in one.standing.figures]
    if not drawn or len(study.by_category) > MAX_CATEGORIES:
        return None
    in_all = [one.standing.figures for one in drawn]
    strips = [strip_of(ALL, in_all, study.people.figures, name)]
    for category in study.by_category:
        there = [one.standing.by_category.get(category, {}) for one in drawn]
        strips.append(strip_of(category, there, study.people.by_category.get(category, {}), name))
    height = 0.62 + legend_height(drawn) + len(strips) * row_height(len(drawn))
    told = ", ".join(
        f"{one.name} {figure_in_words(figure)}" for one, figure in zip(drawn, strips[0].figures, strict=True)
    )
    alt = f"{METRICS[name].label} in percent with intervals, in all: {told}. By category: see the table."
    return svg_of(lambda axes: draw_strips(axes, strips, drawn, name), (WIDTH, height), alt)


def strip_of(label: str, entrants: Sequence[Figures], people: Figures, name: str) -> Strip:
    ceiling = people.get(name)
    return Strip(
        shortened(one_line(label), 18),
        tuple(figures.get(name) for figures in entrants),
        None if ceiling is None else ceiling.value,
    )


def draw_strips(axes: Axes, strips: Sequence[Strip], drawn: Sequence[Drawn], name: str) -> None:
    """One strip under the other, in each the entrants from top to bottom and people as a line across."""
    is_agreement = name != "inconsistent"
    step = 0.78 / max(len(drawn), 2)
    for y, strip in enumerate(strips):
        for place, (one, figure) in enumerate(zip(drawn, strip.figures, strict=True)):
            # That a rule is never inconsistent is known, not estimated.
            has_interval = is_agreement or one.standing.kind is not EntrantKind.BASELINE
            draw_estimate(axes, figure, y + step * (place - (len(drawn) - 1) / 2), one, has_interval)
        if strip.people is not None:
            axes.plot([100 * strip.people] * 2, [y - 0.42, y + 0.42], color=INK, linewidth=2.2, zorder=2)
            axes.text(104, y, f"people {percent_figure(strip.people)}", va="center", color=INK, fontsize=8.5)
    axes.set_yticks(range(len(strips)), [strip.label for strip in strips], parse_math=False)
    axes.set_ylim(len(strips) - 0.45, -0.55)
    for y in range(1, len(strips)):
        axes.axhline(y - 0.5, color=MUTED if y == 1 else GRID, linewidth=0.8, zorder=0)
    axes.set_xlim(-2, 128 if any(strip.people is not None for strip in strips) else 102)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.spines["bottom"].set_bounds(0, 100)
    axes.set_xlabel(AXES[name])
    if is_agreement:
        axes.axvline(50, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        axes.text(50, -0.6, "coin", ha="center", va="bottom", color=MUTED, fontsize=8.5)
    add_legend(axes, drawn)


def draw_estimate(
    axes: Axes, figure: Estimate | None, y: float, one: Drawn, has_interval: bool = True
) -> None:
    if figure is None or figure.value is None:
        return
    if has_interval and figure.low is not None and figure.high is not None:
        axes.plot([100 * figure.low, 100 * figure.high], [y, y], color=one.colour, linewidth=1.5, zorder=3)
    axes.plot([100 * figure.value], [y], zorder=4, **look_of(one))


def row_height(n_drawn: int) -> float:
    return 0.16 + 0.125 * max(n_drawn, 2)


def figure_in_words(figure: Estimate | None) -> str:
    return "-" if figure is None or figure.value is None else percent_figure(figure.value)


# Length


def chart_of_length(study: Study) -> str | None:
    """Strict agreement where the longer answer is right and where the shorter one is, as SVG.

    None without texts.
    """
    drawn = [one for one in drawn_of(study) if all(name in one.standing.figures for name in BY_LENGTH)]
    if not drawn:
        return None
    told = "; ".join(
        f"{one.name} {' and '.join(figure_in_words(one.standing.figures[name]) for name in BY_LENGTH)}"
        for one in drawn
    )
    alt = f"Strict agreement where the shorter answer is right, and where the longer one is: {told}."
    height = 0.75 + legend_height(drawn) + 0.3 * len(drawn)
    return svg_of(lambda axes: draw_length(axes, drawn), (WIDTH, height), alt)


def draw_length(axes: Axes, drawn: Sequence[Drawn]) -> None:
    """One line per entrant from one figure to the other; their intervals lie beside it."""
    for y, one in enumerate(drawn):
        ends = [one.standing.figures[name] for name in BY_LENGTH]
        known = [100 * end.value for end in ends if end.value is not None]
        axes.plot(known, [y] * len(known), color=one.colour, linewidth=0.8, zorder=2)
        for end, word in zip(ends, ("shorter", "longer"), strict=True):
            draw_estimate(axes, end, y, one)
            if y == 0 and end.value is not None:
                axes.text(100 * end.value, -0.35, word, ha="center", va="bottom", color=MUTED, fontsize=8.5)
    axes.set_yticks([])
    axes.set_ylim(len(drawn) - 0.5, -0.9)
    axes.set_xlim(-2, 102)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.spines["bottom"].set_bounds(0, 100)
    axes.set_xlabel(AXES["strict"])
    add_legend(axes, drawn)


# Probabilities


def charts_of_reliability(study: Study) -> list[tuple[str, str]]:
    """The share right against the confidence as SVG, by name, of each drawn entrant with probabilities."""
    return [(one.name, chart_of_reliability(one)) for one in drawn_of(study) if one.standing.reliability]


def chart_of_reliability(one: Drawn) -> str:
    bins = one.standing.reliability
    told = ", ".join(
        f"{percent_figure(bin.confidence)} sure {figure_in_words(bin.right)} right ({bin.right.n:,} votes)"
        for bin in bins
    )
    return svg_of(lambda axes: draw_reliability(axes, one), (3.1, 3.1), f"Reliability of {one.name}: {told}")


def draw_reliability(axes: Axes, one: Drawn) -> None:
    bins = one.standing.reliability
    most = max(bin.right.n for bin in bins)
    for bin in bins:
        # The bars at the foot are the bins' sizes, the largest a fifth of the height.
        width = 100 * (bin.high - bin.low)
        axes.bar(100 * bin.low + width / 2, 20 * bin.right.n / most, width=0.86 * width, color=GRID, zorder=1)
        axes.text(
            100 * bin.low + width / 2,
            20 * bin.right.n / most + 1,
            f"{bin.right.n:,}",
            ha="center",
            va="bottom",
            color=MUTED,
            fontsize=6.5,
            zorder=2,
        )
        if bin.right.low is not None and bin.right.high is not None:
            ends = [100 * bin.right.low, 100 * bin.right.high]
            axes.plot([100 * bin.confidence] * 2, ends, color=one.colour, linewidth=1.5, zorder=4)
    known = [bin for bin in bins if bin.right.value is not None]
    xs, ys = [100 * bin.confidence for bin in known], [100 * (bin.right.value or 0.0) for bin in known]
    axes.plot([50, 100], [50, 100], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=3)
    axes.plot(xs, ys, color=one.colour, linewidth=1, zorder=4)
    axes.plot(xs, ys, linestyle="none", zorder=5, **look_of(one))
    axes.set_xlim(49, 101)
    axes.set_ylim(0, 103)
    axes.set_xticks([50, 60, 70, 80, 90, 100])
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.grid(axis="y", color=GRID, linewidth=0.6, zorder=0)
    axes.set_xlabel("confidence, %")
    axes.set_ylabel("% right")


def chart_of_coverage(study: Study) -> str | None:
    """The share right against the share of votes answered as SVG; None without probabilities."""
    drawn = [one for one in drawn_of(study) if one.standing.coverage]
    if not drawn:
        return None
    told = ", ".join(f"{one.name} {figure_in_words(one.standing.coverage[-1].right)}" for one in drawn)
    alt = f"Share right of the votes on which a judge is surest. On all votes: {told}. See the table."
    return svg_of(lambda axes: draw_coverage(axes, drawn), (WIDTH, 3.4 + legend_height(drawn)), alt)


def draw_coverage(axes: Axes, drawn: Sequence[Drawn]) -> None:
    for one in drawn:
        points = [
            (100 * point.covered.value, point.right)
            for point in one.standing.coverage
            if point.covered.value is not None and point.right.value is not None
        ]
        xs = [covered for covered, _ in points]
        ys = [100 * (right.value or 0.0) for _, right in points]
        with_interval = [(x, right.low, right.high) for x, right in points if right.low is not None]
        axes.fill_between(
            [x for x, _, _ in with_interval],
            [100 * (low or 0.0) for _, low, _ in with_interval],
            [100 * (high or 0.0) for _, _, high in with_interval],
            color=one.colour,
            alpha=0.14,
            linewidth=0,
            zorder=1,
        )
        axes.plot(xs, ys, color=one.colour, linewidth=1.3, zorder=2)
        axes.plot(xs, ys, linestyle="none", zorder=3, **look_of(one))
    axes.set_xlim(0, 102)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.grid(axis="y", color=GRID, linewidth=0.6, zorder=0)
    axes.set_xlabel("% of the votes answered, the surest first")
    axes.set_ylabel("% right")
    add_legend(axes, drawn)


# Looks


def look_of(one: Drawn) -> dict[str, Any]:
    """Judges are filled, released verdicts and rules hollow."""
    face = one.colour if one.standing.kind is EntrantKind.JUDGE else PANEL
    size = {"D": 5.2, "s": 5.6, "X": 6.4}.get(one.marker, 6.2)
    return {
        "marker": one.marker,
        "markersize": size,
        "markeredgecolor": one.colour,
        "markerfacecolor": face,
        "markeredgewidth": 1.3,
    }


def add_legend(axes: Axes, drawn: Sequence[Drawn]) -> None:
    from matplotlib.lines import Line2D

    # An invisible label first: matplotlib leaves out entries whose label starts with "_".
    handles = [Line2D([], [], color=one.colour, linewidth=1.5, **look_of(one)) for one in drawn]
    labels = [f"\u200b{wrapped(one.name)}" for one in drawn]
    assert axes.figure is not None
    legend = axes.figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=legend_columns(drawn),
        frameon=False,
        handlelength=1.8,
        columnspacing=1.4,
        fontsize=9,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def legend_columns(drawn: Sequence[Drawn]) -> int:
    return 2 if all(cells(one.name) <= LEGEND_WIDTH // 2 for one in drawn) else 1


def legend_height(drawn: Sequence[Drawn]) -> float:
    """In inches."""
    n_lines = sum(wrapped(one.name).count("\n") + 1 for one in drawn)
    return 0.16 + 0.19 * -(-n_lines // legend_columns(drawn))


def wrapped(name: str) -> str:
    """The name in lines that fit the legend, each at most `LEGEND_WIDTH` narrow letters wide."""
    lines = [""]
    for letter in name:
        if cells(lines[-1] + letter) > LEGEND_WIDTH:
            lines.append("")
        lines[-1] += letter
    return "\n".join(lines)


def cells(text: str) -> int:
    """How wide the text is in narrow letters; East Asian ones are two wide."""
    return sum(2 if east_asian_width(letter) in "FW" else 1 for letter in text)
