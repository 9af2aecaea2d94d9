"""Which question of an annotation compares the two answers: one whose labels name a side somewhere in a file.

Others are about something else. That nothing is harmful, "none", is no vote for "both are bad".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from judge.io.rows import shown
from judge.io.usable import Unusable
from judge.records import Ballot

CALLED = re.compile(r"prefer|choice|compar|better|best|winner|overall", re.IGNORECASE)
"""What a question that compares is mostly called."""
SIDES = (Ballot.A, Ballot.B)
NO_SIDE = "a label of a question that never names a side"


def comparing(labels: Iterable[tuple[str, Callable[[], bool]]]) -> str | None:
    """The question that compares, None where no label names a side.

    Of several it is one that is called so, then one whose labels are all understood, then the first.

    Args:
        labels: of the whole file, each with its question, and what says whether it names a side; that raises
            Unusable for a label that is not understood.
    """
    names_a_side: dict[str, bool] = {}
    not_understood: set[str] = set()
    for question, is_side in labels:
        try:
            names_a_side[question] = is_side() or names_a_side.get(question, False)
        except Unusable:
            not_understood.add(question)
    return min(
        (question for question, is_named in names_a_side.items() if is_named),
        key=lambda question: (not CALLED.search(question), question in not_understood),
        default=None,
    )


def other_than(question: str) -> str:
    """Why a label is left out that belongs to another question than the one that compares."""
    return f"an answer to another question than {shown(question)}"
