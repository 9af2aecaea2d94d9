"""A project of the review app: pairs, verdicts, votes, guidelines, reviewers and settings in one small YAML.

Files are named as seen from the project's own folder. `read_project` reports every mistake in one error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from judge.errors import BadLines, InputError
from judge.io.rows import shown
from judge.io.shapes import Must, Shape, problems_of
from judge.io.wording import did_you_mean
from judge.io.yamlblock import read_block
from judge.review.queues import QueueOrder

PROJECT_ENDINGS = (".yaml", ".yml")
LONGEST_GUIDELINES = 200_000
"""Bytes of a file of guidelines; a longer one is hardly meant."""

Text = Annotated[str, Field(min_length=1), Must("text that is not empty")]
Texts = Annotated[tuple[Text, ...], Field(strict=False), Must("a list of texts that are not empty")]
YesNo = Annotated[bool, Must("true or false")]
ORDERS = ", ".join(QueueOrder)


class Assignment(Shape):
    """Who reviews which pairs. Without either key everybody reviews all of them."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    reviewers_per_pair: Annotated[int | None, Field(ge=1), Must("a whole number from 1 up")] = None
    """So many reviewers each pair has; all have equally many pairs."""
    shares: Annotated[
        dict[str, Annotated[float, Field(gt=0, le=1)]],
        Must("a share from 0 to 1 of each reviewer, such as {ada: 0.7, bob: 0.3}"),
    ] = Field(default_factory=dict)
    """Each pair has one reviewer, and each reviewer this share of the pairs; together they are 1."""


class Repeat(Shape):
    """The same pair again, with its sides swapped: how far reviewers agree with themselves."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    share: Annotated[float, Field(gt=0, le=1), Must("greater than 0 and at most 1")]
    """How much of a reviewer's pairs comes again."""
    after: Annotated[int, Field(ge=1), Must("a whole number from 1 up")] = 20
    """After so many more votes of the same reviewer, at the earliest."""


class ReviewProject(Shape):
    """One project of the review app; names of files are relative to the project's folder."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: Annotated[str, Must("text")] = ""
    """What the pages call it."""
    pairs: Text
    """The file of pairs."""
    verdicts: Annotated[str, Must("the name of a file")] = ""
    """What a judge said of them, from `judge run`."""
    votes: Texts = ()
    """Files of votes that were given elsewhere; they are taken in once, when the app starts."""
    reviews: Annotated[str, Must("the name of a file")] = ""
    """Where votes are kept; by default judge-reviews.sqlite beside the project."""
    guidelines: Annotated[str, Must("the name of a Markdown file")] = ""
    """What reviewers have to go by, as Markdown; it is shown above each pair."""
    reviewers: Texts = ()
    """Who may vote; without names anybody may, under any name."""
    assignment: Assignment = Assignment()
    """Who reviews which pairs."""
    order: Annotated[QueueOrder, Field(strict=False), Must(f"one of {ORDERS}")] = QueueOrder.RANDOM
    """The order in which pairs come up at first; a reviewer can choose another one."""
    blind: YesNo = True
    """Whether reviewers vote before they see the judge."""
    tags: Texts = ()
    """Reasons that can be ticked with a vote."""
    confidence: YesNo = False
    """Whether reviewers say how sure they are: low, medium or high."""
    images: YesNo = False
    """Whether images in answers are shown, from files in the project's folder only."""
    repeat: Repeat | None = None
    """Whether reviewers get some pairs again."""


def is_project(name: str) -> bool:
    return name.lower().endswith(PROJECT_ENDINGS)


def read_project(path: str | Path) -> ReviewProject:
    """The project of a YAML file.

    Raises:
        BadLines: the file is not YAML, settings are wrong, unknown or missing or do not go together, or files
            that it names are not there; a line for each mistake, with file and key.
        InputError: the file cannot be read.
    """
    path = Path(path)
    values = read_block(path, ReviewProject.model_fields)
    try:
        project, wrong = ReviewProject.model_validate(values), []
    except ValidationError as error:
        wrong = error.errors(include_url=False)
        project = ReviewProject.model_validate(_without(values, wrong, {"pairs": path.name}))
    problems = problems_of(wrong, ReviewProject, values)
    problems += [*_contradictions(project), *_missing_files(project, path.parent)]
    if problems:
        raise BadLines([f"{path}: {problem}" for problem in problems])
    return project


def _without(values: Mapping[str, Any], wrong: list[ErrorDetails], needed: dict[str, str]) -> dict[str, Any]:
    """The values without what is wrong in them, so that the rest can be looked at.

    Who is assigned what goes with a wrong list of reviewers. `needed` stands in for what has to be there.
    """
    bad = {str(error["loc"][0]) for error in wrong}
    kept = needed | {key: value for key, value in values.items() if str(key) not in bad}
    if "reviewers" in bad:
        kept.pop("assignment", None)
    elif "assignment" in bad and isinstance(given := values["assignment"], dict):
        inner = {str(error["loc"][1]) for error in wrong if error["loc"][0] == "assignment"}
        kept["assignment"] = {key: value for key, value in given.items() if str(key) not in inner}
    return kept


def guidelines_of(project: ReviewProject, folder: Path) -> str:
    """The text of the project's guidelines, "" without any. Raises InputError if it cannot be read."""
    if not project.guidelines:
        return ""
    path = folder / project.guidelines
    try:
        data = path.read_bytes()
        if len(data) > LONGEST_GUIDELINES:
            raise InputError(
                f"{path}: guidelines have {len(data):,} bytes. At most {LONGEST_GUIDELINES:,} can be shown."
            )
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError:
        raise InputError(f"{path}: guidelines are not UTF-8. Save the file as UTF-8.") from None


def _contradictions(project: ReviewProject) -> Iterator[str]:
    """Settings that do not go together, each by its key."""
    names, given = project.reviewers, project.assignment
    for key, texts in {"reviewers": names, "tags": project.tags, "votes": project.votes}.items():
        for text in dict.fromkeys(text for text in texts if texts.count(text) > 1):
            yield f"{key}: {shown(text)} is there {texts.count(text)} times. It may be there only once."
    for name in names:
        if name != name.strip():
            yield f"reviewers: {shown(name)} begins or ends with a space. Leave it out."
    k = given.reviewers_per_pair
    if k is not None and given.shares:
        yield "assignment: has both reviewers_per_pair and shares. It can have one of them."
    elif k is not None and k > len(names):
        yield (
            f"assignment.reviewers_per_pair: must be at most the number of reviewers "
            f"(found: {k}, and {len(names)} reviewers)"
        )
    for name in given.shares:
        if name not in names:
            known = f"The reviewers are {', '.join(names)}." if names else "There are no reviewers."
            yield f"assignment.shares.{name}: no such reviewer.{did_you_mean(name, names)} {known}"
    total = math.fsum(given.shares.values())
    if given.shares and not math.isclose(total, 1, abs_tol=1e-6):
        yield f"assignment.shares: must be 1 together (found: {total:g})"


def _missing_files(project: ReviewProject, folder: Path) -> Iterator[str]:
    """Files that are named and not there, each by its key."""
    named = {"pairs": project.pairs, "verdicts": project.verdicts, "guidelines": project.guidelines}
    named |= {f"votes.{n}": name for n, name in enumerate(project.votes)}
    for key, name in named.items():
        if name and not (folder / name).is_file():
            yield f"{key}: no such file (found: {shown(name)}, seen from the folder of the project)"
