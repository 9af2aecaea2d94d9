"""What files of whole conversations share: two in a row are a pair; one in a row is a model's answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from judge.forms.answers import compared
from judge.forms.conversation import (
    Conversation,
    asked,
    conversation_of,
    listed,
    plain_text_of,
    refuse_unreadable,
)
from judge.forms.form import (
    SAID_OF_PAIR,
    Answer,
    Answers,
    Comparison,
    Entry,
    Imported,
    Side,
    each,
    given_id,
    imported,
    optional_name,
    rest_of,
    said_of_pair,
    with_metadata,
)
from judge.io.criteria import criteria_in
from judge.io.pairs import LONG_FORM, SHORT_FORM, metadata_of
from judge.io.rows import Wrong, found
from judge.io.usable import Unusable
from judge.io.values import optional_text, text

USED = ("id", "model", *SAID_OF_PAIR, "system", "tools", "functions")


def read_dialogues(entries: Sequence[Entry], column: str) -> Imported:
    """Pairs of rows with conversation_a and conversation_b, else of every two models' conversations.

    Args:
        column: where a row has its one conversation.

    Raises:
        BadLines: a row has neither.
        Wrong: all conversations are of one model.
    """
    if any(is_of_two(entry.cells) for entry in entries):
        comparisons, left_out = each(entries, comparison_of)
    else:
        answers, left_out = read_answers(entries, column)
        comparisons = compared(answers, left_out)
    return imported(comparisons, left_out, voter="label")


def read_answers(entries: Sequence[Entry], column: str) -> Answers:
    """What each model said at the end of its conversation. Raises BadLines for a row of two conversations."""
    return each(entries, lambda entry: answer_of(entry, column))


def is_of_two(cells: Mapping[str, Any]) -> bool:
    return all(name in cells for name in LONG_FORM)


def comparison_of(entry: Entry) -> Comparison:
    """A pair of our own, but for the spelling of its messages: a stays a."""
    cells = entry.cells
    refuse_unreadable(cells)
    under = Conversation((), optional_text(cells, "system"))
    a, b = (under.then(one) for one in conversations_of(cells))
    return Comparison(
        Side(a),
        Side(b),
        id=given_id(cells),
        category=optional_text(cells, "category") or None,
        reference=optional_text(cells, "reference") or None,
        metadata=metadata_of(with_metadata(cells)),
        is_in_order=True,
        criteria=criteria_in(cells),
    )


def conversations_of(cells: Mapping[str, Any]) -> Sequence[Conversation]:
    if any(name in cells for name in LONG_FORM):
        return [conversation_of(cells.get(name), name) for name in LONG_FORM]
    if any(cells.get(name) is None for name in SHORT_FORM):
        raise Wrong(f"found {found(cells)}. A pair needs {', '.join(LONG_FORM)} or {', '.join(SHORT_FORM)}.")
    prompt, *answers = (text(cells[name], name) for name in SHORT_FORM)
    return [asked(prompt).answered(answer) for answer in answers]


def answer_of(entry: Entry, column: str) -> Answer:
    cells = entry.cells
    if column not in cells:
        raise Wrong(f"found {found(cells)}. A conversation needs {column}, a pair {', '.join(LONG_FORM)}.")
    refuse_unreadable(cells)
    conversation = Conversation((), plain_text_of(cells.get("system"))).then(
        conversation_of(cells[column], column)
    )
    conversation.check()
    return Answer(
        conversation.context,
        conversation.messages[-1].content,
        model=optional_name(cells.get("model")) or "",
        file=entry.file,
        where=entry.where,
        metadata=rest_of(cells, *USED, column),
        **said_of_pair(cells),
    )


def any_message(cells: Mapping[str, Any], columns: Sequence[str], fits: Callable[[Any], bool]) -> bool:
    """Whether a message in one of these columns is of a kind; in a text that is no list in JSON none is."""
    values = []
    for name in columns:
        with suppress(Unusable):
            values.append(listed(cells.get(name)))
    return any(fits(item) for value in values if isinstance(value, list) for item in value)
