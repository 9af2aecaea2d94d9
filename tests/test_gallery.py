"""Which pairs are shown of a judge, and in what order."""

from __future__ import annotations

import random

from pairs import pair_of
from studies import entrants, pairs, votes

from judge.orders import combine
from judge.records import Ballot, Choice, HumanVote, Judgment, Order, Unparsed
from judge.report.summary import ReportRow
from judge.study.gallery import galleries_of, gallery_of, reading_in_full, votes_in_words

IDS = ("p1", "p2", "p3", "p4")
PAIRS = [pair_of(id=id) for id in IDS]


def verdict(id, in_ab, in_ba):
    """Numbers are P(A) in that order, choices are made without probabilities."""
    readings = {}
    for order, given in zip(Order, (in_ab, in_ba), strict=True):
        if isinstance(given, float):
            p_first = given if order is Order.AB else 1 - given
            choice = Choice.FIRST if p_first > 0.5 else Choice.SECOND
            given = Judgment(choice, {Choice.FIRST: p_first, Choice.SECOND: 1 - p_first}, "[[A]]", 1, 4)
        elif isinstance(given, Choice):
            given = Judgment(given, None, "Verdict: 1", 1, 4)
        readings[order] = given
    return combine(id, readings, "a-judge")


def all_say(said, ids=IDS):
    return [HumanVote(id, "ann", Ballot(said)) for id in ids]


def ids_of(examples):
    return [one.row.id for one in examples]


def test_disagreements_are_consistent_verdicts_against_most_people_the_surest_first():
    verdicts = [
        verdict("p1", 0.6, 0.7),
        verdict("p2", 0.9, 0.95),
        verdict("p3", 0.2, 0.1),
        verdict("p4", 0.9, 0.2),
    ]
    gallery = gallery_of("a judge", verdicts, all_say("B"), PAIRS)
    assert ids_of(gallery.disagreements) == ["p2", "p1"]
    assert gallery.n_disagreements == 2


def test_who_agrees_with_a_majority_or_meets_none_is_no_disagreement():
    verdicts = [verdict("p1", 0.9, 0.9), verdict("p2", 0.9, 0.9), verdict("p3", Choice.TIE, Choice.TIE)]
    said = [
        *all_say("A", ["p1"]),
        *all_say("A", ["p2"]),
        HumanVote("p2", "bob", Ballot.B),
        *all_say("B", ["p3"]),
    ]
    assert gallery_of("a judge", verdicts, said, PAIRS).disagreements == ()


def test_flips_begin_with_the_strongest_contradiction():
    verdicts = [
        verdict("p1", 0.6, 0.4),
        verdict("p2", 0.9, 0.1),
        verdict("p3", 0.9, 0.9),
        verdict("p4", 0.3, 0.9),
    ]
    gallery = gallery_of("a judge", verdicts, all_say("A"), PAIRS)
    assert ids_of(gallery.flipped) == ["p2", "p4", "p1"]


def test_without_probabilities_a_and_b_contradict_more_than_a_and_tie_and_ids_decide_the_rest():
    verdicts = [
        verdict("p1", Choice.FIRST, Choice.TIE),
        verdict("p4", Choice.FIRST, Choice.FIRST),
        verdict("p3", Choice.SECOND, Choice.SECOND),
        verdict("p2", Choice.FIRST, Choice.SECOND),
    ]
    gallery = gallery_of("a judge", verdicts, all_say("B"), PAIRS)
    assert ids_of(gallery.flipped) == ["p3", "p4", "p1"]
    assert ids_of(gallery.disagreements) == ["p2"]


def test_at_most_n_are_shown_and_all_are_counted():
    verdicts = [verdict(id, 0.9, 0.9) for id in IDS]
    gallery = gallery_of("a judge", verdicts, all_say("B"), PAIRS, n=2)
    assert ids_of(gallery.disagreements) == ["p1", "p2"]
    assert gallery.n_disagreements == 4


def test_pairs_without_a_vote_or_without_texts_are_left_out():
    verdicts = [verdict(id, 0.9, 0.9) for id in IDS]
    gallery = gallery_of("a judge", verdicts, all_say("B", ["p1", "p2"]), PAIRS[1:])
    assert ids_of(gallery.disagreements) == ["p2"]
    assert gallery.disagreements[0].row.pair is PAIRS[1]


def test_only_judges_have_a_gallery():
    on = pairs()
    assert [gallery.judge for gallery in galleries_of(entrants(on), votes(on), on)] == ["fast", "slow"]


def test_the_order_of_the_input_changes_nothing():
    on = pairs()
    shuffled = random.Random(0).sample(on, len(on))
    first = galleries_of(entrants(on), votes(on), on)
    second = galleries_of(
        [  # the same verdicts, in another order
            type(one)(one.name, one.kind, random.Random(1).sample(list(one.verdicts), len(on)))
            for one in entrants(on)
        ],
        votes(on)[::-1],
        shuffled,
    )
    assert first == second


def test_votes_are_said_in_words():
    def said(*ballots):
        return votes_in_words([HumanVote("p", "ann", Ballot(one)) for one in ballots])

    assert said("A", "TIE", "A", "A") == "3 for A, 1 tie"
    assert said("B", "BOTH_BAD", "TIE", "A") == "1 for A, 1 for B, 2 ties"
    assert said("B") == "1 for B"


def test_a_reading_says_what_was_shown_first_and_what_came_of_it():
    row = ReportRow(verdict("p1", 0.9, Unparsed("no verdict", raw="?")))
    assert reading_in_full(row, Order.AB) == "A shown first: A is better, P(A) 0.90"
    assert reading_in_full(row, Order.BA) == "B shown first: not read, no verdict"
    row = ReportRow(verdict("p1", Choice.TIE, Choice.FIRST))
    assert reading_in_full(row, Order.AB) == "A shown first: a tie"
    assert reading_in_full(row, Order.BA) == "B shown first: B is better"
