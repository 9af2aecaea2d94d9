"""A maze and its search as words, each a token, and replies read back.

The words are those of Lehnert et al. (arXiv:2402.14083), but a cell is one word where theirs is two numbers:
small models that learn for an hour hardly learn to find a wall by two words. A cost is "c" and a number.

    bos start 0,2 goal 2,0 wall 1,1 eos | create 0,2 c0 c4 close 0,2 c0 c4 ... plan 0,2 plan 0,1 ... eos

The first word of a reply says which way it goes, as in Dualformer (Su et al., arXiv:2410.09918): "create" is
slow, "plan" is fast. What stands between is what their dropping leaves of the trace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.controls.mazes import Cell, Maze, Search, shortest
from distill.dropping import Kind, TracePart
from judge.records import Unparsed

PAD, BEGIN, END = "pad", "bos", "eos"
FAST, SLOW = "plan", "create"
"""The first word of a reply without its trace, and of one with it."""

STEP = re.compile(rf"{FAST} (\d+),(\d+)")

NAMES = (PAD, BEGIN, END, "start", "goal", "wall", FAST, SLOW, "close")


def vocabulary(size: int) -> tuple[str, ...]:
    """All words of mazes of this size. No way has more steps than there are cells."""
    cells = (at((x, y)) for y in range(size) for x in range(size))
    return (*NAMES, *cells, *(f"c{cost}" for cost in range(size * size)))


class Coder:
    """Words as their numbers in the vocabulary, and back."""

    def __init__(self, size: int) -> None:
        self.words = vocabulary(size)
        self._ids = {word: number for number, word in enumerate(self.words)}

    def ids(self, words: Iterable[str]) -> tuple[int, ...]:
        return tuple(self._ids[word] for word in words)

    def text(self, ids: Iterable[int]) -> str:
        return " ".join(self.words[number] for number in ids)


# --- written ---------------------------------------------------------------------------------------------


def prompt_words(maze: Maze) -> list[str]:
    """The maze, its walls row by row."""
    walls = sorted(maze.walls, key=lambda cell: (cell[1], cell[0]))
    told = [f"start {at(maze.start)}", f"goal {at(maze.goal)}", *(f"wall {at(cell)}" for cell in walls)]
    return [BEGIN, *" ".join(told).split(), END]


def at(cell: Cell) -> str:
    return f"{cell[0]},{cell[1]}"


def parts_of(found: Search) -> list[TracePart]:
    """Each cell that is created, then its costs; one that is closed is one part with its costs."""
    parts = []
    for clause in found.clauses:
        costs = f"c{clause.cost} c{clause.estimate}"
        if clause.kind is Kind.CREATE:
            parts += [TracePart(Kind.CREATE, f"create {at(clause.cell)}"), TracePart(Kind.COST, costs)]
        else:
            parts.append(TracePart(Kind.CLOSE, f"close {at(clause.cell)} {costs}"))
    return parts


def reply_words(parts: Iterable[TracePart], path: Iterable[Cell]) -> list[str]:
    """What is left of a trace, then the way."""
    told = [*(part.text for part in parts), *(f"plan {at(cell)}" for cell in path)]
    return [*" ".join(told).split(), END]


# --- read ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """The way that a reply names."""

    path: tuple[Cell, ...]


def n_trace_words(words: Sequence[str]) -> int:
    """The words before the plan; all of them where there is no plan."""
    return words.index(FAST) if FAST in words else len(words)


def read_reply(reply: str) -> Answer | Unparsed:
    """The way after the trace. What the trace says is not held against it, as in the paper."""
    words = reply.split()
    if not words or words[-1] != END:
        return Unparsed("the reply is not finished", raw=reply)
    plan = words[n_trace_words(words) : -1]
    steps = [" ".join(plan[start : start + 2]) for start in range(0, len(plan), 2)]
    if not steps:
        return Unparsed("there is no plan", raw=reply)
    path = []
    for step in steps:
        if (found := STEP.fullmatch(step)) is None:
            return Unparsed(f"{step!r} is no step of a plan", raw=reply)
        path.append((int(found[1]), int(found[2])))
    return Answer(tuple(path))


def is_way(maze: Maze, path: Sequence[Cell]) -> bool:
    """Whether these cells lead from the start to the goal, each beside the one before it."""
    is_led = all(later in maze.neighbours(cell) for cell, later in pairwise(path))
    return is_led and path[0] == maze.start and path[-1] == maze.goal


def is_shortest(maze: Maze, path: Sequence[Cell]) -> bool:
    return len(path) - 1 == shortest(maze)
