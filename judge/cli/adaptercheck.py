"""Whether a base model answers alike with an adapter beside its weights and merged into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from judge.backends.embedded import EmbeddedBackend
from judge.forms.reading import read_pairs
from judge.methods import load_method
from judge.records import Choice, Judgment, Order, Pair, Share

MAX_MEAN_DIFFERENCE = 0.01
SURE = 0.05  # further from one half than this, both ways must give the same letter


@dataclass(frozen=True, slots=True)
class MergeCheck:
    """Two ways to P(A), the probability of the letter A, over the same `n` readings.

    `mean_difference` is that of |P(A) - P(A)|. `same_letter` counts readings among those in which the first
    way is sure of its letter.
    """

    n: int
    mean_difference: float
    same_letter: Share

    @property
    def is_close(self) -> bool:
        is_one_letter = self.same_letter.count == self.same_letter.total
        return self.mean_difference <= MAX_MEAN_DIFFERENCE and is_one_letter

    def __str__(self) -> str:
        same = f"{self.same_letter.count} of {self.same_letter.total}"
        return (
            f"{self.mean_difference:.4f} apart in mean P(A) over {self.n} readings (at most "
            f"{MAX_MEAN_DIFFERENCE}), the same letter in {same} where |P(A) - 0.5| > {SURE}"
        )


def compared(beside: Sequence[float], merged: Sequence[float]) -> MergeCheck:
    """How far the P(A) of readings with the adapter merged lie from those with it beside the weights."""
    both = list(zip(beside, merged, strict=True))
    sure = [(one, other) for one, other in both if abs(one - 0.5) > SURE]
    return MergeCheck(
        n=len(both),
        mean_difference=sum(abs(one - other) for one, other in both) / len(both),
        same_letter=Share(sum((one > 0.5) == (other > 0.5) for one, other in sure), len(sure)),
    )


def probabilities_of_a(
    backend: EmbeddedBackend, pairs: Sequence[Pair], method: str = "direct"
) -> list[float]:
    """P(A) of each pair in both orders by what an adapter has learned; A is the answer shown first."""
    readings = load_method(method, backend).read([(pair, order) for pair in pairs for order in Order])
    found = [one.probabilities for one in readings if isinstance(one, Judgment)]
    return [each[Choice.FIRST] for each in found if each is not None]


def example_pairs() -> list[Pair]:
    """The pairs that ship with the judge."""
    return read_pairs(Path(__file__).parents[1] / "examples" / "pairs.jsonl")
