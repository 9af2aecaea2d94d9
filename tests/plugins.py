"""Packages that tests put beside this one, as pip would leave them, and `judge` run where they are found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = """
import contextlib, io, json, sys
from judge.cli.main import main
done = []
for command in json.load(sys.stdin):
    sys.argv, out, err = command, io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
    done.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(done))
"""
"""Runs one command line after the other in one process, so that Python starts once."""


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit status."""

    code: int
    out: str
    err: str


def make_package(
    folder: Path,
    name: str,
    files: Mapping[str, str],
    entry_points: Mapping[str, Mapping[str, str]],
    version: str = "1.0",
) -> Path:
    """A package in `folder`: its files by their paths, and what pip keeps of its name and entry points."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    said = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    said.mkdir(parents=True)
    (said / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [
        line
        for group, points in entry_points.items()
        for line in (f"[{group}]", *(f"{point} = {value}" for point, value in points.items()))
    ]
    (said / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


def run_judge(commands: Sequence[Sequence[str]], path: Path, cwd: Path) -> list[Done]:
    """Each command line ("judge" first), run in `cwd` where Python looks into `path` first."""
    made = python(["-c", PROGRAM], path, cwd, json.dumps(commands))
    assert made.returncode == 0, made.stderr
    return [Done(*one) for one in json.loads(made.stdout)]


def python(
    arguments: Sequence[str], path: Path, cwd: Path, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Python in `cwd`, where it looks into `path` first, with caches of its own."""
    return subprocess.run(
        [sys.executable, *arguments],
        input=given,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path), "JUDGE_CACHE": str(cwd / "cache"), "COLUMNS": "200"},
        timeout=120,
    )
