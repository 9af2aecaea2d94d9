"""Students that wrong traces help: by unlikelihood, or by a teacher that knows them (NCE).

A student of method nat needs no training of its own kind: it learns right replies as any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from distill.checkpoint import Trained
from distill.examples import TokenRow
from distill.loss import by_row
from distill.negatives.losses import nce_loss, signed_loss
from distill.negatives.taught import Taught
from distill.recipe import Train
from distill.replying import ReplyTraining
from distill.student import Batch, Student
from judge.backends import Settings
from judge.progress import Progress, silent

if TYPE_CHECKING:
    from torch import Tensor


class UnlikelihoodTraining(ReplyTraining):
    """Training on right replies by cross-entropy, and on wrong ones by -log(1 - p) of their tokens."""

    def row_losses(self, batch: Batch[TokenRow], hidden: Tensor) -> Tensor:
        import torch

        own, _ = self.student.log_probabilities(batch, hidden)
        is_wrong = [row.is_wrong for row in batch.rows for _ in row.targets]
        losses = signed_loss(own, torch.tensor(is_wrong, device=own.device))
        return by_row(losses, batch.lengths)


class NceTraining(ReplyTraining):
    """Training on right replies and on what a model of method nat says in their places.

    Args:
        teacher: name the base model and the adapter of method nat.

    The other arguments are those of `Training`.
    """

    def __init__(
        self,
        student: Student,
        rows: Sequence[Sequence[TokenRow]],
        held_out: Sequence[Sequence[TokenRow]],
        settings: Train,
        seed: int,
        folder: Path,
        key: str,
        clock: Callable[[], float] = time.perf_counter,
        *,
        teacher: Settings,
    ) -> None:
        super().__init__(student, rows, held_out, settings, seed, folder, key, clock)
        self.taught = Taught(teacher, folder / "taught", key)

    def run(self, progress: Progress = silent) -> Trained:
        """Trains to the end, once the teacher has said all that it will be asked."""
        self.taught.prepare(self.used, progress)
        return super().run(progress)

    def _compute_once(self, batch: Batch[TokenRow]) -> None:
        super()._compute_once(batch)
        self.taught.of(batch)  # which, unlike `prepare`, keeps the teacher loaded for the next batch

    def _losses(self, batch: Batch[TokenRow]) -> tuple[Tensor, Tensor]:
        """The sum over the batch's rows of NCE's loss, and that of the cross-entropy a token."""
        import torch

        hidden, lesson = self.student.upper(batch, self.lower.of(batch)), self.taught.of(batch)
        device = hidden.device
        asked = torch.cat([self.student.targets(batch)[:, None], lesson.words.to(device)], dim=1)
        logs = self.student.log_probabilities_of(hidden, asked)
        ce = -by_row(logs[:, 0], batch.lengths)
        kd = -by_row((lesson.probabilities.to(device) * logs[:, 1:]).sum(dim=1), batch.lengths)
        weights = torch.tensor([row.weight for row in batch.rows], device=device)
        lengths = torch.tensor(batch.lengths, device=device)
        loss = nce_loss(ce, kd, lesson.beta.to(device))
        return (weights * loss).sum(), (weights * ce.detach() / lengths).sum()
