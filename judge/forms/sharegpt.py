"""ShareGPT's conversations: messages of from and value, said by human and gpt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from judge.forms.dialogues import any_message, is_of_two, read_answers, read_dialogues
from judge.forms.form import Answers, Entry, Form, Imported, is_pair
from judge.io.pairs import LONG_FORM

COLUMN = "conversations"


def recognises(cells: Mapping[str, Any]) -> bool:
    columns = LONG_FORM if is_of_two(cells) else [] if is_pair(cells) else [COLUMN]
    return any_message(cells, columns, lambda item: isinstance(item, dict) and "from" in item)


def read(entries: Sequence[Entry]) -> Imported:
    """Rows of two conversations as pairs, else every two models' answers to the same messages."""
    return read_dialogues(entries, COLUMN)


def answers(entries: Sequence[Entry]) -> Answers:
    return read_answers(entries, COLUMN)


SHAREGPT = Form("ShareGPT's conversations", recognises, read, answers=answers)
