"""A slow verdict as one reply, its working: a plan of criteria, scores and reasons below each, the verdict.

    Plan
    1. Correctness: says which clouds and why.
    A 4, B 2. B mixes up stratus and cumulus.
    [[A]]

Parts may be left out, so that a verdict alone is a working too; what is there is numbered from 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from judge.records import Unparsed

PLAN = "Plan"
NUMBERED = re.compile(r"(\d{1,2})\. (\S.*)")
SCORED = re.compile(r"A ([1-5]), B ([1-5])\.(?: (\S.*))?")
STATED = re.compile(r"\[\[([^\[\]]{0,40})\]\]")


@dataclass(frozen=True, slots=True)
class Weighed:
    """One criterion of a working: its words, the scores of answers A and B, and the reason, "" for none.

    Raises:
        ValueError: words are missing or go over lines, a score is not a whole number from 1 to 5, or there
            is a reason without scores.
    """

    criterion: str
    scores: tuple[int, int] | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        lines = (self.criterion, self.reason)
        if not self.criterion or any(one != one.strip() or "\n" in one for one in lines):
            raise ValueError(f"{self.criterion!r} with {self.reason!r} is not a line each")
        if self.scores is not None and not all(score in range(1, 6) for score in self.scores):
            raise ValueError(f"the scores {self.scores} are not whole numbers from 1 to 5")
        if self.reason and self.scores is None:
            raise ValueError(f"the reason {self.reason!r} belongs to no scores")


@dataclass(frozen=True, slots=True)
class Working:
    """What stands before a verdict, nothing at all where it is given at once, and the verdict's letter."""

    weighed: tuple[Weighed, ...]
    letter: str


def format_working(working: Working) -> str:
    """The working as a reply."""
    return f"{plan_of(working)}[[{working.letter}]]"


def plan_of(working: Working) -> str:
    """All of the reply before the verdict, with its last line's end; "" where there is nothing."""
    lines = [PLAN] if working.weighed else []
    for number, one in enumerate(working.weighed, start=1):
        lines.append(f"{number}. {one.criterion}")
        if one.scores is not None:
            first, second = one.scores
            lines.append(f"A {first}, B {second}. {one.reason}".rstrip())
    return "".join(f"{line}\n" for line in lines)


def parse_working(reply: str, is_ended: bool, letters: Sequence[str]) -> Working | Unparsed:
    """The working that a reply is. One that was cut, or is anything else, is Unparsed and never guessed at.

    Args:
        is_ended: False where the reply was cut.
        letters: those that a verdict may have.
    """
    if not is_ended:
        return Unparsed("the working is not finished", raw=reply)
    *lines, last = reply.strip().split("\n")
    stated = STATED.fullmatch(last.strip())
    if stated is None:
        return Unparsed(f"the working does not end in a verdict such as [[{letters[0]}]]", raw=reply)
    if stated[1] not in letters:
        return Unparsed(f"verdict [[{stated[1]}]] is not one of {', '.join(letters)}", raw=reply)
    if not lines:
        return Working((), stated[1])
    if lines[0].strip() != PLAN or len(lines) == 1:
        return Unparsed(f"the working does not begin with {PLAN} and a criterion", raw=reply)
    weighed = weighed_in(lines[1:])
    return Unparsed(weighed, raw=reply) if isinstance(weighed, str) else Working(weighed, stated[1])


def weighed_in(lines: Sequence[str]) -> tuple[Weighed, ...] | str:
    """The criteria of a plan's lines, with what stands below them; or what is wrong with a line, in words."""
    weighed: list[Weighed] = []
    for line in map(str.strip, lines):
        if (numbered := NUMBERED.fullmatch(line)) and int(numbered[1]) == len(weighed) + 1:
            weighed.append(Weighed(numbered[2]))
        elif (scored := SCORED.fullmatch(line)) and weighed and weighed[-1].scores is None:
            scores = int(scored[1]), int(scored[2])
            weighed[-1] = Weighed(weighed[-1].criterion, scores, scored[3] or "")
        else:
            return f"a line of the working is neither criterion {len(weighed) + 1} nor scores"
    return tuple(weighed)
