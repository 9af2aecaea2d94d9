"""A cluster as a method of judging: what a call needs is read there at once, and comes from memory then.

With it everything that asks a `Judge` works on a cluster: benches, rankings, teachers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from judge.cluster.merging import opened_shards
from judge.cluster.pool import Cluster
from judge.cluster.running import BATCHES, Made, judge_there, pool_there, settled_options, told_there
from judge.cluster.sources import Say, lines_of
from judge.cluster.storage import below, put_whole, settled
from judge.errors import InputError
from judge.io.rows import line_rows
from judge.io.verdicts import verdict_from_cells
from judge.ledger.ledger import Entry, Ledger
from judge.options import JudgeOptions
from judge.progress import Progress, silent
from judge.records import Engine, Identity, Order, Pair, Reading, Unparsed, sha256_of_json

ASKED = "asked"
"""The folder, beside the shards, of the pairs of each call."""


class OnCluster:
    """A judge that is loaded on a cluster's workers. `judge.cluster.pool.connected` must be entered.

    Args:
        options: of the judge; its calibration is left to who asks.
        shards: the folder of the shards, which all machines reach.
        ledger: gets the readings with the seconds that they took; None keeps them in memory alone.
        say: is told what each call is.
        is_fresh: judge what has a shard, too.
    """

    def __init__(
        self,
        options: JudgeOptions,
        cluster: Cluster,
        shards: str,
        ledger: Ledger | None = None,
        say: Say = lambda line: None,
        is_fresh: bool = False,
    ) -> None:
        self._options = settled_options(replace(options, calibration="", abstain_below=None))
        self._cluster, self._shards = cluster, settled(shards)
        self._ledger, self._say, self._is_fresh = ledger, say, is_fresh
        needs, self._n_workers = pool_there(cluster, self._options)
        self._told = told_there(self._options, needs)
        self._readings: dict[tuple[str, Order], Reading] = {}

    @property
    def identity(self) -> Identity:
        return self._told.identity

    @property
    def backend(self) -> Any:
        """The engine of the workers; it answers nothing here."""
        return Away(self._told.identity, self.batch_characters)

    @property
    def batch_characters(self) -> int:
        """So much that each worker has a block."""
        return self._n_workers * BATCHES * self._told.batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """Reads all of the pairs on the cluster; again what an earlier run could not. Raises BackendError."""
        if not pairs:
            return
        made = self._made(pairs, progress, self._is_fresh)
        unread = [pair for pair in pairs if any(isinstance(one, Unparsed) for one in self._of(pair))]
        if made.n_known and unread:
            self._made(unread, progress, is_fresh=True)

    def _of(self, pair: Pair) -> list[Reading]:
        return [self._readings[pair.content_hash, order] for order in Order]

    def _made(self, pairs: Sequence[Pair], progress: Progress, is_fresh: bool) -> Made:
        """Judges the pairs on the cluster and takes their readings."""
        named = [replace(pair, id=pair.content_hash) for pair in pairs]
        name = f"{sha256_of_json([pair.id for pair in named])[:32]}.jsonl"
        at = below(self._shards, ASKED, name)
        try:
            put_whole(at, lines_of(named))
        except OSError as error:
            raise InputError(f"{at}: cannot be written ({error.strerror or error}).") from error
        made = judge_there(
            at, self._options, self._cluster, self._shards, self._say, progress, is_fresh=is_fresh
        )
        for _, header, text in opened_shards(made.shards, made.names):
            self._take(text, header["elapsed_s"])
        return made

    def _take(self, lines: bytes, elapsed_s: float) -> None:
        """Keeps the readings of a shard, whose pairs are called by their contents."""
        verdicts = [verdict_from_cells(row.cells) for row in line_rows(lines, self._shards)]
        found = {(v.pair_id, order): v.readings[order] for v in verdicts for order in Order}
        self._readings |= found
        if self._ledger is not None:
            entries = [Entry(*key, reading, elapsed_s / len(found)) for key, reading in found.items()]
            self._ledger.record(self.identity.fingerprint, entries)

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        """One reading per item; what was not prepared is read now. Raises BackendError."""
        missing = {
            pair.content_hash: pair
            for pair, order in items
            if (pair.content_hash, order) not in self._readings
        }
        self.prepare(list(missing.values()))
        return [self._readings[pair.content_hash, order] for pair, order in items]


class Away:
    """What is known here of an engine that runs on the workers."""

    tokens_computed = 0

    def __init__(self, identity: Identity, batch_characters: int) -> None:
        self.engine = Engine(**{one.name: getattr(identity, one.name) for one in fields(Engine)})
        self.batch_characters = batch_characters
