"""--judge-gate: a run passes on what was read, never on nothing."""

from __future__ import annotations

import pytest
from plugin import WAYS, case, lost, summary, won

from judge.errors import InputError
from judge.plugin.gate import lack_of_evidence, least_share_of

GATE = "--judge-gate=not-worse:0.05"
RUNS_PYTEST = pytest.mark.slow
SKIPPED = """
import pytest

@pytest.mark.skip(reason="not today")
def test_bot(judge):
    judge.compare("Why?", "longer", "no")
"""


@pytest.mark.parametrize(("text", "share"), [("0.8", 0.8), ("80%", 0.8), ("80 %", 0.8), ("0", 0), ("1", 1)])
def test_a_share_is_a_number_or_a_percentage(text, share):
    assert least_share_of(text) == share


@pytest.mark.parametrize("text", ["", "80", "-0.1", "nan", "most", "120%"])
def test_what_is_no_share_is_told_the_right_form(text):
    with pytest.raises(InputError, match=r"no such share\. Write one from 0 to 1, or 80%"):
        least_share_of(text)


@pytest.mark.parametrize(
    ("counts", "lack"),
    [
        ((0, 0, 0.0), "nothing was compared"),
        ((0, 20, 0.0), "0 of 20 readable"),
        ((15, 20, 0.8), "15 of 20 readable, and at least 80 % must be"),
        ((16, 20, 0.8), ""),
        ((1, 20, 0.0), ""),
    ],
)
def test_evidence_is_one_readable_case_and_the_share_that_is_set(counts, lack):
    assert lack_of_evidence(*counts) == lack


@pytest.mark.parametrize(
    ("counts", "lack"),
    [
        ((0, 20, 0.0, 20), "0 of 20 readable (20 skipped as inconsistent)"),
        ((15, 20, 0.8, 4), "15 of 20 readable (4 skipped as inconsistent), and at least 80 % must be"),
        ((16, 20, 0.8, 4), ""),
    ],
)
def test_what_was_skipped_is_told_beside_what_was_readable(counts, lack):
    assert lack_of_evidence(*counts) == lack


FLIPS = "change when the answers swap places, so the judge has told none apart"


@pytest.mark.parametrize(
    ("readable", "n", "flipped", "unchanged", "lack"),
    [
        (4, 4, 4, 0, ""),
        (5, 5, 5, 0, f"all 5 verdicts {FLIPS}"),
        (5, 5, 4, 0, ""),
        (5, 5, 5, 1, f"all 5 verdicts on changed answers {FLIPS}"),
        (0, 3, 0, 97, "0 of 3 changed answers readable"),
        (0, 0, 0, 3, ""),
    ],
)
def test_unchanged_answers_and_flips_alone_are_no_evidence(readable, n, flipped, unchanged, lack):
    assert lack_of_evidence(readable, n, 0.8, n_flipped=flipped, n_unchanged=unchanged) == lack


@RUNS_PYTEST
@WAYS
@pytest.mark.parametrize(
    ("judge", "why"),
    [
        ("scripted:first", f"all 20 verdicts on changed answers {FLIPS}"),
        ("scripted:unreadable:1", "0 of 20 changed answers readable"),
    ],
)
def test_unchanged_answers_do_not_pass_the_gate_for_the_others(project, judge, why):
    same = [case(f"same-{i}", "so", "so") for i in range(100)]
    project.write("judge_cases.jsonl", [*same, *won(20)])
    result = project.run(GATE, judge=judge)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert f"cannot tell: {why}." in summary(result)
    project.write("judge_cases.jsonl", same)
    assert project.run(GATE, judge=judge).ret == pytest.ExitCode.OK


@RUNS_PYTEST
@WAYS
def test_where_nothing_could_be_read_the_run_fails(project):
    project.write("judge_cases.jsonl", won(20))
    result = project.run(GATE, judge="scripted:unreadable:1")
    result.assert_outcomes(passed=20)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "gate not-worse:0.05: cannot tell: 0 of 20 readable." in summary(result)
    assert "The gate fails this run." in summary(result)


@RUNS_PYTEST
@WAYS
@pytest.mark.parametrize("options", [[], ["-k", "nothing_has_this_name"], ["--no-summary"]])
def test_where_nothing_was_compared_the_run_fails_and_says_so_once(project, options):
    project.write("test_bot.py", SKIPPED)
    result = project.run(GATE, *options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.stdout.str().count("gate not-worse:0.05: cannot tell: nothing was compared.") == 1
    assert [line.strip("= ") for line in result.outlines].count("judge") == 1


@RUNS_PYTEST
@WAYS
def test_a_suite_without_judge_tests_does_not_pass_a_gate(project):
    project.write("pytest.ini", "[pytest]\njudge_gate = not-worse\njudge_sequential = true\n")
    project.write("test_plain.py", "def test_plain():\n    pass\n")
    assert project.run().ret == pytest.ExitCode.TESTS_FAILED
    without = project.run("--judge-gate=")
    assert without.ret == pytest.ExitCode.OK
    assert summary(without) == ""


@RUNS_PYTEST
def test_the_share_that_must_be_readable_can_be_set(project):
    project.write("judge_cases.jsonl", won(20))
    half = project.run(GATE, judge="scripted:unreadable:3")
    assert half.ret == pytest.ExitCode.TESTS_FAILED
    assert "of 20 readable, and at least 80 % must be." in summary(half)
    enough = project.run(GATE, "--judge-min-readable=5%", judge="scripted:unreadable:3")
    assert enough.ret == pytest.ExitCode.OK
    assert "not-worse:0.05: not worse" in summary(enough) or "too few to tell" in summary(enough)


@RUNS_PYTEST
@pytest.mark.parametrize("options", [["--collect-only"], ["--setup-plan"], ["--fixtures"]])
def test_where_pytest_runs_no_test_no_gate_is_asked(project, options):
    project.write("judge_cases.jsonl", lost(3))
    result = project.run(GATE, *options)
    assert result.ret == pytest.ExitCode.OK
    assert "cannot tell" not in result.stdout.str()


@RUNS_PYTEST
def test_approving_answers_asks_no_gate(project):
    project.write("test_bot.py", "def test_bot(judge):\n    judge.compare('Why?', 'So.')\n")
    result = project.run(GATE, "--judge-update-baseline")
    assert result.ret == pytest.ExitCode.OK
    assert "cannot tell" not in summary(result)


@RUNS_PYTEST
def test_an_error_at_the_end_is_a_line_and_the_summary_stays(project):
    project.write("judge_cases.jsonl", won(3))
    project.write(
        "conftest.py",
        """
import judge.report.page

def broken(*_):
    raise RuntimeError("no page\\ntoday")

judge.report.page.format_html = broken
""",
    )
    project.is_apart = True  # what its conftest breaks stays broken in the process
    result = project.run("--judge-report=report.html")
    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "judge: RuntimeError: no page today" in summary(result)
