"""What a judge does when the responses swap places."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panels import judge, panel, value

from judge.metrics.bootstrap import Resampler, estimate
from judge.metrics.inconsistency import any_tie, first_preference, inconsistent, second_preference, unparsed
from judge.metrics.panel import panel_of, sides_of
from judge.orders import combine
from judge.records import Choice, Judgment, Order, Status, Unparsed

readings = st.builds(Judgment, st.sampled_from(Choice), st.none(), st.just(""), st.just(1), st.just(4))
verdicts = st.lists(
    st.tuples(*[readings | st.just(Unparsed("no verdict", "hm"))] * 2), min_size=1, max_size=25
)


def test_a_judge_with_every_kind_of_verdict_by_hand():
    pairs, sides = panel([""] * 9), judge("FFS!AB=A?")
    assert value(inconsistent(pairs, sides)) == 4 / 8
    assert value(first_preference(pairs, sides)) == 2 / 4
    assert value(second_preference(pairs, sides)) == 1 / 4
    assert value(any_tie(pairs, sides)) == 5 / 8
    assert value(unparsed(pairs, sides)) == 1 / 9
    assert [of(pairs, sides).n for of in (inconsistent, first_preference, any_tie, unparsed)] == [8, 4, 8, 9]


def test_positions_are_not_known_of_somebody_elses_judge():
    sides = judge("FS=", has_readings=False)
    assert first_preference(panel([""] * 3), sides) is None
    assert second_preference(panel([""] * 3), sides) is None
    assert value(inconsistent(panel([""] * 3), sides)) == 2 / 3


def test_a_consistent_judge_prefers_no_position():
    assert np.isnan(value(first_preference(panel(["A", "B"]), judge("AB"))))


def test_a_judge_that_is_never_read_has_no_inconsistency():
    assert estimate(inconsistent(panel(["A", "B"]), judge("??")), Resampler(2)).value is None


def test_pairs_cluster_by_question_and_votes_do_not_weigh():
    made = inconsistent(panel(["AAAA", "", "B"], question=[1, 0, 1]), judge("FAA"))
    assert made.sums.tolist() == [[0, 1], [1, 2]]


@given(verdicts)
def test_every_share_is_a_count_of_verdicts(made):
    given = [combine(str(n), dict(zip(Order, two, strict=True)), "j") for n, two in enumerate(made)]
    pairs = panel_of([verdict.pair_id for verdict in given], [], None)
    sides = sides_of(given, pairs)
    n = Counter(verdict.status for verdict in given)
    twice = Counter(
        two[0].choice
        for two, verdict in zip(made, given, strict=True)
        if verdict.status is Status.INCONSISTENT and two[0].choice is two[1].choice
    )
    n_read = n[Status.CONSISTENT] + n[Status.INCONSISTENT]
    n_ties = sum(verdict.outcome == "TIE" for verdict in given)
    for found, count, total in [
        (inconsistent(pairs, sides), n[Status.INCONSISTENT], n_read),
        (first_preference(pairs, sides), twice[Choice.FIRST], n[Status.INCONSISTENT]),
        (second_preference(pairs, sides), twice[Choice.SECOND], n[Status.INCONSISTENT]),
        (any_tie(pairs, sides), n_ties, n_read),
        (unparsed(pairs, sides), n[Status.UNPARSED], len(given)),
    ]:
        assert value(found) == pytest.approx(count / total if total else np.nan, nan_ok=True)
        assert found.n == total
