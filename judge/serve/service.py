"""The service as an ASGI application: /compare, /rank, /health, and the page of its interface at /docs."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException
from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from judge._version import __version__
from judge.errors import InputError, JudgeError
from judge.io.durations import seconds_in
from judge.io.pairs import id_of, pair_from_cells, with_ids
from judge.io.rows import Cells, Wrong, kind_of, not_utf8, parse_json
from judge.io.values import text
from judge.io.verdicts import verdict_to_json
from judge.provenance import as_json
from judge.records import Message as Turn
from judge.records import Pair, Unparsed, Verdict
from judge.serve.interface import ABOUT, COMPARE, HEALTH, RANK, page_of
from judge.serve.limits import Limits, Pace, names_loopback, shows_token
from judge.serve.shared import Busy, NotReady, SharedJudge

Say = Callable[[str], None]
PATHS = ("/health", "/compare", "/rank", "/docs", "/openapi.json")
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH")
LOADING_S = 10
JSON = "application/json"
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
RANK_KEYS = ("answers", "budget", "within", "seed")


def service_of(shared: SharedJudge, limits: Limits, token: str, say: Say) -> ASGIApp:
    """The service of a judge that is started.

    Args:
        token: what callers have to show; "" asks for none, and answers only who calls this machine by a name
            of its own.
        say: is told a line for each request, which holds no text of it.
    """
    app = FastAPI(
        title="four-token-judge", version=__version__, description=ABOUT, docs_url=None, redoc_url=None
    )
    rankings = asyncio.Semaphore(limits.most_rankings)

    @app.get("/health", summary="Which judge this is", openapi_extra=HEALTH)
    async def health() -> Response:
        identity = shared.identity
        return answered({"status": "ready", "judge": identity.fingerprint, "identity": asdict(identity)})

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(
            page_of(app.openapi()), media_type="text/html", headers={"Content-Security-Policy": POLICY}
        )

    @app.post("/compare", summary="The verdict on a pair", openapi_extra=COMPARE)
    async def compare(request: Request) -> Response:
        pair = pair_in(await cells_of(request, limits))
        verdict = await asyncio.wrap_future(shared.asked(pair))
        return answered(verdict_to_json(verdict))

    @app.post("/rank", summary="A leaderboard of models", openapi_extra=RANK)
    async def rank(request: Request) -> Response:
        if rankings.locked():
            raise Busy(f"{limits.most_rankings} rankings are being made already. Ask again in a minute.")
        async with rankings:
            cells = await cells_of(request, limits)
            shared.identity  # noqa: B018  (raises where the judge is not ready)
            return await while_connected(request, lambda is_gone: ranking_of(cells, shared, is_gone))

    kinds: tuple[type[Exception], ...] = (JudgeError, Wrong, AnyHTTPException, ClientDisconnect, Exception)
    for kind in kinds:
        app.add_exception_handler(kind, refused)
    return Guard(app, Pace(limits.per_minute), token, say)


class Guard:
    """Lets in who may ask, and says what came of each request in words that hold no text of it."""

    def __init__(self, app: ASGIApp, pace: Pace, token: str, say: Say) -> None:
        self._app = app
        self._pace = pace
        self._token = token
        self._say = say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await (self._refusal(scope) or self._app)(scope, receive, noted)
        except Exception as error:  # answered already; its own words might quote a pair
            self._say(f"a bug: {place_of(error)}")
        path = scope["path"] if scope["path"] in PATHS else "(another path)"
        method = scope["method"] if scope["method"] in METHODS else "(another method)"
        self._say(f"{method} {path} {status} {1000 * (time.monotonic() - started):.0f} ms")

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._token and not shows_token(headers.get("authorization", ""), self._token):
            line = "no access: send the header Authorization with 'Bearer' and the service's token."
            return answered({"error": line}, 401, {"WWW-Authenticate": "Bearer"})
        if not self._token and not names_loopback(headers.get("host", "")):
            return answered({"error": "the header Host names another machine. Ask 127.0.0.1."}, 403)
        address = scope["client"][0] if scope["client"] else ""
        if wait_s := self._pace.wait_s(address):
            line = "too many requests of one address. Ask again after the pause that Retry-After names."
            return answered({"error": line}, 429, {"Retry-After": str(math.ceil(wait_s))})
        return None


def place_of(error: BaseException) -> str:
    """Where an error came from: its class, the file and the line, and none of its words."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "nowhere"
    return f"{type(error).__name__} at {place}"


# --- requests ----------------------------------------------------------------------------------------------


async def cells_of(request: Request, limits: Limits) -> Cells:
    """The JSON object that a request holds. Raises Wrong, or HTTPException where it may not be read."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        raise HTTPException(415, f"the header Content-Type must be {JSON}.")
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_s):
            async for part in request.stream():
                body += part
                if len(body) > limits.most_bytes:
                    raise HTTPException(413, f"the request is longer than {limits.most_bytes:,} bytes.")
    except TimeoutError:
        raise HTTPException(408, f"the request was not whole within {limits.body_s:g} s.") from None
    try:
        value = parse_json(body.decode())
    except UnicodeDecodeError as error:
        raise not_utf8(error.object[error.start]) from None
    if not isinstance(value, dict):
        raise Wrong(f"the request is {kind_of(value)}. It must be one JSON object.")
    return value


def pair_in(cells: Cells) -> Pair:
    """The pair, as a line of a file of pairs has it."""
    [pair] = with_ids([pair_from_cells(cells, id_of(cells))])
    return pair


async def while_connected(request: Request, make: Callable[[threading.Event], Response]) -> Response:
    """What `make` makes in a thread; it is told when nobody waits for it any more."""
    is_gone = threading.Event()
    making = asyncio.ensure_future(asyncio.to_thread(make, is_gone))
    while not (await asyncio.wait([making], timeout=1.0))[0]:
        if await request.is_disconnected():
            is_gone.set()
    return making.result()


def ranking_of(cells: Cells, shared: SharedJudge, is_gone: threading.Event) -> Response:
    """What `judge rank --out` would write of these answers."""
    from judge.forms.form import Entry, optional_name
    from judge.ranking.answers import answers_of
    from judge.ranking.rank import rank_answers

    if unknown := [name for name in cells if name not in RANK_KEYS]:
        raise Wrong(f"unknown key {unknown[0][:40]!r}. The keys are {', '.join(RANK_KEYS)}.")
    rows = cells.get("answers")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Wrong("answers must be a list of objects with instruction, output and generator.")
    for number, row in enumerate(rows):
        if not optional_name(row.get("generator")):
            raise Wrong(f"answers[{number}]: missing generator, the name of the model that answered.")
    entries = [Entry("answers", f"answers[{number}]", row) for number, row in enumerate(rows)]
    budget, seed = whole(cells, "budget", 1), whole(cells, "seed", 0)
    within_s = None if cells.get("within") is None else seconds_in(text(cells["within"], "within"), "within")
    board = rank_answers(answers_of(entries), Unless(is_gone, shared), budget, within_s, seed or 0)
    return Response(as_json(board.as_json()) + "\n", media_type=JSON)


def whole(cells: Mapping[str, Any], name: str, least: int) -> int | None:
    """A whole number, None for null or nothing."""
    value = cells.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= least):
        return value
    raise Wrong(f"{name} must be a whole number from {least} up, or null.")


class Unless:
    """The shared judge, until nobody waits for the ranking any more."""

    def __init__(self, is_gone: threading.Event, shared: SharedJudge) -> None:
        self._is_gone = is_gone
        self._shared = shared
        self.identity = shared.identity
        self.grades_answers = shared.grades_answers
        self.batch_characters = shared.batch_characters

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]:
        self._check()
        return self._shared.judge(pairs)

    def grades(
        self, conversations: Sequence[Sequence[Turn]], references: Sequence[str | None] | None = None
    ) -> list[float | Unparsed]:
        self._check()
        return self._shared.grades(conversations, references)

    def _check(self) -> None:
        if self._is_gone.is_set():
            raise ClientDisconnect


# --- answers -----------------------------------------------------------------------------------------------


def answered(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The value as a line of JSON, as files of verdicts have it."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"
    return Response(line.encode("utf-8", errors="replace"), status, headers, media_type=JSON)


async def refused(request: Request, error: Exception) -> Response:
    """The error as one line, with the status that fits it."""
    status, line, pause_s = in_words(error)
    headers = {"Retry-After": str(pause_s)} if pause_s else {}
    return answered({"error": line}, status, headers)


def in_words(error: Exception) -> tuple[int, str, int]:
    """Status, line, and seconds after which to ask again; 0 where that would help nothing.

    An engine's own words may quote the pairs that it read with this one, so they stay here.
    """
    match error:
        case NotReady():
            return 503, str(error), LOADING_S
        case Busy():
            return 429, str(error), 1
        case Wrong() | InputError():
            return 422, " ".join(str(error).splitlines()), 0
        case AnyHTTPException(status_code=404):
            return 404, f"no such path. There are {', '.join(PATHS)}.", 0
        case AnyHTTPException(status_code=405):
            return 405, "another method: /compare and /rank are asked with POST, the other paths with GET.", 0
        case AnyHTTPException():
            return error.status_code, f"{error.detail}", 0
        case ClientDisconnect():
            return 400, "the request broke off.", 0
        case JudgeError():
            line = (
                f"the judge cannot answer ({type(error).__name__}). Ask again; if that stays so, "
                "`judge compare` with the options of this service, where it runs, says why."
            )
            return 502, line, 0
        case _:
            return 500, "a bug of the service; its log says where.", 0
