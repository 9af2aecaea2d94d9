"""Training on rows in one call: what a recipe of a method that learns rows does, without a file of settings.

rows -> the run's folder: rows.jsonl -> the third stage -> adapter, curves, manifest
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from distill.folder import RunFolder
from distill.recipe import recipe_of
from distill.rows import Row, write_rows
from distill.stages import Manifest
from distill.trainstage import run_train
from judge.backends import DEFAULT_BASE_MODEL
from judge.datasets.dataset import data_folder
from judge.progress import Progress, silent


def train_rows(
    rows: Sequence[Row],
    folder: str | Path,
    *,
    base_model: str = DEFAULT_BASE_MODEL,
    method: str = "reply",
    name: str = "rows",
    seed: int = 0,
    held_out: float = 0.1,
    unchecked: bool = False,
    progress: Progress = silent,
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> Manifest:
    """The train stage's manifest; the adapter is in `folder`/adapter.

    The same call again trains nothing, and goes on from the last checkpoint where the one before was killed.

    Args:
        folder: the run's folder, which keeps the rows too.
        method: reply, unlikelihood, nat (with `negative`) or nce (with `nat`).
        held_out: the share of the prompts that is looked at and not trained on; 0 looks at none.
        unchecked: with `template`, whether to go on where what judges are measured on cannot be read.
        say: is told before the first step how long a longer training takes, and its memory.
        settings: any setting of a recipe's `train` block, such as epochs or learning_rate.

    Raises:
        BadLines: settings are wrong; the error has a line for each mistake.
        InputError: no row is left to train on, the folder cannot be written, another stage is at work in it,
            or what judges are measured on cannot be read. Its rows are then as they were.
        PromptTooLong: prompts are longer than `max_prompt_tokens`; the error names every one.
        ModelError: the base model cannot be a student, or the adapter does not answer as it was trained.
    """
    run = RunFolder(Path(folder))
    train = {"method": method, "rows": str(run.rows), "base_model": base_model, **settings}
    values = {
        "name": name,
        "seed": seed,
        "collect": {"pairs": {"unchecked": unchecked}},
        "select": {"held_out": held_out},
        "train": train,
    }
    recipe = recipe_of(values, "train_rows")
    with run.held():
        write_rows(run.rows, rows)
    return run_train(recipe, run, data_folder(), progress, say=say)
