"""Several addresses that serve one model, as one server: who is asked what, and what happens when one fails.

A question's prompts begin alike, so they go to one address, whose prefix cache then has that beginning. Which
one it is follows from a hash of that beginning and the address (rendezvous hashing: Thaler and Ravishankar
1998), so several processes agree on it without talking. An address that has nothing left to do takes over
from the one with the most left; so slow ones get less. An address that fails rests, longer from one time to
the next, and its questions go to the next one in their own order. After its rest it is asked who it is
before it gets work, one job until that is answered. A prompt that an address refuses is tried at another one;
one that all break over, while they answer others, is given up and stops none.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from judge.backends import Settings
from judge.backends.endpoint import (
    MOST_FAILED,
    Again,
    Alone,
    AnotherJudge,
    Broken,
    Endpoint,
    Forbidden,
    Job,
    Kind,
    LongPause,
    NoAccess,
    NotThere,
    Patience,
    Refused,
    Server,
    Session,
    about,
    all_of,
    client_of,
    given_up,
    in_a_loop_of_its_own,
)
from judge.errors import BackendError, BadLines, InputError
from judge.io.files import at_home

T = TypeVar("T")

LIMITS = {"concurrency": "concurrency", "requests-per-minute": "requests_per_minute"}
"""What a line of a file of addresses may set for its own address, and the setting's name."""


# Which addresses there are


def server_of(argument: str, settings: Settings, patience: Patience, kind: Kind) -> Server:
    """The server behind one address, several with commas between them, or a file of them.

    Raises:
        InputError: something is no address, stands there twice, or is no limit.
    """
    path = at_home(argument)
    named = (
        _addresses_in(path, settings, kind)
        if "://" not in argument and path.is_file()
        else [(url.strip(), settings) for url in argument.split(",")]
    )
    endpoints = [Endpoint(url, limits, patience, kind) for url, limits in named]
    counts = Counter(one.url for one in endpoints)
    if twice := [url for url, count in counts.items() if count > 1]:
        raise InputError(f"--backend {kind.backend}: {twice[0]} is there twice. Name each address once.")
    return endpoints[0] if len(endpoints) == 1 else Fleet(endpoints, settings, patience, kind)


def _addresses_in(path: Path, settings: Settings, kind: Kind) -> list[tuple[str, Settings]]:
    """The addresses of a file and their limits: one a line, "ADDRESS [concurrency=N] ...", # for remarks."""
    found: list[tuple[str, Settings]] = []
    problems: list[str] = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}). It must be a text file of addresses.") from error
    for number, line in enumerate(lines, start=1):
        if words := line.partition("#")[0].split():
            try:
                Endpoint(words[0], settings, Patience(), kind)
                limits: dict[str, Any] = dict(map(_limit_in, words[1:]))
                found.append((words[0], replace(settings, **limits)))
            except InputError as error:
                problems.append(f"{path}:{number}: {error}")
    if problems:
        raise BadLines(problems)
    if not found:
        raise InputError(f"{path}: no address in it. It must have one a line, for example {kind.example}")
    return found


def _limit_in(word: str) -> tuple[str, int]:
    name, _, value = word.partition("=")
    if name not in LIMITS or not (value.isascii() and value.isdigit() and int(value) > 0):
        right = " or ".join(f"{name}=N" for name in LIMITS)
        raise InputError(f"{word!r} is no limit. After the address may stand {right}, N above 0.")
    return LIMITS[name], int(value)


# The fleet


@dataclass(eq=False, slots=True)
class _Address:
    """One address and how it fares.

    `n_rests` counts rests in a row, without an answer between them, and `n_forbidden` prompts that it
    forbade; `pause_s` is the pause that it asked for; `left_out` is why it is used no more; `has_answered`
    says whether it has taken any prompt so far.
    """

    endpoint: Endpoint
    n_rests: int = 0
    n_forbidden: int = 0
    is_resting: bool = False
    wakes_at: float = 0.0
    pause_s: float = 0.0
    failure: str = ""
    left_out: BackendError | None = None
    has_answered: bool = False

    @property
    def url(self) -> str:
        return self.endpoint.url

    @property
    def is_awake(self) -> bool:
        return not self.is_resting and self.left_out is None

    @property
    def n_slots(self) -> int:
        """How many jobs it gets at a time: one after a rest, until that is answered."""
        return 1 if self.n_rests else self.endpoint.concurrency


class Fleet(Server):
    """Several addresses that serve one model. The limits of the settings are those of each address."""

    def __init__(
        self, endpoints: Sequence[Endpoint], settings: Settings, patience: Patience, kind: Kind
    ) -> None:
        super().__init__(f"{endpoints[0].url} and {len(endpoints) - 1} more", settings)
        self.addresses = [_Address(endpoint) for endpoint in endpoints]
        self.patience = patience
        self.n_given_up = 0  # prompts in a row
        self._kind = kind
        self._jitter = random.Random()  # not the shared generator, whose state is the caller's
        self._who: Job[Any] | None = None
        self._told: Callable[[Any], str] = str
        self._known: Any = None
        self._news: list[str] = []

    @property
    def endpoints(self) -> list[Endpoint]:
        return [one.endpoint for one in self.addresses]

    @property
    def n_addresses(self) -> int:
        return len(self.addresses)

    @property
    def tokens_computed(self) -> int:
        return sum(one.endpoint.tokens_computed for one in self.addresses)

    @property
    def systems(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for one in self.addresses for name in one.endpoint.systems))

    def news(self) -> tuple[str, ...]:
        news, self._news = self._news, []
        return tuple(news)

    def known_by(self, who: Job[T], told: Callable[[T], str]) -> T:
        found = in_a_loop_of_its_own(lambda: self._everywhere(who))
        (first, known), *others = found.items()
        for address, one in others:
            if one != known:
                raise BackendError(
                    f"{address.url}: it serves {told(one)}, and {first.url} {told(known)}. All addresses of "
                    "a fleet have to serve the same: leave one of the two out, or start them alike."
                )
        self._who, self._told, self._known = who, told, known
        return known

    def everywhere(self, job: Job[T]) -> list[T]:
        return list(in_a_loop_of_its_own(lambda: self._everywhere(job)).values())

    async def _everywhere(self, job: Job[T]) -> dict[_Address, T]:
        """The job's result at each address that answers; at least one does, or it raises BackendError."""
        async with self._visits() as visits:
            found: dict[_Address, T] = {}

            async def at(address: _Address) -> None:
                try:
                    found[address] = await job(visits[address])
                except (Again, LongPause) as failed:
                    self.rest(address, failed.reason, failed.pause_s)
                else:
                    address.is_resting, address.n_rests = False, 0

            while not found:
                self.refuse_if_hopeless()
                there = [one for one in self.addresses if one.left_out is None]
                awake = [one for one in there if one.is_awake]
                if not awake:
                    wakes_at = min(one.wakes_at for one in there)
                    await self.patience.sleep(max(0.0, wakes_at - self.patience.clock()))
                await all_of(at(address) for address in awake or there)
            return {address: found[address] for address in self.addresses if address in found}

    async def _run(self, jobs: Sequence[Job[T]], leads: Sequence[str], first_alone: bool) -> list[T]:
        leads = leads or [str(number) for number in range(len(jobs))]
        async with self._visits() as visits:
            n_first = 1 if first_alone else 0
            found: list[T] = []
            for part in (slice(n_first), slice(n_first, None)):
                found += await _Round(self, visits, jobs[part], leads[part]).results()
            return found

    @asynccontextmanager
    async def _visits(self) -> AsyncIterator[dict[_Address, Session]]:
        """A session for each address; they share their client's connections."""
        async with client_of(self._kind.key, self.patience.deadline_s) as client:
            yield {address: _Visit(address.endpoint, client) for address in self.addresses}

    def rest(self, address: _Address, reason: str, pause_s: float = 0.0) -> None:
        """Lets the address rest, twice as long as the last time; the first time this is said."""
        patience = self.patience
        longest = min(patience.first_wait_s * 2**address.n_rests, patience.longest_wait_s)
        address.wakes_at = patience.clock() + pause_s + longest * self._jitter.uniform(0.5, 1)
        if not address.failure:
            self._news.append(f"{address.url} fails ({reason}). It rests, and is tried again.")
        address.failure = reason
        address.pause_s = pause_s
        address.n_rests += 1
        address.is_resting = True

    def leave_out(self, address: _Address, why: BackendError) -> None:
        if address.left_out is None:
            address.left_out = why
            self._news.append(f"{why} This address is not used any more.")

    async def greet(self, address: _Address, visit: Session) -> None:
        """Asks an address after its rest who it is.

        Raises:
            Again: it does not answer.
            AnotherJudge: it is another than before.
        """
        if self._who is not None and (found := await self._who(visit)) != self._known:
            raise AnotherJudge(
                f"{address.url}: it came back with {self._told(found)}, and was {self._told(self._known)}."
            )

    def refuse_if_hopeless(self) -> None:
        """Raises BackendError where every address is left out, failed too often, or rests for too long."""
        if any(one.is_awake for one in self.addresses):
            return
        tried = [one for one in self.addresses if one.left_out is None]
        if not tried:
            [why, *_] = [one.left_out for one in self.addresses if one.left_out]
            raise why
        if not all(map(self._is_hopeless, tried)):
            return
        for one in tried:  # whoever asks again begins anew
            one.n_rests = 0
        tried.sort(key=lambda one: one.pause_s)
        first, *others = tried
        more = [f"; {one.url}: {one.failure}" for one in others[:2]] + ["; ..." for _ in others[2:3]]
        failed = f"{first.failure}{''.join(more)}"
        if all(map(self._wants_long_rest, tried)):
            raise LongPause(first.url, failed, first.pause_s)
        raise given_up(first.endpoint, f"{first.url}: {failed}")

    def _is_hopeless(self, address: _Address) -> bool:
        """Whether it has failed too often in a row, or wants a longer rest than patience allows."""
        return address.n_rests >= self.patience.attempts or self._wants_long_rest(address)

    def _wants_long_rest(self, address: _Address) -> bool:
        patience = self.patience
        longest_s = patience.longest_retry_after_s + patience.longest_wait_s
        return address.wakes_at - patience.clock() > longest_s


class _Visit(Session):
    """A session whose requests get one attempt, as the next one may go elsewhere: it raises Again.

    A prompt that an address takes and replies nothing to is no failure of the address, and is tried again.
    """

    def _is_tried_here(self, failed: BaseException) -> bool:
        return isinstance(failed, Again) and failed.is_of_prompt


# One call's jobs


@dataclass(eq=False, slots=True)
class _Task(Generic[T]):
    """A job, its place among the others, how often which address has failed it, and which refused it why.

    `broken` is the last failure, where an address broke over it.
    """

    number: int
    job: Job[T]
    lead: str
    failed: Counter[_Address] = field(default_factory=Counter)
    broken: Broken | None = None
    refused: dict[_Address, Refused] = field(default_factory=dict)

    @property
    def is_refused(self) -> bool:
        """Whether two addresses have refused it, of which one takes others: so it is the prompt's fault."""
        return len(self.refused) > 1 and any(one.has_answered for one in self.refused)


class _Round(Generic[T]):
    """The jobs of one call, shared out among the addresses. Must be made in the loop that runs it."""

    def __init__(
        self, fleet: Fleet, visits: Mapping[_Address, Session], jobs: Sequence[Job[T]], leads: Sequence[str]
    ) -> None:
        self._fleet = fleet
        self._visits = visits
        self._queues: dict[_Address, deque[_Task[T]]] = {one: deque() for one in fleet.addresses}
        self._n_under_way: Counter[_Address] = Counter()
        self._results: dict[int, T] = {}
        self._n_jobs = len(jobs)
        self._changed = asyncio.Event()
        self._rests: list[asyncio.Task[None]] = []
        self._rankings: dict[str, list[_Address]] = {}
        tasks = [_Task(n, job, lead) for n, (job, lead) in enumerate(zip(jobs, leads, strict=True))]
        first_of = {task.lead: task.number for task in reversed(tasks)}
        for task in sorted(tasks, key=lambda task: (first_of[task.lead], task.number)):
            self._queues[self._home_of(task)].append(task)

    async def results(self) -> list[T]:
        """The jobs' results in order. Raises what failed first for good; all others are stopped then."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                resting = [one for one in self._fleet.addresses if one.is_resting]
                self._rests += [group.create_task(self._rest(one)) for one in resting]
                while len(self._results) < self._n_jobs:
                    self._changed.clear()
                    for address, task in self._next_ones():
                        self._n_under_way[address] += 1
                        group.create_task(self._visit(address, task))
                    if self._n_under_way.total() or not self._is_given_up():
                        await self._changed.wait()
                for rest in self._rests:
                    rest.cancel()
        except BaseExceptionGroup as failures:
            first = failures.exceptions[0]
        else:
            return [self._results[number] for number in range(self._n_jobs)]
        raise first

    def _home_of(self, task: _Task[T]) -> _Address:
        """The first address, in the order of this question, that is awake; the very first where none is."""
        if task.lead not in self._rankings:
            self._rankings[task.lead] = ranking(task.lead, self._fleet.addresses)
        ranked = self._rankings[task.lead]
        open_to = _open_to(task, ranked)
        return next((one for one in open_to if one not in task.failed), (open_to or ranked)[0])

    def _next_ones(self) -> Iterator[tuple[_Address, _Task[T]]]:
        """What is to be started now, and where; the address that has the least to do comes first."""
        while True:
            free = [one for one in self._fleet.addresses if self._has_room(one)]
            free.sort(key=lambda one: self._n_under_way[one] / one.n_slots)
            taken = ((one, take(one)) for take in (self._own, self._taken_over) for one in free)
            found = next(((one, task) for one, task in taken if task is not None), None)
            if found is None:
                return
            yield found

    def _has_room(self, address: _Address) -> bool:
        return address.is_awake and self._n_under_way[address] < address.n_slots

    def _own(self, address: _Address) -> _Task[T] | None:
        """The next job that waits for this address."""
        queue = self._queues[address]
        return self._out_of(queue, address, queue)

    def _taken_over(self, address: _Address) -> _Task[T] | None:
        """The last job of the longest queue that has one for this address."""
        for queue in sorted(self._queues.values(), key=len, reverse=True):
            if (task := self._out_of(queue, address, reversed(queue))) is not None:
                return task
        return None

    def _out_of(
        self, queue: deque[_Task[T]], address: _Address, tasks: Iterable[_Task[T]]
    ) -> _Task[T] | None:
        """The first of the tasks that may go there, taken out of its queue."""
        task = next((one for one in tasks if self._may(one, address)), None)
        if task is not None:
            queue.remove(task)
        return task

    def _may(self, task: _Task[T], address: _Address) -> bool:
        """Whether the address has not refused or failed this task; where all that are awake have, any may."""
        open_to = _open_to(task, self._fleet.addresses)
        return address in open_to and (
            address not in task.failed or all(other in task.failed for other in open_to)
        )

    async def _visit(self, address: _Address, task: _Task[T]) -> None:
        """Runs a job at an address, or sees to it that it is run again elsewhere."""
        try:
            result = await task.job(self._visits[address])
        except (Again, LongPause) as failed:
            self._failed(address, task, failed)
        except Forbidden as why:
            self._forbidden(address, task, why)
        except (AnotherJudge, NoAccess, NotThere) as why:
            self._left_out(address, task, why)
        except Refused as refused:
            if not self._goes_elsewhere(address, task, refused):
                raise
        else:
            if not (isinstance(result, Refused) and self._goes_elsewhere(address, task, result)):
                self._answered(address, task, result)
        finally:
            self._n_under_way[address] -= 1
            self._changed.set()

    def _answered(self, address: _Address, task: _Task[T], result: T) -> None:
        """Keeps a result. Leaves out who refused the job that this address takes, and takes no other."""
        self._results[task.number] = result
        address.n_rests = 0
        if isinstance(result, Refused):
            return
        address.has_answered, address.n_forbidden = True, 0
        self._fleet.n_given_up = 0
        for other, refused in task.refused.items():
            if not other.has_answered:
                said = refused.said or refused.reason
                what = f"{other.url}: it refuses what {address.url} takes ({said})."
                self._fleet.leave_out(other, BackendError(what))
                self._move_queue(other)

    def _goes_elsewhere(self, address: _Address, task: _Task[T], refused: Refused) -> bool:
        """Whether another address is asked what this one refuses; it then waits for that one."""
        address.n_rests = 0
        task.refused[address] = refused
        is_open = any(one.is_awake and one not in task.refused for one in self._fleet.addresses)
        if task.is_refused or not is_open:
            return False
        self._queues[self._home_of(task)].append(task)
        return True

    def _forbidden(self, address: _Address, task: _Task[T], why: Forbidden) -> None:
        """Asks another address; where this one has long answered nothing else, its key may not do this."""
        address.n_forbidden += 1
        if address.n_forbidden >= MOST_FAILED:
            self._left_out(address, task, why)
        elif not self._goes_elsewhere(address, task, Alone(why)):
            self._give_up(task, why)

    def _left_out(self, address: _Address, task: _Task[T], why: BackendError) -> None:
        self._fleet.leave_out(address, why)
        self._queues[address].appendleft(task)
        self._move_queue(address)

    def _give_up(self, task: _Task[T], why: Forbidden | Broken) -> None:
        """Takes it for the prompt's own fault. Raises `why` where too many in a row would be, or any."""
        self._fleet.n_given_up += 1
        if self._fleet.strict or self._fleet.n_given_up >= MOST_FAILED:
            raise why
        self._results[task.number] = cast(T, Alone(why))  # of a job that is caught, as not strict

    def _is_given_up(self) -> bool:
        """Whether nothing was left but what every address broke over. Raises BackendError where all fail."""
        try:
            self._fleet.refuse_if_hopeless()
        except BackendError:
            left = [task for queue in self._queues.values() for task in queue]
            tried = [one for one in self._fleet.addresses if one.left_out is None]
            faults = [why for one in left if (why := one.broken) and all(at in one.failed for at in tried)]
            if len(faults) < len(left):
                raise
            for queue in self._queues.values():
                queue.clear()
            for task, why in zip(left, faults, strict=True):
                self._give_up(task, why)
            return True
        return False

    def _failed(self, address: _Address, task: _Task[T], failed: Again | LongPause) -> None:
        """Lets the address rest. Raises BackendError where it has failed this very job too often."""
        task.failed[address] += 1
        error = given_up(address.endpoint, f"{about(failed.name)}{address.url}: {failed.reason}")
        is_broken = isinstance(failed, Again) and failed.is_broken
        task.broken = Broken(str(error), failed.reason) if is_broken else None
        if task.failed[address] >= self._fleet.patience.attempts:
            if task.broken is None:
                raise error
            self._give_up(task, task.broken)
            return
        self._queues[address].appendleft(task)
        if address.is_awake:
            self._fleet.rest(address, failed.reason, failed.pause_s)
            self._rests.append(self._group.create_task(self._rest(address)))
        self._move_queue(address)

    def _move_queue(self, address: _Address) -> None:
        """Gives what waits for an address to those that come next for each question."""
        queue = self._queues[address]
        waiting = list(queue)
        queue.clear()
        for task in waiting:
            self._queues[self._home_of(task)].append(task)

    async def _rest(self, address: _Address) -> None:
        """Waits until the address has rested and says again that it is who it was."""
        fleet = self._fleet
        while address.is_resting and address.left_out is None:
            await fleet.patience.sleep(max(0.0, address.wakes_at - fleet.patience.clock()))
            try:
                await fleet.greet(address, self._visits[address])
            except (Again, LongPause) as failed:
                fleet.rest(address, failed.reason, failed.pause_s)
            except BackendError as why:
                fleet.leave_out(address, why)
            else:
                address.is_resting = False
            self._changed.set()


def _open_to(task: _Task[Any], addresses: Iterable[_Address]) -> list[_Address]:
    """The addresses that are awake and have not refused this task; where these all have, all of them."""
    awake = [one for one in addresses if one.is_awake]
    return [one for one in awake if one not in task.refused] or awake


def ranking(lead: str, addresses: Sequence[_Address]) -> list[_Address]:
    """The addresses in the order in which this question's prompts go to them, the same in every process."""
    question = hashlib.sha256(lead.encode("utf-8", "surrogatepass")).hexdigest()
    return sorted(addresses, key=lambda one: hashlib.sha256(f"{question} {one.url}".encode()).digest())
