"""A judge written as one word on the command line."""

from __future__ import annotations

import pytest

from judge.backends import Settings
from judge.errors import InputError
from judge.methods import MethodSettings
from judge.options import JudgeOptions, judge_of_spec

GIVEN = JudgeOptions(method="cot", settings=Settings(dtype="float32"))


def test_what_a_spec_does_not_say_is_as_given():
    name, judge = judge_of_spec("base-model=some/model", GIVEN)
    assert name == ""
    assert judge == JudgeOptions(method="cot", settings=Settings(base_model="some/model", dtype="float32"))


def test_a_spec_reaches_every_part_of_a_judge():
    of_method = "method=bsm,ties=yes,temperature=0.7,samples=3,max-new-tokens=50"
    name, judge = judge_of_spec(f"name=slow one,{of_method},adapter=a/b,device=cpu", GIVEN)
    assert name == "slow one"
    assert judge == JudgeOptions(
        method="bsm",
        samples=3,
        method_settings=MethodSettings(ties=True, temperature=0.7, max_new_tokens=50),
        settings=Settings(dtype="float32", adapter="a/b", device="cpu"),
    )


def test_a_value_may_hold_commas_and_equals_signs():
    _, judge = judge_of_spec("backend=scripted:replies:A,B,method=direct", GIVEN)
    assert (judge.backend, judge.method) == ("scripted:replies:A,B", "direct")
    _, judge = judge_of_spec("backend=server:http://host/v1?key=1", GIVEN)
    assert judge.backend == "server:http://host/v1?key=1"


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("bsm", "'bsm' is no option of a judge. Write name=value"),
        ("model=x", "the names are: name, method, ties"),
        ("method=bsm,method=cot", "method is there twice"),
        ("name=a,name=b", "name is there twice"),
        ("ties=maybe", "ties is 'maybe'. It must be yes or no."),
        ("samples=many", "samples is 'many'. It must be a number."),
        ("progress=x", "no option of a judge"),
        ("overflow=burst", "--overflow burst"),
    ],
)
def test_a_spec_that_names_no_judge_says_what_is_right(spec, complaint):
    with pytest.raises(InputError, match=r".*") as caught:
        judge_of_spec(spec, GIVEN)
    assert complaint in str(caught.value)
