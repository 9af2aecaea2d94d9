"""What an order means: which response a choice names, and what two readings say together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, overload

from judge.errors import InputError
from judge.records import (
    NEAR_EVEN,
    Choice,
    Judgment,
    Message,
    Order,
    Outcome,
    Pair,
    Reading,
    Rule,
    Status,
    Unparsed,
    Verdict,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def shown_in(pair: Pair, order: Order) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """The two conversations as the judge meets them: first, second."""
    if order is Order.AB:
        return pair.conversation_a, pair.conversation_b
    return pair.conversation_b, pair.conversation_a


def outcome_of(choice: Choice, order: Order) -> Outcome:
    """The choice in the pair's terms. The only place where positions become identities."""
    if choice is Choice.TIE:
        return Outcome.TIE
    return Outcome.A if (choice is Choice.FIRST) == (order is Order.AB) else Outcome.B


def probability_of_a(judgment: Judgment, order: Order) -> float | None:
    """The probability that a is better, a tie counting half; None where the method gives none."""
    if judgment.probabilities is None:
        return None
    p_first = judgment.probabilities[Choice.FIRST] + 0.5 * judgment.probabilities.get(Choice.TIE, 0.0)
    return p_first if order is Order.AB else 1.0 - p_first


def combine(pair_id: str, readings: Mapping[Order, Reading], judge: str) -> Verdict:
    """The verdict of two readings. Orders that disagree are a tie, an unreadable reply leaves no outcome."""
    if any(isinstance(readings[order], Unparsed) for order in Order):
        return Verdict(pair_id, Status.UNPARSED, None, None, None, readings, judge)
    judgments = {order: reading for order, reading in readings.items() if isinstance(reading, Judgment)}
    outcomes = {outcome_of(judgment.choice, order) for order, judgment in judgments.items()}
    p_a = mean_probability_of_a(judgments)
    return Verdict(
        pair_id=pair_id,
        status=Status.CONSISTENT if len(outcomes) == 1 else Status.INCONSISTENT,
        outcome=outcomes.pop() if len(outcomes) == 1 else Outcome.TIE,
        p_a=p_a,
        outcome_by_mean=None if p_a is None else outcome_by_probability(p_a),
        readings=readings,
        judge=judge,
    )


def mean_probability_of_a(judgments: Mapping[Order, Judgment]) -> float | None:
    """Mean over both orders of P(a is better); None where either order gives no probability."""
    in_ab = probability_of_a(judgments[Order.AB], Order.AB)
    in_ba = probability_of_a(judgments[Order.BA], Order.BA)
    return None if in_ab is None or in_ba is None else (in_ab + in_ba) / 2


def outcome_by_probability(p_a: float) -> Outcome:
    """The likelier side; a tie only at exactly one half."""
    if p_a == 0.5:
        return Outcome.TIE
    return Outcome.A if p_a > 0.5 else Outcome.B


def is_near_even(verdict: Verdict) -> bool:
    """Whether both orders together leave it nearly undecided which response is better."""
    return verdict.p_a is not None and abs(verdict.p_a - 0.5) < NEAR_EVEN


MOST_LOG_ODDS = 10.0
"""Probabilities of 0 and 1 count as these log-odds (1 in 22,000): a judge by samples often says 1."""


@overload
def logistic(odds: float) -> float: ...


@overload
def logistic(odds: NDArray[np.float64]) -> NDArray[np.float64]: ...


def logistic(odds: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
    """The probability that has these log-odds; of an array, that of each, in its shape.

    With the opposite log-odds it is what is left of 1, to the last digit.
    """
    if isinstance(odds, int | float):
        p = 1.0 / (1.0 + math.exp(-abs(odds)))
        return p if odds >= 0 else 1.0 - p
    import numpy as np

    likelier = 1.0 / (1.0 + np.exp(-np.abs(odds)))
    return np.where(odds >= 0, likelier, 1.0 - likelier)


def log_odds(p: float) -> float:
    """The log-odds of a probability, from -MOST_LOG_ODDS to MOST_LOG_ODDS."""
    least = logistic(-MOST_LOG_ODDS)
    held = min(max(p, least), 1.0 - least)
    return math.log(held / (1.0 - held))


def log_odds_of_a(verdict: Verdict) -> tuple[float, float] | None:
    """The log-odds that a is better in AB and in BA; None where an order gives no probability.

    None of two equal answers, too: no model was asked about them.
    """
    if verdict.is_identical or not verdict.readings:
        return None
    found = []
    for order in Order:
        reading = verdict.readings[order]
        p = probability_of_a(reading, order) if isinstance(reading, Judgment) else None
        if p is None:
            return None
        found.append(log_odds(p))
    return found[0], found[1]


def ruled(verdict: Verdict, rule: Rule, judge: str) -> Verdict:
    """The verdict of the same readings under a rule, by the judge of this fingerprint.

    Whether the orders agree stays as it was. A tie of two equal answers stays one, and what could not be read
    stays unread. Where both orders prefer one answer and the calibrated P(A) the other, it is undecided.

    Raises:
        InputError: the judge gives no probabilities.
    """
    if verdict.is_identical or verdict.status is Status.UNPARSED:
        return replace(verdict, judge=judge)
    odds = log_odds_of_a(verdict)
    if odds is None or verdict.p_a is None:
        raise InputError(
            f"pair {verdict.pair_id!r}: this method gives no probabilities, and a calibration or a band of "
            "undecided goes by them. Take fast, score, direct or bsm."
        )
    how = rule.calibration
    p_a = verdict.p_a if how is None else logistic(how.slope * (odds[0] + odds[1]) / 2 + how.offset)
    side = outcome_by_probability(p_a)
    is_against = how is not None and verdict.outcome is not Outcome.TIE and verdict.outcome is not side
    is_undecided = is_against or max(p_a, 1.0 - p_a) < rule.undecided_below
    return replace(
        verdict,
        outcome=Outcome.TIE if is_undecided else verdict.outcome,
        p_a=p_a,
        outcome_by_mean=Outcome.TIE if is_undecided else side,
        judge=judge,
        is_undecided=is_undecided,
    )
