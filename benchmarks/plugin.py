"""What judge tests add to a test run: start-up, each case, and a second run with all verdicts cached.

`python -m benchmarks.plugin` writes a file of cases from real pairs into a folder of its own and runs pytest
there as a user would: one plain test, one case, all cases, all cases again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cpus import class_of, imitated, machine_of
from judge.backends import DEFAULT_BASE_MODEL
from judge.datasets import hh_rlhf
from judge.datasets.dataset import Wanted, data_folder, stratified
from judge.models.adapters import read_adapter, shipped_adapter
from judge.provenance import of_sample, provenance, write_result
from judge.records import Pair

CONFTEST = """
import pathlib, sys

def pytest_sessionfinish():
    pathlib.Path("torch.txt").write_text(str("torch" in sys.modules))
"""
PLAIN_TEST = "def test_plain():\n    pass\n"


def case_of(pair: Pair) -> dict[str, str]:
    return {
        "id": pair.id,
        "prompt": pair.prompt,
        "response": pair.response_a,
        "baseline": pair.response_b,
    }


def run_of(project: Path, *arguments: str) -> dict[str, Any]:
    """Seconds of one pytest process from start to end, and whether it loaded torch."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    elapsed_s = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return {"elapsed_s": elapsed_s, "torch": (project / "torch.txt").read_text() == "True"}


def round_of(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Every run once, in a new folder with an empty ledger."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "conftest.py").write_text(CONFTEST)
        (project / "test_plain.py").write_text(PLAIN_TEST)
        cases = "".join(json.dumps(case_of(pair)) + "\n" for pair in pairs)
        (project / "judge_cases.jsonl").write_text(cases, encoding="utf-8")
        one = f"judge_cases.jsonl::{pairs[0].id}"
        return {
            "plain": run_of(project, "test_plain.py"),
            "one": run_of(project, one, "--judge-ledger", "one.sqlite"),
            "all": run_of(project, "judge_cases.jsonl", "--judge-ledger", "all.sqlite"),
            "again": run_of(project, "judge_cases.jsonl", "--judge-ledger", "all.sqlite"),
        }


def figures_of(result: Mapping[str, Any]) -> dict[str, float]:
    """Medians over the rounds, in seconds."""

    def median(name: str) -> float:
        return float(statistics.median(one[name]["elapsed_s"] for one in result["rounds"]))

    n_more = result["n_pairs"] - 1
    case_s = statistics.median(
        (one["all"]["elapsed_s"] - one["one"]["elapsed_s"]) / n_more for one in result["rounds"]
    )
    return {name: median(name) for name in ("plain", "one", "all", "again")} | {
        "case": case_s,
        "startup": median("one") - case_s,
    }


def table_of(results: Sequence[Mapping[str, Any]]) -> str:
    """The figures as Markdown, a column a class of CPU, and what they stand on."""
    [n] = {one["n_pairs"] for one in results}
    figures = [figures_of(one) for one in results]
    rows = {
        f"{n} cases, nothing judged before": ("all", 1),
        "of this, until the first case can be judged": ("startup", 1),
        "each case": ("case", 2),
        f"the same {n} cases again: all verdicts are in the ledger": ("again", 2),
        "pytest with the plugin and one test that judges nothing": ("plain", 2),
    }
    heads = [f"{class_of(one)}, s" for one in results]
    lines = [f"| | {' | '.join(heads)} |", "| --- " * (len(heads) + 1) + "|"]
    for label, (name, digits) in rows.items():
        lines.append(f"| {label} | {' | '.join(f'{one[name]:.{digits}f}' for one in figures)} |")
    return "\n".join([*lines, "", *map(caption_of, results)])


def caption_of(result: Mapping[str, Any]) -> str:
    """What a column stands on, in one sentence."""
    loaded = any(one["again"]["torch"] for one in result["rounds"])
    parts = [
        machine_of(result),
        f"{result['adapter']} of {result['base_model']}, {result['n_pairs']} pairs of {result['data']}",
        f"the whole pytest process, median of {len(result['rounds'])} rounds",
        f"the second run {'loads' if loaded else 'does not load'} PyTorch",
    ]
    return f"- {class_of(result)}: {'; '.join(parts)}."


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plugin")
    parser.add_argument("--cases", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, help="folder of local copies; by default JUDGE_DATA")
    parser.add_argument("--out", type=Path, help="write the figures as a result file")
    given = parser.parse_args(arguments)
    data = hh_rlhf.read(Wanted(data_folder(given.data_dir)))
    ids = stratified(data.pairs, given.cases, 0)
    pairs = [pair for pair in data.pairs if pair.id in ids]
    adapter = read_adapter(shipped_adapter(DEFAULT_BASE_MODEL, "score"))
    result = {
        "schema": "four-token-judge/plugin/2",
        **provenance(),
        "imitated": imitated(),
        **of_sample(DEFAULT_BASE_MODEL, data.name, pairs, 0),
        "adapter": adapter.name,
        "adapter_hash": adapter.hash,
        "rounds": [round_of(pairs) for _ in range(given.rounds)],
    }
    write_result(given.out, result)
    print(table_of([result]))


if __name__ == "__main__":
    main()
