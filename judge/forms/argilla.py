"""Argilla's exports of comparisons: records as JSON, and data sets of the hub with a column a question.

A response is a label that names a side or a tie, or a ranking of both. Suggestions are no votes, and of
several questions one is read: that which compares.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from judge.forms.conversation import refuse_unreadable
from judge.forms.fields import are_a_and_b, further_answers, question_field, sides_of
from judge.forms.form import (
    SAID_OF_PAIR,
    Comparison,
    Entry,
    Form,
    Imported,
    Labels,
    each,
    given_id,
    imported,
    is_pair,
    rest_of,
    said_of_pair,
)
from judge.forms.questions import NO_SIDE, SIDES, comparing, other_than
from judge.forms.winners import ballot_of
from judge.io.rows import Cells, Wrong, found, kind_of, shown
from judge.io.usable import Unusable
from judge.records import Ballot

NEEDED = "An Argilla record needs fields and responses, or columns with the responses to a question."


@dataclass(frozen=True, slots=True)
class Response:
    """What a user answered to a question. Its status is "submitted", "draft" or "discarded"."""

    question: str
    user: Any
    value: Any
    status: Any


@dataclass(frozen=True, slots=True)
class Record:
    """A record's pair without votes, what its two answers' fields are called, and all responses."""

    comparison: Comparison
    names: tuple[str, str]
    responses: Sequence[Response]
    has_third: bool

    def ballot(self, label: Any) -> Ballot | None:
        """What a label says of the two answers. Raises Unusable."""
        return ballot_of(label, *self.names, has_third=self.has_third)


def recognises(cells: Mapping[str, Any]) -> bool:
    if isinstance(cells.get("fields"), Mapping):
        return "responses" in cells or "suggestions" in cells
    return not is_pair(cells) and any(is_response_column(name, value) for name, value in cells.items())


def is_response_column(name: str, value: Any) -> bool:
    """Whether a column holds responses: Argilla 2's question.responses, or Argilla 1's list with user_id."""
    if name.endswith(".responses"):
        return True
    keys = value.keys() if isinstance(value, Mapping) else set()
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        keys = value[0].keys()
    return {"user_id", "value", "status"} <= set(keys)


def read(entries: Sequence[Entry]) -> Imported:
    """Every record as a pair, every submitted response to the question that compares as a vote."""
    records, left_out = each(entries, record_of)
    several = of_several(records)
    question = comparing(
        (one.question, partial(names_a_side, one.value, record))
        for record in records
        for one in record.responses
        if one.question not in several
    )
    comparisons = [with_votes(record, question, several) for record in records]
    return imported(comparisons, left_out, voter="annotator")


def of_several(records: Sequence[Record]) -> set[str]:
    """The questions whose lists are choices of several labels, or of none, in whatever order.

    Such a list looks like a ranking from the best on where it has both sides; a ranking always has.
    """
    return {
        one.question
        for record in records
        for one in record.responses
        if isinstance(one.value, list) and is_submitted(one) and not has_both_sides(one.value, record)
    }


def has_both_sides(value: Any, record: Record) -> bool:
    try:
        ranked(value, record)
    except Unusable:
        return False
    return True


def with_votes(record: Record, question: str | None, several: Container[str]) -> Comparison:
    """The record's pair with the votes of its responses to a question; None where no question compares.

    Of the questions `several` lists are no rankings.
    """
    labels = Labels(left_out=[*record.comparison.labels.left_out])
    for one in record.responses:
        labels.add(
            partial(vote_of, one, record, question, several), "" if one.user is None else str(one.user)
        )
    return replace(record.comparison, labels=labels)


def record_of(entry: Entry) -> Record:
    cells = entry.cells
    if not recognises(cells):
        raise Wrong(f"found {found(cells)}. {NEEDED}")
    has_fields = isinstance(cells.get("fields"), Mapping)
    fields = cells["fields"] if has_fields else cells
    refuse_unreadable(fields)
    names, (first, second) = sides_of(fields, "fields" if has_fields else "")
    labels = Labels(left_out=further_answers(fields, names[0]))
    has_third = bool(labels.left_out)
    if cells.get("suggestions"):
        labels.left_out.append("vote: a suggestion, which no person made")
    metadata = cells.get("metadata")
    others = rest_of(fields, *names, question_field(fields) or "", *SAID_OF_PAIR) if has_fields else {}
    comparison = Comparison(
        first,
        second,
        labels,
        id=given_id(cells) or given_id({"id": cells.get("external_id")}),
        metadata=others | (rest_of(metadata) if isinstance(metadata, Mapping) else {}),
        is_in_order=are_a_and_b(names),
        **said_of_pair(fields),
    )
    return Record(comparison, names, list(responses_of(cells)), has_third)


def responses_of(cells: Cells) -> Iterator[Response]:
    """The responses to every question, in all the ways in which Argilla writes them.

    Raises:
        Wrong: responses are written in another way.
    """
    is_record = isinstance(cells.get("fields"), Mapping)
    if is_record:
        yield from responses_of_record(cells.get("responses"))
    for name, value in cells.items():
        if is_response_column(name, value) and not (is_record and name == "responses"):
            yield from responses_of_column(cells, name)


def responses_of_record(responses: Any) -> Iterator[Response]:
    if isinstance(responses, Mapping):  # of Argilla 2: question -> responses
        for question, given in responses.items():
            every = objects_in(given, f"responses to {shown(question)}")
            yield from (response_of(question, one) for one in every)
        return
    for one in objects_in(responses, "responses"):  # of Argilla 1: a response a user, with values by question
        values = one.get("values") or {}
        if not isinstance(values, Mapping):  # of questions without names
            values = dict(enumerate(objects_in(values, "values of responses"), start=1))
        given = {str(question): value for question, value in values.items() if value is not None}
        every = objects_in(list(given.values()), "values of responses")
        for question, value in zip(given, every, strict=True):
            yield Response(question, one.get("user_id"), value.get("value"), one.get("status"))


def responses_of_column(cells: Cells, name: str) -> Iterator[Response]:
    value = cells[name]
    if isinstance(value, Mapping):  # a data set of Argilla 1
        columns = {f"{name}.{key}": value.get(key) for key in ("user_id", "value", "status")}
        return side_by_side(name, columns)
    if name.endswith(".responses"):  # a data set of Argilla 2
        columns = {key: cells.get(key) for key in (f"{name}.users", name, f"{name}.status")}
        return side_by_side(name.removesuffix(".responses"), columns)
    return (response_of(name, one) for one in objects_in(value, name))  # a data set of Argilla 1


def side_by_side(question: str, columns: Mapping[str, Any]) -> Iterator[Response]:
    """The responses of three lists: of users, values and states; an absent list is one of nulls."""
    for name, column in columns.items():
        if column not in (None, "") and not isinstance(column, list):
            raise Wrong(f"{name} is {kind_of(column)}. It must be a list, of one item a response.")
    users, values, states = columns.values()
    n_values = len(values or ())
    every = zip(users or [None] * n_values, values or (), states or [None] * n_values, strict=False)
    return (Response(question, *one) for one in every)


def objects_in(value: Any, name: str) -> list[Mapping[str, Any]]:
    """The objects of a list, none where there is nothing. Raises Wrong where it is no list of objects."""
    if value in (None, ""):
        return []
    kind = kind_of(value)
    if isinstance(value, list):
        odd = [one for one in value if not isinstance(one, Mapping)]
        if not odd:
            return value
        kind = f"a list with {kind_of(odd[0])} in it"
    raise Wrong(f"{name}: found {kind}. It must be a list of objects, one a response.")


def response_of(question: str, one: Mapping[str, Any]) -> Response:
    return Response(question, one.get("user_id"), one.get("value"), one.get("status"))


def is_submitted(one: Response) -> bool:
    return one.status in (None, "submitted")


def vote_of(one: Response, record: Record, question: str | None, several: Container[str]) -> Ballot | None:
    """What a response says of the two sides, if it is to the question that compares."""
    if one.value in (None, ""):
        return None
    if question not in (None, one.question):
        raise Unusable(other_than(question))
    if not is_submitted(one):
        raise Unusable("a response that was not submitted")
    if isinstance(one.value, list) and one.question in several:
        raise Unusable("a choice of several labels, which ranks none")
    ballot = said(one.value, record)
    if question is None and ballot is not None:
        raise Unusable(NO_SIDE)
    return ballot


def names_a_side(value: Any, record: Record) -> bool:
    """Whether a response names one of the two sides; a ranking names both. Raises Unusable."""
    ballot = said(value, record)
    return ballot in SIDES or isinstance(value, list | Mapping)


def said(value: Any, record: Record) -> Ballot | None:
    """What a response's value says of the two sides."""
    if isinstance(value, list | Mapping):
        return ranked(value, record)
    if isinstance(value, int | float):
        raise Unusable("a rating, which names no side")
    return record.ballot(value)


def ranked(value: Any, record: Record) -> Ballot:
    """Who is ranked higher: of a list from the best on, or of values with their ranks, others among them."""
    if isinstance(value, Mapping):
        names_and_ranks = [value.get(key) for key in ("value", "rank")]
        if not all(isinstance(given, list) for given in names_and_ranks):
            raise Unusable("a ranking without both sides")
        value = [{"value": one, "rank": rank} for one, rank in zip(*names_and_ranks, strict=False)]
    ranks: dict[Ballot | None, Any] = {}
    for place, one in enumerate(value):
        name, rank = (one.get("value"), one.get("rank")) if isinstance(one, Mapping) else (one, place)
        with suppress(Unusable):  # another answer's name
            ranks[record.ballot(name)] = rank
    first, second = ranks.get(Ballot.A), ranks.get(Ballot.B)
    if first is None or second is None:
        raise Unusable("a ranking without both sides")
    if not (isinstance(first, int | float) and isinstance(second, int | float)):
        raise Unusable("a ranking whose ranks are no numbers")
    return Ballot.TIE if first == second else Ballot.A if first < second else Ballot.B


ARGILLA = Form("Argilla's records", recognises, read)
