"""The list of a recipe's settings is of all of them, each with its default and what it is."""

from __future__ import annotations

import json

from benchmarks.recipes import MUST, blocks_of, is_block, reference
from distill.recipe import Recipe


def test_every_setting_has_a_row_with_its_default_and_what_it_is():
    rows = [line.split(" | ") for line in reference().splitlines() if line.startswith("| `")]
    every = [item for _, block in blocks_of(Recipe) for item in block.model_fields.items()]
    names = [name for name, field in every if not is_block(field.annotation)]
    assert [row[0].strip("| `") for row in rows] == names
    for _, default, what in rows:
        assert default == MUST or json.loads(default.strip("`")) is not Ellipsis
        assert len(what) > 10


def test_blocks_are_named_as_in_a_recipe():
    names = [name for name, _ in blocks_of(Recipe)]
    assert names == ["", "collect", "collect.pairs", "collect.teacher", "select", "train"]
