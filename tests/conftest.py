"""What several test files need: the real data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data: JUDGE_DATA, or ../shared/data beside the checkout.

    Where it is absent the test is skipped, or fails if JUDGE_REQUIRE_DATA=1 (as in .ci/run).
    """
    folder = Path(os.environ.get("JUDGE_DATA") or CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        reason = f"no real data in {folder}; JUDGE_DATA=FOLDER names another place"
        if os.environ.get("JUDGE_REQUIRE_DATA") == "1":
            pytest.fail(f"{reason} (JUDGE_REQUIRE_DATA=1)")
        pytest.skip(reason)
    return folder
