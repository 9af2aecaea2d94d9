"""A hook of mkdocs: the site is built only if every public name is documented and on the reference page."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "python.md"
LOG = logging.getLogger("mkdocs.hooks")


def on_pre_build(config: Any) -> None:
    """A warning for each name that is not documented, which ends a strict build."""
    for problem in undocumented(REFERENCE.read_text(encoding="utf-8")):
        LOG.warning(problem)


def undocumented(page: str) -> Iterator[str]:
    """What is missing, in words: docstrings of what `judge` exports, and names that are not on this page."""
    import judge

    shown = {line.removeprefix("::: ") for line in page.splitlines() if line.startswith("::: ")}
    for name in judge.__all__:
        if name.startswith("__"):
            if f"judge.{name}" not in page:
                yield f"judge.{name} is not on the page."
            continue
        if f"judge.{name}" not in shown:
            yield f"judge.{name} is not on the page. Add a line: ::: judge.{name}"
        for path, one in (name, getattr(judge, name)), *public_members(name, getattr(judge, name)):
            if not inspect.getdoc(one):
                yield f"judge.{path} has no docstring."
    for name in sorted(shown - {f"judge.{name}" for name in judge.__all__}):
        yield f"{name} is on the page, and judge does not export it."


def public_members(name: str, owner: Any) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that a class defines itself."""
    kinds = (property, cached_property, classmethod, staticmethod)
    for member, value in vars(owner).items() if inspect.isclass(owner) else ():
        if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, kinds)):
            yield f"{name}.{member}", getattr(owner, member)
