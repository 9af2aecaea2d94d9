"""A student of method nat: a frozen negative LoRA, and beside it a positive one and units that learn.

The model is `judge.backends.integration`'s. Li et al., "Turning Dust into Gold" (arXiv:2312.12832).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.recipe import Recipe
from distill.student import Lora, Student
from judge.backends.integration import BOTTLENECK, WIDTH, add_units
from judge.errors import InputError
from judge.models import basemodels
from judge.models.adapters import (
    FILES,
    NAT,
    NEGATIVE,
    POSITIVE,
    UNITS,
    Adapter,
    check_fits,
    check_one_lora,
    is_judge,
    is_nat,
    is_ranker,
    read_adapter,
)

if TYPE_CHECKING:
    from torch import Tensor


class NatStudent(Student):
    """A base model with two LoRAs and their units; what learns are the positive LoRA and the units.

    The positive LoRA lies where the negative one does, with a rank of its own.

    Args:
        negative: what learned the wrong traces; it stays as it is.

    The other arguments are those of `Student`.

    Raises:
        MissingExtra, ModelError: as there.
    """

    called = POSITIVE

    def __init__(self, negative: Adapter, *arguments: Any, **named: Any) -> None:
        self.negative = negative
        super().__init__(*arguments, **named)

    def _config_of(self, base: Any, lora: Lora, start_from: Adapter | None) -> Any:
        import peft

        config = peft.PeftConfig.from_pretrained(str(self.negative.folder))
        return peft.LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=config.target_modules,
            layers_to_transform=config.layers_to_transform,
            task_type="CAUSAL_LM",
        )

    def _wrapped(self, base: Any) -> Any:
        wrapped = super()._wrapped(base)
        add_units(wrapped, self.negative.folder)
        return wrapped

    @property
    def parts(self) -> dict[str, Any]:
        """What a manifest says of the parts that another adapter does not have."""
        units = [one for name, one in self.parameters.items() if ".unit." in name]
        told = {name: self.negative.manifest.get(name) for name in ("lora", "settings", "data", "start_from")}
        return {
            "method": NAT,
            "negative": {"name": self.negative.name, "hash": self.negative.hash, **told},
            "units": {
                "number": len(units) // 4,
                "width": WIDTH,
                "bottleneck": BOTTLENECK,
                "weights": sum(one.numel() for one in units),
            },
        }

    def save(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        """Writes both LoRAs as peft reads them, and the units, in the student's dtype, without a manifest."""
        import torch
        from safetensors.torch import save_file

        units = {name: weights[name] for name in sorted(weights) if ".unit." in name}
        lora = {name: one for name, one in weights.items() if name not in units}
        super().save(folder / POSITIVE, lora)
        (folder / NEGATIVE).mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(self.negative.folder / name, folder / NEGATIVE / name)
        dtype = getattr(torch, self.dtype)
        own = {name: one.detach().to("cpu", dtype).contiguous() for name, one in units.items()}
        save_file(own, folder / UNITS, metadata={"format": "pt"})


def negative_of(recipe: Recipe) -> Adapter:
    """The adapter that learned the wrong traces, for method nat.

    Raises:
        ModelError: it is no adapter, is of another base model, or of method nat itself.
        InputError: it learned verdicts without workings, or to rank traces.
    """
    adapter = read_adapter(recipe.train.negative)
    check_fits(adapter, recipe.student, basemodels.hash_of(recipe.student))
    check_one_lora(adapter, "train.negative")
    by_reply = adapter.manifest.get("settings", {}).get("train", {}).get("method") == "reply"
    if (is_judge(adapter) and not by_reply) or is_ranker(adapter):
        learned = "to judge" if is_judge(adapter) else "to rank traces"
        raise InputError(
            f"{adapter.folder}: train.negative: this adapter has learned {learned}. Take one that learned "
            "the wrong traces by method reply."
        )
    return adapter


def nat_of(recipe: Recipe) -> Adapter:
    """The adapter of method nat that teaches, for method nce.

    Raises:
        ModelError: it is no adapter, or is of another base model.
        InputError: it is of another method.
    """
    adapter = read_adapter(recipe.train.nat)
    check_fits(adapter, recipe.student, basemodels.hash_of(recipe.student))
    if not is_nat(adapter):
        raise InputError(f"{adapter.folder}: train.nat: an adapter of one LoRA. Take one of method {NAT}.")
    return adapter
