"""The folder of a run: what each stage leaves there, and how it is known that a stage is done.

    collect.json      traces/              the teacher's verdicts with all steps
    select.json       selection.jsonl.gz   what the student learns from
                      right.jsonl          with `--keep-dropped`, the readings that name their pair's winner
                      wrong.jsonl          and those that name the other response
    train.json        adapter/             the student, with a manifest of its own
                      curves.svg           its loss, and what it said of the held-out pairs
    rank.json         ranker/              what tells right readings from wrong ones
    ledger.sqlite                          every reading as it was made, so that nothing is judged twice
    stage.lock                             held while a stage is at work, so that no other one is

The JSON file of a stage is its manifest. It is written last: a stage without one is not done.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from distill.recipe import Stage
from judge.errors import InputError
from judge.io.files import at_home, sha256_of
from judge.io.shapes import Misshapen, Must, OpenShape, Sha256, shaped
from judge.io.writing import write_whole, writing
from judge.provenance import as_json


class StageManifest(OpenShape):
    """The part that every stage's manifest has; each stage adds more."""

    stage: Stage
    inputs: dict[str, Any]
    files: Annotated[dict[str, Sha256], Must("an object with the SHA-256 of each file")]


class Contamination(OpenShape):
    """What collect left out as test sets have it, by reason."""

    dropped: dict[str, int]


class Collected(StageManifest):
    """What is read of the manifest of collect."""

    n_pairs: Annotated[int, Field(ge=0), Must("how many pairs were read")]
    left_out: Annotated[dict[str, int], Must("an object with the pairs left out for each reason")]
    contamination: Annotated[Contamination, Must("an object, dropped in it with the pairs of each reason")]
    warning: Annotated[str, Must("text")]


class Selected(StageManifest):
    """The same of select."""

    report: Annotated[dict[str, Any], Must("an object with the report's figures")]
    warning: Annotated[str, Must("text")]


class Learned(StageManifest):
    """The same of train."""

    metrics: Annotated[dict[str, Any], Must("an object with the training's figures")]
    warning: Annotated[str, Must("text")]


class Ranked(StageManifest):
    """The same of rank."""

    metrics: Annotated[dict[str, Any], Must("an object with the training's figures")]


SHAPES: Mapping[Stage, type[StageManifest]] = {
    "collect": Collected,
    "select": Selected,
    "train": Learned,
    "rank": Ranked,
}


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder in which a run keeps everything. It need not exist yet; a ~ in it is the home folder."""

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", at_home(self.path))

    @property
    def ledger(self) -> Path:
        return self.path / "ledger.sqlite"

    @property
    def traces(self) -> Path:
        return self.path / "traces"

    @property
    def selection(self) -> Path:
        return self.path / "selection.jsonl.gz"

    @property
    def right(self) -> Path:
        """Rows of the readings that name their pair's winner."""
        return self.path / "right.jsonl"

    @property
    def wrong(self) -> Path:
        """Rows of the readings that name the other response, or a tie."""
        return self.path / "wrong.jsonl"

    @property
    def ranker(self) -> Path:
        return self.path / "ranker"

    @property
    def ranking(self) -> Path:
        """What a ranker's training needs to go on. Gone when it is done."""
        return self.path / "ranking"

    @property
    def rows(self) -> Path:
        """The rows that were given in a call, not in a file."""
        return self.path / "rows.jsonl"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def curves(self) -> Path:
        return self.path / "curves.svg"

    @property
    def training(self) -> Path:
        """What training needs to go on: checkpoints and frozen layers' outputs. Gone when it is done."""
        return self.path / "training"

    def manifest(self, stage: Stage) -> dict[str, Any] | None:
        """The stage's manifest; None if the stage is not done.

        Raises:
            InputError: the manifest cannot be read, or is not one of ours.
        """
        path = self._manifest_path(stage)
        try:
            manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            shaped(SHAPES[stage], manifest)
        except FileNotFoundError:
            return None
        except Misshapen as wrong:
            raise InputError(f"{path}: {wrong}. Remove it to do the stage again.") from None
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read ({error}). Remove it to do the stage again.") from error
        return manifest

    def is_done(self, stage: Stage, inputs: Mapping[str, Any]) -> bool:
        """Whether the stage was done with these inputs and its files are as it left them."""
        manifest = self.manifest(stage)
        if manifest is None or manifest["inputs"] != dict(inputs):
            return False
        files = {name: self.path / name for name in manifest["files"]}
        return bool(files) and all(
            file.is_file() and sha256_of(file) == manifest["files"][name] for name, file in files.items()
        )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds the folder while a stage is at work in it. The system frees it when its holder is killed.

        Raises:
            InputError: another stage is at work here, of this process or another one; or the folder cannot be
                written.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / "stage.lock")
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise InputError(
                    f"{self.path}: another stage is at work in this folder. Wait until it is done, or name "
                    "another folder."
                ) from None
        try:
            yield
        finally:
            lock.release()

    def begin(self, stage: Stage) -> None:
        """Marks the stage as not done."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._manifest_path(stage).unlink(missing_ok=True)

    def finish(
        self, stage: Stage, inputs: Mapping[str, Any], files: Iterable[Path], found: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Writes the stage's manifest: its inputs, its files with their SHA-256, and what it found."""
        names = sorted((file.relative_to(self.path).as_posix(), file) for file in files)
        hashes = {name: sha256_of(file) for name, file in names}
        manifest = {"stage": stage, "inputs": dict(inputs), "files": hashes, **found}
        write_whole(self._manifest_path(stage), as_json(manifest) + "\n", parents=True)
        return manifest

    def _manifest_path(self, stage: Stage) -> Path:
        return self.path / f"{stage}.json"
