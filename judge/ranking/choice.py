"""What to judge next: pairs are chosen where the ranking is in doubt.

    fitted -> doubts -> worth -> the next contests, or the next answers to grade -> judge -> fitted

Neighbours in the ranking are told apart where they differ by more than `clear_at` standard errors. While some
are not, a contest is worth as much as it narrows the differences that are in doubt, each weighed by how
likely it has the wrong sign: the rule of Chatbot Arena (Chiang et al., arXiv:2403.04132, section 5), which
draws pairs of models by how much they narrow intervals, with doubt as the weight.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from judge.metrics.bootstrap import Floats
from judge.metrics.panel import Bools, Ints
from judge.orders import logistic
from judge.ranking.contests import Contests, incidence, matches
from judge.ranking.strengths import Fit, clearness

CLEAR = 2.6
"""Standard errors, with many prompts. Looking again after each round at two equal models errs in 5 % of runs
or fewer with up to a thousand prompts, and in 8 % with ten thousand, which take more rounds (simulated)."""

FIRST = 20
"""In the first round each model is in about so many contests, or has so many answers graded."""

GROWTH = 0.5
"""Every further round adds this part of what was judged so far."""


def order_of_prompts(n_prompts: int, seed: int) -> list[int]:
    """In which order prompts are used. A match starts at a place of its own, see `next_contests`."""
    return random.Random(seed).sample(range(n_prompts), n_prompts)


def ranked(fit: Fit) -> list[int]:
    """The models, the strongest first; of equals the one with the smaller number."""
    return sorted(range(fit.n_models), key=lambda model: (-round(float(fit.strengths[model]), 9), model))


def clear_at(n_prompts: int) -> float:
    """By how many standard errors two models have to differ to be told apart with so many prompts.

    Student's t with as many degrees of freedom as prompts less one, at the level that `CLEAR` has with many.
    """
    from scipy.special import ndtr, stdtrit

    return float(stdtrit(n_prompts - 1, ndtr(CLEAR))) if n_prompts > 1 else math.inf


def doubts(fit: Fit) -> Bools:
    """Whether the two models of each match are not told apart, shape (n_matches,)."""
    found: Bools = np.abs(clearness(fit)) <= clear_at(fit.n_prompts)
    return found


def doubtful_neighbours(fit: Fit) -> list[tuple[int, int]]:
    """Neighbours in the ranking that are not told apart, the better one first."""
    table = as_table(doubts(fit), fit.n_models)
    order = ranked(fit)
    return [(one, other) for one, other in pairwise(order) if table[one, other]]


def as_table(of_matches: Bools, n_models: int) -> Bools:
    """The same for both orders of two models, shape (n_models, n_models)."""
    first, second = matches(n_models)
    table = np.zeros((n_models, n_models), bool)
    table[first, second] = table[second, first] = of_matches
    return table


def worth(fit: Fit) -> Floats:
    """What one more contest of each match is worth, shape (n_matches,).

    A contest of a and b lowers the variance of the difference of i and j by p(1 - p) times their covariance
    squared, where p is the chance that a beats b. Added up over all i and j in doubt, each in parts of its
    own variance and times the probability that it has the wrong sign.
    """
    from scipy.special import ndtr

    signs = incidence(fit.n_models)
    inverse = np.linalg.inv(fit.information)[:-1, :-1]
    between = signs @ inverse @ signs.T
    weight = np.where(doubts(fit), ndtr(-np.abs(clearness(fit))), 0.0) / np.diag(between)
    p = logistic(signs @ fit.strengths)
    found: Floats = p * (1 - p) * (weight @ between**2)
    return found


def shared_out(n: int, weights: Floats, room: Ints) -> Ints:
    """`n` in proportion to the weights, none above its room: what does not fit goes to the others.

    Largest remainders; of equal ones the first. All room is used where `n` is as much or more.
    """
    given = np.zeros(len(room), np.intp)
    while (left := min(n, int(room.sum())) - int(given.sum())) > 0:
        open_weights = np.where(given < room, np.maximum(weights, 1e-12 * weights.max() + 1e-300), 0.0)
        shares = left * open_weights / open_weights.sum()
        whole = shares.astype(np.intp)
        rest = np.argsort(-(shares - whole), kind="stable")[: left - int(whole.sum())]
        whole[rest] += 1
        given = np.minimum(given + np.where(open_weights > 0, whole, 0), room)
    return given


def size_of_round(n_judged: int, n_first: int, n_left: int) -> int:
    """How many contests, or answers, the next round has."""
    return min(n_left, max(1, n_first) if not n_judged else math.ceil(GROWTH * n_judged))


def next_contests(contests: Contests, n: int, fit: Fit | None, order: Sequence[int]) -> tuple[Ints, Ints]:
    """The matches and the prompts of the next `n` contests, such that any part from the start is balanced.

    Each match uses the prompts in the same order from a place of its own on, so that a round touches as many
    prompts as it can: what is judged on one prompt is worth less than the same on several.
    """
    n_matches, n_prompts = contests.side.shape
    done = contests.is_asked.sum(axis=1)
    weights = np.ones(n_matches) if fit is None else worth(fit)
    counts = shared_out(n, weights, n_prompts - done)
    match = np.repeat(np.arange(n_matches), counts)
    turn = np.concatenate([np.arange(count) for count in counts]) if len(match) else match
    start = np.arange(n_matches) * n_prompts // n_matches
    prompt = np.array(order, np.intp)[(start[match] + done[match] + turn) % n_prompts]
    first = np.argsort((turn + 0.5) / np.maximum(counts, 1)[match], kind="stable")
    return match[first], prompt[first]


def next_answers(is_graded: Bools, n: int, fit: Fit | None, order: Sequence[int]) -> tuple[Ints, Ints]:
    """The models and the prompts of the next `n` answers to grade, prompt by prompt.

    An answer costs one reading, and every two graded answers to a prompt are a contest: so the models that
    are in doubt go through the prompts side by side.

    Args:
        is_graded: shape (n_models, n_prompts).
    """
    n_models = len(is_graded)
    left = ~is_graded[:, list(order)]
    in_doubt = np.zeros(n_models, bool)
    in_doubt[[one for two in doubtful_neighbours(fit) for one in two] if fit else list(range(n_models))] = (
        True
    )
    if not left[in_doubt].any():
        in_doubt[:] = True
    at, model = np.nonzero((left & in_doubt[:, None]).T)
    return model[:n], np.array(order, np.intp)[at[:n]]
