"""Runs of benchmarks/system2 with models of a known character: samples, filters, students, a run a task."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.system2 import __main__ as command
from benchmarks.system2 import beginning, gsm8k, last_letters, sycophancy
from benchmarks.system2.filters import (
    NO_MAJORITY,
    NOT_PICKED,
    ORDER_DECIDED,
    UNREAD,
    USC,
    Dropped,
    Target,
    first,
    majority,
    taught,
)
from benchmarks.system2.following import Followed, sampled
from benchmarks.system2.plan import (
    TRIED_PROMPTS,
    Plan,
    Rates,
    begun_plan,
    fitted,
    hours,
    measured,
    plan_of,
    stages_of,
    total_seconds,
    write_plan,
)
from benchmarks.system2.reading import key_of
from benchmarks.system2.run import CONTROL, DISTILLED, SCHEMA, UNFILTERED, prompts_of, run
from benchmarks.system2.students import Lesson, Student
from benchmarks.system2.task import Procedure, Question, Split, at_once
from benchmarks.system2.tasks import TASKS
from distill.replies import Ask, Replies
from judge.backends import Backend, Completion, Sampling
from judge.backends.scripted import ScriptedBackend, listed
from judge.errors import BackendError, InputError
from judge.ledger.ledger import Ledger
from judge.prompts import plain
from judge.records import Prompt, Unparsed


def words_of(prompt: Prompt) -> str:
    return "\n".join(span.text for _, spans in prompt.messages for span in spans)


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "replies.sqlite") as ledger:
        yield ledger


class Counting(ScriptedBackend):
    """Counts what it is asked, and fails at a prompt where it is told to."""

    def __init__(self, script: Any, fails_at: int = 10**9) -> None:
        super().__init__(script)
        self.batches: list[int] = []
        self.seeds: list[int] = []
        self.fails_at = fails_at

    def complete(self, prompts: Any, sampling: Any) -> Any:
        if sum(self.batches) + len(prompts) > self.fails_at:
            raise BackendError("the power is off")
        self.batches.append(len(prompts))
        self.seeds.append(sampling.seed)
        return super().complete(prompts, sampling)


# --- replies ---------------------------------------------------------------------------------------------


def test_a_reply_is_asked_for_once_and_samples_by_their_number(ledger):
    backend = Counting(listed(["one", "two", "three"]))
    replies = Replies(backend, ledger)
    asks = [Ask("Say a word.", number) for number in (0, 1, 2)]
    assert [one.text for one in replies.to(asks, 8, 0.7)] == ["one", "two", "three"]
    assert [one.text for one in replies.to(asks[::-1], 8, 0.7)] == ["three", "two", "one"]
    assert sum(backend.batches) == 3
    replies.to([Ask("Say a word.", 3)], 8, 0.7)
    assert sum(backend.batches) == 4


def test_another_limit_temperature_or_seed_is_another_reply_and_greedy_has_no_seed(ledger):
    backend = Counting(lambda prompt, index: f"reply {index}")
    ask = [Ask("Say a word.")]
    texts = [
        Replies(backend, ledger, seed).to(ask, limit, temperature)[0].text
        for seed, limit, temperature in (
            (0, 8, 0.7),
            (0, 9, 0.7),
            (0, 8, 0.5),
            (1, 8, 0.7),
            (0, 8, 0),
            (1, 8, 0),
        )
    ]
    assert texts == ["reply 0", "reply 1", "reply 2", "reply 3", "reply 4", "reply 4"]


def test_after_a_failure_only_the_rest_is_asked_in_the_same_batches(ledger):
    asks = [Ask(f"{number}: say a word") for number in range(1000)]
    whole = Counting(lambda prompt, index: words_of(prompt)[:3])
    with Ledger(ledger.path.with_name("other.sqlite")) as other:
        told = [one.text for one in Replies(whole, other).to(asks, 8, 0.7)]
    assert len(whole.batches) > 2
    broken = Counting(lambda prompt, index: words_of(prompt)[:3], fails_at=whole.batches[0])
    with pytest.raises(BackendError, match="the power is off"):
        Replies(broken, ledger).to(asks, 8, 0.7)
    resumed = Counting(lambda prompt, index: words_of(prompt)[:3])
    assert [one.text for one in Replies(resumed, ledger).to(asks, 8, 0.7)] == told
    assert (resumed.batches, resumed.seeds) == (whole.batches[1:], whole.seeds[1:])


def test_a_prompt_that_cannot_be_answered_stops_the_run(ledger):
    class Blocking(ScriptedBackend):
        def complete(self, prompts: Any, sampling: Any) -> list[Completion | Unparsed]:
            return [Unparsed("blocked", raw="") for _ in prompts]

    with pytest.raises(BackendError, match="scripted: a prompt has no reply: blocked"):
        Replies(Blocking(listed(["x"])), ledger).to([Ask("Say a word.")], 8)


def test_each_sample_goes_its_own_way_through_the_steps(ledger):
    def script(prompt: Prompt, index: int) -> str:
        found = re.search(r"In other words (\d+)", words_of(prompt))
        return f"The answer is w{'abcd'[int(found[1]) - 1]}" if found else f"In other words {index + 1}"

    [question] = last_letters.questions(Split.TEST, 1)
    done = sampled(
        last_letters.TASK.system_2["rar-2"], [question], 3, Replies(ScriptedBackend(script), ledger)
    )
    assert [one.reply for [*samples] in done for one in samples] == [f"The answer is w{c}" for c in "abc"]
    assert all(one.tokens_out == 4 + 4 for [*samples] in done for one in samples)


# --- filters ---------------------------------------------------------------------------------------------

LOST = Unparsed("no answer", raw="hm")


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        (["5", "5", "7"], Target("5", 2, 3)),
        (["Paris", "paris", "Rome"], Target("Paris", 2, 3)),
        (["5", "7"], Dropped(NO_MAJORITY)),
        ([LOST, LOST, "5"], Dropped(UNREAD)),
        ([LOST, "5", "5", "7"], Target("5", 2, 4)),
        ([LOST, "5"], Dropped(NO_MAJORITY)),
    ],
)
def test_the_most_frequent_answer_is_taught_and_a_draw_teaches_nothing(answers, found):
    assert majority(answers) == found


def test_without_a_filter_the_first_sample_is_taught_even_if_the_others_disagree():
    assert first(["5", "7", "7"]) == Target("5", 1, 3)
    assert first([LOST, "7", "7"]) == Dropped(UNREAD)


def test_the_model_picks_the_sample_that_agrees_best_and_is_asked_only_where_they_differ(ledger):
    questions = [
        Question("Which city?", "Rome"),
        Question("Which sea?", "Tyrrhenian Sea"),
        Question("Who?", "Nero"),
    ]
    said = [["Rome", "Paris", "?"], ["Black Sea", "Black sea", "Black Sea"], ["", "", ""]]
    samples = [[Followed(text, 1, 1) for text in each] for each in said]
    backend = Counting(lambda prompt, index: " b]]" if "A: Rome" in words_of(prompt) else "A")
    found = taught(sycophancy.TASK, USC, questions, samples, Replies(backend, ledger))
    # "?" holds no answer, so B is the second of the two that are shown; turned round, that is A.
    assert found == [Target("Paris", 1, 3), Target("Black Sea", 3, 3), Dropped(UNREAD)]
    assert sum(backend.batches) == 2


def test_a_pick_must_be_the_same_answer_in_both_orders(ledger):
    """Always A is another answer each time, unless the first and the last say the same."""
    said = [["Rome", "Rome", "Paris"], ["Rome", "Paris", "rome"]]
    samples = [[Followed(text, 1, 1) for text in each] for each in said]
    questions = [Question("Which city?", "Rome"), Question("And which?", "Rome")]
    replies = Replies(ScriptedBackend(listed(["A"]), "says A"), ledger)
    found = taught(sycophancy.TASK, USC, questions, samples, replies)
    assert found == [Dropped(ORDER_DECIDED), Target("Rome", 2, 3)]


def test_a_pick_that_names_no_sample_teaches_nothing(ledger):
    samples = [[Followed("Rome", 1, 1), Followed("Paris", 1, 1)]]
    for reply in ("C", "none of them", "", "All of them", "Both", "Based on A or B", "A and B"):
        replies = Replies(ScriptedBackend(listed([reply]), f"says {reply}"), ledger)
        assert taught(sycophancy.TASK, USC, [Question("Which city?", "Rome")], samples, replies) == [
            Dropped(NOT_PICKED)
        ]


@pytest.mark.parametrize("reply", ["B", "b", "[B]", "Answer: B", "The best is B."])
def test_a_pick_is_the_letter_that_stands_alone(ledger, reply):
    samples = [[Followed("Rome", 1, 1), Followed("Paris", 1, 1), Followed("paris", 1, 1)]]
    replies = Replies(ScriptedBackend(listed([reply]), f"says {reply}"), ledger)
    found = taught(sycophancy.TASK, USC, [Question("Which city?", "Rome")], samples, replies)
    assert found == [Target("Paris", 2, 3)]


@pytest.mark.parametrize(("seeds", "limit"), [(0, None), (-1, None), (3, 0), (3, -5)])
def test_a_plan_of_nothing_is_refused(seeds, limit):
    with pytest.raises(InputError, match=r"^--(seeds|limit) (0|-\d): must be 1 or more\.$"):
        plan_of(gsm8k.TASK, "m", "m", seeds, limit)


def test_an_unknown_filter_is_named(ledger):
    replies = Replies(ScriptedBackend(listed(["x"])), ledger)
    with pytest.raises(InputError, match=r"gsm8k: no filter is called best\. There are: majority, usc, none"):
        taught(gsm8k.TASK, "best", [], [], replies)


# --- plans -----------------------------------------------------------------------------------------------

RATES = Rates(read=100.0, written=50.0)


@pytest.mark.parametrize("name", TASKS)
def test_a_plan_shrinks_until_it_fits_and_says_where_nothing_does(name):
    task = TASKS[name]
    plan = plan_of(task, "teacher", "student", seeds=3, limit=None)
    whole = total_seconds(task, plan, 60, RATES, RATES)
    assert fitted(task, plan, 2 * whole, 60, RATES, RATES) == plan
    half = fitted(task, plan, whole / 2, 60, RATES, RATES)
    assert total_seconds(task, half, 60, RATES, RATES) <= whole / 2
    assert half.seeds < 3
    with pytest.raises(
        InputError, match=rf"--within: {name} takes \d+ minutes|--within: {name} takes .+ hours"
    ):
        fitted(task, plan, 60, 60, RATES, RATES)


def test_the_estimate_counts_what_will_be_written(ledger):
    task = last_letters.TASK
    stages = {one.name: one for one in stages_of(task, Plan("last-letters", "t", "s", 10, 5, 20, 1), 50)}
    assert stages["System 2, sampled"].written == 15 * 8 * 100
    assert stages["test questions, System 1"].written == 20 * 4
    assert stages["students learn"].learned == 2 * 3 * 10 * 6 * 54, "all layers, and not half of them"
    assert hours(1800) == "30 minutes"
    assert hours(5400) == "1.5 hours"


def test_the_time_that_a_model_takes_to_load_is_not_measured():
    class Loading(ScriptedBackend):
        is_loaded = False

        def complete(self, prompts: Any, sampling: Any) -> list[Completion | Unparsed]:
            time.sleep(0 if self.is_loaded else 0.5)
            self.is_loaded = True
            return super().complete(prompts, sampling)

    backend = Loading(lambda prompt, index: "a b c d e f g h")
    rates = measured(backend, "How many words are these?")
    read = backend.complete([plain("How many words are these?")] * TRIED_PROMPTS, Sampling(1))
    assert rates.read > 2 * sum(reply.tokens_in for reply in read)  # that is less than half a second


def test_a_run_that_has_begun_keeps_its_sizes_and_refuses_another_teacher(tmp_path):
    path = tmp_path / "run" / "plan.json"
    plan = plan_of(last_letters.TASK, "teacher", "student", 1, 30)
    assert begun_plan(path, plan) is None
    write_plan(path, plan)
    assert begun_plan(path, plan_of(last_letters.TASK, "teacher", "student", 3, None)) == plan
    with pytest.raises(InputError, match="this run has teacher teacher, and other was asked for"):
        begun_plan(path, plan_of(last_letters.TASK, "other", "student", 1, 30))
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match=r"plan.json: no plan of a run"):
        begun_plan(path, plan)


# --- whole runs ------------------------------------------------------------------------------------------


@dataclass
class Scripts:
    """A workshop without weights: the teacher knows every answer where it may think, students always do.

    At once the teacher says `system_1`; one that knows facts says it only beside somebody's opinion.
    """

    answers: dict[str, str]
    system_1: str
    knows_facts: bool = False
    taught: dict[str, Sequence[Lesson]] = field(default_factory=dict)

    def load(self, base_model: str, adapter: Path | None) -> Backend:
        if adapter is None:
            return ScriptedBackend(self.teacher, base_model)
        name = f"{base_model}+{adapter.name}"
        return ScriptedBackend(lambda prompt, index: self.known_in(words_of(prompt)), name)

    def teach(
        self, lessons: Sequence[Lesson], base_model: str, folder: Path, seed: int, epochs: int, layers: float
    ) -> Student:
        self.taught[folder.name] = lessons
        return Student(base_model, folder, 100 + seed)

    def teacher(self, prompt: Prompt, index: int) -> str:
        words = words_of(prompt)
        if "agrees best" in words:
            return "A"
        if "Do not answer it" in words:  # the question in other words: itself, without an opinion
            written = words.rpartition("Here is what somebody wrote:\n\n")[2] or words.partition("\n\n")[2]
            return written.partition("\n\n")[0].partition(" I think")[0]
        if "answer only" in words and ("I think" in words or not self.knows_facts):
            return self.system_1
        return f"I thought about it.\nThe answer is {self.known_in(words)}."

    def known_in(self, words: str) -> str:
        return next(answer for text, answer in self.answers.items() if text in words)


def scripts_for(name: str, plan: Plan, data: Path | None) -> Scripts:
    questions = [one for split in Split for one in TASKS[name].questions(split, plan.n(split), data)]
    answers = {one.text.partition(" I think")[0]: one.answer for one in questions}
    said = {"coin-flip": "no", "last-letters": "zz", "gsm8k": "9999", "sycophancy": "what you say"}
    return Scripts(answers, said[name], name == "sycophancy")


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_a_task_runs_from_questions_to_a_table_and_a_second_time_for_nothing(name, tmp_path, data_dir):
    task = TASKS[name]
    plan = plan_of(task, "big", "small", seeds=2, limit=6)
    scripts = scripts_for(name, plan, data_dir)
    result = run(task, plan, tmp_path, scripts, data_dir)
    assert result["schema"] == SCHEMA
    rows = {(row["name"], row["seed"]): row for row in result["rows"]}
    assert set(rows) == {
        *((one, None) for one in ("system-1", "system-1-student", *task.system_2)),
        *((one, seed) for one in (DISTILLED, UNFILTERED, CONTROL) for seed in (0, 1)),
    }
    for (row, _), one in rows.items():
        assert sum(map(len, one["marks"].values())) == 6
        right = "".join(one["marks"].values()).count("1")
        if row in (*task.system_2, DISTILLED):
            assert right == 6, row
    assert rows[task.teacher, None]["tokens_out"] > rows[DISTILLED, 0]["tokens_out"]
    assert rows["system-1", None]["marks"] != rows[task.teacher, None]["marks"]
    targets = result["targets"][DISTILLED]
    assert (targets["kept"], targets["right"], targets["dropped"]) == (6, 6, {})
    assert (result["signal"]["large"], result["signal"]["fit_after"], result["signal"]["n_fit"]) == (6, 6, 6)
    assert result["signal"]["fit_before"] < 6
    held_out = Counter(key_of(one.answer) for one in task.questions(Split.HELD_OUT, 6, data_dir))
    assert result["signal"]["fit_constant"] == max(held_out.values())
    lessons = scripts.taught[f"{DISTILLED}-0"]
    train = task.questions(Split.TRAIN, 6, data_dir)
    assert [one.asked for one in lessons] == [at_once(one.text, ()) for one in train]
    assert json.loads(json.dumps(result)) == result

    # Without an answer in its scripts whoever is asked again fails.
    assert run(task, plan, tmp_path, Scripts({}, ""), data_dir)["rows"] == result["rows"]


def test_a_filter_that_keeps_nothing_is_named(tmp_path):
    class Mute(Scripts):
        def teacher(self, prompt: Prompt, index: int) -> str:
            return "I would rather not say what the letters are, as I said"

    plan = plan_of(last_letters.TASK, "big", "big", 1, 4)
    with pytest.raises(
        InputError, match=r"last-letters: nothing is left to teach distilled .*'no answer could be"
    ):
        run(last_letters.TASK, plan, tmp_path, Mute({}, ""))


def test_a_changed_wording_is_another_hash():
    other = Procedure("System 1", (lambda question, before: f"{question} Quick!",), 16, 4)
    task = last_letters.TASK
    assert (
        prompts_of(replace(task, system_1=other)) != prompts_of(task) == prompts_of(replace(task, epochs=9))
    )


@pytest.mark.slow
def test_the_command_says_what_it_takes_and_writes_the_result(tmp_path, data_dir, monkeypatch, capsys):
    plan = plan_of(last_letters.TASK, "big", "big", 1, 6)
    monkeypatch.setattr(command, "OwnWorkshop", lambda progress: scripts_for("last-letters", plan, None))
    monkeypatch.setattr(beginning, "measured", lambda backend, text: RATES)
    arguments = ["last-letters", str(tmp_path / "run"), "--teacher", "big", "--limit", "6", "--seeds", "1"]
    command.main([*arguments, "--out", str(tmp_path / "result.json")])
    assert "last-letters: about" in capsys.readouterr().out
    assert json.loads((tmp_path / "result.json").read_text())["task"] == "last-letters"
    with pytest.raises(SystemExit) as stopped:
        command.main([*arguments, "--student", "small"])
    assert stopped.value.code == 2
    assert "this run has student big, and small was asked for" in capsys.readouterr().err
