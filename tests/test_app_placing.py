"""Votes and verdicts are put to the pairs of the open file by content, and nothing is lost or mixed."""

from __future__ import annotations

from dataclasses import replace

from pairs import pair_of

from judge.metrics.baselines import longer_wins
from judge.records import Ballot
from judge.review.pairindex import IndexEntry
from judge.review.placing import by_judge, judged_here, placed, verdicts_here
from judge.review.store import Event, EventKind

PAIR = pair_of("a long answer", "short", "Why?", "x")
OTHER = pair_of("one", "two", "How?", "z")


def entries(*pairs):
    return [IndexEntry(n, pair.id, pair.content_hash, None, 1, 1) for n, pair in enumerate(pairs)]


def by_content(*pairs):
    found = {}
    for entry in entries(*pairs):
        found.setdefault(entry.content, []).append(entry)
    return found


def by_id(*pairs):
    return {entry.id: entry for entry in entries(*pairs)}


def vote(id, ballot=Ballot.A, number=1, kind=EventKind.VOTE, reviewer="ada"):
    return Event(kind, reviewer, PAIR.content_hash, id, "2026", ballot, number=number)


TWINS = (PAIR, replace(PAIR, id="y"), OTHER)


def test_equal_pairs_under_two_ids_have_a_vote_each():
    events = placed([vote("x"), vote("y", Ballot.B, 2)], by_content(*TWINS))
    assert [(event.pair_id, event.ballot) for event in events] == [("x", Ballot.A), ("y", Ballot.B)]


def test_a_vote_follows_its_content_to_another_id():
    [event] = placed([vote("old name")], by_content(*TWINS))
    assert event.pair_id == "x"
    assert placed([vote("x")], by_content(OTHER)) == []


def test_the_last_vote_counts_under_whichever_id_it_was_given():
    events = [
        vote("old name", Ballot.A, 1),
        vote("x", Ballot.B, 2),
        vote("old name", None, 3, EventKind.SKIP),
    ]
    assert [(one.pair_id, one.ballot) for one in placed(events, by_content(PAIR))] == [("x", Ballot.B)]


def test_verdicts_of_two_judges_stay_two():
    longer = longer_wins([PAIR, OTHER])
    others = [replace(verdict, judge="another") for verdict in longer]
    assert {judge: sorted(some) for judge, some in by_judge([*longer, *others]).items()} == {
        longer[0].judge: ["x", "z"],
        "another": ["x", "z"],
    }


def test_verdicts_that_are_on_no_pair_are_named_and_the_others_are_there():
    verdicts = {verdict.pair_id: verdict for verdict in longer_wins([PAIR, OTHER])}
    here, strange = verdicts_here(verdicts, by_id(PAIR), by_content(PAIR))
    assert (list(here), strange) == (["x"], ["z"])


def test_verdicts_find_their_pairs_while_the_file_is_still_being_read():
    contents = {}

    class Content(str):
        def __getitem__(self, place):
            contents[f"of the next line {len(contents)}"] = []  # as the thread does that reads on
            return super().__getitem__(place)

    contents[Content(PAIR.content_hash)] = entries(PAIR)
    contents[Content(OTHER.content_hash)] = entries(OTHER)
    [verdict] = longer_wins([replace(PAIR, id=PAIR.content_hash[:16])])
    here, strange = verdicts_here({verdict.pair_id: verdict}, {}, contents)
    assert (list(here), strange) == (["x"], [])


def test_a_verdict_under_a_content_hash_is_on_all_pairs_with_that_content():
    [verdict] = longer_wins([replace(PAIR, id=PAIR.content_hash[:16])])
    here, strange = verdicts_here({verdict.pair_id: verdict}, by_id(*TWINS), by_content(*TWINS))
    assert ({id: one.pair_id for id, one in here.items()}, strange) == ({"x": "x", "y": "y"}, [])


def test_what_was_judged_here_is_on_the_texts_that_were_read_and_on_no_others_of_that_id():
    changed = replace(OTHER, id="x")
    verdicts = longer_wins([PAIR])
    assert sorted(judged_here([PAIR], verdicts, by_content(*TWINS))) == ["x", "y"]
    assert judged_here([PAIR], verdicts, by_content(changed)) == {}
