"""What backends that encode prompts themselves share: the engine, the hardware, the choices."""

from __future__ import annotations

import importlib.metadata
import math
import os
from collections.abc import Sequence
from pathlib import Path

from judge.backends import ChoiceProbabilities, Settings
from judge.backends.tokens import Encoded, PromptEncoder
from judge.models import basemodels
from judge.models.adapters import check_fits, read_adapter
from judge.records import NO_ADAPTER, Engine, Prompt, Unparsed


def engine_of(settings: Settings, backend: str, dtype: str) -> Engine:
    """The engine that these settings describe; `dtype` is the one actually used. Loads no weights.

    Raises:
        ModelError: the base model or the adapter does not exist, or the two do not fit.
    """
    adapter = read_adapter(settings.adapter) if settings.adapter else None
    base_model_hash = basemodels.hash_of(settings.base_model)
    if adapter:
        check_fits(adapter, settings.base_model, base_model_hash)
    return Engine(
        base_model=settings.base_model.rstrip("/").rsplit("/", 1)[-1],
        base_model_hash=base_model_hash,
        adapter=adapter.name if adapter else NO_ADAPTER,
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
    """ "bfloat16" or "float32": the dtype asked for, or the fastest that the hardware multiplies."""
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
    """Whether this CPU has instructions for bfloat16 products, and oneDNN may use them.

    The environment variable ONEDNN_MAX_CPU_ISA makes oneDNN work as on an older CPU.
    """
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    if not any(name in allowed for name in ("ALL", "DEFAULT", "BF16", "FP16", "AMX", "AVX10")):
        return False
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


def chosen_among(
    choices: Sequence[str],
    encoder: PromptEncoder,
    prompts: Sequence[Prompt],
    encoded: Sequence[Encoded],
    probabilities: Sequence[tuple[float, ...]],
) -> list[ChoiceProbabilities | Unparsed]:
    """Each prompt with its probabilities of the choices, and the tokens of prompt and whole reply."""
    return [
        ChoiceProbabilities(
            probabilities=each,
            tokens_in=one.n_prompt,
            tokens_out=encoder.n_reply_tokens(prompt, choices[0]),
            is_trimmed=one.is_trimmed,
        )
        for prompt, one, each in zip(prompts, encoded, probabilities, strict=True)
    ]


def softmax(logits: Sequence[float]) -> tuple[float, ...]:
    """Probabilities that sum to 1, of logits or log-probabilities."""
    highest = max(logits)
    weights = [math.exp(one - highest) for one in logits]
    return tuple(weight / sum(weights) for weight in weights)
