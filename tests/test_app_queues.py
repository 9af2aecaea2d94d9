"""Which pairs come up, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from judge.orders import combine
from judge.records import Ballot, Choice, Judgment, Order
from judge.review.pairindex import IndexEntry
from judge.review.queues import (
    QueueFilter,
    QueueOrder,
    QueueWanted,
    categories_of,
    disagreements,
    following,
    queue_of,
    shown_left,
)
from judge.review.store import Event, EventKind

ENTRIES = [IndexEntry(n, f"p{n}", f"c{n}", "math" if n % 2 else None, 10, 20) for n in range(8)]
ALL = QueueWanted(looks=frozenset(), line=QueueOrder.FILE)


def reading(p_first):
    choice = Choice.FIRST if p_first > 0.5 else Choice.SECOND
    return Judgment(choice, {Choice.FIRST: p_first, Choice.SECOND: 1 - p_first}, "", 1, 4)


def verdict(id, p_a_ab, p_a_ba):
    return combine(id, {Order.AB: reading(p_a_ab), Order.BA: reading(1 - p_a_ba)}, "judge")


VERDICTS = {
    "p0": verdict("p0", 0.9, 0.9),  # A
    "p1": verdict("p1", 0.9, 0.2),  # inconsistent
    "p2": verdict("p2", 0.45, 0.4),  # B, near even
    "p3": verdict("p3", 0.1, 0.1),  # B
}


def vote(n, ballot, reviewer="ada", kind=EventKind.VOTE):
    return Event(kind, reviewer, f"c{n}", f"p{n}", "2026", ballot)


def ids(wanted, events=(), reviewer="ada"):
    return [entry.id for entry in queue_of(ENTRIES, wanted, reviewer, events, VERDICTS)]


def looks(*some):
    return QueueWanted(looks=frozenset(some), line=QueueOrder.FILE)


def test_without_a_filter_all_come_in_the_order_of_the_file():
    assert ids(ALL) == [f"p{n}" for n in range(8)]


def test_random_is_the_same_for_one_reviewer_and_another_for_the_next():
    random = QueueWanted(looks=frozenset())
    assert ids(random) == ids(random)
    assert sorted(ids(random)) == sorted(ids(ALL))
    assert ids(random) != ids(random, reviewer="bob")


def test_uncertain_first_has_the_inconsistent_then_the_near_then_the_sure_then_the_unread():
    first = ids(QueueWanted(looks=frozenset(), line=QueueOrder.UNSURE))
    assert first[:4] == ["p1", "p2", "p3", "p0"] or first[:4] == ["p1", "p2", "p0", "p3"]
    assert set(first[4:]) == {"p4", "p5", "p6", "p7"}


@pytest.mark.parametrize(
    ("look", "found"),
    [(QueueFilter.INCONSISTENT, ["p1"]), (QueueFilter.NEAR_EVEN, ["p1", "p2"])],
)
def test_filters_on_verdicts(look, found):
    assert ids(looks(look)) == found


def test_what_one_voted_on_or_skipped_is_done_for_oneself_alone():
    events = [
        vote(0, Ballot.A),
        vote(1, None, kind=EventKind.SKIP),
        vote(2, Ballot.A, "bob"),
        vote(3, Ballot.A, kind=EventKind.LABEL),
    ]
    assert ids(looks(QueueFilter.UNVOTED), events) == ["p2", "p3", "p4", "p5", "p6", "p7"]
    assert ids(looks(QueueFilter.UNVOTED), events, "bob")[:2] == ["p0", "p1"]


def test_where_judge_and_human_differ():
    events = [
        vote(0, Ballot.B),
        vote(1, Ballot.TIE),
        vote(3, Ballot.B, "bob"),
        vote(2, Ballot.BOTH_BAD),
        vote(4, Ballot.A),
    ]
    assert ids(looks(QueueFilter.DIFFER), events) == ["p0", "p2"]  # inconsistent is a tie; p4 has no verdict


def test_categories_and_text():
    assert categories_of(ENTRIES) == ["(no category)", "math"]
    assert ids(QueueWanted(category="math", looks=frozenset(), line=QueueOrder.FILE)) == [
        "p1",
        "p3",
        "p5",
        "p7",
    ]
    assert ids(QueueWanted(category="(no category)", looks=frozenset(), line=QueueOrder.FILE))[0] == "p0"
    assert ids(QueueWanted(looks=frozenset(), line=QueueOrder.FILE, found=frozenset({"p5"}))) == ["p5"]


def test_most_disputed_first_has_the_widest_disagreement_first_and_pairs_without_two_votes_last():
    events = [vote(1, Ballot.A), vote(1, Ballot.A, "bob"), vote(2, Ballot.A), vote(2, Ballot.B, "bob")]
    events += [vote(3, Ballot.A), vote(3, Ballot.A, "bob"), vote(3, Ballot.B, "eve"), vote(4, Ballot.A)]
    events += [vote(5, Ballot.TIE), vote(5, Ballot.BOTH_BAD, "bob")]
    first = ids(QueueWanted(looks=frozenset(), line=QueueOrder.DISPUTED), events)
    assert first[:2] == ["p2", "p3"]
    assert set(first[2:4]) == {"p1", "p5"}
    assert disagreements(events)["p3"] == (pytest.approx(2 / 3), 3)


def test_one_s_own_pairs_and_those_behind_a_figure():
    own = frozenset({"p1", "p4"})
    only = QueueWanted(looks=frozenset({QueueFilter.ASSIGNED}), line=QueueOrder.FILE)
    assert ids(replace(only, assigned=own)) == ["p1", "p4"]
    assert len(ids(only)) == 8  # who has no pairs of their own looks at all of them
    assert ids(replace(ALL, assigned=own, picked=frozenset({"p2", "p4"}))) == ["p2", "p4"]


@pytest.mark.parametrize(
    ("id", "is_shrinking", "after"),
    [
        ("p2", True, "p3"),
        ("p7", True, "p0"),
        ("p7", False, None),
        ("gone", True, "p0"),
        ("gone", False, "p0"),
    ],
)
def test_what_follows_is_the_next_in_the_queue_and_after_its_end_what_is_left(id, is_shrinking, after):
    assert following(ENTRIES, id, is_shrinking) == after


def test_nothing_follows_the_only_pair_that_is_left():
    assert following(ENTRIES[:1], "p0", is_shrinking=True) is None


def test_of_equal_pairs_under_two_ids_only_the_voted_one_is_done():
    twins = [ENTRIES[0], IndexEntry(8, "twin", "c0", None, 10, 20)]
    queue = queue_of(twins, looks(QueueFilter.UNVOTED), "ada", [vote(0, Ballot.A)], VERDICTS)
    assert [entry.id for entry in queue] == ["twin"]


def test_left_and_right_are_as_likely_and_never_change_for_a_reviewer():
    sides = [shown_left("ada", f"c{n}") for n in range(2000)]
    assert 900 < sides.count("A") < 1100
    assert sides == [shown_left("ada", f"c{n}") for n in range(2000)]
    assert sides != [shown_left("bob", f"c{n}") for n in range(2000)]
