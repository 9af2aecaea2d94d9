"""What a run on many machines is made of, without Ray: places, plans, workers, shards and their merging."""

from __future__ import annotations

import errno
import gzip
import json
import pickle
import random
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import FOUR_PAIRS, HOSTILE, pair_of
from typer.testing import CliRunner

from benchmarks import cluster
from judge.cli.main import app
from judge.cluster import method, running, storage, worker
from judge.cluster.attempts import PAIR_DEATHS, WHOLE_DEATHS, Counted
from judge.cluster.merging import total_of, write_merged
from judge.cluster.plan import Block, Span, blocks_of, check, pairs_of_block, spans_of
from judge.cluster.pool import Cluster, Pool, cluster_of, connected, needs_of, size_of_pool
from judge.cluster.sources import Source, files_of, lines_of, sources_of
from judge.cluster.storage import below, names_in, put_whole
from judge.cluster.watch import Watch, cost_in_words, in_words
from judge.cluster.worker import BlockReader, Done, Failed, Late, Task, Told, Worker
from judge.errors import BackendError, BadLines, InputError, MissingExtra, ModelError, PromptTooLong
from judge.evaluate import judge_pairs
from judge.forms.reading import read_pairs
from judge.io.pairs import write_pairs
from judge.io.verdicts import read_verdicts, reading_to_json, verdict_to_json, write_verdicts
from judge.ledger.ledger import Ledger
from judge.ledger.verdictshards import opened_shard
from judge.methods import MemoryStore
from judge.options import judge_options
from judge.orders import combine
from judge.progress import silent
from judge.records import Criterion, Order, Pair, Status, Unparsed, Verdict

LONGER = judge_options(method="direct", backend="scripted:longer")
MANY = [pair_of("yes" * (1 + n % 7), "no" * (1 + n % 5), f"Is {n} even?", f"p{n}") for n in range(100)]
DAY = datetime(2026, 11, 27, tzinfo=UTC)


def quiet(line: str) -> None:
    """Says nothing."""


def source_at(path: Path) -> Source:
    return Source(str(path), str(path), path.stat().st_size)


def blocks_at(path: Path, most_bytes: int, limit: int | None = None, seed: int | None = None) -> list[Block]:
    """The blocks of a file of JSON lines, as a driver plans them."""
    spans = spans_of(source_at(path), most_bytes)
    return blocks_of(spans, [check(span) for span in spans], limit, seed)


def judged_here(pairs: Sequence[Pair]) -> list[Verdict]:
    return judge_pairs(pairs, LONGER.load(silent, MemoryStore()))


class Reads:
    """A judge of blocks with a fault: what `fault` does to the pairs before they are read."""

    def __init__(self, fault: Callable[[Sequence[Pair]], None] = lambda pairs: None) -> None:
        self._reader, self._fault = BlockReader(LONGER), fault
        self.identity, self.judge = self._reader.identity, self._reader.judge
        self.asked: list[int] = []

    def read(self, pairs: Sequence[Pair]) -> list[Verdict]:
        self.asked.append(len(pairs))
        self._fault(pairs)
        return self._reader.read(pairs)


def worker_of(reader: Reads, folder: Path, **given) -> Worker:
    rests = given.setdefault("sleep", lambda seconds: None)
    assert rests
    return Worker(
        reader, reader.judge, str(folder), given.pop("attempts", Counted()), clock=lambda: DAY, **given
    )


def task_of(path: Path, reader: Reads) -> Task:
    [block] = blocks_at(path, 1_000_000)
    return Task(block.name_for(reader.judge), block)


def verdicts_in(folder: Path, task: Task) -> list[Verdict]:
    out = folder / "out.jsonl"
    write_merged(str(out), str(folder), [task.name])
    return read_verdicts(out)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    write_pairs(tmp_path / "pairs.jsonl", MANY)
    return tmp_path / "pairs.jsonl"


# --- places ---------------------------------------------------------------------------------------------


def test_a_file_is_found_by_its_path_and_by_its_uri(tmp_path):
    (tmp_path / "one.jsonl").write_bytes(b"0123456789")
    for name in (str(tmp_path / "one.jsonl"), f"file://{tmp_path}/one.jsonl"):
        assert storage.kind_at(name) == "file"
        assert storage.size_at(name) == 10
        assert storage.bytes_at(name, 3, 6) == b"345"
    assert storage.kind_at(f"file://{tmp_path}") == "folder"
    assert storage.kind_at(f"file://{tmp_path}/two") == ""


def test_an_unknown_kind_of_storage_is_one_line():
    with pytest.raises(InputError, match=r"^ftp://host/x: .*ftp.*\.$"):
        storage.settled("ftp://host/x")


def test_criteria_that_a_worker_would_read_as_others_are_refused():
    odd = replace(MANY[0], criteria=(Criterion("tone", "polite\nshort"),))
    with pytest.raises(InputError, match=r"its criteria would be read back as others"):
        lines_of([odd])


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    def parts():
        yield b"half"
        raise InputError("no more")

    name = f"file://{tmp_path}/new/one"
    put_whole(name, b"a", b"b")
    with pytest.raises(InputError, match="no more"):
        storage.put_parts(name, parts())
    assert storage.bytes_at(name) == b"ab"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["one"]


# --- sources --------------------------------------------------------------------------------------------


def test_json_lines_are_read_where_they_are(many, tmp_path):
    [source] = sources_of(str(many), str(tmp_path / "shards"), quiet)
    assert source == source_at(many)
    assert not (tmp_path / "shards").exists()


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_other_files_become_the_same_pairs_as_json_lines(many, tmp_path, ending):
    rows = [
        {"prompt": p.prompt, "response_a": p.response_a, "response_b": p.response_b, "id": p.id} for p in MANY
    ]
    path = tmp_path / f"table.{ending}"
    if ending == "parquet":
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
    elif ending == "json":
        path.write_text(json.dumps(rows, indent=1))
    else:
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        path.write_text("\n".join(lines))
    [source] = sources_of(str(path), str(tmp_path / "shards"), quiet)
    spans = spans_of(source, 1000)
    blocks = blocks_of(spans, [check(span) for span in spans])
    assert [pair for block in blocks for pair in pairs_of_block(block)] == read_pairs(path)
    assert len(blocks) > 3


def test_another_tools_form_is_recognised_and_said(tmp_path):
    path = tmp_path / "chosen.parquet"
    rows = [{"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}]
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
    said: list[str] = []
    [source] = sources_of(str(path), str(tmp_path / "shards"), said.append)
    assert "read as" in said[0]
    assert check(Span(source, 0, source.size)).n_pairs == 1


def test_bad_rows_of_a_table_are_all_named(tmp_path):
    path = tmp_path / "bad.parquet"
    rows = [
        {"prompt": "?", "response_a": "4", "response_b": None if n in (3, 1500) else "5"} for n in range(2000)
    ]
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(BadLines) as bad:
        sources_of(str(path), str(tmp_path / "shards"), quiet)
    assert [problem.split(":")[0] for problem in bad.value.problems] == [f"{path} row 4", f"{path} row 1501"]
    assert not list((tmp_path / "shards").rglob("*.jsonl"))


def test_a_folder_is_its_files_of_pairs(tmp_path):
    for name in ("b.jsonl", "a.jsonl.gz", "notes.txt", ".hidden.jsonl"):
        (tmp_path / name).write_text("x")
    assert files_of(str(tmp_path)) == [f"{tmp_path}/a.jsonl.gz", f"{tmp_path}/b.jsonl"]
    with pytest.raises(InputError, match="No such file"):
        files_of(str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file of pairs in this folder"):
        files_of(str(tmp_path / "empty"))


# --- plans ----------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(
    texts=st.lists(
        st.tuples(st.sampled_from([*HOSTILE, "x", "y" * 50]), st.booleans()), min_size=1, max_size=30
    ),
    most_bytes=st.integers(1, 3000),
)
def test_blocks_hold_the_pairs_that_one_machine_reads_with_the_same_ids(tmp_path_factory, texts, most_bytes):
    path = tmp_path_factory.mktemp("plan") / "pairs.jsonl"
    rows = [
        {"prompt": "Why?", "response_a": text, "response_b": "b", **({"id": f"own{n}"} if is_named else {})}
        for n, (text, is_named) in enumerate(texts)
    ]
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=n % 2 == 0)}\n" for n, row in enumerate(rows)))
    blocks = blocks_at(path, most_bytes)
    assert [pair for block in blocks for pair in pairs_of_block(block)] == read_pairs(path)


def test_an_id_that_is_like_a_contents_hash_is_not_given_twice(tmp_path):
    equal = {"prompt": "2 + 2?", "response_a": "4", "response_b": "5"}
    first = read_pairs_of(tmp_path, [equal])[0].id
    rows = [
        equal,
        {**equal, "response_b": "6", "id": first},
        equal,
        {**equal, "response_b": "7", "id": f"{first}-3"},
    ]
    expected = read_pairs_of(tmp_path, rows)
    blocks = blocks_at(tmp_path / "rows.jsonl", 1)
    assert [pair for block in blocks for pair in pairs_of_block(block)] == expected
    assert len(blocks) == 4


def read_pairs_of(folder: Path, rows: Sequence[dict[str, str]]) -> list[Pair]:
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return read_pairs(folder / "rows.jsonl")


def test_every_bad_line_is_named_as_one_machine_names_it(tmp_path):
    path = tmp_path / "pairs.jsonl"
    lines = [
        json.dumps({"id": str(n % 8), "prompt": "?", "response_a": "4", "response_b": "5"}) for n in range(10)
    ]
    lines[4], lines[6] = '{"id": "4", "prompt": "?"}', "[1]"
    path.write_text("\n".join(lines))
    with pytest.raises(BadLines) as there:
        blocks_at(path, 1)
    with pytest.raises(BadLines) as here:
        read_pairs(path)
    assert there.value.problems == here.value.problems
    assert len(here.value.problems) == 4


def test_no_pair_is_an_error(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n\n")
    with pytest.raises(InputError, match="no pairs found"):
        blocks_at(path, 10)


@pytest.mark.parametrize("seed", [None, 3])
def test_a_limit_takes_the_pairs_that_one_machine_takes(many, seed):
    blocks = blocks_at(many, 2000, 37, seed)
    places = range(37) if seed is None else sorted(random.Random(seed).sample(range(100), 37))
    assert [pair.id for block in blocks for pair in pairs_of_block(block)] == [f"p{n}" for n in places]
    assert sum(block.n_pairs for block in blocks) == 37


def test_a_shards_name_says_pairs_and_judge(many):
    blocks = blocks_at(many, 2000)
    names = {block.name_for("one") for block in blocks}
    assert len(names) == len(blocks)
    assert names == {block.name_for("one") for block in blocks_at(many, 2000)}
    assert names.isdisjoint(block.name_for("other") for block in blocks)
    chosen = replace(blocks[0], chosen=(0,))
    assert chosen.name_for("one") != blocks[0].name_for("one")


def test_a_file_that_changed_after_the_check_is_refused(many):
    [block] = blocks_at(many, 1_000_000)
    many.write_text(many.read_text().replace("even", "odd!"))
    with pytest.raises(InputError, match="changed while it was judged"):
        pairs_of_block(block)


# --- workers --------------------------------------------------------------------------------------------


def test_a_workers_verdicts_are_those_of_one_machine_to_the_byte(many, tmp_path):
    reader = Reads()
    task = task_of(many, reader)
    done = worker_of(reader, tmp_path / "shards").work(task)
    assert isinstance(done, Done)
    write_verdicts(tmp_path / "here.jsonl", judged_here(MANY))
    write_merged(str(tmp_path / "there.jsonl"), str(tmp_path / "shards"), [task.name])
    assert (tmp_path / "there.jsonl").read_bytes() == (tmp_path / "here.jsonl").read_bytes()
    assert done.counts["pairs"] == 100 == sum(n for name, n in done.counts.items() if name != "pairs")


def poisonous(pairs: Sequence[Pair]) -> None:
    """Dies, as a process does, where p13 is read."""
    if any(pair.id == "p13" for pair in pairs):
        raise SystemExit(9)


def test_a_pair_that_kills_its_worker_is_unparsed_and_the_others_are_not(many, tmp_path):
    attempts, n_deaths = Counted(), 0
    done = None
    while done is None and n_deaths < 9:  # Ray starts the worker again, with the same block
        reader = Reads(poisonous)
        try:
            done = worker_of(reader, tmp_path, attempts=attempts).work(task_of(many, reader))
        except SystemExit:
            n_deaths += 1
    assert n_deaths == WHOLE_DEATHS + PAIR_DEATHS
    assert isinstance(done, Done)
    verdicts = verdicts_in(tmp_path, task_of(many, reader))
    unparsed = [verdict for verdict in verdicts if verdict.status is Status.UNPARSED]
    assert [verdict.pair_id for verdict in unparsed] == ["p13"]
    assert "died 2 times while it read this pair" in str(unparsed[0].readings["AB"])
    expected = [verdict for verdict in judged_here(MANY) if verdict.pair_id != "p13"]
    assert [verdict for verdict in verdicts if verdict.pair_id != "p13"] == expected


def test_a_worker_that_dies_once_costs_no_pair(many, tmp_path):
    attempts = Counted()
    reader = Reads(poisonous)
    with pytest.raises(SystemExit):
        worker_of(reader, tmp_path, attempts=attempts).work(task_of(many, reader))
    healthy = Reads()
    worker_of(healthy, tmp_path, attempts=attempts).work(task_of(many, healthy))
    assert healthy.asked == [100]
    assert verdicts_in(tmp_path, task_of(many, healthy)) == judged_here(MANY)


def failing_at(*ids: str) -> Callable[[Sequence[Pair]], None]:
    def fault(pairs: Sequence[Pair]) -> None:
        if found := [pair.id for pair in pairs if pair.id in ids]:
            raise BackendError(f"the engine cannot read {found[0]}")

    return fault


def test_a_pair_that_the_engine_fails_at_is_unparsed_with_its_reason(many, tmp_path):
    reader = Reads(failing_at("p7", "p70"))
    assert isinstance(worker_of(reader, tmp_path).work(task_of(many, reader)), Done)
    verdicts = verdicts_in(tmp_path, task_of(many, reader))
    reasons = {v.pair_id: v.readings["BA"].reason for v in verdicts if v.status is Status.UNPARSED}
    assert reasons == {"p7": "the engine cannot read p7", "p70": "the engine cannot read p70"}


def test_an_engine_that_fails_at_all_pairs_makes_no_shard(many, tmp_path):
    reader = Reads(failing_at(*(pair.id for pair in MANY)))
    failed = worker_of(reader, tmp_path / "shards").work(task_of(many, reader))
    assert failed == Failed(task_of(many, reader).name, 100, "the engine cannot read p2")
    assert not (tmp_path / "shards").exists()
    assert len(reader.asked) < 10, "three failures at the start are enough"


def test_a_strict_run_fails_at_the_first_pair(many, tmp_path):
    reader = Reads(failing_at("p70"))
    failed = worker_of(reader, tmp_path, is_strict=True).work(task_of(many, reader))
    assert isinstance(failed, Failed)
    assert reader.asked == [100]


def test_a_machine_that_reads_as_another_judge_reads_nothing(many, tmp_path):
    reader = Reads()
    other = Worker(reader, "another", str(tmp_path / "s"), Counted(), sleep=lambda seconds: None)
    failed = other.work(task_of(many, reader))
    assert isinstance(failed, Failed)
    assert failed.reason.startswith("this machine reads as scripted-longer")
    assert reader.asked == []


@pytest.mark.parametrize("n_full", [2, 9])
def test_a_full_disk_is_tried_again_and_then_told(many, tmp_path, monkeypatch, n_full):
    rests: list[float] = []
    left = [n_full]

    def put(name: str, *parts: bytes) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        put_whole(name, *parts)

    monkeypatch.setattr(worker, "put_whole", put)
    reader = Reads()
    told = worker_of(reader, tmp_path / "shards", sleep=rests.append).work(task_of(many, reader))
    assert reader.asked == [100], "what was judged is not judged again for that"
    if n_full == 2:
        assert isinstance(told, Done)
        assert rests == [1.0, 5.0]
    else:
        assert isinstance(told, Failed)
        assert "cannot be written (No space left on device)" in told.reason
        assert names_in(str(tmp_path / "shards")) == []


def test_a_machine_that_cannot_make_the_judge_fails_at_its_blocks_alone(many, monkeypatch):
    rests: list[float] = []

    def no_weights(options):
        raise ModelError("no weights here")

    monkeypatch.setattr(running, "BlockReader", no_weights)
    monkeypatch.setattr(running.time, "sleep", rests.append)
    actor = running.PoolWorker(LONGER, "judge", "shards", None, None)
    task = task_of(many, Reads())
    made = actor(pa.table({"item": [pickle.dumps(task)]}))
    assert pickle.loads(made["item"][0].as_py()) == Failed(task.name, 100, "no weights here")
    assert rests == [5.0]


def test_a_block_is_not_begun_when_the_time_is_up(many):
    actor = running.PoolWorker(LONGER, "judge", "shards", None, ends_at=0.0)
    task = task_of(many, Reads())
    made = actor(pa.table({"item": [pickle.dumps(task)]}))
    assert pickle.loads(made["item"][0].as_py()) == Late(task.name, 100)


# --- shards ---------------------------------------------------------------------------------------------


def test_the_ledger_takes_shards_and_then_knows_every_reading(tmp_path):
    pairs = [*FOUR_PAIRS, pair_of("same", "same", id="same"), pair_of("same", "same ", id="same2")]
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    reader = Reads()
    task = task_of(tmp_path / "pairs.jsonl", reader)
    worker_of(reader, tmp_path).work(task)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        counts = ledger.load([tmp_path / task.name])
        assert (counts.added, counts.known, counts.differing) == (8, 0, 0)
        asked: list[str] = []
        method = LONGER.load(silent, MemoryStore())
        method.read = asked.append
        assert judge_pairs(pairs, method, ledger) == verdicts_in(tmp_path, task)
        assert asked == []
        assert ledger.load([tmp_path / task.name]).known == 8


@pytest.mark.parametrize("cut", [20, -20])
def test_a_shard_that_is_not_whole_is_named(many, tmp_path, cut):
    reader = Reads()
    task = task_of(many, reader)
    worker_of(reader, tmp_path).work(task)
    shard = tmp_path / task.name
    shard.write_bytes(shard.read_bytes()[:cut])
    out = tmp_path / "out.jsonl"
    with pytest.raises(InputError, match=rf"{task.name}: no whole shard of verdicts"):
        write_merged(str(out), str(tmp_path), [task.name])
    assert not out.exists()
    with Ledger(tmp_path / "ledger.sqlite") as ledger, pytest.raises(BadLines, match=task.name):
        ledger.load([shard])


def changed_shard(path: Path, header: dict[str, Any], *changes: dict[str, Any]) -> Path:
    """The shard with changes to its header and to its first lines."""
    head, *lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    lines = [line | change for line, change in zip_longest(lines, changes, fillvalue={})]
    path.write_bytes(
        gzip.compress("".join(f"{json.dumps(row)}\n" for row in (head | header, *lines)).encode())
    )
    return path


OTHER = "other+none/direct@scripted#0123456789abcdef"


@pytest.mark.parametrize(
    ("header", "changes", "words"),
    [
        ({"recorded_at": "yesterday"}, [], ":1: recorded_at: must be a time in UTC such as 2025-01-31T12:00"),
        ({"recorded_at": "\ud83d"}, [], r":1: \ud83d stands alone and is only half a character."),
        ({"counts": None}, [], ":1: counts: must be how many pairs there are, and verdicts of each status"),
        ({"counts": {"pairs": 4}}, [], ":1: counts.consistent: must be 3, by the lines; counts.inconsistent"),
        ({}, [{}, {"pair_id": "sky"}], ":3: pair 'sky' is already in "),
        (
            {},
            [{"judge": OTHER}],
            f":2: judge is '{OTHER}'. It must be that of the header, scripted-longer+none/",
        ),
        ({}, [{"pair_id": "\ud83d"}], r":2: \ud83d stands alone and is only half a character."),
        (
            {},
            [{"orders": dict.fromkeys(Order, reading_to_json(Unparsed("", "", 2**64)))}],
            ":2: AB, tokens_in is ",
        ),
    ],
)
def test_a_shard_of_verdicts_that_cannot_be_is_refused_with_its_line(tmp_path, header, changes, words):
    write_pairs(tmp_path / "pairs.jsonl", FOUR_PAIRS)
    reader = Reads()
    task = task_of(tmp_path / "pairs.jsonl", reader)
    worker_of(reader, tmp_path).work(task)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        shard = changed_shard(tmp_path / task.name, header, *changes)
        with pytest.raises(BadLines, match=re.escape(f"{shard}{words}")):
            ledger.load([shard])
        assert ledger.summary() == []


def test_the_ledger_takes_verdicts_under_a_rule_as_their_judges(tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", FOUR_PAIRS)
    reader = BlockReader(replace(LONGER, abstain_below=0.8))
    task = task_of(tmp_path / "pairs.jsonl", reader)
    worker_of(reader, tmp_path).work(task)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.load([tmp_path / task.name]).added == 8
        assert list(ledger.identities()) == [reader.identity.fingerprint]


def test_many_shards_become_one_file_in_the_inputs_order(many, tmp_path):
    reader = Reads()
    tasks = [Task(block.name_for(reader.judge), block) for block in blocks_at(many, 500)]
    assert len(tasks) > 10
    for task in random.Random(1).sample(tasks, len(tasks)):
        worker_of(reader, tmp_path / "shards").work(task)
    counts = write_merged(
        str(tmp_path / "out.jsonl"), str(tmp_path / "shards"), [task.name for task in tasks]
    )
    assert [verdict.pair_id for verdict in read_verdicts(tmp_path / "out.jsonl")] == [
        pair.id for pair in MANY
    ]
    assert total_of(counts)["pairs"] == 100
    header, lines = opened_shard((tmp_path / "shards" / tasks[0].name).read_bytes(), "x")
    assert len(header["contents"]) == lines.count(b"\n") == counts[tasks[0].name]["pairs"]


@pytest.mark.parametrize(
    "error",
    [BadLines(["a:1: x", "a:2: y"]), PromptTooLong(["p: long"]), InputError("wrong"), BackendError("no")],
)
def test_errors_come_whole_from_another_process(error):
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


# --- a cluster, and what a run says --------------------------------------------------------------------


def test_on_names_ray_and_an_address():
    assert cluster_of("ray") == Cluster()
    assert cluster_of("ray:10.0.0.1:6379", 4).address == "10.0.0.1:6379"
    with pytest.raises(InputError, match="--on spark: must be ray"):
        cluster_of("spark")


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r'pip install "four-token-judge\[ray\]"'), connected(Cluster()):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", "2"], "--workers: is for --on ray. Give both, or neither."),
        (["--on", "ray", "--ledger", "l.sqlite"], "--ledger: with --on shards are the record."),
        (["--on", "ray"], "--shards: missing. Verdicts on standard output need a folder for the shards."),
        (["--on", "ray", "--out", "x.csv"], "x.csv: cannot be written. Its name must end in .jsonl"),
    ],
)
def test_options_of_a_cluster_that_do_not_fit_are_refused(many, options, message):
    done = CliRunner().invoke(app, ["run", str(many), "--backend", "scripted:longer", *options])
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith(message)


def test_a_judge_that_can_use_a_gpu_gets_one_where_there_are_some():
    embedded, server = judge_options(), judge_options(backend="server:http://x")
    there = {"CPU": 64.0, "GPU": 8.0}
    assert needs_of(Cluster(), embedded, there) == {"num_cpus": 1.0, "num_gpus": 1.0}
    assert needs_of(Cluster(), server, there)["num_gpus"] == 0
    assert needs_of(Cluster(), judge_options(device="cpu"), there)["num_gpus"] == 0
    assert needs_of(Cluster(gpus=0.5), embedded, there)["num_gpus"] == 0.5
    assert size_of_pool(Cluster(), {"num_cpus": 1.0, "num_gpus": 1.0}, there) == 8
    assert size_of_pool(Cluster(workers=99), {"num_cpus": 1.0}, there) == 99
    with pytest.raises(BackendError, match=r"the cluster has 64 CPU, 8 GPU, and a worker needs 100 CPU\."):
        size_of_pool(Cluster(), {"num_cpus": 100.0, "num_gpus": 0.0}, there)


def test_the_first_blocks_say_how_long_the_rest_takes_and_what_it_costs():
    said: list[str] = []
    now = [0.0]
    watch = Watch(1000, 100, 2, said.append, price=3.6, clock=lambda: now[0])
    watch.done(Done("a", {"pairs": 50}, 100.0))
    assert said == []
    watch.done(Done("b", {"pairs": 50}, 100.0))
    assert said == [
        "By the first 100 pairs: the other 800 take about 13 min on 2 workers; 1,000 pairs cost 33 min of "
        "one worker, 2 at 3.6 an hour."
    ]
    watch.done(Done("c", {"pairs": 50}, 100.0))
    assert len(said) == 1
    assert (watch.n_done, watch.worker_s) == (150, 300.0)


def test_times_and_costs_are_told_for_people():
    assert [in_words(one) for one in (3, 119.2, 600, 90000)] == ["3 s", "119 s", "10 min", "25.0 h"]
    assert cost_in_words(0.36, None) == "1,000 pairs cost 6 min of one worker"


def test_a_name_in_a_folder_is_one_in_cloud_storage_too():
    assert below("s3://bucket/run/", "a", "b") == "s3://bucket/run/a/b"


# --- handing out ----------------------------------------------------------------------------------------

FOUR = [Task(name, Block(Span(Source("s", "s", 1), 0, 1), name, 1, 10, None, {})) for name in "abcd"]


def handed_out(monkeypatch, answer: Callable[[int, str], bool], is_strict: bool = False, n_workers: int = 9):
    """The names handed out in each round, where `answer` says whether a block got done in that round."""
    rounds: list[list[str]] = []

    def worked(tasks, pool):
        rounds.append([task.name for task in tasks])
        for task in tasks:
            if answer(len(rounds), task.name):
                yield Done(task.name, {"pairs": 10}, 1.0)
            else:
                yield Failed(task.name, 10, f"no room for {task.name}")

    monkeypatch.setattr(running, "worked", worked)
    watch = Watch(40, 0, n_workers)
    try:
        running.judge_blocks(FOUR, Pool(object, (), n_workers), watch, is_strict)
    except BackendError as error:
        return rounds, watch, str(error)
    return rounds, watch, ""


def test_blocks_that_failed_are_handed_out_again_and_no_other(monkeypatch):
    rounds, watch, told = handed_out(monkeypatch, lambda number, name: number == 3 or name in "ad"[:number])
    assert rounds == [["a", "b", "c", "d"], ["b", "c", "d"], ["b", "c"]]
    assert (watch.n_done, told) == (40, "")


def test_what_fails_everywhere_ends_the_run_with_its_reason(monkeypatch):
    rounds, watch, told = handed_out(monkeypatch, lambda number, name: name != "c")
    assert rounds == [["a", "b", "c", "d"], ["c"]]
    assert watch.n_done == 30
    assert told == "10 pairs could not be judged: no room for c. What was done is kept."


def test_blocks_that_were_not_begun_in_time_are_told_and_not_handed_out_again(monkeypatch):
    def worked(tasks, pool):
        yield Done("a", {"pairs": 10}, 1.0)
        yield Failed("b", 10, "no room for b")
        yield from (Late(task.name, 10) for task in tasks if task.name in "cd" or len(tasks) == 1)

    monkeypatch.setattr(running, "worked", worked)
    with pytest.raises(BackendError, match="no room for b"):
        running.judge_blocks(FOUR[1:2], Pool(object, (), 9), Watch(40, 0, 9))
    monkeypatch.setattr(running, "worked", lambda tasks, pool: (Late(task.name, 10) for task in tasks))
    assert running.judge_blocks(FOUR, Pool(object, (), 9), Watch(40, 0, 9)) == dict.fromkeys("abcd", 10)


def test_failures_one_after_the_other_end_the_run_before_all_blocks_were_tried(monkeypatch):
    rounds, _, told = handed_out(monkeypatch, lambda number, name: False, n_workers=1)
    assert rounds == [["a", "b", "c", "d"]]
    assert told.startswith("30 pairs could not be judged: no room for a (and 2 other reasons)")


def test_a_strict_run_ends_with_its_first_failure(monkeypatch):
    _, watch, told = handed_out(monkeypatch, lambda number, name: name != "b", is_strict=True)
    assert watch.n_done == 10
    assert told.startswith("10 pairs")


def test_blocks_keep_their_size_where_a_run_is_resumed_with_other_workers(many, tmp_path):
    told = Told(Reads().identity, "judge#0123456789abcdef", 200)
    sources, shards = [source_at(many)], str(tmp_path / "shards")
    size = running.block_bytes(sources, told, 2, shards)
    assert size == many.stat().st_size // 8
    assert running.block_bytes(sources, told, 50, shards) == size
    many.write_text(many.read_text() * 2)
    assert running.block_bytes([source_at(many)], told, 50, shards) == 200


def test_the_table_says_what_comes_on_top():
    many = {"workers": 1000, "pairs_per_s": 30000.0, "share": 0.75, "driver_cpu_s": 20.0, "pairs": 2_000_000}
    result = {
        "overhead": [{"method": "bsm", "here_s": 0.004, "there_s": 0.0042}],
        "speed_up": [many | {"workers": 1, "driver_cpu_s": 99.0}, many],
        "driver": {
            "seconds_a_pair": {"plan and check": 1e-5, "merge": 3e-5},
            "pairs_each": 400,
            "pairs": 1000,
        },
        "note": "Other work ran.",
    }
    table = cluster.table_of(result)
    assert "| scripted judge, bsm | 4.00 | 4.20 | 5 % |" in table
    assert "| 1,000 | 30,000 | 75 % |" in table
    assert "one core of it can feed 25,000 pairs a second" in table
    assert table.endswith("Other work ran.")


def test_a_simulated_worker_fails_one_block_in_a_hundred():
    simulated = cluster.Simulated(1e-9, 0)
    made = [simulated._work(replace(FOUR[0], name=str(n))) for n in range(2000)]
    assert 2 < sum(isinstance(one, Failed) for one in made) < 60
    assert max(one.elapsed_s for one in made if isinstance(one, Done)) == pytest.approx(3e-9)


def test_names_of_files_hold_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.txt").write_text("http://127.0.0.1:1\n", encoding="utf-8")
    (tmp_path / "ranker").mkdir()
    (tmp_path / "longer").touch()
    options = running.settled_options(
        judge_options(backend="server:fleet.txt", ranker="ranker", adapter="lora")
    )
    assert (options.backend, options.ranker) == (f"server:{tmp_path}/fleet.txt", f"{tmp_path}/ranker")
    assert options.settings.adapter == "lora"
    for backend in ("scripted:longer", "server:http://127.0.0.1:1", "embedded"):
        assert running.settled_options(judge_options(backend=backend)).backend == backend


def test_what_an_earlier_run_could_not_read_is_read_again_and_nothing_else(tmp_path, monkeypatch):
    pairs = [replace(pair, id=pair.content_hash) for pair in MANY[:6]]
    lost = {pairs[1].id, pairs[4].id}
    asked: list[tuple[set[str], bool]] = []

    def judge_there(at, *others, is_fresh, **given):
        named = read_pairs(at)
        asked.append(({pair.id for pair in named}, is_fresh))
        return SimpleNamespace(shards=at, names=[], n_known=0 if is_fresh else len(named))

    def opened_shards(at, names):
        made = [
            combine(one.pair_id, dict.fromkeys(Order, Unparsed("cut", "")), one.judge)
            if one.pair_id in lost and len(asked) == 1
            else one
            for one in judged_here(read_pairs(at))
        ]
        rows = "".join(json.dumps(verdict_to_json(one)) + "\n" for one in made)
        yield at, {"elapsed_s": 1.0}, rows.encode()

    for fake in (judge_there, opened_shards):
        monkeypatch.setattr(method, fake.__name__, fake)
    monkeypatch.setattr(method, "pool_there", lambda *given: (None, 1))
    monkeypatch.setattr(method, "told_there", lambda options, needs: worker.told_of(options))
    there = method.OnCluster(LONGER, Cluster(""), str(tmp_path))
    there.prepare(pairs)
    assert asked == [({pair.id for pair in pairs}, False), (lost, True)]
    found = there.read([(pair, order) for pair in pairs for order in Order])
    assert not [one for one in found if isinstance(one, Unparsed)]
    there.prepare(pairs)
    assert len(asked) == 3
