"""Case files as test items."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugin import WAYS, case, lost, summary, won

from judge.plugin.cases import node_name

pytestmark = pytest.mark.slow  # every test runs pytest


@WAYS
def test_a_case_is_an_item_with_a_readable_name(project):
    project.write(
        "tests/judge_cases.jsonl", [*won(1), *lost(1), case("greets", "short", "longer", expect="not-worse")]
    )
    result = project.run("-v")
    result.assert_outcomes(passed=2, failed=1)
    for name, outcome in (("won-0", "PASSED"), ("lost-0", "PASSED"), ("greets", "FAILED")):
        result.stdout.re_match_lines([rf".*tests/judge_cases\.jsonl::{name}\b.*|.*{outcome}.*::{name}\b.*"])
    result.stdout.fnmatch_lines(["tests/judge_cases.jsonl:3: the approved answer is better, in both orders*"])
    assert "3 comparisons: the new answer won 1, the approved one 2, 0 ties" in summary(result)


def test_cases_may_be_yaml(project):
    project.write(
        "judge_cases.yaml",
        "- id: one\n  prompt: Why?\n  response: a longer answer\n  baseline: short\n  expect: preferred\n",
    )
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["judge_cases.json", "judge_cases.ndjson"])
def test_cases_are_found_under_every_name_of_json(project, name):
    project.write(name, [*won(1), *lost(1)])
    project.run().assert_outcomes(passed=2)


def test_cases_are_chosen_like_tests(project):
    project.write("judge_cases.jsonl", [*won(3), *lost(2)])
    project.run("-k", "lost").assert_outcomes(passed=2, deselected=project.deselected(3))
    project.run("judge_cases.jsonl::won-1").assert_outcomes(passed=1)


ODD = [
    "a::b/c",
    "[x]",
    "a[b::c]",
    "line\nbreak",
    "nul\0x",
    "\x1b[31mred",
    "  space  ",
    ":",
    "100%",
    "%3A",
    "日本語",
]


@pytest.mark.parametrize("id", ODD)
def test_what_pytest_prints_of_a_case_can_be_pasted_back(project, id):
    project.write("judge_cases.jsonl", [*won(2), case(id, "short", "longer", expect="preferred")])
    result = project.run()
    [line] = [line for line in result.outlines if line.startswith("FAILED ")]
    node_id = line.removeprefix("FAILED ").partition(" - ")[0]
    project.run("-p", "no:cacheprovider", node_id).assert_outcomes(failed=1)
    project.run("--lf").assert_outcomes(failed=1, passed=0)


@given(st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), max_size=8))
def test_no_two_ids_have_one_name(ids):
    names = {node_name(id) for id in ids}
    assert len(names) == len(ids)
    assert [unquote(node_name(id)) for id in ids if "%" not in id] == [id for id in ids if "%" not in id]
    assert all("::" not in name and name.isprintable() and name == name.strip() for name in names)


def test_every_bad_line_is_named_and_nothing_is_judged(project):
    project.write(
        "judge_cases.jsonl", [case("fine", "a", "b"), {"id": "bad"}, case("odd", "a", "b", respons="x")]
    )
    result = project.run()
    result.assert_outcomes(errors=1)
    text = result.stdout.str()
    assert "judge_cases.jsonl:2: missing response, baseline" in text
    assert "judge_cases.jsonl:3: unknown key 'respons'. Did you mean response?" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    "name", ["cases.jsonl", "my_judge_cases.jsonl", "judge_cases.txt", "judge_cases.csv"]
)
def test_other_files_are_left_alone(project, name):
    project.write(name, won(1))
    assert project.run().ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_project_may_have_folders_with_our_names(project):
    for folder in ("app", "benchmarks", "tests", "judge_cases", "distill"):
        project.write(
            f"{folder}/__init__.py", "raise RuntimeError('imported')\n" if folder != "tests" else ""
        )
        project.write(f"{folder}/pairs.jsonl", won(1))
    project.write("tests/judge_cases.jsonl", won(2))
    project.write(
        "tests/test_bot.py", 'def test_bot(judge):\n    judge.assert_preferred("Why?", "longer", "no")\n'
    )
    project.run().assert_outcomes(passed=3)


@WAYS
def test_failed_cases_run_again_with_lf(project):
    project.write("judge_cases.jsonl", [*won(2), case("bad", "short", "longer", expect="preferred")])
    project.run().assert_outcomes(passed=2, failed=1)
    project.run("--lf").assert_outcomes(failed=1)


def test_the_first_failure_ends_a_run_with_x(project):
    project.write(
        "judge_cases.jsonl", [case(f"{i}", "short", "longer", expect="preferred") for i in range(5)]
    )
    result = project.run("-x")
    result.assert_outcomes(failed=1)
    assert "1 comparisons" in summary(result)
