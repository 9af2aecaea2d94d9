"""Votes, labels and pairs as files to take away: JSONL, CSV or Parquet, as the project reads them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from judge.io.pairs import JSON_COLUMNS, pair_to_json
from judge.io.votes import vote_to_json
from judge.records import GOLD, HumanVote, Pair

FORMATS = ("jsonl", "csv", "parquet")
GOLD_OF_FILE = "gold_of_file"
DECIDED = ("gold_by", "gold_reason", "gold_at")
"""Columns of exported pairs: the gold that the open file had, and who gave the final label, why and when."""


def vote_rows(votes: Iterable[HumanVote]) -> list[dict[str, Any]]:
    return [vote_to_json(vote) for vote in votes]


def pair_rows(pairs: Iterable[Pair], labels: Mapping[str, HumanVote]) -> list[dict[str, Any]]:
    """The pairs; a final label is put into `gold`, where `judge bench FILE` looks for it."""
    return [pair_to_json(with_gold(pair, labels.get(pair.id))) for pair in pairs]


def with_gold(pair: Pair, label: HumanVote | None) -> Pair:
    """The pair with nothing but the final label as its gold, beside who gave it and why.

    What its file had in that column stands apart, as `gold_of_file`. A file that was exported before has
    final labels in it, which stay what they are.
    """
    was_decided = DECIDED[0] in pair.metadata
    if label is None and was_decided:
        return pair
    rest = {name: value for name, value in pair.metadata.items() if name not in (GOLD, *DECIDED)}
    is_of_file = GOLD in pair.metadata and not was_decided
    before = {GOLD_OF_FILE: pair.metadata[GOLD]} if is_of_file else {}
    if label is None:
        return replace(pair, metadata=rest | before)
    decided = dict(zip(DECIDED, (label.voter, label.note, label.at), strict=True))
    gold = {GOLD: label.outcome.outcome.value} | {name: value for name, value in decided.items() if value}
    return replace(pair, metadata=rest | before | gold)


def as_bytes(rows: Sequence[Mapping[str, Any]], form: str) -> bytes:
    """The rows in one of FORMATS. A table's columns are all their keys; conversations are JSON in it."""
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = [{name: _cell(row.get(name), name, form) for name in names} for row in rows]
    return _csv(names, table) if form == "csv" else _parquet(names, table)


def _cell(value: Any, name: str, form: str) -> Any:
    is_json = isinstance(value, list) or (name in JSON_COLUMNS and value is not None)
    is_json = is_json or (form == "csv" and isinstance(value, bool))
    return json.dumps(value, ensure_ascii=False) if is_json else value


def _csv(names: Sequence[str], table: Sequence[Mapping[str, Any]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names)
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue().encode()


def _parquet(names: Sequence[str], table: Sequence[Mapping[str, Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    kinds = {"turn": pyarrow.int64(), "saw_judge": pyarrow.bool_()}
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in names])
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(map(dict, table)), schema=schema), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content
