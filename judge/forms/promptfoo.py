"""promptfoo's results (`promptfoo eval -o results.json` or .jsonl): outputs of providers and prompts by test.

Every two outputs of a test are a pair. Scores of assertions are of single outputs, and no votes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from judge.forms.answers import compared, names_of_files
from judge.forms.conversation import Conversation, asked, conversation_of, messages_or_as_is
from judge.forms.form import Answer, Answers, Entry, Form, Imported, each, imported, is_pair, numbered
from judge.io.rows import Cells, Wrong, found
from judge.io.usable import Unusable, usable
from judge.io.wording import MAX_CELL_NAME, one_line, shortened

NEEDED = "promptfoo's results need results, or in a line prompt, vars and response."


def recognises(cells: Mapping[str, Any]) -> bool:
    return not is_pair(cells) and results_of(cells) is not None


def results_of(cells: Mapping[str, Any]) -> list[Any] | None:
    """The results of one evaluation's file, or of one line."""
    inner = cells.get("results")
    if isinstance(inner, Mapping) and isinstance(inner.get("results"), list):
        return list(inner["results"])
    if isinstance(inner, list) and inner and all(map(is_result, inner)):
        return inner
    return [cells] if is_result(cells) else None


def is_result(value: Any) -> bool:
    return isinstance(value, Mapping) and "prompt" in value and "vars" in value and "provider" in value


def read(entries: Sequence[Entry]) -> Imported:
    """A pair of every two outputs of a test, whether of two providers, of two prompts or of two files."""
    given, left_out = answers(entries)
    return imported(compared(given, left_out), left_out, voter="promptfoo")


def answers(entries: Sequence[Entry]) -> Answers:
    """What each provider, or each prompt, or each file, answered to each test."""
    found, left_out = each(entries, outputs_of)
    every = [output for outputs in found for output in outputs]
    files = names_of_files(file for file, _, _, _ in every)
    prompts = names_of_prompts(prompt for _, _, prompt, _ in every)

    def answer(output: tuple[str, str, str, Cells]) -> Answer:
        file, provider, prompt, result = output
        names = [files[file]] * (len(files) > 1) + [provider] + [prompts[prompt]] * (len(prompts) > 1)
        return answer_of(", ".join(names), result)

    given, failed = usable(every, answer)
    return given, left_out + failed


def names_of_prompts(prompts: Iterable[str]) -> dict[str, str]:
    """What each prompt is called: its beginning on one line; those that begin alike are numbered."""
    names: dict[str, str] = {}
    for prompt in prompts:
        if prompt not in names:
            short = shortened(one_line(prompt), MAX_CELL_NAME)
            free = (name for name in numbered(short) if name not in names.values())
            names[prompt] = next(iter(free))
    return names


def outputs_of(entry: Entry) -> list[tuple[str, str, str, Cells]]:
    """The file, the provider, the prompt before it was filled in, and the result of each output."""
    results = results_of(entry.cells)
    if results is None:
        raise Wrong(f"found {found(entry.cells)}. {NEEDED}")
    return [
        (entry.file, named(one["provider"], "id"), named(one["prompt"], "raw"), one)
        for one in results
        if is_result(one)
    ]


def named(value: Any, other: str) -> str:
    """What a provider or a prompt is called."""
    return str((value.get("label") or value.get(other)) if isinstance(value, Mapping) else value)


def answer_of(model: str, result: Cells) -> Answer:
    """One output, by what it is called: the provider, and the file and the prompt where there are several."""
    response = result.get("response")
    output = response.get("output") if isinstance(response, Mapping) else None
    if output is None or output == "":
        raise Unusable("an output that failed")
    return Answer(
        question_of(result["prompt"]),
        output if isinstance(output, str) else json.dumps(output, ensure_ascii=False),
        model=model,
        question=json.dumps([result.get("testIdx"), result["vars"]], sort_keys=True, ensure_ascii=False),
        metadata={"vars": result["vars"]} if result["vars"] else {},
    )


def question_of(prompt: Any) -> Conversation:
    """The prompt as it was sent: a text, or messages as JSON."""
    raw = prompt.get("raw") if isinstance(prompt, Mapping) else prompt
    if raw is None:
        raise Unusable("no question")
    messages = messages_or_as_is(raw)
    return conversation_of(messages, "prompt") if isinstance(messages, list) else asked(str(raw))


PROMPTFOO = Form("promptfoo's results", recognises, read, answers=answers)
