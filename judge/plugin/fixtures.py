"""Fixtures of a wider scope than a test: what they compare and approve is not one test's alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from judge.plugin.run import Record

BASELINES = "judge_baselines"
"""The folders of approved answers, beside the tests."""


class WideFixture(NamedTuple):
    """A fixture of a wider scope than a test. `names` are those of its approved answers so far."""

    definition: pytest.FixtureDef[Any]
    request: Any
    names: dict[str, bool]
    phase: str = "set-up"


ACTIVE: pytest.StashKey[list[WideFixture]] = pytest.StashKey()
"""The wide fixtures that are set up or torn down now, the outermost first."""

CURRENT: pytest.StashKey[pytest.Item] = pytest.StashKey()
"""The test that runs now, whether it judges or not."""

RECORDS: pytest.StashKey[list[Record]] = pytest.StashKey()
"""What was compared in a test, by itself or by its fixtures."""

SHARED: pytest.StashKey[list[Record]] = pytest.StashKey()
"""Of these, the records that wide fixtures made; they are there when the test is rerun, too."""


def shared_one(config: pytest.Config) -> WideFixture | None:
    """The wide fixture that is set up or torn down now: the innermost, which may be without the others."""
    active = config.stash.get(ACTIVE, [])
    return active[-1] if active else None


def enter(fixture: WideFixture) -> None:
    """From now on comparisons are those of the fixture. What it compared in an earlier try is replaced."""
    config = fixture.request.config
    config.stash.setdefault(ACTIVE, []).append(fixture)
    item = config.stash.get(CURRENT, None)
    if item is not None and fixture.phase == "set-up":
        forget(item, fixture, RECORDS, SHARED)


def leave(fixture: WideFixture) -> None:
    """From now on comparisons are not those of the fixture, until its own finalizers run."""
    fixture.request.config.stash[ACTIVE].remove(fixture)


def forget(item: pytest.Item, fixture: WideFixture, *places: pytest.StashKey[list[Record]]) -> None:
    """Drops what a fixture compared in a test from these lists of its records."""
    for place in places:
        if records := item.stash.get(place, []):
            name = id_of(fixture)
            records[:] = [one for one in records if "shared" not in one or one["shared"][0] != name]


def id_of(fixture: WideFixture) -> str:
    """What tells a fixture from all others of the run, the same in every worker of pytest-xdist."""
    definition = fixture.definition
    made_in = getattr(definition.func, "__module__", "")
    where = [fixture.request.node.nodeid, definition.baseid, made_in, definition.argname]
    return repr([*where, parameter_of(fixture)])


def parameter_of(fixture: WideFixture) -> str:
    """Which of its parameters a fixture has, "" without any.

    Tests may each give it a list of their own, so its number is not enough; nor is what it is, where that
    says no more than a place in memory.
    """
    request = fixture.request
    if not hasattr(request, "param"):
        return ""
    value = repr(request.param)
    if " at 0x" in value:
        is_own = fixture.definition.params is not None
        value = "" if is_own else request.config.stash[CURRENT].nodeid.partition("[")[0]
    return f"[{request.param_index}] {value}"


def file_of(fixture: WideFixture) -> Path:
    """The file whose tests share a fixture, or its own where those of several do."""
    if fixture.definition.scope in ("class", "module"):
        return Path(fixture.request.node.path)
    return defined_in(fixture)


def defined_in(fixture: WideFixture) -> Path:
    import inspect

    return Path(inspect.getfile(inspect.unwrap(fixture.definition.func)))


def key_of_fixture(fixture: WideFixture) -> str:
    """What the approved answers of a fixture are called, as they belong to no test."""
    classes = fixture.request.node.nodeid.partition("::")[2].replace("::", ".")
    place = f"{classes}." if fixture.definition.scope == "class" else ""
    parameter = f"[{fixture.request.param_index}]" if hasattr(fixture.request, "param") else ""
    return f"{place}fixture {fixture.definition.argname}{parameter}"


def owner_of(fixture: WideFixture) -> tuple[str, object]:
    """Whose an approved answer of a fixture is: in words, and its function, as some are made by one line."""
    definition, node = fixture.definition, fixture.request.node
    number = f"[{fixture.request.param_index}]" if hasattr(fixture.request, "param") else ""
    place = f"{defined_in(fixture).name}, for {node.nodeid or 'all tests'}"
    return f"fixture {definition.argname}{number} in {place}", (definition.func, parameter_of(fixture))
