"""Many pairs, a server with every habit at random, and judging processes that are killed in the middle."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from test_openai_server import Chat, chat, logprobs_of, stated_p, text_of

N_PAIRS = 2000
MIB = 1024 * 1024
MAX_GROWTH = 48  # MiB, of a process that keeps 4,000 readings


class Habitual(Chat):
    """A chat server with every habit at random: it fails, refuses, thinks, and replies in parts.

    What it does depends on the prompt and on how often it failed at it, never on the time.
    """

    failures = ("drop", "busy", "broken", "cut", "error")
    manners = ("plain", "tags", "field", "parts", "long")

    def __init__(self):
        super().__init__()
        self.http.RequestHandlerClass.protocol_version = "HTTP/1.1"
        self.failed, self.served, self.seen = Counter(), Counter(), Counter()

    def answer(self, path, body):
        text = text_of(body)
        self.asked.clear()  # 4,000 prompts are not kept
        for name, said in (("max_tokens", "use max_completion_tokens"), ("temperature", "temperature: no")):
            if name in body:
                return 400, {}, {"error": {"message": f"unsupported: {said}", "param": name}}
        if body["top_logprobs"] > 5:
            return 400, {}, {"error": {"message": "top_logprobs: at most 5"}}
        with self.lock:
            nth = self.failed[text]
        chance = random.Random(f"{text}/{nth}")
        if nth < 3 and chance.random() < 0.05:
            way = chance.choice(self.failures)
            with self.lock:
                self.failed[text] += 1
                self.seen[way] += 1
            return self.failure(way, body)
        manner = random.Random(text).choice(self.manners)
        if manner == "long" and body["max_completion_tokens"] < 100:
            return 200, {}, chat("<think>\nSo, [[B]] or", finish="length")
        with self.lock:
            self.served[text] += 1
            self.seen[manner] += 1
        return 200, {}, self.told(manner, text)

    def failure(self, way, body):
        whole = json.dumps(chat("[[A]]")).encode()
        return {
            "drop": None,
            "busy": (429, {"retry-after": "0"}, b'{"error": {"message": "slow down"}}'),
            "broken": (502, {}, b"<html>Bad gateway</html>"),
            "cut": (200, {}, whole[: len(whole) // 2]),
            "error": (200, {}, {"error": {"message": "Provider returned error", "code": 502}}),
        }[way]

    def told(self, manner, text):
        """The same verdict in one of many forms."""
        p = stated_p(text)
        said = ["[[", "A" if p >= 0.5 else "B", "]]"]
        answer = chat("".join(said), logprobs_of(said, 1, p))
        message = answer["choices"][0]["message"]
        if manner in ("tags", "long"):
            tokens = ["<think>", "[[", "B", "]]", "</think>", *said]
            answer = chat("".join(tokens), logprobs_of(tokens, 6, p))
        elif manner == "field":
            message["reasoning_content"] = "If not, [[B]]."
        elif manner == "parts":
            message["content"] = [{"type": "text", "text": part} for part in said]
        return answer


def write_pairs(file, numbers):
    rows = [
        {
            "id": f"p{n}",
            "prompt": f"Question {n}?",
            "response_a": f"score {n % 99 + 1} {n}",
            "response_b": "b" * 900,
        }
        for n in numbers
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def started(server, pairs, out, ledger):
    """A judging process of its own."""
    options = ["--base-model", "m", "--adapter", "none", "--concurrency", "32", "--quiet"]
    command = [
        sys.executable,
        "-m",
        "judge",
        "run",
        str(pairs),
        "--backend",
        f"server:{server.url}",
        *options,
    ]
    environment = os.environ | {"NO_PROXY": "127.0.0.1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "--out", str(out), "--ledger", str(ledger)], env=environment, stderr=subprocess.PIPE
    )


def killed_after(process, server, n_served):
    """Kills the process, as a machine that goes down would, once the server has answered so much."""
    while sum(server.served.values()) < n_served:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()


def ended(process):
    """The process's memory while it ran, in MiB, a figure each 50 ms. It must end well."""
    memory = []
    while process.poll() is None:
        found = re.search(
            r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        )
        memory += [int(found[1]) / 1024] if found else []
        time.sleep(0.05)
    with process.stderr as said:
        assert process.returncode == 0, said.read()
    return memory


def verdicts_in(out):
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def is_right(verdict):
    """Whether both orders say what the server was asked: P(A) as its first answer states, both times read."""
    p_ab = verdict["orders"]["AB"]["probabilities"]["FIRST"]
    n = int(verdict["pair_id"][1:])
    return verdict["status"] != "unparsed" and p_ab == pytest.approx((n % 99 + 1) / 100)


@pytest.mark.long
def test_2000_pairs_are_judged_once_each_by_a_process_that_is_killed_twice(tmp_path):
    pairs = write_pairs(tmp_path / "p.jsonl", range(N_PAIRS))
    out, ledger = tmp_path / "v.jsonl", tmp_path / "l.sqlite"
    with Habitual() as server:
        for n_served in (700, 2000):
            killed_after(started(server, pairs, out, ledger), server, n_served)
            assert not out.exists()
        memory = ended(started(server, pairs, out, ledger))
        assert set(server.seen) == {*server.failures, *server.manners}
        served = Counter(server.served.values())
    verdicts = verdicts_in(out)
    assert [verdict["pair_id"] for verdict in verdicts] == [f"p{n}" for n in range(N_PAIRS)]
    assert [verdict for verdict in verdicts if not is_right(verdict)] == []
    [fingerprint] = {verdict["judge"] for verdict in verdicts}
    assert "@server-chat:max-completion-tokens,no-temperature,top-logprobs-5#" in fingerprint
    # Asked again: the batch that a kill cut, and the question by which each process learnt what is refused.
    n_batch = 2 * 200_000 // 900
    assert sum(served.values()) == 2 * N_PAIRS
    assert sum((times - 1) * n for times, n in served.items()) <= 2 * (n_batch + 2)
    quarter = len(memory) // 4
    assert median(memory[-quarter:]) - median(memory[quarter : 2 * quarter]) < MAX_GROWTH


@pytest.mark.slow
def test_four_processes_share_a_ledger_and_one_that_is_killed_harms_no_other(tmp_path):
    ledger, n_each = tmp_path / "l.sqlite", 120
    numbers = [range(n_each * part, n_each * (part + 1) + 20) for part in range(4)]  # they overlap
    files = [write_pairs(tmp_path / f"p{part}.jsonl", some) for part, some in enumerate(numbers)]
    outs = [tmp_path / f"v{part}.jsonl" for part in range(4)]
    with Habitual() as server:
        processes = [started(server, file, out, ledger) for file, out in zip(files, outs, strict=True)]
        killed_after(processes[0], server, 150)
        for process in processes[1:]:
            ended(process)
        ended(started(server, files[0], outs[0], ledger))
    for some, out in zip(numbers, outs, strict=True):
        verdicts = verdicts_in(out)
        assert [verdict["pair_id"] for verdict in verdicts] == [f"p{n}" for n in some]
        assert all(map(is_right, verdicts))
    with sqlite3.connect(ledger) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        n_readings = db.execute("SELECT COUNT(*) FROM readings").fetchone()
    db.close()
    assert n_readings == (2 * (4 * n_each + 20),)
    assert all(one.stop > other.start for one, other in pairwise(numbers))
