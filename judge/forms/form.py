"""What every form is read as: comparisons of two sides, which become pairs and votes, and what was left out.

A form knows its rows when it sees them, and makes comparisons of them with the sides as the file has them.
`imported` turns these into pairs: a hash of the answers says which is a, never a label or the place in a
file; but a stays a where the file itself calls the two a and b.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any, TypedDict, TypeVar

from judge.errors import BadLines
from judge.forms.conversation import Conversation, plain_text_of
from judge.io.criteria import criteria_in
from judge.io.labels import ballot_of as gold_ballot
from judge.io.pairs import with_ids, without_bytes
from judge.io.rows import Cells, Wrong, parse_json
from judge.io.usable import Unusable, usable
from judge.io.values import whole_number
from judge.io.wording import counts_in_words
from judge.records import GOLD, Ballot, Criterion, HumanVote, Message, Pair, Verdict, sha256_of_json

T = TypeVar("T")

SAME_ROW = "the same row again"
SAME_PAIR = "the same pair again"
SAME_ID = "id: that of another pair"
SAME_VOTER = "vote: another one of the same voter on the same pair"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of one file. `file` is the file's name, `where` the row's place as messages say it."""

    file: str
    where: str
    cells: Cells


@dataclass(frozen=True, slots=True)
class Side:
    """One of two that are compared: a conversation that ends in the answer, and who wrote it, if known."""

    conversation: Conversation
    model: str | None = None

    @property
    def answer(self) -> str:
        return self.conversation.messages[-1].content


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered after a conversation.

    `model` is "" where the file names nobody. `file` and `where` say where it stands, "" where a pair of
    answers does. `question` names what was asked where that is more than the conversation: in a second turn,
    which follows each model's own first answer, or where two prompts put one question.
    """

    before: Conversation
    text: str
    model: str = ""
    file: str = ""
    where: str = ""
    question: str = ""
    category: str | None = None
    reference: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    criteria: tuple[Criterion, ...] = ()

    @property
    def asked(self) -> Hashable:
        """What two answers must share to be compared."""
        return self.question or (self.before.system, self.before.messages)


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said of two sides: A is the first. `voter` is "" where the file names nobody."""

    outcome: Ballot
    voter: str = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """What was said of two sides, and why labels were left out."""

    said: list[Said] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, read: Callable[[], Ballot | None], voter: str = "") -> None:
        """Takes what `read` makes of a label; None says nothing, and Unusable why it does not count."""
        try:
            ballot = read()
        except Unusable as reason:
            self.left_out.append(f"vote: {reason}")
            return
        if ballot is not None:
            self.said.append(Said(ballot, voter))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides as a file has them, and what was said of them.

    `is_in_order` makes the first side a: for files whose reader has said which is which.
    """

    first: Side
    second: Side
    labels: Labels = field(default_factory=Labels)
    id: str = ""
    category: str | None = None
    reference: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    is_in_order: bool = False
    criteria: tuple[Criterion, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """The pairs of files, the votes in them, and what was left out: how much of it, by reason.

    `is_in_order`: the files themselves say which answer is a, no hash does.
    """

    pairs: tuple[Pair, ...]
    votes: tuple[HumanVote, ...]
    left_out: Mapping[str, int]
    is_in_order: bool = False

    def __str__(self) -> str:
        counts = f"{counted(len(self.pairs), 'pair')}, {counted(len(self.votes), 'vote')}"
        return f"{counts}; left out: {counts_in_words(self.left_out)}"


@dataclass(frozen=True, slots=True)
class Exported:
    """The text of a file, how many verdicts are in it, and how many were left out, by reason."""

    text: str
    n_verdicts: int
    left_out: Mapping[str, int]

    def __str__(self) -> str:
        return f"{counted(self.n_verdicts, 'verdict')}; left out: {counts_in_words(self.left_out)}"


Answers = tuple[list[Answer], Counter[str]]
"""Answers of models, and how many were left out, by reason."""

Exporter = Callable[[Sequence[tuple[Pair, Verdict]], str], Exported]
"""From verdicts, each with its pair, and the time now (ISO 8601) to a file. Raises InputError."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form of files.

    Args:
        title: what messages call it, for example "arena votes".
        recognises: whether a row is of this form, and not one of our own pairs.
        read: its pairs and votes. Raises InputError or Wrong where rows cannot be read.
        answers: what each model answered, and what was left out, by reason, for forms that name the models.
            Raises as `read`.
        export: writes verdicts in this form, where that makes sense.
    """

    title: str
    recognises: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Sequence[Entry]], Imported]
    export: Exporter | None = None
    answers: Callable[[Sequence[Entry]], Answers] | None = None


def each(entries: Iterable[Entry], read_one: Callable[[Entry], T]) -> tuple[list[T], Counter[str]]:
    """What `read_one` makes of each row, and how many it found Unusable, by reason. Equal rows count once.

    Raises:
        BadLines: `read_one` raised Wrong; the error names every such row.
    """
    problems: list[str] = []
    seen: set[str] = set()

    def once(entry: Entry) -> T:
        if (known := key_of(entry)) in seen:
            raise Unusable(SAME_ROW)
        seen.add(known)
        try:
            return read_one(entry)
        except Wrong as wrong:
            problems.append(f"{entry.where}: {wrong}")
            raise Unusable("bad line") from None

    done, left_out = usable(entries, once)
    if problems:
        raise BadLines(problems)
    return done, left_out


def key_of(entry: Entry) -> str:
    """What equal rows of a file have in common. A row of a table may hold bytes, of a picture say."""
    text = json.dumps([entry.file, entry.cells], sort_keys=True, default=bytes.hex)
    return hashlib.sha256(text.encode()).hexdigest()


def imported(comparisons: Iterable[Comparison], left_out: Counter[str], voter: str) -> Imported:
    """The pairs of these comparisons, those of equal texts by the same models once, and the votes on them.

    Args:
        left_out: what the form has left out so far.
        voter: names who is not named in the file; the second such vote on a pair is by `voter`-2.
    """
    left_out, comparisons = Counter(left_out), list(comparisons)
    places: dict[Hashable, int] = {}
    pairs: list[Pair] = []
    ids: set[str] = set()
    said: list[tuple[int, HumanVote]] = []
    turned, unusable = usable(comparisons, partial(pair_and_votes, is_turned=turning()))
    for pair, votes, dropped in turned:
        models = [pair.metadata.get(name) for name in ("model_a", "model_b")]
        key = (pair.id, pair.content_hash, repr(models))  # a column of ours may hold an object
        if key not in places:
            places[key] = len(pairs)
            if is_taken := pair.id in ids:
                left_out[SAME_ID] += bool(pair.id)
            pairs.append(replace(pair, id="") if is_taken else pair)
            ids.add(pair.id)
        elif not votes and not dropped:
            left_out[SAME_PAIR] += 1
        left_out.update(dropped)
        said += [(places[key], vote) for vote in votes]
    named = with_ids(pairs)
    votes, repeated = usable([(named[at], vote) for at, vote in said], one_vote_each(voter))
    is_in_order = all(one.is_in_order for one in comparisons)
    return Imported(tuple(named), tuple(votes), left_out + unusable + repeated, is_in_order)


def turning() -> Callable[[Comparison], bool]:
    """Whether the second side of a comparison is a: as a hash says, or an earlier comparison of the same two.

    Two sides that a file has once as a and b, and once as b and a, are one pair, as they stand first.
    """
    is_sorted_at_first: dict[Hashable, bool] = {}

    def is_turned(one: Comparison) -> bool:
        first, second = order_of(one.first), order_of(one.second)
        is_sorted = first <= second
        if not one.is_in_order:
            return not is_sorted
        key = (one.id, frozenset({(first, one.first.model), (second, one.second.model)}))
        return is_sorted_at_first.setdefault(key, is_sorted) != is_sorted

    return is_turned


def pair_and_votes(
    one: Comparison, is_turned: Callable[[Comparison], bool]
) -> tuple[Pair, list[HumanVote], list[str]]:
    """The pair, what was said of it in its own terms, and why messages and labels were left out."""
    sides = [one.first, one.second]
    systems = [side.conversation.system for side in sides]
    if systems[0] != systems[1]:
        raise Unusable("different system texts")
    for side in sides:
        side.conversation.check()
    turned = is_turned(one)
    a, b = reversed(sides) if turned else sides
    models = {"model_a": a.model, "model_b": b.model}
    metadata = turned_metadata(one.metadata) if turned else one.metadata
    pair = Pair(
        id=one.id,
        conversation_a=a.conversation.messages,
        conversation_b=b.conversation.messages,
        category=one.category,
        reference=one.reference,
        system=systems[0],
        metadata={name: value for name, value in (models | dict(metadata)).items() if value is not None},
        criteria=one.criteria,
    )
    turn = sum(message.role == "user" for message in pair.conversation_a)
    votes = [
        HumanVote(
            pair_id="",
            voter=said.voter,
            outcome=turned_ballot(said.outcome) if turned else said.outcome,
            turn=turn,
            category=one.category,
            model_a=a.model,
            model_b=b.model,
        )
        for said in one.labels.said
    ]
    dropped = [f"message: {why}" for side in sides for why in side.conversation.left_out]
    return pair, votes, [*dropped, *one.labels.left_out]


def turned_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of our own that say something of a or b, in the terms of the pair with a and b swapped.

    A gold label that is not understood stays, and is counted where labels are read.
    """
    turned = dict(metadata)
    for name, other in (("model_a", "model_b"), ("model_b", "model_a")):
        turned.pop(name, None)
        if other in metadata:
            turned[name] = metadata[other]
    if (ballot := gold_ballot(metadata.get(GOLD))) is not None:
        turned[GOLD] = turned_ballot(ballot).value
    return turned


def order_of(side: Side) -> tuple[str, str]:
    """What sorts two sides: a hash of the answer, as in published data sets, then one of the rest."""
    messages = [[message.role, message.content] for message in side.conversation.messages]
    return sha256_of_json(side.answer), sha256_of_json(messages)


def turned_ballot(ballot: Ballot) -> Ballot:
    return {Ballot.A: Ballot.B, Ballot.B: Ballot.A}.get(ballot, ballot)


def one_vote_each(unnamed: str) -> Callable[[tuple[Pair, HumanVote]], HumanVote]:
    """Gives each vote its pair's id, and a voter who has said nothing of that pair's turn yet."""
    taken: set[tuple[str, str]] = set()

    def name_vote(given: tuple[Pair, HumanVote]) -> HumanVote:
        pair, vote = given
        names = [vote.voter] if vote.voter else numbered(unnamed)
        voter = next((name for name in names if (pair.id, name) not in taken), None)
        if voter is None:
            raise Unusable(SAME_VOTER)
        taken.add((pair.id, voter))
        return replace(vote, pair_id=pair.id, voter=voter)

    return name_vote


def numbered(name: str) -> Iterable[str]:
    """The name, then name-2, name-3, ..."""
    return (name if number == 1 else f"{name}-{number}" for number in count(1))


def messages_of(conversation: Sequence[Message], system: str | None = None) -> list[dict[str, str]]:
    """The messages as most tools write them, the system text first."""
    said = [{"role": message.role, "content": message.content} for message in conversation]
    return [{"role": "system", "content": system}, *said] if system is not None else said


def counted(number: int, thing: str) -> str:
    """For example "1 pair", "2 pairs"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def rest_of(cells: Mapping[str, Any], *used: str) -> dict[str, Any]:
    """The cells that a form has no use for, for the pair's metadata; not what is empty, or bytes."""
    rest = {name: value for name, value in cells.items() if name not in used and value not in (None, "")}
    return without_bytes(rest)


def with_metadata(cells: Mapping[str, Any]) -> Mapping[str, Any]:
    """The cells of a pair of our own; metadata that is JSON in a text, as a table has it, is the object."""
    given = cells.get("metadata")
    if not isinstance(given, str):
        return cells
    rest = {name: value for name, value in cells.items() if name != "metadata"}
    try:
        return {**rest, "metadata": parse_json(given)} if given else rest
    except Wrong:
        return cells


def is_pair(cells: Mapping[str, Any]) -> bool:
    """Whether a row has the columns of a pair of our own."""
    return "response_a" in cells or "conversation_a" in cells


def given_id(cells: Mapping[str, Any]) -> str:
    """The row's `id` as text, "" where it has none that could be a pair's id."""
    value = cells.get("id")
    if (number := whole_number(value)) is not None:
        return str(number)
    return value if isinstance(value, str) and value.strip() else ""


SAID_OF_PAIR = ("category", "reference", "criteria")


class SaidOfPair(TypedDict):
    """What a row says of a pair beside its texts, as Comparison and Answer have it."""

    category: str | None
    reference: str | None
    criteria: tuple[Criterion, ...]


def said_of_pair(cells: Mapping[str, Any]) -> SaidOfPair:
    """The row's columns `category`, `reference` and `criteria`, as a pair of our own has them.

    Raises:
        Wrong: criteria are none.
        Unusable: a reference is no text.
    """
    return {
        "category": optional_name(cells.get("category")),
        "reference": plain_text_of(cells.get("reference")),
        "criteria": criteria_in(cells),
    }


def optional_name(value: Any) -> str | None:
    """A name of a model, a voter or a category as text, None where there is none; a list is joined."""
    if (number := whole_number(value)) is not None:
        return str(number)
    if isinstance(value, list):
        return " ".join(map(str, value)) or None
    return None if value in (None, "") or isinstance(value, dict) else str(value)
