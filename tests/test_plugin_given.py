"""Anything may be handed to the judge by a test: it is understood, or refused by its name."""

from __future__ import annotations

from enum import Enum, StrEnum

import pytest
from plugin import WAYS, summary

from judge.errors import InputError
from judge.io.given import asked, one_system, text_given
from judge.records import Message

QUESTION = {"role": "user", "content": "Why?"}
PARTS = [{"type": "text", "text": "Wh"}, {"type": "text", "text": "y?"}]


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (None, "response is None. It must be text."),
        (4, "response is 4 (int)"),
        (True, "response is True (bool)"),
        (b"new", "response is b'new' (bytes)"),
        (object(), "response is of type object"),
        ({}, "response is an empty dict"),
        ([], "response is an empty list"),
        ("half \ud83d", r"response has \ud83d, which stands alone"),
        (["new"], "response, part 1 is of type str. It must be a text part"),
        (
            [{"type": "image_url", "image_url": {}}],
            "part 1 is of type 'image_url'. The judge reads text alone.",
        ),
        ([{"type": "text", "text": None}], "response, part 1: its text is None"),
    ],
)
def test_an_answer_that_is_no_text_is_named(value, complaint):
    with pytest.raises(InputError) as caught:
        text_given(value, "response")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


class Role(StrEnum):
    USER = "user"


class Named(str, Enum):  # noqa: UP042
    USER = "user"


def test_a_text_of_another_class_is_its_plain_text():
    text = text_given(Named.USER, "response")
    assert (text, type(text)) == ("user", str)
    _, text = asked(Named.USER)
    assert (text, type(text)) == ("user", str)
    for role in (Role.USER, Named.USER):
        _, [message] = asked([{"role": role, "content": "Why?"}])
        assert (message.role, type(message.role)) == ("user", str)


@pytest.mark.parametrize(
    ("prompt", "complaint"),
    [
        (None, "prompt is None. It must be text, or a list of messages"),
        (7, "prompt is 7 (int)"),
        (b"Why?", "prompt is b'Why?' (bytes)"),
        (QUESTION, "prompt is of type dict"),
        (" ", "prompt is empty. A comparison needs the question"),
        ([], "prompt has no question"),
        (["Why?"], "prompt, message 1 is of type str"),
        ([{"content": "Why?"}], "prompt, message 1 has role None"),
        (
            [{"role": "tool", "content": "3 C"}, QUESTION],
            "prompt, message 1 has role 'tool'. It must be user",
        ),
        ([QUESTION, {"role": "assistant", "content": None}, QUESTION], "prompt, message 2, content is None"),
        (
            [QUESTION, {"role": "assistant", "content": "x", "tool_calls": [{}]}, QUESTION],
            "prompt, message 2 has tool_calls, which the judge would not see",
        ),
        (
            [QUESTION, {"role": "system", "content": "x"}, QUESTION],
            "message 2 is a system message after others",
        ),
        ([QUESTION, {"role": "assistant", "content": "x"}], "prompt ends with role assistant"),
        ([{"role": "system", "content": "x"}], "prompt has no question"),
        ([{"role": "user", "content": ""}], "prompt ends in an empty message"),
    ],
)
def test_a_prompt_that_no_judge_can_read_is_named(prompt, complaint):
    with pytest.raises(InputError) as caught:
        asked(prompt)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_system_message_at_the_start_is_the_system_text(role):
    assert asked([{"role": role, "content": "Be brief."}, QUESTION]) == (
        "Be brief.",
        (Message("user", "Why?"),),
    )


def test_text_parts_are_joined():
    assert asked([{"role": "user", "content": PARTS}]) == (None, (Message("user", "Why?"),))
    assert text_given(PARTS, "response") == "Why?"


def test_empty_calls_beside_text_are_harmless():
    spoken = {"role": "assistant", "content": "x", "tool_calls": None, "function_call": None}
    assert asked([QUESTION, spoken, QUESTION])[1][1] == Message("assistant", "x")


def test_two_system_texts_are_refused_where_they_differ():
    assert one_system("a", None) == one_system(None, "a") == one_system("a", "a") == "a"
    with pytest.raises(InputError, match="system differs from the prompt's system message"):
        one_system("a", "b")


@pytest.mark.slow  # runs pytest
@WAYS
def test_each_is_one_failure_of_its_test_and_the_session_ends_well(project):
    project.write(
        "test_bad.py",
        """
def test_none(judge): judge.compare("Why?", None, "base")
def test_none_without_approved(judge): judge.compare("Why?", None)
def test_number(judge): judge.compare("Why?", 4, "5")
def test_half(judge): judge.assert_preferred("Why?", "half \\ud83d", "base")
def test_baseline(judge): judge.assert_not_worse("Why?", "new", 4)
def test_cluster(judge): judge.compare("Why?", "new", "base", cluster=3)
def test_tool(judge): judge.compare([{"role": "tool", "content": "3 C"}], "new", "base")
def test_null(judge): judge.compare([{"role": "user", "content": None}], "new", "base")
def test_empty(judge): judge.compare("", "new", "base")
def test_system(judge):
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    judge.compare(talk, "a new answer", "base")
def test_odd(judge): judge.compare("Q?\\x00\\x1b[31m", "n\\x07", "base \\x08\\ufffe longer")
def test_empty_answer(judge): judge.compare("Why?", "", "base")
""",
    )
    result = project.run("--judge-report=report.html")
    result.assert_outcomes(failed=9, passed=3)
    text = result.stdout.str()
    assert text.count("Failed: judge: ") == 9
    assert "judge: response is None. It must be text." in text
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    assert "3 comparisons" in summary(result)
    assert "report: report.html" in summary(result)
    assert "Be brief." in (project.path / "report.html").read_text("utf-8")
