"""Result files with their figures worked out again, where the way to work one out has changed.

    python -m benchmarks.refigure benchmarks/results/mt-bench.json

The judgments stay those in `benchmarks/ledger`, and so does all that the file says of its making; it gains
the day, `refigured_at`. No model, no adapter, no GPU.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from judge.bench.run import chosen, released_of, source_of
from judge.datasets.dataset import Dataset, Wanted, data_folder
from judge.errors import InputError
from judge.evaluate import is_identical
from judge.ledger.ledger import Ledger
from judge.orders import combine
from judge.provenance import CHECKOUT, as_json
from judge.records import IDENTICAL, Identity, Order, Pair, Reading, Verdict
from judge.study.study import Entrant, EntrantKind, study_as_json, study_of

Result = dict[str, Any]
SAME_DIGITS = 1e-9
"""A figure that moves by less than this part of it keeps its old digits: machines add in different orders."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refigure", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--data-dir", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.sqlite") as ledger:
        ledger.load(sorted((CHECKOUT / "benchmarks" / "ledger").glob("*.jsonl.gz")))
        for file in given.files:
            old = json.loads(file.read_text(encoding="utf-8"))
            made = refigured(old, ledger, data_folder(given.data_dir))
            if made != old:
                made["refigured_at"] = datetime.now(UTC).date().isoformat()
                file.write_text(as_json(made) + "\n", encoding="utf-8")


def refigured(result: Result, ledger: Ledger, folder: Path | None) -> Result:
    """The result with the figures that it has, as they are worked out today.

    Raises:
        InputError: the data is not what it was, or a judge's readings are not in the ledger.
    """
    dataset = dataset_of(result, folder)
    judges = [judge for judge in result["judges"] if judge["kind"] == EntrantKind.JUDGE]
    entrants = [
        Entrant(
            judge["name"],
            EntrantKind.JUDGE,
            verdicts_of(judge["fingerprint"], dataset.pairs, ledger),
            judge["cost"]["elapsed_s"],
            Identity(**judge["identity"]),
        )
        for judge in judges
    ]
    study = study_of([*entrants, *released_of(dataset)], dataset.votes, dataset.pairs, seed=result["seed"])
    made = json.loads(json.dumps(study_as_json(study)))
    return {key: renewed(value, made[key]) if key in made else value for key, value in result.items()}


def dataset_of(result: Result, folder: Path | None) -> Dataset:
    """The pairs and votes that the result stands on."""
    selection = result["data"]["selection"]
    turn = None if selection["turn"] == "any" else int(selection["turn"])
    whole = source_of(selection["data_set"]).read(Wanted(folder, turn, selection["votes"]))
    dataset = chosen(whole, selection["categories"], selection["limit"], result["seed"])
    if dataset.hash != result["data"]["hash"]:
        raise InputError(f"{dataset.name}: the data is not that of the result file: another hash.")
    return dataset


def verdicts_of(fingerprint: str, pairs: Sequence[Pair], ledger: Ledger) -> list[Verdict]:
    """The verdicts of the ledger's readings. Equal answers are a tie, though older runs asked about these."""
    known = ledger.find(fingerprint, {pair.content_hash for pair in pairs})
    equal: dict[tuple[str, Order], Reading] = {
        (pair.content_hash, order): IDENTICAL for pair in pairs if is_identical(pair) for order in Order
    }
    known |= equal
    if missing := [pair.id for pair in pairs if any((pair.content_hash, o) not in known for o in Order)]:
        raise InputError(f"{fingerprint}: {len(missing)} of {len(pairs)} pairs are not read.")
    return [
        combine(pair.id, {order: known[pair.content_hash, order] for order in Order}, fingerprint)
        for pair in pairs
    ]


def renewed(old: Any, new: Any) -> Any:
    """The new figures in the places of the old ones; the file keeps the keys that it has.

    A figure that is worked out no longer is left out.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {
            key: renewed(value, new[key]) if key in new else value
            for key, value in old.items()
            if key in new or not is_figure(value)
        }
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [renewed(one, other) for one, other in zip(old, new, strict=True)]
    if isinstance(old, float) and isinstance(new, float):
        return old if math.isclose(old, new, rel_tol=SAME_DIGITS, abs_tol=SAME_DIGITS) else new
    return new


def is_figure(value: Any) -> bool:
    return isinstance(value, Mapping) and {"value", "low", "high", "n"} <= value.keys()


if __name__ == "__main__":
    main()
