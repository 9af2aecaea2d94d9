"""A vote over samples in which some count more: by a ranker, or by how likely the model is to write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from judge.backends import Backend, with_likelihoods
from judge.errors import InputError
from judge.methods import PROBABILITY, RANKED, Method, TraceRanker
from judge.methods.dual import TEMPLATE
from judge.methods.traced import Traced, traced
from judge.methods.voting import Vote, voted
from judge.prompts import fingerprint_of
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
    Unparsed,
    sha256_of_json,
)

LONGEST = 1 << 20
"""More tokens than any reply has: a trace's likelihood is that of the whole."""

Asked = tuple[Prompt, str]


class WeighedVote(Vote):
    """The choice whose samples weigh most is the reading; a sample that is no trace weighs nothing.

    `how` is "ranked": 1 + the ranker's score (adaptive self-consistency, Li et al., arXiv:2312.12832); or
    "probability": the mean probability of a token, exp(log P(reply) / tokens), the normalised weighted sum of
    Wang et al. (arXiv:2203.11171).

    Args:
        method: which the samples are of. ties: whether they may call two answers equally good.
        ranker: of a ranked vote alone.

    Raises:
        InputError: there is no ranker, or the backend does not say how likely a text is.
    """

    def __init__(
        self, samples: Sequence[Method], how: str, method: str, ties: bool, ranker: TraceRanker | None
    ) -> None:
        super().__init__(samples, how)
        self.method = method
        self.ties = ties
        self.ranker = ranker
        if how == RANKED and ranker is None:
            raise InputError("--vote ranked: no ranker is named. Give --ranker FOLDER.")
        if how == PROBABILITY and with_likelihoods(self.backend) is None:
            raise InputError(
                f"--vote probability: the backend {self.backend.engine.backend} does not say how likely a "
                "text is. Take --backend embedded."
            )

    @property
    def identity(self) -> Identity:
        one = self.samples[0].identity
        by = f" by {self.ranker.name}" if self.ranker else ""
        one = replace(one, decoding=f"{self.how} of {len(self.samples)}{by}, {one.decoding}")
        if self.method != "bsm-text":  # whose samples are weighed as replies to the prompt of `dual`
            return one
        return replace(one, prompts=sha256_of_json([one.prompts, fingerprint_of(TEMPLATE)]))

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        by_sample = [sample.read(items) for sample in self.samples]
        by_item = [list(readings) for readings in zip(*by_sample, strict=True)]
        traces = [
            [self._traced(*item, reading) for reading in readings]
            for item, readings in zip(items, by_item, strict=True)
        ]
        asked = [(one.prompt, one.reply) for each in traces for one in each if isinstance(one, Traced)]
        weights = iter(self._ranked(asked) if self.ranker else likely(self.backend, asked))
        weighed = [[next(weights) if isinstance(one, Traced) else one for one in each] for each in traces]
        return [weighed_of(*two) for two in zip(by_item, weighed, strict=True)]

    def _traced(self, pair: Pair, order: Order, reading: Reading) -> Traced | Unparsed:
        if isinstance(reading, Unparsed):
            return reading
        return traced(pair, order, reading, self.method, self.ties)

    def _ranked(self, asked: Sequence[Asked]) -> list[float | Unparsed]:
        assert self.ranker is not None
        return [one if isinstance(one, Unparsed) else 1 + one for one in self.ranker.scores(asked)]


def likely(backend: Backend, asked: Sequence[Asked]) -> list[float | Unparsed]:
    """The mean probability of a token of each reply, the geometric one; Unparsed where a prompt is too long.

    Args:
        backend: one that says how likely a text is.
    """
    teller = with_likelihoods(backend)
    assert teller is not None
    return [
        Unparsed("the prompt is too long", raw="") if total is None else math.exp(total / n_tokens)
        for total, n_tokens in teller.log_likelihoods(asked, LONGEST)
    ]


def weighed_of(readings: Sequence[Reading], weights: Sequence[float | Unparsed]) -> Reading:
    """The choice with the greatest sum of weights, with the shares of the sum as probabilities.

    Equal sums are "no majority". The raw text has the weight of each sample, "-" where it has none.
    """
    sums: dict[Choice, float] = {}
    for reading, weight in zip(readings, weights, strict=True):
        if isinstance(reading, Judgment) and not isinstance(weight, Unparsed):
            sums[reading.choice] = sums.get(reading.choice, 0.0) + weight
    told = " ".join("-" if isinstance(one, Unparsed) else f"{one:.3f}" for one in weights)
    total = sum(sums.values())
    if not total:
        why = next((one.reason for one in weights if isinstance(one, Unparsed)), "all weigh nothing")
        return voted(Unparsed(f"none of {len(readings)} samples can be weighed: {why}", raw=told), readings)
    (winner, most), *others = sorted(sums.items(), key=lambda item: -item[1])
    if others and math.isclose(most, others[0][1]):
        n_unread = sum(isinstance(one, Unparsed) for one in (*readings, *weights))
        unread = f", {n_unread} {UNREADABLE}" if n_unread else ""
        return voted(Unparsed(f"{NO_MAJORITY}: two choices weigh the same{unread}", raw=told), readings)
    named = [choice for choice in Choice if choice is not Choice.TIE or choice in sums]
    shares = {choice: sums.get(choice, 0.0) / total for choice in named}
    return voted(Judgment(winner, shares, f"weights {told}", 0, 0), readings)
