"""Answers of two to fifty models to common prompts, read from files of every form that names the models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from judge.errors import BadLines, InputError
from judge.forms import FORMS
from judge.forms.form import Answer, Entry, Form, Side, counted, is_pair, order_of
from judge.forms.models import models_form
from judge.forms.reading import File, Say, entries_of, file_at, form_among, refuse_empty_among, told
from judge.io.content import ENDINGS, KINDS
from judge.io.criteria import lines_in_one
from judge.io.rows import Wrong, shown
from judge.io.usable import Unusable, usable
from judge.io.wording import counts_in_words, some_of
from judge.metrics.bootstrap import Floats
from judge.records import Criterion, Message, Pair, sha256_of_json

T = TypeVar("T")

FEWEST, MOST = 2, 50
AGAIN = "answer: another one of the same model to the same prompt"
NOT_COMMON = "prompt: not answered by every model"
OTHER_SYSTEM = "prompt: not answered under one system text"
LOG = ".eval"
"""A log of inspect_ai, which is no kind of file that the others are."""

NATIVE, OF_PAIRS = "alpacaeval", "arena"
"""As what rows of no known form are read, and as what pairs of our own. Nothing is said of the first."""


@dataclass(frozen=True)
class Answers:
    """What each model answered to each prompt. Models are in alphabetical order, prompts in that of hashes.

    `sides` are the conversations that end in the answers, by model, then by prompt; `categories` and
    `references` those of the prompts, None where none is known, `criteria` what a prompt's answers are to be
    judged by. `left_out` counts what could not be used, by reason.
    """

    models: tuple[str, ...]
    sides: tuple[tuple[Side, ...], ...]
    categories: tuple[str | None, ...]
    references: tuple[str | None, ...]
    criteria: tuple[tuple[Criterion, ...], ...]
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
        """SHA-256 (hex) of all prompts and answers with their criteria, whatever the order of the files."""
        texts = [
            [model, [[turn.role, turn.content] for turn in self.conversation(at, prompt)]]
            for at, model in enumerate(self.models)
            for prompt in range(self.n_prompts)
        ]
        references = [list(self.references)] if any(self.references) else []
        lines = [[one.line for one in of_prompt] for of_prompt in self.criteria]
        criteria = [lines] if any(lines) else []
        return sha256_of_json([texts, list(self.categories), *references, *criteria])

    def conversation(self, model: int, prompt: int) -> tuple[Message, ...]:
        """The system text, where there is one, the prompt and the model's answer."""
        said = self.sides[model][prompt].conversation
        return said.messages if said.system is None else (Message("system", said.system), *said.messages)

    def pair(self, one: int, other: int, prompt: int) -> tuple[Pair, bool]:
        """The pair of two models' answers, and whether the first model's is a: a hash of the answers says."""
        is_in_order = self._orders[one][prompt] <= self._orders[other][prompt]
        a, b = (one, other) if is_in_order else (other, one)
        pair = Pair(
            id=f"{self.models[a]} and {self.models[b]}, prompt {prompt + 1}",
            conversation_a=self.sides[a][prompt].conversation.messages,
            conversation_b=self.sides[b][prompt].conversation.messages,
            category=self.categories[prompt],
            reference=self.references[prompt],
            system=self.sides[one][prompt].conversation.system,
            criteria=self.criteria[prompt],
        )
        return pair, is_in_order

    @cached_property
    def _orders(self) -> list[list[tuple[str, str]]]:
        return [[order_of(side) for side in of_model] for of_model in self.sides]


def read_answers(paths: Iterable[str | Path], mapping: str = "", say: Say = told) -> Answers:
    """The answers in these files: AlpacaEval's outputs, or any form that names the models.

    A folder stands for the files in it; FastChat's for its questions and model_answer. A model without a name
    is called as its file. Prompts that not every model answered are left out and counted.

    Args:
        mapping: which column is the prompt and which one is each model's, in files with one column a model.
        say: is told which other form it was; by default on standard error.

    Raises:
        InputError: a file or a line cannot be read, a form does not name models, there are fewer than two
            models or more than fifty, answers to one prompt have different criteria, or no prompt was
            answered by all.
    """
    files = [file_at(file) for path in paths for file in files_in(path)]
    refuse_empty_among(files)
    answers: list[Answer] = []
    left_out: Counter[str] = Counter()
    problems: list[str] = []
    for form, some in by_form(files, mapping):
        found, dropped = answers_in(form, some, problems)
        if found and form != FORMS[NATIVE]:
            models = counted(len({model_of(answer) for answer in found}), "model")
            names = some_of([file.name for file in some])
            say(f"{names}: read as {form.title}: {counted(len(found), 'answer')} of {models}.")
        answers += found
        left_out += dropped
    if problems := problems or [*second_answers(answers), *other_criteria(answers)]:
        raise BadLines(problems)
    return common(answers, [file.name for file in files], left_out)


def answers_of(entries: Sequence[Entry]) -> Answers:
    """The answers in rows of AlpacaEval's outputs. Raises as `read_answers`."""
    reads = FORMS[NATIVE].answers
    assert reads is not None
    answers, left_out = reads(entries)
    if problems := [*second_answers(answers), *other_criteria(answers)]:
        raise BadLines(problems)
    return common(answers, sorted({entry.file for entry in entries}), left_out)


def answers_in(form: Form, files: Sequence[File], problems: list[str]) -> tuple[list[Answer], Counter[str]]:
    """What a form finds in files, nothing where it adds to `problems`. Raises InputError."""
    names = some_of([file.name for file in files])
    if form.answers is None:
        raise InputError(f"{names}: read as {form.title}, which does not say which model answered what.")
    entries: list[Entry] = []
    for file in files:
        try:
            entries += entries_of(file)
        except BadLines as bad:
            problems += bad.problems
    try:
        return form.answers(entries)
    except BadLines as bad:
        problems += bad.problems
    except Wrong as wrong:
        if not problems:
            raise InputError(f"{names}: {wrong}") from None
    return [], Counter()


def by_form(files: Iterable[File], mapping: str) -> list[tuple[Form, list[File]]]:
    """The files by their form: that of the mapping, or the one that is recognised in each."""
    if mapping:
        return [(models_form(mapping), list(files))]
    found: dict[str, list[File]] = {}
    for file in files:
        found.setdefault(form_of(file), []).append(file)
    return [(FORMS[name], some) for name, some in found.items()]


def form_of(file: File) -> str:
    """The form's name. Our own pairs are read as an arena's, as they may name both models, too."""
    cells = [row.cells for row in file.rows if not isinstance(row.cells, Wrong)]
    return form_among(file.rows) or (OF_PAIRS if any(map(is_pair, cells)) else NATIVE)


def files_in(path: str | Path) -> list[str | Path]:
    """The path, or the files of answers in the folder that it is."""
    folder = Path(path)
    if not folder.is_dir():
        return [path]
    questions = folder / "question.jsonl"
    answered = sorted((folder / "model_answer").glob("*.jsonl"))
    if questions.is_file() and answered:
        return [questions, *answered]
    found = sorted(file for file in folder.iterdir() if file.name.lower().endswith((*ENDINGS, LOG)))
    if not found:
        known = ", ".join((*KINDS, LOG))
        raise InputError(f"{folder}: no files of answers in this folder. They end in {known}.")
    return [*found]


def refuse_in_folders(out: str | None, paths: Iterable[str | Path]) -> None:
    """Raises InputError where the next run would read what this one writes as answers."""
    if out is None or out == "-" or not out.lower().endswith((*ENDINGS, LOG)):
        return
    for folder in map(Path, paths):
        if folder.is_dir() and Path(out).resolve().parent == folder.resolve():
            raise InputError(f"--out {out}: all files of {folder} are read as answers. Name one elsewhere.")


def second_answers(answers: Iterable[Answer]) -> list[str]:
    """What is wrong where a model answers a prompt in one file, and then in another."""
    file_of: dict[Hashable, str] = {}
    problems = []
    for answer in answers:
        model = model_of(answer)
        first = file_of.setdefault((answer.asked, model), answer.file)
        if first != answer.file:
            problems.append(
                f"{answer.where}: model {model} has an answer to this instruction in {first} already. A "
                "model answers each once: is it named right in both files?"
            )
    return problems


def other_criteria(answers: Iterable[Answer]) -> list[str]:
    """What is wrong where an answer has other criteria than an earlier one to the same prompt."""
    first_of: dict[Hashable, Answer] = {}
    problems = []
    for answer in filter(lambda one: one.criteria, answers):
        first = first_of.setdefault(answer.asked, answer)
        if first.criteria != answer.criteria:
            own, others = (shown(lines_in_one(one.criteria)) for one in (answer, first))
            problems.append(
                f"{place_of(answer)}: criteria {own}, and {place_of(first)} has {others} for the same "
                "prompt. Answers to one prompt are judged by the same criteria."
            )
    return problems


def place_of(answer: Answer) -> str:
    """Where an answer stands, or whose it is where a pair of answers had it."""
    return answer.where or f"an answer of {model_of(answer)}"


def model_of(answer: Answer) -> str:
    """The model's name, by default the file's without its endings."""
    return answer.model or without_endings(Path(answer.file).name)


def without_endings(name: str) -> str:
    """A file's name without what says its kind; "llama-3.1-8b" keeps its dot."""
    endings = sorted((*ENDINGS, LOG), key=len, reverse=True)
    ending = next((one for one in endings if name.lower().endswith(one)), "")
    return name[: len(name) - len(ending)] or name


def common(answers: Sequence[Answer], files: Sequence[str], left_out: Counter[str]) -> Answers:
    """The answers to the prompts that every model answered, one a model."""
    models = sorted({model_of(answer) for answer in answers})
    check_number(models, files, left_out)
    by_prompt: dict[Hashable, dict[str, Answer]] = {}
    for answer in answers:
        given = by_prompt.setdefault(answer.asked, {})
        if given.setdefault(model_of(answer), answer) is not answer:
            left_out[AGAIN] += 1
    whole = [given for given in by_prompt.values() if len(given) == len(models)]
    if not whole:
        numbers = Counter(model for given in by_prompt.values() for model in given)
        fewest = sorted(models, key=lambda model: (numbers[model], model))
        told = some_of([f"{model} {numbers[model]:,}" for model in fewest])
        raise InputError(
            f"no prompt was answered by all {len(models)} models (answers: {told}; left out: "
            f"{counts_in_words(left_out)}). Models are compared on the same instructions, letter by letter."
        )
    if len(whole) < len(by_prompt):
        left_out[NOT_COMMON] = len(by_prompt) - len(whole)
    kept, others = usable(whole, under_one_system)
    left_out += others
    if not kept:
        raise InputError(f"{some_of(files)}: no prompt is left (left out: {counts_in_words(left_out)}).")
    kept.sort(key=lambda given: hash_of_prompt(given[models[0]]))
    return Answers(
        models=tuple(models),
        sides=tuple(
            tuple(Side(given[model].before.answered(given[model].text), model) for given in kept)
            for model in models
        ),
        categories=tuple(first_known(given[model].category for model in models) for given in kept),
        references=tuple(first_known(given[model].reference for model in models) for given in kept),
        criteria=tuple(first_known(given[model].criteria for model in models) or () for given in kept),
        left_out=dict(left_out),
    )


def under_one_system(given: Mapping[str, Answer]) -> Mapping[str, Answer]:
    """The answers to a prompt as they are, if the judge can be told what they were under."""
    if len({answer.before.system for answer in given.values()}) > 1:
        raise Unusable(OTHER_SYSTEM)
    return given


def hash_of_prompt(answer: Answer) -> str:
    return sha256_of_json([[turn.role, turn.content] for turn in answer.before.messages])


def first_known(values: Iterable[T | None]) -> T | None:
    """A prompt's category, reference or criteria in the first model's file that has any."""
    return next((value for value in values if value), None)


def check_number(models: Sequence[str], files: Sequence[str], left_out: Mapping[str, int]) -> None:
    names = some_of(list(dict.fromkeys(files))) or "these files"
    if len(models) < FEWEST:
        only = f"answers of one model only, {models[0]}" if models else "no answers"
        lost = f" (left out: {counts_in_words(left_out)})" if left_out else ""
        raise InputError(f"{names}: {only}{lost}. A ranking needs two models or more.")
    if len(models) > MOST:
        raise InputError(f"{names}: answers of {counted(len(models), 'model')}. Rank {MOST} at most.")
