"""What the commands share: options, progress, the ledger, and where they may write."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from judge.errors import InputError
from judge.io.files import at_home
from judge.io.writing import write_out, write_whole

if TYPE_CHECKING:
    from judge.ledger.ledger import Ledger
    from judge.progress import Progress
    from judge.study.gallery import Gallery
    from judge.study.page import Frame
    from judge.study.study import Study

STYLE: dict[str, Any] = {
    "context_settings": {"help_option_names": ["-h", "--help"]},
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
}
"""How all our command lines look and fail."""

INTERRUPTED = 130
MIN_WIDTH = 80

LedgerOption = Annotated[
    Path | None, typer.Option("--ledger", help="File of the ledger; by default in the user's cache.")
]
NoCacheOption = Annotated[
    bool, typer.Option("--no-cache", help="Ask everything again, and keep nothing in the ledger.")
]
NOT_ALL_JUDGED = 3
"""Exit status of a command that judges where a pair stayed unparsed, or `--within` was up before."""
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]


def time_is_up(n_left: int, n_pairs: int, is_kept: bool = True) -> str:
    """What to tell where `--within` ended a run."""
    left = f"{n_left:,} of {n_pairs:,} pairs are not judged"
    how = "goes on" if is_kept else "begins anew, because of --no-cache"
    return f"The time of --within is up: {left}. The same command {how}."


@contextmanager
def progress_shown(is_quiet: bool) -> Iterator[Progress]:
    """Progress on standard error, or none."""
    from judge.progress import shown_progress

    with shown_progress(is_quiet) as progress:
        yield progress


def of_loading(progress: Progress) -> Progress:
    """The progress of what loads. Where a judge is asked chunk by chunk, how far one is says nothing."""
    from judge.progress import stage_kind

    def show(stage: str, done: int, total: int) -> None:
        if stage_kind(stage) not in ("judging", "grading"):
            progress(stage, done, total)

    return show


@contextmanager
def opened_ledger(path: Path | None, no_cache: bool = False) -> Iterator[Ledger]:
    """The ledger of `judge.ledger`, which loads SQLite only now."""
    from judge.ledger import ledger

    with ledger.opened_ledger(path, is_kept=not no_cache) as book:
        yield book


@contextmanager
def interruptible(is_kept: bool = True) -> Iterator[None]:
    """Ctrl-C in long work is one line and exit status 130; `is_kept` is whether what was done is kept."""
    try:
        yield
    except KeyboardInterrupt:
        kept = "What was done is kept; the same command goes on there."
        print(f"judge: stopped. {kept if is_kept else '--no-cache: nothing is kept.'}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def check_writable(
    out: str | None, others: Iterable[str | Path | None] = (), endings: Sequence[str] = ()
) -> None:
    """Says before any work that a file could not be written after it; "-" is standard output.

    Args:
        others: files that the same command reads or writes: it must be none of them, links followed.
        endings: what its name may end in; anything where there are none.
    """
    if out is None or out == "-":
        return
    path = Path(out)
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"{out}: cannot be written, it is a folder or its folder is missing.")
    if endings and not out.lower().endswith(tuple(endings)):
        raise InputError(
            f"{out}: cannot be written. Its name must end in {', '.join(endings)}, or be - for standard "
            "output."
        )
    for other in others:
        if not other:
            continue
        is_given = str(other) == "-"
        if is_standard_input(path) if is_given else is_same_file(path, at_home(other)):
            name = "standard input" if is_given else other
            raise InputError(f"{out}: cannot be written, {name} is the same file. Name another one.")
    if path.is_file() or not path.exists():  # a device or a pipe is written to as it is
        check_room(path.resolve().parent, out)


def is_colored() -> bool:
    """Whether text on standard output is coloured: on a terminal that has colours, without NO_COLOR."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not is_plain


def check_one_on_standard_output(*writes: str | None) -> None:
    """Says before any work that two outputs would be mixed on standard output."""
    if writes.count("-") > 1:
        raise InputError("-: two outputs would be mixed on standard output. Name a file for one of them.")


def check_folder(folder: Path) -> None:
    """The same of a folder that may have to be made."""
    folder.is_dir()  # a name that is too long is an OSError here
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise InputError(f"{folder}: cannot be written, {there} is no folder.")
    check_room(there, folder)


def check_room(folder: Path, out: str | Path) -> None:
    """Tries whether a file can be made in the folder, which leaves nothing behind."""
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written, no file can be made in its folder ({error.strerror})."
        ) from error


def is_standard_input(path: Path) -> bool:
    """Whether standard input is read from this file, as in `judge run - < pairs.jsonl`."""
    try:
        given = os.fstat(sys.stdin.fileno())
    except (AttributeError, OSError, ValueError):  # closed, or no file at all
        return False
    return path.is_file() and os.path.samestat(given, path.stat())


def is_same_file(one: Path, other: Path) -> bool:
    """Whether both names lead to one file, or would once it is written. A terminal or a pipe is no file."""
    if one.is_file() and other.is_file():
        return one.samefile(other)
    return not one.exists() and one.resolve() == other.resolve()


def write(out: str, text: str) -> None:
    """Writes a text file, whole or not at all; "-" is standard output."""
    if out == "-":
        write_out(text)
    else:
        write_whole(out, text)


def show_study(
    study: Study,
    frame: Frame,
    galleries: Sequence[Gallery],
    html: str | None,
    markdown: str | None,
    as_json: str | None,
) -> None:
    """Writes the study's page and Markdown where asked for, and prints it where nothing else goes to "-".

    `as_json` says where its figures went already.
    """
    from judge.study.page import format_study_html, format_study_markdown, format_study_text

    if html is not None:
        write(html, format_study_html(study, frame, galleries))
    if markdown is not None:
        write(markdown, format_study_markdown(study, frame))
    if "-" not in (html, markdown, as_json):
        width = max(MIN_WIDTH, shutil.get_terminal_size((100, 24)).columns)
        print(format_study_text(study, frame, color=is_colored(), width=width), end="")
