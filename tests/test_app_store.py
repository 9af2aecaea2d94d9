"""The reviewers' file: append-only, shared by many at once, and whole after a kill."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from judge.errors import InputError
from judge.records import Ballot, Confidence
from judge.review.store import SCHEMA, SIGHTINGS, Event, EventKind, ReviewStore

VOTE = Event(
    EventKind.VOTE, "ada", "c1", "p1", "2026-11-22T10:00:00+00:00", Ballot.A, "why", "math", "B", True
)
REVIEWERS = [f"reviewer {n}" for n in range(8)]
WRITER = """
import sys
from judge.review.store import Event, EventKind, ReviewStore
from judge.records import Ballot

store, who, n = ReviewStore(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for i in range(n):
    store.add(Event(EventKind.VOTE, who, f"c{i}", f"p{i}", "2026-11-22", Ballot.A))
    print(i, flush=True)
"""


@pytest.fixture
def store(tmp_path):
    return ReviewStore(tmp_path / "reviews.sqlite")


def test_a_vote_comes_back_as_it_was_given(store):
    written = store.add(VOTE)
    assert written == replace(VOTE, number=1)
    assert ReviewStore(store.path).standing() == [written]


def test_the_last_word_on_a_pair_counts_and_each_reviewer_has_one(store):
    store.add(VOTE)
    store.add(replace(VOTE, reviewer="bob", ballot=Ballot.B))
    store.add(replace(VOTE, ballot=Ballot.TIE))
    assert [(one.reviewer, one.ballot) for one in store.standing()] == [
        ("bob", Ballot.B),
        ("ada", Ballot.TIE),
    ]


def test_undo_takes_back_ones_own_last_word_and_the_one_before_counts_again(store):
    store.add(VOTE)
    store.add(replace(VOTE, ballot=Ballot.B))
    store.add(replace(VOTE, reviewer="bob"))
    assert undone(store).ballot is Ballot.B
    assert [(one.reviewer, one.ballot) for one in store.standing()] == [("ada", Ballot.A), ("bob", Ballot.A)]
    assert undone(store).ballot is Ballot.A
    assert undone(store) is None
    assert undone(store, EventKind.LABEL) is None
    assert store.last_number() == 5


def undone(store, kind=EventKind.VOTE, contents=("c1",)):
    return store.undo("ada", [kind], "later", contents)


def test_undo_leaves_votes_on_pairs_of_other_files_alone(store):
    store.add(VOTE)
    store.add(replace(VOTE, content="of another file"))
    assert undone(store).content == "c1"
    assert undone(store) is None
    assert [one.content for one in store.standing()] == ["of another file"]


def test_undo_takes_back_what_was_given_here_and_no_vote_of_a_file(store):
    store.add(VOTE)
    store.take_in([replace(VOTE, pair_id="p2", source="votes.jsonl")], {})
    assert undone(store).pair_id == "p1"
    assert undone(store) is None
    assert [one.source for one in store.standing()] == ["votes.jsonl"]


def test_a_vote_of_a_file_takes_no_place_of_one_given_here_under_another_id(store):
    store.add(VOTE)
    of_file = replace(VOTE, pair_id="q1", ballot=Ballot.B, source="votes.jsonl")
    assert store.take_in([of_file], {"c1": ["q1"]}) == 0
    assert store.take_in([of_file], {"c1": ["p1", "q1"]}) == 1
    assert store.take_in([replace(of_file, reviewer="bob")], {"c1": ["q1"]}) == 1


def test_a_label_and_a_skip_stand_beside_a_vote_and_take_nothing_from_it(store):
    store.add(VOTE)
    store.add(replace(VOTE, kind=EventKind.LABEL, ballot=Ballot.B))
    store.add(replace(VOTE, kind=EventKind.SKIP, ballot=None))
    assert [one.kind for one in store.standing()] == [EventKind.VOTE, EventKind.LABEL]


def test_a_vote_takes_the_place_of_a_skip(store):
    store.add(replace(VOTE, kind=EventKind.SKIP, ballot=None))
    store.add(VOTE)
    assert [one.kind for one in store.standing()] == [EventKind.VOTE]


def test_equal_pairs_under_two_ids_have_a_vote_each(store):
    store.add(VOTE)
    store.add(replace(VOTE, pair_id="p2", ballot=Ballot.B))
    assert [(one.pair_id, one.ballot) for one in store.standing()] == [("p1", Ballot.A), ("p2", Ballot.B)]


def test_who_saw_the_judge_is_known_after_a_reload_and_for_that_reviewer_alone(store):
    for _ in range(2):
        store.saw("ada", "c1", "2026")
    again = ReviewStore(store.path)
    assert [again.has_seen(*who) for who in (("ada", "c1"), ("ada", "c2"), ("bob", "c1"))] == [
        True,
        False,
        False,
    ]


def test_a_file_of_the_first_version_opens_with_all_its_votes(tmp_path):
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(SCHEMA)
        connection.execute(
            "INSERT INTO events (kind, reviewer, content, pair_id, ballot, at) "
            "VALUES ('vote', 'ada', 'c1', 'p1', 'A', '2026')"
        )
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    store = ReviewStore(path)
    assert [(one.reviewer, one.ballot) for one in store.standing()] == [("ada", Ballot.A)]
    store.saw("ada", "c1", "2026")
    assert ReviewStore(path).has_seen("ada", "c1")


def test_a_file_of_the_second_version_opens_and_takes_all_that_is_new(tmp_path):
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(SCHEMA + SIGHTINGS)
        connection.execute(
            "INSERT INTO events (kind, reviewer, content, pair_id, ballot, at, saw_judge) "
            "VALUES ('vote', 'ada', 'c1', 'p1', 'A', '2026', 1)"
        )
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    [old] = ReviewStore(path).standing()
    assert (old.ballot, old.saw_judge, old.tags, old.confidence, old.turn) == (Ballot.A, True, (), None, 1)
    new = ReviewStore(path).add(replace(WHOLE, reviewer="bob"))
    assert ReviewStore(path).standing() == [old, new]


WHOLE = replace(
    VOTE,
    saw_judge=None,
    tags=("too long", 'a "b"'),
    confidence=Confidence.LOW,
    source="votes.jsonl",
    turn=2,
    model_a="m",
    model_b="n",
)


def test_all_that_goes_with_a_vote_comes_back(store):
    assert store.add(WHOLE) == replace(WHOLE, number=1)
    assert store.standing() == [replace(WHOLE, number=1)]


def test_a_repeat_stands_beside_the_vote_and_undo_tells_the_two_apart(store):
    store.add(VOTE)
    store.add(replace(VOTE, kind=EventKind.REPEAT, ballot=Ballot.B))
    assert [(one.kind, one.ballot) for one in store.standing()] == [
        (EventKind.VOTE, Ballot.A),
        (EventKind.REPEAT, Ballot.B),
    ]
    assert undone(store, EventKind.REPEAT).ballot is Ballot.B
    assert undone(store, EventKind.REPEAT) is None
    assert [one.kind for one in store.standing()] == [EventKind.VOTE]


def test_many_events_are_written_all_or_none(store):
    with pytest.raises(InputError, match="constraint"):
        store.add_all([VOTE, replace(VOTE, reviewer="")])
    assert store.standing() == []
    assert len(store.add_all([VOTE, replace(VOTE, reviewer="bob")])) == 2


def test_votes_that_are_taken_in_leave_those_that_were_given_or_taken_back_here(store):
    store.add(VOTE)
    assert undone(store)
    others = replace(VOTE, reviewer="bob")
    assert store.take_in([replace(VOTE, ballot=Ballot.B), others], {}) == 1
    assert [one.reviewer for one in store.standing()] == ["bob"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET ballot = 'B'",
        "DELETE FROM events",
        "UPDATE sightings SET reviewer = 'bob'",
        "DELETE FROM sightings",
    ],
)
def test_nothing_is_ever_changed_or_deleted(store, change):
    store.add(VOTE)
    store.saw("ada", "c1", "2026")
    connection = sqlite3.connect(store.path)
    with pytest.raises(sqlite3.IntegrityError, match=r"(events|sightings) are never"):
        connection.execute(change)
    connection.close()


@pytest.mark.parametrize(
    "wrong", [{"reviewer": ""}, {"ballot": None}, {"kind": EventKind.SKIP}, {"shown_left": "C"}], ids=str
)
def test_what_is_no_vote_is_not_written(store, wrong):
    with pytest.raises(InputError, match="constraint"):
        store.add(replace(VOTE, **wrong))
    assert store.standing() == []


def test_another_file_is_refused_in_one_line_and_stays_as_it_is(tmp_path):
    text = tmp_path / "votes.jsonl"
    text.write_text("{}\n" * 400)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    third = tmp_path / "third.sqlite"
    with sqlite3.connect(third) as connection:
        connection.executescript("CREATE TABLE mine (x); PRAGMA user_version = 1")
    before = {file: file.read_bytes() for file in (text, other, third)}
    for path in (*before, tmp_path / "gone" / "reviews.sqlite"):
        with pytest.raises(InputError, match="not a file of reviews") as raised:
            ReviewStore(path)
        assert "\n" not in str(raised.value)
    assert {file: file.read_bytes() for file in before} == before


def test_a_file_that_is_locked_is_called_no_other_kind_of_file(store, monkeypatch):
    monkeypatch.setattr("judge.review.store.WAIT_S", 0.01)
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InputError, match=r"cannot be read or written now \(database is locked\)\.$"):
            store.add(VOTE)
    assert store.standing() == []


@pytest.mark.slow
def test_eight_sessions_vote_at_the_same_time_and_nothing_is_lost(store):
    def vote_50(name):
        return [store.add(replace(VOTE, reviewer=name, content=f"c{i}")) for i in range(50)]

    with ThreadPoolExecutor(8) as pool:
        written = [event for events in pool.map(vote_50, REVIEWERS) for event in events]
    assert store.standing() == sorted(written, key=lambda event: event.number)
    assert len({event.number for event in written}) == 400


@pytest.mark.slow
def test_every_vote_that_was_acknowledged_is_there_after_eight_sessions_are_killed(store):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.path), name, "100000"], stdout=subprocess.PIPE, text=True
        )
        for name in REVIEWERS
    ]
    acknowledged = [[writer.stdout.readline() for _ in range(30)] for writer in writers]
    assert all(line.strip() for lines in acknowledged for line in lines)
    time.sleep(0.1)
    for writer in writers:
        os.kill(writer.pid, signal.SIGKILL)
    told = {}
    for name, writer, lines in zip(REVIEWERS, writers, acknowledged, strict=True):
        rest = [line for line in writer.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
        told[name] = {f"c{int(line)}" for line in [*lines, *rest]}
    kept = {name: {one.content for one in store.standing() if one.reviewer == name} for name in told}
    for name, contents in told.items():
        assert contents <= kept[name]
        assert len(kept[name]) <= len(contents) + 1  # one may have been written and not yet said
    store.add(VOTE)
