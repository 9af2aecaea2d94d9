"""Several answers to one question, put in order in one view: each order is a vote on every pair of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from judge.records import Ballot, Pair
from judge.review.pairindex import IndexEntry, PairIndex
from judge.review.queues import shuffle_key
from judge.review.store import Event, EventKind

FEWEST, MOST = 3, 12
"""So many answers to one question are shown in one view; of two, the Review page shows the pair."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the file with three answers or more, and the pairs of them that the file has.

    `answers` are their digests, in the order in which they first come in the file.
    """

    asked: bytes
    answers: tuple[bytes, ...]
    entries: tuple[IndexEntry, ...]

    @property
    def name(self) -> str:
        """The id of its first pair, which names it on the page."""
        return self.entries[0].id


def questions_of(entries: Iterable[IndexEntry]) -> list[Question]:
    """The questions with three answers or more, in the order of the file; of more than twelve, none."""
    by_question: dict[bytes, list[IndexEntry]] = {}
    for entry in entries:
        if entry.asked and entry.answers[0] != entry.answers[1]:
            by_question.setdefault(entry.asked, []).append(entry)
    found = []
    for asked, some in by_question.items():
        answers = tuple(dict.fromkeys(answer for entry in some for answer in entry.answers))
        if FEWEST <= len(answers) <= MOST:
            found.append(Question(asked, answers, tuple(some)))
    return found


def texts_of(question: Question, index: PairIndex) -> tuple[Pair, dict[bytes, str]]:
    """One pair of the question, for what comes before the answers, and the text of each answer."""
    texts: dict[bytes, str] = {}
    pair = index.pair(question.entries[0])
    for entry in question.entries:
        if not set(entry.answers) <= texts.keys():
            one = index.pair(entry)
            texts |= dict(zip(entry.answers, (one.response_a, one.response_b), strict=True))
    return pair, texts


def as_shown(question: Question, reviewer: str) -> list[bytes]:
    """The answers in an order of the reviewer's own, always the same."""
    return sorted(question.answers, key=lambda answer: shuffle_key(f"order\0{reviewer}", answer.hex()))


def votes_of_places(
    question: Question, places: Mapping[bytes, int], shown: Sequence[bytes], event: Event
) -> list[Event]:
    """A vote on each pair of the question: the answer with the lower place is better, equal ones are a tie.

    Args:
        places: from 1, the best.
        shown: the answers in the order in which they were shown: of two, the first counts as the left one.
        event: what all of these votes have in common.
    """
    votes = []
    for entry in question.entries:
        a, b = (places[answer] for answer in entry.answers)
        is_a_first = shown.index(entry.answers[0]) < shown.index(entry.answers[1])
        votes.append(
            Event(
                kind=EventKind.VOTE,
                reviewer=event.reviewer,
                content=entry.content,
                pair_id=entry.id,
                at=event.at,
                ballot=Ballot.TIE if a == b else Ballot.A if a < b else Ballot.B,
                note=event.note,
                category=entry.category,
                shown_left="A" if is_a_first else "B",
                saw_judge=event.saw_judge,
                tags=event.tags,
                confidence=event.confidence,
            )
        )
    return votes


def is_ordered(question: Question, reviewer: str, events: Iterable[Event]) -> bool:
    """Whether the reviewer has voted on every pair of the question.

    Args:
        events: the last words on the pairs of the file, under their ids.
    """
    voted = {one.pair_id for one in events if one.reviewer == reviewer and one.kind is EventKind.VOTE}
    return all(entry.id in voted for entry in question.entries)
