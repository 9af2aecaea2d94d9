"""A file of pairs of any size, opened at once: where each line begins, and what is known of it so far.

Opening looks for the ends of lines only. `read_on` then reads every line, in the background, and gathers what
filters and queues need; the texts of a pair are read from the file when somebody looks at it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import weakref
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from threading import Lock

from judge.errors import InputError
from judge.forms.reading import form_among, read_pairs
from judge.io.content import is_json_lines
from judge.io.pairs import id_of, pair_from_cells, write_pairs
from judge.io.rows import Row, Wrong, object_of_line, shown
from judge.records import Pair

PIECE = 1 << 24
MOST_PROBLEMS = 20
MOST_LOOKED_AT = 100
"""Lines that tell whether a JSONL file is of another tool."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What is kept of one pair: its place in the file, from 0, and what filters and searches use.

    `asked` is the digest of all that comes before the answers, empty where they follow different
    conversations; `answers` are the digests of A and B. Answers to one question are known by them.
    """

    place: int
    id: str
    content: str
    category: str | None
    length_a: int
    length_b: int
    asked: bytes = b""
    answers: tuple[bytes, bytes] = (b"", b"")


class PairIndex:
    """The pairs of a JSONL file. One thread reads on, any number look.

    `name` is the file's name as the user knows it, `notes` say how it was read. `by_content` has the pairs of
    one content, which may be there under several ids. `problems` are the lines that hold no pair, in words,
    the first twenty; `n_bad` counts them all.
    """

    def __init__(self, path: Path, name: str, notes: Sequence[str] = ()) -> None:
        self.path = path
        self.name = name
        self.notes = notes
        self.starts = starts_of_lines(path)
        self.entries: list[IndexEntry] = []
        self.by_id: dict[str, IndexEntry] = {}
        self.by_content: dict[str, list[IndexEntry]] = {}
        self.problems: list[str] = []
        self.n_bad = 0
        self.n_read = 0
        self._file = path.open("rb")
        self._lock = Lock()

    @property
    def n_lines(self) -> int:
        return len(self.starts) - 1

    @property
    def is_read(self) -> bool:
        return self.n_read == self.n_lines

    def read_on(self, n_lines: int) -> None:
        """Reads so many more lines."""
        stop = min(self.n_lines, self.n_read + n_lines)
        for place in range(self.n_read, stop):
            line = self._line(place)
            if line.strip():
                self._take(place, line)
            self.n_read = place + 1

    def pair(self, entry: IndexEntry) -> Pair:
        """The pair with its texts. Raises InputError if the file has changed since it was opened."""
        try:
            pair = self._pair_of(self._line(entry.place))
        except Wrong:
            pair = None
        if pair is None or pair.content_hash != entry.content:
            raise InputError(f"{self.name} has changed since it was opened. Open it again.")
        return replace(pair, id=entry.id)

    def pairs(self, entries: Sequence[IndexEntry]) -> list[Pair]:
        return [self.pair(entry) for entry in entries]

    def every_pair(self) -> Iterator[Pair]:
        """All pairs that were read so far, one after the other. Raises as `pair`."""
        return map(self.pair, self.entries)

    def found(self, text: str, entries: Sequence[IndexEntry]) -> Iterator[IndexEntry]:
        """Those whose id, question or responses hold the text, ignoring case."""
        needle = text.casefold()
        for entry in entries:
            pair = self.pair(entry)
            messages = (*pair.conversation_a, *pair.conversation_b)
            if needle in entry.id.casefold() or any(needle in one.content.casefold() for one in messages):
                yield entry

    def _take(self, place: int, line: bytes) -> None:
        try:
            pair = self._pair_of(line)
            entry = IndexEntry(
                place=place,
                id=pair.id or self._free_name(pair.content_hash[:16]),
                content=pair.content_hash,
                category=pair.category,
                length_a=len(pair.response_a),
                length_b=len(pair.response_b),
                asked=asked_digest(pair),
                answers=(digest(pair.response_a), digest(pair.response_b)),
            )
            if first := self.by_id.get(entry.id):
                raise Wrong(
                    f"id {shown(entry.id)} is already in line {first.place + 1}. It may be there only once."
                )
        except Wrong as wrong:
            self.n_bad += 1
            if len(self.problems) < MOST_PROBLEMS:
                self.problems.append(f"{self.name}:{place + 1}: {wrong}")
            return
        self.by_id[entry.id] = entry
        self.by_content.setdefault(entry.content, []).append(entry)
        self.entries.append(entry)

    def _pair_of(self, line: bytes) -> Pair:
        cells = object_of_line(line)
        if isinstance(cells, Wrong):
            raise cells
        return pair_from_cells(cells, id_of(cells))

    def _free_name(self, digits: str) -> str:
        """The content's digits, followed by -2, -3 if an equal pair came before."""
        names = (digits if n == 1 else f"{digits}-{n}" for n in count(1))
        return next(name for name in names if name not in self.by_id)

    def _line(self, place: int) -> bytes:
        with self._lock:
            self._file.seek(self.starts[place])
            return self._file.read(self.starts[place + 1] - self.starts[place])


def asked_digest(pair: Pair) -> bytes:
    """The digest of what both answers follow; nothing where they follow different conversations."""
    if pair.context_a != pair.context_b:
        return b""
    turns = [[one.role, one.content] for one in pair.context_a]
    return digest(json.dumps([turns, pair.system, pair.reference]))


def digest(text: str) -> bytes:
    """Eight bytes that stand for a text; lone halves of surrogates count, too."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:8]


def opened(path: Path, name: str | None = None) -> PairIndex:
    """The index of a file of pairs; what is no plain JSONL of ours is read whole and kept aside as such.

    What is kept aside goes with the index.

    Raises:
        InputError: there is no such file, it is of another kind, it holds no line, or it is not plain JSONL
        of ours and a row of it is not a pair.
    """
    notes: list[str] = []
    file, name = path, name or path.name
    if not path.is_file():
        raise InputError(f"{name}: no such file.")
    if is_json_lines(path) and not is_of_another_tool(path):
        index = PairIndex(path, name, notes)
    else:
        pairs = read_pairs(path, lambda line: notes.append(line.replace(str(file), name)))
        folder = tempfile.mkdtemp(prefix="judge-app-")
        write_pairs(Path(folder) / "pairs.jsonl", pairs)
        index = PairIndex(Path(folder) / "pairs.jsonl", name, notes)
        weakref.finalize(index, shutil.rmtree, folder, ignore_errors=True)
    if not index.n_lines:
        raise InputError(f"{name}: no pairs found. A file must hold at least one pair.")
    return index


def is_of_another_tool(path: Path) -> bool:
    """Whether a form of another tool is recognised in the first lines of a JSONL file."""
    with path.open("rb") as file:
        lines = [line for line in islice(file, MOST_LOOKED_AT) if line.strip()]
    return form_among(Row("", object_of_line(line)) for line in lines) is not None


def starts_of_lines(path: Path) -> array[int]:
    """Where each line begins, in bytes, and at last where the file ends; a byte order mark is left out."""
    starts = array("Q", [3 if path.open("rb").read(3) == b"\xef\xbb\xbf" else 0])
    size = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            end = -1
            while (end := piece.find(b"\n", end + 1)) >= 0:
                starts.append(size + end + 1)
            size += len(piece)
    if starts[-1] < size:
        starts.append(size)
    return starts
