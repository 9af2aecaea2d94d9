"""A user's own pairs: with a file of votes, and with a column gold."""

from __future__ import annotations

import json

import pytest
from pairs import FOUR_PAIRS, pair_of

from judge.bench.run import source_of
from judge.datasets.dataset import Wanted
from judge.datasets.own_file import read
from judge.errors import BadLines, InputError
from judge.forms.reading import read_votes_on
from judge.io.pairs import write_pairs
from judge.io.votes import write_votes
from judge.records import Ballot, HumanVote


@pytest.fixture
def pairs_path(tmp_path):
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, FOUR_PAIRS)
    return path


def vote_file(folder, *votes):
    path = folder / "votes.jsonl"
    write_votes(path, votes)
    return str(path)


def gold_file(folder, *labels):
    path = folder / "gold.jsonl"
    pairs = (
        pair_of(id=str(number), category="math", metadata={} if label is None else {"gold": label})
        for number, label in enumerate(labels)
    )
    write_pairs(path, pairs)
    return path


def test_the_pairs_that_have_a_vote_are_the_data_set(tmp_path, pairs_path):
    votes = [HumanVote("sum", "ann", Ballot.A), HumanVote("sky", "bob", Ballot.BOTH_BAD, note="hm")]
    dataset = read(pairs_path, Wanted(votes=vote_file(tmp_path, *votes)))
    assert [pair.id for pair in dataset.pairs] == ["sky", "sum"]  # in the order of the pair file
    assert dataset.votes == tuple(votes)
    assert dataset.broken == {"pair without a vote": 2}
    assert (dataset.name, dataset.source) == ("pairs.jsonl", "own pairs, votes of votes.jsonl")


def test_votes_on_another_turn_are_counted(tmp_path, pairs_path):
    votes = [HumanVote("sum", "ann", Ballot.A), HumanVote("sky", "ann", Ballot.B, turn=2)]
    path = vote_file(tmp_path, *votes)
    assert read(pairs_path, Wanted(votes=path)).votes == (votes[0],)
    assert read(pairs_path, Wanted(votes=path)).broken == {
        "vote on another turn": 1,
        "pair without a vote": 3,
    }
    assert read(pairs_path, Wanted(votes=path, turn=2)).votes == (votes[1],)
    assert read(pairs_path, Wanted(votes=path, turn=None)).votes == tuple(votes)


def test_votes_on_unknown_pairs_are_refused_and_the_first_are_named(tmp_path, pairs_path):
    unknown = [HumanVote(f"no-{number}", who, Ballot.A) for number in range(9) for who in ("ann", "bob")]
    path = vote_file(tmp_path, HumanVote("sum", "ann", Ballot.A), *unknown)
    with pytest.raises(InputError) as caught:
        read(pairs_path, Wanted(votes=path))
    assert str(caught.value).startswith(
        f"{path}: votes on 9 pairs that pairs.jsonl does not have: no-0, no-1, "
    )
    assert "no-8" not in str(caught.value)


def test_a_bad_vote_file_names_its_lines(tmp_path, pairs_path):
    path = tmp_path / "votes.jsonl"
    path.write_text('{"pair_id": "sum", "voter": "ann", "outcome": "left"}\n', encoding="utf-8")
    with pytest.raises(BadLines, match=r"votes\.jsonl:1: outcome is 'left'"):
        read(pairs_path, Wanted(votes=str(path)))


def test_an_empty_vote_file_leaves_no_pair(tmp_path, pairs_path):
    with pytest.raises(InputError, match=r"no pair with a vote is left \(left out: pair without a vote: 4\)"):
        read(pairs_path, Wanted(votes=vote_file(tmp_path)))


def test_a_column_gold_is_one_vote_a_pair(tmp_path):
    dataset = read(gold_file(tmp_path, "A", "B", "TIE"), Wanted())
    assert dataset.votes == tuple(
        HumanVote(str(number), "gold", ballot, category="math")
        for number, ballot in enumerate((Ballot.A, Ballot.B, Ballot.TIE))
    )
    assert (dataset.name, dataset.source, dataset.broken) == ("gold.jsonl", "own pairs, column gold", {})


def test_a_gold_label_may_be_spelled_as_arenas_do(tmp_path):
    dataset = read(gold_file(tmp_path, " a ", "model_b", "Tie", "tie (bothbad)", "both good"), Wanted())
    assert [vote.outcome.value for vote in dataset.votes] == ["A", "B", "TIE", "TIE", "TIE"]
    assert dataset.broken == {}


def test_a_gold_label_that_is_not_understood_is_counted_and_named_with_its_rows(tmp_path):
    dataset = read(gold_file(tmp_path, "A", "model_c", 1, ["A"], "model_c", "", None), Wanted())
    assert [pair.id for pair in dataset.pairs] == ["0"]
    unknown = "gold is not A, B, TIE ('model_c' in rows 2, 5; 1 in row 3; ['A'] in row 4)"
    assert dataset.broken == {unknown: 4, "pair without a vote": 2}


def test_where_no_gold_label_is_understood_the_error_names_them(tmp_path):
    with pytest.raises(InputError, match=r"Left out: gold is not A, B, TIE \('model_c' in row 1\): 1\.$"):
        read(gold_file(tmp_path, "model_c", None), Wanted())


def test_a_file_of_votes_goes_before_the_column_gold(tmp_path):
    path = vote_file(tmp_path, HumanVote("0", "ann", Ballot.B))
    assert [vote.voter for vote in read(gold_file(tmp_path, "A"), Wanted(votes=path)).votes] == ["ann"]


def test_without_votes_and_gold_the_error_says_both_ways(pairs_path):
    with pytest.raises(InputError) as caught:
        read(pairs_path, Wanted())
    assert str(caught.value) == (
        "pairs.jsonl: no votes. Name a file of votes with --votes, "
        "or give the pairs a column gold that is one of A, B, TIE."
    )


BATTLES = [
    {"id": f"q{n}", "prompt": f"{n}?", "response_a": "yes", "response_b": "no", "winner": winner, "turn": 1}
    for n, winner in enumerate(("model_a", "tie", None, "model_b"))
]


def battles_file(folder, **more):
    path = folder / "battles.jsonl"
    path.write_text("".join(json.dumps(row | more) + "\n" for row in BATTLES), encoding="utf-8")
    return path


def test_the_labels_of_another_tools_file_are_its_votes(tmp_path, capsys):
    dataset = read(battles_file(tmp_path), Wanted(turn=None))
    assert [(vote.pair_id, vote.outcome) for vote in dataset.votes] == [
        ("q0", Ballot.A),
        ("q1", Ballot.TIE),
        ("q3", Ballot.B),
    ]
    assert [pair.id for pair in dataset.pairs] == ["q0", "q1", "q3"]
    assert dataset.broken == {"pair without a vote": 1}
    assert dataset.source == "own pairs, labels of the file"
    assert not any("winner" in pair.metadata for pair in dataset.pairs)
    assert "battles.jsonl: read as arena votes: 4 pairs, 3 votes" in capsys.readouterr().err


def test_votes_on_pairs_of_another_tools_file_go_before_its_labels_and_a_stays_a(tmp_path):
    votes = [HumanVote("q0", "ann", Ballot.B)]
    dataset = read(battles_file(tmp_path), Wanted(votes=vote_file(tmp_path, *votes)))
    assert dataset.votes == tuple(votes)
    assert [pair.response_b for pair in dataset.pairs] == ["no"]


def test_a_column_gold_goes_before_other_labels(tmp_path):
    dataset = read(battles_file(tmp_path, gold="B"), Wanted())
    assert {(vote.voter, vote.outcome) for vote in dataset.votes} == {("gold", Ballot.B)}


def test_a_file_of_battles_is_a_file_of_votes(tmp_path):
    path = battles_file(tmp_path)
    assert read(path, Wanted(votes=str(path))).votes == read(path, Wanted()).votes


N = 10
"""So many pairs that a hash leaves some of them as they are and turns others."""


@pytest.fixture
def good_and_bad(tmp_path):
    """Pairs whose a is the better answer, by their ids."""
    pairs = [pair_of(f"Good answer {n}.", f"Bad answer {n}.", f"Question {n}?", f"q{n}") for n in range(N)]
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    return pairs


def labels_in(folder, form, pairs, names=("response_a", "response_b"), id=lambda pair: pair.id):
    """A file of another tool in which every pair's a is the better answer."""
    rows = {
        "preferences": lambda one: {
            "prompt": one.prompt,
            "chosen": one.response_a,
            "rejected": one.response_b,
        },
        "argilla": lambda one: {
            "fields": {"prompt": one.prompt, names[0]: one.response_a, names[1]: one.response_b},
            "responses": {"best": [{"value": names[0], "user_id": "ann"}]},
        },
        "label-studio": lambda one: {
            "data": {"prompt": one.prompt, names[0]: one.response_a, names[1]: one.response_b},
            "annotations": [{"completed_by": 1, "result": [{"value": {"selected": "left"}}]}],
        },
        "alpacaeval": lambda one: {
            "instruction": one.prompt,
            "output_1": one.response_a,
            "output_2": one.response_b,
            "preference": 1,
        },
    }
    path = folder / f"{form}.jsonl"
    path.write_text("".join(json.dumps({"id": id(one)} | rows[form](one)) + "\n" for one in pairs), "utf-8")
    return str(path)


@pytest.mark.parametrize("names", [("response_a", "response_b"), ("answer1", "answer2")])
@pytest.mark.parametrize("form", ["argilla", "label-studio", "alpacaeval", "preferences"])
def test_labels_beside_a_file_of_pairs_are_in_the_terms_of_its_texts(tmp_path, good_and_bad, form, names):
    for id in (lambda pair: pair.id, lambda pair: "", lambda pair: f"other {pair.id}"):
        path = labels_in(tmp_path, form, good_and_bad, names, id)
        votes = read(tmp_path / "pairs.jsonl", Wanted(votes=path)).votes
        assert {vote.pair_id: vote.outcome for vote in votes} == {f"q{n}": Ballot.A for n in range(N)}


def test_a_label_is_turned_round_with_its_models_where_the_answers_stand_the_other_way(tmp_path):
    path = battles_file(tmp_path, model_a="old", model_b="new", winner="old")
    for pair, ballot, models in (
        (pair_of("yes", " no\r\n", "0?", "q0"), Ballot.A, ("old", "new")),
        (pair_of(" no\r\n", "yes", "0?", "q0"), Ballot.B, ("new", "old")),
    ):
        [vote] = [vote for vote in read_votes_on(path, [pair]) if vote.pair_id == "q0"]
        assert (vote.outcome, (vote.model_a, vote.model_b)) == (ballot, models)


def test_labels_on_other_texts_than_the_pair_of_their_id_are_left_out_and_named(
    tmp_path, good_and_bad, capsys
):
    others = [pair_of("Another.", "Yet another.", one.prompt, one.id) for one in good_and_bad[:2]]
    path = labels_in(tmp_path, "argilla", [*others, *good_and_bad[2:]])
    dataset = read(tmp_path / "pairs.jsonl", Wanted(votes=path))
    assert [pair.id for pair in dataset.pairs] == [f"q{n}" for n in range(2, N)]
    left_out = "on these pairs vote: on other texts than the pair of its id: 2 (q0, q1) left out."
    assert f"{path}: {left_out}" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"no vote is on one of the pairs: .* other texts \(q0, q1\)\.$"):
        read(tmp_path / "pairs.jsonl", Wanted(votes=labels_in(tmp_path, "argilla", others)))


def test_without_the_pairs_labels_are_refused_unless_something_says_which_answer_is_a(tmp_path, good_and_bad):
    for form, names in (("preferences", ()), ("argilla", ("answer1", "answer2"))):
        with pytest.raises(InputError, match=r"it calls no answer a, .* Give the pairs, too: --pairs FILE"):
            read_votes_on(labels_in(tmp_path, form, good_and_bad, names), None)
        assert len(read_votes_on(labels_in(tmp_path, form, good_and_bad, names, lambda pair: ""), None)) == N
    assert len(read_votes_on(labels_in(tmp_path, "argilla", good_and_bad), None)) == N
    assert len(read_votes_on(battles_file(tmp_path), None)) == 3


def test_a_column_gold_is_a_vote_on_the_last_turn(tmp_path):
    talk = [("user", "One?"), ("assistant", "1"), ("user", "Two?"), ("assistant", "2")]
    messages = [{"role": role, "content": text} for role, text in talk]
    second = {"id": "second", "conversation_a": messages, "conversation_b": [*messages[:-1], messages[1]]}
    first = {"id": "first", "prompt": "One?", "response_a": "1", "response_b": "2"}
    path = tmp_path / "gold.jsonl"
    path.write_text("".join(json.dumps(row | {"gold": "A"}) + "\n" for row in (first, second)), "utf-8")
    for turn, ids in ((1, ["first"]), (2, ["second"]), (None, ["first", "second"])):
        dataset = read(path, Wanted(turn=turn))
        assert [pair.id for pair in dataset.pairs] == ids
        assert dataset.broken.get("vote on another turn", 0) == 2 - len(ids)
    assert [vote.turn for vote in read(path, Wanted(turn=None)).votes] == [1, 2]
    with pytest.raises(InputError, match=r"no pair with a vote is left .*vote on another turn: 2"):
        read(path, Wanted(turn=3))


def test_labels_that_are_not_understood_are_named_where_there_is_no_other_vote(tmp_path):
    path = battles_file(tmp_path, winner="who knows")
    with pytest.raises(InputError, match=r"no votes\. .* Left out: vote: an unknown winner 'who knows': 4\."):
        read(path, Wanted())
    with pytest.raises(
        InputError, match=r"no votes in it \(left out: vote: an unknown winner 'who knows': 4\)"
    ):
        read(path, Wanted(votes=str(path)))


def test_named_columns_are_pairs_and_their_outcome_the_votes(tmp_path):
    (tmp_path / "own.csv").write_text("q,old,new,better\nWhy?,So.,No.,new\nHow?,Thus.,Hm.,old\n", "utf-8")
    dataset = source_of(
        str(tmp_path / "own.csv"), "prompt=q,response_a=old,response_b=new,outcome=better"
    ).read(Wanted(turn=None))
    assert [pair.response_a for pair in dataset.pairs] == ["So.", "Thus."]
    assert [vote.outcome for vote in dataset.votes] == [Ballot.B, Ballot.A]
    with pytest.raises(InputError, match="--map: mt-bench is a data set, whose columns are known"):
        source_of("mt-bench", "prompt=q")
