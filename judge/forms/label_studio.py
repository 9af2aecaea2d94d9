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
)
from judge.forms.winners import ballot_of
from judge.io.rows import Wrong, found, parse_json
from judge.io.usable import Unusable
from judge.records import Ballot

MINIMAL = ("annotation_id", "annotator", "lead_time")
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
    metadata = rest_of(cells["data"], *names, question_field(cells["data"]) or "")
    return Comparison(
        first, second, labels, id=given_id(cells), metadata=metadata, is_in_order=are_a_and_b(names)
    )


def annotated(annotation: Any, names: tuple[str, str]) -> Ballot | None:
    """What one annotation says."""
    if not isinstance(annotation, Mapping) or annotation.get("was_cancelled"):
        raise Unusable("an annotation that was skipped")
    given = annotation.get("result")
    results = [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []
    labels = [label for result in results if (label := label_of(result.get("value"))) is not None]
    if not labels:
        raise Unusable("an annotation without a choice")
    ballots = {ballot_of(label, *names) for label in labels}
    if len(ballots) > 1:
        raise Unusable("an annotation with different choices")
    return ballots.pop()


def label_of(value: Any) -> Any:
    """The side or the choice in a result's value; None where it holds neither."""
    if not isinstance(value, Mapping):
        return None
    choices = value.get("choices")
    return value.get("selected") or (choices[0] if isinstance(choices, list) and choices else None)


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
    tag, label = minimal_label(cells)
    labels = Labels()
    labels.add(lambda: ballot_of(label, *names), optional_name(cells["annotator"]) or "")
    metadata = rest_of(cells, *names, question_field(cells) or "", *MINIMAL, *TIMES, "id", tag)
    return Comparison(
        first, second, labels, id=given_id(cells), metadata=metadata, is_in_order=are_a_and_b(names)
    )


def minimal_label(cells: Mapping[str, Any]) -> tuple[str, Any]:
    """The column of the annotation's tag, and its label; "" and None where there is none."""
    for name, value in cells.items():
        if isinstance(value, str) and value.startswith("{"):
            value = parsed(value)
        if (label := label_of(value)) is not None:
            return name, label
    sides = (name for name, value in cells.items() if value in ("left", "right"))
    name = next((name for name in TAGS if name in cells), next(sides, ""))
    return name, cells.get(name)


def parsed(value: str) -> Any:
    try:
        return parse_json(value)
    except Wrong:
        return value


LABEL_STUDIO = Form("Label Studio's tasks", recognises, read)
