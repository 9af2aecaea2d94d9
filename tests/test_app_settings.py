"""What the app may open, and what `judge app` says to what it cannot."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from pairs import pair_of
from typer.testing import CliRunner

import judge.cli.app as commands
from judge.cli.main import app
from judge.errors import InputError, JudgeError
from judge.io.pairs import write_pairs
from judge.io.verdicts import write_verdicts
from judge.metrics.baselines import longer_wins
from judge.review.settings import below, files_below, holds_verdicts, started

PAIRS = [pair_of("a long answer", "short", "Why?", "p0")]


@pytest.fixture
def here(tmp_path, monkeypatch):
    root = tmp_path / "root"
    (root / "below").mkdir(parents=True)
    monkeypatch.chdir(root)
    write_pairs(tmp_path / "outside.jsonl", PAIRS)
    write_pairs("pairs.jsonl", PAIRS)
    write_pairs("below/more.jsonl", PAIRS)
    write_verdicts("verdicts.jsonl", longer_wins(PAIRS))
    return root


@pytest.mark.parametrize(
    "name", ["../outside.jsonl", "/etc/passwd", "below/../../outside.jsonl", "link.jsonl"]
)
def test_no_file_outside_the_folder_is_opened(here, name):
    Path("link.jsonl").symlink_to("../outside.jsonl")
    with pytest.raises(InputError, match="not in the folder that the app was started in"):
        below(here, name)
    assert below(here, "below/more.jsonl").is_file()


def test_the_list_has_the_files_below_it_and_no_hidden_one(here):
    (here / ".hidden").mkdir()
    write_pairs(".hidden/pairs.jsonl", PAIRS)
    Path("notes.txt").write_text("x")
    assert files_below(here) == ["pairs.jsonl", "verdicts.jsonl", "below/more.jsonl"]


def test_links_that_lead_out_of_the_folder_are_not_in_the_list(here):
    Path("link.jsonl").symlink_to("../outside.jsonl")
    Path("../other").mkdir()
    write_pairs("../other/pairs.jsonl", PAIRS)
    Path("folder").symlink_to("../other")
    Path("same.jsonl").symlink_to("pairs.jsonl")
    assert files_below(here) == ["pairs.jsonl", "same.jsonl", "verdicts.jsonl", "below/more.jsonl"]


def test_a_file_of_verdicts_is_known_by_its_first_line(here):
    Path("broken.jsonl").write_text("nonsense\n")
    assert holds_verdicts(here / "verdicts.jsonl")
    assert not any(holds_verdicts(here / name) for name in ("pairs.jsonl", "broken.jsonl"))


def test_no_more_than_the_beginning_of_a_file_is_read_to_know_what_it_holds(here, monkeypatch):
    line = Path("verdicts.jsonl").read_bytes()
    packed = gzip.compress(line * 10_000)
    Path("packed.jsonl.gz").write_bytes(packed[: len(packed) // 2])  # of which the end is never seen
    Path("list.json").write_bytes(b"[" + line + b", " + b"x" * (1 << 22))
    Path("pairs.jsonl.gz").write_bytes(gzip.compress(Path("pairs.jsonl").read_bytes()))
    Path("broken.jsonl.gz").write_bytes(packed[:8] + b"nonsense")
    Path("pairs.parquet").write_bytes(b"PAR1" + line)
    Path("pairs.csv").write_bytes(b"pair_id,orders\n1,2\n")
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read whole"))
    assert all(map(holds_verdicts, [here / "packed.jsonl.gz", here / "list.json"]))
    others = ("pairs.jsonl.gz", "broken.jsonl.gz", "pairs.parquet", "pairs.csv")
    assert not any(holds_verdicts(here / name) for name in others)


def test_a_verdict_is_known_by_a_long_line_too(here):
    [verdict] = map(json.loads, Path("verdicts.jsonl").read_text().splitlines())
    Path("long.jsonl").write_text(json.dumps({"note": "x" * 100_000} | verdict) + "\n")
    assert holds_verdicts(here / "long.jsonl")


@pytest.fixture
def run(here, monkeypatch):
    """Runs `judge app`: what the server would be started with, or the one line it fails with."""
    served = []
    monkeypatch.setattr(commands, "serve", lambda *given: served.append(given))

    def run(*arguments):
        served.clear()
        done = CliRunner().invoke(app, ["app", *arguments])
        if isinstance(done.exception, JudgeError):
            assert "\n" not in str(done.exception)
            return str(done.exception)
        assert done.exit_code == 0, (done.output, done.exception)
        return served[0]

    return run


def test_it_listens_on_this_machine_alone_unless_told(run):
    assert run() == ("127.0.0.1", 8501, True)
    assert run("--address", "0.0.0.0", "--port", "9000", "--no-browser") == ("0.0.0.0", 9000, False)


def test_pairs_verdicts_and_the_judge_reach_the_pages(run, here):
    run("pairs.jsonl", "--backend", "scripted:longer")
    assert (started().pairs, started().verdicts, started().judge.backend) == (
        "pairs.jsonl",
        "",
        "scripted:longer",
    )
    assert started().reviews == here / "judge-reviews.sqlite"
    run("verdicts.jsonl", "--pairs", "pairs.jsonl")
    assert (started().pairs, started().verdicts) == ("pairs.jsonl", "verdicts.jsonl")
    run(str(here / "below" / "more.jsonl"))
    assert started().pairs == "below/more.jsonl"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["gone.jsonl"], "gone.jsonl: no such file."),
        (["../outside.jsonl"], "not in the folder that the app was started in"),
        (
            ["verdicts.jsonl"],
            "verdicts.jsonl: these are verdicts. Name the pairs that they are on with --pairs.",
        ),
        (["pairs.jsonl", "--pairs", "below/more.jsonl"], "--pairs goes with a file of verdicts"),
        (["--folder", "gone"], "gone: no such folder."),
        (["--reviews", "pairs.jsonl"], "pairs.jsonl: not a file of reviews"),
        (["pairs.jsonl", "--adapter", "runs/typo"], "runs/typo: no such folder."),
        (["pairs.jsonl", "--method", "slow", "--adapter", "runs/typo"], "runs/typo: no such folder."),
        (["pairs.jsonl", "--method", "nonsense"], "--method nonsense: no such method. There are: direct,"),
        (["pairs.jsonl", "--calibration", "gone.json"], "gone.json: "),
    ],
)
def test_a_mistake_is_one_line(run, arguments, line):
    assert line in run(*arguments)


def test_without_streamlit_it_names_what_to_install(run, monkeypatch):
    monkeypatch.setattr(commands, "find_spec", lambda _: None)
    assert run() == 'the app needs Streamlit: pip install "four-token-judge[app]"'
