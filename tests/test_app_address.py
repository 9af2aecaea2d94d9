"""The address of a page holds what a reload, a new tab and a bookmark need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.review.address import address_of, state_of
from judge.review.queues import QueueFilter, QueueOrder

texts = st.text(min_size=1)
states = st.fixed_dictionaries(
    {},
    optional={
        "kept_reviewer": texts,
        "pairs": texts,
        "verdicts": texts,
        "kept_category": texts,
        "kept_text": texts,
        "pair": texts,
        "kept_looks": st.lists(st.sampled_from([look.value for look in QueueFilter]), unique=True),
        "kept_line": st.sampled_from([line.value for line in QueueOrder]),
        "kept_blind": st.booleans(),
    },
)


@given(states)
def test_what_the_address_was_made_of_comes_back(state):
    assert state_of(address_of(state)) == state


@pytest.mark.parametrize(
    ("address", "state"),
    [
        ({"only": "inconsistent,nonsense"}, {"kept_looks": ["inconsistent"]}),
        ({"order": "backwards", "blind": "maybe", "name": "", "pick": "x"}, {}),
    ],
)
def test_what_an_address_cannot_mean_is_left_out(address, state):
    assert state_of(address) == state


def test_other_things_of_a_session_and_empty_ones_stay_out_of_the_address():
    assert address_of({"trail": object(), "kept_reviewer": "", "verdicts": "", "pairs": "p.jsonl"}) == {
        "pairs": "p.jsonl"
    }
