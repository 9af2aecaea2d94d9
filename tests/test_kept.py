"""What a server answered before a run failed is kept, and is not asked for again."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from pairs import pair_of
from test_openai_server import Chat, Voter, chat, text_of

from judge.backends import EngineChanged
from judge.backends.kept import KeptAnswers, Unanswered
from judge.errors import BackendError
from judge.evaluate import judge_pairs
from judge.ledger.ledger import Ledger
from judge.methods import MethodSettings, load_method
from judge.methods.auto import Auto

PAIRS = [pair_of(f"score {10 + n}", f"score {90 - n}", f"Question {n}?", id=f"p{n}") for n in range(12)]
BAD = PAIRS[7]


def test_a_draw_without_a_seed_is_not_kept_as_the_same_request_has_another_answer():
    kept = KeptAnswers()
    for body in ({"temperature": 0.7}, {}, {"temperature": 0.7, "seed": 1}, {"temperature": 0}):
        kept.note("/x", body, "answer")
    assert kept.answer_to("/x", {"temperature": 0.7, "seed": 1}) == "answer"
    assert kept.answer_to("/x", {"temperature": 0}) == "answer"
    for body in ({"temperature": 0.7}, {}):
        with pytest.raises(Unanswered):
            kept.answer_to("/x", body)


class Failing:
    """Answers all but one pair, whose prompts wait for all others and then fail."""

    is_mended = False
    n_others = 2 * (len(PAIRS) - 1)

    def __init__(self):
        super().__init__()
        self.n_answered = 0
        self.all_others = threading.Event()

    def answer(self, path, body):
        if BAD.prompt in text_of(body) and not self.is_mended:
            assert self.all_others.wait(20)
            time.sleep(0.3)  # so that the others' answers have come
            return self.failure()
        answer = super().answer(path, body)
        with self.lock:
            self.n_answered += 1
            if self.n_answered == self.n_others:
                self.all_others.set()
        return answer

    def failure(self):
        return 402, {}, {"error": {"message": "out of credit"}}


class FailingChat(Failing, Chat):
    pass


class FailingVoter(Failing, Voter):
    n_others = 5 * 2 * (len(PAIRS) - 1)


class FailingWriter(Failing, Chat):
    def reply(self, body):
        return chat("The first one says more. [[A]]")


@pytest.mark.parametrize(
    ("kind", "method", "n_each"),
    [(FailingChat, "direct", 1), (FailingVoter, "direct", 5), (FailingWriter, "cot", 1)],
)
def test_a_run_that_fails_keeps_what_was_answered(tmp_path, kind, method, n_each):
    with kind() as server, Ledger(tmp_path / "ledger.sqlite") as ledger:
        judge = load_method(method, server.backend(concurrency=16))
        judge_pairs([pair_of("one", "two", "Warm?", id="warm")], judge, ledger)  # it teaches what it refuses
        server.n_answered = 0
        fingerprint = judge.identity.fingerprint
        with pytest.raises(BackendError, match="out of credit"):
            judge_pairs(PAIRS, judge, ledger)
        contents = [pair.content_hash for pair in PAIRS if pair is not BAD]
        assert len(ledger.find(fingerprint, [pair.content_hash for pair in PAIRS])) == 22
        assert ledger.elapsed(fingerprint, contents) > 0
        server.is_mended = True
        before = len(server.asked)
        verdicts = judge_pairs(PAIRS, judge, ledger)
        assert len(server.asked) - before == 2 * n_each
        assert verdicts == judge_pairs(PAIRS, load_method(method, server.backend(concurrency=1)))


class Stopping(FailingChat):
    """Somebody presses Ctrl-C while the last pair is asked about."""

    def failure(self):
        if not self.is_mended:
            self.is_mended = True
            os.kill(os.getpid(), signal.SIGINT)
        return


def test_a_run_that_is_stopped_keeps_what_was_answered(tmp_path):
    with Stopping() as server, Ledger(tmp_path / "ledger.sqlite") as ledger:
        judge = load_method("direct", server.backend(concurrency=16))
        with pytest.raises(KeyboardInterrupt):
            judge_pairs(PAIRS, judge, ledger)
        found = ledger.find(judge.identity.fingerprint, [pair.content_hash for pair in PAIRS])
        assert {content for content, _ in found} == {one.content_hash for one in PAIRS if one is not BAD}


class FailingPlanner(Failing, Chat):
    """Plans, or grades, for all but one question."""

    n_others = len(PAIRS) - 1

    def reply(self, body):
        return chat("1. Content: says what was asked.\n2. Form: is short.\n3. Tone: is kind.")


def test_plans_that_were_made_before_a_failure_are_kept(tmp_path):
    with FailingPlanner() as server, Ledger(tmp_path / "ledger.sqlite") as ledger:
        judge = load_method("bsm", server.backend(concurrency=16), MethodSettings(store=ledger))
        with pytest.raises(BackendError, match="out of credit"):
            judge_pairs(PAIRS, judge, ledger)
        server.is_mended = True
        before = len(server.asked)
        judge.prepare(PAIRS)
        assert len(server.asked) - before == 1


def test_of_two_judges_both_are_read_again(tmp_path):
    with FailingChat() as server, Ledger(tmp_path / "ledger.sqlite") as ledger:
        fast, slow = (server.backend(concurrency=16) for _ in range(2))
        judge = Auto(load_method("direct", fast), load_method("direct", slow))
        with pytest.raises(BackendError, match="out of credit"):
            judge_pairs(PAIRS, judge, ledger)
        n_asked = len(server.asked)
        found = ledger.find(judge.identity.fingerprint, [pair.content_hash for pair in PAIRS])
        assert BAD.content_hash not in {content for content, _ in found}
        assert len(server.asked) == n_asked  # nothing was asked to keep them


def test_what_is_kept_is_told_apart_by_all_that_is_asked():
    kept = KeptAnswers()
    kept.note("/x", {"seed": 1, "b": [1]}, "one")
    assert kept.answer_to("/x", {"b": [1], "seed": 1}) == "one"
    for path, body in (("/x", {"seed": 2, "b": [1]}), ("/y", {"seed": 1, "b": [1]}), ("/x", None)):
        with pytest.raises(Unanswered):
            kept.answer_to(path, body)
    with kept.replaying():
        assert kept.is_replaying
    assert not kept.is_replaying


def test_what_another_judge_answered_is_not_kept(tmp_path):
    class Changing(Failing, Chat):
        """Takes no log-probabilities any more once it has given some."""

        def answer(self, path, body):
            if len(self.asked) > 6 and "logprobs" in body:
                return 400, {}, {"error": {"message": "logprobs is not supported", "param": "logprobs"}}
            return Chat.answer(self, path, body)

    with Changing() as server, Ledger(tmp_path / "ledger.sqlite") as ledger:
        judge = load_method("direct", server.backend(concurrency=1))
        with pytest.raises(EngineChanged):
            _ = [judge.identity, judge.read([(pair, order) for pair in PAIRS for order in ("AB", "BA")])]
        verdicts = judge_pairs(PAIRS, judge, ledger)
        assert {verdict.judge for verdict in verdicts} == {judge.identity.fingerprint}
