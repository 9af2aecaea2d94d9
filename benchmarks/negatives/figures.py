"""The table of the control: each student and each vote beside the paper's figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.negatives.chains import STUDENTS, TASK
from benchmarks.negatives.paper import MODEL, PAPER
from benchmarks.negatives.run import SCHEMA, VOTES
from benchmarks.system2.figures import (
    Result,
    cell_of,
    figure_of,
    percent,
    result_in,
    tokens_of,
)
from benchmarks.system2.run import UNTAUGHT
from judge.provenance import CHECKOUT

NAMES = {
    TASK.teacher: "the teacher",
    UNTAUGHT: "the student, not taught",
    "fine-tuned": "the data set's own solutions",
    **STUDENTS,
    **{name: f"8 samples of the student of right chains: {what}" for name, what in VOTES.items()},
}
"""The rows of the table in their order, and what it calls them."""


def result_path(checkout: Path = CHECKOUT) -> Path:
    """Where the committed result lies, if there is one."""
    return checkout / "benchmarks" / "results" / "negatives-gsm8k.json"


def table_of(checkout: Path = CHECKOUT) -> str:
    """The paper's figures, ours where they were measured, and what they rest on.

    Raises:
        InputError: the result's file is of another schema.
    """
    result = result_in(result_path(checkout), SCHEMA)
    return "\n".join([*rows_of(result), "", *notes_of(result)])


def rows_of(result: Result | None) -> list[str]:
    ours = "ours on GSM8K" if result is None else f"{result['student']} on GSM8K"
    lines = [f"| | {MODEL}, % | {ours}, % | tokens written |", "| --- | --- | --- | --- |"]
    for name, what in NAMES.items():
        figure, paper = figure_of(result, name, ""), PAPER.get(name)
        if figure is not None or paper is not None:
            cells = [what, "-" if paper is None else f"{paper:.2f}", cell_of(figure), tokens_of(result, name)]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def notes_of(result: Result | None) -> list[str]:
    """Under the table: what was learned from, what two students solve together, what the ranker knows."""
    if result is None:
        return ["Ours have not been measured: `python -m benchmarks.negatives FOLDER`."]
    n, chains = result["n_questions"], result["chains"]
    return [
        f"{result['base_model']} wrote {result['n_samples']} chains to each of {n['train']} questions: "
        f"{chains['right']} right and {chains['wrong']} wrong ones, {sum(chains['left_out'].values())} left "
        f"out; NAT added {chains['own']} right ones of its own for NCE. {n['test']} questions to measure, "
        "greedy, 95 % intervals over questions (Wilson); "
        f"`{result_path().name}`, on {machine_of(result)}.",
        "",
        overlap_words(result["overlap"]),
        "",
        ranker_words(result["ranker"]),
    ]


def overlap_words(overlap: dict[str, Any]) -> str:
    return (
        f"The students of right and of wrong chains solve {overlap['both']} questions both, "
        f"{overlap['only_positive']} the first alone, {overlap['only_negative']} the second alone, "
        f"{overlap['neither']} neither."
    )


def ranker_words(ranker: dict[str, Any]) -> str:
    sides, right = (percent(ranker[name], ranker["n"]) for name in ("agrees", "samples_right"))
    return (
        f"The ranker puts {sides} of the samples on the right side of one half, where {right} are right. Of "
        f"{ranker['pairs']} pairs of a right and a wrong sample to one question it scores the right one "
        f"higher in {percent(ranker['ordered'], ranker['pairs'])}."
    )


def machine_of(result: Result) -> str:
    gpu = str(result["gpu"])
    return str(result["cpu"]) if gpu == "none" else gpu
