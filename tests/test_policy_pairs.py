"""The pairs of the policy in the how-to page, and that the files of the page are what runs."""

from __future__ import annotations

import pytest

from benchmarks.policy import (
    HELD_OUT,
    N_TEST,
    N_TRAIN,
    PAIRS,
    POLICY,
    RECIPE,
    TRAINED_ON,
    pairs_of,
    prepare,
    table_of,
)
from distill.recipe import read_recipe
from judge import read_pairs
from judge.io.criteria import read_criteria
from judge.records import Outcome

SHOPS = [(TRAINED_ON, N_TRAIN), (HELD_OUT, N_TEST)]


@pytest.mark.parametrize(("shop", "n"), SHOPS)
def test_a_names_the_price_and_b_does_not(shop, n):
    pairs = pairs_of(shop, n)
    assert len({pair.content_hash for pair in pairs}) == n
    assert all(" euros" in pair.response_a and "euro" not in pair.response_b for pair in pairs)


@pytest.mark.parametrize(("shop", "n"), SHOPS)
def test_length_does_not_tell_which_names_the_price(shop, n):
    assert 0.3 < sum(pair.longer is Outcome.A for pair in pairs_of(shop, n)) / n < 0.7


def test_no_thing_question_or_answer_of_the_test_is_trained_on():
    for kind in ("things", "questions", "with_price", "without"):
        assert not set(getattr(TRAINED_ON, kind)) & set(getattr(HELD_OUT, kind))


def test_a_number_of_pairs_that_there_is_not_is_an_error():
    with pytest.raises(ValueError, match="where 1000000 are wanted"):
        pairs_of(HELD_OUT, 1_000_000, n_tries=50)


def test_what_is_prepared_are_the_files_of_the_page(tmp_path):
    prepare(tmp_path)
    recipe = read_recipe(tmp_path / RECIPE)
    assert (recipe.collect.pairs.path, recipe.collect.teacher.criteria) == (PAIRS, POLICY)
    assert [one.name for one in read_criteria(tmp_path / POLICY)] == ["price", "help", "tone"]
    pairs = read_pairs(tmp_path / PAIRS)
    assert len(pairs) == N_TRAIN
    assert sum(" euros" in pair.response_a for pair in pairs) == N_TRAIN / 2


def test_the_table_has_a_row_for_each_judge():
    one = {
        "n": 4,
        "longer_right": 1,
        "strict": 2,
        "by_mean": 3,
        "inconsistent": 1,
        "strict_low": 0.1,
        "strict_high": 0.9,
        "by_mean_low": 0.3,
        "by_mean_high": 0.95,
        "tokens_in": 1234.4,
        "tokens_out": 8.0,
    }
    taught = {"n": 8, "by_mean": 7, "longer_right": 3}
    table = table_of([{"judges": [{"name": "mine", "test": one}], "taught": taught, "cpu": "a CPU"}])
    assert "| mine | 50 (10-90) | 75 (30-95) | 1 | 1,234, 8 |" in table
    assert "right on 7 by the mean" in table
