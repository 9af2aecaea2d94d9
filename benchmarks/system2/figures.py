"""Figures of a result: shares of the marks with their intervals, and the table that shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.system2.paper import MODEL, PAPER
from benchmarks.system2.run import CONTROL, DISTILLED, RIGHT, SCHEMA, SYSTEM_1, TAUGHT, UNFILTERED, UNTAUGHT
from benchmarks.system2.task import Task
from benchmarks.system2.tasks import TASKS
from distill.ensemble import wilson
from judge.errors import InputError
from judge.provenance import CHECKOUT

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """A share of right answers, the mean of all seeds, with its 95 % interval over questions (Wilson).

    `least` and `most` are those of single seeds.
    """

    share: float
    low: float
    high: float
    least: float
    most: float
    n: int
    n_seeds: int


def result_path(task: str, checkout: Path = CHECKOUT) -> Path:
    """Where the committed result of a task lies, if there is one."""
    return checkout / "benchmarks" / "results" / f"system2-{task}.json"


def result_of(task: str, checkout: Path = CHECKOUT) -> Result | None:
    """The committed result of a task; None where it has not been measured.

    Raises:
        InputError: the file is of another schema.
    """
    return result_in(result_path(task, checkout), SCHEMA)


def result_in(path: Path, schema: str) -> Result | None:
    """The result in a file; None where there is none.

    Raises:
        InputError: the file is of another schema.
    """
    if not path.is_file():
        return None
    result: Result = json.loads(path.read_text(encoding="utf-8"))
    if result.get("schema") != schema:
        raise InputError(f"{path}: schema {result.get('schema')}. It must be {schema}.")
    return result


def names_of(task: Task) -> dict[str, str]:
    """The rows of a task's table in their order, and what it calls them."""
    return {
        SYSTEM_1: "System 1",
        UNTAUGHT: "System 1 of the student",
        **{name: one.what for name, one in task.system_2.items()},
        **TAUGHT,
    }


def kinds_of(task: Task, result: Result | None) -> list[str]:
    """The kinds of questions that have a column."""
    measured = [kind for row in result["rows"] for kind in row["marks"]] if result else []
    return list(dict.fromkeys([*(kind for _, kind in PAPER[task.name]), *measured]))


def figure_of(result: Result | None, name: str, kind: str) -> Figure | None:
    """A row's figure for a kind of question; None where it was not measured."""
    marks = [row["marks"][kind] for row in result["rows"] if row["name"] == name] if result else []
    if not marks:
        return None
    shares = [one.count(RIGHT) / len(one) for one in marks]
    mean = sum(shares) / len(shares)
    low, high = wilson(mean, len(marks[0]))
    return Figure(mean, low, high, min(shares), max(shares), len(marks[0]), len(marks))


def table_of(task_name: str) -> str:
    """The task's table: the paper's figures, ours where they were measured, and what they rest on."""
    task, result = TASKS[task_name], result_of(task_name)
    return "\n".join([*rows_of(task, result), "", *notes_of(task, result)])


def rows_of(task: Task, result: Result | None) -> list[str]:
    kinds = kinds_of(task, result)
    ours = "ours" if result is None else result["base_model"]
    heads = [f"{who}{f', {kind}' if kind else ''}, %" for kind in kinds for who in (MODEL, ours)]
    lines = [f"| | {' | '.join(heads)} | tokens written |", "| --- " * (len(heads) + 2) + "|"]
    for name, what in names_of(task).items():
        figures = [figure_of(result, name, kind) for kind in kinds]
        papers = [PAPER[task.name].get((name, kind)) for kind in kinds]
        if any(one is not None for one in (*figures, *papers)):
            cells = [
                cell
                for two in zip(map(paper_cell, papers), map(cell_of, figures), strict=True)
                for cell in two
            ]
            lines.append(f"| {what} | {' | '.join(cells)} | {tokens_of(result, name)} |")
    return lines


def paper_cell(percent: float | None) -> str:
    return "-" if percent is None else f"{percent:.1f}"


def cell_of(figure: Figure | None) -> str:
    """ "81.3 (76.9-85.0)", and the range of the seeds where there are several."""
    if figure is None:
        return "-"
    seeds = f"; seeds {100 * figure.least:.1f}-{100 * figure.most:.1f}" if figure.n_seeds > 1 else ""
    return f"{100 * figure.share:.1f} ({100 * figure.low:.1f}-{100 * figure.high:.1f}{seeds})"


def tokens_of(result: Result | None, name: str) -> str:
    """Tokens that a question's replies have in the mean."""
    found = [row["tokens_out"] for row in result["rows"] if row["name"] == name] if result else []
    return f"{sum(found) / len(found):.1f}" if found else "-"


def notes_of(task: Task, result: Result | None) -> list[str]:
    """Under the table: what was asked of whom, what the filters kept, and both figures of the cheap test."""
    if result is None:
        return [f"Ours have not been measured: `python -m benchmarks.system2 {task.name} FOLDER`."]
    n, signal, taught_by = result["n_questions"], result["signal"], names_of(task)[result["taught_by"]]
    student = "itself" if result["student"] == result["base_model"] else result["student"]
    lines = [
        f"{result['base_model']} by {taught_by} teaches {student}: {n['train']} questions to learn from, "
        f"{n['test']} to measure, 95 % intervals over questions (Wilson); "
        f"`{result_path(task.name).name}`, on {result['cpu']}.",
        "",
        "| what is taught | kept | right of the kept |",
        "| --- | --- | --- |",
    ]
    for name in (DISTILLED, UNFILTERED, CONTROL):
        one = result["targets"][name]
        lines.append(
            f"| {TAUGHT[name]} | {one['kept']} of {n['train']} | {percent(one['right'], one['kept'])} |"
        )
    lines += [
        "",
        f"Large majority: {percent(signal['large'], signal['n'])} of the questions. Held-out targets that "
        f"the student gives: {percent(signal['fit_before'], signal['n_fit'])} before, "
        f"{percent(signal['fit_after'], signal['n_fit'])} after {signal['n_steps']} steps"
        f"{constant_words(signal)}.",
    ]
    return lines


def constant_words(signal: Mapping[str, Any]) -> str:
    """What always giving one answer would come to, where that was counted."""
    if "fit_constant" not in signal:
        return ""
    return f"; always the most frequent one: {percent(signal['fit_constant'], signal['n_fit'])}"


def percent(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if total else "-"


# --- when distilling works -------------------------------------------------------------------------------


def large_share(result: Result) -> float:
    """Share of the training questions on which the samples have a large majority."""
    return float(result["signal"]["large"] / result["signal"]["n"])


def gap_closed(result: Result) -> float:
    """What part of the way to all held-out targets the student went in its training; 1 is all of it.

    The way begins at what the bare model gives, or at what always giving the most frequent target gives,
    where that is more: a student that says one word to everything has learned nothing. In a result of before
    that was counted it begins at the bare model.
    """
    signal = result["signal"]
    start = max(signal["fit_before"], signal.get("fit_constant", 0))
    missing = signal["n_fit"] - start
    return float((signal["fit_after"] - start) / missing) if missing else 1.0


def has_distilled(result: Result, kind: str) -> bool:
    """Whether the student is better at once than its model was: the interval lies above that figure."""
    base = SYSTEM_1 if result["student"] == result["base_model"] else UNTAUGHT
    before, after = figure_of(result, base, kind), figure_of(result, DISTILLED, kind)
    return before is not None and after is not None and after.low > before.share


def signal_table() -> str:
    """Both figures of the cheap test beside what came of the night, and where a threshold parts the tasks."""
    lines = [
        "| task | large majority, % of questions | gap to held-out targets closed, % | has distilled |",
        "| --- | --- | --- | --- |",
    ]
    told: list[tuple[Result, bool]] = []
    for name, task in TASKS.items():
        result = result_of(name)
        if result is None:
            lines.append(f"| {name} | - | - | - |")
            continue
        told.append((result, has_distilled(result, kinds_of(task, result)[0])))
        figures = f"{100 * large_share(result):.0f} | {100 * gap_closed(result):.0f}"
        lines.append(f"| {name} | {figures} | {'yes' if told[-1][1] else 'no'} |")
    if {has for _, has in told} == {True, False}:
        lines += [
            "",
            f"Large majority: {parting_words([(large_share(one), has) for one, has in told])}. "
            f"Gap closed: {parting_words([(gap_closed(one), has) for one, has in told])}.",
        ]
    return "\n".join(lines)


def parting(values: Sequence[tuple[float, bool]]) -> tuple[float, float] | None:
    """Between which two figures a threshold must lie to part what has distilled from what has not.

    Both must be among the values. None where no threshold does that: one that has not is as high as one that
    has.
    """
    low = max(value for value, has in values if not has)
    high = min(value for value, has in values if has)
    return (low, high) if low < high else None


def parting_words(values: Sequence[tuple[float, bool]]) -> str:
    found = parting(values)
    if found is None:
        return "no threshold parts the tasks"
    return f"a threshold from {100 * found[0]:.0f} to {100 * found[1]:.0f} % parts the tasks"
