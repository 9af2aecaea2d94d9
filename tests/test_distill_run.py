"""Whole runs of `judge distill all` in processes of their own: killed in each stage, and on a rule to learn.

`make test` kills runs on a tiny model in every stage, and one on the real base model while it learns an easy
rule, which it must know after it went on. `make test-long` does all of this on the real one, to the end, and
gives one run four minutes.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from models import VERDICT_MERGES, make_model
from pairs import FOUR_PAIRS, pair_of

from distill.folder import RunFolder
from judge.io.pairs import write_pairs
from judge.models.adapters import read_adapter
from judge.records import Pair

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
elif where == "beginning anew":
    Training.step = killing(Training.step, lambda self, number: number == 1)

from judge.cli.main import main
main()
"""

# Before the command line runs, two teachers: one looks for the number asked for, one for an answer at all.
TEACHER = """\
import re
from judge.backends import scripted

def number(prompt, index):
    asked = re.search(r"the number (\\d+)", scripted.text_of(prompt, "context"))[1]
    return "[[A]]" if asked in scripted.text_of(prompt, "first") else "[[B]]"

def answered(prompt, index):
    return "[[B]]" if "sorry" in scripted.text_of(prompt, "first").lower() else "[[A]]"

scripted.CHARACTERS |= {"number": number, "answered": answered}
"""

TOPICS = ("the sea", "a train", "winter", "coffee", "a garden", "the moon", "bread", "a library", "rain")
FORMS = (
    "There were {n} of them near {topic}.",
    "Somebody counted {n} when we saw {topic}.",
    "{n} people wrote about {topic} last year.",
    "I think of {topic} and of the number {n}.",
    "It took {n} days until {topic} was ours.",
)
APOLOGIES = (
    "I am sorry, I do not know anything about {topic}.",
    "Sorry, I cannot say a thing about {topic}.",
    "I do not know what to say about {topic}, sorry.",
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


def pairs_with_an_apology(n: int) -> list[Pair]:
    """Pairs in which one answer is one, and the other one an apology."""
    dice = random.Random(0)
    pairs = []
    for i in range(n):
        topic = dice.choice(TOPICS)
        right = dice.choice(FORMS).format(n=i + 10, topic=topic)
        wrong = dice.choice(APOLOGIES).format(topic=topic)
        answers = (right, wrong) if dice.random() < 0.5 else (wrong, right)
        pairs.append(pair_of(*answers, f"Write a sentence about {topic} and the number {i + 10}.", f"p{i}"))
    return pairs


def written(path: Path, settings: dict[str, Any]) -> Path:
    """The recipe's file."""
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def kill_in_every_stage(asked: Sequence[str], folder: Path) -> tuple[RunFolder, RunFolder]:
    """The run folders of a run that was left alone and of one that was killed in every stage and went on.

    Both hold the same bytes. `asked` is the command without its folder.
    """
    whole, killed = (RunFolder(folder / name) for name in ("whole", "killed"))
    done = distill(KILLED, "nowhere", *asked, "--folder", str(whole.path))
    assert done.returncode == 0, done.stderr
    for stage in ("collect", "select", "train"):
        dead = distill(KILLED, stage, *asked, "--folder", str(killed.path))
        assert dead.returncode == -signal.SIGKILL, dead.stderr
        assert killed.manifest(stage) is None
    done = distill(KILLED, "nowhere", *asked, "--folder", str(killed.path))
    assert done.returncode == 0, done.stderr
    one, other = (read_adapter(folder.adapter) for folder in (whole, killed))
    assert {k: v for k, v in one.manifest.items() if k != "metrics"} == {
        k: v for k, v in other.manifest.items() if k != "metrics"
    }
    assert one.hash == other.hash  # the same bytes
    assert killed.path.joinpath("selection.jsonl.gz").read_bytes() == whole.selection.read_bytes()
    again = distill(KILLED, "nowhere", *asked, "--folder", str(killed.path))
    assert again.stdout == done.stdout
    return whole, killed


@pytest.mark.slow
def test_a_run_that_is_killed_in_every_stage_makes_the_adapter_of_one_that_is_not(tmp_path):
    """On a tiny model: what a kill can break is files and their order, which are the same for any weights."""
    write_pairs(str(tmp_path / "pairs.jsonl"), [*FOUR_PAIRS, *pairs_with_an_apology(8)])
    settings = {
        "name": "tiny",
        "collect": {
            "pairs": {"source": "file", "path": str(tmp_path / "pairs.jsonl"), "unchecked": True},
            "teacher": {"method": "bsm", "backend": "scripted:longer"},
        },
        "select": {"filter": "mean", "held_out": 0.3},
        "train": {"base_model": str(make_model(tmp_path / "tiny", VERDICT_MERGES))}
        | {"device": "cpu", "dtype": "float32", "contrast": 0.25, "symmetry": 0.5, "epochs": 2}
        | {"evaluations": 2, "accumulate": 1, "batch_tokens": 4096, "learning_rate": 0.01, "layers": 0.5},
    }
    config = written(tmp_path / "tiny.yaml", settings)
    kill_in_every_stage(("distill", "all", "--config", str(config), "--data-dir", str(tmp_path)), tmp_path)


@pytest.mark.weights
@pytest.mark.long
def test_with_real_weights_a_run_that_is_killed_in_every_stage_makes_the_same_adapter(tmp_path, data_dir):
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
    config = written(tmp_path / "small.yaml", settings)
    asked = ("distill", "all", "--config", str(config), "--limit", "6", "--data-dir", str(data_dir))
    _, killed = kill_in_every_stage(asked, tmp_path)
    verified = distill("from judge.cli.main import main; main()", "adapters", "verify", str(killed.adapter))
    assert verified.returncode == 0, verified.stderr


@pytest.mark.weights
@pytest.mark.long
@pytest.mark.slow
def test_with_real_weights_a_run_within_four_minutes_ends_in_time_with_an_adapter_that_loads(
    tmp_path, data_dir
):
    folder = RunFolder(tmp_path / "run")
    asked = ("distill", "all", "--config", str(CHECKOUT / "recipes" / "embedded-0.5b.yaml"))
    asked += ("--data-dir", str(data_dir), "--folder", str(folder.path), "--within", "4m")
    started = time.monotonic()
    done = distill("from judge.cli.main import main; main()", *asked)
    elapsed_s = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    assert elapsed_s < 4 * 60 + 15
    assert re.search(
        r"^collect [0-9,]+ pairs until \d:\d\d, select, train .* until \d:\d\d, check$", done.stdout, re.M
    )
    within = read_adapter(folder.adapter).manifest["within"]
    assert 0 < within["collected"] < within["of"]
    assert 0 < within["epochs"] <= within["of_epochs"] == 2
    print(done.stdout, f"{elapsed_s:.0f} s", sep="\n")


def rule_settings(pairs: Path, teacher: str, held_out: float, **train: Any) -> dict[str, Any]:
    """A recipe that teaches the real base model the rule of those pairs."""
    return {
        "name": "rule",
        "collect": {
            "pairs": {"source": "file", "path": str(pairs), "unchecked": True},
            "teacher": {"method": "direct", "backend": f"scripted:{teacher}"},
        },
        "select": {"held_out": held_out},
        "train": {"base_model": "qwen2.5-coder-0.5b", "learning_rate": 1e-3, "accumulate": 1}
        | {"batch_tokens": 1024, "watched": 100, "patience": 0, **train},
    }


@pytest.mark.weights
def test_killed_while_it_learns_the_real_model_goes_on_and_knows_an_easy_rule(tmp_path):
    write_pairs(str(tmp_path / "pairs.jsonl"), pairs_with_an_apology(40))
    settings = rule_settings(tmp_path / "pairs.jsonl", "answered", 0.25, epochs=2, evaluations=2)
    config = written(tmp_path / "rule.yaml", settings)
    asked = ("distill", "all", "--config", str(config), "--data-dir", str(tmp_path))
    asked += ("--folder", str(tmp_path / "rule"))
    folder = RunFolder(tmp_path / "rule")
    dead = distill(TEACHER + KILLED, "train", *asked)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    assert folder.manifest("train") is None
    assert not folder.adapter.exists()
    done = distill(TEACHER + KILLED, "beginning anew", *asked)
    assert done.returncode == 0, done.stderr
    assert "STILL AT CHANCE" not in done.stdout
    metrics = read_adapter(folder.adapter).manifest["metrics"]
    before, after = metrics["before"], metrics["after"]
    assert before["inconsistent"]["count"] > 0.5 * before["inconsistent"]["total"]
    assert after["agreement"]["total"] >= 5
    assert after["agreement"]["count"] >= after["agreement"]["total"] - 1
    assert after["inconsistent"]["count"] <= 1
    assert metrics["letter_loss"] < 0.2 * metrics["letter_loss_chance"]
    print(done.stdout)


@pytest.mark.weights
@pytest.mark.long
def test_the_machine_learns_a_rule_to_the_end_on_prompts_that_it_never_saw(tmp_path):
    write_pairs(str(tmp_path / "pairs.jsonl"), pairs_with_a_number(500))
    settings = rule_settings(tmp_path / "pairs.jsonl", "number", 0.2, epochs=1, evaluations=3)
    config = written(tmp_path / "rule.yaml", settings)
    asked = ("distill", "all", "--config", str(config), "--data-dir", str(tmp_path))
    asked += ("--folder", str(tmp_path / "rule"))
    done = distill(TEACHER + KILLED, "nowhere", *asked)
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
