"""LoRA adapters in folders, as peft writes them, each with a manifest: what it is and how it was made.

One of method nat is two of them, a positive and a negative one, and the units that weigh them.

The manifest is written last. A folder without one is not an adapter, however complete its weights look.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.errors import InputError, ModelError
from judge.io.files import at_home, error_line, file_hash, hash_and_remember
from judge.io.rows import Wrong, parse_json, shown
from judge.io.writing import write_whole
from judge.progress import silent
from judge.prompts import fingerprint_of
from judge.records import NO_ADAPTER, sha256_of_json

FILES = ("adapter_config.json", "adapter_model.safetensors")
POSITIVE, NEGATIVE, UNITS = "positive", "negative", "units.safetensors"
NAT = "nat"
"""What the manifest of an adapter of two LoRAs and the units that weigh them says of its `method`."""

NAT_FILES = (*(f"{part}/{name}" for part in (POSITIVE, NEGATIVE) for name in FILES), UNITS)
HEAD = "head.safetensors"
"""What a ranker has beside `FILES`: the weights of its linear head, by `weight` and `bias`."""

MANIFEST = "manifest.json"
SCHEMA = "four-token-judge/adapter/1"
REPLIES = "replies"
"""What an adapter learned from that is no judge: replies to rows."""

RANKS = "ranks"
"""What a ranker learned, which is no judge either: which traces are right."""

SHORT = 12
SHIPPED = Path(__file__).parents[1] / "shipped"


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter that can be loaded.

    `hash` is the SHA-256 (hex) over the hashes of its weights and configuration, in all of its parts; `name`
    is the manifest's.
    """

    name: str
    folder: Path
    hash: str
    manifest: Mapping[str, Any]


def shipped_adapter(base_model: str, method: str) -> str:
    """The folder of the judge that comes with this package for a base model and a method; "" without one."""
    name = base_model if method == "direct" else f"{base_model}-{method}"
    found = {file.parent.name: file.parent for file in SHIPPED.glob(f"*/{MANIFEST}")}
    return str(found[name]) if name in found else ""


def is_judge(adapter: Adapter) -> bool:
    """Whether it has learned to judge; one that learned replies to rows of any kind, or to rank, has not."""
    return adapter.manifest["targets"] not in (REPLIES, RANKS)


def is_ranker(adapter: Adapter) -> bool:
    """Whether it has learned to tell right traces from wrong ones."""
    return bool(adapter.manifest["targets"] == RANKS)


def files_of(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The files that an adapter of this manifest is made of."""
    if manifest.get("method") == NAT:
        return NAT_FILES
    return (*FILES, HEAD) if manifest["targets"] == RANKS else FILES


def files_in(folder: Path) -> tuple[str, ...]:
    """The files that a folder should have to be an adapter, as far as that shows without a manifest."""
    parts = (folder / POSITIVE, folder / NEGATIVE, folder / UNITS)
    return NAT_FILES if any(part.exists() for part in parts) else FILES


def is_nat(adapter: Adapter) -> bool:
    """Whether it is of two LoRAs and the units that weigh them, which only the embedded backend runs."""
    return adapter.manifest.get("method") == NAT


def check_one_lora(adapter: Adapter, what: str) -> None:
    """Raises ModelError if it is of method nat; `what` says what needs a single LoRA."""
    if is_nat(adapter):
        raise ModelError(
            f"{adapter.folder}: {what} takes a single LoRA, and this adapter of method {NAT} is two and the "
            "units that weigh them. Run it with --backend embedded, or distil it into one LoRA by method nce."
        )


def method_of(adapter: Adapter) -> str:
    """The method that it has learned to answer. Raises InputError where it has learned no judging."""
    if is_ranker(adapter):
        raise InputError(
            f"{adapter.folder}: the adapter {adapter.name} has learned to rank traces, so it is no judge. "
            "Give it as --ranker, with --vote ranked."
        )
    if not is_judge(adapter):
        raise InputError(
            f"{adapter.folder}: the adapter {adapter.name} has learned replies to rows, so it is no judge. "
            "Take one that was trained by a judge's method."
        )
    templates: list[str] = adapter.manifest["templates"]
    return templates[0]


def starts_of(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a manifest says of the adapters that training went on from, the latest first."""
    start = manifest.get("start_from")
    return [start, *starts_of(start)] if start else []


def criteria_of(adapter: Adapter) -> list[str]:
    """The criteria, a line each, that its teacher judged by; none where it had a plan of its own."""
    criteria: list[str] = adapter.manifest.get("criteria", [])
    return criteria


# --- reading ---------------------------------------------------------------------------------------------


def read_adapter(path: str | Path, hashed: Callable[[Path], str] = file_hash) -> Adapter:
    """The adapter in a folder, its files checked against its manifest; `hashed` gives a file's SHA-256.

    Raises:
        ModelError: no such folder, a file or the manifest is missing, the manifest is not one of ours, or a
            file is not the one that it was written for.
    """
    folder = at_home(path).resolve()
    _refuse_missing(folder, str(path), files_in(folder))
    if not (folder / MANIFEST).is_file():
        raise ModelError(
            f"{path}: no {MANIFEST}. It is written last, so the training was not finished, or this adapter "
            "was not made by `judge distill`."
        )
    manifest = _manifest_in(folder / MANIFEST)
    names = files_of(manifest)
    _refuse_missing(folder, str(path), names)
    hashes = {name: hashed(folder / name) for name in names}
    if changed := [name for name in names if hashes[name] != manifest["files"].get(name)]:
        raise ModelError(
            f"{path}: {' and '.join(changed)} changed after the training: its SHA-256 is not the one in "
            f"{MANIFEST}. Copy the folder again, or train again."
        )
    return Adapter(manifest["name"], folder, sha256_of_json([[n, hashes[n]] for n in names]), manifest)


def _refuse_missing(folder: Path, path: str, names: Sequence[str] = FILES) -> None:
    what = f"An adapter is a folder with {', '.join(names)} and {MANIFEST}."
    if not folder.is_dir():
        raise ModelError(f"{path}: no such folder. {what}")
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise ModelError(f"{path}: no {', no '.join(missing)}. {what}")


def _manifest_in(file: Path) -> dict[str, Any]:
    """The manifest in a file, with every key that the judge reads."""
    try:
        manifest = parse_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{file}: cannot be read ({error_line(error)}).") from error
    except Wrong as wrong:
        raise ModelError(f"{file}: {wrong}") from None
    _check_manifest(manifest, file)
    return dict(manifest)


def _check_manifest(manifest: Any, file: Path) -> None:
    """Raises ModelError that names everything wrong with a manifest."""
    from judge.io.shapes import Misshapen, shaped
    from judge.models.manifest import Manifest, NatManifest

    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != SCHEMA:
        raise ModelError(f"{file}: its schema is {shown(schema)}. An adapter's manifest has {SCHEMA!r}.")
    try:
        shaped(NatManifest if manifest.get("method") == NAT else Manifest, manifest)
        if manifest["targets"] not in (REPLIES, RANKS):
            refuse_empty(manifest)
    except Misshapen as wrong:
        raise ModelError(f"{file}: {wrong}.") from None


def refuse_empty(manifest: Mapping[str, Any]) -> None:
    """Raises Misshapen where a judge's manifest names no prompt, or no letter."""
    from judge.io.shapes import Misshapen

    must = {"templates": "a list of prompt names", "letters": "one of AB, ABC, 123456789"}
    if empty := [key for key in must if not manifest[key]]:
        raise Misshapen([f"{key}: must be {must[key]} (found: {manifest[key]!r})" for key in empty])


# --- whether it fits -------------------------------------------------------------------------------------


def check_fits(adapter: Adapter, base_model: str, base_model_hash: str) -> None:
    """Raises ModelError if the base model or the prompts are not those that it was trained with."""
    check_base(adapter, base_model, base_model_hash)
    check_prompts(adapter)


def check_base(adapter: Adapter, base_model: str, base_model_hash: str) -> None:
    """Raises ModelError if it was made for another base model."""
    made_for, its_hash = adapter.manifest["base_model"], adapter.manifest["base_model_hash"]
    if its_hash != base_model_hash:
        raise ModelError(
            f"{adapter.folder}: made for the base model {made_for} (hash {its_hash[:SHORT]}), not for "
            f"{base_model} (hash {base_model_hash[:SHORT]}). Name its own with --base-model."
        )


def check_prompts(adapter: Adapter) -> None:
    """Raises ModelError if a prompt file is not the one that it was trained with."""
    templates, trained_with = adapter.manifest["templates"], adapter.manifest["prompts"]
    try:
        found = fingerprint_of(*templates)
    except FileNotFoundError:
        found = "none"
    if found != trained_with:
        raise ModelError(
            f"{adapter.folder}: the prompts ({', '.join(templates)}) are not those that it was trained with "
            f"(fingerprint {found[:SHORT]}, not {trained_with[:SHORT]}). Undo the change, or train again."
        )


def check_method(adapter: Adapter, method: str) -> None:
    """Raises InputError if it was trained to be asked by another method."""
    learned = method_of(adapter)
    if learned != method and not method.startswith(f"{learned}-"):  # dual-slow is asked of what learned dual
        raise InputError(
            f"--method {method}: the adapter {adapter.name} has learned {learned}. Judge with it by "
            f"--method {learned}, or take another adapter."
        )


def check_ties(adapter: Adapter) -> None:
    """Raises InputError if it was not trained to call two answers equally good."""
    if "C" not in adapter.manifest["letters"]:
        raise InputError(
            f"--ties: the adapter {adapter.name} was trained to answer A or B only. Leave --ties out, or "
            f"judge without an adapter: --adapter {NO_ADAPTER}."
        )


# --- writing ---------------------------------------------------------------------------------------------


def write_manifest(folder: Path, values: Mapping[str, Any]) -> Adapter:
    """The adapter that a folder holds, once its manifest is written, whole or not at all.

    Args:
        values: the manifest without `schema` and `files`.

    Raises:
        ModelError: the folder lacks a file of the adapter, or `values` lack what the judge reads.
        InputError: the manifest cannot be written.
    """
    names = files_of(values)
    _refuse_missing(folder, str(folder), names)
    hashes = {name: hash_and_remember(folder / name, silent) for name in names}
    manifest = {"schema": SCHEMA, **values, "files": hashes}
    file = folder / MANIFEST
    _check_manifest(manifest, file)
    write_whole(file, as_json(manifest) + "\n")
    return read_adapter(folder)


def as_json(value: Any, indent: str = "") -> str:
    """JSON with one line per key, and each list on one line however long it is."""
    if not isinstance(value, Mapping) or not value:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    inner = f"{indent}  "
    lines = [
        f"{inner}{json.dumps(key, ensure_ascii=False)}: {as_json(one, inner)}" for key, one in value.items()
    ]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
