"""Ladder pairs: answers by a strong maker and by a weaker one, cut so that both are about as long.

As in ALMoST (Kim et al., arXiv:2305.13735) and RLCD (Yang et al., arXiv:2307.12950), who wrote an answer says
which is better. Makers differ in length too; here two answers of unlike length are cut at the end of a
sentence or line, so that neither length nor a cut tells them apart.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from distill.clean import normalised
from distill.contrast import LIKE_LENGTH, MIN_ANSWER_WORDS, WORD

TOO_ALIKE = 0.8
"""Two answers are too alike to compare if this share of their runs of three words is common to both."""

LEAST_LEFT = 0.4
"""A cut leaves this share of an answer or more."""

FENCE = "```"
STOP = re.compile(r"[.!?…]+[\"'”’)*_]*(?=\s|\Z)|[。！？]|(?<=\S)[^\S\n]*(?=\n)")
"""The end of a sentence or of a line."""

ABBREVIATION = re.compile(r"(?:\b(?:Dr|Mrs?|Ms|St|vs|etc|No|approx|Prof|[A-Za-z])|e\.g|i\.e|^\W*\d+)\.\Z")
LOOKS_CUT = re.compile(r"(?:[:,;({\-–—]|\*/|\b(?:and|or|the|a|of|to|for))[\s*_]*\Z")
LINE_START = re.compile(r"\s*(?:#|\||(?:[-*•+]|\d+[.)])\W*\Z)")
"""A line that is a heading, a row of a table, or the mark of an item: an answer does not end with it."""


def matched(stronger: str, weaker: str, dice: random.Random) -> tuple[str, str] | None:
    """Both answers, alike in length; None where they cannot be cut so, say little, or say the same.

    The longer one is cut, to a bit more or less than the other, as the dice say. If that is the stronger
    one, or there is no other way, both are: a whole answer may be better than a part of a stronger maker's.
    Neither is cut in a block of code.
    """
    texts = complete(stronger), complete(weaker)
    if min(map(n_words, texts)) < MIN_ANSWER_WORDS:
        return None
    cut = alike(*texts, dice)
    if cut is None or min(map(n_words, cut)) < MIN_ANSWER_WORDS or are_the_same(*cut):
        return None
    return cut


def complete(text: str) -> str:
    """The text without a last sentence that breaks off; "" where a block of code does."""
    text = text.replace("\r\n", "\n").strip()
    if text.count(FENCE) % 2:
        return ""
    ends = [place for place, _ in stops(text)]
    return text if text.endswith(FENCE) or not ends else text[: ends[-1]]


def alike(stronger: str, weaker: str, dice: random.Random) -> tuple[str, str] | None:
    """Both texts, one or both of them cut, so that they are alike in length."""
    if are_alike(len(stronger), len(weaker)):
        return stronger, weaker
    is_stronger_longer = len(stronger) > len(weaker)
    longer, shorter = (stronger, weaker) if is_stronger_longer else (weaker, stronger)
    whole, parts = [len(shorter)], [end for end in reversed(ends_to_cut_at(shorter)) if end < len(shorter)]
    long_ends, wants_more = ends_to_cut_at(longer), dice.random() < 0.5
    for end in parts + whole if is_stronger_longer else whole + parts:
        fitting = [place for place in long_ends if are_alike(place, end)]
        if fitting:
            side = [place for place in fitting if (place > end) is wants_more] or fitting
            cut, rest = longer[: min(side, key=lambda place: abs(place - end))], shorter[:end]
            return (cut, rest) if is_stronger_longer else (rest, cut)
    return None


def are_alike(length: int, other: int) -> bool:
    return max(length, other) <= LIKE_LENGTH * min(length, other)


def ends_to_cut_at(text: str) -> list[int]:
    """Where the text may be cut: after a sentence or a line that leaves enough."""
    return [place for place, n_fences in stops(text) if n_fences % 2 == 0 and LEAST_LEFT * len(text) <= place]


def stops(text: str) -> Iterator[tuple[int, int]]:
    """The ends of sentences and lines after which a text may stop, with the number of code fences before."""
    n_fences, start = 0, 0
    for found in STOP.finditer(text):
        end = found.end() if found[0].strip() else found.start()
        n_fences += text.count(FENCE, start, end)
        start = end
        line = text[text.rfind("\n", 0, end) + 1 : end]
        if not (ABBREVIATION.search(line) or LOOKS_CUT.search(line) or LINE_START.match(line)):
            yield end, n_fences


def are_the_same(one: str, other: str) -> bool:
    """Whether two texts have the same letters, or share most of their runs of three words."""
    if normalised(one) == normalised(other):
        return True
    runs, others = runs_of(one), runs_of(other)
    return len(runs & others) > TOO_ALIKE * len(runs | others)


def runs_of(text: str) -> set[tuple[str, ...]]:
    """Every three words in a row."""
    words = [normalised(word) for word in WORD.findall(text)]
    return set(zip(words, words[1:], words[2:], strict=False))


def n_words(text: str) -> int:
    return len(WORD.findall(text))


# --- half a request ---------------------------------------------------------------------------------------

LONG_REQUEST = 8
"""Requests of so many words or more keep the first half of them."""

ASKS = re.compile(
    r"what|who|whom|whose|which|when|where|why|how|is|are|was|were|do|does|did|can|could|will|would|should|has|have|may"
)
PLAIN = re.compile(
    rf"|{ASKS.pattern}|a|an|the|this|that|these|those|of|in|on|at|to|for|from|with|by|about|as|and|or|but|if|than|then|"
    r"so|not|no|i|you|he|she|it|we|they|me|my|your|his|her|its|our|their|be|been|being|am|there|some|any|all|please|"
    r"into|between|during|after|before|over|under|also|such|like|using"
)
"""Words that say nothing of the topic."""


def half_of(request: str, seed: int) -> str | None:
    """The request with half of it hidden, for a weak maker to answer; None where nothing can be hidden.

    Of eight words or more the first half stays, of fewer all but the second half of those that say
    something. Where half is no whole number, the seed decides whether one word more stays.
    """
    words = list(WORD.finditer(request))
    dice = random.Random(f"{seed} {request}")
    if len(words) >= LONG_REQUEST:
        kept = request[: words[half(len(words), dice) - 1].end()]
        kept = kept[: kept.rfind(FENCE)] if kept.count(FENCE) % 2 else kept
    else:
        telling = [k for k, word in enumerate(words) if not PLAIN.fullmatch(normalised(word[0]))]
        if len(telling) < 2:
            return None
        hidden = set(telling[half(len(telling), dice) :])
        kept = " ".join(word[0] for k, word in enumerate(words) if k not in hidden)
    return ended(kept)


def half(n: int, dice: random.Random) -> int:
    return max(1, (n + dice.randrange(2)) // 2)


def ended(words: str) -> str | None:
    """The words as a request: without little words and marks at the end, and with a full stop or "?"."""
    found: Sequence[re.Match[str]] = list(WORD.finditer(words))
    while found and PLAIN.fullmatch(normalised(found[-1][0])):
        found = found[:-1]
    if not found:
        return None
    text = words[: found[-1].end()].rstrip(" \t\n.,;:!?-–—([{\"'")
    sentences = [one for one in re.split(r"(?<=[.!?])\s+|\n+", text) if one.strip()]
    first = WORD.search(sentences[-1]) if sentences else None
    if first is None:
        return None
    return text + ("?" if ASKS.fullmatch(normalised(first[0])) else ".")
