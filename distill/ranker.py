"""A ranker: a base model that learns to tell right traces from wrong ones, so that samples can be weighed.

    right and wrong rows -> traces with their ends -> training -> LoRA, linear head, manifest

The ranking model of adaptive self-consistency (Li et al., arXiv:2312.12832): the mean squared error to 1 for
a right trace and 0 for a wrong one. Theirs is an encoder of its own; here it is the base model with a LoRA,
and the head reads the last hidden state at the trace's end. A killed run goes on from its last checkpoint.
"""

from __future__ import annotations

import gc
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.checkpoint import Trained
from distill.estimate import say_estimate
from distill.examples import TokenRow, batches_of
from distill.folder import RunFolder
from distill.history import HeldOutLook, History
from distill.recipe import Recipe, recipe_of, recipe_to_json, settings_hash
from distill.rows import Row, drawn, read_rows, row_to_json, write_rows
from distill.selection import Part, part_by
from distill.stages import Manifest, known, made_before
from distill.student import Batch, Lora, Student
from distill.train import Training
from judge.backends import DEFAULT_BASE_MODEL, Settings
from judge.backends.ranker import Ranker, ranked
from judge.errors import InputError, ModelError
from judge.models import basemodels
from judge.models.adapters import HEAD, RANKS, write_manifest
from judge.progress import Progress, silent
from judge.prompts import fingerprint_of
from judge.provenance import provenance
from judge.records import Share, sha256_of_json

if TYPE_CHECKING:
    from torch import Tensor

WEIGHT, BIAS = "weight", "bias"
EVEN = 0.5
"""A new ranker says this of every trace; a trace above it is called right."""

N_COMPARED = 16
MAX_LOADED_DIFFERENCE = 0.05
"""How far the scores of the written ranker may be from the student's, the mean over `N_COMPARED` traces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow(TokenRow):
    """A prompt and the whole reply to it, its end of turn too. The one target is 1 for right, 0 for wrong."""

    @property
    def is_right(self) -> bool:
        return bool(self.targets[0])


class RankingStudent(Student):
    """A base model with a LoRA and a linear head over its last hidden state; both learn."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        import torch

        size = self.head.shape[1]
        own = {WEIGHT: torch.zeros(size), BIAS: torch.full((1,), EVEN)}
        self.parameters |= {name: one.to(self.device).requires_grad_() for name, one in own.items()}

    def rated(self, states: Tensor) -> Tensor:
        """The head's values, shape (traces,); `states` has shape (traces, size)."""
        return ranked(states, self.parameters[WEIGHT], self.parameters[BIAS])

    def save(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        """Writes the LoRA as peft reads it and the head, in float32, beside it; without a manifest."""
        from safetensors.torch import save_file

        super().save(folder, {name: one for name, one in weights.items() if name not in (WEIGHT, BIAS)})
        head = {name: weights[name].detach().cpu().contiguous() for name in (BIAS, WEIGHT)}
        save_file(head, folder / HEAD)


class RankTraining(Training[TraceRow]):
    """Training on right and wrong traces: the squared error of each trace's score.

    The letter's loss of its history is that squared error; a look's agreement counts traces that are on the
    right side of one half.
    """

    student: RankingStudent

    def new_history(self) -> History:
        return History(0)

    def scores(self, batch: Batch[TraceRow]) -> Tensor:
        """The score of each row's trace, shape (rows,)."""
        return self.student.rated(self.student.upper(batch, self.lower.of(batch)))

    def _losses(self, batch: Batch[TraceRow]) -> tuple[Tensor, Tensor]:
        import torch

        scores = self.scores(batch)
        weights = torch.tensor([row.weight for row in batch.rows], device=scores.device)
        loss = (weights * (scores - self.student.targets(batch)) ** 2).sum()
        return loss, loss.detach()

    def look(self, step: int) -> HeldOutLook:
        import torch

        error = weight = 0.0
        n_rows = n_right = 0
        with torch.no_grad():
            for batch in self.held_out:
                for row, score in zip(batch.rows, self.scores(batch).tolist(), strict=True):
                    error += row.weight * (score - row.is_right) ** 2
                    weight += row.weight
                    n_right += (score > EVEN) == row.is_right
                n_rows += len(batch.rows)
        return HeldOutLook(step, error / weight, Share(n_right, n_rows), Share(0, n_rows))

    def _words(self) -> str:
        step = self.trained.history.steps[-1]
        return f"training, step {step.number:,} of {len(self.steps):,}, squared error {step.loss:.3f}"


# --- the stage -------------------------------------------------------------------------------------------


def run_rank(
    recipe: Recipe,
    folder: RunFolder,
    progress: Progress = silent,
    say: Callable[[str], None] | None = None,
) -> Manifest:
    """The manifest of the ranker of a run: it has learned the readings that `select --keep-dropped` kept.

    It is trained by the settings of the recipe's `train` block that all training has, and is always a new
    one: `start_from` is the student's.

    Raises:
        InputError: select has kept no readings, or there are no right or no wrong ones.
        ModelError: the base model cannot be a student, or the ranker does not score as it was trained.
    """
    selected = made_before(recipe, folder, "select")
    if "readings" not in selected:
        raise InputError(
            f"{folder.path}: select has kept no readings. Run `judge distill select --keep-dropped` first."
        )
    return made_ranker(recipe, folder, read_rows(folder.right), read_rows(folder.wrong), progress, say)


def train_ranker(
    right: Sequence[Row],
    wrong: Sequence[Row],
    folder: str | Path,
    *,
    base_model: str = DEFAULT_BASE_MODEL,
    name: str = "rows",
    seed: int = 0,
    held_out: float = 0.1,
    progress: Progress = silent,
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> Manifest:
    """The ranker's manifest; it is in `folder`/ranker.

    The same call again trains nothing, and goes on from the last checkpoint where the one before was killed.

    Args:
        right, wrong: prompts with right and with wrong replies; the run's folder keeps them.
        held_out: the share of the prompts that is looked at and not trained on; 0 looks at none.
        settings: any setting of a recipe's `train` block that all training has, such as epochs.

    Raises:
        BadLines: settings are wrong; the error has a line for each mistake.
        InputError: there are no right or no wrong rows, the folder cannot be written, or another stage is at
            work in it.
        ModelError: the base model cannot be a student, or the ranker does not score as it was trained.
    """
    values = {
        "name": name,
        "seed": seed,
        "select": {"held_out": held_out},
        "train": {"base_model": base_model, **settings},
    }
    recipe, run = recipe_of(values, "train_ranker"), RunFolder(Path(folder))
    with run.held():
        write_rows(run.right, right)
        write_rows(run.wrong, wrong)
    return made_ranker(recipe, run, right, wrong, progress, say)


def made_ranker(
    recipe: Recipe,
    folder: RunFolder,
    right: Sequence[Row],
    wrong: Sequence[Row],
    progress: Progress,
    say: Callable[[str], None] | None,
) -> Manifest:
    inputs = {
        "recipe": settings_hash(recipe, "rank"),
        "rows": sha256_of_json([[row_to_json(row) for row in some] for some in (right, wrong)]),
        "base_model": basemodels.hash_of(recipe.student),
    }
    with folder.held():
        if folder.is_done("rank", inputs):
            return known(folder.manifest("rank"))
        parts = parts_of(recipe, folder, right, wrong)
        folder.begin("rank")
        gc.collect()
        training = training_of(recipe, folder, parts, sha256_of_json(inputs), progress)
        if say is not None:
            say_estimate(training, say)
        trained = training.run(progress)
        metrics = metrics_of(trained, training)
        written = folder.ranking / "ranker"
        training.student.save(written, trained.weights)
        write_manifest(written, manifest_of(recipe, parts, training.student, metrics))
        training.student.load(trained.weights)
        said = said_of(training, parts[Part.TRAIN])
        settings = Settings(
            recipe.student,
            max_prompt_tokens=recipe.train.max_prompt_tokens,
            dtype=training.student.dtype,
            device=training.student.device,
        )
        del training
        gc.collect()  # frees the student's weights before the ranker's load
        difference = difference_of(said, Ranker(str(written), settings))
        shutil.rmtree(folder.ranker, ignore_errors=True)
        written.rename(folder.ranker)
        found = {"name": recipe.name, "metrics": metrics, "loaded_difference": difference, **provenance()}
        manifest = folder.finish("rank", inputs, folder.ranker.iterdir(), found)
        shutil.rmtree(folder.ranking)
        return manifest


Labelled = tuple[Row, bool]
"""A row, and whether its reply is right."""


def parts_of(
    recipe: Recipe, folder: RunFolder, right: Sequence[Row], wrong: Sequence[Row]
) -> dict[Part, list[Labelled]]:
    """The rows that are trained on, and those that are looked at, which are of other groups or prompts.

    Raises:
        InputError: no right row, or no wrong one, is left to train on.
    """
    parts: dict[Part, list[Labelled]] = {part: [] for part in Part}
    for rows, is_right in ((right, True), (wrong, False)):
        for row in rows:
            part = part_by(row.held_out_by, recipe.select.held_out, recipe.seed)
            parts[part].append((row, is_right))
        if not any(label is is_right for _, label in parts[Part.TRAIN]):
            path = folder.right if is_right else folder.wrong
            raise InputError(
                f"{path}: no row of {len(rows)} is left to train on. A ranker needs right and wrong ones."
            )
    return parts


def training_of(
    recipe: Recipe,
    folder: RunFolder,
    parts: Mapping[Part, Sequence[Labelled]],
    key: str,
    progress: Progress,
) -> RankTraining:
    """The student with its traces, ready to run."""
    settings = recipe.train
    student = RankingStudent(
        recipe.student,
        Lora(settings.rank, settings.alpha, settings.layers, settings.dropout, tuple(settings.modules)),
        settings.max_prompt_tokens,
        settings.device,
        settings.dtype,
        recipe.seed,
        None,
        settings.checkpointing,
        progress,
    )
    looked_at = drawn(parts[Part.HELD_OUT], settings.watched, recipe.seed, lambda one: one[0])
    trained, watched = (
        batches_of(trace_rows(some, student), settings.batch_tokens)
        for some in (parts[Part.TRAIN], looked_at)
    )
    key = sha256_of_json([key, student.device, student.dtype])
    return RankTraining(
        student, trained, watched, settings, recipe.seed, folder.ranking, key, time.perf_counter
    )


def trace_rows(labelled: Sequence[Labelled], student: Student) -> list[TraceRow]:
    """A row of tokens for each trace. Raises PromptTooLong, which names every prompt that does not fit."""
    encoded = student.encoder.encode([row.prompt for row, _ in labelled])
    return [
        TraceRow(
            example=number,
            ids=(*prompt.ids, *student.encoder.plain_ids(row.reply), student.end_of_turn),
            targets=(int(is_right),),
            is_trimmed=prompt.is_trimmed,
            weight=row.weight,
        )
        for number, ((row, is_right), prompt) in enumerate(zip(labelled, encoded, strict=True))
    ]


def metrics_of(trained: Trained, training: RankTraining) -> dict[str, Any]:
    """What the run measured of itself; `right` counts traces on the right side of one half."""
    history = trained.history
    best, looks = history.best, history.looks

    def told(look: HeldOutLook) -> dict[str, Any]:
        return {"squared_error": look.letter_loss, "right": asdict(look.agreement)}

    return {
        "n_steps": len(history.steps),
        "best_step": best.step if best else len(history.steps),
        "squared_error": history.steps[-1].loss,
        "before": told(looks[0]) if best else None,
        "after": told(best) if best else None,
        "n_rows": sum(len(batch.rows) for batch in training.used),
        "n_tokens": trained.n_tokens,
        "elapsed_s": trained.elapsed_s,
    }


def format_ranked(metrics: Mapping[str, Any]) -> str:
    """The metrics of a ranker as text, a line for each look at what was held out."""
    lines = [
        f"Squared error          {metrics['squared_error']:.3f} at the end of {metrics['n_steps']:,} steps"
    ]
    for name in ("before", "after"):
        if look := metrics[name]:
            right = Share(**look["right"])
            lines.append(
                f"{f'Held out, {name}':<22} right of {right}, squared error {look['squared_error']:.3f}"
            )
    return "\n".join(lines)


def manifest_of(
    recipe: Recipe,
    parts: Mapping[Part, Sequence[Labelled]],
    student: Student,
    metrics: Mapping[str, Any],
) -> dict[str, Any]:
    """All that a ranker's manifest says, except its schema and its files' hashes."""
    n_right = sum(is_right for _, is_right in parts[Part.TRAIN])
    return {
        "name": f"{recipe.name}-ranker",
        "targets": RANKS,
        "base_model": student.name,
        "base_model_hash": basemodels.hash_of(recipe.student),
        "templates": [],
        "prompts": fingerprint_of(),
        "letters": "",
        "lora": student.shape,
        "start_from": None,
        "data": {
            "train": [row.content_hash for row, _ in parts[Part.TRAIN]],
            "held_out": [row.content_hash for row, _ in parts[Part.HELD_OUT]],
            "right": n_right,
            "wrong": len(parts[Part.TRAIN]) - n_right,
        },
        "settings": recipe_to_json(recipe),
        "seed": recipe.seed,
        "metrics": metrics,
        **provenance(),
    }


Said = Sequence[tuple[Row, float]]
"""Rows and the scores that a student gives them."""


def said_of(training: RankTraining, labelled: Sequence[Labelled]) -> Said:
    """What the student says now of a few traces that it was trained on, the shortest ones."""
    import torch

    said: list[tuple[Row, float]] = []
    with torch.no_grad():
        for batch in reversed(training.used):
            scores = training.scores(batch).clamp(0.0, 1.0).tolist()
            said += [(labelled[row.example][0], score) for row, score in zip(batch.rows, scores, strict=True)]
            if len(said) >= N_COMPARED:
                break
    return said[:N_COMPARED]


def difference_of(said: Said, ranker: Ranker) -> float:
    """How far a ranker's scores are from what its student said, the mean over these rows.

    Raises:
        ModelError: too far.
    """
    again = ranker.scores([(row.prompt, row.reply) for row, _ in said])
    differences = [
        abs(score - other) for (_, score), other in zip(said, again, strict=True) if isinstance(other, float)
    ]
    mean = sum(differences) / len(differences) if differences else math.nan
    if not mean <= MAX_LOADED_DIFFERENCE:
        raise ModelError(
            f"{ranker.name}: the ranker that was written does not score as its student did (by {mean:.3f} in "
            f"the mean of {len(differences)} traces; {MAX_LOADED_DIFFERENCE} is allowed)."
        )
    return mean
