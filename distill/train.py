"""Training: rows in batches -> an adapter's weights and the history of how it came to them.

Every step depends on the seed, its number and what came before, so a run that was killed goes on from its
last checkpoint and ends with the same weights. AdamW: Loshchilov and Hutter (arXiv:1711.05101).
"""

from __future__ import annotations

import math
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate, chain
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Generic

from distill.checkpoint import Checkpoint, SmallCheckpoint, Trained, Weights
from distill.examples import VERDICT_TOKENS, R, TokenRow, VerdictRow
from distill.history import HeldOutLook, History, TrainStep
from distill.loss import letter_loss, symmetry_loss, verdict_loss
from distill.recipe import Train
from distill.student import Batch, Student, batch_of
from judge.backends.cpu import release_buffers
from judge.errors import ModelError
from judge.io.writing import write_whole
from judge.methods.asking import letters_of
from judge.orders import outcome_of
from judge.progress import Progress, silent
from judge.records import Order, Share, sha256_of_json

if TYPE_CHECKING:
    from torch import Tensor

MAX_GRADIENT = 1.0
"""The longest gradient of a step, as a norm over all weights; a longer one is shortened to it."""

RELEASE_EVERY = 4
"""Freed memory goes back to the system after this many steps; after each it would cost 5 % of the time."""

STEPS_SHOWN = 20
"""Progress shows the mean loss over this many steps."""

N_MEASURED = 4
"""So many batches are timed for a plan, after one that warms up; the median counts."""

# --- the plan --------------------------------------------------------------------------------------------


def steps_of(epochs: Sequence[Sequence[int]], accumulate: int, seed: int) -> list[list[int]]:
    """The batch numbers of every step: each epoch has its batches in an order of its own."""
    numbers = [n for epoch, some in enumerate(epochs) for n in shuffled_items(some, seed, epoch)]
    return [numbers[start : start + accumulate] for start in range(0, len(numbers), accumulate)]


def shuffled_items(items: Sequence[int], seed: int, epoch: int) -> list[int]:
    return random.Random(sha256_of_json([seed, epoch])).sample(items, len(items))


def rate_at(step: int, n_steps: int, peak: float, warmup: float) -> float:
    """The learning rate of a step, counted from 1: up to the peak, then down in a line towards zero."""
    n_rising = math.ceil(warmup * n_steps)
    if step <= n_rising:
        return peak * step / n_rising
    return peak * (n_steps - step + 1) / (n_steps - n_rising)


def looks_of(n_steps: int, n_looks: int) -> set[int]:
    """After which steps the held-out pairs are looked at: evenly, and after the last one."""
    return {max(1, round(n_steps * number / n_looks)) for number in range(1, n_looks + 1)}


# --- what the lower layers give --------------------------------------------------------------------------


class LowerOutputs:
    """What the frozen layers make of each batch, computed once and kept in a folder."""

    def __init__(self, student: Student, folder: Path, key: str) -> None:
        self._student = student
        self._folder = folder
        self._key = key

    def prepare(self, batches: Sequence[Batch[TokenRow]], progress: Progress) -> float:
        """Computes what is not there yet; returns how many seconds that took."""
        from safetensors.torch import save

        if not self._student.n_frozen:
            return 0.0
        started = time.perf_counter()
        total = sum(batch.n_tokens for batch in batches)
        done = 0
        for batch in batches:
            progress(f"frozen layers, {done:,} of {total:,} tokens", done, total)
            path = self._path(batch)
            if not path.is_file():
                hidden = self._student.lower(batch.packing).cpu().contiguous()
                write_whole(path, save({"hidden": hidden}), parents=True)
                release_buffers()
            done += batch.n_tokens
        progress(f"frozen layers, {total:,} of {total:,} tokens", total, total)
        return time.perf_counter() - started

    def of(self, batch: Batch[TokenRow]) -> Tensor:
        """Shape (1, tokens, size)."""
        from safetensors.torch import load_file

        if not self._student.n_frozen:
            return self._student.lower(batch.packing)
        hidden: Tensor = load_file(self._path(batch))["hidden"]
        return hidden

    def _path(self, batch: Batch[TokenRow]) -> Path:
        ids = sha256_of_json([self._key, batch.packing.ids, batch.packing.positions])
        return self._folder / f"{ids[:32]}.safetensors"


# --- the run ---------------------------------------------------------------------------------------------


class Training(ABC, Generic[R]):
    """A student, what it learns and is looked at with, and how far it has come.

    What is minimised, and what a look sees, is for the kind of row to say.

    Args:
        rows: in batches, as `distill.examples.batches_of` makes them; those of one example are together.
        held_out: the same for what is only looked at; without any, nothing stops the run early.
        folder: keeps checkpoints and what the frozen layers give; it may be removed when the run is over.
        key: a hash of all that the run depends on; a checkpoint with another key is ignored.
        clock: seconds, for how often checkpoints are written and for what progress says.
        epochs: the numbers of the batches of each epoch; None is all batches in every epoch.
    """

    def __init__(
        self,
        student: Student,
        rows: Sequence[Sequence[R]],
        held_out: Sequence[Sequence[R]],
        settings: Train,
        seed: int,
        folder: Path,
        key: str,
        clock: Callable[[], float] = time.perf_counter,
        epochs: Sequence[Sequence[int]] | None = None,
    ) -> None:
        import torch

        self.student = student
        self.batches = [batch_of(some) for some in rows]
        self.held_out = [batch_of(some) for some in held_out]
        self.settings = settings
        self.seed = seed
        self.clock = clock
        epochs = epochs or [range(len(self.batches))] * settings.epochs
        self.first_epoch = frozenset(epochs[0])
        self.steps = steps_of(epochs, settings.accumulate, seed)
        self.looks = looks_of(len(self.steps), settings.evaluations) if held_out else set()
        self.must_stop: Callable[[], bool] = lambda: False
        self.lower = LowerOutputs(student, folder / "lower", key)
        self.checkpoint = Checkpoint(folder / "checkpoint.safetensors", key)
        self.small: SmallCheckpoint | None = None
        self.trained = Trained(self.new_history(), {})
        own = student.parameters
        # The optimizer's own copies are float32: a step is smaller than what bfloat16 can hold.
        self.weights = {name: one.detach().float().clone().requires_grad_() for name, one in own.items()}
        self.optimizer = torch.optim.AdamW(self.weights.values(), lr=0.0, weight_decay=0.0)

    @abstractmethod
    def new_history(self) -> History:
        """An empty history, which knows what chance is."""

    @abstractmethod
    def look(self, step: int) -> HeldOutLook:
        """What the student says of what is held out now."""

    @abstractmethod
    def _losses(self, batch: Batch[R]) -> tuple[Tensor, Tensor]:
        """The sum over the batch's rows of what is minimised, and that of `TrainStep.letter_loss`.

        A row counts as much as its weight says.
        """

    @property
    def least_letter_loss(self) -> float:
        """The letter's loss of a student that knows every target: 0 where all are hard."""
        return 0.0

    def run(self, progress: Progress = silent) -> Trained:
        """Trains to the end, from the last checkpoint on where there is one."""
        self._go_on()
        trained = self.trained
        trained.lower_s += self.lower.prepare([*self.used, *self.held_out], progress)
        if self.held_out and not trained.history.looks:
            trained.history.looks.append(self.look(0))
        saved_at = small_saved_at = began = self.clock()
        before_s = trained.elapsed_s
        for number in range(len(trained.history.steps) + 1, len(self.steps) + 1):
            if self.is_over() or (trained.history.steps and self.must_stop()):
                break
            trained.history.steps.append(self.step(number))
            trained.elapsed_s = before_s + self.clock() - began
            progress(self._words(), number, len(self.steps))
            if number in self.looks:
                self._look_after(number)
            if number in self.looks or self.clock() - saved_at > self.checkpoint.every_s:
                trained.elapsed_s = before_s + self.clock() - began
                self.checkpoint.write(trained, self.weights, self.optimizer)
                saved_at = self.clock()
            if self.small and self.clock() - small_saved_at > self.small.every_s:
                self.small.write(trained, self.weights, self.optimizer)
                small_saved_at = self.clock()
        n_done = len(trained.history.steps)
        if not self.held_out:
            trained.weights = self._copy()
        elif trained.history.looks[-1].step < n_done:  # it was stopped between two looks
            self._look_after(n_done)
        return trained

    def step(self, number: int) -> TrainStep:
        """One step of the optimizer over its batches.

        Raises:
            ModelError: the loss has become NaN or infinite.
        """
        import torch

        torch.manual_seed(int(sha256_of_json([self.seed, number])[:15], 16))
        batches = [self.batches[one] for one in self.steps[number - 1]]
        weight = sum(row.weight for batch in batches for row in batch.rows)
        total = of_letters = 0.0
        self.student.adapted.train()
        for batch in batches:
            loss, of_letter = self._losses(batch)
            if not math.isfinite(loss.item()):
                raise ModelError(f"step {number}: the loss is {loss.item()}. Take a smaller learning_rate.")
            (loss / weight).backward()  # type: ignore[no-untyped-call]
            self._take_gradients()
            total, of_letters = total + loss.item(), of_letters + of_letter.item()
            self.trained.n_tokens += batch.n_tokens
        self.student.adapted.eval()
        rate = rate_at(number, len(self.steps), self.settings.learning_rate, self.settings.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.nn.utils.clip_grad_norm_(self.weights.values(), MAX_GRADIENT)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.student.load(self.weights)
        if number % RELEASE_EVERY == 0:
            release_buffers()
        return TrainStep(number, rate, total / weight, of_letters / weight)

    @property
    def used(self) -> list[Batch[R]]:
        """The batches that some step learns from: all of them, unless the steps are less than an epoch."""
        return [self.batches[one] for one in sorted({one for step in self.steps for one in step})]

    @property
    def rows_of_an_epoch(self) -> list[R]:
        """The rows of the first epoch that some step learns from."""
        numbers = sorted(self.first_epoch.intersection(one for step in self.steps for one in step))
        return [row for number in numbers for row in self.batches[number].rows]

    def shorten(self, n_steps: int, watched: Sequence[int], n_looks: int, key: str) -> None:
        """Plans the first steps only, at whose end the learning rate is zero, and looks at some batches only.

        Args:
            watched: the numbers of the held-out batches that are looked at; without any there are no looks.
            key: of the checkpoints of this plan.
        """
        self.steps = self.steps[:n_steps]
        self.held_out = [self.held_out[one] for one in watched]
        self.looks = looks_of(n_steps, n_looks) if self.held_out else set()
        self.checkpoint = replace(self.checkpoint, key=key)

    def measured(self, most_s: float = math.inf) -> tuple[float, float]:
        """Seconds that a token takes once (as in the frozen layers) and in a step, by the first batches.

        Nothing is learned from the trial, and what is computed once is kept. It ends with the batch in which
        it has taken `most_s` seconds.
        """
        began = self.clock()
        numbers = [one for step in self.steps for one in step][: 1 + N_MEASURED]
        lower, step = [], []
        for batch in [self.batches[one] for one in numbers * (2 if len(numbers) == 1 else 1)]:
            started = self.clock()
            self._compute_once(batch)
            between = self.clock()
            self._try(batch)
            lower.append((between - started) / batch.n_tokens)
            step.append((self.clock() - between) / batch.n_tokens)
            if self.clock() - began > most_s:
                break
        warm = slice(1 if len(numbers) > 1 and len(lower) > 1 else 0, None)  # what is there takes no time
        return (max if len(numbers) == 1 else median)(lower[warm]), median(step[1:] or step)

    def try_largest(self) -> None:
        """The batch with most tokens there and back: nothing that comes needs more memory."""
        largest = max(self.batches, key=lambda batch: batch.n_tokens)
        self._compute_once(largest)
        self._try(largest)

    def _compute_once(self, batch: Batch[R]) -> None:
        """Computes what steps over a batch need and none of them changes, if it is not there yet."""
        self.lower.prepare([batch], silent)

    def _try(self, batch: Batch[R]) -> None:
        """A batch there and back, with its gradients thrown away."""
        self.student.adapted.train()
        loss, _ = self._losses(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        for parameter in self.student.parameters.values():
            parameter.grad.sum().item()  # waits until a GPU has really done it
            parameter.grad = None
        self.student.adapted.eval()

    def _look_after(self, number: int) -> None:
        """Looks, and keeps the weights where they are the best so far."""
        history = self.trained.history
        history.looks.append(self.look(number))
        if history.best is history.looks[-1]:
            self.trained.weights = self._copy()

    def _take_gradients(self) -> None:
        """Adds the gradients of the student's weights to those of the optimizer's copies."""
        for name, parameter in self.student.parameters.items():
            gradient = parameter.grad.float()
            copy = self.weights[name]
            copy.grad = gradient if copy.grad is None else copy.grad + gradient
            parameter.grad = None

    def _copy(self) -> Weights:
        return {name: weight.detach().clone() for name, weight in self.weights.items()}

    def is_over(self) -> bool:
        """Whether nothing has got better for so long that the run stops early."""
        return 0 < self.settings.patience <= self.trained.history.n_looks_since_best

    def _go_on(self) -> None:
        """Goes on from the checkpoint of the same run that is furthest, its own in doubt."""
        files = [self.checkpoint, *([self.small] if self.small else [])]
        states = [state for file in files if (state := file.read(self.weights, len(self.steps)))]
        if states:
            state = max(states, key=lambda one: len(one.trained.history.steps))
            self.trained = state.trained
            for name, weight in self.weights.items():
                weight.data.copy_(state.weights[name])
                n_steps = float(len(state.trained.history.steps))
                self.optimizer.state[weight] = state.moments_of(name, n_steps)
            self.student.load(self.weights)

    def _words(self) -> str:
        """What progress says: the letter's loss against chance, and how fast it goes."""
        history = self.trained.history
        latest = history.steps[-STEPS_SHOWN:]
        loss = sum(step.letter_loss for step in latest) / len(latest)
        rate = self.trained.n_tokens / max(self.trained.elapsed_s, 1e-9)
        return f"training, {history.words_of(loss)}, {rate:,.0f} tokens/s"


class VerdictTraining(Training[VerdictRow]):
    """Training of a student whose replies state verdicts, in both orders of a pair.

    The whole reply is learned, which is four tokens where nothing stands before the verdict.

    Args:
        letters: the ids of the allowed letters; the other arguments are those of `Training`.
    """

    def __init__(
        self,
        student: Student,
        rows: Sequence[Sequence[VerdictRow]],
        held_out: Sequence[Sequence[VerdictRow]],
        letters: Sequence[int],
        settings: Train,
        seed: int,
        folder: Path,
        key: str,
        clock: Callable[[], float] = time.perf_counter,
        epochs: Sequence[Sequence[int]] | None = None,
    ) -> None:
        self.letters = list(letters)
        super().__init__(student, rows, held_out, settings, seed, folder, key, clock, epochs)

    def new_history(self) -> History:
        return History(len(self.letters))

    def look(self, step: int) -> HeldOutLook:
        """What the student says of the held-out pairs now."""
        import torch

        n_rows = sum(len(batch.rows) for batch in self.held_out)
        loss = 0.0
        chosen: dict[int, dict[Order, int]] = {}
        wrong: set[int] = set()
        with torch.no_grad():
            for batch in self.held_out:
                logits = self._letter_logits(batch)
                loss += letter_loss(logits, self._weights_of(batch)).sum().item()
                for row, index in zip(batch.rows, logits.argmax(dim=1).tolist(), strict=True):
                    chosen.setdefault(row.example, {})[row.order] = index
                    if self.letters[index] != row.targets[row.letter]:
                        wrong.add(row.example)
        choices = list(letters_of(len(self.letters) > len(Order)).values())
        both = [one for one in chosen.values() if len(one) == len(Order)]
        n_inconsistent = sum(len({outcome_of(choices[i], o) for o, i in one.items()}) > 1 for one in both)
        return HeldOutLook(
            step=step,
            letter_loss=loss / n_rows,
            agreement=Share(len(chosen) - len(wrong), len(chosen)),
            inconsistent=Share(n_inconsistent, len(both)),
        )

    def probabilities(self, batch: Batch[VerdictRow]) -> list[tuple[float, ...]]:
        """What the student gives each letter now, by row."""
        import torch

        with torch.no_grad():
            return [tuple(one) for one in self._letter_logits(batch).softmax(dim=1).tolist()]

    @property
    def least_letter_loss(self) -> float:
        """The letter's loss of a student that knows every target: 0 where all are hard."""
        weights = [weight for batch in self.batches for row in batch.rows for weight in row.weights]
        n_rows = sum(len(batch.rows) for batch in self.batches)
        return -sum(weight * math.log(weight) for weight in weights if weight) / n_rows

    def _losses(self, batch: Batch[VerdictRow]) -> tuple[Tensor, Tensor]:
        """The sum over the batch's rows of what is minimised, and that of the letter's loss alone."""
        hidden = self.student.upper(batch, self.lower.of(batch))
        weights = self._weights_of(batch)
        of_letters = self._of_letters(batch, hidden)
        own, logs = self.student.log_probabilities(batch, hidden, self.letters)
        if self.settings.working_weight != 1:
            own = own * self._token_weights_of(batch)
        loss = verdict_loss(own, logs, batch.lengths, letter_places(batch), weights).sum()
        if self.settings.symmetry and (two := twos_of(batch)):
            ab, ba = ([one[order] for one in two] for order in Order)
            loss = loss + self.settings.symmetry * symmetry_loss(of_letters[ab], of_letters[ba]).sum()
        return loss, letter_loss(of_letters.detach(), weights).sum()

    def _letter_logits(self, batch: Batch[VerdictRow]) -> Tensor:
        """Shape (rows, letters)."""
        return self._of_letters(batch, self.student.upper(batch, self.lower.of(batch)))

    def _of_letters(self, batch: Batch[VerdictRow], hidden: Tensor) -> Tensor:
        """The logits of the allowed letters at their place, shape (rows, letters)."""
        return hidden[letter_places(batch)] @ self.student.head[self.letters].T

    def _token_weights_of(self, batch: Batch[VerdictRow]) -> Tensor:
        """How much each target counts: those of a verdict once, those of a working before it as is set."""
        import torch

        of_rows = (
            [self.settings.working_weight] * (len(row.targets) - VERDICT_TOKENS) + [1.0] * VERDICT_TOKENS
            for row in batch.rows
        )
        return torch.tensor(list(chain.from_iterable(of_rows)), device=self.student.device)

    def _weights_of(self, batch: Batch[VerdictRow]) -> Tensor:
        import torch

        return torch.tensor([row.weights for row in batch.rows], device=self.student.device)


def letter_places(batch: Batch[VerdictRow]) -> list[int]:
    """Which of the batch's places, row after row, is each row's letter."""
    starts = accumulate([0, *batch.lengths])
    return [start + row.letter for start, row in zip(starts, batch.rows, strict=False)]


def twos_of(batch: Batch[VerdictRow]) -> list[dict[Order, int]]:
    """The numbers of the rows of each example that is there in both orders."""
    numbers: dict[int, dict[Order, int]] = {}
    for number, row in enumerate(batch.rows):
        numbers.setdefault(row.example, {})[row.order] = number
    return [one for one in numbers.values() if len(one) == len(Order)]
