"""HH-RLHF's two halves on the real file and on made rows."""

from __future__ import annotations

import gzip
import json

import pytest

from distill.pairs import pairs_of_hh_rlhf, read_unlabelled
from distill.recipe import PairSource
from judge.datasets.dataset import Wanted, prompt_of
from judge.datasets.hh_rlhf import FILE, SETTINGS, TRAINING, half_of, read
from judge.datasets.sources import local_rows
from judge.errors import InputError
from judge.records import Ballot, Message

ROW = {"subset": "helpful-base", "row": 0, "n_turns": 1, "context": [], "prompt": "Question 0?"}
ROW |= {"chosen": "good", "rejected": "bad"}


def folder_of(folder, *rows):
    file = folder / FILE
    file.parent.mkdir()
    file.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return folder


def many(**more):
    return [ROW | {"row": n, "prompt": f"Question {n}?"} | more for n in range(60)]


@pytest.mark.slow
def test_the_half_for_settings_has_its_known_size_and_no_question_of_the_other_half(data_dir):
    every, first = read(Wanted(data_dir, None)), read(Wanted(data_dir, 1))
    assert (len(every.pairs), len(first.pairs)) == (3108, 970)
    assert (dict(every.broken), dict(first.broken)) == ({"missing text": 7}, {"missing text": 3})
    assert {half_of(pair) for pair in every.pairs} == {SETTINGS}
    assert len({pair.id for pair in every.pairs}) == len(every.pairs)
    assert len(list(local_rows(data_dir / FILE))) == 6190


@pytest.mark.slow
def test_each_vote_is_for_the_response_that_was_chosen_and_a_is_it_in_about_half(data_dir):
    dataset = read(Wanted(data_dir, None))
    chosen = {f"hh-rlhf-{row['subset']}-{row['row']}": row["chosen"] for row in local_rows(data_dir / FILE)}
    for pair, vote in zip(dataset.pairs, dataset.votes, strict=True):
        assert vote.pair_id == pair.id
        assert (pair.response_a if vote.outcome is Ballot.A else pair.response_b) == chosen[pair.id]
    assert 0.45 < sum(vote.outcome is Ballot.A for vote in dataset.votes) / len(dataset.votes) < 0.55


def test_pairs_that_begin_with_one_question_are_in_one_half_whatever_comes_later(tmp_path):
    later = [{"role": "user", "text": "QUESTION  7?"}, {"role": "assistant", "text": "Which?"}]
    rows = many()
    rows += [ROW | {"row": 99, "n_turns": 2, "context": later, "prompt": "That."}]
    rows += [ROW | {"row": 100, "prompt": "Question 7?", "chosen": "other"}]
    here = {pair.id for pair in read(Wanted(folder_of(tmp_path, *rows), None)).pairs}
    same = {f"hh-rlhf-helpful-base-{n}" for n in (7, 99, 100)}
    assert same <= here or not same & here
    assert 15 < len(here) < 45  # about half of 62


def test_the_conversation_before_the_response_is_kept_and_a_turn_can_be_asked_for(tmp_path):
    rows = many()
    for row in rows:
        row["context"] = [
            {"role": "user", "text": f"Hello {row['row']}"},
            {"role": "assistant", "text": "Hi"},
        ]
        row["n_turns"] = 2
    folder = folder_of(tmp_path, *rows, *many(subset="helpful-online"))
    for pair in read(Wanted(folder, 2)).pairs:
        number = pair.id.rpartition("-")[2]
        assert pair.conversation_a[:-1] == pair.conversation_b[:-1]
        assert pair.conversation_a[:-1] == (
            Message("user", f"Hello {number}"),
            Message("assistant", "Hi"),
            Message("user", f"Question {number}?"),
        )
    assert {pair.category for pair in read(Wanted(folder, 1)).pairs} == {"helpful-online"}
    assert {half_of(pair) for pair in read(Wanted(folder, None)).pairs} == {SETTINGS}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"chosen": ""}, "missing text"),
        ({"rejected": None}, "missing text"),
        ({"rejected": "good"}, "identical texts"),
        ({"context": [{"role": "system", "text": "x"}]}, "missing text"),
        ({"prompt": None}, "missing text"),
        ({"context": ["x"]}, "missing text"),
    ],
)
def test_a_row_without_two_texts_is_left_out_and_counted(tmp_path, change, reason):
    dataset = read(Wanted(folder_of(tmp_path, *many(), ROW | change), 1))
    assert dataset.broken == {reason: 1}


def test_a_row_without_its_number_of_turns_is_left_out_and_counted(tmp_path):
    row = {name: value for name, value in ROW.items() if name != "n_turns"}
    assert read(Wanted(folder_of(tmp_path, *many(), row), None)).broken == {"missing keys": 1}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(None), "read from a local file only"),
        (Wanted("here", 1, "experts"), "HH-RLHF has its labels only"),
        (Wanted("here", 7), "no pair with a vote is left"),
    ],
)
def test_what_hh_rlhf_cannot_give_is_one_clear_line(tmp_path, wanted, words):
    folder = folder_of(tmp_path, *many()) if wanted.folder else None
    with pytest.raises(InputError, match=words):
        read(Wanted(folder, wanted.turn, wanted.votes))


def test_pairs_that_teach_carry_no_label_and_are_never_of_the_half_for_settings(tmp_path):
    folder = folder_of(tmp_path, *many())
    pairs = pairs_of_hh_rlhf(100, folder)
    settings = read(Wanted(folder, None)).pairs
    assert len(pairs) + len(settings) == 60
    assert {half_of(pair) for pair in pairs} == {TRAINING}
    assert {pair.prompt for pair in pairs}.isdisjoint(pair.prompt for pair in settings)
    assert not any(pair.metadata or pair.category or pair.reference for pair in pairs)
    assert {pair.id for pair in pairs} == {f"pair-{pair.content_hash[:16]}" for pair in pairs}
    assert pairs_of_hh_rlhf(5, folder) == pairs[:5]


def test_which_answer_is_a_does_not_hang_on_which_one_was_chosen(tmp_path):
    rows = many()
    turned = [row | {"chosen": row["rejected"], "rejected": row["chosen"]} for row in rows]
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one = pairs_of_hh_rlhf(100, folder_of(tmp_path / "one", *rows))
    other = pairs_of_hh_rlhf(100, folder_of(tmp_path / "other", *turned))
    assert one == other


def test_a_recipe_reads_them_beside_its_other_pairs(tmp_path):
    folder = folder_of(tmp_path, *many())
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"prompt": "Own?", "response_a": "yes", "response_b": "no"}\n', encoding="utf-8")
    source = PairSource(source="file", path=str(file), hh_rlhf=7)
    pairs, _ = read_unlabelled(source, folder)
    assert len(pairs) == 8
    assert sum(pair.prompt == "Own?" for pair in pairs) == 1
    assert {half_of(pair) for pair in pairs if pair.prompt != "Own?"} == {TRAINING}
    with pytest.raises(InputError, match="HH-RLHF is read from a local file only"):
        read_unlabelled(source, None)


def test_a_recipe_reads_them_alone_and_counts_what_is_left_out(tmp_path):
    rows = many()
    rows[0]["context"] = [{"role": "system", "text": "x"}]
    folder = folder_of(tmp_path, *rows, rows[1])
    pairs, left_out = read_unlabelled(PairSource(source="hh_rlhf", limit=7), folder)
    assert pairs == pairs_of_hh_rlhf(7, folder)
    n_training = len({pair.content_hash for pair in pairs_of_hh_rlhf(100, folder)})
    assert left_out["beyond the limit"] == n_training - 7
    assert left_out["missing text"] == 1
    with pytest.raises(
        InputError, match=r"^HH-RLHF's half for training: no pair is left \(left out: .*too long"
    ):
        read_unlabelled(PairSource(source="hh_rlhf", max_characters=1), folder)


@pytest.mark.slow
def test_none_of_the_real_pairs_that_teach_begins_as_one_for_settings_does(data_dir):
    pairs = pairs_of_hh_rlhf(10_000, data_dir)
    settings = {prompt_of(pair) for pair in read(Wanted(data_dir, None)).pairs}
    assert len(pairs) > 2500
    assert settings.isdisjoint(map(prompt_of, pairs))
