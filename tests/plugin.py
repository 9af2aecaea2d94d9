"""Projects with judge tests, run by pytest in this process or by workers of pytest-xdist."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

WAYS = pytest.mark.parametrize("workers", [0, 2], ids=["alone", "xdist"])
"""In one process and with pytest-xdist: for what a run gathers from its workers or shares among them."""


class Project:
    """Somebody's project; `run` runs its tests with the judge that prefers the longer answer."""

    def __init__(self, pytester: pytest.Pytester, workers: int) -> None:
        self.pytester = pytester
        self.workers = workers
        self.is_apart = False
        """Without workers too in a process of its own: for what a test says of a process."""
        self.path = Path(pytester.path)

    def write(self, name: str, content: str | list[dict]) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, str):
            content = "".join(json.dumps(row) + "\n" for row in content)
        file.write_text(content, encoding="utf-8")

    def run(self, *options: str, judge: str = "scripted:longer", is_random: bool = False) -> pytest.RunResult:
        own = ["--judge-ledger", "ledger.sqlite", "--judge-backend", judge]
        own += [] if is_random else ["-p", "no:randomly"]
        spread = ["-n", str(self.workers)] if self.workers else ["-p", "no:xdist"]
        if self.workers or self.is_apart:
            return self.pytester.runpytest_subprocess(*own, *spread, *options)
        return self.pytester.runpytest_inprocess(*own, *spread, *options)

    def deselected(self, n: int) -> int:
        """How many deselected tests the run counts: with pytest-xdist its workers leave them out unsaid."""
        return 0 if self.workers else n


def without_ledger(text: str) -> str:
    """The section without the line that says what came from the ledger, which a second run has more of."""
    return "\n".join(line for line in text.splitlines() if "from the ledger" not in line)


def summary(result: pytest.RunResult) -> str:
    """The judge's section of the terminal summary, "" without one."""
    lines = result.outlines
    starts = [n for n, line in enumerate(lines) if line.strip("= ") == "judge" and line.startswith("=")]
    if not starts:
        return ""
    rest = lines[starts[0] + 1 :]
    return "\n".join(rest[: next(n for n, line in enumerate(rest) if line.startswith("="))])


def case(id: str, response: str, baseline: str, **more: str) -> dict:
    return {"id": id, "prompt": f"Question {id}?", "response": response, "baseline": baseline} | more


def won(n: int, start: int = 0) -> list[dict]:
    """Cases that the longer new answer wins."""
    return [case(f"won-{i}", "a longer answer", "short") for i in range(start, start + n)]


def lost(n: int, start: int = 0) -> list[dict]:
    return [case(f"lost-{i}", "short", "a longer answer") for i in range(start, start + n)]
