"""What backends with weights on this machine share: who answers, and on which hardware."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from judge import basemodels
from judge.adapters import read_adapter
from judge.backends import Settings
from judge.records import Engine


def engine_of(settings: Settings, backend: str, dtype: str) -> Engine:
    """The engine that these settings describe; `dtype` is the one really used. Loads no weights.

    Raises:
        ModelError: the base model or the adapter is none.
    """
    adapter = read_adapter(settings.adapter) if settings.adapter else None
    return Engine(
        base_model=settings.base_model.rstrip("/").rsplit("/", 1)[-1],
        base_model_hash=basemodels.hash_of(settings.base_model),
        adapter=adapter.name if adapter else "none",
        adapter_hash=adapter.hash if adapter else "",
        backend=backend,
        dtype=dtype,
        overflow=settings.overflow,
        max_prompt_tokens=settings.max_prompt_tokens,
    )


def device_of(settings: Settings) -> str:
    """ "cuda" or "cpu": the device asked for, or the best one there is."""
    if settings.device != "auto":
        return settings.device
    return "cuda" if has_gpu() else "cpu"


def dtype_of(settings: Settings, device: str) -> str:
    """ "bfloat16" or "float32": the dtype asked for, or the quickest that the hardware multiplies."""
    if settings.dtype != "auto":
        return settings.dtype
    return "bfloat16" if device == "cuda" or multiplies_bfloat16() else "float32"


def has_gpu() -> bool:
    """Whether torch would find an NVIDIA GPU, without importing torch."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return False
    return not version.endswith("+cpu") and Path("/dev/nvidiactl").exists()


def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16 products."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags
