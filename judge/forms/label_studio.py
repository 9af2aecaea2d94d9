"""Label Studio's exports of comparisons: JSON with every annotation, or JSON-MIN and CSV with one a row.

A label is a Pairwise tag's left or right, or a choice that names a side or a tie. Of several tags one is
read: that which compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeGuard

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
    optional_name,
    rest_of,
    said_of_pair,
)
from judge.forms.questions import NO_SIDE, SIDES, comparing, other_than
from judge.forms.winners import ballot_of
from judge.io.rows import Wrong, found, parse_json
from judge.io.usable import Unusable
from judge.records import Ballot

MINIMAL = ("annotation_id", "annotator", "lead_time")
NO_CHOICE = "an annotation without a choice"
TAGS = ("choice", "preference", "comparison")
"""What a tag of one choice is mostly called."""
TURNED = {"left": "right", "right": "left"}
"""The sides of a Pairwise tag with the other object first."""
TIMES = ("created_at", "updated_at")
NEEDED = "A Label Studio task needs data and annotations, or the keys of JSON-MIN."


@dataclass(frozen=True, slots=True)
class Result:
    """What an annotation says under one tag: `value` has a side as `selected`, or `choices`.

    `is_label`: this cannot be a field of the task, which stands beside its labels in JSON-MIN and CSV.
    """

    tag: str
    value: Mapping[str, Any]
    is_label: bool = True


@dataclass(frozen=True, slots=True)
class Annotation:
    """All that one annotator says of a task."""

    voter: str
    results: Sequence[Result]
    is_skipped: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """A task's pair without votes, what its two answers' fields are called, and all annotations."""

    comparison: Comparison
    names: tuple[str, str]
    annotations: Sequence[Annotation]
    has_third: bool
    is_minimal: bool = False

    def ballot(self, label: Any) -> Ballot | None:
        """What a label says of the two answers. Raises Unusable."""
        return ballot_of(label, *self.names, has_third=self.has_third)


def recognises(cells: Mapping[str, Any]) -> bool:
    return is_task(cells) or all(name in cells for name in MINIMAL)


def is_task(cells: Mapping[str, Any]) -> bool:
    """Whether a row is a task of the JSON export, with all its annotations."""
    return isinstance(cells.get("data"), Mapping) and isinstance(cells.get("annotations"), list)


def read(entries: Sequence[Entry]) -> Imported:
    """Every task as a pair, every annotation as a vote."""
    tasks, left_out = each(entries, task_of)
    tag = comparing_tag(tasks)
    return imported([with_votes(task, tag) for task in tasks], left_out, voter="annotator")


def comparing_tag(tasks: Sequence[Task]) -> str | None:
    """The tag that compares the two answers, a Pairwise one before others; None where none names a side."""
    labels = [
        (result, partial(names_a_side, result.value, task))
        for task in tasks
        for annotation in task.annotations
        for result in annotation.results
        if result.is_label
    ]
    pairwise = [(result.tag, is_side) for result, is_side in labels if result.value.get("selected")]
    return comparing(pairwise) or comparing((result.tag, is_side) for result, is_side in labels)


def with_votes(task: Task, tag: str | None) -> Comparison:
    """The task's pair with the votes of its annotations under a tag; None where no tag compares."""
    labels = Labels(left_out=[*task.comparison.labels.left_out])
    for one in task.annotations:
        labels.add(partial(vote_of, one, task, tag), one.voter)
        if tag is not None:
            others = [result for result in one.results if result.is_label and result.tag != tag]
            labels.left_out.extend([f"vote: {other_than(tag)}"] * len(others))
    metadata = rest_of(task.comparison.metadata, tag or "") if task.is_minimal else task.comparison.metadata
    return replace(task.comparison, labels=labels, metadata=metadata)


def task_of(entry: Entry) -> Task:
    cells = entry.cells
    if not recognises(cells):
        raise Wrong(f"found {found(cells)}. {NEEDED}")
    if not is_task(cells):
        return minimal(cells)
    refuse_unreadable(cells["data"])
    names, (first, second) = sides_of(cells["data"], "data")
    further = further_answers(cells["data"], names[0])
    metadata = rest_of(cells["data"], *names, question_field(cells["data"]) or "", *SAID_OF_PAIR)
    comparison = Comparison(
        first,
        second,
        Labels(left_out=further),
        id=given_id(cells),
        metadata=metadata,
        is_in_order=are_a_and_b(names),
        **said_of_pair(cells["data"]),
    )
    annotations = [annotation_of(one, names) for one in cells["annotations"]]
    return Task(comparison, names, annotations, bool(further))


def annotation_of(annotation: Any, names: tuple[str, str]) -> Annotation:
    """What an annotation says, each side as the first or the second of the answers' fields."""
    if not isinstance(annotation, Mapping) or annotation.get("was_cancelled"):
        return Annotation(voter_of(annotation), (), is_skipped=True)
    given = annotation.get("result")
    results = [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []
    labelled = [(one, one.get("value")) for one in results]
    return Annotation(
        voter_of(annotation),
        [
            Result(tag_of(one, value), in_order_of(names, one, value))
            for one, value in labelled
            if is_labelled(value)
        ],
    )


def in_order_of(
    names: tuple[str, str], result: Mapping[str, Any], value: Mapping[str, Any]
) -> Mapping[str, Any]:
    """A result's value with left as the first of the names.

    A Pairwise tag's left is the object that `to_name` lists first; where that names other objects than the
    answers' fields, it is taken for the first answer.
    """
    listed = [name.strip() for name in str(result.get("to_name")).split(",")]
    is_turned = [name for name in listed if name in names] == [*reversed(names)]
    side = value.get("selected")
    return {**value, "selected": TURNED[side]} if is_turned and side in ("left", "right") else value


def tag_of(result: Mapping[str, Any], value: Mapping[str, Any]) -> str:
    """The tag's name, else its kind."""
    return optional_name(result.get("from_name")) or ("selected" if value.get("selected") else "choices")


def vote_of(annotation: Annotation, task: Task, tag: str | None) -> Ballot | None:
    """What one annotation says under the tag that compares."""
    if annotation.is_skipped:
        raise Unusable("an annotation that was skipped")
    read = [one for one in annotation.results if (one.is_label if tag is None else one.tag == tag)]
    if not read:
        raise Unusable(NO_CHOICE)
    ballots = {task.ballot(label_of(one.value)) for one in read}
    if len(ballots) > 1:
        raise Unusable("an annotation with different choices")
    if tag is None:
        raise Unusable(NO_SIDE)
    return ballots.pop()


def names_a_side(value: Mapping[str, Any], task: Task) -> bool:
    return task.ballot(label_of(value)) in SIDES


def label_of(value: Mapping[str, Any]) -> Any:
    """The side or the choice in a result's value. Several are Unusable."""
    if value.get("selected"):
        return value["selected"]
    choices = value["choices"]
    if len(choices) > 1:
        raise Unusable("an annotation with different choices")
    return choices[0]


def voter_of(annotation: Any) -> str:
    """Who annotated: an e-mail address, else a number."""
    by = annotation.get("completed_by") if isinstance(annotation, Mapping) else None
    if isinstance(by, Mapping):
        by = by.get("email") or by.get("id")
    return "" if by is None else str(by)


def minimal(cells: Mapping[str, Any]) -> Task:
    """A row of JSON-MIN or CSV: the fields, and one annotation, each label under the name of its tag."""
    refuse_unreadable(cells)
    names, (first, second) = sides_of(cells, "")
    used = (*names, question_field(cells) or "", *MINIMAL, *TIMES, "id", *SAID_OF_PAIR)
    further = further_answers(cells, names[0])
    rest = rest_of(cells, *used)
    comparison = Comparison(
        first,
        second,
        Labels(left_out=further),
        id=given_id(cells),
        metadata=rest,
        is_in_order=are_a_and_b(names),
        **said_of_pair(cells),
    )
    results = [result_in(name, parsed(value), names) for name, value in rest.items()]
    annotation = Annotation(optional_name(cells["annotator"]) or "", results)
    return Task(comparison, names, [annotation], bool(further), is_minimal=True)


def result_in(name: str, value: Any, names: tuple[str, str]) -> Result:
    """A cell as a result: an object of a choice, or the choice itself.

    It is a label, and no field of the task, if it is such an object, is called so, or says left, right or a
    side's name.
    """
    if is_labelled(value):
        return Result(name, value)
    return Result(name, {"choices": [value]}, name in TAGS or value in ("left", "right", *names))


def is_labelled(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value is an object with a side or a choice."""
    if not isinstance(value, Mapping):
        return False
    choices = value.get("choices")
    return bool(value.get("selected") or (isinstance(choices, list) and choices))


def parsed(value: Any) -> Any:
    """The object that a text holds as JSON; any other value as it is."""
    if not (isinstance(value, str) and value.startswith("{")):
        return value
    try:
        return parse_json(value)
    except Wrong:
        return value


LABEL_STUDIO = Form("Label Studio's tasks", recognises, read)
