"""Hugging Face `datasets`: pairs of a Dataset, verdicts as one, and verdicts by `Dataset.map`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from judge.frameworks.judging import FrameworkJudge, missing_extra, reason_of
from judge.io.frames import verdicts_to_frame
from judge.io.pairs import pairs_of, with_json_parsed
from judge.io.rows import Cells, Row, changed, plain
from judge.records import Pair, Verdict

if TYPE_CHECKING:
    from datasets import Dataset, Features


def pairs_of_dataset(dataset: Dataset) -> list[Pair]:
    """The pairs of a data set, by the columns that a file of pairs has; other columns are metadata.

    Raises:
        BadLines: some rows are no pairs; the error holds a line for each of them.
        InputError: there is no row.
    """
    return _pairs(dataset, "data set")


def verdicts_to_dataset(verdicts: Sequence[Verdict], pairs: Sequence[Pair] | None = None) -> Dataset:
    """A data set with one row per verdict and the columns of `judge.verdicts_to_frame`.

    Raises:
        InputError: a verdict on a pair that is not among the pairs.
        MissingExtra: `datasets` is not installed.
    """
    try:
        from datasets import Dataset
    except ImportError as error:
        raise missing_extra("datasets", "A data set", error) from error
    return Dataset.from_pandas(verdicts_to_frame(verdicts, pairs), preserve_index=False)


class VerdictColumns:
    """A function for `Dataset.map(..., batched=True)` that adds the verdict on each row's pair.

    The new columns are judge (its fingerprint), status, outcome, p_a, and unparsed: why a reply could not be
    read. Give `map` their types too: `features=columns.features(dataset)`. A row is a pair as in a file of
    pairs. A batch is judged in one call, so a large `batch_size` is faster than a small one.

    Args:
        options: those of `judge.Judge`. The same options are the same function to the cache of `datasets`.

    Raises:
        InputError: as `judge.Judge`; of a call also rows that are no pairs.
    """

    def __init__(self, **options: Any) -> None:
        self._judge = FrameworkJudge(**options)

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        names = list(batch)
        rows = [dict(zip(names, row, strict=True)) for row in zip(*batch.values(), strict=True)]
        without_ids = ({name: cell for name, cell in row.items() if name != "id"} for row in rows)
        verdicts = self._judge.verdicts(_pairs(without_ids, "batch"))  # an id may come twice in a data set
        return {
            "judge": [verdict.judge for verdict in verdicts],
            "status": [verdict.status.value for verdict in verdicts],
            "outcome": [verdict.outcome and verdict.outcome.value for verdict in verdicts],
            "p_a": [verdict.p_a for verdict in verdicts],
            "unparsed": [reason_of(verdict) or None for verdict in verdicts],
        }

    def features(self, dataset: Dataset) -> Features:
        """The columns after `map`, with their types, which `datasets` cannot see in a batch of nothing."""
        from datasets import Features, Value

        texts = {name: Value("string") for name in ("judge", "status", "outcome", "unparsed")}
        return Features({**dataset.features, **texts, "p_a": Value("float64")})


def _pairs(rows: Iterable[Cells], name: str) -> list[Pair]:
    numbered = (Row(f"{name} row {number}", plain(row)) for number, row in enumerate(rows, start=1))
    return pairs_of(changed(numbered, with_json_parsed), name)
