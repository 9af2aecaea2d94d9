"""Students of right and wrong chains, and the ranker: all that is trained for the control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.negatives.chains import Chains
from benchmarks.system2 import students
from benchmarks.system2.students import TRAINING, Lesson, Student
from benchmarks.system2.task import LAYERS
from distill.ranker import train_ranker
from distill.recipe import PUBLISHED
from distill.rows import WRONG, Row
from judge.backends import Settings
from judge.backends.ranker import Ranker
from judge.errors import BackendError
from judge.prompts import plain
from judge.records import Unparsed

ADAPTED: Mapping[str, Any] = {"layers": LAYERS, "modules": ["q_proj", "v_proj"], **PUBLISHED}
"""Every student's LoRA: of the paper's size and in the paper's places, in the upper layers alone. NAT takes
its negative one's place, with units in it."""


class Workshop(students.Workshop, Protocol):
    """Where models are loaded, and students and a ranker are made."""

    def learn(
        self,
        how: str,
        chains: Chains,
        base_model: str,
        folder: Path,
        seed: int,
        epochs: int,
        made: Mapping[str, Student],
    ) -> Student:
        """A student of these chains, by one of `STUDENTS`; `made` has those that came before it."""

    def rank(self, chains: Chains, base_model: str, folder: Path, seed: int, epochs: int) -> Path:
        """The folder of a ranker of these chains. A killed one goes on."""

    def scores(self, ranker: Path, base_model: str, chains: Sequence[Lesson]) -> list[float]:
        """How right each chain looks to the ranker, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class OwnWorkshop(students.OwnWorkshop):
    """Models on this machine, one after the other in memory."""

    def learn(
        self,
        how: str,
        chains: Chains,
        base_model: str,
        folder: Path,
        seed: int,
        epochs: int,
        made: Mapping[str, Student],
    ) -> Student:
        rows, settings = lesson_of(how, chains, made)
        return self.trained(rows, base_model, folder, seed, epochs=epochs, **settings)

    def rank(self, chains: Chains, base_model: str, folder: Path, seed: int, epochs: int) -> Path:
        train_ranker(
            rows_of(chains.right),
            rows_of(chains.wrong),
            folder,
            base_model=base_model,
            name=folder.name,
            seed=seed,
            progress=self.progress,
            epochs=epochs,
            layers=LAYERS,
            **TRAINING,
        )
        return folder / "ranker"

    def scores(self, ranker: Path, base_model: str, chains: Sequence[Lesson]) -> list[float]:
        """Raises BackendError where a question is too long."""
        settings = Settings(base_model, overflow="error", progress=self.progress)
        scores = Ranker(str(ranker), settings).scores([(plain(one.asked), one.reply) for one in chains])
        for one in scores:
            if isinstance(one, Unparsed):
                raise BackendError(f"{ranker}: a chain has no score: {one.reason}")
        return [one for one in scores if isinstance(one, float)]


def rows_of(lessons: Sequence[Lesson], **said: Any) -> list[Row]:
    """Rows of these lessons; `said` is what each of them says beside."""
    return [Row.of(one.asked, one.reply, **said) for one in lessons]


def lesson_of(how: str, chains: Chains, made: Mapping[str, Student]) -> tuple[list[Row], dict[str, Any]]:
    """The rows that a student learns, and the settings of its training beside its epochs."""
    right, wrong = rows_of(chains.right), rows_of(chains.wrong)
    learned = {**TRAINING, **ADAPTED}
    if how == "positive":
        return right, learned
    if how == "negative":
        return wrong, learned
    if how == "mix":
        return [*right, *wrong], learned
    if how == "unlikelihood":
        return [*right, *rows_of(chains.wrong, sign=WRONG)], {**learned, "method": how}
    if how == "nat":
        return right, {**TRAINING, "method": how, "negative": str(made["negative"].adapter)}
    return right, {**learned, "method": "nce", "nat": str(made["nat"].adapter)}
