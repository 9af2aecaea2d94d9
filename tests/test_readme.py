"""The README keeps its word: commands run, tables are those of result files, links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from models import VERDICT_MERGES, make_model
from pairs import FOUR_PAIRS
from typer.testing import CliRunner

from benchmarks.tables import MARKED, rewritten
from judge.bench.result import SCHEMA
from judge.cli.main import app
from judge.io.pairs import write_pairs
from judge.io.votes import write_votes
from judge.records import Ballot, HumanVote

CHECKOUT = Path(__file__).parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
CODE = "\n".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))
JUDGE_COMMANDS = [line for line in CODE.splitlines() if line.startswith("judge ")]
RESULT_FILES = sorted({file for _, files, _ in MARKED.findall(README) for file in files.split()})
MAKE_TARGETS = sorted(set(re.findall(r"make ([a-z-]+)", README)))


@pytest.mark.slow
def test_the_readmes_judge_commands_run_in_the_order_they_are_shown(data_dir, tmp_path, monkeypatch):
    """With a scripted judge in place of the model, a recipe for a tiny one, and without real weights."""
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JUDGE_DATA", str(data_dir.resolve()))
    monkeypatch.chdir(tmp_path)
    Path("DATA").symlink_to(data_dir.resolve())
    Path("recipes").mkdir()
    Path("recipes/embedded-0.5b.yaml").write_text(json.dumps(tiny_recipe()), encoding="utf-8")
    write_pairs("pairs.jsonl", FOUR_PAIRS)
    write_votes("votes.jsonl", [HumanVote(pair.id, "ann", Ballot.B) for pair in FOUR_PAIRS])
    commands = [shlex.split(line)[1:] for line in JUDGE_COMMANDS if "models verify" not in line]
    [app_command] = [command for command in commands if command[0] == "app"]
    commands.remove(app_command)  # serves until it is stopped; tests/test_app_browser.py runs it
    verbs = {"compare", "run", "report", "bench", "models", "ledger", "distill", "adapters"}
    assert {command[0] for command in commands} == verbs
    for command in commands:
        scripted = ["--backend", "scripted:longer"] if command[0] in ("compare", "run", "bench") else []
        finished = CliRunner().invoke(app, [*command, *scripted])
        assert finished.exit_code == 0, (command, finished.output, finished.exception)
    assert Path("report.html").exists()
    assert Path("bench.html").exists()


def tiny_recipe() -> dict[str, Any]:
    """A run on the pairs of `pairs.jsonl` that a test can afford."""
    base_model = str(make_model(Path("tiny"), VERDICT_MERGES))
    return {
        "name": "embedded-0.5b",
        "collect": {
            "pairs": {"source": "file", "path": "pairs.jsonl"},
            "teacher": {"backend": "scripted:longer"},
        },
        "select": {"held_out": 0.0},
        "train": {"base_model": base_model, "epochs": 1, "learning_rate": 1e-3, "dtype": "float32"},
    }


@pytest.mark.parametrize("target", MAKE_TARGETS)
def test_every_make_target_the_readme_names_exists(target):
    assert re.search(rf"^{target}:", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_tables_of_figures_are_those_of_their_result_files():
    assert rewritten(README) == README, "run: python -m benchmarks.tables"


@pytest.mark.parametrize("path", RESULT_FILES)
def test_a_table_of_figures_says_what_it_was_measured_with(path):
    result = json.loads((CHECKOUT / path).read_text(encoding="utf-8"))
    assert {"commit", "cpu", "cores", "versions", "seed"} <= result.keys()
    assert re.fullmatch("[0-9a-f]{40}", result["commit"]), "measured on a tree that no commit holds"
    if result["schema"] == SCHEMA:
        assert re.fullmatch("[0-9a-f]{64}", result["data"]["hash"])
        judges = [judge for judge in result["judges"] if judge["kind"] == "judge"]
        assert judges
        assert all(re.fullmatch("[0-9a-f]{64}", judge["identity"]["base_model_hash"]) for judge in judges)
    else:
        assert {"base_model_hash", "data_hash"} <= result.keys()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_every_link_of_the_readme_leads_to_a_file(path):
    assert (CHECKOUT / path).is_file()
