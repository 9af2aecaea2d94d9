"""What slow methods have in common: how a pair is put into a template, and how replies become steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any, TypeVar

from judge.backends import Backend, Completion, EngineChanged, Sampling, keeping
from judge.backends.kept import by_halves
from judge.errors import BackendError
from judge.methods import MemoryStore, MethodSettings, ReplyStore
from judge.orders import shown_in
from judge.progress import Progress, silent
from judge.prompts import fingerprint_of
from judge.prompts.parsing import MARKS, parse_choice, spoken, whole_text
from judge.prompts.working import STATED
from judge.records import (
    SHARED_LENGTH,
    Choice,
    Identity,
    Judgment,
    Message,
    Order,
    Pair,
    Prompt,
    Reading,
    Span,
    Step,
    Unparsed,
    sha256_of_json,
)

WRITING = 4
"""Free replies are worth asking for in batches this many times a backend's own: a step costs nearly the same
for one row as for sixteen, while prompts that are only read are as fast in small batches."""

T = TypeVar("T")

LETTERS = {"A": Choice.FIRST, "B": Choice.SECOND}
LETTERS_WITH_TIE = {**LETTERS, "C": Choice.TIE}


def letters_of(ties: bool) -> dict[str, Choice]:
    """The letters that a verdict may have, and what they mean."""
    return LETTERS_WITH_TIE if ties else LETTERS


def pair_values(pair: Pair, order: Order) -> dict[str, Any]:
    """What `pair.txt` shows of a pair; what both conversations share is shown once, before the responses."""
    first, second = shown_in(pair, order)
    is_shared = first[:-1] == second[:-1]
    return {
        "system": _context(pair.system),
        "reference": _context(pair.reference),
        "context": _messages(first[:-1]) if is_shared else None,
        "first_context": None if is_shared else _messages(first[:-1]),
        "second_context": None if is_shared else _messages(second[:-1]),
        "first": Span(first[-1].content, "first"),
        "second": Span(second[-1].content, "second"),
    }


def answer_values(
    conversation: Sequence[Message], system: str | None, reference: str | None
) -> dict[str, Any]:
    """What `answer.txt` shows: the last message of the conversation is the answer."""
    return {
        "system": _context(system),
        "reference": _context(reference),
        "context": _messages(conversation[:-1]),
        "answer": Span(conversation[-1].content, "first"),
    }


def question_values(pair: Pair) -> dict[str, Any]:
    """What `question.txt` shows: what was asked, turn by turn, and no word of any answer."""
    asked = [message.content for message in pair.context_a if message.role == "user"]
    asked += [m.content for m in pair.context_b if m.role == "user" and m.content not in asked]
    return {"system": _context(pair.system), "questions": [Span(text, "context") for text in asked or [""]]}


def reading_name(pair: Pair, order: Order) -> str:
    """What error messages call this reading."""
    return f"pair {pair.id} in order {order}"


def sampling_of(settings: MethodSettings, max_new_tokens: int) -> Sampling:
    """How a step's free replies are decoded, if the step's own limit is `max_new_tokens`."""
    return Sampling(settings.max_new_tokens or max_new_tokens, settings.temperature, settings.seed)


def identity_of(
    backend: Backend, method: str, templates: Sequence[str], letters: str, sampling: Sampling | None
) -> Identity:
    """The identity of a judge that asks these templates; without `sampling` it decodes nothing freely."""
    decoding, sample = "choice", 0
    if sampling is not None:
        how = f"temperature {sampling.temperature:g}" if sampling.temperature > 0 else "greedy"
        until = " to a verdict" if sampling.stop else ""
        decoding = f"{how}{until}, at most {sampling.max_new_tokens} tokens"
        sample = sampling.seed if sampling.temperature > 0 else 0
    return Identity(
        **asdict(backend.engine),
        method=method,
        prompts=fingerprint_of(*templates),
        letters=letters,
        decoding=decoding,
        sample=sample,
    )


def text_in(reply: Completion | Unparsed) -> str | Unparsed:
    """The text of a reply that is judged by or judged itself; Unparsed where it is none, or was cut."""
    if isinstance(reply, Unparsed):
        return reply
    if not reply.is_ended:
        return Unparsed(f"cut at {reply.tokens_out} tokens", reply.text)
    return whole_text(reply.text)


def step_of(name: str, prompt: Prompt, reply: Completion | Unparsed, shared: str = "") -> Step:
    """The reply as a step, with the words that were put into its mouth; of none, what the engine said."""
    if isinstance(reply, Unparsed):
        return Step(name, reply.raw, reply.tokens_in, reply.tokens_out)
    return Step(name, prompt.reply_start + reply.text, reply.tokens_in, reply.tokens_out, shared=shared)


def verdict_in(prompt: Prompt, reply: Completion | Unparsed, ties: bool) -> Reading:
    """The reading that a free reply states by its last verdict; what was only thought is none.

    In a reply that was cut, a verdict counts where it stands on a line of its own and no other one does: what
    stands within a sentence may be quoted.
    """
    if isinstance(reply, Unparsed):
        return reply
    told = prompt.reply_start + reply.text, reply.tokens_in, reply.tokens_out, reply.is_trimmed
    text = prompt.reply_start + spoken(reply.text)
    if not reply.is_ended:
        alone = {line for each in text.splitlines() if STATED.fullmatch(line := each.strip(MARKS))}
        text = alone.pop() if len(alone) == 1 else ""
    choice = parse_choice(text, letters_of(ties))
    if isinstance(choice, Unparsed):
        cut = "" if reply.is_ended else f" (cut at {reply.tokens_out} tokens)"
        return Unparsed(choice.reason + cut, *told, cut=reply.cut)
    return Judgment(choice, None, *told, cut=reply.cut)


class KeptReplies:
    """Replies by key, each asked for once and kept at once, batch by batch.

    Args:
        store: keeps them; None keeps them in memory.
        backend: the engine that is asked.
    """

    def __init__(self, store: ReplyStore | None, backend: Backend) -> None:
        self._store = store or MemoryStore()
        self._backend = backend
        self._refused: dict[str, Unparsed] = {}  # asked again by the next run, so never stored

    def forget_refused(self) -> None:
        """A run begins: what was refused before it is asked again."""
        self._refused.clear()

    def ask(
        self,
        items: Mapping[str, T],
        batches_of: Callable[[dict[str, T]], Iterable[list[str]]],
        ask: Callable[[list[T]], Sequence[Completion | Unparsed]],
        stage: str,
        progress: Progress = silent,
        unit: str = "",
        is_sampled: bool = False,
    ) -> dict[str, Completion | Unparsed]:
        """The reply to each item, Unparsed where there was none; what is not known is asked for in batches.

        Args:
            batches_of: the keys of some items in batches, in an order that depends on these alone.
            is_sampled: whether a reply depends on its place in its batch. Then those batches of all items of
                which nothing is known are asked for first, so that a run that was interrupted ends with the
                same replies as one that was not.
            stage, unit: how progress is told: "planning, 2 of 7" or "grading, 2 of 7 answers".
        """
        refused = {key: self._refused[key] for key in items if key in self._refused}
        replies: dict[str, Completion | Unparsed] = {**self._store.find_replies(set(items)), **refused}
        todo = {key: item for key, item in items.items() if key not in replies}
        n_done = 0

        def show_progress() -> None:
            progress(f"{stage}, {n_done} of {len(todo)}{unit}", n_done, len(todo))

        batches: list[list[str]] = []
        if is_sampled and todo:
            batches = [batch for batch in batches_of(dict(items)) if todo.keys() >= set(batch)]
        planned = {key for batch in batches for key in batch}
        batches += batches_of({key: item for key, item in todo.items() if key not in planned})
        for batch in batches:
            show_progress()
            found = self._asked(batch, todo, ask)
            self._refused |= {key: reply for key, reply in found.items() if isinstance(reply, Unparsed)}
            replies |= found
            n_done += len(batch)
        if todo:
            show_progress()
        return replies

    def _asked(
        self,
        batch: list[str],
        todo: Mapping[str, T],
        ask: Callable[[list[T]], Sequence[Completion | Unparsed]],
    ) -> dict[str, Completion | Unparsed]:
        """The replies to a batch, which are kept; where it fails, those that a server had given by then."""

        def read(keys: Sequence[str]) -> list[tuple[str, Completion | Unparsed]]:
            return list(zip(keys, ask([todo[key] for key in keys]), strict=True))

        def keep(found: Iterable[tuple[str, Completion | Unparsed]]) -> None:
            given = {key: reply for key, reply in found if isinstance(reply, Completion)}
            self._store.record_replies(given, time.perf_counter() - started)

        with keeping(self._backend) as kept:
            started = time.perf_counter()
            try:
                found = read(batch)
            except EngineChanged:  # what was answered before belongs to another judge
                raise
            except (BackendError, KeyboardInterrupt):
                if kept is not None:
                    with kept.replaying():
                        keep(by_halves(batch, read))
                raise
        keep(found)
        return dict(found)


class SharedReplies:
    """Free replies that several readings share: each prompt is asked once for engine and sampling, and kept.

    Args:
        settings: its `store` keeps the replies; without one they are kept in memory.
    """

    def __init__(self, backend: Backend, settings: MethodSettings, sampling: Sampling) -> None:
        self.backend = backend
        self.sampling = sampling
        self._kept = KeptReplies(settings.store, backend)

    def forget_refused(self) -> None:
        """A run begins: what was refused before it is asked again."""
        self._kept.forget_refused()

    def ask(
        self, prompts: Sequence[Prompt], stage: str = "", progress: Progress = silent
    ) -> list[tuple[str, Completion | Unparsed]]:
        """The name (see `Step.shared`) and the reply of each prompt, Unparsed where there was none.

        What is not known is asked in batches, each kept at once.
        """
        engine = asdict(self.backend.engine)
        keys = [self._key_of(prompt, engine) for prompt in prompts]
        by_key = dict(zip(keys, prompts, strict=True))

        def ask(some: list[Prompt]) -> Sequence[Completion | Unparsed]:
            return self.backend.complete(some, self.sampling)

        is_sampled = self.sampling.temperature > 0
        replies = self._kept.ask(by_key, self._batches, ask, stage, progress, is_sampled=is_sampled)
        return [(key[:SHARED_LENGTH], replies[key]) for key in keys]

    def _batches(self, todo: dict[str, Prompt]) -> list[list[str]]:
        """The keys in batches that are worth asking at once, in an order that depends on them alone."""
        keys, batches = iter(sorted(todo)), []
        mean = sum(map(_size_of, todo.values())) / len(todo) if todo else 1.0
        size = max(1, round(WRITING * self.backend.batch_characters / mean))
        while batch := list(islice(keys, size)):
            batches.append(batch)
        return batches

    def _key_of(self, prompt: Prompt, engine: dict[str, Any]) -> str:
        messages = [[role, [[s.kind, s.text] for s in spans]] for role, spans in prompt.messages]
        sampling = asdict(self.sampling)
        if not sampling["stop"]:
            del sampling["stop"]  # so that what was kept before there were any is found
        asked = [engine, sampling, messages, prompt.reply_start]
        return sha256_of_json(asked)


def _size_of(prompt: Prompt) -> int:
    return sum(len(span.text) for _, spans in prompt.messages for span in spans)


def _context(text: str | None) -> Span | None:
    return None if text is None else Span(text, "context")


def _messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [{"role": m.role, "content": Span(m.content, "context")} for m in messages]
