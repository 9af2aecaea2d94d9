"""OpenAI's messages: roles of systems, developers and tools, content parts, and keys that may be null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from judge.forms.conversation import CALLS, RESULTS
from judge.forms.dialogues import any_message, is_of_two, read_answers, read_dialogues
from judge.forms.form import Answers, Entry, Form, Imported, is_pair
from judge.io.pairs import LONG_FORM

COLUMN = "messages"
OTHER_ROLES = RESULTS | CALLS | {"developer"}


def recognises(cells: Mapping[str, Any]) -> bool:
    if is_of_two(cells):
        return any_message(cells, LONG_FORM, is_of_openai)
    return not is_pair(cells) and any_message(
        cells, [COLUMN], lambda item: isinstance(item, dict) and "role" in item
    )


def is_of_openai(item: Any) -> bool:
    """Whether a message says more than one of our own may say."""
    if not isinstance(item, dict) or not {"role", "content"} & item.keys():
        return False
    role, content = item.get("role"), item.get("content")
    return (
        (isinstance(role, str) and role in OTHER_ROLES)
        or (isinstance(content, list) and all(isinstance(part, dict) for part in content))
        or bool(item.keys() - {"role", "content"})
    )


def read(entries: Sequence[Entry]) -> Imported:
    """Rows of two conversations as pairs, else every two models' answers to the same messages."""
    return read_dialogues(entries, COLUMN)


def answers(entries: Sequence[Entry]) -> Answers:
    return read_answers(entries, COLUMN)


OPENAI = Form("OpenAI's messages", recognises, read, answers=answers)
