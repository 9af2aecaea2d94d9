"""What a run costs grows in step with what it is asked, and a pair costs little beside its reading."""

from __future__ import annotations

import pytest
from models import make_model

from benchmarks import curves
from benchmarks.cluster import write_scripted
from judge.provenance import provenance


@pytest.mark.slow
def test_a_run_of_many_pairs_is_timed_twice_and_its_memory_is_its_own(monkeypatch):
    first, second = curves.by_number((10, 3000))
    assert (first["pairs"], second["pairs"]) == (10, 3000)
    for one in (first, second):
        assert one["again_s"] > 0
        assert 20 * 2**20 < one["peak_rss"] < 2**30
    assert second["ledger_bytes"] > 10 * first["ledger_bytes"]
    assert second["peak_rss"] - first["peak_rss"] < 3000 * 10_000


@pytest.mark.long
def test_a_hundred_thousand_pairs_take_less_than_a_millisecond_each_and_a_gibibyte(tmp_path):
    write_scripted(tmp_path / "pairs.jsonl", 100_000)
    first, again = curves.timed_run(tmp_path), curves.timed_run(tmp_path)
    for elapsed_s, peak in (first, again):
        assert elapsed_s < 100
        assert peak < 2**30


def test_pairs_of_a_length_have_so_many_words_and_are_the_same_each_time():
    pairs = curves.pairs_of(64, 3)
    assert pairs == curves.pairs_of(64, 3)
    assert len({pair.content_hash for pair in pairs}) == 3
    assert [len(pair.response_a.split()) for pair in pairs] == [32, 32, 32]


def test_a_length_is_judged_in_both_orders_by_a_real_engine(tmp_path):
    found = curves.judged(str(make_model(tmp_path / "tiny")), 32, 3, threads=1)
    assert (found["pairs"], found["words"], found["threads"]) == (3, 32, 1)
    assert found["tokens"] >= found["tokens_computed"] > 6 * 32
    assert found["elapsed_s"] > 0


def result_of() -> dict:
    point = {"words": 64, "threads": 2, "pairs": 4, "tokens": 1600, "elapsed_s": 2.0, "dtype": "bfloat16"}
    point["peak_rss"] = 3 * 2**29
    return {
        **provenance(),
        "cpu": "A CPU",
        "cores": 2,
        "imitated": {},
        "base_model": "tiny",
        "numbers": [{"pairs": 2000, "elapsed_s": 1.0, "again_s": 0.5, "peak_rss": 2**28}],
        "lengths": [point],
        "cores_used": [point | {"threads": 1, "elapsed_s": 3.0}, point],
    }


def test_the_tables_divide_by_pairs():
    numbers, lengths, cores = (
        table([result_of()]) for table in (curves.numbers_table, curves.lengths_table, curves.cores_table)
    )
    assert "| 2,000 | 1.0 | 0.50 | 0.5 | 256 |" in numbers
    assert "| 200 | 0.50 | 800 | 1.50 |" in lengths
    assert "| 2 | 0.50 | 1.50 |" in cores
    assert all("2 cores of A CPU." in table for table in (numbers, lengths, cores))
