"""Constraint pairs: the winner has the form that is asked for, the loser has not, by checks of their own."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import HOSTILE
from test_contrast import HUNDRED, better_and_worse, example, prose

from distill.constraints import ConstraintKind, asked_of, constraint_examples, words
from distill.contrast import contrast_kind
from distill.selection import Example, Part
from judge.records import Message


def has_form(asked: str, text: str) -> bool:
    """Whether the text has the form that these words ask for, told from the words alone."""
    if found := re.search(r"(?:at most|no more than|Limit:) (\d+) words", asked):
        return len(text.split()) <= int(found[1])
    if found := re.search(r"at least (\d+) words", asked):
        return len(text.split()) >= int(found[1])
    if found := re.search(r"(\d+) sentences?", asked):
        return len(re.findall(r"[.!?](?:\s|$)", text)) == int(found[1])
    if found := re.search(r'(Do not )?(?:use|mention) the word "(\w+)"', asked, re.IGNORECASE):
        return (found[2].casefold() in text.casefold()) != bool(found[1])
    if found := re.search(r'(?:Begin|first words).*"(.+)"', asked):
        return text.startswith(found[1])
    if found := re.search(r'(?:End|last words).*"(.+)"', asked):
        return text.endswith(found[1])
    if "list" in asked:
        lines = text.splitlines()
        is_list = all(re.match(r"- |\d+\. ", line) for line in lines) and len(lines) > 1
        return is_list != ("no list" in asked)
    if found := re.search(r"(capital|lowercase) letters", asked):
        return text == (text.upper() if found[1] == "capital" else text.lower())
    marks = {"double quotation marks": '""', "square brackets": "[]", "asterisks": "**"}
    return next(text[0] + text[-1] == both for name, both in marks.items() if name in asked)


def asked_in(one: Example, sources: list[Example]) -> str:
    """The words that were added to the request."""
    request = one.pair.question
    own = max((s.pair.question for s in sources if s.pair.question in request), key=len)
    return request.replace(own, "")


MADE = constraint_examples(HUNDRED, 4, 0)


@pytest.mark.parametrize("kind", ConstraintKind)
def test_the_winner_has_the_form_that_is_asked_for_and_the_loser_has_not(kind):
    mine = [one for one in MADE if asked_of(one.pair) is kind]
    assert len(mine) >= 20
    for one in mine:
        better, worse = better_and_worse(one)
        asked = asked_in(one, HUNDRED)
        assert has_form(asked, better), (asked, better)
        assert not has_form(asked, worse), (asked, worse)


def test_each_text_wins_once_and_loses_once():
    won, lost = (Counter(better_and_worse(one)[place] for one in MADE) for place in (0, 1))
    assert won == lost


def test_a_word_that_is_asked_for_is_a_whole_one():
    replies = "The internationalization of it took one longer winter.", "It took them all of it, and more."
    for seed in range(20):
        (asked, _), (avoided, _) = ((one.asked, one.text) for one in words(replies, random.Random(seed)))
        assert {re.search(r'"(\w+)"', one)[1] for one in (asked, avoided)} <= {"longer", "winter"}


def test_length_says_nothing():
    """The longer answer wins as often as the shorter one."""
    longer = sum(len(better) > len(worse) for better, worse in map(better_and_worse, MADE))
    shorter = sum(len(better) < len(worse) for better, worse in map(better_and_worse, MADE))
    assert longer == shorter


@pytest.mark.parametrize(("per_pair", "expected"), [(0, 0), (0.5, 50), (1, 100), (3, 300)])
def test_there_are_so_many_for_each_pair_by_twos(per_pair, expected):
    made = constraint_examples(HUNDRED, per_pair, 0)
    assert len({one.pair.id for one in made}) == len(made) == expected


def test_kinds_have_nearly_equal_shares_where_all_can_be_made():
    texts = [prose(random.Random(n), 9).replace("\n", " ") for n in range(80)]
    plain = [example(text, text[::-1], f"Question {n}?") for n, text in enumerate(texts)]
    counts = Counter(asked_of(one.pair) for one in constraint_examples(plain, 2, 0))
    assert counts.keys() == set(ConstraintKind)
    assert max(counts.values()) <= 2 * min(counts.values())


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(HUNDRED[:12]), max_size=9), st.randoms(use_true_random=False))
def test_neither_the_order_of_the_examples_nor_their_ids_matter(examples, dice):
    once = list({one.pair.id: one for one in examples}.values())
    shuffled = dice.sample(once, len(once))
    renamed = [replace(one, pair=replace(one.pair, id=f"new{n}")) for n, one in enumerate(shuffled)]
    assert constraint_examples(renamed, 1.5, 7) == constraint_examples(once, 1.5, 7)


def test_another_seed_makes_other_pairs():
    assert constraint_examples(HUNDRED, 0.2, 0) != constraint_examples(HUNDRED, 0.2, 1)


def test_held_out_pairs_and_pairs_with_two_requests_are_not_used():
    one = HUNDRED[0]
    other = (Message("user", "Another request?"), one.pair.conversation_b[-1])
    unused = [replace(one, part=Part.HELD_OUT), replace(one, pair=replace(one.pair, conversation_b=other))]
    assert constraint_examples(unused, 4, 0) == []


def test_they_are_training_pairs_that_carry_no_label_of_their_source():
    for one in MADE[:20]:
        assert one.part is Part.TRAIN
        assert one.pair.metadata == {}
        assert one.pair.reference is None
        assert contrast_kind(one.pair) is None
    assert asked_of(HUNDRED[0].pair) is None


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_make_pairs_or_none_and_never_fail(text):
    for prompt, reply in (("Why?", text), (text, "Plain words, as long as they need to be here, friend.")):
        if prompt.strip() and reply.strip():
            made = constraint_examples([example(reply, "Something else altogether.", prompt)], 16, 0)
            assert all(one.pair.response_a != one.pair.response_b for one in made)
