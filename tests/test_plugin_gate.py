"""--judge-gate: one decision over all comparisons of a run."""

from __future__ import annotations

import re

import pytest
from plugin import WAYS, case, lost, summary, won

pytestmark = pytest.mark.slow  # every test runs pytest


@WAYS
def test_the_gate_fails_a_run_in_which_no_test_failed(project):
    project.write("judge_cases.jsonl", [*won(4), *lost(26)])
    result = project.run("--judge-gate", "not-worse:0.05")
    result.assert_outcomes(passed=30)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = summary(result)
    assert "gate not-worse:0.05: WORSE: all of the interval is below 45 %" in text
    assert "win rate 13.3 % (" in text
    assert "over 30 cases in 30 clusters, ties half" in text
    assert "The gate fails this run." in text


def test_it_lets_a_run_pass_that_is_not_worse(project):
    project.write("judge_cases.jsonl", [*won(26), *lost(4)])
    result = project.run("--judge-gate", "not-worse")
    assert result.ret == pytest.ExitCode.OK
    assert "gate not-worse:0: not worse: all of the interval is at or above 50 %" in summary(result)


def test_with_few_cases_it_says_so_and_passes(project):
    project.write("judge_cases.jsonl", [*won(1), *lost(3)])
    result = project.run("--judge-gate", "not-worse:0.05")
    assert result.ret == pytest.ExitCode.OK
    assert "too few to tell: the interval has 45 % in it; about " in summary(result)


@WAYS
def test_it_counts_every_form_of_comparison(project):
    project.write("judge_cases.jsonl", lost(10))
    pairs = [{"id": f"{i}", "prompt": f"p{i}", "response_a": "no", "response_b": "longer"} for i in range(10)]
    project.write("pairs.jsonl", pairs)
    project.write(
        "test_bot.py",
        """
import pytest

@pytest.mark.parametrize("n", range(10))
def test_one(judge, n):
    judge.compare(f"Why {n}?", "no", "a longer answer")

@pytest.mark.judge(dataset="pairs.jsonl", min_win_rate=0)
def test_two():
    pass
""",
    )
    result = project.run("--judge-gate", "not-worse:0.1")
    assert "over 30 cases in 30 clusters" in summary(result)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@WAYS
def test_cases_of_one_question_are_one_cluster_and_a_name_makes_one(project):
    same = [case(f"{i}", "no", "longer") | {"prompt": "Why?"} for i in range(20)]
    named = [case(f"named-{i}", "no", "longer", cluster="mine") for i in range(10)]
    project.write("judge_cases.jsonl", [*same, *named])
    result = project.run("--judge-gate", "not-worse")
    assert "over 30 cases in 2 clusters" in summary(result)
    assert result.ret == pytest.ExitCode.OK


@WAYS
def test_the_same_run_says_the_same_and_the_order_of_tests_does_not_matter(project):
    def said(*options):
        lines = summary(project.run("--judge-gate", "not-worse", *options)).splitlines()
        of_ledger = [line for line in lines if "verdicts from the ledger" in line]
        return [line for line in lines if line not in of_ledger], of_ledger

    project.write("judge_cases.jsonl", [*won(7), *lost(12)])
    first, of_first = said()
    again, of_again = said()
    uncached, of_uncached = said("--judge-no-cache")
    assert first == again == uncached
    assert (of_first, of_uncached) == (["0 of 19 verdicts from the ledger"], [])
    [line] = of_again
    assert re.fullmatch(r"19 of 19 verdicts from the ledger \(made \d{4}-\d\d-\d\d\)", line)
    project.write("judge_cases.jsonl", [*lost(12), *won(7)])
    assert said()[0] == first


@pytest.mark.parametrize("gate", ["better", "not-worse:2", "not-worse:"])
def test_what_is_no_gate_is_an_error_before_any_test(project, gate):
    project.write("judge_cases.jsonl", won(1))
    result = project.run("--judge-gate", gate)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"--judge-gate={gate}: no such gate. Write not-worse:MARGIN" in result.stderr.str()


def test_unreadable_verdicts_are_left_out_and_counted(project):
    project.write("judge_cases.jsonl", won(12))
    result = project.run("--judge-gate", "not-worse", judge="scripted:unreadable:3")
    assert "left out of every rate" in summary(result)
    [n_unread] = re.findall(r"unreadable: \S+ % \((\d+)/12\)", summary(result))
    assert f"inconsistent: 0.0 % (0/{12 - int(n_unread)})" in summary(result)


def test_a_failed_test_stays_failed_whatever_the_gate_says(project):
    project.write("judge_cases.jsonl", won(30))
    project.write("test_plain.py", "def test_plain():\n    assert False\n")
    assert project.run("--judge-gate", "not-worse").ret == pytest.ExitCode.TESTS_FAILED


def test_a_rerun_of_a_test_counts_once(project):
    project.write(
        "test_bot.py",
        """
def test_bot(judge):
    judge.compare('Why?', 'longer', 'no')
    judge.compare('When?', 'longer', 'no')
""",
    )
    assert "2 comparisons" in summary(project.run("--judge-gate", "not-worse"))
