"""Signals of a base model, on a small random one: each is what it says, whichever answer is a."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from models import WORD_MERGES, make_model
from pairs import pair_of

from distill import signals
from distill.signals import (
    SIGNALS,
    WAYS_OF_READING,
    Bank,
    differences,
    gaps,
    lead_of,
    log_odds_of,
)
from judge.backends import Settings, load_backend
from judge.backends.embedded import EmbeddedBackend
from judge.evaluate import judge_pairs
from judge.methods import MethodSettings, load_method
from judge.methods.direct import Direct
from judge.methods.score import GRADES, mean_grade, render_score
from judge.orders import combine
from judge.prompts import fill
from judge.records import Message, Order, Pair, Prompt, Span, Unparsed, last_request

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

PAIRS = [
    pair_of("It is four.", "I do not know that.", id="one"),
    pair_of("A", "Blue, as its light scatters most.", "Why is the sky blue?", "two", system="Be brief."),
    Pair(
        "turns",
        (
            Message("user", "A river?"),
            Message("assistant", "Nile"),
            Message("user", "Two?"),
            Message("assistant", "Po"),
        ),
        (
            Message("user", "A river?"),
            Message("assistant", "Nile"),
            Message("user", "Two?"),
            Message("assistant", "Oder"),
        ),
    ),
]
SWAPPED = [Pair(pair.id, pair.conversation_b, pair.conversation_a, system=pair.system) for pair in PAIRS]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(make_model(tmp_path_factory.mktemp("models") / "tiny", WORD_MERGES, initializer_range=0.1))


@pytest.fixture(scope="module")
def backend(model):
    return EmbeddedBackend(Settings(model, dtype="float32", device="cpu"))


@pytest.fixture(scope="module")
def bank(backend):
    return Bank(backend, MethodSettings(max_new_tokens=24))


def words_in(prompt):
    return "".join(span.text for _, spans in prompt.messages for span in spans)


# --- each signal


@pytest.mark.parametrize("way", [way for way in WAYS_OF_READING if way != "bsm"])
def test_each_signal_changes_its_sign_when_a_and_b_are_swapped(bank, way):
    found, turned = WAYS_OF_READING[way](bank, PAIRS), WAYS_OF_READING[way](bank, SWAPPED)
    assert set(found) == {name for name, one in SIGNALS.items() if one.way == way}
    for name, values in found.items():
        assert all(value is not None and math.isfinite(value) and value != 0 for value in values)
        assert turned[name] == pytest.approx([-value for value in values], abs=1e-4)


def test_criteria_change_their_sign_too_where_the_scores_can_be_read():
    for pair, sign in ((pair_of("a longer answer", "short"), 1), (pair_of("short", "a longer answer"), -1)):
        [verdict] = judge_pairs([pair], load_method("bsm", load_backend("scripted:longer")))
        assert lead_of(verdict) == pytest.approx(2.0 * sign)


def test_criteria_lead_by_their_weights():
    pair = pair_of("a longer answer", "short")
    [verdict] = judge_pairs([pair], load_method("bsm", load_backend("scripted:longer")))
    weights = (10, 1)

    def weighed(order, reading):
        """A leads by 4 on what weighs 10, and B on the other."""
        scored = [step for step in reading.steps if step.scores]
        first = [(5.0, 1.0), (1.0, 5.0)][:: 1 if order is Order.AB else -1]
        every = zip(scored, weights, first, strict=False)
        return replace(
            reading, steps=tuple(replace(one, weight=weight, scores=both) for one, weight, both in every)
        )

    readings = {order: weighed(order, reading) for order, reading in verdict.readings.items()}
    assert lead_of(replace(verdict, readings=readings)) == pytest.approx(4 * 9 / 11)


def test_each_answer_is_asked_for_the_request_of_its_own_conversation():
    talk = (Message("user", "first?"), Message("assistant", "x"), Message("user", "then?"))
    assert last_request((*talk, Message("assistant", "y"))) == "then?"
    assert last_request((talk[0], Message("assistant", "y"))) == "first?"


def test_a_reply_that_cannot_be_read_gives_no_number():
    for method, number in (("direct", log_odds_of), ("bsm", lead_of)):
        [verdict] = judge_pairs([PAIRS[0]], load_method(method, load_backend("scripted:unreadable:1")))
        assert number(verdict) is None
    assert lead_of(combine("p", dict.fromkeys(Order, Unparsed("why", "")), "")) is None


def test_direct_is_the_mean_of_both_orders_log_odds(bank):
    found = signals.direct(bank, PAIRS)
    for pair, value in zip(PAIRS, found, strict=True):
        both = Direct(bank.backend).read([(pair, order) for order in Order])
        odds = [math.log(first / second) for first, second in (one.probabilities.values() for one in both)]
        assert value == pytest.approx((odds[0] - odds[1]) / 2, abs=1e-4)


def test_alone_is_the_difference_of_the_mean_grades(bank):
    found = signals.alone(bank, PAIRS)
    for pair, value in zip(PAIRS, found, strict=True):
        prompts = [render_score(pair, Order.AB, number) for number in (0, 1)]
        a, b = (mean_grade(one.probabilities) for one in bank.backend.choose(prompts, GRADES))
        assert value == pytest.approx(a - b, abs=1e-5)


def test_request_is_the_likelihood_of_the_prompt_after_each_answer(bank):
    [value] = signals.request(bank, PAIRS[:1])
    asked = [
        (fill("request", {"answer": Span(text, "first")}), PAIRS[0].prompt)
        for text in (PAIRS[0].response_a, PAIRS[0].response_b)
    ]
    (a, n), (b, m) = bank.backend.log_likelihoods(asked, 512)
    assert value == pytest.approx(a - b)
    first, *_ = signals.request(bank, PAIRS)
    assert first == pytest.approx(value, abs=1e-5), "another batch sums float32 in another order"
    assert n == m == len(PAIRS[0].prompt)  # bytes are tokens here


def test_no_signal_of_a_likelihood_reads_the_other_answer(bank, monkeypatch):
    seen = []
    asked = bank.backend.log_likelihoods
    monkeypatch.setattr(
        type(bank.backend),
        "log_likelihoods",
        lambda self, pairs, longest: seen.extend(pairs) or asked(pairs, longest),
    )
    signals.likelihoods(bank, PAIRS[:1])
    assert len(seen) == 2 * 4
    for prompt, text in seen:
        assert text in (PAIRS[0].response_a, PAIRS[0].response_b)
        assert PAIRS[0].response_a not in words_in(prompt)
        assert PAIRS[0].response_b not in words_in(prompt)


# --- the arithmetic


def test_differences_and_gaps_on_made_up_numbers():
    assert differences([3.0, 1.0, 2.0, 5.0, None, 1.0]) == [2.0, -3.0, None]
    one, other = [(-4.0, 2), (-9.0, 3), (None, 0)], [(-6.0, 2), (-3.0, 3), (-1.0, 4)]
    assert gaps(one, other, is_each=False) == [2.0, -6.0, None]
    assert gaps(one, other, is_each=True) == [1.0, -2.0, None]


def test_every_signal_names_a_way_of_reading_and_every_way_gives_its_signals():
    assert {one.way for one in SIGNALS.values()} == set(WAYS_OF_READING)


# --- likelihoods beside transformers' own


TEXTS = ["Po", "A long river in the south of a country, they say.", "Po river", "x", ""]


def prompt_of(text: str) -> Prompt:
    return Prompt((("user", (Span(text),)),))


def test_likelihoods_are_the_sums_of_transformers_own_log_softmax(backend, model):
    from transformers import AutoModelForCausalLM

    own = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    asked = [(prompt_of(question), text) for question in ("A river?", "Another river?") for text in TEXTS]
    longest = 20
    found = backend.log_likelihoods(asked, longest)
    encoder = backend._model().encoder
    for (prompt, text), (total, n) in zip(asked, found, strict=True):
        ids = encoder.plain_ids(text)[:longest]
        if not ids:
            assert (total, n) == (None, 0)
            continue
        [before] = encoder.encode([prompt])
        whole = torch.tensor([[*before.ids, *ids]])
        with torch.inference_mode():
            logs = own(whole).logits[0].log_softmax(dim=-1)
        places = range(len(before.ids) - 1, whole.shape[1] - 1)
        expected = sum(logs[place, token].item() for place, token in zip(places, ids, strict=True))
        assert n == len(ids) <= longest
        assert total == pytest.approx(expected, abs=1e-3)


def test_one_question_asked_twice_is_computed_once_and_a_shared_beginning_too(backend):
    once = [(prompt_of("A river?" * 20), text) for text in ("Po", "Oder")]
    before = backend.tokens_computed
    first = backend.log_likelihoods(once, 512)
    n = backend.tokens_computed - before
    assert backend.log_likelihoods([*once, *once], 512) == [*first, *first]
    assert backend.tokens_computed - before == 2 * n
    apart = backend.tokens_computed
    for one in once:
        backend.log_likelihoods([one], 512)
    assert backend.tokens_computed - apart > 1.8 * n


def test_a_prompt_that_does_not_fit_has_no_likelihood(model):
    short = EmbeddedBackend(
        Settings(model, dtype="float32", device="cpu", overflow="error", max_prompt_tokens=64)
    )
    asked = [(prompt_of("x" * 200), "yes"), (prompt_of("x"), "yes")]
    (lost, n), (found, m) = short.log_likelihoods(asked, 512)
    assert (lost, n, m) == (None, 0, 3)
    assert found < 0
