"""What is taken away is read again by the rest of the project, in every format."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pairs import pair_of

from judge.datasets import own_file
from judge.datasets.dataset import Wanted
from judge.forms.reading import read_pairs, read_votes
from judge.records import Ballot, Confidence, HumanVote, Message, Pair
from judge.review.exporting import FORMATS, as_bytes, pair_rows, vote_rows

VOTES = [
    HumanVote(
        "p0", "ada", Ballot.A, category="math", note='she said "no", twice\n', shown_left="B", at="2026-11-22"
    ),
    HumanVote("p1", "Ödön", Ballot.BOTH_BAD, saw_judge=True),
    HumanVote("p1", "bob", Ballot.A, saw_judge=False),
    HumanVote("7", "7", Ballot.TIE, turn=2),
    HumanVote("p2", "ada", Ballot.A, tags=("too long", 'a, "b"'), confidence=Confidence.LOW),
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


def metadata_of(pair, labels):
    [row] = pair_rows([pair], labels)
    return row["metadata"]


DECIDED = {"gold": "A", "gold_by": "ada", "gold_reason": VOTES[0].note, "gold_at": "2026-11-22"}


def test_a_final_label_and_the_gold_of_the_file_stand_apart_and_say_who_decided():
    pair = replace(PAIRS[0], metadata={"gold": "B", "n": 1})
    assert metadata_of(pair, {"p0": VOTES[0]}) == {"n": 1, "gold_of_file": "B"} | DECIDED
    assert metadata_of(pair, {}) == {"n": 1, "gold_of_file": "B"}


def test_an_exported_file_that_is_exported_again_keeps_who_decided_and_what_the_file_first_said():
    first = replace(PAIRS[0], metadata={"gold_of_file": "B"} | DECIDED)
    assert metadata_of(first, {}) == first.metadata
    label = replace(VOTES[1], note="a second look")
    assert metadata_of(first, {"p0": label}) == {
        "gold_of_file": "B",
        "gold": "TIE",
        "gold_by": "Ödön",
        "gold_reason": "a second look",
    }
