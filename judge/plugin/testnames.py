"""What a test is called, in every process of a run."""

from __future__ import annotations

import pytest


def id_of_test(item: pytest.Item) -> str:
    """The id that selects a test, and that its approved answers are called by.

    In workers of pytest-xdist `--dist loadgroup` puts "@" and the names of its groups after a test's id: that
    is cut off.
    """
    marks = item.iter_markers("xdist_group")
    groups = {str(mark.args[0] if mark.args else mark.kwargs.get("name", "default")) for mark in marks}
    return item.nodeid.removesuffix(f"@{'_'.join(sorted(groups))}") if groups else item.nodeid
