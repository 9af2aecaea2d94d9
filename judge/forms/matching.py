"""Votes of another tool's file put on given pairs by their texts, whichever answer each file calls a."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from judge.forms.form import SAME_VOTER, Imported, turned_ballot
from judge.io.usable import Unusable, usable
from judge.records import HumanVote, Message, Pair, sha256_of_json

OTHER_TEXTS = "vote: on other texts than the pair of its id"

Texts = frozenset[str]
"""The digests of a pair's two conversations, whichever is a."""


@dataclass(frozen=True, slots=True)
class Matched:
    """Votes on given pairs, how many were left out, by reason, and the pairs whose texts are others."""

    votes: tuple[HumanVote, ...]
    left_out: Counter[str]
    others: tuple[str, ...]


def matched(read: Imported, pairs: Iterable[Pair]) -> Matched:
    """The votes of a file on the pairs with the same texts, in the terms of those pairs.

    Of pairs with equal texts the one with the vote's id counts, else the first. A vote on texts that no pair
    has is left out where its id is that of a pair, and else stays as it is: it is on no pair.
    """
    firsts: dict[Texts, dict[str, str]] = {}
    ids: set[str] = set()
    for pair in pairs:
        a, b = sides_of(pair)
        firsts.setdefault(frozenset({a, b}), {})[pair.id] = a
        ids.add(pair.id)
    own = {pair.id: sides_of(pair) for pair in read.pairs}
    others: dict[str, None] = {}
    taken: set[tuple[str, str]] = set()

    def put(vote: HumanVote) -> HumanVote:
        a, b = own[vote.pair_id]
        same: Mapping[str, str] = firsts.get(frozenset({a, b}), {})
        if not same and vote.pair_id in ids:
            others[vote.pair_id] = None
            raise Unusable(OTHER_TEXTS)
        id = vote.pair_id if vote.pair_id in same or not same else next(iter(same))
        if (id, vote.voter) in taken:
            raise Unusable(SAME_VOTER)
        taken.add((id, vote.voter))
        vote = replace(vote, pair_id=id)
        return turned(vote) if same and same[id] != a else vote

    votes, left_out = usable(read.votes, put)
    return Matched(tuple(votes), left_out, tuple(others))


def is_named_by_texts(pair: Pair) -> bool:
    """Whether the pair's id is the hash of its contents, which says which answer is a."""
    return pair.id.startswith(pair.content_hash[:16])


def turned(vote: HumanVote) -> HumanVote:
    """The same vote on the pair with a and b swapped."""
    return replace(vote, outcome=turned_ballot(vote.outcome), model_a=vote.model_b, model_b=vote.model_a)


def sides_of(pair: Pair) -> tuple[str, str]:
    """The digests of both conversations, without differences of white space where that is not all of them."""
    a, b = digest(pair.conversation_a), digest(pair.conversation_b)
    return (a, b) if a != b else (exact_digest(pair.conversation_a), exact_digest(pair.conversation_b))


def digest(conversation: Iterable[Message]) -> str:
    return sha256_of_json([[message.role, message.content.split()] for message in conversation])


def exact_digest(conversation: Iterable[Message]) -> str:
    return sha256_of_json([[message.role, message.content] for message in conversation])
