"""What a calibration on some votes is worth on other questions, by judge and number of votes, on MT-bench.

    python -m benchmarks.calibrated --out benchmarks/results/calibration-mt-bench.json

A split deals the questions out at random: votes are taken question by question until there are so many, the
calibration is fitted on these, and the errors are measured on the questions of which no vote was taken. The
readings are those in `benchmarks/ledger`, so no model is needed; seconds to minutes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.refigure import dataset_of, verdicts_of
from judge.datasets.dataset import data_folder
from judge.ledger.ledger import Ledger
from judge.metrics.bootstrap import Floats
from judge.metrics.panel import Bools
from judge.metrics.recalibration import Odds, band_for, fitted, on_other_questions
from judge.provenance import CHECKOUT, provenance, write_result
from judge.study.calibrating import ERRORS, errors_of, odds_beside

SCHEMA = "four-token-judge/calibration-splits/1"
MT_BENCH = CHECKOUT / "benchmarks" / "results" / "mt-bench.json"
OURS = "0.5B score"
N_SPLITS = 200
N_VOTES = 200
OTHER_NUMBERS = (30, 50, 100, 400)
"""Other numbers of votes, for our judge alone."""
PRECISION = 0.8
SEED = 0


@dataclass(frozen=True, slots=True)
class Split:
    """Votes to calibrate on, and votes on other questions; arrays of shape (n_votes,)."""

    known: Bools
    other: Bools


def splits_of(odds: Odds, n_votes: int, n_splits: int = N_SPLITS, seed: int = SEED) -> Iterator[Split]:
    """Random splits by question with exactly `n_votes` votes to calibrate on; the same for every judge."""
    for number in range(n_splits):
        place = np.random.default_rng([seed, number]).permutation(odds.n_questions)[odds.question]
        known = np.zeros(odds.n, bool)
        known[np.argsort(place, kind="stable")[:n_votes]] = True
        yield Split(known, place > place[known].max())


def figures_of(odds: Odds, p_a: Floats, splits: Sequence[Split], has_band: bool) -> dict[str, Any]:
    """Each error before and after, over the splits, and if asked for what a band for `PRECISION` comes to.

    Means over the splits; `low` and `high` are the ends between which 95 % of the splits lie.
    """
    found = [both_errors(odds, p_a, split) for split in splits]
    errors = {
        name: {
            "before": float(np.mean([was[name] for was, _ in found])),
            "after": float(np.mean([now[name] for _, now in found])),
            "gain": spread_of([was[name] - now[name] for was, now in found]),
            "better": sum(now[name] < was[name] for was, now in found),
        }
        for name in ERRORS
    }
    asked = splits if has_band else ()
    bands = [band for split in asked if (band := band_of(odds, split)) is not None]
    return {
        "n_splits": len(splits),
        "n_tested": spread_of([float(split.other.sum()) for split in splits]),
        "slope": spread_of([fitted(part_of(odds, split.known)).slope for split in splits]),
        **errors,
        "n_bands": len(bands),
        "right": spread_of([right for right, _ in bands]),
        "covered": spread_of([covered for _, covered in bands]),
    }


def both_errors(odds: Odds, p_a: Floats, split: Split) -> tuple[dict[str, float], dict[str, float]]:
    """The errors on the other questions before and after."""
    line = fitted(part_of(odds, split.known))
    tested = part_of(odds, split.other)
    return values_of(tested, p_a[split.other]), values_of(tested, line.p_a(tested.z))


def values_of(odds: Odds, p_a: Floats) -> dict[str, float]:
    """Each of `ERRORS` of these probabilities."""
    found = errors_of(odds, p_a)
    return {name: float(one.statistic(one.sums.sum(axis=0))) for name, one in found.items()}


def band_of(odds: Odds, split: Split) -> tuple[float, float] | None:
    """The share right of what a band leaves of the other questions' votes, and the share that it leaves.

    None where the votes to calibrate on are nowhere so precise, or where it leaves nothing.
    """
    known, tested = part_of(odds, split.known), part_of(odds, split.other)
    band = band_for(known, on_other_questions(known), PRECISION)
    if band is None:
        return None
    p_a = fitted(known).p_a(tested.z)
    is_called = np.maximum(p_a, 1 - p_a) >= band.below
    is_right = (p_a > 0.5) == tested.is_a
    return (float(is_right[is_called].mean()), float(is_called.mean())) if is_called.any() else None


def part_of(odds: Odds, keep: Bools) -> Odds:
    _, question = np.unique(odds.question[keep], return_inverse=True)
    return Odds(odds.z[keep], odds.place[keep], odds.is_a[keep], question, int(question.max()) + 1)


def spread_of(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"mean": None, "low": None, "high": None}
    low, high = np.quantile(values, [0.025, 0.975])
    return {"mean": float(np.mean(values)), "low": float(low), "high": float(high)}


def measured(
    result: Mapping[str, Any],
    ledger: Ledger,
    folder: Path | None,
    numbers: Sequence[int] = (N_VOTES, *OTHER_NUMBERS),
) -> list[dict[str, Any]]:
    """A row a judge with `N_VOTES` votes, and of our judge one for each of the other `numbers`, too."""
    dataset = dataset_of(dict(result), folder)
    rows = []
    for judge in result["judges"]:
        if judge["kind"] != "judge" or "ece" not in judge["figures"]:
            continue
        verdicts = verdicts_of(judge["fingerprint"], dataset.pairs, ledger)
        beside = odds_beside(verdicts, dataset.votes, dataset.pairs)
        for n_votes in sorted(numbers) if judge["name"] == OURS else (N_VOTES,):
            splits = list(splits_of(beside.odds, n_votes))
            found = figures_of(beside.odds, beside.p_a, splits, has_band=n_votes == N_VOTES)
            rows.append(
                {"name": judge["name"], "fingerprint": judge["fingerprint"], "n_votes": n_votes, **found}
            )
    return rows


def shards_of(result: Mapping[str, Any]) -> list[Path]:
    """The shards of the result's judges; a shard's name has the end of the fingerprint."""
    ends = [judge["fingerprint"].rpartition("#")[2] for judge in result["judges"] if judge["fingerprint"]]
    folder = CHECKOUT / "benchmarks" / "ledger"
    return sorted(file for end in ends for file in folder.glob(f"ledger-{end}-*.jsonl.gz"))


def table_of(results: Sequence[Mapping[str, Any]]) -> str:
    """A row a judge and number of votes: each error before and after, and the band."""
    [result] = results
    heads = ["judge", "votes", "slope", *(f"{label}, before and after" for label in ERRORS.values())]
    heads += ["ECE saved", "ECE lower in", f"right where a band for {100 * PRECISION:.0f} % calls", "called"]
    heads += ["bands found"]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    lines += [f"| {' | '.join(cells_of(row))} |" for row in result["rows"]]
    tested = next(row["n_tested"]["mean"] for row in result["rows"] if row["n_votes"] == N_VOTES)
    return "\n".join(
        [
            *lines,
            "",
            f"{result['data']}: means over {N_SPLITS} random splits by question, in brackets the range of "
            "95 % of them; what a band calls is over the splits in which one was found; with "
            f"{N_VOTES} votes to calibrate on, some {tested:.0f} on other questions are left to test on.",
        ]
    )


def cells_of(row: Mapping[str, Any]) -> list[str]:
    saved = row["ece"]["gain"]
    return [
        row["name"],
        f"{row['n_votes']}",
        f"{row['slope']['mean']:.2f}",
        *(f"{row[name]['before']:.3f}, {row[name]['after']:.3f}" for name in ERRORS),
        f"{saved['mean']:.3f} ({saved['low']:.3f} to {saved['high']:.3f})",
        f"{100 * row['ece']['better'] / row['n_splits']:.0f} %",
        percent(row["right"]),
        percent(row["covered"]),
        f"{row['n_bands']} of {row['n_splits']}" if row["n_bands"] else "-",
    ]


def percent(spread: Mapping[str, float | None]) -> str:
    mean, low, high = spread["mean"], spread["low"], spread["high"]
    if mean is None or low is None or high is None:
        return "-"
    return f"{100 * mean:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibrated", description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args()
    result = json.loads(MT_BENCH.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.sqlite") as ledger:
        ledger.load(shards_of(result))
        rows = measured(result, ledger, data_folder(given.data_dir))
    [ours] = [judge for judge in result["judges"] if judge["name"] == OURS]
    write_result(
        given.out,
        {
            "schema": SCHEMA,
            **provenance(),
            "base_model": ours["identity"]["base_model"],
            "base_model_hash": ours["identity"]["base_model_hash"],
            "seed": SEED,
            "data": f"{result['data']['name']}, turn 1, experts' votes that are no ties",
            "data_hash": result["data"]["hash"],
            "precision": PRECISION,
            "rows": rows,
        },
    )
    for row in rows:
        print(" | ".join(cells_of(row)))


if __name__ == "__main__":
    main()
