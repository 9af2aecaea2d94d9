"""What a selection kept and dropped, in figures and as text, to look at before a student learns from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from distill.advice import advice_of, large_majorities
from distill.selection import Example, Part, Selection, has_longer
from distill.traces import Trace
from judge.datasets.dataset import prompt_of
from judge.io.wording import name_of, percent
from judge.records import NO_CATEGORY, Outcome, Pair, Share
from judge.report.summary import ReportRow, group_of

SHOWN_REASONS = 5


def report_of(selection: Selection, traces: Sequence[Trace]) -> dict[str, Any]:
    """What was kept and dropped, as plain JSON values; a share is {"count", "total"}.

    `longer_won` leaves out pairs of equal length. "decided" are all pairs for which the teacher named one
    response in both orders. Tokens are a pair's mean over both orders, without shared steps.
    """
    rows = [ReportRow(trace.verdict, trace.pair) for trace in traces]
    reasons = Counter(reason for row in rows for reason in row.unparsed_reasons.values())
    return {
        "settings": {
            "filter": selection.filter.value,
            "margin": selection.margin,
            "balance_length": selection.balance_length,
            "held_out": selection.held_out,
            "seed": selection.seed,
        },
        "teachers": sorted({trace.verdict.judge for trace in traces}),
        "total": figures_of(rows, selection.kept),
        "large_majorities": asdict(large_majorities(traces)),
        "dropped": {
            reason: asdict(Share(n, len(rows))) for reason, n in by_frequency(selection.dropped).items()
        },
        "unparsed_reasons": dict(list(by_frequency(reasons).items())[:SHOWN_REASONS]),
        "parts": {part.value: sizes_of(selection.kept, part) for part in Part},
        "by_category": figures_by_category(rows, selection.kept),
    }


def figures_of(rows: Sequence[ReportRow], kept: Sequence[Example]) -> dict[str, Any]:
    """The figures of some traces and of what was kept of them."""
    group = group_of(rows, has_mean=False)
    sides = (Outcome.A, Outcome.B)
    decided = [(row.pair, row.outcome) for row in rows if row.pair and row.outcome in sides]
    won = [(one.pair, one.winner) for one in kept if one.winner]
    shares = {
        "kept": Share(len(kept), len(rows)),
        "inconsistent": group.inconsistent,
        "unparsed": group.unparsed,
        "longer_won_of_kept": share_longer_won(won),
        "longer_won_of_decided": share_longer_won(decided),
        "a_won_of_kept": share_a_won(won),
        "a_won_of_decided": share_a_won(decided),
    }
    return {
        "pairs": len(rows),
        **{name: asdict(share) for name, share in shares.items()},
        "mean_tokens_in": group.mean_tokens_in,
        "mean_tokens_out": group.mean_tokens_out,
    }


def figures_by_category(rows: Sequence[ReportRow], kept: Sequence[Example]) -> dict[str, dict[str, Any]]:
    """The figures of each category in alphabetical order; nothing where no pair has one."""
    if not any(row.category for row in rows):
        return {}
    rows_in: dict[str, list[ReportRow]] = {}
    kept_in: dict[str, list[Example]] = {}
    for row in rows:
        rows_in.setdefault(row.category or NO_CATEGORY, []).append(row)
    for one in kept:
        kept_in.setdefault(one.pair.category or NO_CATEGORY, []).append(one)
    return {name: figures_of(rows_in[name], kept_in.get(name, [])) for name in sorted(rows_in)}


def share_longer_won(won: Iterable[tuple[Pair, Outcome | None]]) -> Share:
    counted = [winner is pair.longer for pair, winner in won if has_longer(pair)]
    return Share(sum(counted), len(counted))


def share_a_won(won: Sequence[tuple[Pair, Outcome | None]]) -> Share:
    return Share(sum(winner is Outcome.A for _, winner in won), len(won))


def sizes_of(kept: Iterable[Example], part: Part) -> dict[str, int]:
    prompts = [prompt_of(one.pair) for one in kept if one.part is part]
    return {"pairs": len(prompts), "prompts": len(set(prompts))}


def by_frequency(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts, largest first, equal ones in alphabetical order."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def format_report(report: Mapping[str, Any]) -> str:
    """The report of `report_of` as text: one line per figure, then a table of the categories."""
    settings, total = report["settings"], report["total"]
    lines = [
        ("Filter", f"{settings['filter']}, margin {settings['margin']:g}{balance_words(settings)}"),
        ("Teacher", ", ".join(map(name_of, report["teachers"])) or "-"),
        ("Pairs in", f"{total['pairs']:,}"),
        ("Kept", rate(total["kept"])),
        *((f"  {reason}", rate(share)) for reason, share in report["dropped"].items()),
        ("Inconsistent", f"{rate(total['inconsistent'])} of the pairs read in both orders"),
        ("Unparsed", rate(total["unparsed"])),
        *((f"  {n:,} x", name_of(reason)) for reason, n in report["unparsed_reasons"].items()),
        ("Longer won", both_rates(total, "longer_won")),
        ("A won", both_rates(total, "a_won")),
        ("Tokens a pair", f"{mean(total['mean_tokens_in'])} in, {mean(total['mean_tokens_out'])} out"),
        ("Train", size_words(report["parts"][Part.TRAIN])),
        ("Held out", size_words(report["parts"][Part.HELD_OUT])),
    ]
    if "large_majorities" in report:  # a run selected by an older version has no such figure
        lines += advice_of(Share(**report["large_majorities"])).items()
    categories = {"By category": CATEGORY_LABELS} | {
        name_of(name): category_cells(figures) for name, figures in report["by_category"].items()
    }
    text = aligned([(label, [value]) for label, value in lines])
    return text + ("\n" + aligned(categories.items()) if len(categories) > 1 else "")


CATEGORY_LABELS = ["pairs", "kept", "inconsistent", "unparsed", "longer won (kept)", "A won (kept)"]


def category_cells(figures: Mapping[str, Any]) -> list[str]:
    names = ("kept", "inconsistent", "unparsed", "longer_won_of_kept", "a_won_of_kept")
    return [f"{figures['pairs']:,}", *(rate(figures[name]) for name in names)]


def aligned(rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Lines with a label and cells, each column as wide as its longest entry, without trailing spaces."""
    table = [[label, *cells] for label, cells in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ("  ".join(map(str.ljust, cells, widths)).rstrip() for cells in table)
    return "".join(f"{line}\n" for line in lines)


def balance_words(settings: Mapping[str, Any]) -> str:
    balanced = ", lengths balanced" if settings["balance_length"] else ""
    return f"{balanced}, {settings['held_out']:g} of the prompts held out, seed {settings['seed']}"


def both_rates(figures: Mapping[str, Any], name: str) -> str:
    of_kept, of_decided = figures[f"{name}_of_kept"], figures[f"{name}_of_decided"]
    return f"{rate(of_kept)} of the kept, {rate(of_decided)} of all decided"


def size_words(sizes: Mapping[str, int]) -> str:
    return f"{sizes['pairs']:,} pairs of {sizes['prompts']:,} prompts"


def rate(share: Mapping[str, int]) -> str:
    return percent(Share(**share), digits=1)


def mean(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"
