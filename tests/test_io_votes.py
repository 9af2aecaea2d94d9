"""Files of votes: what is read, what is refused in which words, and that nothing gets lost."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from dataclasses import fields

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judge.errors import BadLines, InputError
from judge.forms.reading import read_votes
from judge.io.votes import vote_to_json, write_votes
from judge.records import Ballot, Confidence, HumanVote

ROW = {"pair_id": "p1", "voter": "ann", "outcome": "A"}
FULL = ROW | {
    "turn": 2,
    "category": "math",
    "model_a": "m1",
    "model_b": "m2",
    "note": "close",
    "shown_left": "B",
    "at": "2026-11-22T11:14:08+00:00",
    "saw_judge": False,
    "tags": ["too long"],
    "confidence": "low",
}
FULL_VOTE = HumanVote(
    "p1",
    "ann",
    Ballot.A,
    2,
    "math",
    "m1",
    "m2",
    "close",
    "B",
    "2026-11-22T11:14:08+00:00",
    saw_judge=False,
    tags=("too long",),
    confidence=Confidence.LOW,
)
OPTIONAL = "turn, category, model_a, model_b, note, shown_left, at, saw_judge, tags, confidence"
NEEDS = f"A vote needs pair_id, voter, outcome and may have {OPTIONAL}."


def without(row, *names):
    return {name: value for name, value in row.items() if name not in names}


def jsonl(folder, *rows, name="votes.jsonl"):
    """A file with a line for each row; a row that is text is the line itself."""
    path = folder / name
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def csv_file(folder, content):
    path = folder / "votes.csv"
    path.write_text(content, encoding="utf-8")
    return path


def parquet_file(folder, rows):
    import pyarrow
    import pyarrow.parquet

    path = folder / "votes.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def problems_of(path):
    """What a bad file's error says, without the folder in front."""
    with pytest.raises(BadLines) as caught:
        read_votes(path)
    return [problem.replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_three_columns_are_a_vote_on_the_first_turn(tmp_path):
    assert read_votes(jsonl(tmp_path, ROW)) == [HumanVote("p1", "ann", Ballot.A)]
    assert read_votes(jsonl(tmp_path, ROW))[0].turn == 1


def test_every_column_has_its_place(tmp_path):
    assert read_votes(jsonl(tmp_path, FULL)) == [FULL_VOTE]


@pytest.mark.parametrize("ballot", list(Ballot))
def test_every_outcome_is_read(tmp_path, ballot):
    assert read_votes(jsonl(tmp_path, ROW | {"outcome": ballot.value}))[0].outcome is ballot


@pytest.mark.parametrize(
    ("spelled", "ballot"),
    [
        (" A ", Ballot.A),
        ("model_b", Ballot.B),
        ("Tie", Ballot.TIE),
        ("both good", Ballot.TIE),
        ("Tie (bothbad)", Ballot.BOTH_BAD),
        ("both_bad", Ballot.BOTH_BAD),
    ],
)
def test_an_outcome_may_be_spelled_as_arenas_do(tmp_path, spelled, ballot):
    assert read_votes(jsonl(tmp_path, ROW | {"outcome": spelled}))[0].outcome is ballot


def test_equal_outcomes_that_are_not_understood_are_one_line_with_their_count_and_lines(tmp_path):
    rows = [ROW | {"pair_id": str(n), "outcome": "model_c" if n > 1 else "A"} for n in range(6)]
    with pytest.raises(
        BadLines, match=r"votes\.jsonl: 4 lines \(3-6\): outcome is 'model_c'\. It must be one of"
    ):
        read_votes(jsonl(tmp_path, *rows))


def test_jsonl_gzip_csv_and_parquet_give_the_same_votes(tmp_path):
    rows = [FULL, ROW | {"pair_id": "p2", "outcome": "BOTH_BAD"}]
    votes = read_votes(jsonl(tmp_path, *rows))
    zipped = tmp_path / "votes.jsonl.gz"
    zipped.write_bytes(gzip.compress((tmp_path / "votes.jsonl").read_bytes()))
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, FULL)
    writer.writeheader()
    writer.writerows(row | {"tags": json.dumps(row.get("tags"))} for row in rows)
    assert read_votes(zipped) == votes
    assert read_votes(csv_file(tmp_path, table.getvalue())) == votes
    assert read_votes(parquet_file(tmp_path, rows)) == votes


def test_votes_come_from_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(ROW).encode())))
    assert read_votes("-") == [HumanVote("p1", "ann", Ballot.A)]


def test_a_null_is_the_same_as_a_column_that_is_not_there(tmp_path):
    nulls = dict.fromkeys(("turn", "category", "note", "shown_left", "at", "saw_judge"))
    assert read_votes(jsonl(tmp_path, ROW | nulls)) == [HumanVote("p1", "ann", Ballot.A)]


def test_whole_numbers_are_ids_and_voters_as_they_are_in_a_pair_file(tmp_path):
    (vote,) = read_votes(jsonl(tmp_path, ROW | {"pair_id": 7, "voter": 12}))
    assert (vote.pair_id, vote.voter) == ("7", "12")


def test_an_empty_file_has_no_votes(tmp_path):
    assert read_votes(jsonl(tmp_path)) == []


def test_a_vote_is_written_with_its_keys_in_order_and_without_nulls():
    assert vote_to_json(HumanVote("p1", "ann", Ballot.BOTH_BAD)) == {
        "pair_id": "p1",
        "voter": "ann",
        "outcome": "BOTH_BAD",
        "turn": 1,
    }
    assert list(vote_to_json(FULL_VOTE).items()) == list(FULL.items())
    assert list(FULL) == [field.name for field in fields(HumanVote)]


texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(str.strip)
votes = st.builds(
    HumanVote,
    pair_id=texts,
    voter=texts,
    outcome=st.sampled_from(Ballot),
    turn=st.integers(1, 9),
    category=st.none() | texts,
    note=st.none() | st.text(st.characters(exclude_categories=("Cs",))),
    shown_left=st.sampled_from(["A", "B", None]),
    at=st.none() | st.datetimes().map(lambda moment: moment.isoformat()),
    saw_judge=st.sampled_from([True, False, None]),
    tags=st.lists(texts, max_size=3).map(tuple),
    confidence=st.sampled_from([*Confidence, None]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(votes, max_size=4, unique_by=lambda vote: (vote.pair_id, vote.voter, vote.turn)))
def test_votes_come_back_as_they_were_written(tmp_path, given_votes):
    write_votes(tmp_path / "votes.jsonl", given_votes)
    assert read_votes(tmp_path / "votes.jsonl") == given_votes


def test_writing_fails_whole(tmp_path):
    path = jsonl(tmp_path, ROW)
    before = path.read_bytes()

    def one_and_a_crash():
        yield FULL_VOTE
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_votes(path, one_and_a_crash())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["votes.jsonl"]


def test_whole_numbers_that_pandas_made_floats_are_whole(tmp_path):
    path = tmp_path / "votes.jsonl"
    row = {"pair_id": 7.0, "voter": 2.0, "outcome": "A", "turn": 2.0}
    path.write_text(json.dumps(row) + "\n" + json.dumps(row | {"pair_id": 8}) + "\n", encoding="utf-8")
    votes = read_votes(path)
    assert [(vote.pair_id, vote.voter, vote.turn) for vote in votes] == [("7", "2", 2), ("8", "2", 2)]


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"outcome": "model_c"}, "outcome is 'model_c'. It must be one of A, B, TIE, BOTH_BAD."),
        ({"outcome": 1}, "outcome is 1. It must be one of A, B, TIE, BOTH_BAD."),
        ({"turn": 0}, "turn is 0. It must be a whole number from 1 up."),
        ({"turn": True}, "turn is True. It must be a whole number from 1 up."),
        ({"turn": 1.5}, "turn is 1.5. It must be a whole number from 1 up."),
        ({"turn": "1"}, "turn is '1'. It must be a whole number from 1 up."),
        ({"pair_id": " "}, "pair_id is empty. It must be text or a whole number."),
        ({"pair_id": True}, "pair_id is true. It must be text or a whole number."),
        ({"voter": ["ann"]}, "voter is a list. It must be text or a whole number."),
        ({"category": 3}, "category is a number. It must be one text."),
        ({"shown_left": "left"}, "shown_left is 'left'. It must be A or B."),
        ({"at": "yesterday"}, "at is 'yesterday'. It must be a time like 2026-11-22T11:14:08+00:00."),
        ({"saw_judge": "yes"}, "saw_judge is 'yes'. It must be true or false."),
        ({"tags": "wrong"}, "tags is 'wrong'. It must be a list of texts, such as [\"too long\"]."),
        ({"confidence": "sure"}, "confidence is 'sure'. It must be one of low, medium, high."),
        ({"winner": "A"}, f"unknown column 'winner'. {NEEDS}"),
        ({"winner": None}, f"unknown column 'winner'. {NEEDS}"),
        ({"voter": None}, f"missing voter (found: pair_id, voter (null), outcome). {NEEDS}"),
    ],
)
def test_a_wrong_cell_is_refused_in_words(tmp_path, change, problem):
    assert problems_of(jsonl(tmp_path, ROW | change)) == [f"votes.jsonl:1: {problem}"]


def test_all_missing_columns_are_named_at_once(tmp_path):
    assert problems_of(jsonl(tmp_path, {"voter": "ann"})) == [
        f"votes.jsonl:1: missing pair_id, outcome (found: voter). {NEEDS}"
    ]


def test_every_bad_row_is_in_one_error(tmp_path):
    other = ROW | {"pair_id": "p2"}
    path = jsonl(tmp_path, ROW | {"outcome": "C"}, other, "{", other | {"voter": ""}, "[]")
    assert [problem.partition(": ")[0] for problem in problems_of(path)] == [
        "votes.jsonl:1",
        "votes.jsonl:3",
        "votes.jsonl:4",
        "votes.jsonl:5",
    ]


def test_a_voter_votes_once_on_a_pair_and_turn(tmp_path):
    other_turn, other_voter, other_pair = {"turn": 2}, {"voter": "bob"}, {"pair_id": "p2"}
    rows = [ROW | change for change in ({}, other_turn, other_voter, other_pair)]
    assert len(read_votes(jsonl(tmp_path, *rows))) == 4
    assert problems_of(jsonl(tmp_path, *rows, ROW | {"outcome": "B"})) == [
        "votes.jsonl:5: a vote of 'ann' on pair 'p1', turn 1, is already in votes.jsonl:1. "
        "It may be there only once."
    ]


def test_a_turn_in_csv_is_digits(tmp_path):
    content = "pair_id,voter,outcome,turn\np1,ann,A,2\np2,ann,B,\np3,ann,B,3.0\n"
    assert [vote.turn for vote in read_votes(csv_file(tmp_path, content))] == [2, 1, 3]
    for odd in ("two", "1.5", "1.", "-1", "٢", "0", "9" * 5000):
        (problem,) = problems_of(csv_file(tmp_path, f"pair_id,voter,outcome,turn\np1,ann,A,{odd}\n"))
        assert problem.endswith("It must be a whole number from 1 up."), odd


@pytest.mark.parametrize("tags", ["[" * 100_000, '["\\ud83d"]', '["a"'])
def test_tags_in_a_table_that_cannot_be_read_are_one_line(tmp_path, tags):
    cell = tags.replace('"', '""')
    (problem,) = problems_of(csv_file(tmp_path, f'pair_id,voter,outcome,tags\np1,ann,A,"{cell}"\n'))
    assert problem.startswith("votes.csv:2: ")
    assert len(problem) < 300


def test_an_empty_csv_cell_is_absent_but_an_unknown_column_is_seen(tmp_path):
    (vote,) = read_votes(csv_file(tmp_path, "pair_id,voter,outcome,note\np1,ann,A,\n"))
    assert vote.note is None
    assert problems_of(csv_file(tmp_path, "pair_id,voter,outcome,winner\np1,ann,A,\n")) == [
        f"votes.csv:2: unknown column 'winner'. {NEEDS}"
    ]


def test_other_kinds_of_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"unknown kind of file\. It must be JSON or "):
        read_votes(jsonl(tmp_path, "x", name="votes.txt"))
    with pytest.raises(InputError, match="No such file"):
        read_votes(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match=r"must end in \.jsonl"):
        write_votes(tmp_path / "votes.csv", [FULL_VOTE])


@pytest.mark.parametrize(
    ("votes", "complaint"),
    [
        ([HumanVote("p", "", Ballot.A)], "^vote 1: voter is empty"),
        ([HumanVote("p", "me", Ballot.A, turn=0)], "^vote 1: turn is 0"),
        ([HumanVote("p", "me", Ballot.A, note="\ud800")], r"^vote 1: \\ud800 stands alone and is only half"),
        (
            [HumanVote("p", "me", Ballot.A), HumanVote("p", "me", Ballot.B)],
            "^vote 2: a vote of 'me' on pair 'p'",
        ),
    ],
)
def test_votes_that_could_not_be_read_again_are_not_written(tmp_path, votes, complaint):
    with pytest.raises(InputError, match=complaint):
        write_votes(tmp_path / "votes.jsonl", votes)
    assert not list(tmp_path.iterdir())


def test_votes_with_the_index_of_pandas_say_how_to_write_them(tmp_path):
    (tmp_path / "votes.csv").write_text(",pair_id,voter,outcome\n0,p,me,A\n")
    with pytest.raises(InputError, match=r"unknown column ''\. pandas wrote its index: write the table with"):
        read_votes(tmp_path / "votes.csv")
