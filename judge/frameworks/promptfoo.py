"""promptfoo: what its Python assertion asks for, a function of an output and its context."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from judge.forms.conversation import messages_or_as_is  # promptfoo keeps messages as JSON
from judge.frameworks.judging import OTHER, FrameworkJudge, held_by, pair_given, said_of, worth_of
from judge.records import Outcome

Assertion = Callable[[Any, Mapping[str, Any]], dict[str, Any]]
"""(the output, promptfoo's context) -> pass, score and reason."""


def pairwise(baseline: str = "baseline", **options: Any) -> Assertion:
    """`get_assert` for an assertion file of promptfoo: the output (A) beside a baseline (B), in both orders.

    The score is 1 where the output is better in both orders, 0 where it is worse, and 0.5 for a tie and where
    the orders disagree. It passes unless it is worse. Promptfoo has no place for an unreadable reply, so
    that is an error, which promptfoo shows as the reason of a failure.

    Args:
        baseline: which variable of a test holds the answer to compare with.
        options: those of `judge.Judge`.

    Raises:
        InputError: as `judge.Judge`; of a call also that the test has no such variable.
        BackendError: in a call, the engine failed or a reply could not be read.
    """
    judge = FrameworkJudge(**options)

    def get_assert(output: Any, context: Mapping[str, Any]) -> dict[str, Any]:
        other = held_by(context.get("vars") or {}, baseline, "the vars of promptfoo's test", OTHER)
        pair = pair_given(messages_or_as_is(context.get("prompt")), output, other)
        [verdict] = judge.read_verdicts([pair], "promptfoo")
        return {
            "pass": verdict.outcome is not Outcome.B,
            "score": worth_of(verdict),
            "reason": said_of(verdict, "the output", "the baseline"),
        }

    return get_assert
