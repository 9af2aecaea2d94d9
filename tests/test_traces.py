"""What a teacher said is kept whole, in shards that say one thing only and never look finished too early."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pairs import FOUR_PAIRS, HOSTILE, pair_of

from distill.traces import Trace, read_traces, write_traces
from judge.errors import BadLines, InputError
from judge.metrics.baselines import coin, longer_wins
from judge.orders import combine
from judge.records import Choice, Judgment, Message, Order, Pair, Reading, Status, Step, Unparsed

PLAN = Step("branch", "1. Correctness: is it right?", 60, 12, shared="9f")
SOLVED = Step("Correctness: is it right?", "A: 4\nB: 2\nA adds up.", 130, 9, scores=(4.0, 2.0))
SURE = Judgment(
    Choice.FIRST, {Choice.FIRST: 0.9, Choice.SECOND: 0.1}, "4.00 : 2.00", 130, 9, True, (PLAN, SOLVED)
)
DOUBTING = Judgment(Choice.SECOND, {Choice.FIRST: 0.3, Choice.SECOND: 0.7}, "2.00 : 4.00", 131, 8)
MUTE = Unparsed("criterion 1: no score", "Both have their merits.", 128, 5, steps=(PLAN,))


def trace(pair: Pair, in_ab: Reading = SURE, in_ba: Reading = DOUBTING) -> Trace:
    return Trace(pair, combine(pair.id, {Order.AB: in_ab, Order.BA: in_ba}, "teacher"))


FOUR_TRACES = [
    trace(pair, *readings)
    for pair, readings in zip(FOUR_PAIRS, [(SURE, DOUBTING), (SURE, SURE), (MUTE, SURE), ()], strict=True)
]

UNLIKE = [trace(pair_of(pair_of(str(n)).content_hash * 2, id=f"unlike {n}")) for n in range(50)]
"""Traces that do not compress well together."""


def rows_in(shard: Path) -> list[dict]:
    return [json.loads(line) for line in gzip.decompress(shard.read_bytes()).splitlines()]


def shard_of(folder: Path, *rows: dict | str, number: int = 1) -> Path:
    """A shard with a line for each row; a row that is text is the line itself."""
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path = folder / f"traces-{number:05}.jsonl.gz"
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return path


def good_rows(folder: Path) -> list[dict]:
    [shard] = write_traces(folder, FOUR_TRACES)
    return rows_in(shard)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- what a trace is


def test_a_trace_holds_no_verdict_of_another_pair():
    sky, tell = FOUR_PAIRS[:2]
    with pytest.raises(ValueError, match="the verdict is on 'sky', not 'tell'"):
        Trace(tell, trace(sky).verdict)


def test_a_trace_holds_no_verdict_that_its_readings_do_not_make():
    good = trace(FOUR_PAIRS[0])
    with pytest.raises(ValueError, match="do not follow"):
        Trace(good.pair, replace(good.verdict, status=Status.INCONSISTENT))
    with pytest.raises(ValueError, match="do not follow"):
        Trace(good.pair, replace(good.verdict, p_a=0.1))
    with pytest.raises(ValueError, match="do not follow"):
        Trace(good.pair, replace(good.verdict, p_a=None))


def test_a_trace_has_both_orders():
    good = trace(FOUR_PAIRS[0])
    with pytest.raises(ValueError, match="no reading in order BA"):
        Trace(good.pair, replace(good.verdict, readings={Order.AB: SURE}))


# --- there and back


def test_traces_come_back_as_they_were_with_plans_scores_and_reasons(tmp_path):
    assert [path.name for path in write_traces(tmp_path, FOUR_TRACES)] == ["traces-00001.jsonl.gz"]
    assert read_traces(tmp_path) == FOUR_TRACES
    first = read_traces(tmp_path)[0].verdict.readings[Order.AB]
    assert first.steps == (PLAN, SOLVED)


def test_conversations_system_texts_references_and_unknown_columns_come_back(tmp_path):
    before = (Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "And now?"))
    pair = Pair(
        id="long",
        conversation_a=(*before, Message("assistant", "This")),
        conversation_b=(*before, Message("assistant", "That")),
        category="chat",
        reference="This",
        system="Be brief.",
        metadata={"rank": 2, "id": "theirs", "nested": {"a": [1, None]}},
    )
    write_traces(tmp_path, [trace(pair)])
    assert read_traces(tmp_path) == [trace(pair)]


def test_verdicts_without_probabilities_come_back(tmp_path):
    for verdicts in (longer_wins(FOUR_PAIRS), coin(FOUR_PAIRS)):
        traces = [Trace(pair, verdict) for pair, verdict in zip(FOUR_PAIRS, verdicts, strict=True)]
        write_traces(tmp_path, traces)
        assert read_traces(tmp_path) == traces


@given(
    st.lists(
        st.tuples(
            st.sampled_from(HOSTILE), st.sampled_from(HOSTILE), st.sampled_from([SURE, DOUBTING, MUTE])
        ),
        min_size=1,
        max_size=6,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_hostile_texts_come_back(tmp_path, drawn):
    traces = [
        trace(pair_of(one, other, id=f"p{n}"), replace(reading, raw=one))
        for n, (one, other, reading) in enumerate(drawn)
    ]
    write_traces(tmp_path, traces)
    assert read_traces(tmp_path) == traces


def test_half_a_character_in_a_reply_becomes_a_question_mark_and_loses_no_trace(tmp_path):
    write_traces(tmp_path, [trace(FOUR_PAIRS[0], replace(MUTE, raw="half \ud83d"))])
    [back] = read_traces(tmp_path)
    assert back.verdict.readings[Order.AB].raw == "half ?"


def test_equal_traces_give_equal_bytes(tmp_path):
    same = [trace(replace(one.pair, metadata={}), *one.verdict.readings.values()) for one in FOUR_TRACES]
    [one], [other] = write_traces(tmp_path / "one", FOUR_TRACES), write_traces(tmp_path / "other", same)
    assert one.read_bytes() == other.read_bytes()


def test_the_order_of_the_keys_of_metadata_changes_no_byte(tmp_path):
    [one] = write_traces(tmp_path / "one", [trace(pair_of(metadata={"x": 1, "y": 2}))])
    [other] = write_traces(tmp_path / "other", [trace(pair_of(metadata={"y": 2, "x": 1}))])
    assert one.read_bytes() == other.read_bytes()


def test_pandas_reads_a_shard_with_the_columns_a_person_looks_at(tmp_path):
    import pandas

    [shard] = write_traces(tmp_path, FOUR_TRACES)
    table = pandas.read_json(shard, lines=True)
    assert list(table.id) == ["sky", "tell", "sum", "empty"]
    assert list(table.prompt) == ["Is the sky blue?", "Tell me.", "2 + 2?", "Say something."]
    assert list(table.status) == ["consistent", "inconsistent", "unparsed", "consistent"]
    assert list(table.outcome.fillna("-")) == ["A", "TIE", "-", "A"]
    assert table.p_a.fillna(-1).tolist() == pytest.approx([0.8, 0.5, -1, 0.8])
    assert table.length_a.tolist() == [3, 13, 1, 0]
    assert table.length_b.tolist() == [13, 5, 1, 9]
    assert table.tokens_in.tolist() == [261, 260, 258, 261]
    assert table.tokens_out.tolist() == [17, 18, 14, 17]
    assert list(table.content) == [pair.content_hash for pair in FOUR_PAIRS]
    assert table.verdict[0]["orders"]["AB"]["steps"][1]["scores"] == [4.0, 2.0]
    assert table.pair[0]["conversation_a"][-1] == {"role": "assistant", "content": "yes"}


# --- shards


def test_shards_stay_below_their_limit_and_keep_the_order(tmp_path):
    paths = write_traces(tmp_path, UNLIKE, max_bytes=1500)
    assert len(paths) > 3
    assert [path.name for path in paths] == names_in(tmp_path)
    assert all(path.stat().st_size <= 1500 for path in paths)
    assert read_traces(tmp_path) == UNLIKE


def test_a_trace_larger_than_a_shard_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match=r"max_bytes=100: a shard with one trace takes \d+ bytes"):
        write_traces(tmp_path, FOUR_TRACES, max_bytes=100)
    assert names_in(tmp_path) == []


def test_shards_of_a_longer_run_and_leftovers_go_and_other_files_stay(tmp_path):
    assert len(write_traces(tmp_path, UNLIKE, max_bytes=1500)) > 1
    (tmp_path / ".traces-00009.jsonl.gz.0123abcd.part").write_text("half")
    (tmp_path / "notes.txt").write_text("mine")
    write_traces(tmp_path, FOUR_TRACES[:1])
    assert names_in(tmp_path) == ["notes.txt", "traces-00001.jsonl.gz"]
    assert read_traces(tmp_path) == FOUR_TRACES[:1]


@pytest.mark.parametrize("survived", range(9))
def test_a_run_that_dies_leaves_the_old_traces_or_a_folder_that_is_refused(tmp_path, monkeypatch, survived):
    old, new = UNLIKE[:3], UNLIKE[1:4]
    [alone] = write_traces(tmp_path, UNLIKE[:1])
    max_bytes = (
        alone.stat().st_size + 50
    )  # room for one trace only: three written, three removed, three renamed
    assert len(write_traces(tmp_path, old, max_bytes)) == 3
    left = iter(range(survived))

    def dies_in(step):
        def try_step(self, *rest, **named):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return step(self, *rest, **named)

        return try_step

    with monkeypatch.context() as patched:
        for name in ("write_bytes", "unlink", "replace"):
            patched.setattr(Path, name, dies_in(getattr(Path, name)))
        with pytest.raises(KeyboardInterrupt):
            write_traces(tmp_path, new, max_bytes)
    if survived <= 3:  # it died while writing aside, or before the first removal
        assert read_traces(tmp_path) == old
    else:
        with pytest.raises(InputError, match=r"traces-00001\.jsonl\.gz is missing|no traces found"):
            read_traces(tmp_path)
    write_traces(tmp_path, new, max_bytes)
    assert read_traces(tmp_path) == new


def test_no_traces_write_no_shard(tmp_path):
    write_traces(tmp_path, FOUR_TRACES)
    assert write_traces(tmp_path, []) == []
    with pytest.raises(InputError, match=r"no traces found. It must hold traces-00001.jsonl.gz"):
        read_traces(tmp_path)


def test_two_traces_of_one_pair_are_not_written(tmp_path):
    with pytest.raises(InputError, match="pair 'sky' has two traces"):
        write_traces(tmp_path, [FOUR_TRACES[0], FOUR_TRACES[0]])


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file: cannot be written \(File exists\)"):
        write_traces(tmp_path / "file", FOUR_TRACES)


# --- strict reading


def test_a_missing_shard_in_between_is_named(tmp_path):
    rows = good_rows(tmp_path)
    shard_of(tmp_path, rows[3], number=3)
    with pytest.raises(InputError, match=r"traces-00002.jsonl.gz is missing \(found: traces-00001"):
        read_traces(tmp_path)


def test_a_shard_that_was_cut_off_is_refused(tmp_path):
    [shard] = write_traces(tmp_path, FOUR_TRACES)
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(InputError, match="not a whole gzip file"):
        read_traces(tmp_path)


def test_every_bad_line_of_every_shard_is_named(tmp_path):
    sky, tell, other, empty = good_rows(tmp_path)
    without_pair = {name: value for name, value in other.items() if name != "pair"}
    shard_of(tmp_path, sky, "{", tell | {"extra": 1}, number=1)
    shard_of(tmp_path, without_pair, sky, empty, number=2)
    with pytest.raises(BadLines) as caught:
        read_traces(tmp_path)
    places = [problem.removeprefix(f"{tmp_path}/").partition(": ")[::2] for problem in caught.value.problems]
    assert [place for place, _ in places] == [
        "traces-00001.jsonl.gz:2",
        "traces-00001.jsonl.gz:3",
        "traces-00002.jsonl.gz:1",
        "traces-00002.jsonl.gz:2",
    ]
    not_json, unknown, missing, repeated = (text for _, text in places)
    assert "not JSON" in not_json
    assert "unknown key 'extra'" in unknown
    assert "a trace misses pair" in missing
    assert repeated.startswith("pair 'sky' is already in")


@pytest.mark.parametrize(
    ("column", "lie"),
    [
        ("id", "sea"),
        ("content", "0" * 64),
        ("category", "weather"),
        ("prompt", "Is the sea blue?"),
        ("length_a", 4),
        ("length_b", 0),
        ("status", "inconsistent"),
        ("outcome", "B"),
        ("p_a", 0.2),
        ("tokens_in", 1),
        ("tokens_out", 0),
    ],
)
def test_no_column_can_say_what_pair_and_verdict_do_not(tmp_path, column, lie):
    row = good_rows(tmp_path)[0]
    shard_of(tmp_path, row | {column: lie})
    with pytest.raises(BadLines, match=rf":1: {column} is .*Read back from pair and verdict it is"):
        read_traces(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row["pair"].update(id=""), "id is empty"),
        (lambda row: row["pair"].pop("id"), "pair has no id"),
        (lambda row: row.update(pair=[]), "pair is a list. It must be an object."),
        (lambda row: row["pair"].update(score=1), "pair is {"),
        (lambda row: row["pair"]["conversation_a"].pop(), "The last message must be the assistant's"),
        (lambda row: row["verdict"].update(pair_id="tell"), "the verdict is on 'tell', not 'sky'"),
        (lambda row: row["verdict"].update(outcome="B"), "outcome is 'B'. By its orders it must be 'A'"),
        (lambda row: row["verdict"]["orders"].pop("BA"), "orders misses BA"),
        (
            lambda row: row["verdict"]["orders"]["AB"].update(choice="SECOND"),
            "status is 'consistent'. By its",
        ),
        (lambda row: row["verdict"].update(p_a=0.9001), "do not follow from the readings"),
        (lambda row: row["verdict"]["orders"]["BA"].update(tokens_in=-1), "BA, tokens_in is -1"),
    ],
)
def test_a_pair_or_a_verdict_that_was_changed_is_refused(tmp_path, change, message):
    row = good_rows(tmp_path)[0]
    change(row)
    shard_of(tmp_path, row)
    with pytest.raises(BadLines, match=re.escape(message)):
        read_traces(tmp_path)
