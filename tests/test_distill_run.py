"""Whole runs of `judge distill all` on the real base model: killed in each stage, and on a rule to learn."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pairs import pair_of

from distill.folder import RunFolder
from judge.io.pairs import write_pairs
from judge.models.adapters import read_adapter
from judge.records import Pair

pytestmark = pytest.mark.weights

CHECKOUT = Path(__file__).parents[1]

# Runs the command line with one function replaced by one that kills the process when it has done its part.
KILLED = """\
import os, signal, sys
import distill.stages as stages, distill.trainstage as trainstage
from distill.train import Training
from judge.ledger.ledger import Ledger

def killing(function, when=lambda *given: True):
    def call(*given, **named):
        result = function(*given, **named)
        if when(*given):
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

where = sys.argv.pop(1)
if where == "collect":
    Ledger.record_replies = killing(Ledger.record_replies)
elif where == "select":
    stages.write_selection = killing(stages.write_selection)
elif where == "train":
    Training.step = killing(Training.step, lambda self, number: number == len(self.steps) - 1)

from judge.cli.main import main
main()
"""

RULE = """\
import re, sys
from judge.backends import scripted

def asked_number(prompt, index):
    asked = re.search(r"the number (\\d+)", scripted.text_of(prompt, "context"))[1]
    return "[[A]]" if asked in scripted.text_of(prompt, "first") else "[[B]]"

scripted.CHARACTERS["number"] = asked_number
from judge.cli.main import main
main()
"""

TOPICS = ("the sea", "a train", "winter", "coffee", "a garden", "the moon", "bread", "a library", "rain")
FORMS = (
    "There were {n} of them near {topic}.",
    "Somebody counted {n} when we saw {topic}.",
    "{n} people wrote about {topic} last year.",
    "I think of {topic} and of the number {n}.",
    "It took {n} days until {topic} was ours.",
)


def distill(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def pairs_with_a_number(n: int) -> list[Pair]:
    """Pairs in which one answer holds the number that was asked for, and the other one another number."""
    dice = random.Random(0)
    pairs = []
    for i in range(n):
        topic = dice.choice(TOPICS)
        asked, other = dice.sample(range(1000, 10000), 2)
        right, wrong = (dice.choice(FORMS).format(n=number, topic=topic) for number in (asked, other))
        answers = (right, wrong) if dice.random() < 0.5 else (wrong, right)
        prompt = f"Write one sentence about {topic} that contains the number {asked}."
        pairs.append(pair_of(*answers, prompt, f"p{i}"))
    return pairs


def test_a_run_that_is_killed_in_every_stage_makes_the_adapter_of_one_that_is_not(tmp_path, data_dir):
    settings = {
        "name": "small",
        "collect": {
            "pairs": {"source": "oasst", "path": f"{data_dir}/oasst/train_messages_reconstructed.jsonl.gz"},
            "teacher": {"method": "bsm", "max_prompt_tokens": 512},
        },
        "select": {"filter": "mean", "held_out": 0.3},
        "train": {"contrast": 0.25, "symmetry": 0.5, "max_prompt_tokens": 512, "epochs": 1, "evaluations": 2}
        | {"accumulate": 1, "batch_tokens": 2048, "learning_rate": 1e-3},
    }
    (tmp_path / "small.yaml").write_text(json.dumps(settings), encoding="utf-8")
    asked = ("distill", "all", "--config", str(tmp_path / "small.yaml"), "--limit", "6")
    asked += ("--data-dir", str(data_dir), "--folder")
    whole, killed = (RunFolder(tmp_path / name) for name in ("whole", "killed"))
    done = distill(KILLED, "nowhere", *asked, str(whole.path))
    assert done.returncode == 0, done.stderr
    for stage in ("collect", "select", "train"):
        dead = distill(KILLED, stage, *asked, str(killed.path))
        assert dead.returncode == -signal.SIGKILL, dead.stderr
        assert killed.manifest(stage) is None
    done = distill(KILLED, "nowhere", *asked, str(killed.path))
    assert done.returncode == 0, done.stderr
    one, other = (read_adapter(folder.adapter) for folder in (whole, killed))
    assert {k: v for k, v in one.manifest.items() if k != "metrics"} == {
        k: v for k, v in other.manifest.items() if k != "metrics"
    }
    assert one.hash == other.hash  # the same bytes
    assert killed.path.joinpath("selection.jsonl.gz").read_bytes() == whole.selection.read_bytes()
    verified = distill("from judge.cli.main import main; main()", "adapters", "verify", str(killed.adapter))
    assert verified.returncode == 0, verified.stderr
    again = distill(KILLED, "nowhere", *asked, str(killed.path))
    assert again.stdout == done.stdout


def test_the_machine_learns_a_rule_to_the_end_on_prompts_that_it_never_saw(tmp_path):
    write_pairs(str(tmp_path / "pairs.jsonl"), pairs_with_a_number(500))
    settings = {
        "name": "rule",
        "collect": {
            "pairs": {"source": "file", "path": str(tmp_path / "pairs.jsonl"), "unchecked": True},
            "teacher": {"method": "direct", "backend": "scripted:number"},
        },
        "select": {"held_out": 0.2},
        "train": {"base_model": "qwen2.5-coder-0.5b", "learning_rate": 1e-3, "epochs": 1, "accumulate": 1}
        | {"batch_tokens": 1024, "evaluations": 3, "watched": 100, "patience": 0},
    }
    (tmp_path / "rule.yaml").write_text(json.dumps(settings), encoding="utf-8")
    done = distill(
        RULE, "distill", "all", "--config", str(tmp_path / "rule.yaml"), "--folder", str(tmp_path / "rule")
    )
    assert done.returncode == 0, done.stderr
    metrics = read_adapter(tmp_path / "rule" / "adapter").manifest["metrics"]
    before, after = metrics["before"], metrics["after"]
    assert before["inconsistent"]["count"] > 0.5 * before["inconsistent"]["total"]
    assert after["agreement"]["total"] > 80
    assert after["agreement"]["count"] >= 0.95 * after["agreement"]["total"]
    assert after["inconsistent"]["count"] < 0.05 * after["inconsistent"]["total"]
    said = done.stdout
    assert "STILL AT CHANCE" not in said
    print(said)
