"""64 clients at once, of whom some break off, hurry or talk nonsense: no verdict is lost, none is doubled."""

from __future__ import annotations

import http.client
import json
import random
import socket
import sqlite3
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from serving import UNLIMITED, in_threads, serving

from judge.backends import scripted

N_CLIENTS = 64
HEAD = b"POST /compare HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
LEAST = 5
"""Verdicts that each client gets at least, however long it takes."""
N_SHARED = 200
"""Pairs that any client may ask about; every other one is a client's own."""


@dataclass
class Client:
    """Somebody who asks for verdicts as fast as they come, and keeps what came."""

    number: int
    url: str
    ends_at: float
    answered: list[tuple[str, dict]] = field(default_factory=list)
    seen: Counter = field(default_factory=Counter)

    def run(self) -> Client:
        dice = random.Random(self.number)
        connection = self.connected()
        n = 0
        while time.monotonic() < self.ends_at or len(self.answered) < LEAST:  # a busy machine takes longer
            n += 1
            shared = dice.random() < 0.3
            name = f"shared {dice.randrange(N_SHARED)}" if shared else f"client {self.number} pair {n}"
            if (chance := dice.random()) < 0.05:
                self.break_off(name, dice)
            elif chance < 0.1:
                self.talk_nonsense(connection)
            else:
                self.answered.append((name, self.verdict(connection, name)))
        connection.close()
        return self

    def connected(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=120)

    def verdict(self, connection: http.client.HTTPConnection, name: str) -> dict:
        """The verdict on the pair; asked again where the queue is full."""
        while True:
            status, value = self.asked(connection, json.dumps(pair_called(name, self.number)).encode())
            if status == 200:
                return value
            assert status == 429, value
            time.sleep(0.05)

    def asked(self, connection: http.client.HTTPConnection, body: bytes) -> tuple[int, dict]:
        try:
            connection.request("POST", "/compare", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
        except (ConnectionError, http.client.RemoteDisconnected):  # it was idle for too long, and was closed
            connection.close()
            return self.asked(connection, body)
        self.seen[response.status] += 1
        return response.status, json.loads(response.read())

    def break_off(self, name: str, dice: random.Random) -> None:
        """Asks and does not wait for the answer, or breaks off in the middle of the question."""
        body = json.dumps(pair_called(name, self.number)).encode()
        head = HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode()
        sent = head + body
        parts = urlsplit(self.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
            connection.sendall(sent[: dice.choice([5, len(head), len(sent) - 3, len(sent)])])
        self.seen["broken off"] += 1

    def talk_nonsense(self, connection: http.client.HTTPConnection) -> None:
        status, _ = self.asked(connection, b'{"prompt": "half a pair"}')
        assert status == 422


def pair_called(name: str, client: int) -> dict:
    """A pair that only its name tells from others; who wins follows from it."""
    answers = ["long " * 20 + name, name]
    a, b = answers if wins(name) == "A" else reversed(answers)
    return {"id": f"{name} of {client}", "prompt": f"Tell me of {name}.", "response_a": a, "response_b": b}


def wins(name: str) -> str:
    return random.Random(name).choice("AB")


def soaked(seconds: float, ledger) -> list[Client]:
    """What 64 clients got in so many seconds; everything about it is checked."""
    read: Counter = Counter()
    lock = threading.Lock()

    def counted(prompt, index):
        with lock:
            read[scripted.text_of(prompt, "context"), scripted.text_of(prompt, "first")] += 1
        return scripted.longer(prompt, index)

    scripted.CHARACTERS["counted"] = counted
    try:
        with serving("scripted:counted", ledger=ledger, limits=UNLIMITED, most_waiting=8) as service:
            ends_at = time.monotonic() + seconds
            clients = in_threads(N_CLIENTS, lambda number: Client(number, service.url, ends_at).run())
            fingerprint = service.shared.identity.fingerprint
            assert service.post("/compare", pair_called("the last", 0)).status == 200
            assert not service.judge._judged, "it would grow for ever"
    finally:
        del scripted.CHARACTERS["counted"]
    check_answers(clients, fingerprint)
    assert set(read.values()) == {1}, "a reading was made twice"
    check_ledger(ledger, clients)
    check_log(service.log, clients)
    return clients


def check_answers(clients: list[Client], fingerprint: str) -> None:
    """Each client has the verdict on the pair that it asked about, and on no other."""
    for client in clients:
        assert len(client.answered) >= LEAST
        for name, verdict in client.answered:
            assert verdict["pair_id"] == f"{name} of {client.number}"
            assert (verdict["status"], verdict["outcome"]) == ("consistent", wins(name))
            assert verdict["judge"] == fingerprint


def check_ledger(ledger, clients: list[Client]) -> None:
    """Two readings of each different pair, and none for what was not asked."""
    names = {name for client in clients for name, _ in client.answered}
    with sqlite3.connect(ledger) as db:
        [n_contents, n_readings] = db.execute(
            "SELECT COUNT(DISTINCT content), COUNT(*) FROM readings"
        ).fetchone()
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    assert n_readings == 2 * n_contents
    n_broken_off = sum(client.seen["broken off"] for client in clients)
    assert len(names) < n_contents <= len(names) + 1 + n_broken_off


def check_log(log: list[str], clients: list[Client]) -> None:
    """A line for each answer that a client got."""
    said = Counter(line.split()[2] for line in log)
    for status in (200, 422, 429):
        got = sum(client.seen[status] for client in clients)
        extra = sum(client.seen["broken off"] for client in clients) + 1
        assert got <= said[str(status)] <= got + extra
    assert not any("bug" in line for line in log)


@pytest.mark.slow
def test_64_clients_lose_no_verdict_and_get_none_twice(tmp_path):
    clients = soaked(4.0, tmp_path / "l.sqlite")
    assert all(sum(client.seen[status] for client in clients) > 0 for status in (200, 422, 429, "broken off"))


@pytest.mark.long
def test_64_clients_for_a_minute_lose_no_verdict_and_get_none_twice(tmp_path):
    clients = soaked(60.0, tmp_path / "l.sqlite")
    print(f"{sum(len(client.answered) for client in clients)} verdicts in a minute")
    assert all(sum(client.seen[status] for client in clients) > 0 for status in (200, 422, 429, "broken off"))
