"""One adapter, two systems: a verdict at once, or after a working (Dualformer, arXiv:2410.09918).

What the reply begins with decides: `[[` is a verdict at once, `Plan` a working. An adapter that has learned
both may be held to either, or be left to choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from judge.backends import Backend, ChoiceProbabilities, Completion, remembering, until_stop, with_likelihoods
from judge.errors import ModelError, PromptTooLong
from judge.methods import DEFAULTS, MethodSettings
from judge.methods.asking import (
    WRITING,
    identity_of,
    letters_of,
    pair_values,
    reading_name,
    sampling_of,
)
from judge.methods.direct import choose_letters, reading_of
from judge.progress import Progress, silent
from judge.prompts import fill
from judge.prompts.parsing import spoken
from judge.prompts.working import PLAN, Weighed, Working, format_working, parse_working
from judge.records import FAST_OR_SLOW, Identity, Judgment, Order, Pair, Prompt, Reading, Step, Unparsed

TEMPLATE = "dual"
MAX_NEW_TOKENS = 512

AT_ONCE = "[["
"""What a reply begins with that is the verdict at once; a working begins with `PLAN`."""

Items = Sequence[tuple[Pair, Order]]
Chosen = ChoiceProbabilities | Unparsed


class Dual:
    """The verdict at once: four tokens, of which the letter is open."""

    name = "dual"
    writes = False

    def __init__(self, backend: Backend, settings: MethodSettings = DEFAULTS) -> None:
        self.backend = backend
        self.ties = settings.ties
        self.slow_above = settings.slow_above
        stated = tuple(format_working(Working((), letter)) for letter in letters_of(self.ties))
        self.sampling = replace(sampling_of(settings, MAX_NEW_TOKENS), stop=stated)

    @property
    def identity(self) -> Identity:
        letters = "".join(letters_of(self.ties))
        sampling = self.sampling if self.writes else None
        return identity_of(self.backend, self.name, [TEMPLATE], letters, sampling)

    @property
    def batch_characters(self) -> int:
        return (WRITING if self.writes else 1) * self.backend.batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """Does nothing: no two pairs share a reply."""

    def read(self, items: Items) -> list[Reading]:
        return choose_letters(self.backend, self.prompts(items), self.ties)

    def prompts(self, items: Items) -> list[Prompt]:
        return [render_dual(pair, order, self.ties) for pair, order in items]


class DualSlow(Dual):
    """A working first, then its verdict; one that is not finished or does not read as one is Unparsed."""

    name = "dual-slow"
    writes = True

    def read(self, items: Items) -> list[Reading]:
        start = f"{PLAN}\n"
        prompts = [replace(one, reply_start=start, reply_end="") for one in self.prompts(items)]
        replies = self.backend.complete(prompts, self.sampling)
        return [verdict_of(start, reply, self.ties, self.sampling.stop) for reply in replies]


class DualAuto(DualSlow):
    """Either, by how the reply would begin: with a working where P(Plan) of the two is above `slow_above`."""

    name = "dual-auto"

    @property
    def identity(self) -> Identity:
        made = super().identity
        return replace(made, decoding=f"{made.decoding}; {PLAN} above {self.slow_above:g}")

    def read(self, items: Items) -> list[Reading]:
        with remembering(self.backend):
            return self._read(items)

    def _read(self, items: Items) -> list[Reading]:
        begun, verdicts = self.begun(self.prompts(items))
        readings: dict[int, Reading] = {n: one for n, one in enumerate(begun) if isinstance(one, Unparsed)}
        ways = {n: one for n, one in enumerate(begun) if isinstance(one, ChoiceProbabilities)}
        for is_slow, method in ((False, Dual), (True, DualSlow)):
            numbers = [n for n, way in ways.items() if (way.probabilities[1] > self.slow_above) is is_slow]
            if not numbers:
                continue
            if verdicts is None or is_slow:
                read = method.read(self, [items[n] for n in numbers])
            else:
                read = [verdicts[n] for n in numbers]
            for number, reading in zip(numbers, read, strict=True):
                readings[number] = begun_by(ways[number], is_slow, reading)
        return [readings[number] for number in range(len(items))]

    def begun(self, prompts: Sequence[Prompt]) -> tuple[list[Chosen], list[Reading] | None]:
        """How each reply would begin, by the probabilities of `AT_ONCE` and `PLAN`; and each verdict at once.

        An engine that knows how likely any word is tells both in one pass, in which it reads a prompt once.
        Others are asked how replies begin, and None stands for the verdicts.
        """
        bare = [replace(one, reply_start="", reply_end="") for one in prompts]
        letters, ways = tuple(letters_of(self.ties)), (AT_ONCE, PLAN)
        if prompts and with_likelihoods(self.backend) is not None:
            try:
                found = self.backend.choose([*bare, *prompts], (*letters, *ways))
                begun = [among(one, slice(len(letters), None)) for one in found[: len(bare)]]
                told = [among(one, slice(len(letters))) for one in found[len(bare) :]]
            except (ModelError, PromptTooLong, ZeroDivisionError):
                pass  # asked apart: a tokenizer may join a choice to the other's beginning
            else:
                both = zip(prompts, told, strict=True)
                return begun, [reading_of(prompt, one, self.ties) for prompt, one in both]
        return (self.backend.choose(bare, ways) if prompts else []), None


def render_dual(pair: Pair, order: Order, ties: bool) -> Prompt:
    """The prompt that asks for a verdict, at once or after a working; its reply begins as a verdict does."""
    return fill(TEMPLATE, pair_values(pair, order) | {"ties": ties}, reading_name(pair, order))


def verdict_of(start: str, reply: Completion | Unparsed, ties: bool, stop: Sequence[str]) -> Reading:
    """The reading that a working states; `start` is what was put into the mouth of its writer.

    What stands behind the first text of `stop` is not read, as most engines stop there.
    """
    if isinstance(reply, Unparsed):
        return reply
    letters = letters_of(ties)
    raw, said = start + reply.text, spoken(reply.text).lstrip()
    is_ended = reply.is_ended or any(one in said for one in stop)
    working = parse_working(start + until_stop(said, stop), is_ended, tuple(letters))
    if isinstance(working, Unparsed):
        told = reply.tokens_in, reply.tokens_out, reply.is_trimmed
        return Unparsed(working.reason, raw, *told, cut=reply.cut)
    return Judgment(
        choice=letters[working.letter],
        probabilities=None,
        raw=raw,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        is_trimmed=reply.is_trimmed,
        steps=tuple(step_on(one) for one in working.weighed),
        cut=reply.cut,
    )


def among(chosen: Chosen, places: slice) -> Chosen:
    """The same of some of the choices alone. Raises ZeroDivisionError where none of them is likely at all."""
    if isinstance(chosen, Unparsed):
        return chosen
    some = chosen.probabilities[places]
    return replace(chosen, probabilities=tuple(one / sum(some) for one in some))


def begun_by(way: ChoiceProbabilities, is_slow: bool, reading: Reading) -> Reading:
    """The reading with the choice of its way as its first step.

    The first word is the reading's own, so that it costs nothing more, except on a server that wrote a reply
    to tell it: then that reply counts too.
    """
    cost = (way.tokens_in, way.tokens_out) if way.raw else (0, 0)
    return replace(
        reading,
        tokens_in=reading.tokens_in + cost[0],
        tokens_out=reading.tokens_out + cost[1],
        steps=(choice_of(is_slow, way.probabilities[1], *cost), *reading.steps),
    )


def choice_of(is_slow: bool, p_slow: float, tokens_in: int = 0, tokens_out: int = 0) -> Step:
    """The choice of a way as a step, so that it is seen what was chosen and how surely."""
    said = f"{'slow' if is_slow else 'fast'}: P(slow) {p_slow:.6f}"
    return Step(FAST_OR_SLOW, said, tokens_in, tokens_out)


def step_on(one: Weighed) -> Step:
    """A criterion of a working as a step, so that reports show its scores; its tokens are the reading's."""
    scores = None if one.scores is None else (float(one.scores[0]), float(one.scores[1]))
    return Step(one.criterion, one.reason, 0, 0, scores)
