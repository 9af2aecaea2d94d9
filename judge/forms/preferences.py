"""Preference data: a chosen and a rejected answer, as text, as messages or as transcripts.

Data sets in this form: Anthropic/hh-rlhf (Bai et al., arXiv:2204.05862), argilla's -dpo- data sets,
HuggingFaceH4/ultrafeedback_binarized, Intel/orca_dpo_pairs, and what TRL's trainers and OpenAI's fine-tuning
read, with a prompt or without.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from judge.forms.conversation import (
    Conversation,
    answer_in,
    asked,
    content_of,
    conversation_of,
    earlier_in,
    is_talk,
    is_transcript,
    messages_or_as_is,
    plain_text_of,
    refuse_unreadable,
)
from judge.forms.form import (
    SAID_OF_PAIR,
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
    messages_of,
    optional_name,
    rest_of,
    said_of_pair,
)
from judge.io.rows import Wrong, found, kind_of, shown
from judge.io.usable import Unusable, usable
from judge.records import Ballot, Outcome, Pair, Status, Verdict

ANSWERS = (
    ("chosen", "rejected"),
    ("chosen_response", "rejected_response"),
    ("preferred_output", "non_preferred_output"),  # of OpenAI's fine-tuning, under an input of messages
)
PROMPTS = ("prompt", "instruction", "question", "query")
BEFORE = ("context", "history")
EARLIER = (*BEFORE, "conversations", "conversation", "messages")
ASKING = re.compile(
    r"prompt|question|instruction|query|problem|task|request|context|input|messages|conversation|dialog|history|trajectory"
    r"|post|title|user|human|text|article|passage|content|utterance",
    re.IGNORECASE,
)
"""What a column is called that may say what was asked."""
FEWEST_WORDS = 3
"""Of a text that asks something: a "task" may be "helpful", too."""
MODELS = (("chosen_model", "rejected_model"), ("chosen-model", "rejected-model"))
USED = (
    *(name for names in (*ANSWERS, *MODELS) for name in names),
    *(*PROMPTS, *EARLIER, "input", "system", "id", *SAID_OF_PAIR),
)
NEEDED = "A preference needs chosen and rejected, and a prompt where these do not begin with it."


def recognises(cells: Mapping[str, Any]) -> bool:
    return not is_pair(cells) and any(all(name in cells for name in names) for names in ANSWERS)


def read(entries: Sequence[Entry]) -> Imported:
    """Every row as a pair, with a vote for the chosen answer."""
    comparisons, left_out = each(entries, comparison_of)
    return imported(comparisons, left_out, voter="label")


def comparison_of(entry: Entry) -> Comparison:
    cells = entry.cells
    names = next((names for names in ANSWERS if any(name in cells for name in names)), None)
    if names is None:
        raise Wrong(f"found {found(cells)}. {NEEDED}")
    refuse_unreadable(cells)
    named = columns_named_in(cells, names)
    chosen, rejected = conversations_of(cells, named or names)
    if chosen.messages[-1:] == rejected.messages[-1:]:
        raise Unusable("identical texts")
    models = next((names for names in MODELS if names[0] in cells), ("", ""))
    labels = Labels()
    labels.add(lambda: Ballot.TIE if cells.get("status") == "tie" else Ballot.A)
    return Comparison(
        Side(chosen, optional_name(cells.get(models[0]))),
        Side(rejected, optional_name(cells.get(models[1]))),
        labels,
        id=given_id(cells),
        metadata=rest_of(cells, *(name for name in USED if not is_plain(cells, name)), *named),
        **said_of_pair(cells),
    )


def columns_named_in(cells: Mapping[str, Any], names: tuple[str, str]) -> tuple[str, ...]:
    """The columns of both answers where chosen and rejected name them; none where they are texts."""
    named = tuple(value for name in names if isinstance(value := cells.get(name), str) and value in cells)
    return named if len(set(named)) == len(names) else ()


def conversations_of(cells: Mapping[str, Any], names: Sequence[str]) -> tuple[Conversation, Conversation]:
    """Both conversations: what the answers' columns hold, after the prompt where they lack one."""
    if isinstance(given := cells.get("input"), Mapping):
        cells = {**cells, "input": "", "prompt": given.get("messages")}
    values = [messages_or_as_is(cells.get(name)) for name in names]
    answers = {answer_in(value) for value in values}
    before = prompt_of(cells, answers)
    texts = [value for value in values if isinstance(value, str) and not is_transcript(value)]
    if before is None and len(texts) == len(values):
        refuse_question_elsewhere(cells)
        return without_prompt(*texts)
    before = before and before.without(answers)
    is_asked = any(cells.get(name) not in (None, "") for name in PROMPTS)
    chosen, rejected = (
        whole(value, name, before, is_asked) for value, name in zip(values, names, strict=True)
    )
    system = plain_text_of(cells.get("system"))
    under = Conversation((), system)
    return under.then(chosen), under.then(rejected)


def refuse_question_elsewhere(cells: Mapping[str, Any]) -> None:
    """Raises Wrong where an unknown column may be what was asked, not what both answers begin with."""
    for name, value in cells.items():
        asks = len(value.split()) >= FEWEST_WORDS if isinstance(value, str) else is_talk(value)
        if ASKING.search(name) and asks:
            raise Wrong(
                f"no column that is known says what was asked, and {shown(name)} may. Name the columns: "
                f"judge import columns FILE --map prompt={name},response_a=NAME,response_b=NAME"
            )


def whole(value: Any, name: str, before: Conversation | None, is_asked: bool) -> Conversation:
    """The conversation that ends in an answer.

    Args:
        before: what it follows, or begins with.
        is_asked: whether a column for the prompt says that, so that it must be there.
    """
    if value is None or value == "" or value == []:
        raise Unusable("missing text")
    if isinstance(value, Mapping):
        value = [value]
    if isinstance(value, str) and not is_transcript(value):
        if before is None:
            raise Unusable("no question")
        if not value.strip():
            raise Unusable("missing text")
        return before.asking().answered(value)
    if not isinstance(value, list | str):
        raise Wrong(f"{name} is {kind_of(value)}. It must be text, or a list of messages.")
    found = conversation_of(value, name)
    if before is None:
        return found
    both = joined(before, found)
    if both is None and isinstance(value, str):
        return before.asking().answered(value)
    if both is None and is_asked and not set(said_in(before)) <= set(said_in(found)):
        raise Unusable("a prompt beside a conversation that it is not in")
    return both or found


def joined(before: Conversation, found: Conversation) -> Conversation | None:
    """The conversation of a prompt and of an answer's column, which may repeat some or all of the prompt.

    None where it asks something else: as a text it is then an answer that looks like a conversation.
    """
    if not any(message.role == "user" for message in found.messages):
        return before.asking().then(found)
    inner, outer = said_in(found.context), said_in(before)
    if inner[-len(outer) :] == outer:
        return replace(before, messages=()).then(found)
    if outer[-len(inner) :] == inner:
        return before.then(replace(found, messages=found.messages[len(inner) :]))
    return None


def said_in(talk: Conversation) -> list[tuple[str, str]]:
    return [(message.role, message.content.strip()) for message in talk.messages]


def prompt_of(cells: Mapping[str, Any], answers: Collection[str | None]) -> Conversation | None:
    """What both of these answers follow, None where no column says it."""
    given = next((name for name in PROMPTS if cells.get(name) not in (None, "")), None)
    talks = {name: earlier_in(cells.get(name)) for name in EARLIER}
    if given:
        talks["input"] = talk_before(cells.get("input"))
    earlier = next((name for name, talk in talks.items() if talk is not None), None)
    before = conversation_of(talks[earlier], earlier) if earlier else None
    if given is None and cells.get("input") in (None, ""):
        return before if before and before.messages else None
    value = messages_or_as_is(cells.get(given or "input"))
    if is_talk(value) or (isinstance(value, list) and given):
        return conversation_of(value, given or "input")
    if isinstance(value, str) and is_transcript(value):
        return conversation_of(value, given or "input")
    question, _ = content_of(value)
    more = cells.get("input")
    if given and talks["input"] is None and isinstance(more, str) and more.strip():
        question = f"{question}\n\n{more}"
    now = asked(question or "")
    return now if before is None else gone_on(before, now, answers, is_whole=earlier not in BEFORE)


def talk_before(value: Any) -> list[Any] | None:
    """The messages of a prompt's input, None where it is a text. Raises Unusable where it is neither."""
    talk = earlier_in(value)
    if talk and not is_talk(talk):
        raise Unusable("an input that is neither text nor messages")
    return talk or None


def gone_on(
    before: Conversation, now: Conversation, answers: Collection[str | None], is_whole: bool
) -> Conversation:
    """The conversation that a prompt ends, from a column that may have the prompt, too, and an answer to it.

    Args:
        answers: those that are judged.
        is_whole: the column is called a conversation, not what came before the prompt.

    Raises:
        Unusable: such a conversation asks something else in the end, or has an answer that is judged.
    """
    said, question = said_in(before), said_in(now)
    if said[-1:] == question:
        return before
    if said[-2:-1] == question and said[-1][0] == "assistant":
        return before.context
    if is_whole and said:
        role, text = said[-1]
        if role == "user" or text in answers:
            raise Unusable("a prompt beside a conversation that it is not in")
    return before.then(now)


def is_plain(cells: Mapping[str, Any], name: str) -> bool:
    """Whether a column for what was said before holds a text, which is not read as such."""
    value = cells.get(name)
    return name in EARLIER and isinstance(value, str) and earlier_in(value) is None


def without_prompt(chosen: str, rejected: str) -> tuple[Conversation, Conversation]:
    """Two texts that begin alike: the whole words that they share are the prompt (TRL's implicit prompt)."""
    n_alike = sum(1 for _ in takewhile(lambda two: two[0] == two[1], zip(chosen, rejected, strict=False)))
    shared = chosen[: max(chosen.rfind(" ", 0, n_alike), chosen.rfind("\n", 0, n_alike)) + 1]
    answers = chosen[len(shared) :], rejected[len(shared) :]
    if not shared.strip():
        raise Unusable("no question")
    if not all(answer.strip() for answer in answers):
        raise Unusable("missing text")
    before = asked(shared.rstrip())
    return before.answered(answers[0]), before.answered(answers[1])


def export(judged: Sequence[tuple[Pair, Verdict]], at: str) -> Exported:
    """A line for every pair with a winner, as TRL's DPO trainer reads it, in messages.

    The prompt stands apart where both answers of all pairs follow one; else each answer comes with its own.
    """
    won, left_out = usable(judged, lambda given: winner_of(*given))
    is_shared = all(pair.context_a == pair.context_b for pair, _ in won)
    rows = [row_of(pair, outcome, is_shared) for pair, outcome in won]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return Exported(text, len(rows), left_out)


def winner_of(pair: Pair, verdict: Verdict) -> tuple[Pair, Outcome]:
    if verdict.outcome is None or verdict.status is Status.INCONSISTENT:
        raise Unusable(verdict.status.value)
    if verdict.outcome is Outcome.TIE:
        raise Unusable("tie")
    return pair, verdict.outcome


def row_of(pair: Pair, outcome: Outcome, is_shared: bool) -> dict[str, Any]:
    both = [pair.conversation_a, pair.conversation_b]
    chosen, rejected = both if outcome is Outcome.A else both[::-1]
    if not is_shared:
        talks = {"chosen": chosen, "rejected": rejected}
        return {"id": pair.id} | {name: messages_of(talk, pair.system) for name, talk in talks.items()}
    return {
        "id": pair.id,
        "prompt": messages_of(pair.context_a, pair.system),
        "chosen": messages_of(chosen[-1:]),
        "rejected": messages_of(rejected[-1:]),
    }


PREFERENCES = Form("chosen and rejected answers", recognises, read, export)
