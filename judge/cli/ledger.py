"""`judge ledger`: what was judged, shown, exported, imported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judge.cli.console import LedgerOption, check_folder, opened_ledger
from judge.errors import InputError
from judge.io.files import at_home

if TYPE_CHECKING:
    from judge.ledger.ledger import JudgeSummary

app = typer.Typer(help="The ledger of all judgments: show, export, import.", no_args_is_help=True)


def is_there(ledger: Path | None) -> bool:
    """Whether the ledger is there, which opening would make: the one in the user's cache may not be yet.

    Raises:
        InputError: the one that was named is not there.
    """
    from judge.ledger.ledger import default_path

    if ledger is None:
        return default_path().exists()
    try:
        at_home(ledger).stat()
    except OSError as error:
        raise InputError(f"{ledger}: {error.strerror}. --ledger must name a ledger that is there.") from error
    return True


@app.command("show")
def ledger_show(ledger: LedgerOption = None) -> None:
    """What the ledger holds, one line per judge."""
    summaries: list[JudgeSummary] = []
    if is_there(ledger):
        with opened_ledger(ledger) as book:
            summaries = book.summary()
    for one in summaries:
        print(f"{one.fingerprint}: {summary_in_words(one)}")
    if not summaries:
        print("The ledger is empty.")


def summary_in_words(one: JudgeSummary) -> str:
    if not one.n_readings:
        return "no readings"
    return (
        f"{one.n_readings} readings ({one.n_unparsed} unparsed), {one.tokens_in} tokens in, "
        f"{one.tokens_out} out, {one.elapsed_s:.0f} s, {one.first_recorded_at} to {one.last_recorded_at}"
    )


@app.command("export", epilog="Example: judge ledger export shards/")
def ledger_export(
    folder: Path,
    judge: Annotated[
        list[str] | None, typer.Option(help="Only this fingerprint; may be given more than once.")
    ] = None,
    steps: Annotated[
        bool,
        typer.Option(
            "--steps",
            help="Also what slow judges wrote on their way, criteria, scores and reasons, for students to "
            "learn; that may quote the pairs.",
        ),
    ] = False,
    ledger: LedgerOption = None,
) -> None:
    """Write all judgments as small compressed shards, without any text of the pairs."""
    check_folder(folder)
    shards: list[Path] = []
    if is_there(ledger):
        with opened_ledger(ledger) as book:
            shards = book.export(folder, judge, has_steps=steps)
    for path in shards:
        print(path)
    if not shards:
        print("There are no readings, so no shard was written.", file=sys.stderr)


@app.command("import", epilog="Example: judge ledger import shards/*.jsonl.gz")
def ledger_import(shards: list[Path], ledger: LedgerOption = None) -> None:
    """Take in shards from another machine; what is already known stays as it is."""
    with opened_ledger(ledger) as book:
        counts = book.load(shards)
    print(
        f"{counts.added} added, {counts.known} already known, "
        f"{counts.differing} differing (kept as they were)"
    )
