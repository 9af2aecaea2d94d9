"""Prompt templates: load, fill, fingerprint.

A template is a `.txt` file of jinja2 text in sections, `=== system ===`, `=== user ===` and `=== reply ===`.
In the reply, `{{ letter }}` stands where the judge's choice goes. What comes from a pair is handed in as
`Span`s: jinja2 sees only a mark in its place, so that no text of a pair is ever read as a template, and the
filled prompt still knows which of its words are whose.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from judge.records import Prompt, Span

if TYPE_CHECKING:
    from jinja2 import Template

SECTION = re.compile(r"^=== (\w+) ===\n", re.MULTILINE)
MARK = re.compile(r"\x00(\d+)\x00")


def fingerprint_of(name: str) -> str:
    """SHA-256 (hex) of a template's bytes: a changed prompt is another judge."""
    return hashlib.sha256(_source(name).encode()).hexdigest()


def fill(name: str, values: Mapping[str, Any], prompt_name: str = "") -> Prompt:
    """The template `name` with its values; strings and flags are ours, `Span`s (also in lists) the pair's.

    Raises:
        jinja2.UndefinedError: the template asks for a value that was not given.
    """
    spans: list[Span] = []

    def marked(value: Any) -> Any:
        if isinstance(value, Span):
            spans.append(value)
            return f"\x00{len(spans) - 1}\x00"
        if isinstance(value, Mapping):
            return {key: marked(inner) for key, inner in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [marked(inner) for inner in value]
        return value

    marks = marked(values) | {"letter": "\x00letter\x00"}
    texts = {section: template.render(marks) for section, template in _sections(name).items()}
    reply_start, _, reply_end = texts.pop("reply").strip().partition("\x00letter\x00")
    messages = tuple((role, _spans_of(text.strip(), spans)) for role, text in texts.items())
    return Prompt(messages, reply_start, reply_end, prompt_name)


def _spans_of(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    pieces = MARK.split(text)  # our text, a span's number, our text, ...
    found = [Span(piece) if i % 2 == 0 else spans[int(piece)] for i, piece in enumerate(pieces)]
    return tuple(span for span in found if span.text)


@cache
def _source(name: str) -> str:
    return resources.files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8")


@cache
def _sections(name: str) -> dict[str, Template]:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    env = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    _, *pieces = SECTION.split(_source(name))
    return {role: env.from_string(text) for role, text in zip(pieces[::2], pieces[1::2], strict=True)}
