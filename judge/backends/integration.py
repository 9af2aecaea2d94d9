"""Two LoRAs in one model, what it learned from right traces and from wrong ones, weighed at every token.

This is the model of negative-aware training (Li et al., "Turning Dust into Gold", arXiv:2312.12832). Beside a
linear layer y = W x that both LoRAs change stands a unit, which attends from the layer's input to what the
layer would say with either:

    h_pos = y + LoRA_pos(x)                        h_neg = y + LoRA_neg(x)
    w_pos, w_neg = softmax(W_Q x . W_K h_pos, W_Q x . W_K h_neg) + (1/2, -1/2)
    V(h) = W_up GELU(W_down h)
    output = y + w_pos V(h_pos) + w_neg V(h_neg)

So w_neg lies in [-1/2, 1/2], and wrong traces can be drawn on or pushed away from. W_up begins at zero: a new
unit changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.errors import ModelError
from judge.models.adapters import NEGATIVE, POSITIVE, UNITS

if TYPE_CHECKING:
    from torch import Tensor

WIDTH = 128
"""Of a query and of a key."""

BOTTLENECK = 128
"""Of a value, between W_down and W_up."""


def new_unit(n_in: int, n_out: int, **kind: Any) -> Any:
    """The four matrices of a unit beside a linear layer from `n_in` to `n_out`, none with a bias.

    Shapes: query (WIDTH, n_in), key (WIDTH, n_out), down (BOTTLENECK, n_out), up (n_out, BOTTLENECK). All but
    `up`, which is zero, are drawn as torch draws those of a linear layer.

    Args:
        kind: dtype and device.
    """
    import torch

    shapes = {"query": (WIDTH, n_in), "key": (WIDTH, n_out), "down": (BOTTLENECK, n_out)}
    drawn = {name: torch.empty(shape, **kind) for name, shape in shapes.items()}
    for one in drawn.values():
        torch.nn.init.kaiming_uniform_(one, a=math.sqrt(5))
    return torch.nn.ParameterDict(drawn | {"up": torch.zeros(n_out, BOTTLENECK, **kind)})


def integrated(x: Tensor, y: Tensor, positive: Tensor, negative: Tensor, unit: Any) -> Tensor:
    """The output of a layer with its unit, shape (..., n_out).

    As W_up is linear, values are weighed before it: w_pos V(h_pos) + w_neg V(h_neg) =
    W_up (w_pos GELU(W_down h_pos) + w_neg GELU(W_down h_neg)).

    Args:
        x: the layer's input, shape (..., n_in). y: what the layer makes of it, shape (..., n_out).
        positive, negative: what each LoRA adds, shape (..., n_out).
    """
    from torch.nn.functional import gelu, linear

    weight = negative_weight(x, negative - positive, unit)
    inner = [gelu(linear(y + added, unit["down"])) for added in (positive, negative)]
    return y + linear((1 - weight) * inner[0] + weight * inner[1], unit["up"])


def negative_weight(x: Tensor, difference: Tensor, unit: Any) -> Tensor:
    """w_neg, shape (..., 1), from -1/2 to 1/2; w_pos is 1 - w_neg.

    Softmax over two scores is the sigmoid of their difference W_Q x . W_K (h_neg - h_pos), in which y is not.

    Args:
        difference: h_neg - h_pos, shape (..., n_out).
    """
    import torch
    from torch.nn.functional import linear

    exact = torch.promote_types(x.dtype, torch.float32)  # 128 products in bf16 would be summed coarsely
    products = linear(x, unit["query"]).to(exact) * linear(difference, unit["key"]).to(exact)
    return (products.sum(dim=-1, keepdim=True).sigmoid() - 0.5).to(x.dtype)


# --- in a model ------------------------------------------------------------------------------------------


def nat_model(model: Any, folder: Path) -> Any:
    """The base model with the two LoRAs and the units of an adapter's folder, as a peft model.

    Raises:
        ModelError: the parts do not belong together.
    """
    import peft

    wrapped: Any = peft.PeftModel.from_pretrained(
        model, folder / POSITIVE, adapter_name=POSITIVE, autocast_adapter_dtype=False
    )
    add_units(wrapped, folder / NEGATIVE)
    load_units(wrapped, folder / UNITS)
    return wrapped


def add_units(wrapped: Any, negative: Path) -> None:
    """Puts the LoRA of a folder beside the one that a peft model calls `POSITIVE`, with new units, in place.

    Only the positive LoRA and the units can learn then.

    Raises:
        ModelError: the two change other layers.
    """
    wrapped.load_adapter(str(negative), adapter_name=NEGATIVE, autocast_adapter_dtype=False)
    for name, layer in lora_layers(wrapped).items():
        if not {POSITIVE, NEGATIVE} <= set(layer.lora_A):
            raise ModelError(f"{negative}: changes other layers than the positive LoRA, for example {name}.")
        own = layer.lora_A[POSITIVE].weight
        layer.unit = new_unit(layer.in_features, layer.out_features, dtype=own.dtype, device=own.device)
        layer.is_negative_alone = False
        layer.forward = _forward_of(layer)
    for name, parameter in wrapped.named_parameters():
        parameter.requires_grad_(f".{POSITIVE}." in name or ".unit." in name)


def lora_layers(wrapped: Any) -> dict[str, Any]:
    """The layers of a peft model that some LoRA changes, by their names."""
    return {name: one for name, one in wrapped.named_modules() if hasattr(one, "lora_A")}


def _forward_of(layer: Any) -> Any:
    """What such a layer computes in place of peft's sum."""

    def forward(x: Tensor) -> Tensor:
        y, negative = layer.base_layer(x), _added(layer, NEGATIVE, x)
        if layer.is_negative_alone:
            return y + negative  # type: ignore[no-any-return]
        return integrated(x, y, _added(layer, POSITIVE, x), negative, layer.unit)

    return forward


def _added(layer: Any, name: str, x: Tensor) -> Any:
    """What the LoRA of this name adds to the layer's output."""
    return layer.lora_B[name](layer.lora_A[name](layer.lora_dropout[name](x))) * layer.scaling[name]


@contextmanager
def negative_alone(model: Any) -> Iterator[None]:
    """Inside, the model is the base model with its negative LoRA, without positive LoRA and units."""
    layers = lora_layers(model).values()
    for layer in layers:
        layer.is_negative_alone = True
    try:
        yield
    finally:
        for layer in layers:
            layer.is_negative_alone = False


def load_units(wrapped: Any, file: Path) -> None:
    """Puts the units of a file into a peft model.

    Raises:
        ModelError: they are those of other layers.
    """
    import torch
    from safetensors.torch import load_file

    saved: Mapping[str, Tensor] = load_file(file)
    own = {name: one for name, one in wrapped.named_parameters() if ".unit." in name}
    if {name: one.shape for name, one in own.items()} != {name: one.shape for name, one in saved.items()}:
        raise ModelError(f"{file}: these units belong to other layers than the two LoRAs beside them change.")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(saved[name])
