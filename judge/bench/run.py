"""A run of judges on a data set: the pairs, the verdicts, and the judges' names."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from judge.api import Judge, MethodMaker
from judge.datasets import DATA_SETS, own_file
from judge.datasets.dataset import Check, Dataset, DataSource, Wanted, not_empty, only, stratified
from judge.errors import InputError
from judge.ledger.replay import Replay
from judge.models.separation import refuse_mixed
from judge.options import JudgeOptions
from judge.records import NO_CATEGORY, Identity, Pair, Verdict

if TYPE_CHECKING:
    from judge.ledger.ledger import Ledger
    from judge.progress import Progress
    from judge.study.study import Entrant


def refuse_hopeless(
    named: Sequence[tuple[str, JudgeOptions]],
    ledger: Ledger,
    progress: Progress,
    method: MethodMaker | None = None,
) -> None:
    """Checks, before hours of judging, that judges can be named and their figures may share a table.

    Raises:
        InputError: two judges have one name, or one learned people's votes, and another one something else.
        JudgeError: a judge cannot be made: there is no such adapter, server or base model.
    """
    judges = [Judge.of(options, ledger=ledger, progress=progress, method=method) for _, options in named]
    identities = [judge.identity for judge in judges]
    names = names_of([name for name, _ in named], identities)
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two judges are named {repeated}. Give each its own name.")
    refuse_mixed(zip(names, (one.adapter for one in identities), strict=True))


def with_those_before(named: Sequence[tuple[str, JudgeOptions]]) -> list[tuple[str, JudgeOptions]]:
    """The judges, and after each calibrated one the same before: its readings are in the ledger by then."""
    found = []
    for name, options in named:
        found.append((name, options))
        if options.rule is not None:
            before = f"{name} before" if name else "", replace(options, calibration="", abstain_below=None)
            found += [before] if before not in found else []
    return found


@dataclass(frozen=True, slots=True)
class JudgeRun:
    """One judge's verdicts on a data set, and its notice. `name` is "" where the user gave none."""

    name: str
    identity: Identity
    verdicts: Sequence[Verdict]
    elapsed_s: float
    replay: Replay = field(default_factory=Replay)
    notice: str = ""


def judge_dataset(
    name: str,
    options: JudgeOptions,
    dataset: Dataset,
    ledger: Ledger,
    progress: Progress,
    method: MethodMaker | None = None,
) -> JudgeRun:
    """The verdicts of one judge; its model is freed before the next one loads.

    The seconds are those of the ledger, mean of a verdict, with what was asked once shared out. `method`
    makes a judge that reads elsewhere.
    """
    judge = Judge.of(options, ledger=ledger, progress=progress, method=method)
    verdicts = judge.judge(dataset.pairs)
    elapsed_s = judge.elapsed_s(dataset.pairs, verdicts) / len({pair.content_hash for pair in dataset.pairs})
    notice = " ".join(filter(None, (judge.notice, learned_in_words(options, dataset.pairs))))
    run = JudgeRun(name, judge.identity, verdicts, elapsed_s, judge.replay, notice)
    del judge
    gc.collect()
    return run


def learned_in_words(options: JudgeOptions, pairs: Sequence[Pair]) -> str:
    """How many of the pairs the judge's adapter has learned, by its manifest; "" where it is none."""
    adapter = options.adapter_here
    learned = set(adapter.manifest["data"]["train"]) if adapter else set()
    turned = (
        replace(one, conversation_a=one.conversation_b, conversation_b=one.conversation_a) for one in pairs
    )
    n = sum(
        one.content_hash in learned or other.content_hash in learned
        for one, other in zip(pairs, turned, strict=True)
    )
    said = f"It has learned from {n:,} of these {len(pairs):,} pairs, so its figures are not of new ones."
    return said if n else ""


def entrants_of_runs(runs: Sequence[JudgeRun], dataset: Dataset) -> list[Entrant]:
    """The judges under their names, and released verdicts on the data set."""
    from judge.study.study import Entrant, EntrantKind

    names = names_of_runs(runs)
    judges = [
        Entrant(name, EntrantKind.JUDGE, run.verdicts, run.elapsed_s, run.identity)
        for name, run in zip(names, runs, strict=True)
    ]
    return [*judges, *released_of(dataset)]


def names_of_runs(runs: Sequence[JudgeRun]) -> list[str]:
    """A name a run, for tables."""
    return names_of([run.name for run in runs], [run.identity for run in runs])


def released_of(dataset: Dataset) -> list[Entrant]:
    """Other people's judges whose verdicts on the data set were released."""
    from judge.study.study import Entrant, EntrantKind

    return [
        Entrant(f"{name} (released)", EntrantKind.RELEASED, verdicts)
        for name, verdicts in dataset.released.items()
    ]


def names_of(given: Sequence[str], identities: Sequence[Identity]) -> list[str]:
    """One name per judge: as given, else model, adapter and method; the fingerprint if two would be equal."""
    labels = [name or one.name for name, one in zip(given, identities, strict=True)]
    return [
        one.fingerprint if labels.count(label) > 1 and not name else label
        for name, label, one in zip(given, labels, identities, strict=True)
    ]


def source_of(data: str, mapping: str = "") -> DataSource:
    """How the data set of that name is read, or the one in that file.

    Args:
        mapping: which column is what in a file of no known form, as `--map` says it.

    Raises:
        InputError: there is no such data set, and the name is not that of a file either; or a data set has a
            mapping.
        PluginError: another package defines it, but it cannot be used.
    """
    if found := DATA_SETS.find(data):
        if mapping:
            raise InputError(
                f"--map: {data} is a data set, whose columns are known. It is for a file of pairs."
            )
        return found
    if not (data == "-" or Path(data).suffix or (Path(data).exists() and not Path(data).is_dir())):
        known = ", ".join(DATA_SETS.names())
        raise InputError(
            f"{data}: no such data set. There are {known}, or name a file of pairs.{DATA_SETS.like(data)}"
        )
    return DataSource(partial(own_file.read, data, mapping=mapping))


def read(data: str, wanted: Wanted) -> Dataset:
    """The data set of that name, or of that file."""
    return source_of(data).read(wanted)


def chosen(dataset: Dataset, categories: Sequence[str], limit: int | None, seed: int) -> Dataset:
    """The part of the data set that was asked for.

    Raises:
        InputError: it has no pair, or there is no such category.
    """
    known = sorted({pair.category or NO_CATEGORY for pair in not_empty(dataset).pairs})
    if unknown := [name for name in categories if name not in known]:
        raise InputError(f"--category {unknown[0]}: no such category. There are: {', '.join(known)}.")
    pairs = [pair for pair in dataset.pairs if not categories or (pair.category or NO_CATEGORY) in categories]
    ids = frozenset(pair.id for pair in pairs)
    if limit is not None and limit < len(pairs):
        ids = stratified(pairs, limit, seed)
    return dataset if len(ids) == len(dataset.pairs) else only(dataset, ids)


def self_check(data: str, wanted: Wanted) -> Sequence[Check]:
    """The published figures of this data beside the harness's own; empty if none are published."""
    published = source_of(data).self_check
    return published.checks(wanted) if published else []
