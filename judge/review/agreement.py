"""Reviewers compared with each other and with the judge: the harness's metrics over the app's votes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from judge.metrics.bootstrap import Estimate, Resampler, estimate
from judge.metrics.kappa import cohen
from judge.metrics.panel import SIDE_OF, VoteRows
from judge.records import NO_CATEGORY, HumanVote, Outcome, Pair, Share, Verdict
from judge.review.pairindex import IndexEntry
from judge.review.store import Event, EventKind
from judge.study.study import Entrant, Study, study_of
from judge.study.study import EntrantKind as EntrantKind

JUDGE = "judge"
N_DRAWS = 2_000
"""Enough for an interval that is looked at while votes come in; `judge bench` draws 10,000."""


@dataclass(frozen=True, slots=True)
class Between:
    """Two reviewers on the pairs on which both voted; `kappa` is Cohen's, with its clustered interval."""

    one: str
    other: str
    same: Share
    kappa: Estimate


def votes_of(
    events: Iterable[Event], by_id: Mapping[str, IndexEntry], kind: EventKind = EventKind.VOTE
) -> list[HumanVote]:
    """The votes, or labels, on these pairs, in the schema of vote files; events have the ids of the file."""
    return [
        HumanVote(
            pair_id=event.pair_id,
            voter=event.reviewer,
            outcome=event.ballot,
            category=by_id[event.pair_id].category,
            note=event.note or None,
            shown_left=event.shown_left,
            at=event.at,
            saw_judge=event.saw_judge,
        )
        for event in events
        if event.kind is kind and event.ballot is not None and event.pair_id in by_id
    ]


def kinds_of(votes: Sequence[HumanVote]) -> dict[str, list[HumanVote]]:
    """The votes that were given blind, and those whose voter had seen what the judge says of the pair."""
    return {
        "blind": [vote for vote in votes if not vote.saw_judge],
        "judge seen": [vote for vote in votes if vote.saw_judge],
    }


def final_labels(labels: Iterable[HumanVote]) -> list[HumanVote]:
    """One label per pair: the last one given, whoever gave it."""
    return list({label.pair_id: label for label in labels}.values())


def study_of_votes(votes: Sequence[HumanVote], verdicts: Sequence[Verdict], pairs: Sequence[Pair]) -> Study:
    """The judge beside the votes. Raises InputError where no voted pair has a verdict."""
    return study_of([Entrant(JUDGE, EntrantKind.JUDGE, verdicts)], votes, pairs, N_DRAWS)


def between_reviewers(votes: Sequence[HumanVote], question_of: Mapping[str, str]) -> list[Between]:
    """Every two reviewers who have pairs in common; intervals are over questions, if known, else pairs."""
    said: dict[str, dict[str, Outcome]] = defaultdict(dict)
    for vote in votes:
        said[vote.voter][vote.pair_id] = vote.outcome.outcome
    found = []
    for one, other in combinations(sorted(said), 2):
        if common := sorted(said[one].keys() & said[other].keys()):
            left, right = ([said[name][id] for id in common] for name in (one, other))
            questions = [question_of.get(id, id) for id in common]
            found.append(Between(one, other, share_same(left, right), kappa_of(left, right, questions)))
    return found


def share_same(left: Sequence[Outcome], right: Sequence[Outcome]) -> Share:
    return Share(sum(a is b for a, b in zip(left, right, strict=True)), len(left))


def kappa_of(left: Sequence[Outcome], right: Sequence[Outcome], questions: Sequence[str]) -> Estimate:
    """Cohen's kappa of two lists of outcomes on the same pairs."""
    number = {question: place for place, question in enumerate(dict.fromkeys(questions))}
    rows = VoteRows(
        voted=np.array([SIDE_OF[one] for one in left]),
        judged=np.array([SIDE_OF[one] for one in right]),
        question=np.array([number[question] for question in questions]),
        n_questions=len(number),
    )
    return estimate(cohen(rows), Resampler(len(number), N_DRAWS, 0))


def differing(votes: Iterable[HumanVote], verdicts: Mapping[str, Verdict]) -> dict[tuple[str, str], Share]:
    """How many of a reviewer's votes in a category differ from the judge's verdict, by reviewer and category.

    Votes on pairs that the judge has not read, or could not, are left out.
    """
    found: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for vote in votes:
        verdict = verdicts.get(vote.pair_id)
        if verdict is not None and verdict.outcome is not None:
            key = (vote.voter, vote.category or NO_CATEGORY)
            found[key].append(verdict.outcome is not vote.outcome.outcome)
    return {key: Share(sum(found[key]), len(found[key])) for key in sorted(found)}


def disputed(votes: Iterable[HumanVote]) -> dict[str, list[HumanVote]]:
    """The votes on pairs on which reviewers differ, by the pair's id; "tie" and "both bad" count as equal."""
    by_pair: dict[str, list[HumanVote]] = defaultdict(list)
    for vote in votes:
        by_pair[vote.pair_id].append(vote)
    return {id: some for id, some in by_pair.items() if len({vote.outcome.outcome for vote in some}) > 1}
