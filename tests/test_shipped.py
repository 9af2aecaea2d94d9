"""The distilled judges in the package: what they learned from, and that they answer in four tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judge.backends import Sampling, Settings
from judge.backends.embedded import EmbeddedBackend
from judge.datasets import hh_rlhf, llmbar, mt_bench, oasst
from judge.datasets.dataset import Wanted
from judge.methods import MemoryStore
from judge.methods.direct import render_direct
from judge.models import basemodels
from judge.models.adapters import SHIPPED, check_fits, method_of, read_adapter, shipped_adapter
from judge.options import JudgeOptions
from judge.progress import silent
from judge.records import Order

FOLDERS = sorted(path for path in SHIPPED.iterdir() if path.is_dir())
EACH = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
MAX_BYTES = 24 * 2**20
LETTERS = {"direct": "AB", "score": "123456789"}
NEAR_EVEN = 0.05


def rounds_of(folder: Path) -> Iterator[dict[str, Any]]:
    """What the manifest says of every round of training, the last one first."""
    one = dict(read_adapter(folder).manifest)
    while one:
        yield one
        one = one["start_from"]


def base_of(folder: Path) -> str:
    """The base model in a folder's name; what follows it is the method, which for direct is not said."""
    return max((one.name for one in basemodels.KNOWN if folder.name.startswith(one.name)), key=len)


def test_there_is_a_judge_for_the_default_base_model():
    assert Settings().base_model in [folder.name for folder in FOLDERS]


def test_there_is_a_judge_of_single_answers_for_each_packaged_base_model():
    assert {base_of(folder) for folder in FOLDERS if folder.name.endswith("-score")} == {
        one.name for one in basemodels.KNOWN
    }


@EACH
def test_it_is_whole_and_made_for_the_base_model_of_its_name_and_for_these_prompts(folder):
    adapter, base = read_adapter(folder), base_of(folder)
    check_fits(adapter, base, basemodels.hash_of(base))
    assert adapter.manifest["base_model"] == base
    assert adapter.manifest["letters"] == LETTERS[method_of(adapter)]
    assert shipped_adapter(base, method_of(adapter)) == str(folder)
    assert sum(file.stat().st_size for file in folder.iterdir()) < MAX_BYTES


@pytest.mark.slow
@EACH
def test_no_path_of_the_machine_it_was_made_on_is_in_it(folder):
    peft = pytest.importorskip("peft")
    for name in ("adapter_config.json", "manifest.json"):
        text = (folder / name).read_text(encoding="utf-8")
        assert re.search(r"/(work|root|home)\b", text) is None
    assert peft.PeftConfig.from_pretrained(str(folder)).base_model_name_or_path in (None, "", base_of(folder))


@EACH
def test_it_learned_from_a_teacher_and_from_no_vote(folder):
    assert read_adapter(folder).manifest["targets"] in ("hard", "soft")
    for one in rounds_of(folder):
        assert one["settings"]["train"]["targets"] in ("hard", "soft")
        assert not one["name"].endswith("-votes")


@pytest.mark.slow
@EACH
@pytest.mark.parametrize("data", [mt_bench, oasst, llmbar, hh_rlhf], ids=lambda data: data.__name__)
def test_no_pair_that_judges_are_measured_or_tuned_on_taught_it(folder, data, data_dir):
    seen = {
        content for one in rounds_of(folder) for content in (*one["data"]["train"], *one["data"]["held_out"])
    }
    votes = "all" if data is mt_bench else ""
    pairs = data.read(Wanted(data_dir, None, votes)).pairs
    turned = [
        replace(pair, conversation_a=pair.conversation_b, conversation_b=pair.conversation_a)
        for pair in pairs
    ]
    assert pairs
    assert seen.isdisjoint(pair.content_hash for pair in (*pairs, *turned))


@pytest.mark.weights
def test_judging_without_a_word_about_adapters_uses_it():
    for word, suffix in (("fast", "-score"), ("score", "-score"), ("direct", "")):
        method = JudgeOptions(word).load(silent, MemoryStore())
        shipped = read_adapter(SHIPPED / f"{Settings().base_model}{suffix}")
        assert method.identity.adapter_hash == shipped.hash
    bare = JudgeOptions(settings=Settings(adapter="none")).load(silent, MemoryStore())
    assert (bare.identity.adapter, bare.identity.adapter_hash) == ("none", "")


@pytest.mark.weights
@pytest.mark.parametrize("n", [20, pytest.param(200, marks=pytest.mark.long)])
def test_decoded_freely_it_answers_in_four_tokens_and_as_its_probabilities_say(data_dir, n):
    """Half of the pairs are shown in each order; greedy decoding, every token of the vocabulary allowed.

    The first half of the replies is compared with probabilities. Prompts are packed for these and not for
    free replies, so that bfloat16 may turn a pair near even.
    """
    folder = SHIPPED / Settings().base_model
    backend = EmbeddedBackend(Settings(adapter=str(folder)))
    pairs = sorted(llmbar.read(Wanted(data_dir)).pairs, key=lambda pair: pair.content_hash)[:n]
    orders = [list(Order)[number % 2] for number in range(n)]
    n_compared = n // 2
    asked = [render_direct(pair, order, False) for pair, order in zip(pairs, orders, strict=True)]
    p_first = [one.probabilities[0] for one in backend.choose(asked[:n_compared], ("A", "B"))]
    free = [replace(prompt, reply_start="", reply_end="") for prompt in asked]
    replies = backend.complete(free, Sampling(max_new_tokens=16))
    assert {(one.text, one.tokens_out, one.is_ended) for one in replies} == {
        ("[[A]]", 4, True),
        ("[[B]]", 4, True),
    }
    for p, reply in zip(p_first, replies[:n_compared], strict=True):
        assert abs(p - 0.5) < NEAR_EVEN or reply.text == ("[[A]]" if p > 0.5 else "[[B]]")
    assert sum(abs(p - 0.5) < NEAR_EVEN for p in p_first) < n_compared / 4  # three quarters tell


def test_the_notice_names_every_shipped_adapter():
    notice = (SHIPPED.parents[1] / "NOTICE").read_text(encoding="utf-8")
    for folder in FOLDERS:
        assert f"judge/shipped/{folder.name}" in notice
        assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["base_model"] in notice
