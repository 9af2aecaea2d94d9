"""Experiments: recipes that differ in what they say they do, and one bench of all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import experiments
from benchmarks.experiments import EXPERIMENTS, recipe_for
from distill.recipe import recipe_to_json

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
}


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
    base = "distilled" if name.startswith("distilled") else "bsm-swap"
    own, other = settings_of(name), settings_of(base)
    assert {key for key in own if own[key] != other[key]} == OF_ONE_CHANGE[name]


def test_every_experiment_is_compared_with_something():
    assert {*OF_ONE_CHANGE, "bsm-swap", "distilled"} == set(EXPERIMENTS)


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
    monkeypatch.setattr(experiments.subprocess, "run", lambda command, check: called.append(command[3:]))
    options = ["--only", "bsm-swap", "--only", "distilled", "--limit", "250", "--data-dir", "data"]
    experiments.main([str(tmp_path), *options, "--data", "llmbar", "--data", "oasst"])
    assert trained == [("bsm-swap", 250), ("distilled", 250)]
    assert [command[:2] for command in called] == [["bench", "llmbar"], ["bench", "oasst"]]
    specs = [called[0][i + 1] for i, word in enumerate(called[0]) if word == "--judge"]
    assert specs == [
        "name=0.5B direct,adapter=none",
        *(f"name={name},adapter={adapter_of[name]}" for name in ("bsm-swap", "distilled")),
    ]
    assert called[0][-2:] == ["--data-dir", "data"]
    assert (tmp_path / "results").is_dir()


def test_runs_share_what_teachers_said(tmp_path, monkeypatch):
    ledgers = []
    monkeypatch.setattr(experiments, "run_collect", lambda *given: ledgers.append(given[-1]))
    monkeypatch.setattr(experiments, "run_select", lambda *_: None)
    monkeypatch.setattr(experiments, "run_train", lambda *_: None)
    adapters = [experiments.train(name, 10, tmp_path, Path("data")) for name in ("bsm-swap", "bsm-none")]
    assert adapters == [tmp_path / "bsm-swap" / "adapter", tmp_path / "bsm-none" / "adapter"]
    assert ledgers == [tmp_path / "ledger.sqlite"] * 2
