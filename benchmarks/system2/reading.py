"""Replies to answers: what a reply says in the end, in one spelling, or why that cannot be read."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from benchmarks.system2.task import Answer
from judge.records import Unparsed

SAID = re.compile(r"\banswer(?:\s+is)?\s*(?::|(?<=is)\s)\s*", re.IGNORECASE)
"""What stands before an answer: "The answer is 5", "Answer: 5", "**Answer:** 5"."""

NUMBER = re.compile(r"(?<![\d.])[-\u2212]?[$\u20ac\u00a3]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")
MARKS = "*_`#\"'\u201c\u201d\u2018\u2019$\\ \t"
LONGEST_ANSWER = 6  # words
YES_OR_NO = re.compile(r"\b(yes|no)\b(?!(?:\s+|-)one\b)", re.IGNORECASE)
SPELLED = re.compile(r"[^\W\d_](?:(?:[\s,+\-]|\band\b)*[^\W\d_]\b)+")
QUOTED = re.compile(r"[\"\u201c'\u2018*`]+([^\W\d_]+)[\"\u201d'\u2019*`]+")
LETTERS = re.compile(r"[^\W\d_]+")
TOLD = re.compile(
    r"\b(?:(?:(?:is|was) )?(?:written |authored )?by|(?:is|was|lies)(?: located| situated)? in|is|was):?"
    r" (.+)$"
)
ENDS = re.compile(r"[,;(]|(?<=\w\w)(?<!\bSt)(?<!\bMt)(?<!\bDr)(?<!\bFt)\.\s")
"""Where a name is over: before more words on it, and at a full stop after a word ("St. Louis" goes on)."""
ARTICLES = re.compile(r"^(?:the|a|an) ")


def key_of(answer: str) -> str:
    """What two spellings of one answer have in common: no case, accents, marks, spaces or articles."""
    plain = unicodedata.normalize("NFKD", answer.casefold())
    plain = "".join(one for one in plain if not unicodedata.combining(one))
    plain = ARTICLES.sub("", plain.strip(MARKS))
    return re.sub(r"(?<!\d)\.|\.(?!\d)|-(?!\d)|[^\w.\-]|_", "", plain)


def is_right(answer: Answer, right: str) -> bool:
    """Exact match of what was read; a reply that could not be read is wrong."""
    return not isinstance(answer, Unparsed) and key_of(answer) == key_of(right)


def said_in(reply: str) -> str:
    """The rest of the line after the last "The answer is", or "" where the reply does not say that."""
    found = list(SAID.finditer(reply.replace("**", "")))
    if not found:
        return ""
    rest = reply.replace("**", "")[found[-1].end() :].strip()
    return rest.partition("\n")[0].strip()


def number_in(reply: str) -> Answer:
    """The number that the reply ends with, without units, commas and noughts behind the point.

    After "The answer is" or four hashes or in a box the first one counts, behind the last equals sign where
    there is one; elsewhere the last one of the reply.
    """
    boxed = re.findall(r"\\boxed\{([^{}]*)\}", reply)
    hashed = reply.rpartition("####")[2] if "####" in reply else ""
    said = boxed[-1] if boxed else hashed or said_in(reply)
    found = NUMBER.findall(said.rpartition("=")[2]) or NUMBER.findall(said)
    if found:
        return plain_number(found[0])
    found = NUMBER.findall(reply)
    return plain_number(found[-1]) if found else Unparsed("no number in the reply", raw=reply)


def plain_number(text: str) -> str:
    """ "$1,250.00" as "1250"."""
    number = Decimal(re.sub(r"[^\d.\-]", "", text.replace("\u2212", "-").rstrip(".")))
    whole = number.to_integral_value()
    return f"{whole if number == whole else number.normalize():f}"


def letters_in(reply: str) -> Answer:
    """The letters that the reply says, joined and small: those after "The answer is", or the last in quotes,
    or the only word of the reply."""
    said = said_in(reply) or (reply.strip() if len(reply.split()) <= 2 else "")
    if not said and (quoted := QUOTED.findall(reply)):
        said = quoted[-1]
    if not said and len(reply.split()) <= LONGEST_ANSWER and (word := LETTERS.findall(reply)):
        said = word[-1]
    said = said.strip(MARKS + ".")
    if spelled := SPELLED.fullmatch(re.sub(r"[\"'*`]", "", said)):
        return "".join(one for one in LETTERS.findall(spelled[0]) if one != "and").lower()
    if word := LETTERS.findall(said):
        return str(word[0]).lower()
    return Unparsed("no letters that the reply says are its answer", raw=reply)


def yes_or_no_in(reply: str) -> Answer:
    """ "yes" or "no": after "The answer is", or as the first word, or the last of them in the reply."""
    if found := YES_OR_NO.search(said_in(reply)) or YES_OR_NO.match(reply.strip(MARKS + "\n")):
        return str(found[0]).lower()
    if last := YES_OR_NO.findall(reply):
        return str(last[-1]).lower()
    return Unparsed("neither yes nor no in the reply", raw=reply)


def name_in(reply: str) -> Answer:
    """A short answer: after "The answer is", or the whole of a short line, or what a sentence says something
    is ("The capital of France is Paris.")."""
    said = said_in(reply) or next((line for line in reply.strip().splitlines() if line.strip()), "")
    said = re.sub(r"[*_`]", "", said).strip()
    if told := TOLD.search(said):
        said = told[1]
    said = ENDS.split(said, maxsplit=1)[0].strip(MARKS + ".!")
    if not key_of(said):
        return Unparsed("no word in the reply", raw=reply)
    if len(said.split()) > LONGEST_ANSWER:
        return Unparsed(f"more than {LONGEST_ANSWER} words, and no answer is named", raw=reply)
    return said
