"""Free replies of many rows at once against the plain way: one prompt at a time through the model itself."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from models import make_adapter, make_model, manifest_values
from pairs import FOUR_PAIRS, pair_of

from judge.backends import Sampling, Settings, remembering, until_stop
from judge.backends.beginnings import FED, Beginnings
from judge.backends.cpu import can_pack, pack_linear_layers
from judge.backends.decoding import (
    GPU_MAX_MEMORY_TOKENS,
    GPU_MEMORY_SHARE,
    MAX_MEMORY_TOKENS,
    MAX_ROWS,
    Limits,
    Memory,
    Stops,
    how_many_fit,
    is_time_to_renew,
    limits_of,
    next_tokens,
    tokens_in,
)
from judge.backends.embedded import EmbeddedBackend
from judge.backends.integration import lora_layers
from judge.backends.lora import unwrap_lora
from judge.backends.packing import pack
from judge.errors import ModelError
from judge.methods.direct import render_direct
from judge.records import Order

pytestmark = pytest.mark.slow  # transformers alone takes seconds to import

ALL_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def backend(tiny):
    return EmbeddedBackend(Settings(str(tiny), dtype="float32"))


def prompts_of(pairs=FOUR_PAIRS):
    return [render_direct(pair, order, ties=False) for pair in pairs for order in Order]


def peft_model(model, adapter=None, dtype=None):
    """A model as transformers reads it, with an adapter in peft's wrappers."""
    import peft
    from transformers import AutoModelForCausalLM

    bare = AutoModelForCausalLM.from_pretrained(model, dtype=dtype or "float32").eval()
    if adapter is None:
        return bare
    wrapped = peft.PeftModel.from_pretrained(bare, adapter, autocast_adapter_dtype=False)
    return wrapped.get_base_model().eval()


def greedy(backend, ids, n_new):
    """The continuation by whole passes through the model, nothing cached."""
    import torch

    loaded = backend._model()
    ids, written = list(ids), []
    for _ in range(n_new):
        with torch.inference_mode():
            token = int(loaded.model(torch.tensor([ids])).logits[0, -1].argmax())
        ids.append(token)
        written.append(token)
        if token in loaded.end_ids():
            break
    return written


def own_reply(loaded, ids):
    return loaded._reply(ids, loaded.end_ids(), loaded._stops(Sampling()))


@pytest.mark.slow
def test_every_row_goes_on_as_if_it_were_alone(backend):
    prompts = prompts_of()
    replies = backend.complete(prompts, Sampling(max_new_tokens=12))
    loaded = backend._model()
    for prompt, reply in zip(prompts, replies, strict=True):
        [encoded] = backend.encode([prompt])
        written = greedy(backend, encoded.ids, 12)
        assert (reply.text, reply.tokens_out, reply.is_ended) == own_reply(loaded, written)


@pytest.mark.slow
def test_rows_that_end_early_are_dropped_and_change_no_other(backend, monkeypatch):
    prompts = prompts_of()
    loaded = backend._model()
    alone = [backend.complete([prompt], Sampling(max_new_tokens=16))[0].text for prompt in prompts]
    often = max(
        {token for text in alone for token in text.encode()}, key=lambda t: sum(chr(t) in x for x in alone)
    )
    end = loaded.tokenizer.convert_tokens_to_ids(loaded.tokenizer.tokenize(chr(often)))[0]
    monkeypatch.setattr(loaded, "end_ids", lambda: {end})
    together = backend.complete(prompts, Sampling(max_new_tokens=16))
    assert any(reply.is_ended and reply.tokens_out < 16 for reply in together)
    apart = [backend.complete([prompt], Sampling(max_new_tokens=16))[0] for prompt in prompts]
    assert together == apart


@pytest.mark.slow
def test_a_beginning_that_prompts_share_is_computed_once(backend):
    prompts = prompts_of([pair_of("x" * 40, "y" * 40), pair_of("x" * 40, "z" * 40)])
    before = backend.tokens_computed
    replies = backend.complete([*prompts, *prompts], Sampling(max_new_tokens=2))
    computed = backend.tokens_computed - before
    assert replies[: len(prompts)] == replies[len(prompts) :]
    assert computed < sum(reply.tokens_in for reply in replies) / 3


@pytest.mark.slow
@pytest.mark.parametrize("n_read", [0, 3, 8])
def test_prompts_that_were_looked_at_are_not_read_again_to_go_on_from_them(backend, n_read):
    """Their replies are the same, whatever others are there that were not looked at."""
    pairs = [pair_of(letter * 40, letter.upper() * 40) for letter in "wxyz"]
    bare = [replace(prompt, reply_start="", reply_end="") for prompt in prompts_of(pairs)]
    begun = [replace(prompt, reply_start="Plan\n") for prompt in bare]
    before = backend.tokens_computed
    alone = backend.complete(begun, Sampling(max_new_tokens=12))
    n_alone = backend.tokens_computed - before
    with remembering(backend):
        chosen = backend.choose(bare[:n_read], ("A", "B")) if n_read else []
        n_chosen = backend.tokens_computed - before - n_alone
        found = backend.complete(begun, Sampling(max_new_tokens=12))
    n_found = backend.tokens_computed - before - n_alone - n_chosen
    assert found == alone
    assert len(chosen) == n_read
    n_words = len(backend._model().encoder.plain_ids("Plan\n"))
    if n_read == len(begun):
        assert n_found == len(begun) * n_words
    else:
        assert n_found == n_alone if not n_read else n_found < n_alone
    assert backend._model()._beginnings is None


@pytest.mark.slow
def test_what_there_is_no_room_for_is_read_again(backend, monkeypatch):
    bare = [replace(prompt, reply_start="", reply_end="") for prompt in prompts_of()]
    before = backend.tokens_computed
    alone = backend.complete(bare, Sampling(max_new_tokens=4))
    n_alone = backend.tokens_computed - before
    monkeypatch.setattr(backend._model(), "_limits", lambda: Limits(128, n_alone - 1))
    with remembering(backend):
        backend.choose(bare, ("A", "B"))
        before = backend.tokens_computed
        begun = [replace(prompt, reply_start="Plan\n") for prompt in bare]
        backend.complete(begun, Sampling(max_new_tokens=4))
        assert backend.tokens_computed - before > n_alone
    assert backend.complete(bare, Sampling(max_new_tokens=4)) == alone


def test_of_kept_beginnings_the_longest_counts_that_leaves_a_token_and_few():
    def kept(*sequences):
        made = Beginnings(100)
        cache = SimpleNamespace(layers=[])
        made.keep(sorted(sequences), pack(sorted(sequences)), cache)
        return made

    ids = tuple(range(20))
    made = kept(ids[:15], ids[:18], (*ids[:16], 99))
    assert made.of([ids])[ids].length == 18
    assert made.of([ids[:18]])[ids[:18]].length == 15
    assert made.of([ids[:15]]) == {}
    assert kept(ids[: 20 - 1 - FED]).of([ids]) == {}
    assert kept(ids[: 20 - FED]).of([ids])[ids].length == 20 - FED
    assert not made.has_room(pack([range(90)]))
    assert made.has_room(pack([range(80)]))


@pytest.mark.slow
def test_equal_prompts_get_draws_of_their_own_that_depend_on_the_seed_alone(backend):
    prompts = prompts_of()[:1] * 4
    hot = Sampling(max_new_tokens=12, temperature=1.5, seed=3)
    one, again = backend.complete(prompts, hot), backend.complete(prompts, hot)
    other = backend.complete(prompts, Sampling(max_new_tokens=12, temperature=1.5, seed=4))
    assert one == again
    assert len({reply.text for reply in one}) > 1
    assert other != one


@pytest.mark.slow
def test_the_models_own_way_gives_the_same_replies(backend):
    loaded = backend._model()
    encoded = [one.ids for one in backend.encode(prompts_of())]
    packed, _ = loaded.generate(sorted(set(encoded)), Sampling(max_new_tokens=8))
    padded = loaded.written_padded(sorted(set(encoded)), Sampling(max_new_tokens=8))
    assert [own_reply(loaded, ids) for ids in padded] == packed


@pytest.mark.slow
@pytest.mark.parametrize("packs", [True, False])
def test_a_reply_is_over_with_the_first_stop_in_it(backend, monkeypatch, packs):
    loaded = backend._model()
    prompts = prompts_of()
    whole = [one.text for one in backend.complete(prompts, Sampling(max_new_tokens=16))]
    stop = (whole[0][3:5], whole[1][6:9])
    monkeypatch.setattr(loaded, "can_pack", packs)
    stopped = backend.complete(prompts, Sampling(max_new_tokens=16, stop=stop))
    assert [one.text for one in stopped] == [until_stop(text, stop) for text in whole]
    is_in = [any(one in text for one in stop) for text in whole]
    assert [one.is_ended for one in stopped] == is_in
    assert [one.tokens_out < 16 for one in stopped] == is_in
    assert any(is_in)


def test_a_stop_is_seen_in_the_newest_tokens_wherever_tokens_part_and_decoded_only_where_it_may_end():
    pieces = ["say ", "[[", "A", "]", "]]", "]] so", "é]", "x"]
    decoded = []

    def decode(ids):
        decoded.append(list(ids))
        return "".join(pieces[id] for id in ids)

    stops = Stops(("[[A]]", "é]"), decode)
    written = ([0, 1, 2, 3, 3], [0, 1, 2, 4], [1, 2, 5], [0, 6], [1, 2, 3], [])
    reached = [stops.reached(ids) for ids in written]
    assert reached == [True, True, True, True, False, False]
    decoded.clear()
    assert not stops.reached([0] * 100 + [7])
    assert not stops.reached([0] * 100 + [7])
    assert decoded == [[7]]
    assert not stops.reached([0] * 100 + [3])
    assert max(map(len, decoded)) == 1 + len("[[A]]")
    assert not Stops((), decode).reached([1, 2, 4])


def test_text_ends_with_the_stop_that_comes_first():
    assert until_stop("so [[B]] or [[A]]", ("[[A]]", "[[B]]")) == "so [[B]]"
    assert until_stop("so [[B]]", ("[[A]]",)) == until_stop("so [[B]]", ()) == "so [[B]]"


@pytest.mark.slow
@pytest.mark.parametrize("max_rows", [1, 2, 3])
def test_prompts_that_wait_take_the_places_of_rows_that_ended_and_get_the_same_replies(
    backend, monkeypatch, max_rows
):
    prompts = prompts_of()
    loaded = backend._model()
    monkeypatch.setattr(loaded, "end_ids", lambda: set(range(97, 110)))  # so that lengths differ
    together = backend.complete(prompts, Sampling(max_new_tokens=16))
    assert len({reply.tokens_out for reply in together}) > 2
    monkeypatch.setattr("judge.backends.decoding.MAX_ROWS", max_rows)
    assert backend.complete(prompts, Sampling(max_new_tokens=16)) == together


def test_as_many_prompts_fit_as_rows_and_memory_allow():
    limits = Limits(max_rows=64, max_tokens=65_536)
    assert how_many_fit([], [10] * 65, 5, limits) == 64
    assert how_many_fit([10] * 63, [10, 10], 5, limits) == 1
    half = 32_768
    assert how_many_fit([], [half, half], 1, limits) == 1
    assert how_many_fit([half - 1], [10, 10], 1, limits) == 1
    assert how_many_fit([], [4 * half], 1, limits) == 1, "one goes alone whatever its length"
    assert how_many_fit([10], [4 * half], 1, limits) == 0
    assert how_many_fit([], [], 1, limits) == 0


def test_a_gpu_remembers_what_a_share_of_its_free_memory_holds():
    config = SimpleNamespace(
        num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2, hidden_size=14 * 64
    )
    assert limits_of(config, "cpu", 2) == Limits(MAX_ROWS, MAX_MEMORY_TOKENS)
    assert tokens_in(10**9, config, 2) == int(GPU_MEMORY_SHARE * 10**9 / (2 * 24 * 2 * 64 * 2))
    assert tokens_in(10**9, config, 4) == tokens_in(5 * 10**8, config, 2)
    assert tokens_in(10**12, config, 2) == GPU_MAX_MEMORY_TOKENS
    before = tokens_in(10**9, config, 2)
    config.head_dim = 128
    assert tokens_in(2 * 10**9, config, 2) == before


def test_a_memory_is_filled_with_the_places_of_each_row():
    torch = pytest.importorskip("torch")
    keys, values = torch.randn(2, 9, 4), torch.randn(2, 9, 4)
    memory = Memory([3, 1, 2], 4, "cpu")
    memory.put(0, range(2), torch.tensor([[0, 1, 5], [8, 8, 8]]), keys, values)
    memory.put(0, range(2, 3), torch.tensor([[2, 3]]), keys, values)
    for row, places in enumerate([[0, 1, 5], [8], [2, 3]]):
        assert memory.keys[0][row, :, :, : len(places)].equal(keys[:, places].transpose(1, 2))
        assert memory.values[0][row, :, : len(places)].equal(values[:, places])


def test_rows_are_moved_when_a_quarter_has_ended_or_would_be_new():
    assert is_time_to_renew(n_rows=8, n_going=5, n_fitting=0)
    assert not is_time_to_renew(n_rows=8, n_going=6, n_fitting=0)
    assert is_time_to_renew(n_rows=8, n_going=6, n_fitting=3)
    assert not is_time_to_renew(n_rows=8, n_going=7, n_fitting=1)


@pytest.mark.slow
def test_an_adapter_changes_the_answers_and_is_part_of_the_identity(tiny, backend, tmp_path):
    adapter = make_adapter(tiny, tmp_path / "mine")
    adapted = EmbeddedBackend(Settings(str(tiny), str(adapter), dtype="float32"))
    assert (adapted.engine.adapter, len(adapted.engine.adapter_hash)) == ("mine", 64)
    bare, changed = (one.choose(prompts_of(), "AB") for one in (backend, adapted))
    assert [one.probabilities for one in bare] != [one.probabilities for one in changed]


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.05)])
def test_an_adapter_gives_the_same_answers_as_peft_itself(tiny, tmp_path, dtype, tolerance):
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    adapter = make_adapter(tiny, tmp_path / "mine")
    backend = EmbeddedBackend(Settings(str(tiny), str(adapter), dtype=dtype))
    model = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), adapter).eval()
    assert not lora_layers(backend._model().model), "peft's wrappers are gone"
    letters = backend._model().encoder.choice_ids("AB", "[[")
    for prompt, chosen in zip(prompts_of(), backend.choose(prompts_of(), "AB"), strict=True):
        [encoded] = backend.encode([prompt])
        with torch.inference_mode():
            logits = model(torch.tensor([encoded.ids])).logits[0, -1, letters]
        assert chosen.probabilities == pytest.approx(logits.softmax(-1).tolist(), abs=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("modules", [ALL_LAYERS, ("q_proj", "gate_proj"), ("up_proj", "down_proj")])
def test_a_lora_without_pefts_wrappers_says_what_it_said_in_them(tiny, tmp_path, modules):
    import torch

    model = peft_model(tiny, make_adapter(tiny, tmp_path / "mine", modules=modules))
    bare = [name for name, _ in peft_model(tiny).named_modules()]
    ids = torch.tensor([[5, 9, 2, 11, 4, 8, 3, 6]])
    with torch.inference_mode():
        inside = model(ids).logits
        assert unwrap_lora(model.base_model) == 2 * len(modules)
        outside = model(ids).logits
    torch.testing.assert_close(outside, inside, atol=1e-5, rtol=1e-5)
    assert not outside.equal(peft_model(tiny)(ids).logits)
    assert [name for name, _ in model.named_modules()] == bare


@pytest.mark.slow
@pytest.mark.parametrize("modules", [ALL_LAYERS, ("q_proj", "gate_proj"), ("up_proj", "down_proj")])
def test_gates_with_a_lora_are_fused_and_as_near_to_float32_as_pefts_own(tiny, tmp_path, modules):
    import torch

    if not can_pack():
        pytest.skip("this CPU does not multiply bf16")
    adapter = make_adapter(tiny, tmp_path / "mine", modules=modules)
    ours, plain = (peft_model(tiny, adapter, torch.bfloat16) for _ in range(2))
    unwrap_lora(ours.base_model)
    assert pack_linear_layers(ours.base_model) == 2 * len(ALL_LAYERS)
    assert all("forward" in vars(layer.mlp) for layer in ours.base_model.layers)
    ids = torch.tensor([[draw * 7 % 256 for draw in range(200)]])
    with torch.inference_mode():
        exact = peft_model(tiny, adapter, torch.float32)(ids).logits
        errors = [(model(ids).logits - exact).abs().mean().item() for model in (ours, plain)]
    assert errors[0] < 1.2 * errors[1]
    assert errors[0] < 0.1 * exact.abs().mean()


def test_what_is_more_than_one_ordinary_lora_stays_pefts(tiny, tmp_path):
    model = peft_model(tiny, make_adapter(tiny, tmp_path / "dora", is_dora=True))
    assert unwrap_lora(model.base_model) == 0
    model = peft_model(tiny, make_adapter(tiny, tmp_path / "lora"))
    layer = model.base_model.layers[0].mlp.down_proj
    layer.lora_A["other"] = layer.lora_A["default"]
    assert unwrap_lora(model.base_model) == 5


def test_choosing_the_attention_of_a_step_looks_at_no_module(tiny, backend, monkeypatch):
    prompts = prompts_of()
    expected = backend.complete(prompts, Sampling(max_new_tokens=3))
    loaded = backend._model()

    def walk(*_):
        raise AssertionError("all modules were walked")

    monkeypatch.setattr(loaded.model, "set_attn_implementation", walk)
    assert backend.complete(prompts, Sampling(max_new_tokens=3)) == expected
    assert loaded.model.config._attn_implementation == "sdpa"


def test_a_folder_without_an_adapter_is_one_clear_line(tiny, tmp_path):
    with pytest.raises(ModelError, match=r"no adapter_config.json, no adapter_model.safetensors"):
        EmbeddedBackend(Settings(str(tiny), str(tmp_path))).load()


@pytest.mark.slow
def test_an_adapter_that_changes_nothing_or_does_not_fit_is_refused(tiny, tmp_path):
    idle = make_adapter(tiny, tmp_path / "idle", scale=0.0)
    with pytest.raises(ModelError, match="changes nothing about this base model's answers"):
        EmbeddedBackend(Settings(str(tiny), str(idle))).load()
    wide = make_model(tmp_path / "wide", hidden_size=128)
    other = make_adapter(wide, tmp_path / "other", **manifest_values(tiny))
    with pytest.raises(ModelError, match="does not fit this base model"):
        EmbeddedBackend(Settings(str(tiny), str(other))).load()


def test_draws_are_as_frequent_as_their_probabilities():
    import torch

    torch.manual_seed(0)
    chances = torch.tensor([0.05, 0.0, 0.6, 0.0, 0.35, 0.0])
    n = 20_000
    for temperature in (1.0, 0.7):
        wanted = chances ** (1 / temperature)
        wanted /= wanted.sum()
        drawn = next_tokens(chances.log().expand(n, -1), temperature)
        shares = torch.bincount(drawn, minlength=6) / n
        assert shares[chances == 0].sum() == 0
        assert torch.allclose(shares, wanted, atol=4 * (0.25 / n) ** 0.5)


def test_a_draw_among_many_tokens_finds_the_likely_ones_and_no_other():
    import torch

    torch.manual_seed(1)
    logits = torch.full((512, 151_936), float("-inf"), dtype=torch.bfloat16)
    logits[:, [0, 77, 151_935]] = torch.tensor([1.0, 2.0, 3.0], dtype=torch.bfloat16)
    drawn = next_tokens(logits, 1.0)
    assert drawn.dtype == torch.int64
    assert set(drawn.tolist()) == {0, 77, 151_935}


@pytest.mark.parametrize("n_ends", [3, 6, 12])
def test_rows_that_are_over_and_wait_beside_others_need_no_more_memory(backend, monkeypatch, n_ends):
    """The longest prompt writes to its limit, and then waits for rows that began after it."""
    import random

    draw = random.Random(n_ends)
    sequences = sorted({tuple(draw.choices(range(97, 123), k=draw.randint(3, 9))) for _ in range(60)})
    loaded = backend._model()
    monkeypatch.setattr(loaded, "end_ids", lambda: set(range(97, 97 + n_ends)))
    monkeypatch.setattr("judge.backends.decoding.MAX_ROWS", 8)
    together, _ = loaded.written(sequences, Sampling(max_new_tokens=16))
    assert {len(one) for one in together} >= {1, 16}
    for one, written in zip(sequences, together, strict=True):
        assert loaded.written([one], Sampling(max_new_tokens=16))[0] == [written]
