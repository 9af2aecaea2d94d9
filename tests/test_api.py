"""The public API: what `import judge` gives, and a `Judge` in every way of asking."""

from __future__ import annotations

import inspect
import json
import multiprocessing
import pickle
import re
import subprocess
import sys
import threading

import pandas
import pytest
from pairs import FOUR_PAIRS, pair_of

import judge
from judge import Judge, JudgeError, Message, Pair
from judge.errors import InputError
from judge.io.verdicts import verdict_to_json
from judge.ledger.ledger import Ledger
from judge.options import JudgeOptions, judge_options
from judge.records import Ballot, HumanVote, Outcome, Status

BESIDE = {"ledger", "cache", "progress", "unknown", "self"}


@pytest.fixture
def longer(tmp_path):
    with Judge(backend="scripted:longer", ledger=tmp_path / "ledger.sqlite") as judge:
        yield judge


def test_two_answers_are_compared(longer):
    verdict = longer.compare("What is 2 + 2?", "4", "It is 5.")
    assert (verdict.outcome, verdict.status) == (Outcome.B, Status.CONSISTENT)
    assert verdict.p_a is not None
    assert verdict.p_a < 0.5


def test_two_answers_to_nothing_are_not_compared(longer):
    with pytest.raises(InputError, match=r"prompt is empty\. A comparison needs the question"):
        longer.compare("\n", "4", "It is 5.")


def test_a_conversation_may_come_before_the_answers(longer):
    talk = (Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "2 + 2?"))
    assert longer.compare(talk, "It is 4.", "5").outcome is Outcome.A


def test_what_it_says_is_what_the_command_line_says(longer, tmp_path):
    command = ["compare", "--prompt", "2 + 2?", "--a", "4", "--b", "It is 5.", "--json", "--quiet"]
    options = ["--backend", "scripted:longer", "--ledger", str(tmp_path / "other.sqlite")]
    done = subprocess.run(
        [sys.executable, "-m", "judge", *command, *options], capture_output=True, text=True, check=True
    )
    verdict = verdict_to_json(longer.compare("2 + 2?", "4", "It is 5."))
    assert json.loads(done.stdout) == verdict | {"pair_id": "pair"}


def test_lists_go_in_and_lists_of_equal_length_come_out(longer):
    assert longer.judge([]) == []
    twice = [*FOUR_PAIRS, *FOUR_PAIRS]
    assert [verdict.pair_id for verdict in longer.judge(iter(twice))] == [pair.id for pair in twice]


def test_with_no_time_there_are_the_verdicts_that_the_ledger_knows(longer):
    judged = longer.judge(FOUR_PAIRS[:2], within="1h")
    assert [verdict.pair_id for verdict in judged] == [pair.id for pair in FOUR_PAIRS[:2]]
    assert longer.judge(FOUR_PAIRS, within="0s") == judged
    assert len(longer.replay.made) == 2
    with pytest.raises(InputError, match=r"^within: 'soon'\. It must be a time"):
        longer.judge(FOUR_PAIRS, within="soon")


def test_what_the_ledger_knows_is_not_asked_again(tmp_path):
    with Judge(backend="scripted:longer", ledger=tmp_path / "ledger.sqlite") as first:
        verdicts = first.judge(FOUR_PAIRS)
    with Judge(backend="scripted:longer", ledger=tmp_path / "ledger.sqlite") as again:
        again._method.read = None
        assert again.judge(FOUR_PAIRS) == verdicts


def test_without_a_cache_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "cache"))
    with Judge(backend="scripted:longer", cache=False) as judge:
        verdicts = judge.judge(FOUR_PAIRS)
    assert len(verdicts) == len(FOUR_PAIRS)
    assert not (tmp_path / "cache" / "ledger.sqlite").exists()


def test_the_ledger_is_the_users_where_nobody_names_one(tmp_path, monkeypatch):
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path))
    with Judge(backend="scripted:longer") as judge:
        judge.judge(FOUR_PAIRS)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert [one.n_readings for one in ledger.summary()] == [8]


def test_an_open_ledger_stays_open(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        options = judge_options(backend="scripted:longer")
        with Judge.of(options, ledger=ledger) as judge:
            judge.judge(FOUR_PAIRS)
        assert [one.n_readings for one in ledger.summary()] == [8]


def test_two_threads_may_ask_one_judge(longer):
    pairs = [pair_of("a" * 50 + str(n), "b", f"Question {n}?", f"p{n}") for n in range(200)]
    found = {}

    def ask(name, some):
        found[name] = longer.judge(some)

    threads = [threading.Thread(target=ask, args=(n, pairs[n * 40 : n * 40 + 80])) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for n in range(4):
        assert found[n] == longer.judge(pairs[n * 40 : n * 40 + 80])


def test_progress_goes_where_it_is_asked_for(tmp_path, capsys):
    told = []
    with Judge(
        backend="scripted:longer", ledger=tmp_path / "a", progress=lambda *said: told.append(said)
    ) as judge:
        judge.judge(FOUR_PAIRS)
    assert told[-1][0] == "judging, 4 of 4 pairs"
    with Judge(backend="scripted:longer", ledger=tmp_path / "b", progress=True) as judge:
        judge.judge(FOUR_PAIRS)
    assert "judging, 4 of 4 pairs: 100 %" in capsys.readouterr().err
    with Judge(backend="scripted:longer", ledger=tmp_path / "c") as judge:
        judge.judge(FOUR_PAIRS)
    assert capsys.readouterr().err == ""


def test_agreement_counts_lengths_and_categories_of_what_was_judged(longer):
    pairs = [pair_of("long one", "x", f"Question {n}?", f"p{n}", category="xy"[n % 2]) for n in range(6)]
    votes = [HumanVote(f"p{n}", "v", Ballot.A if n < 4 else Ballot.B) for n in range(6)]
    verdicts = longer.judge(pairs)
    frame = longer.agreement(verdicts, votes).to_frame()
    whole = frame[(frame.category == "all") & (frame.metric == "strict")].set_index("judge").value
    assert whole[longer.identity.fingerprint] == pytest.approx(4 / 6)
    assert whole["longer wins"] == pytest.approx(4 / 6)
    assert set(frame.category) == {"all", "x", "y"}
    assert (frame.dropna().low <= frame.dropna().high).all()
    without = longer.agreement(verdicts, votes, pairs=pairs)
    assert without.to_frame().equals(frame)


def test_a_metric_of_another_package_is_asked_for_by_its_name(longer):
    verdicts = longer.judge(FOUR_PAIRS)
    votes = [HumanVote(pair.id, "v", Ballot.A) for pair in FOUR_PAIRS]
    with pytest.raises(InputError, match=r"--metric strikt: no such metric\. .* Did you mean strict\?"):
        longer.agreement(verdicts, votes, metrics=["strikt"])
    assert longer.agreement(verdicts, votes, metrics=["strict"]).others == ()


def test_two_pairs_of_one_id_must_be_told_apart_for_agreement(longer):
    one, other = pair_of("long one", "x", "Why?", "p"), pair_of("x", "long one", "Why?", "p")
    verdicts = longer.judge([one])
    longer.judge([other])
    votes = [HumanVote("p", "v", Ballot.A)]
    with pytest.raises(InputError, match=r"pair 'p': two pairs of this id were judged"):
        longer.agreement(verdicts, votes)
    assert longer.agreement(verdicts, votes, [one]).total.n_pairs == 1


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"metod": "bsm"}, "metod: no such option of a judge. Did you mean method? There are: method, ties"),
        ({"base-model": "x"}, "base-model: no such option of a judge. Did you mean base_model?"),
        ({"zzz": 1}, "zzz: no such option of a judge. There are: method"),
        ({"method": "bms"}, "bms: no such method"),
        ({"backend": "scripted:nobody"}, "nobody"),
        ({"samples": "3"}, "samples is '3'. It must be int."),
        ({"samples": True}, "samples is True. It must be int."),
        ({"samples": 0}, "samples is 0. It must be at least 1."),
        ({"max_new_tokens": 1.5}, "max_new_tokens is 1.5. It must be int or None."),
        ({"overflow": "cut"}, "overflow cut: must be one of trim, error"),
    ],
)
def test_a_wrong_option_is_one_line_that_names_the_right_one(option, words, tmp_path):
    with pytest.raises(JudgeError) as caught:
        Judge(**{"backend": "scripted:longer", "ledger": tmp_path / "ledger.sqlite"} | option)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_whole_number_is_a_temperature():
    assert judge_options(temperature=1).method_settings.temperature == 1


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ("pairs.jsonl", "pairs.jsonl: this is the name of a file. Give what read_pairs makes of it."),
        ([{"prompt": "x"}], "pairs, item 1 is of type dict. It must be a list of Pairs."),
    ],
)
def test_what_is_no_pair_is_named(longer, pairs, words):
    with pytest.raises(InputError) as caught:
        longer.judge(pairs)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"id": 7}, "pair 1: id is 7 (int). It must be text."),
        ({"category": float("nan")}, "pair 1: category is nan (float). It must be text."),
        ({"id": "x", "reference": b"x"}, "pair 1: reference is "),
        ({"response_b": float("nan")}, "pair 1: response_b is nan (float). It must be text."),
        ({"id": "x", "response_a": "\ud83d"}, "pair 1: response_a has \\ud83d, which stands alone"),
        ({"prompt": [Message("user", None)]}, "pair 1: message 1 is None. It must be text."),
    ],
)
def test_a_pair_of_something_other_than_text_is_named_before_any_is_judged(longer, parts, words):
    whole = {"prompt": "Why?", "response_a": "So.", "response_b": "Because."} | parts
    three = [whole.pop(name) for name in ("prompt", "response_a", "response_b")]
    with pytest.raises(InputError) as caught:
        longer.judge([Pair.of(*three, **whole)])
    assert str(caught.value).startswith(words)


def test_a_closed_judge_says_so(tmp_path):
    judge = Judge(backend="scripted:longer", ledger=tmp_path / "ledger.sqlite")
    judge.close()
    judge.close()
    with pytest.raises(InputError, match=r"^this judge is closed\."):
        judge.compare("Why?", "So.", "Because.")
    with pytest.raises(InputError, match=r"^this judge is closed\."):
        judge.are_known(FOUR_PAIRS)
    with pytest.raises(InputError, match=r"^this judge is closed\."):
        judge.elapsed_s(FOUR_PAIRS, [])


@pytest.fixture
def at_work(tmp_path):
    """A judge that another thread judges with, and what lets that thread end and says what it found."""
    begun, may_end, found = threading.Event(), threading.Event(), []

    def waits(*told):
        begun.set()
        may_end.wait(60)

    judge = Judge(backend="scripted:longer", ledger=tmp_path / "ledger.sqlite", progress=waits)
    thread = threading.Thread(target=lambda: found.extend(judge.judge(FOUR_PAIRS)))
    thread.start()
    assert begun.wait(60)

    def ended():
        may_end.set()
        thread.join(60)
        return found

    yield judge, ended
    ended()
    judge.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside threads, from Python 3.12 on
def test_a_process_that_was_forked_off_is_told_to_make_its_own(at_work):
    judge, ended = at_work
    context = multiprocessing.get_context("fork")
    said = context.Queue()

    def ask():
        with pytest.raises(InputError) as refused, judge:
            judge.compare("Why?", "So.", "Because.")
        said.put(str(refused.value))

    process = context.Process(target=ask)
    process.start()
    try:
        words = said.get(timeout=60)
        assert words == "a judge judges in the process that made it alone. Make one in each process."
        process.join(60)
    finally:
        process.kill()
    assert len(ended()) == 4
    with pytest.raises(InputError, match="Make one in each process"):
        pickle.dumps(judge)


def test_closing_waits_for_the_call_of_another_thread(at_work):
    judge, ended = at_work
    closing = threading.Thread(target=judge.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    assert len(ended()) == 4
    closing.join(60)
    assert not closing.is_alive()


@pytest.mark.parametrize(
    ("pairs", "complaint"),
    [
        (Pair.of("q", "a", "b"), r"^pairs is one Pair\. It must be a list of Pairs\.$"),
        (None, r"^pairs is None\. It must be a list of Pairs\.$"),
        ([Pair.of(None, "a", "b")], r"^pair 1: message 1 is None\. It must be text\.$"),
        ([Pair.of(float("nan"), "a", "b")], r"^pair 1: message 1 is nan \(float\)\. It must be text\.$"),
        ([Pair.of("q", "\ud800", "b")], r"^pair 1: response_a has \\ud800, which stands alone"),
        ([Pair.of("q", pandas.NA, "b")], r"^pair 1: response_a is of type NAType\. It must be text\.$"),
        ([Pair.of("q", "a", b"b")], r"^pair 1: response_b is b'b' \(bytes\)\. It must be text\.$"),
        ([Pair.of("q", "a", "b", id=pandas.NA)], r"^pair 1: id is of type NAType\. It must be text\.$"),
        ([Pair.of(["q"], "a", "b")], r"^pair 1: message 1 has role ''\. It must be user or assistant\.$"),
        ([Pair.of([{"role": "system", "content": "x"}], "a", "b")], r"System text is the pair's own\.$"),
        ([Pair.of("q", "a", "b", criteria=["x"])], r"^pair 1: criterion 1 is of type str\. It must be a Cr"),
        ([Pair("i", None, None)], r"^pair 1: a conversation is None\. It must be a list of Messages\.$"),
        ([Pair("i", (), ())], r"^pair 1: a conversation is an empty tuple\. It must be a list of Messages"),
        ([Pair("i", *[(Message("user", "q"),)] * 2)], r"^pair 1: response_a has role 'user'\. It must be a"),
    ],
)
def test_what_is_no_list_of_pairs_of_texts_is_named(longer, pairs, complaint):
    with pytest.raises(InputError, match=complaint):
        longer.judge(pairs)


def test_a_time_that_is_no_text_is_named(longer):
    with pytest.raises(InputError, match=r"^within: 5\. It must be a time such as"):
        longer.judge(FOUR_PAIRS, within=5)


def test_agreement_takes_what_can_be_read_once(longer):
    verdicts = longer.judge(FOUR_PAIRS)
    votes = [
        HumanVote(pair.id, "me", said) for pair, said in zip(FOUR_PAIRS, ("A", Outcome.B) * 2, strict=True)
    ]
    once = longer.agreement(iter(verdicts), iter(votes), iter(FOUR_PAIRS))
    assert once == longer.agreement(verdicts, votes, FOUR_PAIRS)
    assert [vote.outcome for vote in votes] == [Ballot.A, Ballot.B] * 2
    with pytest.raises(ValueError, match=r"^outcome is 'C'\. It must be one of A, B, TIE, BOTH_BAD\.$"):
        HumanVote("p", "me", "C")


def test_messages_of_a_pair_may_be_objects(longer):
    objects = [{"role": "user", "content": "Why?"}]
    assert Pair.of(objects, "x", "y") == Pair.of("Why?", "x", "y")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            ("votes.jsonl",),
            r"^votes\.jsonl: this is the name of a file\. Give what read_votes makes of it\.$",
        ),
        (([1],), r"^votes, item 1 is 1 \(int\)\. It must be a list of HumanVotes\.$"),
        (([HumanVote("sky", "me", "A")], "p.jsonl"), r"^p\.jsonl: this is the name of a file"),
        (([HumanVote("sky", "me", "A")], None, "kappa"), r"^metrics is 'kappa'\. It must be a list of names"),
    ],
)
def test_agreement_of_something_else_is_refused_by_name(longer, given, complaint):
    verdicts = longer.judge(FOUR_PAIRS)
    with pytest.raises(InputError, match=complaint):
        longer.agreement(verdicts, *given)


def test_a_judge_that_no_study_has_is_named(longer):
    study = longer.agreement(longer.judge(FOUR_PAIRS), [HumanVote("sky", "me", "A")])
    with pytest.raises(
        InputError, match=r"^no judge of the name 'nope'\. The names here are scripted-longer"
    ):
        study.standing("nope")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"ledger": 3}, r"^ledger is 3 \(int\)\. It must be the path of a file, or a Ledger\.$"),
        ({"cache": "false"}, r"^cache is of type str\. It must be True or False\.$"),
    ],
)
def test_where_verdicts_are_kept_is_a_file_or_nowhere(given, complaint):
    with pytest.raises(InputError, match=complaint):
        Judge(backend="scripted:longer", **given)


def test_what_is_known_may_be_asked_of_pairs_that_can_be_read_once(longer):
    longer.judge(FOUR_PAIRS[:2])
    assert longer.are_known(iter(FOUR_PAIRS)) == longer.are_known(FOUR_PAIRS)
    with pytest.raises(InputError, match="this is the name of a file"):
        longer.are_known("pairs.jsonl")


def test_an_answer_that_is_no_text_is_named(longer):
    with pytest.raises(InputError, match=r"^b is None\. It must be text\.$"):
        longer.compare("Why?", "x", None)


def test_what_is_compared_is_understood_or_refused_by_name(longer):
    question = [Message("system", "Be brief."), Message("user", "Why?")]
    as_objects = [{"role": one.role, "content": one.content} for one in question]
    known = longer.compare("Why?", "xx", "x", system="Be brief.", reference="because")
    assert longer.compare(question, "xx", "x", reference="because") == known
    assert longer.compare(as_objects, "xx", "x", reference="because") == known
    for given, words in (
        ((["Why?"], "a", "b"), "prompt, message 1 is of type str. It must be an object with role and"),
        (("Why?", "caf\udce9", "b"), r"a has \udce9, which stands alone and is only half a character"),
        ((3, "a", "b"), "prompt is 3 (int). It must be text, or a list of messages"),
    ):
        with pytest.raises(InputError, match=re.escape(words)):
            longer.compare(*given)
    for name in ("reference", "system"):
        with pytest.raises(InputError, match=rf"^{name} is 3 \(int\)\. It must be text\.$"):
            longer.compare("Why?", "a", "b", **{name: 3})


def test_its_options_are_those_of_the_command_line():
    own = inspect.signature(Judge.__init__).parameters
    known = inspect.signature(judge_options).parameters
    assert [name for name in own if name not in BESIDE] == list(known)
    assert {name: own[name].default for name in known} == {n: p.default for n, p in known.items()}
    documented = inspect.getdoc(Judge)
    assert [name for name in (*known, "ledger", "cache", "progress") if f"{name}: " not in documented] == []


def test_a_judge_of_options_is_that_of_the_same_keywords(tmp_path):
    with Judge.of(JudgeOptions(), ledger=tmp_path / "a") as one, Judge(ledger=tmp_path / "b") as other:
        assert one.options == other.options


def test_every_public_name_is_there_and_told():
    assert [name for name in judge.__all__ if getattr(judge, name, None) is None] == []
    assert set(dir(judge)) == set(judge.__all__)
    told = inspect.getdoc(judge)
    assert [name for name in judge.__all__ if name not in told and name != "__version__"] == []
    with pytest.raises(AttributeError, match="module 'judge' has no attribute 'Jugde'"):
        judge.Jugde  # noqa: B018


def test_a_pair_without_an_id_is_named_by_its_content():
    one, other = Pair.of("Why?", "x", "y"), Pair.of("Why?", "x", "z")
    assert one.id == one.content_hash != other.id
    assert Pair.of("Why?", "x", "y", id="mine").id == "mine"
    assert Pair.of("Why?", "x", "y", reference="x").content_hash != one.content_hash


def test_importing_the_package_is_nearly_free():
    program = (
        "import time, typing, sys\n"
        "before = set(sys.modules)\n"
        "started = time.perf_counter(); import judge; spent = time.perf_counter() - started\n"
        "print(spent, *sorted(name.partition('.')[0] for name in set(sys.modules) - before))\n"
    )
    runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True) for _ in range(5)]
    seconds, modules = zip(*(run.stdout.split(maxsplit=1) for run in runs), strict=True)
    assert set(modules[0].split()) <= {"__future__", "judge", "importlib"}
    assert min(map(float, seconds)) < 0.05
