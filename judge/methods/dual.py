"""One adapter, two systems: a verdict at once, or after a working (Dualformer, arXiv:2410.09918)."""

from __future__ import annotations

from judge.methods.asking import pair_values, reading_name
from judge.prompts import fill
from judge.records import Order, Pair, Prompt

TEMPLATE = "dual"


def render_dual(pair: Pair, order: Order, ties: bool) -> Prompt:
    """The prompt that asks for a verdict, at once or after a working; its reply begins as a verdict does."""
    return fill(TEMPLATE, pair_values(pair, order) | {"ties": ties}, reading_name(pair, order))
