"""A selection as a file: gzipped JSON lines, first how it was made, then one example per line."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.selection import Example, Filter, Part, Selection
from distill.traces import gzipped_lines, long_form, pair_of_long, trace_line
from judge.errors import InputError
from judge.io.rows import JSON_READERS, Wrong, claim, gather, kind_of, rows_of, shown
from judge.io.values import keyed, named, probability, token_count
from judge.io.writing import write_whole
from judge.records import Choice, Order

SCHEMA = "four-token-judge/selection"
VERSION = 1
HEADER_KEYS = ("schema", "version", "filter", "margin", "balance_length", "held_out", "seed", "dropped")
EXAMPLE_KEYS = ("part", "choices", "p_a", "pair")


def write_selection(path: str | Path, selection: Selection) -> None:
    """Writes a .jsonl.gz, whole or not at all: how the selection was made, then an example a line.

    Equal selections give equal bytes.

    Raises:
        InputError: the file cannot be written, or its name has another ending.
    """
    if not str(path).endswith(".jsonl.gz"):
        raise InputError(f"{path}: written as gzipped JSONL. Its name must end in .jsonl.gz.")
    rows = [header_to_json(selection), *map(example_to_json, selection.kept)]
    write_whole(path, gzipped_lines(map(trace_line, rows)), parents=True)


def header_to_json(selection: Selection) -> dict[str, Any]:
    """How the selection was made and what was dropped, with its keys in their fixed order."""
    made = {name: getattr(selection, name) for name in HEADER_KEYS[2:-1]}
    return (
        {"schema": SCHEMA, "version": VERSION} | made | {"dropped": dict(sorted(selection.dropped.items()))}
    )


def example_to_json(example: Example) -> dict[str, Any]:
    return {
        "part": example.part.value,
        "choices": {order.value: example.choices[order].value for order in Order if order in example.choices},
        "p_a": None if example.p_a is None else float(example.p_a),
        "pair": long_form(example.pair),
    }


def read_selection(path: str | Path) -> Selection:
    """The selection in the file, as it was written.

    Types, names and ranges are checked; whether the examples follow from any traces is not.

    Raises:
        BadLines: some lines are not examples, or repeat a pair; the error names every one of them.
        InputError: the file as a whole cannot be read, or does not begin with its header.
    """
    first_with_id: dict[Hashable, str] = {}

    def line_from(cells: Mapping[str, Any], where: str) -> Selection | Example:
        if "schema" in cells:
            return header_from_cells(cells)
        example = example_from_cells(cells)
        claim(first_with_id, example.pair.id, where, f"pair {shown(example.pair.id)}")
        return example

    lines = gather(rows_of(path, JSON_READERS), line_from)
    examples = tuple(line for line in lines if isinstance(line, Example))
    if not lines or not isinstance(lines[0], Selection) or len(examples) != len(lines) - 1:
        raise InputError(f"{path}: no selection. Its first line, and no other, must have schema {SCHEMA!r}.")
    return replace(lines[0], kept=examples)


def header_from_cells(cells: Mapping[str, Any]) -> Selection:
    """The selection in a file's first line, still without its examples."""
    keyed(cells, HEADER_KEYS, "the header")
    for name, right in (("schema", SCHEMA), ("version", VERSION)):
        if cells[name] != right:
            raise Wrong(f"{name} is {shown(cells[name])}. It must be {right!r}.")
    if not isinstance(cells["balance_length"], bool):
        raise Wrong(f"balance_length is {kind_of(cells['balance_length'])}. It must be true or false.")
    if type(cells["seed"]) is not int:
        raise Wrong(f"seed is {shown(cells['seed'])}. It must be a whole number.")
    if not isinstance(cells["dropped"], dict):
        raise Wrong(f"dropped is {kind_of(cells['dropped'])}. It must be an object.")
    return Selection(
        kept=(),
        dropped={reason: token_count(n, f"dropped, {reason}") for reason, n in cells["dropped"].items()},
        filter=named(cells["filter"], Filter, "filter"),
        margin=probability(cells["margin"], "margin"),
        balance_length=cells["balance_length"],
        held_out=probability(cells["held_out"], "held_out"),
        seed=cells["seed"],
    )


def example_from_cells(cells: Mapping[str, Any]) -> Example:
    """The example of one line."""
    keyed(cells, EXAMPLE_KEYS, "an example")
    choices = cells["choices"]
    if not isinstance(choices, dict) or not choices:
        raise Wrong(f"choices is {shown(choices)}. It must be an object with AB, BA or both.")
    example = Example(
        pair=pair_of_long(cells["pair"]),
        choices={named(o, Order, "order"): named(c, Choice, f"choices, {o}") for o, c in choices.items()},
        p_a=None if cells["p_a"] is None else probability(cells["p_a"], "p_a"),
        part=named(cells["part"], Part, "part"),
    )
    if long_form(example.pair) != cells["pair"]:
        raise Wrong("pair is not in its long form. It must have id, both conversations and metadata only.")
    return example
