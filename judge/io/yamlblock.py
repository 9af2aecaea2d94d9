"""A YAML file that is one block of keys, such as a recipe or a project of the review app.

Import of PyYAML is left to the reading: only the extras that read such files bring it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from judge.errors import BadLines
from judge.io.rows import Wrong, bytes_of, first_line, kind_of, not_utf8, whole_characters

EXPONENT = re.compile(r"[-+]?\d+[eE][-+]?\d+")
OCTAL = re.compile(r"[-+]?0[0-7_]+")
INT_TAG = "tag:yaml.org,2002:int"
FLOAT_TAG = "tag:yaml.org,2002:float"
TEXT_TAG = "tag:yaml.org,2002:str"
MERGE_TAG = "tag:yaml.org,2002:merge"


def read_block(path: Path, keys: Iterable[str]) -> dict[str, Any]:
    """The file's top block. Raises BadLines if it is not YAML, InputError if it cannot be read.

    Args:
        keys: what the block may hold, for the message on a file that is none.
    """
    import yaml

    try:
        source = bytes_of(path).decode("utf-8-sig")
        values, problems = _value_of(yaml.SafeLoader(source))
    except UnicodeDecodeError as error:
        raise BadLines([f"{path}: {not_utf8(error.object[error.start])}"]) from None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BadLines([f"{path}{line}: not YAML ({error.problem})."]) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: the 40th of May
        raise BadLines([f"{path}: not YAML ({first_line(error)})."]) from None
    if problems:
        raise BadLines([f"{path}{problem}" for problem in problems])
    if not isinstance(values, dict):
        what = "the file is empty" if values is None else f"the file is {kind_of(values)}"
        raise BadLines([f"{path}: {what}. It must be the keys {', '.join(keys)}."])
    return values


def _value_of(loader: Any) -> tuple[Any, list[str]]:
    """The YAML's values, and a message on each repeated key, each half of a character and each number that
    is read as another one than is written, with its line.

    3e-4 is read as a number, and every key as text: YAML 1.1 takes `yes`, which may be a name, for true.
    """
    import yaml

    node = loader.get_single_node()
    if node is None:
        return None, []
    nodes = list(_nodes_below(node))
    for one in nodes:  # YAML 1.1 takes an exponent without a point or a sign for text
        if isinstance(one, yaml.ScalarNode) and one.style is None and EXPONENT.fullmatch(one.value):
            one.tag = FLOAT_TAG
    blocks = [one for one in nodes if isinstance(one, yaml.MappingNode)]
    for key in [key for block in blocks for key, _ in block.value]:
        if isinstance(key, yaml.ScalarNode) and key.tag != MERGE_TAG:
            key.tag = TEXT_TAG
    problems = [problem for block in blocks for problem in _repeated(block)]
    problems += [problem for one in nodes for problem in _made_whole(one)]
    problems += [problem for one in nodes for problem in _read_otherwise(loader, one)]
    return loader.construct_document(node), problems


def _nodes_below(node: Any) -> Iterator[Any]:
    """The node and all within it."""
    import yaml

    yield node
    if not isinstance(node, yaml.ScalarNode):
        for one in node.value:
            for inner in one if isinstance(one, tuple) else (one,):
                yield from _nodes_below(inner)


def _made_whole(node: Any) -> Iterator[str]:
    """Joins the halves of characters in a text; a message where one stands alone."""
    if isinstance(node.value, str):
        try:
            node.value = whole_characters(node.value)
        except Wrong as wrong:
            yield f":{node.start_mark.line + 1}: {wrong}"


def _read_otherwise(loader: Any, node: Any) -> Iterator[str]:
    """A message on a number that YAML 1.1 takes for octal, or for minutes and seconds."""
    if node.tag not in (INT_TAG, FLOAT_TAG) or node.style is not None:
        return
    if ":" not in node.value and not OCTAL.fullmatch(node.value):
        return
    value = loader.construct_object(node)
    if ":" in node.value or value != int(node.value.replace("_", ""), 10):
        yield (
            f":{node.start_mark.line + 1}: {node.value} is read as {value:g}, as YAML 1.1 has it. Write the "
            "number without leading zeros and colons, or text in quotes."
        )


def _repeated(block: Any) -> Iterator[str]:
    """Each key that the block has twice: otherwise one of the values would silently win."""
    import yaml

    first: dict[str, int] = {}
    lines = [key.start_mark.line + 1 for key, _ in block.value]
    for n, (key, _) in enumerate(block.value):
        if isinstance(key, yaml.ScalarNode) and first.setdefault(key.value, n) != n:
            place = f"line {lines[first[key.value]]}"
            yield f":{lines[n]}: {key.value} is already in {place}. A key may be there only once."
