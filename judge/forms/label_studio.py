"""Label Studio's exports of comparisons: JSON with every annotation, or JSON-MIN and CSV with one a row.

A label is a Pairwise tag's left or right, or a choice that names a side or a tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from judge.forms.conversation import refuse_unreadable
from judge.forms.fields import are_a_and_b, question_field, sides_of
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
    optional_name,
    rest_of,
    said_of_pair,
)
from judge.forms.winners import ballot_of
from judge.io.rows import Wrong, found, parse_json
from judge.io.usable import Unusable
from judge.records import Ballot

MINIMAL = ("annotation_id", "annotator", "lead_time")
NO_CHOICE = "an annotation without a choice"
TAGS = ("choice", "preference", "comparison")
"""What a tag of one choice is mostly called."""
TIMES = ("created_at", "updated_at")
NEEDED = "A Label Studio task needs data and annotations, or the keys of JSON-MIN."


def recognises(cells: Mapping[str, Any]) -> bool:
    return is_task(cells) or all(name in cells for name in MINIMAL)


def is_task(cells: Mapping[str, Any]) -> bool:
    """Whether a row is a task of the JSON export, with all its annotations."""
    return isinstance(cells.get("data"), Mapping) and isinstance(cells.get("annotations"), list)


def read(entries: Sequence[Entry]) -> Imported:
    """Every task as a pair, every annotation as a vote."""
    comparisons, left_out = each(entries, comparison_of)
    return imported(comparisons, left_out, voter="annotator")


def comparison_of(entry: Entry) -> Comparison:
    cells = entry.cells
    if not recognises(cells):
        raise Wrong(f"found {found(cells)}. {NEEDED}")
    if not is_task(cells):
        return minimal(cells)
    refuse_unreadable(cells["data"])
    names, (first, second) = sides_of(cells["data"], "data")
    labels = Labels()
    for annotation in cells["annotations"]:
        labels.add(partial(annotated, annotation, names), voter_of(annotation))
    metadata = rest_of(cells["data"], *names, question_field(cells["data"]) or "", *SAID_OF_PAIR)
    return Comparison(
        first,
        second,
        labels,
        id=given_id(cells),
        metadata=metadata,
        is_in_order=are_a_and_b(names),
        **said_of_pair(cells["data"]),
    )


def annotated(annotation: Any, names: tuple[str, str]) -> Ballot | None:
    """What one annotation says."""
    if not isinstance(annotation, Mapping) or annotation.get("was_cancelled"):
        raise Unusable("an annotation that was skipped")
    given = annotation.get("result")
    results = [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []
    values = [result.get("value") for result in results]
    pairwise = [value for value in values if isinstance(value, Mapping) and value.get("selected")]
    labels = [label for value in pairwise or values if (label := label_of(value)) is not None]
    if not labels:
        raise Unusable(NO_CHOICE)
    ballots = {ballot_of(label, *names) for label in labels}
    if len(ballots) > 1:
        raise Unusable("an annotation with different choices")
    return ballots.pop()


def label_of(value: Any) -> Any:
    """The side or the choice in a result's value; None where it holds neither. Several are Unusable."""
    if not isinstance(value, Mapping):
        return None
    choices = value.get("choices")
    if value.get("selected") or not isinstance(choices, list) or not choices:
        return value.get("selected")
    if len(choices) > 1:
        raise Unusable("an annotation with different choices")
    return choices[0]


def voter_of(annotation: Any) -> str:
    """Who annotated: an e-mail address, else a number."""
    by = annotation.get("completed_by") if isinstance(annotation, Mapping) else None
    if isinstance(by, Mapping):
        by = by.get("email") or by.get("id")
    return "" if by is None else str(by)


def minimal(cells: Mapping[str, Any]) -> Comparison:
    """A row of JSON-MIN or CSV: the fields, and one annotation under the name of its tag."""
    refuse_unreadable(cells)
    names, (first, second) = sides_of(cells, "")
    used = (*names, question_field(cells) or "", *MINIMAL, *TIMES, "id", *SAID_OF_PAIR)
    rest = rest_of(cells, *used)
    tag = tag_in(rest, names)
    labels = Labels()
    labels.add(lambda: minimal_ballot(rest.get(tag), names), optional_name(cells["annotator"]) or "")
    return Comparison(
        first,
        second,
        labels,
        id=given_id(cells),
        metadata=rest_of(rest, tag),
        is_in_order=are_a_and_b(names),
        **said_of_pair(cells),
    )


def tag_in(cells: Mapping[str, Any], names: tuple[str, str]) -> str:
    """The column of the tag that compares: with an object of a choice, or called so, or with a side's name.

    "" where there is none.
    """
    objects = (name for name, value in cells.items() if is_labelled(parsed(value)))
    called = (name for name in TAGS if name in cells)
    sides = (name for name, value in cells.items() if value in ("left", "right", *names))
    return next((name for one in (objects, called, sides) for name in one), "")


def is_labelled(value: Any) -> bool:
    """Whether a value is an object with a side or a choice."""
    return isinstance(value, Mapping) and bool(value.get("selected") or value.get("choices"))


def minimal_ballot(value: Any, names: tuple[str, str]) -> Ballot:
    """What the tag's cell says: an object as in the JSON export, or the label itself."""
    value = parsed(value)
    ballot = ballot_of(label_of(value) if isinstance(value, Mapping) else value, *names)
    if ballot is None:
        raise Unusable(NO_CHOICE)
    return ballot


def parsed(value: Any) -> Any:
    """The object that a text holds as JSON; any other value as it is."""
    if not (isinstance(value, str) and value.startswith("{")):
        return value
    try:
        return parse_json(value)
    except Wrong:
        return value


LABEL_STUDIO = Form("Label Studio's tasks", recognises, read)
