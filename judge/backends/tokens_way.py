"""Token ids for a vLLM server: prompts are encoded here, and no text of a pair can be markup."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from judge.backends import ChoiceProbabilities, Completion, Sampling, Settings, until_stop
from judge.backends.chat_text import as_logprob, whole_characters
from judge.backends.endpoint import ROOM, Job, Refused, Server, Session, decoding_of
from judge.backends.local import chosen_among, engine_of, softmax
from judge.backends.tokens import Encoded, PromptEncoder, around
from judge.errors import BackendError, MissingExtra, ModelError
from judge.io.files import at_home, error_line
from judge.models import basemodels
from judge.models.adapters import check_prompts, read_adapter
from judge.models.hub import HUB_ID
from judge.models.sizes import last_part
from judge.prompts.parsing import spoken
from judge.records import NO_ADAPTER, Engine, Prompt, Unparsed

WAY = "server-tokens"
TOKENIZER_TRIAL = "Answer [[A]] or [[B]]?\n\n  12345, naïve café, 日本語: antidisestablishmentarianism"

# A vLLM server would else take these from the model's own generation_config.json.
PLAIN_DECODING = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}


class TokensWay:
    """The embedded backend's prompts and replies, with the model on a vLLM server."""

    def __init__(self, server: Server, settings: Settings, name: str, weights_hash: str = "") -> None:
        self._server = server
        self._settings = settings
        self._name = name
        self._weights_hash = weights_hash

    @property
    def engine(self) -> Engine:
        """As for weights on this machine, where the server's name for its model is the one set here.

        Of a hub id no files are here to be hashed, and of a model with another name nothing is known but what
        the server's listing says.
        """
        base_model = self._settings.base_model
        names = (base_model, last_part(base_model))
        is_named = bool(self._settings.adapter) or self._name in names
        if is_named and not _is_hub_id(base_model):
            return engine_of(self._settings, WAY, "served")
        adapter = read_adapter(self._settings.adapter) if self._settings.adapter else None
        if adapter:
            check_prompts(adapter)
        return Engine(
            base_model=last_part(base_model) if is_named else self._name,
            base_model_hash=self._weights_hash,
            adapter=adapter.name if adapter else NO_ADAPTER,
            adapter_hash=adapter.hash if adapter else "",
            backend=WAY,
            dtype="served",
            overflow=self._settings.overflow,
            max_prompt_tokens=self._settings.max_prompt_tokens,
        )

    def choose(
        self, prompts: Sequence[Prompt], choices: tuple[str, ...]
    ) -> list[ChoiceProbabilities | Unparsed]:
        fitted = self._encoder.fit(prompts, self._settings.strict)
        return around(prompts, fitted, lambda asked, encoded: self._chosen(asked, encoded, choices))

    def _chosen(
        self, prompts: Sequence[Prompt], encoded: Sequence[Encoded], choices: Sequence[str]
    ) -> list[ChoiceProbabilities | Unparsed]:
        encoder = self._encoder
        keys = [(one.ids, prompt.reply_start) for one, prompt in zip(encoded, prompts, strict=True)]
        names = {key: prompt.name for key, prompt in zip(keys, prompts, strict=True)}
        leads = {key: prompt.lead for key, prompt in zip(keys, prompts, strict=True)}
        letters = {start: encoder.choice_ids(choices, start) for _, start in names}
        found = self._server.run_each(
            [self._choice_job(ids, letters[start], name) for (ids, start), name in names.items()],
            list(leads.values()),
        )
        answers = dict(zip(names, found, strict=True))
        fitted = [
            answer if isinstance(answer := answers[key], Unparsed) else one
            for key, one in zip(keys, encoded, strict=True)
        ]
        probabilities = [answer for key in keys if not isinstance(answer := answers[key], Unparsed)]
        return around(
            prompts, fitted, lambda asked, ids: chosen_among(choices, encoder, asked, ids, probabilities)
        )

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion | Unparsed]:
        fitted = self._encoder.fit(prompts, self._settings.strict)
        return around(prompts, fitted, lambda asked, encoded: self._completed(asked, encoded, sampling))

    def _completed(
        self, prompts: Sequence[Prompt], encoded: Sequence[Encoded], sampling: Sampling
    ) -> list[Completion | Unparsed]:
        return self._server.run_each(
            [
                self._completion_job(one, prompt.name, sampling, index)
                for index, (one, prompt) in enumerate(zip(encoded, prompts, strict=True))
            ],
            [prompt.lead for prompt in prompts],
        )

    def _choice_job(self, ids: Sequence[int], letters: list[int], name: str) -> Job[tuple[float, ...]]:
        body = self._body(ids) | {
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": len(letters),
            "allowed_token_ids": letters,
            "logprob_token_ids": letters,
            "return_tokens_as_token_ids": True,
        }
        return lambda session: session.ask(
            "/completions", body, lambda answer: _letter_probabilities(answer, letters), name
        )

    def _completion_job(self, encoded: Encoded, name: str, sampling: Sampling, index: int) -> Job[Completion]:
        body = self._body(encoded.ids) | decoding_of(sampling, index) | {"return_token_ids": True}
        if sampling.stop:
            body |= {"stop": list(sampling.stop), "include_stop_str_in_output": True}

        def read(answer: Any) -> Completion:
            choice = answer["choices"][0]
            ids = [int(token) for token in choice["token_ids"]]
            is_ended = choice["finish_reason"] == "stop"
            is_end_of_turn = is_ended and choice.get("stop_reason") not in sampling.stop
            said = ids[:-1] if is_end_of_turn else ids  # then its last token is no word
            text = until_stop(self._tokenizer.decode(said, skip_special_tokens=False), sampling.stop)
            words = whole_characters(text)
            return Completion(words, encoded.n_prompt, len(ids), is_ended, encoded.is_trimmed, encoded.cut)

        async def job(session: Session) -> Completion:
            reply = await session.ask("/completions", body, read, name)
            if reply.is_ended or spoken(reply.text).strip():
                return reply
            roomy = body | {"max_tokens": body["max_tokens"] + ROOM}  # it still thought
            return await session.ask("/completions", roomy, read, name)

        return job

    def _body(self, ids: Sequence[int]) -> dict[str, Any]:
        return {"model": self._name, "prompt": list(ids), **PLAIN_DECODING}

    @cached_property
    def _encoder(self) -> PromptEncoder:
        settings = self._settings
        encoder = PromptEncoder(self._tokenizer, settings.max_prompt_tokens, settings.overflow)
        self._compare_tokenizers(encoder)
        return encoder

    def _compare_tokenizers(self, encoder: PromptEncoder) -> None:
        """Raises BackendError where the server's model reads other token ids: it would answer to noise.

        A server that does not show its tokenizer is taken on trust.
        """
        body = {"model": self._name, "prompt": TOKENIZER_TRIAL, "add_special_tokens": False}
        ours = encoder.plain_ids(TOKENIZER_TRIAL)

        async def job(session: Session) -> None:
            address = f"{session.url.removesuffix('/v1')}/tokenize"
            try:
                ids = await session.ask(
                    address, body, lambda answer: [int(token) for token in answer["tokens"]]
                )
            except Refused:
                return
            if ids != ours:
                raise BackendError(
                    f"{session.url}: its model {self._name} has another tokenizer than "
                    f"{self._settings.base_model}. Name the model that it serves with --base-model."
                )

        self._server.everywhere(job)

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            import transformers
        except ImportError as error:
            what = 'a vLLM server needs token ids: pip install "four-token-judge[embedded,server]"'
            raise MissingExtra(f"{what} ({error})") from error
        name = self._settings.base_model
        source: str | Path = name
        if not _is_hub_id(name):
            source = basemodels.fetch(name, self._settings.progress).folder
        try:
            return transformers.AutoTokenizer.from_pretrained(source)
        except (OSError, ValueError) as error:
            what = f"{source}: transformers cannot load this base model's tokenizer"
            raise ModelError(f"{what}: {error_line(error)}") from error


def _is_hub_id(name: str) -> bool:
    """Whether a base model is known here by its name on the hub alone, and by no folder."""
    return HUB_ID.fullmatch(name) is not None and not at_home(name).exists()


def _letter_probabilities(answer: Any, letters: Sequence[int]) -> tuple[float, ...]:
    """Softmax over the letters' log-probabilities in a vLLM server's answer, so that they sum to 1."""
    given = answer["choices"][0]["logprobs"]["top_logprobs"][0]
    missing = [token for token in letters if f"token_id:{token}" not in given]
    if missing:
        raise BackendError(
            f"the vLLM server gave no log-probability of the tokens {missing}; it has to know "
            "logprob_token_ids. Update it to vllm 0.30 or newer."
        )
    logprobs = [as_logprob(given[f"token_id:{token}"]) for token in letters]
    if max(logprobs) == -math.inf:
        raise ValueError("no choice has any probability")
    return softmax(logprobs)
