"""The index of a file of pairs: the same pairs as reading it whole, at once, whatever its size."""

from __future__ import annotations

import gzip
import json
import time

import pytest

from judge.errors import InputError
from judge.forms.reading import read_pairs
from judge.io.pairs import write_pairs
from judge.records import Pair
from judge.review.pairindex import opened

ROWS = [
    {"id": "one", "prompt": "Why?", "response_a": "a", "response_b": "bb", "category": "math"},
    {"prompt": "Wie spät?", "response_a": "früh", "response_b": "ß"},
    {"prompt": "Wie spät?", "response_a": "früh", "response_b": "ß"},
    {
        "id": "long",
        "conversation_a": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}],
        "conversation_b": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "no"}],
    },
]


def text_of(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture
def write(tmp_path):
    def write(content, name="pairs.jsonl"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path):
    index = opened(path)
    index.read_on(10**9)
    return index


@pytest.mark.parametrize("change", ["as it is", "crlf", "byte order mark", "blank lines", "no last line end"])
def test_it_holds_the_pairs_that_reading_the_file_whole_gives(write, change):
    text = text_of(ROWS)
    changed = {
        "as it is": text,
        "crlf": text.replace("\n", "\r\n"),
        "byte order mark": "\ufeff" + text,
        "blank lines": "\n\n" + text.replace("\n", "\n \n"),
        "no last line end": text[:-1],
    }[change]
    path = write(changed)
    index = read(path)
    assert index.pairs(index.entries) == read_pairs(path)
    assert [entry.content for entry in index.entries] == [pair.content_hash for pair in read_pairs(path)]
    assert (index.problems, index.n_bad) == ([], 0)


@pytest.mark.parametrize("name", ["pairs.jsonl.gz", "pairs.csv", "pairs.parquet"])
def test_other_kinds_of_file_open_too(write, tmp_path, name):
    import pyarrow
    import pyarrow.parquet

    rows = [ROWS[0], ROWS[0] | {"id": "two"}]
    if name.endswith(".gz"):
        path = write(gzip.compress(text_of(rows).encode()), name)
    elif name.endswith(".csv"):
        path = write(",".join(rows[0]) + "\n" + "".join(",".join(row.values()) + "\n" for row in rows), name)
    else:
        path = tmp_path / name
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    index = read(path)
    assert index.pairs(index.entries) == read_pairs(path)
    assert index.name == name


def test_what_is_kept_aside_of_another_kind_of_file_goes_with_its_index(write):
    index = read(write(gzip.compress(text_of(ROWS[:1]).encode()), "pairs.jsonl.gz"))
    folder = index.path.parent
    assert folder.is_dir()
    del index
    assert not folder.exists()


def test_lines_that_are_no_pairs_are_named_and_left_out(write):
    bad = ["{}", "nonsense", json.dumps(ROWS[0])]
    index = read(
        write(text_of(ROWS) + "".join(f"{line}\n" for line in bad) + text_of([ROWS[0] | {"id": "last"}]))
    )
    assert [entry.id for entry in index.entries][-1] == "last"
    assert len(index.entries) == 5
    assert [problem.partition(":")[2].partition(" ")[0] for problem in index.problems] == ["5:", "6:", "7:"]
    assert "id 'one' is already in line 1" in index.problems[2]


def test_after_twenty_bad_lines_they_are_only_counted(write):
    index = read(write("{}\n" * 50))
    assert (len(index.problems), index.n_bad, index.entries) == (20, 50, [])


def test_a_search_looks_at_id_question_and_answers_in_any_case(write):
    index = read(write(text_of(ROWS)))
    for text, ids in {"WHY": ["one"], "LON": ["long"], "FRÜH": 2, "nowhere": []}.items():
        found = [entry.id for entry in index.found(text, index.entries)]
        assert (len(found) if isinstance(ids, int) else found) == ids


def test_a_file_that_changed_under_it_is_never_taken_for_what_it_was(write):
    path = write(text_of(ROWS))
    index = read(path)
    path.write_text(text_of(ROWS).replace("Why?", "How?"))
    with pytest.raises(InputError, match="has changed since it was opened"):
        index.pair(index.entries[0])


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("pairs.txt", "x", "unknown kind of file"),
        ("pairs.jsonl", "", "no pairs found"),
        ("pairs.csv", "id,prompt\n1,x\n", "missing"),
    ],
)
def test_what_cannot_be_opened_is_one_error(write, name, content, complaint):
    with pytest.raises(InputError, match=complaint):
        opened(write(content, name))


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        opened(tmp_path / "gone.jsonl")


@pytest.mark.slow
def test_a_hundred_thousand_pairs_open_in_under_three_seconds(tmp_path):
    path = tmp_path / "large.jsonl"
    answer = "lorem ipsum dolor sit amet " * 30
    with path.open("w") as file:
        for n in range(100_000):
            row = {
                "id": f"p{n}",
                "prompt": f"Question {n}?",
                "response_a": answer,
                "response_b": answer[n % 99 :],
            }
            file.write(json.dumps(row) + "\n")
    started = time.perf_counter()
    index = opened(path)
    index.read_on(5_000)
    assert time.perf_counter() - started < 3
    assert (index.n_lines, len(index.entries), index.is_read) == (100_000, 5_000, False)
    assert index.pair(index.entries[4_999]).prompt == "Question 4999?"


def test_pairs_written_by_us_have_their_ids_again(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(text_of(ROWS))
    pairs = read_pairs(path)
    write_pairs(tmp_path / "again.jsonl", pairs)
    index = read(tmp_path / "again.jsonl")
    assert [entry.id for entry in index.entries] == [pair.id for pair in pairs]


def test_a_file_of_another_tool_is_opened_and_it_is_said(tmp_path):
    row = {"prompt": "Why?", "response_a": "So.", "response_b": "No.", "winner": "model_b"}
    path = tmp_path / "battles.jsonl"
    path.write_text("\n" + json.dumps(row) + "\n", encoding="utf-8")
    index = opened(path)
    index.read_on(10)
    [pair] = index.pairs(index.entries)
    assert (pair.response_a, pair.metadata) == ("So.", {})
    assert index.notes[0] == "battles.jsonl: read as arena votes: 1 pair, 1 vote; left out: nothing."
    assert index.name == "battles.jsonl"


def test_nothing_is_said_of_our_own_pairs(tmp_path):
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, [Pair.of("Why?", "So.", "No.", id="a")])
    assert opened(path).notes == []
