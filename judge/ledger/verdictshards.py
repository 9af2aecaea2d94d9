"""Shards of verdicts: a header, then the lines that `judge run` writes of these pairs, gzipped.

A run on many machines leaves one for each block of pairs. The lines after the header are a file of verdicts
as they stand, so that files are put together without reading them; the header has what the ledger needs
beside them. `reading.py` makes readings of them.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from judge.errors import InputError
from judge.io.verdicts import verdict_to_json
from judge.ledger.shards import SHARD_VERSION, gzipped
from judge.records import Identity, Pair, Status, Verdict

VERDICTS_SCHEMA = "four-token-judge/verdicts"
FAST = 1  # gzip's level: shards are many, and written while a judge waits


def verdict_shard(
    identity: Identity,
    judged: Sequence[tuple[Pair, Verdict]],
    elapsed_s: float,
    recorded_at: str,
) -> bytes:
    """The shard of these verdicts.

    Args:
        identity: the judge as it reads, without a rule; a verdict carries the fingerprint with it.
        elapsed_s: seconds that all of them took together.
        recorded_at: when they were made, see `judge.ledger.shards.iso`.
    """
    header = {
        "schema": VERDICTS_SCHEMA,
        "version": SHARD_VERSION,
        "fingerprint": identity.fingerprint,
        "identity": asdict(identity),
        "counts": counts_of([verdict for _, verdict in judged]),
        "elapsed_s": elapsed_s,
        "recorded_at": recorded_at,
        "contents": [None if verdict.is_identical else pair.content_hash for pair, verdict in judged],
    }
    rows = [header, *(verdict_to_json(verdict) for _, verdict in judged)]
    lines = "".join(f"{json.dumps(row, ensure_ascii=False, allow_nan=False)}\n" for row in rows)
    return gzipped(lines.encode("utf-8", errors="replace"), FAST)


def counts_of(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many verdicts there are of each status, and of all pairs under "pairs"."""
    counts = Counter(verdict.status.value for verdict in verdicts)
    return {"pairs": len(verdicts), **{status.value: counts[status.value] for status in Status}}


def opened_shard(data: bytes, name: str) -> tuple[Mapping[str, Any], bytes]:
    """The header of a shard and its verdicts as JSON lines.

    Raises:
        InputError: it is not a whole shard of verdicts.
    """
    try:
        head, _, lines = gzip.decompress(data).partition(b"\n")
        header = json.loads(head)
        if header["schema"] == VERDICTS_SCHEMA and lines.count(b"\n") == header["counts"]["pairs"]:
            return header, lines
        found = "its verdicts are not those of its header"
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        found = (str(error).splitlines() or [type(error).__name__])[0]
    raise InputError(
        f"{name}: no whole shard of verdicts ({found}). Delete it, and run the same command again."
    )
