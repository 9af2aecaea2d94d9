"""What a slow judge did on its way to a verdict: shared steps, and steps and scores as text."""

from __future__ import annotations

from collections.abc import Iterable

from judge.records import Order, Reading, Step, Verdict


def shared_steps(verdicts: Iterable[Verdict]) -> list[Step]:
    """Each shared step once, however many readings rest on it."""
    steps = (step for v in verdicts for reading in v.readings.values() for step in reading.steps)
    return list({step.shared: step for step in steps if step.shared}.values())


def format_steps(verdict: Verdict, width: int = 100) -> str:
    """All that the judge said, as text: scores as a table, criterion by response, then every reply."""
    parts = [table] if (table := score_table(verdict, width)) else []
    parts.append("In its replies the judge calls the answer shown first A, and the other B.")
    parts += [f"{step.name}\n{_indented(step.raw)}" for step in shared_steps([verdict])]
    for order in Order:
        shown = f"{order[0]} shown first"
        for step in verdict.readings[order].steps:
            if not step.shared:
                parts.append(f"{shown}, {step.name}\n{_indented(step.raw)}")
        parts.append(f"{shown}, reply\n{_indented(verdict.readings[order].raw)}")
    return "\n\n".join(parts)


def score_table(verdict: Verdict, width: int) -> str:
    """The scores of A and B on each criterion in both orders, and their sums; "" where there are none."""
    by_order = {order: scores_of(verdict.readings[order], order) for order in Order}
    names = list(dict.fromkeys(name for scores in by_order.values() for name in scores))
    if not names:
        return ""
    heads = ["A", "B", "A", "B"]
    rows = [
        [name, *(_figure(by_order[o].get(name), side) for o in Order for side in (0, 1))] for name in names
    ]
    sums = [sum(scores[side] for scores in by_order[o].values()) for o in Order for side in (0, 1)]
    rows.append(["sum", *(f"{total:.2f}" for total in sums)])
    wide = min(max(len(row[0]) for row in rows), max(20, width - 34))
    lines = [f"{'':{wide}}   A shown first   B shown first", _line("criterion", heads, wide)]
    for name, *figures in rows:
        first, *more = _wrapped(name, wide)
        lines += [_line(first, figures, wide), *more]
    return "\n".join(lines)


def scores_of(reading: Reading, order: Order) -> dict[str, tuple[float, float]]:
    """The scores of a and b by criterion, whichever was shown first."""
    scores = {step.name: step.scores for step in reading.steps if step.scores}
    return {name: one if order is Order.AB else (one[1], one[0]) for name, one in scores.items()}


def _figure(scores: tuple[float, float] | None, side: int) -> str:
    return "-" if scores is None else f"{scores[side]:.2f}"


def _line(name: str, figures: list[str], wide: int) -> str:
    a, b, c, d = figures
    return f"{name:{wide}}   {a:>6} {b:>6}   {c:>6} {d:>6}"


def _wrapped(text: str, width: int) -> list[str]:
    from textwrap import wrap

    return wrap(text, width) or [""]


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines())
