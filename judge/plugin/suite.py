"""New answers beside approved ones. In every pair of a suite a is the new answer and b the approved one."""

from __future__ import annotations

from dataclasses import dataclass

from judge.drawing.steps import shared_steps
from judge.records import Outcome, Pair, Verdict, sha256_of_json

SCORES = {Outcome.A: 1.0, Outcome.TIE: 0.5, Outcome.B: 0.0}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A verdict on a new answer (a) beside the approved one (b).

    `made` is when, where it came from the ledger (ISO 8601); None where it was made just now.
    """

    pair: Pair
    verdict: Verdict
    made: str | None = None

    @property
    def score(self) -> float | None:
        """1 if the new answer won, 0 if the approved one did, one half for a tie; None if unreadable."""
        return None if self.verdict.outcome is None else SCORES[self.verdict.outcome]

    @property
    def n_tokens(self) -> int:
        """Tokens in and out of both readings of the verdict, and of what was asked once for both."""
        parts = [*self.verdict.readings.values(), *shared_steps([self.verdict])]
        return sum(one.tokens_in + one.tokens_out for one in parts)


def mixed(name: str) -> str:
    """What to sort names by for an order that has nothing to do with them, and is the same in every run."""
    return sha256_of_json(["mixed", name])


def cluster_of(pair: Pair) -> str:
    """What makes two comparisons depend on each other, unless a test says otherwise: the first question."""
    return sha256_of_json(pair.question)[:16]
