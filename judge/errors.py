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
├── PluginError           a method, backend, metric or data set of another package cannot be used
└── LedgerError           the ledger cannot be opened, read or written

Anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence

SHOWN_PROBLEMS = 20


class JudgeError(Exception):
    """The root: something the user can mend. The message says where, what was found and what is right."""


class InputError(JudgeError):
    """A file or an argument of the user's is wrong."""


class BadLines(InputError):
    """A file with lines that cannot be read; shows up to twenty of them, and how many there are in all."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(_shown(self.problems, "bad lines"))


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
        super().__init__(_shown(self.problems, "prompts that are too long"))


class MissingExtra(BackendError):
    """A package that only one extra installs is missing; the message names the extra."""


class PluginError(JudgeError):
    """Another package's method, backend, metric or data set cannot be used; the message names the package."""


class LedgerError(JudgeError):
    """The ledger cannot be opened, read or written."""


def _shown(problems: Sequence[str], what: str) -> str:
    """The first twenty problems, a line each, and how many more there are."""
    n_more = len(problems) - SHOWN_PROBLEMS
    more = [f"... and {n_more} more {what}"] if n_more > 0 else []
    return "\n".join([*problems[:SHOWN_PROBLEMS], *more])
