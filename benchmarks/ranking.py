"""What a ranking by a third of the pairs is worth beside one by all of them, with models of known strengths.

    python -m benchmarks.ranking --out benchmarks/results/ranking.json

Verdicts are drawn from the strengths (Bradley and Terry, 1952), so no judge is needed; which pairs are judged
next is chosen by the rule of `judge rank`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from judge.metrics.bootstrap import Floats
from judge.progress import Progress, shown_progress, silent
from judge.provenance import provenance, write_result
from judge.ranking.choice import (
    FIRST,
    doubtful_neighbours,
    doubts,
    next_contests,
    order_of_prompts,
    ranked,
    size_of_round,
)
from judge.ranking.contests import Contests, matches
from judge.ranking.strengths import Fit, clearness, fitted

SCHEMA = "four-token-judge/ranking/1"
Sides = NDArray[np.int8]
"""Who wins each match on each prompt, 1 for its first model, shape (n_matches, n_prompts)."""

EVEN, CLUSTERS = 0.35, 0.05
"""Log-odds between neighbours: evenly spaced, and in two clusters of near-equal models that are `APART`."""
APART = 1.5

CASES = (
    (3, 100, 200),
    (3, 800, 200),
    (6, 100, 100),
    (6, 800, 100),
    (12, 100, 40),
    (12, 800, 40),
    (30, 200, 8),
)
"""Models, prompts, and how many rankings of them."""


@dataclass(frozen=True, slots=True)
class Worth:
    """Of rankings of one kind: how many were made, and what came of all pairs and of a third.

    `exact` counts rankings in exactly the right order, `ordered` is the mean share of pairs of models in the
    right order, `asked` the mean share of pairs that was judged where a third might be, `misled` counts
    rankings by a third in which two models passed for different in the wrong order, `right_half` those whose
    stronger half is the stronger one.
    """

    n: int
    exact: tuple[int, int]
    ordered: tuple[float, float]
    asked: float
    misled: int
    right_half: int


def field_of(spacing: float, n_models: int) -> Floats:
    """Strengths in log-odds of evenly spaced models, or of two clusters, shape (n_models,)."""
    number = np.arange(n_models)
    gap = 0.0 if spacing == EVEN else APART
    return spacing * number + gap * (number >= n_models // 2)


def verdicts_of(strengths: Floats, n_prompts: int, generator: np.random.Generator) -> Sides:
    """The sides of all contests of models with these strengths."""
    first, second = matches(len(strengths))
    p = 1 / (1 + np.exp(strengths[second] - strengths[first]))
    return np.where(generator.random((len(first), n_prompts)) < p[:, None], 1, -1).astype(np.int8)


def all_judged(sides: Sides, n_models: int) -> Contests:
    return Contests(n_models, sides, np.zeros(sides.shape, bool))


def judged(sides: Sides, n_models: int, budget: int, seed: int = 0) -> tuple[Contests, Fit, int]:
    """What is judged of these sides, the fit, and the number of rounds."""
    contests = Contests.none_of(n_models, sides.shape[1])
    order = order_of_prompts(sides.shape[1], seed)
    first = len(sides) * -(-FIRST // (n_models - 1))
    fit, rounds = None, 0
    while (done := int(contests.is_asked.sum())) < budget:
        match, prompt = next_contests(contests, size_of_round(done, first, budget - done), fit, order)
        contests = contests.judged(match, prompt, sides[match, prompt], np.zeros(len(match), bool))
        fit, rounds = fitted(contests), rounds + 1
        if not doubtful_neighbours(fit):
            break
    assert fit is not None
    return contests, fit, rounds


def right_pairs(fit: Fit, strengths: Floats) -> float:
    """The share of pairs of models that are in the right order."""
    first, second = matches(len(strengths))
    by_strength = np.sign(strengths[first] - strengths[second])
    return float((by_strength == np.sign(fit.strengths[first] - fit.strengths[second])).mean())


def is_misled(fit: Fit, strengths: Floats) -> bool:
    """Whether a pair of models passes for different in the wrong order."""
    first, second = matches(len(strengths))
    by_strength = np.sign(strengths[first] - strengths[second])
    return bool((~doubts(fit) & (by_strength != np.sign(clearness(fit)))).any())


def worth_of(spacing: float, n_models: int, n_prompts: int, n: int, seed: int) -> Worth:
    """What comes of `n` rankings."""
    generator = np.random.default_rng([seed, n_models, n_prompts, round(100 * spacing)])
    top = n_models - n_models // 2
    exact, ordered = np.zeros(2, int), np.zeros(2)
    asked, misled, right_half = 0.0, 0, 0
    for number in range(n):
        strengths = generator.permutation(field_of(spacing, n_models))
        sides = verdicts_of(strengths, n_prompts, generator)
        truth = np.argsort(-strengths).tolist()
        contests, third, _ = judged(sides, n_models, sides.size // 3, seed=number)
        for place, fit in enumerate((fitted(all_judged(sides, n_models)), third)):
            exact[place] += ranked(fit) == truth
            ordered[place] += right_pairs(fit, strengths) / n
        asked += float(contests.is_asked.mean()) / n
        misled += is_misled(third, strengths)
        right_half += set(ranked(third)[:top]) == set(truth[:top])
    return Worth(
        n,
        (int(exact[0]), int(exact[1])),
        (float(ordered[0]), float(ordered[1])),
        asked,
        misled,
        right_half,
    )


def measured(seed: int, progress: Progress = silent) -> list[dict[str, Any]]:
    """A row for each number of models and prompts, with both kinds of strengths."""
    rows = []
    for place, (n_models, n_prompts, n) in enumerate(CASES):
        progress("rankings", place, len(CASES))
        even, clusters = (worth_of(kind, n_models, n_prompts, n, seed) for kind in (EVEN, CLUSTERS))
        rows.append(
            {"models": n_models, "prompts": n_prompts, "even": asdict(even), "clusters": asdict(clusters)}
        )
    progress("rankings", len(CASES), len(CASES))
    return rows


def table_of(results: Sequence[Mapping[str, Any]]) -> str:
    """A row for each number of models and prompts."""
    [result] = results
    heads = (
        "models",
        "prompts",
        "rankings",
        "evenly spaced, exactly right: all pairs, a third",
        "two clusters, pairs of models in the right order: all pairs, a third",
        "judged of a third, at most 33 %",
    )
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for row in result["rows"]:
        even, clusters = row["even"], row["clusters"]
        exact = ", ".join(f"{100 * one / even['n']:.0f} %" for one in even["exact"])
        ordered = ", ".join(f"{100 * one:.0f} %" for one in clusters["ordered"])
        asked = f"{100 * even['asked']:.0f} %, {100 * clusters['asked']:.0f} %"
        lines.append(f"| {row['models']} | {row['prompts']} | {even['n']} | {exact} | {ordered} | {asked} |")
    every = [row[kind] for row in result["rows"] for kind in ("even", "clusters")]
    misled, n = (sum(one[name] for one in every) for name in ("misled", "n"))
    halves = [row["clusters"] for row in result["rows"]]
    right, n_halves = (sum(one[name] for one in halves) for name in ("right_half", "n"))
    told = (
        f"Two models passed for different in the wrong order in {misled} of {n:,} rankings by a third; with "
        f"two clusters each model was in the right one in {right} of {n_halves:,}."
    )
    return "\n".join([*lines, "", told])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args()
    with shown_progress() as progress:
        rows = measured(given.seed, progress)
    result = {
        "schema": SCHEMA,
        **provenance(),
        "seed": given.seed,
        "base_model": "none",
        "base_model_hash": "",
        "data": "drawn by benchmarks/ranking.py",
        "data_hash": "",
        "rows": rows,
    }
    write_result(given.out, result)
    print(table_of([result]))


if __name__ == "__main__":
    main()
