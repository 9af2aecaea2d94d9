"""Labels of a pair as people and other projects write them: A, B, a tie, or both are bad."""

from __future__ import annotations

import re
from collections.abc import Sequence

from judge.io.rows import shown
from judge.records import Ballot

MAX_LABELS = 5
MAX_PLACES = 5
SEPARATORS = re.compile(r"[\s_()-]+")
SPELLED = {
    Ballot.A: ("a", "model a", "response a", "answer a", "assistant a"),
    Ballot.B: ("b", "model b", "response b", "answer b", "assistant b"),
    Ballot.TIE: ("tie", "draw", "equal", "both good", "tie (both good)"),
    Ballot.BOTH_BAD: ("both bad", "tie (both bad)", "neither"),
}
"""Case, spaces, hyphens, underscores and round brackets do not matter."""


def ballot_of(label: object) -> Ballot | None:
    """What a label says, however it is spelled; None if that is not understood."""
    return BALLOTS.get(_bare(label)) if isinstance(label, str) else None


def labels_told(labels: Sequence[tuple[object, object]]) -> str:
    """Labels that were not understood, given as (place, label): each once, with its first places.

    For example: "model_c" in rows 4, 17; null in row 9.
    """
    places: dict[str, list[object]] = {}
    for place, label in labels:
        places.setdefault(shown(label), []).append(place)
    told = [
        f"{label} in {'row' if len(found) == 1 else 'rows'} {_first_of(found, MAX_PLACES, ', ')}"
        for label, found in places.items()
    ]
    return _first_of(told, MAX_LABELS, "; ")


def _first_of(items: Sequence[object], most: int, between: str) -> str:
    words = [str(item) for item in items[:most]]
    return between.join([*words, "..."] if len(items) > most else words)


def _bare(text: str) -> str:
    return SEPARATORS.sub("", text.casefold())


BALLOTS = {_bare(spelling): ballot for ballot, spellings in SPELLED.items() for spelling in spellings}
