"""`judge distill`: the stages of a run, each from the recipe and the folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.dataset import data_folder
from judge.console import STYLE, QuietOption, interruptible, progress_shown
from judge.errors import MissingExtra

if TYPE_CHECKING:
    from distill.folder import RunFolder
    from distill.recipe import Recipe

RUNS = "runs"

app = typer.Typer(
    help="Make a fast judge of a slow one: collect its verdicts, select what may teach.",
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


@app.command(epilog="Example: judge distill collect --config recipes/embedded-0.5b.yaml --limit 200")
def collect(
    config: ConfigOption,
    limit: LimitOption = None,
    folder: FolderOption = None,
    data_dir: DataOption = None,
    quiet: QuietOption = False,
) -> None:
    """Let the teacher read pairs in both orders. Interrupted, the same command goes on."""
    from distill.stages import run_collect

    recipe, run = _run_of(config, limit, folder)
    with interruptible(), progress_shown(quiet) as progress:
        manifest = run_collect(recipe, run, data_folder(data_dir), progress)
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
    quiet: QuietOption = False,
) -> None:
    """Keep the verdicts that may teach, and say why the others may not."""
    from distill.selectionreport import format_report
    from distill.stages import run_select

    recipe, run = _run_of(config, limit, folder)
    manifest = run_select(recipe, run)
    if not quiet:
        print(format_report(manifest["report"]), end="")
    print(f"Selection: {run.selection}")


def _run_of(config: Path, limit: int | None, folder: Path | None) -> tuple[Recipe, RunFolder]:
    from distill.folder import RunFolder

    try:
        from distill.recipe import read_recipe
    except ImportError as error:
        what = 'a recipe needs: pip install "four-token-judge[distill]"'
        raise MissingExtra(f"{what} ({error})") from error
    changes: dict[str, Any] = {} if limit is None else {"collect.pairs.limit": limit}
    recipe = read_recipe(config, changes)
    return recipe, RunFolder(folder or Path(RUNS) / recipe.name)
