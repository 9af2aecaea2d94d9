"""SHA-256 of large files, read with progress and remembered in the user's cache."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from judge.errors import InputError, ModelError
from judge.io.writing import write_whole
from judge.progress import Progress, silent
from judge.records import sha256_of_json

BLOCK_BYTES = 1 << 20
SHA256 = re.compile(r"[0-9a-f]{64}")


def cache_folder() -> Path:
    """Where converted weights are kept: the user's cache, or what JUDGE_CACHE names. May not exist yet."""
    if named := os.environ.get("JUDGE_CACHE"):
        return at_home(named).absolute()
    from platformdirs import user_cache_path

    return user_cache_path("four-token-judge", appauthor=False)


def at_home(path: str | Path) -> Path:
    """The path with a home folder in the place of ~ or ~NAME; as it is where nobody is called so."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def file_hash(file: Path, progress: Progress = silent) -> str:
    """The file's SHA-256, remembered by path, size and modification time."""
    return remembered_hash(file) or hash_and_remember(file, progress)


def remembered_hash(file: Path) -> str | None:
    """The SHA-256 that an earlier reading found, None where the file is new or changed since."""
    with suppress(OSError, ValueError):
        text = _memory_of(file).read_text("ascii")
        return text if SHA256.fullmatch(text) else None
    return None


def hash_and_remember(file: Path, progress: Progress) -> str:
    """The SHA-256 of the file as it is now. Raises ModelError where it cannot be read."""
    try:
        memory, found = _memory_of(file), sha256_of(file, progress)
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error_line(error)}). Check its permissions") from error
    with suppress(InputError):  # a cache that cannot be written makes the next call slow, not wrong
        write_whole(memory, found, parents=True)
    return found


def _memory_of(file: Path) -> Path:
    real, seen = file.resolve(), file.stat()
    return cache_folder() / "hashes" / sha256_of_json([str(real), seen.st_size, seen.st_mtime_ns])


def sha256_of(file: Path, progress: Progress = silent) -> str:
    """The SHA-256 (hex) of every byte; an OSError passes."""
    digest, done, total = hashlib.sha256(), 0, file.stat().st_size
    for block in blocks_of(file):
        digest.update(block)
        done += len(block)
        progress(f"hashing {file.name}", done, total)
    return digest.hexdigest()


def blocks_of(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while block := opened.read(BLOCK_BYTES):
            yield block


def error_line(error: Exception) -> str:
    """The class of another library's error and the first line of its text."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
    return f"{type(error).__name__}: {first}"
