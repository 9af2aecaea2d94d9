"""Untrusted text on a terminal, in Markdown and in HTML: nothing in it acts as markup or control codes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.io.wording import one_line, visible, with_hidden_named

if TYPE_CHECKING:
    from rich.console import RenderableType


def terminal_text(parts: Iterable[RenderableType], color: bool, width: int) -> str:
    """What rich prints for these parts on a terminal `width` cells wide, without trailing spaces."""
    from rich.console import Console

    file = io.StringIO()
    # All that rich would otherwise guess from the environment is said here: same parts, same text.
    console = Console(
        file=file,
        width=width,
        height=25,
        force_terminal=color,
        no_color=not color,
        color_system="standard" if color else None,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part)
    return "".join(line.rstrip() + "\n" for line in file.getvalue().splitlines())


def markdown_table(labels: Sequence[str], are_numbers: Sequence[bool], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    rules = ["---:" if is_number else "---" for is_number in are_numbers]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [labels, rules, *rows])


def cell_of(text: str) -> str:
    """One line of Markdown that reads as the text itself."""
    escaped = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]|~$!])", r"\\\1", escaped)


PAGE_PARTS = Path(__file__).with_name("templates")
"""What the pages of all rooms are made of: the frame, its style, texts of pairs."""


def html_page(template: Path, **values: Any) -> str:
    """A template of ours filled with these values; each is escaped and made visible unless it is `Markup`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def visible_unless_markup(value: Any) -> Any:
        """Every value passes here on its way out; what is markup already (plots, macros) stays as it is."""
        if not isinstance(value, str) or isinstance(value, Markup):
            return value
        return with_hidden_named(visible(value))

    environment = Environment(
        loader=FileSystemLoader([template.parent, PAGE_PARTS]),
        autoescape=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible_unless_markup,
    )
    return environment.get_template(template.name).render(**values)
