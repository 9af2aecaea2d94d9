"""--judge-report: every comparison on one page."""

from __future__ import annotations

import pytest
from plugin import WAYS, case, lost, summary, won

from judge.errors import InputError
from judge.plugin.run import RunSettings

pytestmark = pytest.mark.slow  # every test runs pytest


@WAYS
def test_a_run_that_compares_nothing_says_that_an_old_report_stays(project):
    project.write("test_bot.py", "def test_plain(judge): pass\n")
    project.write("r.html", "old")
    text = summary(project.run("--judge-report=r.html"))
    assert "judge: r.html is of an earlier run: nothing was compared now." in text


def test_the_report_has_every_comparison_with_both_answers(project):
    project.write("judge_cases.jsonl", [*won(2), *lost(1), case("odd", "<script>alert(1)</script>", "short")])
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


def test_inconsistent_verdicts_that_are_skipped_are_no_ties_on_the_page(project):
    same = [case(f"same-{n}", "so", "so", category="same") for n in range(2)]
    project.write("judge_cases.jsonl", [*same, *(case(f"{n}", "a", "b", category="odd") for n in range(3))])
    project.run("--judge-report=r.html", "--judge-inconsistent=skip", judge="scripted:first")
    page = (project.path / "r.html").read_text("utf-8")
    assert "of 5 judged; the 3 inconsistent are left out" in page
    assert "A 0, B 0, tie 2" in page
    assert "0 / 0 / 0" in page
    project.run("--judge-report=r.html", judge="scripted:first")
    page = (project.path / "r.html").read_text("utf-8")
    assert "of 5 judged; the 3 inconsistent count as ties" in page
    assert "A 0, B 0, tie 5" in page


@WAYS
def test_a_report_that_would_overwrite_the_cases_is_refused_before_any_test(project):
    project.write("judge_cases.jsonl", won(2))
    before = (project.path / "judge_cases.jsonl").read_bytes()
    result = project.run("--judge-report=judge_cases.jsonl")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    complaint = "--judge-report=judge_cases.jsonl: cannot be written. Its name must end in .html."
    assert complaint in result.stderr.str()
    assert (project.path / "judge_cases.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("report", "complaint"),
    [
        ("report", r"=report: cannot be written\. Its name must end in \.html\."),
        ("link.html", r"=link\.html: cannot be written\. It leads to \S+judge_cases\.jsonl\. Its name must"),
        ("out/report.html", r"=out/report\.html: cannot be written, it is a folder or its folder is missing"),
        ("folder.html", r"=folder\.html: cannot be written, it is a folder or its folder is missing"),
        (
            "./policy.html",
            r"=\./policy\.html: cannot be written, policy\.html is the same file\. Name another",
        ),
        ("ledger.html", r"=ledger\.html: cannot be written, ledger\.html is the same file"),
        ("n" * 300 + ".html", r"\.html: cannot be written \(File name too long\)"),
    ],
)
def test_a_page_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, report, complaint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "judge_cases.jsonl").touch()
    (tmp_path / "policy.html").write_text("short\n")
    (tmp_path / "link.html").symlink_to("judge_cases.jsonl")
    files = {"ledger": "ledger.html", "criteria": "policy.html"}
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=complaint):
        RunSettings(backend="scripted:longer", report=report, **files)
    RunSettings(backend="scripted:longer", report="report.HTML", **files)
    assert sorted(tmp_path.iterdir()) == before


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
