"""Votes and verdicts as arrays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from pairs import pair_of
from panels import comparisons, doubled, judge, panel, renamed, rows, value

from judge.errors import InputError
from judge.metrics.panel import (
    UNREAD,
    decided,
    majorities,
    panel_of,
    part_of,
    share,
    sides_in_part,
    sides_of,
    with_each_other,
    with_judge,
)
from judge.orders import combine
from judge.records import (
    Ballot,
    Choice,
    HumanVote,
    Judgment,
    Message,
    Order,
    Outcome,
    Pair,
    Status,
    Unparsed,
    Verdict,
)

FIRST_SURE = {Choice.FIRST: 0.8, Choice.SECOND: 0.2}


def chosen(choice: Choice, probabilities=None) -> Judgment:
    return Judgment(choice, probabilities, "", 1, 4)


def verdict(id: str, in_ab, in_ba) -> Verdict:
    return combine(id, {Order.AB: in_ab, Order.BA: in_ba}, "j")


PAIRS = [
    pair_of("longer", "short", "Q one", "p"),
    pair_of("same", "size", "Q two", "q"),
    pair_of("x", "xyz", "Q one", "r"),
]
VOTES = [
    HumanVote("r", "ann", Ballot.B),
    HumanVote("p", "bob", Ballot.A),
    HumanVote("elsewhere", "bob", Ballot.A),
    HumanVote("r", "bob", Ballot.BOTH_BAD),
]


def test_a_panel_holds_votes_by_the_place_of_their_pair():
    made = panel_of(["p", "q", "r"], VOTES, PAIRS)
    assert made.pair_ids == ("p", "q", "r")
    assert (made.question.tolist(), made.n_questions) == ([0, 1, 0], 2)
    assert made.longer.tolist() == [1, 0, -1]
    assert made.voted_pair.tolist() == [2, 0, 2], "votes on pairs that are not here are left out"
    assert made.voted.tolist() == [-1, 1, 0], "two bad responses are a tie"
    assert made.voter.tolist() == [0, 1, 1]


def test_without_texts_each_pair_is_its_own_question():
    made = panel_of(["r", "p"], VOTES, None)
    assert (made.question.tolist(), made.n_questions, made.longer) == ([0, 1], 2, None)


def test_pairs_may_be_given_in_any_order():
    assert panel_of(["p", "q", "r"], VOTES, PAIRS[::-1]).longer.tolist() == [1, 0, -1]


def test_one_id_twice_and_an_id_without_its_pair_are_errors():
    with pytest.raises(InputError, match="two pairs have one id: p"):
        panel_of(["p", "q", "p"], VOTES, PAIRS)
    with pytest.raises(InputError, match="1 of 2 pairs are not given: z"):
        panel_of(["p", "z"], VOTES, PAIRS)


def test_a_question_is_the_first_thing_a_user_said():
    said = [Message("system", "be nice"), Message("user", "one"), Message("assistant", "x")]
    later = (*said, Message("user", "two"), Message("assistant", "y"))
    assert Pair("t", later, later).question == "one"
    assert Pair("t", later[2:3], later[2:3]).question == ""


def test_the_longer_response_has_more_characters_not_bytes():
    assert pair_of("ééé", "eeee").longer is Outcome.B
    assert pair_of("éé", "ee").longer is Outcome.TIE


def test_sides_are_what_both_orders_say_together_and_each_alone():
    verdicts = [
        verdict("r", chosen(Choice.FIRST, FIRST_SURE), chosen(Choice.FIRST, FIRST_SURE)),
        verdict("q", chosen(Choice.SECOND, FIRST_SURE), Unparsed("?", "")),
        verdict("p", chosen(Choice.FIRST, FIRST_SURE), chosen(Choice.SECOND, FIRST_SURE)),
    ]
    sides = sides_of(verdicts, panel_of(["p", "q", "r"], VOTES, PAIRS))
    assert sides.strict.tolist() == [1, UNREAD, 0]
    assert sides.is_inconsistent.tolist() == [False, False, True]
    assert sides.by_order.tolist() == [[1, 1], [-1, UNREAD], [1, -1]]
    assert sides.by_mean.tolist() == [0, UNREAD, 0], "both probabilities cancel"
    assert sides.p_a == pytest.approx([0.5, np.nan, 0.5], nan_ok=True)
    assert sides.first_twice.tolist() == [False, False, True]
    assert sides.second_twice.tolist() == [False, False, False]


def test_there_is_no_figure_by_mean_where_a_pair_that_was_read_has_no_probability():
    verdicts = [
        verdict("r", chosen(Choice.FIRST, None), chosen(Choice.FIRST, None)),
        verdict("q", chosen(Choice.FIRST, FIRST_SURE), chosen(Choice.SECOND, FIRST_SURE)),
        verdict("p", chosen(Choice.FIRST, FIRST_SURE), chosen(Choice.SECOND, FIRST_SURE)),
    ]
    sides = sides_of(verdicts, panel_of(["p", "q", "r"], VOTES, PAIRS))
    assert sides.by_mean is None
    assert sides.p_a == pytest.approx([0.5, 0.5, np.nan], nan_ok=True)


def test_somebody_elses_verdicts_have_a_strict_side_and_nothing_more():
    released = [Verdict(id, Status.CONSISTENT, "B", None, None, {}, "gpt-4") for id in "pqr"]
    sides = sides_of(released, panel_of(["p", "q", "r"], VOTES, PAIRS))
    assert sides.strict.tolist() == [-1, -1, -1]
    assert (sides.by_order, sides.by_mean, sides.p_a, sides.first_twice) == (None,) * 4


def test_a_pair_without_a_verdict_is_an_error():
    with pytest.raises(InputError, match="2 of 3 pairs have no verdict: p, r"):
        sides_of(
            [verdict("q", chosen(Choice.TIE), chosen(Choice.TIE))], panel_of(["p", "q", "r"], VOTES, PAIRS)
        )


def test_a_part_is_the_panel_of_its_pairs_alone():
    votes = ["AB", "=", "", "B"]
    part = part_of(panel(votes, "AB=A", [0, 1, 2, 1]), np.array([False, True, True, True]))
    assert part.pair_ids == ("p1", "p2", "p3")
    assert (part.question.tolist(), part.n_questions) == ([0, 1, 0], 2)
    assert part.longer.tolist() == [-1, 0, 1]
    assert (part.voted_pair.tolist(), part.voted.tolist(), part.voter.tolist()) == ([0, 2], [0, -1], [0, 0])


def test_the_sides_in_a_part_are_those_of_its_pairs():
    sides = sides_in_part(judge("A?F", p_a=[0.9, np.nan, 0.5]), np.array([True, False, True]))
    assert (sides.strict.tolist(), sides.is_inconsistent.tolist()) == ([1, 0], [False, True])
    assert (sides.by_order.tolist(), sides.p_a.tolist()) == ([[1, 1], [1, -1]], [0.9, 0.5])
    assert sides_in_part(judge("AB", has_readings=False), np.array([True, False])).by_order is None


def test_every_vote_stands_beside_the_judges_side_on_its_pair():
    made = with_judge(panel(["AB", "", "="], "AAB", [0, 0, 1]), judge("B=F", p_a=[0.1, 0.5, 0.6]))
    assert (made.voted.tolist(), made.judged.tolist()) == ([1, -1, 0], [-1, -1, 0])
    assert (made.question.tolist(), made.n_questions) == ([0, 0, 1], 2)
    assert (made.longer.tolist(), made.p_a.tolist()) == ([1, 1, -1], [0.1, 0.1, 0.6])
    assert (made.by_mean.tolist(), made.by_order.tolist()) == ([-1, -1, 1], [[-1, -1], [-1, -1], [1, -1]])


def test_people_stand_beside_each_other_both_ways_round():
    made = with_each_other(panel(["AB=", "A", "BB"]))
    found = sorted(zip(made.question.tolist(), made.voted.tolist(), made.judged.tolist(), strict=True))
    on_the_first = [(0, one, other) for one in (-1, 0, 1) for other in (-1, 0, 1) if one != other]
    assert found == [*on_the_first, (2, -1, -1), (2, -1, -1)]


def test_nobody_stands_beside_himself():
    twice = panel(["AB", "AA"])
    twice = replace(twice, voter=np.array([0, 1, 5, 5]))
    assert with_each_other(twice).question.tolist() == [0, 0]


def test_without_two_votes_on_a_pair_nobody_stands_beside_anybody():
    assert len(with_each_other(panel(["A", "", "B"], "AB=")).voted) == 0


def test_a_majority_is_more_than_every_other_side():
    made = majorities(panel(["AAB", "AB", "AB=", "==A", "B", "", "AABB=", "AABBB="]))
    assert made.tolist() == [1, 0, 0, 0, -1, UNREAD, 0, -1]


def test_a_share_counts_pairs_of_a_panel_and_votes_of_a_comparison():
    keep, right = np.array([True, True, False]), np.array([True, False, True])
    of_pairs = share(panel(["AB", "", "="], question=[0, 1, 1]), keep, right)
    assert (of_pairs.sums.tolist(), of_pairs.n) == ([[1, 1], [0, 1]], 2)
    of_votes = share(rows("AB=", "AAA", [0, 0, 1]), keep, right * 0.5)
    assert (of_votes.sums.tolist(), value(of_votes)) == ([[0.5, 2], [0, 0]], 0.25)


def test_only_a_and_b_are_decided():
    assert decided(np.array([1, -1, 0, UNREAD])).tolist() == [True, True, False, False]


@given(comparisons())
def test_renaming_twice_is_renaming_never_and_doubling_doubles(made):
    again = renamed(renamed(made))
    assert again.judged.tolist() == made.judged.tolist()
    assert again.by_order.tolist() == made.by_order.tolist()
    assert len(doubled(made).voted) == 2 * len(made.voted)
