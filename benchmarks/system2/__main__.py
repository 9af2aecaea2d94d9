"""One table of "Distilling System 2 into System 1" from nothing, with models on this machine.

    python -m benchmarks.system2 coin-flip FOLDER --within 5h --out benchmarks/results/system2-coin-flip.json

FOLDER keeps the plan, every reply and every student. Interrupted, the same call goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.system2.plan import (
    Plan,
    Rates,
    begun_plan,
    estimate_words,
    fitted,
    measured,
    plan_of,
    question_tokens_of,
    write_plan,
)
from benchmarks.system2.run import run
from benchmarks.system2.students import OwnWorkshop, Workshop
from benchmarks.system2.task import Split, Task
from benchmarks.system2.tasks import TASKS
from judge.datasets.dataset import data_folder
from judge.errors import JudgeError
from judge.io.durations import seconds_in
from judge.progress import shown_progress
from judge.provenance import write_result

PLAN = "plan.json"
TEACHER = "qwen2.5-coder-1.5b"


def begun(
    task: Task, plan: Plan, folder: Path, workshop: Workshop, data: Path | None, within_s: float
) -> tuple[Plan, str]:
    """The plan of the run, which the folder now has, and the estimate in words."""
    texts = [question.text for question in task.questions(Split.TEST, plan.test, data)]
    tokens, longest = question_tokens_of(texts), max(texts, key=len)

    def rates_of(base_model: str) -> Rates:
        return measured(workshop.load(base_model, None), longest)

    before = begun_plan(folder / PLAN, plan)
    teacher = rates_of(plan.teacher)
    student = teacher if plan.student == plan.teacher else rates_of(plan.student)
    plan = before or fitted(task, plan, within_s, tokens, teacher, student)
    write_plan(folder / PLAN, plan)
    return plan, estimate_words(task, plan, tokens, teacher, student)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.system2", description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--teacher", default=TEACHER, help=f"base model; {TEACHER} by default")
    parser.add_argument("--student", help="base model; by default the teacher's own, as in the paper")
    parser.add_argument("--seeds", type=int, default=3, help="how many times each student is trained")
    parser.add_argument("--limit", type=int, help="questions of each split at most")
    parser.add_argument(
        "--within", metavar="TIME", default="3h", help="fewer seeds and questions where needed; 3h by default"
    )
    parser.add_argument("--data-dir", type=Path, help="folder of local copies; by default JUDGE_DATA")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args(arguments)
    task, data = TASKS[given.task], data_folder(given.data_dir)
    try:
        within_s = seconds_in(given.within, "--within")
        with shown_progress() as progress:
            workshop = OwnWorkshop(progress)
            plan = plan_of(task, given.teacher, given.student or given.teacher, given.seeds, given.limit)
            plan, words = begun(task, plan, given.folder, workshop, data, within_s)
            print(words, flush=True)
            result = run(task, plan, given.folder, workshop, data, progress)
    except JudgeError as error:
        parser.exit(2, f"{error}\n")
    write_result(given.out or given.folder / "result.json", result)


if __name__ == "__main__":
    main()
