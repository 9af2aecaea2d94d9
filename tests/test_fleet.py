"""Several addresses as one server: small loopback servers, of which some fail, change, or are slow."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager

import pytest
from pairs import pair_of
from serving import serving, wait_for
from test_openai_server import QUICK, Chat, Vllm, blink, prompts_of, scored_pairs, text_of, tiny  # noqa: F401

from judge.api import Judge
from judge.backends import Settings
from judge.backends.endpoint import OPENAI, Endpoint, Patience
from judge.backends.fleet import Fleet, server_of
from judge.backends.openai_server import ServerBackend
from judge.backends.service import ServiceBackend
from judge.errors import BackendError, BadLines, InputError
from judge.evaluate import judge_pairs
from judge.ledger.ledger import Ledger
from judge.methods.direct import Direct
from judge.methods.served import Served as ServedMethod
from judge.records import Prompt, Span, Unparsed

pytestmark = [
    pytest.mark.filterwarnings(f"error::{warning}")
    for warning in ("ResourceWarning", "RuntimeWarning", "pytest.PytestUnraisableExceptionWarning")
]


@pytest.fixture(autouse=True)
def _neither_key_nor_proxy(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


class Counted(Chat):
    """A chat server that counts its answers to each prompt, and waits before each."""

    def __init__(self, seconds=0.0):
        super().__init__()
        self.seconds, self.served, self.n_answered = seconds, Counter(), 0

    def answer(self, path, body):
        time.sleep(self.seconds)
        with self.lock:
            self.served[text_of(body)] += 1
            self.n_answered += 1
        return super().answer(path, body)


class Slow(Counted):
    """A server that answers once the others have answered so many, or are idle: slow on any machine."""

    def __init__(self, others, n_answers):
        super().__init__()
        self.others, self.n_answers = others, n_answers

    def answer(self, path, body):
        first = last = self.n_elsewhere()
        idle_at = time.monotonic() + 1
        while last < first + self.n_answers and time.monotonic() < idle_at:
            time.sleep(0.02)
            if (now := self.n_elsewhere()) != last:
                last, idle_at = now, time.monotonic() + 1
        return super().answer(path, body)

    def n_elsewhere(self):
        return sum(other.n_answered for other in self.others)


class Mortal(Counted):
    """A server that can be killed, as a machine is that goes down, and started again at its address."""

    def kill(self):
        self.is_dead = True  # nor do the requests under way get an answer
        self.__exit__()

    def start_again(self):
        self.is_dead = False
        self.http = type(self.http)(self.http.server_address, self.http.RequestHandlerClass)
        self.__enter__()

    is_dead = False

    def send(self, handler, answer):
        super().send(handler, None if self.is_dead else answer)


class DiesAfter(Counted):
    """A server that hangs up on everything, its list of models too, after so many answers."""

    def __init__(self, n_answers):
        super().__init__()
        self.n_left = n_answers

    def models(self):
        return super().models() if self.n_left > 0 else None

    def answer(self, path, body):
        with self.lock:
            self.n_left -= 1
        return super().answer(path, body) if self.n_left >= 0 else None


@contextmanager
def fleet_of(*servers, patience=QUICK, **settings):
    """The servers, started, and one backend for all of them."""
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(server)
        argument = ",".join(server.url for server in servers)
        yield ServerBackend(argument, Settings(**{"base_model": "m"} | settings), patience)


def questions(n, n_answers, filling=0):
    """Pairs of n questions, n_answers - 1 of each."""
    return [
        pair_of(
            f"score {(i * n_answers + j) % 89 + 10} {'a' * filling}",
            f"b {j}",
            id=f"q{i}-{j}",
            prompt=f"Question {i}?",
        )
        for i in range(n)
        for j in range(1, n_answers)
    ]


def calm(pairs):
    """The verdicts that one server without troubles gives, and its judge's fingerprint."""
    with Chat() as server:
        judge = Direct(server.backend())
        return judge_pairs(pairs, judge)


# A server dies


@pytest.mark.slow
def test_of_two_servers_one_dies_and_every_pair_has_one_verdict_all_the_same(tmp_path):
    pairs = scored_pairs(40)
    dying, other = DiesAfter(9), Counted()
    with fleet_of(dying, other, concurrency=4) as backend, Ledger(tmp_path / "l.sqlite") as ledger:
        assert judge_pairs(pairs, Direct(backend), ledger) == calm(pairs)
        [summary] = ledger.summary()
        news = backend.news()
    assert (summary.n_readings, summary.n_unparsed) == (80, 0)
    assert sum(dying.served.values()) <= 9
    assert sum((dying.served + other.served).values()) == 80
    [line] = news
    assert line.startswith(f"{dying.url} fails (no answer (")
    assert line.endswith("It rests, and is tried again.")
    assert backend.news() == ()


@pytest.mark.slow
def test_a_run_says_which_address_failed():
    dying, other = DiesAfter(3), Counted()
    with dying, other, Judge(backend=f"server:{dying.url},{other.url}", base_model="m", cache=False) as judge:
        verdicts = judge.judge(scored_pairs(20))
        assert judge.notice.startswith(f"{dying.url} fails (no answer")
        judge.judge(scored_pairs(2))
        assert judge.notice == ""
    assert len(verdicts) == 20


@pytest.mark.slow
def test_a_server_that_is_down_at_the_start_is_used_once_it_is_up():
    late, other = Mortal(), Counted(0.01)
    with fleet_of(late, other, concurrency=2) as backend:
        late.kill()
        assert backend.engine.base_model == "m"
        backend.choose(prompts_of(scored_pairs(6)), "AB")
        late.start_again()
        backend.choose(prompts_of(scored_pairs(60)), "AB")
    assert late.served
    assert other.served


def test_where_no_address_answers_it_is_one_line_that_names_them_and_the_next_call_tries_again():
    one, other = Mortal(), Mortal()
    with fleet_of(one, other) as backend:
        for server in (one, other):
            server.kill()
        with pytest.raises(BackendError) as caught:
            _ = backend.engine
        for server in (one, other):
            server.start_again()
        assert len(backend.choose(prompts_of(scored_pairs(3)), "AB")) == 3
    message = str(caught.value)
    assert "\n" not in message
    assert one.url in message
    assert other.url in message
    assert "6 attempts failed. See whether it is up" in message


class Poisoned(Counted):
    """Breaks over, or forbids, what has such words in it."""

    def __init__(self, *words, answer=(500, {}, {"error": "oops"})):
        super().__init__()
        self.words, self.odd = words, answer

    def answer(self, path, body):
        found = super().answer(path, body)
        return self.odd if any(word in text_of(body) for word in self.words) else found


def test_a_fleet_that_is_strictly_asked_stops_at_a_prompt_that_fails_everywhere_and_names_it():
    said = r"pair p2 in order AB: http.*status 500 \(oops\), 6 attempts"
    servers = [Poisoned("score 12 "), Poisoned("score 12 ")]
    with fleet_of(*servers, strict=True) as backend, pytest.raises(BackendError, match=said):
        backend.choose(prompts_of(scored_pairs(20)), "AB")


ODD = [(500, {}, {"error": "oops"}), (403, {}, {"error": {"message": "a wall"}})]


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("words", [("score 12 ",), ("score 10 ", "score 29 ")])
def test_a_prompt_that_fails_everywhere_is_unparsed_and_stops_no_other(odd, words):
    servers = [Poisoned(*words, answer=odd), Poisoned(*words, answer=odd)]
    pairs = scored_pairs(20)
    with fleet_of(*servers, concurrency=2) as backend:
        found = backend.choose(prompts_of(pairs), "AB")
        bad = {pair.id for pair, one in zip(pairs, found, strict=True) if isinstance(one, Unparsed)}
        assert len(backend.choose(prompts_of(scored_pairs(5)[:2]), "AB")) == 2
    assert bad == {f"p{int(word[6:]) - 10}" for word in words}
    for one in found:
        if isinstance(one, Unparsed):
            assert one.reason.startswith(("status 500 (oops)", "the server refuses the prompt (a wall)"))


@pytest.mark.parametrize("odd", ODD)
def test_what_an_address_alone_breaks_over_or_forbids_is_answered_by_another(odd):
    one, other = Poisoned("score 12 ", answer=odd), Counted()
    pairs = questions(12, 3)
    with fleet_of(one, other, concurrency=2) as backend:
        assert judge_pairs(pairs, Direct(backend)) == calm(pairs)


@pytest.mark.parametrize("odd", ODD)
def test_what_three_prompts_meet_everywhere_stops_the_run_of_a_fleet(odd):
    words = [f"score {n} " for n in range(12, 30)]
    servers = [Poisoned(*words, answer=odd), Poisoned(*words, answer=odd)]
    with fleet_of(*servers, concurrency=1) as backend, pytest.raises(BackendError, match=r"oops|a wall"):
        backend.choose(prompts_of(scored_pairs(20)), "AB")
    assert sum(sum(server.served.values()) for server in servers) < 150


def test_an_address_whose_key_is_withdrawn_is_left_out_and_the_others_go_on():
    class Withdrawn(Counted):
        def answer(self, path, body):
            found = super().answer(path, body)
            return found if self.n_answered < 8 else (403, {}, {"error": {"message": "no such right"}})

    withdrawn, other = Withdrawn(), Counted()
    pairs = questions(20, 3)
    with fleet_of(withdrawn, other, concurrency=1) as backend:
        assert judge_pairs(pairs, Direct(backend)) == calm(pairs)
        [line] = backend.news()
    assert "no access, status 403 (no such right)" in line
    assert withdrawn.n_answered < 20


@pytest.mark.slow
def test_a_prompt_that_gets_no_reply_anywhere_is_unparsed_and_rests_no_address():
    class Mute(Chat):
        def reply(self, body):
            return {"choices": []} if "score 12 " in text_of(body) else super().reply(body)

    pairs = scored_pairs(20)
    with fleet_of(Mute(), Mute()) as backend:
        found = backend.choose(prompts_of(pairs), "AB")
        assert backend.news() == ()
    [(place, one)] = [(place, one) for place, one in enumerate(found) if isinstance(one, Unparsed)]
    assert (pairs[place].id, one.reason) == ("p2", "the server sends no reply")


@pytest.mark.slow
def test_a_prompt_that_gets_no_reply_at_one_address_is_answered_by_another():
    class Mute(Chat):
        def reply(self, body):
            return {"choices": []} if "score 12 " in text_of(body) else super().reply(body)

    with fleet_of(Mute(), Chat()) as backend:
        found = backend.choose(prompts_of(scored_pairs(20)), "AB")
    assert not [one for one in found if isinstance(one, Unparsed)]


@pytest.mark.slow
def test_an_address_that_wants_a_pause_gets_one_while_the_others_go_on():
    class Busy(Counted):
        def answer(self, path, body):
            return 429, {"retry-after": self.pause}, {"error": "quota"}

    for pause in ("60", "3600"):
        busy, other = Busy(), Counted()
        busy.pause = pause
        waits = []

        async def note(seconds, waits=waits):
            waits.append(seconds)
            await blink(0.05)

        with fleet_of(busy, other, patience=Patience(sleep=note), concurrency=2) as backend:
            assert len(backend.choose(prompts_of(scored_pairs(30)), "AB")) == 30
        assert sum(other.served.values()) == 30
        assert max(waits) >= float(pause)


def test_where_one_is_dead_and_the_other_wants_a_long_pause_nobody_waits():
    class Busy(Chat):
        def answer(self, path, body):
            return 429, {"retry-after": "3600"}, {"error": "quota"}

    dead, busy = DiesAfter(1), Busy()
    with fleet_of(dead, busy) as backend, pytest.raises(BackendError, match="attempts failed") as caught:
        backend.choose(prompts_of(scored_pairs(20)), "AB")
    assert "it wants a pause of 3600 s" in str(caught.value)


def test_where_all_want_a_long_pause_the_shortest_one_is_named_and_each_was_asked_once():
    class Busy(Counted):
        def __init__(self, pause):
            super().__init__()
            self.pause = pause

        def answer(self, path, body):
            super().answer(path, body)
            return 429, {"retry-after": self.pause}, {"error": "quota"}

    servers = [Busy("3600"), Busy("300")]
    with fleet_of(*servers) as backend, pytest.raises(BackendError) as caught:
        backend.choose(prompts_of(scored_pairs(20)), "AB")
    longer, shorter = (server.url for server in servers)
    assert str(caught.value) == (
        f"{shorter}: it wants a pause of 300 s (status 429: quota); "
        f"{longer}: it wants a pause of 3600 s (status 429: quota). "
        "Run the same command again after 300 s, with --requests-per-minute."
    )


# Who is asked what


def test_the_pairs_of_one_question_go_to_one_server_whatever_the_order_of_the_addresses():
    servers = [Counted(), Counted(), Counted()]
    with fleet_of(*servers, concurrency=64) as backend:
        turned = ServerBackend(
            ",".join(server.url for server in reversed(servers)), Settings("m", concurrency=64), QUICK
        )
        for one in (backend, turned):
            one.choose(prompts_of(questions(12, 4)), "AB")
    homes = defaultdict(set)
    for number, server in enumerate(servers):
        for text, count in server.served.items():
            assert count == 2  # the same one both times
            homes[text.partition("Question ")[2].partition("?")[0]].add(number)
    assert [len(places) for places in homes.values()] == [1] * 12
    assert len(set.union(*homes.values())) > 1


@pytest.mark.slow
def test_the_slow_one_gets_less_and_each_address_keeps_its_own_limit():
    quick = [Counted(), Counted()]
    servers = [Slow(quick, 30), *quick]
    with fleet_of(*servers, concurrency=3) as backend:
        judge_pairs(questions(12, 5), Direct(backend))
    n_served = [sum(server.served.values()) for server in servers]
    assert sum(n_served) == 2 * 48
    assert 0 < n_served[0] < min(n_served[1:])
    assert max(server.most_in_flight for server in servers) <= 3
    assert servers[0].most_in_flight == 3


def test_a_few_prompts_of_one_question_stay_together_while_their_server_has_room():
    servers = [Counted(0.02), Counted(0.02)]
    with fleet_of(*servers) as backend:
        backend.choose(prompts_of(questions(1, 9)), "AB")
    assert sorted(sum(server.served.values()) for server in servers) == [0, 8]


def test_a_prompts_lead_is_all_that_comes_before_its_first_response():
    pairs = questions(2, 3)
    leads = [prompt.lead for prompt in prompts_of(pairs)]
    assert leads[0] == leads[1] != leads[2]
    assert leads[0].endswith("[Answer A]\n")
    assert "Question 0?" in leads[0]
    assert Prompt((("user", (Span("Plan for: "), Span("Why?", "context"))),)).lead == "Plan for: Why?"


# One judge


@pytest.mark.parametrize("count", [2, 3])
def test_a_fleet_has_the_fingerprint_of_one_server(count):
    with fleet_of(*(Chat() for _ in range(count))) as backend, Chat() as single:
        assert Direct(backend).identity == Direct(single.backend()).identity
        assert backend.batch_characters == count * single.backend().batch_characters


def test_an_address_that_serves_another_model_is_one_line_at_the_start():
    one, other = Chat(), Chat()
    other.cards = ({"id": "n", "owned_by": "somebody"},)
    with fleet_of(one, other) as backend, pytest.raises(BackendError) as caught:
        _ = backend.engine
    assert f"{other.url}: it serves n, and {one.url} m. All addresses" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_weights_behind_the_same_name_are_another_model():
    one, other = Chat(), Chat()
    one.cards, other.cards = ({"id": "m", "root": "x/m"},), ({"id": "m", "root": "y/m"},)
    with fleet_of(one, other) as backend, pytest.raises(BackendError, match="m, listed with the weights"):
        backend.choose(prompts_of(scored_pairs(3)), "AB")
    assert one.asked == other.asked == []


@pytest.mark.slow
def test_one_that_comes_back_as_another_model_is_used_no_more_and_that_is_said_once():
    class Changing(DiesAfter):
        n_back = 0

        def models(self):
            if self.n_left > 0:
                return super().models()
            self.n_back += 1
            self.cards = ({"id": "m", "digest": "other"},)
            return Chat.models(self)

    changing, other = Changing(5), Counted(0.01)
    pairs = scored_pairs(40)
    with fleet_of(changing, other, concurrency=2) as backend:
        assert judge_pairs(pairs, Direct(backend)) == calm(pairs)
        n_asked = len(changing.asked)
        judge_pairs(scored_pairs(10), Direct(backend))
        rests, left_out = backend.news()
    assert "rests" in rests
    assert f"{changing.url}: it came back with m, listed with the weights" in left_out
    assert left_out.endswith("and was m. This address is not used any more.")
    assert len(changing.asked) == n_asked
    assert changing.n_back == 1


@pytest.mark.slow
def test_what_one_address_alone_refuses_is_learnt_of_that_one_and_leaves_it_out():
    class Picky(Counted):
        def answer(self, path, body):
            if "temperature" in body:
                return 400, {}, {"error": {"message": "temperature is not supported", "param": "temperature"}}
            return super().answer(path, body)

    pairs = questions(12, 3)
    servers = [Counted(), Picky(), Counted()]
    with fleet_of(*servers, concurrency=2) as backend:
        verdicts = judge_pairs(pairs, Direct(backend))
        news = backend.news()
    if "no-temperature" in verdicts[0].judge:  # it was the first one to answer: all are asked like it
        assert news == ()
        assert all("temperature" not in body for body in servers[0].asked[-3:])
    else:
        assert verdicts == calm(pairs)
        [line] = news
        assert f"{servers[1].url}: it would answer as server-chat:no-temperature" in line
    assert [verdict for verdict in verdicts if verdict.outcome is None] == []


@pytest.mark.slow
def test_all_addresses_that_refuse_alike_are_the_judge_that_one_of_them_is():
    class Picky(Chat):
        def answer(self, path, body):
            if "temperature" in body:
                return 400, {}, {"error": {"message": "temperature is not supported", "param": "temperature"}}
            return super().answer(path, body)

    pairs = questions(12, 3)
    with Picky() as single:
        alone = judge_pairs(pairs, Direct(single.backend()))
    with fleet_of(Picky(), Picky()) as backend:
        assert judge_pairs(pairs, Direct(backend)) == alone
        assert backend.news() == ()
    assert "server-chat:no-temperature" in alone[0].judge


def test_an_address_that_does_not_take_the_key_is_left_out_with_a_line():
    class Shut(Counted):
        def answer(self, path, body):
            return 401, {}, {"error": {"message": "who are you?"}}

    shut, other = Shut(), Counted()
    with fleet_of(shut, other) as backend:
        backend.choose(prompts_of(questions(20, 3)), "AB")
        [line] = backend.news()
    assert "no access, status 401 (who are you?)" in line
    assert "OPENAI_API_KEY is not set" in line
    assert sum(other.served.values()) == 40
    with fleet_of(Shut(), Shut()) as backend, pytest.raises(BackendError, match="401"):
        backend.choose(prompts_of(questions(20, 3)), "AB")


@pytest.mark.parametrize("said", ["bad gateway policy", "maximum context length is 512 tokens"])
def test_an_address_that_refuses_everything_is_left_out_with_a_line_and_costs_no_verdict(said):
    class Refusing(Counted):
        def answer(self, path, body):
            super().answer(path, body)
            return 400, {}, {"error": {"message": said}}

    pairs = questions(12, 3)
    servers = [Counted(), Refusing(), Counted()]
    with fleet_of(*servers, concurrency=2) as backend:
        assert judge_pairs(pairs, Direct(backend)) == calm(pairs)
        [line] = backend.news()
    assert f"{servers[1].url}: it refuses what http" in line
    assert f"takes ({said}). This address is not used any more." in line
    assert set(servers[1].served.values()) == {1}


def test_what_an_address_with_a_smaller_context_refuses_is_answered_by_another_one():
    class Small(Counted):
        def answer(self, path, body):
            if "score 1" in text_of(body):
                return 400, {}, {"error": {"message": "maximum context length is 512 tokens"}}
            return super().answer(path, body)

    pairs = questions(12, 3)
    with fleet_of(Small(), Counted(), concurrency=2) as backend:
        assert judge_pairs(pairs, Direct(backend)) == calm(pairs)


def test_a_prompt_that_two_addresses_refuse_is_unparsed_and_stops_no_other():
    class Picky(Counted):
        def answer(self, path, body):
            answer = super().answer(path, body)
            blocked = "score 12 " in text_of(body)
            return (400, {}, {"error": {"message": "flagged"}}) if blocked else answer

    servers = [Picky(), Picky(), Picky()]
    pairs = scored_pairs(20)
    with fleet_of(*servers) as backend:
        found = backend.choose(prompts_of(pairs), "AB")
        assert backend.news() == ()
    assert [pairs[place].id for place, one in enumerate(found) if isinstance(one, Unparsed)] == ["p2"]
    n_asked = sum((server.served for server in servers), Counter())
    assert {n for text, n in n_asked.items() if "score 12 " not in text} == {1}
    with (
        fleet_of(Picky(), DiesAfter(0), strict=True) as backend,
        pytest.raises(BackendError, match="flagged"),
    ):
        backend.choose(prompts_of(pairs), "AB")


@pytest.mark.slow
def test_vllm_servers_get_token_ids_and_each_shows_its_tokenizer(tiny):  # noqa: F811
    servers = [Vllm(), Vllm()]
    with fleet_of(*servers, base_model=str(tiny)) as backend:
        verdicts = judge_pairs(questions(12, 3), Direct(backend))
        n_computed = backend.tokens_computed
    for server in servers:
        paths = Counter(body["path"] for body in server.asked)
        assert paths["/tokenize"] == 1
        assert paths["/v1/completions"] > 0
    with Vllm() as single:
        alone = single.backend(base_model=str(tiny))
        assert judge_pairs(questions(12, 3), Direct(alone)) == verdicts
        assert alone.tokens_computed == n_computed > 0


@pytest.mark.slow
def test_a_vllm_server_of_the_fleet_with_another_tokenizer_is_refused(tiny):  # noqa: F811
    other = Vllm()
    other.tokenizer.encode = lambda text: [1, 2, 3]
    said = f"^{other.url}: its model m has another tokenizer than"
    with fleet_of(Vllm(), other, base_model=str(tiny)) as backend, pytest.raises(BackendError, match=said):
        backend.choose(prompts_of([pair_of()]), "AB")


# Addresses


def test_a_file_of_addresses_may_set_limits_for_each(tmp_path):
    file = tmp_path / "fleet.txt"
    file.write_text(
        "# the large one\nhttp://a:8000/v1 concurrency=64\n\nhttp://b:8000/v1/  # slow\n"
        "http://c:8000/v1 concurrency=2 requests-per-minute=30\n"
    )
    fleet = server_of(str(file), Settings(concurrency=8), QUICK, OPENAI)
    assert isinstance(fleet, Fleet)
    limits = [(one.url, one.n_slots, one.endpoint.pace._gap_s) for one in fleet.addresses]
    assert limits == [("http://a:8000/v1", 64, 0), ("http://b:8000/v1", 8, 0), ("http://c:8000/v1", 2, 2)]
    file.write_text("http://a:8000/v1\n")
    assert isinstance(server_of(str(file), Settings(), QUICK, OPENAI), Endpoint)


def test_a_file_of_addresses_may_begin_with_a_mark_of_its_bytes_and_has_one_a_line(tmp_path):
    path = tmp_path / "fleet.txt"
    path.write_text("http://one/v1\nhttp://two/v1\n", encoding="utf-8-sig")
    fleet = server_of(str(path), Settings(), QUICK, OPENAI)
    assert [one.url for one in fleet.addresses] == ["http://one/v1", "http://two/v1"]
    path.write_text("http://one/v1,http://two/v1\n")
    with pytest.raises(BadLines, match=r"fleet.txt:1: .* is no address, as ',' is in it"):
        server_of(str(path), Settings(), QUICK, OPENAI)


def test_a_file_of_addresses_reports_every_bad_line(tmp_path):
    file = tmp_path / "fleet.txt"
    file.write_text("http://a/v1 concurrency=0\nhttp://b/v1\nb:8000\nhttp://c/v1 speed=9\n")
    with pytest.raises(BadLines) as caught:
        server_of(str(file), Settings(), QUICK, OPENAI)
    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [f"{file}:{n}" for n in (1, 3, 4)]
    assert "'concurrency=0' is no limit" in lines[0]
    assert "'b:8000' is no address" in lines[1]
    file.write_text("# nothing\n")
    with pytest.raises(InputError, match="no address in it"):
        server_of(str(file), Settings(), QUICK, OPENAI)


@pytest.mark.parametrize(
    ("argument", "wrong"),
    [
        ("http://a/v1,http://a/v1/", "http://a/v1 is there twice"),
        ("http://a/v1,", "the address is missing"),
        ("http://a/v1,b:8000", "'b:8000' is no address"),
        ("fleet-that-is-not-there.txt", "'fleet-that-is-not-there.txt' is no address"),
    ],
)
def test_what_is_wrong_with_addresses_is_one_line(argument, wrong):
    with pytest.raises(InputError) as caught:
        server_of(argument, Settings(), QUICK, OPENAI)
    assert wrong in str(caught.value)
    assert "\n" not in str(caught.value)


# Services of `judge serve`


@pytest.mark.slow
def test_two_services_are_one_judge_and_one_that_stops_is_no_loss(tmp_path):
    pairs = questions(10, 4)
    with serving() as one:
        single = judge_pairs(pairs, ServedMethod(ServiceBackend(one.url, patience=QUICK)))
        with serving() as other:
            backend = ServiceBackend(f"{one.url},{other.url}", patience=QUICK)
            assert judge_pairs(pairs, ServedMethod(backend)) == single
            assert min(len(service.log) for service in (one, other)) > 1
        assert judge_pairs(pairs, ServedMethod(backend)) == single
        [line] = backend.news()
    assert line.startswith(f"{other.url} fails")


@pytest.mark.slow
def test_services_of_two_judges_are_refused_at_the_start():
    with serving() as one, serving("scripted:first") as other:
        backend = ServiceBackend(f"{one.url},{other.url}", patience=QUICK)
        with pytest.raises(BackendError, match=f"{other.url}: it serves scripted-first"):
            _ = backend.identity


# A day in the life


class Failing(Mortal):
    """A server that fails at random, by the prompt and how often it failed at it."""

    def __init__(self):
        super().__init__()
        self.failed = Counter()

    def answer(self, path, body):
        text = text_of(body)
        with self.lock:
            chance = random.Random(f"{text}/{self.failed[text]}").random()
            self.failed[text] += chance < 0.2
        if chance < 0.2:
            return [None, (503, {}, b"busy"), (200, {}, b'{"choices": [')][int(chance * 1000) % 3]
        return super().answer(path, body)


@pytest.mark.slow
def test_soak_with_one_slow_one_failing_and_one_killed_and_started_again(tmp_path):
    pairs = questions(50, 3)
    failing, mortal = Failing(), Mortal()
    slow = Slow([failing, mortal], 40)
    servers = (slow, failing, mortal)
    with fleet_of(*servers, patience=Patience(sleep=blink, deadline_s=5), concurrency=8) as backend:
        backend.batch_characters = 2_500  # four batches
        news = []

        def is_missed():
            news.extend(backend.news())
            return any(line.startswith(f"{mortal.url} fails") for line in news)

        def outage():
            wait_for(lambda: len(mortal.served) >= 20, within_s=30)
            mortal.kill()
            wait_for(is_missed, within_s=30)
            mortal.n_before = len(mortal.served)
            mortal.start_again()

        accident = threading.Thread(target=outage, daemon=True)
        accident.start()
        with Ledger(tmp_path / "l.sqlite") as ledger:
            verdicts = judge_pairs(pairs, Direct(backend), ledger)
            [summary] = ledger.summary()
        accident.join()
        news.extend(backend.news())
    assert [verdict.pair_id for verdict in verdicts] == [pair.id for pair in pairs]
    assert verdicts == calm(pairs)
    assert (summary.n_readings, summary.n_unparsed) == (2 * len(pairs), 0)
    n_served = [sum(server.served.values()) for server in servers]
    # What was under way when one was killed, or was cut in its middle, is asked once more.
    assert 2 * len(pairs) <= sum(n_served) <= 2 * len(pairs) + 8
    assert 0 < slow.n_answered < sum(n_served) / 3  # not its fair share
    assert len(mortal.served) > mortal.n_before
    assert sorted(line.partition(" fails")[0] for line in news) == sorted([failing.url, mortal.url])
