"""The plan of a run: pieces of the files, every line of them checked, and the blocks of pairs.

A block is a range of lines in one file. What it holds, and the judge, name its shard: so a shard that is
there answers for these pairs and this judge, whoever wrote it.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from judge.cluster.sources import Source
from judge.cluster.storage import bytes_at, located, reading
from judge.errors import BadLines, InputError
from judge.forms.reading import form_among
from judge.io.pairs import unnamed_pairs
from judge.io.rows import Row, line_rows
from judge.records import Pair, sha256_of_json

SEARCHED = 1 << 20  # bytes that are read at a time to find the end of a line
DIGITS = 16
"""Hex digits of the content's hash that stand for an id, see `judge.io.pairs.with_ids`."""


@dataclass(frozen=True, slots=True)
class Span:
    """Whole lines of a source, by their bytes."""

    source: Source
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What reading a span once has shown, so that no line of it is bad when it is judged.

    `ids` and `digits` are 8 bytes a pair: the hash of its own id, 0 where it has none, and then the first
    digits of its content's hash. `has_problems` and `is_foreign` say that lines cannot be read, or are of
    another tool's form.
    """

    n_lines: int
    n_pairs: int
    hash: str
    ids: bytes
    digits: bytes
    has_problems: bool
    is_foreign: bool


@dataclass(frozen=True, slots=True)
class Block:
    """Pairs that one worker judges at once, and whose verdicts are one shard.

    `first` is the number of the span's first line. `chosen` are the pairs' places among those of the span,
    None for all; `ids` names those whose content alone is no name for them, by their place.
    """

    span: Span
    hash: str
    first: int
    n_pairs: int
    chosen: tuple[int, ...] | None
    ids: Mapping[int, str]

    def name_for(self, judge: str) -> str:
        """The name of the block's shard by the judge of that fingerprint."""
        held = [judge, self.hash, self.chosen, sorted(self.ids.items())]
        return f"{sha256_of_json(held)[:32]}.jsonl.gz"


def spans_of(source: Source, most_bytes: int) -> list[Span]:
    """The source in pieces of about that size, cut at the ends of lines."""
    spans: list[Span] = []
    system, path = located(source.at)
    with reading(source.name), system.open_input_file(path) as file:
        start = 0
        while start < source.size:
            end = _line_end(file, start + most_bytes, source.size)
            spans.append(Span(source, start, end))
            start = end
    return spans


def _line_end(file: Any, at: int, size: int) -> int:
    """Where the line ends that has the byte before `at`."""
    at -= 1
    while at < size:
        file.seek(at)
        piece = bytes(file.read(SEARCHED))
        if (found := piece.find(b"\n")) >= 0:
            return at + found + 1
        at += len(piece) or size
    return size


def check(span: Span) -> Checked:
    """Reads every line of a span, as the judge will. Raises InputError where the file cannot be read."""
    import numpy as np

    data = bytes_at(span.source.at, span.start, span.end)
    rows = rows_of(span.source, data)
    is_foreign = not span.source.is_laid and form_among(rows) is not None
    pairs: list[Pair] = []
    has_problems = False
    if not is_foreign:
        try:
            pairs = unnamed_pairs(rows, {})
        except BadLines:
            has_problems = True
    ids = np.array([_number_of(pair.id) if pair.id else 0 for pair in pairs], np.uint64)
    digits = np.array([0 if pair.id else int(pair.content_hash[:DIGITS], 16) for pair in pairs], np.uint64)
    return Checked(
        n_lines=data.count(b"\n"),
        n_pairs=len(pairs),
        hash=hash_of(data),
        ids=ids.tobytes(),
        digits=digits.tobytes(),
        has_problems=has_problems,
        is_foreign=is_foreign,
    )


def rows_of(source: Source, data: bytes, first: int = 1) -> list[Row]:
    """The rows of lines of a source, the first of which has that number."""
    if not source.is_table:
        return list(line_rows(data, source.name, first))
    rows = line_rows(data, "", 0)
    return [Row(source.where(first + int(row.where[1:])), row.cells) for row in rows]


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _number_of(id: str) -> int:
    """Eight bytes of an id's hash; never 0."""
    return int.from_bytes(hashlib.blake2b(id.encode(), digest_size=8).digest(), "big") or 1


def blocks_of(
    spans: Sequence[Span], checked: Sequence[Checked], limit: int | None = None, seed: int | None = None
) -> list[Block]:
    """The blocks of spans that were checked, in the input's order.

    Args:
        limit: judge so many pairs at most: the first ones, or with a seed a random sample.

    Raises:
        BadLines: lines that are no pairs, or that repeat an id, all of them.
        InputError: there is no pair.
    """
    firsts = first_lines(spans, checked)
    refuse_bad_lines(spans, checked, firsts)
    n_pairs = sum(one.n_pairs for one in checked)
    if not n_pairs:
        names = ", ".join(dict.fromkeys(span.source.name for span in spans))
        raise InputError(f"{names}: no pairs found. A file must hold at least one pair.")
    ids = ids_of(checked)
    chosen = _chosen(n_pairs, limit, seed)
    blocks, start = [], 0
    for span, one, first, own in zip(spans, checked, firsts, ids, strict=True):
        places = None if chosen is None else _places(chosen, start, start + one.n_pairs)
        start += one.n_pairs
        n_chosen = one.n_pairs if places is None else len(places)
        if n_chosen:
            blocks.append(Block(span, one.hash, first, n_chosen, places, own))
    return blocks


def first_lines(spans: Sequence[Span], checked: Sequence[Checked]) -> list[int]:
    """The number of each span's first line in its file."""
    firsts: list[int] = []
    for number, span in enumerate(spans):
        is_new = not number or spans[number - 1].source != span.source
        firsts.append(1 if is_new else firsts[-1] + checked[number - 1].n_lines)
    return firsts


def refuse_bad_lines(spans: Sequence[Span], checked: Sequence[Checked], firsts: Sequence[int]) -> None:
    """Reads again what is bad, with the numbers of its lines. Raises BadLines that names all of them."""
    first_with_id: dict[Hashable, str] = {}
    problems: list[str] = []
    suspect = _repeating(checked) | {n for n, one in enumerate(checked) if one.has_problems}
    for number in sorted(suspect):
        span = spans[number]
        data = bytes_at(span.source.at, span.start, span.end)
        try:
            unnamed_pairs(rows_of(span.source, data, firsts[number]), first_with_id)
        except BadLines as bad:
            problems += bad.problems
    if problems:
        raise BadLines(problems)


def _repeating(checked: Sequence[Checked]) -> set[int]:
    """The spans that seem to share an id with another one."""
    import numpy as np

    ids = np.concatenate([np.frombuffer(one.ids, np.uint64) for one in checked])
    owner = np.repeat(np.arange(len(checked)), [one.n_pairs for one in checked])
    order = np.argsort(ids, kind="stable")
    same = (ids[order][1:] == ids[order][:-1]) & (ids[order][1:] != 0)
    both = np.concatenate([order[1:][same], order[:-1][same]])
    return {int(n) for n in owner[both]}


def ids_of(checked: Sequence[Checked]) -> list[dict[int, str]]:
    """The ids of pairs that are not called by their content alone, by their place in each span.

    As `judge.io.pairs.with_ids` names them: of equal pairs without an id the later ones get -2, -3, ...
    """
    import numpy as np

    digits = np.concatenate([np.frombuffer(one.digits, np.uint64) for one in checked])
    own = np.concatenate([np.frombuffer(one.ids, np.uint64) for one in checked])
    unnamed = np.flatnonzero(own == 0)
    taken = {int(number) for number in own[own != 0]}
    values, counts = np.unique(digits[unnamed], return_counts=True)
    odd = {int(value) for value in values[counts > 1]}
    if taken:
        odd |= {int(one) for one in values if _number_of(f"{int(one):0{DIGITS}x}") in taken}
    starts = np.cumsum([0, *(one.n_pairs for one in checked)])
    found: list[dict[int, str]] = [{} for _ in checked]
    last: dict[int, int] = {}
    for at in unnamed[np.isin(digits[unnamed], np.array(sorted(odd), np.uint64))] if odd else ():
        value = int(digits[at])
        number, name = _next_name(value, last.get(value, 0), taken)
        last[value] = number
        span = int(np.searchsorted(starts, at, side="right")) - 1
        found[span][int(at - starts[span])] = name
    return found


def _next_name(value: int, last: int, taken: set[int]) -> tuple[int, str]:
    """The next free name of a content after the one of that number, and its number."""
    plain = f"{value:0{DIGITS}x}"
    while True:
        last += 1
        name = plain if last == 1 else f"{plain}-{last}"
        if _number_of(name) not in taken:
            return last, name


def _chosen(n_pairs: int, limit: int | None, seed: int | None) -> Sequence[int] | None:
    """The places of the pairs to judge, in their order; None for all."""
    if limit is None or limit >= n_pairs:
        return None
    return range(limit) if seed is None else sorted(random.Random(seed).sample(range(n_pairs), limit))


def _places(chosen: Sequence[int], start: int, end: int) -> tuple[int, ...] | None:
    """Those of the chosen that lie in a span, counted from its start; None for all of it."""
    from bisect import bisect_left

    some = chosen[bisect_left(chosen, start) : bisect_left(chosen, end)]
    return None if len(some) == end - start else tuple(at - start for at in some)


def pairs_of_block(block: Block) -> list[Pair]:
    """The pairs of a block, with their ids.

    Raises:
        InputError: the file cannot be read here, or is not what was checked.
    """
    source = block.span.source
    data = bytes_at(source.at, block.span.start, block.span.end)
    if hash_of(data) != block.hash:
        raise InputError(f"{source.name}: was changed while it was judged. Start again.")
    every = unnamed_pairs(rows_of(source, data, block.first), {})
    named = list(_named(every, block.ids))
    return named if block.chosen is None else [named[at] for at in block.chosen]


def _named(pairs: Sequence[Pair], ids: Mapping[int, str]) -> Iterator[Pair]:
    from dataclasses import replace

    for at, pair in enumerate(pairs):
        yield pair if pair.id else replace(pair, id=ids.get(at) or pair.content_hash[:DIGITS])
