"""Approved answers as files: what is written is read back exactly, and a diff shows what changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from judge.errors import InputError
from judge.plugin.approved import Approved, file_for, is_same_text, read_approved, write_approved

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(prompt=TEXTS, response=TEXTS.filter(str.strip))
@example(prompt="\r", response="0")
@example(prompt="a\r\nb\r", response="0\r")
@settings(deadline=None, max_examples=200)
def test_what_is_written_is_read_back_to_the_last_character(tmp_path_factory, prompt, response):
    file = tmp_path_factory.getbasetemp() / "approved" / "one.md"
    write_approved(file, Approved(prompt, response))
    assert read_approved(file) == Approved(prompt, response)
    assert [path.name for path in file.parent.iterdir()] == ["one.md"]


@pytest.mark.parametrize("response", ["> quoted", "\n\nlate", "a\r\nb\rc", "ends\n", "trailing  \nspace "])
def test_answers_that_look_like_the_format_stay_answers(tmp_path, response):
    file = tmp_path / "one.md"
    write_approved(file, Approved("> a\n\nquestion", response))
    assert read_approved(file) == Approved("> a\n\nquestion", response)


def test_the_file_is_plain_text_with_the_answer_as_it_is(tmp_path):
    file = tmp_path / "one.md"
    write_approved(file, Approved("Why is\nthe sky blue?", "- Air scatters\n- blue light 😀"))
    assert file.read_text("utf-8") == "> Why is\n> the sky blue?\n\n- Air scatters\n- blue light 😀\n"


def test_there_is_no_answer_where_there_is_no_file(tmp_path):
    assert read_approved(tmp_path / "none.md") is None


@pytest.mark.parametrize(
    "text", ["", "answer\n", "> prompt", "> prompt\n", "> prompt\n\n", "> p\nanswer\n", "\ufeff> p\r\n\r\n"]
)
def test_a_spoiled_file_is_one_line_that_says_what_is_right(tmp_path, text):
    file = tmp_path / "one.md"
    file.write_text(text, "utf-8")
    with pytest.raises(
        InputError, match=r"one\.md: no approved answer\. It must be .* --judge-update-baseline"
    ):
        read_approved(file)


@pytest.mark.parametrize("response", ["one line", "two\nlines", "> quoted\n\nend"])
@pytest.mark.parametrize("prompt", ["Why?", "Why\nthat?  "])
def test_other_line_ends_and_an_editors_habits_change_nothing(tmp_path, prompt, response):
    file, one = tmp_path / "one.md", Approved(prompt, response)
    write_approved(file, one)
    written = file.read_bytes()
    for habit in (
        written.replace(b"\n", b"\r\n"),
        written.removesuffix(b"\n"),
        written.replace(b"\n", b"\r\n").removesuffix(b"\r\n"),
        b"\xef\xbb\xbf" + written,
    ):
        file.write_bytes(habit)
        assert read_approved(file) == one


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("a\r\nb", "a\nb", True),
        ("a  \nb\n", "a\nb", True),
        ("a\n\nb", "a\nb", False),
        (" a", "a", False),
    ],
)
def test_texts_are_the_same_whatever_their_lines_end_in(one, other, is_same):
    assert is_same_text(one, other) is is_same


def test_bytes_that_are_no_text_are_named(tmp_path):
    file = tmp_path / "one.md"
    file.write_bytes(b"> p\n\n\xff\n")
    with pytest.raises(InputError, match="byte 0xff is not UTF-8"):
        read_approved(file)


def test_a_file_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "one.md").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_approved(tmp_path / "one.md", Approved("p", "r"))


def test_each_test_has_a_file_that_can_be_told_by_its_name():
    there = file_for(Path("tests/test_bot.py"), "test_greets[en]")
    assert there == Path("tests/judge_baselines/test_bot/test_greets[en].md")
    odd = [
        file_for(Path("t.py"), key)
        for key in ("test_a[x/y]", "test_a[x?y]", "test_a[..]", "../up", "n" * 300)
    ]
    assert len({path.name for path in odd}) == len(odd)
    assert all(path.parent == Path("judge_baselines/t") and len(path.name) < 100 for path in odd)
