"""--judge-method auto: fast first, slow where that leaves doubt."""

from __future__ import annotations

import pytest
from plugin import WAYS, summary, won

pytestmark = pytest.mark.slow  # every test runs pytest


@WAYS
def test_the_summary_says_how_many_escalated_and_what_it_cost(project):
    project.write("judge_cases.jsonl", won(3))
    result = project.run("--judge-method", "auto", judge="scripted:first")
    result.assert_outcomes(passed=3)
    text = summary(result)
    assert "escalated to the slow judge: 100.0 % (3/3), " in text
    assert "tokens for that" in text


def test_nothing_escalates_where_nothing_is_doubtful(project):
    project.write("judge_cases.jsonl", won(3))
    assert "escalated to the slow judge: 0.0 % (0/3), 0 tokens" in summary(
        project.run("--judge-method", "auto")
    )
