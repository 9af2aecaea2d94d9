"""What code hands to the judge: texts and messages, understood or refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from judge.errors import InputError
from judge.io.rows import SURROGATE, shown
from judge.records import Criterion, HumanVote, Message, Pair, Verdict

T = TypeVar("T")

SYSTEM_ROLES = ("system", "developer")
CALLS = ("tool_calls", "function_call")
MESSAGES = "It must be text, or a list of messages with role and content."
READ_BY = {Pair: "read_pairs", HumanVote: "read_votes", Verdict: "read_verdicts"}
"""The function that makes a list of each of these of a file."""

NEEDS_QUESTION = "A comparison needs the question that was answered."


def text_given(value: Any, name: str) -> str:
    """The text, or the joined text parts of an OpenAI-style content list. Raises InputError."""
    if isinstance(value, list | tuple) and value:
        return "".join(part_given(part, f"{name}, part {n}") for n, part in enumerate(value, start=1))
    check_text(value, name)
    return str.__str__(value)  # of an Enum its value, and of any subclass a plain text


def check_text(value: Any, name: str) -> None:
    """Raises InputError where it is no text, or has half a character in it."""
    if not isinstance(value, str):
        raise InputError(f"{name} is {described(value)}. It must be text.")
    if not value.isascii() and (odd := SURROGATE.search(value)):
        raise InputError(
            f"{name} has \\u{ord(odd[0]):04x}, which stands alone and is only half a character. "
            "Remove or complete it."
        )


def check_pair(pair: Pair, name: str) -> None:
    """Raises InputError where a part of a pair that was made in Python is no text."""
    check_text(pair.id, f"{name}: id")
    optional = {"category": pair.category, "reference": pair.reference, "system": pair.system}
    for part, value in optional.items():
        if value is not None:
            check_text(value, f"{name}: {part}")
    for side, conversation in (("a", pair.conversation_a), ("b", pair.conversation_b)):
        check_conversation(conversation, name, f"response_{side}")
    for number, criterion in enumerate(pair.criteria, start=1):
        if not isinstance(criterion, Criterion):
            raise InputError(f"{name}: criterion {number} is {described(criterion)}. It must be a Criterion.")


def check_conversation(conversation: Any, name: str, answer: str) -> None:
    """Raises InputError where these are no messages that end in an answer, which is called so."""
    is_some = isinstance(conversation, list | tuple) and len(conversation) > 0
    if not is_some or not all(isinstance(one, Message) for one in conversation):
        raise InputError(
            f"{name}: a conversation is {described(conversation)}. It must be a list of Messages."
        )
    for number, message in enumerate(conversation, start=1):
        is_last = number == len(conversation)
        what = f"{name}: {answer if is_last else f'message {number}'}"
        check_text(message.content, what)
        roles = ("assistant",) if is_last else ("user", "assistant")
        if message.role not in roles:
            hint = " System text is the pair's own." if message.role == "system" else ""
            raise InputError(f"{what} has role {shown(message.role)}. It must be {' or '.join(roles)}.{hint}")


def listed(given: Any, kind: type[T], name: str) -> list[T]:
    """What was given, if it is a list of pairs, votes or verdicts. Raises InputError."""
    must = f"It must be a list of {kind.__name__}s."
    if isinstance(given, str | Path):
        raise InputError(f"{given}: this is the name of a file. Give what {READ_BY[kind]} makes of it.")
    if isinstance(given, kind):
        raise InputError(f"{name} is one {kind.__name__}. {must}")
    some = items_of(given, name, must)
    for number, one in enumerate(some, start=1):
        if not isinstance(one, kind):
            raise InputError(f"{name}, item {number} is {described(one)}. {must}")
    return some


def items_of(given: Any, name: str, must: str) -> list[Any]:
    """What is in a list, or in anything else that gives one item after another. Raises InputError."""
    if isinstance(given, str | bytes | Mapping | Message) or not isinstance(given, Iterable):
        raise InputError(f"{name} is {described(given)}. {must}")
    return list(given)


def answered(given: Any, name: str) -> tuple[tuple[Message, ...], str | None]:
    """The conversation that ends in an answer, without its system's message, and that one's text.

    Raises:
        InputError: it is no list of messages, or does not end in the assistant's.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Sequence):
        raise InputError(
            f"{name} is {described(given)}. It must be a list of messages that ends in an answer."
        )
    messages = [message_given(one, f"{name}, message {n}") for n, one in enumerate(given, start=1)]
    system = messages.pop(0).content if messages and messages[0].role == "system" else None
    check_conversation(messages, name, "answer")
    return tuple(messages), system


def part_given(part: Any, name: str) -> str:
    if not isinstance(part, Mapping):
        raise InputError(
            f"{name} is {described(part)}. It must be a text part: {{'type': 'text', 'text': ...}}."
        )
    kind = part.get("type", "text")
    if kind not in ("text", "input_text", "output_text"):
        raise InputError(f"{name} is of type {shown(kind)}. The judge reads text alone.")
    if not isinstance(part.get("text"), str):
        raise InputError(f"{name}: its text is {described(part.get('text'))}. It must be text.")
    return text_given(part["text"], name)


def optional_given(value: Any, name: str) -> str | None:
    return None if value is None else text_given(value, name)


def asked(prompt: Any) -> tuple[str | None, str | tuple[Message, ...]]:
    """The system text that a list of messages starts with, None without one, and what was asked.

    Raises:
        InputError: it is neither text nor a conversation that ends in a question.
    """
    if isinstance(prompt, str):
        text = text_given(prompt, "prompt")
        if not text.strip():
            raise InputError(f"prompt is empty. {NEEDS_QUESTION}")
        return None, text
    if isinstance(prompt, bytes | bytearray | Mapping) or not isinstance(prompt, Sequence):
        raise InputError(f"prompt is {described(prompt)}. {MESSAGES}")
    messages = [message_given(one, f"prompt, message {n}") for n, one in enumerate(prompt, start=1)]
    n_system = next((n for n, one in enumerate(messages) if one.role != "system"), len(messages))
    system = "\n\n".join(one.content for one in messages[:n_system]) if n_system else None
    rest = tuple(messages[n_system:])
    for number, message in enumerate(rest, start=n_system + 1):
        if message.role == "system":
            raise InputError(
                f"prompt, message {number} is a system message after others. It must be the first."
            )
    if not rest or rest[-1].role != "user":
        last = f"ends with role {rest[-1].role}" if rest else "has no question"
        raise InputError(f"prompt {last}. A conversation must end in a message with role user: the question.")
    if not rest[-1].content.strip():
        raise InputError(f"prompt ends in an empty message. {NEEDS_QUESTION}")
    return system, rest


def message_given(one: Any, name: str) -> Message:
    if isinstance(one, Message):
        one = {"role": one.role, "content": one.content}
    if not isinstance(one, Mapping):
        raise InputError(f"{name} is {described(one)}. It must be an object with role and content.")
    role = one.get("role")
    if role not in ("user", "assistant", *SYSTEM_ROLES):
        raise InputError(
            f"{name} has role {shown(role)}. It must be user or assistant, or system in the first."
        )
    if call := next((key for key in CALLS if one.get(key)), None):
        raise InputError(
            f"{name} has {call}, which the judge would not see. Leave it out, or put it into words."
        )
    return Message(
        "system" if role in SYSTEM_ROLES else ("user" if role == "user" else "assistant"),
        text_given(one.get("content"), f"{name}, content"),
    )


def one_system(in_prompt: str | None, given: Any) -> str | None:
    """The system text of the messages or of the argument. Raises InputError where they differ."""
    own = optional_given(given, "system")
    if None not in (in_prompt, own) and in_prompt != own:
        raise InputError("system differs from the prompt's system message. Keep one of them.")
    return in_prompt if own is None else own


def described(value: Any) -> str:
    """What was given, on one line: its type, and for plain values the value."""
    if value is None:
        return "None"
    kind = type(value).__name__
    if isinstance(value, bool | int | float | bytes):
        return f"{shown(value)} ({kind})"
    if isinstance(value, list | tuple | dict | set) and not value:
        return f"an empty {kind}"
    return f"of type {kind}"
