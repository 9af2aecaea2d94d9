"""The same pair again: when it comes, and how far a reviewer agrees with themselves."""

from __future__ import annotations

import pytest

from judge.records import Ballot, Share
from judge.review.pairindex import IndexEntry
from judge.review.projectfile import Repeat
from judge.review.repeating import comes_again, due, own_consistency
from judge.review.store import Event, EventKind

ENTRIES = [IndexEntry(n, f"p{n}", f"c{n}", None, 1, 1) for n in range(8)]


def event(n, ballot=Ballot.A, kind=EventKind.VOTE, left="A", reviewer="ada", **more):
    return Event(kind, reviewer, f"c{n}", f"p{n}", "2026", ballot, shown_left=left, **more)


def ids(events, repeat, reviewer="ada"):
    return [entry.id for entry in due(ENTRIES, reviewer, events, repeat)]


def test_a_pair_comes_again_after_so_many_more_votes_and_once():
    every = Repeat(share=1.0, after=3)
    votes = [event(n) for n in range(5)]
    assert ids(votes[:3], every) == []
    assert ids(votes[:4], every) == ["p0"]
    assert ids(votes, every) == ["p0", "p1"]
    assert ids([*votes, event(0, kind=EventKind.REPEAT)], every) == ["p1"]
    assert ids(votes, every, "bob") == []
    assert ids(votes, None) == []


def test_votes_from_files_and_pairs_that_are_no_longer_there_do_not_come_again():
    votes = [event(0, source="votes.jsonl"), event(99), *(event(n) for n in range(1, 6))]
    assert ids(votes, Repeat(share=1.0, after=2)) == ["p1", "p2", "p3"]


def test_the_share_of_pairs_that_come_again_is_kept_and_another_one_for_each_reviewer():
    repeat = Repeat(share=0.2, after=1)
    chosen = [n for n in range(5_000) if comes_again("ada", f"c{n}", repeat)]
    assert len(chosen) == pytest.approx(1_000, abs=100)
    assert chosen != [n for n in range(5_000) if comes_again("bob", f"c{n}", repeat)]
    assert not comes_again("ada", "c1", None)


def test_own_consistency_compares_outcomes_and_tells_habit_of_a_side_apart():
    events = [event(n, left="A") for n in range(4)] + [event(4, reviewer="bob")]
    again = [
        event(0, Ballot.A, EventKind.REPEAT, "B"),  # the same answer
        event(1, Ballot.B, EventKind.REPEAT, "B"),  # left again, so the other answer
        event(2, Ballot.TIE, EventKind.REPEAT, "B"),
    ]
    [ada] = own_consistency([*events, *again], {})
    assert (ada.reviewer, ada.same, ada.same_side) == ("ada", Share(1, 3), Share(1, 3))
    assert ada.changed == ("p1", "p2")


def test_kappa_of_a_reviewer_who_always_says_the_same_of_both_kinds_is_one():
    ballots = [Ballot.A, Ballot.B] * 4
    events = [event(n, ballot) for n, ballot in enumerate(ballots)]
    again = [event(n, ballot, EventKind.REPEAT, "B") for n, ballot in enumerate(ballots)]
    [ada] = own_consistency([*events, *again], {})
    assert ada.kappa.value == pytest.approx(1.0)
