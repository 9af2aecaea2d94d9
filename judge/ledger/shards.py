"""Shards: the readings of one judge as gzipped JSON lines, a header first, without the pairs' text.

Of what several readings share, such as a plan, the cost goes along with each of them, and no text.

Equal readings give equal bytes. A shard is read whole or not at all, and every bad line of it is named.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any, NamedTuple, get_type_hints

from judge.errors import BadLines, InputError
from judge.io.writing import write_whole
from judge.records import Choice, Identity, Order

SHARD_SCHEMA = "four-token-judge/ledger"
SHARD_VERSION = 1
LONGEST_EXPORTED_RAW = 16  # characters: a four-token reply fits, a reply that quotes the pair does not


class ReadingRow(NamedTuple):
    """A reading as a row of the ledger's table, without its judge; a line of a shard says the same.

    `probabilities` and `steps` are JSON text; `raw` is None where a shard left it out. Steps that a shard
    brought are the shared ones alone, without text and with `elapsed_s`.
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


def probabilities_text(probabilities: Mapping[Choice, float] | None) -> str | None:
    """JSON in which equal probabilities have equal text, and every float comes back bit by bit."""
    if probabilities is None:
        return None
    ordered = {choice: float(probabilities[choice]) for choice in Choice if choice in probabilities}
    return json.dumps(ordered, allow_nan=False)


def probabilities_of(text: str | None) -> dict[Choice, float] | None:
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
    paths = [folder / f"ledger-{label}-{number:04}.jsonl.gz" for number in range(1, len(shards) + 1)]
    for path, shard in zip(paths, shards, strict=True):
        write_whole(path, shard, parents=True)
    return paths


def _header_of(identity: Identity) -> str:
    header = {
        "schema": SHARD_SCHEMA,
        "version": SHARD_VERSION,
        "identity": asdict(identity),
        "fingerprint": identity.fingerprint,
    }
    return json.dumps(header, ensure_ascii=False)


def line_of(row: ReadingRow, seconds: Mapping[str, float]) -> str:
    """The row as a line of a shard; `seconds` are those of shared steps, by their `shared`."""
    is_short = row.raw is not None and len(row.raw) <= LONGEST_EXPORTED_RAW
    line = row._asdict() | {
        "probabilities": probabilities_of(row.probabilities),
        "raw": row.raw if is_short else None,
        "is_trimmed": bool(row.is_trimmed),
    }
    del line["steps"]
    shared = [
        {name: step[name] for name in SHARED_FIELDS if name != "elapsed_s"}
        | {"elapsed_s": seconds.get(step["shared"], 0.0)}
        for step in json.loads(row.steps or "[]")
        if step["shared"]
    ]
    return json.dumps(line | ({"shared": shared} if shared else {}), ensure_ascii=False)


def _shards(header: str, lines: Sequence[str], max_bytes: int) -> list[bytes]:
    """Shards of at most `max_bytes` that hold all the lines, halved until they fit; none for no lines."""
    if not lines:
        return []
    shard = gzipped("\n".join((header, *lines, "")).encode())
    if len(shard) <= max_bytes:
        return [shard]
    if len(lines) == 1:
        raise InputError(f"max_bytes={max_bytes}: a shard with one reading takes {len(shard)} bytes")
    middle = len(lines) // 2
    return _shards(header, lines[:middle], max_bytes) + _shards(header, lines[middle:], max_bytes)


def gzipped(data: bytes) -> bytes:
    """A gzip file of the bytes without a name or a time in it, so that equal ones give equal files."""
    # Not gzip.compress: its header differs between Python versions.
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        file.write(data)
    return buffer.getvalue()


# Reading


def read_shard(path: Path) -> tuple[Identity, list[ReadingRow]]:
    """The judge and its rows. Raises BadLines with every line that cannot be read."""
    header, *lines = _lines_in(path)
    try:
        identity = _parse_header(header)
    except ValueError as error:
        raise BadLines([f"{path}:1: {error}"]) from error
    rows, problems = [], []
    for number, line in enumerate(lines, start=2):
        try:
            rows.append(_parse_line(line))
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
    if problems:
        raise BadLines(problems)
    return identity, rows


def _lines_in(path: Path) -> list[str]:
    try:
        text = gzip.decompress(path.read_bytes()).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        found = getattr(error, "strerror", None) or error
        raise BadLines([f"{path}: {found}. A shard is a whole gzip file of UTF-8 text."]) from error
    return text.removesuffix("\n").split("\n")


def _parse_header(line: str) -> Identity:
    """The judge in a shard's first line. Raises ValueError: what was found and what is right."""
    header = _parse_object(line)
    for name, right in (("schema", SHARD_SCHEMA), ("version", SHARD_VERSION)):
        if header.get(name) != right:
            raise ValueError(f"{name} is {short_repr(header.get(name))}. It must be {right!r}.")
    kinds = get_type_hints(Identity)
    found = header.get("identity")
    if not isinstance(found, dict) or {name: type(value) for name, value in found.items()} != kinds:
        right = ", ".join(f"{name} ({kind.__name__})" for name, kind in kinds.items())
        raise ValueError(f"identity is {short_repr(found)}. It must have {right}.")
    identity = Identity(**found)
    if header.get("fingerprint") != identity.fingerprint:
        found = short_repr(header.get("fingerprint"))
        raise ValueError(f"fingerprint is {found}. This identity has {identity.fingerprint!r}.")
    return identity


def _parse_line(line: str) -> ReadingRow:
    """The row in a shard's later line. Raises ValueError: what was found and what is right."""
    value = _parse_object(line)
    shared = value.pop("shared", [])
    if set(value) != set(LINE_FIELDS):
        raise ValueError(f"the fields are {', '.join(value)}. They must be {', '.join(LINE_FIELDS)}.")
    wrong = [
        f"{name} is {short_repr(value[name])}. It must be {right}."
        for name, (is_right, right) in LINE_FIELDS.items()
        if not is_right(value[name])
    ]
    if not _are_shared_steps(shared):
        wrong.append(f"shared is {short_repr(shared)}. It must be objects with {', '.join(SHARED_FIELDS)}.")
    if not wrong and (value["choice"] is None) == (value["reason"] is None):
        wrong = ["a reading has either a choice or a reason, the other is null."]
    if not wrong and value["choice"] is None and value["probabilities"] is not None:
        wrong = ["a reading without a choice has probabilities. They must be null."]
    if wrong:
        raise ValueError(" ".join(wrong))
    steps = json.dumps([{**step, "raw": "", "scores": None} for step in shared]) if shared else None
    return ReadingRow(**value | {"probabilities": probabilities_text(value["probabilities"]), "steps": steps})


def _parse_object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{short_repr(line)} is not JSON. Every line must be one object.") from error
    if not isinstance(value, dict):
        raise ValueError(f"{short_repr(line)} is no object. Every line must be one.")
    return value


def _is_text(value: Any) -> bool:
    """Whether this is text that UTF-8 can hold: JSON escapes can spell half a surrogate pair."""
    return isinstance(value, str) and value == value.encode(errors="replace").decode()


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_seconds(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 2**63


def _is_shares(value: Any) -> bool:
    return isinstance(value, dict) and all(
        name in CHOICES and type(p) in (int, float) and 0 <= p <= 1 for name, p in value.items()
    )


def _are_shared_steps(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(step, dict)
        and set(step) == set(SHARED_FIELDS)
        and all(is_right(step[name]) for name, is_right in SHARED_FIELDS.items())
        for step in value
    )


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and iso(datetime.fromisoformat(value)) == value
    except (ValueError, OverflowError):
        return False


# What every field of a shard's line must be. Tuples, because a wrong value may have no hash.
CHOICES, ORDERS = tuple(Choice), tuple(Order)
LINE_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "content": (_is_hash, "64 hex digits"),
    "order": (lambda value: value in ORDERS, "AB or BA"),
    "choice": (lambda value: value is None or value in CHOICES, "FIRST, SECOND, TIE or null"),
    "reason": (lambda value: value is None or _is_text(value), "text or null"),
    "probabilities": (lambda value: value is None or _is_shares(value), "choices with numbers from 0 to 1"),
    "raw": (lambda value: value is None or _is_text(value), "text or null"),
    "tokens_in": (_is_count, "a whole number from 0"),
    "tokens_out": (_is_count, "a whole number from 0"),
    "is_trimmed": (lambda value: type(value) is bool, "true or false"),
    "elapsed_s": (_is_seconds, "a number from 0"),
    "recorded_at": (_is_time, "a time such as 2025-01-31T12:00:00+00:00"),
}
# What every field of a shared step in it must be.
SHARED_FIELDS: dict[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "tokens_in": _is_count,
    "tokens_out": _is_count,
    "shared": lambda value: _is_text(value) and value != "",
    "elapsed_s": _is_seconds,
}
