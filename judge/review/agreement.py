"""Reviewers compared with each other and with the judge: the harness's metrics over the app's votes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import combinations

import numpy as np

from judge.metrics.bootstrap import Estimate, Resampler, estimate
from judge.metrics.kappa import cohen, krippendorff_alpha
from judge.metrics.panel import SIDE_OF, VoteRows, panel_of
from judge.records import NO_CATEGORY, Ballot, HumanVote, Outcome, Pair, Share, Verdict
from judge.review.pairindex import IndexEntry
from judge.review.store import Event, EventKind
from judge.study.study import Entrant, Study, study_of
from judge.study.study import EntrantKind as EntrantKind

JUDGE = "judge"
N_DRAWS = 2_000
"""Enough for an interval that is looked at while votes come in; `judge bench` draws 10,000."""


@dataclass(frozen=True, slots=True)
class Between:
    """Two reviewers on the pairs on which both voted.

    `kappa` is Cohen's and `alpha` Krippendorff's, with their clustered intervals; `differ` are the ids of the
    pairs on which the two say different things.
    """

    one: str
    other: str
    same: Share
    kappa: Estimate
    alpha: Estimate
    differ: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Together:
    """All reviewers on the pairs of one group on which two or more of them voted.

    `same` counts the pairs on which all say the same, `alpha` is Krippendorff's, and `kappa` Cohen's where
    there are just two reviewers; `pair_ids` are the pairs that were counted, `differ` those of them on which
    not all say the same.
    """

    group: str
    reviewers: tuple[str, ...]
    same: Share
    kappa: Estimate | None
    alpha: Estimate
    pair_ids: tuple[str, ...]
    differ: tuple[str, ...]


def votes_of(
    events: Iterable[Event], by_id: Mapping[str, IndexEntry], kind: EventKind = EventKind.VOTE
) -> list[HumanVote]:
    """The votes, or labels, on these pairs, in the schema of vote files; events have the ids of the file."""
    return [
        HumanVote(
            pair_id=event.pair_id,
            voter=event.reviewer,
            outcome=event.ballot,
            category=by_id[event.pair_id].category or event.category,
            note=event.note or None,
            shown_left=event.shown_left,
            at=event.at or None,
            saw_judge=event.saw_judge,
            turn=event.turn,
            model_a=event.model_a,
            model_b=event.model_b,
            tags=event.tags,
            confidence=event.confidence,
        )
        for event in events
        if event.kind is kind and event.ballot is not None and event.pair_id in by_id
    ]


def kinds_of(votes: Sequence[HumanVote]) -> dict[str, list[HumanVote]]:
    """The votes that were given blind, those whose voter had seen what the judge says, and those of neither.

    Nobody knows of a vote that was taken in from elsewhere, unless its file says so.
    """
    kinds = {"blind": False, "judge seen": True, "not known whether blind": None}
    return {kind: [vote for vote in votes if vote.saw_judge is saw] for kind, saw in kinds.items()}


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
            shared = set(common)
            theirs = [vote for vote in votes if vote.voter in (one, other) and vote.pair_id in shared]
            found.append(
                Between(
                    one,
                    other,
                    share_same(left, right),
                    kappa_of(left, right, questions),
                    alpha_of(theirs, question_of),
                    tuple(id for id, a, b in zip(common, left, right, strict=True) if a is not b),
                )
            )
    return found


def together(
    votes: Sequence[HumanVote],
    question_of: Mapping[str, str],
    group_of: Callable[[Sequence[HumanVote]], str] = lambda _: "",
) -> list[Together]:
    """All reviewers together, by group, in the groups' order.

    Args:
        group_of: the group of a pair, from the votes on it; by default there is one group, "".
    """
    groups: dict[str, dict[str, list[HumanVote]]] = defaultdict(dict)
    for id, some in votes_by_pair(votes).items():
        if len(some) > 1:
            groups[group_of(some)][id] = some
    return [_together(group, groups[group], question_of) for group in sorted(groups)]


def _together(group: str, by_pair: Mapping[str, list[HumanVote]], question_of: Mapping[str, str]) -> Together:
    votes = [vote for some in by_pair.values() for vote in some]
    names = tuple(sorted({vote.voter for vote in votes}))
    differ = tuple(id for id, some in by_pair.items() if len(outcomes_of(some)) > 1)
    between = between_two(votes, names, question_of) if len(names) == 2 else None
    return Together(
        group=group,
        reviewers=names,
        same=Share(len(by_pair) - len(differ), len(by_pair)),
        kappa=between,
        alpha=alpha_of(votes, question_of),
        pair_ids=tuple(by_pair),
        differ=differ,
    )


def between_two(votes: Sequence[HumanVote], names: Sequence[str], question_of: Mapping[str, str]) -> Estimate:
    """Cohen's kappa of two reviewers who voted on the same pairs."""
    one, other = ({v.pair_id: v.outcome.outcome for v in votes if v.voter == name} for name in names)
    return kappa_of(list(one.values()), [other[id] for id in one], [question_of.get(id, id) for id in one])


def category_of(some: Sequence[HumanVote]) -> str:
    """The category of a pair, from the votes on it."""
    return some[0].category or NO_CATEGORY


def by_time(votes: Iterable[HumanVote]) -> Callable[[Sequence[HumanVote]], str]:
    """What puts pairs into days, or where the votes are spread over more than two weeks into weeks.

    A pair belongs to the day of the last vote on it; one whose votes have no time to "(no time)".
    """
    days = [day for vote in votes if (day := day_of(vote)) is not None]
    are_weeks = bool(days) and max(days) - min(days) > timedelta(days=14)

    def group_of(some: Sequence[HumanVote]) -> str:
        day = max((day for vote in some if (day := day_of(vote)) is not None), default=None)
        if day is None:
            return "(no time)"
        return f"week of {day - timedelta(days=day.weekday())}" if are_weeks else str(day)

    return group_of


def day_of(vote: HumanVote) -> date | None:
    """The day on which a vote was given, as it was written; None where that is not known."""
    return datetime.fromisoformat(vote.at).date() if vote.at else None


def votes_by_pair(votes: Iterable[HumanVote]) -> dict[str, list[HumanVote]]:
    """The votes on each pair, by its id."""
    by_pair: dict[str, list[HumanVote]] = defaultdict(list)
    for vote in votes:
        by_pair[vote.pair_id].append(vote)
    return dict(by_pair)


def alpha_of(votes: Sequence[HumanVote], question_of: Mapping[str, str]) -> Estimate:
    """Krippendorff's alpha of all votes; its interval is over questions, if known, else over pairs."""
    ids = list(dict.fromkeys(vote.pair_id for vote in votes))
    panel = panel_of(ids, votes, None)
    number = {question: n for n, question in enumerate(dict.fromkeys(question_of.get(id, id) for id in ids))}
    question = np.array([number[question_of.get(id, id)] for id in ids], np.intp)
    panel = replace(panel, question=question, n_questions=len(number))
    return estimate(krippendorff_alpha(panel), draws_of(len(number)))


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
    return estimate(cohen(rows), draws_of(len(number)))


@lru_cache(maxsize=16)
def draws_of(n_clusters: int) -> Resampler:
    """The draws of so many clusters, made once: many figures of a page have the same."""
    return Resampler(n_clusters, N_DRAWS, 0)


def differing(votes: Iterable[HumanVote], verdicts: Mapping[str, Verdict]) -> dict[tuple[str, str], Share]:
    """How many of a reviewer's votes in a category differ from the judge's verdict, by reviewer and category.

    Votes on pairs that the judge has not read, or could not, are left out.
    """
    found: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for vote in votes:
        if (does_differ := differs(vote, verdicts)) is not None:
            found[vote.voter, vote.category or NO_CATEGORY].append(does_differ)
    return {key: Share(sum(found[key]), len(found[key])) for key in sorted(found)}


def differing_votes(
    votes: Iterable[HumanVote], verdicts: Mapping[str, Verdict], voter: str, category: str
) -> list[HumanVote]:
    """The votes of one reviewer in one category that differ from the judge's verdicts."""
    return [
        vote
        for vote in votes
        if (vote.voter, vote.category or NO_CATEGORY) == (voter, category) and differs(vote, verdicts)
    ]


def judged_pairs(votes: Iterable[HumanVote], verdicts: Mapping[str, Verdict], category: str) -> list[str]:
    """The ids of a category's pairs that have votes and a verdict, each once."""
    those = (vote.pair_id for vote in votes if (vote.category or NO_CATEGORY) == category)
    return [id for id in dict.fromkeys(those) if id in verdicts]


def differs(vote: HumanVote, verdicts: Mapping[str, Verdict]) -> bool | None:
    """Whether a vote differs from the judge's verdict on its pair; None where there is none to be read."""
    verdict = verdicts.get(vote.pair_id)
    if verdict is None or verdict.outcome is None:
        return None
    return verdict.outcome is not vote.outcome.outcome


def disputed(votes: Iterable[HumanVote]) -> dict[str, list[HumanVote]]:
    """The votes on pairs on which reviewers differ, by the pair's id; "tie" and "both bad" count as equal."""
    return {id: some for id, some in votes_by_pair(votes).items() if len(outcomes_of(some)) > 1}


def unanimous(votes: Iterable[HumanVote], assigned: Mapping[str, Collection[str]]) -> dict[str, Ballot]:
    """What all reviewers of a pair say, by its id, of pairs with two votes or more that all say the same.

    Where some say "tie" and others "both bad", it is a tie.

    Args:
        assigned: who is to vote on a pair, by its id: without the votes of all of them it is not decided yet.
    """
    return {
        id: some[0].outcome if len({vote.outcome for vote in some}) == 1 else Ballot.TIE
        for id, some in votes_by_pair(votes).items()
        if len(some) >= 2
        and len(outcomes_of(some)) == 1
        and {vote.voter for vote in some}.issuperset(assigned.get(id, ()))
    }


def outcomes_of(votes: Iterable[HumanVote]) -> set[Outcome]:
    return {vote.outcome.outcome for vote in votes}
