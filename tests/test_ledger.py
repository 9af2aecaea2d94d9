"""The ledger keeps every reading exactly, through crashes, rivals and broken files; shards carry it on."""

from __future__ import annotations

import gzip
import hashlib
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from judge.backends import Completion
from judge.errors import BadLines, InputError, LedgerError
from judge.ledger.ledger import VERSION, Entry, ImportCounts, JudgeSummary, Ledger
from judge.ledger.shards import without_quotes
from judge.records import (
    Choice,
    Cut,
    Identity,
    Judgment,
    Order,
    Pair,
    Reading,
    Step,
    Unparsed,
    sha256_of_json,
)

NOON = datetime(2025, 1, 31, 12, 0, 0, tzinfo=UTC)
JUDGE = Identity(
    base_model="tiny",
    base_model_hash="0" * 64,
    adapter="none",
    adapter_hash="",
    method="direct",
    prompts="1" * 64,
    letters="AB",
    decoding="greedy",
    sample=0,
    backend="scripted",
    dtype="float32",
    overflow="trim",
    max_prompt_tokens=4096,
)
SLOW_JUDGE = replace(JUDGE, method="bsm")
FIRST = Judgment(Choice.FIRST, {Choice.FIRST: 0.1 + 0.2, Choice.SECOND: 1 - (0.1 + 0.2)}, "[[A]]", 812, 4)
SECOND = Judgment(Choice.SECOND, None, "[[B]]", 700, 4, is_trimmed=True)
SHORTENED = replace(SECOND, cut=Cut(700, 30_000))
UNREADABLE = Unparsed("no 'Verdict:' line", "I would rather not say.", 900, 6)


def content(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def entries(n: int, reading: Reading = FIRST, start: int = 0) -> list[Entry]:
    return [Entry(content(start + i // 2), (Order.AB, Order.BA)[i % 2], reading, 0.25) for i in range(n)]


def open_ledger(path: Path) -> Ledger:
    return Ledger(path, clock=lambda: NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with open_ledger(path) as opened:
        yield opened


def n_readings(path: Path) -> int:
    with Ledger(path) as ledger:
        return sum(judge.n_readings for judge in ledger.summary())


# What goes in comes out

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
COUNTS = st.integers(0, 2**63 - 1)
PROBABILITIES = st.none() | st.dictionaries(
    st.sampled_from(Choice), st.floats(allow_nan=False, allow_infinity=False)
)
JUDGMENTS = st.builds(Judgment, st.sampled_from(Choice), PROBABILITIES, TEXTS, COUNTS, COUNTS, st.booleans())
UNPARSED = st.builds(Unparsed, TEXTS, TEXTS, COUNTS, COUNTS, st.booleans())


def test_any_reading_comes_back_equal_and_its_probabilities_bit_by_bit(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        judge = ledger.register(JUDGE)
        numbers = iter(range(10**9))

        @given(JUDGMENTS | UNPARSED, st.sampled_from(Order))
        def check(reading: Reading, order: Order) -> None:
            key = content(next(numbers))
            ledger.record(judge, [Entry(key, order, reading, 0.5)])
            found = ledger.find(judge, [key])
            assert found == {(key, order): reading}
            assert bits(found[key, order]) == bits(reading)

        check()


def bits(reading: Reading) -> dict[Choice, bytes] | None:
    if isinstance(reading, Unparsed) or reading.probabilities is None:
        return None
    return {choice: struct.pack("d", value) for choice, value in reading.probabilities.items()}


@pytest.mark.parametrize(
    "raw", ["", "\0", "a\0b\0", "👩‍⚖️ 判決 \u2028", "\r\n\t", "\ufeff\uffff", "'; DROP TABLE readings; --"]
)
def test_a_hostile_raw_text_comes_back_as_it_was(ledger: Ledger, raw: str) -> None:
    judge = ledger.register(JUDGE)
    ledger.record(judge, [Entry(content(1), Order.AB, replace(UNREADABLE, raw=raw), 0.0)])
    assert ledger.find(judge, [content(1)]) == {(content(1), Order.AB): replace(UNREADABLE, raw=raw)}


@pytest.mark.parametrize("value", [0.1, -0.0, 5e-324, 1.7976931348623157e308, 1 / 3, 1.0])
def test_a_probability_keeps_its_sign_and_its_last_bit(ledger: Ledger, value: float) -> None:
    judge = ledger.register(JUDGE)
    reading = replace(FIRST, probabilities={Choice.TIE: value})
    ledger.record(judge, [Entry(content(1), Order.BA, reading, 0.0)])
    assert bits(ledger.find(judge, [content(1)])[content(1), Order.BA]) == bits(reading)


def test_the_key_of_a_real_pair_is_its_content_hash(ledger: Ledger) -> None:
    pair = Pair(id="1", conversation_a=(), conversation_b=())
    judge = ledger.register(JUDGE)
    ledger.record(judge, [Entry(pair.content_hash, Order.AB, SECOND, 0.1)])
    assert ledger.find(judge, [replace(pair, id="2").content_hash]) == {(pair.content_hash, Order.AB): SECOND}


def test_a_judge_finds_its_own_readings_and_only_those_asked_for(ledger: Ledger) -> None:
    fast, slow = ledger.register(JUDGE), ledger.register(SLOW_JUDGE)
    ledger.record(fast, [Entry(content(1), Order.AB, FIRST, 0.1), Entry(content(2), Order.AB, FIRST, 0.1)])
    ledger.record(slow, [Entry(content(1), Order.AB, SECOND, 9.0)])
    assert ledger.find(fast, [content(1), content(1), content(3)]) == {(content(1), Order.AB): FIRST}
    assert ledger.find(slow, [content(1), content(2)]) == {(content(1), Order.AB): SECOND}
    assert ledger.find(fast, []) == {}
    assert ledger.find("nobody#0", [content(1)]) == {}


@pytest.mark.slow
def test_a_hundred_thousand_contents_are_found_in_one_call(ledger: Ledger) -> None:
    judge = ledger.register(JUDGE)
    ledger.record(judge, entries(4_000))
    found = ledger.find(judge, (content(number) for number in range(100_000)))
    assert len(found) == 4_000
    assert all(reading == FIRST for reading in found.values())


def test_a_reading_recorded_twice_keeps_its_first_answer(ledger: Ledger) -> None:
    judge = ledger.register(JUDGE)
    ledger.record(judge, [Entry(content(1), Order.AB, FIRST, 0.1)])
    ledger.record(judge, [Entry(content(1), Order.AB, SECOND, 0.2), Entry(content(1), Order.BA, SECOND, 0.2)])
    expected = {(content(1), Order.AB): FIRST, (content(1), Order.BA): SECOND}
    assert ledger.find(judge, [content(1)]) == expected


def test_a_batch_with_one_impossible_entry_is_not_recorded_at_all(ledger: Ledger) -> None:
    judge = ledger.register(JUDGE)
    half_an_emoji = replace(UNREADABLE, raw="\ud83d")
    with pytest.raises(UnicodeEncodeError):
        ledger.record(judge, [*entries(4), Entry(content(9), Order.AB, half_an_emoji, 0.1)])
    not_a_number = replace(FIRST, probabilities={Choice.FIRST: float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        ledger.record(judge, [*entries(4), Entry(content(9), Order.AB, not_a_number, 0.1)])
    with pytest.raises(sqlite3.IntegrityError):
        ledger.record(judge, [*entries(4), Entry(content(9), "CD", FIRST, 0.1)])  # type: ignore[arg-type]
    assert ledger.summary()[0].n_readings == 0
    ledger.record(judge, entries(4))
    assert ledger.summary()[0].n_readings == 4


def test_a_judge_must_be_registered_before_it_records(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="no judge nobody#0 is registered"):
        ledger.record("nobody#0", entries(1))


def test_every_field_of_a_registered_identity_comes_back(ledger: Ledger) -> None:
    assert ledger.register(JUDGE) == ledger.register(JUDGE) == JUDGE.fingerprint
    ledger.register(SLOW_JUDGE)
    assert ledger.identities() == {JUDGE.fingerprint: JUDGE, SLOW_JUDGE.fingerprint: SLOW_JUDGE}


def test_the_summary_counts_by_judge(path: Path) -> None:
    times = iter([NOON, NOON.astimezone(timezone(timedelta(hours=9))) + timedelta(minutes=1)])
    with Ledger(path, clock=lambda: next(times)) as ledger:
        slow = ledger.register(SLOW_JUDGE)
        fast = ledger.register(JUDGE)
        ledger.record(
            fast, [Entry(content(1), Order.AB, FIRST, 0.5), Entry(content(1), Order.BA, SECOND, 0.25)]
        )
        ledger.record(fast, [Entry(content(2), Order.AB, UNREADABLE, 2.0)])
        assert ledger.summary() == [
            JudgeSummary(slow, 0, 0, 0, 0, 0.0, None, None),
            JudgeSummary(
                fast,
                3,
                1,
                812 + 700 + 900,
                14,
                2.75,
                "2025-01-31T12:00:00+00:00",
                "2025-01-31T12:01:00+00:00",
            ),
        ]


# Crashes and rivals


def test_sums_of_tokens_that_no_whole_number_holds_are_summed_up_all_the_same(ledger: Ledger) -> None:
    judge = ledger.register(JUDGE)
    ledger.record(judge, entries(2, replace(FIRST, tokens_in=2**63 - 1, tokens_out=4)))
    [told] = ledger.summary()
    assert told.tokens_in >= 2**63 - 1
    assert told.tokens_out == 8


def test_the_readings_are_there_after_closing_and_in_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet" / "ledger.sqlite"
    with open_ledger(path) as ledger:
        judge = ledger.register(JUDGE)
        ledger.record(judge, entries(2))
        ledger.close()
    with open_ledger(path) as ledger:
        assert len(ledger.find(judge, [content(0)])) == 2


def test_threads_share_one_ledger(ledger: Ledger) -> None:
    judge = ledger.register(JUDGE)

    def write(number: int) -> None:
        for batch in range(10):
            ledger.record(judge, entries(2, start=100 * number + batch))
            assert len(ledger.find(judge, [content(100 * number + batch)])) == 2

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.summary()[0].n_readings == 80


def run_apart(*calls: tuple[Callable[..., None], tuple[Any, ...]]) -> list[int | None]:
    """Exit codes of the calls, each in a new process, all at once."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=function, args=arguments) for function, arguments in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


def write_batches(path: Path, start: int) -> None:
    with open_ledger(path) as ledger:
        judge = ledger.register(JUDGE)
        for batch in range(50):
            ledger.record(judge, entries(4, start=start + 2 * batch))


@pytest.mark.slow
def test_two_processes_write_at_once_from_the_first_moment_on(path: Path) -> None:
    assert run_apart((write_batches, (path, 0)), (write_batches, (path, 50))) == [0, 0]
    assert n_readings(path) == 300  # pairs 0-99 and 50-149, in both orders: half of each is shared


class Deadly(list[Entry]):
    """A batch in whose middle the process is killed."""

    def __iter__(self) -> Iterator[Entry]:
        yield from super().__iter__()
        os.kill(os.getpid(), signal.SIGKILL)


def record_and_die(path: Path) -> None:
    ledger = open_ledger(path)
    judge = ledger.register(JUDGE)
    ledger.record(judge, entries(10))
    # More than SQLite's cache holds, so that a part of the batch is in the log already.
    ledger.record(judge, Deadly(entries(4000, replace(UNREADABLE, raw="x" * 2000), start=1000)))


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_process_loses_its_open_batch_and_nothing_else(path: Path) -> None:
    assert run_apart((record_and_die, (path,))) == [-signal.SIGKILL]
    assert Path(f"{path}-wal").stat().st_size > 2_000_000
    assert n_readings(path) == 10
    with open_ledger(path) as ledger:
        ledger.record(JUDGE.fingerprint, entries(10, start=1000))
    assert n_readings(path) == 20


def fill_the_disk(path: Path) -> None:
    import resource

    ledger = open_ledger(path)
    judge = ledger.register(JUDGE)
    ledger.record(judge, entries(10))
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    with pytest.raises(LedgerError, match=r"ledger\.sqlite: (disk I/O error|database or disk is full)"):
        ledger.record(judge, entries(2000, start=1000))
    assert ledger.summary()[0].n_readings == 10


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits")
def test_a_full_disk_is_one_line_and_costs_only_its_batch(path: Path) -> None:
    assert run_apart((fill_the_disk, (path,))) == [0]
    assert n_readings(path) == 10


def test_a_rival_that_never_ends_its_transaction_is_one_line(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("judge.ledger.ledger.BUSY_S", 0.05)
    filled(path)
    rival = sqlite3.connect(path, isolation_level=None)
    rival.execute("BEGIN IMMEDIATE")
    with open_ledger(path) as ledger:
        with pytest.raises(LedgerError, match=r"ledger\.sqlite: database is locked$"):
            ledger.record(JUDGE.fingerprint, entries(2, start=10**6))
        assert len(ledger.find(JUDGE.fingerprint, [content(1)])) == 2
    rival.close()


def test_a_ledger_below_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for below in ("ledger.sqlite", "deeper/ledger.sqlite"):
        with pytest.raises(LedgerError) as caught:
            Ledger(tmp_path / "notes.txt" / below)
        found = f"{tmp_path / 'notes.txt'} is no folder. Name a file in a folder."
        assert str(caught.value) == f"{tmp_path / 'notes.txt' / below}: {found}"
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_or_a_device_is_refused_and_gets_no_lock_file(path: Path) -> None:
    os.mkfifo(path)
    for odd in (path, Path(os.devnull)):
        with pytest.raises(LedgerError) as caught:
            Ledger(odd)
        assert str(caught.value) == f"{odd}: a device or a pipe, and no ledger. Name a file."
        assert not Path(f"{odd}.lock").exists()


def test_a_link_into_a_missing_folder_is_refused_and_one_to_a_new_file_is_a_ledger(path: Path) -> None:
    path.symlink_to("none/l.sqlite")
    target = path.parent / "none" / "l.sqlite"
    with pytest.raises(LedgerError) as caught:
        Ledger(path)
    assert str(caught.value) == (
        f"{path}: a link to {target}, whose folder is missing. Make it, or name a file."
    )
    assert list(path.parent.iterdir()) == [path]
    target.parent.mkdir()
    filled(path)
    assert n_readings(target) == 2000


def test_a_ledger_in_the_home_folder_and_one_of_any_name_keep_their_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("~/l.sqlite", ":memory:"):
        filled(Path(name))
        assert n_readings(Path(name)) == 2000
    assert (tmp_path / "l.sqlite").is_file()
    assert not (tmp_path / "~").exists()


def test_a_lock_that_another_process_holds_is_one_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judge.ledger.ledger.BUSY_S", 0.05)
    with FileLock(f"{path}.lock"), pytest.raises(LedgerError) as caught:
        Ledger(path)
    assert str(caught.value) == f"{path}: another process has been opening it for 0.05 s. Try again."


def test_a_lock_file_that_cannot_be_written_is_named(path: Path) -> None:
    filled(path)
    Path(f"{path}.lock").unlink(missing_ok=True)
    Path(f"{path}.lock").mkdir()
    with pytest.raises(LedgerError) as caught:
        Ledger(path)
    assert str(caught.value) == (
        f"{path}: its lock file ledger.sqlite.lock cannot be written (Is a directory). Copy the ledger to a "
        "folder that can be written, or name another file."
    )


def test_a_folder_in_the_ledgers_place_is_refused_and_stays(path: Path) -> None:
    path.mkdir()
    with pytest.raises(LedgerError, match=r"ledger\.sqlite: a folder, and no ledger\. Name a file in it\."):
        Ledger(path)
    assert path.is_dir()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(LedgerError, match="Permission denied"):
        Ledger(tmp_path / "ledger.sqlite")
    tmp_path.chmod(0o700)


# Broken files


def assert_set_aside(path: Path, number: int = 1) -> None:
    """Opening the file names it, moves it unchanged, and the next opening starts a new ledger."""
    before = path.read_bytes()
    with pytest.raises(LedgerError) as caught:
        Ledger(path)
    aside = Path(f"{path}.corrupt-{number}")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    assert f"set aside as {aside.name}. Run again" in message
    assert "judge ledger import" in message
    assert not path.exists()
    assert aside.read_bytes() == before
    with open_ledger(path) as ledger:
        assert ledger.summary() == []


def filled(path: Path) -> None:
    with open_ledger(path) as ledger:
        ledger.record(ledger.register(JUDGE), entries(2000))


def assert_left_alone(path: Path, what: str) -> None:
    """Opening the file is one line that says what it is, and nothing beside it or in it changes."""
    before, beside = path.read_bytes(), sorted(path.parent.iterdir())
    with pytest.raises(LedgerError) as caught:
        Ledger(path)
    assert str(caught.value) == (
        f"{path}: {what}, and no ledger. It was left as it is: name another file, or move this one away."
    )
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == beside


@pytest.mark.parametrize("size", [2, 10, 511, 512, 5000, 100_000])
def test_random_bytes_are_left_alone(path: Path, size: int) -> None:
    path.write_bytes(random.Random(size).randbytes(size))
    assert_left_alone(path, "not an SQLite file")


def test_a_text_file_is_left_alone(path: Path) -> None:
    path.write_text('{"id": "p1"}\n' * 100)
    assert_left_alone(path, "not an SQLite file")


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("owner", [0, 77])
def test_another_programs_sqlite_file_is_left_alone(path: Path, mode: str, owner: int) -> None:
    sql(path, f"PRAGMA journal_mode = {mode}", f"PRAGMA application_id = {owner}")
    sql(path, "CREATE TABLE judges (id INTEGER PRIMARY KEY, name TEXT)")
    assert_left_alone(path, "an SQLite file of another program")


def test_another_programs_open_database_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("PRAGMA journal_mode = WAL")
        theirs.execute("CREATE TABLE songs (name TEXT)")  # in the log alone, not yet in the file
        with pytest.raises(LedgerError, match="an SQLite file of another program, and no ledger"):
            Ledger(path)
        assert theirs.execute("SELECT name FROM sqlite_master").fetchall() == [("songs",)]
    assert not list(path.parent.glob("*corrupt*"))


def damaged(path: Path) -> None:
    """A ledger that ends in the middle of a table."""
    filled(path)
    path.write_bytes(path.read_bytes()[: 4096 * 7])


def test_a_ledger_with_flipped_pages_is_set_aside(path: Path) -> None:
    filled(path)
    data = bytearray(path.read_bytes())
    for start in range(5 * 4096, 40 * 4096, 7 * 4096):
        data[start : start + 4096] = bytes(255 - byte for byte in data[start : start + 4096])
    path.write_bytes(data)
    assert_set_aside(path)


@pytest.mark.parametrize("kept", [4096, 4096 * 7, 4096 * 7 + 100])
def test_a_ledger_cut_short_is_set_aside(path: Path, kept: int) -> None:
    filled(path)
    path.write_bytes(path.read_bytes()[:kept])
    assert_set_aside(path)


def test_a_ledger_without_one_of_its_tables_is_set_aside(path: Path) -> None:
    filled(path)
    sql(path, "DROP TABLE readings")
    assert_set_aside(path)


def test_a_second_broken_file_gets_the_next_number_and_takes_its_side_files_along(path: Path) -> None:
    damaged(path)
    first = path.read_bytes()
    assert_set_aside(path, 1)
    path.write_bytes(first)
    Path(f"{path}-wal").write_text("a log")
    assert_set_aside(path, 2)
    assert Path(f"{path}.corrupt-1").read_bytes() == first
    assert Path(f"{path}.corrupt-2-wal").read_text() == "a log"


def test_a_number_is_not_free_while_a_side_file_has_it(path: Path) -> None:
    Path(f"{path}.corrupt-1-wal").write_text("kept")
    damaged(path)
    assert_set_aside(path, 2)
    assert Path(f"{path}.corrupt-1-wal").read_text() == "kept"


@pytest.mark.slow
def test_processes_that_meet_a_broken_file_set_aside_only_that_one(path: Path) -> None:
    damaged(path)
    size = path.stat().st_size
    assert set(run_apart((write_batches, (path, 0)), (write_batches, (path, 50)))) == {0, 1}
    assert Path(f"{path}.corrupt-1").stat().st_size == size
    assert not Path(f"{path}.corrupt-2").exists()
    assert n_readings(path) == 200


def test_an_empty_file_becomes_a_ledger(path: Path) -> None:
    path.touch()
    filled(path)
    assert n_readings(path) == 2000


def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    filled(path)
    sql(path, f"PRAGMA user_version = {VERSION + 1}", "DROP TABLE readings", "CREATE TABLE verdicts (x)")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=rf"version {VERSION + 1}, .*upgrade") as caught:
        Ledger(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*corrupt*"))


def test_a_table_of_the_users_own_does_no_harm(path: Path) -> None:
    filled(path)
    sql(path, "CREATE TABLE notes (x)", "CREATE VIEW mine AS SELECT * FROM readings", "ANALYZE")
    assert n_readings(path) == 2000


def test_damage_that_is_met_later_is_one_line_that_says_to_run_again(path: Path) -> None:
    filled(path)
    with open_ledger(path) as ledger:
        sql(path, "UPDATE judges SET id = id")  # what the open ledger has in its cache no longer counts
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xa5" * (len(data) - 4096)
        path.write_bytes(data)
        for act in (
            lambda: ledger.find(JUDGE.fingerprint, [content(1)]),
            lambda: ledger.record(JUDGE.fingerprint, entries(1, start=10**6)),
            ledger.summary,
        ):
            with pytest.raises(LedgerError, match=r"malformed\. Run again") as caught:
                act()
            assert "\n" not in str(caught.value)
            assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)
    assert_set_aside(path)


@pytest.mark.parametrize("damage", ["probabilities = '{\"FIRST\": 0.5'", "raw = CAST(x'ff41' AS TEXT)"])
def test_a_damaged_value_is_one_line_too(path: Path, damage: str) -> None:
    filled(path)
    sql(path, f"UPDATE readings SET {damage}")
    with open_ledger(path) as ledger, pytest.raises(LedgerError, match=r"ledger\.sqlite: "):
        ledger.find(JUDGE.fingerprint, [content(1)])


def sql(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()


# Shards


def lines_in(shard: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(shard.read_bytes()).decode().split("\n")[:-1]]


def shard_of(path: Path, *lines: Any) -> Path:
    """A shard with these lines; text goes in as it is, anything else as JSON."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_bytes(gzip.compress("".join(f"{text}\n" for text in texts).encode()))
    return path


@pytest.fixture
def shard(ledger: Ledger, tmp_path: Path) -> Path:
    """Three readings: one with a short reply, one without probabilities, one unreadable with a long reply."""
    judge = ledger.register(JUDGE)
    ledger.record(judge, [Entry(content(1), Order.BA, SECOND, 0.5), Entry(content(1), Order.AB, FIRST, 0.5)])
    ledger.record(judge, [Entry(content(2), Order.AB, UNREADABLE, 1.5)])
    (written,) = ledger.export(tmp_path / "shards")
    return written


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "other.sqlite") as opened:
        yield opened


def test_a_shard_names_its_judge_first_and_then_has_a_line_a_reading(shard: Path) -> None:
    assert shard.name == f"ledger-{JUDGE.fingerprint[-16:]}-0001.jsonl.gz"
    header, *lines = lines_in(shard)
    assert header["schema"] == "four-token-judge/ledger"
    assert header["version"] == 1
    assert Identity(**header["identity"]) == JUDGE
    assert header["fingerprint"] == JUDGE.fingerprint
    assert lines == sorted(lines, key=lambda line: (line["content"], line["order"]))
    by_key = {(line["content"], line["order"]): line for line in lines}
    assert by_key[content(1), "AB"] == {
        "content": content(1),
        "order": "AB",
        "choice": "FIRST",
        "reason": None,
        "probabilities": {"FIRST": 0.1 + 0.2, "SECOND": 1 - (0.1 + 0.2)},
        "raw": "[[A]]",
        "tokens_in": 812,
        "tokens_out": 4,
        "is_trimmed": False,
        "elapsed_s": 0.5,
        "recorded_at": "2025-01-31T12:00:00+00:00",
    }
    assert by_key[content(2), "AB"]["reason"] == UNREADABLE.reason
    assert by_key[content(2), "AB"]["raw"] is None


def test_a_shard_has_no_words_that_a_reason_quotes() -> None:
    quoting = "the model refuses: my password is SECRET", "the server refuses the prompt (SECRET)"
    for reason in (*quoting, "verdict [[SECRET words]] is not one of A, B"):
        assert "SECRET" not in (without_quotes(reason) or "")
    for reason in ("no majority: 1 FIRST, 1 SECOND", "no verdict such as [[A]] in the reply", None):
        assert without_quotes(reason) == reason


def test_an_imported_reading_is_the_same_but_for_a_long_raw_text(shard: Path, other: Ledger) -> None:
    assert other.load([shard]) == ImportCounts(added=3, known=0, differing=0)
    assert other.identities() == {JUDGE.fingerprint: JUDGE}
    assert other.find(JUDGE.fingerprint, [content(1), content(2)]) == {
        (content(1), Order.AB): FIRST,
        (content(1), Order.BA): SECOND,
        (content(2), Order.AB): replace(UNREADABLE, raw=""),
    }


def test_export_import_export_gives_the_same_bytes(ledger: Ledger, other: Ledger, tmp_path: Path) -> None:
    for identity in (JUDGE, SLOW_JUDGE):
        judge = ledger.register(identity)
        for reading, start in (
            (FIRST, 0),
            (SECOND, 500),
            (UNREADABLE, 1000),
            (Unparsed("é\u2028\0", "👍"), 2000),
        ):
            ledger.record(judge, entries(300, reading, start))
    once = ledger.export(tmp_path / "once", max_bytes=20_000)
    other.load(reversed(once))
    again = other.export(tmp_path / "again", max_bytes=20_000)
    assert [path.name for path in once] == [path.name for path in again]
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]
    assert other.load(once) == ImportCounts(added=0, known=2400, differing=0)
    assert sorted(tmp_path.glob("once/*")) == sorted(once)


def test_shards_keep_below_the_size_and_together_hold_every_reading(ledger: Ledger, tmp_path: Path) -> None:
    ledger.record(ledger.register(JUDGE), entries(2000))
    shards = ledger.export(tmp_path, max_bytes=10_000)
    assert len(shards) > 2
    assert all(shard.stat().st_size <= 10_000 for shard in shards)
    assert [int(shard.name.split("-")[2][:4]) for shard in shards] == list(range(1, len(shards) + 1))
    assert sum(len(lines_in(shard)) - 1 for shard in shards) == 2000


def test_shards_of_an_export_before_are_gone_where_there_are_fewer_now(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.record(ledger.register(JUDGE), entries(200))
    before = ledger.export(tmp_path / "shards", max_bytes=2_000)
    now = ledger.export(tmp_path / "shards")
    assert len(before) > len(now) == 1
    assert list((tmp_path / "shards").iterdir()) == now


def test_a_size_below_one_reading_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    ledger.record(ledger.register(JUDGE), entries(2))
    with pytest.raises(InputError, match="max_bytes=100: a shard with one reading takes"):
        ledger.export(tmp_path / "shards", max_bytes=100)
    assert not (tmp_path / "shards").exists()


def test_export_takes_the_judges_it_is_given(ledger: Ledger, tmp_path: Path) -> None:
    for identity in (JUDGE, SLOW_JUDGE):
        ledger.record(ledger.register(identity), entries(2))
    (only,) = ledger.export(tmp_path, [SLOW_JUDGE.fingerprint])
    assert lines_in(only)[0]["fingerprint"] == SLOW_JUDGE.fingerprint
    with pytest.raises(InputError, match=r"no judge nobody#0 \(found: tiny\+none/bsm@scripted#"):
        ledger.export(tmp_path, ["nobody#0"])


def test_a_judge_without_readings_has_no_shard(ledger: Ledger, tmp_path: Path) -> None:
    ledger.register(JUDGE)
    assert ledger.export(tmp_path / "shards") == []


def test_an_export_onto_a_file_is_refused_in_one_line(ledger: Ledger, tmp_path: Path) -> None:
    ledger.record(ledger.register(JUDGE), entries(2))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file.*cannot be written \(File exists\)"):
        ledger.export(tmp_path / "file")


def test_an_import_keeps_what_is_there_and_counts_what_differs(shard: Path, other: Ledger) -> None:
    judge = other.register(JUDGE)
    mine: dict[tuple[str, Order], Reading] = {
        (content(1), Order.AB): FIRST,
        (content(1), Order.BA): FIRST,
        (content(2), Order.AB): UNREADABLE,
    }
    other.record(judge, [Entry(key, order, reading, 7.0) for (key, order), reading in mine.items()])
    assert other.load([shard]) == ImportCounts(added=0, known=2, differing=1)
    assert other.find(judge, [content(1), content(2)]) == mine


def test_an_imported_reading_takes_the_place_of_one_that_could_not_be_read(
    shard: Path, other: Ledger
) -> None:
    judge = other.register(JUDGE)
    mine = {(content(1), Order.AB): UNREADABLE, (content(2), Order.AB): FIRST}
    other.record(judge, [Entry(key, order, reading, 7.0) for (key, order), reading in mine.items()])
    assert other.load([shard]) == ImportCounts(added=2, known=0, differing=1)
    found = other.find(judge, [content(1), content(2)])
    assert (found[content(1), Order.AB], found[content(2), Order.AB]) == (FIRST, FIRST)


def test_an_import_reports_every_bad_line_of_every_shard_and_imports_nothing(
    shard: Path, other: Ledger, tmp_path: Path
) -> None:
    header, good, *_ = lines_in(shard)
    one = shard_of(
        tmp_path / "one.gz",
        header,
        good,
        "{",
        good | {"order": "CD", "tokens_in": -1},
        {"content": content(1)},
        good | {"choice": None},
        "",
        good,
    )
    two = shard_of(tmp_path / "two.gz", header | {"fingerprint": "tiny#0"}, good)
    with pytest.raises(BadLines) as caught:
        other.load([shard, one, two, tmp_path / "missing.gz"])
    assert [problem.removeprefix(f"{tmp_path}{os.sep}") for problem in caught.value.problems] == [
        "one.gz:3: not JSON (Expecting property name enclosed in double quotes at character 2).",
        "one.gz:4: order: must be AB or BA (found: 'CD'); "
        "tokens_in: must be a whole number from 0 to 1099511627776 (found: -1)",
        f"one.gz:5: {MISSING}",
        "one.gz:6: a reading has either a choice or a reason, the other is null",
        "one.gz:7: not JSON (Expecting value at character 1).",
        f"two.gz:1: fingerprint: must be '{JUDGE.fingerprint}', by the identity (found: 'tiny#0')",
        "missing.gz: No such file or directory. A shard is a whole gzip file of UTF-8 text.",
    ]
    assert other.summary() == []


MISSING = (
    "order: missing, must be AB or BA; choice: missing, must be FIRST, SECOND, TIE or null; "
    "reason: missing, must be text or null; "
    "probabilities: missing, must be choices with numbers from 0 to 1, or null; "
    "raw: missing, must be text or null; tokens_in: missing, must be a whole number from 0 to 1099511627776; "
    "tokens_out: missing, must be a whole number from 0 to 1099511627776; "
    "is_trimmed: missing, must be true or false; "
    "elapsed_s: missing, must be a number from 0; "
    "recorded_at: missing, must be a time in UTC such as 2025-01-31T12:00:00+00:00"
)
SHARED = {"name": "branch", "tokens_in": 9, "tokens_out": 8, "shared": "ab", "elapsed_s": 2.5}

STEP = {"name": "Clarity", "raw": "A: 4", "tokens_in": 5, "tokens_out": 3, "scores": [4, 2], "shared": ""}


def test_lines_that_no_export_writes_are_all_refused(shard: Path, other: Ledger) -> None:
    header, good, *_ = lines_in(shard)
    wrong: list[dict[str, Any]] = [
        {"content": "../../etc"},
        {"content": None},
        {"order": ["AB"]},
        {"choice": "A"},
        {"choice": {}},
        {"choice": None},
        {"choice": None, "reason": "no line", "probabilities": {"FIRST": 1}},
        {"reason": 1},
        {"reason": "no line"},
        {"probabilities": {"A": 0.5}},
        {"probabilities": {"FIRST": 1.5}},
        {"probabilities": {"FIRST": float("nan")}},
        {"probabilities": {"FIRST": True}},
        {"probabilities": [0.5, 0.5]},
        {"raw": "\ud83d"},
        {"tokens_in": 1.0},
        {"tokens_in": True},
        {"tokens_out": 2**40 + 1},
        {"is_trimmed": 0},
        {"elapsed_s": float("inf")},
        {"elapsed_s": 10**400},
        {"elapsed_s": -1},
        {"recorded_at": "2025-01-31 12:00"},
        {"recorded_at": "2025-01-31T14:00:00+02:00"},
        {"recorded_at": "yesterday"},
        {"recorded_at": "0001-01-01T00:00:00+02:00"},
        {"more": 1},
        {"steps": None},
        {"steps": [1]},
        {"steps": [STEP | {"scores": [0, 2]}]},
        {"steps": [STEP | {"more": 1}]},
        {"steps": [STEP | {"raw": None}]},
        {"cut": [700, 30_000]},
        {"cut": {"read": 700}},
        {"cut": {"read": -1, "whole": 2}},
        {"shared": {}},
        {"shared": [1]},
        {"shared": [SHARED | {"elapsed_s": -1}]},
        {"shared": [SHARED | {"shared": ""}]},
        {"shared": [SHARED | {"raw": "a text"}]},
    ]
    with pytest.raises(BadLines) as caught:
        other.load([shard_of(shard, header, *(good | change for change in wrong))])
    places = [problem.split(": ")[0] for problem in caught.value.problems]
    assert places == [f"{shard}:{number}" for number in range(2, len(wrong) + 2)]


def test_readings_that_contradict_themselves_are_refused_in_the_words_of_verdict_files(
    shard: Path, other: Ledger
) -> None:
    header, good, *_ = lines_in(shard)
    twice = json.dumps(good).replace('"order":', '"order": "AB", "order":')
    wrong: list[tuple[Any, str]] = [
        (
            {"probabilities": {"FIRST": 0.7}},
            "probabilities misses SECOND (found: FIRST). It must have FIRST, SECOND.",
        ),
        (
            {"probabilities": {}},
            "probabilities misses FIRST, SECOND (found: nothing). It must have FIRST, SECOND.",
        ),
        (
            {"probabilities": {"TIE": 1}},
            "probabilities misses FIRST, SECOND (found: TIE). It must have FIRST, SECOND, TIE.",
        ),
        ({"probabilities": {"FIRST": 0.9, "SECOND": 0.9}}, "probabilities sum to 1.8. They must sum to 1."),
        (
            {"cut": {"read": 5, "whole": 1}, "is_trimmed": True},
            "cut is 5 of 1. What was read must be less than the whole.",
        ),
        (
            {"cut": {"read": 1, "whole": 5}},
            "cut is there, and nothing was trimmed. Only what was trimmed has a cut.",
        ),
        (twice, "the key 'order' is there twice. Every key may be there only once."),
        ([good], "the line is a list. Every line must be one JSON object."),
    ]
    lines = [good | change if isinstance(change, dict) else change for change, _ in wrong]
    with pytest.raises(BadLines) as caught:
        other.load([shard_of(shard, header, *lines)])
    said = [f"{shard}:{number}: {words}" for number, (_, words) in enumerate(wrong, start=2)]
    assert list(caught.value.problems) == said


def test_one_reading_in_two_lines_of_a_shard_must_say_the_same(shard: Path, other: Ledger) -> None:
    header, *good = lines_in(shard)
    other.load([shard_of(shard, header, *good, good[0])])
    twice = shard_of(shard, header, *good, good[0] | {"tokens_in": 3})
    words = rf"^{shard}:5: line 2 has this content and order, and another reading\. Keep one of them\.$"
    with pytest.raises(BadLines, match=words):
        other.load([twice])


def test_a_header_that_is_not_ours_is_one_line(shard: Path, other: Ledger, tmp_path: Path) -> None:
    header, good, *_ = lines_in(shard)
    first, other_sample = header["identity"], replace(JUDGE, sample=1).fingerprint
    odd = replace(JUDGE, sample=[0])  # type: ignore[arg-type]
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("schema: must be 'four-token-judge/ledger'", {"schema": "pairs"}),
        ("version: must be 1", {"version": 2}),
        (f"fingerprint: must be '{JUDGE.fingerprint}', by the identity", {"fingerprint": None}),
        (f"fingerprint: must be '{other_sample}', by the identity", {"identity": first | {"sample": 1}}),
        (f"identity: must be a block with the keys {', '.join(first)}", {"identity": None}),
        (
            "; ".join(f"identity.{name}: missing" for name in list(first)[1:]),
            {"identity": {"base_model": "tiny"}},
        ),
        (
            "identity.sample: Input should be a valid integer",
            {"identity": first | {"sample": [0]}, "fingerprint": odd.fingerprint},
        ),
        (
            f"identity.more: no such key. The keys here are {', '.join(first)}.",
            {"identity": first | {"more": "x"}},
        ),
    ]
    shards = [shard_of(tmp_path / f"{i}.gz", header | change, good) for i, (_, change) in enumerate(wrong)]
    with pytest.raises(BadLines) as caught:
        other.load(shards)
    starts = [problem.split(" (found: ")[0] for problem in caught.value.problems]
    assert starts == [f"{shard}:1: {said}" for shard, (said, _) in zip(shards, wrong, strict=True)]


def test_truncated_and_foreign_files_are_one_clear_line_each(
    shard: Path, other: Ledger, tmp_path: Path
) -> None:
    data = shard.read_bytes()
    damaged = {
        "half.gz": data[: len(data) // 2],
        "less-a-byte.gz": data[:-1],
        "flipped.gz": data[:40] + bytes([data[40] ^ 255]) + data[41:],
        "unpacked.gz": gzip.decompress(data),
        "foreign.gz": b"PK\x03\x04 a foreign file",
        "empty.gz": b"",
        "not-utf-8.gz": gzip.compress(b"\xff\xfe"),
        "csv.gz": gzip.compress(b"id,prompt\n1,Hello\n"),
        "deep.gz": gzip.compress(b"[" * 100_000),
    }
    for name, found in damaged.items():
        (tmp_path / name).write_bytes(found)
    with pytest.raises(BadLines) as caught:
        other.load([shard, *(tmp_path / name for name in damaged)])
    problems = caught.value.problems
    assert [problem.split(":")[0] for problem in problems] == [str(tmp_path / name) for name in damaged]
    assert not any("\n" in problem for problem in problems)
    assert other.summary() == []


# Steps and shared replies


def with_steps(reading: Judgment) -> Judgment:
    steps = (
        Step("branch", "1. Clarity: \u2026", 9, 8, shared="ab"),
        Step("Clarity", "Score A: 4", 5, 3, (4.0, 2.5)),
    )
    return replace(reading, steps=steps)


def test_steps_come_back_as_they_were_and_of_shared_ones_the_cost_goes_into_shards(
    path: Path, tmp_path: Path
) -> None:
    reading = with_steps(Judgment(Choice.FIRST, None, "4.00 : 2.50", 14, 11))
    with Ledger(path) as ledger:
        fingerprint = ledger.register(JUDGE)
        ledger.record(fingerprint, [Entry(content(0), Order.AB, reading, 1.0)])
        assert ledger.find(fingerprint, [content(0)]) == {(content(0), Order.AB): reading}
        ledger.record_replies({"ab": Completion("1. Clarity", 9, 8, is_ended=True)}, 2.5)
        shards = ledger.export(tmp_path / "shards")
    assert b"Clarity" not in gzip.decompress(shards[0].read_bytes())
    assert lines_in(shards[0])[1]["shared"] == [
        {"name": "branch", "tokens_in": 9, "tokens_out": 8, "shared": "ab", "elapsed_s": 2.5}
    ]
    without_text = (Step("branch", "", 9, 8, shared="ab"),)
    with Ledger(tmp_path / "other.sqlite") as other:
        other.load(shards)
        assert other.find(fingerprint, [content(0)])[content(0), Order.AB] == replace(
            reading, steps=without_text
        )
        assert other.elapsed(fingerprint, [content(0)], ["ab"]) == 1.0 + 2.5
        [again] = other.export(tmp_path / "again")
    assert again.read_bytes() == shards[0].read_bytes()
    with Ledger(path) as ledger:
        assert ledger.load(shards) == ImportCounts(0, 1, 0)
        assert ledger.find(fingerprint, [content(0)]) == {(content(0), Order.AB): reading}


def test_steps_go_into_shards_with_their_words_where_they_are_asked_for(path: Path, tmp_path: Path) -> None:
    half = Step("Tone", "half a character: \ud83d", 5, 3, (1.0, 2.0), weight=2.0)
    whole = with_steps(Judgment(Choice.FIRST, None, "4.00 : 2.50", 14, 11))
    reading = replace(whole, steps=(*whole.steps, half))
    kept = replace(reading, steps=(*whole.steps, replace(half, raw="half a character: ?")))
    with Ledger(path) as ledger:
        fingerprint = ledger.register(JUDGE)
        ledger.record(fingerprint, [Entry(content(0), Order.AB, reading, 1.0)])
        ledger.record(fingerprint, [Entry(content(0), Order.BA, FIRST, 1.0)])
        ledger.record_replies({"ab": Completion("1. Clarity", 9, 8, is_ended=True)}, 2.5)
        bare, worded = ledger.export(tmp_path / "bare"), ledger.export(tmp_path / "worded", has_steps=True)
    assert ["steps" in line for line in lines_in(worded[0])[1:]] == [True, False]
    with Ledger(tmp_path / "other.sqlite") as other:
        other.load(worded)
        assert other.find(fingerprint, [content(0)]) == {
            (content(0), Order.AB): kept,
            (content(0), Order.BA): FIRST,
        }
        assert other.elapsed(fingerprint, [content(0)], ["ab"]) == 2.0 + 2.5
        assert other.export(tmp_path / "again", has_steps=True)[0].read_bytes() == worded[0].read_bytes()
        assert other.export(tmp_path / "again")[0].read_bytes() == bare[0].read_bytes()
    with Ledger(tmp_path / "late.sqlite") as late:  # which had the reading without its steps
        late.load(bare)
        assert late.load(worded) == ImportCounts(0, 2, 0)
        assert late.load(bare) == ImportCounts(0, 2, 0)
        assert late.find(fingerprint, [content(0)])[content(0), Order.AB] == kept
        assert late.export(tmp_path / "third", has_steps=True)[0].read_bytes() == worded[0].read_bytes()


def test_shared_replies_are_found_by_key_and_the_first_one_stays(path: Path) -> None:
    reply, other = Completion("1. Clarity", 9, 4, is_ended=True), Completion("x", 1, 1, is_ended=False)
    with Ledger(path) as ledger:
        ledger.record_replies({"k": reply}, 2.0)
        ledger.record_replies({"k": other, "l": other}, 2.0)
    with Ledger(path) as ledger:
        assert ledger.find_replies(["k", "l", "m"]) == {"k": reply, "l": other}


def test_a_ledger_of_version_1_keeps_its_readings_and_takes_steps(path: Path) -> None:
    plain = Judgment(Choice.FIRST, None, "[[A]]", 14, 4)
    with Ledger(path) as ledger:
        fingerprint = ledger.register(JUDGE)
        ledger.record(fingerprint, [Entry(content(0), Order.AB, plain, 1.0)])
    sql(path, "ALTER TABLE readings DROP COLUMN steps", "DROP TABLE replies", "PRAGMA user_version = 1")
    with Ledger(path) as ledger:
        ledger.record(fingerprint, [Entry(content(0), Order.BA, with_steps(plain), 1.0)])
        found = ledger.find(fingerprint, [content(0)])
        assert found == {(content(0), Order.AB): plain, (content(0), Order.BA): with_steps(plain)}


def test_a_ledger_of_version_1_that_cannot_be_upgraded_is_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("judge.ledger.ledger.BUSY_S", 0.05)
    filled(path)
    sql(path, "ALTER TABLE readings DROP COLUMN steps", "DROP TABLE replies", "PRAGMA user_version = 1")
    with closing(sqlite3.connect(path, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError) as caught:
            Ledger(path)
    assert str(caught.value) == (
        f"{path}: a ledger of version 1 cannot be upgraded (database is locked). It was left as it is."
    )
    assert n_readings(path) == 2000


def upgrade_on_a_full_disk(path: Path) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    with pytest.raises(LedgerError, match=r"version 1 cannot be upgraded \((disk I/O error|.* is full)\)"):
        Ledger(path)


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits")
def test_a_ledger_of_version_1_on_a_full_disk_is_left_alone(path: Path) -> None:
    filled(path)
    sql(path, "ALTER TABLE readings DROP COLUMN steps", "DROP TABLE replies", "PRAGMA user_version = 1")
    sql(path, "PRAGMA journal_mode = DELETE")
    assert run_apart((upgrade_on_a_full_disk, (path,))) == [0]
    assert n_readings(path) == 2000


def test_seconds_are_those_of_the_asked_readings_and_of_what_they_share(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.register(JUDGE)
        ledger.register(SLOW_JUDGE)
        ledger.record(JUDGE.fingerprint, entries(6))
        ledger.record(SLOW_JUDGE.fingerprint, entries(2))
        keys = [sha256_of_json(f"plan {n}") for n in (1, 2)]
        ledger.record_replies({key: Completion("1.", 5, 1, is_ended=True) for key in keys}, elapsed_s=3.0)
        shared = [key[:16] for key in keys]
        assert ledger.elapsed(JUDGE.fingerprint, [content(0), content(2), "unknown"]) == 4 * 0.25
        asked = [shared[0], shared[0], "unknown"]
        assert ledger.elapsed(SLOW_JUDGE.fingerprint, [content(0)], asked) == 2 * 0.25 + 1.5
        assert ledger.elapsed("nobody", [content(0)]) == 0.0


def test_how_much_was_read_comes_back_and_goes_into_shards_where_it_is_known(
    ledger: Ledger, other: Ledger, tmp_path: Path
) -> None:
    judge = ledger.register(JUDGE)
    for number, reading in enumerate(
        (SECOND, SHORTENED, replace(UNREADABLE, is_trimmed=True, cut=Cut(1, 2)))
    ):
        ledger.record(judge, [Entry(content(number), Order.AB, reading, 0.5)])
    contents = [content(number) for number in range(3)]
    found = ledger.find(judge, contents)
    assert [found[one, Order.AB].cut for one in contents] == [None, Cut(700, 30_000), Cut(1, 2)]
    (shard,) = ledger.export(tmp_path / "shards")
    told = {line["content"]: line.get("cut", "absent") for line in lines_in(shard)[1:]}
    assert [told[one] for one in contents] == [
        "absent",
        {"read": 700, "whole": 30_000},
        {"read": 1, "whole": 2},
    ]
    other.load([shard])
    assert {key: one.cut for key, one in other.find(judge, contents).items()} == {
        key: one.cut for key, one in found.items()
    }
    assert other.export(tmp_path / "again")[0].read_bytes() == shard.read_bytes()


def test_an_imported_reading_that_does_not_know_how_much_was_read_is_the_same(
    ledger: Ledger, other: Ledger, tmp_path: Path
) -> None:
    for one, reading in ((ledger, SECOND), (other, SHORTENED)):
        one.record(one.register(JUDGE), [Entry(content(1), Order.AB, reading, 0.5)])
    assert other.load(ledger.export(tmp_path)) == ImportCounts(added=0, known=1, differing=0)
    assert other.find(JUDGE.fingerprint, [content(1)]) == {(content(1), Order.AB): SHORTENED}


def test_how_much_was_read_for_a_shared_reply_is_kept(ledger: Ledger) -> None:
    replies = {
        "a" * 64: Completion("[0.5]", 700, 4, True, is_trimmed=True, cut=Cut(700, 30_000)),
        "b" * 64: Completion("[0.5]", 12, 4, True),
    }
    ledger.record_replies(replies, 1.0)
    assert ledger.find_replies(replies) == replies


def test_a_ledger_of_before_the_count_takes_it_and_an_older_program_goes_on_writing(path: Path) -> None:
    reply = Completion("1. Care: is careful", 9, 8, True)
    with open_ledger(path) as ledger:
        fingerprint = ledger.register(JUDGE)
        ledger.record(fingerprint, [Entry(content(0), Order.AB, SECOND, 1.0)])
    sql(path, "ALTER TABLE readings DROP COLUMN cut", "DROP TABLE reply_cuts")
    with open_ledger(path) as ledger:
        ledger.record(fingerprint, [Entry(content(0), Order.BA, SHORTENED, 1.0)])
        found = ledger.find(fingerprint, [content(0)])
        assert found == {(content(0), Order.AB): SECOND, (content(0), Order.BA): SHORTENED}
        sql(path, f"INSERT INTO replies VALUES ('k', '{reply.text}', 9, 8, 1, 0, 0.5, '2025-01-31T12:00:00')")
        assert ledger.find_replies(["k"]) == {"k": reply}
