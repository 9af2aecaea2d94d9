"""Services that tests ask: a judge without a model behind a free port of this machine, in this process."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from judge.api import Judge
from judge.options import judge_options
from judge.serve.limits import Limits
from judge.serve.running import Server, address_of, listening, serve_until_stopped
from judge.serve.service import service_of
from judge.serve.shared import SharedJudge

UNLIMITED = Limits(per_minute=0)


@dataclass
class Service:
    """A service that runs; `log` has what it said of each request."""

    url: str
    judge: Judge
    shared: SharedJudge
    log: list[str] = field(default_factory=list)

    def post(self, path: str, value: Any, **headers: str) -> Answer:
        return self.send("POST", path, json.dumps(value).encode(), **headers)

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, None, **headers)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """The answer to one request on a connection of its own; `_` in a header's name is `-`."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        sent = {"Content-Type": "application/json"} if body is not None else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()


@dataclass
class Answer:
    status: int
    headers: Any
    content: bytes

    @property
    def value(self) -> Any:
        return json.loads(self.content)

    @property
    def error(self) -> str:
        """The error's line; there is nothing beside it."""
        [(name, line)] = self.value.items()
        assert name == "error"
        assert "\n" not in line
        return line


@contextmanager
def serving(
    backend: str = "scripted:longer",
    *,
    limits: Limits = UNLIMITED,
    token: str = "",
    ledger: Any = None,
    is_started: bool = True,
    most_pairs: int = 64,
    most_waiting: int = 1024,
    linger_s: float = 0.005,
    **options: Any,
) -> Iterator[Service]:
    """A service that is ready, unless it is not started."""
    chosen = judge_options(backend=backend, **options)
    with Judge.of(chosen, ledger=ledger, cache=ledger is not None, remembers=False) as judge:
        shared = SharedJudge(judge, most_pairs, linger_s, most_waiting)
        log: list[str] = []
        server = Server(service_of(shared, limits, token, log.append), limits)
        listener = listening("127.0.0.1", 0)
        service = Service(address_of(listener), judge, shared, log)
        running = threading.Thread(target=serve_until_stopped, args=(server, listener), daemon=True)
        running.start()
        try:
            if is_started:
                started(shared)
            yield service
        finally:
            server.stop()
            running.join(60)
            shared.close()
            assert not running.is_alive()


def started(shared: SharedJudge) -> None:
    """Starts the judge and waits until it is ready."""
    is_ready = threading.Event()
    shared.start(when_ready=is_ready.set, when_failed=is_ready.set)
    assert is_ready.wait(60)
    assert shared.failure is None


def wait_for(is_so: Callable[[], bool], within_s: float = 300.0) -> None:
    ends_at = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < ends_at, "it did not come to that"
        time.sleep(0.01)


def in_threads(n: int, do: Callable[[int], Any]) -> list[Any]:
    """What `do` gives for 0 to n - 1, all called at once; an exception of one is raised."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(do, range(n)))


def row(n: int = 0, **more: Any) -> dict[str, Any]:
    """A pair of which the first answer is the longer one."""
    return {
        "prompt": f"Question {n}?",
        "response_a": f"a longer answer {n}",
        "response_b": f"short {n}",
    } | more
