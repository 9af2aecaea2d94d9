"""Argilla's exports of comparisons: records as JSON, and data sets of the hub with a column a question.

A response is a label that names a side or a tie, or a ranking of both. Suggestions are no votes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from judge.forms.fields import sides_of
from judge.forms.form import Comparison, Entry, Form, Imported, Labels, each, given_id, imported, is_pair
from judge.forms.winners import ballot_of
from judge.io.rows import Cells, Wrong, found
from judge.io.usable import Unusable
from judge.records import Ballot

NEEDED = "An Argilla record needs fields and responses, or columns with the responses to a question."
Response = tuple[Any, Any, Any]
"""Who gave it, its value, and its status ("submitted", "draft", "discarded")."""


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
    """Every record as a pair, every submitted response as a vote."""
    comparisons, left_out = each(entries, comparison_of)
    return imported(comparisons, left_out, voter="annotator")


def comparison_of(entry: Entry) -> Comparison:
    cells = entry.cells
    if not recognises(cells):
        raise Wrong(f"found {found(cells)}. {NEEDED}")
    has_fields = isinstance(cells.get("fields"), Mapping)
    names, (first, second) = sides_of(
        cells["fields"] if has_fields else cells, "fields" if has_fields else ""
    )
    labels = Labels()
    for user, value, status in responses_of(cells):
        labels.add(partial(said, value, status, names), "" if user is None else str(user))
    if cells.get("suggestions"):
        labels.left_out.append("vote: a suggestion, which no person made")
    metadata = cells.get("metadata")
    return Comparison(
        first,
        second,
        labels,
        id=given_id(cells) or given_id({"id": cells.get("external_id")}),
        metadata=metadata if isinstance(metadata, Mapping) else {},
    )


def responses_of(cells: Cells) -> Iterator[Response]:
    """The responses to every question, in all the ways in which Argilla writes them."""
    responses = cells.get("responses")
    if isinstance(responses, Mapping):  # a record of Argilla 2: question -> responses
        for given in responses.values():
            yield from (response_of(one) for one in given or ())
    elif isinstance(responses, list):  # a record of Argilla 1: a response a user, with values by question
        for one in responses:
            for value in (one.get("values") or {}).values():
                yield one.get("user_id"), value.get("value"), one.get("status")
    for name, value in cells.items():
        if name.endswith(".responses") and isinstance(value, list):  # a data set of Argilla 2
            users, states = (
                cells.get(f"{name}.{what}") or [None] * len(value) for what in ("users", "status")
            )
            yield from zip(users, value, states, strict=False)
        elif name != "responses" and is_response_column(name, value):  # a data set of Argilla 1
            if isinstance(value, Mapping):
                yield from zip(value["user_id"], value["value"], value["status"], strict=False)
            else:
                yield from (response_of(one) for one in value or ())


def response_of(one: Mapping[str, Any]) -> Response:
    return one.get("user_id"), one.get("value"), one.get("status")


def said(value: Any, status: Any, names: tuple[str, str]) -> Ballot | None:
    """What a response says of the two sides."""
    if status not in (None, "submitted"):
        raise Unusable("a response that was not submitted")
    if isinstance(value, list | Mapping):
        return ranked(value, names)
    if isinstance(value, int | float):
        raise Unusable("a rating, which names no side")
    return ballot_of(value, *names)


def ranked(value: Any, names: tuple[str, str]) -> Ballot:
    """Who is ranked higher: of a list from the best on, or of values with their ranks."""
    if isinstance(value, Mapping):
        value = [
            {"value": one, "rank": rank} for one, rank in zip(value["value"], value["rank"], strict=False)
        ]
    ranks: dict[Ballot | None, Any] = {}
    for place, one in enumerate(value):
        name, rank = (one.get("value"), one.get("rank")) if isinstance(one, Mapping) else (one, place)
        ranks[ballot_of(name, *names)] = rank
    first, second = ranks.get(Ballot.A), ranks.get(Ballot.B)
    if first is None or second is None:
        raise Unusable("a ranking without both sides")
    return Ballot.TIE if first == second else Ballot.A if first < second else Ballot.B


ARGILLA = Form("Argilla's records", recognises, read)
