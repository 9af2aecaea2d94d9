"""Parts of a trace left out at random, so that one student learns to answer with and without them.

Dualformer (Su et al., arXiv:2410.09918) drops the clauses of a search: at level 1 those that close a node,
at level 2 also the costs, at level 3 also 30 % of those that create a node, at level 4 the whole trace. Any
trace whose parts are of these three kinds can be dropped from in the same way: the workings of a judge, and
the searches in mazes that are the control of it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from judge.records import sha256_of_json

DROPPED_SHARE = 0.3
"""Of the create parts at level 3."""


class Kind(StrEnum):
    """What a part of a trace does: it brings something up, says what it costs, or settles it."""

    CREATE = "create"
    COST = "cost"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class TracePart:
    """One part of a trace, which is left out whole or not at all."""

    kind: Kind
    text: str


WHOLE, NO_CLOSE, NO_COST, FEWER, NOTHING = range(5)
"""The levels."""

LEFT_OUT: tuple[frozenset[Kind], ...] = (
    frozenset(),
    frozenset({Kind.CLOSE}),
    frozenset({Kind.CLOSE, Kind.COST}),
    frozenset({Kind.CLOSE, Kind.COST}),
    frozenset(Kind),
)
"""The kinds that are left out at each level."""


def dice_of(seed: int, epoch: int, key: str) -> random.Random:
    """Draws for one trace in one epoch, whatever was drawn before: a run that was killed draws the same."""
    return random.Random(sha256_of_json([seed, epoch, key]))


def drawn_level(shares: Sequence[float], dice: random.Random) -> int:
    """A level, each as likely as its share says; the shares add up to 1."""
    return dice.choices(range(len(LEFT_OUT)), shares)[0]


def dropped(parts: Sequence[TracePart], level: int, dice: random.Random) -> tuple[TracePart, ...]:
    """The parts that are left at a level, in their order.

    At level 3 one create part stays at least: without any it would be level 4.
    """
    kept = [part for part in parts if part.kind not in LEFT_OUT[level]]
    if level == FEWER:
        gone = set(dice.sample(range(len(kept)), n_dropped(len(kept), dice.random())))
        kept = [part for number, part in enumerate(kept) if number not in gone]
    return tuple(kept)


def drawn_parts(
    parts: Sequence[TracePart], shares: Sequence[float], seed: int, epoch: int, key: str
) -> tuple[TracePart, ...]:
    """What one epoch shows of a trace: its parts at a level that is drawn for it.

    Traces of one key and as many create parts lose the same of these.
    """
    dice = dice_of(seed, epoch, key)
    level = drawn_level(shares, dice)
    return dropped(parts, level, dice)


def n_dropped(n_parts: int, chance: float) -> int:
    """How many of so many parts go, 30 % in the mean; `chance`, from 0 to 1, rounds up or down."""
    return max(0, min(n_parts - 1, math.floor(DROPPED_SHARE * n_parts + chance)))
