"""Several answers to one question: which are shown together, and the votes that their order is."""

from __future__ import annotations

import pytest
from pairs import pair_of

from judge.io.pairs import write_pairs
from judge.records import Ballot
from judge.review.ordering import as_shown, is_ordered, questions_of, texts_of, votes_of_places
from judge.review.pairindex import digest, opened
from judge.review.store import Event, EventKind

PAIRS = [
    pair_of("one", "two", "Which?", "p0"),
    pair_of("three", "one", "Which?", "p1"),
    pair_of("two", "three", "Which?", "p2"),
    pair_of("one", "two", "Alone?", "p3"),
    pair_of("one", "one", "Which?", "same"),
    pair_of("one", "two", "Which?", "other", system="Be brief."),
]


@pytest.fixture
def index(tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", PAIRS)
    index = opened(tmp_path / "pairs.jsonl")
    index.read_on(100)
    return index


def test_answers_to_one_question_are_shown_together_and_two_alone_are_not(index):
    [question] = questions_of(index.entries)
    assert [entry.id for entry in question.entries] == ["p0", "p1", "p2"]
    pair, texts = texts_of(question, index)
    assert (pair.prompt, set(texts.values())) == ("Which?", {"one", "two", "three"})


def test_more_than_twelve_answers_are_too_many_for_one_view(tmp_path):
    write_pairs(tmp_path / "many.jsonl", [pair_of(f"{n}", f"{n + 1}", "Which?", f"p{n}") for n in range(12)])
    many = opened(tmp_path / "many.jsonl")
    many.read_on(100)
    assert questions_of(many.entries) == []
    assert len(questions_of(many.entries[:11])[0].answers) == 12


def test_a_reviewer_s_order_of_answers_is_always_the_same(index):
    [question] = questions_of(index.entries)
    assert as_shown(question, "ada") == as_shown(question, "ada")
    assert {tuple(as_shown(question, f"r{n}")) for n in range(50)} > {tuple(as_shown(question, "ada"))}


def test_an_order_is_a_vote_on_each_pair_and_equal_places_are_a_tie(index):
    [question] = questions_of(index.entries)
    one, two, three = (digest(text) for text in ("one", "two", "three"))
    common = Event(EventKind.VOTE, "ada", "", "", "2026", note="why")
    votes = votes_of_places(question, {one: 1, two: 2, three: 2}, [three, two, one], common)
    assert [(one.pair_id, one.ballot, one.shown_left, one.note) for one in votes] == [
        ("p0", Ballot.A, "B", "why"),
        ("p1", Ballot.B, "A", "why"),
        ("p2", Ballot.TIE, "B", "why"),
    ]
    assert [vote.content for vote in votes] == [entry.content for entry in question.entries]
    assert is_ordered(question, "ada", votes)
    assert not is_ordered(question, "ada", votes[:2])
    assert not is_ordered(question, "bob", votes)
