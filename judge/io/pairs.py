"""Pairs of our own: from rows of a file, and to JSONL. `judge.forms.reading.read_pairs` reads files.

A row has one of two forms, and in both may have category, reference, system, criteria (lines, see
`judge.io.criteria`) and metadata (an object):

    short   id, prompt, response_a, response_b
    long    id, conversation_a, conversation_b: lists of {"role", "content"}; the last message is judged

Every other column is kept in the pair's metadata. Without an id the content's hash takes its place.
A file is read whole or not at all: every row that cannot be read is named in one BadLines error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.io.content import JSON, PARQUET, TABLE
from judge.io.criteria import criteria_in, lines_in_one
from judge.io.given import described
from judge.io.rows import (
    Cells,
    Row,
    Wrong,
    changed,
    claim,
    found,
    gather,
    kind_of,
    parse_json,
    placed,
    refuse_lone_surrogates,
    shown,
    write_json_lines,
)
from judge.io.values import optional_text, text, whole_number
from judge.io.wording import name_of
from judge.records import (
    Message,
    Pair,
)

SHORT_FORM = ("prompt", "response_a", "response_b")
LONG_FORM = ("conversation_a", "conversation_b")
EITHER_FORM = f"{', '.join(SHORT_FORM)}, or else {', '.join(LONG_FORM)}"
OPTIONAL = ("id", "category", "reference", "system", "criteria", "metadata")
JSON_COLUMNS = (*LONG_FORM, "metadata")  # text in them, in a table, is JSON; criteria are lines or JSON


def pairs_of(rows: Iterable[Row], name: str, kind: str = JSON) -> list[Pair]:
    """The pairs of rows that were read from the file of that name, in their order.

    Args:
        kind: what the file holds: JSON, TABLE or PARQUET.

    Raises:
        BadLines: some rows cannot be read; the error holds a line for each of them.
        InputError: there is no pair.
    """
    pairs = unnamed_pairs(rows, {}, kind)
    if not pairs:
        raise InputError(f"{name}: no pairs found. A file must hold at least one pair.")
    return with_ids(pairs)


def unnamed_pairs(rows: Iterable[Row], first_with_id: dict[Hashable, str], kind: str = JSON) -> list[Pair]:
    """The pairs of rows, their ids as they stand there, "" where there is none.

    Args:
        first_with_id: where each id was first seen, in rows that were read before, too; gets those of these.

    Raises:
        BadLines: some rows cannot be read, or repeat the id of an earlier one.
    """
    rows = changed(rows, CELLS_OF[kind]) if kind in CELLS_OF else rows

    def pair_of(cells: Mapping[str, Any], where: str) -> Pair:
        # claimed before the rest is read, so that a bad row does not hide a repeated id
        return pair_from_cells(cells, claimed_id(cells, where, first_with_id))

    return gather(rows, pair_of)


def claimed_id(cells: Mapping[str, Any], where: str, first_with_id: dict[Hashable, str]) -> str:
    """The row's own id, "" where it has none. Raises Wrong where an earlier row has it."""
    if pair_id := id_of(cells):
        claim(first_with_id, pair_id, where, f"id {shown(pair_id)}")
    return pair_id


def pairs_by_id(pairs: Iterable[Pair]) -> dict[str, Pair]:
    """The pairs by their ids; one that comes again counts once.

    Raises:
        InputError: two different pairs have one id.
    """
    by_id: dict[str, Pair] = {}
    for pair in pairs:
        if by_id.setdefault(pair.id, pair) != pair:
            raise InputError(f"two different pairs have the id {name_of(pair.id)!r}. Give each its own.")
    return by_id


def write_pairs(path: str | Path, pairs: Iterable[Pair]) -> None:
    """Writes pairs as JSONL, whole or not at all: the short form where it says everything, else the long.

    Raises:
        BadLines: some pairs could not be read again as they are: an empty id or that of an earlier one, half
            a character.
        InputError: criteria that are no lines, metadata that is not JSON, or the file cannot be written.
    """
    pairs = list(pairs)
    rows = [pair_to_json(pair) for pair in pairs]
    first_with_id: dict[Hashable, str] = {}
    gather(placed(rows, "pair"), lambda cells, where: claimed_id(cells, where, first_with_id))
    with metadata_named(pairs):
        gather(placed(rows, "pair"), lambda cells, _: refuse_lone_surrogates(cells))
        for pair in pairs:
            check_criteria(pair)
        write_json_lines(path, rows)


def check_criteria(pair: Pair) -> None:
    """Raises InputError where the criteria of a pair, as lines, would be read as others."""
    lines = lines_in_one(pair.criteria)
    try:
        again = criteria_in({"criteria": lines})
    except Wrong:
        again = ()
    before, after = ([(one.asked, one.weight) for one in some] for some in (pair.criteria, again))
    if before != after:
        raise InputError(f"pair {shown(pair.id)}: its criteria would be read back as others: {shown(lines)}")


@contextmanager
def metadata_named(pairs: Iterable[Pair]) -> Iterator[None]:
    """Says as an InputError which metadata is not JSON where these pairs cannot be made JSON."""
    try:
        yield
    except (TypeError, ValueError):
        for pair in pairs:
            for name, value in pair.metadata.items():
                refuse_not_json(value, f"pair {shown(pair.id)}: metadata {shown(name)}")
        raise


def refuse_not_json(value: Any, name: str) -> None:
    """Raises InputError where JSON cannot hold the value."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {described(value)}. It must be JSON.") from None


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
    if pair.criteria:
        row["criteria"] = lines_in_one(pair.criteria)
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
        criteria=criteria_in(cells),
    )
    if not pair.prompt.strip() or not last_user_text(pair.context_b).strip():
        raise Wrong("the prompt is empty. Every pair needs a question that the responses answer.")
    return pair


def id_of(cells: Mapping[str, Any]) -> str:
    """The row's own id as text, "" where it has none."""
    value = cells.get("id")
    if value is None:
        return ""
    if (number := whole_number(value)) is not None:
        return str(number)
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
    """Every column without a name of ours, and the keys of the metadata object; not what is bytes."""
    columns = without_bytes(
        {name: value for name, value in cells.items() if name not in (*SHORT_FORM, *LONG_FORM, *OPTIONAL)}
    )
    given = cells.get("metadata")
    if given is None:
        return columns
    if not isinstance(given, dict):
        raise Wrong(f"metadata is {kind_of(given)}. It must be an object.")
    if clash := next((name for name in given if name in columns), None):
        raise Wrong(f"{shown(clash)} is both a column and a key of metadata. Keep one of them.")
    return columns | without_bytes(given)


def without_bytes(cells: Mapping[str, Any]) -> dict[str, Any]:
    """The cells in which there are no bytes, which metadata does not keep."""
    return {name: value for name, value in cells.items() if not holds_bytes(value)}


def holds_bytes(value: Any) -> bool:
    """Whether bytes that are no text, of a picture say, are somewhere in a value of a table."""
    if isinstance(value, dict):
        return any(map(holds_bytes, value.values()))
    return isinstance(value, bytes) or (isinstance(value, list) and any(map(holds_bytes, value)))


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


def csv_pair_cells(cells: Cells) -> Cells:
    return with_json_parsed(without_absent(cells))


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


CELLS_OF: dict[str, Callable[[Cells], Cells]] = {TABLE: csv_pair_cells, PARQUET: with_json_parsed}
"""What is made of the cells of a kind of file before they are read."""
