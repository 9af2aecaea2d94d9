"""Files of other tools, one form a file, each read as pairs and votes: `judge.forms.form` says how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from judge.registry import Registry

if TYPE_CHECKING:
    from judge.forms.form import Form

OURS = {
    "arena": "judge.forms.arena:ARENA",
    "alpacaeval": "judge.forms.alpacaeval:ALPACAEVAL",
    "fastchat": "judge.forms.fastchat:FASTCHAT",
    "inspect": "judge.forms.inspect_log:INSPECT",
    "promptfoo": "judge.forms.promptfoo:PROMPTFOO",
    "label-studio": "judge.forms.label_studio:LABEL_STUDIO",
    "argilla": "judge.forms.argilla:ARGILLA",
    "preferences": "judge.forms.preferences:PREFERENCES",
    "openai": "judge.forms.openai:OPENAI",
    "sharegpt": "judge.forms.sharegpt:SHAREGPT",
}
"""Our own, in the order in which they are tried on a file of an unknown form."""


def fault_of(name: str, found: object) -> str:
    """Why an object of another package is not a form, or ""."""
    from judge.forms.form import Form

    return "" if isinstance(found, Form) else f"it is no Form, but {type(found).__name__}"


FORMS: Registry[Form] = Registry("judge.forms", "form", OURS, fault_of)
"""Every form by name, those of other packages too."""
