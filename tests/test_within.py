"""A run within a time: what the option takes, what is planned, and what a teacher reads until time is up."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import pair_of

from distill.pairs import place_of, read_unlabelled
from distill.recipe import PairSource
from distill.rounds import BATCHES, Told, read_all, read_within
from distill.within import (
    CHECKED_PAIRS,
    LEAST_S,
    WATCHED_SHARE,
    Budget,
    Measured,
    Plan,
    Speed,
    budget_of,
    is_enough,
    look_s,
    looks_that_fit,
    minutes_of,
    parse_duration,
    planned,
    reserve,
    round_end,
    shape_of,
    times_of,
    train_words,
    warning_of,
)
from judge.errors import InputError
from judge.evaluate import size_of
from judge.io.pairs import write_pairs
from judge.orders import combine
from judge.progress import silent
from judge.records import IDENTICAL, Order, Pair, Verdict


@dataclass
class Clock:
    """Shows the seconds that others have let pass."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


# --- what the user says ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("9m", 540), ("2h", 7200), ("1h30m", 5400), ("1h0m5s", 3605), (" 9M ", 540)],
)
def test_a_time_is_hours_minutes_and_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "9", "m", "9 minutes", "-9m", "1.5h", "30m1h", "9m9m", "soon", "9" * 50 + "s"]
)
def test_what_is_no_time_is_said_with_what_is_right(text):
    with pytest.raises(InputError, match=r"--within: .*\. It must be a time such as 90s, 9m, 2h or 1h30m\.$"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["5s", "0m", "0h0m19s"])
def test_too_little_time_for_any_run_is_told_at_once(text):
    with pytest.raises(InputError, match=r"It must be at least 20s: two models have to load\.$"):
        parse_duration(text)


def test_times_are_shown_as_minutes_and_seconds():
    assert [minutes_of(one) for one in (0, 9.6, 250, 3723)] == ["0:00", "0:10", "4:10", "1:02:03"]


# --- the plan --------------------------------------------------------------------------------------------


def test_a_plan_is_one_line():
    plan = Plan(2140, 3762, 250, 3, 500)
    assert plan.words == "collect 2,140 pairs until 4:10, select, train 3 epochs until 8:20, check"
    whole = Plan(3762, 3762, 250, 1.0, 500, is_tried=False)
    assert whole.words == (
        "collect all 3,762 pairs until 4:10, select, train up to 1 epoch until 8:20, check"
    )
    assert train_words(0.123, 60) == "train 0.12 epochs until 1:00, check"


CHEAP = Measured(n_read=5, n_left=10_000, read_s=1.0, learned=0.5, speed=Speed(6, 1.0, 2.0))
COSTLY = Measured(n_read=5, n_left=10_000, read_s=20.0, learned=0.5, speed=Speed(6, 1.0, 2.0))


def test_a_slow_teacher_gets_most_of_the_time_and_a_quick_one_leaves_it_to_training():
    slow, quick = (planned(3600, 30, one, epochs=3) for one in (COSTLY, CHEAP))
    assert slow.collect_until > 0.7 * 3600
    assert quick.collect_until < 0.5 * 3600
    assert slow.epochs >= quick.epochs >= 1


@given(
    st.floats(60, 20_000),
    st.floats(1e-3, 100),
    st.floats(0.01, 3),
    st.floats(1e-3, 10),
    st.floats(1e-3, 10),
    st.integers(1, 5),
    st.integers(0, 5000),
)
def test_what_is_planned_fits_into_the_time(seconds, read_s, learned, lower_s, step_s, epochs, n_left):
    measured = Measured(5, n_left, read_s, learned, Speed(2.0, lower_s, step_s))
    plan = planned(seconds, 0.1 * seconds, measured, epochs)
    assert 5 <= plan.n_pairs <= plan.of == 5 + n_left
    assert 0 <= plan.epochs <= epochs
    assert plan.train_until == pytest.approx(seconds - reserve(seconds, measured.speed, CHECKED_PAIRS))
    n_learned = max(1.0, plan.n_pairs * learned)
    if plan.epochs > 0:
        until = plan.collect_until + 2.0 + n_learned * (lower_s + plan.epochs * step_s)
        assert until <= plan.train_until + 1e-6


def test_all_pairs_are_read_and_all_epochs_trained_where_there_is_time():
    plan = planned(3600, 10, Measured(5, 95, 1.0, 0.5, Speed(6, 0.1, 0.1)), epochs=3)
    assert (plan.n_pairs, plan.of, plan.epochs) == (100, 100, 3)
    assert plan.collect_until == pytest.approx(105)


def test_without_a_trial_collecting_gets_a_fixed_part():
    plan = planned(100, 10, Measured(5, 1000, 1.0, 0.5, None), epochs=3)
    assert 30 < plan.collect_until < 50
    assert plan.n_pairs == pytest.approx(5 + plan.collect_until - 10, abs=1)
    assert "train up to 3 epochs" in plan.words


def test_a_plan_that_makes_little_sense_is_warned_of():
    assert warning_of(100, 1) == ""
    assert "about 40 pairs are kept, and fewer than 100 teach little" in warning_of(40.2, 3)
    assert "0.6 of an epoch" in warning_of(500, 0.6)
    assert "\n" not in warning_of(0, 0)


# --- what fits into the time for training ----------------------------------------------------------------


def test_a_batch_goes_through_the_frozen_layers_once():
    assert times_of([[0], [1], [0]], [10, 20], Speed(0, 1, 2)) == [30, 90, 110]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.floats(0.1, 5000), st.integers(1, 10))
def test_the_steps_and_looks_that_are_planned_fit(sizes, left_s, n_looks):
    speed = Speed(0, 0.5, 1.0)
    steps = [[n] for _ in range(2) for n in range(len(sizes))]
    shape = shape_of(steps, sizes, sizes[::3], n_looks, speed, left_s)
    watched = [sizes[::3][n] for n in shape.watched]
    looking_s = look_s(watched, shape.n_looks, speed) if watched else 0.0
    assert 1 <= shape.n_steps <= len(steps)
    assert looking_s <= WATCHED_SHARE * left_s
    if shape.n_steps > 1:
        assert times_of(steps, sizes, speed)[shape.n_steps - 1] + looking_s <= left_s


def test_fewer_looks_come_before_fewer_batches_and_both_before_none():
    sizes, speed = [10] * 8, Speed(0, 0, 1)
    assert looks_that_fit(sizes, 10, speed, 1000) == (tuple(range(8)), 10)
    assert looks_that_fit(sizes, 10, speed, 100) == (tuple(range(8)), 1)
    assert looks_that_fit(sizes, 10, speed, 20) == ((2, 6), 1)
    assert looks_that_fit(sizes, 10, speed, 5) == ((), 0)
    assert looks_that_fit([], 10, speed, 5)[0] == ()


# --- what the teacher reads ------------------------------------------------------------------------------


@dataclass
class Slow:
    """A teacher that takes a second for a hundred characters, and some more for the first pair."""

    clock: Clock
    rounds: list[int] = field(default_factory=list)
    characters_a_s: float = 100.0
    load_s: float = 10.0
    batch_characters: int = 1000
    known: frozenset[str] = frozenset()

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]:
        asked = [pair for pair in pairs if pair.content_hash not in self.known]
        if asked and not any(self.rounds):
            self.clock.now += self.load_s
        self.rounds.append(len(asked))
        self.clock.now += sum(map(size_of, asked)) / self.characters_a_s
        return [combine(pair.id, dict.fromkeys(Order, IDENTICAL), "slow") for pair in pairs]


def many(n: int) -> list[Pair]:
    dice = random.Random(1)
    return [pair_of("a" * dice.randrange(20, 400), "b", f"Question {i}?", f"p{i}") for i in range(n)]


def read(pairs: Sequence[Pair], seconds: float, n_known: int = 0):
    """What is read in this time, with plans that give collecting half of it, and when they were made."""
    clock, said = Clock(), []
    known = frozenset(pair.content_hash for pair in pairs[:n_known])
    teacher = Slow(clock, known=known)
    budget = budget_of(seconds, print, clock)
    costs = [0 if pair.content_hash in known else size_of(pair) for pair in pairs]

    def plan_of(verdicts: Sequence[Verdict], rate: float) -> Plan:
        said.append(len(verdicts))
        return Plan(len(verdicts), len(pairs), seconds / 2, 1, seconds)

    verdicts = read_within(teacher, pairs, Told(silent), costs, budget, plan_of, bool)
    return verdicts, teacher, budget, said


def test_reading_stops_where_its_time_is_up_and_what_was_read_are_the_first_pairs():
    pairs = many(2000)
    verdicts, teacher, budget, said = read(pairs, 600)
    assert [one.pair_id for one in verdicts] == [pair.id for pair in pairs[: len(verdicts)]]
    assert 290 < budget.elapsed_s < 305
    assert teacher.rounds[:2] == [1, 4]
    assert said[0] == 5
    assert all(4 * before <= after for before, after in pairwise(said))


def test_the_first_pairs_of_any_file_are_a_fair_sample_of_it(tmp_path):
    """Though the file goes from short to long and from one topic to the next."""
    texts = [f"{'cook' if i < 1000 else 'code'} {i}" for i in range(2000)]
    made = [pair_of("a" * (i + 10), "b", f"How do I {text}?", f"p{i}") for i, text in enumerate(texts)]
    write_pairs(str(tmp_path / "pairs.jsonl"), made)
    pairs, _ = read_unlabelled(PairSource(source="file", path=str(tmp_path / "pairs.jsonl")))
    assert pairs == sorted(pairs, key=place_of)
    for n in (100, 300, 1000):
        assert mean(map(size_of, pairs[:n])) == pytest.approx(mean(map(size_of, pairs)), rel=0.15)
        assert mean("cook" in pair.question for pair in pairs[:n]) == pytest.approx(0.5, abs=0.12)


def test_what_the_ledger_knows_costs_no_time_and_is_read_in_any_case():
    pairs = many(2000)
    new, *_ = read(pairs, 600)
    more, teacher, *_ = read(pairs, 600, n_known=len(new))
    assert len(more) == pytest.approx(2 * len(new), rel=0.1)
    assert teacher.rounds[:3] == [0, 1, 4]
    everything, teacher, budget, said = read(pairs, 60, n_known=2000)
    assert (len(everything), sum(teacher.rounds), budget.elapsed_s) == (2000, 0, 0)
    assert len(said) == 1


def test_a_teacher_that_takes_too_long_to_load_still_reads_something():
    clock = Clock()
    teacher = Slow(clock, load_s=500)
    pairs, planned_after = many(50), []

    def plan_of(verdicts: Sequence[Verdict], rate: float) -> Plan:
        planned_after.append(len(verdicts))
        return Plan(len(verdicts), 50, 0, 1, 60)

    verdicts = read_within(
        teacher,
        pairs,
        Told(silent),
        [size_of(pair) for pair in pairs],
        budget_of(60, print, clock),
        plan_of,
        lambda verdicts: True,
    )
    assert len(verdicts) == 1
    assert planned_after == [1]


def test_where_nothing_teaches_yet_reading_goes_on_a_little():
    clock = Clock()
    teacher = Slow(clock, load_s=40)
    pairs = many(50)
    verdicts = read_within(
        teacher,
        pairs,
        Told(silent),
        [size_of(pair) for pair in pairs],
        budget_of(60, print, clock),
        lambda verdicts, rate: Plan(len(verdicts), 50, 30, 1, 60),
        lambda verdicts: len(verdicts) >= 4,
    )
    assert len(verdicts) == 4
    assert teacher.rounds == [1, 1, 1, 1]


def test_without_a_time_rounds_are_whole_and_each_smaller_limit_is_a_beginning():
    pairs = many(300)
    teacher = Slow(Clock())
    told = []
    progress = Told(lambda *step: told.append(step))
    assert len(read_all(teacher, pairs, progress)) == 300
    some = Slow(Clock())
    read_all(some, pairs[:150], Told(silent))
    n_shared = len(some.rounds) - 1
    assert n_shared > 0
    assert some.rounds[:n_shared] == teacher.rounds[:n_shared]
    assert sum(map(size_of, pairs[: teacher.rounds[0]])) <= BATCHES * teacher.batch_characters


def test_progress_of_a_round_is_told_as_that_of_all():
    told = []
    progress = Told(lambda *step: told.append(step), [10, 20, 30], 1)
    progress("judging, 0 of 2 pairs", 5, 50)
    progress("loading", 1, 2)
    progress.is_brief = True
    progress("planning", 1, 2)
    assert told == [("judging, 1 of 3 pairs", 15, 60), ("loading", 1, 2)]


def test_a_round_has_one_pair_at_least():
    assert [round_end([5, 5, 5], 0, most) for most in (0, 5, 11, 99)] == [1, 1, 2, 3]
    assert round_end([0, 0, 5], 0, 0) == 2


# --- whether a stage that was cut is done ----------------------------------------------------------------


def test_a_cut_stage_is_enough_for_a_run_that_has_no_more_time():
    cut = {"within": {"seconds": 540.0}}
    budgets = [budget_of(seconds, print) for seconds in (90.0, 540.0, 600.0)]
    assert [is_enough(cut, one) for one in [*budgets, None]] == [True, True, False, False]
    assert not is_enough(None, budgets[0])
    assert not is_enough({}, budgets[0])


def test_the_clock_of_a_budget_counts_from_its_start():
    clock = Clock()
    budget = Budget(LEAST_S, clock(), clock)
    clock.now += 7
    assert budget.elapsed_s == 7
