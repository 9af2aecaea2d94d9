"""A reading as a trace: one prompt and the one reply to it that says how the verdict came about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from judge.methods.asking import letters_of, pair_values, reading_name
from judge.methods.bsm import whole_weights
from judge.methods.dual import render_dual
from judge.prompts import fill, plain
from judge.prompts.parsing import spoken
from judge.prompts.working import STATED, Weighed, Working, format_working
from judge.records import Choice, Judgment, Message, Order, Pair, Prompt, Step, Unparsed

REASON = re.compile(r"Reason:\s*(.*)", re.DOTALL)
SENTENCES = re.compile(r".*[.!?](?=\s|$)", re.DOTALL)

TIED = "no working: its reading is a tie, which the student has no letter for"
NO_SCORES = "no working: its readings have no whole scores"
OTHER_SUMS = "no working: its scores add up to another winner"
EARLY_VERDICT = "no working: a criterion quotes a verdict, at which a reply would stop"
NO_TEXT = "its text was not kept"


@dataclass(frozen=True, slots=True)
class Traced:
    """The messages of a prompt, the last of them a user's, and the whole reply to them."""

    messages: tuple[Message, ...]
    reply: str

    @property
    def prompt(self) -> Prompt:
        """The prompt as a student of rows is asked it: each message is one span."""
        return plain(self.messages)


def traced(pair: Pair, order: Order, reading: Judgment, method: str, ties: bool) -> Traced | Unparsed:
    """A reading by one of `judge.methods.TRACED` as a trace; Unparsed where it is none.

    A chain of thought is what was asked and replied. BSM in text, which asks many times, is the working that
    its scores and reasons make, as `dual` would reply it.
    """
    if method == "cot":
        prompt = fill("cot", pair_values(pair, order) | {"ties": ties}, reading_name(pair, order))
        return reply_to(prompt, reading)
    dual = replace(render_dual(pair, order, ties), reply_start="", reply_end="")
    if method != "bsm-text":
        return reply_to(dual, reading)
    working = working_in(reading, ties)
    return working if isinstance(working, Unparsed) else Traced(said(dual), format_working(working))


def reply_to(prompt: Prompt, reading: Judgment) -> Traced | Unparsed:
    return Traced(said(prompt), reading.raw) if reading.raw else Unparsed(NO_TEXT, raw="")


def said(prompt: Prompt) -> tuple[Message, ...]:
    """The prompt's messages as plain text."""
    return tuple(Message(role, "".join(span.text for span in spans)) for role, spans in prompt.messages)


# --- workings of BSM in text -----------------------------------------------------------------------------


def working_in(reading: Judgment, ties: bool) -> Working | Unparsed:
    """The working that a reading's steps make; Unparsed without scores, or if they come to another choice."""
    letter = next((each for each, meant in letters_of(ties).items() if meant is reading.choice), None)
    if letter is None:
        return Unparsed(TIED, raw=reading.raw)
    scored = [step for step in reading.steps if step.scores is not None]
    weighed = [weighed_by(step) for step in scored]
    if not weighed or None in weighed:
        return Unparsed(NO_SCORES, raw=reading.raw)
    if any(STATED.search(step.name) for step in scored):
        return Unparsed(EARLY_VERDICT, raw=reading.raw)
    if choice_of_sums(scored) is not reading.choice:
        return Unparsed(OTHER_SUMS, raw=reading.raw)
    return Working(tuple(one for one in weighed if one is not None), letter)


def choice_of_sums(scored: Sequence[Step]) -> Choice:
    """What the scores of these steps add up to, each as often as its weight says; equal sums are a tie."""
    weights = whole_weights([step.weight for step in scored])
    first, second = (
        sum(times * step.scores[side] for times, step in zip(weights, scored, strict=True) if step.scores)
        for side in (0, 1)
    )
    return Choice.TIE if first == second else Choice.FIRST if first > second else Choice.SECOND


def weighed_by(step: Step) -> Weighed | None:
    """The criterion of a step with its scores and the reason for them; None where a score is not whole."""
    if step.scores is None or any(score != int(score) for score in step.scores):
        return None
    first, second = (int(score) for score in step.scores)
    return Weighed(in_a_line(step.name), (first, second), reason_in(step.raw))


def reason_in(raw: str) -> str:
    """The reason in a reply, on one line, without a last sentence that was cut; "" where there is none.

    One that quotes a verdict is none: a working is over with the first verdict in it.
    """
    found = REASON.search(spoken(raw))
    whole = SENTENCES.match(found[1]) if found else None
    return in_a_line(whole[0]) if whole and not STATED.search(whole[0]) else ""


def in_a_line(words: str) -> str:
    return " ".join(words.split())
