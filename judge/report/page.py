"""A `Report` as text for a terminal, Markdown, JSON, or one HTML file with plots.

Every format says the same in the same words, which come from `judge.report.findings`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.drawing.formats import cell_of, html_page, markdown_table, terminal_text
from judge.drawing.steps import cut_in_words, graded_steps, score_table
from judge.io.verdicts import cut_to_json
from judge.io.wording import name_of
from judge.records import Order, Outcome, Share, Status
from judge.report.criteria import leads_of, most_pairs_first
from judge.report.findings import (
    ABOUT_CRITERIA,
    CRITERION_COLUMNS,
    SHOWN_FIRST,
    agreement_in_words,
    category_columns,
    cost_asked_once,
    criteria_left_out,
    findings_of,
    judge_name,
    left_out,
    pair_columns,
    pairs_read,
    rows_to_show,
    table_rows,
    verdict_in_words,
)
from judge.report.plots import MAX_DUMBBELLS, plot_of_categories, plot_of_positions, rows_with_mean
from judge.report.summary import CategoryGroup, Report, ReportRow

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

PAGE = Path(__file__).with_name("templates") / "report.html"
MAX_TEXTS = 500


# Text


def format_text(report: Report, color: bool = False, width: int = 100) -> str:
    """Tables for a terminal `width` cells wide: one line per pair, then categories, with totals at the
    end."""
    from rich.text import Text

    parts: list[RenderableType] = []
    if report.rows:
        parts.append(pairs_for_terminal(report))
    if note := left_out(report):
        parts.append(Text(note))
    if report.by_category:
        parts += [Text(), categories_for_terminal(report)]
    if report.by_criterion:
        parts += [Text(), criteria_for_terminal(report), Text(ABOUT_CRITERIA)]
    parts += [Text(f"\n{pairs_read(report)}", "bold"), findings_for_terminal(report)]
    return terminal_text(parts, color, width)


def pairs_for_terminal(report: Report) -> Table:
    from rich import box
    from rich.console import JustifyMethod
    from rich.table import Table
    from rich.text import Text

    columns = pair_columns(report)
    shares = {"Pair": 3, "Category": 2, "Orders agree": 3}
    styles = {Status.INCONSISTENT: "yellow", Status.UNPARSED: "red", Status.CONSISTENT: ""}
    table = Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1, 0, 0), show_edge=False)
    for column in columns:
        justify: JustifyMethod = "right" if column.is_number else "left"
        label = Text(column.label.replace(" ", "\n", 1))
        table.add_column(label, justify=justify, no_wrap=True, ratio=shares.get(column.label))
    for _, row in table_rows(report):
        table.add_row(*(Text(column.cell(row)) for column in columns), style=styles[row.status])
    return table


def categories_for_terminal(report: Report) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns = category_columns(report)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("Category", overflow="ellipsis", no_wrap=True, max_width=24)
    for column in columns:
        table.add_column(Text(column.label), justify="right", no_wrap=True)
    for category, group in report.by_category.items():
        table.add_row(Text(name_of(category)), *(column.cell(group) for column in columns))
    return table


def criteria_for_terminal(report: Report) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("Criterion", overflow="ellipsis", no_wrap=True, max_width=30)
    for column in CRITERION_COLUMNS:
        table.add_column(Text(column.label), justify="right" if column.is_number else "left")
    for name, group in most_pairs_first(report.by_criterion):
        table.add_row(Text(name_of(name)), *(Text(column.cell(group)) for column in CRITERION_COLUMNS))
    return table


def findings_for_terminal(report: Report) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings_of(report):
        line = Text.assemble((finding.value, "bold"), f"  {finding.meaning}")
        table.add_row(finding.label, line)
    table.add_row("Judge", Text(judge_name(report)))
    return table


# Markdown


def format_markdown(report: Report) -> str:
    """The same as a GitHub-flavoured Markdown page; every cell is escaped, so no text can become markup."""
    parts = ["# Judge report", f"Judge: {cell_of(judge_name(report))}  \n{pairs_read(report)}."]
    found = [[f.label, f"**{cell_of(f.value)}**", cell_of(f.meaning)] for f in findings_of(report)]
    parts.append(markdown_table(["Finding", "Figure", "Meaning"], [False] * 3, found))
    if report.by_category:
        columns = category_columns(report)
        labels = ["Category", *(column.label for column in columns)]
        groups = [
            [cell_of(name_of(category)), *(cell_of(column.cell(group)) for column in columns)]
            for category, group in report.by_category.items()
        ]
        parts += ["## Categories", markdown_table(labels, [False, *(c.is_number for c in columns)], groups)]
    if report.by_criterion:
        labels = ["Criterion", *(column.label for column in CRITERION_COLUMNS)]
        groups = [
            [cell_of(name_of(name)), *(cell_of(column.cell(group)) for column in CRITERION_COLUMNS)]
            for name, group in most_pairs_first(report.by_criterion)
        ]
        are_numbers = [False, *(column.is_number for column in CRITERION_COLUMNS)]
        parts += ["## Criteria", markdown_table(labels, are_numbers, groups), ABOUT_CRITERIA]
        if more := criteria_left_out(report):
            parts.append(more)
    if report.rows:
        fields = pair_columns(report)
        rows = [[cell_of(column.cell(row)) for column in fields] for _, row in table_rows(report)]
        parts += ["## Pairs", markdown_table([c.label for c in fields], [c.is_number for c in fields], rows)]
    if note := left_out(report):
        parts.append(note)
    return "\n\n".join(parts) + "\n"


# JSON


def format_json(report: Report) -> str:
    """All figures and every pair, without the texts, as indented JSON in ASCII with stable keys.

    {"judge", "elapsed_s", "total": group, "by_category": {name: group}, "asked_once", "pairs": [pair]}, and
    where criteria were given also "by_criterion": {name: criterion}

    asked_once: {"n", "tokens_in", "tokens_out"} of the replies that several readings share, as plans and
        grades of single answers are. They are in no other count of tokens.
    group: {"n_pairs", "n_judged", "consistent", "inconsistent", "undecided", "unparsed",
        "wins": {"A", "B", "TIE"}, "wins_by_mean": {"A", "B", "TIE"}, "first_twice", "mean_tokens_in",
        "mean_tokens_out", "n_trimmed", "n_identical", "gold_strict", "gold_by_mean"}; see `Group`. A share
        is {"count", "total", "value"}, its value null where total is 0; a share of gold labels is null where
        there is none.
    pair: {"id", "category", "status", "outcome", "p_a", "outcome_by_mean", "is_undecided", "gold",
        "is_trimmed", "tokens_in", "tokens_out", "orders": {"AB": order, "BA": order}}
    order: {"choice", "p_a", "unparsed"}; choice is null where unparsed, which then is the reason. Where
        answers were shortened and it is known by how much, also "cut": {"read", "whole"}, in tokens.
    criterion: {"weight", "wins", "decides", "against", "against_ids", "mean_lead"}; see `CriterionGroup`. A
        pair then has "criteria": {name: {"a", "b", "weight"}}, the mean scores of both orders.
    """
    content = {
        "judge": report.judge,
        "elapsed_s": report.elapsed_s,
        "total": group_as_json(report.total),
        "by_category": {category: group_as_json(group) for category, group in report.by_category.items()},
        "asked_once": dict(zip(("n", "tokens_in", "tokens_out"), cost_asked_once(report), strict=True)),
        **criteria_as_json(report),
        "pairs": [row_as_json(row) for row in report.rows],
    }
    return json.dumps(content, indent=2) + "\n"


def group_as_json(group: CategoryGroup) -> dict[str, Any]:
    return {
        "n_pairs": group.n_pairs,
        "n_judged": group.consistent.total,
        "consistent": share_as_json(group.consistent),
        "inconsistent": share_as_json(group.inconsistent),
        "undecided": share_as_json(group.undecided),
        "unparsed": share_as_json(group.unparsed),
        "wins": {outcome.value: share_as_json(group.wins[outcome]) for outcome in Outcome},
        "wins_by_mean": {outcome.value: share_as_json(group.wins_by_mean[outcome]) for outcome in Outcome},
        "first_twice": share_as_json(group.first_twice),
        "mean_tokens_in": group.mean_tokens_in,
        "mean_tokens_out": group.mean_tokens_out,
        "n_trimmed": group.n_trimmed,
        "n_identical": group.n_identical,
        "gold_strict": share_as_json(group.gold_strict),
        "gold_by_mean": share_as_json(group.gold_by_mean),
    }


def criteria_as_json(report: Report) -> dict[str, Any]:
    if not report.by_criterion:
        return {}
    return {
        "by_criterion": {
            name: {
                "weight": group.weight,
                "wins": {outcome.value: share_as_json(group.wins[outcome]) for outcome in Outcome},
                "decides": share_as_json(group.decides),
                "against": share_as_json(group.against),
                "against_ids": list(group.against_ids),
                "mean_lead": group.mean_lead,
            }
            for name, group in report.by_criterion.items()
        }
    }


def share_as_json(share: Share | None) -> dict[str, Any] | None:
    return None if share is None else {"count": share.count, "total": share.total, "value": share.value}


def row_as_json(row: ReportRow) -> dict[str, Any]:
    choices, p_a_by_order, reasons = row.choices, row.p_a_by_order, row.unparsed_reasons
    leads = {name: asdict(lead) for name, lead in leads_of(row.verdict).items()}
    return {
        "id": row.id,
        "category": row.category,
        "status": row.status,
        "outcome": row.outcome,
        "p_a": row.p_a,
        "outcome_by_mean": row.outcome_by_mean,
        "is_undecided": row.is_undecided,
        "gold": row.gold,
        "is_trimmed": row.is_trimmed,
        "tokens_in": row.tokens_in,
        "tokens_out": row.tokens_out,
        "orders": {
            o.value: {"choice": choices[o], "p_a": p_a_by_order[o], "unparsed": reasons.get(o)}
            | ({} if (cut := row.verdict.readings[o].cut) is None else {"cut": cut_to_json(cut)})
            for o in Order
        },
        **({"criteria": leads} if leads else {}),
    }


# HTML


def format_html(report: Report, title: str = "Judge report") -> str:
    """One self-contained file: no script, nothing loaded, plots inlined. Same report, same bytes.

    At most `MAX_TABLE_ROWS` pairs are listed and the texts of at most `MAX_TEXTS` shown; the page says so.
    """
    from markupsafe import Markup

    headline, *findings = findings_of(report)
    positions, bars = plot_of_positions(report), plot_of_categories(report)
    n_drawn = len(rows_with_mean(report))
    texts = rows_to_show(report.rows, MAX_TEXTS)
    return html_page(
        PAGE,
        title=title,
        report=report,
        judge=judge_name(report),
        pairs_read=pairs_read(report),
        headline=headline,
        findings=findings,
        parts=parts_of(report.total),
        positions=positions and Markup(positions),
        bars=bars and Markup(bars),
        is_scatter=n_drawn > MAX_DUMBBELLS,
        n_drawn=n_drawn,
        category_columns=category_columns(report),
        criteria=most_pairs_first(report.by_criterion),
        criterion_columns=CRITERION_COLUMNS,
        about_criteria=ABOUT_CRITERIA,
        criteria_left_out=criteria_left_out(report),
        scores_by_criterion=lambda row: score_table(row.verdict, 100) if leads_of(row.verdict) else "",
        pair_columns=pair_columns(report),
        table_rows=table_rows(report),
        left_out=left_out(report),
        texts=texts,
        numbers_with_text={number for number, _ in texts},
        orders=SHOWN_FIRST,
        Status=Status,
        name_of=name_of,
        verdict_in_words=verdict_in_words,
        agreement_in_words=agreement_in_words,
        graded_steps=graded_steps,
        cut_in_words=cut_in_words,
    )


def parts_of(group: CategoryGroup) -> list[tuple[str, str, int]]:
    """All pairs of a group in parts that add up: style name, words, count. Empty parts are left out."""
    n_close = group.n_undecided_alone
    n_tied_twice = group.wins[Outcome.TIE].count - group.inconsistent.count - n_close
    parts = [
        ("a", "A wins", group.wins[Outcome.A].count),
        ("b", "B wins", group.wins[Outcome.B].count),
        ("tie", "tie in both orders", n_tied_twice),
        ("undecided", "undecided", n_close),
        ("inconsistent", "inconsistent", group.inconsistent.count),
        ("unparsed", "unparsed", group.unparsed.count),
    ]
    return [part for part in parts if part[2]]
