"""What judges know of constructed pairs: counted by hand, over judges with a character."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pairs import pair_of

from benchmarks.constructed import (
    KINDS,
    RECIPE,
    figures_of,
    held_out_examples,
    less,
    measured,
    options_of,
    table_of,
)
from distill.contrast import won_by_a
from distill.kinds import OF_MAKERS, ConstructKind
from distill.selection import Part, targets
from judge import Judge
from judge.errors import InputError
from judge.options import judge_options
from judge.records import Outcome

PAIRS = [pair_of("a longer answer", "short", f"Question {n}?", f"p{n}") for n in range(3)]
PAIRS += [pair_of("short", "a longer answer", "Another?", "p3")]


def figures(character, examples=None):
    with Judge(backend=f"scripted:{character}", method="direct", cache=False) as judge:
        if examples is not None:
            return measured(judge, {"plea": examples})[0]["plea"]
        return figures_of(PAIRS, judge.judge(PAIRS), [Outcome.A] * len(PAIRS))


def test_a_judge_of_lengths_is_right_where_the_longer_answer_is():
    found = figures("longer")
    assert (found["n"], found["longer_right"], found["strict"], found["by_mean"]) == (4, 3, 3, 3)
    assert found["strict_low"] < 0.75 < found["strict_high"]


def test_the_better_answer_is_the_one_that_was_made_so_whichever_is_a():
    one = won_by_a(pair_of("a longer answer", "short", "Which?"), "construct-plea", Part.HELD_OUT)
    examples = [one, turned(one)]
    assert {example.winner for example in examples} == {Outcome.A, Outcome.B}
    for character, right in (("longer", 2), ("shorter", 0)):
        found = figures(character, examples)
        assert (found["strict"], found["by_mean"], found["longer_right"]) == (right, right, 2)


def turned(one):
    pair = one.pair
    other = replace(pair, id="turned", conversation_a=pair.conversation_b, conversation_b=pair.conversation_a)
    winner = Outcome.B if one.winner is Outcome.A else Outcome.A
    return replace(one, pair=other, choices=targets(winner))


def test_a_judge_of_places_is_never_right_in_both_orders():
    assert figures("first")["strict"] == 0


def test_what_a_judge_knows_more_is_counted_on_the_same_pairs_by_whole_questions():
    questions = [f"Question {n // 2}?" for n in range(40)]
    first = [n % 2 == 0 for n in range(40)]
    found = less([True] * 40, first, questions)
    assert (found.value, found.n) == (0.5, 40)
    assert found.low > 0
    assert less(first, first, questions).value == 0
    one_more = less([n == 1 or right for n, right in enumerate(first)], first, questions)
    assert one_more.value == pytest.approx(1 / 40)
    assert one_more.low <= 0


def test_the_table_says_how_much_more_the_later_judges_know():
    kinds = dict.fromkeys(map(str, KINDS), figures("longer"))
    more = {"value": 0.051, "low": 0.02, "high": 0.0799, "n": 7}
    judges = [{"name": "one", "kinds": kinds}, {"name": "two", "kinds": kinds, "less_first": more}]
    table = table_of([{"judges": judges, "cpu": "this one"}])
    assert table.endswith("less one, in points (paired, questions resampled): two: +5.1 (+2.0 to +8.0).")


@pytest.mark.parametrize(
    ("spec", "name", "method", "adapter"),
    [
        ("0.5B score=score", "0.5B score", "score", ""),
        ("a=b=direct:runs/x", "a=b", "direct", "runs/x"),
        ("x=score:runs/a=b", "x", "score", "runs/a=b"),
    ],
)
def test_a_judge_is_told_by_name_method_and_adapter(spec, name, method, adapter):
    assert options_of(spec, "some") == (
        name,
        judge_options(method=method, adapter=adapter, base_model="some"),
    )


@pytest.mark.parametrize("spec", ["score", "=score", "mine="])
def test_half_a_judge_is_refused(spec):
    with pytest.raises(InputError, match="must be NAME=METHOD or NAME=METHOD:ADAPTER"):
        options_of(spec, "some")


def test_the_table_has_a_row_a_judge_and_the_longer_answer():
    found = figures("longer")
    judges = [{"name": "longer", "kinds": dict.fromkeys(map(str, KINDS), found)}]
    table = table_of([{"judges": judges, "cpu": "this one"}])
    assert "| longer | 75 (30-95) | 75 (30-95) | 75 (30-95) | 75 (30-95) |" in table
    assert "| the longer answer wins | 3 of 4 | - | 3 of 4 | - |" in table


@pytest.mark.slow
def test_every_kind_has_a_hundred_pairs_and_their_requests_are_a_tenth(data_dir):
    by_kind = held_out_examples(RECIPE, data_dir)
    written = [str(kind) for kind in KINDS if kind not in OF_MAKERS]
    assert {kind: len(examples) for kind, examples in by_kind.items()} == dict.fromkeys(written, 100)
    for kind, examples in by_kind.items():
        found = figures("longer", examples)
        assert found["strict"] == found["longer_right"]
        if kind == ConstructKind.OTHER_REQUEST:
            assert found["longer_right"] < 20, "the longer answer is to another request"
        assert {one.winner for one in examples} == {Outcome.A, Outcome.B}
        assert all(one.pair.response_a != one.pair.response_b for one in examples)
