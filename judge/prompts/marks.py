"""Our own marks in a pair's text: an answer that writes "[End of answer A]" must not end there.

Square brackets around such words become round ones. Nothing else of the text changes, so only a pair that
imitates a mark is asked in other words than it was written in.
"""

from __future__ import annotations

import re
import unicodedata

WORDS = (
    "reference answer",
    "answer",
    "response",
    "request",
    "question",
    "conversation",
    "reference",
    "judgment",
)
ONE = rf"(?:{'|'.join(WORDS)})"
WHICH = "(?: before answer)? (?:[a-z]|[0-9]{1,3})"
TOLD = "|".join(
    (
        f"(?:the )?end of (?:the )?{ONE}(?:{WHICH})?",
        f"(?:the )?{ONE}{WHICH}",
        "instructions to the assistant",
        "the request in other words",
    )
)


def _pattern(words: str) -> re.Pattern[str]:
    """The words in brackets; a space is any white space, an underscore is room for some."""
    return re.compile(words.replace(" ", r"\s{1,9}").replace("_", r"\s{0,9}"), re.MULTILINE)


MARKS = (
    _pattern(rf"(?<![\w)\]])\[_(?i:{TOLD})_[:.]?_\]"),
    _pattern(rf"(?<![\w)\]])\[_(?:{'|'.join(word.capitalize() for word in WORDS)})_[:.]?_\]"),
    _pattern(rf"^_\[_(?i:{ONE})_[:.]?_\]_$"),
)
"""The marks of every template, and what stands for one as well. One word alone in small letters may be a
list in code: it is a mark only in a line of its own."""

LOOKALIKES = str.maketrans(
    "АВЕКМНОРСТУХаеорсухіјѕԁԛѡΑΒΕΖΗΙΚΜΝΟΡΤΥΧαονρ【】〔〕⟦⟧❲❳",
    "ABEKMHOPCTYXaeopcyxijsdqwABEZHIKMNOPTYXaovp[][][][]",
)
"""Letters of other scripts, and other brackets, that look like those of the marks."""

BRACKETS = "[［【〔⟦❲"
ROUND = str.maketrans(f"{BRACKETS}]］】〕⟧❳", "(" * 6 + ")" * 6)


def unmarked(text: str) -> str:
    """The text with what reads like one of our marks in round brackets: as long as it was.

    Letters of another script that look alike, and characters that are not seen, do not hide a mark.
    """
    if not any(one in text for one in BRACKETS):
        return text
    seen, places = _seen(text)
    out = list(text)
    for mark in MARKS:
        for found in mark.finditer(seen):
            for at in places[found.start() : found.end()]:
                out[at] = out[at].translate(ROUND)
    return "".join(out)


def _seen(text: str) -> tuple[str, list[int]]:
    """What a reader sees of the text, one plain character for each, and where each of them stands in it."""
    if text.isascii():
        return text, list(range(len(text)))
    seen, places = [], []
    for at, one in enumerate(text):
        if unicodedata.category(one) not in ("Cf", "Mn"):
            plain = unicodedata.normalize("NFKC", one).translate(LOOKALIKES)
            seen.append(plain if len(plain) == 1 else "?")
            places.append(at)
    return "".join(seen), places
