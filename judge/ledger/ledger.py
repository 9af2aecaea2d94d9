"""The ledger: every reading as it was made, found again by judge, pair content and order.

One SQLite file is cache, resume, provenance and timings for any number of threads and processes.
It also keeps the replies that readings share, such as a question's plan, by the hash of what was asked.
Readings travel from ledger to ledger in shards, see `judge.ledger.shards`; steps and shared replies stay
behind, but the cost of shared ones goes along.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from judge.backends import Completion
from judge.errors import InputError, LedgerError
from judge.io.files import at_home, cache_folder
from judge.ledger.shards import (
    ReadingRow,
    cut_text,
    has_words,
    iso,
    row_of,
    shard_line,
    stored_probabilities,
    write_shards,
)
from judge.records import SHARED_LENGTH, Choice, Cut, Identity, Judgment, Order, Reading, Step, Unparsed

VERSION = 2  # goes up when a table or a field of Identity changes
APPLICATION_ID = 0x34544A4C  # "4TJL": in the header of our SQLite files and of no other program's
BUSY_S = 60.0
SQLITE, HEADER_LENGTH, OWNER_AT = b"SQLite format 3\0", 100, slice(68, 72)
"""How an SQLite file begins, and where its header has the application id: https://sqlite.org/fileformat.html"""

TABLES = (
    """CREATE TABLE judges (
        id INTEGER PRIMARY KEY,
        fingerprint TEXT NOT NULL UNIQUE,
        identity TEXT NOT NULL  -- JSON, every field
    )""",
    """CREATE TABLE readings (
        judge INTEGER NOT NULL REFERENCES judges (id),
        content TEXT NOT NULL,
        "order" TEXT NOT NULL CHECK ("order" IN ('AB', 'BA')),
        choice TEXT CHECK (choice IN ('FIRST', 'SECOND', 'TIE')),  -- NULL: could not be read
        reason TEXT CHECK ((reason IS NULL) = (choice IS NOT NULL)),
        probabilities TEXT,  -- JSON keeps every bit; a REAL column would turn -0.0 into 0.0
        raw TEXT,  -- NULL: left out of the shard that brought this reading
        tokens_in INTEGER NOT NULL,
        tokens_out INTEGER NOT NULL,
        is_trimmed INTEGER NOT NULL,
        elapsed_s REAL NOT NULL,
        recorded_at TEXT NOT NULL,
        steps TEXT,  -- JSON; NULL: there are none; of a shard's reading only what the shared ones cost
        PRIMARY KEY (judge, content, "order")
    )""",
    """CREATE TABLE replies (
        key TEXT PRIMARY KEY,
        text TEXT NOT NULL,
        tokens_in INTEGER NOT NULL,
        tokens_out INTEGER NOT NULL,
        is_ended INTEGER NOT NULL,
        is_trimmed INTEGER NOT NULL,
        elapsed_s REAL NOT NULL,
        recorded_at TEXT NOT NULL
    )""",
)
SYSTEMS = """CREATE TABLE IF NOT EXISTS systems (
    judge INTEGER NOT NULL REFERENCES judges (id),
    system TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (judge, system)
)"""
"""What a server called the systems that answered last as a judge. Older versions read such a ledger, too."""
READING_CUT = "ALTER TABLE readings ADD COLUMN cut TEXT"
"""JSON, see `cut_to_json`; NULL: nothing was cut, or a version that did not know how much recorded it."""
REPLY_CUTS = """CREATE TABLE IF NOT EXISTS reply_cuts (
    key TEXT PRIMARY KEY,
    cut TEXT NOT NULL
)"""
"""The same of replies, in a table of its own: older versions go on writing rows of the columns they know."""
ADDED_LATER = {
    ("systems", "judge"): SYSTEMS,
    ("readings", "cut"): READING_CUT,
    ("reply_cuts", "key"): REPLY_CUTS,
}
"""What is made where its column is missing, with no new version: older programs go on using the ledger."""
UPGRADE_FROM_1 = ("ALTER TABLE readings ADD COLUMN steps TEXT", TABLES[2], f"PRAGMA user_version = {VERSION}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A reading to record. `content` is `Pair.content_hash`, `elapsed_s` its share of the batch's seconds."""

    content: str
    order: Order
    reading: Reading
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class JudgeSummary:
    """What the ledger holds on one judge. Times are UTC in ISO 8601, None where nothing was recorded."""

    fingerprint: str
    n_readings: int
    n_unparsed: int
    tokens_in: int
    tokens_out: int
    elapsed_s: float
    first_recorded_at: str | None
    last_recorded_at: str | None


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """Counts of imported readings: new, already there, and different from what is there (which stays).

    A readable one is new where what is there could not be read.
    """

    added: int
    known: int
    differing: int


READING_COLUMNS = ", ".join(f'"{name}"' for name in ReadingRow._fields)
INSERT = f"""
    INSERT INTO readings (judge, {READING_COLUMNS}) VALUES (?{", ?" * len(ReadingRow._fields)})
    ON CONFLICT (judge, content, "order") DO NOTHING
"""
REPLACED = [name for name in ReadingRow._fields if name not in ("content", "order")]
INSERT_OVER_UNPARSED = f"""
    INSERT INTO readings (judge, {READING_COLUMNS}) VALUES (?{", ?" * len(ReadingRow._fields)})
    ON CONFLICT (judge, content, "order") DO UPDATE
    SET {", ".join(f'"{name}" = excluded."{name}"' for name in REPLACED)} WHERE readings.choice IS NULL
"""


def default_path() -> Path:
    """The ledger in the user's cache, unless another file is named."""
    return cache_folder() / "ledger.sqlite"


@contextmanager
def opened_ledger(path: Path | None, is_kept: bool = True) -> Iterator[Ledger]:
    """The ledger in that file, by default the one in the user's cache; if it is not kept, an empty one."""
    with ExitStack() as stack:
        if not is_kept:
            path = Path(stack.enter_context(TemporaryDirectory())) / "ledger.sqlite"
        yield stack.enter_context(Ledger(path or default_path()))


def utc_now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The readings in one file, which is opened or created. Use it in a `with` block, or call `close`.

    In its path ~ is the home folder.

    Raises:
        LedgerError: the file or its lock file cannot be opened; or it is not ours or of a newer version, and
        it is left alone; or it is a ledger and damaged, and was moved with its side files to
        `<name>.corrupt-<n>`.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime] = utc_now) -> None:
        self.path = path = at_home(path)
        self._clock = clock
        self._lock = threading.Lock()  # one connection serves all threads, one at a time
        with _ledger_errors(path):
            _refuse_foreign(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            with _one_at_a_time(path):
                self._db = _opened(path)

    def register(self, identity: Identity) -> str:
        """Registers a judge, so that its readings can be recorded; returns its fingerprint. Repeatable."""
        with self._transaction() as db:
            _register(db, identity)
        return identity.fingerprint

    def find(self, fingerprint: str, contents: Iterable[str]) -> dict[tuple[str, Order], Reading]:
        """The judge's readings of these contents, by content and order; those never made are absent."""
        query = f"""
            SELECT {READING_COLUMNS} FROM readings
            WHERE judge = (SELECT id FROM judges WHERE fingerprint = ?)
            AND content IN (SELECT value FROM json_each(?))
        """
        wanted = json.dumps(list(contents))
        with self._reading() as db:
            found = map(ReadingRow._make, db.execute(query, (fingerprint, wanted)))
            return {(row.content, Order(row.order)): _reading_of(row) for row in found}

    def made(self, fingerprint: str, contents: Iterable[str]) -> dict[str, str]:
        """When the judge's verdicts on these contents were made; only those that were read in both orders."""
        query = """
            SELECT content, MAX(recorded_at) FROM readings
            WHERE judge = (SELECT id FROM judges WHERE fingerprint = ?)
            AND content IN (SELECT value FROM json_each(?)) AND choice IS NOT NULL
            GROUP BY content HAVING COUNT(*) = 2
        """
        with self._reading() as db:
            return dict(db.execute(query, (fingerprint, json.dumps(list(contents)))).fetchall())

    def record(self, fingerprint: str, entries: Sequence[Entry]) -> None:
        """Store all the entries or, where anything fails, none.

        A reading already there stays as it is, unless it could not be read: the new one takes its place.

        Raises:
            LedgerError: the ledger cannot be written, for example because the disk is full.
            ValueError: the judge was never registered.
        """
        at = iso(self._clock())
        with self._transaction() as db:
            judge = _judge_id(db, fingerprint)
            db.executemany(INSERT_OVER_UNPARSED, ((judge, *_row_of(entry, at)) for entry in entries))

    def elapsed(self, fingerprint: str, contents: Iterable[str], shared: Iterable[str] = ()) -> float:
        """Seconds that the judge's readings of these contents took, and its shared steps of these names."""
        readings = """
            SELECT TOTAL(elapsed_s) FROM readings
            WHERE judge = (SELECT id FROM judges WHERE fingerprint = ?)
            AND content IN (SELECT value FROM json_each(?))
        """
        with self._reading() as db:
            [in_readings] = db.execute(readings, (fingerprint, json.dumps(list(contents)))).fetchone()
            seconds = _shared_seconds(db, fingerprint)
        return float(in_readings) + sum(seconds.get(name, 0.0) for name in set(shared))

    def find_replies(self, keys: Iterable[str]) -> dict[str, Completion]:
        """The shared replies that are known, by key."""
        query = """
            SELECT key, text, tokens_in, tokens_out, is_ended, is_trimmed, cut
            FROM replies LEFT JOIN reply_cuts USING (key) WHERE key IN (SELECT value FROM json_each(?))
        """
        with self._reading() as db:
            rows = db.execute(query, (json.dumps(list(keys)),))
            return {
                key: Completion(text, n_in, n_out, bool(is_ended), bool(is_trimmed), stored_cut(cut))
                for key, text, n_in, n_out, is_ended, is_trimmed, cut in rows
            }

    def record_replies(self, replies: Mapping[str, Completion], elapsed_s: float) -> None:
        """Store all the replies or, where anything fails, none. One already there stays as it is.

        Args:
            replies: by key, see `judge.methods.asking`.
            elapsed_s: the seconds that all of them took together.
        """
        insert = "INSERT INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"
        each_s, at = elapsed_s / max(1, len(replies)), iso(self._clock())
        rows = [
            (key, one.text, one.tokens_in, one.tokens_out, one.is_ended, one.is_trimmed, each_s, at)
            for key, one in replies.items()
        ]
        cuts = [(key, cut_text(one.cut)) for key, one in replies.items() if one.cut is not None]
        with self._transaction() as db:
            db.executemany(insert, rows)
            db.executemany("INSERT INTO reply_cuts VALUES (?, ?) ON CONFLICT (key) DO NOTHING", cuts)

    def forget_replies(self, names: Iterable[str]) -> None:
        """Drops the shared replies of these names (see `Step.shared`), so that they are asked again."""
        query = "DELETE FROM replies WHERE substr(key, 1, ?) IN (SELECT value FROM json_each(?))"
        if wanted := list(names):
            with self._transaction() as db:
                db.execute(query, (SHARED_LENGTH, json.dumps(wanted)))

    def noticed(self, fingerprint: str, systems: Sequence[str]) -> str:
        """One line where a server's answers as this judge came from systems other than last time, else "".

        Args:
            systems: what the server called them in this run, in the order in which they came; they are kept
                in the place of the last run's.
        """
        if not systems:
            return ""
        at = iso(self._clock())
        with self._transaction() as db:
            judge = _judge_id(db, fingerprint)
            query = "SELECT system FROM systems WHERE judge = ? ORDER BY rowid"
            before = [name for (name,) in db.execute(query, (judge,))]
            db.execute("DELETE FROM systems WHERE judge = ?", (judge,))
            db.executemany("INSERT INTO systems VALUES (?, ?, ?)", [(judge, name, at) for name in systems])
        return notice_of(before, systems)

    def identities(self) -> dict[str, Identity]:
        """Every judge by its fingerprint, in alphabetical order."""
        query = "SELECT fingerprint, identity FROM judges ORDER BY fingerprint"
        with self._reading() as db:
            return {fingerprint: Identity(**json.loads(text)) for fingerprint, text in db.execute(query)}

    def summary(self) -> list[JudgeSummary]:
        """What the ledger holds on each judge, in alphabetical order of the fingerprints."""
        query = """
            SELECT fingerprint, COUNT(content), COUNT(reason), CAST(TOTAL(tokens_in) AS INTEGER),
                   CAST(TOTAL(tokens_out) AS INTEGER), TOTAL(elapsed_s), MIN(recorded_at), MAX(recorded_at)
            FROM judges LEFT JOIN readings ON judge = id GROUP BY fingerprint ORDER BY fingerprint
        """
        with self._reading() as db:
            return [JudgeSummary(*row) for row in db.execute(query)]

    def export(
        self,
        folder: Path,
        fingerprints: Sequence[str] | None = None,
        max_bytes: int = 5_000_000,
        has_steps: bool = False,
    ) -> list[Path]:
        """Paths of the shards written, by default of all judges. Equal readings give equal bytes.

        A raw reply of more than 16 characters may quote the pair and goes out as null, and so do steps: with
        `has_steps` these go out whole. A shard of the same name is replaced; other files in the folder are
        left alone.

        Raises:
            InputError: an unknown fingerprint, `max_bytes` has no room for a single reading, or the folder
                cannot be written.
            LedgerError: the ledger cannot be read.
        """
        identities = self.identities()
        wanted = sorted(identities if fingerprints is None else set(fingerprints))
        if unknown := [name for name in wanted if name not in identities]:
            found = ", ".join(identities) or "none"
            raise InputError(f"{self.path}: no judge {', '.join(unknown)} (found: {found})")
        return [
            path for name in wanted for path in self._export(folder, identities[name], max_bytes, has_steps)
        ]

    def load(self, paths: Iterable[Path]) -> ImportCounts:
        """Import shards, all or none. A reading already there stays; one that differs from it is counted.

        A readable one takes the place of one that could not be read, as in `record`.

        Steps of a shard join a reading that was there without them.

        A raw reply that the export left out comes back as "". The reading makes the same verdict all the
        same: status, outcomes and p_a follow from choices and probabilities, never from the raw text.

        Raises:
            BadLines: shards that cannot be read; it names every bad line, and nothing was imported.
            LedgerError: the ledger cannot be written.
        """
        from judge.ledger.reading import read_shards

        return self.take_in(read_shards(paths))

    def take_in(
        self, shards: Iterable[tuple[Identity, Sequence[ReadingRow]]], may_differ: bool = True
    ) -> ImportCounts:
        """The same of shards that are read already: each is a judge and its readings.

        Args:
            may_differ: whether to take in the others where readings differ from those that are there; if not,
                nothing is taken in then.
        """
        counts: Counter[str] = Counter()
        with self._transaction() as db:
            for identity, rows in shards:
                judge = _register(db, identity)
                counts.update(_insert(db, judge, row) for row in rows)
            if counts["differing"] and not may_differ:
                db.rollback()
        return ImportCounts(counts["added"], counts["known"], counts["differing"])

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        with self._lock, _ledger_errors(self.path):
            self._db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _export(self, folder: Path, identity: Identity, max_bytes: int, has_steps: bool) -> list[Path]:
        query = f"""
            SELECT {READING_COLUMNS} FROM readings JOIN judges ON judge = id
            WHERE fingerprint = ? ORDER BY content, "order"
        """
        with self._reading() as db:
            rows = map(ReadingRow._make, db.execute(query, (identity.fingerprint,)))
            seconds = _shared_seconds(db, identity.fingerprint)
            lines = [shard_line(row, seconds, has_steps) for row in rows]
        return write_shards(folder, identity, lines, max_bytes)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for a query whose rows may be damaged."""
        with self._lock, _ledger_errors(self.path):
            try:
                yield self._db
            except (ValueError, TypeError) as error:
                raise LedgerError(f"{self.path}: holds a value that nobody recorded ({error})") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection in a transaction: committed at the end, rolled back on any exception."""
        with self._lock, _ledger_errors(self.path), self._db:
            # IMMEDIATE waits for another writer here; a read that later wants to write would fail at once.
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db


# Opening


@contextmanager
def _ledger_errors(path: Path) -> Iterator[None]:
    """Errors of SQLite and the file system as one line; a wrong statement or value stays a bug."""
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
        raise
    except sqlite3.DatabaseError as error:
        advice = ". Run again: opening sets a broken file aside." if _blames_file(error) else ""
        raise LedgerError(f"{path}: {error}{advice}") from error
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror or error}") from error


def _blames_file(error: sqlite3.DatabaseError) -> bool:
    """Whether the bytes in the file are at fault, not the disk, permissions or another process."""
    # Undecodable text carries no code. Plain ERROR, for a statement of ours, is a schema that makes no sense.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Keeps other processes from opening the ledger: two must not set aside each other's new file."""
    try:
        held = FileLock(f"{path}.lock", timeout=BUSY_S).acquire()
    except Timeout as error:
        raise LedgerError(
            f"{path}: another process has been opening it for {BUSY_S:g} s. Try again."
        ) from error
    except OSError as error:
        raise LedgerError(
            f"{path}: its lock file {path.name}.lock cannot be written ({error.strerror or error}). Copy the "
            "ledger to a folder that can be written, or name another file."
        ) from error
    with held:
        yield


def _refuse_foreign(path: Path) -> None:
    """Raises LedgerError where the file is somebody else's. It is not opened for that, only read."""
    if path.is_dir():
        raise LedgerError(f"{path}: a folder, and no ledger. Name a file in it.")
    if not path.is_file():
        _refuse_no_place(path)
        return
    with path.open("rb") as file:
        head = file.read(HEADER_LENGTH)
    if not head:
        return
    if len(head) < HEADER_LENGTH or not head.startswith(SQLITE):
        raise _foreign(path, "not an SQLite file")
    owner = int.from_bytes(head[OWNER_AT], "big")
    if owner not in (0, APPLICATION_ID) or (owner == 0 and _has_tables(path)):
        raise _foreign(path, "an SQLite file of another program")


def _refuse_no_place(path: Path) -> None:
    """Raises LedgerError where no file can be made: at a device or a pipe, below a file, by a broken link."""
    if path.exists():
        raise LedgerError(f"{path}: a device or a pipe, and no ledger. Name a file.")
    there = next(one for one in path.absolute().parents if os.path.lexists(one))
    if not there.is_dir():
        raise LedgerError(f"{path}: {there} is no folder. Name a file in a folder.")
    if path.is_symlink() and not (target := Path(os.path.realpath(path))).parent.is_dir():
        raise LedgerError(f"{path}: a link to {target}, whose folder is missing. Make it, or name a file.")


def _has_tables(path: Path) -> bool:
    """Whether an SQLite file holds anything, seen without making side files. A damaged one counts as full."""
    name = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(name, uri=True)) as db:
        try:
            return bool(_layout(db))
        except sqlite3.DatabaseError:
            return True


def _foreign(path: Path, what: str) -> LedgerError:
    return LedgerError(
        f"{path}: {what}, and no ledger. It was left as it is: name another file, or move this one away."
    )


def _opened(path: Path) -> sqlite3.Connection:
    """A connection to a sound ledger of our version, created if there was none."""
    # Absolute, as SQLite keeps nothing of what is called ":memory:".
    db = sqlite3.connect(path.absolute(), timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _upgrade(db, path)
        if fault := _fault(db, path):
            # Moved while it is open: on closing, SQLite would delete a log that lies under its old name.
            aside = _set_aside(path)
            raise LedgerError(
                f"{path}: {fault}. It was set aside as {aside.name}. Run again: a new ledger starts, and "
                "`judge ledger import` brings back exported shards."
            )
        _make_ready(db)
    except BaseException:
        db.close()
        raise
    return db


def _upgrade(db: sqlite3.Connection, path: Path) -> None:
    """Brings a ledger of version 1 up to date; a broken one stays as it is, for `_fault` to name.

    Raises:
        LedgerError: a sound one cannot be written, for example because the disk is full.
    """
    is_old = False
    try:
        is_old = (_pragma(db, "application_id"), _pragma(db, "user_version")) == (APPLICATION_ID, 1)
        if is_old:
            with db:
                db.execute("BEGIN IMMEDIATE")
                for statement in UPGRADE_FROM_1:
                    db.execute(statement)
    except sqlite3.DatabaseError as error:
        if is_old and not _blames_file(error):
            raise LedgerError(
                f"{path}: a ledger of version 1 cannot be upgraded ({error}). It was left as it is."
            ) from error


def _fault(db: sqlite3.Connection, path: Path) -> str | None:
    """Why the file is not a sound ledger; None if it is sound or new.

    Every opening checks the whole file: 0.2 s for 200,000 short readings (57 MB), 0.6 s for 840 MB.

    Raises:
        LedgerError: a newer version of this program, or another program, made the file.
    """
    try:
        owner, version, layout = _pragma(db, "application_id"), _pragma(db, "user_version"), _layout(db)
        if owner == APPLICATION_ID and version > VERSION:
            raise LedgerError(
                f"{path}: a ledger of version {version}, and this program reads version {VERSION}. "
                "It was left as it is: upgrade four-token-judge, or name another ledger."
            )
        if owner == 0 and not layout:
            return None
        if owner != APPLICATION_ID:
            raise _foreign(path, "an SQLite file of another program")
        if version != VERSION or not _our_layout() <= layout:
            return "it lacks some of a ledger's tables"
        finding = str(_pragma(db, "quick_check(1)"))
    except sqlite3.DatabaseError as error:
        if not _blames_file(error):
            raise
        return str(error)
    return None if finding == "ok" else " ".join(finding.split())


def _pragma(db: sqlite3.Connection, name: str) -> Any:
    return db.execute(f"PRAGMA {name}").fetchone()[0]


def _layout(db: sqlite3.Connection) -> set[tuple[str, str]]:
    """The columns of every table and view."""
    return set(db.execute("SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c"))


def _our_layout() -> set[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as db:
        _create(db)
        return _layout(db)


def _create(db: sqlite3.Connection) -> None:
    for table in TABLES:
        db.execute(table)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")


def _make_ready(db: sqlite3.Connection) -> None:
    """Sets up the connection and, in a new file, creates the tables."""
    db.execute("PRAGMA journal_mode = WAL")
    # In WAL mode NORMAL loses nothing to kill -9, and to a power cut at most the last batches, which are
    # judged again. FULL would wait for the disk at every batch to save those few seconds of work.
    db.execute("PRAGMA synchronous = NORMAL")
    if not _layout(db):
        with db:
            db.execute("BEGIN IMMEDIATE")
            _create(db)
    layout = _layout(db)
    for column, statement in ADDED_LATER.items():
        if column not in layout:
            db.execute(statement)


def _set_aside(path: Path) -> Path:
    """Moves the file and SQLite's side files to a free name and returns it; `.recover` still works there."""
    sides = ("-wal", "-shm", "-journal", "")  # the file itself last: SQLite deletes a log without one
    names = (Path(f"{path}.corrupt-{n}") for n in count(1))
    aside = next(name for name in names if not any(Path(f"{name}{side}").exists() for side in sides))
    for side in sides:
        if Path(f"{path}{side}").exists():
            Path(f"{path}{side}").rename(f"{aside}{side}")
    return aside


def notice_of(before: Sequence[str], systems: Sequence[str]) -> str:
    """The line about the systems that answered in a run, and in the one before it; "" for no change."""
    known = before[-1] if before else systems[0]
    changed = [name for name in systems if name not in before and name != known]
    if not changed:
        return ""
    return (
        f"The server now answers as {', '.join(changed)}, before as {known}: the model may be another one "
        "under the same name."
    )


# Rows


def _judge_id(db: sqlite3.Connection, fingerprint: str) -> int:
    found = db.execute("SELECT id FROM judges WHERE fingerprint = ?", (fingerprint,)).fetchone()
    if found is None:
        raise ValueError(f"no judge {fingerprint} is registered")
    return int(found[0])


def _register(db: sqlite3.Connection, identity: Identity) -> int:
    """The judge's row id, old or new."""
    db.execute(
        "INSERT INTO judges (fingerprint, identity) VALUES (?, ?) ON CONFLICT (fingerprint) DO NOTHING",
        (identity.fingerprint, json.dumps(asdict(identity))),
    )
    return _judge_id(db, identity.fingerprint)


def _insert(db: sqlite3.Connection, judge: int, row: ReadingRow) -> str:
    """Adds the row if its place is free or not readable; the field of `ImportCounts` that it counts in."""
    if db.execute(INSERT, (judge, *row)).rowcount:
        return "added"
    query = f'SELECT {READING_COLUMNS} FROM readings WHERE judge = ? AND content = ? AND "order" = ?'
    held = ReadingRow._make(db.execute(query, (judge, row.content, row.order)).fetchone())
    if held.choice is None and row.choice is not None:
        db.execute(INSERT_OVER_UNPARSED, (judge, *row))
        return "added"
    if not _is_same_reading(held, row):
        return "differing"
    if has_words(row.steps) and not has_words(held.steps):
        change = 'UPDATE readings SET steps = ? WHERE judge = ? AND content = ? AND "order" = ?'
        db.execute(change, (row.steps, judge, row.content, row.order))
    return "known"


def _is_same_reading(one: ReadingRow, other: ReadingRow) -> bool:
    """Whether two rows agree, times, steps and cuts aside; a raw text that was left out matches any other."""
    ignored: dict[str, Any] = {"elapsed_s": 0.0, "recorded_at": "", "steps": None, "cut": None}
    if one.raw is None or other.raw is None:
        ignored["raw"] = None
    return one._replace(**ignored) == other._replace(**ignored)


def _row_of(entry: Entry, recorded_at: str) -> ReadingRow:
    return row_of(entry.content, entry.order, entry.reading, entry.elapsed_s, recorded_at)


def _reading_of(row: ReadingRow) -> Reading:
    tokens = row.tokens_in, row.tokens_out
    rest = (row.raw or "", *tokens, bool(row.is_trimmed), _steps_of(row.steps), stored_cut(row.cut))
    if row.choice is None:
        return Unparsed(row.reason or "", *rest)
    return Judgment(Choice(row.choice), stored_probabilities(row.probabilities), *rest)


def stored_cut(text: str | None) -> Cut | None:
    return None if text is None else Cut(**json.loads(text))


def _steps_of(text: str | None) -> tuple[Step, ...]:
    steps = json.loads(text or "[]")
    for one in steps:
        one.pop("elapsed_s", None)
    return tuple(Step(**one | {"scores": one["scores"] and tuple(one["scores"])}) for one in steps)


def _shared_seconds(db: sqlite3.Connection, fingerprint: str) -> dict[str, float]:
    """The seconds of each shared step, by its name: from the replies, or from the judge's shards."""
    told = """
        SELECT json_extract(step.value, '$.shared'), json_extract(step.value, '$.elapsed_s')
        FROM readings, json_each(steps) AS step
        WHERE judge = (SELECT id FROM judges WHERE fingerprint = ?)
        AND json_extract(step.value, '$.elapsed_s') IS NOT NULL
    """
    asked = "SELECT substr(key, 1, ?), elapsed_s FROM replies"
    return dict(db.execute(told, (fingerprint,))) | dict(db.execute(asked, (SHARED_LENGTH,)))
