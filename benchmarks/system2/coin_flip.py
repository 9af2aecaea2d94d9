"""Coin flip: a coin, and two to four people who flip it or do not. Table 1 of the paper, RaR."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

from benchmarks.system2.reading import yes_or_no_in
from benchmarks.system2.task import Procedure, Question, Split, Task, at_once, rephrasing, shared_out
from benchmarks.system2.words import NAMES

NAME = "coin-flip"
SHARES = {Split.TRAIN: 60, Split.HELD_OUT: 15, Split.TEST: 25}
"""Hundredths of the names: nobody is in two splits."""


def questions(split: Split, n: int, data: Path | None = None) -> list[Question]:
    """So many different stories, half of which end heads up; the first ones stay where n grows."""
    names, random = shared_out(NAMES, NAME, SHARES)[split], Random(repr((NAME, split)))
    return list(islice(stories(names, random), n))


def stories(names: list[str], random: Random) -> Iterator[Question]:
    """Stories without end, none twice: "yes" and "no" take turns."""
    seen: set[str] = set()
    while True:
        people = random.sample(names, random.randint(2, 4))
        flips = [random.random() < 0.5 for _ in people]
        if (sum(flips) % 2 == 0) != (len(seen) % 2 == 0):
            flips[0] = not flips[0]
        one = question_of(people, flips)
        if one.text not in seen:
            seen.add(one.text)
            yield one


def question_of(people: list[str], flips: list[bool]) -> Question:
    """Still heads up after an even number of flips."""
    done = " ".join(
        f"{name} {'flips' if flip else 'does not flip'} the coin."
        for name, flip in zip(people, flips, strict=True)
    )
    text = f"A coin is heads up. {done} Is the coin still heads up? Answer yes or no."
    return Question(text, "no" if sum(flips) % 2 else "yes", subject=tuple(people))


TASK = Task(
    name=NAME,
    what="whether a coin is still heads up after two to four people flipped it or did not",
    source="made for this: names and flips, drawn at random",
    questions=questions,
    system_1=Procedure("System 1", (at_once,), 16, 3),
    system_2=rephrasing(90),
    teacher="rar-1",
    answer_in=yes_or_no_in,
    filter="majority",
    n_samples=8,
    epochs=5,
    sizes={Split.TRAIN: 200, Split.HELD_OUT: 60, Split.TEST: 200},
)
