"""Rows of files with their place: from JSON, tables and Parquet, and back to JSONL.

A file is read as what it holds, whatever its name ends in (`judge.io.content`). JSON is read strictly.
What the cells mean is decided above: `gather` calls a function that makes something of one row, and turns
every Wrong into one BadLines error that names each bad row.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from weakref import ref

from judge.errors import BadLines, InputError
from judge.io.content import (
    JSON,
    KINDS,
    PARQUET,
    SAID_SEPARATOR,
    SEPARATORS,
    TABLE,
    ending_of,
    is_spread,
    kind_of_content,
    plain_content,
    separator_of,
)
from judge.io.writing import write_out, write_whole

DEEPEST = 100  # lists and objects in each other
SURROGATE = re.compile("[\ud800-\udfff]")
ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # half of a pair, or alone
LONGEST_CSV_CELL = 2**31 - 1

T = TypeVar("T")
Cells = dict[str, Any]


class Wrong(Exception):
    """What is wrong with one row, in words. `gather` catches all of these and adds the place."""


class NotJson(Wrong):
    """Text that is no JSON at all."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: its cells, or what kept them from being read. `where` is "pairs.jsonl:17"."""

    where: str
    cells: Cells | Wrong


Reader = Callable[[bytes, str], Iterable[Row]]
"""From a file's content, as `plain_content` gives it, and its name to its rows."""

_read: ref[Any] | None = None
"""The standard input that was read already."""

IN_WORDS = {JSON: "JSON", TABLE: "a table under a line of column names", PARQUET: "Parquet"}


def gather(rows: Iterable[Row], read_one: Callable[[Cells, str], T]) -> list[T]:
    """What `read_one` makes of each row's cells and place. Raises BadLines that names every bad row."""
    done: list[T] = []
    problems: list[str] = []
    for row in rows:
        try:
            if isinstance(row.cells, Wrong):
                raise row.cells
            done.append(read_one(row.cells, row.where))
        except Wrong as wrong:
            problems.append(f"{row.where}: {wrong}")
    if problems:
        raise BadLines(problems)
    return done


def claim(taken: dict[Hashable, str], key: Hashable, where: str, what: str) -> None:
    """Records that the row at `where` has this key; raises Wrong if an earlier row has it."""
    first = taken.setdefault(key, where)
    if first != where:
        raise Wrong(f"{what} is already in {first}. It may be there only once.")


def placed(rows: Iterable[Cells], what: str) -> Iterator[Row]:
    """Rows that are in no file yet, each placed by its number from 1: "pair 2"."""
    return (Row(f"{what} {number}", cells) for number, cells in enumerate(rows, start=1))


def rows_of(path: str | Path, readers: Mapping[str, Reader]) -> Iterable[Row]:
    """The rows of a file, or of standard input for "-", by the reader of what it holds."""
    return rows_of_content(content_of(path), file_name(path), readers)


def content_of(path: str | Path) -> bytes:
    """All bytes of a file, or of standard input for "-"."""
    return bytes_of_input() if str(path) == "-" else bytes_of(Path(path))


def rows_of_content(data: bytes, name: str, readers: Mapping[str, Reader]) -> Iterable[Row]:
    """The same, of a file that was read. Raises InputError where no reader is for what it holds."""
    content = plain_content(data, name)
    ending = ending_of(name)
    is_other = ending in readers and ending not in KINDS  # such as YAML, which all JSON is, too
    kind = ending if is_other else kind_of_content(content, name)
    if not content.strip() and kind not in readers:
        return []
    if kind in readers:
        return readers[kind](content, name)
    found = f"this is {IN_WORDS[kind]}" if kind in IN_WORDS else "unknown kind of file"
    raise InputError(f"{name}: {found}. It must be {' or '.join(IN_WORDS.get(one, one) for one in readers)}.")


def bytes_of_input() -> bytes:
    """All of standard input, which a second one would find empty. Raises InputError."""
    global _read
    if sys.stdin is None:
        raise InputError("standard input is closed. Give it a file.")
    if _read is not None and _read() is sys.stdin:
        raise InputError("-: standard input can be read once. Name a file for all but one of the inputs.")
    _read = ref(sys.stdin)
    return sys.stdin.buffer.read()


def file_name(path: str | Path) -> str:
    return "standard input" if str(path) == "-" else str(path)


def bytes_of(path: Path) -> bytes:
    """The file's content; whatever keeps it from being read is an InputError."""
    if path.is_dir():
        raise InputError(f"{path}: this is a folder. Name a file in it.")
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}.") from error


def changed(rows: Iterable[Row], change: Callable[[Cells], Cells]) -> Iterator[Row]:
    """The rows that could be read, with their cells changed; `change` may raise Wrong."""
    for row in rows:
        try:
            yield row if isinstance(row.cells, Wrong) else Row(row.where, change(row.cells))
        except Wrong as wrong:
            yield Row(row.where, wrong)


# --- one reader per format ---------------------------------------------------------------------------------


def json_rows(data: bytes, name: str) -> Iterator[Row]:
    """JSON objects: one a line, one list of them, or each indented over lines, as `where` then begins.

    Blank lines, a byte order mark and CRLF are fine. Only LF ends a line.
    """
    if is_spread(data):
        yield from spread_rows(data, name)
        return
    yield from line_rows(data, name)


def line_rows(data: bytes, name: str, first: int = 1) -> Iterator[Row]:
    """An object a line, of a piece of a file that begins with its line number `first`."""
    for number, line in enumerate(data.split(b"\n"), start=first):
        if line.strip():
            yield Row(f"{name}:{number}", object_of_line(line))


def spread_rows(data: bytes, name: str) -> Iterator[Row]:
    """The objects of a list, or one after the other, over any number of lines; each has its own place."""
    try:
        source = data.removeprefix(BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        yield Row(f"{name}:{line}", not_utf8(data[error.start]))
        return
    line = counted = 0
    last = ""
    for number, (at, value) in enumerate(spread_values(source), start=1):
        line, counted = line + source.count("\n", counted, at), at
        if not isinstance(value, dict | Wrong):
            value = Wrong(f"the item is {kind_of(value)}. Every item of the list must be one JSON object.")
        where = f"{name}:{line + 1}"
        is_alone = where != last or isinstance(value, Wrong)
        yield Row(where if is_alone else f"{where}, item {number}", value)
        last = where


def spread_values(source: str) -> Iterator[tuple[int, Any]]:
    """The values of a list, or one after the other, each with where it begins.

    A value that may not be is a Wrong in its place. Where the JSON breaks off, a Wrong is the last.
    """
    at = after_space(source, 0)
    is_list = source.startswith("[", at)
    if is_list:
        at = after_space(source, at + 1)
        if source.startswith("]", at):
            return
    try:
        while is_list or at < len(source):
            value, end = value_at(source, at)
            yield at, value
            at = after_space(source, end)
            if not is_list and source.startswith(",", at):
                yield at, Wrong("a comma after an object. Write one object a line, or a list in [ ].")
                return
            if is_list:
                if source.startswith("]", at):
                    break
                if not source.startswith(",", at):
                    raise json.JSONDecodeError("Expecting ',' delimiter", source, at)
                at = after_space(source, at + 1)
        if is_list and (at := after_space(source, at + 1)) < len(source):
            raise json.JSONDecodeError("Extra data", source, at)
    except json.JSONDecodeError as error:
        yield error.pos, Wrong(f"not JSON ({error.msg.removesuffix(' at')} at character {error.colno}).")
    except RecursionError as error:
        yield at, Wrong(f"JSON that cannot be read ({first_line(error)}).")


def value_at(source: str, at: int) -> tuple[Any, int]:
    """The value that begins there, or the Wrong that it is, and where it ends."""
    try:
        value, end = STRICT.raw_decode(source, at)
        refuse_depth(source[at:end], value)
        if ESCAPED_SURROGATE.search(source, at, end):
            refuse_lone_surrogates(value)
    except Wrong as wrong:
        return wrong, json.JSONDecoder(parse_int=float).raw_decode(source, at)[1]
    return value, end


def after_space(source: str, at: int) -> int:
    return SPACE.match(source, at).end()  # type: ignore[union-attr]  # it matches nothing, too


def object_of_line(line: bytes) -> Cells | Wrong:
    """The JSON object that fills the line, or what is wrong with it."""
    try:
        value = parse_json(line.removeprefix(BOM_UTF8).decode("utf-8"))  # files put together have several
    except UnicodeDecodeError as error:
        return not_utf8(error.object[error.start])
    except Wrong as wrong:
        return wrong
    if not isinstance(value, dict):
        return Wrong(f"the line is {kind_of(value)}. Every line must be one JSON object.")
    return value


JSON_READERS: dict[str, Reader] = {JSON: json_rows}


def csv_rows(data: bytes, name: str) -> Iterator[Row]:
    """Separated rows under a header, every cell as the text it is. `where` has the row's first line.

    What separates the cells is seen in the header, and said where the name does not say it.
    """
    # Bytes that are no UTF-8 become surrogates, which UTF-8 never gives: so the row that holds them is known.
    source = data.removeprefix(BOM_UTF8).decode("utf-8", errors="surrogateescape")
    said = SAID_SEPARATOR.match(source)
    separator = said[1] if said else separator_of(source)
    if not said and separator != {TABLE: ",", ".tsv": "\t"}.get(ending_of(name)) and source.strip():
        print(f"{name}: read as a table, cells separated by {SEPARATORS[separator]}.", file=sys.stderr)
    records = csv_records(source, separator)
    if said:
        next(records)
    number, header = next(records, (1, []))
    if isinstance(header, Wrong):
        raise InputError(f"{name}:{number}: {header}")
    if odd := SURROGATE.search("".join(header)):
        raise InputError(f"{name}:{number}: {not_utf8(ord(odd[0]) - 0xDC00)}")
    refuse_repeated_columns(header, name)
    for number, record in records:
        yield Row(f"{name}:{number}", record if isinstance(record, Wrong) else csv_cells(header, record))


def csv_records(source: str, separator: str = ",") -> Iterator[tuple[int, list[str] | Wrong]]:
    """Each record in which a cell is not blank, with the number of the line on which it starts."""
    old_limit = csv.field_size_limit(LONGEST_CSV_CELL)
    try:
        # strict: otherwise a quote that is never closed swallows the rest of the file without a word
        reader = csv.reader(io.StringIO(source, newline=""), strict=True, delimiter=separator)
        while True:
            start = reader.line_num + 1
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield start, Wrong(f"not CSV ({error}). A cell with quotes or commas needs quotes around it.")
                continue
            if "".join(record).strip():
                yield start, record
    finally:
        csv.field_size_limit(old_limit)


def csv_cells(header: list[str], record: list[str]) -> Cells | Wrong:
    """The record's cells by the header's names; an empty one is "", as no reader knows what it means."""
    if len(record) != len(header):
        return Wrong(f"{len(record)} cells. The header names {len(header)}: {found(header)}.")
    if odd := SURROGATE.search("".join(record)):
        return not_utf8(ord(odd[0]) - 0xDC00)
    return dict(zip(header, record, strict=True))


def parquet_rows(data: bytes, name: str) -> Iterator[Row]:
    """The rows of a Parquet file, numbered from 1; nulls are absent."""
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(data))
        refuse_repeated_columns(file.schema_arrow.names, name)
        records = [record for batch in file.iter_batches() for record in batch.to_pylist()]
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise InputError(f"{name}: cannot be read as Parquet ({first_line(error)}).") from error
    for number, record in enumerate(records, start=1):
        yield Row(f"{name} row {number}", plain(record))


def plain(value: Any) -> Any:
    """A Parquet value as JSON has it: no nulls and NaNs in objects; dates and their like as text, bytes too.

    Bytes that are no UTF-8, of a picture say, stay as they are: what has to be text says that they are none.
    """
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if v is not None and v == v}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value
    return value if isinstance(value, float) and math.isfinite(value) else str(value)


def refuse_repeated_columns(names: list[str], file: str) -> None:
    """Raises InputError if two columns have one name, since one would silently win."""
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InputError(f"{file}: two columns are named {shown(repeated)}. Every column needs its own name.")


# --- unambiguous JSON ----------------------------------------------------------------------


def parse_json(source: str, *, has_nan: bool = False) -> Any:
    """The value. NaN, infinities, repeated keys, lone surrogates and invalid JSON are wrong.

    With `has_nan` the first two are null: for files of programs that write them, where no number is read.
    """
    try:
        value = (WITH_NAN if has_nan else STRICT).decode(source)
    except json.JSONDecodeError as error:
        raise NotJson(f"not JSON ({error.msg.removesuffix(' at')} at character {error.pos + 1}).") from None
    except RecursionError as error:
        raise Wrong(f"JSON that cannot be read ({first_line(error)}).") from None
    refuse_depth(source, value)
    if ESCAPED_SURROGATE.search(source):
        refuse_lone_surrogates(value)
    return value


def refuse_depth(source: str, value: Any) -> None:
    """Raises Wrong where lists and objects lie deeper in each other than can be handled later."""
    if source.count("[") + source.count("{") <= DEEPEST:
        return
    level, depth = [value], 0
    while level := [
        inner
        for one in level
        if isinstance(one, list | dict)
        for inner in (one.values() if isinstance(one, dict) else one)
    ]:
        if (depth := depth + 1) > DEEPEST:
            raise Wrong(f"lists or objects lie more than {DEEPEST} deep in each other.")


def object_of(items: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(items)
    if len(value) < len(items):
        keys = [key for key, _ in items]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise Wrong(f"the key {shown(repeated)} is there twice. Every key may be there only once.")
    return value


def finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise Wrong(f"the number {digits[:40]} is too large. Numbers must be finite.")
    return number


def whole(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:  # Python reads so many and no more
        most = sys.get_int_max_str_digits()
        raise Wrong(f"a whole number of {len(digits):,} digits. It may have {most:,} at most.") from None


def refuse_constant(word: str) -> Any:
    raise Wrong(f"{word} is not JSON. Write a finite number, or null.")


def refuse_lone_surrogates(value: Any) -> None:
    if odd := SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise Wrong(f"\\u{ord(odd[0]):04x} stands alone and is only half a character. Remove or complete it.")


def whole_characters(text: str) -> str:
    r"""The text with "\ud83d\ude00", one character as JSON escapes it, joined; YAML reads two halves.

    Raises:
        Wrong: a half stands alone.
    """
    if SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        refuse_lone_surrogates(text)
    return text


STRICT = json.JSONDecoder(
    object_pairs_hook=object_of, parse_float=finite, parse_int=whole, parse_constant=refuse_constant
)
WITH_NAN = json.JSONDecoder(
    object_pairs_hook=object_of, parse_float=finite, parse_int=whole, parse_constant=lambda word: None
)
SPACE = re.compile(r"[ \t\n\r]*")


def write_json_lines(path: str | Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes one line per row, whole or not at all; "-" is standard output.

    A server may send half a character in a reply: "?" in its place keeps hours of work from being lost.
    """
    lines = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    if str(path) == "-":
        write_out(lines)
        return
    if not str(path).lower().endswith(".jsonl"):  # a device or another kind of file is a mistake
        raise InputError(
            f"{path}: written as JSONL. Its name must end in .jsonl (or be - for standard output)."
        )
    write_whole(path, lines)


# --- words for messages ----------------------------------------------------------------------------------


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    kinds = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds.get(type(value), type(value).__name__)


def shown(value: Any) -> str:
    """The value on one line, shortened."""
    line = repr(value)
    return line if len(line) <= 60 else line[:57] + "..."


def found(names: Iterable[str]) -> str:
    """The columns or keys found, on one line; odd ones in quotes, empty values as (null)."""
    nulls = {name for name, value in names.items() if value is None} if isinstance(names, Mapping) else set()
    words = [word_for(name) + (" (null)" if name in nulls else "") for name in names]
    return ", ".join(words[:12]) + (f" and {len(words) - 12} more" if len(words) > 12 else "") or "nothing"


def word_for(name: str) -> str:
    """The name itself if it is short and plain, else quoted, so that what is odd about it can be seen."""
    is_plain = name.isprintable() and name.strip() == name and 0 < len(name) <= 40
    return name if is_plain else shown(name)


def not_utf8(byte: int, right: str = "Save the file as UTF-8.") -> Wrong:
    return Wrong(f"byte 0x{byte:02x} is not UTF-8. {right}")


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
