"""Which pairs are judged next, simulated with models of known strengths."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict

import numpy as np
import pytest
from rankings import contests_in

from benchmarks.ranking import CASES, CLUSTERS, EVEN, all_judged, judged, verdicts_of, worth_of
from judge.provenance import CHECKOUT
from judge.ranking.choice import (
    as_table,
    clear_at,
    doubtful_neighbours,
    doubts,
    next_answers,
    next_contests,
    order_of_prompts,
    ranked,
    shared_out,
    worth,
)
from judge.ranking.contests import Contests, matches
from judge.ranking.strengths import fitted


@pytest.mark.slow
def test_a_third_of_the_pairs_ranks_as_often_right_as_all_of_them():
    generator = np.random.default_rng(1)
    right = {"all": 0, "third": 0}
    for number in range(25):
        strengths = generator.permutation(0.35 * np.arange(12))
        sides = verdicts_of(strengths, 200, generator)
        truth = np.argsort(-strengths).tolist()
        right["all"] += ranked(fitted(all_judged(sides, 12))) == truth
        contests, fit, _ = judged(sides, 12, sides.size // 3, seed=number)
        assert contests.is_asked.mean() <= 1 / 3
        right["third"] += ranked(fit) == truth
    assert right["all"] >= 24
    assert right["third"] >= right["all"] - 1


@pytest.mark.slow
@pytest.mark.parametrize("spacing", [EVEN, CLUSTERS])
@pytest.mark.parametrize(("n_models", "n_runs"), [(3, 80), (6, 40), (12, 16), (30, 3)])
def test_a_third_of_the_pairs_is_worth_what_the_guide_says(n_models, n_runs, spacing):
    """Of few or of near-equal models a third knows less than all; it puts fewer in order, and says so."""
    found = worth_of(spacing, n_models, 200, n_runs, seed=1)
    assert found.ordered[1] >= found.ordered[0] - 0.06
    assert found.misled <= 0.05 * n_runs + 1
    assert found.asked <= 1 / 3 + 1e-9
    if spacing == CLUSTERS:
        assert found.right_half == n_runs
    elif n_models >= 12:
        assert found.exact[1] >= found.exact[0] - 1
    else:
        assert found.exact[1] >= 0.85 * found.exact[0]


@pytest.mark.slow
def test_the_committed_figures_of_a_third_come_out_again():
    result = json.loads((CHECKOUT / "benchmarks" / "results" / "ranking.json").read_text("utf-8"))
    assert [(row["models"], row["prompts"], row["even"]["n"]) for row in result["rows"]] == list(CASES)
    row = result["rows"][0]
    for name, spacing in (("even", EVEN), ("clusters", CLUSTERS)):
        again = asdict(worth_of(spacing, row["models"], row["prompts"], row[name]["n"], result["seed"]))
        assert again.keys() == row[name].keys()
        for figure, value in again.items():
            assert value == pytest.approx(row[name][figure]), figure


def test_models_that_are_far_apart_cost_little():
    strengths = np.array([0.0, 1.5, 3.0, 4.5])
    contests, fit, _ = judged(verdicts_of(strengths, 400, np.random.default_rng(2)), 4, 2400)
    assert ranked(fit) == [3, 2, 1, 0]
    assert contests.is_asked.mean() < 0.2


@pytest.mark.slow
def test_two_equal_models_seldom_pass_for_different_however_often_one_looks():
    generator = np.random.default_rng(3)
    wrong = 0
    for number in range(150):
        sides = verdicts_of(np.zeros(2), 400, generator)
        _, fit, rounds = judged(sides, 2, 400, seed=number)
        wrong += not doubtful_neighbours(fit)
    assert rounds > 5
    assert wrong <= 12  # 5 % are 7.5


def test_pairs_go_where_the_ranking_is_in_doubt():
    strengths = np.array([0.0, 0.1, 4.0, 8.0])
    contests, _, _ = judged(verdicts_of(strengths, 500, np.random.default_rng(4)), 4, 700)
    asked = contests.is_asked.sum(axis=1)  # of (0, 1), (0, 2), ...
    assert asked[0] > 3 * asked[5]
    assert asked[0] == asked.max()


def test_a_contest_of_the_two_in_doubt_is_worth_the_most():
    rows = ["+-" * 20, "+" * 38 + "--", "+" * 39 + "-", "+" * 38 + "--", "+" * 39 + "-", "+-+" * 13 + "+"]
    found = worth(fitted(contests_in(rows, 4)))
    assert found.argmax() == 0
    assert (found >= 0).all()


def test_the_first_contests_are_spread_over_matches_and_prompts():
    match, prompt = next_contests(Contests.none_of(4, 60), 24, None, order_of_prompts(60, 0))
    assert np.bincount(match).tolist() == [4] * 6
    assert len(set(prompt.tolist())) == 24
    assert sorted(match[:6].tolist()) == list(range(6))


def test_no_contest_is_chosen_twice_and_in_the_end_all_are():
    contests = Contests.none_of(3, 7)
    order = order_of_prompts(7, 1)
    while not contests.is_asked.all():
        match, prompt = next_contests(contests, 4, None, order)
        assert not contests.is_asked[match, prompt].any()
        contests = contests.judged(match, prompt, np.ones(len(match), np.int8), np.zeros(len(match), bool))
    assert contests.is_asked.sum() == 21


def test_equal_data_and_seed_choose_equal_contests():
    sides = verdicts_of(np.array([0.0, 0.3, 0.5]), 100, np.random.default_rng(5))
    one, other, another = (judged(sides, 3, 150, seed=seed)[0].side for seed in (7, 7, 8))
    assert (one == other).all()
    assert (one != another).any()


@pytest.mark.parametrize(
    ("n", "weights", "room", "given"),
    [
        (10, [1, 1], [100, 100], [5, 5]),
        (10, [3, 1], [100, 100], [8, 2]),
        (10, [3, 1], [2, 100], [2, 8]),
        (10, [1, 0], [4, 100], [4, 6]),
        (10, [0, 0], [4, 3], [4, 3]),
        (1, [1, 1, 1], [0, 5, 5], [0, 1, 0]),
        (0, [1], [5], [0]),
    ],
)
def test_what_is_shared_out_goes_by_weight_and_fits(n, weights, room, given):
    assert shared_out(n, np.array(weights, float), np.array(room)).tolist() == given


def test_models_in_doubt_are_graded_side_by_side():
    fit = fitted(contests_in(["+-" * 20, "+" * 39 + "-", "+" * 39 + "-"], 3))
    assert {one for two in doubtful_neighbours(fit) for one in two} == {0, 1}
    is_graded = np.zeros((3, 50), bool)
    is_graded[:, :40] = True
    model, prompt = next_answers(is_graded, 4, fit, range(50))
    assert (model.tolist(), prompt.tolist()) == ([0, 1, 0, 1], [40, 40, 41, 41])


def test_when_those_in_doubt_are_all_graded_the_others_follow():
    fit = fitted(contests_in(["+-" * 20, "+" * 39 + "-", "+" * 39 + "-"], 3))
    is_graded = np.ones((3, 50), bool)
    is_graded[2, 40:] = False
    model, prompt = next_answers(is_graded, 4, fit, range(50))
    assert (model.tolist(), prompt.tolist()) == ([2] * 4, [40, 41, 42, 43])


def test_few_prompts_tell_less_apart():
    assert [round(clear_at(n), 2) for n in (2, 5, 12, 100, 100_000)] == [68.28, 4.7, 3.15, 2.65, 2.6]
    assert clear_at(1) == math.inf
    generator = np.random.default_rng(8)
    n_clear = 0
    for _ in range(150):  # six equal models, answers of random worth to four prompts
        worths = generator.normal(size=(6, 4))
        first, second = matches(6)
        fit = fitted(all_judged(np.sign(worths[first] - worths[second]).astype(np.int8), 6))
        n_clear += (~doubts(fit)).sum()
    assert n_clear / (150 * 15) < 0.02


def test_a_table_of_matches_is_symmetric():
    assert as_table(np.array([True, False, False]), 3).tolist() == [
        [False, True, False],
        [True, False, False],
        [False, False, False],
    ]


@pytest.mark.slow
def test_fifty_models_are_ranked_within_two_minutes_of_one_core():
    sides = verdicts_of(np.random.default_rng(6).normal(size=50), 805, np.random.default_rng(7))
    start = time.process_time()
    contests, _, rounds = judged(sides, 50, sides.size)
    assert time.process_time() - start < 60
    assert rounds > 10
    assert contests.is_asked.all()
