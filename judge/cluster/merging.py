"""From shards to one file of verdicts, in the input's order, a few shards at a time."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from judge.cluster.storage import below, bytes_at
from judge.io.writing import replacing, writing
from judge.ledger.verdictshards import opened_shard

AT_A_TIME = 16
"""Shards that are fetched together; so many are in memory at once."""


def write_merged(out: str, shards: str, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Writes the verdicts of these shards as `judge run` does, whole or not at all; "-" is standard output.

    Returns:
        The counts of each shard's header, by its name.

    Raises:
        InputError: a shard is not whole, or the file cannot be written.
    """
    counts: dict[str, dict[str, int]] = {}

    def lines() -> Iterator[bytes]:
        for name, header, text in opened_shards(shards, names):
            counts[name] = header["counts"]
            yield text

    if out == "-":
        sys.stdout.flush()
        for text in lines():
            sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        return counts
    with writing(out), replacing(Path(out)) as aside, aside.open("wb") as file:
        for text in lines():
            file.write(text)
    return counts


def opened_shards(shards: str, names: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any], bytes]]:
    """The name, the header and the verdicts of each shard, in that order. Raises InputError."""

    def opened(name: str) -> tuple[str, Mapping[str, Any], bytes]:
        at = below(shards, name)
        return name, *opened_shard(bytes_at(at), at)

    waiting = iter(names)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        while some := list(islice(waiting, AT_A_TIME)):
            yield from pool.map(opened, some)


def total_of(counts: Mapping[str, Mapping[str, int]]) -> Counter[str]:
    """The counts of all shards together: of "pairs", and of each status."""
    total: Counter[str] = Counter()
    for one in counts.values():
        total.update(one)
    return total
