"""The student: its halves are the whole model, its gradients torch's own, its adapter loads as a judge."""

from __future__ import annotations

import json

import pytest
from models import VERDICT_MERGES, make_model, manifest_values
from pairs import pair_of

from distill.examples import token_rows
from distill.frozen import freeze_linear_layers
from distill.selection import Example, Part, targets
from distill.student import Batch, Lora, Student, batch_of, read_weights
from judge.backends import Settings, packing
from judge.backends.cpu import can_pack
from judge.backends.embedded import EmbeddedBackend
from judge.errors import ModelError
from judge.methods.direct import render_direct
from judge.models.adapters import read_adapter, write_manifest
from judge.records import Outcome

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.slow

EXAMPLES = [
    Example(
        pair_of("yes", "certainly not, no", "Is the sky blue?", "sky"), targets(Outcome.A), None, Part.TRAIN
    ),
    Example(pair_of("5", "4", "2 + 2?", "sum"), targets(Outcome.B), None, Part.TRAIN),
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny", VERDICT_MERGES, num_hidden_layers=3)


def student_of(tiny, **settings) -> Student:
    return Student(str(tiny), Lora(rank=4, alpha=8), 2048, device="cpu", **{"dtype": "float32"} | settings)


def spread(student: Student) -> None:
    """Gives a new adapter, which changes nothing yet, weights that do."""
    dice = torch.Generator().manual_seed(5)
    student.load(
        {name: 0.3 * torch.randn(one.shape, generator=dice) for name, one in student.parameters.items()}
    )


def rows_for(student: Student):
    return token_rows(EXAMPLES, student.encoder, student.end_of_turn, ties=False, is_soft=False)


def logits_of(student: Student, batch: Batch):
    """Shape (rows, tokens of a verdict, words)."""
    hidden = student.upper(batch, student.lower(batch.packing))
    return hidden.unflatten(0, (len(batch.rows), -1)) @ student.head.T


def test_only_the_upper_third_learns_and_by_names_that_an_adapters_file_has(tiny):
    student = student_of(tiny)
    assert (student.n_frozen, student.adapted_layers) == (2, [2])
    assert all(".layers.2." in name for name in student.parameters)
    assert len(student.parameters) == 2 * 7
    assert not [name for name in student.parameters if "default" in name]
    assert student_of(tiny).shape["layers"] == [2, 2]


def test_two_halves_over_packed_rows_are_the_whole_model_over_each_row_alone(tiny):
    student = student_of(tiny)
    spread(student)
    batch = batch_of(rows_for(student))
    assert len(batch.packing.ids) < batch.n_tokens  # shared beginnings stand once
    found = logits_of(student, batch)
    student.model.set_attn_implementation("sdpa")
    for row, own in zip(batch.rows, found, strict=True):
        whole = student.model(torch.tensor([row.ids])).logits[0, row.first_place :]
        assert torch.allclose(own, whole, atol=1e-3)


def test_gradients_are_those_of_each_row_alone(tiny):
    student = student_of(tiny)
    spread(student)
    batch = batch_of(rows_for(student))
    wanted = torch.tensor([row.targets for row in batch.rows])
    loss = torch.nn.functional.cross_entropy(logits_of(student, batch).flatten(0, 1), wanted.flatten())
    loss.backward()
    ours = {name: one.grad.clone() for name, one in student.parameters.items()}
    for one in student.parameters.values():
        one.grad = None
    student.model.set_attn_implementation("sdpa")
    alone = [student.model(torch.tensor([row.ids])).logits[0, row.first_place :] for row in batch.rows]
    torch.nn.functional.cross_entropy(torch.cat(alone), wanted.flatten()).backward()
    for name, one in student.parameters.items():
        assert one.grad.abs().max() > 0
        assert torch.allclose(ours[name], one.grad, rtol=1e-3, atol=1e-5), name


@pytest.mark.parametrize("saves_memory", [False, True])
def test_the_attention_for_gpus_gives_the_same_gradients(tiny, monkeypatch, saves_memory):
    gradients = []
    for way in (packing._by_segments, packing._by_sequences):
        monkeypatch.setattr(packing, "_by_segments", way)
        student = student_of(tiny, saves_memory=saves_memory)
        spread(student)
        student.adapted.train()
        logits_of(student, batch_of(rows_for(student))).square().mean().backward()
        gradients.append([one.grad for one in student.parameters.values()])
    for one, other in zip(*gradients, strict=True):
        assert one.abs().max() > 0
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("layers", [1.0, 0.01])
def test_all_layers_or_the_last_one_alone_can_learn(tiny, layers):
    student = Student(str(tiny), Lora(4, 8, layers), 2048, "cpu", "float32")
    assert len(student.adapted_layers) == (3 if layers == 1 else 1)
    spread(student)
    batch = batch_of(rows_for(student))
    found = logits_of(student, batch)
    student.model.set_attn_implementation("sdpa")
    whole = student.model(torch.tensor([batch.rows[0].ids])).logits[0, batch.rows[0].first_place :]
    assert torch.allclose(found[0], whole, atol=1e-3)


def test_saving_memory_changes_no_gradient(tiny):
    gradients = []
    for saves_memory in (False, True):
        student = student_of(tiny, saves_memory=saves_memory)
        spread(student)
        student.adapted.train()
        logits_of(student, batch_of(rows_for(student))).square().mean().backward()
        gradients.append([one.grad for one in student.parameters.values()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_saved_adapter_answers_in_a_judge_as_the_student_did(tiny, tmp_path, dtype):
    student = student_of(tiny, dtype=dtype)
    spread(student)
    student.save(tmp_path / "mine", student.parameters)
    write_manifest(tmp_path / "mine", manifest_values(tiny))
    batch = batch_of(rows_for(student))
    letters = student.encoder.choice_ids(["A", "B"], "[[")
    with torch.no_grad():
        own = logits_of(student, batch)[:, 1][:, letters].softmax(dim=1)
    backend = EmbeddedBackend(Settings(str(tiny), str(tmp_path / "mine"), dtype=dtype, device="cpu"))
    prompts = [render_direct(EXAMPLES[row.example].pair, row.order, ties=False) for row in batch.rows]
    said = [one.probabilities for one in backend.choose(prompts, ("A", "B"))]
    assert torch.allclose(torch.tensor(said), own, atol=1e-4 if dtype == "float32" else 0.02)
    assert own.max() > 0.6  # the adapter has something to say


@pytest.mark.gpu
@pytest.mark.parametrize("layers", [1 / 3, 1.0])
def test_on_a_gpu_logits_and_gradients_are_those_of_the_cpu(tiny, layers):
    found = []
    for device in ("cpu", "cuda"):
        student = Student(str(tiny), Lora(4, 8, layers), 2048, device, "float32")
        spread(student)
        logits = logits_of(student, batch_of(rows_for(student)))
        logits.square().mean().backward()
        found.append([logits.detach().cpu(), *(one.grad.cpu() for one in student.parameters.values())])
    for on_cpu, on_gpu in zip(*found, strict=True):
        assert torch.allclose(on_cpu, on_gpu, rtol=1e-2, atol=1e-3)


def test_a_saved_adapter_has_the_same_bytes_every_time_and_names_no_folder(tiny, tmp_path):
    for name in ("one", "other"):
        student_of(tiny).save(tmp_path / name, student_of(tiny).parameters)
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()
    config = json.loads((tmp_path / "one" / "adapter_config.json").read_text("utf-8"))
    assert config["base_model_name_or_path"] == "tiny"
    assert str(tiny) not in json.dumps(config)


def test_a_student_may_start_from_an_adapter_and_then_says_what_that_said(tiny, tmp_path):
    first = student_of(tiny)
    spread(first)
    first.save(tmp_path / "first", first.parameters)
    write_manifest(tmp_path / "first", manifest_values(tiny))
    second = student_of(tiny, start_from=read_adapter(tmp_path / "first"))
    batch = batch_of(rows_for(first))
    assert torch.equal(logits_of(first, batch), logits_of(second, batch))
    assert second.parameters.keys() == read_weights(tmp_path / "first").keys()


def test_weights_of_another_shape_are_refused(tiny):
    student = student_of(tiny)
    with pytest.raises(ModelError, match="other layers or another rank"):
        student.load({name: one[:1] for name, one in student.parameters.items()})


def test_a_model_whose_layers_do_not_see_all_that_came_before_is_refused(tmp_path):
    windowed = make_model(
        tmp_path / "windowed",
        VERDICT_MERGES,
        use_sliding_window=True,
        sliding_window=4,
        max_window_layers=0,
    )
    with pytest.raises(ModelError, match="needs plain causal attention in every layer"):
        student_of(windowed)


def test_frozen_layers_pass_gradients_on_as_torch_does():
    if not can_pack():
        pytest.skip("this CPU does not multiply bfloat16")
    torch.manual_seed(0)
    block = torch.nn.Sequential(torch.nn.Linear(32, 48), torch.nn.Linear(48, 16, bias=False)).bfloat16()
    block.requires_grad_(False)
    x = torch.randn(5, 32).bfloat16().requires_grad_()
    expected = block(x)
    (slope,) = torch.autograd.grad(expected.float().square().sum(), x)
    assert freeze_linear_layers(block) == 2
    found = block(x)
    (own,) = torch.autograd.grad(found.float().square().sum(), x)
    assert torch.allclose(found.float(), expected.float(), atol=0.02)
    assert torch.allclose(own.float(), slope.float(), rtol=0.05, atol=0.05)
    assert slope.abs().max() > 0.1
