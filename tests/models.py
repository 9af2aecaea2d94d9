"""A model and a tokenizer small enough to make in a test: random weights, bytes as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

MARKUP = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SOFT_MARKUP = ["<tool_call>", "</tool_call>"]  # added tokens that are not "special"
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


VERDICT_MERGES = [("[", "["), ("]", "]")]  # with these a verdict is four tokens
WORD_MERGES = [("Y", "e"), ("Ye", "s"), ("N", "o")]  # with these Yes and No are one token each


def needs_engine() -> None:
    """Skips the test in an installation without the extra `embedded`, which holds torch and its company."""
    for package in ("torch", "transformers", "peft"):
        pytest.importorskip(package)


def make_tokenizer(chat_template: str | None = CHAT_TEMPLATE, merges: Sequence[tuple[str, str]] = ()):
    """A byte-level tokenizer of 256 bytes, merges and five added tokens, as a transformers tokenizer."""
    needs_engine()
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*alphabet, *(one + other for one, other in merges)]
    vocab = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in MARKUP])
    tokenizer.add_tokens([AddedToken(text, special=False) for text in SOFT_MARKUP])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=chat_template,
    )


def make_model(folder: Path, merges: Sequence[tuple[str, str]] = (), **config) -> Path:
    """A two-layer model with random weights and its tokenizer, saved as a base model's folder."""
    needs_engine()
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    settings = {
        "vocab_size": 300,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 16384,
        "initializer_range": 0.3,
    }
    Qwen2ForCausalLM(Qwen2Config(**settings | config)).save_pretrained(folder)
    make_tokenizer(merges=merges).save_pretrained(folder)
    return folder


def make_small(base: Path, folder: Path) -> Path:
    """A base model's folder with its own tokenizer and two small layers with random weights for its own.

    For what hangs on the tokenizer and on real texts and not on what the model knows.
    """
    needs_engine()
    from transformers import AutoConfig, AutoTokenizer

    n_tokens = AutoConfig.from_pretrained(base).vocab_size
    make_model(folder, vocab_size=n_tokens)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


def make_adapter(
    model: Path,
    folder: Path,
    scale: float = 0.5,
    modules: Sequence[str] = ("q_proj", "v_proj", "down_proj"),
    is_dora: bool = False,
    **manifest: Any,
) -> Path:
    """A LoRA adapter with random weights for that model's folder, with a manifest whose keys may be given."""
    needs_engine()
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    from judge.models.adapters import write_manifest

    torch.manual_seed(1)
    config = peft.LoraConfig(r=4, target_modules=list(modules), use_dora=is_dora, task_type="CAUSAL_LM")
    wrapped = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(model), config)
    for name, weight in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=scale)
    wrapped.save_pretrained(folder)
    write_manifest(folder, manifest_values(model, folder.name) | manifest)
    return folder


def manifest_values(model: Path | str, name: str = "mine") -> dict[str, Any]:
    """What the manifest of an adapter for that base model holds; its pairs are made up."""
    from judge.models.basemodels import hash_of
    from judge.prompts import fingerprint_of

    return {
        "name": name,
        "targets": "hard",
        "base_model": str(model).rpartition("/")[2],
        "base_model_hash": hash_of(str(model)),
        "templates": ["direct"],
        "prompts": fingerprint_of("direct"),
        "letters": "AB",
        "data": {"pairs": "made up", "train": ["0" * 64, "1" * 64], "held_out": ["2" * 64]},
    }
