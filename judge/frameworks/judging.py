"""What all frameworks share: a judge that can be pickled, pairs of what they give, verdicts in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from judge.api import Judge
from judge.errors import BackendError, InputError, MissingExtra
from judge.io.given import asked, optional_given, text_given
from judge.records import Outcome, Pair, Status, Unparsed, Verdict

OTHER = "the answer to compare with"

WORTH = {Outcome.A: 1.0, Outcome.TIE: 0.5, Outcome.B: 0.0}
"""What a verdict is worth for answer A, orders that disagree being a tie."""


class FrameworkJudge:
    """A judge that frameworks may copy into other processes: what is copied is its options.

    Args:
        options: those of `judge.Judge`.

    Raises:
        InputError: as `judge.Judge`.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._judge = Judge(**options)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(FrameworkJudge, **self._options), ()

    def verdicts(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """One verdict per pair, in their order; some may be unparsed. Raises as `Judge.judge`."""
        return self._judge.judge(pairs)

    def read_verdicts(self, pairs: Sequence[Pair], framework: str) -> list[Verdict]:
        """The same for a framework that would count an unreadable reply as a win or a loss.

        Raises:
            BackendError: a reply could not be read.
        """
        verdicts = self.verdicts(pairs)
        unread = [verdict for verdict in verdicts if verdict.status is Status.UNPARSED]
        if unread:
            raise BackendError(
                f"{len(unread)} of {len(pairs)} pairs could not be read ({reason_of(unread[0])}). "
                f"{framework} has no way to leave a pair out. Give a judge that always chooses: method "
                "direct or score."
            )
        return verdicts


def pair_given(prompt: Any, a: Any, b: Any, reference: Any = None) -> Pair:
    """The pair of what a framework hands over: texts, or messages as OpenAI has them.

    Raises:
        InputError: something that is neither.
    """
    system, question = asked(prompt)
    return Pair.of(
        question,
        answer_given(a, "a"),
        answer_given(b, "b"),
        reference=optional_given(reference, "reference"),
        system=system,
    )


def answer_given(value: Any, name: str) -> str:
    """The text of an answer, which may come as a list of one message. Raises InputError."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping) and "role" in value[0]:
        value = value[0].get("content")
    return text_given(value, name)


def share_of_a(verdict: Verdict) -> float:
    """How far A is better, 0 to 1: the mean probability of both orders, or what the outcome is worth."""
    return worth_of(verdict) if verdict.p_a is None else verdict.p_a


def worth_of(verdict: Verdict) -> float:
    """1 where A is better in both orders, 0 where B is, 0.5 for a tie. The verdict has to have been read."""
    if verdict.outcome is None:
        raise ValueError(f"pair {verdict.pair_id!r} has no outcome")
    return WORTH[verdict.outcome]


def said_of(verdict: Verdict, a: str, b: str) -> str:
    """The verdict in a line, with what the two answers are called."""
    if verdict.outcome is None:
        return f"could not be read: {reason_of(verdict)}"
    probability = "" if verdict.p_a is None else f" (probability that {a} is better: {verdict.p_a:.2f})"
    if verdict.status is Status.INCONSISTENT:
        return f"a tie: each order of {a} and {b} says something else{probability}"
    if verdict.is_undecided:
        return f"undecided: too close to call between {a} and {b}{probability}"
    if verdict.outcome is Outcome.TIE:
        return f"a tie: {a} and {b} are equally good in both orders{probability}"
    return f"{a if verdict.outcome is Outcome.A else b} is better in both orders{probability}"


def reason_of(verdict: Verdict) -> str:
    """Why the first reply that could not be read could not be read, "" where all could."""
    reasons = (one.reason for one in verdict.readings.values() if isinstance(one, Unparsed))
    return next(reasons, "")


def missing_extra(extra: str, what: str, error: ImportError) -> MissingExtra:
    """The error where a framework is not installed."""
    return MissingExtra(f'{what} needs: pip install "four-token-judge[{extra}]" ({error})')


def held_by(cells: Mapping[str, Any], name: str, where: str, what: str) -> Any:
    """What stands under a name. Raises InputError, which says where, where nothing does."""
    if cells.get(name) is None:
        found = ", ".join(map(str, cells)) or "nothing"
        raise InputError(f"{where}: no {name!r} (found: {found}). It must hold {what}.")
    return cells[name]
