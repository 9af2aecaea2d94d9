"""The teacher of signals: weights on made-up numbers with known answers, and each number computed once."""

from __future__ import annotations

import math

import pytest
from models import WORD_MERGES, make_model
from pairs import pair_of

from distill import ensemble, signals
from distill.ensemble import (
    Ensemble,
    kept,
    less_length,
    log_ratio_of,
    measured,
    signal_options,
    slope_of,
    spread_of,
    summed,
    weights_of,
    wilson,
)
from distill.recipe import Teacher
from distill.signals import SIGNALS
from judge.backends import Settings, load_backend, with_likelihoods
from judge.backends.embedded import EmbeddedBackend
from judge.errors import InputError
from judge.evaluate import judge_pairs
from judge.ledger.ledger import Ledger
from judge.methods import MemoryStore, MethodSettings
from judge.options import judge_options
from judge.orders import logistic
from judge.records import Choice, Order, Outcome, Pair, Status, Unparsed

PAIRS = [
    pair_of("It is four.", "I do not know that.", id="one"),
    pair_of("A", "Blue, as its light scatters most.", "Why is the sky blue?", "two"),
]
SOME = {"alone": 1.0, "yes": 0.5, "lift_each": 2.0}


class Fixed(Ensemble):
    """A teacher whose signals are given, by pair id."""

    def __init__(self, table, weights, length=0.0):
        super().__init__(Likely(), weights, length, MethodSettings())
        self.table = table

    def numbers(self, pairs):
        return [self.table[pair.id] for pair in pairs]


class Likely:
    """A backend that says it knows likelihoods, and is never asked."""

    batch_characters = 1000
    engine = load_backend("scripted:longer").engine

    def log_likelihoods(self, asked, longest):
        raise AssertionError("never asked")


# --- weights, on numbers whose answers are known


def test_less_length_takes_away_what_goes_with_it_and_nothing_else():
    ratios = [1.0, -1.0, 2.0, -2.0]
    free = [1.0, 1.0, -0.5, -0.5]  # no part of it goes with the ratios
    numbers = [3 * r + x for r, x in zip(ratios, free, strict=True)]
    assert slope_of(numbers, ratios) == pytest.approx(3.0)
    assert less_length(numbers, ratios) == pytest.approx(free)
    assert slope_of(less_length(numbers, ratios), ratios) == pytest.approx(0.0, abs=1e-12)
    assert less_length([None, 2.0], [1.0, 1.0]) == [None, 0.0]
    assert slope_of([1.0, None], [0.0, 1.0]) == 0.0


def test_the_spread_is_the_root_of_the_mean_square():
    assert spread_of([3.0, -3.0, None, 3.0]) == 3.0
    assert spread_of([0.0, 0.0]) == 1.0


def test_a_sum_lacks_what_one_of_its_signals_lacks():
    table = {"one": [1.0, 2.0, None], "two": [10.0, None, 30.0]}
    assert summed(table, {"one": 2.0, "two": 0.5}) == [7.0, None, None]
    assert summed(table, {"one": 1.0}) == [1.0, 2.0, None]


def test_signals_of_equal_spread_count_alike_and_their_sum_has_spread_one():
    table = {"small": [0.1, -0.1, 0.1, -0.1], "large": [20.0, -20.0, -20.0, 20.0]}
    weights, length = weights_of(table, ["small", "large"], [1.0, 1.0, -1.0, -1.0], takes_length=0.0)
    assert weights["small"] * 0.1 == pytest.approx(weights["large"] * 20, rel=1e-4)
    assert spread_of(summed(table, weights)) == pytest.approx(1.0, abs=1e-4)
    assert length == 0.0


def test_length_is_taken_by_the_share_that_is_asked_for():
    ratios = [1.0, -1.0, 0.5, -0.5]
    table = {"wordy": [2 * r for r in ratios]}
    weights, whole = weights_of(table, ["wordy"], ratios, takes_length=1.0)
    _, half = weights_of(table, ["wordy"], ratios, takes_length=0.5)
    assert half == pytest.approx(whole / 2, abs=1e-6)
    left = [w - whole * r for w, r in zip(summed(table, weights), ratios, strict=True)]
    assert left == pytest.approx([0.0] * 4, abs=1e-5)


def test_wilsons_interval_has_its_known_values():
    low, high = wilson(0.5, 100)
    assert (low, high) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson(1.0, 10)[0] == pytest.approx(0.7225, abs=1e-3)


def test_what_a_signal_is_worth_is_counted_by_hand():
    numbers = [1.0, -1.0, 2.0, 0.0, None]
    labels = [1, 1, 1, -1, 1]
    ratios = [1.0, 1.0, -1.0, -1.0, 1.0]  # above 0: a is longer
    found = measured(numbers, labels, ratios)
    assert found.n == 4
    assert found.right == pytest.approx(2.5 / 4)  # a zero counts half
    assert found.right_where_longer == pytest.approx((1 + 0 + 0.5) / 3)
    assert found.right_where_shorter == 1.0
    assert found.longer_chosen == pytest.approx(1 / 4)


def test_kept_are_signals_above_chance_that_are_more_than_length():
    n = 200
    labels = [1 if i % 2 else -1 for i in range(n)]
    # In three of four pairs the longer answer is right, and by as much in both directions.
    ratios = [label * (-1.0 if i % 8 in (0, 1) else 1.0) for i, label in enumerate(labels)]
    table = {
        "knows": [label * (1.0 if i % 10 else -1.0) for i, label in enumerate(labels)],
        "coin": [1.0 if i % 4 < 2 else -1.0 for i in range(n)],
        "length": list(ratios),
        "wrong": [-float(label) for label in labels],
    }
    assert kept(table, labels, ratios) == ["knows"]


# --- a teacher


def test_the_log_odds_are_the_weighted_sum_less_length():
    [pair, _] = PAIRS
    judge = Fixed({"one": {"alone": 0.4, "yes": -1.0}}, {"alone": 2.0, "yes": 0.5}, length=0.3)
    expected = 2 * 0.4 - 0.5 - 0.3 * math.log((1 + len(pair.response_a)) / (1 + len(pair.response_b)))
    ab, ba = judge.read([(pair, order) for order in Order])
    assert ab.probabilities[Choice.FIRST] == pytest.approx(1 / (1 + math.exp(-expected)))
    assert ba.probabilities[Choice.SECOND] == pytest.approx(ab.probabilities[Choice.FIRST])
    assert [(step.name, step.raw) for step in ab.steps] == [("alone", "0.400000"), ("yes", "-1.000000")]
    [verdict] = judge_pairs([pair], judge)
    assert (verdict.status, verdict.outcome) == (Status.CONSISTENT, Outcome.A)


def test_even_signals_are_a_tie_and_missing_ones_unparsed():
    pairs = [pair_of("four", "five", id="even"), pair_of("four", "five", "Another?", id="lost")]
    judge = Fixed({"even": {"yes": 0.0}, "lost": {"yes": None}}, {"yes": 1.0})
    even, lost = judge.read([(pair, Order.AB) for pair in pairs])
    assert (even.choice, even.probabilities[Choice.FIRST]) == (Choice.TIE, 0.5)
    assert isinstance(lost, Unparsed)
    assert lost.reason == "signal yes: the model could not be read"


def test_the_logarithm_of_lengths_is_antisymmetric_and_log_odds_never_overflow():
    [pair, _] = PAIRS
    assert log_ratio_of(pair) == -log_ratio_of(pair_of(pair.response_b, pair.response_a))
    assert log_ratio_of(pair_of("", "")) == 0.0
    assert [logistic(x) for x in (-10_000.0, 0.0, 10_000.0)] == [0.0, 0.5, 1.0]


def test_a_backend_that_knows_no_likelihoods_teaches_by_no_signal():
    able, unable = Likely(), load_backend("scripted:longer")
    assert with_likelihoods(able) is able
    assert with_likelihoods(unable) is None
    with pytest.raises(InputError, match="signals need the backend embedded: no other gives likelihoods"):
        Ensemble(unable, {"yes": 1.0}, 0.0, MethodSettings())


def test_the_identity_names_every_weight_and_length():
    judge = Fixed({}, {"yes": 0.5, "alone": 1.25}, length=0.1)
    assert (judge.identity.method, judge.identity.letters) == ("signals", "alone 1.25, yes 0.5, length 0.1")
    others = [Fixed({}, {"yes": 0.5, "alone": 1.0}, 0.1), Fixed({}, {"yes": 0.5, "alone": 1.25}, 0.2)]
    assert len({one.identity.fingerprint for one in (judge, *others)}) == 3


@pytest.mark.parametrize(
    ("backend", "weights", "words"),
    [
        (Likely(), {"smell": 1.0}, f"signal smell: no such signal. There are: {', '.join(SIGNALS)}."),
        (load_backend("scripted:longer"), {"yes": 1.0}, "signals need the backend embedded"),
    ],
)
def test_an_unknown_signal_and_another_backend_are_one_line(backend, weights, words):
    with pytest.raises(InputError) as caught:
        Ensemble(backend, weights, 0.0, MethodSettings())
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


def test_a_recipes_teacher_of_signals_keeps_its_engine():
    options = Teacher(base_model="some", signals={"yes": 1.0}, length=0.2, device="cpu").options()
    assert (dict(options.signals), options.length) == ({"yes": 1.0}, 0.2)
    assert (options.settings.base_model, options.settings.device, options.adapter) == ("some", "cpu", "")
    assert signal_options(judge_options(), {}, 0.0).backend == "embedded"


# --- with a model


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    pytest.importorskip("torch")
    model = make_model(tmp_path_factory.mktemp("models") / "tiny", WORD_MERGES, initializer_range=0.1)
    return EmbeddedBackend(Settings(str(model), dtype="float32", device="cpu"))


@pytest.mark.slow
def test_the_store_is_asked_first_and_nothing_is_computed_twice(backend, tmp_path, monkeypatch):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        first = judge_pairs(PAIRS, Ensemble(backend, SOME, 0.1, MethodSettings(store=ledger)))
    before = backend.tokens_computed
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        settings = MethodSettings(store=ledger)
        assert judge_pairs(PAIRS, Ensemble(backend, SOME, 0.1, settings)) == first
        # Other weights, and a signal of a way that is known, need no new reading either.
        judge_pairs(PAIRS, Ensemble(backend, {"alone": 3.0, "contrast": 1.0}, 0.0, settings))
        assert backend.tokens_computed == before
        new = pair_of("Another", "answer", "Another?", "three")
        judge_pairs([*PAIRS, new], Ensemble(backend, {"alone": 1.0}, 0.0, settings))
    assert backend.tokens_computed > before


@pytest.mark.slow
def test_a_swapped_pair_has_the_opposite_log_odds(backend):
    turned = [Pair(pair.id, pair.conversation_b, pair.conversation_a) for pair in PAIRS]
    judge = Ensemble(backend, SOME, 0.3, MethodSettings(store=MemoryStore()))
    for one, other in zip(judge_pairs(PAIRS, judge), judge_pairs(turned, judge), strict=True):
        assert one.p_a == pytest.approx(1 - other.p_a, abs=1e-4)
        assert one.status is other.status is Status.CONSISTENT


@pytest.mark.slow
def test_other_words_around_a_pair_are_another_signal(backend, monkeypatch):
    store = MemoryStore()
    settings = MethodSettings(store=store)
    [before] = Ensemble(backend, {"contrast": 1.0}, 0.0, settings).numbers(PAIRS[:1])
    monkeypatch.setattr(ensemble, "GOOD", "Be good.")
    monkeypatch.setattr(signals, "GOOD", "Be good.")
    [after] = Ensemble(backend, {"contrast": 1.0}, 0.0, settings).numbers(PAIRS[:1])
    assert before != after
