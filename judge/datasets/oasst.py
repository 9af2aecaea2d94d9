"""OASST: ranked replies to one prompt, in pairs. OpenAssistant (arXiv:2304.07327), Apache-2.0.

Read as the hub's `OpenAssistant/oasst2` has it, flat messages that name their parent, or from the export's
trees. The validation split is for measuring only; `sibling_pairs` makes pairs of any other split too.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from judge.datasets.dataset import Dataset, DataSource, Wanted, not_empty, preferred
from judge.datasets.sources import Source, local_rows, published_rows
from judge.errors import InputError
from judge.io.usable import UnknownLabel, Unusable, usable
from judge.records import Ballot, HumanVote, Message, Pair

VALIDATION = Source("oasst/validation_messages.jsonl.gz", "OpenAssistant/oasst2", "validation")
TREES = "oasst/validation.trees.jsonl.gz"
TRAINING_FILE = "oasst/train_messages_reconstructed.jsonl.gz"
"""OASST1's training prompts. Who answered which was reconstructed, so its ranks are not labels."""
RANKED_FILE = "oasst/laion_en100_pairs.jsonl.gz"
"""Ranked pairs of a hundred trees, for students of people's votes."""
IN_VALIDATION = "also_in_oasst1_en_validation"
ROLES = {"prompter": "user", "assistant": "assistant"}
LANGUAGE = "en"
VOTER = "oasst-ranking"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Node:
    """One usable message. `rank`, as it was found, counts from 0, the best; only replies may have one."""

    id: str
    parent_id: str | None
    tree: str
    message: Message
    rank: Any


@dataclass(frozen=True, slots=True)
class OasstReply:
    """An assistant's message and the conversation that it answers."""

    node: Node
    context: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Siblings:
    """Two replies to one prompt. `turn` counts the prompts so far; `better` is None without ranks."""

    pair: Pair
    turn: int
    better: Ballot | None


def read(wanted: Wanted) -> Dataset:
    """Every two siblings of different rank, with one vote each for the one of better rank, by pair id.

    Turn 1 are the replies to the first prompt, turn 2 those to the second, and so on. What is left out is
    counted over all turns.

    Raises:
        InputError: the data cannot be read, no pair is left, or a kind of votes is named.
    """
    if wanted.votes:
        raise InputError(f"votes {wanted.votes!r}: OASST has its ranking only. Leave --votes out.")
    every, broken = sibling_pairs(messages_in(wanted.folder))
    siblings = [one for one in every if wanted.turn in (None, one.turn)]
    return not_empty(
        Dataset(
            name="OASST validation",
            pairs=tuple(one.pair for one in siblings),
            votes=tuple(
                HumanVote(one.pair.id, VOTER, one.better, one.turn) for one in siblings if one.better
            ),
            source="OpenAssistant (arXiv:2304.07327), Apache-2.0",
            broken=broken,
        )
    )


def ranked_pairs(folder: Path | None) -> tuple[list[tuple[Pair, HumanVote]], Counter[str]]:
    """The ranked pairs outside validation, each with its rank as a vote; and what was left out, by reason.

    Raises:
        InputError: no folder of local files, or the file is missing.
    """
    if folder is None:
        raise InputError(
            "OASST's ranked pairs are read from a local file only. Give --data-dir or JUDGE_DATA a folder "
            f"with {RANKED_FILE}: an object a line with prompt, chosen, rejected, {IN_VALIDATION}."
        )
    return usable(enumerate(local_rows(folder / RANKED_FILE), start=1), ranked_pair)


def ranked_pair(numbered: tuple[int, Row]) -> tuple[Pair, HumanVote]:
    """The pair of one row and its number in the file, from 1; and its rank as a vote."""
    number, row = numbered
    if type(row.get(IN_VALIDATION)) is not bool or not isinstance(row.get("prompt"), str):
        raise Unusable("missing keys")
    if row[IN_VALIDATION]:
        raise Unusable("in OASST validation")
    return preferred(
        id=f"oasst-ranked-{number}",
        context=[Message("user", row["prompt"])],
        chosen=row.get("chosen"),
        rejected=row.get("rejected"),
        voter=VOTER,
        turn=1,
    )


def messages_in(folder: Path | None) -> list[Row]:
    """The validation split's messages, from whichever local copy there is, or from the hub."""
    if folder and not (folder / VALIDATION.file).exists() and (folder / TREES).exists():
        return list(messages_of_trees(local_rows(folder / TREES)))
    return list(published_rows(VALIDATION, folder))


def messages_of_trees(trees: Iterable[Row]) -> Iterator[Row]:
    """Every message of the export's trees, as the flat form has it."""
    for tree in trees:
        yield from _messages_below(tree.get("prompt"), None, tree.get("message_tree_id"))


def _messages_below(message: Any, parent_id: Any, tree_id: Any) -> Iterator[Row]:
    if not isinstance(message, dict):
        yield {}  # counted as a row without its keys
        return
    flat = {key: value for key, value in message.items() if key != "replies"}
    yield flat | {"parent_id": parent_id, "message_tree_id": tree_id}
    for reply in message.get("replies") or ():
        yield from _messages_below(reply, message.get("message_id"), tree_id)


def sibling_pairs(messages: Iterable[Row], ranked: bool = True) -> tuple[list[Siblings], Counter[str]]:
    """Every two English replies to one prompt, by pair id; and what was left out, by reason.

    Which reply is a comes from a hash of the two texts, never from rank. With `ranked` False ranks are not
    looked at: all siblings make pairs, and `better` is None. That is for pairs without a label.
    Problems of a message are counted once per message; equal texts and missing ranks, once per pair.
    """
    nodes, bad_messages = usable(messages, node_of)
    by_id = {node.id: node for node in reversed(nodes)}
    repeated = Counter({"repeated message_id": len(nodes) - len(by_id)})
    replies, bad_replies = usable(
        (node for node in by_id.values() if node.message.role == "assistant"),
        lambda node: OasstReply(node, context_of(node, by_id)),
    )
    twos = list(twos_of(replies))
    places = [f"{one.node.id} and {other.node.id}" for one, other in twos]
    siblings, bad_pairs = usable(twos, lambda two: siblings_of(*two, ranked=ranked), places)
    return sorted(siblings, key=lambda one: one.pair.id), bad_messages + repeated + bad_replies + bad_pairs


def node_of(row: Row) -> Node:
    """The message of one row, where it is English and was not deleted."""
    has_texts = all(isinstance(row.get(key), str) for key in ("message_id", "role", "text", "lang"))
    if not has_texts or "parent_id" not in row or not isinstance(row["parent_id"], str | None):
        raise Unusable("missing keys")
    if row["role"] not in ROLES:
        raise Unusable("unknown role")
    if row.get("deleted"):
        raise Unusable("deleted")
    if row["lang"] != LANGUAGE:
        raise Unusable("other language")
    return Node(
        id=row["message_id"],
        parent_id=row["parent_id"],
        tree=str(row.get("message_tree_id")),
        message=Message(ROLES[row["role"]], row["text"]),
        rank=row.get("rank"),
    )


def context_of(node: Node, by_id: Mapping[str, Node]) -> tuple[Message, ...]:
    """The conversation that a reply answers, from the first prompt to its parent."""
    above: dict[str, Message] = {}
    while node.parent_id is not None:
        if node.parent_id in above:
            raise Unusable("a cycle in the parents")
        if node.parent_id not in by_id:
            raise Unusable("parent missing or left out")
        node = by_id[node.parent_id]
        above[node.id] = node.message
    context = tuple(reversed(above.values()))
    roles = [message.role for message in context]
    if roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
        raise Unusable("roles that do not alternate")
    return context


def twos_of(replies: Iterable[OasstReply]) -> Iterator[tuple[OasstReply, OasstReply]]:
    """Every two replies to the same prompt."""
    replies_to: dict[str | None, list[OasstReply]] = {}
    for reply in replies:
        replies_to.setdefault(reply.node.parent_id, []).append(reply)
    for siblings in replies_to.values():
        yield from combinations(siblings, 2)


def siblings_of(one: OasstReply, other: OasstReply, ranked: bool) -> Siblings:
    """The pair of two replies, and which of them is better where ranks are asked for."""
    a, b = sorted((one.node, other.node), key=lambda node: text_hash(node.message.content))
    if a.message == b.message:
        raise Unusable("identical texts")
    pair = Pair(
        id=f"oasst-{a.id}-{b.id}",
        conversation_a=(*one.context, a.message),
        conversation_b=(*one.context, b.message),
        metadata={"tree": a.tree, "message_a": a.id, "message_b": b.id},
    )
    turn = sum(message.role == "user" for message in one.context)
    return Siblings(pair, turn, better_of(a, b) if ranked else None)


def text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def better_of(a: Node, b: Node) -> Ballot:
    """The reply of lower rank: 0 is the best."""
    if a.rank is None or b.rank is None:
        raise Unusable("no rank")
    for node in (a, b):
        if type(node.rank) is not int:
            raise UnknownLabel("rank that is no whole number", node.rank)
    if a.rank == b.rank:
        raise Unusable("equal ranks")
    return Ballot.A if a.rank < b.rank else Ballot.B


OASST = DataSource(read, turn="1")
