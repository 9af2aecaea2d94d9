"""Reply text -> the choice, plan or scores it states, or `Unparsed`. Only the judge's own reply is read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from judge.records import Choice, Criterion, Plan, Unparsed

VERDICT = re.compile(r"\[\[\s*([^\[\]]{0,40}?)\s*\]\]")
SENTENCE_ENDS = re.compile(r"[.!?:;\u2014](?=\s|$)|[\n\0\u3002\uff01\uff0e\uff1a\uff1b\uff1f\uff61]")
_SPACES = r"[\s\"'`*,]*"
_IS = r"(?:(?:is|are|was) )?(?:(?:clearly|far|much|slightly|a bit) )?"
BEFORE_IT = re.compile(
    rf"{_SPACES}(?:>+|over|above|beats|rather than|instead of|(?:and )?not|(?:out )?of"
    rf"|{_IS}(?:better|stronger|superior|preferable|preferred) (?:than|to|over)){_SPACES}",
    re.IGNORECASE,
)
"""What stands between the verdict that is meant and one that it is put above."""
AFTER_IT = re.compile(rf"{_SPACES}(?:<+|{_IS}(?:worse|weaker|inferior) (?:than|to)){_SPACES}", re.IGNORECASE)
"""What stands between one that is put below and the verdict that is meant."""
TURNS = re.compile(r".*\b(?:but|so|therefore|thus|hence|finally|verdict)\b(.*)", re.IGNORECASE | re.DOTALL)
"""Words that turn from one verdict to another; the group is what stands behind the last of them."""
STATES = re.compile(
    rf"(?:.*(?:\b(?:is|are|be|choose|pick|prefer|say|for|with|it's)|:))?{_SPACES}", re.IGNORECASE | re.DOTALL
)
"""What may stand there before a verdict that is stated: words that end in one of these, or none."""
COMPARES = re.compile(
    r"\b(?:not|than|over|beats?|(?:prefer\w+|superior|inferior|compared) to)\b", re.IGNORECASE
)
"""Words there that put the verdict behind them below another."""
LISTED = re.compile(r"^[ \t]*(?:\d{1,2}[.)]|[-*\u2022])[ \t]+(.+)$", re.MULTILINE)
NAMED = re.compile(r"^(.{2,60}?)\s*(?:[:\u2013\u2014]|\s-\s)\s*(.+)$")
SCORE = r"\b{}\b\s*[:=\[(*]\W*(\d+(?:\.\d+)*)"  # A [[4]], A: 4, **A:** 4/5
SCORES = ("1", "2", "3", "4", "5")
MARKS = "*_`# \t"
MAX_CRITERIA = 5
LONGEST_NAME = 60  # characters

# How models that think aloud mark their thinking, where their server does not take it out of the reply.
_TAGS = "think|thinking|thought|reasoning|seed:think|longcat_think"
_CHANNEL = r"<\|channel\|>{}<\|message\|>".format
_BEGINS = (
    rf"<(?:{_TAGS})>|\[THINK\]|\u25c1think\u25b7|<\|begin_of_thought\|>|{_CHANNEL('analysis')}"
    r"|<\|channel>\s*thought|<\|START_THINKING\|>|<unused94>|<\|inner_prefix\|>|<\|think\|>"
)
_ENDS = (
    rf"</(?:{_TAGS})>|\[/THINK\]|\u25c1/think\u25b7|<\|end_of_thought\|>|{_CHANNEL('final')}"
    r"|<channel\|>|<\|END_THINKING\|>|<unused95>|<\|inner_suffix\|>|<\|content\|>"
)
THOUGHT_ENDS = re.compile(_ENDS, re.IGNORECASE)
THOUGHT = re.compile(rf"(?:{_BEGINS}).*?(?:{_ENDS})", re.DOTALL | re.IGNORECASE)
THINKING = tuple(
    re.compile(pattern, re.DOTALL | re.IGNORECASE)
    for pattern in (
        rf"\A.*(?:{_ENDS})",  # some chat templates write its beginning for the model
        rf"(?:{_BEGINS}).*\Z",  # cut off
        r"<details\s+type=.?reasoning.*?(?:</details>|\Z)",  # as one front end shows it
        r"\A\s*Here(?:'s| is) my thought process:.*?\n\s*Here(?:'s| is) my response:",  # Granite
    )
)
UNMARKED = re.compile(r"\Aanalysis(?=[A-Z]).*?(?:assistantfinal|\Z)", re.DOTALL)
"""Channels of which the marks were dropped, as some servers do with special tokens."""

END_OF_TURN = re.compile(
    r"<\|(?:im_end|im_start|end|eot_id|eom_id|end_of_text|endoftext|start_header_id|return)\|>"
    r"|</?(?:end|start)_of_turn>|</s>|\[INST\]"
)
"""What stands between turns in chat templates: a model that runs on past it writes others' turns too."""
BLANK = "\0"


def spoken(reply: str) -> str:
    """The reply without what the model thought aloud before it and what it wrote after the end of its turn:
    only this is read."""
    blanked = blanked_thinking(reply)
    return reply if blanked == reply else blanked.replace(BLANK, "")


def whole_text(reply: str) -> str | Unparsed:
    """A reply that is a text to go on with, not a verdict, without what was thought before it.

    Unparsed where nothing is left, or where marks of thinking or of turns stand within: what the text quotes
    and what a model thought cannot be told apart, and half a text would be judged.
    """
    blanked = blanked_thinking(reply)
    around = f"{BLANK} \t\r\n"
    text = blanked.strip(around)
    behind = END_OF_TURN.sub("", reply[len(blanked.rstrip(around)) :])
    if not text:
        return Unparsed("nothing was left", raw=reply)
    if BLANK in text or behind.strip():
        return Unparsed("marks of thinking or of turns stand within it", raw=reply)
    return text


def blanked_thinking(reply: str) -> str:
    """The reply with `BLANK` for each character of its thinking, and of what stands behind its turn, so that
    all others keep their places."""

    def blanked(found: re.Match[str]) -> str:
        return BLANK * len(found[0])

    # Behind the last end no thought is whole; a model that begins for ever would have each begin searched.
    last = max((mark.end() for mark in THOUGHT_ENDS.finditer(reply)), default=0)
    reply = THOUGHT.sub(blanked, reply[:last]) + reply[last:]
    for thinking in (*THINKING, UNMARKED):
        reply = thinking.sub(blanked, reply)
    end = end_of_turn(reply)
    return reply[:end] + BLANK * (len(reply) - end)


def end_of_turn(reply: str) -> int:
    """Where the first turn that says something ends; a tag that the reply itself has opened is text."""
    for mark in END_OF_TURN.finditer(reply):
        before = reply[: mark.start()]
        is_text = mark[0] == "</s>" and "<s>" in before
        if not is_text and before.replace(BLANK, "").strip():
            return mark.start()
    return len(reply)


def thought(thinking: str) -> str:
    """Thinking that a server sent apart from the reply, as the beginning of one that is read as a whole."""
    return f"<think>\n{thinking}\n</think>\n\n" if thinking else ""


def parse_choice(reply: str, letters: Mapping[str, Choice]) -> Choice | Unparsed:
    """The choice of the last `[[letter]]` in a reply; an unknown letter is named, never guessed at."""
    letter = last_tag(reply, tuple(letters))
    return letter if isinstance(letter, Unparsed) else letters[letter]


def last_tag(reply: str, allowed: Sequence[str]) -> str | Unparsed:
    """The last word in double brackets, which must be one of those allowed, in whatever letters.

    Of two different ones in a sentence the one counts that it puts above the other (`meant_of`).
    """
    words = {one.upper(): one for one in allowed}
    matches = list(VERDICT.finditer(reply))
    if not matches:
        return Unparsed(f"no verdict such as [[{allowed[0]}]] in the reply", raw=reply)
    meant = meant_of(reply, matches)
    if meant is None:
        both = " and ".join(f"[[{one[1]}]]" for one in matches[-2:])
        return Unparsed(f"the reply ends with both {both}", raw=reply)
    if meant[1].upper() not in words:
        return Unparsed(f"verdict [[{meant[1]}]] is not one of {', '.join(allowed)}", raw=reply)
    return words[meant[1].upper()]


def meant_of(reply: str, stated: Sequence[re.Match[str]]) -> re.Match[str] | None:
    """The verdict that a reply means, of all that it states: the last one, but of two different ones in its
    sentence the one that is put above the other, as in "[[A]] > [[B]]".

    None where the sentence puts neither above the other, as in "I cannot choose between [[A]] and [[B]]",
    where it states three, and where it says again what might be said: "[[A]] if A is better, else [[B]]".
    """
    last = stated[-1]
    in_sentence = [last]
    for one in reversed(stated[:-1]):
        if SENTENCE_ENDS.search(reply[one.end() : in_sentence[0].start()]):
            break
        in_sentence.insert(0, one)
    if len({one[1].upper() for one in in_sentence}) == 1:
        return last
    first, *others = in_sentence
    if len(others) > 1:
        return None
    between = reply[first.end() : last.start()]
    if BEFORE_IT.fullmatch(between):
        return first
    return last if AFTER_IT.fullmatch(between) or is_stated(between, reply[last.end() :]) else None


def is_stated(between: str, behind: str) -> bool:
    """Whether a sentence turns from a verdict and states another: "I first thought [[A]], but it is [[B]]".

    Where no word states the other, none may stand behind it: "[[A]], but [[B]] was close" means A.
    """
    turned = TURNS.fullmatch(between)
    if turned is None or COMPARES.search(turned[1]) or not STATES.fullmatch(turned[1]):
        return False
    rest = SENTENCE_ENDS.split(behind, maxsplit=1)[0]
    return bool(turned[1].strip(" \t\"'`*,")) or not re.search(r"\w", rest)


def parse_plan(reply: str, is_ended: bool) -> Plan | Unparsed:
    """The first five criteria of a list, one per line; a repeated name is left out.

    Args:
        reply: the whole reply, with its first "1.".
        is_ended: False where the reply was cut: its last line is then left out.
    """
    criteria: dict[str, Criterion] = {}
    for criterion in listed_criteria(reply if is_ended else reply.rpartition("\n")[0]):
        criteria.setdefault(criterion.name.casefold(), criterion)
    if not criteria:
        return Unparsed("the plan lists no criterion", raw=reply)
    return Plan(tuple(criteria.values())[:MAX_CRITERIA])


def listed_criteria(reply: str) -> list[Criterion]:
    """Every criterion of a list, one per line, repeated ones too."""
    criteria = map(_criterion_of, LISTED.findall(reply))
    return [criterion for criterion in criteria if criterion.name]


def parse_scores(reply: str) -> tuple[float, float] | Unparsed:
    """The scores of answers A and B, 1 to 5 each, where the reply first names each of them with a score."""
    found = {side: re.search(SCORE.format(side), reply) for side in "AB"}
    stated = {side: match[1] for side, match in found.items() if match and match[1] in SCORES}
    if missing := [side for side in "AB" if side not in stated]:
        return Unparsed(f"no score from 1 to 5 of answer {' and '.join(missing)}", raw=reply)
    return float(stated["A"]), float(stated["B"])


def _criterion_of(line: str) -> Criterion:
    """The criterion of "Name: description", with marks of emphasis taken off; a long line has no name."""
    text = " ".join(line.replace("**", "").split()).strip(MARKS)
    named = NAMED.match(text)
    if named:
        return Criterion(named[1].strip(MARKS), named[2].strip(MARKS))
    return Criterion(text if len(text) <= LONGEST_NAME else "", "")
