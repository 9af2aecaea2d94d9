"""Intervals by drawing whole clusters, against the normal one, scipy's, and simulation."""

from __future__ import annotations

import time
from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats

from judge.metrics import bootstrap
from judge.metrics.bootstrap import (
    Estimate,
    Measure,
    Resampler,
    difference,
    estimate,
    estimates,
    quotient,
    ratio,
    sums_by_cluster,
    unvaried,
)


def mean_of(values: np.ndarray, clusters: np.ndarray | None = None, is_share: bool = False) -> Measure:
    """The mean of these rows, each its own cluster unless given."""
    numbers = np.arange(len(values)) if clusters is None else clusters
    sums = sums_by_cluster([values, np.ones(len(values))], numbers, numbers.max() + 1)
    return Measure(sums, ratio, len(values), is_share)


def width(figure: Estimate) -> float:
    assert figure.low is not None
    assert figure.high is not None
    return figure.high - figure.low


def test_sums_are_those_of_each_clusters_rows():
    sums = sums_by_cluster([np.array([1, 2, 4]), np.array([True, True, False])], np.array([2, 0, 2]), 4)
    assert sums.tolist() == [[2, 1], [0, 0], [5, 1], [0, 0]]


def test_nothing_over_nothing_is_no_figure():
    assert np.isnan(quotient(np.array(0.0), np.array(0.0)))
    assert np.isnan(ratio(np.array([[0.0, 0.0], [1.0, 2.0]]))).tolist() == [True, False]


def test_the_interval_of_a_mean_of_independent_clusters_is_close_to_the_normal_one():
    values = np.random.default_rng(1).normal(5, 2, size=400)
    figure = estimate(mean_of(values), Resampler(400))
    reach = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert figure.value == pytest.approx(values.mean())
    assert figure.low == pytest.approx(values.mean() - reach, abs=0.05 * reach)
    assert figure.high == pytest.approx(values.mean() + reach, abs=0.05 * reach)


def test_the_interval_of_a_ratio_of_unequal_clusters_is_scipys():
    generator = np.random.default_rng(2)
    votes = generator.integers(1, 30, size=80)
    right = generator.binomial(votes, generator.beta(4, 2, size=80))
    figure = estimate(Measure(np.stack([right, votes], axis=1).astype(float), ratio, 80), Resampler(80))
    theirs = stats.bootstrap(
        (right, votes),
        lambda right, votes, axis: right.sum(axis=axis) / votes.sum(axis=axis),
        paired=True,
        method="percentile",
        n_resamples=10_000,
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert figure.value == right.sum() / votes.sum()
    assert (figure.low, figure.high) == pytest.approx(theirs, abs=0.003)


def test_copied_rows_of_a_cluster_do_not_narrow_its_interval():
    values = np.random.default_rng(4).normal(size=50)
    copied, clusters = np.repeat(values, 9), np.repeat(np.arange(50), 9)
    once = estimate(mean_of(values), Resampler(50))
    assert width(estimate(mean_of(copied, clusters), Resampler(50))) == pytest.approx(width(once))
    assert width(estimate(mean_of(copied), Resampler(450))) < 0.5 * width(once)


def test_equal_seeds_give_equal_draws_and_others_do_not():
    sums = np.arange(12.0).reshape(6, 2)
    draws = Resampler(6, n_draws=50, seed=7).draws(sums)
    assert np.array_equal(draws, Resampler(6, n_draws=50, seed=7).draws(sums))
    assert not np.array_equal(draws, Resampler(6, n_draws=50, seed=8).draws(sums))


def test_every_draw_holds_as_many_clusters_as_there_are():
    assert set(Resampler(7, n_draws=100).draws(np.ones((7, 1)))[:, 0]) == {7.0}


@pytest.mark.parametrize("max_cells", [1, 40, 41, 1000])
def test_the_parts_that_draws_are_made_in_change_no_draw(monkeypatch, max_cells):
    sums = np.random.default_rng(5).normal(size=(10, 3))
    whole = Resampler(10, n_draws=23).draws(sums)
    monkeypatch.setattr(bootstrap, "MAX_CELLS", max_cells)
    parts = Resampler(10, n_draws=23)
    assert parts.draws(sums) == pytest.approx(whole, abs=1e-12)
    assert parts.draws(sums).shape == (23, 3)


def test_the_difference_of_a_judge_with_itself_is_exactly_nothing():
    measure = mean_of(np.random.default_rng(6).normal(size=30))
    assert difference(measure, measure, Resampler(30)) == Estimate(0.0, None, None, 30)


def test_a_difference_is_paired_and_so_narrower_than_of_strangers():
    generator = np.random.default_rng(7)
    common = generator.normal(size=200)
    one, other = common + 0.1 * generator.normal(size=200) + 0.3, common
    figure = difference(mean_of(one), mean_of(other), Resampler(200))
    by_hand = estimate(mean_of(one - other), Resampler(200))
    assert figure.value == pytest.approx((one - other).mean())
    assert (figure.low, figure.high) == pytest.approx((by_hand.low, by_hand.high))
    assert width(figure) < 0.2 * width(estimate(mean_of(one), Resampler(200)))


@pytest.mark.parametrize("n_right", [0, 20])
def test_where_all_clusters_say_the_same_the_interval_is_the_exact_binomial_one(n_right):
    right = np.full(20, n_right / 20)
    figure = estimate(mean_of(right, is_share=True), Resampler(20))
    exact = stats.binomtest(n_right, 20).proportion_ci(method="exact")
    assert (figure.value, figure.low, figure.high) == pytest.approx((n_right / 20, exact.low, exact.high))


def test_clusters_in_which_nothing_is_counted_do_not_sharpen_that_interval():
    sums = np.zeros((80, 2))
    sums[[3, 50]] = [4, 4]
    figure = estimate(Measure(sums, ratio, 8), Resampler(80))
    exact = stats.binomtest(2, 2).proportion_ci(method="exact")
    assert (figure.value, figure.low, figure.high) == pytest.approx((1.0, exact.low, 1.0))


def test_what_is_no_share_has_no_interval_where_nothing_varies_or_clusters_are_few():
    assert estimate(mean_of(np.zeros(9)), Resampler(9)) == Estimate(0.0, None, None, 9)
    assert estimate(mean_of(np.arange(1.0, 6.0)), Resampler(5)) == Estimate(3.0, None, None, 5)
    assert estimate(mean_of(np.arange(1.0, 7.0)), Resampler(6)).low is not None


@pytest.mark.parametrize("says", [0.5, 1 / 3])
def test_a_share_that_is_the_same_everywhere_allows_for_clusters_that_were_not_seen(says):
    figure = estimate(mean_of(np.full(20, says), is_share=True), Resampler(20))
    q = stats.binomtest(0, 20).proportion_ci(method="exact").high
    assert (figure.low, figure.high) == pytest.approx((says * (1 - q), says + q * (1 - says)))


def test_few_clusters_make_a_share_no_narrower_than_that():
    figure = estimate(mean_of(np.array([1.0, 0.8]), is_share=True), Resampler(2))
    low, high = unvaried(0.9, (0.0, 1.0), 2)
    assert low < 0.2
    assert (figure.low, figure.high) == (low, 1.0)
    assert high < 1.0


def shares(*clusters: float) -> Measure:
    return mean_of(np.array(clusters), is_share=True)


def test_a_difference_that_is_the_same_everywhere_has_a_conservative_interval():
    one, other = shares(*[1.0] * 20), shares(*[0.5] * 20)
    figure = difference(one, other, Resampler(20))
    q = stats.binomtest(0, 20).proportion_ci(method="exact").high
    assert figure.value == 0.5
    assert (figure.low, figure.high) == pytest.approx((0.5 - 1.5 * q, 0.5 + 0.5 * q))
    none = difference(one, one, Resampler(20))
    assert (none.value, none.low, none.high) == pytest.approx((0.0, -q, q))


@pytest.mark.parametrize(("n_clusters", "is_clear"), [(1, False), (2, False), (5, False), (6, True)])
def test_all_clusters_on_one_side_are_clear_from_six_on(n_clusters, is_clear):
    figure = difference(shares(*[1.0] * n_clusters), shares(*[0.0] * n_clusters), Resampler(n_clusters))
    assert (figure.low > 0) is is_clear
    assert figure.high == 1


@pytest.mark.parametrize(("n_that_differ", "is_clear"), [(5, False), (6, True)])
def test_a_difference_is_clear_only_where_six_clusters_differ(n_that_differ, is_clear):
    one, other = shares(*[1.0] * n_that_differ, *[0.0] * (100 - n_that_differ)), shares(*[0.0] * 100)
    resampler = Resampler(100)
    assert (difference(one, other, resampler).low > 0) is is_clear
    assert (difference(other, one, resampler).high < 0) is is_clear
    assert stats.binomtest(n_that_differ, n_that_differ).pvalue < 0.05 or not is_clear


def test_an_ordinary_difference_has_the_percentile_interval():
    generator = np.random.default_rng(11)
    one, other = shares(*generator.random(40)), shares(*generator.random(40))
    resampler = Resampler(40)
    figure = difference(one, other, resampler)
    draws = ratio(resampler.draws(one.sums)) - ratio(resampler.draws(other.sums))
    ends = np.quantile(draws, [0.025, 0.975])
    assert (figure.low, figure.high) == pytest.approx(tuple(ends), rel=1e-12)


def test_the_interval_of_what_never_varied_covers_the_truth_often_enough():
    # A judge that differs in one question of twelve: eleven samples of thirty miss it altogether.
    generator, resampler = np.random.default_rng(12), Resampler(12, n_draws=400)
    n_covered = 0
    for _ in range(300):
        differs = (generator.random(12) < 1 / 12).astype(float)
        figure = difference(shares(*differs), shares(*[0.0] * 12), resampler)
        n_covered += figure.low <= 1 / 12 <= figure.high
    assert n_covered / 300 >= 0.95


def test_a_figure_that_does_not_exist_has_no_interval_and_no_difference():
    nothing, something = Measure(np.zeros((5, 2)), ratio, 0), mean_of(np.arange(5.0))
    assert estimate(nothing, Resampler(5)) == Estimate(None, None, None, 0)
    assert difference(nothing, something, Resampler(5)) == Estimate(None, None, None, 0)


def test_one_cluster_alone_has_nearly_the_widest_interval_or_none():
    one, share = mean_of(np.array([0.25])), shares(0.25)
    assert estimate(one, Resampler(1)) == Estimate(0.25, None, None, 1)
    assert difference(one, one, Resampler(1)) == Estimate(0.0, None, None, 1)
    assert astuple(estimate(share, Resampler(1))) == pytest.approx((0.25, 0.00625, 0.98125, 1))
    assert astuple(difference(share, share, Resampler(1))) == pytest.approx((0.0, -0.975, 0.975, 1))
    assert estimates(one.sums, lambda sums: sums, [1, 1], Resampler(1)) == [
        Estimate(0.25, None, None, 1),
        Estimate(1.0, None, None, 1),
    ]


def test_no_clusters_at_all_have_no_figure():
    assert estimate(Measure(np.zeros((0, 2)), ratio, 0), Resampler(0)) == Estimate(None, None, None, 0)


def test_a_figure_that_too_many_draws_miss_has_no_interval():
    sums = np.zeros((50, 2))
    sums[[0, 1]] = [[1, 2], [2, 2]]  # a draw misses both of fifty clusters in 13 % of cases
    assert estimate(Measure(sums, ratio, 4), Resampler(50)) == Estimate(0.75, None, None, 4)
    sums[2:4] = [1, 2]  # and all of four in 2 %
    assert estimate(Measure(sums, ratio, 8), Resampler(50)).low is not None


def test_figures_found_together_are_those_found_one_by_one():
    sums = np.random.default_rng(8).normal(3, 1, size=(40, 3))
    sums[:, 2] = 0

    def both(sums):
        return np.stack([quotient(sums[..., 0], sums[..., 1]), quotient(sums[..., 1], sums[..., 2])], axis=-1)

    resampler = Resampler(40)
    alone = estimate(Measure(sums[:, :2], ratio, 11, is_share=False), resampler)
    together, missing = estimates(sums, both, [11, 12], resampler)
    assert astuple(together) == pytest.approx(astuple(alone), rel=1e-12)  # BLAS adds in its own order
    assert missing == Estimate(None, None, None, 12)


def test_a_95_percent_interval_covers_the_truth_about_as_often():
    generator = np.random.default_rng(9)
    resampler = Resampler(60, n_draws=1000)
    n_covered = 0
    for _ in range(400):
        votes = generator.integers(1, 40, size=60)
        right = generator.binomial(
            votes, generator.beta(7, 3, size=60)
        )  # questions differ; 70 % on the whole
        sums = np.stack([right, votes], axis=1).astype(float)
        figure = estimate(Measure(sums, ratio, int(votes.sum())), resampler)
        n_covered += figure.low <= 0.7 <= figure.high
    assert 0.92 <= n_covered / 400 <= 0.97


def test_many_clusters_take_little_memory():
    resampler = Resampler(5_000, n_draws=1_000)
    assert resampler.draws(np.ones((5_000, 1))).shape == (1_000, 1)
    kept = sum(counts.nbytes for counts in resampler._parts())
    assert kept == 5_000 * 1_000


def test_ten_thousand_draws_of_eighty_clusters_take_a_blink():
    start = time.perf_counter()
    estimate(mean_of(np.arange(80.0)), Resampler(80))
    assert time.perf_counter() - start < 1.5
