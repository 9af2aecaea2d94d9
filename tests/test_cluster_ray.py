"""Runs on a real cluster of Ray, started on this machine: what is lost there is judged again, once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from clusters import faulty_package
from pairs import pair_of

from judge.cluster.storage import names_in
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


def test_a_missing_cluster_and_bad_lines_are_one_message(ray_here, tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", pairs_with(1))
    done = ray_here.run(tmp_path / "pairs.jsonl", tmp_path / "out.jsonl", on="ray:127.0.0.1:1")
    assert done.returncode == 2
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith("judge: --on ray:127.0.0.1:1: no cluster answers there (")
    )
    assert not (tmp_path / "out.jsonl").exists()
