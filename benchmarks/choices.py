"""Where a dual judge would work a verdict out, and what its verdicts are worth if it does so there.

    python -m benchmarks.choices benchmarks/results/dual-hh-rlhf-sample-of-300.json --ledger FILE \
        --student dual --out benchmarks/results/choices-hh-rlhf-sample-of-300.json

The result is one of `judge bench` in which the student judges fast, slowly and by its own choice; the ledger
has its readings, so no model is needed. A reading says with which probability it would begin with a working;
the slow share is that of the readings where this is highest.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.refigure import dataset_of, verdicts_of
from judge.datasets.dataset import Dataset, data_folder
from judge.errors import InputError
from judge.ledger.ledger import Ledger
from judge.metrics.bootstrap import Estimate, Floats, Measure, Resampler, estimate, ratio, sums_by_cluster
from judge.metrics.panel import Bools
from judge.orders import combine
from judge.provenance import provenance, write_result
from judge.records import FAST_OR_SLOW, Order, Reading, Status, Verdict
from judge.study.study import Entrant, EntrantKind, Study, study_of

SCHEMA = "four-token-judge/choices/1"
WAYS = ("fast", "slow", "auto")
SHARES = (0.0, 0.1, 0.2, 1 / 3, 0.5, 1.0)
"""Of the readings, those worked out: none is the fast judge, all of them the slow one."""

THIRD = SHARES[3]
FIGURES = ("strict", "half", "inconsistent", "unparsed")
P_SLOW = re.compile(r"P\(slow\) (\d\.\d+)")

Result = Mapping[str, Any]


def choices_of(result: Result, ledger: Ledger, student: str, folder: Path | None) -> dict[str, Any]:
    """Every figure, without provenance.

    Raises:
        InputError: the result lacks one of the student's ways, or the ledger its readings.
    """
    dataset = dataset_of(dict(result), folder)
    judges = {judge["name"]: judge for judge in result["judges"]}
    if missing := [name for name in (f"{student} {way}" for way in WAYS) if name not in judges]:
        raise InputError(f"--student {student}: the result file has no judge called {missing[0]}.")
    told = {way: judges[f"{student} {way}"] for way in WAYS}
    fast, slow, auto = (verdicts_of(told[way]["fingerprint"], dataset.pairs, ledger) for way in WAYS)
    p_slow = np.array([[p_slow_in(verdict.readings[order]) for order in Order] for verdict in auto])
    identity = told["auto"]["identity"]
    rows = dict(rows_of(fast, slow, p_slow))
    study = study_of(
        [Entrant(name, EntrantKind.JUDGE, verdicts) for name, verdicts in rows.items()],
        dataset.votes,
        dataset.pairs,
        seed=result["seed"],
    )
    return {
        "base_model": identity["base_model"],
        "base_model_hash": identity["base_model_hash"],
        "adapter": identity["adapter"],
        "adapter_hash": identity["adapter_hash"],
        "data": result["data"]["name"],
        "data_hash": result["data"]["hash"],
        "n_pairs": len(dataset.pairs),
        "shares": [
            {
                "share": share,
                "slow_above": threshold_of(p_slow, share),
                "worked_out": float(np.mean(worked_out(p_slow, share))),
                **figures_of(study, name, rows[name]),
            }
            for share, name in zip(SHARES, rows, strict=True)
        ],
        "groups": [
            {"of": name, **group_of(dataset, p_slow, keep)}
            for name, keep in groups_of(dataset, fast)
            if keep.any()
        ],
    }


def p_slow_in(reading: Reading) -> float:
    """With which probability the reading would have begun with a working; 0 where no model was asked."""
    told = next((step.raw for step in reading.steps if step.name == FAST_OR_SLOW), "")
    found = P_SLOW.search(told)
    return float(found[1]) if found else 0.0


def threshold_of(p_slow: Floats, share: float) -> float:
    """The --slow-above that works this share of the readings out, or less where several are equal."""
    if share == 0:
        return 1.0
    n_slow = round(share * p_slow.size)
    below = np.sort(p_slow, axis=None)[::-1][n_slow:]
    return float(below[0]) if len(below) else 0.0


def worked_out(p_slow: Floats, share: float) -> Bools:
    """Which readings are worked out. At 1 it is all: P is above 0 always, even where its decimals are not."""
    return np.ones_like(p_slow, bool) if share == 1 else p_slow > threshold_of(p_slow, share)


def rows_of(
    fast: Sequence[Verdict], slow: Sequence[Verdict], p_slow: Floats
) -> Iterator[tuple[str, list[Verdict]]]:
    """The verdicts with each of `SHARES` worked out, by a name."""
    for share in SHARES:
        is_slow = worked_out(p_slow, share)
        yield (
            f"{share:.0%}",
            [
                combine(one.pair_id, readings, f"{share:.0%} slow")
                for one, readings in zip(fast, readings_by(fast, slow, is_slow), strict=True)
            ],
        )


def readings_by(
    fast: Sequence[Verdict], slow: Sequence[Verdict], is_slow: Bools
) -> Iterator[dict[Order, Reading]]:
    for quick, long, each in zip(fast, slow, is_slow, strict=True):
        yield {
            order: (long if one else quick).readings[order] for order, one in zip(Order, each, strict=True)
        }


def figures_of(study: Study, name: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The row's figures, its tokens, and how its strict agreement differs from the fast judge's, paired."""
    standing = study.standing(name)
    tokens = [sum(reading.tokens_out for reading in verdict.readings.values()) for verdict in verdicts]
    return {
        "tokens_out": float(np.mean(tokens)),
        **{figure: asdict(standing.figures[figure]) for figure in FIGURES},
        "less_fast": less_fast(study, name),
    }


def less_fast(study: Study, name: str) -> dict[str, Any] | None:
    """The row's strict agreement less that of the fast judge, paired; None for the fast judge itself."""
    fast = f"{SHARES[0]:.0%}"
    found = [one.figures["strict"] for one in study.contrasts if (one.one, one.other) == (fast, name)]
    if not found or found[0].value is None or found[0].low is None or found[0].high is None:
        return None
    return asdict(Estimate(0.0 - found[0].value, 0.0 - found[0].high, 0.0 - found[0].low, found[0].n))


def groups_of(dataset: Dataset, fast: Sequence[Verdict]) -> Iterator[tuple[str, Bools]]:
    """Kinds of pairs, each as a name and which pairs are of it, shape (n_pairs,)."""
    pairs = dataset.pairs
    yield "all pairs", np.ones(len(pairs), bool)
    for name, status in (("consistent", Status.CONSISTENT), ("inconsistent", Status.INCONSISTENT)):
        yield f"fast verdict {name}", np.array([verdict.status is status for verdict in fast])
    said: dict[str, Counter[str]] = {}
    for vote in dataset.votes:
        said.setdefault(vote.pair_id, Counter())[vote.outcome.value] += 1
    several = np.array([sum(said.get(pair.id, Counter()).values()) > 1 for pair in pairs])
    is_one = np.array([len(said.get(pair.id, ())) == 1 for pair in pairs])
    yield "people agree", several & is_one
    yield "people disagree", several & ~is_one
    for category in sorted({pair.category for pair in pairs if pair.category}):
        yield category, np.array([pair.category == category for pair in pairs])


def group_of(dataset: Dataset, p_slow: Floats, keep: Bools) -> dict[str, Any]:
    """The mean probability of a working on these pairs, and the share of their readings in the top third."""
    questions = [pair.question for pair in dataset.pairs]
    number = {question: place for place, question in enumerate(dict.fromkeys(questions))}
    clusters = np.array([number[question] for question in questions])[keep]
    resampler = Resampler(len(number))
    n_readings = np.full(int(keep.sum()), len(Order))

    def of(values: Floats | Bools) -> dict[str, Any]:
        columns = [values[keep].sum(axis=1), n_readings]
        return asdict(estimate(Measure(sums_by_cluster(columns, clusters, len(number)), ratio, 0), resampler))

    return {
        "n_pairs": int(keep.sum()),
        "p_slow": of(p_slow),
        "in_the_third": of(worked_out(p_slow, THIRD)),
    }


# --- the page --------------------------------------------------------------------------------------------


def table_of(results: Sequence[Result]) -> str:
    """A row a share of each result, then a row a kind of pairs."""
    lines = [
        "| data | worked out | tokens out | agree, strict, % | less fast | half, % | inconsistent, % |",
        "| --- " * 7 + "|",
    ]
    for result in results:
        for one in result["shares"]:
            less = "-" if one["less_fast"] is None else points(one["less_fast"])
            cells = [result["data"], f"{one['worked_out']:.0%}", f"{one['tokens_out']:.0f}"]
            cells += [percent(one["strict"]), less, percent(one["half"]), percent(one["inconsistent"])]
            lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "| data | pairs | n | P(slow), mean | in the third with the highest, % |",
        "| --- " * 5 + "|",
    ]
    for result in results:
        for one in result["groups"]:
            cells = [result["data"], one["of"], str(one["n_pairs"]), f"{one['p_slow']['value']:.3f}"]
            lines.append(f"| {' | '.join([*cells, percent(one['in_the_third'])])} |")
    return "\n".join(lines)


def percent(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    return f"{100 * figure['value']:.1f} ({100 * figure['low']:.1f}-{100 * figure['high']:.1f})"


def points(figure: Mapping[str, Any]) -> str:
    return f"{100 * figure['value']:.1f} ({100 * figure['low']:.1f} to {100 * figure['high']:.1f})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.choices", description=__doc__)
    parser.add_argument("result", type=Path, help="a result file of judge bench")
    parser.add_argument("--ledger", type=Path, required=True, help="the ledger with its judges' readings")
    parser.add_argument(
        "--student", required=True, help="its rows are called NAME fast, NAME slow, NAME auto"
    )
    parser.add_argument("--data-dir", type=Path, help="folder of local copies; by default JUDGE_DATA")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args(arguments)
    result = json.loads(given.result.read_text(encoding="utf-8"))
    try:
        with Ledger(given.ledger) as ledger:
            made = choices_of(result, ledger, given.student, data_folder(given.data_dir))
    except InputError as error:
        parser.exit(2, f"{error}\n")
    write_result(given.out, {"schema": SCHEMA, **provenance(), "seed": result["seed"], **made})
    print(table_of([made]))


if __name__ == "__main__":
    main()
