"""`judge bench`: judges on a data set with people's votes -> tables, a result file, an HTML report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from judge.bench.run import (
    chosen,
    entrants_of_runs,
    judge_dataset,
    names_of_runs,
    refuse_hopeless,
    self_check,
    source_of,
    with_those_before,
)
from judge.cli.cluster import (
    OnOption,
    ShardsOption,
    WorkerCpusOption,
    WorkerGpusOption,
    WorkersOption,
    method_there,
)
from judge.cli.console import (
    NOT_ALL_JUDGED,
    STYLE,
    LedgerOption,
    NoCacheOption,
    QuietOption,
    check_one_on_standard_output,
    check_writable,
    interruptible,
    opened_ledger,
    progress_shown,
    show_study,
    write,
)
from judge.cli.forms import MapOption
from judge.cli.options import takes_judge
from judge.datasets import DATA_SETS
from judge.datasets.dataset import Wanted, data_folder
from judge.errors import InputError
from judge.metrics import other_metrics
from judge.options import JudgeOptions, judge_of_spec
from judge.records import Status

app = typer.Typer(**STYLE)


@app.command(
    "bench",
    epilog="Examples: judge bench mt-bench --data-dir data --html report.html. "
    "judge bench llmbar --judge name=fast --judge name=slow,method=bsm. "
    "judge bench pairs.jsonl --votes votes.jsonl. Interrupted, the same command goes on.",
)
@takes_judge
def bench(
    data: Annotated[
        str,
        typer.Argument(
            help=f"{', '.join(DATA_SETS.ours)}, one that another package adds, or a file of pairs (with "
            "--votes, a column gold, or the labels of another tool)."
        ),
    ],
    specs: Annotated[
        list[str] | None,
        typer.Option(
            "--judge",
            help="A judge as name=value,...: base-model, adapter, method, backend and every other option of "
            "a judge below, and a name for the tables. May be given more than once; what it does not say is "
            "as below.",
        ),
    ] = None,
    votes: Annotated[
        str, typer.Option(help="MT-bench: experts, authors or all. A file of pairs: the file of votes.")
    ] = "",
    turn: Annotated[
        str,
        typer.Option(
            help="Which turn of a conversation is judged: 1, 2, ..., or any; by default as the data set "
            "says, 1 of most of ours, and any of a file."
        ),
    ] = "",
    category: Annotated[
        list[str] | None, typer.Option(help="Only pairs of this category; may be given more than once.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="So many pairs, from each category in proportion.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample and of the intervals.")] = 0,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            help="A metric that another package adds, beside ours, which are always there; may be given more "
            "than once.",
        ),
    ] = None,
    mapping: MapOption = "",
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of local copies; by default JUDGE_DATA, else the Hugging Face hub."),
    ] = None,
    out: Annotated[str | None, typer.Option(help="Write the result file, JSON with every figure.")] = None,
    html: Annotated[str | None, typer.Option(help="Write one HTML file that can be opened anywhere.")] = None,
    markdown: Annotated[str | None, typer.Option(help="Write Markdown; - is standard output.")] = None,
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
    """Measure judges on a data set: agreement with people, and how often a verdict flips. Exit status 0: all
    pairs were judged; 3: some are unparsed.
    """
    from judge.bench.result import frame_of, result_of
    from judge.provenance import as_json
    from judge.study.gallery import galleries_of
    from judge.study.study import study_of

    named = with_those_before([judge_of_spec(spec, judge) for spec in specs or ()] or [("", judge)])
    reads = [data, votes, ledger, *(file for _, options in named for file in options.files)]
    writes = (out, html, markdown)
    for number, path in enumerate(writes):
        check_writable(path, (*reads, *writes[:number]))
    check_one_on_standard_output(*writes)
    others = other_metrics(metrics or ())
    source = source_of(data, mapping)
    turn, votes = turn or source.turn, votes or source.votes
    wanted = Wanted(data_folder(data_dir), _turn_of(turn), votes)
    dataset = chosen(source.read(wanted), category or (), limit, seed)
    with (
        interruptible(is_kept=not no_cache or bool(on)),
        progress_shown(quiet) as progress,
        opened_ledger(ledger, no_cache) as book,
        method_there(on, shards, workers, worker_cpus, worker_gpus, no_cache, quiet) as method,
    ):
        refuse_hopeless(named, book, progress, method)
        runs = [judge_dataset(name, options, dataset, book, progress, method) for name, options in named]
        if not quiet:
            for run, name in zip(runs, names_of_runs(runs), strict=True):
                print(f"{name}: {run.replay}{f'. {run.notice}' if run.notice else ''}", file=sys.stderr)
        entrants = entrants_of_runs(runs, dataset)
        study = study_of(entrants, dataset.votes, dataset.pairs, seed=seed, others=others)
    selection = {
        "data_set": data,
        "turn": turn,
        "votes": votes,
        "categories": category or [],
        "limit": limit,
    }
    result = result_of(study, dataset, selection, self_check(data, wanted))
    frame = frame_of(result)
    if out is not None:
        write(out, as_json(result) + "\n")
    galleries = galleries_of(entrants, dataset.votes, dataset.pairs) if html else ()
    show_study(study, frame, galleries, html, markdown, out)
    if any(verdict.status is Status.UNPARSED for run in runs for verdict in run.verdicts):
        raise typer.Exit(NOT_ALL_JUDGED)


def _turn_of(text: str) -> int | None:
    if text == "any":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--turn {text}: must be 1, 2, ..., or any.")
    return int(text)
