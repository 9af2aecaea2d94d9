"""The server backend against small loopback servers, each with a character."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import math
import random
import re
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from models import MARKUP, SOFT_MARKUP, make_tokenizer, manifest_values
from pairs import FOUR_PAIRS, HOSTILE, pair_of

from judge.backends import Sampling, Settings, load_backend
from judge.backends.chat_text import (
    ReplyForm,
    Stated,
    Token,
    choice_line,
    choice_probabilities,
    find_choice,
    neutralised,
    read_reply,
    start_line,
    without_start,
)
from judge.backends.chat_way import SAMPLES
from judge.backends.endpoint import ENVIRONMENT, MOST_FAILED, ROOM, Patience
from judge.backends.openai_server import ServerBackend
from judge.backends.tokens import TRIM_MARK, PromptEncoder
from judge.errors import BackendError, InputError, MissingExtra, PromptTooLong
from judge.evaluate import judge_pairs
from judge.io.verdicts import verdict_from_cells, verdict_to_json
from judge.ledger.ledger import Ledger
from judge.methods.direct import Direct, render_direct
from judge.methods.score import GRADES, Score
from judge.models.adapters import write_manifest
from judge.prompts.marks import unmarked
from judge.prompts.parsing import spoken
from judge.records import Judgment, Order, Prompt, Span, Unparsed

pytestmark = [  # nothing unclosed, nothing never awaited or retrieved
    pytest.mark.filterwarnings(f"error::{warning}")
    for warning in (
        "ResourceWarning",
        "RuntimeWarning",
        "pytest.PytestUnraisableExceptionWarning",
        "pytest.PytestUnhandledThreadExceptionWarning",
    )
]

FORM = ReplyForm(("A", "B"), "[[", "]]")


async def blink(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.002))


QUICK = Patience(sleep=blink, deadline_s=5.0)


# Servers


class Fake:
    """A loopback server. `answer` says (status, headers, body) for a request, or None to hang up."""

    cards = ({"id": "m", "owned_by": "somebody"},)

    def __init__(self):
        self.asked: list[dict] = []
        self.in_flight = self.most_in_flight = 0
        self.lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                fake.send(self, fake.models())

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with fake.lock:
                    fake.asked.append({"path": self.path, **body})
                    fake.in_flight += 1
                    fake.most_in_flight = max(fake.most_in_flight, fake.in_flight)
                try:
                    answer = fake.answer(self.path, body)
                finally:  # before it is sent: whoever has the answer may already have asked again
                    with fake.lock:
                        fake.in_flight -= 1
                fake.send(self, answer)

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass  # a client that hung up

        self.http = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def __enter__(self):
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def send(self, handler, answer):
        if answer is None:
            handler.close_connection = True
            return
        status, headers, body = answer
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {
            "content-type": "application/json",
            "content-length": len(raw),
            **headers,
        }.items():
            handler.send_header(name, str(value))
        handler.end_headers()
        self.write(handler.wfile, raw)

    def write(self, file, raw):
        file.write(raw)

    def models(self):
        return 200, {}, {"object": "list", "data": list(self.cards)}

    def answer(self, path, body):
        return 200, {}, self.reply(body)

    def backend(self, patience=QUICK, **settings):
        return ServerBackend(self.url, Settings(**{"base_model": "m"} | settings), patience)


def text_of(body):
    return "\n".join(message["content"] for message in body["messages"])


def stated_p(text):
    """The probability of A that this server's model has: 0.37 where the first answer says "score 37"."""
    answer = re.search(r"\[Answer A\]\n(.*?)\n\[End of answer A\]", text, re.DOTALL)[1]
    score = re.search(r"score (\d+)", answer)
    return int(score[1]) / 100 if score else (1 + len(answer) % 9) / 10


def chat(text, logprobs=None, finish="stop", **usage):
    usage = {"prompt_tokens": 50, "completion_tokens": 4} | usage
    choice = {
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish,
        "logprobs": logprobs,
    }
    return {"choices": [choice], "usage": usage}


def logprobs_of(tokens, place, p):
    """Log-probabilities of a reply whose token `place` holds an A that has probability p."""
    content = []
    for i, token in enumerate(tokens):
        top = [{"token": token, "logprob": 0.0}]
        if i == place:
            letter = re.search("[AB]", token)[0]
            top = [
                {"token": token.replace(letter, "A"), "logprob": math.log(p * 0.9)},
                {"token": token.replace(letter, "B"), "logprob": math.log((1 - p) * 0.9)},
                {"token": "Neither", "logprob": math.log(0.1)},
            ]
        content.append({"token": token, "logprob": top[0]["logprob"], "top_logprobs": top})
    return {"content": content}


class Chat(Fake):
    """A well-behaved chat server with log-probabilities."""

    def reply(self, body):
        p = stated_p(text_of(body))
        tokens = ["[[", "A" if p >= 0.5 else "B", "]]"]
        return chat("".join(tokens), logprobs_of(tokens, 1, p))


class Voter(Fake):
    """A chat server without log-probabilities that says A for some seeds and B for the others."""

    def reply(self, body):
        if body.get("temperature") == 0:
            return chat("[[A]]")
        return chat(("[[A]]", "[[B]]", "[[A]]", "I cannot say.", "[[A]]")[body["seed"]])


class Refuser(Voter):
    """A chat server that takes neither log-probabilities nor `max_tokens`."""

    def answer(self, path, body):
        for name, right in (
            ("logprobs", "logprobs"),
            ("max_tokens", "max_tokens: use max_completion_tokens"),
        ):
            if name in body:
                return 400, {}, {"error": {"message": f"Unsupported parameter: {right}"}}
        return super().answer(path, body)


class Says(Fake):
    """A chat server with one reply to everything."""

    def __init__(self, text, **more):
        super().__init__()
        self.text, self.more = text, more

    def reply(self, body):
        return chat(self.text, **self.more)


class Fails(Fake):
    """A server with one status and body for everything but the list of its models."""

    def __init__(self, status, body=b"{}", headers=()):
        super().__init__()
        self.failure = (status, dict(headers), body)

    def answer(self, path, body):
        return self.failure


class Misbehaving(Chat):
    """A chat server that fails in every way there is, up to four times a prompt, in a seeded mix."""

    ways = ("drop", "busy", "broken", "cut", "text", "other", "drip")

    def __init__(self, seed):
        super().__init__()
        self.seed, self.failed, self.served, self.seen = seed, Counter(), Counter(), Counter()

    def answer(self, path, body):
        text = text_of(body)
        with self.lock:
            nth = self.failed[text]
        chance = random.Random(f"{self.seed}/{text}/{nth}")
        is_fine = nth == 4 or chance.random() < 0.4
        way = "fine" if is_fine else chance.choices(self.ways, (3, 3, 3, 3, 3, 3, 1))[0]
        with self.lock:
            self.seen[way] += 1
            (self.served if way == "fine" else self.failed)[text] += 1
        whole = json.dumps(self.reply(body)).encode()
        return {
            "fine": (200, {}, whole),
            "drop": None,
            "busy": (429, {"retry-after": "1"}, b'{"error": {"message": "slow down"}}'),
            "broken": (500, {}, b"<html>oops</html>"),
            "cut": (200, {}, whole[: len(whole) // 2]),
            "text": (200, {"content-type": "text/html"}, b"<html>please log in</html>"),
            "other": (200, {}, b'{"error": "no slot"}'),
            "drip": (200, {"x-drip": "1", "content-length": len(whole) + 1}, b"\0drip" + whole),
        }[way]

    def write(self, file, raw):
        if not raw.startswith(b"\0drip"):
            return super().write(file, raw)
        for i in range(200):
            file.write(raw[5 + i : 6 + i])
            file.flush()
            time.sleep(0.05)
        return None


class Dying(Chat):
    """A chat server that hangs up on everything after so many answers."""

    def __init__(self, n_answers):
        super().__init__()
        self.n_left, self.n_answered = n_answers, 0

    def answer(self, path, body):
        with self.lock:
            self.n_left -= 1
            if self.n_left < 0:
                return None
            self.n_answered += 1
        return super().answer(path, body)


class Vllm(Fake):
    """A server that speaks vLLM's completions with token ids; its model likes even lengths."""

    cards = (
        {"id": "m", "owned_by": "vllm", "parent": None},
        {"id": "lora", "owned_by": "vllm", "parent": "m"},
    )
    words = "Line one.<tool_call>"

    def __init__(self):
        super().__init__()
        self.tokenizer = make_tokenizer()

    def answer(self, path, body):
        if path == "/tokenize":
            return 200, {}, {"tokens": self.tokenizer.encode(body["prompt"])}
        if path != "/v1/completions" or not all(isinstance(token, int) for token in body["prompt"]):
            return 400, {}, {"error": {"message": "token ids, please"}}
        return super().answer(path, body)

    def reply(self, body):
        letters = body.get("logprob_token_ids")
        usage = {
            "prompt_tokens": len(body["prompt"]),
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 10},
        }
        choice = {"text": "unused", "finish_reason": "length"}
        if letters:
            assert body["logprobs"] == len(letters) == len(body["allowed_token_ids"])
            assert body["return_tokens_as_token_ids"]
            given = {f"token_id:{token}": -5.0 - 2 * i for i, token in enumerate(letters)}
            choice["logprobs"] = {"top_logprobs": [given | {"token_id:0": -0.01}]}
        else:
            stops = [one for one in body.get("stop", ()) if one in self.words]
            said = self.words[: self.words.index(stops[0]) + len(stops[0])] if stops else self.words
            ids = [*self.tokenizer.encode(said), *([] if stops else [self.tokenizer.eos_token_id])]
            is_ended = body["max_tokens"] >= len(ids)
            choice |= {
                "token_ids": ids[: body["max_tokens"]],
                "finish_reason": "stop" if is_ended else "length",
                "stop_reason": stops[0] if stops and is_ended else None,
            }
        return {"choices": [choice], "usage": usage}


@contextmanager
def key(monkeypatch, value):
    monkeypatch.setenv("OPENAI_API_KEY", value)
    yield value
    monkeypatch.delenv("OPENAI_API_KEY")


@pytest.fixture(autouse=True)
def _neither_key_nor_proxy(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A base model's folder with a real tokenizer; its weights are on the server, as far as we know."""
    folder = tmp_path_factory.mktemp("models") / "m"
    make_tokenizer().save_pretrained(folder)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        yield ledger


def scored_pairs(n, filling=0):
    return [pair_of(f"score {i + 10} {'a' * filling}", f"b {i}", id=f"p{i}") for i in range(n)]


def prompts_of(pairs):
    return [render_direct(pair, Order.AB, ties=False) for pair in pairs]


def failure_of(backend, prompts=None):
    """The message of the BackendError that asking gives, in one line."""
    with pytest.raises(BackendError) as caught:
        backend.choose(prompts or prompts_of([pair_of()]), "AB")
    message = str(caught.value)
    assert "\n" not in message
    return message


# Addresses and engines


@pytest.mark.parametrize(
    "argument", ["", "127.0.0.1:8000", "ftp://host/v1", "http://", "http://host:99999/v1"]
)
def test_an_address_that_is_none_is_named_beside_an_example(argument):
    with pytest.raises(InputError, match=r"http://127\.0\.0\.1:8000/v1"):
        load_backend(f"server:{argument}")


@pytest.mark.parametrize("address", ["http://me:hunter22@host/v1", "https://host/v1?key=hunter22"])
def test_an_address_with_a_secret_in_it_is_refused_without_showing_it(address):
    with pytest.raises(InputError, match="OPENAI_API_KEY") as caught:
        load_backend(f"server:{address}")
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1 :8911/v1",
        "http://127.0.0.1:8911/o\nk/v1",
        "http://127.0.0.1:8911/o\x01k/v1",
        "http://exämple .de/v1",
        "http://one/v1​",
    ],
)
def test_an_address_with_a_character_that_none_has_is_refused_in_one_line(address):
    with pytest.raises(InputError, match=r"is no address, as .* is in it. Name one, for example") as caught:
        load_backend(f"server:{address}")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("address", ["http://é..de/v1", "http://999.1.1.1/v1", f"http://one/{'a' * 70_000}"])
def test_an_address_that_the_client_cannot_read_is_refused_in_one_line(address):
    with pytest.raises(
        InputError, match=r"is no address \(InvalidURL: .*\). Name one, for example"
    ) as caught:
        _ = load_backend(f"server:{address}").engine
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("HTTP_PROXY", "foo:bar"),
        ("HTTP_PROXY", "ftp://127.0.0.1:1"),
        ("HTTP_PROXY", "127.0.0.1:99999"),
        ("OPENAI_ORG_ID", "é"),
        ("SSL_CERT_FILE", "/nonexistent.pem"),
        ("SSL_CERT_FILE", __file__),
    ],
)
def test_a_variable_with_which_no_request_can_be_sent_is_named_in_one_line(monkeypatch, capsys, name, value):
    for other in ENVIRONMENT:
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.lower(), raising=False)
    monkeypatch.setenv(name, value)
    if name != "ALL_PROXY":  # whose kind is wrong even where it is not needed
        monkeypatch.setenv("NO_PROXY", "elsewhere")
    with Chat() as server:
        message = failure_of(server.backend())
        assert server.asked == []
    gc.collect()
    assert message.startswith("no request can be sent (")
    assert f"in the environment as {name}." in message
    assert capsys.readouterr().err == ""


def test_a_token_that_is_none_does_not_concern_another_kind_of_server(monkeypatch):
    monkeypatch.setenv("JUDGE_TOKEN", "a b")
    with Chat() as server:
        [found] = server.backend().choose(prompts_of([pair_of()]), "AB")
    assert not isinstance(found, Unparsed)


@pytest.mark.parametrize(
    "listing",
    [{"data": ["m"]}, {"data": [{"name": "m"}]}, ["m"], None, {"data": 5}, {"data": [{"id": "m"}] * 2}],
)
def test_a_list_of_models_of_another_form_stops_nothing(listing):
    with Chat() as server:
        server.models = lambda: (200, {}, listing)
        for base_model in ("m", "other") if listing == {"data": [{"id": "m"}] * 2} else ("m",):
            backend = server.backend(base_model=base_model)
            assert backend.engine.base_model == "m"
            assert len(backend.choose(prompts_of([pair_of()]), "AB")) == 1


@pytest.mark.parametrize("status", [301, 302])
def test_a_redirect_that_loses_the_question_is_told_with_where_it_leads(status):
    with Fails(status, headers={"location": "https://elsewhere/v1/chat/completions"}) as server:
        message = failure_of(server.backend())
        assert len(server.asked) == 1
    to = "https://elsewhere/v1/chat/completions"
    what = f"{server.url}: it moves /chat/completions to {to}, status {status}."
    assert f"{what} Name the address to which that leads." in message


def test_a_redirect_that_keeps_the_question_is_followed():
    class Moved(Chat):
        def answer(self, path, body):
            if path == "/v1/chat/completions":
                return 307, {"location": "/v2/chat/completions"}, {}
            return super().answer(path, body)

    with Moved() as server:
        assert len(server.backend().choose(prompts_of([pair_of()]), "AB")) == 1


def test_importing_the_backend_brings_no_client():
    program = (
        "import sys, judge.backends.openai_server as o\n"
        "print({'openai', 'tenacity', 'httpx', 'httpx2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.slow
@pytest.mark.parametrize("package", ["openai", "tenacity"])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r'pip install "four-token-judge\[server\]"'):
        _ = ServerBackend("http://127.0.0.1:9/v1").engine


@pytest.mark.slow
def test_token_ids_without_a_tokenizer_package_name_the_extra_that_brings_it(monkeypatch, tiny):
    with Vllm() as server:
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(MissingExtra, match=r"four-token-judge\[embedded,server\]"):
            server.backend(base_model=str(tiny)).choose(prompts_of([pair_of()]), "AB")


def test_no_prompts_make_no_replies_and_no_requests():
    with Chat() as server:
        assert server.backend().choose([], "AB") == server.backend().complete([], Sampling()) == []
        assert server.asked == []


@pytest.mark.slow
def test_the_engine_says_which_way_it_was_and_nothing_of_the_address(tiny):
    with Chat() as one, Chat() as other:
        engine = one.backend().engine
        assert Direct(other.backend()).identity.fingerprint == Direct(one.backend()).identity.fingerprint
    assert (engine.backend, engine.base_model, engine.base_model_hash) == ("server-chat", "m", "")
    assert (engine.dtype, engine.adapter) == ("served", "none")
    with Vllm() as server:
        engine = server.backend(base_model=str(tiny)).engine
        assert (engine.backend, engine.base_model, engine.dtype) == ("server-tokens", "m", "served")
        assert len(engine.base_model_hash) == 64
        engine = server.backend(base_model="somebody/m").engine
        assert (engine.base_model, engine.base_model_hash) == ("m", "")


@pytest.mark.parametrize(
    ("cards", "settings", "name"),
    [
        (["x/m", "m"], {"base_model": "x/m"}, "x/m"),
        (["other", "m"], {"base_model": "x/m"}, "m"),
        (["only"], {"base_model": "m"}, "only"),
        (["m", "judge-1"], {"adapter": "somewhere/judge-1/"}, "judge-1"),
        ([{"id": "only"}, {"id": "lora", "parent": "only"}], {"base_model": "m"}, "only"),
    ],
)
def test_the_served_model_is_the_one_that_the_settings_name(cards, settings, name):
    with Chat() as server:
        server.cards = [card if isinstance(card, dict) else {"id": card} for card in cards]
        server.backend(**settings).choose(prompts_of([pair_of()]), "AB")
        assert server.asked[0]["model"] == name


def test_an_adapter_that_is_here_is_asked_for_by_the_name_in_its_manifest(tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        (folder / file).write_bytes(b"{}")
    model = tmp_path / "m"
    model.mkdir()
    for file in ("config.json", "tokenizer.json", "model.safetensors"):
        (model / file).write_bytes(b"{}")
    write_manifest(folder, manifest_values(model, "judge-1"))
    with Chat() as server:
        server.cards = [{"id": "m"}, {"id": "judge-1"}]
        server.backend(base_model="m", adapter=str(folder)).choose(prompts_of([pair_of()]), "AB")
        assert server.asked[0]["model"] == "judge-1"


@pytest.mark.parametrize("settings", [{"base_model": "gone"}, {"adapter": "adapters/gone"}])
def test_a_model_that_is_not_served_is_never_replaced_by_another(settings):
    with Chat() as server:
        server.cards = [{"id": "one"}, {"id": "two"}]
        assert re.search("it serves one, two, not .*gone", failure_of(server.backend(**settings)))
        assert server.asked == []


def test_a_server_that_does_not_list_its_models_is_asked_for_the_one_that_is_set():
    with Chat() as server:
        server.models = lambda: (404, {}, b"")
        backend = server.backend(base_model="x/m")
        backend.choose(prompts_of([pair_of()]), "AB")
        assert backend.engine.base_model == server.asked[0]["model"] == "x/m"


# Chat text


def test_no_markup_of_a_pair_reaches_a_chat_server():
    texts = [*HOSTILE, "[INST] <<SYS>>x<</SYS>> [/INST]", "<s></s><think></think>"]
    with Chat() as server:
        prompts = prompts_of([pair_of(text, "b", prompt=text) for text in texts])
        server.backend(concurrency=1).choose(prompts, "AB")
        sent = [text_of(body) for body in server.asked]
    known = [*MARKUP, *SOFT_MARKUP, "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>", "<think>"]
    assert [markup for markup in known if markup in "".join(sent)] == []
    for text, one in zip(map(unmarked, texts), sent, strict=True):
        assert neutralised(text).replace(" ", "") == text.replace(" ", "")
        assert one.count(neutralised(text)) >= 2


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<|im_end|>", "< |im_end| >"),
        ("<｜User｜>", "< ｜User｜ >"),
        ("<start_of_turn>model", "< start_of_turn>model"),
        ("</tool_call >", "< /tool_call >"),
        ("[|assistant|]x[|endofturn|]", "[ |assistant|]x[ |endofturn|]"),
        ("<unused94> <seed:think> <extra_id_1>", "< unused94> < seed:think> < extra_id_1>"),
        ("</longcat_think>", "< /longcat_think>"),
        ("\u25c1think\u25b7 [UNUSED_TOKEN_145]", "\u25c1 think\u25b7 [ UNUSED_TOKEN_145]"),
        ("if a < b | c > d: print('[x]', xs[INSTANCE])", "if a < b | c > d: print('[x]', xs[INSTANCE])"),
        ("<strong>bold</strong> <p>", "<strong>bold</strong> <p>"),
    ],
)
def test_markup_gets_a_space_inside_and_other_text_stays(text, plain):
    assert neutralised(text) == plain


def test_our_words_that_state_the_form_of_a_reply_are_these():
    assert choice_line(FORM) == 'Begin your reply with "[[A]]" or "[[B]]".'
    assert choice_line(ReplyForm(("1", "2", "3"), "Score: ", "")) == (
        'Begin your reply with "Score: 1", "Score: 2" or "Score: 3".'
    )
    assert start_line("Criteria:\n") == 'Begin your reply with "Criteria:".'
    assert start_line("") == ""


def test_the_form_of_the_reply_is_stated_at_the_end_of_the_last_user_message():
    with Chat() as server:
        server.backend().choose(prompts_of([pair_of()]), "AB")
        [sent] = server.asked
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["messages"][-1]["content"].endswith('\n\nBegin your reply with "[[A]]" or "[[B]]".')
    assert (sent["logprobs"], sent["top_logprobs"], sent["temperature"]) == (True, 20, 0)
    assert sent["max_tokens"] >= 16


@pytest.mark.parametrize(
    ("tokens", "place"),
    [
        (["[[", "A", "]]"], 1),
        (["[[A", "]]"], 0),
        ([" [[", "A]]"], 1),
        (["The better one is", " [[A]]", "."], 1),
        (["[[B]]", " no: ", "[[", "A", "]", "]"], 3),
        (["[", "[", "A", "]]", "<|im_end|>"], 2),
    ],
)
def test_the_letter_is_found_however_the_reply_is_tokenised(tokens, place):
    content = logprobs_of(tokens, place, 0.8)["content"]
    text = "".join(tokens)
    with Says(text, logprobs={"content": content}) as server:
        [chosen] = server.backend().choose(prompts_of([pair_of()]), "AB")
    assert chosen.probabilities == pytest.approx((0.8, 0.2))
    assert find_choice(text, FORM).choice == "A"


def token(text, **logprobs):
    return Token(text, tuple((other, math.log(p)) for other, p in logprobs.items()))


def test_alternatives_count_with_a_space_before_them_and_with_what_follows_merged_in():
    alternatives = {"A": 0.3, " A": 0.1, "B": 0.1, "B]]": 0.1, "BB": 0.2, "Bad": 0.1}
    tokens = [token("[["), Token("A", tuple((t, math.log(p)) for t, p in alternatives.items())), token("]]")]
    assert choice_probabilities(tokens, FORM) == pytest.approx((4 / 6, 2 / 6))


def test_a_token_that_may_go_on_to_another_choice_tells_nothing():
    assert choice_probabilities([token("[[A", **{"[[A": 0.55, "[[": 0.44}), token("]]", x=1.0)], FORM) is None
    whole = [token("[[A", **{"[[A": 0.55, "[[": 0.001, "[[B": 0.45}), token("]]", **{"]]": 1.0})]
    assert choice_probabilities(whole, FORM) == pytest.approx((0.55, 0.45))


def read(*top, logprob, text="A"):
    """The alternatives of the letter of a reply, of which the server lists `top`."""
    listed = [{"token": other, "logprob": number} for other, number in top]
    content = [{"token": text, "logprob": logprob, "top_logprobs": listed}]
    [found] = read_reply(chat(text, {"content": content})).tokens
    return found.alternatives


def test_alternatives_count_once_and_those_that_a_server_made_up_not_at_all():
    a, b = math.log(0.6), math.log(0.4)
    assert read(("A", a), ("A", a), ("B", b), logprob=a) == (("A", a), ("B", b))
    assert read(("A", 0.0), ("B", -9999.0), ("C", None), logprob=0.0) == (("A", 0.0),)


@pytest.mark.parametrize(
    "odd",
    [
        [],
        {"content": [{"token": "A", "top_logprobs": {"A": -1.0}}]},
        {"content": [{"token": "A", "top_logprobs": []}]},
        {"content": 3},
        "none",
    ],
)
def test_log_probabilities_of_an_unknown_form_are_none(odd):
    assert read_reply(chat("A", odd)).tokens is None


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": "n/a", "completion_tokens": None}, (0, 0)),
        ([], (0, 0)),
        ({"prompt_tokens": 7, "prompt_tokens_details": [1], "completion_tokens": 2.0}, (7, 2)),
        ({"prompt_tokens": -1, "completion_tokens": 10**13}, (0, 0)),
        ({"prompt_tokens": 1e30, "completion_tokens": True}, (0, 0)),
    ],
)
def test_odd_counts_of_tokens_stop_nothing(usage, counts):
    class Odd(Chat):
        def reply(self, body):
            return super().reply(body) | {"usage": usage}

    with Odd() as server:
        backend = server.backend()
        [found] = backend.choose(prompts_of([pair_of()]), "AB")
        assert (found.tokens_in, found.tokens_out) == counts
        assert backend.tokens_computed == counts[0]


def test_parts_of_a_reply_may_be_missing_or_say_nothing_of_their_type():
    assert read_reply(chat([None, {"text": "[[A]]"}, "."])).text == "[[A]]."
    assert read_reply(chat({"type": "text", "text": "[[A]]"})).text == "[[A]]"


@pytest.mark.parametrize("content", [5, [5]])
def test_a_content_that_is_a_number_is_unparsed_with_that_number(content):
    with Says(content) as server:
        [found] = server.backend().choose(prompts_of([pair_of()]), "AB")
    assert isinstance(found, Unparsed)
    assert found.raw == "5"


def test_what_a_server_says_of_its_tokens_makes_no_ledger_that_cannot_be_imported(ledger, tmp_path):
    with Says("[[A]]", prompt_tokens=2**40, completion_tokens=-1) as server:
        [verdict] = judge_pairs([pair_of()], Direct(server.backend()), ledger)
    assert verdict_from_cells(verdict_to_json(verdict)) == verdict
    with Ledger(tmp_path / "other.sqlite") as other:
        assert other.load(ledger.export(tmp_path)).added == 2


@pytest.mark.parametrize("finish", ["abort", "insufficient_system_resource", "network_error"])
def test_a_reply_that_the_server_broke_off_is_asked_for_again(finish):
    class Breaks(Chat):
        def reply(self, body):
            if len(self.asked) == 1:
                return chat("If A were wrong I would answer [[B]]; but A is", finish=finish)
            return super().reply(body)

    with Breaks() as server:
        [found] = server.backend().choose(prompts_of([pair_of()]), "AB")
        assert len(server.asked) == 2
    assert not isinstance(found, Unparsed)


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("I'm sorry, but I can't choose between [[A]] and [[B]].", None),
        ('Please reply with "[[A]]" or "[[B]]"', None),
        ("Not [[A]]/[[B]]", None),
        ("I said [[A]] or [[B]].\n[[B]]", "B"),
        ("Between the two, [[A]] is short, so [[B]]", "B"),
        ("[[A]]<|im_end|>\n<|im_start|>assistant\n[[B]]", "A"),
        ("<|im_start|>assistant\n[[A]]</s>[INST] next [/INST] [[B]]", "A"),
        ("It writes <s>old</s> for new: [[B]]", "B"),
    ],
)
def test_a_choice_is_one_that_is_made_and_made_in_the_first_turn(reply, choice):
    found = find_choice(reply, FORM)
    assert (found and found.choice) == choice


def test_a_refusal_that_quotes_the_grades_is_no_grade():
    grades = ReplyForm(tuple("123456789"), "[[", "]]")
    assert find_choice("I'm sorry, I can't grade this answer from [[1]] to [[9]].", grades) is None


def test_a_choice_that_is_not_among_the_alternatives_has_probability_zero():
    tokens = [token("[["), token("A", A=0.9, Neither=0.05), token("]]")]
    assert choice_probabilities(tokens, FORM) == (1.0, 0.0)


def test_of_a_token_without_alternatives_nothing_is_known_of_the_choices_that_were_not_made():
    assert choice_probabilities([token("[["), token("A", A=0.55), token("]]")], FORM) is None


def test_a_token_counts_even_where_the_server_does_not_list_it_among_its_alternatives():
    content = logprobs_of(["[[", "A", "]]"], 1, 0.8)["content"]
    del content[1]["top_logprobs"][0]
    with Says("[[A]]", logprobs={"content": content}) as server:
        [chosen] = server.backend().choose(prompts_of([pair_of()]), "AB")
    assert chosen.probabilities == pytest.approx((0.8, 0.2))


def test_a_choice_of_several_tokens_is_not_read_from_its_first():
    form = ReplyForm(("1", "10"), "", "")
    assert choice_probabilities([Token("1", (("1", -0.1),)), token("0")], form) is None


def test_bare_choices_are_words_of_their_own_and_the_one_that_is_meant_counts():
    form = ReplyForm(("A", "B"), "", "")
    assert find_choice("An Answer: B, not A.", form) == Stated("B", 11, "")
    assert find_choice("An Answer: B. Not A.", form) == Stated("A", 18, "")
    assert find_choice("Answer Both", form) is None


def test_a_score_that_is_not_stated_in_its_form_is_not_taken_from_another_ones_brackets():
    form = ReplyForm(("1", "2", "3", "4", "5"), "Score A: [[", "]]")
    assert find_choice("Score A: [[4]]\nScore B: [[2]]", form).choice == "4"
    assert find_choice("**Score A:** [[4]]\n**Score B:** [[2]]", form) is None
    assert find_choice("**Score A:** [[4]]", form).choice == "4"


def test_a_choice_that_a_reply_begins_with_counts_whatever_follows():
    form = ReplyForm(("[[", "Plan"), "", "")
    assert find_choice("[[A]]", form) == Stated("[[", 0, "")
    assert find_choice(" Plan\n1. Plan: has one.\n[[A]]", form) == Stated("Plan", 1, "")
    assert find_choice("<think>[[</think>\nPlan\n", form).choice == "Plan"
    assert find_choice("Planning [[A]]", form) is None


def test_a_reply_without_a_choice_is_unparsed_with_its_reason_and_text():
    with Says("Both are fine.", logprobs=logprobs_of(["Both", " are", " fine."], None, 1)) as server:
        [reading] = Direct(server.backend()).read([(pair_of(), Order.AB)])
    assert isinstance(reading, Unparsed)
    assert (reading.reason, reading.raw) == ("no [[A]] or [[B]] in the reply", "Both are fine.")
    assert (reading.tokens_in, reading.tokens_out) == (50, 4)


# Grades of single answers


class Grader(Fake):
    """A chat server whose model grades an answer of more letters higher."""

    def reply(self, body):
        answer = re.search(r"\[Answer\]\n(.*?)\n\[End of answer\]", text_of(body), re.DOTALL)[1]
        grade = min(8, 2 + len(answer))
        shares = {str(grade - 1): 0.25, str(grade): 0.5, str(grade + 1): 0.25}
        top = [{"token": token, "logprob": math.log(share)} for token, share in shares.items()]
        content = [
            {"token": token, "logprob": 0.0, "top_logprobs": top if token == str(grade) else []}
            for token in ("[[", str(grade), "]]")
        ]
        return chat(f"[[{grade}]]", {"content": content})


def test_a_chat_server_grades_each_answer_once_by_its_log_probabilities():
    pairs = [pair_of("aaa", "b", id="one"), pair_of("b", "cc", id="two")]
    with Grader() as server:
        one, two = judge_pairs(pairs, Score(server.backend()))
        asked = [text_of(body) for body in server.asked]
    assert (one.outcome, two.outcome) == ("A", "B")
    assert one.readings[Order.AB].raw == "5.00 : 3.00"
    assert len(asked) == 3
    assert all(
        text.endswith(
            'Begin your reply with "[[1]]", "[[2]]", "[[3]]", "[[4]]", "[[5]]", "[[6]]", '
            '"[[7]]", "[[8]]" or "[[9]]".'
        )
        for text in asked
    )


@pytest.mark.slow
def test_a_vllm_server_is_asked_for_the_nine_grades_and_no_other_token(tiny):
    with Vllm() as server:
        backend = server.backend(base_model=str(tiny))
        [verdict] = judge_pairs([pair_of("yes", "no")], Score(backend))
        asked = [body for body in server.asked if "logprob_token_ids" in body]
    letters = PromptEncoder(make_tokenizer(), 4096, "trim").choice_ids(GRADES, "[[")
    assert [body["allowed_token_ids"] for body in asked] == [letters] * 2
    assert verdict.outcome == "TIE"  # this model says the same of every answer


@pytest.mark.parametrize("character", [Voter, Refuser])
def test_a_server_without_logprobs_is_asked_five_times_and_the_shares_count(character):
    with character() as server:
        backend = server.backend(concurrency=1)
        one, other = backend.choose(prompts_of(FOUR_PAIRS[:2]), "AB")
        assert one.probabilities == other.probabilities == (0.75, 0.25)
        assert (one.tokens_in, one.tokens_out) == (5 * 50, 5 * 4)
        n_before = len(server.asked)
        backend.choose(prompts_of(FOUR_PAIRS[2:3]), "AB")
        again = server.asked[n_before:]
    assert [one.get("seed") for one in again] == list(range(SAMPLES))
    assert all("logprobs" not in one for one in again)
    assert all(("max_completion_tokens" in one) == (character is Refuser) for one in again)


def test_votes_of_which_none_is_readable_are_unparsed():
    with Says("Who knows?") as server:
        [unparsed] = server.backend().choose(prompts_of([pair_of()]), "AB")
    assert unparsed.reason == "no [[A]] or [[B]] in any of 5 replies"


def test_a_mark_that_a_reply_ends_in_does_not_double_it():
    reply = "1. Correctness: is right.\n2. Form: is short.<|im_end|>"
    assert without_start(reply, "1.") == reply.removeprefix("1.")
    assert spoken(without_start(reply, "1.")) == " Correctness: is right.\n2. Form: is short."


def test_free_text_comes_without_the_start_that_it_repeats():
    prompt = Prompt((("user", (Span("List."),)),), reply_start="Criteria:\n")
    for said, text in (("Criteria:\n1. x", "1. x"), (" Criteria: 1. x", " 1. x"), ("1. x", "1. x")):
        assert without_start(said, prompt.reply_start) == text
        thought = f"<think>\nhm\n</think>\n\n{said}"
        assert spoken(without_start(thought, prompt.reply_start)).strip() == text.strip()
        with Says(said) as server:
            [completion] = server.backend().complete([prompt], Sampling())
            assert text_of(server.asked[0]).endswith('Begin your reply with "Criteria:".')
        assert (completion.text, completion.is_ended) == (text, True)


def test_a_reply_that_was_cut_says_so_and_lone_surrogates_are_replaced():
    with Says("half \ud83d", finish="length") as server:
        [completion] = server.backend().complete(prompts_of([pair_of("\udc00")]), Sampling())
    assert (completion.text, completion.is_ended) == ("half ?", False)


def test_equal_prompts_get_draws_of_their_own_that_depend_on_the_seed_alone():
    def seeds(sampling):
        with Says("x") as server:
            server.backend(concurrency=1).complete(prompts_of([pair_of()] * 3), sampling)
            return [one.get("seed") for one in server.asked]

    hot = seeds(Sampling(temperature=1, seed=1))
    assert len(set(hot)) == 3
    assert seeds(Sampling(temperature=1, seed=1)) == hot != seeds(Sampling(temperature=1, seed=2))
    assert seeds(Sampling(seed=1)) == [None] * 3


def test_a_prompt_that_is_too_long_is_trimmed_or_refused_by_its_characters():
    long = [pair_of("a" * 20_000 + "end", "short", id="big")]
    with Chat() as server:
        [reading] = Direct(server.backend(max_prompt_tokens=1000)).read([(long[0], Order.AB)])
        assert reading.is_trimmed
        assert reading.cut.read <= 1000
        assert 20_000 < 3 * reading.cut.whole < 22_000  # three characters a token
        sent = text_of(server.asked[0])
        assert 2_900 < len(sent) <= 3_000 + len("\n")  # between the two messages, here
        assert TRIM_MARK in sent
        assert "aaend\n[End" in sent
        assert "\nshort\n" in sent
        strict = server.backend(strict=True, max_prompt_tokens=1000, overflow="error")
        with pytest.raises(PromptTooLong, match="pair big in order AB: about 6"):
            strict.choose(prompts_of(long), "AB")
        with pytest.raises(PromptTooLong, match="leaves no room"):
            server.backend(max_prompt_tokens=100, strict=True).choose(prompts_of(long), "AB")
        assert len(server.asked) == 1
        backend = server.backend(max_prompt_tokens=1000, overflow="error")
        unread, read = backend.choose(prompts_of([*long, pair_of()]), "AB")
        assert unread.reason.startswith("the prompt is too long (about 6")
        assert sum(read.probabilities) == pytest.approx(1)
        unread, reply = backend.complete(prompts_of([*long, pair_of()]), Sampling())
        assert unread.reason.startswith("the prompt is too long (about 6")
        assert reply.is_ended


# Token ids


@pytest.mark.slow
def test_a_vllm_server_gets_the_very_token_ids_and_gives_exactly_the_letters(tiny):
    prompts = prompts_of([pair_of(text, "b", id=str(i)) for i, text in enumerate(HOSTILE)])
    encoder = PromptEncoder(make_tokenizer(), 4096, "trim")
    with Vllm() as server:
        backend = server.backend(base_model=str(tiny), concurrency=1)
        chosen = backend.choose(prompts, "AB")
        encoded = encoder.encode(prompts)
        asked = [one for one in server.asked if one["path"] == "/v1/completions"]
        assert [one["prompt"] for one in asked] == [list(one.ids) for one in encoded]
        assert asked[0]["allowed_token_ids"] == encoder.choice_ids("AB", "[[")
        assert backend.tokens_computed == sum(len(one.ids) - 10 for one in encoded)
    for one, ids, prompt in zip(chosen, encoded, prompts, strict=True):
        assert one.probabilities == pytest.approx((1 / (1 + math.exp(-2)), 1 / (1 + math.exp(2))))
        assert (one.tokens_in, one.tokens_out) == (ids.n_prompt, encoder.n_reply_tokens(prompt, "A"))


@pytest.mark.parametrize(("max_new_tokens", "is_ended"), [(40, True), (9, False)])
@pytest.mark.slow
def test_a_vllm_servers_text_keeps_markup_but_not_the_end_of_its_turn(tiny, max_new_tokens, is_ended):
    n_words = len(make_tokenizer().encode(Vllm.words))
    with Vllm() as server:
        backend = server.backend(base_model=str(tiny))
        [completion] = backend.complete(prompts_of([pair_of()]), Sampling(max_new_tokens))
        assert server.asked[-1]["repetition_penalty"] == 1.0
    assert completion.text == (Vllm.words if is_ended else "Line one.")
    assert completion.is_ended is is_ended
    assert completion.tokens_out == (n_words + 1 if is_ended else 9)


@pytest.mark.slow
def test_a_vllm_model_that_is_cut_off_while_it_thinks_is_asked_again_with_room(tiny):
    class Thinker(Vllm):
        words = "<think>one two three four five six seven eight</think>[[A]]"

    with Thinker() as server:
        [reply] = server.backend(base_model=str(tiny)).complete(prompts_of([pair_of()]), Sampling(9))
        asked = [body["max_tokens"] for body in server.asked if "max_tokens" in body]
    assert asked == [9, 9 + ROOM]
    assert (reply.text, reply.is_ended) == (Thinker.words, True)


@pytest.mark.slow
def test_a_vllm_server_that_knows_no_chosen_tokens_is_named_as_too_old(tiny):
    with Vllm() as server:
        server.reply = lambda body: {"choices": [{"logprobs": {"top_logprobs": [{"token_id:0": -0.1}]}}]}
        assert "Update it to vllm 0.30" in failure_of(server.backend(base_model=str(tiny)))


@pytest.mark.slow
def test_a_vllm_model_with_another_tokenizer_is_refused_before_any_question(tiny):
    with Vllm() as server:
        server.tokenizer.encode = lambda text: [1, 2, 3]
        assert "m has another tokenizer than" in failure_of(server.backend(base_model=str(tiny)))
        assert [one["path"] for one in server.asked] == ["/tokenize"]


@pytest.mark.slow
def test_a_vllm_server_that_does_not_show_its_tokenizer_is_taken_on_trust(tiny):
    class Shy(Vllm):
        def answer(self, path, body):
            return (404, {}, b"") if path == "/tokenize" else super().answer(path, body)

    with Shy() as server:
        assert len(server.backend(base_model=str(tiny)).choose(prompts_of(FOUR_PAIRS), "AB")) == 4


@pytest.mark.slow
def test_a_vllm_model_of_another_name_is_asked_but_never_said_to_be_ours(tiny):
    with Vllm() as server:
        server.cards = [{"id": "other", "owned_by": "vllm"}]
        backend = server.backend(base_model=str(tiny))
        backend.choose(prompts_of([pair_of()]), "AB")
        assert server.asked[-1]["model"] == "other"
    assert (backend.engine.base_model, backend.engine.base_model_hash) == ("other", "")


@pytest.mark.slow
def test_a_vllm_prompt_that_is_too_long_is_trimmed_and_says_so(tiny):
    with Vllm() as server:
        backend = server.backend(base_model=str(tiny), max_prompt_tokens=1200)
        [chosen] = backend.choose(prompts_of([pair_of("a" * 9000)]), "AB")
    assert chosen.is_trimmed
    assert chosen.tokens_in == chosen.cut.read <= 1200 < chosen.cut.whole


# Many at a time


@pytest.mark.slow
def test_results_come_in_the_prompts_order_whatever_order_the_answers_came_in():
    class Shuffling(Chat):
        def reply(self, body):
            time.sleep(random.random() * 0.03)
            return super().reply(body)

    prompts = prompts_of(scored_pairs(40))
    with Shuffling() as server:
        chosen = server.backend().choose(prompts, "AB")
        free = server.backend().complete(prompts, Sampling())
    assert [one.probabilities[0] for one in chosen] == pytest.approx([(i + 10) / 100 for i in range(40)])
    assert len(free) == 40


def test_requests_at_a_time_reach_the_limit_and_never_pass_it():
    class Slow(Chat):
        def reply(self, body):
            time.sleep(0.02)
            return super().reply(body)

    with Slow() as server:
        server.backend(concurrency=4).choose(prompts_of(scored_pairs(24)), "AB")
        assert server.most_in_flight == 4


def test_one_pair_that_was_added_is_the_only_one_that_is_asked_for(ledger):
    with Chat() as server:
        judge_pairs(scored_pairs(9), Direct(server.backend()), ledger)
        n_before = len(server.asked)
        more = judge_pairs(scored_pairs(10), Direct(server.backend()), ledger)
        assert len(server.asked) == n_before + 2
        assert more == judge_pairs(scored_pairs(10), Direct(server.backend()))


def test_equal_prompts_are_asked_once():
    with Chat() as server:
        same, *others = server.backend().choose(prompts_of([pair_of()] * 3), "AB")
        assert len(server.asked) == 1
    assert others == [same, same]


def test_requests_are_spaced_so_that_no_minute_has_more_than_the_limit():
    waits = []

    async def note(seconds):
        waits.append(seconds)

    with Chat() as server:
        backend = server.backend(
            Patience(clock=lambda: 100.0, sleep=note), requests_per_minute=30, concurrency=8
        )
        backend.choose(prompts_of(scored_pairs(5)), "AB")
    assert sorted(waits) == [2.0, 4.0, 6.0, 8.0, 10.0]  # the question for the models was the first


def test_a_caller_that_runs_an_event_loop_itself_gets_its_answers_and_keeps_its_loop():
    async def in_a_notebook():
        with Chat() as server:
            chosen = server.backend().choose(prompts_of(scored_pairs(3)), "AB")
        await asyncio.sleep(0)
        return chosen

    assert [one.probabilities[0] for one in asyncio.run(in_a_notebook())] == pytest.approx([0.10, 0.11, 0.12])


def test_threads_share_one_backend_and_its_limit():
    with Chat() as server:
        backend = server.backend(concurrency=2)
        found = {}

        def ask(n):
            found[n] = backend.choose(prompts_of(scored_pairs(n)), "AB")

        threads = [threading.Thread(target=ask, args=(n,)) for n in (3, 4, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.most_in_flight <= 2
    assert {n: len(chosen) for n, chosen in found.items()} == {3: 3, 4: 4, 5: 5}


def test_tokens_computed_leaves_out_what_the_server_had_cached():
    with Says("x", prompt_tokens=100, prompt_tokens_details={"cached_tokens": 64}) as server:
        backend = server.backend()
        backend.complete(prompts_of([pair_of()] * 2), Sampling())
    assert backend.tokens_computed == 72


# Failures


@pytest.mark.slow
def test_a_misbehaving_server_loses_and_doubles_no_judgment(ledger):
    pairs = scored_pairs(25)
    with Chat() as calm:
        undisturbed = judge_pairs(pairs, Direct(calm.backend()))
    with Misbehaving(seed=7) as server:
        judge = Direct(server.backend(Patience(sleep=blink, deadline_s=1.5), concurrency=8))
        assert judge_pairs(pairs, judge, ledger) == undisturbed
        assert set(server.seen) == {"fine", *server.ways}
        assert len(server.served) == 2 * len(pairs)
    [summary] = ledger.summary()
    assert summary.n_readings == 2 * len(pairs)
    assert judge.backend.tokens_computed == 50 * 2 * len(pairs)  # one answer each was taken


@pytest.mark.slow
def test_a_server_that_went_down_leaves_no_failure_behind_and_the_same_command_goes_on(ledger):
    pairs = scored_pairs(16, filling=50_000)  # four pairs or fewer a batch
    settings = {"max_prompt_tokens": 100_000, "concurrency": 2}
    with Chat() as calm:
        undisturbed = judge_pairs(pairs, Direct(calm.backend(**settings)))
    with Dying(n_answers=13) as server:
        judge = Direct(server.backend(**settings))
        with pytest.raises(BackendError, match="6 attempts failed"):
            judge_pairs(pairs, judge, ledger)
        [summary] = ledger.summary()
        assert 0 < summary.n_readings < 2 * len(pairs)
        assert summary.n_unparsed < MOST_FAILED  # hung up on at the end of a batch, and asked again
        server.n_left, server.n_answered = 1000, 0
        assert judge_pairs(pairs, Direct(server.backend(**settings)), ledger) == undisturbed
        again = server.n_answered - (2 * len(pairs) - summary.n_readings)
        assert summary.n_unparsed <= again <= 2 * summary.n_unparsed
    assert ledger.summary()[0].n_readings == 2 * len(pairs)


def test_a_server_that_is_not_there_is_one_line_with_what_to_do():
    with Chat() as server:
        url = server.url
    backend = ServerBackend(url, patience=QUICK)
    message = failure_of(backend)
    assert message.startswith(f"{url}: no answer (Connect")
    assert "6 attempts failed" in message


NOTHING_LEFT = {"finish_reason": "content_filter: PROHIBITED_CONTENT"}
OF_PROVIDER = {
    "message": "Provider returned error",
    "code": 400,
    "metadata": {"raw": '{"error": {"message": "no", "code": "content_policy_violation"}}'},
}
BLOCKING = [
    (403, {"code": "no permission", "error": "Content violates usage guidelines. SAFETY_CHECK_TYPE_BIO"}),
    (500, {"error": {"message": "the request exceeds the available context size"}}),
    (200, {"error": {"message": "maximum context length", "code": "context_length_exceeded"}}),
    (200, {"error": {"message": "maximum context length", "code": "400"}}),
    (200, {"choices": [NOTHING_LEFT]}),
    (200, {"choices": [NOTHING_LEFT | {"message": None}]}),
    (200, {"choices": [], "prompt_filter_results": [{"content_filter_results": {}}]}),
    (400, {"error": OF_PROVIDER}),
    (400, {"error": {"message": "filtered due to the content management policy", "code": "content_filter"}}),
    (400, {"error": {"message": "no", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
    (400, {"error": {"message": "maximum context length is 2048 tokens", "code": "context_length_exceeded"}}),
    (400, {"error": {"message": "the request exceeds the available context size", "type": "exceed_context"}}),
    (403, {"error": {"message": "Your chosen model requires moderation and your input was flagged"}}),
    (422, {"detail": "something about this prompt alone"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("status", "body"), BLOCKING)
def test_a_prompt_that_a_server_blocks_is_unparsed_and_stops_no_other(status, body):
    class Picky(Chat):
        def answer(self, path, asked):
            blocked = "score 12 " in text_of(asked)
            return (status, {}, body) if blocked else super().answer(path, asked)

    with Picky() as server:
        prompts = prompts_of(scored_pairs(20))
        for found in (server.backend().choose(prompts, "AB"), server.backend().complete(prompts, Sampling())):
            [place] = [place for place, one in enumerate(found) if isinstance(one, Unparsed)]
            assert "score 12 " in str(prompts[place].messages)
            assert found[place].reason.startswith(("the prompt is too long", "the server"))
            assert "pair " not in found[place].reason.partition("(")[0]
            assert "\n" not in found[place].reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"choices": [], "usage": {"prompt_tokens": 9}}, "the server sends no reply"),
        (chat("[[", finish="error"), "the server failed while it replied"),
    ],
)
def test_a_prompt_that_gets_no_reply_six_times_is_unparsed_and_stops_no_other(answer, reason):
    class Mute(Chat):
        every = False

        def reply(self, body):
            return answer if self.every or "score 12 " in text_of(body) else super().reply(body)

    with Mute() as server:
        prompts = prompts_of(scored_pairs(20))
        found = server.backend().choose(prompts, "AB")
        [one] = [one for one in found if isinstance(one, Unparsed)]
        assert one.reason == reason
        assert f"order AB: {server.url}: {reason}, 6 attempts failed" in failure_of(
            server.backend(strict=True), prompts
        ).replace("BA", "AB")
        server.every = True
        assert f"{reason}, 6 attempts failed" in failure_of(server.backend(), prompts)


@pytest.mark.slow
def test_a_log_probability_that_is_no_number_is_none_and_the_reply_is_read():
    class Odd(Chat):
        def reply(self, body):
            told = super().reply(body)
            told["choices"][0]["logprobs"]["content"][1]["top_logprobs"][0]["logprob"] = math.nan
            return told

    with Odd() as server:
        [found] = server.backend().choose(prompts_of([pair_of()]), "AB")
    assert not isinstance(found, Unparsed)


def test_a_refusal_of_every_prompt_for_an_unknown_reason_stops_the_run_and_a_known_one_does_not():
    class Refuses(Chat):
        message = "strange"

        def answer(self, path, body):
            if path.endswith("/models"):
                return super().answer(path, body)
            return 400, {}, {"error": {"message": self.message}}

    with Refuses() as server:
        assert "strange" in failure_of(server.backend(), prompts_of(scored_pairs(3)))
    Refuses.message = "maximum context length is 10 tokens"
    with Refuses() as server:
        found = server.backend().choose(prompts_of(scored_pairs(3)), "AB")
        assert {one.reason.partition(" (")[0] for one in found} == {"the prompt is too long for the server"}


@pytest.mark.slow
def test_a_failure_stops_the_others_and_leaves_nothing_unclosed(caplog):
    class Picky(Chat):
        def answer(self, path, body):
            if "score 12 " in text_of(body):
                return 400, {}, {"error": {"message": "maximum context length"}}
            time.sleep(0.05)
            return super().answer(path, body)

    with Picky() as server:
        message = failure_of(server.backend(concurrency=3, strict=True), prompts_of(scored_pairs(60)))
        assert len(server.asked) < 20
    gc.collect()
    assert caplog.records == []
    assert "pair p2 in order AB" in message
    assert "maximum context length" in message
    assert "--max-prompt-tokens" in message


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {"error": {"message": "who are you?"}}, ["401", "who are you?", "OPENAI_API_KEY is not set"]),
        (404, {"error": {"message": "no such model"}}, ["404", "no such model", "Served: m."]),
        (400, {"message": "bad\nrequest"}, ["400", "bad request"]),
        (422, {"detail": [{"msg": "extra field"}]}, ["422", "extra field"]),
        (400, b"<html>\n<h1>Bad</h1>", ["400", "<h1>Bad</h1>"]),
    ],
)
def test_a_refusal_is_one_line_at_the_first_attempt(status, body, words):
    with Fails(status, body) as server:
        message = failure_of(server.backend())
        assert len(server.asked) == 1
    assert [word for word in [server.url, "pair p in order AB", *words] if word not in message] == []


@pytest.mark.slow
@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_may_pass_is_asked_again_and_then_named(status):
    with Fails(status, {"error": {"message": "try later"}}) as server:
        message = failure_of(server.backend(Patience(attempts=3, sleep=blink)))
        assert len(server.asked) == 3
    assert f"status {status} (try later), 3 attempts failed" in message


def test_backoff_doubles_up_to_its_limit_with_jitter():
    waits = []

    async def note(seconds):
        waits.append(seconds)

    with Fails(500) as server:
        failure_of(server.backend(Patience(attempts=6, sleep=note, first_wait_s=1, longest_wait_s=5)))
    for wait, ceiling in zip(waits, [1, 2, 4, 5, 5], strict=True):
        assert ceiling / 2 <= wait <= ceiling


@pytest.mark.parametrize("header", ["20", formatdate(1_000_020, usegmt=True)])
def test_retry_after_is_honoured_as_seconds_and_as_a_date(header):
    waits = []

    async def note(seconds):
        waits.append(seconds)

    patience = Patience(attempts=2, sleep=note, now=lambda: 1_000_000.0, clock=lambda: 5.0)
    with Fails(429, headers={"retry-after": header}) as server:
        failure_of(server.backend(patience))
    assert min(waits) >= 20
    for no_time in ("soon", f"Mon, {'9' * 20} Jan 2020 00:00:00 GMT"):
        with Fails(429, headers={"retry-after": no_time}) as server:
            assert "6 attempts failed" in failure_of(server.backend(QUICK))


def test_a_pause_longer_than_patience_is_an_error_at_once():
    with Fails(429, {"error": "quota"}, {"retry-after": "3600"}) as server:
        message = failure_of(server.backend())
        assert len(server.asked) == 1
    assert "it wants a pause of 3600 s (status 429: quota)" in message


@pytest.mark.slow
def test_a_server_that_drips_does_not_hang_the_judge():
    class Dripping(Misbehaving):
        def answer(self, path, body):
            return 200, {"content-length": 1000}, b"\0drip" + b" " * 1000

    with Dripping(seed=0) as server:
        started = time.monotonic()
        message = failure_of(server.backend(Patience(attempts=2, deadline_s=0.2, sleep=blink)))
        assert time.monotonic() - started < 5
    assert "no whole answer within 0.2 s, 2 attempts failed" in message


# The key


SECRET = "sk-very-secret-0123456789"


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
def test_a_server_that_echoes_the_key_gets_it_into_no_message(monkeypatch, caplog, status):
    caplog.set_level(logging.DEBUG)
    echo = {"error": {"message": "x" * 265 + f" your key is Bearer {SECRET} {SECRET}"}}
    with key(monkeypatch, SECRET), Fails(status, echo) as server:
        backend = server.backend(Patience(attempts=2, sleep=blink))
        with pytest.raises(BackendError) as caught:
            backend.choose(prompts_of([pair_of()]), "AB")
        told = [*traceback.format_exception(caught.value), repr(backend), repr(backend.engine), caplog.text]
    assert "sk-very" not in "\n".join(told)


def test_the_key_is_sent_to_the_server_and_kept_out_of_the_ledger(monkeypatch, tmp_path):
    class Echo(Voter):
        def reply(self, body):
            return chat(f"[[A]] {SECRET}")

    with key(monkeypatch, f"{SECRET}\n"), Echo() as server, Ledger(tmp_path / "ledger.sqlite") as ledger:
        sent = []
        server.models = lambda: (200, {}, {"data": [{"id": "m"}]})
        handle = server.http.RequestHandlerClass.do_POST
        server.http.RequestHandlerClass.do_POST = lambda self: (
            sent.append(self.headers["authorization"]) or handle(self)
        )
        [completion] = server.backend().complete(prompts_of([pair_of()]), Sampling())
        [verdict] = judge_pairs([pair_of()], Direct(server.backend()), ledger)
    assert set(sent) == {f"Bearer {SECRET}"}
    assert completion.text == "A]] [OPENAI_API_KEY]"
    assert isinstance(verdict.readings[Order.AB], Judgment)
    assert not any(SECRET.encode() in file.read_bytes() for file in tmp_path.iterdir())


def test_a_key_that_can_be_none_is_refused_without_showing_it(monkeypatch):
    with key(monkeypatch, "two words"), pytest.raises(InputError, match="OPENAI_API_KEY") as caught:
        _ = ServerBackend("http://127.0.0.1:9/v1").engine
    assert "two" not in str(caught.value)


# What one prompt alone meets, and what all meet


class Odd(Chat):
    """Answers what has BLOCKED in it in an odd way, and all else well."""

    def __init__(self, odd):
        super().__init__()
        self.odd = odd

    def answer(self, path, body):
        return self.odd if "BLOCKED" in text_of(body) else super().answer(path, body)


WALL = b"<html><body><h1>403 Forbidden</h1>cloudflare</body></html>"


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ((500, {}, {"error": "out of order"}), "status 500 (out of order)"),
        ((502, {"content-type": "text/html"}, b"<html>Bad gateway</html>"), "status 502 ("),
        ((403, {"content-type": "text/html"}, WALL), "the server refuses the prompt ("),
        (
            (403, {}, {"error": {"message": "Forbidden by policy"}}),
            "the server refuses the prompt (Forbidden",
        ),
        ((200, {"content-type": "text/html"}, WALL), "an answer that is cut or no JSON: <html>"),
        ((200, {}, {"error": "Provider returned error"}), "an answer of another form ("),
        ((200, {}, {"choices": None}), "the server sends no reply"),
        ((200, {}, {"choices": [{"message": None, "finish_reason": "stop"}]}), "the server sends no reply"),
        ((200, {}, b'data: {"choices": []}'), "an answer that is a stream, which was not asked for: data: {"),
        (None, "no answer ("),  # the connection is dropped
    ],
)
@pytest.mark.parametrize("place", [0, 7])
def test_one_prompt_that_a_server_cannot_answer_stops_no_other(odd, reason, place):
    pairs = [pair_of("one " * (20 - n), "two", f"Question {n}?", id=f"p{n}") for n in range(9)]
    pairs[place] = pair_of("one " * (20 - place), "BLOCKED", "Question?", id="bad")
    with Odd(odd) as server:
        verdicts = judge_pairs(pairs, Direct(server.backend(concurrency=1)))
    assert [verdict.pair_id for verdict in verdicts if verdict.outcome is None] == ["bad"]
    for reading in verdicts[place].readings.values():
        assert reading.reason.startswith(reason)
        assert "127.0.0.1" not in reading.reason


def test_what_a_server_says_nothing_of_is_no_raw_reply():
    with Odd((451, {}, b"")) as server:
        pairs = [pair_of("one", "two"), pair_of("one", "BLOCKED", id="bad")]
        bad = judge_pairs(pairs, Direct(server.backend()))[1]
    assert {(type(reading), reading.raw) for reading in bad.readings.values()} == {(Unparsed, "")}


@pytest.mark.parametrize("odd", [(500, {}, {"error": "out of order"}), (403, {}, {"error": "no such right"})])
def test_what_three_prompts_in_a_row_meet_stops_the_run(odd):
    pairs = [pair_of("one", "BLOCKED", f"Question {n}?", id=f"p{n}") for n in range(9)]
    with Odd(odd) as server:
        with pytest.raises(BackendError, match=r"^pair p\d in order (AB|BA): http"):
            judge_pairs([pair_of("one", "two"), *pairs], Direct(server.backend(concurrency=1)))
        attempts = QUICK.attempts if odd[0] == 500 else 1
        assert len([one for one in server.asked if "BLOCKED" in text_of(one)]) <= 3 * attempts


def test_a_server_that_is_strictly_asked_stops_at_the_first():
    with Odd((500, {}, {"error": "out of order"})) as server:
        pairs = [pair_of("one", "two"), pair_of("one", "BLOCKED", id="bad")]
        with pytest.raises(BackendError, match="out of order"):
            judge_pairs(pairs, Direct(server.backend(concurrency=1, strict=True)))


def test_a_server_that_calls_alternatives_otherwise_gets_as_many_as_it_allows():
    class TextGeneration(Chat):
        def answer(self, path, body):
            if body.get("top_logprobs", 0) > 5:
                said = "Input validation error: `top_n_tokens` must be >= 0 and <= 5. Given: 20"
                return 422, {}, {"error": said, "error_type": "validation"}
            return super().answer(path, body)

    with TextGeneration() as server:
        backend = server.backend()
        [found] = backend.choose(prompts_of([pair_of()]), "AB")
        assert not isinstance(found, Unparsed)
        assert "top-logprobs-5" in backend.engine.backend
