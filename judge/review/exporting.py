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


def vote_rows(votes: Iterable[HumanVote]) -> list[dict[str, Any]]:
    return [vote_to_json(vote) for vote in votes]


def pair_rows(pairs: Iterable[Pair], labels: Mapping[str, HumanVote]) -> list[dict[str, Any]]:
    """The pairs; a final label is put into `gold`, where `judge bench FILE` looks for it."""
    return [pair_to_json(with_gold(pair, labels.get(pair.id))) for pair in pairs]


def with_gold(pair: Pair, label: HumanVote | None) -> Pair:
    rest = {name: value for name, value in pair.metadata.items() if name != GOLD or label is None}
    gold = {} if label is None else {GOLD: label.outcome.outcome.value}
    return replace(pair, metadata=rest | gold)


def as_bytes(rows: Sequence[Mapping[str, Any]], form: str) -> bytes:
    """The rows in one of FORMATS. A table's columns are all their keys; conversations are JSON in it."""
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = [{name: _cell(row.get(name), name) for name in names} for row in rows]
    return _csv(names, table) if form == "csv" else _parquet(names, table)


def _cell(value: Any, name: str) -> Any:
    return json.dumps(value, ensure_ascii=False) if name in JSON_COLUMNS and value is not None else value


def _csv(names: Sequence[str], table: Sequence[Mapping[str, Any]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names)
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue().encode()


def _parquet(names: Sequence[str], table: Sequence[Mapping[str, Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    kinds = {name: pyarrow.int64() if name == "turn" else pyarrow.string() for name in names}
    schema = pyarrow.schema(list(kinds.items()))
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(map(dict, table)), schema=schema), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content
