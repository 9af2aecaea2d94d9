"""McNemar's exact test of two judges on the pairs people decided."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panels import judge, panel

from judge.metrics.significance import McNemar, mcnemar


def test_two_judges_on_seven_pairs_by_hand():
    # Majorities: A A B (tie) (none) A B. One is right on 0 1 2 and 6, the other on 0 and 5.
    votes = ["A", "AAB", "B", "AB", "", "A=A", "B"]
    made = mcnemar(panel(votes), judge("AABAAFB"), judge("AB?AAAA"))
    assert made == McNemar(n_pairs=5, only_one_right=3, only_other_right=1, p_value=pytest.approx(10 / 16))


def test_a_judge_differs_from_itself_in_nothing():
    assert mcnemar(panel(["A", "B"]), judge("AA"), judge("AA")) == McNemar(2, 0, 0, 1.0)


def test_where_people_decided_nothing_there_is_nothing_to_tell_apart():
    assert mcnemar(panel(["AB", "", "="]), judge("AAA"), judge("BBB")) == McNemar(0, 0, 0, 1.0)


@given(st.integers(0, 30), st.integers(0, 30))
def test_the_p_value_is_twice_the_smaller_tail_of_a_fair_coin(only_one, only_other):
    n = only_one + only_other
    votes = panel(["A"] * (n + 1))
    made = mcnemar(
        votes, judge("A" * only_one + "B" * only_other + "A"), judge("B" * only_one + "A" * only_other + "A")
    )
    tail = sum(comb(n, k) for k in range(min(only_one, only_other) + 1)) / 2**n
    assert (made.only_one_right, made.only_other_right) == (only_one, only_other)
    assert made.p_value == pytest.approx(min(1.0, 2 * tail))
