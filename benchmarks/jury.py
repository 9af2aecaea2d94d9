"""What a jury of judges knows on the half of HH-RLHF whose labels may choose settings.

    python -m benchmarks.jury --judge "0.5B score=0123456789abcdef" --out results/jury-hh-rlhf.json

Each judge is added to what the bare 1.5B model says at once (signal `direct`), with several weights, less
several weights of length. No model is loaded: a judge is known by the end of its fingerprint, which is in
the name of its shard in `benchmarks/ledger`, and `benchmarks.signals` has the signal's numbers.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.replay import committed, judges_told, replayed, shards
from benchmarks.signals import BASE_MODEL, numbers_of
from distill.ensemble import Measured, log_ratio_of, measured, spread_of, summed
from distill.lease.tables import labels_of
from distill.signals import Numbers, log_odds_of
from judge.bench.run import read
from judge.cli.console import check_writable
from judge.datasets.dataset import Dataset, Wanted, data_folder
from judge.errors import JudgeError
from judge.ledger.ledger import Ledger
from judge.models import basemodels
from judge.provenance import provenance, write_result

SCHEMA = "four-token-judge/jury/1"
DIRECT = (0.0, 0.25, 0.5, 1.0)
"""Weights of `direct` in its spreads, where the judge has 1 of its own."""

LENGTH = (0.0, 0.25, 0.35, 0.5)
"""How many spreads of the log of the lengths' ratio are taken away."""


def numbers_by(judges: Sequence[tuple[str, str]], data: Dataset, ledger: Ledger) -> dict[str, Numbers]:
    """What each judge says of the pairs, by name: the mean of both orders' log-odds that a is better.

    Args:
        judges: the name and the end of the fingerprint of each.
    """
    return {
        name: [log_odds_of(verdict) for verdict in replayed(name, end, data, ledger).verdicts]
        for name, end in judges
    }


def juries_of(
    numbers: Numbers, direct: Numbers, labels: Sequence[int], ratios: Numbers
) -> list[dict[str, Any]]:
    """What the judge with `direct`, less length, is worth with each two weights.

    `weights` are those of the plain numbers, such that the sum has spread 1.
    """
    table = {"judge": numbers, "direct": direct, "length": ratios}
    spread = {name: spread_of(one) for name, one in table.items()}
    found = []
    for of_direct in DIRECT:
        for of_length in LENGTH:
            shares = {"judge": 1.0, "direct": of_direct, "length": -of_length}
            weights = {name: share / spread[name] for name, share in shares.items()}
            whole = spread_of(summed(table, weights))
            scaled = {name: weight / whole for name, weight in weights.items()}
            worth = measured(summed(table, scaled), labels, [one or 0.0 for one in ratios])
            found.append(
                {
                    "direct": of_direct,
                    "length": of_length,
                    "weights": {name: round(weight, 6) for name, weight in scaled.items()},
                    **asdict(worth),
                    "balanced": balanced(worth),
                }
            )
    return found


def balanced(worth: Measured) -> float:
    """The mean of the shares right where the longer answer is the better one and where the shorter one is."""
    return (worth.right_where_longer + worth.right_where_shorter) / 2


def result_of(data: Dataset, table: Mapping[str, Numbers]) -> dict[str, Any]:
    """Every figure of the tables, without provenance."""
    labels = labels_of(data.pairs, data.votes)
    ratios: Numbers = [log_ratio_of(pair) for pair in data.pairs]
    direct = numbers_of(data)["direct"]
    return {
        "n_pairs": len(data.pairs),
        "juries": {name: juries_of(one, direct, labels, ratios) for name, one in table.items()},
    }


def table_of(results: Sequence[Mapping[str, Any]]) -> str:
    """A row a judge and weight of `direct`, a column a weight of length."""
    [result] = results
    heads = [f"less {length:g} of length" if length else "as it is" for length in LENGTH]
    lines = [f"| judge | {' | '.join(heads)} |", "| --- " * (1 + len(heads)) + "|"]
    for name, juries in result["juries"].items():
        for of_direct in DIRECT:
            row = [one for one in juries if one["direct"] == of_direct]
            found = [f"{100 * one['right']:.1f}, {100 * one['balanced']:.1f}" for one in row]
            who = f"{name} and {of_direct:g} of `direct`" if of_direct else name
            lines.append(f"| {who} | {' | '.join(found)} |")
    lines += [
        "",
        f"{result['data']['name']}: {result['n_pairs']} pairs; right and length balanced, in percent; an "
        "interval of 95 % is some 3 wide on either side. Weights are in spreads: the judge has 1 of its own.",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jury", description=__doc__)
    parser.add_argument("--judge", action="append", required=True, help="NAME=END OF ITS FINGERPRINT")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args(arguments)
    try:
        check_writable(given.out and str(given.out), shards())
        named = judges_told(given.judge)
        data = read("hh-rlhf", Wanted(data_folder(given.data_dir), 1))
        with committed() as ledger:
            table = numbers_by(named, data, ledger)
        result = {
            "schema": SCHEMA,
            **provenance(),
            "seed": 0,  # nothing is drawn
            "base_model_hash": basemodels.hash_of(BASE_MODEL),
            "fingerprints": dict(named),
            "data_hash": data.hash,
            "data": {"name": data.name, "hash": data.hash, "n_pairs": len(data.pairs)},
            **result_of(data, table),
        }
    except JudgeError as error:
        parser.exit(2, f"{error}\n")
    write_result(given.out, result)
    print(table_of([result]))


if __name__ == "__main__":
    main()
