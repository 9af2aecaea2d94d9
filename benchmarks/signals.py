"""What each signal of a base model is worth on the half of HH-RLHF whose labels may choose settings.

    python -m benchmarks.signals

works `results/signals-hh-rlhf.json` out again from the numbers that the lease brought home
(`signals/hh-rlhf-qwen2.5-coder-1.5b.jsonl.gz`: a pair's content hash and its signals, a pair a line).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.combining import as_table, dawid_skene, first_component, fitted_on_labels
from distill.ensemble import less_length, log_odds_by, log_ratio_of, measured, measured_each, weights_of
from distill.lease.tables import labels_of
from distill.signals import Numbers
from judge.bench.run import read
from judge.datasets.dataset import Dataset, Wanted, data_folder
from judge.models import basemodels
from judge.provenance import CHECKOUT, as_json

NUMBERS = CHECKOUT / "benchmarks" / "signals" / "hh-rlhf-qwen2.5-coder-1.5b.jsonl.gz"
RESULT = CHECKOUT / "benchmarks" / "results" / "signals-hh-rlhf.json"
SCHEMA = "four-token-judge/signals/1"
BASE_MODEL = "qwen2.5-coder-1.5b"
MEANINGS = {
    "direct": "a verdict at once, mean of both orders' log-odds",
    "alone": "each answer alone, mean grade of 1 to 9",
    "request": "log p(request given the answer)",
    "yes": "each answer alone, log-odds of Yes: does it do what was asked?",
    "lift": "log p(answer given the request) less log p(answer given nothing)",
    "lift_each": "the same per token",
    "contrast": "log p(answer) told to be good less told to be bad",
    "contrast_each": "the same per token",
}
ENSEMBLES = {
    "all with both intervals above one half": ("direct", "alone", "request", "yes", "lift"),
    "the teacher": ("direct", "alone", "request", "yes"),
    "direct and alone": ("direct", "alone"),
}
COMBINED = ENSEMBLES["all with both intervals above one half"]
"""The signals that are combined in other ways than by their sum, too."""


def numbers_of(data: Dataset, path: Path = NUMBERS) -> dict[str, Numbers]:
    """Each signal's numbers, in the order of the data set's pairs."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = {row["content"]: row for row in map(json.loads, file)}
    return {name: [rows[pair.content_hash][name] for pair in data.pairs] for name in MEANINGS}


def result_of(data: Dataset, made_by: Mapping[str, Any], seconds: Mapping[str, float]) -> dict[str, Any]:
    """Every figure of the table.

    Args:
        made_by: provenance of the numbers. seconds: what each way of reading took, over all pairs.
    """
    table = numbers_of(data)
    labels = labels_of(data.pairs, data.votes)
    ratios = [log_ratio_of(pair) for pair in data.pairs]
    without = {name: less_length(one, ratios) for name, one in table.items()}
    sums = {}
    for name, members in ENSEMBLES.items():
        for takes in (0.0, 0.5, 1.0):
            weights, length = weights_of(table, members, ratios, takes)
            one = {"signals": weights, "length": length}
            worth = measured(log_odds_by(table, one, ratios), labels, ratios)
            sums[f"{name}, {takes:g} of length taken away"] = {**one, **asdict(worth)}
    return {
        "schema": SCHEMA,
        **made_by,
        "seed": 0,  # nothing is drawn
        "base_model_hash": basemodels.hash_of(BASE_MODEL),
        "data_hash": data.hash,
        "data": {"name": data.name, "hash": data.hash, "n_pairs": len(data.pairs)},
        "seconds": dict(seconds),
        "signals": measured_each(table, labels, ratios),
        "less_length": measured_each(without, labels, ratios),
        "correlations": correlations(table),
        "ensembles": sums,
        "combined": measured_each(combined(table, labels), labels, ratios),
    }


def combined(table: Mapping[str, Numbers], labels: Sequence[int]) -> dict[str, Numbers]:
    """The numbers of other ways to combine the five signals, by what the table calls them."""
    import numpy as np

    signals = as_table(table[name] for name in COMBINED)
    return {
        "the same five by Dawid and Skene's label model": dawid_skene(signals),
        "the same five, their first principal component": first_component(signals, signals[0]),
        "the same five, weights fitted on nine tenths of the labels, for comparison": fitted_on_labels(
            signals, np.array(labels, dtype=float)
        ),
    }


def correlations(table: Mapping[str, Numbers]) -> dict[str, dict[str, float]]:
    """How each two signals go together over the pairs (Pearson)."""
    import numpy as np

    found = np.atleast_2d(np.corrcoef(as_table(table.values())))
    return {one: {other: float(found[i, j]) for j, other in enumerate(table)} for i, one in enumerate(table)}


def table_of(results: Sequence[Mapping[str, Any]]) -> str:
    """The signals, then their sums, with what each is worth."""
    [result] = results
    lines = [
        "| signal | right, % | where the shorter answer is right | longer chosen | with length | right less "
        "what length explains |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, meaning in MEANINGS.items():
        less = result["less_length"][name]
        lines.append(f"| `{name}`: {meaning} | {cells(result['signals'][name])} | {share(less)} |")
    for name, one in {**result["ensembles"], **result["combined"]}.items():
        lines.append(f"| {name} | {cells(one)} | - |")
    data = result["data"]
    costs = (f"{name} {1000 * took / data['n_pairs']:.1f}" for name, took in result["seconds"].items())
    lines += [
        "",
        f"{data['name']}: {data['n_pairs']} pairs, Qwen2.5-Coder 1.5B, on {result['gpu']}; percent with 95 % "
        "intervals (Wilson); with length: correlation with the log of the lengths' ratio. Milliseconds a "
        f"pair: {', '.join(costs)} (lift and contrast together).",
    ]
    return "\n".join(lines)


def cells(one: Mapping[str, Any]) -> str:
    shorter, chosen = (f"{100 * one[key]:.1f}" for key in ("right_where_shorter", "longer_chosen"))
    return f"{share(one)} | {shorter} | {chosen} | {one['with_length']:.2f}"


def share(one: Mapping[str, Any]) -> str:
    return f"{100 * one['right']:.1f} ({100 * one['low']:.1f}-{100 * one['high']:.1f})"


def main() -> None:
    before = json.loads(RESULT.read_text("utf-8"))
    made_by = {key: before[key] for key in ("commit", "cpu", "cores", "gpu", "versions", "measured_at")}
    data = read("hh-rlhf", Wanted(data_folder(), 1))
    RESULT.write_text(as_json(result_of(data, made_by, before["seconds"])) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
