"""How many prompt tokens a fleet of servers computes, with each question's pairs at one server or anywhere.

    python -m benchmarks.fleet --data-dir FOLDER --out FILE

The servers are fakes on this machine that answer at once and keep a prefix cache as vLLM's is: a block of 16
tokens is known where it and everything before it was seen, and what was not used for longest goes first. What
they count is what `usage.prompt_tokens_details.cached_tokens` of a vLLM server would say; the prompts, their
tokens and their placement are the real ones.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from judge.backends import DEFAULT_BASE_MODEL, Settings
from judge.backends.endpoint import Job
from judge.backends.fleet import Fleet
from judge.backends.openai_server import ServerBackend
from judge.backends.service import question_of
from judge.datasets import mt_bench
from judge.evaluate import judge_pairs
from judge.methods.direct import Direct
from judge.provenance import of_sample, provenance, write_result
from judge.records import Pair

SCHEMA = "four-token-judge/fleet/1"
BLOCK = 16  # tokens, vLLM's default
LARGE = 1_000_000  # tokens of cache: a small model on a data centre's GPU
FLEETS = ((1, LARGE), (4, LARGE), (16, LARGE))
FIRST_PORT = 18_100  # fixed, because a question's server follows from the addresses
AT_ONE, ANYWHERE = "a question at one server", "anywhere"


class PrefixCache:
    """Blocks of tokens that were seen, each with all that came before it; at most `capacity` tokens."""

    def __init__(self, capacity: int) -> None:
        self._most = capacity // BLOCK
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._blocks)

    def seen_of(self, ids: Sequence[int]) -> int:
        """How many tokens at the beginning are known, in whole blocks; then all of them are.

        The last token is always computed, as its output is what is asked for.
        """
        names, name = [], 0
        for start in range(0, len(ids) - BLOCK + 1, BLOCK):
            name = hash((name, *ids[start : start + BLOCK]))
            names.append(name)
        n_known = next((n for n, one in enumerate(names) if one not in self._blocks), len(names))
        for one in names:
            self._blocks[one] = None
            self._blocks.move_to_end(one)
        while len(self._blocks) > self._most:
            self._blocks.popitem(last=False)
        return min(n_known, (len(ids) - 1) // BLOCK) * BLOCK


@contextmanager
def fake_server(port: int, model: str, capacity: int) -> Iterator[FakeServer]:
    """A server that speaks as much of vLLM's protocol as the judge uses; to it all choices are equal."""
    server = FakeServer(port, model, capacity)
    running = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    running.start()
    try:
        yield server
    finally:
        server.shutdown()
        running.join()
        server.server_close()


class FakeServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, model: str, capacity: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.model = model
        self.cache = PrefixCache(capacity)
        self.lock = threading.Lock()
        self.n_requests = self.n_bytes_in = self.n_bytes_out = 0

    def answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        with self.lock:
            self.n_requests += 1
            n_cached = self.cache.seen_of(body["prompt"])
        given = {f"token_id:{token}": -1.0 for token in body["logprob_token_ids"]}
        usage = {
            "prompt_tokens": len(body["prompt"]),
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": n_cached},
        }
        return {"choices": [{"text": "", "logprobs": {"top_logprobs": [given]}}], "usage": usage}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeServer

    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": self.server.model, "owned_by": "vllm"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("/completions"):
            self._send(200, self.server.answer(body))
        else:
            self._send(404, {})

    def _send(self, status: int, value: Any) -> None:
        raw = json.dumps(value).encode()
        with self.server.lock:
            self.server.n_bytes_in += int(self.headers.get("content-length", 0))
            self.server.n_bytes_out += len(raw)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args: Any) -> None:
        pass


class Anywhere(Fleet):
    """A fleet that does not know which prompts begin alike."""

    async def _run(self, jobs: Sequence[Job[Any]], leads: Sequence[str], first_alone: bool) -> list[Any]:
        return await super()._run(jobs, [], first_alone)


def measured(pairs: Sequence[Pair], n_servers: int, capacity: int, placement: str) -> dict[str, Any]:
    """What the servers of a fleet computed for the pairs in both orders, and how the work was shared out."""
    settings = Settings(DEFAULT_BASE_MODEL)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(fake_server(FIRST_PORT + n, DEFAULT_BASE_MODEL, capacity))
            for n in range(n_servers)
        ]
        backend = ServerBackend(",".join(server.url for server in servers), settings)
        if placement == ANYWHERE:
            fleet = backend._server
            assert isinstance(fleet, Fleet)
            endpoints = [address.endpoint for address in fleet.addresses]
            backend._server = Anywhere(endpoints, settings, fleet.patience, endpoints[0].kind)
        _ = Direct(backend).identity
        started = time.process_time()
        verdicts = judge_pairs(pairs, Direct(backend))
        cpu_s = time.process_time() - started
        n_requests = [server.n_requests for server in servers]
        n_computed = backend.tokens_computed
        n_bytes = [(server.n_bytes_in, server.n_bytes_out) for server in servers]
    return {
        "n_servers": n_servers,
        "cache_tokens": capacity,
        "placement": placement,
        "n_requests": sum(n_requests),
        "most_requests": max(n_requests),
        "tokens_sent": sum(one.tokens_in for verdict in verdicts for one in verdict.readings.values()),
        "tokens_computed": n_computed,
        "bytes_to_servers": sum(there for there, _ in n_bytes),  # bodies, without headers
        "bytes_from_servers": sum(back for _, back in n_bytes),
        "cpu_s": cpu_s,  # of the client and of the fake servers, which are threads of one process
    }


def table_of(results: Sequence[Mapping[str, Any]]) -> str:
    """Computed tokens of each fleet, both ways."""
    [result] = results
    lines = [
        "| servers | cache of each, tokens | tokens computed, anywhere | a question at one server | "
        "of those sent | busiest server, times the mean |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    runs = {(run["n_servers"], run["cache_tokens"], run["placement"]): run for run in result["runs"]}
    for n_servers, capacity, placement in runs:
        if placement != AT_ONE:
            continue
        at_one = runs[n_servers, capacity, AT_ONE]
        anywhere = runs.get((n_servers, capacity, ANYWHERE), at_one)
        share = 100 * at_one["tokens_computed"] / at_one["tokens_sent"]
        busiest = at_one["most_requests"] / (at_one["n_requests"] / n_servers)
        lines.append(
            f"| {n_servers} | {capacity:,} | {anywhere['tokens_computed']:,} | "
            f"{at_one['tokens_computed']:,} | {share:.0f} % | {busiest:.2f} |"
        )
    sent = result["runs"][0]["tokens_sent"]
    lines += [
        "",
        f"{result['data']}, {result['n_pairs']:,} pairs of {result['n_questions']} questions in both orders "
        f"by `direct`: {sent:,} prompt tokens sent; fake servers with a prefix cache in blocks of {BLOCK} "
        "tokens.",
    ]
    return "\n".join(lines)


def first_of_each(pairs: Sequence[Pair], n: int) -> list[Pair]:
    """The first n pairs of each question, in the pairs' order."""
    counts: Counter[str] = Counter()
    chosen = []
    for pair in pairs:
        counts[question_of(pair)] += 1
        if counts[question_of(pair)] <= n:
            chosen.append(pair)
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="the folder of MT-bench's votes; else from the hub")
    parser.add_argument("--pairs", type=int, default=8, help="of each question: the first ones")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = parser.parse_args()
    pairs = first_of_each(mt_bench.voted_pairs(given.data_dir), given.pairs)
    runs = []
    for n_servers, capacity in FLEETS:
        for placement in (AT_ONE, ANYWHERE) if n_servers > 1 else (AT_ONE,):
            runs.append(measured(pairs, n_servers, capacity, placement))
            print(json.dumps(runs[-1]), flush=True)
    write_result(
        given.out,
        {
            "schema": SCHEMA,
            **provenance(),
            **of_sample(DEFAULT_BASE_MODEL, "MT-bench turn 1", pairs, seed=0),
            "n_questions": len({question_of(pair) for pair in pairs}),
            "block_tokens": BLOCK,
            "runs": runs,
        },
    )


if __name__ == "__main__":
    main()
