"""What every format of a report says: the summary, line by line, and the cells of the two tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from judge.backends.habits import in_words, names_in
from judge.drawing.steps import graded_steps, shared_steps
from judge.io.labels import labels_told
from judge.io.wording import name_of, one_line, percent, some_of
from judge.orders import outcome_of
from judge.records import CALIBRATED, NO_CATEGORY, Choice, Order, Outcome, Share, Status, has_rule
from judge.report.criteria import MAX_CRITERIA
from judge.report.summary import CategoryGroup, Report, ReportRow, gives_probabilities

MAX_TABLE_ROWS = 2_000
MAX_REASONS = 5
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


Figure = Callable[[Report], Finding | None]
"""One line of the summary; None if the report has no such figure (no gold, no probabilities)."""


def findings_of(report: Report) -> list[Finding]:
    """The summary that every format shows, most important first, without figures that do not exist."""
    return [found for figure in FIGURES if (found := figure(report)) is not None]


def of_judged(report: Report) -> str:
    """How many pairs a rate stands on, where some were not judged; else ""."""
    return f"; {judged_in_words(report.total)} judged" if report.total.unparsed.count else ""


def inconsistent(report: Report) -> Finding:
    meaning = f"the verdict changes when the two answers swap places{of_judged(report)}"
    return Finding("Inconsistent", percent(report.total.inconsistent, 1), meaning)


def first_twice(report: Report) -> Finding:
    meaning = f"of the inconsistent: both orders chose the first answer{of_judged(report)}"
    return Finding("First twice", percent(report.total.first_twice, 1), meaning)


def undecided(report: Report) -> Finding | None:
    """The pairs that are too close to call; only of a judge that may say so."""
    if not has_rule(report.judge or ""):
        return None
    meaning = f"P is too close to one half to call, so they count as ties{of_judged(report)}"
    return Finding("Undecided", percent(report.total.undecided, 1), meaning)


def who_wins(report: Report) -> Finding:
    flipped, n_close = report.total.inconsistent, report.total.n_undecided_alone
    said = of_judged(report).removeprefix("; ") or f"of {flipped.total:,} judged"
    tied = [f"{n_close:,} consistent but undecided"] if n_close else []
    skipped = f"; the {flipped.count:,} inconsistent are left out" if report.skips_inconsistent else ""
    if not skipped:
        tied.insert(0, f"{flipped.count:,} inconsistent")
    ties = f"; the {' and '.join(tied)} count as ties" if tied else ""
    return Finding("Who wins", wins_in_words(report.wins_in(report.total)), f"{said}{skipped}{ties}")


def by_mean(report: Report) -> Finding | None:
    wins = report.total.wins_by_mean
    if not wins[Outcome.A].total:
        return None
    meaning = f"the side of the mean P(A) of both orders{of_judged(report)}"
    return Finding("By mean", wins_in_words(wins), meaning)


def deciding_criterion(report: Report) -> Finding | None:
    """The criterion that decides the most pairs, and the one that is most often for the other answer."""
    if not report.by_criterion:
        return None
    name, group = max(report.by_criterion.items(), key=lambda one: one[1].decides.count)
    other, most = max(report.by_criterion.items(), key=lambda one: one[1].against.count)
    decides = f"without {name_of(name)} the answer that is ahead would not be"
    meaning = decides if group.decides.count else "no criterion decides a pair by itself"
    against = f"; {name_of(other)} is for the other answer in {percent(most.against)}"
    return Finding("Decides", percent(group.decides, 1), meaning + (against if most.against.count else ""))


def gold(report: Report) -> Finding | None:
    if not report.total.gold_strict:
        return None
    close = ", undecided" if has_rule(report.judge or "") else ""
    wrong = f"inconsistent{close} or unparsed"
    meaning = f"both orders match gold; {wrong} is wrong{of_judged(report)}"
    return Finding("Gold", percent(report.total.gold_strict, 1), meaning)


def gold_by_mean(report: Report) -> Finding | None:
    if not report.total.gold_by_mean:
        return None
    meaning = f"the mean P(A) is on the gold label's side{of_judged(report)}"
    return Finding("Gold by mean", percent(report.total.gold_by_mean, 1), meaning)


def gold_not_understood(report: Report) -> Finding | None:
    """Labels that are none, which no figure counts; a row is that of the verdict."""
    labels = [
        (number, row.gold_label)
        for number, row in enumerate(report.rows, start=1)
        if row.gold is None and row.gold_label is not None
    ]
    if not labels:
        return None
    meaning = f"gold labels that are not A, B or TIE, left out: {labels_told(labels)}"
    return Finding("Unknown gold", f"{len(labels):,}", one_line(meaning))


def unparsed(report: Report) -> Finding | None:
    if not report.total.unparsed.count:
        return None
    meaning = f"no outcome, not judged; {reasons_in_words(report.rows)}"
    return Finding("Unparsed", percent(report.total.unparsed, 1), meaning)


def identical(report: Report) -> Finding | None:
    if not report.total.n_identical:
        return None
    meaning = "pairs of two equal answers: a tie, and no model was asked"
    return Finding("Identical", f"{report.total.n_identical:,}", meaning)


def trimmed(report: Report) -> Finding | None:
    if not report.total.n_trimmed:
        return None
    meaning = "pairs whose answers were shortened to fit the judge"
    return Finding("Trimmed", f"{report.total.n_trimmed:,}", meaning)


def tokens(report: Report) -> Finding | None:
    n_in, n_out = report.total.mean_tokens_in, report.total.mean_tokens_out
    if n_in is None or n_out is None or is_graded_alone(report):
        return None
    return Finding("Tokens", f"{n_in:,.1f} in, {n_out:,.1f} out", "mean of a verdict, both orders added")


def asked_once(report: Report) -> Finding | None:
    n, n_in, n_out = cost_asked_once(report)
    if not n:
        return None
    meaning = "replies that several readings share, not counted in the mean above"
    if is_graded_alone(report):
        meaning = "every answer was graded alone, in one reading for all its pairs and both orders"
    return Finding("Asked once", f"{n:,}: {n_in:,} tokens in, {n_out:,} out", meaning)


def cost_asked_once(report: Report) -> tuple[int, int, int]:
    """How many replies several readings share, and their tokens in and out."""
    shared = shared_steps(row.verdict for row in report.rows)
    return len(shared), sum(step.tokens_in for step in shared), sum(step.tokens_out for step in shared)


def is_graded_alone(report: Report) -> bool:
    """Whether every verdict that a model gave compares two grades, each of one answer alone."""
    asked = [row.verdict for row in report.rows if not row.verdict.is_identical and row.outcome is not None]
    return bool(asked) and all(map(graded_steps, asked))


def server(report: Report) -> Finding | None:
    names = names_in(report.judge or "")
    if not names:
        return None
    meaning = "what the server does not take as others do; the fingerprint says so"
    return Finding("Server", in_words(names), meaning)


def time(report: Report) -> Finding | None:
    if report.elapsed_s is None:
        return None
    n_pairs = report.total.n_pairs
    each = f"{report.elapsed_s / n_pairs:.2f} s a pair" if n_pairs else "no pair"
    return Finding("Time", f"{report.elapsed_s:,.1f} s", each)


FIGURES: tuple[Figure, ...] = (
    inconsistent,
    first_twice,
    undecided,
    who_wins,
    by_mean,
    deciding_criterion,
    gold,
    gold_by_mean,
    gold_not_understood,
    unparsed,
    identical,
    trimmed,
    tokens,
    asked_once,
    server,
    time,
)
"""The summary, most important first; the first one is the headline of the page. How to add one:
docs/how-to/add-a-report-figure.md."""


def reasons_in_words(rows: Sequence[ReportRow]) -> str:
    """How many pairs each reason left unparsed, commonest first; what stands in brackets is left out."""
    reasons = Counter(next(iter(row.unparsed_reasons.values())) for row in rows if row.unparsed_reasons)
    kinds: Counter[str] = Counter()
    for reason, n in reasons.items():
        kinds[reason.partition(" (")[0]] += n
    counts = kinds.most_common()
    shown = ", ".join(f"{name_of(kind)}: {n:,}" for kind, n in counts[:MAX_REASONS])
    n_more = sum(n for _, n in counts[MAX_REASONS:])
    return f"{shown}, other reasons: {n_more:,}" if n_more else shown


def wins_in_words(wins: Mapping[Outcome, Share]) -> str:
    return ", ".join(f"{OUTCOME_NAMES[outcome]} {wins[outcome].count:,}" for outcome in Outcome)


def judge_name(report: Report) -> str:
    return one_line(report.judge) if report.judge is not None else "none: there are no verdicts"


def pairs_read(report: Report) -> str:
    n_pairs = report.total.n_pairs
    how = "each answer read alone" if is_graded_alone(report) else "each read in both orders"
    return f"{n_pairs:,} {'pair' if n_pairs == 1 else 'pairs'}, {how}"


# The table of pairs


def pair_columns(report: Report) -> list[Column]:
    """The columns of the table of pairs; category and gold only where some pair has one."""
    has_mean = gives_probabilities(report.rows)
    what = "P(A)" if has_mean else "Choice"
    columns = [Column("Pair", lambda row: name_of(row.id))]
    if report.by_category:
        columns.append(Column("Category", lambda row: name_of(row.category or NO_CATEGORY)))
    columns.append(Column("Verdict", verdict_in_words))
    for order, name in SHOWN_FIRST.items():
        columns.append(
            Column(f"{what} {name}", partial(reading_in_words, order=order, has_mean=has_mean), has_mean)
        )
    if has_mean:
        mean = "Calibrated P(A)" if f"{CALIBRATED}@" in (report.judge or "") else "Mean P(A)"
        columns.append(Column(mean, lambda row: "-" if row.p_a is None else f"{row.p_a:.2f}", True))
    columns.append(Column("Orders agree", agreement_in_words))
    if report.total.gold_strict:
        columns.append(Column("Gold", gold_in_words))
    return columns


def verdict_in_words(row: ReportRow) -> str:
    if row.outcome is None or row.status is not Status.CONSISTENT:
        return row.status.value
    if row.is_undecided:
        return "undecided"
    return OUTCOME_NAMES[row.outcome]


def reading_in_words(row: ReportRow, order: Order, has_mean: bool) -> str:
    """P(A) in this order; without probabilities the choice in the pair's terms; "-" if unread."""
    p_a, choice = row.p_a_by_order[order], row.choices[order]
    if has_mean and p_a is not None:
        return f"{p_a:.2f}"
    return "-" if choice is None else OUTCOME_NAMES[outcome_of(choice, order)]


def agreement_in_words(row: ReportRow) -> str:
    """ "yes"; "no" with the position that won; or why a reply was not read."""
    if row.status is Status.CONSISTENT:
        return "yes"
    if row.status is Status.UNPARSED:
        return "; ".join(f"{SHOWN_FIRST[o]}: {name_of(why)}" for o, why in row.unparsed_reasons.items())
    if row.is_always(Choice.FIRST):
        return "no: first twice"
    return "no: second twice" if row.is_always(Choice.SECOND) else "no: tie once"


def gold_in_words(row: ReportRow) -> str:
    return "-" if row.gold is None else f"{OUTCOME_NAMES[row.gold]} {'right' if row.is_right else 'wrong'}"


def rows_to_show(rows: Sequence[ReportRow], limit: int) -> list[tuple[int, ReportRow]]:
    """At most `limit` rows with their numbers from 1: inconsistent before unparsed before consistent ones."""
    return sorted(enumerate(rows, 1), key=lambda numbered: MOST_TELLING[numbered[1].status])[:limit]


def table_rows(report: Report) -> list[tuple[int, ReportRow]]:
    """The rows of the table of pairs, in the order of the verdicts."""
    return sorted(rows_to_show(report.rows, MAX_TABLE_ROWS), key=lambda numbered: numbered[0])


def left_out(report: Report) -> str | None:
    """A sentence on what a table of `MAX_TABLE_ROWS` leaves out; None if it shows all."""
    n_missing = len(report.rows) - MAX_TABLE_ROWS
    if n_missing <= 0:
        return None
    return (
        f"{n_missing:,} of {len(report.rows):,} pairs are left out of this table (inconsistent and unparsed "
        "ones go in first); the totals count all, and the JSON report lists all."
    )


# The table of criteria


CRITERION_COLUMNS = (
    Column("Weight", lambda group: f"{group.weight:g}", True),
    Column("Pairs", lambda group: f"{group.n_pairs:,}", True),
    Column("A / B / tie", lambda group: " / ".join(f"{group.wins[o].count:,}" for o in Outcome), True),
    Column("Mean lead", lambda group: f"{group.mean_lead:.2f}", True),
    Column("Decides", lambda group: percent(group.decides), True),
    Column("Against", lambda group: percent(group.against), True),
    Column("Against in", lambda group: some_of(group.against_ids) or "-"),
)
"""The columns that follow a criterion's name in the table of criteria."""

ABOUT_CRITERIA = (
    "Scores are the mean of both orders, times the weight. Decides: the answer that is ahead would not be "
    "without this criterion. Against: the criterion is for the other answer."
)


def criteria_left_out(report: Report) -> str | None:
    """A sentence on the criteria that the table leaves out; None if it shows all."""
    n_missing = len(report.by_criterion) - MAX_CRITERIA
    return f"{n_missing:,} more criteria, of fewer pairs, are in the JSON report." if n_missing > 0 else None


# The table of categories


def category_columns(report: Report) -> list[Column]:
    """The columns that follow the category's name in the table of categories.

    Where pairs were not judged, "Judged" says what the rates stand on.
    """
    columns = [
        Column("Pairs", lambda group: f"{group.n_pairs:,}", True),
        Column("Inconsistent", lambda group: percent(group.inconsistent), True),
        Column("First twice", lambda group: percent(group.first_twice), True),
        Column(
            "A / B / tie",
            lambda group: " / ".join(f"{report.wins_in(group)[o].count:,}" for o in Outcome),
            True,
        ),
    ]
    if report.total.undecided.count:
        columns.insert(2, Column("Undecided", lambda group: percent(group.undecided), True))
    if report.total.unparsed.count:
        columns.append(Column("Judged", judged_in_words, True))
    if report.total.gold_strict:
        columns.append(Column("Gold", lambda group: percent(group.gold_strict), True))
    if report.total.gold_by_mean:
        columns.append(Column("Gold by mean", lambda group: percent(group.gold_by_mean), True))
    return columns


def judged_in_words(group: CategoryGroup) -> str:
    """For example 97 of 100."""
    return f"{group.consistent.total:,} of {group.n_pairs:,}"
