"""What the Why page says of a slow judge's work: the pair's own names in its replies, faults of its plan."""

from __future__ import annotations

import re

from judge.drawing.steps import shared_steps
from judge.prompts.parsing import listed_criteria
from judge.records import Criterion, Order, Verdict

OTHER = {"A": "B", "B": "A"}
WORDS = r"(?:answers?|responses?|replies|reply|assistants?|scores?|verdict|winner|options?|candidates?)"
JOINED = r"\s*(?:,|/|&|\band\b|\bor\b|\bvs\.?)\s*(?:(?:answer|response|reply|assistant)\s+)?"
LETTER = re.compile(
    rf"\[\[[AB]\]\]"
    rf"|\b(?i:{WORDS}(?:\s+(?:of|for|is|to))?)[\s:*_\"'(\[]+[AB]\b(?:{JOINED}[AB]\b)*"
    rf"|\b[AB]\b(?:{JOINED}[AB]\b)+"
    r"|\b[AB](?=\s*\[\[|\s*:\s|['’]s\b|\s+(?:is|was) (?:better|worse|more|less)\b)"
)
"""Where a reply calls an answer by its letter; an article A, or the B of something else, is no name."""
SUMS = re.compile(r"(\d+\.\d\d) : (\d+\.\d\d)")
PLAN = "branch"


def in_pair_names(text: str, order: Order) -> str:
    """A judge's reply with its answers called as the pair calls them.

    In its prompt the answer shown first is always A, so in the order BA its letters are the other way round.
    The two sums of a slow judge, first and second, get the letters that they belong to.
    """
    if sums := SUMS.fullmatch(text):
        one, other = sums.groups() if order is Order.AB else reversed(sums.groups())
        return f"A {one} : B {other}"
    if order is Order.AB:
        return text
    return LETTER.sub(lambda found: re.sub(r"\b[AB]\b", lambda name: OTHER[name[0]], found[0]), text)


def plan_fault(verdict: Verdict) -> str:
    """What is wrong with the verdict's plan, in words: criteria that repeat others; "" where nothing is."""
    plan = next((step for step in shared_steps([verdict]) if step.name == PLAN), None)
    listed = listed_criteria(plan.raw) if plan else []
    different = [one for place, one in enumerate(listed) if not _is_repeated(one, listed[:place])]
    if len(different) == len(listed):
        return ""
    only = f"only {len(different)} differ" if len(different) > 1 else "all are one and the same"
    return (
        f"A fault of the plan: of the {len(listed)} criteria that the judge listed {only}. "
        "One that repeats the name of another is left out, one that repeats its words counts again: "
        "the verdict rests on less than it seems."
    )


def _is_repeated(one: Criterion, before: list[Criterion]) -> bool:
    """Whether a criterion has the name, or the description, of one before it."""
    names = {other.name.casefold() for other in before}
    descriptions = {other.description.casefold() for other in before} - {""}
    return one.name.casefold() in names or one.description.casefold() in descriptions
