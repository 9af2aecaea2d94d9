"""Judges that learned people's votes: recognised by name, and kept out of tables with others.

A recipe that learns votes gives its adapter a name that ends in `VOTES_SUFFIX`; no other recipe may.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from judge.errors import InputError
from judge.io.wording import one_line
from judge.records import NO_ADAPTER

VOTES_SUFFIX = "-votes"
VOTES_DO_NOT_TEACH = "this adapter learned votes, and no judge learns from people's votes under another name"
FINGERPRINT = re.compile(r".+\+([^+]+)/[^/@#]+@[^/@#]+#[0-9a-f]{16}")


def learned_votes(adapter: str) -> bool:
    """Whether the adapter of this name learned people's votes."""
    return adapter.endswith(VOTES_SUFFIX)


def adapter_in(label: str) -> str:
    """The adapter that a judge's fingerprint names (`Identity.fingerprint`), else NO_ADAPTER."""
    found = FINGERPRINT.fullmatch(label)
    return found[1] if found else NO_ADAPTER


def refuse_mixed(judges: Iterable[tuple[str, str]]) -> None:
    """Raises InputError where one of these judges learned votes and another learned something else.

    A base model without an adapter may stand beside either.

    Args:
        judges: the name of each, and that of its adapter, "none" where it has none.
    """
    tuned = [(name, adapter) for name, adapter in judges if adapter != NO_ADAPTER]
    voted = [one_line(name) for name, adapter in tuned if learned_votes(adapter)]
    others = [one_line(name) for name, adapter in tuned if not learned_votes(adapter)]
    if voted and others:
        raise InputError(
            f"{voted[0]} was fine-tuned on human votes and {others[0]} was not: their figures belong in "
            "tables of their own. Measure them in two runs."
        )
