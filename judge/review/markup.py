"""Untrusted texts -> safe HTML: Markdown without HTML, code in colours, words that differ.

What comes out is made of tags of ours. HTML in a text is shown as it is written; an image is named and not
fetched; a link keeps its address only if that is http, https or mailto.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache
from html import escape
from typing import Any

SAFE_LINK = re.compile(r"(https?|mailto):", re.IGNORECASE)
WORDS = re.compile(r"\s+|\w+|[^\w\s]")
LONGEST_DIFF = 20_000
LONGEST_SHOWN = 100_000


@lru_cache(maxsize=256)
def markdown_html(text: str) -> str:
    """The text as HTML: CommonMark with tables and strikethrough, a code block coloured by its language."""
    kept, rest = text[:LONGEST_SHOWN], len(text) - LONGEST_SHOWN
    html: str = _markdown().render(kept)
    return html if rest <= 0 else f"{html}<p><em>{rest:,} more characters are in the file.</em></p>"


def raw_html(text: str) -> str:
    """The text exactly, with invisible characters named in brackets."""
    kept, rest = text[:LONGEST_SHOWN], len(text) - LONGEST_SHOWN
    body = "".join(_visible(character) for character in kept)
    more = f"<p><em>{rest:,} more characters are in the file.</em></p>" if rest > 0 else ""
    return f"<pre class='raw'>{body}</pre>{more}"


def difference_html(text: str, other: str) -> str:
    """The text exactly, with the words marked that `other` does not have in their place."""
    if text == other:
        return raw_html(text)
    if max(len(text), len(other)) > LONGEST_DIFF:
        return f"<p><em>Too long to compare word by word.</em></p>{raw_html(text)}"
    own, others = WORDS.findall(text), WORDS.findall(other)
    parts = []
    for kind, start, end, *_ in SequenceMatcher(None, own, others).get_opcodes():
        piece = "".join(_visible(character) for character in "".join(own[start:end]))
        is_marked = kind in ("replace", "delete") and piece.strip()
        parts.append(f"<mark>{piece}</mark>" if is_marked else piece)
    return f"<pre class='raw'>{''.join(parts)}</pre>"


def _visible(character: str) -> str:
    """The character, escaped; one that is invisible, or reverses the text direction, as its number."""
    if character in "\n\t" or character.isprintable():
        return escape(character)
    return f"<span class='unseen'>[U+{ord(character):04X}]</span>"


@lru_cache(maxsize=1)
def _markdown() -> Any:
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False, "highlight": _coloured}).enable(
        ["table", "strikethrough"]
    )
    markdown.validateLink = _is_safe_link  # type: ignore[method-assign]
    markdown.add_render_rule("image", _image)
    markdown.add_render_rule("link_open", _link_open)
    markdown.add_render_rule("softbreak", lambda *_: "<br>")
    return markdown


def _is_safe_link(url: str) -> bool:
    return SAFE_LINK.match(url.strip()) is not None


def _image(self: Any, tokens: Any, index: int, *_: Any) -> str:
    """An image's words and address: fetching it would tell a stranger who reads this."""
    token = tokens[index]
    return f"<span class='image'>[image: {escape(token.content)} {escape(str(token.attrGet('src')))}]</span>"


def _link_open(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    tokens[index].attrSet("target", "_blank")
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    tokens[index].attrSet("title", str(tokens[index].attrGet("href")))
    rendered: str = self.renderToken(tokens, index, options, env)
    return rendered


def _coloured(code: str, language: str, _attributes: str) -> str:
    """The code in spans of Pygments' classes; unchanged if the language is not known."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return escape(code)
    coloured: str = highlight(code, lexer, HtmlFormatter(nowrap=True))
    return coloured
