"""Pairs without labels, for a teacher to read: from OASST messages, from HH-RLHF or from any pair file.

Which reply is a comes from a hash of the contents, and nothing that could be a label goes with a pair: ranks,
votes and gold labels live in metadata, which is dropped, and the pairs of a file get new ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.clean import normalised
from distill.recipe import PairSource, file_at
from judge.datasets.hh_rlhf import TRAINING, labelled_pairs
from judge.datasets.oasst import VALIDATION, messages_of_trees, sibling_pairs, text_hash
from judge.datasets.sources import hub_rows
from judge.errors import InputError
from judge.evaluate import size_of
from judge.forms.reading import read_pairs
from judge.io.rows import JSON_READERS, Reader, changed, gather, parquet_rows, rows_of
from judge.io.rows import Row as FileRow
from judge.io.usable import Unusable, usable
from judge.io.wording import counts_in_words
from judge.records import Message, Pair, sha256_of_json

OASST2 = VALIDATION.repo
DUPLICATE = "duplicate"
LATER_TURN = "not the first turn"
TOO_LONG = "too long"
BEYOND_LIMIT = "beyond the limit"
SKIPPED = "skipped"

Row = Mapping[str, Any]


def read_unlabelled(source: PairSource, folder: Path | None = None) -> tuple[list[Pair], Counter[str]]:
    """The pairs, each once, in an order that a hash of their prompts gives; and what was left out, by reason.

    The pairs of one prompt stand together, and a smaller limit takes a part of what a larger one takes.
    `skip` leaves out the first ones. `folder` holds local copies, for a path that refers to it; see
    `file_at`.

    Raises:
        BadLines: a file has rows that are not pairs, or not JSON.
        InputError: the pairs cannot be read, none is left, or all are skipped.
        MissingExtra: the hub's package is not installed.
    """
    if source.source == "hh_rlhf":
        pairs, left_out = half_of_hh_rlhf(folder)
    else:
        read = pairs_of_file if source.source == "file" else pairs_of_oasst
        pairs, left_out = read(source, folder)
    if source.hh_rlhf:
        pairs = [*pairs, *pairs_of_hh_rlhf(source.hh_rlhf, folder)]
    once = {pair.content_hash: pair for pair in reversed(pairs)}
    short, too_long = short_enough(once.values(), source.max_characters)
    left_out += Counter({DUPLICATE: len(pairs) - len(once)}) + too_long
    if not short:
        reasons = counts_in_words(left_out)
        raise InputError(f"{source.named}: no pair is left (left out: {reasons}).")
    further = sorted(short, key=place_of)[source.skip :]
    kept = further[: source.limit]
    if not kept:
        raise InputError(
            f"collect.pairs.skip: {source.skip}: there are {len(short)} pairs. It must be fewer."
        )
    skipped = Counter({SKIPPED: source.skip} if source.skip else {})
    return kept, left_out + skipped + Counter({BEYOND_LIMIT: len(further) - len(kept)})


def short_enough(pairs: Iterable[Pair], longest: int | None) -> tuple[list[Pair], Counter[str]]:
    """The pairs with at most `longest` characters in both conversations; how many were longer."""

    def checked(pair: Pair) -> Pair:
        if longest is not None and size_of(pair) > longest:
            raise Unusable(TOO_LONG)
        return pair

    return usable(pairs, checked)


def place_of(pair: Pair) -> tuple[str, str]:
    """What the pairs are ordered by: a hash of the first user message, then a hash of the whole pair."""
    return text_hash(normalised(pair.question)), pair.content_hash


def unlabelled(pair: Pair) -> Pair:
    """The pair without metadata, its conversations in the order of their hashes."""
    a, b = sorted((pair.conversation_a, pair.conversation_b), key=hashes_of)
    if a == b:
        raise Unusable("identical texts")
    return replace(pair, conversation_a=a, conversation_b=b, metadata={})


def hashes_of(conversation: tuple[Message, ...]) -> tuple[str, str]:
    """The judged response's hash, and for equal responses to different questions that of the whole."""
    whole = [[message.role, message.content] for message in conversation]
    return text_hash(conversation[-1].content), sha256_of_json(whole)


# --- from a pair file ------------------------------------------------------------------------------------


def pairs_of_file(source: PairSource, folder: Path | None) -> tuple[list[Pair], Counter[str]]:
    """The file's pairs under new ids: a vote on the file's pair must not count after a and b were swapped."""
    pairs, left_out = usable(read_pairs(file_at(source.path, folder)), unlabelled)
    return [replace(pair, id=f"pair-{pair.content_hash[:16]}") for pair in pairs], left_out


# --- from HH-RLHF ----------------------------------------------------------------------------------------


def pairs_of_hh_rlhf(limit: int, folder: Path | None) -> list[Pair]:
    """The first pairs, by place, of HH-RLHF's half for training, without their labels, under new ids."""
    return sorted(half_of_hh_rlhf(folder)[0], key=place_of)[:limit]


def half_of_hh_rlhf(folder: Path | None) -> tuple[list[Pair], Counter[str]]:
    """All pairs of that half, and what was left out."""
    labelled, broken = labelled_pairs(folder, TRAINING)
    pairs, same = usable((pair for pair, _ in labelled), unlabelled)
    named = [replace(pair, id=f"pair-{pair.content_hash[:16]}", category=None) for pair in pairs]
    return named, broken + same


# --- from OASST messages ---------------------------------------------------------------------------------


def pairs_of_oasst(source: PairSource, folder: Path | None) -> tuple[list[Pair], Counter[str]]:
    """Every two replies to a tree's first prompt, without looking at their ranks."""
    siblings, left_out = sibling_pairs(source_messages(source, folder), ranked=False)
    first_turn = [unlabelled(one.pair) for one in siblings if one.turn == 1]
    return first_turn, left_out + Counter({LATER_TURN: len(siblings) - len(first_turn)})


def source_messages(source: PairSource, folder: Path | None) -> Iterator[Row]:
    """The messages of a local file, flat or in trees, or those of OASST2's split on the hub."""
    if not source.path:
        yield from hub_rows(OASST2, source.split)
        return
    for row in gather(rows_of(file_at(source.path, folder), MESSAGE_READERS), lambda cells, _: cells):
        yield from messages_of_trees([row]) if is_tree(row) else [row]


def is_tree(row: Row) -> bool:
    return "prompt" in row and "message_id" not in row


def parquet_messages(data: bytes, name: str) -> Iterator[FileRow]:
    """Rows of the hub's Parquet files, in which a first prompt's parent is null and so absent."""
    return changed(parquet_rows(data, name), lambda cells: {"parent_id": None} | cells)


MESSAGE_READERS: dict[str, Reader] = {**JSON_READERS, ".parquet": parquet_messages}
