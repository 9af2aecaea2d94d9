"""Untrusted text made harmless and short, and shares as percent: how reports show names and figures.

Texts of pairs may be hostile: `visible` and `one_line` take out what could control a terminal or break a
document; each format escapes the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from judge.records import Share

SHOWN_NAMES = 5
MAX_CELL_NAME = 80
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
BIDI_CONTROLS = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Controls, what turns a text's direction, and what takes no room; not the joiners of emoji and scripts."""


def visible(text: str) -> str:
    """The text with line ends as newlines, and with what no document may carry (NUL, escapes) as U+FFFD."""
    return CONTROLS.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def character_named(character: str) -> str:
    """What stands for a character that cannot be seen, or that would act: [U+202E]."""
    return f"[U+{ord(character):04X}]"


def with_hidden_named(text: str) -> str:
    """The text with the characters named that cannot be seen, or that would turn its direction."""
    return HIDDEN.sub(lambda found: character_named(found[0]), text)


def one_line(text: str) -> str:
    """The text for a cell: visible, without line ends, and unable to reverse the rest of the line."""
    return " ".join(BIDI_CONTROLS.sub("\ufffd", visible(text)).split())


def shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def name_of(text: str) -> str:
    """An id or a category, shortened for a cell; JSON has it whole."""
    return shortened(one_line(text), MAX_CELL_NAME)


def some_of(names: Sequence[str]) -> str:
    shown = ", ".join(name_of(name) for name in names[:SHOWN_NAMES])
    return shown if len(names) <= SHOWN_NAMES else f"{shown}, ..."


def percent(share: Share | None, digits: int = 0) -> str:
    """For example 29 % (7/24); "-" where nothing was counted."""
    if share is None or share.value is None:
        return "-"
    return f"{100 * share.value:.{digits}f} % ({share.count:,}/{share.total:,})"


def counts_in_words(counts: Mapping[str, int]) -> str:
    """For example "deleted: 3, no rank: 1"; "nothing" without any."""
    return ", ".join(f"{reason}: {count}" for reason, count in sorted(counts.items())) or "nothing"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """What to end a message with: a question for the known name that is close to this one, or ""."""
    close = get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""
