"""How a run begins: its plan, kept in its folder, and an estimate of what it takes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.system2.plan import (
    PLAN,
    Plan,
    Rates,
    StagesOf,
    begun_plan,
    estimate_words,
    fitted,
    measured,
    question_tokens_of,
    stages_of,
    write_plan,
)
from benchmarks.system2.students import Workshop
from benchmarks.system2.task import Split, Task


def begun(
    task: Task,
    plan: Plan,
    folder: Path,
    workshop: Workshop,
    data: Path | None,
    within_s: float,
    stages: StagesOf = stages_of,
) -> tuple[Plan, str]:
    """The plan of the run, which the folder now has, and the estimate in words.

    Args:
        stages: the parts of such a run.

    Raises:
        InputError: another run has begun in the folder, or not even the least plan fits into the time.
    """
    texts = [question.text for question in task.questions(Split.TEST, plan.test, data)]
    tokens, longest = question_tokens_of(texts), max(texts, key=len)

    def rates_of(base_model: str) -> Rates:
        return measured(workshop.load(base_model, None), longest)

    before = begun_plan(folder / PLAN, plan)
    teacher = rates_of(plan.teacher)
    student = teacher if plan.student == plan.teacher else rates_of(plan.student)
    plan = before or fitted(task, plan, within_s, tokens, teacher, student, stages)
    write_plan(folder / PLAN, plan)
    return plan, estimate_words(task, plan, tokens, teacher, student, stages)
