"""--judge-calibration: what a calibration leaves undecided is no evidence to a suite."""

from __future__ import annotations

import json

import pytest
from plugin import case, summary

from judge import Judge
from judge.io.calibrations import SCHEMA

pytestmark = pytest.mark.slow  # every test runs pytest

TEST = """
def test_not_worse(judge):
    judge.assert_not_worse("Why?", "short", "a longer answer")

def test_preferred(judge):
    judge.assert_preferred("Why?", "a longer answer", "short")
"""


@pytest.fixture
def calibrated(project):
    """The options of a calibration by which the project's judge is 52 % sure of everything."""
    with Judge(backend="scripted:longer", cache=False) as judge:
        values = {"schema": SCHEMA, "judge": judge.identity.fingerprint, "undecided": {"below": 0.6}}
    values |= {"slope": {"value": 0.01}, "offset": {"value": 0.0}}
    project.write("mine.json", json.dumps(values))
    return "--judge-calibration=mine.json"


def test_an_undecided_assertion_is_skipped_and_counted(project, calibrated):
    project.write("test_bot.py", TEST)
    project.run().assert_outcomes(passed=1, failed=1)
    result = project.run(calibrated)
    result.assert_outcomes(skipped=2)
    assert "undecided: 100.0 % (2/2), too close to call, left out of every rate" in summary(result)
    assert "/direct+calibrated@scripted#" in summary(result)


def test_a_suite_of_undecided_cases_alone_does_not_pass_the_gate(project, calibrated):
    project.write("judge_cases.jsonl", [case(f"{n}", "a", "longer") for n in range(10)])
    result = project.run(calibrated, "--judge-gate=not-worse:0.05")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "gate not-worse:0.05: cannot tell: all 10 changed answers are undecided." in summary(result)


def test_an_unchanged_answer_beside_undecided_ones_is_no_evidence(project, calibrated):
    cases = [case(f"{n}", "a", "longer") for n in range(10)] + [case("same", "as it was", "as it was")]
    project.write("judge_cases.jsonl", cases)
    result = project.run(calibrated, "--judge-gate=not-worse:0.05")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "cannot tell: all 10 changed answers are undecided." in summary(result)


def test_a_calibration_that_cannot_be_read_stops_before_any_test(project):
    project.write("test_bot.py", TEST)
    result = project.run("--judge-calibration=none.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "none.json: No such file or directory." in "\n".join(result.errlines)


def test_the_calibration_of_another_judge_fails_the_test_in_one_line(project, calibrated):
    project.write("test_bot.py", TEST)
    result = project.run(calibrated, judge="scripted:first")
    result.assert_outcomes(failed=2)
    assert "mine.json: this calibration is of scripted-longer+none/direct" in "\n".join(result.outlines)
