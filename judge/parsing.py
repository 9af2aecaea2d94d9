"""Reply text -> the choice it states, or `Unparsed`. Only the judge's own reply is ever read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from judge.records import Choice, Unparsed

VERDICT = re.compile(r"\[\[\s*([^\[\]]{0,40}?)\s*\]\]")


def parse_choice(reply: str, letters: Mapping[str, Choice]) -> Choice | Unparsed:
    """The choice of the last `[[letter]]` in a reply; an unknown letter is named, never guessed at."""
    found = VERDICT.findall(reply)
    if not found:
        return Unparsed(f"no verdict such as [[{next(iter(letters))}]] in the reply", raw=reply)
    choice = letters.get(found[-1].upper())
    if choice is None:
        return Unparsed(f"verdict [[{found[-1]}]] is not one of {', '.join(letters)}", raw=reply)
    return choice
