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
END = f"(?:the )?end of (?:the )?{ONE}(?:{WHICH})?"
TOLD = "|".join(
    (
        f"(?:the )?{ONE}{WHICH}",
        "instructions to the assistant",
        "the request in other words",
    )
)


ROOM = r"[\s*_`\\]"
"""What may stand around the words of a mark: white space, and what Markdown makes them bold or code with."""


def _pattern(words: str) -> re.Pattern[str]:
    """The words in brackets; a space is any white space, an underscore is room for some."""
    room = {"_": f"{ROOM}*+", " ": rf"(?={ROOM}*?\s){ROOM}++"}
    return re.compile(re.sub("[ _]", lambda one: room[one[0]], words), re.MULTILINE)


MARKS = (
    _pattern(rf"(?<![\w)\]])\[_(?i:{TOLD})_[:.]?_\]"),
    _pattern(rf"\[_(?i:{END})_[:.]?_\]"),
    _pattern(r"\[_(?i:(?:the )?(?:answer|response) [a-z])_[:.]?_\](?!\()"),
    _pattern(rf"(?<![\w)\]])\[_(?:{'|'.join(word.capitalize() for word in WORDS)})_[:.]?_\]"),
    _pattern(rf"^\s{{0,9}}\[_(?i:{ONE})_[:.]?_\]\s{{0,9}}$"),
)
"""The marks of every template, and what stands for one as well. One word alone in small letters may be a
list in code: it is a mark only in a line of its own. Right after a letter or a bracket words are perhaps an
index or a link: there an end, and an answer with its letter, are marks."""

LOOKALIKES = str.maketrans(
    "АВЕКМНОРСТУХаеорсухіјѕԁԛѡΑΒΕΖΗΙΚΜΝΟΡΤΥΧαονρ\u1160\u115f【】〔〕⟦⟧❲❳⁅⁆",
    "ABEKMHOPCTYXaeopcyxijsdqwABEZHIKMNOPTYXaovp  [][][][][]",
)
"""Letters of other scripts, blanks that count as letters, and other brackets, as they look in the marks."""

BRACKETS = "[［【〔⟦❲﹝⁅"
ROUND = str.maketrans(f"{BRACKETS}]］】〕⟧❳﹞⁆", "(" * len(BRACKETS) + ")" * len(BRACKETS))


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
