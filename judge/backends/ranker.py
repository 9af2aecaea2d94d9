"""A ranker: how right a trace looks, by a linear head over the base model's last hidden state at its end.

The ranking model of adaptive self-consistency (Li et al., arXiv:2312.12832), here the judge's own base model
with a LoRA of its own, so that whoever has the judge needs no other model.
`judge distill ranker` makes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from judge.backends import Settings
from judge.backends.loaded import LoadedModel
from judge.backends.local import device_of, dtype_of
from judge.backends.packing import batches_of
from judge.backends.tokens import Encoded
from judge.errors import InputError
from judge.models import basemodels
from judge.models.adapters import HEAD, check_base, is_ranker, read_adapter
from judge.records import Prompt, Unparsed

if TYPE_CHECKING:
    from torch import Tensor


class Ranker:
    """The ranker in a folder. Its weights, a second copy of the base model, load at the first trace.

    Args:
        settings: of the judge: base model, device, dtype and longest prompt are the ranker's too.

    Raises:
        InputError: the adapter in the folder has not learned to rank.
        ModelError: it is no adapter, or one of another base model.
    """

    def __init__(self, folder: str, settings: Settings) -> None:
        self._adapter = read_adapter(folder)
        if not is_ranker(self._adapter):
            raise InputError(
                f"--ranker {folder}: the adapter {self._adapter.name} is no ranker. Make one with "
                "`judge distill ranker`."
            )
        base = settings.base_model
        check_base(self._adapter, base, basemodels.hash_of(base))
        self._settings = replace(settings, adapter=str(self._adapter.folder))
        self._loaded: LoadedModel | None = None

    @property
    def name(self) -> str:
        """What fingerprints call it: its name and the beginning of its hash."""
        return f"{self._adapter.name} {self._adapter.hash[:16]}"

    def scores(self, traces: Sequence[tuple[Prompt, str]]) -> list[float | Unparsed]:
        """How right each trace looks, from 0 to 1; Unparsed where its prompt does not fit.

        Args:
            traces: prompts and the whole replies to them.
        """
        if not traces:
            return []
        model = self._model()
        fitted = model.encoder.fit([prompt for prompt, _ in traces])
        end: int = model.tokenizer.eos_token_id
        sequences = [
            (*one.ids, *model.encoder.plain_ids(reply), end) if isinstance(one, Encoded) else one
            for one, (_, reply) in zip(fitted, traces, strict=True)
        ]
        distinct = sorted({one for one in sequences if isinstance(one, tuple)})
        found: dict[tuple[int, ...], float] = {}
        for batch in batches_of(distinct, model.batch_tokens):
            part = distinct[batch.start : batch.stop]
            found |= dict(zip(part, self._rated(model.end_states(part)), strict=True))
        return [found[one] if isinstance(one, tuple) else one for one in sequences]

    def _rated(self, states: Tensor) -> list[float]:
        """The head's value for each state, kept within 0 and 1."""
        from safetensors.torch import load_file

        head = load_file(self._adapter.folder / HEAD)
        rated: list[float] = ranked(states, head["weight"], head["bias"]).clamp(0.0, 1.0).tolist()
        return rated

    def _model(self) -> LoadedModel:
        if self._loaded is None:
            device = device_of(self._settings)
            self._loaded = LoadedModel(self._settings, device, dtype_of(self._settings, device))
        return self._loaded


def ranked(states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The linear head's values, weight . h / |h| + bias, shape (traces,).

    States of length 1 give one learning rate the same meaning in every base model.

    Args:
        states: last hidden states at the ends of traces, float32, shape (traces, size).
        weight, bias: shapes (size,) and (1,).
    """
    import torch

    return torch.nn.functional.normalize(states, dim=-1) @ weight + bias
