"""The vocabulary: every value that passes between two parts of the judge.

A *pair* is judged in two *orders*. In each order the judge makes a *choice* between what it was shown
first and second; seen from the pair this is an *outcome*. Two readings, one per order, make a *verdict*.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from itertools import takewhile
from typing import Any


class Order(StrEnum):
    """Which response is shown first."""

    AB = "AB"
    BA = "BA"

    @property
    def swapped(self) -> Order:
        return Order.BA if self is Order.AB else Order.AB


class Choice(StrEnum):
    """What the judge preferred of what it saw, in the order it saw it."""

    FIRST = "FIRST"
    SECOND = "SECOND"
    TIE = "TIE"

    @property
    def swapped(self) -> Choice:
        return {Choice.FIRST: Choice.SECOND, Choice.SECOND: Choice.FIRST}.get(self, self)


class Outcome(StrEnum):
    """The same preference in the pair's own terms."""

    A = "A"
    B = "B"
    TIE = "TIE"


class Ballot(StrEnum):
    """What a person may say of a pair. BOTH_BAD counts as a tie whenever votes are compared."""

    A = "A"
    B = "B"
    TIE = "TIE"
    BOTH_BAD = "BOTH_BAD"

    @property
    def outcome(self) -> Outcome:
        """The vote as an outcome: BOTH_BAD is a tie."""
        return Outcome.TIE if self is Ballot.BOTH_BAD else Outcome(self.value)


class Confidence(StrEnum):
    """How sure a person is of a vote."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Status(StrEnum):
    """What the two orders say together."""

    CONSISTENT = "consistent"
    INCONSISTENT = "inconsistent"
    UNPARSED = "unparsed"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `role` is "user" or "assistant", in a bare prompt also "system"."""

    role: str
    content: str


@dataclass(frozen=True)
class Pair:
    """Two conversations that end in the responses to compare. a and b are identities, not positions.

    The last message of each conversation is the judged response, everything before it is context.
    `reference` is a known good answer. `criteria` are what this pair is to be judged by, in place of a plan;
    methods that judge by criteria see them. `metadata` keeps every column that has no name here; no judge
    sees it.
    """

    id: str
    conversation_a: tuple[Message, ...]
    conversation_b: tuple[Message, ...]
    category: str | None = None
    reference: str | None = None
    system: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    criteria: tuple[Criterion, ...] = ()

    @classmethod
    def of(
        cls,
        prompt: str | Sequence[Message | Mapping[str, str]],
        response_a: str,
        response_b: str,
        *,
        id: str = "",
        category: str | None = None,
        reference: str | None = None,
        system: str | None = None,
        criteria: Sequence[Criterion] = (),
    ) -> Pair:
        """Two answers to a prompt or a conversation; without an id the content's hash takes its place.

        A message may be an object with role and content. What is no text is a pair, too; a judge refuses it
        by name.
        """
        if isinstance(prompt, str) or not isinstance(prompt, Iterable):
            context: tuple[Message, ...] = (Message("user", prompt),)
        else:
            context = tuple(map(as_message, prompt))
        pair = cls(
            id=id,
            conversation_a=(*context, Message("assistant", response_a)),
            conversation_b=(*context, Message("assistant", response_b)),
            category=category,
            reference=reference,
            system=system,
            criteria=tuple(criteria),
        )
        return replace(pair, id=pair.content_hash) if isinstance(id, str) and not id else pair

    @property
    def response_a(self) -> str:
        """The answer that is judged as A."""
        return self.conversation_a[-1].content

    @property
    def response_b(self) -> str:
        """The answer that is judged as B."""
        return self.conversation_b[-1].content

    @property
    def context_a(self) -> tuple[Message, ...]:
        """Everything before answer A."""
        return self.conversation_a[:-1]

    @property
    def context_b(self) -> tuple[Message, ...]:
        """Everything before answer B."""
        return self.conversation_b[:-1]

    @property
    def prompt(self) -> str:
        """The last user message before response a."""
        return last_request(self.conversation_a)

    @property
    def question(self) -> str:
        """The first user message: answers by several models, and later turns, share it."""
        return next((m.content for m in self.conversation_a if m.role == "user"), "")

    @property
    def longer(self) -> Outcome:
        """The response with more characters, TIE if they have equally many."""
        length_a, length_b = len(self.response_a), len(self.response_b)
        if length_a == length_b:
            return Outcome.TIE
        return Outcome.A if length_a > length_b else Outcome.B

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hex) of all that a judge may see: conversations, system text and reference, not the id.

        Criteria are part of it where the pair has some.
        """
        seen: list[Any] = [
            [[m.role, m.content] for m in self.conversation_a],
            [[m.role, m.content] for m in self.conversation_b],
            self.system,
            self.reference,
        ]
        if self.criteria:
            seen.append([c.line if isinstance(c, Criterion) else repr(c) for c in self.criteria])
        try:
            return sha256_of_json(seen)
        except TypeError:  # some of it is no text: a judge refuses it by name
            return sha256_of_json(repr(seen))


def last_request(conversation: Sequence[Message]) -> str:
    """The last user message before the answer with which the conversation ends; "" where there is none."""
    return next((m.content for m in reversed(conversation[:-1]) if m.role == "user"), "")


def as_message(given: Message | Mapping[str, Any]) -> Message:
    """The message; of an object what it has of role and content, of anything else a message of no role."""
    if isinstance(given, Message):
        return given
    role, content = (given.get("role"), given.get("content")) if isinstance(given, Mapping) else ("", given)
    return Message(role, content)  # type: ignore[arg-type]


RESPONSES = ("first", "second")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a prompt that is tokenised by itself, so that no text can change the tokens around it.

    `kind` is "instruction" (our own words), "context" (words of the pair that are never shortened) or
    "first" and "second" (the responses in the order shown; long ones may be shortened in the middle).
    """

    text: str
    kind: str = "instruction"


@dataclass(frozen=True, slots=True)
class Prompt:
    """Chat messages as spans, and the words around the choice in the reply.

    `reply_start` is the beginning of the reply, which we write for the judge; `reply_end` would follow the
    choice. `name` says in error messages which pair and order this is.
    """

    messages: tuple[tuple[str, tuple[Span, ...]], ...]
    reply_start: str = ""
    reply_end: str = ""
    name: str = ""

    @property
    def lead(self) -> str:
        """All words before the first response: what the prompts of one question begin with."""
        spans = (span for _, message in self.messages for span in message)
        return "".join(span.text for span in takewhile(lambda span: span.kind not in RESPONSES, spans))


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that a good answer to a question does, and by which two answers can be compared.

    Args:
        weight: how often its scores count in the sum: above 0, at most 100, two decimals at most.
        scale: what the scores 1 and 5 mean, in words.

    Raises:
        ValueError: another weight.
    """

    name: str
    description: str = ""
    weight: float = 1.0
    scale: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        is_number = isinstance(self.weight, int | float) and not isinstance(self.weight, bool)
        if not is_number or not 0.01 <= self.weight <= 100 or round(self.weight, 2) != self.weight:
            raise ValueError(
                f"the weight {self.weight!r} of {self.name!r} is no number from 0.01 to 100 with two decimals"
            )

    def __str__(self) -> str:
        return f"{self.name}: {self.description}" if self.description else self.name

    @property
    def asked(self) -> str:
        """The words that a judge is asked by; its weight is none of them."""
        if self.scale is None:
            return str(self)
        low, high = self.scale
        return f"{self}\n1 means: {low}\n5 means: {high}"

    @property
    def line(self) -> str:
        """The whole criterion as a line of a file of criteria."""
        parts = [str(self)]
        if self.weight != 1:
            parts.append(f"weight {self.weight:g}")
        if self.scale is not None:
            parts += [f"1 = {self.scale[0]}", f"5 = {self.scale[1]}"]
        return " | ".join(parts)


@dataclass(frozen=True, slots=True)
class Plan:
    """The criteria for one question, with different names: one to five that a judge plans, or those given."""

    criteria: tuple[Criterion, ...]


SHARED_LENGTH = 16
"""How many characters of a shared reply's key name it in steps."""


@dataclass(frozen=True, slots=True)
class Step:
    """One question that a method asked on its way to a verdict, and the reply to it.

    `scores` are those of the first and the second response on one criterion, 1 to 5, where the step gave
    any; they count `weight` times in the sum. `shared` names a reply that does not depend on the order or on
    the pair as a whole, so that it was asked once for all readings whose steps have that name; "" for one
    that was asked for this reading alone. A shared step that came in a shard has its cost and no text.
    """

    name: str
    raw: str
    tokens_in: int
    tokens_out: int
    scores: tuple[float, float] | None = None
    shared: str = ""
    weight: float = 1.0


GRADED_ALONE = ("first answer", "second answer")
"""Names of the steps in which an answer was graded alone, by the place of the answer in the reading."""

FAST_OR_SLOW = "fast or slow"
"""Name of the step in which an adapter that can be either chose for itself: "slow: P(slow) 0.900000"."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A prompt whose answers were shortened to fit: `read` of the `whole` prompt's tokens were read.

    For servers that take no token ids both are estimated from characters, as the limit itself is.
    """

    read: int
    whole: int


def longest_cut(cuts: Iterable[Cut | None]) -> Cut | None:
    """The cut of the longest of several prompts; None where none was cut, or nothing is known of it."""
    return max((cut for cut in cuts if cut is not None), key=lambda cut: (cut.whole, cut.read), default=None)


@dataclass(frozen=True, slots=True)
class Judgment:
    """One reading of a pair in one order.

    `probabilities` are those of the allowed choices and sum to 1; None where the method gives none.
    `tokens_in` counts the prompts as they were sent, `tokens_out` the replies with their end-of-turn tokens;
    neither counts shared steps. `steps` are what a slow method asked before it came to its choice. `cut`
    says how much was read where `is_trimmed`; of several prompts it is the longest's, and None in old files.
    """

    choice: Choice
    probabilities: Mapping[Choice, float] | None
    raw: str
    tokens_in: int
    tokens_out: int
    is_trimmed: bool = False
    steps: tuple[Step, ...] = ()
    cut: Cut | None = None


NO_MAJORITY = "no majority"
UNREADABLE = "unreadable"
"""How the reason of an even vote begins, and what it counts samples as that could not be read."""


@dataclass(frozen=True, slots=True)
class Unparsed:
    """A reply that could not be read: neither a choice nor a tie nor a loss. `reason` is one line."""

    reason: str
    raw: str
    tokens_in: int = 0
    tokens_out: int = 0
    is_trimmed: bool = False
    steps: tuple[Step, ...] = ()
    cut: Cut | None = None

    @property
    def is_draw(self) -> bool:
        """Whether it is of samples that were all read, and are even."""
        return self.reason.startswith(NO_MAJORITY) and UNREADABLE not in self.reason


Reading = Judgment | Unparsed

IDENTICAL = Judgment(
    Choice.TIE, {Choice.FIRST: 0.0, Choice.SECOND: 0.0, Choice.TIE: 1.0}, "", tokens_in=0, tokens_out=0
)
"""What stands for a reading of two equal answers: a tie, of which no model was asked."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says of a pair after reading it in both orders; made by `judge.orders.combine`.

    `outcome` is strict: TIE where the orders disagree, None where one could not be read. `p_a` is the
    mean of the two orders' probabilities that a is better, a tie counting half; `outcome_by_mean` is the
    side of 0.5 on which it lies. `judge` is the judge's fingerprint. `readings` is empty in the verdict of
    someone else's judge whose readings are not known.

    `is_undecided` says that P was too close to one half for the judge's `Rule`, or that its calibration has P
    on the other side than both orders: both outcomes are then TIE.
    Of a calibrated judge `p_a` is the calibrated one, while the readings stay as they were made.
    """

    pair_id: str
    status: Status
    outcome: Outcome | None
    p_a: float | None
    outcome_by_mean: Outcome | None
    readings: Mapping[Order, Reading]
    judge: str
    is_undecided: bool = False

    @property
    def is_identical(self) -> bool:
        """Whether the two answers were equal, so that no model was asked."""
        return bool(self.readings) and all(reading == IDENTICAL for reading in self.readings.values())


def _ballot(value: Any) -> Ballot:
    """The vote that the value spells: "A", or `Outcome.A`. Raises ValueError."""
    if value not in list(Ballot):
        raise ValueError(f"outcome is {value!r}. It must be one of {', '.join(Ballot)}.")
    return Ballot(value)


@dataclass(frozen=True, slots=True)
class HumanVote:
    """What one person said of one pair.

    `turn` counts from 1. `model_a` and `model_b` wrote the responses, where that is known; `shown_left` says
    which response stood left ("A" or "B"), `at` when the vote was given (ISO 8601), and `saw_judge` whether
    the person had seen by then what the judge says of the pair; None where that is not known. `tags` are the
    reasons that were ticked, `confidence` how sure the person was.

    Raises:
        ValueError: the outcome is none of `Ballot`, nor spelled as one.
    """

    pair_id: str
    voter: str
    outcome: Ballot
    turn: int = 1
    category: str | None = None
    model_a: str | None = None
    model_b: str | None = None
    note: str | None = None
    shown_left: str | None = None
    at: str | None = None
    saw_judge: bool | None = None
    tags: tuple[str, ...] = ()
    confidence: Confidence | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.outcome, Ballot):
            object.__setattr__(self, "outcome", _ballot(self.outcome))


@dataclass(frozen=True, slots=True)
class Share:
    """A proportion that keeps its denominator."""

    count: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.count <= self.total:
            raise ValueError(f"{self.count} of {self.total} is no share")

    @property
    def value(self) -> float | None:
        """The proportion from 0 to 1; None where nothing was counted."""
        return self.count / self.total if self.total else None

    def __str__(self) -> str:
        if not self.total:
            return "- (0/0)"
        return f"{100 * self.count / self.total:.1f} % ({self.count}/{self.total})"


GOLD = "gold"
"""The column of a file of pairs, kept in `Pair.metadata`, that says which answer is known to be better."""

NEAR_EVEN = 0.1
"""A verdict whose P(a) is closer to one half than this is worth a second look."""

NO_CATEGORY = "(no category)"
"""The category of a pair without one, where pairs are grouped."""

NO_ADAPTER = "none"
"""The adapter's name where the bare base model judges."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The part of a judge's identity that its backend knows: which weights answer, and how they run."""

    base_model: str
    base_model_hash: str
    adapter: str
    adapter_hash: str
    backend: str
    dtype: str
    overflow: str
    max_prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Everything that could change a verdict. Two judges with the same identity give the same answers.

    `base_model_hash` and `adapter_hash` are SHA-256 in hex, `prompts` the hash of the prompt files used. Of a
    model on a server the first is that of what the server's listing says of its weights, "" for nothing.
    """

    base_model: str
    base_model_hash: str
    adapter: str
    adapter_hash: str
    method: str
    prompts: str
    letters: str
    decoding: str
    sample: int
    backend: str
    dtype: str
    overflow: str
    max_prompt_tokens: int

    @property
    def name(self) -> str:
        """The judge's name in tables: base model, adapter and method; two judges may have the same name."""
        adapter = "" if self.adapter == NO_ADAPTER else f"+{self.adapter}"
        return f"{self.base_model}{adapter} {self.method}"

    @property
    def fingerprint(self) -> str:
        """A readable label and 16 hex digits of the hash of every field: `m+none/direct@embedded-cpu#0f…`."""
        label = f"{self.base_model}+{self.adapter}/{self.method}@{self.backend}"
        return f"{label}#{sha256_of_json(asdict(self))[:16]}"


CALIBRATED = "+calibrated"
ABSTAINING = "+abstaining"
"""What follows the method in the name and the fingerprint of a judge with a `Rule`."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What people's votes say of a judge's probabilities; made by `judge calibrate`.

    P(A) = 1 / (1 + exp(-(slope * z + offset))), where z is the mean over both orders of the log-odds that a
    is better; `slope` is above 0. `judge` is the fingerprint of the only judge of which that is known.
    Verdicts less sure than `undecided_below`, from 0.5 to 1, are undecided.
    """

    judge: str
    slope: float
    offset: float
    undecided_below: float = 0.5

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of all that it does to a verdict."""
        return sha256_of_json(asdict(self))


@dataclass(frozen=True, slots=True)
class Rule:
    """How two readings become a verdict, beyond what they say: a calibration, a band of undecided, or both.

    A verdict is undecided where the likelier side's P is below `undecided_below`; at 0.5 none is.
    """

    calibration: Calibration | None
    undecided_below: float

    def named(self, identity: Identity) -> Identity:
        """The identity of that judge under this rule; the ledger keeps its readings without it."""
        parts = [] if self.calibration is None else [f"calibrated by {self.calibration.hash[:16]}"]
        parts.append(f"undecided below {self.undecided_below}")
        suffix = ABSTAINING if self.calibration is None else CALIBRATED
        return replace(
            identity,
            method=f"{identity.method}{suffix}",
            decoding=f"{identity.decoding}; {', '.join(parts)}",
        )


def has_rule(fingerprint: str) -> bool:
    """Whether a judge of this fingerprint is calibrated or abstains."""
    return any(f"{suffix}@" in fingerprint for suffix in (CALIBRATED, ABSTAINING))


def sha256_of_json(value: Any) -> str:
    """SHA-256 (hex) of a value's canonical JSON: sorted keys, no spaces, UTF-8, half a character as it is."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
