"""Case files: what is a case, and what is wrong with a file that has none."""

from __future__ import annotations

import json

import pytest

from judge.errors import BadLines, InputError
from judge.plugin.casefile import read_cases
from judge.records import Message

CASE = {"id": "one", "prompt": "What is 2 + 2?", "response": "4", "baseline": "four"}


@pytest.fixture
def file(tmp_path):
    def write(content, name="judge_cases.jsonl"):
        path = tmp_path / name
        if isinstance(content, list):
            content = "".join(json.dumps(case) + "\n" for case in content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write


def test_a_case_is_a_pair_of_the_new_and_the_approved_answer(file):
    [case] = read_cases(file([CASE | {"category": "maths", "reference": "4", "system": "Be brief."}]))
    assert (case.pair.id, case.pair.prompt) == ("one", "What is 2 + 2?")
    assert (case.pair.response_a, case.pair.response_b) == ("4", "four")
    assert (case.pair.category, case.pair.reference, case.pair.system) == ("maths", "4", "Be brief.")
    assert case.expect == ""
    assert case.where.endswith("judge_cases.jsonl:1")


def test_the_same_cases_in_yaml_are_the_same_cases(file):
    text = """
- id: one
  prompt: What is 2 + 2?
  response: "4"
  baseline: four
- id: two
  conversation:
    - {role: user, content: Hello}
    - {role: assistant, content: Hi}
    - {role: user, content: "Who are you?"}
  response: |
    A judge.
  baseline: Nobody.
  expect: not-worse
"""
    one, two = read_cases(file(text, "judge_cases.yaml"))
    assert one.pair == read_cases(file([CASE]))[0].pair
    assert two.pair.context_a[0] == Message("user", "Hello")
    assert two.pair.response_a == "A judge.\n"
    assert (two.expect, two.where.rpartition(":")[2]) == ("not-worse", "6")


def test_yaml_of_json_escapes_is_what_the_json_is(file):
    smile = CASE | {"prompt": "Hi \U0001f600", "criteria": ["Is it \U0001f600?"]}
    [in_yaml] = read_cases(file(f"- {json.dumps(smile)}", "judge_cases.yaml"))
    [in_json] = read_cases(file([smile]))
    assert (in_yaml.pair, in_yaml.cluster) == (in_json.pair, in_json.cluster)
    assert in_yaml.pair.prompt == "Hi \U0001f600"


@pytest.mark.parametrize("half", [r"\ud83d", r"\ude00", r"\ude00\ud83d", r"\ud83d\ude00\ud83d"])
@pytest.mark.parametrize("cell", ['prompt: "HALF"', '"HALF": why', 'criteria: ["HALF"]'])
def test_half_a_character_in_yaml_is_told_with_its_line(file, cell, half):
    text = "# one case\n- {id: a, response: x, baseline: y, " + cell.replace("HALF", half) + "}"
    with pytest.raises(BadLines) as caught:
        read_cases(file(text, "judge_cases.yaml"))
    [problem] = caught.value.problems
    assert r"judge_cases.yaml:2: \ud" in problem
    assert "stands alone and is only half a character. Remove or complete it." in problem


def test_cases_of_one_first_question_are_one_cluster_unless_they_say_otherwise(file):
    cases = [CASE | {"id": "a"}, CASE | {"id": "b", "response": "5"}, CASE | {"id": "c", "cluster": "mine"}]
    first, second, own = read_cases(file(cases))
    assert first.cluster == second.cluster != own.cluster
    assert own.cluster == "mine"


def test_a_cluster_of_pairs_may_be_0(file):
    pairs = [
        {"id": f"p{n}", "prompt": f"q{n}", "response_a": "x", "response_b": "y", "cluster": n % 2}
        for n in range(4)
    ]
    assert [case.cluster for case in read_cases(file(pairs))] == ["0", "1", "0", "1"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"response": None}, "missing response (found: id, prompt, response (null), baseline)"),
        ({"id": " "}, "id is empty"),
        ({"id": 7.5}, "id is a number. It must be one text."),
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": None}, "has neither of prompt and conversation"),
        ({"conversation": []}, "has prompt and conversation of prompt and conversation"),
        ({"prompt": None, "conversation": "hello"}, "conversation is text. It must be a list of messages."),
        ({"prompt": None, "conversation": []}, "does not end in a question"),
        (
            {"prompt": None, "conversation": [{"role": "assistant", "content": "Hi"}]},
            "does not end in a question",
        ),
        ({"prompt": None, "conversation": [{"role": "system", "content": "x"}]}, "Put its text into system."),
        (
            {"respons": "4"},
            "unknown key 'respons'. Did you mean response? The keys are id, response, baseline",
        ),
        ({"expect": "better"}, "expect is 'better'. It must be preferred or not-worse, or left out."),
        ({"baseline": ["four"]}, "baseline is a list. It must be one text."),
    ],
)
def test_a_bad_case_is_named_with_what_is_right(file, change, complaint):
    with pytest.raises(BadLines) as caught:
        read_cases(file([CASE | {"id": "fine"}, CASE | change]))
    [problem] = caught.value.problems
    assert "judge_cases.jsonl:2: " in problem
    assert complaint in problem


def test_every_bad_case_is_named_at_once(file):
    with pytest.raises(BadLines) as caught:
        read_cases(file([CASE, CASE, {"id": "x"}, CASE | {"id": "y"}]))
    assert [problem.partition(": ")[0].rpartition(":")[2] for problem in caught.value.problems] == ["2", "3"]
    assert "id 'one' is already in" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- id: [", "not YAML"),
        ("id: one", "the file is no list"),
        ("- one", "the entry is a single value. It must be an object."),
        ("- id: a\n  id: b", "the key 'id' is there twice"),
        ("- id: yes\n  prompt: p\n  response: r\n  baseline: b", "id is true. It must be one text."),
        ("- id: a\n  when: !!int x\n", "not YAML that can be read"),
        ("- !!python/object:os.system {}", "not YAML"),
        ("", "no cases found"),
        ("- &a [*a]", "the entry is a list. It must be an object."),
        ("- id: &a [*a]\n", "not YAML that can be read"),
        (b"- id: \xff", "is not UTF-8"),
    ],
)
def test_hostile_yaml_is_one_line(file, text, complaint):
    with pytest.raises(InputError) as caught:
        read_cases(file(text, "judge_cases.yml"))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_date_in_yaml_stays_text(file):
    row = "- {id: a, prompt: p, response_a: 2026-01-02, response_b: b, created: 2026-01-02 10:00:00}\n"
    [one] = read_cases(file(row, "judge_cases.yml"))
    assert one.pair.response_a == "2026-01-02"
    assert one.pair.metadata == {"created": "2026-01-02 10:00:00"}


def test_a_file_of_another_kind_is_refused(file):
    with pytest.raises(InputError, match="unknown kind of file"):
        read_cases(file("x", "judge_cases.toml"))


PAIR = {"id": "one", "prompt": "What is 2 + 2?", "response_a": "4", "response_b": "four"}


@pytest.mark.parametrize("more", [{}, {"winner": "model_b"}])
def test_a_file_of_pairs_is_cases_whose_a_is_the_new_answer(file, more):
    said = []
    [case] = read_cases(file([PAIR | more]), said.append)
    assert (case.pair.id, case.pair.response_a, case.pair.response_b) == ("one", "4", "four")
    assert (case.expect, len(said)) == ("", len(more))


def test_a_file_that_does_not_say_which_answer_is_new_is_no_cases(file):
    rows = [{"instruction": "2 + 2?", "output": text, "generator": text} for text in ("4", "four")]
    with pytest.raises(InputError, match=r"does not say which answer is the new one\. Name it: judge import"):
        read_cases(file(rows), lambda line: None)


def test_a_pair_among_cases_is_a_bad_case(file):
    with pytest.raises(BadLines, match=r":2: (missing response|unknown key)"):
        read_cases(file([CASE, PAIR | {"id": "two"}]))
