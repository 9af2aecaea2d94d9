"""Files on this machine or in cloud storage, by pyarrow's file systems: s3://, gs://, file:// or a path.

Import it inside functions that need it: pyarrow takes a while to load.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.io.rows import first_line


def is_remote(name: str) -> bool:
    """Whether the name is a URI and no path of this machine."""
    return "://" in name


def settled(name: str) -> str:
    """The name as other processes, in other folders, can use it. Raises InputError for an unknown scheme."""
    if is_remote(name):
        located(name)
        return name
    return str(Path(name).absolute())


def below(folder: str, *parts: str) -> str:
    """A name in a folder."""
    return "/".join((folder.rstrip("/"), *parts))


@cache
def _system_of(root: str) -> Any:
    from pyarrow.fs import FileSystem

    return FileSystem.from_uri(root)[0]


def located(name: str) -> tuple[Any, str]:
    """The file system of a name and its path there. Raises InputError where pyarrow knows no such scheme."""
    from pyarrow.fs import FileSystem, LocalFileSystem

    if not is_remote(name):
        return LocalFileSystem(), str(Path(name).absolute())
    with reading(name):
        scheme, _, rest = name.partition("://")
        system = _system_of(f"{scheme}://{rest.partition('/')[0]}/")  # one connection for a bucket
        return system, FileSystem.from_uri(name)[1]


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turns what keeps a file from being read into an InputError."""
    import pyarrow

    try:
        yield
    except (OSError, pyarrow.ArrowException, ValueError) as error:
        why = getattr(error, "strerror", None) or first_line(error).split(". Detail:")[0]
        raise InputError(f"{name}: {why}.") from error


def kind_at(name: str) -> str:
    """ "file", "folder", or "" where there is nothing."""
    from pyarrow.fs import FileType

    system, path = located(name)
    with reading(name):
        found = system.get_file_info(path).type
    return {FileType.File: "file", FileType.Directory: "folder"}.get(found, "")


def size_at(name: str) -> int:
    """Bytes of the file."""
    system, path = located(name)
    with reading(name):
        return int(system.get_file_info(path).size or 0)


def names_in(folder: str) -> list[str]:
    """The names of the files in a folder, without those of hidden ones, sorted; none where it is missing."""
    from pyarrow.fs import FileSelector, FileType

    system, path = located(folder)
    with reading(folder):
        found = system.get_file_info(FileSelector(path, allow_not_found=True))
    return sorted(
        one.base_name for one in found if one.type == FileType.File and one.base_name[0] not in "._"
    )


def bytes_at(name: str, start: int = 0, end: int | None = None) -> bytes:
    """The bytes of a file from `start` up to `end`, by default all. Raises InputError."""
    system, path = located(name)
    with reading(name), system.open_input_file(path) as file:
        file.seek(start)
        return bytes(file.read(None if end is None else end - start))


def put_whole(name: str, *parts: bytes) -> None:
    """Writes a file, whole or not at all. An OSError passes."""
    put_parts(name, parts)


def put_parts(name: str, parts: Iterable[bytes]) -> int:
    """The bytes written: beside the file's place, then moved there. What making the parts raises passes."""
    system, path = located(name)
    folder, _, base = path.rpartition("/")
    aside = f"{folder}/.{base}.{secrets.token_hex(4)}.part"
    system.create_dir(folder, recursive=True)
    try:
        n_bytes = 0
        with system.open_output_stream(aside) as file:
            for part in parts:
                file.write(part)
                n_bytes += len(part)
        system.move(aside, path)
    except BaseException:
        with suppress(OSError):
            system.delete_file(aside)
        raise
    return n_bytes
