"""Judges without a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import FOUR_PAIRS, HOSTILE, pair_of

from judge.metrics.baselines import BASELINES, coin, first_wins, longer_wins
from judge.records import Choice, Judgment, Order, Outcome, Status

texts = st.sampled_from(HOSTILE) | st.text(max_size=20)


def outcomes(verdicts) -> list[tuple[Status, Outcome | None]]:
    return [(verdict.status, verdict.outcome) for verdict in verdicts]


def test_the_longer_response_wins_in_both_orders():
    assert outcomes(longer_wins(FOUR_PAIRS)) == [
        (Status.CONSISTENT, Outcome.B),
        (Status.CONSISTENT, Outcome.A),
        (Status.CONSISTENT, Outcome.TIE),
        (Status.CONSISTENT, Outcome.B),
    ]


def test_the_first_wins_whichever_it_is_and_so_nothing_is_consistent():
    made = first_wins(FOUR_PAIRS)
    assert outcomes(made) == [(Status.INCONSISTENT, Outcome.TIE)] * 4
    assert {reading.choice for verdict in made for reading in verdict.readings.values()} == {Choice.FIRST}


def test_a_coin_is_consistent_and_takes_about_as_many_a_as_b():
    pairs = [pair_of(f"answer {n}", f"reply {n}", id=str(n)) for n in range(1000)]
    made = coin(pairs)
    assert {verdict.status for verdict in made} == {Status.CONSISTENT}
    assert 450 < sum(verdict.outcome is Outcome.A for verdict in made) < 550


def test_a_coin_falls_as_it_always_fell():
    made = [coin([pair_of("four", str(n))])[0].outcome for n in range(8)]
    assert "".join(made) == "AAABBAAB"


@given(texts, texts)
def test_swapping_the_responses_swaps_the_outcome(one, other):
    swapped = {Outcome.A: Outcome.B, Outcome.B: Outcome.A, Outcome.TIE: Outcome.TIE}
    for verdicts_of in BASELINES.values():
        (here,), (there,) = verdicts_of([pair_of(one, other)]), verdicts_of([pair_of(other, one)])
        assert there.outcome is swapped[here.outcome]
        assert there.status is here.status


@given(texts)
def test_the_same_response_twice_is_a_tie(text):
    for verdicts_of in BASELINES.values():
        assert verdicts_of([pair_of(text, text)])[0].outcome is Outcome.TIE
    assert coin([pair_of(text, text)])[0].status is Status.CONSISTENT


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_gives_a_whole_verdict_that_cost_nothing(name):
    made = BASELINES[name](FOUR_PAIRS)
    assert [verdict.pair_id for verdict in made] == ["sky", "tell", "sum", "empty"]
    assert {verdict.judge for verdict in made} == {name}
    for verdict in made:
        assert list(verdict.readings) == list(Order)
        assert (verdict.p_a, verdict.outcome_by_mean) == (None, None)
        for reading in verdict.readings.values():
            assert reading == Judgment(reading.choice, None, "", 0, 0)


def test_no_pairs_are_no_verdicts():
    assert [verdicts_of([]) for verdicts_of in BASELINES.values()] == [[]] * 3
