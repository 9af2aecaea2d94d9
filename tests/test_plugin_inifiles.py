"""Ini files: the files that one names, and a gate in one that is not in force."""

from __future__ import annotations

import pytest
from plugin import WAYS, summary, won

from judge.plugin.inifiles import from_folder, lost_gate

INI = "[pytest]\njudge_gate = not-worse:0.05\n"
TEST = 'def test_bot(judge):\n    judge.compare("Why?", "new", "the approved one, longer")\n'
GATES = {
    "pytest.ini": INI,
    "tox.ini": "[pytest]\naddopts = --judge-gate=not-worse\n",
    "setup.cfg": "[tool:pytest]\njudge_gate = not-worse\n",
    "pyproject.toml": '[tool.pytest.ini_options]\njudge_gate = "not-worse"\n',
    "pytest.toml": '[pytest]\njudge_gate = "not-worse"\n',
}


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("below", ["", "tests", "tests/deep"])
def test_the_nearest_ini_file_with_a_gate_is_named(tmp_path, name, below):
    (tmp_path / "tests" / "deep").mkdir(parents=True)
    file = tmp_path / name
    file.write_text(GATES[name], "utf-8")
    assert lost_gate(tmp_path / below, None).startswith(f"{file} names a gate, which is not in force: pytest")
    assert lost_gate(tmp_path / below, file) == ""


@pytest.mark.parametrize(
    ("below", "way"), [("", "pytest.ini"), ("tests", "../pytest.ini"), ("tests/deep", "../../pytest.ini")]
)
def test_the_file_that_is_lost_is_named_as_pytest_finds_it_from_there(tmp_path, below, way):
    (tmp_path / "tests" / "deep").mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text(INI, "utf-8")
    assert lost_gate(tmp_path / below, None).endswith(f"or name the file: -c {way}.")


def test_what_has_no_gate_or_cannot_be_read_is_passed_over(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n# judge_gate = not-worse\njudge_gated = 1\n", "utf-8")
    (tmp_path / "setup.cfg").mkdir()
    (tmp_path / "tox.ini").write_bytes(b"\xff\xfe\x00")
    in_force = tmp_path / "pytest.ini"
    assert lost_gate(tmp_path, in_force) == ""


@pytest.mark.slow  # runs pytest
def test_a_path_after_a_space_that_takes_the_gate_away_is_warned_of(project):
    home = project.path / "home"
    home.mkdir()
    project.write("home/pytest.ini", INI)
    project.write("home/test_bot.py", TEST)
    (project.path / "ledger.sqlite").touch()
    project.pytester.chdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        options = ["-p", "no:xdist", "-p", "no:randomly", "--judge-backend=scripted:longer"]
        lost = project.pytester.runpytest_inprocess(*options, "--judge-ledger", "../ledger.sqlite")
        kept = project.pytester.runpytest_inprocess(*options, "--judge-ledger=../ledger.sqlite")
    assert "home/pytest.ini names a gate, which is not in force: pytest took no ini file." in summary(lost)
    assert "gate not-worse:0.05: too few to tell" in summary(kept)
    assert "not in force" not in summary(kept)


@pytest.mark.slow  # runs pytest
@pytest.mark.parametrize("own", ["", "addopts = --judge-gate=\n", "judge_gate = not-worse:0.1\n"])
def test_a_nearer_ini_file_without_the_gate_of_one_above_is_warned_of(project, own):
    project.write("pytest.ini", INI)
    project.write("pkg/pytest.ini", f"[pytest]\njudge_backend = scripted:longer\njudge_ledger = l\n{own}")
    project.write("pkg/tests/test_bot.py", TEST)
    options = ["-p", "no:xdist", "-p", "no:randomly", "pkg/tests"]
    result = project.pytester.runpytest_inprocess(*options)
    result.assert_outcomes(passed=1)
    took = f"pytest took {project.path / 'pkg' / 'pytest.ini'}. Write options as --option=value, or name the"
    warning = (
        f"{project.path / 'pytest.ini'} names a gate, which is not in force: {took} file: -c pytest.ini."
    )
    assert (warning in summary(result)) is not bool(own)


@pytest.mark.slow  # runs pytest
def test_a_run_without_comparisons_is_not_warned_of_a_gate_above(project):
    project.write("pytest.ini", INI)
    project.write("pkg/pytest.ini", "[pytest]\njudge_backend = scripted:longer\n")
    project.write("pkg/tests/test_plain.py", "def test_plain():\n    pass\n")
    result = project.pytester.runpytest_inprocess("-p", "no:xdist", "-p", "no:randomly", "pkg/tests")
    result.assert_outcomes(passed=1)
    assert summary(result) == ""


@pytest.mark.slow  # runs pytest
@pytest.mark.parametrize("own", ["-cother.ini", "--judge-gate=not-worse:0.1", "--judge-gate="])
def test_what_somebody_chose_is_not_warned_of(project, own):
    project.write("pytest.ini", INI)
    project.write("other.ini", "[pytest]\n")
    project.write("test_bot.py", TEST)
    assert "not in force" not in project.run(own).stdout.str()


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("criteria", "policy.txt", "HERE/policy.txt"),
        ("ledger", "none-yet.sqlite", "HERE/none-yet.sqlite"),
        ("report", "/tmp/judge.html", "/tmp/judge.html"),
        ("adapter", "mine", "HERE/mine"),
        ("adapter", "of-a-server", "of-a-server"),
        ("adapter", "none", "none"),
        ("model", "models/small", "HERE/models/small"),
        ("model", "models/of-the-hub", "models/of-the-hub"),
        ("model", "mine", "mine"),  # a known name goes before a folder
        ("backend", "vllm", "vllm"),
        ("backend", "server:fleet.txt", "server:HERE/fleet.txt"),
        ("backend", "judge:http://127.0.0.1:1", "judge:http://127.0.0.1:1"),
        ("gate", "not-worse", "not-worse"),
    ],
)
def test_what_an_ini_file_names_is_in_its_folder_and_what_may_be_a_name_if_it_is_there(
    tmp_path, name, value, found
):
    for folder in ("mine", "models/small", "none", "vllm"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "fleet.txt").touch()
    assert from_folder(tmp_path, name, value) == found.replace("HERE", str(tmp_path))


@pytest.mark.slow  # runs pytest
@pytest.mark.parametrize("value", ['["not-worse:0.05"]', "[]"])
def test_a_list_where_text_belongs_is_one_line(project, value):
    project.write("pyproject.toml", f"[tool.pytest.ini_options]\njudge_gate = {value}\n")
    project.write("test_bot.py", TEST)
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    complaint = 'pyproject.toml: judge_gate is a list. It must be text: judge_gate = "...".'
    assert complaint in result.stderr.str()
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


@pytest.mark.slow  # runs pytest
@WAYS
def test_files_of_an_ini_file_are_beside_it_wherever_pytest_starts(project, workers):
    keys = {"backend": "scripted:longer", "criteria": "policy.txt", "ledger": "own.sqlite"}
    keys |= {"report": "judge.html"}
    project.write("pytest.ini", "[pytest]\n" + "".join(f"judge_{key} = {keys[key]}\n" for key in keys))
    project.write("policy.txt", "short\n")
    project.write("tests/judge_cases.jsonl", won(2))
    options = ["-p", "no:randomly", *(["-n", f"{workers}"] if workers else ["-p", "no:xdist"])]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.path / "tests")
        result = project.pytester.runpytest_subprocess(*options)
        named = project.pytester.runpytest_subprocess(*options, "--judge-report=here.html")
    result.assert_outcomes(passed=2)
    assert "/checklist@scripted" in summary(result)
    assert (project.path / "judge.html").exists()
    assert "2 of 2 verdicts from the ledger" in summary(named)
    files = {file.name for file in (project.path / "tests").iterdir()}
    assert {"own.sqlite", "judge.html"}.isdisjoint(files)
    assert "here.html" in files
