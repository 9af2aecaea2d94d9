"""Which column is the question, the answer, the label or the like in files of other tools."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from unittest.mock import ANY

import pytest
from plugins import run_judge

from judge.errors import BadLines, InputError
from judge.forms.columns import columns_form
from judge.forms.reading import import_files, read_pairs
from judge.io.frames import verdicts_to_frame, write_frame
from judge.ranking.answers import read_answers
from judge.records import Ballot, Message


def written(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def imported(tmp_path, form, *rows):
    return import_files(form, [written(tmp_path / "in.jsonl", *rows)])


def ran(folder, *arguments):
    [done] = run_judge([["judge", *map(str, arguments)]], folder, folder)
    return done


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


BOTH = {"chosen": "The capital is Paris.", "rejected": "The capital is London."}


@pytest.mark.parametrize(
    "column",
    [
        {"problem": "What is the capital of France?"},
        {"Prompt": "What is the capital of France?"},
        {"context": "France has a capital."},
        {"trajectory": [{"from": "user", "value": "What is the capital of France?"}]},
    ],
)
def test_what_both_answers_begin_with_is_no_prompt_where_a_column_may_be_it(tmp_path, column):
    [name] = column
    with pytest.raises(BadLines, match=f"says what was asked, and '{name}' may.*--map prompt={name},"):
        imported(tmp_path, "preferences", column | BOTH)
    named = {"source": "a quiz of capitals", "prompt_id": "7f3a", "task": "question answering"}
    [pair] = imported(tmp_path, "preferences", named | BOTH).pairs
    assert pair.prompt == "The capital is"


@pytest.mark.parametrize(
    ("column", "talk"),
    [
        ("conversation", [user("q1"), assistant("a1"), user("q2")]),
        ("messages", [user("q1"), assistant("a1")]),
        ("messages", [user("q1"), assistant("a1"), user("q2"), assistant("good")]),
        ("history", [user("q1"), assistant("a1"), user("q2")]),
        ("context", [user("q1"), assistant("a1")]),
    ],
)
def test_what_was_said_before_a_prompt_is_kept(tmp_path, column, talk):
    row = {"prompt": "q2", column: talk, "chosen": "good", "rejected": "bad"}
    [pair] = imported(tmp_path, "preferences", row).pairs
    assert pair.context_a == (Message("user", "q1"), Message("assistant", "a1"), Message("user", "q2"))
    assert {pair.response_a, pair.response_b} == {"good", "bad"}


@pytest.mark.parametrize("talk", [[user("q0")], [user("q0"), assistant("good")]])
def test_a_prompt_beside_a_conversation_that_asks_something_else_is_left_out(tmp_path, talk):
    row = {"prompt": "q2", "messages": talk, "chosen": "good", "rejected": "bad"}
    with pytest.raises(InputError, match="a prompt beside a conversation that it is not in: 1"):
        imported(tmp_path, "preferences", row)


def test_chosen_and_rejected_may_name_the_columns_of_the_answers(tmp_path):
    row = {"prompt": "q", "blue_one": "red", "other": "blue", "chosen": "other", "rejected": "blue_one"}
    read = imported(tmp_path, "preferences", row)
    [pair], [vote] = read.pairs, read.votes
    assert {pair.response_a, pair.response_b} == {"red", "blue"}
    assert (pair.response_a if vote.outcome is Ballot.A else pair.response_b) == "blue"
    assert not pair.metadata


PRINTED = "[{'content': 'q', 'role': 'user'}, {'content': '%s', 'role': 'assistant'}]"


@pytest.mark.parametrize("prompt", [{"prompt": "q"}, {}])
def test_messages_as_python_prints_them_are_left_out(tmp_path, prompt):
    row = prompt | {"chosen": PRINTED % "a1", "rejected": PRINTED % "a2"}
    with pytest.raises(InputError, match="a list as Python prints it, which is no JSON: 1"):
        imported(tmp_path, "preferences", row)
    arena = {
        "prompt": "['q1', 'q2']",
        "response_a": "['a', 'b']",
        "response_b": "['c', 'd']",
        "winner": "tie",
    }
    with pytest.raises(InputError, match="a list as Python prints it"):
        imported(tmp_path, "arena", arena)


@pytest.mark.parametrize("column", ["conversation_a", "messages", "conversations"])
def test_messages_as_python_prints_them_are_one_line_where_no_form_is_named(tmp_path, column):
    cells = {"id": "1", column: PRINTED % "x", "conversation_b": PRINTED % "y"}
    file = tmp_path / "printed.jsonl"
    file.write_text(json.dumps(cells) + "\n")
    with pytest.raises(InputError) as caught:
        read_pairs(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("mapping", "both"),
    [
        ("prompt=q,response_a=x,response_b=y,conversation_a=c", "prompt and conversation_a"),
        ("prompt=q,conversation_a=c,conversation_b=d", "prompt and conversation_a"),
    ],
)
def test_columns_of_both_forms_are_refused(mapping, both):
    with pytest.raises(InputError, match=f"^--map names both {both}. Name the columns of one form.$"):
        columns_form(mapping)


def test_an_answer_that_is_a_list_of_python_stays_one(tmp_path):
    row = {"prompt": "Two letters?", "response_a": "['a', 'b']", "response_b": "a, b", "winner": "model_a"}
    [pair] = imported(tmp_path, "arena", row).pairs
    assert pair.response_a == "['a', 'b']"


def test_the_mapping_that_turns_the_sides_turns_what_the_row_says_of_them(tmp_path):
    row = {"q": "q", "response_a": "x", "response_b": "y", "gold": "B", "model_a": "m", "model_b": "n"}
    crossed = "prompt=q,response_a=response_b,response_b=response_a"
    [pair] = import_files("columns", [written(tmp_path / "m.jsonl", row)], crossed).pairs
    assert (pair.response_a, pair.metadata) == ("y", {"gold": "A", "model_a": "n", "model_b": "m"})


NESTED = {"answers": {"a": "four", "b": "five, surely"}}


@pytest.mark.parametrize(
    ("a", "b", "cells"),
    [
        ("answers.b", "answers.a", NESTED),
        ("model_b.text", "model_a.text", {"model_a": {"text": "four"}, "model_b": {"text": "five, surely"}}),
        ("b_text", "a_text", {"a_text": "four", "b_text": "five, surely"}),
        ("B answer", "A answer", {"A answer": "four", "B answer": "five, surely"}),
        (
            "response_b_text",
            "response_a_text",
            {"response_a_text": "four", "response_b_text": "five, surely"},
        ),
        ("gen2", "gen1", {"gen1": "four", "gen2": "five, surely"}),
        ("answerB", "answerA", {"answerA": "four", "answerB": "five, surely"}),
        ("right_one", "left_one", {"left_one": "four", "right_one": "five, surely"}),
    ],
)
def test_a_label_goes_with_its_answer_wherever_the_crossed_columns_say_their_side(tmp_path, a, b, cells):
    file = written(tmp_path / "m.jsonl", {"q": "2+2?", "winner": "a", "gold": "A"} | cells)
    for sides, outcome in (((a, b), Ballot.B), ((b, a), Ballot.A)):
        mapping = f"prompt=q,response_a={sides[0]},response_b={sides[1]},outcome=winner"
        read = import_files("columns", [file], mapping)
        [pair], [vote] = read.pairs, read.votes
        assert (pair.response_a == "five, surely") is (outcome is Ballot.B)
        assert (vote.outcome, pair.metadata["gold"]) == (outcome, outcome.value)


def test_conversations_that_a_mapping_crosses_take_label_and_metadata_with_them(tmp_path):
    row = {f"conversation_{side}": [user("q"), assistant(f"by {side}")] for side in "ab"}
    row |= {"winner": "model_a", "model_a": "m", "model_b": "n", "gold": "A"}
    crossed = "conversation_a=conversation_b,conversation_b=conversation_a,outcome=winner"
    read = import_files("columns", [written(tmp_path / "m.jsonl", row)], crossed)
    [pair], [vote] = read.pairs, read.votes
    assert (pair.response_a, vote.outcome) == ("by b", Ballot.B)
    assert pair.metadata == {"gold": "B", "model_a": "n", "model_b": "m"}


@pytest.mark.parametrize("columns", [("gen2", "gen3"), ("reply_b", "reply"), ("a_2", "b_1"), ("v11", "v2")])
def test_a_bare_label_is_left_out_where_the_columns_do_not_say_which_is_a(tmp_path, columns):
    rows = [dict.fromkeys(columns, "x") | {columns[1]: "y", "q": n, "winner": "tie"} for n in range(4)]
    rows[0] |= {"winner": "b", "gold": "A", "model_a": "m"}
    rows[1]["winner"] = columns[1]
    mapping = f"prompt=q,response_a={columns[0]},response_b={columns[1]},outcome=winner"
    read = import_files("columns", [written(tmp_path / "m.jsonl", *rows)], mapping)
    untold = "of a or b, where the columns' names do not say which is which"
    assert read.left_out == {f"{what}: {untold}": 1 for what in ("gold", "model_a")} | {
        f"vote: a label {untold}": 1
    }
    assert read.pairs[0].metadata == {}
    assert [vote.outcome for vote in read.votes] == [Ballot.B, Ballot.TIE, Ballot.TIE]


def test_fields_that_are_called_answers_are_the_answers(tmp_path):
    fields = {"title_a": "t1", "title_b": "t2", "prompt": "q", "response_a": "r1", "response_b": "r2"}
    record = {
        "fields": fields,
        "responses": {"better": [{"user_id": "u", "value": "b", "status": "submitted"}]},
    }
    read = imported(tmp_path, "argilla", record)
    assert (read.pairs[0].response_a, read.votes[0].outcome) == ("r1", Ballot.B)
    del fields["response_a"]
    fields |= {"left": "r1", "right": "r2"}
    with pytest.raises(BadLines, match="the answers may be title_a and title_b or left and right"):
        imported(tmp_path, "argilla", record)


@pytest.mark.parametrize("column", ["messages", "conversations"])
def test_a_pair_of_our_own_with_a_column_of_messages_stays_one(tmp_path, column):
    talk = [{"from": "human", "value": "q", **user("q")}, {"from": "gpt", "value": "z", **assistant("z")}]
    rows = [
        {
            "id": f"p{n}",
            "model": f"m{n}",
            "prompt": "q",
            "response_a": f"r{n}",
            "response_b": "s",
            column: talk,
        }
        for n in (1, 2)
    ]
    pairs = read_pairs(written(tmp_path / "own.jsonl", *rows))
    assert [(pair.id, pair.response_a) for pair in pairs] == [("p1", "r1"), ("p2", "r2")]


EXTRAS = {"category": "c", "reference": "R", "criteria": ["is polite"]}
ANNOTATED = {"id": 1, "annotation_id": 1, "annotator": 1, "lead_time": 2.0, "choice": "left"}
ANSWERS = {"response_1": "a", "response_2": "b"}


@pytest.mark.parametrize(
    ("form", "rows"),
    [
        ("alpacaeval", [{"instruction": "q", "output_1": "a", "output_2": "b", "preference": 1} | EXTRAS]),
        (
            "alpacaeval",
            [{"instruction": "q", "output": one, "generator": one} | EXTRAS for one in "ab"],
        ),
        ("preferences", [{"prompt": "q", "chosen": "a", "rejected": "b"} | EXTRAS]),
        ("openai", [{"model": one, "messages": [user("q"), assistant(one)]} | EXTRAS for one in "ab"]),
        ("label-studio", [{"data": {"prompt": "q", **ANSWERS, **EXTRAS}, "annotations": []}]),
        ("label-studio", [{"prompt": "q", **ANSWERS, **EXTRAS, **ANNOTATED}]),
        ("argilla", [{"fields": {"prompt": "q", **ANSWERS, **EXTRAS}, "responses": {}}]),
    ],
)
def test_category_reference_and_criteria_are_the_pairs_in_every_form(tmp_path, form, rows):
    [pair] = imported(tmp_path, form, *rows).pairs
    assert (pair.category, pair.reference, [one.name for one in pair.criteria]) == ("c", "R", ["is polite"])
    assert not EXTRAS.keys() & pair.metadata.keys()


def test_a_system_text_in_parts_is_a_text(tmp_path):
    parts = [{"type": "text", "text": "You are a pirate."}, {"type": "text", "text": "Be brief."}]
    for system in (parts, {"type": "text", "text": "You are a pirate.\n\nBe brief."}):
        rows = [{"model": one, "system": system, "messages": [user("q"), assistant(one)]} for one in "ab"]
        [pair] = imported(tmp_path, "openai", *rows).pairs
        assert pair.system == "You are a pirate.\n\nBe brief."


def test_parts_of_a_sentence_are_put_together_as_they_are(tmp_path):
    cut = [{"type": "text", "text": "The grass is"}, {"type": "text", "text": " green."}]
    rows = [
        {"model": one, "messages": [user("q"), {**assistant(None), "content": [*cut, one]}]} for one in "ab"
    ]
    [pair] = imported(tmp_path, "openai", *rows).pairs
    assert {pair.response_a, pair.response_b} == {"The grass is green.\n\na", "The grass is green.\n\nb"}


@pytest.mark.parametrize(
    ("flags", "outcome"),
    [
        ({"winner_model_a": "yes", "winner_model_b": "no", "winner_tie": "no"}, Ballot.A),
        ({"winner_model_a": 0, "winner_model_b": 1.0, "winner_tie": 0}, Ballot.B),
        (
            {"winner_model_a": 0, "winner_model_b": 0, "winner_tie": 0, "winner_both_bad": "1"},
            Ballot.BOTH_BAD,
        ),
        ({"winner_model_a": 1, "winner_model_b": 0, "winner_tie": 1}, None),
        ({"winner_model_a": 0.9, "winner_model_b": 0.05, "winner_tie": 0.05}, None),
        ({"winner_model_a": 0, "winner_model_b": 0, "winner_tie": 0}, None),
    ],
)
def test_flags_name_one_winner_or_are_counted(tmp_path, flags, outcome):
    row = {"prompt": "q", "response_a": "r1", "response_b": "r2", "model_a": "x", "model_b": "y"}
    read = imported(tmp_path, "arena", row | flags)
    assert [vote.outcome for vote in read.votes] == ([] if outcome is None else [outcome])
    assert ("vote: flags that name no one winner" in read.left_out) is (outcome is None)


@pytest.mark.parametrize(
    ("tag", "better", "reason"),
    [
        ({"better": "response_2"}, "b", ""),
        ({"better": {"choices": ["response_1"]}}, "a", ""),
        ({"better": {"choices": ["response_1", "response_2"]}}, "", "an annotation with different choices"),
        ({"better": ""}, "", "an annotation without a choice"),
    ],
)
def test_a_row_of_label_studio_has_its_label_under_any_tag(tmp_path, tag, better, reason):
    row = {name: value for name, value in ANNOTATED.items() if name != "choice"} | {"prompt": "q"} | ANSWERS
    read = imported(tmp_path, "label-studio", row | tag)
    [pair] = read.pairs
    voted = [pair.response_a if vote.outcome is Ballot.A else pair.response_b for vote in read.votes]
    assert voted == [better] * bool(better)
    assert read.left_out == ({f"vote: {reason}": 1} if reason else {})


def test_a_pairwise_tag_is_the_label_beside_other_choices(tmp_path):
    results = [{"value": {"selected": "left"}}, {"value": {"choices": ["none"]}}]
    task = {
        "data": {"prompt": "q", "a": "x", "b": "y"},
        "annotations": [{"result": results, "completed_by": 1}],
    }
    [vote] = imported(tmp_path, "label-studio", task).votes
    assert vote.outcome is Ballot.A


OTHER_QUESTION = "vote: an answer to another question than 'preference'"
NO_SIDE = "vote: a label of a question that never names a side"
ANSWERED = {"prompt": "q", "response_a": "x", "response_b": "y"}


def response(value, user="ann"):
    return {"user_id": user, "value": value, "status": "submitted"}


def of_users(**questions):
    """Responses as Argilla 1 has them, in which each user answers all questions."""
    values = {question: {"value": value} for question, value in questions.items()}
    return [{"user_id": "ann", "status": "submitted", "values": values}]


@pytest.mark.parametrize(
    "record",
    [
        {"fields": ANSWERED, "responses": {"harm": [response("none")], "preference": [response("a")]}},
        {"fields": ANSWERED, "responses": {"preference": [response("a")], "harm": [response("none")]}},
        {"fields": ANSWERED, "responses": of_users(harm="bad", preference="response_a")},
        {"fields": ANSWERED, "responses": of_users(grade="B", preference="response_a")},
        {"prompt": "q", **ANSWERS, "harm.responses": ["same"], "preference.responses": ["response_1"]},
        {"prompt": "q", **ANSWERS, "harm": [response("c")], "preference": [response("response_1")]},
        {"fields": ANSWERED, "responses": of_users(harm="none", preference=["response_a", "response_b"])},
    ],
)
def test_argillas_other_questions_are_no_votes(tmp_path, record):
    read = imported(tmp_path, "argilla", record)
    [pair], [vote] = read.pairs, read.votes
    assert (pair.response_a if vote.outcome is Ballot.A else pair.response_b) in ("x", "a")
    assert vote.outcome in (Ballot.A, Ballot.B)
    assert read.left_out == {OTHER_QUESTION: 1}


def test_a_question_of_argilla_is_the_one_that_compares_in_the_whole_file(tmp_path):
    tie = {"fields": ANSWERED | {"prompt": "q2"}, "responses": of_users(harm="bad", preference="tie")}
    read = imported(tmp_path, "argilla", tie)
    assert (read.votes, read.left_out) == ((), {NO_SIDE: 2})
    better = {"fields": ANSWERED, "responses": of_users(preference="response_b")}
    assert [vote.outcome for vote in imported(tmp_path, "argilla", tie, better).votes] == [
        Ballot.TIE,
        Ballot.B,
    ]


def labelled(by, **tags):
    """An annotation of Label Studio with a choice a tag."""
    result = [{"from_name": tag, "value": {"choices": [choice]}} for tag, choice in tags.items()]
    return {"completed_by": by, "result": result}


@pytest.mark.parametrize("order", [1, -1])
def test_label_studios_other_tags_are_no_votes(tmp_path, order):
    both = dict([("quality", "Neither"), ("preference", "Response 1")][::order])
    annotations = [labelled(1, **both), labelled(2, quality="Bad"), labelled(3, preference="Tie")]
    read = imported(tmp_path, "label-studio", {"data": ANSWERED, "annotations": annotations})
    assert [vote.outcome for vote in read.votes] == [Ballot.A, Ballot.TIE]
    assert read.left_out == {OTHER_QUESTION: 2, "vote: an annotation without a choice": 1}
    annotations = [labelled(1, quality="Bad")]
    read = imported(tmp_path, "label-studio", {"data": ANSWERED, "annotations": annotations})
    assert (read.votes, read.left_out) == ((), {NO_SIDE: 1})


@pytest.mark.parametrize(
    "tags",
    [
        {"harm": {"choices": ["none"]}, "preference": "left"},
        {"preference": {"choices": ["response_a"]}, "harm": {"choices": ["none"]}},
    ],
)
def test_other_tags_in_a_row_of_label_studio_are_no_votes(tmp_path, tags):
    row = {name: value for name, value in ANNOTATED.items() if name != "choice"} | ANSWERED
    tie = {"preference": "Tie", "prompt": "q2", "id": 2}
    read = imported(tmp_path, "label-studio", row | tags, row | tags | tie)
    assert [vote.outcome for vote in read.votes] == [Ballot.A, Ballot.TIE]
    assert read.left_out == {OTHER_QUESTION: 2}
    assert read.pairs[0].metadata == {"harm": {"choices": ["none"]}}


def logs(tmp_path, **more):
    """Two logs of inspect_ai, of models whose answers are "A" and "B"; `more` may have their messages."""
    files = []
    for answer in "AB":
        sample = {"id": 1, "epoch": 1, "input": "2+2?", "choices": ["4", "5"]} | more
        sample["output"] = {"choices": [{"message": assistant(answer)}]}
        if "messages" in more:
            sample["messages"] = [assistant(answer) if one is None else one for one in more["messages"]]
        log = {"eval": {"task": "sums", "model": f"m{answer}"}, "samples": [sample]}
        files.append(written(tmp_path / f"{answer}.json", log))
    return files


SHOWN = [{"role": "system", "content": "Answer with one letter."}, user("2+2?\n\nA) 4\nB) 5")]


@pytest.mark.parametrize(
    "messages",
    [[*SHOWN, None], SHOWN, [*SHOWN, None, user("Sure?"), None, {"role": "tool", "content": "ok"}]],
)
def test_what_a_sample_of_inspect_asked_is_in_its_messages(tmp_path, messages):
    files = logs(tmp_path, messages=messages)
    [pair] = import_files("inspect", files).pairs
    assert {pair.response_a, pair.response_b} == {"A", "B"}
    assert (pair.system, pair.context_a[0].content) == tuple(one["content"] for one in SHOWN)
    assert read_answers(files).sides[0][0].conversation.messages[0].content == SHOWN[1]["content"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "a sample of options without the messages that show them"),
        ({"messages": [*SHOWN, assistant("C")]}, "a sample whose messages do not have its answer"),
    ],
)
def test_a_sample_of_inspect_whose_question_is_not_known_is_left_out(tmp_path, more, reason):
    with pytest.raises(InputError, match=f"left out: {reason}: 2"):
        import_files("inspect", logs(tmp_path, **more))


def test_answers_of_alpacaeval_on_two_documents_are_not_compared(tmp_path):
    rows = [
        {"instruction": "Summarise.", "context": f"Doc {n}", "output": f"{model} {n}", "generator": model}
        for model, documents in (("x", (1, 2)), ("y", (2, 3)))
        for n in documents
    ]
    read = imported(tmp_path, "alpacaeval", *rows)
    assert [(pair.prompt, pair.metadata) for pair in read.pairs] == [
        ("Summarise.\n\nDoc 2", {"model_a": ANY, "model_b": ANY})
    ]
    odd = imported(
        tmp_path, "alpacaeval", *rows, *(rows[0] | {"context": one} for one in ({"d": 1}, ["Doc"]))
    )
    assert odd.left_out == {"answer: no other model answered the question": 2, "a context that is no text": 2}


THREE = {"prompt": "q"} | {f"generation-{n}": f"answer {n}" for n in (1, 2, 3)}
FURTHER = {"answer: a third one or later, which is in no pair": 1}
RANKED = ["generation-3", "generation-2", "generation-1"]


@pytest.mark.parametrize(
    ("form", "row"),
    [
        ("argilla", {"fields": THREE, "responses": of_users(best=RANKED)}),
        ("argilla", {"fields": THREE, "responses": of_users(best={"value": RANKED, "rank": [3, 1, 2]})}),
        ("argilla", {"fields": THREE, "responses": of_users(best="generation-2")}),
        ("label-studio", {"data": THREE, "annotations": [labelled(1, best="generation-2")]}),
        ("label-studio", THREE | ANNOTATED | {"choice": "generation-2"}),
    ],
)
def test_a_third_answer_is_counted_and_a_ranking_with_it_ranks_the_two(tmp_path, form, row):
    read = imported(tmp_path, form, row)
    [pair], [vote] = read.pairs, read.votes
    assert (pair.response_a if vote.outcome is Ballot.A else pair.response_b) == "answer 2"
    assert read.left_out == FURTHER


@pytest.mark.parametrize("third", ["z", "", None])
@pytest.mark.parametrize(
    ("form", "row_of"),
    [
        ("argilla", lambda cells: {"fields": cells, "responses": of_users(best="C")}),
        ("label-studio", lambda cells: {"data": cells, "annotations": [labelled(1, best="C")]}),
        ("label-studio", lambda cells: cells | ANNOTATED | {"id": None, "choice": "C"}),
        ("arena", lambda cells: cells | {"winner": "C"}),
    ],
)
def test_c_is_a_tie_where_no_third_answer_is_called_so(tmp_path, form, row_of, third):
    clear = json.loads(json.dumps(row_of(ANSWERED | {"prompt": "q2"})).replace('"C"', '"response_b"'))
    read = imported(tmp_path, form, row_of(ANSWERED | {"response_c": third}), clear)
    assert [vote.outcome for vote in read.votes] == [Ballot.TIE] * (not third) + [Ballot.B]
    assert read.left_out == (FURTHER | {"vote: an unknown winner 'C'": 1} if third else {})


@pytest.mark.parametrize("at", ["", "data."])
def test_c_is_the_third_answer_beside_named_columns_that_are_called_a_and_b(tmp_path, at):
    cells = ANSWERED | {"better": "c"}
    rows = [cells, cells | {"prompt": "q2", "response_c": "z"}]
    file = written(tmp_path / "in.jsonl", *([{"data": one} for one in rows] if at else rows))
    ours = {**{name: name for name in ANSWERED}, "outcome": "better"}
    read = import_files("columns", [file], ",".join(f"{one}={at}{name}" for one, name in ours.items()))
    assert [vote.outcome for vote in read.votes] == [Ballot.TIE]
    assert read.left_out == {"vote: an unknown winner 'c'": 1}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("objects", "left"),
    [
        ("response_a,response_b", "x"),
        ("response_b, response_a", "y"),
        ("comparison", "x"),
        ("first,second", "x"),
        (None, "x"),
    ],
)
def test_left_is_the_object_that_a_pairwise_tag_lists_first(tmp_path, objects, left, side):
    result = {"from_name": "pw", "to_name": objects, "type": "pairwise", "value": {"selected": side}}
    task = {"data": ANSWERED, "annotations": [{"result": [result], "completed_by": 1}]}
    read = imported(tmp_path, "label-studio", task)
    [pair], [vote] = read.pairs, read.votes
    better = pair.response_a if vote.outcome is Ballot.A else pair.response_b
    assert (better == left) is (side == "left")


@pytest.mark.parametrize(
    "talk", [[user("q1"), assistant("a1")], [["q1", "a1"]], [user("q1"), assistant("a1"), user("q2")]]
)
def test_an_instruction_stands_after_the_messages_of_its_input(tmp_path, talk):
    row = {"instruction": "q2", "chosen": "good", "rejected": "bad"}
    for given in (talk, json.dumps(talk)):
        [pair] = imported(tmp_path, "preferences", row | {"input": given}).pairs
        assert [message.content for message in pair.context_a] == ["q1", "a1", "q2"]


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        ([user("q1")], "a prompt beside a conversation that it is not in"),
        (["a document"], "an input that is neither text nor messages"),
    ],
)
def test_an_input_that_an_instruction_does_not_follow_is_left_out(tmp_path, talk, reason):
    with pytest.raises(InputError, match=f"left out: {reason}: 1"):
        imported(
            tmp_path, "preferences", {"instruction": "q2", "input": talk, "chosen": "good", "rejected": "bad"}
        )


def test_a_prompt_that_the_answers_conversations_do_not_have_leaves_the_row_out(tmp_path):
    row = {"chosen": [user("q1"), assistant("x")], "rejected": [user("q1"), assistant("y")]}
    with pytest.raises(InputError, match="left out: a prompt beside a conversation that it is not in: 1"):
        imported(tmp_path, "preferences", row | {"prompt": "Translate to French: hello"})
    longer = {name: [user("q0"), assistant("a0"), *talk] for name, talk in row.items()}
    [pair] = imported(tmp_path, "preferences", longer | {"prompt": "q0"}).pairs
    assert [message.content for message in pair.context_a] == ["q0", "a0", "q1"]


@pytest.mark.parametrize("name", ["image_url", "image_urls", "images_path", "audio_base64", "video_paths"])
def test_a_row_with_an_address_of_a_picture_is_left_out(tmp_path, name):
    row = {"prompt": "q", "response_a": "x", "response_b": "y", "winner": "model_a", name: ""}
    other = row | {"prompt": "What is this?", name: "https://x.test/1"}
    read = imported(tmp_path, "arena", row, other)
    what = {"i": "an image", "a": "a sound", "v": "a film"}[name[0]]
    assert ([pair.prompt for pair in read.pairs], read.left_out) == (["q"], {what: 1})
    own = [{name: value for name, value in one.items() if name != "winner"} for one in (row, other)]
    assert len(read_pairs(written(tmp_path / "own.jsonl", *own))) == 2


def test_two_questions_of_fastchat_with_one_number_are_one_clear_line(tmp_path):
    answers = [
        {"question_id": 1, "model_id": model, "choices": [{"turns": [f"by {model}"]}]} for model in "xy"
    ]
    files = [
        written(tmp_path / "vicuna.jsonl", {"question_id": 1, "turns": ["Why?"], "category": "generic"}),
        written(tmp_path / "again.jsonl", {"question_id": 1, "turns": ["Why?"]}),
        written(tmp_path / "answers.jsonl", *answers),
    ]
    [pair] = import_files("fastchat", files).pairs
    assert (pair.prompt, pair.category) == ("Why?", "generic")
    files.append(written(tmp_path / "other.jsonl", {"question_id": 1, "turns": ["How?"]}))
    for reads in (lambda: import_files("fastchat", files), lambda: read_answers(files)):
        with pytest.raises(
            BadLines, match=r"other.jsonl:1: question 1 is another one than in .*vicuna.jsonl:1"
        ):
            reads()


def test_prompts_of_promptfoo_that_begin_alike_are_told_apart(tmp_path):
    said = "You are a helpful assistant who always answers politely, briefly and in plain English. "
    results = [
        {"prompt": {"raw": "q", "label": f"{said}{how}"}, "vars": {"q": "q"}, "testIdx": 0}
        | {"provider": provider, "response": {"output": f"{provider} {how}"}}
        for provider in ("x", "y")
        for how in ("Be formal.", "Be casual.")
    ]
    read = imported(tmp_path, "promptfoo", {"results": {"results": results}})
    assert len(read.pairs) == 6
    assert len({pair.metadata[side] for pair in read.pairs for side in ("model_a", "model_b")}) == 4


@pytest.mark.parametrize("form", ["openai", "alpacaeval"])
def test_files_of_one_name_in_two_folders_are_two_models(tmp_path, form):
    files = []
    for folder in ("old", "new"):
        row = {"openai": {"messages": [user("q"), assistant(folder)]}}.get(form)
        files.append(written(tmp_path / folder / "run.jsonl", row or {"instruction": "q", "output": folder}))
    [pair] = import_files(form, files).pairs
    assert {pair.metadata["model_a"], pair.metadata["model_b"]} == {"old/run.jsonl", "new/run.jsonl"}


def test_a_transcripts_other_names_are_said_by_its_speakers(tmp_path):
    asked = "\n\nHuman: My report:\n\nSystem: Linux\n\nUser: root\n\nWhat is it?\n\nAssistant: "
    [pair] = imported(
        tmp_path, "preferences", {"chosen": f"{asked}Linux.", "rejected": f"{asked}Windows."}
    ).pairs
    assert (pair.system, pair.prompt) == (None, "My report:\n\nSystem: Linux\n\nUser: root\n\nWhat is it?")
    [pair] = imported(
        tmp_path,
        "preferences",
        {
            "chosen": "System: Be kind.\n\nUser: q\n\nAssistant: a",
            "rejected": "System: Be kind.\n\nUser: q\n\nAssistant: b",
        },
    ).pairs
    assert (pair.system, pair.prompt) == ("Be kind.", "q")


def test_a_whole_number_that_pandas_made_a_float_is_an_id(tmp_path):
    rows = [{"id": n, "prompt": f"q{n}", "chosen": "a", "rejected": "b"} for n in (1.0, 2.0)]
    assert [pair.id for pair in imported(tmp_path, "preferences", *rows).pairs] == ["1", "2"]


def test_a_mapped_id_or_voter_may_be_a_whole_number_that_pandas_made_a_float(tmp_path):
    row = {"q": "2 + 2?", "x": "4", "y": "5", "n": 7.0, "who": 3.0, "label": "a"}
    mapping = "prompt=q,response_a=x,response_b=y,id=n,voter=who,outcome=label"
    read = import_files("columns", [written(tmp_path / "m.jsonl", row)], mapping)
    assert [(pair.id, vote.voter) for pair, vote in zip(read.pairs, read.votes, strict=True)] == [("7", "3")]
    blank = import_files("columns", [written(tmp_path / "n.jsonl", row | {"n": "  "})], mapping)
    assert blank.pairs[0].id.strip()


def test_gold_is_turned_where_reports_would_understand_it_and_else_left(tmp_path):
    for gold, turned in (("response_a", "B"), ("tie", "TIE"), ("left", "left"), (1, 1), (None, None)):
        file = written(tmp_path / "m.jsonl", {"q": "2 + 2?", "r_b": "4", "r_a": "5", "gold": gold})
        [pair] = import_files("columns", [file], "prompt=q,response_a=r_b,response_b=r_a").pairs
        assert pair.metadata.get("gold") == turned


@pytest.mark.parametrize(
    ("label", "n_votes"), [({"preference": True}, 0), ({"preference": None, "label": 2}, 1)]
)
def test_alpacaevals_label_is_a_number_in_either_column(tmp_path, label, n_votes):
    row = {"instruction": "q", "output_1": "a", "output_2": "b"} | label
    read = imported(tmp_path, "alpacaeval", row)
    assert len(read.votes) == n_votes
    assert sum(read.left_out.values()) == 1 - n_votes


def test_alpacaevals_label_of_0_and_1_alone_is_no_vote(tmp_path):
    def rows(*labels, name="label"):
        annotation = {"output_1": "a", "output_2": "b"}
        return [annotation | {"instruction": f"q{n}", name: label} for n, label in enumerate(labels)]

    reason = "vote: a label 0 or 1 in a file without 2, which may count from 0"
    for labels in ((0, 1), ("1", "0"), (1, 1.0)):
        read = imported(tmp_path, "alpacaeval", *rows(*labels))
        assert (len(read.pairs), read.votes, read.left_out) == (2, (), {reason: 2})
    for given in (rows(0, 1, 2), rows(0, 1, 1, name="preference")):
        assert len(imported(tmp_path, "alpacaeval", *given).votes) == 3


def test_a_number_with_spaces_is_no_winner(tmp_path):
    row = {"prompt": "q", "response_a": "r1", "response_b": "r2", "winner": " 1"}
    assert imported(tmp_path, "arena", row).left_out["vote: a number, which may mean either answer"] == 1


def test_what_import_writes_can_be_ranked(tmp_path):
    rows = [
        {"instruction": f"q{n}", "output": f"{one}{n}", "generator": one} for n in range(3) for one in "xy"
    ]
    made = written(tmp_path / "in.jsonl", *rows)
    assert ran(tmp_path, "import", "alpacaeval", made, "--out", "pairs.jsonl").code == 0
    assert read_answers([tmp_path / "pairs.jsonl"]).models == ("x", "y")


# --- what is written -------------------------------------------------------------------------------------


def test_verdicts_of_two_judges_are_not_written_as_one(tmp_path):
    written(tmp_path / "p.jsonl", {"id": "1", "prompt": "q", "response_a": "aa", "response_b": "b"})
    for judge in ("longer", "shorter"):
        run = ["run", "p.jsonl", "--backend", f"scripted:{judge}", "--out", f"{judge}.jsonl"]
        assert ran(tmp_path, *run).code == 0
    both = (tmp_path / "longer.jsonl").read_text() + (tmp_path / "shorter.jsonl").read_text()
    (tmp_path / "both.jsonl").write_text(both)
    export = ["export", "preferences", "both.jsonl", "--pairs", "p.jsonl", "--out", "dpo.jsonl"]
    done = ran(tmp_path, *export)
    assert done.code == 2
    assert "verdicts of 2 judges" in done.err
    assert not (tmp_path / "dpo.jsonl").exists()


def test_a_carriage_return_in_a_text_does_not_break_a_table(tmp_path):
    frame = verdicts_to_frame([])
    frame.loc[0, ["pair_id", "judge", "raw_ab"]] = ["1", "j", "one\rtwo"]
    write_frame(tmp_path / "v.csv", frame)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "v.csv").read_bytes().decode(), newline="")))
    assert [(row["pair_id"], row["raw_ab"]) for row in rows] == [("1", "one\rtwo")]


def test_what_goes_to_standard_output_is_utf_8_in_any_locale():
    program = "from judge.cli.console import write; write('-', '\\u4f60\\n')"
    env = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, check=True)
    assert done.stdout.decode("utf-8") == "\u4f60\n"
