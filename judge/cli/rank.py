"""`judge rank`: models' answers to common prompts -> a leaderboard as text, HTML and JSON."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from typing import Annotated

import typer

from judge.cli.cluster import (
    OnOption,
    ShardsOption,
    WorkerCpusOption,
    WorkerGpusOption,
    WorkersOption,
    method_there,
)
from judge.cli.console import (
    MIN_WIDTH,
    NOT_ALL_JUDGED,
    LedgerOption,
    NoCacheOption,
    QuietOption,
    check_one_on_standard_output,
    check_writable,
    interruptible,
    is_colored,
    of_loading,
    progress_shown,
    write,
)
from judge.options import JudgeOptions


def rank(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Answers as AlpacaEval has them, instruction, output, generator: one file a model, or "
            "several models in one; or any form that names the models, which is recognised; or folders of "
            "such files. JSON, CSV or Parquet, gzipped or not."
        ),
    ],
    mapping: Annotated[
        str,
        typer.Option(
            "--map",
            help="Of files with one column a model, the prompt's column and the models: "
            "prompt=question,gpt-4,llama=answer_2; a dot leads into an object. May also name category, "
            "reference, system and criteria.",
        ),
    ] = "",
    budget: Annotated[
        int | None,
        typer.Option(
            min=1, help="Judge at most so many pairs; of a judge that grades answers, so many answers."
        ),
    ] = None,
    within: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Ask nothing new after this time: 90s, 9m, 2h or 1h30m."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the order in which prompts are used.")] = 0,
    out: Annotated[str | None, typer.Option(help="Write the ranking as JSON; - is standard output.")] = None,
    html: Annotated[str | None, typer.Option(help="Write one HTML file that can be opened anywhere.")] = None,
    on: OnOption = "",
    shards: ShardsOption = None,
    workers: WorkersOption = None,
    worker_cpus: WorkerCpusOption = None,
    worker_gpus: WorkerGpusOption = None,
    ledger: LedgerOption = None,
    no_cache: NoCacheOption = False,
    quiet: QuietOption = False,
    *,
    judge: JudgeOptions,
) -> None:
    """Rank models by their answers: judges where the ranking is in doubt, and stops when it is told.
    Exit status 0: every pair that was asked was read; 3: some were not.
    """
    from judge.api import Judge
    from judge.io.durations import seconds_in
    from judge.provenance import as_json
    from judge.ranking.answers import files_in, read_answers, refuse_in_folders
    from judge.ranking.page import format_ranking_html, format_ranking_text
    from judge.ranking.rank import rank_answers

    read = [*files, *(file for path in files for file in files_in(path))]
    check_writable(out, (*read, ledger, *judge.files))
    check_writable(html, (*read, ledger, *judge.files, out))
    refuse_in_folders(out, files)
    check_one_on_standard_output(out, html)
    within_s = None if within is None else seconds_in(within, "--within")

    def say(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr)

    answers = read_answers(files, mapping, say)

    with ExitStack() as stack:
        stack.enter_context(interruptible(is_kept=not no_cache or bool(on)))
        progress = stack.enter_context(progress_shown(quiet))
        shown = of_loading(progress)
        there = method_there(on, shards, workers, worker_cpus, worker_gpus, no_cache, quiet)
        method = stack.enter_context(there)
        own = Judge.of(judge, ledger=ledger, cache=not no_cache, progress=shown, method=method)
        asked = stack.enter_context(own)
        board = rank_answers(answers, asked, budget, within_s, seed, say, progress)
    if html is not None:
        write(html, format_ranking_html(board))
    if out is not None:
        write(out, as_json(board.as_json()) + "\n")
    if "-" not in (html, out):
        width = max(MIN_WIDTH, shutil.get_terminal_size((100, 24)).columns)
        print(format_ranking_text(board, color=is_colored(), width=width), end="")
    if board.n_unread:
        raise typer.Exit(NOT_ALL_JUDGED)
