"""The marker: a data set that is judged before its test."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pairs import pair_of
from plugin import WAYS, summary

from judge.plugin.judging import what_was_not_won
from judge.plugin.run import Kind

pytestmark = pytest.mark.slow  # every test runs pytest


def pairs(n_won, n_lost):
    rows = [("a longer answer", "short")] * n_won + [("short", "a longer answer")] * n_lost
    return [
        {"id": f"p{i}", "prompt": f"Question {i}?", "response_a": a, "response_b": b}
        for i, (a, b) in enumerate(rows)
    ]


def marked(arguments, body="pass", takes=""):
    return f"import pytest\n\n@pytest.mark.judge({arguments})\ndef test_answers({takes}):\n    {body}\n"


@pytest.mark.parametrize("where", ["module", "class"])
def test_two_data_sets_of_a_class_or_a_module_are_refused(project, where):
    project.write("good.jsonl", pairs(6, 0))
    project.write("bad.jsonl", pairs(0, 6))
    good, bad = (f'pytest.mark.judge(dataset="{name}.jsonl")' for name in ("good", "bad"))
    tests = {
        "module": f"pytestmark = [{good}, {bad}]\ndef test_x(): pass\n",
        "class": f"@{good}\n@{bad}\nclass TestX:\n    def test_x(self): pass\n",
    }
    project.write("test_bot.py", f"import pytest\n\n{tests[where]}")
    result = project.run()
    result.assert_outcomes(errors=1)
    assert "a test has one data set. Write a test for each." in result.stdout.str()


def test_a_data_set_beside_that_of_a_base_class_is_refused(project):
    project.write("good.jsonl", pairs(6, 0))
    base = '@pytest.mark.judge(dataset="none.jsonl")\nclass Base:\n    def test_x(self): pass\n'
    own = '@pytest.mark.judge(dataset="good.jsonl")\nclass TestX(Base): pass\n'
    project.write("test_bot.py", f"import pytest\n\n{base}\n{own}")
    project.run().assert_outcomes(errors=1)  # pytest would take the base's


@pytest.mark.parametrize(("least", "outcome"), [(0.5, "passed"), (0.6, "passed"), (0.61, "failed")])
def test_a_test_fails_where_new_answers_win_too_rarely(project, least, outcome):
    project.write("pairs.jsonl", pairs(6, 4))
    project.write("test_bot.py", marked(f'dataset="pairs.jsonl", min_win_rate={least}'))
    result = project.run()
    result.assert_outcomes(**{outcome: 1})
    assert "10 comparisons: the new answer won 6, the approved one 4, 0 ties" in summary(result)
    if outcome == "failed":
        text = result.stdout.str()
        assert "the new answers win 60.0 % of 10 pairs, ties half; at least 61 % are wanted." in text
        assert text.split("short test summary")[0].count("[Approved answer]") == 3


def test_pairs_of_one_cluster_are_one_to_the_interval(project):
    rows = [row | {"cluster": f"c{n % 5}"} for n, row in enumerate(pairs(40, 60))]
    project.write("pairs.jsonl", rows)
    project.write("test_bot.py", marked('dataset="pairs.jsonl", min_win_rate=0.1'))
    text = summary(project.run("--judge-gate=not-worse:0.05"))
    assert "in 5 clusters" in text, text


def test_where_no_pair_is_lost_the_message_says_which_count_half(project):
    same = [{"id": f"same{n}", "prompt": "Why?", "response_a": "so", "response_b": "so"} for n in range(4)]
    even = [{"id": f"even{n}", "prompt": "How?", "response_a": "red", "response_b": "low"} for n in range(2)]
    project.write("pairs.jsonl", [*pairs(6, 0), *same, *even])
    project.write("test_bot.py", marked('dataset="pairs.jsonl", min_win_rate=0.9'))
    text = project.run().stdout.str()
    half = "2 inconsistent (even0, even1), 4 unchanged (same0, same1, same2, ...)."
    assert f"at least 90 % are wanted. They lose 0; what counts half: {half}" in text


def test_pairs_that_the_judge_calls_equal_are_told_from_inconsistent_ones():
    kinds = [Kind.COUNTED, Kind.FLIPPED, Kind.COUNTED]
    rated = [
        (SimpleNamespace(score=score, pair=pair_of(id=f"p{score}")), kind)
        for score, kind in zip([1.0, 0.5, 0.5], kinds, strict=True)
    ]
    assert what_was_not_won(rated) == "They lose 0; what counts half: 1 tied (p0.5), 1 inconsistent (p0.5)."


def test_a_test_fails_where_too_few_pairs_are_readable(project):
    project.write("pairs.jsonl", pairs(20, 0))
    project.write("test_bot.py", marked('dataset="pairs.jsonl", min_win_rate=0.5'))
    few = project.run(judge="scripted:unreadable:3")
    few.assert_outcomes(failed=1)
    assert "cannot tell whether the new answers win often enough: " in few.stdout.str()
    assert "of 20 readable, and at least 80 % must be" in few.stdout.str()
    project.run("--judge-min-readable=5%", judge="scripted:unreadable:3").assert_outcomes(passed=1)
    none = project.run("--judge-min-readable=0", judge="scripted:unreadable:1")
    none.assert_outcomes(failed=1)
    assert "often enough: 0 of 20 readable" in none.stdout.str()


def test_pairs_that_are_skipped_as_inconsistent_are_no_evidence(project):
    same = {"id": "same", "prompt": "Why?", "response_a": "so", "response_b": "so"}
    project.write("pairs.jsonl", [*pairs(9, 0), same])
    project.write("test_bot.py", marked('dataset="pairs.jsonl", min_win_rate=0.5'))
    flipped = project.run(judge="scripted:first")
    flipped.assert_outcomes(failed=1)
    lack = "often enough: all 9 verdicts on changed answers change when the answers swap places"
    assert lack in flipped.stdout.str()
    skipped = project.run("--judge-inconsistent=skip", judge="scripted:first")
    skipped.assert_outcomes(failed=1)
    assert "0 of 9 changed answers readable (9 skipped as inconsistent)" in skipped.stdout.str()
    project.write("pairs.jsonl", [same])
    project.run(judge="scripted:first").assert_outcomes(passed=1)


@WAYS
def test_the_test_has_the_comparisons(project):
    project.write("data/pairs.jsonl", pairs(2, 1))
    body = 'assert [(one.pair.id, one.score) for one in judged] == [("p0", 1), ("p1", 1), ("p2", 0)]'
    project.write("test_bot.py", marked('"data/pairs.jsonl"', body, "judged"))
    result = project.run()
    result.assert_outcomes(passed=1)
    assert "3 comparisons" in summary(result)


def test_a_limit_takes_the_first_pairs(project):
    project.write("pairs.jsonl", pairs(2, 5))
    project.write("test_bot.py", marked('dataset="pairs.jsonl", limit=2, min_win_rate=1'))
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ('dataset="p.jsonl", min_winrate=0.5', "unknown argument 'min_winrate'. Did you mean min_win_rate?"),
        ("", 'it needs the file of pairs: @pytest.mark.judge(dataset="pairs.jsonl").'),
        ('"p.jsonl", dataset="p.jsonl"', "it needs the file of pairs"),
        ("dataset=None", "dataset is None. It must be the name of a file."),
        ('dataset=["p.jsonl"]', "dataset is ['p.jsonl']. It must be the name of a file."),
        ('dataset="p.jsonl", min_win_rate=50', "min_win_rate is 50. It must be a number from 0 to 1."),
        ('dataset="p.jsonl", min_win_rate="0.5"', "min_win_rate is '0.5'. It must be a number"),
        ('dataset="p.jsonl", limit=0', "limit is 0. It must be a whole number from 1 up."),
    ],
)
def test_wrong_arguments_are_errors_with_what_is_right(project, arguments, complaint):
    project.write("test_bot.py", marked(arguments))
    result = project.run()
    result.assert_outcomes(errors=1)
    assert f"@pytest.mark.judge: {complaint}" in result.stdout.str()


def test_a_file_that_is_no_data_set_fails_the_test_with_its_lines(project):
    project.write("pairs.jsonl", [{"id": "x"}])
    project.write("test_bot.py", marked('dataset="pairs.jsonl"'))
    result = project.run()
    result.assert_outcomes(failed=1)
    assert "pairs.jsonl:1: missing" in result.stdout.str()


def test_the_fixture_needs_the_marker(project):
    project.write("test_bot.py", "def test_answers(judged):\n    pass\n")
    result = project.run()
    result.assert_outcomes(errors=1)
    assert 'the fixture judged needs @pytest.mark.judge(dataset="pairs.jsonl")' in result.stdout.str()


def test_the_marker_is_registered(project):
    project.write("pairs.jsonl", pairs(1, 0))
    project.write("test_bot.py", marked('dataset="pairs.jsonl"'))
    project.run("--strict-markers").assert_outcomes(passed=1)
    project.run("--markers").stdout.fnmatch_lines(
        ["@pytest.mark.judge(dataset, min_win_rate=0.5, limit=None, criteria=None): *"]
    )


def test_the_form_of_another_tools_file_is_said(project):
    project.write("battles.jsonl", [row | {"winner": "model_a"} for row in pairs(2, 1)])
    project.write("test_bot.py", marked('"battles.jsonl"'))
    result = project.run()
    result.assert_outcomes(passed=1)
    assert "battles.jsonl: read as arena votes: 3 pairs, 3 votes; left out: nothing." in summary(result)
