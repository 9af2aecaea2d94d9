"""A causal language model in memory: weights, tokenizer, adapter, and the fast ways to run them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.backends import Sampling, Settings, until_stop
from judge.backends.beginnings import Beginning, Beginnings, Layers, layers_of
from judge.backends.cpu import keep_large_buffers, pack_linear_layers
from judge.backends.decoding import (
    STEP_ATTENTION,
    Limits,
    Memory,
    Stops,
    how_many_fit,
    is_time_to_renew,
    limits_of,
    next_tokens,
    register_step_attention,
)
from judge.backends.footprint import can_widen, drop_pages, narrow_dtype_of, wide_head, widen
from judge.backends.gathered import padded_places
from judge.backends.integration import nat_model
from judge.backends.last_layer import only_at
from judge.backends.local import float32_products
from judge.backends.lora import unwrap_lora
from judge.backends.packing import ATTENTION, Packing, batches_of, pack, register_attention
from judge.backends.tokens import PromptEncoder
from judge.backends.tried import Tried
from judge.errors import BackendError, MissingExtra, ModelError
from judge.models import basemodels
from judge.models.adapters import Adapter, check_fits, check_one_lora, is_nat, read_adapter

if TYPE_CHECKING:
    from torch import Tensor

CPU_BATCH_TOKENS = 3072  # from 1,024 to 6,144 the rate changes by less than a tenth; more share more
GPU_BATCH_TOKENS = 32768
LIKELIHOOD_ROWS = 2048  # tokens whose logits over the whole vocabulary are held at a time: 1.2 GB in float32
MAX_SELF_CHECK_DIFFERENCE = 0.75  # log-odds; bf16 noise comes to 0.3, a wrong mask is whole units


Reply = tuple[str, int, bool]
"""Text, tokens with the end of turn, and whether there was one."""


class LoadedModel:
    """Weights, tokenizer and the ways through them.

    `is_merged` adds the adapter to the weights themselves instead of computing it alongside.
    """

    def __init__(self, settings: Settings, device: str, dtype: str, is_merged: bool = False) -> None:
        try:
            import torch
            import transformers  # noqa: F401
        except ImportError as error:
            what = 'the embedded backend needs: pip install "four-token-judge[embedded]"'
            raise MissingExtra(f"{what} ({error})") from error

        check_device(device)
        adapter = read_adapter(settings.adapter) if settings.adapter else None
        base = basemodels.fetch(settings.base_model, settings.progress)
        folder = base.folder
        if adapter:
            check_fits(adapter, settings.base_model, base.hash)
            if is_merged:
                check_one_lora(adapter, "merging")
        register_attention()
        register_step_attention()
        self.model: Any
        self._folder = folder
        self.tokenizer, self.model = read_small(folder, device, dtype)
        self.device = device
        self._itemsize = getattr(torch, dtype).itemsize
        self.encoder = PromptEncoder(self.tokenizer, settings.max_prompt_tokens, settings.overflow)
        self.batch_tokens = CPU_BATCH_TOKENS if device == "cpu" else GPU_BATCH_TOKENS
        self._beginnings: Beginnings | None = None
        tried = Tried(base.hash, adapter.hash if adapter else "", is_merged, device, dtype)
        if (can_pack := tried.remembered()) is not None:
            if adapter:
                self._add(adapter, is_merged)
            self._lay_out()
            self.can_pack = can_pack
            return
        trial = self._trial()
        plain = self.plain_logits(*trial)
        if adapter:
            without = plain
            self._add(adapter, is_merged)
            plain = self.plain_logits(*trial)
            if not plain.isfinite().all():
                raise ModelError(
                    f"{adapter.folder}: with this adapter the base model's answers are no numbers. Its "
                    "weights are damaged: copy the folder again, or train again."
                )
            if plain.equal(without):  # peft itself only warns where names do not match
                raise ModelError(
                    f"{adapter.folder}: this adapter changes nothing about this base model's answers."
                )
        self._lay_out()
        self.can_pack = _attends_plainly(self.model.config) and _agree(plain, self._packed_logits(*trial)[0])
        if not self.can_pack and not _agree(plain, self.plain_logits(*trial)):
            what = "this model's layers are not what their names say, so bf16 cannot be laid out for this CPU"
            raise ModelError(f"{folder}: {what}. Use --dtype float32.")
        tried.remember(self.can_pack)

    def _lay_out(self) -> None:
        """Takes an ordinary LoRA out of peft's wrappers, and lays the weights out for a CPU."""
        unwrap_lora(self.model.base_model)
        if self.device == "cpu":
            let_go = partial(drop_pages, self._folder)
            let_go()  # of what the trial looked at
            pack_linear_layers(self.model.base_model, let_go)
            let_go()
            keep_large_buffers()  # after packing, so that the dense weights are really freed

    def _add(self, adapter: Adapter, is_merged: bool) -> None:
        """Puts the adapter into the model."""
        try:
            import peft  # noqa: F401
        except ImportError as error:
            what = 'an adapter needs peft: pip install "four-token-judge[embedded]"'
            raise MissingExtra(f"{what} ({error})") from error

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                wrapped = _wrapped(self.model, adapter)
        except (RuntimeError, ValueError, KeyError, OSError) as error:
            what = f"{adapter.folder}: this adapter does not fit this base model"
            raise ModelError(f"{what}: {_first_line(error)}") from error
        self.model = (wrapped.merge_and_unload() if is_merged else wrapped.get_base_model()).eval()

    def choice_logits(self, sequences: Sequence[Sequence[int]], ids: Sequence[int]) -> tuple[Tensor, int]:
        """Float32 logits of the tokens `ids` after each sequence, shape (sequences, ids); tokens computed."""
        if self.can_pack:
            return self._packed_logits(sequences, ids)
        return self.plain_logits(sequences, ids), sum(map(len, sequences))

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Inside, prompts whose choices were looked at are not read again to go on from them."""
        self._beginnings = Beginnings(self._limits().max_tokens) if self.can_pack else None
        try:
            yield
        finally:
            self._beginnings = None

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Draws inside depend on the seed alone and do not affect draws outside."""
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield

    def generate(self, sequences: Sequence[tuple[int, ...]], sampling: Sampling) -> tuple[list[Reply], int]:
        """The reply to each of the sorted sequences; prompt tokens computed."""
        ends, stops = self.end_ids(), self._stops(sampling)
        if self.can_pack:
            written, n_computed = self.written(sequences, sampling)
            return [self._reply(ids, ends, stops) for ids in written], n_computed
        replies: list[Reply] = []
        limits = self._limits()
        while len(replies) < len(sequences):
            left = sequences[len(replies) :]
            n = how_many_fit([], map(len, left), sampling.max_new_tokens, limits)
            replies += [self._reply(ids, ends, stops) for ids in self.written_padded(left[:n], sampling)]
        return replies, sum(map(len, sequences))

    def _limits(self) -> Limits:
        return limits_of(self.model.config.get_text_config(), self.device, self._itemsize)

    def written(
        self, sequences: Sequence[tuple[int, ...]], sampling: Sampling
    ) -> tuple[list[list[int]], int]:
        """The tokens that go on from each of the sorted sequences; prompt tokens computed.

        A packed pass over as many prompts as fit, then one step a token for all their rows together.
        """
        import torch

        ends, n_new, limits = self.end_ids(), sampling.max_new_tokens, self._limits()
        stops = self._stops(sampling)
        head = self.model.get_output_embeddings()
        written: list[list[int]] = [[] for _ in sequences]
        unread: dict[int, list[int]] = {}  # what of a sequence is still to be fed, last token first
        rows: list[int] = []  # which sequence each row belongs to
        tokens = torch.empty(0, dtype=torch.int64, device=self.device)  # the newest one of each row
        memory: Memory | None = None
        n_started = n_computed = 0
        with torch.inference_mode(), _out_of_memory_named(), wide_head(self.model):
            while True:
                going = [i for i, row in enumerate(rows) if not _is_over(written[row], ends, stops, n_new)]
                waiting = (len(sequences[i]) for i in range(n_started, len(sequences)))
                n_fitting = how_many_fit([len(sequences[rows[i]]) for i in going], waiting, n_new, limits)
                if not going and not n_fitting:
                    return written, n_computed
                if memory is None or is_time_to_renew(len(rows), len(going), n_fitting):
                    fresh = range(n_started, n_started + n_fitting)
                    new, n = self._prefilled([sequences[i] for i in fresh], n_new) if fresh else (None, 0)
                    for i, length in zip(fresh, [] if new is None else new.lengths.tolist(), strict=True):
                        unread[i] = list(reversed(sequences[i][length:]))
                    memory = new if memory is None else memory.renewed(going, new)
                    rows = [*(rows[i] for i in going), *fresh]
                    first = [unread[i].pop() for i in fresh]
                    tokens = torch.cat([tokens[going], tokens.new_tensor(first)])
                    n_started, n_computed = n_started + n_fitting, n_computed + n
                assert memory is not None
                tokens = next_tokens(head(self._step(tokens, memory)), sampling.temperature)
                for number, (row, token) in enumerate(zip(rows, tokens.tolist(), strict=True)):
                    if unread[row]:
                        tokens[number] = unread[row].pop()
                    elif not _is_over(written[row], ends, stops, n_new):
                        written[row].append(token)

    def _prefilled(self, sequences: Sequence[tuple[int, ...]], n_new: int) -> tuple[Memory, int]:
        """The memory of sorted rows, and the tokens computed for them, with those that are still to be fed.

        A row has read all but its last token, or all that is kept of it.
        """
        import torch

        n_rows_of = Counter(sequences)
        kept = self._beginnings.of(n_rows_of) if self._beginnings else {}
        lengths = {one: kept[one].length if one in kept else len(one) - 1 for one in n_rows_of}
        n_unread = max(len(one) - length for one, length in lengths.items())
        memory = Memory([lengths[one] for one in sequences], n_new + n_unread, self.device)
        n_computed = n_filled = 0
        for part, places, layers, n in self._read_parts(list(n_rows_of), kept):
            n_computed += n
            n_rows = torch.tensor([n_rows_of[one] for one in part])
            each = places.repeat_interleave(n_rows, dim=0).to(self.device)
            rows = range(n_filled, n_filled + len(each))
            for number, (keys, values) in enumerate(layers):
                memory.put(number, rows, each, keys, values)
            n_filled = rows.stop
        return memory, n_computed

    def _read_parts(
        self, sequences: Sequence[tuple[int, ...]], kept: Mapping[tuple[int, ...], Beginning]
    ) -> Iterator[tuple[Sequence[tuple[int, ...]], Tensor, Layers, int]]:
        """The sequences in parts, with the places of each in a packed pass, that pass, tokens computed."""
        from transformers import DynamicCache

        for batch, group in groupby(sequences, key=lambda one: kept[one].batch if one in kept else None):
            part = list(group)
            if batch is not None:
                n_unread = sum(len(one) - kept[one].length for one in part)
                yield part, padded_places([kept[one].path for one in part]), batch.layers, n_unread
                continue
            for some in batches_of(part, self.batch_tokens):
                read = part[some.start : some.stop]
                packing, cache = pack(read), DynamicCache()
                # No state is read of this pass; one place, as none is no row.
                with only_at(self.model.base_model, packing.ends[:1]):
                    self._packed_pass(packing, cache)
                yield read, padded_places(packing.paths)[:, :-1], layers_of(cache), len(packing.ids)

    def _step(self, tokens: Tensor, memory: Memory) -> Tensor:
        """The hidden state of each row after one more token, shape (rows, size)."""
        memory.prepare_step()
        with self._attention(STEP_ATTENTION):
            hidden: Tensor = self.model.base_model(
                input_ids=tokens[None],
                position_ids=memory.lengths[None],
                use_cache=False,
                memory=memory,
            ).last_hidden_state[0]
        memory.end_step()
        return hidden

    def written_padded(self, sequences: Sequence[Sequence[int]], sampling: Sampling) -> list[list[int]]:
        """The same by transformers' own `generate`, padded on the left; for models that cannot be packed.

        What stands behind the end of a turn, or behind a stop, means nothing.
        """
        import torch
        from transformers import StoppingCriteriaList

        width = max(map(len, sequences))
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else 0
        padded = torch.tensor([[pad] * (width - len(s)) + list(s) for s in sequences])
        mask = torch.tensor([[0] * (width - len(s)) + [1] * len(s) for s in sequences])
        ends, stops = self.end_ids(), self._stops(sampling)

        def have_stopped(ids: Tensor, scores: Tensor) -> Tensor:
            return torch.tensor([stops.reached(row) for row in ids[:, width:].tolist()], device=ids.device)

        decoding: dict[str, Any] = {"do_sample": False, "repetition_penalty": 1.0}
        if sampling.temperature > 0:
            decoding |= {"do_sample": True, "temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
        with torch.inference_mode(), _out_of_memory_named(), wide_head(self.model):
            output = self.model.generate(
                padded.to(self.device),
                attention_mask=mask.to(self.device),
                max_new_tokens=sampling.max_new_tokens,
                eos_token_id=sorted(ends),
                pad_token_id=pad,
                stopping_criteria=StoppingCriteriaList([have_stopped] if sampling.stop else []),
                **decoding,
            )
        written: list[list[int]] = output[:, width:].tolist()
        return written

    def _stops(self, sampling: Sampling) -> Stops:
        return Stops(sampling.stop, partial(self.tokenizer.decode, skip_special_tokens=False))

    def _reply(self, ids: list[int], ends: set[int], stops: Stops) -> Reply:
        for n, token in enumerate(ids, start=1):
            if token in ends:
                return self.tokenizer.decode(ids[: n - 1], skip_special_tokens=False), n, True
            if stops.texts and stops.reached(ids[:n]):
                text = self.tokenizer.decode(ids[:n], skip_special_tokens=False)
                return until_stop(text, stops.texts), n, True
        return self.tokenizer.decode(ids, skip_special_tokens=False), len(ids), False

    def end_ids(self) -> set[int]:
        configured = self.model.generation_config.eos_token_id
        ids = {configured} if isinstance(configured, int) else set(configured or ())
        return ids | ({self.tokenizer.eos_token_id} - {None})

    def _packed_logits(self, sequences: Sequence[Sequence[int]], ids: Sequence[int]) -> tuple[Tensor, int]:
        import torch
        from transformers import DynamicCache

        packing, beginnings = pack(sequences), self._beginnings
        cache = DynamicCache() if beginnings and beginnings.has_room(packing) else None
        with torch.inference_mode(), _out_of_memory_named(), only_at(self.model.base_model, packing.ends):
            hidden = self._packed_pass(packing, cache)[packing.ends]
            if beginnings and cache is not None:
                beginnings.keep(sequences, packing, cache)
            rows = self.model.get_output_embeddings().weight[list(ids)]
            # float32: bf16 logits near 20 move in steps of 0.125 and would make false ties.
            return (hidden.float() @ rows.float().T).cpu(), len(packing.ids)

    def end_states(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        """The last hidden state of the last token of each sequence, float32, shape (sequences, size).

        The sequences are sorted and different.
        """
        import torch

        with torch.inference_mode(), _out_of_memory_named():
            if self.can_pack:
                packing = pack(sequences)
                with only_at(self.model.base_model, packing.ends):
                    return self._packed_pass(packing)[packing.ends].float().cpu()
            inputs = [torch.tensor([list(one)], device=self.device) for one in sequences]
            states = [self.model.base_model(one, use_cache=False).last_hidden_state[0, -1] for one in inputs]
            return torch.stack(states).float().cpu()

    def log_likelihoods(self, sequences: Sequence[tuple[Sequence[int], int]]) -> tuple[list[float], int]:
        """The log-probability of each sequence from its token number `start` on; tokens computed.

        The sequences are sorted and different.

        Logits of all words, some tokens at a time; on a GPU they are summed in float32.
        """
        import torch

        if not self.can_pack:
            return self._plain_log_likelihoods(sequences), sum(len(ids) for ids, _ in sequences)
        packing = pack([ids for ids, _ in sequences])
        places: list[int] = []
        targets: list[int] = []
        owners: list[int] = []
        for number, ((ids, start), path) in enumerate(zip(sequences, packing.paths, strict=True)):
            on_path = [place for begin, end in path for place in range(begin, end)]
            places += on_path[start - 1 : len(ids) - 1]
            targets += ids[start:]
            owners += [number] * (len(ids) - start)
        totals = torch.zeros(len(sequences), dtype=torch.float64)
        with torch.inference_mode(), _out_of_memory_named(), wide_head(self.model):
            weight = self.model.get_output_embeddings().weight
            with only_at(self.model.base_model, sorted(set(places))):
                hidden = self._packed_pass(packing)
            for first in range(0, len(places), LIKELIHOOD_ROWS):
                some = slice(first, first + LIKELIHOOD_ROWS)
                rows = hidden[torch.tensor(places[some], device=self.device)]
                wanted = torch.tensor(targets[some], device=self.device)
                own = _log_probabilities(self._all_logits(rows, weight), wanted)
                totals.index_add_(0, torch.tensor(owners[some]), own.double().cpu())
        return totals.tolist(), len(packing.ids)

    def _plain_log_likelihoods(self, sequences: Sequence[tuple[Sequence[int], int]]) -> list[float]:
        """The same by the model's own pass, one sequence at a time; for models that cannot be packed."""
        import torch

        totals = []
        with torch.inference_mode(), _out_of_memory_named(), wide_head(self.model):
            for ids, start in sequences:
                given = torch.tensor([list(ids)], device=self.device)
                n_kept = len(ids) - start + 1
                logits = self.model(given, use_cache=False, logits_to_keep=n_kept).logits[0, :-1]
                parts = [torch.split(one, LIKELIHOOD_ROWS) for one in (logits, given[0, start:])]
                own = [_log_probabilities(*one) for one in zip(*parts, strict=True)]
                totals.append(float(sum(one.double().sum() for one in own)))
        return totals

    def _all_logits(self, rows: Tensor, weight: Tensor) -> Tensor:
        """Float32 logits of every word, shape (rows, words)."""
        if self.device == "cpu":
            return (rows @ weight.T).float()  # bf16 sums: three times as quick, and their noise cancels out
        with float32_products("high"):  # TF32 holds bf16 factors exactly
            return rows.float() @ weight.float().T

    def hidden_states(self, packing: Packing) -> Tensor:
        """The last hidden state of every token of the row, shape (tokens, size), without gradients.

        Raises:
            ModelError: this model's prompts cannot be packed.
        """
        import torch

        if not self.can_pack:
            what = "hidden states are read of packed prompts, and this base model's cannot be packed"
            raise ModelError(f"{self._folder}: {what}. Take one whose layers all see everything before them.")
        with torch.inference_mode(), _out_of_memory_named():
            return self._packed_pass(packing)

    def _packed_pass(self, packing: Packing, cache: Any = None) -> Tensor:
        """The hidden state of every token of the row, shape (tokens, size); keys and values go to `cache`."""
        import torch

        with self._attention(ATTENTION):
            hidden: Tensor = self.model.base_model(
                input_ids=torch.tensor([packing.ids], device=self.device),
                position_ids=torch.tensor([packing.positions], device=self.device),
                past_key_values=cache,
                use_cache=cache is not None,
                packing=packing,
            ).last_hidden_state[0]
        return hidden

    def plain_logits(self, sequences: Sequence[Sequence[int]], ids: Sequence[int]) -> Tensor:
        """The same by the model's own pass, one sequence at a time; for models that cannot be packed."""
        import torch

        with torch.inference_mode(), _out_of_memory_named(), wide_head(self.model):
            inputs = [torch.tensor([list(sequence)], device=self.device) for sequence in sequences]
            rows = [self.model(one, use_cache=False, logits_to_keep=1).logits[0, -1] for one in inputs]
            return torch.stack([row[list(ids)].float() for row in rows]).cpu()

    def _trial(self) -> tuple[list[list[int]], list[int]]:
        """A few short sequences that share beginnings, and two tokens to ask for after them."""
        words = self.encoder.plain_ids("The quick brown fox jumps over the lazy dog and runs far away. " * 2)
        return sorted([words, [*words, *words[:5]], [*words, *words[7:]], words[3:]]), words[:2]

    @contextmanager
    def _attention(self, name: str) -> Iterator[None]:
        """Inside, attention is the function of this name: the layers look it up in their configuration.

        `set_attn_implementation` would look at every module to do the same, twice for each token written.
        """
        config = self.model.config
        before = config._attn_implementation
        config._attn_implementation = name
        try:
            yield
        finally:
            config._attn_implementation = before


def _wrapped(model: Any, adapter: Adapter) -> Any:
    """The model with the adapter beside its weights, as a peft model."""
    import peft

    if is_nat(adapter):
        return nat_model(model, adapter.folder)
    return peft.PeftModel.from_pretrained(model, adapter.folder, autocast_adapter_dtype=False)


def _attends_plainly(config: Any) -> bool:
    """Whether every layer is full causal attention: no windows, no recurrent state, no capped scores."""
    layer_types = getattr(config, "layer_types", None) or ["full_attention"]
    if set(layer_types) != {"full_attention"} or getattr(config, "attn_logit_softcapping", None):
        return False
    return hasattr(config, "layer_types") or not getattr(config, "sliding_window", None)


def _agree(plain: Tensor, packed: Tensor) -> bool:
    """Whether our forward pass gives the same log-odds as the model's own."""
    difference = (packed.diff(dim=1) - plain.diff(dim=1)).abs().max().item()
    return difference <= MAX_SELF_CHECK_DIFFERENCE


def _log_probabilities(logits: Tensor, wanted: Tensor) -> Tensor:
    """Of each row of logits, shape (rows, words), the log-probability of its wanted word, shape (rows,)."""
    logits = logits.float()
    return logits.gather(1, wanted[:, None])[:, 0] - logits.logsumexp(dim=1)


def _is_over(written: Sequence[int], ends: set[int], stops: Stops, n_new: int) -> bool:
    """Whether a reply has ended, or is as long as it may be."""
    return len(written) >= n_new or (bool(written) and written[-1] in ends) or stops.reached(written)


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


def check_device(device: str) -> None:
    """Raises BackendError where torch cannot use it."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise BackendError("--device cuda: torch finds no usable CUDA GPU here. Use --device cpu.")


def read_model(folder: Path, device: str, dtype: str) -> tuple[Any, Any]:
    """The tokenizer and the model of a folder, without the libraries' own progress bars: ours are shown.

    Raises:
        ModelError: transformers cannot load them.
    """
    import torch
    import transformers

    logging: Any = transformers.utils.logging
    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, dtype), attn_implementation="sdpa"
        )
    except (OSError, ValueError) as error:
        what = f"{folder}: transformers cannot load this base model"
        raise ModelError(f"{what}: {_first_line(error)}") from error
    finally:
        if was_on:
            logging.enable_progress_bar()
    return tokenizer, model.to(device).eval()


def read_small(folder: Path, device: str, dtype: str) -> tuple[Any, Any]:
    """The same, in as little memory as float32 needs on a CPU; for a model that learns nothing.

    Raises:
        ModelError: as `read_model`.
    """
    stored = narrow_dtype_of(folder) if (device, dtype) == ("cpu", "float32") else ""
    if not stored:
        return read_model(folder, device, dtype)
    tokenizer, model = read_model(folder, device, stored)
    if not can_widen(model):
        return read_model(folder, device, dtype)
    widen(model, folder)
    return tokenizer, model
