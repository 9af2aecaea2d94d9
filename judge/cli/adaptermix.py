"""The weights between an adapter and the one that a further round made of it.

A round teaches something new and costs some of what was known. On the way between the weights before and
after it lies a judge that keeps most of both (WiSE-FT: Wortsman and others, arXiv:2109.01903).
"""

from __future__ import annotations

import re
from pathlib import Path

from judge.errors import InputError, ModelError
from judge.io.files import at_home
from judge.io.writing import write_whole
from judge.models.adapters import (
    FILES,
    Adapter,
    check_one_lora,
    is_ranker,
    read_adapter,
    starts_of,
    write_manifest,
)
from judge.provenance import provenance

CONFIG, WEIGHTS = FILES
NAME = re.compile(r"\w[\w.-]*")
SAME = ("base_model_hash", "templates", "letters", "lora")
"""What both manifests have to say alike: with other scales or prompts the weights between mean nothing."""


def mix(before: str | Path, after: str | Path, share: float, name: str, out: str | Path) -> Adapter:
    """The adapter a part of the way from `before` to `after`, written to a new folder.

    A weight is (1 - share) times the one before plus share times the one after, in the dtype that is stored.
    The manifest is that of `after`, with the new name and what was mixed.

    Args:
        before: the folder of an adapter.
        after: the folder of one whose training went on from it.
        share: from 0, which is `before`, to 1, which is `after`; neither of both.
        out: a folder that is not there yet.

    Raises:
        InputError: the share or the name is none, `after` did not go on from `before` or is not alike, or
            `out` is there.
        ModelError: one of both is no adapter, is no single LoRA, or has weights that are no numbers.
    """
    if not 0 < share < 1:
        raise InputError(f"--share {share:g}: must be between 0 and 1, such as 0.5.")
    if not NAME.fullmatch(name):
        raise InputError(
            f"--name {name}: must be letters, digits and . _ - and begin with one of the first two."
        )
    start, end = read_adapter(before), read_adapter(after)
    for one in (start, end):
        check_one_lora(one, "mixing")
        if is_ranker(one):
            raise ModelError(f"{one.folder}: mixing takes judges and students, and this is a ranker.")
    if start.hash not in [one["hash"] for one in starts_of(end.manifest)]:
        raise InputError(
            f"{after}: the training of {end.name} did not go on from {start.name} in {before}. Mix an "
            "adapter with one that train.start_from named."
        )
    if unlike := [key for key in SAME if start.manifest.get(key) != end.manifest.get(key)]:
        raise InputError(f"{after}: its {unlike[0]} is not that of {before}, so nothing lies between them.")
    if end.manifest["targets"] == "votes" and not name.endswith("-votes"):
        raise InputError(f"--name {name}: {end.name} learned people's votes. Its name must end in -votes.")
    if end.manifest["targets"] != "votes" and name.endswith("-votes"):
        raise InputError(
            f"--name {name}: -votes is for what learned people's votes, which {end.name} did not."
        )
    folder = at_home(out)
    if folder.exists():
        raise InputError(f"{out}: is there already. Name a new folder.")
    write_whole(folder / WEIGHTS, between(start, end, share), parents=True)
    write_whole(folder / CONFIG, (end.folder / CONFIG).read_bytes())
    kept = {key: value for key, value in end.manifest.items() if key not in ("schema", "files")}
    mixed = {"share": share, "before": told(start), "after": told(end), **provenance()}
    return write_manifest(folder, kept | {"name": name, "mixed": mixed})


def between(start: Adapter, end: Adapter, share: float) -> bytes:
    """The file of weights a share of the way from one to the other."""
    from safetensors import safe_open
    from safetensors.torch import load_file, save

    first, last = load_file(start.folder / WEIGHTS), load_file(end.folder / WEIGHTS)
    shapes = [{name: tuple(one.shape) for name, one in some.items()} for some in (first, last)]
    if shapes[0] != shapes[1]:
        raise InputError(f"{end.folder}: its LoRA has other shapes or layers than that of {start.folder}.")
    for adapter, some in ((start, first), (end, last)):
        for name, one in some.items():
            if not one.isfinite().all():
                raise ModelError(f"{adapter.folder / WEIGHTS}: {name} holds what is no number.")
    with safe_open(end.folder / WEIGHTS, "pt") as file:
        metadata = file.metadata()
    weights = {name: first[name].float().lerp(one.float(), share).to(one.dtype) for name, one in last.items()}
    return save(weights, metadata)


def told(adapter: Adapter) -> dict[str, str]:
    return {"name": adapter.name, "hash": adapter.hash}
