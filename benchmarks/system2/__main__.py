"""One table of "Distilling System 2 into System 1" from nothing, with models on this machine.

    python -m benchmarks.system2 coin-flip FOLDER --within 5h --out benchmarks/results/system2-coin-flip.json

FOLDER keeps the plan, every reply and every student. Interrupted, the same call goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.system2.beginning import begun
from benchmarks.system2.plan import plan_of
from benchmarks.system2.run import run
from benchmarks.system2.students import OwnWorkshop
from benchmarks.system2.tasks import TASKS
from judge.datasets.dataset import data_folder
from judge.errors import JudgeError
from judge.io.durations import seconds_in
from judge.progress import shown_progress
from judge.provenance import write_result

TEACHER = "qwen2.5-coder-1.5b"


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
