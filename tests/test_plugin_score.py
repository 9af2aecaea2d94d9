"""--judge-method score: new and approved answers graded alone, told as two grades."""

from __future__ import annotations

import pytest
from plugin import WAYS, case, summary, won

pytestmark = pytest.mark.slow  # every test runs pytest

TEST = """
def test_bot(judge):
    judge.assert_preferred("Why?", "short", "a longer answer")
"""


@WAYS
def test_cases_are_judged_and_no_case_is_inconsistent(project):
    project.write(
        "judge_cases.jsonl", [*won(3), case("lost", "short", "a longer answer", expect="preferred")]
    )
    for character in ("scripted:longer", "scripted:first"):
        result = project.run("--judge-method", "score", judge=character)
        assert "inconsistent: 0.0 % (0/4)" in summary(result)
        assert "none/score@scripted" in summary(result)
    result = project.run("--judge-method", "score", judge="scripted:longer")
    result.assert_outcomes(passed=3, failed=1)


def test_a_failure_tells_both_grades_and_no_order(project):
    project.write("test_bot.py", TEST)
    result = project.run("--judge-method", "score")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*the approved answer is better; it should win*",
            "*each answer graded alone, 1 to 9: new 1.08, approved 1.23*",
            "*P(new is better) 0.46*",
        ]
    )
    result.stdout.no_fnmatch_line("*shown first*")
    result.stdout.no_fnmatch_line("*both orders*")


def test_with_auto_a_fast_judge_of_single_answers_counts_as_asked_slowly_only_where_it_was(project):
    project.write("judge_cases.jsonl", won(2))
    result = project.run("--judge-method", "auto")
    assert "own choice): 0.0 % (0/2)" in summary(result)
