"""Reads shards: whole or not at all, every line checked against its shape, and every bad line named.

Import it inside functions: pydantic takes a while to load.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Hashable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import AfterValidator, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from judge.errors import BadLines
from judge.io.rows import Wrong, claim, kind_of, parse_json, shown
from judge.io.shapes import Must, OpenShape, Sha256, Shape, shaped
from judge.io.values import MOST_TOKENS
from judge.io.verdicts import cut_of, probabilities_of, step_to_json, steps_of, verdict_from_cells
from judge.ledger.shards import (
    SHARD_SCHEMA,
    SHARD_VERSION,
    ReadingRow,
    cut_text,
    iso,
    probabilities_text,
    row_of,
)
from judge.ledger.verdictshards import VERDICTS_SCHEMA, counts_of
from judge.records import ABSTAINING, CALIBRATED, Identity, Order, Verdict

LARGEST = 2**63  # SQLite's whole numbers are below it

Count = Annotated[int, Field(ge=0, le=MOST_TOKENS)]
Seconds = Annotated[float, Field(ge=0, lt=LARGEST)]
Probability = Annotated[float, Field(ge=0, le=1)]
ChoiceName = Literal["FIRST", "SECOND", "TIE"]

KINDS: dict[str, Any] = {name: (kind, ...) for name, kind in get_type_hints(Identity).items()}
IdentityShape: Any = create_model("IdentityShape", __base__=Shape, **KINDS)


def _in_utc(text: str) -> str:
    """The time, if it is written as shards write it. Raises ValueError otherwise."""
    try:
        is_right = iso(datetime.fromisoformat(text)) == text
    except OverflowError:  # in UTC it is before the first year, or after the last
        is_right = False
    if not is_right:
        raise ValueError("not in UTC, to the second")
    return text


Moment = Annotated[str, AfterValidator(_in_utc), Must("a time in UTC such as 2025-01-31T12:00:00+00:00")]


class Header(OpenShape):
    """A shard's first line: which judge made these readings. The rest of it is checked elsewhere."""

    identity: IdentityShape


class CutShape(Shape):
    """How much was read of a prompt whose answers were shortened, in tokens."""

    read: Count
    whole: Count


class VerdictsHeader(OpenShape):
    """The first line of a shard of verdicts: what its readings need beside the verdicts themselves."""

    counts: Annotated[dict[str, int], Must("how many pairs there are, and verdicts of each status")]
    contents: list[Annotated[Sha256, Must("64 hex digits")] | None]
    elapsed_s: Annotated[Seconds, Must("a number from 0")]
    recorded_at: Moment


class SharedStep(Shape):
    """The cost of a step that several readings share, without its text."""

    name: str
    tokens_in: Count
    tokens_out: Count
    shared: Annotated[str, Field(min_length=1)]
    elapsed_s: Seconds


class ShardLine(Shape):
    """A shard's later line: a reading."""

    content: Annotated[Sha256, Must("64 hex digits")]
    order: Annotated[Literal["AB", "BA"], Must("AB or BA")]
    choice: Annotated[ChoiceName | None, Must("FIRST, SECOND, TIE or null")]
    reason: Annotated[str | None, Must("text or null")]
    probabilities: Annotated[
        dict[ChoiceName, Probability] | None, Must("choices with numbers from 0 to 1, or null")
    ]
    raw: Annotated[str | None, Must("text or null")]
    tokens_in: Annotated[Count, Must(f"a whole number from 0 to {MOST_TOKENS}")]
    tokens_out: Annotated[Count, Must(f"a whole number from 0 to {MOST_TOKENS}")]
    is_trimmed: Annotated[bool, Must("true or false")]
    elapsed_s: Annotated[Seconds, Must("a number from 0")]
    recorded_at: Moment
    cut: Annotated[CutShape | None, Must(f"an object with {', '.join(CutShape.model_fields)}")] = None
    shared: Annotated[list[SharedStep], Must(f"objects with {', '.join(SharedStep.model_fields)}")] = Field(
        default_factory=list
    )
    steps: Annotated[list[dict[str, Any]], Must("a list of steps")] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_a_choice_or_a_reason(self) -> Self:
        if (self.choice is None) == (self.reason is None):
            raise PydanticCustomError("rule", "a reading has either a choice or a reason, the other is null")
        if self.choice is None and self.probabilities is not None:
            raise PydanticCustomError("rule", "a reading without a choice has probabilities: must be null")
        return self


def read_shards(paths: Iterable[Path]) -> list[tuple[Identity, list[ReadingRow]]]:
    """The judge and its rows, of each shard. Raises BadLines with every line of all that cannot be read."""
    shards: list[tuple[Identity, list[ReadingRow]]] = []
    problems: list[str] = []
    for path in paths:
        try:
            shards.append(read_shard(path))
        except BadLines as bad:
            problems += bad.problems
    if problems:
        raise BadLines(problems)
    return shards


def read_shard(path: Path) -> tuple[Identity, list[ReadingRow]]:
    """The judge and its rows, of a shard of readings or of verdicts (`judge.ledger.verdictshards`).

    Raises BadLines with every line that cannot be read.
    """
    header, *lines = _lines_in(path)
    if VERDICTS_SCHEMA in header[:LONGEST_SCHEMA]:
        return read_verdict_shard(path, header, lines)
    try:
        identity = _identity_in(header)
    except (ValueError, Wrong) as error:
        raise BadLines([f"{path}:1: {error}"]) from error
    rows: list[ReadingRow] = []
    problems = []
    first: dict[tuple[str, str], tuple[int, ReadingRow]] = {}
    for number, line in enumerate(lines, start=2):
        try:
            row = _row_in(line)
            before, held = first.setdefault((row.content, row.order), (number, row))
            if row != held:
                raise Wrong(
                    f"line {before} has this content and order, and another reading. Keep one of them."
                )
            rows.append(row)
        except (ValueError, Wrong) as error:
            problems.append(f"{path}:{number}: {error}")
    if problems:
        raise BadLines(problems)
    return identity, rows


LONGEST_SCHEMA = 100  # characters at the start of a header in which its schema stands


def read_verdict_shard(path: Path, header: str, lines: list[str]) -> tuple[Identity, list[ReadingRow]]:
    """The judge of a shard of verdicts and the readings in it, those of equal answers left out."""
    try:
        found = _object_in(header)
        identity = _identity_in(header, VERDICTS_SCHEMA)
        told = shaped(VerdictsHeader, found)
        if len(told.contents) != len(lines):
            raise ValueError(f"{len(lines)} verdicts, and the header names {len(told.contents)} pairs")
    except (ValueError, Wrong) as error:
        raise BadLines([f"{path}:1: {error}"]) from error
    verdicts: list[Verdict] = []
    problems = []
    first: dict[Hashable, str] = {}
    for number, line in enumerate(lines, start=2):
        where = f"{path}:{number}"
        try:
            verdict = verdict_from_cells(_object_in(line))
            claim(first, verdict.pair_id, where, f"pair {shown(verdict.pair_id)}")
            if not _is_by(verdict.judge, identity):
                raise Wrong(
                    f"judge is {shown(verdict.judge)}. It must be that of the header, {identity.fingerprint}."
                )
            verdicts.append(verdict)
        except Wrong as wrong:
            problems.append(f"{where}: {wrong}")
    if problems:
        raise BadLines(problems)
    right = counts_of(verdicts)
    if wrong_counts := [name for name, n in right.items() if told.counts.get(name) != n]:
        said = (f"counts.{name}: must be {right[name]}, by the lines" for name in wrong_counts)
        raise BadLines([f"{path}:1: {'; '.join(said)} (found: {shown(told.counts)})"])
    each_s = told.elapsed_s / max(1, 2 * len(lines))
    return identity, [
        row_of(content, order, verdict.readings[order], each_s, told.recorded_at)
        for content, verdict in zip(told.contents, verdicts, strict=True)
        if content is not None
        for order in Order
    ]


def _is_by(judge: str, identity: Identity) -> bool:
    """Whether a verdict of this fingerprint is that judge's. Of a rule only the label is known."""
    ruled = (replace(identity, method=f"{identity.method}{suffix}") for suffix in (CALIBRATED, ABSTAINING))
    label = judge.rpartition("#")[0]
    return judge == identity.fingerprint or any(label == one.fingerprint.rpartition("#")[0] for one in ruled)


def _lines_in(path: Path) -> list[str]:
    try:
        text = gzip.decompress(path.read_bytes()).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        found = getattr(error, "strerror", None) or error
        raise BadLines([f"{path}: {found}. A shard is a whole gzip file of UTF-8 text."]) from error
    return text.removesuffix("\n").split("\n")


def _identity_in(line: str, schema: str = SHARD_SCHEMA) -> Identity:
    """The judge in a shard's first line. Raises ValueError or Wrong: what was found and what is right."""
    header = _object_in(line)
    for name, right in (("schema", schema), ("version", SHARD_VERSION)):
        if header.get(name) != right:
            raise ValueError(f"{name}: must be {right!r} (found: {shown(header.get(name))})")
    identity = Identity(**shaped(Header, header).identity.model_dump())
    if header.get("fingerprint") != identity.fingerprint:
        found = shown(header.get("fingerprint"))
        raise ValueError(f"fingerprint: must be {identity.fingerprint!r}, by the identity (found: {found})")
    return identity


def _row_in(line: str) -> ReadingRow:
    """The row in a shard's later line. Raises ValueError or Wrong: what was found and what is right."""
    found = _object_in(line)
    values = dict(shaped(ShardLine, found))
    steps = _steps_in(values.pop("steps"), [step.model_dump() for step in values.pop("shared")])
    values["probabilities"] = probabilities_text(probabilities_of(values["probabilities"], "probabilities"))
    values["cut"] = values["cut"] and cut_text(cut_of(found["cut"], values["is_trimmed"], "cut"))
    return ReadingRow(**values, steps=json.dumps(steps) if steps else None)


def _steps_in(told: list[dict[str, Any]], shared: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps of a line: those that it tells, else those that are shared, which have a cost and no text."""
    if not told:
        return [step | {"raw": "", "scores": None} for step in shared]
    took = {step["shared"]: {"elapsed_s": step["elapsed_s"]} for step in shared}
    return [step_to_json(step) | took.get(step.shared, {}) for step in steps_of(told, "steps")]


def _object_in(line: str) -> dict[str, Any]:
    """The object that fills the line. Raises Wrong: what was found and what is right."""
    value = parse_json(line)
    if not isinstance(value, dict):
        raise Wrong(f"the line is {kind_of(value)}. Every line must be one JSON object.")
    return value
