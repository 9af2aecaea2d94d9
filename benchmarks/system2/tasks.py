"""All tasks by name, in the order of the paper's tables."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.system2 import coin_flip, gsm8k, last_letters, sycophancy
from benchmarks.system2.task import Task

TASKS: Mapping[str, Task] = {
    module.NAME: module.TASK for module in (last_letters, coin_flip, sycophancy, gsm8k)
}
