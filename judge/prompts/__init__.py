"""Prompt templates: load, fill, fingerprint.

A template is a `.txt` file of jinja2 text in sections: any number of `=== system ===`, `=== user ===` and
`=== assistant ===`, and `=== reply ===` at the end. In the reply, `{{ letter }}` marks where the judge's
choice goes; without it, the reply is free text that begins as written there. A template may include others,
which have no sections.

What comes from a pair is handed in as `Span`s: jinja2 sees only a placeholder, so that no text of a pair is
ever read as a template, and the filled prompt still knows which of its words come from the pair. Marks of a
template that a span imitates are changed, see `judge.prompts.marks`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from judge.prompts.marks import unmarked
from judge.records import Message, Prompt, Span, sha256_of_json

if TYPE_CHECKING:
    from jinja2 import Template

SECTION = re.compile(r"^=== (\w+) ===\n", re.MULTILINE)
INCLUDE = re.compile(r'{% include "(\w+)\.txt" %}')
MARK = re.compile(r"\x00(\d+)\x00")


def fingerprint_of(*names: str) -> str:
    """SHA-256 (hex) over templates and all that they include: a changed prompt is another judge."""
    files = sorted(set(names).union(*map(_included, names)))
    hashes = [[name, hashlib.sha256(_source(name).encode()).hexdigest()] for name in files]
    return sha256_of_json(hashes)


def fill(name: str, values: Mapping[str, Any], prompt_name: str = "") -> Prompt:
    """The template `name` with its values; strings and flags are ours, `Span`s (also in lists) the pair's.

    Raises:
        jinja2.UndefinedError: the template asks for a value that was not given.
    """
    spans: list[Span] = []

    def marked(value: Any) -> Any:
        if isinstance(value, Span):
            spans.append(replace(value, text=unmarked(value.text)))
            return f"\x00{len(spans) - 1}\x00"
        if isinstance(value, Mapping):
            return {key: marked(inner) for key, inner in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [marked(inner) for inner in value]
        return value

    marks = marked(values) | {"letter": "\x00letter\x00"}
    *texts, (_, reply) = [(role, template.render(marks).strip()) for role, template in _sections(name)]
    reply_start, _, reply_end = reply.partition("\x00letter\x00")
    messages = tuple((role, _spans_of(text, spans)) for role, text in texts)
    return Prompt(messages, reply_start, reply_end, prompt_name)


def plain(asked: str | Sequence[Message]) -> Prompt:
    """A prompt without a template: one user's message of this text, or these messages as they are.

    Every message is one span, so no text in it can be markup, and equal messages are equal tokens.
    """
    messages = [Message("user", asked)] if isinstance(asked, str) else asked
    return Prompt(tuple((one.role, (Span(one.content, "context"),)) for one in messages))


def _spans_of(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    pieces = MARK.split(text)  # our text, a span's number, our text, ...
    found = [Span(piece) if i % 2 == 0 else spans[int(piece)] for i, piece in enumerate(pieces)]
    return tuple(span for span in found if span.text)


def _included(name: str) -> set[str]:
    """The names of the templates that a template includes, directly or through others."""
    direct = set(INCLUDE.findall(_source(name)))
    return direct.union(*map(_included, direct))


def _include(file: str) -> str:
    return _source(file.removesuffix(".txt"))


@cache
def _source(name: str) -> str:
    return resources.files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8")


@cache
def _sections(name: str) -> list[tuple[str, Template]]:
    from jinja2 import FunctionLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    env = SandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        loader=FunctionLoader(_include),
    )
    _, *pieces = SECTION.split(_source(name))
    return [(role, env.from_string(text)) for role, text in zip(pieces[::2], pieces[1::2], strict=True)]
