"""What a cluster adds: its overhead beside one process, the driver's rate, and the speed-up with workers.

`python -m benchmarks.cluster --out FILE` needs Ray and no model. Times are seconds of CPUs where other work
on the machine would disturb seconds of the clock.

- overhead: what a pair costs in one process, and what checking it, judging it in a block, writing its shard
  and putting shards together cost, in one process too.
- driver: what the driver itself computes: planning, handing out blocks in the largest simulation, putting
  shards together. The inverse of a pair's seconds is the most that one driver can feed workers with.
- speed-up: the real driver and Ray Data with simulated workers, which only wait: for a block as long as a
  worker of that speed would, some of them three times as long; one in a hundred fails.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from judge.cluster.attempts import Counted
from judge.cluster.merging import write_merged
from judge.cluster.plan import Block, blocks_of, check, spans_of
from judge.cluster.pool import Cluster, Pool, connected, made_of
from judge.cluster.running import judge_blocks, planned_there
from judge.cluster.sources import Source, sources_of
from judge.cluster.storage import put_whole
from judge.cluster.watch import Watch
from judge.cluster.worker import BlockReader, Done, Failed, Task, Worker
from judge.errors import InputError
from judge.evaluate import judge_pairs
from judge.forms.reading import read_pairs
from judge.hardware import versions_of
from judge.io.verdicts import write_verdicts
from judge.ledger.verdictshards import verdict_shard
from judge.methods import MemoryStore
from judge.options import judge_options
from judge.progress import silent
from judge.provenance import provenance, write_result
from judge.records import Pair, sha256_of_json

METHODS = {"direct": 2000, "bsm": 500}
"""Methods of the scripted judge with the pairs they read: half a millisecond each, and some milliseconds."""

BLOCK_BYTES = 40_000

ROUNDS = 7
"""How often both ways are measured in turn; the median round counts."""

WORKERS = (1, 10, 100, 300, 1000)
BLOCKS_EACH = 12
PAIRS_EACH = 400
"""Pairs of a block in the simulation."""

BLOCK_S = 5.0
"""Seconds that a simulated worker takes for a block: 80 pairs a second, as one GPU may."""

STRAGGLERS, SLOWER = 0.02, 3.0
FAILING = 0.01
PROCESSES = 2
DRIVER_PAIRS = 100_000


def write_scripted(path: Path, n: int) -> None:
    """A file of so many short pairs."""
    with path.open("w", encoding="utf-8") as file:
        for i in range(n):
            row = {
                "id": f"p{i}",
                "prompt": f"Question number {i}?",
                "response_a": f"An answer to {i}. " * (1 + i % 5),
                "response_b": f"The other answer to {i}. " * (1 + i % 4),
            }
            file.write(f"{json.dumps(row)}\n")


def quiet(line: str) -> None:
    """Says nothing."""


# --- overhead -------------------------------------------------------------------------------------------


def overhead(folder: Path, method: str, n: int) -> dict[str, Any]:
    """CPU seconds a pair in one process, and in a worker with the check before it; without Ray.

    Both in turn, several times: the round whose ratio is the median. A round before warms both up. The
    verdicts have to be the same to the byte.
    """
    path = folder / f"pairs-{method}.jsonl"
    write_scripted(path, n)
    one_round(folder, method, path)
    rounds = sorted((one_round(folder, method, path) for _ in range(ROUNDS)), key=lambda one: one[1] / one[0])
    here_s, there_s, n_blocks = rounds[ROUNDS // 2]
    return {
        "method": method,
        "pairs": n,
        "rounds": ROUNDS,
        "blocks": n_blocks,
        "here_s": here_s / n,
        "there_s": there_s / n,
    }


def one_round(folder: Path, method: str, path: Path) -> tuple[float, float, int]:
    """Seconds of CPU in one process and in blocks for all pairs of the file, and the number of blocks."""
    options = judge_options(method=method, backend="scripted:longer")
    seconds: dict[str, float] = {}
    gc.collect()  # what the last round left is not paid for by this one
    with _timed(seconds, "here"):
        write_verdicts(
            folder / "here.jsonl", judge_pairs(read_pairs(path, quiet), options.load(silent, MemoryStore()))
        )
    reader = BlockReader(options)
    gc.collect()
    with tempfile.TemporaryDirectory(dir=folder) as shards:
        worker = Worker(reader, reader.judge, shards, Counted())
        with _timed(seconds, "there"):
            spans = spans_of(Source(str(path), str(path), path.stat().st_size), BLOCK_BYTES)
            blocks = blocks_of(spans, [check(span) for span in spans])
            names = [block.name_for(reader.judge) for block in blocks]
            for name, block in zip(names, blocks, strict=True):
                worker.work(Task(name, block))
            write_merged(str(folder / "there.jsonl"), shards, names)
    if (folder / "here.jsonl").read_bytes() != (folder / "there.jsonl").read_bytes():
        raise InputError("the verdicts of blocks are not those of one process.")
    return seconds["here"], seconds["there"], len(blocks)


# --- the driver -----------------------------------------------------------------------------------------


def driver(folder: Path, n_pairs: int = DRIVER_PAIRS, pairs_each: int = PAIRS_EACH) -> dict[str, Any]:
    """CPU seconds of the driver's own process for each part of its work on so many pairs."""
    path, shards = folder / "many.jsonl", folder / "shards"
    write_scripted(path, n_pairs)
    each = path.stat().st_size // n_pairs * pairs_each
    seconds: dict[str, float] = {}
    blocks: list[Block] = []
    with _timed(seconds, "plan and check"):
        blocks += planned_there(sources_of(str(path), str(shards), quiet), each, str(shards), quiet)
    shard, counts = _a_shard(blocks[0].n_pairs)
    put_whole(str(shards / "one.jsonl.gz"), shard)
    with _timed(seconds, "merge"):
        write_merged(str(folder / "merged.jsonl"), str(shards), ["one.jsonl.gz"] * (n_pairs // counts))
    return {
        "pairs": n_pairs,
        "blocks": len(blocks),
        "pairs_each": pairs_each,
        "seconds_a_pair": {name: total / n_pairs for name, total in seconds.items()},
    }


def rate_of(result: dict[str, Any]) -> tuple[float, float]:
    """Seconds of the driver to hand out a pair, by the largest simulation, and to put a verdict in place."""
    largest = max(result["speed_up"], key=lambda one: one["workers"])
    return largest["driver_cpu_s"] / largest["pairs"], result["driver"]["seconds_a_pair"]["merge"]


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.process_time()
    yield
    seconds[name] = time.process_time() - started


def _a_shard(n: int) -> tuple[bytes, int]:
    """A shard of so many verdicts, and their number."""
    pairs = [Pair.of(f"Question {i}?", "One answer. " * 3, "Another.", id=f"p{i}") for i in range(n)]
    method = judge_options(method="direct", backend="scripted:longer").load(silent, MemoryStore())
    judged = list(zip(pairs, judge_pairs(pairs, method), strict=True))
    return verdict_shard(method.identity, judged, 1.0, "2026-01-01T00:00:00+00:00"), n


# --- the speed-up ---------------------------------------------------------------------------------------


class Simulated:
    """Many workers in one process of Ray, which wait as long as a judge of that speed would read.

    Args:
        block_s: seconds for a block; some take `SLOWER` times as long, and some fail.
        seed: which take longer.
    """

    def __init__(self, block_s: float, seed: int) -> None:
        self._block_s, self._seed = block_s, seed

    def __call__(self, table: Any) -> Any:
        return made_of(table, self._work)

    def _work(self, task: Task) -> Done | Failed:
        dice = random.Random(f"{self._seed} {task.name}")
        seconds = self._block_s * (SLOWER if dice.random() < STRAGGLERS else 1.0)
        time.sleep(seconds)
        if self._block_s and random.random() < FAILING:  # another time it is done
            return Failed(task.name, task.block.n_pairs, "simulated")
        n = task.block.n_pairs
        return Done(task.name, {"pairs": n, "consistent": n, "inconsistent": 0, "unparsed": 0}, seconds)


class Started(Watch):
    """A watch that knows how long was worked: from the first block's start on, without Ray's own."""

    _first = 0.0
    _last = 0.0

    def done(self, block: Done) -> None:
        super().done(block)
        self._last = time.monotonic()
        self._first = self._first or self._last - block.elapsed_s

    @property
    def worked_s(self) -> float:
        return self._last - self._first


def speed_up(n_workers: int, block: Block, block_s: float = BLOCK_S) -> dict[str, Any]:
    """One run of the real driver with so many simulated workers, `BLOCKS_EACH` blocks each."""
    n_blocks = BLOCKS_EACH * n_workers
    tasks = [Task(f"{n_workers}-{i}", block) for i in range(n_blocks)]
    size = min(PROCESSES, n_workers)
    pool = Pool(Simulated, (block_s, n_workers), size, {"num_cpus": 0.1}, threads=-(-n_workers // size))
    watch = Started(n_blocks * block.n_pairs, 0, n_workers)
    cpu = time.process_time()
    judge_blocks(tasks, pool, watch)
    elapsed_s = watch.worked_s
    return {
        "workers": n_workers,
        "blocks": n_blocks,
        "pairs": watch.n_done,
        "elapsed_s": elapsed_s,
        "waited_s": watch.worker_s,
        "pairs_per_s": watch.n_done / elapsed_s,
        "share": watch.worker_s / n_workers / elapsed_s,
        "driver_cpu_s": time.process_time() - cpu,
    }


def table_of(result: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [
        "| what a pair costs | one process, ms of CPU | in blocks | on top |",
        "| --- | --- | --- | --- |",
    ]
    for one in result["overhead"]:
        here, there = 1000 * one["here_s"], 1000 * one["there_s"]
        told = f"{100 * (there / here - 1):.0f} %"
        lines.append(f"| scripted judge, {one['method']} | {here:.2f} | {there:.2f} | {told} |")
    lines += ["", "| workers, simulated | pairs a second | of what they could |", "| --- | --- | --- |"]
    for one in result["speed_up"]:
        lines.append(f"| {one['workers']:,} | {one['pairs_per_s']:,.0f} | {100 * one['share']:.0f} % |")
    out_s, merge_s = rate_of(result)
    of = result["driver"]
    plan_s = of["seconds_a_pair"]["plan and check"] * of["pairs"]
    lines += [
        "",
        f"The driver itself takes {1e6 * out_s:.1f} µs of CPU to hand out a pair and {1e6 * merge_s:.1f} µs "
        f"to put its verdict in place, in blocks of {of['pairs_each']} pairs: one core of it can feed "
        f"{1 / (out_s + merge_s):,.0f} pairs a second. It took {plan_s:.1f} s to plan {of['pairs']:,} pairs, "
        "the start of Ray Data included.",
    ]
    if result["note"]:
        lines += ["", result["note"]]
    return "\n".join(lines)


def measured(workers: Sequence[int] = WORKERS, n_pairs: int = DRIVER_PAIRS) -> dict[str, Any]:
    """All figures, on a cluster of two processes that is started here."""
    with tempfile.TemporaryDirectory() as name, connected(Cluster("local", PROCESSES)):
        folder = Path(name)
        costs = [overhead(folder, method, n) for method, n in METHODS.items()]
        of_driver = driver(folder, n_pairs)
        some = folder / "some.jsonl"
        write_scripted(some, PAIRS_EACH)
        [block] = planned_there(sources_of(str(some), name, quiet), 1 << 30, name, quiet)
        return {
            "overhead": costs,
            "driver": of_driver,
            "speed_up": [speed_up(n, block) for n in workers],
            "simulation": {
                "pairs_each": PAIRS_EACH,
                "block_s": BLOCK_S,
                "stragglers": STRAGGLERS,
                "slower": SLOWER,
                "failing": FAILING,
                "blocks_each": BLOCKS_EACH,
                "processes": PROCESSES,
            },
        }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a cluster adds.")
    parser.add_argument("--workers", type=int, nargs="*", default=list(WORKERS), help="of the simulation")
    parser.add_argument("--pairs", type=int, default=DRIVER_PAIRS, help="of the driver's part")
    parser.add_argument("--note", default="", help="what else ran on the machine")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    result = {
        "schema": "four-token-judge/cluster/2",
        **provenance(),
        "ray": versions_of(["ray"])["ray"],
        "base_model_hash": "",  # scripted judges
        "seed": 0,  # of the stragglers; what fails is drawn anew each time
        "data_hash": sha256_of_json([given.pairs, PAIRS_EACH, METHODS]),
        "note": given.note,
        **measured(given.workers, given.pairs),
    }
    print(table_of(result))
    write_result(given.out, result)


if __name__ == "__main__":
    main()
