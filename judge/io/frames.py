"""Verdicts as a table: a pandas DataFrame, and files of it for people who go on in a notebook."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.errors import InputError
from judge.io.criteria import lines_in_one
from judge.io.pairs import metadata_named, pairs_by_id
from judge.io.writing import write_whole
from judge.records import Choice, Judgment, Order, Pair, Unparsed, Verdict

if TYPE_CHECKING:
    from pandas import DataFrame

TABLE_ENDINGS = (".csv", ".parquet")
OF_AN_ORDER = ("choice", "p_first", "raw", "unparsed")
VERDICT_COLUMNS = (
    *("pair_id", "judge", "status", "outcome", "p_a", "outcome_by_mean"),
    *(f"{name}_{order.lower()}" for order in Order for name in OF_AN_ORDER),
    *("tokens_in", "tokens_out", "is_trimmed", "is_undecided"),
)
TEXT_COLUMNS = ("category", "prompt", "response_a", "response_b", "reference", "system", "metadata")


def verdicts_to_frame(verdicts: Sequence[Verdict], pairs: Sequence[Pair] | None = None) -> DataFrame:
    """A pandas DataFrame with one row per verdict, in their order.

    Columns: pair_id, judge, status, outcome, p_a, outcome_by_mean; for each order (ab, ba) choice_ab,
    p_first_ab (the probability of the answer shown first), raw_ab and unparsed_ab (why a reply could not be
    read); tokens_in and tokens_out of both orders together, is_trimmed, is_undecided. With the pairs also
    category, prompt, response_a, response_b, reference, system, and metadata as JSON text, and criteria as
    lines where a pair has some. Absent values are missing (NaN or None).

    Raises:
        InputError: a verdict on a pair that is not among the pairs, two different pairs of one id, or
            metadata that is not JSON.
    """
    from pandas import DataFrame

    rows = [_row_of(verdict) for verdict in verdicts]
    columns = list(VERDICT_COLUMNS)
    if pairs is not None:
        texts = pairs_by_id(pairs)
        rows = [row | _texts_of(texts, row["pair_id"]) for row in rows]
        columns += [*TEXT_COLUMNS, *(["criteria"] if any(pair.criteria for pair in pairs) else [])]
    return DataFrame(rows, columns=columns).astype({"p_a": float, "p_first_ab": float, "p_first_ba": float})


def write_frame(path: str | Path, frame: DataFrame) -> None:
    """Writes a frame as CSV or Parquet, by the ending of the name, whole or not at all."""
    if str(path).lower().endswith(".csv"):
        text = frame.to_csv(index=False, lineterminator="\n")
        if "\r" in text:  # which a text may hold, and only quotes keep in its cell
            text = frame.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        write_whole(path, text)
        return
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    write_whole(path, buffer.getvalue())


def is_table(path: str | Path) -> bool:
    """Whether a file of this name is written as a table."""
    return str(path).lower().endswith(TABLE_ENDINGS)


def _row_of(verdict: Verdict) -> dict[str, Any]:
    row: dict[str, Any] = {
        "pair_id": verdict.pair_id,
        "judge": verdict.judge,
        "status": verdict.status.value,
        "outcome": None if verdict.outcome is None else verdict.outcome.value,
        "p_a": verdict.p_a,
        "outcome_by_mean": None if verdict.outcome_by_mean is None else verdict.outcome_by_mean.value,
    }
    for order in Order:
        row |= _cells_of(verdict.readings.get(order), order.value.lower())
    readings = verdict.readings.values()
    return row | {
        "tokens_in": sum(reading.tokens_in for reading in readings),
        "tokens_out": sum(reading.tokens_out for reading in readings),
        "is_trimmed": any(reading.is_trimmed for reading in readings),
        "is_undecided": verdict.is_undecided,
    }


def _cells_of(reading: Judgment | Unparsed | None, order: str) -> dict[str, Any]:
    chosen = reading if isinstance(reading, Judgment) else None
    return {
        f"choice_{order}": chosen and chosen.choice.value,
        f"p_first_{order}": chosen and chosen.probabilities and chosen.probabilities[Choice.FIRST],
        f"raw_{order}": reading and reading.raw,
        f"unparsed_{order}": reading.reason if isinstance(reading, Unparsed) else None,
    }


def _texts_of(pairs: dict[str, Pair], pair_id: str) -> dict[str, Any]:
    if pair_id not in pairs:
        raise InputError(f"pair {pair_id!r} has a verdict and is not among the pairs.")
    pair = pairs[pair_id]
    return {
        "category": pair.category,
        "prompt": pair.prompt,
        "response_a": pair.response_a,
        "response_b": pair.response_b,
        "reference": pair.reference,
        "system": pair.system,
        "metadata": _metadata_of(pair),
        "criteria": lines_in_one(pair.criteria) or None,
    }


def _metadata_of(pair: Pair) -> str | None:
    with metadata_named([pair]):
        return json.dumps(dict(pair.metadata), ensure_ascii=False) if pair.metadata else None
