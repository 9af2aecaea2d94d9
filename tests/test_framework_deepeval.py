"""deepeval, the real package: the arena metric on its own test cases."""

from __future__ import annotations

import asyncio

import pytest
from frameworks import follow_page

from judge.errors import BackendError
from judge.frameworks.deepeval import pairwise_arena

pytestmark = pytest.mark.frameworks


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    monkeypatch.setenv("DEEPEVAL_TELEMETRY_OPT_OUT", "YES")
    monkeypatch.setenv("DEEPEVAL_FILE_SYSTEM", "READ_ONLY")


def case(**answers):
    from deepeval.test_case import ArenaTestCase, Contestant, LLMTestCase

    cases = {name: LLMTestCase(input="Why?", actual_output=answer) for name, answer in answers.items()}
    return ArenaTestCase(contestants=[Contestant(name=name, test_case=one) for name, one in cases.items()])


def metric(backend):
    return pairwise_arena(backend=backend, cache=False)


def test_it_is_an_arena_metric_and_names_the_better_contestant():
    from deepeval.metrics import BaseArenaMetric

    longer = metric("scripted:longer")
    assert isinstance(longer, BaseArenaMetric)
    assert longer.measure(case(old="So.", new="Because.")) == "new"
    assert longer.scores == {"old": 0.0, "new": 1.0}
    assert longer.reason.startswith("new is better in both orders")
    assert longer.is_successful()


def test_every_two_of_several_contestants_are_compared():
    longer = metric("scripted:longer")
    assert longer.measure(case(short="a", longest="aaaa", middle="aa")) == "longest"
    assert longer.scores == {"short": 0.0, "longest": 1.0, "middle": 0.5}
    assert len(longer.reason.splitlines()) == 3


def test_orders_that_disagree_leave_nobody_to_win():
    first = metric("scripted:first")
    assert first.measure(case(old="So.", new="Because.")) == ""
    assert (first.scores, first.is_successful()) == ({"old": 0.5, "new": 0.5}, True)
    assert first.reason.startswith("a tie: each order of old and new says something else")


def test_what_cannot_be_read_is_an_error_and_no_winner():
    unread = metric("scripted:unreadable:2")
    with pytest.raises(BackendError, match="1 of 1 pairs could not be read"):
        unread.measure(case(old="So.", new="Because."))
    assert (unread.winner, unread.is_successful()) == ("", False)
    assert "could not be read" in unread.error


def test_it_may_be_awaited():
    assert asyncio.run(metric("scripted:longer").a_measure(case(old="So.", new="Because."))) == "new"


def test_the_page_runs(tmp_path, monkeypatch):
    reader = follow_page("deepeval", tmp_path, monkeypatch)
    assert reader.names["metric"].winner == "new prompt"
