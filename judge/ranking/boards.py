"""What every format says of a leaderboard: one line on what was done, its tables, how it was counted."""

from __future__ import annotations

from collections.abc import Iterable

from judge.forms.form import counted
from judge.io.wording import counts_in_words, name_of, percent, some_of
from judge.metrics.bootstrap import LEVEL
from judge.ranking.leaderboard import ALL, Leaderboard, Meeting, Standing
from judge.records import Share
from judge.study.cells import Cell, elo_cell, name_in_table, percent_cell, percent_figure
from judge.study.scoreboard import Board, BoardRow

LEVEL_IN_WORDS = f"{100 * LEVEL:.0f} % interval"
LABELS = (
    "Rank",
    "Score",
    "Win rate",
    "Length-controlled",
    "If longer won",
    "Inconsistent",
    "Characters",
    "Pairs",
)


def headline_of(board: Leaderboard) -> str:
    """What was done, in one line: models, prompts, what was judged of all, and why no more."""
    asked = board.asked
    models = f"{counted(len(board.standings), 'model')} on {counted(board.n_prompts, 'common prompt')}"
    pairs = f"{part_of(asked.n_pairs, asked.n_all_pairs)} possible pairs"
    if is_graded(board):
        done = f"graded {part_of(asked.n_asked, asked.n_all)} answers, which compares {pairs}"
    else:
        done = f"judged {pairs} in both orders"
    return f"{models}: {done}; stopped because {asked.reason}."


def part_of(count: int, total: int) -> str:
    return f"{count:,} of {total:,} ({percent_figure(count / total)} %)"


def winner_of(board: Leaderboard) -> str:
    """Which model is best, in one sentence that is no surer than the figures."""
    first = [one for one in board.standings if one.best == 1]
    if len(first) == 1:
        return f"{name_of(first[0].model)} is clearly the best."
    if len(first) == len(board.standings):
        return "None of the models is clearly better than another one."
    names = [name_of(one.model) for one in first]
    shown = ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) <= 5 else f"{len(names)} models"
    return f"The best may be any of {shown}: they are not told apart."


def main_board(board: Leaderboard) -> Board:
    """One row a model, the best first."""
    n_possible = board.standings[0].longer_wins.n
    return Board(
        title="Leaderboard",
        caption="Score: Bradley and Terry's, 0 is the mean here, 400 more is ten wins to one. Rates in "
        f"percent, of the row's pairs, which were read; if longer won: of all {n_possible:,} pairs of each "
        f"model. [{LEVEL_IN_WORDS}]",
        corner="Model",
        labels=LABELS,
        lines=tuple(BoardRow(name_in_table(one.model), cells_of(one)) for one in board.standings),
    )


def cells_of(one: Standing) -> tuple[Cell, ...]:
    return (
        Cell(rank_of(one)),
        elo_cell(one.strength),
        percent_cell(one.win_rate),
        percent_cell(one.length_controlled),
        percent_cell(one.longer_wins),
        share_cell(one.inconsistent.count, one.inconsistent.total),
        Cell(f"{one.n_characters:,.0f}"),
        Cell(f"{one.inconsistent.total:,}"),
    )


def rank_of(one: Standing) -> str:
    return str(one.best) if one.best == one.worst else f"{one.best}-{one.worst}"


def share_cell(count: int, total: int) -> Cell:
    return Cell(percent_figure(count / total), behind=f"({count:,}/{total:,})") if total else Cell()


def category_board(board: Leaderboard) -> Board | None:
    """Win rates, one row a model and one column a category; None without categories."""
    if not board.by_category:
        return None
    lines = [
        BoardRow(
            name_in_table(one.model),
            (
                percent_cell(one.win_rate, f"of {one.win_rate.n:,}"),
                *(
                    percent_cell(figure, f"of {figure.n:,}")
                    if (figure := part.win_rates[one.model]).n
                    else Cell()
                    for part in board.by_category.values()
                ),
            ),
        )
        for one in board.standings
    ]
    counts = "; ".join(
        f"{name_of(name)}: {counted(part.n_prompts, 'prompt')}, {counted(part.n_pairs, 'pair')} read"
        for name, part in board.by_category.items()
    )
    tied = some_of([name for name, part in board.by_category.items() if part.is_tied])
    made_up = (
        f" A prompt on which all models tie was made up, see No finite score, in: {tied}." if tied else ""
    )
    return Board(
        title="Win rates by category",
        caption=f"Percent [{LEVEL_IN_WORDS}], of the model's pairs that were read. {counts}. With few "
        f"prompts an interval tends to be too narrow: a hint where to look, no test.{made_up}",
        corner="Model",
        labels=(ALL, *(name_in_table(name) for name in board.by_category)),
        lines=tuple(lines),
    )


def meeting_board(board: Leaderboard) -> Board:
    """How often the model of the row won against the one of the column, as counted, a tie half."""
    met = {(one.one, one.other): one for one in board.meetings}
    lines = [
        BoardRow(
            name_in_table(row),
            tuple(meeting_cell(met.get((row, column)), met.get((column, row))) for column in board.models),
        )
        for row in board.models
    ]
    return Board(
        title="Every two models",
        caption="Percent of their pairs that the model of the row won, a tie half, as they were counted, "
        "and of how many; * where the two are told apart by all that is known of them.",
        corner="Model",
        labels=tuple(name_in_table(name) for name in board.models),
        lines=tuple(lines),
    )


def meeting_cell(own: Meeting | None, turned: Meeting | None) -> Cell:
    met = own or turned
    if met is None or not met.n_read:
        return Cell()
    won = (met.n_won if own else met.n_lost) + met.n_tied / 2
    return Cell(percent_figure(won / met.n_read), behind=f"of {met.n_read:,}", is_marked=met.is_clear)


def definitions_of(board: Leaderboard) -> list[tuple[str, str]]:
    """What each column is."""
    flips = "pairs whose verdict changes when the answers swap places; each is a tie here"
    if is_graded(board):
        flips += ". This judge grades each answer alone, so it is 0 by construction and says nothing"
    return [
        (
            "Rank",
            "the best and the worst place that the clear differences leave; 2-4 is second, third or fourth.",
        ),
        (
            "Score",
            "the strengths that make the verdicts most likely (Bradley and Terry, 1952), a tie half a win, "
            "on the Elo scale.",
        ),
        (
            "Win rate",
            "how often the model would beat the others, all met equally often, by its score. With all "
            "pairs judged it is the share of them that it won, a tie half"
            + ("; here with one prompt more, see No finite score." if board.is_tied else "."),
        ),
        (
            "Length-controlled",
            "the same if all answers were equally long, as in AlpacaEval 2 (arXiv:2404.04475): a term for "
            "how much longer an answer is stands beside the scores, and is left out of the rate. One "
            "coefficient for all models, no term for the instruction. - where in the pairs that were read "
            "each other model's answers are all longer than this one's, or all shorter: nothing tells then "
            "what is length and what is not.",
        ),
        (
            "If longer won",
            "the win rate by a judge that always takes the longer answer. A ranking that repeats it may "
            "measure no more than length.",
        ),
        ("Inconsistent", f"{flips}."),
        ("Characters", "mean length of the model's answers."),
        ("Pairs", "of this model that were read, which all rates of its row but one stand on."),
    ]


def notes_of(board: Leaderboard) -> list[tuple[str, str]]:
    """How it was made."""
    notes = [
        ("Done", headline_of(board)),
        (
            "Which pairs",
            "Every two models meet on a few prompts first. Then, round by round, pairs are judged where "
            "they narrow the differences that are in doubt, as in Chatbot Arena (arXiv:2403.04132), weighed "
            "by the doubt. "
            + (
                "This judge grades answers, so the models in doubt are graded on more prompts, and every "
                "two grades on a prompt are a pair."
                if is_graded(board)
                else "Each two models go through the prompts in an order of their own."
            ),
        ),
        ("Told apart", told_apart(board)),
        (
            "Intervals",
            f"{100 * LEVEL:.0f} %, clustered over prompts (Liang and Zeger, 1986), as pairs on one prompt "
            "share answers; for each figure by itself. None where all prompts say the same, or there is "
            "one only.",
        ),
        ("Length", length_in_words(board)),
    ]
    if board.is_tied or any(part.is_tied for part in board.by_category.values()):
        notes.append(
            (
                "No finite score",
                "Some models won or lost everything against the rest, so the most likely scores are not "
                "finite. One prompt more was made up on which all models tie: read these scores as at "
                "least so far apart. Win rates are by these scores, so that of a model that won everything "
                "is below 100 %.",
            )
        )
    if board.n_unread:
        notes.append(
            (
                "Not read",
                f"{counted(board.n_unread, 'pair')} without a readable reply; no figure counts them.",
            )
        )
    if board.left_out:
        notes.append(("Left out", f"{counts_in_words(board.left_out)}."))
    return notes


def told_apart(board: Leaderboard) -> str:
    """By how much two models must differ to be told apart."""
    if board.clear is None:
        return "No two models: one prompt tells none apart. Give answers to more prompts."
    return (
        f"Two models whose scores differ by more than {board.clear:.1f} standard errors (Student's t, by "
        "the number of prompts; 2.6 with many): looking again after each "
        "round, two equal ones pass for different in 5 % of rankings or fewer (8 % with ten thousand "
        "prompts). With many models some pair of neighbours errs more often."
    )


def length_in_words(board: Leaderboard) -> str:
    if board.length is None:
        return (
            "Of each two models one has the longer answer in all pairs that were read, or in none, so "
            "nothing tells what length gains from how good the models are."
        )
    direction = "gains" if board.length >= 0 else "loses"
    return (
        f"A clearly longer answer {direction} {abs(board.length):.2f} in log-odds by its length alone, as "
        "far as that can be told from how good the models are."
    )


def made_with(board: Leaderboard, provenance: Iterable[tuple[str, str]] = ()) -> list[tuple[str, str]]:
    """What the ranking depends on."""
    within = board.asked.within_s
    return [
        ("Judge", board.judge.fingerprint),
        ("Data hash", board.data_hash),
        ("Seed", str(board.seed)),
        (
            "Budget",
            "none" if board.asked.budget is None else f"{counted(board.asked.budget, board.asked.noun)}",
        ),
        ("Time", "as long as it takes" if within is None else f"{within:,.0f} s"),
        *provenance,
    ]


def inconsistent_in_words(board: Leaderboard) -> str:
    """Over all pairs that were read, for example 12.4 % (31/250)."""
    shares = [one.inconsistent for one in board.standings]
    of_all = Share(sum(one.count for one in shares) // 2, sum(one.total for one in shares) // 2)
    by_construction = ", by construction: this judge grades each answer alone" if is_graded(board) else ""
    return f"{percent(of_all, digits=1)} of the pairs that were read{by_construction}."


def is_graded(board: Leaderboard) -> bool:
    return board.asked.noun == "answer"
