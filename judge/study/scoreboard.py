"""What every format says of a study: a headline for each judge, and its tables cell by cell.

Shares are percent without the sign, differences of shares are points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from judge.metrics.bootstrap import LEVEL, Estimate
from judge.metrics.calibration import COVERAGES
from judge.metrics.metric import Metric, Unit
from judge.records import Share
from judge.study.cells import (
    Cell,
    elo_cell,
    is_clear,
    judged_figure,
    judged_words,
    name_in_table,
    number_cell,
    percent_cell,
    percent_figure,
    points_cell,
    rounded_cell,
    with_sign,
)
from judge.study.glossary import (
    AGREEMENT,
    BIAS,
    CALIBRATION,
    CHANCE,
    METRICS,
    OTHER,
    columns_of,
    study_counts,
)
from judge.study.study import (
    ALL,
    PEOPLE,
    Contrast,
    Cost,
    Counts,
    CoveragePoint,
    EntrantKind,
    ReliabilityBin,
    Standing,
    Study,
    judged_in,
)

CEILING = f"{PEOPLE} (ceiling)"
LONGER = "longer wins"
COIN = "coin"
JUDGED = "Pairs judged"
IN_CONTRASTS = ("strict", "length_balanced", "inconsistent")
SAID = {"A": "A", "B": "B", "TIE": "tie", "inconsistent": "inconsistent", "unparsed": "unparsed"}
LEVEL_IN_WORDS = f"{100 * LEVEL:.0f} % interval"
PERCENT = f"Percent [{LEVEL_IN_WORDS}]."

Figures = Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A row of a table. `style` is an entrant's kind, "people", "all", or "" for any other row.

    `judged` are the pairs that an entrant read, None where that is not known.
    """

    name: str
    cells: tuple[Cell, ...]
    style: str = ""
    judged: Share | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """A table: its title and caption, the heading over the names, those over the figures, and the rows."""

    title: str
    caption: str
    corner: str
    labels: tuple[str, ...]
    lines: tuple[BoardRow, ...]


@dataclass(frozen=True, slots=True)
class Headline:
    """A judge in plain words, in pieces: each a text, and whether it is a figure to stress."""

    standing: Standing
    name: str
    pieces: tuple[tuple[str, bool], ...]

    @property
    def agreement(self) -> str:
        return with_sign(self.standing.figures.get("strict")).partition(" [")[0]

    @property
    def inconsistency(self) -> str:
        return with_sign(self.standing.figures.get("inconsistent")).partition(" [")[0]

    def __str__(self) -> str:
        return "".join(text for text, _ in self.pieces)


# Headlines


def headlines_of(study: Study) -> list[Headline]:
    """One per judge; released verdicts only if there is no judge, baselines only if there is neither."""
    for kind in EntrantKind:
        if members := [standing for standing in study.standings if standing.kind is kind]:
            return [headline_of(standing, study) for standing in members]
    return []


def headline_of(standing: Standing, study: Study) -> Headline:
    """Agreement and inconsistency beside people's agreement, then the distance to the longer answer."""
    figures, people = standing.figures, study.people.figures
    pieces = [
        ("agrees with ", False),
        (with_sign(figures.get("strict")), True),
        (" of people's votes (ties aside), changes its mind on ", False),
        (with_sign(figures.get("inconsistent")), True),
        (" of pairs when the answers swap places", False),
    ]
    if (unread := figures.get("unparsed")) and unread.value:
        pieces += [("; ", False), (with_sign(unread), True), (" of pairs got no readable verdict", False)]
        pieces += [(f" ({judged_words(standing.judged)})", False)]
    if (ceiling := people.get("strict")) and ceiling.value is not None:
        pieces += [
            ("; people agree with each other on ", False),
            (f"{percent_figure(ceiling.value)} %", True),
        ]
    if gap := gap_to_longer(standing.name, study):
        difference = points_cell(gap)
        found = f"{difference.value} points {difference.interval}".rstrip()
        pieces += [(". Against always choosing the longer answer: ", False), (found, True)]
        if difference.interval:
            pieces.append((", a clear difference" if is_clear(gap) else ", no clear difference", False))
    return Headline(standing, name_in_table(standing.name), (*pieces, (".", False)))


def gap_to_longer(name: str, study: Study) -> Estimate | None:
    """The strict agreement of this judge minus that of "longer wins"; None if that is not known."""
    if not any(one.name == LONGER and one.kind is EntrantKind.BASELINE for one in study.standings):
        return None
    for contrast in study.contrasts:
        if (contrast.one, contrast.other) == (name, LONGER) and (gap := contrast.figures.get("strict")):
            return None if gap.value is None else gap
    return None


def yardsticks_of(study: Study) -> list[tuple[str, float]]:
    """The strict agreement of people with each other, where it is known, and of a coin, in percent."""
    figure = study.people.figures.get("strict")
    people = [] if figure is None or figure.value is None else [(PEOPLE, 100 * figure.value)]
    return [*people, (COIN, 50.0)]


# Tables


def main_board(study: Study) -> Board:
    """All conventions and costs, one row per entrant, people last."""
    columns = columns_of(study, *AGREEMENT)
    lines = [
        row_of(one, (*metric_cells(one.figures, columns), *cost_cells(one.cost))) for one in study.standings
    ]
    people = (*metric_cells(study.people.figures, columns), Cell(), Cell(), Cell())
    board = Board(
        title="Agreement with people",
        caption=f"{study_counts(study)}. {PERCENT} Tokens and seconds: mean of a verdict, both orders.",
        corner="Judge",
        labels=(*labels_of(columns), "Tokens in", "Tokens out", "Seconds"),
        lines=(*lines, BoardRow(CEILING, people, PEOPLE)),
    )
    return with_judged(board, study)


def category_board(study: Study, name: str) -> Board:
    """One metric, one row per category and one column per entrant; people's ceiling if the metric has one."""
    shown = study.standings
    has_ceiling = name in study.people.figures

    def line_of(what: str, figures: list[Figures], counts: Counts, style: str = "") -> BoardRow:
        n = counts.n_pairs if name == "inconsistent" else figures[0][name].n if name in figures[0] else 0
        cells = (
            *(
                replace(metric_cell(one, METRICS[name]), behind=judged_words(judged_in(one)))
                for one in figures
            ),
            Cell(f"{n:,}"),
            *[Cell(f"{counts.n_questions:,}")] * study.has_texts,
        )
        return BoardRow(what, cells, style)

    def figures_in(category: str) -> list[Figures]:
        people = [study.people.by_category.get(category, {})] if has_ceiling else []
        return [one.by_category.get(category, {}) for one in shown] + people

    lines = [
        line_of(name_in_table(category), figures_in(category), counts)
        for category, counts in study.by_category.items()
    ]
    in_all = [one.figures for one in shown] + ([study.people.figures] if has_ceiling else [])
    lines.append(line_of(ALL, in_all, study.total, ALL))
    names = [name_in_table(one.name) for one in shown] + [CEILING] * has_ceiling
    return Board(
        title=f"{METRICS[name].label} by category",
        caption=f"{METRICS[name].meaning[0].upper()}{METRICS[name].meaning[1:]} {PERCENT}",
        corner="Category",
        labels=(*names, "Pairs" if name == "inconsistent" else "Votes", *["Questions"] * study.has_texts),
        lines=tuple(lines),
    )


def contrast_board(study: Study) -> Board | None:
    """Judges and released verdicts against each other and against the longer answer; None without two."""
    standings = {one.name: one for one in study.standings}
    kinds = {name: one.kind for name, one in standings.items()}
    shown = [
        contrast
        for contrast in study.contrasts
        if kinds[contrast.one] is not EntrantKind.BASELINE
        and (kinds[contrast.other] is not EntrantKind.BASELINE or contrast.other == LONGER)
    ]
    if not shown:
        return None
    return Board(
        title="Differences",
        caption=f"The first less the second, in points [{LEVEL_IN_WORDS}, paired]; * where the interval "
        "excludes 0. Above 0 the first agrees more with people, or is more often inconsistent, on the pairs "
        "that both read. McNemar: p "
        "(pairs that only the first has right : only the second).",
        corner="Judges",
        labels=(*(METRICS[name].label for name in IN_CONTRASTS), "McNemar p, not clustered"),
        lines=tuple(
            BoardRow(
                " less ".join(name_and_judged(standings[name]) for name in (contrast.one, contrast.other)),
                contrast_cells(contrast),
            )
            for contrast in shown
        ),
    )


def bias_board(study: Study) -> Board:
    """What besides the better answer decides: length, position, ties, what was unread or shortened."""
    columns = columns_of(study, *BIAS)
    lines = [
        row_of(one, (*metric_cells(one.figures, columns), Cell(f"{one.cost.n_trimmed:,}")))
        for one in study.standings
    ]
    people = (*metric_cells(study.people.figures, columns), Cell())
    board = Board(
        title="Bias",
        caption=f"{PERCENT} Trimmed: pairs whose answers were shortened to fit the judge.",
        corner="Judge",
        labels=(*labels_of(columns), "Trimmed"),
        lines=(*lines, BoardRow(PEOPLE, people, PEOPLE)),
    )
    return with_judged(board, study)


def calibration_board(study: Study) -> Board | None:
    """Scores of the probabilities; None where no entrant gives any."""
    columns = columns_of(study, *CALIBRATION)
    lines = [
        row_of(one, metric_cells(one.figures, columns))
        for one in study.standings
        if any(metric.name in one.figures for metric in columns)
    ]
    if not lines:
        return None
    board = Board("Calibration", meanings_of(columns), "Judge", labels_of(columns), tuple(lines))
    return with_judged(board, study)


def chance_board(study: Study) -> Board:
    """Agreement beyond chance."""
    caption = "1 is agreement throughout, 0 what chance gives."
    return metrics_board(study, "Agreement beyond chance", caption, columns_of(study, *CHANCE))


def others_board(study: Study) -> Board | None:
    """The metrics that belong in no other table, such as those of other packages; None without any."""
    columns = columns_of(study, *OTHER)
    if not columns:
        return None
    caption = f"{meanings_of(columns)} [{LEVEL_IN_WORDS}]"
    return metrics_board(study, "Other metrics", caption, columns)


def metrics_board(study: Study, title: str, caption: str, columns: Sequence[Metric]) -> Board:
    """Some metrics, one row per entrant, people last."""
    lines = [row_of(one, metric_cells(one.figures, columns)) for one in study.standings]
    people = BoardRow(PEOPLE, metric_cells(study.people.figures, columns), PEOPLE)
    return with_judged(Board(title, caption, "Judge", labels_of(columns), (*lines, people)), study)


def confusion_boards(study: Study) -> list[Board]:
    """What people said beside what each judge said, in votes; baselines are left out."""
    return [
        Board(
            title=name_in_table(one.name),
            caption="Votes, and percent of the row.",
            corner="People said",
            labels=tuple(SAID.values()),
            lines=tuple(
                BoardRow(SAID[said], confusion_cells(counts), "") for said, counts in one.confusion.items()
            ),
        )
        for one in study.standings
        if one.kind is not EntrantKind.BASELINE
    ]


def model_boards(study: Study) -> list[Board]:
    """The models that wrote the answers, best first by people; empty where they are not known."""
    rankings = [(PEOPLE, study.people.ranking)]
    rankings += [(name_and_judged(one), one.ranking) for one in study.standings]
    known = [(name, ranking) for name, ranking in rankings if ranking is not None]
    if not known:
        return []
    rates = [dict(zip(one.names, one.win_rates, strict=True)) for _, one in known]
    strengths = [dict(zip(one.names, one.strengths, strict=True)) for _, one in known]
    models = sorted({model for of_one in rates for model in of_one})
    models.sort(key=lambda model: -(rates[0][model].value or 0.0) if model in rates[0] else 1.0)
    rankers = tuple(name for name, _ in known)
    return [
        Board(
            "Win rates",
            "Wins of all contests, a tie half, an inconsistent pair is a tie. Of people every vote is a "
            f"contest, of a judge every pair. {PERCENT}",
            "Model",
            rankers,
            tuple(
                BoardRow(name_in_table(m), tuple(percent_cell(one.get(m)) for one in rates)) for m in models
            ),
        ),
        Board(
            "Strengths (Bradley-Terry)",
            f"On the Elo scale: 0 is the mean here, 400 more is ten wins to one. [{LEVEL_IN_WORDS}]",
            "Model",
            rankers,
            tuple(
                BoardRow(name_in_table(m), tuple(elo_cell(one.get(m)) for one in strengths)) for m in models
            ),
        ),
    ]


def curve_boards(study: Study) -> list[Board]:
    """The figures behind the curves of calibration; empty where no entrant gives probabilities."""
    shown = [one for one in study.standings if one.reliability or one.coverage]
    if not shown:
        return []
    names = tuple(map(name_and_judged, shown))
    bins = [{(bin.low, bin.high): bin for bin in one.reliability} for one in shown]
    edges = sorted({edge for of_one in bins for edge in of_one})
    points = [dict(zip(COVERAGES, one.coverage, strict=False)) for one in shown]
    return [
        Board(
            "Right by confidence",
            f"{PERCENT} Behind it the mean confidence, and the number of votes that are no ties.",
            "P(chosen side)",
            names,
            tuple(
                BoardRow(
                    f"{edge[0]:.2f} to {edge[1]:.2f}", tuple(bin_cell(of_one.get(edge)) for of_one in bins)
                )
                for edge in edges
            ),
        ),
        Board(
            "Right where surest",
            f"{PERCENT} Behind it the share answered, as votes of equal confidence go together.",
            "Votes answered",
            names,
            tuple(
                BoardRow(f"{100 * share:.0f}", tuple(point_cell(of_one.get(share)) for of_one in points))
                for share in COVERAGES
            ),
        ),
    ]


def details_of(study: Study) -> list[Board]:
    """The tables that every format has beside the main one, without those that would be empty."""
    by_category = [category_board(study, name) for name in ("strict", "inconsistent") if study.by_category]
    boards = [*by_category, contrast_board(study), bias_board(study), calibration_board(study)]
    return [board for board in [*boards, chance_board(study), others_board(study)] if board]


def with_judged(board: Board, study: Study) -> Board:
    """The table with a column that says how many pairs each judge read, where one has not read all."""
    if not any(judged_words(one.judged) for one in study.standings):
        return board
    lines = [
        replace(line, cells=(Cell(judged_figure(line.judged)) if line.judged else Cell(), *line.cells))
        for line in board.lines
    ]
    return replace(board, labels=(JUDGED, *board.labels), lines=tuple(lines))


def row_of(one: Standing, cells: tuple[Cell, ...]) -> BoardRow:
    """The row of an entrant."""
    return BoardRow(name_in_table(one.name), cells, one.kind.value, one.judged)


def name_and_judged(one: Standing) -> str:
    """For example "fast", or "fast (97 of 100 judged)" where it has not read all pairs."""
    words = judged_words(one.judged)
    return f"{name_in_table(one.name)} ({words})" if words else name_in_table(one.name)


def meanings_of(metrics: Iterable[Metric]) -> str:
    return " ".join(f"{metric.label}: {metric.meaning}" for metric in metrics)


def labels_of(metrics: Iterable[Metric]) -> tuple[str, ...]:
    return tuple(metric.label for metric in metrics)


# Cells


CELLS = {
    Unit.PERCENT: percent_cell,
    Unit.POINTS: points_cell,
    Unit.ELO: elo_cell,
    Unit.NUMBER: number_cell,
}


def metric_cells(figures: Figures, metrics: Iterable[Metric]) -> tuple[Cell, ...]:
    return tuple(metric_cell(figures, metric) for metric in metrics)


def metric_cell(figures: Figures, metric: Metric) -> Cell:
    """The figure of that metric, written as its unit requires; "-" if there is none."""
    found = CELLS[metric.unit](figures.get(metric.name))
    covered = figures.get("coverage") if metric.name == "without_ties" else None
    if covered is None or covered.value is None or found == Cell():
        return found
    return replace(found, behind=f"at {percent_figure(covered.value)}")


def contrast_cells(contrast: Contrast) -> tuple[Cell, ...]:
    test = contrast.mcnemar
    p = "<0.001" if test.p_value < 0.001 else f"{test.p_value:.3f}"
    p_cell = Cell(p, behind=f"({test.only_one_right:,} : {test.only_other_right:,})")
    return (*(points_cell(contrast.figures.get(name)) for name in IN_CONTRASTS), p_cell)


def confusion_cells(counts: Mapping[str, int]) -> tuple[Cell, ...]:
    total = sum(counts.values())
    return tuple(
        Cell(f"{n:,}", behind=f"({percent_figure(n / total)})" if total else "")
        for n in (counts.get(said, 0) for said in SAID)
    )


def bin_cell(found: ReliabilityBin | None) -> Cell:
    if found is None:
        return Cell()
    return percent_cell(found.right, f"at {percent_figure(found.confidence)}, n {found.right.n:,}")


def point_cell(found: CoveragePoint | None) -> Cell:
    if found is None or found.covered.value is None:
        return Cell()
    return percent_cell(found.right, f"at {percent_figure(found.covered.value)}")


def cost_cells(cost: Cost) -> tuple[Cell, ...]:
    return tuple(rounded_cell(value) for value in (cost.tokens_in, cost.tokens_out, cost.elapsed_s))
