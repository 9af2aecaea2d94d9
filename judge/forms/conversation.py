"""Conversations in all their spellings: lists of messages, content parts, roles of tools, transcripts.

The judge reads text. What is none (an image, a sound) makes a conversation unusable; a tool's call without
text is left out of it and counted; a tool's result stays, as what the assistant knew.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from judge.io.rows import NotJson, Wrong, found, kind_of, parse_json, shown
from judge.io.usable import Unusable
from judge.records import Message

USERS = frozenset({"user", "human", "prompter"})
ASSISTANTS = frozenset({"assistant", "gpt", "chatgpt", "bard", "bing", "model", "ai", "bot"})
SYSTEMS = frozenset({"system", "developer"})
RESULTS = frozenset({"tool", "function", "observation", "function_response", "tool_response", "ipython"})
CALLS = frozenset({"function_call", "tool_call"})

CALL = "a tool's call without text"
CALL_BESIDE = "a tool's call beside text"
THINKING = "what the model thought"
TOOL_SAID = "Result of a tool: "
THOUGHT = ("analysis", "commentary")
"""The channels of gpt-oss (Harmony) beside the final one, on which it answers."""

ROLE_KEYS = ("role", "from", "speaker")
CONTENT_KEYS = ("content", "value", "text", "parts")
ITEMS = {
    "function_call": CALL,
    "function_call_output": None,
    "reasoning": THINKING,
    "mcp_list_tools": "a list of tools",
    **dict.fromkeys(("mcp_approval_request", "mcp_approval_response"), "whether a tool may be called"),
}
"""What has a type in place of a role: why it is left out, None for a tool's result."""
CALL_ENDS = ("_call", "_call_output")
"""How the types of all other calls and their results end, such as web_search_call."""

UNREADABLE = {
    "image": "an image",
    "audio": "a sound",
    "video": "a film",
    "file": "a file",
    "document": "a file",
}
"""What no text can stand for: by a word in a part's type, or a key of a message or a row."""

UNREADABLE_KEY = re.compile(r"(image|audio|video)s?(?:_(?:urls?|paths?|base64))?")

FAULTY = "a list in a text with a fault, such as half a character or a key that is there twice"
PRINTED = "a list as Python prints it, which is no JSON"
PRINTED_TALK = re.compile(r"\s*\[\s*\{\s*'(?:role|from|speaker|content|value|text)'\s*:")
ROLE_IN_TEXT = re.compile(r"""["'](?:role|from|speaker)["']\s*:""")

USER = re.compile(r"(?:\A|\n\n)(Human|User):")
TRANSCRIPT = re.compile(r"\s*(?:Human|User|System): ?.*\n\nAssistant:", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages with their system text. `left_out` says of each message that was left out why it was."""

    messages: tuple[Message, ...]
    system: str | None = None
    left_out: tuple[str, ...] = ()

    def then(self, other: Conversation) -> Conversation:
        """This one, gone on with by another, whose system text counts where this has none.

        Raises Unusable where each has one of its own.
        """
        if self.system and other.system and self.system.strip() != other.system.strip():
            raise Unusable("different system texts")
        return Conversation(
            self.messages + other.messages, self.system or other.system, self.left_out + other.left_out
        )

    def answered(self, answer: str) -> Conversation:
        """This one, ending in an answer."""
        return replace(self, messages=(*self.messages, Message("assistant", answer)))

    def without(self, answers: Collection[str | None]) -> Conversation:
        """This one without one of these answers, where it ends in one."""
        is_there = self.is_answered and self.messages[-1].content.strip() in answers
        return self.context if is_there else self

    def asking(self) -> Conversation:
        """This one, for an answer to follow. Raises Unusable where it ends in another answer already."""
        if self.is_answered:
            raise Unusable("a conversation that ends in another answer")
        return self

    @property
    def is_answered(self) -> bool:
        """Whether the assistant speaks last; a tool's result is no answer."""
        last = self.messages[-1:]
        return any(one.role == "assistant" and not one.content.startswith(TOOL_SAID) for one in last)

    def check(self) -> None:
        """Raises Unusable where it does not ask something and end in an answer."""
        if not self.messages or self.messages[-1].role != "assistant":
            raise Unusable(f"an answer that is {CALL}" if CALL in self.left_out else "no answer at the end")
        if self.messages[-1].content.startswith(TOOL_SAID):
            raise Unusable("no answer after a tool's result")
        asked = [message.content for message in self.messages[:-1] if message.role == "user"]
        if not asked or not asked[-1].strip():
            raise Unusable("no question")

    @property
    def context(self) -> Conversation:
        """All of it before the last answer."""
        return replace(self, messages=self.messages[:-1])


def asked(question: str, system: str | None = None) -> Conversation:
    """A conversation of one question."""
    return Conversation((Message("user", question),), system or None)


def conversation_of(value: Any, name: str) -> Conversation:
    """The conversation in a value: a list of messages, such a list as JSON text, or a transcript.

    A null is the same as a cell that is not there, as a table has it.

    Raises:
        Wrong: it is none of these.
        Unusable: nothing is there, something in it is no text, or its roles cannot be told.
    """
    if value in (None, ""):
        raise Unusable("no conversation")
    if isinstance(value, str) and is_transcript(value):
        return transcript_of(value)
    value = listed(value)
    if not isinstance(value, list):
        raise Wrong(f"{name} is {kind_of(value)}. It must be a list of messages.")
    if value and all(isinstance(item, list) for item in value):  # one list a turn
        value = [message for turn in value for message in turn]
    messages: list[Message] = []
    systems: list[str] = []
    left_out: list[str] = []
    places = [(number, said) for number, item in enumerate(value, start=1) for said in parted(item)]
    for number, item in places:
        role, text, dropped = message_of(item, f"{name}, message {number}")
        left_out += dropped
        if text is None:
            continue
        if role != "system":
            messages.append(Message(role, text))
        elif messages:
            raise Unusable("a system message after the first question")
        elif text.strip():
            systems.append(text)
    return Conversation(tuple(messages), "\n\n".join(systems) or None, tuple(left_out))


def listed(value: Any) -> Any:
    """The list that a text holds as JSON; any other value as it is.

    Raises Unusable where the text is JSON with a fault, or messages as Python prints them: no text to be
    judged.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return parse_json(value)
        except NotJson:
            if PRINTED_TALK.match(value):
                raise Unusable(PRINTED) from None
            return value
        except Wrong:
            raise Unusable(FAULTY) from None
    return value


def earlier_in(value: Any) -> list[Any] | None:
    """The messages of what was said before, None where the value is no list, nor a text with messages."""
    messages = listed(value)
    if not isinstance(messages, list):
        return None
    messages = turns(messages)
    return messages if isinstance(value, list) or is_talk(messages) else None


def turns(value: list[Any]) -> list[Any]:
    """The messages of a list whose items are messages, or questions with their answers."""
    messages: list[Any] = []
    for item in value:
        if isinstance(item, Mapping) and set(item) == {"input", "output"}:
            item = [item["input"], item["output"]]
        if isinstance(item, list) and len(item) == 2 and all(isinstance(one, str | None) for one in item):
            roles = zip(("user", "assistant"), item, strict=True)
            messages += [{"role": role, "content": text} for role, text in roles if text is not None]
        else:
            messages.append(item)
    return messages


def messages_or_as_is(value: Any) -> Any:
    """The messages that a text holds as JSON; any other value as it is, such as an answer that is a list."""
    try:
        found = listed(value)
    except Unusable:
        if ROLE_IN_TEXT.search(value):
            raise
        return value
    return found if is_talk(found) else value


def is_talk(value: Any) -> bool:
    """Whether a value is a list of objects, a message among them, or of such lists, one a turn."""
    if not isinstance(value, list):
        return False
    items = value
    if all(isinstance(item, list) for item in value):
        items = [message for turn in value for message in turn]
    return all(isinstance(item, Mapping) for item in items) and any(map(is_message, items))


def is_message(item: Mapping[str, Any]) -> bool:
    """Whether an object says who speaks and what, or has a type in place of a role."""
    says = is_call(item) or any(key in item for key in CONTENT_KEYS)
    return has_item_type(item) or (says and any(isinstance(item.get(key), str) for key in ROLE_KEYS))


def has_item_type(item: Mapping[str, Any]) -> bool:
    kind = item.get("type")
    return isinstance(kind, str) and kind in ITEMS


def is_item(item: Mapping[str, Any]) -> bool:
    """Whether an object is an item of OpenAI's Responses API by its type, one of those listed or not."""
    return has_item_type(item) or str(item.get("type")).endswith(CALL_ENDS)


def message_of(item: Any, name: str) -> tuple[str, str | None, Sequence[str]]:
    """The role (user, assistant or system), the text, None without any, and what was left out of it."""
    if not isinstance(item, Mapping):
        raise Wrong(f"{name} is {kind_of(item)}. It must be an object with role and content.")
    role_key = next((key for key in ROLE_KEYS if isinstance(item.get(key), str)), None)
    content_key = next((key for key in CONTENT_KEYS if key in item), None)
    if role_key is None and is_item(item):
        return item_of(item)
    if role_key is None or (content_key is None and not is_call(item)):
        raise Wrong(f"{name} has {found(item)}. It must have role and content, or from and value.")
    refuse_unreadable(item)
    role = item[role_key].strip().lower()
    text, dropped = content_of(item.get(content_key or ""))
    if is_result(item.get(content_key or "")):
        role = "tool"
    if role in CALLS:
        return "assistant", None, [CALL]
    if role in RESULTS:
        return "assistant", None if text is None else f"{TOOL_SAID}{text}", dropped
    if role in USERS | SYSTEMS:
        if text is None and not dropped and role in USERS:
            raise Unusable("a question without text")
        return "system" if role in SYSTEMS else "user", text, dropped
    if role not in ASSISTANTS:
        raise Unusable(f"an unknown role {shown(item[role_key])}")
    if item.get("channel") in THOUGHT:
        return "assistant", None, [CALL if is_call(item) else THINKING]
    if text is None and isinstance(item.get("refusal"), str):
        text = item["refusal"]
    if is_call(item) or CALL in dropped:
        dropped = [one for one in dropped if one != CALL]
        return ("assistant", text, [*dropped, CALL_BESIDE]) if text else ("assistant", None, [*dropped, CALL])
    if text is None and not dropped:
        raise Unusable("an answer without text")
    return "assistant", text, dropped


def item_of(item: Mapping[str, Any]) -> tuple[str, str | None, Sequence[str]]:
    """The same of a tool's call, its output, or a thought, which have no role."""
    kind, output = item["type"], item.get("output")
    if not kind.endswith("_output"):
        result = f"{TOOL_SAID}{output}" if output and isinstance(output, str) else None  # in an mcp_call
        return "assistant", result, [ITEMS.get(kind) or CALL]
    text, dropped = content_of(output)
    return "assistant", None if text is None else f"{TOOL_SAID}{text}", dropped


def parted(item: Any) -> list[Any]:
    """A message as several where its content has a tool's results beside other parts, as Anthropic's has."""
    key = next((key for key in CONTENT_KEYS if isinstance(item, Mapping) and key in item), None)
    if key is None or not isinstance(item[key], list):
        return [item]
    runs = [list(parts) for _, parts in groupby(item[key], is_result_part)]
    return [{**item, key: parts} for parts in runs] if len(runs) > 1 else [item]


def is_result(value: Any) -> bool:
    """Whether a message's content is a tool's results alone, as Anthropic's users give them."""
    return isinstance(value, list) and bool(value) and all(map(is_result_part, value))


def is_result_part(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "tool_result"


def is_call(item: Mapping[str, Any]) -> bool:
    return bool(item.get("tool_calls") or item.get("function_call"))


def answer_in(value: Any) -> str | None:
    """The answer that a text, messages or a transcript ends in; None where there is none to be read."""
    if isinstance(value, str) and not is_transcript(value):
        return value.strip()
    try:
        said = conversation_of([value] if isinstance(value, Mapping) else value, "answer").messages
    except (Unusable, Wrong):
        return None
    return said[-1].content.strip() if said else None


def content_of(value: Any) -> tuple[str | None, list[str]]:
    """The text of a message's content, None without any, and which of its parts were left out."""
    if value is None or isinstance(value, str):
        return value, []
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list):
        raise Unusable("content that is no text")
    texts: list[str] = []
    left_out: list[str] = []
    for part in value:
        kind = kind_of_part(part)
        if isinstance(part, str):
            texts.append(part)
        elif kind in ("tool_use", "tool_call", "function_call"):
            left_out.append(CALL)
        elif kind in ("thinking", "redacted_thinking", "reasoning"):
            left_out.append(THINKING)
        else:
            texts.append(text_of_part(part, kind))
    return (parts_joined(texts) if texts else None), left_out


def kind_of_part(part: Any) -> str:
    """A part's type in small letters, text where it has none; what Gemini marks as a thought is thinking."""
    if not isinstance(part, Mapping):
        return "text"
    return "thinking" if part.get("thought") is True else str(part.get("type") or "text").lower()


def parts_joined(texts: Sequence[str]) -> str:
    """The texts of parts as one: parts of a sentence as they are, others with an empty line between them."""
    whole = texts[0]
    for text in texts[1:]:
        is_cut = whole[-1:].isspace() or text[:1].isspace()
        whole += text if is_cut else f"\n\n{text}"
    return whole


def plain_text_of(value: Any) -> str | None:
    """A system text or a reference: a text, parts of one, or a number; None where there is none.

    Raises Unusable where it is something else.
    """
    if isinstance(value, bool | int | float):
        return str(value)
    text, left_out = content_of(value)
    if left_out:
        raise Unusable("content that is no text")
    return text or None


def text_of_part(part: Any, kind: str) -> str:
    if not isinstance(part, Mapping):
        raise Unusable("content that is no text")
    if unreadable := next((what for word, what in UNREADABLE.items() if word in kind), None):
        raise Unusable(unreadable)
    refuse_unreadable(part)
    if isinstance(part.get("content"), list):  # a tool's result in parts
        return content_of(part["content"])[0] or ""
    texts = [part[key] for key in ("text", "refusal", "content") if isinstance(part.get(key), str)]
    if not texts:
        raise Unusable("content that is no text")
    return str(texts[0])


def refuse_unreadable(cells: Mapping[str, Any]) -> None:
    """Raises Unusable for a row, a message or a part that comes with an image or the like."""
    for name, value in cells.items():
        if value and (key := UNREADABLE_KEY.fullmatch(name)):
            raise Unusable(UNREADABLE[key[1]])


def is_transcript(text: str) -> bool:
    """Whether a text is a conversation of "Human:" and "Assistant:", as HH-RLHF writes it."""
    return bool(TRANSCRIPT.match(text))


def transcript_of(text: str) -> Conversation:
    """The conversation of a transcript. An empty assistant at its end is where the answer goes.

    It has two speakers, and may begin with a system's text: "System:" later on is said by one of them.
    """
    text = text.lstrip()
    first = USER.search(text)
    user = first[1] if first else "User"
    _, *pieces = re.split(rf"(?:\A(?=System:)|(?:\A|\n\n)(?={user}:|Assistant:))(\w+):[ \t]?", text)
    roles = {"Human": "user", "User": "user", "Assistant": "assistant", "System": "system"}
    said = [(roles[role], piece.strip()) for role, piece in zip(pieces[::2], pieces[1::2], strict=True)]
    if said and said[-1] == ("assistant", ""):
        said.pop()
    system = "\n\n".join(piece for role, piece in said if role == "system")
    return Conversation(
        tuple(Message(role, piece) for role, piece in said if role != "system"), system or None
    )
