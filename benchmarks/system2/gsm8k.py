"""GSM8K: grade-school maths in words (Cobbe et al., arXiv:2110.14168). Table 4 of the paper, CoT."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.system2.reading import number_in
from benchmarks.system2.task import END_WITH, Procedure, Question, Split, Task, at_once, shuffled
from judge.datasets.sources import Source, published_rows
from judge.errors import InputError
from judge.records import Message, Unparsed

NAME = "gsm8k"
SOURCES = {
    Split.TRAIN: Source("gsm8k/train.jsonl.gz", "openai/gsm8k", "train"),
    Split.HELD_OUT: Source("gsm8k/train.jsonl.gz", "openai/gsm8k", "train"),
    Split.TEST: Source("gsm8k/test.jsonl.gz", "openai/gsm8k", "test"),
}
HELD_OUT_FROM = 5000
"""Of the shuffled training questions those from this place on are held out."""

SHOTS = (
    (
        "A box holds 12 pencils. Mara buys 3 boxes and gives 8 pencils away. How many pencils has she left?",
        "Three boxes hold 3 * 12 = 36 pencils. After giving 8 away she has 36 - 8 = 28.\nThe answer is 28.",
    ),
    (
        "A train goes 80 km an hour. How far does it go in two and a half hours?",
        "In two hours it goes 2 * 80 = 160 km, in half an hour 80 / 2 = 40 km. Together that is "
        "160 + 40 = 200 km.\nThe answer is 200.",
    ),
    (
        "Jon is 9 years old. His sister is twice as old, and their father is 25 years older than she is. How "
        "old is the father?",
        "The sister is 2 * 9 = 18 years old. The father is 18 + 25 = 43.\nThe answer is 43.",
    ),
    (
        "A shirt costs $40 and is sold for 25% less. What do two of these shirts cost?",
        "A quarter of $40 is 40 / 4 = $10, so a shirt costs 40 - 10 = $30. Two cost 2 * 30 = $60.\n"
        "The answer is 60.",
    ),
    (
        "There are 24 children in a class. A third of them walk to school, half of the others come by bus. "
        "How many come by bus?",
        "24 / 3 = 8 children walk, so there are 24 - 8 = 16 others. Half of them are 16 / 2 = 8.\n"
        "The answer is 8.",
    ),
    (
        "Lena saves $15 a week. She wants a bicycle for $210 and has $90. How many weeks must she save?",
        "She still needs 210 - 90 = $120. That takes 120 / 15 = 8 weeks.\nThe answer is 8.",
    ),
    (
        "A baker makes 6 trays of 20 rolls. He sells 95 rolls at $0.40. How much money does he take, and how "
        "many rolls are left? Give the number of rolls.",
        "He makes 6 * 20 = 120 rolls. He takes 95 * 0.40 = $38, and 120 - 95 = 25 rolls are left.\n"
        "The answer is 25.",
    ),
    (
        "Four friends share a bill of $86 and a tip of $10 alike. How much does each pay?",
        "Bill and tip are 86 + 10 = $96. Each pays 96 / 4 = $24.\nThe answer is 24.",
    ),
)
"""Worked examples for the chain of thought, made for this."""


def questions(split: Split, n: int, data: Path | None) -> list[Question]:
    """So many of the split, in a fixed order that no content decides.

    Raises:
        InputError: the data cannot be read, or a solution does not end in a number.
    """
    source = SOURCES[split]
    rows = shuffled(list(enumerate(published_rows(source, data), start=1)), NAME, source.split)
    if source.split == "train":
        rows = rows[HELD_OUT_FROM:] if split is Split.HELD_OUT else rows[:HELD_OUT_FROM]
    return [question_of(f"{source.file}:{line}", row["question"], row["answer"]) for line, row in rows[:n]]


def question_of(place: str, question: str, solution: str) -> Question:
    marked = solution.rpartition("####")[2]
    answer = number_in(f"The answer is {marked}") if "####" in solution else Unparsed("no ####", solution)
    if isinstance(answer, Unparsed):
        raise InputError(
            f"{place}: the solution ends in {solution[-20:]!r}. It must end in #### and a number."
        )
    return Question(question.strip(), answer, subject=(question.strip(),))


def step_by_step(question: str, before: Sequence[str]) -> str:
    """Chain of thought without an example (Kojima et al., arXiv:2205.11916)."""
    return f"{question}\n\nThink step by step. {END_WITH}"


def with_shots(question: str, before: Sequence[str]) -> tuple[Message, ...]:
    """Chain of thought after eight worked examples (Wei et al., arXiv:2201.11903)."""
    shown = [
        Message(role, text) for shot in SHOTS for role, text in zip(("user", "assistant"), shot, strict=True)
    ]
    return (*shown, Message("user", question))


TASK = Task(
    name=NAME,
    what="grade-school maths in words",
    source="GSM8K, openai/grade-school-math, MIT",
    questions=questions,
    system_1=Procedure("System 1", (at_once,), 16, 4),
    system_2={
        "cot-0": Procedure("CoT, no example", (step_by_step,), 400, 180),
        "cot-8": Procedure("CoT, eight examples", (with_shots,), 400, 100),
    },
    teacher="cot-8",
    answer_in=number_in,
    filter="majority",
    n_samples=10,
    epochs=3,
    sizes={Split.TRAIN: 200, Split.HELD_OUT: 60, Split.TEST: 200},
)
