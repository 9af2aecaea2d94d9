"""Untrusted texts -> safe HTML in which every character of the text is still to be read.

What comes out is made of tags of ours. Markdown is shown as it was written and as it is meant: a heading is
large and keeps its `#`, strong words are strong and keep their asterisks, a list keeps its own numbers. So
a sign that was never meant as Markdown (`2*3*4`, `1808.`, a backslash) is still there. HTML in a text is
shown as it is written; a link leads on only to http, https or mailto. An image is never fetched: where the
caller has a picture for its address, that is shown behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from html import escape, unescape

from judge.io.wording import HIDDEN, character_named

SAFE_LINK = re.compile(r"(https?|mailto):", re.IGNORECASE)
WORDS = re.compile(r"\s+|\w+|[^\w\s]")
LONGEST_DIFF = 20_000
LONGEST_SHOWN = 100_000
WIDEST_HANG = 24

FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})([^`]*)")
PREFIX = re.compile(
    r"[ \t]*(?P<quote>(?:>[ \t]?)*)[ \t]*(?P<item>(?:[-*+]|\d{1,9}[.)])(?=[ \t]|$))?[ \t]*"
    r"(?P<heading>#{1,6}(?=[ \t]))?[ \t]*"
)
RULE_CELL = re.compile(r"[ \t]*:?-+:?[ \t]*")
CELL = re.compile(r"^(?:\\.|[^\\|])+\\?|\|(?:\\.|[^\\|])*\\?")
# Lengths are bounded, so that no text takes long: what is longer than that is shown without a style.
INLINE = re.compile(
    r"(?P<maths>\\\(.{1,500}?\\\)|\\\[.{1,500}?\\\]|(?<!\$)\$(?=\S)[^$]{1,300}(?<=\S)\$(?![\d$]))"
    r"|(?P<escaped>\\[!-/:-@\[-`{-~])"
    r"|(?<!`)(?P<ticks>`++)(?P<code>.{1,1000}?)(?<!`)(?P=ticks)(?!`)"
    r"|(?P<image>!\[[^\[\]]{0,500}\]\((?P<file>[^()<>\s]{1,1000})\))"
    r"|(?<!!)(?P<link>\[[^\[\]]{0,500}\]\("
    r"(?P<address>[^\s()<>]{1,1000}(?:\([^\s()<>]{0,300}\)[^\s()<>]{0,300})?)(?:[ ]\"[^\"]{0,300}\")?\))"
    r"|(?<![0-9A-Za-z_*~])(?P<signs>\*{1,3}+|_{1,3}+|~~)(?P<words>\S|\S.{0,500}?\S)(?P=signs)"
    r"(?![0-9A-Za-z_*~])"
)
IMAGE = re.compile(r"<span class='image'>!\[(?P<words>[^<>\[\]]*)\]\((?P<address>[^<>()]*)\)</span>")
"""An image in HTML of ours. No text can make one: it would be escaped."""

STYLES = {1: ("em",), 2: ("strong",), 3: ("strong", "em")}


PictureOf = Callable[[str], str]
"""From an image's address as it was written to the data URI of its picture, "" where it is not shown."""


def markdown_html(text: str, picture_of: PictureOf | None = None) -> str:
    """The text as HTML, a line of it in each element of the class `line`; a table's row is a line, too.

    Args:
        picture_of: finds pictures; without it an image is its Markdown alone.
    """
    html = _markdown_html(text)
    return html if picture_of is None else _with_pictures(html, picture_of)


@lru_cache(maxsize=256)
def _markdown_html(text: str) -> str:
    kept, more = _kept(text)
    return "".join(_blocks(kept.replace("\r\n", "\n").split("\n"))) + more


def _with_pictures(html: str, picture_of: PictureOf) -> str:
    """The HTML with each picture behind its image's Markdown."""

    def shown(found: re.Match[str]) -> str:
        uri = picture_of(unescape(found["address"]))
        return f'{found[0]}<img src="{escape(uri)}" alt="{found["words"]}">' if uri else found[0]

    return IMAGE.sub(shown, html)


def raw_html(text: str) -> str:
    """The text exactly, with characters that cannot be seen named in brackets."""
    kept, more = _kept(text)
    body = "".join(_named_if_unseen(character) for character in kept)
    return f"<pre class='raw' dir='auto'>{body}</pre>{more}"


def difference_html(text: str, other: str) -> str:
    """The text exactly, with the words marked that `other` does not have in their place."""
    if text == other:
        return raw_html(text)
    if max(len(text), len(other)) > LONGEST_DIFF:
        return f"<p><em>Too long to compare word by word.</em></p>{raw_html(text)}"
    own, others = WORDS.findall(text), WORDS.findall(other)
    parts = []
    for kind, start, end, *_ in SequenceMatcher(None, own, others).get_opcodes():
        piece = "".join(_named_if_unseen(character) for character in "".join(own[start:end]))
        is_marked = kind in ("replace", "delete") and piece.strip()
        parts.append(f"<mark>{piece}</mark>" if is_marked else piece)
    return f"<pre class='raw' dir='auto'>{''.join(parts)}</pre>"


def plain_html(text: str) -> str:
    """The characters of one line, escaped; what is hidden is named."""
    return _with_names(escape(text))


def _kept(text: str) -> tuple[str, str]:
    """As much of the text as is shown, and a sentence on the rest."""
    rest = len(text) - LONGEST_SHOWN
    more = f"<p><em>{rest:,} more characters are in the file.</em></p>" if rest > 0 else ""
    return text[:LONGEST_SHOWN], more


def _with_names(html: str) -> str:
    """HTML of ours with the hidden characters of its texts named; its tags have none."""
    return HIDDEN.sub(lambda found: _unseen(found[0]), html)


def _named_if_unseen(character: str) -> str:
    if character in "\n\t" or character.isprintable():
        return escape(character)
    return _unseen(character)


def _unseen(character: str) -> str:
    return f"<span class='unseen'>{character_named(character)}</span>"


def _sign(text: str) -> str:
    """Characters that are there for Markdown alone: shown, and fainter."""
    return f"<span class='sign'>{plain_html(text)}</span>" if text else ""


# --- lines -----------------------------------------------------------------------------------------------


def _blocks(lines: Sequence[str]) -> Iterator[str]:
    """Code, tables and single lines, in their order."""
    start = 0
    while start < len(lines):
        if fence := FENCE.fullmatch(lines[start]):
            end = _end_of_code(lines, start, fence[1])
            yield _code_html(lines[start:end], fence)
        elif _is_table(lines, start):
            end = next((n for n in range(start, len(lines)) if "|" not in lines[n]), len(lines))
            yield _table_html(lines[start:end])
        else:
            end = start + 1
            yield _line_html(lines[start])
        start = end


def _end_of_code(lines: Sequence[str], start: int, fence: str) -> int:
    """The line after the closing fence; without one, code goes on to the end."""
    for n in range(start + 1, len(lines)):
        line = lines[n].strip()
        if line.startswith(fence) and not line.strip(fence[0]):
            return n + 1
    return len(lines)


def _code_html(lines: Sequence[str], fence: re.Match[str]) -> str:
    """Code with its fences, never cut: a line that is too long goes on in the next, with a sign before it."""
    last = lines[-1:] if len(lines) > 1 and lines[-1].strip().startswith(fence[1]) else []
    language = (fence[2].split() or [""])[0]
    code = _coloured(lines[1 : len(lines) - len(last)], language)
    rows = [_sign(lines[0]), *code, *map(_sign, last)]
    spans = "".join(f"<span class='line'>{row or '<br>'}</span>" for row in rows)
    return f"<pre class='code' dir='ltr'>{spans}</pre>"


def _coloured(lines: Sequence[str], language: str) -> list[str]:
    """The lines in spans of Pygments' classes; without if it does not know the language."""
    from pygments import format as formatted
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    plain = [plain_html(line) for line in lines]
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return plain
    code = "\n".join(lines)
    tokens = list(lexer.get_tokens(code))
    html: str = formatted(tokens, HtmlFormatter(nowrap=True))
    coloured = [_with_names(line) for line in html.removesuffix("\n").split("\n")]
    # A lexer that changes the code, or its lines, is not asked again.
    is_whole = "".join(text for _, text in tokens) == code and len(coloured) == len(plain)
    return coloured if is_whole else plain


def _is_table(lines: Sequence[str], start: int) -> bool:
    return "|" in lines[start] and start + 1 < len(lines) and _is_rule(lines[start + 1])


def _is_rule(line: str) -> bool:
    """Whether a line is that under a table's head: | --- | :-: |."""
    cells = line.strip().strip("|").split("|")
    return "|" in line and all(RULE_CELL.fullmatch(cell) for cell in cells)


def _table_html(lines: Sequence[str]) -> str:
    """A table in which each cell has the bar before it."""
    rows = []
    for n, line in enumerate(lines):
        tag, kind = ("th" if n == 0 else "td"), " class='rule'" if n == 1 else ""
        cells = "".join(f"<{tag} dir='auto'>{_cell_html(cell)}</{tag}>" for cell in _cells(line))
        rows.append(f"<tr{kind}>{cells}</tr>")
    return f"<div class='wide' tabindex='0'><table>{''.join(rows)}</table></div>"


def _cells(line: str) -> list[str]:
    """The line in pieces, each from its bar to the next; the bar that ends the row stays with the last."""
    cells = CELL.findall(line)
    if len(cells) > 1 and cells[-1].strip() == "|":
        cells[-2:] = ["".join(cells[-2:])]
    return cells


def _cell_html(cell: str) -> str:
    bar = cell[:1] if cell.startswith("|") else ""
    rest = cell.removeprefix("|")
    end = "|" if rest.rstrip().endswith("|") and not rest.rstrip().endswith("\\|") else ""
    words, _, space = rest.rpartition("|") if end else (rest, "", "")
    return f"{_sign(bar)}{_words_html(words)}{_sign(end)}{space}"


def _line_html(line: str) -> str:
    """A line; one of a list or a quotation goes on under its first word, not under its sign."""
    found = PREFIX.match(line)
    if found is None or not (found["quote"] or found["item"] or found["heading"]):
        return f"<div class='line' dir='auto'>{_words_html(line) or '<br>'}</div>"
    kinds = " ".join(kind for kind in ("quote", "item", "heading") if found[kind])
    hang = min(len(found[0].expandtabs(4)), WIDEST_HANG)
    style = f"padding-inline-start:{hang}ch;text-indent:-{hang}ch"
    before = plain_html(found[0]) if found["item"] else _sign(found[0])
    words = _words_html(line[found.end() :])
    return f"<div class='line {kinds}' dir='auto' style='{style}'>{before}{words}</div>"


# --- words -----------------------------------------------------------------------------------------------


def _words_html(text: str) -> str:
    """One line's words with code, links and emphasis in it, all signs kept."""
    parts, end = [], 0
    for found in INLINE.finditer(text):
        parts += [plain_html(text[end : found.start()]), _styled(found)]
        end = found.end()
    return "".join(parts) + plain_html(text[end:])


def _styled(found: re.Match[str]) -> str:
    if found["code"]:
        ticks = _sign(found["ticks"])
        return f"<code dir='ltr'>{ticks}{plain_html(found['code'])}{ticks}</code>"
    if found["image"]:
        return f"<span class='image'>{plain_html(found['image'])}</span>"
    if found["link"] and SAFE_LINK.match(found["address"]):
        address = escape(HIDDEN.sub("", found["address"]))
        rest = 'target="_blank" rel="noopener noreferrer nofollow"'
        return f'<a href="{address}" {rest}>{plain_html(found["link"])}</a>'
    if found["signs"]:
        signs = found["signs"]
        tags = ("s",) if signs == "~~" else STYLES[len(signs)]
        first = "".join(f"<{tag}>" for tag in tags)
        last = "".join(f"</{tag}>" for tag in reversed(tags))
        return f"{first}{_sign(signs)}{_words_html(found['words'])}{_sign(signs)}{last}"
    return plain_html(found[0])
