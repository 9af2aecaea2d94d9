"""The fixture `judge`: comparisons and assertions inside tests."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pairs import pair_of
from plugin import WAYS, summary, without_ledger

from judge.backends import load_backend
from judge.evaluate import judge_pairs
from judge.ledger.replay import Replay
from judge.methods import load_method
from judge.plugin.judging import why_not_as_expected
from judge.plugin.run import RunSettings, SuiteRun, property_of, record_of
from judge.plugin.suite import Comparison
from judge.records import Cut, Pair

pytestmark = pytest.mark.slow  # every test runs pytest

TESTS = """
import pytest

def test_compare(judge):
    verdict = judge.compare("Why?", "a longer answer", "short")
    assert (verdict.status, verdict.outcome, verdict.p_a) == ("consistent", "A", 1.0)

def test_preferred(judge):
    judge.assert_preferred("Why?", "a longer answer", "short")

def test_not_preferred(judge):
    judge.assert_preferred("Why?", "short", "a longer answer")

def test_a_tie_is_not_preferred(judge):
    judge.assert_preferred("Why?", "same", "here")

def test_a_tie_is_not_worse(judge):
    judge.assert_not_worse("Why?", "same", "here")

@pytest.mark.parametrize("word", ["one", "three"])
def test_not_worse(judge, word):
    judge.assert_not_worse("Why?", word, "four")
"""


@WAYS
def test_assertions_fail_where_the_new_answer_loses(project):
    project.write("test_bot.py", TESTS)
    result = project.run()
    result.assert_outcomes(passed=4, failed=3)
    for name in ("test_not_preferred", "test_a_tie_is_not_preferred", "test_not_worse[[]one[]]"):
        result.stdout.fnmatch_lines([f"FAILED test_bot.py::{name} - *"])
    assert "7 comparisons: the new answer won 3, the approved one 2, 2 ties" in summary(result)


def test_the_message_alone_says_why(project):
    project.write(
        "test_bot.py",
        "def test_bot(judge):\n"
        '    judge.assert_not_worse("Why is the sky blue?", "No idea.", "Air scatters light.")\n',
    )
    result = project.run()
    result.stdout.fnmatch_lines(
        [
            "*judge.assert_not_worse(*",
            "E * the approved answer is better, in both orders; it should not lose",
            "E * new shown first: approved, P(new is better) 0.000",
            "E * approved shown first: approved, P(new is better) 0.000",
            "E * [[]Prompt[]]",
            "E * Why is the sky blue?",
            "E * [[]New answer[]]",
            "E * No idea.",
            "E * [[]Approved answer[]]",
            "E * Air scatters light.",
            "E * judge: scripted-longer+none/direct@scripted#*",
        ]
    )
    assert "pytest_judge.py" not in result.stdout.str()


def test_no_judge_is_quoted_on_an_answer_that_did_not_change(project):
    project.write("test_bot.py", 'def test_bot(judge):\n    judge.assert_preferred("Why?", "so", "so")\n')
    result = project.run()
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "is the same as the approved one, so no judge was asked; it should win" in text
    failure = text[: text.index("= judge =")]
    assert not any(said in failure for said in ("both orders", "P(new is better)", "scripted-longer"))


def test_hostile_and_long_answers_are_shown_harmless_and_short(project):
    project.write(
        "test_bot.py",
        'def test_bot(judge):\n    judge.assert_preferred("Why?", "\\x1b[2Jred", "x" * 9000)\n',
    )
    text = project.run().stdout.str()
    assert "\x1b[2J" not in text
    assert "[... 7,000 characters left out ...]" in text


def test_conversations_and_context_reach_the_judge(project):
    project.write(
        "test_bot.py",
        """
def test_bot(judge):
    talk = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Why?"},
    ]
    judge.compare(talk, "a longer answer", "short", system="Be kind.", reference="Because.", category="chat")
""",
    )
    project.run("--judge-report", "report.html").assert_outcomes(passed=1)
    page = (project.path / "report.html").read_text("utf-8")
    assert all(text in page for text in ("Hi", "Yes?", "Be kind.", "Because.", "chat"))


def test_a_conversation_that_ends_in_no_question_is_refused(project):
    project.write(
        "test_bot.py",
        'def test_bot(judge):\n    judge.compare([{"role": "assistant", "content": "x"}], "a", "b")\n',
    )
    project.run().stdout.fnmatch_lines(
        ["judge: prompt ends with role assistant. A conversation must end in a message with role user*"]
    )


def test_a_judge_that_cannot_be_had_fails_the_test_with_one_line(project):
    project.write("test_bot.py", 'def test_bot(judge):\n    judge.compare("Why?", "a", "b")\n')
    result = project.run("--judge-model", "no-such-model", "--judge-backend", "embedded")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["judge: 'no-such-model': no such base model.*"])
    assert "Traceback" not in result.stdout.str()


def test_other_fixtures_may_hand_the_judge_on(project):
    project.write(
        "test_bot.py",
        """
import pytest

@pytest.fixture(scope="session")
def early(judge):
    return judge

def test_bot(early):
    assert early.compare("Why?", "longer", "short").outcome == "A"
""",
    )
    project.run().assert_outcomes(passed=1)


@WAYS
def test_what_fixtures_compare_counts_whatever_becomes_of_the_test(project):
    project.write(
        "test_bot.py",
        """
import pytest

@pytest.fixture
def skipping(judge):
    judge.compare("One?", "a longer answer", "short")
    pytest.skip("not today")

@pytest.fixture
def failing(judge):
    judge.compare("Two?", "a longer answer", "short")
    raise RuntimeError("no bot")

@pytest.fixture
def at_both_ends(judge, request):
    request.addfinalizer(lambda: judge.compare("Three?", "short", "a longer answer"))
    judge.compare("Four?", "a longer answer", "short")

def test_skipped(skipping):
    pass

def test_failed(failing):
    pass

def test_passed(at_both_ends, judge):
    judge.compare("Five?", "a longer answer", "short")

def test_without_a_comparison(judge):
    pass
""",
    )
    result = project.run("--judge-gate=not-worse")
    result.assert_outcomes(passed=2, skipped=1, errors=1)
    assert "5 comparisons: the new answer won 4, the approved one 1, 0 ties" in summary(result)
    assert "over 5 cases in 5 clusters" in summary(result)


@WAYS
def test_comparisons_are_properties_in_junit(project):
    project.write("test_bot.py", TESTS)
    project.run("--junit-xml", "junit.xml")
    xml = (project.path / "junit.xml").read_text("utf-8")
    assert xml.count('<property name="judge"') == 7
    assert "new, consistent, P(new is better) 1.000, by scripted-longer" in xml


def test_nothing_of_the_judge_is_imported_without_a_judge_test(project):
    project.write(
        "test_plain.py",
        """
import sys

def test_plain():
    ours = {name for name in sys.modules if name.partition(".")[0] == "judge"}
    assert ours == {"judge", "judge._version", "judge.plugin", "judge.plugin.fixtures", "judge.plugin.hooks"}
    assert not {"torch", "numpy", "typer"} & set(sys.modules)
""",
    )
    project.pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=1)  # has numpy itself


def test_the_plugin_costs_a_project_without_judge_tests_less_than_50_ms(project):
    code = (
        "import json, pytest, sys, time; start = time.perf_counter(); import judge.plugin.hooks; "
        "print(json.dumps(time.perf_counter() - start))"
    )
    seconds = [
        float(json.loads(project.pytester.run(sys.executable, "-c", code).outlines[-1])) for _ in range(3)
    ]
    assert min(seconds) < 0.05


def test_what_was_judged_is_not_judged_again_and_torch_stays_out(project):
    project.write("test_bot.py", TESTS)
    project.is_apart = True
    first = summary(project.run())
    project.write(
        "conftest.py",
        """
import pathlib, sys

def pytest_sessionfinish():
    pathlib.Path("torch.txt").write_text(str("torch" in sys.modules))
""",
    )
    again = summary(project.run())
    assert without_ledger(again) == without_ledger(first)
    assert "7 of 7 verdicts from the ledger (made " in again
    assert (project.path / "torch.txt").read_text() == "False"


def test_the_property_of_an_answer_that_did_not_change_names_no_judge():
    pair = Pair.of("Why?", "so", "so")
    [verdict] = judge_pairs([pair], load_method("direct", load_backend("scripted:longer")))
    assert property_of(record_of(Comparison(pair, verdict), "c")) == "unchanged, no judge was asked"


def test_the_message_says_how_much_was_read_of_answers_that_were_shortened():
    pair = pair_of()
    [whole] = judge_pairs([pair], load_method("direct", load_backend("scripted:longer")))
    cut = {
        order: replace(reading, is_trimmed=True, cut=Cut(4096, 30_000))
        for order, reading in whole.readings.items()
    }
    said = "\n\nAnswers were shortened for the judge, which read 4,096 of 30,000 tokens.\n\n[Prompt]"
    assert said in why_not_as_expected(Comparison(pair, replace(whole, readings=cut)), "preferred")
    assert "shortened" not in why_not_as_expected(Comparison(pair, whole), "preferred")


THREADS = """
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from judge.plugin import judging

def test_bot(judge, monkeypatch):
    both, add_records = threading.Barrier(2, timeout=60), judging.add_records

    def wait_for_the_other(item, records):
        add_records(item, records)
        both.wait()

    monkeypatch.setattr(judging, "add_records", wait_for_the_other)
    with ThreadPoolExecutor(2) as pool:
        won = pool.submit(judge.assert_not_worse, "Why?", "a longer answer", "short")
        lost = pool.submit(judge.assert_not_worse, "How?", "short", "a longer answer")
    won.result()
    with pytest.raises(AssertionError, match="the approved answer is better"):
        lost.result()
"""


def test_each_thread_of_a_test_is_told_of_its_own_answer(project):
    project.write("test_bot.py", THREADS)
    result = project.run()
    result.assert_outcomes(passed=1)
    assert "2 comparisons: the new answer won 1, the approved one 1, 0 ties" in summary(result)


class Unhurried:
    """A judge of ties that knows how many pairs it was asked of last, and takes its time to answer."""

    notice = ""

    def judge(self, pairs):
        self.replay = Replay((None,) * len(pairs))
        time.sleep(0.05)
        return [SimpleNamespace(outcome="TIE")] * len(pairs)


def test_when_a_verdict_was_made_is_told_of_the_call_that_asked():
    run = SuiteRun(RunSettings(backend="scripted:longer"))
    run.__dict__["judge"] = Unhurried()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(run.compare, [[pair_of()] * n for n in (1, 2, 3, 4)]))
    assert [len(comparisons) for comparisons in found] == [1, 2, 3, 4]
