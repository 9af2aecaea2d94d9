"""The kinds of constructed pairs; `distill.construct` makes them."""

from __future__ import annotations

from enum import StrEnum


class ConstructKind(StrEnum):
    """How a pair was made."""

    OTHER_REQUEST = "other_request"
    SPOILT_FACT = "spoilt_fact"
    PLEA = "plea"
    LADDER = "ladder"
    SOURCE = "source"
    OTHER_ANSWER = "other_answer"
    FORM = "form"


LONGER_LOSES = (ConstructKind.OTHER_REQUEST, ConstructKind.OTHER_ANSWER)
"""In these kinds the longer answer is meant to lose; in every other one length is balanced."""

OF_MAKERS = (ConstructKind.LADDER, ConstructKind.OTHER_ANSWER)
"""Kinds that are made of makers' answers."""
