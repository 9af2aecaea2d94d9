"""`judge run --on ray`: a run on many machines, its options, and what it says at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from judge.cli.console import NOT_ALL_JUDGED, check_writable, interruptible, progress_shown, time_is_up
from judge.errors import InputError
from judge.options import JudgeOptions

if TYPE_CHECKING:
    from judge.api import MethodMaker
    from judge.cluster.pool import Cluster
    from judge.cluster.running import Made
    from judge.cluster.sources import Say

OnOption = Annotated[
    str,
    typer.Option(
        metavar="ray[:ADDRESS]",
        help="Judge on a Ray cluster: that of RAY_ADDRESS or of this machine, or ray:HOST:PORT; ray:local "
        "starts one here.",
    ),
]
ShardsOption = Annotated[
    str | None,
    typer.Option(
        help="With --on: the folder of the shards, which all machines reach under this name; also in cloud "
        "storage (s3://, gs://). By default OUT.shards of `judge run`, else a folder in the user's cache."
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="With --on: judges loaded at a time; by default as many as there is room for."),
]
WorkerCpusOption = Annotated[
    float | None, typer.Option(min=0.1, help="With --on: cores of each worker; by default 1.")
]
WorkerGpusOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="With --on: GPUs of each worker; by default 1 where the cluster has some and the judge "
        "can use it.",
    ),
]
PriceOption = Annotated[
    float | None,
    typer.Option(min=0, help="With --on: what a worker costs an hour, for the estimate of costs."),
]


def cluster_of(
    on: str, workers: int | None = None, worker_cpus: float | None = None, worker_gpus: float | None = None
) -> Cluster:
    """The cluster of these options. Raises InputError for a wrong `on`."""
    from judge.cluster import pool

    return pool.cluster_of(on, workers, 1.0 if worker_cpus is None else worker_cpus, worker_gpus)


def refuse_alone(**given: object) -> None:
    """Raises InputError where an option of a cluster is given, and no cluster."""
    if named := next((name for name, value in given.items() if value is not None), None):
        raise InputError(f"--{named.replace('_', '-')}: is for --on ray. Give both, or neither.")


@contextmanager
def method_there(
    on: str,
    shards: str | None,
    workers: int | None,
    worker_cpus: float | None,
    worker_gpus: float | None,
    no_cache: bool,
    quiet: bool,
) -> Iterator[MethodMaker | None]:
    """What makes judges on the cluster of these options, while it is connected; None without `on`."""
    if not on:
        refuse_alone(shards=shards, workers=workers, worker_cpus=worker_cpus, worker_gpus=worker_gpus)
        yield None
        return
    from judge.cluster.method import OnCluster
    from judge.cluster.pool import connected
    from judge.io.files import cache_folder

    cluster, folder = (
        cluster_of(on, workers, worker_cpus, worker_gpus),
        shards or str(cache_folder() / "shards"),
    )

    def say(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    with connected(cluster):
        yield lambda options, ledger: OnCluster(options, cluster, folder, ledger, say, no_cache)


def run_there(
    pairs: str,
    out: str,
    cluster: Cluster,
    shards: str | None,
    judge: JudgeOptions,
    mapping: str,
    limit: int | None,
    seed: int | None,
    within: str | None,
    price: float | None,
    no_cache: bool,
    quiet: bool,
) -> None:
    """Judges on a cluster, and writes the verdicts in the input's order.

    Raises:
        InputError: the pairs, the folder of shards or the file of verdicts are wrong, or the time of `within`
            was up before a block was judged.
        BackendError: the cluster or the judge cannot work.
    """
    from judge.cluster.merging import total_of, write_merged
    from judge.cluster.pool import connected
    from judge.cluster.running import judge_there, write_manifest
    from judge.io.durations import seconds_in

    check_writable(out, (pairs, *judge.files), (".jsonl",))
    if shards is None and out == "-":
        raise InputError("--shards: missing. Verdicts on standard output need a folder for the shards.")
    folder = shards or f"{out}.shards"

    def say(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    started = time.perf_counter()
    ends_at = None if within is None else time.time() + seconds_in(within, "--within")
    with interruptible(), progress_shown(quiet) as progress, connected(cluster):
        made = judge_there(
            pairs,
            judge,
            cluster,
            folder,
            say,
            progress,
            mapping=mapping,
            limit=limit,
            seed=seed,
            is_fresh=no_cache,
            price=price,
            ends_at=ends_at,
        )
        if made.n_late == made.n_pairs:
            raise InputError(f"--within: {within} were up before a block was judged. Give more time.")
        counts = write_merged(out, made.shards, made.names)
        if not made.n_late:
            write_manifest(made, pairs, counts)
    total = total_of(counts)
    _say_end(say, made, total, time.perf_counter() - started, price)
    if out != "-":
        say(f"Verdicts: {out}")
    if made.n_late:
        say(time_is_up(made.n_late, made.n_pairs))
    if made.n_late or total["unparsed"]:
        raise typer.Exit(NOT_ALL_JUDGED)


def _say_end(say: Say, made: Made, total: Mapping[str, int], elapsed_s: float, price: float | None) -> None:
    from judge.cluster.watch import cost_in_words, in_words

    n_judged = made.n_pairs - made.n_late
    n_new = n_judged - made.n_known
    say(
        f"{n_judged:,} pairs in both orders: {total['consistent']:,} consistent, "
        f"{total['inconsistent']:,} inconsistent, {total['unparsed']:,} unparsed."
    )
    say(f"{made.n_known:,} of them had whole shards; {n_new:,} were judged in {in_words(elapsed_s)}.")
    if n_new:
        say(f"{n_new / made.elapsed_s:,.4g} pairs a second; {cost_in_words(made.worker_s / n_new, price)}.")
    say(f"Shards: {made.shards} (judge ledger import takes them)")
