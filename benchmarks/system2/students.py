"""Students: rows of a question and a reply learned by a LoRA adapter, which then answers like any model."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.system2.task import Asked
from distill.rows import Row
from distill.rowstage import train_rows
from judge.backends import Backend, Settings, load_backend
from judge.progress import Progress, silent

TRAINING: Mapping[str, Any] = {"batch_tokens": 512, "learning_rate": 3e-4}
"""How all students are trained; the number of epochs and of layers is the task's."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question as it is asked, and the reply that is to be learned."""

    asked: Asked
    reply: str


@dataclass(frozen=True, slots=True)
class Student:
    """Which adapter on which base model, and after how many steps it was ready."""

    base_model: str
    adapter: Path
    n_steps: int


class Workshop(Protocol):
    """Where models are loaded and students are made."""

    def load(self, base_model: str, adapter: Path | None) -> Backend:
        """A base model that answers, with or without an adapter."""

    def teach(
        self, lessons: Sequence[Lesson], base_model: str, folder: Path, seed: int, epochs: int, layers: float
    ) -> Student:
        """A student of these lessons. The same call again trains nothing twice; a killed one goes on."""


@dataclass(frozen=True, slots=True)
class OwnWorkshop:
    """Models on this machine."""

    progress: Progress = silent

    def load(self, base_model: str, adapter: Path | None) -> Backend:
        """The embedded backend, in the memory of the one before. A prompt that is too long raises."""
        gc.collect()
        where = "" if adapter is None else str(adapter)
        return load_backend(
            "embedded",
            Settings(base_model, adapter=where, strict=True, overflow="error", progress=self.progress),
        )

    def teach(
        self, lessons: Sequence[Lesson], base_model: str, folder: Path, seed: int, epochs: int, layers: float
    ) -> Student:
        """Trained by `distill` to give each reply."""
        rows = [Row.of(one.asked, one.reply) for one in lessons]
        return self.trained(rows, base_model, folder, seed, epochs=epochs, layers=layers, **TRAINING)

    def trained(
        self, rows: Sequence[Row], base_model: str, folder: Path, seed: int, **settings: Any
    ) -> Student:
        """None of the rows is held out, since each task has questions for that."""
        manifest = train_rows(
            rows,
            folder,
            base_model=base_model,
            name=folder.name,
            seed=seed,
            held_out=0.0,
            progress=self.progress,
            **settings,
        )
        return Student(base_model, folder / "adapter", manifest["metrics"]["n_steps"])
