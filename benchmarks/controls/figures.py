"""Figures of the control's result, and the table that shows them beside the paper's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.controls.run import OPTIMAL, SAMPLED, SCHEMA, SOLVED
from benchmarks.controls.students import LEARNERS
from distill.ensemble import wilson
from judge.errors import InputError

Result = Mapping[str, Any]

PAPER: Mapping[tuple[str, str], tuple[float, int | None]] = {
    ("solution", "fast"): (30.0, None),
    ("dual", "fast"): (80.0, None),
    ("complete", "slow"): (93.3, 1538),
    ("dual", "slow"): (97.6, 854),
    ("dual", "auto"): (96.6, 617),
}
"""What Su et al. (arXiv:2410.09918) report of mazes of 30 x 30: optimal in percent, tokens of the trace."""

DRAWN = [(name, f"{way} {SAMPLED}") for name, learner in LEARNERS.items() for way in learner.sampled]
"""Ways whose words are drawn; older results have none of them."""

CONTRASTS = ((("dual", "fast"), ("solution", "fast")), (("dual", "slow"), ("complete", "slow")))


def table_of(results: Sequence[Result]) -> str:
    """The paper's figures, ours where they were measured, and what they rest on.

    Raises:
        InputError: the result is of another schema.
    """
    result = results[0] if results else None
    if result and result["schema"] != SCHEMA:
        raise InputError(f"a result file of schema {result['schema']}; this table reads {SCHEMA}.")
    size = result["mazes"]["size"] if result else 10
    ours = f"ours, {size} x {size}"
    lines = [
        f"| student | asked | paper, 30 x 30: optimal, % | tokens of trace | {ours}: optimal, % | solved, % "
        "| tokens of trace |",
        "| --- " * 7 + "|",
    ]
    for (student, way), (percent, n_tokens) in PAPER.items():
        paper = f"{percent:.1f} | {n_tokens:,}" if n_tokens else f"{percent:.1f} | -"
        cells = " | ".join(cells_of(row_of(result, student, way)) if result else ["-"] * 3)
        lines.append(f"| {LEARNERS[student].what} | {way} | {paper} | {cells} |")
    for student, way in DRAWN:
        if result and (row := row_if_there(result, student, way)):
            lines.append(f"| {LEARNERS[student].what} | {way} | - | - | {' | '.join(cells_of(row))} |")
    return "\n".join([*lines, "", *notes_of(result)])


def row_of(result: Result, student: str, way: str) -> Mapping[str, Any]:
    found = row_if_there(result, student, way)
    assert found is not None
    return found


def row_if_there(result: Result, student: str, way: str) -> Mapping[str, Any] | None:
    """The row of the mazes that are measured; None where the result has none."""
    rows = (
        row for row in result["rows"] if (row["student"], row["way"], row["split"]) == (student, way, "test")
    )
    return next(rows, None)


def cells_of(row: Mapping[str, Any]) -> list[str]:
    """Shares in percent of optimal and of solved mazes, and the mean tokens of a trace, with intervals."""
    optimal, solved = optimal_of(row), [mark in OPTIMAL + SOLVED for mark in row["marks"]]
    tokens, around = mean_and_around(row["trace_tokens"])
    length = f"{tokens:.0f} ({tokens - around:.0f}-{tokens + around:.0f})" if around else f"{tokens:.0f}"
    return [share_cell(optimal), share_cell(solved), length if tokens else "-"]


def optimal_of(row: Mapping[str, Any]) -> list[bool]:
    return [mark == OPTIMAL for mark in row["marks"]]


def share_cell(right: Sequence[bool]) -> str:
    """ "81.3 (76.9-85.0)": percent with its 95 % interval (Wilson)."""
    share = sum(right) / len(right)
    low, high = wilson(share, len(right))
    return f"{100 * share:.1f} ({100 * low:.1f}-{100 * high:.1f})"


def mean_and_around(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and half of its 95 % interval by the normal distribution."""
    n, mean = len(values), sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / max(1, n - 1)
    return mean, 1.96 * math.sqrt(variance / n)


def notes_of(result: Result | None) -> list[str]:
    """Under the table: how the two were measured, and how far apart students are on the same mazes."""
    if result is None:
        return ["Ours have not been measured: `python -m benchmarks.controls FOLDER`."]
    n, model, auto = result["n_mazes"], result["model"], row_of(result, "dual", "auto")
    apart = [
        f"{way_words(one)} less {way_words(other)}: {contrast_words(result, one, other)}"
        for one, other in CONTRASTS
    ]
    return [
        f"{model['n_weights'] / 1e6:.1f} million weights, {result['training']['steps']:,} steps of "
        f"{result['training']['mazes_a_step']} mazes, {n['train']:,} mazes to learn from, {n['test']} to "
        "measure; 95 % intervals over mazes (shares: Wilson). In points of optimal mazes, "
        f"{'; '.join(apart)}. Asked without a first word, the dual student left the trace out in "
        f"{auto['n_fast']} of {len(auto['marks'])} mazes{drawn_in_words(result)}. On {result['cpu']}.",
    ]


def drawn_in_words(result: Result) -> str:
    """What drawing words changes: how often auto leaves the trace out, and the lengths of traces."""
    auto, dual, whole = (
        row_if_there(result, student, f"{way} {SAMPLED}")
        for student, way in (("dual", "auto"), ("dual", "slow"), ("complete", "slow"))
    )
    if auto is None or dual is None or whole is None:
        return ""
    n_words, n_whole = (sum(row["trace_tokens"]) / len(row["trace_tokens"]) for row in (dual, whole))
    drawn = f"{auto['n_fast']} of {len(auto['marks'])} where its words are drawn by their probabilities"
    length = f"{100 * n_words / n_whole:.0f} % of the words of complete ones"
    return f", and in {drawn}; its slow traces then have {length}"


def way_words(one: tuple[str, str]) -> str:
    student, way = one
    return f"{LEARNERS[student].what} {way}"


def contrast_words(result: Result, one: tuple[str, str], other: tuple[str, str]) -> str:
    """ "+12.4 (8.1 to 16.7)": the mean difference on the same mazes, with its interval."""
    pairs = zip(optimal_of(row_of(result, *one)), optimal_of(row_of(result, *other)), strict=True)
    mean, around = mean_and_around([100.0 * (here - there) for here, there in pairs])
    return f"{mean:+.1f} ({mean - around:.1f} to {mean + around:.1f})"
