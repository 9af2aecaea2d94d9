"""What backends that encode prompts themselves share: the engine, the hardware, the choices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from judge.backends import ChoiceProbabilities, Settings
from judge.backends.tokens import Encoded, PromptEncoder
from judge.hardware import has_gpu, is_quickest_in_bfloat16
from judge.models import basemodels
from judge.models.adapters import check_fits, read_adapter
from judge.models.sizes import last_part
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
        base_model=last_part(settings.base_model),
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
    return "bfloat16" if device == "cuda" or is_quickest_in_bfloat16() else "float32"


@contextmanager
def float32_products(precision: str) -> Iterator[None]:
    """Inside, torch makes float32 products as exactly as this says: "highest", "high" or "medium"."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


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
            cut=one.cut,
        )
        for prompt, one, each in zip(prompts, encoded, probabilities, strict=True)
    ]


def softmax(logits: Sequence[float]) -> tuple[float, ...]:
    """Probabilities that sum to 1, of logits or log-probabilities."""
    highest = max(logits)
    weights = [math.exp(one - highest) for one in logits]
    return tuple(weight / sum(weights) for weight in weights)
