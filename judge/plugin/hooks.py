"""The pytest plugin: options, the marker, the fixture `judge`, case files, and the gate. Hooks only.

Nothing of the judge is imported before a test uses it: a project without judge tests pays for this file
and `fixtures` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from judge.plugin.fixtures import BASELINES, CURRENT, SHARED, WideFixture, enter, forget, leave

if TYPE_CHECKING:
    from judge.plugin.judging import SuiteJudge
    from judge.plugin.run import SuiteRun

MARKER = (
    "judge(dataset, min_win_rate=0.5, limit=None, criteria=None): judge the file's pairs (a is the new "
    "answer, b the approved one) before the test; it fails where the new answers win too rarely. criteria is "
    "a file or a list of lines. The fixture `judged` has the comparisons."
)
TEXTS = {
    "model": "Base model of the judge.",
    "adapter": "Folder of an adapter; none is the bare base model. By default the distilled judge "
    "that comes with the package.",
    "method": "fast (four tokens), slow (BSM), auto (slow where fast is in doubt), or any other method.",
    "backend": "embedded, vllm, server:URL, judge:URL of a `judge serve`, or scripted:NAME.",
    "base-url": "Address of an OpenAI-compatible server, one for all workers.",
    "inconsistent": "What a test does with a verdict that changes with the order: tie, skip or fail.",
    "gate": "not-worse:MARGIN fails the run if the new answers win significantly less than half the time.",
    "min-readable": "Share that must be readable for the gate or a marker to decide; by default 0.8.",
    "ledger": "File of the ledger; by default in the user's cache.",
    "calibration": "File of `judge calibrate`; what it leaves undecided is no evidence either way.",
    "criteria": "File of criteria for all comparisons that have none of their own; checklist judges by them.",
    "report": "Write an HTML report of all comparisons, a file that ends in .html.",
}
FLAGS = {
    "sequential": "Stop judging as soon as the gate is settled; judge tests come last, in a mixed order.",
    "no-cache": "Judge everything again and keep nothing.",
    "update-baseline": "Approve the new answers: write them beside the tests instead of judging them.",
}
CASE_ENDINGS = ("jsonl", "jsonl.gz", "json", "json.gz", "ndjson", "ndjson.gz", "yaml", "yml")
CASE_FILES = tuple(f"judge_cases.{ending}" for ending in CASE_ENDINGS)
RUN: pytest.StashKey[SuiteRun] = pytest.StashKey()


def key_of(name: str) -> str:
    return f"judge_{name.replace('-', '_')}"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("judge", "judging model outputs")
    for name, text in TEXTS.items():
        group.addoption(f"--judge-{name}", dest=key_of(name), default=None, help=text)
        parser.addini(key_of(name), text, default=None)
    for name, text in FLAGS.items():
        group.addoption(f"--judge-{name}", dest=key_of(name), action="store_true", default=None, help=text)
        if name != "update-baseline":
            parser.addini(key_of(name), text, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist has it, and decides nothing
        config.pluginmanager.register(Decider(config), "judge-decider")
    if settings_in(config):  # wrong settings are an error before any test
        run_of(config)
    if not hasattr(config, "workerinput"):
        warn_of_lost_gate(config)


def warn_of_lost_gate(config: pytest.Config) -> None:
    """Notes for the summary where the command line has options of ours, and a gate in an ini file is lost."""
    if any(config.getoption(key_of(name)) is not None for name in (*TEXTS, *FLAGS)) and (
        warning := lost_gate_of(config)
    ):
        run_of(config).say(warning)


def lost_gate_of(config: pytest.Config) -> str:
    """What to warn of where a gate in an ini file is lost; "" where none is.

    `--judge-gate` on the command line, and an ini file named with -c, are somebody's own choice.
    """
    if config.getoption("judge_gate") is not None or getattr(config.option, "inifilename", None):
        return ""
    from judge.plugin.inifiles import lost_gate

    return lost_gate(config.invocation_params.dir, config.inipath)


def run_of(config: pytest.Config) -> SuiteRun:
    """This run, made when it is first needed. Raises UsageError if its settings are wrong."""
    if RUN not in config.stash:
        from judge.errors import JudgeError
        from judge.plugin.run import RunSettings, SuiteRun

        given = settings_in(config)
        try:
            settings = RunSettings(**given, ini=places_of(config, given))
            config.stash[RUN] = SuiteRun(settings, is_dry=is_dry(config))
        except JudgeError as error:
            raise pytest.UsageError(str(error)) from None
    return config.stash[RUN]


def settings_in(config: pytest.Config) -> dict[str, Any]:
    """What the command line says, or else the ini file; options that neither sets are left out."""
    given: dict[str, Any] = {}
    for name in (*TEXTS, *FLAGS):
        value = config.getoption(key_of(name))
        if value and name in TEXTS and name != "report":
            value = from_where_pytest_began(config, name, value)
        if value is None and name != "update-baseline":
            value = ini_value(config, name)
        if value:
            given[key_of(name).removeprefix("judge_")] = value
    if config.getoption("judge_gate") == "":  # --judge-gate= is a run without the ini file's gate
        given.pop("sequential", None)
    if hasattr(config, "workerinput"):  # a worker writes no report, and its folder may be elsewhere
        given.pop("report", None)
    return given


def places_of(config: pytest.Config, given: Iterable[str]) -> dict[str, str]:
    """Where those of the settings were found that no option gives."""
    keys = {name: f"judge_{name}" for name in given}
    return {name: place_of(config, key) for name, key in keys.items() if config.getoption(key) is None}


def place_of(config: pytest.Config, key: str) -> str:
    """Where a key of an ini file was found: the file in force, or pytest's -o, which goes before it."""
    typed = any(one.partition("=")[0].strip() == key for one in config.getoption("override_ini") or ())
    return "-o" if typed else str(config.inipath)


def from_where_pytest_began(config: pytest.Config, name: str, value: str) -> str:
    """What the command line says: a test that changes the folder changes no file that is meant."""
    from judge.plugin.inifiles import from_folder

    return from_folder(config.invocation_params.dir, name, value)


def ini_value(config: pytest.Config, name: str) -> Any:
    """What the ini file says. Files are named from its folder, wherever pytest is started."""
    key = key_of(name)
    try:
        value = config.getini(key)
    except (TypeError, ValueError, pytest.UsageError) as error:
        where = "" if key in str(error) else f"{place_of(config, key)}: {key}: "  # pytest names some itself
        raise pytest.UsageError(f"{where}{error}.") from None
    if isinstance(value, list):
        raise pytest.UsageError(f'{config.inipath}: {key} is a list. It must be text: {key} = "...".')
    if not value or name in FLAGS:
        return value
    from judge.plugin.inifiles import from_folder

    folder = config.inipath.parent if config.inipath else config.invocation_params.dir
    return from_folder(folder, name, value)


DRY = ("collectonly", "setupplan", "setuponly", "showfixtures", "show_fixtures_per_test", "cacheshow")


def is_dry(config: pytest.Config) -> bool:
    """Whether pytest is asked to run no test at all."""
    return any(getattr(config.option, name, None) for name in DRY)


def is_in_use(config: pytest.Config) -> bool:
    return RUN in config.stash


@pytest.fixture(scope="session")
def judge(request: pytest.FixtureRequest) -> Iterator[SuiteJudge]:
    """A judge of model outputs: `judge.compare(prompt, new, approved)`, `judge.assert_not_worse(...)`."""
    from judge.plugin.judging import SuiteJudge, begin

    run = run_of(request.config)
    if run.item is None and (item := request.config.stash.get(CURRENT, None)) is not None:
        begin(run, item, is_judged(item))  # a test that asks for it by name alone
    yield SuiteJudge(run)
    run.close()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Keeps pytest out of the folders of approved answers, which `--doctest-glob=*.md` would run."""
    return True if collection_path.name == BASELINES else None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.name not in CASE_FILES:
        return None
    from judge.plugin.cases import CaseFile

    return CaseFile.from_parent(parent, path=file_path, run=run_of(parent.config))


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Any:
    result = yield  # plugins that shuffle keep the tests of a file together, so ours is the last word
    if any(map(is_judged, items)) and run_of(config).settings.sequential:
        from judge.plugin.order import in_mixed_order

        items[:] = in_mixed_order(items, is_judged)
    return result


def pytest_collection_finish(session: pytest.Session) -> None:
    if is_in_use(session.config):
        run_of(session.config).collected = [item.nodeid for item in session.items]


def is_judged(item: pytest.Item) -> bool:
    """Whether a test uses a judge, as far as can be told before it runs."""
    has_fixture = not {"judge", "judged"}.isdisjoint(getattr(item, "fixturenames", ()))
    return has_fixture or item.get_closest_marker("judge") is not None or hasattr(item, "judge_case")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.config.stash[CURRENT] = item
    if is_in_use(item.config):
        from judge.plugin.judging import begin

        begin(run_of(item.config), item, is_judged(item))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Any:
    """Inside, and at its teardown, comparisons are those of this fixture; a rerun forgets one that failed."""
    if fixturedef.scope == "function":
        return (yield)
    fixture = WideFixture(fixturedef, request, {})
    enter(fixture)
    fixturedef.addfinalizer(partial(leave, fixture._replace(phase="teardown")))
    try:
        return (yield)
    except BaseException:
        if (item := request.config.stash.get(CURRENT, None)) is not None:
            forget(item, fixture, SHARED)
        raise
    finally:
        leave(fixture)
        fixturedef.addfinalizer(partial(enter, fixture._replace(phase="teardown")))  # runs first


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    if item.get_closest_marker("judge") is not None:
        from judge.plugin.judging import check_data_set

        check_data_set(run_of(item.config), item)


@pytest.fixture
def judged(request: pytest.FixtureRequest) -> Any:
    """The comparisons of the marker's data set, in the file's order."""
    from judge.plugin.judging import judged_by_marker

    return judged_by_marker(run_of(request.config), request.node)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if is_in_use(item.config):  # fixtures compare too, before and after the call
        from judge.plugin.judging import properties_of, told_of
        from judge.plugin.testnames import id_of_test

        report.user_properties = [*report.user_properties, *properties_of(item)]
        if told := told_of(item, report):
            notes = list(run_of(item.config).warnings)
            name = id_of_test(item)
            # Travels with it from a worker to the controller.
            report.judge = {**told, "notes": notes, "name": name}
    return report


class Decider:
    """The work of pytest-xdist's controller, or of the only process: it has all records, and decides."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.collected: list[str] = []
        self.has_summarised = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if told := getattr(report, "judge", None):
            run = run_of(self.config)
            run.collected = run.collected or self.collected
            run.approved += told["approved"]
            for line in told["notes"]:
                run.say(line)
            run.names[report.nodeid] = told["name"]
            run.add(report.nodeid, told["records"])
        elif report.when == "setup" and is_in_use(self.config):
            run_of(self.config).forget(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self.collected = ids

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if is_in_use(self.config):
            from judge.plugin.judging import finish

            run = run_of(self.config)
            if run.all_records and not run.settings.gate:
                run.say(lost_gate_of(self.config))
            finish(session, run)
            terminal = self.config.pluginmanager.get_plugin("terminalreporter")
            if terminal is not None and self.config.getoption("no_summary", False):
                terminal.line("")  # ends that of the progress; pytest 8 does not ask for our section then
                self.pytest_terminal_summary(terminal)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if is_in_use(self.config) and not self.has_summarised:
            from judge.plugin.judging import summarise

            summarise(terminalreporter, run_of(self.config))
            self.has_summarised = True
