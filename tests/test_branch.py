"""The measure of usable plans, over judges with a character."""

from __future__ import annotations

import json

from benchmarks.branch import Asked, pair_about, questions_of, result_of
from judge.backends import load_backend
from judge.methods.bsm import BranchSolveMerge
from judge.prompts.parsing import parse_plan
from judge.records import Plan, Step


def asked(question, reply):
    return Asked(question, parse_plan(reply, is_ended=True), Step("branch", reply, 100, 20))


def test_a_plan_of_three_to_five_criteria_is_usable_and_every_other_is_kept_as_a_failure():
    good = "1. Clarity: a\n2. Depth: b\n3. Care: c"
    result = result_of([asked("q1", good), asked("q2", "1. Clarity: a\n2. clarity: b"), asked("q3", "no")])
    assert (result["n_usable"], result["n_questions"]) == (1, 3)
    assert result["by_number_of_criteria"] == {"0": 1, "1": 1, "3": 1}
    assert [failure["reply"] for failure in result["failures"]] == ["1. Clarity: a\n2. clarity: b", "no"]
    assert "q2" not in json.dumps(result)


def test_a_question_alone_is_enough_for_a_plan():
    [(plan, step)] = BranchSolveMerge(load_backend("scripted:first")).branch([pair_about("Why?")])
    assert isinstance(plan, Plan)
    assert step.shared


def test_questions_are_a_seeded_sample_of_first_messages(data_dir):
    file = data_dir / "oasst" / "train_messages_reconstructed.jsonl.gz"
    one, again, other = (questions_of(file, 20, seed) for seed in (0, 0, 1))
    assert one == again != other
    assert len(set(one)) == 20
