"""The judge inside other people's frameworks: what needs none of them. The real ones: test_framework_*.py."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace

import pytest
from pairs import FOUR_PAIRS

from judge.errors import BackendError, InputError, MissingExtra
from judge.frameworks import deepeval, hf_datasets, inspect_ai, lm_eval, promptfoo
from judge.frameworks.judging import FrameworkJudge, pair_given, said_of, share_of_a, worth_of
from judge.frameworks.trl import PairwiseJudge
from judge.records import Message, Outcome, Status

LONGER = {"backend": "scripted:longer", "cache": False}
FIRST = {"backend": "scripted:first", "cache": False}
UNREADABLE = {"backend": "scripted:unreadable:2", "cache": False}


def verdict(a, b, options):
    [one] = FrameworkJudge(**options).verdicts([pair_given("Why?", a, b)])
    return one


# What they share


def test_a_judge_that_was_pickled_judges_as_before():
    judge = FrameworkJudge(**LONGER)
    copy = pickle.loads(pickle.dumps(judge))
    assert copy.verdicts(FOUR_PAIRS) == judge.verdicts(FOUR_PAIRS)


def test_options_are_those_of_the_judge_and_a_wrong_one_is_named_at_once():
    with pytest.raises(InputError, match=r"methd: no such option of a judge\. Did you mean method"):
        FrameworkJudge(methd="direct")


def test_messages_are_read_with_their_system_text_and_an_answer_may_be_one_message():
    prompt = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    pair = pair_given(prompt, [{"role": "assistant", "content": "So."}], "Because.", "It is so.")
    assert (pair.system, pair.prompt, pair.reference) == ("Be brief.", "Why?", "It is so.")
    assert pair.conversation_a == (Message("user", "Why?"), Message("assistant", "So."))


def test_an_answer_that_is_no_text_is_named():
    with pytest.raises(InputError, match=r"b is None\. It must be text"):
        pair_given("Why?", "So.", None)


@pytest.mark.parametrize(
    ("a", "b", "options", "worth", "share", "said"),
    [
        ("longer", "short", LONGER, 1.0, 1.0, "new is better in both orders"),
        ("short", "longer", LONGER, 0.0, 0.0, "old is better in both orders"),
        ("so", "no", FIRST, 0.5, 0.5, "a tie: each order of new and old says something else"),
        ("so", "so", LONGER, 0.5, 0.5, "a tie: new and old are equally good in both orders"),
    ],
)
def test_what_a_verdict_is_worth_and_how_it_is_said(a, b, options, worth, share, said):
    one = verdict(a, b, options)
    assert (worth_of(one), share_of_a(one)) == (worth, share)
    assert said_of(one, "new", "old").startswith(said)


def test_an_undecided_verdict_is_said_to_be_undecided():
    one = replace(verdict("longer", "short", LONGER), outcome=Outcome.TIE, is_undecided=True)
    assert said_of(one, "new", "old").startswith("undecided: too close to call between new and old")


def test_an_unreadable_verdict_is_worth_nothing_and_says_why():
    one = verdict("so", "no", UNREADABLE)
    assert one.status is Status.UNPARSED
    assert said_of(one, "new", "old").startswith("could not be read: no verdict")
    with pytest.raises(ValueError, match="has no outcome"):
        worth_of(one)


def test_a_framework_that_could_only_count_an_unreadable_reply_as_something_else_gets_an_error():
    judge = FrameworkJudge(**UNREADABLE)
    with pytest.raises(BackendError, match=r"1 of 1 pairs could not be read \(no verdict .*TRL has no way"):
        judge.read_verdicts([pair_given("Why?", "so", "no")], "TRL")


# One after the other


@pytest.mark.parametrize(
    ("package", "call", "extra"),
    [
        ("datasets", lambda: hf_datasets.verdicts_to_dataset([]), "datasets"),
        ("inspect_ai.scorer", lambda: inspect_ai.pairwise(**LONGER), "inspect"),
        ("deepeval.metrics", lambda: deepeval.pairwise_arena(**LONGER), "deepeval"),
    ],
)
def test_a_framework_that_is_not_installed_is_named_with_its_extra(monkeypatch, package, call, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf'pip install "four-token-judge\[{extra}\]"'):
        call()


def test_trl_gets_the_place_of_the_better_completion_or_a_probability():
    judge = PairwiseJudge(**LONGER)
    asked = (["Why?", "How?"], [["so", "because"], ["like this", "so"]])
    assert judge.judge(*asked) == [1, 0]
    assert judge.judge(*asked, shuffle_order=False, return_scores=True) == [0.0, 1.0]


def test_trl_gets_a_winner_of_an_even_pair_whose_place_does_not_matter():
    judge = PairwiseJudge(**FIRST)
    prompts = [f"Question {n}?" for n in range(8)]
    completions = [[f"yes {n}", f"no {n}"] for n in range(8)]
    winners = judge.judge(prompts, completions)
    swapped = judge.judge(prompts, [two[::-1] for two in completions])
    assert [1 - winner for winner in swapped] == winners
    assert set(winners) == {0, 1}


def test_trl_gets_a_reward_for_each_completion_beside_the_others_of_its_prompt():
    judge = PairwiseJudge(**LONGER)
    rewards = judge(
        prompts=["Why?", "How?", "Why?", "Who?", "Why?"],
        completions=["so", "thus", "because", "me", "it is"],
        trainer_state=None,
    )
    assert rewards == [0.0, 0.5, 1.0, 0.5, 0.5]


def test_trl_gets_an_error_and_no_number_for_what_cannot_be_read():
    judge = PairwiseJudge(**UNREADABLE)
    with pytest.raises(BackendError, match="could not be read"):
        judge.judge(["Why?"], [["so", "no"]])
    with pytest.raises(BackendError, match="could not be read"):
        judge(prompts=["Why?", "Why?"], completions=["so", "no"])


@pytest.mark.parametrize(
    ("output", "options", "passes", "score"),
    [
        ("a long answer", LONGER, True, 1.0),
        ("so", LONGER, False, 0.0),
        ("so", FIRST, True, 0.5),
    ],
)
def test_promptfoo_gets_pass_score_and_reason(output, options, passes, score):
    get_assert = promptfoo.pairwise(**options)
    got = get_assert(output, {"prompt": "Why?", "vars": {"baseline": "because"}})
    assert (got["pass"], got["score"], set(got)) == (passes, score, {"pass", "score", "reason"})


def test_promptfoos_prompt_may_be_a_json_list_that_holds_no_messages():
    get_assert = promptfoo.pairwise(**LONGER)
    assert get_assert("A ripe pear", {"prompt": "[3,1,2]", "vars": {"baseline": "Apple"}})["pass"]


def test_promptfoo_may_have_messages_as_json_and_a_variable_of_another_name():
    get_assert = promptfoo.pairwise("old", **LONGER)
    prompt = '[{"role": "user", "content": "Why?"}]'
    assert get_assert("because", {"prompt": prompt, "vars": {"old": "so"}})["score"] == 1.0
    with pytest.raises(InputError, match=r"no 'old' \(found: baseline\)\. It must hold the answer"):
        get_assert("because", {"prompt": prompt, "vars": {"baseline": "so"}})


def test_lm_eval_gets_metrics_of_what_was_read_and_of_the_rest_only_that_it_was_not():
    row = {"question": "Why?", "old": "so", "gold": "Because."}
    names = {"prompt": "question", "baseline": "old", "reference": "gold"}
    better = lm_eval.pairwise(**names, **LONGER)(row, ["because"])
    assert better == {"win": 1.0, "inconsistent": 0.0, "unparsed": 0.0}
    assert lm_eval.pairwise(**names, **FIRST)(row, ["because"])["inconsistent"] == 1.0
    assert lm_eval.pairwise(**names, **UNREADABLE)(row, ["because"]) == {"unparsed": 1.0}
    with pytest.raises(InputError, match=r"no 'prompt' \(found: question, old, gold\)"):
        lm_eval.pairwise(**LONGER)(row, ["because"])
