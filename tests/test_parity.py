"""The check of the quick ways against a model's own, on a tiny random model on the CPU."""

from __future__ import annotations

import pytest
from models import make_model

from judge.backends import Settings, parity
from judge.backends.parity import N_REPLIES, check_parity
from judge.errors import BackendError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from judge.backends.loaded import LoadedModel

    folder = make_model(tmp_path_factory.mktemp("models") / "tiny")
    return LoadedModel(Settings(str(folder)), "cpu", "float32")


@pytest.fixture(autouse=True)
def short_sentences(monkeypatch):
    """The tiny model reads bytes, so that whole sentences would be long."""
    monkeypatch.setattr(parity, "SENTENCES", ("so. ", "no. ", "yes and no. ", "if so. ", "not. "))
    monkeypatch.setattr(parity, "N_NEW", 6)


def test_a_sound_model_passes_and_the_figures_say_how_closely(model):
    found = check_parity(model)
    assert found["max_difference_log_odds"] < 1e-3
    assert found["mean_difference_log_odds"] <= found["max_difference_log_odds"]
    assert found["n_same_letters"] == found["n"] == 24
    assert N_REPLIES < found["n_tokens"] == found["n_same_tokens"]
    assert found["elapsed_s"] > 0


def test_prompts_share_beginnings_and_differ_in_length(model):
    encoded = model.encoder.encode(parity._prompts(24, "[["))
    lengths = {len(one.ids) for one in encoded}
    assert len(lengths) > 12
    assert max(lengths) > 1.5 * min(lengths)


@pytest.mark.parametrize(
    ("shift", "is_everywhere", "said"),
    [
        (0.8, False, "the largest difference in log-odds: 0.8, at most 0.75 is rounding"),
        (0.2, True, "the mean difference in log-odds: 0.2, at most 0.15 is rounding"),
        (float("nan"), False, "the largest difference in log-odds: nan"),
    ],
)
def test_other_log_odds_are_refused_by_their_figure(model, monkeypatch, shift, is_everywhere, said):
    plain = model.plain_logits

    def shifted(sequences, ids):
        logits = plain(sequences, ids).clone()
        logits[slice(None) if is_everywhere else slice(1), 0] += shift
        return logits

    monkeypatch.setattr(model, "plain_logits", shifted)
    with pytest.raises(BackendError, match=said):
        check_parity(model)


def test_replies_that_begin_otherwise_are_refused_but_one_may(model, monkeypatch):
    padded = model.written_padded
    n_changed = 1

    def changed(sequences, sampling):
        rows = padded(sequences, sampling)
        return [[row[0] + 1, *row[1:]] if i < n_changed else row for i, row in enumerate(rows)]

    monkeypatch.setattr(model, "written_padded", changed)
    monkeypatch.setattr(model, "end_ids", set)
    found = check_parity(model, n=4)
    assert found["n_same_tokens"] == found["n_tokens"] - 1
    n_changed = 2
    with pytest.raises(BackendError, match="replies that begin otherwise: 2, at most 1 is rounding"):
        check_parity(model, n=4)


@pytest.mark.gpu
@pytest.mark.weights
def test_on_a_gpu_the_quick_ways_are_the_models_own():
    from judge.backends.loaded import LoadedModel

    check_parity(LoadedModel(Settings(), "cuda", "bfloat16"))
