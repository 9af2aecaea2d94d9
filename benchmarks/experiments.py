"""Experiments: students that differ in one setting, each on every data set that judges are measured on.

    python -m benchmarks.experiments FOLDER --only bsm-swap --only bsm-none --limit 250
    python -m benchmarks.experiments FOLDER --only dual --only solution-only --data hh-rlhf --sample 300

FOLDER/NAME holds the run of each, FOLDER/ledger.sqlite what teachers and students said, and FOLDER/results a
result file for each data set with all students of the call: those taught by teachers in one file, those
taught by people's votes in another. Interrupted, the same call goes on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Literal

from distill.folder import RunFolder
from distill.recipe import Recipe, read_recipe
from distill.stages import run_collect, run_select
from distill.trainstage import run_train
from judge.cli.console import NOT_ALL_JUDGED, progress_shown
from judge.datasets import hh_rlhf, oasst
from judge.datasets.dataset import data_folder
from judge.errors import InputError, JudgeError
from judge.io.pairs import write_pairs
from judge.io.votes import write_votes
from judge.progress import Progress
from judge.provenance import CHECKOUT
from judge.records import HumanVote, Pair

FIRST_ROUND = CHECKOUT / "recipes" / "distilled-0.5b-first.yaml"
GRADES = CHECKOUT / "recipes" / "grade-0.5b.yaml"
DUAL = CHECKOUT / "recipes" / "dual-large-0.5b.yaml"
MIX, NAT, NCE = (CHECKOUT / "recipes" / f"{name}-0.5b.yaml" for name in ("mix", "nat", "nce"))
DATA_SETS = ("mt-bench", "llmbar", "oasst")
LEDGER = "ledger.sqlite"
NOTHING: Mapping[str, Any] = {}
PAPER = {
    "collect.teacher.method": "bsm",
    "select.filter": "swap",
    "select.balance_length": False,
    "train.targets": "hard",
    "train.sharpness": 1.0,
    "train.symmetry": 0.0,
    "train.contrast": 0.0,
}
"""The paper's setting, as changes to the recipe for the first round of the shipped judge."""
SHORT = {"collect.pairs.max_characters": 2000, "train.batch_tokens": 4096, "train.accumulate": 2}
"""What a CPU of two cores trains on in an hour; the steps are as long as the recipe's."""

WAYS = {"dual": "fast", "dual-slow": "slow", "dual-auto": "auto"}
"""The methods of a dual student and what tables call them."""

READINGS = "readings"
"""The run that parts the workings of `DUAL` into right and wrong ones, for the students of rows."""
ON_WORKINGS = {
    "train.template": "dual",
    "train.layers": 0.5,
    "train.learning_rate": 1e-3,
    "train.epochs": 2,
    "train.accumulate": 1,
    "train.evaluations": 1,
}
"""How students of workings as rows learn: few rows in short steps, and few enough layers for two cores."""
ON_WORKINGS_BY_NAT = {name: value for name, value in ON_WORKINGS.items() if name != "train.layers"}
"""The same for one whose layers are those of the adapter beside it."""

Labelled = tuple[Pair, HumanVote]


@dataclass(frozen=True, slots=True)
class Experiment:
    """A student: a description, the recipe it starts from, and how its own differs.

    `labelled` reads pairs with people's votes, which it then learns instead of a teacher's verdicts. `ways`
    are the methods by which it judges; without any it is the one that it learned. `rows` are the workings,
    right or wrong ones, that it learns. `beside` are settings that name the adapters of other experiments.
    """

    what: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    labelled: Callable[[Path | None], list[Labelled]] | None = None
    recipe: Path = FIRST_ROUND
    ways: Sequence[str] = ()
    rows: Literal["", "right", "wrong"] = ""
    beside: Mapping[str, str] = field(default_factory=dict)


def oasst_ranked(data: Path | None) -> list[Labelled]:
    """Ranked pairs of OASST with their ranks as votes."""
    return oasst.ranked_pairs(data)[0]


def hh_rlhf_labelled(data: Path | None) -> list[Labelled]:
    """The pairs of HH-RLHF's half for training with their labels as votes."""
    return hh_rlhf.labelled_pairs(data, hh_rlhf.TRAINING)[0]


EXPERIMENTS = {
    "bsm-swap": Experiment("BSM, verdicts that survive the swap: the paper's", PAPER),
    "bsm-none": Experiment("no filter", PAPER | {"select.filter": "none"}),
    "bsm-mean": Experiment("the mean of both orders as filter", PAPER | {"select.filter": "mean"}),
    "bsm-soft": Experiment("soft targets", PAPER | {"train.targets": "soft"}),
    "bsm-symmetry": Experiment("symmetry term", PAPER | {"train.symmetry": 0.5}),
    "bsm-contrast": Experiment("contrast pairs", PAPER | {"train.contrast": 1.0}),
    "bsm-balanced": Experiment("lengths balanced", PAPER | {"select.balance_length": True}),
    "direct-swap": Experiment(
        "direct instead of BSM: the paper's control", PAPER | {"collect.teacher.method": "direct"}
    ),
    "distilled": Experiment("the first round of the judge in the package"),
    "distilled-hard": Experiment("its hard targets", {"train.targets": "hard", "train.sharpness": 1.0}),
    "distilled-any-length": Experiment("its lengths as they come", {"select.balance_length": False}),
    "distilled-no-contrast": Experiment("it without contrast pairs", {"train.contrast": 0.0}),
    "distilled-constraints": Experiment("it with constraint pairs", {"train.constraints": 1.0}),
    "distilled-no-symmetry": Experiment("it without the symmetry term", {"train.symmetry": 0.0}),
    "distilled-swap": Experiment(
        "its pairs those whose verdict survives the swap", {"select.filter": "swap"}
    ),
    "distilled-itself": Experiment(
        "it, taught by the 0.5B model itself", {"collect.teacher.base_model": "qwen2.5-coder-0.5b"}
    ),
    "people-oasst": Experiment("people's ranks of OASST", labelled=oasst_ranked),
    "people-hh-rlhf": Experiment("people's labels of HH-RLHF", labelled=hh_rlhf_labelled),
    "people-grades": Experiment(
        "the judge of single answers in the package, taught by people's labels of HH-RLHF",
        SHORT,
        labelled=hh_rlhf_labelled,
        recipe=GRADES,
    ),
    "dual": Experiment("fast and slow in one", recipe=DUAL, ways=tuple(WAYS)),
    "dual-light": Experiment(
        "it with a token of a working counted a fiftieth of one of a verdict",
        {"train.working_weight": 0.02},
        recipe=DUAL,
        ways=tuple(WAYS),
    ),
    "dual-more-verdicts": Experiment(
        "it with verdicts alone half of the time",
        {"train.levels": [0.15, 0.1, 0.1, 0.15, 0.5]},
        recipe=DUAL,
        ways=tuple(WAYS),
    ),
    "solution-only": Experiment(
        "verdicts without workings", {"train.levels": [0, 0, 0, 0, 1]}, recipe=DUAL, ways=("dual",)
    ),
    "complete-trace": Experiment(
        "whole workings always", {"train.levels": [1, 0, 0, 0, 0]}, recipe=DUAL, ways=("dual-slow",)
    ),
    "slow-right": Experiment(
        "workings that come to the winner", ON_WORKINGS, recipe=MIX, ways=("dual-slow",), rows="right"
    ),
    "slow-wrong": Experiment(
        "workings that do not", ON_WORKINGS, recipe=MIX, ways=("dual-slow",), rows="wrong"
    ),
    "slow-nat": Experiment(
        "right workings beside wrong ones (NAT)",
        ON_WORKINGS_BY_NAT,
        recipe=NAT,
        ways=("dual-slow",),
        rows="right",
        beside={"train.negative": "slow-wrong"},
    ),
    "slow-nce": Experiment(
        "the same in one LoRA (NCE)",
        ON_WORKINGS,
        recipe=NCE,
        ways=("dual-slow",),
        rows="right",
        beside={"train.nat": "slow-nat"},
    ),
}


def recipe_for(name: str, limit: int | None, changes: Mapping[str, Any] = NOTHING) -> Recipe:
    """The recipe of an experiment, with at most `limit` pairs where it reads pairs."""
    changes = {**EXPERIMENTS[name].changes, **changes, "name": name}
    if limit is not None and not EXPERIMENTS[name].rows:
        changes["collect.pairs.limit"] = limit
    return read_recipe(EXPERIMENTS[name].recipe, changes)


def train(name: str, limit: int | None, folder: Path, data: Path | None) -> Path:
    """The adapter of an experiment; what is done already is not done again."""
    experiment, run = EXPERIMENTS[name], RunFolder(folder / name)
    beside = {key: str(train(other, limit, folder, data)) for key, other in experiment.beside.items()}
    with progress_shown(False) as progress:
        if experiment.rows:
            rows = readings(limit, folder, data, progress)[experiment.rows]
            recipe = recipe_for(name, limit, {"train.rows": str(rows), **beside})
        elif experiment.labelled:
            recipe = recipe_for(name, limit, written(experiment.labelled(data), folder, name))
        else:
            recipe = recipe_for(name, limit)
            run_collect(recipe, run, data, progress, folder / LEDGER)
            run_select(recipe, run)
        run_train(recipe, run, data, progress)
    return run.adapter


def readings(limit: int | None, folder: Path, data: Path | None, progress: Progress) -> dict[str, Path]:
    """The files of the right and of the wrong workings of `DUAL`, as rows."""
    run, recipe = RunFolder(folder / READINGS), recipe_for("dual", limit)
    run_collect(recipe, run, data, progress, folder / LEDGER)
    run_select(recipe, run, keep_dropped=True)
    return {"right": run.right, "wrong": run.wrong}


def written(labelled: Sequence[Labelled], folder: Path, name: str) -> dict[str, Any]:
    """The recipe settings for learning these votes, which are now files in the folder."""
    pairs, votes = folder / f"{name}-pairs.jsonl", folder / f"{name}-votes.jsonl"
    write_pairs(pairs, (pair for pair, _ in labelled))
    write_votes(votes, (vote for _, vote in labelled))
    return {
        "collect.pairs.source": "file",
        "collect.pairs.path": str(pairs),
        "train.targets": "votes",
        "train.sharpness": 1.0,
        "train.votes": str(votes),
    }


def ways_of(name: str) -> Sequence[str]:
    """The methods by which the student of an experiment judges."""
    return EXPERIMENTS[name].ways or (recipe_for(name, None).train.method,)


def specs_of(adapters: Mapping[str, Path]) -> list[str]:
    """The bare base model and each student in each of its ways, as `judge bench` is told them."""
    specs = ["name=0.5B direct,adapter=none"]
    for name, path in adapters.items():
        called = {way: f"{name} {WAYS[way]}" if way in WAYS else name for way in ways_of(name)}
        specs += [f"name={label},method={way},adapter={path}" for way, label in called.items()]
    return specs


def bench(
    data_set: str,
    adapters: Mapping[str, Path],
    ledger: Path,
    out: Path,
    data: Path | None,
    sample: int | None = None,
) -> None:
    """The bare base model and these students on a data set or a sample, in a process of their own.

    Some workings may have no end; their verdicts are unparsed, and counted.
    """
    arguments = ["bench", data_set, *(word for spec in specs_of(adapters) for word in ("--judge", spec))]
    arguments += ["--ledger", str(ledger), "--out", str(out)]
    if data is not None:
        arguments += ["--data-dir", str(data)]
    if sample is not None:
        arguments += ["--limit", str(sample)]
    command = [sys.executable, "-c", "from judge.cli.main import main; main()", *arguments]
    done = subprocess.run(command, check=False)
    if done.returncode not in (0, NOT_ALL_JUDGED):
        done.check_returncode()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--only", action="append", choices=EXPERIMENTS, help="this one; may be given more than once"
    )
    parser.add_argument("--limit", type=int, help="pairs for the teacher at most")
    parser.add_argument("--data-dir", type=Path, help="folder of local copies; by default JUDGE_DATA")
    parser.add_argument(
        "--data", action="append", choices=(*DATA_SETS, "hh-rlhf"), help="measure on this one only"
    )
    parser.add_argument("--sample", type=int, help="measure on so many pairs of each at most")
    given = parser.parse_args(arguments)
    try:
        for name in ("limit", "sample"):
            if (number := getattr(given, name)) is not None and number < 1:
                raise InputError(f"--{name} {number}: must be 1 or more.")
        run(given)
    except JudgeError as error:
        parser.exit(2, f"{error}\n")


def run(given: argparse.Namespace) -> None:
    """Trains what is named, then measures it on every data set."""
    data = data_folder(given.data_dir)
    ledger, results = given.folder / LEDGER, given.folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    adapters = {name: train(name, given.limit, given.folder, data) for name in given.only or EXPERIMENTS}
    voted = {name: path for name, path in adapters.items() if EXPERIMENTS[name].labelled}
    taught = {name: path for name, path in adapters.items() if name not in voted}
    for data_set, (suffix, students) in product(given.data or DATA_SETS, (("", taught), ("-votes", voted))):
        if students:
            bench(data_set, students, ledger, results / f"{data_set}{suffix}.json", data, given.sample)


if __name__ == "__main__":
    main()
