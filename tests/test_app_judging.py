"""The judge behind the pages: one thread, one load, errors as one line."""

from __future__ import annotations

import threading
import time

import pytest
from pairs import pair_of

from judge.backends import ChoiceProbabilities
from judge.backends.scripted import ScriptedBackend
from judge.models.adapters import SHIPPED
from judge.options import JudgeOptions, judge_options
from judge.records import Outcome
from judge.review.judging import Desk, Job, by_method, free_memory_gib, memory_words, models_of, offered_first

PAIRS = [pair_of("a long answer", "short", f"Question {n}?", f"p{n}") for n in range(4)]
LONGER = judge_options(backend="scripted:longer")


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "ledger.sqlite")


def over(job):
    for _ in range(6000):
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
    mine = str(SHIPPED / "qwen2.5-coder-0.5b")
    options = judge_options(adapter=mine)
    assert by_method(options, "slow").settings.adapter == "none"
    assert by_method(options, "cot").method == "cot"
    for way in ("fast", "auto", "direct", "score"):
        assert by_method(options, way).settings.adapter == mine


def test_an_adapter_that_is_fast_and_slow_keeps_both_and_no_other_method_has_it(monkeypatch):
    monkeypatch.setattr(JudgeOptions, "is_dual", property(lambda self: self.settings.adapter == "both"))
    options = judge_options(adapter="both")
    for way in ("fast", "slow", "auto", "dual", "dual-slow", "dual-auto"):
        assert by_method(options, way).settings.adapter == "both"
        assert len(models_of(by_method(options, way))) == 1
    for method in ("bsm", "checklist", "direct", "cot"):
        assert by_method(options, method).settings.adapter == "none"


def test_a_judge_of_criteria_is_offered_by_the_method_that_reads_them():
    plain, by_criteria = judge_options(), judge_options(criteria=["polite"])
    assert offered_first(plain) == "fast"
    assert (
        offered_first(by_criteria)
        == offered_first(plain, by_criteria.method_settings.criteria)
        == "checklist"
    )
    assert by_method(by_criteria, offered_first(by_criteria)).method_settings == by_criteria.method_settings
    assert offered_first(judge_options(method="slow", criteria=["polite"])) == "slow"
    assert offered_first(judge_options(method="direct", criteria=["polite"])) == "checklist"


def test_a_method_that_was_named_is_offered_first_and_keeps_its_calibration():
    options = judge_options(method="direct", calibration="mine.json")
    assert offered_first(options) == "direct"
    assert by_method(options, offered_first(options)) == options


def test_a_calibration_stays_with_the_way_that_it_was_made_for():
    options = judge_options(calibration="mine.json", abstain_below=0.7)
    assert by_method(options, "fast") == options
    assert (by_method(options, "slow").calibration, by_method(options, "slow").abstain_below) == ("", 0.7)


def test_a_job_says_its_stage_and_how_long_it_takes_and_that_it_is_stopping():
    job = Job((), LONGER, stage="loading the model", asked_s=100.0)
    assert job.in_words(104.2) == "loading the model · 4 s"
    job.is_stopped = True
    assert job.in_words(106.0) == "stopping after what is being read now · 6 s"


def test_a_job_that_was_stopped_while_it_waited_reads_nothing(desk, monkeypatch):
    asked = []
    go_on = threading.Event()

    def choose(self, prompts, choices):
        asked.append(len(prompts))
        go_on.wait(30)
        return [ChoiceProbabilities((1.0, 0.0), 1, 1) for _ in prompts]

    monkeypatch.setattr(ScriptedBackend, "choose", choose)
    first, second = desk.ask(LONGER, PAIRS[:1]), desk.ask(LONGER, PAIRS[1:])
    second.is_stopped = True
    go_on.set()
    assert over(second).error == "stopped. What was judged is kept."
    assert len(over(first).verdicts) == 1
    assert asked == [2]


def test_a_job_that_is_stopping_is_not_the_answer_to_a_new_question(desk):
    first = desk.ask(LONGER, PAIRS)
    first.is_stopped = True
    assert over(desk.ask(LONGER, PAIRS)) is not first


def embedded(method):
    return by_method(judge_options(), method)


def test_methods_of_one_model_share_it_and_what_has_answered_is_in_memory(desk, monkeypatch):
    made = []

    def scripted(spec, settings):
        made.append(spec)
        return ScriptedBackend.from_settings("longer", settings)

    monkeypatch.setattr("judge.review.judging.load_backend", scripted)
    assert desk.in_memory() == set()
    for method in ("bsm", "cot", "bsm-text"):
        assert over(desk.ask(embedded(method), PAIRS)).error == ""
        assert desk.in_memory() == models_of(embedded(method))
    assert made == ["embedded"]


def test_memory_is_said_before_a_second_model_loads_and_only_then():
    fast, slow, auto = (models_of(embedded(method)) for method in ("fast", "slow", "auto"))
    assert (len(fast), len(slow), auto) == (1, 1, fast | slow)
    assert memory_words(fast, set(), 4.0) == ""
    assert memory_words(slow, slow, 4.0) == memory_words(fast, auto, 4.0) == ""
    assert memory_words(slow, fast, 4.0) == (
        "With this method 2 models are in memory at once. "
        "To load what is not there yet takes about 2.3 GiB more, and 4.0 GiB are free."
    )
    assert "takes about 4.7 GiB more." in memory_words(auto, set(), None)
    unknown = models_of(judge_options(base_model="somebody/model", adapter="none"))
    assert "takes more memory." in memory_words(unknown, fast, None)


def test_a_server_s_judge_takes_no_memory_here():
    assert models_of(judge_options(backend="server:http://127.0.0.1:1/v1", adapter="none")) == set()


def test_free_memory_is_what_the_system_says_or_not_known(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    3145728 kB\n", encoding="utf-8")
    assert free_memory_gib(tmp_path / "meminfo") == 3.0
    assert free_memory_gib(tmp_path / "nothing") is None
