"""Hugging Face `datasets`, the real package: pairs in, verdicts out, and verdicts by `Dataset.map`."""

from __future__ import annotations

import pytest
from pairs import FOUR_PAIRS

from judge.backends.scripted import ScriptedBackend, longer
from judge.errors import BadLines
from judge.evaluate import judge_pairs
from judge.frameworks.hf_datasets import VerdictColumns, pairs_of_dataset, verdicts_to_dataset
from judge.io.frames import verdicts_to_frame
from judge.io.pairs import pair_to_json
from judge.ledger.ledger import Ledger
from judge.methods.direct import Direct

datasets = pytest.importorskip("datasets")

LONGER = {"backend": "scripted:longer", "cache": False}
ROWS = [
    {"prompt": "Why?", "response_a": "so", "response_b": "because"},
    {"prompt": "How?", "response_a": "like this", "response_b": "so"},
    {"prompt": "Who?", "response_a": "me", "response_b": "you"},
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def test_pairs_of_a_data_set_are_those_of_a_file_with_the_same_rows():
    rows = [pair_to_json(pair) for pair in FOUR_PAIRS]
    assert pairs_of_dataset(datasets.Dataset.from_list(rows)) == list(FOUR_PAIRS)


def test_a_row_that_is_no_pair_is_named():
    rows = [ROWS[0], {**ROWS[1], "response_b": None}]
    with pytest.raises(BadLines, match="data set row 2: missing response_b"):
        pairs_of_dataset(datasets.Dataset.from_list(rows))


def test_verdicts_become_a_data_set_with_the_columns_of_the_frame(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        verdicts = judge_pairs(FOUR_PAIRS, Direct(ScriptedBackend(longer)), ledger)
    made = verdicts_to_dataset(verdicts, FOUR_PAIRS)
    assert made.column_names == list(verdicts_to_frame(verdicts, FOUR_PAIRS).columns)
    assert made["outcome"][:] == [verdict.outcome.value for verdict in verdicts]


def test_map_adds_the_verdict_on_each_row():
    dataset = datasets.Dataset.from_list([{**row, "id": "same"} for row in ROWS])
    columns = VerdictColumns(**LONGER)
    made = dataset.map(columns, batched=True, features=columns.features(dataset))
    assert made["outcome"][:] == ["B", "A", "B"]
    assert made["p_a"][:] == [0.0, 1.0, 0.0]
    assert (
        made.remove_columns(["judge", "status", "outcome", "p_a", "unparsed"]).to_list() == dataset.to_list()
    )
    again = made.map(columns, batched=True, features=columns.features(made))
    assert again.to_list() == made.to_list()


def test_what_could_not_be_read_has_its_reason_and_no_outcome_whatever_the_batch():
    columns = VerdictColumns(backend="scripted:unreadable:5", cache=False)
    dataset = datasets.Dataset.from_list(ROWS)
    made = dataset.map(columns, batched=True, batch_size=1, features=columns.features(dataset))
    assert made["status"][:] == ["consistent", "consistent", "unparsed"]
    assert made["outcome"][:] == ["B", "A", None]
    assert made["unparsed"][:2] == [None, None]
    assert made["unparsed"][2].startswith("no verdict")


def test_the_same_options_are_the_same_function_to_the_cache_and_others_another_one():
    dataset = datasets.Dataset.from_list(ROWS)
    first, same, other = (
        dataset.map(VerdictColumns(**options), batched=True)._fingerprint
        for options in (LONGER, LONGER, {**LONGER, "backend": "scripted:shorter"})
    )
    assert (first == same, first == other) == (True, False)
