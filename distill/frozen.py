"""Linear layers that do not learn but that gradients go through, quick on a CPU in bfloat16.

oneDNN rearranges a weight in each call unless it is packed. A layer below an adapter needs it twice: as it is
for the forward pass, and transposed for the gradient of its input. It has no gradient of its own.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from judge.backends.cpu import PACKED_FOR_ROWS, can_pack, packable_below

if TYPE_CHECKING:
    from torch import Tensor


def freeze_linear_layers(module: Any) -> int:
    """Makes the frozen bf16 linear layers below a module quick both ways, in place; returns their number.

    An adapter's own matrices stay as they are. The dense weights are freed.
    """
    import torch

    if not can_pack():
        return 0
    ops = torch.ops.mkldnn
    layers = packable_below(module)
    for layer in layers:
        weight = layer.weight.detach()
        packed = ops._reorder_linear_weight(weight, PACKED_FOR_ROWS)
        transposed = ops._reorder_linear_weight(weight.t().contiguous(), PACKED_FOR_ROWS)
        bias = None if layer.bias is None else layer.bias.detach()
        layer.forward = _forward_of(packed, transposed, bias)
        del layer.weight
    return len(layers)


def _forward_of(packed: Tensor, transposed: Tensor, bias: Tensor | None) -> Any:
    def forward(x: Tensor) -> Tensor:
        output: Tensor = _linear().apply(x, packed, transposed, bias)
        return output

    return forward


@cache
def _linear() -> Any:
    """The operation in autograd's form; made late, so that importing this file needs no torch."""
    import torch

    multiply = torch.ops.mkldnn._linear_pointwise

    class Linear(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, packed: Tensor, transposed: Tensor, bias: Tensor | None) -> Tensor:
            ctx.transposed = transposed
            output: Tensor = multiply(x, packed, bias, "none", [], "")
            return output

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Any:
            below = multiply(gradient.contiguous(), ctx.transposed, None, "none", [], "")
            return below, None, None, None

    return Linear
