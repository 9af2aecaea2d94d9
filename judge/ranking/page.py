"""A `Leaderboard` as text for a terminal or as one HTML file; both say the same in the same words."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from judge.drawing.formats import html_page, terminal_text
from judge.drawing.svg import BLUE, GRID, MUTED, svg_of
from judge.io.wording import one_line, shortened
from judge.provenance import provenance
from judge.ranking.boards import (
    category_board,
    definitions_of,
    headline_of,
    inconsistent_in_words,
    made_with,
    main_board,
    meeting_board,
    notes_of,
    winner_of,
)
from judge.ranking.leaderboard import Leaderboard
from judge.study.page import board_for_terminal, lines_for_terminal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.console import RenderableType

PAGE = Path(__file__).with_name("templates") / "ranking.html"
TITLE = "Which model is best?"
WIDTH, ROW_HEIGHT, LINE_HEIGHT = 7.5, 0.27, 0.17
LONGEST_NAME, LINE = 60, 30
"""Characters of a name in the chart, and in one line of it."""


def format_ranking_text(board: Leaderboard, color: bool = False, width: int = 100) -> str:
    """What was done, the leaderboard, its categories, and how it was counted, `width` cells wide."""
    from rich.text import Text

    parts: list[RenderableType] = [Text(headline_of(board)), Text(winner_of(board), "bold")]
    for one in (main_board(board), category_board(board)):
        if one is not None:
            parts += board_for_terminal(one, width)
    parts.append(Text(f"\nInconsistent in all: {inconsistent_in_words(board)}"))
    shown = {"Length", "No finite score", "Not read", "Left out"}
    parts += [Text(), lines_for_terminal([note for note in notes_of(board) if note[0] in shown])]
    return terminal_text(parts, color, width)


def format_ranking_html(board: Leaderboard) -> str:
    """One self-contained file: no script, nothing loaded. Same leaderboard and checkout, same bytes."""
    from markupsafe import Markup

    made = provenance()
    return html_page(
        PAGE,
        title=TITLE,
        headline=headline_of(board),
        winner=winner_of(board),
        inconsistent=inconsistent_in_words(board),
        main=main_board(board),
        chart=Markup(chart_of_scores(board)),
        categories=category_board(board),
        meetings=meeting_board(board),
        definitions=definitions_of(board),
        notes=notes_of(board),
        made=made_with(board, [("Commit", made["commit"] or "not in a checkout")]),
    )


def chart_of_scores(board: Leaderboard) -> str:
    """Every model's score with its interval as SVG, the best on top."""
    told = ", ".join(f"{one_line(one.model)} {one.strength.value or 0.0:+.0f}" for one in board.standings)
    n_lines = max(len(lines_of(one.model)) for one in board.standings)
    height = 0.8 + (ROW_HEIGHT + LINE_HEIGHT * (n_lines - 1)) * len(board.standings)
    return svg_of(lambda axes: draw_scores(axes, board), (WIDTH, height), f"Scores, the best first: {told}.")


def lines_of(model: str) -> list[str]:
    """A model's name in the chart, in one line or two."""
    return wrap(shortened(one_line(model), LONGEST_NAME), LINE) or [""]


def draw_scores(axes: Axes, board: Leaderboard) -> None:
    for y, one in enumerate(board.standings):
        score = one.strength
        if score.value is None:
            continue
        if score.low is not None and score.high is not None:
            axes.plot([score.low, score.high], [y, y], color=BLUE, linewidth=1.6, zorder=3)
        axes.plot([score.value], [y], "o", color=BLUE, markersize=6, zorder=4)
    names = ["\n".join(lines_of(one.model)) for one in board.standings]
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.axvline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.grid(axis="x", color=GRID, linewidth=0.6, zorder=0)
    axes.set_xlabel("score; 400 more is ten wins to one")
