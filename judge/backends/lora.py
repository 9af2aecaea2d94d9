"""A LoRA beside linear layers without peft's wrappers: y = W x + B' (A x), where B' = scale B.

peft goes three more times through each output, and its wrappers hide the layers from what fuses them
(`judge.backends.cpu`). Nothing is merged: W stays what it is, and results are peft's but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Lora:
    """What stands beside a linear layer: `down` is A, shape (rank, n_in); `up` is B', shape (n_out, rank)."""

    down: Tensor
    up: Tensor


def unwrap_lora(model: Any) -> int:
    """Puts linear layers back where peft wrapped them with one ordinary LoRA; returns how many, in place.

    Each then adds the LoRA itself. Whatever is more than that (two LoRAs, DoRA, biases, words) stays peft's.
    """
    from torch.nn.functional import linear

    wrapped = [(name, layer) for name, layer in model.named_modules() if is_ordinary(layer)]
    for name, layer in wrapped:
        parent, _, own = name.rpartition(".")
        plain, lora = layer.base_layer, lora_of(layer)
        plain.lora = lora
        plain.forward = with_lora(partial(linear, weight=plain.weight, bias=plain.bias), lora)
        setattr(model.get_submodule(parent), own, plain)
    return len(wrapped)


def is_ordinary(layer: Any) -> bool:
    """Whether peft wrapped a linear layer with one LoRA that is a product of two matrices, in its dtype."""
    if not hasattr(layer, "lora_A"):
        return False
    import torch
    from peft.tuners.lora import Linear

    names, weights = list(layer.lora_A), [*layer.lora_A.parameters(), *layer.lora_B.parameters()]
    return (
        type(layer) is Linear
        and type(layer.base_layer) is torch.nn.Linear
        and len(names) == 1
        and list(layer.active_adapters) == names
        and len(weights) == 2  # no biases
        and not layer.lora_variant
        and all(one.dtype == layer.base_layer.weight.dtype for one in weights)
    )


def lora_of(layer: Any) -> Lora:
    """The LoRA of a layer that is ordinary."""
    [name] = layer.lora_A
    down, up = (one[name].weight.detach() for one in (layer.lora_A, layer.lora_B))
    return Lora(down, (up.float() * layer.scaling[name]).to(up.dtype))


def with_lora(forward: Callable[[Tensor], Tensor], lora: Lora) -> Callable[[Tensor], Tensor]:
    """The forward pass of a linear layer and its LoRA, whose part is summed up where the output stands."""
    from torch.nn.functional import linear

    rank, n_out, up = len(lora.down), len(lora.up), lora.up.T

    def both(x: Tensor) -> Tensor:
        y = forward(x)
        y.view(-1, n_out).addmm_(linear(x, lora.down).view(-1, rank), up)
        return y

    return both
