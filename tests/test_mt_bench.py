"""MT-bench's pairs on the real files, and judged for real."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pytest

from benchmarks.mt_bench import VOTES, read_pairs
from judge.errors import InputError
from judge.pairfile import read_verdicts
from judge.records import Status

CATEGORIES = {"writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities"}


@pytest.mark.parametrize("turn", [1, 2])
def test_every_voted_pair_is_there_once_whichever_way_round_its_votes_name_it(data_dir, turn):
    lines = gzip.decompress((data_dir / VOTES).read_bytes()).splitlines()
    votes = [vote for vote in map(json.loads, lines) if vote["turn"] == turn]
    expected = {(vote["question_id"], frozenset((vote["model_a"], vote["model_b"]))) for vote in votes}
    pairs = read_pairs(data_dir, turn)
    found = {
        (pair.metadata["question_id"], frozenset((pair.metadata["model_a"], pair.metadata["model_b"])))
        for pair in pairs
    }
    assert len(pairs) == len(found)
    assert found == expected
    assert {pair.category for pair in pairs} == CATEGORIES
    assert all(len(pair.conversation_a) == len(pair.conversation_b) == 2 * turn for pair in pairs)
    assert all(pair.conversation_a[-1].role == "assistant" for pair in pairs)


def test_each_side_keeps_its_own_models_text(data_dir):
    lines = gzip.decompress((data_dir / VOTES).read_bytes()).splitlines()
    text_of = {}
    for vote in map(json.loads, lines):
        for side in "ab":
            text_of[vote["question_id"], vote[f"model_{side}"]] = vote[f"conversation_{side}"][1]["content"]
    for pair in read_pairs(data_dir):
        for side, response in (("a", pair.response_a), ("b", pair.response_b)):
            assert response == text_of[pair.metadata["question_id"], pair.metadata[f"model_{side}"]]


def test_a_folder_without_the_data_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="JUDGE_DATA names the folder"):
        read_pairs(tmp_path)


@pytest.mark.weights
def test_fifty_pairs_are_judged_for_real(data_dir, tmp_path):
    pairs, verdicts = tmp_path / "pairs.jsonl", tmp_path / "verdicts.jsonl"
    convert = ["-m", "benchmarks.mt_bench", "--data-dir", str(data_dir), "--out", str(pairs)]
    subprocess.run([sys.executable, *convert], check=True)
    judge = [
        "run",
        str(pairs),
        "--limit",
        "50",
        "--out",
        str(verdicts),
        "--ledger",
        str(tmp_path / "l.sqlite"),
    ]
    subprocess.run([sys.executable, "-m", "judge.cli", *judge], check=True)
    judged = read_verdicts(verdicts)
    assert len(judged) == 50
    assert {verdict.status for verdict in judged} <= {Status.CONSISTENT, Status.INCONSISTENT}
    assert all(reading.tokens_out == 4 for verdict in judged for reading in verdict.readings.values())
