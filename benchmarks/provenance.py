"""Where, when and with what a figure was measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from judge import basemodels
from judge.records import Pair, sha256_of_json


def provenance() -> dict[str, Any]:
    """Commit, hardware, versions and day, for a result file."""
    describe = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    commit = subprocess.run(describe, capture_output=True, text=True, check=False).stdout.strip()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "commit": commit,
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in ("torch", "transformers")},
        "measured_at": datetime.now(UTC).date().isoformat(),
    }


def of_mt_bench(base_model: str, pairs: Sequence[Pair], seed: int) -> dict[str, Any]:
    """The base model and the sample of MT-bench pairs that a figure was measured with."""
    return {
        "base_model": base_model,
        "base_model_hash": basemodels.hash_of(base_model),
        "data": "MT-bench turn 1",
        "data_hash": sha256_of_json([pair.content_hash for pair in pairs]),
        "n_pairs": len(pairs),
        "seed": seed,
    }


def write_result(out: Path | None, result: dict[str, Any]) -> None:
    """Writes a result file, where one was asked for."""
    if out:
        out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
