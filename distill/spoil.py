"""One fact of an answer, changed in place: a number, a unit, a "not", an opposite, a name, a sign in code.

Style and length stay, so that only what the answer says tells the two apart. A place is changed only where
the change is likely to make a true sentence false: no numbers of items or steps, no questions, no links.
"""

from __future__ import annotations

import random
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from distill.contrast import WORD

FIRST_WORDS = 3
"""So many words at the beginning are never changed."""


class FactKind(StrEnum):
    """What is changed, see the function of each."""

    NUMBER = "number"
    UNIT = "unit"
    NEGATED = "negated"
    AFFIRMED = "affirmed"
    OPPOSITE = "opposite"
    NAME = "name"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Change:
    """A place in a text, and what to put there; any of `instead` will do."""

    start: int
    end: int
    instead: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A text with one change, and of which kind that is."""

    text: str
    kind: FactKind


def spoilt(
    text: str, dice: random.Random, kinds: Sequence[FactKind] = tuple(FactKind), others: Sequence[str] = ()
) -> Spoilt | None:
    """The text with one fact changed, of the first of these kinds that it has; None where it has none.

    Args:
        dice: decide which place of that kind is changed, and to what.
        kinds: in the order in which they are tried.
        others: texts whose names may take the place of one of this text's.
    """
    words = [word.end() for word in WORD.finditer(text)]
    if len(words) <= FIRST_WORDS:
        return None
    for kind in kinds:
        made = names(text, others) if kind is FactKind.NAME else CHANGES[kind](text)
        changes = [one for one in made if one.start >= words[FIRST_WORDS - 1]]
        if changes:
            change = dice.choice(changes)
            return Spoilt(text[: change.start] + dice.choice(change.instead) + text[change.end :], kind)
    return None


# --- where a text is prose and where it is code -----------------------------------------------------------

BLOCK = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
NO_PROSE = re.compile(
    r"```[\s\S]*?(?:```|\Z)|`[^`\n]*`|\$\$[\s\S]*?\$\$|\\[\[(][\s\S]*?\\[\])]|https?://\S+|www\.\S+|\]\([^)\n]*\)"
    r"|^[ \t]*[#|>].*$|^(?: {4}|\t).*$|^.*(?:[{}=<>]|;$).*$",
    re.MULTILINE,
)
"""Code, formulas, links, headings, tables and quotations: only in code are they changed."""

QUESTION = re.compile(r"[?？][*_\"'”)\s]*\Z")
SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)*_]*(?:\s|\Z)|[。！？]|\n")


@dataclass(frozen=True)
class Prose:
    """A text and where in it are no sentences."""

    text: str
    gaps: tuple[tuple[int, int], ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Prose:
        gaps = tuple(one.span() for one in NO_PROSE.finditer(text) if one.end() > one.start())
        ends = tuple(one.end() for one in SENTENCE_END.finditer(text))
        return cls(text, gaps, (*ends, len(text)))

    def has(self, place: int) -> bool:
        """Whether this place is in a sentence."""
        k = bisect_right(self.gaps, (place, len(self.text) + 1)) - 1
        return k < 0 or place >= self.gaps[k][1]

    def sentence(self, place: int) -> str:
        """The sentence that this place is in."""
        k = bisect_right(self.ends, place)
        return self.text[self.start(place) : self.ends[min(k, len(self.ends) - 1)]]

    def before(self, place: int) -> str:
        """That sentence up to this place."""
        return self.text[self.start(place) : place]

    def start(self, place: int) -> int:
        """Where that sentence starts."""
        k = bisect_right(self.ends, place)
        return self.ends[k - 1] if k else 0

    def find(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """What matches in statements."""
        for found in pattern.finditer(self.text):
            if self.has(found.start()) and not QUESTION.search(self.sentence(found.start())):
                yield found


def like(word: str, example: str) -> str:
    """The word with its first letter as large as the example's."""
    if example.isupper() and len(example) > 1:
        return word.upper()
    return word[0].upper() + word[1:] if example[0].isupper() else word


# --- numbers and units ------------------------------------------------------------------------------------

NUMBER = re.compile(r"(?<![\w.,:/\-–—#\[(^+*~])(\d[\d,]*(?:\.\d+)?)(?<!,)(?![\w:/\-–—\])^+*]|[.,]\d)")
LABEL = re.compile(
    r"step|day|week|month|chapter|option|part|figure|version|level|number|no|phase|tip|item|rule|lesson|exercise|"
    r"question|answer|example|act|scene|page|section|point|stage|type|round|model|class",
    re.IGNORECASE,
)
"""A number after one of these says which one it is; as it does after a name ("Windows 10")."""

BEFORE_A_YEAR = re.compile(
    r"In|Since|By|Until|From|Between|Around|About|January|February|March|April|May|June|July|August|September|"
    r"October|November|December"
)
FIRST_YEAR, LAST_YEAR, NOW = 1000, 2099, 2024


def numbers(text: str) -> Iterator[Change]:
    """Another number, as round and as long."""
    for found in Prose.of(text).find(NUMBER):
        start, end = found.span()
        words = re.findall(r"[^\W\d_]+", text[text.rfind("\n", 0, start) + 1 : start])
        if is_label(words[-1]) if words else text[end : end + 1] in (".", ""):
            continue
        if instead := other_numbers(found[0], text[end : end + 1] == "%"):
            yield Change(start, end, instead)


def is_label(word: str) -> bool:
    """Whether a number after this word is part of a name."""
    return bool(LABEL.fullmatch(word)) or (word[0].isupper() and not BEFORE_A_YEAR.fullmatch(word))


def other_numbers(number: str, is_percent: bool = False) -> tuple[str, ...]:
    """Numbers with another first digit, half as much again or more, or two thirds or less."""
    value = float(number.replace(",", ""))
    if number.isdigit() and len(number) == 4 and FIRST_YEAR <= value <= LAST_YEAR:
        years = [int(value) + step for step in (-47, -31, -23, -16, -12, 12, 16, 23, 31, 47)]
        return tuple(str(year) for year in years if FIRST_YEAR <= year <= max(NOW, int(value)))
    first = next((k for k, digit in enumerate(number) if digit in "123456789"), None)
    if first is None or value == 1 or (is_percent and value >= 100):
        return ()
    made = (number[:first] + digit + number[first + 1 :] for digit in "23456789")
    return tuple(one for one in made if not 0.67 < float(one.replace(",", "")) / value < 1.5)


UNITS: tuple[tuple[str, ...], ...] = (
    ("km", "miles"), ("kilometers", "miles"), ("kilometres", "miles"), ("kilometer", "mile"),
    ("cm", "mm"), ("meters", "feet"), ("metres", "feet"), ("inches", "feet"),
    ("kg", "g"), ("kilograms", "grams"), ("pounds", "ounces"), ("lbs", "oz"),
    ("GB", "MB"), ("TB", "GB"), ("°C", "°F"), ("Celsius", "Fahrenheit"),
    ("degrees Celsius", "degrees Fahrenheit"),
    ("liters", "gallons"), ("litres", "gallons"), ("ml", "liters"),
    ("seconds", "minutes", "hours"), ("minutes", "hours", "seconds"), ("hours", "minutes", "days"),
    ("days", "weeks", "hours"), ("weeks", "months", "days"), ("months", "years", "weeks"),
    ("years", "months", "centuries"), ("decades", "years"), ("centuries", "decades"),
    ("minute", "hour", "second"), ("hour", "minute"), ("day", "week"), ("week", "month"), ("month", "year"),
    ("year", "month"), ("decade", "year"), ("century", "decade"),
    ("thousand", "million"), ("million", "billion"), ("billion", "million"),
    ("cups", "tablespoons"), ("cup", "tablespoon"), ("teaspoon", "cup"), ("teaspoons", "cups"),
    ("tablespoons", "cups"), ("tablespoon", "cup"),
)  # fmt: skip
"""A unit, and those that may take its place."""

PAIRED = ("km", "cm", "kg", "GB", "°C", "kilograms", "pounds", "meters", "liters", "Celsius", "ml")
"""Of these the second may become the first as well."""


def table_of(rows: Sequence[Sequence[str]], both_ways: Callable[[str], bool]) -> dict[str, tuple[str, ...]]:
    """What may take a word's place, by word."""
    table = {row[0]: tuple(row[1:]) for row in rows}
    for row in rows:
        if both_ways(row[0]):
            table.setdefault(row[1], (row[0],))
    return table


UNIT_INSTEAD = table_of(UNITS, PAIRED.__contains__)
COUNT = (
    r"(?:\d[\d.,]*(?:\s|-)?|\b(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|several|many|few|"
    r"hundred)(?:\s|-))"
)
UNIT = re.compile(
    rf"{COUNT}({'|'.join(sorted(map(re.escape, UNIT_INSTEAD), key=len, reverse=True))})(?![\w/'’])"
)


def units(text: str) -> Iterator[Change]:
    """Another unit after a number."""
    for found in Prose.of(text).find(UNIT):
        instead = tuple(
            one for one in UNIT_INSTEAD[found[1]] if fits_article(text, found.start(1), found[1], one)
        )
        if instead:
            yield Change(*found.span(1), instead)


def fits_article(text: str, start: int, word: str, instead: str) -> bool:
    """Whether "a" or "an" before the word fits what takes its place."""
    before = re.search(r"\ban?\s+\Z", text[max(0, start - 8) : start], re.IGNORECASE)
    return not before or begins_with_vowel(word) == begins_with_vowel(instead)


def begins_with_vowel(word: str) -> bool:
    """As it is spoken, for the words of this file."""
    return word[0].lower() in "aeio" or word.startswith(("hour", "un", "ug"))


# --- not --------------------------------------------------------------------------------------------------

NEGATABLE = re.compile(
    r"(?<=\w )(is|are|was|were|can|will|should|must)(?= (?!(?:not|never|only|also|just|no|often|always|"
    r"usually|to|as|if|because|why|what|when|where|how|that|you|i|we|they|it|he|she|there|any|nothing|either|neither|some|both|all|"
    r"one|already|still|even|almost|rarely|sometimes|more|most)\b)[a-z])"
)
ODD_CLAUSE = re.compile(
    r"\b(?:what|which|who|how|whatever|that|not|neither|nor|if|whether|unless|until|assuming|when|while|nothing|"
    r"nobody|here|there)\b[^,:;]*\Z",
    re.IGNORECASE,
)
"""In such a clause a "not" would read oddly or change little."""

NEGATIVE = re.compile(
    r"\b(?:(?P<plain>is|are|was|were|can|could|will|would|should|must) not"
    r"|(?P<short>is|are|was|were|could|would|should)n['’]t|(?P<can>cannot|can['’]t)|(?P<will>won['’]t)"
    r"|(?P<do>(?<=\w )(?<!\bI )(?:do not|don['’]t) )|(?P<does>(?:does not|doesn['’]t) (?P<verb>[a-z]+)))"
    r"(?=(?P<rest>[ ,.]?[a-z]*))"
)
KEEPS_NOT = re.compile(
    r"\s?(?:only|just|necessarily|yet|be|have|any|to|all|always|hesitate|forget|worry|either|even|mean|seem|much|"
    r"let|get|make|until)"
)


def negated(text: str) -> Iterator[Change]:
    """A "not" that was not there."""
    prose = Prose.of(text)
    for found in prose.find(NEGATABLE):
        if not ODD_CLAUSE.search(prose.before(found.start())):
            word = found[1]
            yield Change(*found.span(), ("cannot" if word == "can" else f"{word} not",))


def affirmed(text: str) -> Iterator[Change]:
    """A "not" that is there no more: "is" for "is not", "contains" for "does not contain"."""
    for found in Prose.of(text).find(NEGATIVE):
        rest = found["verb"] or found["rest"]
        if KEEPS_NOT.fullmatch(rest) or not rest.strip(" ,."):
            continue
        if found["do"]:
            instead = ""
        elif found["verb"]:
            instead = third_person(found["verb"])
        else:
            instead = found["plain"] or found["short"] or ("can" if found["can"] else "will")
        yield Change(*found.span(), (instead,))


def third_person(verb: str) -> str:
    """ "contain" -> "contains"."""
    if re.search(r"(?:s|sh|ch|x|z|o)\Z", verb):
        return verb + "es"
    return re.sub(r"y\Z", "ies", verb) if re.search(r"[^aeiou]y\Z", verb) else verb + "s"


# --- opposites --------------------------------------------------------------------------------------------

OPPOSITES = """
increase/decrease increases/decreases increased/decreased increasing/decreasing before/after
hot/cold hotter/colder always/never north/south northern/southern east/west eastern/western
northeast/southwest larger/smaller large/small largest/smallest bigger/smaller higher/lower
highest/lowest high/low maximum/minimum positive/negative positively/negatively difficult/easy
inside/outside faster/slower fast/slow stronger/weaker strong/weak strongest/weakest longer/shorter
longest/shortest oldest/youngest early/late earlier/later earliest/latest warm/cool warmer/cooler
wet/dry heavier/lighter expensive/cheap safe/dangerous healthy/unhealthy common/rare
possible/impossible legal/illegal true/false correct/incorrect imports/exports best/worst
male/female winter/summer morning/evening rich/poor advantages/disadvantages ascending/descending
internal/external ancient/modern public/private similar/different thick/thin wide/narrow
deep/shallow bright/dark rural/urban success/failure begins/ends vertical/horizontal
vertically/horizontally top/bottom improve/worsen improves/worsens improved/worsened everyone/nobody
agree/disagree likely/unlikely important/unimportant necessary/unnecessary useful/useless
efficient/inefficient regular/irregular visible/invisible stable/unstable known/unknown
Monday/Thursday Tuesday/Saturday Wednesday/Sunday Friday/Monday January/September February/October
April/November June/December July/March August/April red/green blue/yellow black/white purple/brown
"""


def opposite_of() -> Mapping[str, str]:
    """The other word of each pair, by word."""
    table: dict[str, str] = {}
    for pair in OPPOSITES.split():
        one, other = pair.split("/")
        table.setdefault(one, other)
        table.setdefault(other, one)
    return table


OPPOSITE = opposite_of()
EITHER = re.compile(
    r"(?<![\w'’-])(" + "|".join(sorted(OPPOSITE, key=len, reverse=True)) + r")(?![\w'’-])", re.IGNORECASE
)
SAYINGS = re.compile(
    r"as early|at best|best wishes|as possible|if possible|the day before|best practices?|best of luck|"
    r"(?:long|soon|shortly|look(?:ing)?) after|after all|as always|dry(?:er| ice)|red (?:flag|tape)|"
    r"(?:black|white) (?:hole|paper|sea|house)|high school|at the latest|latest (?:news|version|trends)|"
    r"no longer|any longer|longer term|late(?:st)? \d|later on|sooner or later|cool down|"
    r"(?:public|private) key",
    re.IGNORECASE,
)


def opposites(text: str) -> Iterator[Change]:
    """The opposite of a word, or another weekday, month or colour; not where the sentence has it too."""
    prose = Prose.of(text)
    fixed = [one.span() for one in SAYINGS.finditer(text)]
    for found in prose.find(EITHER):
        word = found[1]
        other = OPPOSITE.get(word) or OPPOSITE.get(word.lower())
        if other is None or any(start <= found.start() < end for start, end in fixed):
            continue
        is_there = re.search(rf"\b{other}\b", prose.sentence(found.start()), re.IGNORECASE)
        if not (is_there or is_in_name(text, found)) and fits_article(text, found.start(), word, other):
            yield Change(*found.span(), (like(other, word),))


def is_in_name(text: str, found: re.Match[str]) -> bool:
    """Whether the word and the next one have capitals ("Black Sea")."""
    return found[0][0].isupper() and text[found.end() : found.end() + 2].strip().isupper()


# --- names ------------------------------------------------------------------------------------------------

CAPITAL = r"[A-Z][a-zà-ÿ]*[a-zà-ÿ]"
PROPER = re.compile(
    rf"(?<=[a-zà-ÿ,] )(?:the )?({CAPITAL}(?: {CAPITAL}){{0,2}})(?![\w'’.-]*\w)(?! [A-Z0-9])(?![:’'])"
)
NO_NAME = re.compile(
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|January|February|March|April|May|June|July|August|September|"
    r"October|November|December|Yes|No|Sure|The|This|Please|Here|If|It|You|And|But|God|Step|How|What|Why|When|In|On|"
    r"To|For|An|English|Hello|Hi|Dear|Assistant|Thanks?|Let|One|Two|Three|First|Then|Is|Are|My|We|Do|As|So|Or|Not"
)
"""Capital letters that make no name; weekdays and months are opposites' work."""


def names(text: str, others: Sequence[str] = ()) -> list[Change]:
    """A name in the place of another: one of this text if there is one that will do, else of the others.

    It has as many words, is not in the same sentence, and comes after the same word ("in Rome") if it can.
    """
    prose = Prose.of(text)
    found = [one for one in prose.find(PROPER) if is_name(prose, one)]
    here = sorted({(word_before(text, one), one[1]) for one in found})
    there = sorted({one for other in others for one in names_in(other)})
    changes = []
    for one in found:
        sentence, before = prose.sentence(one.start()), word_before(text, one)
        pools = [[name for word, name in pool if word == before] for pool in (here, there)]
        pools.append([name for _, name in here])
        for pool in pools:
            fitting = tuple(name for name in pool if will_do(name, one[1], sentence))
            if fitting:
                changes.append(Change(*one.span(1), fitting))
                break
    return changes


def names_in(text: str) -> list[tuple[str, str]]:
    """The names in a text, each with the word before it."""
    prose = Prose.of(text)
    return [(word_before(text, one), one[1]) for one in prose.find(PROPER) if is_name(prose, one)]


def word_before(text: str, found: re.Match[str]) -> str:
    """The word that the name comes after."""
    words = re.findall(r"[\w,]+", text[max(0, found.start(1) - 20) : found.start(1)])
    return words[-1] if words else ""


def is_name(prose: Prose, found: re.Match[str]) -> bool:
    """Whether these capitals are a name's, and not a title's."""
    words = re.findall(r"[^\W\d_]+", prose.sentence(found.start()))
    n_capital = sum(word[0].isupper() for word in words)
    return 3 * n_capital <= len(words) and not any(NO_NAME.fullmatch(word) for word in found[1].split())


def will_do(name: str, instead_of: str, sentence: str) -> bool:
    """Whether a name is of another thing, in as many words, and new to the sentence."""
    mine, other = name.split(), instead_of.split()
    return (
        len(mine) == len(other)
        and not {one[:4] for one in mine} & {one[:4] for one in other}
        and name not in sentence
    )


# --- code -------------------------------------------------------------------------------------------------

OPERATORS: Mapping[str, str] = {
    "<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "!=", "!=": "==", "===": "!==", "!==": "===",
    "+": "-", "-": "+", "*": "+", "+=": "-=", "-=": "+=", "&&": "||", "||": "&&",
    "and": "or", "or": "and", "True": "False", "False": "True", "true": "false", "false": "true",
}  # fmt: skip
OPERATOR = re.compile(
    r"(?<=[\w)\]'\"] )(?:<=?|>=?|===?|!==?|\+=?|-=?|\*|&&|\|\||and|or)(?= [\w(\['\"!-])"
    r"|(?<=return )(?:True|False|true|false)(?!\w)"
)
COMMENT = re.compile(r"#|//|/\*|^\s*\*|--|<!--|\$ |\"\"\"|'''")


def code(text: str) -> Iterator[Change]:
    """Another operator in a block of code, outside its comments and texts."""
    for block in BLOCK.finditer(text):
        for found in OPERATOR.finditer(text, *block.span()):
            line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
            is_quoted = any(line.count(mark) % 2 for mark in "\"'`")
            if not COMMENT.search(line) and not is_quoted and re.search(r"[\w)]", line):
                yield Change(*found.span(), (OPERATORS[found[0]],))


CHANGES: dict[FactKind, Callable[[str], Iterator[Change]]] = {
    FactKind.NUMBER: numbers,
    FactKind.UNIT: units,
    FactKind.NEGATED: negated,
    FactKind.AFFIRMED: affirmed,
    FactKind.OPPOSITE: opposites,
    FactKind.CODE: code,
}
