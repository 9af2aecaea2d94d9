"""Short English words and given names, one list each, from which questions are made."""

from __future__ import annotations

from pathlib import Path


def listed(name: str) -> tuple[str, ...]:
    """The lines of a list that lies beside this file."""
    return tuple(Path(__file__).with_name(f"{name}.txt").read_text(encoding="utf-8").split())


WORDS = listed("words")
NAMES = listed("names")
