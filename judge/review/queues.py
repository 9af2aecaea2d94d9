"""Which pairs come up for review, and in which order: filters and orders over entries, votes and verdicts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from judge.orders import is_near_even
from judge.records import NO_CATEGORY, Outcome, Status, Verdict
from judge.review.pairindex import IndexEntry
from judge.review.store import Event, EventKind


class QueueOrder(StrEnum):
    """The order of a queue."""

    RANDOM = "random"
    UNSURE = "most uncertain first"
    FILE = "as in the file"
    DISPUTED = "most disputed first"


class QueueFilter(StrEnum):
    """A filter that is on or off."""

    UNVOTED = "not yet voted"
    INCONSISTENT = "inconsistent"
    NEAR_EVEN = "near 50 %"
    DIFFER = "judge and human differ"
    ASSIGNED = "assigned to you"


NOT_DISPUTED = (-1.0, 0)
NEED_VERDICTS = (QueueFilter.INCONSISTENT, QueueFilter.NEAR_EVEN, QueueFilter.DIFFER)


@dataclass(frozen=True, slots=True)
class QueueWanted:
    """What a reviewer asked to see.

    `found` are the ids that a text search found, `picked` those behind a figure that was opened, `assigned`
    the reviewer's own, for the filter of that name; None without one.
    """

    category: str | None = None
    looks: frozenset[QueueFilter] = frozenset({QueueFilter.UNVOTED})
    line: QueueOrder = QueueOrder.RANDOM
    found: frozenset[str] | None = None
    picked: frozenset[str] | None = None
    assigned: frozenset[str] | None = None


def queue_of(
    entries: Sequence[IndexEntry],
    wanted: QueueWanted,
    reviewer: str,
    events: Iterable[Event],
    verdicts: Mapping[str, Verdict],
) -> list[IndexEntry]:
    """The entries to review, in order. The random order is a reviewer's own, and the same whenever asked.

    Args:
        events: the last words on these pairs, under their ids.
        verdicts: the judge's, by the pair's id.
    """
    votes = [event for event in events if event.kind is EventKind.VOTE]
    done = {
        event.pair_id for event in events if event.kind is not EventKind.LABEL and event.reviewer == reviewer
    }
    said = {(event.pair_id, event.ballot.outcome) for event in votes if event.ballot}

    def is_wanted(entry: IndexEntry) -> bool:
        verdict = verdicts.get(entry.id)
        looks = wanted.looks
        return (
            (wanted.category is None or (entry.category or NO_CATEGORY) == wanted.category)
            and (wanted.found is None or entry.id in wanted.found)
            and (wanted.picked is None or entry.id in wanted.picked)
            and (QueueFilter.ASSIGNED not in looks or wanted.assigned is None or entry.id in wanted.assigned)
            and (QueueFilter.UNVOTED not in looks or entry.id not in done)
            and (QueueFilter.INCONSISTENT not in looks or is_inconsistent(verdict))
            and (QueueFilter.NEAR_EVEN not in looks or (verdict is not None and is_near_even(verdict)))
            and (QueueFilter.DIFFER not in looks or do_differ(entry, verdict, said))
        )

    kept = [entry for entry in entries if is_wanted(entry)]
    if wanted.line is QueueOrder.FILE:
        return kept
    kept.sort(key=lambda entry: shuffle_key(reviewer, entry.content))
    if wanted.line is QueueOrder.UNSURE:
        kept.sort(key=lambda entry: certainty(verdicts.get(entry.id)))
    if wanted.line is QueueOrder.DISPUTED:
        disputes = disagreements(votes)
        kept.sort(key=lambda entry: disputes.get(entry.id, NOT_DISPUTED), reverse=True)
    return kept


def disagreements(votes: Iterable[Event]) -> dict[str, tuple[float, int]]:
    """How far reviewers differ on each pair with two votes or more, by its id, and its number of votes.

    It is the share of any two of them that say different things; "tie" and "both bad" count as equal.
    """
    said: dict[str, list[Outcome]] = {}
    for vote in votes:
        if vote.ballot is not None:
            said.setdefault(vote.pair_id, []).append(vote.ballot.outcome)
    found = {}
    for id, outcomes in said.items():
        n = len(outcomes)
        if n > 1:
            same = sum(count * (count - 1) for count in Counter(outcomes).values())
            found[id] = (1 - same / (n * (n - 1)), n)
    return found


def following(queue: Sequence[IndexEntry], id: str, is_shrinking: bool) -> str | None:
    """The pair that comes after this one in the queue; None at its end.

    Args:
        is_shrinking: pairs leave the queue when they are voted on, so that after its end its beginning, if
            anything is left of it, comes again.
    """
    ids = [entry.id for entry in queue]
    here = ids.index(id) if id in ids else -1
    if here + 1 < len(ids):
        return ids[here + 1]
    return next((other for other in ids if other != id), None) if is_shrinking else None


def categories_of(entries: Iterable[IndexEntry]) -> list[str]:
    return sorted({entry.category or NO_CATEGORY for entry in entries})


def is_inconsistent(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.status is Status.INCONSISTENT


def do_differ(entry: IndexEntry, verdict: Verdict | None, said: set[tuple[str, Outcome]]) -> bool:
    """Whether someone's vote differs from the judge's verdict; an unreadable verdict differs from none."""
    if verdict is None or verdict.outcome is None:
        return False
    return any((entry.id, outcome) in said for outcome in Outcome if outcome is not verdict.outcome)


def certainty(verdict: Verdict | None) -> float:
    """How sure the judge is, 0 to 1; inconsistent below every consistent one, no verdict above all."""
    if verdict is None:
        return 2.0
    sure = 0.0 if verdict.p_a is None else 2 * abs(verdict.p_a - 0.5)
    return sure - 1.0 if verdict.status is not Status.CONSISTENT else sure


def shown_left(reviewer: str, content: str) -> str:
    """Which response is on the left for this reviewer, "A" or "B": by a hash, so that it never changes."""
    return "AB"[shuffle_key(f"left\0{reviewer}", content)[0] & 1]


def shuffle_key(reviewer: str, content: str) -> bytes:
    return hashlib.sha256(f"{reviewer}\0{content}".encode()).digest()
