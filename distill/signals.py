"""Signals: what a base model betrays about two answers without anybody's label, one number a pair.

Each is positive where a is better, and free of place by construction: both orders are averaged, or each
answer is read alone. No signal is worth much by itself; `distill.ensemble` adds those that are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from judge.backends import Backend, ChoiceProbabilities, LikelihoodBackend
from judge.evaluate import planned
from judge.methods import MethodSettings, load_method
from judge.methods.asking import answer_values
from judge.methods.score import GRADES, answers_of, mean_grade, render_score
from judge.orders import combine
from judge.prompts import fill
from judge.records import Judgment, Order, Pair, Prompt, Span, Unparsed, Verdict, last_request

Numbers = list[float | None]
"""One number a pair; None where the model could not be read."""

LONGEST_TEXT = 512
"""Tokens of a text whose likelihood counts: what comes after them says little more and costs much."""

GOOD = (
    "You are a knowledgeable and careful assistant. You do exactly what is asked, and what you say is "
    "correct, helpful and clear."
)
BAD = (
    "You are a careless and ignorant assistant. You do not do what is asked, and what you say is wrong, "
    "vague or beside the point."
)
NOTHING_ASKED = "Say something."


@dataclass(frozen=True, slots=True)
class Bank:
    """What signals are read with: an engine, and the settings of the methods that some are read by."""

    backend: LikelihoodBackend
    settings: MethodSettings = field(default_factory=MethodSettings)


# --- both answers beside each other, in both orders ------------------------------------------------------


def direct(bank: Bank, pairs: Sequence[Pair]) -> Numbers:
    """The mean over both orders of the log-odds that a is better, in a verdict at once."""
    return [log_odds_of(verdict) for verdict in verdicts_of(bank, "direct", pairs)]


def bsm(bank: Bank, pairs: Sequence[Pair]) -> Numbers:
    """The mean over both orders and all criteria of how much higher a's expected score is."""
    return [lead_of(verdict) for verdict in verdicts_of(bank, "bsm", pairs)]


def verdicts_of(bank: Bank, method: str, pairs: Sequence[Pair]) -> list[Verdict]:
    """What a method says of each pair, in batches of the engine's size."""
    judge = load_method(method, bank.backend, bank.settings)
    judge.prepare(pairs)
    found: dict[str, Verdict] = {}
    for batch in planned(list({pair.content_hash: pair for pair in pairs}.values()), judge.batch_characters):
        readings = iter(judge.read([(pair, order) for pair in batch for order in Order]))
        for pair in batch:
            found[pair.content_hash] = combine(pair.id, {order: next(readings) for order in Order}, "")
    return [found[pair.content_hash] for pair in pairs]


def log_odds_of(verdict: Verdict) -> float | None:
    """The mean of both orders' log-odds that a is better; None where an order gives none."""
    odds = []
    for order, reading in verdict.readings.items():
        if not isinstance(reading, Judgment) or reading.probabilities is None:
            return None
        first, second = (max(p, 1e-9) for p in list(reading.probabilities.values())[:2])
        odds.append(math.log(first / second) * (1 if order is Order.AB else -1))
    return sum(odds) / len(odds)


def lead_of(verdict: Verdict) -> float | None:
    """How much higher a's score is than b's, the mean over both orders and all criteria by their weights."""
    leads = []
    for order, reading in verdict.readings.items():
        if not isinstance(reading, Judgment):
            return None
        scored = [(step.weight, *step.scores) for step in reading.steps if step.scores]
        sign = 1 if order is Order.AB else -1
        lead = sum(weight * (first - second) for weight, first, second in scored)
        leads.append(sign * lead / sum(weight for weight, *_ in scored))
    return sum(leads) / len(leads)


# --- each answer alone -----------------------------------------------------------------------------------


def alone(bank: Bank, pairs: Sequence[Pair]) -> Numbers:
    """How much higher a's grade from 1 to 9 is, each answer graded by itself."""
    prompts = [render_score(pair, Order.AB, number) for pair in pairs for number in (0, 1)]
    chosen = chosen_in_batches(bank.backend, prompts, GRADES)
    return differences(
        [None if isinstance(one, Unparsed) else mean_grade(one.probabilities) for one in chosen]
    )


def yes(bank: Bank, pairs: Sequence[Pair]) -> Numbers:
    """How much greater the log-odds of "Yes" are for a: does this answer do what was asked, correctly?"""
    prompts = [fill("yes", answer_values(*answer)) for pair in pairs for answer in answers_of(pair, Order.AB)]
    chosen = chosen_in_batches(bank.backend, prompts, ("Yes", "No"))
    return differences(
        [
            math.log(max(one.probabilities[0], 1e-9) / max(one.probabilities[1], 1e-9))
            if isinstance(one, ChoiceProbabilities)
            else None
            for one in chosen
        ]
    )


def request(bank: Bank, pairs: Sequence[Pair]) -> Numbers:
    """How much likelier the request is after a than after b: which request does this answer answer?

    The request is mostly the same under both, so only the difference counts (arXiv:2412.02626).
    """
    asked = [
        (fill("request", {"answer": Span(told[-1].content, "first")}), last_request(told))
        for pair in pairs
        for told in (pair.conversation_a, pair.conversation_b)
    ]
    return differences([total for total, _ in bank.backend.log_likelihoods(asked, LONGEST_TEXT)])


def likelihoods(bank: Bank, pairs: Sequence[Pair]) -> dict[str, Numbers]:
    """Signals from how likely each answer is: given its request, nothing, a good and a bad assistant.

    `lift`: the request against nothing asked, in all; `lift_each`: per token; `contrast` and `contrast_each`:
    told to be good against told to be bad (arXiv:2402.11907).
    """
    ways: dict[str, list[tuple[Prompt, str]]] = {"asked": [], "nothing": [], "good": [], "bad": []}
    for pair in pairs:
        for conversation in (pair.conversation_a, pair.conversation_b):
            text = conversation[-1].content
            turns = tuple((m.role, (Span(m.content, "context"),)) for m in conversation[:-1])
            own = (("system", (Span(pair.system, "context"),)),) if pair.system else ()
            ways["asked"].append((Prompt((*own, *turns)), text))
            ways["nothing"].append((Prompt((("user", (Span(NOTHING_ASKED),)),)), text))
            for name, told in (("good", GOOD), ("bad", BAD)):
                ways[name].append((Prompt((("system", (Span(told),)), *turns)), text))
    of = {name: bank.backend.log_likelihoods(asked, LONGEST_TEXT) for name, asked in ways.items()}
    return {
        "lift": differences(gaps(of["asked"], of["nothing"], is_each=False)),
        "lift_each": differences(gaps(of["asked"], of["nothing"], is_each=True)),
        "contrast": differences(gaps(of["good"], of["bad"], is_each=False)),
        "contrast_each": differences(gaps(of["good"], of["bad"], is_each=True)),
    }


Likelihoods = Sequence[tuple[float | None, int]]
"""Of each text: the sum of its tokens' log-probabilities, and how many tokens these are."""


def gaps(one: Likelihoods, other: Likelihoods, is_each: bool) -> Numbers:
    """How much likelier each text is one way than the other, in all or per token."""
    return [
        None if first is None or second is None else (first - second) / (max(n, 1) if is_each else 1)
        for (first, n), (second, _) in zip(one, other, strict=True)
    ]


def differences(of_answers: Sequence[float | None]) -> Numbers:
    """Of the numbers of a, b, a, b, ... those of a less those of b."""
    pairs = zip(of_answers[::2], of_answers[1::2], strict=True)
    return [None if a is None or b is None else a - b for a, b in pairs]


def chosen_in_batches(backend: Backend, prompts: Sequence[Prompt], choices: Sequence[str]) -> list[Any]:
    """As `backend.choose`, a part of the prompts at a time, so that memory holds few of them as tokens."""
    return [
        one
        for start in range(0, len(prompts), 2000)
        for one in backend.choose(prompts[start : start + 2000], choices)
    ]


@dataclass(frozen=True, slots=True)
class Signal:
    """Which way of reading gives a signal, and the templates of the prompts that it takes."""

    way: str
    templates: tuple[str, ...] = ()


SIGNALS = {
    "direct": Signal("direct", ("direct",)),
    "bsm": Signal("bsm", ("bsm_branch", "bsm_score")),
    "alone": Signal("alone", ("score",)),
    "yes": Signal("yes", ("yes",)),
    "request": Signal("request", ("request",)),
    "lift": Signal("likelihoods"),
    "lift_each": Signal("likelihoods"),
    "contrast": Signal("likelihoods"),
    "contrast_each": Signal("likelihoods"),
}
"""Every signal."""

WAYS_OF_READING: dict[str, Callable[[Bank, Sequence[Pair]], Mapping[str, Numbers]]] = {
    "direct": lambda bank, pairs: {"direct": direct(bank, pairs)},
    "alone": lambda bank, pairs: {"alone": alone(bank, pairs)},
    "yes": lambda bank, pairs: {"yes": yes(bank, pairs)},
    "request": lambda bank, pairs: {"request": request(bank, pairs)},
    "likelihoods": likelihoods,
    "bsm": lambda bank, pairs: {"bsm": bsm(bank, pairs)},
}
"""Each way of reading, and the signals that it gives by name."""
