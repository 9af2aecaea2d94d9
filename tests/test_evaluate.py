from __future__ import annotations

from dataclasses import replace
from statistics import median, quantiles

import numpy as np
import pytest
from pairs import FOUR_PAIRS, pair_of

from judge.backends import Completion
from judge.backends.scripted import ScriptedBackend, longer, text_of
from judge.errors import BackendError
from judge.evaluate import judge_pairs, judge_until, planned, size_of
from judge.io.verdicts import verdict_from_cells, verdict_to_json
from judge.ledger.ledger import Ledger
from judge.methods import MethodSettings
from judge.methods.bsm import BranchSolveMerge, TextBranchSolveMerge
from judge.methods.direct import Direct
from judge.records import Choice, Judgment, Message, Order, Outcome, Pair, Status, Unparsed


class Counting(ScriptedBackend):
    """Longer wins; counts what it is asked, and fails at question number `fails_at`."""

    def __init__(self, fails_at: int | None = None, answers_alone: bool = False) -> None:
        super().__init__(longer, "scripted-longer")
        self.answers_alone = answers_alone
        self.n_asked = 0
        self.fails_at = fails_at

    def choose(self, prompts, choices):
        if self.fails_at is not None and self.n_asked + len(prompts) > self.fails_at:
            raise BackendError("the engine broke")
        self.n_asked += len(prompts)
        return super().choose(prompts, choices)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        yield ledger


def many_pairs(n):
    return [pair_of("a" * 9_000 + str(i), "b" * i, id=f"p{i}") for i in range(n)]


def test_verdicts_come_in_the_pairs_order_whatever_order_they_were_judged_in():
    verdicts = judge_pairs(FOUR_PAIRS, Direct(Counting()))
    assert [verdict.pair_id for verdict in verdicts] == [pair.id for pair in FOUR_PAIRS]


def test_no_pairs_make_no_verdicts():
    assert judge_pairs([], Direct(Counting())) == []


def test_what_the_ledger_knows_is_not_asked_again_and_comes_back_equal(ledger):
    first = judge_pairs(FOUR_PAIRS, Direct(Counting()), ledger)
    again = Counting()
    assert judge_pairs(FOUR_PAIRS, Direct(again), ledger) == first
    assert again.n_asked == 0


def test_another_judge_does_not_use_the_first_ones_readings(ledger):
    judge_pairs(FOUR_PAIRS, Direct(Counting()), ledger)
    other = Counting()
    judge_pairs(FOUR_PAIRS, Direct(other, MethodSettings(ties=True)), ledger)
    assert other.n_asked == 2 * len(FOUR_PAIRS)


def test_a_run_that_broke_keeps_its_whole_batches_and_goes_on_with_the_rest(ledger):
    pairs = many_pairs(12)
    unbroken = judge_pairs(pairs, Direct(Counting()))
    broken = Counting(fails_at=14)
    with pytest.raises(BackendError, match="broke"):
        judge_pairs(pairs, Direct(broken), ledger)
    assert 0 < broken.n_asked < 2 * len(pairs)
    resumed = Counting()
    assert judge_pairs(pairs, Direct(resumed), ledger) == unbroken
    assert broken.n_asked + resumed.n_asked == 2 * len(pairs)


def over_after_batches(n):
    """Over once this was asked `n` times."""
    asked = iter([False] * n)
    return lambda: next(asked, True)


def test_no_batch_is_begun_when_it_is_over_and_the_same_call_goes_on(ledger):
    pairs = many_pairs(12)
    whole = judge_pairs(pairs, Direct(Counting()))
    first = judge_until(pairs, Direct(Counting()), over_after_batches(3), ledger)
    n_judged = sum(verdict is not None for verdict in first)
    assert 0 < n_judged < len(pairs)
    assert all(mine in (None, its) for mine, its in zip(first, whole, strict=True))
    assert judge_until(pairs, Direct(Counting()), over_after_batches(0), ledger) == first
    rest = Counting()
    assert judge_until(pairs, Direct(rest), over_after_batches(99), ledger) == whole
    assert rest.n_asked == 2 * (len(pairs) - n_judged)


def test_what_is_judged_by_then_is_neither_the_longest_nor_the_shortest():
    pairs = [pair_of("a" * 1_000 * (1 + n // 10), "b" * n, id=f"p{n}") for n in range(200)]
    found = judge_until(pairs, Direct(Counting()), over_after_batches(40))
    judged = [size_of(pair) for pair, verdict in zip(pairs, found, strict=True) if verdict is not None]
    assert 20 < len(judged) < 100
    shorter, _, longer = quantiles(map(size_of, pairs), n=4)
    assert shorter < median(judged) < longer


def test_plans_are_written_for_the_batches_that_are_begun_alone():
    pairs = [replace(one, id=f"p{n}") for n, one in enumerate(many_pairs(12))]
    few, all_of_them = Counting(), Counting()
    judge_until(pairs, BranchSolveMerge(few), over_after_batches(1))
    judge_until(pairs, BranchSolveMerge(all_of_them), over_after_batches(99))
    assert 0 < few.n_asked < all_of_them.n_asked


def test_what_another_run_recorded_meanwhile_is_what_counts(ledger):
    """Two runs of one judge at once, whose readings differ: both say what the ledger kept."""

    class Beside(ScriptedBackend):
        """Always the second; before it answers, another run has had all pairs answered by the first."""

        def __init__(self):
            super().__init__(lambda prompt, number: "[[B]]", "one")
            self.others = []

        def choose(self, prompts, choices):
            first = ScriptedBackend(lambda prompt, number: "[[A]]", "one")
            self.others = judge_pairs(FOUR_PAIRS, Direct(first), ledger)
            return super().choose(prompts, choices)

    beside = Beside()
    found = judge_pairs(FOUR_PAIRS, Direct(beside), ledger)
    assert found == beside.others
    assert {reading.choice for one in found for reading in one.readings.values()} == {Choice.FIRST}


class Drawing(ScriptedBackend):
    """Its free replies depend on their place in the call, as where an engine samples; breaks at a call."""

    batch_characters = 8000

    def __init__(self, breaks_at: int | None = None) -> None:
        super().__init__(longer, "scripted-drawing")
        self.calls: list[int] = []
        self.breaks_at = breaks_at

    def complete(self, prompts, sampling):
        if len(self.calls) == self.breaks_at:
            raise BackendError("the engine broke")
        self.calls.append(len(prompts))
        replies = (f" Point {n}: says it.\n2. Form {n}: is short." for n in range(len(prompts)))
        return [Completion(reply, 1, 9, is_ended=True) for reply in replies]


def test_sampled_plans_of_a_run_that_was_interrupted_are_those_of_one_that_was_not(ledger, tmp_path):
    pairs = [pair_of("a longer answer", "short", "Why" + " so" * n**3 + "?", f"p{n}") for n in range(30)]

    def judged(backend, ledger, temperature=0.7, some=pairs):
        method = BranchSolveMerge(backend, MethodSettings(temperature=temperature, store=ledger))
        return judge_pairs(some, method, ledger)

    with Ledger(tmp_path / "whole.sqlite") as other:
        whole = Drawing()
        expected = judged(whole, other)
        assert len(whole.calls) > 3
        with pytest.raises(BackendError):
            judged(Drawing(breaks_at=2), ledger)
        rest = Drawing()
        assert judged(rest, ledger) == expected
        assert rest.calls == whole.calls[2:]
        more = Drawing()  # of what is partly known only the rest is asked for
        judged(more, ledger, some=[*pairs, pair_of("a longer answer", "short", "And how?", "new")])
        assert more.calls == [1]


def test_a_failure_is_not_kept(ledger):
    judge = Direct(Counting(fails_at=0))
    with pytest.raises(BackendError):
        judge_pairs(FOUR_PAIRS, judge, ledger)
    assert ledger.find(judge.identity.fingerprint, [pair.content_hash for pair in FOUR_PAIRS]) == {}


def test_a_batch_that_is_half_known_is_judged_whole_and_known_readings_stay(ledger):
    judge_pairs(FOUR_PAIRS[:2], Direct(Counting()), ledger)
    judge = Counting()
    judge_pairs(FOUR_PAIRS, Direct(judge), ledger)
    assert judge.n_asked == 2 * len(FOUR_PAIRS)
    [summary] = ledger.summary()
    assert summary.n_readings == 2 * len(FOUR_PAIRS)


def test_of_a_backend_that_answers_each_prompt_alone_only_the_pairs_that_are_not_known_are_asked_for(ledger):
    judge_pairs(FOUR_PAIRS[:3], Direct(Counting()), ledger)
    alone = Counting(answers_alone=True)
    found = judge_pairs(FOUR_PAIRS, Direct(alone), ledger)
    assert alone.n_asked == 2
    assert found == judge_pairs(FOUR_PAIRS, Direct(Counting()))


def test_one_content_under_two_ids_is_judged_once_and_answered_twice():
    twins = [pair_of(id="one"), pair_of(id="two")]
    backend = Counting()
    verdicts = judge_pairs(twins, Direct(backend))
    assert backend.n_asked == 2
    assert [verdict.pair_id for verdict in verdicts] == ["one", "two"]
    assert verdicts[0].readings == verdicts[1].readings


def test_the_plan_holds_every_pair_once_longest_first_and_ignores_the_files_order():
    pairs = many_pairs(30)
    plan = planned(pairs, 16_000)
    assert sorted(pair.id for batch in plan for pair in batch) == sorted(pair.id for pair in pairs)
    sizes = [size_of(pair) for batch in plan for pair in batch]
    assert sizes == sorted(sizes, reverse=True)
    assert planned(pairs[::-1], 16_000) == plan
    assert all(sum(map(size_of, batch)) <= 16_000 or len(batch) == 1 for batch in plan)


def test_progress_ends_at_the_total_and_never_goes_back():
    seen = []
    judge_pairs(many_pairs(12), Direct(Counting()), progress=lambda *step: seen.append(step))
    done = [step[1] for step in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1][2]
    assert seen[-1][0] == "judging, 12 of 12 pairs"


def test_equal_answers_are_a_consistent_tie_and_nobody_is_asked(ledger):
    texts = (("", ""), ("same", "same"), ("same\n", "  same"), ("", " \n"))
    pairs = [pair_of(*both, id=str(number)) for number, both in enumerate(texts)]
    backend = Counting()
    for verdict in judge_pairs(pairs, Direct(backend), ledger):
        assert (verdict.status, verdict.outcome, verdict.p_a) == (Status.CONSISTENT, Outcome.TIE, 0.5)
        assert verdict.outcome_by_mean is Outcome.TIE
        assert verdict.is_identical
        assert set(verdict.readings) == set(Order)
        assert verdict_from_cells(verdict_to_json(verdict)) == verdict
    assert backend.n_asked == 0
    assert ledger.summary()[0].n_readings == 0


def test_equal_answers_to_unequal_questions_and_answers_that_differ_inside_are_judged():
    other = Pair("context", (Message("user", "one"), Message("assistant", "same")), pair_of().conversation_b)
    other = replace(other, conversation_b=(Message("user", "two"), Message("assistant", "same")))
    backend = Counting()
    for verdict in judge_pairs([other, pair_of("a b", "a  b")], Direct(backend)):
        assert not verdict.is_identical
    assert backend.n_asked == 4


class Moody(Counting):
    """As long as it is moody it gives no verdict on answers that hold "odd"."""

    def __init__(self, is_moody):
        super().__init__()
        self.is_moody = is_moody

    def choose(self, prompts, choices):
        found = super().choose(prompts, choices)
        return [
            Unparsed("blocked (status 400)", "no")
            if self.is_moody and "odd" in text_of(prompt, "first")
            else one
            for prompt, one in zip(prompts, found, strict=True)
        ]


def test_one_unread_pair_stops_no_other_and_it_alone_is_asked_again_by_the_next_run(ledger):
    pairs = [*FOUR_PAIRS, pair_of("odd and even", "short", id="odd")]
    first = judge_pairs(pairs, Direct(Moody(True)), ledger)
    assert [one.pair_id for one in first if one.status is Status.UNPARSED] == ["odd"]
    again = Moody(False)
    second = judge_pairs(pairs, Direct(again), ledger)
    assert again.n_asked == 2
    assert second == judge_pairs(pairs, Direct(Counting()))
    assert judge_pairs(pairs, Direct(Moody(True)), ledger) == second


def test_a_reply_that_stays_unreadable_is_asked_at_every_run_and_never_replaces_a_readable_one(ledger):
    pairs = [pair_of("odd and even", "short", id="odd")]
    for _ in range(2):
        moody = Moody(True)
        [verdict] = judge_pairs(pairs, Direct(moody), ledger)
        assert moody.n_asked == 2
        readable = [order for order in Order if isinstance(verdict.readings[order], Judgment)]
        assert readable == [Order.BA]


@pytest.mark.parametrize(("reason", "n_asked"), [("1 FIRST, 1 SECOND", 0), ("1 FIRST, 1 unreadable", 2)])
def test_samples_that_are_even_are_not_drawn_again_until_they_are_not(ledger, reason, n_asked):
    class Drawn(Direct):
        def read(self, items):
            return [Unparsed(f"no majority: {reason}", "") for _ in super().read(items)]

    judge_pairs([pair_of()], Drawn(Counting()), ledger)
    again = Counting()
    [verdict] = judge_pairs([pair_of()], Drawn(again), ledger)
    assert again.n_asked == n_asked
    assert verdict.status is Status.UNPARSED


def test_an_even_vote_stays_where_a_new_pair_has_its_batch_read_again(ledger):
    class Drawn(Direct):
        draw = Unparsed("no majority: 1 FIRST, 1 SECOND", "")

        def read(self, items):
            found = zip(items, super().read(items), strict=True)
            return [self.draw if pair.id == "even" else one for (pair, _), one in found]

    pairs = [pair_of("a longer answer", "short", id="even")]
    judge_pairs(pairs, Drawn(Counting()), ledger)
    again = Drawn(Counting())
    again.draw = Judgment(Choice.FIRST, None, "", 1, 1)
    even, new = judge_pairs([*pairs, pair_of("new answer", "old", id="new")], again, ledger)
    assert (even.status, new.status) == (Status.UNPARSED, Status.CONSISTENT)


def test_a_plan_stays_where_a_score_by_it_could_not_be_read(ledger):
    def said(plan, scores):
        return lambda prompt, _: plan if not prompt.reply_start.startswith("Scores") else scores

    pair = pair_of("a longer answer", "short")
    plans = "Content: says it.", "Form: is short."
    for plan, scores in zip(plans, ("no scores", "4]], B [[2]]"), strict=True):
        asked = ScriptedBackend(said(f" {plan}\n", scores), "one")
        [verdict] = judge_pairs([pair], TextBranchSolveMerge(asked, MethodSettings(store=ledger)), ledger)
    assert {step.name for reading in verdict.readings.values() for step in reading.steps} == {
        "branch",
        "Content: says it.",
    }


def test_a_plan_that_could_not_be_read_is_asked_again_too(ledger):
    pair = pair_of("a longer answer", "short")
    planless = BranchSolveMerge(
        ScriptedBackend(lambda *_: "no plan at all", "one"), MethodSettings(store=ledger)
    )
    assert judge_pairs([pair], planless, ledger)[0].status is Status.UNPARSED
    planned_now = BranchSolveMerge(ScriptedBackend(longer, "one"), MethodSettings(store=ledger))
    assert judge_pairs([pair], planned_now, ledger)[0].status is Status.CONSISTENT


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (Judgment(Choice.FIRST, {Choice.FIRST: 1.5, Choice.SECOND: -0.5}, "", 1, 1), "from 0 to 1"),
        (Judgment(Choice.FIRST, {Choice.FIRST: 0.9, Choice.SECOND: 0.9}, "", 1, 1), "must sum to 1"),
        (Judgment(Choice.FIRST, None, "", np.int64(1), 1), "tokens_in is np.int64(1). It must be a whole"),
        (Judgment(Choice.FIRST, None, "", 1, 2**70), "tokens_out is 11805"),
        (Judgment("A", None, "", 1, 1), "its choice is 'A'"),
        (Unparsed("odd", "half of one: \ud800"), "only half a character"),
        (None, "its reading is null"),
    ],
)
def test_what_is_no_reading_is_refused_before_any_of_its_batch_is_kept(reading, said, ledger, monkeypatch):
    method = Direct(Counting())
    monkeypatch.setattr(Direct, "read", lambda self, items: [reading] * len(items))
    with pytest.raises(BackendError) as refused:
        judge_pairs(FOUR_PAIRS, method, ledger)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    contents = {pair.content_hash for pair in FOUR_PAIRS}
    assert not ledger.find(method.identity.fingerprint, contents)


@pytest.mark.parametrize("given", [[], None])
def test_a_method_gives_a_reading_for_each_pair_and_order(given, monkeypatch):
    monkeypatch.setattr(Direct, "read", lambda self, items: given)
    with pytest.raises(BackendError, match="It must give one for each"):
        judge_pairs(FOUR_PAIRS, Direct(Counting()))
