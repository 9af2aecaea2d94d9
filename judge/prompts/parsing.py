"""Reply text -> the choice, plan or scores it states, or `Unparsed`. Only the judge's own reply is read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from judge.records import Choice, Criterion, Plan, Unparsed

VERDICT = re.compile(r"\[\[\s*([^\[\]]{0,40}?)\s*\]\]")
JOINS = re.compile(r"[ \t\"'`*,/&\u2013-]*(?:and|or|nor|to|und|oder|et|ou)?[ \t\"'`*]*", re.IGNORECASE)
"""What stands between two verdicts of a list, on one line."""
LISTED = re.compile(r"^[ \t]*(?:\d{1,2}[.)]|[-*\u2022])[ \t]+(.+)$", re.MULTILINE)
NAMED = re.compile(r"^(.{2,60}?)\s*(?:[:\u2013\u2014]|\s-\s)\s*(.+)$")
SCORE = r"\b{}\b\s*[:=\[(*]\W*(\d+(?:\.\d+)*)"  # A [[4]], A: 4, **A:** 4/5
SCORES = ("1", "2", "3", "4", "5")
MARKS = "*_`# \t"
MAX_CRITERIA = 5
LONGEST_NAME = 60  # characters

# How models that think aloud mark their thinking, where their server does not take it out of the reply.
_TAGS = "think|thinking|thought|reasoning|seed:think"
_CHANNEL = r"<\|channel\|>{}<\|message\|>".format
_BEGINS = (
    rf"<(?:{_TAGS})>|\[THINK\]|\u25c1think\u25b7|<\|begin_of_thought\|>|{_CHANNEL('analysis')}"
    r"|<\|channel>\s*thought|<\|START_THINKING\|>|<unused94>"
)
_ENDS = (
    rf"</(?:{_TAGS})>|\[/THINK\]|\u25c1/think\u25b7|<\|end_of_thought\|>|{_CHANNEL('final')}"
    r"|<channel\|>|<\|END_THINKING\|>|<unused95>"
)
THINKING = tuple(
    re.compile(pattern, re.DOTALL | re.IGNORECASE)
    for pattern in (
        rf"(?:{_BEGINS}).*?(?:{_ENDS})",
        rf"\A.*(?:{_ENDS})",  # some chat templates write its beginning for the model
        rf"(?:{_BEGINS}).*\Z",  # cut off
        r"<details\s+type=.?reasoning.*?(?:</details>|\Z)",  # as one front end shows it
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


def blanked_thinking(reply: str) -> str:
    """The reply with `BLANK` for each character of its thinking, and of what stands behind its turn, so that
    all others keep their places."""
    for thinking in (*THINKING, UNMARKED):
        reply = thinking.sub(lambda found: BLANK * len(found[0]), reply)
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

    Two that stand together, as in "I cannot choose between [[A]] and [[B]]", are no verdict.
    """
    meant = {one.upper(): one for one in allowed}
    matches = list(VERDICT.finditer(reply))
    found = [one[1] for one in matches]
    if not found:
        return Unparsed(f"no verdict such as [[{allowed[0]}]] in the reply", raw=reply)
    if are_listed(reply, matches):
        return Unparsed(f"the reply ends with both [[{found[-2]}]] and [[{found[-1]}]]", raw=reply)
    if found[-1].upper() not in meant:
        return Unparsed(f"verdict [[{found[-1]}]] is not one of {', '.join(allowed)}", raw=reply)
    return meant[found[-1].upper()]


def are_listed(reply: str, stated: Sequence[re.Match[str]]) -> bool:
    """Whether the last two of these stand together as what might be said, and differ: nothing is chosen."""
    if len(stated) < 2 or stated[-2][1].upper() == stated[-1][1].upper():
        return False
    return JOINS.fullmatch(reply[stated[-2].end() : stated[-1].start()]) is not None


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
