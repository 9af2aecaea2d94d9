"""Separate processes for what is measured side by side, so that memory and allocator settings stay apart."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def in_fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    with one_process() as pool:
        return pool.submit(function, *arguments).result()


def one_process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
