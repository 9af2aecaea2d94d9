"""What other tools' files say is read as they mean it, and what cannot be is counted."""

from __future__ import annotations

import json

import pytest
from plugins import run_judge

from judge.errors import BadLines, InputError
from judge.forms.matching import matched
from judge.forms.reading import import_files, read_pairs
from judge.ranking.answers import read_answers
from judge.records import Ballot, Pair

CODE = ("def f():\n    return 1", "def f():\nreturn 1")


def written(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_votes_on_answers_that_differ_in_white_space_alone_are_on_the_right_one(tmp_path):
    rows = [{"prompt": f"Write {n}.", "chosen": CODE[0], "rejected": CODE[1]} for n in "fghk"]
    read = import_files("preferences", [written(tmp_path / "c.jsonl", *rows)])
    pairs = [Pair.of(f"Write {n}.", *(CODE if n == "f" else CODE[::-1]), id=n) for n in "fghk"]
    votes = {vote.pair_id: vote.outcome for vote in matched(read, pairs).votes}
    assert votes == {"f": Ballot.A, "g": Ballot.B, "h": Ballot.B, "k": Ballot.B}


@pytest.mark.parametrize("n", range(6))
def test_a_gold_label_goes_with_its_answer_whichever_becomes_a(tmp_path, n):
    data = {"prompt": f"Name a sea. {n}", "answer_1": f"Baltic {n}", "answer_2": f"Red {n}"}
    row = {"id": n, "data": data | {"gold": "A", "model_a": "x", "model_b": "y"}, "annotations": []}
    [pair] = import_files("label-studio", [written(tmp_path / "ls.jsonl", row)]).pairs
    better = "A" if pair.response_a.startswith("Baltic") else "B"
    assert pair.metadata["gold"] == better
    assert pair.metadata[f"model_{better.lower()}"] == "x"


@pytest.mark.parametrize(
    ("mapping", "names", "label", "outcome"),
    [
        ("response_a=right,response_b=left", ("left", "right"), "Right", Ballot.A),
        ("response_a=right,response_b=left", ("left", "right"), "left", Ballot.B),
        ("response_a=right,response_b=left", ("left", "right"), "first", Ballot.B),
        ("response_a=answer_2,response_b=answer_1", ("answer_1", "answer_2"), "Answer 2", Ballot.A),
        ("response_a=response_b,response_b=response_a", ("response_a", "response_b"), "model_b", Ballot.A),
        ("response_a=old,response_b=new", ("old", "new"), "B", Ballot.B),
    ],
)
def test_a_label_means_what_its_file_calls_the_sides(tmp_path, mapping, names, label, outcome):
    row = dict(zip(names, ("Apple", "A ripe pear"), strict=True)) | {"q": "Name a fruit.", "winner": label}
    file = written(tmp_path / "m.jsonl", row)
    [vote] = import_files("columns", [file], f"prompt=q,{mapping},outcome=winner").votes
    assert vote.outcome is outcome


def talk(*messages):
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return [{"role": roles[one[0]], "content": one[2:]} for one in messages]


def preference(tmp_path, row):
    return import_files("preferences", [written(tmp_path / "p.jsonl", row)])


def test_an_answers_column_that_repeats_a_part_of_the_prompt_loses_none_of_it(tmp_path):
    row = {
        "prompt": talk("s:Answer in French.", "u:Hi"),
        "chosen": talk("u:Hi", "a:Salut"),
        "rejected": talk("u:Hi", "a:Hello there"),
    }
    [pair] = preference(tmp_path, row).pairs
    assert (pair.system, pair.prompt) == ("Answer in French.", "Hi")
    row = {
        "prompt": talk("u:one", "a:two", "u:three"),
        "chosen": talk("u:three", "a:four"),
        "rejected": talk("a:five"),
    }
    [pair] = preference(tmp_path, row).pairs
    assert [message.content for message in pair.context_a] == ["one", "two", "three"]
    assert pair.context_a == pair.context_b


def test_an_answer_that_looks_like_a_conversation_is_an_answer(tmp_path):
    asked = "Write a short dialogue between a user and an assistant about tea."
    dialogue = "User: Do you like tea?\n\nAssistant: Many do."
    row = {"prompt": asked, "chosen": dialogue, "rejected": "I cannot write dialogues."}
    [pair] = preference(tmp_path, row).pairs
    assert {pair.response_a, pair.response_b} == {dialogue, "I cannot write dialogues."}
    assert pair.context_a == pair.context_b
    assert pair.prompt == asked


def test_two_system_texts_are_not_one(tmp_path):
    row = {
        "prompt": talk("s:Answer in French.", "u:Hi"),
        "chosen": "a",
        "rejected": "b",
        "system": "Be brief.",
    }
    with pytest.raises(InputError, match=r"left out: different system texts: 1\)"):
        preference(tmp_path, row)


def test_system_and_history_are_part_of_what_a_model_was_asked(tmp_path):
    rows = [
        {"instruction": "Who are you?", "system": f"You are a {who}.", "output": f"{who} {model}"}
        | {"history": [["My name is Bo.", "Hello Bo."]], "generator": model}
        for who in ("pirate", "nurse")
        for model in ("m1", "m2")
    ]
    found = import_files("alpacaeval", [written(tmp_path / "a.jsonl", *rows)])
    assert {pair.system for pair in found.pairs} == {"You are a pirate.", "You are a nurse."}
    assert {len(pair.context_a) for pair in found.pairs} == {3}
    assert found.left_out == {}


def test_an_instructions_input_and_system_text_are_read_beside_it(tmp_path):
    data = {"instruction": "Translate to French.", "input": "The dog is old.", "system": "Be exact."}
    row = {"id": 1, "data": data | {"output_1": "x", "output_2": "y"}, "annotations": []}
    [pair] = import_files("label-studio", [written(tmp_path / "l.jsonl", row)]).pairs
    assert (pair.prompt, pair.system) == ("Translate to French.\n\nThe dog is old.", "Be exact.")


def test_a_list_in_a_text_with_a_fault_is_left_out_and_a_list_as_an_answer_stays(tmp_path):
    cells = {"model_a": "x", "model_b": "y", "winner_model_a": 1, "winner_model_b": 0, "winner_tie": 0}
    row = cells | {"id": 1, "prompt": '["What?"]', "response_a": '["A \\ud83d face"]', "response_b": '["no"]'}
    with pytest.raises(InputError, match=r"left out: a list in a text with a fault, such as half"):
        import_files("arena", [written(tmp_path / "k.jsonl", row)])
    answer = '[{"a": 1, "a": 2}]'
    [pair] = preference(tmp_path, {"prompt": "Q?", "chosen": answer, "rejected": "[]"}).pairs
    assert answer in (pair.response_a, pair.response_b)


def test_models_are_called_by_their_files_whole_names(tmp_path):
    for name in ("llama-3.1-8b", "llama-3.2-3b"):
        written(tmp_path / f"{name}.json", {"instruction": "Q1", "output": name})
    assert read_answers([tmp_path]).models == ("llama-3.1-8b", "llama-3.2-3b")


def test_a_ranking_is_never_written_among_the_answers(tmp_path):
    for name, output in (("a", "long answer"), ("b", "short")):
        written(tmp_path / f"{name}.json", {"instruction": "Q1", "output": output, "generator": name})
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    for out in ("a.json", "ranking.json"):
        given = ["rank", str(tmp_path), "--backend", "scripted:longer", "--out", str(tmp_path / out)]
        [done] = run_judge([["judge", *given]], tmp_path, tmp_path)
        assert done.code == 2
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_ids_that_are_given_up_and_pairs_that_come_again_are_counted(tmp_path):
    row = {"q": "Q1", "a": "x", "b": "y", "i": "d"}
    file = written(tmp_path / "m.jsonl", row, row | {"q": "Q2"}, row | {"note": "again"})
    found = import_files("columns", [file], "prompt=q,response_a=a,response_b=b,id=i")
    assert len(found.pairs) == 2
    assert found.left_out == {"id: that of another pair": 1, "the same pair again": 1}


def judged(tmp_path, *judgments):
    rows = [{"question_id": n, "turns": [f"Q{n}?"]} for n in (1, 2)]
    for n in (1, 2):
        for model in ("old", "new"):
            rows.append({"question_id": n, "model_id": model, "choices": [{"turns": [f"{model} {n}"]}]})
    return import_files("fastchat", [written(tmp_path / "f.jsonl", *rows, *judgments)])


def test_fastchats_judgments_are_votes_or_counted(tmp_path):
    won = {"model_1": "old", "model_2": "new", "g1_winner": "model_1", "g2_winner": "model_1"}
    found = judged(
        tmp_path,
        {"question_id": 1, "turn": "1"} | won,
        {"question_id": 3, "turn": 1} | won,
        {"question_id": 2, "turn": 1, "model": "old", "score": 9},
        {"question_id": 2, "turn": 1, "model": "old", "score": 3},
        {"question_id": 2, "turn": 1, "model": "new", "score": 5},
    )
    of_models = {vote.pair_id: vote for vote in found.votes}
    assert len(of_models) == 2
    for vote in found.votes:
        assert (vote.model_a if vote.outcome is Ballot.A else vote.model_b) == "old"
    assert found.left_out == {
        "judgment: another one of the same judge": 1,
        "judgment: of answers that are not compared": 1,
    }


def test_a_header_that_is_not_utf_8_is_told_before_anything_is_judged(tmp_path):
    file = tmp_path / "h.csv"
    file.write_bytes(b"id,prompt,response_a,response_b,cat\xe9gorie\n1,Q,x,yy,k\n")
    with pytest.raises(InputError, match=r"h\.csv:1: byte 0xe9 is not UTF-8"):
        read_pairs(file)


@pytest.mark.parametrize("depth", [150, 950, 200_000])
def test_lists_too_deep_in_each_other_are_one_line(tmp_path, depth):
    file = tmp_path / "d.jsonl"
    deep = "[" * depth + "]" * depth
    file.write_text(f'{{"id":"1","prompt":"Q","response_a":"x","response_b":"yy","m":{deep}}}\n', "utf-8")
    with pytest.raises(BadLines, match=r"deep in each other|cannot be read"):
        read_pairs(file)
    file.write_text(f"[{file.read_text('utf-8')}]", "utf-8")
    with pytest.raises(BadLines, match=r"deep in each other|cannot be read"):
        read_pairs(file)


def test_a_named_tag_beats_a_field_that_says_left_and_two_choices_that_differ_are_none(tmp_path):
    row = {"id": 1, "prompt": "Where?", "answer_a": "x", "answer_b": "yy", "picture": "left"}
    row |= {"annotation_id": 3, "annotator": 1, "lead_time": 2.0, "preference": "B"}
    [vote] = import_files("label-studio", [written(tmp_path / "m.jsonl", row)]).votes
    assert vote.outcome is Ballot.B
    results = [{"value": {"choices": [choice]}} for choice in ("A", "B")]
    task = {"id": 1, "data": {"prompt": "Q", "answer_a": "x", "answer_b": "y"}}
    task["annotations"] = [{"result": results, "completed_by": 1}]
    found = import_files("label-studio", [written(tmp_path / "t.jsonl", task)])
    assert found.left_out == {"vote: an annotation with different choices": 1}


def test_a_winner_that_both_sides_are_called_is_none(tmp_path):
    talks = {f"conversation_{side}": talk("u:Q", f"a:{side}") for side in "ab"}
    row = talks | {"model_a": "gpt-4", "model_b": "gpt-4", "winner": "gpt-4"}
    found = import_files("arena", [written(tmp_path / "a.jsonl", row)])
    assert found.votes == ()
    assert found.left_out == {"vote: a winner that is both sides' name": 1}


def test_an_object_whose_second_line_begins_with_a_brace_is_one_object(tmp_path):
    file = tmp_path / "p.json"
    pair = {"id": "1", "conversation_a": talk("u:Q", "a:x"), "conversation_b": talk("u:Q", "a:y")}
    text = json.dumps(pair).replace('"conversation_a": [', '"conversation_a": [\n').replace("}, {", "},\n{")
    assert text.splitlines()[1].startswith("{")
    file.write_text(text, "utf-8")
    assert [one.id for one in read_pairs(file)] == ["1"]
    file.write_text(
        '{"id": "1", "prompt": [\n{"id": "2", "prompt": "Q", "response_a": "x", "response_b": "y"}\n'
    )
    with pytest.raises(BadLines, match=r"p\.json:1: not JSON"):
        read_pairs(file)
