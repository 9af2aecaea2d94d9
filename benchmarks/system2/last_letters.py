"""Last letters: two words, of which the last letters are to be joined. Table 1 of the paper, RaR."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

from benchmarks.system2.reading import letters_in
from benchmarks.system2.task import (
    Procedure,
    Question,
    Split,
    Task,
    at_once,
    rephrasing,
    shared_out,
    shuffled,
)
from benchmarks.system2.words import WORDS

NAME = "last-letters"
# Words have three or four letters: a small teacher spells longer ones now in one way, now in another.
SHARES = {Split.TRAIN: 50, Split.HELD_OUT: 20, Split.TEST: 30}
"""Hundredths of the words: no word is in two splits."""


def questions(split: Split, n: int, data: Path | None = None) -> list[Question]:
    """So many pairs of different words of the split, no pair twice; the first ones stay where n grows."""
    words = shared_out(WORDS, NAME, SHARES)[split]
    return [question_of(*pair) for pair in shuffled(list(permutations(words, 2)), NAME, split)[:n]]


def question_of(first: str, second: str) -> Question:
    text = f'Take the last letter of each word in "{first} {second}" and join these letters.'
    return Question(text, first[-1] + second[-1], subject=(first, second))


TASK = Task(
    name=NAME,
    what="the last letters of two words, joined",
    source="made for this: pairs of everyday words, drawn at random",
    questions=questions,
    system_1=Procedure("System 1", (at_once,), 16, 4),
    system_2=rephrasing(50),
    teacher="rar-1",
    answer_in=letters_in,
    filter="majority",
    n_samples=8,
    epochs=6,
    sizes={Split.TRAIN: 400, Split.HELD_OUT: 200, Split.TEST: 200},
    layers=1.0,  # how a word is spelt is known far down
)
