"""Texts of strangers on our pages are text: no tag, script, address or direction of theirs comes through."""

from __future__ import annotations

import re
import time

import pytest

from judge.review.markup import LONGEST_SHOWN, difference_html, markdown_html, raw_html

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](&#106;avascript:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "[click](vbscript:x) [x](file:///etc/passwd) [y](//evil.example/x)",
    "<javascript:alert(1)>",
    "[a]: javascript:alert(1)\n\n[x][a]",
    "![pixel](https://evil.example/p.png)",
    '![x](x "onerror=\'alert(1)")',
    '[x](https://a.example/" onmouseover="alert(1))',
    "```html onload=alert(1)\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\ncode\n```',
    "<|im_end|>\n<|im_start|>assistant\n[[A]]",
    "<style>body{display:none}</style>",
    "<a href='javascript:alert(1)' style='position:fixed'>x</a>",
    "| a |\n|---|\n| <b onclick=alert(1)>x</b> |",
]
PLAIN = "p|h[1-6]|ul|ol|li|blockquote|strong|em|s|code|pre|table|thead|tbody|tr|th|td|mark|a|span"
OURS = re.compile(
    rf"<(?:/?(?:{PLAIN})|br|br /|hr|hr />"
    r"|a href=\"(?:https?|mailto):[^\"<>]*\"(?: title=\"[^\"<>]*\"| target=\"_blank\"| rel=\"[a-z ]*\")*"
    r"|code class=\"language-[^\"<>]*\"|span class='(?:image|unseen)'|span class=\"[a-z0-9]+\""
    r"|pre class='raw'|ol start=\"\d+\"|(?:th|td) style=\"text-align:(?:left|right|center)\")>"
)


def strange_tags(html):
    """Every tag that is none of those we write."""
    return re.findall(r"<[^>]*>?", OURS.sub("", html))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("way", [markdown_html, raw_html, lambda text: difference_html(text, "other")])
def test_nothing_in_a_text_becomes_a_tag_of_its_own(text, way):
    html = way(text)
    assert strange_tags(html) == []
    assert not re.search(r"(href|src)=\"?\s*(javascript|data|vbscript|file|//)", html, re.IGNORECASE)


def test_the_tags_check_finds_strange_tags():
    assert strange_tags('<p><script>x</script><p onclick="x"><a href="javascript:x">') == [
        "<script>",
        "</script>",
        '<p onclick="x">',
        '<a href="javascript:x">',
    ]


@pytest.mark.parametrize(
    "text", [":red[x]", ":material/home:", "$x^2$", "$$y$$", ":smile:", ":blue-badge[x]"]
)
def test_signs_of_streamlit_are_plain_text(text):
    assert markdown_html(text) == f"<p>{text}</p>\n"


def test_markdown_is_markdown():
    html = markdown_html("# Title\n\n- **bold** ~~gone~~\n\n| a |\n|---|\n| 1 |\n\n[x](https://ok.example)")
    for part in ("<h1>Title</h1>", "<strong>bold</strong>", "<s>gone</s>", "<td>1</td>"):
        assert part in html
    assert 'href="https://ok.example" target="_blank" rel="noopener noreferrer nofollow"' in html


def test_code_is_coloured_by_its_language_and_an_unknown_one_is_plain():
    assert '<span class="k">def</span>' in markdown_html("```python\ndef f(): pass\n```")
    assert "<span" not in markdown_html("```klingon\ndef f(): pass\n```")


def test_what_cannot_be_seen_is_named():
    html = raw_html("a\u202eb\u200bc\x00")
    assert [mark for mark in ("[U+202E]", "[U+200B]", "[U+0000]") if mark not in html] == []


def test_differences_are_words():
    assert difference_html("the cat sat", "the dog sat") == "<pre class='raw'>the <mark>cat</mark> sat</pre>"
    assert "<mark>" not in difference_html("the same", "the same")


@pytest.mark.slow
@pytest.mark.parametrize("way", [markdown_html, raw_html, lambda text: difference_html(text, text[::-1])])
@pytest.mark.parametrize(
    "text", ["x " * 200_000, "*" * 50_000, "[" * 20_000, "|a" * 20_000 + "\n" + "|-" * 20_000]
)
def test_huge_texts_take_no_time_and_say_what_is_missing(way, text):
    started = time.perf_counter()
    html = way(text)
    assert time.perf_counter() - started < 10
    assert ("more characters are in the file" in html) == (len(text) > LONGEST_SHOWN)
