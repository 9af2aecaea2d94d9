"""Files read by their form: our own pairs, or another tool's, of a form that is named or recognised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from judge.errors import InputError
from judge.forms import FORMS, OURS
from judge.forms.form import Entry, Form, Imported
from judge.io.content import JSON, PARQUET, TABLE
from judge.io.pairs import csv_pair_cells, pairs_of, with_json_parsed
from judge.io.rows import (
    Cells,
    Reader,
    Row,
    Wrong,
    changed,
    content_of,
    csv_rows,
    file_name,
    gather,
    json_rows,
    parquet_rows,
    rows_of_content,
)
from judge.io.wording import counts_in_words, some_of
from judge.records import Pair

CELLS_OF_PAIRS: dict[str, Callable[[Cells], Cells]] = {TABLE: csv_pair_cells, PARQUET: with_json_parsed}
"""What our own pairs make of the cells of a kind of file."""


@dataclass(frozen=True, slots=True)
class File:
    """A file's rows as they stand there. `kind` is what it holds: JSON, TABLE or PARQUET."""

    name: str
    kind: str
    rows: Sequence[Row]


def read_any_pairs(path: str | Path, say: Callable[[str], None]) -> list[Pair]:
    """The pairs of a file, ours or of a form that is recognised; "-" is standard input.

    Args:
        say: is told in one line which other form it was, and what was left out.

    Raises:
        InputError: it cannot be read, or nothing in it can be judged.
    """
    file = file_at(path)
    form = form_among(file.rows)
    if form is None:
        own = CELLS_OF_PAIRS.get(file.kind)
        return pairs_of(changed(file.rows, own) if own else file.rows, file.name)
    read = read_as(FORMS[form], [file])
    say(f"{file.name}: read as {FORMS[form].title}: {read}.")
    if read.votes:
        say(f"Its votes: judge import {form} {path} --out pairs.jsonl --votes votes.jsonl")
    return list(read.pairs)


def import_files(form: str, paths: Sequence[str | Path]) -> Imported:
    """The pairs and votes of files of one form, together.

    Raises:
        InputError: there is no such form, a file cannot be read, or nothing in them can be judged.
    """
    found = FORMS.find(form)
    if found is None:
        raise InputError(f"form {form!r}: unknown.{FORMS.like(form)} There are {', '.join(FORMS.names())}.")
    return read_as(found, [file_at(path) for path in paths])


def read_as(form: Form, files: Sequence[File]) -> Imported:
    """What a form makes of files. Raises InputError where it cannot read them, or leaves nothing to judge."""
    names = some_of([file.name for file in files])
    try:
        read = form.read([entry for file in files for entry in entries_of(file)])
    except Wrong as wrong:
        raise InputError(f"{names}: {wrong}") from None
    if not read.pairs:
        left_out = counts_in_words(read.left_out)
        raise InputError(
            f"{names}: read as {form.title}, and there is nothing to judge (left out: {left_out})."
        )
    return read


def form_among(rows: Iterable[Row]) -> str | None:
    """The first of our forms that recognises a row; None where all may be pairs of our own."""
    every = [row.cells for row in rows if not isinstance(row.cells, Wrong)]
    return next((name for name in OURS if any(map(FORMS[name].recognises, every))), None)


def file_at(path: str | Path) -> File:
    """The rows of a file, read once. Raises InputError where it holds neither JSON, a table nor Parquet."""
    kinds = [""]

    def noting(kind: str, read: Reader) -> Reader:
        def noted(data: bytes, name: str) -> Iterable[Row]:
            kinds.append(kind)
            return read(data, name)

        return noted

    readers = {JSON: json_rows, TABLE: csv_rows, PARQUET: parquet_rows}
    noted = {kind: noting(kind, read) for kind, read in readers.items()}
    rows = list(rows_of_content(content_of(path), file_name(path), noted))
    return File(file_name(path), kinds[-1], rows)


def entries_of(file: File) -> list[Entry]:
    """The file's rows for a form. Raises BadLines where some are not to be read at all."""
    return gather(file.rows, lambda cells, where: Entry(file.name, where, cells))
