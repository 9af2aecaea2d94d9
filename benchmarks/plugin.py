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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from judge.backends import DEFAULT_BASE_MODEL
from judge.datasets import hh_rlhf
from judge.datasets.dataset import Wanted, data_folder, stratified
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


def figures_of(result: dict[str, Any]) -> dict[str, float]:
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


def table_of(result: dict[str, Any]) -> str:
    """The figures as Markdown."""
    s = figures_of(result)
    n = result["n_pairs"]
    again = [one["again"]["torch"] for one in result["rounds"]]
    loaded = "does not load" if not any(again) else "loads"
    return f"""\
| {result["base_model"]}, distilled, {result["cores"]} cores of {result["cpu"]} | seconds |
| --- | --- |
| {n} cases, both orders, nothing judged before | {s["all"]:.1f} |
| of this, until the first case can be judged | {s["startup"]:.1f} |
| each case | {s["case"]:.2f} |
| the same {n} cases again: all verdicts are in the ledger | {s["again"]:.2f} |
| pytest with the plugin and one test that judges nothing | {s["plain"]:.2f} |

Wall-clock of the whole pytest process, median of {len(result["rounds"])} rounds; the second run {loaded}
PyTorch. {n} pairs of {result["data"]}."""


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
    result = {
        "schema": "four-token-judge/plugin/1",
        **of_sample(DEFAULT_BASE_MODEL, data.name, pairs, 0),
        "rounds": [round_of(pairs) for _ in range(given.rounds)],
        **provenance(),
    }
    write_result(given.out, result)
    print(table_of(result))


if __name__ == "__main__":
    main()
