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

from distill.history import History, history_from_json, history_to_json
from judge.errors import InputError
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

    def read(self, device: str) -> State | None:
        """What the file holds; None if there is no file, or it belongs to another run."""
        from safetensors import safe_open

        if not self.path.is_file():
            return None
        with safe_open(self.path, "pt", device=device) as file:
            metadata = file.metadata()
            names: list[str] = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
        if metadata["key"] != self.key:
            return None
        state = json.loads(metadata["state"])
        parts: dict[str, Weights] = {"best": {}, "weights": {}, "first": {}, "second": {}}
        for name in names:
            part, _, own = name.partition("/")
            if part in parts:
                parts[part][own] = self.restored(part, own, tensors)
        best = parts.pop("best")
        trained = Trained(history_from_json(state.pop("history")), best, **state)
        return State(trained, **parts)

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

    def read(self, device: str) -> State | None:
        """What the file holds; None if there is no file.

        Raises:
            InputError: the file cannot be read, or belongs to another run.
        """
        from safetensors import SafetensorError

        try:
            state = super().read(device)
        except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
            raise InputError(
                f"{self.path}: is no checkpoint of a training ({error}). Name another file, or remove it."
            ) from error
        if state is None and self.is_there:
            raise InputError(
                f"{self.path}: the checkpoint of another training, of another recipe, base model or pairs. "
                "Name another file, or remove it."
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
