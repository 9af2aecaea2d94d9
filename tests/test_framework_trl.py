"""TRL, the real package: a step of online DPO with the judge, as newer and as older versions take it."""

from __future__ import annotations

import inspect
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from frameworks import follow_page
from models import make_model

from judge.frameworks.trl import PairwiseJudge

pytestmark = pytest.mark.frameworks

PROGRAM = Path(__file__).with_name("trl_training.py")
OLDER = Path(sys.prefix) / "trl"
"""The folder of the last TRL that has judges."""


@pytest.mark.parametrize(("argument", "version"), [("reward_funcs", ""), ("judge", "1.0.0")])
def test_online_dpo_asks_the_judge_about_both_completions_of_each_prompt(argument, version, tmp_path):
    folder = make_model(tmp_path / "tiny")
    done = subprocess.run(
        [sys.executable, PROGRAM, folder, argument],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(OLDER) if version else "", "JUDGE_CACHE": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["trl"] == version if version else said["trl"] > "1.0.0"
    assert said["steps"] == 1
    assert [math.isfinite(loss) for loss in said["losses"]] == [True]
    assert len(said["prompts"]) == 2
    assert {"Why?" in prompt for prompt in said["prompts"]} == {True, False}


def test_the_judge_is_asked_as_the_base_class_of_the_older_trl_says():
    program = (
        "from trl.experimental.judges import BasePairwiseJudge\n"
        "import inspect\n"
        "print(*inspect.signature(BasePairwiseJudge.judge).parameters)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(OLDER)},
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = done.stdout.split()
    assert list(inspect.signature(PairwiseJudge.judge).parameters)[: len(theirs)] == theirs


def test_the_page_runs(tmp_path, monkeypatch):
    reader = follow_page("trl", tmp_path, monkeypatch)
    assert reader.names["reward"](prompts=["Why?", "Why?"], completions=["So.", "Because."]) == [0.0, 1.0]
