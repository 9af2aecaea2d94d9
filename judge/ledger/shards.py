"""Shards: the readings of one judge as gzipped JSON lines, a header first, without the pairs' text.

What several readings share, such as a plan, goes along with each of them as its cost, without text. Where
they are asked for, the steps of each reading go along whole: criteria, scores and reasons, for students to
learn. Equal readings give equal bytes. `reading.py` reads them.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import count, takewhile
from pathlib import Path
from typing import NamedTuple

from judge.errors import InputError
from judge.io.verdicts import cut_to_json, step_to_json
from judge.io.writing import write_whole, writing
from judge.records import NO_MAJORITY, Choice, Cut, Identity, Judgment, Order, Reading

SHARD_SCHEMA = "four-token-judge/ledger"
SHARD_VERSION = 1
SHARED_FIELDS = ("name", "tokens_in", "tokens_out", "shared")  # of a shared step, beside its seconds
LONGEST_EXPORTED_RAW = 16  # characters: a four-token reply fits, a reply that quotes the pair does not


class ReadingRow(NamedTuple):
    """A reading as a row of the ledger's table, without its judge; a line of a shard says the same.

    `probabilities`, `steps` and `cut` are JSON text; `raw` is None where a shard left it out. Steps that came
    in a shard without words are only the shared ones, without text; all that came in one have `elapsed_s`
    where they are shared.
    """

    content: str
    order: str
    choice: str | None
    reason: str | None
    probabilities: str | None
    raw: str | None
    tokens_in: int
    tokens_out: int
    is_trimmed: bool
    elapsed_s: float
    recorded_at: str
    steps: str | None
    cut: str | None = None


def probabilities_text(probabilities: Mapping[Choice, float] | None) -> str | None:
    """JSON in which equal probabilities have equal text, and every float is read back bit for bit."""
    if probabilities is None:
        return None
    ordered = {choice: float(probabilities[choice]) for choice in Choice if choice in probabilities}
    return json.dumps(ordered, allow_nan=False)


def row_of(content: str, order: Order, reading: Reading, elapsed_s: float, recorded_at: str) -> ReadingRow:
    """The reading of a content in an order as a row."""
    choice = reason = probabilities = None
    if isinstance(reading, Judgment):
        choice, probabilities = reading.choice, probabilities_text(reading.probabilities)
    else:
        reason = reading.reason
    return ReadingRow(
        content=content,
        order=order,
        choice=choice,
        reason=reason,
        probabilities=probabilities,
        raw=reading.raw,
        tokens_in=reading.tokens_in,
        tokens_out=reading.tokens_out,
        is_trimmed=reading.is_trimmed,
        elapsed_s=elapsed_s,
        recorded_at=recorded_at,
        steps=json.dumps([step_to_json(step) for step in reading.steps]) if reading.steps else None,
        cut=cut_text(reading.cut),
    )


def cut_text(cut: Cut | None) -> str | None:
    return None if cut is None else json.dumps(cut_to_json(cut))


def stored_probabilities(text: str | None) -> dict[Choice, float] | None:
    return None if text is None else {Choice(name): value for name, value in json.loads(text).items()}


def iso(moment: datetime) -> str:
    """The moment in UTC, to the second, as ledger and shards write it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


# Writing


def write_shards(folder: Path, identity: Identity, lines: Sequence[str], max_bytes: int) -> list[Path]:
    """Paths of the shards of these lines (see `line_of`), each of at most `max_bytes`; none for no lines.

    Raises:
        InputError: `max_bytes` has no room for a single reading, or the folder cannot be written.
    """
    label = identity.fingerprint.rpartition("#")[2][:16]
    shards = _shards(_header_of(identity), lines, max_bytes)
    paths = [folder / f"ledger-{label}{part_ending(number)}" for number in range(1, len(shards) + 1)]
    for path, shard in zip(paths, shards, strict=True):
        write_whole(path, shard, parents=True)
    if paths:
        for left in parts_of(paths[0])[len(paths) :]:  # of an export before, which had more of them
            with writing(left):
                left.unlink()
    return paths


def part_ending(number: int) -> str:
    """How the name of a judge's shard ends, by its number from 1."""
    return f"-{number:04}.jsonl.gz"


def parts_of(shard: Path) -> list[Path]:
    """The shard; where it is a judge's first, also those beside it that go on from it, by their numbers."""
    start, is_first, _ = shard.name.rpartition(part_ending(1))
    if not is_first:
        return [shard]
    further = (shard.with_name(start + part_ending(number)) for number in count(2))
    return [shard, *takewhile(Path.is_file, further)]


def _header_of(identity: Identity) -> str:
    header = {
        "schema": SHARD_SCHEMA,
        "version": SHARD_VERSION,
        "identity": asdict(identity),
        "fingerprint": identity.fingerprint,
    }
    return json.dumps(header, ensure_ascii=False)


def without_quotes(reason: str | None) -> str | None:
    """Why a reading could not be read, without the words of a model or a server, which may quote a pair."""
    if reason is None or reason.startswith(NO_MAJORITY):  # counts of votes
        return reason
    return re.split(r": | \(", re.sub(r"\[\[[^\]]{8,}\]\]", "[[...]]", reason), maxsplit=1)[0]


def shard_line(row: ReadingRow, seconds: Mapping[str, float], has_steps: bool = False) -> str:
    """The row as a line of a shard.

    Args:
        seconds: those of shared steps, by their `shared`.
        has_steps: whether its steps go along with their words.
    """
    is_short = row.raw is not None and len(row.raw) <= LONGEST_EXPORTED_RAW
    line = row._asdict() | {
        "probabilities": stored_probabilities(row.probabilities),
        "raw": row.raw if is_short else None,
        "is_trimmed": bool(row.is_trimmed),
    }
    del line["steps"], line["cut"]
    if not has_steps:
        line["reason"] = without_quotes(row.reason)
    steps = json.loads(row.steps or "[]")
    shared = [
        {name: step[name] for name in SHARED_FIELDS} | {"elapsed_s": seconds.get(step["shared"], 0.0)}
        for step in steps
        if step["shared"]
    ]
    if row.cut:
        line["cut"] = json.loads(row.cut)
    if shared:
        line["shared"] = shared
    if has_steps and has_words(row.steps):
        line["steps"] = [{name: step[name] for name in step if name != "elapsed_s"} for step in steps]
    return json.dumps(line, ensure_ascii=False)


def has_words(steps: str | None) -> bool:
    """Whether steps, as JSON text, say more than what was shared and cost."""
    return any(step["raw"] or step["scores"] for step in json.loads(steps or "[]"))


def _shards(header: str, lines: Sequence[str], max_bytes: int) -> list[bytes]:
    """Shards of at most `max_bytes` that hold all the lines, halved until they fit; none for no lines."""
    if not lines:
        return []
    shard = gzipped("\n".join((header, *lines, "")).encode("utf-8", errors="replace"))
    if len(shard) <= max_bytes:
        return [shard]
    if len(lines) == 1:
        raise InputError(f"max_bytes={max_bytes}: a shard with one reading takes {len(shard)} bytes")
    middle = len(lines) // 2
    return _shards(header, lines[:middle], max_bytes) + _shards(header, lines[middle:], max_bytes)


def gzipped(data: bytes, level: int = 9) -> bytes:
    """A gzip file of the bytes without a name or a time in it, so that equal ones give equal files."""
    # Not gzip.compress: its header differs between Python versions.
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=buffer, mtime=0) as file:
        file.write(data)
    return buffer.getvalue()
