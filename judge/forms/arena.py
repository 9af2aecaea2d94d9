"""Votes of Chatbot Arena and MT-bench: two models' conversations, and who won. Their a is the pair's a.

Data sets in this form: lmsys/chatbot_arena_conversations, lmsys/mt_bench_human_judgments (Zheng et al.,
arXiv:2306.05685), lmsys/lmsys-arena-human-preference-55k, lmarena-ai/arena-human-preference-100k and -140k.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from judge.forms.answers import sides_apart
from judge.forms.conversation import (
    PRINTED,
    Conversation,
    conversation_of,
    listed,
    plain_text_of,
    refuse_unreadable,
)
from judge.forms.fields import further_answers
from judge.forms.form import (
    SAID_OF_PAIR,
    Answers,
    Comparison,
    Entry,
    Form,
    Imported,
    Labels,
    Side,
    each,
    given_id,
    imported,
    optional_name,
    rest_of,
    said_of_pair,
    with_metadata,
)
from judge.forms.winners import flagged, named_ballot
from judge.io.rows import Wrong, found
from judge.io.usable import Unusable
from judge.io.values import text
from judge.records import Ballot, Message

CONVERSATIONS = (("conversation_a", "conversation_b"), ("messages_a", "messages_b"))
ANSWERS = ("prompt", "response_a", "response_b")
FLAGS = {
    "winner_model_a": Ballot.A,
    "winner_model_b": Ballot.B,
    "winner_tie": Ballot.TIE,
    "winner_both_bad": Ballot.BOTH_BAD,
    "winner_tie_bothbad": Ballot.BOTH_BAD,
}
USED = (
    *(name for names in CONVERSATIONS for name in names),
    *(*ANSWERS, *FLAGS, "winner", "judge", "turn", "id", *SAID_OF_PAIR, "model_a", "model_b", "system"),
    "full_conversation",  # all turns of a session, by other models too
)
PRINTED_TURNS = re.compile(r"\s*\[\s*'.*\]\s*\Z", re.DOTALL)
TURN = re.compile(r"\s*([0-9]{1,9})(\.0+)?\s*")
NEEDED = (
    "An arena's vote needs winner, and conversation_a and conversation_b or prompt, response_a, response_b."
)


def recognises(cells: Mapping[str, Any]) -> bool:
    has_winner = "winner" in cells or "winner_model_a" in cells
    return has_winner and any(all(name in cells for name in names) for names in (*CONVERSATIONS, ANSWERS))


def read(entries: Sequence[Entry]) -> Imported:
    """Every battle as a pair, its winner as a vote on the turn that was judged."""
    comparisons, left_out = each(entries, comparison_of)
    return imported(comparisons, left_out, voter="arena")


def answers(entries: Sequence[Entry]) -> Answers:
    """What each model said, once, in however many battles; who won counts for nothing."""
    comparisons, left_out = each(entries, comparison_of)
    return sides_apart(comparisons, left_out)


def comparison_of(entry: Entry) -> Comparison:
    cells = entry.cells
    if not any(name in cells for names in (*CONVERSATIONS, ANSWERS) for name in names):
        raise Wrong(f"found {found(cells)}. {NEEDED}")
    refuse_unreadable(cells)
    first, second = sides_of(cells)
    answers = next((names for names in CONVERSATIONS if names[0] in cells), ANSWERS[1:])
    further = further_answers(cells, answers[0])
    labels = Labels(left_out=further)
    labels.add(lambda: winner_of(cells, bool(further)), optional_name(cells.get("judge")) or "")
    return Comparison(
        first,
        second,
        labels,
        id=given_id(cells),
        metadata=metadata_of(cells),
        is_in_order=True,
        **said_of_pair(cells),
    )


def metadata_of(cells: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that are left, and the keys of a metadata object, as a pair of our own has them."""
    rest = rest_of(with_metadata(cells), *USED)
    given = rest.get("metadata")
    return given | rest_of(rest, "metadata") if isinstance(given, dict) else rest


def winner_of(cells: Mapping[str, Any], has_third: bool) -> Ballot | None:
    if "winner" not in cells:
        return flagged(cells, FLAGS)
    models = [optional_name(cells.get(name)) for name in ("model_a", "model_b")]
    return named_ballot(cells["winner"], *models, has_third=has_third)


def sides_of(cells: Mapping[str, Any]) -> tuple[Side, Side]:
    """Both sides, up to the turn that the row says was judged."""
    under = Conversation((), plain_text_of(cells.get("system")))
    names = next((names for names in CONVERSATIONS if any(name in cells for name in names)), None)
    both = [conversation_of(cells.get(name), name) for name in names] if names else spoken(cells)
    if names or len(both[0].messages) > 2:  # one question and its answer are what was judged, whatever turn
        both = [up_to(one, turn_of(cells.get("turn"))) for one in both]
    given = with_metadata(cells).get("metadata")
    known = {**given, **cells} if isinstance(given, Mapping) else cells  # pairs of our own name them there
    models = [optional_name(known.get(name)) for name in ("model_a", "model_b")]
    return Side(under.then(both[0]), models[0]), Side(under.then(both[1]), models[1])


def turn_of(value: Any) -> int | None:
    """The number of the turn that was judged, which a table may have as 2.0; None where none is named."""
    if value is None or value == "":
        return None
    number = TURN.fullmatch(str(value))
    if number is None or int(number[1]) < 1:
        raise Unusable("an unknown turn")
    return int(number[1])


def up_to(conversation: Conversation, turn: int | None) -> Conversation:
    """The conversation to the answer of a turn, None being the last: a vote on turn 1 has not seen turn 2."""
    if turn is None:
        return conversation
    asked = [at for at, message in enumerate(conversation.messages) if message.role == "user"]
    if len(asked) < turn:
        raise Unusable("fewer messages than the turn needs")
    end = asked[turn] if len(asked) > turn else len(conversation.messages)
    return Conversation(conversation.messages[:end], conversation.system, conversation.left_out)


def spoken(cells: Mapping[str, Any]) -> list[Conversation]:
    """Both conversations of a prompt and two answers, each of them a text, or a list of one text a turn.

    A list may be JSON in a text where all three are lists: else the JSON is what was asked or said.
    """
    given = [cells.get(name) for name in ANSWERS]
    if all(isinstance(value, str) and PRINTED_TURNS.match(value) for value in given):
        raise Unusable(PRINTED)
    is_json = all(is_turns(listed(cells.get(name))) for name in ANSWERS)
    prompt, *answers = (turns_of(cells.get(name), name, is_json) for name in ANSWERS)
    if any(len(answer) != len(prompt) for answer in answers):
        prompt, *answers = (one_turn(cells.get(name), name) for name in ANSWERS)
    if any(said is None for turns in (prompt, *answers) for said in turns):
        raise Unusable("an answer without text")
    return [
        Conversation(
            tuple(
                Message(role, said or "")
                for turn in zip(prompt, answer, strict=True)
                for role, said in zip(("user", "assistant"), turn, strict=True)
            )
        )
        for answer in answers
    ]


def turns_of(value: Any, name: str, is_json: bool) -> list[str | None]:
    """The texts of each turn. `is_json`: a list may be JSON in a text; any other text is one turn."""
    turns: Any = listed(value) if is_json else value
    return turns if is_turns(turns) else one_turn(value, name)


def one_turn(value: Any, name: str) -> list[str | None]:
    return [None if value is None else text(value, name)]


def is_turns(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str | None) for one in value)


ARENA = Form("arena votes", recognises, read, answers=answers)
