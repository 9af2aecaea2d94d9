"""A judge inside a test suite: new answers against approved ones, and what every comparison came to.

In every pair of a suite a is the new answer and b the approved one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from judge.evaluate import judge_pairs
from judge.ledger.ledger import Ledger
from judge.methods import Method
from judge.models.basemodels import cache_folder
from judge.options import JudgeOptions
from judge.progress import Progress, silent
from judge.records import Message, Outcome, Pair, Verdict, sha256_of_json

SCORES = {Outcome.A: 1.0, Outcome.TIE: 0.5, Outcome.B: 0.0}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A verdict on a new answer (a) beside the approved one (b)."""

    pair: Pair
    verdict: Verdict

    @property
    def score(self) -> float | None:
        """1 if the new answer won, 0 if the approved one did, one half for a tie; None if unreadable."""
        return None if self.verdict.outcome is None else SCORES[self.verdict.outcome]

    @property
    def n_tokens(self) -> int:
        """Tokens in and out of both readings of the verdict."""
        return sum(one.tokens_in + one.tokens_out for one in self.verdict.readings.values())


def pair_of(
    prompt: str | Sequence[Message],
    response: str,
    baseline: str,
    *,
    id: str = "",
    category: str | None = None,
    reference: str | None = None,
    system: str | None = None,
) -> Pair:
    """The pair of a new and an approved answer to a prompt, or to a conversation that ends in one."""
    context = (Message("user", prompt),) if isinstance(prompt, str) else tuple(prompt)
    pair = Pair(
        id=id,
        conversation_a=(*context, Message("assistant", response)),
        conversation_b=(*context, Message("assistant", baseline)),
        category=category,
        reference=reference,
        system=system,
    )
    return pair if id else replace(pair, id=pair.content_hash)


class SuiteJudge:
    """The judge of a test run. Weights load at the first pair that the ledger does not know.

    Use it in a `with` block, or call `close`.

    Args:
        options: the judge.
        ledger_path: its ledger, None for the one in the user's cache.
        is_forced: judge everything again, and keep nothing of it.
    """

    def __init__(
        self,
        options: JudgeOptions,
        ledger_path: Path | None = None,
        is_forced: bool = False,
        progress: Progress = silent,
    ) -> None:
        self.options = options
        self._progress = progress
        self._stack = ExitStack()
        if is_forced:
            ledger_path = Path(self._stack.enter_context(tempfile.TemporaryDirectory())) / "ledger.sqlite"
        self._ledger = self._stack.enter_context(Ledger(ledger_path or cache_folder() / "ledger.sqlite"))
        self._methods: dict[JudgeOptions, Method] = {}

    def __enter__(self) -> SuiteJudge:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        self._methods.clear()
        self._stack.close()

    def compare(self, pairs: Sequence[Pair]) -> list[Comparison]:
        """A comparison a pair. Raises BackendError, ModelError, InputError where there is no such judge."""
        verdicts = self._judged(pairs, self.options)
        return [Comparison(pair, verdict) for pair, verdict in zip(pairs, verdicts, strict=True)]

    def criteria(self, pair: Pair) -> str:
        """The slow judge's scores on each criterion as a table; a sentence where there are none."""
        from judge.drawing.steps import score_table

        _, slow = self.options.parts
        [verdict] = self._judged([pair], slow)
        return score_table(verdict, 100) or "The slow judge's replies could not be read."

    def _judged(self, pairs: Sequence[Pair], options: JudgeOptions) -> list[Verdict]:
        if options not in self._methods:
            self._methods[options] = options.load(self._progress, self._ledger)
        return judge_pairs(pairs, self._methods[options], self._ledger, self._progress)


def cluster_of(pair: Pair) -> str:
    """What makes two comparisons depend on each other, unless a test says otherwise: the first question."""
    return sha256_of_json(pair.question)[:16]
