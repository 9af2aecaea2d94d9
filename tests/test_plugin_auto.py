"""--judge-method auto: fast first, slow where that leaves doubt."""

from __future__ import annotations

import re

import pytest
from plugin import WAYS, case, summary, won

pytestmark = pytest.mark.slow  # every test runs pytest


@WAYS
def test_the_summary_says_how_many_escalated_and_what_it_cost(project):
    project.write("judge_cases.jsonl", won(3))
    result = project.run("--judge-method", "auto", judge="scripted:first")
    result.assert_outcomes(passed=3)
    text = summary(result)
    share = r"escalated \(judged slowly by the judge's own choice\): 100\.0 % \(3/3\)"
    said = rf"{share}, ([\d,]+) tokens each in the mean"
    [mean] = re.findall(said, text)
    assert int(mean.replace(",", "")) > 100  # plan and scores, in both orders


def test_nothing_escalates_where_nothing_is_doubtful(project):
    project.write("judge_cases.jsonl", won(3))
    lines = summary(project.run("--judge-method", "auto")).splitlines()
    assert "escalated (judged slowly by the judge's own choice): 0.0 % (0/3)" in lines


TWO_MINDED = """
from importlib import import_module

scripted = import_module("judge.backends.scripted")  # the package may still hold that of an earlier run


def two_minded(prompt, index):
    is_hard = "hard" in scripted.text_of(prompt, "context")
    return "Plan" if is_hard and not prompt.reply_start else scripted.longer(prompt, index)


scripted.CHARACTERS["two-minded"] = two_minded
"""


@WAYS
def test_one_adapter_that_chooses_to_be_slow_is_counted_and_is_no_second_judge(project):
    project.write("conftest.py", TWO_MINDED)
    project.write("judge_cases.jsonl", [*won(2), case("hard", "a longer answer", "short")])
    text = summary(project.run("--judge-method", "dual-auto", judge="scripted:two-minded"))
    said = r"escalated \(.*\): 33\.3 % \(1/3\), ([\d,]+) tokens each in the mean"
    assert len(re.findall(said, text)) == 1
    assert "slow judge" not in text
    assert text.count("/dual-auto@scripted") == 1


def test_other_methods_choose_nothing_and_have_no_such_line(project):
    project.write("judge_cases.jsonl", won(1))
    for method in ("dual", "dual-slow", "slow"):
        assert "escalated" not in summary(project.run("--judge-method", method))
