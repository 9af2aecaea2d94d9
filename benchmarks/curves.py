"""How the cost of a run grows: with the number of pairs, with their length, with the cores.

    python -m benchmarks.curves --out FILE

Numbers are of a judge without weights, so they are what reading, the ledger and writing take; lengths and
cores are of the embedded one with made-up words. Every point is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.cluster import write_scripted
from benchmarks.cpus import imitated, machine_of
from benchmarks.processes import in_fresh_process
from benchmarks.system2.words import WORDS
from judge.backends import Settings
from judge.backends.embedded import EmbeddedBackend
from judge.evaluate import read_batch
from judge.methods.direct import Direct
from judge.models import basemodels
from judge.models.basemodels import known_models
from judge.provenance import peak_rss, provenance, write_result
from judge.records import Pair, sha256_of_json

SCHEMA = "four-token-judge/curves/1"
NUMBERS = (10, 100, 1_000, 10_000, 100_000)
LENGTHS = (64, 256, 1024, 2048, 4096)
"""Words of both answers together, of a token each and a little more."""

WORDS_EACH = 8_192
"""A length is measured on pairs of so many words together, and on two at least."""

CORES_LENGTH = 512
SEED = 0
RUN = """
import sys
from judge.cli.main import main
from judge.provenance import peak_rss
try:
    main()
finally:
    print("PEAK", peak_rss(), file=sys.stderr)
"""
"""The command line as a program that tells its peak memory at the end."""

# --- the number of pairs ----------------------------------------------------------------------------------


def by_number(numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    """`judge run` from a file to a file, and once more, when all is in the ledger."""
    for n in numbers:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_scripted(folder / "pairs.jsonl", n)
            first, again = timed_run(folder), timed_run(folder)
            yield {
                "pairs": n,
                "elapsed_s": first[0],
                "again_s": again[0],
                "peak_rss": max(first[1], again[1]),
                "ledger_bytes": (folder / "ledger.sqlite").stat().st_size,
            }


def timed_run(folder: Path) -> tuple[float, int]:
    """Seconds and peak memory of a process that judges the pairs of a folder."""
    command = [
        *(sys.executable, "-c", RUN, "run", "pairs.jsonl", "--backend", "scripted:longer"),
        *("--method", "direct", "--out", "verdicts.jsonl", "--ledger", "ledger.sqlite", "--quiet"),
    ]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    elapsed_s = time.perf_counter() - started
    return elapsed_s, int(re.findall(r"PEAK (\d+)", done.stderr)[0])


# --- the length of a pair ---------------------------------------------------------------------------------


def pairs_of(n_words: int, n: int) -> list[Pair]:
    """So many pairs of two answers of random words, so many in both together, half of them in each."""
    random = Random(repr((SEED, n_words)))

    def text(n: int) -> str:
        return " ".join(random.choice(WORDS) for _ in range(n))

    half = n_words // 2
    return [Pair.of(text(8), text(half), text(half), id=str(i)) for i in range(n)]


def judged(base_model: str, n_words: int, n: int, threads: int) -> dict[str, Any]:
    """Judges pairs of a length in this process, after one of them to warm up."""
    import torch

    torch.set_num_threads(threads)
    backend = EmbeddedBackend(Settings(base_model, device="cpu", max_prompt_tokens=2 * max(LENGTHS)))
    method, pairs = Direct(backend), pairs_of(n_words, n + 1)
    read_batch(pairs[n:], method)
    before, started = backend.tokens_computed, time.perf_counter()
    entries = read_batch(pairs[:n], method)
    elapsed_s = time.perf_counter() - started
    return {
        "words": n_words,
        "threads": threads,
        "pairs": n,
        "tokens": sum(entry.reading.tokens_in for entry in entries),
        "tokens_computed": backend.tokens_computed - before,
        "elapsed_s": elapsed_s,
        "peak_rss": peak_rss(),
        "dtype": backend.engine.dtype,
    }


def by_length(base_model: str, lengths: Sequence[int]) -> list[dict[str, Any]]:
    """Judging pairs of each length, on all cores."""
    cores = os.cpu_count() or 1
    return [
        in_fresh_process(judged, base_model, n_words, max(2, WORDS_EACH // n_words), cores)
        for n_words in lengths
    ]


def by_cores(base_model: str) -> list[dict[str, Any]]:
    """Judging the same pairs on one core, on two, on four, up to all of them."""
    cores = os.cpu_count() or 1
    wanted = sorted({*(2**i for i in range(cores.bit_length()) if 2**i <= cores), cores})
    n = WORDS_EACH // CORES_LENGTH
    return [in_fresh_process(judged, base_model, CORES_LENGTH, n, threads) for threads in wanted]


# --- tables -----------------------------------------------------------------------------------------------


def numbers_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Seconds and memory against the number of pairs."""
    [result] = results
    lines = [
        "| pairs | s | ms a pair | s, all of it known | peak memory, MiB |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one['pairs']:,} | {one['elapsed_s']:.1f} | {1000 * one['elapsed_s'] / one['pairs']:.2f} | "
        f"{one['again_s']:.1f} | {one['peak_rss'] / 2**20:.0f} |"
        for one in result["numbers"]
    ]
    return "\n".join([*lines, "", f"{machine_of(result)}."])


def lengths_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Seconds and memory against the length of a pair."""
    [result] = results
    lines = [
        "| prompt tokens | s a pair, both orders | tokens/s | peak memory, GiB |",
        "| ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one['tokens'] / one['pairs'] / 2:,.0f} | {one['elapsed_s'] / one['pairs']:.2f} | "
        f"{one['tokens'] / one['elapsed_s']:,.0f} | {one['peak_rss'] / 2**30:.2f} |"
        for one in result["lengths"]
    ]
    return "\n".join([*lines, "", judge_of(result)])


def cores_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Seconds against the number of cores, beside one."""
    [result] = results
    alone = result["cores_used"][0]["elapsed_s"]
    lines = ["| cores | s a pair, both orders | times as quick as one |", "| ---: | ---: | ---: |"]
    lines += [
        f"| {one['threads']} | {one['elapsed_s'] / one['pairs']:.2f} | {alone / one['elapsed_s']:.2f} |"
        for one in result["cores_used"]
    ]
    return "\n".join([*lines, "", judge_of(result)])


def judge_of(result: Mapping[str, Any]) -> str:
    """What judged, and on what."""
    [dtype] = {one["dtype"] for one in result["lengths"]}
    return f"{result['base_model']}, {dtype}; {machine_of(result)}."


def main(arguments: Sequence[str] | None = None) -> None:
    smallest = known_models()[0].name
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curves", description=__doc__)
    parser.add_argument("--base-model", default=smallest, help=f"{smallest} by default")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args(arguments)
    numbers = []
    for one in by_number(NUMBERS):
        numbers.append(one)
        print(json.dumps(one), flush=True)
    lengths, cores = by_length(given.base_model, LENGTHS), by_cores(given.base_model)
    asked = [[pair.content_hash for pair in pairs_of(n_words, 2)] for n_words in LENGTHS]
    result = {
        "schema": SCHEMA,
        **provenance(),
        "imitated": imitated(),
        "base_model": given.base_model,
        "base_model_hash": basemodels.hash_of(given.base_model),
        "data": "made for this: everyday words, drawn at random",
        "data_hash": sha256_of_json(asked),
        "seed": SEED,
        "numbers": numbers,
        "lengths": lengths,
        "cores_used": cores,
    }
    print(lengths_table([result]), cores_table([result]), sep="\n\n")
    write_result(given.out, result)


if __name__ == "__main__":
    main()
