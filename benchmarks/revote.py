"""Other votes over samples that a ledger has, so that rules of voting are compared on the same samples.

    python -m benchmarks.revote hh-rlhf --limit 60 --ledger FILE \
        --drawn base-model=large,method=bsm-text,samples=8,temperature=0.7 \
        --judge base-model=large,method=bsm-text,samples=8,temperature=0.7,vote=ranked,ranker=FOLDER

The ledger has the readings of the judge `--drawn`, a vote that keeps its samples. Those of each `--judge` are
made of them, as if it had drawn the same, and go into the ledger under its own fingerprint. `judge bench`
finds them there, but draws what no vote decided once more; `benchmarks.replay` makes a result of exported
shards as they are. A judge of one sample has the first of those drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from copy import copy
from pathlib import Path

from benchmarks.replay import turn_told
from judge.bench.run import chosen, judge_dataset, source_of
from judge.datasets.dataset import Dataset, Wanted, data_folder
from judge.errors import InputError, JudgeError
from judge.ledger.ledger import Ledger
from judge.methods import Method
from judge.methods.voting import Vote, samples_of
from judge.options import JudgeOptions, judge_of_spec, judge_options
from judge.progress import Progress, shown_progress, silent
from judge.records import Identity, Order, Pair, Reading


class Recorded:
    """One sample of each reading of a vote in a ledger, in the place of the method that drew it."""

    def __init__(self, method: Method, number: int, vote: str, ledger: Ledger) -> None:
        self.backend = method.backend
        self.batch_characters = method.batch_characters
        self.identity: Identity = method.identity
        self.number = number
        self.vote = vote
        self.ledger = ledger

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """Nothing is asked."""

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        """The samples of these readings. Raises InputError where the ledger lacks one."""
        known = self.ledger.find(self.vote, {pair.content_hash for pair, _ in items})
        if missing := [pair.id for pair, order in items if (pair.content_hash, order) not in known]:
            raise InputError(
                f"--drawn: the ledger has no samples of pair {missing[0]}. Judge it by {self.vote} before."
            )
        return [samples_of(known[pair.content_hash, order])[self.number] for pair, order in items]


def revoting(method: Method, drawn: Method, ledger: Ledger) -> Method:
    """The method as it reads where its samples are those that `drawn` left in the ledger.

    Raises:
        InputError: `drawn` is no vote, or would not have drawn what this one draws.
    """
    if not isinstance(drawn, Vote):
        raise InputError("--drawn: it takes one sample. Say samples=8,temperature=0.7, as they were drawn.")
    own = method.samples if isinstance(method, Vote) else (method,)
    if [one.identity for one in own] != [one.identity for one in drawn.samples[: len(own)]]:
        raise InputError(f"--judge: {method.identity.fingerprint} draws other samples than --drawn has.")
    vote = drawn.identity.fingerprint
    recorded = tuple(Recorded(one, number, vote, ledger) for number, one in enumerate(own))
    if not isinstance(method, Vote):
        return recorded[0]
    revoted = copy(method)
    revoted.samples = recorded
    return revoted


def revote(drawn: JudgeOptions, judge: JudgeOptions, dataset: Dataset, ledger: Ledger, tell: Progress) -> str:
    """Writes the judge's readings into the ledger; how many verdicts were there already."""

    def made(options: JudgeOptions, book: Ledger) -> Method:
        return revoting(options.load(tell, book), drawn.load(silent, book), book)

    run = judge_dataset("", judge, dataset, ledger, tell, made)
    return f"{run.identity.fingerprint}: {run.replay}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.revote", description=__doc__)
    parser.add_argument("data", help="as for judge bench")
    parser.add_argument("--ledger", type=Path, required=True, help="with the readings of --drawn")
    parser.add_argument("--drawn", required=True, help="the vote whose samples are there, as name=value,...")
    parser.add_argument("--judge", action="append", required=True, help="a judge, as name=value,...")
    parser.add_argument("--limit", type=int, help="so many pairs, as judge bench takes them")
    parser.add_argument("--data-dir", type=Path, help="folder of local copies; by default JUDGE_DATA")
    given = parser.parse_args(arguments)
    try:
        if given.limit is not None and given.limit < 1:
            raise InputError(f"--limit {given.limit}: must be 1 or more.")
        drawn, *judges = (judge_of_spec(spec, judge_options())[1] for spec in (given.drawn, *given.judge))
        source = source_of(given.data)
        wanted = Wanted(data_folder(given.data_dir), turn_told(source.turn), source.votes)
        dataset = chosen(source.read(wanted), (), given.limit, 0)
        with Ledger(given.ledger) as ledger, shown_progress() as tell:
            for judge in judges:
                print(revote(drawn, judge, dataset, ledger, tell))
    except JudgeError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
