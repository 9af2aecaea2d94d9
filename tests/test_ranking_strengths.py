"""Strengths of models: against evalica, by hand, and how sure they say they are."""

from __future__ import annotations

import math

import evalica
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rankings import contests_in

from benchmarks.ranking import all_judged, verdicts_of
from judge.metrics.bootstrap import Resampler
from judge.metrics.ranking import ELO, bradley_terry
from judge.ranking.contests import incidence, matches
from judge.ranking.strengths import clearness, fitted, strength_estimates, win_rate_estimates

WINNERS = {1: evalica.Winner.X, -1: evalica.Winner.Y, 0: evalica.Winner.Draw}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("+-=?.", min_size=6, max_size=6), min_size=12, max_size=30))
def test_strengths_are_evalicas(columns):
    rows = ["".join(column) for column in zip(*columns, strict=True)]
    rows = [row + "=" for row in rows]  # everybody draws once, so that a maximum exists
    contests = contests_in(rows, 4)
    first, second = matches(4)
    match, prompt = np.nonzero(contests.is_read)
    winners = [WINNERS[int(side)] for side in contests.side[match, prompt]]
    left, right = first[match].tolist(), second[match].tolist()
    theirs = evalica.bradley_terry(left, right, winners, tolerance=1e-12, limit=100_000).scores
    logs = np.log([theirs[model] for model in range(4)])
    fit = fitted(contests)
    assert not fit.is_tied
    assert fit.strengths == pytest.approx(logs - logs.mean(), abs=1e-4)


def test_with_all_judged_the_win_rate_is_the_share_won():
    contests = contests_in(["++-=", "+--+", "-+=+"], 3)
    rates = win_rate_estimates(fitted(contests), np.array([8, 8, 8]))
    assert [rate.value for rate in rates] == pytest.approx([4.5 / 8, 4 / 8, 3.5 / 8], abs=1e-9)


def test_a_model_of_which_no_contest_was_read_has_no_win_rate():
    *met, alone = win_rate_estimates(fitted(contests_in(["++-+", "????", "????"], 3)), np.array([4, 4, 0]))
    assert (alone.value, alone.low, alone.high, alone.n) == (None, None, None, 0)
    assert all(rate.value is not None for rate in met)


def test_a_model_that_won_everything_is_not_certain_to():
    fit = fitted(contests_in(["+" * 30], 2))
    assert fit.is_tied
    [won, lost] = win_rate_estimates(fit, np.array([30, 30]))
    assert won.value == pytest.approx(30.5 / 31)
    assert won.low == pytest.approx(0.025 ** (1 / 30), abs=0.03)  # the exact binomial one
    assert lost.high == pytest.approx(1 - won.low)


def test_many_pairs_on_few_prompts_are_no_surer_than_the_prompts():
    ten_times = fitted(contests_in(["+" * 10] * 10 + ["+-" * 5] * 35, 10))
    rate = win_rate_estimates(ten_times, np.full(10, 90))[0]
    assert rate.low < 0.85


def test_where_all_prompts_say_the_same_there_is_no_interval():
    ties = fitted(contests_in(["=" * 20], 2))
    [figure, _] = win_rate_estimates(ties, np.array([20, 20]))
    assert (figure.value, figure.low, figure.high) == (0.5, None, None)
    circle = fitted(contests_in(["+" * 20, "-" * 20, "+" * 20], 3))
    assert clearness(circle).tolist() == [0, 0, 0]


def test_one_prompt_has_no_interval():
    figure = win_rate_estimates(fitted(contests_in(["+", "-", "+"], 3)), np.array([2, 2, 2]))[0]
    assert (figure.low, figure.high) == (None, None)


def test_intervals_are_those_of_the_cluster_bootstrap():
    generator = np.random.default_rng(3)
    sides = verdicts_of(np.array([0.0, 0.4, 1.0]), 200, generator)
    contests = all_judged(sides, 3)
    first, second = matches(3)
    wins = np.zeros((200, 3, 3))
    for match, (i, j) in enumerate(zip(first, second, strict=True)):
        wins[:, i, j], wins[:, j, i] = sides[match] == 1, sides[match] == -1
    draws = bradley_terry(Resampler(200, n_draws=2000).draws(wins.reshape(200, 9)))
    ends = np.quantile(draws, [0.025, 0.975], axis=0)
    for model, found in enumerate(strength_estimates(fitted(contests), np.full(3, 400))):
        assert [found.low, found.high] == pytest.approx(ends[:, model], abs=6)
        assert found.value == pytest.approx(bradley_terry(wins.sum(axis=0).reshape(9))[model], abs=1e-6)


def test_intervals_hold_what_they_promise():
    generator = np.random.default_rng(4)
    held = []
    for _ in range(200):
        sides = verdicts_of(np.array([0.0, 0.5]), 100, generator)
        rate = win_rate_estimates(fitted(all_judged(sides, 2)), np.array([100, 100]))[1]
        held.append(rate.low <= 1 / (1 + math.exp(-0.5)) <= rate.high)
    assert 0.91 <= np.mean(held) <= 0.99


def test_length_is_told_from_strength():
    """The second model is only longer: with lengths held equal it is no better."""
    generator = np.random.default_rng(5)
    longer = np.tanh(generator.normal(-0.5, 1, (1, 4000)))  # of the first
    p = 1 / (1 + np.exp(-2 * longer))
    contests = all_judged(np.where(generator.random(p.shape) < p, 1, -1).astype(np.int8), 2)
    assert win_rate_estimates(fitted(contests), np.array([4000] * 2))[1].value > 0.6
    with_length = fitted(contests, longer)
    assert with_length.length == pytest.approx(2, abs=0.2)
    controlled = win_rate_estimates(with_length, np.array([4000] * 2))[1]
    assert controlled.low < 0.5 < controlled.high


def test_the_slopes_of_win_rates_are_right():
    """The interval of a win rate against that of the one strength it depends on."""
    sides = verdicts_of(np.array([0.0, 0.7]), 150, np.random.default_rng(6))
    fit = fitted(all_judged(sides, 2))
    [strength, _] = strength_estimates(fit, np.array([150] * 2))
    [rate, _] = win_rate_estimates(fit, np.array([150] * 2))
    expected = [1 / (1 + math.exp(-2 * end / ELO)) for end in (strength.low, strength.value, strength.high)]
    assert [rate.low, rate.value, rate.high] == pytest.approx(expected)


def test_every_match_has_two_models():
    signs = incidence(4)
    assert signs.shape == (6, 4)
    assert signs.sum(axis=1).tolist() == [0] * 6
    assert np.abs(signs).sum(axis=0).tolist() == [3] * 4
