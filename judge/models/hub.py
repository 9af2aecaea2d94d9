"""Models in local folders and on the hub: where their files lie, and whether they are whole."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from judge.errors import BrokenWeights, MissingExtra, ModelError, UnknownModel
from judge.io.files import SHA256, at_home, error_line, hash_and_remember, remembered_hash
from judge.progress import Progress

HUB_ID = re.compile(r"\w[\w.-]*/[\w.-]+")
NEEDED = ("config.json", "tokenizer.json")
INDEX = "model.safetensors.index.json"


def folder_of(name: str, known: Sequence[str], may_download: bool = True) -> Path:
    """A local folder, or the hub's snapshot of that id. `known` are the models that a message can offer.

    Raises:
        UnknownModel: neither a folder nor a model on the hub.
        BrokenWeights: a snapshot is not on this machine and may not be downloaded.
        ModelError: the hub cannot be reached, or does not give the model.
        MissingExtra: the hub's package is not installed.
    """
    path = _local(name)
    if path and path.is_dir():
        return path
    if path or not HUB_ID.fullmatch(name):
        raise UnknownModel(
            f"{name!r}: no such base model. Known: {', '.join(known)}; or name a folder with config.json, "
            "tokenizer.json and *.safetensors, or a hub id like Qwen/Qwen2.5-Coder-1.5B-Instruct"
        )
    return _hub_snapshot(name, known, may_download)


def _local(name: str) -> Path | None:
    """The file or folder of that name, with links resolved; None if there is none."""
    try:
        return at_home(name).resolve(strict=True) if name else None
    except (OSError, RuntimeError, ValueError):  # also a name that no path can have, or an unknown ~user
        return None


def short_name(name: str) -> str:
    """What to call the model: a folder's own name, a hub id as it is."""
    path = _local(name)
    return path.name if path else name


def _hub_snapshot(name: str, known: Sequence[str], may_download: bool) -> Path:
    """The snapshot on this machine if it is whole, else a download, which shows the hub's own bars."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtra(
            f"{name}: loading from the hub needs huggingface_hub. "
            'Run: pip install "four-token-judge[embedded]"'
        ) from error
    wanted: dict[str, Any] = {
        "allow_patterns": ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"],
        "ignore_patterns": ["*/*", "consolidated*"],
    }
    try:
        with suppress(FileNotFoundError, ModelError):
            folder = Path(snapshot_download(name, local_files_only=True, **wanted))
            model_files(folder)
            return folder
        if not may_download:
            raise BrokenWeights(f"{name}: not fetched yet. Run: judge models fetch {name}")
        return Path(snapshot_download(name, **wanted))
    except ModelError:
        raise
    except Exception as error:
        raise _hub_error(name, known, error) from error


def _hub_error(name: str, known: Sequence[str], error: Exception) -> ModelError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return ModelError(f"{name}: gated on the hub. Accept its licence there, then run: hf auth login")
    if isinstance(error, errors.RepositoryNotFoundError | errors.HFValidationError):
        return UnknownModel(
            f"{name}: no such model on the hub, and no such folder (a private one needs: hf auth login). "
            f"Known without the hub: {', '.join(known)}"
        )
    return ModelError(
        f"{name}: could not be downloaded from the hub ({error_line(error)}). Check network and disk, or "
        f"take one that needs no hub: {', '.join(known)}"
    )


def model_files(folder: Path) -> list[Path]:
    """The files that make up a model, sorted by name. Raises ModelError naming what a folder lacks."""
    try:
        present = {path.name for path in folder.iterdir() if path.is_file()}
    except OSError as error:
        raise ModelError(f"{folder}: cannot be read ({error_line(error)}). Check its permissions") from error
    weights = {name for name in present if name.endswith(".safetensors")}
    shards = _shards(folder / INDEX) if INDEX in present else weights or {"*.safetensors"}
    if missing := sorted({*NEEDED, *shards} - present):
        raise ModelError(
            f"{folder}: no {', no '.join(missing)}. A model folder has config.json, tokenizer.json and "
            "*.safetensors, as written by transformers' save_pretrained"
        )
    optional = present & {"tokenizer_config.json", "chat_template.jinja"}
    return [folder / name for name in sorted({*NEEDED, *weights, *optional})]


def _shards(index: Path) -> set[str]:
    """The weights files that an index names."""
    try:
        return set(json.loads(index.read_text("utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{index}: cannot be read ({error_line(error)}). It should map parameters to files: copy it again"
        ) from error


def verify_file(name: str, file: Path, progress: Progress) -> None:
    """Reads the file again. Raises BrokenWeights if it is not what the hub or an earlier reading says."""
    before, found = remembered_hash(file), hash_and_remember(file, progress)
    blob = file.resolve()  # the hub's cache names large files by their SHA-256
    if blob.parent.name == "blobs" and SHA256.fullmatch(blob.name) and blob.name != found:
        raise BrokenWeights(
            f"{name}: {file.name} has SHA-256 {found}, the hub says {blob.name}. Delete and fetch it again: "
            f"rm -r {shlex.quote(str(blob.parent.parent))} && judge models fetch {name}"
        )
    if before not in (None, found):
        raise BrokenWeights(
            f"{name}: {file} has SHA-256 {found}, and had {before} at the same size and time. "
            f"Copy it again, or accept it: touch {shlex.quote(str(file))}"
        )
