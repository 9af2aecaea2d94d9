"""Fixtures of a wider scope than a test: what they compare and approve is not one test's alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from judge.plugin.run import Record


class Setup(NamedTuple):
    """A fixture that is being set up. `names` are those of its approved answers so far."""

    definition: pytest.FixtureDef[Any]
    request: Any
    names: dict[str, bool]


SETUPS: pytest.StashKey[list[Setup]] = pytest.StashKey()
"""The fixtures that are being set up now, the outermost first."""

CURRENT: pytest.StashKey[pytest.Item] = pytest.StashKey()
"""The test that runs now, whether it judges or not."""

SHARED: pytest.StashKey[list[Record]] = pytest.StashKey()
"""Of a test, the records that fixtures of a wider scope made in it; they are there when it is rerun, too."""


def shared_one(config: pytest.Config) -> Setup | None:
    """The outermost fixture of a wider scope than a test that is being set up."""
    return next((one for one in config.stash.get(SETUPS, []) if one.definition.scope != "function"), None)


def file_of(setup: Setup) -> Path:
    """The file whose tests share a fixture, or its own where those of several do."""
    import inspect

    if setup.definition.scope in ("class", "module"):
        return Path(setup.request.node.path)
    return Path(inspect.getfile(inspect.unwrap(setup.definition.func)))


def key_of_fixture(setup: Setup) -> str:
    """What the approved answers of a fixture are called, as they belong to no test."""
    place = f"{setup.request.node.name}." if setup.definition.scope == "class" else ""
    parameter = f"[{setup.request.param_index}]" if hasattr(setup.request, "param") else ""
    return f"{place}fixture {setup.definition.argname}{parameter}"
