"""What the Why page says of a slow judge's work: the pair's own names, faults of its plan, its working."""

from __future__ import annotations

import re

from judge.drawing.steps import scores_of_step, shared_steps
from judge.methods import DUAL
from judge.prompts.parsing import listed_criteria
from judge.prompts.working import PLAN as WORKING
from judge.records import FAST_OR_SLOW, Criterion, Order, Reading, Verdict

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


def way_in_words(reading: Reading, method: str) -> str:
    """Whether an adapter that can be fast and slow was fast or slow in a reading, and who chose that.

    Args:
        method: the one that was asked; of any but those of such an adapter "" comes back.
    """
    if method not in DUAL:
        return ""
    way = "slow, worked out first" if reading.raw.startswith(WORKING) else "fast, the verdict at once"
    if method != DUAL[-1]:
        return f"{way}, as it was asked to"
    chosen = next((step.raw for step in reading.steps if step.name == FAST_OR_SLOW), "")
    return f"{way}, by its own choice" + (f": {chosen.partition(': ')[2]}" if chosen else "")


def working_rows(reading: Reading, order: Order) -> list[dict[str, str]]:
    """The working of a reading as rows of a table: its criteria, the scores of A and B, and the reasons.

    Answers are called as the pair calls them. There are no rows where the verdict was given at once, and
    cells are "" where the working says nothing.
    """
    rows = []
    for step in reading.steps:
        if step.name != FAST_OR_SLOW:
            scores = scores_of_step(step, order)
            a, b = ("", "") if scores is None else (f"{scores[0]:g}", f"{scores[1]:g}")
            rows.append(
                {
                    "criterion": in_pair_names(step.name, order),
                    "A": a,
                    "B": b,
                    "reason": in_pair_names(step.raw, order),
                }
            )
    return rows


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
