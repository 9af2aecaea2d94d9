"""The order of a suite that may stop early: the tests that come first must be like those that come after.

Suites are grouped by file and topic, and a topic that goes badly is no sample of the suite. So judge tests
are mixed: they come after all others, in an order that has nothing to do with their places and is the same in
every run, and so in every worker of pytest-xdist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from judge.plugin.suite import mixed
from judge.plugin.testnames import id_of_test

SHARED = ("class", "module", "package")
"""Scopes of fixtures that would be set up again and again if other tests came between."""


def in_mixed_order(
    items: Sequence[pytest.Item], is_judged: Callable[[pytest.Item], bool]
) -> list[pytest.Item]:
    """The other tests as they are, and then the judge tests, block by block."""
    blocks: dict[str, list[pytest.Item]] = {}
    for item in filter(is_judged, items):
        blocks.setdefault(block_of(item), []).append(item)
    others = [item for item in items if not is_judged(item)]
    return others + [item for name in sorted(blocks, key=mixed) for item in blocks[name]]


def block_of(item: pytest.Item) -> str:
    """The name of the tests that stay together with this one, as they are.

    Those are the cases of a cluster, and the tests of a file that share a fixture with others.
    """
    if case := getattr(item, "judge_case", None):
        return str(case.cluster)
    name = id_of_test(item)
    return name.partition("::")[0] if shares_a_fixture(item) else name


def shares_a_fixture(item: pytest.Item) -> bool:
    """Whether a fixture of a test outlives it and not the session, or does and has parameters."""
    info = getattr(item, "_fixtureinfo", None)  # only tests that are functions have fixtures
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return info is not None and any(
        one.scope in SHARED or (one.scope == "session" and name in parameters)
        for name, defined in info.name2fixturedefs.items()
        for one in defined
    )
