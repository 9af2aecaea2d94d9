from __future__ import annotations

import pytest

from judge.parsing import parse_choice
from judge.records import Choice, Unparsed

LETTERS = {"A": Choice.FIRST, "B": Choice.SECOND}


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("[[A]]", Choice.FIRST),
        ("I first thought [[A]], but it is [[B]].", Choice.SECOND),
        ("[[ b ]]", Choice.SECOND),
        ("[[[A]]]", Choice.FIRST),
    ],
)
def test_the_last_verdict_in_the_reply_counts(reply, choice):
    assert parse_choice(reply, LETTERS) is choice


@pytest.mark.parametrize("reply", ["", "A", "Answer A is better.", "[A]", "[[A", "[[]]" * 0 + "[[\n\n"])
def test_a_reply_without_a_verdict_is_unparsed_and_keeps_its_text(reply):
    unread = parse_choice(reply, LETTERS)
    assert isinstance(unread, Unparsed)
    assert unread.raw == reply
    assert unread.reason == "no verdict such as [[A]] in the reply"


def test_an_unknown_letter_is_named_even_after_a_known_one():
    unread = parse_choice("[[A]] or rather [[C]]", LETTERS)
    assert isinstance(unread, Unparsed)
    assert unread.reason == "verdict [[C]] is not one of A, B"
