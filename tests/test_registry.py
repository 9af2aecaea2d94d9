"""Names from our own tables and from other packages: found lazily, told apart, and refused in one line."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pairs import FOUR_PAIRS
from plugins import make_package, run_judge

from distill.recipe import Teacher
from judge.backends import BACKENDS, load_backend
from judge.datasets import DATA_SETS
from judge.datasets.dataset import DataSource
from judge.errors import InputError, PluginError
from judge.forms import FORMS
from judge.io.pairs import write_pairs
from judge.methods import METHODS, load_method
from judge.metrics import METRICS, own_metrics
from judge.metrics.metric import Unit
from judge.plugin.run import RunSettings
from judge.study.scoreboard import CELLS

ALL = (METHODS, BACKENDS, METRICS, DATA_SETS, FORMS)
GOOD = "from judge.methods.direct import Direct\n\n\nclass Loud(Direct):\n    pass\n"
BROKEN = """
import judge.metrics.agreement
from judge.metrics.agreement import STRICT


class Silent:
    def prepare(self, pairs): ...


def function(): ...
"""
POINTS = {
    "judge.methods": {
        "gone": "no_such_module.at_all:Method",
        "nameless": "broken_parts:Missing",
        "silent": "broken_parts:Silent",
        "raises": "broken_raises:Method",
    },
    "judge.backends": {"plain": "broken_parts:function"},
    "judge.metrics": {"misnamed": "broken_parts:STRICT", "half_done": "broken_parts:Silent"},
    "judge.datasets": {"no-data": "broken_parts:function"},
    "judge.commands": {"shout": "no_such_module:app", "mutter": "broken_parts:function"},
}
FAULTS = {
    "run pairs.jsonl --backend scripted:longer --method gone": "No module named 'no_such_module'",
    "run pairs.jsonl --backend scripted:longer --method nameless": "has no attribute 'Missing'",
    "run pairs.jsonl --backend scripted:longer --method silent": "it has no read.",
    "run pairs.jsonl --backend scripted:longer --method raises": "ValueError: two lines",
    "run pairs.jsonl --backend plain:x": "it is no class, but function.",
    "bench pairs.jsonl --metric misnamed": "its name is strict, and that of its entry point is misnamed.",
    "bench pairs.jsonl --metric half_done": "it is no Metric, but type.",
    "bench no-data": "it is no DataSource, but function.",
    "shout --loud": "No module named 'no_such_module'",
    "mutter": "it is no typer.Typer, but function.",
}


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Puts packages where Python finds them, for one test."""

    def put(name: str, files: dict[str, str], entry_points: dict[str, dict[str, str]], version: str = "1.0"):
        monkeypatch.syspath_prepend(make_package(tmp_path / name, name, files, entry_points, version))
        for file in files:
            monkeypatch.delitem(sys.modules, file.removesuffix(".py"), raising=False)

    return put


@pytest.fixture
def broken(tmp_path):
    files = {"broken_parts.py": BROKEN, "broken_raises.py": 'raise ValueError("two\\nlines")\n'}
    write_pairs(tmp_path / "pairs.jsonl", FOUR_PAIRS)
    return make_package(tmp_path / "broken", "judge-broken", files, POINTS, "0.3")


@pytest.mark.slow
def test_each_broken_part_of_a_package_is_one_line_with_its_name(broken, tmp_path):
    done = run_judge([["judge", *command.split()] for command in FAULTS], broken, tmp_path)
    for one, (command, fault) in zip(done, FAULTS.items(), strict=True):
        assert one.code == 2, command
        assert one.err.count("\n") == 1, one.err
        assert "of the package judge-broken 0.3 (" in one.err
        assert "cannot be used: " in one.err
        assert fault in one.err
        [verb, *arguments] = command.split()
        named = verb if verb in POINTS["judge.commands"] else arguments[-1].partition(":")[0]
        assert f" {named} of the package" in one.err


@pytest.mark.slow
def test_a_broken_package_disturbs_nobody_who_does_not_name_it(broken, tmp_path):
    fine = [
        "judge run pairs.jsonl --backend scripted:longer --out verdicts.jsonl --quiet",
        "judge report verdicts.jsonl",
        "judge --help",
        "judge run --help",
        "judge bench --help",
    ]
    done = run_judge([command.split() for command in fine], broken, tmp_path)
    assert [(one.code, one.err) for one in done] == [(0, "")] * len(fine)


@pytest.mark.parametrize("registry", ALL, ids=lambda registry: registry.what)
def test_every_one_of_ours_can_be_found(registry):
    assert list(registry.ours)
    for name in registry.ours:
        assert registry.find(name) is registry[name]
        assert registry.fault(name, registry[name]) == ""


def test_ours_are_listed_first_and_nothing_is_imported_to_list_others(beside):
    before = METHODS.names()
    beside("judge-odd", {}, {"judge.methods": {"zz": "no_such:Thing", "aa": "no_such:Thing"}})
    assert METHODS.names() == [*before, "aa", "zz"]
    assert "aa" in METHODS
    assert "bb" not in METHODS


def test_a_method_of_another_package_goes_wherever_a_method_can_be_named(beside):
    beside("judge-loud", {"loud.py": GOOD}, {"judge.methods": {"loud": "loud:Loud"}})
    assert type(load_method("loud", load_backend("scripted:longer"))).__name__ == "Loud"
    assert Teacher(method="loud").method == "loud"
    assert RunSettings(method="loud").options.method == "loud"


def test_two_packages_with_one_name_are_refused(beside):
    for name, version in (("judge-loud", "1.0"), ("judge-louder", "2.1")):
        beside(name, {"loud.py": GOOD}, {"judge.methods": {"loud": "loud:Loud"}}, version)
    with pytest.raises(PluginError) as refused:
        METHODS.find("loud")
    said = str(refused.value)
    assert said.startswith("method loud: there are 2 of that name, in judge-loud")
    assert "judge-loud 1.0" in said
    assert "judge-louder 2.1" in said
    assert "\n" not in said
    assert METHODS.names().count("loud") == 1


def test_a_package_cannot_take_one_of_our_names(beside):
    beside("judge-loud", {"loud.py": GOOD}, {"judge.methods": {"direct": "loud:Loud"}})
    with pytest.raises(PluginError, match=r"method direct: .* four-token-judge and judge-loud 1\.0\. Uninst"):
        METHODS.find("direct")
    assert METHODS.names().count("direct") == 1


@pytest.mark.parametrize(
    ("load", "listed", "meant"),
    [
        (lambda: load_method("dierct", load_backend("scripted:longer")), "cot, rar,", "direct"),
        (lambda: load_backend("scriptd:longer"), "There are: embedded, vllm, server, scripted, ", "scripted"),
        (lambda: load_backend("othr"), ", other.", "other"),
    ],
)
def test_an_unknown_name_lists_what_there_is_and_suggests_a_close_one(beside, load, listed, meant):
    beside("judge-odd", {}, {"judge.backends": {"other": "no_such:Thing"}})
    with pytest.raises(InputError) as refused:
        load()
    assert listed in str(refused.value)
    assert str(refused.value).endswith(f" Did you mean {meant}?")
    with pytest.raises(InputError, match=r"other\.$"):
        load_backend("zzz")


def test_naming_what_there_is_imports_no_reader_of_packages():
    program = "import sys, judge.cli.options, judge.bench.run; print('importlib.metadata' in sys.modules)"
    bare = "import sys, typer, numpy; print('importlib.metadata' in sys.modules)"
    said = [
        subprocess.run([sys.executable, "-c", one], capture_output=True, text=True) for one in (bare, program)
    ]
    assert said[1].stderr == ""
    assert said[0].stdout == said[1].stdout


def test_every_metric_of_ours_says_what_it_is():
    metrics = own_metrics()
    assert [metric.name for metric in metrics] == list(METRICS.ours)
    assert len({metric.label for metric in metrics}) == len(metrics)
    assert [metric.name for metric in metrics if not metric.meaning.endswith(".")] == []
    assert all(metric.of_judge or metric.of_people for metric in metrics)


def test_every_unit_has_its_way_of_being_written():
    assert CELLS.keys() == set(Unit)


def test_a_data_set_says_what_is_judged_where_nobody_says():
    said = {name: DATA_SETS[name] for name in DATA_SETS.ours}
    assert all(isinstance(source, DataSource) for source in said.values())
    defaults = {name: (source.turn, source.votes) for name, source in said.items()}
    assert defaults.items() >= {
        "mt-bench": ("1", "experts"), "oasst": ("1", ""), "llmbar": ("any", ""), "hh-rlhf": ("1", ""),
    }.items()  # fmt: skip
