"""The embedded backend over a tiny random model, and, marked `weights`, over the real 0.5B one."""

from __future__ import annotations

import math
import random

import pytest
from models import make_model, needs_engine
from pairs import FOUR_PAIRS, HOSTILE, pair_of

from judge.backends import Sampling, Settings
from judge.backends.cpu import can_pack
from judge.backends.embedded import EmbeddedBackend
from judge.backends.loaded import LoadedModel
from judge.backends.packing import pack
from judge.backends.tried import kind_of_machine
from judge.errors import BackendError, InputError, ModelError, PromptTooLong
from judge.evaluate import judge_pairs
from judge.methods import MethodSettings
from judge.methods.bsm import BranchSolveMerge
from judge.methods.direct import Direct, render_direct
from judge.prompts.marks import unmarked
from judge.prompts.parsing import parse_plan
from judge.records import Choice, Judgment, Order, Outcome, Step


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def backend(tiny):
    return EmbeddedBackend(Settings(str(tiny), dtype="float32"))


def prompts_of(pairs, ties=False):
    return [render_direct(pair, order, ties) for pair in pairs for order in Order]


def log_odds(p):
    return math.log(p / (1 - p))


def test_the_engine_is_known_without_loading_anything(tiny):
    engine = EmbeddedBackend(Settings(str(tiny), dtype="float32")).engine
    assert (engine.base_model, engine.adapter, engine.dtype) == ("tiny", "none", "float32")
    assert len(engine.base_model_hash) == 64


def test_a_cpu_that_is_to_work_as_an_older_one_multiplies_no_bfloat16(tiny, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert EmbeddedBackend(Settings(str(tiny))).engine.dtype == "float32"


def test_a_gpu_is_given_more_at_once_than_a_cpu(tiny):
    cpu, gpu = (EmbeddedBackend(Settings(str(tiny), device=one)).batch_characters for one in ("cpu", "cuda"))
    assert (cpu, gpu) == (16_000, 600_000)


@pytest.mark.slow
def test_packed_probabilities_are_those_of_one_prompt_at_a_time_through_the_models_own_head(backend):
    import torch

    pairs = [*FOUR_PAIRS, *(pair_of(text, "x" * 700, id=str(i)) for i, text in enumerate(HOSTILE))]
    prompts = prompts_of(pairs)
    chosen = backend.choose(prompts, ["A", "B"])
    model = backend._model()
    assert model.can_pack
    ids = model.encoder.choice_ids(["A", "B"], "[[")
    for prompt, one in zip(prompts, chosen, strict=True):
        [encoded] = backend.encode([prompt])
        with torch.inference_mode():
            logits = model.model(torch.tensor([encoded.ids])).logits[0, -1, ids]
        assert one.probabilities == pytest.approx(logits.softmax(-1).tolist(), abs=1e-4)
        assert sum(one.probabilities) == pytest.approx(1)


def test_shared_beginnings_are_computed_once(tiny):
    backend = EmbeddedBackend(Settings(str(tiny), dtype="float32"))
    prompts = prompts_of([pair_of("one", "two", prompt="q" * 1000)])
    chosen = backend.choose(prompts, ["A", "B"])
    assert backend.tokens_computed < 0.7 * sum(one.tokens_in for one in chosen)


def test_a_batch_of_many_gives_what_one_at_a_time_gives(backend):
    prompts = prompts_of(FOUR_PAIRS)
    together = backend.choose(prompts, ["A", "B"])
    alone = [backend.choose([prompt], ["A", "B"])[0] for prompt in prompts]
    for one, other in zip(together, alone, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_identical_responses_are_exactly_one_half_in_the_mean(backend):
    pairs = [pair_of(text, text, id=str(i)) for i, text in enumerate(HOSTILE)]
    for verdict in judge_pairs(pairs, Direct(backend)):
        assert verdict.p_a == 0.5
        assert verdict.outcome_by_mean is Outcome.TIE
        assert verdict.outcome is Outcome.TIE


def test_ties_have_a_probability_of_their_own_where_they_are_switched_on(backend):
    [reading] = Direct(backend, MethodSettings(ties=True)).read([(pair_of(), Order.AB)])
    assert set(reading.probabilities) == set(Choice)
    assert sum(reading.probabilities.values()) == pytest.approx(1)


def test_huge_responses_are_trimmed_to_the_limit_and_the_verdict_says_so(tiny):
    backend = EmbeddedBackend(Settings(str(tiny), dtype="float32", max_prompt_tokens=1200))
    [reading] = Direct(backend).read([(pair_of("a" * 100_000, "b"), Order.AB)])
    assert reading.is_trimmed
    assert reading.tokens_in == reading.cut.read <= 1200
    assert 100_000 < reading.cut.whole < 102_000  # the tiny model has a token for each character


def test_a_prompt_that_may_not_be_trimmed_is_refused_with_its_pair_named(tiny):
    backend = EmbeddedBackend(Settings(str(tiny), dtype="float32", max_prompt_tokens=1200, overflow="error"))
    items = [(pair_of("a" * 5000, "b", id="big"), Order.AB), (pair_of("a", "b"), Order.AB)]
    strict = Settings(str(tiny), dtype="float32", max_prompt_tokens=1200, overflow="error", strict=True)
    with pytest.raises(PromptTooLong, match="pair big in order AB"):
        Direct(EmbeddedBackend(strict)).read(items)
    unread, read = Direct(backend).read(items)
    assert unread.reason.startswith("the prompt is too long (")
    assert "big" not in unread.reason
    assert read == Direct(backend).read(items[1:])[0]
    prompts = [render_direct(*one, ties=False) for one in items]
    assert backend.complete(prompts, Sampling(max_new_tokens=2))[0] == unread


def test_free_text_is_the_same_alone_and_beside_longer_prompts(backend):
    prompts = [render_direct(pair_of("a" * n, "b", id=str(n)), Order.AB, ties=False) for n in (3, 300, 50)]
    together = backend.complete(prompts, Sampling(max_new_tokens=6))
    alone = [backend.complete([prompt], Sampling(max_new_tokens=6))[0] for prompt in prompts]
    assert together == alone
    assert all(one.tokens_out <= 6 for one in together)


def test_sampled_text_depends_on_the_seed_and_on_nothing_else(backend):
    import torch

    prompts = prompts_of([pair_of()])[:1]
    hot = [Sampling(max_new_tokens=8, temperature=1.5, seed=seed) for seed in (1, 1, 2)]
    state = torch.random.get_rng_state()
    first, again, other = (backend.complete(prompts, sampling)[0].text for sampling in hot)
    assert first == again != other
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_model_with_sliding_windows_is_not_packed_and_gives_its_own_probabilities(tmp_path):
    folder = make_model(tmp_path / "sliding", use_sliding_window=True, sliding_window=64, max_window_layers=0)
    import torch

    backend = EmbeddedBackend(Settings(str(folder), dtype="float32"))
    [prompt] = prompts_of([pair_of("a" * 200, "b")])[:1]
    [chosen] = backend.choose([prompt], ["A", "B"])
    model = backend._model()
    assert not model.can_pack
    ids = model.encoder.choice_ids(["A", "B"], "[[")
    with torch.inference_mode():
        logits = model.model(torch.tensor([backend.encode([prompt])[0].ids])).logits[0, -1, ids]
    assert chosen.probabilities == pytest.approx(logits.softmax(-1).tolist(), abs=1e-5)


def test_likelihoods_of_a_model_with_sliding_windows_are_its_own_and_its_states_are_refused(tmp_path):
    folder = make_model(tmp_path / "sliding", use_sliding_window=True, sliding_window=64, max_window_layers=0)
    import torch

    backend = EmbeddedBackend(Settings(str(folder), dtype="float32"))
    prompts, text = prompts_of([pair_of("a" * 200, "b")]), "Some words, and some more."
    found = backend.log_likelihoods([(prompt, text) for prompt in prompts], 512)
    model = backend._model()
    wanted = model.encoder.plain_ids(text)
    for prompt, (total, n) in zip(prompts, found, strict=True):
        [before] = backend.encode([prompt])
        with torch.inference_mode():
            logits = model.model(torch.tensor([[*before.ids, *wanted]])).logits[0, len(before.ids) - 1 : -1]
        own = logits.log_softmax(-1)[range(len(wanted)), wanted]
        assert (total, n) == (pytest.approx(own.sum().item(), abs=1e-3), len(wanted))
    assert backend.tokens_computed == sum(len(one.ids) + len(wanted) for one in backend.encode(prompts))
    with pytest.raises(ModelError, match=r"sliding: hidden states .* cannot be packed\. Take one whose"):
        model.hidden_states(pack([wanted]))


def test_packed_bf16_weights_change_probabilities_by_rounding_only(tiny):
    """Whatever the layout: every block's matrices are packed, its gates fused, and generation still works."""
    import torch

    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this CPU does not multiply bf16")
    packed = EmbeddedBackend(Settings(str(tiny), dtype="bfloat16"))
    exact = EmbeddedBackend(Settings(str(tiny), dtype="float32"))
    prompts = prompts_of(FOUR_PAIRS)
    layers = packed._model().model.model.layers
    assert all(hasattr(x.mlp.down_proj, "packed_weight") and "forward" in vars(x.mlp) for x in layers)
    for one, other in zip(packed.choose(prompts, "AB"), exact.choose(prompts, "AB"), strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=0.05)
    assert packed.complete(prompts[:1], Sampling(max_new_tokens=3))[0].tokens_out <= 3


def test_weights_whose_layout_changed_the_answers_are_refused_and_never_used(tiny, monkeypatch, tmp_path):
    import torch

    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path))  # where nothing has passed a trial

    def spoil(body, let_go):
        with torch.no_grad():
            body.get_input_embeddings().weight.mul_(-30)

    monkeypatch.setattr("judge.backends.loaded.pack_linear_layers", spoil)
    with pytest.raises(ModelError, match="--dtype float32"):
        EmbeddedBackend(Settings(str(tiny), dtype="float32")).load()


def test_a_model_that_passed_its_trial_is_not_tried_again_until_something_is_another(
    tiny, monkeypatch, tmp_path
):
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    n_tried: list[int] = []
    trial = LoadedModel._trial
    monkeypatch.setattr(LoadedModel, "_trial", lambda self: n_tried.append(1) or trial(self))

    def chosen(dtype="float32"):
        return EmbeddedBackend(Settings(str(tiny), dtype=dtype)).choose(prompts_of(FOUR_PAIRS), "AB")

    assert chosen() == chosen()
    assert len(n_tried) == 1
    chosen("bfloat16")
    assert len(n_tried) == 2
    monkeypatch.setattr("judge.backends.tried.versions_of", lambda packages: {"torch": "another"})
    chosen()
    assert len(n_tried) == 3
    for one in (tmp_path / "cache/trials").iterdir():
        one.write_text("perhaps")
    chosen()
    assert len(n_tried) == 4, "what is in the cache says nothing"


def test_what_mkl_is_told_is_part_of_what_a_trial_depends_on(monkeypatch):
    monkeypatch.delenv("MKL_ENABLE_INSTRUCTIONS", raising=False)
    before = kind_of_machine("cpu")
    monkeypatch.setenv("MKL_ENABLE_INSTRUCTIONS", "AVX2")
    assert kind_of_machine("cpu") != before


def test_weights_are_not_laid_out_for_arm_whose_library_has_no_fused_products(monkeypatch):
    needs_engine()
    import torch

    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    assert can_pack()
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_acl_supported", lambda: True)
    assert not can_pack()


def test_a_cache_that_cannot_be_written_makes_a_load_no_worse(tiny, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "file"))
    assert EmbeddedBackend(Settings(str(tiny), dtype="float32"))._model().can_pack


def test_a_folder_that_is_no_model_is_one_clear_line(tmp_path):
    needs_engine()
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError) as caught:
        EmbeddedBackend(Settings(str(tmp_path))).load()
    assert "\n" not in str(caught.value)


def test_a_gpu_that_is_not_there_is_one_clear_line(tiny):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(BackendError, match="--device cuda"):
        EmbeddedBackend(Settings(str(tiny), device="cuda")).load()


@pytest.mark.parametrize("setting", [{"overflow": "cut"}, {"dtype": "int4"}, {"device": "tpu"}])
def test_a_setting_that_does_not_exist_is_named_beside_those_that_do(setting):
    with pytest.raises(InputError, match="must be one of"):
        Settings(**setting)


@pytest.mark.weights
def test_the_verdict_is_four_tokens_in_the_real_tokenizer(real):
    encoder = real._model().encoder
    [prompt] = prompts_of([pair_of()])[:1]
    assert encoder.n_reply_tokens(prompt, "A") == 4
    assert len(encoder.plain_ids("[[A]]")) == 3
    assert encoder.plain_ids("[[") + encoder.plain_ids("A") + encoder.plain_ids("]]") == encoder.plain_ids(
        "[[A]]"
    )
    assert len(set(encoder.choice_ids(["A", "B", "C"], "[["))) == 3


@pytest.mark.weights
def test_no_added_token_of_the_real_tokenizer_in_a_response_changes_an_id_outside_its_span(real):
    encoder = real._model().encoder
    plain = encoder.encode([render_direct(pair_of("x", "y"), Order.AB, ties=False)])[0].ids
    before = tuple(encoder.plain_ids("[Answer A]\n"))
    place = next(i for i in range(len(before), len(plain)) if plain[i - len(before) : i] == before)
    assert [plain[place]] == encoder.plain_ids("x")
    assert len(encoder.added_tokens) >= 20
    for text in map(unmarked, [*encoder.added_tokens, *HOSTILE]):
        hostile = encoder.encode([render_direct(pair_of(text, "y"), Order.AB, ties=False)])[0].ids
        own = encoder.plain_ids(text)
        assert list(hostile) == [*plain[:place], *own, *plain[place + 1 :]]
        assert not set(own) & set(encoder.added_tokens.values())


@pytest.mark.weights
def test_decoding_the_four_tokens_for_real_gives_the_letter_that_one_pass_chose(real):
    """Every step is held to what the verdict allows there, so that only the letter is a decision."""
    model = real._model()
    letters = model.encoder.choice_ids(["A", "B"], "[[")
    start, end = (model.encoder.plain_ids(text) for text in ("[[", "]]"))
    steps = [start, letters, end, [model.tokenizer.eos_token_id]]
    prompts = prompts_of(FOUR_PAIRS)
    for prompt, chosen in zip(prompts, real.choose(prompts, ["A", "B"]), strict=True):
        [encoded] = real.encode([prompt])
        ids = encoded.ids[: encoded.n_prompt]
        decoded = decode_held_to(model.model, ids, steps)
        assert len(decoded) == chosen.tokens_out == 4
        p = chosen.probabilities[letters.index(decoded[1])]
        assert p == max(chosen.probabilities) or abs(log_odds(p)) < 0.1


def decode_held_to(model, ids, steps):
    """Greedy decoding in which step i may only choose among steps[i]."""
    import torch

    with torch.inference_mode():
        output = model.generate(
            torch.tensor([ids]),
            max_new_tokens=len(steps),
            do_sample=False,
            prefix_allowed_tokens_fn=lambda _, so_far: steps[len(so_far) - len(ids)],
        )
    return output[0, len(ids) :].tolist()


@pytest.mark.weights
def test_bf16_packing_stays_near_to_float32_one_at_a_time(real):
    exact = EmbeddedBackend(Settings(dtype="float32"))
    prompts = prompts_of(FOUR_PAIRS)
    model = exact._model()
    ids = model.encoder.choice_ids(["A", "B"], "[[")
    plain = model.plain_logits([one.ids for one in exact.encode(prompts)], ids).softmax(-1)[:, 0].tolist()
    packed = [one.probabilities[0] for one in real.choose(prompts, ["A", "B"])]
    differences = [abs(log_odds(p) - log_odds(q)) for p, q in zip(packed, plain, strict=True)]
    assert sum(differences) / len(differences) < 0.05


@pytest.mark.weights
def test_the_real_model_judges_pairs_in_both_orders(real):
    verdicts = judge_pairs(FOUR_PAIRS, Direct(real))
    readings = [verdict.readings[order] for verdict in verdicts for order in Order]
    assert all(isinstance(reading, Judgment) for reading in readings)
    assert all(reading.tokens_out == 4 and reading.raw in ("[[A]]", "[[B]]") for reading in readings)
    assert all(0 < verdict.p_a < 1 for verdict in verdicts)


@pytest.mark.weights
def test_five_criteria_cost_at_most_half_as_much_again_as_a_direct_judgment(small, data_dir):
    """In `expected` mode, where every criterion has two suffixes and the pair is computed once an order.

    What is counted are tokens of the real tokenizer, which a small model computes as well.
    """
    from judge.datasets.mt_bench import voted_pairs

    pairs = random.Random(0).sample(voted_pairs(data_dir), 6)
    items = [(pair, order) for pair in pairs for order in Order]
    backend = EmbeddedBackend(Settings(str(small), dtype="float32"))
    line = "{0}. Criterion {0}: what a good answer does, in all of a dozen words or so"
    plan = "\n".join(line.format(number) for number in range(1, 6))
    costs = []
    for method in (Direct(backend), FixedPlan(backend, plan)):
        before = backend.tokens_computed
        readings = method.read(items)
        costs.append(backend.tokens_computed - before)
    assert all(len(reading.steps) == 6 for reading in readings)
    assert costs[1] <= 1.5 * costs[0], f"solve computes {costs[1]} prompt tokens, direct {costs[0]}"


class FixedPlan(BranchSolveMerge):
    """Branch, solve, merge with one plan for every question."""

    def __init__(self, backend, plan) -> None:
        super().__init__(backend)
        self.plan = parse_plan(plan, is_ended=True)

    def branch(self, pairs):
        return [(self.plan, Step("branch", "", 0, 0)) for _ in pairs]


@pytest.mark.weights
def test_the_real_model_makes_a_plan_and_scores_by_it(real):
    [reading] = BranchSolveMerge(real).read([(pair_of(), Order.AB)])
    assert isinstance(reading, Judgment)
    branch, *solved = reading.steps
    assert 3 <= len(solved) <= 5
    assert branch.shared
    assert all(1 <= score <= 5 for step in solved for score in step.scores)
