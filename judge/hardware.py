"""What this machine computes with: its CPU, its instruction sets, a GPU, packages. Loads nothing heavy."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")

INSTRUCTION_SETS = (
    ("avx2", "AVX2"),
    ("avx_vnni", "AVX2_VNNI"),
    ("avx512f", "AVX512_CORE"),
    ("avx512_vnni", "AVX512_CORE_VNNI"),
    ("avx512_bf16", "AVX512_CORE_BF16"),
    ("amx_int8", "AVX512_CORE_AMX"),
    ("amx_bf16", "AVX512_CORE_AMX"),
    ("bf16", ""),
    ("i8mm", ""),
)
"""Those that decide how fast a model is read, as Linux names them, with the oneDNN level that has each.

The last two are of ARM, for which oneDNN has no levels.
"""

INTEL = "GenuineIntel"

ONEDNN_LEVELS = (
    "SSE41",
    "AVX",
    "AVX2",
    "AVX2_VNNI",
    "AVX2_VNNI_2",
    "AVX512_CORE",
    "AVX512_CORE_VNNI",
    "AVX512_CORE_BF16",
)
"""What ONEDNN_MAX_CPU_ISA may say to make oneDNN work as on an older CPU; anything else allows everything."""


def cpu_name() -> str:
    """The CPU's model, as Linux names it."""
    names = [line.partition(":")[2].strip() for line in cpu_lines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def vendor() -> str:
    """Who made the CPU, as an x86 one tells Linux; "" elsewhere."""
    names = [line.partition(":")[2].strip() for line in cpu_lines() if line.startswith("vendor_id")]
    return names[0] if names else ""


def instruction_sets() -> tuple[str, ...]:
    """Which of `INSTRUCTION_SETS` this CPU has and oneDNN may use; () where the system does not tell."""
    lines = [line for line in cpu_lines() if line.lower().startswith(("flags", "features"))]
    there = set(lines[0].partition(":")[2].split()) if lines else set()
    return tuple(name for name, level in INSTRUCTION_SETS if name in there and is_allowed(level))


def is_allowed(level: str) -> bool:
    """Whether ONEDNN_MAX_CPU_ISA leaves a level of oneDNN in use."""
    highest = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    if highest not in ONEDNN_LEVELS:
        return True
    return level in ONEDNN_LEVELS[: ONEDNN_LEVELS.index(highest) + 1]


def is_quickest_in_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 faster than float32, and oneDNN may use what it does it with.

    Intel's AVX512-BF16 alone does not: without AMX, which a virtual machine may hide, the product takes
    longer than that of float32. AMD's takes half as long.
    """
    sets = instruction_sets()
    if "avx512_bf16" in sets and "amx_bf16" not in sets:
        return vendor() != INTEL
    return not {"amx_bf16", "bf16"}.isdisjoint(sets)


def has_gpu() -> bool:
    """Whether torch would find an NVIDIA GPU, without importing torch."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return False
    return not version.endswith("+cpu") and Path("/dev/nvidiactl").exists()


def versions_of(packages: Sequence[str]) -> dict[str, str]:
    """The versions of those that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def cpu_lines() -> list[str]:
    return CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines() if CPU_INFO.exists() else []
