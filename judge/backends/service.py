"""A judge behind an address, as `judge serve` offers it: asked for whole verdicts, not for replies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from typing import Any, NoReturn

from judge.backends import DEFAULTS, ChoiceProbabilities, Completion, Sampling, Settings
from judge.backends.endpoint import PATIENCE, TOKEN, AnotherJudge, Job, Kind, Patience, Session
from judge.backends.fleet import server_of
from judge.backends.kept import KeptAnswers
from judge.errors import BackendError
from judge.io.pairs import check_criteria, pair_to_json
from judge.io.rows import Wrong
from judge.io.verdicts import verdict_from_cells
from judge.records import Engine, Identity, Pair, Prompt, Unparsed, Verdict, has_rule

SERVICE = Kind(
    backend="judge",
    key=TOKEN,
    example="http://127.0.0.1:8502",
    is_right="its address is one at which `judge serve` listens",
)


BATCH_CHARACTERS = 200_000  # of pairs, for one address


class ServiceBackend:
    """A judge that `judge serve` runs at an address such as http://127.0.0.1:8502.

    Method, prompts and model are the service's, so its verdicts carry its judge's fingerprint, and this
    backend gives no replies to prompts of ours. The token is read from JUDGE_TOKEN and goes to the service
    alone. Several addresses, with commas between them or in a file, are one service: `judge.backends.fleet`.
    """

    answers_alone = True
    """Each pair is a request of its own."""

    tokens_computed = 0
    """The service counts its own."""

    def __init__(self, url: str, settings: Settings = DEFAULTS, patience: Patience = PATIENCE) -> None:
        self._server = server_of(url, settings, patience, SERVICE)
        self.batch_characters = BATCH_CHARACTERS * self._server.n_addresses
        self._lock = threading.RLock()
        self._identity: Identity | None = None

    @classmethod
    def from_settings(cls, argument: str, settings: Settings) -> ServiceBackend:
        return cls(argument, settings)

    @property
    def identity(self) -> Identity:
        """That of the judge behind the service, which is asked once. Raises BackendError."""
        with self._lock:
            if self._identity is None:

                async def job(session: Session) -> Identity:
                    return await session.ask("/health", None, identity_in)

                identity = self._server.known_by(job, lambda identity: identity.fingerprint)
                if has_rule(identity.fingerprint):
                    raise BackendError(
                        f"{self._server.url}: its judge is {identity.fingerprint}, and a ledger keeps "
                        "readings from before a calibration or a band of undecided. Start `judge serve` "
                        "without --calibration and --abstain-below, and give them here."
                    )
                self._identity = identity
            return self._identity

    def news(self) -> tuple[str, ...]:
        """What happened to addresses since this was asked last, a line each."""
        return self._server.news()

    def keeping(self) -> AbstractContextManager[KeptAnswers]:
        """Inside, answers are kept, so that they can be read again where a call fails."""
        return self._server.keeping()

    @property
    def engine(self) -> Engine:
        """The engine of the judge behind the service."""
        return Engine(**{field.name: getattr(self.identity, field.name) for field in fields(Engine)})

    def verdicts(self, pairs: Sequence[Pair]) -> list[Verdict | Unparsed]:
        """One verdict a pair in the pairs' order, Unparsed in the place of one that the service refuses.

        The pairs' ids are their contents' hashes there, so that an answer that belongs to another pair is
        noticed, and no name leaves this process.

        Raises:
            InputError: criteria of a pair that would be read there as others.
            BackendError: the service fails, or another judge is behind it now.
        """
        with self._lock:
            fingerprint = self.identity.fingerprint
            return self._server.run_each(
                [self._job(pair, fingerprint) for pair in pairs], [question_of(pair) for pair in pairs]
            )

    def _job(self, pair: Pair, fingerprint: str) -> Job[Verdict]:
        check_criteria(pair)
        seen = replace(pair, id=pair.content_hash, category=None, metadata={})
        row = pair_to_json(seen)

        async def job(session: Session) -> Verdict:
            read = self._verdict_of(session.url, pair, fingerprint)
            return await session.ask("/compare", row, read, f"pair {pair.id}")

        return job

    def _verdict_of(self, url: str, pair: Pair, fingerprint: str) -> Callable[[Any], Verdict]:
        """What makes the pair's verdict of an answer."""

        def verdict_of(answer: Any) -> Verdict:
            try:
                verdict = verdict_from_cells(answer)
            except Wrong as wrong:
                raise ValueError(str(wrong)) from None
            if verdict.pair_id != pair.content_hash:
                raise ValueError("a verdict on another pair")
            if verdict.judge != fingerprint:
                raise AnotherJudge(
                    f"{url}: its judge has changed, from {fingerprint} to {verdict.judge}. "
                    "Verdicts of two judges do not mix: run the same command again for all by the new one."
                )
            return verdict

        return verdict_of

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion | Unparsed]:
        self._refuse()

    def choose(
        self, prompts: Sequence[Prompt], choices: Sequence[str]
    ) -> list[ChoiceProbabilities | Unparsed]:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise BackendError(
            f"{self._server.url}: a service of `judge serve` gives verdicts and no replies to prompts. Name "
            "another --backend here."
        )


def question_of(pair: Pair) -> str:
    """What the pairs of one question have in common: the system's text, and all but the last message of a."""
    return "\n".join([pair.system or "", *(message.content for message in pair.conversation_a[:-1])])


def identity_in(answer: Mapping[str, Any]) -> Identity:
    """The judge that a service says it has. Raises ValueError or TypeError where it says something else."""
    identity = Identity(**answer["identity"])
    if identity.fingerprint != answer["judge"]:
        raise ValueError("a fingerprint that does not fit the judge's identity")
    return identity
