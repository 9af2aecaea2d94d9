"""Attention over a packed row on a GPU: whole sequences, gathered as rows, in a few large calls.

A loop over segments starts a dozen kernels for each of them in every layer, which takes a GPU longer than the
work itself. Here each sequence is gathered with all its tokens, shared ones too: attending again for these
costs little beside the linear layers, which still see every token once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

MAX_PADDING = 0.25  # padding of one group of sequences, as a share of their real tokens
FREE_PADDING = 2048  # tokens of padding that cost less than one more group
MAX_GROUP_TOKENS = 131_072  # padding counted: bounds what is gathered at once

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """Sequences of about one length.

    `places`, shape (sequences, longest), says which place of the packed row each token has; a shorter
    sequence goes on with its last place. `owned` are the tokens, counted through the flat group, whose
    outputs the packed row takes from here.
    """

    places: Tensor
    owned: Tensor


@dataclass(frozen=True, slots=True)
class Plan:
    """The groups of a packed row, and where each of its tokens stands among all that they own, one by one."""

    groups: tuple[Group, ...]
    order: Tensor


def padded_places(paths: Sequence[Sequence[Range]]) -> Tensor:
    """The places of each path's ranges, shape (paths, longest), on the CPU; short ones repeat their last."""
    import torch

    flat, starts, lengths = _flat_places(paths)
    return flat[_padded(starts, lengths, torch.arange(len(paths)))]


def plan_of(paths: Sequence[Sequence[Range]], n_tokens: int, device: Any) -> Plan:
    """How to attend to the paths of a packed row of `n_tokens`, every one of which is in some path."""
    import torch

    flat, starts, lengths = _flat_places(paths)
    by_length = torch.argsort(lengths, descending=True, stable=True)
    groups = groups_of(lengths[by_length].tolist())
    index = [_padded(starts, lengths, by_length[group.start : group.stop]) for group in groups]
    places = [flat[one] for one in index]
    every = torch.cat([one.flatten() for one in places])
    slots = torch.arange(len(every))
    # A padded slot repeats a place that stands earlier in the same row, so the first slot is never padding.
    owner = torch.full((n_tokens,), len(every)).scatter_reduce_(0, every, slots, "amin")
    owners, tokens = torch.sort(owner)
    order = torch.empty_like(tokens)
    order[tokens] = torch.arange(n_tokens)
    ends = torch.tensor([one.numel() for one in places]).cumsum(0)
    cuts = [0, *torch.searchsorted(owners, ends).tolist()]
    made = []
    for number, one in enumerate(places):
        owned = owners[cuts[number] : cuts[number + 1]] - (ends[number] - one.numel())
        made.append(Group(one.to(device), owned.to(device)))
    return Plan(tuple(made), order.to(device))


def groups_of(lengths: Sequence[int]) -> list[range]:
    """Runs of the lengths, longest first, that waste little when each is padded to its longest."""
    groups: list[range] = []
    start, n_real = 0, 0
    for i, length in enumerate(lengths):
        n_padded = (i + 1 - start) * lengths[start]
        n_wasted = n_padded - n_real - length
        is_wasteful = n_wasted > max(FREE_PADDING, MAX_PADDING * (n_real + length))
        if i > start and (is_wasteful or n_padded > MAX_GROUP_TOKENS):
            groups.append(range(start, i))
            start, n_real = i, 0
        n_real += length
    return [*groups, range(start, len(lengths))] if lengths else []


def _flat_places(paths: Sequence[Sequence[Range]]) -> tuple[Tensor, Tensor, Tensor]:
    """All paths' places one after the other; where each path starts in them; its length."""
    import torch

    ranges = torch.tensor([one for path in paths for one in path]).view(-1, 2)
    sizes = ranges[:, 1] - ranges[:, 0]
    before = sizes.cumsum(0) - sizes
    flat = torch.arange(int(sizes.sum())) + (ranges[:, 0] - before).repeat_interleave(sizes)
    lengths = torch.tensor([sum(end - start for start, end in path) for path in paths])
    return flat, lengths.cumsum(0) - lengths, lengths


def _padded(starts: Tensor, lengths: Tensor, paths: Tensor) -> Tensor:
    """Indices into the flat places of some paths, shape (paths, longest)."""
    import torch

    columns = torch.arange(int(lengths[paths].max()))
    return starts[paths, None] + torch.minimum(columns, lengths[paths, None] - 1)


def attend(query: Tensor, keys: Tensor, values: Tensor, plan: Plan, scale: float | None) -> Tensor:
    """Causal attention of every token of a packed row within the first sequence that holds it.

    Padding stands on the right, where causal attention hides it from all that is read.

    Args:
        query: shape (tokens, heads, head size); keys, values: (tokens, key-value heads, head size).
        scale: factor of the scores; 1 / sqrt(head size) where None.

    Returns:
        shape (tokens, heads, head size).
    """
    import torch

    outputs = []
    with _quick_kernels(query):
        for group in plan.groups:
            own, seen, read = (_rows_of(one, group.places) for one in (query, keys, values))
            if query.dtype is torch.float32:  # whose one quick kernel knows no groups of heads
                n_each = query.shape[1] // keys.shape[1]
                seen, read = (one.repeat_interleave(n_each, dim=1) for one in (seen, read))
            is_grouped = seen.shape[1] != own.shape[1]
            attended = torch.nn.functional.scaled_dot_product_attention(
                own, seen, read, is_causal=True, scale=scale, enable_gqa=is_grouped
            )
            flat = attended.transpose(1, 2).flatten(0, 1)
            outputs.append(flat.index_select(0, group.owned))
    return torch.cat(outputs).index_select(0, plan.order)


def _rows_of(tokens: Tensor, places: Tensor) -> Tensor:
    """Of (tokens, heads, size) the sequences of `places`, shape (sequences, heads, longest, size)."""
    rows = tokens.index_select(0, places.flatten())
    return rows.view(*places.shape, *tokens.shape[1:]).transpose(1, 2)


def _quick_kernels(tensor: Tensor) -> Any:
    """On a GPU the kernels that need no preparation for each new shape, which cuDNN's does."""
    if tensor.device.type == "cpu":
        return nullcontext()
    from torch.nn.attention import SDPBackend, sdpa_kernel

    return sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH])
