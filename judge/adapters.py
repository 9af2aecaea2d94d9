"""LoRA adapters in folders, as peft writes them: which one it is, and whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from judge.errors import ModelError
from judge.files import file_hash
from judge.records import sha256_of_json

FILES = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter that can be loaded. `hash` is the SHA-256 (hex) over its files' hashes."""

    name: str
    folder: Path
    hash: str


def read_adapter(path: str) -> Adapter:
    """The adapter in a folder. Raises ModelError naming what the folder lacks."""
    folder = Path(path).expanduser().resolve()
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"{path}: no {', no '.join(missing)}. An adapter is a folder with {' and '.join(FILES)}."
        )
    return Adapter(folder.name, folder, sha256_of_json([[name, file_hash(folder / name)] for name in FILES]))
