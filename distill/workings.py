"""Workings to learn from: readings of BSM in text as a reply each, and what is left of them at each level."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import combinations

from distill.dropping import Kind, TracePart, drawn_parts
from distill.examples import VerdictRow, verdict_tokens
from distill.rows import Row
from distill.selection import Dropped, Example
from distill.traces import Trace
from judge.backends.tokens import PromptEncoder
from judge.errors import InputError
from judge.methods.asking import letters_of
from judge.methods.dual import render_dual
from judge.methods.traced import said, working_in
from judge.methods.voting import samples_of
from judge.orders import outcome_of
from judge.prompts.working import Weighed, Working, parse_working, plan_of
from judge.records import Choice, Judgment, Message, Order, Pair, Reading, Unparsed

SCORES = re.compile(r"A ([1-5]), B ([1-5])\.")
KIND = "(?:answer|response|assistant|option|candidate)"
NAMED = re.compile(rf"\b((?i:{KIND})) ([AB])\b")
PLACED = re.compile(
    rf"\b([AB]|(?i:former|latter|(first|second|other) ({KIND}|one)|{KIND}s? (1|2|one|two|b)"
    r"|the (first|second|other)"
    r"(?=\s*([.,;:!?)]|$)|\s+(is|was|has|does|did|can|gives|says|lacks|misses|explains|uses|mentions)\b)))\b"
)
"""What may mean one of the answers by its place, once those that are called "answer A" are taken out."""

HEADING = re.compile(
    r"^\[(Instructions to the assistant|Request|Conversation(?: before answer [AB])?|Reference answer"
    r"|(?:End of answer|Answer) [AB])\]\n",
    re.MULTILINE,
)
TURN = re.compile(r"^(User|Assistant):\n", re.MULTILINE)
"""What stands above the texts of a pair in `pair.txt`, and above the turns of a conversation."""

MOST_TURNS = 30
"""What looks like so many turns may be one, whose text has lines like those above a turn."""

ASKED = ("Instructions to the assistant", "Request")

SWAPPED = {"A": "B", "B": "A"}

NOT_READ = "no working: the pair has none"
OTHER_VERDICT = "no working: its readings name another winner, or none"
VOTED = "no working: its readings are votes of several samples"
TWO_PLANS = "no working: its orders have different plans"

Workings = Mapping[str, Mapping[Order, Working]]
"""The workings of each pair, by its content."""


# --- from readings ---------------------------------------------------------------------------------------


def workings_of(
    examples: Iterable[Example], traces: Iterable[Trace], ties: bool
) -> tuple[dict[str, dict[Order, Working]], Counter[str]]:
    """The workings of the examples' pairs that come to the examples' own choices, and why others have none.

    Both orders of a pair have the same criteria, as a plan depends on the question only. Where only one
    order's reading comes to the pair's choice, its working is mirrored for the other one: a teacher that
    prefers a place would else teach the place.
    """
    by_content = {trace.pair.content_hash: trace for trace in traces}
    workings: dict[str, dict[Order, Working]] = {}
    without: Counter[str] = Counter()
    for example in examples:
        found = workings_in(by_content.get(example.pair.content_hash), example.choices, ties)
        if isinstance(found, Dropped):
            without[found.reason] += 1
        else:
            workings[example.pair.content_hash] = found
    return workings, without


def workings_in(
    trace: Trace | None, choices: Mapping[Order, Choice], ties: bool
) -> dict[Order, Working] | Dropped:
    """The workings of one pair, by order, at least one; or why it has none."""
    if trace is None:
        return Dropped(NOT_READ)
    found = {
        order: working_of(trace.verdict.readings[order], choice, ties) for order, choice in choices.items()
    }
    workings = {order: one for order, one in found.items() if isinstance(one, Working)}
    if not workings:
        return next(one for one in found.values() if isinstance(one, Dropped))
    plans = {tuple(weighed.criterion for weighed in one.weighed) for one in workings.values()}
    if len(plans) > 1:
        return Dropped(TWO_PLANS)
    if len({outcome_of(choice, order) for order, choice in choices.items()}) == 1:
        [known, *_] = workings.values()
        return {order: workings.get(order) or mirrored(known) for order in found}
    return workings


def working_of(reading: Reading, choice: Choice, ties: bool) -> Working | Dropped:
    """The working of one reading in one order, if it comes to this choice."""
    if not isinstance(reading, Judgment) or reading.choice is not choice:
        return Dropped(OTHER_VERDICT)
    if len(samples_of(reading)) > 1:
        return Dropped(VOTED)
    working = working_in(reading, ties)
    return Dropped(working.reason) if isinstance(working, Unparsed) else working


def mirrored(working: Working) -> Working:
    """The same working where the answers stand the other way round: scores, names and verdict change places.

    A tie stays one. A reason that may mean an answer by its place in other words is left out.
    """
    weighed = tuple(
        Weighed(one.criterion, one.scores and one.scores[::-1], renamed(one.reason))
        for one in working.weighed
    )
    return Working(weighed, SWAPPED.get(working.letter, working.letter))


def renamed(reason: str) -> str:
    """The reason with "answer A" called "answer B" and the other way round; "" where that is not enough."""
    if PLACED.search(NAMED.sub("", reason)):
        return ""
    return NAMED.sub(lambda found: f"{found[1]} {SWAPPED[found[2]]}", reason)


# --- what is left of them --------------------------------------------------------------------------------


def parts_of(working: Working) -> list[TracePart]:
    """Criteria create, scores cost, reasons close."""
    parts = []
    for one in working.weighed:
        parts.append(TracePart(Kind.CREATE, one.criterion))
        if one.scores is not None:
            parts.append(TracePart(Kind.COST, "A {}, B {}.".format(*one.scores)))
        if one.reason:
            parts.append(TracePart(Kind.CLOSE, one.reason))
    return parts


def working_from(parts: Iterable[TracePart], letter: str) -> Working:
    """The working of these parts: scores and a reason are those of the criterion before them."""
    weighed: list[Weighed] = []
    for part in parts:
        if part.kind is Kind.CREATE:
            weighed.append(Weighed(part.text))
            continue
        last = weighed[-1]
        scored = SCORES.fullmatch(part.text) if part.kind is Kind.COST else None
        scores = (int(scored[1]), int(scored[2])) if scored else last.scores
        weighed[-1] = Weighed(last.criterion, scores, part.text if part.kind is Kind.CLOSE else last.reason)
    return Working(tuple(weighed), letter)


def thinned(
    workings: Mapping[Order, Working], shares: Sequence[float], seed: int, epoch: int, key: str
) -> dict[Order, Working]:
    """What one epoch shows of a pair's workings: one level for both orders, and the same criteria in both."""
    return {
        order: working_from(drawn_parts(parts_of(working), shares, seed, epoch, key), working.letter)
        for order, working in workings.items()
    }


# --- as a file of rows has them --------------------------------------------------------------------------


def check_workings(path: str, rows: Sequence[Row], ties: bool) -> None:
    """Raises InputError where a row does not ask what `dual` asks, or its reply is no working or verdict."""
    odd = [(number, why) for number, row in enumerate(rows, start=1) if (why := why_odd(row, ties))]
    if odd:
        number, why = odd[0]
        raise InputError(
            f"{path}: {len(odd)} of {len(rows)} rows are no workings of template dual; of row {number} "
            f"{why}. `judge distill select --keep-dropped` writes such of readings by bsm-text."
        )


def why_odd(row: Row, ties: bool) -> str:
    """What keeps a row from being a working; "" where it is one."""
    beginning, end = asked(ties)
    [first, *others] = row.messages
    if first != beginning or [one.content.endswith(end) for one in others] != [True]:
        return "the prompt is another one"
    working = parse_working(row.reply, is_ended=True, letters=tuple(letters_of(ties)))
    return f"the reply is odd: {working.reason}" if isinstance(working, Unparsed) else ""


def texts_in(row: Row) -> dict[str, list[str]]:
    """The texts of the pair that a row of workings shows, by kind: what was asked, and what was replied.

    No text of a pair can be taken for a heading, see `judge.prompts.marks`. A turn may hold a line "User:" or
    "Assistant:", so what stands in several turns is looked at as the text of one, too.
    """
    texts: dict[str, list[str]] = {"prompt": [], "reply": [], "several turns": []}
    pieces = HEADING.split(row.messages[-1].content)
    for heading, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if heading.startswith("Conversation"):
            turns = TURN.split(piece)
            every = list(zip(turns[1::2], turns[2::2], strict=True))
            for who, turn in every:
                texts["prompt" if who == "User" else "reply"].append(turn)
            for start, end in combinations(range(len(every) + 1), 2):
                if 1 < end - start <= MOST_TURNS:
                    texts["several turns"].append(as_one_turn(every[start:end]))
        elif not heading.startswith("End of"):
            texts["prompt" if heading in ASKED else "reply"].append(piece)
    return texts


def as_one_turn(turns: Sequence[tuple[str, str]]) -> str:
    """The text of turns as it would be if what stands above all but the first belonged to it."""
    [(_, first), *others] = turns
    return first + "".join(f"{who}:\n{turn}" for who, turn in others)


@cache
def asked(ties: bool) -> tuple[Message, str]:
    """The first message of the prompt of `dual`, and what its second one says after the answers."""
    second = "(the second answer)"
    system, user = said(render_dual(Pair.of("request", "first", second, id="any"), Order.AB, ties))
    return system, user.content.rpartition(second)[2]


# --- rows ------------------------------------------------------------------------------------------------


def dual_rows(
    examples: Sequence[Example],
    workings: Sequence[Mapping[Order, Working]],
    encoder: PromptEncoder,
    end_of_turn: int,
    ties: bool,
) -> list[VerdictRow]:
    """A row for each example and each order that has a working; its letter is the one of the verdict.

    Raises:
        ModelError: a verdict is not four tokens in this model's tokenizer.
        PromptTooLong: a prompt has no room for any word of its responses.
    """
    asked = [
        (number, order, working, render_dual(example.pair, order, ties))
        for number, (example, some) in enumerate(zip(examples, workings, strict=True))
        for order, working in some.items()
    ]
    letters = list(letters_of(ties))
    rows = []
    encoded = encoder.encode([prompt for *_, prompt in asked])
    for (number, order, working, prompt), one in zip(asked, encoded, strict=True):
        [letter] = encoder.choice_ids([working.letter], prompt.reply_start)
        verdict = verdict_tokens("a verdict", one, letter, encoder.plain_ids(prompt.reply_end), end_of_turn)
        targets = (*encoder.plain_ids(plan_of(working)), *verdict)
        rows.append(
            VerdictRow(
                example=number,
                order=order,
                ids=(*one.ids[: one.n_prompt], *targets[:-1]),
                targets=targets,
                letter=len(targets) - len(verdict) + len(one.ids) - one.n_prompt,
                weights=tuple(float(each == working.letter) for each in letters),
                is_trimmed=one.is_trimmed,
            )
        )
    return rows
