"""Checklist: each criterion is asked of each answer alone, so that no order can move what is said."""

from __future__ import annotations

import pytest
from pairs import pair_of
from test_criteria import FRIENDLY, PRICE, PRICED, SHORT
from test_methods import Asked, is_branch, shown_text

from judge.backends import ChoiceProbabilities
from judge.backends.scripted import text_of
from judge.errors import InputError
from judge.evaluate import judge_pairs
from judge.io.verdicts import read_verdicts, write_verdicts
from judge.methods import MethodSettings, load_method
from judge.methods.bsm import expected_scores
from judge.methods.checklist import Checklist, render_check, scored, swapped
from judge.methods.score import answers_of
from judge.options import judge_options
from judge.records import Criterion, Order, Outcome, Status, Unparsed

NO, YES = (1.0, 0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0, 1.0)
PLAN = " Price: names the price\n2. Short: is short\n3. Kind: is kind"


def by_policy(prompt):
    """A judge that sees prices, and what is short."""
    if is_branch(prompt):
        return PLAN
    words, answer = shown_text(prompt), text_of(prompt, "first")
    is_met = "euros" in answer if "it names the price?" in words else len(answer) < 10
    return f"[[{'Yes' if is_met else 'No'}]]"


def judged(pairs, criteria=(PRICE, SHORT), script=by_policy):
    asked = Asked(script)
    return judge_pairs(pairs, load_method("checklist", asked, MethodSettings(criteria=criteria))), asked


def probabilities(p_yes: float, tokens: int = 10) -> ChoiceProbabilities:
    return ChoiceProbabilities((p_yes, 1 - p_yes), tokens, 1)


def test_the_answer_that_meets_more_of_the_criteria_wins_in_both_orders():
    verdicts, _ = judged([PRICED, FRIENDLY])
    assert [one.outcome for one in verdicts] == [Outcome.A, Outcome.B]
    assert {one.status for one in verdicts} == {Status.CONSISTENT}
    steps = verdicts[0].readings[Order.AB].steps
    assert [(step.name, step.scores, step.weight) for step in steps] == [
        (str(PRICE), (5.0, 1.0), 2.0),
        (str(SHORT), (1.0, 5.0), 1.0),
    ]
    assert [step.scores for step in verdicts[0].readings[Order.BA].steps] == [(1.0, 5.0), (5.0, 1.0)]


def test_weights_decide_where_criteria_disagree():
    even, _ = judged([PRICED], (Criterion("price", "names the price"), SHORT))
    short, _ = judged([PRICED], (PRICE, Criterion("short", "is short", 3.0)))
    assert (even[0].status, even[0].outcome) == (Status.CONSISTENT, Outcome.TIE)
    assert short[0].outcome is Outcome.B


def test_the_probability_is_that_of_a_criterion_drawn_by_its_weight():
    class Unsure(Asked):
        def choose(self, prompts, choices):
            super().choose(prompts, choices)
            said = [text_of(prompt, "first") == PRICED.response_a for prompt in prompts]
            return [probabilities(0.75 if is_first else 0.25) for is_first in said]

    price, short = Criterion("price", "", 3.0), Criterion("short")
    method = load_method("checklist", Unsure(by_policy), MethodSettings(criteria=(price, short)))
    [verdict] = judge_pairs([PRICED], method)
    assert (verdict.outcome, verdict.p_a) == (Outcome.A, 0.75)
    leads = Checklist.p_first(method, [(YES, NO), (NO, YES)], [3, 1])
    assert leads == pytest.approx((1 + (3 - 1) / 4) / 2)


def test_each_answer_is_asked_about_alone_and_once_for_both_orders():
    verdicts, asked = judged([PRICED])
    assert len(asked.prompts) == 4  # two answers, two criteria
    for prompt in asked.prompts:
        seen = shown_text(prompt)
        assert (PRICED.response_a in seen) != (PRICED.response_b in seen)
    first, second = (verdicts[0].readings[order] for order in Order)
    assert first.tokens_in > 0
    assert (second.tokens_in, second.tokens_out) == (0, 0)


def test_without_criteria_there_is_a_plan_as_in_bsm():
    verdicts, asked = judged([PRICED], criteria=())
    assert sum(is_branch(prompt) for prompt in asked.prompts) == 1
    branch, *steps = verdicts[0].readings[Order.AB].steps
    assert branch.name == "branch"
    assert [step.name for step in steps] == ["Price: names the price", "Short: is short", "Kind: is kind"]


def test_a_criterion_is_asked_as_a_claim_with_its_words_for_yes_and_no():
    answer = answers_of(PRICED, Order.AB)[0]
    said = shown_text(render_check(answer, PRICE, "x"))
    assert "it names the price?\nNo means: no price.\nYes means: the exact price." in said
    plain = shown_text(render_check(answer, Criterion("is polite."), "x"))
    assert "it is polite?\nReply" in plain


def test_the_other_order_is_the_mirror_image_bit_for_bit():
    one = expected_scores(PRICE, scored(probabilities(0.3)), scored(probabilities(0.8)))
    other = swapped(one)
    assert one.step.scores == pytest.approx((2.2, 4.2))
    assert other.step.scores == one.step.scores[::-1]
    assert other.distributions == one.distributions[::-1]
    assert (
        one.step.raw
        == "Score A: 0.7000 0.0000 0.0000 0.0000 0.3000\nScore B: 0.2000 0.0000 0.0000 0.0000 0.8000"
    )
    assert (
        other.step.raw
        == "Score A: 0.2000 0.0000 0.0000 0.0000 0.8000\nScore B: 0.7000 0.0000 0.0000 0.0000 0.3000"
    )
    assert swapped(other).step.scores == one.step.scores
    assert (other.step.tokens_in, other.step.tokens_out) == (0, 0)


def test_what_cannot_be_read_of_one_answer_is_unparsed_in_both_orders():
    bad = Unparsed("no verdict", "hm", 5, 2)
    one = expected_scores(PRICE, scored(probabilities(0.3)), scored(bad))
    assert (one.step.scores, one.reason, one.step.raw, one.step.tokens_in) == (None, "no verdict", "hm", 15)
    assert swapped(one).reason == "no verdict"
    verdicts, _ = judged([PRICED], script=lambda prompt: "Hm.")
    assert verdicts[0].status is Status.UNPARSED
    assert verdicts[0].readings[Order.AB].reason.startswith("solve, criterion 1: ")


def test_equal_answers_in_other_conversations_are_asked_about_apart():
    other = pair_of(PRICED.response_a, PRICED.response_b, "What is a tram?", "tram")
    _, asked = judged([PRICED, other])
    assert len(asked.prompts) == 8


def test_it_survives_its_file(tmp_path):
    verdicts, _ = judged([PRICED, FRIENDLY])
    write_verdicts(tmp_path / "v.jsonl", verdicts)
    assert read_verdicts(tmp_path / "v.jsonl") == verdicts


def test_with_criteria_there_is_nothing_to_sample():
    method = judge_options(method="checklist", criteria=["a"], temperature=0.7, backend="scripted:longer")
    with pytest.raises(InputError, match="--method checklist: its probabilities are exact"):
        method.load(lambda *_: None, None)


def test_its_criteria_are_in_its_identity():
    settings = [MethodSettings(criteria=some) for some in ((PRICE,), (SHORT,), ())]
    named = [load_method("checklist", Asked(by_policy), one).identity for one in settings]
    assert [one.letters for one in named] == [f"YesNo by {PRICE.line}", f"YesNo by {SHORT.line}", "YesNo"]
