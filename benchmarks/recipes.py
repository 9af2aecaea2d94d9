"""The reference of a recipe's settings on docs/reference/recipe.md, made from the settings themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeGuard

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from distill.recipe import Recipe

MUST = "must be said"


def reference() -> str:
    """A section for each block of settings, in the order of a recipe."""
    return "\n\n".join(section_of(path, block) for path, block in blocks_of(Recipe))


def blocks_of(block: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Each block of settings by its dotted name, "" for the recipe itself."""
    yield path, block
    for name, field in block.model_fields.items():
        if is_block(field.annotation):
            yield from blocks_of(field.annotation, f"{path}.{name}".lstrip("."))


def is_block(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def section_of(path: str, block: type[BaseModel]) -> str:
    """What the block is for, and a row for each of its settings."""
    rows = [
        (f"`{name}`", default_of(field), in_cell(field.description or ""))
        for name, field in block.model_fields.items()
        if not is_block(field.annotation)
    ]
    heads = [("setting", "default", "what it is"), ("---",) * 3]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in [*heads, *rows] if rows)
    title = f"## {f'`{path}`' if path else 'The recipe itself'}"
    return "\n\n".join(filter(None, [title, in_cell(block.__doc__ or ""), table]))


def default_of(field: FieldInfo) -> str:
    """The default as YAML has it, in backticks."""
    if field.is_required():
        return MUST
    value = field.get_default(call_default_factory=True)
    return f"`{json.dumps(value, ensure_ascii=False, default=list)}`"


def in_cell(text: str) -> str:
    """The text as one line, in which no bar ends a cell."""
    return " ".join(text.split()).replace("|", "\\|")
