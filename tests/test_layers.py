"""Imports point down, and importing any module costs nothing. The table is the picture of the project."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import resolve_name
from itertools import chain
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PACKAGES = ("judge", "distill", "benchmarks", "app")
HEAVY = ("torch", "transformers", "pandas", "pyarrow", "datasets", "scipy", "matplotlib", "streamlit", "vllm")

SCREENS = "app/screens/"  # run by Streamlit's server alone

# A file may import files of lower layers only, so two files of one layer never import each other.
LAYERS = {
    "judge/bootstrap.py": 0,
    "judge/errors.py": 0,
    "judge/metrics/__init__.py": 0,
    "judge/records.py": 0,
    "judge/progress.py": 0,
    "judge/svg.py": 0,
    "judge/backends/cpu.py": 0,
    "judge/backends/packing.py": 0,
    "judge/backends/__init__.py": 1,
    "judge/files.py": 1,
    "judge/orders.py": 1,
    "judge/parsing.py": 1,
    "judge/prompts/__init__.py": 1,
    "judge/rows.py": 1,
    "judge/separation.py": 2,
    "judge/shards.py": 1,
    "judge/tokens.py": 1,
    "judge/wording.py": 1,
    "judge/adapters.py": 2,
    "judge/backends/decoding.py": 0,
    "judge/methods/__init__.py": 2,
    "judge/steps.py": 1,
    "judge/backends/chat_text.py": 2,
    "judge/backends/scripted.py": 2,
    "judge/cells.py": 2,
    "judge/formats.py": 2,
    "judge/gguf.py": 2,
    "judge/hub.py": 2,
    "judge/ledger.py": 2,
    "judge/metrics/baselines.py": 2,
    "judge/metrics/panel.py": 2,
    "judge/pairfile.py": 2,
    "judge/summary.py": 2,
    "judge/basemodels.py": 3,
    "judge/evaluate.py": 3,
    "judge/methods/asking.py": 3,
    "judge/metrics/agreement.py": 3,
    "judge/metrics/bias.py": 3,
    "judge/metrics/calibration.py": 3,
    "judge/metrics/inconsistency.py": 3,
    "judge/metrics/kappa.py": 3,
    "judge/metrics/ranking.py": 3,
    "judge/metrics/significance.py": 3,
    "judge/methods/auto.py": 3,
    "judge/options.py": 4,
    "judge/gate.py": 1,
    "judge/approved.py": 2,
    "judge/suite.py": 5,
    "judge/casefile.py": 6,
    "judge/pytest_run.py": 6,
    "judge/pytest_judge.py": 7,
    "judge/pytest_cases.py": 8,
    "judge/pytest_plugin.py": 9,
    "judge/votefile.py": 3,
    "judge/findings.py": 3,
    "judge/plots.py": 3,
    "judge/backends/loaded.py": 4,
    "judge/backends/local.py": 4,
    "judge/report.py": 4,
    "judge/study.py": 4,
    "judge/methods/cot.py": 4,
    "judge/methods/direct.py": 4,
    "judge/methods/bsm.py": 4,
    "judge/methods/voting.py": 4,
    "judge/methods/rar.py": 5,
    "judge/methods/s2a.py": 5,
    "judge/backends/embedded.py": 5,
    "judge/backends/chat_way.py": 4,
    "judge/backends/endpoint.py": 3,
    "judge/backends/tokens_way.py": 5,
    "judge/backends/openai_server.py": 6,
    "judge/backends/vllm_engine.py": 5,
    "judge/gallery.py": 5,
    "judge/glossary.py": 5,
    "judge/scoreboard.py": 6,
    "judge/charts.py": 7,
    "judge/studypage.py": 8,
    "judge/__init__.py": 5,
    "judge/console.py": 9,
    "judge/adaptercheck.py": 6,
    "judge/adapter_commands.py": 10,
    "judge/cli.py": 11,
    "benchmarks/__init__.py": 6,
    "benchmarks/dataset.py": 6,
    "benchmarks/provenance.py": 6,
    "benchmarks/sources.py": 6,
    "distill/__init__.py": 6,
    "distill/history.py": 6,
    "distill/curves.py": 7,
    "distill/contrast.py": 10,
    "distill/constraints.py": 11,
    "distill/traces.py": 6,
    "distill/selection.py": 7,
    "distill/selectionfile.py": 8,
    "distill/selectionreport.py": 8,
    "distill/recipe.py": 7,
    "distill/clean.py": 8,
    "distill/pairs.py": 9,
    "distill/votes.py": 10,
    "distill/folder.py": 8,
    "distill/frozen.py": 6,
    "distill/loss.py": 6,
    "distill/examples.py": 8,
    "distill/student.py": 9,
    "distill/train.py": 10,
    "distill/stages.py": 11,
    "distill/trainstage.py": 12,
    "distill/commands.py": 13,
    "app/__init__.py": 7,
    "app/exporting.py": 7,
    "app/judging.py": 7,
    "app/markup.py": 7,
    "app/pairindex.py": 7,
    "app/settings.py": 7,
    "app/store.py": 7,
    "app/agreement.py": 8,
    "app/queues.py": 8,
    "app/screens/__init__.py": 7,
    "app/screens/shell.py": 9,
    "app/screens/adjudicate.py": 10,
    "app/screens/agreement.py": 10,
    "app/screens/export.py": 10,
    "app/screens/review.py": 10,
    "app/screens/why.py": 10,
    "app/screens/try_it.py": 11,
    "app/screens/main.py": 12,
    "app/commands.py": 10,
    "benchmarks/power.py": 7,
    "benchmarks/plugin.py": 8,
    "benchmarks/branch.py": 8,
    "benchmarks/hh_rlhf.py": 7,
    "benchmarks/llmbar.py": 7,
    "benchmarks/mt_bench.py": 7,
    "benchmarks/oasst.py": 7,
    "benchmarks/own_file.py": 7,
    "benchmarks/pictures.py": 8,
    "benchmarks/experiments.py": 14,
    "benchmarks/processes.py": 6,
    "benchmarks/training.py": 11,
    "benchmarks/speed.py": 12,
    "benchmarks/methods.py": 13,
    "benchmarks/run.py": 10,
    "benchmarks/tables.py": 14,
    "benchmarks/result.py": 9,
    "benchmarks/selfcheck.py": 8,
}


def test_every_module_has_its_layer():
    files = {path.relative_to(CHECKOUT).as_posix() for path in modules()}
    assert sorted(files - LAYERS.keys()) == [], "add these to LAYERS, as low as their imports allow"
    assert sorted(LAYERS.keys() - files) == [], "these are gone: take them out of LAYERS"


def test_imports_point_down():
    sources = {path.relative_to(CHECKOUT).as_posix(): path.read_text(encoding="utf-8") for path in modules()}
    assert list(offences(sources, LAYERS)) == []


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
    called = {"yaml": "pyyaml"}
    others = {called.get(name, name) for name in imported - sys.stdlib_module_names - set(PACKAGES)}
    assert sorted(name for name in others if name.replace("_", "-") not in declared) == []


def test_an_upward_import_is_found_even_inside_a_function():
    sources = {"judge/low.py": "def f():\n    from judge.high import g\n", "judge/high.py": ""}
    assert list(offences(sources, {"judge/low.py": 0, "judge/high.py": 1})) == [
        "judge/low.py (layer 0) imports judge/high.py (layer 1)"
    ]


def test_an_import_within_one_layer_is_found_however_it_is_written():
    for line in ("import judge.b.c", "from judge.b import c", "from judge.b.c import x", "from .b import c"):
        sources = {"judge/a.py": line, "judge/b/c.py": "", "judge/b/__init__.py": ""}
        layers = {"judge/b/__init__.py": 0, "judge/a.py": 1, "judge/b/c.py": 1}
        assert list(offences(sources, layers)) == ["judge/a.py (layer 1) imports judge/b/c.py (layer 1)"], (
            line
        )


def test_importing_any_module_costs_nothing():
    files = [path.relative_to(CHECKOUT).as_posix() for path in modules()]
    names = sorted(name_of(file) for file in files if not file.startswith(SCREENS))
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


def offences(sources: Mapping[str, str], layers: Mapping[str, int]) -> Iterator[str]:
    """One line for each file and each file of its own or a higher layer that it imports."""
    file_of = {name_of(file): file for file in sources}
    for file, source in sources.items():
        package = name_of(file) if file.endswith("/__init__.py") else name_of(file).rpartition(".")[0]
        for imported in sorted(imported_files(imported_names(source, package), file_of) - {file}):
            if {file, imported} <= layers.keys() and layers[imported] >= layers[file]:
                yield f"{file} (layer {layers[file]}) imports {imported} (layer {layers[imported]})"


def imported_names(source: str, package: str) -> Iterator[str]:
    """Dotted names of all imports, those inside functions too; `from a import b` gives `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def imported_files(names: Iterable[str], file_of: Mapping[str, str]) -> set[str]:
    """The files that define those names: the module itself, or the one the name is taken from."""
    found = (file_of.get(name) or file_of.get(name.rpartition(".")[0]) for name in names)
    return {file for file in found if file is not None}
