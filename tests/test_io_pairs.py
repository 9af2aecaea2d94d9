"""Files of pairs and verdicts: what is read, what is refused in which words, and that nothing gets lost."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
import time
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pairs import FOUR_PAIRS, pair_of

from judge.backends import load_backend
from judge.errors import BadLines, InputError
from judge.evaluate import judge_pairs
from judge.forms.reading import read_pairs
from judge.io.pairs import write_pairs
from judge.io.rows import Wrong
from judge.io.verdicts import read_verdicts, verdict_from_cells, verdict_to_json, write_verdicts
from judge.methods import load_method
from judge.orders import combine, outcome_by_probability
from judge.records import Choice, Criterion, Cut, Judgment, Message, Order, Outcome, Pair, Unparsed

ONE_FOLDER_FOR_ALL_EXAMPLES = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
ROW = {"id": "q1", "prompt": "What is 2 + 2?", "response_a": "4", "response_b": "5"}
USER, RIGHT, OTHER = (
    {"role": "user", "content": "What is 2 + 2?"},
    {"role": "assistant", "content": "4"},
    {"role": "assistant", "content": "5"},
)
LONG_ROW = {"id": "q1", "conversation_a": [USER, RIGHT], "conversation_b": [USER, OTHER]}


def without(row, *names):
    return {name: value for name, value in row.items() if name not in names}


def jsonl(folder, *rows, name="pairs.jsonl"):
    """A file with a line for each row; a row that is text is the line itself."""
    path = folder / name
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_bytes("".join(line + "\n" for line in lines).encode())
    return path


def csv_file(folder, content, name="pairs.csv"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parquet_file(folder, rows, name="pairs.parquet"):
    import pyarrow
    import pyarrow.parquet

    path = folder / name
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def problems_of(path, read=read_pairs):
    """What a bad file's error says, without the folder in front."""
    with pytest.raises(BadLines) as caught:
        read(path)
    assert str(caught.value).count("\n") < 21
    return [problem.replace(f"{path.parent}/", "") for problem in caught.value.problems]


def problem_of(path, read=read_pairs):
    (problem,) = problems_of(path, read)
    assert "\n" not in problem
    return problem


# --- the two forms ---------------------------------------------------------------------------------------


def test_the_short_form_is_a_user_message_and_a_response_on_each_side(tmp_path):
    (pair,) = read_pairs(jsonl(tmp_path, ROW))
    assert pair == Pair(
        id="q1",
        conversation_a=(Message("user", "What is 2 + 2?"), Message("assistant", "4")),
        conversation_b=(Message("user", "What is 2 + 2?"), Message("assistant", "5")),
    )


def test_the_long_form_of_a_short_pair_is_the_same_pair(tmp_path):
    assert read_pairs(jsonl(tmp_path, LONG_ROW)) == read_pairs(jsonl(tmp_path, ROW))


def test_optional_columns_have_their_own_place_and_unknown_ones_go_to_metadata(tmp_path):
    row = ROW | {"category": "math", "reference": "4", "system": "Be brief.", "gold": "A", "seen": None}
    (pair,) = read_pairs(jsonl(tmp_path, row))
    assert (pair.category, pair.reference, pair.system) == ("math", "4", "Be brief.")
    assert pair.metadata == {"gold": "A", "seen": None}


def test_a_metadata_object_is_merged_with_the_unknown_columns(tmp_path):
    (pair,) = read_pairs(jsonl(tmp_path, ROW | {"gold": "A", "metadata": {"source": "exam", "year": 2024}}))
    assert pair.metadata == {"gold": "A", "source": "exam", "year": 2024}


def test_a_key_that_is_both_a_column_and_in_metadata_is_refused(tmp_path):
    path = jsonl(tmp_path, ROW | {"gold": "A", "metadata": {"gold": "B"}})
    assert problem_of(path) == (
        "pairs.jsonl:1: 'gold' is both a column and a key of metadata. Keep one of them."
    )


def test_a_null_is_the_same_as_a_column_that_is_not_there(tmp_path):
    nulls = dict.fromkeys(("conversation_a", "category", "reference", "system", "metadata"))
    assert read_pairs(jsonl(tmp_path, ROW | nulls)) == read_pairs(jsonl(tmp_path, ROW))


def test_a_first_system_message_becomes_the_pairs_system_text(tmp_path):
    system = {"role": "system", "content": "Be brief."}
    row = {
        "conversation_a": [system, USER, RIGHT],
        "conversation_b": [system, USER, OTHER],
        "system": "Be brief.",
    }
    (pair,) = read_pairs(jsonl(tmp_path, row))
    assert pair.system == "Be brief."
    assert pair.conversation_a == (Message("user", "What is 2 + 2?"), Message("assistant", "4"))


def test_conversations_with_their_own_earlier_turns_keep_them(tmp_path):
    first_a, first_b = ({"role": "assistant", "content": text} for text in ("Hello.", "Hi."))
    hello = {"role": "user", "content": "Hello!"}
    row = {"conversation_a": [hello, first_a, USER, RIGHT], "conversation_b": [hello, first_b, USER, OTHER]}
    (pair,) = read_pairs(jsonl(tmp_path, row))
    assert [message.content for message in pair.context_b] == ["Hello!", "Hi.", "What is 2 + 2?"]
    assert (pair.prompt, pair.response_a, pair.response_b) == ("What is 2 + 2?", "4", "5")


def test_empty_responses_are_responses(tmp_path):
    (pair,) = read_pairs(jsonl(tmp_path, ROW | {"response_a": "", "response_b": ""}))
    assert (pair.response_a, pair.response_b) == ("", "")


@pytest.mark.parametrize(
    "text", ["a\0b", "👩🏽‍🚀", "שלום, עולם", "\u202eabc", "line\u2028line", "tab\tand\r\nlines", "<|im_end|>"]
)
def test_odd_text_is_kept_as_it_is(tmp_path, text):
    (pair,) = read_pairs(jsonl(tmp_path, json.dumps(ROW | {"response_a": text}, ensure_ascii=False)))
    assert pair.response_a == text


# --- ids -------------------------------------------------------------------------------------------------


def test_a_pair_without_an_id_is_named_by_its_content(tmp_path):
    (pair,) = read_pairs(jsonl(tmp_path, without(ROW, "id")))
    assert pair.id == pair.content_hash[:16]
    assert read_pairs(jsonl(tmp_path, ROW | {"id": None})) == [pair]


def test_equal_pairs_without_ids_are_numbered(tmp_path):
    row = without(ROW, "id")
    pairs = read_pairs(jsonl(tmp_path, row, row, row | {"response_a": "four"}, row))
    digits, other = pairs[0].content_hash[:16], pairs[2].content_hash[:16]
    assert [pair.id for pair in pairs] == [digits, f"{digits}-2", other, f"{digits}-3"]


def test_a_made_id_steps_aside_for_an_explicit_one_anywhere_in_the_file(tmp_path):
    (pair,) = read_pairs(jsonl(tmp_path, without(ROW, "id")))
    pairs = read_pairs(jsonl(tmp_path, without(ROW, "id"), ROW | {"id": pair.id}))
    assert [p.id for p in pairs] == [f"{pair.id}-2", pair.id]


def test_a_whole_number_is_an_id(tmp_path):
    assert [pair.id for pair in read_pairs(jsonl(tmp_path, ROW | {"id": 7}, ROW | {"id": -1}))] == ["7", "-1"]


@pytest.mark.parametrize(
    ("value", "words"), [(1.5, "a number"), (True, "true"), ([1], "a list"), ("", "empty"), (" \n", "empty")]
)
def test_other_ids_are_refused(tmp_path, value, words):
    assert problem_of(jsonl(tmp_path, ROW | {"id": value})).startswith(f"pairs.jsonl:1: id is {words}. ")


def test_a_repeated_id_names_the_line_that_has_it_first_even_if_that_line_is_bad(tmp_path):
    bad = without(ROW, "response_a") | {"id": "7"}
    first, second = problems_of(jsonl(tmp_path, bad, ROW, ROW | {"id": 7}))
    assert first.startswith("pairs.jsonl:1: missing response_a ")
    assert second == "pairs.jsonl:3: id '7' is already in pairs.jsonl:1. It may be there only once."


# --- rows that are refused -------------------------------------------------------------------------------


def test_a_missing_response_is_named_with_what_was_found(tmp_path):
    path = jsonl(tmp_path, ROW, "", without(ROW | {"id": "q2"}, "response_b"))
    assert problem_of(path) == (
        "pairs.jsonl:3: missing response_b (found: id, prompt, response_a). "
        "Every pair needs prompt, response_a, response_b."
    )


def test_a_null_response_is_missing_and_said_to_be_null(tmp_path):
    assert "missing response_b (found: id, prompt, response_a, response_b (null))" in problem_of(
        jsonl(tmp_path, ROW | {"response_b": None})
    )


def test_a_row_in_neither_form_is_told_of_both(tmp_path):
    assert problem_of(jsonl(tmp_path, {"question": "What?", "": 1})) == (
        "pairs.jsonl:1: missing prompt, response_a, response_b (found: question, ''). "
        "Every pair needs prompt, response_a, response_b, or else conversation_a, conversation_b."
    )


def test_long_or_odd_column_names_never_break_or_flood_a_message(tmp_path):
    problem = problem_of(
        jsonl(tmp_path, {"x" * 9999: 1, "a\nb": 1, " id": 1} | dict.fromkeys(map(str, range(99)), 1))
    )
    assert "'a\\nb', ' id', 0, 1, " in problem
    assert " and 90 more)" in problem
    assert len(problem) < 300


def test_a_row_in_both_forms_is_refused(tmp_path):
    assert "has both prompt and conversation_a" in problem_of(jsonl(tmp_path, ROW | LONG_ROW))


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u3000"])
def test_a_blank_prompt_is_refused_in_either_form(tmp_path, blank):
    question = {"role": "user", "content": blank}
    asks_one_side = LONG_ROW | {"id": "q2", "conversation_b": [question, OTHER]}
    short, long = problems_of(jsonl(tmp_path, ROW | {"prompt": blank}, asks_one_side))
    assert "the prompt is empty" in short
    assert "the prompt is empty" in long


def test_a_conversation_without_a_question_is_refused(tmp_path):
    assert "the prompt is empty" in problem_of(jsonl(tmp_path, LONG_ROW | {"conversation_a": [RIGHT]}))


@pytest.mark.parametrize("name", ["prompt", "response_a", "response_b", "category", "reference", "system"])
@pytest.mark.parametrize(
    ("value", "words"), [(4, "a number"), (["4", "four"], "a list"), (True, "true"), ({}, "an object")]
)
def test_what_should_be_text_is_never_turned_into_it(tmp_path, name, value, words):
    assert problem_of(jsonl(tmp_path, ROW | {name: value})) == (
        f"pairs.jsonl:1: {name} is {words}. It must be one text."
    )


@pytest.mark.parametrize(
    ("conversation", "words"),
    [
        ("4", "conversation_a is text. It must be a list"),
        ([], "conversation_a has no messages. The last message must be the assistant's"),
        ([USER], "conversation_a ends with role user. The last message must be the assistant's"),
        (["4"], "conversation_a, message 1 is text. It must be an object"),
        ([{"role": "user"}], "conversation_a, message 1 has role. It must have role and content"),
        ([USER, RIGHT | {"role": ["user"]}], "conversation_a, message 2 has role ['user']. It must be user"),
        (
            [USER, RIGHT | {"content": None}],
            "conversation_a, message 2, content is null. It must be one text",
        ),
        ([USER, RIGHT | {"content": ["4"]}], "conversation_a, message 2, content is a list. It must be one"),
        (
            [USER, RIGHT | {"role": "system"}, RIGHT],
            "conversation_a has a system message that is not the first",
        ),
    ],
)
def test_a_conversation_that_cannot_be_judged_says_which_message_is_wrong(tmp_path, conversation, words):
    problem = problem_of(jsonl(tmp_path, LONG_ROW | {"conversation_a": conversation}))
    assert problem.startswith(f"pairs.jsonl:1: {words}")


@pytest.mark.parametrize(
    ("conversation", "why"),
    [
        ([USER | {"name": "x"}], "no answer at the end: 1"),
        ([USER, RIGHT | {"role": "tool"}], "no answer after a tool's result: 1"),
    ],
)
def test_messages_of_another_form_that_cannot_be_judged_say_why(tmp_path, conversation, why):
    with pytest.raises(InputError, match=f"read as OpenAI's messages, and there is nothing to judge .*{why}"):
        read_pairs(jsonl(tmp_path, LONG_ROW | {"conversation_a": conversation}))


def test_system_messages_must_be_equal_on_both_sides(tmp_path):
    one_side = LONG_ROW | {"conversation_a": [{"role": "system", "content": "Be brief."}, USER, RIGHT]}
    assert "different system messages" in problem_of(jsonl(tmp_path, one_side))


def test_system_messages_must_not_contradict_the_system_column(tmp_path):
    system = {"role": "system", "content": "Be brief."}
    row = {
        "conversation_a": [system, USER, RIGHT],
        "conversation_b": [system, USER, OTHER],
        "system": "Ramble.",
    }
    assert "system differs from the conversations' system message" in problem_of(jsonl(tmp_path, row))


def test_metadata_must_be_an_object(tmp_path):
    assert problem_of(jsonl(tmp_path, ROW | {"metadata": "x"})) == (
        "pairs.jsonl:1: metadata is text. It must be an object."
    )


def test_every_bad_line_is_reported_up_to_twenty_and_the_rest_counted(tmp_path):
    rows = [without(ROW | {"id": n, f"column_{n}": 1}, "response_b") for n in range(25)]
    with pytest.raises(BadLines) as caught:
        read_pairs(jsonl(tmp_path, ROW, *rows))
    lines = str(caught.value).splitlines()
    assert len(caught.value.problems) == 25
    assert len(lines) == 21
    assert "pairs.jsonl:2: missing response_b" in lines[0]
    assert "pairs.jsonl:21: missing response_b" in lines[19]
    assert lines[20] == "... and 5 more bad lines"


# --- JSON lines ------------------------------------------------------------------------------------------


def test_a_line_of_many_spaces_is_passed_over_at_once(tmp_path):
    path = tmp_path / "pairs.jsonl"
    line = '{"id": "one", "prompt": "Hi", "response_a": "Hello", "response_b": "Bye"}'
    path.write_text(" " * 3_000_000 + "\n" + line + "\n", encoding="utf-8")
    started = time.perf_counter()
    assert [pair.id for pair in read_pairs(path)] == ["one"]
    assert time.perf_counter() - started < 5  # reading every end of the line anew took hours


def test_a_byte_order_mark_crlf_blank_lines_and_a_missing_last_newline_are_fine(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(ROW).encode() + b"\r\n\r\n  \n" + json.dumps(ROW | {"id": 2}).encode()
    )
    assert [pair.id for pair in read_pairs(path)] == ["q1", "2"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not JSON (Expecting property name enclosed in double quotes at character 2)."),
        ('{"id": "x', "not JSON (Unterminated string starting at character 8)."),
        ("{} {}", "not JSON (Extra data at character 4)."),
        ("[1]", "the line is a list. Every line must be one JSON object."),
        ("null", "the line is null. Every line must be one JSON object."),
        ('"text"', "the line is text. Every line must be one JSON object."),
        ('{"n": NaN}', "NaN is not JSON. Write a finite number, or null."),
        ('{"n": -Infinity}', "-Infinity is not JSON. Write a finite number, or null."),
        ('{"n": 1e999}', "the number 1e999 is too large. Numbers must be finite."),
        ('{"id": 1, "id": 2}', "the key 'id' is there twice. Every key may be there only once."),
        ('{"metadata": {"x": 1, "x": 1}}', "the key 'x' is there twice. Every key may be there only once."),
        (r'{"prompt": "\ud800"}', r"\ud800 stands alone and is only half a character."),
        (r'{"prompt": "\uDE00\ud83d"}', r"\ude00 stands alone and is only half a character."),
        (r'{"metadata": {"\udfff": 1}}', r"\udfff stands alone and is only half a character."),
        ("[" * 100_000, "JSON that cannot be read (maximum recursion depth exceeded"),
        ('{"n": ' + "9" * 5000 + "}", "a whole number of 5,000 digits. It may have 4,300 at most."),
        ('{"metadata": [' + "9" * 5000 + "]}", "a whole number of 5,000 digits. It may have 4,300"),
    ],
)
def test_lines_that_are_not_plain_json_objects_are_refused(tmp_path, line, words):
    assert problem_of(jsonl(tmp_path, ROW, line)).startswith(f"pairs.jsonl:2: {words}")


def test_an_escaped_emoji_is_a_whole_character(tmp_path):
    (pair,) = read_pairs(jsonl(tmp_path, json.dumps(ROW | {"response_a": "😀"}, ensure_ascii=True)))
    assert pair.response_a == "😀"


def test_bytes_that_are_not_utf8_are_refused_on_their_line(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(json.dumps(ROW).encode() + b'\n{"prompt": "caf\xe9"}\n')
    assert problem_of(path) == "pairs.jsonl:2: byte 0xe9 is not UTF-8. Save the file as UTF-8."


def test_a_gzipped_file_is_read_like_a_plain_one(tmp_path):
    path = tmp_path / "pairs.jsonl.gz"
    path.write_bytes(gzip.compress(jsonl(tmp_path, ROW).read_bytes(), mtime=0))
    assert [pair.id for pair in read_pairs(path)] == ["q1"]


def test_standard_input_is_json_lines(monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO(json.dumps(ROW).encode() + b"\n{}\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(BadLines, match=r"^standard input:2: missing prompt"):
        read_pairs("-")


# --- CSV -------------------------------------------------------------------------------------------------


def test_csv_cells_are_text_even_where_they_look_like_something_else(tmp_path):
    path = csv_file(tmp_path, "id,prompt,response_a,response_b,category,gold\n007,1e3,NA,null,None,nan\n")
    (pair,) = read_pairs(path)
    assert (pair.id, pair.prompt, pair.response_a, pair.response_b) == ("007", "1e3", "NA", "null")
    assert (pair.category, pair.metadata) == ("None", {"gold": "nan"})


def test_an_empty_csv_cell_is_an_empty_response_but_an_absent_optional_value(tmp_path):
    path = csv_file(
        tmp_path,
        "id,prompt,response_a,response_b,category,reference,system,metadata,conversation_a,note\n,Why?,,,,,,,,\n",
    )
    (pair,) = read_pairs(path)
    assert (pair.response_a, pair.response_b) == ("", "")
    assert (pair.category, pair.reference, pair.system) == (None, None, None)
    assert pair.id == pair.content_hash[:16]
    assert pair.metadata == {"note": ""}


def test_conversations_and_metadata_in_csv_are_json_text_beside_empty_short_columns(tmp_path):
    path = tmp_path / "pairs.csv"
    row = dict.fromkeys(ROW, "") | {k: json.dumps(v) for k, v in without(LONG_ROW, "id").items()}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*row, "metadata"])
        writer.writeheader()
        writer.writerow(row | {"metadata": '{"year": 2024}'})
    (pair,) = read_pairs(path)
    assert (pair.prompt, pair.response_a, pair.metadata) == ("What is 2 + 2?", "4", {"year": 2024})


def test_json_text_in_csv_is_as_strict_as_a_json_line(tmp_path):
    path = csv_file(tmp_path, 'prompt,response_a,response_b,metadata\nWhy?,x,y,"{""n"": NaN}"\nWhy?,x,y,{\n')
    nan, broken = problems_of(path)
    assert nan == "pairs.csv:2: metadata: NaN is not JSON. Write a finite number, or null."
    assert broken.startswith("pairs.csv:3: metadata: not JSON (")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_csv_problems_name_the_line_on_which_the_row_starts(tmp_path, newline):
    lines = [
        "id,prompt,response_a,response_b",
        '1,"two',
        'lines",x,y',
        "",
        "2,  ,x,y",
        '3,"three',
        "long",
        'lines",x',
        "4,,x,y",
    ]
    assert [problem.split(": ")[:2] for problem in problems_of(csv_file(tmp_path, newline.join(lines)))] == [
        ["pairs.csv:5", "the prompt is empty. Every pair needs a question that the responses answer."],
        ["pairs.csv:6", "3 cells. The header names 4"],
        ["pairs.csv:9", "the prompt is empty. Every pair needs a question that the responses answer."],
    ]


def test_a_quoted_csv_cell_keeps_its_line_ends(tmp_path):
    (pair,) = read_pairs(csv_file(tmp_path, 'prompt,response_a,response_b\r\nWhy?,"a\r\nb","c\n\nd\r"\r\n'))
    assert (pair.response_a, pair.response_b) == ("a\r\nb", "c\n\nd\r")


def test_huge_csv_cells_are_read_and_the_csv_modules_own_limit_is_left_as_it_was(tmp_path):
    limit = csv.field_size_limit()
    (pair,) = read_pairs(csv_file(tmp_path, f"prompt,response_a,response_b\nWhy?,{'x' * 300_000},y\n"))
    assert len(pair.response_a) == 300_000
    assert csv.field_size_limit() == limit


def test_a_csv_quote_that_is_never_closed_is_a_bad_line(tmp_path):
    path = csv_file(tmp_path, 'prompt,response_a,response_b\nWhy?,x,y\nWhy?,"x,y\nWhy?,x,y\n')
    assert problem_of(path).startswith("pairs.csv:3: not CSV (unexpected end of data).")


def test_a_csv_from_a_spreadsheet_with_a_byte_order_mark_is_read(tmp_path):
    path = csv_file(tmp_path, "\ufeffid,prompt,response_a,response_b\r\n1,Wo?,Köln,Bonn\r\n")
    (pair,) = read_pairs(path)
    assert (pair.id, pair.response_a) == ("1", "Köln")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_blank_lines_and_rows_of_empty_cells_around_a_table_are_no_rows(tmp_path, separator):
    lines = ["", "prompt,response_a,response_b", "Why?,x,y", ",,", " ,,", ""]
    path = csv_file(tmp_path, "\r\n".join(lines).replace(",", separator))
    (pair,) = read_pairs(path)
    assert (pair.response_a, pair.response_b) == ("x", "y")


def test_csv_bytes_that_are_not_utf8_are_refused_on_their_line(tmp_path):
    path = csv_file(tmp_path, b"prompt,response_a,response_b\nWhy?,x,y\nWhy?,caf\xe9,y\n")
    assert problem_of(path) == "pairs.csv:3: byte 0xe9 is not UTF-8. Save the file as UTF-8."


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_two_columns_with_one_name_are_refused(tmp_path, kind):
    if kind == "csv":
        path = csv_file(tmp_path, "prompt,response_a,response_b,prompt\nWhy?,x,y,z\n")
    else:
        import pyarrow
        import pyarrow.parquet

        path = tmp_path / "pairs.parquet"
        columns = [pyarrow.array(["x"])] * 2
        pyarrow.parquet.write_table(pyarrow.Table.from_arrays(columns, names=["prompt", "prompt"]), path)
    with pytest.raises(InputError, match="two columns are named 'prompt'"):
        read_pairs(path)


def test_a_comma_after_each_object_is_named(tmp_path):
    file = tmp_path / "pairs.jsonl"
    row = json.dumps({"prompt": "Why?", "response_a": "x", "response_b": "y"})
    file.write_text(f"{row},\n{row},\n")
    with pytest.raises(
        BadLines, match=r"pairs\.jsonl:1: a comma after an object\. Write one object a line, or"
    ):
        read_pairs(file)


def test_two_columns_without_a_name_are_refused(tmp_path):
    with pytest.raises(InputError, match="two columns are named ''"):
        read_pairs(csv_file(tmp_path, "prompt,response_a,response_b,,\nWhy?,x,y,z,w\n"))


# --- Parquet ---------------------------------------------------------------------------------------------


def test_parquet_rows_may_hold_conversations_as_lists_of_structs_and_nulls_are_absent(tmp_path):
    row = LONG_ROW | {"id": 7, "category": "math", "metadata": {"year": 2024}}
    # One schema for all rows: the second row's struct gets "year" as a null, the first "page".
    second = ROW | {"id": 8, "metadata": {"page": 3}}
    rows = [dict.fromkeys((*ROW, *LONG_ROW, "category")) | each for each in (row, second)]
    first_pair, second_pair = read_pairs(parquet_file(tmp_path, rows))
    assert (first_pair.id, first_pair.category, first_pair.response_a) == ("7", "math", "4")
    assert first_pair.metadata == {"year": 2024}
    assert (second_pair.id, second_pair.category, second_pair.response_b) == ("8", None, "5")


def test_parquet_problems_name_the_row(tmp_path):
    rows = [ROW | {"id": n, "prompt": "" if n == 17 else "Why?"} for n in range(1, 20)]
    assert problem_of(parquet_file(tmp_path, rows)).startswith("pairs.parquet row 17: the prompt is empty")


def test_parquet_values_that_json_has_no_word_for_become_text_and_nan_is_absent(tmp_path):
    row = ROW | {"asked_on": date(2024, 3, 4), "score": float("nan"), "weights": [0.5, float("inf")]}
    (pair,) = read_pairs(parquet_file(tmp_path, [row]))
    assert pair.metadata == {"asked_on": "2024-03-04", "weights": [0.5, "inf"]}


def test_bytes_of_a_parquet_file_are_text_in_utf_8_and_a_prompt_that_is_none_is_refused(tmp_path):
    rows = [
        ROW | {"prompt": "café?".encode(), "tags": ["été".encode()]},
        ROW | {"id": "q2", "prompt": b"caf\xe9?"},
    ]
    (pair,) = read_pairs(parquet_file(tmp_path, rows[:1]))
    assert (pair.prompt, pair.metadata) == ("café?", {"tags": ["été"]})
    assert problem_of(parquet_file(tmp_path, rows)) == (
        "pairs.parquet row 2: prompt is bytes. It must be one text."
    )


def test_pictures_beside_the_texts_of_a_parquet_file_are_passed_over(tmp_path):
    picture = b"\x89PNG\r\n"
    row = ROW | {"shot": picture, "shots": [{"bytes": picture, "path": "a.png"}], "kind": "sky"}
    (pair,) = read_pairs(parquet_file(tmp_path, [row]))
    assert pair.metadata == {"kind": "sky"}
    (pair,) = read_pairs(parquet_file(tmp_path, [ROW | {"metadata": {"shot": picture, "kind": "sky"}}]))
    assert pair.metadata == {"kind": "sky"}


def test_pictures_in_a_parquet_file_of_another_tool_are_passed_over(tmp_path):
    row = {"prompt": "Why?", "chosen": "This.", "rejected": "That.", "shot": b"\x89PNG\r\n", "n": 1}
    (pair,) = read_pairs(parquet_file(tmp_path, [row, row]))
    assert {pair.response_a, pair.response_b} == {"This.", "That."}
    assert pair.metadata == {"n": 1}
    with pytest.raises(InputError, match="an image: 1, the same row again: 1"):
        read_pairs(parquet_file(tmp_path, [row | {"image": b"\x89PNG\r\n"}] * 2))


# --- files as a whole ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pairs.jsonl", b""),
        ("pairs.jsonl", b"\n\r\n"),
        ("pairs.jsonl.gz", gzip.compress(b"", mtime=0)),
        ("pairs.csv", b""),
        ("pairs.csv", b"id,prompt,response_a,response_b\n"),
    ],
)
def test_a_file_without_pairs_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"no pairs found\. A file must hold at least one pair\.$"):
        read_pairs(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "pairs.xlsx",
            b"x",
            r"unknown kind of file\. It must be JSON or a table under a line of column names or Parquet\.$",
        ),
        ("pairs.jsonl.gz", b"plain text", r"gz:1: not JSON \(Expecting value"),
        ("pairs.jsonl.gz", gzip.compress(b"{}" * 999, mtime=0)[:-9], "not a whole gzip file"),
        ("pairs.jsonl.gz", gzip.compress(b"", mtime=0)[:10] + b"\xff" * 20, "not a whole gzip file"),
        ("pairs.parquet", b"", "cannot be read as Parquet"),
        ("pairs.parquet", b"PAR1 and no more", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_one_clear_line(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_pairs(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("read", [read_pairs, read_verdicts])
def test_a_missing_file_and_a_folder_are_one_clear_line(tmp_path, read):
    with pytest.raises(InputError, match=r"none\.jsonl: No such file or directory\.$"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match=r"this is a folder\. Name a file in it\.$"):
        read(str(tmp_path))
    with pytest.raises(InputError, match="null byte"):
        read("a\0b.jsonl")


def test_importing_the_module_loads_neither_pandas_nor_pyarrow():
    code = "import sys, judge.io.pairs; sys.exit(bool({'pandas', 'pyarrow', 'numpy'} & set(sys.modules)))"
    root = Path(__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


# --- nothing gets lost: pairs ----------------------------------------------------------------------------

words = st.text(max_size=40)
question = st.text(min_size=1, max_size=40).filter(str.strip)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def conversations(draw):
    earlier = draw(st.lists(st.builds(Message, st.sampled_from(("user", "assistant")), words), max_size=3))
    return (*earlier, Message("user", draw(question)), Message("assistant", draw(words)))


@st.composite
def pairs_of_any_kind(draw, optional_text=words):
    is_short = draw(st.booleans())
    asked = Message("user", draw(question))
    conversation_a, conversation_b = (
        (asked, Message("assistant", draw(words))) if is_short else draw(conversations()) for _ in "ab"
    )
    return Pair(
        id=draw(question),
        conversation_a=conversation_a,
        conversation_b=conversation_b,
        category=draw(st.none() | optional_text),
        reference=draw(st.none() | optional_text),
        system=draw(st.none() | optional_text),
        metadata=draw(st.dictionaries(words, json_values, max_size=3)),
    )


def files_of(pairs):
    return st.lists(pairs, min_size=1, max_size=4, unique_by=lambda pair: pair.id)


def as_table_row(pair, is_short):
    """Every column as text, conversations and metadata as JSON; None where there is nothing."""
    row = {"id": pair.id, "category": pair.category, "reference": pair.reference, "system": pair.system}
    row["metadata"] = json.dumps(dict(pair.metadata))
    if is_short:
        return row | {"prompt": pair.prompt, "response_a": pair.response_a, "response_b": pair.response_b}
    return row | {
        "conversation_a": json.dumps([asdict(message) for message in pair.conversation_a]),
        "conversation_b": json.dumps([asdict(message) for message in pair.conversation_b]),
    }


def is_short(pair):
    return pair.context_a == pair.context_b and len(pair.context_a) == 1


ALL_COLUMNS = (*ROW, "category", "reference", "system", "metadata", "conversation_a", "conversation_b")


@pytest.mark.slow
@ONE_FOLDER_FOR_ALL_EXAMPLES
@given(files_of(pairs_of_any_kind()))
def test_pairs_survive_jsonl(tmp_path, pairs):
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    assert read_pairs(tmp_path / "pairs.jsonl") == pairs


@pytest.mark.slow
@ONE_FOLDER_FOR_ALL_EXAMPLES
@given(files_of(pairs_of_any_kind(optional_text=question)))
def test_pairs_survive_csv(tmp_path, pairs):
    with (tmp_path / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ALL_COLUMNS)
        writer.writeheader()
        writer.writerows(as_table_row(pair, is_short(pair)) for pair in pairs)
    assert read_pairs(tmp_path / "pairs.csv") == pairs


@pytest.mark.slow
@ONE_FOLDER_FOR_ALL_EXAMPLES
@given(files_of(pairs_of_any_kind()), st.booleans())
def test_pairs_survive_parquet(tmp_path, pairs, has_structs):
    rows = [dict.fromkeys(ALL_COLUMNS) | as_table_row(pair, is_short(pair)) for pair in pairs]
    if has_structs:
        for row, pair in zip(rows, pairs, strict=True):
            row |= dict.fromkeys(("prompt", "response_a", "response_b"))
            row["conversation_a"] = [asdict(message) for message in pair.conversation_a]
            row["conversation_b"] = [asdict(message) for message in pair.conversation_b]
    assert read_pairs(parquet_file(tmp_path, rows)) == pairs


def test_the_short_form_is_written_where_it_says_everything_and_the_long_form_elsewhere(tmp_path):
    (pair,) = read_pairs(jsonl(tmp_path, ROW | {"system": "Be brief.", "gold": "A"}))
    two_turns = (Message("user", "Hi."), Message("assistant", "Hello."), *pair.conversation_a)
    longer = replace(pair, id="q2", conversation_a=two_turns)
    write_pairs(tmp_path / "out.jsonl", [pair, longer])
    short, long = map(json.loads, (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines())
    assert short == ROW | {"system": "Be brief.", "metadata": {"gold": "A"}}
    assert set(long) == {"id", "system", "conversation_a", "conversation_b", "metadata"}


# --- nothing gets lost: verdicts -------------------------------------------------------------------------


@st.composite
def probabilities(draw):
    weights = draw(st.lists(st.integers(1, 10**6), min_size=2, max_size=3))
    return {choice: weight / sum(weights) for choice, weight in zip(Choice, weights, strict=False)}


counts = st.integers(0, 10**6)
judgments = st.builds(
    Judgment, st.sampled_from(Choice), st.none() | probabilities(), words, counts, counts, st.booleans()
)
whole_readings = judgments | st.builds(Unparsed, words, words, counts, counts, st.booleans())
cuts = st.builds(lambda read, more: Cut(read, read + more), counts, st.integers(1, 10**6))
readings = whole_readings | st.builds(
    lambda reading, cut: replace(reading, is_trimmed=True, cut=cut), whole_readings, cuts
)
verdicts = st.builds(
    lambda pair_id, ab, ba, judge: combine(pair_id, {Order.AB: ab, Order.BA: ba}, judge),
    st.text(min_size=1, max_size=20),
    readings,
    readings,
    words,
)


@ONE_FOLDER_FOR_ALL_EXAMPLES
@given(st.lists(verdicts, max_size=4, unique_by=lambda verdict: verdict.pair_id))
def test_verdicts_survive_jsonl(tmp_path, given_verdicts):
    write_verdicts(tmp_path / "verdicts.jsonl", given_verdicts)
    assert read_verdicts(tmp_path / "verdicts.jsonl") == given_verdicts


@given(verdicts)
def test_a_verdict_survives_json(verdict):
    assert verdict_from_cells(json.loads(json.dumps(verdict_to_json(verdict)))) == verdict


def a_verdict(pair_id="q1", judge="m+none/direct#0f"):
    likely = {Choice.SECOND: 0.1, Choice.FIRST: 0.9}
    first = Judgment(Choice.FIRST, likely, "[[A]]", tokens_in=812, tokens_out=4)
    return combine(pair_id, {Order.BA: Unparsed("no verdict", "Hm.", 9, 2, True), Order.AB: first}, judge)


def test_a_verdict_is_written_with_its_keys_in_their_order():
    assert json.dumps(verdict_to_json(a_verdict())) == (
        '{"pair_id": "q1", "status": "unparsed", "outcome": null, "p_a": null, "outcome_by_mean": null, '
        '"orders": {"AB": {"choice": "FIRST", "probabilities": {"FIRST": 0.9, "SECOND": 0.1}, '
        '"raw": "[[A]]", "tokens_in": 812, "tokens_out": 4, "trimmed": false}, '
        '"BA": {"unparsed": "no verdict", "raw": "Hm.", "tokens_in": 9, "tokens_out": 2, "trimmed": true}}, '
        '"judge": "m+none/direct#0f"}'
    )


def test_how_much_was_read_stands_behind_trimmed_and_nowhere_else():
    verdict = a_verdict()
    unread = replace(verdict.readings[Order.BA], cut=Cut(4096, 30_000))
    obj = verdict_to_json(replace(verdict, readings={**verdict.readings, Order.BA: unread}))
    assert list(obj["orders"]["BA"]) == ["unparsed", "raw", "tokens_in", "tokens_out", "trimmed", "cut"]
    assert obj["orders"]["BA"]["cut"] == {"read": 4096, "whole": 30_000}
    assert "cut" not in obj["orders"]["AB"]


def test_equal_verdicts_are_equal_bytes_whatever_order_their_mappings_have(tmp_path):
    verdict = a_verdict()
    turned = replace(verdict, readings=dict(reversed(verdict.readings.items())))
    assert turned == verdict
    write_verdicts(tmp_path / "one.jsonl", [verdict])
    write_verdicts(tmp_path / "two.jsonl", [turned])
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_verdicts_go_to_standard_output_for_a_dash(capsysbinary):
    write_verdicts("-", [a_verdict("ü")])
    assert capsysbinary.readouterr().out.startswith('{"pair_id": "ü"'.encode())


def test_half_a_character_in_a_reply_does_not_cost_the_file(tmp_path):
    verdict = a_verdict()
    broken = replace(verdict, readings={**verdict.readings, Order.BA: Unparsed("odd", "x\ud800y")})
    write_verdicts(tmp_path / "verdicts.jsonl", [broken])
    (read,) = read_verdicts(tmp_path / "verdicts.jsonl")
    assert read.readings[Order.BA].raw == "x?y"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "verdicts.jsonl"
    write_verdicts(path, [a_verdict()])
    before = path.read_bytes()

    def breaks_half_way():
        yield a_verdict("q2")
        raise RuntimeError("engine gone")

    with pytest.raises(RuntimeError):
        write_verdicts(path, breaks_half_way())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.jsonl").mkdir()
    for name in ("none/verdicts.jsonl", "file/verdicts.jsonl", "folder.jsonl"):
        with pytest.raises(InputError, match="cannot be written"):
            write_verdicts(tmp_path / name, [a_verdict()])
    with pytest.raises(InputError, match=r"verdicts\.csv: written as JSONL\. Its name must end in \.jsonl"):
        write_verdicts(tmp_path / "verdicts.csv", [a_verdict()])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.jsonl"]


def test_a_link_stays_a_link_to_the_file_that_is_written(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "verdicts.jsonl").symlink_to(tmp_path / "elsewhere" / "real.jsonl")
    write_verdicts(tmp_path / "verdicts.jsonl", [a_verdict()])
    assert read_verdicts(tmp_path / "elsewhere" / "real.jsonl") == [a_verdict()]
    assert (tmp_path / "verdicts.jsonl").is_symlink()


def changed(path, value):
    """A good verdict as JSON, with one value changed ("..." removes it)."""
    obj = verdict_to_json(a_verdict())
    *parents, last = path.split("/")
    inner = obj
    for key in parents:
        inner = inner[key]
    inner[last] = value
    if value == "...":
        del inner[last]
    return obj


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("judge", "...", "a verdict misses judge (found: pair_id, status, outcome (null)"),
        ("when", 1, "a verdict has the unknown key 'when'"),
        ("pair_id", 7, "pair_id is a number"),
        ("pair_id", "", "pair_id is empty"),
        ("judge", None, "judge is null"),
        ("status", "agreed", "status is 'agreed'. It must be one of consistent, inconsistent, unparsed."),
        ("status", None, "status is None. It must be one of"),
        ("outcome", "a", "outcome is 'a'. It must be one of A, B, TIE."),
        ("outcome_by_mean", ["A"], "outcome_by_mean is ['A']. It must be one of A, B, TIE."),
        ("p_a", 1.5, "p_a is 1.5. It must be a number from 0 to 1."),
        ("p_a", True, "p_a is True. It must be a number from 0 to 1."),
        ("orders", [], "orders is a list. It must be an object with AB, BA."),
        ("orders/BA", "...", "orders misses BA (found: AB)."),
        ("orders/AB", None, "AB is null. It must be an object with choice, probabilities"),
        ("orders/AB/choice", "A", "AB, choice is 'A'. It must be one of FIRST, SECOND, TIE."),
        ("orders/AB/raw", None, "AB, raw is null."),
        ("orders/AB/trimmed", 0, "AB, trimmed is a number. It must be true or false."),
        (
            "orders/AB/cut",
            {"read": 9, "whole": 10},
            "AB, cut is there, and nothing was trimmed. Only what was",
        ),
        ("orders/BA/cut", 9, "BA, cut is a number. It must be an object with read, whole."),
        ("orders/BA/cut", {"read": 9}, "BA, cut misses whole"),
        ("orders/BA/cut", {"read": 9, "whole": 9.5}, "BA, cut, whole is 9.5. It must be a whole number"),
        ("orders/BA/cut", {"read": 9, "whole": 9}, "BA, cut is 9 of 9. What was read must be less than the"),
        ("orders/AB/tokens_in", -1, "AB, tokens_in is -1. It must be a whole number from 0 to"),
        ("orders/AB/tokens_in", 2**63, "AB, tokens_in is 9223372036854775808. It must be a whole"),
        ("orders/AB/tokens_out", 4.0, "AB, tokens_out is 4.0. It must be a whole number from 0 to"),
        ("orders/BA/tokens_out", True, "BA, tokens_out is True. It must be a whole number from 0 to"),
        ("orders/BA/unparsed", None, "BA, unparsed is null."),
        ("orders/BA/choice", "FIRST", "BA has the unknown key 'choice'."),
        ("orders/AB/probabilities", [0.9, 0.1], "AB, probabilities is a list."),
        ("orders/AB/probabilities/SECOND", "...", "AB, probabilities misses SECOND"),
        ("orders/AB/probabilities/THIRD", 0.0, "AB, probabilities has the unknown key 'THIRD'."),
        ("orders/AB/probabilities/FIRST", "0.9", "AB, probabilities, FIRST is '0.9'. It must be a number"),
        ("orders/AB/probabilities/TIE", 0.1, "AB, probabilities sum to 1.1. They must sum to 1."),
    ],
)
def test_what_is_no_verdict_is_refused_and_named(tmp_path, path, value, words):
    obj = changed(path, value)
    with pytest.raises(Wrong) as caught:
        verdict_from_cells(obj)
    assert str(caught.value).startswith(words)
    assert problem_of(jsonl(tmp_path, obj), read_verdicts).startswith(f"pairs.jsonl:1: {words}")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("status", "consistent", "status is 'consistent'. By its orders it must be 'unparsed'."),
        ("outcome", "A", "outcome is 'A'. By its orders it must be null."),
        ("outcome_by_mean", "B", "outcome_by_mean is 'B'. By p_a it must be null."),
        ("p_a", 0.5, "p_a is 0.5, and not both orders have probabilities. It must be null."),
    ],
)
def test_a_verdict_that_its_unread_order_contradicts_is_refused(tmp_path, path, value, words):
    assert problem_of(jsonl(tmp_path, changed(path, value)), read_verdicts) == f"pairs.jsonl:1: {words}"


def edited(verdict, **changes):
    return verdict_to_json(verdict) | changes


def test_a_verdict_that_says_anything_else_than_its_orders_is_refused():
    [sided] = judge_pairs([pair_of()], load_method("direct", load_backend("scripted:longer")))
    [flipped] = judge_pairs([pair_of()], load_method("direct", load_backend("scripted:first")))
    assert (sided.status, flipped.status) == ("consistent", "inconsistent")
    other = "B" if sided.outcome == "A" else "A"
    for obj, words in (
        (edited(sided, outcome=other), f"outcome is '{other}'. By its orders it must be '{sided.outcome}'"),
        (edited(sided, outcome=None), f"outcome is null. By its orders it must be '{sided.outcome}'"),
        (edited(sided, outcome_by_mean=other), f"outcome_by_mean is '{other}'. By p_a it must be"),
        (edited(sided, p_a=None, outcome_by_mean=None), "p_a is null, and both orders have probabilities"),
        (edited(sided, status="inconsistent"), "status is 'inconsistent'. By its orders it must be 'consist"),
        (edited(sided, undecided=True), f"outcome is '{sided.outcome}'. By its orders it must be 'TIE'"),
        (edited(flipped, outcome="A"), "outcome is 'A'. By its orders it must be 'TIE'"),
    ):
        with pytest.raises(Wrong) as caught:
            verdict_from_cells(obj)
        assert str(caught.value).startswith(words)


def test_a_calibrated_or_undecided_verdict_is_read_back_as_it_is(tmp_path):
    [verdict] = judge_pairs([pair_of()], load_method("direct", load_backend("scripted:longer")))
    turned = 1.0 - verdict.p_a
    ruled = [
        replace(verdict, p_a=turned, outcome_by_mean=outcome_by_probability(turned), judge="calibrated"),
        replace(
            verdict, outcome=Outcome.TIE, outcome_by_mean=Outcome.TIE, judge="undecided", is_undecided=True
        ),
    ]
    write_verdicts(tmp_path / "verdicts.jsonl", ruled)
    assert read_verdicts(tmp_path / "verdicts.jsonl") == ruled


def test_a_verdict_must_be_an_object():
    with pytest.raises(Wrong, match=r"^a verdict is a list"):
        verdict_from_cells([])


def test_a_pair_may_have_one_verdict_of_each_judge(tmp_path):
    path = tmp_path / "verdicts.jsonl"
    write_verdicts(path, [a_verdict(), a_verdict(judge="other")])
    assert len(read_verdicts(path)) == 2
    write_verdicts(path, [a_verdict(), a_verdict("q2")])
    first, second = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text(first + second + first, "utf-8")
    assert problem_of(path, read_verdicts).startswith("verdicts.jsonl:3: pair 'q1' is already in ")


def test_verdicts_are_never_read_from_a_table(tmp_path):
    with pytest.raises(InputError, match=r"this is a table .* It must be JSON\.$"):
        read_verdicts(csv_file(tmp_path, "pair_id\nq1\n"))


# --- steps -----------------------------------------------------------------------------------------------


def step_verdict() -> dict:
    step = {
        "name": "Clarity",
        "raw": "Score A: 4",
        "tokens_in": 5,
        "tokens_out": 3,
        "scores": [4.0, 2.5],
        "shared": "",
    }
    [verdict] = judge_pairs([pair_of()], load_method("bsm-text", load_backend("scripted:longer")))
    obj = verdict_to_json(verdict)
    obj["orders"]["AB"]["steps"] = [step]
    return obj


def test_a_verdict_of_a_slow_judge_is_written_with_its_steps_and_read_back_equal(tmp_path):
    verdicts = judge_pairs(FOUR_PAIRS, load_method("bsm-text", load_backend("scripted:longer")))
    write_verdicts(tmp_path / "verdicts.jsonl", verdicts)
    assert read_verdicts(tmp_path / "verdicts.jsonl") == verdicts
    assert verdicts[0].readings[Order.AB].steps


def test_a_verdict_of_the_fast_judge_has_no_steps_in_its_file():
    [verdict] = judge_pairs([pair_of()], load_method("direct", load_backend("scripted:longer")))
    assert "steps" not in verdict_to_json(verdict)["orders"]["AB"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scores": [4, 9]}, r"AB, steps\[0\], scores is .*must be two numbers from 1 to 5, or null"),
        ({"scores": [4]}, "must be two numbers from 1 to 5"),
        ({"name": 3}, r"AB, steps\[0\], name is a number. It must be one text"),
        ({"tokens_in": -1}, r"steps\[0\], tokens_in is -1"),
        ({"extra": 1}, "unknown key"),
    ],
)
def test_a_step_that_is_none_is_named_with_its_place(change, words):
    obj = step_verdict()
    verdict_from_cells(obj)
    obj["orders"]["AB"]["steps"][0] |= change
    with pytest.raises(Wrong, match=words):
        verdict_from_cells(obj)


def test_steps_that_are_no_list_are_named():
    obj = step_verdict()
    obj["orders"]["AB"]["steps"] = "all of them"
    with pytest.raises(Wrong, match=r"AB, steps is a? ?text. It must be a list"):
        verdict_from_cells(obj)


@pytest.mark.parametrize(
    ("pairs", "complaint"),
    [
        (
            [pair_of(id="p"), pair_of("other", id="p")],
            "^pair 2: id 'p' is already in pair 1. It may be there",
        ),
        ([pair_of(id=" ")], "^pair 1: id is empty"),
        ([pair_of("caf\ud800")], r"^pair 1: \\ud800 stands alone and is only half a character"),
        *(
            (
                [pair_of(criteria=[Criterion(name)])],
                r"^pair 'p': its criteria would be read back as others: '",
            )
            for name in ("short | weight 3", "two\nlines", '["a"]', "# hash")
        ),
        ([pair_of(metadata={"n": {1, 2}})], "^pair 'p': metadata 'n' is of type set. It must be JSON.$"),
        ([pair_of(metadata={"ok": 1, "n": float("nan")})], r"^pair 'p': metadata 'n' is nan \(float\)"),
    ],
)
def test_pairs_that_could_not_be_read_again_are_not_written(tmp_path, pairs, complaint):
    with pytest.raises(InputError, match=complaint):
        write_pairs(tmp_path / "pairs.jsonl", pairs)
    assert not list(tmp_path.iterdir())


def test_verdicts_that_could_not_be_read_again_are_not_written(tmp_path):
    verdicts = judge_pairs(FOUR_PAIRS, load_method("direct", load_backend("scripted:longer")))
    with pytest.raises(InputError, match=r"^verdict 5: pair 'sky' is already in verdict 1"):
        write_verdicts(tmp_path / "verdicts.jsonl", [*verdicts, verdicts[0]])
    both = [*verdicts, replace(verdicts[0], judge="another")]
    write_verdicts(tmp_path / "verdicts.jsonl", both)
    assert read_verdicts(tmp_path / "verdicts.jsonl") == both
