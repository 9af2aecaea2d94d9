"""What came of trying a model at load, remembered in the user's cache: a trial costs as much as the rest.

<cache>/trials/<hash>    one model on one kind of machine: "packs" or "plain"
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from judge.errors import InputError
from judge.hardware import cpu_name, instruction_sets, versions_of
from judge.io.files import cache_folder
from judge.io.writing import write_whole
from judge.records import sha256_of_json

PACKAGES = ("torch", "transformers", "peft", "tokenizers")
TOLD = (
    "ONEDNN_MAX_CPU_ISA",
    "ATEN_CPU_CAPABILITY",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
)
"""Environment variables that change how numbers are computed."""

WORDS = {"packs": True, "plain": False}


@dataclass(frozen=True, slots=True)
class Tried:
    """A model as it was loaded. Its trial is that of this machine, these packages and this very code."""

    base_model_hash: str
    adapter_hash: str
    is_merged: bool
    device: str
    dtype: str

    def remembered(self) -> bool | None:
        """Whether its prompts can be packed, as an earlier trial found; None where none was passed."""
        with suppress(OSError, ValueError):
            return WORDS.get(self._file().read_text("ascii"))
        return None

    def remember(self, can_pack: bool) -> None:
        """A trial was passed. A cache that cannot be written makes the next load slow, not wrong."""
        [word] = [word for word, packs in WORDS.items() if packs == can_pack]
        with suppress(InputError):
            write_whole(self._file(), word, parents=True)

    def _file(self) -> Path:
        return cache_folder() / "trials" / sha256_of_json([asdict(self), *kind_of_machine(self.device)])


def kind_of_machine(device: str) -> list[object]:
    """All but the model that a trial depends on."""
    told = [os.environ.get(name, "") for name in TOLD]
    return [
        versions_of(PACKAGES),
        told,
        code_hash(),
        cpu_name(),
        instruction_sets(),
        gpu_name() if device == "cuda" else "",
    ]


def code_hash() -> str:
    """SHA-256 of the engines' own code."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def gpu_name() -> str:
    import torch

    return torch.cuda.get_device_name()
