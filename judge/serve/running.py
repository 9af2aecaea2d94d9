"""Runs the service in this process until it is told to stop; what was accepted is answered first."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from judge.errors import InputError
from judge.serve.limits import Limits

MOST_HEADER_BYTES = 16_384


class Hurried(H11Protocol):
    """Closes a connection whose next request has begun and is not whole up to its body in time.

    uvicorn itself waits for ever for the head of a request, so a few slow callers could hold all connections.
    """

    head_s = Limits().body_s
    _watched: Any = ()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._watch()

    def _watch(self) -> None:
        """Looks again later whether a request has come since; once for each request."""
        if self._watched is not self.cycle:
            self._watched = self.cycle
            self.loop.call_later(self.head_s, self._close_unless_asked, self.cycle)

    def _close_unless_asked(self, last: Any) -> None:
        if self.cycle is last and not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server, which other threads may stop."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        class Protocol(Hurried):
            head_s = limits.body_s

        config = uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,  # or a caller could name another address as its own
            server_header=False,
            limit_concurrency=limits.most_connections,
            h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        )
        super().__init__(config)

    def stop(self) -> None:
        """Takes no new connections, and ends when what was accepted is answered."""
        self.should_exit = True


def listening(address: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one. Raises InputError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
        raise InputError(f"{address}:{port}: cannot listen there ({reason}). Name another --port.") from error


def address_of(listener: socket.socket) -> str:
    """For example http://127.0.0.1:8502"""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def terminated_quietly() -> Iterator[None]:
    """SIGTERM is no failure here: uvicorn stops at it, and raises it once more when it is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def serve_until_stopped(server: Server, listener: socket.socket) -> None:
    """Returns after SIGTERM or `stop`; an interrupt is raised again when all is answered."""
    with terminated_quietly(), listener:
        server.run(sockets=[listener])
