"""Judges that learned people's votes are known by their adapter's name, and stand in no table with others."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.errors import InputError
from judge.models.separation import adapter_in, learned_votes, refuse_mixed
from judge.records import Identity

BARE = Identity("m", "", "none", "", "direct", "", "", "", 0, "embedded-cpu", "auto", "trim", 4096)
NAMES = st.text("ab+.-_", min_size=1, max_size=9)


@given(NAMES, st.from_regex(r"[a-z0-9][a-z0-9._-]{0,9}", fullmatch=True), st.sampled_from(["bsm", "direct"]))
def test_the_adapter_of_a_judge_can_be_read_from_its_fingerprint(base_model, adapter, method):
    identity = replace(BARE, base_model=f"hub/{base_model}", adapter=adapter, method=method)
    assert adapter_in(identity.fingerprint) == adapter


@pytest.mark.parametrize("label", ["", "gpt-4", "mine-votes", "m+mine-votes", "m+mine-votes/direct@vllm#12"])
def test_a_label_that_is_no_fingerprint_names_no_adapter(label):
    assert adapter_in(label) == "none"


@pytest.mark.parametrize(("adapter", "expected"), [("a-votes", True), ("votes", False), ("a-votes-2", False)])
def test_an_adapter_that_learned_votes_has_a_name_that_says_so(adapter, expected):
    assert learned_votes(adapter) is expected


@pytest.mark.parametrize(
    "adapters",
    [[], ["none"], ["none", "a-votes", "b-votes"], ["a", "none", "b"]],
)
def test_adapters_of_one_kind_may_stand_together_and_beside_the_base_model(adapters):
    refuse_mixed((f"judge {adapter}", adapter) for adapter in adapters)


@pytest.mark.parametrize("adapters", [["none", "a-votes", "b"], ["b", "a-votes"]])
def test_adapters_of_both_kinds_are_refused_in_one_line_that_names_one_of_each(adapters):
    message = (
        "judge a-votes was fine-tuned on human votes and judge b was not: their figures belong in tables of "
        "their own. Measure them in two runs."
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        refuse_mixed((f"judge {adapter}", adapter) for adapter in adapters)


def test_a_name_of_others_steers_no_terminal():
    with pytest.raises(InputError) as raised:
        refuse_mixed([("a\x1b[2J\n", "a-votes"), ("b", "b")])
    assert not {"\x1b", "\n"} & set(str(raised.value))
