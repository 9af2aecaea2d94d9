"""Traces: what a teacher said of unlabelled pairs, in both orders, with every step; as files, shards.

A shard is gzipped JSON lines that `pandas.read_json(path, lines=True)` reads, a trace a line: the columns a
person looks at, then the whole `pair` and the whole `verdict`. The columns follow from these two and are
compared with them when a shard is read, so that no column can say something else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.io.criteria import lines_in_one
from judge.io.pairs import id_of, pair_from_cells
from judge.io.rows import JSON_READERS, Wrong, claim, gather, kind_of, rows_of, shown
from judge.io.values import keyed
from judge.io.verdicts import verdict_from_cells, verdict_to_json
from judge.io.writing import replacing, writing
from judge.ledger.shards import gzipped
from judge.orders import combine
from judge.records import Message, Order, Pair, Verdict
from judge.report.summary import ReportRow

TRACE_COLUMNS = (
    *("id", "content", "category", "prompt", "length_a", "length_b", "status", "outcome", "p_a"),
    *("tokens_in", "tokens_out", "pair", "verdict"),
)
SHARDS = "traces-[0-9]*.jsonl.gz"
LEFTOVERS = ".traces-*.part"


@dataclass(frozen=True, slots=True)
class Trace:
    """What a teacher said of one pair: its readings of both orders, with all steps, and what follows.

    Raises:
        ValueError: the verdict is on another pair, lacks an order, or does not follow from its readings.
    """

    pair: Pair
    verdict: Verdict

    def __post_init__(self) -> None:
        if self.verdict.pair_id != self.pair.id:
            raise ValueError(f"the verdict is on {shown(self.verdict.pair_id)}, not {shown(self.pair.id)}")
        if missing := [order for order in Order if order not in self.verdict.readings]:
            raise ValueError(f"there is no reading in order {missing[0]}")
        if not follows_from_readings(self.verdict):
            raise ValueError("status, outcome and p_a do not follow from the readings")


def follows_from_readings(verdict: Verdict) -> bool:
    """Whether the verdict is what `combine` makes of its readings; p_a may differ by rounding."""
    made = combine(verdict.pair_id, verdict.readings, verdict.judge)
    if made.p_a is None or verdict.p_a is None:
        return made == verdict
    return math.isclose(made.p_a, verdict.p_a, abs_tol=1e-6) and made == replace(verdict, p_a=made.p_a)


# --- writing ---------------------------------------------------------------------------------------------


def write_traces(folder: str | Path, traces: Sequence[Trace], max_bytes: int = 5_000_000) -> list[Path]:
    """Paths of the shards, `traces-00001.jsonl.gz` and so on, which take the place of all that were there.

    Equal traces give equal bytes. A run that is cut short leaves whole shards or none, and never a set that
    reads as finished. Half a character in a reply, which UTF-8 cannot hold, becomes "?".

    Args:
        max_bytes: the most that one shard may take, compressed.

    Raises:
        InputError: a pair is there twice, a trace alone exceeds `max_bytes`, or writing fails.
    """
    refuse_repeated(traces)
    folder = Path(folder)
    shards = packed([trace_line(trace_to_json(trace)) for trace in traces], max_bytes)
    paths = [folder / shard_name(number) for number in range(1, len(shards) + 1)]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(LEFTOVERS):
            left.unlink()
        with ExitStack() as stack:
            for path, data in zip(paths, shards, strict=True):
                stack.enter_context(replacing(path)).write_bytes(data)
            # The old first shard goes first and the new one comes last, as the stack unwinds from its top:
            # without it the folder is unfinished.
            for old in sorted(folder.glob(SHARDS)):
                old.unlink()
    return paths


def refuse_repeated(traces: Iterable[Trace]) -> None:
    """Raises InputError if two traces have one pair id: a file with both could not be read back."""
    taken: set[str] = set()
    for trace in traces:
        if trace.pair.id in taken:
            raise InputError(f"pair {shown(trace.pair.id)} has two traces. Every pair may have one only.")
        taken.add(trace.pair.id)


def trace_to_json(trace: Trace) -> dict[str, Any]:
    """The trace as plain JSON values. Lengths are the responses' characters, tokens those of both orders."""
    pair, verdict = trace.pair, trace.verdict
    row = ReportRow(verdict)
    return {
        "id": pair.id,
        "content": pair.content_hash,
        "category": pair.category,
        "prompt": pair.prompt,
        "length_a": len(pair.response_a),
        "length_b": len(pair.response_b),
        "status": verdict.status.value,
        "outcome": None if verdict.outcome is None else verdict.outcome.value,
        "p_a": None if verdict.p_a is None else float(verdict.p_a),
        "tokens_in": row.tokens_in,
        "tokens_out": row.tokens_out,
        "pair": long_form(pair),
        "verdict": verdict_to_json(verdict),
    }


def long_form(pair: Pair) -> dict[str, Any]:
    """The pair with both conversations in full and all keys there; criteria only where it has some."""
    return {
        "id": pair.id,
        "category": pair.category,
        "system": pair.system,
        "conversation_a": messages_to_json(pair.conversation_a),
        "conversation_b": messages_to_json(pair.conversation_b),
        "reference": pair.reference,
        "metadata": {name: pair.metadata[name] for name in sorted(pair.metadata)},
        **({"criteria": lines_in_one(pair.criteria)} if pair.criteria else {}),
    }


def messages_to_json(conversation: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in conversation]


def trace_line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def packed(lines: Sequence[str], max_bytes: int) -> list[bytes]:
    """Gzip files of at most `max_bytes` that hold all the lines, halved until they fit; none for no lines."""
    if not lines:
        return []
    shard = gzipped_lines(lines)
    if len(shard) <= max_bytes:
        return [shard]
    if len(lines) == 1:
        raise InputError(f"max_bytes={max_bytes}: a shard with one trace takes {len(shard)} bytes.")
    middle = len(lines) // 2
    return packed(lines[:middle], max_bytes) + packed(lines[middle:], max_bytes)


def gzipped_lines(lines: Iterable[str]) -> bytes:
    """The lines as one gzip file; half a character, which UTF-8 cannot hold, becomes "?"."""
    return gzipped("".join(lines).encode("utf-8", errors="replace"))


def shard_name(number: int) -> str:
    return f"traces-{number:05}.jsonl.gz"


# --- reading ---------------------------------------------------------------------------------------------


def read_traces(folder: str | Path) -> list[Trace]:
    """The traces of all shards of the folder, as they were written.

    Raises:
        BadLines: some lines are no traces, or repeat a pair; the error names every one of them.
        InputError: there is no shard, one in between is missing, or one is not a whole gzip file.
    """
    first_with_id: dict[Hashable, str] = {}

    def trace_of(cells: Mapping[str, Any], where: str) -> Trace:
        trace = trace_from_cells(cells)
        claim(first_with_id, trace.pair.id, where, f"pair {shown(trace.pair.id)}")
        return trace

    return gather(
        chain.from_iterable(rows_of(path, JSON_READERS) for path in shards_of(Path(folder))), trace_of
    )


def shards_of(folder: Path) -> list[Path]:
    """The shards of a folder by number. Raises InputError if there are none, or not all."""
    names = sorted(path.name for path in folder.glob(SHARDS))
    if not names:
        raise InputError(f"{folder}: no traces found. It must hold {shard_name(1)} and so on.")
    expected = [shard_name(number) for number in range(1, len(names) + 1)]
    if missing := [name for name in expected if name not in names]:
        raise InputError(f"{folder}: {missing[0]} is missing (found: {', '.join(names)}). Collect again.")
    return [folder / name for name in expected]


def trace_from_cells(cells: Mapping[str, Any]) -> Trace:
    """The trace of one JSON object, of which every column must be what its pair and verdict make it."""
    keyed(cells, TRACE_COLUMNS, "a trace")
    pair, verdict = pair_of_long(cells["pair"]), verdict_from_cells(cells["verdict"])
    try:
        trace = Trace(pair, verdict)
    except ValueError as error:
        raise Wrong(f"pair and verdict make no trace: {error}.") from None
    for name, right in trace_to_json(trace).items():
        if cells[name] != right:
            raise Wrong(
                f"{name} is {shown(cells[name])}. Read back from pair and verdict it is {shown(right)}."
            )
    return trace


def pair_of_long(value: Any) -> Pair:
    """The pair in its long form, which must have an id."""
    if not isinstance(value, dict):
        raise Wrong(f"pair is {kind_of(value)}. It must be an object.")
    pair_id = id_of(value)
    if not pair_id:
        raise Wrong("pair has no id. It must have one.")
    return pair_from_cells(value, pair_id)
