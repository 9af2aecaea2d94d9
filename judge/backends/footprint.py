"""What keeps a model's memory small on a CPU: weights are held once, and no wider than they are used.

Results stay the same to the bit: a bfloat16 number is the same number in float32.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from judge.backends.cpu import LET_GO_EVERY
from judge.backends.last_layer import parts_of

WEIGHTS = "*.safetensors"
NARROW = {"BF16": "bfloat16", "F16": "float16"}
"""What a file of weights calls the dtypes that float32 holds exactly."""

WIDENED = "is_widened"
"""An attribute of the head of a model that was widened."""

MADV_DONTNEED = 4


def narrow_dtype_of(folder: Path) -> str:
    """The dtype of all weights of a folder where float32 holds it exactly; "" where there is no such one."""
    from safetensors import SafetensorError, safe_open

    found: set[str] = set()
    try:
        for file in folder.glob(WEIGHTS):
            with safe_open(file, "pt") as weights:
                found |= {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return ""
    return NARROW.get(found.pop(), "") if len(found) == 1 else ""


def can_widen(model: Any) -> bool:
    """Whether a model that was read in a narrow dtype has lost nothing and does nothing odd with words.

    It has lost something where a buffer that is computed, not read, was rounded.
    """
    import torch

    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    is_plain = type(embedding) is torch.nn.Embedding and type(head) is torch.nn.Linear
    buffers = (one for one in model.buffers() if one.is_floating_point())
    return (
        is_plain and bool(parts_of(model.base_model)) and all(one.dtype == torch.float32 for one in buffers)
    )


def widen(model: Any, folder: Path) -> None:
    """Makes a model float32 that was read in a narrower dtype, in place.

    The weights of the words stay as they are in the file, of which few are ever looked at: the embedding's
    output is widened instead, and the head's weights at each call, or once inside `wide_head`.
    """
    from torch.nn.functional import linear

    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    n_bytes = 0
    for module in model.modules():
        if module is embedding or module is head:
            continue
        for weight in module.parameters(recurse=False):
            weight.data = weight.data.float()
            n_bytes += weight.nbytes
        if n_bytes >= LET_GO_EVERY:
            drop_pages(folder)
            n_bytes = 0
    drop_pages(folder)
    embedding.register_forward_hook(lambda _module, _given, output: output.float())
    head.forward = lambda states: linear(states, head.weight.to(states.dtype), head.bias)
    setattr(head, WIDENED, True)


@contextmanager
def wide_head(model: Any) -> Iterator[None]:
    """Inside, the head of a widened model is wide too, for many calls; then its narrow weights come back."""
    import torch

    head = model.get_output_embeddings()
    if not getattr(head, WIDENED, False) or head.weight.dtype == torch.float32:
        yield
        return
    narrow = head.weight
    head.weight = torch.nn.Parameter(narrow.detach().float(), requires_grad=False)
    try:
        yield
    finally:
        head.weight = narrow


def drop_pages(folder: Path) -> None:
    """Lets go of the pages of a folder's files of weights that this process has looked at.

    They stay in the system's cache and come back when they are looked at again. Nothing happens where a page
    was written to, or where no Linux says so.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        for start, size in untouched_maps([file.resolve() for file in folder.glob(WEIGHTS)]):
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), MADV_DONTNEED)


def untouched_maps(files: list[Path]) -> list[tuple[int, int]]:
    """Where these files are mapped and no page was written to: first address and bytes of each mapping."""
    names, found, place = {str(file) for file in files}, [], None
    with Path("/proc/self/smaps").open(encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            first, *rest = line.split(maxsplit=5)
            if not first.endswith(":"):
                start, _, end = first.partition("-")
                is_one = len(rest) == 5 and rest[4].rstrip("\n") in names
                place = (int(start, 16), int(end, 16) - int(start, 16)) if is_one else None
            elif place and first == "Anonymous:" and rest[0] == "0":
                found.append(place)
    return found
