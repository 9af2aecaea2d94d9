"""`--backend judge:URL`: the judge behind a service is asked as if it were here, and stays the one it is."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest
from pairs import FOUR_PAIRS, HOSTILE, pair_of
from plugin import WAYS
from serving import serving, started, wait_for
from typer.testing import CliRunner

from judge import Judge, rank
from judge.backends import Sampling, load_backend
from judge.backends.endpoint import PATIENCE
from judge.backends.service import ServiceBackend
from judge.cli.main import app
from judge.errors import BackendError, InputError
from judge.io.criteria import criteria_given
from judge.io.pairs import pair_to_json, with_ids, write_pairs
from judge.io.verdicts import read_verdicts
from judge.options import judge_options
from judge.records import Criterion, Message, Status, Unparsed
from judge.serve.limits import Limits

pytestmark = pytest.mark.slow  # each test starts a service

TOKEN = "a-token-of-enough-length"
PAIRS = [
    *FOUR_PAIRS,
    pair_of(
        "one", "another", "Three?", "with more", category="c", reference="r", system="s", metadata={"k": 1}
    ),
    *with_ids(pair_of(text, "another one", f"Say {text!r}", id="") for text in HOSTILE),
]


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("JUDGE_TOKEN", raising=False)


def impatient(url, **settings):
    """A backend that tries again at once."""

    async def sleep(seconds):
        """No test waits."""

    chosen = judge_options(backend=f"judge:{url}", **settings).settings
    return ServiceBackend(url, chosen, replace(PATIENCE, sleep=sleep, attempts=3))


def judged(backend, pairs, **options):
    with Judge(backend=backend, cache=False, **options) as judge:
        return judge.judge(pairs)


def test_verdicts_are_those_of_the_judge_behind_the_service():
    with serving() as service:
        served = judged(f"judge:{service.url}", PAIRS)
    assert served == judged("scripted:longer", PAIRS)


def test_what_the_service_answered_is_in_the_ledger_under_its_judge(tmp_path):
    ledger = tmp_path / "l.sqlite"
    with serving() as service, Judge(backend=f"judge:{service.url}", ledger=ledger) as judge:
        verdicts = judge.judge(PAIRS)
        n_asked = len(service.log)
        assert judge.judge(PAIRS) == verdicts
        assert len(service.log) == n_asked
    with Judge(backend="scripted:longer", ledger=ledger) as here:  # the same judge, so the same readings
        assert here.judge(PAIRS) == verdicts
        assert here.replay.n_known == len(PAIRS)


def test_only_what_a_judge_may_see_is_sent(monkeypatch):
    seen = []
    with serving() as service:
        ask = service.judge.judge
        monkeypatch.setattr(service.judge, "judge", lambda pairs: seen.extend(pairs) or ask(pairs))
        judged(f"judge:{service.url}", [PAIRS[4]])
    [pair] = seen
    assert (pair.id, pair.category, pair.metadata) == (PAIRS[4].content_hash, None, {})
    assert pair.content_hash == PAIRS[4].content_hash


def test_a_pair_is_judged_by_its_own_criteria():
    pairs = [replace(pair, criteria=criteria_given(["fee: names the fee | weight 2"])) for pair in FOUR_PAIRS]
    with serving(method="bsm") as service:
        served = judged(f"judge:{service.url}", pairs)
    assert served == judged("scripted:longer", pairs, method="bsm")
    assert served != judged("scripted:longer", FOUR_PAIRS, method="bsm")


def test_criteria_that_the_service_would_read_as_others_are_refused():
    odd = replace(FOUR_PAIRS[1], criteria=(Criterion("tone", "polite | weight 5"),))
    with serving(method="bsm") as service:
        with pytest.raises(InputError, match=rf"^pair '{odd.id}': its criteria would be read back as others"):
            judged(f"judge:{service.url}", [FOUR_PAIRS[0], odd])
        assert not [line for line in service.log if "/compare" in str(line)]


def test_a_band_of_undecided_is_the_askers_own():
    with serving() as service:
        served = judged(f"judge:{service.url}", FOUR_PAIRS, abstain_below=1.0)
    assert any(one.is_undecided for one in served)
    assert served == judged("scripted:longer", FOUR_PAIRS, abstain_below=1.0)


def test_a_service_whose_verdicts_are_under_a_rule_is_refused():
    with serving(abstain_below=0.9) as service:
        with pytest.raises(BackendError, match=r"\+abstaining@.* Start `judge serve` without --calibration"):
            judged(f"judge:{service.url}", FOUR_PAIRS)
        assert service.post("/compare", pair_to_json(FOUR_PAIRS[0])).status == 200


def test_slow_methods_come_with_their_steps_and_scores():
    with serving(method="bsm") as service:
        served = judged(f"judge:{service.url}", FOUR_PAIRS)
    assert served == judged("scripted:longer", FOUR_PAIRS, method="bsm")
    assert any(step.scores for reading in served[1].readings.values() for step in reading.steps)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"method": "bsm"}, "method"),
        ({"method": "auto"}, "method"),
        ({"ties": True, "overflow": "error"}, "ties, overflow"),
        ({"base_model": "large", "adapter": "none"}, "base_model, adapter"),
    ],
)
def test_options_that_name_another_judge_are_refused(options, named):
    with pytest.raises(InputError, match="the judge is the service's own") as caught:
        Judge(backend="judge:http://127.0.0.1:8502", cache=False, **options)
    assert f", and {named} would name another one." in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8502", "http://", "ftp://127.0.0.1", "http://a:b@127.0.0.1", "http://h?q"]
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InputError, match="--backend judge: "):
        Judge(backend=f"judge:{url}", cache=False)


def test_another_judge_behind_the_service_in_the_middle_is_one_error():
    with serving() as service, Judge(backend="scripted:shorter", cache=False) as other:
        with Judge(backend=f"judge:{service.url}", cache=False) as judge:
            before = judge.judge(FOUR_PAIRS[:1])
            service.shared._judge = other
            with pytest.raises(BackendError, match="its judge has changed, from scripted-longer") as caught:
                judge.judge(FOUR_PAIRS[1:])
            assert "to scripted-shorter" in str(caught.value)
            assert "\n" not in str(caught.value)
            with pytest.raises(BackendError, match="has changed"):
                judge.judge(FOUR_PAIRS[2:])
            assert judge.judge(FOUR_PAIRS[:1]) == before
        assert judged(f"judge:{service.url}", FOUR_PAIRS) == judged("scripted:shorter", FOUR_PAIRS)


def test_the_token_comes_from_the_environment_and_is_never_shown(monkeypatch):
    with serving(token=TOKEN) as service:
        with pytest.raises(BackendError, match="JUDGE_TOKEN is not set"):
            judged(f"judge:{service.url}", FOUR_PAIRS)
        monkeypatch.setenv("JUDGE_TOKEN", f"{TOKEN}x")
        with pytest.raises(BackendError, match="JUDGE_TOKEN is set, but not to a key") as caught:
            judged(f"judge:{service.url}", FOUR_PAIRS)
        assert TOKEN not in str(caught.value)
        monkeypatch.setenv("JUDGE_TOKEN", TOKEN)
        assert judged(f"judge:{service.url}", FOUR_PAIRS) == judged("scripted:longer", FOUR_PAIRS)


def test_the_key_of_another_server_does_not_go_to_the_service(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", TOKEN)
    with serving(token=TOKEN) as service, pytest.raises(BackendError, match="JUDGE_TOKEN is not set"):
        judged(f"judge:{service.url}", FOUR_PAIRS)


@pytest.mark.slow
def test_a_service_that_loads_is_waited_for():
    with serving(is_started=False) as service:

        def load():
            wait_for(lambda: any(" 503 " in line for line in service.log))
            started(service.shared)

        loading = threading.Thread(target=load)
        loading.start()
        assert judged(f"judge:{service.url}", FOUR_PAIRS) == judged("scripted:longer", FOUR_PAIRS)
        loading.join()


@pytest.mark.slow
def test_who_is_told_to_come_again_comes_again():
    with serving(limits=Limits(per_minute=30)) as service:  # five at once, then one each two seconds
        verdicts = judged(f"judge:{service.url}", PAIRS[:7], concurrency=7)
        assert any(" 429 " in line for line in service.log)
    assert verdicts == judged("scripted:longer", PAIRS[:7])


def test_where_no_service_listens_it_is_said_where_to_look():
    with pytest.raises(BackendError, match="3 attempts failed") as caught:
        impatient("http://127.0.0.1:9").verdicts(FOUR_PAIRS)
    assert "its address is one at which `judge serve` listens" in str(caught.value)


def test_a_pair_that_cannot_be_read_stays_unparsed_with_the_judges_reason():
    with serving("scripted:unreadable:1") as service:
        [verdict] = judged(f"judge:{service.url}", FOUR_PAIRS[:1])
    assert verdict.status is Status.UNPARSED
    assert [verdict] == judged("scripted:unreadable:1", FOUR_PAIRS[:1])


def test_a_pair_that_the_service_refuses_is_unparsed_and_the_others_are_judged():
    big = pair_of("a" * 3000, "b", "Too long?", "big")
    with serving(limits=Limits(most_bytes=2000, per_minute=0)) as service:
        verdicts = judged(f"judge:{service.url}", [*FOUR_PAIRS, big], concurrency=1)
    assert [verdict.status is Status.UNPARSED for verdict in verdicts] == [*[False] * 4, True]
    reading = next(iter(verdicts[-1].readings.values()))
    assert isinstance(reading, Unparsed)
    assert "the request is longer than 2,000 bytes" in reading.reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pair_id": "another"}, "a verdict on another pair"),
        ({"status": "sure"}, "status is"),
        ({"orders": {}}, "orders misses"),
    ],
)
def test_an_answer_that_is_not_the_pairs_verdict_is_no_verdict(change, words, monkeypatch):
    from judge.serve import service as module

    real = module.verdict_to_json
    monkeypatch.setattr(module, "verdict_to_json", lambda verdict: real(verdict) | change)
    with serving() as service, pytest.raises(BackendError, match=words):
        impatient(service.url).verdicts(FOUR_PAIRS)


def test_it_gives_no_replies_to_prompts_of_ours():
    backend = load_backend("judge:http://127.0.0.1:8502")
    for ask in (lambda: backend.complete([], Sampling()), lambda: backend.choose([], "AB")):
        with pytest.raises(BackendError, match="gives verdicts and no replies"):
            ask()


def test_the_engine_is_that_of_the_judge_behind_the_service():
    with serving() as service:
        assert load_backend(f"judge:{service.url}").engine == load_backend("scripted:longer").engine


@pytest.mark.slow
@pytest.mark.parametrize("method", ["direct", "score"])
def test_models_are_ranked_by_a_judge_behind_a_service(method, tmp_path):
    files = []
    for model, length in (("low", 1), ("middle", 4), ("high", 9)):
        rows = [
            {"instruction": f"Question {n}?", "output": f"{'long ' * length}{n}", "generator": model}
            for n in range(25)
        ]
        files.append(tmp_path / f"{model}.jsonl")
        files[-1].write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with serving(method=method) as service, Judge(backend=f"judge:{service.url}", cache=False) as judge:
        board = rank(files, judge)
    assert board.models == ["high", "middle", "low"]
    assert board.judge == service_identity(method)
    with pytest.raises(InputError, match="reads pairs"):
        judge.grades([[Message("user", "Why?"), Message("assistant", "So.")]])


def service_identity(method):
    with Judge(backend="scripted:longer", method=method, cache=False) as judge:
        return judge.identity


def test_the_command_line_asks_a_service(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pairs("pairs.jsonl", FOUR_PAIRS)
    with serving() as service:
        for backend, out in ((f"judge:{service.url}", "served.jsonl"), ("scripted:longer", "here.jsonl")):
            done = CliRunner().invoke(
                app, ["run", "pairs.jsonl", "--backend", backend, "--out", out, "--no-cache"]
            )
            assert done.exit_code == 0, done.output
    assert (tmp_path / "served.jsonl").read_bytes() == (tmp_path / "here.jsonl").read_bytes()
    assert len(read_verdicts("served.jsonl")) == 4


def test_a_service_may_ask_another_service():
    with serving() as inner, serving(f"judge:{inner.url}") as outer:
        assert judged(f"judge:{outer.url}", FOUR_PAIRS) == judged("scripted:longer", FOUR_PAIRS)


# --- the pytest plugin -------------------------------------------------------------------------------------

TEST_BOT = """
import pytest

@pytest.mark.parametrize("n", range(8))
def test_bot(judge, n):
    judge.assert_not_worse(f"Question {n}?", f"a longer answer {n}", "short", explain=True)

def test_worse(judge):
    judge.assert_not_worse("Why?", "short", "a longer answer", explain=True)
"""


@pytest.mark.slow
@WAYS
def test_the_plugin_asks_a_service(project):
    project.write("test_bot.py", TEST_BOT)
    with serving() as service:
        result = project.run("--judge-gate", "not-worse:0.4", judge=f"judge:{service.url}")
    result.assert_outcomes(passed=8, failed=1)
    result.stdout.fnmatch_lines(["*9 comparisons: the new answer won 8, the approved one 1*"])
    result.stdout.fnmatch_lines(["*The judge behind the service scores no criteria.*"])
    assert sum("/compare 200" in line for line in service.log) == 9


@pytest.mark.slow
def test_the_reasons_of_a_slow_judge_behind_a_service_are_shown(project):
    project.write("test_bot.py", TEST_BOT)
    with serving(method="bsm") as service:
        result = project.run("-k", "worse", judge=f"judge:{service.url}")
    result.stdout.fnmatch_lines(["*Scores by criterion*"])
    result.stdout.fnmatch_lines(["*Content*"])


@pytest.mark.slow
def test_a_method_beside_a_service_is_an_error_before_any_test(project):
    project.write("test_bot.py", TEST_BOT)
    result = project.run("--judge-method", "bsm", judge="judge:http://127.0.0.1:8502")
    assert (
        "the judge is the service's own, and method would name another one"
        in result.stdout.str() + result.stderr.str()
    )
