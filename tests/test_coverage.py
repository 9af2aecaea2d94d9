"""How often intervals hold: what is drawn is what it says, and the committed figures come out again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import coverage
from benchmarks.coverage import (
    KINDS,
    is_between,
    measured,
    set_drawn,
    shares_drawn,
    table_of,
    votes_drawn,
    wins_drawn,
)
from judge.provenance import CHECKOUT

RESULT = CHECKOUT / "benchmarks" / "results" / "coverage.json"
GATE = next(kind for kind in KINDS if kind.what == "win rate of a gate")


def test_what_is_drawn_has_the_truth_that_it_is_held_to():
    dice = np.random.default_rng(0)
    sums = votes_drawn(dice, shares_drawn(dice, 40_000)).sums
    assert sums[:, 0].sum() / sums[:, 1].sum() == pytest.approx(coverage.IS_RIGHT, abs=0.005)
    wins = wins_drawn(dice, 0.8, np.array([50.0, 1.0]))
    assert wins.mean(axis=0) == pytest.approx([40, 0.8], rel=0.02)
    both = wins_drawn(dice, 0.5, np.array([2.0]))
    assert (both == 1).mean() == pytest.approx(0.5 * (1 - coverage.ALIKE), abs=0.02)
    votes = set_drawn(dice, 0.6, 1.85)
    assert votes.n == votes.n_questions == coverage.SET_VOTES
    assert votes.z[votes.is_a].mean() > 0 > votes.z[~votes.is_a].mean()


def test_an_interval_that_is_not_there_holds_nothing():
    assert is_between(0.1, 0.1, 0.2)
    assert not is_between(0.1, 0.3, 0.2)
    assert not is_between(None, 0.1, 0.2)
    assert not is_between(0.0, 0.1, None)


def test_every_kind_is_counted_in_every_setting(monkeypatch):
    for name, few in (("N_STUDIES", 3), ("N_SUITES", 20), ("N_SETS", 1), ("N_FITS", 20)):
        monkeypatch.setattr(coverage, name, few)
    rows = measured(5)
    assert rows == measured(5)
    assert len({(row["interval"], row["setting"]) for row in rows}) == len(rows) == 5 + 5 + 12 + 3
    assert {row["n"] for row in rows} == {3, 20, 1}
    assert all(0 <= row["held"] <= row["n"] for row in rows)


@pytest.mark.slow
def test_the_committed_figures_of_the_gate_come_out_again():
    result = json.loads(RESULT.read_text("utf-8"))
    committed = [row for row in result["rows"] if row["interval"] == GATE.what]
    dice = np.random.default_rng([result["seed"], KINDS.index(GATE)])
    assert [(row["setting"], row["held"], row["n"]) for row in committed] == list(GATE.held(dice))


def test_a_row_says_how_sure_it_is():
    row = {"interval": "win rate of a gate", "setting": "25 cases", "held": 9_500, "n": 10_000}
    assert "| 95.0 (94.6-95.4) of 10,000 |" in table_of([{"rows": [row]}])
