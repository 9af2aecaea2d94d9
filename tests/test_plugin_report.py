"""--judge-report: every comparison on one page."""

from __future__ import annotations

import pytest
from plugin import WAYS, case, lost, summary, won

pytestmark = pytest.mark.slow  # every test runs pytest


@WAYS
def test_the_report_has_every_comparison_with_both_answers(project):
    project.write("judge_cases.jsonl", [*won(2), *lost(1), case("odd", "<script>alert(1)</script>", "short")])
    result = project.run("--judge-report", "out/report.html")
    assert result.ret == pytest.ExitCode.TESTS_FAILED  # there is no folder out
    assert "judge: out/report.html: cannot be written" in summary(result)
    result = project.run("--judge-report", "report.html")
    result.assert_outcomes(passed=4)
    assert "report: report.html" in summary(result)
    page = (project.path / "report.html").read_text("utf-8")
    for text in (
        "New answers (A) beside the approved ones (B)",
        "judge_cases.jsonl::won-0",
        "won-0",
        "won-1",
        "lost-0",
        "a longer answer",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    ):
        assert text in page
    assert "<script>alert" not in page


def test_without_comparisons_there_is_no_report(project):
    project.write("test_plain.py", "def test_plain():\n    pass\n")
    result = project.run("--judge-report", "report.html")
    result.assert_outcomes(passed=1)
    assert not (project.path / "report.html").exists()
    assert summary(result) == ""


def test_where_answers_are_only_approved_nothing_is_said_of_comparisons(project):
    project.write("test_bot.py", "def test_bot(judge):\n    judge.assert_not_worse('Why?', 'So.')\n")
    result = project.run("--judge-update-baseline", "--judge-report", "report.html")
    result.assert_outcomes(passed=1)
    assert summary(result).startswith("approved 1 answer: ")
    assert not (project.path / "report.html").exists()
