"""Clean data: a pair may not teach if any of its texts occurs in the data that judges are measured on.

These are MT-bench, the validation split of OASST and LLMBar, whole: every turn, every vote, every message.
Two texts are the same where their letters and digits are: case, spaces, punctuation and accents do not count
("its" and "it's"). Short texts count like long ones: a pair that says "Hello" goes, because OASST says it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from judge.datasets import llmbar, mt_bench, oasst
from judge.datasets.sources import published_rows
from judge.errors import InputError, JudgeError
from judge.io.usable import Unusable, usable
from judge.records import Pair, sha256_of_json

T = TypeVar("T")

NOT_LETTERS = re.compile(r"[\W_]+")
WAY_OUT = (
    "Without these texts nobody can tell whether the pairs are clean. --data-dir or JUDGE_DATA names a "
    "folder of local copies; collect.pairs.unchecked: true goes on without, and report and manifest say so."
)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What must not be trained on.

    `texts` has the normalised texts of each data set; `unread` says why each unreadable one could not be
    read.
    """

    texts: Mapping[str, frozenset[str]]
    unread: Mapping[str, str]

    @property
    def warning(self) -> str:
        """One line that names what was not checked; "" where all was."""
        if not self.unread:
            return ""
        return f"NOT CHECKED against {', '.join(self.unread)}: training pairs may be among those measured on."


def held_out_texts(folder: Path | None, unchecked: bool = False) -> HeldOut:
    """All texts of the three data sets, from local copies below `folder`, or from the hub where that is None.

    With `unchecked` a data set that cannot be read is left out and named.

    Raises:
        InputError: a data set cannot be read, or rows in it have no text where it should be.
    """
    texts: dict[str, frozenset[str]] = {}
    unread: dict[str, str] = {}
    for name, read in TEXTS.items():
        try:
            texts[name] = frozenset(normalised(text) for text in set(all_of(read(folder))))
        except JudgeError as error:  # MissingExtra, where the hub's package is not installed, among them
            unread[name] = str(error)
    if unread and not unchecked:
        reasons = "\n".join(f"{name}: {reason}" for name, reason in unread.items())
        raise InputError(f"{reasons}\n{WAY_OUT}")
    return HeldOut(texts, unread)


def clean(pairs: Iterable[Pair], held_out: HeldOut) -> tuple[list[Pair], Counter[str]]:
    """The pairs with no text from a held-out data set, and how many were dropped, by reason.

    A pair with several reasons counts under the first: prompts before replies, then the data sets in order.
    """
    return clean_by(pairs, held_out, lambda pair: {"prompt": prompts_of(pair), "reply": replies_of(pair)})


def clean_by(
    items: Iterable[T], held_out: HeldOut, texts_of: Callable[[T], Mapping[str, Iterable[str]]]
) -> tuple[list[T], Counter[str]]:
    """The same of whatever has texts; `texts_of` gives them by their kind, such as prompt."""

    @cache
    def set_with(text: str) -> str | None:
        key = normalised(text)
        return next((name for name, texts in held_out.texts.items() if key in texts), None)

    def checked(item: T) -> T:
        for kind, texts in texts_of(item).items():
            found = {set_with(text) for text in texts}
            if name := next((name for name in held_out.texts if name in found), None):
                raise Unusable(f"{kind} in {name}")
        return item

    return usable(items, checked)


def check_to_json(held_out: HeldOut, dropped: Mapping[str, int]) -> dict[str, Any]:
    """What a report and a manifest say of the check: what was read, what not and why, what was dropped."""
    return {
        "checked": {
            name: {"texts": len(texts), "hash": sha256_of_json(sorted(texts))}
            for name, texts in held_out.texts.items()
        },
        "not_checked": dict(held_out.unread),
        "dropped": dict(sorted(dropped.items())),
    }


def normalised(text: str) -> str:
    """The letters and digits of a text, without case and accents; where it has none, all but its spaces."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return NOT_LETTERS.sub("", folded) or "".join(folded.split())


def prompts_of(pair: Pair) -> Iterator[str]:
    """Every user message of both conversations, and what the system says to both."""
    yield from (m.content for m in (*pair.conversation_a, *pair.conversation_b) if m.role == "user")
    if pair.system:
        yield pair.system


def replies_of(pair: Pair) -> Iterator[str]:
    """Every other message of both conversations, judged responses among them, and the reference answer."""
    yield from (m.content for m in (*pair.conversation_a, *pair.conversation_b) if m.role != "user")
    if pair.reference:
        yield pair.reference


# --- one function a data set: the texts of each of its rows ----------------------------------------------


def texts_of_mt_bench(folder: Path | None) -> Iterator[Sequence[Any]]:
    """Both conversations of every vote, and every question with its reference answers."""
    for vote in published_rows(mt_bench.HUMAN, folder):
        for name in ("conversation_a", "conversation_b"):
            yield [message.get("content") for message in vote.get(name) or ()]
    for question in published_rows(mt_bench.QUESTIONS, folder):
        yield question.get("turns") or question.get("prompt") or ()  # question.jsonl's name, the hub's name
        yield from ([reference] for reference in question.get("reference") or ())


def texts_of_oasst(folder: Path | None) -> Iterator[Sequence[Any]]:
    """Every message, whatever its turn, language and rank, deleted ones too."""
    return ([row.get("text")] for row in oasst.messages_in(folder))


def texts_of_llmbar(folder: Path | None) -> Iterator[Sequence[Any]]:
    """The inputs and outputs of all five sets."""
    if folder is None:
        raise InputError(llmbar.LOCAL_ONLY)
    keys = ("input", "output_1", "output_2")
    return ([row.get(key) for key in keys] for _, _, row in llmbar.rows_in(folder))


TEXTS: dict[str, Callable[[Path | None], Iterator[Sequence[Any]]]] = {
    "MT-bench": texts_of_mt_bench,
    "OASST validation": texts_of_oasst,
    "LLMBar": texts_of_llmbar,
}


def all_of(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The texts of all rows. Raises InputError where one has none: what is not seen cannot be kept out."""
    number = 0
    for number, texts in enumerate(rows, start=1):
        if not texts or not all(isinstance(text, str) for text in texts):
            raise InputError(f"row {number} of those read is without its texts.")
        yield from texts
    if not number:
        raise InputError("no rows.")
