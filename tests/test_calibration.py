"""Whether probabilities mean what they say."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from hypothesis import given
from panels import comparisons, doubled, renamed, rows, value

from judge.metrics.bootstrap import Resampler, estimate
from judge.metrics.calibration import accuracy_at_coverage, brier, ece, reliability
from judge.records import Share

NONE = np.nan
FIVE = rows("AABB=A", "======", p_a=np.array([0.9, 0.6, 0.8, 0.5, 0.7, NONE]))


def test_four_votes_count_and_ties_and_unknown_probabilities_do_not():
    assert (value(brier(FIVE)), brier(FIVE).n) == (pytest.approx((0.01 + 0.16 + 0.64 + 0.25) / 4), 4)


def test_the_calibration_error_of_four_votes_by_hand():
    # Confidences 0.9 (right), 0.6 (right), 0.8 (wrong), 0.5 (half right): each alone in one of ten bins,
    assert value(ece(FIVE)) == pytest.approx((0.1 + 0.4 + 0.8 + 0) / 4)
    # and two by two in the halves: 0.75 right at 0.55, 0.5 right at 0.85.
    assert value(ece(FIVE, n_bins=2)) == pytest.approx((2 * 0.2 + 2 * 0.35) / 4)
    assert ece(FIVE).n == 4


def test_reliability_shows_the_bins_that_hold_votes():
    low, high = reliability(FIVE, n_bins=2)
    assert (low.low, low.high, low.confidence, low.n) == (0.5, 0.75, pytest.approx(0.55), 2)
    assert (high.low, high.high, high.confidence, high.n) == (0.75, 1.0, pytest.approx(0.85), 2)
    assert (value(low.right), value(high.right)) == (0.75, 0.5)
    assert [one.low for one in reliability(FIVE)] == pytest.approx([0.5, 0.6, 0.8, 0.9])


def test_certainty_is_in_the_last_bin_and_an_edge_in_the_upper_one():
    made = reliability(rows("AAB", "===", p_a=np.array([1.0, 0.75, 0.0])), n_bins=2)
    assert [(one.low, one.n, value(one.right)) for one in made] == [(0.75, 3, 1.0)]


def test_a_judge_that_always_says_one_half_is_calibrated_and_knows_nothing():
    made = rows("ABA", "===", p_a=np.full(3, 0.5))
    assert (value(brier(made)), value(ece(made))) == (0.25, 0)


def test_a_judge_that_is_sure_and_wrong_has_the_worst_of_both():
    made = rows("AB", "BA", p_a=np.array([0.0, 1.0]))
    assert (value(brier(made)), value(ece(made))) == (1, 1)


def test_at_lower_coverage_only_the_surest_votes_are_answered():
    made = rows("AABBA", "=====", p_a=np.array([0.9, 0.8, 0.4, 0.7, 0.5]))
    points = accuracy_at_coverage(made, [0.2, 0.5, 0.8, 1.0])
    assert [(point.coverage, point.threshold, point.right.n) for point in points] == [
        (0.2, 0.9, 1),
        (0.5, 0.7, 3),
        (0.8, 0.6, 4),
        (1.0, 0.5, 5),
    ]
    assert [value(point.right) for point in points] == pytest.approx([1, 2 / 3, 3 / 4, 3.5 / 5])


def test_votes_of_equal_confidence_are_answered_together():
    made = rows("AABA", "====", p_a=np.array([0.9, 0.9, 0.1, 0.6]))
    (point,) = accuracy_at_coverage(made, [0.25])
    assert (point.threshold, point.covered, value(point.right)) == (0.9, Share(3, 4), 1)


def test_a_share_of_votes_is_not_pushed_up_by_how_numbers_are_stored():
    made = rows("A" * 30, "=" * 30, p_a=np.linspace(0.6, 0.9, 30))
    assert [p.covered.count for p in accuracy_at_coverage(made, [n / 10 for n in range(1, 11)])] == list(
        range(3, 31, 3)
    )


def test_without_probabilities_there_is_nothing():
    made = rows("AB", "AB")
    assert [of(made) for of in (brier, ece, reliability, accuracy_at_coverage)] == [None] * 4


def test_without_votes_there_is_no_figure_and_no_bin():
    made = rows("==", "AB", p_a=np.array([0.9, 0.1]))
    assert np.isnan([value(brier(made)), value(ece(made))]).all()
    assert (reliability(made), accuracy_at_coverage(made)) == ([], [])
    assert estimate(ece(made), Resampler(2)).value is None


@given(comparisons())
def test_every_figure_is_its_definition_in_plain_python(made):
    votes = [
        (p_a, voted == 1)
        for p_a, voted in zip(made.p_a.tolist(), made.voted.tolist(), strict=True)
        if voted and p_a == p_a
    ]
    bins: dict[int, list[tuple[float, float]]] = {}
    for p_a, is_a in votes:
        confidence = max(p_a, 1 - p_a)
        right = 0.5 if p_a == 0.5 else float((p_a > 0.5) == is_a)
        bins.setdefault(min(round(1000 * confidence - 500) // 50, 9), []).append((confidence, right))
    gaps = [abs(sum(confidence - right for confidence, right in held)) for held in bins.values()]
    errors = [(p_a - is_a) ** 2 for p_a, is_a in votes]
    assert value(ece(made)) == pytest.approx(sum(gaps) / len(votes) if votes else np.nan, nan_ok=True)
    assert value(brier(made)) == pytest.approx(sum(errors) / len(votes) if votes else np.nan, nan_ok=True)
    assert [one.n for one in reliability(made)] == [len(bins[number]) for number in sorted(bins)]
    surest_first = sorted((pair for held in bins.values() for pair in held), reverse=True)
    for point in accuracy_at_coverage(made):
        last = surest_first[ceil(round(point.coverage * len(votes), 6)) - 1][0]
        answered = [right for confidence, right in surest_first if confidence >= last]
        assert (point.threshold, point.covered) == (last, Share(len(answered), len(votes)))
        assert value(point.right) == pytest.approx(sum(answered) / len(answered))


@given(comparisons())
def test_renaming_and_doubling_change_nothing(made):
    for same in (renamed(made), doubled(made)):
        for of in (brier, ece):
            assert value(of(same)) == pytest.approx(value(of(made)), nan_ok=True)
        assert [value(one.right) for one in reliability(same)] == pytest.approx(
            [value(one.right) for one in reliability(made)]
        )
        assert [(point.threshold, value(point.right)) for point in accuracy_at_coverage(same)] == [
            (point.threshold, pytest.approx(value(point.right))) for point in accuracy_at_coverage(made)
        ]


def test_a_confidence_on_an_edge_is_in_the_upper_bin_however_it_is_stored():
    made = rows("AAAA", "AAAA", p_a=np.array([0.15, 0.85, 0.899, 0.9]))  # 1 - 0.15 is stored below 0.85
    assert [(one.low, one.n) for one in reliability(made)] == [
        (pytest.approx(0.85), 3),
        (pytest.approx(0.9), 1),
    ]
