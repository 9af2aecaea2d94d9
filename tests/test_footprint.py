"""A model that is read in bfloat16 and widened says to the bit what one says that is read in float32."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from models import make_model, needs_engine
from pairs import FOUR_PAIRS

from judge.backends import Sampling, Settings
from judge.backends.embedded import EmbeddedBackend
from judge.backends.footprint import (
    WIDENED,
    can_widen,
    drop_pages,
    narrow_dtype_of,
    untouched_maps,
    wide_head,
)
from judge.methods.direct import render_direct
from judge.records import Order

needs_engine()

ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells of memory on Linux")


def model_in(folder: Path, dtype: str, **config: object) -> Path:
    """A tiny model whose files hold this dtype."""
    import torch
    from transformers import AutoModelForCausalLM

    make_model(folder, **config)
    AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    return model_in(tmp_path_factory.mktemp("models") / "narrow", "bfloat16")


def backends_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[EmbeddedBackend, EmbeddedBackend]:
    """The model as it is read here, and as float32 from the file."""
    ours = EmbeddedBackend(Settings(str(folder), dtype="float32"))
    ours.load()
    with monkeypatch.context() as patched:
        patched.setattr("judge.backends.loaded.narrow_dtype_of", lambda folder: "")
        plain = EmbeddedBackend(Settings(str(folder), dtype="float32"))
        plain.load()
    return ours, plain


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("are_tied", [False, True])
def test_a_widened_model_answers_as_one_that_was_read_in_float32(dtype, are_tied, tmp_path, monkeypatch):
    folder = model_in(tmp_path / "model", dtype, tie_word_embeddings=are_tied)
    ours, plain = backends_of(folder, monkeypatch)
    heads = [one._model().model.get_output_embeddings() for one in (ours, plain)]
    assert [str(head.weight.dtype) for head in heads] == [f"torch.{dtype}", "torch.float32"]
    prompts = [render_direct(pair, order, False) for pair in FOUR_PAIRS for order in Order]
    assert ours.choose(prompts, "AB") == plain.choose(prompts, "AB")
    for sampling in (Sampling(12), Sampling(12, temperature=1.0, seed=3)):
        assert ours.complete(prompts, sampling) == plain.complete(prompts, sampling)
    asked = [(prompt, "Some words.") for prompt in prompts]
    assert ours.log_likelihoods(asked, 8) == plain.log_likelihoods(asked, 8)
    ids = [one.ids for one in ours.encode(prompts[:3])]
    one, other = (backend._model() for backend in (ours, plain))
    assert one.plain_logits(ids, (5, 6)).equal(other.plain_logits(ids, (5, 6)))
    assert one.written_padded(ids, Sampling(4)) == other.written_padded(ids, Sampling(4))
    assert one.end_states(sorted(ids)).equal(other.end_states(sorted(ids)))
    assert str(heads[0].weight.dtype) == f"torch.{dtype}", "it was wide for many calls only"


def test_a_head_that_is_asked_directly_multiplies_in_the_dtype_of_the_layers(narrow, monkeypatch):
    import torch

    ours, plain = (one._model().model for one in backends_of(narrow, monkeypatch))
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        assert ours(ids).logits.equal(plain(ids).logits)


def test_the_dtype_of_files_is_known_where_float32_holds_it_exactly(narrow, tmp_path):
    import torch
    from safetensors.torch import save_file

    assert narrow_dtype_of(narrow) == "bfloat16"
    assert narrow_dtype_of(make_model(tmp_path / "wide")) == ""
    assert narrow_dtype_of(tmp_path) == "", "no file of weights"
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    weights = {"a": torch.zeros(2, dtype=torch.bfloat16), "b": torch.zeros(2)}
    save_file(weights, mixed / "model.safetensors")
    assert narrow_dtype_of(mixed) == ""
    (mixed / "model.safetensors").write_bytes(b"broken")
    assert narrow_dtype_of(mixed) == ""


def loaded(folder: Path):
    """As transformers reads it from the file."""
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)


def test_a_model_that_does_more_with_words_than_look_them_up_is_read_as_it_always_was(narrow):
    import torch

    class Scaled(torch.nn.Embedding):
        """As Gemma's."""

    model = loaded(narrow)
    assert can_widen(model)
    plain = model.get_input_embeddings()
    model.set_input_embeddings(Scaled(300, 64))
    assert not can_widen(model)
    model.set_input_embeddings(plain)
    model.model.rotary_emb.inv_freq = model.model.rotary_emb.inv_freq.bfloat16()
    assert not can_widen(model), "a buffer was rounded"


def test_such_a_model_is_read_again_in_float32(narrow, monkeypatch):
    monkeypatch.setattr("judge.backends.loaded.can_widen", lambda model: False)
    backend = EmbeddedBackend(Settings(str(narrow), dtype="float32"))
    head = backend._model().model.get_output_embeddings()
    assert str(head.weight.dtype) == "torch.float32"
    assert not hasattr(head, WIDENED)


def test_the_head_of_any_other_model_is_left_alone(narrow):
    model = loaded(narrow)
    before = model.get_output_embeddings().weight
    with wide_head(model):
        assert model.get_output_embeddings().weight is before


@ON_LINUX
def test_pages_that_were_looked_at_are_let_go_and_come_back(tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    weight = torch.arange(2**20, dtype=torch.float32)
    save_file({"weight": weight}, tmp_path / "model.safetensors")
    file = (tmp_path / "model.safetensors").resolve()
    [mapped] = load_file(file).values()
    assert mapped.equal(weight), "so all of its pages were looked at"
    [(start, _)] = untouched_maps([file])
    assert resident(start) >= weight.nbytes
    drop_pages(tmp_path)
    assert resident(start) == 0
    assert mapped.equal(weight)


def resident(start: int) -> int:
    """Bytes of the mapping at an address that are in memory."""
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    next(line for line in lines if line.startswith(f"{start:x}-"))
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss:"))


@ON_LINUX
def test_a_mapping_that_was_written_to_is_kept(tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    save_file({"weight": torch.zeros(2**20)}, tmp_path / "model.safetensors")
    [mapped] = load_file(tmp_path / "model.safetensors").values()
    mapped[3] = 1.0
    assert untouched_maps([(tmp_path / "model.safetensors").resolve()]) == []
    drop_pages(tmp_path)
    assert mapped[3] == 1.0
