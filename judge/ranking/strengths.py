"""Strengths of models by Bradley and Terry, what the length of an answer adds, and how sure both are.

The model is a logistic regression (Bradley and Terry, 1952, doi:10.1093/biomet/39.3-4.324): model i beats j
with log-odds s_i - s_j, and with lengths + b * x, where x grows with how much longer i's answer is. Intervals
are clustered over prompts (Liang and Zeger, 1986, doi:10.1093/biomet/73.1.13): contests on one prompt share
its answers, so they are not independent of each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from judge.metrics.bootstrap import LEVEL, Estimate, Floats, sums_by_cluster
from judge.metrics.panel import Bools, Ints
from judge.metrics.ranking import ELO, is_strongly_connected
from judge.orders import logistic
from judge.ranking.contests import Contests, incidence, matches

MAX_STEPS = 200
LONGEST_STEP = 1.0
TOLERANCE = 1e-10
LEAST_SPREAD = 1e-9
"""Prompts that differ by less than this part of what they would by chance all say the same."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The most likely strengths, and what they are known to.

    Args:
        strengths: natural logarithms, mean 0, shape (n_models,).
        length: the log-odds that one unit of `longer` adds; 0 without lengths.
        information: second derivatives of the log-likelihood without its sign, of strengths and length,
            shape (n_models + 1, n_models + 1), with the mean of the strengths held.
        covariance: clustered over prompts, the same shape.
        n_prompts: on which anything was read.
        is_tied: whether a prompt was made up on which all models tie, see `fitted`.
    """

    strengths: Floats
    length: float
    information: Floats
    covariance: Floats
    n_prompts: int
    is_tied: bool

    @property
    def n_models(self) -> int:
        return len(self.strengths)


@dataclass(frozen=True, slots=True)
class Rows:
    """Contests to be fitted, arrays of shape (n_rows,): how many there are of a match, and their wins.

    `won` adds up 1 for a win of the first model and one half for a tie; `x` is how much longer its answer is.
    """

    match: Ints
    won: Floats
    count: Floats
    x: Floats


@dataclass(frozen=True, slots=True)
class Slopes:
    """Of the log-likelihood at some parameters.

    First derivatives by row, shape (n_rows,), by match on the prompt that was made up, shape
    (n_matches,), and by what holds the length; `information` is as in `Fit`.
    """

    of_rows: Floats
    of_ties: Floats
    of_length: float
    information: Floats


def fitted(contests: Contests, longer: Floats | None = None) -> Fit:
    """The strengths by these contests, a tie half a win to each.

    They are finite only where no group of models won or lost all contests against the rest (Ford, 1957,
    doi:10.2307/2308513). Elsewhere one prompt more is made up, on which all models tie: it keeps the
    strengths finite and doubt in their intervals.

    Args:
        longer: how much longer the first model's answer is, shape (n_matches, n_prompts); its coefficient is
            drawn to 0 as if by a normal distribution of standard deviation 1, so that it is finite, too.
    """
    match, prompt = np.nonzero(contests.is_read)
    won = (1 + contests.side[match, prompt].astype(np.float64)) / 2
    x = np.zeros(len(match)) if longer is None else longer[match, prompt]
    is_tied = not is_finite(contests)
    tie = contests_a_prompt(contests) / (contests.n_models - 1) if is_tied else 0.0
    signs = incidence(contests.n_models)
    rows = Rows(match, won, np.ones(len(match)), x)
    parameters = most_likely(rows if longer is not None else by_match(rows, len(signs)), signs, tie)
    slopes = slopes_at(parameters, rows, signs, tie)
    inverse = np.linalg.inv(slopes.information)
    spread = spread_over_prompts(slopes, rows, prompt, signs)
    return Fit(
        strengths=parameters[:-1] - parameters[:-1].mean(),
        length=float(parameters[-1]),
        information=slopes.information,
        covariance=inverse @ spread @ inverse,
        n_prompts=len(np.unique(prompt)),
        is_tied=is_tied,
    )


def contests_a_prompt(contests: Contests) -> float:
    """How many contests a model has on a prompt where it has any, in the mean; 1 where there are none."""
    met = (np.abs(incidence(contests.n_models)).T @ contests.is_read).astype(int)
    return float(met.sum() / max(1, (met > 0).sum())) or 1.0


def is_finite(contests: Contests) -> bool:
    """Whether the most likely strengths are finite."""
    first, second = matches(contests.n_models)
    wins = np.zeros((1, contests.n_models, contests.n_models))
    ties = (contests.side == 0).sum(axis=1)
    wins[0, first, second] = (contests.side == 1).sum(axis=1) + ties
    wins[0, second, first] = (contests.side == -1).sum(axis=1) + ties
    return bool(is_strongly_connected(wins)[0])


def by_match(rows: Rows, n_matches: int) -> Rows:
    """The same contests, those of a match in one row; they must have no lengths."""
    won, count = sums_by_cluster((rows.won, rows.count), rows.match, n_matches).T
    return Rows(np.arange(n_matches), won, count, np.zeros(n_matches))


def most_likely(rows: Rows, signs: Floats, tie: float) -> Floats:
    """The strengths and the coefficient of length, shape (n_models + 1,), by Newton's method."""
    parameters = np.zeros(signs.shape[1] + 1)
    for _ in range(MAX_STEPS):
        slopes = slopes_at(parameters, rows, signs, tie)
        residual = np.bincount(rows.match, slopes.of_rows, len(signs)) + slopes.of_ties
        total = np.append(signs.T @ residual, slopes.of_rows @ rows.x + slopes.of_length)
        step = np.linalg.solve(slopes.information, total)
        parameters = parameters + step * min(1.0, LONGEST_STEP / max(np.abs(step).max(), TOLERANCE))
        if np.abs(step).max() < TOLERANCE:
            break
    return parameters


def slopes_at(parameters: Floats, rows: Rows, signs: Floats, tie: float) -> Slopes:
    between = signs @ parameters[:-1]
    p = logistic(between[rows.match] + parameters[-1] * rows.x)
    p_tied = logistic(between)
    n_matches, n_models = signs.shape
    weight = rows.count * p * (1 - p)
    of_matches = np.bincount(rows.match, weight, n_matches) + tie * p_tied * (1 - p_tied)
    information = np.zeros((n_models + 1, n_models + 1))
    information[:-1, :-1] = signs.T @ (of_matches[:, None] * signs) + 1 / n_models  # holds the mean at 0
    with_length = signs.T @ np.bincount(rows.match, weight * rows.x, n_matches)
    information[-1, :-1] = information[:-1, -1] = with_length
    information[-1, -1] = float((weight * rows.x**2).sum()) + 1
    return Slopes(rows.won - rows.count * p, tie * (0.5 - p_tied), -float(parameters[-1]), information)


def spread_over_prompts(slopes: Slopes, rows: Rows, prompt: Ints, signs: Floats) -> Floats:
    """How much the first derivatives vary from prompt to prompt, shape (n_models + 1, n_models + 1).

    The prompt that was made up, and what holds the length, count as one each.
    """
    prompts, at = np.unique(prompt, return_inverse=True)
    n_prompts, n_matches = len(prompts), len(signs)
    table = np.bincount(at * n_matches + rows.match, slopes.of_rows, n_prompts * n_matches)
    each = np.column_stack(
        [table.reshape(n_prompts, n_matches) @ signs, np.bincount(at, slopes.of_rows * rows.x, n_prompts)]
    )
    spread: Floats = each.T @ each * (n_prompts / max(1, n_prompts - 1))
    of_ties = signs.T @ slopes.of_ties
    spread[:-1, :-1] += np.outer(of_ties, of_ties)
    spread[-1, -1] += slopes.of_length**2
    return spread


# --- what follows from a fit -------------------------------------------------------------------------------


def strength_estimates(fit: Fit, n: Ints) -> list[Estimate]:
    """Each strength on the Elo scale, 0 being the mean of all; `n` is the number of contests of each."""
    slopes = np.eye(fit.n_models, fit.n_models + 1)
    slopes[:, : fit.n_models] -= 1 / fit.n_models
    errors = standard_errors(fit, slopes)
    return [
        estimate_of(ELO * value, ELO * error, fit, int(count))
        for value, error, count in zip(fit.strengths, errors, n, strict=True)
    ]


def win_rate_estimates(fit: Fit, n: Ints) -> list[Estimate]:
    """How often each model beats the others, all of them equally often, where answers are equally long.

    Without lengths and with every contest judged it is the share of its contests that a model won, a tie
    half, as the most likely strengths expect as many wins as there were; a prompt that was made up counts as
    one more (`Fit.is_tied`). A model without a contest has no rate.
    """
    p = logistic(fit.strengths[:, None] - fit.strengths)
    np.fill_diagonal(p, 0.0)
    rates = p.sum(axis=1) / (fit.n_models - 1)
    curve = p * (1 - p) / (fit.n_models - 1)
    slopes = np.zeros((fit.n_models, fit.n_models + 1))
    slopes[:, :-1] = np.diag(curve.sum(axis=1)) - curve
    odds = np.log(rates / (1 - rates))
    errors = standard_errors(fit, slopes / (rates * (1 - rates))[:, None])
    found = []
    for rate, odd, error, count in zip(rates, odds, errors, n, strict=True):
        on_odds = estimate_of(odd, error, fit, int(count))
        ends = [None if end is None else float(logistic(end)) for end in (on_odds.low, on_odds.high)]
        found.append(Estimate(float(rate) if count else None, ends[0], ends[1], int(count)))
    return found


def clearness(fit: Fit) -> Floats:
    """By how many standard errors the two models of each match differ, shape (n_matches,); 0 if not known."""
    signs = incidence(fit.n_models)
    errors = standard_errors(fit, np.column_stack([signs, np.zeros(len(signs))]))
    is_known = np.isfinite(errors)
    found: Floats = np.where(is_known, signs @ fit.strengths / np.where(is_known, errors, 1.0), 0.0)
    return found


def standard_errors(fit: Fit, slopes: Floats) -> Floats:
    """Of figures with these slopes, shape (n_figures, n_models + 1); NaN where nothing can be said.

    That is so with fewer than two prompts, and where all prompts say the same, as there is nothing to tell
    from how much more of them would differ.
    """
    clustered = np.einsum("ij,jk,ik->i", slopes, fit.covariance, slopes)
    by_chance = np.einsum("ij,jk,ik->i", slopes, np.linalg.inv(fit.information), slopes)
    is_told: Bools = (clustered > LEAST_SPREAD * by_chance) & (fit.n_prompts > 1)
    found: Floats = np.sqrt(np.where(is_told, clustered, np.nan))
    return found


def estimate_of(value: float, error: float, fit: Fit, n: int) -> Estimate:
    """The figure with its interval by Student's t with as many degrees of freedom as prompts less one."""
    if not n:
        return Estimate(None, None, None, 0)
    if not np.isfinite(error):
        return Estimate(float(value), None, None, n)
    from scipy.special import stdtrit

    reach = float(stdtrit(fit.n_prompts - 1, (1 + LEVEL) / 2)) * float(error)
    return Estimate(float(value), float(value) - reach, float(value) + reach, n)
