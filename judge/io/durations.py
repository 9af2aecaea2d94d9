"""Times as people write them, such as 90s, 9m, 2h or 1h30m."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from judge.errors import InputError
from judge.io.rows import shown

DURATION = re.compile(r"(?:([0-9]{1,4})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,8})s)?")


def seconds_in(text: str, option: str) -> float:
    """The seconds that "90s", "9m", "2h" or "1h30m" stands for; `option` is what messages call it.

    Raises:
        InputError: it is something else.
    """
    found = DURATION.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    if found is None or not any(found.groups()):
        raise InputError(f"{option}: {shown(text)}. It must be a time such as 90s, 9m, 2h or 1h30m.")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return 3600.0 * hours + 60 * minutes + seconds


def over_after(seconds: float, clock: Callable[[], float] = time.monotonic) -> Callable[[], bool]:
    """Whether so many seconds have passed since this call."""
    ends_at = clock() + seconds
    return lambda: clock() >= ends_at
