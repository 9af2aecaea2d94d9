"""Votes from files, put to the pairs of the open file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from judge.io.wording import some_of
from judge.records import HumanVote
from judge.review.pairindex import IndexEntry
from judge.review.store import Event, EventKind, ReviewStore


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of a file's votes: how many are new, how many were here, and which pairs the others are on.

    `replaced` are the pairs of votes that a later one in the file takes the place of: a voter has one vote on
    a pair, whatever its turn. `strange` are ids that no open pair has.
    """

    file: str
    n_new: int
    n_known: int
    replaced: Sequence[str]
    strange: Sequence[str]

    @property
    def words(self) -> str:
        """The same in one sentence."""
        total = self.n_new + self.n_known + len(self.replaced) + len(self.strange)
        parts = [f"{self.n_new:,} of {total:,} votes taken in"]
        if self.n_known:
            parts.append(f"{self.n_known:,} left out, as their voters have voted on those pairs here")
        if self.replaced:
            parts.append(
                f"{len(self.replaced):,} left out, as a voter's last vote on a pair counts, "
                f"of whatever turn: {some_of(self.replaced)}"
            )
        if self.strange:
            parts.append(f"{len(self.strange):,} on no pair of the open file: {some_of(self.strange)}")
        return f"{self.file}: {'; '.join(parts)}."


def take_in(
    votes: Iterable[HumanVote], by_id: Mapping[str, IndexEntry], file: str, store: ReviewStore
) -> TakenIn:
    """Keeps the votes on pairs that are open, all or none; the same file again changes nothing."""
    votes = list(votes)
    here = [vote for vote in votes if vote.pair_id in by_id]
    last = {(vote.voter, vote.pair_id): vote for vote in here}
    ids_of: dict[str, list[str]] = {}
    for entry in by_id.values():
        ids_of.setdefault(entry.content, []).append(entry.id)
    events = [event_of_vote(vote, by_id[vote.pair_id], file) for vote in last.values()]
    n_new = store.take_in(events, ids_of)
    replaced = [vote.pair_id for vote in here if last[vote.voter, vote.pair_id] is not vote]
    strange = [vote.pair_id for vote in votes if vote.pair_id not in by_id]
    return TakenIn(file, n_new, len(last) - n_new, replaced, strange)


def event_of_vote(vote: HumanVote, entry: IndexEntry, file: str) -> Event:
    """The vote as an event on that pair, with all that the file says of it; no time is "" there."""
    return Event(
        kind=EventKind.VOTE,
        reviewer=vote.voter,
        content=entry.content,
        pair_id=entry.id,
        at=vote.at or "",
        ballot=vote.outcome,
        note=vote.note or "",
        category=vote.category or entry.category,
        shown_left=vote.shown_left,
        saw_judge=vote.saw_judge,
        tags=vote.tags,
        confidence=vote.confidence,
        source=file,
        turn=vote.turn,
        model_a=vote.model_a,
        model_b=vote.model_b,
    )
