"""What the server was started with, and which files it may open."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from judge.errors import InputError
from judge.io.content import ENDINGS, is_json_lines
from judge.io.rows import JSON_READERS, object_of_line, rows_of_content
from judge.options import JudgeOptions
from judge.review.projectfile import ReviewProject

REVIEWS = "judge-reviews.sqlite"
SAMPLE_FILE = Path(__file__).parents[1] / "examples" / "pairs.jsonl"
DEEPEST = 3
MOST_FILES = 500
PEEK = 1 << 20


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
    """Names of the files under `root` that can hold pairs or verdicts, three folders deep at most."""
    found = []
    for depth in range(DEEPEST):
        for path in sorted(root.glob("/".join(["*"] * (depth + 1)))):
            is_hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if not is_hidden and path.is_file() and path.name.lower().endswith(ENDINGS):
                found.append(str(path.relative_to(root)))
            if len(found) == MOST_FILES:
                return found
    return found


def holds_verdicts(path: Path) -> bool:
    """Whether the first object of a file is a verdict."""
    try:
        if is_json_lines(path):
            with path.open("rb") as file:
                cells = object_of_line(file.readline(PEEK))
        else:
            first = next(iter(rows_of_content(path.read_bytes(), path.name, JSON_READERS)), None)
            cells = first.cells if first else {}
    except (OSError, InputError):
        return False
    return isinstance(cells, dict) and {"pair_id", "orders"} <= cells.keys()
