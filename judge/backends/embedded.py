"""The engine inside the package: transformers on a CPU or a GPU, no server, no key."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from judge import basemodels
from judge.adapters import Adapter, read_adapter
from judge.backends import DEFAULTS, ChoiceProbabilities, Completion, Sampling, Settings
from judge.backends.cpu import keep_large_buffers, pack_linear_layers
from judge.backends.local import device_of, dtype_of, engine_of
from judge.backends.packing import ATTENTION, batches_of, pack, register_attention
from judge.errors import BackendError, InputError, MissingExtra, ModelError
from judge.records import Engine, Prompt, Unparsed
from judge.tokens import Encoded, PromptEncoder

if TYPE_CHECKING:
    from torch import Tensor

CPU_BATCH_TOKENS = 3072  # from 1,024 to 6,144 the rate changes by less than a tenth; more share more
GPU_BATCH_TOKENS = 32768
MAX_SELF_CHECK_DIFFERENCE = 0.25  # log-odds; bf16 noise is about a tenth of it, a wrong mask is whole units


class EmbeddedBackend:
    """A base model in this process, with or without an adapter. Weights load at the first question."""

    batch_characters = 16_000  # some 8 s at 0.5B on two cores

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        self._settings = settings
        self._device = device_of(settings)
        self._dtype = dtype_of(settings, self._device)
        self._loaded: _Loaded | None = None
        self._lock = threading.RLock()  # one forward pass at a time: the attention is chosen on the model
        self.tokens_computed = 0

    @classmethod
    def from_settings(cls, argument: str, settings: Settings) -> EmbeddedBackend:
        if argument:
            raise InputError(f"--backend embedded:{argument}: the embedded backend takes no argument.")
        return cls(settings)

    @property
    def engine(self) -> Engine:
        return engine_of(self._settings, f"embedded-{self._device}", self._dtype)

    def load(self) -> None:
        """Loads the weights now instead of at the first question. Raises ModelError or MissingExtra."""
        with self._lock:
            if self._loaded is None:
                self._loaded = _Loaded(self._settings, self._device, self._dtype)

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """The prompts as token ids; raises PromptTooLong."""
        return self._model().encoder.encode(prompts)

    def choose(
        self, prompts: Sequence[Prompt], choices: Sequence[str]
    ) -> list[ChoiceProbabilities | Unparsed]:
        """One forward pass over each prompt; the choices' logits are computed in float32."""
        model = self._model()
        encoded = model.encoder.encode(prompts)
        asked = {(one.ids, prompt.reply_start) for one, prompt in zip(encoded, prompts, strict=True)}
        letters = {start: model.encoder.choice_ids(choices, start) for _, start in asked}
        probabilities: dict[tuple[tuple[int, ...], str], list[float]] = {}
        with self._lock:
            for start, ids in letters.items():
                sequences = sorted(sequence for sequence, its_start in asked if its_start == start)
                logits = self._logits(model, sequences, ids)
                probabilities |= {
                    (sequence, start): row
                    for sequence, row in zip(sequences, logits.softmax(-1).tolist(), strict=True)
                }
        return [
            ChoiceProbabilities(
                probabilities=tuple(probabilities[one.ids, prompt.reply_start]),
                tokens_in=one.n_prompt,
                tokens_out=model.encoder.n_reply_tokens(prompt, choices[0]),
                is_trimmed=one.is_trimmed,
            )
            for one, prompt in zip(encoded, prompts, strict=True)
        ]

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """Free text by transformers' `generate`, like lengths together, padded on the left."""
        model = self._model()
        encoded = model.encoder.encode(prompts)
        by_length = sorted(range(len(prompts)), key=lambda i: (len(encoded[i].ids), i))
        completions: dict[int, Completion] = {}
        with self._lock:
            for batch in _padded_batches([len(encoded[i].ids) for i in by_length], model.batch_tokens):
                members = [by_length[i] for i in batch]
                replies = model.generate([encoded[i].ids for i in members], sampling)
                for i, (text, n_tokens, is_ended) in zip(members, replies, strict=True):
                    one = encoded[i]
                    completions[i] = Completion(text, one.n_prompt, n_tokens, is_ended, one.is_trimmed)
                    self.tokens_computed += len(one.ids)
        return [completions[i] for i in range(len(prompts))]

    def _logits(self, model: _Loaded, sequences: Sequence[tuple[int, ...]], ids: Sequence[int]) -> Tensor:
        import torch

        rows = []
        for batch in batches_of(sequences, model.batch_tokens):
            part = sequences[batch.start : batch.stop]
            logits, n_computed = model.choice_logits(part, ids)
            self.tokens_computed += n_computed
            rows.append(logits)
        return torch.cat(rows)

    def _model(self) -> _Loaded:
        self.load()
        assert self._loaded is not None
        return self._loaded


class _Loaded:
    """Weights, tokenizer and the ways through them."""

    def __init__(self, settings: Settings, device: str, dtype: str) -> None:
        try:
            import torch
            import transformers
        except ImportError as error:
            what = 'the embedded backend needs: pip install "four-token-judge[embedded]"'
            raise MissingExtra(f"{what} ({error})") from error

        if device == "cuda" and not torch.cuda.is_available():
            raise BackendError("--device cuda: torch finds no usable CUDA GPU here. Use --device cpu.")
        adapter = read_adapter(settings.adapter) if settings.adapter else None
        folder = basemodels.fetch(settings.base_model, settings.progress).folder
        register_attention()
        self.model: Any
        self.tokenizer: Any
        try:
            with _quiet(transformers):
                self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
                self.model = transformers.AutoModelForCausalLM.from_pretrained(
                    folder, dtype=getattr(torch, dtype), attn_implementation="sdpa"
                )
        except (OSError, ValueError) as error:
            what = f"{folder}: transformers cannot load this base model"
            raise ModelError(f"{what}: {_first_line(error)}") from error
        self.model = self.model.to(device).eval()
        self.device = device
        self.encoder = PromptEncoder(self.tokenizer, settings.max_prompt_tokens, settings.overflow)
        self.batch_tokens = CPU_BATCH_TOKENS if device == "cpu" else GPU_BATCH_TOKENS
        trial = self._trial()
        if adapter:
            self._add(adapter, trial)
        plain = self._plain_logits(*trial)
        if device == "cpu":
            pack_linear_layers(self.model)
            keep_large_buffers()  # after packing, so that the dense weights really go
        self.can_pack = _attends_plainly(self.model.config) and _agree(plain, self._packed_logits(*trial)[0])
        if not self.can_pack and not _agree(plain, self._plain_logits(*trial)):
            what = "this model's layers are not what their names say, so bf16 cannot be laid out for this CPU"
            raise ModelError(f"{folder}: {what}. Use --dtype float32.")

    def _add(self, adapter: Adapter, trial: tuple[list[list[int]], list[int]]) -> None:
        """Puts the adapter into the model. peft itself only warns where names do not match."""
        try:
            import peft
        except ImportError as error:
            what = 'an adapter needs peft: pip install "four-token-judge[embedded]"'
            raise MissingExtra(f"{what} ({error})") from error

        without = self._plain_logits(*trial)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                wrapped = peft.PeftModel.from_pretrained(
                    self.model, adapter.folder, autocast_adapter_dtype=False
                )
        except (RuntimeError, ValueError, KeyError, OSError) as error:
            what = f"{adapter.folder}: this adapter does not fit this base model"
            raise ModelError(f"{what}: {_first_line(error)}") from error
        self.model = wrapped.get_base_model().eval()
        if self._plain_logits(*trial).equal(without):
            raise ModelError(
                f"{adapter.folder}: this adapter changes nothing about this base model's answers."
            )

    def choice_logits(self, sequences: Sequence[Sequence[int]], ids: Sequence[int]) -> tuple[Tensor, int]:
        """Float32 logits of the tokens `ids` after each sequence, shape (sequences, ids); tokens computed."""
        if self.can_pack:
            return self._packed_logits(sequences, ids)
        return self._plain_logits(sequences, ids), sum(map(len, sequences))

    def generate(self, sequences: Sequence[Sequence[int]], sampling: Sampling) -> list[tuple[str, int, bool]]:
        """(text, tokens with the end of turn, whether it ended) of each sequence's continuation."""
        import torch

        width = max(map(len, sequences))
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else 0
        padded = torch.tensor([[pad] * (width - len(s)) + list(s) for s in sequences])
        mask = torch.tensor([[0] * (width - len(s)) + [1] * len(s) for s in sequences])
        ends = self._end_ids()
        decoding: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            decoding = {"do_sample": True, "temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
        with torch.inference_mode(), torch.random.fork_rng(), _out_of_memory_named():
            torch.manual_seed(sampling.seed)
            output = self.model.generate(
                padded.to(self.device),
                attention_mask=mask.to(self.device),
                max_new_tokens=sampling.max_new_tokens,
                eos_token_id=sorted(ends),
                pad_token_id=pad,
                **decoding,
            )
        return [self._reply(row, ends) for row in output[:, width:].tolist()]

    def _reply(self, ids: list[int], ends: set[int]) -> tuple[str, int, bool]:
        n_words = next((i for i, token in enumerate(ids) if token in ends), len(ids))
        is_ended = n_words < len(ids)
        return self.tokenizer.decode(ids[:n_words], skip_special_tokens=False), n_words + is_ended, is_ended

    def _end_ids(self) -> set[int]:
        configured = self.model.generation_config.eos_token_id
        ids = {configured} if isinstance(configured, int) else set(configured or ())
        return ids | ({self.tokenizer.eos_token_id} - {None})

    def _packed_logits(self, sequences: Sequence[Sequence[int]], ids: Sequence[int]) -> tuple[Tensor, int]:
        import torch

        packing = pack(sequences)
        with torch.inference_mode(), self._attention(ATTENTION), _out_of_memory_named():
            hidden = self.model.base_model(
                input_ids=torch.tensor([packing.ids], device=self.device),
                position_ids=torch.tensor([packing.positions], device=self.device),
                use_cache=False,
                segments=packing.segments,
            ).last_hidden_state[0, packing.ends]
            rows = self.model.get_output_embeddings().weight[list(ids)]
            # float32: bf16 logits near 20 move in steps of 0.125 and would make false ties.
            return (hidden.float() @ rows.float().T).cpu(), len(packing.ids)

    def _plain_logits(self, sequences: Sequence[Sequence[int]], ids: Sequence[int]) -> Tensor:
        """For models that cannot be packed: one sequence at a time through the model's own head."""
        import torch

        with torch.inference_mode(), _out_of_memory_named():
            inputs = [torch.tensor([list(sequence)], device=self.device) for sequence in sequences]
            rows = [self.model(one, use_cache=False, logits_to_keep=1).logits[0, -1] for one in inputs]
            return torch.stack([row[list(ids)].float() for row in rows]).cpu()

    def _trial(self) -> tuple[list[list[int]], list[int]]:
        """A few short sequences that share beginnings, and two tokens to ask for after them."""
        words = self.encoder.plain_ids("The quick brown fox jumps over the lazy dog and runs far away. " * 2)
        return sorted([words, [*words, *words[:5]], [*words, *words[7:]], words[3:]]), words[:2]

    @contextmanager
    def _attention(self, name: str) -> Iterator[None]:
        before = self.model.config._attn_implementation
        self.model.set_attn_implementation(name)
        try:
            yield
        finally:
            self.model.set_attn_implementation(before)


def _attends_plainly(config: Any) -> bool:
    """Whether every layer is full causal attention: no windows, no recurrent state, no capped scores."""
    layer_types = getattr(config, "layer_types", None) or ["full_attention"]
    if set(layer_types) != {"full_attention"} or getattr(config, "attn_logit_softcapping", None):
        return False
    return hasattr(config, "layer_types") or not getattr(config, "sliding_window", None)


def _agree(plain: Tensor, packed: Tensor) -> bool:
    """Whether our own way through the model gives the log-odds that the model's own way gives."""
    difference = (packed.diff(dim=1) - plain.diff(dim=1)).abs().max().item()
    return difference <= MAX_SELF_CHECK_DIFFERENCE


def _padded_batches(lengths: Sequence[int], max_tokens: int) -> list[range]:
    """Runs of the ascending lengths whose padded size, longest times number, is at most `max_tokens`."""
    batches: list[range] = []
    start = 0
    for i, length in enumerate(lengths):
        if i > start and length * (i - start + 1) > max_tokens:
            batches.append(range(start, i))
            start = i
    return [*batches, range(start, len(lengths))] if lengths else []


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def _out_of_memory_named() -> Iterator[None]:
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        what = "the GPU's memory is full; use a smaller --max-prompt-tokens or --device cpu."
        raise BackendError(what) from error


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without the library's own progress bars: ours are shown already."""
    logging = transformers.utils.logging
    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            logging.enable_progress_bar()
