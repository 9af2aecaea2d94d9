"""The engine inside the package: transformers on a CPU or a GPU, no server, no key."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from judge.backends import DEFAULTS, ChoiceProbabilities, Completion, Sampling, Settings
from judge.backends.loaded import LoadedModel, Reply
from judge.backends.local import chosen_among, device_of, dtype_of, engine_of
from judge.backends.packing import batches_of
from judge.backends.tokens import Encoded, around
from judge.errors import InputError
from judge.records import Engine, Prompt, Unparsed

if TYPE_CHECKING:
    from torch import Tensor


class EmbeddedBackend:
    """A base model in this process, with or without an adapter. Weights load at the first question.

    With `is_merged` the adapter becomes part of the weights, which rounds them again: another engine.
    """

    def __init__(self, settings: Settings = DEFAULTS, is_merged: bool = False) -> None:
        self._settings = settings
        self._is_merged = is_merged
        self._device = device_of(settings)
        self._dtype = dtype_of(settings, self._device)
        self._loaded: LoadedModel | None = None
        self._loaded_engine: Engine | None = None
        self._lock = threading.RLock()  # one forward pass at a time: the attention is chosen on the model
        self.tokens_computed = 0

    @classmethod
    def from_settings(cls, argument: str, settings: Settings) -> EmbeddedBackend:
        if argument:
            raise InputError(f"--backend embedded:{argument}: the embedded backend takes no argument.")
        return cls(settings)

    @property
    def engine(self) -> Engine:
        """What answers: once weights are loaded these, whatever their folder has come to hold since."""
        name = f"embedded-{self._device}{'-merged' if self._is_merged else ''}"
        return self._loaded_engine or engine_of(self._settings, name, self._dtype)

    @property
    def batch_characters(self) -> int:
        """On a CPU some 8 s at 0.5B on two cores; on a GPU enough for several passes and all its rows."""
        return 16_000 if self._device == "cpu" else 600_000

    def load(self) -> None:
        """Loads the weights now instead of at the first question. Raises ModelError or MissingExtra."""
        with self._lock:
            if self._loaded is None:
                self._settings.progress("loading the model", 0, 1)
                engine = self.engine
                self._loaded = LoadedModel(self._settings, self._device, self._dtype, self._is_merged)
                self._loaded_engine = engine
                self._settings.progress("reading", 0, 1)

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """The prompts as token ids; raises PromptTooLong."""
        return self._model().encoder.encode(prompts)

    def choose(
        self, prompts: Sequence[Prompt], choices: Sequence[str]
    ) -> list[ChoiceProbabilities | Unparsed]:
        """One forward pass over each prompt; the choices' logits are computed in float32."""
        if not prompts:
            return []
        fitted = self._model().encoder.fit(prompts, self._settings.strict)
        return around(prompts, fitted, lambda asked, encoded: self._chosen(asked, encoded, choices))

    def _chosen(
        self, prompts: Sequence[Prompt], encoded: Sequence[Encoded], choices: Sequence[str]
    ) -> list[ChoiceProbabilities | Unparsed]:
        model = self._model()
        starts = {prompt.reply_start for prompt in prompts}
        letters = {start: tuple(model.encoder.choice_ids(choices, start)) for start in starts}
        asked = [(one.ids, letters[prompt.reply_start]) for one, prompt in zip(encoded, prompts, strict=True)]
        probabilities: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[float, ...]] = {}
        with self._lock:
            for ids in sorted(set(letters.values())):  # nearly always one
                sequences = sorted({sequence for sequence, its_ids in asked if its_ids == ids})
                rows = self._logits(model, sequences, ids).softmax(-1).tolist()
                probabilities |= {
                    (sequence, ids): tuple(row) for sequence, row in zip(sequences, rows, strict=True)
                }
        return chosen_among(choices, model.encoder, prompts, encoded, [probabilities[one] for one in asked])

    def log_likelihoods(
        self, asked: Sequence[tuple[Prompt, str]], longest: int
    ) -> list[tuple[float | None, int]]:
        """How likely the model is to reply to each prompt with the text beside it.

        The sum of the log-probabilities of the text's first `longest` tokens, in nats, and how many these
        are; None and 0 for a prompt that does not fit or a text without a token.
        """
        model = self._model()
        prompts = [prompt for prompt, _ in asked]
        sequences: list[tuple[tuple[int, ...], int] | None] = []
        for (_, text), one in zip(asked, model.encoder.fit(prompts, self._settings.strict), strict=True):
            wanted = model.encoder.plain_ids(text)[:longest]
            is_given = isinstance(one, Encoded) and bool(wanted)
            sequences.append(((*one.ids, *wanted), len(one.ids)) if is_given else None)  # type: ignore[union-attr]
        distinct = sorted({one for one in sequences if one is not None})
        found: dict[tuple[tuple[int, ...], int], tuple[float | None, int]] = {}
        with self._lock:
            for batch in batches_of([ids for ids, _ in distinct], model.batch_tokens):
                part = distinct[batch.start : batch.stop]
                totals, n_computed = model.log_likelihoods(part)
                self.tokens_computed += n_computed
                for (ids, start), total in zip(part, totals, strict=True):
                    found[ids, start] = (total, len(ids) - start)
        return [(None, 0) if one is None else found[one] for one in sequences]

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Inside, what `choose` has read is not read again by `complete`; other threads wait."""
        with self._lock, self._model().remembering():
            yield

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion | Unparsed]:
        """Free text, many rows at a time; a beginning that prompts share is computed once."""
        fitted = self._model().encoder.fit(prompts, self._settings.strict)
        return around(prompts, fitted, lambda _, encoded: self._completed(encoded, sampling))

    def _completed(self, encoded: Sequence[Encoded], sampling: Sampling) -> list[Completion]:
        model = self._model()
        sequences = [one.ids for one in encoded]
        rows = sorted(set(sequences)) if sampling.temperature <= 0 else sorted(sequences)
        with self._lock, model.seeded(sampling.seed):
            decoded, n_computed = model.generate(rows, sampling)
            self.tokens_computed += n_computed
        replies: dict[tuple[int, ...], list[Reply]] = {ids: [] for ids in rows}
        for ids, reply in zip(rows, decoded, strict=True):
            replies[ids].append(reply)
        draws = {ids: itertools.cycle(each) for ids, each in replies.items()}
        return [_completion(one, next(draws[one.ids])) for one in encoded]

    def _logits(self, model: LoadedModel, sequences: Sequence[tuple[int, ...]], ids: Sequence[int]) -> Tensor:
        import torch

        rows = []
        for batch in batches_of(sequences, model.batch_tokens):
            part = sequences[batch.start : batch.stop]
            logits, n_computed = model.choice_logits(part, ids)
            self.tokens_computed += n_computed
            rows.append(logits)
        return torch.cat(rows)

    def _model(self) -> LoadedModel:
        self.load()
        assert self._loaded is not None
        return self._loaded


def _completion(one: Encoded, reply: Reply) -> Completion:
    text, n_tokens, is_ended = reply
    return Completion(text, one.n_prompt, n_tokens, is_ended, one.is_trimmed, one.cut)
