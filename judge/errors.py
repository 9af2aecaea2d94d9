"""Every error a user can meet, as one tree. The command line prints these on one line and exits with 2.

JudgeError
├── InputError            a file or an argument of the user's is wrong
│   └── BadLines          a pair or verdict file with lines that cannot be read
├── ModelError            a base model or its weights cannot be used
│   ├── UnknownModel      no such name, hub id or folder
│   └── BrokenWeights     missing part, wrong hash, no room on disk
├── BackendError          an engine failed; its own error is the cause
│   ├── PromptTooLong     the prompt does not fit and may not be shortened
│   └── MissingExtra      the engine's package is not installed
├── PluginError           a method, backend, metric, data set or form of another package cannot be used
└── LedgerError           the ledger cannot be opened, read or written

Anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SHOWN_PROBLEMS = 20
SHOWN_SPANS = 5
PLACED = re.compile(
    r"(?P<file>.+?)(?P<unit>:| row )(?P<number>[0-9]+)(, item [0-9]+)?: (?P<what>.*)", re.DOTALL
)


class JudgeError(Exception):
    """The root: something the user can mend. The message says where, what was found and what is right."""


class InputError(JudgeError):
    """A file or an argument of the user's is wrong."""


class BadLines(InputError):
    """A file with lines that cannot be read; shows up to twenty of them, and how many there are in all.

    Lines of which the same is wrong are shown once, with their count and the first numbers.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(_shown(alike_together(self.problems), "bad lines"))

    def __reduce__(self) -> tuple[type, tuple[Sequence[str]]]:
        return type(self), (self.problems,)  # as it is made: its text alone would be taken for problems


class ModelError(JudgeError):
    """A base model or its weights cannot be used."""


class UnknownModel(ModelError):
    """No base model has this name, and it is neither a hub id nor a folder."""


class BrokenWeights(ModelError):
    """Weights are missing, differ from their hash, or cannot be stored."""


class BackendError(JudgeError):
    """An engine failed; its own error is the cause."""


class PromptTooLong(BackendError):
    """Prompts that do not fit into the limit and may not be shortened any further; shows up to twenty."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(_shown([(one, 1) for one in self.problems], "prompts that are too long"))

    def __reduce__(self) -> tuple[type, tuple[Sequence[str]]]:
        return type(self), (self.problems,)


class MissingExtra(BackendError):
    """A package that only one extra installs is missing; the message names the extra."""


class PluginError(JudgeError):
    """What another package adds (a method, a form) cannot be used; the message names the package."""


class LedgerError(JudgeError):
    """The ledger cannot be opened, read or written."""


def alike_together(problems: Sequence[str]) -> list[tuple[str, int]]:
    """The problems in order of the first of each, and of how many lines each of them tells."""
    alike: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for problem in problems:
        placed = PLACED.fullmatch(problem)
        key = (placed["file"], placed["unit"], placed["what"]) if placed else ("", "", problem)
        alike.setdefault(key, []).append((int(placed["number"]) if placed else 0, problem))
    return [(_told(key, same), len(same)) for key, same in alike.items()]


def _told(key: tuple[str, str, str], same: Sequence[tuple[int, str]]) -> str:
    """What is wrong in the same way with one line of a file, or with several; each has its number."""
    file, unit, what = key
    if not unit or len(same) == 1:
        return same[0][1]
    numbers = [number for number, _ in same]
    kind, places = "lines" if unit == ":" else "rows", list(dict.fromkeys(numbers))
    if len(places) == len(numbers):
        return f"{file}: {len(numbers)} {kind} ({spans_of(places)}): {what}"
    lines = kind if len(places) > 1 else kind.removesuffix("s")  # of JSON that stands in one line
    return f"{file}: {len(numbers)} items ({lines} {spans_of(places)}): {what}"


def spans_of(numbers: Sequence[int]) -> str:
    """The numbers, which rise, in few words: 1-30, 32, 40-41, ..."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    words = [f"{first}-{last}" if last > first else str(first) for first, last in spans]
    return ", ".join(words[:SHOWN_SPANS]) + (", ..." if len(words) > SHOWN_SPANS else "")


def _shown(problems: Sequence[tuple[str, int]], what: str) -> str:
    """The first twenty problems, a line each, and how many more lines have one."""
    n_more = sum(count for _, count in problems[SHOWN_PROBLEMS:])
    more = [f"... and {n_more} more {what}"] if n_more > 0 else []
    return "\n".join([*(problem for problem, _ in problems[:SHOWN_PROBLEMS]), *more])
