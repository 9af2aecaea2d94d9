"""The gate of a suite: what it finds, and how often it is wrong, by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.power import power
from judge.errors import InputError
from judge.plugin.gate import (
    EVEN_RATE,
    LAST_LEVEL,
    LEVEL,
    STOPPING_LEVEL,
    GateFinding,
    confidence_sequence,
    gate,
    interval,
    margin_of,
    sequential_gate,
)

N_SUITES = 20_000
MAX_FALSE = 0.035


def suites(win_rate, n_cases, n_suites=N_SUITES, ties=0.0, seed=0):
    """Scores of many suites, shape (suites, cases), with that share of ties among them."""
    dice = np.random.default_rng(seed)
    won = (dice.random((n_suites, n_cases)) < win_rate).astype(float)
    return np.where(dice.random((n_suites, n_cases)) < ties, EVEN_RATE, won)


def names(n):
    return [f"case {i}" for i in range(n)]


# --- what a gate is


@pytest.mark.parametrize(("text", "margin"), [("not-worse", 0), ("not-worse:0", 0), ("not-worse:0.05", 0.05)])
def test_a_gate_has_a_margin(text, margin):
    assert margin_of(text) == margin


@pytest.mark.parametrize(
    "text", ["", "better", "not-worse:", "not-worse:x", "not-worse:0.5", "not-worse:-1", "not-worse:nan"]
)
def test_what_is_no_gate_is_told_the_right_form(text):
    with pytest.raises(
        InputError, match=r"no such gate. Write not-worse:MARGIN, with a margin of 0 or more, below 0.5"
    ):
        margin_of(text)


# --- what it finds


def test_a_suite_that_loses_nearly_always_is_worse_and_one_that_wins_is_not():
    worse = gate([0.0] * 18 + [1.0] * 2, names(20), 0.0)
    better = gate([1.0] * 18 + [0.0] * 2, names(20), 0.0)
    assert (worse.finding, better.finding) == (GateFinding.WORSE, GateFinding.NOT_WORSE)
    assert (worse.win_rate, better.win_rate) == (0.1, 0.9)
    assert worse.high < 0.5 < better.low
    assert worse.n_needed is better.n_needed is None


def test_it_fails_if_and_only_if_the_upper_end_lies_below_the_bound():
    for n_wins in range(41):
        found = gate([1.0] * n_wins + [0.0] * (40 - n_wins), names(40), 0.05)
        assert (found.finding is GateFinding.WORSE) == (found.high < 0.45)
        assert (found.finding is GateFinding.NOT_WORSE) == (found.low >= 0.45)


def test_few_cases_are_too_few_and_it_says_how_many_would_do():
    few = gate([0.0, 0.0, 1.0, 0.0, 0.5, 0.0], names(6), 0.0)
    assert few.finding is GateFinding.UNCLEAR
    assert few.n_needed > 6
    times = -(-few.n_needed // 6) + 1
    enough = gate([0.0, 0.0, 1.0, 0.0, 0.5, 0.0] * times, names(6 * times), 0.0)
    assert enough.finding is GateFinding.WORSE


def test_where_every_cluster_counts_once_it_says_how_many_cases_would_do_and_not_clusters():
    apart = gate([0.0, 1.0, 0.0, 0.0], names(4), 0.0, is_by_cluster=True)
    scores = [score for score in (0.0, 1.0, 0.0, 0.0) for _ in range(10)]
    together = gate(scores, [f"question {i // 10}" for i in range(40)], 0.0, is_by_cluster=True)
    assert together.n_needed == 10 * apart.n_needed


def test_at_exactly_the_bound_no_number_of_cases_would_do():
    assert gate([0.0, 1.0] * 10, names(20), 0.0).n_needed is None


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_a_handful_of_losses_alone_never_fails_a_suite(n):
    assert gate([0.0] * n, names(n), 0.0).finding is GateFinding.UNCLEAR


def test_ties_count_half_and_many_of_them_show_that_nothing_is_worse():
    found = gate([0.5] * 200, names(200), 0.05)
    assert found.win_rate == 0.5
    assert found.finding is GateFinding.NOT_WORSE


def test_cases_of_one_cluster_count_as_one():
    scores = [0.0, 0.0, 0.0, 1.0] * 10
    apart = gate(scores, names(40), 0.0)
    together = gate(scores, [f"question {i // 8}" for i in range(40)], 0.0)
    twice = gate(
        [score for score in scores for _ in range(2)], [name for name in names(40) for _ in range(2)], 0.0
    )
    assert apart.win_rate == together.win_rate == 0.25
    assert together.high - together.low > 0
    assert (twice.low, twice.high) == pytest.approx((apart.low, apart.high))
    assert (twice.n_cases, twice.n_clusters) == (80, 40)
    alike = gate([1.0] * 20 + [0.0] * 20, ["won"] * 20 + ["lost"] * 20, 0.0)
    assert alike.high - alike.low > 2 * (apart.high - apart.low)


def test_the_order_of_cases_does_not_matter():
    scores, clusters = [0.0, 1.0, 0.5, 0.0, 0.0], ["a", "b", "a", "c", "b"]
    turned = gate(scores[::-1], clusters[::-1], 0.1)
    assert turned.low == pytest.approx(gate(scores, clusters, 0.1).low)


def test_without_cases_there_is_no_gate():
    with pytest.raises(ValueError, match="needs cases"):
        gate([], [], 0.0)


# --- how often it is wrong


@pytest.mark.parametrize("ties", [0.0, 0.3])
@pytest.mark.parametrize("level", [LEVEL, LAST_LEVEL])
@pytest.mark.parametrize(
    "n_cases",
    [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30]
    + [pytest.param(n, marks=pytest.mark.slow) for n in (40, 50, 75, 100, 150, 200, 400)],
)
def test_without_a_difference_it_rarely_fails(n_cases, level, ties):
    scores = suites(0.5, n_cases, ties=ties)
    _, high = interval(scores, np.ones_like(scores), level)
    assert (high < EVEN_RATE).mean() <= (MAX_FALSE if level == LEVEL else 0.03)


@pytest.mark.slow
def test_without_a_difference_it_rarely_fails_where_cases_come_in_clusters():
    """Five answers a question, each question leaning one way; sizes differ as well."""
    dice = np.random.default_rng(1)
    for n_clusters in (5, 10, 30, 60):
        lean = dice.beta(0.7, 0.7, (N_SUITES, n_clusters))
        counts = dice.integers(1, 10, (N_SUITES, n_clusters)).astype(float)
        sums = dice.binomial(counts.astype(int), lean).astype(float)
        _, high = interval(sums, counts)
        assert (high < EVEN_RATE).mean() <= MAX_FALSE, n_clusters


@pytest.mark.parametrize("n_clusters", [10, 20, 50])
def test_the_interval_covers_the_truth_where_one_cluster_is_most_of_the_suite(n_clusters):
    dice = np.random.default_rng(2)
    counts = np.ones((3_000, n_clusters))
    counts[:, 0] = 50
    for rate in (0.1, 0.45, 0.8):
        lean = dice.beta(rate, 1 - rate, counts.shape)  # a correlation of one half in a cluster
        low, high = interval(dice.binomial(counts.astype(int), lean).astype(float), counts)
        assert ((low <= rate) & (rate <= high)).mean() >= 0.935, rate
        assert (high < rate).mean() <= MAX_FALSE, rate


def test_equal_clusters_are_counted_as_they_are():
    from scipy import stats

    sums, counts = np.array([3.0, 0.0, 7.0, 2.0, 6.0]), np.full(5, 7.0)
    rates = np.array([*(sums / 7), 1, 1, 0, 0])
    low, high = interval(sums, counts)
    assert (low + high) / 2 == pytest.approx(rates.mean())
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, 8) * rates.std(ddof=1) / 3)


def test_a_suite_of_200_that_wins_35_percent_fails():
    scores = suites(0.35, 200, 5_000)
    _, high = interval(scores, np.ones_like(scores))
    assert (high < EVEN_RATE).mean() >= 0.95


def test_the_interval_covers_the_truth():
    for rate in (0.05, 0.2, 0.5, 0.9):
        for n_cases in (10, 40, 150):
            scores = suites(rate, n_cases, 5_000)
            low, high = interval(scores, np.ones_like(scores))
            assert ((low <= rate) & (rate <= high)).mean() >= 0.935, (rate, n_cases)


# --- stopping early


def test_a_clear_answer_stops_a_suite_early_either_way():
    for score, finding in ((0.0, GateFinding.WORSE), (1.0, GateFinding.NOT_WORSE)):
        found = sequential_gate([score] * 100, names(100), 0.0, is_complete=False)
        assert found.finding is finding
        assert found.n_cases < 30
        assert (found.low, found.high) != (0, 1)


def test_what_was_found_early_stays_found_whatever_comes_after():
    scores = [0.0] * 40 + [1.0] * 200
    first = sequential_gate(scores[:40], names(40), 0.0, is_complete=False)
    assert first.finding is GateFinding.WORSE
    assert sequential_gate(scores, names(240), 0.0, is_complete=True) == first


def test_an_unclear_suite_goes_on_to_its_end():
    scores = [0.0, 1.0, 0.5] * 4
    assert sequential_gate(scores, names(12), 0.0, is_complete=False) is None
    assert sequential_gate(scores, names(12), 0.0, is_complete=True) == gate(
        scores, names(12), 0.0, LAST_LEVEL, is_by_cluster=True
    )


def test_a_sequential_suite_tests_and_shows_the_mean_of_its_clusters_early_and_at_its_end():
    scores, clusters = [0.0] * 100 + [1.0] * 30, ["one"] * 100 + names(30)
    early = sequential_gate(scores, clusters, 0.05, is_complete=False)
    assert early.finding is GateFinding.NOT_WORSE
    assert early.win_rate == pytest.approx(1 - 1 / early.n_clusters)
    last = sequential_gate([0.0, 0.0, 0.0, 1.0], ["one", "one", "one", "two"], 0.05, is_complete=True)
    assert (last.win_rate, last.n_cases, last.n_clusters) == (0.5, 4, 2)
    for found in (early, last):
        assert found.is_by_cluster
        assert found.low <= found.win_rate <= found.high


def test_the_two_errors_of_a_sequential_suite_add_up_to_that_of_a_fixed_one():
    assert pytest.approx(1 - LEVEL) == (1 - STOPPING_LEVEL) + (1 - LAST_LEVEL)


@pytest.mark.slow
@pytest.mark.parametrize(("n_cases", "n_suites"), [(10, N_SUITES), (40, N_SUITES), (200, 5_000)])
def test_without_a_difference_a_sequential_suite_rarely_fails(n_cases, n_suites):
    scores = suites(0.5, n_cases, n_suites)
    assert fails_sequentially(scores).mean() <= MAX_FALSE


@pytest.mark.slow
def test_a_sequential_suite_of_200_that_wins_35_percent_fails():
    assert fails_sequentially(suites(0.35, 200, 4_000)).mean() >= 0.95


def fails_sequentially(scores):
    """Whether each suite fails, at the first time that the interval settles it or else at its end."""
    early_low, early_high = (np.empty(scores.shape) for _ in range(2))
    for start in range(0, len(scores), 1_000):
        part = slice(start, start + 1_000)
        early_low[part], early_high[part] = confidence_sequence(scores[part])
    is_worse, is_fine = early_high < EVEN_RATE, early_low >= EVEN_RATE
    never = scores.shape[1]
    first_worse = np.where(is_worse.any(axis=1), is_worse.argmax(axis=1), never)
    first_fine = np.where(is_fine.any(axis=1), is_fine.argmax(axis=1), never)
    _, high = interval(scores, np.ones_like(scores), LAST_LEVEL)
    is_open = (first_worse == never) & (first_fine == never)
    return (first_worse < first_fine) | (is_open & (high < EVEN_RATE))


@pytest.mark.parametrize("seed", range(4))
def test_the_bets_value_by_value_give_the_bounds_of_the_whole_computation(seed):
    dice = np.random.default_rng(seed)
    values = dice.choice([0, 1 / 3, 0.5, 2 / 3, 1], size=(3, 120), p=dice.dirichlet(np.ones(5)))
    low, high = confidence_sequence(values)
    for suite in range(3):
        assert np.array_equal((low[suite], high[suite]), whole_sequence(values[suite]))


def whole_sequence(values):
    """The interval after each value, of all of them at once: an independent computation."""
    n, means = np.arange(len(values)), np.linspace(0, 1, 401)
    guess = (0.5 + np.cumsum(values) - values) / (n + 1)
    distance = (values - guess) ** 2
    spread = (0.25 + np.cumsum(distance) - distance) / (n + 1)
    lead = guess[:, None] - means
    bet = lead / (spread[:, None] + lead**2)
    more = np.clip(bet, 0, 0.5 / np.maximum(means, 1e-9))
    less = np.clip(-bet, 0, 0.5 / np.maximum(1 - means, 1e-9))
    away = values[:, None] - means
    rich = np.log(2 / (1 - STOPPING_LEVEL))
    is_poor = [np.cumsum(np.log1p(stake * away), axis=0) < rich for stake in (more, -less)]
    bounds, is_in = [], np.ones(len(means), dtype=bool)
    for left in is_poor[0] & is_poor[1]:
        is_in = is_in & left if (is_in & left).any() else is_in
        [places] = np.nonzero(is_in)
        bounds.append((means[max(places[0] - 1, 0)], means[min(places[-1] + 1, len(means) - 1)]))
    return np.transpose(bounds)


@pytest.mark.slow
def test_the_interval_of_all_times_holds_at_all_times():
    scores = suites(0.3, 150, 1_000)
    low, high = confidence_sequence(scores)
    assert ((low <= 0.3) & (high >= 0.3)).all(axis=1).mean() >= STOPPING_LEVEL - 0.01
    assert (np.diff(low, axis=1) >= 0).all()
    assert (np.diff(high, axis=1) <= 0).all()
    assert (high[:, -1] - low[:, -1]).mean() < 0.35


# --- the table of power


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_cases", "win_rate", "margin"), [(25, 0.3, 0.05), (200, 0.35, 0.0), (60, 0.45, 0.05)]
)
def test_the_table_says_what_simulation_says(n_cases, win_rate, margin):
    scores = suites(win_rate, n_cases)
    _, high = interval(scores, np.ones_like(scores))
    assert (high < EVEN_RATE - margin).mean() == pytest.approx(power(n_cases, win_rate, margin), abs=0.015)


def test_at_the_bound_itself_hardly_any_suite_fails():
    for margin in (0.0, 0.05, 0.2):
        for n_cases in (*range(1, 60), 100, 333, 800):
            assert power(n_cases, EVEN_RATE - margin, margin) <= MAX_FALSE


@pytest.mark.parametrize(("wins", "n"), [(1, 1), (0, 1), (12, 40), (3, 3), (9, 24)])
def test_about_so_many_cases_would_do_and_no_fewer(wins, n):
    """The same share of wins in so many cases settles the gate, and in three of four of them does not."""

    def at(size):
        scores = [1.0] * round(wins * size / n) + [0.0] * (size - round(wins * size / n))
        return gate(scores, names(size), 0.05 if wins > n / 2 else 0.0)

    needed = at(n).n_needed
    if needed is not None:
        assert at(needed + n).finding is not GateFinding.UNCLEAR
        assert at(max(n, needed * 3 // 4)).finding is GateFinding.UNCLEAR
    else:
        assert at(n).finding is not GateFinding.UNCLEAR
