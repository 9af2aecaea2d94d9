"""A checkpoint that is small enough to be committed: what it keeps, what it weighs, and what it refuses."""

from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_train import Killed, killed_at, tiny, training_of  # noqa: F401  tiny is a fixture

from distill.checkpoint import MOST, OCTAVES, SmallCheckpoint, coded, decoded
from judge.errors import InputError

torch = pytest.importorskip("torch")
safe_open = pytest.importorskip("safetensors").safe_open
save = pytest.importorskip("safetensors.torch").save

pytestmark = pytest.mark.slow


@pytest.fixture
def often(monkeypatch):
    """Written after every step, not every ten minutes."""
    monkeypatch.setattr(SmallCheckpoint, "every_s", -1.0)


def small_of(tiny, folder, small, **more):  # noqa: F811
    training = training_of(tiny, folder, **more)
    training.small = small
    return training


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=40))
def test_a_code_of_eight_bits_is_right_to_a_twentieth(numbers):
    tensor = torch.tensor(numbers)
    codes, most = coded(tensor)
    assert codes.dtype == torch.int8
    assert codes.abs().max() <= MOST
    found = decoded(codes, most)
    assert torch.equal(found.sign(), tensor.sign()) or most < 1e-35
    told_apart = tensor.abs() >= most * 2.0**-OCTAVES
    assert torch.allclose(found[told_apart], tensor[told_apart], rtol=0.046, atol=1e-36)
    assert (found[~told_apart].abs() <= most * 2.0**-OCTAVES * 1.001).all()


def test_zeros_stay_zeros():
    codes, most = coded(torch.zeros(3))
    assert torch.equal(decoded(codes, most), torch.zeros(3))


def test_another_machine_goes_on_from_the_small_file_and_ends_nearly_alike(tiny, tmp_path, often):  # noqa: F811
    small = SmallCheckpoint(tmp_path / "small.safetensors", "recipe")
    whole = training_of(tiny, tmp_path / "whole")
    start = {name: one.detach().clone() for name, one in whole.weights.items()}
    end = whole.run()
    with pytest.raises(Killed):
        small_of(tiny, tmp_path / "here", small).run(killed_at(6))
    shutil.rmtree(tmp_path / "here")
    steps: list[int] = []
    again = small_of(tiny, tmp_path / "there", small, key="another machine's").run(
        lambda stage, done, total: steps.append(done) if stage.startswith("training") else None
    )
    assert steps == [6, 7, 8]
    assert [one.loss for one in again.history.steps] == pytest.approx(
        [one.loss for one in end.history.steps], rel=0.02
    )
    moved = sum((one - start[name]).norm() ** 2 for name, one in end.weights.items()) ** 0.5
    apart = sum((one - again.weights[name]).norm() ** 2 for name, one in end.weights.items()) ** 0.5
    assert 0 < apart < 0.05 * moved


def test_it_has_four_bytes_a_weight_and_two_more_once_a_look_was_best(tiny, tmp_path, often):  # noqa: F811
    small = SmallCheckpoint(tmp_path / "small.safetensors", "recipe")
    training = small_of(tiny, tmp_path / "run", small)
    n_weights = sum(one.numel() for one in training.weights.values())
    overhead = 200 * 7 * len(training.weights) + 2000  # names and places in the head of the file
    with pytest.raises(Killed):
        training.run(killed_at(2))
    before = small.path.stat().st_size
    assert 4 * n_weights < before < 4 * n_weights + overhead
    small_of(tiny, tmp_path / "run", small).run()
    assert 6 * n_weights < small.path.stat().st_size < 6 * n_weights + overhead


def test_the_runs_own_checkpoint_comes_first(tiny, tmp_path, often, monkeypatch):  # noqa: F811
    small = SmallCheckpoint(tmp_path / "small.safetensors", "recipe")
    whole = training_of(tiny, tmp_path / "whole").run()
    with pytest.raises(Killed):
        small_of(tiny, tmp_path / "here", small).run(killed_at(7))
    again = small_of(tiny, tmp_path / "here", small).run()
    assert all(torch.equal(one, again.weights[name]) for name, one in whole.weights.items())


def test_the_file_that_is_further_is_gone_on_from(tiny, tmp_path, often):  # noqa: F811
    small = SmallCheckpoint(tmp_path / "small.safetensors", "recipe")
    with pytest.raises(Killed):
        training_of(tiny, tmp_path / "here").run(killed_at(3))
    with pytest.raises(Killed):
        small_of(tiny, tmp_path / "there", small, key="another machine's").run(killed_at(7))
    steps: list[int] = []
    small_of(tiny, tmp_path / "here", small).run(
        lambda stage, done, total: steps.append(done) if stage.startswith("training") else None
    )
    assert steps == [7, 8]


def damaged(path, change):
    """Rewrites a checkpoint, its tensors and what it says changed in place."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
    state = json.loads(metadata["state"])
    change(tensors, state)
    path.write_bytes(save(tensors, metadata=metadata | {"state": json.dumps(state)}))


def first_of(tensors):
    return min(name for name in tensors if name.startswith("weights/"))


def widen(tensors, state):
    tensors[first_of(tensors)] = torch.zeros(3, 3)


def fill_with_nan(tensors, state):
    tensors[first_of(tensors)].fill_(float("nan"))


def lengthen(tensors, state):
    state["history"]["steps"] *= 100


DAMAGES = {
    "weights differ: ": lambda tensors, state: tensors.pop(first_of(tensors)),
    r"has shape \[3, 3\], not": widen,
    "holds what is no number": fill_with_nan,
    "it is at step 200 of 8": lengthen,
    "elapsed_s": lambda tensors, state: state.update(elapsed_s="long"),
    "history": lambda tensors, state: state.pop("history"),
}


@pytest.mark.parametrize("complaint", DAMAGES)
@pytest.mark.parametrize("kind", ["own", "small"])
def test_a_file_whose_content_is_wrong_is_one_line_and_stays(tiny, tmp_path, often, kind, complaint):  # noqa: F811
    small = SmallCheckpoint(tmp_path / "small.safetensors", "recipe")
    own = training_of(tiny, tmp_path / "here").checkpoint.path
    with pytest.raises(Killed):
        small_of(tiny, tmp_path / "here", small).run(killed_at(3))
    path = own if kind == "own" else small.path
    damaged(path, DAMAGES[complaint])
    kept = path.read_bytes()
    with pytest.raises(InputError, match=f"is no checkpoint of a training .*{complaint}.*emove it") as caught:
        small_of(tiny, tmp_path / "here", small).run()
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == kept


def test_a_broken_file_in_the_runs_folder_says_what_to_do(tiny, tmp_path):  # noqa: F811
    training = training_of(tiny, tmp_path / "here")
    training.checkpoint.path.parent.mkdir(parents=True, exist_ok=True)
    training.checkpoint.path.write_bytes(b"")
    with pytest.raises(InputError, match="Remove it: the training then begins anew"):
        training.run()


def test_a_small_file_of_another_run_or_of_something_else_is_one_line(tiny, tmp_path, often):  # noqa: F811
    path = tmp_path / "small.safetensors"
    with pytest.raises(Killed):
        small_of(tiny, tmp_path / "here", SmallCheckpoint(path, "recipe")).run(killed_at(3))
    kept = path.read_bytes()
    with pytest.raises(InputError, match=r"small\.safetensors: the checkpoint of another training.*remove"):
        small_of(tiny, tmp_path / "there", SmallCheckpoint(path, "another recipe")).run()
    assert path.read_bytes() == kept
    for other in (kept[:1000], b"", b"words\n"):
        path.write_bytes(other)
        with pytest.raises(InputError, match=r"small\.safetensors: is no checkpoint of a training"):
            small_of(tiny, tmp_path / "there", SmallCheckpoint(path, "recipe")).run()
