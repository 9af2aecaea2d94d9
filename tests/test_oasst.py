"""OASST: sibling pairs on the real files and on made messages."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import shutil
from collections import Counter

import pytest
from hub import serve

from judge.datasets.dataset import Wanted, prompt_of
from judge.datasets.oasst import (
    IN_VALIDATION,
    RANKED_FILE,
    TRAINING_FILE,
    TREES,
    VALIDATION,
    messages_of_trees,
    ranked_pairs,
    read,
    sibling_pairs,
)
from judge.datasets.sources import local_rows, published_rows
from judge.errors import InputError
from judge.records import Ballot, Message


def said(id, parent, text, rank=None, **other):
    """One message; those whose id starts with p are prompts."""
    role = "prompter" if id.startswith("p") else "assistant"
    row = {"message_id": id, "parent_id": parent, "message_tree_id": "p1", "role": role, "text": text}
    return row | {"lang": "en", "deleted": False, "rank": rank} | other


def without(row, *names):
    return {name: value for name, value in row.items() if name not in names}


PROMPT = said("p1", None, "Why is the sky blue?")
GOOD, BAD = said("good", "p1", "Because blue light scatters most.", 0), said("bad", "p1", "It is not.", 1)
AGAIN = said("p2", "good", "Why does it?")
DEEP_GOOD, DEEP_BAD = (
    said("deep-good", "p2", "Its waves are short.", 0),
    said("deep-bad", "p2", "No idea.", 1),
)
TALK = [PROMPT, GOOD, BAD, AGAIN, DEEP_GOOD, DEEP_BAD]


def better_texts(siblings):
    """What the reply that won says, and the other."""
    texts = {Ballot.A: ("response_a", "response_b"), Ballot.B: ("response_b", "response_a")}
    return [tuple(getattr(one.pair, side) for side in texts[one.better]) for one in siblings]


# --- the real files --------------------------------------------------------------------------------------


def test_of_531_ranked_first_turn_pairs_one_has_the_same_text_twice(data_dir):
    first, every = read(Wanted(data_dir, 1)), read(Wanted(data_dir, None))
    assert len(first.pairs) == len(first.votes) == 531 - 1
    assert len(every.pairs) == len(every.votes) == 531 - 1 + 491
    assert sum(len(read(Wanted(data_dir, turn)).pairs) for turn in (2, 3)) == 491
    assert first.broken == {
        "deleted": 40,
        "identical texts": 1,
        "no rank": 66,
        "parent missing or left out": 2,
    }


def test_flat_messages_and_trees_give_the_same_pairs_and_votes(data_dir, tmp_path):
    (tmp_path / "oasst").mkdir()
    shutil.copy(data_dir / TREES, tmp_path / TREES)
    flat, trees = read(Wanted(data_dir, None)), read(Wanted(tmp_path, None))
    assert flat.pairs == trees.pairs
    assert flat.votes == trees.votes


def test_every_message_of_a_tree_is_one_of_the_flat_ones(data_dir):
    flat = {row["message_id"]: row for row in published_rows(VALIDATION, data_dir)}
    messages = list(messages_of_trees(local_rows(data_dir / TREES)))
    assert len(messages) == 2_019
    assert all(message == flat[message["message_id"]] for message in messages)


@pytest.mark.slow
def test_the_hub_gives_the_same_data_set_as_the_folder(data_dir, tmp_path, monkeypatch):
    serve(tmp_path, monkeypatch, {VALIDATION: published_rows(VALIDATION, data_dir)})
    assert read(Wanted(None, None)) == read(Wanted(data_dir, None))


def test_the_vote_is_for_the_reply_of_better_rank(data_dir):
    rank_of = {row["message_id"]: row["rank"] for row in published_rows(VALIDATION, data_dir)}
    dataset = read(Wanted(data_dir, None))
    rank_by_side = {
        pair.id: [rank_of[pair.metadata[f"message_{side}"]] for side in "ab"] for pair in dataset.pairs
    }
    for vote in dataset.votes:
        rank_a, rank_b = rank_by_side[vote.pair_id]
        assert vote.outcome is (Ballot.A if rank_a < rank_b else Ballot.B)
    wins = Counter(vote.outcome for vote in dataset.votes)
    assert 0.45 < wins[Ballot.A] / wins.total() < 0.55


@pytest.mark.slow
def test_the_order_of_the_messages_and_their_ranks_do_not_move_a_reply(data_dir):
    rows = published_rows(VALIDATION, data_dir)
    shuffled = random.Random(0).sample(rows, len(rows))
    turned = [row if row["rank"] is None else row | {"rank": 9 - row["rank"]} for row in rows]
    siblings, _ = sibling_pairs(rows)
    assert sibling_pairs(shuffled)[0] == siblings
    other_ranks, _ = sibling_pairs(turned)
    assert [one.pair for one in other_ranks] == [one.pair for one in siblings]
    assert all(one.better != other.better for one, other in zip(siblings, other_ranks, strict=True))


def test_training_messages_make_pairs_without_labels(data_dir):
    siblings, broken = sibling_pairs(local_rows(data_dir / TRAINING_FILE), ranked=False)
    assert len(siblings) + broken["identical texts"] == 3_884
    assert {one.better for one in siblings} == {None}
    assert {one.turn for one in siblings} == {1}


# --- made messages ---------------------------------------------------------------------------------------


def test_two_ranked_replies_are_a_pair_in_the_order_of_their_hashes():
    ((one, *_), _) = sibling_pairs([PROMPT, GOOD, BAD])
    first, second = sorted((GOOD, BAD), key=lambda row: hashlib.sha256(row["text"].encode()).hexdigest())
    asked = Message("user", PROMPT["text"])
    assert one.pair.id == f"oasst-{first['message_id']}-{second['message_id']}"
    assert one.pair.conversation_a == (asked, Message("assistant", first["text"]))
    assert one.pair.conversation_b == (asked, Message("assistant", second["text"]))
    assert (one.turn, one.pair.category, one.pair.metadata["tree"]) == (1, None, "p1")
    assert better_texts([one]) == [(GOOD["text"], BAD["text"])]


def test_a_deeper_pair_has_the_conversation_up_to_its_prompt():
    siblings, broken = sibling_pairs(TALK)
    (deep,) = [one for one in siblings if one.turn == 2]
    assert [message.content for message in deep.pair.context_a] == [
        PROMPT["text"],
        GOOD["text"],
        AGAIN["text"],
    ]
    assert [message.role for message in deep.pair.context_b] == ["user", "assistant", "user"]
    assert better_texts([deep]) == [(DEEP_GOOD["text"], DEEP_BAD["text"])]
    assert broken == {}


def test_three_replies_are_three_pairs():
    third = said("third", "p1", "Ask a physicist.", 2)
    siblings, _ = sibling_pairs([PROMPT, third, BAD, GOOD])
    assert sorted(better_texts(siblings)) == sorted(
        [(GOOD["text"], BAD["text"]), (GOOD["text"], third["text"]), (BAD["text"], third["text"])]
    )


@pytest.mark.parametrize(
    ("extra", "reason", "n"),
    [
        (said("r", "p1", "Deleted.", 2, deleted=True), "deleted", 1),
        (said("r", "p1", "Porque sí.", 2, lang="es"), "other language", 1),
        (said("r", "p1", "Not ranked."), "no rank", 2),  # with either of the others
        (
            said("r", "p1", "Not a number.", "2"),
            "rank that is no whole number ('2' in rows r and bad, r and good)",
            2,
        ),
        (said("r", "p1", "As bad.", 1), "equal ranks", 1),
        (said("r", "p1", BAD["text"], 2), "identical texts", 1),
        (said("r", "gone", "To nothing.", 0), "parent missing or left out", 1),
        (said("r", "r", "To itself.", 0), "a cycle in the parents", 1),
        (said("r", None, "To nobody.", 0), "roles that do not alternate", 1),
        (said("r", "good", "To a reply.", 0), "roles that do not alternate", 1),
        (said("r", "p1", "Who?", 2, role="system"), "unknown role", 1),
        (said("r", "p1", None, 2), "missing keys", 1),
        (said("r", ["p1"], "To a list.", 2), "missing keys", 1),
        (without(said("r", "p1", "No parent.", 2), "parent_id"), "missing keys", 1),
        (without(said("r", "p1", "Which language?", 2), "lang"), "missing keys", 1),
        (said("bad", "p1", "Twice the same id.", 2), "repeated message_id", 1),
        ({}, "missing keys", 1),
    ],
)
def test_what_cannot_be_used_is_counted_and_the_rest_stays(extra, reason, n):
    siblings, broken = sibling_pairs([*TALK, extra])
    assert broken == {reason: n}
    assert (GOOD["text"], BAD["text"]) in better_texts(siblings)


def test_replies_below_a_deleted_message_are_left_out():
    siblings, broken = sibling_pairs([PROMPT, GOOD | {"deleted": True}, BAD, AGAIN, DEEP_GOOD, DEEP_BAD])
    assert siblings == []
    assert broken == {"deleted": 1, "parent missing or left out": 2}


def test_messages_that_are_each_others_parents_end():
    one, other = said("p8", "r8", "Chicken?"), said("r8", "p8", "Egg.", 0)
    assert sibling_pairs([one, other]) == ([], {"a cycle in the parents": 1})


def test_without_ranks_all_siblings_are_pairs_and_none_is_better():
    rows = [PROMPT, GOOD, BAD | {"rank": 0}, said("third", "p1", "Not ranked.")]
    siblings, broken = sibling_pairs(rows, ranked=False)
    assert [one.better for one in siblings] == [None, None, None]
    assert broken == {}


def test_a_tree_is_the_messages_in_it():
    tree = {
        "message_tree_id": "p1",
        "prompt": without(PROMPT, "message_tree_id")
        | {
            "replies": [
                without(GOOD, "message_tree_id", "parent_id")
                | {"replies": [AGAIN | {"replies": [DEEP_GOOD, DEEP_BAD]}]},
                BAD | {"replies": []},
            ]
        },
    }
    assert sorted(messages_of_trees([tree]), key=TALK.index) == TALK
    assert sibling_pairs(messages_of_trees([tree])) == sibling_pairs(TALK)


def test_a_broken_tree_is_counted():
    assert sibling_pairs(messages_of_trees([{"message_tree_id": "p1"}])) == ([], {"missing keys": 1})


# --- what is asked for -----------------------------------------------------------------------------------


def test_a_folder_without_the_data_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match=r"validation_messages\.jsonl\.gz: no such file\. .*JUDGE_DATA"):
        read(Wanted(tmp_path))


def test_what_oasst_does_not_have_is_refused(data_dir):
    with pytest.raises(InputError, match="OASST has its ranking only"):
        read(Wanted(data_dir, 1, "experts"))
    with pytest.raises(InputError, match="OASST validation: no pair with a vote is left"):
        read(Wanted(data_dir, 9))


# --- ranked pairs for students of people's votes -----------------------------------------------------------


def test_ranked_pairs_have_no_question_of_validation_and_vote_for_the_better_rank(data_dir):
    labelled, left_out = ranked_pairs(data_dir)
    assert (len(labelled), left_out) == (420, {"in OASST validation": 18})
    questions = {prompt_of(pair) for pair in read(Wanted(data_dir, None)).pairs}
    assert not questions & {prompt_of(pair) for pair, _ in labelled}
    rows = dict(enumerate(local_rows(data_dir / RANKED_FILE), start=1))
    for pair, vote in labelled:
        row = rows[int(pair.id.removeprefix("oasst-ranked-"))]
        assert row["rank_chosen"] < row["rank_rejected"], "rank 0 is the best"
        assert vote.pair_id == pair.id
        assert (pair.response_a if vote.outcome is Ballot.A else pair.response_b) == row["chosen"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"prompt": None}, "missing keys"),
        ({IN_VALIDATION: None}, "missing keys"),
        ({IN_VALIDATION: True}, "in OASST validation"),
        ({"chosen": " "}, "missing text"),
        ({"rejected": "Good."}, "identical texts"),
    ],
)
def test_a_ranked_pair_that_cannot_be_used_is_counted(tmp_path, change, reason):
    row = {"prompt": "Why?", "chosen": "Good.", "rejected": "Bad.", IN_VALIDATION: False}
    (tmp_path / RANKED_FILE).parent.mkdir()
    with gzip.open(tmp_path / RANKED_FILE, "wt") as lines:
        lines.writelines(json.dumps(one) + "\n" for one in (row, row | change))
    [(pair, _)], left_out = ranked_pairs(tmp_path)
    assert (pair.question, {pair.response_a, pair.response_b}) == ("Why?", {"Good.", "Bad."})
    assert left_out == {reason: 1}
