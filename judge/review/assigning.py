"""Who reviews which pairs of a project, and how far everybody is: by reviewer, and by pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from judge.review.pairindex import IndexEntry
from judge.review.projectfile import ReviewProject
from judge.review.queues import shuffle_key
from judge.review.store import Event, EventKind

Assigned = Mapping[str, tuple[str, ...]]
"""The reviewers of each pair, by its id."""


@dataclass(frozen=True, slots=True)
class ReviewerProgress:
    """How far one reviewer is: pairs to review, and of these voted on and skipped.

    `n_more` are votes on pairs that somebody else was to review, `last` is the time of the last vote.
    """

    reviewer: str
    n_assigned: int
    n_voted: int
    n_skipped: int
    n_more: int
    last: str

    @property
    def n_left(self) -> int:
        return self.n_assigned - self.n_voted


@dataclass(frozen=True, slots=True)
class PairProgress:
    """Who has voted on one pair, and whose vote is missing."""

    entry: IndexEntry
    voted: tuple[str, ...]
    missing: tuple[str, ...]


def assigned_of(entries: Iterable[IndexEntry], project: ReviewProject | None) -> dict[str, tuple[str, ...]]:
    """The reviewers of each pair; nothing where no reviewers are named.

    Pairs are dealt out in the order of the file, each to those who have least for their share so far; a hash
    of the pair's texts decides between equals, so that all teams come to work together. Hence nobody has more
    than one pair too many wherever the file ends, and pairs that are added at its end change nothing above.
    """
    if project is None or not project.reviewers:
        return {}
    names, given = project.reviewers, project.assignment
    if given.reviewers_per_pair is None and not given.shares:
        return {entry.id: names for entry in entries}
    return _dealt(entries, given.shares or dict.fromkeys(names, 1.0), given.reviewers_per_pair or 1)


def _dealt(entries: Iterable[IndexEntry], shares: Mapping[str, float], n: int) -> dict[str, tuple[str, ...]]:
    has = dict.fromkeys(shares, 0)
    found = {}
    for entry in entries:
        by_need = sorted(
            shares, key=lambda name: ((has[name] + 1) / shares[name], shuffle_key(name, entry.content))
        )
        found[entry.id] = tuple(sorted(by_need[:n], key=list(shares).index))
        for name in by_need[:n]:
            has[name] += 1
    return found


def pairs_of(reviewer: str, assigned: Assigned) -> frozenset[str]:
    """The ids of the pairs that this reviewer is to review."""
    return frozenset(id for id, names in assigned.items() if reviewer in names)


def progress_of_reviewers(
    entries: Sequence[IndexEntry], assigned: Assigned, events: Iterable[Event], names: Sequence[str]
) -> list[ReviewerProgress]:
    """How far everybody is who is named or has voted; where nothing is assigned, all pairs are everybody's.

    Args:
        events: the last words on these pairs, under their ids.
    """
    by_name: dict[str, list[Event]] = {name: [] for name in names}
    for event in events:
        if event.kind in (EventKind.VOTE, EventKind.SKIP):
            by_name.setdefault(event.reviewer, []).append(event)
    every = frozenset(entry.id for entry in entries)
    return [
        _progress_of(name, mine, pairs_of(name, assigned) if assigned else every)
        for name, mine in by_name.items()
    ]


def _progress_of(name: str, mine: Sequence[Event], ids: frozenset[str]) -> ReviewerProgress:
    voted = {event.pair_id for event in mine if event.kind is EventKind.VOTE}
    skipped = {event.pair_id for event in mine if event.kind is EventKind.SKIP}
    return ReviewerProgress(
        reviewer=name,
        n_assigned=len(ids),
        n_voted=len(voted & ids),
        n_skipped=len((skipped - voted) & ids),
        n_more=len(voted - ids),
        last=max((event.at for event in mine if event.kind is EventKind.VOTE), default=""),
    )


def progress_of_pairs(
    entries: Iterable[IndexEntry], assigned: Assigned, events: Iterable[Event]
) -> list[PairProgress]:
    """Who has voted on each pair, in the order of the file; a vote is missing of those it is assigned to."""
    voted: dict[str, list[str]] = {}
    for event in events:
        if event.kind is EventKind.VOTE:
            voted.setdefault(event.pair_id, []).append(event.reviewer)
    return [
        PairProgress(
            entry,
            tuple(sorted(voted.get(entry.id, ()))),
            tuple(name for name in assigned.get(entry.id, ()) if name not in voted.get(entry.id, ())),
        )
        for entry in entries
    ]
