"""A control of Dualformer's dropping: small models learn mazes with the traces of A*, on this machine.

    python -m benchmarks.controls FOLDER --within 2h --out benchmarks/results/controls-mazes.json

FOLDER keeps the plan, every student and every reply. Interrupted, the same call goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.controls.plan import MOST_MAZES, SCALES, estimate_words, fitted, measured, plan_of
from benchmarks.controls.run import run
from benchmarks.system2.plan import PLAN, begun_plan, write_plan
from judge.errors import InputError, JudgeError
from judge.io.durations import seconds_in
from judge.progress import shown_progress
from judge.provenance import write_result


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.controls", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--within", metavar="TIME", default="2h", help="as many steps as fit; 2h by default")
    parser.add_argument("--seed", type=int, default=0, help="of mazes, weights and draws; 0 by default")
    parser.add_argument(
        "--scale",
        choices=SCALES,
        default="control",
        help="mazes of 10 x 10 and models of 3.3 million weights (control), 7 x 7 and 1.0, or 5 x 5 and 0.3",
    )
    parser.add_argument(
        "--mazes",
        type=int,
        default=MOST_MAZES,
        help=f"so many to learn from at most, each seen more often; {MOST_MAZES:,} by default",
    )
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args(arguments)
    try:
        within_s = seconds_in(given.within, "--within")
        if not 1 <= given.mazes <= MOST_MAZES:
            raise InputError(f"--mazes {given.mazes}: must be from 1 to {MOST_MAZES:,}.")
        wanted = plan_of(given.scale, given.seed, given.mazes)
        before = begun_plan(given.folder / PLAN, wanted)
        rates = measured(wanted, given.folder)
        plan = before or fitted(wanted, within_s, rates)
        write_plan(given.folder / PLAN, plan)
        print(estimate_words(plan, rates), flush=True)
        with shown_progress() as progress:
            result = run(plan, given.folder, progress)
    except JudgeError as error:
        parser.exit(2, f"{error}\n")
    write_result(given.out or given.folder / "result.json", result)


if __name__ == "__main__":
    main()
