"""`judge calibrate`: verdicts and people's votes on them -> a file that calibrates the judge."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from judge.cli.console import QuietOption, check_writable, write


def calibrate(
    verdicts: Annotated[
        str, typer.Argument(help="Verdicts of one judge, as written by `judge run`; - is standard input.")
    ],
    votes: Annotated[str, typer.Option(help="People's votes on them (JSON, CSV or Parquet); 30 at least.")],
    out: Annotated[str, typer.Option(help="Write the calibration, JSON; - is standard output.")],
    pairs: Annotated[
        str | None,
        typer.Option(help="Their pairs: says which pairs share a question; without it each is its own."),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            max=1,
            help="The share of verdicts that is to be right: what is too close for that is undecided. By "
            "default nothing is.",
        ),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Fit a judge's probabilities to people's votes: for `--calibration` of every command that judges."""
    from judge.forms.reading import read_pairs, read_votes_on
    from judge.io.verdicts import read_verdicts
    from judge.provenance import as_json
    from judge.study.calibrating import calibrate as fit_of
    from judge.study.calibrating import format_fit

    def say(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr)

    check_writable(out, (verdicts, votes, pairs))
    texts = None if pairs is None else read_pairs(pairs, say)
    fit = fit_of(read_verdicts(verdicts), read_votes_on(votes, texts), texts, precision)
    write(out, as_json(fit.as_json()) + "\n")
    say(format_fit(fit))
    if out != "-":
        say(f"Calibration: {out}")
