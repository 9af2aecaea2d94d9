"""A judge as a Python object, `Judge().compare(prompt, a, b)`; every command judges with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Never

from judge.backends import EngineChanged, load_backend, news_of, systems_of
from judge.errors import InputError
from judge.evaluate import is_identical, judge_pairs, judge_until
from judge.io.durations import over_after, seconds_in
from judge.io.given import (
    answered,
    asked,
    check_pair,
    described,
    items_of,
    listed,
    one_system,
    optional_given,
    text_given,
)
from judge.io.wording import did_you_mean
from judge.ledger.ledger import Ledger, opened_ledger
from judge.ledger.replay import Replay
from judge.methods import AUTO, BY_CRITERIA, FAST, Method
from judge.options import BackendLoader, JudgeOptions, judge_options, kinds_of_options
from judge.orders import ruled
from judge.progress import Progress, shown_progress, silent
from judge.records import Criterion, HumanVote, Identity, Message, Pair, Unparsed, Verdict

if TYPE_CHECKING:
    from judge.study.study import Study

WARM = Pair.of("Which number is larger, 2 or 3?", "It is 3.", "It is 2.")
"""What a judge reads to make itself ready."""

BESIDE = ("ledger", "cache", "progress")
"""What a `Judge` takes beside the options of `judge_options`."""


MADE_ELSEWHERE = "a judge judges in the process that made it alone. Make one in each process."

MethodMaker = Callable[[JudgeOptions, Ledger], Method]
"""Makes the method of these options; the ledger is the judge's."""


class Judge:
    """A pairwise judge: it reads a request and two answers and says which is better, whatever their order.

    Without arguments it is the distilled judge that comes with the package: a 0.5B model that answers in
    four tokens (Yu et al., arXiv:2407.06023). The options have the names and defaults of `judge run`.

    What it costs, with the judge in the package on two CPU cores that multiply bfloat16: the weights load at
    the first question that the ledger cannot answer, once, some 5 seconds and 2 GiB of memory; a verdict
    takes half a second or less (each answer is graded once, in one forward pass). A judge that reads both
    answers in both orders (`method="direct"`) takes twice as long, and slow methods longer
    (docs/methods.md). What the ledger knows costs a look-up in an SQLite file, and no weights load for it.

    Several threads may use one judge; they wait for each other, so give it many pairs in one call. Another
    process, forked or not, needs one of its own. Close it, or use it in a `with` block, to let go of the
    ledger's file.

    Args:
        method: direct, score, cot, rar, rar-two-step, s2a, bsm, bsm-text, checklist, dual, dual-slow or
            dual-auto; fast (what its adapter has learned: score or direct), slow (bsm) or auto.
        ties: whether it may call two answers equally good; the distilled judge has not learned to.
        samples: readings per order, of which a vote is taken; more than one needs a temperature.
        vote: majority, usc (the judge picks the most consistent sample), ranked (a sample counts 1 + the
            ranker's score) or probability (it counts by how likely the model is to write it).
        temperature: of slow methods' free replies; 0 always takes the likeliest word.
        max_new_tokens: longest free reply, in tokens; None is each method's own.
        criteria: what to judge by instead of a plan, by method checklist (the default with them), bsm or
            bsm-text: a file of lines such as "price: names the price | weight 2", or such lines in a list.
        base_model: small (0.5B) or large (1.5B); a name from `judge models list`, a hub id, a folder, or what
            a server calls its model.
        adapter: folder of a LoRA adapter, "none" for the bare base model; "" is the shipped one, where
            score or direct judges with its base model.
        backend: embedded, vllm, server:URL of an OpenAI-compatible API, judge:URL of a `judge serve`, which
            has its own method and model, or scripted:NAME without a model. For URL also several with commas
            between them, or a file of them.
        overflow: of prompts over the limit: trim (both answers alike, in the middle) or error.
        max_prompt_tokens: longest prompt, in tokens.
        dtype: auto, bfloat16 or float32.
        device: auto, cpu or cuda.
        concurrency: requests that each address of a server gets at a time.
        requests_per_minute: requests that each of them gets a minute at most; 0 is no limit.
        strict: whether a prompt that is too long or that a server blocks raises BackendError; else its pair
            is unparsed, with the reason.
        calibration: a file that `judge calibrate` made of people's votes; "" is none. Readings stay as they
            are, and P(A) and what is too close to call follow from it.
        abstain_below: the likelier side's P below which a verdict is undecided, from 0.5 to 1; None is that
            of the calibration, or none.
        slow_above: with method auto and an adapter that is dual, the P(Plan) of its first word above which it
            works the verdict out first; 0 always does.
        ranker: with vote ranked, the folder of a ranker of the same base model.
        ledger: the file that keeps every reading; None is the one in the user's cache.
        cache: False judges everything again, and keeps nothing after `close`.
        progress: True shows a bar on a terminal and plain lines elsewhere, on standard error; a function is
            called with (stage, done, total).

    Raises:
        InputError: no such option, method or backend, or a value that its option does not take.
        LedgerError: the ledger cannot be opened.
    """

    def __init__(
        self,
        *,
        method: str = FAST,
        ties: bool = False,
        samples: int = 1,
        vote: str = "majority",
        temperature: float = 0.0,
        max_new_tokens: int | None = None,
        criteria: str | Path | Sequence[str | Criterion] = "",
        base_model: str = "qwen2.5-coder-0.5b",
        adapter: str = "",
        backend: str = "embedded",
        overflow: str = "trim",
        max_prompt_tokens: int = 4096,
        dtype: str = "auto",
        device: str = "auto",
        concurrency: int = 16,
        requests_per_minute: int = 0,
        strict: bool = False,
        calibration: str = "",
        abstain_below: float | None = None,
        slow_above: float = 0.5,
        ranker: str = "",
        ledger: str | Path | None = None,
        cache: bool = True,
        progress: bool | Progress = False,
        **unknown: Never,  # a type checker refuses it, and here the message names the right spelling
    ) -> None:
        for name in unknown:
            raise InputError(_no_such_option(name))
        options = judge_options(
            method=method,
            ties=ties,
            samples=samples,
            vote=vote,
            temperature=temperature,
            max_new_tokens=max_new_tokens,
            criteria=criteria,
            base_model=base_model,
            adapter=adapter,
            backend=backend,
            overflow=overflow,
            max_prompt_tokens=max_prompt_tokens,
            dtype=dtype,
            device=device,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
            strict=strict,
            calibration=calibration,
            abstain_below=abstain_below,
            slow_above=slow_above,
            ranker=ranker,
        )
        self._begin(options, ledger, cache, progress)

    @classmethod
    def of(
        cls,
        options: JudgeOptions,
        *,
        ledger: str | Path | Ledger | None = None,
        cache: bool = True,
        progress: bool | Progress = False,
        remembers: bool = True,
        load: BackendLoader = load_backend,
        method: MethodMaker | None = None,
    ) -> Judge:
        """A judge made from options that were read elsewhere. A `Ledger` that is open already stays open.

        One that does not remember its pairs can judge for ever; `agreement` then needs them as an argument.
        Judges can share an engine, and the weights in it, that `load` gives to each of them. `method` makes
        one that reads elsewhere, in the place of the one that the options load here.
        """
        judge = cls.__new__(cls)
        judge._begin(options, ledger, cache, progress, remembers, load, method)
        return judge

    def _begin(
        self,
        options: JudgeOptions,
        ledger: str | Path | Ledger | None,
        cache: bool,
        progress: bool | Progress,
        remembers: bool = True,
        load: BackendLoader = load_backend,
        method: MethodMaker | None = None,
    ) -> None:
        if not isinstance(cache, bool):
            raise InputError(f"cache is {described(cache)}. It must be True or False.")
        if ledger is not None and not isinstance(ledger, str | Path | Ledger):
            raise InputError(f"ledger is {described(ledger)}. It must be the path of a file, or a Ledger.")
        self.options = options
        self._rule = options.rule
        self._remembers = remembers
        self._process = os.getpid()
        self._lock = RLock()
        self._progress = progress
        self._tell: Progress = silent
        self._judged: dict[str, Pair] = {}
        self._unlike: set[str] = set()
        self._replay = Replay()
        self._notice = ""
        self._stack = ExitStack()
        self._is_closed = False
        self._is_kept = cache
        if not cache or not isinstance(ledger, Ledger):
            path = Path(ledger) if ledger and not isinstance(ledger, Ledger) else None
            ledger = self._stack.enter_context(opened_ledger(path, is_kept=cache))
        self._ledger = ledger
        try:
            self._method = (
                method(options, ledger)
                if method is not None
                else options.load(lambda *told: self._tell(*told), ledger, load)
            )
        except BaseException:
            self._stack.close()
            raise

    def compare(
        self,
        prompt: str | Sequence[Message],
        a: str,
        b: str,
        *,
        reference: str | None = None,
        system: str | None = None,
    ) -> Verdict:
        """The verdict on two answers to one prompt, read in both orders; some seconds at most, see `Judge`.

        Args:
            prompt: what was asked, or a conversation of messages that ends in it.
            a: one answer.
            b: the other one.
            reference: a known good answer.
            system: the system text that the answers were written under.

        Raises:
            InputError: something that is not text, or an empty prompt.
            BackendError: the engine failed.
        """
        in_prompt, question = asked(prompt)
        answers = (text_given(text, name) for name, text in (("a", a), ("b", b)))
        known = optional_given(reference, "reference")
        pair = Pair.of(question, *answers, reference=known, system=one_system(in_prompt, system))
        [verdict] = self.judge([pair])
        return verdict

    def judge(self, pairs: Iterable[Pair], *, within: str | None = None) -> list[Verdict]:
        """One verdict per pair, in the pairs' order; with `within` perhaps of some pairs only.

        What the ledger knows is not asked again, save for what could not be read; `replay` then says how
        much that was. Two equal answers are a tie, and no model is asked. A run that was interrupted goes on
        where it was, and ends with the same verdicts. Some seconds at most for one pair; for many, see
        `Judge`.

        Args:
            within: a time such as "30m" after which no further batch is begun. The verdicts are then of the
                pairs that were judged, which are a sample of all that has nothing to do with length; the same
                call goes on.

        Raises:
            InputError: something that is not a pair, a calibration of another judge, or no time.
            BackendError: the engine failed. Every batch before that is in the ledger.
        """
        wanted = _pairs_of(pairs)
        is_over = None if within is None else over_after(seconds_in(within, "within"))
        with self._at_work():
            # A server may become another judge as it is asked; of all others it is known before any work.
            if not self.options.backend.startswith("server:"):
                self._refuse_other_calibration()
            asked = {pair.content_hash for pair in wanted if not is_identical(pair)}
            made: dict[str, str] = {}

            def look_up(fingerprint: str) -> None:
                nonlocal made
                made = self._ledger.made(fingerprint, asked)

            found = judge_until(wanted, self._method, is_over, self._ledger, self._tell, look_up)
            verdicts = [verdict for verdict in found if verdict is not None]
            wanted = [pair for pair, verdict in zip(wanted, found, strict=True) if verdict is not None]
            self._remember(wanted)
            read_by = self._method.identity
            noticed = self._ledger.noticed(read_by.fingerprint, systems_of(self._method.backend))
            if noticed and self._is_kept:
                noticed += " --no-cache asks everything again."
            told = [*news_of(self._method.backend), noticed, unread_criteria(wanted, read_by.method)]
            self._notice = " ".join(filter(None, told))
            self._replay = Replay(tuple(made.get(pair.content_hash) for pair in wanted))
            return self._ruled(verdicts)

    def grades(
        self, conversations: Iterable[Sequence[Message]], references: Iterable[str | None] | None = None
    ) -> list[float | Unparsed]:
        """The mean grade, 1 to 9, of the answer that ends each conversation; of method `score` alone.

        A first message of the system is what the answer was given under. `references` are known good answers,
        one a conversation, None where there is none. Each different answer is read once, and what the ledger
        knows is not asked again. A verdict of this method is the difference of two grades. A reply that could
        not be read is an `Unparsed`.

        Raises:
            InputError: this judge does not grade single answers, or what was given is no conversations that
                end in one, or not as many references.
            BackendError: the engine failed. Every batch before that is in the ledger.
        """
        from judge.methods.score import Answer, Score

        if not isinstance(self._method, Score):
            raise InputError(f"grades: method {self.options.method} reads pairs. Give method score.")
        talks = items_of(conversations, "conversations", "It must be a list of lists of messages.")
        given = [answered(one, f"conversation {n}") for n, one in enumerate(talks, start=1)]
        known: list[str | None] = [None] * len(given)
        if references is not None:
            known = items_of(references, "references", "It must be a list of texts, one a conversation.")
        if len(known) != len(given):
            raise InputError(f"references: {len(known)} of {len(given)} conversations. Give one for each.")
        answers: list[Answer] = [
            (messages, system, optional_given(reference, f"reference {n}"))
            for n, ((messages, system), reference) in enumerate(zip(given, known, strict=True), start=1)
        ]
        with self._at_work():
            named = {one: f"answer {number}" for number, one in enumerate(answers, start=1)}
            while True:
                try:
                    found = self._method.graded(named, self._tell)
                    break
                except EngineChanged:  # a server can teach only so much
                    continue
        grades = [found[answer] for answer in answers]
        return [grade if isinstance(grade, Unparsed) else grade.mean for grade in grades]

    def agreement(
        self,
        verdicts: Iterable[Verdict],
        votes: Iterable[HumanVote],
        pairs: Iterable[Pair] | None = None,
        metrics: Sequence[str] = (),
    ) -> Study:
        """How far verdicts agree with people: every metric with its interval, see `Study.to_frame`.

        Seconds for thousands of votes, and no model.

        Args:
            verdicts: of this judge or others; each judge is an entrant.
            votes: on the same pairs, named by their ids.
            pairs: the pairs with their texts, for what depends on lengths and categories; by default those
                that this object judged, where it judged all of them.
            metrics: names of metrics that other packages add, beside ours, which are always there.

        Raises:
            InputError: something else than verdicts, votes and pairs; no pair has both a verdict and a vote;
                an id has two verdicts of one judge; or pairs of one id that differ were judged, and `pairs`
                does not say which of them is meant.
        """
        from judge.metrics import other_metrics
        from judge.study.study import entrants_of, study_of

        verdicts = listed(verdicts, Verdict, "verdicts")
        voted = listed(votes, HumanVote, "votes")
        known = self._remembered(verdicts) if pairs is None else _pairs_of(pairs)
        if isinstance(metrics, str):
            raise InputError(f"metrics is {metrics!r}. It must be a list of names.")
        return study_of(entrants_of(verdicts), voted, known, others=other_metrics(metrics))

    def are_known(self, pairs: Iterable[Pair]) -> list[bool]:
        """Whether the ledger has a verdict on each of the pairs, so that `judge` would not ask for it.

        Raises:
            InputError: the judge is closed, or was made in another process; or something that is not a pair.
        """
        self._refuse_unusable()
        wanted = _pairs_of(pairs)
        contents = {pair.content_hash for pair in wanted if not is_identical(pair)}
        made = self._ledger.made(self._method.identity.fingerprint, contents)
        return [is_identical(pair) or pair.content_hash in made for pair in wanted]

    def warm_up(self) -> None:
        """Reads a pair of ours: loads the weights, and shows what a server refuses. Keeps no verdict.

        Raises:
            ModelError, BackendError: this judge cannot read at all.
            InputError: its calibration is another judge's.
        """
        with self._at_work():
            judge_pairs([WARM], self._method, progress=self._tell)
            self._refuse_other_calibration()

    @property
    def identity(self) -> Identity:
        """Everything that could change a verdict of this judge. Raises ModelError without its weights."""
        read_by = self._method.identity
        return read_by if self._rule is None else self._rule.named(read_by)

    @property
    def replay(self) -> Replay:
        """How many verdicts of the last call of `judge` or `compare` came from the ledger, and from when."""
        return self._replay

    @property
    def notice(self) -> str:
        """One line on the last call, "" if there is nothing to say.

        It says where the model behind a server's name may have changed, which addresses of it failed, and
        where criteria that pairs have of their own were not read, because the method judges by none.
        """
        return self._notice

    @property
    def grades_answers(self) -> bool:
        """Whether answers alone say what its verdicts do: its method is score, without a calibration."""
        from judge.methods.score import Score

        return isinstance(self._method, Score) and self._rule is None

    @property
    def tokens_computed(self) -> int:
        """Prompt tokens that went through the model so far, shared beginnings once; 0 if unknown."""
        return self._method.backend.tokens_computed

    @property
    def batch_characters(self) -> int:
        """How many characters of pairs the engine reads in one batch."""
        return self._method.batch_characters

    def elapsed_s(self, pairs: Iterable[Pair], verdicts: Sequence[Verdict]) -> float:
        """Seconds that the readings of these pairs took when they were made, with what was asked once.

        Raises:
            InputError: the judge is closed, or was made in another process.
        """
        from judge.drawing.steps import shared_steps

        self._refuse_unusable()
        contents = {pair.content_hash for pair in pairs}
        shared = [step.shared for step in shared_steps(verdicts)]
        return self._ledger.elapsed(self._method.identity.fingerprint, contents, shared)

    def close(self) -> None:
        """Closes the ledger's file, unless the caller opened it; a second call does nothing.

        It waits for a call that is at work in another thread. In a process that was forked off it does
        nothing: the file is its parent's.
        """
        if os.getpid() != self._process:
            return
        with self._lock:
            self._is_closed = True
            self._stack.close()

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> Never:
        raise InputError(MADE_ELSEWHERE)  # to copy it is to take it into another process

    def __repr__(self) -> str:
        settings = self.options.settings
        return f"<Judge {settings.base_model} {self.options.method} on {self.options.backend}>"

    def _ruled(self, verdicts: list[Verdict]) -> list[Verdict]:
        """The verdicts under this judge's rule, if it has one."""
        if self._rule is None:
            return verdicts
        self._refuse_other_calibration()
        named = self.identity.fingerprint
        return [ruled(verdict, self._rule, named) for verdict in verdicts]

    def _refuse_other_calibration(self) -> None:
        """Raises InputError where the calibration was made for another judge."""
        if self._rule is not None and self._rule.calibration is not None:
            self.options.refuse_other_calibration(self._method.identity.fingerprint)

    def _remember(self, pairs: Sequence[Pair]) -> None:
        """Keeps the pairs for `agreement`, and the ids under which they differ."""
        for pair in pairs if self._remembers else ():
            if self._judged.setdefault(pair.id, pair).content_hash != pair.content_hash:
                self._unlike.add(pair.id)

    def _remembered(self, verdicts: Sequence[Verdict]) -> list[Pair] | None:
        """The pairs of these verdicts; None where this object did not judge all of them."""
        ids = dict.fromkeys(verdict.pair_id for verdict in verdicts)
        if unlike := sorted(self._unlike & ids.keys()):
            raise InputError(f"pair {unlike[0]!r}: two pairs of this id were judged. Say which with pairs=.")
        return [self._judged[id] for id in ids] if ids.keys() <= self._judged.keys() else None

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Inside, other threads wait and progress is shown. Raises InputError where it cannot be used."""
        self._refuse_unusable()  # a thread that a fork left behind may hold the lock for ever
        with self._lock, self._progress_shown():
            self._refuse_unusable()  # it may have been closed meanwhile
            yield

    def _refuse_unusable(self) -> None:
        """Raises InputError where the judge is closed, or was made in another process."""
        if os.getpid() != self._process:
            raise InputError(MADE_ELSEWHERE)
        if self._is_closed:
            raise InputError("this judge is closed. Judge inside its `with`, or make another one.")

    @contextmanager
    def _progress_shown(self) -> Iterator[None]:
        """Shows progress as it was asked for while a call lasts."""
        if callable(self._progress):
            self._tell = self._progress
            yield
            return
        with shown_progress(is_quiet=not self._progress) as self._tell:
            yield
        self._tell = silent


def _pairs_of(pairs: Iterable[Pair]) -> list[Pair]:
    wanted = listed(pairs, Pair, "pairs")
    for number, pair in enumerate(wanted, start=1):
        check_pair(pair, f"pair {number}")
    return wanted


def unread_criteria(pairs: Sequence[Pair], method: str) -> str:
    """That pairs have criteria which this method does not read, in one line; "" where there are none."""
    return unread_in_words(sum(bool(pair.criteria) for pair in pairs), f"{len(pairs)} pairs", method)


def unread_in_words(n: int, all_of_them: str, method: str) -> str:
    """The same of a number of pairs or of prompts, of "40 pairs" say."""
    if not n or method in BY_CRITERIA:
        return ""
    who = "the fast judge of auto" if method == AUTO else f"method {method}"
    return (
        f"{n} of {all_of_them} have criteria of their own, which {who} does not read: "
        f"{', '.join(BY_CRITERIA[:-1])} and {BY_CRITERIA[-1]} do."
    )


def _no_such_option(name: str) -> str:
    known = [*kinds_of_options(), *BESIDE]
    meant = did_you_mean(name.lower().replace("-", "_"), known)
    return f"{name}: no such option of a judge.{meant} There are: {', '.join(known)}."
