from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import pair_of

from judge.orders import combine, outcome_by_probability, outcome_of, probability_of_a, shown_in
from judge.records import Choice, Judgment, Order, Outcome, Share, Status, Unparsed

probabilities = st.floats(0, 1).map(lambda p: {Choice.FIRST: p, Choice.SECOND: 1 - p})
judgments = st.builds(
    Judgment, st.sampled_from(Choice), st.none() | probabilities, st.just("[[A]]"), st.just(9), st.just(4)
)
readings = judgments | st.just(Unparsed("no verdict", "hm"))


def judged(choice: Choice, p_first: float | None = None) -> Judgment:
    known = None if p_first is None else {Choice.FIRST: p_first, Choice.SECOND: 1 - p_first}
    return Judgment(choice, known, "", 1, 4)


@given(st.sampled_from(Choice), st.sampled_from(Order))
def test_swapping_choice_and_order_together_changes_nothing(choice, order):
    assert outcome_of(choice, order) is outcome_of(choice.swapped, order.swapped)


def test_the_first_shown_is_a_in_order_ab_and_b_in_order_ba():
    assert outcome_of(Choice.FIRST, Order.AB) is Outcome.A
    assert outcome_of(Choice.FIRST, Order.BA) is Outcome.B
    assert outcome_of(Choice.TIE, Order.BA) is Outcome.TIE


def test_order_ba_shows_b_first():
    first, second = shown_in(pair_of("one", "two"), Order.BA)
    assert (first[-1].content, second[-1].content) == ("two", "one")


def test_a_judge_that_always_prefers_the_first_is_inconsistent_and_counts_as_a_tie():
    verdict = combine("p", {order: judged(Choice.FIRST, 0.9) for order in Order}, "j")
    assert (verdict.status, verdict.outcome) == (Status.INCONSISTENT, Outcome.TIE)
    assert verdict.p_a == 0.5
    assert verdict.outcome_by_mean is Outcome.TIE


def test_the_same_winner_in_both_orders_is_consistent():
    verdict = combine("p", {Order.AB: judged(Choice.SECOND, 0.2), Order.BA: judged(Choice.FIRST, 0.7)}, "j")
    assert (verdict.status, verdict.outcome) == (Status.CONSISTENT, Outcome.B)
    assert verdict.p_a == pytest.approx((0.2 + 0.3) / 2)
    assert verdict.outcome_by_mean is Outcome.B


def test_the_mean_stands_beside_the_strict_outcome_and_never_replaces_it():
    verdict = combine("p", {Order.AB: judged(Choice.FIRST, 0.9), Order.BA: judged(Choice.FIRST, 0.6)}, "j")
    assert verdict.outcome is Outcome.TIE
    assert verdict.outcome_by_mean is Outcome.A


def test_a_tie_in_one_order_and_a_winner_in_the_other_disagree():
    verdict = combine("p", {Order.AB: judged(Choice.TIE), Order.BA: judged(Choice.FIRST)}, "j")
    assert (verdict.status, verdict.outcome, verdict.p_a) == (Status.INCONSISTENT, Outcome.TIE, None)


def test_an_unreadable_reply_leaves_no_outcome_and_is_no_tie():
    verdict = combine("p", {Order.AB: judged(Choice.FIRST, 0.9), Order.BA: Unparsed("no verdict", "hm")}, "j")
    assert (verdict.status, verdict.outcome, verdict.p_a) == (Status.UNPARSED, None, None)


def test_half_of_a_ties_probability_goes_to_each_side():
    reading = Judgment(Choice.TIE, {Choice.FIRST: 0.3, Choice.SECOND: 0.1, Choice.TIE: 0.6}, "", 1, 4)
    assert probability_of_a(reading, Order.AB) == pytest.approx(0.6)
    assert probability_of_a(reading, Order.BA) == pytest.approx(0.4)


@given(readings, readings)
def test_naming_the_responses_the_other_way_round_turns_the_verdict_round(in_ab, in_ba):
    verdict = combine("p", {Order.AB: in_ab, Order.BA: in_ba}, "j")
    turned = combine("p", {Order.AB: in_ba, Order.BA: in_ab}, "j")
    mirrored = {Outcome.A: Outcome.B, Outcome.B: Outcome.A, Outcome.TIE: Outcome.TIE, None: None}
    assert turned.status is verdict.status
    assert turned.outcome is mirrored[verdict.outcome]
    if verdict.p_a is not None:
        assert turned.p_a == pytest.approx(1 - verdict.p_a)


@given(st.floats(0, 1))
def test_one_reading_given_twice_is_exactly_one_half_in_the_mean(p_first):
    """Identical responses make identical prompts, hence one reading for both orders."""
    assert combine("p", {order: judged(Choice.FIRST, p_first) for order in Order}, "j").p_a == 0.5


def test_only_exactly_one_half_is_a_tie_by_the_mean():
    assert [outcome_by_probability(p) for p in (0.5, 0.5 + 1e-12, 0.49)] == [
        Outcome.TIE,
        Outcome.A,
        Outcome.B,
    ]


def test_a_share_keeps_its_denominator_and_refuses_nonsense():
    assert str(Share(1, 3)) == "33.3 % (1/3)"
    assert (str(Share(0, 0)), Share(0, 0).value) == ("- (0/0)", None)
    with pytest.raises(ValueError, match="5 of 4"):
        Share(5, 4)


def test_the_content_hash_covers_what_a_judge_sees_and_nothing_else():
    pair = pair_of()
    assert pair.content_hash == pair_of(id="other", category="math", metadata={"note": 1}).content_hash
    assert pair.content_hash != pair_of(reference="4").content_hash
    assert pair.content_hash != pair_of("five", "4").content_hash
