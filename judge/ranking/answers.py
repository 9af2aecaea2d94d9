"""Answers of two to fifty models to common prompts, read from files such as AlpacaEval's outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from judge.errors import BadLines, InputError
from judge.forms.alpacaeval import answer_of
from judge.forms.answers import Answer
from judge.forms.form import Entry, Side, counted, each, optional_name, order_of
from judge.forms.reading import entries_of, file_at
from judge.io.rows import Wrong, found
from judge.io.wording import counts_in_words, some_of
from judge.metrics.bootstrap import Floats
from judge.records import Message, Pair, sha256_of_json

FEWEST, MOST = 2, 50
NEEDED = "An answer needs instruction and output; generator names the model, by default the file does."
AGAIN = "answer: another one of the same model to the same prompt"
NOT_COMMON = "prompt: not answered by every model"


@dataclass(frozen=True)
class Answers:
    """What each model answered to each prompt. Models are in alphabetical order, prompts in that of hashes.

    `sides` are the conversations that end in the answers, by model, then by prompt; `categories` those of the
    prompts, None where none is known. `left_out` counts what could not be used, by reason.
    """

    models: tuple[str, ...]
    sides: tuple[tuple[Side, ...], ...]
    categories: tuple[str | None, ...]
    left_out: Mapping[str, int]

    @property
    def n_prompts(self) -> int:
        return len(self.categories)

    @cached_property
    def lengths(self) -> Floats:
        """Characters of each answer, shape (n_models, n_prompts)."""
        return np.array([[len(side.answer) for side in of_model] for of_model in self.sides], float)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of all prompts and answers, whatever the order of the files."""
        texts = [
            [model, [[turn.role, turn.content] for turn in side.conversation.messages]]
            for model, sides in zip(self.models, self.sides, strict=True)
            for side in sides
        ]
        return sha256_of_json([texts, list(self.categories)])

    def conversation(self, model: int, prompt: int) -> tuple[Message, ...]:
        """The prompt and the model's answer."""
        return self.sides[model][prompt].conversation.messages

    def pair(self, one: int, other: int, prompt: int) -> tuple[Pair, bool]:
        """The pair of two models' answers, and whether the first model's is a: a hash of the answers says."""
        is_in_order = self._orders[one][prompt] <= self._orders[other][prompt]
        a, b = (one, other) if is_in_order else (other, one)
        pair = Pair(
            id=f"{self.models[a]} and {self.models[b]}, prompt {prompt + 1}",
            conversation_a=self.conversation(a, prompt),
            conversation_b=self.conversation(b, prompt),
            category=self.categories[prompt],
            system=self.sides[one][prompt].conversation.system,
        )
        return pair, is_in_order

    @cached_property
    def _orders(self) -> list[list[tuple[str, str]]]:
        return [[order_of(side) for side in of_model] for of_model in self.sides]


def read_answers(paths: Iterable[str | Path]) -> Answers:
    """The answers in these files: one file a model, or several models in one, told apart by `generator`.

    Prompts that not every model answered are left out and counted.

    Raises:
        InputError: a file or a line cannot be read, there are fewer than two models or more than fifty, or
            no prompt was answered by all.
    """
    entries: list[Entry] = []
    problems: list[str] = []
    for path in paths:
        try:
            entries += entries_of(file_at(path))
        except BadLines as bad:
            problems += bad.problems
    try:
        answers, left_out = each(entries, Reader().read)
    except BadLines as bad:
        problems += bad.problems
    if problems:
        raise BadLines(problems)
    return common(answers, left_out)


def answers_in(entries: Iterable[Entry]) -> Answers:
    """The answers in these rows. Raises as `read_answers`."""
    return common(*each(entries, Reader().read))


class Reader:
    """Reads one row after the other, and refuses a model's second answer to a prompt from another file."""

    def __init__(self) -> None:
        self._file_of: dict[Hashable, str] = {}

    def read(self, entry: Entry) -> tuple[str, Answer]:
        """The file's name and the answer."""
        cells = entry.cells
        if missing := [name for name in ("instruction", "output") if name not in cells]:
            raise Wrong(f"missing {', '.join(missing)} (found: {found(cells)}). {NEEDED}")
        model = optional_name(cells.get("generator")) or Path(entry.file).name.partition(".")[0]
        category = optional_name(cells.get("category")) or optional_name(cells.get("dataset"))
        answer = replace(answer_of(entry), model=model, category=category)
        file = self._file_of.setdefault((answer.asked, model), entry.file)
        if file != entry.file:
            raise Wrong(
                f"model {model} has an answer to this instruction in {file} already. A model answers each "
                "once: is generator right in both files?"
            )
        return entry.file, answer


def common(answers: Sequence[tuple[str, Answer]], left_out: Counter[str]) -> Answers:
    """The answers to the prompts that every model answered, one a model."""
    models = sorted({answer.model for _, answer in answers})
    check_number(models, [file for file, _ in answers])
    by_prompt: dict[Hashable, dict[str, Answer]] = {}
    for _, answer in answers:
        given = by_prompt.setdefault(answer.asked, {})
        if given.setdefault(answer.model, answer) is not answer:
            left_out[AGAIN] += 1
    kept = [given for given in by_prompt.values() if len(given) == len(models)]
    if not kept:
        numbers = Counter(model for given in by_prompt.values() for model in given)
        fewest = sorted(models, key=lambda model: (numbers[model], model))
        told = some_of([f"{model} {numbers[model]:,}" for model in fewest])
        raise InputError(
            f"no prompt was answered by all {len(models)} models (answers: {told}; left out: "
            f"{counts_in_words(left_out)}). Models are compared on the same instructions, letter by letter."
        )
    if len(kept) < len(by_prompt):
        left_out[NOT_COMMON] = len(by_prompt) - len(kept)
    kept.sort(key=lambda given: hash_of_prompt(given[models[0]]))
    return Answers(
        models=tuple(models),
        sides=tuple(
            tuple(Side(given[model].before.answered(given[model].text), model) for given in kept)
            for model in models
        ),
        categories=tuple(category_of(given, models) for given in kept),
        left_out=dict(left_out),
    )


def hash_of_prompt(answer: Answer) -> str:
    return sha256_of_json([[turn.role, turn.content] for turn in answer.before.messages])


def check_number(models: Sequence[str], files: Sequence[str]) -> None:
    names = some_of(list(dict.fromkeys(files))) or "these files"
    if len(models) < FEWEST:
        only = f"answers of one model only, {models[0]}" if models else "no answers"
        raise InputError(f"{names}: {only}. A ranking needs two models or more, told apart by generator.")
    if len(models) > MOST:
        raise InputError(f"{names}: answers of {counted(len(models), 'model')}. Rank {MOST} at most.")


def category_of(given: Mapping[str, Answer], models: Sequence[str]) -> str | None:
    """The prompt's category in the first model's file that has one."""
    return next((given[model].category for model in models if given[model].category), None)
