"""What a million pairs take, and a hundred and ten thousand million: the tables of docs/scale.md.

    python -m benchmarks.scale --data-dir FOLDER --out FILE

measures what a pair takes of disk. The tables put it beside tokens and rates of other result files. All
that is more than one machine is arithmetic: so many pairs by what one was measured to do.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.backends import load_backend
from judge.datasets import mt_bench
from judge.evaluate import judge_pairs
from judge.io.pairs import write_pairs
from judge.io.verdicts import write_verdicts
from judge.ledger.ledger import Ledger
from judge.methods.direct import Direct
from judge.provenance import provenance, write_result
from judge.records import Pair, sha256_of_json

SCHEMA = "four-token-judge/scale/1"
VOLUMES = (10**6, 10**8, 10**10)
GPU = "1.5B direct"  # an entrant of MT-bench's result; docs/results.md says that it was read on an H200
DAY_S = 86_400


def stored(pairs: Sequence[Pair]) -> dict[str, int]:
    """Bytes that the pairs, their verdicts in both orders and the ledger take as files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Ledger(folder / "ledger.sqlite") as ledger:
            verdicts = judge_pairs(pairs, Direct(load_backend("scripted:longer")), ledger)
        write_pairs(folder / "pairs.jsonl", pairs)
        write_verdicts(folder / "verdicts.jsonl", verdicts)
        return {
            "pairs": (folder / "pairs.jsonl").stat().st_size,
            "verdicts": (folder / "verdicts.jsonl").stat().st_size,
            "ledger": sum(file.stat().st_size for file in folder.glob("ledger.sqlite*")),
        }


@dataclass(frozen=True, slots=True)
class Machine:
    """A class of machine: what it ran, and how many pairs in both orders a second."""

    name: str
    judge: str
    pairs_per_s: float
    tokens_per_s: float  # sent, both orders

    def days_for(self, n_pairs: int) -> float:
        return n_pairs / self.pairs_per_s / DAY_S


def machines(
    speed: Mapping[str, Any], methods: Mapping[str, Any], bench: Mapping[str, Any]
) -> Iterator[Machine]:
    """Each class that was measured, by its result file."""
    cpu, of_methods = (f"{one['cores']} cores of {one['cpu']}" for one in (speed, methods))
    elapsed_s = sum(one["embedded_s"] for one in speed["rounds"])
    tokens = sum(one["tokens"] for one in speed["rounds"])
    yield Machine(cpu, "0.5B direct, embedded", speed["n_pairs"] / elapsed_s, tokens / elapsed_s)
    for row in methods["rows"]:
        if row["engine"] == "vllm" and row["method"] == "direct":
            elapsed_s = row["judging"]["elapsed_s"]
            yield Machine(
                of_methods, "0.5B direct, vLLM", row["n_pairs"] / elapsed_s, row["tokens_in"] / elapsed_s
            )
    [cost] = [judge["cost"] for judge in bench["judges"] if judge["name"] == GPU]
    yield Machine(
        "one NVIDIA H200", f"{GPU}, embedded", 1 / cost["elapsed_s"], cost["tokens_in"] / cost["elapsed_s"]
    )


def rates_table(results: Sequence[Mapping[str, Any]]) -> str:
    """What one machine of each class does."""
    lines = [
        "| machine | judge | pairs/s, both orders | prompt tokens/s, sent | a million pairs |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in machines(*results):
        days = one.days_for(10**6)
        takes = f"{days:.1f} days" if days >= 1 else f"{24 * days:.1f} hours"
        lines.append(
            f"| {one.name} | {one.judge} | {one.pairs_per_s:.2f} | {one.tokens_per_s:,.0f} | {takes} |"
        )
    return "\n".join(lines)


def tokens_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Tokens a pair of each method: sent, computed and written, on each engine that was measured."""
    [methods] = results
    lines = [
        "| method | engine | prompt tokens sent | computed | written |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in methods["rows"]:
        parts = (row["judging"], row["shared"])
        computed, written = (
            sum(part[name] for part in parts) / row["n_pairs"]
            for name in ("tokens_computed", "tokens_written")
        )
        sent = row["tokens_in"] / row["n_pairs"]
        lines.append(
            f"| {row['method']} | {row['engine']} | {sent:,.0f} | {computed:,.0f} | {written:,.0f} |"
        )
    return "\n".join(lines)


def volumes_table(results: Sequence[Mapping[str, Any]]) -> str:
    """What each volume takes, by `direct`: tokens, machines for a day, network, storage."""
    storage, fleet, *measured = results
    per_pair = {name: size / storage["n_pairs"] for name, size in storage["bytes"].items()}
    largest = max(fleet["runs"], key=lambda run: (run["n_servers"], -run["tokens_computed"]))
    n_judged = largest["n_requests"] / 2
    sent, computed = (largest[name] / n_judged for name in ("tokens_sent", "tokens_computed"))
    there, back = (largest[name] / n_judged for name in ("bytes_to_servers", "bytes_from_servers"))
    client_s = min(run["cpu_s"] / run["n_requests"] for run in fleet["runs"]) * 2
    rows: list[tuple[str, list[str]]] = [
        ("prompt tokens sent", [quantity(n * sent) for n in VOLUMES]),
        (f"computed, {largest['n_servers']} servers", [quantity(n * computed) for n in VOLUMES]),
        *(
            (f"{one.name}, {one.judge}: days of one", [days(one.days_for(n)) for n in VOLUMES])
            for one in machines(*measured)
        ),
        ("the client's own work: days of a core", [days(n * client_s / DAY_S) for n in VOLUMES]),
        ("network to vLLM servers and back", [size(n * (there + back)) for n in VOLUMES]),
        *((f"storage: {name}", [size(n * per_pair[name]) for n in VOLUMES]) for name in per_pair),
    ]
    heads = ["", *(f"10^{len(str(n)) - 1} pairs" for n in VOLUMES)]
    lines = [heads, ["---"] * len(heads), *([label, *cells] for label, cells in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def quantity(n: float) -> str:
    """In millions and thousands of millions: 1,185 million."""
    return f"{n / 1e6:,.0f} million" if n < 1e12 else f"{n / 1e12:,.1f} million million"


def days(n: float) -> str:
    return f"{n:,.1f}" if n < 100 else f"{n:,.0f}"


def size(n_bytes: float) -> str:
    """In decimal units, as disks and networks are sold: 5.1 TB."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:,.1f} TB"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="the folder of MT-bench's votes; else from the hub")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args()
    pairs = mt_bench.voted_pairs(given.data_dir)
    write_result(
        given.out,
        {
            "schema": SCHEMA,
            **provenance(),
            "base_model": "scripted:longer",  # a verdict's size does not depend on who judges
            "base_model_hash": "",
            "data": "MT-bench turn 1",
            "data_hash": sha256_of_json([pair.content_hash for pair in pairs]),
            "n_pairs": len(pairs),
            "seed": 0,  # nothing is drawn
            "bytes": stored(pairs),
        },
    )


if __name__ == "__main__":
    main()
