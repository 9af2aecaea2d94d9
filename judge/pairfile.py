"""Pairs and verdicts as files: pairs from JSONL, CSV or Parquet; pairs and verdicts to and from JSONL.

A row has one of two forms, and in both may have category, reference, system and metadata (an object):

    short   id, prompt, response_a, response_b
    long    id, conversation_a, conversation_b: lists of {"role", "content"}; the last message is judged

Every other column is kept in the pair's metadata. Without an id the content's hash takes its place.
A file is read whole or not at all: every row that cannot be read is named in one BadLines error.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from enum import StrEnum
from itertools import chain, count
from pathlib import Path
from typing import Any, TypeVar

from judge.errors import InputError
from judge.records import (
    Choice,
    Judgment,
    Message,
    Order,
    Outcome,
    Pair,
    Reading,
    Status,
    Step,
    Unparsed,
    Verdict,
)
from judge.rows import (
    JSON_READERS,
    Cells,
    Reader,
    Row,
    Wrong,
    changed,
    claim,
    csv_rows,
    found,
    gather,
    kind_of,
    name_of,
    parquet_rows,
    parse_json,
    rows_of,
    shown,
    write_json_lines,
)

SHORT_FORM = ("prompt", "response_a", "response_b")
LONG_FORM = ("conversation_a", "conversation_b")
EITHER_FORM = f"{', '.join(SHORT_FORM)}, or else {', '.join(LONG_FORM)}"
OPTIONAL = ("id", "category", "reference", "system", "metadata")
JSON_COLUMNS = (*LONG_FORM, "metadata")  # text in them, in a table, is JSON

VERDICT_KEYS = ("pair_id", "status", "outcome", "p_a", "outcome_by_mean", "orders", "judge")
JUDGMENT_KEYS = ("choice", "probabilities", "raw", "tokens_in", "tokens_out", "trimmed")
UNPARSED_KEYS = ("unparsed", "raw", "tokens_in", "tokens_out", "trimmed")
STEP_KEYS = ("name", "raw", "tokens_in", "tokens_out", "scores", "shared")

E = TypeVar("E", bound=StrEnum)


# --- pairs -----------------------------------------------------------------------------------------------


def read_pairs(path: str | Path) -> list[Pair]:
    """The pairs of a .jsonl, .jsonl.gz, .csv or .parquet file, in its order; "-" is JSONL on standard input.

    Raises:
        BadLines: some rows cannot be read; the error holds a line for each of them.
        InputError: the file as a whole cannot be read, or has no pair in it.
    """
    first_with_id: dict[Hashable, str] = {}

    def pair_of(cells: Mapping[str, Any], where: str) -> Pair:
        pair_id = id_of(cells)
        if pair_id:  # claimed before the rest is read, so that a bad row does not hide a repeated id
            claim(first_with_id, pair_id, where, f"id {shown(pair_id)}")
        return pair_from_cells(cells, pair_id)

    pairs = gather(rows_of(path, PAIR_READERS), pair_of)
    if not pairs:
        raise InputError(f"{name_of(path)}: no pairs found. A file must hold at least one pair.")
    return with_ids(pairs)


def write_pairs(path: str | Path, pairs: Iterable[Pair]) -> None:
    """Writes pairs as JSONL, whole or not at all: the short form where it says everything, else the long."""
    write_json_lines(path, (pair_to_json(pair) for pair in pairs))


def pair_to_json(pair: Pair) -> dict[str, Any]:
    """One row, short if both conversations are the same user message and a response."""
    row: dict[str, Any] = {"id": pair.id}
    if pair.category is not None:
        row["category"] = pair.category
    if pair.system is not None:
        row["system"] = pair.system
    if pair.context_a == pair.context_b == (Message("user", pair.prompt),):
        row |= {"prompt": pair.prompt, "response_a": pair.response_a, "response_b": pair.response_b}
    else:
        for name, messages in zip(LONG_FORM, (pair.conversation_a, pair.conversation_b), strict=True):
            row[name] = [{"role": message.role, "content": message.content} for message in messages]
    if pair.reference is not None:
        row["reference"] = pair.reference
    if pair.metadata:
        row["metadata"] = dict(pair.metadata)
    return row


# --- from a row to a pair --------------------------------------------------------------------------------


def pair_from_cells(cells: Mapping[str, Any], pair_id: str) -> Pair:
    """The pair of one row in either form. A null is the same as a cell that is not there."""
    short, long = ([name for name in form if cells.get(name) is not None] for form in (SHORT_FORM, LONG_FORM))
    if short and long:
        raise Wrong(f"has both {short[0]} and {long[0]}. A row has {EITHER_FORM}.")
    form = LONG_FORM if long else SHORT_FORM
    if missing := [name for name in form if name not in short + long]:
        needed = ", ".join(form) if short or long else EITHER_FORM
        raise Wrong(f"missing {', '.join(missing)} (found: {found(cells)}). Every pair needs {needed}.")
    system = optional_text(cells, "system")
    if long:
        conversation_a, conversation_b, system = conversations_of(cells, system)
    else:
        prompt, response_a, response_b = (text(cells[name], name) for name in SHORT_FORM)
        conversation_a = (Message("user", prompt), Message("assistant", response_a))
        conversation_b = (Message("user", prompt), Message("assistant", response_b))
    pair = Pair(
        id=pair_id,
        conversation_a=conversation_a,
        conversation_b=conversation_b,
        category=optional_text(cells, "category"),
        reference=optional_text(cells, "reference"),
        system=system,
        metadata=metadata_of(cells),
    )
    if not pair.prompt.strip() or not last_user_text(pair.context_b).strip():
        raise Wrong("the prompt is empty. Every pair needs a question that the responses answer.")
    return pair


def id_of(cells: Mapping[str, Any]) -> str:
    """The row's own id as text, "" where it has none."""
    value = cells.get("id")
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise Wrong(f"id is {kind_of(value)}. It must be text or a whole number.")
    if not value.strip():
        raise Wrong("id is empty. Give it some text, or leave it out and the content's hash takes its place.")
    return value


def with_ids(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs, those without an id named by 16 digits of the content's hash; equal ones get -2, -3, ..."""
    pairs = list(pairs)
    taken = {pair.id for pair in pairs}
    names: dict[str, Iterator[str]] = {}
    named = []
    for pair in pairs:
        if not pair.id:
            digits = pair.content_hash[:16]
            free = names.setdefault(digits, chain([digits], (f"{digits}-{n}" for n in count(2))))
            pair = replace(pair, id=next(name for name in free if name not in taken))
        named.append(pair)
    return named


def metadata_of(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Every column without a name of ours, and the keys of the metadata object."""
    columns = {k: v for k, v in cells.items() if k not in (*SHORT_FORM, *LONG_FORM, *OPTIONAL)}
    given = cells.get("metadata")
    if given is None:
        return columns
    if not isinstance(given, dict):
        raise Wrong(f"metadata is {kind_of(given)}. It must be an object.")
    if clash := next((name for name in given if name in columns), None):
        raise Wrong(f"{shown(clash)} is both a column and a key of metadata. Keep one of them.")
    return columns | given


Conversation = tuple[Message, ...]


def conversations_of(
    cells: Mapping[str, Any], system: str | None
) -> tuple[Conversation, Conversation, str | None]:
    """Both conversations without their system messages, and the one system text they and the row agree on."""
    (system_a, messages_a), (system_b, messages_b) = (
        conversation_of(cells[name], name) for name in LONG_FORM
    )
    if system_a != system_b:
        raise Wrong("conversation_a and conversation_b have different system messages. They must be equal.")
    if None not in (system, system_a) and system != system_a:
        raise Wrong("system differs from the conversations' system message. Keep one of them.")
    return messages_a, messages_b, system if system_a is None else system_a


def conversation_of(value: Any, name: str) -> tuple[str | None, Conversation]:
    """The system text, None where there is none, and the messages after it, a response last."""
    if not isinstance(value, list):
        raise Wrong(f"{name} is {kind_of(value)}. It must be a list of messages with role and content.")
    messages = [message_of(item, f"{name}, message {n}") for n, item in enumerate(value, start=1)]
    system = None
    if messages and messages[0].role == "system":
        system = messages.pop(0).content
    if any(message.role == "system" for message in messages):
        raise Wrong(f"{name} has a system message that is not the first. Only the first may be one.")
    if not messages or messages[-1].role != "assistant":
        last = f"ends with role {messages[-1].role}" if messages else "has no messages"
        raise Wrong(f"{name} {last}. The last message must be the assistant's: it is what is judged.")
    return system, tuple(messages)


def message_of(value: Any, name: str) -> Message:
    """One message; keys beside role and content are refused, as the judge would not see them."""
    if not isinstance(value, dict):
        raise Wrong(f"{name} is {kind_of(value)}. It must be an object with role and content.")
    if set(value) != {"role", "content"}:
        raise Wrong(f"{name} has {found(value)}. It must have role and content, and nothing else.")
    role = value["role"]
    if role not in ("user", "assistant", "system"):
        raise Wrong(f"{name} has role {shown(role)}. It must be user or assistant, or system in the first.")
    return Message(role, text(value["content"], f"{name}, content"))


def last_user_text(messages: Iterable[Message]) -> str:
    """The last user message's text, "" where there is none."""
    return next((message.content for message in reversed(tuple(messages)) if message.role == "user"), "")


# --- tables hold text: what an empty cell means, and where JSON is in one --------------------------------


def csv_pair_rows(data: bytes, name: str) -> Iterator[Row]:
    return changed(csv_rows(data, name), lambda cells: with_json_parsed(without_absent(cells)))


def parquet_pair_rows(data: bytes, name: str) -> Iterator[Row]:
    return changed(parquet_rows(data, name), with_json_parsed)


def without_absent(cells: Cells) -> Cells:
    """The cells that count as given: an empty one does in a response and in a column that is not ours."""
    is_long = any(cells.get(name) for name in LONG_FORM)
    absent_if_empty = {*OPTIONAL, *LONG_FORM, *(SHORT_FORM if is_long else ())}
    return {name: value for name, value in cells.items() if value or name not in absent_if_empty}


def with_json_parsed(cells: Cells) -> Cells:
    """The cells, the JSON text in conversations and metadata replaced by what it says."""
    for name in JSON_COLUMNS:
        if isinstance(cells.get(name), str):
            try:
                cells = cells | {name: parse_json(cells[name])}
            except Wrong as wrong:
                raise Wrong(f"{name}: {wrong}") from None
    return cells


PAIR_READERS: dict[str, Reader] = {**JSON_READERS, ".csv": csv_pair_rows, ".parquet": parquet_pair_rows}


# --- verdicts --------------------------------------------------------------------------------------------


def read_verdicts(path: str | Path) -> list[Verdict]:
    """The verdicts of a .jsonl or .jsonl.gz file, in its order; "-" is standard input. A file may be empty.

    Types, names and ranges are checked; whether a verdict follows from its readings is not.

    Raises:
        BadLines: some lines are no verdicts, or repeat the pair and the judge of an earlier one.
        InputError: the file as a whole cannot be read.
    """
    first_with_pair: dict[Hashable, str] = {}

    def verdict_of(cells: Mapping[str, Any], where: str) -> Verdict:
        verdict = verdict_from_cells(cells)
        claim(first_with_pair, (verdict.pair_id, verdict.judge), where, f"pair {shown(verdict.pair_id)}")
        return verdict

    return gather(rows_of(path, JSON_READERS), verdict_of)


def write_verdicts(path: str | Path, verdicts: Iterable[Verdict]) -> None:
    """Writes verdicts as JSONL, whole or not at all; "-" is standard output. Equal verdicts, equal bytes."""
    write_json_lines(path, (verdict_to_json(verdict) for verdict in verdicts))


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain JSON values, with its keys in their fixed order."""
    return {
        "pair_id": verdict.pair_id,
        "status": verdict.status.value,
        "outcome": None if verdict.outcome is None else verdict.outcome.value,
        "p_a": None if verdict.p_a is None else float(verdict.p_a),
        "outcome_by_mean": None if verdict.outcome_by_mean is None else verdict.outcome_by_mean.value,
        "orders": {order.value: reading_to_json(verdict.readings[order]) for order in Order},
        "judge": verdict.judge,
    }


def reading_to_json(reading: Reading) -> dict[str, Any]:
    """One order's reading; an unreadable one has "unparsed", its reason, in the place of a choice."""
    rest: dict[str, Any] = {
        "raw": reading.raw,
        "tokens_in": reading.tokens_in,
        "tokens_out": reading.tokens_out,
        "trimmed": reading.is_trimmed,
    }
    if reading.steps:
        rest["steps"] = [step_to_json(step) for step in reading.steps]
    if isinstance(reading, Unparsed):
        return {"unparsed": reading.reason, **rest}
    probabilities = None
    if (p := reading.probabilities) is not None:
        probabilities = {choice.value: float(p[choice]) for choice in Choice if choice in p}
    return {"choice": reading.choice.value, "probabilities": probabilities, **rest}


def step_to_json(step: Step) -> dict[str, Any]:
    """A step with its keys in their fixed order."""
    return asdict(step) | {"scores": None if step.scores is None else list(step.scores)}


# --- from a row to a verdict -----------------------------------------------------------------------------


def verdict_from_json(obj: Any, where: str) -> Verdict:
    """The verdict of one JSON value. Raises InputError, which begins with `where`, if it is none."""
    try:
        return verdict_from_cells(obj)
    except Wrong as wrong:
        raise InputError(f"{where}: {wrong}") from None


def verdict_from_cells(obj: Any) -> Verdict:
    """The verdict of one JSON value."""
    keyed(obj, VERDICT_KEYS, "a verdict")
    orders = keyed(obj["orders"], tuple(Order), "orders")
    if not text(obj["pair_id"], "pair_id"):
        raise Wrong("pair_id is empty. It must be the id of a pair.")
    return Verdict(
        pair_id=obj["pair_id"],
        status=named(obj["status"], Status, "status"),
        outcome=optional_outcome(obj, "outcome"),
        p_a=None if obj["p_a"] is None else probability(obj["p_a"], "p_a"),
        outcome_by_mean=optional_outcome(obj, "outcome_by_mean"),
        readings={order: reading_from_json(orders[order], order) for order in Order},
        judge=text(obj["judge"], "judge"),
    )


def reading_from_json(obj: Any, order: Order) -> Reading:
    """One order's reading; "steps" may be left out."""
    is_unparsed = isinstance(obj, dict) and "unparsed" in obj
    keys = UNPARSED_KEYS if is_unparsed else JUDGMENT_KEYS
    has_steps = isinstance(obj, dict) and "steps" in obj
    keyed(obj, (*keys, "steps") if has_steps else keys, order)
    raw = text(obj["raw"], f"{order}, raw")
    tokens_in, tokens_out = (token_count(obj[key], f"{order}, {key}") for key in ("tokens_in", "tokens_out"))
    is_trimmed = obj["trimmed"]
    if not isinstance(is_trimmed, bool):
        raise Wrong(f"{order}, trimmed is {kind_of(is_trimmed)}. It must be true or false.")
    rest = (raw, tokens_in, tokens_out, is_trimmed, steps_of(obj.get("steps", []), f"{order}, steps"))
    if is_unparsed:
        return Unparsed(text(obj["unparsed"], f"{order}, unparsed"), *rest)
    choice = named(obj["choice"], Choice, f"{order}, choice")
    return Judgment(choice, probabilities_of(obj["probabilities"], f"{order}, probabilities"), *rest)


def steps_of(value: Any, name: str) -> tuple[Step, ...]:
    """The steps of a reading, from a list of objects."""
    if not isinstance(value, list):
        raise Wrong(f"{name} is {kind_of(value)}. It must be a list.")
    return tuple(step_of(one, f"{name}[{i}]") for i, one in enumerate(value))


def step_of(obj: Any, name: str) -> Step:
    keyed(obj, STEP_KEYS, name)
    return Step(
        name=text(obj["name"], f"{name}, name"),
        raw=text(obj["raw"], f"{name}, raw"),
        tokens_in=token_count(obj["tokens_in"], f"{name}, tokens_in"),
        tokens_out=token_count(obj["tokens_out"], f"{name}, tokens_out"),
        scores=scores_of(obj["scores"], f"{name}, scores"),
        shared=text(obj["shared"], f"{name}, shared"),
    )


def scores_of(value: Any, name: str) -> tuple[float, float] | None:
    """Scores of the first and the second response; None for null."""
    if value is None:
        return None
    are_numbers = isinstance(value, list) and all(type(one) in (int, float) for one in value)
    if not are_numbers or len(value) != 2 or not all(1 <= one <= 5 for one in value):
        raise Wrong(f"{name} is {shown(value)}. It must be two numbers from 1 to 5, or null.")
    return float(value[0]), float(value[1])


def probabilities_of(value: Any, name: str) -> dict[Choice, float] | None:
    """Probabilities of FIRST, SECOND and, where ties are allowed, TIE, summing to 1; None for null."""
    if value is None:
        return None
    has_tie = isinstance(value, dict) and Choice.TIE in value
    allowed = tuple(Choice) if has_tie else (Choice.FIRST, Choice.SECOND)
    keyed(value, allowed, name)
    probabilities = {choice: probability(value[choice], f"{name}, {choice}") for choice in allowed}
    total = math.fsum(probabilities.values())
    if abs(total - 1.0) > 1e-6:
        raise Wrong(f"{name} sum to {total:.6g}. They must sum to 1.")
    return probabilities


# --- values that must be of a kind -----------------------------------------------------------------------


def keyed(value: Any, keys: tuple[str, ...], name: str) -> dict[str, Any]:
    """The value, an object with exactly these keys."""
    if not isinstance(value, dict):
        raise Wrong(f"{name} is {kind_of(value)}. It must be an object with {', '.join(keys)}.")
    if missing := [key for key in keys if key not in value]:
        must = f"It must have {', '.join(keys)}."
        raise Wrong(f"{name} misses {', '.join(missing)} (found: {found(value)}). {must}")
    if unknown := [key for key in value if key not in keys]:
        raise Wrong(f"{name} has the unknown key {shown(unknown[0])}. It must have {', '.join(keys)} only.")
    return value


def named(value: Any, names: type[E], name: str) -> E:
    """The member of `names` that the value spells."""
    if not isinstance(value, str) or value not in set(names):
        raise Wrong(f"{name} is {shown(value)}. It must be one of {', '.join(names)}.")
    return names(value)


def optional_outcome(obj: Mapping[str, Any], name: str) -> Outcome | None:
    return None if obj[name] is None else named(obj[name], Outcome, name)


def text(value: Any, name: str) -> str:
    """The value, which must be text."""
    if not isinstance(value, str):
        raise Wrong(f"{name} is {kind_of(value)}. It must be one text.")
    return value


def optional_text(cells: Mapping[str, Any], name: str) -> str | None:
    return None if cells.get(name) is None else text(cells[name], name)


def probability(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise Wrong(f"{name} is {shown(value)}. It must be a number from 0 to 1.")
    return float(value)


def token_count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Wrong(f"{name} is {shown(value)}. It must be a whole number from 0 up.")
    return value
