"""Models by win rate and by Bradley-Terry strength, the latter against evalica's."""

from __future__ import annotations

import time

import evalica
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panels import gpt4, judge, mt_bench, panel, sides_in

from judge.metrics.bootstrap import Estimate, Resampler
from judge.metrics.panel import panel_of, sides_of
from judge.metrics.ranking import (
    ELO,
    bradley_terry,
    contests_of,
    ranking_of,
    win_rates,
    wins_by_question,
)

WINNERS = {1: evalica.Winner.X, -1: evalica.Winner.Y, 0: evalica.Winner.Draw}
THREE = {"p0": ("x", "y"), "p1": ("y", "z"), "p2": ("z", "x")}


def models_of(letters: str) -> dict[str, tuple[str, str]]:
    """Pairs in short form: "xy yz" is model x with y, then y with z."""
    return {f"p{number}": (two[0], two[1]) for number, two in enumerate(letters.split())}


def wins(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, float).reshape(-1)


def test_votes_are_contests_of_the_two_models():
    made = contests_of(panel(["A=", "B", ""], question=[0, 1, 1]), THREE, None)
    assert (made.names, made.n_questions) == (("x", "y", "z"), 2)
    assert made.model_a.tolist() == [0, 0, 1]
    assert made.model_b.tolist() == [1, 1, 2]
    assert (made.side.tolist(), made.question.tolist()) == ([1, 0, -1], [0, 0, 1])


def test_a_judge_has_one_contest_a_pair_and_none_where_it_was_not_read():
    made = contests_of(panel(["AAA", "B", ""]), THREE, sides_in("?FB"))
    assert (made.names, made.side.tolist()) == (("x", "y", "z"), [0, -1])
    assert (made.model_a.tolist(), made.model_b.tolist()) == ([1, 2], [2, 0])


def test_pairs_without_models_and_of_one_model_are_left_out():
    made = contests_of(panel(["A", "A", "A"]), {"p1": ("x", "x"), "p2": ("v", "w"), "gone": ("x", "y")}, None)
    assert (made.names, made.model_a.tolist()) == (("v", "w"), [0])


def test_wins_are_kept_by_question_and_a_tie_is_half_to_each():
    made = contests_of(panel(["AA=", "B", "B"], question=[0, 0, 1]), models_of("xy yx xy"), None)
    assert wins_by_question(made).reshape(2, 2, 2).tolist() == [[[0, 3.5], [0.5, 0]], [[0, 0], [1, 0]]]


def test_a_win_rate_is_the_share_of_a_models_contests():
    x, y = win_rates(np.array([[0, 3.5, 0.5, 0], [0, 0, 1, 0]]))
    assert (x.sums.tolist(), x.n) == ([[3.5, 4], [0, 1]], 5)
    assert (y.sums.tolist(), y.n) == ([[0.5, 4], [1, 1]], 5)


def test_ten_wins_to_one_are_four_hundred():
    assert bradley_terry(wins([[0, 10], [1, 0]])) == pytest.approx([200, -200])


def test_where_all_meet_and_all_are_equal_all_are_nothing():
    assert bradley_terry(wins([[0, 2, 1], [2, 0, 5], [1, 5, 0]])) == pytest.approx([0, 0, 0])


def test_strengths_add_up_along_a_chain():
    strengths = bradley_terry(wins([[0, 3, 0], [1, 0, 5], [0, 2, 0]]))
    assert strengths[0] - strengths[1] == pytest.approx(ELO * np.log(3 / 1))
    assert strengths[1] - strengths[2] == pytest.approx(ELO * np.log(5 / 2))
    assert strengths.sum() == pytest.approx(0)


def test_wins_weigh_by_their_number_only_in_proportion():
    table = wins([[0, 3, 1], [1, 0, 5], [2, 2, 0]])
    assert bradley_terry(7 * table) == pytest.approx(bradley_terry(table))


@pytest.mark.parametrize(
    "table",
    [
        [[0, 3, 1], [1, 0, 1], [0, 0, 0]],  # the last never won
        [[0, 3, 1], [0, 0, 1], [0, 1, 0]],  # the first never lost
        [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]],  # two islands
        [[0, 1, 1, 1], [1, 0, 1, 1], [0, 0, 0, 1], [0, 0, 1, 0]],  # a bridge in one direction
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]],  # the last never met anybody
    ],
)
def test_without_a_finite_maximum_there_are_no_strengths(table):
    assert np.isnan(bradley_terry(wins(table))).all()


def test_a_long_circle_of_wins_is_connected():
    n_models = 9
    circle = np.roll(np.eye(n_models), 1, axis=1)
    assert bradley_terry(circle.reshape(-1)) == pytest.approx([0] * n_models)


def test_hardly_connected_models_converge_as_well():
    table = np.zeros((6, 6))
    for model in range(5):
        table[model, model + 1], table[model + 1, model] = 500, 0.5
    assert np.diff(bradley_terry(table.reshape(-1))) == pytest.approx([-1200] * 5, abs=1e-3)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from("vwxyz"), st.sampled_from("vwxyz"), st.sampled_from("AB=")), min_size=40
    )
)
def test_strengths_are_evalicas(votes):
    # Everybody draws once with the next, so that a maximum exists.
    votes = [*votes, *((one, other, "=") for one, other in zip("vwxyz", "wxyzv", strict=True))]
    votes = [vote for vote in votes if vote[0] != vote[1]]
    left, right, letters = (list(column) for column in zip(*votes, strict=True))
    sides = sides_in("".join(letters)).tolist()
    theirs = evalica.bradley_terry(
        left, right, [WINNERS[side] for side in sides], tolerance=1e-12, limit=100_000
    ).scores
    made = contests_of(panel(letters), models_of(" ".join(map("".join, zip(left, right, strict=True)))), None)
    found = bradley_terry(wins_by_question(made).sum(axis=0))
    logs = np.log([theirs[name] for name in made.names])
    assert found == pytest.approx(ELO * (logs - logs.mean()), abs=1e-4)


def test_all_draws_at_once_are_each_draw_alone():
    tables = np.random.default_rng(0).poisson(1.0, size=(200, 4, 4)).astype(float)
    tables[:, range(4), range(4)] = 0
    together = bradley_terry(tables.reshape(200, -1))
    alone = [bradley_terry(table.reshape(-1)) for table in tables]
    assert together == pytest.approx(np.array(alone), nan_ok=True, abs=1e-6)
    assert 0 < np.isnan(together[:, 0]).sum() < 100


def test_a_ranking_has_an_interval_for_every_model():
    votes = ["ABA", "BBA", "AB", "AB=", "ABB", "BA"] * 8
    models = models_of(" ".join(["xy", "yz", "zx"] * 16))
    found = ranking_of(panel(votes), models, None, Resampler(len(votes), n_draws=500))
    assert found.names == ("x", "y", "z")
    assert [rate.n for rate in found.win_rates] == [strength.n for strength in found.strengths]
    for one in (*found.win_rates, *found.strengths):
        assert one.low < one.value < one.high
    assert sum(strength.value for strength in found.strengths) == pytest.approx(0)


def test_a_model_that_always_wins_has_a_rate_and_no_strength():
    found = ranking_of(panel(["A"] * 20), models_of(" ".join(["xy"] * 20)), None, Resampler(20))
    assert (found.win_rates[0].value, found.win_rates[0].low) == (1, pytest.approx(0.025 ** (1 / 20)))
    assert found.strengths == (Estimate(None, None, None, 20),) * 2


def test_without_models_there_is_no_ranking():
    assert ranking_of(panel(["A"]), {}, None, Resampler(1)) is None
    assert ranking_of(panel(["A"]), THREE, judge("?").strict, Resampler(1)) is None


@pytest.mark.slow
def test_people_and_gpt4_put_gpt4_first_and_llama_last_on_mt_bench(data_dir):
    votes, pairs = mt_bench(data_dir, "human.jsonl.gz", [1], "expert_")
    models = {vote.pair_id: (vote.model_a, vote.model_b) for vote in votes}
    experts = panel_of([pair.id for pair in pairs], votes, pairs)
    resampler = Resampler(experts.n_questions)
    start = time.perf_counter()
    by_people = ranking_of(experts, models, None, resampler)
    assert time.perf_counter() - start < 3  # 0.1 s on one idle core; generous for busy machines
    by_gpt4 = ranking_of(experts, models, sides_of(gpt4(data_dir), experts).strict, resampler)
    for found in (by_people, by_gpt4):
        of_model = dict(zip(found.names, found.strengths, strict=True))
        order = sorted(of_model, key=lambda name: of_model[name].value)
        assert (order[0], order[-1], len(order)) == ("llama-13b", "gpt-4", 6)
        assert of_model["llama-13b"].high < of_model["gpt-4"].low
