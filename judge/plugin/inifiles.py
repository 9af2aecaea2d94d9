"""Ini files: which files the one in force names, and whether a gate in another one was lost."""

from __future__ import annotations

import os
import re
from pathlib import Path

from judge.io.files import at_home

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
FILES = ("ledger", "calibration", "criteria", "report")
"""The settings that are files."""

SERVERS = ("server:", "judge:")
"""What stands before an address, or before a file of addresses."""


def from_folder(folder: Path, name: str, value: str) -> str:
    """The value of a setting in an ini file of that folder: what it names is looked for there.

    An adapter, a model with a / in it and the addresses of servers may be names of something else. They are
    files or folders if they are there.
    """
    if name in FILES:
        return str(folder / at_home(value))
    before = next((one for one in SERVERS if name == "backend" and value.startswith(one)), "")
    may_be_one = {"adapter": value != "none", "model": "/" in value, "backend": before and "://" not in value}
    there = folder / at_home(value.removeprefix(before))
    return f"{before}{there}" if may_be_one.get(name) and there.exists() else value


def lost_gate(folder: Path, in_force: Path | None) -> str:
    """What to warn of: the nearest ini file, from the folder up, with a gate not in force; "" without one."""
    for place in (folder, *folder.parents):
        for file in (place / name for name in INI_FILES):
            if file == in_force or not names_a_gate(file):
                continue
            return (
                f"{file} names a gate, which is not in force: pytest took {in_force or 'no ini file'}. "
                f"Write options as --option=value, or name the file: -c {os.path.relpath(file, folder)}."
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
