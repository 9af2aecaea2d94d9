"""A small decoder-only transformer with weights drawn at random, and how it writes.

The architecture is that of Qwen2 (arXiv:2407.10671), as transformers has it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from judge.progress import Progress, silent

if TYPE_CHECKING:
    from torch import Generator


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a model is."""

    hidden: int
    inner: int
    layers: int
    heads: int


def new_model(shape: Shape, n_words: int, seed: int) -> Any:
    """A model in float32 whose weights follow from the seed."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=n_words,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        initializer_range=shape.hidden**-0.5,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: Any = Qwen2ForCausalLM(config)
        return model


def n_weights(model: Any) -> int:
    return sum(weight.numel() for weight in model.parameters())


def written(
    model: Any,
    prompts: Sequence[Sequence[int]],
    first: int | None,
    end: int,
    n_most: int,
    progress: Progress = silent,
    seed: int | None = None,
) -> list[list[int]]:
    """A reply to each prompt, a word at a time.

    Args:
        seed: draws words by their probabilities; None takes the most probable one each time.
        first: the word that every reply begins with; None leaves that to the model.
        end: the word after which nothing more is written; it is the last of a finished reply.
        n_most: so many words are written at most.
    """
    alike = defaultdict(list)
    for number, prompt in enumerate(prompts):
        alike[len(prompt)].append(number)
    replies: list[list[int]] = [[] for _ in prompts]
    n_done = 0
    dice = None if seed is None else generator_of(seed)
    for numbers in alike.values():
        some = written_together(model, [prompts[number] for number in numbers], first, end, n_most, dice)
        for number, reply in zip(numbers, some, strict=True):
            replies[number] = reply
        n_done += len(numbers)
        progress(f"writing, {n_done} of {len(prompts)} replies", n_done, len(prompts))
    return replies


def generator_of(seed: int) -> Generator:
    import torch

    return torch.Generator().manual_seed(seed)


def written_together(
    model: Any,
    prompts: Sequence[Sequence[int]],
    first: int | None,
    end: int,
    n_most: int,
    dice: Generator | None = None,
) -> list[list[int]]:
    """As `written`, for prompts of one length: so nothing has to be padded. Keys and values are kept."""
    import torch

    model.eval()
    words = torch.tensor([list(prompt) for prompt in prompts])
    has_ended = torch.zeros(len(prompts), dtype=torch.bool)
    columns: list[torch.Tensor] = []
    kept = None
    with torch.inference_mode():
        while len(columns) < n_most and not has_ended.all():
            output = model(words, past_key_values=kept, use_cache=True, logits_to_keep=1)
            kept = output.past_key_values
            logits = output.logits[:, -1]
            words = (
                logits.argmax(-1, keepdim=True)
                if dice is None
                else torch.multinomial(logits.float().softmax(-1), 1, generator=dice)
            )
            if first is not None and not columns:
                words = torch.full_like(words, first)
            columns.append(words)
            has_ended |= words[:, 0] == end
    rows = torch.cat(columns, dim=1).tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in rows]
