"""`judge serve` over HTTP: what it answers, whom it answers, what it takes and what it says in its log."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from pairs import FOUR_PAIRS, HOSTILE, pair_of
from serving import UNLIMITED, Service, in_threads, row, serving, started, wait_for
from typer.testing import CliRunner

from judge import Judge
from judge.backends import scripted
from judge.cli.main import app
from judge.errors import BackendError, InputError
from judge.forms.form import Entry
from judge.io.pairs import pair_to_json, with_ids
from judge.io.verdicts import write_verdicts
from judge.ranking.answers import answers_of
from judge.ranking.rank import rank_answers
from judge.serve.limits import BURST_S, Limits, Pace, checked_token, is_loopback, names_loopback, shows_token

pytestmark = pytest.mark.slow  # services are started and asked over HTTP

TOKEN = "a-token-of-enough-length"
HOSTILE_PAIRS = with_ids(pair_of(text, "another one", f"Say {text!r}", id="") for text in HOSTILE)


@pytest.fixture(scope="module")
def service():
    with serving() as running:
        yield running


class Character:
    """A scripted judge that tests stop and count; it prefers the longer answer."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.may_go = threading.Event()
        self.may_go.set()

    def __call__(self, prompt, index):
        self.seen.append(scripted.text_of(prompt, "context"))
        assert self.may_go.wait(60)
        return scripted.longer(prompt, index)

    def count(self, text: str) -> int:
        return sum(text in one for one in self.seen)


@pytest.fixture
def character(monkeypatch):
    """A judge `scripted:held` that is read as often as `seen` says, and waits where it is told to."""
    made = Character()
    monkeypatch.setitem(scripted.CHARACTERS, "held", made)
    yield made
    made.may_go.set()


def statuses(service, n: int) -> list[str]:
    """The statuses of the log's first n requests, sorted: a request is logged only after it is answered."""

    def requests():
        return [line for line in service.log if not line.startswith("a bug")]

    wait_for(lambda: len(requests()) >= n)
    return sorted(line.split()[-3] for line in requests())


# --- answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", [*FOUR_PAIRS, *HOSTILE_PAIRS], ids=lambda pair: pair.id)
def test_a_verdict_is_a_line_of_the_file_that_judge_run_writes(service, pair, tmp_path):
    with Judge(backend="scripted:longer", cache=False) as judge:
        write_verdicts(tmp_path / "v.jsonl", judge.judge([pair]))
    answer = service.post("/compare", pair_to_json(pair))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == (tmp_path / "v.jsonl").read_bytes()


def test_a_pair_may_be_a_conversation_and_have_no_id(service):
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]
    said = {
        f"conversation_{side}": [*asked, {"role": "assistant", "content": text}]
        for side, text in (("a", "Hi"), ("b", "Good day"))
    }
    verdict = service.post("/compare", said).value
    assert (verdict["outcome"], len(verdict["pair_id"])) == ("B", 16)


def test_a_pair_that_cannot_be_read_is_a_verdict_with_its_reason():
    with serving("scripted:unreadable:1") as service:
        answer = service.post("/compare", row())
    assert answer.status == 200
    assert (answer.value["status"], answer.value["outcome"]) == ("unparsed", None)
    assert answer.value["orders"]["AB"]["unparsed"]
    assert answer.value["orders"]["AB"]["raw"] == scripted.UNREADABLE


def test_health_says_which_judge_it_is(service):
    answer = service.get("/health")
    with Judge(backend="scripted:longer", cache=False) as judge:
        assert answer.value["judge"] == judge.identity.fingerprint
    assert (answer.status, answer.value["status"]) == (200, "ready")
    assert answer.value["identity"]["method"] == "direct"


def test_the_interface_describes_each_path_and_has_a_page(service):
    paths = service.get("/openapi.json").value["paths"]
    assert {path: list(said) for path, said in paths.items()} == {
        "/health": ["get"],
        "/compare": ["post"],
        "/rank": ["post"],
    }
    schema = paths["/compare"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert service.post("/compare", schema["example"]).value["outcome"] in ("A", "B", "TIE")
    page = service.get("/docs")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for said in (*paths, "response_a", "generator", "outcome_by_mean", "Retry-After"):
        assert said in page.content.decode()
    assert re.findall(rb"(?:src|href)=\S+", page.content) == [b'href="openapi.json">openapi.json</a></p>']


ANSWERS = [
    {"instruction": f"Question {n}?", "output": f"{'long ' * length}{n}", "generator": model}
    for n in range(30)
    for model, length in (("low", 1), ("middle", 4), ("high", 9))
]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["direct", "score"])
def test_a_ranking_is_what_judge_rank_writes(method):
    answers = answers_of([Entry("answers", f"{n}", cells) for n, cells in enumerate(ANSWERS)])
    with Judge(backend="scripted:longer", method=method, cache=False) as judge:
        expected = rank_answers(answers, judge, seed=3).as_json()
    with serving(method=method) as service:
        answer = service.post("/rank", {"answers": ANSWERS, "seed": 3})
    assert answer.status == 200
    assert [model["model"] for model in answer.value["models"]] == ["high", "middle", "low"]
    assert answer.value == json.loads(json.dumps(expected))


def test_a_ranking_keeps_to_its_budget(service):
    answer = service.post("/rank", {"answers": ANSWERS, "budget": 5, "within": "1h", "seed": None})
    assert answer.value["asked"]["n_asked"] == 5


# --- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"prompt": "Why?", "response_a": "a"}', "missing response_b (found: prompt, response_a)."),
        (b'{"prompt": " ", "response_a": "a", "response_b": "b"}', "the prompt is empty."),
        (b'{"prompt": 1, "response_a": "a", "response_b": "b"}', "prompt is a number"),
        (b'{"prompt": "Why?"', "not JSON"),
        (b'[{"prompt": "Why?"}]', "the request is a list. It must be one JSON object."),
        (b'{"prompt": NaN}', "NaN is not JSON"),
        (b'{"prompt": "\xff"}', "byte 0xff is not UTF-8"),
        (b'{"id": 1, "id": 2}', "is there twice"),
        (b'{"prompt": "\\ud800"}', "only half a character"),
        (b"[" * 100_000, "JSON"),
        (b"", "not JSON"),
    ],
)
def test_what_is_no_pair_is_one_line(service, body, words):
    answer = service.send("POST", "/compare", body)
    assert answer.status == 422
    assert words in answer.error


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "answers must be a list"),
        ({"answers": ["a"]}, "answers must be a list of objects"),
        ({"answers": ANSWERS[1:], "bugdet": 1}, "unknown key 'bugdet'. The keys are answers, budget"),
        ({"answers": ANSWERS, "budget": 0}, "budget must be a whole number from 1 up, or null."),
        ({"answers": ANSWERS, "seed": True}, "seed must be a whole number"),
        ({"answers": ANSWERS, "within": "soon"}, "within"),
        ({"answers": ANSWERS, "within": 5}, "within is a number"),
        ({"answers": [{"instruction": "a", "output": "b"}]}, "answers[0]: missing generator"),
        ({"answers": [{"output": "b", "generator": "c"}]}, "answers[0]: missing instruction"),
        ({"answers": ANSWERS[::3]}, "answers of one model only, low"),
    ],
)
def test_what_is_no_ranking_is_one_line(service, asked, words):
    answer = service.post("/rank", asked)
    assert answer.status == 422
    assert words in answer.error


def test_other_paths_methods_and_kinds_of_content_are_refused(service):
    assert "There are /health, /compare" in service.get("/verdicts").error
    assert service.get("/verdicts").status == 404
    assert "POST" in service.get("/compare").error
    assert service.get("/compare").status == 405
    form = service.send("POST", "/compare", json.dumps(row()), Content_Type="text/plain")
    assert (form.status, form.error) == (415, "the header Content-Type must be application/json.")


def test_a_request_that_is_too_long_is_refused_and_the_next_one_answered():
    with serving(limits=replace(UNLIMITED, most_bytes=1000)) as service:
        answer = service.post("/compare", row(response_a="a" * 1000))
        assert (answer.status, answer.error) == (413, "the request is longer than 1,000 bytes.")
        in_parts = iter([b'{"prompt": "', b"a" * 600, b"a" * 600])
        assert service.send("POST", "/compare", in_parts).status == 413
        assert service.post("/compare", row()).status == 200


def raw(service, *parts, wait_s=0.0):
    """What comes back for bytes that are sent as they are, with pauses between the parts."""
    host, port = urlsplit(service.url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(wait_s)
        answer = b""
        try:
            while found := connection.recv(65536):
                answer += found
        except ConnectionError:
            pass
        return answer


HEAD = b"POST /compare HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


@pytest.mark.slow
def test_a_slow_caller_is_cut_off_and_holds_up_nobody():
    with serving(limits=replace(UNLIMITED, body_s=0.5)) as service:
        started_at = time.monotonic()
        assert b" 408 " in raw(service, HEAD + b"Content-Length: 100\r\n\r\n{")
        assert raw(service, b"POST /compare HTTP/1.1\r\nHost:") == b""  # its head is never whole
        assert raw(service, b"") == b""
        assert time.monotonic() - started_at < 20
        assert service.post("/compare", row()).status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 20_000,
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1e9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"GET /health HTTP/1.1\r\nX\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["long", "no number", "negative", "two lengths", "no colon", "TLS"],
)
def test_a_hostile_head_is_refused_and_the_next_request_answered(service, head):
    assert raw(service, head).startswith(b"HTTP/1.1 400 ")
    assert service.get("/health").status == 200


def test_a_caller_that_breaks_off_harms_nobody(service, capfd):
    for sent in (HEAD, HEAD + b"Content-Length: 100\r\n\r\n{"):
        host, port = urlsplit(service.url).netloc.split(":")
        socket.create_connection((host, int(port))).sendall(sent)
    assert service.post("/compare", row(7)).status == 200
    wait_for(lambda: any(" 400 " in line or " 0 " in line for line in service.log))
    assert not any("bug" in line for line in service.log)
    assert capfd.readouterr().err == ""


# --- whom it answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/compare", "/rank", "/docs", "/openapi.json", "/other"])
def test_with_a_token_no_path_is_open_without_it(path):
    with serving(token=TOKEN) as service:
        for shown in (
            "",
            "Bearer",
            "Bearer wrong-token-of-enough-length",
            f"Basic {TOKEN}",
            f"Bearer {TOKEN}x",
        ):
            answer = service.get(path, Authorization=shown)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert "no access" in answer.error
        assert service.get(path, Authorization=f"Bearer {TOKEN}").status != 401
        assert not any(TOKEN in line for line in service.log)


def test_with_the_token_a_pair_is_judged_under_any_name_of_the_machine():
    with serving(token=TOKEN) as service:
        answer = service.post("/compare", row(), Authorization=f"bearer {TOKEN}", Host="judge.example:8502")
    assert (answer.status, answer.value["outcome"]) == (200, "A")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8502", "127.0.0.1.evil.example", "[::1", ""])
def test_a_page_that_leads_its_own_name_here_is_refused(service, host):
    answer = service.post("/compare", row(), Host=host)
    assert (answer.status, answer.error) == (403, "the header Host names another machine. Ask 127.0.0.1.")


def test_names_of_this_machine():
    assert all(
        map(names_loopback, ["127.0.0.1", "127.0.0.1:80", "localhost:8502", "LOCALHOST", "[::1]:8502"])
    )
    assert [is_loopback(name) for name in ("127.3.2.1", "::1", "0.0.0.0", "::", "10.0.0.1")] == [
        *(True, True),
        *(False, False, False),
    ]


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.5", "judge.example"])
def test_beyond_this_machine_a_token_is_needed(address):
    with pytest.raises(InputError, match="Put a token of 16 characters or more into JUDGE_TOKEN"):
        checked_token(address, "")
    for bad in ("short", "two words of a token", "ünicode-unicode-unicode", "a" * 15):
        with pytest.raises(InputError, match="JUDGE_TOKEN: it has") as caught:
            checked_token(address, bad)
        assert bad not in str(caught.value)
    assert checked_token(address, f" {TOKEN}\n") == TOKEN
    assert checked_token("127.0.0.1", "") == ""


def test_a_token_is_compared_whole():
    assert shows_token(f"Bearer {TOKEN}", TOKEN)
    assert not any(
        shows_token(shown, TOKEN) for shown in (TOKEN, "Bearer é", f"Bearer {TOKEN[:-1]}", "Bearer ")
    )


# --- how much and how often --------------------------------------------------------------------------------


def test_an_address_may_ask_so_often_and_no_other_waits_for_it():
    now = [0.0]
    pace = Pace(60, clock=lambda: now[0])
    assert [pace.wait_s("one") for _ in range(10)] == [0.0] * 10  # ten seconds' worth at once
    assert pace.wait_s("one") == pytest.approx(1.0)
    assert pace.wait_s("other") == 0.0
    now[0] = 1.0
    assert pace.wait_s("one") == 0.0
    assert pace.wait_s("one") > 0
    now[0] = 100.0
    assert [pace.wait_s("one") for _ in range(10)] == [0.0] * 10


def test_a_pace_slower_than_its_burst_still_lets_one_through():
    assert Pace(1, clock=lambda: 0.0).wait_s("one") == 0.0
    assert all(Pace(0).wait_s("one") == 0.0 for _ in range(10))


def test_who_asks_too_often_is_told_when_to_come_again():
    with serving(limits=Limits(per_minute=30)) as service:
        answers = [service.get("/health", X_Forwarded_For=f"10.0.0.{n}") for n in range(8)]
    n_free = int(30 * BURST_S / 60)
    assert {answer.status for answer in answers[:n_free]} == {200}
    assert answers[-1].status == 429  # whatever address it says it has
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert "too many requests" in answers[-1].error


def test_a_full_queue_is_told_and_what_it_holds_is_answered(character):
    with serving("scripted:held", most_pairs=1, most_waiting=2) as service:
        character.may_go.clear()
        threads = [threading.Thread(target=service.post, args=("/compare", row(n))) for n in range(3)]
        for number, thread in enumerate(threads):
            thread.start()  # one is read, two wait
            wait_for(lambda n=number: character.count("Question 0") and len(service.shared._waiting) >= n)
        refused = service.post("/compare", row(9))
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert "2 questions wait already" in refused.error
        character.may_go.set()
        for thread in threads:
            thread.join()
        assert statuses(service, 4) == ["200", "200", "200", "429"]


def test_while_the_judge_loads_callers_are_told_to_come_again():
    with serving(is_started=False) as service:
        for answer in (service.get("/health"), service.post("/compare", row())):
            assert (answer.status, answer.headers["retry-after"]) == (503, "10")
            assert "the judge is loading" in answer.error
        assert service.post("/rank", {"answers": ANSWERS}).status == 503
        started(service.shared)
        assert service.post("/compare", row()).status == 200


# --- one judge for all -------------------------------------------------------------------------------------


def test_what_is_asked_at_the_same_time_is_read_together_and_equal_questions_once(character):
    with serving("scripted:held") as service:
        character.may_go.clear()
        with_first = threading.Thread(target=service.post, args=("/compare", row(100)))
        with_first.start()
        wait_for(lambda: character.count("Question 100"))
        batches = []
        judge = service.judge.judge
        service.judge.judge = lambda pairs: batches.append(len(pairs)) or judge(pairs)
        asking = threading.Thread(
            target=lambda: answers.extend(
                in_threads(12, lambda n: service.post("/compare", row(n % 3, id=f"{n}")))
            )
        )
        answers = []
        asking.start()
        wait_for(lambda: len(service.shared._waiting) == 12)
        character.may_go.set()
        asking.join()
        with_first.join()
    assert [answer.value["pair_id"] for answer in answers] == [f"{n}" for n in range(12)]
    assert batches == [12]
    assert [character.count(f"Question {n}?") for n in range(3)] == [2, 2, 2]


def test_what_was_judged_before_comes_from_the_ledger(character, tmp_path):
    for _ in range(2):
        with serving("scripted:held", ledger=tmp_path / "l.sqlite") as service:
            assert [service.post("/compare", row(5)).value["outcome"] for _ in range(2)] == ["A", "A"]
    assert character.count("Question 5?") == 2


def test_a_batch_is_as_large_as_the_engine_reads(character):
    with serving("scripted:held", most_pairs=3) as service:
        character.may_go.clear()
        sizes = []
        judge = service.judge.judge
        service.judge.judge = lambda pairs: sizes.append(len(pairs)) or judge(pairs)
        texts = ["a" * 6000] * 4 + ["b"] * 4  # the engine reads 16,000 characters at once
        threads = [
            threading.Thread(target=service.post, args=("/compare", row(n, response_a=f"{n}{text}")))
            for n, text in enumerate(["first", *texts])
        ]
        for number, thread in enumerate(threads):
            thread.start()
            wait_for(lambda n=number: sizes and len(service.shared._waiting) == n)
        character.may_go.set()
        for thread in threads:
            thread.join()
    assert sizes == [1, 2, 3, 3]


def test_an_engine_that_fails_is_told_to_all_of_its_batch_and_quotes_none_of_them(service, monkeypatch):
    judge = service.judge.judge

    def fails(pairs):
        raise BackendError(f"the server says: {pairs[0].prompt}")

    monkeypatch.setattr(service.judge, "judge", fails)
    for answer in in_threads(8, lambda n: service.post("/compare", row(n, prompt="SECRET question"))):
        assert answer.status == 502
        assert "the judge cannot answer (BackendError)" in answer.error
        assert "SECRET" not in answer.error
    monkeypatch.setattr(service.judge, "judge", judge)
    assert service.post("/compare", row()).status == 200


def test_no_text_of_a_pair_is_in_the_log(capfd, monkeypatch):
    secret = "MARKED-WORDS"
    with serving(limits=replace(UNLIMITED, most_bytes=5000)) as service:
        pair = row(prompt=secret, response_a=f"{secret} a", response_b=f"{secret} b", id=secret)
        sent = {"X_Thing": secret, "User_Agent": secret}
        assert service.post("/compare", pair, **sent).status == 200
        assert service.post(f"/{secret}?q={secret}", pair).status == 404
        assert service.send(secret, "/compare", b"{}").status == 405
        assert service.post("/compare", {secret: secret}).status == 422
        assert service.send("POST", "/compare", secret.encode()).status == 422
        assert service.post("/compare", row(response_a=secret * 1000)).status == 413
        assert service.post("/compare", pair, Host=secret).status == 403

        def breaks(pairs):
            raise ValueError(f"cannot do {pairs[0].prompt}")

        monkeypatch.setattr(service.judge, "judge", breaks)
        answer = service.post("/compare", pair | {"prompt": f"{secret} again"})
        assert (answer.status, answer.error) == (500, "a bug of the service; its log says where.")
    assert statuses(service, 8) == ["200", "403", "404", "405", "413", "422", "422", "500"]
    said = "\n".join(service.log) + "".join(capfd.readouterr())
    assert "MARKED" not in said
    assert "a bug: ValueError at test_serve.py:" in said
    assert "POST /compare 200 " in said
    assert "POST (another path) 404 " in said


@pytest.mark.slow
def test_a_ranking_for_which_nobody_waits_ends(character):
    with serving("scripted:held", method="direct", most_pairs=1) as service:
        character.may_go.clear()
        body = json.dumps({"answers": ANSWERS}).encode()
        head = HEAD.replace(b"/compare", b"/rank") + f"Content-Length: {len(body)}\r\n\r\n".encode()
        host, port = urlsplit(service.url).netloc.split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head + body)
            wait_for(lambda: character.count("Question") > 0)
        time.sleep(2.5)  # it looks once a second
        character.may_go.set()
        wait_for(lambda: any("/rank" in line for line in service.log))
        assert character.count("Question") < 2 * 90


def test_two_rankings_at_a_time_and_no_more(character):
    with serving("scripted:held", method="direct", limits=replace(UNLIMITED, most_rankings=1)) as service:
        character.may_go.clear()
        first = threading.Thread(target=service.post, args=("/rank", {"answers": ANSWERS}))
        first.start()
        wait_for(lambda: character.count("Question") > 0)
        refused = service.post("/rank", {"answers": ANSWERS})
        assert (refused.status, "rankings are being made already" in refused.error) == (429, True)
        character.may_go.set()
        first.join()
        assert statuses(service, 2) == ["200", "429"]


# --- the command -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "token", "words"),
    [
        (["--address", "0.0.0.0"], "", "--address 0.0.0.0: others could reach the judge."),
        (["--address", "0.0.0.0"], "short", "JUDGE_TOKEN: it has 5 characters."),
        (["--strict"], "", "--strict stops at the first pair"),
        (["--port", "{taken}"], "", "cannot listen there (Address already in use). Name another --port."),
        (["--address", "no.such.host.example"], TOKEN, "cannot listen there"),
        (["--backend", "scripted:nobody"], "", "no such character"),
        (["--backend", "embedded", "--base-model", "no-such-model"], "", "no-such-model"),
    ],
)
def test_what_cannot_be_served_is_one_error(options, token, words, tmp_path, monkeypatch):
    monkeypatch.setenv("JUDGE_TOKEN", token)
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = [one.format(taken=taken.getsockname()[1]) for one in options]
        port = [] if "--port" in given else ["--port", "0"]
        done = CliRunner().invoke(app, ["serve", "--backend", "scripted:longer", *port, *given])
    assert done.exit_code == 1  # raised; `main` makes a line of it
    assert words in str(done.exception)
    assert "\n" not in str(done.exception)


def test_without_its_packages_the_command_names_the_extra(monkeypatch):
    monkeypatch.setattr("judge.cli.serve.find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["serve", "--backend", "scripted:longer", "--port", "0"])
    assert str(done.exception) == 'judge serve needs fastapi: pip install "four-token-judge[serve]"'


SLOW = """
import signal, sys, time
from judge.backends import scripted
from judge.cli.main import main

def slow(prompt, index):
    if index > 1:
        time.sleep(0.3)
    return scripted.longer(prompt, index)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have told its children to ignore it
scripted.CHARACTERS["slow"] = slow
sys.argv = ["judge", "serve", "--backend", "scripted:slow", "--port", "0", "--batch", "2", *sys.argv[1:]]
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_service_when_what_was_accepted_is_answered(number, tmp_path, monkeypatch):
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path))
    command = [sys.executable, "-c", SLOW, "--ledger", str(tmp_path / "l.sqlite")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    address = process.stderr.readline().split()[2].strip(",")
    assert process.stderr.readline().startswith("judge serve: ready: ")
    service = Service(address, None, None)
    asking = [http.client.HTTPConnection(urlsplit(address).netloc, timeout=60) for _ in range(10)]
    for n, connection in enumerate(asking):
        connection.request("POST", "/compare", json.dumps(row(n)), {"Content-Type": "application/json"})
    assert service.get("/health").status == 200  # so all that was sent before has been taken
    process.send_signal(number)
    answers = [json.loads(connection.getresponse().read()) for connection in asking]
    assert [answer["outcome"] for answer in answers] == ["A"] * 10
    said = process.communicate(timeout=60)[1]
    assert process.returncode == (0 if number is signal.SIGTERM else 130)
    assert said.count("POST /compare 200") == 10
    with pytest.raises(ConnectionError):
        service.get("/health")
