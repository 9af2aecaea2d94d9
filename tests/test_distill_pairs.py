"""Pairs without labels, from OASST messages in every form and from pair files."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hub import serve

from distill.pairs import read_unlabelled
from distill.recipe import PairSource, read_recipe
from judge.datasets.sources import Source
from judge.errors import BadLines, InputError
from judge.records import Message

RECIPES = Path(__file__).parents[1] / "recipes"
TRAINING = "${JUDGE_DATA}/oasst/train_messages_reconstructed.jsonl.gz"
LABELS = ("gold", "rank", "vote", "winner")


def said(id, parent, text, **other):
    """One message; those whose id starts with p are prompts. Every key is one of the hub's."""
    role = "prompter" if id.startswith("p") else "assistant"
    row = {"message_id": id, "parent_id": parent, "message_tree_id": "p1", "role": role, "text": text}
    return row | {"lang": "en", "deleted": False, "rank": None, "synthetic": False} | other


TALK = [
    said("p1", None, "Why is the sky blue?"),
    said("good", "p1", "Because blue light scatters most.", rank=0),
    said("bad", "p1", "It is not.", rank=1),
    said("gone", "p1", "!!!", rank=2, deleted=True),
    said("p2", "good", "Why does it?"),
    said("deep-good", "p2", "Its waves are short.", rank=0),
    said("deep-bad", "p2", "No idea.", rank=1),
]


def written(path, rows):
    """The rows as JSON lines."""
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def oasst(path, **more):
    return read_unlabelled(PairSource(path=str(path), **more))


def of_file(path, **more):
    return read_unlabelled(PairSource(source="file", path=str(path), **more))


def row(prompt, a, b, **more):
    return {"prompt": prompt, "response_a": a, "response_b": b} | more


MANY = [row(f"question {q}", f"answer {q}{a}", f"answer {q}{b}") for q in range(9) for a, b in ("xy", "yz")]


# --- OASST -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_training_file_gives_3880_pairs_without_anything_that_could_be_a_label(data_dir):
    pairs, left_out = read_unlabelled(PairSource(path=TRAINING), data_dir)
    assert len(pairs) == 3_880
    assert left_out == {"identical texts": 2, "duplicate": 2}
    assert not any(pair.metadata or pair.category or pair.reference for pair in pairs)
    assert {tuple(m.role for m in pair.conversation_a) for pair in pairs} == {("user", "assistant")}
    assert len({pair.id for pair in pairs}) == len({pair.content_hash for pair in pairs}) == len(pairs)


def test_flat_messages_and_trees_give_the_same_pairs(data_dir):
    flat, trees = (
        read_unlabelled(PairSource(path=f"${{JUDGE_DATA}}/oasst/validation{name}.jsonl.gz"), data_dir)[0]
        for name in ("_messages", ".trees")
    )
    assert flat == trees
    assert len(flat) > 531  # those of equal rank or without one, too


def test_only_replies_to_the_first_prompt_are_pairs_and_what_is_left_out_is_counted(tmp_path):
    (pair,), left_out = oasst(written(tmp_path / "m.jsonl", TALK))
    assert {pair.response_a, pair.response_b} == {"Because blue light scatters most.", "It is not."}
    assert left_out == {"deleted": 1, "not the first turn": 1}


def test_neither_ranks_nor_the_order_of_the_messages_change_a_pair(tmp_path):
    turned = [one | {"rank": None if one["rank"] is None else 9 - one["rank"]} for one in TALK]
    random.Random(1).shuffle(turned)
    one, other = (oasst(written(tmp_path / f"{n}.jsonl", rows)) for n, rows in enumerate((TALK, turned)))
    assert one == other


@pytest.mark.slow
def test_the_hub_a_parquet_file_of_its_and_json_lines_give_the_same_pairs(tmp_path, monkeypatch):
    source = read_recipe(RECIPES / "oasst2.yaml").collect.pairs
    labels = {"name": ["spam"], "value": [0.0], "count": [3]}
    rows = [one | {"labels": labels, "emojis": None, "detoxify": None} for one in TALK]
    serve(tmp_path, monkeypatch, {Source("", "OpenAssistant/oasst2", "train"): rows})
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "train.parquet")
    assert (
        read_unlabelled(source)
        == oasst(tmp_path / "train.parquet")
        == oasst(written(tmp_path / "train.jsonl.gz", TALK))
    )


def test_a_split_that_the_hub_does_not_have_is_one_clear_line(tmp_path, monkeypatch):
    serve(tmp_path, monkeypatch, {})
    with pytest.raises(InputError, match=r"OpenAssistant/oasst2: cannot be read from the Hugging Face hub"):
        read_unlabelled(PairSource(split="trian"))


# --- a pair file -----------------------------------------------------------------------------------------


def test_labels_of_a_pair_file_are_dropped_and_its_ids_are_made_anew(tmp_path):
    labels = dict.fromkeys(LABELS, "A")
    rows = [
        row(
            "Why?",
            "So.",
            "Thus.",
            id="a-is-better",
            category="short",
            reference="So.",
            system="Be brief.",
            **labels,
        )
    ]
    (pair,), left_out = of_file(written(tmp_path / "p.jsonl", rows))
    assert pair.id == f"pair-{pair.content_hash[:16]}"
    assert pair.metadata == {}
    assert (pair.category, pair.reference, pair.system) == ("short", "So.", "Be brief.")
    assert left_out == {}


def test_which_reply_is_a_does_not_depend_on_the_file(tmp_path):
    swapped = [row(one["prompt"], one["response_b"], one["response_a"], gold="B") for one in MANY]
    as_given, other_way = (
        of_file(written(tmp_path / f"{n}.jsonl", rows)) for n, rows in enumerate((MANY, swapped[::-1]))
    )
    assert as_given == other_way
    is_turned = Counter(pair.response_a > pair.response_b for pair in as_given[0])
    assert min(is_turned.values()) >= 4  # of 18


def test_a_pair_that_is_there_twice_or_the_other_way_round_counts_once(tmp_path):
    rows = [row("Why?", "So.", "Thus."), row("Why?", "Thus.", "So."), row("Why?", "So.", "So.")]
    pairs, left_out = of_file(written(tmp_path / "p.jsonl", [*rows, rows[0] | {"system": "Be brief."}]))
    assert len(pairs) == 2  # another system text is another pair
    assert left_out == {"duplicate": 1, "identical texts": 1}


def test_conversations_of_several_turns_are_pairs(tmp_path):
    def talk(*texts):
        roles = ["user", "assistant"] * len(texts)
        return [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]

    rows = [
        {
            "conversation_a": talk("Hi", "Hi.", "Why?", "So."),
            "conversation_b": talk("Hi", "Yo.", "Why?", "So."),
        }
    ]
    (pair,), _ = of_file(written(tmp_path / "p.jsonl", rows))
    assert {pair.conversation_a[1], pair.conversation_b[1]} == {
        Message("assistant", "Hi."),
        Message("assistant", "Yo."),
    }


def test_a_file_with_bad_lines_is_refused_as_a_whole(tmp_path):
    path = written(tmp_path / "p.jsonl", [MANY[0], {"prompt": "Why?"}, {}])
    with pytest.raises(BadLines) as raised:
        of_file(path)
    assert len(raised.value.problems) == 2


@pytest.mark.parametrize("read", [oasst, of_file])
def test_a_file_that_is_not_there_is_one_clear_line(read, tmp_path):
    with pytest.raises(InputError, match=r"none\.jsonl: No such file"):
        read(tmp_path / "none.jsonl")


def test_where_no_pair_is_left_the_reasons_are_said(tmp_path):
    with pytest.raises(InputError, match=r"m\.jsonl: no pair is left \(left out: missing keys: 1\)"):
        oasst(written(tmp_path / "m.jsonl", [{"text": "What am I?"}, TALK[0]]))
    with pytest.raises(InputError, match="no pair is left"):
        oasst(written(tmp_path / "empty.jsonl", []))


# --- the limit -------------------------------------------------------------------------------------------


def test_a_smaller_limit_takes_the_beginning_of_what_a_larger_one_takes(tmp_path):
    path = written(tmp_path / "p.jsonl", MANY)
    every, _ = of_file(path)
    for limit in (1, 2, 7, len(MANY)):
        pairs, left_out = of_file(path, limit=limit)
        assert pairs == every[:limit]
        assert left_out["beyond the limit"] == len(MANY) - limit
    assert of_file(path, limit=1_000)[0] == every


def test_what_is_skipped_comes_before_what_is_taken(tmp_path):
    path = written(tmp_path / "pairs.jsonl", MANY)
    every, none_left_out = of_file(path)
    assert "skipped" not in none_left_out
    pairs, left_out = of_file(path, skip=2, limit=3)
    assert pairs == every[2:5]
    assert (left_out["skipped"], left_out["beyond the limit"]) == (2, len(MANY) - 5)
    with pytest.raises(InputError, match=rf"skip: {len(MANY)}: there are {len(MANY)} pairs"):
        of_file(path, skip=len(MANY))


def test_pairs_longer_than_the_longest_wanted_are_left_out_and_counted(tmp_path):
    path = written(tmp_path / "p.jsonl", [row("What?", "x" * n, "yy") for n in (10, 20, 30)])
    pairs, left_out = of_file(path, max_characters=len("What?What?yy") + 20, limit=1)
    assert left_out["too long"] == left_out["beyond the limit"] == 1
    assert max(len(message.content) for message in (*pairs[0].conversation_a, *pairs[0].conversation_b)) <= 20
    with pytest.raises(InputError, match=r"no pair is left \(left out: too long: 3\)"):
        of_file(path, max_characters=5)


def test_the_pairs_of_a_prompt_stand_together_whatever_other_pairs_there_are(tmp_path):
    every, _ = of_file(written(tmp_path / "p.jsonl", random.Random(2).sample(MANY, len(MANY))))
    prompts = [pair.prompt for pair in every]
    assert sum(one != other for one, other in pairwise(prompts)) == len(set(prompts)) - 1
    assert list(dict.fromkeys(prompts)) != sorted(set(prompts))  # by a hash
    fewer, _ = of_file(written(tmp_path / "q.jsonl", MANY[::3]))
    assert fewer == [pair for pair in every if pair in fewer]


def test_prompts_that_differ_in_case_and_spaces_only_stand_together(tmp_path):
    asked = ["Why is the sky blue?", "why is  the sky blue", *(f"question {n}" for n in range(30))]
    every, _ = of_file(written(tmp_path / "p.jsonl", [row(prompt, "x", "y") for prompt in asked]))
    place = {pair.prompt: n for n, pair in enumerate(every)}
    assert abs(place[asked[0]] - place[asked[1]]) == 1


def test_a_file_of_another_tool_gives_pairs_without_its_labels(tmp_path, capsys):
    rows = [
        {"prompt": f"{n}?", "chosen": f"yes {n}", "rejected": f"no {n}", "score_chosen": 9} for n in range(20)
    ]
    pairs, left_out = of_file(written(tmp_path / "preferences.jsonl", rows))
    assert {len({pair.response_a[:3], pair.response_b[:3]}) for pair in pairs} == {2}
    assert {pair.response_a[:3] for pair in pairs} == {"yes", "no "}
    assert [dict(pair.metadata) for pair in pairs] == [{}] * 20
    assert not any(left_out.values())
    assert "preferences.jsonl: read as chosen and rejected answers: 20 pairs" in capsys.readouterr().err
