"""What a judge did on its way to a verdict: shared steps, and steps, scores and grades as text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from judge.io.wording import one_line, visible
from judge.records import GRADED_ALONE, Cut, Order, Reading, Step, Verdict, longest_cut

MEAN_GRADE = re.compile(r"mean grade (\d\.\d\d) of ")
ALONE = "Each answer was graded alone, from 1 to 9, in one reading: no order can change the verdict."


def shared_steps(verdicts: Iterable[Verdict]) -> list[Step]:
    """Each shared step once, however many readings rest on it."""
    steps = (step for v in verdicts for reading in v.readings.values() for step in reading.steps)
    return list({step.shared: step for step in steps if step.shared}.values())


def format_steps(verdict: Verdict, width: int = 100) -> str:
    """All that the judge said, as text: scores as a table, criterion by response, then every reply."""
    parts = [table] if (table := score_table(verdict, width)) else []
    graded = graded_steps(verdict)
    if graded:
        parts.append(ALONE)
        parts += [f"Answer {side}\n{_indented(step.raw)}" for side, step in graded.items()]
    slow = slow_steps(verdict)
    of_orders = [part for order in Order for part in _replies(verdict, order)]
    if slow or not graded:
        parts.append("In its replies the judge calls the answer shown first A, and the other B.")
        parts += [f"{one_line(step.name)}\n{_indented(step.raw)}" for step in slow]
        parts += of_orders
    return "\n\n".join(parts)


def _replies(verdict: Verdict, order: Order) -> list[str]:
    """What the judge said in one order, each step under its name."""
    shown, reading = f"{order[0]} shown first", verdict.readings[order]
    steps = [
        f"{shown}, {one_line(step.name)}\n{_indented(step.raw)}" for step in reading.steps if not step.shared
    ]
    return [*steps, f"{shown}, reply\n{_indented(reading.raw)}"]


def slow_steps(verdict: Verdict) -> list[Step]:
    """The steps that both orders share and that graded no answer: the plan of a slow method, for example."""
    return [step for step in shared_steps([verdict]) if step.name not in GRADED_ALONE]


def graded_steps(verdict: Verdict) -> dict[str, Step]:
    """The steps that graded answers A and B, each alone; none where the judge saw them beside each other."""
    for order, reading in verdict.readings.items():
        steps = [step for step in reading.steps if step.name in GRADED_ALONE]
        if len(steps) == len(order):
            return dict(sorted(zip(order, steps, strict=True)))
    return {}


def grades_in_words(verdict: Verdict, names: tuple[str, str] = ("A", "B")) -> str:
    """The grades of A and B as one line; "" where there are none or their text is not known."""
    found = [MEAN_GRADE.match(step.raw) for step in graded_steps(verdict).values()]
    said = ", ".join(f"{name} {one[1]}" for name, one in zip(names, found, strict=False) if one)
    return f"each answer graded alone, 1 to 9: {said}" if len(found) == len(names) and all(found) else ""


def cut_in_words(verdict: Verdict) -> str:
    """That the answers were shortened for the judge, which read so much of so much; "" where they were not.

    Verdicts that were made before the whole was counted say what was read. Where a method then asked several
    questions they give no figure: its tokens are those of all of them.
    """
    trimmed = [reading for reading in verdict.readings.values() if reading.is_trimmed]
    if not trimmed:
        return ""
    said = "answers were shortened for the judge"
    if cut := longest_cut(reading.cut for reading in trimmed):
        return f"{said}, which read {share_in_words(cut)}"
    read = [step.tokens_in for step in graded_steps(verdict).values()]
    if not read and not any(reading.steps for reading in trimmed):
        read = [reading.tokens_in for reading in trimmed]
    return f"{said}, which read {max(read):,} tokens" if read else said


def reading_cut_in_words(reading: Reading) -> str:
    """The same of one reading, for a list of what there is to say of it."""
    if not reading.is_trimmed:
        return ""
    return f"answers shortened{f': {share_in_words(reading.cut)} read' if reading.cut else ''}"


def share_in_words(cut: Cut) -> str:
    """How much was read: "4,096 of 30,000 tokens"."""
    return f"{cut.read:,} of {cut.whole:,} tokens"


def score_table(verdict: Verdict, width: int) -> str:
    """The scores of A and B on each criterion in both orders, and their sums; "" where there are none."""
    by_order = {order: scores_of(verdict.readings[order], order) for order in Order}
    names = list(dict.fromkeys(name for scores in by_order.values() for name in scores))
    if not names:
        return ""
    heads = ["A", "B", "A", "B"]
    rows = [
        [one_line(name), *(_figure(by_order[o].get(name), side) for o in Order for side in (0, 1))]
        for name in names
    ]
    sums = [total for o in Order for total in sums_of(verdict.readings[o], o)]
    rows.append(["sum", *(f"{total:.2f}" for total in sums)])
    wide = min(max(len(row[0]) for row in rows), max(20, width - 34))
    lines = [f"{'':{wide}}   A shown first   B shown first", _line("criterion", heads, wide)]
    for name, *figures in rows:
        first, *more = _wrapped(name, wide)
        lines += [_line(first, figures, wide), *more]
    return "\n".join(lines)


def scores_of(reading: Reading, order: Order) -> dict[str, tuple[float, float]]:
    """The scores of a and b by criterion, whichever was shown first; a weight stands behind its name."""
    return {
        step.name if step.weight == 1 else f"{step.name} (weight {step.weight:g})": both
        for step in reading.steps
        if (both := scores_of_step(step, order))
    }


def sums_of(reading: Reading, order: Order) -> tuple[float, float]:
    """The sums of the scores of a and b over all criteria, by their weights."""
    scores = [(step.weight, both) for step in reading.steps if (both := scores_of_step(step, order))]
    a, b = (sum(weight * both[side] for weight, both in scores) for side in (0, 1))
    return a, b


def scores_of_step(step: Step, order: Order) -> tuple[float, float] | None:
    """The scores that one step gave a and b; None where it gave none."""
    if step.scores is None or order is Order.AB:
        return step.scores
    return step.scores[1], step.scores[0]


def _figure(scores: tuple[float, float] | None, side: int) -> str:
    return "-" if scores is None else f"{scores[side]:.2f}"


def _line(name: str, figures: list[str], wide: int) -> str:
    a, b, c, d = figures
    return f"{name:{wide}}   {a:>6} {b:>6}   {c:>6} {d:>6}"


def _wrapped(text: str, width: int) -> list[str]:
    from textwrap import wrap

    return wrap(text, width) or [""]


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in visible(text).strip().split("\n"))
