"""Judges beside people: every metric with its interval, in all and by category, as one `Study`.

A study compares *entrants*: judges, other people's judges whose verdicts were released, and baselines that
no judge should lose to. All stand on the same pairs and votes, and each metric is that of `judge.metrics`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from judge.drawing.steps import shared_steps
from judge.errors import InputError
from judge.io.wording import some_of
from judge.metrics import calibration, inconsistency, own_metrics
from judge.metrics.agreement import length_balanced, strict
from judge.metrics.baselines import BASELINES
from judge.metrics.bootstrap import N_DRAWS, Estimate, Measure, Resampler, difference, estimate
from judge.metrics.metric import Given, Metric
from judge.metrics.panel import (
    UNREAD,
    Bools,
    Panel,
    Sides,
    VoteRows,
    in_order,
    panel_of,
    part_of,
    sides_in_part,
    sides_of,
    with_judge,
)
from judge.metrics.ranking import Ranking, ranking_of
from judge.metrics.significance import McNemar, mcnemar
from judge.models.separation import adapter_in, refuse_mixed
from judge.orders import combine
from judge.records import NO_CATEGORY, HumanVote, Identity, Pair, Share, Verdict, has_rule

if TYPE_CHECKING:
    from pandas import DataFrame

PEOPLE = "people"
BEFORE = "before"
"""What follows a calibrated judge's name where it is shown as it was before the calibration."""

ALL = "all"
SIDE_NAMES = {1: "A", -1: "B", 0: "TIE", UNREAD: "unparsed"}


class EntrantKind(StrEnum):
    """What an entrant is: one of our judges, someone else's released verdicts, or a rule without a model."""

    JUDGE = "judge"
    RELEASED = "released"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Entrant:
    """One judge's verdicts. `elapsed_s` is the mean time of a verdict in seconds, where it was measured."""

    name: str
    kind: EntrantKind
    verdicts: Sequence[Verdict]
    elapsed_s: float | None = None
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What a part of the study stands on."""

    n_pairs: int
    n_votes: int
    n_questions: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Means of one verdict, both orders and what is asked once together; None where it is not known."""

    tokens_in: float | None
    tokens_out: float | None
    elapsed_s: float | None
    n_trimmed: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How one entrant did. `figures` are by metric name, `by_category` by category, then by metric name.

    `confusion` counts votes: what people said ("A", "B", "TIE"), then what the judge said ("A", "B", "TIE",
    "inconsistent", "unparsed"). `reliability` and `coverage` are empty without probabilities, `ranking` is
    None where it is not known which models wrote the responses.
    """

    name: str
    kind: EntrantKind
    identity: Identity | None
    cost: Cost
    figures: Mapping[str, Estimate]
    by_category: Mapping[str, Mapping[str, Estimate]]
    confusion: Mapping[str, Mapping[str, int]]
    reliability: tuple[ReliabilityBin, ...]
    coverage: tuple[CoveragePoint, ...]
    ranking: Ranking | None

    @property
    def judged(self) -> Share | None:
        """The pairs that it read in both orders, of all pairs."""
        return judged_in(self.figures)


def judged_in(figures: Mapping[str, Estimate]) -> Share | None:
    """The pairs that a judge read in both orders, of all in that part; None where that is not known."""
    unread = figures.get("unparsed")
    if unread is None or unread.value is None:
        return None
    return Share(unread.n - round(unread.value * unread.n), unread.n)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Votes whose P(chosen side) lies between `low` and `high`: its mean, and the share that agrees."""

    low: float
    high: float
    confidence: float
    right: Estimate


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """Agreement on the share `covered` of votes: those on which the judge is as sure as `threshold`."""

    threshold: float
    covered: Share
    right: Estimate


@dataclass(frozen=True, slots=True)
class People:
    """The votes themselves, and people as the judge of people: the ceiling of each convention.

    `alpha` is Krippendorff's, `chose_longer` the share of votes for the longer response.
    """

    n_voters: int
    n_ties: int
    figures: Mapping[str, Estimate]
    by_category: Mapping[str, Mapping[str, Estimate]]
    ranking: Ranking | None


@dataclass(frozen=True, slots=True)
class Contrast:
    """`one` minus `other`: paired differences by metric name, and McNemar's test (which is not clustered)."""

    one: str
    other: str
    figures: Mapping[str, Estimate]
    mcnemar: McNemar


@dataclass(frozen=True, slots=True)
class Study:
    """All that a report or a result file says. `standings` are in the order of the entrants.

    `n_left_out` counts pairs with a verdict that lack a vote, or a verdict of another entrant, and
    `n_votes_left_out` votes on these or on pairs without a verdict; no figure counts them. `others` are the
    metrics of other packages that were asked for.
    """

    total: Counts
    by_category: Mapping[str, Counts]
    n_left_out: int
    n_draws: int
    seed: int
    people: People
    standings: tuple[Standing, ...]
    contrasts: tuple[Contrast, ...]
    has_texts: bool
    others: tuple[Metric, ...] = ()
    n_votes_left_out: int = 0

    def standing(self, name: str) -> Standing:
        """Everything that is known of the judge of that name. Raises InputError where there is none."""
        for standing in self.standings:
            if standing.name == name:
                return standing
        names = ", ".join(one.name for one in self.standings)
        raise InputError(f"no judge of the name {name!r}. The names here are {names}.")

    def to_frame(self) -> DataFrame:
        """A pandas DataFrame with one row per judge, metric and category; people appear as judges of each
        other.

        Columns: judge, kind, metric, category ("all" for all pairs; one of that name is "all (category)"),
        value, low, high (the interval) and n, what the figure counts over. Shares lie between 0 and 1; a
        value that does not exist is NaN.
        """
        from pandas import DataFrame

        everybody = [
            (PEOPLE, PEOPLE, self.people.figures, self.people.by_category),
            *((one.name, one.kind.value, one.figures, one.by_category) for one in self.standings),
        ]
        rows = [
            (name, kind, metric, category, one.value, one.low, one.high, one.n)
            for name, kind, figures, by_category in everybody
            for category, some in [(ALL, figures), *((label_of(c), part) for c, part in by_category.items())]
            for metric, one in some.items()
        ]
        frame = DataFrame(rows, columns=["judge", "kind", "metric", "category", "value", "low", "high", "n"])
        return frame.astype({"value": float, "low": float, "high": float})


def label_of(category: str) -> str:
    """What a category is called beside `ALL`."""
    return f"{ALL} (category)" if category == ALL else category


def counts_as_json(study: Study) -> dict[str, int]:
    """What the study stands on, and what it leaves out: pairs, votes, questions and voters."""
    return {
        **asdict(study.total),
        "n_voters": study.people.n_voters,
        "n_tied_votes": study.people.n_ties,
        "n_left_out": study.n_left_out,
        "n_votes_left_out": study.n_votes_left_out,
    }


def study_as_json(study: Study) -> dict[str, Any]:
    """Every figure as plain values: "people", "judges" with their fingerprints, "contrasts".

    Beside its figures a judge has "judged", the pairs that it read in both orders, as "count" of "total", and
    "judged_by_category".
    """
    return {
        "people": asdict(study.people),
        "judges": [
            {
                "name": standing.name,
                "fingerprint": standing.identity.fingerprint if standing.identity else None,
                **asdict(standing),
                "judged": _share_as_json(standing.judged),
                "judged_by_category": {
                    name: _share_as_json(judged_in(figures)) for name, figures in standing.by_category.items()
                },
            }
            for standing in study.standings
        ],
        "contrasts": [asdict(contrast) for contrast in study.contrasts],
    }


def _share_as_json(share: Share | None) -> dict[str, int] | None:
    return None if share is None else {"count": share.count, "total": share.total}


@dataclass(frozen=True, slots=True)
class _Part:
    """One category, or all pairs: its votes, its draws, and which pairs of the study are in it."""

    panel: Panel
    resampler: Resampler
    keep: Bools


def entrants_of(verdicts: Sequence[Verdict]) -> list[Entrant]:
    """Each judge of these verdicts as an entrant, under its fingerprint.

    A calibrated one is there a second time, as its readings were before the calibration.
    """
    by_judge: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_judge.setdefault(verdict.judge, []).append(verdict)
    found = []
    for judge, given in by_judge.items():
        found.append(Entrant(judge, EntrantKind.JUDGE, given))
        if has_rule(judge):
            before = [combine(verdict.pair_id, verdict.readings, judge) for verdict in given]
            found.append(Entrant(f"{judge} {BEFORE}", EntrantKind.JUDGE, before))
    return found


def study_of(
    entrants: Sequence[Entrant],
    votes: Iterable[HumanVote],
    pairs: Sequence[Pair] | None,
    n_draws: int = N_DRAWS,
    seed: int = 0,
    others: Sequence[Metric] = (),
) -> Study:
    """The study of these entrants, and of the baselines where the texts of the pairs are given.

    It stands on the pairs that have a vote and a verdict of every entrant. `others` are metrics of other
    packages, worked out beside ours.

    Raises:
        InputError: no such pair, a pair without texts or without a verdict, a pair with two verdicts of one
            entrant, two different pairs of one id, votes on one pair that name different models, two entrants
            with one name, or an entrant that was fine-tuned on human votes beside one that was fine-tuned on
            something else.
    """
    votes = list(votes)
    _refuse_repeated([entrant.name for entrant in entrants])
    refuse_mixed((entrant.name, adapter) for entrant in entrants for adapter in adapters_of(entrant))
    judged = list(dict.fromkeys(verdict.pair_id for entrant in entrants for verdict in entrant.verdicts))
    known = [{verdict.pair_id for verdict in entrant.verdicts} for entrant in entrants]
    voted = {vote.pair_id for vote in votes}
    ids = [id for id in judged if id in voted and all(id in one for one in known)]
    if not ids:
        raise InputError(
            f"none of the {len(judged)} judged pairs has a vote and a verdict of every judge. "
            "Votes name a pair by its id (pair_id)."
        )
    texts = None if pairs is None else in_order(ids, pairs)
    panel = panel_of(ids, votes, texts)
    everybody = [*entrants, *_baselines(texts, {entrant.name for entrant in entrants})]
    parts = _parts(panel, _categories(ids, votes, texts), n_draws, seed)
    whole = _Part(panel, Resampler(panel.n_questions, n_draws, seed), np.ones(len(ids), bool))
    sides = {entrant.name: sides_of(entrant.verdicts, panel) for entrant in everybody}
    models = _models(votes)
    metrics = (*own_metrics(), *others)
    return Study(
        total=_counts(panel),
        by_category={name: _counts(part.panel) for name, part in parts.items()},
        n_left_out=len(judged) - len(ids),
        n_draws=n_draws,
        seed=seed,
        people=_people(whole, parts, models, metrics),
        standings=tuple(_standing(one, sides[one.name], whole, parts, models, metrics) for one in everybody),
        contrasts=tuple(
            _contrast(one.name, other.name, sides, whole) for one, other in combinations(everybody, 2)
        ),
        has_texts=pairs is not None,
        others=tuple(others),
        n_votes_left_out=len(votes) - len(panel.voted),
    )


def adapters_of(entrant: Entrant) -> set[str]:
    """The adapter of the entrant, from its verdicts where its identity is not known; "none" without one."""
    if entrant.identity is not None:
        return {entrant.identity.adapter}
    return {adapter_in(label) for label in {verdict.judge for verdict in entrant.verdicts}}


def _standing(
    entrant: Entrant,
    sides: Sides,
    whole: _Part,
    parts: Mapping[str, _Part],
    models: Mapping[str, tuple[str, str]],
    metrics: Sequence[Metric],
) -> Standing:
    given = Given(whole.panel, sides)
    rows = given.rows
    return Standing(
        name=entrant.name,
        kind=entrant.kind,
        identity=entrant.identity,
        cost=cost_of(entrant, frozenset(whole.panel.pair_ids)),
        figures=_estimates(_measures(given, metrics), whole.resampler),
        by_category={
            name: _estimates(_measures(given_in(part, sides), metrics), part.resampler)
            for name, part in parts.items()
        },
        confusion=confusion_of(rows, sides.is_inconsistent[whole.panel.voted_pair]),
        reliability=tuple(
            ReliabilityBin(one.low, one.high, one.confidence, estimate(one.right, whole.resampler))
            for one in calibration.reliability(rows) or ()
        ),
        coverage=tuple(
            CoveragePoint(one.threshold, one.covered, estimate(one.right, whole.resampler))
            for one in calibration.accuracy_at_coverage(rows) or ()
        ),
        ranking=ranking_of(whole.panel, models, sides.strict, whole.resampler)
        if entrant.kind is not EntrantKind.BASELINE
        else None,
    )


def given_in(part: _Part, sides: Sides) -> Given:
    """The votes of a part, and the sides that a judge took on the pairs of that part."""
    return Given(part.panel, sides_in_part(sides, part.keep))


def _measures(given: Given, metrics: Sequence[Metric]) -> dict[str, Measure | None]:
    """Every metric of a judge by its name; None where the judge does not give what it needs."""
    return {metric.name: metric.of_judge(given) for metric in metrics if metric.of_judge}


def _people(
    whole: _Part,
    parts: Mapping[str, _Part],
    models: Mapping[str, tuple[str, str]],
    metrics: Sequence[Metric],
) -> People:
    panel = whole.panel
    votes = panel.voted
    return People(
        n_voters=len(set(panel.voter.tolist())),
        n_ties=int((votes == 0).sum()),
        figures=_estimates(_measures_of_people(panel, metrics), whole.resampler),
        by_category={
            name: _estimates(_measures_of_people(part.panel, metrics), part.resampler)
            for name, part in parts.items()
        },
        ranking=ranking_of(panel, models, None, whole.resampler),
    )


def _measures_of_people(panel: Panel, metrics: Sequence[Metric]) -> dict[str, Measure | None]:
    """Every metric of people by its name."""
    given = Given(panel)
    return {metric.name: metric.of_people(given) for metric in metrics if metric.of_people}


def _contrast(one: str, other: str, sides: Mapping[str, Sides], whole: _Part) -> Contrast:
    """Two entrants side by side, by the three figures that judges are chosen by.

    Inconsistent verdicts are counted on the pairs that both read. Differences and McNemar's test need two
    judges, so they are not a `Metric`, which is one figure of one judge.
    """

    def measures(name: str, beside: str) -> dict[str, Measure | None]:
        rows = with_judge(whole.panel, sides[name])
        flips = inconsistency.inconsistent(whole.panel, sides[name], sides[beside])
        return {"strict": strict(rows), "length_balanced": length_balanced(rows), "inconsistent": flips}

    others = measures(other, one)
    figures = {
        name: difference(measure, against, whole.resampler)
        for name, measure in measures(one, other).items()
        if measure is not None and (against := others[name]) is not None
    }
    return Contrast(one, other, figures, mcnemar(whole.panel, sides[one], sides[other]))


def cost_of(entrant: Entrant, ids: frozenset[str]) -> Cost:
    """The mean cost of a verdict; tokens are None for an entrant without a model or without readings."""
    verdicts = [verdict for verdict in entrant.verdicts if verdict.pair_id in ids]
    readings = [reading for verdict in verdicts for reading in verdict.readings.values()]
    once = shared_steps(verdicts)
    n_in = sum(one.tokens_in for one in readings) + sum(one.tokens_in for one in once)
    n_out = sum(one.tokens_out for one in readings) + sum(one.tokens_out for one in once)
    has_tokens = entrant.kind is EntrantKind.JUDGE and bool(readings)
    return Cost(
        tokens_in=n_in / len(verdicts) if has_tokens else None,
        tokens_out=n_out / len(verdicts) if has_tokens else None,
        elapsed_s=entrant.elapsed_s,
        n_trimmed=sum(any(r.is_trimmed for r in verdict.readings.values()) for verdict in verdicts),
    )


def confusion_of(rows: VoteRows, is_inconsistent: Bools) -> dict[str, dict[str, int]]:
    """Votes by what people said and what the judge said; `is_inconsistent` has shape (n_votes,)."""
    said = np.array([SIDE_NAMES[side] for side in rows.judged.tolist()], dtype=object)
    said[is_inconsistent] = "inconsistent"
    columns = ("A", "B", "TIE", "inconsistent", "unparsed")
    return {
        SIDE_NAMES[side]: {name: int(((rows.voted == side) & (said == name)).sum()) for name in columns}
        for side in (1, -1, 0)
    }


def _estimates(measures: Mapping[str, Measure | None], resampler: Resampler) -> dict[str, Estimate]:
    return {name: estimate(measure, resampler) for name, measure in measures.items() if measure is not None}


def _parts(panel: Panel, categories: Sequence[str], n_draws: int, seed: int) -> dict[str, _Part]:
    """The categories in alphabetical order; none where there is but one."""
    if len(set(categories)) < 2:
        return {}
    parts = {}
    for name in sorted(set(categories)):
        keep = np.array([category == name for category in categories])
        part = part_of(panel, keep)
        parts[name] = _Part(part, Resampler(part.n_questions, n_draws, seed), keep)
    return parts


def _categories(ids: Sequence[str], votes: Sequence[HumanVote], pairs: Sequence[Pair] | None) -> list[str]:
    """Each pair's category: its own, or without texts that of a vote on it."""
    if pairs is not None:
        return [pair.category or NO_CATEGORY for pair in pairs]
    voted = {vote.pair_id: vote.category for vote in votes if vote.category}
    return [voted.get(id) or NO_CATEGORY for id in ids]


def _models(votes: Sequence[HumanVote]) -> dict[str, tuple[str, str]]:
    """Which models wrote a and b, by pair id, if a vote says so. Raises InputError where votes differ."""
    found: dict[str, tuple[str, str]] = {}
    for vote in votes:
        if not vote.model_a or not vote.model_b:
            continue
        named = (vote.model_a, vote.model_b)
        if (known := found.setdefault(vote.pair_id, named)) != named:
            raise InputError(
                f"pair {vote.pair_id!r}: votes name the models {some_of(known)} and {some_of(named)}. All "
                "votes on a pair must name the same: model_a wrote response a, model_b response b."
            )
    return found


def _baselines(pairs: Sequence[Pair] | None, taken: set[str]) -> list[Entrant]:
    if pairs is None:
        return []
    return [
        Entrant(name, EntrantKind.BASELINE, verdicts_of(pairs))
        for name, verdicts_of in BASELINES.items()
        if name not in taken
    ]


def _counts(panel: Panel) -> Counts:
    return Counts(len(panel.pair_ids), len(panel.voted), panel.n_questions)


def _refuse_repeated(names: Sequence[str]) -> None:
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"two judges are named {repeated[0]}. Give each its own name.")
