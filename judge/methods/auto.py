"""Fast first, then slow if that leaves doubt: a verdict of four tokens, or that of the slow judge."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from judge.methods import Method
from judge.orders import combine, is_near_even
from judge.progress import Progress, silent
from judge.records import (
    FAST_OR_SLOW,
    GRADED_ALONE,
    NEAR_EVEN,
    Identity,
    Order,
    Pair,
    Reading,
    Status,
    Step,
    Verdict,
    longest_cut,
    sha256_of_json,
)


class Auto:
    """A fast judge, and a slow one for the pairs about which the fast one is in doubt.

    If the slow one's reply cannot be read, the fast reading stays, with the slow one's steps. Both orders of
    a pair have to be asked together: doubt is judged from both. `prepared_s` are the seconds in which the
    slow one was asked for what its readings share.
    """

    def __init__(self, fast: Method, slow: Method) -> None:
        self.fast = fast
        self.slow = slow
        self.backend = fast.backend
        self.prepared_s = 0.0

    @property
    def identity(self) -> Identity:
        fast, slow = self.fast.identity, self.slow.identity
        return replace(
            fast,
            method="auto",
            backend=fast.backend if fast.backend == slow.backend else f"{fast.backend};{slow.backend}",
            prompts=sha256_of_json([fast.prompts, slow.prompts]),
            letters=f"{fast.letters}, {slow.letters}",
            decoding=f"{fast.decoding}; {slow.method} within {NEAR_EVEN} of even: {slow.decoding}",
            sample=slow.sample,
        )

    @property
    def batch_characters(self) -> int:
        return self.fast.batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """Prepares the fast judge; which pairs the slow one reads is not known yet."""
        self.fast.prepare(pairs, progress)
        self.slow.prepare([], progress)

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        """One reading per item. Raises ValueError if a pair's orders are not next to each other."""
        readings = self.fast.read(items)
        doubtful = [
            place
            for place, (pair, both) in enumerate(by_pair(items, readings))
            if is_doubtful(combine(pair.id, both, ""))
        ]
        places = [2 * place + side for place in doubtful for side in (0, 1)]
        asked = [items[place] for place in places]
        slow = self._read_slowly(asked) if asked else []
        for number, (pair, both) in enumerate(by_pair(asked, slow)):
            is_readable = combine(pair.id, both, "").status is not Status.UNPARSED
            for place in places[2 * number : 2 * number + 2]:
                quick, long = readings[place], both[items[place][1]]
                if is_readable:
                    steps = (*fast_steps(quick, items[place][1]), *long.steps)
                    readings[place] = replace(beside(long, quick), steps=steps)
                else:
                    readings[place] = replace(beside(quick, long), steps=(*quick.steps, *long.steps))
        return readings

    def _read_slowly(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        started = time.perf_counter()
        self.slow.prepare([pair for pair, _ in items])
        self.prepared_s += time.perf_counter() - started
        return self.slow.read(items)


def fast_steps(reading: Reading, order: Order) -> list[Step]:
    """What a fast reading rests on and was asked once: grades, named by the answer for either order."""
    sides = dict(zip(GRADED_ALONE, order, strict=True))
    return [
        replace(step, name=f"fast, answer {sides[step.name]}" if step.name in sides else f"fast, {step.name}")
        for step in reading.steps
        if step.shared
    ]


def beside(reading: Reading, other: Reading) -> Reading:
    """The reading with what the other one cost too, and shortened where that was."""
    return replace(
        reading,
        tokens_in=reading.tokens_in + other.tokens_in,
        tokens_out=reading.tokens_out + other.tokens_out,
        is_trimmed=reading.is_trimmed or other.is_trimmed,
        cut=longest_cut((reading.cut, other.cut)),
    )


def by_pair(
    items: Sequence[tuple[Pair, Order]], readings: Sequence[Reading]
) -> Iterator[tuple[Pair, dict[Order, Reading]]]:
    """Each pair with its two readings."""
    for place in range(0, len(items), 2):
        both = {
            order: reading
            for (_, order), reading in zip(items[place:][:2], readings[place:][:2], strict=True)
        }
        pairs = {id(pair) for pair, _ in items[place : place + 2]}
        if len(both) != len(Order) or len(pairs) != 1:
            raise ValueError("auto reads both orders of a pair together")
        yield items[place][0], both


def is_doubtful(verdict: Verdict) -> bool:
    """Whether a fast verdict is worth a slow look."""
    if verdict.status is not Status.CONSISTENT:
        return True
    return is_near_even(verdict)


def is_escalated(verdict: Verdict) -> bool:
    """Whether a judge that may be fast and slow was slow in some order.

    Of `Auto` the fast judge's only steps are grades; an adapter that chooses for itself says what it chose.
    """
    steps = [step for reading in verdict.readings.values() for step in reading.steps]
    if chosen := [step.raw for step in steps if step.name == FAST_OR_SLOW]:
        return any(raw.startswith("slow") for raw in chosen)
    return any(step.name not in GRADED_ALONE for step in steps)
