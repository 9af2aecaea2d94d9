"""--judge-sequential: a gate that is settled stops the judging."""

from __future__ import annotations

import re

import pytest
from plugin import WAYS, case, lost, summary, won

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


SETTLING = """
import pytest

@pytest.mark.parametrize("n", range(40))
def test_answers(judge, n):
    judge.compare(f"Question {n}?", "new and longer answer", "old")
    assert n not in pytest.failing
"""


def test_a_test_whose_first_try_settles_the_gate_fails_all_the_same(project):
    pytest.importorskip("pytest_rerunfailures")
    project.write("conftest.py", "import pytest\npytest.failing = ()\n")
    project.write("test_bot.py", SETTLING)
    last = re.findall(r"\[(\d+)\] PASSED", project.run(*GATE, "-v").stdout.str())[-1]
    project.write("conftest.py", f"import pytest\npytest.failing = ({last},)\n")
    result = project.run(*GATE, "--reruns=1")
    assert result.parseoutcomes()["failed"] == 1
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_run_that_approves_answers_skips_none(project):
    project.write("judge_cases.jsonl", won(60))
    compares = 'judge.compare(f"Question {n}?", f"answer {n}")'
    test = (
        f'import pytest\n\n@pytest.mark.parametrize("n", range(8))\ndef test_it(judge, n):\n    {compares}\n'
    )
    project.write("test_bot.py", test)
    result = project.run(*GATE, "--judge-update-baseline")
    assert "skipped" not in result.parseoutcomes()
    assert "approved 8 answers" in summary(result)


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
    found = [line for line in summary(spread).splitlines() if line.startswith(("gate", "mean of"))]
    assert found == [line for line in alone.splitlines() if line.startswith(("gate", "mean of"))]
    assert len(found) == 2


@WAYS
def test_a_topic_that_loses_does_not_decide_alone_because_it_comes_first(project):
    project.write("first/judge_cases.jsonl", lost(30))
    project.write("then/judge_cases.jsonl", won(120))
    result = project.run(*GATE)
    assert result.ret == pytest.ExitCode.OK
    assert "gate not-worse:0.05: not worse: " in summary(result)


GROUPED = """
import pytest

@pytest.fixture(scope="module")
def bot(request):
    with open("set-ups.txt", "a") as file:
        file.write(request.module.__name__ + " ")

def test_plain():
    pass

@pytest.mark.parametrize("n", range(4))
def test_free(judge, n):
    judge.compare(f"Free {n} of {__name__}?", "same", "here")

@pytest.mark.parametrize("n", range(4))
def test_shared(judge, bot, n):
    judge.compare(f"Shared {n} of {__name__}?", "same", "here")
"""


def test_judge_tests_come_last_and_mixed_and_those_that_share_a_fixture_stay_together(project):
    project.write("test_one.py", GROUPED)
    project.write("test_two.py", GROUPED)
    result = project.run(*GATE)
    result.assert_outcomes(passed=18)
    assert sorted((project.path / "set-ups.txt").read_text().split()) == ["test_one", "test_two"]
    listed, again = (project.run(*GATE, "--collect-only", "-q").outlines for _ in range(2))
    tests = [line for line in listed if "::" in line]
    assert tests == [line for line in again if "::" in line]
    assert tests[:2] == ["test_one.py::test_plain", "test_two.py::test_plain"]
    free = [line for line in tests if "test_free" in line]
    assert sorted(free) != free
    in_file_order = [line for line in project.run("--collect-only", "-q").outlines if "::" in line]
    assert in_file_order == sorted(in_file_order, key=lambda line: line.partition("::")[0])


def test_the_mean_that_is_printed_is_the_one_that_was_tested(project):
    same = [case(f"same-{i}", "short", "a longer answer") | {"prompt": "Why?"} for i in range(60)]
    project.write("judge_cases.jsonl", [*same, *won(30)])
    text = summary(project.run(*GATE))
    [line] = [line for line in text.splitlines() if line.startswith("mean of the clusters' win rates ")]
    rate, low, high = (float(part) for part in re.findall(r"\d+\.\d", line)[:3])
    assert low <= rate <= high
    assert rate > 90
    assert "not worse: " in text


def test_it_needs_a_gate(project):
    project.write("judge_cases.jsonl", won(1))
    result = project.run("--judge-sequential")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--judge-sequential stops a gate early: give --judge-gate too." in result.stderr.str()
