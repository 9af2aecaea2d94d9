"""Files of models' answers: what is read, left out and counted, and what is refused in which words."""

from __future__ import annotations

import json

import pytest
from rankings import write_outputs

from judge.errors import BadLines, InputError
from judge.ranking.answers import AGAIN, NOT_COMMON, read_answers


def write(file, *rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def row(instruction="Q?", output="A.", **fields):
    return {"instruction": instruction, "output": output, **fields}


def test_one_file_a_model_is_read_and_the_order_of_files_does_not_matter(tmp_path):
    files = write_outputs(tmp_path / "o", {"zoe": [1, 2, 3], "ann": [4, 5, 6]})
    one, other = read_answers(files), read_answers(reversed(files))
    assert one.models == ("ann", "zoe")
    assert (one.n_prompts, one.left_out) == (3, {})
    assert sorted(one.lengths[0].tolist()) == [4, 5, 6]
    assert sorted(filter(None, one.categories)) == ["a", "a", "b"]
    assert (one.hash, one.sides) == (other.hash, other.sides)


def test_a_changed_answer_changes_the_hash(tmp_path):
    first = read_answers(write_outputs(tmp_path / "o", {"m": [1, 2], "n": [1, 2]}))
    second = read_answers(write_outputs(tmp_path / "p", {"m": [1, 2], "n": [1, 3]}))
    assert first.hash != second.hash


def test_several_models_may_share_a_file_and_without_a_generator_the_file_names_one(tmp_path):
    both = write(tmp_path / "both.jsonl", row(generator="x"), row(generator="y"))
    named = write(tmp_path / "mine.v2.jsonl", row())
    assert read_answers([both, named]).models == ("mine", "x", "y")


def test_tables_are_read(tmp_path):
    (tmp_path / "x.csv").write_text("instruction,output,generator\nQ?,one,x\nQ?,two,y\n", encoding="utf-8")
    assert read_answers([tmp_path / "x.csv"]).models == ("x", "y")


def test_prompts_that_not_all_answered_and_second_answers_are_left_out_and_counted(tmp_path):
    x = write(tmp_path / "x.jsonl", row("1"), row("2"), row("3"), row("1", "again"), row("4", None))
    y = write(tmp_path / "y.jsonl", row("1"), row("2"), row("4"))
    found = read_answers([x, y])
    assert found.n_prompts == 2
    assert found.left_out == {AGAIN: 1, NOT_COMMON: 2, "an answer without text": 1}


def test_a_pair_has_the_answers_of_both_and_a_hash_says_which_is_a(tmp_path):
    found = read_answers(write_outputs(tmp_path / "o", {"m": [3, 5, 8, 13], "n": [4, 6, 9, 14]}))
    orders = set()
    for prompt in range(4):
        pair, is_in_order = found.pair(0, 1, prompt)
        own, others = (int(found.lengths[model][prompt]) for model in (0, 1))
        lengths = len(pair.response_a), len(pair.response_b)
        assert lengths == ((own, others) if is_in_order else (others, own))
        turned, is_turned = found.pair(1, 0, prompt)
        assert (turned.content_hash, is_turned) == (pair.content_hash, not is_in_order)
        assert pair.category in ("a", "b")
        orders.add(is_in_order)
    assert orders == {True, False}


def test_equal_complaints_of_a_file_are_one_line(tmp_path):
    bad = write(tmp_path / "bad.jsonl", *({"prompt": "Q?", "answer": str(n)} for n in range(30)))
    with pytest.raises(BadLines) as caught:
        read_answers([bad])
    [line] = str(caught.value).splitlines()
    assert "30 lines (1-30): missing instruction, output (found: prompt, answer). An answer needs" in line


def test_the_bad_lines_of_all_files_are_told_at_once(tmp_path):
    one = write(tmp_path / "one.jsonl", row(), row(7))
    other = tmp_path / "other.jsonl"
    other.write_text("{\n", encoding="utf-8")
    with pytest.raises(BadLines) as caught:
        read_answers([one, other])
    said = str(caught.value)
    assert f"{one}:2: instruction is a number" in said
    assert f"{other}:1: not JSON" in said


def test_two_files_with_one_generator_are_refused(tmp_path):
    one = write(tmp_path / "one.jsonl", row("1", generator="m"), row("2", generator="m"))
    other = write(tmp_path / "two.jsonl", row("1", "B", generator="m"), row("2", "C", generator="m"))
    with pytest.raises(
        InputError, match=r"two.jsonl: 2 lines \(1-2\): model m has an answer to this instruc"
    ):
        read_answers([one, other])


@pytest.mark.parametrize(
    ("n_models", "said"), [(1, "one model only, m0"), (51, "answers of 51 models. Rank 50")]
)
def test_there_must_be_two_to_fifty_models(tmp_path, n_models, said):
    file = write(tmp_path / "all.jsonl", *(row(generator=f"m{n}") for n in range(n_models)))
    with pytest.raises(InputError, match=said):
        read_answers([file])


def test_fifty_models_are_not_too_many(tmp_path):
    file = write(tmp_path / "all.jsonl", *(row(generator=f"m{n}") for n in range(50)))
    assert len(read_answers([file]).models) == 50


def test_an_empty_file_has_no_answers(tmp_path):
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(InputError, match="no answers"):
        read_answers([tmp_path / "empty.jsonl"])


def test_without_a_common_prompt_there_is_nothing_to_rank(tmp_path):
    file = write(tmp_path / "all.jsonl", row("1", generator="x"), row("2", generator="y"))
    with pytest.raises(
        InputError, match=r"no prompt was answered by all 2 models \(answers: x 1, y 1; left out: not"
    ):
        read_answers([file])
