"""Files are written whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from judge.cli.console import write
from judge.errors import InputError
from judge.io.writing import replacing, write_whole
from judge.provenance import write_result


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_and_bytes_are_written_as_they_are(tmp_path):
    write_whole(tmp_path / "a", "é\r\n\n")
    write_whole(str(tmp_path / "b"), b"\xff\x00")
    assert (tmp_path / "a").read_bytes() == "é\r\n\n".encode()
    assert (tmp_path / "b").read_bytes() == b"\xff\x00"


def test_half_a_character_becomes_a_question_mark(tmp_path):
    write_whole(tmp_path / "a", "x\ud83dy")
    assert (tmp_path / "a").read_text("utf-8") == "x?y"


@pytest.mark.parametrize(
    "written",
    [
        lambda path: write_whole(path, "new"),
        lambda path: write(str(path), "new"),
        lambda path: write_result(path, {"is": "new"}),
    ],
)
@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_a_program_that_dies_on_the_way_leaves_the_old_file(tmp_path, monkeypatch, written, step):
    file = tmp_path / "file"
    file.write_text("old")

    def dies(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, step, dies)
        with pytest.raises(KeyboardInterrupt):
            written(file)
    assert file.read_text() == "old"
    assert names_in(tmp_path) == ["file"]
    written(file)
    assert "new" in file.read_text()
    assert names_in(tmp_path) == ["file"]


def test_a_file_half_written_aside_is_taken_away(tmp_path):
    def fails_half_way() -> None:
        with replacing(tmp_path / "file") as aside:
            aside.write_text("half")
            assert names_in(tmp_path) == [aside.name]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails_half_way()
    assert names_in(tmp_path) == []


def test_a_link_stays_one_and_the_file_behind_it_keeps_its_permissions(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o640


def test_a_name_as_long_as_names_may_be_can_be_written(tmp_path):
    write_whole(tmp_path / ("ü" * 127), "x")
    assert names_in(tmp_path) == ["ü" * 127]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes with a name in a folder")
def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, "through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_an_open_file_by_its_number_is_written_to_and_not_renamed_over(tmp_path):
    with (tmp_path / "log").open("w") as log:
        log.write("before ")
        log.flush()
        before = os.fstat(log.fileno()).st_ino
        write_whole(f"/dev/fd/{log.fileno()}", "after")
        assert (tmp_path / "log").stat().st_ino == before


def test_folders_above_are_made_only_where_asked_for(tmp_path):
    write_whole(tmp_path / "a" / "b" / "c", "x", parents=True)
    with pytest.raises(InputError, match=r"c: cannot be written \(No such file or directory\)\."):
        write_whole(tmp_path / "d" / "c", "x")
    with pytest.raises(InputError, match=r"a: cannot be written \(Is a directory\)\."):
        write_whole(tmp_path / "a", "x")
    assert names_in(tmp_path) == ["a"]
