"""Chat text for every other server: the form of the reply is asked for, and found again in the reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from judge.backends import ChoiceProbabilities, Completion, Sampling, Settings
from judge.backends.chat_text import (
    ChatReply,
    ChatText,
    ReplyForm,
    chat_texts,
    choice_line,
    choice_probabilities,
    find_choice,
    read_reply,
    start_line,
    without_start,
)
from judge.backends.endpoint import Endpoint, Job, Refused, Session, all_of, decoding_of
from judge.records import NO_ADAPTER, Engine, Prompt, Unparsed

WAY = "server-chat"
SAMPLES = 5  # replies a prompt where a server gives no log-probabilities: shares in steps of a fifth
TOP_LOGPROBS = 20  # the most that OpenAI's protocol allows
SPARE_TOKENS = 16  # of a reply with a choice, for words and spaces around the form that was asked for


@dataclass(frozen=True, slots=True)
class _Question:
    """A choice to ask for; equal ones are asked once."""

    text: ChatText
    form: ReplyForm


class ChatWay:
    """Plain text in both directions. Learns from refusals what the server does not accept."""

    def __init__(self, server: Endpoint, settings: Settings, name: str) -> None:
        self._server = server
        self._settings = settings
        self._name = name
        self._gives_logprobs = True
        self._limit_name = "max_tokens"

    @property
    def engine(self) -> Engine:
        """No file says which model answers here, so it is named as the server names it, in full."""
        return Engine(
            base_model=self._settings.base_model if self._settings.adapter else self._name,
            base_model_hash="",
            adapter=self._name if self._settings.adapter else NO_ADAPTER,
            adapter_hash="",
            backend=WAY,
            dtype="served",
            overflow=self._settings.overflow,
            max_prompt_tokens=self._settings.max_prompt_tokens,
        )

    def choose(
        self, prompts: Sequence[Prompt], choices: tuple[str, ...]
    ) -> list[ChoiceProbabilities | Unparsed]:
        forms = [ReplyForm(choices, prompt.reply_start, prompt.reply_end) for prompt in prompts]
        texts = self._texts(prompts, [choice_line(form) for form in forms])
        questions = [
            text if isinstance(text, Unparsed) else _Question(text, form)
            for text, form in zip(texts, forms, strict=True)
        ]
        names = {
            question: prompt.name
            for question, prompt in zip(questions, prompts, strict=True)
            if isinstance(question, _Question)
        }
        found = self._server.run_each([self._choice_job(question, name) for question, name in names.items()])
        answers = dict(zip(names, found, strict=True))
        return [one if isinstance(one, Unparsed) else answers[one] for one in questions]

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion | Unparsed]:
        texts = self._texts(prompts, [start_line(prompt.reply_start) for prompt in prompts])
        found = iter(
            self._server.run_each(
                [
                    self._completion_job(text, prompt, decoding_of(sampling, index))
                    for index, (text, prompt) in enumerate(zip(texts, prompts, strict=True))
                    if isinstance(text, ChatText)
                ]
            )
        )
        return [text if isinstance(text, Unparsed) else next(found) for text in texts]

    def _texts(self, prompts: Sequence[Prompt], lines: Sequence[str]) -> list[ChatText | Unparsed]:
        settings = self._settings
        return chat_texts(prompts, lines, settings.max_prompt_tokens, settings.overflow, settings.strict)

    def _completion_job(self, text: ChatText, prompt: Prompt, decoding: dict[str, Any]) -> Job[Completion]:
        async def job(session: Session) -> Completion:
            reply = await self._reply(session, text, decoding, prompt.name)
            words = without_start(reply.text, prompt.reply_start)
            return Completion(words, reply.tokens_in, reply.tokens_out, reply.is_ended, text.is_trimmed)

        return job

    def _choice_job(self, question: _Question, name: str) -> Job[ChoiceProbabilities | Unparsed]:
        async def job(session: Session) -> ChoiceProbabilities | Unparsed:
            answer = await self._by_logprobs(session, question, name) if self._gives_logprobs else None
            return answer or await self._by_votes(session, question, name)

        return job

    async def _by_logprobs(
        self, session: Session, question: _Question, name: str
    ) -> ChoiceProbabilities | Unparsed | None:
        """The choice by log-probabilities; None if the server gives none for it."""
        asked = {"temperature": 0, "logprobs": True, "top_logprobs": TOP_LOGPROBS}
        try:
            reply = await self._reply(session, question.text, asked | _room(question.form), name)
        except Refused as refused:
            if "logprobs" not in refused.said:
                raise
            self._gives_logprobs = False
            return None
        if reply.tokens is None:
            if reply.text:  # an empty reply says nothing about the next one
                self._gives_logprobs = False
            return None
        if find_choice(reply.text, question.form) is None:
            return _unparsed([reply], question)
        probabilities = choice_probabilities(reply.tokens, question.form)
        return None if probabilities is None else _chosen(probabilities, [reply], question)

    async def _by_votes(
        self, session: Session, question: _Question, name: str
    ) -> ChoiceProbabilities | Unparsed:
        """The choice by the shares of some replies; only their tokens are counted.

        Whether log-probabilities were asked for before depends on which prompt was refused first, and a
        repeated run must give equal counts.
        """
        replies = await all_of(
            self._reply(session, question.text, {"temperature": 1, "seed": seed} | _room(question.form), name)
            for seed in range(SAMPLES)
        )
        stated = [find_choice(reply.text, question.form) for reply in replies]
        votes = [one.choice for one in stated if one is not None]
        if not votes:
            return _unparsed(replies, question)
        shares = tuple(votes.count(choice) / len(votes) for choice in question.form.choices)
        return _chosen(shares, replies, question)

    async def _reply(
        self, session: Session, text: ChatText, decoding: Mapping[str, Any], name: str
    ) -> ChatReply:
        messages = [{"role": role, "content": content} for role, content in text.messages]
        body: dict[str, Any] = {"model": self._name, "messages": messages, **decoding}
        limit = body.pop("max_tokens")
        limit_name = self._limit_name
        try:
            return await session.ask("/chat/completions", body | {limit_name: limit}, read_reply, name)
        except Refused as refused:
            if limit_name != "max_tokens" or "max_completion_tokens" not in refused.said:
                raise
        self._limit_name = "max_completion_tokens"
        return await session.ask("/chat/completions", body | {self._limit_name: limit}, read_reply, name)


def _room(form: ReplyForm) -> dict[str, int]:
    return {"max_tokens": SPARE_TOKENS + max(map(len, form.shown()))}  # a token is at least a character


def _chosen(
    probabilities: tuple[float, ...], replies: Sequence[ChatReply], question: _Question
) -> ChoiceProbabilities:
    return ChoiceProbabilities(
        probabilities,
        sum(reply.tokens_in for reply in replies),
        sum(reply.tokens_out for reply in replies),
        question.text.is_trimmed,
    )


def _unparsed(replies: Sequence[ChatReply], question: _Question) -> Unparsed:
    wanted = " or ".join(question.form.shown())
    where = "the reply" if len(replies) == 1 else f"any of {len(replies)} replies"
    return Unparsed(
        reason=f"no {wanted} in {where}",
        raw=replies[0].text,
        tokens_in=sum(reply.tokens_in for reply in replies),
        tokens_out=sum(reply.tokens_out for reply in replies),
        is_trimmed=question.text.is_trimmed,
    )
