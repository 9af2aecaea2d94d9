"""Verbs of other packages: found by name, never in place of ours, and harmless where they are broken."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from judge._version import __version__
from judge.cli.main import app
from judge.errors import JudgeError

VERB = """
import typer
app = typer.Typer()

@app.command()
def greet() -> None:
    '''Greets whoever asks.'''
    print("hello")
"""
ENTRY_POINTS = """
[judge.commands]
greet = their_verbs:app
run = their_verbs:app
bench = their_verbs:app
broken = their_verbs:nothing
missing = their_missing_package:app
"""


@pytest.fixture
def other_package(tmp_path, monkeypatch):
    """Another package's verbs: a good one, two by names of ours, and two that cannot be loaded."""
    (tmp_path / "their_verbs.py").write_text(VERB, encoding="utf-8")
    metadata = tmp_path / "their_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), prog_name="judge")
    assert result.exit_code == 0, result.output
    return result.output


def test_another_package_adds_a_verb(other_package):
    assert said("greet") == "hello\n"
    assert "Greets whoever asks." in said("--help")


@pytest.mark.parametrize("verb", ["run", "bench"])
def test_another_package_never_replaces_a_verb_of_ours(other_package, verb):
    assert "Judge a file of pairs" in said("run", "--help")
    assert "Measure judges on a data set" in said("bench", "--help")
    listed = [line.split()[0] for line in said("--help").partition("Commands:")[2].splitlines() if line]
    assert listed.count(verb) == 1


@pytest.mark.parametrize(
    ("verb", "why"), [("broken", "AttributeError"), ("missing", "ModuleNotFoundError: No module named")]
)
def test_a_verb_that_cannot_be_loaded_is_one_line_with_its_package_and_the_list_still_works(
    other_package, verb, why
):
    result = CliRunner().invoke(app, [verb, "--with", "whatever"])
    assert isinstance(result.exception, JudgeError)
    assert str(result.exception).startswith(f"{verb}: cannot be loaded from their-package ({why}")
    assert "\n" not in str(result.exception)
    assert f"{verb}: cannot be loaded" in said("--help")


def test_the_version_is_said():
    assert said("--version") == f"judge {__version__}\n"
