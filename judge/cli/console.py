"""What the commands share: options, progress, the ledger, and where they may write."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from judge.errors import InputError
from judge.io.writing import write_whole

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
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]


@contextmanager
def progress_shown(is_quiet: bool) -> Iterator[Progress]:
    """Progress on standard error, or none."""
    from judge.progress import shown_progress

    with shown_progress(is_quiet) as progress:
        yield progress


@contextmanager
def opened_ledger(path: Path | None) -> Iterator[Ledger]:
    """The ledger in that file, by default the one in the user's cache."""
    from judge.ledger.ledger import Ledger, default_path

    with Ledger(path or default_path()) as ledger:
        yield ledger


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C in long work is one line and exit status 130: what was done is kept."""
    try:
        yield
    except KeyboardInterrupt:
        print("judge: stopped. What was done is kept; the same command goes on there.", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def check_writable(out: str | None) -> None:
    """Raises, before any work, if the file could not be written afterwards; "-" is standard output."""
    path = Path(out or "-")
    if out not in (None, "-") and (path.is_dir() or not path.parent.is_dir()):
        raise InputError(f"{out}: cannot be written, it is a folder or its folder is missing.")


def write(out: str, text: str) -> None:
    """Writes a text file, whole or not at all; "-" is standard output."""
    if out == "-":
        sys.stdout.write(text)
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
        print(format_study_text(study, frame, color=sys.stdout.isatty(), width=width), end="")
