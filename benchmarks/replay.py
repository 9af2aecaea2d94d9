"""A result file from committed judgments alone: no model, no adapter, no GPU.

    python -m benchmarks.replay mt-bench --judge "0.5B score=0123456789abcdef" --out mt-bench.json

What follows the name is the end of a judge's fingerprint, which is in the name of its shard in
`benchmarks/ledger`. It makes what `judge bench` makes of judges that it can load.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from judge.bench.result import result_of
from judge.bench.run import JudgeRun, chosen, entrants_of_runs, self_check, source_of
from judge.cli.console import check_writable
from judge.datasets.dataset import Dataset, Wanted, data_folder
from judge.drawing.steps import shared_steps
from judge.errors import InputError, JudgeError
from judge.evaluate import is_identical
from judge.ledger.ledger import Ledger
from judge.orders import combine
from judge.provenance import CHECKOUT, write_result
from judge.records import IDENTICAL, Order
from judge.study.study import study_of

SHARDS = CHECKOUT / "benchmarks" / "ledger"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("data", help="mt-bench, oasst, llmbar, hh-rlhf or a file of pairs")
    parser.add_argument("--judge", action="append", required=True, help="NAME=END OF ITS FINGERPRINT")
    parser.add_argument("--category", action="append", default=[], help="as for judge bench")
    parser.add_argument("--limit", type=int, help="so many pairs, from each category in proportion")
    parser.add_argument("--votes", default="", help="as for judge bench")
    parser.add_argument("--turn", default="", help="as for judge bench")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        check_writable(str(given.out), (given.data, given.votes, *shards()))
        result = replay(given)
    except JudgeError as error:
        parser.exit(2, f"{error}\n")
    write_result(given.out, result)


def replay(given: argparse.Namespace) -> dict[str, Any]:
    """The result file of these judges on these pairs."""
    named = judges_told(given.judge)
    if given.limit is not None and given.limit < 1:
        raise InputError(f"--limit {given.limit}: must be 1 or more.")
    source = source_of(given.data)
    turn, votes = given.turn or source.turn, given.votes or source.votes
    wanted = Wanted(data_folder(given.data_dir), turn_told(turn), votes)
    dataset = chosen(source.read(wanted), given.category, given.limit, 0)
    with committed() as ledger:
        runs = [replayed(name, end, dataset, ledger) for name, end in named]
    study = study_of(entrants_of_runs(runs, dataset), dataset.votes, dataset.pairs, seed=0)
    selection = {
        "data_set": given.data,
        "turn": turn,
        "votes": votes,
        "categories": list(given.category),
        "limit": given.limit,
    }
    return result_of(study, dataset, selection, self_check(given.data, wanted)) | {"replayed": True}


def turn_told(text: str) -> int | None:
    """The turn that this names; None is any. Raises InputError where it names none."""
    if text == "any":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--turn {text}: must be 1, 2, ..., or any.")
    return int(text)


def judges_told(specs: Sequence[str]) -> list[tuple[str, str]]:
    """The name and the end of the fingerprint of each judge told as NAME=END.

    Raises:
        InputError: one is told otherwise, or two have one name.
    """
    named = [(name, end) for name, _, end in (spec.rpartition("=") for spec in specs)]
    if half := [spec for spec, told in zip(specs, named, strict=True) if not all(told)]:
        raise InputError(f"--judge {half[0]}: must be NAME=END, of which END ends the judge's fingerprint.")
    refuse_twice([name for name, _ in named])
    return named


def refuse_twice(names: Sequence[str]) -> None:
    """Raises InputError if two judges have one name, as figures are told apart by it."""
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"--judge: two judges are named {twice[0]!r}. Each needs a name of its own.")


def shards() -> list[Path]:
    """The shards that are committed."""
    return sorted(SHARDS.glob("*.jsonl.gz"))


@contextmanager
def committed() -> Iterator[Ledger]:
    """A ledger with all that the committed shards say."""
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.sqlite") as ledger:
        ledger.load(shards())
        yield ledger


def replayed(name: str, end: str, dataset: Dataset, ledger: Ledger) -> JudgeRun:
    """The verdicts of the judge whose fingerprint ends so, with the mean seconds of one.

    Raises:
        InputError: there is no such judge in the shards, or it has not read every pair.
    """
    found = {print_: one for print_, one in ledger.identities().items() if print_.endswith(f"#{end}")}
    if len(found) != 1:
        raise InputError(f"--judge {name}={end}: {len(found)} judges in the shards have that fingerprint.")
    [(fingerprint, identity)] = found.items()
    contents = {pair.content_hash for pair in dataset.pairs if not is_identical(pair)}
    known = ledger.find(fingerprint, contents)
    if missing := [one for one in contents if any((one, order) not in known for order in Order)]:
        raise InputError(f"--judge {name}={end}: {len(missing)} of {len(contents)} pairs are not read.")
    verdicts = [
        combine(
            pair.id,
            {order: IDENTICAL if is_identical(pair) else known[pair.content_hash, order] for order in Order},
            fingerprint,
        )
        for pair in dataset.pairs
    ]
    seconds = ledger.elapsed(fingerprint, contents, [step.shared for step in shared_steps(verdicts)])
    return JudgeRun(name, identity, verdicts, seconds / len({pair.content_hash for pair in dataset.pairs}))


if __name__ == "__main__":
    main()
