"""The third stage of a run: a student learns, and its adapter is kept if it answers as it was trained.

    what was selected, people's votes, or rows -> lessons -> training -> adapter, curves, manifest

A run that was killed goes on from its last checkpoint.
"""

from __future__ import annotations

import gc
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from distill.checkpoint import SmallCheckpoint, Trained
from distill.estimate import say_estimate
from distill.folder import RunFolder
from distill.learningcurves import write_curves
from distill.lessons import Lessons, choices_of, lessons_of, templates_of, trial_lessons
from distill.natstudent import NatStudent, nat_of, negative_of
from distill.recipe import Recipe, recipe_to_json, settings_hash
from distill.said import compared, difference_of
from distill.stages import Manifest, known
from distill.student import Lora, Student, n_adapted_of
from distill.train import Training
from distill.within import (
    FEW_WATCHED,
    MEASURED_SHARE,
    Budget,
    Shape,
    Speed,
    is_enough,
    look_s,
    reserve,
    shape_of,
    times_of,
    train_words,
    warning_of,
)
from judge.errors import InputError
from judge.evaluate import size_of
from judge.io.files import at_home, sha256_of
from judge.io.writing import write_whole
from judge.methods import DUAL
from judge.methods.dual import AT_ONCE
from judge.models import basemodels
from judge.models.adapters import (
    REPLIES,
    Adapter,
    check_fits,
    check_one_lora,
    read_adapter,
    write_manifest,
)
from judge.progress import Progress, silent
from judge.prompts import fingerprint_of
from judge.prompts.working import PLAN
from judge.provenance import provenance
from judge.records import Pair, Share, sha256_of_json

SHAPE = ("rank", "alpha", "layers", "modules")
"""Settings that are those of the adapter that training goes on from, where it does."""

LATEST = 0.1
"""The final loss is the mean over this last part of the steps."""

TRIED_BATCHES = 6
CHARACTERS_A_TOKEN = 4
"""Before collecting, training is tried on pairs of about so many batches, by this rough measure."""

LEFT_CHANCE = 0.05
"""A student has learned something if its loss fell this share of the way from chance to the minimum."""


def run_train(
    recipe: Recipe,
    folder: RunFolder,
    data: Path | None,
    progress: Progress = silent,
    budget: Budget | None = None,
    say: Callable[[str], None] | None = None,
    checkpoint: Path | None = None,
) -> Manifest:
    """The manifest of the student: an adapter that has learned what was selected, people's votes, or rows.

    Args:
        data: the folder of local copies of data sets; None is the hub. Votes and rows may lie in it.
        budget: the time of the whole run; without one all of the recipe's epochs are trained.
        say: is told before the first step how long a longer training takes, and its memory.
        checkpoint: a file that is small enough to be committed while the run is unfinished. Training goes on
            from it where the run's folder has none of its own; it is gone when training is done.

    Raises:
        InputError: nothing is selected by this recipe, nothing is left to learn from, another stage is at
            work in the folder, or the checkpoint is another training's.
        ModelError: the base model cannot be a student, the adapter to start from does not fit it, or the new
            one does not answer as it was trained.
    """
    start = start_of(recipe)
    lessons = lessons_of(recipe, folder, data, start)
    inputs: dict[str, Any] = {
        "recipe": settings_hash(recipe, "train"),
        "lessons": lessons.source,
        "base_model": basemodels.hash_of(recipe.student),
        "prompts": fingerprint_of(*templates_of(recipe)),
        "start_from": start.hash if start else "",
        **others_of(recipe),
    }
    with folder.held():
        before = folder.manifest("train")
        cut = {"within": known(before)["within"]["seconds"]} if is_enough(before, budget) else {}
        if folder.is_done("train", inputs) or folder.is_done("train", inputs | cut):
            return known(before)
        folder.begin("train")
        gc.collect()  # frees a teacher in this process before its student loads
        clock = budget.clock if budget else time.perf_counter
        began_s = clock()
        training = training_of(recipe, lessons, start, folder, sha256_of_json(inputs), progress, clock)
        n_steps, n_looks = len(training.steps), len(training.looks)
        if budget is not None:
            plan_training(training, lessons, folder, budget, clock() - began_s)
        elif say is not None:
            say_estimate(training, say)
        small = None if checkpoint is None else SmallCheckpoint(checkpoint, sha256_of_json(inputs))
        training.small = small
        trained = training.run(progress)
        metrics = metrics_of(trained, training)
        within = dict(lessons.within or {})
        if budget is not None:
            within |= within_of(training, trained, n_steps, budget) | {"kept": lessons.n_kept}
            if within["is_cut"] or len(training.looks) < n_looks:
                inputs["within"] = budget.seconds
        warning = warning_of(lessons.n_kept, within["epochs"]) if budget is not None else ""
        student = training.student
        written = folder.training / "adapter"
        student.save(written, trained.weights)
        write_manifest(
            written,
            manifest_of(recipe, lessons, start, student, metrics) | ({"within": within} if within else {}),
        )
        student.load(trained.weights)
        said = lessons.said(training)
        del training, student
        gc.collect()  # frees the student's weights before the judge's load
        difference = difference_of(said, written)
        shutil.rmtree(folder.adapter, ignore_errors=True)
        written.rename(folder.adapter)
        write_curves(folder.curves, trained.history, recipe.adapter_name)
        found = {
            "name": recipe.adapter_name,
            "metrics": metrics,
            "loaded_difference": difference,
            "warning": " ".join(filter(None, [lessons.warning, warning, chance_warning(metrics)])),
            **provenance(),
        }
        if within:
            found["within"] = within
        written_files = [file for file in folder.adapter.rglob("*") if file.is_file()]
        manifest = folder.finish("train", inputs, [*written_files, folder.curves], found)
        shutil.rmtree(folder.training)
        if small is not None and small.is_there:
            small.path.unlink()
        return manifest


def manifest_of(
    recipe: Recipe, lessons: Lessons, start: Adapter | None, student: Student, metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """All that an adapter's manifest says, except its schema and its files' hashes."""
    return {
        "name": recipe.adapter_name,
        "targets": recipe.train.targets if templates_of(recipe) else REPLIES,
        "base_model": student.name,
        "base_model_hash": basemodels.hash_of(recipe.student),
        "templates": templates_of(recipe),
        "prompts": fingerprint_of(*templates_of(recipe)),
        "letters": "".join(choices_of(recipe)),
        **fast_and_slow(recipe),
        **({"criteria": list(lessons.criteria)} if lessons.criteria else {}),
        "lora": student.shape,
        **(student.parts if isinstance(student, NatStudent) else {}),
        "start_from": None if start is None else round_before(start),
        "data": lessons.data,
        "settings": settings_of(recipe, start),
        "seed": recipe.seed,
        "metrics": metrics,
        **provenance(),
    }


def settings_of(recipe: Recipe, start: Adapter | None) -> dict[str, Any]:
    """The recipe as plain values, without the shape of the LoRA where that is the one of its start."""
    values = recipe_to_json(recipe)
    if start is not None:
        values["train"] = {name: one for name, one in values["train"].items() if name not in SHAPE}
    return values


def fast_and_slow(recipe: Recipe) -> dict[str, Any]:
    """What the manifest of a dual student says of it: how often each level was drawn, and what each way
    begins with; nothing of other students."""
    if recipe.train.method != DUAL[0]:
        return {}
    return {"dual": {"levels": list(recipe.train.levels), "fast": AT_ONCE, "slow": PLAN}}


def round_before(start: Adapter) -> dict[str, Any]:
    """What a manifest says of the adapter that training went on from, and of those before it in turn."""
    kept = {name: start.manifest.get(name) for name in ("settings", "data", "start_from")}
    return {"name": start.name, "hash": start.hash, **kept}


def start_of(recipe: Recipe) -> Adapter | None:
    """The adapter that training goes on from.

    Raises:
        ModelError: it is not an adapter, or another base model's.
        InputError: it learned people's votes, and this recipe is to learn from a teacher alone; or it has
            another shape than the recipe says.
    """
    if not recipe.train.start_from:
        return None
    adapter = read_adapter(recipe.train.start_from)
    check_fits(adapter, recipe.student, basemodels.hash_of(recipe.student))
    check_one_lora(adapter, "train.start_from")
    if adapter.manifest["targets"] == "votes" and recipe.train.targets != "votes":
        raise InputError(f"{adapter.folder}: learned people's votes. Only targets votes may go on from it.")
    check_shape(recipe, adapter)
    return adapter


def check_shape(recipe: Recipe, start: Adapter) -> None:
    """Raises InputError where the recipe says another shape than that of the adapter it goes on from."""
    settings, lora = recipe.train, start.manifest["lora"]
    first, last = lora["layers"]
    fits = {
        "rank": settings.rank == lora["rank"],
        "alpha": settings.alpha == lora["alpha"],
        "layers": n_adapted_of(settings.layers, last + 1) == last + 1 - first,
        "modules": not settings.modules or sorted(settings.modules) == lora["modules"],
    }
    has = {**lora, "layers": f"{last + 1 - first} of {last + 1}"}
    for name in (name for name in fits if name in settings.model_fields_set and not fits[name]):
        raise InputError(
            f"train.{name}: {getattr(settings, name)}, and {start.folder}, from which training goes on, has "
            f"{has[name]}. Leave it out, or start anew."
        )


def others_of(recipe: Recipe) -> dict[str, str]:
    """The hashes of what the recipe reads beside its lessons and the adapter that it may start from.

    Raises:
        ModelError, InputError: as `negative_of` and `nat_of` say.
    """
    if recipe.train.answers:
        return {"answers": sha256_of(at_home(recipe.train.answers))}
    if recipe.train.method == "nat":
        return {"negative": negative_of(recipe).hash}
    return {"nat": nat_of(recipe).hash} if recipe.train.method == "nce" else {}


def training_of(
    recipe: Recipe,
    lessons: Lessons,
    start: Adapter | None,
    folder: RunFolder,
    key: str,
    progress: Progress,
    clock: Callable[[], float] = time.perf_counter,
) -> Training[Any]:
    """The student with its rows, ready to run."""
    settings = recipe.train
    arguments = (
        recipe.student,
        Lora(settings.rank, settings.alpha, settings.layers, settings.dropout, tuple(settings.modules)),
        settings.max_prompt_tokens,
        settings.device,
        settings.dtype,
        recipe.seed,
        start,
        settings.checkpointing,
        progress,
    )
    is_nat = settings.method == "nat"
    student = NatStudent(negative_of(recipe), *arguments) if is_nat else Student(*arguments)
    key = sha256_of_json([key, student.device, student.dtype])
    return lessons.training(student, folder.training, key, clock)


# --- what fits into the time -----------------------------------------------------------------------------


def try_training(recipe: Recipe, pairs: Sequence[Pair], progress: Progress, budget: Budget) -> Speed:
    """What training on such pairs takes, in seconds a character: a student loads and tries a few batches.

    What it is shown does not matter, so no teacher is needed yet.
    """
    started = budget.clock()
    some = first_of(pairs, TRIED_BATCHES * CHARACTERS_A_TOKEN * recipe.train.batch_tokens)
    lessons = trial_lessons(recipe, some)
    with TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        training = training_of(recipe, lessons, start_of(recipe), run, "trial", progress, budget.clock)
        load_s = budget.clock() - started
        lower_s, step_s = training.measured(MEASURED_SHARE * budget.seconds)
        measure_s = budget.clock() - started - load_s
    n_tokens = sum(batch.n_tokens for batch in training.batches)
    del training
    gc.collect()  # frees the student before the teacher loads
    return Speed(load_s, lower_s, step_s, measure_s).per(n_tokens / sum(map(size_of, some)))


def first_of(pairs: Sequence[Pair], n_characters: float) -> list[Pair]:
    """The first pairs, until both orders of them have so many characters."""
    some: list[Pair] = []
    for pair in pairs:
        some.append(pair)
        n_characters -= 2 * size_of(pair)
        if n_characters <= 0:
            break
    return some


def plan_training(
    training: Training[Any], lessons: Lessons, folder: RunFolder, budget: Budget, load_s: float
) -> None:
    """Lets the training have the steps and looks that there is time for, and stop in time in any case.

    The plan of a run that was killed is kept, so that it goes on from its checkpoint.
    """
    settings, n_all = training.settings, len(training.steps)
    sizes, watched = ([batch.n_tokens for batch in some] for some in (training.batches, training.held_out))
    speed = Speed(load_s, *training.measured(MEASURED_SHARE * budget.seconds))
    n_asked = sum(batch.n_tokens for batch in compared(training.held_out or training.batches))
    train_until = budget.seconds - reserve(budget.seconds, speed, n_asked)
    left_s = train_until - budget.elapsed_s
    shape = shape_of(training.steps, sizes, watched, settings.evaluations, speed, left_s)
    if shape.n_steps < n_all and lessons.n_watched < FEW_WATCHED:
        shape = replace(shape, n_looks=min(1, shape.n_looks))
    whole = Shape(n_all, tuple(range(len(watched))), min(settings.evaluations, n_all) if watched else 0)
    same_time = sha256_of_json([training.checkpoint.key, budget.seconds])
    shape = kept_shape(folder.training / "plan.json", same_time, shape)
    if shape != whole:
        key = sha256_of_json([training.checkpoint.key, asdict(shape)])
        training.shorten(shape.n_steps, shape.watched, shape.n_looks, key)
    watched = [watched[n] for n in shape.watched]
    last_look_s = sum(watched) * speed.step_s / 2
    training.must_stop = lambda: budget.elapsed_s > train_until - last_look_s
    epochs = settings.epochs * shape.n_steps / n_all
    planned_s = times_of(training.steps, sizes, speed)[-1] + look_s(watched, shape.n_looks, speed)
    budget.say(train_words(epochs, min(train_until, budget.elapsed_s + planned_s)))
    if warning := warning_of(lessons.n_kept, epochs):
        budget.say(warning)


def kept_shape(path: Path, key: str, shape: Shape) -> Shape:
    """The plan in this file where it is of the same training in the same time, else the one given, which is
    then in it."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("key") == key:
            return Shape(**values | {"watched": tuple(values["watched"])})
    except FileNotFoundError:
        pass
    write_whole(path, json.dumps({"key": key, **asdict(shape)}), parents=True)
    return shape


def within_of(training: Training[Any], trained: Trained, n_steps: int, budget: Budget) -> dict[str, Any]:
    """What manifests say of the time: how many of the recipe's `n_steps` there were, and what was watched."""
    n_done, settings = len(trained.history.steps), training.settings
    is_cut = len(training.steps) < n_steps or (n_done < n_steps and not training.is_over())
    return {
        "seconds": budget.seconds,
        "steps": n_done,
        "of_steps": n_steps,
        "epochs": round(settings.epochs * n_done / n_steps, 2),
        "of_epochs": settings.epochs,
        "watched": len({row.example for batch in training.held_out for row in batch.rows}),
        "is_cut": is_cut,
    }


# --- what came of it -------------------------------------------------------------------------------------


def metrics_of(trained: Trained, training: Training[Any]) -> dict[str, Any]:
    """What the run measured of itself; a share is {"count": ..., "total": ...}, a loss is in nats."""
    history = trained.history
    best = history.best
    rows = training.rows_of_an_epoch
    latest = history.steps[-max(1, round(LATEST * len(history.steps))) :]
    return {
        "n_steps": len(history.steps),
        "n_steps_planned": len(training.steps),
        "best_step": best.step if best else len(history.steps),
        "letter_loss": sum(step.letter_loss for step in latest) / len(latest),
        "letter_loss_chance": history.chance,
        "letter_loss_least": training.least_letter_loss,
        "before": asdict(history.looks[0]) if best else None,
        "after": asdict(best) if best else None,
        "n_rows": len(rows),
        "n_trimmed": sum(row.is_trimmed for row in rows),
        "n_tokens": trained.n_tokens,
        "tokens_per_s": trained.n_tokens / trained.elapsed_s,
        "elapsed_s": trained.elapsed_s,
        "lower_s": trained.lower_s,
    }


def chance_warning(metrics: Mapping[str, Any]) -> str:
    """One line if the student learned nothing measurable, else none."""
    loss, chance, least = (metrics[f"letter_loss{name}"] for name in ("", "_chance", "_least"))
    if chance is None:
        return unlearned_warning(metrics["before"], metrics["after"])
    if chance - loss >= LEFT_CHANCE * (chance - least):
        return ""
    return (
        f"STILL AT CHANCE: the letter's loss is {loss:.3f}, that of a guess {chance:.3f}. It needs more "
        "pairs or steps, another learning rate, or a teacher that agrees with itself more often."
    )


def unlearned_warning(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """One line if replies that were held out are no likelier than before, else none."""
    if before is None or after is None or after["letter_loss"] < before["letter_loss"]:
        return ""
    return (
        f"NOTHING LEARNED that held-out rows show: their loss a token is {after['letter_loss']:.3f}, before "
        f"it was {before['letter_loss']:.3f}. It needs more rows, another learning rate, or replies that "
        "follow from their prompts."
    )


def format_metrics(metrics: Mapping[str, Any]) -> str:
    """What a run measured of itself, for a terminal."""
    loss, chance = metrics["letter_loss"], metrics["letter_loss_chance"]
    of_what = "Loss a token" if chance is None else "Letter's loss"
    against = "" if chance is None else f" (chance {chance:.3f})"
    lines = [
        (
            "Steps",
            f"{metrics['n_steps']} of {metrics['n_steps_planned']}, the best one {metrics['best_step']}",
        ),
        (of_what, f"{loss:.3f} at the end{against}"),
    ]
    for name, look in (("before", metrics["before"]), ("after", metrics["after"])):
        if look is not None:
            agreement, inconsistent = (Share(**look[key]) for key in ("agreement", "inconsistent"))
            found = f"agrees {agreement}, inconsistent {inconsistent}"
            if chance is None:
                found = f"word for word {agreement}, loss a token {look['letter_loss']:.3f}"
            lines.append((f"Held out, {name}", found))
    rate, seconds = metrics["tokens_per_s"], metrics["elapsed_s"]
    lines.append(
        ("Speed", f"{metrics['n_tokens']:,} tokens, {rate:,.0f} a second, {seconds / 60:.1f} minutes")
    )
    return "\n".join(f"{label:<22} {text}" for label, text in lines)
