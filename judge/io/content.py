"""What a file holds, by its bytes: gzip or not, its encoding, and whether it is JSON, a table or Parquet.

A name only decides where the bytes leave it open: an empty file, a table of one column, YAML.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Iterator, Sequence
from pathlib import Path

from judge.errors import InputError
from judge.io.wording import some_of

JSON, TABLE, PARQUET = ".jsonl", ".csv", ".parquet"
KINDS = {JSON: JSON, ".json": JSON, ".ndjson": JSON, TABLE: TABLE, ".tsv": TABLE, PARQUET: PARQUET}
"""What a file is by the end of its name, before a .gz."""

ENDINGS = tuple(KINDS) + tuple(f"{ending}.gz" for ending in KINDS)
GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
ZIP_MAGIC = b"PK\x03\x04"
PACKED = {
    re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"): "bzip2",
    re.compile(rb"\xfd7zXZ\x00"): "xz",
    re.compile(rb"\x28\xb5\x2f\xfd"): "Zstandard",
    re.compile(rb"\x04\x22\x4d\x18"): "LZ4",
    re.compile(rb"7z\xbc\xaf\x27\x1c"): "7-Zip",
    re.compile(rb"[^\x00].{256}ustar(?:  )?\x00", re.DOTALL): "tar",
}
"""By what a file is packed that begins so, in ways that are not read."""
ARROW = re.compile(rb"ARROW1\x00\x00|\xff{4}|FEA1(?=\x00)")  # a file, a stream, and the first Feather
WORKBOOK = ("[Content_Types].xml", "content.xml")  # members of all files of Excel, and of LibreOffice
HEAD = 1 << 16  # bytes in which a header or the first line of indented JSON ends
MARKS = {
    BOM_UTF32_LE: "utf-32",  # before UTF-16's, which it begins with
    BOM_UTF32_BE: "utf-32",
    BOM_UTF16_LE: "utf-16",
    BOM_UTF16_BE: "utf-16",
}
SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
SAID_SEPARATOR = re.compile(r'"?sep=([,;|\t])"?\r?\n')  # a first line that Excel reads and writes
COLUMN_NAME = re.compile(r"[^\W\d][\w .\-]{0,39}")


def plain_content(data: bytes, name: str) -> bytes:
    """The content as UTF-8 without a byte order mark, unpacked where it is gzip; Parquet as it is.

    Raises:
        InputError: it is no whole gzip file, or no whole UTF-16, or packed in another way.
    """
    if data.startswith(GZIP_MAGIC):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            found = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"{name}: not a whole gzip file ({found}).") from error
        if data.startswith(GZIP_MAGIC):
            raise InputError(f"{name}: this is gzip within gzip. Unpack it once.")
    if found := packed_in_words(data):
        raise InputError(f"{name}: {found}")
    encoding = encoding_of(data)
    if encoding is None:
        return data.removeprefix(BOM_UTF8)
    try:
        return data.decode(encoding).encode()
    except UnicodeDecodeError as error:
        told = f"not whole {encoding[:6].upper()} ({error.reason} at byte {error.start + 1})"
        raise InputError(f"{name}: {told}. Save the file as UTF-8.") from error


def packed_in_words(data: bytes) -> str:
    """What a file is that must be unpacked or written anew, and what to do; "" for any other."""
    if packed := next((by for magic, by in PACKED.items() if magic.match(data)), None):
        return f"this is packed by {packed}. Unpack it; only gzip is read as it is."
    if ARROW.match(data):
        return "this is an Arrow file. Write its table as Parquet."
    if not data.startswith(ZIP_MAGIC):
        return ""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return zip_in_words(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        return f"this is a zip file that cannot be unpacked ({error})."


def zip_in_words(members: Sequence[str]) -> str:
    """What a zip file of these members is, and what to do."""
    if any(name in WORKBOOK for name in members):
        return "this is a workbook, of Excel or the like. Save the sheet as CSV."
    inside = some_of([name for name in members if not name.endswith("/")]) or "nothing"
    return f"this is a zip file with {inside} in it. Unpack it."


def encoding_of(data: bytes) -> str | None:
    """UTF-16 or UTF-32, by their marks, or by the zeros that UTF-16 has beside plain letters; else None."""
    if marked := next((encoding for mark, encoding in MARKS.items() if data.startswith(mark)), None):
        return marked
    zeros = "".join("0" if byte == 0 else "x" for byte in data[:4])
    return {"x0x0": "utf-16-le", "0x0x": "utf-16-be"}.get(zeros)


def ending_of(name: str) -> str:
    """The end of a name in small letters, without a .gz: ".jsonl" of PAIRS.JSONL.GZ; "" where it has none."""
    stem = name.lower().removesuffix(".gz")
    return stem[stem.rfind(".") :] if "." in stem else ""


def kind_of_content(data: bytes, name: str) -> str:
    """JSON, TABLE or PARQUET, else what the name ends in. The data is `plain_content`."""
    if data.startswith(PARQUET_MAGIC):
        return PARQUET
    first = next(lines_of(data), b"").lstrip()
    if first.startswith((b"{", b"[")):
        return JSON
    ending = ending_of(name)
    named = KINDS.get(ending, ending)
    if named != TABLE and first and has_header(first):
        return TABLE
    return named


def is_json_lines(path: Path) -> bool:
    """Whether a file is UTF-8 with a JSON object a line, as far as its beginning shows; an OSError passes."""
    with path.open("rb") as file:
        return begins_as_json_lines(file.read(HEAD), path.name)


def begins_as_json_lines(head: bytes, name: str) -> bool:
    """The same of a file's first `HEAD` bytes and its name."""
    if head.startswith((GZIP_MAGIC, PARQUET_MAGIC)) or encoding_of(head):
        return False
    head = head.removeprefix(BOM_UTF8)
    return kind_of_content(head, name) == JSON and not is_spread(head)


def has_header(line: bytes) -> bool:
    """Whether a line names several columns; some may have no name, as after a last comma."""
    source = line.decode("utf-8", errors="replace").strip("\r\n ")
    if SAID_SEPARATOR.match(f"{source}\n"):
        return True
    names = [one for one in cells_of(source, separator_of(source)) if one]
    return len(names) > 1 and all(COLUMN_NAME.fullmatch(one) for one in names)


def separator_of(source: str) -> str:
    """What separates the cells of a table: that which gives its header the most, a comma in doubt."""
    source = source.lstrip("\r\n")
    return max(SEPARATORS, key=lambda separator: len(cells_of(source, separator)))


def cells_of(source: str, separator: str) -> list[str]:
    """The first record, as far as it can be read."""
    try:
        return next(csv.reader(io.StringIO(source[:HEAD], newline=""), delimiter=separator), [])
    except csv.Error:
        return []


def lines_of(data: bytes) -> Iterator[bytes]:
    """The lines that are not blank, as they are asked for."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        line = data[start:] if end < 0 else data[start:end]
        if line.strip():
            yield line
        start += len(line) + 1


def is_spread(data: bytes) -> bool:
    """Whether JSON goes on over lines: a list, or an object that does not end in the line it begins in.

    A first line that is cut off is no such object where another object follows in the next line.
    """
    lines = lines_of(data)
    first, second = (next(lines, b"").strip() for _ in range(2))
    if first.startswith(b"["):
        return not second or is_cut(first)
    if not (first.startswith(b"{") and second and is_cut(first)):
        return False
    return not second.startswith(b"{") or begins_with_value(data)


def begins_with_value(data: bytes) -> bool:
    """Whether a whole value of JSON stands at the beginning."""
    try:
        json.JSONDecoder().raw_decode(data.decode().lstrip())
    except (ValueError, RecursionError):
        return False
    return True


def is_cut(line: bytes) -> bool:
    """Whether the line is JSON that would have to go on."""
    try:
        source = line.decode()
        json.loads(source)
    except json.JSONDecodeError as error:
        return error.pos >= len(source) - 1  # a comma at the end is pointed at itself
    except (ValueError, RecursionError):
        pass
    return False
