"""What the server was started with, and which files it may open."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path

from judge.errors import InputError
from judge.io.content import ENDINGS, GZIP_MAGIC, HEAD, JSON, encoding_of, kind_of_content
from judge.io.rows import spread_values
from judge.options import JudgeOptions
from judge.review.projectfile import ReviewProject

REVIEWS = "judge-reviews.sqlite"
SAMPLE_FILE = Path(__file__).parents[1] / "examples" / "pairs.jsonl"
DEEPEST = 3
MOST_FILES = 500
PEEK = 1 << 20
"""Bytes in which the first object of a file ends."""


@dataclass(frozen=True)
class AppSettings:
    """`root` is the folder below which files may be opened; `pairs` and `verdicts` are in it, "" is none.

    `project` is what the server was started with, None for pairs alone; `guidelines` is the text of
    its own, and `votes` are the files of votes to be taken in.
    """

    root: Path = field(default_factory=Path.cwd)
    pairs: str = ""
    verdicts: str = ""
    reviews: Path = Path(REVIEWS)
    ledger: Path | None = None
    judge: JudgeOptions = field(default_factory=JudgeOptions)
    project: ReviewProject | None = None
    guidelines: str = ""
    votes: tuple[str, ...] = ()


_started: list[AppSettings] = []


def start_with(settings: AppSettings) -> None:
    """Sets what every page of this process sees."""
    _started[:] = [settings]


def started() -> AppSettings:
    return _started[0] if _started else AppSettings()


def below(root: Path, name: str) -> Path:
    """The file of that name under `root`. Raises InputError if, links followed, it lies elsewhere."""
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise InputError(f"{name}: not in the folder that the app was started in, so it is not opened.")
    return path


def files_below(root: Path) -> list[str]:
    """Names of the files under `root` that can hold pairs or verdicts, three folders deep at most.

    A link that leads out of it is left out, as such a file is not opened.
    """
    found = []
    home = root.resolve()
    for depth in range(DEEPEST):
        for path in sorted(root.glob("/".join(["*"] * (depth + 1)))):
            is_hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            is_data = path.name.lower().endswith(ENDINGS) and path.is_file()
            if not is_hidden and is_data and path.resolve().is_relative_to(home):
                found.append(str(path.relative_to(root)))
            if len(found) == MOST_FILES:
                return found
    return found


def holds_verdicts(path: Path) -> bool:
    """Whether the first object of a file of JSON is a verdict. No more than its beginning is read."""
    try:
        for size in (HEAD, PEEK):
            text = beginning_of(path, size)
            if kind_of_content(text.encode(), path.name) != JSON:
                return False
            cells = next((value for _, value in spread_values(text)), None)
            if isinstance(cells, dict):
                return {"pair_id", "orders"} <= cells.keys()
    except (OSError, zlib.error):
        pass
    return False


def beginning_of(path: Path, size: int) -> str:
    """The text that a file begins with, unpacked where it is gzip; OSError and zlib.error pass."""
    with path.open("rb") as file:
        data = file.read(size)
    if data.startswith(GZIP_MAGIC):
        data = zlib.decompressobj(wbits=31).decompress(data, size)
    return data.decode(encoding_of(data) or "utf-8-sig", errors="ignore")
