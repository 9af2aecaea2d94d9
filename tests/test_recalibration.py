"""Fitting a judge's log-odds to votes: the numbers by hand, and against an independent computation."""

from __future__ import annotations

import numpy as np
import pytest
from panels import rows, value

from judge.metrics.bootstrap import Estimate
from judge.metrics.recalibration import (
    FEWEST_ANSWERED,
    MOST_NEEDED,
    Line,
    Odds,
    band_for,
    fitted,
    line_intervals,
    log_loss,
    odds_of,
    on_other_questions,
    place_bias,
    votes_needed,
)


def odds(z, is_a, place=None, question=None) -> Odds:
    """Votes, each its own question unless given."""
    numbers = np.arange(len(z)) if question is None else np.array(question)
    return Odds(
        z=np.array(z, float),
        place=np.zeros(len(z)) if place is None else np.array(place, float),
        is_a=np.array(is_a, bool),
        question=numbers,
        n_questions=int(numbers.max()) + 1,
    )


def drawn(n: int, slope: float, offset: float, n_questions: int = 40, seed: int = 0) -> Odds:
    """Votes of people who say A as often as a line says."""
    generator = np.random.default_rng(seed)
    z = generator.normal(0, 2, n)
    is_a = generator.random(n) < 1 / (1 + np.exp(-(slope * z + offset)))
    return odds(z, is_a, question=np.arange(n) % n_questions)


def test_a_line_that_made_the_votes_is_found_again():
    line = fitted(drawn(20_000, 0.5, 0.25))
    assert (line.slope, line.offset) == (pytest.approx(0.5, abs=0.03), pytest.approx(0.25, abs=0.05))


def test_at_the_fit_the_votes_and_the_prior_pull_equally_hard():
    some = drawn(60, 2.0, 0.5)
    line = fitted(some)
    p = 1 / (1 + np.exp(-(line.slope * some.z + line.offset)))
    assert ((some.is_a - p) * some.z).sum() == pytest.approx(line.slope - 1, abs=1e-5)
    assert (some.is_a - p).sum() == pytest.approx(line.offset, abs=1e-5)


def test_it_is_the_lowest_of_many_lines_near_it():
    some = drawn(80, 0.7, -0.3)
    best = fitted(some)

    def height(slope, offset):
        p = 1 / (1 + np.exp(-(slope * some.z + offset)))
        return -np.log(np.where(some.is_a, p, 1 - p)).sum() + ((slope - 1) ** 2 + offset**2) / 2

    at_best = height(best.slope, best.offset)
    steps = [(a, b) for a in (-0.05, 0, 0.05) for b in (-0.05, 0, 0.05) if a or b]
    assert all(height(best.slope + a, best.offset + b) > at_best for a, b in steps)


def test_separable_votes_do_not_run_away_and_no_votes_change_nothing():
    line = fitted(odds([-1, -1, 1, 1] * 20, [False, False, True, True] * 20))
    assert 1 < line.slope < 6
    nothing = fitted(odds([1.0], [True]), np.zeros(1))
    assert (nothing.slope, nothing.offset) == (pytest.approx(1), pytest.approx(0))


def test_a_vote_that_counts_twice_is_two_votes():
    some = drawn(50, 0.5, 0.1)
    twice = odds(np.tile(some.z, 2), np.tile(some.is_a, 2))
    weighed, doubled = fitted(some, np.full(50, 2.0)), fitted(twice)
    assert (weighed.slope, weighed.offset) == (pytest.approx(doubled.slope), pytest.approx(doubled.offset))


def test_a_judge_that_is_always_wrong_has_a_slope_below_zero():
    assert fitted(odds([3, -3] * 30, [False, True] * 30)).slope < 0


def test_the_interval_holds_the_truth_and_more_votes_make_it_narrower():
    few, many = (line_intervals(drawn(n, 0.5, 0.0, n_questions=n // 5), n_fits=100) for n in (60, 2_000))
    for slope, offset in (few, many):
        assert slope.low < slope.value < slope.high
        assert offset.low < offset.value < offset.high
    assert many[0].low < 0.5 < many[0].high
    assert many[0].high - many[0].low < (few[0].high - few[0].low) / 2


@pytest.mark.parametrize(
    "some",
    [
        odds([1.0, -1.0, 2.0] * 5, [True, False, True] * 5, question=[0, 1, 1] * 5),
        odds([1.0] * 40, [True] * 40),
    ],
)
def test_few_questions_and_votes_that_are_all_alike_give_no_interval(some):
    for one in line_intervals(some, n_fits=50):
        assert one.value is not None
        assert (one.low, one.high) == (None, None)


def test_no_vote_is_told_by_a_line_that_knew_its_question():
    some = drawn(100, 1.0, 0.0, n_questions=20)
    others = on_other_questions(some)
    in_fold = np.random.default_rng(0).permutation(20)[some.question] % 10 == 3
    assert 0 < in_fold.sum() < 100
    line = fitted(some, (~in_fold).astype(float))
    assert others[in_fold] == pytest.approx(line.p_a(some.z[in_fold]))
    turned = Odds(some.z, some.place, some.is_a ^ in_fold, some.question, some.n_questions)
    assert on_other_questions(turned)[in_fold] == pytest.approx(others[in_fold])


def test_only_votes_for_a_side_with_odds_in_both_orders_count():
    nan = np.nan
    made = odds_of(rows("A=BAB", "====="[:5]), np.array([3, 1, 1, nan, 2.0]), np.array([1, 1, -3, 1, nan]))
    assert made.z.tolist() == [2, -1]
    assert made.place.tolist() == [1, 2]
    assert (made.is_a.tolist(), made.question.tolist(), made.n_questions) == ([True, False], [0, 1], 2)


def test_the_place_bias_and_the_log_loss_by_hand():
    some = odds([0, 0, 0], [True, False, True], place=[1, 0.5, 0])
    assert value(place_bias(some)) == pytest.approx(0.5)
    expected = -(np.log(0.8) + np.log(0.8) + np.log(0.5)) / 3
    assert value(log_loss(some, np.array([0.8, 0.2, 0.5]))) == pytest.approx(expected)
    assert np.isfinite(value(log_loss(some, np.array([0.0, 1.0, 0.0]))))


def test_a_band_is_the_narrowest_that_is_precise_enough():
    p_a = np.array([0.9] * 10 + [0.7] * 10 + [0.6] * 10)
    is_a = [True] * 10 + [True] * 7 + [False] * 3 + [True] * 5 + [False] * 5
    some = odds(p_a, is_a)
    bands = {wanted: band_for(some, p_a, wanted) for wanted in (0.7, 0.85, 0.9)}
    found = {w: (band.below, int(band.answered.sum()), value(band.right)) for w, band in bands.items()}
    assert found == {
        0.7: (0.6, 30, pytest.approx(22 / 30)),
        0.85: (0.7, 20, pytest.approx(17 / 20)),
        0.9: (0.9, 10, 1.0),
    }


def test_there_is_no_band_where_too_few_votes_are_so_precise():
    n = FEWEST_ANSWERED - 1
    p_a = np.array([0.9] * n + [0.6] * 20)
    some = odds(p_a, [True] * n + [False] * 20)
    assert band_for(some, p_a, 0.8) is None


def test_votes_needed_grow_with_the_square_of_the_width():
    assert votes_needed(Estimate(0.01, -0.01, 0.03, 100)) == 400
    assert votes_needed(Estimate(0.02, 0.01, 0.03, 100)) is None
    assert votes_needed(Estimate(0.0, -0.01, 0.01, 100)) is None
    assert votes_needed(Estimate(0.0001, -0.1, 0.1, MOST_NEEDED)) is None


def test_no_number_of_votes_shows_a_gain_where_there_is_a_loss():
    assert votes_needed(Estimate(-0.01, -0.05, 0.03, 100)) is None


def test_a_line_keeps_the_order_of_the_odds():
    p = Line(0.4, -1.0).p_a(np.array([-3.0, 0.0, 2.5, 9.0]))
    assert (np.diff(p) > 0).all()
    assert p[1] == pytest.approx(1 / (1 + np.e))
