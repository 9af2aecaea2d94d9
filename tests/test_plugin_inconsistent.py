"""--judge-inconsistent: what a verdict that changes with the order is to a test."""

from __future__ import annotations

import pytest
from plugin import WAYS, case, summary

pytestmark = pytest.mark.slow  # every test runs pytest

FIRST = "scripted:first"
TEST = """
def test_not_worse(judge):
    judge.assert_not_worse("Why?", "a longer answer", "short")

def test_preferred(judge):
    judge.assert_preferred("Why?", "a longer answer", "short")

def test_compare(judge):
    verdict = judge.compare("Why?", "a longer answer", "short")
    assert (verdict.status, verdict.outcome) == ("inconsistent", "TIE")
"""


@pytest.mark.parametrize(
    ("policy", "outcomes", "counted"),
    [
        ("tie", {"passed": 2, "failed": 1}, "tie"),
        ("skip", {"passed": 1, "skipped": 2}, "skip"),
        ("fail", {"passed": 1, "failed": 2}, "tie; an assertion on one fails"),
    ],
)
def test_a_policy_decides_and_all_are_counted(project, policy, outcomes, counted):
    project.write("test_bot.py", TEST)
    result = project.run("--judge-inconsistent", policy, judge=FIRST)
    result.assert_outcomes(**outcomes)
    assert f"inconsistent: 100.0 % (3/3), counted as {counted}" in summary(result)


def test_by_default_they_are_ties(project):
    project.write("test_bot.py", TEST)
    project.run(judge=FIRST).assert_outcomes(passed=2, failed=1)


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ("tie", "all 20 verdicts change when the answers swap places, so the judge has told none apart"),
        ("fail", "all 20 verdicts change when the answers swap places, so the judge has told none apart"),
        ("skip", "0 of 20 readable (20 skipped as inconsistent)"),
    ],
)
def test_inconsistent_verdicts_alone_are_no_evidence_for_the_gate(project, policy, why):
    project.write("judge_cases.jsonl", [case(f"{n}", "a", "b") for n in range(20)])
    result = project.run(f"--judge-inconsistent={policy}", "--judge-gate=not-worse:0.4", judge=FIRST)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert f"gate not-worse:0.4: cannot tell: {why}." in summary(result)


@WAYS
def test_cases_follow_the_policy(project):
    project.write("judge_cases.jsonl", [case("free", "a", "b"), case("bound", "a", "b", expect="not-worse")])
    project.run("--judge-inconsistent", "fail", judge=FIRST).assert_outcomes(passed=1, failed=1)
    result = project.run("--judge-inconsistent", "skip", judge=FIRST)
    result.assert_outcomes(passed=1, skipped=1)
    assert "inconsistent: 100.0 % (2/2), counted as skip" in summary(result)


def test_another_policy_is_an_error(project):
    project.write("test_bot.py", TEST)
    result = project.run("--judge-inconsistent", "ignore")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--judge-inconsistent=ignore: must be one of tie, skip, fail." in result.stderr.str()


def test_an_unchanged_answer_passes_whatever_the_policy(project):
    project.write("test_bot.py", 'def test_same(judge):\n    judge.assert_not_worse("Why?", "so", "so\\n")\n')
    project.run("--judge-inconsistent", "fail", judge=FIRST).assert_outcomes(passed=1)
