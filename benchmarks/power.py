"""How often a gate fails a suite, exactly: the table `power` of docs/ci.md.

Cases that do not depend on each other and have no ties are draws of a coin, so nothing has to be simulated.
"""

from __future__ import annotations

import numpy as np

from judge.plugin.gate import EVEN_RATE, interval

MARGIN = 0.05
N_CASES = (25, 50, 100, 200, 400, 800)
WIN_RATES = (0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2)


def most_wins(n_cases: int, margin: float) -> int:
    """The largest number of wins with which the gate still fails a suite; -1 where it never does."""
    wins = np.arange(n_cases + 1)
    scores = (wins[:, None] > np.arange(n_cases)).astype(float)
    _, high = interval(scores, np.ones_like(scores))
    return int(np.flatnonzero(high < EVEN_RATE - margin).max(initial=-1))


def power(n_cases: int, win_rate: float, margin: float) -> float:
    """The probability that the gate fails a suite of so many cases at this true win rate."""
    from scipy import stats

    return float(stats.binom.cdf(most_wins(n_cases, margin), n_cases, win_rate))


def table() -> str:
    """The probability of failing, in percent, by number of cases and true win rate."""
    heads = ["cases", *(f"{100 * rate:.0f} %" for rate in WIN_RATES)]
    rows = [[f"{n}", *(f"{100 * power(n, rate, MARGIN):.1f}" for rate in WIN_RATES)] for n in N_CASES]
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
