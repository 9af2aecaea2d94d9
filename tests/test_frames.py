"""Verdicts as tables: what a notebook gets, and the files that `judge run` writes of it."""

from __future__ import annotations

import subprocess
import sys

import pandas
import pytest
from pairs import FOUR_PAIRS, HOSTILE, pair_of

from judge.backends import load_backend
from judge.errors import InputError
from judge.evaluate import judge_pairs
from judge.io.frames import TEXT_COLUMNS, VERDICT_COLUMNS, is_table, verdicts_to_frame, write_frame
from judge.io.pairs import write_pairs
from judge.io.verdicts import read_verdicts
from judge.methods import load_method
from judge.records import Order


def verdicts_by(name, pairs=FOUR_PAIRS):
    return judge_pairs(pairs, load_method("direct", load_backend(f"scripted:{name}")))


def test_a_row_a_verdict_in_their_order():
    verdicts = verdicts_by("longer")
    frame = verdicts_to_frame(verdicts)
    assert list(frame.columns) == list(VERDICT_COLUMNS)
    assert list(frame.pair_id) == [pair.id for pair in FOUR_PAIRS]
    assert list(frame.outcome) == [verdict.outcome for verdict in verdicts]
    first = verdicts[0].readings[Order.AB]
    assert frame.p_first_ab[0] == first.probabilities[first.choice.FIRST]
    assert frame.tokens_out[0] == sum(one.tokens_out for one in verdicts[0].readings.values())


def test_the_mean_of_both_orders_follows_from_the_columns():
    frame = verdicts_to_frame(verdicts_by("first"))
    assert list(frame.status) == ["inconsistent"] * 4
    assert ((frame.p_first_ab + 1 - frame.p_first_ba) / 2).to_list() == frame.p_a.to_list()


def test_a_reply_that_could_not_be_read_says_why_and_has_no_choice():
    frame = verdicts_to_frame(verdicts_by("unreadable:1"))
    assert frame.unparsed_ab.notna().all()
    assert frame.choice_ab.isna().all()
    assert frame.outcome.isna().all()
    assert frame.p_a.isna().all()


def test_with_the_pairs_come_their_texts():
    pairs = [pair_of("one", "two", "Why?", "p", category="x", metadata={"gold": "A"})]
    frame = verdicts_to_frame(verdicts_by("longer", pairs), pairs)
    assert list(frame.columns) == [*VERDICT_COLUMNS, *TEXT_COLUMNS]
    assert frame.iloc[0][["prompt", "response_a", "response_b", "category"]].to_list() == [
        "Why?",
        "one",
        "two",
        "x",
    ]
    assert frame.metadata[0] == '{"gold": "A"}'
    assert pandas.isna(frame.reference[0])


def test_no_verdicts_are_a_frame_without_rows():
    assert list(verdicts_to_frame([]).columns) == list(VERDICT_COLUMNS)
    assert len(verdicts_to_frame([], [])) == 0


def test_a_verdict_without_its_pair_is_named():
    with pytest.raises(InputError, match="pair 'sky' has a verdict and is not among the pairs"):
        verdicts_to_frame(verdicts_by("longer"), FOUR_PAIRS[1:])


@pytest.mark.parametrize("name", ["verdicts.csv", "verdicts.parquet"])
def test_hostile_texts_come_back_from_a_file_as_they_were(tmp_path, name):
    pairs = [pair_of(text, "plain", id=f"h{n}") for n, text in enumerate(HOSTILE)]
    frame = verdicts_to_frame(verdicts_by("longer", pairs), pairs)
    write_frame(tmp_path / name, frame)
    read = pandas.read_parquet if name.endswith("parquet") else pandas.read_csv
    back = read(tmp_path / name)
    assert list(back.columns) == list(frame.columns)
    assert list(back.p_a) == pytest.approx(list(frame.p_a))
    if name.endswith("parquet"):
        assert list(back.response_a) == [pair.response_a for pair in pairs]
    assert len(back) == len(pairs)


def test_equal_frames_are_equal_bytes(tmp_path):
    for name in ("one.csv", "one.parquet", "two.csv", "two.parquet"):
        write_frame(tmp_path / name, verdicts_to_frame(verdicts_by("longer"), FOUR_PAIRS))
    for ending in ("csv", "parquet"):
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()


@pytest.mark.parametrize(
    ("name", "is_one"), [("v.csv", True), ("V.PARQUET", True), ("v.jsonl", False), ("-", False)]
)
def test_a_table_is_known_by_its_ending(name, is_one):
    assert is_table(name) is is_one


@pytest.mark.slow
def test_judge_run_writes_a_table_with_the_texts(tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", FOUR_PAIRS)
    command = [sys.executable, "-m", "judge", "run", "pairs.jsonl", "--backend", "scripted:longer", "-q"]
    for out in ("v.csv", "v.parquet", "v.jsonl"):
        more = ["--ledger", "ledger.sqlite", "--out", out]
        subprocess.run([*command, *more], cwd=tmp_path, check=True)
    verdicts = read_verdicts(tmp_path / "v.jsonl")
    for back in (pandas.read_csv(tmp_path / "v.csv"), pandas.read_parquet(tmp_path / "v.parquet")):
        assert list(back.outcome) == [verdict.outcome for verdict in verdicts]
        assert list(back.prompt) == [pair.prompt for pair in FOUR_PAIRS]
    # A table is for notebooks: the other commands read JSONL, and say so.
    report = [sys.executable, "-m", "judge", "report", "v.csv"]
    done = subprocess.run(report, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "this is a table under a line of column names. It must be JSON." in done.stderr


def test_two_different_pairs_of_one_id_are_refused_and_one_that_comes_again_is_not():
    monday = pair_of("a long answer", "b", "Monday?", "1")
    tuesday = pair_of("a", "a long answer", "Tuesday?", "1")
    verdicts = verdicts_by("longer", [monday, tuesday])
    with pytest.raises(InputError, match="two different pairs have the id '1'"):
        verdicts_to_frame(verdicts, [monday, tuesday])
    assert list(verdicts_to_frame(verdicts[:1], [monday, monday]).prompt) == ["Monday?"]


def test_metadata_that_is_not_json_is_named_with_its_pair():
    pairs = [pair_of(metadata={"at": pandas.Timestamp("2026-11-22")})]
    with pytest.raises(InputError, match=r"^pair 'p': metadata 'at' is of type Timestamp\."):
        verdicts_to_frame(verdicts_by("longer", pairs), pairs)
