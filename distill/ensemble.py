"""A teacher made of signals: their weighted sum, less what length explains, as the log-odds that a is better.

Nothing here depends on a label or on the other pairs, so a pair's reading is the same in every run. The
weights are settings of a recipe; `weights_of` proposes them from pairs whose labels may choose settings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from distill.signals import BAD, GOOD, LONGEST_TEXT, NOTHING_ASKED, SIGNALS, WAYS_OF_READING, Bank, Numbers
from judge.backends import Backend, Completion, load_backend, with_likelihoods
from judge.errors import InputError
from judge.methods import Method, MethodSettings, ReplyStore
from judge.methods.asking import KeptReplies, identity_of
from judge.options import BackendLoader, JudgeOptions
from judge.orders import logistic
from judge.progress import Progress, silent
from judge.prompts import fingerprint_of
from judge.records import Choice, Identity, Judgment, Order, Pair, Reading, Step, Unparsed, sha256_of_json

METHOD = "signals"


@dataclass(frozen=True, slots=True)
class SignalOptions(JudgeOptions):
    """A teacher of signals: the engine as in `JudgeOptions`, the weight of each signal and that of length."""

    signals: Mapping[str, float] = field(default_factory=dict)
    length: float = 0.0

    def load(self, progress: Progress, store: ReplyStore, load: BackendLoader = load_backend) -> Method:
        backend = load(self.backend, replace(self.settings, adapter=self.adapter, progress=progress))
        return Ensemble(backend, self.signals, self.length, replace(self.method_settings, store=store))


def signal_options(options: JudgeOptions, signals: Mapping[str, float], length: float) -> SignalOptions:
    """The teacher of these signals, by the same engine."""
    return SignalOptions(**own_of(options), signals=dict(signals), length=length)


def own_of(options: JudgeOptions) -> dict[str, Any]:
    """What every judge's options have, by name, to make options of another kind of them."""
    return {one.name: getattr(options, one.name) for one in fields(JudgeOptions)}


class Ensemble:
    """The teacher of signals as a method: both orders say the same, and steps keep each signal's number."""

    def __init__(
        self, backend: Backend, signals: Mapping[str, float], length: float, settings: MethodSettings
    ) -> None:
        self._templates = templates_of(signals)
        able = with_likelihoods(backend)
        if able is None:
            raise InputError("signals need the backend embedded: no other gives likelihoods of a text.")
        self.backend = backend
        self.signals = dict(sorted(signals.items()))
        self.length = length
        self._bank = Bank(able, settings)
        self._kept = KeptReplies(settings.store, backend)

    @property
    def identity(self) -> Identity:
        said = weights_in_words(self.signals, self.length)
        return identity_of(self.backend, METHOD, self._templates, said, None)

    @property
    def batch_characters(self) -> int:
        return self.backend.batch_characters

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """Does nothing: `read` asks for what it needs."""

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        pairs = list({pair.content_hash: pair for pair, _ in items}.values())
        numbers = dict(zip((pair.content_hash for pair in pairs), self.numbers(pairs), strict=True))
        return [self._reading(pair, order, numbers[pair.content_hash]) for pair, order in items]

    def numbers(self, pairs: Sequence[Pair]) -> list[dict[str, float | None]]:
        """The number of every signal of each pair; what the store knows is not computed again."""
        found: list[dict[str, float | None]] = [{} for _ in pairs]
        for way in sorted({SIGNALS[name].way for name in self.signals}):
            for own, of_way in zip(found, self._way(way, pairs), strict=True):
                own |= {name: value for name, value in of_way.items() if name in self.signals}
        return found

    def _way(self, way: str, pairs: Sequence[Pair]) -> list[dict[str, float | None]]:
        """The signals of one way of reading, kept in the store as JSON."""
        engine = asdict(self.backend.engine)
        keys = [sha256_of_json([engine, way, fingerprint_of_way(way), pair.content_hash]) for pair in pairs]

        def ask(some: list[Pair]) -> list[Completion]:
            table = WAYS_OF_READING[way](self._bank, some)
            rows = [{name: values[i] for name, values in table.items()} for i in range(len(some))]
            return [Completion(json.dumps(row), 0, 0, True) for row in rows]

        by_key = dict(zip(keys, pairs, strict=True))
        found = self._kept.ask(by_key, lambda todo: [list(todo)] if todo else [], ask, way)
        given = {key: reply for key, reply in found.items() if isinstance(reply, Completion)}
        return [json.loads(given[key].text) for key in keys]

    def _reading(self, pair: Pair, order: Order, numbers: Mapping[str, float | None]) -> Reading:
        if missing := [name for name, value in numbers.items() if value is None]:
            return Unparsed(f"signal {missing[0]}: the model could not be read", "")
        given = {name: value for name, value in numbers.items() if value is not None}
        log_odds = sum(self.signals[name] * value for name, value in given.items())
        log_odds -= self.length * log_ratio_of(pair)
        return summed_reading(log_odds, order, list(given.items()))


def summed_reading(log_odds: float, order: Order, parts: Sequence[tuple[str, float]]) -> Judgment:
    """The reading that these log-odds for a are; its steps keep the number of each part by name."""
    p_first = logistic(log_odds if order is Order.AB else -log_odds)
    choice = Choice.TIE if not log_odds else Choice.FIRST if p_first > 0.5 else Choice.SECOND
    steps = tuple(Step(name, f"{value:.6f}", 0, 0) for name, value in parts)
    probabilities = {Choice.FIRST: p_first, Choice.SECOND: 1.0 - p_first}
    return Judgment(choice, probabilities, f"{log_odds:.4f}", 0, 0, steps=steps)


def templates_of(signals: Iterable[str]) -> list[str]:
    """The templates that these signals are read with. Raises InputError: there is no such signal."""
    if unknown := [name for name in signals if name not in SIGNALS]:
        raise InputError(f"signal {unknown[0]}: no such signal. There are: {', '.join(SIGNALS)}.")
    return sorted({one for name in signals for one in SIGNALS[name].templates})


def weights_in_words(signals: Mapping[str, float], length: float) -> str:
    """The weight of each signal and of length, as the teacher's identity says it."""
    return ", ".join(
        [*(f"{name} {weight:g}" for name, weight in sorted(signals.items())), f"length {length:g}"]
    )


def fingerprint_of_way(way: str) -> str:
    """A hash of all words that a way of reading puts around a pair."""
    templates = {one for signal in SIGNALS.values() if signal.way == way for one in signal.templates}
    return sha256_of_json(
        [fingerprint_of(*templates) if templates else "", GOOD, BAD, NOTHING_ASKED, LONGEST_TEXT]
    )


def log_ratio_of(pair: Pair) -> float:
    """The log of how many times as long as b's answer a's is, in characters."""
    return math.log((1 + len(pair.response_a)) / (1 + len(pair.response_b)))


# --- which signals, and with which weight ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measured:
    """What a signal is worth on pairs with labels.

    `right` is its share of right pairs with a 95 % interval (Wilson), `right_where_shorter` that among pairs
    whose shorter answer is right, `with_length` its correlation with the log of the lengths' ratio.
    """

    n: int
    right: float
    low: float
    high: float
    right_where_shorter: float
    right_where_longer: float
    longer_chosen: float
    with_length: float


def measured(numbers: Numbers, labels: Sequence[int], ratios: Sequence[float]) -> Measured:
    """A signal beside labels (1 where a is better, -1 where b is) and the logs of the lengths' ratios."""
    import numpy as np

    rows = [(x, y, r) for x, y, r in zip(numbers, labels, ratios, strict=True) if x is not None]
    x, y, r = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    right = (x * y > 0) + 0.5 * (x == 0)
    low, high = wilson(float(right.mean()), len(x))
    shorter, longer = right[r * y < 0], right[r * y > 0]
    return Measured(
        n=len(x),
        right=float(right.mean()),
        low=low,
        high=high,
        right_where_shorter=float(shorter.mean()) if len(shorter) else math.nan,
        right_where_longer=float(longer.mean()) if len(longer) else math.nan,
        longer_chosen=float((x * r > 0).mean()),
        with_length=float(np.corrcoef(x, r)[0, 1]) if x.std() and r.std() else 0.0,
    )


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share of n (Wilson, 1927)."""
    middle = share + z * z / (2 * n)
    width = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - width) / (1 + z * z / n), (middle + width) / (1 + z * z / n)


def kept(table: Mapping[str, Numbers], labels: Sequence[int], ratios: Sequence[float]) -> list[str]:
    """The signals whose interval lies above one half, and that are still so without what length explains."""
    names = []
    for name, numbers in table.items():
        without = less_length(numbers, ratios)
        if measured(numbers, labels, ratios).low > 0.5 and measured(without, labels, ratios).low > 0.5:
            names.append(name)
    return names


def less_length(numbers: Numbers, ratios: Sequence[float]) -> Numbers:
    """A signal less what the log of the lengths' ratio explains of it, by least squares through zero."""
    slope = slope_of(numbers, ratios)
    return [None if x is None else x - slope * r for x, r in zip(numbers, ratios, strict=True)]


def slope_of(numbers: Numbers, ratios: Sequence[float]) -> float:
    """How much of a signal goes with one unit of the log of the lengths' ratio."""
    both = [(x, r) for x, r in zip(numbers, ratios, strict=True) if x is not None]
    squares = sum(r * r for _, r in both)
    return sum(x * r for x, r in both) / squares if squares else 0.0


def weights_of(
    table: Mapping[str, Numbers], names: Sequence[str], ratios: Sequence[float], takes_length: float
) -> tuple[dict[str, float], float]:
    """Equal weights over signals of equal spread, so that their sum has spread 1, and the weight of length.

    Args:
        takes_length: how much of what length explains of the sum is taken away: 0 nothing, 1 all.
    """
    spread = {name: spread_of(table[name]) for name in names}
    total = summed(table, {name: 1 / spread[name] for name in names})
    whole = spread_of(total)
    weights = {name: round(1 / (spread[name] * whole), 6) for name in names}
    return weights, round(takes_length * slope_of(summed(table, weights), ratios), 6)


def summed(table: Mapping[str, Numbers], weights: Mapping[str, float]) -> Numbers:
    """The weighted sum of signals; None where one of them is."""
    total: Numbers = []
    for values in zip(*(table[name] for name in weights), strict=True):
        pieces = [w * x for w, x in zip(weights.values(), values, strict=True) if x is not None]
        total.append(sum(pieces) if len(pieces) == len(values) else None)
    return total


def log_odds_by(table: Mapping[str, Numbers], one: Mapping[str, Any], ratios: Sequence[float]) -> Numbers:
    """The log-odds that an ensemble gives each pair; `one` has its `signals` and the weight of `length`."""
    total = summed(table, one["signals"])
    return [None if x is None else x - one["length"] * r for x, r in zip(total, ratios, strict=True)]


def measured_each(
    table: Mapping[str, Numbers], labels: Sequence[int], ratios: Sequence[float]
) -> dict[str, dict[str, float]]:
    """What each signal is worth, by name; see `Measured`."""
    return {name: asdict(measured(numbers, labels, ratios)) for name, numbers in table.items()}


def spread_of(numbers: Numbers) -> float:
    """The root of the mean square: signals are symmetric about zero, as a and b are only names."""
    given = [x for x in numbers if x is not None]
    return math.sqrt(sum(x * x for x in given) / len(given)) or 1.0
