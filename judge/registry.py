"""Names -> methods, backends, metrics, data sets, forms: our own, and the entry points of other packages.

A room keeps its table, `Registry("judge.methods", "method", {"direct": "judge.methods.direct:Direct", ...})`.
Another package adds to it with an entry point in the group of that name. Nothing is imported before it is
asked for by its name, so a broken plug-in disturbs nobody who does not use it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from judge.errors import PluginError
from judge.io.wording import did_you_mean, one_line

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")

OUR_PACKAGE = "four-token-judge"


@dataclass(frozen=True, slots=True)
class Registry(Generic[T]):
    """The objects of one kind, by name.

    Args:
        group: of the entry points, for example "judge.methods".
        what: what messages call one of them, for example "method".
        ours: our own, name -> "module:object", in the order in which they are listed.
        fault: why an object of another package is not one of these, in words ("has no read"), or "". Ours are
        not checked.
    """

    group: str
    what: str
    ours: Mapping[str, str]
    fault: Callable[[str, object], str]

    def names(self) -> list[str]:
        """Our own names in their order, then those of other packages. Imports none of them."""
        others = {point.name for point in entry_points_of(self.group)}
        return [*self.ours, *sorted(others - self.ours.keys())]

    def __contains__(self, name: object) -> bool:
        """Whether there is one of that name; if it is ours, other packages are not searched."""
        return name in self.ours or any(point.name == name for point in entry_points_of(self.group))

    def find(self, name: str) -> T | None:
        """The object of that name, imported now; None if there is none.

        Raises:
            PluginError: two packages define that name, or the other package's object cannot be used.
        """
        found = [point for point in entry_points_of(self.group) if point.name == name]
        owners = [OUR_PACKAGE] * (name in self.ours) + [package_of(point) for point in found]
        if len(owners) > 1:
            raise PluginError(
                f"{self.what} {name}: there are {len(owners)} of that name, in {' and '.join(owners)}. "
                "Uninstall one of these packages."
            )
        if name in self.ours:
            return cast("T", object_at(self.ours[name]))
        return self._loaded(found[0]) if found else None

    def __getitem__(self, name: str) -> T:
        """One of our own. Raises KeyError where we have none of that name."""
        return cast("T", object_at(self.ours[name]))

    def like(self, name: str) -> str:
        """The end of a message: a question whether a similar name was meant, or ""."""
        return did_you_mean(name, self.names())

    def _loaded(self, point: EntryPoint) -> T:
        found = load(point, self.what)
        if fault := self.fault(point.name, found):
            raise PluginError(f"{whose(point, self.what)} cannot be used: {fault}.")
        return cast("T", found)


def load(point: EntryPoint, what: str) -> object:
    """The object of an entry point. Raises PluginError, which names the package, if it cannot be loaded."""
    try:
        return point.load()
    except Exception as error:  # whatever the code of another package raises while it is imported
        why = one_line(f"{type(error).__name__}: {error}")
        raise PluginError(f"{whose(point, what)} cannot be used: {why}.") from error


def whose(point: EntryPoint, what: str) -> str:
    """For example: method loud of the package judge-loud 1.0 (judge_loud.method:Loud)."""
    return f"{what} {point.name} of the package {package_of(point)} ({point.value})"


def package_of(point: EntryPoint) -> str:
    """The name and version of the package that an entry point comes from."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "a package without a name"


def lacks(found: object, *names: str) -> str:
    """What is wrong with an object that should be a class with these methods, or ""."""
    if not isinstance(found, type):
        return f"it is no class, but {type(found).__name__}"
    missing = [name for name in names if not callable(getattr(found, name, None))]
    return f"it has no {', '.join(missing)}" if missing else ""


def object_at(path: str) -> object:
    """The object that "module:object" names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def entry_points_of(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, on the current path."""
    return _entry_points(group, tuple(sys.path))


@lru_cache(maxsize=32)
def _entry_points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Looked up once per path, as it reads a file of every installed package."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group=group))
