"""Which judge it is: options, and keys of the same names in pytest.ini and pyproject.toml."""

from __future__ import annotations

import pytest
from plugin import WAYS, lost, summary, won

from judge.options import judge_options
from judge.plugin.run import RunSettings

pytestmark = pytest.mark.slow  # every test runs pytest

PLAIN = 'def test_bot(judge):\n    assert judge.compare("Why?", "short", "longer").outcome == "A"\n'


@pytest.mark.parametrize(
    ("workers", "name", "text"),
    [
        (0, "pytest.ini", "[pytest]\njudge_backend = scripted:shorter\njudge_gate = not-worse:0.1\n"),
        (
            2,
            "pyproject.toml",
            '[tool.pytest.ini_options]\njudge_backend = "scripted:shorter"\njudge_gate = "not-worse:0.1"\n',
        ),
    ],
)
def test_the_ini_file_names_the_judge_and_the_command_line_goes_before_it(project, name, text):
    project.write(name, text)
    project.write("test_bot.py", PLAIN)
    spread = ["-n", "2"] if project.workers else []
    result = project.pytester.runpytest_subprocess("--judge-ledger", "l.sqlite", *spread)
    result.assert_outcomes(passed=1)
    assert "scripted-shorter+none/direct@scripted" in summary(result)
    assert "gate not-worse:0.1" in summary(result)
    result = project.run(judge="scripted:longer")
    result.assert_outcomes(failed=1)
    assert "scripted-longer" in summary(result)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--judge-method", "quick"], "--judge-method=quick: must be one of fast, slow, auto, direct"),
        (["--judge-base-url", "http://127.0.0.1:1", "--judge-backend", "vllm"], "Give one of them."),
    ],
)
def test_wrong_settings_are_one_line_before_any_test(project, options, complaint):
    project.write("test_bot.py", PLAIN)
    result = project.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert complaint in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("judge_inconsistent = ties", "must be one of tie, skip, fail."),
        ("judge_method = quick", "must be one of fast, slow, auto, direct"),
        ("judge_gate = worse", "no such gate. Write not-worse:MARGIN"),
        ("judge_min_readable = 80", "no such share. Write one from 0 to 1, or 80%."),
        ("judge_report = /no/such/folder/r.html", "cannot be written, it is a folder or its folder is"),
    ],
)
def test_what_is_wrong_in_an_ini_file_is_named_as_it_stands_there(project, line, complaint):
    project.write("pytest.ini", f"[pytest]\n{line}\n")
    project.write("test_bot.py", PLAIN)
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"{project.path / 'pytest.ini'}: {line}: {complaint}" in result.stderr.str()
    assert "--judge" not in result.stderr.str()


def test_two_settings_that_disagree_are_each_named_where_they_were_set(project):
    project.write("pytest.ini", "[pytest]\njudge_base_url = http://127.0.0.1:1\n")
    project.write("test_bot.py", PLAIN)
    result = project.run(judge="vllm")
    found = f"{project.path / 'pytest.ini'}: judge_base_url = http://127.0.0.1:1 names a server, and"
    assert f"{found} --judge-backend=vllm something else. Give one of them." in result.stderr.str()


def test_what_pytest_is_told_with_o_is_not_said_of_the_ini_file(project):
    project.write("pytest.ini", "[pytest]\njudge_inconsistent = tie\n")
    project.write("test_bot.py", PLAIN)
    result = project.run("-o", "judge_inconsistent=ties")
    assert "ERROR: -o: judge_inconsistent = ties: must be one of tie, skip, fail." in result.stderr.str()


def test_a_switch_that_is_neither_on_nor_off_is_named_with_its_file(project):
    project.write("pytest.ini", "[pytest]\njudge_sequential = maybe\n")
    project.write("test_bot.py", PLAIN)
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"{project.path / 'pytest.ini'}: judge_sequential: invalid truth value" in result.stderr.str()


def test_an_option_that_is_none_is_refused_by_pytest(project):
    project.write("test_bot.py", PLAIN)
    result = project.run("--judge-modle", "x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--judge-modle" in result.stderr.str()


def test_a_backend_that_is_none_fails_the_test_with_one_line(project):
    project.write("test_bot.py", PLAIN)
    result = project.run(judge="telepathy")
    result.assert_outcomes(failed=1)
    assert "judge: --backend telepathy" in result.stdout.str()


def test_a_server_is_one_for_all_workers(project):
    """Nobody listens there: every test says so in one line, and no weights are looked for."""
    project.write("test_bot.py", PLAIN)
    options = [
        "--judge-base-url",
        "http://127.0.0.1:9/v1",
        "--judge-model",
        "m",
        "--judge-ledger",
        "l.sqlite",
    ]
    result = project.pytester.runpytest_subprocess(*options, "-n", "2")
    result.assert_outcomes(failed=1)
    assert "judge: http://127.0.0.1:9/v1" in result.stdout.str()


@WAYS
def test_judging_anew_keeps_nothing(project):
    project.write("judge_cases.jsonl", [*won(1), *lost(1)])
    result = project.run("--judge-no-cache")
    result.assert_outcomes(passed=2)
    assert not (project.path / "ledger.sqlite").exists()
    assert "ledger" not in summary(result)


def test_what_is_compared_twice_in_a_run_that_keeps_nothing_is_from_no_ledger(project):
    project.write("test_bot.py", PLAIN + PLAIN.replace("test_bot", "test_again"))
    text = summary(project.run("--judge-no-cache", judge="scripted:shorter"))
    assert "1 of 2 were compared before in this run" in text
    assert "ledger" not in text


def test_every_option_is_in_the_help_and_every_key_in_the_ini_help(project):
    text = project.run("--help").stdout.str()
    names = (
        "model",
        "adapter",
        "method",
        "backend",
        "base-url",
        "inconsistent",
        "gate",
        "sequential",
        "ledger",
    )
    for name in (*names, "no-cache", "update-baseline", "report"):
        assert f"--judge-{name}" in text
    for name in names:
        assert f"judge_{name.replace('-', '_')}" in text


@pytest.mark.parametrize("model", ["small", "large", "qwen2.5-coder-1.5b"])
def test_a_model_is_named_as_in_commands(model):
    ours, theirs = RunSettings(model=model).options, judge_options(base_model=model)
    assert (ours.settings.base_model, ours.asked_by) == (theirs.settings.base_model, theirs.asked_by)
    assert ours.settings.adapter == theirs.settings.adapter
