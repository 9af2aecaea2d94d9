"""Classes of CPU: what a result file says of the one that it was measured on, or that was imitated."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

CLASSES = (
    ("amx_bf16", "AMX"),
    ("avx512_bf16", "AVX512-BF16"),
    ("avx512f", "AVX512"),
    ("avx2", "AVX2"),
    ("i8mm", "ARM with i8mm"),
)
"""Classes of CPU by an instruction set, the fastest first."""

OLDER_CPU = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS")
"""Environment variables that make oneDNN, torch and MKL compute as on an older CPU."""


def imitated() -> dict[str, str]:
    """The variables that make this CPU compute as an older one, as they are set now."""
    return {name: os.environ[name] for name in OLDER_CPU if name in os.environ}


def class_of(result: Mapping[str, Any]) -> str:
    """The class of a CPU: the highest of its instruction sets that counts."""
    there = set(result["instruction_sets"])
    return next((name for flag, name in CLASSES if flag in there), "other")


def machine_of(result: Mapping[str, Any]) -> str:
    """ "2 cores of AMD EPYC", and what made it compute as an older one."""
    older = "".join(f", {name}={value}" for name, value in result["imitated"].items())
    return f"{result['cores']} cores of {result['cpu']}{older}"
