"""Answers of several models to the same questions, made into pairs: every two models on each question."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from itertools import combinations, count
from pathlib import Path

from judge.forms.form import Answer, Answers, Comparison, Side
from judge.io.criteria import lines_in_one
from judge.io.rows import Wrong, shown
from judge.io.usable import Unusable, usable
from judge.io.wording import some_of
from judge.records import Criterion

ALONE = "answer: no other model answered the question"
AGAIN = "answer: another one of the same model to the same question"
NAMELESS = "answer: of a model without a name"


def compared(answers: Sequence[Answer], left_out: Counter[str]) -> list[Comparison]:
    """Every two models' answers to each question; adds to `left_out` the answers that are in no pair.

    Raises:
        Wrong: all answers are of one model, or two to one question have different criteria.
    """
    answers = named(answers)
    models = list(dict.fromkeys(answer.model for answer in answers))
    if len(models) == 1:
        raise Wrong(
            f"these are answers of one model, {some_of(models)}. Pairs need two: give `judge import` the "
            "files of two models or more."
        )
    return [
        Comparison(
            Side(one.before.answered(one.text), one.model),
            Side(other.before.answered(other.text), other.model),
            category=one.category,
            reference=one.reference,
            metadata=one.metadata,
            criteria=criteria_of_both(one, other),
        )
        for group in groups_of(answers, left_out)
        for one, other in combinations(group, 2)
    ]


def criteria_of_both(one: Answer, other: Answer) -> tuple[Criterion, ...]:
    """What both answers to a question are to be judged by. Raises Wrong where their criteria differ."""
    if one.criteria and other.criteria and one.criteria != other.criteria:
        own, others = (shown(lines_in_one(answer.criteria)) for answer in (one, other))
        raise Wrong(
            f"{one.where} has the criteria {own}, and {other.where} has {others} for the same question."
        )
    return one.criteria or other.criteria


def named(answers: Sequence[Answer]) -> list[Answer]:
    """The answers, each with its model's name, by default the file's."""
    names = names_of_files(answer.file for answer in answers)
    return [answer if answer.model else replace(answer, model=names[answer.file]) for answer in answers]


def names_of_files(files: Iterable[str]) -> dict[str, str]:
    """What each file is called: its name, with as many of its folders as tell it from the others."""
    paths = {file: Path(file).parts for file in files}
    n_parts = next(
        n for n in count(1) if len({parts[-n:] for parts in paths.values()}) == len(set(paths.values()))
    )
    return {file: str(Path(*parts[-n_parts:])) for file, parts in paths.items()}


def groups_of(answers: Iterable[Answer], left_out: Counter[str]) -> Iterable[list[Answer]]:
    """The answers to each question, one a model, where there are two or more; all have names."""
    groups: dict[Hashable, dict[str, Answer]] = {}
    for answer in answers:
        group = groups.setdefault(answer.asked, {})
        if group.setdefault(answer.model, answer) is not answer:
            left_out[AGAIN] += 1
    for group in groups.values():
        if len(group) > 1:
            yield list(group.values())
        else:
            left_out[ALONE] += 1


def sides_apart(comparisons: Iterable[Comparison], left_out: Counter[str]) -> Answers:
    """Both sides of each comparison as answers. What a model said is one answer in however many pairs.

    It comes again where pairs have different criteria, which nobody can judge it by.
    """
    both = [(one, side) for one in comparisons for side in (one.first, one.second)]
    answers, unusable = usable(both, lambda given: answer_of_side(*given))
    once = {(key_of(answer), answer.criteria): answer for answer in answers}
    with_criteria = {key for key, criteria in once if criteria}
    kept = [one for (key, criteria), one in once.items() if criteria or key not in with_criteria]
    return kept, left_out + unusable


def key_of(answer: Answer) -> Hashable:
    """What equal answers have in common."""
    return answer.model, answer.asked, answer.before.messages, answer.text


def answer_of_side(one: Comparison, side: Side) -> Answer:
    """One side's answer to the users' messages: a second turn follows each model's own first answer."""
    if not side.model:
        raise Unusable(NAMELESS)
    side.conversation.check()
    before = side.conversation.context
    asked = [message.content for message in before.messages if message.role == "user"]
    return Answer(
        before,
        side.answer,
        side.model,
        question=json.dumps([before.system, asked]),
        category=one.category,
        reference=one.reference,
        criteria=one.criteria,
    )
