"""What a killed training goes on from: how far it was, its weights, and the moments of its optimizer.

Two forms. One lies in the run's folder, and a run that goes on from it ends with the same bytes. The other is
small enough to be committed: weights in 16 bits, moments in 8, on a scale of logarithms; 8-bit optimizers
(Dettmers and others, arXiv:2110.02861) show that moments need no more. It is for a change of machine, where
the bytes would differ in any case.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from distill.history import History, history_to_json
from judge.errors import InputError
from judge.io.files import error_line
from judge.io.writing import write_whole

if TYPE_CHECKING:
    from torch import Tensor

OCTAVES = 16.0
"""A code of 8 bits tells a tensor's largest magnitude from one that is 2 ** OCTAVES times smaller."""

MOST = 127
"""The code of the largest magnitude; 0 is that of zero, and a negative code that of a negative number."""

Weights = dict[str, "Tensor"]


@dataclass(slots=True)
class Trained:
    """The best weights of a run, by their names in an adapter's file, and its history.

    `n_tokens` went through the student in the steps. `elapsed_s` is the time of steps and looks, `lower_s`
    that of computing what the frozen layers give; both add up over interruptions.
    """

    history: History
    weights: Weights
    n_tokens: int = 0
    elapsed_s: float = 0.0
    lower_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """What a checkpoint says beside its tensors; the names are those of `Trained`."""

    history: History
    n_tokens: int
    elapsed_s: float
    lower_s: float


@dataclass(frozen=True, slots=True)
class State:
    """What a checkpoint holds: how far the run was, the weights, and the optimizer's moments."""

    trained: Trained
    weights: Weights
    first: Weights
    second: Weights

    def moments_of(self, name: str, n_steps: float) -> dict[str, Any]:
        import torch

        step = torch.tensor(n_steps)
        return {"step": step, "exp_avg": self.first[name], "exp_avg_sq": self.second[name]}


@dataclass(frozen=True)
class Checkpoint:
    """The file that a killed run goes on from, there whole or not at all.

    Args:
        key: a hash of all that the run depends on; a file with another key is not read.
    """

    path: Path
    key: str

    every_s: ClassVar[float] = 60.0
    """How long at least lies between two times that it is written."""

    @property
    def is_there(self) -> bool:
        """Whether a run was killed here."""
        return self.path.is_file()

    def write(self, trained: Trained, weights: Mapping[str, Tensor], optimizer: Any) -> None:
        from safetensors.torch import save

        moments = {name: optimizer.state[weight] for name, weight in weights.items()}
        parts = {
            "best": trained.weights,
            "weights": weights,
            "first": {name: one["exp_avg"] for name, one in moments.items()},
            "second": {name: one["exp_avg_sq"] for name, one in moments.items()},
        }
        tensors: Weights = {}
        for part, some in parts.items():
            for name, one in some.items():
                tensors |= self.kept(part, name, one.detach())
        state = {
            "history": history_to_json(trained.history),
            "n_tokens": trained.n_tokens,
            "elapsed_s": trained.elapsed_s,
            "lower_s": trained.lower_s,
        }
        write_whole(
            self.path, save(tensors, metadata={"key": self.key, "state": json.dumps(state)}), parents=True
        )

    way_out: ClassVar[str] = "Remove it: the training then begins anew."
    """What to do about a file that cannot be gone on from."""

    def read(self, weights: Mapping[str, Tensor], n_steps: int) -> State | None:
        """What the file holds, on the device of the weights; None if there is none, or it is another run's.

        Args:
            weights: what the run trains, by name.
            n_steps: how many steps it has in all.

        Raises:
            InputError: the file cannot be read, or what it holds is not of these weights and steps.
        """
        from safetensors import SafetensorError

        if not self.is_there:
            return None
        try:
            return self._read(weights, n_steps)
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise InputError(
                f"{self.path}: is no checkpoint of a training ({error_line(error)}). {self.way_out}"
            ) from error

    def _read(self, weights: Mapping[str, Tensor], n_steps: int) -> State | None:
        from safetensors import safe_open

        device = next(iter(weights.values())).device
        with safe_open(self.path, "pt", device=str(device)) as file:
            metadata = file.metadata() or {}
            names: list[str] = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
        if metadata["key"] != self.key:
            return None
        told = told_in(metadata["state"])
        if len(told.history.steps) > n_steps:
            raise ValueError(f"it is at step {len(told.history.steps)} of {n_steps}")
        parts: dict[str, Weights] = {"best": {}, "weights": {}, "first": {}, "second": {}}
        for name in names:
            part, _, own = name.partition("/")
            if part in parts:
                parts[part][own] = self.restored(part, own, tensors)
        for part, found in parts.items():
            if found or part != "best":  # no look was the best yet
                refuse_unlike(weights, found, part)
        best = parts.pop("best")
        return State(Trained(told.history, best, told.n_tokens, told.elapsed_s, told.lower_s), **parts)

    def kept(self, part: str, name: str, tensor: Tensor) -> Weights:
        """The tensors that stand for this one in the file."""
        return {f"{part}/{name}": tensor}

    def restored(self, part: str, name: str, tensors: Weights) -> Tensor:
        """The tensor again, of what `kept` gave."""
        return tensors[f"{part}/{name}"]


class SmallCheckpoint(Checkpoint):
    """A file small enough to be committed: 4 bytes a weight, and 2 more once an earlier look was the best.

    Its key says nothing of the machine.
    """

    every_s: ClassVar[float] = 600.0
    way_out: ClassVar[str] = "Name another file, or remove it."

    def read(self, weights: Mapping[str, Tensor], n_steps: int) -> State | None:
        """The same, and another run's file is refused: it is not to be written over."""
        state = super().read(weights, n_steps)
        if state is None and self.is_there:
            raise InputError(
                f"{self.path}: the checkpoint of another training, of another recipe, base model or pairs. "
                f"{self.way_out}"
            )
        return state

    def kept(self, part: str, name: str, tensor: Tensor) -> Weights:
        if part in ("best", "weights"):
            return {f"{part}/{name}": tensor.half()}
        codes, most = coded(tensor.sqrt() if part == "second" else tensor)
        return {f"{part}/{name}": codes, f"most of {part}/{name}": most}

    def restored(self, part: str, name: str, tensors: Weights) -> Tensor:
        tensor = tensors[f"{part}/{name}"]
        if part in ("best", "weights"):
            return tensor.float()
        found = decoded(tensor, tensors[f"most of {part}/{name}"])
        return found.square() if part == "second" else found


def told_in(state: str) -> Told:
    """How far a run was, as its checkpoint says it in JSON. Raises ValueError that names what is wrong."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Told).validate_json(state, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def refuse_unlike(weights: Mapping[str, Tensor], found: Weights, part: str) -> None:
    """Raises ValueError where these are no finite numbers in the shapes of the weights."""
    import torch

    if found.keys() != weights.keys():
        other = min(found.keys() ^ weights.keys())
        raise ValueError(f"its {part} and the student's weights differ: {other}")
    for name, one in found.items():
        if one.shape != weights[name].shape:
            raise ValueError(f"{part}/{name} has shape {list(one.shape)}, not {list(weights[name].shape)}")
        if not torch.isfinite(one).all():
            raise ValueError(f"{part}/{name} holds what is no number")


def coded(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Codes of 8 bits for numbers, right to 4.5 %, and the largest magnitude, which they count from.

    What is more than 2 ** OCTAVES times smaller than the largest gets the code of that size.
    """
    import torch

    most = tensor.abs().max()
    octaves = (tensor.abs() / most).log2()  # NaN where all are zero: sign gives 0
    codes = (MOST + octaves * (MOST - 1) / OCTAVES).round().clamp(1, MOST).nan_to_num(1)
    return (codes * tensor.sign()).to(torch.int8), most.reshape(1)


def decoded(codes: Tensor, most: Tensor) -> Tensor:
    """The numbers that the codes stand for, float32."""
    numbers = codes.float()
    sizes = most * 2 ** ((numbers.abs() - MOST) * OCTAVES / (MOST - 1))
    return sizes * numbers.sign()
