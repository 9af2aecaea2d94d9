"""A judge's replies with the pair's own names in them, and plans that are at fault."""

from __future__ import annotations

import pytest
from pairs import pair_of

from judge.backends import load_backend
from judge.evaluate import judge_pairs
from judge.methods import load_method
from judge.prompts.parsing import listed_criteria, parse_plan
from judge.records import Choice, Judgment, Order, Step
from judge.review.explaining import in_pair_names, plan_fault, way_in_words, working_rows


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("[[A]]", "[[B]]"),
        ("Scores: A [[4]], B [[2]]", "Scores: B [[4]], A [[2]]"),
        ("Score A: 0.10 0.90\nScore B: 0.50 0.50", "Score B: 0.10 0.90\nScore A: 0.50 0.50"),
        ("**Answer A:** right. Answer B's list is not.", "**Answer B:** right. Answer A's list is not."),
        ("Answers A and B are good, but A is better.", "Answers B and A are good, but B is better."),
        ("A good answer names Vitamin B. Plan B fails.", "A good answer names Vitamin B. Plan B fails."),
        ("4.00 : 2.50", "A 2.50 : B 4.00"),
    ],
)
def test_letters_of_answers_are_the_other_way_round_where_b_is_shown_first(written, read):
    assert in_pair_names(written, Order.BA) == read


def test_where_a_is_shown_first_nothing_but_the_sums_gets_names():
    text = "Answer A is better than answer B. [[A]]"
    assert in_pair_names(text, Order.AB) == text
    assert in_pair_names("4.00 : 2.50", Order.AB) == "A 4.00 : B 2.50"


def verdict_of():
    [verdict] = judge_pairs(
        [pair_of("a longer answer", "short")], load_method("bsm", load_backend("scripted:longer"))
    )
    return verdict


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("1. Clarity: is clear.\n" * 5, "of the 5 criteria that the judge listed all are one and the same"),
        ("1. Form: reads well.\n2. Style: reads well.\n3. Care: is right.", "listed only 2 differ"),
        ("1. Form: reads well.\n2. form\n3. Care: is right.", "listed only 2 differ"),
    ],
)
def test_criteria_that_repeat_others_are_a_fault_of_the_plan(plan, words, monkeypatch):
    monkeypatch.setattr("judge.review.explaining.listed_criteria", lambda raw: listed_criteria(plan))
    assert words in plan_fault(verdict_of())


def test_a_plan_of_different_criteria_has_no_fault():
    assert plan_fault(verdict_of()) == ""


def test_the_list_has_the_repeated_criteria_that_the_plan_leaves_out():
    reply = "1. Clarity: is clear.\n2. Clarity: is clear.\n3. Care: is right."
    assert [one.name for one in listed_criteria(reply)] == ["Clarity", "Clarity", "Care"]
    assert [one.name for one in parse_plan(reply, True).criteria] == ["Clarity", "Care"]


CHOICE = Step("fast or slow", "slow: P(slow) 0.9000", 0, 0)
WORKED = (
    CHOICE,
    Step("Form: is short.", "A is shorter.", 0, 0, (4.0, 2.0)),
    Step("Tone: is kind.", "", 0, 0),
)


def worked(raw: str, *steps: Step) -> Judgment:
    return Judgment(Choice.FIRST, None, raw, 9, 9, steps=steps)


def test_a_working_is_rows_of_criteria_scores_and_reasons_in_the_pairs_own_names():
    slow = worked("Plan\n1. Form", *WORKED)
    tone = {"criterion": "Tone: is kind.", "A": "", "B": "", "reason": ""}
    form = {"criterion": "Form: is short."}
    assert working_rows(slow, Order.AB) == [form | {"A": "4", "B": "2", "reason": "A is shorter."}, tone]
    [turned, _] = working_rows(slow, Order.BA)
    assert (turned["A"], turned["B"]) == ("2", "4")
    assert working_rows(worked("Plan\n", Step("Form", "Answer A wins.", 0, 0, (4.0, 2.0))), Order.BA) == [
        {"criterion": "Form", "A": "2", "B": "4", "reason": "Answer B wins."}
    ]
    assert working_rows(worked("[[A]]", CHOICE), Order.AB) == []


@pytest.mark.parametrize(
    ("method", "reading", "words"),
    [
        ("dual", worked("[[A]]"), "fast, the verdict at once, as it was asked to"),
        ("dual-slow", worked("Plan\n1. Form"), "slow, worked out first, as it was asked to"),
        (
            "dual-auto",
            worked("Plan\n1.", *WORKED),
            "slow, worked out first, by its own choice: P(slow) 0.9000",
        ),
        (
            "dual-auto",
            worked("[[A]]", Step("fast or slow", "fast: P(slow) 0.4000", 0, 0)),
            "fast, the verdict at once, by its own choice: P(slow) 0.4000",
        ),
        ("dual-auto", worked("[[A]]"), "fast, the verdict at once, by its own choice"),
        ("direct", worked("[[A]]"), ""),
    ],
)
def test_a_reading_says_which_way_was_taken_and_who_chose_it(method, reading, words):
    assert way_in_words(reading, method) == words
