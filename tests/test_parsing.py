from __future__ import annotations

import time

import pytest

from judge.prompts.parsing import last_tag, parse_choice, parse_plan, parse_scores, spoken, whole_text
from judge.records import Choice, Criterion, Unparsed

LETTERS = {"A": Choice.FIRST, "B": Choice.SECOND}


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("[[A]]", Choice.FIRST),
        ("I first thought [[A]], but it is [[B]].", Choice.SECOND),
        ("[[ b ]]", Choice.SECOND),
        ("[[[A]]]", Choice.FIRST),
    ],
)
def test_the_last_verdict_in_the_reply_counts(reply, choice):
    assert parse_choice(reply, LETTERS) is choice


@pytest.mark.parametrize("reply", ["", "A", "Answer A is better.", "[A]", "[[A", "[[]]" * 0 + "[[\n\n"])
def test_a_reply_without_a_verdict_is_unparsed_and_keeps_its_text(reply):
    unread = parse_choice(reply, LETTERS)
    assert isinstance(unread, Unparsed)
    assert unread.raw == reply
    assert unread.reason == "no verdict such as [[A]] in the reply"


def test_an_unknown_letter_is_named_even_after_a_known_one():
    unread = parse_choice("[[A]]. Or is it rather [[C]]", LETTERS)
    assert isinstance(unread, Unparsed)
    assert unread.reason == "verdict [[C]] is not one of A, B"


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("[[A]] > [[B]]", "A"),
        ("[[B]] >> [[A]].", "B"),
        ("[[B]] < [[A]]", "A"),
        ("I prefer **[[A]]** over **[[B]]**.", "A"),
        ("Weighing all: [[B]] is clearly better than [[A]].", "B"),
        ("[[B]] is worse than [[A]]", "A"),
        ("I choose [[A]], not [[B]].", "A"),
        ("[[B]] rather than [[A]]!", "B"),
        ("[[A]] knows more. So [[B]]? No: [[A]]", "A"),
        ("[[A]] or [[B]]? [[B]].", "B"),
        ("[[A]] and [[A]]", "A"),
        ("As [[A]] says less than it seems, the verdict is [[B]].", "B"),
        ("[[A]] is decent, so I choose [[B]] here.", "B"),
        ("[[A]] is decent, so [[B]].", "B"),
        ("[[A]]\uff1f\u4e0d\u3002[[B]]", "B"),
    ],
)
def test_of_two_verdicts_in_a_sentence_the_one_counts_that_is_put_above_the_other(reply, letter):
    assert parse_choice(reply, LETTERS) is LETTERS[letter]


@pytest.mark.parametrize(
    ("reply", "grade"),
    [
        ("[[4]] out of [[9]]", "4"),
        ("From [[1]] to [[9]]: [[4]]", "4"),
        ("The scale is [[1]] to [[9]]. I say [[2]]", "2"),
        ("[[6]]. But [[6]] is high, so I say [[5]]", "5"),
    ],
)
def test_a_grade_out_of_the_highest_is_no_highest_grade(reply, grade):
    assert last_tag(reply, tuple("123456789")) == grade


@pytest.mark.parametrize(
    "reply",
    [
        "I can't choose between [[A]] and [[B]].",
        "Reply [[A]] or [[b]]: no",
        "My final verdict is [[A]], but [[B]] was close.",
        "[[A]] is the verdict, not [[B]].",
        "[[A]] is correct, so it beats [[B]].",
        "[[A]] is more helpful and thus better than [[B]].",
        "[[A]] wins, but only slightly over [[B]].",
        "[[A]] is right, so [[B]] loses.",
        "[[A]] is better, and hence preferable to [[B]].",
        "[[A]] if answer A is better, [[B]] if answer B is better: answer A is better.",
        "[[A]] is not better than [[B]]",
        "[[A]] > [[B]] = [[A]]",
    ],
)
def test_two_verdicts_of_which_neither_is_put_above_the_other_are_none(reply):
    unread = parse_choice(reply, LETTERS)
    assert isinstance(unread, Unparsed)
    assert unread.reason.startswith("the reply ends with both [[")


def test_a_scale_said_again_is_no_grade():
    scale = "On a scale from [[1]] (useless or wrong) to [[9]] (as good as it can be), I give it a 4."
    assert last_tag(scale, tuple("123456789")).reason == "the reply ends with both [[1]] and [[9]]"


@pytest.mark.parametrize("begins", ["<think>", "<|channel|>analysis<|message|>", "</think><think>"])
def test_a_model_that_begins_to_think_for_ever_is_read_at_once(begins):
    started = time.process_time()
    assert spoken(begins * 20_000 + "[[A]]") in ("", "[[A]]")
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ("<|channel>thought", "<channel|>"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("<unused94>thought", "<unused95>"),
        ('<details type="reasoning" done="true">', "</details>"),
        ("analysisWe see. ", "assistantfinal"),
        ("<longcat_think>", "</longcat_think>"),
        ("<|inner_prefix|>", "<|inner_suffix|>"),
        ("<|think|>", "<|end|><|begin|>assistant<|content|>"),
    ],
)
def test_what_models_think_in_marks_of_their_own_is_not_spoken(begins, ends):
    thinking = f"{begins} If A were wrong I would say [[B]]. "
    assert spoken(f"{thinking}{ends}I cannot decide.") == "I cannot decide."
    assert spoken(thinking) == ""


def test_what_granite_thinks_is_told_by_what_stands_behind_it():
    thinking = "Here is my thought process:\nIf A were wrong I would say [[B]].\n\n"
    assert spoken(f"{thinking}Here is my response:\nI cannot decide.").strip() == "I cannot decide."
    assert spoken(f"{thinking}So it is [[A]].") == f"{thinking}So it is [[A]]."


@pytest.mark.parametrize("text", ["analysis of both: [[A]]", "<details>more</details>[[A]]"])
def test_words_that_are_like_marks_are_spoken(text):
    assert spoken(text) == text


def test_what_a_model_writes_after_its_turn_is_not_spoken():
    assert spoken("[[A]]<|eot_id|><|start_header_id|>user") == "[[A]]"
    assert (
        spoken("<|channel|>analysis<|message|>[[B]]<|end|><|start|>assistant<|channel|>final<|message|>A")
        == "A"
    )
    assert spoken("<|im_start|>[[A]]<end_of_turn>\nmodel\n[[B]]") == "<|im_start|>[[A]]"


def names_of(plan):
    return [criterion.name for criterion in plan.criteria]


def test_a_plan_is_read_from_a_list_with_names_and_descriptions():
    plan = parse_plan("1. Clarity: is clear.\n2) **Depth** - goes deep\n- *Care*: is careful", is_ended=True)
    assert plan.criteria[0] == Criterion("Clarity", "is clear.")
    assert names_of(plan) == ["Clarity", "Depth", "Care"]


def test_a_plan_keeps_the_first_five_criteria_and_each_name_once():
    lines = ["Clarity: a", "clarity: b", *(f"Other {i}: c" for i in range(6))]
    plan = parse_plan("\n".join(f"{i}. {line}" for i, line in enumerate(lines, start=1)), is_ended=True)
    assert names_of(plan) == ["Clarity", "Other 0", "Other 1", "Other 2", "Other 3"]
    assert plan.criteria[0].description == "a"


def test_the_last_line_of_a_plan_that_was_cut_is_left_out():
    assert names_of(parse_plan("1. Clarity: is clear\n2. Dep", is_ended=False)) == ["Clarity"]


@pytest.mark.parametrize("reply", ["", "1.", "I would look at clarity.", "1. " + "word " * 40])
def test_a_plan_without_a_criterion_is_unparsed(reply):
    assert parse_plan(reply, is_ended=True) == Unparsed("the plan lists no criterion", raw=reply)


@pytest.mark.parametrize(
    ("reply", "scores"),
    [
        ("Score A: 4\nScore B: 2\nReason: x", (4, 2)),
        ("Score A: [[3]]\nScore B: [[5]]", (3, 5)),
        ("**Score A:** 1/5\n**Score B:** 5/5", (1, 5)),
        ("Score A: 3\nReason: Score B would be 9.\nScore B: 2", (3, 2)),
        ("Scores: A [[4]], B [[2]]\nReason: A 3 would be unfair.", (4, 2)),
        ("Answer A = 2, answer B = 3", (2, 3)),
    ],
)
def test_scores_are_read_from_the_lines_that_name_them(reply, scores):
    assert parse_scores(reply) == scores


@pytest.mark.parametrize(
    ("reply", "missing"),
    [
        ("Score A: 4", "B"),
        ("Score A: 10\nScore B: 3", "A"),
        ("Score A: 4.5\nScore B: 3", "A"),
        ("good, bad", "A and B"),
        ("Score A: 0\nScore B: 6", "A and B"),
        ("Scores: A [[4.5]], B [[2]]\nReason: answer A (3 good points) is fuller.", "A"),
        ("Scores: A [[6]], B [[5]]\nReason: A: 1 error; B: none", "A"),
    ],
)
def test_a_score_that_is_missing_or_no_whole_number_from_1_to_5_is_named(reply, missing):
    assert parse_scores(reply) == Unparsed(f"no score from 1 to 5 of answer {missing}", raw=reply)


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (" <think>Hm.</think>\nParis. ", "Paris."),
        ("Paris.<|im_end|>", "Paris."),
        ("First write <b>a plan</b>.", "First write <b>a plan</b>."),
    ],
)
def test_a_text_to_go_on_with_is_without_what_was_thought_before_it(reply, text):
    assert whole_text(reply) == text


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "nothing was left"),
        ("<think>never ends", "nothing was left"),
        ("First write <thinking>your plan</thinking>, then the answer.", "marks of thinking or of turns"),
        ("Ask for [INST] tags.\nThen more.", "marks of thinking or of turns"),
    ],
)
def test_a_text_that_would_lose_a_part_is_unparsed(reply, reason):
    found = whole_text(reply)
    assert isinstance(found, Unparsed)
    assert found.reason.startswith(reason)
    assert found.raw == reply
