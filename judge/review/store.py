"""What reviewers said, in one SQLite file: one event per vote, skip, label or undo; nothing is ever changed.

Each event is on disk before it is acknowledged, even if others write at the same time. A pair is known by
its content and, among equal ones, by its id, so that votes survive when a file is renamed, sorted or cut. A
reviewer's last vote on a pair that was not taken back is the one that counts; a skip never takes its place.
The file also knows on which pairs a reviewer has seen what the judge said, so that no reload forgets it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from judge.errors import InputError
from judge.records import Ballot, Confidence

SCHEMA_VERSION = 3
WAIT_S = 30.0
NOT_NOW = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
}
"""SQLite's codes for a file that may be in order and cannot be read or written now."""

SCHEMA = """
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('vote', 'skip', 'label', 'undo')),
    reviewer TEXT NOT NULL CHECK (reviewer <> ''),
    content TEXT NOT NULL,
    pair_id TEXT NOT NULL,
    ballot TEXT CHECK ((ballot IS NOT NULL) = (kind IN ('vote', 'label'))),
    note TEXT NOT NULL DEFAULT '',
    category TEXT,
    shown_left TEXT CHECK (shown_left IN ('A', 'B')),
    saw_judge INTEGER NOT NULL DEFAULT 0,
    undoes INTEGER UNIQUE REFERENCES events(number) CHECK ((undoes IS NOT NULL) = (kind = 'undo')),
    at TEXT NOT NULL
);
CREATE INDEX events_by_pair ON events(content, reviewer);
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_last BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
"""
SIGHTINGS = """
CREATE TABLE sightings (
    reviewer TEXT NOT NULL CHECK (reviewer <> ''),
    content TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (reviewer, content)
);
CREATE TRIGGER sightings_stay BEFORE UPDATE ON sightings
    BEGIN SELECT RAISE(ABORT, 'sightings are never changed'); END;
CREATE TRIGGER sightings_last BEFORE DELETE ON sightings
    BEGIN SELECT RAISE(ABORT, 'sightings are never deleted'); END;
"""
MORE = """
ALTER TABLE events ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE events ADD COLUMN confidence TEXT CHECK (confidence IN ('low', 'medium', 'high'));
ALTER TABLE events ADD COLUMN is_repeat INTEGER NOT NULL DEFAULT 0 CHECK (NOT is_repeat OR kind = 'vote');
ALTER TABLE events ADD COLUMN source TEXT;
ALTER TABLE events ADD COLUMN is_sight_known INTEGER NOT NULL DEFAULT 1;
ALTER TABLE events ADD COLUMN turn INTEGER NOT NULL DEFAULT 1;
ALTER TABLE events ADD COLUMN model_a TEXT;
ALTER TABLE events ADD COLUMN model_b TEXT;
"""
STEPS = (SCHEMA, SIGHTINGS, MORE)
"""What made each version of the file out of the one before it."""

STANDING = """
SELECT e.* FROM events e
WHERE e.kind <> 'undo' AND NOT EXISTS (SELECT 1 FROM events u WHERE u.undoes = e.number)
"""
KIND = "CASE WHEN e.is_repeat THEN 'repeat' ELSE e.kind END"
NAMES = (
    "kind, reviewer, content, pair_id, ballot, note, category, shown_left, saw_judge, at, tags, confidence, "
    "is_repeat, source, is_sight_known, turn, model_a, model_b"
)


class EventKind(StrEnum):
    """What a reviewer did with a pair.

    A label is the final word of an adjudicator. A repeat is a vote on a pair that came to its voter again, to
    see how far the two agree: it never counts as a vote.
    """

    VOTE = "vote"
    SKIP = "skip"
    LABEL = "label"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a reviewer did, and what was on the screen then.

    `shown_left` says which response stood left ("A" or "B"), `saw_judge` whether the reviewer had seen by
    then what the judge says of the pair, None where that is not known; `at` is ISO 8601. A skip has no
    ballot. `tags` are the reasons that were ticked. A vote that was given elsewhere has the file that it came
    from as its `source`, and what that file says of turn and models.
    """

    kind: EventKind
    reviewer: str
    content: str
    pair_id: str
    at: str
    ballot: Ballot | None = None
    note: str = ""
    category: str | None = None
    shown_left: str | None = None
    saw_judge: bool | None = False
    number: int = 0
    tags: tuple[str, ...] = ()
    confidence: Confidence | None = None
    source: str | None = None
    turn: int = 1
    model_a: str | None = None
    model_b: str | None = None


class ReviewStore:
    """The events of one file. Threads and processes may share the file; each call has its own connection."""

    def __init__(self, path: str | Path) -> None:
        """Opens the file, or makes it. Raises InputError if it is not a file of reviews, or not writable."""
        self.path = Path(path)
        with self._connection() as connection:
            self._prepare(connection)

    def add(self, event: Event) -> Event:
        """Writes the event; it is returned, with its number, when it is on the disk."""
        [written] = self.add_all([event])
        return written

    def add_all(self, events: Iterable[Event]) -> list[Event]:
        """Writes the events, all or none; they are returned, numbered, when they are on the disk."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            return [_written(connection, event) for event in events]

    def take_in(self, votes: Iterable[Event], ids_of: Mapping[str, Sequence[str]]) -> int:
        """Writes those votes whose voter has never voted on that pair here; how many that were.

        So a file that is taken in twice changes nothing, and what somebody said or took back here stays.

        Args:
            ids_of: the ids that pairs of a content have in the open file. A vote under another id is on the
                first of them.
        """
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            new = [vote for vote in votes if not _has_voted(connection, vote, ids_of.get(vote.content, ()))]
            for vote in new:
                _written(connection, vote)
        return len(new)

    def undo(
        self, reviewer: str, kinds: Iterable[EventKind], at: str, contents: Container[str]
    ) -> Event | None:
        """Takes back the reviewer's last standing event of these kinds on these contents, if any.

        Votes from files were not given here, so they stay.
        """
        wanted = [kind.value for kind in kinds]
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = connection.execute(
                f"{STANDING} AND e.source IS NULL AND e.reviewer = ? "
                f"AND {KIND} IN ({', '.join('?' * len(wanted))}) ORDER BY e.number DESC",
                (reviewer, *wanted),
            )
            row = next((row for row in rows if row["content"] in contents), None)
            if row is None:
                return None
            taken = event_of(row)
            connection.execute(
                "INSERT INTO events (kind, reviewer, content, pair_id, undoes, at) "
                "VALUES ('undo', ?, ?, ?, ?, ?)",
                (reviewer, taken.content, taken.pair_id, taken.number, at),
            )
        return taken

    def standing(self) -> list[Event]:
        """The last words on each pair, oldest first."""
        with self._connection() as connection:
            return last_words(event_of(row) for row in connection.execute(f"{STANDING} ORDER BY e.number"))

    def saw(self, reviewer: str, content: str, at: str) -> None:
        """Keeps that the reviewer has seen what the judge says of that pair, if it is not known yet."""
        with self._connection() as connection:
            connection.execute("INSERT OR IGNORE INTO sightings VALUES (?, ?, ?)", (reviewer, content, at))

    def has_seen(self, reviewer: str, content: str) -> bool:
        """Whether the reviewer has ever seen what the judge says of that pair."""
        with self._connection() as connection:
            found = connection.execute(
                "SELECT 1 FROM sightings WHERE reviewer = ? AND content = ?", (reviewer, content)
            )
            return found.fetchone() is not None

    def last_number(self) -> int:
        """How many events there ever were: it changes with everything that anyone does."""
        with self._connection() as connection:
            [number] = connection.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()
        return int(number)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection whose work is on the disk when the block ends, or not done at all.

        Raises:
            InputError: the file is of another kind or broken, or it is locked or the disk full.
        """
        try:
            connection = sqlite3.connect(self.path, timeout=WAIT_S)
            with closing(connection):
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA synchronous = FULL")
                with connection:
                    yield connection
        except sqlite3.DatabaseError as error:
            is_not_now = getattr(error, "sqlite_errorcode", 0) & 0xFF in NOT_NOW
            wrong = (
                "cannot be read or written now" if is_not_now else "not a file of reviews that can be used"
            )
            raise InputError(f"{self.path}: {wrong} ({error}).") from error

    def _refuse_foreign(self, connection: sqlite3.Connection) -> int:
        """The version of the file's tables, 0 if it is empty. Raises InputError where it is none of ours."""
        [version] = connection.execute("PRAGMA user_version").fetchone()
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        if version > SCHEMA_VERSION or (tables if not version else "events" not in tables):
            raise InputError(f"{self.path}: not a file of reviews. Name another one with --reviews.")
        return int(version)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        self._refuse_foreign(connection)  # before anything is written
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        version = self._refuse_foreign(connection)
        for step in STEPS[version:]:
            for statement in step.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
        if version < SCHEMA_VERSION:
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def last_words(events: Iterable[Event]) -> list[Event]:
    """The last vote or skip, label and repeat of each reviewer on each pair, in their order.

    A skip never takes the place of a vote.
    """
    last: dict[tuple[str, str, str, EventKind], Event] = {}
    for event in sorted(events, key=lambda event: event.number):
        kind = EventKind.VOTE if event.kind is EventKind.SKIP else event.kind
        key = (event.content, event.pair_id, event.reviewer, kind)
        if event.kind is EventKind.SKIP and key in last and last[key].kind is EventKind.VOTE:
            continue
        last[key] = event
    return sorted(last.values(), key=lambda event: event.number)


def _written(connection: sqlite3.Connection, event: Event) -> Event:
    """The event with the number under which it is in the file."""
    is_repeat = event.kind is EventKind.REPEAT
    cells = (
        EventKind.VOTE.value if is_repeat else event.kind.value,
        event.reviewer,
        event.content,
        event.pair_id,
        None if event.ballot is None else event.ballot.value,
        event.note,
        event.category,
        event.shown_left,
        bool(event.saw_judge),
        event.at,
        json.dumps(event.tags, ensure_ascii=False),
        None if event.confidence is None else event.confidence.value,
        is_repeat,
        event.source,
        event.saw_judge is not None,
        event.turn,
        event.model_a,
        event.model_b,
    )
    [row] = connection.execute(
        f"INSERT INTO events ({NAMES}) VALUES ({', '.join('?' * len(cells))}) RETURNING *", cells
    )
    return event_of(row)


def _has_voted(connection: sqlite3.Connection, vote: Event, ids: Sequence[str]) -> bool:
    """Whether the voter has ever voted on that pair, whatever its id was, even if the vote was taken back."""
    found = connection.execute(
        "SELECT DISTINCT pair_id FROM events WHERE content = ? AND reviewer = ? AND kind = 'vote'",
        (vote.content, vote.reviewer),
    )
    voted = {row["pair_id"] for row in found}
    return vote.pair_id in voted or (vote.pair_id in ids[:1] and not voted <= set(ids))


def event_of(row: sqlite3.Row) -> Event:
    return Event(
        kind=EventKind.REPEAT if row["is_repeat"] else EventKind(row["kind"]),
        reviewer=row["reviewer"],
        content=row["content"],
        pair_id=row["pair_id"],
        at=row["at"],
        ballot=None if row["ballot"] is None else Ballot(row["ballot"]),
        note=row["note"],
        category=row["category"],
        shown_left=row["shown_left"],
        saw_judge=bool(row["saw_judge"]) if row["is_sight_known"] else None,
        number=row["number"],
        tags=tuple(json.loads(row["tags"])),
        confidence=None if row["confidence"] is None else Confidence(row["confidence"]),
        source=row["source"],
        turn=row["turn"],
        model_a=row["model_a"],
        model_b=row["model_b"],
    )
