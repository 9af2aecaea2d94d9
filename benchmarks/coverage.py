"""How often our 95 % intervals hold what they are about, on data that are drawn from a known truth.

    python -m benchmarks.coverage --out benchmarks/results/coverage.json

Each interval is made by the function that makes it in a report, a gate or a calibration. No judge and no
person is needed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distill.ensemble import wilson
from judge.metrics.bootstrap import Floats, Measure, Resampler, difference, estimate, ratio
from judge.metrics.recalibration import Odds, line_intervals
from judge.plugin.gate import interval
from judge.provenance import provenance, write_result

SCHEMA = "four-token-judge/coverage/1"
N_STUDIES, N_SUITES, N_SETS = 2_000, 10_000, 250
N_FITS = 400
"""Of one line's interval; `judge calibrate` fits 1,000 times."""

N_VOTES = 8
QUESTIONS = (6, 10, 20, 50, 80)
IS_RIGHT, SPREAD = 0.65, 4.0
"""The share of votes that a judge agrees with: over questions its mean, and the two numbers of its beta
distribution together. So much differs from one question to the next."""

RATES = (0.5, 0.65, 0.8)
SUITES = {
    "25 cases": (1,) * 25,
    "200 cases": (1,) * 200,
    "100 cases on 20 questions": (5,) * 20,
    "69 cases on 20 questions, 50 on one of them": (50, *(1,) * 19),
}
"""How many cases there are on each question of a suite."""

ALIKE = 0.5
"""The correlation of two cases on one question."""

LINES = ((2.0, 1.0), (0.6, 1.85), (0.35, 3.7))
"""The spread of the log-odds, as a standard deviation, and the true slope."""
SET_VOTES = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """One interval: what it is of, and of each setting its name, how often it held and of how many."""

    what: str
    held: Callable[[np.random.Generator], Iterator[tuple[str, int, int]]]


def shares_drawn(dice: np.random.Generator, n_questions: int) -> Floats:
    """The share of votes that a judge agrees with on each question, shape (questions,)."""
    return dice.beta(IS_RIGHT * SPREAD, (1 - IS_RIGHT) * SPREAD, n_questions)


def votes_drawn(dice: np.random.Generator, share: Floats) -> Measure:
    """The agreement of a judge with `N_VOTES` votes on each question."""
    n_questions = len(share)
    sums = np.column_stack([dice.binomial(N_VOTES, share), np.full(n_questions, N_VOTES)])
    return Measure(sums.astype(np.float64), ratio, n_questions * N_VOTES)


def agreements(dice: np.random.Generator) -> Iterator[tuple[str, int, int]]:
    for n_questions in QUESTIONS:
        resampler = Resampler(n_questions)
        drawn = [votes_drawn(dice, shares_drawn(dice, n_questions)) for _ in range(N_STUDIES)]
        found = [estimate(one, resampler) for one in drawn]
        held = sum(is_between(one.low, IS_RIGHT, one.high) for one in found)
        yield f"{n_questions} questions, {N_VOTES} votes on each", held, N_STUDIES


def differences(dice: np.random.Generator) -> Iterator[tuple[str, int, int]]:
    """Of two judges that are equally good and find the same questions hard."""
    for n_questions in QUESTIONS:
        resampler = Resampler(n_questions)
        shares = [shares_drawn(dice, n_questions) for _ in range(N_STUDIES)]
        found = [difference(votes_drawn(dice, one), votes_drawn(dice, one), resampler) for one in shares]
        held = sum(is_between(one.low, 0.0, one.high) for one in found)
        yield f"{n_questions} questions, {N_VOTES} votes on each", held, N_STUDIES


def wins_drawn(dice: np.random.Generator, rate: float, counts: Floats) -> Floats:
    """The wins on each question of many suites, shape (suites, questions); a question's cases are alike."""
    both = (1 - ALIKE) / ALIKE
    share = dice.beta(rate * both, (1 - rate) * both, (N_SUITES, len(counts)))
    return dice.binomial(counts.astype(int), share).astype(np.float64)


def win_rates(dice: np.random.Generator) -> Iterator[tuple[str, int, int]]:
    for name, sizes in SUITES.items():
        counts = np.array(sizes, dtype=np.float64)
        for rate in RATES:
            sums = wins_drawn(dice, rate, counts)
            low, high = interval(sums, np.broadcast_to(counts, sums.shape))
            held = int(((low <= rate) & (rate <= high)).sum())
            yield f"{name}, win rate {100 * rate:.0f} %", held, N_SUITES


def slopes(dice: np.random.Generator) -> Iterator[tuple[str, int, int]]:
    for spread, slope in LINES:
        found = [line_intervals(set_drawn(dice, spread, slope), N_FITS)[0] for _ in range(N_SETS)]
        held = sum(is_between(one.low, slope, one.high) for one in found)
        yield f"{SET_VOTES} votes, log-odds of spread {spread}, true slope {slope}", held, N_SETS


def set_drawn(dice: np.random.Generator, spread: float, slope: float) -> Odds:
    """A judge's log-odds and the votes that a line of that slope makes of them, a question each."""
    z = dice.normal(0, spread, SET_VOTES)
    is_a = dice.random(SET_VOTES) < 1 / (1 + np.exp(-slope * z))
    return Odds(z, np.zeros(SET_VOTES), is_a, np.arange(SET_VOTES), SET_VOTES)


KINDS = (
    Kind("agreement with people", agreements),
    Kind("difference of two judges", differences),
    Kind("win rate of a gate", win_rates),
    Kind("slope of a calibration", slopes),
)


def is_between(low: float | None, truth: float, high: float | None) -> bool:
    return low is not None and high is not None and low <= truth <= high


def measured(seed: int, kinds: Sequence[Kind] = KINDS) -> list[dict[str, Any]]:
    """How often each interval held, a row for each setting. Each kind draws from a generator of its own."""
    rows = []
    for number, kind in enumerate(kinds):
        dice = np.random.default_rng([seed, number])
        for setting, held, n in kind.held(dice):
            rows.append({"interval": kind.what, "setting": setting, "held": held, "n": n})
    return rows


def table_of(results: Sequence[Mapping[str, Any]]) -> str:
    """A row for each setting, in percent with Wilson's interval of what was drawn."""
    [result] = results
    lines = ["| interval of 95 % | drawn | held |", "| --- | --- | --- |"]
    for row in result["rows"]:
        share = row["held"] / row["n"]
        low, high = wilson(share, row["n"])
        held = f"{100 * share:.1f} ({100 * low:.1f}-{100 * high:.1f}) of {row['n']:,}"
        lines.append(f"| {row['interval']} | {row['setting']} | {held} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args()
    result = {
        "schema": SCHEMA,
        **provenance(),
        "seed": given.seed,
        "base_model": "none",
        "base_model_hash": "",
        "data": "drawn by benchmarks/coverage.py",
        "data_hash": "",
        "rows": measured(given.seed),
    }
    write_result(given.out, result)
    print(table_of([result]))


if __name__ == "__main__":
    main()
