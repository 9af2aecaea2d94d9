"""What makes a forward pass fast on a CPU: packed weights, fused gates, buffers that are kept.

Everything here changes speed and memory, and results only by rounding. `benchmarks/LOG.md` says how much each
step gained.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from judge.backends.lora import Lora, with_lora

if TYPE_CHECKING:
    from torch import Tensor

LET_GO_EVERY = 256 * 2**20  # bytes of weights
PACKED_FOR_ROWS = 2048  # the packed layout is chosen for batches of about this many tokens
LORA_PLACES = 32  # in a gate's input; a width that is no multiple of it makes the product a fifth slower
GATED = ("gate_proj", "up_proj", "down_proj")


def keep_large_buffers() -> None:
    """Tells glibc to keep freed buffers of up to 32 MiB instead of handing them back to the system.

    A layer's activations are allocated and freed in each of some hundred operations; without this each of
    them is mapped and zeroed again, which costs a fifth of the whole pass. Does nothing without glibc.
    """
    m_trim_threshold, m_mmap_threshold = -1, -3
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(m_mmap_threshold, 32 * 1024**2)
    mallopt(m_trim_threshold, 512 * 1024**2)


def release_buffers() -> None:
    """Hands what `keep_large_buffers` kept back to the system; does nothing without glibc.

    Where sizes change from batch to batch, what is kept fits worse and worse, and more and more is kept.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def can_pack() -> bool:
    """Whether this torch lays out weights for this CPU, and the CPU multiplies bfloat16.

    Not on ARM: Arm's library, which oneDNN uses there, has no fused products, and oneDNN's own are slow.
    """
    import torch

    ops = torch.ops.mkldnn
    if not hasattr(ops, "_linear_pointwise") or ops._is_mkldnn_acl_supported():
        return False
    return bool(ops._is_mkldnn_bf16_supported())


def packable_below(module: Any) -> list[Any]:
    """The bf16 linear layers of a module, except an adapter's: those are small, and peft inspects them."""
    import torch

    return [
        layer
        for name, layer in module.named_modules()
        if type(layer) is torch.nn.Linear and layer.weight.dtype == torch.bfloat16 and ".lora_" not in name
    ]


def pack_linear_layers(module: Any, let_go: Callable[[], None] = lambda: None) -> int:
    """Lays out the weights of bf16 blocks as oneDNN wants them, in place; returns how many it packed.

    Otherwise oneDNN rearranges each matrix in each call. Gated SiLU blocks are fused: the activation and the
    product are computed while the matrix product is still in registers. The dense weights are freed. The
    module is a model's body, without the layer that makes logits. `let_go` is called now and then: what the
    packed weights were read from is not needed any more.
    """
    import torch

    if not can_pack():
        return 0
    ops, layers = torch.ops.mkldnn, packable_below(module)
    packable = set(layers)
    blocks = [block for block in module.modules() if _is_gated_silu(block, packable)]
    downs = [_joined(block) for block in blocks]
    n_bytes = 0
    for layer in layers:
        n_bytes += layer.weight.nbytes
        _pack(layer, ops)
        if n_bytes >= LET_GO_EVERY:
            let_go()
            n_bytes = 0
    for block, down in zip(blocks, downs, strict=True):
        _fuse(block, down, ops)
    return len(layers)


def _is_gated_silu(block: Any, packable: set[Any]) -> bool:
    """Whether a block is the usual gated one of Llama, Qwen2 and Mistral, and all of it can be packed."""
    layers: list[Any] = [getattr(block, name, None) for name in GATED]
    if not packable.issuperset(layers) or any(layer.bias is not None for layer in layers):
        return False
    return type(getattr(block, "act_fn", None)).__name__ in ("SiLU", "SiLUActivation")


def _joined(block: Any) -> Tensor | None:
    """A of the LoRAs of both first layers of a gated block, shape (places, n_in); None where neither has one.

    The sum of a gate must be there before its activation. So the block makes [x | A x] of x, and [W | B'] is
    the weight of either layer, with zeros for what is the other's: one product, fused as without a LoRA. The
    columns B' stay with the layer until it is packed.
    """
    import torch

    layers = [block.gate_proj, block.up_proj]
    loras: list[Lora | None] = [getattr(layer, "lora", None) for layer in layers]
    downs = [lora.down for lora in loras if lora]
    if not downs:
        return None
    n_used = sum(map(len, downs))
    down = torch.nn.functional.pad(torch.cat(downs), (0, 0, 0, -n_used % LORA_PLACES))
    start = 0
    for layer, lora in zip(layers, loras, strict=True):
        layer.columns = layer.weight.new_zeros((len(layer.weight), len(down)))
        if lora:
            layer.columns[:, start : start + len(lora.down)] = lora.up
            start += len(lora.down)
    return down


def _pack(layer: Any, ops: Any) -> None:
    """Replaces a linear layer's weight by its packed copy and its forward pass by one that uses it.

    A layer with columns of a LoRA beside its weight is for its block alone, which reads only the copy.
    """
    import torch

    columns, lora = vars(layer).pop("columns", None), getattr(layer, "lora", None)
    weight = layer.weight.detach()
    if columns is not None:
        weight = torch.cat([weight, columns], dim=1)
    packed = ops._reorder_linear_weight(weight, PACKED_FOR_ROWS)
    bias = None if layer.bias is None else layer.bias.detach()

    def forward(x: Tensor) -> Tensor:
        return ops._linear_pointwise(x, packed, bias, "none", [], "")  # type: ignore[no-any-return]

    layer.forward = with_lora(forward, lora) if lora and columns is None else forward
    layer.packed_weight = packed
    del layer.weight


def _fuse(block: Any, down: Tensor | None, ops: Any) -> None:
    """Replaces down(silu(gate(x)) * up(x)) by the same in three calls without buffers between.

    `down` is what `_joined` says of the block.
    """
    import torch

    gate, up, last = block.gate_proj.packed_weight, block.up_proj.packed_weight, block.down_proj

    def forward(x: Tensor) -> Tensor:
        wide = x if down is None else torch.cat([x, torch.nn.functional.linear(x, down)], dim=-1)
        gated = ops._linear_pointwise(wide, gate, None, "swish", [], "")
        return last(ops._linear_pointwise.binary(wide, gated, up, None, "mul"))  # type: ignore[no-any-return]

    block.forward = forward
