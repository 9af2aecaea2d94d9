"""Advice before training: how sure of itself a teacher is, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_selection import MUTE, said, trace

from distill.advice import advice_of, is_large, large_majorities, majority_of
from judge.methods.voting import majority_of as majority_of_samples
from judge.records import Choice, Judgment, Share

FIRST, SECOND, TIE = Choice.FIRST, Choice.SECOND, Choice.TIE


def sampled(choice: Choice, first: float, second: float) -> Judgment:
    """A reading with the shares of its samples; the rest of them are ties."""
    return replace(said(choice), probabilities={FIRST: first, SECOND: second, TIE: 1 - first - second})


@pytest.mark.parametrize(
    ("ab", "ba", "majority"),
    [
        (said(FIRST), said(SECOND), 1.0),  # the same response in both orders
        (said(FIRST), said(FIRST), 0.5),  # the first shown each time
        (said(FIRST), MUTE, 0.5),
        (said(TIE), said(TIE), 0.0),
        (sampled(FIRST, 0.9, 0.1), sampled(SECOND, 0.3, 0.7), 0.8),
        (sampled(FIRST, 0.6, 0.2), sampled(TIE, 0.2, 0.2), 0.4),
    ],
)
def test_a_majority_is_what_both_orders_say_of_one_response(ab, ba, majority):
    assert majority_of(trace(ab, ba)) == pytest.approx(majority)


def test_samples_that_cannot_be_read_are_among_all():
    votes = [majority_of_samples([said(choice)] * 5 + [MUTE] * 3) for choice in (FIRST, SECOND)]
    assert majority_of(trace(*votes)) == pytest.approx(5 / 8)


def test_three_quarters_are_a_large_majority():
    assert is_large(0.75)
    assert not is_large(0.74)
    traces = [trace(said(FIRST), said(SECOND)), trace(said(FIRST), said(FIRST))]
    assert large_majorities(traces) == Share(1, 2)


def test_advice_names_the_share_and_what_to_look_for_in_training():
    told = advice_of(Share(1, 2))
    assert told["Large majority"].startswith("50.0 % (1/2) of the pairs: tells how clean")
    assert "closed 10 % of the gap" in told["After 100 steps"]
    assert advice_of(Share(0, 0))["Large majority"].startswith("- of the pairs")
