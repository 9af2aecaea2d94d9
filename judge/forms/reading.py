"""Files read by their form: pairs and votes of our own, or another tool's, of a form that is recognised."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from judge.errors import InputError
from judge.forms import FORMS, OURS, columns
from judge.forms.form import Entry, Form, Imported
from judge.forms.inspect_log import unzipped
from judge.forms.matching import is_named_by_texts, matched
from judge.io.content import JSON, PARQUET, TABLE, ZIP_MAGIC
from judge.io.pairs import pairs_of
from judge.io.rows import (
    Reader,
    Row,
    Wrong,
    content_of,
    csv_rows,
    file_name,
    gather,
    json_rows,
    parquet_rows,
    rows_of_content,
)
from judge.io.votes import votes_of
from judge.io.wording import counts_in_words, some_of
from judge.records import HumanVote, Pair

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class File:
    """A file's rows as they stand there. `kind` is what it holds: JSON, TABLE or PARQUET."""

    name: str
    kind: str
    rows: Sequence[Row]


def told(line: str) -> None:
    """Says it on standard error."""
    print(line, file=sys.stderr)


def read_pairs(path: str | Path, say: Say = told, mapping: str = "") -> list[Pair]:
    """The pairs of a file, ours or of another tool's form, which is recognised; "-" is standard input.

    A file is read as what it holds: JSON as an object a line, one list of objects or indented objects; a
    table by the separator in its header; Parquet; gzipped or not; UTF-8 or UTF-16. Labels of other tools are
    votes: `read_votes` reads them from the same file.

    Args:
        say: is told which other form it was, and what was left out; by default on standard error.
        mapping: names the columns of a file of no known form, as `--map` does.

    Raises:
        BadLines: some rows cannot be read; the error holds a line for each of them.
        InputError: the file as a whole cannot be read, or nothing in it can be judged.
    """
    return pairs_in(file_at(path), path, say, mapping)


def pairs_in(file: File, path: str | Path, say: Say = told, mapping: str = "") -> list[Pair]:
    """The same of a file that was read from there. Raises as `read_pairs`."""
    read = read_rows(file, say, mapping)
    if read.votes:
        name = columns.NAME if mapping else form_among(file.rows) or ""
        mapped = ["--map", mapping] if mapping else []
        command = shlex.join(["judge", "import", name, str(path), *mapped])
        say(f"Its votes: {command} --out pairs.jsonl --votes votes.jsonl")
    return list(read.pairs)


def read_votes(path: str | Path, say: Say = told) -> list[HumanVote]:
    """The votes of a file: votes of our own, or the labels in a file of another tool; "-" is standard input.

    A file of our own may be empty. Whether the pairs exist is not checked. Labels of another tool are votes
    on the pairs that `read_pairs` makes of the same file; `read_votes_on` puts them on pairs of another one.

    Raises:
        BadLines: some rows are not votes, or repeat the voter, pair and turn of an earlier row.
        InputError: the file as a whole cannot be read, or another tool's has no label.
    """
    read = votes_in(file_at(path), say)
    return list(read.votes) if isinstance(read, Imported) else read


def read_votes_on(path: str | Path, pairs: Iterable[Pair] | None, say: Say = told) -> list[HumanVote]:
    """The votes of a file in the terms of these pairs; whether all are on one of them is not checked.

    Votes of our own are on a pair by its id. Labels of another tool are on a pair by its texts, and are
    turned round where the answers stand the other way; those on other texts than the pair of their id are
    left out, and `say` is told which.

    Args:
        pairs: what is voted on; None where only ids are known. Looked at for labels of another tool alone.

    Raises:
        BadLines, InputError: as `read_votes`; or a hash says which answer is a, and `pairs` is None; or no
            vote is left.
    """
    file = file_at(path)
    read = votes_in(file, say)
    if not isinstance(read, Imported):
        return read
    if pairs is None:
        refuse_hashed(file, read)
        return list(read.votes)
    found = matched(read, pairs)
    others = some_of(found.others)
    if not found.votes:
        raise InputError(
            f"{file.name}: no vote is on one of the pairs: those of the same ids have other texts ({others})."
        )
    if found.left_out:
        which = f" ({others})" if others else ""
        say(f"{file.name}: on these pairs {counts_in_words(found.left_out)}{which} left out.")
    return list(found.votes)


def votes_in(file: File, say: Say) -> list[HumanVote] | Imported:
    """The votes in a file's rows, or what another tool's file is read as. Raises as `read_votes`."""
    name = form_among(file.rows)
    if name is None:
        return votes_of(file.rows, file.kind)
    read = read_as(FORMS[name], [file], say)
    if not read.votes:
        left_out = counts_in_words(read.left_out)
        raise InputError(
            f"{file.name}: read as {FORMS[name].title}, and there are no votes in it (left out: {left_out})."
        )
    return read


def refuse_hashed(file: File, read: Imported) -> None:
    """Raises InputError where the votes' ids do not say which answer is a, and the file does not either."""
    voted = {vote.pair_id for vote in read.votes}
    if not read.is_in_order and not all(is_named_by_texts(pair) for pair in read.pairs if pair.id in voted):
        raise InputError(
            f"{file.name}: it calls no answer a, so that its votes fit pairs by their texts alone. Give the "
            "pairs, too: --pairs FILE."
        )


def read_rows(file: File, say: Say, mapping: str = "") -> Imported:
    """The pairs and votes of a file's rows. `say` is told which form they are of, where it is not our own.

    Raises as `read_pairs`.
    """
    name = columns.NAME if mapping else form_among(file.rows)
    if name is None:
        return Imported(tuple(pairs_of(file.rows, file.name, file.kind)), (), {}, is_in_order=True)
    return read_as(form_named(name, mapping), [file], say)


def import_files(form: str, paths: Sequence[str | Path], mapping: str = "") -> Imported:
    """The pairs and votes of files of one form, together.

    Args:
        mapping: for the form `columns`: which column is what, as `--map` says it.

    Raises:
        InputError: there is no such form, a file cannot be read, or nothing in them can be judged.
    """
    found = form_named(form, mapping)
    return read_as(found, [file_at(path) for path in paths])


def form_named(name: str, mapping: str = "") -> Form:
    """The form of that name. Raises InputError for an unknown one, and where a mapping does not belong."""
    if (name == columns.NAME) != bool(mapping):
        right = "needs --map" if name == columns.NAME else "takes no --map: that is for the form columns"
        raise InputError(f"form {name}: {right}. For example: judge import columns FILE {columns.EXAMPLE}")
    if mapping:
        return columns.columns_form(mapping)
    found = FORMS.find(name)
    if found is None:
        known = ", ".join([*FORMS.names(), columns.NAME])
        raise InputError(f"form {name!r}: unknown.{FORMS.like(name)} There are {known}.")
    return found


def read_as(form: Form, files: Sequence[File], say: Say = lambda line: None) -> Imported:
    """What a form makes of files; `say` is told so.

    Raises:
        InputError: it cannot read them, or leaves nothing to judge.
    """
    refuse_empty_among(files)
    names = files[0].name if len(files) == 1 else some_of([file.name for file in files])
    try:
        read = form.read([entry for file in files for entry in entries_of(file)])
    except Wrong as wrong:
        raise InputError(f"{names}: {wrong}") from None
    if not read.pairs:
        left_out = counts_in_words(read.left_out)
        raise InputError(
            f"{names}: read as {form.title}, and there is nothing to judge (left out: {left_out})."
        )
    say(f"{names}: read as {form.title}: {read}.")
    return read


def refuse_empty_among(files: Sequence[File]) -> None:
    """Raises InputError where a file has nothing in it beside others that have: nobody would miss it."""
    empty = [file.name for file in files if not file.rows]
    if empty and len(empty) < len(files):
        more = f", nor in {len(empty) - 1} others" if empty[1:] else ""
        raise InputError(f"{empty[0]}: nothing is in it{more}. Leave it out, or give the one that was meant.")


def form_among(rows: Iterable[Row]) -> str | None:
    """The first of our forms that recognises a row; None where all may be pairs of our own."""
    every = [row.cells for row in rows if not isinstance(row.cells, Wrong)]
    return next((name for name in OURS if any(map(FORMS[name].recognises, every))), None)


def file_at(path: str | Path) -> File:
    """The rows of a file, read once. Raises InputError where it holds neither JSON, a table nor Parquet."""
    return file_of(content_of(path), file_name(path))


def file_of(data: bytes, name: str) -> File:
    """The same of a file's content and its name."""
    kinds = [JSON]

    def noting(kind: str, read: Reader) -> Reader:
        def noted(data: bytes, name: str) -> Iterable[Row]:
            kinds.append(kind)
            return read(data, name)

        return noted

    readers = {JSON: json_rows, TABLE: csv_rows, PARQUET: parquet_rows}
    noted = {kind: noting(kind, read) for kind, read in readers.items()}
    if data.startswith(ZIP_MAGIC):
        return File(name, JSON, [Row(name, unzipped(data, name))])
    rows = list(rows_of_content(data, name, noted))
    return File(name, kinds[-1], rows)


def entries_of(file: File) -> list[Entry]:
    """The file's rows for a form. Raises BadLines where some are not to be read at all."""
    return gather(file.rows, lambda cells, where: Entry(file.name, where, cells))
