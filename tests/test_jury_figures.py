"""What a jury knows: its weights and figures on made numbers, and the committed result from the shards."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.jury import DIRECT, LENGTH, juries_of, numbers_by, result_of, table_of
from benchmarks.replay import committed
from distill.ensemble import spread_of
from judge.bench.run import read
from judge.datasets.dataset import Wanted
from judge.provenance import CHECKOUT

RESULT = CHECKOUT / "benchmarks" / "results" / "jury-hh-rlhf.json"


def made(n=2000):
    """Labels, lengths that go with them, and two judges that err apart, of which one also sees length."""
    dice = np.random.default_rng(0)
    labels = dice.choice([-1, 1], n)
    ratios = 0.3 * labels + dice.standard_normal(n)
    judge = labels + 2 * dice.standard_normal(n) + ratios
    direct = 5 * labels + 10 * dice.standard_normal(n)
    return labels.tolist(), ratios.tolist(), judge.tolist(), direct.tolist()


def found_in(juries, direct, length):
    [one] = [one for one in juries if (one["direct"], one["length"]) == (direct, length)]
    return one


def test_the_weights_are_those_of_the_numbers_and_give_spread_one():
    labels, ratios, judge, direct = made()
    juries = juries_of(judge, direct, labels, ratios)
    assert len(juries) == len(DIRECT) * len(LENGTH)
    for one in juries:
        weights = one["weights"]
        total = [
            weights["judge"] * x + weights["direct"] * y + weights["length"] * r
            for x, y, r in zip(judge, direct, ratios, strict=True)
        ]
        assert spread_of(total) == pytest.approx(1, abs=1e-3)
        assert one["right"] == np.mean(np.sign(total) == labels)
        assert weights["direct"] / weights["judge"] == pytest.approx(
            one["direct"] * spread_of(judge) / spread_of(direct), abs=1e-4
        )
        assert (weights["length"] < 0) is (one["length"] > 0)


def test_two_judges_that_err_apart_know_more_and_length_taken_away_helps_shorter_answers():
    labels, ratios, judge, direct = made()
    juries = juries_of(judge, direct, labels, ratios)
    alone = found_in(juries, 0.0, 0.0)
    assert found_in(juries, 1.0, 0.0)["right"] > alone["right"] + 0.02
    less = found_in(juries, 0.0, 0.5)
    assert less["right_where_shorter"] > alone["right_where_shorter"] + 0.05
    assert less["with_length"] < alone["with_length"]
    assert less["balanced"] == (less["right_where_shorter"] + less["right_where_longer"]) / 2


def test_the_committed_figures_follow_from_the_committed_readings(data_dir):
    data = read("hh-rlhf", Wanted(data_dir, 1))
    written = json.loads(RESULT.read_text("utf-8"))
    shown = table_of([written])
    assert written["data_hash"] == data.hash
    with committed() as ledger:
        table = numbers_by(list(written["fingerprints"].items()), data, ledger)
    found = result_of(data, table)["juries"]
    assert found.keys() == written["juries"].keys()
    for name, juries in written["juries"].items():
        assert len(found[name]) == len(juries)
        for one, other in zip(found[name], juries, strict=True):
            # The last digits of a sum of floats differ from one CPU or numpy to the next.
            assert one.pop("weights") == pytest.approx(other.pop("weights"), abs=2e-6)
            assert one == pytest.approx(other)
        assert f"| {name} | " in shown
