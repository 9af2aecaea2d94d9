"""Votes mode: what people's votes on the pairs of a file teach, counted by hand, and what they do not."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import pair_of

from distill import votes
from distill.clean import HeldOut
from distill.recipe import recipe_of
from distill.selection import Part, part_of
from distill.votes import EVEN_VOTES, NO_VOTE, OTHER_PAIR, swapped, voted_examples, winner_of
from judge.errors import BadLines, InputError
from judge.io.pairs import write_pairs
from judge.io.votes import write_votes
from judge.orders import outcome_of
from judge.records import Ballot, HumanVote, Order, Outcome

LETTERS = {"A": Ballot.A, "B": Ballot.B, "=": Ballot.TIE, "x": Ballot.BOTH_BAD}
POLLS = st.dictionaries(st.sampled_from(Outcome), st.integers(1, 9)).map(Counter)


def cast(**said: str) -> list[HumanVote]:
    """Votes by pair id: a letter a voter, = for a tie and x for both bad."""
    return [
        HumanVote(id, f"voter {n}", LETTERS[letter])
        for id, letters in said.items()
        for n, letter in enumerate(letters)
    ]


def pair(id: str, a="a long answer", b="short", **fields):
    return pair_of(f"{a} to {id}", f"{b} to {id}", f"Question {id}?", id, **fields)


@pytest.fixture
def learned(tmp_path, monkeypatch):
    """What votes on pairs teach, where question z and the longer answer to question y are kept out."""
    nothing = HeldOut({"MT-bench": frozenset({"questionz"}), "LLMBar": frozenset({"alonganswertoy"})}, {})

    def run(pairs, given, kept_out=nothing, limit=None, **select):
        monkeypatch.setattr(votes, "held_out_texts", lambda folder, unchecked: kept_out)
        write_pairs(tmp_path / "pairs.jsonl", pairs)
        if isinstance(given, str):
            (tmp_path / "votes.jsonl").write_text(given, "utf-8")
        else:
            write_votes(tmp_path / "votes.jsonl", given)
        values = {
            "name": "mine",
            "collect": {"pairs": {"source": "file", "path": str(tmp_path / "pairs.jsonl"), "limit": limit}},
            "select": select,
            "train": {"targets": "votes", "votes": str(tmp_path / "votes.jsonl")},
        }
        return voted_examples(recipe_of(values, "here"), None)

    return run


# --- the winner ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("letters", "winner", "p_a"),
    [
        ("A", Outcome.A, 1.0),
        ("B", Outcome.B, 0.0),
        ("AAB", Outcome.A, 2 / 3),
        ("A===", Outcome.A, 2.5 / 4),  # a tie counts half for each side, and outvotes nobody
        ("BBAx", Outcome.B, 1.5 / 4),  # both bad is a tie
    ],
)
def test_the_response_with_more_votes_wins_in_both_orders(learned, letters, winner, p_a):
    [example] = learned([pair("p")], cast(p=letters)).examples
    assert {outcome_of(choice, order) for order, choice in example.choices.items()} == {winner}
    assert set(example.choices) == set(Order)
    assert example.winner is winner
    assert example.p_a == p_a


@given(POLLS)
def test_a_winner_is_on_its_side_of_one_half_and_swapped_with_the_responses(poll):
    if poll[Outcome.A] == poll[Outcome.B]:
        with pytest.raises(votes.Unusable):
            winner_of(poll)
        return
    winner, p_a = winner_of(poll)
    assert (p_a > 0.5) == (winner is Outcome.A)
    other, other_p_a = winner_of(swapped(poll))
    assert {winner, other} == {Outcome.A, Outcome.B}
    assert other_p_a == pytest.approx(1 - p_a)


def test_votes_count_whatever_their_turn(learned):
    later = [replace(vote, turn=2) for vote in cast(p="BB")]
    voted = learned([pair("p")], cast(p="A") + later)
    assert voted.examples[0].winner is Outcome.B
    assert voted.n_votes == 3


# --- what is left out ------------------------------------------------------------------------------------


def test_every_pair_and_vote_that_teaches_nothing_is_counted(learned):
    pairs = [pair(id) for id in ("won", "tied", "even", "silent", "z", "y")]
    pairs.append(pair_of("same", "same", "Which?", "same"))
    given = cast(won="AAB", tied="==", even="ABx", same="A", z="A", y="B", gone="AB", lost="A")
    voted = learned(pairs, given)
    assert [example.pair.id for example in voted.examples] == ["won"]
    assert voted.n_votes == 3
    assert voted.left_out == {EVEN_VOTES: 2, NO_VOTE: 1, OTHER_PAIR: 3, "identical texts": 1}
    assert voted.contamination["dropped"] == {"prompt in MT-bench": 1, "reply in LLMBar": 1}
    assert set(voted.contamination["checked"]) == {"MT-bench", "LLMBar"}
    assert voted.warning == ""


def test_equal_pairs_are_one_with_the_votes_on_all_of_them(learned):
    one, twin = pair("p"), replace(pair("p"), id="twin")
    mirror = replace(one, id="mirror", conversation_a=one.conversation_b, conversation_b=one.conversation_a)
    given = cast(p="A", twin="AB", mirror="BBB")
    first, *others = (learned(list(pairs), given) for pairs in permutations([one, twin, mirror]))
    assert others == [first] * 5
    [example] = first.examples
    assert example.pair in (one, mirror)
    # In the terms of p, a has one vote, one and three, and b has one.
    assert example.p_a == pytest.approx(5 / 6 if example.pair == one else 1 / 6)
    assert first.left_out == {"duplicate": 2}
    assert first.n_votes == 6


def test_what_was_not_checked_is_said(learned):
    voted = learned([pair("p")], cast(p="A"), HeldOut({}, {"MT-bench": "no such file"}))
    assert voted.warning.startswith("NOT CHECKED against MT-bench")
    assert voted.contamination["not_checked"] == {"MT-bench": "no such file"}


def test_where_nothing_is_left_the_reasons_are_said(learned):
    message = (
        r"votes\.jsonl and .*pairs\.jsonl: no pair of 3 is left to learn from \("
        f"{EVEN_VOTES}: 1, {NO_VOTE}: 1, prompt in MT-bench: 1, {OTHER_PAIR}: 2"
    )
    with pytest.raises(InputError, match=message):
        learned([pair("p"), pair("q"), pair("z")], cast(p="AB", z="A", other="BB"))


def test_labels_of_another_tool_teach_by_the_texts_of_the_pairs(learned):
    labels = [
        {"id": one.id, "prompt": one.prompt, "chosen": one.response_a, "rejected": one.response_b}
        for one in MANY
    ]
    voted = learned(MANY, "".join(json.dumps(row) + "\n" for row in labels))
    assert [example.winner for example in voted.examples] == [Outcome.A] * len(MANY)


def test_rows_that_are_no_votes_are_named(learned, tmp_path):
    rows = [{"pair_id": "p", "voter": "ann", "outcome": side} for side in "AB"]
    with pytest.raises(BadLines, match=r"votes\.jsonl:2: a vote of 'ann' on pair 'p'"):
        learned([pair("p")], "".join(json.dumps(row) + "\n" for row in rows))


# --- which pairs, and in which order ---------------------------------------------------------------------

MANY = [pair(f"p{n}", *(("yes", "no indeed") if n % 3 else ("a long answer", "no"))) for n in range(12)]
ON_MANY = [vote for n, one in enumerate(MANY) for vote in cast(**{one.id: "AAB" if n % 2 else "B="})]


def test_pairs_keep_their_ids_and_responses_and_lose_what_could_be_a_label(learned):
    labelled = [replace(one, category="c", metadata={"gold": "A"}) for one in MANY]
    kept = {example.pair.id: example.pair for example in learned(labelled, ON_MANY).examples}
    assert kept == {one.id: replace(one, category="c") for one in MANY}


def test_neither_the_order_of_the_votes_nor_that_of_the_pairs_changes_anything(learned):
    first = learned(MANY, ON_MANY, held_out=0.4, limit=9)
    for seed in range(3):
        generator = random.Random(seed)
        pairs, given = (generator.sample(rows, len(rows)) for rows in (MANY, ON_MANY))
        assert learned(pairs, given, held_out=0.4, limit=9) == first
    hashes = [example.pair.content_hash for example in first.examples]
    assert hashes == sorted(hashes)
    assert len(hashes) == 9


def test_a_smaller_limit_takes_a_part_of_what_a_larger_one_takes(learned):
    by_limit = {limit: learned(MANY, ON_MANY, limit=limit) for limit in (2, 5, 11)}
    ids = {limit: {one.pair.id for one in voted.examples} for limit, voted in by_limit.items()}
    assert [len(ids[limit]) for limit in ids] == [2, 5, 11]
    assert ids[2] < ids[5] < ids[11]
    assert [voted.left_out for voted in by_limit.values()] == [{"beyond the limit": n} for n in (10, 7, 1)]


def test_the_limit_is_of_pairs_as_they_are_in_the_file_voted_on_or_not(learned):
    [first] = learned(MANY, ON_MANY, limit=1).examples
    on_others = [vote for vote in ON_MANY if vote.pair_id != first.pair.id]
    voted = learned(MANY, on_others, limit=2)
    assert len(voted.examples) == 1
    assert voted.left_out == {"beyond the limit": 10, NO_VOTE: 1}


def test_the_split_is_by_prompt_and_seed_as_it_is_for_a_teacher(learned):
    examples = learned(MANY, ON_MANY, held_out=0.4).examples
    assert {example.part for example in examples} == set(Part)
    assert all(example.part is part_of(example.pair, 0.4, 0) for example in examples)


def test_lengths_are_balanced_where_that_is_asked_for(learned):
    pairs = [pair("p0"), pair("p1"), pair("p2"), pair("p3")]
    given = cast(p0="A", p1="A", p2="A", p3="B")  # a is the longer one
    voted = learned(pairs, given, balance_length=True, held_out=0.0)
    assert Counter(example.winner for example in voted.examples) == {Outcome.A: 1, Outcome.B: 1}
    assert voted.left_out == {"left out to balance the lengths": 2}
    assert voted.n_votes == 2
