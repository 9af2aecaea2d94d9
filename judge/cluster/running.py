"""A run on a cluster, from files of pairs to shards that are all whole.

Shards are the record: a block whose shard is whole is not handed out again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from judge.cluster.attempts import Counted, Elsewhere
from judge.cluster.plan import Block, Checked, Span, blocks_of, check, spans_of
from judge.cluster.pool import (
    Cluster,
    Pool,
    judge_error_in,
    made_of,
    mapped,
    needs_of,
    resources_there,
    size_of_pool,
    worked,
)
from judge.cluster.sources import Say, Source, laid_whole, sources_of
from judge.cluster.storage import below, bytes_at, names_in, put_whole, settled
from judge.cluster.watch import Watch
from judge.cluster.worker import (
    FAILURE_PAUSE_S,
    BlockReader,
    Done,
    Failed,
    Late,
    Task,
    Told,
    Worker,
    told_of,
)
from judge.errors import BackendError, InputError, JudgeError
from judge.options import JudgeOptions
from judge.progress import Progress, silent

BATCHES = 10
"""How many of an engine's batches are a block: as many as `judge run` cuts a small input into."""

BLOCKS_EACH = 4
"""A small input has so many blocks for each worker, so that none waits long for the last one."""

CHECKS_EACH = 4  # tasks of checking for each core
MANIFEST = "manifest.json"
MANIFEST_SCHEMA = "four-token-judge/run"


class PoolWorker:
    """An actor of Ray Data: a `Worker` whose judge stays loaded.

    The judge is made for the first block: a machine that cannot make it fails at blocks, and not as a whole.
    """

    def __init__(
        self, options: JudgeOptions, judge: str, shards: str, attempts: Any, ends_at: float | None
    ) -> None:
        self._options, self._judge, self._shards = options, judge, shards
        self._attempts, self._ends_at = Elsewhere(attempts), ends_at
        self._worker: Worker | None = None

    def __call__(self, table: Any) -> Any:
        return made_of(table, self._work)

    def _work(self, task: Task) -> Done | Failed | Late:
        if self._ends_at is not None and time.time() >= self._ends_at:
            return Late(task.name, task.block.n_pairs)
        try:
            self._worker = self._worker or self._made()
        except JudgeError as error:
            time.sleep(FAILURE_PAUSE_S)
            return Failed(task.name, task.block.n_pairs, str(error))
        return self._worker.work(task)

    def _made(self) -> Worker:
        reader, is_strict = BlockReader(self._options), self._options.settings.strict
        return Worker(reader, self._judge, self._shards, self._attempts, is_strict)


def check_some(table: Any) -> Any:
    """A task of Ray Data: checks numbered spans."""
    return made_of(table, lambda numbered: (numbered[0], check(numbered[1])))


def pool_there(cluster: Cluster, options: JudgeOptions) -> tuple[dict[str, float], int]:
    """What a worker needs, and how many there are. Raises BackendError where there is no room for one."""
    there = resources_there()
    needs = needs_of(cluster, options, there)
    return needs, size_of_pool(cluster, needs, there)


def told_there(options: JudgeOptions, needs: Mapping[str, float]) -> Told:
    """What a worker's machine reads as. Raises JudgeError where the judge cannot be made there."""
    import ray

    asked = ray.remote(told_of).options(**needs, max_retries=0).remote(options)
    try:
        told: Told = ray.get(asked)
    except Exception as error:
        if (cause := judge_error_in(error)) is not None:
            raise cause from None
        raise
    return told


def checked_there(spans: Sequence[Span], progress: Progress) -> list[Checked]:
    """Each span as a worker has read it."""
    cores = int(resources_there().get("CPU", 1))
    found: dict[int, Checked] = {}
    done, total = 0, sum(span.end - span.start for span in spans)
    for number, checked in mapped(list(enumerate(spans)), CHECKS_EACH * cores, check_some, num_cpus=1):
        found[number] = checked
        done += spans[number].end - spans[number].start
        progress("checking the pairs", done, total)
    return [found[number] for number in range(len(spans))]


def planned_there(
    sources: Sequence[Source],
    block_bytes: int,
    shards: str,
    say: Say,
    progress: Progress = silent,
    limit: int | None = None,
    seed: int | None = None,
) -> list[Block]:
    """The blocks of files of pairs, every line of which was read. Raises BadLines, InputError."""
    spans = [span for source in sources for span in spans_of(source, block_bytes)]
    checked = checked_there(spans, progress) if spans else []
    foreign = {span.source for span, one in zip(spans, checked, strict=True) if one.is_foreign}
    if foreign:
        ours = [
            laid_whole(one.name, bytes_at(one.at), number, shards, say) if one in foreign else one
            for number, one in enumerate(sources)
        ]
        return planned_there(ours, block_bytes, shards, say, progress, limit, seed)
    return blocks_of(spans, checked, limit, seed)


BY_ADDRESS = ("server", "judge")
"""Backends that may be named by a file of addresses."""


def settled_options(options: JudgeOptions) -> JudgeOptions:
    """The options with the names of files and folders as they are called from any folder."""

    def whole(name: str) -> str:
        return str(Path(name).absolute()) if name and Path(name).exists() else name

    settings = options.settings
    kind, _, argument = options.backend.partition(":")
    return replace(
        options,
        backend=f"{kind}:{whole(argument)}" if kind in BY_ADDRESS else options.backend,
        calibration=whole(options.calibration),
        ranker=whole(options.ranker),
        settings=replace(
            settings, adapter=whole(settings.adapter), base_model=whole(settings.base_model), progress=silent
        ),
    )


@dataclass(frozen=True, slots=True)
class Made:
    """The whole shards of a run, in the input's order. `n_known` pairs were there before, of `n_pairs`.

    `n_late` were not judged, as the time was up. `worker_s` are the seconds of all workers together,
    `elapsed_s` those that the clock counted.
    """

    told: Told
    shards: str
    names: Sequence[str]
    n_pairs: int
    n_known: int
    n_late: int
    n_workers: int
    worker_s: float
    elapsed_s: float


def judge_there(
    pairs: str,
    options: JudgeOptions,
    cluster: Cluster,
    shards: str,
    say: Say,
    progress: Progress = silent,
    mapping: str = "",
    limit: int | None = None,
    seed: int | None = None,
    is_fresh: bool = False,
    price: float | None = None,
    ends_at: float | None = None,
) -> Made:
    """Judges a file or a folder of pairs on a connected cluster, and leaves a shard for each block.

    Args:
        shards: the folder of the shards, which all machines reach under this name.
        ends_at: no block is begun from this time on, in seconds since 1970 by each machine's clock.
        is_fresh: judge what has a shard, too.
        price: of one worker for an hour.

    Raises:
        BadLines, InputError: the pairs cannot be judged; nothing was.
        BackendError: blocks were left over that failed on every machine that tried; all others have shards.
    """
    import ray

    shards, options = settled(shards), settled_options(options)
    needs, n_workers = pool_there(cluster, options)
    sources = sources_of(pairs, shards, say, mapping)
    told = told_there(options, needs)
    size = block_bytes(sources, told, n_workers, shards)
    blocks = planned_there(sources, size, shards, say, progress, limit, seed)
    names = [block.name_for(told.judge) for block in blocks]
    whole = set() if is_fresh else set(names_in(shards))
    todo = [Task(name, block) for name, block in zip(names, blocks, strict=True) if name not in whole]
    n_pairs = sum(block.n_pairs for block in blocks)
    n_left = sum(task.block.n_pairs for task in todo)
    say(f"{n_pairs:,} pairs in {len(blocks):,} blocks, {n_left:,} of them to judge on {n_workers} workers.")
    attempts = ray.remote(Counted).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
    pool = Pool(PoolWorker, (options, told.judge, shards, attempts, ends_at), n_workers, needs)
    watch = Watch(n_pairs, n_pairs - n_left, n_workers, say, progress, price)
    late = judge_blocks(todo, pool, watch, is_strict=options.settings.strict)
    return Made(
        told=told,
        shards=shards,
        names=[name for name in names if name not in late],
        n_pairs=n_pairs,
        n_known=n_pairs - n_left,
        n_late=sum(late.values()),
        n_workers=n_workers,
        worker_s=watch.worker_s,
        elapsed_s=watch.elapsed_s,
    )


def block_bytes(sources: Sequence[Source], told: Told, n_workers: int, shards: str) -> int:
    """How many bytes of pairs a block has.

    It is remembered beside the shards, so that a run that is resumed with other workers has the same blocks.
    """
    plan = below(shards, "plans", f"{told.judge.rpartition('#')[2][:16]}.json")
    held = [[source.name, source.size] for source in sources]
    try:
        known = json.loads(bytes_at(plan))
        if known["sources"] == held:
            return int(known["block_bytes"])
    except (InputError, ValueError, KeyError, TypeError):
        pass
    total = sum(source.size for source in sources)
    share = total // (BLOCKS_EACH * n_workers)
    size = max(1, min(BATCHES * told.batch_characters, max(share, told.batch_characters)))
    data = json.dumps({"block_bytes": size, "sources": held}, ensure_ascii=False, indent=1)
    try:
        put_whole(plan, f"{data}\n".encode())
    except OSError as error:
        raise InputError(f"{shards}: cannot be written ({error.strerror or error}).") from error
    return size


def judge_blocks(
    todo: Sequence[Task], pool: Pool, watch: Watch, is_strict: bool = False
) -> Mapping[str, int]:
    """Has every block judged; those that failed again at the end, as long as that gets some of them done.

    Returns:
        The blocks that were not begun, as the time was up, with the numbers of their pairs.

    Raises:
        BackendError: what is left fails everywhere, so many blocks failed one after the other that the rest
            would, too, or one failed in a strict run.
    """
    left = list(todo)
    late: dict[str, int] = {}
    while left:
        failed = _round(left, pool, watch, is_strict, late)
        if len(failed) == len(left):
            raise BackendError(_told_of(failed))
        left = [task for task in left if task.name in failed]
    return late


def _round(
    tasks: Sequence[Task], pool: Pool, watch: Watch, is_strict: bool, late: dict[str, int]
) -> dict[str, Failed]:
    """Hands out each block once; the failures by their names. Adds those that were not begun to `late`."""
    failed: dict[str, Failed] = {}
    n_in_a_row = 0
    for made in worked(tasks, pool):
        if isinstance(made, Late):
            late[made.name] = made.n_pairs
            continue
        if isinstance(made, Done):
            n_in_a_row = 0
            watch.done(made)
            continue
        failed[made.name] = made
        n_in_a_row += 1
        if is_strict or n_in_a_row >= max(3, 2 * pool.size * pool.threads):
            raise BackendError(_told_of(failed))
    return failed


def _told_of(failed: Mapping[str, Failed]) -> str:
    reasons = dict.fromkeys(one.reason for one in failed.values())
    n_pairs = sum(one.n_pairs for one in failed.values())
    first, *others = reasons
    more = f" (and {len(others)} other reasons)" if others else ""
    return f"{n_pairs:,} pairs could not be judged: {first.rstrip('.')}{more}. What was done is kept."


def write_manifest(made: Made, pairs: str, counts: Mapping[str, Mapping[str, int]]) -> None:
    """Says beside the shards which of them are the run's, in order, and how many verdicts each holds.

    Raises InputError where it cannot be written.
    """
    manifest = {
        "schema": MANIFEST_SCHEMA,
        "version": 1,
        "pairs": pairs,
        "judge": made.told.judge,
        "identity": asdict(made.told.identity),
        "n_pairs": made.n_pairs,
        "shards": [{"name": name, **counts[name]} for name in made.names],
        "workers": made.n_workers,
        "worker_s": round(made.worker_s, 3),
    }
    name = below(made.shards, MANIFEST)
    try:
        put_whole(name, (json.dumps(manifest, ensure_ascii=False, indent=1) + "\n").encode())
    except OSError as error:
        raise InputError(f"{name}: cannot be written ({error.strerror or error}).") from error
