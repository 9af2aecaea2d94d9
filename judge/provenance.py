"""Where, when and with what a figure was measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from judge.hardware import cpu_name, instruction_sets, versions_of
from judge.io.writing import write_whole
from judge.models import basemodels
from judge.records import Pair, sha256_of_json

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGES = ("four-token-judge", "torch", "transformers", "vllm", "peft", "numpy", "scipy")


def provenance() -> dict[str, Any]:
    """Commit, hardware, versions and day, for a result file. `commit` is "" outside a checkout of ours."""
    return {
        "commit": commit_of(CHECKOUT),
        "cpu": cpu_name(),
        "instruction_sets": list(instruction_sets()),
        "cores": os.cpu_count(),
        "gpu": gpu_name(),
        "versions": {"python": platform.python_version(), **versions_of(PACKAGES)},
        "measured_at": datetime.now(UTC).date().isoformat(),
    }


def commit_of(checkout: Path) -> str:
    """The commit that is checked out there, with -dirty where files differ from it.

    An installed package may lie inside somebody else's repository: only a checkout's own top folder counts. A
    copy, on a rented machine for example, is told its commit by the variable JUDGE_COMMIT.
    """
    if told := os.environ.get("JUDGE_COMMIT"):
        return told
    if _git(checkout, "rev-parse", "--show-toplevel") != str(checkout):
        return ""
    return _git(checkout, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:  # no git here
        return ""
    return done.stdout.strip()


def gpu_name() -> str:
    """The first CUDA GPU, if a judge in this process could have used it; else "none"."""
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name(0) if torch and torch.cuda.is_available() else "none"


def of_sample(base_model: str, data: str, pairs: Sequence[Pair], seed: int) -> dict[str, Any]:
    """The base model and the sample of pairs of a data set that a figure was measured with."""
    return {
        "base_model": base_model,
        "base_model_hash": basemodels.hash_of(base_model),
        "data": data,
        "data_hash": sha256_of_json([pair.content_hash for pair in pairs]),
        "n_pairs": len(pairs),
        "seed": seed,
    }


def write_result(out: Path | None, result: dict[str, Any]) -> None:
    """Writes a result file, whole or not at all, where one was asked for."""
    if out:
        write_whole(out, as_json(result) + "\n")


def as_json(value: Any, indent: str = "") -> str:
    """JSON that spreads objects and lists over several lines only if they hold others."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    if not any(isinstance(item, dict | list | tuple) and item for item in items):
        return json.dumps(value, ensure_ascii=False)
    inner = f"{indent} "
    if isinstance(value, dict):
        lines = [
            f"{inner}{json.dumps(str(key), ensure_ascii=False)}: {as_json(item, inner)}"
            for key, item in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    return "[\n" + ",\n".join(f"{inner}{as_json(item, inner)}" for item in value) + f"\n{indent}]"


def peak_rss() -> int:
    """Peak memory of this process until now, in bytes. Raises ImportError where no Unix counts it.

    On Linux not by `getrusage`, which counts a process's peak from before the program was started in it: a
    large parent's own.
    """
    with suppress(OSError), Path("/proc/self/status").open("rb") as status:
        for line in status:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
