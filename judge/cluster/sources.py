"""Pairs in files of any form as JSON lines that every machine can read a piece of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from judge.cluster.storage import (
    below,
    bytes_at,
    kind_at,
    located,
    names_in,
    put_parts,
    reading,
    settled,
    size_at,
)
from judge.errors import BadLines, InputError
from judge.forms.reading import file_of, form_among, pairs_in
from judge.io.content import ENDINGS, HEAD, PARQUET, PARQUET_MAGIC, begins_as_json_lines
from judge.io.pairs import check_criteria, pair_to_json, unnamed_pairs
from judge.io.rows import Row, bytes_of_input, plain, refuse_repeated_columns
from judge.records import Pair

Say = Callable[[str], None]
LAID = "pairs"
"""The folder, beside the shards, of pairs that did not stand in JSON lines."""

PARQUET_ROWS = 1024  # that are in memory at a time


@dataclass(frozen=True, slots=True)
class Source:
    """A file of pairs. Messages call it `name`; its JSON lines lie in `at`, `size` bytes of them.

    `is_table` says that messages count its rows ("pairs.parquet row 3") and not its lines, `is_laid` that the
    lines are ours, made of another form.
    """

    name: str
    at: str
    size: int
    is_table: bool = False
    is_laid: bool = False

    def where(self, number: int) -> str:
        """The place of a line, counted from 1."""
        return f"{self.name} row {number}" if self.is_table else f"{self.name}:{number}"


def sources_of(pairs: str, shards: str, say: Say, mapping: str = "") -> list[Source]:
    """The files of pairs of that name: a file, a folder of files, either in cloud storage; "-" is the input.

    JSON lines stay where they are. Parquet is laid down as JSON lines beside the shards, some rows at a time;
    every other file is read whole, by the form that it has.

    Raises:
        BadLines: rows of a file that had to be read cannot be judged.
        InputError: there is no such file, or nothing in it.
    """
    names = ["-"] if pairs == "-" else files_of(pairs)
    return [_source_of(name, number, shards, say, mapping) for number, name in enumerate(names)]


def files_of(pairs: str) -> list[str]:
    """The file of that name, or the files of pairs in that folder, by their names."""
    kind = kind_at(pairs)
    if not kind:
        raise InputError(f"{pairs}: No such file or directory.")
    if kind == "file":
        return [pairs]
    found = [below(pairs, name) for name in names_in(pairs) if name.lower().endswith(ENDINGS)]
    if not found:
        endings = ", ".join(ENDINGS)
        raise InputError(f"{pairs}: no file of pairs in this folder. Their names end in {endings}.")
    return found


def _source_of(name: str, number: int, shards: str, say: Say, mapping: str) -> Source:
    if name == "-":
        return laid_whole(name, bytes_of_input(), number, shards, say, mapping)
    head = bytes_at(name, 0, HEAD)
    if not mapping and begins_as_json_lines(head, name):
        return Source(name, settled(name), size_at(name))
    if not mapping and head.startswith(PARQUET_MAGIC):
        return laid_table(name, number, shards) or laid_whole(
            name, bytes_at(name), number, shards, say, mapping
        )
    return laid_whole(name, bytes_at(name), number, shards, say, mapping)


def laid_whole(name: str, data: bytes, number: int, shards: str, say: Say, mapping: str = "") -> Source:
    """A file that is read as `judge run` reads it, laid down as JSON lines. Raises BadLines, InputError."""
    shown = "standard input" if name == "-" else name
    pairs = pairs_in(file_of(data, shown), name, say, mapping)
    return laid(shown, [lines_of(pairs)], number, shards)


def laid_table(name: str, number: int, shards: str) -> Source | None:
    """A Parquet file laid down as JSON lines; None where another tool's form is in it.

    Raises:
        BadLines: rows that are no pairs, all of them.
        InputError: it cannot be read.
    """
    try:
        return laid(name, _lines_of_table(name), number, shards, is_table=True)
    except _Foreign:
        return None


class _Foreign(Exception):
    """A table turned out to be of another tool's form."""


def _lines_of_table(name: str) -> Iterator[bytes]:
    """The rows of a Parquet file as JSON lines. Raises BadLines at the end, _Foreign at once."""
    problems: list[str] = []
    for rows in table_rows(name):
        if form_among(rows):
            raise _Foreign
        try:
            yield lines_of(unnamed_pairs(rows, {}, PARQUET))
        except BadLines as bad:
            problems += bad.problems
    if problems:
        raise BadLines(problems)


def table_rows(name: str) -> Iterator[Sequence[Row]]:
    """The rows of a Parquet file, some at a time, numbered from 1."""
    import pyarrow.parquet

    system, path = located(name)
    n_read = 0
    with reading(name), system.open_input_file(path) as opened:
        file = pyarrow.parquet.ParquetFile(opened)
        refuse_repeated_columns(file.schema_arrow.names, name)
        for batch in file.iter_batches(PARQUET_ROWS):
            records = batch.to_pylist()
            yield [Row(f"{name} row {n}", plain(one)) for n, one in enumerate(records, start=n_read + 1)]
            n_read += len(records)


def laid(name: str, lines: Iterable[bytes], number: int, shards: str, is_table: bool = False) -> Source:
    """The source of lines that are written beside the shards."""
    at = below(shards, LAID, f"{number:05}.jsonl")
    try:
        size = put_parts(at, lines)
    except OSError as error:
        raise InputError(f"{at}: cannot be written ({error.strerror or error}).") from error
    return Source(name, at, size, is_table, is_laid=True)


def lines_of(pairs: Sequence[Pair]) -> bytes:
    """Pairs as JSON lines; one without an id stays without.

    Raises:
        InputError: criteria that would be read as others.
    """
    for pair in pairs:
        check_criteria(pair)
    rows = (pair_to_json(pair) for pair in pairs)
    texts = (json.dumps({k: v for k, v in row.items() if k != "id" or v}, ensure_ascii=False) for row in rows)
    return "".join(f"{text}\n" for text in texts).encode()
