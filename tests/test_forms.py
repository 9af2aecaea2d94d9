"""Files of other tools, in the exact form they are published in, become pairs and votes."""

from __future__ import annotations

import csv
import io
import json
import struct
import zipfile
from dataclasses import replace

import pyarrow
import pyarrow.parquet
import pytest
from plugins import make_package, run_judge

import judge
from judge.backends.scripted import ScriptedBackend, longer
from judge.cli.main import app
from judge.errors import BadLines, InputError
from judge.evaluate import judge_pairs
from judge.forms import FORMS, OURS
from judge.forms.exporting import export_verdicts
from judge.forms.form import Entry
from judge.forms.reading import form_among, import_files, read_pairs, read_votes
from judge.io.criteria import criteria_given
from judge.io.pairs import write_pairs
from judge.io.rows import Row
from judge.io.verdicts import write_verdicts
from judge.methods.direct import Direct
from judge.records import Ballot, Message, Outcome, Pair, Status

ASKED = [{"role": "user", "content": "Name a fruit."}]
SHORT, LONG = "Apple", "A ripe pear"


def said(text, role="assistant"):
    return {"role": role, "content": text}


def talk(*texts):
    """A conversation of these texts, user first."""
    return [said(text, ("user", "assistant")[n % 2]) for n, text in enumerate(texts)]


def file_of(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def read(tmp_path):
    """What a form makes of rows; each list of rows is a file of its own."""

    def read(form, *rows):
        files = rows if isinstance(rows[0], list) else [list(rows)]
        return import_files(form, [file_of(tmp_path / f"{n}.jsonl", *file) for n, file in enumerate(files)])

    return read


def better_of(imported):
    """The text of each vote's better answer, or the ballot where it is none."""
    pairs = {pair.id: pair for pair in imported.pairs}
    texts = {Ballot.A: "response_a", Ballot.B: "response_b"}
    return [
        getattr(pairs[vote.pair_id], texts[vote.outcome]) if vote.outcome in texts else vote.outcome
        for vote in imported.votes
    ]


# --- AlpacaEval ------------------------------------------------------------------------------------------

ANNOTATION = {
    "instruction": "Name a fruit.",
    "output_1": SHORT,
    "generator_1": "m1",
    "dataset": "own",
    "output_2": LONG,
    "generator_2": "m2",
    "annotator": "weighted_alpaca_eval_gpt4_turbo",
    "preference": 1.9996,
    "raw_completion": {"text": "M"},
    "price_per_example": 0.001,
    "time_per_example": 0.4,
}


def alpaca_answers(model, **answers):
    return [
        {"dataset": "own", "instruction": asked, "output": output, "generator": model}
        for asked, output in answers.items()
    ]


@pytest.mark.parametrize(
    ("preference", "better"),
    [
        *((number, SHORT) for number in (1, 1.0, 1.0004, "1")),
        *((number, LONG) for number in (2, 1.9996, "2.0")),
        *((number, Ballot.TIE) for number in (1.5, 0)),
    ],
)
def test_an_annotation_is_a_pair_and_a_vote(read, preference, better):
    found = read("alpacaeval", ANNOTATION | {"preference": preference})
    [pair], [vote] = found.pairs, found.votes
    assert better_of(found) == [better]
    assert {pair.response_a, pair.response_b} == {SHORT, LONG}
    assert vote.voter == "weighted_alpaca_eval_gpt4_turbo"
    models = {pair.response_a: vote.model_a, pair.response_b: vote.model_b}
    assert models == {SHORT: "m1", LONG: "m2"}
    assert found.left_out == {}


def test_an_annotation_without_a_preference_is_a_pair_without_a_vote(read):
    found = read(
        "alpacaeval",
        ANNOTATION | {"preference": None},
        ANNOTATION | {"instruction": "Name a tree.", "preference": 7},
        ANNOTATION | {"instruction": "Name a bird.", "preference": 10**400},
    )
    assert (len(found.pairs), len(found.votes)) == (3, 0)
    huge = f"vote: an unknown preference {10**56}..."
    assert found.left_out == {"vote: an unknown preference 7": 1, huge: 1}


def test_thirty_equal_annotations_are_one(read):
    found = read("alpacaeval", *[ANNOTATION] * 30)
    assert (len(found.pairs), len(found.votes)) == (1, 1)
    assert found.left_out == {"the same row again": 29}


def test_several_annotators_vote_on_one_pair_whichever_way_round_it_is_written(read):
    turned = ANNOTATION | {
        "output_1": LONG,
        "output_2": SHORT,
        "generator_1": "m2",
        "generator_2": "m1",
        "annotator": 3,
        "preference": 2,
    }
    found = read("alpacaeval", ANNOTATION, turned)
    assert len(found.pairs) == 1
    assert [vote.voter for vote in found.votes] == ["weighted_alpaca_eval_gpt4_turbo", "3"]
    assert better_of(found) == [LONG, SHORT]


def test_answers_of_two_models_make_pairs_by_instruction(read):
    one = alpaca_answers("m1", fruit=SHORT, tree="Oak", bird="Owl")
    other = alpaca_answers("m2", tree="Elm", fruit=LONG)
    found = read("alpacaeval", one, other)
    assert [pair.prompt for pair in found.pairs] == ["fruit", "tree"]
    assert found.votes == ()
    assert found.left_out == {"answer: no other model answered the question": 1}
    [fruit, _] = found.pairs
    assert fruit.metadata["model_a" if fruit.response_a == SHORT else "model_b"] == "m1"


def test_answers_of_three_models_make_three_pairs_a_question(read):
    files = [alpaca_answers(f"m{n}", fruit=f"answer {n}") for n in range(3)]
    assert len(read("alpacaeval", *files).pairs) == 3


def test_criteria_of_either_answer_are_the_pairs_and_different_ones_are_refused(read):
    files = [alpaca_answers(model, fruit=model) for model in ("m1", "m2")]
    files[1][0]["criteria"] = "short"
    [pair] = read("alpacaeval", *files).pairs
    assert [one.line for one in pair.criteria] == ["short"]
    files[0][0]["criteria"] = "long"
    with pytest.raises(
        InputError, match=r"0\.jsonl:1 has the criteria 'long', and .+1\.jsonl:1 has 'short' for"
    ):
        read("alpacaeval", *files)


def test_the_data_set_of_an_answer_is_kept(read):
    [pair] = read("alpacaeval", *(alpaca_answers(model, Fruit=model) for model in ("m1", "m2"))).pairs
    assert pair.metadata == {"model_a": pair.response_a, "model_b": pair.response_b, "dataset": "own"}


def test_answers_of_one_model_are_no_pairs(read):
    with pytest.raises(InputError, match=r"0\.jsonl: these are answers of one model, m1\. Pairs need two: "):
        read("alpacaeval", *alpaca_answers("m1", fruit=SHORT))


# --- preferences -----------------------------------------------------------------------------------------

HH = {
    "chosen": f"\n\nHuman: Name a fruit.\n\nAssistant: {LONG}",
    "rejected": f"\n\nHuman: Name a fruit.\n\nAssistant: {SHORT}",
}
ULTRAFEEDBACK = {
    "prompt": "Name a fruit.",
    "prompt_id": "f0e3",
    "chosen": talk("Name a fruit.", LONG),
    "rejected": talk("Name a fruit.", SHORT),
    "messages": talk("Name a fruit.", LONG),
    "score_chosen": 8.0,
    "score_rejected": 6.5,
}
PREFERENCES = {
    "text": {"prompt": "Name a fruit.", "chosen": LONG, "rejected": SHORT},
    "hh-rlhf": HH,
    "ultrafeedback_binarized": ULTRAFEEDBACK,
    "trl explicit": {"prompt": ASKED, "chosen": [said(LONG)], "rejected": [said(SHORT)]},
    "trl implicit": {"chosen": talk("Name a fruit.", LONG), "rejected": talk("Name a fruit.", SHORT)},
    "trl of hh-rlhf": {
        "prompt": "\n\nHuman: Name a fruit.\n\nAssistant:",
        "chosen": f" {LONG}",
        "rejected": f" {SHORT}",
    },
    "argilla ultrafeedback-binarized-preferences": {
        "source": "own",
        "instruction": "Name a fruit.",
        "chosen_response": LONG,
        "rejected_response": SHORT,
        "chosen_avg_rating": 4.5,
        "chosen_model": "m2",
    },
    "argilla distilabel-intel-orca-dpo-pairs": {
        "system": "",
        "input": "Name a fruit.",
        "chosen": LONG,
        "rejected": SHORT,
        "generations": [LONG, SHORT],
        "status": "unchanged",
    },
    "argilla distilabel-capybara-dpo": {
        "source": "own",
        "conversation": [{"input": "Name a fruit.", "output": None}],
        "original_response": LONG,
        "chosen": talk("Name a fruit.", LONG),
        "rejected": talk("Name a fruit.", SHORT),
        "chosen_model": "m2",
    },
    "orca_dpo_pairs": {"system": "", "question": "Name a fruit.", "chosen": LONG, "rejected": SHORT},
    "llama-factory sharegpt": {
        "conversations": [{"from": "human", "value": "Name a fruit."}],
        "chosen": {"from": "gpt", "value": LONG},
        "rejected": {"from": "gpt", "value": SHORT},
    },
    "llama-factory alpaca": {"instruction": "Name a fruit.", "input": "", "chosen": LONG, "rejected": SHORT},
    "openai fine-tuning": {
        "input": {"messages": ASKED, "tools": [], "parallel_tool_calls": True},
        "preferred_output": [said(LONG)],
        "non_preferred_output": [said(SHORT)],
    },
    "hh-rlhf in turns": {
        "context": [],
        "prompt": "Name a fruit.",
        "chosen": LONG,
        "rejected": SHORT,
        "n_turns": 1,
    },
}


@pytest.mark.parametrize("name", PREFERENCES)
def test_every_spelling_of_a_preference_is_the_same_pair_with_a_vote_for_the_chosen(read, name):
    found = read("preferences", PREFERENCES[name])
    [pair] = found.pairs
    assert [message.content.strip() for message in pair.conversation_a[:1]] == ["Name a fruit."]
    assert {pair.response_a.strip(), pair.response_b.strip()} == {SHORT, LONG}
    assert len(pair.conversation_a) == len(pair.conversation_b) == 2
    assert pair.system is None
    assert [better.strip() for better in better_of(found)] == [LONG]
    assert found.left_out == {}


def test_the_chosen_answer_is_not_always_a(read):
    rows = [{"prompt": f"{n}?", "chosen": f"yes {n}", "rejected": f"no {n}"} for n in range(40)]
    outcomes = {vote.outcome for vote in read("preferences", *rows).votes}
    assert outcomes == {Ballot.A, Ballot.B}


def test_a_longer_transcript_and_a_system_text_are_kept(read):
    before = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: Name a fruit.\n\nAssistant: "
    found = read(
        "preferences",
        {"chosen": before + LONG, "rejected": before + SHORT},
        {"system": "Be brief.", "question": "Two?", "chosen": "2", "rejected": "Three, or 3"},
    )
    talked, briefed = found.pairs
    assert talked.context_a == tuple(Message(**one) for one in talk("Hi", "Hello.", "Name a fruit."))
    assert found.votes[0].turn == 2
    assert briefed.system == "Be brief."


def test_answers_that_begin_alike_have_their_beginning_as_prompt(read):
    [pair] = read("preferences", {"chosen": "The sky is blue.", "rejected": "The sky is green."}).pairs
    assert (pair.prompt, {pair.response_a, pair.response_b}) == ("The sky is", {"blue.", "green."})


@pytest.mark.parametrize("column", ["task", "post", "user", "human", "title", "text"])
def test_a_column_that_may_ask_is_not_passed_over_for_how_the_answers_begin(read, column):
    row = {column: "How do I cook rice?", "chosen": "You should rinse it.", "rejected": "You should boil it."}
    with pytest.raises(BadLines, match=f"says what was asked, and '{column}' may. Name the columns"):
        read("preferences", row)


def test_what_is_no_preference_is_left_out_by_reason(read):
    found = read(
        "preferences",
        PREFERENCES["text"],
        {"prompt": "Name a fruit.", "chosen": LONG, "rejected": None},
        {"prompt": "Name a fruit.", "chosen": LONG, "rejected": LONG},
        {"prompt": None, "chosen": "Yes", "rejected": "No"},
        {"prompt": "What is it?", "chosen": "Pear", "rejected": "Owl", "images": ["a.png"]},
    )
    assert len(found.pairs) == 1
    assert found.left_out == {"missing text": 1, "identical texts": 1, "no question": 1, "an image": 1}


LISTS = ('["pear","fig"]', '[{"name":"pear"}]', "[]", "[3,1,2]", '["fig",{"role":"none"}]')
"""Texts of JSON that are no messages."""


@pytest.mark.parametrize("text", LISTS)
def test_a_preference_may_ask_with_a_json_list_and_be_answered_with_one(read, text):
    found = read("preferences", {"prompt": text, "chosen": f" {text}", "rejected": "no", "context": text})
    [pair] = found.pairs
    assert pair.prompt == text
    assert better_of(found) == [f" {text}"]
    assert found.left_out == {}


def test_messages_in_a_text_are_read_with_their_question_where_no_column_asks(read):
    chosen, rejected = (json.dumps(talk("Name a fruit.", answer)) for answer in (LONG, SHORT))
    for given in ({}, {"input": json.dumps(talk("Name a tree.", "Elm", "Why?"))}):
        found = read("preferences", {"chosen": chosen, "rejected": rejected, **given})
        assert [pair.prompt for pair in found.pairs] == ["Name a fruit."]
        assert better_of(found) == [LONG]
    answers = {"chosen": LONG, "rejected": SHORT}
    [pair] = read("preferences", answers | {"input": json.dumps(talk("Name a tree.", "Elm", "Why?"))}).pairs
    assert [message.content for message in pair.context_a] == ["Name a tree.", "Elm", "Why?"]


TALKED = {
    "messages": {"messages": talk("Name a fruit.", LONG)},
    "turns of ShareGPT": {
        "conversations": [{"from": "human", "value": "Name a fruit."}, {"from": "gpt", "value": f"{LONG} "}]
    },
    "a prompt": {"prompt": talk("Name a fruit.", LONG)},
    "a transcript": {"prompt": f"\n\nHuman: Name a fruit.\n\nAssistant: {LONG}"},
    "history": {"history": [["Name a fruit.", LONG]]},
}


@pytest.mark.parametrize("context", TALKED)
@pytest.mark.parametrize(
    "answers",
    [
        {"chosen": LONG, "rejected": SHORT},
        {"chosen_response": SHORT, "rejected_response": LONG},
        {"chosen": [said(LONG)], "rejected": [said(SHORT)]},
        {"chosen": talk("Name a fruit.", SHORT), "rejected": talk("Name a fruit.", LONG)},
    ],
)
def test_a_judged_answer_is_no_part_of_what_it_answers(read, context, answers):
    found = read("preferences", TALKED[context] | answers)
    [pair] = found.pairs
    assert pair.context_a == pair.context_b == (Message("user", "Name a fruit."),)
    assert {pair.response_a, pair.response_b} == {SHORT, LONG}
    assert found.left_out == {}


@pytest.mark.parametrize("as_written", [lambda text: text, lambda text: [said(text)]])
def test_a_preference_after_another_answer_is_left_out_and_one_after_a_tools_result_is_not(read, as_written):
    answers = {"chosen": as_written(LONG), "rejected": as_written(SHORT)}
    found = read(
        "preferences",
        {"messages": talk("Name a fruit.", "Plum")} | answers,
        {"messages": [*ASKED, CALL, TOOL]} | answers,
    )
    [pair] = found.pairs
    assert pair.context_a[-1].content == "Result of a tool: 3 C"
    assert found.left_out == {
        "a conversation that ends in another answer": 1,
        "message: a tool's call without text": 2,
    }


@pytest.mark.parametrize("form", ["argilla", "columns"])
def test_an_answer_in_the_field_of_the_question_is_no_part_of_it_either(tmp_path, form):
    def row(last):
        cells = {"conversation": talk("Name a fruit.", last), "response_a": SHORT, "response_b": LONG}
        return {"fields": cells, "responses": {"best": [{"value": "b"}]}} if form == "argilla" else cells

    mapping = "prompt=conversation,response_a=response_a,response_b=response_b" if form == "columns" else ""
    found = import_files(form, [file_of(tmp_path / "in.jsonl", row(SHORT), row("Plum"))], mapping)
    [pair] = found.pairs
    assert pair.context_a == pair.context_b == (Message("user", "Name a fruit."),)
    assert found.left_out == {"a conversation that ends in another answer": 1}


def test_a_context_of_plain_text_is_kept_beside_a_preference(read):
    row = PREFERENCES["text"] | {"context": "At the market.", "history": [["Hi", "Hello!"]]}
    [pair] = read("preferences", row).pairs
    assert pair.metadata == {"context": "At the market."}
    assert pair.context_a[0].content == "Hi"


def test_a_tie_in_argillas_status_is_a_tie(read):
    row = PREFERENCES["argilla distilabel-intel-orca-dpo-pairs"] | {"status": "tie"}
    assert better_of(read("preferences", row)) == [Ballot.TIE]


# --- arenas ----------------------------------------------------------------------------------------------

BATTLE = {
    "question_id": "58210e39b3fd4441a2bd4a518bb44c2d",
    "model_a": "m1",
    "model_b": "m2",
    "winner": "model_a",
    "judge": "arena_user_973",
    "conversation_a": talk("Name a fruit.", SHORT),
    "conversation_b": talk("Name a fruit.", LONG),
    "turn": 1,
    "anony": True,
    "language": "English",
    "tstamp": 1682351591.1322,
    "openai_moderation": {"flagged": False},
    "toxic_chat_tag": {"roberta-large": {"flagged": False, "probability": 0.01}},
}


def in_parts(*texts):
    """A conversation as arena-human-preference-140k has it."""
    return [
        message | {"content": [{"type": "text", "text": message["content"], "image": None, "mimeType": None}]}
        for message in talk(*texts)
    ]


NEW_BATTLE = {
    "id": "c4b9710c",
    "model_a": "m1",
    "model_b": "m2",
    "winner": "both_bad",
    "evaluation_session_id": "5f1a",
    "evaluation_order": 1,
    "conversation_a": in_parts("Name a fruit.", SHORT),
    "conversation_b": in_parts("Name a fruit.", LONG),
    "full_conversation": [{"user": {}, "model_side_a": {}, "model_side_b": {}}],
    "conv_metadata": {"sum_user_tokens": 4},
    "category_tag": {"math_v0.1": {"math": False}},
    "language": "en",
    "is_code": False,
}
KAGGLE = {
    "id": 30192,
    "model_a": "m1",
    "model_b": "m2",
    "prompt": json.dumps(["Name a fruit.", "Another?"]),
    "response_a": json.dumps([SHORT, "Fig"]),
    "response_b": json.dumps([LONG, "Plum"]),
    "winner_model_a": 0,
    "winner_model_b": 1,
    "winner_tie": 0,
}


@pytest.mark.parametrize(
    ("winner", "better"),
    [("model_a", SHORT), ("model_b", LONG), ("A", SHORT), ("b", LONG), ("m2", LONG)]
    + [(word, Ballot.TIE) for word in ("tie", "Tie", "draw", "tie (inconsistent)")]
    + [(word, Ballot.BOTH_BAD) for word in ("tie (bothbad)", "both_bad", "bothbad", "tie (both bad)")],
)
def test_a_battle_is_a_pair_and_a_vote_in_all_spellings_of_who_won(read, winner, better):
    found = read("arena", BATTLE | {"winner": winner})
    assert better_of(found) == [better]
    [pair], [vote] = found.pairs, found.votes
    assert (vote.voter, vote.turn) == ("arena_user_973", 1)
    assert {pair.response_a: vote.model_a, pair.response_b: vote.model_b} == {SHORT: "m1", LONG: "m2"}
    assert "winner" not in pair.metadata
    assert pair.metadata["language"] == "English"


def test_an_unknown_winner_is_a_pair_without_a_vote(read):
    found = read("arena", BATTLE | {"winner": "who knows"}, NEW_BATTLE | {"winner": None})
    assert (len(found.pairs), len(found.votes)) == (2, 0)
    assert found.left_out == {"vote: an unknown winner 'who knows'": 1}


def test_a_battle_in_content_parts_is_read(read):
    found = read("arena", NEW_BATTLE)
    [pair] = found.pairs
    assert (pair.id, pair.prompt, {pair.response_a, pair.response_b}) == (
        "c4b9710c",
        "Name a fruit.",
        {SHORT, LONG},
    )
    assert better_of(found) == [Ballot.BOTH_BAD]


def test_a_battle_of_lists_of_turns_is_read(read):
    found = read("arena", KAGGLE)
    [pair] = found.pairs
    assert (pair.id, pair.prompt, {pair.response_a, pair.response_b}) == (
        "30192",
        "Another?",
        {"Fig", "Plum"},
    )
    assert better_of(found) == ["Plum"]
    assert found.votes[0].turn == 2


@pytest.mark.parametrize("kind", [int, str])
def test_models_that_are_numbers_may_win(read, kind):
    row = {
        "prompt": "Fruit?",
        "response_a": SHORT,
        "response_b": LONG,
        "model_a": kind(2),
        "model_b": kind(1),
    }
    assert better_of(read("arena", row | {"winner": kind(2)})) == [SHORT]
    assert better_of(read("arena", row | {"winner": kind(1)})) == [LONG]


def test_a_battle_of_real_lists_is_read_whatever_their_apostrophes(read):
    rows = [
        {"prompt": [f"{fruit}?"], "response_a": [SHORT], "response_b": [answer], "winner": "model_a"}
        for fruit, answer in (("Fig", "it"), ("Plum", "it's"))
    ]
    found = read("arena", *rows)
    assert [pair.prompt for pair in found.pairs] == ["Fig?", "Plum?"]
    assert not found.left_out


def test_a_battle_of_plain_texts_is_read_though_it_begins_with_a_bracket(read):
    row = KAGGLE | {"prompt": "[1] fruit?", "response_a": "[a]", "response_b": LONG, "winner": "model_b"}
    found = read("arena", row)
    assert found.pairs[0].prompt == "[1] fruit?"
    assert better_of(found) == [LONG]


def test_a_json_list_in_an_arena_is_a_text_unless_prompt_and_answers_are_all_lists(read):
    row = {"prompt": "A fruit as JSON", "response_a": '["apple"]', "response_b": '["pear"]', "winner": "b"}
    found = read("arena", row, row | {"prompt": '["red"]', "response_b": "pear"}, row | {"prompt": ["Tree?"]})
    assert [(pair.prompt, pair.response_a, pair.response_b) for pair in found.pairs] == [
        ("A fruit as JSON", '["apple"]', '["pear"]'),
        ('["red"]', '["apple"]', "pear"),
        ("Tree?", "apple", "pear"),
    ]


TWO_TURNS = {
    "conversation_a": json.dumps(talk("Name a fruit.", SHORT, "Another?", "Fig")),
    "conversation_b": json.dumps(talk("Name a fruit.", LONG, "Another?", "Plum")),
}


@pytest.mark.parametrize("turn", ["1", " 1 ", 1.0, "1.0"])
def test_a_turn_that_a_table_has_as_text_or_with_a_point_is_that_turn(read, turn):
    found = read("arena", BATTLE | TWO_TURNS | {"turn": turn})
    assert [(pair.prompt, vote.turn) for pair, vote in zip(found.pairs, found.votes, strict=True)] == [
        ("Name a fruit.", 1)
    ]
    assert [pair.prompt for pair in read("arena", KAGGLE | {"turn": turn}).pairs] == ["Name a fruit."]


@pytest.mark.parametrize("turn", ["first", 0, -1, 1.5, True, [1]])
def test_a_battle_on_an_unknown_turn_is_left_out(read, turn):
    found = read("arena", BATTLE, BATTLE | TWO_TURNS | {"turn": turn})
    assert (len(found.pairs), found.left_out) == (1, {"an unknown turn": 1})


@pytest.mark.parametrize("numbers", [(0, 1), ("0", "1"), (1.0, 2.0)])
def test_a_number_says_not_who_won_a_battle(read, numbers):
    rows = [BATTLE | {"winner": number, "question_id": n} for n, number in enumerate(numbers)]
    found = read("arena", *rows)
    assert found.votes == ()
    assert found.left_out == {"vote: a number, which may mean either answer": 2}


def test_a_vote_on_the_first_turn_is_not_shown_the_second(read):
    both = {
        "conversation_a": talk("Name a fruit.", SHORT, "Another?", "Fig"),
        "conversation_b": talk("Name a fruit.", LONG, "Another?", "Plum"),
    }
    found = read("arena", BATTLE | both, BATTLE | both | {"turn": 2, "judge": ["gpt-4", "pair-v2"]})
    assert [pair.prompt for pair in found.pairs] == ["Name a fruit.", "Another?"]
    assert [(vote.turn, vote.voter) for vote in found.votes] == [(1, "arena_user_973"), (2, "gpt-4 pair-v2")]


def test_what_no_judge_can_read_is_left_out_of_an_arena_by_reason(read):
    picture = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    found = read(
        "arena",
        BATTLE,
        BATTLE | {"conversation_a": [{"role": "user", "content": picture}, said("A pear.")]},
        BATTLE | {"conversation_b": ASKED},
        BATTLE | {"turn": 3},
    )
    assert len(found.pairs) == 1
    assert found.left_out == {
        "an image": 1,
        "no answer at the end": 1,
        "fewer messages than the turn needs": 1,
    }


def test_one_voter_has_one_vote_on_a_pair_and_people_without_a_name_have_theirs(read):
    nameless = {name: value for name, value in BATTLE.items() if name != "judge"}
    rows = [row | {"tstamp": n} for row in (BATTLE, nameless) for n in range(2)]
    found = read("arena", *rows)
    assert len(found.pairs) == 1
    assert [vote.voter for vote in found.votes] == ["arena_user_973", "arena", "arena-2"]
    assert found.left_out == {"vote: another one of the same voter on the same pair": 1}


# --- messages --------------------------------------------------------------------------------------------

CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "w", "arguments": "{}"}}],
}
TOOL = {"role": "tool", "tool_call_id": "c1", "content": "3 C"}


def pair_of(a, b, **more):
    return {"conversation_a": a, "conversation_b": b, **more}


def test_messages_with_roles_and_keys_of_openai_are_a_pair_whose_a_stays_a(read):
    developer = {"role": "developer", "content": "Be brief."}
    a = [developer, ASKED[0] | {"name": None}, said(SHORT) | {"tool_calls": None, "refusal": None}]
    found = read("openai", pair_of(a, [developer, *ASKED, said(LONG)], id="t2", category="food", gold="B"))
    [pair] = found.pairs
    assert (pair.id, pair.system, pair.prompt, pair.response_a, pair.response_b) == (
        "t2",
        "Be brief.",
        "Name a fruit.",
        SHORT,
        LONG,
    )
    assert (pair.category, pair.metadata) == ("food", {"gold": "B"})
    assert found.left_out == {}


def test_a_tools_call_without_text_is_left_out_and_its_result_is_kept(read):
    found = read("openai", pair_of([*ASKED, CALL, TOOL, said(SHORT)], [*ASKED, said(LONG)]))
    [pair] = found.pairs
    assert [message.content for message in pair.conversation_a] == [
        "Name a fruit.",
        "Result of a tool: 3 C",
        SHORT,
    ]
    assert found.left_out == {"message: a tool's call without text": 1}


def test_an_answer_that_is_only_a_tools_call_cannot_be_judged(read):
    fine = pair_of([*ASKED, said(SHORT) | {"refusal": None}], [*ASKED, said(LONG)])
    found = read("openai", fine, pair_of([*ASKED, CALL], [*ASKED, said(LONG)]))
    assert len(found.pairs) == 1
    assert found.left_out == {"an answer that is a tool's call without text": 1}


def test_a_message_whose_type_is_no_word_is_told_as_one_without_a_role(read):
    with pytest.raises(BadLines, match=r"messages, message 1 has type, content\. It must have role and"):
        read("openai", {"messages": [{"type": ["message"], "content": "Name a fruit."}]})


def test_a_refusal_is_an_answer_and_thoughts_are_none(read):
    refused = {"role": "assistant", "content": None, "refusal": "I cannot."}
    thought = [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": LONG}]
    found = read("openai", pair_of([*ASKED, refused], [*ASKED, {"role": "assistant", "content": thought}]))
    [pair] = found.pairs
    assert (pair.response_a, pair.response_b) == ("I cannot.", LONG)
    assert found.left_out == {"message: what the model thought": 1}


def test_tools_of_other_apis_are_read_as_openais_are(read):
    anthropic = [
        *ASKED,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "w", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "3 C"}]},
        {"role": "assistant", "content": [{"type": "text", "text": SHORT}]},
    ]
    responses = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Name a fruit."}]},
        {"type": "reasoning", "id": "r1", "summary": []},
        {"type": "function_call", "call_id": "c1", "name": "w", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "3 C"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": LONG}]},
    ]
    found = read("openai", pair_of(anthropic, responses))
    [pair] = found.pairs
    assert (pair.prompt, pair.response_a, pair.response_b) == ("Name a fruit.", SHORT, LONG)
    assert pair.context_a == pair.context_b
    assert found.left_out == {
        "message: a tool's call without text": 2,
        "message: what the model thought": 1,
    }


@pytest.mark.parametrize(
    "thoughts",
    [
        [{"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": LONG}]}],
        [{"role": "model", "parts": [{"text": "Hm.", "thought": True}]}, said(LONG)],
        [said("Hm.") | {"channel": "analysis"}, said(LONG) | {"channel": "final"}],
        [said("Let me see.") | {"channel": "commentary"}, said(LONG) | {"channel": "final"}],
    ],
)
def test_what_gemini_and_gpt_oss_thought_is_no_part_of_the_answer(read, thoughts):
    found = read("openai", pair_of([*ASKED, said(SHORT)], [*ASKED, *thoughts]))
    [pair] = found.pairs
    assert (pair.response_b, pair.context_b) == (LONG, pair.context_a)
    assert found.left_out == {"message: what the model thought": 1}


def test_a_thought_alone_is_no_answer_and_a_call_among_thoughts_is_one(read):
    thought = [{"role": "model", "parts": [{"text": "Hm.", "thought": True}]}]
    unanswered = pair_of([*ASKED, *thought], [*ASKED, said(LONG)])
    called = [CALL | {"channel": "commentary"}, TOOL | {"channel": "commentary"}, said(LONG)]
    found = read("openai", unanswered, pair_of([*ASKED, said(SHORT)], [*ASKED, *called]))
    [pair] = found.pairs
    assert [one.content for one in pair.context_b] == ["Name a fruit.", "Result of a tool: 3 C"]
    assert found.left_out == {"no answer at the end": 1, "message: a tool's call without text": 1}


TOOL_CALL = "a tool's call without text"


@pytest.mark.parametrize(
    ("item", "reason", "kept"),
    [
        ({"type": "web_search_call", "id": "1"}, TOOL_CALL, []),
        ({"type": "custom_tool_call", "call_id": "1", "input": "f()"}, TOOL_CALL, []),
        ({"type": "file_search_call", "queries": ["fruit"], "results": None}, TOOL_CALL, []),
        ({"type": "local_shell_call", "action": {"command": ["ls"]}}, TOOL_CALL, []),
        ({"type": "mcp_call", "name": "f", "output": None}, TOOL_CALL, []),
        ({"type": "mcp_call", "name": "f", "output": "3 C"}, TOOL_CALL, ["Result of a tool: 3 C"]),
        ({"type": "custom_tool_call_output", "output": "3 C"}, "", ["Result of a tool: 3 C"]),
        ({"type": "local_shell_call_output", "output": "3 C"}, "", ["Result of a tool: 3 C"]),
        ({"type": "mcp_list_tools", "tools": []}, "a list of tools", []),
        ({"type": "mcp_approval_request", "name": "f"}, "whether a tool may be called", []),
    ],
)
def test_items_of_tools_without_a_role_are_calls_and_results(read, item, reason, kept):
    found = read("openai", pair_of([*ASKED, item, said(SHORT)], [*ASKED, said(LONG)]))
    [pair] = found.pairs
    assert [one.content for one in pair.conversation_a] == ["Name a fruit.", *kept, SHORT]
    assert found.left_out == ({f"message: {reason}": 1} if reason else {})


def test_a_tools_result_beside_a_text_of_the_user_is_the_tools(read):
    call = {"type": "tool_use", "id": "c1", "name": "w", "input": {}}
    results = [{"type": "tool_result", "tool_use_id": "c1", "content": text} for text in ("3 C", "4 C")]
    talked = [
        *ASKED,
        said([call]),
        said([*results, {"type": "text", "text": "And now?"}], "user"),
        said([{"type": "text", "text": SHORT}]),
    ]
    [pair] = read("openai", pair_of(talked, [*ASKED, said(LONG)])).pairs
    assert pair.context_a[1:] == (
        Message("assistant", "Result of a tool: 3 C\n\n4 C"),
        Message("user", "And now?"),
    )


def test_messages_of_two_files_make_pairs_by_what_was_asked(read):
    found = read(
        "openai",
        [{"messages": [*ASKED, said(SHORT)]}, {"messages": talk("Tree?", "Oak")}],
        [{"messages": [*ASKED, said(LONG)], "tools": []}],
    )
    [pair] = found.pairs
    models = {pair.response_a: pair.metadata["model_a"], pair.response_b: pair.metadata["model_b"]}
    assert models == {SHORT: "0.jsonl", LONG: "1.jsonl"}
    assert found.left_out == {"answer: no other model answered the question": 1}


def test_sharegpt_is_read_in_a_row_of_two_and_in_two_files(read):
    def human(*texts):
        return [{"from": ("human", "gpt")[n % 2], "value": text} for n, text in enumerate(texts)]

    system = {"from": "system", "value": "Be brief."}
    asked = [system, *human("Name a fruit.", SHORT)], [system, *human("Name a fruit.", LONG)]
    [pair] = read("sharegpt", pair_of(*asked)).pairs
    assert (pair.system, pair.prompt, pair.response_a) == ("Be brief.", "Name a fruit.", SHORT)
    [other] = read("sharegpt", *([{"id": "x", "conversations": one}] for one in asked)).pairs
    assert other.system == "Be brief."
    assert {other.response_a, other.response_b} == {SHORT, LONG}


def test_the_a_of_an_arena_is_the_pairs_a(read):
    rows = [
        {"prompt": f"{n}?", "response_a": f"yes {n}", "response_b": f"no {n}", "winner": "a", "system": "Hm."}
        for n in range(9)
    ]
    found = read("arena", *rows)
    assert [pair.response_a for pair in found.pairs] == [f"yes {n}" for n in range(9)]
    assert {vote.outcome for vote in found.votes} == {Ballot.A}
    assert {pair.system for pair in found.pairs} == {"Hm."}
    assert found.is_in_order


def test_two_answers_that_swap_places_in_an_arena_are_one_pair(read):
    turned = BATTLE | {
        "conversation_a": BATTLE["conversation_b"],
        "conversation_b": BATTLE["conversation_a"],
        "model_a": "m2",
        "model_b": "m1",
        "judge": "another",
    }
    found = read("arena", BATTLE, turned)
    [pair] = found.pairs
    assert (pair.response_a, pair.metadata["model_a"]) == (SHORT, "m1")
    assert better_of(found) == [SHORT, LONG]


# --- FastChat --------------------------------------------------------------------------------------------

QUESTION = {"question_id": 81, "category": "food", "turns": ["Name a fruit.", "Another?"]}


def fastchat_answer(model, *turns):
    choices = [{"index": 0, "turns": list(turns)}]
    return {
        "question_id": 81,
        "answer_id": "x",
        "model_id": model,
        "choices": choices,
        "tstamp": 1686286924.8,
    }


FASTCHAT_ANSWERS = [fastchat_answer("m1", SHORT, "Fig"), fastchat_answer("m2", LONG, "Plum")]
JUDGED = {
    "question_id": 81,
    "model_1": "m2",
    "model_2": "m1",
    "g1_winner": "model_1",
    "g2_winner": "model_1",
    "judge": ["gpt-4", "pair-v2"],
    "turn": 1,
    "tstamp": 1687224733.5,
}


def test_fastchats_answers_are_a_pair_a_turn(read):
    found = read("fastchat", [QUESTION | {"reference": ["Fig"]}], FASTCHAT_ANSWERS[:1], FASTCHAT_ANSWERS[1:])
    first, second = found.pairs
    assert (first.prompt, first.category, first.reference) == ("Name a fruit.", "food", "Fig")
    assert {first.response_a, first.response_b} == {SHORT, LONG}
    assert {second.response_a, second.response_b} == {"Fig", "Plum"}
    answer_of = {
        conversation[-1].content: conversation
        for conversation in (second.conversation_a, second.conversation_b)
    }
    assert answer_of["Fig"] == tuple(
        Message(**one) for one in talk("Name a fruit.", SHORT, "Another?", "Fig")
    )
    assert second.reference is None
    assert (found.votes, found.left_out) == ((), {})


def test_fastchats_judgments_are_votes(read):
    def judged(**more):
        return JUDGED | more

    found = read(
        "fastchat",
        QUESTION,
        *FASTCHAT_ANSWERS,
        judged(),
        judged(turn=2, g2_winner="model_2"),
        judged(judge=["claude-v1", "pair-v2"], g1_winner="error"),
        {"question_id": 81, "model": "m1", "judge": ["gpt-4", "single-v1"], "score": 9, "turn": 1},
        {"question_id": 81, "model": "m2", "judge": ["gpt-4", "single-v1"], "score": 7, "turn": 1},
    )
    assert better_of(found) == [LONG, SHORT, Ballot.TIE]
    assert [(vote.voter, vote.turn) for vote in found.votes] == [
        ("gpt-4 pair-v2", 1),
        ("gpt-4 single-v1", 1),
        ("gpt-4 pair-v2", 2),
    ]
    assert found.left_out == {"vote: a judgment that could not be read": 1}


@pytest.mark.parametrize("winner", [{"g1_winner": None}, {"g1_winner": ["model_1"]}, {"g1_winner": {}}])
def test_a_judgment_of_fastchat_without_a_winner_is_left_out(read, winner):
    judged = {name: value for name, value in JUDGED.items() if name != "g2_winner"} | winner
    found = read("fastchat", QUESTION, *FASTCHAT_ANSWERS, judged)
    assert (len(found.pairs), found.votes) == (2, ())
    assert found.left_out == {"vote: a judgment that could not be read": 1}


@pytest.mark.parametrize(
    ("odd", "complaint"),
    [
        ({"model_1": ["m1"]}, "model_1 is a list. It must be the name of one model."),
        ({"model_2": {"name": "m1"}}, "model_2 is an object. It must be the name of one model."),
        ({"turn": [1]}, "turn is a list. It must be the number of a turn."),
    ],
)
def test_a_judgment_of_fastchat_on_lists_is_one_clear_line(read, odd, complaint):
    with pytest.raises(BadLines) as caught:
        read("fastchat", QUESTION, *FASTCHAT_ANSWERS, JUDGED | odd)
    assert str(caught.value).endswith(f"0.jsonl:4: {complaint}")


@pytest.mark.parametrize(
    ("rows", "missing"),
    [([QUESTION], "answers, model_answer/"), (FASTCHAT_ANSWERS, "questions, question.jsonl")],
)
def test_questions_or_answers_alone_are_no_pairs(read, rows, missing):
    with pytest.raises(InputError, match=f"there are no {missing}"):
        read("fastchat", rows)


# --- results and logs ------------------------------------------------------------------------------------


def promptfoo_result(provider, output, test=0, prompt="Name a {{what}}.", **more):
    raw = prompt.replace("{{what}}", "fruit")
    return {
        "promptIdx": 0,
        "testIdx": test,
        "testCase": {"vars": {"what": "fruit"}},
        "promptId": "3c",
        "provider": {"id": provider, "label": ""},
        "prompt": {"raw": raw, "label": prompt},
        "vars": {"what": "fruit"},
        "response": {"output": output, "tokenUsage": {"total": 9}},
        "success": True,
        "score": 1,
        "latencyMs": 200,
        "namedScores": {},
        **more,
    }


def promptfoo_file(*results):
    return {
        "evalId": "eval-x",
        "results": {
            "version": 3,
            "timestamp": "2026-01-15",
            "prompts": [],
            "results": list(results),
            "stats": {},
        },
        "config": {},
        "shareableUrl": None,
    }


PROMPTFOO = promptfoo_file(promptfoo_result("openai:m1", SHORT), promptfoo_result("openai:m2", LONG))


def models_of(pair):
    return {pair.response_a: pair.metadata["model_a"], pair.response_b: pair.metadata["model_b"]}


def test_promptfoos_outputs_make_pairs_by_test(read):
    failed = promptfoo_result("openai:m1", None, test=1, error="429")
    results = [*PROMPTFOO["results"]["results"], failed, promptfoo_result("openai:m2", LONG, test=1)]
    found = read("promptfoo", promptfoo_file(*results))
    [pair] = found.pairs
    assert (pair.prompt, models_of(pair)) == ("Name a fruit.", {SHORT: "openai:m1", LONG: "openai:m2"})
    assert found.left_out == {"an output that failed": 1, "answer: no other model answered the question": 1}


def test_promptfoos_prompts_are_compared_as_its_providers_are(read):
    chat = json.dumps([said("Be brief.", "system"), said("One {{what}}!", "user")])
    found = read(
        "promptfoo",
        promptfoo_file(
            promptfoo_result("m", SHORT, prompt="A {{what}}?"),
            promptfoo_result("m", LONG, prompt="One {{what}}!"),
        ),
    )
    [pair] = found.pairs
    assert models_of(pair) == {SHORT: "m, A {{what}}?", LONG: "m, One {{what}}!"}
    assert {pair.context_a[0].content, pair.context_b[0].content} == {"A fruit?", "One fruit!"}
    [spoken] = read(
        "promptfoo",
        *(
            promptfoo_result(provider, output, prompt=chat)
            for provider, output in (("m1", SHORT), ("m2", LONG))
        ),
    ).pairs
    assert (spoken.system, spoken.prompt) == ("Be brief.", "One fruit!")


def test_a_result_of_promptfoo_without_a_prompt_is_left_out(read):
    outputs = [promptfoo_result(name, name) for name in "xy"]
    empty = [promptfoo_result(name, name, test=1) | {"prompt": {"raw": None}} for name in "xy"]
    found = read("promptfoo", promptfoo_file(*outputs, *empty))
    assert len(found.pairs) == 1
    assert found.left_out == {"no question": 2}


def test_two_runs_of_promptfoo_are_compared_by_their_files(read):
    found = read("promptfoo", *([promptfoo_file(promptfoo_result("m", output))] for output in (SHORT, LONG)))
    assert models_of(found.pairs[0]) == {SHORT: "0.jsonl, m", LONG: "1.jsonl, m"}


def inspect_sample(answer, number=1, **more):
    message = {"role": "assistant", "content": [{"type": "text", "text": answer}], "source": "generate"}
    output = {"model": "m", "choices": [{"message": message, "stop_reason": "stop"}]}
    asked = {"id": number, "epoch": 1, "input": "Name a fruit.", "target": "Fig", "messages": []}
    return asked | {"output": output, "scores": {"match": {"value": "I"}}} | more


def inspect_log(model, *samples):
    return {
        "version": 2,
        "status": "success",
        "eval": {"task": "fruit", "model": model},
        "samples": list(samples),
    }


INSPECT = inspect_log("openai/m1", inspect_sample(SHORT)), inspect_log("openai/m2", inspect_sample(LONG))


def test_messages_of_inspect_are_the_same_question_though_each_run_draws_their_ids(read):
    logs = [
        inspect_log(f"openai/{id}", inspect_sample(answer, input=[said("Fruit?", "user") | {"id": id}]))
        for id, answer in (("m1", SHORT), ("m2", LONG))
    ]
    [pair] = read("inspect", *([log] for log in logs)).pairs
    assert pair.prompt == "Fruit?"


def test_two_logs_of_inspect_make_pairs_by_sample(read):
    failed = inspect_sample(SHORT, 2, error={"message": "timeout"})
    one = inspect_log("openai/m1", inspect_sample(SHORT), failed)
    found = read("inspect", [one], [INSPECT[1]])
    [pair] = found.pairs
    assert (pair.prompt, pair.reference) == ("Name a fruit.", "Fig")
    assert models_of(pair) == {SHORT: "openai/m1", LONG: "openai/m2"}
    assert found.left_out == {"a sample that failed": 1}


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        *(
            ({"output": {"choices": choices}}, "a sample without an answer")
            for choices in ([{}], [None], {"0": 1})
        ),
        ({"output": {"choices": [{"message": "Apple"}]}}, "a sample without an answer"),
        ({"output": "Apple"}, "a sample without an answer"),
        ({"input": None}, "no question"),
    ],
)
def test_a_sample_of_inspect_in_another_shape_is_left_out_by_reason(read, odd, reason):
    one = inspect_log("openai/m1", inspect_sample(SHORT), inspect_sample(SHORT, 2, **odd))
    found = read("inspect", [one], [INSPECT[1]])
    assert len(found.pairs) == 1
    assert found.left_out == {reason: 1}


def in_zstandard(data):
    """A zip of stored members with each of them packed as inspect_ai does, which Python cannot write."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {one.filename: archive.read(one) for one in archive.infolist()}
    packed = {name: pyarrow.compress(text, codec="zstd", asbytes=True) for name, text in members.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in packed.items():
            archive.writestr(name, text)
    out = bytearray(buffer.getvalue())
    with zipfile.ZipFile(buffer) as archive:
        at_central = archive.start_dir
        for one in archive.infolist():
            size = len(members[one.filename])
            for at, to_method, to_size in ((one.header_offset, 8, 22), (at_central, 10, 24)):
                struct.pack_into("<H", out, at + to_method, 93)
                struct.pack_into("<I", out, at + to_size, size)
            at_central += 46 + len(one.filename)
    return bytes(out)


@pytest.mark.parametrize("packed", [bytes, in_zstandard])
def test_an_eval_file_is_read_as_the_log_that_it_is(tmp_path, packed):
    def zipped(name, log):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            header = {key: value for key, value in log.items() if key != "samples"}
            archive.writestr("_journal/start.json", json.dumps(header))
            archive.writestr("summaries.json", "[]")
            for sample in log["samples"]:
                archive.writestr(f"samples/{sample['id']}_epoch_1.json", json.dumps(sample))
            archive.writestr("header.json", json.dumps(header))
        (tmp_path / name).write_bytes(packed(buffer.getvalue()))
        return tmp_path / name

    scored = inspect_sample(SHORT, scores={"match": {"value": float("nan")}})
    files = [zipped("0.eval", inspect_log("openai/m1", scored)), zipped("1.eval", INSPECT[1])]
    assert models_of(import_files("inspect", files).pairs[0]) == {SHORT: "openai/m1", LONG: "openai/m2"}


def damaged(data):
    """A zip with a wrong byte in what its first member packs."""
    at = 30 + len("header.json") + 4
    return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]


def cut_short(data):
    """A zip whose first member says that it is longer than the file."""
    out = bytearray(data)
    struct.pack_into("<II", out, data.index(b"PK\x01\x02") + 20, 10**6, 10**6)
    return bytes(out)


@pytest.mark.parametrize(
    ("damage", "method"), [(damaged, zipfile.ZIP_DEFLATED), (cut_short, zipfile.ZIP_STORED)]
)
def test_a_damaged_eval_file_is_one_clear_line(tmp_path, damage, method):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("header.json", json.dumps(INSPECT[0]))
    (tmp_path / "log.eval").write_bytes(damage(buffer.getvalue()))
    with pytest.raises(InputError, match=r"log\.eval: cannot be unpacked \(.+\)\. Write it as JSON"):
        import_files("inspect", [tmp_path / "log.eval"])


def test_an_eval_file_whose_header_is_no_object_is_one_clear_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "log.eval", "w") as archive:
        archive.writestr("header.json", "[1]")
    with pytest.raises(InputError, match=r"log\.eval: its header is a list\. It must be an object\."):
        import_files("inspect", [tmp_path / "log.eval"])


def test_what_is_no_log_in_a_zip_is_one_clear_line(tmp_path):
    (tmp_path / "cut.eval").write_bytes(b"PK\x03\x04 and nothing more")
    for file, member in (("other.zip", "data/pairs.jsonl"), ("headless.eval", "samples/1_epoch_1.json")):
        with zipfile.ZipFile(tmp_path / file, "w") as archive:
            archive.writestr(member, "{}")
    for name, message in (
        ("cut.eval", "cannot be unpacked"),
        ("other.zip", r"this is a zip file with data/pairs\.jsonl in it\. Unpack it\."),
        ("headless.eval", "a zip file without header.json"),
    ):
        with pytest.raises(InputError, match=rf"{name}: {message}"):
            import_files("inspect", [tmp_path / name])


# --- annotation tools ------------------------------------------------------------------------------------


def annotation(label, by=1, **more):
    kind = {"selected": label} if label in ("left", "right") else {"choices": [label]}
    result = [{"id": "r", "from_name": "pw", "to_name": "text1", "type": "pairwise", "value": kind}]
    return {"id": by, "completed_by": by, "result": result, "was_cancelled": False, "lead_time": 4.2} | more


TASK = {
    "id": 7,
    "data": {"prompt": "Name a fruit.", "answer1": SHORT, "answer2": LONG, "source": "own"},
    "annotations": [annotation("right")],
    "predictions": [],
    "created_at": "2026-01-15T10:30:00Z",
}


def test_label_studios_annotations_are_votes(read):
    annotations = [
        annotation("right"),
        annotation("left", {"id": 2, "email": "ann@example.com"}),
        annotation("Tie", 3),
        annotation("answer2", 4),
        annotation("left", 5, was_cancelled=True),
        annotation("left", 6, result=[]),
    ]
    found = read("label-studio", TASK | {"annotations": annotations})
    [pair] = found.pairs
    assert (pair.id, pair.prompt, pair.metadata) == ("7", "Name a fruit.", {"source": "own"})
    assert better_of(found) == [LONG, SHORT, Ballot.TIE, LONG]
    assert [vote.voter for vote in found.votes] == ["1", "ann@example.com", "3", "4"]
    assert found.left_out == {
        "vote: an annotation that was skipped": 1,
        "vote: an annotation without a choice": 1,
    }


def test_a_short_export_of_label_studio_may_have_a_column_of_annotations(read):
    keys = {"annotator": 1, "annotation_id": 9, "lead_time": 4.2, "annotations": None}
    assert better_of(read("label-studio", {**TASK["data"], **keys, "pw": "right"})) == [LONG]


@pytest.mark.parametrize("result", [[None], ["right"], {"value": {"selected": "right"}}, "right", 1, None])
def test_an_annotation_of_label_studio_in_another_shape_is_no_vote(read, result):
    found = read(
        "label-studio", TASK | {"annotations": [annotation("left"), annotation("left", result=result)]}
    )
    assert better_of(found) == [SHORT]
    assert found.left_out == {"vote: an annotation without a choice": 1}


@pytest.mark.parametrize("label", ["right", {"selected": "right"}, '{"selected":"right"}'])
def test_label_studios_short_exports_have_a_vote_a_row(read, label):
    keys = {"annotator": 1, "annotation_id": 9, "lead_time": 4.2, "created_at": "2026-01-15T10:30:00Z"}
    found = read("label-studio", {"id": 7, **TASK["data"], **keys, "pw": label})
    assert better_of(found) == [LONG]
    assert found.pairs[0].metadata == {"source": "own"}
    nobody = read("label-studio", {"id": 7, **TASK["data"], **keys, "pw": label, "annotator": None})
    assert [vote.voter for vote in nobody.votes] == ["annotator"]


def test_answers_that_a_tool_calls_a_and_b_stay_so(read):
    a_and_b = {"prompt": "Name a fruit.", "response_a": SHORT, "response_b": LONG}
    keys = {"annotator": 1, "annotation_id": 9, "lead_time": 4.2}
    said_a = {"preference": [{"value": "response_a", "user_id": "ann"}]}
    for fields in (a_and_b, a_and_b | {"response_a": LONG, "response_b": SHORT}):
        for found in (
            read("label-studio", TASK | {"data": fields, "annotations": [annotation("response_a")]}),
            read("label-studio", {**fields, **keys, "pw": "left"}),
            read("argilla", ARGILLA | {"fields": fields, "responses": said_a}),
        ):
            assert found.is_in_order
            assert [vote.outcome for vote in found.votes] == [Ballot.A]
            assert better_of(found) == [fields["response_a"]]


def test_what_comes_with_an_image_is_left_out_of_annotations(read):
    keys = {"annotator": 1, "annotation_id": 9, "lead_time": 4.2}
    picture = {"image": "photo.png"}
    columns, answers = ARGILLA_RECORDS["a data set of version 2"], alpaca_answers("m1", fruit=SHORT)
    for form, row, other in (
        ("label-studio", TASK, TASK | {"data": TASK["data"] | picture}),
        ("label-studio", TASK["data"] | keys, TASK["data"] | keys | picture),
        ("argilla", ARGILLA, ARGILLA | {"fields": FIELDS | picture}),
        ("argilla", columns, columns | picture),
        ("alpacaeval", ANNOTATION, ANNOTATION | picture),
    ):
        found = read(form, row, other)
        assert (len(found.pairs), found.left_out["an image"]) == (1, 1)
    left_out = read("alpacaeval", answers[0] | picture, *answers, *alpaca_answers("m2", fruit=LONG)).left_out
    assert left_out["an image"] == 1


def test_a_task_without_a_prompt_says_how_to_name_it(read, tmp_path):
    row = TASK | {"data": {"text1": SHORT, "text2": LONG, "asked": "Name a fruit."}}
    with pytest.raises(
        BadLines, match=r"no field for a prompt .* --map prompt=data.NAME,response_a=data.NAME"
    ):
        read("label-studio", row)
    named = "prompt=data.asked,response_a=data.text1,response_b=data.text2"
    [pair] = import_files("columns", [tmp_path / "0.jsonl"], named).pairs
    assert (pair.prompt, pair.response_a) == ("Name a fruit.", SHORT)


FIELDS = {"prompt": "Name a fruit.", "response_1": SHORT, "response_2": LONG}
ARGILLA = {
    "id": "r1",
    "status": "completed",
    "fields": FIELDS,
    "metadata": {"topic": "food"},
    "suggestions": {},
    "responses": {
        "preference": [{"value": "response_2", "user_id": "ann"}, {"value": "tie", "user_id": "bob"}]
    },
    "vectors": {},
}
ARGILLA_RECORDS = {
    "records of version 2": ARGILLA,
    "a data set of version 2": {
        **FIELDS,
        "id": "r1",
        "preference.responses": ["response_2", "tie"],
        "preference.responses.users": ["ann", "bob"],
        "preference.responses.status": ["submitted", "submitted"],
    },
    "records of version 1": {
        "id": "r1",
        "fields": FIELDS,
        "responses": [
            {"user_id": user, "status": "submitted", "values": {"preference": {"value": value}}}
            for user, value in (("ann", "B"), ("bob", "Tie"))
        ],
    },
    "a data set of version 1": {
        **FIELDS,
        "external_id": "r1",
        "preference": [
            {"user_id": "ann", "value": "2", "status": "submitted"},
            {"user_id": "bob", "value": "both", "status": "submitted"},
        ],
    },
    "rankings": ARGILLA
    | {
        "responses": {
            "preference": [
                {"value": ["response_2", "response_1"], "user_id": "ann"},
                {
                    "value": [{"value": name, "rank": 1} for name in ("response_1", "response_2")],
                    "user_id": "bob",
                },
            ]
        }
    },
    "rankings of version 1": {
        **FIELDS,
        "external_id": "r1",
        "preference": {
            "user_id": ["ann", "bob"],
            "value": [
                {"rank": [2, 1], "value": ["response_1", "response_2"]},
                {"rank": [1, 1], "value": ["response_1", "response_2"]},
            ],
            "status": ["submitted", "submitted"],
        },
    },
}


@pytest.mark.parametrize("name", ARGILLA_RECORDS)
def test_argillas_responses_are_votes_however_they_are_exported(read, name):
    found = read("argilla", ARGILLA_RECORDS[name])
    [pair] = found.pairs
    assert (pair.id, pair.prompt) == ("r1", "Name a fruit.")
    assert better_of(found) == [LONG, Ballot.TIE]
    assert [vote.voter for vote in found.votes] == ["ann", "bob"]
    assert found.left_out == {}


def test_labels_of_which_a_user_may_choose_several_are_no_ranking_of_argilla(read):
    good = [["response_1", "response_2"], ["response_2"], []]
    values = [{"value": value, "user_id": f"u{n}"} for n, value in enumerate(good)]
    found = read("argilla", ARGILLA | {"responses": {"good": values}})
    assert found.votes == ()
    assert found.left_out == {"vote: a choice of several labels, which ranks none": 3}
    both = {"good": values, "preference": [{"value": ["response_2", "response_1"], "user_id": "ann"}]}
    assert better_of(read("argilla", ARGILLA | {"responses": both})) == [LONG]


def test_a_question_of_argilla_in_parts_is_its_text(read):
    asked = {"type": "text", "text": "Name a fruit."}
    [pair] = read("argilla", ARGILLA | {"fields": FIELDS | {"prompt": asked}}).pairs
    assert pair.prompt == "Name a fruit."
    with pytest.raises(InputError, match=r"nothing to judge \(left out: content that is no text: 1\)"):
        read("argilla", ARGILLA | {"fields": FIELDS | {"prompt": {"chart": 1}}})


def test_fields_of_argilla_that_are_no_side_are_kept_beside_its_metadata(read):
    fields = {"question": "Name a fruit.", "response_1": SHORT, "response_2": LONG, "shop": "corner"}
    [pair] = read("argilla", ARGILLA | {"fields": fields}).pairs
    assert (pair.prompt, pair.metadata) == ("Name a fruit.", {"shop": "corner", "topic": "food"})


def test_what_is_no_vote_in_argilla_is_left_out_by_reason(read):
    responses = [
        {"value": "response_1", "user_id": "ann", "status": "discarded"},
        {"value": 4, "user_id": "bob", "status": "submitted"},
    ]
    suggestions = {"preference": {"value": "response_1", "agent": "m"}}
    found = read("argilla", ARGILLA | {"responses": {"preference": responses}, "suggestions": suggestions})
    assert (len(found.pairs), len(found.votes)) == (1, 0)
    assert found.left_out == {
        "vote: a response that was not submitted": 1,
        "vote: a rating, which names no side": 1,
        "vote: a suggestion, which no person made": 1,
    }


ANN = {"user_id": "ann", "value": "2", "status": "submitted"}
ODD_RESPONSES = [
    (
        {"responses": {"preference": ["response_2"]}},
        "responses to 'preference': found a list with text in it",
    ),
    ({"responses": {"preference": {"value": "response_2"}}}, "responses to 'preference': found an object"),
    ({"responses": "response_2"}, "responses: found text. It must be a list of objects, one a response."),
    ({"responses": [None]}, "responses: found a list with null in it."),
    ({"responses": [{"values": "response_2"}]}, "values of responses: found text."),
    (
        {"responses": [{"values": {"preference": 2}}]},
        "values of responses: found a list with a number in it.",
    ),
    (
        {**FIELDS, "fields": "", "preference": ANN},
        "preference.user_id is text. It must be a list, of one item",
    ),
    ({**FIELDS, "fields": "", "preference": [ANN, "2"]}, "preference: found a list with text in it."),
    ({**FIELDS, "fields": "", "best.responses": "2"}, "best.responses is text. It must be a list, of one"),
    (
        {**FIELDS, "fields": "", "best.responses": [2], "best.responses.users": 7},
        "best.responses.users is a n",
    ),
]


@pytest.mark.parametrize(("odd", "complaint"), ODD_RESPONSES)
def test_responses_of_argilla_in_another_shape_are_one_clear_line(read, odd, complaint):
    with pytest.raises(BadLines) as caught:
        read("argilla", ARGILLA | odd)
    assert f"0.jsonl:1: {complaint}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"value": "response_1", "rank": 1}, "a ranking without both sides"),
        ({"rank": [1, 2]}, "a ranking without both sides"),
        ({"value": ["response_1", "response_2"], "rank": [1, {}]}, "a ranking whose ranks are no numbers"),
    ],
)
def test_a_ranking_in_another_shape_is_no_vote(read, value, reason):
    found = read("argilla", ARGILLA | {"responses": {"preference": [{"value": value}]}})
    assert (len(found.pairs), found.votes) == (1, ())
    assert found.left_out == {f"vote: {reason}": 1}


def test_responses_without_votes_and_a_column_of_that_name_harm_nothing(read):
    empty = ARGILLA | {"responses": {"preference": None}}
    texts = ARGILLA_RECORDS["a data set of version 1"] | {"responses": [SHORT, LONG]}
    assert read("argilla", empty).votes == ()
    assert better_of(read("argilla", texts)) == [LONG, Ballot.TIE]
    absent = {**FIELDS, "preference.responses": None, "preference.responses.users": ["ann"]}
    assert read("argilla", absent).votes == ()


# --- named columns ---------------------------------------------------------------------------------------

MAPPING = "prompt=question,response_a=old,response_b=new"


def test_named_columns_are_a_pair_whose_a_stays_a(tmp_path):
    (tmp_path / "own.csv").write_text(
        "question,old,new,who,best,wrote\nFruit?,A ripe pear,Apple,ann,new,m1\nTree?,,Elm,bob,,m1\n"
    )
    found = import_files("columns", [tmp_path / "own.csv"], f"{MAPPING},voter=who,outcome=best,model_a=wrote")
    fruit, tree = found.pairs
    assert (fruit.prompt, fruit.response_a, fruit.response_b) == ("Fruit?", LONG, SHORT)
    assert tree.response_a == ""
    [vote] = found.votes
    assert (vote.outcome, vote.voter, vote.model_a) == (Ballot.B, "ann", "m1")
    assert found.left_out == {}
    voted = import_files("columns", [tmp_path / "own.csv"], MAPPING)
    assert voted.pairs[0].metadata == {"who": "ann", "best": "new", "wrote": "m1"}


def test_a_named_outcome_is_a_vote(tmp_path):
    rows = [
        {"q": "Fruit?", "old": SHORT, "new": LONG, "best": best} for best in ("B", "a", "tie", None, 1, "0")
    ]
    file_of(tmp_path / "own.jsonl", *rows)
    mapping = "prompt=q,response_a=old,response_b=new,outcome=best"
    found = import_files("columns", [tmp_path / "own.jsonl"], mapping)
    assert [vote.outcome for vote in found.votes] == [Ballot.B, Ballot.A, Ballot.TIE]
    assert len(found.pairs) == 1
    assert found.left_out == {"vote: a number, which may mean either answer": 2, "the same pair again": 1}


def test_named_columns_may_hold_messages_and_numbers(tmp_path):
    file_of(tmp_path / "own.jsonl", {"q": ASKED, "old": 4, "new": 4.5})
    [pair] = import_files("columns", [tmp_path / "own.jsonl"], "prompt=q,response_a=old,response_b=new").pairs
    assert (pair.prompt, pair.response_a, pair.response_b) == ("Name a fruit.", "4", "4.5")


@pytest.mark.parametrize("text", LISTS)
def test_a_question_that_is_a_json_list_is_text_in_every_form_that_takes_messages(read, tmp_path, text):
    own = file_of(tmp_path / "own.jsonl", {"question": text, "old": SHORT, "new": LONG})
    outputs = [promptfoo_result(name, name, prompt=text) for name in "xy"]
    for found in (
        import_files("columns", [own], MAPPING),
        read("promptfoo", promptfoo_file(*outputs)),
        read("argilla", ARGILLA | {"fields": FIELDS | {"prompt": text}}),
    ):
        assert [pair.prompt for pair in found.pairs] == [text]


def test_a_named_column_of_rubrics_is_what_each_pair_is_judged_by(tmp_path):
    rows = [
        {"q": "Fruit?", "old": "4", "new": "5", "rubric": rubric}
        for rubric in ("price: names it | weight 2\nshort", ["ripe"], None)
    ]
    file_of(tmp_path / "own.jsonl", *rows)
    mapping = "prompt=q,response_a=old,response_b=new,criteria=rubric"
    pairs = import_files("columns", [tmp_path / "own.jsonl"], mapping).pairs
    assert [[one.line for one in pair.criteria] for pair in pairs] == [
        ["price: names it | weight 2", "short"],
        ["ripe"],
        [],
    ]
    assert [pair.metadata for pair in pairs] == [{}, {}, {}]
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    assert [pair.criteria for pair in read_pairs(tmp_path / "pairs.jsonl")] == [p.criteria for p in pairs]
    file_of(tmp_path / "own.jsonl", rows[0] | {"rubric": "price | weight -1"})
    with pytest.raises(InputError, match=r"criteria, line 1: weight is '-1'\. It must be a number above 0"):
        import_files("columns", [tmp_path / "own.jsonl"], mapping)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("prompt", "--map: 'prompt' names no column"),
        ("question=prompt", "--map: 'question=prompt' names no column"),
        ("prompt=q", "--map names prompt. A pair needs prompt, response_a, response_b"),
        ("prompt=q,prompt=r", "--map: prompt is there twice"),
        (
            "prompt=q,response_a=x,response_b=y",
            "own.jsonl: no row has 'q' (found: colour, n). --map must",
        ),
        ("", "form columns: needs --map"),
    ],
)
def test_a_mapping_that_does_not_fit_is_one_clear_line(tmp_path, mapping, message):
    file_of(tmp_path / "own.jsonl", *({"colour": "red", "n": n} for n in range(5)))
    with pytest.raises(InputError) as caught:
        import_files("columns", [tmp_path / "own.jsonl"], mapping)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_named_column_may_be_absent_from_a_row_but_not_from_all(tmp_path):
    optional = ("cat", "ref", "best", "who", "sys", "rubric", "m", "more")
    texts = {**dict.fromkeys(optional, "x"), "best": "a", "more": {"id": "7"}}
    rows = [{"q": f"{n}?", "old": SHORT, "new": LONG, **texts} for n in range(5)]
    for row, name in zip(rows, (*optional[:4], "new"), strict=True):
        row[name] = None
    for name in optional[4:]:
        rows[0][name] = None
    mapping = (
        "prompt=q,response_a=old,response_b=new,category=cat,reference=ref,outcome=best,voter=who,system=sys,"
        "criteria=rubric,model_a=m,id=more.id"
    )
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "own.parquet")
    file_of(tmp_path / "own.jsonl", *({k: v for k, v in row.items() if v is not None} for row in rows))
    for name in ("own.parquet", "own.jsonl"):
        found = import_files("columns", [tmp_path / name], mapping)
        assert [pair.category for pair in found.pairs] == [None, "x", "x", "x"]
        assert [pair.reference for pair in found.pairs] == ["x", None, "x", "x"]
        assert [vote.voter for vote in found.votes] == ["x", "x", "label"]
        assert (found.pairs[0].system, found.pairs[0].criteria, found.pairs[1].id) == (None, (), "7")
        assert found.left_out == {"an answer without text": 1, "id: that of another pair": 2}
        with pytest.raises(InputError, match=r"no row has 'kind' \(found: q, old, new, "):
            import_files("columns", [tmp_path / name], f"{MAPPING.replace('question', 'q')},category=kind")


def test_a_known_form_takes_no_mapping(tmp_path):
    with pytest.raises(InputError, match="form arena: takes no --map"):
        import_files("arena", [tmp_path / "x.jsonl"], MAPPING)


def test_run_judges_named_columns(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.csv").write_text("question,old,new\nFruit?,A ripe pear,Apple\n")
    given = [
        "run",
        "own.csv",
        "--map",
        MAPPING,
        "--backend",
        "scripted:longer",
        "--no-cache",
        "--out",
        "v.jsonl",
    ]
    app(given, standalone_mode=False)
    assert f"own.csv: read as columns {MAPPING}: 1 pair, 0 votes" in capsys.readouterr().err
    assert json.loads((tmp_path / "v.jsonl").read_text())["outcome"] == "A"


# --- any form --------------------------------------------------------------------------------------------

SAMPLES = {
    "arena": [BATTLE],
    "alpacaeval": [ANNOTATION],
    "fastchat": [QUESTION | {"turns": ["Name a fruit."]}, *FASTCHAT_ANSWERS],
    "inspect": list(INSPECT),
    "promptfoo": [PROMPTFOO],
    "label-studio": [TASK],
    "argilla": [ARGILLA],
    "preferences": [HH],
    "openai": [pair_of([*ASKED, CALL, TOOL, said(SHORT)], [*ASKED, said(LONG)])],
    "sharegpt": [
        pair_of(
            [{"from": "human", "value": "Fruit?"}, {"from": "gpt", "value": SHORT}],
            [{"from": "human", "value": "Fruit?"}, {"from": "gpt", "value": LONG}],
        )
    ],
}
OWN = (
    {"prompt": "Fruit?", "response_a": SHORT, "response_b": LONG, "gold": "A"},
    {"prompt": "Fruit?", "response_a": SHORT, "response_b": LONG, "chosen": "a", "output_1": "x"},
    pair_of(talk("Fruit?", SHORT), talk("Fruit?", LONG), model_a="m1"),
    pair_of([said("Be brief.", "system"), *talk("Fruit?", SHORT)], talk("Fruit?", LONG)),
    {"prompt": "Fruit?", "response": SHORT},
)


def test_every_form_has_a_sample_here():
    assert list(SAMPLES) == list(OURS)


@pytest.mark.parametrize("form", OURS)
def test_a_form_is_recognised_and_run_says_which(form, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file_of(tmp_path / "file.jsonl", *SAMPLES[form])
    given = ["run", "file.jsonl", "--backend", "scripted:longer", "--no-cache", "--out", "v.jsonl"]
    app(given, standalone_mode=False)
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(f"file.jsonl: read as {FORMS[form].title}: 1 pair, ")
    n_votes = len(import_files(form, ["file.jsonl"]).votes)
    assert (f"Its votes: judge import {form} file.jsonl --out " in told[1]) == bool(n_votes)
    assert (tmp_path / "v.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize("form", OURS)
def test_a_file_of_another_form_is_one_clear_line(form, read):
    with pytest.raises(BadLines) as caught:
        read(form, *[{"colour": "red", "n": n} for n in range(5)])
    [line] = str(caught.value).splitlines()
    assert "0.jsonl: 5 lines (1-5): " in line
    assert "found" in line
    assert "need" in line


@pytest.mark.parametrize("form", OURS)
def test_a_form_reads_its_own_sample_and_changes_nothing_in_it(form):
    before = json.dumps(SAMPLES[form])
    FORMS[form].read([Entry("f", f"f:{n}", row) for n, row in enumerate(SAMPLES[form])])
    assert json.dumps(SAMPLES[form]) == before


@pytest.mark.parametrize("row", OWN)
def test_pairs_of_our_own_are_of_no_other_form(row):
    assert form_among([Row("f:1", row)]) is None


OF_OTHER_FORMS = [
    ("arena", OWN[0] | {"winner": "a"}),
    *((form, SAMPLES[form][0]) for form in ("arena", "openai", "sharegpt")),
]
"""Rows that may have criteria as pairs of our own have them."""


@pytest.mark.parametrize(("form", "row"), OF_OTHER_FORMS)
def test_criteria_are_kept_where_a_file_of_pairs_is_read_as_another_form(tmp_path, form, row):
    lines = ["price: names it | weight 2", "short"]
    file_of(tmp_path / "own.jsonl", row | {"criteria": "\n".join(lines)}, row | {"criteria": None})
    told: list[str] = []
    pairs = read_pairs(tmp_path / "own.jsonl", told.append)
    assert f"read as {FORMS[form].title}" in told[0]
    assert [[one.line for one in pair.criteria] for pair in pairs] == [lines, []]
    assert all("criteria" not in pair.metadata for pair in pairs)


@pytest.mark.parametrize(("form", "row"), OF_OTHER_FORMS)
@pytest.mark.parametrize(
    ("criteria", "complaint"),
    [
        (7, "criteria is a number. It must be text, or a list of lines."),
        (["price | weight -1"], "criteria, line 1: weight is '-1'. It must be a number above 0"),
    ],
)
def test_criteria_that_are_none_are_one_clear_line_in_every_form(tmp_path, form, row, criteria, complaint):
    file_of(tmp_path / "own.jsonl", row | {"criteria": criteria})
    with pytest.raises(BadLines) as caught:
        import_files(form, [tmp_path / "own.jsonl"])
    assert f"own.jsonl:1: {complaint}" in str(caught.value)


def test_our_own_pairs_are_read_as_ever_in_every_kind_of_file(tmp_path):
    row = {"id": "1", "prompt": "Fruit?", "response_a": "", "response_b": LONG, "category": "", "note": ""}
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(row))
    writer.writeheader()
    writer.writerow(row)
    (tmp_path / "pairs.csv").write_text(text.getvalue(), encoding="utf-8", newline="")
    table = pyarrow.Table.from_pylist([row | {"category": None, "metadata": '{"a": 1}'}])
    pyarrow.parquet.write_table(table, tmp_path / "pairs.parquet")
    file_of(tmp_path / "pairs.jsonl", {**row, "category": None})
    for name in ("pairs.csv", "pairs.parquet", "pairs.jsonl"):
        lines: list[str] = []
        assert read_pairs(tmp_path / name, lines.append) == read_pairs(tmp_path / name)
        assert lines == []


def test_parquet_and_tables_are_read_as_forms_too(tmp_path):
    rows = [BATTLE, BATTLE | {"winner": None}, BATTLE | {"conversation_b": None}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    found = import_files("arena", [tmp_path / "a.parquet"])
    assert (len(found.pairs), len(found.votes)) == (1, 1)
    assert found.left_out == {"no conversation": 1, "the same pair again": 1}
    rows = [
        PREFERENCES["ultrafeedback_binarized"],
        PREFERENCES["ultrafeedback_binarized"] | {"rejected": None},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "p.parquet")
    found = import_files("preferences", [tmp_path / "p.parquet"])
    assert (len(found.pairs), len(found.votes), found.left_out) == (1, 1, {"missing text": 1})
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(KAGGLE))
    writer.writeheader()
    writer.writerow(KAGGLE)
    (tmp_path / "train.csv").write_text(text.getvalue(), encoding="utf-8", newline="")
    assert better_of(import_files("arena", [tmp_path / "train.csv"])) == ["Plum"]


@pytest.mark.parametrize(("form", "row"), OF_OTHER_FORMS)
def test_pairs_of_our_own_in_a_table_keep_their_metadata_in_other_forms(tmp_path, form, row):
    cells = {name: value if isinstance(value, str) else json.dumps(value) for name, value in row.items()}
    for metadata, kept in (('{"a": {"b": 1}}', {"a": {"b": 1}}), ("", {})):
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, [*cells, "metadata", "category"])
        writer.writeheader()
        writer.writerow(cells | {"metadata": metadata, "category": ""})
        (tmp_path / "own.csv").write_text(table.getvalue(), encoding="utf-8", newline="")
        [pair] = import_files(form, [tmp_path / "own.csv"]).pairs
        assert (pair.category, {k: v for k, v in pair.metadata.items() if k in ("a", "metadata")}) == (
            None,
            kept,
        )


def test_bytes_in_parquet_are_no_metadata_and_no_answer(tmp_path):
    def parquet(*rows):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), tmp_path / "a.parquet")
        return [tmp_path / "a.parquet"]

    icon = {"path": None, "bytes": b"\x89PNG"}
    arena = {**OWN[0], "winner": "a", "icon": icon, "kept": "x"}
    [pair] = import_files("arena", parquet(arena, arena)).pairs
    assert pair.metadata == {"gold": "A", "kept": "x"}
    named = {"question": "Fruit?", "old": SHORT, "new": LONG, "icon": icon, "kept": "x"}
    [pair] = import_files("columns", parquet(named), MAPPING).pairs
    assert pair.metadata == {"kept": "x"}
    with pytest.raises(BadLines, match=r"a\.parquet row 1: response_b is bytes\. It must be one text\."):
        import_files("columns", parquet(named | {"new": b"\x89PNG"}), MAPPING)


def test_a_column_of_a_models_name_may_hold_an_object(read):
    row = SAMPLES["openai"][0] | {"model_a": {"name": "m1"}}
    [pair] = read("openai", row, row | {"n": 2}).pairs
    assert pair.metadata["model_a"] == {"name": "m1"}


def test_import_writes_pairs_and_votes_that_read_back(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file_of(tmp_path / "battles.jsonl", BATTLE, NEW_BATTLE)
    app(["import", "arena", "battles.jsonl", "--out", "p.jsonl", "--votes", "v.jsonl"], standalone_mode=False)
    expected = import_files("arena", ["battles.jsonl"])
    assert read_pairs("p.jsonl") == list(expected.pairs)
    assert read_votes("v.jsonl") == list(expected.votes)
    assert capsys.readouterr().err == "2 pairs, 2 votes; left out: nothing\n"


def test_pairs_and_votes_of_another_tools_file_are_read_and_it_is_said(tmp_path, capsys):
    file = file_of(tmp_path / "battles.jsonl", BATTLE, NEW_BATTLE)
    found = import_files("arena", [file])
    assert judge.read_pairs(file) == list(found.pairs)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"{file}: read as arena votes: 2 pairs, 2 votes; left out: nothing."
    assert said[1].startswith(f"Its votes: judge import arena {file} --out")
    assert judge.read_votes(file) == list(found.votes)
    assert capsys.readouterr().err.splitlines() == said[:1]


def test_a_file_of_another_tool_without_labels_has_no_votes(tmp_path):
    rows = [row for model in ("m1", "m2") for row in alpaca_answers(model, fruit=model, tree=model)]
    with pytest.raises(InputError, match=r"read as AlpacaEval's answers or annotations, and there are no v"):
        read_votes(file_of(tmp_path / "answers.jsonl", *rows))


def test_a_workbook_of_excel_is_named_as_such(tmp_path):
    with zipfile.ZipFile(tmp_path / "pairs.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(InputError, match=r"pairs\.xlsx: this is a workbook, of Excel or the like\. Save"):
        read_pairs(tmp_path / "pairs.xlsx")


def test_an_unknown_form_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(InputError, match=r"form 'aréna': unknown\. Did you mean arena\? There are arena, "):
        import_files("aréna", [tmp_path / "x.jsonl"])


def test_a_file_of_which_nothing_can_be_judged_says_why(read):
    with pytest.raises(InputError, match=r"nothing to judge \(left out: an image: 1\)"):
        read("preferences", PREFERENCES["text"] | {"images": ["a.png"]})


def test_a_form_of_another_package_is_named(tmp_path):
    code = """
from judge.forms.conversation import asked
from judge.forms.form import Comparison, Form, Side, each, imported


def read(entries):
    comparisons, left_out = each(entries, comparison_of)
    return imported(comparisons, left_out, voter="riddles")


def comparison_of(entry):
    question = asked(entry.cells["riddle"])
    return Comparison(Side(question.answered("A piano.")), Side(question.answered("A key ring.")))


RIDDLES = Form("riddles", lambda cells: "riddle" in cells, read)
"""
    points = {"judge.forms": {"riddles": "riddle_form:RIDDLES", "broken": "no_such:FORM"}}
    package = make_package(tmp_path / "package", "judge-riddles", {"riddle_form.py": code}, points)
    file_of(tmp_path / "r.jsonl", {"riddle": "What has keys and opens no door?"})
    done, broken = run_judge(
        [["judge", "import", form, "r.jsonl", "--out", "p.jsonl"] for form in ("riddles", "broken")],
        package,
        tmp_path,
    )
    assert (done.code, done.err) == (0, "1 pair, 0 votes; left out: nothing\n")
    assert read_pairs(tmp_path / "p.jsonl")[0].prompt == "What has keys and opens no door?"
    assert broken.code == 2
    assert "form broken of the package judge-riddles 1.0 (no_such:FORM) cannot be used" in broken.err


# --- and out again ---------------------------------------------------------------------------------------

JUDGED_PAIRS = [
    replace(pair, metadata={"model_a": "m1", "model_b": "m2"})
    for pair in (
        Pair.of("Name a fruit.", SHORT, LONG, id="fruit", category="food"),
        Pair.of("Name a tree.", "An elm tree", "Oak", id="tree"),
        Pair.of("Name a bird.", "Owl", "Owl", id="bird"),
        Pair.of("Name a fish.", "Cod", "Eel", id="fish"),
    )
]


@pytest.fixture
def judged(tmp_path):
    """Verdicts as files: one for A, one for B, a tie, and one that changes with the order."""
    verdicts = judge_pairs(JUDGED_PAIRS, Direct(ScriptedBackend(longer)))
    outcomes = [(verdict.status, verdict.outcome) for verdict in verdicts]
    assert outcomes[:3] == [(Status.CONSISTENT, outcome) for outcome in (Outcome.B, Outcome.A, Outcome.TIE)]
    assert outcomes[3][0] is Status.INCONSISTENT
    write_pairs(tmp_path / "pairs.jsonl", JUDGED_PAIRS)
    write_verdicts(tmp_path / "verdicts.jsonl", verdicts)
    return verdicts


@pytest.fixture
def export(judged, tmp_path, monkeypatch):
    """Runs `judge export` and gives the file."""
    monkeypatch.chdir(tmp_path)

    def export(form, out):
        given = ["export", form, "verdicts.jsonl", "--pairs", "pairs.jsonl", "--out", out]
        app(given, standalone_mode=False)
        return tmp_path / out

    return export


def contents_of(imported):
    """Each pair's texts as a set, and the text that its vote prefers."""
    return [{pair.response_a, pair.response_b} for pair in imported.pairs], better_of(imported)


def test_annotations_that_are_written_read_back(export, judged, capsys):
    found = import_files("alpacaeval", [export("alpacaeval", "annotations.json")])
    assert capsys.readouterr().err == "4 verdicts; left out: nothing\n"
    texts, better = contents_of(found)
    assert texts == [{SHORT, LONG}, {"An elm tree", "Oak"}, {"Owl"}, {"Cod", "Eel"}]
    assert better == [LONG, "An elm tree", Ballot.TIE, Ballot.TIE]
    assert {vote.voter for vote in found.votes} == {judged[0].judge}
    assert models_of(found.pairs[0]) == {SHORT: "m1", LONG: "m2"}


def test_chosen_and_rejected_answers_that_are_written_read_back(export, capsys):
    file = export("preferences", "dpo.jsonl")
    assert capsys.readouterr().err == "2 verdicts; left out: inconsistent: 1, tie: 1\n"
    first, _ = map(json.loads, file.read_text().splitlines())
    assert first == {"id": "fruit", "prompt": ASKED, "chosen": [said(LONG)], "rejected": [said(SHORT)]}
    found = import_files("preferences", [file])
    assert [pair.id for pair in found.pairs] == ["fruit", "tree"]
    assert contents_of(found) == ([{SHORT, LONG}, {"An elm tree", "Oak"}], [LONG, "An elm tree"])


def test_answers_after_different_conversations_are_written_with_them(judged):
    said_in = [talk("Hi", "Yes?", "Fruit?", SHORT), talk("Hi", "Hello!", "Fruit?", LONG)]
    pair = Pair("talk", *(tuple(Message(**one) for one in talked) for talked in said_in), system="Be brief.")
    exported = export_verdicts("preferences", [replace(judged[0], pair_id="talk")], [pair], "")
    assert json.loads(exported.text) == {
        "id": "talk",
        "chosen": [said("Be brief.", "system"), *talk("Hi", "Hello!", "Fruit?", LONG)],
        "rejected": [said("Be brief.", "system"), *talk("Hi", "Yes?", "Fruit?", SHORT)],
    }
    annotations = export_verdicts("alpacaeval", [replace(judged[0], pair_id="talk")], [pair], "")
    assert annotations.left_out == {"more than one instruction before the answers": 1}


def test_a_log_of_verdicts_reads_back_with_its_pairs(export, judged):
    file = export("inspect", "log.json")
    found = import_files("inspect", [file])
    assert list(found.pairs) == JUDGED_PAIRS
    assert [vote.outcome.value for vote in found.votes] == [verdict.outcome.value for verdict in judged]
    log = json.loads(file.read_text())
    assert (log["status"], log["eval"]["model"], len(log["samples"])) == ("success", judged[0].judge, 4)


def test_a_log_of_verdicts_has_the_criteria_and_no_column_hides_the_category():
    criteria = criteria_given(["price: names it | weight 2", "is polite"])
    pair = Pair.of("q", "aa", "b", id="1", category="law", criteria=criteria)
    pair = replace(pair, metadata={"category": "else"})
    verdicts = judge_pairs([pair], Direct(ScriptedBackend(longer)))
    [sample] = json.loads(export_verdicts("inspect", verdicts, [pair], "").text)["samples"]
    assert sample["metadata"]["category"] == "law"
    assert sample["metadata"]["criteria"] == "price: names it | weight 2\nis polite"


def test_a_log_of_verdicts_reads_back_with_criteria_and_models(read):
    pair = Pair.of("q", "aa", "b", id="1", criteria=criteria_given(["price: names it | weight 2"]))
    pair = replace(pair, metadata={"model_a": "m", "model_b": "n"})
    verdicts = judge_pairs([pair], Direct(ScriptedBackend(longer)))
    found = read("inspect", json.loads(export_verdicts("inspect", verdicts, [pair], "").text))
    assert found.pairs == (pair,)
    assert [(vote.model_a, vote.model_b) for vote in found.votes] == [("m", "n")]


def test_samples_of_a_damaged_log_of_verdicts_are_left_out(read, judged):
    log = json.loads(export_verdicts("inspect", judged, JUDGED_PAIRS, "").text)
    first = log["samples"][0]
    odd = [{}, first | {"metadata": {}}, first | {"id": "x", "scores": {}}]
    found = read("inspect", log | {"samples": [first, None, *odd]})
    assert (len(found.pairs), len(found.votes)) == (2, 1)
    assert found.left_out == {"no conversation": 3}


def test_a_log_is_of_one_judge(judged):
    other = replace(judged[1], judge="other")
    with pytest.raises(InputError, match="verdicts of 2 judges"):
        export_verdicts("inspect", [judged[0], other], JUDGED_PAIRS, "")


def test_an_unreadable_verdict_is_left_out_of_what_has_no_place_for_it(judged):
    unparsed = replace(judged[0], outcome=None, status=Status.UNPARSED)
    for form in ("alpacaeval", "preferences"):
        exported = export_verdicts(form, [unparsed], JUDGED_PAIRS, "")
        assert (exported.n_verdicts, exported.left_out) == (0, {"unparsed": 1})
    log = export_verdicts("inspect", [unparsed], JUDGED_PAIRS, "")
    assert json.loads(log.text)["samples"][0]["scores"]["verdict"]["value"] == "unparsed"


@pytest.mark.parametrize("form", ["arena", "nothing"])
def test_a_form_that_is_not_written_is_answered_with_those_that_are(judged, form):
    with pytest.raises(InputError, match=f"form '{form}': .* There are alpacaeval, inspect, preferences"):
        export_verdicts(form, judged, JUDGED_PAIRS, "")


def test_a_verdict_on_another_files_pair_is_one_clear_line(judged):
    with pytest.raises(InputError, match="verdicts on 1 pairs that --pairs does not have: fish"):
        export_verdicts("preferences", judged, JUDGED_PAIRS[:3], "")
