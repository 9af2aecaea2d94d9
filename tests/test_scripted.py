from __future__ import annotations

import pytest
from pairs import FOUR_PAIRS, pair_of

from judge.backends import Sampling, load_backend
from judge.backends.scripted import ScriptedBackend, listed
from judge.errors import InputError
from judge.evaluate import judge_pairs
from judge.methods import MethodSettings
from judge.methods.direct import Direct, render_direct
from judge.records import Choice, Order, Outcome, Status, Unparsed


def verdicts_of(spec, pairs=FOUR_PAIRS, ties=False):
    return judge_pairs(pairs, Direct(load_backend(spec), MethodSettings(ties)))


def test_a_judge_that_always_prefers_the_first_is_never_consistent():
    verdicts = verdicts_of("scripted:first")
    assert {verdict.status for verdict in verdicts} == {Status.INCONSISTENT}
    assert {verdict.outcome for verdict in verdicts} == {Outcome.TIE}
    assert {verdict.p_a for verdict in verdicts} == {0.5}


def test_the_longer_response_wins_in_both_orders():
    verdicts = verdicts_of("scripted:longer")
    assert [str(verdict.outcome) for verdict in verdicts[:2]] == ["B", "A"]
    assert verdicts[2].status is Status.INCONSISTENT  # equal lengths: the first shown, twice


def test_a_list_of_replies_is_given_in_turn():
    backend = load_backend("scripted:replies:A,B,A")
    prompts = [render_direct(pair, Order.AB, ties=False) for pair in FOUR_PAIRS]
    replies = [completion.text for completion in backend.complete(prompts, Sampling())]
    assert replies == ["[[A]]", "[[B]]", "[[A]]", "[[A]]"]


def test_every_third_reply_is_unreadable_and_counted_as_neither_tie_nor_loss():
    verdicts = verdicts_of("scripted:unreadable:3")
    readings = [verdict.readings[order] for verdict in verdicts for order in Order]
    unread = [reading for reading in readings if isinstance(reading, Unparsed)]
    assert len(unread) == len(readings) // 3
    assert all(reading.raw and reading.reason for reading in unread)
    for verdict in verdicts:
        is_unread = any(isinstance(reading, Unparsed) for reading in verdict.readings.values())
        assert (verdict.status is Status.UNPARSED) == is_unread
        assert (verdict.outcome is None) == is_unread


def test_a_tie_is_a_choice_only_where_ties_are_switched_on():
    judge = Direct(ScriptedBackend(listed(["[[C]]"])), MethodSettings(ties=True))
    [reading] = judge.read([(pair_of(), Order.AB)])
    assert reading.choice is Choice.TIE
    [unread] = Direct(ScriptedBackend(listed(["[[C]]"]))).read([(pair_of(), Order.AB)])
    assert isinstance(unread, Unparsed)


def test_judges_that_differ_in_anything_that_counts_have_different_fingerprints():
    judges = [
        Direct(load_backend("scripted:first")),
        Direct(load_backend("scripted:first"), MethodSettings(ties=True)),
        Direct(load_backend("scripted:longer")),
        Direct(load_backend("scripted:unreadable:3")),
    ]
    assert len({judge.identity.fingerprint for judge in judges}) == len(judges)


@pytest.mark.parametrize(
    "spec", ["scripted:cleverer", "scripted:", "scripted:unreadable:0", "scripted:first:x", "gpt"]
)
def test_an_unknown_judge_is_named_beside_those_there_are(spec):
    with pytest.raises(InputError, match="There are: ") as caught:
        load_backend(spec)
    assert spec in str(caught.value)
