"""Servers with habits that OpenAI's protocol does not know: what they refuse, think and list."""

from __future__ import annotations

import json
import math
import sys
from typing import ClassVar

import pytest
from pairs import FOUR_PAIRS, pair_of
from test_openai_server import Chat, Fake, Says, Voter, chat, failure_of, logprobs_of, prompts_of, text_of

from judge.api import Judge
from judge.backends import EngineChanged, Sampling
from judge.backends.endpoint import ROOM, weights_hash_of
from judge.backends.habits import Habits, in_words, names_in
from judge.evaluate import judge_pairs
from judge.ledger.ledger import Ledger
from judge.methods.auto import Auto
from judge.methods.bsm import BranchSolveMerge, plan_in, render_branch
from judge.methods.cot import ChainOfThought
from judge.methods.direct import Direct
from judge.prompts.parsing import spoken
from judge.records import Judgment, Order, Prompt, Span, Status, Unparsed

pytestmark = pytest.mark.slow  # a server for each


@pytest.fixture(autouse=True)
def _neither_key_nor_proxy(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        yield ledger


def told(message, **more):
    return {"error": {"message": message, **more}}


def has_system(body):
    return any(message["role"] == "system" for message in body["messages"])


def sends(name):
    return lambda body: name in body


class Refusing(Chat):
    """A chat server with log-probabilities that refuses some requests, and says so as a real one does."""

    def __init__(self, *refusals):
        super().__init__()
        self.refusals, self.n_refused = refusals, 0

    def answer(self, path, body):
        for is_refused, status, said in self.refusals:
            if is_refused(body):
                with self.lock:
                    self.n_refused += 1
                return status, {}, said
        return super().answer(path, body)

    def reply(self, body):
        """Without log-probabilities where none were asked for."""
        answer = super().reply(body)
        if "logprobs" not in body:
            answer["choices"][0]["logprobs"] = None
        return answer


# One kind of refusal a line, in the words of OpenAI and Azure, LiteLLM, FastAPI servers, xAI, Google, vLLM,
# TGI, llama.cpp, LM Studio and Mistral's chat templates.
REFUSALS = {
    "limit's name": (
        sends("max_tokens"),
        400,
        told("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", param="max_tokens"),
        "max-completion-tokens",
    ),
    "limit's name, in Azure's words": (
        sends("max_tokens"),
        400,
        told("'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
        "max-completion-tokens",
    ),
    "any limit": (
        lambda body: "max_tokens" in body or "max_completion_tokens" in body,
        422,
        {"detail": "Extra inputs are not permitted: max_tokens, max_completion_tokens"},
        "no-max-completion-tokens",
    ),
    "a value of temperature": (
        lambda body: body.get("temperature") == 0,
        400,
        told(
            "'temperature' does not support 0 with this model. Only the default (1) is.", param="temperature"
        ),
        "no-temperature",
    ),
    "temperature 0": (
        lambda body: body.get("temperature") == 0,
        422,
        {
            "error": "Input validation error: `temperature` must be strictly positive",
            "error_type": "validation",
        },
        "no-temperature",
    ),
    "logprobs, as access": (
        sends("logprobs"),
        403,
        told("You are not allowed to request logprobs from this model."),
        "no-logprobs",
    ),
    "logprobs, by a gateway": (
        sends("logprobs"),
        400,
        told("UnsupportedParamsError: some does not support parameters: ['logprobs', 'top_logprobs']"),
        "no-logprobs",
    ),
    "logprobs, in a list": (
        sends("logprobs"),
        400,
        [told("Logprobs is not supported for the current model.", status="INVALID_ARGUMENT", code=400)],
        "no-logprobs",
    ),
    "logprobs, in camel case": (
        sends("logprobs"),
        400,
        {"code": "invalid", "error": "Argument not supported on this model: topLogprobs, logprobs"},
        "no-logprobs",
    ),
    "logprobs, never made": (sends("logprobs"), 501, told("logprobs: no such feature"), "no-logprobs"),
    "many alternatives": (
        lambda body: body.get("top_logprobs", 0) > 5,
        400,
        told("Requested sample logprobs of 20, which is greater than max allowed: 5"),
        "top-logprobs-5",
    ),
    "alternatives over a range": (
        lambda body: body.get("top_logprobs", 0) > 8,
        400,
        told("Invalid 'top_logprobs': it must be between 0 and 8.", param="top_logprobs"),
        "top-logprobs-8",
    ),
    "alternatives without a number": (
        lambda body: body.get("top_logprobs", 0) > 5,
        422,
        {"detail": [{"loc": ["body", "top_logprobs"], "msg": "value too large"}]},
        "top-logprobs-5",
    ),
    "alternatives of any number": (
        sends("top_logprobs"),
        422,
        {"detail": [{"loc": ["body", "top_logprobs"], "msg": "Extra inputs are not permitted"}]},
        "no-logprobs",
    ),
    "a system message": (
        has_system,
        400,
        {"object": "error", "message": "System role not supported"},
        "no-system",
    ),
    "a system message, by its place": (
        has_system,
        400,
        told("'messages[0].role' does not support 'system' with this model.", param="messages[0].role"),
        "no-system",
    ),
    "a system message, with another name": (
        has_system,
        400,
        told("Developer instruction is not enabled for models/some-model"),
        "no-system",
    ),
    "a system message, by its template": (
        has_system,
        500,
        told("Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/..."),
        "no-system",
    ),
    "a system message, by two roles": (
        has_system,
        400,
        {"error": "Only user and assistant roles are supported!"},
        "no-system",
    ),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refused_parameter_is_left_out_or_replaced_and_the_fingerprint_says_so(kind):
    *refusal, name = REFUSALS[kind]
    with Refusing(tuple(refusal)) as server:
        backend = server.backend()
        found = backend.choose(prompts_of(FOUR_PAIRS), "AB")
        n_refused = server.n_refused
        again = backend.choose(prompts_of([pair_of("new")]), "AB")
        assert all(not isinstance(one, Unparsed) for one in [*found, *again])
        assert n_refused == server.n_refused <= 3
        assert all(text_of(body).startswith("You are an impartial judge") for body in server.asked)
        assert backend.engine.backend == f"server-chat:{name}"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs"}]}),
        (400, told("UnsupportedParamsError: some does not support parameters: {'seed': 3}")),
        (500, told("create() got an unexpected keyword argument 'seed'")),
    ],
)
def test_a_refused_seed_is_met_once_and_the_votes_go_on(status, said):
    class Seedless(Refusing):
        def reply(self, body):
            return chat("[[A]]")

    with Seedless((sends("seed"), status, said)) as server:
        backend = server.backend()
        found = backend.choose(prompts_of(FOUR_PAIRS), "AB")
        assert [one.probabilities for one in found] == [(1.0, 0.0)] * 4
        assert server.n_refused == 1
        assert backend.engine.backend == "server-chat:no-logprobs,no-seed"


def test_a_reasoning_model_that_refuses_nearly_everything_is_judged_with_what_is_left(tmp_path):
    """As OpenAI's: no limit of that name, no temperature, no log-probabilities, and room for thinking."""

    class Thinker(Refusing):
        def reply(self, body):
            if body["max_completion_tokens"] < 200:
                return chat("", finish="length")
            return chat("[[A]]")

    kinds = ("limit's name", "a value of temperature", "logprobs, as access")
    with Thinker(*(REFUSALS[kind][:3] for kind in kinds)) as server:
        spec = {"backend": f"server:{server.url}", "base_model": "m", "adapter": "none"}
        with Judge(**spec, ledger=tmp_path / "ledger.sqlite") as judge:
            verdicts = judge.judge(FOUR_PAIRS)
            assert {verdict.status for verdict in verdicts} == {Status.INCONSISTENT}  # always the first
            assert judge.identity.fingerprint == verdicts[0].judge
            assert names_in(verdicts[0].judge) == (
                "max-completion-tokens",
                "no-logprobs",
                "no-temperature",
            )
        n_asked = len(server.asked)
        with Judge(**spec, ledger=tmp_path / "ledger.sqlite") as judge:
            assert judge.judge(FOUR_PAIRS) == verdicts
            assert str(judge.replay).startswith("4 of 4 verdicts from the ledger")
        assert len(server.asked) - n_asked <= 11  # one question, by which the server taught again


def test_a_server_that_refuses_nothing_is_the_judge_that_it_was_and_gets_the_same_request():
    with Chat() as server:
        backend = server.backend()
        before = backend.engine
        backend.choose(prompts_of([pair_of()]), "AB")
        [sent] = server.asked
        assert (before.backend, before.base_model_hash) == ("server-chat", "")
        assert backend.engine == before
    assert list(sent)[1:] == ["model", "messages", "temperature", "logprobs", "top_logprobs", "max_tokens"]
    assert (sent["temperature"], sent["logprobs"], sent["top_logprobs"], sent["max_tokens"]) == (
        0,
        True,
        20,
        21,
    )


def test_what_names_no_parameter_of_ours_teaches_nothing():
    with Refusing((sends("model"), 400, told("the flux is out of phase"))) as server:
        assert "the flux is out of phase" in failure_of(server.backend())
        assert len(server.asked) == 1


def test_a_refusal_that_quotes_the_prompt_teaches_nothing_where_leaving_out_does_not_help():
    class Picky(Chat):
        def answer(self, path, body):
            if "score 12 " in text_of(body):
                return 400, {}, told("cannot read 'what a low temperature, what a large seed'")
            return super().answer(path, body)

    with Picky() as server:
        backend = server.backend()
        pairs = [pair_of(f"score {n} ", id=str(n)) for n in range(10, 16)]
        found = backend.choose(prompts_of(pairs), "AB")
        assert [isinstance(one, Unparsed) for one in found] == [n == 12 for n in range(10, 16)]
        assert backend.engine.backend == "server-chat"
        assert sum("temperature" not in body for body in server.asked) == 1


def test_no_access_is_said_in_the_servers_words():
    with Refusing((sends("model"), 403, told("this key is for other models"))) as server:
        message = failure_of(server.backend())
    assert "no access, status 403 (this key is for other models). OPENAI_API_KEY is not set." in message


def test_an_error_that_comes_with_status_200_is_read_by_the_status_in_it():
    with Refusing((sends("logprobs"), 200, told("logprobs are not supported", code=400))) as server:
        backend = server.backend()
        assert backend.choose(prompts_of([pair_of()]), "AB")[0].probabilities
        assert backend.engine.backend == "server-chat:no-logprobs"
    with Refusing((sends("model"), 200, told("Provider returned error", code=502))) as server:
        assert "status 502 (Provider returned error), 6 attempts failed" in failure_of(server.backend())


def test_a_model_without_a_system_message_gets_its_text_in_the_users():
    *refusal, _ = REFUSALS["a system message"]
    with Refusing(tuple(refusal)) as server:
        server.backend().choose(prompts_of([pair_of()]), "AB")
        refused, taken = server.asked
    assert [message["role"] for message in taken["messages"]] == ["user"]
    assert text_of(taken).split() == text_of(refused).split()


def test_a_server_that_allows_fewer_tokens_gets_its_own_limit():
    class Short(Refusing):
        def reply(self, body):
            return chat("<think>long") if body["max_tokens"] < 100 else chat("<think>x</think>[[A]]")

        def answer(self, path, body):
            status, headers, answer = super().answer(path, body)
            if status == 200 and body["max_tokens"] < 100:
                answer["choices"][0]["finish_reason"] = "length"
            return status, headers, answer

    too_large = told("max_tokens is too large: 4117. This model supports at most 2000 completion tokens.")
    with Short((lambda body: body["max_tokens"] > 2000, 400, too_large)) as server:
        backend = server.backend()
        [found] = backend.choose(prompts_of([pair_of()]), "AB")
        assert found.probabilities == (1.0, 0.0)
        assert server.asked[-1]["max_tokens"] == 2000
        assert backend.engine.backend == "server-chat:max-tokens-2000,no-logprobs"


# The judge that changes while it runs


def test_the_run_begins_anew_under_the_fingerprint_of_what_the_server_taught(ledger):
    *refusal, name = REFUSALS["many alternatives"]
    with Refusing(tuple(refusal)) as server:
        verdicts = judge_pairs(FOUR_PAIRS, Direct(server.backend()), ledger)
        n_answered = len(server.asked) - server.n_refused
    assert {names_in(verdict.judge) for verdict in verdicts} == {(name,)}
    assert n_answered == 8  # nothing was asked twice
    assert server.n_refused == 1
    found = {names_in(one.fingerprint): one.n_readings for one in ledger.summary()}
    assert found == {(name,): 8, (): 0}


def test_a_server_that_changes_its_mind_in_the_middle_leaves_one_judge_for_all_verdicts(ledger):
    class Moody(Refusing):
        def answer(self, path, body):
            if len(self.asked) > 5 and "temperature" in body:
                with self.lock:
                    self.n_refused += 1
                return 400, {}, told("temperature is not supported")
            return super().answer(path, body)

    with Moody() as server:
        verdicts = judge_pairs(FOUR_PAIRS, Direct(server.backend(concurrency=1)), ledger)
    assert {names_in(verdict.judge) for verdict in verdicts} == {("no-temperature",)}
    found = {names_in(one.fingerprint): one.n_readings for one in ledger.summary()}
    assert found == {("no-temperature",): 8, (): 0}


def test_a_method_that_was_named_before_is_told_that_it_is_another_judge_now():
    *refusal, _ = REFUSALS["temperature 0"]
    with Refusing(tuple(refusal)) as server:
        judge = Direct(server.backend())
        assert names_in(judge.identity.fingerprint) == ()
        items = [(pair_of(), Order.AB)]
        with pytest.raises(EngineChanged, match="it now answers as server-chat:no-temperature"):
            judge.read(items)
        n_asked = len(server.asked)
        [reading] = judge.read(items)
        assert isinstance(reading, Judgment)
        assert len(server.asked) == n_asked  # the answer was kept


def test_auto_names_what_either_of_its_servers_taught():
    *refusal, name = REFUSALS["temperature 0"]
    with Chat() as calm, Refusing(tuple(refusal)) as server:
        slow = BranchSolveMerge(server.backend())
        auto = Auto(Direct(calm.backend()), slow)
        assert names_in(auto.identity.fingerprint) == ()
        assert "@server-chat#" in auto.identity.fingerprint
        with pytest.raises(EngineChanged):
            slow.backend.complete(prompts_of([pair_of()]), Sampling())
        assert names_in(auto.identity.fingerprint) == (name,)


def test_habits_are_said_in_words():
    names = Habits(
        left_out=frozenset({"seed", "system", "logprobs", "top_logprobs"}),
        limit_name="max_completion_tokens",
        most_tokens=2000,
    ).names
    assert names == (
        "max-completion-tokens",
        "max-tokens-2000",
        "no-logprobs",
        "no-seed",
        "no-system",
    )
    assert in_words(names) == (
        "asked without logprobs, seed, which it refuses; system text in the user's message; "
        "max_completion_tokens for max_tokens; at most 2000 max_tokens"
    )
    assert in_words(("no-alternatives", "top-logprobs-5")) == (
        "no log-probabilities, of which it gives no alternatives; at most 5 top_logprobs"
    )
    assert names_in("m+none/direct@server-chat#0123456789abcdef") == ()
    assert names_in("m+none/auto@server-chat:no-seed;server-chat:no-seed,no-system#0") == (
        "no-seed",
        "no-system",
    )


# Thinking


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("[[A]]", "[[A]]"),
        ("<think>\n[[B]]\n</think>\n\n[[A]]", "\n\n[[A]]"),
        ("it begins unseen [[B]]</think>[[A]]", "[[A]]"),
        ("<think>cut [[B]]", ""),
        ("<think>a <think>b</think> [[B]] </think>[[A]]", "[[A]]"),
        ("[THINK]hm [[B]][/THINK][[A]]", "[[A]]"),
        ("<seed:think>[[B]]</seed:think>[[A]]", "[[A]]"),
        (
            "<|channel|>analysis<|message|>[[B]]<|end|><|start|>assistant<|channel|>final<|message|>[[A]]",
            "[[A]]",
        ),
        ("a < b, I think > c: [[A]]", "a < b, I think > c: [[A]]"),
    ],
)
def test_what_was_only_thought_is_not_said(reply, said):
    assert spoken(reply) == said


@pytest.mark.parametrize(
    "text",
    ["<think>[[B]] would be</think>\n\n[[A]]", "quietly [[B]]</think>[[A]]", "[THINK][[B]][/THINK][[A]]"],
)
def test_a_verdict_quoted_while_thinking_is_none_and_raw_is_what_came_back(text):
    with Says(text) as server:
        [reading] = Direct(server.backend()).read([(pair_of(), Order.AB)])
    assert (reading.choice, reading.raw) == ("FIRST", text)


@pytest.mark.parametrize(
    "text", ["<think>I would say [[B]].</think>\n\nI cannot decide.", "[[B]]?</think> Hm."]
)
def test_a_model_that_only_thought_of_a_verdict_has_given_none(text):
    with Says(text) as server:
        [reading] = Direct(server.backend()).read([(pair_of(), Order.AB)])
        [told] = ChainOfThought(server.backend()).read([(pair_of(), Order.AB)])
    for one in (reading, told):
        assert isinstance(one, Unparsed)
        assert one.raw == text


class Message(Fake):
    """A chat server with one message to everything."""

    def __init__(self, finish="stop", **message):
        super().__init__()
        self.message, self.finish = message, finish

    def reply(self, body):
        answer = chat(None, finish=self.finish)
        answer["choices"][0]["message"] = {"role": "assistant", **self.message}
        return answer


THOUGHT = "If A were wrong I would say [[B]]."


@pytest.mark.parametrize(
    "message",
    [
        {"content": "[[A]]", "reasoning_content": THOUGHT},
        {"content": "[[A]]", "reasoning": THOUGHT, "reasoning_details": [{"type": "reasoning.text"}]},
        {"content": [{"type": "thinking", "thinking": THOUGHT}, {"type": "text", "text": "[[A]]"}]},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]},
                {"type": "text", "text": "[["},
                {"type": "text", "text": "A]]"},
            ]
        },
        {"content": [{"type": "reasoning", "text": THOUGHT}, {"type": "output_text", "text": "[[A]]"}]},
        {"content": f"<think>\n{THOUGHT}\n</think>\n\n[[A]]", "reasoning": THOUGHT},
    ],
)
def test_thinking_in_a_field_or_part_of_its_own_stands_in_raw_and_states_nothing(message):
    with Message(**message) as server:
        [reading] = Direct(server.backend()).read([(pair_of(), Order.AB)])
        [completion] = server.backend().complete(prompts_of([pair_of()]), Sampling())
    assert (reading.choice, reading.raw) == ("FIRST", f"<think>\n{THOUGHT}\n</think>\n\n[[A]]")
    assert completion.text == f"<think>\n{THOUGHT}\n</think>\n\nA]]"  # without the start it was asked for


def test_free_text_begins_after_the_thinking():
    prompt = Prompt((("user", (Span("List."),)),), reply_start="Criteria:\n")
    with Message(content="Criteria:\n1. x", reasoning_content="hm") as server:
        [completion] = server.backend().complete([prompt], Sampling())
    assert spoken(completion.text).strip() == "1. x"


def test_the_first_criterion_of_a_plan_is_not_lost_behind_the_thinking():
    plan = "1. Suit: uses x.\n2. Theme: y.\n3. Form: z."
    with Message(content=plan, reasoning_content="hm") as server:
        prompt = render_branch(pair_of())
        [completion] = server.backend().complete([prompt], Sampling())
    assert [one.name for one in plan_in(prompt, completion).criteria] == ["Suit", "Theme", "Form"]


CUT = [
    {"content": "<think>\nOkay, [[A]] or [[B]]. First, let me"},
    {"content": None, "reasoning_content": "Let me think about which one is better: [[A]]"},
    {"content": "", "reasoning": "Let me think"},
    {"content": ""},
    {"content": "[[A]] or [[B]]? Let me see: [[B]]"},
]


@pytest.mark.parametrize("finish", ["length", "max_tokens", "MAX_TOKENS", "model_length"])
@pytest.mark.parametrize("message", CUT)
def test_a_reply_that_was_cut_off_is_unparsed_after_one_more_attempt_with_room(message, finish):
    with Message(finish, **message) as server:
        backend = server.backend()
        [found] = backend.choose(prompts_of([pair_of()]), "AB")
        assert [body["max_tokens"] for body in server.asked] == [21, 21 + ROOM]
        assert found.reason == "the reply was cut off at 4 tokens"
        assert str(message["content"] or "") in found.raw
        assert backend.engine.backend == "server-chat"


def test_free_text_that_was_cut_while_thinking_gets_room_and_other_text_does_not():
    with Message("length", content=None, reasoning_content="hm") as server:
        [found] = server.backend().complete(prompts_of([pair_of()]), Sampling(100))
        assert [body["max_tokens"] for body in server.asked] == [100, 100 + ROOM]
        assert found == Unparsed("the reply was cut off at 4 tokens", "<think>\nhm\n</think>\n\n", 50, 4)
    with Message("length", content="half a word") as server:
        [found] = server.backend().complete(prompts_of([pair_of()]), Sampling(100))
        assert [body["max_tokens"] for body in server.asked] == [100]
        assert (found.text, found.is_ended) == ("half a word", False)


def test_a_thinker_gets_its_room_once_known_and_is_read_by_its_last_words():
    class Thinker(Fake):
        def reply(self, body):
            if body["max_tokens"] < 100:
                return chat("<think>\nOkay", finish="length")
            tokens = ["<think>", "[[", "B", "]]", "</think>", "[[", "A", "]]"]
            return chat("".join(tokens), logprobs_of(tokens, 6, 0.8))

    with Thinker() as server:
        backend = server.backend()
        found = backend.choose(prompts_of(FOUR_PAIRS), "AB")
        assert [one.probabilities for one in found] == [pytest.approx((0.8, 0.2))] * 4
        assert [body["max_tokens"] < 100 for body in server.asked].count(True) == 1
        assert backend.engine.backend == "server-chat"  # room changes no reply that ends


def test_one_long_reply_among_short_ones_makes_no_other_judge(ledger):
    class Rarely(Chat):
        def reply(self, body):
            if "score 12 " in text_of(body) and body["max_tokens"] < 100:
                return chat("Well, ", finish="length")
            return super().reply(body)

    pairs = [pair_of(f"score {n} ", id=str(n)) for n in (12, 30, 40)]
    with Rarely() as server:
        backend = server.backend()
        backend.choose(prompts_of([pair_of("score 70 ")]), "AB")
        found = backend.choose(prompts_of(pairs), "AB")
        assert [one.probabilities[0] for one in found] == pytest.approx([0.12, 0.3, 0.4])
        assert backend.engine.backend == "server-chat"


def test_a_prompt_that_leaves_no_room_for_thinking_gets_less_of_it():
    class Small(Fake):
        def answer(self, path, body):
            if body["max_tokens"] > 1200:
                return 400, {}, told("This model's maximum context length is 2048 tokens.")
            if body["max_tokens"] < 100:
                return 200, {}, chat("<think>", finish="length")
            return 200, {}, chat("<think>hm</think>[[A]]")

    with Small() as server:
        [found] = server.backend().choose(prompts_of([pair_of()]), "AB")
        assert found.probabilities == (1.0, 0.0)
        assert [body["max_tokens"] for body in server.asked][:4] == [21, 21 + 4096, 21 + 2048, 21 + 1024]


# Probabilities


@pytest.mark.parametrize("alternatives", [0, 1])
def test_of_one_alternative_no_distribution_is_made(alternatives):
    class Alone(Voter):
        def reply(self, body):
            content = [
                {"token": token, "logprob": math.log(0.55), "top_logprobs": []} for token in ("[[", "A", "]]")
            ]
            for one in content:
                one["top_logprobs"] = [{"token": one["token"], "logprob": one["logprob"]}] * alternatives
            answer = super().reply(body)
            answer["choices"][0]["logprobs"] = {"content": content} if "logprobs" in body else None
            return answer

    with Alone() as server:
        backend = server.backend()
        found = backend.choose(prompts_of(FOUR_PAIRS), "AB")
        assert [one.probabilities for one in found] == [(0.75, 0.25)] * 4  # by votes
        assert sum("logprobs" in body for body in server.asked) == 1
        assert backend.engine.backend == "server-chat:no-alternatives"


def test_a_letter_without_alternatives_among_tokens_that_have_some_is_voted_on():
    some = [{"token": "[[", "logprob": -0.1}, {"token": "The", "logprob": -2.5}]
    content = [
        {"token": "[[", "logprob": -0.1, "top_logprobs": some},
        {"token": "A", "logprob": -0.5, "top_logprobs": [{"token": "A", "logprob": -0.5}]},
        {"token": "]]", "logprob": 0.0, "top_logprobs": []},
    ]

    class Sparse(Voter):
        def reply(self, body):
            answer = super().reply(body)
            answer["choices"][0]["logprobs"] = {"content": content} if "logprobs" in body else None
            return answer

    with Sparse() as server:
        backend = server.backend()
        [found] = backend.choose(prompts_of([pair_of()]), "AB")
        assert found.probabilities == (0.75, 0.25)
        assert backend.engine.backend == "server-chat"


def test_log_probabilities_of_other_words_than_the_reply_are_not_used():
    class Other(Voter):
        def reply(self, body):
            answer = super().reply(body)
            answer["choices"][0]["logprobs"] = logprobs_of(["[[", "B", "]]"], 1, 0.1)
            return answer

    with Other() as server:
        [found] = server.backend().choose(prompts_of([pair_of()]), "AB")
    assert found.probabilities == (0.75, 0.25)


# Refusals of the model, and parts


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "refusal": "I can't help with\ncomparing these."},
        {"content": [{"type": "refusal", "refusal": "I can't help with\ncomparing these."}]},
    ],
)
def test_a_model_that_refuses_is_unparsed_with_its_words(message):
    with Message(**message) as server:
        [found] = server.backend().choose(prompts_of([pair_of()]), "AB")
        assert len(server.asked) == 1
        [free] = server.backend().complete(prompts_of([pair_of()]), Sampling())
    for one in (found, free):
        assert one.reason == "the model refuses: I can't help with comparing these."
        assert one.raw == "I can't help with\ncomparing these."


@pytest.mark.parametrize("finish", ["content_filter", "content_filter: SAFETY", "SAFETY"])
def test_a_reply_that_the_servers_filter_blocks_is_unparsed(finish):
    with Message(finish, content="[[A") as server:
        [found] = server.backend().choose(prompts_of([pair_of()]), "AB")
        assert len(server.asked) == 1
    assert (found.reason, found.raw) == ("the server's content filter blocks the reply", "[[A")


def test_parts_of_a_reply_are_joined():
    with Message(content=["[[", {"type": "text", "text": "A]]"}, {"type": "image_url"}]) as server:
        [reading] = Direct(server.backend()).read([(pair_of(), Order.AB)])
    assert (reading.choice, reading.raw) == ("FIRST", "[[A]]")


def test_a_reply_that_ends_in_an_error_is_asked_for_again():
    class Failing(Chat):
        def reply(self, body):
            if len(self.asked) < 3:
                answer = chat("[[B]]", finish="error")
                answer["choices"][0]["error"] = {"code": 502, "message": "upstream"}
                return answer
            return super().reply(body)

    with Failing() as server:
        [found] = server.backend().choose(prompts_of([pair_of("score 80")]), "AB")
    assert found.probabilities[0] == pytest.approx(0.8)


def test_an_unreadable_reply_is_asked_again_by_the_next_run(ledger):
    class Improving(Chat):
        is_better = False

        def reply(self, body):
            return super().reply(body) if self.is_better else chat(None, finish="length")

    with Improving() as server:
        [verdict] = judge_pairs([pair_of()], Direct(server.backend()), ledger)
        assert verdict.status is Status.UNPARSED
        Improving.is_better = True
        [verdict] = judge_pairs([pair_of()], Direct(server.backend()), ledger)
        assert verdict.status is not Status.UNPARSED


# Another model behind the same name


LISTED = {
    "vLLM": ({"id": "m", "root": "m", "max_model_len": 4096, "created": 1}, {"root": "/models/other"}),
    "llama.cpp": (
        {"id": "m", "owned_by": "llamacpp", "meta": {"n_params": 5, "size": 9}},
        {"meta": {"size": 8}},
    ),
    "Ollama": ({"id": "m", "owned_by": "library", "digest": "sha256:aa"}, {"digest": "sha256:bb"}),
    "OpenRouter": ({"id": "m", "canonical_slug": "m-1"}, {"canonical_slug": "m-2"}),
}


@pytest.mark.parametrize("name", LISTED)
def test_another_model_behind_a_name_is_another_judge_where_the_listing_says_so(name, tmp_path):
    card, change = LISTED[name]
    with Voter() as server:
        server.cards = [card]
        spec = {"backend": f"server:{server.url}", "base_model": "m", "adapter": "none"}
        with Judge(**spec, ledger=tmp_path / "l.sqlite") as judge:
            one = judge.judge(FOUR_PAIRS)
        server.cards = [card | change]
        with Judge(**spec, ledger=tmp_path / "l.sqlite") as judge:
            other = judge.judge(FOUR_PAIRS)
            assert judge.replay.n_known == 0
    assert one[0].judge != other[0].judge


def test_what_changes_from_start_to_start_is_no_part_of_the_judge():
    card = {"id": "m", "owned_by": "me", "object": "model"}
    later = {
        "created": 1_700_000_000,
        "max_model_len": 9,
        "permission": [{"id": "x"}],
        "root": "m",
        "parent": None,
    }
    assert weights_hash_of(card) == weights_hash_of(card | later) == ""
    rooted = card | {"root": "/models/m"}
    assert weights_hash_of(rooted) == weights_hash_of(rooted | later | {"root": "/models/m"}) != ""


class Systems(Chat):
    """A chat server that names the system that answers."""

    names = ("fp_1",)
    more: ClassVar = {}

    def reply(self, body):
        with self.lock:
            name = self.names[len(self.asked) % len(self.names)]
        return super().reply(body) | {"system_fingerprint": name} | self.more


def test_a_system_fingerprint_that_changes_between_runs_is_told_in_one_line(tmp_path):
    with Systems() as server:
        spec = {"backend": f"server:{server.url}", "base_model": "m", "adapter": "none"}
        with Judge(**spec, ledger=tmp_path / "l.sqlite") as judge:
            judge.judge(FOUR_PAIRS[:2])
            assert judge.notice == ""
            judge.judge(FOUR_PAIRS[:3])
            assert judge.notice == ""
        server.names = ("fp_2",)
        with Judge(**spec, ledger=tmp_path / "l.sqlite") as judge:
            judge.judge(FOUR_PAIRS[:3])  # all from the ledger
            assert judge.notice == ""
            judge.judge(FOUR_PAIRS)
            assert judge.notice.startswith("The server now answers as fp_2, before as fp_1: the model may be")
            assert "\n" not in judge.notice
        with Judge(**spec, ledger=tmp_path / "l.sqlite") as judge:
            judge.judge([pair_of("new")])
            assert judge.notice == ""  # told once
        for now, before in (("fp_1", "fp_2"), ("fp_2", "fp_1")):
            server.names = (now,)
            with Judge(**spec, ledger=tmp_path / "l.sqlite") as judge:
                judge.judge([pair_of(f"{now} is back")])
                assert f"now answers as {now}, before as {before}" in judge.notice
                assert judge.notice.endswith("--no-cache asks everything again.")


def test_a_system_fingerprint_that_changes_during_a_run_is_told():
    with Systems() as server:
        server.names = ("fp_1", "fp_2")
        with Judge(backend=f"server:{server.url}", base_model="m", adapter="none", cache=False) as judge:
            judge.judge(FOUR_PAIRS)
            assert "now answers as fp_" in judge.notice
            assert "--no-cache" not in judge.notice


def test_a_server_that_says_that_another_model_answered_is_told(tmp_path):
    with Systems() as server:
        spec = {"backend": f"server:{server.url}", "base_model": "m", "adapter": "none"}
        for model, expected in (
            ("m-2026-01", ""),
            ("m-2026-02", "now answers as m-2026-02 fp_1, before as m-2026-01"),
        ):
            server.more = {"model": model}
            with Judge(**spec, ledger=tmp_path / "l.sqlite") as judge:
                judge.judge([pair_of(model)])
                assert expected in judge.notice


def test_the_command_line_says_what_the_server_does_not_take(tmp_path, monkeypatch, capsys):
    from judge.cli.main import main

    pairs = [{"id": str(n), "prompt": "q", "response_a": f"score {n}", "response_b": "b"} for n in (20, 60)]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    *refusal, _ = REFUSALS["many alternatives"]
    with Refusing(tuple(refusal)) as server:
        command = (
            f"run {file} --backend server:{server.url} --base-model m --adapter none --out {tmp_path}/v.jsonl"
        )
        monkeypatch.setattr(sys, "argv", ["judge", *command.split(), "--ledger", str(tmp_path / "l.sqlite")])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    assert "Server: at most 5 top_logprobs (what the server does not take" in capsys.readouterr().err


# --- what it gives, lists and wants ----------------------------------------------------------------------


class Now(Chat):
    """Gives log-probabilities except to the pairs of these answers."""

    def __init__(self, *without):
        super().__init__()
        self.without = without

    def reply(self, body):
        answer = super().reply(body)
        if any(words in text_of(body) for words in self.without):
            answer["choices"][0]["logprobs"] = None
        return answer


def test_shares_of_replies_and_probabilities_are_never_one_judges():
    pairs = [pair_of(f"answer {n}", f"another answer {n}", f"Question {n}?", f"p{n}") for n in range(4)]
    with Now("answer") as server:
        backend = server.backend()
        assert backend.engine.backend == "server-chat"
        with pytest.raises(EngineChanged):
            backend.choose(prompts_of(pairs), "AB")
        assert backend.engine.backend == "server-chat:no-logprobs"
        assert len(backend.choose(prompts_of(pairs), "AB")) == 4
    with Now("answer 2") as server:
        backend = server.backend()
        found = backend.choose(prompts_of(pairs), "AB")
        assert backend.engine.backend == "server-chat"
    unread = [one for one in found if isinstance(one, Unparsed)]
    assert [one.reason for one in unread] == ["the server gave no log-probabilities this time"]
    assert isinstance(found[2], Unparsed)


def test_a_few_readable_votes_of_many_are_no_verdict():
    class Mostly(Voter):
        def reply(self, body):
            return chat("[[A]]" if len(self.asked) == 2 else "I cannot help with that.")

    with Mostly() as server:
        [found] = server.backend().choose(prompts_of([pair_of()]), "AB")
    assert isinstance(found, Unparsed)
    assert found.reason == "only 1 of 5 replies state a choice"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (402, told("Insufficient credits. Fewer max_tokens may do: you can afford 300.")),
        (400, told("Your credit balance is too low to access this API.")),
        (429, told("You exceeded your current quota, please check your plan.", code="insufficient_quota")),
    ],
)
def test_where_nothing_is_left_to_pay_with_the_run_stops(status, said):
    class Poor(Chat):
        def answer(self, path, body):
            return (status, {}, said) if len(self.asked) > 2 else super().answer(path, body)

    pairs = [pair_of(f"answer {n}", f"another answer {n}", f"Question {n}?", f"p{n}") for n in range(9)]
    with Poor() as server:
        backend = server.backend(concurrency=1)
        assert f"it wants to be paid, status {status}" in failure_of(backend, prompts_of(pairs))
        assert len(server.asked) < 5


def test_a_server_that_wants_more_room_for_a_reply_gets_it_and_teaches_nothing():
    limit = "Could not finish the message because max_tokens or model output limit was reached. "
    more = told(limit + "Please try again with higher max_tokens.")
    with Refusing((lambda body: body["max_tokens"] < 100, 400, more)) as server:
        backend = server.backend()
        [found] = backend.choose(prompts_of([pair_of()]), "AB")
        assert backend.engine.backend == "server-chat"
        assert server.asked[-1]["max_tokens"] > ROOM
    assert not isinstance(found, Unparsed)


def test_what_a_provider_says_behind_a_router_is_what_counts():
    raw = json.dumps(told("Unsupported parameter: 'logprobs'", param="logprobs"))
    said = told("Provider returned error", code=400, metadata={"raw": raw, "provider_name": "P"})
    with Refusing((sends("logprobs"), 400, said)) as server:
        backend = server.backend()
        backend.choose(prompts_of([pair_of()]), "AB")
        assert backend.engine.backend == "server-chat:no-logprobs"


@pytest.mark.parametrize(
    "listing",
    [
        (403, {}, told("You have insufficient permissions. Missing scopes: api.model.read.")),
        (401, {}, told("x-api-key header is required")),
        (400, {}, told("version: header is required")),
        (200, {}, {"models": [{"name": "m:latest"}]}),
        (200, {}, {"object": "list", "data": []}),
    ],
)
def test_a_list_of_models_that_cannot_be_had_stops_nothing(listing):
    with Chat() as server:
        server.models = lambda: listing
        [found] = server.backend(base_model="gpt-x").choose(prompts_of([pair_of()]), "AB")
        assert server.asked[0]["model"] == "gpt-x"
    assert not isinstance(found, Unparsed)


def test_a_model_may_be_listed_with_the_path_of_models():
    with Chat() as server:
        server.cards = [{"id": "models/gemini-x"}, {"id": "models/other"}]
        server.backend(base_model="gemini-x").choose(prompts_of([pair_of()]), "AB")
        assert server.asked[0]["model"] == "models/gemini-x"


@pytest.mark.parametrize(("key", "is_hidden"), [("anything", False), ("sk-12345678", True), ("x" * 16, True)])
def test_a_key_that_is_a_word_may_stand_in_a_reply(monkeypatch, key, is_hidden):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with Says(f"With this key {key} goes.") as server:
        [found] = server.backend().complete(prompts_of([pair_of()]), Sampling())
    assert found.text == (
        "With this key [OPENAI_API_KEY] goes." if is_hidden else f"With this key {key} goes."
    )


def test_a_reply_with_a_mark_of_its_bytes_before_it_and_a_pause_that_is_no_number_are_read():
    class Odd(Chat):
        def answer(self, path, body):
            if len(self.asked) == 1:
                return 429, {"retry-after": "nan"}, told("slow down")
            return 200, {}, b"\xef\xbb\xbf" + json.dumps(self.reply(body)).encode()

    with Odd() as server:
        [found] = server.backend().choose(prompts_of([pair_of()]), "AB")
    assert not isinstance(found, Unparsed)
