"""Files of models' answers: what is read, left out and counted, and what is refused in which words."""

from __future__ import annotations

import json
from collections import Counter

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
    assert read_answers([both, named]).models == ("mine.v2", "x", "y")


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


def test_a_prompts_criteria_are_its_pairs_and_part_of_the_hash(tmp_path):
    lines = ["price: names it | weight 2", "short"]
    plain = write(tmp_path / "x.jsonl", row("1", "one"), row("2", "one"))
    rubric = write(tmp_path / "y.jsonl", row("1", "two", criteria=lines), row("2", "two"))
    found = read_answers([plain, rubric])
    by_prompt = {pair.prompt: pair.criteria for pair, _ in (found.pair(0, 1, n) for n in range(2))}
    assert ([one.line for one in by_prompt["1"]], by_prompt["2"]) == (lines, ())
    hashes = {found.hash}
    for criteria in (None, lines[:1]):
        hashes.add(
            read_answers([plain, write(rubric, row("1", "two", criteria=criteria), row("2", "two"))]).hash
        )
    assert len(hashes) == 3


def test_different_criteria_of_one_prompt_are_refused_with_both(tmp_path):
    one = write(tmp_path / "x.jsonl", row("1"), row("2", criteria="short"), row("3", criteria="polite"))
    other = write(tmp_path / "y.jsonl", row("1"), row("2", criteria="long"), row("3", criteria="polite"))
    said = rf"y\.jsonl:2: criteria 'long', and {one}:2 has 'short' for the same prompt\. Answers to one"
    with pytest.raises(BadLines, match=said) as caught:
        read_answers([one, other])
    assert len(caught.value.problems) == 1


def test_criteria_of_pairs_are_those_of_all_pairs_of_the_prompt(tmp_path):
    pair = {
        "prompt": "Q?",
        "response_a": "1",
        "response_b": "2",
        "model_a": "x",
        "model_b": "y",
        "winner": "a",
    }
    given = pair | {"criteria": "short"}
    for rows in ((pair, given), (given, pair)):
        found = read_answers([write(tmp_path / "a.jsonl", *rows)], say=lambda line: None)
        assert [one.line for one in found.pair(0, 1, 0)[0].criteria] == ["short"]
        assert found.left_out == {}
    with pytest.raises(BadLines, match="an answer of x: criteria 'long', and an answer of x has 'short' for"):
        read_answers([write(tmp_path / "a.jsonl", given, pair | {"criteria": "long"})])


def test_criteria_of_one_column_a_model_are_named_in_the_map(tmp_path):
    file = write(tmp_path / "a.jsonl", {"q": "Q?", "x": "1", "y": "2", "rubric": "short"})
    found = read_answers([file], "prompt=q,x,y,criteria=rubric", lambda line: None)
    assert [one.line for one in found.pair(0, 1, 0)[0].criteria] == ["short"]


# --- other forms -----------------------------------------------------------------------------------------


def talk(*texts):
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


def contents_of(found):
    """Every model's conversations, as texts."""
    return {
        model: [[turn.content for turn in found.conversation(at, n)] for n in range(found.n_prompts)]
        for at, model in enumerate(found.models)
    }


def fastchat(folder):
    """A folder as FastChat has it: two questions of two turns, two models, and what is not of them."""
    questions = [
        {"question_id": n, "category": "c", "turns": [f"Q{n}?", "And?"], "reference": [f"R{n}", None]}
        for n in (1, 2)
    ]
    for name in ("model_answer", "model_judgment", "reference_answer"):
        (folder / name).mkdir(parents=True)
    write(folder / "question.jsonl", *questions)
    write(folder / "reference_answer" / "gpt-4.jsonl", {"odd": 1})
    for model in ("x", "y"):
        rows = [
            {"question_id": n, "model_id": model, "choices": [{"index": 0, "turns": [f"{model}{n}", model]}]}
            for n in (1, 2)
        ]
        write(folder / "model_answer" / f"{model}.jsonl", *rows)
    return folder


def test_fastchats_folder_is_its_questions_and_answers(tmp_path):
    said = []
    found = read_answers([fastchat(tmp_path / "mt_bench")], say=said.append)
    assert (found.models, found.n_prompts, found.left_out) == (("x", "y"), 4, {})
    assert sorted(contents_of(found)["x"]) == [
        ["Q1?", "x1"],
        ["Q1?", "x1", "And?", "x"],
        ["Q2?", "x2"],
        ["Q2?", "x2", "And?", "x"],
    ]
    assert Counter(found.references) == {None: 2, "R1": 1, "R2": 1}
    assert set(found.categories) == {"c"}
    assert len(said) == 1
    assert said[0].endswith("read as FastChat's questions and answers: 8 answers of 2 models.")
    pairs = [found.pair(0, 1, prompt)[0] for prompt in range(4)]
    assert {pair.reference for pair in pairs} == {None, "R1", "R2"}


def test_fastchats_answers_need_the_questions(tmp_path):
    folder = fastchat(tmp_path / "mt_bench") / "model_answer"
    with pytest.raises(
        InputError, match=r": there are no questions, question\.jsonl\. Give the questions and"
    ):
        read_answers([folder])


def test_battles_are_answers_of_each_model_once(tmp_path):
    def battle(a, b, turn=1):
        return {
            "model_a": a,
            "model_b": b,
            "winner": "model_a",
            "turn": turn,
            **{
                f"conversation_{side}": talk("Q?", f"{model} one", "And?", f"{model} two")
                for side, model in (("a", a), ("b", b))
            },
        }

    file = write(
        tmp_path / "b.jsonl", battle("x", "y"), battle("z", "x"), battle("y", "z"), battle("y", "z", 2)
    )
    found = read_answers([file], say=lambda line: None)
    assert contents_of(found) == {model: [["Q?", f"{model} one"]] for model in "xyz"}
    assert found.left_out == {NOT_COMMON: 1}


def test_pairs_of_our_own_that_name_both_models_are_answers(tmp_path):
    rows = [
        {"prompt": f"{n}?", "response_a": "a" * n, "response_b": "b", "model_a": "x", "model_b": "y"}
        for n in range(1, 4)
    ]
    assert read_answers([write(tmp_path / "p.jsonl", *rows)], say=lambda line: None).n_prompts == 3
    nameless = [{name: cell for name, cell in row.items() if "model" not in name} for row in rows]
    with pytest.raises(InputError, match=r"no answers \(left out: answer: of a model without a name: 6\)"):
        read_answers([write(tmp_path / "p.jsonl", *nameless)])


def test_annotations_of_alpacaeval_are_answers_of_both(tmp_path):
    row = {"instruction": "Q?", "output_1": "one", "generator_1": "x", "output_2": "two", "generator_2": "y"}
    found = read_answers([write(tmp_path / "a.jsonl", row, row | {"annotator": "other"})])
    assert contents_of(found) == {"x": [["Q?", "one"]], "y": [["Q?", "two"]]}
    assert found.left_out == {}


def test_openais_messages_are_answers_under_their_system_text(tmp_path):
    files = [
        write(
            tmp_path / f"{name}.jsonl",
            {"messages": [{"role": "system", "content": "Hm."}, *talk("Q?", name)]} | more,
        )
        for name, more in (("one", {"model": "gpt"}), ("two.v1", {}))
    ]
    found = read_answers(files, say=lambda line: None)
    assert contents_of(found) == {"gpt": [["Hm.", "Q?", "one"]], "two.v1": [["Hm.", "Q?", "two.v1"]]}
    assert found.pair(0, 1, 0)[0].system == "Hm."


def test_files_of_several_forms_are_ranked_together(tmp_path):
    one = write(tmp_path / "one.jsonl", row(generator="x"))
    other = write(tmp_path / "two.jsonl", {"messages": talk("Q?", "B."), "model": "y"})
    assert read_answers([one, other], say=lambda line: None).models == ("x", "y")


def test_a_folder_is_the_files_in_it(tmp_path):
    files = write_outputs(tmp_path / "o", {"x": [1], "y": [2]})
    (tmp_path / "o" / "notes.txt").touch()
    assert read_answers([tmp_path / "o"]).hash == read_answers(files).hash
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no files of answers in this folder\. They end in \.jsonl"):
        read_answers([tmp_path / "empty"])


def test_one_column_may_be_one_model(tmp_path):
    file = tmp_path / "answers.csv"
    file.write_text("question,gpt-4,llama,topic\nQ1?,four,l1,maths\nQ2?,4,l2,\nQ3?,,l3,\n", encoding="utf-8")
    found = read_answers([file], "prompt=question,gpt-4,other=llama,category=topic", lambda line: None)
    assert sorted(contents_of(found)["gpt-4"]) == [["Q1?", "four"], ["Q2?", "4"]]
    assert found.left_out == {"an answer without text": 1, NOT_COMMON: 1}  # an empty cell is no answer
    assert found.models == ("gpt-4", "other")
    assert Counter(found.categories) == {"maths": 1, None: 1}
    nested = write(tmp_path / "a.jsonl", {"in": {"q": "Q?"}, "x": "1", "y": 2}, {"in": {"q": "R?"}, "x": "1"})
    found = read_answers([nested], "prompt=in.q,x,y", lambda line: None)
    assert contents_of(found) == {"x": [["Q?", "1"]], "y": [["Q?", "2"]]}
    assert found.left_out == {"an answer without text": 1, NOT_COMMON: 1}


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("prompt=q,x,z", r"a\.jsonl: no row has 'z' \(found: q, x, y\)\. --map must name columns"),
        ("prompt=q,x", r"--map names prompt, x\. It needs prompt and two models"),
        ("x,y", r"--map names x, y\. It needs prompt and two models"),
        ("prompt=q,x,x,y", r"--map: x is there twice"),
        ("prompt=q,x=,y", r"--map: 'x=' names no column"),
        ("prompt=q,x,y,", r"--map: '' names no column"),
        ("prompt=q,x,list=y", r"a\.jsonl: 2 lines \(1-2\): list is a list\. It must be one text"),
    ],
)
def test_a_wrong_map_is_one_line(tmp_path, mapping, said):
    file = write(tmp_path / "a.jsonl", {"q": "1", "x": "a", "y": []}, {"q": "2", "x": "b", "y": []})
    with pytest.raises(InputError, match=said) as caught:
        read_answers([file], mapping)
    assert len(str(caught.value).splitlines()) == 1


def test_a_form_that_names_no_models_is_refused(tmp_path):
    file = write(tmp_path / "p.jsonl", {"prompt": "Q?", "chosen": "a", "rejected": "b"})
    with pytest.raises(InputError, match=r"read as chosen and rejected answers, which does not say which m"):
        read_answers([file])
