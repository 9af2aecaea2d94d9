"""One address of an OpenAI-compatible server: limits, retries, and its errors as our own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import random
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from judge.backends import Sampling, Settings
from judge.backends.chat_text import NoReply, usage_of, whole_characters
from judge.backends.kept import KeptAnswers
from judge.errors import BackendError, InputError, MissingExtra
from judge.io.files import error_line
from judge.records import Unparsed, sha256_of_json

if TYPE_CHECKING:
    import openai
    import tenacity

T = TypeVar("T")

KEY = "OPENAI_API_KEY"
TOKEN = "JUDGE_TOKEN"  # of a service that `judge serve` runs
NOWHERE = "http://localhost"  # of the client itself; every session asks its own address
NO_KEY = "none"  # the client insists on a key, a local server needs none
SHORTEST_SECRET = 8  # shorter ones are stand-ins like "EMPTY"; hiding those would eat words of replies
LONGEST_WORD = 16  # and so are letters alone up to this

ENVIRONMENT = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
    "OPENAI_CUSTOM_HEADERS",
)
"""Variables that the client reads by itself, those of proxies in small letters, too."""

MOVES = (301, 302, 303)  # a POST goes on as a GET, which no server answers with a reply; 307 and 308 keep it
AGAIN = (408, 409, 429)  # and everything from 500 on, but for what follows
NEVER = 501  # not implemented
OUT_OF_CREDIT = re.compile(
    r"insufficient[_ ](?:credit|balance|quota|funds)|credit balance is too low|exceeded your current quota",
    re.IGNORECASE,
)
"""What a server says where nothing is left to pay with; no pause helps."""

REFUSES = re.compile(
    r"(?:un|not )supported|unrecogni[sz]ed|unexpected keyword|extra (?:inputs|fields)|"
    r"roles? (?:must|are|is)\b",
    re.IGNORECASE,
)
"""What a server says of a request that it will never take, some with a status of 500."""

OF_WEIGHTS = (
    "root",
    "digest",
    "sha256",
    "revision",
    "canonical_slug",
    "hugging_face_id",
    "quantization",
    "system_fingerprint",
)
OF_WEIGHTS_IN_META = ("n_params", "n_vocab", "n_embd", "size")  # of llama.cpp
"""What a listing may say of a model's weights."""

NOTHING_SAID = "no more said"
DROPPED = ("RemoteProtocolError", "ReadError", "WriteError")
"""What httpx, a package that goes by two names, calls a connection that was there and is lost."""
MOST_FAILED = 3
"""So many failures in a row are the server's; fewer are their prompts'."""

ROOM = 4096  # tokens for a model that thinks before it replies
SAID_CHARACTERS = 300
SHOWN_MODELS = 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often a server is asked. Clocks come in, so that tests need no minutes.

    Args:
        attempts: how often one question is asked before it has failed.
        first_wait_s: pause before the second attempt; it doubles from one to the next.
        longest_wait_s: where the doubling ends.
        longest_retry_after_s: if a server asks for a longer pause than this, the run fails instead of
        waiting.
        deadline_s: for one attempt in all, from the connection to the answer's last byte. It is long because
            a server on a CPU may first answer all the others.
        clock: seconds that only ever grow, for the limit of requests a minute.
        now: seconds since 1970, for a Retry-After that names a date.
        sleep: what waits.
    """

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    longest_retry_after_s: float = 120.0
    deadline_s: float = 600.0
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of server: what its messages advise, and which variable of the environment holds its key.

    Args:
        backend: its name after --backend.
        example: an address.
        is_right: when an address is right, for "See whether it is up and ...".
        too_long: what to do about a prompt that it refuses; "" where nothing can be set here.
    """

    backend: str
    key: str
    example: str
    is_right: str
    too_long: str = ""


OPENAI = Kind(
    backend="server",
    key=KEY,
    example="http://127.0.0.1:8000/v1",
    is_right="its address ends in /v1",
    too_long=" Where a prompt is too long for it, lower --max-prompt-tokens.",
)


def checked_address(url: str, kind: Kind) -> str:
    """The address without a slash at its end. Raises InputError: it is no address, or it holds a secret."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise no_address(url, kind)
    if parts.username is not None or parts.query or parts.fragment:
        raise InputError(
            f"--backend {kind.backend}: an address has no name, password or '?' in it, because messages show "
            f"it. Put the key into {kind.key}."
        )
    if odd := [one for one in url if one.isspace() or one == "," or not one.isprintable()]:
        raise no_address(url, kind, f", as {odd[0]!r} is in it")
    return url.rstrip("/")


def no_address(url: str, kind: Kind, why: str = "") -> InputError:
    found = f"{_shortened(repr(url))} is no address{why}" if url else "the address is missing"
    return InputError(
        f"--backend {kind.backend}: {found}. Name one, for example {kind.backend}:{kind.example}"
    )


@dataclass(frozen=True, slots=True)
class Served:
    """A model that a server offers.

    `weights_hash` is the SHA-256 of what the listing says of its weights beside their name; "" for nothing.
    """

    name: str
    owner: str
    is_adapter: bool
    weights_hash: str = ""


class Again(Exception):
    """An attempt that failed in a way that may pass; its text is one line and holds no key.

    `pause_s` is what the server asked for; `is_of_prompt` whether it took the prompt and replied nothing;
    `is_broken` whether it broke over it, as it may over one prompt or over all; `name` says which prompt it
    was, where somebody wrote that down.
    """

    def __init__(
        self, reason: str, pause_s: float = 0.0, is_of_prompt: bool = False, is_broken: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pause_s = pause_s
        self.is_of_prompt = is_of_prompt
        self.is_broken = is_broken
        self.name = ""


class LongPause(BackendError):
    """The server wants a longer pause than patience allows: `pause_s` seconds.

    `reason` is what it wants in one line, `name` as in `Again`.
    """

    def __init__(self, where: str, reason: str, pause_s: float) -> None:
        advice = f"Run the same command again after {pause_s:.0f} s, with --requests-per-minute."
        super().__init__(f"{where}: {reason}. {advice}")
        self.reason = reason
        self.pause_s = pause_s
        self.name = ""


class AnotherJudge(BackendError):
    """Behind this address is not, or no longer, the judge that was asked for."""


class Refused(BackendError):
    """The server refuses this request as it stands.

    `said` is why, in its own words; `parameter` is the one that it blames, "" where it names none apart;
    `reason` is one line for the prompt's reading, which names no pair.
    """

    def __init__(self, message: str, said: str, parameter: str = "") -> None:
        super().__init__(message)
        self.said = said
        self.parameter = parameter
        self.reason = f"the server refuses the prompt ({said})"


class NoAccess(BackendError):
    """The key may not do this, or there is none; `said` is why, in the server's words."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said
        self.parameter = ""


class Forbidden(NoAccess):
    """The key may not do this, or what is asked may not be asked: status 403."""

    @property
    def reason(self) -> str:
        """One line for the prompt's reading, which names no pair."""
        return f"the server refuses the prompt ({self.said})"


class Broken(BackendError):
    """The server broke at every attempt; `reason` is how, in one line that names no pair."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class NoCredit(NoAccess):
    """Nothing is left to pay with."""


class Blocked(Refused):
    """The server answers others, but not this prompt."""

    def __init__(self, message: str, said: str, reason: str) -> None:
        super().__init__(message, said)
        self.reason = reason


class Unreplied(Refused):
    """The server has taken the prompt each time, and replied nothing to it: it has said nothing."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message, said="")
        self.reason = reason


class Alone(Refused):
    """What stops all prompts where it is met at each, and here was met at few: others were answered."""

    def __init__(self, failed: Forbidden | Broken) -> None:
        super().__init__(str(failed), said="")
        self.reason = failed.reason


class NotThere(Refused):
    """The server knows no such path, or no such model."""


class _Moved(Exception):
    """A POST would go on elsewhere as a GET; the text is where that is and the status."""


class _Pace:
    """Lets requests go one after the other, so many per minute, and none while the server wants a pause."""

    def __init__(self, per_minute: int, patience: Patience) -> None:
        self._gap_s = 60 / per_minute if per_minute > 0 else 0.0
        self._patience = patience
        self._next = -math.inf

    async def turn(self) -> None:
        now = self._patience.clock()
        mine = max(now, self._next)
        self._next = mine + self._gap_s
        if mine > now:
            await self._patience.sleep(mine - now)

    def hold(self, seconds: float) -> None:
        self._next = max(self._next, self._patience.clock() + seconds)


class Server(ABC):
    """What jobs are run on: one address, or several that serve the same model.

    Args:
        url: what messages call it.
        settings: of these, whether a prompt that is refused stops all others.
    """

    def __init__(self, url: str, settings: Settings) -> None:
        self.url = url
        self.strict = settings.strict
        self.has_answered = False

    @property
    @abstractmethod
    def tokens_computed(self) -> int:
        """Prompt tokens that were computed, as the answers say."""

    @property
    @abstractmethod
    def systems(self) -> tuple[str, ...]:
        """What the answers call the systems that gave them."""

    @abstractmethod
    def known_by(self, who: Job[T], told: Callable[[T], str]) -> T:
        """What answers here, as `who` finds out; it is the same at every address.

        Args:
            who: gives equal values for what may stand in for each other.
            told: such a value in a message.

        Raises:
            BackendError: no address answers, or two of them differ.
        """

    @abstractmethod
    def everywhere(self, job: Job[T]) -> list[T]:
        """The job's result at each address that answers now. Raises BackendError."""

    @property
    @abstractmethod
    def endpoints(self) -> Sequence[Endpoint]:
        """The addresses."""

    @contextmanager
    def keeping(self) -> Iterator[KeptAnswers]:
        """Inside, answers are kept, so that they can be read again where the run fails."""
        if (outer := self.endpoints[0].kept) is not None:
            yield outer
            return
        kept = KeptAnswers()
        for one in self.endpoints:
            one.kept = kept
        try:
            yield kept
        finally:
            for one in self.endpoints:
                one.kept = None

    @abstractmethod
    async def _run(self, jobs: Sequence[Job[T]], leads: Sequence[str], first_alone: bool) -> list[T]: ...

    @property
    def n_addresses(self) -> int:
        return 1

    def news(self) -> tuple[str, ...]:
        """What happened to addresses since this was asked last, a line each; of one address nothing."""
        return ()

    def run(self, jobs: Sequence[Job[T]], leads: Sequence[str] = (), first_alone: bool = False) -> list[T]:
        """The jobs' results in order. If one fails for good, the others are stopped.

        Args:
            leads: one a job; those of equal leads begin with the same text, so one place should answer them.
            first_alone: whether the others wait for the first one, so that what it teaches is learnt once.

        Raises:
            BackendError: what failed first.
        """
        return in_a_loop_of_its_own(lambda: self._run(jobs, leads, first_alone)) if jobs else []

    def run_each(
        self, jobs: Sequence[Job[T]], leads: Sequence[str] = (), first_alone: bool = False
    ) -> list[T | Unparsed]:
        """The jobs' results in order, Unparsed in the place of one whose prompt the server blocks.

        Raises:
            BackendError: what stops all jobs; where the server refuses every one and has answered none
                before, its reason may be anything, so that counts too. With `Settings.strict`, the first.
        """
        if self.strict:
            return list(self.run(jobs, leads, first_alone))
        found = self.run([self.caught(job) for job in jobs], leads, first_alone)
        self.has_answered |= any(not isinstance(one, Refused) for one in found)
        if not self.has_answered:
            for one in found:
                if isinstance(one, Refused) and not isinstance(one, Blocked):
                    raise one
        return [_unanswered(one) if isinstance(one, Refused) else one for one in found]

    def caught(self, job: Job[T]) -> Job[T | Refused]:
        """The job with a refusal of its prompt as its result, so that it stops no other."""
        return _caught(job)


class Endpoint(Server):
    """One address: limits requests at a time and per minute, and retries where that may help."""

    tokens_computed = 0
    systems: tuple[str, ...] = ()

    def __init__(self, url: str, settings: Settings, patience: Patience, kind: Kind = OPENAI) -> None:
        super().__init__(checked_address(url, kind), settings)
        self.kind = kind
        self.patience = patience
        self.pace = _Pace(settings.requests_per_minute, patience)
        self.concurrency = max(1, settings.concurrency)
        self.served: tuple[str, ...] = ()
        self.kept: KeptAnswers | None = None
        self._n_failed = 0  # in a row

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        return [self]

    def caught(self, job: Job[T]) -> Job[T | Refused]:
        """Also what else may be met at one prompt alone, unless it is met at some in a row."""
        refusing = _caught(job)

        async def caught(session: Session) -> T | Refused:
            try:
                result = await refusing(session)
            except (Forbidden, Broken) as failed:
                self._n_failed += 1
                if self._n_failed >= MOST_FAILED:
                    raise
                return Alone(failed)
            if not isinstance(result, Refused):
                self._n_failed = 0
            return result

        return caught

    def known_by(self, who: Job[T], told: Callable[[T], str]) -> T:
        [found] = self.run([who])
        return found

    def everywhere(self, job: Job[T]) -> list[T]:
        return self.run([job])

    async def _run(self, jobs: Sequence[Job[T]], leads: Sequence[str], first_alone: bool) -> list[T]:
        """All of them here, so that their leads change nothing."""
        async with client_of(self.kind.key, self.patience.deadline_s) as client:
            session = Session(self, client)
            return await all_of(job(session) for job in (_after_the_first(jobs) if first_alone else jobs))

    def count(self, answer: Any, name: str) -> None:
        """Adds the prompt tokens that the answer says were computed for it, and the system that gave it.

        Args:
            name: the model that was asked for; a server may say that another one answered.
        """
        if not isinstance(answer, dict):
            return
        model = str(answer.get("model") or "")
        named = (model if model != name else "", answer.get("provider"), answer.get("system_fingerprint"))
        system = _shortened(" ".join(str(one) for one in named if one)) if any(named) else ""
        if system and system not in self.systems:
            self.systems = (*self.systems, system)
        cached = usage_of(answer, "prompt_tokens_details", "cached_tokens")
        self.tokens_computed += max(0, usage_of(answer, "prompt_tokens") - cached)


class Session:
    """One event loop's requests to a server."""

    def __init__(self, server: Endpoint, client: openai.AsyncOpenAI) -> None:
        self._server = server
        try:
            self._client = client.copy(base_url=server.url)
        except Exception as error:  # httpx.InvalidURL, of a package that goes by two names
            raise no_address(server.url, server.kind, f" ({error_line(error)})") from None
        self._slots = asyncio.Semaphore(server.concurrency)

    @property
    def url(self) -> str:
        """The address that this session asks."""
        return self._server.url

    def note_served(self, names: Sequence[str]) -> None:
        """Keeps the names of the models that are served there, for messages."""
        self._server.served = tuple(names)

    async def ask(
        self, path: str, body: Mapping[str, Any] | None, read: Callable[[Any], T], name: str = ""
    ) -> T:
        """What `read` makes of the server's answer to `body` as JSON, or to a GET without a body.

        Raises:
            BackendError: in one line, after as many attempts as patience allows. It has no cause: the
            client's errors quote the server, which may quote the key.
        """
        if (kept := self._server.kept) is not None and kept.is_replaying:
            return read(kept.answer_to(path, body))
        async with self._slots:
            try:
                return await self._retrying()(self._attempt, path, body, read, name)
            except Again as again:
                failed = again
        if not self._is_tried_here(failed):
            failed.name = name
            raise failed
        error = given_up(self._server, f"{about(name)}{self.url}: {failed.reason}")
        if failed.is_of_prompt:
            raise Unreplied(str(error), failed.reason)
        raise Broken(str(error), failed.reason) if failed.is_broken else error

    def _is_tried_here(self, failed: BaseException) -> bool:
        """Whether another attempt is made at this address after such a failure."""
        return isinstance(failed, Again)

    def _retrying(self) -> tenacity.AsyncRetrying:
        import tenacity

        patience = self._server.patience
        doubling = tenacity.wait_exponential(patience.first_wait_s, patience.longest_wait_s)
        jitter = random.Random()  # not the shared generator, whose state is the caller's

        def wait(state: tenacity.RetryCallState) -> float:
            failed = state.outcome.exception() if state.outcome else None
            asked = failed.pause_s if isinstance(failed, Again) else 0.0
            return asked + doubling(state) * jitter.uniform(0.5, 1)

        return tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(patience.attempts),
            wait=wait,
            sleep=patience.sleep,
            retry=tenacity.retry_if_exception(self._is_tried_here),
            reraise=True,
        )

    async def _attempt(
        self, path: str, body: Mapping[str, Any] | None, read: Callable[[Any], T], name: str
    ) -> T:
        """One request, read. Raises Again, or BackendError where another attempt would change nothing."""
        await self._server.pace.turn()
        answer = _parsed(await self._answer(path, body, name))
        if (status := _status_within(answer)) is not None:
            raise self._failure(status, answer, None, path, name)
        try:
            value = read(answer)
        except NoReply as none:
            raise Again(str(none), is_of_prompt=True) from None
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            what = f"an answer of another form ({error_line(error)}): {_said(answer)}"
            raise Again(what, is_broken=True) from None
        self._server.count(answer, str((body or {}).get("model", "")))
        if self._server.kept is not None:
            self._server.kept.note(path, body, answer)
        return value

    async def _answer(self, path: str, body: Mapping[str, Any] | None, name: str) -> bytes:
        import openai

        deadline_s = self._server.patience.deadline_s
        try:
            async with asyncio.timeout(deadline_s):
                if body is None:
                    return await self._client.get(path, cast_to=bytes)
                return await self._client.post(path, body=body, cast_to=bytes)
        except openai.APIStatusError as error:
            pause = error.response.headers.get("retry-after")
            raise self._failure(error.status_code, error.body, pause, path, name) from None
        except (TimeoutError, openai.APITimeoutError) as error:
            is_there = type(error.__cause__).__name__ != "ConnectTimeout"
            raise Again(f"no whole answer within {deadline_s:g} s", is_broken=is_there) from None
        except (_Moved, openai.APIConnectionError) as error:
            raise self._not_answered(error, path, name) from None
        except openai.OpenAIError as error:
            raise Again(_hidden(error_line(error))) from None
        except (ValueError, OverflowError, ExceptionGroup) as error:
            raise _not_to_be_sent(error) from None

    def _not_answered(self, error: Exception, path: str, name: str) -> Exception:
        """What it means that no answer came. Some versions of the client wrap _Moved in their own."""
        cause = error if isinstance(error, _Moved) else error.__cause__
        if isinstance(cause, _Moved):
            said = _shortened(_hidden(str(cause)))
            what = f"{about(name)}{self._server.url}: it moves {path} {said}."
            return NotThere(f"{what} Name the address to which that leads.", said)
        reason = error_line(cause if isinstance(cause, Exception) else error)
        return Again(f"no answer ({_hidden(reason)})", is_broken=type(cause).__name__ in DROPPED)

    def _failure(self, status: int, body: Any, pause: str | None, path: str, name: str) -> Exception:
        """What a status of 400 and above means, in one line. `pause` is the header Retry-After."""
        body = _of_provider(body)
        said, where, kind = _said(body), f"{about(name)}{self._server.url}", self._server.kind
        why = why_blocked(_code_of(body), said)
        if status == 402 or OUT_OF_CREDIT.search(f"{_code_of(body)} {said}"):
            return NoCredit(f"{where}: it wants to be paid, status {status} ({said}).", said)
        is_of_prompt = bool(why) and status == 500
        if status in AGAIN or (
            status >= 500 and not (status == NEVER or is_of_prompt or REFUSES.search(said))
        ):
            pause_s = _retry_after_s(pause, self._server.patience.now())
            if pause_s > self._server.patience.longest_retry_after_s:
                wants = f"it wants a pause of {pause_s:.0f} s (status {status}: {said})"
                return LongPause(where, wants, pause_s)
            self._server.pace.hold(pause_s)
            return Again(f"status {status} ({said})", pause_s, is_broken=status >= 500)
        if status not in (401, 404, 405) and why:
            return Blocked(_refusal(where, status, said, kind), said, f"{why} (status {status}: {said})")
        if status in (401, 403):
            state = "is not set" if _key(kind.key) == NO_KEY else "is set, but not to a key that may do this"
            made = Forbidden if status == 403 else NoAccess
            return made(f"{where}: no access, status {status} ({said}). {kind.key} {state}.", said)
        if status in (404, 405):
            known = f"Served: {listed(self._server.served)}." if self._server.served else ""
            advice = known or f"See whether {kind.is_right}."
            return NotThere(f"{where}: no {path} for this model, status {status} ({said}). {advice}", said)
        return Refused(_refusal(where, status, said, kind), said, _parameter_of(body))


def given_up(server: Endpoint, failed: str) -> BackendError:
    """The error after the last attempt, with what to do. `failed` says where and what."""
    return BackendError(
        f"{failed}, {server.patience.attempts} attempts failed. See whether "
        f"it is up and {server.kind.is_right}, then run the same command again; where it is too busy, "
        "with a smaller --concurrency or --requests-per-minute."
    )


TOO_LONG = "the prompt is too long for the server"
FILTERED = "the server's content filter blocks the prompt"
BLOCKS = (
    (
        TOO_LONG,
        (
            "context_length",
            "context length",
            "context window",
            "context size",
            "exceed_context",
            "maximum context",
            "prompt is too long",
            "input is too long",
            "prompt too long",
            "max_model_len",
            "maximum input length",
            "too many tokens",
            "string_above_max_length",
            "input length",
            "`inputs` tokens + `max_new_tokens` must be",
            "`inputs` must have less than",
        ),
    ),
    (
        FILTERED,
        (
            "content_filter",
            "content filter",
            "content management",
            "content policy",
            "content_policy",
            "responsibleai",
            "responsible_ai",
            "moderation",
            "flagged",
            "safety system",
            "guardrail",
            "prohibited_content",
            "usage guidelines",
            "safety_check",
        ),
    ),
)
"""Words, in lower case, by which servers say that one prompt is at fault."""


def _refusal(where: str, status: int, said: str, kind: Kind) -> str:
    return f"{where}: it refuses the request, status {status} ({said}).{kind.too_long}"


def why_blocked(code: str, said: str) -> str:
    """Why a server does not answer this prompt while it answers others; "" where that is not known."""
    told = f"{code} {said}".lower()
    return next((why for why, words in BLOCKS if any(word in told for word in words)), "")


def _of_provider(body: Any) -> Any:
    """The error of the provider that a router wraps in its own, where it quotes it as JSON; else the body."""
    error = body.get("error", body) if isinstance(body, dict) else None
    metadata = error.get("metadata") if isinstance(error, dict) else None
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    try:
        inner = json.loads(raw) if isinstance(raw, str) else raw
    except (ValueError, RecursionError):
        return body
    return inner if isinstance(inner, dict) and inner else body


def _code_of(body: Any) -> str:
    """What an error's body says of its kind: code, type, and those of an error inside."""
    if not isinstance(body, dict):
        return ""
    own = " ".join(str(body[key]) for key in ("code", "type", "param") if body.get(key))
    inner = [_code_of(body.get(key)) for key in ("error", "innererror", "metadata")]
    return " ".join([own, *inner])


def _parameter_of(body: Any) -> str:
    """The parameter that an error's body blames in the place for that, else ""."""
    if not isinstance(body, dict):
        return ""
    found = body.get("param") or _parameter_of(body.get("error"))
    return str(found).rpartition(".")[2]


def _status_within(answer: Any) -> int | None:
    """The status of an error that came with status 200, as gateways send it; None where there is none, or
    where it does not say what kind of error it is."""
    error = answer.get("error") if isinstance(answer, dict) and not answer.get("choices") else None
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int | str) and str(code).isdecimal() and 400 <= int(code) < 600:
        return int(code)
    return 400 if error and why_blocked(_code_of(answer), _said(answer)) else None


def _after_the_first(jobs: Sequence[Job[T]]) -> list[Job[T]]:
    """The jobs, of which the others wait for the first: what that one teaches need not be learnt again."""
    is_open = asyncio.Event()

    async def lead(session: Session) -> T:
        try:
            result = await jobs[0](session)
        except Refused:  # the prompt's own fault perhaps, which stops no other
            is_open.set()
            raise
        is_open.set()
        return result

    def follow(job: Job[T]) -> Job[T]:
        async def followed(session: Session) -> T:
            await is_open.wait()
            return await job(session)

        return followed

    return [lead, *map(follow, jobs[1:])]


def _caught(job: Job[T]) -> Job[T | Refused]:
    """The job with a refusal as its result, so that it stops no other; one of path or model still does."""

    async def caught(session: Session) -> T | Refused:
        try:
            return await job(session)
        except NotThere:
            raise
        except Refused as refused:
            return refused

    return caught


def _unanswered(refused: Refused) -> Unparsed:
    return Unparsed(refused.reason, raw="" if refused.said == NOTHING_SAID else refused.said)


Job = Callable[[Session], Coroutine[Any, Any, T]]
"""A job to run within one event loop."""


def client_of(key: str, deadline_s: float) -> openai.AsyncOpenAI:
    """The client whose connections all sessions of a loop share; each has an address of its own."""
    try:
        import openai
        import tenacity  # noqa: F401  (used when asking; missed here, before any request)
    except ImportError as error:
        what = 'the server backend needs: pip install "four-token-judge[server]"'
        raise MissingExtra(f"{what} ({error})") from error
    api_key = _key(key)
    timeout = openai.Timeout(deadline_s, connect=min(10.0, deadline_s))
    try:
        http = openai.DefaultAsyncHttpxClient(timeout=timeout, event_hooks={"response": [_refuse_to_move]})
        return openai.AsyncOpenAI(
            base_url=NOWHERE, api_key=api_key, max_retries=0, timeout=timeout, http_client=http
        )
    except Exception as error:  # of many kinds: no package for SOCKS, no proxy's address, no certificate
        raise _not_to_be_sent(error) from None


async def _refuse_to_move(response: Any) -> None:
    """Raises _Moved where a POST is redirected in a way that would make it a GET."""
    if response.request.method == "POST" and response.status_code in MOVES:
        to = response.headers.get("location", "nowhere")
        raise _Moved(f"to {to}, status {response.status_code}")


def _not_to_be_sent(error: Exception) -> BackendError:
    """The error where the client cannot be made, or cannot make a request, and what it may come of."""
    inner = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
    is_set = [name for name in ENVIRONMENT if os.environ.get(name) or os.environ.get(name.lower())]
    return BackendError(
        f"no request can be sent ({_hidden(error_line(inner))}). See what is in the environment as "
        f"{', '.join(is_set or ENVIRONMENT)}."
    )


async def all_of(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results in order. The first failure cancels all others, waits for them, and is raised alone."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except BaseExceptionGroup as failures:
        first = failures.exceptions[0]
    else:
        return [task.result() for task in tasks]
    raise first


def in_a_loop_of_its_own(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of some async work, also where this thread runs an event loop already, as in a notebook."""
    loop = asyncio.new_event_loop()

    def run() -> T:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(work())

    if not _runs_a_loop():
        return run()
    with ThreadPoolExecutor(1, "judge-server") as pool:
        running = pool.submit(run)
        try:
            return running.result()
        except KeyboardInterrupt:  # which would else wait for every answer
            with suppress(RuntimeError):  # the loop is closed: all is done
                loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
            raise


def _runs_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def models_of(session: Session) -> tuple[Served, ...] | None:
    """What the server offers; None if it does not say."""
    try:
        served = await session.ask("/models", None, _read_models)
    except (Refused, NoAccess):  # a path, or a right, of its own: replies say more
        return None
    session.note_served([one.name for one in served])
    return served or None


def _read_models(answer: Any) -> tuple[Served, ...]:
    """The models of a listing; none where it is of another form, such as a server's own."""
    cards = answer.get("data") if isinstance(answer, dict) else answer
    listing = cards if isinstance(cards, list) else ()
    named = [{"id": card} if isinstance(card, str) else card for card in listing]
    return tuple(
        Served(
            name=str(card["id"]),
            owner=str(card.get("owned_by") or ""),
            is_adapter=bool(card.get("parent")),
            weights_hash=weights_hash_of(card),
        )
        for card in named
        if isinstance(card, dict) and card.get("id")
    )


def weights_hash_of(card: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of what a model's card says of its weights, beside the name; "" where that is nothing.

    Only what stays the same from one start of a server to the next: `created` is the time of the answer with
    some servers and of the start with others, and `max_model_len` is a setting that moves no verdict.
    """
    meta = card.get("meta")
    said = {name: card.get(name) for name in OF_WEIGHTS}
    said |= {name: meta.get(name) for name in OF_WEIGHTS_IN_META} if isinstance(meta, dict) else {}
    told = {name: value for name, value in said.items() if value and value != card["id"]}
    return sha256_of_json(told) if told else ""


def _parsed(answer: bytes) -> Any:
    """The answer as JSON, without the key where the server repeats it. Raises Again where it is no JSON."""
    text = _hidden(answer.decode("utf-8-sig", "replace"))
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        what = "a stream, which was not asked for" if text.startswith("data:") else "cut or no JSON"
        raise Again(f"an answer that is {what}: {_shortened(text)}", is_broken=True) from None


def _said(body: Any) -> str:
    """What a server says in an error's body, as one short line without the key."""
    for name in ("error", "message", "detail"):
        if isinstance(body, dict) and body.get(name):
            body = body[name]
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False) if body else ""
    return _shortened(_hidden(text))


def _shortened(text: str) -> str:
    line = whole_characters(" ".join(text.split()))
    return (line if len(line) <= SAID_CHARACTERS else f"{line[:SAID_CHARACTERS]}...") or NOTHING_SAID


def about(name: str) -> str:
    return f"{name}: " if name else ""


def _retry_after_s(value: str | None, now: float) -> float:
    """Seconds that a Retry-After header asks for, given as seconds or as a date; 0 where it says nothing."""
    try:
        seconds = float(value or 0)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value or "").timestamp() - now
        except (ValueError, OverflowError):
            return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def _key(name: str) -> str:
    """The key in that variable. Raises InputError, without showing it, where it cannot be a key."""
    key = os.environ.get(name, "").strip() or NO_KEY
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise InputError(f"{name}: it holds a space or another character that no key has. Set it again.")
    return key


def _hidden(text: str) -> str:
    """The text with our keys blotted out. A key cut in two is not found, so shorten text only after this."""
    for name in (KEY, TOKEN):
        key = os.environ.get(name, "").strip()
        text = text.replace(key, f"[{name}]") if is_secret(key) else text
    return text


def is_secret(key: str) -> bool:
    """Whether it may be a key: words such as "anything" are stand-ins, and may stand in a reply as words."""
    return len(key) >= SHORTEST_SECRET and not (key.isalpha() and len(key) < LONGEST_WORD)


def listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_MODELS} more" if len(names) > SHOWN_MODELS else ""
    return (", ".join(names[:SHOWN_MODELS]) or "no model") + more


def decoding_of(sampling: Sampling, index: int) -> dict[str, Any]:
    """Length, temperature and, above temperature 0, a different seed for each prompt of a call."""
    decoding: dict[str, Any] = {"max_tokens": sampling.max_new_tokens, "temperature": sampling.temperature}
    return decoding | {"seed": _seed(sampling.seed, index)} if sampling.temperature > 0 else decoding


def _seed(seed: int, index: int) -> int:
    """A seed that fits into 31 bits, which is what all servers take."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{index}".encode()).digest()[:4], "big") >> 1
