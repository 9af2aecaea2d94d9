"""A small study that tests share: twelve pairs on six questions, three judges, two voters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from judge.orders import combine
from judge.records import (
    Ballot,
    Choice,
    HumanVote,
    Judgment,
    Message,
    Order,
    Outcome,
    Pair,
    Reading,
    Status,
    Unparsed,
    Verdict,
)
from judge.study.study import Entrant, EntrantKind, Study, study_of

CATEGORIES = ("coding", "math", "writing")


def pairs(texts: Sequence[str] = ("yes", "certainly not", "4", "a long answer")) -> list[Pair]:
    """Two pairs a question; the response b is longer in every second one."""
    made = []
    for number in range(12):
        asked = Message("user", f"Question {number // 2}?")
        answer = Message("assistant", texts[number % len(texts)])
        other = Message("assistant", answer.content + (" and more" if number % 2 else "")[: number + 1])
        a, b = (answer, other) if number % 4 < 2 else (other, answer)
        made.append(Pair(f"pair-{number:02}", (asked, a), (asked, b), category=CATEGORIES[number % 3]))
    return made


def votes(on: Sequence[Pair]) -> list[HumanVote]:
    """Two people: one goes by a sine, the other says tie to every fifth pair and else mostly agrees."""
    made = []
    for number, pair in enumerate(on):
        lean = "A" if math.sin(2.3 * number) > 0 else "B"
        other = "TIE" if number % 5 == 0 else {"A": "B", "B": "A"}[lean] if number % 4 == 3 else lean
        for voter, said in (("ann", lean), ("bob", other)):
            models = (
                ("gpt", "llama") if number % 2 else ("llama", "vicuna") if number % 3 else ("gpt", "vicuna")
            )
            made.append(
                HumanVote(
                    pair.id,
                    voter,
                    Ballot(said),
                    category=pair.category,
                    model_a=models[0],
                    model_b=models[1],
                )
            )
    return made


def verdicts(on: Sequence[Pair], shift: float, raw: str = "[[A]]") -> list[Verdict]:
    """A judge with probabilities that leans to the first answer by `shift`; it cannot read the last pair."""
    made = []
    for number, pair in enumerate(on):
        lean = 0.5 + 0.4 * math.sin(2.3 * number + 0.4)
        readings: dict[Order, Reading] = {}
        for order in Order:
            p_first = min(max((lean if order is Order.AB else 1 - lean) + shift, 0.02), 0.98)
            choice = Choice.FIRST if p_first > 0.5 else Choice.SECOND
            probabilities = {Choice.FIRST: p_first, Choice.SECOND: 1 - p_first}
            readings[order] = Judgment(choice, probabilities, raw, 600 + number, 4, is_trimmed=number == 3)
        if number == len(on) - 1:
            readings[Order.BA] = Unparsed("no 'Verdict:' line", raw=raw, tokens_in=600, tokens_out=40)
        made.append(combine(pair.id, readings, "a-judge"))
    return made


def released(on: Sequence[Pair]) -> list[Verdict]:
    """Somebody else's judge, of which no reading is known: inconsistent on every third pair."""
    made = []
    for number, pair in enumerate(on):
        status = Status.CONSISTENT if number % 3 else Status.INCONSISTENT
        outcome = (Outcome.A if math.sin(2.3 * number) > 0.3 else Outcome.B) if number % 3 else Outcome.TIE
        made.append(Verdict(pair.id, status, outcome, None, None, {}, "gpt-4"))
    return made


def entrants(on: Sequence[Pair]) -> list[Entrant]:
    return [
        Entrant("fast", EntrantKind.JUDGE, verdicts(on, 0.05), elapsed_s=0.4),
        Entrant("slow", EntrantKind.JUDGE, verdicts(on, 0.3), elapsed_s=12.3),
        Entrant("GPT-4", EntrantKind.RELEASED, released(on)),
    ]


def small_study(**changes: object) -> Study:
    """The study of all of them, with few draws; `changes` replace fields of it."""
    on = pairs()
    return replace(study_of(entrants(on), votes(on), on, n_draws=200), **changes)
