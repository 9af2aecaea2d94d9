"""Rows: a prompt, the reply that is learned to it, and how much it counts; as values and as JSONL files.

Where rows come from does not matter here: the majority of sampled answers, traces, answers that people wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

from judge.io.pairs import message_of
from judge.io.rows import JSON_READERS, Wrong, found, gather, kind_of, rows_of, shown, write_json_lines
from judge.io.values import optional_text, text
from judge.prompts import plain
from judge.records import Message, Prompt, sha256_of_json

T = TypeVar("T")

KEYS = ("prompt", "reply", "weight", "sign", "group")
NOTES = ("pair_id", "order", "reason", "mirrored")
"""What a line may say beside: where a row comes from. The pair is the group of a row that names none."""
RIGHT, WRONG = 1, -1
"""The sign of a right reply, and of one that shall not be given."""

LEAST_WEIGHT, MOST_WEIGHT = 1e-30, 1e30
"""Beyond these a loss in float32 is nothing, or no number."""

WEIGHTS = f"a number from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """What a student shall reply to a prompt. `messages` are the prompt, the last of them a user's.

    `sign` is `RIGHT`, or `WRONG` where the reply is one that it shall not give. Rows of one `group` are held
    out together, such as those that show the same two answers in either order; "" is that of the prompt.

    Raises:
        ValueError: there is no user's message at the end, the reply is empty or no text, or its weight or
            sign is none.
    """

    messages: tuple[Message, ...]
    reply: str
    weight: float = 1.0
    sign: int = RIGHT
    group: str = ""

    def __post_init__(self) -> None:
        if not self.messages or self.messages[-1].role != "user":
            raise ValueError("the last message of the prompt is not the user's")
        if not isinstance(self.reply, str) or not self.reply:
            raise ValueError(f"the reply is {self.reply!r}, not what is to be learned")
        if not is_weight(self.weight):
            raise ValueError(f"the weight is {shown(self.weight)}, not {WEIGHTS}")
        if self.sign not in (RIGHT, WRONG):
            raise ValueError(f"the sign is {self.sign}, not {RIGHT} or {WRONG}")

    @classmethod
    def of(
        cls,
        prompt: str | Sequence[Message],
        reply: str,
        weight: float = 1.0,
        sign: int = RIGHT,
        group: str = "",
    ) -> Row:
        """The row of a prompt that is one user's message of this text, or these messages."""
        messages = (Message("user", prompt),) if isinstance(prompt, str) else tuple(prompt)
        return cls(messages, reply, weight, sign, group)

    @property
    def prompt(self) -> Prompt:
        """What the student is shown in training, and what it is asked with later."""
        return plain(self.messages)

    @property
    def question(self) -> str:
        """All words of the prompt, without differences of case and spaces."""
        return " ".join(" ".join(one.content for one in self.messages).casefold().split())

    @property
    def held_out_by(self) -> str:
        """What decides whether it is held out, the same for all rows that go together."""
        return self.group or self.question

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of the prompt and the reply, and of a wrong reply's sign."""
        sign = [] if self.sign == RIGHT else [self.sign]
        return sha256_of_json([[[one.role, one.content] for one in self.messages], self.reply, *sign])


def is_weight(value: Any) -> bool:
    """Whether a row may count so much."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return is_number and LEAST_WEIGHT <= value <= MOST_WEIGHT


def drawn(rows: Sequence[T], n: int, seed: int, row_of: Callable[[T], Row]) -> list[T]:
    """So many of the rows, by a hash of their contents, as a file may have its right ones first."""
    return sorted(rows, key=lambda one: sha256_of_json([seed, row_of(one).content_hash]))[:n]


def write_rows(path: str | Path, rows: Sequence[Row]) -> None:
    """Writes a .jsonl, a row a line, whole or not at all. Raises InputError where it cannot be written."""
    write_json_lines(path, map(row_to_json, rows))


def row_to_json(row: Row) -> dict[str, Any]:
    """The row as a line of a file has it: a prompt of one user's message is its text; no sign is right."""
    is_text = [one.role for one in row.messages] == ["user"]
    messages = [{"role": one.role, "content": one.content} for one in row.messages]
    return {
        "prompt": row.messages[0].content if is_text else messages,
        "reply": row.reply,
        "weight": float(row.weight),
        **({} if row.sign == RIGHT else {"sign": row.sign}),
        **({"group": row.group} if row.group else {}),
    }


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a JSONL file, one a line: {"prompt": text or messages, "reply": text, "weight": 1.0,
    "sign": 1, "group": text}.

    Raises:
        BadLines: some lines are no rows; the error names every one of them.
        InputError: the file as a whole cannot be read.
    """
    return gather(rows_of(path, JSON_READERS), lambda cells, _: row_from_cells(cells))


def row_from_cells(cells: Mapping[str, Any]) -> Row:
    """The row of one JSON object; what is not there is a weight of 1, a sign of 1, the pair as its group."""
    if missing := [key for key in KEYS[:2] if cells.get(key) is None]:
        raise Wrong(
            f"missing {' and '.join(missing)} (found: {found(cells)}). Every row needs prompt and reply."
        )
    if unknown := [key for key in cells if key not in (*KEYS, *NOTES)]:
        raise Wrong(f"the unknown key {shown(unknown[0])}. A row has {', '.join(KEYS)}.")
    weight = cells.get("weight", 1.0)
    if not is_weight(weight):
        raise Wrong(f"weight is {shown(weight)}. It must be {WEIGHTS}.")
    sign = cells.get("sign", RIGHT)
    if isinstance(sign, bool) or sign not in (RIGHT, WRONG):
        raise Wrong(f"sign is {shown(sign)}. It must be {RIGHT} of a right reply, {WRONG} of a wrong one.")
    reply = text(cells["reply"], "reply")
    if not reply:
        raise Wrong("reply is empty. It must be what is to be learned.")
    group = optional_text(cells, "group")
    if group is None and cells.get("pair_id") is not None:
        group = str(cells["pair_id"])
    return Row(messages_of(cells["prompt"]), reply, float(weight), int(sign), group or "")


def messages_of(value: Any) -> tuple[Message, ...]:
    """The messages of a prompt, which is one text or a list of them."""
    if isinstance(value, str):
        return (Message("user", value),)
    if not isinstance(value, list):
        raise Wrong(f"prompt is {kind_of(value)}. It must be text or a list of messages.")
    messages = tuple(message_of(one, f"prompt, message {n}") for n, one in enumerate(value, start=1))
    if any(one.role == "system" for one in messages[1:]):
        raise Wrong("prompt has a system message that is not the first. Only the first may be one.")
    if not messages or messages[-1].role != "user":
        raise Wrong("prompt does not end with a user's message. The reply follows the user's last one.")
    return messages
