"""One judge for many callers: what they ask joins one queue, and one thread asks the judge in batches."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from judge.api import Judge
from judge.errors import JudgeError
from judge.evaluate import size_of
from judge.records import Identity, Message, Pair, Unparsed, Verdict


@dataclass(frozen=True, slots=True)
class Graded:
    """An answer to be graded: the conversation that it ends, and a known good answer if there is one."""

    conversation: tuple[Message, ...]
    reference: str | None = None


class NotReady(JudgeError):
    """The judge is still loading."""


class Busy(JudgeError):
    """As many questions wait already as may."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A pair to be judged or an answer to be graded, and where its answer comes."""

    asked: Pair | Graded
    answer: Future[Any] = field(default_factory=Future)

    @property
    def size(self) -> int:
        """How many characters are read for it, at least 1."""
        if isinstance(self.asked, Pair):
            return size_of(self.asked)
        return max(1, sum(len(message.content) for message in self.asked.conversation))


class SharedJudge:
    """A judge that any number of threads ask at once. Start it; `close` answers first what waits.

    Questions that come within `linger_s` of each other are read together, as many as the engine reads in one
    batch. Equal ones are read once: within a batch by the judge, later by its ledger.

    Args:
        judge: nobody else may use it meanwhile.
        most_pairs: in one batch.
        linger_s: how long the first question of a batch waits for others.
        most_waiting: questions in the queue; a further one is refused. Rankings ask beside that limit.
    """

    def __init__(
        self,
        judge: Judge,
        most_pairs: int = 64,
        linger_s: float = 0.005,
        most_waiting: int = 1024,
    ) -> None:
        self._judge = judge
        self._most_pairs = most_pairs
        self._linger_s = linger_s
        self._most_waiting = most_waiting
        self._waiting: deque[Question] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._identity: Identity | None = None
        self._thread: threading.Thread | None = None
        self.failure: BaseException | None = None

    def start(
        self, when_ready: Callable[[], None] = lambda: None, when_failed: Callable[[], None] = lambda: None
    ) -> None:
        """Loads the judge in its thread; until that is done questions are refused.

        Args:
            when_ready, when_failed: one of them is called, there; `failure` has the reason.
        """
        self._thread = threading.Thread(
            target=self._work, args=(when_ready, when_failed), name="judge", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Takes no more questions, and returns when those that wait are answered."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    @property
    def identity(self) -> Identity:
        """Whose the verdicts are. Raises NotReady."""
        if self._identity is None:
            raise NotReady("the judge is loading. Ask again in some seconds.")
        return self._identity

    def asked(self, pair: Pair) -> Future[Verdict]:
        """The verdict on the pair, when it comes; it may fail with what the judge raised.

        Raises:
            NotReady: the judge is loading.
            Busy: too many questions wait.
        """
        [question] = self._join([pair], self._most_waiting)
        return question.answer

    # --- what a ranking needs of a judge, see `judge.ranking.asking.Judging`

    @property
    def grades_answers(self) -> bool:
        return self._judge.grades_answers

    @property
    def batch_characters(self) -> int:
        return self._judge.batch_characters

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """The verdicts, in batches that leave others their turn. Raises what the judge raises."""
        return self._in_turns(pairs)

    def grades(
        self, conversations: Sequence[Sequence[Message]], references: Sequence[str | None] | None = None
    ) -> list[float | Unparsed]:
        """The grades, likewise."""
        known = references or [None] * len(conversations)
        return self._in_turns(
            [Graded(tuple(one), ref) for one, ref in zip(conversations, known, strict=True)]
        )

    def _in_turns(self, asked: Sequence[Pair | Graded]) -> list[Any]:
        answers: list[Any] = []
        for start in range(0, len(asked), self._most_pairs):
            questions = self._join(asked[start : start + self._most_pairs])
            answers += [question.answer.result() for question in questions]
        return answers

    def _join(self, asked: Sequence[Pair | Graded], most: int | None = None) -> list[Question]:
        """The questions, at the end of the queue."""
        questions = [Question(one) for one in asked]
        with self._changed:
            if self._identity is None or self._is_closed:
                raise NotReady("the judge is loading or stopping. Ask again in some seconds.")
            if most is not None and len(self._waiting) + len(questions) > most:
                raise Busy(f"{len(self._waiting)} questions wait already. Ask again in a second.")
            self._waiting += questions
            self._changed.notify_all()
        return questions

    # --- the judge's thread

    def _work(self, when_ready: Callable[[], None], when_failed: Callable[[], None]) -> None:
        try:
            self._judge.warm_up()
            self._identity = self._judge.identity
        except BaseException as failure:  # whatever it is, whoever runs the service has to see it
            self.failure = failure
            when_failed()
            return
        when_ready()
        while batch := self._next_batch():
            self._answer([one for one in batch if isinstance(one.asked, Pair)], self._judged)
            self._answer([one for one in batch if not isinstance(one.asked, Pair)], self._graded)

    def _next_batch(self) -> list[Question]:
        """What waits, as much as one batch may hold; nothing where the queue is empty and closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            ends_at = time.monotonic() + self._linger_s
            while len(self._waiting) < self._most_pairs and not self._is_closed:
                if not self._changed.wait(max(0.0, ends_at - time.monotonic())):
                    break
            batch: list[Question] = []
            room = self._judge.batch_characters
            while self._waiting and len(batch) < self._most_pairs:
                room -= self._waiting[0].size
                if batch and room < 0:
                    break
                batch.append(self._waiting.popleft())
            return batch

    def _judged(self, pairs: list[Pair]) -> list[Verdict]:
        """One verdict a pair. What the ledger knows is looked up apart: a judge reads a batch as a whole."""
        are_known = self._judge.are_known(pairs)
        verdicts: dict[int, Verdict] = {}
        for kind in (True, False):
            places = [place for place, is_known in enumerate(are_known) if is_known is kind]
            if places:
                verdicts |= zip(places, self._judge.judge([pairs[place] for place in places]), strict=True)
        return [verdicts[place] for place in range(len(pairs))]

    def _graded(self, asked: list[Graded]) -> Sequence[float | Unparsed]:
        return self._judge.grades([one.conversation for one in asked], [one.reference for one in asked])

    def _answer(self, questions: Sequence[Question], ask: Callable[[list[Any]], Sequence[Any]]) -> None:
        """Each question's answer, or to all of them what the judge raised."""
        wanted = [one for one in questions if one.answer.set_running_or_notify_cancel()]
        if not wanted:
            return
        try:
            answers = ask([one.asked for one in wanted])
            self._identity = self._judge.identity  # a server may have taught it something
        except Exception as error:  # a bug in one batch must not stop the others
            for one in wanted:
                one.answer.set_exception(error)
            return
        for one, answer in zip(wanted, answers, strict=True):
            one.answer.set_result(answer)
