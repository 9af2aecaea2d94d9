"""Agreement with people by every convention: by hand, by its definition in plain Python, and on MT-bench."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from panels import comparisons, doubled, gpt4, judge, mt_bench, mt_bench_panel, panel, renamed, rows, value

from judge.metrics import agreement, inconsistency
from judge.metrics.baselines import first_wins, longer_wins
from judge.metrics.bootstrap import Resampler, estimate
from judge.metrics.panel import panel_of, sides_of, with_each_other, with_judge

NAMES = (
    "strict", "length_balanced", "with_ties", "without_ties", "coverage", "half", "single_order", "by_mean",
)  # fmt: skip
CONVENTIONS = {name: getattr(agreement, name) for name in NAMES}

# Votes A A B B = = on six pairs; the judge is right, torn, wrong, silent, wrong, right (a tie).
SIX = panel(["A", "A", "B", "B", "=", "="], longer="AB=ABA")
JUDGE = judge("AFA?B=", p_a=[0.9, 0.6, 0.8, np.nan, 0.5, 0.5])


def figures(comparison) -> dict[str, float]:
    return {name: value(made) for name, of in CONVENTIONS.items() if (made := of(comparison)) is not None}


def test_each_convention_counts_six_votes_in_its_own_way():
    assert figures(with_judge(SIX, JUDGE)) == pytest.approx(
        {
            "strict": 1 / 4,
            "length_balanced": (1 / 1 + 0 / 2) / 2,  # longer chosen: pair 0; shorter: 1 and 3; equal: 2
            "with_ties": 2 / 6,
            "without_ties": 1 / 2,
            "coverage": 2 / 4,
            "half": 1.5 / 4,
            "single_order": (2 / 4 + 1 / 4) / 2,
            "by_mean": 2 / 4,
        }
    )


def test_each_convention_says_how_many_votes_it_counts():
    counted = {name: of(with_judge(SIX, JUDGE)).n for name, of in CONVENTIONS.items()}
    assert counted == {
        "strict": 4,
        "length_balanced": 3,
        "with_ties": 6,
        "without_ties": 2,
        "coverage": 4,
        "half": 4,
        "single_order": 4,
        "by_mean": 4,
    }


def test_what_a_judge_does_not_give_is_no_figure():
    made = figures(with_judge(panel(["A", "B"]), judge("AB", has_readings=False)))
    assert made.keys() == {"strict", "with_ties", "without_ties", "coverage", "half"}


def test_a_judge_that_only_looks_at_length_is_worth_fifty_when_lengths_are_balanced():
    votes = ["A", "AB", "B", "A", "="]
    made = with_judge(panel(votes, "ABBA="), judge("ABBA="))
    assert value(CONVENTIONS["strict"](made)) == 4 / 5
    assert value(CONVENTIONS["length_balanced"](made)) == 0.5


def test_without_a_vote_for_the_shorter_there_is_no_balance():
    assert np.isnan(value(CONVENTIONS["length_balanced"](rows("AA", "AA", longer="AA"))))


def test_no_votes_are_no_figures_and_no_error():
    made = with_judge(panel(["", ""], "AB"), judge("AB", p_a=[0.9, 0.1]))
    assert all(np.isnan(figure) for figure in figures(made).values())
    assert {estimate(of(made), Resampler(2)).value for of in CONVENTIONS.values()} == {None}


@given(comparisons())
def test_every_convention_is_its_definition_in_plain_python(made):
    found = figures(made)
    for name, credits in plain_credits(made).items():
        expected = sum(credits) / len(credits) if credits else np.nan
        assert found[name] == pytest.approx(expected, nan_ok=True), name


def plain_credits(made) -> dict[str, list[float]]:
    """What each counted vote earns the judge, by convention."""
    credits = {name: [] for name in CONVENTIONS if name != "length_balanced"}
    for voted, judged, by_order, by_mean in zip(
        made.voted.tolist(), made.judged.tolist(), made.by_order.tolist(), made.by_mean.tolist(), strict=True
    ):
        credits["with_ties"].append(voted == judged)
        if voted == 0:
            continue
        credits["strict"].append(voted == judged)
        credits["coverage"].append(judged in (1, -1))
        credits["half"].append({voted: 1, 0: 0.5}.get(judged, 0))
        credits["single_order"].append(sum(voted == one for one in by_order) / 2)
        credits["by_mean"].append(voted == by_mean)
        if judged in (1, -1):
            credits["without_ties"].append(voted == judged)
    return credits


@given(comparisons())
def test_calling_a_b_and_b_a_everywhere_changes_no_figure(made):
    assert figures(renamed(made)) == pytest.approx(figures(made), nan_ok=True)


@given(comparisons())
def test_giving_every_vote_twice_changes_no_figure(made):
    assert figures(doubled(made)) == pytest.approx(figures(made), nan_ok=True)


def test_people_agree_with_each_other_on_mt_bench_as_published(data_dir):
    experts = mt_bench_panel(data_dir)
    assert (len(experts.pair_ids), len(experts.voted), experts.n_questions) == (821, 1343, 80)
    made = figures(with_each_other(experts))
    assert 100 * made["with_ties"] == pytest.approx(63.0, abs=0.05)
    assert 100 * made["without_ties"] == pytest.approx(81.0, abs=0.05)
    assert 100 * made["strict"] == pytest.approx(68.4, abs=0.05)


@pytest.mark.slow
def test_gpt4_agrees_with_experts_on_mt_bench_as_published(data_dir):
    experts = mt_bench_panel(data_dir)
    sides = sides_of(gpt4(data_dir), experts)
    made = figures(with_judge(experts, sides))
    published = {"strict": 69.4, "with_ties": 66.0, "without_ties": 84.6, "coverage": 82, "half": 78.4}
    for name, percent in published.items():
        assert 100 * made[name] == pytest.approx(percent, abs=0.5 if name == "coverage" else 0.05), name
    assert 100 * made["length_balanced"] == pytest.approx(64.5, abs=0.05)
    assert 100 * value(inconsistency.inconsistent(experts, sides)) == pytest.approx(15.3, abs=0.05)
    figure = estimate(CONVENTIONS["strict"](with_judge(experts, sides)), Resampler(80))
    assert (100 * figure.low, 100 * figure.high) == pytest.approx((64.6, 73.8), abs=0.3)


def test_gpt4_is_inconsistent_on_its_own_pairs_as_published(data_dir):
    verdicts = gpt4(data_dir)
    everything = panel_of([verdict.pair_id for verdict in verdicts], [], None)
    sides = sides_of(verdicts, everything)
    assert len(verdicts) == 1200
    assert 100 * value(inconsistency.inconsistent(everything, sides)) == pytest.approx(15.7, abs=0.05)
    assert 100 * value(inconsistency.any_tie(everything, sides)) == pytest.approx(26.5, abs=0.05)


def test_the_longer_answer_wins_on_mt_bench_as_often_as_gpt4_but_not_when_balanced(data_dir):
    votes, pairs = mt_bench(data_dir, "human.jsonl.gz", [1], "expert_")
    experts = panel_of([pair.id for pair in pairs], votes, pairs)
    made = figures(with_judge(experts, sides_of(longer_wins(pairs), experts)))
    assert 0.67 < made["strict"] < 0.70
    assert made["length_balanced"] == 0.5


def test_ten_thousand_draws_of_all_conventions_over_all_votes_take_under_two_seconds(data_dir):
    votes, pairs = mt_bench(data_dir, "human.jsonl.gz", [1, 2])
    everybody = panel_of([pair.id for pair in pairs], votes, pairs)
    assert len(everybody.voted) == 3355
    sides = sides_of(first_wins(pairs), everybody)
    p_a = np.random.default_rng(0).uniform(size=len(pairs))
    sides = replace(sides, p_a=p_a, by_mean=np.where(p_a > 0.5, 1, -1))
    start = time.perf_counter()
    made, resampler = with_judge(everybody, sides), Resampler(everybody.n_questions)
    found = [estimate(of(made), resampler) for of in CONVENTIONS.values()]
    assert time.perf_counter() - start < 4  # 0.05 s on one idle core; generous for busy machines
    assert len(found) == 8
