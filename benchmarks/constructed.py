"""What judges know of pairs whose better answer is known by how they were made: 100 of each kind.

    python -m benchmarks.constructed --judge "0.5B score=score" --judge "mine=score:runs/mine/adapter"

They are made of the requests and replies of a recipe's pairs, of a tenth of the requests of which no pair to
train on is made (`distill.construct`): a judge may know an ordinary pair of such a request, and with it the
better answer; the worse one is new. Those of kinds ladder and other_answer of a file of makers' answers to
them. No label of a person is in them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.replay import refuse_twice
from distill.answers import with_answers
from distill.construct import held_out_of, material_of
from distill.ensemble import wilson
from distill.kinds import OF_MAKERS, ConstructKind
from distill.recipe import read_recipe
from distill.selection import Example
from distill.stages import clean_source
from judge import Judge
from judge.cli.console import check_writable
from judge.datasets.dataset import data_folder
from judge.errors import InputError, JudgeError
from judge.metrics.bootstrap import Estimate, Measure, Resampler, difference, ratio, sums_by_cluster
from judge.options import JudgeOptions, judge_options
from judge.progress import shown_progress
from judge.provenance import CHECKOUT, provenance, write_result
from judge.records import Outcome, Pair, Status, Verdict, sha256_of_json

SCHEMA = "four-token-judge/constructed/1"
RECIPE = CHECKOUT / "recipes" / "grade-0.5b.yaml"
KINDS = {
    ConstructKind.OTHER_REQUEST: "a short reply to this request over a longer one to a similar request",
    ConstructKind.SPOILT_FACT: "a reply over itself with one fact changed",
    ConstructKind.PLEA: "a reply over itself, whole or cut, with text that pleads for it",
    ConstructKind.LADDER: "a stronger maker's answer over a weaker one's, alike in length",
    ConstructKind.SOURCE: "a reply over itself, whole or cut, with a source that nobody can look up",
    ConstructKind.OTHER_ANSWER: "a model's short answer to this request over a longer one to a similar one",
    ConstructKind.FORM: "a reply in the form that the request asks for over one in another form",
}
"""What is better than what in each kind."""


def held_out_examples(
    recipe: Path, data: Path | None, answers: Path | None = None
) -> dict[str, list[Example]]:
    """At most 100 pairs of each kind, each with its better answer: a or b, by a hash.

    Raises:
        InputError: there is not one pair of a kind.
    """
    material = material_of(clean_source(read_recipe(recipe), data).pairs)
    kinds = set(KINDS)
    if answers is None:
        kinds -= set(OF_MAKERS)
    else:
        material = with_answers(material, answers)
    made = {str(kind): held_out_of(kind, material) for kind in KINDS if kind in kinds}
    if empty := [kind for kind, examples in made.items() if not examples]:
        raise InputError(
            f"{recipe}: no pair of kind {' or '.join(empty)} can be made of a tenth of "
            f"{len(material.replies):,} requests. Name a recipe with more pairs."
        )
    return made


def figures_of(
    pairs: Sequence[Pair], verdicts: Sequence[Verdict], better: Sequence[Outcome | None]
) -> dict[str, Any]:
    """Shares of pairs in which the judge names the better answer, with 95 % intervals (Wilson).

    Unread pairs are wrong.

    Args:
        better: of each pair which answer is the better one.
    """
    by_mean = [said.outcome_by_mean is one for said, one in zip(verdicts, better, strict=True)]
    return {
        "n": len(pairs),
        "longer_right": sum(pair.longer is one for pair, one in zip(pairs, better, strict=True)),
        **counted("strict", strictly_right(verdicts, better)),
        **counted("by_mean", by_mean),
    }


def strictly_right(verdicts: Sequence[Verdict], better: Sequence[Outcome | None]) -> list[bool]:
    """Of each pair, whether the judge names the better answer in both orders."""
    both = zip(verdicts, better, strict=True)
    return [said.status is Status.CONSISTENT and said.outcome is one for said, one in both]


def less(one: Sequence[bool], other: Sequence[bool], questions: Sequence[str]) -> Estimate:
    """The share right of one judge less another's on the same pairs, paired; whole questions are drawn."""
    _, clusters = np.unique(questions, return_inverse=True)
    n_clusters = int(clusters.max()) + 1
    once = np.ones(len(questions))

    def share(right: Sequence[bool]) -> Measure:
        columns = (np.asarray(right, float), once)
        return Measure(sums_by_cluster(columns, clusters, n_clusters), ratio, len(right))

    return difference(share(one), share(other), Resampler(n_clusters))


def measured(judge: Judge, by_kind: Mapping[str, Sequence[Example]]) -> tuple[dict[str, Any], list[bool]]:
    """The figures of a judge that reads these pairs now, by kind; of each pair, whether it is right."""
    kinds, right = {}, []
    for kind, examples in by_kind.items():
        pairs, better = [one.pair for one in examples], [one.winner for one in examples]
        verdicts = judge.judge(pairs)
        kinds[kind] = figures_of(pairs, verdicts, better)
        right += strictly_right(verdicts, better)
    return kinds, right


def counted(name: str, right: Sequence[bool]) -> dict[str, Any]:
    low, high = wilson(sum(right) / len(right), len(right))
    return {name: sum(right), f"{name}_low": low, f"{name}_high": high}


def options_of(spec: str, base_model: str) -> tuple[str, JudgeOptions]:
    """The name and the options of a judge told as NAME=METHOD or NAME=METHOD:ADAPTER.

    A name may have a = in it, but no colon; an adapter's path may have both.
    """
    told, _, adapter = spec.partition(":")
    name, _, method = told.rpartition("=")
    if not name or not method:
        raise InputError(f"--judge {spec}: must be NAME=METHOD or NAME=METHOD:ADAPTER.")
    return name, judge_options(method=method, adapter=adapter, base_model=base_model)


def table_of(results: Sequence[Mapping[str, Any]]) -> str:
    """A row a judge, two columns a kind."""
    [result] = results
    kinds = result["judges"][0]["kinds"]
    heads = [f"`{kind}`, {how}" for kind in kinds for how in ("both orders", "by mean")]
    lines = [f"| judge | {' | '.join(heads)} |", "| --- " * (1 + len(heads)) + "|"]
    for judge in result["judges"]:
        found = [cell(judge["kinds"][kind], how) for kind in kinds for how in ("strict", "by_mean")]
        lines.append(f"| {judge['name']} | {' | '.join(found)} |")
    ruler = [f"{judge['kinds'][kind]['longer_right']} of {judge['kinds'][kind]['n']}" for kind in kinds]
    lines += [
        f"| the longer answer wins | {' | '.join(f'{one} | -' for one in ruler)} |",
        "",
        "; ".join(f"`{kind}`: {KINDS[ConstructKind(kind)]}" for kind in kinds)
        + f". Right in percent, with 95 % intervals (Wilson); on {result['cpu']}.",
        *difference_lines(result["judges"]),
    ]
    return "\n".join(lines)


def difference_lines(judges: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each further judge knows more than the first one, all kinds together."""
    first, *others = judges
    told = [
        "{}: {:+.1f} ({:+.1f} to {:+.1f})".format(
            one["name"], *(100 * one["less_first"][key] for key in ("value", "low", "high"))
        )
        for one in others
        if "less_first" in one
    ]
    if not told:
        return []
    return [
        "",
        f"All kinds together, in both orders, less {first['name']}, in points (paired, questions resampled): "
        f"{'; '.join(told)}.",
    ]


def cell(one: Mapping[str, Any], how: str) -> str:
    share = 100 * one[how] / one["n"]
    return f"{share:.0f} ({100 * one[f'{how}_low']:.0f}-{100 * one[f'{how}_high']:.0f})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.constructed", description=__doc__)
    parser.add_argument("--judge", action="append", required=True, help="NAME=METHOD or NAME=METHOD:ADAPTER")
    parser.add_argument("--base-model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="whose pairs they are made of")
    parser.add_argument("--answers", type=Path, help=f"makers' answers, for {' and '.join(OF_MAKERS)}")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args(arguments)
    try:
        check_writable(given.out and str(given.out), (given.recipe, given.answers))
        judged(given)
    except JudgeError as error:
        parser.exit(2, f"{error}\n")


def judged(given: argparse.Namespace) -> None:
    """Lets the judges read the pairs, writes the result and prints what they know."""
    named = [options_of(spec, given.base_model) for spec in given.judge]
    refuse_twice([name for name, _ in named])
    by_kind = held_out_examples(given.recipe, data_folder(given.data_dir), given.answers)
    questions = [one.pair.question for examples in by_kind.values() for one in examples]
    judges: list[dict[str, Any]] = []
    rights: list[list[bool]] = []
    with shown_progress() as progress:
        for name, options in named:
            with Judge.of(options, progress=progress) as judge:
                kinds, right = measured(judge, by_kind)
                judges.append({"name": name, "identity": asdict(judge.identity), "kinds": kinds})
            rights.append(right)
    for one, right in zip(judges[1:], rights[1:], strict=True):
        one["less_first"] = asdict(less(right, rights[0], questions))
    hashes = {kind: [one.pair.content_hash for one in examples] for kind, examples in by_kind.items()}
    write_result(
        given.out,
        {
            "schema": SCHEMA,
            **provenance(),
            "base_model": given.base_model,
            "base_model_hash": judges[0]["identity"]["base_model_hash"],
            "seed": 0,
            "data": f"{given.recipe.name}: requests of which no pair to train on is made",
            "data_hash": sha256_of_json(hashes),
            "judges": judges,
        },
    )
    for one in judges:
        print(one["name"], one["kinds"])
    print(*difference_lines(judges), sep="\n")


if __name__ == "__main__":
    main()
