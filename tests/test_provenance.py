"""A result file says which commit measured it, and reads as one figure a line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.hardware import versions_of
from judge.provenance import as_json, commit_of, provenance

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_a_copy_is_told_its_commit(tmp_path, monkeypatch):
    monkeypatch.delenv("JUDGE_COMMIT", raising=False)
    assert commit_of(tmp_path) == ""
    monkeypatch.setenv("JUDGE_COMMIT", "abc123")
    assert commit_of(tmp_path) == "abc123"
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-qm", "first")
    assert commit_of(tmp_path) == "abc123"
    monkeypatch.delenv("JUDGE_COMMIT")
    assert commit_of(tmp_path) == git(tmp_path, "rev-parse", "HEAD")


@given(VALUES)
def test_what_is_written_is_read_back_the_same(value):
    assert json.loads(as_json(value)) == value


def test_an_object_without_others_in_it_takes_one_line():
    result = {"figures": {"strict": {"value": 0.5, "low": None}, "half": {"value": 1}}, "empty": [], "n": 3}
    assert as_json(result).splitlines() == [
        "{",
        ' "figures": {',
        '  "strict": {"value": 0.5, "low": null},',
        '  "half": {"value": 1}',
        " },",
        ' "empty": [],',
        ' "n": 3',
        "}",
    ]


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_is_that_of_the_checkout_and_says_where_files_differ(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert commit_of(tmp_path) == commit
    (tmp_path / "file").write_text("two")
    assert commit_of(tmp_path) == f"{commit}-dirty"


def test_a_package_installed_inside_somebody_elses_repository_has_no_commit(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "site-packages").mkdir()
    assert commit_of(tmp_path / "site-packages") == ""


def test_the_machine_and_the_versions_are_named():
    found = provenance()
    assert found["cores"] >= 1
    assert found["cpu"]
    assert "numpy" in found["versions"]
    assert versions_of(["no-such-package-anywhere"]) == {}


OWN = """
from judge.provenance import peak_rss
before = peak_rss()
kept = bytearray(200 * 2**20)
print(before, peak_rss())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere getrusage is all there is")
def test_a_programs_peak_memory_is_its_own_and_not_that_of_the_process_that_started_it():
    held = bytearray(b"x" * (300 * 2**20))
    done = subprocess.run([sys.executable, "-c", OWN], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before < len(held) / 2
    assert 200 * 2**20 <= after - before < 220 * 2**20
