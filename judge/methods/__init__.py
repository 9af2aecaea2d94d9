"""Judging methods: a pair in one order -> one reading. One method per file, over any backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

from judge.backends import Backend, Completion
from judge.errors import InputError
from judge.progress import Progress, silent
from judge.records import NO_ADAPTER, Criterion, Identity, Order, Pair, Prompt, Reading, Unparsed
from judge.registry import Registry, lacks, object_at

OURS = {
    "direct": "judge.methods.direct:Direct",
    "score": "judge.methods.score:Score",
    "cot": "judge.methods.cot:ChainOfThought",
    "rar": "judge.methods.rar:RephraseAndRespond",
    "rar-two-step": "judge.methods.rar:TwoStepRephraseAndRespond",
    "s2a": "judge.methods.s2a:SystemTwoAttention",
    "bsm": "judge.methods.bsm:BranchSolveMerge",
    "bsm-text": "judge.methods.bsm:TextBranchSolveMerge",
    "checklist": "judge.methods.checklist:Checklist",
    "dual": "judge.methods.dual:Dual",
    "dual-slow": "judge.methods.dual:DualSlow",
    "dual-auto": "judge.methods.dual:DualAuto",
}
"""Our own. One more needs its file beside these and its line here: docs/how-to/add-a-method.md."""

FAST = "fast"
WAYS = {FAST: "direct", "slow": "bsm"}
"""Everyday words for methods. Fast is whatever a judge's adapter has learned, direct where it has none."""

BY_CRITERIA = ("bsm", "bsm-text", "checklist")
"""Methods that judge by criteria, and so can be given some."""

BY_GIVEN = "checklist"
"""The one that judges where criteria are given and no method is named."""

LEARNED = ("direct", "score")
"""Methods that answer in four tokens, and that a student can learn."""

TRACED = ("cot", "bsm-text", "dual-slow", "dual-auto")
"""Methods whose readings are traces: they write how they came to the verdict."""

DUAL = ("dual", "dual-slow", "dual-auto")
"""Methods that ask an adapter which has learned verdicts with and without their workings."""

WITHOUT_PROBABILITIES = ("cot", "rar", "bsm-text", "dual-slow", "dual-auto")
"""Methods that write their verdicts, so that no reading has probabilities, or not every one."""

IN_WORDS = ", ".join(
    f"{word} ({' or '.join(LEARNED) if word == FAST else meant})" for word, meant in WAYS.items()
)
"""Everyday words with the methods that they may mean."""

AUTO = "auto"
"""Fast first, then slow if that leaves doubt: two methods in one, see `judge.methods.auto`."""

VOTE = "judge.methods.voting:Vote"
WEIGHED_VOTE = "judge.methods.weighing:WeighedVote"
PLAIN_VOTES = ("majority", "usc")
RANKED, PROBABILITY = "ranked", "probability"
VOTES = (*PLAIN_VOTES, RANKED, PROBABILITY)


class Method(Protocol):
    """A way of judging. Lists in, lists of equal length and order out."""

    @property
    def identity(self) -> Identity:
        """Everything that could change a verdict of this judge."""

    @property
    def backend(self) -> Backend:
        """The engine that answers."""

    @property
    def batch_characters(self) -> int:
        """How many characters of pairs are worth reading in one call, which a failure or a kill can lose."""

    def prepare(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """Asks all at once for what several of the pairs share, such as the plan of a question.

        Changes no verdict: `read` asks for what was not prepared. Raises BackendError.
        """

    def read(self, items: Sequence[tuple[Pair, Order]]) -> list[Reading]:
        """One reading per item. Raises BackendError if the engine fails."""


def backends_of(method: Method) -> list[Backend]:
    """The engines that a method asks, each once: of two judges those of both."""
    judges = (getattr(method, "fast", method), getattr(method, "slow", method))
    return list({id(judge.backend): judge.backend for judge in judges}.values())


class ReplyStore(Protocol):
    """Keeps the replies that readings share; the ledger is one."""

    def find_replies(self, keys: Iterable[str]) -> dict[str, Completion]:
        """The replies that are known, by key."""

    def record_replies(self, replies: Mapping[str, Completion], elapsed_s: float) -> None:
        """Keeps these replies, which together took `elapsed_s` seconds."""


class TraceRanker(Protocol):
    """What says how right a trace looks; `judge.backends.ranker` is one."""

    @property
    def name(self) -> str:
        """What fingerprints call it."""

    def scores(self, traces: Sequence[tuple[Prompt, str]]) -> list[float | Unparsed]:
        """A score from 0 to 1 for each prompt and the reply to it; Unparsed where a prompt does not fit."""


class MemoryStore:
    """Keeps shared replies for the life of the process."""

    def __init__(self) -> None:
        self._replies: dict[str, Completion] = {}

    def find_replies(self, keys: Iterable[str]) -> dict[str, Completion]:
        return {key: self._replies[key] for key in keys if key in self._replies}

    def record_replies(self, replies: Mapping[str, Completion], elapsed_s: float) -> None:
        self._replies |= replies

    def forget(self) -> None:
        """Drops all of them."""
        self._replies.clear()


@dataclass(frozen=True, slots=True)
class MethodSettings:
    """What a user may set on a method; each method takes what concerns it.

    Args:
        ties: whether the judge may call two responses equally good.
        temperature: of free replies; 0 is greedy.
        seed: of the draws at a temperature above 0.
        max_new_tokens: longest free reply; None is each step's own.
        store: keeps what several readings share.
        criteria: what to judge by, in place of a plan; a pair's own go before them.
        slow_above: with dual-auto, the P(Plan) above which a working comes before the verdict.
    """

    ties: bool = False
    temperature: float = 0.0
    seed: int = 0
    max_new_tokens: int | None = None
    store: ReplyStore | None = None
    criteria: tuple[Criterion, ...] = ()
    slow_above: float = 0.5


DEFAULTS = MethodSettings()


METHODS: Registry[Callable[[Backend, MethodSettings], Method]] = Registry(
    "judge.methods", "method", OURS, lambda name, found: lacks(found, "prepare", "read")
)
"""Every method by name, those of other packages too: classes that are made of a backend and settings."""


def method_names() -> list[str]:
    """Every word that `load_method` knows, each everyday word with the method that it means."""
    return [*METHODS.names(), IN_WORDS, AUTO]


def load_method(
    name: str,
    backend: Backend,
    settings: MethodSettings = DEFAULTS,
    samples: int = 1,
    vote: str = "majority",
    ranker: TraceRanker | None = None,
) -> Method:
    """The method of that name ("bsm", or an everyday word such as "slow"), or a vote over samples of it.

    Args:
        ranker: of a ranked vote, and of no other.

    Raises:
        InputError: there is no such method or vote, or the two do not go together.
        PluginError: another package has a method of that name, but it cannot be used.
    """
    method = WAYS.get(name, name)
    make = METHODS.find(method)
    if make is None:
        known = ", ".join(method_names())
        raise InputError(f"--method {name}: no such method. There are: {known}.{METHODS.like(name)}")
    if vote not in VOTES:
        raise InputError(f"--vote {vote}: must be one of {', '.join(VOTES)}.")
    if settings.criteria and method not in BY_CRITERIA:
        raise InputError(
            f"--criteria: method {name} does not judge by criteria. Take one of {', '.join(BY_CRITERIA)}, or "
            "leave --method out."
        )
    by_criteria = method in ("bsm", "checklist") and bool(settings.criteria)
    is_exact = method in (*LEARNED, DUAL[0]) or by_criteria
    if is_exact and (settings.temperature > 0 or samples > 1):
        raise InputError(f"--method {method}: its probabilities are exact, so there is nothing to sample.")
    if method == "score" and settings.ties:
        raise InputError(
            "--method score: grades are rarely equal, so there is no tie to allow. Leave --ties out, or "
            f"judge by --method direct --adapter {NO_ADAPTER}."
        )
    if method not in (*LEARNED, *DUAL) and backend.engine.adapter != NO_ADAPTER:
        raise InputError(
            f"--method {name} judges with the bare base model: an adapter belongs to "
            f"{', '.join((*LEARNED, *DUAL[:-1]))} or {DUAL[-1]}."
        )
    if settings.slow_above != DEFAULTS.slow_above and method != DUAL[2]:
        raise InputError(
            f"--slow-above: method {name} has no such choice. Take --method auto with a dual adapter."
        )
    if vote == "usc" and samples == 1:
        raise InputError("--vote usc: it reads several samples. Give --samples 8 --temperature 0.7.")
    if vote not in PLAIN_VOTES:
        _check_weighed(vote, name, method, samples)
    if samples == 1:
        return make(backend, settings)
    if settings.temperature <= 0:
        raise InputError(f"--samples {samples}: at temperature 0 all are alike. Give --temperature 0.7.")
    each = [make(backend, replace(settings, seed=settings.seed + i)) for i in range(samples)]
    if vote in PLAIN_VOTES:
        vote_over = cast("Callable[[list[Method], str], Method]", object_at(VOTE))
        return vote_over(each, vote)
    weighed = cast("Callable[..., Method]", object_at(WEIGHED_VOTE))
    return weighed(each, vote, method, settings.ties, ranker)


def _check_weighed(vote: str, name: str, method: str, samples: int) -> None:
    """Raises InputError where there is nothing to weigh: one sample, or no traces."""
    if samples == 1:
        raise InputError(f"--vote {vote}: it weighs several samples. Give --samples 8 --temperature 0.7.")
    if method not in TRACED:
        raise InputError(
            f"--vote {vote}: method {name} does not write how it came to its verdict. Take one of "
            f"{', '.join(TRACED)}."
        )
