"""The leaderboard: what is known of every model, in all and by category, from what was judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from judge.metrics.bootstrap import LEVEL, Estimate, Floats
from judge.metrics.panel import UNREAD, Bools
from judge.provenance import provenance
from judge.ranking.answers import Answers
from judge.ranking.choice import as_table, clear_at, doubts, ranked
from judge.ranking.contests import Contests, incidence, matches, of_models
from judge.ranking.strengths import Fit, fitted, strength_estimates, win_rate_estimates
from judge.records import NO_CATEGORY, Identity, Share

if TYPE_CHECKING:
    from pandas import DataFrame

SCHEMA = "four-token-judge/rank/1"
ALL = "all"


class Reason(StrEnum):
    """Why judging stopped."""

    APART = "all neighbours in the ranking are told apart"
    BUDGET = "the budget is used up"
    TIME = "the time is over"
    ALL = "everything is judged"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one model.

    Its rank lies between `best` and `worst`: one more than the models that are clearly stronger, and the
    number of models less those that are clearly weaker. `strength` is on the Elo scale, 0 the mean of all.
    `win_rate` is against all others, each met equally often, `length_controlled` the same if all answers were
    equally long (not known where each other model's answers are all longer, or all shorter), `longer_wins`
    what a judge would say that always takes the longer answer, over all prompts.
    `inconsistent` counts the model's pairs that were read. `n_characters` is the mean length of its answers.
    """

    model: str
    best: int
    worst: int
    strength: Estimate
    win_rate: Estimate
    length_controlled: Estimate
    longer_wins: Estimate
    inconsistent: Share
    n_won: int
    n_tied: int
    n_lost: int
    n_characters: float


@dataclass(frozen=True, slots=True)
class Meeting:
    """What came out between two models: pairs that `one` won, tied, lost, and that could not be read."""

    one: str
    other: str
    n_won: int
    n_tied: int
    n_lost: int
    n_unread: int
    is_clear: bool

    @property
    def n_read(self) -> int:
        return self.n_won + self.n_tied + self.n_lost


@dataclass(frozen=True, slots=True)
class Category:
    """The win rates of the models on the prompts of one category, by model; `is_tied` as of all prompts."""

    n_prompts: int
    n_pairs: int
    win_rates: Mapping[str, Estimate]
    is_tied: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of the judge and why no more. `noun` is "pair", or "answer" where it grades answers."""

    noun: str
    n_asked: int
    n_all: int
    n_pairs: int
    n_all_pairs: int
    reason: Reason
    budget: int | None
    within_s: float | None


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The ranking of models: `standings` from the best to the worst, `meetings` of every two of them.

    `clear` is by how many standard errors two models have to differ to be told apart, None where one prompt
    tells none apart. `length` is the
    log-odds that a clearly longer answer gains by its length, None where that cannot be told. `is_tied` says
    that strengths would not be finite without a prompt that was made up, on which all models tie. `left_out`
    counts what of the files was not used.
    """

    standings: tuple[Standing, ...]
    meetings: tuple[Meeting, ...]
    by_category: Mapping[str, Category]
    asked: Asked
    judge: Identity
    n_prompts: int
    n_unread: int
    clear: float | None
    length: float | None
    is_tied: bool
    data_hash: str
    seed: int
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def models(self) -> list[str]:
        """Their names, the best first."""
        return [one.model for one in self.standings]

    def to_frame(self) -> DataFrame:
        """A pandas DataFrame with one row per model, the best first; rates lie between 0 and 1.

        Columns: model, best and worst (rank), then strength, win_rate, length_controlled and longer_wins,
        each with _low and _high, inconsistent, n_pairs (read), n_won, n_tied, n_lost and n_characters.
        What is not known is NaN.
        """
        from pandas import DataFrame

        rows = []
        for one in self.standings:
            row: dict[str, Any] = {"model": one.model, "best": one.best, "worst": one.worst}
            for name in ("strength", "win_rate", "length_controlled", "longer_wins"):
                figure: Estimate = getattr(one, name)
                row |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
            row |= {"inconsistent": one.inconsistent.value, "n_pairs": one.inconsistent.total}
            row |= {"n_won": one.n_won, "n_tied": one.n_tied, "n_lost": one.n_lost}
            rows.append(row | {"n_characters": one.n_characters})
        return DataFrame(rows)

    def as_json(self) -> dict[str, Any]:
        """Every figure, and what it stands on: docs/result-files.md has the keys."""
        return {
            "schema": SCHEMA,
            **provenance(),
            "seed": self.seed,
            "judge": {"fingerprint": self.judge.fingerprint, "identity": asdict(self.judge)},
            "data": {
                "hash": self.data_hash,
                "n_models": len(self.standings),
                "n_prompts": self.n_prompts,
                "left_out": dict(self.left_out),
            },
            "asked": {**asdict(self.asked), "reason": self.asked.reason.name.lower()},
            "n_unread": self.n_unread,
            "intervals": {"level": LEVEL, "clusters": "prompts", "clear": self.clear},
            "length": self.length,
            "is_tied": self.is_tied,
            "models": [asdict(one) for one in self.standings],
            "meetings": [asdict(one) for one in self.meetings],
            "by_category": {name: asdict(one) for name, one in self.by_category.items()},
        }


def leaderboard_of(
    answers: Answers, contests: Contests, asked: Asked, judge: Identity, seed: int
) -> Leaderboard:
    """All figures of these contests."""
    fit = fitted(contests)
    longer = how_much_longer(answers.lengths)
    with_lengths, is_told = fitted(contests, longer), tells_length(contests, longer)
    return Leaderboard(
        standings=standings_of(answers, contests, fit, with_lengths, is_told),
        meetings=meetings_of(answers.models, contests, fit),
        by_category=categories_of(answers, contests),
        asked=asked,
        judge=judge,
        n_prompts=answers.n_prompts,
        n_unread=int((contests.side == UNREAD).sum()),
        clear=clear_at(fit.n_prompts) if fit.n_prompts > 1 else None,
        length=with_lengths.length if is_told.any() else None,
        is_tied=fit.is_tied,
        data_hash=answers.hash,
        seed=seed,
        left_out=answers.left_out,
    )


def how_much_longer(lengths: Floats) -> Floats:
    """How much longer the first model's answers are, from -1 to 1, shape (n_matches, n_prompts).

    The hyperbolic tangent of the difference in characters, in parts of the standard deviation of the
    differences of these two models, as in AlpacaEval 2 (Dubois et al., arXiv:2404.04475).

    Args:
        lengths: of each answer, shape (n_models, n_prompts).
    """
    first, second = matches(len(lengths))
    difference = lengths[first] - lengths[second]
    spread = difference.std(axis=1, keepdims=True)
    found: Floats = np.tanh(difference / np.where(spread > 0, spread, 1.0))
    return found


def tells_length(contests: Contests, longer: Floats) -> Bools:
    """Whether each model can be told from the length of its answers, shape (n_models,).

    That takes another model whose answers were not all longer, all shorter or all as long in the contests
    that were read: elsewhere the two are always the same question, or length is none.
    """
    is_read = contests.is_read
    alike = [(is_read & one).sum(axis=1) for one in (longer > 0, longer < 0, longer == 0)]
    is_mixed = (np.maximum.reduce(alike) < is_read.sum(axis=1)).astype(np.intp)
    found: Bools = of_models(is_mixed, contests.n_models) > 0
    return found


def standings_of(
    answers: Answers, contests: Contests, fit: Fit, with_lengths: Fit, is_told: Bools
) -> tuple[Standing, ...]:
    """One a model, the strongest first; `is_told` says whose win rates can be controlled for length."""
    n_models = len(answers.models)
    n_read = of_models(contests.is_read.sum(axis=1), n_models)
    n_flips = of_models((contests.is_inconsistent & contests.is_read).sum(axis=1), n_models)
    n_tied = of_models((contests.side == 0).sum(axis=1), n_models)
    won = wins_of(contests)
    strengths = strength_estimates(fit, n_read)
    rates, controlled = win_rate_estimates(fit, n_read), win_rate_estimates(with_lengths, n_read)
    longer = longer_wins(answers.lengths)
    clear = ~as_table(doubts(fit), n_models)
    order = ranked(fit)
    standings = []
    for place, model in enumerate(order):
        standings.append(
            Standing(
                model=answers.models[model],
                best=1 + sum(bool(clear[model, other]) for other in order[:place]),
                worst=n_models - sum(bool(clear[model, other]) for other in order[place + 1 :]),
                strength=strengths[model],
                win_rate=rates[model],
                length_controlled=controlled[model] if is_told[model] else Estimate(None, None, None, 0),
                longer_wins=longer[model],
                inconsistent=Share(int(n_flips[model]), int(n_read[model])),
                n_won=int(won[model]),
                n_tied=int(n_tied[model]),
                n_lost=int(n_read[model] - won[model] - n_tied[model]),
                n_characters=float(answers.lengths[model].mean()),
            )
        )
    return tuple(standings)


def wins_of(contests: Contests) -> Floats:
    """How many contests each model won, shape (n_models,)."""
    signs = incidence(contests.n_models)
    firsts, seconds = (contests.side == 1).sum(axis=1), (contests.side == -1).sum(axis=1)
    found: Floats = (signs == 1).T @ firsts + (signs == -1).T @ seconds
    return found


def longer_wins(lengths: Floats) -> list[Estimate]:
    """The win rate of each model if the longer answer always won, a tie half, over all prompts and others.

    Nothing of it is judged, so it has no interval.
    """
    n_models, n_prompts = lengths.shape
    n = (n_models - 1) * n_prompts
    found = []
    for own in lengths:
        won = (own > lengths).sum() + ((own == lengths).sum() - n_prompts) / 2
        found.append(Estimate(float(won / n), None, None, n))
    return found


def meetings_of(models: Sequence[str], contests: Contests, fit: Fit) -> tuple[Meeting, ...]:
    """One a match, in the order of the matches."""
    first, second = matches(len(models))
    won, tied, lost, unread = ((contests.side == side).sum(axis=1).tolist() for side in (1, 0, -1, UNREAD))
    is_clear = (~doubts(fit)).tolist()
    return tuple(
        Meeting(models[i], models[j], won[at], tied[at], lost[at], unread[at], is_clear[at])
        for at, (i, j) in enumerate(zip(first, second, strict=True))
    )


def categories_of(answers: Answers, contests: Contests) -> dict[str, Category]:
    """The figures of each category in alphabetical order; none where there are not two of them."""
    names = [name or NO_CATEGORY for name in answers.categories]
    if len(set(names)) < 2:
        return {}
    found = {}
    for name in sorted(set(names)):
        is_in = np.array([one == name for one in names])
        part = contests.on(is_in)
        n_read = of_models(part.is_read.sum(axis=1), len(answers.models))
        fit = fitted(part)
        rates = dict(zip(answers.models, win_rate_estimates(fit, n_read), strict=True))
        found[name] = Category(int(is_in.sum()), int(part.is_read.sum()), rates, fit.is_tied)
    return found
