"""`python -m distill.lease`: see the package's docstring."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from distill.lease import steps
from distill.lease.place import Place, timed
from judge.models import basemodels

LAST_S = 20.0
"""Seconds that are kept for bringing things home."""


def main() -> int:
    """How many steps failed, as the exit status."""
    given = arguments()
    if given.data:
        os.environ["JUDGE_DATA"] = str(given.data)
    if given.weights:
        fetch_all(given.weights)
    place = Place(
        data=given.data,
        out=given.out,
        work=given.work or given.out / "work",
        small=given.small,
        large=given.large,
        device=given.device,
        n_pairs=given.pairs,
        n_taught=given.teach,
        ends_at=time.monotonic() + given.within,
    )
    failed = [name for name in given.steps.split(",") if not is_well(place, name)]
    with timed("shards"):
        steps.shards(place)
    if failed:
        print(f"failed: {', '.join(failed)}", flush=True)
    return len(failed)


def is_well(place: Place, name: str) -> bool:
    """Runs a step if there is time left for it; False if it failed, which must not cost the others."""
    if place.left_s < LAST_S:
        print(f"{name}: no time is left, skipped", flush=True)
        return True
    try:
        run_step(place, name)
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
        return False
    return True


def run_step(place: Place, name: str) -> None:
    """Runs a step by its name; what follows a colon is for the step."""
    word, _, rest = name.partition(":")
    runs: dict[str, Callable[[], None]] = {
        "parity": lambda: steps.parity(place, rest or place.large),
        "signals": lambda: steps.signals(place),
        "student": lambda: steps.student(place, rest),
        "text": lambda: steps.text(place),
        "bare": lambda: steps.bare(place, rest),
        "bench": lambda: steps.bench(place, [rest]),
        "speed": lambda: steps.speed(place),
    }
    runs[word]()


def fetch_all(weights: Path) -> None:
    """Makes the models of the GGUF files in a folder, each checked against its pinned SHA-256."""
    for model in basemodels.KNOWN:
        files = [file for file in sorted(weights.glob("*.gguf")) if file.stat().st_size == model.size]
        if files and not basemodels.is_ready(model.name):
            with timed(f"weights of {model.name}"):
                basemodels.fetch_from(files[0], model.name)


def seconds_of(text: str) -> float:
    """Seconds of "540", "540s", "9m" or "2h"."""
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    return float(text[:-1]) * unit if unit else float(text)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m distill.lease", description=__doc__)
    parser.add_argument("--weights", type=Path, help="a folder with the GGUF files of the base models")
    parser.add_argument(
        "--data", type=Path, required=True, help="a folder with local copies of the data sets"
    )
    parser.add_argument("--out", type=Path, required=True, help="what is brought home")
    parser.add_argument("--work", type=Path, help="what is on the way (default: OUT/work)")
    parser.add_argument("--within", type=seconds_of, default=seconds_of("9m"), help="for example 9m")
    parser.add_argument("--steps", default=",".join(STEPS), help="which steps, in which order")
    parser.add_argument("--pairs", type=int, help="of each data set at most so many pairs, for a trial")
    parser.add_argument(
        "--teach", type=int, default=2500, help="pairs of OASST, and of HH-RLHF, to teach with"
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", default="qwen2.5-coder-0.5b")
    parser.add_argument("--large", default="qwen2.5-coder-1.5b")
    return parser.parse_args()


STEPS = (
    "parity",
    "signals",
    "student:grade-1.5b",
    "student:grade-0.5b",
    "student:pair-1.5b",
    "student:pair-0.5b",
    "text",
    "student:bsm-1.5b",
    "student:bsm-0.5b",
    "bench:grade-1.5b",
    "bench:grade-0.5b",
    "bench:pair-1.5b",
    "bench:pair-0.5b",
    "bare:direct",
    "speed",
)

if __name__ == "__main__":
    sys.exit(main())
