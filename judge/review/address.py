"""What of a session stands in the page's address, so that a reload, a new tab or a bookmark finds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judge.review.queues import QueueFilter, QueueOrder

TEXTS = {
    "name": "kept_reviewer",
    "pairs": "pairs",
    "verdicts": "verdicts",
    "category": "kept_category",
    "text": "kept_text",
    "pair": "pair",
}
"""What the address calls a text of the session's state."""

LOOKS, LINE, BLIND = "kept_looks", "kept_line", "kept_blind"
NOTHING = "all"


def address_of(state: Mapping[Any, Any]) -> dict[str, str]:
    """The parameters of the address; what is empty is left out."""
    found = {name: str(state[key]) for name, key in TEXTS.items() if state.get(key)}
    if LOOKS in state:
        found["only"] = ",".join(state[LOOKS]) or NOTHING
    if LINE in state:
        found["order"] = str(state[LINE])
    if BLIND in state:
        found["blind"] = "yes" if state[BLIND] else "no"
    return found


def state_of(address: Mapping[str, str]) -> dict[str, Any]:
    """The session's state that an address asks for; what it cannot mean is left out."""
    state: dict[str, Any] = {key: address[name] for name, key in TEXTS.items() if address.get(name)}
    if "only" in address:
        looks = set(QueueFilter)
        state[LOOKS] = [look for look in address["only"].split(",") if look in looks]
    if address.get("order") in set(QueueOrder):
        state[LINE] = address["order"]
    if address.get("blind") in ("yes", "no"):
        state[BLIND] = address["blind"] == "yes"
    return state
