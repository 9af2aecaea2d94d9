"""The how-to pages keep their word: what they show is what runs here, in a package and in the project."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
from pairs import FOUR_PAIRS
from plugins import make_package, python, run_judge

from judge.io.pairs import write_pairs
from judge.io.votes import write_votes
from judge.records import Ballot, HumanVote

pytestmark = pytest.mark.slow  # whole packages and copies of the project are made

CHECKOUT = Path(__file__).parents[1]
PAGES = {path.stem: path.read_text("utf-8") for path in sorted((CHECKOUT / "docs/how-to").glob("add-a-*.md"))}
ROOMS = {
    "add-a-method": "judge/methods",
    "add-a-backend": "judge/backends",
    "add-a-metric": "judge/metrics",
    "add-a-data-set": "judge/datasets",
    "add-a-report-figure": "judge/report",
}
PLUGINS = [name for name in ROOMS if name != "add-a-report-figure"]
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
IN_PROJECT = re.compile(r"the same file as `(judge/[\w/]+\.py)`")


@dataclass(frozen=True)
class Block:
    """A piece of code of a page. `title` is the file that it stands in, "" where it is no file."""

    language: str
    title: str
    text: str


def blocks_of(page: str, language: str) -> list[Block]:
    every = [Block(*(part or "" for part in found)) for found in BLOCK.findall(PAGES[page])]
    return [block for block in every if block.language == language]


def commands_of(page: str) -> list[list[str]]:
    lines = [line for block in blocks_of(page, "console") for line in block.text.splitlines()]
    return [shlex.split(line) for line in lines]


def code_of(page: str) -> Block:
    """The file of Python that the page shows."""
    [block] = blocks_of(page, "python")
    return block


def entry_points_of(page: str) -> tuple[Mapping[str, str], Mapping[str, Mapping[str, str]]]:
    """The name and version of the page's package, and its entry points."""
    [block] = blocks_of(page, "toml")
    project = tomllib.loads(block.text)["project"]
    return {key: project[key] for key in ("name", "version")}, project["entry-points"]


def package_of(folder: Path, pages: list[str]) -> Path:
    """The package that these pages make together."""
    [about] = {tuple(entry_points_of(page)[0].items()) for page in pages}
    points = {group: named for page in pages for group, named in entry_points_of(page)[1].items()}
    files = {"judge_extras/__init__.py": ""} | {code_of(page).title: code_of(page).text for page in pages}
    return make_package(folder, files=files, entry_points=points, **dict(about))


def patched(source: str, diff: str) -> str:
    """The source with a page's diff applied; each of its parts has to fit in exactly one place."""
    for part in re.split(r"^@@\n", diff, flags=re.MULTILINE):
        lines = part.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        assert source.count(old) == 1, f"stands {source.count(old)} times in the file:\n{old}"
        source = source.replace(old, new)
    return source


@pytest.fixture
def here(tmp_path):
    """A folder with what the pages' commands read: pairs, votes on them with a tie, the riddles."""
    folder = tmp_path / "here"
    (folder / "data").mkdir(parents=True)
    write_pairs(folder / "pairs.jsonl", FOUR_PAIRS)
    said = [Ballot.A, Ballot.A, Ballot.TIE, Ballot.TIE]
    votes = [HumanVote(pair.id, "ann", ballot) for pair, ballot in zip(FOUR_PAIRS, said, strict=True)]
    write_votes(folder / "votes.jsonl", votes)
    [riddles] = blocks_of("add-a-data-set", "json")
    (folder / riddles.title).write_text(riddles.text, encoding="utf-8")
    return folder


def test_there_is_a_short_page_for_each_of_the_five():
    assert sorted(PAGES) == sorted(ROOMS)
    assert {page: text.count("\n") for page, text in PAGES.items() if not 60 <= text.count("\n") <= 100} == {}


def test_a_package_of_your_own_adds_all_four_on_the_command_line(here, tmp_path):
    package = package_of(tmp_path / "package", PLUGINS)
    together = (
        "judge bench riddles --data-dir data --judge name=mine,method=opening,backend=keyword:please "
        "--metric ties_found --out all.json --html all.html --markdown all.md"
    )
    shown = [command for page in PLUGINS for command in commands_of(page)]
    assert len(shown) == len(PLUGINS)
    done = run_judge([*shown, together.split()], package, here)
    assert [(one.code, one.err) for one in done if one.code] == []

    by_keyword = json.loads((here / "verdicts.jsonl").read_text("utf-8").splitlines()[0])
    assert by_keyword["judge"].startswith("keyword-please+none/direct@keyword#")
    found = json.loads((here / "all.json").read_text("utf-8"))
    assert found["data"]["name"] == "Riddles"
    assert found["data"]["broken"] == {"missing text": 1}
    assert found["data"]["selection"]["turn"] == "1"
    mine = found["judges"][0]
    assert (mine["identity"]["method"], mine["identity"]["backend"]) == ("opening", "keyword")
    assert mine["figures"]["strict"]["value"] == 0.5  # "please" decides one of two riddles
    assert mine["figures"]["ties_found"]["n"] == 0
    for text in (done[-1].out, (here / "all.html").read_text("utf-8"), (here / "all.md").read_text("utf-8")):
        assert "Ties found" in text
        assert "Other metrics" in text
        assert "votes for a tie on which the judge has no winner either" in " ".join(text.split())


def test_a_metric_of_another_package_is_in_the_result_only_when_it_is_asked_for(here, tmp_path):
    package = package_of(tmp_path / "package", ["add-a-metric"])
    [command] = commands_of("add-a-metric")
    at = command.index("--metric")
    without = [*command[:at], "--out", "without.json"]
    done = run_judge([command, without], package, here)
    assert [one.code for one in done] == [0, 0]
    found = json.loads((here / "result.json").read_text("utf-8"))
    assert found["judges"][0]["figures"]["ties_found"]["n"] == 2
    assert found["people"]["figures"]["ties_found"]["value"] is None  # one voter
    [said] = [one for one in found["metrics"] if one["name"] == "ties_found"]
    assert (said["label"], said["unit"]) == ("Ties found", "percent")
    assert "ties_found" not in (here / "without.json").read_text("utf-8")
    assert "Other metrics" not in done[1].out


def test_a_package_of_your_own_adds_all_four_in_plain_python(here, tmp_path):
    package = package_of(tmp_path / "package", PLUGINS)
    program = """
from pathlib import Path
from judge.backends import load_backend
from judge.bench.run import read
from judge.datasets.dataset import Wanted
from judge.evaluate import judge_pairs
from judge.methods import load_method
from judge.metrics import other_metrics
from judge.study.study import Entrant, EntrantKind, study_of

data = read("riddles", Wanted(Path("data")))
verdicts = judge_pairs(data.pairs, load_method("opening", load_backend("keyword:please")))
mine = Entrant("mine", EntrantKind.JUDGE, verdicts)
study = study_of([mine], data.votes, data.pairs, others=other_metrics(["ties_found"]))
print(study.standing("mine").figures["ties_found"])
"""
    done = python(["-c", program], package, here)
    assert done.stdout.startswith("Estimate(value=None"), done.stderr


@pytest.mark.parametrize("page", ROOMS)
def test_in_this_project_each_touches_one_folder(page):
    touched = [block.title for block in blocks_of(page, "diff")] + IN_PROJECT.findall(PAGES[page])
    assert {str(PurePosixPath(file).parent) for file in touched} == {ROOMS[page]}


def test_in_this_project_all_five_work_where_the_pages_say(here, tmp_path):
    shutil.copytree(
        CHECKOUT / "judge", tmp_path / "project" / "judge", ignore=shutil.ignore_patterns("shipped")
    )
    for page in ROOMS:
        for block in blocks_of(page, "diff"):
            file = tmp_path / "project" / block.title
            file.write_text(patched(file.read_text("utf-8"), block.text), encoding="utf-8")
        for name in IN_PROJECT.findall(PAGES[page]):
            (tmp_path / "project" / name).write_text(code_of(page).text, encoding="utf-8")
    shown = [command for page in ROOMS for command in commands_of(page)]
    ours = "judge bench riddles --data-dir data --judge method=opening,backend=keyword:please --out all.json"
    done = run_judge([*shown, ours.split()], tmp_path / "project", here)
    assert [(one.code, one.err) for one in done if one.code] == []

    found = json.loads((here / "all.json").read_text("utf-8"))
    assert found["judges"][0]["identity"]["method"] == "opening"
    assert "ties_found" in found["judges"][0]["figures"]  # ours are always there
    report = done[len(shown) - 1].out
    [line] = blocks_of("add-a-report-figure", "text")
    shown_line = " ".join(line.text.split())
    for text in (report, (here / "report.md").read_text("utf-8"), (here / "report.html").read_text("utf-8")):
        plain = " ".join(re.sub(r"<[^>]+>|[|*\\]", " ", text).split())
        assert shown_line in plain
