"""Judges without a model, which no judge should lose to. Their verdicts are treated like all others.

Each is a rule from the two responses in the order shown to a choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from judge.orders import combine, shown_in
from judge.records import Choice, Judgment, Order, Pair, Verdict, sha256_of_json

Rule = Callable[[str, str], Choice]


def longer_wins(pairs: Sequence[Pair]) -> list[Verdict]:
    """One verdict per pair for the response with more characters, a tie if they have equally many."""
    return _verdicts(pairs, _longer, "longer wins")


def first_wins(pairs: Sequence[Pair]) -> list[Verdict]:
    """One verdict per pair that chooses the first response shown, whichever it is: never consistent."""
    return _verdicts(pairs, lambda first, second: Choice.FIRST, "first wins")


def coin(pairs: Sequence[Pair]) -> list[Verdict]:
    """One verdict per pair by a hash of its responses, a tie if they are the same.

    It is consistent and does not depend on which response is called a: 0 % inconsistent alone says nothing.
    """
    return _verdicts(pairs, _by_hash, "coin")


BASELINES: dict[str, Callable[[Sequence[Pair]], list[Verdict]]] = {
    "longer wins": longer_wins,
    "first wins": first_wins,
    "coin": coin,
}


def _longer(first: str, second: str) -> Choice:
    if len(first) == len(second):
        return Choice.TIE
    return Choice.FIRST if len(first) > len(second) else Choice.SECOND


def _by_hash(first: str, second: str) -> Choice:
    if first == second:
        return Choice.TIE
    in_fixed_order = sorted((first, second))
    winner = in_fixed_order[int(sha256_of_json(in_fixed_order), 16) % 2]
    return Choice.FIRST if winner == first else Choice.SECOND


def _verdicts(pairs: Sequence[Pair], rule: Rule, judge: str) -> list[Verdict]:
    return [
        combine(pair.id, {order: _reading(pair, order, rule) for order in Order}, judge) for pair in pairs
    ]


def _reading(pair: Pair, order: Order, rule: Rule) -> Judgment:
    first, second = (conversation[-1].content for conversation in shown_in(pair, order))
    return Judgment(rule(first, second), probabilities=None, raw="", tokens_in=0, tokens_out=0)
