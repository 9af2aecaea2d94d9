"""The stages of a run: collect what a teacher says of pairs, select which of it may teach.

A stage that is done with the same inputs is not done again. One that was interrupted goes on: what the
teacher said is in the ledger of the run's folder.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from distill.clean import check_to_json, clean, held_out_texts
from distill.folder import RunFolder
from distill.pairs import read_unlabelled
from distill.recipe import VOTES_DO_NOT_TEACH, Recipe, Stage, recipe_to_json, settings_hash
from distill.selection import select
from distill.selectionfile import write_selection
from distill.selectionreport import report_of
from distill.traces import Trace, read_traces, write_traces
from judge.api import Judge
from judge.errors import InputError
from judge.io.wording import counts_in_words
from judge.models.separation import learned_votes
from judge.progress import Progress, silent
from judge.provenance import provenance
from judge.records import sha256_of_json

Manifest = dict[str, Any]


def run_collect(
    recipe: Recipe,
    folder: RunFolder,
    data: Path | None,
    progress: Progress = silent,
    ledger_path: Path | None = None,
) -> Manifest:
    """The manifest of the traces: the teacher has read every clean pair in both orders.

    Args:
        data: the folder of local copies of data sets; None is the hub.
        ledger_path: where the teacher's readings are kept; None is the run's folder.

    Raises:
        InputError: the pairs cannot be read, none is clean, or what to keep out cannot be read.
        BackendError: the teacher failed. What it said until then is in the ledger.
    """
    source = recipe.collect.pairs
    pairs, left_out = read_unlabelled(source, data)
    held_out = held_out_texts(data, source.unchecked)
    clean_pairs, dropped = clean(pairs, held_out)
    if not clean_pairs:
        raise InputError(f"{recipe.name}: none of {len(pairs)} pairs is clean ({counts_in_words(dropped)}).")
    options = recipe.collect.teacher.options()
    with Judge.of(options, ledger=ledger_path or folder.ledger, progress=progress) as judge:
        teacher = judge.identity
        if learned_votes(teacher.adapter):
            raise InputError(f"{recipe.name}: collect.teacher.adapter: {VOTES_DO_NOT_TEACH}.")
        inputs = {
            "recipe": settings_hash(recipe, "collect"),
            "pairs": sha256_of_json(sorted(pair.content_hash for pair in clean_pairs)),
            "teacher": teacher.fingerprint,
        }
        if folder.is_done("collect", inputs):
            return known(folder.manifest("collect"))
        folder.begin("collect")
        verdicts = judge.judge(clean_pairs)
        elapsed_s = judge.elapsed_s(clean_pairs, verdicts)
    traces = [Trace(pair, verdict) for pair, verdict in zip(clean_pairs, verdicts, strict=True)]
    files = write_traces(folder.traces, traces)
    found = {
        "name": recipe.name,
        "settings": recipe_to_json(recipe)["collect"],
        "teacher": asdict(teacher),
        "n_pairs": len(traces),
        "left_out": dict(sorted(left_out.items())),
        "contamination": check_to_json(held_out, dropped),
        "warning": held_out.warning,
        "elapsed_s": elapsed_s,
        **provenance(),
    }
    return folder.finish("collect", inputs, files, found)


def run_select(recipe: Recipe, folder: RunFolder) -> Manifest:
    """The manifest of the selection: which traces the student learns from, and why the others are not used.

    Raises:
        InputError: collect is not done, its traces have changed since, or nothing is left to learn from.
    """
    collected = made_before(recipe, folder, "collect")
    inputs = {"recipe": settings_hash(recipe, "select"), "traces": sha256_of_json(collected["files"])}
    if folder.is_done("select", inputs):
        return known(folder.manifest("select"))
    folder.begin("select")
    traces = read_traces(folder.traces)
    settings = recipe.select
    selection = select(
        traces, settings.filter, settings.margin, settings.balance_length, settings.held_out, recipe.seed
    )
    if not selection.kept:
        raise InputError(
            f"{folder.path}: no pair of {len(traces)} is kept ({counts_in_words(selection.dropped)}). "
            "Collect more pairs, or take another teacher or filter."
        )
    write_selection(folder.selection, selection)
    found = {
        "name": recipe.name,
        "settings": recipe_to_json(recipe)["select"],
        "report": report_of(selection, traces),
        "warning": collected["warning"],
        **provenance(),
    }
    return folder.finish("select", inputs, [folder.selection], found)


def made_before(recipe: Recipe, folder: RunFolder, stage: Stage) -> Manifest:
    """The manifest of a stage that another one builds on.

    Raises:
        InputError: it is not done, was done by another recipe, or its files have changed since.
    """
    manifest = folder.manifest(stage)
    if manifest is None:
        raise InputError(f"{folder.path}: no {stage} is done yet. Run `judge distill {stage}` first.")
    if not folder.is_done(stage, manifest["inputs"]):
        raise InputError(f"{folder.path}: files are not as {stage} left them. Run it again.")
    if manifest["inputs"]["recipe"] != settings_hash(recipe, stage):
        raise InputError(f"{folder.path}: {stage} was done with other settings of the recipe. Run it again.")
    return manifest


def known(manifest: Manifest | None) -> Manifest:
    assert manifest is not None
    return manifest
