"""`judge bench`: judges on a data set with people's votes -> tables, a result file, an HTML report."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.dataset import Dataset, Wanted, data_folder, only, stratified
from judge.console import (
    STYLE,
    LedgerOption,
    QuietOption,
    check_writable,
    interruptible,
    opened_ledger,
    progress_shown,
    show_study,
    write,
)
from judge.errors import InputError
from judge.options import JudgeOptions, judge_of_spec, takes_judge
from judge.records import NO_ADAPTER, Identity, Verdict
from judge.separation import refuse_mixed
from judge.summary import NO_CATEGORY

if TYPE_CHECKING:
    from benchmarks.selfcheck import Check
    from judge.ledger import Ledger
    from judge.progress import Progress
    from judge.study import Entrant

DATA_SETS = ("mt-bench", "oasst", "llmbar", "hh-rlhf")
TURNS = {"mt-bench": "1", "oasst": "1", "hh-rlhf": "1"}
VOTES = {"mt-bench": "experts"}
"""The turn that is judged and whose votes count, where nobody says: else any turn, and all votes."""

app = typer.Typer(**STYLE)


@app.command(
    "bench",
    epilog="Examples: judge bench mt-bench --data-dir data --html report.html. "
    "judge bench llmbar --judge name=fast --judge name=slow,method=bsm. "
    "judge bench pairs.jsonl --votes votes.jsonl. Interrupted, the same command goes on.",
)
@takes_judge
def bench(
    data: Annotated[
        str,
        typer.Argument(help=f"{', '.join(DATA_SETS)}, or a file of pairs (with --votes, or a column gold)."),
    ],
    specs: Annotated[
        list[str] | None,
        typer.Option(
            "--judge",
            help="A judge as name=value,...: base-model, adapter, method, backend and every other option of "
            "a judge below, and a name for the tables. May be given more than once; what it does not say is "
            "as below.",
        ),
    ] = None,
    votes: Annotated[
        str, typer.Option(help="MT-bench: experts, authors or all. A file of pairs: the file of votes.")
    ] = "",
    turn: Annotated[
        str,
        typer.Option(
            help="Which turn of a conversation is judged: 1, 2, ..., or any; by default 1 of MT-bench, "
            "OASST and HH-RLHF, and any of a file."
        ),
    ] = "",
    category: Annotated[
        list[str] | None, typer.Option(help="Only pairs of this category; may be given more than once.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="So many pairs, from each category in proportion.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the sample and of the intervals.")] = 0,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of local copies; by default JUDGE_DATA, else the Hugging Face hub."),
    ] = None,
    out: Annotated[str | None, typer.Option(help="Write the result file, JSON with every figure.")] = None,
    html: Annotated[str | None, typer.Option(help="Write one HTML file that can be opened anywhere.")] = None,
    markdown: Annotated[str | None, typer.Option(help="Write Markdown; - is standard output.")] = None,
    ledger: LedgerOption = None,
    quiet: QuietOption = False,
    *,
    judge: JudgeOptions,
) -> None:
    """Measure judges on a data set: agreement with people, and how often a verdict flips."""
    from benchmarks.provenance import as_json
    from benchmarks.result import frame_of, result_of
    from judge.gallery import galleries_of
    from judge.study import study_of

    for path in (out, html, markdown):
        check_writable(path)
    named = [judge_of_spec(spec, judge) for spec in specs or ()] or [("", judge)]
    turn, votes = turn or TURNS.get(data, "any"), votes or VOTES.get(data, "")
    wanted = Wanted(data_folder(data_dir), _turn_of(turn), votes)
    dataset = chosen(read(data, wanted), category or (), limit, seed)
    with interruptible(), progress_shown(quiet) as progress, opened_ledger(ledger) as book:
        refuse_hopeless(named, book, progress)
        runs = [judged(name, options, dataset, book, progress) for name, options in named]
        entrants = entrants_of(runs, dataset)
        study = study_of(entrants, dataset.votes, dataset.pairs, seed=seed)
    selection = {
        "data_set": data,
        "turn": turn,
        "votes": votes,
        "categories": category or [],
        "limit": limit,
    }
    result = result_of(study, dataset, selection, self_check(data, wanted))
    frame = frame_of(result)
    if out is not None:
        write(out, as_json(result) + "\n")
    galleries = galleries_of(entrants, dataset.votes, dataset.pairs) if html else ()
    show_study(study, frame, galleries, html, markdown, out)


def refuse_hopeless(named: Sequence[tuple[str, JudgeOptions]], ledger: Ledger, progress: Progress) -> None:
    """Before hours of judging: every judge can be named, and their figures may stand in one table.

    Raises:
        InputError: one judge learned people's votes, and another one something else.
        JudgeError: a judge is none: there is no such adapter, server, base model.
    """
    identities = [options.load(progress, ledger).identity for _, options in named]
    names = names_of([name for name, _ in named], identities)
    refuse_mixed(zip(names, (one.adapter for one in identities), strict=True))


@dataclass(frozen=True, slots=True)
class Run:
    """One judge's verdicts on a data set. `name` is "" where the user gave none."""

    name: str
    identity: Identity
    verdicts: Sequence[Verdict]
    elapsed_s: float


def judged(name: str, options: JudgeOptions, dataset: Dataset, ledger: Ledger, progress: Progress) -> Run:
    """The verdicts of one judge; its model is let go of before the next one loads.

    The seconds are those of the ledger, mean of a verdict, with what was asked once shared out.
    """
    from judge.evaluate import judge_pairs
    from judge.steps import shared_steps

    method = options.load(progress, ledger)
    identity = method.identity
    verdicts = judge_pairs(dataset.pairs, method, ledger, progress)
    del method
    gc.collect()
    contents = {pair.content_hash for pair in dataset.pairs}
    keys = [step.shared for step in shared_steps(verdicts)]
    elapsed_s = ledger.elapsed(identity.fingerprint, contents, keys) / len(contents)
    return Run(name, identity, verdicts, elapsed_s)


def entrants_of(runs: Sequence[Run], dataset: Dataset) -> list[Entrant]:
    """The judges under their names, and released verdicts on the data set."""
    from judge.study import Entrant, Kind

    names = names_of([run.name for run in runs], [run.identity for run in runs])
    judges = [
        Entrant(name, Kind.JUDGE, run.verdicts, run.elapsed_s, run.identity)
        for name, run in zip(names, runs, strict=True)
    ]
    return [*judges, *released_of(dataset)]


def released_of(dataset: Dataset) -> list[Entrant]:
    """Somebody else's judges, whose verdicts on the data set were released."""
    from judge.study import Entrant, Kind

    return [
        Entrant(f"{name} (released)", Kind.RELEASED, verdicts) for name, verdicts in dataset.released.items()
    ]


def names_of(given: Sequence[str], identities: Sequence[Identity]) -> list[str]:
    """A name a judge: as given, else model, adapter and method; the fingerprint where two would be alike."""
    labels = [
        name or f"{one.base_model}{'' if one.adapter == NO_ADAPTER else f'+{one.adapter}'} {one.method}"
        for name, one in zip(given, identities, strict=True)
    ]
    return [
        one.fingerprint if labels.count(label) > 1 and not name else label
        for name, label, one in zip(given, labels, identities, strict=True)
    ]


def read(data: str, wanted: Wanted) -> Dataset:
    """The data set of that name, or of that file."""
    from benchmarks import hh_rlhf, llmbar, mt_bench, oasst, own_file

    readers: dict[str, Callable[[Wanted], Dataset]] = {
        "mt-bench": mt_bench.read,
        "oasst": oasst.read,
        "llmbar": llmbar.read,
        "hh-rlhf": hh_rlhf.read,
    }
    if data in readers:
        return readers[data](wanted)
    if not Path(data).suffix:
        raise InputError(
            f"{data}: no such data set. There are {', '.join(readers)}, or name a file of pairs."
        )
    return own_file.read(data, wanted)


def chosen(dataset: Dataset, categories: Sequence[str], limit: int | None, seed: int) -> Dataset:
    """The part of the data set that was asked for.

    Raises:
        InputError: there is no such category.
    """
    known = sorted({pair.category or NO_CATEGORY for pair in dataset.pairs})
    if unknown := [name for name in categories if name not in known]:
        raise InputError(f"--category {unknown[0]}: no such category. There are: {', '.join(known)}.")
    pairs = [pair for pair in dataset.pairs if not categories or (pair.category or NO_CATEGORY) in categories]
    ids = frozenset(pair.id for pair in pairs)
    if limit is not None and limit < len(pairs):
        ids = stratified(pairs, limit, seed)
    return dataset if len(ids) == len(dataset.pairs) else only(dataset, ids)


def self_check(data: str, wanted: Wanted) -> list[Check]:
    """What the harness makes of MT-bench's published figures; empty for other data."""
    from benchmarks import mt_bench
    from benchmarks.selfcheck import checks

    if data != "mt-bench":
        return []
    published = replace(wanted, turn=1, votes="experts")
    return checks(mt_bench.read(published), mt_bench.released_verdicts(published))


def _turn_of(text: str) -> int | None:
    if text == "any":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--turn {text}: must be 1, 2, ..., or any.")
    return int(text)
