"""Cases of a test suite: `judge_cases.jsonl` or `judge_cases.yaml`, each with a new and an approved answer.

    id, prompt, response, baseline      and optionally expect, cluster, category, reference, system, criteria

`conversation`, a list of {"role", "content"} that ends in a question, may take the place of `prompt`. A file
is read whole or not at all: every case that cannot be read is named in one BadLines error.

A file of pairs, of our own or of another tool that says which answer is a, is cases, too: a is the new one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.errors import InputError, MissingExtra
from judge.forms.form import is_pair
from judge.forms.reading import File, Say, form_among, read_rows, told
from judge.io.content import JSON
from judge.io.criteria import criteria_in
from judge.io.pairs import message_of
from judge.io.rows import (
    JSON_READERS,
    Reader,
    Row,
    Wrong,
    claim,
    first_line,
    found,
    gather,
    kind_of,
    rows_of,
    shown,
    whole_characters,
)
from judge.io.values import optional_text, text, whole_number
from judge.io.wording import did_you_mean
from judge.plugin.suite import cluster_of
from judge.records import Message, Pair

NEEDED = ("id", "response", "baseline")
OPTIONAL = ("prompt", "conversation", "expect", "cluster", "category", "reference", "system", "criteria")
EXPECTATIONS = ("preferred", "not-worse")


@dataclass(frozen=True, slots=True)
class Case:
    """One case: its pair (a is the new answer), what is expected of it alone ("" if nothing), its cluster."""

    pair: Pair
    expect: str
    cluster: str
    where: str


def read_cases(path: Path, say: Say = told) -> list[Case]:
    """The cases of a file of JSON, gzipped or not, or of a .yaml or .yml file, in its order.

    Args:
        say: is told which other form it was, and what was left out.

    Raises:
        BadLines: some cases cannot be read; the error holds a line for each of them.
        InputError: the file as a whole cannot be read, or has no case in it.
        MissingExtra: it is YAML, and PyYAML is not installed.
    """
    rows = list(rows_of(path, READERS))
    if holds_pairs(rows):
        pairs = newer_first(File(str(path), JSON, rows), say)
        return [case_of_pair(pair, f"{path}, {pair.id}") for pair in pairs]
    taken: dict[Hashable, str] = {}

    def case_of(cells: Mapping[str, Any], where: str) -> Case:
        refuse_unknown(cells)
        if missing := [name for name in NEEDED if cells.get(name) is None]:
            raise Wrong(
                f"missing {', '.join(missing)} (found: {found(cells)}). Every case needs {', '.join(NEEDED)}."
            )
        number = whole_number(cells["id"])
        name = text(cells["id"], "id") if number is None else str(number)
        if not name.strip():
            raise Wrong("id is empty. Give it some text: it is the case's name.")
        claim(taken, name, where, f"id {shown(name)}")
        return case_from_cells(cells, name, where)

    cases = gather(rows, case_of)
    if not cases:
        raise InputError(f"{path}: no cases found. A file must hold at least one case.")
    return cases


def holds_pairs(rows: Sequence[Row]) -> bool:
    """Whether rows are pairs, of our own or of another tool, and none is a case."""
    every = [row.cells for row in rows if not isinstance(row.cells, Wrong)]
    if any(name in cells for cells in every for name in NEEDED[1:]):
        return False
    return any(map(is_pair, every)) or form_among(rows) is not None


def newer_first(file: File, say: Say) -> list[Pair]:
    """The pairs of a file in which a is the new answer.

    Raises:
        InputError: it cannot be read, or it does not say which answer is a.
    """
    read = read_rows(file, say)
    if not read.is_in_order:
        raise InputError(
            f"{file.name}: this file does not say which answer is the new one. Name it: judge import "
            "columns FILE --map prompt=question,response_a=new,response_b=approved"
        )
    return list(read.pairs)


def case_of_pair(pair: Pair, where: str) -> Case:
    """The case of a pair, whose further columns may say what is expected and which cluster it is of.

    Raises:
        InputError: they say something else.
    """
    expect = "" if (value := pair.metadata.get("expect")) is None else value
    if expect not in ("", *EXPECTATIONS):
        raise InputError(f"{where}: {odd_expectation(expect)}")
    return Case(pair, str(expect), cluster_in(pair, where), where)


def cluster_in(pair: Pair, where: str) -> str:
    """The cluster that a pair's column names; what else makes it depend on others where there is none."""
    cluster = "" if (value := pair.metadata.get("cluster")) is None else value
    if not isinstance(cluster, str | int):
        raise InputError(f"{where}: cluster is {kind_of(cluster)}. It must be text.")
    return str(cluster) or cluster_of(pair)


def odd_expectation(expect: object) -> str:
    return f"expect is {shown(expect)}. It must be {' or '.join(EXPECTATIONS)}, or left out."


def case_from_cells(cells: Mapping[str, Any], name: str, where: str) -> Case:
    """The case of one row; `Wrong` says what is wrong with it."""
    asked = asked_in(cells)
    expect = optional_text(cells, "expect") or ""
    if expect and expect not in EXPECTATIONS:
        raise Wrong(odd_expectation(expect))
    pair = Pair.of(
        asked,
        text(cells["response"], "response"),
        text(cells["baseline"], "baseline"),
        id=name,
        category=optional_text(cells, "category"),
        reference=optional_text(cells, "reference"),
        system=optional_text(cells, "system"),
        criteria=criteria_in(cells),
    )
    return Case(pair, expect, optional_text(cells, "cluster") or cluster_of(pair), where)


def asked_in(cells: Mapping[str, Any]) -> str | tuple[Message, ...]:
    """What was asked: a prompt, or a conversation that ends in a question."""
    given = [name for name in ("prompt", "conversation") if cells.get(name) is not None]
    if len(given) != 1:
        has = " and ".join(given) or "neither"
        raise Wrong(f"has {has} of prompt and conversation. Every case needs one of the two.")
    if given == ["prompt"]:
        prompt = text(cells["prompt"], "prompt")
        if not prompt.strip():
            raise Wrong("the prompt is empty. Every case needs a question that the answers are to.")
        return prompt
    if not isinstance(cells["conversation"], list):
        raise Wrong(f"conversation is {kind_of(cells['conversation'])}. It must be a list of messages.")
    messages = tuple(message_of(one, "conversation") for one in cells["conversation"])
    if any(message.role == "system" for message in messages):
        raise Wrong("the conversation has a system message. Put its text into system.")
    if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
        raise Wrong("the conversation does not end in a question. Its last message must be the user's.")
    return messages


def refuse_unknown(cells: Mapping[str, Any]) -> None:
    known = (*NEEDED, *OPTIONAL)
    if unknown := [name for name in cells if name not in known]:
        hint = did_you_mean(unknown[0], known)
        raise Wrong(f"unknown key {shown(unknown[0])}.{hint} The keys are {', '.join(known)}.")


# --- YAML ------------------------------------------------------------------------------------------------


def yaml_rows(data: bytes, name: str) -> Iterator[Row]:
    """The objects of a list in YAML, each with the line on which it starts."""
    try:
        import yaml
    except ImportError as error:
        what = 'cases in YAML need: pip install "four-token-judge[pytest]"'
        raise MissingExtra(f"{what} ({error}). JSONL needs nothing more.") from error

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
        def construct_scalar(self, node: Any) -> Any:
            return whole_characters(super().construct_scalar(node))

    Loader.add_constructor("tag:yaml.org,2002:timestamp", Loader.construct_scalar)  # dates stay text
    try:
        loader = Loader(data.decode("utf-8-sig"))
        node = loader.get_single_node()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: byte 0x{error.object[error.start]:02x} is not UTF-8. Save it as UTF-8."
        ) from None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{name}{line}: not YAML ({error.problem}).") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{name}: not YAML ({first_line(error)}).") from None
    if node is None:
        return
    if not isinstance(node, yaml.SequenceNode):
        raise InputError(f"{name}: the file is no list. Cases in YAML are a list: a dash before each.")
    for child in node.value:
        yield Row(f"{name}:{child.start_mark.line + 1}", _object_of(loader, child))


def _object_of(loader: Any, node: Any) -> dict[str, Any] | Wrong:
    import yaml

    if not isinstance(node, yaml.MappingNode):
        kind = "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
        return Wrong(f"the entry is {kind}. It must be an object.")
    keys = [key.value for key, _ in node.value]
    if repeated := next((key for key in keys if keys.count(key) > 1), None):
        return Wrong(f"the key {shown(repeated)} is there twice. Every key may be there only once.")
    try:
        cells = loader.construct_object(node, deep=True)
    except Wrong as wrong:
        return wrong
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: !!int x
        return Wrong(f"not YAML that can be read ({first_line(error)}).")
    return {str(key): value for key, value in cells.items()}


READERS: dict[str, Reader] = {**JSON_READERS, ".yaml": yaml_rows, ".yml": yaml_rows}
