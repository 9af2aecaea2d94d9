"""The committed results follow from the committed judgments: every figure is worked out again."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest

from benchmarks.refigure import refigured
from judge.bench import run
from judge.bench.result import SCHEMA
from judge.datasets.dataset import Wanted
from judge.evaluate import is_identical
from judge.ledger.ledger import Ledger
from judge.orders import combine
from judge.records import IDENTICAL, Order
from judge.study.study import Entrant, EntrantKind, study_as_json, study_of

CHECKOUT = Path(__file__).parents[1]
SHARDS = sorted((CHECKOUT / "benchmarks" / "ledger").glob("*.jsonl.gz"))
FILES = sorted((CHECKOUT / "benchmarks" / "results").glob("*.json"))
READ = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FILES}
RESULTS = {name: result for name, result in READ.items() if result["schema"] == SCHEMA}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    with Ledger(tmp_path_factory.mktemp("ledger") / "ledger.sqlite") as ledger:
        ledger.load(SHARDS)
        yield ledger


def test_there_are_results_and_judgments():
    assert RESULTS
    assert SHARDS


@pytest.mark.slow
@pytest.mark.parametrize("name", RESULTS)
def test_every_figure_of_a_result_file_follows_from_the_shards(name, ledger, data_dir):
    result = RESULTS[name]
    selection = result["data"]["selection"]
    turn = None if selection["turn"] == "any" else int(selection["turn"])
    whole = whole_of(selection["data_set"], Wanted(data_dir, turn, selection["votes"]))
    dataset = run.chosen(whole, selection["categories"], selection["limit"], result["seed"])
    assert dataset.hash == result["data"]["hash"]

    judges = [judge for judge in result["judges"] if judge["kind"] == "judge"]
    assert judges
    entrants = [
        Entrant(
            judge["name"],
            EntrantKind.JUDGE,
            verdicts_of(judge["fingerprint"], dataset.pairs, ledger),
        )
        for judge in judges
    ]
    entrants += run.released_of(dataset)
    made = study_as_json(study_of(entrants, dataset.votes, dataset.pairs, seed=result["seed"]))
    made = measured(json.loads(json.dumps(made)), metrics_in(result))
    assert made["people"] == approximately(result["people"])
    assert made["contrasts"] == approximately(result["contrasts"])
    for here, there in zip(made["judges"], result["judges"], strict=True):
        for part in ("name", "figures", "by_category", "confusion", "reliability", "coverage", "ranking"):
            assert here[part] == approximately(there[part]), (there["name"], part)
        for part in ("tokens_in", "tokens_out", "n_trimmed"):
            assert here["cost"][part] == approximately(there["cost"][part]), (there["name"], part)


@pytest.mark.slow
def test_figures_are_worked_out_again_in_place_and_all_else_stays(ledger):
    result = RESULTS["examples-qwen2.5-coder-0.5b"]
    assert refigured(result, ledger, None) == result
    outdated = deepcopy(result)
    outdated["judges"][0]["figures"]["strict"]["low"] = 0.99
    outdated["people"]["n_ties"] = 77
    assert refigured(outdated, ledger, None) == result


def metrics_in(result):
    """The names of the metrics that the file was written with; there may be newer ones."""
    return {name for one in (result["people"], *result["judges"]) for name in one["figures"]}


def measured(study, names):
    """The study with the metrics of these names alone."""

    def only(figures):
        return {name: figure for name, figure in figures.items() if name in names}

    def cut(one):
        parts = {category: only(figures) for category, figures in one["by_category"].items()}
        return {**one, "figures": only(one["figures"]), "by_category": parts}

    return {**study, "people": cut(study["people"]), "judges": [cut(one) for one in study["judges"]]}


@cache
def whole_of(name, wanted):
    """A data set, which several result files are about."""
    return run.read(name, wanted)


def verdicts_of(fingerprint, pairs, ledger):
    """Verdicts of the shards' readings; equal answers are a tie, though older runs asked about them."""
    known = ledger.find(fingerprint, {pair.content_hash for pair in pairs})
    known |= {
        (pair.content_hash, order): IDENTICAL for pair in pairs if is_identical(pair) for order in Order
    }
    return [
        combine(pair.id, {order: known[pair.content_hash, order] for order in Order}, fingerprint)
        for pair in pairs
    ]


def approximately(value):
    """The same value with its numbers to nine digits: another machine may add in another order."""
    if isinstance(value, dict):
        return {key: approximately(item) for key, item in value.items()}
    if isinstance(value, list):
        return [approximately(item) for item in value]
    return pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value
