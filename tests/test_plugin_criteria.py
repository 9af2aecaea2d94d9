"""Criteria in a test suite: of the marker, of a case, of one comparison."""

from __future__ import annotations

import pytest
from plugin import WAYS, case, summary, won

pytestmark = pytest.mark.slow  # every test runs pytest

PAIRS = [{"id": "p", "prompt": "Why?", "response_a": "a longer answer", "response_b": "short"}]


def marked(criteria, body="pass"):
    return (
        "import pytest\n\n"
        f'@pytest.mark.judge(dataset="pairs.jsonl", criteria={criteria})\n'
        f"def test_answers(judged):\n    {body}\n"
    )


STEPS = '[step.name for step in judged[0].verdict.readings["AB"].steps]'


@pytest.mark.parametrize("criteria", ['"policy.txt"', '["price: names it", "short"]'])
def test_the_marker_takes_a_file_beside_the_test_or_lines(project, criteria):
    project.write("tests/policy.txt", "price: names it\nshort\n")
    project.write("tests/pairs.jsonl", PAIRS)
    project.write("tests/test_bot.py", marked(criteria, f'assert {STEPS} == ["price: names it", "short"]'))
    result = project.run()
    result.assert_outcomes(passed=1)
    assert "/checklist@scripted" in summary(result)  # whatever the method of the run is


def test_a_pairs_own_criteria_go_before_the_markers(project):
    project.write("pairs.jsonl", [PAIRS[0] | {"criteria": "own"}])
    project.write("test_bot.py", marked('["short"]', f'assert {STEPS} == ["own"]'))
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("criteria", "complaint"),
    [
        ('"policy.txt"', "policy.txt:1: weight is '-1'. It must be a number above 0"),
        ('"no-such.txt"', "no-such.txt: No such file or directory."),
        ("7", "criteria is int. It must be a file's name, or a list of lines."),
        ('["a", "A"]', "criterion 2: the criterion 'A' is already in criterion 1."),
    ],
)
def test_wrong_criteria_of_a_marker_are_one_line(project, criteria, complaint):
    project.write("policy.txt", "price | weight -1\n")
    project.write("pairs.jsonl", PAIRS)
    project.write("test_bot.py", marked(criteria))
    result = project.run()
    assert result.ret == 1
    assert complaint in result.stdout.str()


@WAYS
def test_a_case_with_criteria_is_judged_by_them_and_the_others_as_ever(project):
    project.write(
        "judge_cases.jsonl", [*won(2), case("priced", "a longer answer", "short", criteria="price")]
    )
    result = project.run()
    result.assert_outcomes(passed=3)
    assert "3 comparisons: the new answer won 3" in summary(result)
    for method in ("direct", "checklist"):
        assert f"/{method}@scripted" in summary(result)


def test_criteria_in_yaml_may_be_written_by_name(project):
    project.write(
        "judge_cases.yaml",
        "- id: one\n  prompt: Why?\n  response: a longer answer\n  baseline: short\n  expect: preferred\n"
        "  criteria:\n    - price: names it | weight 2\n    - short\n",
    )
    result = project.run("--judge-report=judge.html")
    result.assert_outcomes(passed=1)
    assert "price: names it" in (project.path / "judge.html").read_text("utf-8")


def test_one_comparison_may_have_criteria(project):
    project.write(
        "test_bot.py",
        "def test_bot(judge):\n"
        '    verdict = judge.compare("Why?", "a longer answer", "short", criteria=["price", "tone"])\n'
        '    assert [step.name for step in verdict.readings["AB"].steps] == ["price", "tone"]\n'
        '    judge.assert_preferred("Why?", "a longer answer", "short", criteria=["price"])\n',
    )
    project.run().assert_outcomes(passed=1)


def test_the_reasons_for_a_case_with_criteria_are_its_own_criteria(project):
    project.write(
        "test_bot.py",
        "def test_bot(judge):\n"
        '    judge.assert_not_worse("Why?", "short", "a longer answer", criteria=["price"], explain=True)\n',
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Scores by criterion*", "*price *"])
    assert "Content" not in result.stdout.str()  # of a plan


def test_a_slow_run_asks_one_judge_for_pairs_with_criteria_and_without(project):
    project.write(
        "judge_cases.jsonl", [*won(1), case("priced", "a longer answer", "short", criteria="price")]
    )
    text = summary(project.run("--judge-method=slow"))
    assert (text.count("/bsm@scripted"), text.count("/checklist@")) == (1, 0)


def test_the_suites_criteria_are_for_all_that_have_none_of_their_own(project):
    project.write("policy.txt", "from the suite\n")
    project.write("pairs.jsonl", PAIRS)
    project.write("test_marked.py", marked('["from the marker"]', f'assert {STEPS} == ["from the marker"]'))
    project.write(
        "test_bot.py",
        "import pytest\n\n"
        '@pytest.mark.judge(dataset="pairs.jsonl")\n'
        f'def test_plain(judged):\n    assert {STEPS} == ["from the suite"]\n\n'
        "@pytest.mark.parametrize('own', [[], ['its own']])\n"
        "def test_compare(judge, own):\n"
        '    verdict = judge.compare("Why?", "a longer answer", "short", criteria=own)\n'
        '    wanted = own or ["from the suite"]\n'
        '    assert [step.name for step in verdict.readings["AB"].steps] == wanted\n',
    )
    project.write(
        "judge_cases.jsonl", [*won(2), case("priced", "a longer answer", "short", criteria="of the case")]
    )
    result = project.run("--judge-criteria=policy.txt", "--judge-report=judge.html")
    result.assert_outcomes(passed=7)
    assert "/direct@scripted" not in summary(result)
    page = (project.path / "judge.html").read_text("utf-8")
    assert all(name in page for name in ("from the suite", "from the marker", "its own", "of the case"))


def test_criteria_of_a_suite_that_cannot_be_read_stop_it_before_any_test(project):
    project.write("policy.txt", "price | weight -1\n")
    project.write("judge_cases.jsonl", won(1))
    result = project.run("--judge-criteria=policy.txt")
    assert result.ret == 4
    assert "policy.txt:1: weight is '-1'. It must be a number above 0" in result.stderr.str()
