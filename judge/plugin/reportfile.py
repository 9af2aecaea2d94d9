"""The file of `--judge-report`: whether it can be written after the tests, without harm to another file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile

from judge.errors import InputError
from judge.io.writing import writing

ENDINGS = (".html", ".htm")
"""No file of cases, no approved answer and no ledger ends so."""


def check_report(report: str, said: str, others: Iterable[str]) -> None:
    """Says before any test that the page could not be written after them.

    Args:
        said: the option or the key with that value, for the message.
        others: files that the run reads or writes, "" for none: the page must be none of them.

    Raises:
        InputError: another ending, a folder that is missing or cannot be written, or one of the others.
    """
    with writing(said):
        file = Path(report).resolve()  # a link stays, and what it leads to is replaced
        if file.suffix.lower() not in ENDINGS:
            leads = "" if file.name == Path(report).name else f" It leads to {file}."
            raise InputError(f"{said}: cannot be written.{leads} Its name must end in {ENDINGS[0]}.")
        for other in filter(None, others):
            if file == Path(other).resolve():
                raise InputError(f"{said}: cannot be written, {other} is the same file. Name another one.")
        if file.is_dir() or not file.parent.is_dir():
            raise InputError(f"{said}: cannot be written, it is a folder or its folder is missing.")
        with TemporaryFile(dir=file.parent):
            pass
