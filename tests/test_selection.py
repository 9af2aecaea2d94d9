"""From traces to what a student learns: each filter by hand, and what holds whatever the traces are."""

from __future__ import annotations

import gzip
import json
import math
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pairs import FOUR_PAIRS, pair_of

from distill.selection import (
    Example,
    Filter,
    Part,
    Selection,
    part_of,
    select,
    teacher_p_a,
)
from distill.selectionfile import read_selection, write_selection
from distill.selectionreport import format_report, report_of
from distill.traces import Trace
from judge.backends import ChoiceProbabilities
from judge.datasets.dataset import prompt_of
from judge.errors import BadLines, InputError
from judge.methods.voting import majority_of, picked_of
from judge.metrics.baselines import coin, first_wins, longer_wins
from judge.orders import combine
from judge.records import Choice, Judgment, Message, Order, Outcome, Pair, Reading, Step, Unparsed, Verdict

FIRST, SECOND, TIE = Choice
AB, BA = Order
A_IN_BOTH = {AB: FIRST, BA: SECOND}
B_IN_BOTH = {AB: SECOND, BA: FIRST}
MUTE = Unparsed("criterion 1: no score", "Both have their merits.", 100, 5)


def said(choice: Choice, p_first: float | None = None) -> Judgment:
    probabilities = None if p_first is None else {FIRST: p_first, SECOND: 1 - p_first}
    return Judgment(choice, probabilities, "", 100, 10)


def verdict_of(in_ab: Reading, in_ba: Reading, id: str = "p") -> Verdict:
    return combine(id, {AB: in_ab, BA: in_ba}, "teacher")


def trace(in_ab: Reading, in_ba: Reading, pair: Pair | None = None) -> Trace:
    pair = pair or pair_of()
    return Trace(pair, verdict_of(in_ab, in_ba, pair.id))


def traces_of(teacher: Callable[[list[Pair]], list[Verdict]], pairs: list[Pair]) -> list[Trace]:
    return [Trace(pair, verdict) for pair, verdict in zip(pairs, teacher(pairs), strict=True)]


def selected(
    traces: list[Trace], filter: str = "swap", margin=0.0, balance_length=False, held_out=0.0, seed=0
):
    return select(traces, filter, margin, balance_length, held_out, seed)


def taught(filter: str, in_ab: Reading, in_ba: Reading, margin: float = 0.0) -> dict[Order, Choice] | str:
    """The targets of the one pair that was read like this, or why it was dropped."""
    selection = selected([trace(in_ab, in_ba)], filter, margin)
    if selection.kept:
        assert not selection.dropped
        return dict(selection.kept[0].choices)
    [(reason, n)] = selection.dropped.items()
    assert n == 1
    return reason


# --- the filters


@pytest.mark.parametrize(
    ("in_ab", "in_ba", "expected"),
    [
        (said(FIRST), said(SECOND), A_IN_BOTH),
        (said(SECOND), said(FIRST), B_IN_BOTH),
        (said(FIRST), said(FIRST), "the orders disagree"),
        (said(FIRST), said(TIE), "the orders disagree"),
        (said(TIE), said(TIE), "a tie in both orders"),
        (said(FIRST), MUTE, "one order could not be read"),
        (MUTE, said(TIE), "one order could not be read"),
        (MUTE, MUTE, "neither order could be read"),
    ],
)
def test_swap_keeps_what_wins_in_both_orders(in_ab, in_ba, expected):
    assert taught("swap", in_ab, in_ba) == expected


def vote(letters: str) -> Reading:
    """The majority of samples: 1 for the first response, 2 for the second, = for a tie, ? for unreadable."""
    samples = {"1": said(FIRST), "2": said(SECOND), "=": said(TIE), "?": MUTE}
    return majority_of([samples[letter] for letter in letters])


@pytest.mark.parametrize(
    ("in_ab", "in_ba", "expected"),
    [
        ("11122", "22222", A_IN_BOTH),
        ("22221", "11112", B_IN_BOTH),
        ("11111", "11122", A_IN_BOTH),  # a has 5 of 5 and 2 of 5: the second order is outvoted
        ("11122", "11111", B_IN_BOTH),  # a has 3 of 5 and none
        ("11122", "11122", "the samples of both orders are even"),
        ("11=", "11111?2", "the samples of both orders are even"),  # 5/6 twice, computed in different ways
        ("===", "===", "the samples of both orders are even"),
        ("===12", "22222", A_IN_BOTH),  # a tie counts half: a has 1/2 and 1
        ("1122", "2222", "an order has no majority"),
        ("22222", "???11", "an order has no majority"),
        ("????", "????", "an order has no majority"),
    ],
)
def test_majority_keeps_what_wins_over_the_samples_of_both_orders(in_ab, in_ba, expected):
    assert taught("majority", vote(in_ab), vote(in_ba)) == expected


def test_majority_needs_shares_of_samples():
    assert taught("majority", said(FIRST), said(SECOND)) == "the teacher gives no shares of samples"


@pytest.mark.parametrize(
    ("in_ab", "in_ba", "expected"),
    [
        (said(FIRST), said(SECOND), A_IN_BOTH),
        (said(FIRST), said(FIRST), "the orders disagree"),
        (said(TIE), said(SECOND), "the orders disagree"),
        (said(TIE), said(TIE), "a tie in both orders"),
        (said(FIRST), MUTE, A_IN_BOTH),
        (MUTE, said(FIRST), B_IN_BOTH),
        (MUTE, said(TIE), "a tie in the only order that could be read"),
        (MUTE, MUTE, "neither order could be read"),
    ],
)
def test_usc_keeps_what_the_picked_samples_name(in_ab, in_ba, expected):
    assert taught("usc", in_ab, in_ba) == expected


@pytest.mark.parametrize(
    ("in_ab", "in_ba", "expected"),
    [
        (said(FIRST), said(SECOND), A_IN_BOTH),
        (said(FIRST), said(FIRST), {AB: FIRST, BA: FIRST}),
        (said(TIE), said(FIRST), {AB: TIE, BA: FIRST}),
        (MUTE, said(TIE), {BA: TIE}),
        (said(SECOND), MUTE, {AB: SECOND}),
        (MUTE, MUTE, "neither order could be read"),
    ],
)
def test_none_keeps_every_choice_that_could_be_read(in_ab, in_ba, expected):
    assert taught("none", in_ab, in_ba) == expected


def test_a_teacher_that_always_prefers_the_first_teaches_nothing_through_swap_and_everything_through_none():
    traces = traces_of(first_wins, FOUR_PAIRS)
    assert selected(traces).dropped == {"the orders disagree": 4}
    assert [example.choices for example in selected(traces, "none").kept] == [{AB: FIRST, BA: FIRST}] * 4


def test_a_teacher_that_prefers_the_longer_teaches_just_that():
    kept = selected(traces_of(longer_wins, FOUR_PAIRS)).kept
    assert {one.pair.id: one.winner for one in kept} == {
        "sky": Outcome.B,
        "tell": Outcome.A,
        "empty": Outcome.B,
    }
    assert selected(traces_of(longer_wins, FOUR_PAIRS)).dropped == {"a tie in both orders": 1}


def test_only_an_example_whose_choices_name_one_response_has_a_winner():
    example = Example(pair_of(), A_IN_BOTH, None, Part.TRAIN)
    assert example.winner is Outcome.A
    assert replace(example, choices=B_IN_BOTH).winner is Outcome.B
    assert replace(example, choices={BA: FIRST}).winner is Outcome.B
    for choices in ({AB: FIRST, BA: FIRST}, {AB: TIE}, {AB: TIE, BA: TIE}, {AB: FIRST, BA: TIE}):
        assert replace(example, choices=choices).winner is None


# --- how sure the teacher is


def scored(*scores: tuple[float, float], sample: str = "") -> Judgment:
    """A reading of bsm-text with these scores, one criterion each."""
    first, second = (sum(one[side] for one in scores) for side in (0, 1))
    choice = TIE if first == second else FIRST if first > second else SECOND
    steps = [Step(f"{sample}criterion {n}", "", 9, 9, one) for n, one in enumerate(scores, start=1)]
    plan = Step(f"{sample}branch", "", 9, 9)
    return Judgment(choice, None, f"{first:.2f} : {second:.2f}", 100, 10, steps=(plan, *steps))


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_a_probability_of_the_teacher_is_taken_as_it_is():
    assert teacher_p_a(verdict_of(said(FIRST, 0.9), said(SECOND, 0.3))) == pytest.approx(0.8)


def test_sums_of_scores_become_a_probability_by_the_mean_lead_on_a_criterion():
    # In AB a leads by 1 + 3 points on two criteria, in BA (where it is second) by 1 - 1: (2 + 0) / 2 = 1.
    verdict = verdict_of(scored((4, 3), (5, 2)), scored((3, 4), (4, 3)))
    assert teacher_p_a(verdict) == pytest.approx(logistic(2.0))
    assert teacher_p_a(verdict_of(scored((3, 3)), scored((2, 2)))) == 0.5
    assert teacher_p_a(verdict_of(scored((1, 5)), scored((5, 1)))) == pytest.approx(logistic(-8.0))


def test_a_point_on_every_criterion_weighs_the_same_however_many_there_are():
    one, five = (verdict_of(scored(*[(4, 3)] * n), scored(*[(3, 4)] * n)) for n in (1, 5))
    assert teacher_p_a(one) == pytest.approx(teacher_p_a(five))
    assert round(teacher_p_a(one), 2) == 0.88


def test_scores_count_as_often_as_their_criterions_weight_says():
    reading = scored((4, 2), (3, 3))
    plan, first, second = reading.steps
    weighed = replace(reading, raw="11.00 : 7.00", steps=(plan, replace(first, weight=2.0), second))
    other = replace(
        weighed, choice=SECOND, raw="7.00 : 11.00", steps=(replace(first, scores=(2, 4), weight=2.0), second)
    )
    assert teacher_p_a(verdict_of(weighed, other)) == pytest.approx(logistic(2 * 4 / 3))


def test_a_greater_lead_is_a_greater_probability():
    leads = [verdict_of(scored((1 + up, 1), (3, 3)), scored((3, 3), (3, 3))) for up in (0, 1, 2, 3, 4)]
    values = [teacher_p_a(verdict) for verdict in leads]
    assert values == sorted(set(values))


def test_a_picked_sample_is_as_sure_as_its_own_scores_say():
    samples = [scored((2, 3), (3, 3)), scored((5, 3), (4, 2)), scored((4, 3), (3, 4))]
    second = picked_of(samples, ChoiceProbabilities((0.1, 0.8, 0.1), 9, 1))
    assert second.raw == "9.00 : 5.00"
    assert teacher_p_a(verdict_of(second, scored((2, 4)))) == pytest.approx(logistic(2 * (2 + 2) / 2))


def test_nothing_says_how_sure_a_teacher_is_without_probabilities_or_sums_or_with_an_order_unread():
    assert teacher_p_a(verdict_of(said(FIRST), said(SECOND))) is None
    assert teacher_p_a(verdict_of(said(FIRST, 0.9), MUTE)) is None
    assert teacher_p_a(verdict_of(scored((4, 2)), MUTE)) is None
    assert teacher_p_a(verdict_of(scored((4, 2)), said(SECOND))) is None
    without_steps = replace(scored((4, 2)), steps=())  # as it comes out of a shard of the ledger
    assert teacher_p_a(verdict_of(without_steps, without_steps)) is None


@pytest.mark.parametrize(
    ("p_first", "margin", "is_kept"),
    [(0.6, 0.2, True), (0.6, 0.21, False), (0.5, 0.0, True), (1.0, 1.0, True), (0.99, 1.0, False)],
)
def test_a_margin_keeps_what_reaches_it_to_the_last_bit(p_first, margin, is_kept):
    for in_ab, in_ba, targets in (
        (said(FIRST, p_first), said(SECOND, 1 - p_first), A_IN_BOTH),
        (said(SECOND, 1 - p_first), said(FIRST, p_first), B_IN_BOTH),
    ):
        expected = targets if is_kept else "the margin is too small"
        assert taught("swap", in_ab, in_ba, margin) == expected


def test_a_pair_without_a_margin_is_dropped_only_if_one_is_asked_for():
    assert taught("swap", said(FIRST), said(SECOND), margin=0.0) == A_IN_BOTH
    assert taught("swap", said(FIRST), said(SECOND), margin=0.1) == "the teacher gives no margin"
    assert taught("usc", said(FIRST, 0.9), MUTE, margin=0.1) == "the teacher gives no margin"


def test_an_example_keeps_the_probability_of_its_teacher():
    [sure] = selected([trace(said(FIRST, 0.9), said(SECOND, 0.3))]).kept
    assert sure.p_a == pytest.approx(0.8)
    [unsure] = selected([trace(said(FIRST), said(SECOND))]).kept
    assert unsure.p_a is None


# --- the balance of lengths


def answered(winner_length: int, loser_length: int, id: str) -> Trace:
    """A pair that a wins in both orders."""
    pair = pair_of("w" * winner_length, "l" * loser_length, f"prompt of {id}", id)
    return trace(said(FIRST), said(SECOND), pair)


TEN = [
    *(answered(9, n + 1, f"longer {n}") for n in range(6)),
    *(answered(1, n + 2, f"shorter {n}") for n in range(2)),
    *(answered(5, 5, f"equal {n}") for n in range(2)),
]


def test_lengths_are_balanced_by_leaving_out_some_of_the_more_frequent_kind():
    selection = selected(TEN, balance_length=True)
    ids = {one.pair.id for one in selection.kept}
    assert {"shorter 0", "shorter 1", "equal 0", "equal 1"} <= ids
    assert len(ids) == 6
    assert selection.dropped == {"left out to balance the lengths": 4}


def test_where_one_kind_is_missing_only_pairs_of_equal_length_are_left():
    selection = selected(TEN[:6] + TEN[8:], balance_length=True)
    assert {one.pair.id for one in selection.kept} == {"equal 0", "equal 1"}


def test_pairs_without_a_winner_are_never_left_out_to_balance_lengths():
    selection = selected(traces_of(first_wins, FOUR_PAIRS), "none", balance_length=True)
    assert len(selection.kept) == 4


# --- the split


def test_all_pairs_of_a_first_question_are_in_one_part_however_it_is_spaced():
    before = (Message("user", "Tell me\n a story"), Message("assistant", "No."), Message("user", "Please"))
    later = Pair("later", (*before, Message("assistant", "x")), (*before, Message("assistant", "y")))
    assert prompt_of(later) == "tell me a story" == prompt_of(pair_of(prompt=" tell me a STORY "))
    for seed in range(20):
        assert part_of(later, 0.5, seed) is part_of(pair_of(prompt="Tell me a story"), 0.5, seed)


def test_a_pair_of_two_first_questions_is_held_out_where_either_of_them_is():
    found = []
    for n in range(40):
        questions = (f"Question {n}?", f"Another {n}?")
        one, other = ((Message("user", asked), Message("assistant", "x")) for asked in questions)
        alone = {part_of(Pair("p", each, each), 0.3, 0) for each in (one, other)}
        expected = Part.HELD_OUT if Part.HELD_OUT in alone else Part.TRAIN
        assert part_of(Pair("p", one, other), 0.3, 0) is part_of(Pair("p", other, one), 0.3, 0) is expected
        found.append(len(alone))
    assert found.count(2) > 5


def test_the_held_out_share_is_about_what_was_asked_for_and_the_seed_decides_which():
    pairs = [pair_of(prompt=f"question {n}", id=str(n)) for n in range(400)]
    held = [{pair.id for pair in pairs if part_of(pair, 0.25, seed) is Part.HELD_OUT} for seed in (0, 1)]
    assert all(70 <= len(ids) <= 130 for ids in held)
    assert held[0] != held[1]


def test_a_greater_held_out_share_keeps_what_a_smaller_one_held_out():
    pairs = [pair_of(prompt=f"question {n}") for n in range(200)]
    few, many = (
        [pair.prompt for pair in pairs if part_of(pair, share, 3) is Part.HELD_OUT] for share in (0.1, 0.3)
    )
    assert set(few) < set(many)
    assert not [pair for pair in pairs if part_of(pair, 0.0, 3) is Part.HELD_OUT]


# --- what must hold whatever the traces are

PROMPTS = ["Why?", "How?", "When?", "Where?", "Who?"]
READINGS = [
    *(said(choice) for choice in Choice),
    *(said(FIRST, p) for p in (1.0, 0.8, 0.6)),
    *(said(SECOND, p) for p in (0.0, 0.2, 0.4)),
    *map(vote, ("111", "11122", "222", "22=", "=", "1122")),
    *(scored((4, 2), (5, 3)), scored((1, 2)), scored((3, 3))),
    MUTE,
]
CATEGORIES = [None, "math", "writing"]


@st.composite
def some_traces(draw: st.DrawFn) -> list[Trace]:
    drawn = draw(
        st.lists(
            st.tuples(
                *(st.text("ab", max_size=4), st.text("ab", max_size=4), st.sampled_from(PROMPTS)),
                *(st.sampled_from(READINGS), st.sampled_from(READINGS), st.sampled_from(CATEGORIES)),
            ),
            max_size=14,
        )
    )
    return [
        trace(in_ab, in_ba, pair_of(one, other, prompt, f"p{n}", category=category))
        for n, (one, other, prompt, in_ab, in_ba, category) in enumerate(drawn)
    ]


ANY_SETTINGS = {
    "filter": st.sampled_from(Filter),
    "margin": st.sampled_from([0.0, 0.2, 0.6]),
    "balance_length": st.booleans(),
    "held_out": st.sampled_from([0.0, 0.3, 0.9]),
    "seed": st.integers(0, 9),
}
QUICK = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def renamed(one: Trace) -> Trace:
    """The same trace with a called b and b called a: what stood first still does."""
    pair = replace(one.pair, conversation_a=one.pair.conversation_b, conversation_b=one.pair.conversation_a)
    return trace(one.verdict.readings[BA], one.verdict.readings[AB], pair)


@QUICK
@given(some_traces(), st.fixed_dictionaries(ANY_SETTINGS))
def test_renaming_a_and_b_renames_the_targets_and_keeps_the_same_pairs(traces, chosen):
    before, after = select(traces, **chosen), select([renamed(one) for one in traces], **chosen)
    by_id = {one.pair.id: one for one in after.kept}
    assert by_id.keys() == {one.pair.id for one in before.kept}
    assert before.dropped == after.dropped
    for one in before.kept:
        other = by_id[one.pair.id]
        assert other.choices == {order.swapped: choice for order, choice in one.choices.items()}
        assert other.part is one.part
        assert (other.p_a is None) == (one.p_a is None)
        assert one.p_a is None or other.p_a == pytest.approx(1 - one.p_a)


@pytest.mark.slow
@QUICK
@given(some_traces(), st.fixed_dictionaries(ANY_SETTINGS), st.randoms(use_true_random=False))
def test_the_order_of_the_traces_never_matters(traces, chosen, dice: random.Random):
    shuffled = dice.sample(traces, len(traces))
    assert select(traces, **chosen) == select(shuffled, **chosen)


@QUICK
@given(some_traces(), st.fixed_dictionaries(ANY_SETTINGS))
def test_every_trace_is_kept_or_dropped_and_no_prompt_is_in_both_parts(traces, chosen):
    selection = select(traces, **chosen)
    assert len(selection.kept) + sum(selection.dropped.values()) == len(traces)
    assert all(n > 0 for n in selection.dropped.values())
    prompts = [{one.pair.prompt for one in selection.kept if one.part is part} for part in Part]
    assert prompts[0].isdisjoint(prompts[1])


@QUICK
@given(some_traces(), st.fixed_dictionaries(ANY_SETTINGS))
def test_after_balancing_the_longer_wins_as_often_as_the_shorter_in_both_parts(traces, chosen):
    kept = select(traces, **chosen | {"balance_length": True}).kept
    for part in Part:
        decided = [one for one in kept if one.part is part and one.winner]
        longer = sum(one.winner is one.pair.longer for one in decided)
        shorter = sum(one.pair.longer not in (one.winner, Outcome.TIE) for one in decided)
        assert longer == shorter


@pytest.mark.slow
@QUICK
@given(some_traces(), some_traces(), st.fixed_dictionaries(ANY_SETTINGS))
def test_without_balancing_more_traces_change_nothing_for_those_that_were_there(traces, more, chosen):
    chosen = chosen | {"balance_length": False}
    added = [
        trace(*one.verdict.readings.values(), replace(one.pair, id=f"new {one.pair.id}")) for one in more
    ]
    all_kept = select(traces + added, **chosen).kept
    assert select(traces, **chosen).kept == tuple(one for one in all_kept if one.pair.id.startswith("p"))


@QUICK
@given(some_traces(), st.fixed_dictionaries(ANY_SETTINGS))
def test_a_selection_comes_back_as_it_was_and_equal_ones_give_equal_bytes(tmp_path, traces, chosen):
    selection, path = select(traces, **chosen), tmp_path / "selection.jsonl.gz"
    write_selection(path, selection)
    assert read_selection(path) == selection
    first = path.read_bytes()
    write_selection(path, replace(selection, dropped=dict(reversed(selection.dropped.items()))))
    assert path.read_bytes() == first


@QUICK
@given(some_traces(), st.fixed_dictionaries(ANY_SETTINGS))
def test_a_report_is_plain_json_and_its_text_names_every_figure(traces, chosen):
    selection = select(traces, **chosen)
    report = report_of(selection, traces)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    text = format_report(report)
    assert all(reason in text for reason in selection.dropped)
    assert all(len(line) == len(line.rstrip()) for line in text.splitlines())


# --- settings that mean nothing


def test_all_settings_without_a_meaning_are_named_at_once():
    with pytest.raises(InputError) as caught:
        select([], "swop", 1.5, False, 1.0, 0)
    assert str(caught.value).splitlines() == [
        "filter is 'swop'. It must be one of swap, mean, majority, usc, none.",
        "margin is 1.5. It must be a number from 0 to 1.",
        "held_out is 1.0. It must be a number from 0 up and below 1.",
    ]


def test_two_traces_of_one_pair_are_refused():
    with pytest.raises(InputError, match="pair 'sky' has two traces"):
        selected(2 * traces_of(coin, FOUR_PAIRS[:1]))


# --- the report

REPORTED = [
    trace(said(FIRST), said(SECOND), pair_of("long one", "short", "Q1", "1", category="math")),
    trace(said(SECOND), said(FIRST), pair_of("long one", "brief", "q1", "2", category="math")),
    trace(said(FIRST), said(SECOND), pair_of("even", "size", "Q2", "3")),
    trace(said(FIRST), said(FIRST), pair_of("x", "y", "Q3", "4", category="math")),
    trace(said(FIRST), MUTE, pair_of("x", "y", "Q4", "5")),
]


def share(count: int, total: int) -> dict[str, int]:
    return {"count": count, "total": total}


def test_a_report_counts_what_a_hand_counts():
    report = report_of(selected(REPORTED), REPORTED)
    assert report["total"] == {
        "pairs": 5,
        "kept": share(3, 5),
        "inconsistent": share(1, 4),
        "unparsed": share(1, 5),
        "longer_won_of_kept": share(1, 2),
        "longer_won_of_decided": share(1, 2),
        "a_won_of_kept": share(2, 3),
        "a_won_of_decided": share(2, 3),
        "mean_tokens_in": 200.0,
        "mean_tokens_out": 19.0,
    }
    assert report["large_majorities"] == share(3, 5)
    assert report["dropped"] == {
        "one order could not be read": share(1, 5),
        "the orders disagree": share(1, 5),
    }
    assert report["unparsed_reasons"] == {"criterion 1: no score": 1}
    assert report["parts"] == {"train": {"pairs": 3, "prompts": 2}, "held_out": {"pairs": 0, "prompts": 0}}
    assert report["teachers"] == ["teacher"]
    assert report["settings"]["filter"] == "swap"
    assert list(report["by_category"]) == ["(no category)", "math"]
    math_only = report["by_category"]["math"]
    assert (math_only["pairs"], math_only["kept"], math_only["inconsistent"]) == (3, share(2, 3), share(1, 3))


def test_a_report_reads_as_text():
    text = format_report(report_of(selected(REPORTED), REPORTED))
    assert (
        text
        == """\
Filter                         swap, margin 0, 0 of the prompts held out, seed 0
Teacher                        teacher
Pairs in                       5
Kept                           60.0 % (3/5)
  one order could not be read  20.0 % (1/5)
  the orders disagree          20.0 % (1/5)
Inconsistent                   25.0 % (1/4) of the pairs read in both orders
Unparsed                       20.0 % (1/5)
  1 x                          criterion 1: no score
Longer won                     50.0 % (1/2) of the kept, 50.0 % (1/2) of all decided
A won                          66.7 % (2/3) of the kept, 66.7 % (2/3) of all decided
Tokens a pair                  200.0 in, 19.0 out
Train                          3 pairs of 2 prompts
Held out                       0 pairs of 0 prompts
Large majority                 60.0 % (3/5) of the pairs: tells how clean the targets are
After 100 steps                stop unless the student has closed 10 % of the gap to the held-out pairs

By category    pairs  kept          inconsistent  unparsed      longer won (kept)  A won (kept)
(no category)  2      50.0 % (1/2)  0.0 % (0/1)   50.0 % (1/2)  -                  100.0 % (1/1)
math           3      66.7 % (2/3)  33.3 % (1/3)  0.0 % (0/3)   50.0 % (1/2)       50.0 % (1/2)
"""
    )


def test_where_no_pair_has_a_category_there_is_no_table_of_them():
    traces = traces_of(longer_wins, FOUR_PAIRS)
    report = report_of(selected(traces), traces)
    assert report["by_category"] == {}
    assert "By category" not in format_report(report)


def test_text_of_others_in_a_report_steers_no_terminal():
    odd = Unparsed("said \x1b[2J\n and more", "")
    report = report_of(selected(traces := [trace(odd, odd, pair_of(category="\x1b]0;x\x07"))]), traces)
    assert not {"\x1b", "\x07"} & set(format_report(report))


# --- files


def written(path, *changes: Callable[[list[dict]], object]):
    """A file of four examples after these changes of its rows."""
    selection = selected(traces_of(coin, FOUR_PAIRS), held_out=0.5)
    assert len(selection.kept) == 4
    write_selection(path, selection)
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    for change in changes:
        change(rows)
    path.write_bytes(gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode()))
    return path


def test_every_bad_line_of_a_selection_is_named(tmp_path):
    path = written(
        tmp_path / "selection.jsonl.gz",
        lambda rows: rows[1].update(part="test"),
        lambda rows: rows[2].update(choices={}),
        lambda rows: rows[4].update(rows[3]),
    )
    with pytest.raises(BadLines) as caught:
        read_selection(path)
    part, choices, repeated = (problem.removeprefix(str(path)) for problem in caught.value.problems)
    assert part == ":2: part is 'test'. It must be one of train, held_out."
    assert choices == ":3: choices is {}. It must be an object with AB, BA or both."
    assert repeated.startswith(":5: pair ")
    assert "is already in" in repeated


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[0].update(version=2), "version is 2. It must be 1."),
        (lambda rows: rows[0].update(schema="pairs"), "schema is 'pairs'"),
        (lambda rows: rows[0].update(filter="swop"), "filter is 'swop'"),
        (lambda rows: rows[0].update(margin=2), "margin is 2"),
        (lambda rows: rows[0].update(balance_length=1), "balance_length is a number"),
        (lambda rows: rows[0].update(seed=True), "seed is True"),
        (lambda rows: rows[0].update(dropped={"why": -1}), "dropped, why is -1"),
        (lambda rows: rows[0].pop("held_out"), "the header misses held_out"),
        (lambda rows: rows[1].update(p_a=1.5), "p_a is 1.5"),
        (lambda rows: rows[1].update(choices={"AB": "A"}), "choices, AB is 'A'"),
        (lambda rows: rows[1].update(choices={"first": "FIRST"}), "order is 'first'"),
        (lambda rows: rows[1]["pair"].update(gold="A"), "pair is not in its long form"),
        (lambda rows: rows[1].update(note=""), "an example has the unknown key 'note'"),
        (lambda rows: rows.pop(0), "Its first line, and no other, must have schema"),
        (lambda rows: rows.append(rows[0]), "Its first line, and no other, must have schema"),
        (lambda rows: rows.clear(), "Its first line, and no other, must have schema"),
    ],
)
def test_a_selection_that_was_changed_is_refused(tmp_path, change, message):
    with pytest.raises(InputError) as caught:
        read_selection(written(tmp_path / "selection.jsonl.gz", change))
    assert message in str(caught.value)


def test_a_selection_with_another_name_is_not_written(tmp_path):
    with pytest.raises(InputError, match=r"selection.json: .*must end in .jsonl.gz"):
        write_selection(tmp_path / "selection.json", selected([]))


def test_a_selection_without_examples_comes_back(tmp_path):
    nothing = Selection((), {}, Filter.NONE, 0.25, True, 0.1, -3)
    write_selection(tmp_path / "new" / "selection.jsonl.gz", nothing)
    assert read_selection(tmp_path / "new" / "selection.jsonl.gz") == nothing
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["selection.jsonl.gz"]
