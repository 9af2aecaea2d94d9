"""A vote over several samples of one method: by majority, or by universal self-consistency."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from string import ascii_uppercase

from judge.backends import Backend, ChoiceProbabilities
from judge.errors import InputError
from judge.methods import Method
from judge.methods.asking import pair_values, reading_name
from judge.progress import Progress, silent
from judge.prompts import fill, fingerprint_of
from judge.records import (
    NO_MAJORITY,
    UNREADABLE,
    Choice,
    Identity,
    Judgment,
    Order,
    Pair,
    Prompt,
    Reading,
    Span,
    Step,
    Unparsed,
    longest_cut,
    sha256_of_json,
)

INNER_STEP = re.compile(r"sample \d+, ")
WHOLE_SAMPLE = re.compile(r"sample \d+: (.*)", re.DOTALL)
"""How steps are called that belong to a sample, and the one that is the sample; see `voted`."""

SAMPLE_LETTERS = ascii_uppercase[3:]
"""What usc calls the samples; not A, B and C, which name answers."""


class Vote:
    """Every sample reads the pair, and the vote is the reading.

    `how` is "majority": the most frequent choice (Wang et al., arXiv:2203.11171), where unreadable samples
    count together as a choice of their own and a draw is "no majority"; or "usc": the model itself picks the
    sample that agrees best with the others (Chen et al., arXiv:2311.17311), unreadable ones left out.
    """

    def __init__(self, samples: Sequence[Method], how: str) -> None:
        if how == "usc" and len(samples) > len(SAMPLE_LETTERS):
            raise InputError(f"--samples {len(samples)}: usc can tell {len(SAMPLE_LETTERS)} apart at most.")
        self.samples = tuple(samples)
        self.how = how

    @property
    def backend(self) -> Backend:
        return self.samples[0].backend

    @property
    def batch_characters(self) -> int:
        return self.samples[0].batch_characters

    @property
    def identity(self) -> Identity:
        one = self.samples[0].identity
        decoding = f"{self.how} of {len(self.samples)}, {one.decoding}"
        prompts = (
            one.prompts if self.how == "majority" else sha256_of_json([one.prompts, fingerprint_of("usc")])
        )
        return replace(one, decoding=decoding, prompts=prompts)

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        for sample in self.samples:
            sample.prepare(pairs, progress)

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        by_sample = [sample.read(items) for sample in self.samples]
        by_item = [list(readings) for readings in zip(*by_sample, strict=True)]
        if self.how == "majority":
            return [majority_of(readings) for readings in by_item]
        return self._picked(items, by_item)

    def _picked(
        self, items: Sequence[tuple[Pair, Order]], by_item: Sequence[Sequence[Reading]]
    ) -> list[Reading]:
        """For each item the sample that the model picks; if only one is readable, nothing is asked."""
        prompts = {
            i: render_usc(*item, readable(readings))
            for i, (item, readings) in enumerate(zip(items, by_item, strict=True))
            if len(readable(readings)) > 1
        }
        chosen: dict[int, ChoiceProbabilities | Unparsed] = {}
        for n in sorted({len(readable(by_item[i])) for i in prompts}):  # as many letters as samples
            group = [i for i in prompts if len(readable(by_item[i])) == n]
            replies = self.backend.choose([prompts[i] for i in group], tuple(SAMPLE_LETTERS[:n]))
            chosen |= dict(zip(group, replies, strict=True))
        return [picked_of(readings, chosen.get(i)) for i, readings in enumerate(by_item)]


def majority_of(readings: Sequence[Reading]) -> Reading:
    """The most frequent choice of the samples, with the shares of the readable ones as probabilities."""
    votes = Counter(r.choice.value if isinstance(r, Judgment) else UNREADABLE for r in readings)
    (winner, most), *others = votes.most_common()
    counts = ", ".join(f"{n} {name}" for name, n in sorted(votes.items()))
    if winner == UNREADABLE or any(n == most for _, n in others):
        return voted(Unparsed(f"{NO_MAJORITY}: {counts}", raw=""), readings)
    n_readable = sum(n for name, n in votes.items() if name != UNREADABLE)
    named = [choice for choice in Choice if choice is not Choice.TIE or votes[choice.value]]
    probabilities = {choice: votes[choice.value] / n_readable for choice in named}
    return voted(Judgment(Choice(winner), probabilities, f"{most} of {len(readings)}", 0, 0), readings)


def picked_of(readings: Sequence[Reading], picked: ChoiceProbabilities | Unparsed | None) -> Reading:
    """The sample that was picked, or the only readable one where nothing was asked."""
    left = readable(readings)
    if not left:
        return voted(Unparsed(f"none of {len(readings)} samples is readable", raw=""), readings)
    if picked is None:
        return voted(replace(left[0], tokens_in=0, tokens_out=0), readings)
    if isinstance(picked, Unparsed):
        return voted(replace(picked, reason=f"usc: {picked.reason}"), readings, picked)
    best = max(range(len(left)), key=lambda i: picked.probabilities[i])
    chosen = replace(left[best], tokens_in=picked.tokens_in, tokens_out=picked.tokens_out)
    return voted(chosen, readings, picked)


def voted(
    result: Reading, readings: Sequence[Reading], picked: ChoiceProbabilities | Unparsed | None = None
) -> Reading:
    """The result with every sample's tokens added and its steps kept, each under its number.

    Args:
        picked: what came of the question for the best sample, if it was asked.
    """
    asked = [*readings, *([] if picked is None else [picked])]
    steps = [step for number, one in enumerate(readings, start=1) for step in _steps_of(number, one)]
    return replace(
        result,
        tokens_in=result.tokens_in + sum(one.tokens_in for one in readings),
        tokens_out=result.tokens_out + sum(one.tokens_out for one in readings),
        is_trimmed=any(one.is_trimmed for one in asked),
        steps=tuple(steps),
        cut=longest_cut(one.cut for one in asked),
    )


def samples_of(reading: Reading) -> list[Reading]:
    """The samples that a vote was taken over, as `voted` kept them; the reading alone where it is no vote.

    Of a sample its choice, text, tokens and steps come back. Its probabilities are not kept.
    """
    samples: list[Reading] = []
    steps: list[Step] = []
    for step in reading.steps:
        inner = INNER_STEP.match(step.name)
        whole = WHOLE_SAMPLE.match(step.name)
        if inner is not None:
            steps.append(replace(step, name=step.name[inner.end() :]))
        elif whole is not None:
            cost = step.tokens_in, step.tokens_out, False, tuple(steps)
            said = whole[1]
            if said in list(Choice):
                samples.append(Judgment(Choice(said), None, step.raw, *cost))
            else:
                samples.append(Unparsed(said.removeprefix(f"{UNREADABLE}: "), step.raw, *cost))
            steps = []
    return samples or [reading]


def _steps_of(number: int, reading: Reading) -> list[Step]:
    said = reading.choice.value if isinstance(reading, Judgment) else f"{UNREADABLE}: {reading.reason}"
    own = Step(f"sample {number}: {said}", reading.raw, reading.tokens_in, reading.tokens_out)
    inner = [replace(step, name=f"sample {number}, {step.name}") for step in reading.steps]
    return [*inner, own]


def readable(readings: Sequence[Reading]) -> list[Judgment]:
    return [one for one in readings if isinstance(one, Judgment)]


def render_usc(pair: Pair, order: Order, samples: Sequence[Judgment]) -> Prompt:
    """The prompt that shows all readable samples and asks for the most consistent one."""
    replies = [
        {"letter": letter, "text": Span(text_of(sample), "context")}
        for letter, sample in zip(SAMPLE_LETTERS, samples, strict=False)
    ]
    return fill("usc", pair_values(pair, order) | {"replies": replies}, reading_name(pair, order))


def text_of(reading: Judgment) -> str:
    """All that a sample said about the two responses, its verdict last."""
    said = [f"{step.name}\n{step.raw}" for step in reading.steps if not step.shared]
    verdict = {Choice.FIRST: "A", Choice.SECOND: "B", Choice.TIE: "neither"}[reading.choice]
    return "\n".join([*said, reading.raw, f"Better answer: {verdict}"])
