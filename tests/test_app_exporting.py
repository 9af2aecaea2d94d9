"""What is taken away is read again by the rest of the project, in every format."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pairs import pair_of

from judge.datasets import own_file
from judge.datasets.dataset import Wanted
from judge.io.pairs import read_pairs
from judge.io.votes import read_votes
from judge.records import Ballot, HumanVote, Message, Pair
from judge.review.exporting import FORMATS, as_bytes, pair_rows, vote_rows

VOTES = [
    HumanVote(
        "p0", "ada", Ballot.A, category="math", note='she said "no", twice\n', shown_left="B", at="2026-11-22"
    ),
    HumanVote("p1", "Ödön", Ballot.BOTH_BAD),
    HumanVote("7", "7", Ballot.TIE, turn=2),
]
PAIRS = [
    replace(
        pair_of("an answer, with a comma", 'a "quoted"\nline', "Why?", "p0"),
        category="math",
        metadata={"n": 1},
    ),
    pair_of("", "empty against not", "What?", "p1"),
    Pair(
        "p2",
        (
            Message("user", "hi"),
            Message("assistant", "yes"),
            Message("user", "so?"),
            Message("assistant", "a"),
        ),
        (
            Message("user", "hi"),
            Message("assistant", "no"),
            Message("user", "so?"),
            Message("assistant", "b"),
        ),
        reference="r",
        system="s",
    ),
]


@pytest.mark.parametrize("form", FORMATS)
def test_votes_come_back_equal(form, tmp_path):
    path = tmp_path / f"votes.{form}"
    path.write_bytes(as_bytes(vote_rows(VOTES), form))
    assert read_votes(path) == VOTES


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("pairs", [PAIRS[:2], PAIRS[2:]], ids=["short", "long"])
def test_pairs_come_back_equal(form, pairs, tmp_path):
    path = tmp_path / f"pairs.{form}"
    path.write_bytes(as_bytes(pair_rows(pairs, {}), form))
    assert read_pairs(path) == pairs


@pytest.mark.parametrize("form", FORMATS)
def test_a_final_label_is_the_gold_that_bench_measures_by(form, tmp_path):
    path = tmp_path / f"pairs.{form}"
    labels = {"p0": VOTES[0], "p1": VOTES[1]}
    path.write_bytes(as_bytes(pair_rows(PAIRS[:2], labels), form))
    votes = own_file.read(path, Wanted(None, None, "")).votes
    assert [(vote.pair_id, vote.outcome) for vote in votes] == [("p0", Ballot.A), ("p1", Ballot.TIE)]


def test_a_label_takes_the_place_of_an_older_gold():
    pair = replace(PAIRS[0], metadata={"gold": "B", "n": 1})
    [with_label] = pair_rows([pair], {"p0": VOTES[0]})
    [without] = pair_rows([pair], {})
    assert (with_label["metadata"], without["metadata"]) == ({"gold": "A", "n": 1}, {"gold": "B", "n": 1})
