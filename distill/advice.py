"""Whether distilling is worth a night: how sure of itself the teacher is, and how soon a student follows.

What a teacher does distils where a student that is shown some of it soon gives the rest. That the teacher
says the same each time it is asked tells how clean its targets are, not whether they can be learned:
docs/system2.md has both figures of tasks that distil and of tasks that do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from distill.traces import Trace
from judge.io.wording import percent
from judge.methods.voting import samples_of
from judge.orders import outcome_of
from judge.records import Choice, Judgment, Order, Outcome, Reading, Share

LARGE = 0.75
"""A majority is large if this part of all samples says the same; unread ones are among all."""

ENOUGH_CLOSED = 0.1
"""So much of the gap from its first fit to a full one should a student close in a hundred steps."""


def is_large(share: float) -> bool:
    return share >= LARGE


def large_majorities(traces: Iterable[Trace]) -> Share:
    """Share of the pairs on which the teacher's readings of both orders have a large majority."""
    sure = [is_large(majority_of(trace)) for trace in traces]
    return Share(sum(sure), len(sure))


def majority_of(trace: Trace) -> float:
    """What part of the teacher's word, both orders together, is for the response that it prefers.

    A vote counts by its samples, whatever they weigh; a reading with probabilities by these, one without by
    its choice; what could not be read is for neither, and so is a tie.
    """
    for_each = {Outcome.A: 0.0, Outcome.B: 0.0}
    for order, reading in trace.verdict.readings.items():
        for choice, part in parts_of(reading).items():
            if (outcome := outcome_of(choice, order)) in for_each:
                for_each[outcome] += part / len(Order)
    return max(for_each.values())


def parts_of(reading: Reading) -> dict[Choice, float]:
    """A reading's word by choice; it sums to 1, or to less where something could not be read."""
    samples = samples_of(reading)
    if len(samples) > 1:
        votes = Counter(one.choice for one in samples if isinstance(one, Judgment))
        return {choice: n / len(samples) for choice, n in votes.items()}
    if not isinstance(reading, Judgment):
        return {}
    return dict(reading.probabilities) if reading.probabilities else {reading.choice: 1.0}


def advice_of(large: Share) -> dict[str, str]:
    """What to tell somebody who is about to train, a line for each of the two signs."""
    return {
        "Large majority": f"{percent(large, digits=1)} of the pairs: tells how clean the targets are",
        "After 100 steps": (
            f"stop unless the student has closed {100 * ENOUGH_CLOSED:.0f} % of the gap to the held-out pairs"
        ),
    }
