"""The command line by exit status and printed text."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from models import make_model
from pairs import FOUR_PAIRS, HOSTILE, pair_of
from typer.testing import CliRunner

from judge import Judge
from judge._version import __version__
from judge.cli import console
from judge.cli import main as cli
from judge.cli.main import app
from judge.errors import InputError
from judge.forms.reading import read_pairs
from judge.io.pairs import write_pairs
from judge.io.verdicts import read_verdicts
from judge.io.votes import write_votes
from judge.ledger.ledger import Ledger
from judge.records import Ballot, HumanVote, Outcome, Status

JUDGE = [sys.executable, "-m", "judge"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `judge` in an empty folder with a cache of its own."""
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # other tests run beside this one
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=None):
        command = [*JUDGE, *map(str, arguments)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture
def within(tmp_path, monkeypatch):
    """Runs `judge` in this process, which is quicker; for what does not hang on exit status and streams."""
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: app(list(arguments), standalone_mode=False)


@pytest.fixture
def pairs_file(tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", FOUR_PAIRS)
    return tmp_path / "pairs.jsonl"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


def assert_one_line(finished, *words):
    assert finished.returncode == 2, finished.stderr
    assert finished.stdout == ""
    assert finished.stderr.startswith("judge: ")
    assert finished.stderr.count("\n") == 1, finished.stderr
    for word in words:
        assert word in finished.stderr


def test_compare_says_who_is_better_in_readable_lines(run):
    finished = run("compare", "--prompt", "2 + 2?", "--a", "four", "--b", "5", "--backend", "scripted:longer")
    assert finished.returncode == 0
    assert finished.stdout.splitlines()[:4] == [
        "A is better, in both orders.",
        "P(A is better): 1.000, the mean of both orders",
        "  A shown first: A, P(A) 1.000",
        "  B shown first: A, P(A) 1.000",
    ]


def test_compare_explains_an_inconsistent_verdict(run):
    finished = run("compare", "--prompt", "2 + 2?", "--a", "4", "--b", "5", "--backend", "scripted:first")
    assert finished.stdout.startswith("Inconsistent: the verdict changes when the answers swap places")


@pytest.mark.slow
def test_compare_prints_json_and_reads_a_pair_from_standard_input_or_files(run, tmp_path):
    pair = {"id": "x", "prompt": "2 + 2?", "response_a": "four", "response_b": "5"}
    from_stdin = run("compare", "--json", "--backend", "scripted:longer", stdin=json.dumps(pair))
    assert json.loads(from_stdin.stdout)["outcome"] == "A"
    for name, text in (("q", "2 + 2?"), ("a", "four"), ("b", "5")):
        (tmp_path / name).write_text(text)
    files = ["--prompt-file", "q", "--a-file", "a", "--b-file", "b"]
    from_files = run("compare", "--json", "--backend", "scripted:longer", *files)
    expected = json.loads(from_stdin.stdout) | {"pair_id": "pair"}
    assert json.loads(from_files.stdout) == expected


@pytest.mark.slow
def test_compare_explains_a_slow_verdict_criterion_by_criterion(run):
    pair = ["--prompt", "2 + 2?", "--a", "four", "--b", "5", "--backend", "scripted:longer"]
    finished = run("compare", *pair, "--method", "bsm", "--explain")
    assert finished.returncode == 0, finished.stderr
    verdict, table, *_ = finished.stdout.split("\n\n")
    assert verdict.startswith("A is better, in both orders.")
    assert "asked once for both orders: " in verdict
    assert table.splitlines()[2] == "Content: says what was asked.     4.00   2.00     4.00   2.00"
    assert table.splitlines()[-1] == "sum                              12.00   6.00    12.00   6.00"


@pytest.mark.parametrize("method", ["direct", "cot", "rar", "rar-two-step", "s2a", "bsm", "bsm-text", "slow"])
def test_every_method_runs_over_a_file_of_pairs_and_again_from_the_ledger(within, pairs_file, method):
    command = ["run", str(pairs_file), "--method", method, "--backend", "scripted:longer", "--quiet"]
    for name in ("one.jsonl", "two.jsonl"):
        within(*command, "--out", name)
    assert Path("one.jsonl").read_bytes() == Path("two.jsonl").read_bytes()
    verdicts = read_verdicts("one.jsonl")
    assert [verdict.outcome for verdict in verdicts[:2]] == [Outcome.B, Outcome.A]
    readings = [reading for verdict in verdicts for reading in verdict.readings.values()]
    assert {bool(reading.steps) for reading in readings} == {method not in ("direct", "cot", "rar")}


@pytest.mark.slow
def test_run_says_what_was_asked_once_a_question(run, pairs_file):
    finished = run("run", pairs_file, "--method", "bsm", "--backend", "scripted:longer", "--out", "v.jsonl")
    assert "Asked once: 4: " in finished.stderr
    assert "Prompt tokens computed: " in finished.stderr


@pytest.mark.slow
def test_a_vote_over_samples_runs_from_the_command_line(run, pairs_file):
    vote = ["--method", "cot", "--samples", "3", "--temperature", "0.7", "--vote", "majority"]
    finished = run("run", pairs_file, *vote, "--backend", "scripted:longer", "--out", "v.jsonl")
    assert finished.returncode == 0, finished.stderr
    verdicts = read_verdicts("v.jsonl")
    assert len(verdicts[0].readings["AB"].steps) == 3
    assert_one_line(
        run("run", pairs_file, "--method", "cot", "--samples", "3"), "at temperature 0 all are alike"
    )


@pytest.mark.slow
def test_compare_shows_a_reply_that_could_not_be_read(run):
    asked = ("compare", "--prompt", "q", "--a", "x", "--b", "y", "--backend", "scripted:unreadable:1")
    finished = run(*asked)
    assert finished.returncode == 3
    assert "No verdict: a reply could not be read." in finished.stdout
    assert "no verdict such as [[A]]" in finished.stdout
    as_json = run(*asked, "--json")
    assert as_json.returncode == 3
    assert json.loads(as_json.stdout)["status"] == "unparsed"


@pytest.mark.slow
def test_compare_without_all_three_texts_says_what_is_missing(run):
    assert_one_line(run("compare", "--prompt", "q", "--a", "x"), "missing --b", "standard input")
    for option in ("--reference", "--system"):
        words = f"{option} belongs to --prompt, --a and --b, and pair.json has its pair's own."
        assert_one_line(run("compare", "pair.json", option, "4"), words)
    assert_one_line(run("compare", "--prompt", "q", "--prompt-file", "q"), "give one of the two")
    assert_one_line(run("compare", "--prompt-file", "none", "--a", "x", "--b", "y"), "none")
    assert_one_line(run("compare", "--prompt", " ", "--a", "x", "--b", "y"), "--prompt is empty")


def test_run_writes_a_verdict_a_pair_and_says_what_was_found(run, pairs_file):
    finished = run("run", pairs_file, "--out", "verdicts.jsonl", "--backend", "scripted:longer")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == ""
    assert "4 pairs in both orders" in finished.stderr
    assert "Inconsistent: " in finished.stderr
    assert "Verdicts: verdicts.jsonl" in finished.stderr
    verdicts = read_verdicts("verdicts.jsonl")
    assert [verdict.pair_id for verdict in verdicts] == ["sky", "tell", "sum", "empty"]


@pytest.mark.slow
def test_run_without_out_writes_verdicts_to_standard_output_alone(run, pairs_file):
    finished = run("run", pairs_file, "--backend", "scripted:longer", "--quiet")
    assert len([json.loads(line) for line in finished.stdout.splitlines()]) == 4
    assert finished.stderr == ""


def test_run_reads_pairs_from_standard_input(run, pairs_file):
    finished = run("run", "-", "--backend", "scripted:longer", "--quiet", stdin=pairs_file.read_text())
    assert len(finished.stdout.splitlines()) == 4


@pytest.mark.slow
def test_a_run_whose_time_is_up_writes_what_was_judged_and_goes_on(run, pairs_file, tmp_path):
    out = tmp_path / "v.jsonl"
    some = ("--limit", 2, "--method", "direct", "--backend", "scripted:longer")
    given = ("run", pairs_file, "--out", out, *some[2:])
    assert run("run", pairs_file, "--out", out, *some).returncode == 0
    late = run(*given, "--within", "0s")
    assert late.returncode == 3
    assert len(read_verdicts(out)) == 2
    n_all = len(read_pairs(pairs_file))
    assert f"The time of --within is up: {n_all - 2} of {n_all} pairs are not judged." in late.stderr
    assert run(*given, "--within", "1h").returncode == 0
    assert len(read_verdicts(out)) == n_all
    none = run(*given, "--within", "0s", "--no-cache")
    assert none.returncode == 2
    assert "--within: 0s were up before a pair was judged. Give more time." in none.stderr
    assert len(read_verdicts(out)) == n_all, "the file that was there is kept"
    wrong = run(*given, "--within", "a while")
    assert wrong.returncode == 2
    assert wrong.stderr.count("--within: 'a while'. It must be a time such as 90s") == 1


def test_limit_takes_the_first_pairs_and_with_a_seed_a_sample_that_repeats(run, tmp_path):
    write_pairs(tmp_path / "many.jsonl", [pair_of(str(i), "b", id=f"p{i:02}") for i in range(30)])

    def ids(*options):
        finished = run("run", "many.jsonl", "--quiet", "--backend", "scripted:first", *options)
        return [json.loads(line)["pair_id"] for line in finished.stdout.splitlines()]

    assert ids("--limit", 3) == ["p00", "p01", "p02"]
    sampled = ids("--limit", 5, "--seed", 7)
    assert len(sampled) == 5
    assert sampled == sorted(sampled) == ids("--limit", 5, "--seed", 7)
    assert sampled != ids("--limit", 5, "--seed", 8)
    assert len(ids("--limit", 99)) == 30
    assert_one_line(run("run", "many.jsonl", "--seed", 7), "--seed: it draws a sample of --limit pairs")


def test_a_bad_file_reports_every_bad_line_and_judges_nothing(run, tmp_path):
    good = {"id": "ok", "prompt": "q", "response_a": "a", "response_b": "b"}
    bad = [{**good, "id": f"bad{i}"} for i in range(25)]
    for row in bad:
        del row["response_b"]
    (tmp_path / "pairs.jsonl").write_text("\n".join(json.dumps(row) for row in [good, *bad]))
    finished = run("run", "pairs.jsonl", "--out", "verdicts.jsonl", "--backend", "scripted:first")
    assert finished.returncode == 2
    lines = finished.stderr.splitlines()
    assert lines[0].startswith("judge: pairs.jsonl: 25 lines (2-26): missing response_b (found: id, prompt")
    assert len(lines) == 1
    assert not (tmp_path / "verdicts.jsonl").exists()
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_expected_errors_are_one_line_and_exit_status_2(run, pairs_file, tmp_path):
    assert_one_line(run("run", "none.jsonl"), "none.jsonl")
    assert_one_line(run("run", pairs_file, "--out", "nowhere/v.jsonl"), "nowhere/v.jsonl", "folder")
    assert_one_line(run("run", pairs_file, "--backend", "gpt"), "gpt", "embedded, vllm, server, scripted")
    assert_one_line(
        run("run", pairs_file, "--base-model", "no-such-model"), "no-such-model", "qwen2.5-coder-0.5b"
    )
    assert_one_line(run("run", pairs_file, "--overflow", "cut"), "trim, error")
    assert_one_line(run("models", "path", "no-such-model"), "no-such-model")
    assert_one_line(run("report", "-", stdin='{"id": "x"}\n'), "standard input:1", "pair_id")
    assert run("run", pairs_file, "--limit", "0").returncode == 2


@pytest.mark.slow
def test_report_comes_in_four_formats(run, pairs_file, tmp_path):
    run("run", pairs_file, "--out", "v.jsonl", "--backend", "scripted:longer")
    text = run("report", "v.jsonl", "--pairs", pairs_file, "--html", "r.html", "--json", "r.json")
    assert text.returncode == 0, text.stderr
    assert "scripted-longer" in text.stdout
    assert "Inconsistent" in text.stdout
    assert (tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert json.loads((tmp_path / "r.json").read_text())
    markdown = run("report", "v.jsonl", "--markdown", "-")
    assert markdown.stdout.startswith("#")
    assert_one_line(
        run("report", "v.jsonl", "--markdown", "-", "--json", "-"), "-: two outputs would be mixed"
    )
    assert_one_line(
        run("report", "v.jsonl", "--metric", "x"), "--metric: it is worked out from people's votes"
    )


def test_a_report_on_votes_says_in_json_what_it_stands_on_and_leaves_out(within, pairs_file, tmp_path):
    within("run", str(pairs_file), "--backend", "scripted:longer", "--out", "v.jsonl", "--quiet")
    voted = [pair.id for pair in FOUR_PAIRS[:3]]
    write_votes(tmp_path / "votes.jsonl", [HumanVote(id, "ann", Ballot.A) for id in (*voted, "else")])
    within("report", "v.jsonl", "--votes", "votes.jsonl", "--json", "r.json")
    counts = {"n_pairs": 3, "n_votes": 3, "n_questions": 3, "n_voters": 1, "n_tied_votes": 0}
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["data"] == {**counts, "n_left_out": 1, "n_votes_left_out": 1}
    assert list(found) == ["data", "people", "judges", "contrasts"]


@pytest.mark.slow
def test_the_ledger_goes_to_another_machine_and_nothing_is_judged_again(run, tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", FOUR_PAIRS)
    judge = ["run", "pairs.jsonl", "--backend", "scripted:longer", "--quiet"]
    first = run(*judge, "--ledger", "one.sqlite")
    assert first.returncode == 0, first.stderr
    exported = run("ledger", "export", "shards", "--ledger", "one.sqlite").stdout.split()
    shard = b"".join(gzip.decompress((tmp_path / path).read_bytes()) for path in exported)
    assert b"certainly" not in shard
    imported = run("ledger", "import", *exported, "--ledger", "two.sqlite")
    assert imported.stdout == "8 added, 0 already known, 0 differing (kept as they were)\n"
    assert run(*judge, "--ledger", "two.sqlite").stdout == first.stdout
    assert "8 readings (0 unparsed)" in run("ledger", "show", "--ledger", "two.sqlite").stdout


@pytest.mark.parametrize("verb", [["show"], ["export", "shards"]], ids=" ".join)
def test_a_ledger_that_is_named_must_be_there_and_is_not_made(within, tmp_path, capsys, verb):
    for name, found in (
        ("typo.sqlite", "No such file or directory"),
        ("a" * 300, "File name too long"),
    ):
        words = rf"{name}: {found}\. --ledger must name a ledger that is there\.$"
        with pytest.raises(InputError, match=words):
            within("ledger", *verb, "--ledger", name)
    assert list(tmp_path.iterdir()) == []
    within("ledger", "show")
    assert capsys.readouterr().out == "The ledger is empty.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_without_readings_says_so_and_has_no_shard(within, tmp_path, capsys):
    told = "There are no readings, so no shard was written.\n"
    within("ledger", "export", "shards")
    assert capsys.readouterr() == ("", told)
    assert list(tmp_path.iterdir()) == []
    first = Judge(backend="scripted:first", method="direct", cache=False)
    with first, Ledger(tmp_path / "l.sqlite") as ledger:
        judge = ledger.register(first.identity)
    within("ledger", "export", "shards", "--ledger", "l.sqlite")
    assert capsys.readouterr() == ("", told)
    within("ledger", "show", "--ledger", "l.sqlite")
    assert capsys.readouterr().out == f"{judge}: no readings\n"


@pytest.mark.slow
def test_a_damaged_ledger_is_named_and_set_aside(run, pairs_file, tmp_path):
    judge = ["run", pairs_file, "--quiet", "--backend", "scripted:first", "--ledger", "l.sqlite"]
    assert run(*judge).returncode == 0
    begun = (tmp_path / "l.sqlite").read_bytes()[:4096]
    (tmp_path / "l.sqlite").write_bytes(begun)
    assert_one_line(run(*judge), "l.sqlite.corrupt-1")
    assert (tmp_path / "l.sqlite.corrupt-1").read_bytes() == begun
    assert run(*judge).returncode == 0


@pytest.mark.slow
def test_a_ledger_that_is_somebody_elses_file_is_left_alone(run, pairs_file, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    done = run("run", pairs_file, "--backend", "scripted:first", "--ledger", "notes.txt")
    assert_one_line(done, "notes.txt: not an SQLite file, and no ledger. It was left as it is")
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.slow
def test_a_run_killed_in_the_middle_goes_on_and_writes_the_same_bytes(run, tmp_path, tiny):
    """Nothing is judged twice, nothing is lost: a real process, a real SIGKILL."""
    texts = [text * 2 for text in HOSTILE * 2]
    pairs = [pair_of("a" * 600 + str(i), text, id=f"p{i}") for i, text in enumerate(texts)]
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    judge = ["run", "pairs.jsonl", "--base-model", str(tiny), "--dtype", "float32"]
    unbroken = run(*judge, "--out", "unbroken.jsonl", "--ledger", "unbroken.sqlite")
    assert unbroken.returncode == 0, unbroken.stderr

    process = subprocess.Popen(
        [*JUDGE, *judge, "--out", "broken.jsonl", "--ledger", "broken.sqlite"], stderr=subprocess.DEVNULL
    )
    n_before = wait_for_readings(tmp_path / "broken.sqlite", process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "broken.jsonl").exists()
    n_kept = n_readings(tmp_path / "broken.sqlite")
    assert n_before <= n_kept < 2 * len(pairs)

    resumed = run(*judge, "--out", "broken.jsonl", "--ledger", "broken.sqlite")
    assert resumed.returncode == 0, resumed.stderr
    assert f"judging, {n_kept // 2} of {len(pairs)} pairs" in resumed.stderr
    assert (tmp_path / "broken.jsonl").read_bytes() == (tmp_path / "unbroken.jsonl").read_bytes()
    assert n_readings(tmp_path / "broken.sqlite") == 2 * len(pairs)


@pytest.mark.slow
def test_interrupted_by_hand_it_says_how_to_go_on(run, tmp_path, tiny):
    # So many that a busy machine is not done with them before it looks at the ledger again.
    write_pairs(tmp_path / "pairs.jsonl", [pair_of("a" * 600 + str(i), "b", id=f"p{i}") for i in range(600)])
    command = [
        *JUDGE,
        "run",
        "pairs.jsonl",
        "--base-model",
        str(tiny),
        "--dtype",
        "float32",
        "--ledger",
        "l.sqlite",
    ]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=listen_to_interrupts,
    )
    wait_for_readings(tmp_path / "l.sqlite", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "the same command goes on there" in err
    assert "Traceback" not in err


def listen_to_interrupts():
    """What a shell starts in the background ignores them, and so would all that these tests start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(("is_kept", "words"), [(True, "goes on there"), (False, "nothing is kept")])
def test_an_interrupt_says_whether_what_was_done_is_kept(is_kept, words, capsys):
    with pytest.raises(typer.Exit), console.interruptible(is_kept):
        raise KeyboardInterrupt
    assert words in capsys.readouterr().err
    assert ("begins anew" in console.time_is_up(1, 2, is_kept)) is not is_kept


def test_an_interrupt_at_any_other_moment_is_one_line_too(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "judge: interrupted.\n"


def wait_for_readings(path, process, timeout_s=60.0):
    """Waits until the ledger holds a first reading; how many there are then."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists() and (n := n_readings(path)):
            return n
        time.sleep(0.01)
    raise AssertionError(f"no reading in {path.name}, process exit status {process.poll()}")


def n_readings(path):
    with sqlite3.connect(path, timeout=10) as connection:
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        return (
            connection.execute("SELECT count(*) FROM readings").fetchone()[0] if "readings" in tables else 0
        )


def test_the_version_is_said():
    said = CliRunner().invoke(app, ["--version"])
    assert (said.exit_code, said.output) == (0, f"judge {__version__}\n")


@pytest.mark.slow
def test_every_verb_has_help_with_an_example_or_a_purpose(run):
    for verb in ("compare", "run", "report", "bench", "models", "ledger"):
        finished = run(verb, "-h")
        assert finished.returncode == 0
        assert "Usage: " in finished.stdout
    assert "Example: " in run("run", "-h").stdout


@pytest.mark.slow
def test_hostile_texts_are_judged_and_reported_without_harm(run, tmp_path):
    pairs = [pair_of(text, "plain", id=f"h{i}", category="h|x") for i, text in enumerate(HOSTILE)]
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    judged = run("run", "pairs.jsonl", "--out", "v.jsonl", "--backend", "scripted:longer")
    assert judged.returncode == 0, judged.stderr
    assert {verdict.status for verdict in read_verdicts("v.jsonl")} <= {
        Status.CONSISTENT,
        Status.INCONSISTENT,
    }
    assert {verdict.outcome for verdict in read_verdicts("v.jsonl")} <= set(Outcome)
    reported = run("report", "v.jsonl", "--pairs", "pairs.jsonl", "--html", "r.html")
    assert reported.returncode == 0, reported.stderr


@pytest.mark.weights
def test_the_default_judge_judges_a_pair(tmp_path):
    command = [*JUDGE, "compare", "--json", "--prompt", "2 + 2?", "--a", "4", "--b", "5"]
    ledger = ["--ledger", str(tmp_path / "l.sqlite")]
    finished = subprocess.run([*command, *ledger], capture_output=True, text=True, env=os.environ, check=True)
    verdict = json.loads(finished.stdout)
    assert verdict["status"] in ("consistent", "inconsistent")
    assert verdict["judge"].startswith("qwen2.5-coder-0.5b+mixed-0.5b/score@embedded-cpu#")


@pytest.mark.slow
def test_a_run_counts_what_was_not_judged_by_reason_and_ends_with_status_3(run, tmp_path):
    pairs = tmp_path / "pairs.jsonl"
    rows = [{"id": str(n), "prompt": "q", "response_a": f"{n}a", "response_b": f"{n}"} for n in range(3)]
    rows.append({"id": "same", "prompt": "q", "response_a": "as before", "response_b": "as before\n"})
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged = ["run", str(pairs), "--ledger", str(tmp_path / "l.sqlite"), "--out", str(tmp_path / "v.jsonl")]
    finished = run(*judged, "--backend", "scripted:unreadable:6")
    assert finished.returncode == 3
    assert "0 of 4 verdicts from the ledger" in finished.stderr
    assert "3 of 4 judged" in finished.stderr
    assert "Identical: 1 (" in finished.stderr
    again = run(*judged, "--backend", "scripted:unreadable:6")
    assert again.returncode == 0
    assert "2 of 4 verdicts from the ledger (made 20" in again.stderr
    assert (
        "0 of 4 verdicts from the ledger" in run(*judged, "--backend", "scripted:longer", "--no-cache").stderr
    )
    assert "0 of 4 verdicts from the ledger" in run(*judged, "--backend", "scripted:longer").stderr


def test_standard_input_is_for_one_input_alone(run, pairs_file):
    assert run("run", pairs_file, "--backend", "scripted:longer", "--out", "v.jsonl").returncode == 0
    finished = run("report", "v.jsonl", "--pairs", "-", "--votes", "-", stdin=pairs_file.read_text())
    assert_one_line(
        finished, "-: standard input can be read once. Name a file for all but one of the inputs."
    )


def test_no_color_is_heeded(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    for variables, is_coloured in ([{}, True], [{"NO_COLOR": "1"}, False], [{"TERM": "dumb"}, False]):
        with monkeypatch.context() as patched:
            patched.setenv("TERM", "xterm")
            patched.delenv("NO_COLOR", raising=False)
            for name, value in variables.items():
                patched.setenv(name, value)
            assert console.is_colored() is is_coloured


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True
