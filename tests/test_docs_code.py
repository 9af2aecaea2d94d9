"""Every code block of the README and the documentation runs, page by page, in the order it is shown.

A page's blocks run in one folder of their own, and its Python blocks in one namespace:

    bash, console   run by bash; without a backend `judge` and `pytest` judge with `scripted:longer`
    python          run here
    json, yaml      read, and checked to be that
    text            what the bash block before it prints; "..." stands for anything
    any, title=""   written to that file; JSON and YAML are checked as well

A comment before a block says what else is to be known of it: `<!-- not run: why -->`, `<!-- fails: 1 -->`
(its exit status), `<!-- weights -->` (it needs the real judge, and runs in a test that has it).
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import pytest
import yaml
from models import VERDICT_MERGES, make_model
from pairs import FOUR_PAIRS
from test_openai_server import Chat, chat, text_of

from benchmarks.tables import pages
from distill.recipe import read_recipe
from judge.backends.scripted import ScriptedBackend, longer
from judge.evaluate import judge_pairs
from judge.io.files import cache_folder
from judge.io.pairs import write_pairs
from judge.io.verdicts import write_verdicts
from judge.io.votes import write_votes
from judge.ledger.ledger import Ledger
from judge.methods.direct import Direct
from judge.records import Ballot, HumanVote

CHECKOUT = Path(__file__).parents[1]
SCRIPTED = "scripted:longer"
BLOCK = re.compile(
    r"(?:<!-- (?P<note>[^\n]+?) -->\n)?"
    r'^```(?P<language>[a-z]*)(?: title="(?P<title>[^"\n]+)")?\n(?P<text>.*?)^```$',
    re.DOTALL | re.MULTILINE,
)
NOTE = re.compile(r"(?P<kind>not run|fails|weights)(?:: (?P<what>.+))?")
REASONS = (
    "installs packages",
    "needs a GPU",
    "needs an address of your own",
    "needs your own pairs and votes",
    "serves until it is stopped",
    "sets up an environment of its own",
    "starts a server",
    "trains a model",
    "trains for hours",
)
"""Why a block is not run; there are no other reasons."""
ELSEWHERE = {
    "docs/ci.md": "tests/test_ci_guide.py follows it with the wheel and the real judge",
    "docs/how-to/judge-on-a-cluster.md": "tests/test_cluster_ray.py follows it on a cluster of this machine",
    "docs/reference/command-line.md": "made from the commands themselves",
    "docs/how-to/add-*.md": "tests/test_how_to.py runs them as a package of their own and in the project",
    **{
        f"docs/how-to/frameworks/{name}.md": "make test-frameworks follows it with the real package"
        for name in ("trl", "inspect-ai", "deepeval", "promptfoo", "lm-eval")
    },
}
"""Pages whose code is run by another test."""
SERVER = "http://127.0.0.1:8000/v1"
SERVICE = "http://127.0.0.1:8502"
PLAN = "1. Truth: what it says is so.\n2. Help: it can be used.\n3. Form: it is short.\n"
BOT = 'def answer(question):\n    return "Click on it."\n'


@dataclass(frozen=True, slots=True)
class Block:
    """A code block of a page, and where it begins."""

    where: str
    language: str
    title: str
    kind: str
    what: str
    text: str


def blocks_of(page: str) -> list[Block]:
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    return [block_of(page, text, found) for found in BLOCK.finditer(text)]


def block_of(page: str, text: str, found: re.Match[str]) -> Block:
    note = NOTE.fullmatch(found["note"] or "")
    line = text.count("\n", 0, found.start("language")) + 1
    return Block(
        where=f"{page}:{line}",
        language=found["language"],
        title=found["title"] or "",
        kind=note["kind"] if note else "",
        what=(note["what"] or "") if note else "",
        text=found["text"],
    )


NAMES = [path.relative_to(CHECKOUT).as_posix() for path in pages()]
PAGES = [
    name for name in NAMES if blocks_of(name) and not any(PurePath(name).match(one) for one in ELSEWHERE)
]
WEIGHED = [name for name in PAGES if any(block.kind == "weights" for block in blocks_of(name))]


@dataclass
class Reader:
    """Somebody who follows a page in a folder."""

    folder: Path
    environment: dict[str, str]
    stand_ins: dict[str, Callable[[], str]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "page"})
    printed: str = ""

    def follow(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            getattr(self, f"_{'file' if block.title else block.language}")(block)

    def _file(self, block: Block) -> None:
        file = self.folder / block.title
        file.parent.mkdir(parents=True, exist_ok=True)
        check_data(block)
        file.write_text(block.text, encoding="utf-8")
        if stand_in := self.stand_ins.get(block.title):
            read_recipe(file)  # it is right as it stands; a small model takes the place of its own
            file.write_text(stand_in(), encoding="utf-8")

    def _bash(self, block: Block) -> None:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._here(block.text)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"{block.where}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == int(block.what if block.kind == "fails" else 0), said
        self.printed = done.stdout

    _console = _bash

    def _python(self, block: Block) -> None:
        code = "\n" * int(block.where.rpartition(":")[2]) + self._here(block.text)
        exec(compile(code, str(CHECKOUT / block.where.rpartition(":")[0]), "exec"), self.names)

    def _text(self, block: Block) -> None:
        pattern = "".join(line_pattern(line) for line in block.text.splitlines(keepends=True))
        assert re.fullmatch(pattern, self.printed, re.DOTALL), f"{block.where}: printed\n{self.printed}"

    def _json(self, block: Block) -> None:
        check_data(block)

    _yaml = _json

    def _here(self, text: str) -> str:
        for there, here in self.addresses.items():
            text = text.replace(there, here)
        return text


def check_data(block: Block) -> None:
    """Fails where JSON lines or YAML cannot be read."""
    if block.language == "json":
        for line in block.text.splitlines():
            json.loads(line)
    elif block.language == "yaml":
        assert yaml.safe_load(block.text)


def line_pattern(line: str) -> str:
    """What a printed line has to look like; a line of three dots stands for any number of lines."""
    if line == "...\n":
        return ".*"
    return ".*".join(re.escape(part) for part in line.split("..."))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs_in_the_order_it_is_shown(page, tmp_path, monkeypatch, request):
    """With a judge without a model, a small model to train, and a small server."""
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    blocks = [block for block in blocks_of(page) if block.kind not in ("not run", "weights")]
    reader = reader_in(tmp_path / "here", monkeypatch, tmp_path / "bin")
    reader.stand_ins = {
        "my-judge.yaml": lambda: json.dumps(tiny_recipe(reader.folder)),
        "price-judge.yaml": lambda: json.dumps(tiny_recipe_by_criteria(reader.folder)),
    }
    if any("DATA" in block.text for block in blocks):
        (reader.folder / "DATA").symlink_to(request.getfixturevalue("data_dir").resolve())
    with ExitStack() as stack:
        if any(SERVER in block.text for block in blocks):
            reader.addresses[SERVER] = stack.enter_context(Served()).url
        if any(SERVICE in block.text for block in blocks):
            from serving import serving  # needs the extra `serve`, which other environments have not

            reader.addresses[SERVICE] = stack.enter_context(serving(SCRIPTED)).url
        reader.follow(blocks)


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize("page", WEIGHED)
def test_the_code_of_a_page_that_needs_the_real_judge_runs(page, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    cache.mkdir()
    for part in ("models", "hashes"):
        (cache / part).symlink_to(cache_folder() / part)
    monkeypatch.setenv("JUDGE_CACHE", str(cache))
    reader = reader_in(tmp_path / "here", monkeypatch)
    reader.follow([block for block in blocks_of(page) if block.kind == "weights"])


def test_what_is_not_run_has_one_of_few_reasons():
    notes = [block for name in NAMES for block in blocks_of(name) if block.kind == "not run"]
    assert {block.what for block in notes} <= set(REASONS), [block.where for block in notes]
    assert set(REASONS) <= {block.what for block in notes}, "a reason that no block has"


def test_a_comment_before_a_block_is_a_note_that_is_known():
    for name in NAMES:
        text = (CHECKOUT / name).read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            assert found["note"] is None or NOTE.fullmatch(found["note"]), f"{name}: {found['note']}"


def test_no_block_is_of_a_language_that_nobody_runs():
    languages = {block.language for name in PAGES for block in blocks_of(name) if not block.title}
    assert languages <= {"bash", "console", "python", "json", "yaml", "text"}


def test_a_block_that_prints_something_else_than_the_page_says_is_found(tmp_path):
    reader = Reader(tmp_path, dict(os.environ))
    said = [Block("p:1", "bash", "", "", "", "echo one; echo two; echo three\n")]
    reader.follow([*said, Block("p:2", "text", "", "", "", "one\n...\nth...ee\n")])
    with pytest.raises(AssertionError, match="p:2: printed"):
        reader.follow([*said, Block("p:2", "text", "", "", "", "one\nthree\n")])


def test_a_block_that_fails_is_found(tmp_path):
    reader = Reader(tmp_path, dict(os.environ))
    with pytest.raises(AssertionError, match="p:1"):
        reader.follow([Block("p:1", "bash", "", "", "", "false\ntrue\n")])
    with pytest.raises(NameError):
        reader.follow([Block("p:1", "python", "", "", "", "not_defined\n")])


class Served(Chat):
    """A server that has the model of the pages: it scores A higher, and plans for what is no pair."""

    cards = ({"id": "Qwen/Qwen2.5-Coder-1.5B-Instruct", "owned_by": "somebody"},)

    def reply(self, body):
        text = text_of(body)
        if "[Answer A]" not in text:
            return chat(PLAN)
        scores = (score for score in ("Score A: [[4]]", "Score B: [[2]]") if score[:10] in text)
        return chat(score) if (score := next(scores, "")) else super().reply(body)


def reader_in(folder: Path, monkeypatch: pytest.MonkeyPatch, programs: Path | None = None) -> Reader:
    """A reader with pairs, verdicts, votes and a bot, whose `judge` is scripted if there are `programs`."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    write_pairs(folder / "pairs.jsonl", FOUR_PAIRS)
    with Ledger(folder / "given.sqlite") as ledger:
        verdicts = judge_pairs(FOUR_PAIRS, Direct(ScriptedBackend(longer, "scripted-longer")), ledger)
    write_verdicts(folder / "verdicts.jsonl", verdicts)
    for name in ("votes.jsonl", "pairs-votes.jsonl"):
        write_votes(folder / name, [HumanVote(pair.id, "ann", Ballot.B) for pair in FOUR_PAIRS])
    (folder / "bot.py").write_text(BOT, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    own = Path(sys.executable).parent
    path = [str(own), environment["PATH"]]
    if programs is not None:
        write_judge(programs, own / "judge")
        path.insert(0, str(programs))
        environment["PYTEST_ADDOPTS"] = f"--judge-backend {SCRIPTED} -p no:randomly -p no:cacheprovider"
    environment |= {"PATH": os.pathsep.join(path), "PYTHONPATH": str(folder), "HF_HUB_OFFLINE": "1"}
    environment["COLUMNS"] = "100"  # as without a terminal; a worker has the width of whoever started it
    return Reader(folder, environment)


def write_judge(folder: Path, real: Path) -> None:
    """A command `judge` that is the real one, with a scripted judge where none is named."""
    folder.mkdir()
    file = folder / "judge"
    file.write_text(
        "#!/bin/sh\n"
        'case "$1" in compare|run|bench|rank)\n'
        f'  case " $* " in *" --backend "*) ;; *) set -- "$@" --backend {SCRIPTED} ;; esac ;;\n'
        "esac\n"
        f'exec "{real}" "$@"\n',
        encoding="utf-8",
    )
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def tiny_recipe(folder: Path) -> dict[str, Any]:
    """A run on the pairs of `pairs.jsonl` that a test can afford."""
    make_model(folder / "tiny", VERDICT_MERGES)
    return {
        "name": "my-judge",
        "collect": {
            "pairs": {"source": "file", "path": "pairs.jsonl", "unchecked": True},
            "teacher": {"backend": SCRIPTED},
        },
        "select": {"held_out": 0.0},
        "train": {"base_model": "tiny", "epochs": 1, "learning_rate": 1e-3, "dtype": "float32"},
    }


def tiny_recipe_by_criteria(folder: Path) -> dict[str, Any]:
    """The same, whose teacher judges by the page's criteria."""
    recipe = tiny_recipe(folder) | {"name": "price-judge"}
    recipe["collect"]["pairs"]["path"] = "price-pairs.jsonl"
    recipe["collect"]["teacher"]["criteria"] = "policy.txt"
    return recipe
