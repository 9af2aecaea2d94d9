"""What every format of a report says: the summary line by line, and the cells of the two tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from judge.drawing.steps import shared_steps
from judge.io.wording import name_of, one_line, percent
from judge.orders import outcome_of
from judge.records import NO_CATEGORY, Choice, Order, Outcome, Share, Status
from judge.report.summary import Report, Row

MAX_TABLE_ROWS = 2_000
SHOWN_FIRST = {Order.AB: "A first", Order.BA: "B first"}
OUTCOME_NAMES = {Outcome.A: "A", Outcome.B: "B", Outcome.TIE: "tie"}
MOST_TELLING = {Status.INCONSISTENT: 0, Status.UNPARSED: 1, Status.CONSISTENT: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the summary: a name, a figure, and what the figure means."""

    label: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, and the text of its cell for a `Row` or a `Group`."""

    label: str
    cell: Callable[[Any], str]
    is_number: bool = False


def findings_of(report: Report) -> list[Finding]:
    """The summary, most important first, without figures that do not exist (no gold, no probabilities)."""
    total = report.total
    n_judged = total.inconsistent.total
    n_flipped = total.inconsistent.count
    found: list[Finding] = []

    def say(label: str, value: str, meaning: str) -> None:
        found.append(Finding(label, value, meaning))

    meaning = "the verdict changes when the two answers swap places"
    say("Inconsistent", percent(total.inconsistent, 1), meaning)
    meaning = "of the inconsistent: both orders chose the first answer"
    say("First twice", percent(total.first_twice, 1), meaning)
    meaning = f"of {n_judged:,} judged; the {n_flipped:,} inconsistent count as ties"
    say("Who wins", in_words(total.wins), meaning)
    if total.wins_by_mean[Outcome.A].total:
        say("By mean", in_words(total.wins_by_mean), "the side of the mean P(A) of both orders")
    if total.gold_strict:
        meaning = "both orders match gold; inconsistent or unparsed is wrong"
        say("Gold", percent(total.gold_strict, 1), meaning)
    if total.gold_by_mean:
        say("Gold by mean", percent(total.gold_by_mean, 1), "the mean P(A) is on the gold label's side")
    if total.unparsed.count:
        meaning = f"no outcome, not judged; most often: {commonest_reason(report.rows)}"
        say("Unparsed", percent(total.unparsed, 1), meaning)
    if total.n_trimmed:
        say("Trimmed", f"{total.n_trimmed:,}", "pairs whose answers were shortened to fit the judge")
    if total.mean_tokens_in is not None and total.mean_tokens_out is not None:
        tokens = f"{total.mean_tokens_in:,.1f} in, {total.mean_tokens_out:,.1f} out"
        say("Tokens", tokens, "mean of a verdict, both orders added")
    if shared := shared_steps(row.verdict for row in report.rows):
        n_in, n_out = (sum(getattr(step, name) for step in shared) for name in ("tokens_in", "tokens_out"))
        meaning = "replies that several readings share, not counted in the mean above"
        say("Asked once", f"{len(shared):,}: {n_in:,} tokens in, {n_out:,} out", meaning)
    if report.elapsed_s is not None:
        each = f"{report.elapsed_s / total.n_pairs:.2f} s a pair" if total.n_pairs else "no pair"
        say("Time", f"{report.elapsed_s:,.1f} s", each)
    return found


def commonest_reason(rows: Sequence[Row]) -> str:
    reasons = Counter(reason for row in rows for reason in row.unparsed_reasons.values())
    return name_of(reasons.most_common(1)[0][0])


def in_words(wins: Mapping[Outcome, Share]) -> str:
    return ", ".join(f"{OUTCOME_NAMES[outcome]} {wins[outcome].count:,}" for outcome in Outcome)


def judge_name(report: Report) -> str:
    return one_line(report.judge) if report.judge is not None else "none: there are no verdicts"


def pairs_read(report: Report) -> str:
    n_pairs = report.total.n_pairs
    return f"{n_pairs:,} {'pair' if n_pairs == 1 else 'pairs'}, each read in both orders"


# The table of pairs


def pair_columns(report: Report) -> list[Column]:
    """The columns of the table of pairs; category and gold only where some pair has one."""
    has_mean = any(p is not None for row in report.rows for p in row.p_a_by_order.values())
    what = "P(A)" if has_mean else "Choice"
    columns = [Column("Pair", lambda row: name_of(row.id))]
    if report.by_category:
        columns.append(Column("Category", lambda row: name_of(row.category or NO_CATEGORY)))
    columns.append(Column("Verdict", verdict_in_words))
    for order, name in SHOWN_FIRST.items():
        columns.append(Column(f"{what} {name}", partial(reading_in_words, order=order), has_mean))
    if has_mean:
        columns.append(Column("Mean P(A)", lambda row: "-" if row.p_a is None else f"{row.p_a:.2f}", True))
    columns.append(Column("Orders agree", agreement_in_words))
    if report.total.gold_strict:
        columns.append(Column("Gold", gold_in_words))
    return columns


def verdict_in_words(row: Row) -> str:
    if row.outcome is None or row.status is not Status.CONSISTENT:
        return row.status.value
    return OUTCOME_NAMES[row.outcome]


def reading_in_words(row: Row, order: Order) -> str:
    """P(A) in this order; the choice in the pair's terms where there is none; "-" where unread."""
    p_a, choice = row.p_a_by_order[order], row.choices[order]
    if p_a is not None:
        return f"{p_a:.2f}"
    return "-" if choice is None else OUTCOME_NAMES[outcome_of(choice, order)]


def agreement_in_words(row: Row) -> str:
    """yes; no, and which position won; or why a reply was not read."""
    if row.status is Status.CONSISTENT:
        return "yes"
    if row.status is Status.UNPARSED:
        return "; ".join(f"{SHOWN_FIRST[o]}: {name_of(why)}" for o, why in row.unparsed_reasons.items())
    if row.is_always(Choice.FIRST):
        return "no: first twice"
    return "no: second twice" if row.is_always(Choice.SECOND) else "no: tie once"


def gold_in_words(row: Row) -> str:
    return "-" if row.gold is None else f"{OUTCOME_NAMES[row.gold]} {'right' if row.is_right else 'wrong'}"


def rows_to_show(rows: Sequence[Row], limit: int) -> list[tuple[int, Row]]:
    """At most `limit` rows with their numbers from 1: inconsistent before unparsed before consistent ones."""
    return sorted(enumerate(rows, 1), key=lambda numbered: MOST_TELLING[numbered[1].status])[:limit]


def table_rows(report: Report) -> list[tuple[int, Row]]:
    """The rows of the table of pairs, in the order of the verdicts."""
    return sorted(rows_to_show(report.rows, MAX_TABLE_ROWS), key=lambda numbered: numbered[0])


def left_out(report: Report) -> str | None:
    """What a table of `MAX_TABLE_ROWS` does not show; None where it shows all."""
    n_missing = len(report.rows) - MAX_TABLE_ROWS
    if n_missing <= 0:
        return None
    return (
        f"{n_missing:,} of {len(report.rows):,} pairs are left out of this table (inconsistent and unparsed "
        "ones go in first); the totals count all, and the JSON report lists all."
    )


# The table of categories


def category_columns(report: Report) -> list[Column]:
    """The columns that follow the category's name in the table of categories."""
    columns = [
        Column("Pairs", lambda group: f"{group.n_pairs:,}", True),
        Column("Inconsistent", lambda group: percent(group.inconsistent), True),
        Column("First twice", lambda group: percent(group.first_twice), True),
        Column("A / B / tie", lambda group: " / ".join(f"{group.wins[o].count:,}" for o in Outcome), True),
    ]
    if report.total.unparsed.count:
        columns.append(Column("Unparsed", lambda group: f"{group.unparsed.count:,}", True))
    if report.total.gold_strict:
        columns.append(Column("Gold", lambda group: percent(group.gold_strict), True))
    if report.total.gold_by_mean:
        columns.append(Column("Gold by mean", lambda group: percent(group.gold_by_mean), True))
    return columns
