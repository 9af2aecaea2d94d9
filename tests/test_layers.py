"""Imports point down, and importing any module costs nothing. The table is the picture of the project."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from itertools import chain
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PACKAGES = ("judge", "distill", "benchmarks", "app")
HEAVY = (
    "torch",
    "transformers",
    "pandas",
    "pyarrow",
    "datasets",
    "scipy",
    "matplotlib",
    "streamlit",
    "vllm",
    "ray",
)

PAGES = "app/"  # run by Streamlit's server alone

# The house, from the ground up: a room imports from the floors below it and from itself, in no circle.
FLOORS = (
    ("judge/records.py", "judge/errors.py", "judge/progress.py", "judge/hardware.py", "judge/_version.py"),
    ("judge/orders.py",),
    ("judge/io",),
    ("judge/registry.py", "judge/prompts", "judge/drawing"),
    ("judge/models", "judge/metrics", "judge/forms"),
    ("judge/backends",),
    ("judge/methods", "judge/ledger"),
    ("judge/evaluate.py", "judge/options.py", "judge/datasets", "judge/provenance.py"),
    ("judge/report",),
    ("judge/study",),
    ("judge/api.py", "judge/cluster"),
    ("judge/bench", "judge/review", "judge/ranking"),
    ("judge/serve",),
    ("judge/plugin", "judge/frameworks", "judge/cli", "distill/negatives"),
    ("judge/__init__.py", "judge/__main__.py", "distill", "app"),
    ("benchmarks",),
)


def test_every_module_has_its_room():
    rooms = set(chain(*FLOORS))
    lost = [file for file in sources_of_ours() if room_of(file) is None]
    assert lost == [], "these lie in no room of FLOORS"
    assert sorted(rooms - {room_of(file) for file in sources_of_ours()}) == [], "these rooms are empty"


def test_the_table_of_rooms_in_the_guide_for_contributors_is_this_one():
    text = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `([^`]+)` \| \S.* \|$", text, re.MULTILINE)
    assert rows == [(str(floor), room) for floor, rooms in enumerate(FLOORS) for room in rooms]


def test_imports_point_down():
    assert list(offences(sources_of_ours())) == []


def test_no_two_files_of_a_room_import_each_other():
    assert list(circles(sources_of_ours())) == []


def test_judge_imports_no_other_package_of_ours():
    found = [
        f"{path.relative_to(CHECKOUT)} imports {name}"
        for path in modules()
        if path.is_relative_to(CHECKOUT / "judge")
        for name in imported_names(path.read_text(encoding="utf-8"), "judge")
        if name.partition(".")[0] in PACKAGES[1:]
    ]
    assert found == []


def test_every_package_that_judge_imports_is_declared():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {
        re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")
        for requirement in chain(project["dependencies"], *project["optional-dependencies"].values())
    }
    imported = {
        name.partition(".")[0]
        for path in modules()
        if path.is_relative_to(CHECKOUT / "judge")
        for name in imported_names(path.read_text(encoding="utf-8"), "judge")
    }
    called = {"pydantic_core": "pydantic", "yaml": "pyyaml"}
    others = {called.get(name, name) for name in imported - sys.stdlib_module_names - set(PACKAGES)}
    assert sorted(name for name in others if name.replace("_", "-") not in declared) == []


def test_an_upward_import_is_found_even_inside_a_function():
    sources = {"judge/io/low.py": "def f():\n    from judge.study.high import g\n", "judge/study/high.py": ""}
    assert list(offences(sources)) == ["judge/io/low.py imports judge/study/high.py, which is not below it"]


def test_an_import_across_a_floor_is_found_however_it_is_written():
    lines = ("import judge.ledger.c", "from judge.ledger import c", "from judge.ledger.c import x")
    for line in (*lines, "from ..ledger import c"):
        sources = {"judge/methods/a.py": line, "judge/ledger/c.py": "", "judge/ledger/__init__.py": ""}
        assert "judge/methods/a.py imports judge/ledger/c.py, which is not below it" in offences(sources), (
            line
        )


def test_a_circle_is_found():
    sources = {
        "judge/io/a.py": "import judge.io.b",
        "judge/io/b.py": "def f():\n    from judge.io.c import x\n",
        "judge/io/c.py": "from judge.io import a",
        "judge/io/d.py": "from judge.io import a",
    }
    assert list(circles(sources)) == ["judge/io/a.py -> judge/io/b.py -> judge/io/c.py -> judge/io/a.py"]


def test_importing_any_module_costs_nothing():
    files = [path.relative_to(CHECKOUT).as_posix() for path in modules()]
    names = sorted(name_of(file) for file in files if not file.startswith(PAGES))
    program = (
        "import importlib, json, sys\n"
        "heavy, names = json.load(sys.stdin)\n"
        "brought, before = {}, set()\n"
        "for name in names:\n"
        "    importlib.import_module(name)\n"
        "    now = {one for one in heavy if one in sys.modules}\n"
        "    if now - before:\n"
        "        brought[name] = sorted(now - before)\n"
        "    before = now\n"
        "print(json.dumps(brought))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([HEAVY, names]),
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}, "these modules bring heavy packages: import them inside functions"


def modules() -> list[Path]:
    """Every Python file of the four packages."""
    return sorted(path for package in PACKAGES for path in (CHECKOUT / package).rglob("*.py"))


def name_of(file: str) -> str:
    """The dotted name of the module in `file`, for instance judge/prompts/__init__.py -> judge.prompts."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def sources_of_ours() -> dict[str, str]:
    """The text of every Python file of the four packages, by its path from the checkout."""
    return {path.relative_to(CHECKOUT).as_posix(): path.read_text(encoding="utf-8") for path in modules()}


def room_of(file: str) -> str | None:
    """The room of `FLOORS` that the file lies in, or that it is."""
    rooms = (room for room in chain(*FLOORS) if file == room or file.startswith(f"{room}/"))
    return next(rooms, None)


def floor_of(file: str) -> int:
    return next(floor for floor, rooms in enumerate(FLOORS) if room_of(file) in rooms)


def offences(sources: Mapping[str, str]) -> Iterator[str]:
    """One line for each file and each file that it imports of another room of its own or a higher floor."""
    for file, imported in imports_in(sources).items():
        for other in sorted(imported):
            if room_of(file) != room_of(other) and floor_of(other) >= floor_of(file):
                yield f"{file} imports {other}, which is not below it"


def circles(sources: Mapping[str, str]) -> Iterator[str]:
    """The first circle of imports within a room, if there is one, as the way round."""
    graph = {
        file: sorted(other for other in imported if room_of(other) == room_of(file))
        for file, imported in imports_in(sources).items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield " -> ".join(reversed(error.args[1]))


def imports_in(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """The files among these that each of them imports, itself left out."""
    file_of = {name_of(file): file for file in sources}
    found = {}
    for file, source in sources.items():
        package = name_of(file) if file.endswith("/__init__.py") else name_of(file).rpartition(".")[0]
        found[file] = imported_files(imported_names(source, package), file_of) - {file}
    return found


def imported_names(source: str, package: str) -> Iterator[str]:
    """Dotted names of all imports, those inside functions too; `from a import b` gives `a.b`."""
    for level, module, name in imports_of(source):
        if name is None:
            yield module
        else:
            yield f"{resolve_name('.' * level + module, package)}.{name}"


@cache
def imports_of(source: str) -> list[tuple[int, str, str | None]]:
    """All imports of a source as (dots, module, name); the name is None for `import module`."""
    found: list[tuple[int, str, str | None]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(0, alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.level, node.module or "", alias.name) for alias in node.names]
    return found


def imported_files(names: Iterable[str], file_of: Mapping[str, str]) -> set[str]:
    """The files that define those names: the module itself, or the one the name is taken from."""
    found = (file_of.get(name) or file_of.get(name.rpartition(".")[0]) for name in names)
    return {file for file in found if file is not None}
