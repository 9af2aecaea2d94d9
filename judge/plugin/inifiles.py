"""Ini files beside the one in force: whether a gate in one of them was lost."""

from __future__ import annotations

import re
from pathlib import Path

INI_FILES = (
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
)
A_GATE = re.compile(r"^[^#;\n]*\bjudge[_-]gate\b", re.MULTILINE)


def lost_gate(folder: Path, in_force: Path | None) -> str:
    """What to warn of: the nearest ini file, from the folder up, with a gate not in force; "" without one."""
    for place in (folder, *folder.parents):
        for file in (place / name for name in INI_FILES):
            if file == in_force or not names_a_gate(file):
                continue
            return (
                f"{file} names a gate, which is not in force: pytest took {in_force or 'no ini file'}. "
                f"Write options as --option=value, or name the file: -c {file.name}."
            )
        if in_force is not None and in_force.parent == place:
            break
    return ""


def names_a_gate(file: Path) -> bool:
    """Whether the file can be read and has a gate that is no comment."""
    try:
        return A_GATE.search(file.read_bytes().decode("utf-8", "replace")) is not None
    except OSError:
        return False
