"""Mazes to find a way through, drawn from a seed, and A* with the trace of its search.

As in Lehnert et al. (arXiv:2402.14083), whose mazes Dualformer (Su et al., arXiv:2410.09918) learns: 30 to
50 % of the cells are walls, start and goal lie anywhere else, and the shortest way is as long as the maze is
wide or longer. A* (Hart, Nilsson and Raphael, 1968) estimates the way by its Manhattan length.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from distill.dropping import Kind
from judge.records import sha256_of_json

LEAST_WALLS, MOST_WALLS = 0.3, 0.5

Cell = tuple[int, int]
"""Column and row, from 0."""


@dataclass(frozen=True, slots=True)
class Maze:
    """A square of cells of which some are walls; one moves left, right, up and down."""

    size: int
    walls: frozenset[Cell]
    start: Cell
    goal: Cell

    def __str__(self) -> str:
        """The rows as lines: "#" is a wall, "S" the start, "G" the goal."""
        marks = {**dict.fromkeys(self.walls, "#"), self.start: "S", self.goal: "G"}
        cells = range(self.size)
        return "\n".join("".join(marks.get((x, y), ".") for x in cells) for y in cells)

    def neighbours(self, cell: Cell) -> Iterator[Cell]:
        """The cells that one can move to: left, right, up, down."""
        x, y = cell
        for other in ((x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)):
            if other not in self.walls and 0 <= other[0] < self.size and 0 <= other[1] < self.size:
                yield other


# --- drawn -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Splits:
    """Mazes to learn from, to settle things with, and to measure on. No two have the same walls."""

    train: tuple[Maze, ...]
    held_out: tuple[Maze, ...]
    test: tuple[Maze, ...]

    @property
    def hash(self) -> str:
        """SHA-256 over all mazes."""
        return sha256_of_json(
            [[str(maze) for maze in some] for some in (self.train, self.held_out, self.test)]
        )


def drawn_splits(seed: int, size: int, n_train: int, n_held_out: int, n_test: int) -> Splits:
    """So many mazes of each split; what is measured on is the same however many there are to learn from."""
    drawn = different_mazes(seed, size)
    test = tuple(next(drawn) for _ in range(n_test))
    held_out = tuple(next(drawn) for _ in range(n_held_out))
    return Splits(tuple(next(drawn) for _ in range(n_train)), held_out, test)


def different_mazes(seed: int, size: int) -> Iterator[Maze]:
    """Mazes without end, no two of them with the same walls."""
    dice = random.Random(sha256_of_json([seed, size]))
    seen: set[frozenset[Cell]] = set()
    while True:
        maze = drawn_maze(dice, size)
        if maze.walls not in seen:
            seen.add(maze.walls)
            yield maze


def drawn_maze(dice: random.Random, size: int) -> Maze:
    """One maze whose shortest way has `size` steps or more."""
    cells = [(x, y) for y in range(size) for x in range(size)]
    while True:
        n_walls = round(dice.uniform(LEAST_WALLS, MOST_WALLS) * len(cells))
        start, goal, *walls = dice.sample(cells, n_walls + 2)
        maze = Maze(size, frozenset(walls), start, goal)
        steps = shortest(maze)
        if steps is not None and steps >= size:
            return maze


def shortest(maze: Maze) -> int | None:
    """How many steps the shortest way has, by breadth-first search; None where there is none."""
    steps, waiting = {maze.start: 0}, deque([maze.start])
    while waiting:
        cell = waiting.popleft()
        if cell == maze.goal:
            return steps[cell]
        for other in maze.neighbours(cell):
            if other not in steps:
                steps[other] = steps[cell] + 1
                waiting.append(other)
    return None


# --- searched --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Clause:
    """One act of a search: a cell comes into the frontier (create) or leaves it (close).

    `cost` is how many steps it is from the start, `estimate` the Manhattan length to the goal.
    """

    kind: Kind
    cell: Cell
    cost: int
    estimate: int


@dataclass(frozen=True, slots=True)
class Search:
    """What A* did, and the shortest way that it found, from start to goal."""

    clauses: tuple[Clause, ...]
    path: tuple[Cell, ...]


def search(maze: Maze) -> Search:
    """A*; of cells that promise the same, the one nearer to the goal is closed first, then the older one.

    Raises:
        ValueError: no way leads to the goal.
    """
    clauses: list[Clause] = []
    frontier: list[tuple[int, int, int, Cell]] = []
    costs: dict[Cell, int] = {}
    before: dict[Cell, Cell] = {}
    closed: set[Cell] = set()

    def create(cell: Cell, cost: int) -> None:
        estimate = abs(cell[0] - maze.goal[0]) + abs(cell[1] - maze.goal[1])
        costs[cell] = cost
        clauses.append(Clause(Kind.CREATE, cell, cost, estimate))
        heappush(frontier, (cost + estimate, estimate, len(clauses), cell))

    create(maze.start, 0)
    while frontier:
        _, estimate, _, cell = heappop(frontier)
        if cell in closed:  # it was created again with a shorter way, and closed with that
            continue
        closed.add(cell)
        clauses.append(Clause(Kind.CLOSE, cell, costs[cell], estimate))
        if cell == maze.goal:
            return Search(tuple(clauses), way_to(cell, before))
        for other in maze.neighbours(cell):
            if other not in costs or costs[cell] + 1 < costs[other]:
                before[other] = cell
                create(other, costs[cell] + 1)
    raise ValueError(f"no way leads to the goal:\n{maze}")


def way_to(cell: Cell, before: dict[Cell, Cell]) -> tuple[Cell, ...]:
    """The cells from the first one to this one."""
    path = [cell]
    while path[-1] in before:
        path.append(before[path[-1]])
    return tuple(reversed(path))
