"""Which fields of an annotation tool's record are the question and the two answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from judge.forms.conversation import (
    Conversation,
    answer_in,
    asked,
    conversation_of,
    is_transcript,
    messages_or_as_is,
    plain_text_of,
)
from judge.forms.form import Side
from judge.io.rows import Wrong, found
from judge.io.usable import Unusable
from judge.records import Message

QUESTIONS = (
    "prompt",
    "question",
    "instruction",
    "query",
    "input",
    "context",
    "source",
    "chat",
    "conversation",
)
FIRST = re.compile(r"(?P<stem>.*?)(?P<end>1|a|left|first|one)", re.IGNORECASE)
ENDS = {
    "1": tuple(map(str, range(2, 100))),
    "a": tuple("bcdefgh"),
    "left": ("right",),
    "first": ("second", "third", "fourth", "fifth"),
    "one": ("two", "three", "four", "five"),
}
"""How the names of the other answers end, the second one's first, by how the first one's does."""
FURTHER = "answer: a third one or later, which is in no pair"
ANSWER = re.compile(r"response|answer|output|completion|reply|candidate|generation", re.IGNORECASE)
"""What a field with an answer is mostly called."""
NO_ANSWERS = re.compile(r"model|generator|name|score|rating|id$|length|source", re.IGNORECASE)


def sides_of(fields: Mapping[str, Any], where: str) -> tuple[tuple[str, str], tuple[Side, Side]]:
    """The names of the two answers' fields, and both sides.

    Args:
        where: the column with the fields, "" for the row itself; a message's advice needs it.

    Raises:
        Wrong: no two fields are named alike but for 1 and 2, a and b, left and right, or several are and
            none is called an answer; or no field asks.
    """
    both = answer_fields(fields)
    question = question_field(fields)
    if len(both) != 1 or question is None:
        at = f"{where}." if where else ""
        wrong = "there is no field for a prompt"
        if not both:
            wrong = "there is no field for two answers, such as response_1 and response_2"
        elif len(both) > 1:
            wrong = f"the answers may be {' or '.join(' and '.join(names) for names in both)}"
        raise Wrong(
            f"{wrong} (found: {found(fields)}). Name the fields: judge import columns FILE --map "
            f"prompt={at}NAME,response_a={at}NAME,response_b={at}NAME"
        )
    [answers] = both
    before = question_of(fields[question], question)
    more = fields.get("input") if question == "instruction" else None
    if isinstance(more, str) and more.strip() and "input" not in answers:
        before = replace(before, messages=(*before.messages[:-1], with_more(before.messages[-1], more)))
    before = Conversation((), plain_text_of(fields.get("system"))).then(before)
    before = before.without({answer_in(fields[name]) for name in answers})
    first, second = (Side(after(before, fields[name], name)) for name in answers)
    return answers, (first, second)


def with_more(message: Message, more: str) -> Message:
    """An instruction with its input, as AlpacaEval joins them."""
    return Message(message.role, f"{message.content}\n\n{more}")


def question_field(fields: Mapping[str, Any]) -> str | None:
    """The first field that asks something."""
    return next((name for name in QUESTIONS if fields.get(name) not in (None, "")), None)


def answer_fields(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every two fields with text that are named alike but for 1 and 2, a and b, left and right.

    Those that are called answers alone, where there are such.
    """
    names = {name.lower(): name for name in fields}
    both = []
    for name in fields:
        match = FIRST.fullmatch(name)
        if match is None or NO_ANSWERS.search(name):
            continue
        other = names.get(f"{match['stem']}{ENDS[match['end'].lower()][0]}".lower())
        if other and all(is_answer(fields[one]) for one in (name, other)):
            both.append((name, other))
    return [two for two in both if ANSWER.search(two[0])] or both


def is_answer(value: Any) -> bool:
    return isinstance(value, str | list)


def further_answers(fields: Mapping[str, Any], first: str) -> list[str]:
    """Why answers are left out: one reason for each beside the first and the second, named as these are.

    An empty one is none, as a table has it.
    """
    names = {name.lower(): name for name in fields}
    match = FIRST.fullmatch(first)
    if match is None:
        return []
    further = [f"{match['stem']}{end}".lower() for end in ENDS[match["end"].lower()][1:]]
    found = [fields[names[name]] for name in further if name in names]
    return [FURTHER for answer in found if answer and is_answer(answer)]


def are_a_and_b(names: tuple[str, str]) -> bool:
    """Whether the fields of the two answers are called a and b, such as response_a and response_b."""
    return names[0].lower().endswith("a")


def question_of(value: Any, name: str) -> Conversation:
    value = messages_or_as_is(value)
    if isinstance(value, list) or (isinstance(value, str) and is_transcript(value)):
        return conversation_of(value, name)
    if isinstance(value, Mapping) and (value := plain_text_of(value)) is None:
        raise Unusable("a question that is no text")
    return asked(str(value))


def after(before: Conversation, value: Any, name: str) -> Conversation:
    """The conversation that goes on with an answer: a text, or messages."""
    if isinstance(value, str):
        return before.asking().answered(value)
    found = conversation_of(value, name)
    asks = any(message.role == "user" for message in found.messages)
    return (before if asks else before.asking()).then(found)
