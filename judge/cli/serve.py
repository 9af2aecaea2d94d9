"""`judge serve`: one loaded judge for many programs, over HTTP."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Annotated

import typer

from judge.cli.console import LedgerOption, NoCacheOption, interruptible, of_loading, progress_shown
from judge.errors import InputError, MissingExtra
from judge.options import JudgeOptions

LOOPBACK = "127.0.0.1"


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the address; 0 takes a free one.")] = 8502,
    address: Annotated[
        str,
        typer.Option(
            help="Where to listen; beyond this machine only with a token in JUDGE_TOKEN, which callers show."
        ),
    ] = LOOPBACK,
    batch: Annotated[int, typer.Option(min=1, help="Pairs that are read together at most.")] = 64,
    waiting: Annotated[
        int, typer.Option(min=1, help="Pairs that may wait; who asks beside them is told to come again.")
    ] = 1024,
    client_requests_per_minute: Annotated[
        int, typer.Option(min=0, help="Requests of one client's address a minute at most; 0 is no limit.")
    ] = 6000,
    megabytes: Annotated[int, typer.Option(min=1, max=1000, help="Of one request at most.")] = 8,
    ledger: LedgerOption = None,
    no_cache: NoCacheOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No line for each request.")] = False,
    *,
    judge: JudgeOptions,
) -> None:
    """Serve a judge over HTTP, so that many programs share one. SIGTERM ends it when all is answered."""
    if missing := [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]:
        raise MissingExtra(f'judge serve needs {missing[0]}: pip install "four-token-judge[serve]"')
    if judge.settings.strict:
        raise InputError(
            "--strict stops at the first pair that cannot be read, and a service goes on. Leave it out."
        )
    from judge.api import Judge
    from judge.backends.endpoint import TOKEN
    from judge.serve.limits import MEGABYTE, Limits, checked_token
    from judge.serve.running import Server, address_of, listening, serve_until_stopped
    from judge.serve.service import service_of
    from judge.serve.shared import SharedJudge

    def say(line: str) -> None:
        print(f"judge serve: {line}", file=sys.stderr, flush=True)

    def say_of_request(line: str) -> None:
        if not quiet:
            say(line)

    token = checked_token(address, os.environ.get(TOKEN, ""))
    limits = Limits(most_bytes=megabytes * MEGABYTE, per_minute=client_requests_per_minute)
    with ExitStack() as stack:
        stack.enter_context(interruptible(is_kept=not no_cache))
        listener = stack.enter_context(listening(address, port))
        shown = of_loading(stack.enter_context(progress_shown(quiet)))
        asked = stack.enter_context(
            Judge.of(judge, ledger=ledger, cache=not no_cache, progress=shown, remembers=False)
        )
        shared = SharedJudge(asked, batch, most_waiting=waiting)
        server = Server(service_of(shared, limits, token, say_of_request), limits)
        say(f"{address_of(listener)}, loading the judge; its interface: {address_of(listener)}/docs")
        shared.start(when_ready=lambda: say(f"ready: {shared.identity.fingerprint}"), when_failed=server.stop)
        stack.callback(shared.close)
        serve_until_stopped(server, listener)
    if shared.failure is not None:
        raise shared.failure
    say("stopped; what was accepted is answered.")
