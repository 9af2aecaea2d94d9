"""The same pair again, with its sides swapped, after a while: how far a reviewer agrees with themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from judge.metrics.bootstrap import Estimate
from judge.records import Outcome, Share
from judge.review.agreement import kappa_of, share_same
from judge.review.pairindex import IndexEntry
from judge.review.projectfile import Repeat
from judge.review.queues import shuffle_key
from judge.review.store import Event, EventKind

AGAIN = "\0again"
"""What stands behind a pair's id on the trail of a reviewer to whom it has come again."""


@dataclass(frozen=True, slots=True)
class OwnConsistency:
    """What one reviewer said of pairs that came again, sides swapped.

    `same_side` counts those of which the same side of the screen was chosen both times: another answer.
    `changed` are the ids of the pairs of which the reviewer said different things.
    """

    reviewer: str
    same: Share
    same_side: Share
    kappa: Estimate
    changed: tuple[str, ...]


def comes_again(reviewer: str, content: str, repeat: Repeat | None) -> bool:
    """Whether a pair is one that comes again to this reviewer: a hash says, so that it never changes."""
    if repeat is None:
        return False
    number = int.from_bytes(shuffle_key(f"again\0{reviewer}", content)[:4])
    return number < repeat.share * 2**32


def due(
    entries: Iterable[IndexEntry], reviewer: str, events: Iterable[Event], repeat: Repeat | None
) -> list[IndexEntry]:
    """The pairs that are to come again to this reviewer now, the one with the oldest vote first.

    Args:
        events: the last words on these pairs, under their ids, oldest first.
    """
    if repeat is None:
        return []
    mine = [event for event in events if event.reviewer == reviewer]
    votes = [event for event in mine if event.kind is EventKind.VOTE and event.source is None]
    over = {event.pair_id for event in mine if event.kind is EventKind.REPEAT}
    here = {entry.id: entry for entry in entries}
    old = votes[: max(0, len(votes) - repeat.after)]
    return [
        here[vote.pair_id]
        for vote in old
        if vote.pair_id in here and vote.pair_id not in over and comes_again(reviewer, vote.content, repeat)
    ]


def own_consistency(events: Sequence[Event], question_of: Mapping[str, str]) -> list[OwnConsistency]:
    """How far each reviewer agrees with themselves, of those to whom a pair came again.

    Args:
        events: the last words on these pairs, under their ids.
        question_of: the question of each pair, for the interval; a pair without one counts as a question.
    """
    first = {(one.reviewer, one.pair_id): one for one in events if one.kind is EventKind.VOTE}
    twice: dict[str, list[tuple[Event, Event]]] = {}
    for one in events:
        before = first.get((one.reviewer, one.pair_id))
        if one.kind is EventKind.REPEAT and before is not None:
            twice.setdefault(one.reviewer, []).append((before, one))
    return [_of_one(name, both, question_of) for name, both in sorted(twice.items())]


def _of_one(
    reviewer: str, both: Sequence[tuple[Event, Event]], question_of: Mapping[str, str]
) -> OwnConsistency:
    said, again = ([one.ballot.outcome for one in side if one.ballot] for side in zip(*both, strict=True))
    sides = [(_side(before), _side(after)) for before, after in both]
    return OwnConsistency(
        reviewer=reviewer,
        same=share_same(said, again),
        same_side=Share(sum(one is not None and one == other for one, other in sides), len(sides)),
        kappa=kappa_of(said, again, [question_of.get(one.pair_id, one.pair_id) for one, _ in both]),
        changed=tuple(one.pair_id for (one, _), a, b in zip(both, said, again, strict=True) if a is not b),
    )


def _side(event: Event) -> str | None:
    """The side of the screen that was chosen, "left" or "right"; None for a tie, or where it is not known."""
    if event.ballot is None or event.ballot.outcome is Outcome.TIE or event.shown_left is None:
        return None
    return "left" if event.ballot.outcome.value == event.shown_left else "right"
