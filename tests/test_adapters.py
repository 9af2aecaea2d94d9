"""Adapters: their manifests, whether they fit, and what `judge adapters` says of them."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from models import make_adapter, make_model, manifest_values
from pairs import FOUR_PAIRS
from typer.testing import CliRunner

from judge.backends import Settings, load_backend
from judge.backends.embedded import EmbeddedBackend
from judge.cli.adaptercheck import compared, example_pairs, probabilities_of_a
from judge.cli.main import app
from judge.errors import InputError, JudgeError, ModelError
from judge.io.files import sha256_of
from judge.io.rows import shown
from judge.methods import MemoryStore, MethodSettings
from judge.models.adapters import FILES, MANIFEST, SHIPPED, check_fits, read_adapter, write_manifest
from judge.options import JudgeOptions
from judge.progress import silent
from judge.records import Share

BASE, OTHER = "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"


def files_in(folder: Path) -> Path:
    """The files of an adapter, as far as its manifest looks at them."""
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_text(f"content of {name}", encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path):
    """An adapter for BASE whose weights are none."""
    made = files_in(tmp_path / "runs" / "trial" / "adapter")
    write_manifest(made, manifest_values(BASE))
    return made


def changed(folder, **changes):
    """The same folder after these changes of its manifest; None removes a key."""
    manifest = json.loads((folder / MANIFEST).read_text("utf-8")) | changes
    kept = {key: value for key, value in manifest.items() if value is not None}
    (folder / MANIFEST).write_text(json.dumps(kept), encoding="utf-8")
    return folder


def complaint(action, kind=ModelError):
    """The one line with which the action fails."""
    with pytest.raises(kind) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- manifests


def test_what_was_written_is_what_is_read(folder):
    adapter = read_adapter(str(folder))
    assert (adapter.name, adapter.folder) == ("mine", folder)
    assert adapter.manifest["files"] == {name: sha256_of(folder / name) for name in FILES}
    assert dict(adapter.manifest).items() >= manifest_values(BASE).items()


def test_the_hash_is_that_of_the_weights_and_not_of_the_manifest(folder, tmp_path):
    before = read_adapter(folder).hash
    assert read_adapter(changed(folder, seed=7)).hash == before
    other = files_in(tmp_path / "other")
    (other / FILES[1]).write_text("other weights", encoding="utf-8")
    assert write_manifest(other, manifest_values(BASE)).hash != before


def test_a_manifest_has_a_line_a_key_and_a_line_for_all_its_hashes(folder):
    lines = (folder / MANIFEST).read_text("utf-8").splitlines()
    assert lines[:3] == ["{", '  "schema": "four-token-judge/adapter/1",', '  "name": "mine",']
    assert f'    "train": ["{"0" * 64}", "{"1" * 64}"],' in lines


def test_a_manifest_that_the_judge_could_not_read_is_not_written(tmp_path):
    folder = files_in(tmp_path / "new")
    said = complaint(lambda: write_manifest(folder, manifest_values(BASE) | {"letters": "ABD"}))
    assert "letters: must be one of AB, ABC, 123456789 (found: 'ABD')" in said
    with pytest.raises(ValueError, match="JSON"):
        write_manifest(folder, manifest_values(BASE) | {"metrics": {"loss": float("nan")}})
    (folder / FILES[1]).unlink()
    assert "no adapter_model.safetensors" in complaint(lambda: write_manifest(folder, manifest_values(BASE)))
    assert [path.name for path in folder.iterdir()] == [FILES[0]]


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
    folder = files_in(tmp_path / "new")
    (folder / MANIFEST).mkdir()
    said = complaint(lambda: write_manifest(folder, manifest_values(BASE)), InputError)
    assert f"{folder / MANIFEST}: cannot be written" in said


# --- reading what is no adapter


def test_a_folder_that_is_none_or_lacks_a_file_says_what_an_adapter_is(folder):
    assert complaint(lambda: read_adapter("runs/gone")).startswith("runs/gone: no such folder. An adapter is")
    (folder / FILES[0]).unlink()
    said = complaint(lambda: read_adapter(folder))
    assert "no adapter_config.json. An adapter is a folder with adapter_config.json, adapter_model" in said


def test_without_its_manifest_an_adapter_does_not_load(folder):
    (folder / MANIFEST).unlink()
    said = complaint(lambda: read_adapter(folder))
    assert f"{folder}: no manifest.json. It is written last, so the training was not finished" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ('{"a": 1, "a": 2}', "the key 'a' is there twice"),
        ("[]", "its schema is None. An adapter's manifest has 'four-token-judge/adapter/1'"),
        ('{"schema": "four-token-judge/adapter/2"}', "its schema is 'four-token-judge/adapter/2'"),
    ],
)
def test_a_manifest_that_is_none_is_one_clear_line(folder, text, words):
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    said = complaint(lambda: read_adapter(folder))
    assert said.startswith(f"{folder / MANIFEST}: ")
    assert words in said


def test_a_manifest_in_another_encoding_is_one_clear_line(folder):
    (folder / MANIFEST).write_bytes(b'{"name": "\xe9"}')
    assert "manifest.json: cannot be read" in complaint(lambda: read_adapter(folder))


@pytest.mark.parametrize(
    ("key", "value", "must"),
    [
        ("name", "a name/with a slash", "letters, digits and . _ -"),
        ("name", 1, "letters, digits and . _ -"),
        ("targets", "humans", "one of hard, soft, votes"),
        ("base_model", "", "text"),
        ("base_model_hash", "abc", "a SHA-256"),
        ("templates", "direct", "a list of prompt names"),
        ("templates", [], "a list of prompt names"),
        ("prompts", 5, "a SHA-256"),
        ("letters", "A", "one of AB, ABC"),
        (
            "files",
            {FILES[0]: "0" * 64},
            "an object with the SHA-256 of adapter_config.json and adapter_model",
        ),
        ("data", {"train": ["0" * 64]}, "an object with the lists train and held_out"),
        ("data", {"train": ["x"], "held_out": []}, "an object with the lists train and held_out"),
        ("data", [], "an object with the lists train and held_out"),
        ("start_from", "third", "null, or an object with the name and the hash of an adapter"),
        ("start_from", [1], "null, or an object with the name and the hash of an adapter"),
        ("start_from", {"name": "x"}, "null, or an object with the name and the hash of an adapter"),
        (
            "start_from",
            {"name": "x", "hash": "0" * 64, "start_from": {"name": "y"}},
            "null, or an object with the name and the hash of an adapter",
        ),
        ("mixed", "yes", "an object with the share, and the name and hash of the adapters before and after"),
        ("mixed", {"share": "half"}, "an object with the share, and the name and hash of the adapters"),
        ("metrics", [1, 2], "an object"),
        ("lora", "8", "an object, its layers a list of numbers"),
        ("lora", {"layers": 3}, "an object, its layers a list of numbers"),
        ("settings", [], "an object"),
    ],
)
def test_a_key_of_the_wrong_kind_is_named_with_what_it_must_be(folder, key, value, must):
    said = complaint(lambda: read_adapter(changed(folder, **{key: value})))
    assert said.startswith(f"{folder / MANIFEST}: {key}: must be {must}")
    assert said.endswith(f" (found: {shown(value)}).")


def test_all_missing_keys_are_named_at_once(folder):
    said = complaint(lambda: read_adapter(changed(folder, name=None, letters=None, files=None)))
    assert re.findall(r"(\w+): missing, must be", said) == ["name", "letters", "files"]


def test_weights_that_changed_after_the_training_are_refused(folder):
    (folder / FILES[1]).write_text("other weights", encoding="utf-8")
    said = complaint(lambda: read_adapter(folder))
    assert f"{folder}: adapter_model.safetensors changed after the training" in said


# --- whether it fits


@pytest.mark.parametrize("backend", ["embedded", "vllm"])
def test_another_base_model_is_refused_before_anything_is_loaded(folder, backend):
    assert load_backend(backend, Settings(BASE, str(folder))).engine.adapter == "mine"
    said = complaint(lambda: load_backend(backend, Settings(OTHER, str(folder))).engine)
    assert (
        said == f"{folder}: made for the base model {BASE} (hash 1d9614638d18), not for {OTHER} (hash "
        "cc324af070c2). Name its own with --base-model."
    )


@pytest.mark.parametrize("backend", ["embedded", "vllm"])
def test_a_prompt_that_was_edited_since_is_refused_even_an_included_one(folder, backend, monkeypatch):
    from judge import prompts

    source = prompts._source
    monkeypatch.setattr(prompts, "_source", lambda name: source(name) + "!" * (name == "pair"))
    said = complaint(lambda: load_backend(backend, Settings(BASE, str(folder))).engine)
    assert f"{folder}: the prompts (direct) are not those that it was trained with" in said


def test_a_prompt_that_is_not_there_any_more_is_refused(folder):
    adapter = read_adapter(changed(folder, templates=["direct", "gone"]))
    said = complaint(lambda: check_fits(adapter, BASE, adapter.manifest["base_model_hash"]))
    assert "the prompts (direct, gone) are not those" in said


def test_ties_need_an_adapter_that_was_trained_with_them(folder):
    judge = JudgeOptions(method_settings=MethodSettings(ties=True), settings=Settings(BASE, str(folder)))
    said = complaint(lambda: judge.load(silent, MemoryStore()), InputError)
    assert said == (
        "--ties: the adapter mine was trained to answer A or B only. Leave --ties out, or judge without an "
        "adapter: --adapter none."
    )
    changed(folder, letters="ABC")
    assert judge.load(silent, MemoryStore()).identity.letters == "ABC"


def test_without_ties_any_adapter_will_do(folder):
    assert JudgeOptions(settings=Settings(BASE, str(folder))).load(silent, MemoryStore())


# --- judge adapters


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `judge adapters` beside the folder `runs`: what it prints, or the one line it fails with."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        done = CliRunner().invoke(app, ["adapters", *map(str, arguments)], env={"COLUMNS": "100"})
        if isinstance(done.exception, JudgeError):
            assert "\n" not in str(done.exception)
            return f"judge: {done.exception}"
        assert done.exit_code == 0, (done.output, done.exception)
        return done.stdout

    return run


def test_a_list_has_a_line_an_adapter_and_says_why_one_does_not_load(run, folder, tmp_path):
    votes = files_in(tmp_path / "runs" / "voted")
    write_manifest(votes, manifest_values(BASE, "voted") | {"targets": "votes"})
    files_in(tmp_path / "runs" / "broken")
    (tmp_path / "runs" / "empty").mkdir()
    assert run("list", "runs").splitlines() == [
        "does not load: runs/broken: no manifest.json. It is written last, so the training was not finished, "
        "or this adapter was not made by `judge distill`.",
        "mine  qwen2.5-coder-0.5b  hard targets  2 pairs  runs/trial/adapter",
        "voted  qwen2.5-coder-0.5b  human votes  2 pairs  runs/voted",
    ]


def test_a_list_looks_in_the_folders_given_and_two_levels_below(run, folder, tmp_path):
    line = "mine  qwen2.5-coder-0.5b  hard targets  2 pairs"
    for root in ("runs", "runs/trial", "runs/trial/adapter"):
        assert run("list", root) == f"{line}  runs/trial/adapter\n"
    assert "There is no adapter in ." in run("list", ".")
    assert run("list", "gone").startswith("judge: gone: no such folder")


def test_without_a_folder_it_looks_in_runs_and_in_the_package(run, folder):
    lines = run("list").splitlines()
    assert lines.pop(-1) == "mine  qwen2.5-coder-0.5b  hard targets  2 pairs  runs/trial/adapter"
    assert [line.split("  ")[-1] for line in lines] == [
        str(path.parent) for path in sorted(SHIPPED.glob("*/manifest.json"))
    ]


def test_an_empty_list_says_how_to_make_an_adapter(run, tmp_path):
    (tmp_path / "runs").mkdir()
    assert run("list", "runs") == (
        "There is no adapter in runs. `judge distill` makes one; see: judge distill --help\n"
    )


FULL = {
    "lora": {"rank": 16, "alpha": 32, "layers": [16, 23], "modules": ["q_proj", "v_proj"]},
    "data": {
        "pairs": "OASST1, every two replies to one prompt",
        "selection": "5" * 64,
        "train": ["0" * 64] * 1200,
        "held_out": ["2" * 64],
        "contrast": {"swapped question": 30},
        "left_out": {"no reply": 2, "a tie": 1},
        "contamination": {},
    },
    "start_from": {"name": "earlier", "hash": "6" * 64},
    "settings": {"name": "trial", "train": {"learning_rate": 3e-4, "votes": "", "patience": 3}},
    "seed": 0,
    "metrics": {
        "steps": 90,
        "tokens_per_s": 1234.5,
        "least_loss": -0.0,
        "before": {"letter_loss": 0.70123, "agreement": {"count": 50, "total": 100}},
        "after": {"letter_loss": 0.51, "agreement": {"count": 71, "total": 100}},
    },
    "commit": "c" * 40,
    "cpu": "some CPU",
    "cores": 2,
    "gpu": "none",
    "versions": {"python": "3.11.7", "peft": "0.21.2"},
    "measured_at": "2026-01-31",
}


def test_an_adapter_is_shown_as_labelled_lines(run, folder):
    changed(folder, **FULL)
    assert run("show", folder).replace(str(folder), "FOLDER") == (
        """\
Adapter         mine
Folder          FOLDER
Base model      qwen2.5-coder-0.5b, hash 1d9614638d18
Taught by       the winners that a slow judge named
Prompts         direct, fingerprint PROMPTS
Answers         A or B
LoRA            rank 16, alpha 32, layers 16 to 23, modules q_proj v_proj
Pairs           1,200 to learn from, 1 held out
Contrast pairs  swapped question 30
Data            pairs OASST1, every two replies to one prompt, selection
                5555555555555555555555555555555555555555555555555555555555555555, left out (no reply
                2, a tie 1)
Started from    earlier, hash 6666666666666666666666666666666666666666666666666666666666666666
Before          letter loss 0.7012, agreement 50 of 100
After           letter loss 0.51, agreement 71 of 100
Training        steps 90, tokens per s 1,234, least loss 0
Seed            0
Settings        learning rate 0.0003, patience 3
Versions        python 3.11.7, peft 0.21.2
Hardware        cpu some CPU, cores 2, gpu none
Commit          cccccccccccccccccccccccccccccccccccccccc
Day             2026-01-31
""".replace("PROMPTS", manifest_values(BASE)["prompts"][:12])
    )


def test_an_adapter_that_is_fast_and_slow_says_how_it_learned_that_and_others_do_not(run, folder):
    assert "Fast and slow" not in run("show", folder)
    learned = {"levels": [0.4, 0.1, 0.1, 0.1, 0.3], "fast": "[[", "slow": "Plan"}
    said = run("show", changed(folder, dual=learned))
    assert "Fast and slow   levels 0.4 0.1 0.1 0.1 0.3, fast [[, slow Plan\n" in said


def test_a_judge_that_learned_the_rows_of_a_file_says_rows_and_names_no_teacher(run, folder):
    data = {"rows": "right.jsonl", "train": ["0" * 64] * 1200, "held_out": ["2" * 64]}
    start = {"name": "earlier", "hash": "6" * 64, "data": data}
    said = run("show", changed(folder, data=data, start_from=start))
    assert re.search(r"^Taught by +rows of a file, each a working or a verdict$", said, re.MULTILINE)
    assert re.search(r"^Rows +1,200 to learn from, 1 held out$", said, re.MULTILINE)
    assert re.search(r"^Started from +earlier, hash 6{64},\s+1,200 rows$", said, re.MULTILINE)
    assert "1,200 rows" in run("list")


def test_an_adapter_made_of_human_votes_says_so_loudly(run, folder):
    assert "HUMAN VOTES" not in run("show", folder)
    assert "HUMAN VOTES: it was fine-tuned on what people voted" in run(
        "show", changed(folder, targets="votes")
    )


def test_text_of_a_manifest_steers_no_terminal(run, folder):
    changed(folder, base_model="\x1b[2J\u202ename", versions={"\x9bx": "\x07"})
    said = run("show", folder) + run("list")
    assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(said)


def test_the_whole_manifest_is_there_as_json(run, folder):
    changed(folder, **FULL)
    assert json.loads(run("show", folder, "--json")) == json.loads((folder / MANIFEST).read_text("utf-8"))


def test_what_does_not_load_is_not_shown_or_verified(run, folder):
    (folder / MANIFEST).unlink()
    for verb in ("show", "verify"):
        assert run(verb, folder).startswith(f"judge: {folder}: no manifest.json.")


# --- with a model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def adapter(tiny, tmp_path_factory):
    return make_adapter(tiny, tmp_path_factory.mktemp("adapters") / "mine", name="tiny-judge")


@pytest.mark.slow
def test_verify_says_each_check_as_it_passes(run, tiny, adapter):
    *passed, comparison, last = run(
        "verify", adapter, "--base-model", tiny, "--dtype", "float32"
    ).splitlines()
    assert passed == [
        "files: adapter_config.json, adapter_model.safetensors are those of manifest.json",
        f"base model: {tiny} is the one it was made for, and whole (hash "
        f"{read_adapter(adapter).manifest['base_model_hash'][:12]})",
        "prompts: direct as in the training",
        "answers: it changes those of the base model",
    ]
    assert re.fullmatch(
        r"merged and unmerged: 0\.00\d\d apart in mean P\(A\) over 48 readings \(at most 0\.01\), the same "
        r"letter in (\d+) of \1 where \|P\(A\) - 0\.5\| > 0\.05",
        comparison,
    )
    assert last == "tiny-judge is whole and fits."


def test_verify_reads_the_files_again_even_where_they_seem_untouched(run, folder):
    weights = folder / FILES[1]
    before = weights.stat()
    weights.write_text(weights.read_text("utf-8").swapcase(), encoding="utf-8")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read_adapter(folder).name == "mine"
    assert "adapter_model.safetensors changed after the training" in run("verify", folder)


@pytest.mark.slow
def test_verify_fails_in_one_line_where_the_base_or_a_prompt_is_another(run, folder, tiny):
    assert "made for the base model qwen2.5-coder-0.5b" in run("verify", folder, "--base-model", tiny)
    changed(folder, **manifest_values(tiny) | {"prompts": "0" * 64})
    assert "the prompts (direct) are not those" in run("verify", folder, "--base-model", tiny)


@pytest.mark.slow
def test_verify_fails_in_one_line_where_the_adapter_changes_nothing(run, tiny, tmp_path):
    idle = make_adapter(tiny, tmp_path / "idle", scale=0.0)
    assert "changes nothing about this base model's answers" in run("verify", idle, "--base-model", tiny)


@pytest.mark.slow
def test_verify_fails_in_one_line_where_merging_changes_answers(run, tiny, adapter, monkeypatch):
    from judge.cli import adaptercheck

    answers = {"embedded-cpu": [0.9, 0.4], "embedded-cpu-merged": [0.9, 0.6]}
    monkeypatch.setattr(
        adaptercheck, "probabilities_of_a", lambda backend, pairs, method: answers[backend.engine.backend]
    )
    said = run("verify", adapter, "--base-model", tiny)
    assert (
        "merged into the base model it answers otherwise: 0.1000 apart in mean P(A) over 2 readings" in said
    )
    assert "the same letter in 1 of 2 where" in said


@pytest.mark.slow
def test_a_backend_that_is_loaded_at_once_checks_the_fit_too(adapter, tmp_path):
    other = make_model(tmp_path / "other", num_hidden_layers=1)
    said = complaint(EmbeddedBackend(Settings(str(other), str(adapter))).load)
    assert "made for the base model tiny" in said


@pytest.mark.slow
def test_a_loaded_judge_keeps_its_name_when_another_adapter_comes_into_its_folder(tiny, adapter, tmp_path):
    folder = shutil.copytree(adapter, tmp_path / "adapter")
    backend = EmbeddedBackend(Settings(str(tiny), str(folder), dtype="float32"))
    before, p_before = backend.engine, probabilities_of_a(backend, FOUR_PAIRS)
    shutil.rmtree(folder)
    make_adapter(tiny, folder, scale=0.7)
    assert backend.engine == before
    assert probabilities_of_a(backend, FOUR_PAIRS) == p_before
    assert EmbeddedBackend(Settings(str(tiny), str(folder), dtype="float32")).engine != before


@pytest.mark.slow
def test_merged_and_unmerged_are_two_engines_with_one_answer(tiny, adapter):
    settings = Settings(str(tiny), str(adapter), dtype="float32")
    beside, merged, bare = (
        EmbeddedBackend(settings),
        EmbeddedBackend(settings, is_merged=True),
        EmbeddedBackend(Settings(str(tiny), dtype="float32")),
    )
    p_beside, p_merged, p_bare = (probabilities_of_a(one, FOUR_PAIRS) for one in (beside, merged, bare))
    assert len(p_beside) == 8
    assert p_merged == pytest.approx(p_beside, abs=1e-4)
    assert max(abs(one - other) for one, other in zip(p_merged, p_bare, strict=True)) > 0.01
    assert any(hasattr(one, "lora") for one in beside._model().model.modules())
    assert not any(hasattr(one, "lora") for one in merged._model().model.modules())
    assert beside.engine != merged.engine


@pytest.mark.parametrize(
    ("beside", "merged", "mean", "same", "is_close"),
    [
        ([0.9, 0.1], [0.905, 0.095], 0.005, Share(2, 2), True),
        ([0.54, 0.46], [0.49, 0.51], 0.05, Share(0, 0), False),
        ([0.508, 0.492], [0.499, 0.501], 0.009, Share(0, 0), True),
        ([0.9, 0.56, 0.1], [0.9, 0.499, 0.1], 0.061 / 3, Share(2, 3), False),
        ([0.9, 0.44] + [0.1] * 98, [0.9, 0.501] + [0.1] * 98, 0.00061, Share(99, 100), False),
    ],
)
def test_two_ways_are_close_where_a_hand_says_so(beside, merged, mean, same, is_close):
    found = compared(beside, merged)
    assert found.mean_difference == pytest.approx(mean)
    assert (found.n, found.same_letter, found.is_close) == (len(beside), same, is_close)


@pytest.mark.weights
def test_merged_into_the_real_model_an_adapter_gives_the_same_answers_and_both_are_packed(tmp_path, real):
    """Random weights that move the answers far more than merging does."""
    settings = Settings(adapter=str(random_adapter(tmp_path / "random")))
    found = []
    for backend in (EmbeddedBackend(settings), EmbeddedBackend(settings, is_merged=True), real):
        found.append(probabilities_of_a(backend, example_pairs()[:10]))
        assert backend._model().can_pack
    beside, merged, bare = found
    comparison = compared(beside, merged)
    print(comparison)
    assert comparison.n == 20
    assert comparison.is_close, str(comparison)
    assert comparison.same_letter.total >= 3
    assert compared(bare, beside).mean_difference > 5 * comparison.mean_difference


def random_adapter(folder):
    """LoRA with random weights on all linear modules of the upper third of the real model's layers."""
    import peft
    import torch
    import transformers

    from judge.models import basemodels

    torch.manual_seed(0)
    base = basemodels.fetch(BASE).folder
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    config = peft.LoraConfig(
        r=16,
        lora_alpha=32,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        layers_to_transform=list(range(16, 24)),
        task_type="CAUSAL_LM",
    )
    wrapped = peft.get_peft_model(model, config)
    for name, weights in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.01)
    wrapped.save_pretrained(folder)
    write_manifest(folder, manifest_values(BASE, "random"))
    return folder
