"""What fixtures compare for several tests, reruns, markers and columns: no evidence is lost on the way."""

from __future__ import annotations

import pytest
from plugin import WAYS, summary

from judge.plugin.run import RunSettings, SuiteRun

pytestmark = pytest.mark.slow  # every test runs pytest

FLAKY = """
import pytest

TRIES = {"n": 0}

@pytest.fixture(scope="module")
def many(judge):
    for n in range(30):
        judge.compare(f"question {n}", "bad", "a much longer approved one")

def test_flaky(judge, many):
    TRIES["n"] += 1
    judge.compare("one more", "a longer answer", "short")
    assert TRIES["n"] > 1
"""


def test_a_rerun_keeps_what_a_fixture_of_many_tests_compared(project):
    project.write("test_bot.py", FLAKY)
    result = project.run("--reruns=1", "--judge-gate=not-worse:0.05")
    assert "31 comparisons: the new answer won 1, the approved one 30" in summary(result)
    assert result.ret == 1


MANY_LOST = """
import pytest

@pytest.fixture(scope="module")
def smoke(judge):
    for n in range(30):
        judge.compare(f"smoke {n}", "a longer answer", "short")
    yield
    for n in range(20):
        judge.compare(f"afterwards {n}", "same", "here")

@pytest.mark.parametrize("n", range(70))
def test_question(judge, smoke, n):
    judge.compare(f"question {n}", "short", "a longer answer")
"""


@WAYS
def test_what_a_fixture_of_many_tests_compares_counts_once_in_any_number_of_workers(project):
    project.write("test_bot.py", MANY_LOST)
    result = project.run("--judge-gate=not-worse:0.05", "--judge-report=r.html")
    result.assert_outcomes(passed=70)
    assert "120 comparisons: the new answer won 30, the approved one 70, 20 ties" in summary(result)
    assert "gate not-worse:0.05: WORSE" in summary(result)
    assert result.ret == 1


LISTS_OF_THEIR_OWN = """
import pytest

class Bot:
    def __init__(self, answer):
        self.answer = answer

@pytest.fixture(scope="module", params=["a longer answer", "short"])
def own(request, judge):
    judge.compare("own?", request.param, "medium one")

@pytest.fixture(scope="module")
def given(request, judge):
    judge.compare("given?", getattr(request.param, "answer", request.param), "medium one")

def test_own(own): pass
def test_own_too(own): pass

@pytest.mark.parametrize("given", ["a longer answer"], indirect=True)
def test_one(given): pass
@pytest.mark.parametrize("given", ["no"], indirect=True)
def test_two(given): pass
@pytest.mark.parametrize("given", [Bot("an even longer answer")], indirect=True)
def test_three(given): pass
@pytest.mark.parametrize("given", [Bot("")], indirect=True)
def test_four(given): pass
"""


@WAYS
def test_each_parameter_of_a_fixture_of_many_tests_counts(project):
    project.write("test_bot.py", LISTS_OF_THEIR_OWN)
    result = project.run()
    result.assert_outcomes(passed=8)
    assert "6 comparisons: the new answer won 3, the approved one 3, 0 ties" in summary(result)


def told(score: float, *shared: str) -> dict:
    record = {"score": score, "cluster": "c", "verdict": {"status": "consistent"}, "unchanged": False}
    return record | ({"shared": shared} if shared else {})


def test_what_the_first_test_has_of_a_fixture_counts_whichever_is_told_first():
    first, last = (
        ("test_1", [told(1.0, "bot", "set-up"), told(0.0)]),
        ("test_2", [told(0.5, "bot", "set-up")]),
    )
    for arrived in ([first, last], [last, first]):
        run = SuiteRun(RunSettings(backend="scripted:longer"))
        run.collected = ["test_1", "test_2"]
        for test, records in arrived:
            run.add(test, records)
        assert [record["score"] for record in run.all_records] == [1.0, 0.0]
        run.forget("test_1")
        assert [record["score"] for record in run.all_records] == [0.5]


AGAIN_WITH_ALL_FIXTURES = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    runtestprotocol(item, log=False, nextitem=nextitem)
    runtestprotocol(item, nextitem=nextitem)
    return True
"""


def test_where_a_rerun_sets_up_a_fixture_of_many_tests_again_it_counts_once(project):
    project.write("conftest.py", AGAIN_WITH_ALL_FIXTURES)
    project.write("test_bot.py", FLAKY)
    result = project.run()
    result.assert_outcomes(passed=1)
    assert "31 comparisons: the new answer won 1, the approved one 30" in summary(result)


def test_what_a_fixture_of_many_tests_compares_at_its_end_counts_once_after_a_rerun(project):
    project.write("test_bot.py", FLAKY.replace("    for n", "    yield\n    for n"))
    result = project.run("--reruns=1")
    assert "31 comparisons: the new answer won 1, the approved one 30" in summary(result)


@WAYS
@pytest.mark.parametrize("again", ["pytest.skip('the service is down')", "return"])
def test_a_try_that_is_given_up_is_no_evidence(project, again):
    text = f"""
import pathlib, pytest

def test_flaky(judge):
    tried = pathlib.Path("tried.txt")
    if tried.exists():
        {again}
    tried.touch()
    judge.assert_not_worse("Why?", "short", "a longer answer")
"""
    project.write("test_bot.py", text)
    result = project.run("--reruns=1", "--judge-gate=not-worse:0.4")
    assert "gate not-worse:0.4: cannot tell: nothing was compared." in summary(result)
    assert result.ret == 1


def test_a_rerun_judges_the_markers_data_set_again(project):
    pairs = [
        {"id": f"p{n}", "prompt": f"q{n}", "response_a": "bad", "response_b": "a longer one"}
        for n in range(30)
    ]
    project.write("pairs.jsonl", pairs)
    text = FLAKY.partition("@pytest.fixture")[0] + (
        '@pytest.mark.judge(dataset="pairs.jsonl", min_win_rate=0)\n'
        "def test_flaky(judge, judged):\n"
        '    TRIES["n"] += 1\n'
        '    judge.compare("one more", "a longer answer", "short")\n'
        '    assert TRIES["n"] > 1\n'
    )
    project.write("test_bot.py", text)
    result = project.run("--reruns=1", "--judge-gate=not-worse:0.05")
    assert "31 comparisons" in summary(result)
    assert result.ret == 1


def test_two_data_sets_are_two_tests(project):
    project.write(
        "test_bot.py",
        "import pytest\n"
        '@pytest.mark.judge(dataset="bad.jsonl")\n'
        '@pytest.mark.judge(dataset="good.jsonl")\n'
        "def test_two(): pass\n",
    )
    result = project.run()
    result.assert_outcomes(errors=1)
    assert "a test has one data set. Write a test for each." in result.stdout.str()


def case(id, **more):
    pair = {"id": id, "prompt": f"q {id}", "response_a": "bad", "response_b": "a much longer approved one"}
    return pair | more


def test_pairs_say_what_is_expected_of_them_and_their_cluster(project):
    both = [case("x", expect="not-worse", cluster="same"), case("y", expect="preferred", cluster="same")]
    project.write("judge_cases.jsonl", [*both, case("z")])
    result = project.run("--judge-gate=not-worse:0.05")
    result.assert_outcomes(passed=1, failed=2)
    assert "2 clusters" in summary(result)
    project.write("judge_cases.jsonl", [case("x", expect="better")])
    result = project.run()
    assert "expect is 'better'. It must be preferred or not-worse, or left out." in result.stdout.str()
    assert result.ret != 0


def test_answers_of_two_parameters_are_two_files(project):
    project.write(
        "test_bot.py",
        "import pytest\n"
        '@pytest.mark.parametrize("q", ["a::b", "a.b"])\n'
        "def test_x(judge, q):\n"
        '    judge.compare("same question", "answer to " + q)\n',
    )
    project.run("--judge-update-baseline").assert_outcomes(passed=2)
    assert len(list((project.path / "judge_baselines").rglob("*.md"))) == 2


def test_the_answer_of_a_shared_fixture_belongs_to_no_test(project):
    project.write(
        "test_bot.py",
        "import pytest\n"
        '@pytest.fixture(scope="module")\n'
        "def shared(judge):\n"
        '    judge.compare("Say hello", "hello you")\n'
        "def test_first(judge, shared):\n"
        '    judge.compare("One", "first answer")\n'
        "def test_second(judge, shared):\n"
        '    judge.compare("Two", "second answer")\n',
    )
    project.run("--judge-update-baseline").assert_outcomes(passed=2)
    assert len(list((project.path / "judge_baselines").rglob("*.md"))) == 3
    for only in ("first", "second"):
        project.run("-k", only).assert_outcomes(passed=1)


def test_inconsistent_verdicts_alone_are_no_evidence(project):
    project.write("judge_cases.jsonl", [case(f"p{n}") for n in range(40)])
    result = project.run("--judge-gate=not-worse:0.05", judge="scripted:first")
    assert "all 40 verdicts change when the answers swap places" in summary(result)
    assert result.ret == 1


def test_a_test_may_ask_for_the_judge_by_its_name_alone(project):
    project.write(
        "test_bot.py",
        "def test_x(request):\n"
        '    judge = request.getfixturevalue("judge")\n'
        '    assert judge.compare("Why?", "a longer answer", "short").outcome == "A"\n',
    )
    result = project.run()
    result.assert_outcomes(passed=1)
    assert "1 comparison" in summary(result)


def test_a_test_that_changes_the_folder_changes_no_file_of_the_command_line(project):
    project.write(
        "test_bot.py",
        "def test_x(judge, monkeypatch, tmp_path):\n"
        "    monkeypatch.chdir(tmp_path)\n"
        '    judge.compare("Why?", "a longer answer", "short")\n'
        '    assert not list(tmp_path.glob("led.sqlite*"))\n',
    )
    project.run("--judge-ledger=led.sqlite").assert_outcomes(passed=1)
    assert (project.path / "led.sqlite").exists()


def test_a_share_of_readable_verdicts_is_met_exactly():
    from judge.plugin.gate import lack_of_evidence, least_share_of

    assert lack_of_evidence(999, 1000, least_share_of("99.9%")) == ""
    assert lack_of_evidence(998, 1000, least_share_of("99.9%"))


def test_a_report_holds_comparisons_with_criteria_and_without(project):
    project.write(
        "test_bot.py",
        "def test_a(judge):\n"
        '    judge.compare("Why?", "a longer answer", "short")\n'
        "def test_b(judge):\n"
        '    judge.compare("How?", "a longer answer", "short", criteria=["Is it long?"])\n',
    )
    result = project.run("--judge-report=r.html")
    result.assert_outcomes(passed=2)
    assert result.ret == 0
    assert "+none/checklist@" in (project.path / "r.html").read_text("utf-8")


def test_what_workers_note_is_said_and_nothing_is_said_to_be_skipped_that_was_not(project):
    project.workers = 2
    talk = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "a much longer answer"}]
    rows = [
        {"model_a": "x", "model_b": "y", "winner": "tie", "question_id": n}
        | {"conversation_a": [{**talk[0], "content": f"Q{n}"}, talk[1]]}
        | {"conversation_b": [{**talk[0], "content": f"Q{n}"}, {"role": "assistant", "content": "short"}]}
        for n in range(30)
    ]
    rows[0]["conversation_a"][0]["content"] = [{"type": "image_url", "image_url": {"url": "x"}}]
    project.write("judge_cases.jsonl", rows)
    result = project.run("--judge-gate=not-worse:0.05", "--judge-sequential")
    assert "settled early" not in summary(result)
    assert "left out: an image: 1" in result.stdout.str()
