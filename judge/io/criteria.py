"""Criteria as lines of text: of a file, of an option, of a pair's cell.

    price: names the price of what was asked for | weight 2 | 1 = no price | 5 = the exact price
    cites a source

Only a name must be there. Empty lines, and lines that begin with #, say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from judge.errors import BadLines, InputError
from judge.io.content import plain_content
from judge.io.rows import (
    NotJson,
    Row,
    Wrong,
    claim,
    content_of,
    file_name,
    gather,
    kind_of,
    not_utf8,
    parse_json,
    shown,
)
from judge.records import Criterion

MAX_CRITERIA = 10
MAX_WEIGHT = 100
FORM = "Write one a line: name: description | weight 2 | 1 = what 1 means | 5 = what 5 means."
PARTS = ("name", "description", "weight", "1", "5")
"""The keys of a criterion that is an object."""
BEHIND = ("weight ", "1 = ", "5 = ")
NAMED = re.compile(r"(.*?):(?:\s+(.*))?")
WEIGHT = re.compile(r"weight\b\s*[=:]?\s*(.*)", re.IGNORECASE)
WEIGHT_WITHOUT_BAR = re.compile(r"(?:^|[,;(])\s*weight\s*[=:]?\s*\d[\d.]*\s*\)?$", re.IGNORECASE)
SCALE = re.compile(r"([15])\s*[=:]\s*(.*)")
DECIMALS = re.compile(r"\d+(\.\d{1,2})?")
LINE_END = re.compile(r"\r\n|\r|\n")
UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f]")


def read_criteria(path: str | Path) -> tuple[Criterion, ...]:
    """The criteria of a file of text, in its order; "-" is standard input.

    Raises:
        BadLines: some lines are no criteria, or repeat a name; the error has a line for each.
        InputError: the file is no text, or has no criterion or too many.
    """
    name = file_name(path)
    content = plain_content(content_of(path), name)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}:{line}: {not_utf8(content[error.start])}") from None
    lines = cut_in_lines(text)
    return criteria_of([(f"{name}:{n}", line) for n, line in enumerate(lines, start=1)], name)


def criteria_given(given: object) -> tuple[Criterion, ...]:
    """The criteria of an option: the name of a file, or lines or criteria in a list; "" and [] are none.

    Raises:
        InputError: anything else, or as `read_criteria`.
    """
    if isinstance(given, str | Path):
        return read_criteria(given) if str(given) else ()
    if not isinstance(given, Sequence):
        raise InputError(f"criteria is {type(given).__name__}. It must be a file's name, or a list of lines.")
    lines = [one.line if isinstance(one, Criterion) else one for one in given]
    placed = [(f"criterion {n}", line) for n, line in enumerate(lines, start=1)]
    return criteria_of(placed, "criteria") if placed else ()


def criteria_in(cells: Mapping[str, Any]) -> tuple[Criterion, ...]:
    """The criteria of a row's cell `criteria`: lines as text, as a list or as JSON, or descriptions by name.

    Raises:
        Wrong: what is in the cell is something else.
    """
    lines = lines_of(cells.get("criteria"))
    placed = [(f"criteria, line {n}", line) for n, line in enumerate(lines, start=1)]
    try:
        return criteria_of(placed, "criteria") if placed else ()
    except BadLines as error:
        raise Wrong("; ".join(error.problems)) from None
    except InputError as error:
        raise Wrong(str(error)) from None


def lines_of(value: Any) -> list[Any]:
    """The lines of a cell. In YAML `- price: names it` is an object of one key, which is such a line, too."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        told = json_in(value)
        return cut_in_lines(value) if told is None else lines_of(told)
    if isinstance(value, Mapping):
        return (
            [line_of(value)]
            if "name" in value
            else [f"{name}: {text_of(text, name)}" for name, text in value.items()]
        )
    if isinstance(value, list):
        return [line for one in value for line in (lines_of(one) if isinstance(one, Mapping) else [one])]
    raise Wrong(f"criteria is {kind_of(value)}. It must be text, or a list of lines.")


def json_in(value: str) -> Any:
    """The list or the object that a text is as JSON, as a table has it; None where it is none."""
    if not value.lstrip().startswith(("[", "{")):
        return None
    try:
        return parse_json(value)
    except NotJson:
        return None


def cut_in_lines(text: str) -> list[str]:
    """The lines of a text; what only looks like a line's end, such as U+2028, is white space within one."""
    return LINE_END.split(text)


def line_of(value: Mapping[str, Any]) -> str:
    """The line of a criterion as an object: name, and description, weight, 1 and 5 if it has them."""
    if odd := [name for name in value if name not in PARTS]:
        raise Wrong(f"a criterion has the key {shown(odd[0])}. It may have {', '.join(PARTS)}.")
    name, description, *others = (text_of(value.get(part), part) for part in PARTS)
    said = f"{name}: {description}" if description else name
    return " | ".join([said, *(f"{words}{text}" for words, text in zip(BEHIND, others, strict=True) if text)])


def text_of(value: Any, name: str) -> str:
    """The value as text, "" for null; the weight may be a number."""
    if value is None:
        return ""
    if name == "weight" and type(value) in (int, float):
        return str(value) if isinstance(value, int) else f"{value:g}"
    if not isinstance(value, str):
        raise Wrong(f"criteria, {name} is {kind_of(value)}. It must be text.")
    return value


def lines_in_one(criteria: Iterable[Criterion]) -> str:
    """The criteria as one text, a line each, as files of pairs have it."""
    return "\n".join(criterion.line for criterion in criteria)


def criteria_of(lines: Iterable[tuple[str, Any]], name: str) -> tuple[Criterion, ...]:
    """The criteria of lines, each with its place; `name` is what error messages call all of them.

    Raises:
        BadLines: as `read_criteria`.
        InputError: there is no criterion, or there are too many.
    """
    first_with_name: dict[Hashable, str] = {}

    def criterion_in(cells: Mapping[str, Any], where: str) -> Criterion:
        criterion = criterion_of(cells["line"])
        claim(first_with_name, criterion.name.casefold(), where, f"the criterion {shown(criterion.name)}")
        return criterion

    rows = [Row(where, {"line": line}) for where, line in lines if not is_blank(line)]
    found = gather(rows, criterion_in)
    if not found:
        raise InputError(f"{name}: no criterion found. {FORM}")
    if len(found) > MAX_CRITERIA:
        raise InputError(
            f"{name}: {len(found)} criteria. There may be {MAX_CRITERIA} at most: each is asked of both "
            "answers in both orders."
        )
    return tuple(found)


def is_blank(line: Any) -> bool:
    """Whether the line is empty or a comment."""
    return isinstance(line, str) and (not line.strip() or line.lstrip().startswith("#"))


def criterion_of(line: Any) -> Criterion:
    """The criterion that a line says. Raises Wrong."""
    if not isinstance(line, str):
        raise Wrong(f"a criterion is {kind_of(line)}. It must be a line of text.")
    if UNSEEN.search(line) or "\n" in line:
        raise Wrong(f"{shown(line)} is not one line of text. {FORM}")
    said, *parts = (part.strip() for part in line.split("|"))
    name, description = name_and_description(said)
    weight: float | None = None
    scale: dict[str, str] = {}
    for part in parts:
        if (found := WEIGHT.fullmatch(part)) and weight is None:
            weight = weight_of(found[1])
        elif (found := SCALE.fullmatch(part)) and found[1] not in scale:
            scale[found[1]] = found[2]
        else:
            raise Wrong(f"{shown(part)} is not understood. {FORM}")
    if scale and not (scale.get("1") and scale.get("5")):
        raise Wrong(f"the scale names {' and '.join(scale)} only. It must say what 1 and what 5 means.")
    if WEIGHT_WITHOUT_BAR.search(said):
        raise Wrong(f"{shown(said)}: a weight stands behind a bar. {FORM}")
    words = (scale["1"], scale["5"]) if scale else None
    return Criterion(name, description, 1.0 if weight is None else weight, words)


def name_and_description(said: str) -> tuple[str, str]:
    """The two parts of "name: description"; without a colon all of it is the name."""
    named = NAMED.fullmatch(said)
    if named is None:
        name, description = said, ""
    else:
        name, description = named[1].strip(), (named[2] or "").strip()
        if name and not description:
            raise Wrong(f"nothing stands after {shown(f'{name}:')}. {FORM}")
    if not name:
        raise Wrong(f"the criterion has no name. {FORM}")
    return " ".join(name.split()), " ".join(description.split())


def weight_of(text: str) -> float:
    """The weight, a number above 0 with two decimals at most."""
    weight = float(text) if DECIMALS.fullmatch(text) else 0.0
    if not 0 < weight <= MAX_WEIGHT:
        raise Wrong(
            f"weight is {shown(text)}. It must be a number above 0, at most {MAX_WEIGHT}, with two decimals "
            "at most."
        )
    return weight
