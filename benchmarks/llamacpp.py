"""llama.cpp's own server in this process, with a base model's GGUF, to be measured beside our engines.

`pip install xllamacpp` brings it ready-made, in an environment of its own. Its wheel has the kernels of AVX2,
whatever the CPU has.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ENGINE = "llama.cpp"
SLOTS, SLOT_TOKENS = 4, 4096
"""So many requests are worked on at once, each with room for so many tokens."""


@contextmanager
def serving(gguf: Path, base_model: str) -> Iterator[str]:
    """The backend, "server:URL", that asks a server for the model in this file; it uses all cores."""
    llama: Any = importlib.import_module("xllamacpp")
    params = llama.CommonParams()
    params.model.path, params.model_alias = str(gguf), {base_model}
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * SLOT_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count()
    server = llama.Server(params)
    try:
        yield f"server:{server.listening_address}/v1"
    finally:
        del server
