"""A student of replies without a verdict: what it minimises, and what it says of rows that were held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.examples import TokenRow
from distill.history import HeldOutLook, History
from distill.loss import by_row, likeliest
from distill.student import Batch
from distill.train import Training
from judge.records import Share

if TYPE_CHECKING:
    from torch import Tensor


class ReplyTraining(Training[TokenRow]):
    """Training on prompts and replies of any length: minus the log-probability of each whole reply.

    The letter's loss of its history is that of a token of the reply, the mean over the reply.
    """

    def new_history(self) -> History:
        return History(0)

    def _losses(self, batch: Batch[TokenRow]) -> tuple[Tensor, Tensor]:
        """The sum over the batch's rows of what is minimised, and that of the loss a token."""
        import torch

        hidden = self.student.upper(batch, self.lower.of(batch))
        whole = self.row_losses(batch, hidden)
        weights = torch.tensor([row.weight for row in batch.rows], device=whole.device)
        lengths = torch.tensor(batch.lengths, device=whole.device)
        return (weights * whole).sum(), (weights * whole.detach() / lengths).sum()

    def row_losses(self, batch: Batch[TokenRow], hidden: Tensor) -> Tensor:
        """What is minimised of each row, its weight left out, shape (rows,)."""
        return -self.log_likelihoods(batch, hidden)

    def log_likelihoods(self, batch: Batch[TokenRow], hidden: Tensor) -> Tensor:
        """The log-probability of each row's whole reply, shape (rows,)."""
        own, _ = self.student.log_probabilities(batch, hidden)
        return by_row(own, batch.lengths)

    def likelihoods_of_text(self, batch: Batch[TokenRow]) -> list[float]:
        """The log-probability of each row's reply without the end of the turn, as the student says it now."""
        import torch

        with torch.no_grad():
            hidden = self.student.upper(batch, self.lower.of(batch))
            own, _ = self.student.log_probabilities(batch, hidden)
            return [one[:-1].sum().item() for one in torch.split(own, batch.lengths)]

    def look(self, step: int) -> HeldOutLook:
        """What the student says of the held-out rows now; no order, so nothing is inconsistent.

        Replies that shall not be given are not compared word for word.
        """
        import torch

        loss = weight = 0.0
        n_rows = n_right = n_compared = 0
        with torch.no_grad():
            for batch in self.held_out:
                hidden = self.student.upper(batch, self.lower.of(batch))
                of_rows = self.row_losses(batch, hidden).tolist()
                is_right = (likeliest(hidden, self.student.head) == self.student.targets(batch)).tolist()
                for row, of_row in zip(batch.rows, of_rows, strict=True):
                    loss += row.weight * of_row / len(row.targets)
                    weight += row.weight
                    n_compared += not row.is_wrong
                    n_right += not row.is_wrong and all(is_right[: len(row.targets)])
                    is_right = is_right[len(row.targets) :]
                n_rows += len(batch.rows)
        return HeldOutLook(step, loss / weight, Share(n_right, n_compared), Share(0, n_rows))
