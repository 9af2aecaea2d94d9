"""Files are read as what they hold: every form and encoding of one set of pairs, votes and verdicts."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import zipfile

import pyarrow
import pyarrow.ipc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import FOUR_PAIRS

from judge.api import Judge
from judge.errors import BadLines, InputError
from judge.forms.reading import read_pairs, read_votes
from judge.io.pairs import write_pairs
from judge.io.rows import json_rows, spread_rows
from judge.io.verdicts import read_verdicts, verdict_to_json
from judge.review.pairindex import opened
from judge.review.settings import files_below, holds_verdicts

ROWS = [
    {
        "id": "tea",
        "prompt": "Tea, or coffee?",
        "response_a": "Tea; it calms",
        "response_b": "Kaffee – größer",
    },
    {"id": "two", "prompt": "Two?\nLines", "response_a": 'He said "no"', "response_b": "a\tb | c"},
]
VOTES = [
    {"pair_id": "tea", "voter": "ann", "outcome": "A"},
    {"pair_id": "two", "voter": "ann", "outcome": "TIE"},
]


def lines_of(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


LINES = lines_of(ROWS).encode()


def table_of(rows, separator):
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


FORMS = {
    "lines": lines_of,
    "array": lambda rows: json.dumps(rows, ensure_ascii=False),
    "indented array": lambda rows: json.dumps(rows, ensure_ascii=False, indent=2),
    "a line an item": lambda rows: "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n",
    "leading commas": lambda rows: "[" + "\n,".join(map(json.dumps, rows)) + "]",
    "indented objects": lambda rows: "\n".join(json.dumps(row, indent=4) for row in rows),
    "commas": lambda rows: table_of(rows, ","),
    "tabs": lambda rows: table_of(rows, "\t"),
    "semicolons": lambda rows: table_of(rows, ";"),
    "said separator": lambda rows: "sep=;\r\n" + table_of(rows, ";"),
}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
NAMES = ["x.jsonl", "x.json", "x.csv", "x.txt", "x", "x.jsonl.gz", "x.parquet"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("is_zipped", [False, True])
def test_pairs_and_votes_are_read_in_every_form_and_encoding_under_every_name(
    tmp_path, form, encoding, is_zipped
):
    write_pairs(
        tmp_path / "plain.jsonl", read_pairs(written(tmp_path / "rows.jsonl", lines_of(ROWS).encode()))
    )
    wanted = read_pairs(tmp_path / "plain.jsonl")
    for name in NAMES:
        path = written(tmp_path / name, FORMS[form](ROWS).encode(encoding), is_zipped)
        assert read_pairs(path) == wanted
        index = opened(path)
        index.read_on(10)
        assert index.pairs(index.entries) == wanted
        votes = read_votes(written(path, FORMS[form](VOTES).encode(encoding), is_zipped))
        assert [(vote.pair_id, vote.voter, vote.outcome) for vote in votes] == [
            tuple(row.values()) for row in VOTES
        ]


def written(path, data, is_zipped=False):
    path.write_bytes(gzip.compress(data) if is_zipped else data)
    return path


def arrow(new):
    """A table as Arrow has it in a file or in a stream."""
    table, sink = pyarrow.Table.from_pylist(ROWS), io.BytesIO()
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def archived(kind):
    """An archive with a file of pairs in it."""
    sink = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(sink, "w") as archive:
            archive.writestr("data/", b"")
            archive.writestr("data/pairs.jsonl", LINES)
    else:
        with tarfile.open(fileobj=sink, mode="w:gz") as archive:
            member = tarfile.TarInfo("pairs.jsonl")
            member.size = len(LINES)
            archive.addfile(member, io.BytesIO(LINES))
    return sink.getvalue()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: bz2.compress(LINES), "this is packed by bzip2. Unpack it; only gzip is read as it is."),
        (lambda: bz2.compress(b""), "this is packed by bzip2. Unpack it"),
        (lambda: lzma.compress(LINES), "this is packed by xz. Unpack it"),
        (lambda: pyarrow.compress(LINES, "zstd", asbytes=True), "this is packed by Zstandard. Unpack it"),
        (lambda: archived("tar"), "this is packed by tar. Unpack it"),
        (lambda: archived("zip"), "this is a zip file with data/pairs.jsonl in it. Unpack it."),
        (
            lambda: gzip.compress(archived("zip")),
            "this is a zip file with data/pairs.jsonl in it. Unpack it.",
        ),
        (lambda: gzip.compress(gzip.compress(LINES)), "this is gzip within gzip. Unpack it once."),
        (lambda: arrow(pyarrow.ipc.new_file), "this is an Arrow file. Write its table as Parquet."),
        (lambda: arrow(pyarrow.ipc.new_stream), "this is an Arrow file. Write its table as Parquet."),
    ],
)
@pytest.mark.parametrize("reads", [read_pairs, read_verdicts])
def test_a_file_that_is_packed_is_one_line_that_says_how(tmp_path, reads, made, said):
    (tmp_path / "pairs.jsonl").write_bytes(made())
    with pytest.raises(InputError) as caught:
        reads(tmp_path / "pairs.jsonl")
    assert f"pairs.jsonl: {said}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cut_zip_file_is_one_line_too(tmp_path):
    (tmp_path / "verdicts.zip").write_bytes(archived("zip")[:60])
    with pytest.raises(
        InputError, match=r"verdicts\.zip: this is a zip file that cannot be unpacked \(.+\)\.$"
    ):
        read_verdicts(tmp_path / "verdicts.zip")


@pytest.mark.parametrize("first", ["BZh1", "ARROW1", "FEA1", "7z"])
def test_a_table_whose_first_column_is_called_as_packed_files_begin_is_a_table(tmp_path, first):
    table = f"{first},prompt,response_a,response_b\n1,{'ustar' * 60}?,x,y\n"
    (tmp_path / "pairs.csv").write_text(table, encoding="utf-8")
    assert [pair.response_b for pair in read_pairs(tmp_path / "pairs.csv")] == ["y"]


def test_verdicts_are_read_from_an_array_too(tmp_path):
    with Judge(backend="scripted:longer", ledger=tmp_path / "l.sqlite") as judge:
        verdicts = judge.judge(FOUR_PAIRS)
    rows = [verdict_to_json(verdict) for verdict in verdicts]
    for form in ("array", "indented array", "indented objects"):
        path = written(tmp_path / "v.json", FORMS[form](rows).encode("utf-16"), is_zipped=True)
        assert read_verdicts(path) == verdicts
        assert holds_verdicts(path)
    assert not holds_verdicts(written(tmp_path / "p.json", FORMS["array"](ROWS).encode()))
    assert files_below(tmp_path) == ["p.json", "v.json"]


def test_a_table_whose_lines_end_in_a_comma_is_one_whatever_its_name(tmp_path):
    lines = FORMS["commas"](ROWS).splitlines()
    table = "".join(f"{line},\n" for line in lines)
    assert read_pairs(written(tmp_path / "x.jsonl", table.encode())) == read_pairs(
        written(tmp_path / "x.csv", table.encode())
    )


def test_a_guessed_separator_is_said_in_one_line_and_a_named_one_is_not(tmp_path, capsys):
    for name, form, said in [
        ("x.csv", "commas", ""),
        ("x.tsv", "tabs", ""),
        ("x.tsv.gz", "tabs", ""),
        ("x.csv", "said separator", ""),
        ("x.csv", "semicolons", "x.csv: read as a table, cells separated by semicolons.\n"),
        ("x.txt", "tabs", "x.txt: read as a table, cells separated by tabs.\n"),
        ("x.jsonl", "commas", "x.jsonl: read as a table, cells separated by commas.\n"),
    ]:
        read_pairs(written(tmp_path / name, FORMS[form](ROWS).encode()))
        assert capsys.readouterr().err.removeprefix(f"{tmp_path}/") == said


def test_a_repeated_byte_order_mark_of_files_put_together_is_no_text(tmp_path):
    parts = [lines_of([row]).encode("utf-8-sig") for row in ROWS]
    assert [pair.id for pair in read_pairs(written(tmp_path / "x.jsonl", b"".join(parts)))] == ["tea", "two"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[\n{"a": 1},\n{"a" 2}\n]', "x:3: not JSON (Expecting ':' delimiter at character 6)."),
        ('[\n{"a": 1}\n{"a": 2}\n]', "x:3: not JSON (Expecting ',' delimiter at character 1)."),
        ('[\n{"a": 1},\n]', "x:3: not JSON (Expecting value at character 1)."),
        ('[\n{"a": 1}', "x:2: not JSON (Expecting ',' delimiter at character 9)."),
        ('[\n{"a": 1}]\n\n7', "x:4: not JSON (Extra data at character 1)."),
        ('[\n1, {"a": 1}]', "x:2: the item is a number. Every item of the list must be one JSON object."),
        ('[{"a": 1},\n\n{"b": NaN},{"a": 1}]', "x:3: NaN is not JSON. Write a finite number, or null."),
        (
            '[{"b":\n "\\ud83d"}]',
            "x:1: \\ud83d stands alone and is only half a character. Remove or complete it.",
        ),
        (
            '{\n"a": 1\n}\n{\n"a": 1,\n"a": 2\n}',
            "x:4: the key 'a' is there twice. Every key may be there only once.",
        ),
        ('{"a": 1,\n"b" 2}', "x:2: not JSON (Expecting ':' delimiter at character 5)."),
        ('{"a": "cut\n{"a": 2}', "x:1: not JSON (Unterminated string starting at character 7)."),
        ('[{"a": 1}]\n[{"a": 2}]', "x:1: the line is a list. Every line must be one JSON object."),
    ],
)
def test_what_is_wrong_in_json_over_lines_is_told_with_its_line(text, complaint):
    told = [
        f"{row.where}: {row.cells}"
        for row in json_rows(text.encode(), "x")
        if not isinstance(row.cells, dict)
    ]
    assert told[0] == complaint


def test_the_objects_around_a_wrong_one_are_read():
    [first, second, third] = json_rows(b'[{"a": 1},\n{"a": 1e999},\n{"a": 3}]', "x")
    assert (first.cells, third.cells, third.where) == ({"a": 1}, {"a": 3}, "x:3")
    assert str(second.cells) == "the number 1e999 is too large. Numbers must be finite."


def test_items_of_a_list_on_one_line_have_places_of_their_own_so_that_an_id_is_there_once(tmp_path):
    assert [row.where for row in json_rows(b'[{"a": 1}, {"a": 2},\n{"a": 3}]', "x")] == [
        "x:1",
        "x:1, item 2",
        "x:2",
    ]
    twice = [
        {"id": "x", "prompt": "Why?", "response_a": "So.", "response_b": text} for text in ("No.", "Yes.")
    ]
    path = written(tmp_path / "x.json", json.dumps(twice).encode())
    with pytest.raises(InputError, match=r"x\.json:1, item 2: .*'x' is already in .*x\.json:1\."):
        read_pairs(path)
    votes = [{"pair_id": "x", "voter": "ann", "outcome": outcome} for outcome in "AB"]
    with pytest.raises(InputError, match=r"v\.json:1, item 2: .* is already in "):
        read_votes(written(tmp_path / "v.json", json.dumps(votes).encode()))


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path):
    [row] = json_rows(b'[\n{"a":\n"\xe9"}]', "x")
    assert f"{row.where}: {row.cells}" == "x:3: byte 0xe9 is not UTF-8. Save the file as UTF-8."
    with pytest.raises(InputError, match=r"x\.json: not whole UTF-16 .*Save the file as UTF-8\.$"):
        read_pairs(written(tmp_path / "x.json", lines_of(ROWS).encode("utf-16")[:-1]))


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.integers()), max_size=4))
def test_spread_json_gives_what_the_lines_give(rows):
    rows = [row for row in rows if json.dumps(row).isprintable()]
    for form in ("array", "indented array", "a line an item"):
        data = FORMS[form](rows).encode("utf-8", errors="replace")
        assert [row.cells for row in spread_rows(data, "x")] == json.loads(data)


def test_equal_complaints_are_told_once_with_their_count_and_first_lines(tmp_path):
    short = {"prompt": "Why?", "response_a": "So."}
    rows = [short] * 30 + [ROWS[0]] + [short | {"id": 3.5}] + [ROWS[1], short] * 7
    with pytest.raises(BadLines) as caught:
        read_pairs(written(tmp_path / "x.jsonl", lines_of(rows).encode()))
    told = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert told[0].startswith("x.jsonl: 37 lines (1-30, 34, 36, 38, 40, ...): missing response_b")
    assert told[1] == "x.jsonl:32: id is a number. It must be text or a whole number."
    assert len(caught.value.problems) == 44  # six times the second pair's id, too
    assert len(told) == 3


def test_many_unlike_complaints_are_cut_at_twenty_and_the_lines_of_the_rest_counted(tmp_path):
    rows = [{"prompt": "Why?", f"column_{n // 2}": 1} for n in range(60)]
    with pytest.raises(BadLines) as caught:
        read_pairs(written(tmp_path / "x.jsonl", lines_of(rows).encode()))
    told = str(caught.value).splitlines()
    assert len(told) == 21
    assert told[-1] == "... and 20 more bad lines"


def test_equal_complaints_of_items_in_one_line_are_one_with_the_line_once(tmp_path):
    path = written(tmp_path / "x.json", json.dumps([{"prompt": "Why?"}] * 30).encode())
    with pytest.raises(BadLines) as caught:
        read_pairs(path)
    [told] = str(caught.value).splitlines()
    assert "x.json: 30 items (line 1): missing response_a, response_b" in told
