"""A `Study` as text for a terminal, as Markdown, or as one HTML file with charts and examples.

Every format says the same in the same words, which come from `judge.study.scoreboard` and
`judge.study.glossary`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from judge.drawing.formats import cell_of, html_page, markdown_table, terminal_text
from judge.drawing.steps import cut_in_words
from judge.io.wording import name_of, one_line
from judge.metrics.metric import MetricGroup
from judge.records import Order
from judge.report.findings import agreement_in_words, verdict_in_words
from judge.study.cells import Cell, name_in_table
from judge.study.charts import (
    chart_by_category,
    chart_of_coverage,
    chart_of_length,
    charts_of_reliability,
    not_drawn,
)
from judge.study.gallery import Gallery, reading_in_full
from judge.study.glossary import (
    AGREEMENT,
    BIAS,
    CALIBRATION,
    CHANCE,
    OTHER,
    columns_of,
    notes_of,
    study_counts,
)
from judge.study.scoreboard import (
    Board,
    bias_board,
    calibration_board,
    category_board,
    chance_board,
    confusion_boards,
    contrast_board,
    curve_boards,
    details_of,
    headlines_of,
    main_board,
    model_boards,
    others_board,
    yardsticks_of,
)
from judge.study.study import Study

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

PAGE = Path(__file__).with_name("templates") / "study.html"
MAX_TERMINAL_NAME = 30
MAX_WORD = 18
STYLES = {"judge": "bold", "baseline": "dim", "people": "italic", "all": "bold"}


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds the figures: `provenance` is (what, value), `self_check` (finding, is it right)."""

    title: str
    subtitle: str = ""
    provenance: tuple[tuple[str, str], ...] = ()
    self_check: tuple[tuple[str, bool], ...] = ()


# Text


def format_study_text(study: Study, frame: Frame, color: bool = False, width: int = 100) -> str:
    """Tables for a terminal `width` cells wide. What matters most comes last, where a terminal shows it.

    A table too wide for the terminal continues below, so that no figure is cut. Confusion, models and
    the figures behind the curves are left to the other formats.
    """
    from rich.text import Text

    parts: list[RenderableType] = [Text(one_line(frame.title), "bold"), Text(one_line(frame.subtitle))]
    for board in details_of(study):
        parts += board_for_terminal(board, width)
    for heading, lines in (
        ("What is counted", definitions_of(study, *AGREEMENT, *BIAS, *CHANCE, *OTHER)),
        ("How it is counted", notes_of(study)),
        ("Made with", frame.provenance),
        ("Self-check", [(right_or_wrong(is_right), text) for text, is_right in frame.self_check]),
    ):
        if lines:
            parts += [Text(f"\n{heading}", "bold"), lines_for_terminal(lines)]
    parts += board_for_terminal(main_board(study), width)
    for headline in headlines_of(study):
        pieces = [(text, "bold" if is_figure else "") for text, is_figure in headline.pieces]
        parts.append(Text.assemble("\n", (headline.name, "bold"), " ", *pieces))
    return terminal_text(parts, color, width)


def board_for_terminal(board: Board, width: int) -> Iterator[RenderableType]:
    """Its title, its caption, and as many tables as it takes."""
    from rich.cells import cell_len
    from rich.text import Text

    yield Text(f"\n{board.title}", "bold")
    yield Text(board.caption, "dim")
    widest = max((cell_len(line.name) for line in board.lines), default=0)
    name_width = max(cell_len(board.corner), min(widest, MAX_TERMINAL_NAME, width // 3))
    for number, columns in enumerate(columns_that_fit(column_widths(board), width - name_width - 1)):
        if number:
            yield Text()
        yield table_for_terminal(board, columns, name_width)


def column_widths(board: Board) -> list[int]:
    """The width in cells at which each figure stays on one line and headings break between words."""
    from rich.cells import cell_len

    widths = []
    for number, label in enumerate(board.labels):
        figures = [cell_len(str(line.cells[number])) for line in board.lines]
        words = [min(cell_len(word), MAX_WORD) for word in label.split()]
        widths.append(max([*figures, *words], default=1))
    return widths


def columns_that_fit(widths: Sequence[int], room: int) -> list[dict[int, int]]:
    """The numbers of the columns with their widths, in as many groups as needed, each at least one column."""
    groups: list[dict[int, int]] = [{}]
    for number, width in enumerate(widths):
        if groups[-1] and sum(groups[-1].values()) + 2 * len(groups[-1]) + width + 2 > room:
            groups.append({})
        groups[-1][number] = width
    return groups


def table_for_terminal(board: Board, columns: Mapping[int, int], name_width: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column(Text(board.corner), width=name_width, overflow="fold")
    for number, width in columns.items():
        table.add_column(Text(board.labels[number]), justify="right", width=width, overflow="fold")
    for line in board.lines:
        cells = [line.cells[number] for number in columns]
        figures = [Text(str(cell), "bold" if cell.is_marked else "") for cell in cells]
        table.add_row(Text(line.name), *figures, style=STYLES.get(line.style, ""))
    return table


def lines_for_terminal(lines: Iterable[tuple[str, str]]) -> Table:
    """Labels, and beside each its text."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold", ratio=1)
    table.add_column(overflow="fold", ratio=4)
    for label, text in lines:
        table.add_row(Text(one_line(label)), Text(one_line(text)))
    return table


# Markdown


def format_study_markdown(study: Study, frame: Frame) -> str:
    """The same as a GitHub-flavoured Markdown page; every cell is escaped, so no text can become markup."""
    parts = [f"# {cell_of(frame.title)}"]
    if frame.subtitle:
        parts.append(cell_of(frame.subtitle))
    headlines = [
        f"- {cell_of(headline.name)} "
        + "".join(f"**{cell_of(text)}**" if is_figure else text for text, is_figure in headline.pieces)
        for headline in headlines_of(study)
    ]
    parts.append("\n".join(headlines))
    for board in [main_board(study), *details_of(study)]:
        parts += [f"## {board.title}", *board_as_markdown(board)]
    for heading, boards in (
        ("What people and judges said", confusion_boards(study)),
        ("Models", model_boards(study)),
    ):
        parts += [f"## {heading}"] * bool(boards)
        for board in boards:
            parts += [f"### {cell_of(board.title)}", *board_as_markdown(board)]
    for heading, lines in (
        ("What is counted", definitions_of(study, *AGREEMENT, *BIAS, *CHANCE, *CALIBRATION, *OTHER)),
        ("How it is counted", notes_of(study)),
        ("Self-check", [(right_or_wrong(is_right), text) for text, is_right in frame.self_check]),
        ("Made with", frame.provenance),
    ):
        if lines:
            items = [f"- **{cell_of(label)}**: {cell_of(text)}" for label, text in lines]
            parts += [f"## {heading}", "\n".join(items)]
    return "\n\n".join(part for part in parts if part) + "\n"


def board_as_markdown(board: Board) -> tuple[str, str]:
    """Its caption, and the table."""
    labels = [cell_of(label) for label in (board.corner, *board.labels)]
    rows = [[cell_of(line.name), *map(figure_as_markdown, line.cells)] for line in board.lines]
    are_numbers = [False] + [True] * len(board.labels)
    return cell_of(board.caption), markdown_table(labels, are_numbers, rows)


def figure_as_markdown(cell: Cell) -> str:
    return f"**{cell_of(str(cell))}**" if cell.is_marked else cell_of(str(cell))


# HTML


def format_study_html(study: Study, frame: Frame, galleries: Sequence[Gallery] = ()) -> str:
    """One self-contained file: no script, nothing loaded, charts inlined. Same study, same bytes."""
    from markupsafe import Markup

    charts = {name: chart_by_category(study, name) for name in ("strict", "inconsistent", "length_balanced")}
    charts |= {"length": chart_of_length(study), "coverage": chart_of_coverage(study)}
    return html_page(
        PAGE,
        title=frame.title,
        frame=frame,
        study=study,
        counts=study_counts(study),
        headlines=headlines_of(study),
        yardsticks=yardsticks_of(study),
        main=main_board(study),
        charts={name: svg and Markup(svg) for name, svg in charts.items()},
        not_drawn=not_drawn(study),
        by_category=[category_board(study, name) for name in ("strict", "inconsistent")]
        if study.by_category
        else [],
        contrasts=contrast_board(study),
        bias=bias_board(study),
        calibration=calibration_board(study),
        reliability=[(name, Markup(svg)) for name, svg in charts_of_reliability(study)],
        curves=curve_boards(study),
        chance=chance_board(study),
        others=others_board(study),
        confusion=confusion_boards(study),
        models=model_boards(study),
        galleries=galleries,
        definitions=definitions_of(study, *AGREEMENT, *CHANCE, *CALIBRATION, *OTHER),
        bias_definitions=definitions_of(study, *BIAS),
        notes=notes_of(study),
        orders=tuple(Order),
        name_of=name_of,
        name_in_table=name_in_table,
        verdict_in_words=verdict_in_words,
        agreement_in_words=agreement_in_words,
        cut_in_words=cut_in_words,
        reading_in_full=reading_in_full,
        right_or_wrong=right_or_wrong,
    )


# Words


def definitions_of(study: Study, *groups: MetricGroup) -> list[tuple[str, str]]:
    """The label and the meaning of each metric of these groups."""
    return [(metric.label, metric.meaning) for metric in columns_of(study, *groups)]


def right_or_wrong(is_right: bool) -> str:
    return "as expected" if is_right else "NOT as expected"
