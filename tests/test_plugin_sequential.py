"""--judge-sequential: a gate that is settled stops the judging."""

from __future__ import annotations

import pytest
from plugin import lost, summary, won

pytestmark = pytest.mark.slow  # every test runs pytest

GATE = ("--judge-gate", "not-worse:0.05", "--judge-sequential")


def test_judging_stops_once_it_is_clear_that_answers_are_worse(project):
    project.write("judge_cases.jsonl", lost(60))
    project.write("test_plain.py", "def test_plain():\n    pass\n")
    result = project.run(*GATE)
    counts = result.parseoutcomes()
    assert counts["skipped"] > 30
    assert counts["passed"] + counts["skipped"] == 61
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = summary(result)
    assert "WORSE" in text
    assert "settled early: cases after that were skipped" in text
    assert f"{counts['passed'] - 1} comparisons" in text  # the plain test runs all the same


def test_it_stops_as_well_where_answers_are_clearly_not_worse(project):
    project.write("judge_cases.jsonl", won(60))
    result = project.run(*GATE)
    assert result.parseoutcomes()["skipped"] > 30
    assert result.ret == pytest.ExitCode.OK
    assert "not worse" in summary(result)


def test_an_unclear_suite_runs_to_its_end(project):
    project.write("judge_cases.jsonl", [one for pair in zip(won(6), lost(6), strict=True) for one in pair])
    result = project.run(*GATE)
    result.assert_outcomes(passed=12)
    assert "too few to tell" in summary(result)
    assert "settled early" not in summary(result)


def test_with_workers_it_finds_the_same_without_stopping(project):
    project.write("judge_cases.jsonl", lost(60))
    alone = summary(project.run(*GATE))
    project.workers = 2
    spread = project.run(*GATE)
    assert spread.ret == pytest.ExitCode.TESTS_FAILED
    found = [line for line in summary(spread).splitlines() if line.startswith(("gate", "win rate"))]
    assert found == [line for line in alone.splitlines() if line.startswith(("gate", "win rate"))]


def test_it_needs_a_gate(project):
    project.write("judge_cases.jsonl", won(1))
    result = project.run("--judge-sequential")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--judge-sequential stops a gate early: give --judge-gate too." in result.stderr.str()
