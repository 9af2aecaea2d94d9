"""The models that wrote the responses, ranked by what people or a judge said of their pairs.

A *contest* is one comparison of two models: a vote, or the strict side of a judge on a pair. Wins are kept as
one matrix per question: (i, j) is how often model i beat j, a tie being half a win to each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from judge.metrics.bootstrap import Estimate, Floats, Measure, Resampler, estimate, estimates, ratio
from judge.metrics.panel import UNREAD, Bools, Ints, Panel

ELO = 400 / math.log(10)
TOLERANCE = 1e-9
MAX_SWEEPS = 10_000


@dataclass(frozen=True, slots=True)
class Contests:
    """Contests, one row each: shape (n_rows,). `model_a` and `model_b` are places in `names`.

    `side` is +1 where model a won, -1 where model b did, 0 for a tie. `names` are those of the models that
    are in a contest, in alphabetical order.
    """

    names: tuple[str, ...]
    model_a: Ints
    model_b: Ints
    side: Ints
    question: Ints
    n_questions: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """Models in alphabetical order, with their win rates and strengths in the same order.

    Each estimate's `n` is the number of the model's contests. Strengths are on the Elo scale: 0 is the mean
    of all models here, and 400 more than another means ten wins to one against it.
    """

    names: tuple[str, ...]
    win_rates: tuple[Estimate, ...]
    strengths: tuple[Estimate, ...]


def ranking_of(
    panel: Panel, models: Mapping[str, tuple[str, str]], sides: Ints | None, resampler: Resampler
) -> Ranking | None:
    """The ranking by a judge's strict sides, or by people's votes where `sides` is None.

    A judge has one contest per pair, people one per vote. None where there is no contest; see `contests_of`.
    """
    contests = contests_of(panel, models, sides)
    if not contests.names:
        return None
    wins = wins_by_question(contests)
    rates = win_rates(wins)
    n = [rate.n for rate in rates]
    return Ranking(
        names=contests.names,
        win_rates=tuple(estimate(rate, resampler) for rate in rates),
        strengths=tuple(estimates(wins, bradley_terry, n, resampler)),
    )


def contests_of(panel: Panel, models: Mapping[str, tuple[str, str]], sides: Ints | None) -> Contests:
    """The contests in people's votes, or in a judge's sides, an array of shape (n_pairs,).

    Left out are pairs without models, of a model with itself, and those the judge gave no answer to.

    Args:
        models: the names of model a and model b, by pair id.
    """
    at = panel.voted_pair if sides is None else np.arange(len(panel.pair_ids))
    side = panel.voted if sides is None else sides
    of_pair = [models.get(id, ("", "")) for id in panel.pair_ids]
    is_known = np.array([one != other for one, other in of_pair], bool)
    is_contest = is_known[at] & (side != UNREAD)
    at, side = at[is_contest], side[is_contest]
    names = sorted({name for number in np.unique(at).tolist() for name in of_pair[number]})
    place = {name: number for number, name in enumerate(names)}
    places = np.array([[place.get(name, -1) for name in two] for two in of_pair], np.intp).reshape(-1, 2)
    return Contests(
        names=tuple(names),
        model_a=places[at, 0],
        model_b=places[at, 1],
        side=side,
        question=panel.question[at],
        n_questions=panel.n_questions,
    )


def wins_by_question(contests: Contests) -> Floats:
    """How often each model won against each other one, shape (n_questions, n_models * n_models)."""
    n_models = len(contests.names)
    wins = np.zeros((contests.n_questions, n_models, n_models))
    for_a = (1 + contests.side) / 2
    np.add.at(wins, (contests.question, contests.model_a, contests.model_b), for_a)
    np.add.at(wins, (contests.question, contests.model_b, contests.model_a), 1 - for_a)
    return wins.reshape(contests.n_questions, -1)


def win_rates(wins: Floats) -> list[Measure]:
    """The share of its contests that each model won, a tie half; `wins` as from `wins_by_question`."""
    table = _matrices(wins)
    won, played = table.sum(axis=2), table.sum(axis=2) + table.sum(axis=1)
    return [
        Measure(np.stack([won[:, model], played[:, model]], axis=1), ratio, int(played[:, model].sum()))
        for model in range(table.shape[1])
    ]


def bradley_terry(wins: Floats) -> Floats:
    """Strengths by which i beats j with probability 1 / (1 + 10 ** ((s_j - s_i) / 400)), mean 0.

    The most likely strengths given the wins (Bradley and Terry, 1952, doi:10.1093/biomet/39.3-4.324). They
    are finite only where no group of models won every contest against the rest, or none at all (Ford, 1957);
    else all are NaN.

    Args:
        wins: shape (..., n_models * n_models); gives shape (..., n_models).
    """
    tables = _matrices(wins.reshape(-1, wins.shape[-1]))
    strengths = np.full(tables.shape[:2], np.nan)
    exists = is_strongly_connected(tables)
    strengths[exists] = ELO * _log_strengths(tables[exists])
    return strengths.reshape(*wins.shape[:-1], tables.shape[1])


def _log_strengths(wins: Floats) -> Floats:
    """Natural logarithms of strengths, mean 0, from wins of shape (n_tables, n_models, n_models).

    Newman's iteration (arXiv:2207.00076), which takes a quarter of the steps of Hunter's MM algorithm
    (doi:10.1214/aos/1079120141), in all tables at once, each until it moves by less than TOLERANCE;
    NaN where MAX_SWEEPS are not enough.
    """
    found = np.full(wins.shape[:2], np.nan)
    unfinished = np.arange(len(wins))
    strength = np.ones(wins.shape[:2])
    for _ in range(MAX_SWEEPS):
        before = strength
        strength = _swept(wins, strength)
        is_done = np.abs(np.log(strength / before)).max(axis=1) < TOLERANCE
        found[unfinished[is_done]] = np.log(strength[is_done])
        unfinished, wins, strength = unfinished[~is_done], wins[~is_done], strength[~is_done]
        if not len(unfinished):
            break
    return found


def _swept(wins: Floats, strength: Floats) -> Floats:
    """The strengths after each model in turn took its best one given the others; geometric mean 1."""
    swept = strength.copy()
    for model in range(strength.shape[1]):
        of_both = swept[:, model, None] + swept
        won = (wins[:, model] * swept / of_both).sum(axis=1)
        lost = (wins[:, :, model] / of_both).sum(axis=1)
        swept[:, model] = won / lost
    swept /= np.exp(np.log(swept).mean(axis=1, keepdims=True))
    return swept


def is_strongly_connected(wins: Floats) -> Bools:
    """Whether every model can be reached from every other one along wins, shape (n_tables,)."""
    n_models = wins.shape[1]
    reaches = ((wins > 0) | np.eye(n_models, dtype=bool)).astype(np.float32)
    for _ in range(n_models.bit_length()):  # paths of up to 1, 2, 4, ... steps
        reaches = np.minimum(reaches @ reaches, 1)
    is_connected: Bools = reaches.min(axis=(1, 2)) > 0
    return is_connected


def _matrices(wins: Floats) -> Floats:
    n_models = math.isqrt(wins.shape[-1])
    return wins.reshape(*wins.shape[:-1], n_models, n_models)
