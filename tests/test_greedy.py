"""Replies of which nothing was begun: what counts as a verdict alone, and the committed result."""

from __future__ import annotations

import json

import pytest
from pairs import pair_of

from benchmarks.greedy import JUDGES, figures_of, prompts_of, table_of
from judge.backends import Completion
from judge.models.adapters import read_adapter, shipped_adapter
from judge.provenance import CHECKOUT
from judge.records import Unparsed

RESULT = CHECKOUT / "benchmarks" / "results" / "greedy.json"


def reply(text, is_ended=True):
    return Completion(text, 100, len(text), is_ended)


@pytest.mark.parametrize(
    ("method", "right", "wrong"),
    [
        ("score", ["[[1]]", "[[9]]"], ["[[0]]", "[[10]]", "[[A]]", " [[5]]", "[[5]].", "5", ""]),
        ("direct", ["[[A]]", "[[B]]"], ["[[C]]", "[[1]]", "A", "[[A]]\n"]),
    ],
)
def test_only_a_verdict_that_ends_is_exact(method, right, wrong):
    replies = [*map(reply, right), *map(reply, wrong), reply(right[0], is_ended=False), Unparsed("no", "")]
    found = figures_of(replies, method)
    assert (found["n"], found["exact"], found["most_tokens"]) == (len(replies), len(right), 5)
    assert sum(found["others"].values()) == len(wrong) + 2
    assert found["others"]["not read"] == 1


def test_nothing_is_put_into_its_mouth():
    pair = pair_of("one answer", "another")
    for method, parts in (("score", ("one answer", "another")), ("direct", ("one answer", "one answer"))):
        prompts = prompts_of(pair, method)
        assert len(prompts) == 2
        assert not any(one.reply_start or one.reply_end for one in prompts)
        for prompt, part in zip(prompts, parts, strict=True):
            assert part in "".join(span.text for _, spans in prompt.messages for span in spans)


def test_the_committed_result_is_of_the_judges_in_the_package():
    result = json.loads(RESULT.read_text("utf-8"))
    for one, (base_model, method) in zip(result["judges"], JUDGES, strict=True):
        shipped = read_adapter(shipped_adapter(base_model, method))
        assert one["identity"]["adapter_hash"] == shipped.hash
        assert one["n"] == 200
        assert f"{one['exact']} of 200" in table_of([result])
