"""Conversion of a Qwen2 model's GGUF file to a folder that transformers loads, with its weights in bf16."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from judge.progress import Progress

WEIGHTS = "model.safetensors"
CONVERTER = 1  # raise it when a change makes other bytes of the same GGUF
MAX_WORKERS = 8
CONVERTS_WITH = ("gguf", "torch", "transformers")

PARAMETERS = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def convert_gguf(gguf: Path, folder: Path, progress: Progress) -> None:
    """Writes the tokenizer, the configuration and the weights in bf16 of a Qwen2 GGUF into a folder.

    The weights go through in slices, a few at a time, so that memory holds little besides the mapped GGUF.
    transformers' own loader gives the same file byte for byte, but takes longer and holds the whole model.
    """
    from gguf import GGUFReader
    from transformers import AutoTokenizer

    progress("reading the tokenizer", 0, 1)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    progress("reading the tokenizer", 1, 1)
    reader = GGUFReader(gguf)
    _write_config(reader, folder)
    _write_weights(reader.tensors, folder / WEIGHTS, progress)


def _write_config(reader: Any, folder: Path) -> None:
    """Writes config.json from the GGUF's own fields. Raises ValueError for anything but a Qwen2 model."""
    from transformers import Qwen2Config

    def value(key: str) -> Any:
        return reader.fields[key].contents()

    if value("general.architecture") != "qwen2":
        raise ValueError(f"the GGUF's architecture is {value('general.architecture')}, not qwen2")
    shapes = {tensor.name: tensor.data.shape for tensor in reader.tensors}
    Qwen2Config(
        architectures=["Qwen2ForCausalLM"],
        dtype="bfloat16",
        vocab_size=shapes["token_embd.weight"][0],
        hidden_size=value("qwen2.embedding_length"),
        intermediate_size=value("qwen2.feed_forward_length"),
        num_hidden_layers=value("qwen2.block_count"),
        num_attention_heads=value("qwen2.attention.head_count"),
        num_key_value_heads=value("qwen2.attention.head_count_kv"),
        max_position_embeddings=value("qwen2.context_length"),
        rms_norm_eps=value("qwen2.attention.layer_norm_rms_epsilon"),
        rope_parameters={"rope_type": "default", "rope_theta": value("qwen2.rope.freq_base")},
        tie_word_embeddings="output.weight" not in shapes,
        bos_token_id=value("tokenizer.ggml.bos_token_id"),
        eos_token_id=value("tokenizer.ggml.eos_token_id"),
        pad_token_id=value("tokenizer.ggml.padding_token_id"),
    ).save_pretrained(folder)


def _parameter_name(gguf_name: str) -> str:
    """transformers' name of a tensor: `blk.3.attn_q.weight` is `model.layers.3.self_attn.q_proj.weight`."""
    *block, part, kind = gguf_name.split(".")
    layer = f"model.layers.{block[1]}." if block else ""
    return f"{layer}{PARAMETERS[part]}.{kind}"


def _write_weights(tensors: Iterable[Any], path: Path, progress: Progress) -> None:
    """Writes one safetensors file: header length (8 bytes), header (JSON), then every tensor in bf16."""
    named = sorted((_parameter_name(tensor.name), tensor) for tensor in tensors)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    total = 0
    for name, tensor in named:
        shape = [int(n) for n in reversed(tensor.shape)]
        start, total = total, total + 2 * int(tensor.n_elements)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, total]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format asks for data aligned to 8 bytes
    slices = (one for _, tensor in named for one in _slices_in_bf16(tensor))
    done = 0
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for values in _in_order(slices, min(MAX_WORKERS, os.cpu_count() or 1)):
            file.write(values)
            done += len(values)
            progress("converting", done, total)


def _in_order(tasks: Iterable[Callable[[], bytes]], n_workers: int) -> Iterator[bytes]:
    """What the tasks give, in their order; so many run at once, and no more than twice as many wait."""
    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(n_workers) as pool:
        for task in tasks:
            waiting.append(pool.submit(task))
            if len(waiting) > 2 * n_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _slices_in_bf16(tensor: Any, values_at_once: int = 1 << 20) -> Iterator[Callable[[], bytes]]:
    """Tasks that give the tensor's values, some rows after others, as `_in_bf16` does."""
    import numpy as np

    rows = np.atleast_2d(tensor.data)
    step = max(1, values_at_once // int(tensor.shape[0]))
    for start in range(0, len(rows), step):
        yield partial(_in_bf16, rows[start : start + step], tensor.tensor_type)


def _in_bf16(rows: Any, tensor_type: Any) -> bytes:
    """The values of quantised rows as little-endian bf16, dequantised in fp32 and rounded once."""
    import numpy as np
    import torch
    from gguf.quants import dequantize

    values = np.array(dequantize(rows, tensor_type), dtype=np.float32)
    return torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy().tobytes()
