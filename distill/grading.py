"""A student that grades single answers: rows of tokens, and the loss by which it learns from pairs.

Each answer of a pair is a row of its own: the prompt of `judge.methods.score`, and a verdict of four tokens
in which only the grade is undecided. What is learned is the difference of the two mean grades, by the loss of
Bradley and Terry (1952): the log-odds that a is better are that difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from distill.examples import VerdictRow, row_of, sharpened, verdict_tokens
from distill.history import HeldOutLook, History
from distill.loss import by_row
from distill.selection import Example
from distill.student import Batch
from distill.train import VerdictTraining, letter_places, twos_of
from judge.backends.tokens import PromptEncoder
from judge.methods.score import GRADES, render_score
from judge.records import Order, Outcome, Share

if TYPE_CHECKING:
    from torch import Tensor

MIDDLE, PULL = 5.0, 0.01
"""Grades are pulled to the middle of their range by this much, so that they do not drift to its end."""


def graded_rows(
    examples: Sequence[Example],
    encoder: PromptEncoder,
    end_of_turn: int,
    is_soft: bool,
    sharpness: float = 1.0,
) -> list[VerdictRow]:
    """Two rows an example: answer a's has order AB, answer b's BA; `weights` are P(this one), P(the other).

    Args:
        is_soft: whether the teacher's probability is learned, its log-odds times `sharpness`, instead of its
            choice.

    Raises:
        ModelError: a verdict is not four tokens in this model's tokenizer.
        PromptTooLong: a prompt has no room for any word of its answer.
    """
    asked = [
        (number, order, render_score(example.pair, order, 0))
        for number, example in enumerate(examples)
        for order in Order
    ]
    rows = []
    encoded = encoder.encode([prompt for *_, prompt in asked])
    for (number, order, prompt), one in zip(asked, encoded, strict=True):
        middle = encoder.choice_ids(GRADES, prompt.reply_start)[len(GRADES) // 2]
        targets = verdict_tokens("a grade", one, middle, encoder.plain_ids(prompt.reply_end), end_of_turn)
        p_a = p_a_of(examples[number], is_soft, sharpness)
        p = p_a if order is Order.AB else 1 - p_a
        rows.append(row_of(number, order, one, targets, (p, 1 - p)))
    return rows


def p_a_of(example: Example, is_soft: bool, sharpness: float) -> float:
    """The probability that a is better that is to be learned."""
    if is_soft and example.p_a is not None:
        return sharpened(example.p_a, sharpness)
    return 1.0 if example.winner is Outcome.A else 0.0


class GradeTraining(VerdictTraining):
    """Training of a student that grades single answers; batches hold both rows of each example.

    The letter's loss of its history is that of the pair, in which chance is the loss of a coin.
    """

    def new_history(self) -> History:
        return History(len(Order))

    def _losses(self, batch: Batch[VerdictRow]) -> tuple[Tensor, Tensor]:
        """The sum over the batch's rows of what is minimised, and that of the pairs' loss alone."""
        hidden = self.student.upper(batch, self.lower.of(batch))
        own, logs = self.student.log_probabilities(batch, hidden, self.letters)
        places = letter_places(batch)
        of_grades = logs[places]
        form = own[places] - by_row(own, batch.lengths) - of_grades.logsumexp(dim=1)
        grades = mean_grades(of_grades)
        of_pairs = self._of_pairs(batch, grades)
        pull = PULL * (grades - MIDDLE).square()
        return 2 * of_pairs.sum() + form.sum() + pull.sum(), 2 * of_pairs.detach().sum()

    def _of_pairs(self, batch: Batch[VerdictRow], grades: Tensor) -> Tensor:
        """Bradley and Terry's loss of each pair of the batch."""
        import torch

        leads = self._leads(batch, grades)
        p_a = torch.tensor(
            [batch.rows[two[Order.AB]].weights[0] for two in twos_of(batch)], device=grades.device
        )
        return torch.nn.functional.binary_cross_entropy_with_logits(leads, p_a, reduction="none")

    def _leads(self, batch: Batch[VerdictRow], grades: Tensor) -> Tensor:
        """How much higher a's mean grade is, of each pair of the batch."""
        two = twos_of(batch)
        return grades[[one[Order.AB] for one in two]] - grades[[one[Order.BA] for one in two]]

    def look(self, step: int) -> HeldOutLook:
        """What the student says of the held-out pairs now; no order, so nothing is inconsistent."""
        import torch

        loss, n_right, n_pairs = 0.0, 0, 0
        with torch.no_grad():
            for batch in self.held_out:
                grades = mean_grades(self._letter_logits(batch))
                leads = self._leads(batch, grades).tolist()
                loss += self._of_pairs(batch, grades).sum().item()
                for two, lead in zip(twos_of(batch), leads, strict=True):
                    p_a = batch.rows[two[Order.AB]].weights[0]
                    n_right += lead * (p_a - 0.5) > 0
                    n_pairs += 1
        return HeldOutLook(step, loss / n_pairs, Share(n_right, n_pairs), Share(0, n_pairs))


def mean_grades(logits: Tensor) -> Tensor:
    """The mean of 1 to 9 under the probabilities of their logits, shape (rows,)."""
    import torch

    numbers = torch.arange(1, len(GRADES) + 1, dtype=logits.dtype, device=logits.device)
    return logits.softmax(dim=1) @ numbers
