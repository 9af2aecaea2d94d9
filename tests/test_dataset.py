"""What all data sets have in common: what is left out, parts of a data set, samples, hashes."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import FOUR_PAIRS, pair_of

from judge.datasets.dataset import Dataset, data_folder, not_empty, only, stratified
from judge.errors import InputError
from judge.io.usable import UnknownLabel, Unusable, usable
from judge.records import Ballot, HumanVote, Outcome, Status, Verdict


def verdict_on(pair):
    return Verdict(pair.id, Status.CONSISTENT, Outcome.A, None, None, {}, "somebody")


DATASET = Dataset(
    name="four",
    pairs=tuple(FOUR_PAIRS),
    votes=tuple(HumanVote(pair.id, voter, Ballot.A) for pair in FOUR_PAIRS for voter in ("ann", "bob")),
    source="ours",
    released={"somebody": tuple(verdict_on(pair) for pair in FOUR_PAIRS)},
)


def pairs_by_category(**sizes):
    return [
        pair_of(id=f"{category}-{number}", category=category.strip("_") or None)
        for category, size in sizes.items()
        for number in range(size)
    ]


def counts_of(ids):
    return Counter(id.rpartition("-")[0] for id in ids)


# --- what is left out ------------------------------------------------------------------------------------


def test_unusable_rows_are_counted_by_reason():
    def even(number):
        if number < 0:
            raise Unusable("negative")
        if number % 2:
            raise Unusable("odd")
        return number // 2

    assert usable([2, 3, -1, 4, 5], even) == ([1, 2], {"odd": 2, "negative": 1})


def test_labels_that_are_not_understood_are_counted_together_and_named_with_their_first_rows():
    def known(label):
        if label != "A":
            raise UnknownLabel("unknown winner", label)
        return label

    labels = ["A", "model_c", 7, *["model_c"] * 6, None]
    told = "'model_c' in rows 2, 4, 5, 6, 7, ...; 7 in row 3; None in row 10"
    assert usable(labels, known) == (["A"], {f"unknown winner ({told})": 9})
    assert usable(labels[:2], known, ["one 5", "two 1"])[1] == {"unknown winner ('model_c' in row two 1)": 1}


def test_other_errors_are_bugs_and_pass():
    with pytest.raises(ZeroDivisionError):
        usable([0], lambda number: 1 // number)


def test_a_data_set_without_pairs_is_an_error_that_says_what_was_left_out():
    assert not_empty(DATASET) is DATASET
    empty = replace(DATASET, pairs=(), broken={"unknown winner": 3, "no voter": 1})
    with pytest.raises(InputError) as caught:
        not_empty(empty)
    assert str(caught.value) == (
        "four: no pair with a vote is left (left out: no voter: 1, unknown winner: 3)."
    )


# --- parts -----------------------------------------------------------------------------------------------


def test_a_part_has_the_votes_and_the_verdicts_on_its_pairs_alone():
    part = only(DATASET, frozenset({"sky", "sum", "unknown"}))
    assert [pair.id for pair in part.pairs] == ["sky", "sum"]
    assert [(vote.pair_id, vote.voter) for vote in part.votes] == [
        ("sky", "ann"),
        ("sky", "bob"),
        ("sum", "ann"),
        ("sum", "bob"),
    ]
    assert [verdict.pair_id for verdict in part.released["somebody"]] == ["sky", "sum"]
    assert (part.name, part.source) == (DATASET.name, DATASET.source)


def test_a_part_of_everything_is_the_same_data_set():
    assert only(DATASET, frozenset(pair.id for pair in FOUR_PAIRS)) == DATASET


# --- samples ---------------------------------------------------------------------------------------------


def test_a_sample_has_each_category_in_proportion():
    assert counts_of(stratified(pairs_by_category(x=50, y=30, z=20), 10, seed=0)) == {"x": 5, "y": 3, "z": 2}


def test_what_is_left_over_goes_to_the_largest_remainders():
    # of 5: 2.5 x, 1.6 y, 0.9 z -> 2, 1, 0 and one more for z and y
    assert counts_of(stratified(pairs_by_category(x=25, y=16, z=9), 5, seed=0)) == {"x": 2, "y": 2, "z": 1}


def test_pairs_without_a_category_are_a_category():
    assert counts_of(stratified(pairs_by_category(x=10, _=10), 10, seed=0)) == {"x": 5, "_": 5}


def test_a_sample_depends_on_its_seed_and_not_on_the_order_of_the_pairs():
    pairs = pairs_by_category(x=50, y=30, z=20)
    shuffled = random.Random(1).sample(pairs, len(pairs))
    assert stratified(pairs, 10, seed=0) == stratified(shuffled, 10, seed=0)
    assert stratified(pairs, 10, seed=0) != stratified(pairs, 10, seed=1)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(0, 100), st.integers(0, 3))
def test_a_sample_has_its_exact_size_and_each_category_within_one_of_its_share(sizes, limit, seed):
    pairs = pairs_by_category(**{f"c{number}": size for number, size in enumerate(sizes)})
    ids = stratified(pairs, limit, seed)
    size = min(limit, len(pairs))
    assert len(ids) == size
    assert ids <= {pair.id for pair in pairs}
    counts = counts_of(ids)
    assert all(abs(counts[f"c{n}"] - size * all_ / len(pairs)) < 1 for n, all_ in enumerate(sizes))


# --- hashes ----------------------------------------------------------------------------------------------


def test_the_hash_does_not_depend_on_any_order():
    assert replace(DATASET, pairs=DATASET.pairs[::-1], votes=DATASET.votes[::-1]).hash == DATASET.hash


def test_the_hash_depends_on_every_vote_and_every_text():
    first, *others = DATASET.votes
    changed_vote = replace(DATASET, votes=(replace(first, outcome=Ballot.BOTH_BAD), *others))
    changed_text = replace(DATASET, pairs=(pair_of("no", "yes", "Why?", "sky"), *DATASET.pairs[1:]))
    fewer_votes = replace(DATASET, votes=tuple(others))
    hashes = {dataset.hash for dataset in (DATASET, changed_vote, changed_text, fewer_votes)}
    assert len(hashes) == 4


def test_the_hash_is_about_pairs_and_votes_only():
    assert replace(DATASET, released={}, broken={"x": 1}, name="other").hash == DATASET.hash


# --- the folder ------------------------------------------------------------------------------------------


def test_the_folder_is_the_one_given_else_the_variable_else_beside_the_project_else_the_hub(
    tmp_path, monkeypatch
):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    monkeypatch.chdir(checkout)
    monkeypatch.delenv("JUDGE_DATA", raising=False)
    assert data_folder() is None
    (tmp_path / "shared" / "data").mkdir(parents=True)
    assert data_folder() == Path("../shared/data")
    monkeypatch.setenv("JUDGE_DATA", "elsewhere")
    assert data_folder() == Path("elsewhere")
    assert data_folder(Path("here")) == Path("here")
