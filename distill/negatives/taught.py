"""What a model of method nat says of rows, for a student of one LoRA: computed once and kept in a folder.

Of each token its likeliest words are kept with their probabilities, of each row its beta.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from distill.negatives.losses import betas, divergences
from judge.backends import Settings
from judge.backends.cpu import release_buffers
from judge.backends.integration import negative_alone
from judge.backends.loaded import LoadedModel
from judge.backends.local import device_of, dtype_of
from judge.backends.packing import Packing
from judge.io.writing import write_whole
from judge.progress import Progress
from judge.records import sha256_of_json

if TYPE_CHECKING:
    from torch import Tensor

N_TOP = 64
"""Words kept of each token; the probability of the others is shared out among them."""

PLACES = 256
"""The logits of this many tokens are held at a time, twice 150 MB in float32 over 151,936 words."""


class Packed(Protocol):
    """Rows packed into one row of tokens; `places[i]` predict the tokens of row i's reply."""

    @property
    def packing(self) -> Packing: ...

    @property
    def places(self) -> tuple[tuple[int, ...], ...]: ...


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the model says of a batch.

    Args:
        words: the likeliest ones at each place, int64, shape (places, N_TOP).
        probabilities: theirs, float32, of the same shape; they sum to 1 at each place.
        beta: of each row, shape (rows,).
    """

    words: Tensor
    probabilities: Tensor
    beta: Tensor


class Taught:
    """What the model says of each batch. It is loaded when a batch is asked for that is not in the folder.

    Args:
        settings: name the base model and the adapter of method nat.
        key: a hash of all that the rows and the model depend on.
    """

    def __init__(self, settings: Settings, folder: Path, key: str) -> None:
        self._settings = settings
        self._folder = folder
        self._key = key
        self._teacher: Teacher | None = None

    def prepare(self, batches: Sequence[Packed], progress: Progress) -> None:
        """Computes what is not there yet, then frees the model."""
        for number, batch in enumerate(batches):
            progress(f"the nat model reads, {number} of {len(batches)} batches", number, len(batches))
            if not self._path(batch).is_file():
                self._compute(batch)
        self._teacher = None
        release_buffers()

    def of(self, batch: Packed) -> Lesson:
        """What it says of this batch, on the CPU."""
        from safetensors.torch import load_file

        if not self._path(batch).is_file():
            self._compute(batch)
        tensors = load_file(self._path(batch))
        return Lesson(tensors["words"].long(), tensors["probabilities"], tensors["beta"])

    def _compute(self, batch: Packed) -> None:
        from safetensors.torch import save

        self._teacher = self._teacher or Teacher(self._settings)
        said = self._teacher.lesson(batch)
        tensors = {"words": said.words.int(), "probabilities": said.probabilities, "beta": said.beta}
        whole = save({name: one.cpu().contiguous() for name, one in tensors.items()})
        write_whole(self._path(batch), whole, parents=True)

    def _path(self, batch: Packed) -> Path:
        ids = sha256_of_json([self._key, batch.packing.ids, batch.packing.positions, batch.places])
        return self._folder / f"{ids[:32]}.safetensors"


class Teacher:
    """A model of method nat in memory."""

    def __init__(self, settings: Settings) -> None:
        device = device_of(settings)
        self.loaded = LoadedModel(settings, device, dtype_of(settings, device))
        self.head: Tensor = self.loaded.model.get_output_embeddings().weight.detach().float()

    def lesson(self, batch: Packed) -> Lesson:
        """What it says of the batch, on its device."""
        import torch

        lengths = [len(own) for own in batch.places]
        places = [place for own in batch.places for place in own]
        hidden = self.loaded.hidden_states(batch.packing)[places]
        with negative_alone(self.loaded.model):
            of_negative = self.loaded.hidden_states(batch.packing)[places]
        found: list[tuple[Tensor, ...]] = []
        with torch.inference_mode():
            for some in zip(torch.split(of_negative, PLACES), torch.split(hidden, PLACES), strict=True):
                negative, nat = ((one.float() @ self.head.T).log_softmax(dim=1) for one in some)
                top = nat.topk(min(N_TOP, nat.shape[1]), dim=1)
                found.append((top.indices, top.values.softmax(dim=1), divergences(negative, nat)))
            words, probabilities, divergence = (torch.cat(one) for one in zip(*found, strict=True))
            return Lesson(words, probabilities, betas(divergence, lengths))
