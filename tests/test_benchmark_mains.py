"""The benchmarks that replay, sum and construct as commands: what is wrong is one line, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import constructed, jury, replay
from judge.io.pairs import write_pairs
from judge.records import Pair

SHARD = replay.shards()[0]
RECIPE = """\
name: few
collect: {pairs: {source: file, path: pairs.jsonl, unchecked: true}}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUDGE_DATA", str(tmp_path))  # no test set is read from the hub
    write_pairs("pairs.jsonl", [Pair.of("Why is the sky blue today?", "It is.", "Light scatters.")])
    Path("few.yaml").write_text(RECIPE, encoding="utf-8")


def refused(capsys, main, *arguments):
    """The line with which a command ends; nothing is written."""
    before = sorted(Path.cwd().iterdir())
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.count("\n") == 1
    assert sorted(Path.cwd().iterdir()) == before
    return said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["pairs.jsonl", "--judge", "0123", "--out", "o.json"],
            "--judge 0123: must be NAME=END, of which END",
        ),
        (["pairs.jsonl", "--judge", "=0123", "--out", "o.json"], "--judge =0123: must be NAME=END"),
        (["pairs.jsonl", "--judge", "a=1", "--judge", "a=2", "--out", "o.json"], "two judges are named 'a'."),
        (
            ["pairs.jsonl", "--judge", "a=1", "--limit", "0", "--out", "o.json"],
            "--limit 0: must be 1 or more.",
        ),
        (
            ["pairs.jsonl", "--judge", "a=1", "--limit", "-3", "--out", "o.json"],
            "--limit -3: must be 1 or more",
        ),
        (
            ["pairs.jsonl", "--judge", "a=1", "--turn", "foo", "--out", "o.json"],
            "--turn foo: must be 1, 2, ...",
        ),
        (["pairs.jsonl", "--judge", "a=1", "--out", "no/o.json"], "no/o.json: cannot be written, "),
        (["pairs.jsonl", "--judge", "a=1", "--out", "pairs.jsonl"], "pairs.jsonl is the same file."),
        (["pairs.jsonl", "--judge", "a=1", "--out", str(SHARD)], f"{SHARD} is the same file."),
        (["none.jsonl", "--judge", "a=1", "--out", "o.json"], "none.jsonl"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(here, capsys, arguments, words):
    assert words in refused(capsys, replay.main, *arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--judge", "0123"], "--judge 0123: must be NAME=END, of which END"),
        (["--judge", "a=1", "--judge", "a=2"], "--judge: two judges are named 'a'."),
        (["--judge", "a=1", "--out", "no/o.json"], "no/o.json: cannot be written, "),
        (["--judge", "a=1", "--out", str(SHARD)], f"{SHARD} is the same file."),
    ],
)
def test_what_is_no_jury_is_one_line(here, capsys, arguments, words):
    assert words in refused(capsys, jury.main, *arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--judge", "score"], "--judge score: must be NAME=METHOD or NAME=METHOD:ADAPTER."),
        (["--judge", "a=score", "--judge", "a=direct"], "--judge: two judges are named 'a'."),
        (["--judge", "a=score", "--out", "no/o.json"], "no/o.json: cannot be written, "),
        (["--judge", "a=score", "--out", "few.yaml"], "few.yaml is the same file."),
        (["--judge", "a=score"], "few.yaml: no pair of kind other_request or "),
    ],
)
def test_pairs_that_cannot_be_constructed_are_one_line(here, capsys, arguments, words):
    assert words in refused(capsys, constructed.main, *arguments, "--recipe", "few.yaml")
