"""`judge distill`: the stages of a run, each from the recipe and the folder alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    STYLE,
    QuietOption,
    check_folder,
    check_writable,
    interruptible,
    progress_shown,
)
from judge.datasets.dataset import data_folder
from judge.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from distill.folder import RunFolder
    from distill.recipe import Recipe
    from distill.within import Budget
    from judge.api import MethodMaker

RUNS = "runs"

app = typer.Typer(
    help="Make a fast judge of a slow one: collect its verdicts, select what may teach, train a student.",
    no_args_is_help=True,
    **STYLE,
)

ConfigOption = Annotated[Path, typer.Option("--config", help="The recipe, a YAML file.")]
LimitOption = Annotated[
    int | None, typer.Option(min=1, help="Pairs for the teacher at most, instead of the recipe's limit.")
]
FolderOption = Annotated[
    Path | None, typer.Option(help=f"The run's folder; by default {RUNS}/NAME, by the recipe's name.")
]
DataOption = Annotated[
    Path | None,
    typer.Option(help="Folder of local copies; by default JUDGE_DATA, else the Hugging Face hub."),
]
LedgerOption = Annotated[
    Path | None,
    typer.Option(help="File of the ledger with the teacher's readings; by default the run's own."),
]
RoundOption = Annotated[
    int | None,
    typer.Option(
        "--round",
        min=1,
        metavar="PAIRS",
        help="Keep what was read after so many pairs each: select and train may go by it, and no more than "
        "these are read again after an interruption. By default as many as are read best at a time.",
    ),
]
TargetsOption = Annotated[
    tuple[str, Path] | None,
    typer.Option(
        metavar="votes FILE",
        help="Learn people's votes on the recipe's pairs instead of a teacher's verdicts; the adapter is "
        "called NAME-votes.",
    ),
]
CheckpointOption = Annotated[
    Path | None,
    typer.Option(
        help="Also keep a checkpoint of 4 bytes a weight in this file, every ten minutes: committed, it lets "
        "the same command go on from it on another machine. It is removed when training is done."
    ),
]
WithinOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="The time there is, such as 90s, 9m or 1h30m: as many pairs and epochs as fit. Without it, all "
        "that the recipe says.",
    ),
]


@app.command(epilog="Example: judge distill collect --config recipes/embedded-0.5b.yaml --limit 200")
def collect(
    config: ConfigOption,
    limit: LimitOption = None,
    folder: FolderOption = None,
    data_dir: DataOption = None,
    on: OnOption = "",
    shards: ShardsOption = None,
    workers: WorkersOption = None,
    worker_cpus: WorkerCpusOption = None,
    worker_gpus: WorkerGpusOption = None,
    ledger: LedgerOption = None,
    round_pairs: RoundOption = None,
    quiet: QuietOption = False,
) -> None:
    """Let the teacher read pairs in both orders. Interrupted, the same command goes on."""
    recipe, run = _run_of(config, limit, folder)
    _check_reads_pairs(recipe, config)
    if on and recipe.collect.teacher.shards:
        raise InputError(
            f"--on {on}: the readings of this recipe's teacher are in files already, and nothing is asked. "
            "Leave it out."
        )
    with method_there(on, shards, workers, worker_cpus, worker_gpus, no_cache=False, quiet=quiet) as method:
        _collect(recipe, run, data_dir, ledger, quiet, method=method, round_pairs=round_pairs)


def _check_reads_pairs(recipe: Recipe, config: Path) -> None:
    """Raises InputError where the student learns the rows of a file and the recipe names no pairs."""
    from distill.recipe import BY_ROWS

    method = recipe.train.method
    if method in BY_ROWS and "collect" not in recipe.model_fields_set:
        raise InputError(
            f"{config}: train.method {method} learns the rows of a file, and no teacher reads pairs. Run "
            "`judge distill train`, or say which pairs in collect."
        )


def _collect(
    recipe: Recipe,
    run: RunFolder,
    data_dir: Path | None,
    ledger: Path | None,
    quiet: bool,
    budget: Budget | None = None,
    method: MethodMaker | None = None,
    round_pairs: int | None = None,
) -> None:
    from distill.stages import run_collect
    from distill.trainstage import try_training

    with interruptible(), progress_shown(quiet) as progress:
        trial = partial(try_training, recipe, progress=progress, budget=budget) if budget else None
        data = data_folder(data_dir)
        manifest = run_collect(
            recipe, run, data, progress, ledger, budget, trial, method, round_pairs=round_pairs
        )
    check = manifest["contamination"]
    print(f"{manifest['n_pairs']:,} pairs read in both orders by {manifest['inputs']['teacher']}")
    for what, counts in (("left out", manifest["left_out"]), ("not clean", check["dropped"])):
        for reason, count in counts.items():
            print(f"  {what}: {count:,} {reason}")
    if manifest["warning"]:
        print(manifest["warning"])
    print(f"Traces: {run.traces}")


@app.command(epilog="Example: judge distill select --config recipes/embedded-0.5b.yaml --limit 200")
def select(
    config: ConfigOption,
    limit: LimitOption = None,
    folder: FolderOption = None,
    keep_dropped: Annotated[
        bool,
        typer.Option(
            "--keep-dropped",
            help="Also write every reading of a teacher that says how it came to its verdict, those that the "
            "filter drops too, as rows: right.jsonl and wrong.jsonl, by the pair's winner.",
        ),
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Keep the verdicts that may teach, and say why the others may not."""
    recipe, run = _run_of(config, limit, folder)
    _check_reads_pairs(recipe, config)
    if warning := _select(recipe, run, quiet, keep_dropped):
        print(warning)


def _select(recipe: Recipe, run: RunFolder, quiet: bool, keep_dropped: bool = False) -> str:
    """Selects, and returns what there is to warn of."""
    from distill.keeping import format_kept
    from distill.selectionreport import format_report
    from distill.stages import run_select

    manifest = run_select(recipe, run, keep_dropped)
    if not quiet:
        print(format_report(manifest["report"]), end="")
        if keep_dropped:
            print(format_kept(manifest["readings"]), end="")
    print(f"Selection: {run.selection}")
    if keep_dropped:
        print(f"Readings: {run.right} and {run.wrong}")
    return str(manifest["warning"])


@app.command(
    epilog="Example: judge distill answers --config recipes/ladder-0.5b.yaml "
    "--maker large=qwen2.5-coder-1.5b --maker small=qwen2.5-coder-0.5b "
    "--maker half=qwen2.5-coder-0.5b:half --out answers.jsonl.gz"
)
def answers(
    config: ConfigOption,
    maker: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=BASE_MODEL[:half]",
            help="Who answers, the strongest first: a base model, or one that is shown half of each request.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The file of answers, which train.answers names.")],
    limit: LimitOption = None,
    folder: FolderOption = None,
    data_dir: DataOption = None,
    quiet: QuietOption = False,
) -> None:
    """Let makers of known strength answer the pairs' requests, for pairs constructed of them."""
    from distill.answers import Maker, write_answers
    from distill.stages import clean_requests
    from judge.ledger.ledger import Ledger

    recipe, run = _run_of(config, limit, folder)
    _check_reads_pairs(recipe, config)
    if str(out) == "-":
        raise InputError("--out -: answers are a gzip file, which train.answers names. Name a file.")
    check_writable(str(out), (config, *recipe.files(data_dir)))
    makers = [Maker.of(one) for one in maker]
    with interruptible(), progress_shown(quiet) as progress, Ledger(run.ledger) as ledger:
        requests = clean_requests(recipe, data_folder(data_dir))
        n = write_answers(out, requests, makers, ledger, recipe.seed, progress)
    print(f"{n:,} requests answered by {', '.join(one.name for one in makers)}: {out}")


@app.command(
    epilog="Examples: judge distill train --config recipes/embedded-0.5b.yaml --limit 200. "
    "judge distill train --config mine.yaml --targets votes votes.jsonl"
)
def train(
    config: ConfigOption,
    limit: LimitOption = None,
    targets: TargetsOption = None,
    checkpoint: CheckpointOption = None,
    folder: FolderOption = None,
    data_dir: DataOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train a student on the selected verdicts, or on rows. Interrupted, the same command goes on."""
    if checkpoint is not None:
        check_writable(str(checkpoint), (config,))
    recipe, run = _run_of(config, limit, folder, targets)
    _check_ahead(recipe)
    _train(recipe, run, data_dir, quiet, checkpoint=checkpoint)


def _train(
    recipe: Recipe,
    run: RunFolder,
    data_dir: Path | None,
    quiet: bool,
    budget: Budget | None = None,
    checkpoint: Path | None = None,
) -> None:
    from distill.trainstage import format_metrics, run_train

    with interruptible(), progress_shown(quiet) as progress:
        say = None if quiet else partial(print, flush=True)
        manifest = run_train(recipe, run, data_folder(data_dir), progress, budget, say, checkpoint)
    if not quiet:
        print(format_metrics(manifest["metrics"]))
    if manifest["warning"]:
        print(manifest["warning"])
    print(f"Curves: {run.curves}")
    print(f"Adapter: {run.adapter}")


@app.command(epilog="Example: judge distill ranker --config mine.yaml")
def ranker(
    config: ConfigOption,
    limit: LimitOption = None,
    folder: FolderOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train a ranker for --vote ranked on the readings that select --keep-dropped keeps."""
    from distill.ranker import format_ranked, run_rank

    recipe, run = _run_of(config, limit, folder)
    _check_reads_pairs(recipe, config)

    with interruptible(), progress_shown(quiet) as progress:
        say = None if quiet else partial(print, flush=True)
        manifest = run_rank(recipe, run, progress, say)
    if not quiet:
        print(format_ranked(manifest["metrics"]))
    print(f"Ranker: {run.ranker}")


@app.command(
    "all",
    epilog="Examples: judge distill all --config recipes/embedded-0.5b.yaml --limit 200. "
    "judge distill all --config mine.yaml --within 1h30m",
)
def all_stages(
    config: ConfigOption,
    limit: LimitOption = None,
    within: WithinOption = None,
    targets: TargetsOption = None,
    folder: FolderOption = None,
    data_dir: DataOption = None,
    ledger: LedgerOption = None,
    quiet: QuietOption = False,
) -> None:
    """Collect, select and train. What is done already is not done again; interrupted, it goes on."""
    from distill.within import budget_of, minutes_of, parse_duration

    say = (lambda words: None) if quiet else partial(print, flush=True)
    budget = budget_of(parse_duration(within), say) if within is not None else None
    recipe, run = _run_of(config, limit, folder, targets)
    _check_ahead(recipe)
    if recipe.has_teacher:
        _collect(recipe, run, data_dir, ledger, quiet, budget)
        _select(recipe, run, quiet)
    _train(recipe, run, data_dir, quiet, budget)
    if budget is not None:
        budget.say(f"Done at {minutes_of(budget.elapsed_s)} of {minutes_of(budget.seconds)}.")


def _check_ahead(recipe: Recipe) -> None:
    """Reads what training takes beside the selection: a wrong path is told before hours of collecting.

    Not where a recipe is only read: what it goes on from may be the adapter of a round that is still to come.
    """
    from distill.answers import read_answers
    from distill.folder import RunFolder
    from distill.stages import check_traces
    from distill.trainstage import start_of
    from judge.io.files import at_home

    if recipe.train.answers:
        read_answers(at_home(recipe.train.answers))
    if recipe.train.workings:
        check_traces(RunFolder(Path(recipe.train.workings)))
    start_of(recipe)


def _run_of(
    config: Path, limit: int | None, folder: Path | None, targets: tuple[str, Path] | None = None
) -> tuple[Recipe, RunFolder]:
    from distill.folder import RunFolder

    try:
        from distill.recipe import read_recipe
    except ImportError as error:
        what = 'a recipe needs: pip install "four-token-judge[distill]"'
        raise MissingExtra(f"{what} ({error})") from error
    changes: dict[str, Any] = {} if limit is None else {"collect.pairs.limit": limit}
    if targets is not None:
        kind, votes = targets
        changes |= {"train.targets": kind, "train.votes": str(votes)}
    recipe = read_recipe(config, changes)
    place = folder or Path(RUNS) / recipe.adapter_name
    check_folder(place)
    return recipe, RunFolder(place)
