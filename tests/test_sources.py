"""Rows of a data set from a folder and from the hub, of which a local file takes the place."""

from __future__ import annotations

import gzip
import sys

import pytest

from judge.datasets.sources import Source, hub_rows, published_rows
from judge.errors import BadLines, InputError, MissingExtra

SOURCE = Source("some/rows.jsonl.gz", "someone/rows", "train")


def local_copy(folder, content):
    path = folder / SOURCE.file
    path.parent.mkdir()
    path.write_bytes(gzip.compress(content))
    return path


def test_a_folder_has_the_rows(tmp_path):
    local_copy(tmp_path, b'{"a": 1}\n{"a": 2}\n')
    assert published_rows(SOURCE, tmp_path) == [{"a": 1}, {"a": 2}]


def test_without_a_folder_the_hub_is_asked_for_the_split(tmp_path, monkeypatch):
    import datasets

    local_copy(tmp_path, b'{"a": 1, "b": [{"c": "x"}]}\n{"a": 2, "b": null}\n')
    asked = []

    def load(repo, split):
        asked.append((repo, split))
        file = str(tmp_path / SOURCE.file)
        return original("json", data_files=file, split="train", cache_dir=str(tmp_path / "cache"))

    original = datasets.load_dataset
    monkeypatch.setattr(datasets, "load_dataset", load)
    assert published_rows(SOURCE, None) == [{"a": 1, "b": [{"c": "x"}]}, {"a": 2, "b": None}]
    assert asked == [("someone/rows", "train")]


def test_a_missing_file_is_named_with_the_way_to_another_folder(tmp_path):
    with pytest.raises(InputError) as caught:
        published_rows(SOURCE, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/some/rows.jsonl.gz: no such file. "
        "--data-dir or JUDGE_DATA names a folder with local copies."
    )


def test_a_damaged_file_is_refused(tmp_path):
    path = local_copy(tmp_path, b'{"a": 1}\n{"a": \n')
    with pytest.raises(BadLines, match=r"rows\.jsonl\.gz:2: not JSON"):
        published_rows(SOURCE, tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="not a whole gzip file"):
        published_rows(SOURCE, tmp_path)


def test_a_hub_that_does_not_answer_is_one_line(monkeypatch):
    import datasets

    def fail(repo, split):
        raise ConnectionError(f"Couldn't reach '{repo}' on the Hub\nand more")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(InputError) as caught:
        hub_rows("someone/rows", "train")
    assert str(caught.value) == (
        "someone/rows: cannot be read from the Hugging Face hub "
        "(ConnectionError: Couldn't reach 'someone/rows' on the Hub). "
        "--data-dir or JUDGE_DATA names a folder with local copies."
    )


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r'pip install "four-token-judge\[bench\]".*JUDGE_DATA'):
        hub_rows("someone/rows", "train")
