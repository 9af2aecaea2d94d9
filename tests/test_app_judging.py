"""The judge behind the pages: one thread, one load, errors as one line."""

from __future__ import annotations

import time

import pytest
from pairs import pair_of

from judge.backends.scripted import ScriptedBackend
from judge.options import judge_options
from judge.records import Outcome
from judge.review.judging import Desk, by_method

PAIRS = [pair_of("a long answer", "short", f"Question {n}?", f"p{n}") for n in range(4)]
LONGER = judge_options(backend="scripted:longer")


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "ledger.sqlite")


def over(job):
    for _ in range(1000):
        if job.is_over:
            return job
        time.sleep(0.01)
    raise AssertionError("the job never ended")


def test_a_job_ends_with_a_verdict_a_pair(desk):
    job = over(desk.ask(LONGER, PAIRS))
    assert [verdict.outcome for verdict in job.verdicts] == [Outcome.A] * 4
    assert (job.error, job.done == job.total) == ("", True)


def test_the_same_question_is_asked_once(desk):
    assert desk.ask(LONGER, PAIRS) is desk.ask(LONGER, PAIRS)
    assert desk.ask(LONGER, PAIRS[:1]) is not desk.ask(LONGER, PAIRS)


def test_a_failure_is_one_line_and_the_next_try_is_a_new_one(desk):
    wrong = judge_options(backend="scripted:nobody")
    job = over(desk.ask(wrong, PAIRS))
    assert "nobody" in job.error
    assert "\n" not in job.error
    assert desk.ask(wrong, PAIRS) is not job


def test_a_bug_does_not_end_the_thread(desk, monkeypatch):
    monkeypatch.setattr(ScriptedBackend, "choose", lambda *_: 1 / 0)
    assert over(desk.ask(LONGER, PAIRS)).error.startswith("ZeroDivisionError")
    monkeypatch.undo()
    assert over(desk.ask(LONGER, PAIRS)).error == ""


def test_a_stopped_job_says_so_and_what_was_judged_is_kept(desk):
    first = desk.ask(LONGER, PAIRS)
    first.is_stopped = True
    assert over(first).error in ("", "stopped. What was judged is kept.")
    again = desk.ask(LONGER, PAIRS)
    again.is_stopped = False
    assert len(over(again).verdicts) == 4


def test_a_slow_method_has_no_adapter_and_a_fast_one_keeps_its_own():
    options = judge_options(adapter="runs/mine")
    assert by_method(options, "slow").settings.adapter == "none"
    assert by_method(options, "cot").method == "cot"
    for way in ("fast", "auto", "direct", "score"):
        assert by_method(options, way).settings.adapter == "runs/mine"


def test_a_calibration_stays_with_the_way_that_it_was_made_for():
    options = judge_options(calibration="mine.json", abstain_below=0.7)
    assert by_method(options, "fast") == options
    assert (by_method(options, "slow").calibration, by_method(options, "slow").abstain_below) == ("", 0.7)
