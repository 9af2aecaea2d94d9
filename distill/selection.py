"""Selection: from a teacher's traces to the examples a student learns from, every drop with its reason.

A filter names the winner of a pair or drops the pair; then come the margin, the split by prompt and, if asked
for, the balance of lengths. All of it is pure: neither the order of the traces nor which response is called a
changes what is kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from distill.traces import (
    Trace,
    refuse_repeated,
)
from judge.datasets.dataset import first_prompts_of
from judge.errors import InputError
from judge.io.rows import shown
from judge.orders import logistic, outcome_by_probability, outcome_of
from judge.records import (
    Choice,
    Judgment,
    Order,
    Outcome,
    Pair,
    Status,
    Step,
    Unparsed,
    Verdict,
    sha256_of_json,
)

ROUNDING = 1e-9
"""Shares of samples are floats: 2 * |0.6 - 0.5| is a little less than 0.2 and counts as 0.2."""

SLOPE = 2.0
"""How steeply the lead in score becomes a probability, see `teacher_p_a`."""

NEITHER_READ = "neither order could be read"
ONE_UNREAD = "one order could not be read"
NO_MAJORITY = "an order has no majority"
NO_SHARES = "the teacher gives no shares of samples"
EVEN = "the samples of both orders are even"
EVEN_MEAN = "both orders together are even"
DISAGREE = "the orders disagree"
TIE_TWICE = "a tie in both orders"
TIE_ONCE = "a tie in the only order that could be read"
NO_MARGIN = "the teacher gives no margin"
BELOW_MARGIN = "the margin is too small"
SURPLUS = "left out to balance the lengths"


class Filter(StrEnum):
    """Which verdicts teach; see the function of each."""

    SWAP = "swap"
    MEAN = "mean"
    MAJORITY = "majority"
    USC = "usc"
    NONE = "none"


class Part(StrEnum):
    """What an example is for: learning, or watching how the learning goes."""

    TRAIN = "train"
    HELD_OUT = "held_out"


Choices = Mapping[Order, Choice]


@dataclass(frozen=True, slots=True)
class Example:
    """A pair with the choice that the student shall make in each order.

    `choices` names one response in both orders, unless the filter was `none`: then each order has the
    teacher's own choice, maybe a TIE, and is absent if unreadable. `p_a` is `teacher_p_a`.
    """

    pair: Pair
    choices: Choices
    p_a: float | None
    part: Part

    @property
    def winner(self) -> Outcome | None:
        """The response that all choices name; None where they name none, or both."""
        outcomes = {outcome_of(choice, order) for order, choice in self.choices.items()}
        return outcomes.pop() if len(outcomes) == 1 and Outcome.TIE not in outcomes else None


@dataclass(frozen=True, slots=True)
class Selection:
    """The examples that were kept, how many traces were dropped for each reason, and how it was made."""

    kept: tuple[Example, ...]
    dropped: Mapping[str, int]
    filter: Filter
    margin: float
    balance_length: bool
    held_out: float
    seed: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A trace that teaches nothing, and why."""

    reason: str


# --- selecting -------------------------------------------------------------------------------------------


def select(
    traces: Sequence[Trace], filter: str, margin: float, balance_length: bool, held_out: float, seed: int
) -> Selection:
    """What the student learns from, ordered by content.

    Args:
        filter: one of `Filter`.
        margin: 0 to 1; a pair is kept if the teacher's |P(A) - P(B)| is at least this. 0 keeps all.
        balance_length: whether to drop pairs until the longer response wins as often as the shorter one.
        held_out: the share of the prompts that are kept from training, 0 or more and below 1.
        seed: decides which prompts these are.

    Raises:
        InputError: an unknown filter, a number out of its range, or two traces of one pair.
    """
    check_settings(filter, margin, held_out)
    refuse_repeated(traces)
    ordered = sorted(traces, key=lambda trace: (trace.pair.content_hash, trace.pair.id))
    results = [taught(trace, Filter(filter), margin, held_out, seed) for trace in ordered]
    kept = [one for one in results if isinstance(one, Example)]
    dropped = Counter(one.reason for one in results if isinstance(one, Dropped))
    if balance_length and (surplus := surplus_of(kept)):
        kept = [one for one in kept if one.pair.id not in surplus]
        dropped[SURPLUS] = len(surplus)
    return Selection(
        kept=tuple(kept),
        dropped=dict(sorted(dropped.items())),
        filter=Filter(filter),
        margin=float(margin),
        balance_length=balance_length,
        held_out=float(held_out),
        seed=seed,
    )


def taught(trace: Trace, filter: Filter, margin: float, held_out: float, seed: int) -> Example | Dropped:
    """What one trace teaches, whatever the others are."""
    choices, p_a = FILTERS[filter](trace.verdict), teacher_p_a(trace.verdict)
    if isinstance(choices, Dropped):
        return choices
    if margin > 0 and p_a is None:
        return Dropped(NO_MARGIN)
    if p_a is not None and 2 * abs(p_a - 0.5) < margin - ROUNDING:
        return Dropped(BELOW_MARGIN)
    return Example(trace.pair, choices, p_a, part_of(trace.pair, held_out, seed))


def check_settings(filter: str, margin: float, held_out: float) -> None:
    """Raises InputError that names every invalid setting."""
    wrong = []
    if filter not in list(Filter):
        wrong.append(f"filter is {shown(filter)}. It must be one of {', '.join(Filter)}.")
    if not 0 <= margin <= 1:
        wrong.append(f"margin is {shown(margin)}. It must be a number from 0 to 1.")
    if not 0 <= held_out < 1:
        wrong.append(f"held_out is {shown(held_out)}. It must be a number from 0 up and below 1.")
    if wrong:
        raise InputError("\n".join(wrong))


# One function per filter: the targets of the orders, or why there are none


def by_swap(verdict: Verdict) -> Choices | Dropped:
    """Both orders name the same response: the paper's choice for BSM (Yu et al., arXiv:2407.06023)."""
    outcomes = outcomes_of(verdict)
    if len(outcomes) < len(Order):
        return Dropped(ONE_UNREAD if outcomes else NEITHER_READ)
    return agreed(outcomes)


def by_mean_of_orders(verdict: Verdict) -> Choices | Dropped:
    """The response with the greater P, the mean of both orders: a soft form of `by_swap`, beyond the paper.

    A preference for a position cancels out in the mean, so a teacher whose orders disagree still says which
    response it thinks is better. See `teacher_p_a`.
    """
    outcomes = outcomes_of(verdict)
    if len(outcomes) < len(Order):
        return Dropped(ONE_UNREAD if outcomes else NEITHER_READ)
    p_a = teacher_p_a(verdict)
    if p_a is None:
        return Dropped(NO_MARGIN)
    return Dropped(EVEN_MEAN) if abs(p_a - 0.5) < ROUNDING else targets(outcome_by_probability(p_a))


def by_majority(verdict: Verdict) -> Choices | Dropped:
    """The response with the greater share of the samples (`judge.methods.voting`), the mean of both orders.

    An order that leans the other way is outvoted and still gets the winner as its target.
    """
    if verdict.status is Status.UNPARSED:
        return Dropped(NO_MAJORITY)
    if verdict.p_a is None:
        return Dropped(NO_SHARES)
    if abs(verdict.p_a - 0.5) < ROUNDING:
        return Dropped(EVEN)
    return targets(outcome_by_probability(verdict.p_a))


def by_usc(verdict: Verdict) -> Choices | Dropped:
    """The picked samples name the same response; a sample picked in one order only may speak for both."""
    outcomes = outcomes_of(verdict)
    if not outcomes:
        return Dropped(NEITHER_READ)
    if len(outcomes) == 1 and Outcome.TIE in outcomes.values():
        return Dropped(TIE_ONCE)
    return agreed(outcomes)


def by_none(verdict: Verdict) -> Choices | Dropped:
    """Every order that could be read has the teacher's own choice, consistent or not: for the ablation."""
    readings = verdict.readings
    own = {order: r.choice for order in Order if isinstance(r := readings[order], Judgment)}
    return own or Dropped(NEITHER_READ)


FILTERS: dict[Filter, Callable[[Verdict], Choices | Dropped]] = {
    Filter.SWAP: by_swap,
    Filter.MEAN: by_mean_of_orders,
    Filter.MAJORITY: by_majority,
    Filter.USC: by_usc,
    Filter.NONE: by_none,
}


def outcomes_of(verdict: Verdict) -> dict[Order, Outcome]:
    """The outcome of each order that could be read."""
    readings = verdict.readings
    return {
        order: outcome_of(r.choice, order) for order in Order if isinstance(r := readings[order], Judgment)
    }


def agreed(outcomes: Mapping[Order, Outcome]) -> Choices | Dropped:
    """The targets for the one response that all of these name."""
    different = set(outcomes.values())
    if len(different) > 1:
        return Dropped(DISAGREE)
    return Dropped(TIE_TWICE) if Outcome.TIE in different else targets(different.pop())


def targets(winner: Outcome) -> Choices:
    """The choice in each order that names the winner."""
    return {order: choice for order in Order for choice in Choice if outcome_of(choice, order) is winner}


# --- how sure the teacher is -----------------------------------------------------------------------------


def teacher_p_a(verdict: Verdict) -> float | None:
    """The teacher's probability that a is better; None where an order is unread or gives no probability.

    It is the verdict's own `p_a`. A method that gives sums of scores only (bsm-text) has none: there it is
    logistic(SLOPE * lead), where lead is by how many points of 1 to 5 a leads on a criterion, the mean
    over the criteria, each by its weight, and both orders. A point on every criterion makes 0.88, a point on
    one of five 0.60. That is a scale, not a calibrated probability.
    """
    if verdict.p_a is not None or verdict.status is Status.UNPARSED:
        return verdict.p_a
    leads = [lead_of_a(verdict, order) for order in Order]
    known = [lead for lead in leads if lead is not None]
    if len(known) < len(leads):
        return None
    return logistic(SLOPE * sum(known) / len(known))


def lead_of_a(verdict: Verdict, order: Order) -> float | None:
    """By how many points a leads on a criterion in this order; None where the reading is no sum of scores."""
    reading = verdict.readings[order]
    if isinstance(reading, Unparsed):
        return None
    for scored in scored_by_sample(reading.steps):
        first, second = (sum(step.weight * scores[side] for step, scores in scored) for side in (0, 1))
        # A vote keeps the steps of all samples: those that led to the reading add up to its raw text.
        if f"{first:.2f} : {second:.2f}" == reading.raw:
            lead = (first - second) / sum(step.weight for step, _ in scored)
            return lead if outcome_of(Choice.FIRST, order) is Outcome.A else -lead
    return None


Scored = tuple[Step, tuple[float, float]]
"""A step with the scores that it has."""


def scored_by_sample(steps: Iterable[Step]) -> list[list[Scored]]:
    """The steps that have scores, together where they are one sample's or no vote was taken."""
    groups: dict[str, list[Scored]] = {}
    for step in steps:
        if step.scores is not None:
            sample = re.match(r"sample \d+, ", step.name)
            groups.setdefault(sample[0] if sample else "", []).append((step, step.scores))
    return list(groups.values())


# --- prompts and lengths ---------------------------------------------------------------------------------


def part_of(pair: Pair, held_out: float, seed: int) -> Part:
    """The part that a pair is in. It depends on the seed and the prompt only, not on other pairs.

    One whose conversations begin with different questions is held out where either of them is.
    """
    parts = {part_by(question, held_out, seed) for question in first_prompts_of(pair)}
    return Part.HELD_OUT if Part.HELD_OUT in parts else Part.TRAIN


def part_by(question: str, held_out: float, seed: int) -> Part:
    """The part that everything with this question is in."""
    place = int(sha256_of_json([seed, question])[:13], 16) / 16**13
    return Part.HELD_OUT if place < held_out else Part.TRAIN


def surplus_of(examples: Sequence[Example]) -> set[str]:
    """Ids of pairs to drop so that the longer response wins as often as the shorter one, in either part.

    Which ones is decided by a hash of the content. Pairs of equal length and those without a winner stay.
    """
    surplus: set[str] = set()
    for part in Part:
        here = [one for one in examples if one.part is part and one.winner and has_longer(one.pair)]
        longer = [one for one in here if one.winner is one.pair.longer]
        shorter = [one for one in here if one.winner is not one.pair.longer]
        fewer, more = sorted((longer, shorter), key=len)
        by_content = sorted(more, key=lambda one: (unnamed_content(one.pair), one.pair.id))
        surplus |= {one.pair.id for one in by_content[: len(more) - len(fewer)]}
    return surplus


def unnamed_content(pair: Pair) -> str:
    """A hash of the content that is the same whichever response is called a."""
    return sha256_of_json(sorted(contents_of(pair)))


def contents_of(pair: Pair) -> tuple[str, str]:
    """The hashes of the pair's content as it is and with its responses swapped."""
    renamed = replace(pair, conversation_a=pair.conversation_b, conversation_b=pair.conversation_a)
    return pair.content_hash, renamed.content_hash


def has_longer(pair: Pair) -> bool:
    return pair.longer is not Outcome.TIE
