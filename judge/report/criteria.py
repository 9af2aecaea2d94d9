"""What each criterion says of judged pairs: which answer it is for, whether it decides, where it disagrees.

Criteria that were given are compared, as they are the same for many pairs; those that a judge plans for each
question are not. A criterion's *lead* is a's score less b's, times its weight, the mean of both orders. The
leads of all criteria add up to that of the pair, which says which answer is ahead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from judge.drawing.steps import scores_of_step
from judge.methods.bsm import BRANCH
from judge.prompts.working import PLAN
from judge.records import Outcome, Share, Verdict

SAMPLE = re.compile(r"^sample \d+, ")
MAX_CRITERIA = 20


@dataclass(frozen=True, slots=True)
class Lead:
    """What one criterion says of one pair: the mean scores of a and b over both orders, and its weight."""

    a: float
    b: float
    weight: float

    @property
    def value(self) -> float:
        """By how much a is ahead on it, times its weight."""
        return self.weight * (self.a - self.b)


@dataclass(frozen=True, slots=True)
class CriterionGroup:
    """One criterion over all pairs that were judged by it.

    `wins` are the pairs on which it is for a, for b or for neither. Of the pairs with an answer ahead,
    `decides` are those in which that answer would not be ahead without it, and `against` those in which it is
    for the other one, whose ids are `against_ids`. `mean_lead` is the mean size of its lead.
    """

    weight: float
    wins: Mapping[Outcome, Share]
    decides: Share
    against: Share
    against_ids: tuple[str, ...]
    mean_lead: float

    @property
    def n_pairs(self) -> int:
        return self.wins[Outcome.A].total


def leads_of(verdict: Verdict) -> dict[str, Lead]:
    """What each given criterion says of the pair; none where a reply was not read or the judge planned."""
    steps = [
        (SAMPLE.sub("", step.name), step, order)
        for order, reading in verdict.readings.items()
        for step in reading.steps
    ]
    is_planned = any(name == BRANCH for name, *_ in steps) or any(
        reading.raw.startswith(f"{PLAN}\n") for reading in verdict.readings.values()
    )
    if verdict.outcome is None or is_planned:
        return {}
    scores: dict[str, list[tuple[float, float]]] = {}
    weights: dict[str, float] = {}
    for name, step, order in steps:
        if both := scores_of_step(step, order):
            scores.setdefault(name, []).append(both)
            weights[name] = step.weight
    return {
        name: Lead(
            sum(a for a, _ in found) / len(found), sum(b for _, b in found) / len(found), weights[name]
        )
        for name, found in scores.items()
    }


def criteria_of(verdicts: Iterable[Verdict]) -> dict[str, CriterionGroup]:
    """Each given criterion by its name, in the order in which they come up first."""
    leads = {verdict.pair_id: found for verdict in verdicts if (found := leads_of(verdict))}
    names = dict.fromkeys(name for found in leads.values() for name in found)
    return {
        name: group_of(name, {pair: found for pair, found in leads.items() if name in found})
        for name in names
    }


def group_of(name: str, leads: Mapping[str, Mapping[str, Lead]]) -> CriterionGroup:
    """One criterion over the pairs, by their ids, that were judged by it."""
    own = [found[name] for found in leads.values()]
    sides = [side_of(lead.value) for lead in own]
    ahead = {pair: side_of(total_of(found.values())) for pair, found in leads.items()}
    decided = [pair for pair in leads if ahead[pair] is not Outcome.TIE]
    without = {
        pair: side_of(total_of(lead for other, lead in leads[pair].items() if other != name))
        for pair in decided
    }
    against = [pair for pair in decided if side_of(leads[pair][name].value) not in (ahead[pair], Outcome.TIE)]
    return CriterionGroup(
        weight=own[0].weight,
        wins={outcome: Share(sides.count(outcome), len(sides)) for outcome in Outcome},
        decides=Share(sum(without[pair] is not ahead[pair] for pair in decided), len(decided)),
        against=Share(len(against), len(decided)),
        against_ids=tuple(against),
        mean_lead=sum(abs(lead.value) for lead in own) / len(own),
    )


def total_of(leads: Iterable[Lead]) -> float:
    return sum(lead.value for lead in leads)


def side_of(lead: float) -> Outcome:
    """Which answer a lead is for; what rounding leaves of 0 is for neither."""
    if abs(lead) < 1e-9:
        return Outcome.TIE
    return Outcome.A if lead > 0 else Outcome.B


def most_pairs_first(groups: Mapping[str, CriterionGroup]) -> Sequence[tuple[str, CriterionGroup]]:
    """At most `MAX_CRITERIA` of them, those of the most pairs first."""
    return sorted(groups.items(), key=lambda one: -one[1].n_pairs)[:MAX_CRITERIA]
