"""What is taught -> the rows of tokens that a student learns from: the prompt it is asked, and its reply.

A reply may be of any length, and only its tokens are learned. A verdict of four tokens is a reply with one
open place, its letter. The prompt is exactly that of the judge's method, encoded by the same code, so that a
student is trained on what it will be asked. Truncation shortens the two responses and never reaches a reply.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from distill.selection import Example
from judge.backends.tokens import Encoded, PromptEncoder
from judge.errors import ModelError
from judge.methods.asking import letters_of
from judge.methods.direct import render_direct
from judge.records import Choice, Order, Prompt

VERDICT_TOKENS = 4

NO_PROBABILITY = "the teacher gives no probability"
NO_LETTER = "a tie, for which the student has no letter"
NO_WINNER = "no winner, so neither answer has the better grade"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """One sequence: a prompt and the whole reply to it that is learned.

    `example` is the number of what it teaches; rows of one example stay in one batch. `ids` are prompt and
    reply without the reply's last token, which is only predicted; `targets` are the reply's tokens, the end
    of the turn among them. `weight` is how much the row counts beside others. `is_wrong` says that it is a
    reply that shall not be given.

    Raises:
        ValueError: it has no target, or no token before the first target, or does not count, so it would
            teach nothing.
    """

    example: int
    ids: tuple[int, ...]
    targets: tuple[int, ...]
    is_trimmed: bool
    weight: float = 1.0
    is_wrong: bool = False

    def __post_init__(self) -> None:
        if not 0 < len(self.targets) <= len(self.ids) or not self.weight > 0:
            raise ValueError(f"a row of {len(self.ids)} tokens with targets {self.targets} teaches nothing")

    @property
    def first_place(self) -> int:
        """The place in `ids` whose output predicts the first target; those of the others follow it."""
        return len(self.ids) - len(self.targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow(TokenRow):
    """An example in one order, with a reply that states a verdict.

    Target number `letter` is the verdict's letter. `weights` is the probability of each allowed letter that
    is learned there: all of it on one letter for a hard target.

    Raises:
        ValueError: it would teach nothing.
    """

    order: Order
    letter: int
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        TokenRow.__post_init__(self)
        if not 0 <= self.letter < len(self.targets) or not sum(self.weights):
            raise ValueError(f"a row with targets {self.targets} and letter {self.letter} teaches nothing")


R = TypeVar("R", bound=TokenRow)


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt and the text of the reply that shall be learned; the other fields are those of `TokenRow`."""

    example: int
    prompt: Prompt
    reply: str
    weight: float = 1.0
    is_wrong: bool = False


def reply_rows(asked: Sequence[Asked], encoder: PromptEncoder, end_of_turn: int) -> list[TokenRow]:
    """A row for each prompt and its reply, in their order.

    Raises:
        PromptTooLong: a prompt is longer than it may be, and has no response that could be shortened.
    """
    encoded = encoder.encode([one.prompt for one in asked])
    rows = []
    for one, prompt in zip(asked, encoded, strict=True):
        targets = (*encoder.plain_ids(one.reply), end_of_turn)
        rows.append(
            TokenRow(
                example=one.example,
                ids=(*prompt.ids, *targets[:-1]),
                targets=targets,
                is_trimmed=prompt.is_trimmed,
                weight=one.weight,
                is_wrong=one.is_wrong,
            )
        )
    return rows


def teachable(
    examples: Sequence[Example], ties: bool, is_soft: bool, by_grade: bool = False
) -> tuple[list[Example], Counter[str]]:
    """The examples that give a student something to learn, and how many others there are, by reason.

    Args:
        by_grade: whether the student grades single answers: then one without a winner says nothing, unless
            its probability is learned.
    """
    left_out: Counter[str] = Counter()
    kept = []
    for one in examples:
        if is_soft and one.p_a is None:
            left_out[NO_PROBABILITY] += 1
        elif by_grade and not is_soft and one.winner is None:
            left_out[NO_WINNER] += 1
        elif not any(choice in letters_of(ties).values() for choice in one.choices.values()):
            left_out[NO_LETTER] += 1
        else:
            kept.append(one)
    return kept, left_out


def token_rows(
    examples: Sequence[Example],
    encoder: PromptEncoder,
    end_of_turn: int,
    ties: bool,
    is_soft: bool,
    sharpness: float = 1.0,
) -> list[VerdictRow]:
    """A row for each order of each example, in their order; none for an order whose choice has no letter.

    Args:
        is_soft: whether the teacher's probability is learned, its log-odds times `sharpness`, instead of its
            choice.

    Raises:
        ModelError: a verdict is not four tokens in this model's tokenizer.
        PromptTooLong: a prompt has no room for any word of its responses.
    """
    letter_of = {choice: letter for letter, choice in letters_of(ties).items()}
    asked = [
        (number, order, choice, render_direct(example.pair, order, ties))
        for number, example in enumerate(examples)
        for order, choice in example.choices.items()
        if choice in letter_of
    ]
    rows = []
    encoded = encoder.encode([prompt for *_, prompt in asked])
    for (number, order, choice, prompt), one in zip(asked, encoded, strict=True):
        [letter] = encoder.choice_ids([letter_of[choice]], prompt.reply_start)
        targets = verdict_tokens("a verdict", one, letter, encoder.plain_ids(prompt.reply_end), end_of_turn)
        weights = _weights_of(examples[number], order, list(letter_of), is_soft, sharpness)
        rows.append(row_of(number, order, one, targets, weights))
    return rows


def verdict_tokens(
    what: str, encoded: Encoded, choice: int, after: Sequence[int], end_of_turn: int
) -> tuple[int, ...]:
    """The tokens of a whole reply: the words before the choice, the choice, those after it, end of turn.

    Args:
        what: what messages call the reply.

    Raises:
        ModelError: they are not four.
    """
    targets = (*encoded.ids[encoded.n_prompt :], choice, *after, end_of_turn)
    if len(targets) != VERDICT_TOKENS:
        raise ModelError(
            f"{what} is {len(targets)} tokens in this base model's tokenizer. A student needs one in "
            f"which it is {VERDICT_TOKENS}."
        )
    return targets


def row_of(
    example: int, order: Order, encoded: Encoded, targets: tuple[int, ...], weights: tuple[float, ...]
) -> VerdictRow:
    """The row of an encoded prompt, whose ids end with the words before the choice, and of its reply."""
    return VerdictRow(
        example=example,
        order=order,
        ids=(*encoded.ids[: encoded.n_prompt], *targets[:-1]),
        targets=targets,
        letter=len(encoded.ids) - encoded.n_prompt,
        weights=weights,
        is_trimmed=encoded.is_trimmed,
    )


def batches_of(rows: Sequence[R], max_tokens: int) -> list[list[R]]:
    """The rows in batches of about `max_tokens` tokens, alike in length; rows of one example stay together.

    An example longer than that is a batch of its own. What is in a batch does not depend on the rows' order.
    """
    by_example: dict[int, list[R]] = {}
    for row in rows:
        by_example.setdefault(row.example, []).append(row)
    batches: list[list[R]] = []
    room = 0
    for members in sorted(by_example.values(), key=lambda some: (-_size(some), some[0].ids)):
        if not batches or _size(members) > room:
            batches.append([])
            room = max_tokens
        batches[-1] += members
        room -= _size(members)
    return batches


def _size(rows: Sequence[TokenRow]) -> int:
    return sum(len(row.ids) for row in rows)


def _weights_of(
    example: Example, order: Order, choices: Sequence[Choice], is_soft: bool, sharpness: float
) -> tuple[float, ...]:
    """How much of each choice to learn: the teacher's probabilities, or its choice alone."""
    chosen = {example.choices[order]: 1.0}
    if is_soft and example.p_a is not None:
        p_a = sharpened(example.p_a, sharpness)
        p_first = p_a if order is Order.AB else 1 - p_a
        chosen = {Choice.FIRST: p_first, Choice.SECOND: 1 - p_first}
    return tuple(chosen.get(choice, 0.0) for choice in choices)


def sharpened(p: float, times: float) -> float:
    """The probability whose log-odds are those of `p` times `sharpness`."""
    if p in (0.0, 1.0):
        return p
    return (1 + math.tanh(times * math.log(p / (1 - p)) / 2)) / 2
