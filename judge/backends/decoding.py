"""Free replies to many prompts at once: one row per prompt, and in every step one token per row.

The prompts' keys and values come from a packed pass (`judge.backends.packing`), in which shared beginnings
were computed once. Each row has its own length, so only the memory itself is padded. When rows end, waiting
prompts take their places, because a step costs nearly the same for few rows as for many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

STEP_ATTENTION = "four_token_step"
MAX_ROWS = 128  # with 192 a step writes 7 % more, and the last rows to end wait longer
MAX_MEMORY_TOKENS = 65_536  # of all rows together: some 800 MB at 0.5B, 1.9 GB at 1.5B
GPU_MAX_ROWS = 1024
GPU_MAX_MEMORY_TOKENS = 2_000_000
GPU_MEMORY_SHARE = 0.2  # of what is free; rows are held twice while they move: 0.35 took 132 of 140 GB
SEEN_TOGETHER = (
    32  # a step looks at a multiple of so many places: each new size costs time and stays in memory
)
UNFINISHED = "\N{REPLACEMENT CHARACTER}"  # what a token with a part of a character is decoded to
COMPACT_BELOW = 0.75  # rows are moved when less than this share of them goes on unchanged


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is decoded at once: rows, and tokens in the memory of all rows together."""

    max_rows: int
    max_tokens: int


class Stops:
    """Whether a reply has come to one of some texts. Only its newest tokens are decoded, and few of them.

    Args:
        texts: none of them empty; without any no reply stops.
        decode: the text of some tokens.
    """

    def __init__(self, texts: Sequence[str], decode: Callable[[Sequence[int]], str]) -> None:
        self.texts = tuple(texts)
        self._decode = decode
        self._n_tokens = 1 + max((len(one.encode()) for one in texts), default=0)  # each has a byte at least
        self._lasts = {*(one[-1] for one in texts), UNFINISHED}
        self._may_end: dict[int, bool] = {}

    def reached(self, ids: Sequence[int]) -> bool:
        """Whether a text ends in the last of these tokens, or just before its end."""
        if not self.texts or not ids:
            return False
        if (last := ids[-1]) not in self._may_end:
            self._may_end[last] = not self._lasts.isdisjoint(self._decode([last]))
        if not self._may_end[last]:
            return False
        tail = self._decode(ids[-self._n_tokens :])
        return any(one in tail for one in self.texts)


def limits_of(config: Any, device: str, item_size: int) -> Limits:
    """What a device has room for now.

    Args:
        config: the model's. item_size: bytes of one number.
    """
    if device == "cpu":
        return Limits(MAX_ROWS, MAX_MEMORY_TOKENS)
    import torch

    free, _ = torch.cuda.mem_get_info()
    free += torch.cuda.memory_reserved() - torch.cuda.memory_allocated()  # torch's own, not in use
    return Limits(GPU_MAX_ROWS, tokens_in(free, config, item_size))


def tokens_in(free: int, config: Any, item_size: int) -> int:
    """Tokens whose keys and values may be remembered in so many free bytes of a GPU."""
    n_heads: int = config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // n_heads
    n_kv = getattr(config, "num_key_value_heads", None) or n_heads
    bytes_each = 2 * config.num_hidden_layers * n_kv * head_size * item_size
    return min(GPU_MAX_MEMORY_TOKENS, int(GPU_MEMORY_SHARE * free / bytes_each))


class Memory:
    """Keys and values of every layer, (rows, key-value heads, head size, room) and (..., room, head size).

    Keys are stored as the scores read them: transposing them in every step took five times as long.
    `lengths` says how many places of each row are taken, int64, shape (rows,).
    """

    def __init__(self, lengths: Sequence[int], n_new: int, device: str) -> None:
        import torch

        self.lengths = torch.tensor(list(lengths), device=device)
        self.room = max(lengths) + n_new
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []
        self.prepare_step()

    def put(self, layer: int, rows: range, places: Tensor, keys: Tensor, values: Tensor) -> None:
        """Fills the beginnings of some rows with places of a packed pass.

        Args:
            places: shape (rows, longest); what stands beyond a row's length is never seen.
            keys, values: shape (key-value heads, tokens, head size).
        """
        n_kv, _, head_size = keys.shape
        while len(self.keys) <= layer:
            self.keys.append(keys.new_zeros((len(self.lengths), n_kv, head_size, self.room)))
            self.values.append(values.new_zeros((len(self.lengths), n_kv, self.room, head_size)))
        own, longest, flat = slice(rows.start, rows.stop), places.shape[1], places.flatten()
        picked = keys.index_select(1, flat).view(n_kv, *places.shape, head_size)
        self.keys[layer][own, :, :, :longest] = picked.permute(1, 0, 3, 2)
        picked = values.index_select(1, flat).view(n_kv, *places.shape, head_size)
        self.values[layer][own, :, :longest] = picked.transpose(0, 1)

    def prepare_step(self) -> None:
        """Finds, once for all layers, what the rows do not see in the next step."""
        import torch

        longest = int(self.lengths.max()) + 1
        self.n_seen = min(self.room, -(-longest // SEEN_TOGETHER) * SEEN_TOGETHER)
        places = torch.arange(self.n_seen, device=self.lengths.device)
        self.hidden_places: Tensor = (places > self.lengths[:, None])[:, None, None]

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the first `n_seen` places after adding one token per row, as they are kept."""
        import torch

        rows = torch.arange(len(self.lengths), device=self.lengths.device)
        self.keys[layer][rows, :, :, self.lengths] = keys
        self.values[layer][rows, :, self.lengths] = values
        return self.keys[layer][..., : self.n_seen], self.values[layer][:, :, : self.n_seen]

    def end_step(self) -> None:
        """The tokens added in this step stay. A row that is over and waits for others stays at its end."""
        self.lengths = (self.lengths + 1).clamp_(max=self.room - 1)

    def renewed(self, kept: Sequence[int], new: Memory | None) -> Memory:
        """The rows `kept` and, after them, those of `new`; this memory must not be used any more."""
        import torch

        index = torch.tensor(list(kept), dtype=torch.int64, device=self.lengths.device)
        self.lengths = self.lengths[index]
        for number in range(len(self.keys)):  # one at a time: all at once would be there twice
            self.keys[number] = self.keys[number][index]
            self.values[number] = self.values[number][index]
        if new is None or not kept:
            return new or self
        room = max(self.room, new.room)
        for number, (keys, values) in enumerate(zip(new.keys, new.values, strict=True)):
            self.keys[number] = torch.cat([_to(room, self.keys[number], 3), _to(room, keys, 3)])
            self.values[number] = torch.cat([_to(room, self.values[number], 2), _to(room, values, 2)])
        self.lengths = torch.cat([self.lengths, new.lengths])
        self.room = room
        return self


def _to(room: int, rows: Tensor, dim: int) -> Tensor:
    """The rows with zeros after them, so that their size in `dim` is `room`."""
    import torch

    missing = room - rows.shape[dim]
    if not missing:
        return rows
    return torch.nn.functional.pad(rows, (0, missing) if dim == 3 else (0, 0, 0, missing))


def register_step_attention() -> None:
    """Makes the attention of one step known to transformers under the name `STEP_ATTENTION`."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    AttentionInterface.register(STEP_ATTENTION, step_attention)
    AttentionMaskInterface.register(STEP_ATTENTION, lambda *_, **__: None)  # the lengths are the mask


def step_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: None,
    *,
    memory: Memory,
    scaling: float | None = None,
    **unused: Any,
) -> tuple[Tensor, None]:
    """Attention of one new token a row to all tokens of its row.

    Args:
        query: shape (1, heads, rows, head size); key, value: (1, key-value heads, rows, head size).

    Returns:
        shape (1, rows, heads, head size), and no weights.
    """
    import torch

    _, n_heads, n_rows, head_size = query.shape
    n_kv = key.shape[1]
    keys, values = memory.append(module.layer_idx, key[0].transpose(0, 1), value[0].transpose(0, 1))
    grouped = query[0].transpose(0, 1).reshape(n_rows * n_kv, n_heads // n_kv, head_size)
    grouped = grouped * (head_size**-0.5 if scaling is None else scaling)
    scores = torch.bmm(grouped, keys.flatten(0, 1)).view(n_rows, n_kv, -1, memory.n_seen)
    weights = torch.softmax(scores.masked_fill_(memory.hidden_places, float("-inf")), dim=-1)
    attended = torch.bmm(weights.view(n_rows * n_kv, -1, memory.n_seen), values.flatten(0, 1))
    return attended.view(1, n_rows, n_heads, head_size), None


def how_many_fit(going: Sequence[int], waiting: Iterable[int], n_new: int, limits: Limits) -> int:
    """How many of the waiting prompts fit beside the rows that go on; one always fits into an empty memory.

    Args:
        going: tokens of each row's prompt; waiting: the same of each prompt, in their order.
        n_new: longest reply.
    """
    n_rows, longest = len(going), max(going, default=0)
    for length in waiting:
        longest = max(longest, length)
        n_tokens = (n_rows + 1) * (longest + n_new)
        is_full = n_rows >= limits.max_rows or n_tokens > limits.max_tokens
        if is_full and n_rows:
            break
        n_rows += 1
    return n_rows - len(going)


def is_time_to_renew(n_rows: int, n_going: int, n_fitting: int) -> bool:
    """Whether moving the rows that go on pays: a quarter of them ended, or would be new."""
    return n_going < COMPACT_BELOW * n_rows or n_going < COMPACT_BELOW * (n_going + n_fitting)


def next_tokens(logits: Tensor, temperature: float) -> Tensor:
    """The next token of each row, int64, shape (rows,): the likeliest one, or a draw at a temperature.

    A draw is where a uniform number of [0, 1) falls among the summed probabilities: one random number a row.
    `torch.multinomial` draws one for each token of the vocabulary, a quarter of a step's time on a CPU.
    """
    import torch

    if temperature <= 0:
        return logits.max(-1).indices  # argmax does the same in bf16 on a CPU, five times as slowly
    sums = torch.softmax(logits.float() / temperature, -1).cumsum_(-1)
    drawn = torch.rand(len(sums), 1, device=sums.device) * sums[:, -1:]
    return torch.searchsorted(sums, drawn, right=True)[:, 0]  # right: what has no probability is never drawn
