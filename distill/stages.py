"""The stages of a run: collect what a teacher says of pairs, select which of it may teach.

A stage that is done with the same inputs is not done again. One that was interrupted goes on: what the
teacher said is in the ledger of the run's folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distill.clean import HeldOut, check_to_json, clean, held_out_texts
from distill.construct import material_of
from distill.folder import RunFolder
from distill.keeping import check_traced, kept_readings, write_readings
from distill.pairs import read_unlabelled
from distill.recipe import Recipe, Stage, recipe_to_json, settings_hash
from distill.rounds import Told, read_all, read_within
from distill.selection import Part, Selection, select
from distill.selectionfile import write_selection
from distill.selectionreport import report_of
from distill.traces import Trace, read_traces, shards_of, write_traces
from distill.within import (
    TRIAL_FROM_S,
    Budget,
    Measured,
    Plan,
    Speed,
    is_enough,
    planned,
    warning_of,
)
from judge.api import Judge, MethodMaker, unread_criteria
from judge.errors import InputError
from judge.evaluate import is_identical, size_of
from judge.io.files import sha256_of
from judge.io.wording import counts_in_words
from judge.ledger.ledger import Ledger, opened_ledger
from judge.ledger.shards import parts_of
from judge.models.separation import VOTES_DO_NOT_TEACH, learned_votes
from judge.progress import Progress, silent
from judge.provenance import provenance
from judge.records import Pair, Verdict, sha256_of_json

Manifest = dict[str, Any]

Trial = Callable[[Sequence[Pair]], Speed]
"""Tries what training on such pairs takes, in seconds a character."""


def run_collect(
    recipe: Recipe,
    folder: RunFolder,
    data: Path | None,
    progress: Progress = silent,
    ledger_path: Path | None = None,
    budget: Budget | None = None,
    trial: Trial | None = None,
    method: MethodMaker | None = None,
    round_pairs: int | None = None,
) -> Manifest:
    """The manifest of the traces: the teacher has read every clean pair in both orders, or the first ones.

    What was read is kept after each round, so that a run which is cut is a run of the pairs before.

    Args:
        data: the folder of local copies of data sets; None is the hub.
        ledger_path: where the teacher's readings are kept; None is the run's folder.
        budget: the time of the whole run; without one all pairs are read.
        trial: tries how long training takes, so that the time is shared out well.
        method: makes a teacher that reads elsewhere.
        round_pairs: so many pairs are a round at most; None is as many as the teacher reads at a time.

    Raises:
        InputError: the pairs cannot be read, none is clean, what to keep out cannot be read, or another stage
            is at work in the folder.
        BackendError: the teacher failed. What it said until then is in the ledger.
    """
    source = clean_source(recipe, data)
    clean_pairs = source.pairs
    options = recipe.collect.teacher.options()
    told = Told(progress)
    with (
        folder.held(),
        opened_ledger(ledger_path or folder.ledger) as ledger,
        Judge.of(options, ledger=ledger, progress=told, method=method) as judge,
    ):
        teacher = judge.identity
        if learned_votes(teacher.adapter):
            raise InputError(f"{recipe.name}: collect.teacher.adapter: {VOTES_DO_NOT_TEACH}.")
        before = folder.manifest("collect")
        n_before = before["n_pairs"] if before else 0
        wanted = inputs_of(recipe, clean_pairs[:n_before], teacher.fingerprint)
        is_same = before is not None and before["inputs"] == wanted and is_as_left(folder, "collect", before)
        if is_same and (n_before == len(clean_pairs) or is_enough(before, budget)):
            return known(before)
        heard = Heard(judge, list(known(before).get("noticed", ())) if is_same else [])
        told_of = {
            "left_out": dict(sorted(source.left_out.items())),
            "contamination": check_to_json(source.held_out, source.dropped),
            "warning": source.held_out.warning,
        }

        def keep(verdicts: Sequence[Verdict]) -> Manifest:
            return _kept(recipe, folder, heard, clean_pairs, verdicts, told_of, budget)

        if budget is None:
            n_read = n_before if is_same else 0
            verdicts = read_all(heard, clean_pairs, told, n_read, round_pairs, keep)
        else:
            verdicts = _read_in_time(recipe, heard, ledger, clean_pairs, told, budget, trial)
        return keep(verdicts)


@dataclass(frozen=True, slots=True)
class Heard:
    """A teacher that is read by, and what it noticed of its engine, each line once.

    What it says of the pairs of a round is left out, as it is said of all pairs in the end.
    """

    teacher: Judge
    noticed: list[str]

    @property
    def batch_characters(self) -> int:
        return self.teacher.batch_characters

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]:
        verdicts = self.teacher.judge(pairs)
        of_pairs = unread_criteria(pairs, self.teacher.identity.method)
        if (notice := self.teacher.notice.removesuffix(of_pairs).strip()) and notice not in self.noticed:
            self.noticed.append(notice)
        return verdicts


@dataclass(frozen=True, slots=True)
class CleanSource:
    """A recipe's pairs without those that share a text with a test set; what was left out before, by reason;
    the test sets; and what was not clean."""

    pairs: Sequence[Pair]
    left_out: Mapping[str, int]
    held_out: HeldOut
    dropped: Mapping[str, int]


def clean_source(recipe: Recipe, data: Path | None) -> CleanSource:
    """The pairs that the recipe's teacher may read.

    Raises:
        InputError: the pairs cannot be read, none is clean, or what to keep out cannot be read.
    """
    source = recipe.collect.pairs
    pairs, left_out = read_unlabelled(source, data)
    held_out = held_out_texts(data, source.unchecked)
    clean_pairs, dropped = clean(pairs, held_out)
    if not clean_pairs:
        raise InputError(f"{recipe.name}: none of {len(pairs)} pairs is clean ({counts_in_words(dropped)}).")
    return CleanSource(clean_pairs, left_out, held_out, dropped)


def clean_requests(recipe: Recipe, data: Path | None) -> list[str]:
    """The requests of the recipe's clean pairs with a single turn, each once.

    Raises:
        InputError: as for `clean_source`.
    """
    return list(material_of(clean_source(recipe, data).pairs).replies)


def _kept(
    recipe: Recipe,
    folder: RunFolder,
    heard: Heard,
    pairs: Sequence[Pair],
    verdicts: Sequence[Verdict],
    told_of: Manifest,
    budget: Budget | None,
) -> Manifest:
    """The manifest of the traces of the first pairs, which have these verdicts.

    Args:
        told_of: what there is to say of the pairs.
    """
    read, judge = pairs[: len(verdicts)], heard.teacher
    teacher = judge.identity  # a server may have taught what it refuses
    elapsed_s = judge.elapsed_s(read, verdicts)
    folder.begin("collect")  # until here a run that was cut is as good as it was
    inputs = inputs_of(recipe, read, teacher.fingerprint)
    traces = [Trace(pair, verdict) for pair, verdict in zip(read, verdicts, strict=True)]
    files = write_traces(folder.traces, traces)
    found = {
        "name": recipe.name,
        "settings": recipe_to_json(recipe)["collect"],
        "teacher": asdict(teacher),
        "n_pairs": len(traces),
        **told_of,
        "warning": " ".join(
            filter(None, [told_of["warning"], *heard.noticed, unread_criteria(read, teacher.method)])
        ),
        "elapsed_s": elapsed_s,
        **provenance(),
    }
    if criteria := judge.options.method_settings.criteria:
        found["criteria"] = [criterion.line for criterion in criteria]
    if heard.noticed:
        found["noticed"] = heard.noticed
    if budget is not None:
        found["within"] = {"seconds": budget.seconds, "collected": len(read), "of": len(pairs)}
    elif len(read) < len(pairs):
        found["n_unread"] = len(pairs) - len(read)
    return folder.finish("collect", inputs, files, found)


def inputs_of(recipe: Recipe, pairs: Sequence[Pair], teacher: str) -> dict[str, str]:
    """What traces depend on. Where a run was cut, the pairs are those that it read."""
    inputs = {
        "recipe": settings_hash(recipe, "collect"),
        "pairs": sha256_of_json(sorted(pair.content_hash for pair in pairs)),
        "teacher": teacher,
    }
    if shards := recipe.collect.teacher.shards:
        inputs["shards"] = sha256_of_json([sha256_of(part) for shard in shards for part in parts_of(shard)])
    return inputs


def _read_in_time(
    recipe: Recipe,
    heard: Heard,
    ledger: Ledger,
    pairs: Sequence[Pair],
    told: Told,
    budget: Budget,
    trial: Trial | None,
) -> list[Verdict]:
    """Verdicts of the first pairs, as many as leave time to train on them."""
    known_already = ledger.made(heard.teacher.identity.fingerprint, [pair.content_hash for pair in pairs])
    costs = [0 if one.content_hash in known_already or is_identical(one) else size_of(one) for one in pairs]
    speed = trial(pairs) if trial and any(costs) and budget.seconds >= TRIAL_FROM_S else None
    mean = sum(map(size_of, pairs)) / len(pairs)

    def selected_of(verdicts: Sequence[Verdict]) -> Selection:
        return selected(recipe, [Trace(*two) for two in zip(pairs, verdicts, strict=False)])

    def teaches(verdicts: Sequence[Verdict]) -> bool:
        return any(one.part is Part.TRAIN for one in selected_of(verdicts).kept)

    def plan_of(verdicts: Sequence[Verdict], rate: float) -> Plan:
        n_left = len(pairs) - len(verdicts)
        kept, learned = shares_of(recipe, selected_of(verdicts), len(verdicts))
        measured = Measured(
            n_read=len(verdicts),
            n_left=n_left,
            read_s=rate * sum(costs[len(verdicts) :]) / max(1, n_left),
            learned=learned,
            speed=speed.per(mean) if speed else None,
        )
        plan = planned(budget.seconds, budget.elapsed_s, measured, recipe.train.epochs)
        budget.say(plan.words)
        if warning := warning_of(kept * plan.n_pairs, plan.epochs):
            budget.say(warning)
        return plan

    return read_within(heard, pairs, told, costs, budget, plan_of, teaches)


def shares_of(recipe: Recipe, selection: Selection, n_read: int) -> tuple[float, float]:
    """Of each pair that is read, how many are kept, and how many are learned, those made from them included.

    Two pairs more, of which one is kept, stand for what is not known after a few.
    """
    n_trained = sum(one.part is Part.TRAIN for one in selection.kept)
    it = recipe.train
    made = 1 + it.contrast + it.constraints + sum(it.constructed.values())
    kept, trained = ((n + 1) / (n_read + 2) for n in (len(selection.kept), n_trained))
    return kept, made * trained


def selected(recipe: Recipe, traces: Sequence[Trace]) -> Selection:
    """What the recipe keeps of these traces."""
    it = recipe.select
    return select(traces, it.filter, it.margin, it.balance_length, it.held_out, recipe.seed)


def run_select(recipe: Recipe, folder: RunFolder, keep_dropped: bool = False) -> Manifest:
    """The manifest of the selection: which traces the student learns from, and why the others are not used.

    Args:
        keep_dropped: whether to write every reading, those of dropped pairs too, as a row: right or wrong by
            its pair's winner. They are those of `train.workings` where the recipe names such a run. A
            selection that was made so also counts as one made without.

    Raises:
        InputError: collect is not done, its traces have changed since, nothing is left to learn from, another
            stage is at work in the folder, or readings are to be kept that say nothing.
    """
    if keep_dropped:
        check_traced(recipe)
    collected = made_before(recipe, folder, "collect")
    inputs: dict[str, Any] = {
        "recipe": settings_hash(recipe, "select"),
        "traces": sha256_of_json(collected["files"]),
    }
    written = RunFolder(Path(recipe.train.workings)) if recipe.train.workings else None
    both = inputs | {"keep_dropped": True}
    if written is not None and (keep_dropped or written.path.is_dir()):
        both["workings"] = [sha256_of(shard) for shard in shards_of(written.traces)]
    with folder.held():
        if folder.is_done("select", both) or (not keep_dropped and folder.is_done("select", inputs)):
            return known(folder.manifest("select"))
        unlisted = check_traces(written) if keep_dropped and written is not None else ""
        folder.begin("select")
        for rows in (folder.right, folder.wrong):
            rows.unlink(missing_ok=True)
        traces = read_traces(folder.traces)
        selection = selected(recipe, traces)
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
            "warning": " ".join(filter(None, [collected["warning"], unread_warning(collected), unlisted])),
            **provenance(),
        }
        found |= {name: collected[name] for name in ("criteria", "within") if name in collected}
        if not keep_dropped:
            return folder.finish("select", inputs, [folder.selection], found)
        kept = kept_readings(
            recipe, traces, selection, None if written is None else read_traces(written.traces)
        )
        write_readings(folder.right, kept.right)
        write_readings(folder.wrong, kept.wrong)
        found["readings"] = kept.counts
        return folder.finish("select", both, [folder.selection, folder.right, folder.wrong], found)


def check_traces(run: RunFolder) -> str:
    """One line where nothing says whether all traces of a run are there, else none.

    Raises:
        InputError: there are none, or they are not as collect left them.
    """
    shards_of(run.traces)
    collected = run.manifest("collect")
    if collected is None:
        return f"NOT CHECKED whether all traces are there: {run.path} has no manifest of collect."
    if not is_as_left(run, "collect", collected):
        raise InputError(f"{run.traces}: its files are not as collect left them. Run it again.")
    return ""


def is_as_left(folder: RunFolder, stage: Stage, manifest: Manifest) -> bool:
    """Whether the stage's files are as it left them, with no other shard beside those of collect."""
    if not folder.is_done(stage, manifest["inputs"]):
        return False
    if stage != "collect":
        return True
    shards = {shard.relative_to(folder.path).as_posix() for shard in shards_of(folder.traces)}
    return shards == set(manifest["files"])


def unread_warning(collected: Manifest) -> str:
    """One line where collect was cut, else none."""
    if not (n_unread := collected.get("n_unread")):
        return ""
    return (
        f"NOT ALL COLLECTED: {n_unread} of {n_unread + collected['n_pairs']} pairs are still to be read. "
        "`judge distill collect` goes on with them."
    )


def made_before(recipe: Recipe, folder: RunFolder, stage: Stage) -> Manifest:
    """The manifest of a stage that another one builds on.

    Raises:
        InputError: it is not done, was done by another recipe, its files have changed since, or it is a
            selection of other traces than those that are collected here.
    """
    manifest = folder.manifest(stage)
    if manifest is None:
        raise InputError(f"{folder.path}: no {stage} is done yet. Run `judge distill {stage}` first.")
    if not is_as_left(folder, stage, manifest):
        raise InputError(f"{folder.path}: files are not as {stage} left them. Run it again.")
    if manifest["inputs"].get("recipe") != settings_hash(recipe, stage):
        what = changed(recipe, {stage: manifest, "collect": folder.manifest("collect")})
        raise InputError(f"{folder.path}: {stage} was done with other settings{what}")
    collected = folder.manifest("collect") if stage == "select" else None
    if collected is not None and manifest["inputs"].get("traces") != sha256_of_json(collected["files"]):
        raise InputError(
            f"{folder.path}: collect has left other traces since select was done. Run `judge distill select` "
            "again."
        )
    return manifest


def changed(recipe: Recipe, made: Mapping[str, Manifest | None]) -> str:
    """Which setting is another than when these stages were done, as the end of a line on the first."""
    for stage, manifest in made.items():
        before = paths_of((manifest or {}).get("settings", {}), f"{stage}.")
        now = paths_of(recipe_to_json(recipe)[stage], f"{stage}.")
        if differ := [path for path in now if path in before and now[path] != before[path]]:
            [first, *others] = differ
            more = f", and {len(others)} more" if others else ""
            was, is_now = (json.dumps(values[first], ensure_ascii=False) for values in (before, now))
            return f": {first} was {was} and is {is_now} now{more}. Give what it was, or run {stage} again."
    return " of the recipe. Run it again."


def paths_of(values: Mapping[str, Any], before: str) -> dict[str, Any]:
    """Every value of nested settings by its dotted name."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= paths_of(value, f"{before}{name}.") if isinstance(value, Mapping) else {before + name: value}
    return found


def known(manifest: Manifest | None) -> Manifest:
    assert manifest is not None
    return manifest
