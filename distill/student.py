"""A base model that learns: LoRA on its upper layers, and the frozen ones below them computed once.

What the lower layers make of a batch never changes while the adapter learns, so it is computed once, by the
judge's own quick ways, kept on disk, and every epoch starts from there. LoRA: Hu et al. (arXiv:2106.09685).
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

from distill.examples import TokenRow
from distill.frozen import freeze_linear_layers
from distill.loss import log_probabilities, log_probabilities_of, short_factors
from distill.recipe import Module
from judge.backends import Settings
from judge.backends.cpu import keep_large_buffers, pack_linear_layers
from judge.backends.loaded import check_device, read_model
from judge.backends.local import device_of, dtype_of
from judge.backends.packing import ATTENTION, Packing, pack, register_attention
from judge.backends.tokens import PromptEncoder
from judge.errors import MissingExtra, ModelError
from judge.models import basemodels
from judge.models.adapters import FILES, Adapter
from judge.progress import Progress, silent

if TYPE_CHECKING:
    from torch import Tensor

MODULES: tuple[str, ...] = get_args(Module)
MAX_DIFFERENCE = 0.25  # mean over all logits; bf16 noise is about a tenth of it, a wrong mask is whole units


@dataclass(frozen=True, slots=True)
class Lora:
    """How an adapter is made.

    `layers` is the share of the layers, from the top, that it changes, and `modules` names the linear ones in
    them, () all. `dropout` is the share of its inputs that each step leaves out.
    """

    rank: int = 16
    alpha: int = 32
    layers: float = 1 / 3
    dropout: float = 0.0
    modules: tuple[str, ...] = ()


def n_adapted_of(share: float, n_layers: int) -> int:
    """How many layers a share of them is; one at least."""
    return max(1, round(share * n_layers))


R_co = TypeVar("R_co", bound=TokenRow, covariant=True)


@dataclass(frozen=True, slots=True)
class Batch(Generic[R_co]):
    """Rows packed into one row of tokens, shared beginnings once.

    `places[i]` are the places in it whose outputs predict the targets of `rows[i]`.
    """

    rows: tuple[R_co, ...]
    packing: Packing
    places: tuple[tuple[int, ...], ...]

    @property
    def n_tokens(self) -> int:
        """Tokens of the rows, each counted by itself."""
        return sum(len(row.ids) for row in self.rows)

    @property
    def lengths(self) -> list[int]:
        """How many targets each row has."""
        return [len(row.targets) for row in self.rows]


def batch_of(rows: Sequence[R_co]) -> Batch[R_co]:
    """The rows packed; two rows of one prompt and reply share all of it."""
    sequences = sorted({row.ids for row in rows})
    packing = pack(sequences)
    path_of = dict(zip(sequences, packing.paths, strict=True))
    places = []
    for row in rows:
        packed = [place for start, end in path_of[row.ids] for place in range(start, end)]
        places.append(tuple(packed[row.first_place :]))
    return Batch(tuple(rows), packing, tuple(places))


class Student:
    """A base model with an adapter that can be trained, on one device in one dtype.

    `called` is what peft calls the adapter that learns.

    Args:
        base_model: as in `judge.backends.Settings`.
        lora: the shape of a new adapter; one to go on from has its own.
        start_from: an adapter of this base model whose weights are the start, or None for a new one.
        seed: of a new adapter's weights.
        saves_memory: recompute activations in the backward pass instead of keeping them.

    Raises:
        MissingExtra: torch, transformers or peft is not installed.
        ModelError: there is no such base model, or its layers are not all of plain causal attention.
    """

    called = "default"

    def __init__(
        self,
        base_model: str,
        lora: Lora,
        max_prompt_tokens: int,
        device: str = "auto",
        dtype: str = "auto",
        seed: int = 0,
        start_from: Adapter | None = None,
        saves_memory: bool = False,
        progress: Progress = silent,
    ) -> None:
        try:
            import peft  # noqa: F401
            import torch
        except ImportError as error:
            what = 'training needs: pip install "four-token-judge[embedded,distill]"'
            raise MissingExtra(f"{what} ({error})") from error

        settings = Settings(base_model, device=device, dtype=dtype)
        self.device = device_of(settings)
        check_device(self.device)
        self.dtype = dtype_of(settings, self.device)
        self.name = base_model.rstrip("/").rsplit("/", 1)[-1]
        folder = basemodels.fetch(base_model, progress).folder
        register_attention()
        tokenizer, base = read_model(folder, self.device, self.dtype)
        base.requires_grad_(False)
        self.encoder = PromptEncoder(tokenizer, max_prompt_tokens, "trim", "train.max_prompt_tokens")
        self.end_of_turn: int = tokenizer.eos_token_id
        self.head: Tensor = base.get_output_embeddings().weight.detach().float()
        trial = self.encoder.plain_ids("The quick brown fox jumps over the lazy dog and runs far away.")
        with torch.no_grad():
            output = base.base_model(torch.tensor([trial], device=self.device), use_cache=False)
            plain = output.last_hidden_state[0, -1].float() @ self.head.T
        torch.manual_seed(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.config = self._config_of(base, lora, start_from)
            self.config.base_model_name_or_path = self.name
            self.config.inference_mode = False
            self.adapted = self._wrapped(base)
        self.parameters: dict[str, Any] = {  # what learns, by the names that an adapter's file has
            name.replace(f".{self.called}.", "."): one
            for name, one in self.adapted.named_parameters()
            if one.requires_grad
        }
        self.adapted_layers = sorted(self.config.layers_to_transform)
        self.n_frozen = min(self.adapted_layers)
        self.model: Any = self.adapted.get_base_model()
        self.body: Any = self.model.base_model
        self.model.set_attn_implementation(ATTENTION)
        if start_from:
            self.load(read_weights(start_from.folder))
        if saves_memory:  # older transformers know it by the other name only
            other = self.model.gradient_checkpointing_enable
            getattr(self.model, "activation_checkpointing_enable", other)({"use_reentrant": False})
        if self.device == "cpu":
            pack_linear_layers(self.body.layers[: self.n_frozen])
            freeze_linear_layers(self.body.layers[self.n_frozen :])
            keep_large_buffers()
        self.adapted.eval()
        if start_from is None:
            self._check_way(trial, plain)

    def _config_of(self, base: Any, lora: Lora, start_from: Adapter | None) -> Any:
        """peft's configuration of the adapter."""
        import peft

        if start_from:
            config = peft.PeftConfig.from_pretrained(str(start_from.folder))
            config.lora_dropout = lora.dropout  # of this training, not of the adapter
            return config
        n_layers: int = base.config.num_hidden_layers
        n_adapted = n_adapted_of(lora.layers, n_layers)
        return peft.LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=_modules_of(base, self.name, lora.modules),
            layers_to_transform=list(range(n_layers - n_adapted, n_layers)),
            task_type="CAUSAL_LM",
        )

    def _wrapped(self, base: Any) -> Any:
        """The base model with the adapter beside its weights, as a peft model."""
        import peft

        config = copy.deepcopy(self.config)
        return peft.get_peft_model(base, config, self.called, autocast_adapter_dtype=False)

    # --- the two halves of a pass ------------------------------------------------------------------------

    def lower(self, packing: Packing) -> Tensor:
        """What the frozen layers make of a packed row, shape (1, tokens, size), without gradients."""
        import torch

        with torch.no_grad(), self._only(slice(None, self.n_frozen), is_last=False):
            ids = torch.tensor([packing.ids], device=self.device)
            if not self.n_frozen:
                return self.model.get_input_embeddings()(ids)  # type: ignore[no-any-return]
            hidden: Tensor = self.body(input_ids=ids, **self._inputs(packing)).last_hidden_state
            return hidden

    def upper(self, batch: Batch[TokenRow], hidden: Tensor) -> Tensor:
        """The last hidden states that predict the targets, row after row, float32, shape (places, size).

        `hidden` is what `lower` made of the batch. Times the transposed `head` they are logits.
        """
        import torch

        with self._only(slice(self.n_frozen, None), is_last=True):
            output = self.body(
                inputs_embeds=hidden.to(self.device), **self._inputs(batch.packing)
            ).last_hidden_state[0]
        places = torch.tensor([place for own in batch.places for place in own], device=self.device)
        at_places: Tensor = output[places].float()
        return at_places

    def log_probabilities(
        self, batch: Batch[TokenRow], hidden: Tensor, letters: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        """Of each target of the batch, and of each allowed letter at its place: shapes (places,) and (places,
        letters), float32, as `distill.loss.log_probabilities` has them.

        Args:
            hidden: what `upper` made of the batch. letters: token ids.
        """
        with short_factors(self.dtype):
            return log_probabilities(hidden, self.head, self.targets(batch), letters)

    def log_probabilities_of(self, hidden: Tensor, words: Tensor) -> Tensor:
        """The same of some words of its own at each place, shape (places, words)."""
        with short_factors(self.dtype):
            return log_probabilities_of(hidden, self.head, words)

    def targets(self, batch: Batch[TokenRow]) -> Tensor:
        """The targets of all rows, row after row, shape (places,)."""
        import torch

        return torch.tensor([target for row in batch.rows for target in row.targets], device=self.device)

    def _inputs(self, packing: Packing) -> dict[str, Any]:
        import torch

        positions = torch.tensor([packing.positions], device=self.device)
        return {"position_ids": positions, "use_cache": False, "packing": packing}

    @contextmanager
    def _only(self, which: slice, is_last: bool) -> Iterator[None]:
        """The model with some of its layers; without the last ones also without the final norm."""
        import torch

        layers, norm = self.body.layers, self.body.norm
        self.body.layers = layers[which]
        if not is_last:
            self.body.norm = torch.nn.Identity()
        try:
            yield
        finally:
            self.body.layers, self.body.norm = layers, norm

    # --- the adapter -------------------------------------------------------------------------------------

    @property
    def shape(self) -> dict[str, Any]:
        """What the adapter looks like: rank, alpha, first and last adapted layer, names of the modules."""
        layers, config = self.adapted_layers, self.config
        modules = sorted(config.target_modules)
        return {
            "rank": config.r,
            "alpha": config.lora_alpha,
            "layers": [layers[0], layers[-1]],
            "modules": modules,
        }

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Puts these weights into the adapter.

        Raises:
            ModelError: they are another adapter's.
        """
        import torch

        own = self.parameters
        if {name: one.shape for name, one in own.items()} != {
            name: one.shape for name, one in weights.items()
        }:
            raise ModelError("the adapter to start from has other layers or another rank than it says.")
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(weights[name])

    def save(self, folder: Path, weights: Mapping[str, Tensor]) -> None:
        """Writes an adapter of these weights as peft reads it, in the student's dtype, without a manifest."""
        import torch
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        config = self.config.to_dict() | {"inference_mode": True}
        plain = {name: _plain(value) for name, value in sorted(config.items())}
        (folder / FILES[0]).write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
        dtype = getattr(torch, self.dtype)
        own = {name: weights[name].detach().to("cpu", dtype).contiguous() for name in sorted(weights)}
        save_file(own, folder / FILES[1], metadata={"format": "pt"})

    # --- whether this way through the model is right -----------------------------------------------------

    def _check_way(self, trial: Sequence[int], plain: Tensor) -> None:
        """Compares a pass in two halves with the model's own, while the new adapter still changes nothing."""
        import torch

        packing = pack([list(trial)])
        alone: Batch[TokenRow] = Batch((), packing, ((len(trial) - 1,),))
        with torch.no_grad():
            hidden = self.upper(alone, self.lower(packing))[0]
            difference = (hidden @ self.head.T - plain).abs().mean().item()
        if not difference <= MAX_DIFFERENCE:
            raise ModelError(
                f"{self.name}: run in two halves its logits are off by {difference:.2f}. A student needs "
                "plain causal attention in every layer."
            )


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of the adapter in a folder, by their names in its file."""
    from safetensors.torch import load_file

    weights: dict[str, Tensor] = load_file(folder / FILES[1])
    return weights


def _modules_of(base: Any, name: str, wanted: Sequence[str]) -> list[str]:
    """The names of the linear modules that get LoRA: the wanted ones, or all that there are where none is.

    Raises:
        ModelError: the model is not built as Llama, Qwen and Mistral are, or lacks a wanted module.
    """
    body = base.base_model
    present = {one.rpartition(".")[2] for one, _ in body.named_modules()}
    modules = [one for one in wanted or MODULES if one in present]
    is_short = not modules or len(modules) < len(wanted)
    if is_short or not hasattr(body, "layers") or not hasattr(body, "norm"):
        names = ", ".join(wanted or MODULES)
        raise ModelError(f"{name}: not built of layers with {names}, so it cannot be a student.")
    return modules


def _plain(value: Any) -> Any:
    """The value in JSON's types; a set becomes a list, as its order differs between processes."""
    return sorted(value) if isinstance(value, set) else getattr(value, "value", value)
