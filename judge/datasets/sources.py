"""Rows of a published data set: from a local copy, or from the Hugging Face hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.errors import InputError, MissingExtra
from judge.io.files import error_line
from judge.io.rows import JSON_READERS, Cells, gather
from judge.io.rows import rows_of as rows_of_file

LOCAL_COPIES = "--data-dir or JUDGE_DATA names a folder with local copies."


@dataclass(frozen=True, slots=True)
class Source:
    """One table: a .jsonl or .jsonl.gz file below the folder of local copies, and a split on the hub."""

    file: str
    repo: str
    split: str


def published_rows(source: Source, folder: Path | None) -> list[Cells]:
    """The table's rows in its order, from the local copy below `folder`, or from the hub where that is None.

    Raises:
        InputError: the local copy is missing or damaged, or the hub does not give the data set.
        MissingExtra: the hub's package is not installed.
    """
    return hub_rows(source.repo, source.split) if folder is None else local_rows(folder / source.file)


def local_rows(path: Path) -> list[Cells]:
    """The rows of a .jsonl or .jsonl.gz file. Raises InputError where it is missing or damaged."""
    if not path.is_file():
        raise InputError(f"{path}: no such file. {LOCAL_COPIES}")
    return gather(rows_of_file(path, JSON_READERS), lambda cells, _: cells)


def hub_rows(repo: str, split: str) -> list[dict[str, Any]]:
    """The rows of one split; the hub's package keeps them on this machine for the next time."""
    try:
        from datasets import load_dataset
    except ImportError as error:
        what = f'{repo}: the hub\'s data sets need: pip install "four-token-judge[bench]"'
        raise MissingExtra(f"{what} ({error}). {LOCAL_COPIES}") from error
    try:
        rows: list[dict[str, Any]] = load_dataset(repo, split=split).to_list()
    except Exception as error:  # whatever the network, the hub or a cache raises
        what = f"{repo}: cannot be read from the Hugging Face hub ({error_line(error)})."
        raise InputError(f"{what} {LOCAL_COPIES}") from error
    return rows
