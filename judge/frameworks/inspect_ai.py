"""inspect_ai: a scorer of a model's answer beside another one, which keeps what it cannot read apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from judge.frameworks.judging import (
    OTHER,
    FrameworkJudge,
    held_by,
    missing_extra,
    pair_given,
    reason_of,
    said_of,
    worth_of,
)
from judge.records import Pair, Status, Verdict

if TYPE_CHECKING:
    from inspect_ai.scorer import Score, Scorer, Target
    from inspect_ai.solver import TaskState

ANSWER, BASELINE = "the answer", "the baseline"


def pairwise(baseline: str = "", **options: Any) -> Scorer:
    """A scorer of the model's answer (A) beside a baseline (B), read in both orders.

    A score has `win`: 1 for an answer that is better in both orders, 0 for one that is worse, 0.5 for a tie
    and where the orders disagree; and `inconsistent`: 1 where they disagree. What could not be read is
    unscored: it counts in no mean, and the log's `unscored_samples` says how many there are.

    Args:
        baseline: which key of a sample's metadata holds the baseline, and its target is then a known good
            answer; "" takes the target itself for the baseline.
        options: those of `judge.Judge`; the log keeps them.

    Raises:
        InputError: as `judge.Judge`; of a sample also that it has no baseline.
        MissingExtra: inspect_ai is not installed.
    """
    try:
        from anyio.to_thread import run_sync
        from inspect_ai.scorer import mean, scorer, stderr
    except ImportError as error:
        raise missing_extra("inspect", "A scorer for inspect_ai", error) from error

    @scorer(  # type: ignore[untyped-decorator]  # it is Any where inspect_ai is not installed
        metrics={"win": [mean(), stderr()], "inconsistent": [mean()]}, name="pairwise"
    )
    def scorer_of(baseline: str = "", **options: Any) -> Scorer:
        judge = FrameworkJudge(**options)

        async def score(state: TaskState, target: Target) -> Score:
            pair = _pair(state, target, baseline)
            [verdict] = await run_sync(judge.verdicts, [pair])
            return _score(verdict, pair)

        return score

    return scorer_of(baseline, **options)


def _pair(state: TaskState, target: Target, baseline: str) -> Pair:
    """The model's answer and the baseline, after the sample's input as it was given."""
    prompt = state.input if isinstance(state.input, str) else [_message(one) for one in state.input]
    if not baseline:
        return pair_given(prompt, state.output.completion, target.text)
    other = held_by(state.metadata, baseline, f"the metadata of sample {state.sample_id!r}", OTHER)
    return pair_given(prompt, state.output.completion, other, target.text or None)


def _message(message: Any) -> Mapping[str, Any]:
    return {"role": message.role, "content": message.text}


def _score(verdict: Verdict, pair: Pair) -> Score:
    from inspect_ai.scorer import Score

    beside = {"status": verdict.status.value, "p_a": verdict.p_a, "judge": verdict.judge}
    if verdict.status is Status.UNPARSED:
        return Score.unscored(
            reason="unparsed",
            answer=pair.response_a,
            explanation=reason_of(verdict),
            metadata=beside,
        )
    return Score(
        value={"win": worth_of(verdict), "inconsistent": float(verdict.status is Status.INCONSISTENT)},
        answer=pair.response_a,
        explanation=said_of(verdict, ANSWER, BASELINE),
        metadata=beside,
    )
