"""The plugin beside others: random order and reruns."""

from __future__ import annotations

import pytest
from plugin import WAYS, lost, summary, without_ledger, won

pytestmark = pytest.mark.slow  # every test runs pytest


@WAYS
def test_a_random_order_changes_nothing_that_is_found(project):
    pytest.importorskip("pytest_randomly")
    project.write("judge_cases.jsonl", [*won(8), *lost(15)])
    plain = summary(project.run("--judge-gate", "not-worse"))
    assert "0 of 23 verdicts from the ledger" in plain
    for seed in ("1", "2"):
        result = project.run("--judge-gate", "not-worse", "--randomly-seed", seed, is_random=True)
        assert without_ledger(summary(result)) == without_ledger(plain)


@WAYS
def test_a_test_that_is_tried_again_counts_once(project):
    pytest.importorskip("pytest_rerunfailures")
    project.write(
        "test_bot.py",
        """
import pathlib

def test_flaky(judge):
    judge.compare("Why?", "a longer answer", "short")
    tries = pathlib.Path("tries")
    tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
    assert len(tries.read_text()) == 3
""",
    )
    result = project.run("--reruns", "3")
    result.assert_outcomes(passed=1)
    assert (project.path / "tries").read_text() == "xxx"
    assert "1 comparisons: the new answer won 1" in summary(result)
