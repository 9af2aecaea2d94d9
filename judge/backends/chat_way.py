"""Chat text for every other server: the form of the reply is asked for, and found again in the reply."""

from __future__ import annotations

from collections.abc import Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from judge.backends import ChoiceProbabilities, Completion, EngineChanged, Sampling, Settings
from judge.backends.chat_text import (
    ChatReply,
    ChatText,
    ReplyForm,
    chat_texts,
    choice_line,
    choice_probabilities,
    find_choice,
    opening_choice,
    read_reply,
    start_line,
    without_start,
)
from judge.backends.endpoint import (
    ROOM,
    TOO_LONG,
    AnotherJudge,
    Blocked,
    Job,
    NoAccess,
    NoCredit,
    Refused,
    Server,
    Session,
    Unreplied,
    all_of,
    decoding_of,
)
from judge.backends.habits import TOP_LOGPROBS, WANTS_MORE, Habits, backend_name
from judge.prompts.parsing import spoken
from judge.records import NO_ADAPTER, Engine, Prompt, Unparsed

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

WAY = "server-chat"
SAMPLES = 5  # replies a prompt where a server gives no log-probabilities: shares in steps of a fifth
LEAST_ROOM = 256
SPARE_TOKENS = 16  # of a reply with a choice, for words and spaces around the form that was asked for


@dataclass(frozen=True, slots=True)
class _Question:
    """A choice to ask for; equal ones are asked once."""

    text: ChatText
    form: ReplyForm


class ChatWay:
    """Plain text in both directions. Learns from refusals what the server does not take, see `Habits`.

    What it has learnt is part of the engine. A server that teaches something after the engine was asked for
    makes `choose` or `complete` raise EngineChanged; what was answered last is kept for the next call.

    Of several addresses the one that answers first teaches it for all. Another that refuses more than that
    would be another judge, and its jobs raise AnotherJudge.
    """

    def __init__(self, server: Server, settings: Settings, name: str, weights_hash: str = "") -> None:
        self._server = server
        self._settings = settings
        self._name = name
        self._weights_hash = weights_hash
        self._gave_logprobs = ""  # the address that did so first
        self._habits = Habits()
        self._with_room: set[tuple[str, bool]] = set()  # kind, whether the reply's beginning is asked for
        self._told: Engine | None = None
        self._settled: dict[str, str] = {}  # each kind of question that was answered, and where first
        self._kept: dict[Any, Any] = {}

    @property
    def engine(self) -> Engine:
        """No file says which model answers here, so it is named as the server names it, in full."""
        self._told = self._engine()
        return self._told

    def _engine(self) -> Engine:
        return Engine(
            base_model=self._settings.base_model if self._settings.adapter else self._name,
            base_model_hash=self._weights_hash,
            adapter=self._name if self._settings.adapter else NO_ADAPTER,
            adapter_hash="",
            backend=backend_name(WAY, self._habits.names),
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
        leads = {
            question: prompt.lead
            for question, prompt in zip(questions, prompts, strict=True)
            if isinstance(question, _Question)
        }
        answers = self._asked(
            "choose", {question: self._choice_job(question, name) for question, name in names.items()}, leads
        )
        return [one if isinstance(one, Unparsed) else answers[one] for one in questions]

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion | Unparsed]:
        texts = self._texts(prompts, [start_line(prompt.reply_start) for prompt in prompts])
        keys = [(text, sampling, index) for index, text in enumerate(texts)]
        answers = self._asked(
            "complete",
            {
                key: self._completion_job(text, prompt, decoding_of(sampling, key[-1]))
                for key, text, prompt in zip(keys, texts, prompts, strict=True)
                if isinstance(text, ChatText)
            },
            {key: prompt.lead for key, prompt in zip(keys, prompts, strict=True)},
        )
        return [
            text if isinstance(text, Unparsed) else answers[key]
            for key, text in zip(keys, texts, strict=True)
        ]

    def _asked(
        self, kind: str, jobs: Mapping[K, Job[T | Unparsed]], leads: Mapping[K, str]
    ) -> dict[K, T | Unparsed]:
        """The answer to each question; until one of a kind was answered, its first one goes alone."""
        known = {key: self._kept[key] for key in jobs if key in self._kept}
        todo = {key: self._watched(kind, key, job) for key, job in jobs.items() if key not in known}
        found = self._server.run_each(
            list(todo.values()), [leads[key] for key in todo], first_alone=kind not in self._settled
        )
        self._kept.clear()
        return known | dict(zip(todo, found, strict=True))

    def _watched(self, kind: str, key: K, job: Job[T]) -> Job[T]:
        """The job, which raises EngineChanged where what it learns makes another engine than was told."""

        async def watched(session: Session) -> T:
            answer = await job(session)
            self._settled.setdefault(kind, session.url)
            if self._told is not None and self._told != self._engine():
                self._kept = {key: answer}
                raise EngineChanged(
                    f"{self._server.url}: it now answers as {self._engine().backend}, which is another judge "
                    f"than {self._told.backend}. Run the same again."
                )
            return answer

        return watched

    def _texts(self, prompts: Sequence[Prompt], lines: Sequence[str]) -> list[ChatText | Unparsed]:
        settings = self._settings
        return chat_texts(prompts, lines, settings.max_prompt_tokens, settings.overflow, settings.strict)

    def _completion_job(
        self, text: ChatText, prompt: Prompt, decoding: dict[str, Any]
    ) -> Job[Completion | Unparsed]:
        async def job(session: Session) -> Completion | Unparsed:
            reply = await self._whole_reply(session, text, decoding, prompt.name, "complete")
            if reply.refusal or not (reply.is_ended or _says_something(reply)):
                return _unread([reply], reply.refusal or _cut(reply), text)
            words = without_start(reply.text, prompt.reply_start)
            tokens = reply.tokens_in, reply.tokens_out
            return Completion(words, *tokens, reply.is_ended, text.is_trimmed, text.cut)

        return job

    def _choice_job(self, question: _Question, name: str) -> Job[ChoiceProbabilities | Unparsed]:
        async def job(session: Session) -> ChoiceProbabilities | Unparsed:
            asks = self._habits.gives_probabilities
            answer = await self._by_logprobs(session, question, name) if asks else None
            return answer or await self._by_votes(session, question, name)

        return job

    async def _by_logprobs(
        self, session: Session, question: _Question, name: str
    ) -> ChoiceProbabilities | Unparsed | None:
        """The choice by log-probabilities; None if the server gives none for it."""
        asked = {"temperature": 0, "logprobs": True, "top_logprobs": TOP_LOGPROBS} | _limit(question.form)
        reply = await self._whole_reply(session, question.text, asked, name, "choose", question.form)
        if why := _why_unread(reply, question.form):
            return _unread([reply], why, question.text)
        if not self._habits.gives_probabilities:  # the server refused them, and was asked without
            return None
        if reply.tokens is None:
            # An empty reply says nothing about the next one.
            return self._without_logprobs(session, reply, question) if _says_something(reply) else None
        self._gave_logprobs = self._gave_logprobs or session.url
        stated = find_choice(reply.text, question.form)
        if stated is None:
            return _unread([reply], _no_choice([reply], question.form), question.text)
        spelled = find_choice("".join(token.text for token in reply.tokens), question.form)
        if spelled is None or spelled.choice != stated.choice:
            return None
        if all(len(token.alternatives) < 2 for token in reply.tokens):
            if "choose" not in self._settled:  # a later reply says nothing of the others
                self._habits = replace(self._habits, has_alternatives=False)
            return None
        probabilities = choice_probabilities(reply.tokens, question.form)
        return None if probabilities is None else _chosen(probabilities, [reply], question)

    def _without_logprobs(self, session: Session, reply: ChatReply, question: _Question) -> Unparsed | None:
        """None where it gives none at all, which is learnt: shares of replies are another judge's.

        Raises AnotherJudge where another address has given some.
        """
        if not self._gave_logprobs:
            left_out = self._habits.left_out | {"logprobs", "top_logprobs"}
            self._habits = replace(self._habits, left_out=left_out)
            return None
        if session.url != self._gave_logprobs:
            raise AnotherJudge(
                f"{session.url}: it gives no log-probabilities as {self._gave_logprobs} does, and would be "
                "another judge."
            )
        return _unread([reply], "the server gave no log-probabilities this time", question.text)

    async def _by_votes(
        self, session: Session, question: _Question, name: str
    ) -> ChoiceProbabilities | Unparsed:
        """The choice by the shares of some replies; only their tokens are counted.

        Whether log-probabilities were asked for before depends on which prompt was refused first, and a
        repeated run must give equal counts.
        """

        def vote(seed: int) -> Coroutine[Any, Any, ChatReply]:
            asked = {"temperature": 1, "seed": seed} | _limit(question.form)
            return self._whole_reply(session, question.text, asked, name, "choose", question.form)

        n_alone = 0 if "choose" in self._settled else 1  # so that a refusal is met once
        replies = [await vote(seed) for seed in range(n_alone)]
        replies += await all_of(vote(seed) for seed in range(n_alone, SAMPLES))
        whole = [reply for reply in replies if not _why_unread(reply, question.form)]
        if not whole:
            return _unread(replies, _why_unread(replies[0], question.form), question.text)
        stated = [find_choice(reply.text, question.form) for reply in whole]
        votes = [one.choice for one in stated if one is not None]
        if not votes:
            return _unread(replies, _no_choice(replies, question.form), question.text)
        if 2 * len(votes) <= len(replies):
            what = f"only {len(votes)} of {len(replies)} replies state a choice"
            return _unread(replies, what, question.text)
        shares = tuple(votes.count(choice) / len(votes) for choice in question.form.choices)
        return _chosen(shares, replies, question)

    async def _whole_reply(
        self,
        session: Session,
        text: ChatText,
        decoding: Mapping[str, Any],
        name: str,
        kind: str,
        form: ReplyForm | None = None,
    ) -> ChatReply:
        """The reply, asked for again with room for thinking where it was cut off before it said anything.

        Where a choice is asked for, a reply that goes on after it has not said its last word either, unless
        it is how the reply begins. After the first such reply all of its kind get the room at once. No reply
        that ends changes by it, so that it is no part of the engine.
        """
        asked_for = kind, form is not None and form.is_opening
        had_room = asked_for in self._with_room
        reply = await self._reply(session, text, decoding, name, kind, ROOM if had_room else 0)
        if reply.is_ended or reply.refusal or had_room or _is_enough(reply, form):
            return reply
        self._with_room.add(asked_for)
        return await self._reply(session, text, decoding, name, kind, ROOM)

    async def _reply(
        self, session: Session, text: ChatText, decoding: Mapping[str, Any], name: str, kind: str, room: int
    ) -> ChatReply:
        """The reply to a request that the server takes. What it refuses is learnt once it takes the rest."""
        messages = [{"role": role, "content": content} for role, content in text.messages]
        asked = {"model": self._name, "messages": messages, **decoding}
        habits = self._habits
        while True:
            wanted = asked | {"max_tokens": decoding["max_tokens"] + room}
            body = habits.applied(wanted)
            try:
                reply = await session.ask("/chat/completions", body, read_reply, name)
            except Blocked as blocked:
                if not (room and blocked.reason.startswith(TOO_LONG)):
                    raise
                room = room // 2 if room > LEAST_ROOM else 0  # the prompt may fit with less room after it
            except (NoCredit, Unreplied):
                raise
            except (Refused, NoAccess) as refused:
                if WANTS_MORE.search(refused.said):  # it was cut off, and nothing of it is shown
                    return ChatReply("", None, "", is_ended=False, tokens_in=0, tokens_out=0)
                taught = habits.after(refused.said, refused.parameter, body)
                if taught.applied(wanted) == body:
                    raise
                habits = taught
            else:
                self._learn(session, kind, habits)
                return reply

    def _learn(self, session: Session, kind: str, habits: Habits) -> None:
        """Keeps what an address has taught. Raises AnotherJudge where another one answers without it."""
        joined = self._habits.joined(habits)
        first = self._settled.get(kind, session.url)
        if joined != self._habits and first != session.url:
            raise AnotherJudge(
                f"{session.url}: it would answer as {backend_name(WAY, joined.names)}, another judge than "
                f"{self._engine().backend} at {first}."
            )
        self._habits = joined


def _limit(form: ReplyForm) -> dict[str, int]:
    return {"max_tokens": SPARE_TOKENS + max(map(len, form.shown()))}  # a token is at least a character


def _says_something(reply: ChatReply) -> bool:
    """Whether a reply holds more than thinking."""
    return bool(spoken(reply.text).strip())


def _is_enough(reply: ChatReply, form: ReplyForm | None) -> bool:
    """Whether a reply that was cut off says what is wanted: how it begins, or, as free text, anything."""
    return _says_something(reply) if form is None else opening_choice(reply.text, form) is not None


def _why_unread(reply: ChatReply, form: ReplyForm) -> str:
    """Why a reply states no choice, whatever its text is; "" where that depends on its text."""
    return reply.refusal or ("" if reply.is_ended or _is_enough(reply, form) else _cut(reply))


def _cut(reply: ChatReply) -> str:
    return f"the reply was cut off at {reply.tokens_out} tokens"


def _no_choice(replies: Sequence[ChatReply], form: ReplyForm) -> str:
    where = "the reply" if len(replies) == 1 else f"any of {len(replies)} replies"
    return f"no {' or '.join(form.shown())} in {where}"


def _raw(replies: Sequence[ChatReply]) -> str:
    """What came back, equal replies once."""
    return "\n\n".join(dict.fromkeys(reply.text for reply in replies))


def _chosen(
    probabilities: tuple[float, ...], replies: Sequence[ChatReply], question: _Question
) -> ChoiceProbabilities:
    return ChoiceProbabilities(
        probabilities,
        sum(reply.tokens_in for reply in replies),
        sum(reply.tokens_out for reply in replies),
        question.text.is_trimmed,
        _raw(replies),
        question.text.cut,
    )


def _unread(replies: Sequence[ChatReply], reason: str, text: ChatText) -> Unparsed:
    return Unparsed(
        reason=reason,
        raw=_raw(replies),
        tokens_in=sum(reply.tokens_in for reply in replies),
        tokens_out=sum(reply.tokens_out for reply in replies),
        is_trimmed=text.is_trimmed,
        cut=text.cut,
    )
