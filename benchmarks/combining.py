"""Other ways to combine signals than their sum with equal weights: what they give beside it.

Each takes the signals' numbers (a row a signal, a column a pair) and gives a number a pair, positive where a
is better.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from distill.ensemble import spread_of
from distill.signals import Numbers

Table = np.ndarray[Any, np.dtype[np.float64]]

ROUNDS = 200
SUREST = 0.99
"""No signal counts as right more often than this, so that none has the last word."""

RIDGE = 1.0
FOLDS = 10


def dawid_skene(signals: Table) -> Numbers:
    """The log-odds that a is better by a label model over the signals' signs (Dawid and Skene, 1979).

    Expectation-maximisation from the majority, each signal as often right on either side and independent of
    the others where the truth is known. No label is looked at.
    """
    from scipy.special import expit, logit

    signs = np.sign(signals)
    log_odds = signs.sum(axis=0)
    for _ in range(ROUNDS):
        p_a = expit(log_odds)
        right = (np.where(signs > 0, p_a, 0) + np.where(signs < 0, 1 - p_a, 0) + 0.5 * (signs == 0)).mean(
            axis=1
        )
        log_odds = logit(np.clip(right, 1 - SUREST, SUREST)) @ signs
    return list(map(float, log_odds))


def first_component(signals: Table, like: Table) -> Numbers:
    """Each pair's place along the first principal component of the signals in equal spread.

    Its sign is that in which it goes with the numbers `like`.
    """
    _, _, components = np.linalg.svd(equal_spread(signals), full_matrices=False)
    return list(map(float, components[0] * np.sign(components[0] @ like)))


def fitted_on_labels(signals: Table, labels: Table, seed: int = 0) -> Numbers:
    """The log-odds by weights fitted on the labels (1 or -1) of the other nine tenths of the pairs.

    Logistic regression with a ridge. It tells what labels could make of these signals; no teacher may do so.
    """
    scaled = equal_spread(signals)
    part = np.random.default_rng(seed).permutation(scaled.shape[1]) % FOLDS
    found = np.zeros(scaled.shape[1])
    for one in range(FOLDS):
        here, others = part == one, part != one
        found[here] = weights_for(scaled[:, others], labels[others]) @ scaled[:, here]
    return list(map(float, found))


def weights_for(signals: Table, labels: Table) -> Table:
    from scipy.optimize import minimize

    def loss(weights: Table) -> float:
        return float(np.logaddexp(0, -labels * (weights @ signals)).sum() + RIDGE / 2 * weights @ weights)

    found: Table = minimize(loss, np.zeros(len(signals))).x
    return found


def equal_spread(signals: Table) -> Table:
    scaled: Table = signals / np.array([[spread_of(row.tolist())] for row in signals])
    return scaled


def as_table(table: Iterable[Numbers]) -> Table:
    """Signals as an array, a row each, with 0 where the model could not be read."""
    return np.array([[0.0 if x is None else x for x in numbers] for numbers in table])
