"""The history of a training run: the loss of every step, and what every look at the held-out pairs found."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from judge.records import Share


@dataclass(frozen=True, slots=True)
class TrainStep:
    """One step of the optimizer, counted from 1.

    `loss` is what was minimised, the mean over the step's rows in nats; `letter_loss` is the cross-entropy of
    a verdict's letter alone, among the allowed letters, and in a reply without one the mean over its tokens.
    """

    number: int
    learning_rate: float
    loss: float
    letter_loss: float


@dataclass(frozen=True, slots=True)
class HeldOutLook:
    """What the student says of the held-out pairs after `step` steps; 0 is before the first one.

    `agreement` counts pairs in which both orders name what the teacher named, `inconsistent` those in which
    the orders name different responses. There is at least one such pair. Of replies without a verdict,
    `agreement` counts those that the student would give word for word.
    """

    step: int
    letter_loss: float
    agreement: Share
    inconsistent: Share

    @property
    def goodness(self) -> tuple[float, float, float]:
        """Greater is better: agreement, then consistency, then the loss."""
        return self.agreement.value or 0.0, -(self.inconsistent.value or 0.0), -self.letter_loss


@dataclass(slots=True)
class History:
    """All steps and looks so far. `n_letters` is how many letters a verdict may have; 0 is no verdict."""

    n_letters: int = 2
    steps: list[TrainStep] = field(default_factory=list)
    looks: list[HeldOutLook] = field(default_factory=list)

    @property
    def chance(self) -> float | None:
        """The letter loss of a student that knows nothing, in nats: 0.693 with two letters.

        None of replies without a verdict: what a model that was taught nothing knows of them is not known.
        """
        return math.log(self.n_letters) if self.n_letters else None

    def words_of(self, loss: float) -> str:
        """A letter loss in words, against chance where there is one."""
        if self.chance is None:
            return f"loss {loss:.3f} a token"
        return f"letter loss {loss:.3f} (chance {self.chance:.3f})"

    @property
    def best(self) -> HeldOutLook | None:
        """The best look after the first step, the earliest of equal ones; None if there was no look."""
        trained = [look for look in self.looks if look.step > 0]
        return max(trained, key=lambda look: look.goodness, default=None)

    @property
    def n_looks_since_best(self) -> int:
        """How many looks in a row were no better than the best."""
        return sum(look.step > self.best.step for look in self.looks) if self.best else 0


def history_to_json(history: History) -> dict[str, Any]:
    return asdict(history)
