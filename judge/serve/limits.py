"""Who may ask a service, how much and how often."""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from judge.backends.endpoint import TOKEN
from judge.errors import InputError

SHORTEST_TOKEN = 16
BURST_S = 10.0
MOST_ADDRESSES = 10_000
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request, one caller and all callers together may take.

    Args:
        most_bytes: of a request's body.
        body_s: seconds until a body is whole; for the head of a request, too.
        per_minute: requests of one address; 0 is no limit.
        most_rankings: that are made at a time.
        most_connections: that are open at a time.
    """

    most_bytes: int = 8 * MEGABYTE
    body_s: float = 30.0
    per_minute: int = 6000
    most_rankings: int = 2
    most_connections: int = 2048


class Pace:
    """How long an address has to wait for its turn; what ten seconds allow may come at once."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap_s = 60 / per_minute if per_minute else 0.0
        self._clock = clock
        self._due: dict[str, float] = {}

    def wait_s(self, address: str) -> float:
        """Seconds until the address may ask; at 0.0 it may, and this counts as one request."""
        now = self._clock()
        due = max(now, self._due.get(address, now))
        if (early_s := due + self._gap_s - now - max(BURST_S, self._gap_s)) > 0:
            return early_s
        if self._gap_s:
            if len(self._due) >= MOST_ADDRESSES:
                self._due = {name: at for name, at in self._due.items() if at > now}
            self._due[address] = due + self._gap_s
        return 0.0


def checked_token(address: str, token: str) -> str:
    """The token that callers have to show, "" where nobody else can reach the address.

    Raises:
        InputError: the address can be reached from elsewhere and there is no token, or it is no good one.
    """
    token = token.strip()
    if not token and not is_loopback(address):
        raise InputError(
            f"--address {address}: others could reach the judge. Put a token of {SHORTEST_TOKEN} characters "
            f"or more into {TOKEN}, here and where it is asked, or leave --address out."
        )
    is_good = len(token) >= SHORTEST_TOKEN and token.isascii() and token.isprintable() and " " not in token
    if token and not is_good:
        raise InputError(
            f"{TOKEN}: it has {len(token)} characters. It must have {SHORTEST_TOKEN} or more: letters, "
            "digits and signs, no spaces."
        )
    return token


def is_loopback(name: str) -> bool:
    """Whether a host's name or address is this machine's own, which no other machine reaches."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def shows_token(authorization: str, token: str) -> bool:
    """Whether the header Authorization has the token; how long this takes does not tell how much is right."""
    scheme, _, shown = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())


def names_loopback(host: str) -> bool:
    """Whether the header Host names this machine: a page in a browser that is led here names its own site."""
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
