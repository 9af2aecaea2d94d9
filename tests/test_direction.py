"""A direction in hidden states: on made differences, on a model's own layers, and the committed result."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.combining import as_table, first_component
from benchmarks.direction import (
    DEPTHS,
    heard,
    name_of,
    read_numbers,
    result_of,
    table_of,
)
from judge.bench.run import read
from judge.datasets.dataset import Wanted
from judge.provenance import CHECKOUT

RESULT = CHECKOUT / "benchmarks" / "results" / "direction-hh-rlhf.json"


def test_the_direction_along_which_pairs_differ_most_is_found_with_the_sign_of_direct():
    dice = np.random.default_rng(0)
    better = dice.choice([-1.0, 1.0], 500)
    differences = np.outer(better, dice.standard_normal(40)) + 0.5 * dice.standard_normal((500, 40))
    direct = list(better + 2 * dice.standard_normal(500))
    found = np.array(along(differences, direct))
    assert (np.sign(found) == better).mean() > 0.98
    assert along(differences, [-one for one in direct]) == pytest.approx(list(-found))
    assert along(differences * 1000, [None, *direct[1:]]) == pytest.approx(list(found))


def along(differences, direct):
    [like] = as_table([direct])
    return first_component(differences.T, like)


def test_layers_are_heard_while_a_pass_runs_and_no_longer():
    torch = pytest.importorskip("torch")
    layers = [torch.nn.Linear(2, 2, bias=False) for _ in range(2)]
    with heard(layers) as outputs:
        given = layers[1](layers[0](torch.ones(3, 2)))
    assert len(outputs) == 2
    assert outputs[1].equal(given)
    layers[0](torch.ones(3, 2))
    assert len(outputs) == 2


def test_the_committed_figures_follow_from_the_committed_numbers(data_dir):
    data = read("hh-rlhf", Wanted(data_dir, 1))
    committed = json.loads(RESULT.read_text("utf-8"))
    assert committed["data_hash"] == data.hash
    found = result_of(data, read_numbers(data))
    for part in ("directions", "less_length", "with_the_sum"):
        assert found[part].keys() == committed[part].keys()
        for name, figures in found[part].items():
            assert figures == pytest.approx(committed[part][name], abs=1e-6)
    assert list(committed["directions"]) == [name_of(depth) for depth in DEPTHS]
    assert all(f"| {name} |" in table_of([committed]) for name in committed["directions"])
