"""Many prompts in one forward pass: no padding, and every shared beginning computed once.

The prompts form a trie. Each of its edges is a *segment* of tokens that attends to the segments above it and
to itself; all segments stand one after the other in a single row, so the linear layers see real tokens only.
On a CPU the attention goes through the segments, on a GPU through whole sequences (see `gathered`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from judge.backends.gathered import Plan, Range, attend, plan_of

if TYPE_CHECKING:
    from torch import Tensor

ATTENTION = "four_token_packed"
QUERY_BLOCK = 128  # queries of one causal block: small enough for its scores to stay in the cache
MIN_SHARED = 16  # a shorter shared beginning costs more to split off than to compute twice


@dataclass(frozen=True, slots=True)
class Segment:
    """Tokens `start` to `end` of the row, which also see the earlier ranges `above`."""

    start: int
    end: int
    above: tuple[Range, ...]


@dataclass(slots=True)
class Packing:
    """A row of segments. `paths[i]` are the ranges of the row that make up sequence i, from its beginning."""

    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    paths: list[tuple[Range, ...]] = field(default_factory=list)
    _plans: dict[str, Plan] = field(default_factory=dict, repr=False, compare=False)

    def plan(self, device: Any) -> Plan:
        """How a GPU attends to the sequences, with its tensors on that device; made once for all layers."""
        if str(device) not in self._plans:
            self._plans[str(device)] = plan_of(self.paths, len(self.ids), device)
        return self._plans[str(device)]

    @property
    def ends(self) -> list[int]:
        """The place of the last token of each sequence."""
        return [path[-1][1] - 1 for path in self.paths]


def shared_length(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences share at their beginning."""
    limit = min(len(one), len(other))
    return next((i for i in range(limit) if one[i] != other[i]), limit)


def pack(sequences: Sequence[Sequence[int]]) -> Packing:
    """The sequences (sorted, different, none empty) as one row in which shared beginnings stand once."""
    packing = Packing(paths=[()] * len(sequences))
    _pack_below(sequences, range(len(sequences)), 0, (), packing)
    return packing


def _pack_below(
    sequences: Sequence[Sequence[int]],
    members: Sequence[int],
    depth: int,
    above: tuple[Range, ...],
    packing: Packing,
) -> None:
    """Adds the rest of `members`, which agree in their first `depth` tokens; those stand in `above`."""
    first, last = sequences[members[0]], sequences[members[-1]]
    shared = shared_length(first, last)  # sorted: what the outermost two share, all share
    if len(members) == 1 or len(first) == shared or shared - depth >= MIN_SHARED:
        start = len(packing.ids)
        packing.ids += first[depth:shared]
        packing.positions += range(depth, shared)
        if shared > depth:
            packing.segments.append(Segment(start, len(packing.ids), above))
            above = (*above, (start, len(packing.ids)))
        depth = shared
    for next_token, group in groupby(members, key=lambda i: _token_at(sequences[i], shared)):
        if next_token is None:
            packing.paths[next(iter(group))] = above
        else:
            _pack_below(sequences, list(group), depth, above, packing)


def _token_at(sequence: Sequence[int], place: int) -> int | None:
    return sequence[place] if place < len(sequence) else None


def batches_of(sequences: Sequence[Sequence[int]], max_tokens: int) -> list[range]:
    """Runs of the sorted sequences that hold at most `max_tokens` tokens each, shared ones counted once.

    A run may grow to twice that for a sequence of which it holds more than half already: a cut would compute
    more again than it saves, and the criteria of a long pair would share nothing.
    """
    batches: list[range] = []
    start, n_tokens = 0, 0
    for i, sequence in enumerate(sequences):
        shared = shared_length(sequences[i - 1], sequence) if i > start else 0
        new = len(sequence) - shared
        room = 2 * max_tokens if shared > new else max_tokens
        if i > start and n_tokens + new > room:
            batches.append(range(start, i))
            start, n_tokens, new = i, 0, len(sequence)
        n_tokens += new
    return [*batches, range(start, len(sequences))] if sequences else []


def register_attention() -> None:
    """Makes the packed attention known to transformers under the name `ATTENTION`."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    AttentionInterface.register(ATTENTION, packed_attention)
    AttentionMaskInterface.register(ATTENTION, lambda *_, **__: None)  # the segments are the mask


def packed_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: None,
    *,
    packing: Packing,
    scaling: float | None = None,
    **unused: Any,
) -> tuple[Tensor, None]:
    """Causal attention of every token to all that stands before it in its sequences.

    Args:
        query: shape (1, heads, tokens, head size).
        key, value: shape (1, key-value heads, tokens, head size).
        packing: the row that these tokens are.
        scaling: factor of the scores; 1 / sqrt(head size) where not given.

    Returns:
        shape (1, tokens, heads, head size), and no weights.
    """
    if query.device.type == "cpu":
        return _by_segments(query, key, value, packing, scaling), None
    return _by_sequences(query, key, value, packing, scaling), None


def _by_sequences(
    query: Tensor, key: Tensor, value: Tensor, packing: Packing, scaling: float | None
) -> Tensor:
    """The attention on a GPU: every sequence with all its tokens; shapes as above."""
    queries, keys, values = (one[0].transpose(0, 1) for one in (query, key, value))
    return attend(queries, keys, values, packing.plan(query.device), scaling)[None]


def _by_segments(
    query: Tensor, key: Tensor, value: Tensor, packing: Packing, scaling: float | None
) -> Tensor:
    """The attention on a CPU: within each segment and to all that stands above it; shapes as above."""
    import torch

    _, n_heads, n_tokens, head_size = query.shape
    n_kv = key.shape[1]
    grouped = query[0].view(n_kv, n_heads // n_kv, n_tokens, head_size)
    grouped = grouped * (head_size**-0.5 if scaling is None else scaling)
    output = torch.empty(1, n_tokens, n_heads, head_size, dtype=query.dtype)
    for segment in packing.segments:
        own = slice(segment.start, segment.end)
        ranges = [*(slice(*above) for above in segment.above), own]
        keys = torch.cat([key[0][:, one] for one in ranges], dim=1)
        values = torch.cat([value[0][:, one] for one in ranges], dim=1)
        attended = _blocks_of_queries(grouped[:, :, own], keys, values)
        output[0, own] = attended.reshape(n_heads, -1, head_size).transpose(0, 1)
    return output


def _blocks_of_queries(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Causal attention on a CPU, a block of queries at a time, heads of one group multiplied together.

    Measured 2 to 3.5 times as fast as torch's fused CPU kernel in bf16 (benchmarks/LOG.md).

    Args:
        query: shape (key-value heads, group, n, head size), already scaled; its last token sees every key.
        keys, values: shape (key-value heads, m, head size), m >= n.
    """
    import torch

    n_kv, group, n, head_size = query.shape
    n_before = keys.shape[1] - n
    transposed = keys.transpose(1, 2)
    size = min(QUERY_BLOCK, n)
    future = torch.full((size, size), float("-inf"), dtype=query.dtype).triu_(1)
    output = torch.empty_like(query)
    for start in range(0, n, QUERY_BLOCK):
        end = min(start + QUERY_BLOCK, n)
        n_seen = n_before + end
        rows = query[:, :, start:end].reshape(n_kv, -1, head_size)
        scores = torch.bmm(rows, transposed[:, :, :n_seen]).view(n_kv, group, end - start, n_seen)
        scores[..., n_before + start :] += future[: end - start, : end - start]
        weights = torch.softmax(scores, dim=-1).view(n_kv, -1, n_seen)
        output[:, :, start:end] = torch.bmm(weights, values[:, :n_seen]).view(n_kv, group, -1, head_size)
    return output
