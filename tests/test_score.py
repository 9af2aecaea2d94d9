"""Score: every answer graded alone, so that no order can move a verdict, and asked once for all its pairs."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import make_model
from pairs import FOUR_PAIRS, HOSTILE, pair_of

from judge.backends import ChoiceProbabilities, Settings, load_backend
from judge.backends.embedded import EmbeddedBackend
from judge.backends.scripted import ScriptedBackend, longer, text_of
from judge.cli.main import format_verdict
from judge.drawing.steps import format_steps, graded_steps, grades_in_words, shared_steps, slow_steps
from judge.errors import InputError
from judge.evaluate import judge_pairs
from judge.ledger.ledger import Ledger
from judge.methods import MemoryStore, MethodSettings, load_method
from judge.methods.auto import Auto, is_escalated
from judge.methods.score import GRADES, Score, as_reply, mean_grade, render_score
from judge.options import JudgeOptions
from judge.orders import combine, logistic
from judge.progress import silent
from judge.prompts.marks import unmarked
from judge.records import (
    GRADED_ALONE,
    Choice,
    Judgment,
    Message,
    Order,
    Outcome,
    Pair,
    Status,
    Step,
    Unparsed,
)
from judge.report.findings import findings_of
from judge.report.page import format_html
from judge.report.summary import summarize

BEST = "4 is the answer"
TRIANGLE = [
    pair_of(BEST, "five", id="ab"),
    pair_of("five", "a", id="bc"),
    pair_of("a", BEST, id="ca"),
]
"""Three answers to one request, each in two pairs."""


class Counted(ScriptedBackend):
    """A judge that goes by length, and keeps the answers that it was asked to grade."""

    def __init__(self, spoilt: str | None = None) -> None:
        super().__init__(longer, "counted")
        self.asked: list[str] = []
        self.spoilt = spoilt
        """An answer that the engine refuses."""

    def choose(self, prompts, choices):
        self.asked += [text_of(prompt, "first") for prompt in prompts]
        return [
            Unparsed("too long for this model", "", 7, 0)
            if text_of(prompt, "first") == self.spoilt
            else super(Counted, self).choose([prompt], choices)[0]
            for prompt in prompts
        ]


def verdict_of(pair=TRIANGLE[0], spec="scripted:longer"):
    [verdict] = judge_pairs([pair], Score(load_backend(spec)))
    return verdict


# --- what a verdict says


def test_both_orders_mirror_each_other_exactly():
    judge = Score(Counted())
    pairs = [*FOUR_PAIRS, *TRIANGLE]
    for pair in pairs:
        ab, ba = judge.read([(pair, order) for order in Order])
        assert ab.choice is {Choice.FIRST: Choice.SECOND, Choice.SECOND: Choice.FIRST}.get(
            ba.choice, ba.choice
        )
        assert ab.raw.split(" : ") == ba.raw.split(" : ")[::-1]
        assert ab.probabilities[Choice.FIRST] == pytest.approx(ba.probabilities[Choice.SECOND], abs=1e-15)
    assert {verdict.status for verdict in judge_pairs(pairs, judge)} == {Status.CONSISTENT}


@given(st.floats(-8, 8))
def test_the_side_of_a_difference_is_the_same_in_both_orders(difference):
    p, mirrored = logistic(difference), logistic(-difference)
    assert p + mirrored == pytest.approx(1, abs=1e-15)
    assert (p > 1 - p) == (mirrored < 1 - mirrored)


def test_the_log_odds_are_the_difference_of_the_mean_grades():
    reading = verdict_of().readings[Order.AB]
    p = reading.probabilities[Choice.FIRST]
    a, b = (1 + 8 * n / (n + 500) for n in (len(BEST), len("five")))
    assert math.log(p / (1 - p)) == pytest.approx(a - b, abs=1e-9)


@given(st.lists(st.floats(0.001, 1), min_size=9, max_size=9))
def test_a_mean_grade_lies_within_the_grades_and_is_kept_bit_for_bit(weights):
    probabilities = tuple(weight / sum(weights) for weight in weights)
    reply = as_reply(ChoiceProbabilities(probabilities, 5, 1))
    assert tuple(json.loads(reply.text)) == probabilities
    assert 1 <= mean_grade(probabilities) <= 9
    assert mean_grade(probabilities) == pytest.approx(sum(p * n for n, p in enumerate(probabilities, 1)))


def test_answers_of_one_grade_are_a_tie_and_equal_ones_are_not_asked():
    backend = Counted()
    equal, same_length = pair_of("one", "one", id="equal"), pair_of("one", "two", id="length")
    verdicts = judge_pairs([equal, same_length], Score(backend))
    assert [(one.status, one.outcome, one.p_a) for one in verdicts] == [
        (Status.CONSISTENT, Outcome.TIE, 0.5),
        (Status.CONSISTENT, Outcome.TIE, 0.5),
    ]
    assert verdicts[0].is_identical
    assert sorted(backend.asked) == ["one", "two"]


@pytest.mark.parametrize(
    ("spec", "outcomes"),
    [
        ("scripted:longer", "BA=B"),
        ("scripted:shorter", "AB=A"),
        ("scripted:first", "===="),
        ("scripted:second", "===="),
    ],
)
def test_what_each_scripted_character_says_of_single_answers(spec, outcomes):
    verdicts = judge_pairs(FOUR_PAIRS, Score(load_backend(spec)))
    assert "".join({"TIE": "="}.get(v.outcome, v.outcome) for v in verdicts) == outcomes
    assert {verdict.status for verdict in verdicts} == {Status.CONSISTENT}


def test_no_two_lengths_share_a_grade_of_a_scripted_judge():
    texts = ["x" * n for n in (0, 1, 2, 30, 31, 500, 501, 20_000, 20_001)]
    prompts = [render_score(pair_of(text, "-"), Order.AB, 0) for text in texts]
    means = [mean_grade(one.probabilities) for one in Counted().choose(prompts, GRADES)]
    assert means == sorted(set(means))


# --- each answer once


def test_each_different_answer_is_asked_once_over_prepare_and_read_and_over_all_its_pairs():
    backend = Counted()
    judge = Score(backend)
    judge.prepare(TRIANGLE)
    assert sorted(backend.asked) == sorted([BEST, "five", "a"])
    judge.read([(pair, order) for pair in TRIANGLE for order in Order])
    assert len(backend.asked) == 3
    judge.read([(pair_of("another", "a", id="new"), Order.BA)])
    assert backend.asked[3:] == ["another"]


def test_an_answer_to_another_request_is_another_answer():
    backend = Counted()
    pairs = [pair_of("yes", "no", "Is it?", "one"), pair_of("yes", "no", "Was it?", "two")]
    pairs += [
        replace(pairs[0], id="system", system="Be brief."),
        replace(pairs[0], id="known", reference="yes"),
    ]
    Score(backend).prepare(pairs)
    assert len(backend.asked) == 8


def test_the_longest_answers_are_asked_first_in_batches_of_the_engines_size():
    backend = Counted()
    backend.batch_characters = 30
    stages: list[tuple[str, int, int]] = []
    Score(backend).prepare(TRIANGLE, lambda *stage: stages.append(stage))
    assert backend.asked == [BEST, "five", "a"]
    assert stages[0] == ("grading, 0 of 3 answers", 0, 3)
    assert stages[-1] == ("grading, 3 of 3 answers", 3, 3)
    assert len(stages) > 2


def test_resumed_from_a_ledger_nothing_is_asked_and_everything_is_the_same(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        first = judge_pairs(TRIANGLE, Score(Counted(), MethodSettings(store=ledger)), ledger)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        again = Counted()
        assert judge_pairs(TRIANGLE, Score(again, MethodSettings(store=ledger)), ledger) == first
        further = pair_of(BEST, "not seen", id="further")
        judge_pairs([*TRIANGLE, further], Score(again, MethodSettings(store=ledger)), ledger)
    assert again.asked == ["not seen"]


def test_tokens_and_seconds_count_each_answer_once(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        judge = Score(Counted(), MethodSettings(store=ledger))
        verdicts = judge_pairs(TRIANGLE, judge, ledger)
        once = shared_steps(verdicts)
        readings = [reading for verdict in verdicts for reading in verdict.readings.values()]
        assert [(one.tokens_in, one.tokens_out) for one in readings] == [(0, 0)] * 6
        assert len(once) == 3
        assert sum(step.tokens_in for step in once) == judge.backend.tokens_computed
        fingerprint, contents = judge.identity.fingerprint, {pair.content_hash for pair in TRIANGLE}
        shared = [step.shared for step in once]
        with_grades = ledger.elapsed(fingerprint, contents, shared)
        assert with_grades > ledger.elapsed(fingerprint, contents)
        assert with_grades == ledger.elapsed(fingerprint, contents, [*shared, *shared])


# --- what cannot be graded


def test_a_refused_answer_makes_only_its_own_pairs_unparsed_and_is_asked_again(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        settings = MethodSettings(store=ledger)
        backend = Counted(spoilt="a")
        verdicts = judge_pairs(TRIANGLE, Score(backend, settings), ledger)
        assert [one.status for one in verdicts] == [Status.CONSISTENT, Status.UNPARSED, Status.UNPARSED]
        assert verdicts[1].readings[Order.AB].reason == "too long for this model"
        assert len(backend.asked) == 3
        better = Counted()
        healed = judge_pairs(TRIANGLE, Score(better, settings), ledger)
    assert {one.status for one in healed} == {Status.CONSISTENT}
    assert better.asked == ["a"]


def test_the_next_run_of_the_same_judge_asks_again_what_was_refused():
    backend = Counted(spoilt="a")
    judge = Score(backend)
    refused = judge_pairs(TRIANGLE, judge)
    assert sum(one.status is Status.UNPARSED for one in refused) == 2
    assert len(backend.asked) == 3
    backend.spoilt = None
    assert {one.status for one in judge_pairs(TRIANGLE, judge)} == {Status.CONSISTENT}
    assert backend.asked[3:] == ["a"]


def test_an_unreadable_grade_leaves_its_pairs_without_an_outcome():
    verdict = verdict_of(spec="scripted:unreadable:1")
    assert (verdict.status, verdict.outcome) == (Status.UNPARSED, None)
    assert verdict.readings[Order.AB].raw
    assert graded_steps(verdict) == {}
    assert "not readable" in format_verdict(verdict, 0.0)


@pytest.mark.slow
def test_a_prompt_that_is_too_long_is_trimmed_and_says_so_or_is_unparsed(tmp_path):
    model = str(make_model(tmp_path / "tiny"))
    pairs = [pair_of("x" * 3000, "y", id="long"), pair_of("z", "y", id="short")]
    for overflow, status, is_trimmed in (
        ("trim", Status.CONSISTENT, True),
        ("error", Status.UNPARSED, False),
    ):
        settings = Settings(model, dtype="float32", device="cpu", overflow=overflow, max_prompt_tokens=1500)
        long, short = judge_pairs(pairs, Score(EmbeddedBackend(settings)))
        assert (long.status, long.readings[Order.BA].is_trimmed) == (status, is_trimmed)
        assert (long.readings[Order.BA].cut is not None) == is_trimmed
        assert (short.status, short.readings[Order.BA].is_trimmed) == (Status.CONSISTENT, False)


@pytest.mark.parametrize(
    ("settings", "samples", "words"),
    [
        (MethodSettings(ties=True), 1, "--method score: grades are rarely equal"),
        (MethodSettings(), 3, "--method score: its probabilities are exact"),
        (MethodSettings(temperature=0.7), 1, "--method score: its probabilities are exact"),
    ],
)
def test_ties_and_samples_are_refused_with_one_line(settings, samples, words):
    with pytest.raises(InputError, match=words) as caught:
        load_method("score", load_backend("scripted:longer"), settings, samples)
    assert "\n" not in str(caught.value)


# --- what is shown


def words_of(prompt):
    return "".join(span.text for _, spans in prompt.messages for span in spans)


def test_only_the_one_answer_is_shown_with_system_and_reference_and_all_turns():
    before = (Message("user", "Name a river."), Message("assistant", "Nile"), Message("user", "Another?"))
    pair = Pair(
        "turns",
        (*before, Message("assistant", "Po")),
        (*before[:1], Message("assistant", "Rhine"), *before[2:], Message("assistant", "Oder")),
        reference="Any river.",
        system="Be brief.",
    )
    first, second = (words_of(render_score(pair, Order.AB, number)) for number in (0, 1))
    for text in ("Name a river.", "Another?", "Any river.", "Be brief."):
        assert text in first
        assert text in second
    assert ("Nile" in first, "Po" in first, "Rhine" in first, "Oder" in first) == (True, True, False, False)
    assert ("Nile" in second, "Po" in second, "Rhine" in second, "Oder" in second) == (
        False,
        False,
        True,
        True,
    )
    assert render_score(pair, Order.BA, 0).messages == render_score(pair, Order.AB, 1).messages


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_an_answer_is_one_span_and_changes_nothing_else(text):
    prompt, plain = (render_score(pair_of(one, "b"), Order.AB, 0) for one in (text, "x"))
    spans, others = (
        [span for _, some in each.messages for span in some if span.kind != "first"]
        for each in (prompt, plain)
    )
    assert spans == others
    assert text_of(prompt, "first") == unmarked(text)


# --- how it is drawn


def test_a_terminal_shows_two_grades_and_no_orders():
    verdict = verdict_of()
    text = format_verdict(verdict, 0.1)
    assert text.startswith("A is better.\n")
    assert "each answer graded alone, 1 to 9: A 1.23, B 1.06" in text
    assert "asked once for each answer: " in text
    assert "shown first" not in text
    assert "both orders" not in text
    explained = format_steps(verdict)
    assert explained.count("mean grade") == 2
    assert "Answer A\n  mean grade 1.23 of 1 " in explained
    assert "shown first" not in explained


def test_the_grades_are_the_answers_own_whichever_reading_they_come_from():
    verdict = verdict_of()
    of_ba = combine("p", {Order.BA: verdict.readings[Order.BA], Order.AB: verdict.readings[Order.AB]}, "j")
    assert grades_in_words(of_ba) == grades_in_words(verdict)
    assert [step.raw[:15] for step in graded_steps(verdict).values()] == [
        "mean grade 1.23",
        "mean grade 1.06",
    ]
    assert slow_steps(verdict) == []


def test_grades_whose_text_is_not_known_are_not_said():
    reading = verdict_of().readings[Order.AB]
    bare = replace(reading, steps=tuple(replace(step, raw="") for step in reading.steps))
    verdict = combine("p", dict.fromkeys(Order, bare), "j")
    assert grades_in_words(verdict) == ""
    assert "A shown first: A" in format_verdict(verdict, 0.1)


def test_a_report_says_that_answers_were_graded_alone():
    report = summarize(judge_pairs(TRIANGLE, Score(Counted())), TRIANGLE, 1.0)
    found = {finding.label: finding for finding in findings_of(report)}
    assert "Tokens" not in found
    assert found["Asked once"].value.startswith("3: ")
    assert "graded alone" in found["Asked once"].meaning
    page = format_html(report)
    assert page.count(", graded alone</h4>") == 2 * 3
    assert "A first</h4>" not in page


# --- as the fast part of auto


class Even(Counted):
    """Grades all answers nearly alike, so that each is in doubt."""

    def choose(self, prompts, choices):
        if choices[0] == "1" and len(choices) == len(GRADES):
            return [ChoiceProbabilities((0.0, 0.5, 0.5, *[0.0] * 6), 5, 1) for _ in prompts]
        return super().choose(prompts, choices)


def test_grades_alone_are_no_sign_that_the_slow_judge_was_asked():
    assert not is_escalated(verdict_of())
    judge = load_method("bsm", load_backend("scripted:longer"))
    [slow] = judge_pairs([TRIANGLE[0]], judge)
    assert is_escalated(slow)


def test_where_the_slow_judge_cannot_be_read_its_steps_stand_behind_the_grades():
    fast = Score(Even())
    slow = load_method("bsm", load_backend("scripted:unreadable:1"))
    [verdict] = judge_pairs([TRIANGLE[0]], Auto(fast, slow))
    assert verdict.status is Status.CONSISTENT
    assert is_escalated(verdict)
    assert grades_in_words(verdict) == "each answer graded alone, 1 to 9: A 2.50, B 2.50"
    assert "branch" in format_steps(verdict)


def test_a_named_step_of_a_slow_method_is_no_grade():
    step = Step("first answer of all", "4 : 2", 3, 1, (4.0, 2.0))
    reading = Judgment(Choice.FIRST, None, "", 1, 1, steps=(step,))
    assert graded_steps(combine("p", dict.fromkeys(Order, reading), "j")) == {}
    assert step.name not in GRADED_ALONE


def test_it_is_a_method_of_the_command_line_like_any_other():
    judge = JudgeOptions("score", "scripted:longer").load(silent, MemoryStore())
    assert (judge.identity.method, judge.identity.letters) == ("score", "123456789")
