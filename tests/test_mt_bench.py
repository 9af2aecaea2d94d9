"""MT-bench: pairs, votes and released verdicts on the real files and on made ones, and judged for real."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import Counter
from functools import cache

import pytest
from hub import serve

from judge.datasets.dataset import Wanted
from judge.datasets.mt_bench import GPT_4, HUMAN, QUESTIONS, read, released_verdicts, voted_pairs
from judge.datasets.sources import published_rows
from judge.errors import InputError
from judge.io.verdicts import read_verdicts
from judge.records import Ballot, HumanVote, Message, Outcome, Pair, Status, Verdict, sha256_of_json

CATEGORIES = {"writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities"}

QUESTION = {"category": "math", "turns": ["2 + 2?", "And 3 + 3?"], "reference": ["4", "6"]}


def conversation(first, second):
    texts = ("2 + 2?", first, "And 3 + 3?", second)
    roles = ("user", "assistant") * 2
    return [{"content": text, "role": role} for text, role in zip(texts, roles, strict=True)]


VOTE = {
    "question_id": 81,
    "model_a": "zebra",
    "model_b": "ant",
    "winner": "model_a",
    "judge": "expert_1",
    "conversation_a": conversation("four", "six"),
    "conversation_b": conversation("five", ""),
    "turn": 1,
}
TURNED = VOTE | {
    "model_a": "ant",
    "model_b": "zebra",
    "conversation_a": VOTE["conversation_b"],
    "conversation_b": VOTE["conversation_a"],
}


def folder_of(folder, *votes, released=(VOTE,), questions=(QUESTION,)):
    """A folder of local copies with these rows."""
    for source, rows in ((HUMAN, votes), (GPT_4, released), (QUESTIONS, questions)):
        path = folder / source.file
        path.parent.mkdir(exist_ok=True)
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return folder


# --- the real files --------------------------------------------------------------------------------------


@cache
def whole(data_dir, turn, votes):
    return read(Wanted(data_dir, turn, votes))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("turn", "votes", "n_pairs", "n_votes"),
    [
        (1, "experts", 821, 1_343),
        (1, "", 821, 1_343),
        (1, "authors", 299, 346),
        (2, "experts", 812, 1_325),
        (2, "all", 904, 1_666),
        (None, "experts", 821 + 812, 1_343 + 1_325),
    ],
)
def test_the_numbers_of_pairs_and_votes_are_the_known_ones(data_dir, turn, votes, n_pairs, n_votes):
    dataset = whole(data_dir, turn, votes)
    assert (len(dataset.pairs), len(dataset.votes)) == (n_pairs, n_votes)
    assert {vote.pair_id for vote in dataset.votes} == {pair.id for pair in dataset.pairs}
    assert dataset.broken == {}


@pytest.mark.slow
def test_the_one_second_vote_of_a_voter_on_a_pair_counts_as_it_was_released(data_dir):
    dataset = whole(data_dir, None, "all")
    assert len(dataset.votes) == 3_355
    seen = Counter((vote.pair_id, vote.voter) for vote in dataset.votes)
    assert [key for key, n in seen.items() if n > 1] == [
        ("mt-bench-128-claude-v1-gpt-3.5-turbo-1", "author_0")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("turn", [1, 2])
def test_every_voted_pair_is_there_once_whichever_way_round_its_votes_name_it(data_dir, turn):
    lines = gzip.decompress((data_dir / HUMAN.file).read_bytes()).splitlines()
    votes = [vote for vote in map(json.loads, lines) if vote["turn"] == turn]
    expected = {(vote["question_id"], frozenset((vote["model_a"], vote["model_b"]))) for vote in votes}
    pairs = voted_pairs(data_dir, turn)
    found = {
        (pair.metadata["question_id"], frozenset((pair.metadata["model_a"], pair.metadata["model_b"])))
        for pair in pairs
    }
    assert len(pairs) == len(found)
    assert found == expected
    assert {pair.category for pair in pairs} == CATEGORIES
    assert all(len(pair.conversation_a) == len(pair.conversation_b) == 2 * turn for pair in pairs)
    assert all(pair.conversation_a[-1].role == "assistant" for pair in pairs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("turn", "digits"),
    [
        (1, "6d68081857ea26b943ec968f90edff8ff2882169c4b432856262e55032fe214b"),
        (2, "ddfb2044f387540eb5ff705a7b7d6fa4452c102ef0ea4e811d663e8a9ee091b9"),
    ],
)
def test_ids_and_contents_never_change_as_ledgers_and_results_hold_them(data_dir, turn, digits):
    assert sha256_of_json([[pair.id, pair.content_hash] for pair in voted_pairs(data_dir, turn)]) == digits


@pytest.mark.slow
def test_each_side_keeps_its_own_models_text(data_dir):
    lines = gzip.decompress((data_dir / HUMAN.file).read_bytes()).splitlines()
    text_of = {}
    for vote in map(json.loads, lines):
        for side in "ab":
            text_of[vote["question_id"], vote[f"model_{side}"]] = vote[f"conversation_{side}"][1]["content"]
    for pair in voted_pairs(data_dir):
        for side, response in (("a", pair.response_a), ("b", pair.response_b)):
            assert response == text_of[pair.metadata["question_id"], pair.metadata[f"model_{side}"]]


@pytest.mark.slow
@pytest.mark.parametrize("turn", [1, 2])
def test_each_vote_is_for_the_model_that_its_row_names(data_dir, turn):
    dataset = whole(data_dir, turn, "experts")
    named = Counter()
    for row in published_rows(HUMAN, data_dir):
        if row["turn"] == turn and row["judge"].startswith("expert"):
            models = tuple(sorted((row["model_a"], row["model_b"])))
            named[row["question_id"], models, row["judge"], row.get(row["winner"])] += 1
    question_of = {pair.id: pair.metadata["question_id"] for pair in dataset.pairs}
    found = Counter()
    for vote in dataset.votes:
        winner = {Ballot.A: vote.model_a, Ballot.B: vote.model_b}.get(vote.outcome)
        found[question_of[vote.pair_id], (vote.model_a, vote.model_b), vote.voter, winner] += 1
        assert vote.turn == turn
    assert found == named


@pytest.mark.slow
def test_a_pair_has_its_category_and_the_reference_of_its_turn(data_dir):
    questions = {row["question_id"]: row for row in published_rows(QUESTIONS, data_dir)}
    dataset = whole(data_dir, None, "all")
    with_reference = 0
    for pair in dataset.pairs:
        question, turn = questions[pair.metadata["question_id"]], int(pair.id[-1])
        assert pair.category == question["category"]
        assert pair.reference == (question["reference"][turn - 1] if question["reference"] else None)
        with_reference += pair.reference is not None
        assert pair.prompt == question["turns"][turn - 1]
    assert 0 < with_reference < len(dataset.pairs)
    category_of = {pair.id: pair.category for pair in dataset.pairs}
    assert all(vote.category == category_of[vote.pair_id] for vote in dataset.votes)


@pytest.mark.slow
def test_every_pair_has_gpt_4s_released_verdict(data_dir):
    dataset = whole(data_dir, 1, "all")
    assert [verdict.pair_id for verdict in dataset.released["gpt-4"]] == [pair.id for pair in dataset.pairs]
    assert {verdict.judge for verdict in dataset.released["gpt-4"]} == {"gpt-4 (released)"}


def test_gpt_4_flips_on_15_7_percent_of_all_released_pairs_of_turn_1(data_dir):
    verdicts = released_verdicts(Wanted(data_dir, 1))
    assert len({verdict.pair_id for verdict in verdicts}) == len(verdicts) == 1_200
    assert Counter(verdict.status for verdict in verdicts) == {
        Status.INCONSISTENT: 188,
        Status.CONSISTENT: 1_012,
    }
    assert round(100 * 188 / 1_200, 1) == 15.7
    assert Counter(v.outcome for v in verdicts)[Outcome.TIE] == 188 + 130
    assert len(released_verdicts(Wanted(data_dir, None))) == 2_400


@pytest.mark.slow
def test_the_hub_gives_the_same_data_set_as_the_folder(data_dir, tmp_path, monkeypatch):
    released = [row | {"judge": ["gpt-4", "pair-v2"]} for row in published_rows(GPT_4, data_dir)]
    prompts = [
        {
            "prompt": row["turns"],
            "prompt_id": 10_000 + number,
            "category": row["category"],
            "reference": row["reference"] or [],
        }
        for number, row in enumerate(published_rows(QUESTIONS, data_dir))
    ]
    serve(
        tmp_path,
        monkeypatch,
        {HUMAN: published_rows(HUMAN, data_dir), GPT_4: released, QUESTIONS: prompts[::-1]},
    )
    assert read(Wanted(None, None, "all")) == read(Wanted(data_dir, None, "all"))


# --- made rows -------------------------------------------------------------------------------------------


def test_a_vote_is_a_pair_of_conversations_up_to_its_turn_and_a_is_the_first_model_by_name(tmp_path):
    dataset = read(Wanted(folder_of(tmp_path, VOTE)))
    asked = Message("user", "2 + 2?")
    assert dataset.pairs == (
        Pair(
            id="mt-bench-81-ant-zebra-1",
            conversation_a=(asked, Message("assistant", "five")),
            conversation_b=(asked, Message("assistant", "four")),
            category="math",
            reference="4",
            metadata={"question_id": 81, "model_a": "ant", "model_b": "zebra"},
        ),
    )
    assert dataset.votes == (
        HumanVote("mt-bench-81-ant-zebra-1", "expert_1", Ballot.B, 1, "math", "ant", "zebra"),
    )


def test_a_second_turn_has_the_whole_conversation_and_its_own_reference(tmp_path):
    (pair,) = read(Wanted(folder_of(tmp_path, VOTE | {"turn": 2}, released=[VOTE | {"turn": 2}]), 2)).pairs
    assert (pair.id, len(pair.conversation_a)) == ("mt-bench-81-ant-zebra-2", 4)
    assert (pair.prompt, pair.response_b, pair.reference) == ("And 3 + 3?", "six", "6")


def test_votes_that_name_the_models_either_way_round_are_on_one_pair(tmp_path):
    rows = [VOTE, TURNED | {"judge": "expert_2"}, TURNED | {"judge": "expert_3", "winner": "tie"}]
    dataset = read(Wanted(folder_of(tmp_path, *rows)))
    assert len(dataset.pairs) == 1
    assert [(vote.voter, vote.outcome) for vote in dataset.votes] == [
        ("expert_1", Ballot.B),  # zebra
        ("expert_2", Ballot.A),  # ant
        ("expert_3", Ballot.TIE),
    ]


def test_experts_and_authors_are_told_apart(tmp_path):
    folder = folder_of(tmp_path, VOTE, VOTE | {"judge": "author_1"}, VOTE | {"judge": "author_2"})
    assert [len(read(Wanted(folder, 1, who)).votes) for who in ("experts", "authors", "all")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"winner": "model_c"}, "unknown winner ('model_c' in row 2)"),
        ({"winner": None}, "unknown winner (None in row 2)"),
        ({"judge": None}, "no voter"),
        ({"turn": "1"}, "unknown turn"),
        ({"turn": 3}, "unknown turn"),
        ({"turn": True}, "unknown turn"),
        ({"question_id": None}, "no question_id"),
        ({"model_a": None}, "no model name"),
        ({"model_a": "ant"}, "a model against itself"),
        ({"conversation_a": None}, "no conversation"),
        ({"conversation_b": []}, "no conversation"),
        ({"conversation_b": VOTE["conversation_b"][:1]}, "fewer messages than the turn needs"),
        ({"conversation_b": VOTE["conversation_b"][1:]}, "roles that do not alternate"),
        ({"conversation_b": ["2 + 2?", "four"]}, "a message without role or content"),
        ({"conversation_b": [{"role": "user"}] * 2}, "a message without role or content"),
        (
            {"conversation_b": [{"role": "user", "content": "3?"}, *VOTE["conversation_b"][1:]]},
            "two different questions",
        ),
        (
            {"conversation_a": conversation("other", ""), "judge": "expert_9"},
            "other texts than an earlier row of the pair",
        ),
    ],
)
def test_a_broken_row_is_counted_by_its_reason_and_the_others_stay(tmp_path, change, reason):
    dataset = read(Wanted(folder_of(tmp_path, VOTE, VOTE | change)))
    assert dataset.broken == {reason: 1}
    assert (len(dataset.pairs), len(dataset.votes)) == (1, 1)


def test_a_question_that_nobody_asked_is_counted(tmp_path):
    folder = folder_of(tmp_path, VOTE, questions=[QUESTION | {"turns": ["3 + 3?", ""]}])
    with pytest.raises(InputError, match=r"MT-bench: no pair .* is left \(left out: unknown question: 1\)"):
        read(Wanted(folder))


@pytest.mark.parametrize(
    ("winner", "status", "outcome"),
    [
        ("model_a", Status.CONSISTENT, Outcome.B),
        ("model_b", Status.CONSISTENT, Outcome.A),
        ("tie", Status.CONSISTENT, Outcome.TIE),
        ("tie (inconsistent)", Status.INCONSISTENT, Outcome.TIE),
    ],
)
def test_a_released_winner_is_a_verdict_without_readings(tmp_path, winner, status, outcome):
    folder = folder_of(tmp_path, VOTE, released=[VOTE | {"winner": winner, "judge": ["gpt-4", "pair-v2"]}])
    id = "mt-bench-81-ant-zebra-1"
    verdict = Verdict(id, status, outcome, None, None, {}, "gpt-4 (released)")
    assert read(Wanted(folder)).released == {"gpt-4": (verdict,)}
    assert released_verdicts(Wanted(folder)) == [verdict]


def test_released_verdicts_are_given_on_all_pairs_or_not_at_all(tmp_path):
    folder = folder_of(tmp_path, VOTE, released=[VOTE | {"winner": "error"}, VOTE | {"turn": 2}])
    dataset = read(Wanted(folder))
    assert dataset.released == {}
    assert dataset.broken == {
        "released verdict: unknown winner ('error' in row 1)": 1,
        "pair without a released verdict": 1,
    }


def test_what_mt_bench_does_not_have_is_refused(tmp_path):
    folder = folder_of(tmp_path, VOTE)
    with pytest.raises(InputError, match="turn 3: MT-bench has turn 1 and turn 2"):
        read(Wanted(folder, 3))
    with pytest.raises(InputError, match="votes 'friends': MT-bench has those of experts, authors, all"):
        read(Wanted(folder, 1, "friends"))


def test_a_folder_without_the_data_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="JUDGE_DATA names a folder"):
        voted_pairs(tmp_path)


@pytest.mark.weights
@pytest.mark.parametrize(("n", "base_model"), [(50, "small"), (4, "real")])
def test_pairs_are_converted_and_judged_from_the_command_line(data_dir, small, tmp_path, n, base_model):
    """Four with the real weights, and fifty with the real tokenizer and a small random model."""
    pairs, verdicts = tmp_path / "pairs.jsonl", tmp_path / "verdicts.jsonl"
    convert = ["-m", "judge.datasets.mt_bench", "--data-dir", str(data_dir), "--out", str(pairs)]
    subprocess.run([sys.executable, *convert], check=True)
    judge = ["run", str(pairs), "--limit", str(n), "--out", str(verdicts)]
    judge += ["--ledger", str(tmp_path / "l.sqlite")]
    judge += ["--base-model", str(small), "--dtype", "float32"] if base_model == "small" else []
    subprocess.run([sys.executable, "-m", "judge", *judge], check=True)
    judged = read_verdicts(verdicts)
    assert len(judged) == n
    assert {verdict.status for verdict in judged} <= {Status.CONSISTENT, Status.INCONSISTENT}
    readings = [reading for verdict in judged for reading in verdict.readings.values()]
    written = [[step.tokens_out for step in one.steps] or [one.tokens_out] for one in readings]
    assert set(map(tuple, written)) == (
        {(4,)} if base_model == "small" else {(4, 4)}
    )  # a verdict; a grade of each answer
