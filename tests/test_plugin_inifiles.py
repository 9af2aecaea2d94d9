"""A gate in an ini file that is not in force is warned of."""

from __future__ import annotations

import pytest
from plugin import summary

from judge.plugin.inifiles import lost_gate

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
@pytest.mark.parametrize("own", ["-cother.ini", "--judge-gate=not-worse:0.1", "--judge-gate="])
def test_what_somebody_chose_is_not_warned_of(project, own):
    project.write("pytest.ini", INI)
    project.write("other.ini", "[pytest]\n")
    project.write("test_bot.py", TEST)
    assert "not in force" not in project.run(own).stdout.str()
