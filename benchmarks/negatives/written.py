"""The teacher's chains in a file without the questions, so that students can be made again without it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.system2.following import TEMPERATURE, Followed
from benchmarks.system2.reading import is_right
from benchmarks.system2.run import prompts_of
from benchmarks.system2.task import Question, Task
from judge.errors import InputError
from judge.io.content import plain_content
from judge.io.rows import bytes_of
from judge.io.writing import write_whole
from judge.ledger.shards import gzipped
from judge.records import Engine, Unparsed, sha256_of_json

SCHEMA = "four-token-judge/chains/1"
CHAINS = "chains.jsonl.gz"
"""The file's name in the folder of a run."""


def write_chains(
    path: Path,
    task: Task,
    engine: Engine,
    questions: Sequence[Question],
    samples: Sequence[Sequence[Followed]],
) -> None:
    """Every sample in a line of its own: to which question, what it says, and whether that is right."""
    lines = [
        {
            "question": hash_of(question),
            "reply": one.reply,
            "right": whether_right(task, one.reply, question),
            "tokens_in": one.tokens_in,
            "tokens_out": one.tokens_out,
        }
        for question, each in zip(questions, samples, strict=True)
        for one in each
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in [header_of(task, engine), *lines])
    write_whole(path, gzipped(text.encode()), parents=True)


def read_chains(path: Path, task: Task, engine: Engine) -> dict[str, list[Followed]]:
    """The samples of each question in the file, by the question's hash.

    Raises:
        InputError: the file is no file of chains, they are another teacher's, or a question has too few.
    """
    content = plain_content(bytes_of(path), str(path))
    try:
        header, *lines = map(json.loads, content.splitlines())
        found = {name: header.get(name) for name in header_of(task, engine)}
        samples: dict[str, list[Followed]] = {}
        for line in lines:
            one = Followed(line["reply"], line["tokens_in"], line["tokens_out"])
            samples.setdefault(line["question"], []).append(one)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: no file of chains ({type(error).__name__}). A run writes {CHAINS}."
        ) from error
    for name, wanted in header_of(task, engine).items():
        if found[name] != wanted:
            raise InputError(f"{path}: chains of {name} {found[name]}; this run needs those of {wanted}.")
    for number, each in enumerate(samples.values(), start=1):
        if len(each) != task.n_samples:
            raise InputError(
                f"{path}: {len(each)} chains to question {number} of {len(samples)}; "
                f"this run needs {task.n_samples}."
            )
    return samples


def header_of(task: Task, engine: Engine) -> dict[str, Any]:
    """What a run's chains depend on beside the questions."""
    return {
        "schema": SCHEMA,
        "base_model": engine.base_model,
        "base_model_hash": engine.base_model_hash,
        "asked": task.teacher,
        "prompts": prompts_of(task),
        "n_samples": task.n_samples,
        "temperature": TEMPERATURE,
    }


def hash_of(question: Question) -> str:
    """SHA-256 (hex) of a question's text."""
    return sha256_of_json(question.text)


def whether_right(task: Task, reply: str, question: Question) -> bool | None:
    """Whether a chain comes to the known answer; None where it comes to none."""
    answer = task.answer_in(reply)
    return None if isinstance(answer, Unparsed) else is_right(answer, question.answer)
