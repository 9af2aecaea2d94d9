"""The last layer computes what is asked of it, and nothing that is asked changes."""

from __future__ import annotations

import pytest
from models import make_model

from judge.backends import Sampling, Settings
from judge.backends.last_layer import only_at, parts_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    folder = make_model(tmp_path_factory.mktemp("models") / "tiny")
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder).eval().base_model


def hidden_of(body, ids):
    import torch

    with torch.inference_mode():
        return body(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0]


@pytest.mark.parametrize("rows", [[7], [0, 3, 7], [7, 2]])
def test_the_tokens_asked_for_are_what_they_are_without_it(body, rows):
    ids = [5, 9, 2, 11, 4, 8, 3, 6]
    whole = hidden_of(body, ids)
    with only_at(body, rows):
        some = hidden_of(body, ids)
    assert some.shape == whole.shape
    assert some[rows].sub(whole[rows]).abs().max() < 1e-5
    others = [place for place in range(len(ids)) if place not in rows]
    assert some[others].sub(whole[others]).abs().max() > 1e-3, "the others were left out"


def test_only_these_tokens_go_through_the_parts(body):
    seen = []
    hooks = [
        part.register_forward_hook(lambda _, given, out: seen.append(given[0].shape[1]))
        for part in parts_of(body)
    ]
    with only_at(body, [1, 4]):
        hidden_of(body, range(2, 12))
    for hook in hooks:
        hook.remove()
    assert seen == [2, 2, 2]


def test_of_prompts_that_are_written_on_and_of_likelihoods_the_last_layer_computes_what_is_read(
    tmp_path_factory,
):
    from judge.backends.loaded import LoadedModel

    folder = make_model(tmp_path_factory.mktemp("models") / "tiny")
    model = LoadedModel(Settings(str(folder)), "cpu", "float32")
    seen = []
    for part in parts_of(model.model.base_model):
        part.register_forward_hook(lambda _, given, out: seen.append(given[0].shape[1]))
    one, other = tuple(range(2, 40)), tuple(range(3, 60))
    model.written([one, other], Sampling(max_new_tokens=1))
    assert seen == [1, 1, 1, 2, 2, 2], "keys and values of the prompts, then a step of two rows"
    seen.clear()
    model.log_likelihoods([(one, 30), (other, 50)])
    assert seen == [len(one) - 30 + len(other) - 50] * 3


def test_afterwards_everything_is_computed_again_even_if_it_failed(body):
    ids = [5, 9, 2, 11]
    whole = hidden_of(body, ids)
    with pytest.raises(ZeroDivisionError), only_at(body, [0]):
        raise ZeroDivisionError
    assert hidden_of(body, ids).equal(whole)


def test_a_model_whose_layers_have_other_names_computes_everything():
    torch = pytest.importorskip("torch")

    model = torch.nn.Linear(2, 3)
    assert parts_of(model) == []
    with only_at(model, [0]):
        assert model(torch.ones(1, 4, 2)).shape == (1, 4, 3)
