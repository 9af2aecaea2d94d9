"""Auto: fast first, and slow where that leaves doubt."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import pytest
from pairs import FOUR_PAIRS, pair_of

from judge.backends.scripted import ScriptedBackend, first, longer
from judge.drawing.steps import format_steps, graded_steps, shared_steps
from judge.errors import InputError
from judge.evaluate import judge_pairs
from judge.ledger.ledger import Ledger
from judge.methods import MemoryStore, MethodSettings, load_method
from judge.methods.auto import NEAR_EVEN, Auto, is_doubtful, is_escalated
from judge.options import JudgeOptions
from judge.orders import combine
from judge.progress import silent
from judge.records import Choice, Judgment, Order, Outcome, Status, Step, Unparsed

STEP = Step("criterion", "4 : 2", 3, 1, (4.0, 2.0))


def reading(p_first, steps=()):
    if p_first is None:
        return Unparsed("gibberish", "?", steps=steps)
    choice = Choice.FIRST if p_first > 0.5 else Choice.SECOND
    return Judgment(choice, {Choice.FIRST: p_first, Choice.SECOND: 1 - p_first}, "", 1, 1, steps=steps)


@dataclass
class Given:
    """A judge that says what it is given: P(A) in both orders by pair id; and what it was asked."""

    said: dict
    steps: tuple = ()
    asked: list = field(default_factory=list)
    prepared: list = field(default_factory=list)
    backend: object = None
    batch_characters: int = 1000

    @property
    def identity(self):
        return JudgeOptions(backend="scripted:longer").load(silent, MemoryStore()).identity

    def prepare(self, pairs, progress=silent):
        self.prepared += [pair.id for pair in pairs]

    def read(self, items):
        self.asked += [(pair.id, order.value) for pair, order in items]
        return [self._said(self.said[pair.id], order) for pair, order in items]

    def _said(self, both, order):
        p_a = both[list(Order).index(order)]
        return reading(p_a if p_a is None or order is Order.AB else 1 - p_a, self.steps)


def verdict(in_ab, in_ba):
    return combine(
        "p", {Order.AB: reading(in_ab), Order.BA: reading(None if in_ba is None else 1 - in_ba)}, "j"
    )


def judged(fast, slow):
    pairs = [pair_of(id=name, prompt=f"{name}?") for name in fast]
    auto = Auto(Given(fast), Given(slow, (STEP,)))
    return {one.pair_id: one for one in judge_pairs(pairs, auto)}, auto


def test_only_doubtful_pairs_are_read_slowly_and_their_slow_verdict_counts():
    fast = {"sure": (0.9, 0.9), "flip": (0.95, 0.4), "near": (0.45, 0.45), "lost": (0.1, 0.1)}
    found, auto = judged(fast, {"flip": (0.2, 0.2), "near": (0.6, 0.7)})
    outcomes = {"sure": Outcome.A, "flip": Outcome.B, "near": Outcome.A, "lost": Outcome.B}
    assert {name: one.outcome for name, one in found.items()} == outcomes
    assert {name for name, one in found.items() if is_escalated(one)} == {"flip", "near"}
    assert sorted(auto.slow.asked) == [(name, order) for name in ("flip", "near") for order in ("AB", "BA")]
    assert len(auto.fast.asked) == 8


def test_a_reading_costs_what_both_judges_read_and_wrote():
    found, _ = judged({"sure": (0.9, 0.9), "flip": (0.95, 0.4)}, {"flip": (0.2, 0.2)})
    costs = {
        name: [(r.tokens_in, r.tokens_out) for r in one.readings.values()] for name, one in found.items()
    }
    assert costs == {"sure": [(1, 1)] * 2, "flip": [(2, 2)] * 2}
    unread, _ = judged({"p": (0.95, 0.4)}, {"p": (0.9, None)})
    assert [one.tokens_in for one in unread["p"].readings.values()] == [2, 1]


def test_where_the_slow_judge_cannot_be_read_the_fast_verdict_stays_and_it_is_known_to_have_escalated():
    found, _ = judged({"p": (0.95, 0.4)}, {"p": (0.9, None)})
    assert found["p"].status is Status.INCONSISTENT
    assert found["p"].p_a == pytest.approx(0.675)
    assert is_escalated(found["p"])


def test_without_doubt_the_slow_judge_is_not_asked():
    found, auto = judged({"a": (0.9, 0.9), "b": (0.1, 0.2)}, {})
    assert auto.slow.asked == []
    assert not any(map(is_escalated, found.values()))


@pytest.mark.parametrize(
    ("both", "doubt"),
    [
        ((0.9, 0.9), False),
        ((0.601, 0.601), False),
        ((0.599, 0.599), True),
        ((0.399, 0.399), False),
        ((0.401, 0.401), True),
        ((0.95, 0.49), True),
        ((None, 0.9), True),
    ],
)
def test_what_leaves_doubt(both, doubt):
    assert NEAR_EVEN == 0.1
    assert is_doubtful(verdict(*both)) is doubt


def test_the_orders_of_a_pair_have_to_come_together():
    auto = Auto(Given({"p": (0.9, 0.9), "q": (0.9, 0.9)}), Given({}))
    p, q = pair_of(id="p"), pair_of(id="q")
    for items in ([(p, Order.AB)], [(p, Order.AB), (q, Order.AB)], [(p, Order.AB), (q, Order.BA)]):
        with pytest.raises(ValueError, match="both orders of a pair together"):
            auto.read(items)


def test_its_identity_changes_with_either_part_and_is_not_that_of_one_of_them():
    def identity(**more):
        return JudgeOptions("auto", "scripted:longer", **more).load(silent, MemoryStore()).identity

    own = identity()
    fast = JudgeOptions("fast", "scripted:longer").load(silent, MemoryStore()).identity
    slow = JudgeOptions("slow", "scripted:longer").load(silent, MemoryStore()).identity
    assert own.method == "auto"
    assert len({own.fingerprint, fast.fingerprint, slow.fingerprint}) == 3
    warmer = identity(method_settings=MethodSettings(temperature=0.7))
    assert warmer.fingerprint != own.fingerprint
    ties = identity(method_settings=MethodSettings(ties=True))
    assert ties.fingerprint != own.fingerprint


def test_an_adapter_is_the_fast_part_s_and_samples_are_the_slow_part_s():
    options = JudgeOptions("auto", samples=3, method_settings=MethodSettings(temperature=0.7))
    options = replace(options, settings=replace(options.settings, adapter="mine"))
    fast, slow = options.parts
    assert (fast.method, fast.adapter, fast.samples, fast.method_settings.temperature) == (
        "fast",
        "mine",
        1,
        0,
    )
    assert (slow.method, slow.adapter, slow.samples, slow.method_settings.temperature) == ("bsm", "", 3, 0.7)


def test_it_runs_over_a_real_slow_method(monkeypatch):
    auto = JudgeOptions("auto", "scripted:first").load(silent, MemoryStore())
    verdicts = judge_pairs(FOUR_PAIRS, auto)
    assert all(map(is_escalated, verdicts))
    assert isinstance(auto.backend, ScriptedBackend)


def test_other_words_are_told_what_there_is():
    with pytest.raises(InputError, match=r"fast \(direct or score\), slow \(bsm\), auto"):
        JudgeOptions("quick", "scripted:first").load(silent, MemoryStore())


class Sleepy(ScriptedBackend):
    """Takes its time over each prompt."""

    def choose(self, prompts, choices):
        time.sleep(0.01 * len(prompts))
        return super().choose(prompts, choices)

    def complete(self, prompts, sampling):
        time.sleep(0.01 * len(prompts))
        return super().complete(prompts, sampling)


@pytest.mark.parametrize("fast", ["score", "direct"])
def test_what_both_judges_took_is_counted_once(tmp_path, fast):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        settings = MethodSettings(store=ledger)
        doubtful, slow = Sleepy(first, "scripted-first"), Sleepy(longer, "scripted-longer")
        methods = {"auto": Auto(load_method(fast, doubtful, settings), load_method("bsm", slow, settings))}
        methods |= {"fast": methods["auto"].fast, "slow": methods["auto"].slow}
        tokens, seconds = {}, {}
        for name, method in sorted(methods.items()):
            started = time.perf_counter()
            verdicts = judge_pairs(FOUR_PAIRS, method, ledger)
            took_s = time.perf_counter() - started
            shared = shared_steps(verdicts)
            parts = [*shared, *(one for verdict in verdicts for one in verdict.readings.values())]
            tokens[name] = sum(one.tokens_in + one.tokens_out for one in parts)
            contents = [pair.content_hash for pair in FOUR_PAIRS]
            steps = [step.shared for step in shared]
            seconds[name] = ledger.elapsed(method.identity.fingerprint, contents, steps), took_s
            assert is_escalated(verdicts[0]) is (name != "fast")
    assert tokens["auto"] == tokens["fast"] + tokens["slow"]
    counted_s, took_s = seconds["auto"]
    assert 0.01 * len(FOUR_PAIRS) < counted_s <= took_s


def test_a_slow_verdict_says_what_the_fast_judge_graded():
    doubtful, slow = (ScriptedBackend(script, "scripted") for script in (first, longer))
    [verdict] = judge_pairs(FOUR_PAIRS[:1], Auto(load_method("score", doubtful), load_method("bsm", slow)))
    named = {order: [step.name for step in reading.steps][:2] for order, reading in verdict.readings.items()}
    assert named == {
        Order.AB: ["fast, answer A", "fast, answer B"],
        Order.BA: ["fast, answer B", "fast, answer A"],
    }
    assert graded_steps(verdict) == {}  # both answers were seen beside each other, too
    assert "fast, answer A\n  mean grade" in format_steps(verdict)
