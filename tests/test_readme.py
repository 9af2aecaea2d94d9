"""The README keeps its word: commands run, tables are those of result files, links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pairs import FOUR_PAIRS

from benchmarks import branch, methods, speed
from judge.pairfile import write_pairs

CHECKOUT = Path(__file__).parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
CODE = "\n".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))
JUDGE_COMMANDS = [line for line in CODE.splitlines() if line.startswith("judge ")]
TABLES = {
    "speed": lambda results: speed.table_of(*results),
    "methods": lambda results: methods.table_of(*results),
    "branch": branch.table_of,
}
MAKE_TARGETS = sorted(set(re.findall(r"make ([a-z-]+)", README)))


def test_the_readmes_judge_commands_run_in_the_order_they_are_shown(tmp_path, monkeypatch):
    """With a scripted judge in place of the model, and without the weights that two of them need."""
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    write_pairs(tmp_path / "pairs.jsonl", FOUR_PAIRS)
    commands = [shlex.split(line)[1:] for line in JUDGE_COMMANDS if "models verify" not in line]
    assert {command[0] for command in commands} == {"compare", "run", "report", "models", "ledger"}
    for command in commands:
        scripted = ["--backend", "scripted:longer"] if command[0] in ("compare", "run") else []
        finished = subprocess.run(
            [sys.executable, "-m", "judge.cli", *command, *scripted],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, (command, finished.stderr)
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize("target", MAKE_TARGETS)
def test_every_make_target_the_readme_names_exists(target):
    assert re.search(rf"^{target}:", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_figures_is_the_one_of_its_result_files(table):
    [(names, shown)] = re.findall(
        rf"<!-- {table}: (.*?) -->\n(.*?)<!-- end of {table} -->", README, re.DOTALL
    )
    results = [json.loads((CHECKOUT / name).read_text(encoding="utf-8")) for name in names.split()]
    assert shown.strip() == TABLES[table](results)
    for result in results:
        assert {"commit", "cpu", "cores", "versions", "base_model_hash", "data_hash", "seed"} <= result.keys()
        assert re.fullmatch("[0-9a-f]{40}", result["commit"]), "measured on a tree that no commit holds"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_every_link_of_the_readme_leads_to_a_file(path):
    assert (CHECKOUT / path).is_file()
