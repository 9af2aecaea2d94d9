"""lm-evaluation-harness: `process_results` of a task whose outputs are judged beside a baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from judge.frameworks.judging import OTHER, FrameworkJudge, held_by, pair_given, worth_of
from judge.records import Status

WHERE = "a row of the task"

ProcessResults = Callable[[Mapping[str, Any], Sequence[str]], dict[str, float]]
"""(a row of the task's data, the model's outputs) -> metrics by their names."""


def pairwise(
    prompt: str = "prompt", baseline: str = "baseline", reference: str = "", **options: Any
) -> ProcessResults:
    """`process_results` for a task of lm-evaluation-harness: the model's output (A) beside a baseline (B).

    Its metrics are `win` (1 where the output is better in both orders, 0 where it is worse, 0.5 for a tie and
    where the orders disagree), `inconsistent` and `unparsed`. A row whose replies could not be read has
    `unparsed` alone, so the means of the others are over the rows that were read.

    Args:
        prompt: the column with what was asked, a text or messages.
        baseline: the column with the answer to compare with.
        reference: the column with a known good answer; "" for none.
        options: those of `judge.Judge`.

    Raises:
        InputError: as `judge.Judge`; of a row also that it has no such column.
        BackendError: of a row, the engine failed.
    """
    judge = FrameworkJudge(**options)

    def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
        pair = pair_given(
            held_by(doc, prompt, WHERE, "what was asked"),
            results[0],
            held_by(doc, baseline, WHERE, OTHER),
            held_by(doc, reference, WHERE, "a known good answer") if reference else None,
        )
        [verdict] = judge.verdicts([pair])
        if verdict.status is Status.UNPARSED:
            return {"unparsed": 1.0}
        return {
            "win": worth_of(verdict),
            "inconsistent": float(verdict.status is Status.INCONSISTENT),
            "unparsed": 0.0,
        }

    return process_results
