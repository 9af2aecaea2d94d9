"""The control of wrong chains with models of a known character: parting, students, votes, a whole run."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.negatives import __main__ as command
from benchmarks.negatives import figures
from benchmarks.negatives.chains import (
    N_VOTING,
    REPEATED,
    STUDENTS,
    TASK,
    UNREAD,
    Chains,
    extended,
    parted,
    stages_of,
)
from benchmarks.negatives.run import SCHEMA, VOTES, kept, overlap, pairs_of, run
from benchmarks.negatives.students import lesson_of
from benchmarks.negatives.votes import plurality, weighed
from benchmarks.negatives.written import CHAINS as CHAINS_FILE
from benchmarks.system2 import beginning
from benchmarks.system2.filters import NO_MAJORITY, Dropped, Target
from benchmarks.system2.following import Followed
from benchmarks.system2.plan import Plan, Rates, plan_of
from benchmarks.system2.students import Lesson, Student
from benchmarks.system2.task import Question, Split
from judge.backends import Backend
from judge.backends.scripted import ScriptedBackend
from judge.errors import InputError
from judge.records import Prompt, Unparsed

LOST = Unparsed("no answer", raw="hm")


def words_of(prompt: Prompt) -> str:
    return "\n".join(span.text for _, spans in prompt.messages for span in spans)


# --- chains ----------------------------------------------------------------------------------------------


def test_chains_are_parted_by_the_known_answer_and_equal_ones_count_once():
    said = ["2 * 2 = 4.\nThe answer is 4.", "Hm.", "2 + 3 = 5.\nThe answer is 5."]
    said += [said[0], "It is 4.\nThe answer is 4.0."]
    question = Question("What is 2 + 2?", "4")
    chains = parted(TASK, [question], [[Followed(one, 1, 1) for one in said]])
    assert [one.reply for one in chains.right] == [said[0], said[4]]
    assert [one.reply for one in chains.wrong] == [said[2]]
    assert chains.left_out == {UNREAD: 1, REPEATED: 1}
    assert all(str(one.asked).startswith("What is 2 + 2?\n\nThink step by step.") for one in chains.right)


def test_a_students_own_chains_are_added_where_they_are_right_and_new():
    question = Question("What is 2 + 2?", "4")
    said = ["2 * 2 = 4.\nThe answer is 4.", "1 + 3 = 4.\nThe answer is 4.", "The answer is 5."]
    chains = parted(TASK, [question], [[Followed(said[0], 1, 1), Followed("The answer is 6.", 1, 1)]])
    more = extended(TASK, chains, [question], [[Followed(one, 1, 1) for one in said]])
    assert [one.reply for one in more.right] == said[:2]
    assert (more.wrong, more.left_out) == (chains.wrong, chains.left_out)


CHAINS = Chains([Lesson("1?", "right")], [Lesson("1?", "wrong"), Lesson("2?", "wrong")], {})
MADE = {name: Student("base", Path(name), 1) for name in ("negative", "nat")}


@pytest.mark.parametrize(
    ("how", "replies", "own"),
    [
        ("positive", ["right"], {}),
        ("negative", ["wrong", "wrong"], {}),
        ("mix", ["right", "wrong", "wrong"], {}),
        ("nat", ["right"], {"method": "nat", "negative": "negative"}),
        ("nce", ["right"], {"method": "nce", "nat": "nat"}),
    ],
)
def test_each_student_learns_its_own_chains(how, replies, own):
    rows, settings = lesson_of(how, CHAINS, MADE)
    assert [row.reply for row in rows] == replies
    assert {key: settings[key] for key in ("method", "negative", "nat") if key in settings} == own
    assert ("layers" in settings) is ("modules" in settings) is (how != "nat")  # it has its negative one's


def test_what_is_unlearned_is_told_by_its_sign():
    rows, settings = lesson_of("unlikelihood", CHAINS, MADE)
    assert settings["method"] == "unlikelihood"
    assert [(row.reply, row.sign) for row in rows] == [("right", 1), ("wrong", -1), ("wrong", -1)]


# --- votes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "weights", "found"),
    [
        (["5", "5", "7"], [1.0, 1.0, 2.5], Target("7", 1, 3)),
        (["5", "5", "7"], [1.0, 1.0, 1.5], Target("5", 2, 3)),
        (["5", "7"], [0.5, 0.5], Dropped(NO_MAJORITY)),
        ([LOST, "7"], [9.0, 0.1], Target("7", 1, 2)),
        ([LOST, LOST], [1.0, 1.0], Dropped("no answer could be read")),
    ],
)
def test_the_answer_that_weighs_most_wins(answers, weights, found):
    assert weighed(answers, weights) == found


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        (["5", "7", "7"], Target("7", 2, 3)),
        (["7", "5", LOST], Target("7", 1, 3)),
        (["5", "7", "7", "5."], Target("5", 2, 4)),
        ([LOST, LOST, "7"], Target("7", 1, 3)),
        ([LOST], Dropped("no answer could be read")),
    ],
)
def test_of_equally_frequent_answers_the_first_wins(answers, found):
    assert plurality(answers) == found


def test_the_overlap_counts_who_solves_what():
    assert overlap("1101-", "1010-") == {
        "both": 1,
        "only_positive": 2,
        "only_negative": 1,
        "neither": 1,
    }


def test_numbers_are_kept_and_made_anew_for_another_key(tmp_path):
    made: list[str] = []

    def make(name: str) -> list[float]:
        made.append(name)
        return [0.5]

    for key in ("a", "a", "b"):
        assert kept(tmp_path / "numbers.json", key, lambda key=key: make(key)) == [0.5]
    assert made == ["a", "b"]


# --- a whole run -----------------------------------------------------------------------------------------


class Likely(ScriptedBackend):
    """Says how likely a text is by its length alone."""

    def log_likelihoods(self, asked, longest):
        return [(-0.1 * len(text.split()), len(text.split())) for _, text in asked]


@dataclass
class Scripts:
    """A workshop without weights. Each fourth sample of the teacher is wrong.

    The student of wrong chains solves nothing, that of right ones everything, but most of its samples are
    wrong from the seventh on; a chain says whether it is.
    """

    answers: dict[str, str]
    taught: dict[str, Chains] = field(default_factory=dict)
    n_scored: int = 0

    def load(self, base_model: str, adapter: Path | None) -> Backend:
        if adapter is None:
            return Likely(self.teacher, base_model)
        return Likely(
            lambda prompt, index: self.student(adapter.name, prompt, index), f"{base_model}+{adapter.name}"
        )

    def teach(self, *arguments: Any) -> Student:
        raise AssertionError("no student of this control learns lessons alone")

    def learn(self, how, chains, base_model, folder, seed, epochs, made) -> Student:
        self.taught[how] = chains
        assert list(made) == list(STUDENTS)[: len(made)]
        return Student(base_model, folder, 100)

    def rank(self, chains, base_model, folder, seed, epochs) -> Path:
        return Path(folder) / "ranker"

    def scores(self, ranker: Path, base_model: str, chains: Sequence[Lesson]) -> list[float]:
        self.n_scored += len(chains)
        return [0.9 if "surely" in one.reply else 0.1 for one in chains]

    def teacher(self, prompt: Prompt, index: int) -> str:
        words = words_of(prompt)
        if "agrees best" in words:
            return "B"
        answer = "99999" if index % 4 == 2 else self.known_in(words)
        return f"Thought {index}.\nThe answer is {answer}."

    def student(self, name: str, prompt: Prompt, index: int) -> str:
        is_wrong = name == "negative" or (name == "positive" and index >= 6 and index % 8 > 2)
        answer = "99999" if is_wrong else self.known_in(words_of(prompt))
        said = "hm" if is_wrong else "surely"
        return f"Well, {said} {index}.\nThe answer is {answer}."

    def known_in(self, words: str) -> str:
        return next(answer for text, answer in self.answers.items() if text in words)


def plan_for(n: int = 6) -> Plan:
    return plan_of(TASK, "big", "small", 1, n)


def scripts_for(plan: Plan, data: Path) -> Scripts:
    questions = [q for split in (Split.TRAIN, Split.TEST) for q in TASK.questions(split, plan.n(split), data)]
    return Scripts({one.text: one.answer for one in questions})


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data_dir):
    folder = tmp_path_factory.mktemp("control")
    scripts = scripts_for(plan_for(), data_dir)
    return folder, scripts, run(plan_for(), folder, scripts, data_dir)


def test_a_run_has_a_row_for_every_student_and_every_vote(whole):
    _, scripts, result = whole
    assert result["schema"] == SCHEMA
    assert {"commit", "base_model_hash", "data_hash", "seed", "prompts"} <= result.keys()
    rows = {row["name"]: row["marks"][""] for row in result["rows"]}
    assert list(rows) == ["cot-8", "system-1-student", *STUDENTS, *VOTES]
    assert all(len(marks) == 6 for marks in rows.values())
    assert rows["positive"] == rows["nat"] == "111111"
    assert rows["negative"] == "000000"
    intervals = {row["name"]: row["right"] for row in result["rows"]}
    assert intervals["negative"] == {"value": 0.0, "low": 0.0, "high": pytest.approx(0.390, abs=1e-3), "n": 6}
    assert result["overlap"] == {"both": 0, "only_positive": 6, "only_negative": 0, "neither": 0}
    assert result["chains"] == {"right": 18, "wrong": 6, "left_out": {}, "own": 12}
    assert {how: len(chains.right) for how, chains in scripts.taught.items()} == {
        how: 30 if how == "nce" else 18 for how in STUDENTS
    }
    assert json.loads(json.dumps(result)) == result


def test_a_ranker_that_knows_turns_a_wrong_majority(whole):
    rows = {row["name"]: row["marks"][""] for row in whole[2]["rows"]}
    assert rows["vote-majority"].count("1") < 6
    assert rows["vote-ranked"].count("1") > rows["vote-majority"].count("1")
    assert whole[2]["ranker"]["n"] == 6 * N_VOTING == whole[2]["ranker"]["agrees"]
    assert 0 < whole[2]["ranker"]["samples_right"] < 6 * N_VOTING
    assert whole[2]["ranker"]["ordered"] == whole[2]["ranker"]["pairs"] > 0


def test_pairs_are_of_a_right_and_a_wrong_sample():
    assert pairs_of([(0.4, True), (0.1, False), (0.2, True), (0.3, False)]) == [
        (0.4, 0.1),
        (0.4, 0.3),
        (0.2, 0.1),
        (0.2, 0.3),
    ]
    assert pairs_of([(0.4, True)]) == pairs_of([]) == []


def test_a_second_run_asks_and_weighs_nothing(whole, data_dir):
    folder, _, result = whole
    mute = Scripts({})
    assert run(plan_for(), folder, mute, data_dir)["rows"] == result["rows"]
    assert mute.n_scored == 0


def test_students_are_made_of_a_file_of_chains_without_asking_for_them(whole, tmp_path, data_dir):
    folder, scripts, result = whole
    train = [one.text for one in TASK.questions(Split.TRAIN, 6, data_dir)]

    class Silent(Scripts):
        def teacher(self, prompt: Prompt, index: int) -> str:
            assert not any(text in words_of(prompt) for text in train), "a chain was asked for"
            return super().teacher(prompt, index)

    again = run(plan_for(), tmp_path, Silent(scripts.answers), data_dir, written=folder / CHAINS_FILE)
    assert again["chains"] == result["chains"]
    assert (tmp_path / CHAINS_FILE).read_bytes() == (folder / CHAINS_FILE).read_bytes()


def test_the_teacher_is_asked_for_the_chains_that_a_file_lacks(whole, tmp_path, data_dir):
    folder, scripts, result = whole
    header, *lines = lines_of(folder / CHAINS_FILE)
    path = tmp_path / "five.jsonl"
    path.write_text("\n".join(map(json.dumps, [header, *lines[:-4]])), encoding="utf-8")
    again = run(plan_for(), tmp_path, Scripts(scripts.answers), data_dir, written=path)
    assert again["chains"] == result["chains"]
    assert lines_of(tmp_path / CHAINS_FILE)[:-4] == [header, *lines[:-4]]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_a_file_of_chains_tells_right_from_wrong_and_has_no_question(whole):
    folder, scripts, _ = whole
    header, *lines = lines_of(folder / CHAINS_FILE)
    assert header["base_model"] == "big"
    assert [line["right"] for line in lines] == [True, True, False, True] * 6
    text = json.dumps(lines)
    assert not any(question in text for question in scripts.answers)


def broken(header: dict[str, Any], lines: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {
        r"chains of base_model other; this run needs those of big\.": [
            {**header, "base_model": "other"},
            *lines,
        ],
        r"3 chains to question 6 of 6; this run needs 4\.": [header, *lines[:-1]],
        r"chains of prompts none; this run needs those of": [{**header, "prompts": "none"}, *lines],
        r"no file of chains \(KeyError\)": [header, {"question": "of what?"}],
    }


@pytest.mark.parametrize("complaint", broken({}, []))
def test_another_file_of_chains_is_refused(whole, tmp_path, data_dir, complaint):
    folder, scripts, _ = whole
    header, *lines = lines_of(folder / CHAINS_FILE)
    path = tmp_path / "other.jsonl"
    path.write_text("\n".join(map(json.dumps, broken(header, lines)[complaint])), encoding="utf-8")
    with pytest.raises(InputError, match=complaint):
        run(plan_for(), tmp_path / "run", Scripts(scripts.answers), data_dir, written=path)


def test_without_wrong_chains_there_is_nothing_to_learn(tmp_path, data_dir):
    class Perfect(Scripts):
        def teacher(self, prompt: Prompt, index: int) -> str:
            return f"Thought {index}.\nThe answer is {self.known_in(words_of(prompt))}."

    scripts = Perfect(scripts_for(plan_for(2), data_dir).answers)
    with pytest.raises(InputError, match=r"8 right and 0 wrong chains of 2 questions\. Both are needed"):
        run(plan_for(2), tmp_path, scripts, data_dir)


def test_the_table_has_the_papers_figures_and_ours_where_they_are_measured(whole, tmp_path):
    empty = figures.table_of(tmp_path)
    assert "| negative assistant (NAT) | 6.81 | - | - |" in empty
    assert "Ours have not been measured" in empty
    path = figures.result_path(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(whole[2]), encoding="utf-8")
    table = figures.table_of(tmp_path)
    assert re.search(r"\| right chains alone \| 5\.29 \| 100\.0 \(61\.0-100\.0\) \|", table)
    assert "18 right and 6 wrong ones, 0 left out; NAT added 12 right ones of its own for NCE" in table
    assert "solve 0 questions both, 6 the first alone" in table
    path.write_text('{"schema": "other"}', encoding="utf-8")
    with pytest.raises(InputError, match=r"schema other\. It must be four-token-judge/negatives/1"):
        figures.table_of(tmp_path)


def test_the_estimate_counts_each_chain_that_is_written_and_learned():
    stages = {one.name: one for one in stages_of(TASK, plan_for(10), 50)}
    assert stages["chains, sampled"].written == 10 * 4 * 100
    assert stages["samples to vote"].written == 10 * 8 * 100
    assert stages["samples to learn from too"].written == 10 * 2 * 100
    assert stages["students and ranker learn"].learned == 5.5 * 10 * 4 * 150


def test_the_command_says_what_it_takes_and_writes_the_result(tmp_path, data_dir, monkeypatch, capsys):
    scripts = scripts_for(plan_for(), data_dir)
    monkeypatch.setattr(command, "OwnWorkshop", lambda progress: scripts)
    monkeypatch.setattr(beginning, "measured", lambda backend, text: Rates(100.0, 50.0))
    arguments = [str(tmp_path / "run"), "--teacher", "big", "--student", "small", "--limit", "6"]
    arguments += ["--data-dir", str(data_dir)]
    command.main([*arguments, "--out", str(tmp_path / "result.json")])
    assert "negatives-gsm8k: about" in capsys.readouterr().out
    assert json.loads((tmp_path / "result.json").read_text("utf-8"))["schema"] == SCHEMA
    with pytest.raises(SystemExit) as stopped:
        command.main([*arguments, "--within", "1s", "--teacher", "other"])
    assert stopped.value.code == 2
    assert "this run has teacher big, and other was asked for" in capsys.readouterr().err
