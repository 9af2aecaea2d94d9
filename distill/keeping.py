"""Readings that are kept whatever the filter does: as rows, right or wrong by their pair's winner.

A student may learn from wrong readings too, and a ranker learns to tell them from right ones (Li et al.,
arXiv:2312.12832). No person's label is looked at: a pair's winner is what the filter names, and for a pair
that it drops the response that the teacher finds likelier in the mean of both orders, where it says that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill.recipe import WRITES_WORKINGS, Recipe, teachers_method
from distill.rows import WRONG, Row, row_to_json
from distill.selection import (
    SURPLUS,
    Dropped,
    Example,
    Part,
    Selection,
    by_mean_of_orders,
    part_of,
    taught,
)
from distill.selectionreport import aligned, by_frequency
from distill.traces import Trace
from distill.workings import mirrored
from judge.datasets.dataset import prompt_of
from judge.errors import InputError
from judge.io.rows import write_json_lines
from judge.methods import TRACED
from judge.methods.asking import letters_of
from judge.methods.dual import render_dual
from judge.methods.traced import said, traced
from judge.methods.voting import samples_of
from judge.orders import outcome_of
from judge.prompts.working import Working, format_working, parse_working
from judge.records import Choice, Order, Outcome, Pair, Reading, Unparsed, sha256_of_json

KEPT = "its pair is kept"
HELD_OUT = "its prompt is held out"
NO_WINNER = "its pair has no winner"
NOT_JUDGED = "its pair was not read by the teacher that names winners"
UNREAD = "could not be read"


@dataclass(frozen=True, slots=True)
class KeptReading:
    """A reading as a row, and where it comes from; `reason` is why the filter dropped its pair, or `KEPT`.

    One that is mirrored was read in the other order.
    """

    row: Row
    pair_id: str
    order: Order
    reason: str
    is_mirrored: bool = False


@dataclass(frozen=True, slots=True)
class KeptReadings:
    """Readings that name their pair's winner, those that do not, and how many are neither, by reason.

    Of a pair's workings as many are in either order, which mirrored ones make up for.
    """

    right: Sequence[KeptReading]
    wrong: Sequence[KeptReading]
    left_out: Mapping[str, int]

    @property
    def counts(self) -> dict[str, Any]:
        """How many there are of each, by the reason of their pair, as plain JSON values."""
        sides = {"right": self.right, "wrong": self.wrong}
        counted = {name: by_frequency(Counter(one.reason for one in some)) for name, some in sides.items()}
        n_mirrored = {name: sum(one.is_mirrored for one in some) for name, some in sides.items()}
        told = {"mirrored": by_frequency(Counter(n_mirrored))} if any(n_mirrored.values()) else {}
        return {**counted, **told, "left_out": by_frequency(self.left_out)}


def check_traced(recipe: Recipe) -> None:
    """Raises InputError where the teacher's readings do not say how they came to their verdicts.

    Those of `train.workings` are looked at one by one.
    """
    teacher = recipe.collect.teacher
    if recipe.train.workings:
        return
    if teacher.is_sum or teachers_method(recipe) not in TRACED:
        method = "a sum" if teacher.is_sum else teacher.method
        raise InputError(
            f"--keep-dropped: the teacher's method is {method}, whose readings say nothing that could be "
            f"learned. It must be one of {', '.join(TRACED)}, or train.workings must name a run of bsm-text."
        )


def kept_readings(
    recipe: Recipe, traces: Sequence[Trace], selection: Selection, written: Sequence[Trace] | None = None
) -> KeptReadings:
    """All readings, ordered by their pairs' content; of a vote each sample is one.

    Args:
        traces: what the selection is of. Their pairs' winners count.
        written: of another run, whose teacher is bsm-text, the traces with the readings; None where they are
            the selection's own.
    """
    judged = {trace.pair.content_hash: trace for trace in traces}
    examples = {one.pair.content_hash: one for one in selection.kept}
    as_asked = (teachers_method(recipe), recipe.collect.teacher.ties)
    method, ties = as_asked if written is None else (WRITES_WORKINGS, recipe.student_ties)
    right: list[KeptReading] = []
    wrong: list[KeptReading] = []
    left_out: Counter[str] = Counter()
    some = traces if written is None else written
    for trace in sorted(some, key=lambda one: (one.pair.content_hash, one.pair.id)):
        own = judged.get(trace.pair.content_hash)
        example = examples.get(trace.pair.content_hash)
        winner = example.winner if example else own and likelier(own)
        sides: dict[bool, list[KeptReading]] = {True: [], False: []}
        for order, reading in readings_of(trace):
            found = row_of(trace, order, reading, method, ties)
            if isinstance(found, Dropped):
                left_out[found.reason] += 1
            elif own is None:
                left_out[NOT_JUDGED] += 1
            elif is_held_out(trace, selection):
                left_out[HELD_OUT] += 1
            elif winner is None:
                left_out[NO_WINNER] += 1
            else:
                row, choice = found
                is_right = outcome_of(choice, order) is winner
                reason = KEPT if example else why_dropped(own, selection)
                row = row if is_right else replace(row, sign=WRONG)
                sides[is_right].append(KeptReading(row, own.pair.id, order, reason))
        for side, kept in ((right, sides[True]), (wrong, sides[False])):
            side += kept
            if method == WRITES_WORKINGS:
                side += mirrored_ones(kept, trace.pair, ties)
    return KeptReadings(right, wrong, left_out)


def mirrored_ones(kept: Sequence[KeptReading], pair: Pair, ties: bool) -> Iterator[KeptReading]:
    """Workings of the order that has more of them, as they are in the other one, until both have as many.

    A teacher that prefers a place would else teach the place.
    """
    by_order = {order: [one for one in kept if one.order is order] for order in Order}
    rare, frequent = sorted(by_order, key=lambda order: len(by_order[order]))
    n_more = len(by_order[frequent]) - len(by_order[rare])
    messages, letters = said(render_dual(pair, rare, ties)), tuple(letters_of(ties))
    for one in by_order[frequent][:n_more]:
        working = parse_working(one.row.reply, is_ended=True, letters=letters)
        assert isinstance(working, Working), "it has become a row"
        row = replace(one.row, messages=messages, reply=format_working(mirrored(working)))
        yield replace(one, row=row, order=rare, is_mirrored=True)


def readings_of(trace: Trace) -> Iterator[tuple[Order, Reading]]:
    for order in Order:
        for reading in samples_of(trace.verdict.readings[order]):
            yield order, reading


def row_of(
    trace: Trace, order: Order, reading: Reading, method: str, ties: bool
) -> tuple[Row, Choice] | Dropped:
    """The reading as a row with its choice; or why it is none.

    All readings of one request are a group, known by its hash: by the request itself they would be held out
    where its pair is, and those are left out already.
    """
    if isinstance(reading, Unparsed):
        return Dropped(UNREAD)
    found = traced(trace.pair, order, reading, method, ties)
    if isinstance(found, Unparsed):
        return Dropped(found.reason)
    group = sha256_of_json(prompt_of(trace.pair))
    return Row(found.messages, found.reply, group=group), reading.choice


def is_held_out(trace: Trace, selection: Selection) -> bool:
    return part_of(trace.pair, selection.held_out, selection.seed) is Part.HELD_OUT


def why_dropped(trace: Trace, selection: Selection) -> str:
    """Why the filter dropped a pair; the balance of lengths is the one reason that is not in the pair."""
    found = taught(trace, selection.filter, selection.margin, selection.held_out, selection.seed)
    return found.reason if isinstance(found, Dropped) else SURPLUS


def likelier(trace: Trace) -> Outcome | None:
    """The response with the greater P in the mean of both orders; None where the teacher does not say."""
    choices = by_mean_of_orders(trace.verdict)
    if isinstance(choices, Dropped):
        return None
    return Example(trace.pair, choices, None, Part.TRAIN).winner


def write_readings(path: Path, readings: Sequence[KeptReading]) -> None:
    """Writes rows that say where they come from. Raises InputError where they cannot be written."""
    write_json_lines(path, map(reading_to_json, readings))


def reading_to_json(one: KeptReading) -> dict[str, Any]:
    where = {"pair_id": one.pair_id, "order": one.order.value, "reason": one.reason}
    return row_to_json(one.row) | where | ({"mirrored": True} if one.is_mirrored else {})


def format_kept(counts: Mapping[str, Mapping[str, int]]) -> str:
    """The counts as text: a line for right, wrong and left out, and one for each reason."""
    rows = []
    names = {
        "right": "Right readings",
        "wrong": "Wrong readings",
        "mirrored": "Mirrored among them",
        "left_out": "Left out",
    }
    for key, name in names.items():
        if key not in counts:
            continue
        rows.append((name, [f"{sum(counts[key].values()):,}"]))
        rows += [(f"  {reason}", [f"{n:,}"]) for reason, n in counts[key].items()]
    return aligned(rows)
