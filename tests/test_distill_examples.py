"""From examples to rows of tokens: what a student is asked, and the four tokens that it learns."""

from __future__ import annotations

from dataclasses import replace

import pytest
from models import VERDICT_MERGES, make_tokenizer
from pairs import pair_of

from distill.examples import (
    NO_LETTER,
    NO_PROBABILITY,
    NO_WINNER,
    VerdictRow,
    batches_of,
    sharpened,
    teachable,
    token_rows,
)
from distill.selection import Example, Part, targets
from judge.backends.tokens import PromptEncoder
from judge.errors import ModelError
from judge.methods.direct import render_direct
from judge.records import Choice, Order, Outcome

pytestmark = pytest.mark.slow  # transformers alone takes seconds to import

END = 259


def example(winner=Outcome.A, p_a=None, id="p", **texts) -> Example:
    return Example(pair_of(id=id, **texts), targets(winner), p_a, Part.TRAIN)


@pytest.fixture(scope="module")
def encoder():
    return PromptEncoder(make_tokenizer(merges=VERDICT_MERGES), 4096, "trim")


@pytest.mark.parametrize(
    ("p", "times", "sharp"), [(0.6, 1, 0.6), (0.6, 3, 27 / 35), (0.25, 2, 0.1), (0.5, 9, 0.5)]
)
def test_sharper_probabilities_have_their_log_odds_multiplied(p, times, sharp):
    assert sharpened(p, times) == pytest.approx(sharp)
    assert sharpened(1 - p, times) == pytest.approx(1 - sharp)


def test_what_is_certain_stays_certain_however_sharp():
    assert [sharpened(p, times) for p in (0.0, 1.0) for times in (0.5, 8.0)] == [0.0, 0.0, 1.0, 1.0]
    assert sharpened(1e-9, 100) == pytest.approx(0)
    assert sharpened(1 - 1e-9, 100) == pytest.approx(1)


def test_soft_targets_are_learned_as_sharp_as_asked(encoder):
    rows = token_rows([example(Outcome.A, p_a=0.75)], encoder, END, ties=False, is_soft=True, sharpness=2)
    assert [row.weights for row in rows] == [pytest.approx((0.9, 0.1)), pytest.approx((0.1, 0.9))]


def test_a_row_is_the_judges_own_prompt_and_the_verdict_without_its_last_token(encoder):
    one = example(Outcome.B)
    rows = token_rows([one], encoder, END, ties=False, is_soft=False)
    assert [(row.order, row.weights) for row in rows] == [(Order.AB, (0.0, 1.0)), (Order.BA, (1.0, 0.0))]
    for row, letter in zip(rows, "BA", strict=True):
        [asked] = encoder.encode([render_direct(one.pair, row.order, ties=False)])
        verdict = [*encoder.plain_ids(f"[[{letter}]]"), END]
        assert len(verdict) == 4
        assert row.ids == (*asked.ids[: asked.n_prompt], *verdict[:-1])
        assert list(row.targets) == verdict
        assert row.targets[row.letter] == encoder.plain_ids(letter)[0]
        # What stands at a place predicts the token after it.
        assert row.first_place == asked.n_prompt - 1


def test_truncation_never_touches_the_verdict():
    short = PromptEncoder(make_tokenizer(merges=VERDICT_MERGES), 1300, "trim")
    untrimmed = token_rows([example()], short, END, ties=False, is_soft=False)
    long = example(response_a="a" * 3000, response_b="b" * 2000)
    rows = token_rows([long], short, END, ties=False, is_soft=False)
    assert [row.is_trimmed for row in rows] == [True, True]
    assert all(len(row.ids) <= 1300 + 3 for row in rows)
    assert [row.targets for row in rows] == [row.targets for row in untrimmed]
    assert [row.ids[-3:] for row in rows] == [row.targets[:-1] for row in rows]


def test_a_soft_target_is_the_teachers_probability_of_what_stands_first():
    encoder = PromptEncoder(make_tokenizer(merges=VERDICT_MERGES), 4096, "trim")
    rows = token_rows([example(Outcome.A, p_a=0.75)], encoder, END, ties=False, is_soft=True)
    assert [row.weights for row in rows] == [(0.75, 0.25), (0.25, 0.75)]
    hard = token_rows([example(Outcome.A, p_a=0.75)], encoder, END, ties=False, is_soft=False)
    assert [row.weights for row in hard] == [(1.0, 0.0), (0.0, 1.0)]


def test_a_student_that_may_call_a_tie_has_three_letters_and_is_asked_so(encoder):
    tie = Example(pair_of(), {Order.AB: Choice.TIE, Order.BA: Choice.FIRST}, None, Part.TRAIN)
    rows = token_rows([tie], encoder, END, ties=True, is_soft=False)
    assert [row.weights for row in rows] == [(0.0, 0.0, 1.0), (1.0, 0.0, 0.0)]
    assert rows[0].ids[:-3] == encoder.encode([render_direct(tie.pair, Order.AB, ties=True)])[0].ids[:-1]


def test_an_order_without_a_letter_has_no_row_and_an_example_without_any_is_counted(encoder):
    half = Example(pair_of(), {Order.AB: Choice.TIE, Order.BA: Choice.FIRST}, None, Part.TRAIN)
    none = Example(pair_of(id="q"), {Order.AB: Choice.TIE}, None, Part.TRAIN)
    kept, left_out = teachable([half, none], ties=False, is_soft=False)
    assert (kept, dict(left_out)) == ([half], {NO_LETTER: 1})
    assert [row.order for row in token_rows(kept, encoder, END, ties=False, is_soft=False)] == [Order.BA]


def test_a_student_of_grades_learns_nothing_hard_of_a_pair_without_a_winner():
    firsts = {Order.AB: Choice.FIRST, Order.BA: Choice.FIRST}
    flips = Example(pair_of(), firsts, 0.6, Part.TRAIN)
    kept, left_out = teachable([flips, example()], ties=False, is_soft=False, by_grade=True)
    assert (kept, dict(left_out)) == ([example()], {NO_WINNER: 1})
    assert teachable([flips], ties=False, is_soft=True, by_grade=True)[0] == [flips]
    assert teachable([flips], ties=False, is_soft=False)[0] == [flips]


def test_soft_targets_need_a_probability():
    kept, left_out = teachable([example(), example(p_a=0.6, id="q")], ties=False, is_soft=True)
    assert ([one.pair.id for one in kept], dict(left_out)) == (["q"], {NO_PROBABILITY: 1})


def test_a_tokenizer_in_which_a_verdict_is_longer_is_refused():
    bytewise = PromptEncoder(make_tokenizer(), 4096, "trim")
    with pytest.raises(ModelError, match=r"a verdict is 6 tokens .* needs one in which it is 4"):
        token_rows([example()], bytewise, END, ties=False, is_soft=False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"targets": ()},
        {"ids": (1,)},
        {"weights": (0.0, 0.0)},
        {"letter": 4},
        {"letter": -1},
        {"weight": 0.0},
        {"weight": -1.0},
    ],
)
def test_a_row_that_would_teach_nothing_is_an_error(wrong):
    row = VerdictRow(
        example=0,
        order=Order.AB,
        ids=(1, 2, 3, 4),
        targets=(4, 5, 6, 7),
        letter=1,
        weights=(1.0, 0.0),
        is_trimmed=False,
    )
    with pytest.raises(ValueError, match="teaches nothing"):
        replace(row, **wrong)


def test_batches_hold_all_rows_once_with_both_orders_together_and_no_more_than_fits(encoder):
    examples = [example(id=f"p{n}", response_a="x" * (37 * n % 400)) for n in range(30)]
    rows = token_rows(examples, encoder, END, ties=False, is_soft=False)
    batches = batches_of(rows, max_tokens=12_000)
    assert sorted(id(row) for batch in batches for row in batch) == sorted(map(id, rows))
    assert len(batches) > 2
    for batch in batches:
        assert sum(len(row.ids) for row in batch) <= 12_000
        assert len({row.example for row in batch}) * 2 == len(batch)
    lengths = [max(len(row.ids) for row in batch) for batch in batches]
    assert lengths == sorted(lengths, reverse=True)


def test_what_is_in_a_batch_does_not_depend_on_the_order_of_the_rows(encoder):
    examples = [example(id=f"p{n}", response_a="x" * n) for n in range(8)]
    rows = token_rows(examples, encoder, END, ties=False, is_soft=False)
    pairs_of_rows = [rows[i : i + 2] for i in range(0, len(rows), 2)]
    turned = [row for two in reversed(pairs_of_rows) for row in two]
    assert batches_of(rows, 5000) == batches_of(turned, 5000)


def test_an_example_longer_than_a_batch_is_a_batch_of_its_own(encoder):
    examples = [example(id="long", response_a="x" * 3000), example(id="short")]
    batches = batches_of(token_rows(examples, encoder, END, ties=False, is_soft=False), 4000)
    assert [{row.example for row in batch} for batch in batches] == [{0}, {1}]
