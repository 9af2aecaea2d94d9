"""What one worker does: it holds a loaded judge, reads a block's pairs, and leaves one whole shard."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from judge.cluster.attempts import PAIR_DEATHS, WHOLE_DEATHS, Attempts
from judge.cluster.plan import Block, pairs_of_block
from judge.cluster.storage import below, put_whole
from judge.errors import BackendError, JudgeError
from judge.evaluate import is_identical, judge_pairs
from judge.io.rows import first_line
from judge.ledger.shards import iso
from judge.ledger.verdictshards import counts_of, verdict_shard
from judge.methods import MemoryStore, Method
from judge.options import JudgeOptions
from judge.orders import combine, ruled
from judge.progress import silent
from judge.records import Identity, Order, Pair, Rule, Unparsed, Verdict

WRITE_PAUSES_S = (1.0, 5.0, 30.0)
"""Pauses before a shard that could not be written is written again."""

FAILURE_PAUSE_S = 5.0
"""A pause after a block that failed, so that a machine that cannot work takes few blocks from others."""

MOST_FAILING = 3
"""So many pairs that fail one after the other, from the first on, are no fault of the pairs."""

WARM = Pair.of("Which number is larger, 2 or 3?", "It is 3.", "It is 2.")
"""What a server is asked first, so that it shows what it refuses."""


@dataclass(frozen=True, slots=True)
class Done:
    """A block whose shard is whole. `counts` are those of its header, `elapsed_s` the worker's seconds."""

    name: str
    counts: Mapping[str, int]
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A block without a shard, and why: the engine or the disk, and no pair of it."""

    name: str
    n_pairs: int
    reason: str


@dataclass(frozen=True, slots=True)
class Late:
    """A block that nobody began, as the time of the run was up."""

    name: str
    n_pairs: int


class Reader(Protocol):
    """What makes verdicts of pairs; `BlockReader` is one."""

    @property
    def identity(self) -> Identity:
        """The judge as it reads, without a rule."""

    @property
    def judge(self) -> str:
        """The fingerprint that verdicts carry."""

    def read(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """A verdict a pair. Raises BackendError."""


def loaded_method(options: JudgeOptions, store: MemoryStore) -> Method:
    """The method that these options name, as it reads once a server has shown what it refuses."""
    method = options.load(silent, store)
    if options.backend.startswith("server:"):
        judge_pairs([WARM], method)
    return method


class BlockReader:
    """A judge in this process that keeps nothing from one block to the next but its weights."""

    def __init__(self, options: JudgeOptions) -> None:
        self._store = MemoryStore()
        self._method = loaded_method(options, self._store)
        self._rule: Rule | None = options.rule

    @property
    def identity(self) -> Identity:
        return self._method.identity

    @property
    def judge(self) -> str:
        return (self.identity if self._rule is None else self._rule.named(self.identity)).fingerprint

    @property
    def batch_characters(self) -> int:
        return self._method.batch_characters

    def read(self, pairs: Sequence[Pair]) -> list[Verdict]:
        try:
            verdicts = judge_pairs(pairs, self._method)
        finally:
            self._store.forget()
        if self._rule is None:
            return verdicts
        return [ruled(verdict, self._rule, self.judge) for verdict in verdicts]


@dataclass(frozen=True, slots=True)
class Task:
    """A block, and the name that its shard has."""

    name: str
    block: Block


@dataclass
class Worker:
    """Judges one block after the other.

    Args:
        judge: the fingerprint that the run is of; a machine that reads as another judge judges nothing.
        shards: the folder of the shards.
        is_strict: whether a pair that fails stops the run.
    """

    reader: Reader
    judge: str
    shards: str
    attempts: Attempts
    is_strict: bool = False
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def work(self, task: Task) -> Done | Failed:
        """Judges the block and writes its shard. Failed after an expected error: others may do better."""
        n_deaths = self.attempts.begin(task.name)
        try:
            done = self._judged(task, n_deaths)
            self.attempts.end(task.name)
            return done
        except JudgeError as error:
            reason = str(error)
        except OSError as error:
            where = below(self.shards, task.name)
            reason = f"{where}: cannot be written ({error.strerror or first_line(error)})."
        self.attempts.end(task.name)
        self.sleep(FAILURE_PAUSE_S)
        return Failed(task.name, task.block.n_pairs, reason)

    def _judged(self, task: Task, n_deaths: int) -> Done:
        if self.reader.judge != self.judge:
            raise BackendError(
                f"this machine reads as {self.reader.judge}, and the run is of {self.judge}. Give --device "
                "and --dtype, so that all machines read alike."
            )
        started = time.perf_counter()
        pairs = pairs_of_block(task.block)
        verdicts = self._verdicts(task, pairs, n_deaths)
        elapsed_s = time.perf_counter() - started
        judged = list(zip(pairs, verdicts, strict=True))
        self._write(task.name, verdict_shard(self.reader.identity, judged, elapsed_s, iso(self.clock())))
        return Done(task.name, counts_of(verdicts), elapsed_s)

    def _verdicts(self, task: Task, pairs: Sequence[Pair], n_deaths: int) -> list[Verdict]:
        """The block's verdicts, read at once; one by one where that failed, or killed a worker before."""
        if n_deaths < WHOLE_DEATHS:
            try:
                return self.reader.read(pairs)
            except BackendError:
                if self.is_strict or len(pairs) == 1:
                    raise
        return self._one_by_one(task, pairs)

    def _one_by_one(self, task: Task, pairs: Sequence[Pair]) -> list[Verdict]:
        """Verdicts of pairs that are read alone; one that cannot be read is unparsed, with the reason.

        Raises BackendError where the engine gives no verdict at all.
        """
        verdicts: list[Verdict] = []
        errors: list[BackendError] = []
        n_asked = 0
        for pair in pairs:
            if is_identical(pair):
                verdicts += self.reader.read([pair])
                continue
            n_asked += 1
            try:
                verdicts.append(self._alone(task, pair))
            except BackendError as error:
                errors.append(error)
                if self.is_strict or len(errors) == n_asked == MOST_FAILING:
                    raise
                verdicts.append(self._unparsed(pair, first_line(error)))
        if errors and len(errors) == n_asked:
            raise errors[0]
        return verdicts

    def _alone(self, task: Task, pair: Pair) -> Verdict:
        """The verdict of one pair; unparsed where worker processes died of it. Raises BackendError."""
        key = f"{task.name} {pair.id}"
        if (n_deaths := self.attempts.begin(key)) >= PAIR_DEATHS:
            self.attempts.end(key)
            reason = f"the worker process died {n_deaths} times while it read this pair alone"
            return self._unparsed(pair, reason)
        try:
            [verdict] = self.reader.read([pair])
        except BackendError:
            self.attempts.end(key)
            raise
        self.attempts.end(key)
        return verdict

    def _unparsed(self, pair: Pair, reason: str) -> Verdict:
        return combine(pair.id, dict.fromkeys(Order, Unparsed(reason, "")), self.judge)

    def _write(self, name: str, shard: bytes) -> None:
        """Writes a shard, again after a pause where the disk is full. Raises OSError in the end."""
        for pause_s in WRITE_PAUSES_S:
            try:
                return put_whole(below(self.shards, name), shard)
            except OSError:
                self.sleep(pause_s)
        return put_whole(below(self.shards, name), shard)


@dataclass(frozen=True, slots=True)
class Told:
    """What a worker says of the judge that it has: `judge` is the fingerprint that verdicts carry."""

    identity: Identity
    judge: str
    batch_characters: int


def told_of(options: JudgeOptions) -> Told:
    """What a machine reads as. Raises JudgeError where it cannot be the judge that was asked for."""
    reader = BlockReader(options)
    options.refuse_other_calibration(reader.identity.fingerprint)
    return Told(reader.identity, reader.judge, reader.batch_characters)
