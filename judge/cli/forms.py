"""`judge import` and `judge export`: other tools' files as pairs and votes, and verdicts as their files."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from judge.cli.console import QuietOption, check_one_on_standard_output, check_writable, write
from judge.forms import OURS

FORMS_IN_WORDS = f"{', '.join(OURS)}; columns, with --map; or one that another package adds."
MapOption = Annotated[
    str,
    typer.Option(
        "--map",
        help="Which column is what, in a file of no known form: prompt=question,response_a=old,"
        "response_b=new; a dot leads into an object. May also name id, category, reference, system, "
        "conversation_a and conversation_b, and a label: outcome, voter, model_a, model_b.",
    ),
]


def export_verdicts(
    form: Annotated[str, typer.Argument(help="The file's form: alpacaeval, preferences or inspect.")],
    verdicts: Annotated[str, typer.Argument(help="Verdicts as written by `judge run`; - is standard input.")],
    pairs: Annotated[str, typer.Option(help="Their pairs, or the file of another tool that was judged.")],
    out: Annotated[str, typer.Option(help="The file to write; - is standard output.")] = "-",
    quiet: QuietOption = False,
) -> None:
    """Write verdicts as a file of another tool: annotations, chosen and rejected answers, or a log."""
    from judge.forms import exporting, reading
    from judge.io.verdicts import read_verdicts

    check_writable(out, (verdicts, pairs))
    read = reading.read_pairs(pairs, lambda line: None)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    exported = exporting.export_verdicts(form, read_verdicts(verdicts), read, now)
    write(out, exported.text)
    if not quiet:
        print(exported, file=sys.stderr)


def import_files(
    form: Annotated[str, typer.Argument(help=f"The files' form: {FORMS_IN_WORDS}")],
    files: Annotated[
        list[str], typer.Argument(help="JSON, CSV or Parquet, gzipped or not; - is standard input.")
    ],
    out: Annotated[str, typer.Option(help="Pairs as JSONL; - is standard output.")] = "-",
    votes: Annotated[
        str | None, typer.Option(help="The labels in the files as votes, as JSONL; - is standard output.")
    ] = None,
    mapping: MapOption = "",
    quiet: QuietOption = False,
) -> None:
    """Make pairs of another tool's files, and votes of the labels in them."""
    from judge.forms import reading
    from judge.io.pairs import write_pairs
    from judge.io.votes import write_votes

    check_writable(out, files, (".jsonl",))
    check_writable(votes, (*files, out), (".jsonl",))
    check_one_on_standard_output(out, votes)
    read = reading.import_files(form, files, mapping)
    write_pairs(out, read.pairs)
    if votes is not None:
        write_votes(votes, read.votes)
    if not quiet:
        print(read, file=sys.stderr)
