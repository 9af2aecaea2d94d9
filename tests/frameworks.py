"""What tests in the frameworks' own environments share: a page of theirs is followed as it is shown."""

from __future__ import annotations

import pytest
from test_docs_code import Reader, blocks_of, reader_in


def follow_page(name: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Runs the blocks of docs/how-to/frameworks/NAME.md in the order they are shown."""
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    reader = reader_in(tmp_path / "here", monkeypatch)
    reader.follow(
        [block for block in blocks_of(f"docs/how-to/frameworks/{name}.md") if block.kind != "not run"]
    )
    return reader
