"""Every verb with what a user may get wrong: one line, exit status 2, no traceback; inputs stay whole."""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from pairs import FOUR_PAIRS
from typer.main import get_command

from judge.cli.main import _text_of, app, main
from judge.errors import InputError
from judge.io.pairs import write_pairs

pytestmark = pytest.mark.slow  # a sweep over every verb

JUDGE = [sys.executable, "-m", "judge"]
SCRIPTED = ["--backend", "scripted:longer"]
VERBS = {
    "compare": ["compare", "--prompt", "p", "--a", "x", "--b", "yy", *SCRIPTED],
    "run": ["run", "pairs.jsonl", *SCRIPTED],
    "report": ["report", "verdicts.jsonl", "--pairs", "pairs.jsonl"],
    "calibrate": ["calibrate", "verdicts.jsonl", "--votes", "votes.jsonl", "--out", "-"],
    "import": ["import", "columns", "pairs.jsonl", "--map", "prompt=prompt,response_a=id,response_b=prompt"],
    "export": ["export", "alpacaeval", "verdicts.jsonl", "--pairs", "pairs.jsonl"],
    "rank": ["rank", "pairs.jsonl", *SCRIPTED],
    "bench": ["bench", "gold.jsonl", *SCRIPTED],
    "serve": ["serve", "--port", "0", "--strict", *SCRIPTED],  # refused; else it would serve
    "app": ["app", "--no-browser"],
    "distill collect": ["distill", "collect", "--config", "recipe.yaml"],
    "distill select": ["distill", "select", "--config", "recipe.yaml"],
    "distill answers": [
        *("distill", "answers", "--config", "recipe.yaml"),
        *("--maker", "large=none", "--out", "answers.jsonl.gz"),
    ],
    "distill train": ["distill", "train", "--config", "recipe.yaml"],
    "distill ranker": ["distill", "ranker", "--config", "recipe.yaml"],
    "distill all": ["distill", "all", "--config", "recipe.yaml"],
    "models list": ["models", "list"],
    "models fetch": ["models", "fetch", "none-such"],
    "models verify": ["models", "verify", "none-such"],
    "models path": ["models", "path", "none-such"],
    "adapters list": ["adapters", "list"],
    "adapters show": ["adapters", "show", "none"],
    "adapters verify": ["adapters", "verify", "none"],
    "adapters mix": ["adapters", "mix", "none", "other", "--name", "mixed", "--out", "mixed"],
    "ledger show": ["ledger", "show"],
    "ledger export": ["ledger", "export", "shards"],
    "ledger import": ["ledger", "import", "none.jsonl.gz"],
}
NO_TEXT = os.fsdecode(b"caf\xe9")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with pairs, verdicts on them, gold labels, and a cache of its own."""
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_pairs("pairs.jsonl", FOUR_PAIRS)
    rows = [json.loads(line) | {"gold": "A"} for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert ran("run", "pairs.jsonl", *SCRIPTED, "--out", "verdicts.jsonl").returncode == 0
    (tmp_path / "folder").mkdir()
    return tmp_path


def ran(*arguments, **how):
    given = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60, "check": False}
    return subprocess.run([*JUDGE, *arguments], **(given | how))


@pytest.fixture
def here(monkeypatch, capfd):
    """Runs `judge` in this process, which is quicker. What it raises beside its exit fails the test."""

    def here(*arguments, **environment):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["judge", *arguments])
            patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
            for name, value in environment.items():
                patched.setenv(name, value)
            capfd.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = (text.encode("utf-8", errors="surrogateescape") for text in capfd.readouterr())
        return subprocess.CompletedProcess(arguments, ended.value.code, out, err)

    return here


def told(done, status=2):
    """The one line on standard error."""
    lines = (done.stderr or b"").decode().splitlines()
    assert done.returncode == status, (done.args, lines)
    assert len(lines) == 1, lines
    assert lines[0].startswith("judge: ")
    return lines[0]


def test_the_verbs_here_are_all_verbs_there_are():
    found = set()
    top = get_command(app)
    for name in top.list_commands(None):
        command = top.get_command(None, name)
        inner = getattr(command, "commands", {})
        found |= {f"{name} {one}" for one in inner} or {name}
    assert found == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_bytes_that_are_no_text_are_refused_by_every_verb(here, verb):
    line = told(here(*VERBS[verb], NO_TEXT))
    assert line.endswith("is 'caf\\udce9': byte 0xe9 is not UTF-8. Write it in UTF-8.")


@pytest.mark.parametrize("verb", VERBS)
def test_a_closed_output_is_told_by_every_verb(tmp_path, verb):
    done = ran(*VERBS[verb], cwd=tmp_path, stdout=None, capture_output=False, stderr=subprocess.PIPE,
               preexec_fn=lambda: os.close(1))  # fmt: skip
    assert told(done) == "judge: standard output is closed. Send it to a file, or to /dev/null."


@pytest.mark.parametrize("verb", ["compare", "run", "report", "models list", "ledger show"])
def test_output_to_a_full_disk_is_one_line(folder, verb):
    with Path("/dev/full").open("wb") as full:
        done = ran(*VERBS[verb], stdout=full, capture_output=False, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == "judge: standard output: No space left on device."
    assert b"Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(folder):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m judge report verdicts.jsonl | true"], capture_output=True
    )
    assert done.stderr == b""


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "pairs.jsonl", "--out", "v.jsonl"],
        ["run", "pairs.jsonl", "--out", "v.csv"],
        ["bench", "gold.jsonl", "--out", "b.json"],
    ],
)
def test_a_disk_that_fills_up_on_the_way_is_one_line_and_nothing_is_half_written(folder, arguments):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    before = sorted(path.name for path in folder.iterdir())
    done = ran(*arguments, *SCRIPTED, "--quiet", preexec_fn=small_files)
    assert b"Traceback" not in done.stderr
    assert done.returncode == 2
    assert sorted(path.name for path in folder.iterdir() if ".corrupt" not in path.name) == before


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("cache", ["pairs.jsonl/cache", "/proc/none/cache", "~nobody-here/x"])
def test_a_cache_that_cannot_be_written_is_no_traceback(folder, here, verb, cache):
    if verb == "app":
        pytest.skip("it would serve")
    done = here(*VERBS[verb], JUDGE_CACHE=cache)
    assert done.returncode in (0, 2)


@pytest.mark.parametrize("home", [None, "/proc/none", "/dev/null", ""])
@pytest.mark.parametrize("verb", ["compare", "models list", "ledger show"])
def test_a_home_that_is_not_there_is_no_traceback(folder, verb, home):
    hidden = ("HOME", "JUDGE_CACHE", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {} if home is None else {"HOME": home}
    if home is None:
        environment["XDG_CACHE_HOME"] = str(folder / "xdg")
    done = ran(*VERBS[verb], env=environment)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert done.returncode in (0, 2)


HOSTILE_FILES = ["folder", "none", "", "a" * 300, "pairs.jsonl/x", "/dev/null", "\\", "~nobody-here/x"]
READS = [
    ["compare", "FILE", *SCRIPTED],
    ["compare", "--prompt-file", "FILE", "--a", "x", "--b", "y", *SCRIPTED],
    ["compare", "--prompt", "p", "--a", "x", "--b", "y", "--ledger", "FILE", *SCRIPTED],
    ["run", "FILE", *SCRIPTED],
    ["run", "pairs.jsonl", "--ledger", "FILE", *SCRIPTED],
    ["run", "pairs.jsonl", "--adapter", "FILE"],
    ["run", "pairs.jsonl", "--base-model", "FILE", "--adapter", "none"],
    ["report", "FILE"],
    ["report", "verdicts.jsonl", "--pairs", "FILE"],
    ["report", "verdicts.jsonl", "--votes", "FILE"],
    ["run", "pairs.jsonl", "--calibration", "FILE", *SCRIPTED],
    ["calibrate", "FILE", "--votes", "none", "--out", "-"],
    ["calibrate", "verdicts.jsonl", "--votes", "FILE", "--out", "-"],
    ["bench", "FILE", *SCRIPTED],
    ["bench", "gold.jsonl", "--votes", "FILE", *SCRIPTED],
    ["bench", "mt-bench", "--data-dir", "FILE", *SCRIPTED],
    ["rank", "FILE", *SCRIPTED],
    ["app", "none", "--folder", "FILE"],
    ["app", "FILE", "--pairs", "none"],
    ["distill", "collect", "--config", "FILE"],
    ["distill", "train", "--config", "none", "--targets", "votes", "FILE"],
    ["models", "fetch", "FILE"],
    ["models", "path", "FILE"],
    ["adapters", "list", "FILE"],
    ["adapters", "show", "FILE"],
    ["adapters", "mix", "FILE", "other", "--name", "mixed", "--out", "mixed"],
    ["ledger", "show", "--ledger", "FILE"],
    ["ledger", "export", "shards", "--ledger", "FILE"],
    ["ledger", "import", "FILE"],
]


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_what_is_no_such_file_is_no_traceback(folder, here, arguments):
    is_model = "--adapter" in arguments  # no adapter by name, or none, would judge with the weights
    for name in HOSTILE_FILES[3:] if is_model else HOSTILE_FILES:
        done = here(*(name if one == "FILE" else one for one in arguments), HF_HUB_OFFLINE="1")
        assert done.returncode in (0, 2), name


WRITES = [
    ["run", "pairs.jsonl", *SCRIPTED, "--out"],
    ["report", "verdicts.jsonl", "--html"],
    ["report", "verdicts.jsonl", "--markdown"],
    ["report", "verdicts.jsonl", "--json"],
    ["rank", "pairs.jsonl", *SCRIPTED, "--out"],
    ["rank", "pairs.jsonl", *SCRIPTED, "--html"],
    ["bench", "gold.jsonl", *SCRIPTED, "--out"],
    ["bench", "gold.jsonl", *SCRIPTED, "--html"],
    ["bench", "gold.jsonl", *SCRIPTED, "--markdown"],
    ["ledger", "export"],
]


@pytest.mark.parametrize("arguments", WRITES, ids=" ".join)
def test_where_nothing_can_be_written_is_told_before_anything_is_judged(folder, here, arguments):
    for out in ("pairs.jsonl/x.jsonl", "/proc/x.jsonl", "a" * 300 + ".jsonl"):
        ledger = folder / "never.sqlite"
        line = told(here(*arguments, out, *([] if "report" in arguments else ["--ledger", str(ledger)])))
        assert "cannot be written" in line or "File name too long" in line
        assert not ledger.exists()


def test_an_output_that_is_an_input_is_refused_and_the_input_stays(folder, here):
    (folder / "link.jsonl").symlink_to("pairs.jsonl")
    (folder / "hard.jsonl").hardlink_to("gold.jsonl")
    (folder / "criteria.jsonl").write_text("is polite\n", encoding="utf-8")
    by_criteria = ["--backend", "scripted:longer", "--criteria", "criteria.jsonl"]
    for arguments in (
        ["run", "pairs.jsonl", *SCRIPTED, "--out", "pairs.jsonl"],
        ["run", "link.jsonl", *SCRIPTED, "--out", "folder/../pairs.jsonl"],
        ["run", "pairs.jsonl", *SCRIPTED, "--out", "link.jsonl"],
        ["run", "pairs.jsonl", *SCRIPTED, "--out", "new.jsonl", "--ledger", "new.jsonl"],
        ["report", "verdicts.jsonl", "--html", "verdicts.jsonl"],
        ["calibrate", "verdicts.jsonl", "--votes", "gold.jsonl", "--out", "gold.jsonl"],
        ["report", "verdicts.jsonl", "--pairs", "pairs.jsonl", "--markdown", "pairs.jsonl"],
        ["report", "verdicts.jsonl", "--html", "r.html", "--json", "./r.html"],
        ["bench", "gold.jsonl", *SCRIPTED, "--out", "hard.jsonl"],
        ["bench", "gold.jsonl", *SCRIPTED, "--html", "gold.jsonl"],
        ["run", "pairs.jsonl", *by_criteria, "--out", "criteria.jsonl"],
        ["rank", "pairs.jsonl", *by_criteria, "--out", "criteria.jsonl"],
        ["bench", "gold.jsonl", *by_criteria, "--out", "criteria.jsonl"],
        ["bench", "gold.jsonl", "--judge", "method=bsm,criteria=criteria.jsonl", "--out", "criteria.jsonl"],
        ["run", "pairs.jsonl", *SCRIPTED, "--calibration", "gold.jsonl", "--out", "gold.jsonl"],
    ):
        before = {path: path.read_bytes() for path in folder.glob("*.jsonl")}
        assert told(here(*arguments)).endswith("is the same file. Name another one.")
        assert {path: path.read_bytes() for path in folder.glob("*.jsonl")} == before


def test_a_wrong_ending_is_told_before_anything_is_judged(folder):
    line = told(ran("run", "none.jsonl", *SCRIPTED, "--out", "v.json"))
    assert line.startswith(
        "judge: v.json: cannot be written. Its name must end in .jsonl, .csv, .parquet, or be - "
    )


def test_compare_reads_one_indented_pair_from_a_file_and_from_standard_input(folder):
    pair = {"id": "x", "prompt": "Why?", "response_a": "So.", "response_b": "Because."}
    data = json.dumps(pair, indent=2).encode("utf-16")
    (folder / "pair.json").write_bytes(data)
    said = [ran("compare", "pair.json", "--json", *SCRIPTED).stdout]
    said.append(ran("compare", "--json", *SCRIPTED, stdin=None, input=data).stdout)
    said.append(ran("compare", "-", "--json", *SCRIPTED, stdin=None, input=data).stdout)
    assert {json.loads(one)["outcome"] for one in said} == {"B"}
    assert "2 pairs" in told(
        ran("compare", *SCRIPTED, stdin=None, input=json.dumps([pair, pair | {"id": "y"}]).encode())
    )
    assert told(ran("compare", "pair.json", "--a", "x")).endswith("give a file or the texts, not both.")


def test_texts_from_files_lose_the_byte_order_mark(folder):
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (folder / "p.txt").write_bytes("Why?\r\n".encode(encoding))
        assert _text_of("--prompt", None, Path("p.txt")) == "Why?\n"
    (folder / "p.txt").write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match=r"^p\.txt: byte 0xe9 is not UTF-8\. Save the file as UTF-8\.$"):
        _text_of("--prompt", None, Path("p.txt"))


def test_an_output_that_cannot_hold_a_letter_shows_a_question_mark(folder):
    done = ran("compare", "--prompt", "p", "--a", "x", "--b", "yy", "--explain", "--method", "bsm-text",
               "--backend", "scripted:longer", env=os.environ | {"PYTHONIOENCODING": "ascii"})  # fmt: skip
    assert b"Traceback" not in done.stderr
