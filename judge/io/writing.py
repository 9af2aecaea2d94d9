"""The one way in which files are written: whole or not at all, even if the program is killed.

A file is written beside the one named, under a hidden name of its own, and renamed when it is complete.
"""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from judge.errors import InputError

LONGEST_STEM = 40  # characters of the file's name in the hidden name, which must not become too long
STREAMS = ("/dev/std", "/dev/fd/", "/proc/")  # open files by name: renaming over them would cut them off


def write_whole(path: str | Path, data: str | bytes, parents: bool = False) -> None:
    """Writes the file in place of what was there; half a character, which UTF-8 cannot hold, becomes "?".

    Args:
        parents: make the folders above it where they are missing.

    Raises:
        InputError: it cannot be written. What was there before is then unharmed.
    """
    content = data.encode("utf-8", errors="replace") if isinstance(data, str) else data
    with writing(path):
        if parents:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as aside:
            aside.write_bytes(content)


def write_out(text: str) -> None:
    """Writes to standard output what a file would hold, in UTF-8 whatever the terminal's encoding is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", errors="replace"))
    sys.stdout.buffer.flush()


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """The file to write to, which takes the place of the one named when the block ends without an error.

    A link stays a link, the file behind it is replaced and keeps its permissions. What is not a plain file,
    such as a device or a pipe, cannot be replaced: it is written to directly.
    """
    named = Path(path)
    if str(named).startswith(STREAMS) or (named.exists() and not named.is_file()):
        yield named
        return
    target = named.resolve()
    aside = target.with_name(f".{target.name[:LONGEST_STEM]}.{secrets.token_hex(4)}.part")
    try:
        yield aside
        if target.exists():
            shutil.copymode(target, aside)
        aside.replace(target)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turns what keeps the path from being written into an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}).") from error
