"""Approved answers of a test suite: text files beside the tests, written by command, reviewed like code.

The answers of `tests/test_bot.py` are in `tests/judge_baselines/test_bot/`, one Markdown file a test:

    > the prompt that was answered,
    > line by line as a quotation

    the answer, exactly as it is, and one line end after it

Git may check it out with other line ends; an editor may add a mark at its start or drop the last line end.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from judge.errors import InputError
from judge.io.rows import bytes_of
from judge.io.writing import write_whole
from judge.plugin.fixtures import BASELINES

UPDATE = "pytest --judge-update-baseline"
ODD = re.compile(r"[^A-Za-z0-9_.\[\]-]+")
MAX_FILE_NAME = 80
QUOTE = ">"
IN_THE_TEST = 'Name what it is compared with in the test: judge.compare(..., baseline="...").'
LEFT = r"<{7} (?:HEAD|Updated upstream)|>{7} (?:\S+|[0-9a-f]{7,} \([^\n]*\)|Stashed changes)"
CONFLICT = re.compile(rf"^<{{7}} .*^={{7}}\r?$.*^>{{7}} |^(?:{LEFT})\r?$", re.MULTILINE | re.DOTALL)
"""What git leaves in a file that two branches changed: the whole of it, or one mark with a name of git's."""


@dataclass(frozen=True, slots=True)
class Approved:
    """An answer that someone approved, with the prompt that it answers."""

    prompt: str
    response: str


def file_for(test_file: Path, key: str) -> Path:
    """The file of the approved answer with that key: a test's name with parameters, and which answer."""
    plain = ODD.sub("_", key)
    if plain != key or len(plain) > MAX_FILE_NAME:
        plain = f"{plain[:MAX_FILE_NAME]}-{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return test_file.parent / BASELINES / test_file.stem / f"{plain}.md"


def read_approved(file: Path) -> Approved | None:
    """The approved answer in a file; None where there is none.

    Raises:
        InputError: it cannot be read, has marks of a merge conflict, or has no prompt above its answer.
    """
    if not file.exists():
        return None
    try:
        text = with_own_line_ends(bytes_of(file).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        what = f"byte 0x{error.object[error.start]:02x} is not UTF-8"
        raise InputError(f"{file}: {what}. Undo the change, or approve anew: {UPDATE}.") from None
    if CONFLICT.search(text):
        raise InputError(
            f"{file}: has a merge conflict, <<<<<<< or >>>>>>>. Resolve it, or approve anew: {UPDATE}."
        )
    lines = text.split("\n")
    quoted = next((n for n, line in enumerate(lines) if not line.startswith(QUOTE)), len(lines))
    if lines[quoted : quoted + 1] == ["\r"]:
        lines[: quoted + 1] = [line.removesuffix("\r") for line in lines[: quoted + 1]]
    if not quoted or lines[quoted : quoted + 1] != [""] or lines[quoted + 1 :] in ([], [""]):
        raise InputError(
            f"{file}: no approved answer. It must be a prompt, each line after {QUOTE!r}, an empty line, and "
            f"the answer. Undo the change, or approve anew: {UPDATE}."
        )
    prompt = [line.removeprefix(QUOTE).removeprefix(" ") for line in lines[:quoted]]
    answer = lines[quoted + 1 :] if lines[-1] else lines[quoted + 1 : -1]
    return Approved("\n".join(prompt), "\n".join(answer))


def with_own_line_ends(text: str) -> str:
    """The text with the line ends it was written with: the line above an answer never ends in \\r\\n."""
    return text.replace("\r\n", "\n") if text.count("\n") == text.count("\r\n") else text


def is_same_text(one: str, other: str) -> bool:
    """Whether two texts differ at most in their line ends and in spaces at the ends of lines."""
    first, second = ([line.rstrip() for line in text.rstrip().splitlines()] for text in (one, other))
    return first == second


def has_same_lines(one: str, other: str) -> bool:
    """Whether two texts differ at most in whether their lines end in \\n or \\r\\n."""
    return one.replace("\r\n", "\n") == other.replace("\r\n", "\n")


def write_approved(file: Path, one: Approved) -> None:
    """Writes the file, whole or not at all.

    Raises:
        InputError: it cannot be written, or the answer would not be there when it is read: it is empty, and
            an editor may drop the lines at a file's end, or it looks like a merge conflict.
    """
    if not one.response.strip():
        raise InputError(f"{file}: an empty answer cannot be approved. {IN_THE_TEST}")
    if CONFLICT.search(one.response):
        raise InputError(
            f"{file}: an answer with marks of a merge conflict cannot be approved. {IN_THE_TEST}"
        )
    quoted = [f"{QUOTE} {line}" if line else QUOTE for line in one.prompt.split("\n")]
    write_whole(file, "\n".join([*quoted, "", one.response, ""]), parents=True)
