"""Runs on a real cluster of Ray, started on this machine: what is lost there is judged again, once."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pyarrow as pa
import pyarrow.parquet
import pytest
from clusters import faulty_package
from pairs import pair_of
from rankings import write_outputs
from typer.testing import CliRunner

from benchmarks.cluster import write_scripted
from benchmarks.curves import RUN
from distill import stages
from distill.clean import HeldOut
from distill.folder import RunFolder
from distill.traces import read_traces
from judge.api import Judge
from judge.cli.main import app
from judge.cluster.pool import Cluster, connected
from judge.cluster.storage import names_in
from judge.datasets.mt_bench import voted_pairs
from judge.errors import JudgeError
from judge.evaluate import judge_pairs
from judge.io.pairs import write_pairs
from judge.io.verdicts import read_verdicts
from judge.ledger.ledger import Ledger
from judge.methods import MemoryStore
from judge.options import judge_options
from judge.progress import silent
from judge.records import Pair, Status

pytest.importorskip("ray", reason='Ray is not installed: pip install "four-token-judge[ray]"')
pytestmark = pytest.mark.slow  # a cluster starts

WORKERS = 2
LIMIT_S = 400
"""For a run on a machine that does other things too: starting Ray alone can take a minute there."""


class Ray:
    """A cluster, and commands on it. `asked` are the readings that the backend `faulty` was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = faulty_package(folder / "package")
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(self.package),
            "JUDGE_CACHE": str(folder / "cache"),
            "RAY_worker_niceness": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            "OMP_NUM_THREADS": "1",
        }
        self.environment.pop("RAY_ADDRESS", None)

    def command(
        self, pairs: Path, out: Path, *options: str, judge: str = "faulty", on: str = "ray:local"
    ) -> list[str]:
        backend = f"faulty:{out.parent}" if judge == "faulty" else judge
        said = ["run", str(pairs), "--out", str(out), "--method", "direct", "--backend", backend]
        return [sys.executable, "-m", "judge", *said, "--on", on, "--workers", str(WORKERS), *options]

    def run(self, *given: object, **options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*given, **options),  # type: ignore[arg-type]
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            cwd=self.folder,
        )


@pytest.fixture(scope="module")
def ray_here(tmp_path_factory: pytest.TempPathFactory) -> Ray:
    return Ray(tmp_path_factory.mktemp("ray"))


def pairs_with(n: int, **marked: str) -> list[Pair]:
    """So many pairs, the requests of some with a mark: p7="POISON"."""
    return [
        pair_of("yes " * (1 + i % 7), "no " * (1 + i % 5), f"Is {i} even? {marked.get(f'p{i}', '')}", f"p{i}")
        for i in range(n)
    ]


def expected_of(pairs: Sequence[Pair]):
    return judge_pairs(
        pairs, judge_options(method="direct", backend="scripted:longer").load(silent, MemoryStore())
    )


def test_deaths_lose_no_pair_and_a_poisonous_pair_is_unparsed(ray_here, tmp_path):
    """One pair kills its worker each time, one the first time; all others are as in one process."""
    pairs = pairs_with(60, p7="POISON", p50="DIES-ONCE")
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    done = ray_here.run(tmp_path / "pairs.jsonl", tmp_path / "out.jsonl")
    assert done.returncode == 3, done.stderr
    verdicts = read_verdicts(tmp_path / "out.jsonl")
    assert [verdict.pair_id for verdict in verdicts] == [pair.id for pair in pairs]
    unparsed = [verdict for verdict in verdicts if verdict.status is Status.UNPARSED]
    assert [verdict.pair_id for verdict in unparsed] == ["p7"]
    assert "the worker process died 2 times" in unparsed[0].readings["AB"].reason  # type: ignore[union-attr]
    others = [pair for pair in pairs if pair.id != "p7"]
    assert [verdict for verdict in verdicts if verdict.pair_id != "p7"] == expected_of(others)
    manifest = json.loads((tmp_path / "out.jsonl.shards/manifest.json").read_text())
    assert manifest["n_pairs"] == 60 == sum(shard["pairs"] for shard in manifest["shards"])
    assert manifest["judge"] == verdicts[0].judge
    assert "1,000 pairs cost" in done.stderr


@pytest.mark.long
def test_a_killed_driver_goes_on_where_it_was(ray_here, tmp_path):
    """Whole shards stay as they are, and no pair of them is asked again; the ledger takes them in the end."""
    pairs = pairs_with(400, **{f"p{n}": "SLOW" for n in range(400)})
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    out, shards = tmp_path / "out.jsonl", tmp_path / "out.jsonl.shards"
    driver = subprocess.Popen(
        ray_here.command(tmp_path / "pairs.jsonl", out),
        env=ray_here.environment,
        stderr=subprocess.PIPE,
        cwd=ray_here.folder,
    )
    deadline = time.monotonic() + LIMIT_S
    while not (before := shards_in(shards)) and time.monotonic() < deadline and driver.poll() is None:
        time.sleep(0.2)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    before = shards_in(shards)
    assert before, driver.stderr.read().decode()  # type: ignore[union-attr]
    assert not out.exists()
    made = {name: (shards / name).stat().st_mtime_ns for name in before}
    time.sleep(3)  # workers of the lost driver end
    (tmp_path / "asked").rename(tmp_path / "asked before")
    done = ray_here.run(tmp_path / "pairs.jsonl", out)
    assert done.returncode == 0, done.stderr
    assert {name: (shards / name).stat().st_mtime_ns for name in before} == made
    assert read_verdicts(out) == expected_of(pairs)
    asked = Counter((tmp_path / "asked").read_text().splitlines())
    assert len(asked) < 800, "what had a whole shard was asked again"
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.load(sorted(shards.glob("*.jsonl.gz"))).added == 800


def shards_in(folder: Path) -> list[str]:
    return [name for name in names_in(str(folder)) if name.endswith(".jsonl.gz")]


# --- on one cluster that several tests share ------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cluster that this process is connected to, so that commands here use it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("JUDGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("RAY_ADDRESS", raising=False)
        with connected(Cluster("local", WORKERS)):
            yield


def judge(*arguments: object, expect: int = 0) -> str:
    """What a command prints, run in this process on the shared cluster."""
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    if isinstance(done.exception, JudgeError):
        assert expect == 2
        return str(done.exception)
    assert done.exit_code == expect, (done.output, done.exception)
    return done.output


ON = ("--on", "ray", "--workers", WORKERS)


def test_a_folder_of_any_forms_has_the_verdicts_of_one_process(shared, tmp_path):
    pairs = pairs_with(300)
    (tmp_path / "in").mkdir()
    write_pairs(tmp_path / "in/a.jsonl", pairs[:200])
    table = [
        {"id": p.id, "prompt": p.prompt, "response_a": p.response_a, "response_b": p.response_b}
        for p in pairs
    ]
    pyarrow.parquet.write_table(pa.Table.from_pylist(table[200:]), tmp_path / "in/b.parquet")
    given = ("--method", "direct", "--backend", "scripted:longer")
    judge("run", f"file://{tmp_path}/in", "--out", tmp_path / "out.jsonl", *given, *ON)
    assert read_verdicts(tmp_path / "out.jsonl") == expected_of(pairs)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out.jsonl.shards").glob("*.gz")}
    assert len(before) > 1
    said = judge("run", f"file://{tmp_path}/in", "--out", tmp_path / "out.jsonl", *given, *ON)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "300 of them had whole shards; 0 were judged" in said


def test_a_run_whose_time_is_up_writes_what_was_judged_and_goes_on(shared, tmp_path, monkeypatch):
    """All blocks in time, then with half of the shards gone and no time, then with none left."""
    monkeypatch.chdir(tmp_path)
    pairs = pairs_with(200)
    write_pairs("pairs.jsonl", pairs)
    given = ("run", "pairs.jsonl", "--method", "direct", "--backend", "scripted:longer", *ON)
    judge(*given, "--out", "out.jsonl", "--within", "1h")
    assert read_verdicts("out.jsonl") == expected_of(pairs)
    folder = Path("out.jsonl.shards")
    shards = sorted(folder.glob("*.jsonl.gz"))
    for path in (*shards[::2], folder / "manifest.json"):
        path.unlink()
    told = judge(*given, "--out", "out.jsonl", "--within", "0s", expect=3)
    found = read_verdicts("out.jsonl")
    assert 0 < len(found) < 200
    assert f"The time of --within is up: {200 - len(found)} of 200 pairs are not judged." in told
    assert not (folder / "manifest.json").exists(), "a manifest is of a whole run"
    for path in shards[1::2]:
        path.unlink()
    early = judge(*given, "--out", "out.jsonl", "--within", "0s", expect=2)
    assert "--within: 0s were up before a block was judged. Give more time." in early
    assert read_verdicts("out.jsonl") == found


def test_bad_lines_are_told_before_anything_is_judged(shared, tmp_path):
    (tmp_path / "pairs.jsonl").write_text(
        '{"prompt": "2 + 2?", "response_a": "4", "response_b": "5"}\n{"id": "x"}\n'
    )
    given = ("--backend", "scripted:longer", "--out", tmp_path / "out.jsonl")
    here = judge("run", tmp_path / "pairs.jsonl", *given, expect=2)
    assert judge("run", tmp_path / "pairs.jsonl", *given, *ON, expect=2) == here
    assert not list(tmp_path.glob("out.jsonl.shards/*.gz"))


def test_a_bench_has_the_figures_of_one_machine(shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pairs = [replace(pair, metadata={"gold": "A" if n % 3 else "B"}) for n, pair in enumerate(pairs_with(60))]
    write_pairs("pairs.jsonl", pairs)
    given = ("bench", "pairs.jsonl", "--method", "bsm", "--backend", "scripted:longer", "--quiet")
    judge(*given, "--ledger", "here.sqlite", "--out", "here.json")
    judge(*given, "--ledger", "there.sqlite", "--out", "there.json", "--shards", "shards", *ON)
    here, there = (json.loads(Path(f"{name}.json").read_text()) for name in ("here", "there"))
    [mine], [its] = ([one for one in made["judges"] if one["fingerprint"]] for made in (here, there))
    here_s, there_s = (one["cost"].pop("elapsed_s") for one in (mine, its))
    assert mine == its
    assert min(here_s, there_s) > 0, "the seconds are those of the workers"
    with Ledger(Path("there.sqlite")) as ledger:
        [summary] = ledger.summary()
    assert summary.n_readings == 120
    times = {path: path.stat().st_mtime_ns for path in Path("shards").glob("*.gz")}
    assert times
    again = (*given, "--shards", "shards", *ON)
    judge(*again, "--ledger", "other.sqlite")
    assert {path: path.stat().st_mtime_ns for path in times} == times
    judge(*again, "--no-cache")
    assert all(path.stat().st_mtime_ns > before for path, before in times.items())


def test_a_ranking_and_a_teacher_read_on_the_cluster(shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = write_outputs(tmp_path, {"big": [40] * 12, "small": [10] * 12})
    given = ("--method", "direct", "--backend", "scripted:longer", "--quiet")
    boards = [
        judge("rank", *files, *given, "--ledger", f"{len(where)}.sqlite", *where)
        for where in ((), (*ON, "--shards", "shards"))
    ]
    assert boards[0] == boards[1]
    write_pairs("unlabelled.jsonl", pairs_with(30))
    monkeypatch.setattr(stages, "held_out_texts", lambda folder, unchecked: HeldOut({}, {}))
    recipe = {
        "name": "trial",
        "collect": {
            "pairs": {"source": "file", "path": "unlabelled.jsonl"},
            "teacher": {"method": "bsm", "backend": "scripted:longer"},
        },
    }
    Path("trial.yaml").write_text(json.dumps(recipe))
    judge("distill", "collect", "--config", "trial.yaml", *ON, "--shards", "shards", "--quiet")
    traces = read_traces(RunFolder(Path("runs/trial")).traces)
    assert len(traces) == 30
    assert all(trace.verdict.status is not Status.UNPARSED for trace in traces)


def test_a_cluster_that_is_not_there_is_one_message(ray_here, tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", pairs_with(1))
    done = ray_here.run(tmp_path / "pairs.jsonl", tmp_path / "out.jsonl", on="ray:127.0.0.1:1")
    assert done.returncode == 2
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith("judge: --on ray:127.0.0.1:1: no cluster answers there (")
    )
    assert not (tmp_path / "out.jsonl").exists()


GUIDE = Path(__file__).parents[1] / "docs/how-to/judge-on-a-cluster.md"
SHIM = """#!/bin/sh
case "$1" in run) set -- "$@" --backend scripted:longer ;; esac
exec {python} -m judge "$@"
"""
"""What `judge` is where the guide is followed: a judge without weights."""


def test_the_guide_is_followed_as_it_is_written(ray_here, tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", pairs_with(100))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/judge").write_text(SHIM.format(python=sys.executable))
    (tmp_path / "bin/judge").chmod(0o755)
    blocks = re.findall(r"(<!-- not run[^\n]*\n)?```bash\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    commands = "".join(text for not_run, text in blocks if not not_run)
    assert commands.count("--on ray:local") == 1
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        env={**ray_here.environment, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "200 added, 0 already known" in done.stdout
    assert len(read_verdicts(tmp_path / "verdicts.jsonl")) == 100


@pytest.mark.long
def test_a_million_pairs_take_less_than_ten_minutes_and_two_gibibytes_of_the_driver(ray_here, tmp_path):
    """On two free cores. 50,000 in the ordinary tests are `test_tens_of_thousands_of_pairs`."""
    write_scripted(tmp_path / "pairs.jsonl", 1_000_000)
    elapsed_s, peak = timed_run(ray_here, tmp_path, 1_000_000)
    assert elapsed_s < 600
    assert peak < 2 * 2**30


def test_tens_of_thousands_of_pairs(ray_here, tmp_path):
    """As many as a shared machine judges within a minute; a million are in the long tests."""
    write_scripted(tmp_path / "pairs.jsonl", TENS_OF_THOUSANDS)
    _, peak = timed_run(ray_here, tmp_path, TENS_OF_THOUSANDS)
    assert peak < 2**30


TENS_OF_THOUSANDS = 50_000


def timed_run(ray_here: Ray, folder: Path, n: int) -> tuple[float, int]:
    """Seconds and the driver's peak memory of a run whose verdicts are all there, in order."""
    command = ray_here.command(folder / "pairs.jsonl", folder / "out.jsonl", judge="scripted:longer")
    started = time.monotonic()
    done = subprocess.run(
        [command[0], "-c", RUN, *command[3:]],
        env=ray_here.environment,
        capture_output=True,
        text=True,
        timeout=3600,
        cwd=ray_here.folder,
    )
    elapsed_s = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    with (folder / "out.jsonl").open() as lines:
        ids = (json.loads(line)["pair_id"] for line in lines)
        assert all(id == f"p{number}" for number, id in enumerate(ids))
    manifest = json.loads((folder / "out.jsonl.shards/manifest.json").read_text())
    assert sum(shard["consistent"] + shard["inconsistent"] for shard in manifest["shards"]) == n
    return elapsed_s, int(re.findall(r"PEAK (\d+)", done.stderr)[0])


NOISE = 0.03
"""Of P(A) in bfloat16, in batches of another make-up: 0.005 in the mean and 0.021 at most on these pairs."""


@pytest.mark.weights
@pytest.mark.long
def test_the_real_judge_on_two_workers_says_what_it_says_in_one_process(ray_here, tmp_path, data_dir):
    """200 pairs of MT-bench: the same choices, probabilities to the noise of batches of other make-up."""
    pairs = random.Random(0).sample(voted_pairs(data_dir), 200)
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    here = Judge(cache=False).judge(pairs)
    environment = {name: value for name, value in ray_here.environment.items() if name != "JUDGE_CACHE"}
    command = ray_here.command(tmp_path / "pairs.jsonl", tmp_path / "out.jsonl", judge="embedded")
    at = command.index("--method")
    done = subprocess.run(
        command[:at] + command[at + 2 :], env=environment, capture_output=True, text=True, timeout=3600
    )
    assert done.returncode == 0, done.stderr
    there = read_verdicts(tmp_path / "out.jsonl")
    assert {verdict.judge for verdict in there} == {here[0].judge}
    assert [verdict.pair_id for verdict in there] == [pair.id for pair in pairs]
    noise = [abs(mine.p_a - its.p_a) for mine, its in zip(here, there, strict=True)]  # type: ignore[operator]
    assert max(noise) < NOISE
    assert fmean(noise) < NOISE / 4
    sure = [n for n, verdict in enumerate(here) if abs(verdict.p_a - 0.5) > NOISE]  # type: ignore[operator]
    assert [here[n].outcome for n in sure] == [there[n].outcome for n in sure]
    assert len(sure) > 100
