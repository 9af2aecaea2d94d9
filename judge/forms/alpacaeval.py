"""AlpacaEval's files: what models answered, and annotations of who answered better (arXiv:2404.04475).

Answers make pairs where two models answered one instruction. An annotation's preference is 1 for the first
answer, 2 for the second, a number between them for more or less sure, 1.5 or 0 for a draw. A column `label`
says the same, but not where it may count from 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from judge.forms.answers import compared, sides_apart
from judge.forms.conversation import (
    Conversation,
    asked,
    conversation_of,
    earlier_in,
    plain_text_of,
    refuse_unreadable,
)
from judge.forms.form import (
    SAID_OF_PAIR,
    Answer,
    Answers,
    Comparison,
    Entry,
    Exported,
    Form,
    Imported,
    Labels,
    Side,
    each,
    given_id,
    imported,
    is_pair,
    optional_name,
    rest_of,
    said_of_pair,
)
from judge.io.rows import Wrong, found, shown
from judge.io.usable import Unusable, usable
from judge.io.values import text
from judge.records import Ballot, Outcome, Pair, Verdict

OUTPUTS = ("output_1", "output_2")
LABELS = ("preference", "label")
BINARY = frozenset({"0", "1", "0.0", "1.0"})
USED_OF_ANNOTATION = (
    *(
        *OUTPUTS,
        *LABELS,
        "instruction",
        "input",
        "context",
        "system",
        "history",
        "generator_1",
        "generator_2",
        "generator",
        "annotator",
        "id",
    ),
    *SAID_OF_PAIR,
    *("raw_completion", "price_per_example", "time_per_example"),
)
USED_OF_ANSWER = (
    "instruction",
    "input",
    "context",
    "output",
    "generator",
    "id",
    "system",
    "history",
    *SAID_OF_PAIR,
)
NEEDED = (
    "An answer needs instruction, output and generator; an annotation instruction, output_1 and output_2."
)
NEEDED_OF_ANSWER = (
    "An answer needs instruction and output; generator names the model, by default the file does. With one "
    "column a model, name the columns: --map prompt=question,gpt-4,llama."
)


def recognises(cells: Mapping[str, Any]) -> bool:
    return not is_pair(cells) and (is_annotation(cells) or is_answer(cells))


def is_annotation(cells: Mapping[str, Any]) -> bool:
    return all(name in cells for name in OUTPUTS) and ("instruction" in cells or "input" in cells)


def is_answer(cells: Mapping[str, Any]) -> bool:
    return all(name in cells for name in ("instruction", "output"))


def read(entries: Sequence[Entry]) -> Imported:
    """Annotations as pairs with votes; answers as a pair of every two models on one instruction."""
    if any(name in entry.cells for name in OUTPUTS for entry in entries):
        comparisons, left_out = each(entries, partial(annotated, binary=files_of_binary_labels(entries)))
    else:
        answers, left_out = each(entries, answer_of)
        comparisons = compared(answers, left_out)
    return imported(comparisons, left_out, voter="annotator")


def answers(entries: Sequence[Entry]) -> Answers:
    """What each model answered. A row without instruction or output is a mistake here."""
    if any(name in entry.cells for name in OUTPUTS for entry in entries):
        comparisons, left_out = each(entries, partial(annotated, binary=()))  # of labels nothing is needed
        return sides_apart(comparisons, left_out)
    return each(entries, whole_answer_of)


def whole_answer_of(entry: Entry) -> Answer:
    if missing := [name for name in ("instruction", "output") if name not in entry.cells]:
        raise Wrong(f"missing {', '.join(missing)} (found: {found(entry.cells)}). {NEEDED_OF_ANSWER}")
    answer = answer_of(entry)
    return replace(answer, category=answer.category or optional_name(entry.cells.get("dataset")))


def files_of_binary_labels(entries: Sequence[Entry]) -> list[str]:
    """The files whose column `label` has 0 and 1 alone, which may mean the first and the second answer."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        if (label := entry.cells.get("label")) not in (None, ""):
            found.setdefault(entry.file, set()).add(str(label).strip())
    return [file for file, labels in found.items() if labels <= BINARY]


def annotated(entry: Entry, binary: Collection[str]) -> Comparison:
    """An annotation as a pair with its vote; `binary` are the files whose column `label` is 0 and 1."""
    cells = entry.cells
    if not any(name in cells for name in OUTPUTS):
        raise Wrong(f"found {found(cells)}. {NEEDED}")
    refuse_unreadable(cells)
    before = question_of(cells)
    first, second = (output_of(cells, name) for name in OUTPUTS)
    labels = Labels()
    labels.add(lambda: label_of(cells, entry.file in binary), optional_name(cells.get("annotator")) or "")
    models = [optional_name(cells.get(f"generator_{number}")) for number in (1, 2)]
    return Comparison(
        Side(before.answered(first), models[0]),
        Side(before.answered(second), models[1]),
        labels,
        id=given_id(cells),
        metadata=rest_of(cells, *USED_OF_ANNOTATION),
        **said_of_pair(cells),
    )


def answer_of(entry: Entry) -> Answer:
    cells = entry.cells
    if "instruction" not in cells and "output" not in cells:
        raise Wrong(f"found {found(cells)}. {NEEDED}")
    refuse_unreadable(cells)
    return Answer(
        question_of(cells),
        output_of(cells, "output"),
        model=optional_name(cells.get("generator")) or "",
        file=entry.file,
        where=entry.where,
        metadata=rest_of(cells, *USED_OF_ANSWER),
        **said_of_pair(cells),
    )


def question_of(cells: Mapping[str, Any]) -> Conversation:
    """The instruction, with the input or the context that some files have beside it, after what was said.

    Raises Unusable for a context that is no text: without it nobody knows what was answered.
    """
    if isinstance(cells.get("context"), list | Mapping):
        raise Unusable("a context that is no text")
    given = [cells.get(name) for name in ("instruction", "input", "context")]
    now = asked("\n\n".join(text(one, "instruction") for one in given if one not in (None, "")))
    earlier = earlier_in(cells.get("history"))
    before = conversation_of(earlier, "history") if earlier else Conversation(())
    return Conversation((), plain_text_of(cells.get("system"))).then(before).then(now)


def output_of(cells: Mapping[str, Any], name: str) -> str:
    if cells.get(name) is None:
        raise Unusable("an answer without text")
    return text(cells[name], name)


def label_of(cells: Mapping[str, Any], is_binary: bool) -> Ballot | None:
    """What an annotation says; `is_binary`: its column `label` is one of 0 and 1 alone."""
    name = next((name for name in LABELS if cells.get(name) not in (None, "")), LABELS[0])
    if is_binary and name == "label":
        raise Unusable("a label 0 or 1 in a file without 2, which may count from 0")
    return preferred(cells.get(name))


def preferred(value: Any) -> Ballot | None:
    """The first answer up to 1.5, the second beyond; None where nothing was said."""
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        raise Unusable(f"an unknown preference {shown(value)}") from None
    if number in (0, 1.5):
        return Ballot.TIE
    if not 1 <= number <= 2:
        raise Unusable(f"an unknown preference {shown(value)}")
    return Ballot.A if number < 1.5 else Ballot.B


PREFERENCES = {Outcome.A: 1.0, Outcome.B: 2.0, Outcome.TIE: 1.5}


def export(judged: Sequence[tuple[Pair, Verdict]], at: str) -> Exported:
    """A list of annotations; the preference is the strict outcome, so a verdict that changes is a draw."""
    rows, left_out = usable(judged, lambda given: row_of(*given))
    return Exported(json.dumps(rows, ensure_ascii=False, indent=2) + "\n", len(rows), left_out)


def row_of(pair: Pair, verdict: Verdict) -> dict[str, Any]:
    if verdict.outcome is None:
        raise Unusable("unparsed")
    if pair.system is not None or pair.context_a != pair.context_b or len(pair.context_a) != 1:
        raise Unusable("more than one instruction before the answers")
    return {
        "instruction": pair.prompt,
        "output_1": pair.response_a,
        "generator_1": pair.metadata.get("model_a", "a"),
        "output_2": pair.response_b,
        "generator_2": pair.metadata.get("model_b", "b"),
        "annotator": verdict.judge,
        "preference": PREFERENCES[verdict.outcome],
    }


ALPACAEVAL = Form("AlpacaEval's answers or annotations", recognises, read, export, answers)
