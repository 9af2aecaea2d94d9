"""A direction in a base model's hidden states as a signal: what it knows of an answer before it says so.

    python -m benchmarks.direction --out benchmarks/results/direction-hh-rlhf.json

Each answer is read alone under the question whether it does what was asked (template `yes`). At some depths
the hidden state at the prompt's end is taken, that of b's answer from that of a's, and the first principal
component of these differences over all pairs is the direction: no label is looked at. Its sign is that in
which it goes with the signal `direct` (after Maiya et al., arXiv:2503.17755).
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.combining import Table, as_table, first_component
from benchmarks.signals import BASE_MODEL, COMBINED, cells, numbers_of, share
from distill.ensemble import less_length, log_ratio_of, measured_each, summed, weights_of
from distill.lease.tables import labels_of
from distill.signals import Numbers
from judge.backends import Settings
from judge.backends.loaded import LoadedModel
from judge.backends.local import device_of, dtype_of
from judge.backends.packing import batches_of, pack
from judge.backends.tokens import Encoded
from judge.bench.run import read
from judge.datasets.dataset import Dataset, Wanted, data_folder
from judge.ledger.shards import gzipped
from judge.methods.asking import answer_values
from judge.methods.score import answers_of
from judge.models import basemodels
from judge.progress import Progress, shown_progress
from judge.prompts import fill
from judge.provenance import CHECKOUT, provenance, write_result
from judge.records import Order, Pair

NUMBERS = CHECKOUT / "benchmarks" / "signals" / "direction-qwen2.5-coder-1.5b.jsonl.gz"
SCHEMA = "four-token-judge/direction/1"
DEPTHS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the layers after which the state is taken; the last one is before the final norm."""


class States:
    """Hidden states of prompts' ends at some depths of a base model."""

    def __init__(self, settings: Settings) -> None:
        device = device_of(settings)
        self._model = LoadedModel(settings, device, dtype_of(settings, device))
        layers = self._model.model.base_model.layers
        self._layers = [layers[round(depth * len(layers)) - 1] for depth in DEPTHS]

    def of(self, pairs: Sequence[Pair], progress: Progress) -> Table:
        """The states under a's answer less those under b's, shape (depths, pairs, size)."""
        prompts = [
            fill("yes", answer_values(*answer)) for pair in pairs for answer in answers_of(pair, Order.AB)
        ]
        ids = [one.ids for one in self._model.encoder.fit(prompts) if isinstance(one, Encoded)]
        assert len(ids) == len(prompts), "prompts over the limit are trimmed"
        distinct = sorted(set(ids))
        found: dict[tuple[int, ...], Table] = {}
        for batch in batches_of(distinct, self._model.batch_tokens):
            progress("reading", batch.start, len(distinct))
            part = distinct[batch.start : batch.stop]
            found |= dict(zip(part, self._at_ends(part), strict=True))
        states = np.stack([found[one] for one in ids], axis=1)
        return states[:, ::2] - states[:, 1::2]

    def _at_ends(self, sequences: Sequence[tuple[int, ...]]) -> Iterator[Table]:
        """Of each sequence its last token's state at every depth, shape (depths, size)."""
        packing = pack(sequences)
        with heard(self._layers) as outputs:
            self._model.hidden_states(packing)
        at_depths = [one.reshape(-1, one.shape[-1])[packing.ends].float().cpu().numpy() for one in outputs]
        return iter(np.stack(at_depths, axis=1))


@contextmanager
def heard(layers: Sequence[Any]) -> Iterator[list[Any]]:
    """What each of these layers gives next, in their order, once the pass inside is over."""
    outputs: list[Any] = []

    def hear(_: Any, __: Any, output: Any) -> None:
        outputs.append(output[0] if isinstance(output, tuple) else output)

    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(layer.register_forward_hook(hear).remove)
        yield outputs


def written_numbers(data: Dataset, table: Mapping[str, Numbers]) -> bytes:
    """A line a pair: its content hash and its number at each depth."""
    rows = [
        {"content": pair.content_hash, **{name: numbers[i] for name, numbers in table.items()}}
        for i, pair in enumerate(data.pairs)
    ]
    return gzipped("".join(json.dumps(row) + "\n" for row in rows).encode())


def read_numbers(data: Dataset, path: Path = NUMBERS) -> dict[str, Numbers]:
    """The numbers of each depth in the order of the data set's pairs."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = {row.pop("content"): row for row in map(json.loads, file)}
    return {name: [rows[pair.content_hash][name] for pair in data.pairs] for name in map(name_of, DEPTHS)}


def name_of(depth: float) -> str:
    return f"{depth:g} of the layers"


def result_of(data: Dataset, table: Mapping[str, Numbers]) -> dict[str, Any]:
    """Every figure of the table, without provenance."""
    labels, ratios = labels_of(data.pairs, data.votes), [log_ratio_of(pair) for pair in data.pairs]
    others = numbers_of(data)
    weights, _ = weights_of(others, COMBINED, ratios, 0.0)
    five = summed(others, weights)
    both = {}
    for name, numbers in table.items():
        two = {"five": five, "direction": numbers}
        both[f"{name}, with the sum of the five"] = summed(two, weights_of(two, tuple(two), ratios, 0.0)[0])
    without = {name: less_length(numbers, ratios) for name, numbers in table.items()}
    return {
        "n_pairs": len(data.pairs),
        "directions": measured_each(table, labels, ratios),
        "less_length": measured_each(without, labels, ratios),
        "with_the_sum": measured_each(both, labels, ratios),
    }


def table_of(results: Sequence[Mapping[str, Any]]) -> str:
    """A row a depth, alone and with the sum of the other signals."""
    [result] = results
    lines = [
        "| direction after | right, % | where the shorter answer is right | longer chosen | with length | "
        "right less what length explains |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in result["directions"].items():
        lines.append(f"| {name} | {cells(one)} | {share(result['less_length'][name])} |")
    for name, one in result["with_the_sum"].items():
        lines.append(f"| {name} | {cells(one)} | - |")
    lines += [
        "",
        f"The same {result['n_pairs']} pairs; {result['base_model']} in {result['engine']['dtype']}, on "
        f"{result['cpu']}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.direction", description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="folder of local copies; by default JUDGE_DATA")
    parser.add_argument("--numbers", type=Path, default=NUMBERS, help="where each pair's numbers go")
    parser.add_argument("--out", type=Path, required=True, help="write the result as JSON")
    given = parser.parse_args()
    data = read("hh-rlhf", Wanted(data_folder(given.data_dir), 1))
    settings = Settings(BASE_MODEL)
    with shown_progress() as progress:
        differences = States(settings).of(data.pairs, progress)
    [direct] = as_table([numbers_of(data)["direct"]])
    table = {
        name_of(depth): first_component(one.T.astype(np.float64), direct)
        for depth, one in zip(DEPTHS, differences, strict=True)
    }
    given.numbers.write_bytes(written_numbers(data, table))
    write_result(
        given.out,
        {
            "schema": SCHEMA,
            **provenance(),
            "seed": 0,  # nothing is drawn
            "base_model": BASE_MODEL,
            "base_model_hash": basemodels.hash_of(BASE_MODEL),
            "engine": {"dtype": dtype_of(settings, device_of(settings))},
            "data_hash": data.hash,
            **result_of(data, table),
        },
    )


if __name__ == "__main__":
    main()
