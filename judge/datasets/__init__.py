"""Data sets with people's votes, one per file, each read as a `judge.datasets.dataset.Dataset`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from judge.registry import Registry

if TYPE_CHECKING:
    from judge.datasets.dataset import DataSource

OURS = {
    "mt-bench": "judge.datasets.mt_bench:MT_BENCH",
    "oasst": "judge.datasets.oasst:OASST",
    "llmbar": "judge.datasets.llmbar:LLMBAR",
    "hh-rlhf": "judge.datasets.hh_rlhf:HH_RLHF",
}
"""Our own. One more needs its file beside these and its line here: docs/how-to/add-a-data-set.md."""


def fault_of(name: str, found: object) -> str:
    """Why an object of another package is not a data set, or ""."""
    from judge.datasets.dataset import DataSource

    return "" if isinstance(found, DataSource) else f"it is no DataSource, but {type(found).__name__}"


DATA_SETS: Registry[DataSource] = Registry("judge.datasets", "data set", OURS, fault_of)
"""Every data set by name, those of other packages too."""
