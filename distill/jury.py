"""A teacher that is several judges: the weighted sum of the log-odds for a that are in their shards.

Judges of different kinds err on different pairs, so their sum may know more than the best of them (a jury of
judges: Verga et al., arXiv:2404.18796). Each has read the pairs before, on any machine; nothing is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

from distill.ensemble import log_ratio_of, own_of, summed_reading, weights_in_words
from distill.recorded import Recorded, recorded_of
from distill.signals import log_odds_of
from judge.backends import Backend, load_backend
from judge.errors import InputError
from judge.ledger.ledger import Ledger
from judge.methods import ReplyStore
from judge.models.separation import VOTES_DO_NOT_TEACH, learned_votes
from judge.options import BackendLoader, JudgeOptions
from judge.orders import combine
from judge.progress import Progress, silent
from judge.records import NO_ADAPTER, Identity, Order, Pair, Reading, Unparsed, sha256_of_json

METHOD = "jury"


@dataclass(frozen=True, slots=True)
class JuryOptions(JudgeOptions):
    """The shards of a jury with the weight of each, and the weight of length."""

    jury: Mapping[Path, float] = field(default_factory=dict)
    length: float = 0.0

    def load(self, progress: Progress, store: ReplyStore, load: BackendLoader = load_backend) -> Jury:
        """The judges of the shards, which need no engine; the ledger has their readings from then on.

        Raises:
            BadLines: a shard cannot be read, every bad line named.
            InputError: there is no such file, two are one judge's, or a judge learned people's votes or says
                no probabilities.
        """
        ledger = cast("Ledger", store)
        judges = [(recorded_of(shard, ledger), weight) for shard, weight in self.jury.items()]
        return Jury(judges, self.length)


def jury_options(options: JudgeOptions, jury: Mapping[Path, float], length: float) -> JuryOptions:
    """The teacher of these shards."""
    return JuryOptions(**own_of(options), jury=dict(jury), length=length)


class Jury:
    """Several judges as a method: both orders say the same, and steps keep what each judge said."""

    def __init__(self, judges: Sequence[tuple[Recorded, float]], length: float) -> None:
        names = [judge.identity.fingerprint for judge, _ in judges]
        if twice := [name for name in names if names.count(name) > 1]:
            raise InputError(
                f"collect.teacher.jury: two shards of one judge, {twice[0]}. Name one; of several with its "
                "readings the first, which takes the others along."
            )
        for judge, _ in judges:
            if learned_votes(judge.identity.adapter):
                raise InputError(f"{judge.shard}: {VOTES_DO_NOT_TEACH}.")
            if not judge.has_probabilities:
                raise InputError(
                    f"{judge.shard}: none of its readings, by {judge.identity.method}, has a probability, "
                    "and a jury adds log-odds. Take a judge of another method, or a majority of its samples."
                )
        self._judges = judges
        self._length = length

    @property
    def identity(self) -> Identity:
        named = {judge.identity.fingerprint: weight for judge, weight in self._judges}
        return Identity(
            base_model="several",
            base_model_hash=sha256_of_json([asdict(judge.identity) for judge, _ in self._judges]),
            adapter=NO_ADAPTER,
            adapter_hash="",
            method=METHOD,
            prompts="",
            letters=weights_in_words(named, self._length),
            decoding="choice",
            sample=0,
            backend="recorded",
            dtype="",
            overflow="trim",
            max_prompt_tokens=min(judge.identity.max_prompt_tokens for judge, _ in self._judges),
        )

    @property
    def backend(self) -> Backend:
        """An engine that computes nothing."""
        return self._judges[0][0].backend

    @property
    def batch_characters(self) -> int:
        """Any number of pairs is looked up at once."""
        return self._judges[0][0].batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """Does nothing: nothing will be asked."""

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        """What they said together. Raises InputError where one of them has not read a pair."""
        pairs = list({pair.content_hash: pair for pair, _ in items}.values())
        said = [self._said(judge, pairs) for judge, _ in self._judges]
        found = dict(zip((pair.content_hash for pair in pairs), zip(*said, strict=True), strict=True))
        return [self._reading(pair, order, found[pair.content_hash]) for pair, order in items]

    def _said(self, judge: Recorded, pairs: Sequence[Pair]) -> list[float | None]:
        """The mean log-odds of one judge that a is better, a number a pair."""
        readings = iter(judge.read([(pair, order) for pair in pairs for order in Order]))
        return [
            log_odds_of(combine(pair.id, {order: next(readings) for order in Order}, "")) for pair in pairs
        ]

    def _reading(self, pair: Pair, order: Order, numbers: Sequence[float | None]) -> Reading:
        names = [judge.identity.name for judge, _ in self._judges]
        if None in numbers:
            return Unparsed(f"{names[numbers.index(None)]}: no probability", "")
        given = [value for value in numbers if value is not None]
        log_odds = sum(weight * value for (_, weight), value in zip(self._judges, given, strict=True))
        log_odds -= self._length * log_ratio_of(pair)
        return summed_reading(log_odds, order, list(zip(names, given, strict=True)))
