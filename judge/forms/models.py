"""Any table or JSON with one column a model: `prompt=question,gpt-4=gpt4_answer,llama`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from judge.errors import InputError
from judge.forms.answers import compared
from judge.forms.columns import conversation_before, plain_text, refuse_unknown, value_at
from judge.forms.conversation import Conversation, plain_text_of
from judge.forms.form import Answer, Answers, Entry, Form, Imported, each, imported, said_of_pair
from judge.io.usable import Unusable, usable

KNOWN = ("prompt", "category", "system", "reference", "criteria")
EXAMPLE = "--map prompt=question,gpt-4=answer_1,llama=answer_2"


def columns_named(mapping: str) -> tuple[dict[str, str], dict[str, str]]:
    """Which columns are the prompt and the like, and which one is each model's; `data.q` is in an object.

    A part without "=" is a model whose column has its name.

    Raises:
        InputError: a name is there twice, there is no prompt, or there are not two models.
    """
    columns: dict[str, str] = {}
    for part in mapping.split(","):
        name, is_given, column = (piece.strip() for piece in part.partition("="))
        if not name or (is_given and not column):
            raise InputError(f"--map: {part!r} names no column. Write {EXAMPLE}.")
        if name in columns:
            raise InputError(f"--map: {name} is there twice. Name one column for it.")
        columns[name] = column or name
    models = {name: column for name, column in columns.items() if name not in KNOWN}
    if "prompt" not in columns or len(models) < 2:
        raise InputError(f"--map names {', '.join(columns)}. It needs prompt and two models: {EXAMPLE}.")
    return {name: column for name, column in columns.items() if name in KNOWN}, models


def read_models(entries: Sequence[Entry], mapping: str) -> Answers:
    """What each model answered in each row; an absent cell is no answer.

    Raises:
        BadLines: cells are no texts.
        InputError: the mapping is wrong.
        Wrong: no row has a column that it names.
    """
    columns, models = columns_named(mapping)
    refuse_unknown(entries, (*columns.values(), *models.values()))
    rows, left_out = each(entries, partial(texts_of, columns=columns, models=models))
    answers, absent = usable([one for row in rows for one in row], lambda one: answered(*one))
    return answers, left_out + absent


def texts_of(
    entry: Entry, columns: Mapping[str, str], models: Mapping[str, str]
) -> list[tuple[Answer, str | None]]:
    """For each model an answer that has no text yet, and the text, None where there is none."""
    cells = {name: value_at(entry.cells, path) for name, path in {**columns, **models}.items()}
    under = Conversation((), plain_text_of(cells.get("system")))
    given = {model: cells[model] for model in models if cells.get(model) not in (None, "")}
    texts = {model: plain_text(cell, model) for model, cell in given.items()}
    before = conversation_before(cells.get("prompt")).without({text.strip() for text in texts.values()})
    one = Answer(
        under.then(before.asking()),
        text="",
        file=entry.file,
        where=entry.where,
        **said_of_pair(cells),
    )
    return [(replace(one, model=model), texts.get(model)) for model in models]


def answered(one: Answer, text: str | None) -> Answer:
    if text is None:
        raise Unusable("an answer without text")
    return replace(one, text=text)


def models_form(mapping: str) -> Form:
    """The form of files with one column a model. Raises InputError where the mapping is wrong."""
    columns_named(mapping)

    def answers(entries: Sequence[Entry]) -> Answers:
        return read_models(entries, mapping)

    def read(entries: Sequence[Entry]) -> Imported:
        given, left_out = answers(entries)
        return imported(compared(given, left_out), left_out, voter="label")

    return Form(f"columns {mapping}", lambda cells: False, read, answers=answers)
