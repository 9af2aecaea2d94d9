"""What wrong chains of thought teach, on GSM8K, from nothing, with models on this machine.

    python -m benchmarks.negatives FOLDER --within 3h --out benchmarks/results/negatives-gsm8k.json

FOLDER keeps the plan, every reply, every student and the ranker. Interrupted, the same call goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.negatives.chains import TASK, stages_of
from benchmarks.negatives.run import run
from benchmarks.negatives.students import OwnWorkshop
from benchmarks.system2.beginning import begun
from benchmarks.system2.plan import plan_of
from judge.datasets.dataset import data_folder
from judge.errors import JudgeError
from judge.io.durations import seconds_in
from judge.progress import shown_progress
from judge.provenance import write_result

TEACHER, STUDENT = "qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.negatives", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--teacher", default=TEACHER, help=f"base model; {TEACHER} by default")
    parser.add_argument("--student", default=STUDENT, help=f"base model; {STUDENT} by default")
    parser.add_argument("--limit", type=int, help="questions of each split at most")
    parser.add_argument(
        "--within", metavar="TIME", default="3h", help="fewer questions where needed; 3h by default"
    )
    parser.add_argument("--data-dir", type=Path, help="folder of local copies; by default JUDGE_DATA")
    parser.add_argument(
        "--chains", type=Path, help="the teacher's chains in a file of an earlier run, FOLDER/chains.jsonl.gz"
    )
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args(arguments)
    data = data_folder(given.data_dir)
    try:
        within_s = seconds_in(given.within, "--within")
        with shown_progress() as progress:
            workshop = OwnWorkshop(progress)
            plan = plan_of(TASK, given.teacher, given.student, 1, given.limit)
            plan, words = begun(TASK, plan, given.folder, workshop, data, within_s, stages_of)
            print(words, flush=True)
            result = run(plan, given.folder, workshop, data, progress, given.chains)
    except JudgeError as error:
        parser.exit(2, f"{error}\n")
    write_result(given.out or given.folder / "result.json", result)


if __name__ == "__main__":
    main()
