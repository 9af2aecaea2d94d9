"""Shapes of files: everything that is wrong is said at once, in one line each, with what is right."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from distill.folder import RunFolder
from judge.errors import InputError
from judge.io.shapes import Misshapen, Must, OpenShape, Shape, shaped
from judge.ledger.reading import ShardLine
from judge.models.adapters import FILES
from judge.models.manifest import Files
from judge.records import Choice, Order


class Inner(Shape):
    count: int
    names: list[str] = Field(default_factory=list)


class Outer(Shape):
    name: Annotated[str, Field(min_length=2), Must("two letters or more")]
    inner: Inner
    both: Annotated[Inner | None, Must("an object with count")] = None
    told: str = Field(default="", description="What was told.")


class Told(OpenShape):
    told: str = Field(description="What was told.")


RIGHT = {"name": "ab", "inner": {"count": 1}}


def problems_of(shape, values):
    with pytest.raises(Misshapen) as caught:
        shaped(shape, values)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "a"}, "name: must be two letters or more (found: 'a')"),
        ({"name": 7}, "name: must be two letters or more (found: 7)"),
        ({"inner": {"count": "1"}}, "inner.count: Input should be a valid integer (found: '1')"),
        ({"inner": {"count": True}}, "inner.count: Input should be a valid integer (found: True)"),
        ({"inner": {}}, "inner.count: missing"),
        ({"inner": 5}, "inner: must be a block with the keys count, names (found: 5)"),
        (
            {"inner": {"count": 1, "cuont": 2}},
            "inner.cuont: no such key. Did you mean count? The keys here are",
        ),
        ({"inner": {"count": 1, "names": [1]}}, "inner.names.0: Input should be a valid string (found: 1)"),
        ({"both": {"count": "x", "more": 1}}, "both: must be an object with count (found: {'count': 'x', "),
        ({"xyz": 1}, "xyz: no such key. The keys here are name, inner, both, told."),
    ],
)
def test_a_mistake_is_one_line_with_the_key_what_is_right_and_what_was_found(changes, problem):
    [found] = problems_of(Outer, RIGHT | changes)
    assert found.startswith(problem)


def test_all_mistakes_are_named_together():
    assert problems_of(Outer, {"inner": {"count": 0.5}, "told": 1}) == [
        "name: missing, must be two letters or more",
        "inner.count: Input should be a valid integer (found: 0.5)",
        "told: Input should be a valid string (found: 1)",
    ]


def test_what_is_missing_is_described_where_a_description_is():
    assert problems_of(Told, {}) == ["told: missing. What was told."]
    assert shaped(Told, {"told": "x", "more": 1}).told == "x"


def test_what_is_no_object_is_told_the_keys():
    assert problems_of(Told, [1]) == ["must be an object with told (found: [1])"]


# --- our shapes


@given(st.floats(0, 1), st.floats(0, 2**62))
def test_numbers_of_a_shard_come_back_bit_by_bit(probability, seconds):
    line = {
        "content": "0" * 64,
        "order": "AB",
        "choice": "FIRST",
        "reason": None,
        "raw": None,
        "tokens_in": 1,
        "tokens_out": 4,
        "is_trimmed": False,
        "elapsed_s": seconds,
        "probabilities": {"FIRST": probability},
        "recorded_at": "2025-01-31T12:00:00+00:00",
    }
    read = ShardLine.model_validate_json(json.dumps(line))
    assert read.probabilities is not None
    assert (read.probabilities["FIRST"].hex(), read.elapsed_s.hex()) == (probability.hex(), seconds.hex())


def test_shards_and_manifests_know_the_names_that_the_code_uses():
    names = {
        name: str(ShardLine.model_fields[name].annotation) for name in ("order", "choice", "probabilities")
    }
    assert all(f"'{order}'" in names["order"] for order in Order)
    assert all(f"'{choice}'" in names[name] for choice in Choice for name in ("choice", "probabilities"))
    assert [field.alias for field in Files.model_fields.values()] == list(FILES)


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ("{", "cannot be read (Expecting property name"),
        ("[]", "must be an object with stage, inputs, files, report, warning (found: [])"),
        ('{"stage": "select", "inputs": {}}', "files: missing, must be an object with the SHA-256 of each"),
        ('{"stage": "selekt", "inputs": {}, "files": {}}', "stage: Input should be 'collect', 'select'"),
        ('{"stage": "select", "inputs": {}, "files": {"a": "b"}}', "files: must be an object with the SHA"),
        (
            '{"stage": "select", "inputs": {}, "files": {}}',
            "report: missing, must be an object with the report's figures; warning: missing, must be text.",
        ),
    ],
)
def test_a_stage_of_distilling_with_a_broken_manifest_says_how_to_go_on(tmp_path, manifest, problem):
    (tmp_path / "select.json").write_text(manifest, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        RunFolder(tmp_path).manifest("select")
    assert str(caught.value).startswith(f"{tmp_path / 'select.json'}: {problem}")
    assert str(caught.value).endswith("Remove it to do the stage again.")


@pytest.mark.parametrize(
    ("stage", "keys"),
    [
        ("collect", ["n_pairs", "left_out", "contamination", "warning"]),
        ("select", ["report", "warning"]),
        ("train", ["metrics", "warning"]),
        ("rank", ["metrics"]),
    ],
)
def test_what_each_stage_has_to_say_is_named_where_it_is_missing(tmp_path, stage, keys):
    manifest = {"stage": stage, "inputs": {}, "files": {}}
    (tmp_path / f"{stage}.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        RunFolder(tmp_path).manifest(stage)
    assert re.findall(r"(\w+): missing, must be", str(caught.value)) == keys
    assert "\n" not in str(caught.value)


def test_only_what_reads_shards_and_manifests_loads_pydantic():
    """Most commands read none; it would make each of them a good deal slower to start."""
    modules = "judge.evaluate", "judge.options", "judge.ledger.ledger", "judge.plugin.hooks", "judge.cli.main"
    program = f"import sys, {', '.join(modules)}; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n", done.stderr
