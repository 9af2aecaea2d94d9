"""Experiments: recipes that differ in what they say they do, and one bench of all of them."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import experiments
from benchmarks.experiments import EXPERIMENTS, recipe_for
from distill.recipe import recipe_to_json
from judge.cli.console import NOT_ALL_JUDGED
from judge.datasets import hh_rlhf, oasst
from judge.errors import InputError
from judge.forms.reading import read_pairs, read_votes
from judge.records import Ballot

OF_ONE_CHANGE = {
    "bsm-none": {"select.filter"},
    "bsm-mean": {"select.filter"},
    "bsm-soft": {"train.targets"},
    "bsm-symmetry": {"train.symmetry"},
    "bsm-contrast": {"train.contrast"},
    "bsm-balanced": {"select.balance_length"},
    "direct-swap": {"collect.teacher.method"},
    "distilled-hard": {"train.targets", "train.sharpness"},
    "distilled-any-length": {"select.balance_length"},
    "distilled-no-contrast": {"train.contrast"},
    "distilled-constraints": {"train.constraints"},
    "distilled-no-symmetry": {"train.symmetry"},
    "distilled-swap": {"select.filter"},
    "distilled-itself": {"collect.teacher.base_model"},
    "dual-light": {"train.working_weight"},
    "dual-more-verdicts": {"train.levels"},
    "solution-only": {"train.levels"},
    "complete-trace": {"train.levels"},
}
BASES = ("bsm-swap", "distilled", "dual")
OF_VOTES = {name for name, experiment in EXPERIMENTS.items() if experiment.labelled}
OF_ROWS = {name for name, experiment in EXPERIMENTS.items() if experiment.rows}


def settings_of(name):
    """Every setting by its dotted name, but for the experiment's own name."""
    found = {}

    def walk(block, prefix):
        for key, value in block.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")
            else:
                found[f"{prefix}{key}"] = value

    walk(recipe_to_json(recipe_for(name, 250)), "")
    assert found.pop("name") == name
    return found


@pytest.mark.parametrize("name", OF_ONE_CHANGE)
def test_an_experiment_differs_from_what_it_is_compared_with_in_what_it_names(name):
    is_dual = EXPERIMENTS[name].recipe == EXPERIMENTS["dual"].recipe
    base = "dual" if is_dual else "distilled" if name.startswith("distilled") else "bsm-swap"
    own, other = settings_of(name), settings_of(base)
    assert {key for key in own if own[key] != other[key]} == OF_ONE_CHANGE[name]


def test_every_experiment_is_compared_with_something():
    assert {*OF_ONE_CHANGE, *BASES, *OF_VOTES, *OF_ROWS} == set(EXPERIMENTS)


def test_a_student_of_single_answers_is_asked_for_single_answers():
    ways = {name: experiments.ways_of(name) for name in ("people-grades", "people-hh-rlhf")}
    assert ways == {"people-grades": ("score",), "people-hh-rlhf": ("direct",)}


def test_the_papers_setting_has_nothing_beyond_the_paper():
    recipe = recipe_for("bsm-swap", None)
    assert (recipe.collect.teacher.method, recipe.select.filter, recipe.train.targets) == (
        "bsm",
        "swap",
        "hard",
    )
    assert (recipe.train.symmetry, recipe.train.contrast, recipe.select.balance_length) == (0, 0, False)


def test_all_students_of_a_call_stand_in_one_result_file_for_each_data_set(tmp_path, monkeypatch):
    trained, called = [], []
    adapter_of = {name: tmp_path / name / "adapter" for name in EXPERIMENTS}
    monkeypatch.setattr(
        experiments, "train", lambda name, limit, *_: (trained.append((name, limit)), adapter_of[name])[1]
    )

    def judged(command, check):
        called.append(command[3:])
        return subprocess.CompletedProcess(command, NOT_ALL_JUDGED)

    monkeypatch.setattr(experiments.subprocess, "run", judged)
    options = ["--only", "bsm-swap", "--only", "distilled", "--limit", "250", "--data-dir", "data"]
    experiments.main([str(tmp_path), *options, "--data", "llmbar", "--data", "oasst"])
    assert trained == [("bsm-swap", 250), ("distilled", 250)]
    assert [command[:2] for command in called] == [["bench", "llmbar"], ["bench", "oasst"]]
    specs = [called[0][i + 1] for i, word in enumerate(called[0]) if word == "--judge"]
    assert specs == [
        "name=0.5B direct,adapter=none",
        *(f"name={name},method=direct,adapter={adapter_of[name]}" for name in ("bsm-swap", "distilled")),
    ]
    assert called[0][-2:] == ["--data-dir", "data"]
    assert (tmp_path / "results").is_dir()


def test_a_dual_student_is_asked_in_each_of_its_ways_and_a_control_in_the_one_it_learned(tmp_path):
    names = ("dual", "solution-only", "complete-trace")
    specs = experiments.specs_of({name: tmp_path / name for name in names})
    assert specs == [
        "name=0.5B direct,adapter=none",
        f"name=dual fast,method=dual,adapter={tmp_path}/dual",
        f"name=dual slow,method=dual-slow,adapter={tmp_path}/dual",
        f"name=dual auto,method=dual-auto,adapter={tmp_path}/dual",
        f"name=solution-only fast,method=dual,adapter={tmp_path}/solution-only",
        f"name=complete-trace slow,method=dual-slow,adapter={tmp_path}/complete-trace",
    ]


def test_a_bench_that_fails_is_no_result(tmp_path, monkeypatch):
    monkeypatch.setattr(
        experiments.subprocess, "run", lambda command, check: subprocess.CompletedProcess(command, 2)
    )
    with pytest.raises(subprocess.CalledProcessError):
        experiments.bench("llmbar", {}, tmp_path / "ledger", tmp_path / "out.json", None)


def test_runs_share_what_teachers_said(tmp_path, monkeypatch):
    ledgers = []
    monkeypatch.setattr(experiments, "run_collect", lambda *given: ledgers.append(given[-1]))
    monkeypatch.setattr(experiments, "run_select", lambda *_: None)
    monkeypatch.setattr(experiments, "run_train", lambda *_: None)
    adapters = [experiments.train(name, 10, tmp_path, Path("data")) for name in ("bsm-swap", "bsm-none")]
    assert adapters == [tmp_path / "bsm-swap" / "adapter", tmp_path / "bsm-none" / "adapter"]
    assert ledgers == [tmp_path / "ledger.sqlite"] * 2


def test_students_of_rows_learn_one_kind_of_workings_and_what_they_need_is_trained_before(
    tmp_path, monkeypatch
):
    """NAT needs the student of wrong workings, NCE needs NAT; all are of one shape and learn alike."""
    selected, trained = [], {}
    monkeypatch.setattr(experiments, "run_collect", lambda *_: None)
    monkeypatch.setattr(
        experiments, "run_select", lambda recipe, run, keep_dropped: selected.append((run.path, keep_dropped))
    )
    monkeypatch.setattr(
        experiments, "run_train", lambda recipe, run, *_: trained.update({run.path.name: recipe})
    )
    assert experiments.train("slow-nce", 10, tmp_path, Path("data")) == tmp_path / "slow-nce" / "adapter"
    assert list(trained) == ["slow-wrong", "slow-nat", "slow-nce"]
    assert set(selected) == {(tmp_path / "readings", True)}
    experiments.train("slow-right", 10, tmp_path, Path("data"))

    learned = {name: Path(recipe.train.rows).name for name, recipe in trained.items()}
    assert {name for name, rows in learned.items() if rows == "wrong.jsonl"} == {"slow-wrong"}
    assert trained["slow-nat"].train.negative == str(tmp_path / "slow-wrong" / "adapter")
    assert trained["slow-nce"].train.nat == str(tmp_path / "slow-nat" / "adapter")
    steps = ("template", "rank", "alpha", "dropout", "learning_rate", "epochs", "batch_tokens", "accumulate")
    for setting in steps:
        assert len({getattr(recipe.train, setting) for recipe in trained.values()}) == 1, setting
    one_lora = [recipe.train for name, recipe in trained.items() if name != "slow-nat"]
    shapes = {(each.layers, *each.modules) for each in one_lora}
    assert len(shapes) == 1
    assert set(trained) == OF_ROWS


def test_students_of_votes_stand_in_a_result_file_of_their_own(tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(experiments, "train", lambda name, *_: tmp_path / name)
    monkeypatch.setattr(
        experiments, "bench", lambda data_set, adapters, ledger, out, *_: called.append((adapters, out))
    )
    names = ("distilled", "people-oasst", "people-hh-rlhf")
    experiments.main(
        [str(tmp_path), *(word for name in names for word in ("--only", name)), "--data", "oasst"]
    )
    assert [(set(adapters), out.name) for adapters, out in called] == [
        ({"distilled"}, "oasst.json"),
        ({"people-oasst", "people-hh-rlhf"}, "oasst-votes.json"),
    ]


def rows_of_ranked_replies():
    for better, worse in (("Best.", "Middling."), ("Best.", "Worst."), ("Middling.", "Worst.")):
        yield {"prompt": "Why?", "chosen": better, "rejected": worse, oasst.IN_VALIDATION: False}


def rows_of_labels():
    for row in range(20):
        texts = {"prompt": f"Why {row}?", "chosen": f"So {row}.", "rejected": f"No idea {row}."}
        yield {"subset": "base", "row": row, "n_turns": 1, "context": []} | texts


@pytest.mark.parametrize(
    ("name", "file", "rows", "better"),
    [
        ("people-oasst", oasst.RANKED_FILE, rows_of_ranked_replies, ["Best.", "Best.", "Middling."]),
        ("people-hh-rlhf", hh_rlhf.FILE, rows_of_labels, None),
    ],
)
def test_people_teach_with_their_votes_and_no_teacher_is_asked(
    tmp_path, monkeypatch, name, file, rows, better
):
    (tmp_path / file).parent.mkdir()
    with gzip.open(tmp_path / file, "wt") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows())
    recipes = []
    monkeypatch.setattr(experiments, "run_collect", lambda *_: pytest.fail("a teacher was asked"))
    monkeypatch.setattr(experiments, "run_train", lambda recipe, *_: recipes.append(recipe))
    experiments.train(name, 250, tmp_path, tmp_path)

    [recipe] = recipes
    assert recipe.adapter_name == f"{name}-votes"
    assert (recipe.train.targets, recipe.collect.pairs.limit) == ("votes", 250)
    pairs = {pair.id: pair for pair in read_pairs(recipe.collect.pairs.path)}
    winners = {
        pairs[vote.pair_id].conversation_a[-1].content
        if vote.outcome is Ballot.A
        else pairs[vote.pair_id].conversation_b[-1].content
        for vote in read_votes(recipe.train.votes)
    }
    if better:
        assert (len(pairs), winners) == (len(better), set(better))
    else:
        assert 0 < len(pairs) < 20, "one half of two"
        assert all(hh_rlhf.half_of(pair) == hh_rlhf.TRAINING for pair in pairs.values())
        assert all(winner.startswith("So") for winner in winners)


@pytest.mark.parametrize("name", sorted(OF_VOTES))
def test_peoples_votes_need_local_files(name, tmp_path):
    with pytest.raises(InputError, match="local file only"):
        experiments.train(name, 250, tmp_path, None)
