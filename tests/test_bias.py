"""How often the longer response is chosen, by people and by a judge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from panels import comparisons, doubled, judge, mt_bench_panel, panel, renamed, rows, value

from judge.metrics.agreement import length_balanced
from judge.metrics.bias import (
    longer_chosen,
    people_chose_longer,
    strict_where_longer_is_right,
    strict_where_shorter_is_right,
)
from judge.metrics.panel import with_judge

OF_VOTES = [people_chose_longer, strict_where_longer_is_right, strict_where_shorter_is_right]


def test_a_judge_chose_the_longer_in_two_of_the_three_pairs_it_decided():
    made = longer_chosen(panel([""] * 6, longer="ABA=AB"), judge("ABBAF?"))
    assert (value(made), made.n) == (2 / 3, 3)


def test_of_votes_ties_and_equal_lengths_are_left_out():
    made = people_chose_longer(rows("AAB=B", "=====", longer="AB=AB"))
    assert (value(made), made.n) == (2 / 3, 3)


def test_strict_agreement_is_split_by_what_people_chose():
    made = rows("AAABBB=", "AB=BA?A", longer="AAAAAAA")
    longer, shorter = strict_where_longer_is_right(made), strict_where_shorter_is_right(made)
    assert (value(longer), longer.n) == (1 / 3, 3)
    assert (value(shorter), shorter.n) == (1 / 3, 3)


def test_a_judge_that_only_looks_at_length_is_right_on_the_one_and_wrong_on_the_other():
    made = rows("ABBA", "AABB", longer="AABB")
    assert value(strict_where_longer_is_right(made)) == 1
    assert value(strict_where_shorter_is_right(made)) == 0


def test_without_texts_nothing_is_known_of_lengths():
    assert longer_chosen(panel(["A"]), judge("A")) is None
    assert [of(rows("A", "A")) for of in OF_VOTES] == [None] * 3


@given(comparisons())
def test_the_mean_of_both_halves_is_length_balanced_agreement(made):
    halves = value(strict_where_longer_is_right(made)), value(strict_where_shorter_is_right(made))
    assert value(length_balanced(made)) == pytest.approx(np.mean(halves), nan_ok=True)


@given(comparisons())
def test_renaming_and_doubling_change_nothing(made):
    for of in OF_VOTES:
        assert value(of(renamed(made))) == pytest.approx(value(of(made)), nan_ok=True)
        assert value(of(doubled(made))) == pytest.approx(value(of(made)), nan_ok=True)


@given(comparisons())
def test_each_share_is_a_count_of_votes(made):
    votes = list(zip(made.voted.tolist(), made.judged.tolist(), made.longer.tolist(), strict=True))
    unequal = [(voted, judged, longer) for voted, judged, longer in votes if voted and longer]
    longer = [judged == voted for voted, judged, longer in unequal if voted == longer]
    shorter = [judged == voted for voted, judged, longer in unequal if voted != longer]
    expected = [
        share(len(longer), len(unequal)),
        share(sum(longer), len(longer)),
        share(sum(shorter), len(shorter)),
    ]
    assert [value(of(made)) for of in OF_VOTES] == pytest.approx(expected, nan_ok=True)


def share(count: int, total: int) -> float:
    return count / total if total else np.nan


def test_experts_chose_the_longer_response_on_mt_bench_in_two_votes_of_three(data_dir):
    experts = mt_bench_panel(data_dir)
    votes = with_judge(experts, judge("A" * len(experts.pair_ids)))
    assert people_chose_longer(votes).n == 710 + 325
    assert value(people_chose_longer(votes)) == pytest.approx(710 / (710 + 325))
    assert strict_where_longer_is_right(votes).n == 710
    assert strict_where_shorter_is_right(votes).n == 325
