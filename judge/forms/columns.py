"""Any table or JSON whose columns are named: `prompt=question,response_a=old,response_b=new`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import takewhile, zip_longest
from typing import Any

from judge.errors import InputError
from judge.forms.conversation import Conversation, asked, conversation_of, messages_or_as_is, plain_text_of
from judge.forms.fields import further_answers
from judge.forms.form import (
    Comparison,
    Entry,
    Form,
    Imported,
    Labels,
    Side,
    each,
    given_id,
    imported,
    optional_name,
    said_of_pair,
    turned_ballot,
    turned_metadata,
)
from judge.forms.winners import named_ballot
from judge.io.pairs import LONG_FORM, SHORT_FORM, without_bytes
from judge.io.rows import Cells, Wrong, found, kind_of, shown
from judge.io.usable import Unusable
from judge.records import GOLD, Ballot

NAME = "columns"
KNOWN = (
    *(*SHORT_FORM, *LONG_FORM, "id", "category", "reference", "system", "criteria"),
    *("outcome", "voter", "model_a", "model_b"),
)
ABSENT = object()
EXAMPLE = "--map prompt=question,response_a=old,response_b=new"
CALLED = {
    **dict.fromkeys(("a", "1", "left", "first", "one"), Ballot.A),
    **dict.fromkeys(("b", "2", "right", "second", "two"), Ballot.B),
}
"""What a part of a column's name says of its side."""
PART = re.compile(r"[0-9]+|[^\W\d_]+")
INNER_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
UNTOLD = "of a or b, where the columns' names do not say which is which"


def columns_form(mapping: str) -> Form:
    """The form of files whose columns a text names; `data.question` is a key in an object.

    Raises:
        InputError: it is no such text, or names too little for a pair.
    """
    columns: dict[str, str] = {}
    for part in mapping.split(","):
        ours, is_given, theirs = (piece.strip() for piece in part.partition("="))
        if not is_given or not theirs or ours not in KNOWN:
            raise InputError(
                f"--map: {part!r} names no column. Write {EXAMPLE}; ours are {', '.join(KNOWN)}."
            )
        if ours in columns:
            raise InputError(f"--map: {ours} is there twice. Name one column for it.")
        columns[ours] = theirs
    if not any(all(name in columns for name in form) for form in (SHORT_FORM, LONG_FORM)):
        needed = f"{', '.join(SHORT_FORM)}, or else {', '.join(LONG_FORM)}"
        raise InputError(f"--map names {', '.join(columns)}. A pair needs {needed}.")
    short, long = ([name for name in columns if name in form] for form in (SHORT_FORM, LONG_FORM))
    if short and long:
        raise InputError(f"--map names both {short[0]} and {long[0]}. Name the columns of one form.")
    return Form(f"columns {mapping}", lambda cells: False, partial(read, columns=columns))


def read(entries: Sequence[Entry], columns: Mapping[str, str]) -> Imported:
    """Every row as a pair whose a and b are as named, and its outcome, where that is named, as a vote.

    Raises:
        BadLines: cells are no texts.
        Wrong: no row has a column that is named.
    """
    refuse_unknown(entries, columns.values())
    comparisons, left_out = each(entries, partial(comparison_of, columns=columns))
    return imported(comparisons, left_out, voter="label")


def comparison_of(entry: Entry, columns: Mapping[str, str]) -> Comparison:
    given = {ours: value_at(entry.cells, theirs) for ours, theirs in columns.items()}
    before = Conversation((), plain_text_of(given.get("system")))
    a, b = (before.then(one) for one in conversations_of(given))
    models = [optional_name(given.get(name)) for name in ("model_a", "model_b")]
    answers = [columns[name] for name in (LONG_FORM if LONG_FORM[0] in columns else SHORT_FORM[1:])]
    labels = Labels()
    is_of_more = has_further(entry.cells, answers)
    labels.add(
        lambda: outcome_of(given.get("outcome"), answers, models, is_of_more),
        optional_name(given.get("voter")) or "",
    )
    used = {path.partition(".")[0] for path in columns.values()} | set(columns.values())
    metadata = without_bytes({name: cell for name, cell in entry.cells.items() if name not in used})
    crossed = are_crossed(*answers)
    if crossed is None:
        untold = [name for name in (GOLD, "model_a", "model_b") if name in metadata]
        labels.left_out.extend(f"{name}: {UNTOLD}" for name in untold)
        metadata = {name: cell for name, cell in metadata.items() if name not in untold}
    return Comparison(
        Side(a, models[0]),
        Side(b, models[1]),
        labels,
        id=given_id(given),
        metadata=turned_metadata(metadata) if crossed else metadata,
        is_in_order=True,
        **said_of_pair(given),
    )


def has_further(cells: Cells, answers: Sequence[str]) -> bool:
    """Whether a third answer stands beside those in these columns, named as they are."""
    for path in answers:
        within, _, name = ("", "", path) if path in cells else path.rpartition(".")
        fields = value_at(cells, within) if within else cells
        if isinstance(fields, Mapping) and further_answers(fields, name):
            return True
    return False


def outcome_of(
    label: Any, answers: Sequence[str], models: Sequence[str | None], has_third: bool
) -> Ballot | None:
    """What a label says of a and b: it may name a model, or the column that is better in any spelling.

    Where the columns themselves are called the other way round, such as `response_b` for a, so is a label
    like `model_b`. Raises Unusable.
    """
    if label in models and label is not None:
        return named_ballot(label, *models, has_third=has_third)
    bare = [bare_name(name) for name in answers]
    if bare[0] != bare[1] and bare_name(label) in bare:
        return Ballot.A if bare_name(label) == bare[0] else Ballot.B
    ballot = named_ballot(label, *models, has_third=has_third)
    if ballot not in (Ballot.A, Ballot.B):
        return ballot
    crossed = are_crossed(*answers)
    if crossed is None:
        raise Unusable(f"a label {UNTOLD}")
    return turned_ballot(ballot) if crossed else ballot


def are_crossed(a: str, b: str) -> bool | None:
    """Whether the columns of a and b are called b and a, as all that the file says of them then is.

    What counts is where their names differ: `answers.b` and `answers.a`, `gen2` and `gen1`. None where only
    one of them names a side there, or they name both.
    """
    called_a: set[Ballot | None] = set()
    called_b: set[Ballot | None] = set()
    for one, other in zip_longest(parts_of(a), parts_of(b), fillvalue=""):
        if one != other:
            n_alike = sum(1 for _ in takewhile(lambda two: two[0] == two[1], zip(one, other, strict=False)))
            called_a.add(side_called(one, n_alike))
            called_b.add(side_called(other, n_alike))
    called = [called_a - {None}, called_b - {None}]
    if called == [{Ballot.B}, {Ballot.A}]:
        return True
    return False if called in ([{Ballot.A}, {Ballot.B}], [set(), set()]) else None


def side_called(part: str, n_alike: int) -> Ballot | None:
    """The side that a part of a name says: as a whole, or as a word after the letters that both share."""
    rest = part[n_alike:] if part.isalpha() else ""
    return CALLED.get(part) or CALLED.get(rest)


def parts_of(name: str) -> list[str]:
    """The words and numbers in a column's name: `answerA.text1` has answer, a, text and 1."""
    return PART.findall(INNER_CAPITAL.sub(" ", name).casefold())


def bare_name(name: Any) -> str:
    return re.sub(r"[\s_-]+", "", str(name)).casefold()


def refuse_unknown(entries: Sequence[Entry], paths: Iterable[str]) -> None:
    """Raises Wrong for a column that no row has; a row may lack one, as a null in Parquet is no cell."""
    for path in paths:
        if entries and all(value_at(entry.cells, path, ABSENT) is ABSENT for entry in entries):
            names = list(dict.fromkeys(name for entry in entries for name in entry.cells))
            raise Wrong(f"no row has {shown(path)} (found: {found(names)}). --map must name columns.")


def value_at(cells: Cells, path: str, absent: object = None) -> Any:
    """The cell of that name, else what lies along the names between its dots, else `absent`."""
    if path in cells:
        return cells[path]
    value: Any = cells
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return absent
        value = value[name]
    return value


def conversations_of(given: Mapping[str, Any]) -> list[Conversation]:
    if LONG_FORM[0] in given:
        return [conversation_of(given[name], name) for name in LONG_FORM]
    before = conversation_before(given["prompt"])
    answers = [plain_text(given[name], name) for name in SHORT_FORM[1:]]
    before = before.without({answer.strip() for answer in answers}).asking()
    return [before.answered(answer) for answer in answers]


def conversation_before(value: Any) -> Conversation:
    """What was asked: a text, or messages."""
    prompt = messages_or_as_is(value)
    if isinstance(prompt, list):
        return conversation_of(prompt, "prompt")
    return asked(plain_text(prompt, "prompt"))


def plain_text(value: Any, name: str) -> str:
    """The value as text; a number is written out."""
    if value is None:
        raise Unusable("no question" if name == "prompt" else "an answer without text")
    if isinstance(value, list | Mapping | bytes):
        raise Wrong(f"{name} is {kind_of(value)}. It must be one text.")
    return str(value)
