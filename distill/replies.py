"""Replies of one model, each asked for once and kept in a ledger, so that an interrupted run goes on.

A sampled reply is known by what was asked, of which engine, how it was decoded, and its number among the
samples of that prompt. Greedy replies have the number 0.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from judge.backends import Backend, Completion, Sampling
from judge.errors import BackendError
from judge.ledger.ledger import Ledger
from judge.progress import Progress, silent
from judge.prompts import plain
from judge.records import Message, Prompt, Unparsed, sha256_of_json

GREEDY = 0.0
CHARACTERS_A_REPLY = 40
"""A backend is asked for 400 replies at a time on a CPU: three for each of the rows that it writes at once,
so that those that end early are replaced, and a kill loses minutes. It looks after memory itself."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One reply that is wanted: to what (a user's message, or a conversation), and the how many-th sample."""

    asked: str | tuple[Message, ...]
    number: int = 0


class Replies:
    """What a backend replies, kept in a ledger.

    Args:
        seed: of all draws; another seed is asked anew.
    """

    def __init__(self, backend: Backend, ledger: Ledger, seed: int = 0, progress: Progress = silent) -> None:
        self._backend = backend
        self._ledger = ledger
        self._seed = seed
        self._progress = progress

    def to(
        self, asks: Sequence[Ask], max_new_tokens: int, temperature: float = GREEDY, stage: str = ""
    ) -> list[Completion]:
        """The reply to each, in order. What is not known is asked for in batches, each kept at once.

        Raises:
            BackendError: the engine failed, or a prompt cannot be answered. What came before is kept.
        """
        sampling = Sampling(max_new_tokens, temperature, self._seed)
        engine = asdict(self._backend.engine)
        prompts = [plain(one.asked) for one in asks]
        keys = [key_of(engine, sampling, *two) for two in zip(prompts, asks, strict=True)]
        wanted = dict(zip(keys, prompts, strict=True))
        known = self._ledger.find_replies(wanted)
        todo = [key for key in wanted if key not in known]
        size = max(1, self._backend.batch_characters // CHARACTERS_A_REPLY)
        for start in range(0, len(todo), size):
            self._progress(stage, start, len(todo))
            known |= self._asked({key: wanted[key] for key in todo[start : start + size]}, sampling)
        if todo:
            self._progress(stage, len(todo), len(todo))
        return [known[key] for key in keys]

    def _asked(self, batch: dict[str, Prompt], sampling: Sampling) -> dict[str, Completion]:
        """The replies to a batch, now in the ledger. Its draws follow from its first key."""
        started = time.perf_counter()
        seed = int(next(iter(batch))[:12], 16)
        replies = self._backend.complete(list(batch.values()), replace(sampling, seed=seed))
        for reply in replies:
            if isinstance(reply, Unparsed):
                raise BackendError(
                    f"{self._backend.engine.base_model}: a prompt has no reply: {reply.reason}"
                )
        found = dict(zip(batch, (one for one in replies if isinstance(one, Completion)), strict=True))
        self._ledger.record_replies(found, time.perf_counter() - started)
        return found


def key_of(engine: dict[str, Any], sampling: Sampling, prompt: Prompt, ask: Ask) -> str:
    """What a reply is kept under: SHA-256 of all that it depends on."""
    messages = [[role, [[one.kind, one.text] for one in spans]] for role, spans in prompt.messages]
    drawn = [sampling.seed, ask.number] if sampling.temperature > 0 else []
    return sha256_of_json([engine, sampling.max_new_tokens, sampling.temperature, messages, drawn])
