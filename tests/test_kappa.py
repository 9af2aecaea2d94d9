"""Cohen's kappa against its definition in plain Python, Krippendorff's alpha against the package."""

from __future__ import annotations

from itertools import chain

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from panels import comparisons, doubled, mt_bench_panel, other, panel, renamed, rows, value

from judge.metrics.bootstrap import Resampler, estimate
from judge.metrics.kappa import cohen, cohen_without_ties, krippendorff_alpha

ballots = st.lists(st.text("AB=", max_size=5), min_size=1, max_size=12)


def test_fifty_decisions_of_two_readers_by_hand():
    made = rows("A" * 25 + "B" * 25, "A" * 20 + "B" * 5 + "A" * 10 + "B" * 15)
    assert value(cohen(made)) == pytest.approx(0.4), "(0.70 - 0.50) / (1 - 0.50)"
    assert value(cohen_without_ties(made)) == pytest.approx(0.4)


def test_a_tie_is_a_category_and_an_unread_verdict_is_none():
    made = rows("AB=AB", "AB=F?")
    assert cohen(made).n == 4
    assert value(cohen(made)) == pytest.approx((3 / 4 - 5 / 16) / (1 - 5 / 16))
    assert (cohen_without_ties(made).n, value(cohen_without_ties(made))) == (2, 1)


def test_full_agreement_is_one_and_one_word_throughout_is_no_figure():
    assert value(cohen(rows("AB=", "AB="))) == 1
    assert np.isnan(value(cohen(rows("AAA", "AAA"))))
    assert np.isnan(value(cohen(rows("", ""))))


def test_a_judge_that_says_one_thing_whatever_people_say_is_worth_nothing():
    assert value(cohen(rows("AAB=", "AAAA"))) == 0


@given(comparisons())
def test_kappa_is_its_definition_in_plain_python(made):
    read = [(v, j) for v, j in zip(made.voted.tolist(), made.judged.tolist(), strict=True) if j != 2]
    decided = [(v, j) for v, j in read if v and j]
    assert value(cohen(made)) == pytest.approx(plain_kappa(read), nan_ok=True)
    assert value(cohen_without_ties(made)) == pytest.approx(plain_kappa(decided), nan_ok=True)


def plain_kappa(pairs: list[tuple[int, int]]) -> float:
    if len(set(chain(*pairs))) < 2:
        return np.nan
    said, judged = zip(*pairs, strict=True)
    n = len(pairs)
    observed = sum(one == two for one, two in pairs) / n
    expected = sum((said.count(side) / n) * (judged.count(side) / n) for side in (1, 0, -1))
    return (observed - expected) / (1 - expected)


@given(comparisons())
def test_renaming_all_and_doubling_change_no_kappa(made):
    for of in (cohen, cohen_without_ties):
        assert value(of(renamed(made))) == pytest.approx(value(of(made)), nan_ok=True)
        assert value(of(doubled(made))) == pytest.approx(value(of(made)), nan_ok=True)


def test_alpha_of_four_pairs_by_hand():
    # Coincidences: A with A 2, B with B 2, A with B 1 and B with A 1 (AAB is 6 ordered pairs at weight 1/2:
    # A with A 1, A with B 1, B with A 1); so A has 4 votes, B has 3, and 7 * 6 - 4 * 3 - 3 * 2 = 24.
    made = krippendorff_alpha(panel(["AAB", "BB", "A", "AA"]))
    assert made.n == 7
    assert value(made) == pytest.approx(1 - 2 * (7 - 1) / 24)


@given(ballots)
def test_alpha_is_that_of_the_package(votes):
    counts = [[letters.count(side) for side in "AB="] for letters in votes]
    pairable = [row for row in counts if sum(row) >= 2]
    assume(np.count_nonzero(np.sum(pairable, axis=0)) >= 2)
    theirs = krippendorff.alpha(value_counts=np.array(counts), level_of_measurement="nominal")
    assert value(krippendorff_alpha(panel(votes))) == pytest.approx(theirs)


def test_people_who_all_say_one_thing_have_no_alpha():
    assert np.isnan(value(krippendorff_alpha(panel(["AA", "AAA"]))))
    assert np.isnan(value(krippendorff_alpha(panel(["A", "B", ""]))))


def test_renaming_all_changes_no_alpha():
    made = panel(["AAB", "B=", "AB=", "BB"])
    swapped = panel(["BBA", "A=", "BA=", "AA"])
    assert other(made.voted).tolist() == swapped.voted.tolist()
    assert value(krippendorff_alpha(made)) == pytest.approx(value(krippendorff_alpha(swapped)))


def test_alpha_resamples_questions_as_it_would_recount_them():
    votes, question = ["AAB", "BB=", "AB", "BB", "AA", "A=A"], [0, 0, 1, 1, 2, 2]
    made = krippendorff_alpha(panel(votes, question=question))
    drawn = made.statistic(np.array([made.sums[[0, 0, 2]].sum(axis=0), made.sums[[1, 2, 2]].sum(axis=0)]))
    recounted = [
        value(krippendorff_alpha(panel([votes[place] for place in places])))
        for places in ([0, 1, 0, 1, 4, 5], [2, 3, 4, 5, 4, 5])
    ]
    assert drawn == pytest.approx(recounted)


def test_experts_on_mt_bench(data_dir):
    experts = mt_bench_panel(data_dir)
    counts = np.zeros((len(experts.pair_ids), 3))
    np.add.at(counts, (experts.voted_pair, experts.voted), 1)
    found = estimate(krippendorff_alpha(experts), Resampler(experts.n_questions))
    assert found.value == pytest.approx(
        krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
    )
    assert found.low < found.value < found.high
