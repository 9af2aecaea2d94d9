"""Prompts as plain chat text, and the choice in a plain chat reply: for servers that take no token ids.

The words that this file adds to a prompt are in no prompt file and so in no fingerprint. Changing them makes
another judge: then the name "server-chat" has to change too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from judge.backends.tokens import TRIM_MARK, common_limit, too_long
from judge.errors import PromptTooLong
from judge.io.values import MOST_TOKENS
from judge.prompts.parsing import BLANK, blanked_thinking, meant_of, spoken, thought
from judge.records import RESPONSES, Cut, Prompt, Span, Unparsed

CHARACTERS_PER_TOKEN = 3  # with no tokenizer at hand; English has about four, so this errs on the safe side
SPACES = " \t\r\n\u2581\u0120\u010a"  # the last three are how some servers print a token's space or newline

# What chat templates and tokenizers are known to read as markup, besides everything in <|...|>.
TAGS = (
    "s bos eos pad unk mask cls sep sop eop image audio video __media__ SYS start_of_turn end_of_turn "
    "start_of_image end_of_image start_header_id end_header_id tool tools tool_call tool_calls tool_response "
    "tool_responses function_call function_response think thinking thought reasoning end_of_sentence"
)
BRACKETS = (
    "INST SYS SYSTEM_PROMPT AVAILABLE_TOOLS TOOL_CALLS TOOL_RESULTS TOOL_CONTENT ARGS THINK IMG IMG_END "
    "PREFIX CALL_ID gMASK"
)
MARKUP = (
    (re.compile(r"<(?=[|\uff5c])"), "< "),
    (re.compile(r"([|\uff5c])(?=>)"), r"\1 "),
    (re.compile(rf"<(?=<?/?(?:{'|'.join(TAGS.split())})\s*/?>)", re.IGNORECASE), "< "),
    (re.compile(rf"\[(?=/?(?:{'|'.join(BRACKETS.split())})\])", re.IGNORECASE), "[ "),
    (re.compile(r"\[(?=/?\|)"), "[ "),
    (
        re.compile(
            r"<(?=/?(?:unused\d|(?:reserved|extra_id|special)_\d|(?:seed:|longcat_)\w)[^<>\s]{0,20}>)", re.I
        ),
        "< ",
    ),
    (re.compile("\u25c1(?=/?think\u25b7)", re.IGNORECASE), "\u25c1 "),
    (re.compile(r"\[(?=UNUSED_TOKEN_\d+\])"), "[ "),
)

IMPOSSIBLE = -9990.0  # some servers say -9999 where others say nothing
MOST_TOKENS_OF_AN_ANSWER = MOST_TOKENS // 2**10  # a reading may add up those of many answers
HARDLY_OTHERS = 0.02  # share of the tokens that may become another choice, up to which they change nothing

CUT = ("length", "max_tokens", "model_length", "max_output_tokens")
"""Finish reasons, in lower case, of a reply that reached its limit."""
FAILED = (
    "error",
    "abort",
    "aborted",
    "cancelled",
    "canceled",
    "insufficient_system_resource",
    "interrupted",
    "network_error",
    "time_limit",
    "timeout",
)
"""The same of a reply that the server broke off, which is asked for again."""
FILTERED_REPLIES = ("content_filter", "safety", "prohibited_content", "blocklist", "recitation")
FILTERED = "the server's content filter blocks the reply"
THINKING_FIELDS = ("reasoning_content", "reasoning", "thinking")
THINKING_PARTS = ("thinking", "reasoning", "reasoning_content")
TEXT_PARTS = ("text", "output_text")


@dataclass(frozen=True, slots=True)
class ChatText:
    """A prompt as (role, text) messages, which say in plain words what form the reply must have.

    `cut` is None where the whole prompt fitted.
    """

    messages: tuple[tuple[str, str], ...]
    cut: Cut | None

    @property
    def is_trimmed(self) -> bool:
        return self.cut is not None


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a reply, and (text, log-probability) of each token possible there, itself included."""

    text: str
    alternatives: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class ChatReply:
    """A chat reply, with what was thought before it; `tokens` is None without log-probabilities.

    `refusal` is why it states nothing, whatever it says: the model refuses, or its server blocks the reply.
    """

    text: str
    tokens: tuple[Token, ...] | None
    refusal: str
    is_ended: bool
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class ReplyForm:
    """How a reply states a choice: the choices, and the words around one."""

    choices: tuple[str, ...]
    start: str
    end: str

    def shown(self) -> tuple[str, ...]:
        """Each choice as the whole reply that states it."""
        return tuple(f"{self.start}{choice}{self.end}" for choice in self.choices)

    @property
    def is_opening(self) -> bool:
        """Whether no words stand around the choice, so that a reply may begin with it and go on."""
        return not (self.start or self.end)


@dataclass(frozen=True, slots=True)
class Stated:
    """A choice that a reply states, the character at which it does, and the words that end it there."""

    choice: str
    place: int
    end: str


def neutralised(text: str) -> str:
    """The text with a space put into whatever a server could read as chat markup, otherwise unchanged."""
    for markup, plain in MARKUP:
        text = markup.sub(plain, text)
    return text


def whole_characters(text: str) -> str:
    """The text with lone surrogates replaced, which neither a request nor the ledger can carry."""
    return text.encode("utf-8", "replace").decode()


def choice_line(form: ReplyForm) -> str:
    """Our words that ask for the form of a reply with a choice, as we cannot begin the reply ourselves."""
    *others, last = [f'"{reply}"' for reply in form.shown()]
    return f"Begin your reply with {', '.join(others)} or {last}." if others else start_line(form.shown()[0])


def start_line(reply_start: str) -> str:
    """Our words that say how a free reply must begin, or "" if it may begin in any way."""
    return f'Begin your reply with "{reply_start.strip()}".' if reply_start.strip() else ""


def without_start(reply: str, reply_start: str) -> str:
    """The reply without the words that it was asked to begin with; what was thought before them stays."""
    at = re.match(rf"[\s{BLANK}]*", blanked_thinking(reply)).end()  # type: ignore[union-attr]
    before, said = reply[:at], reply[at:]  # what was thought, or spaces
    for start in (reply_start, reply_start.strip()):
        if start.strip() and said.startswith(start.lstrip()):
            return (before if before.strip() else "") + said[len(start.lstrip()) :]
    return reply


def chat_texts(
    prompts: Sequence[Prompt],
    lines: Sequence[str],
    max_prompt_tokens: int,
    overflow: str,
    is_strict: bool = False,
) -> list[ChatText | Unparsed]:
    """The prompts as chat text, each with its line added to the last user message.

    The length in tokens is estimated from the characters; too long ones are shortened like token ids are,
    and Unparsed where they cannot be.

    Raises:
        PromptTooLong: with `is_strict`; names every prompt that does not fit.
    """
    room = max_prompt_tokens * CHARACTERS_PER_TOKEN
    fitted = [_chat_text(prompt, line, room, overflow) for prompt, line in zip(prompts, lines, strict=True)]
    problems = [
        f"{prompt.name or 'a prompt'}: {one}"
        for prompt, one in zip(prompts, fitted, strict=True)
        if isinstance(one, str)
    ]
    if problems and is_strict:
        raise PromptTooLong(problems)
    return [too_long(one) if isinstance(one, str) else one for one in fitted]


class NoReply(ValueError):
    """A server's answer is whole, but there is no reply in it."""


def read_reply(answer: Any) -> ChatReply:
    """The reply in a server's answer.

    Raises:
        NoReply: there is none.
        LookupError, TypeError, ValueError, AttributeError: the answer is of another form.
    """
    if not answer["choices"] and answer.get("prompt_filter_results"):
        return filtered(answer)
    if not answer["choices"]:
        raise NoReply("the server sends no reply")
    choice = answer["choices"][0]
    finish = str(choice.get("finish_reason") or "").lower()
    if choice.get("error") or finish in FAILED:
        raise NoReply("the server failed while it replied")
    if choice.get("message") is None and finish.startswith(FILTERED_REPLIES):
        return filtered(answer)
    message = choice["message"]
    if message is None:
        raise NoReply("the server sends no reply")
    text, refusal = _content(message.get("content"))
    thinking = "" if spoken(text) != text else _thinking(message)
    refused = whole_characters(str(message.get("refusal") or refusal))
    why = f"the model refuses: {' '.join(refused.split())}" if refused else ""
    if not refused and finish.startswith(FILTERED_REPLIES):
        why = FILTERED
    return ChatReply(
        text=whole_characters(thought(thinking) + text) or refused,
        tokens=_read_tokens(choice.get("logprobs")),
        refusal=why,
        is_ended=finish not in CUT,
        tokens_in=usage_of(answer, "prompt_tokens"),
        tokens_out=usage_of(answer, "completion_tokens"),
    )


def filtered(answer: Any) -> ChatReply:
    """The reply of a server whose filter left nothing of it."""
    counts = usage_of(answer, "prompt_tokens"), usage_of(answer, "completion_tokens")
    return ChatReply("", None, FILTERED, True, *counts)


def usage_of(answer: Any, *names: str) -> int:
    """A count of tokens in the answer's usage; 0 where there is none, or a number that is no such count."""
    found = answer.get("usage")
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return int(found) if is_number and 0 <= found <= MOST_TOKENS_OF_AN_ANSWER else 0


def _content(content: Any) -> tuple[str, str]:
    """The text of a message's content, which may be parts, one or a list of them, and their refusal."""
    if not isinstance(content, dict | list):
        return _joined(content), ""
    found = content if isinstance(content, list) else [content]
    parts = [{"type": "text"} | (part if isinstance(part, dict) else {"text": part}) for part in found]
    thinking = "".join(_joined(part) for part in parts if part.get("type") in THINKING_PARTS)
    text = "".join(_joined(part) for part in parts if part.get("type") in TEXT_PARTS)
    return thought(thinking) + text, "".join(str(part.get("refusal") or "") for part in parts)


def _joined(part: Any) -> str:
    """All text in a part of a message: Mistral's thinking is a list of parts in its turn."""
    if isinstance(part, list):
        return "".join(map(_joined, part))
    if isinstance(part, dict):
        return "".join(_joined(part[name]) for name in ("text", *THINKING_FIELDS) if part.get(name))
    return "" if part is None else str(part)


def _thinking(message: Any) -> str:
    """What a server sent of the model's thinking in a field of its own."""
    found = (message.get(name) for name in THINKING_FIELDS)
    return next((text for text in found if isinstance(text, str) and text.strip()), "")


def _read_tokens(logprobs: Any) -> tuple[Token, ...] | None:
    """None also where they are of a form that is not known, or no log-probabilities."""
    try:
        return tuple(map(_read_token, logprobs["content"])) or None
    except (LookupError, TypeError, AttributeError, ValueError):
        return None


def _read_token(given: Any) -> Token:
    """A token with its alternatives, among which servers need not list the token itself.

    Those that a server calls impossible are none: it has made up their number.
    """
    listed = [(str(one["token"]), as_logprob(one["logprob"])) for one in given.get("top_logprobs") or ()]
    text = str(given["token"])
    if all(text != other for other, _ in listed):
        listed.append((text, as_logprob(given["logprob"])))
    possible = {other: number for other, number in reversed(listed) if other == text or number > IMPOSSIBLE}
    return Token(text, tuple(reversed(possible.items())))


def as_logprob(number: Any) -> float:
    """A log-probability, minus infinity for null. Raises ValueError where it is not a number."""
    if number is None:
        return -math.inf
    try:
        value = number + 0.0
    except OverflowError:  # a whole number of hundreds of digits
        value = math.nan
    if math.isnan(value) or value > 1e-3:
        raise ValueError(f"{value} is no log-probability")
    return float(value)


def find_choice(reply: str, form: ReplyForm) -> Stated | None:
    """The last choice stated in the form asked for, else the only one in double brackets; None without one.

    A choice without words around it counts first of all where the reply begins with it. What was only thought
    states none, and of two different ones in a sentence the one counts that it puts above the other
    (`meant_of`).
    """
    if opening := opening_choice(reply, form):
        return opening
    reply = blanked_thinking(reply)
    start, end = form.start.strip(), form.end.strip()
    if found := _enclosed(reply, form, start, end):
        meant = meant_of(reply, found)
        return None if meant is None else Stated(meant[1], meant.start(1), end)
    found = _enclosed(reply, form, "[[", "]]")
    if len({one[1] for one in found}) != 1:  # of several, nothing says which one was asked for
        return None
    return Stated(found[-1][1], found[-1].start(1), "]]")


def _enclosed(reply: str, form: ReplyForm, start: str, end: str) -> list[re.Match[str]]:
    """Every place where a choice stands between these words."""
    before = re.escape(start) if start else r"(?<!\w)"
    after = re.escape(end) if end else r"(?!\w)"
    return list(re.finditer(rf"{before}\s*({_any_of(form)})\s*{after}", reply))


def opening_choice(reply: str, form: ReplyForm) -> Stated | None:
    """The choice that a reply begins with, whether or not it was cut after it; None where words stand around
    a choice, or the reply begins with none."""
    if not form.is_opening:
        return None
    no_word_goes_on = r"(?:(?<!\w)|(?!\w))"
    found = re.match(rf"[\s{BLANK}]*({_any_of(form)}){no_word_goes_on}", blanked_thinking(reply))
    return Stated(found[1], found.start(1), form.end) if found else None


def _any_of(form: ReplyForm) -> str:
    """A pattern of the form's choices, the longest first."""
    return "|".join(map(re.escape, sorted(form.choices, key=len, reverse=True)))


def choice_probabilities(tokens: Sequence[Token], form: ReplyForm) -> tuple[float, ...] | None:
    """Probabilities of the choices at the place of the last one that the tokens state; they sum to 1.

    They are those of the token that covers the choice, and of that token with each other choice in its place.
    One that is not among the token's alternatives gets 0. None where the place cannot be found, or has no
    alternatives: then nothing is known of the choices that were not made.
    """
    stated = find_choice("".join(token.text for token in tokens), form)
    if stated is None:
        return None
    token, offset = _token_at(tokens, stated.place)
    if len(token.alternatives) < 2:
        return None
    before = token.text[:offset]
    masses = {
        choice: sum(
            math.exp(logprob)
            for text, logprob in token.alternatives
            if _states(text, before + choice, stated.end)
        )
        for choice in form.choices
    }
    if not masses[stated.choice]:
        return None  # a choice of several tokens: its first one alone does not say which it will be
    open_mass = sum(
        math.exp(logprob)
        for text, logprob in token.alternatives
        if any(_begins(text, before + choice) for choice in form.choices if choice != stated.choice)
    )
    if open_mass > HARDLY_OTHERS * sum(masses.values()):
        return None  # nor does one that may go on to another choice
    return tuple(masses[choice] / sum(masses.values()) for choice in form.choices)


def _token_at(tokens: Sequence[Token], place: int) -> tuple[Token, int]:
    """The token that covers a character of the joined text, and where in the token that character is."""
    for token in tokens:
        if place < len(token.text):
            return token, place
        place -= len(token.text)
    raise IndexError("the place lies behind the last token")


def _states(token: str, wanted: str, end: str) -> bool:
    """Whether a token is `wanted`, with any space before it and maybe a part of what follows it."""
    token, wanted = token.lstrip(SPACES), wanted.lstrip(SPACES)
    rest = token[len(wanted) :].rstrip(SPACES)
    return token.startswith(wanted) and (end.startswith(rest) or (bool(end) and rest.startswith(end)))


def _begins(token: str, wanted: str) -> bool:
    """Whether a token is a beginning of `wanted`, and not all of it."""
    token, wanted = token.strip(SPACES), wanted.lstrip(SPACES)
    return bool(token) and len(token) < len(wanted) and wanted.startswith(token)


def _chat_text(prompt: Prompt, line: str, room: int, overflow: str) -> ChatText | str:
    """The prompt as chat text, or the one line that says why it does not fit."""
    pieces = [(role, [_piece(span) for span in spans]) for role, spans in prompt.messages]
    ending = f"\n\n{line}" if line else ""
    length = len(ending) + _size_of(pieces)
    cut = None
    if length > room:
        limit = _limit(pieces, room - len(ending)) if overflow == "trim" else 0
        if limit <= len(TRIM_MARK):
            return _refusal(length, room, overflow)
        pieces = [(role, [_shortened(piece, limit) for piece in spans]) for role, spans in pieces]
        cut = Cut(_tokens_in(len(ending) + _size_of(pieces)), _tokens_in(length))
    messages = [(role, "".join(text for _, text in spans)) for role, spans in pieces]
    return ChatText(tuple(_ended_with(ending, messages)), cut)


def _size_of(pieces: Sequence[tuple[str, list[tuple[str, str]]]]) -> int:
    return sum(len(text) for _, spans in pieces for _, text in spans)


def _tokens_in(n_characters: int) -> int:
    """How many tokens so many characters are, estimated and rounded up."""
    return -(-n_characters // CHARACTERS_PER_TOKEN)


def _piece(span: Span) -> tuple[str, str]:
    """(kind, text) of a span; in text that is not ours, markup is defused."""
    text = whole_characters(span.text)
    return span.kind, text if span.kind == "instruction" else neutralised(text)


def _limit(pieces: Sequence[tuple[str, list[tuple[str, str]]]], room: int) -> int:
    """How many characters a response may have so that all fits into `room`; 0 or less if nothing can."""
    texts = [piece for _, spans in pieces for piece in spans]
    others = sum(len(text) for kind, text in texts if kind not in RESPONSES)
    return common_limit([len(text) for kind, text in texts if kind in RESPONSES], room - others)


def _shortened(piece: tuple[str, str], limit: int) -> tuple[str, str]:
    kind, text = piece
    if kind not in RESPONSES or len(text) <= limit:
        return piece
    kept = limit - len(TRIM_MARK)
    tail = kept // 2
    return kind, f"{text[: kept - tail]}{TRIM_MARK}{text[len(text) - tail :]}"


def _refusal(length: int, room: int, overflow: str) -> str:
    n_tokens, limit = _tokens_in(length), _tokens_in(room)
    what = f"about {n_tokens} tokens, the limit is {limit}"
    if overflow == "error":
        return f"{what}. Raise --max-prompt-tokens, or shorten the responses with --overflow trim."
    return f"{what} and the text around the responses alone leaves no room. Raise --max-prompt-tokens."


def _ended_with(ending: str, messages: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The messages with the ending added to the user's last one."""
    last = max((i for i, (role, _) in enumerate(messages) if role == "user"), default=len(messages) - 1)
    return [(role, text + ending if i == last else text) for i, (role, text) in enumerate(messages)]
