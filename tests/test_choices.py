"""Where a dual judge would work a verdict out: shares, thresholds and kinds of pairs."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from benchmarks import choices
from benchmarks.choices import choices_of, p_slow_in, threshold_of, worked_out
from judge.bench.run import source_of
from judge.datasets.dataset import Wanted
from judge.errors import InputError
from judge.io.pairs import write_pairs
from judge.io.votes import write_votes
from judge.ledger.ledger import Entry, Ledger
from judge.methods.dual import choice_of
from judge.options import judge_options
from judge.records import Ballot, Choice, HumanVote, Identity, Judgment, Order, Pair

N = 12
PAIRS = [
    Pair.of(f"Why {n}?", f"So {n}.", f"No idea {n}.", id=f"p{n}", category="math" if n % 2 else "writing")
    for n in range(N)
]
TOKENS = {"fast": 4, "slow": 100, "auto": 50}


def identity(way):
    method = {"fast": "dual", "slow": "dual-slow", "auto": "dual-auto"}[way]
    rest = {"prompts": "p", "letters": "AB", "decoding": "d", "sample": 0, "backend": "scripted"}
    return Identity(
        "tiny", "hash", "two", "adapter", method, **rest, dtype="f", overflow="trim", max_prompt_tokens=9
    )


def first_is_better(order):
    return Choice.FIRST if order is Order.AB else Choice.SECOND


def reading(way, number, order):
    """The fast judge always says the first of the last four pairs; the slow one is right everywhere.

    It would think with a probability that grows with the pair's number.
    """
    stuck = way == "fast" and number >= 8
    choice = Choice.FIRST if stuck else first_is_better(order)
    steps = (choice_of(number >= 8, number / 100),) if way == "auto" else ()
    return Judgment(choice, None, "", 10, TOKENS[way], steps=steps)


@pytest.fixture
def measured(tmp_path):
    """A result file's dictionary and an open ledger with the readings behind it."""
    write_pairs(tmp_path / "pairs.jsonl", PAIRS)
    voted = [HumanVote(pair.id, "one", Ballot.A) for pair in PAIRS]
    voted += [HumanVote(pair.id, "two", Ballot.B if n >= 10 else Ballot.A) for n, pair in enumerate(PAIRS)]
    write_votes(tmp_path / "votes.jsonl", voted)
    selection = {"data_set": str(tmp_path / "pairs.jsonl"), "turn": "any", "categories": [], "limit": None}
    selection["votes"] = str(tmp_path / "votes.jsonl")
    data = source_of(selection["data_set"]).read(Wanted(None, None, selection["votes"]))
    made = [
        {"name": f"dual {way}", "fingerprint": identity(way).fingerprint, "identity": asdict(identity(way))}
        for way in TOKENS
    ]
    result = {"seed": 0, "judges": made, "data": {"name": "own", "hash": data.hash, "selection": selection}}
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for way in TOKENS:
            ledger.register(identity(way))
            entries = [
                Entry(pair.content_hash, order, reading(way, number, order), 0.1)
                for number, pair in enumerate(PAIRS)
                for order in Order
            ]
            ledger.record(identity(way).fingerprint, entries)
        yield result, ledger


def test_thinking_where_it_is_likeliest_mends_what_the_fast_judge_gets_wrong(measured):
    made = choices_of(*measured, "dual", None)
    by_share = {round(one["share"], 2): one for one in made["shares"]}
    fast, third, slow = by_share[0.0], by_share[0.33], by_share[1.0]
    assert fast["tokens_out"] == 8
    assert slow["tokens_out"] == 200
    assert third["tokens_out"] == pytest.approx(8 * 8 / 12 + 200 * 4 / 12), "the last four pairs"
    right = (
        8 / 12
    )  # of the votes: pairs 10 and 11 have one for each side, and there the fast judge is no help
    assert fast["strict"]["value"] == pytest.approx(right)
    assert slow["strict"]["value"] == third["strict"]["value"] == pytest.approx((10 * 2 + 2) / 24)
    assert third["inconsistent"]["value"] == 0
    assert fast["inconsistent"]["value"] == pytest.approx(4 / 12)
    assert fast["less_fast"] is None
    assert third["less_fast"]["value"] == pytest.approx(22 / 24 - right)
    assert third["less_fast"]["low"] <= third["less_fast"]["value"] <= third["less_fast"]["high"]


def test_it_is_told_where_it_would_think(measured):
    groups = {one["of"]: one for one in choices_of(*measured, "dual", None)["groups"]}
    assert set(groups) == {
        "all pairs",
        "fast verdict consistent",
        "fast verdict inconsistent",
        "people agree",
        "people disagree",
        "math",
        "writing",
    }
    assert groups["all pairs"]["p_slow"]["value"] == pytest.approx(np.mean(np.arange(N)) / 100)
    assert groups["fast verdict inconsistent"]["in_the_third"]["value"] == 1
    assert groups["fast verdict consistent"]["in_the_third"]["value"] == 0
    assert groups["people disagree"]["n_pairs"] == 2


def test_a_threshold_leaves_the_share_above_it():
    p_slow = np.array([[0.1, 0.4], [0.2, 0.3]])
    assert [(p_slow > threshold_of(p_slow, share)).sum() for share in (0, 0.25, 0.5, 1)] == [0, 1, 2, 4]


def test_equal_probabilities_are_on_one_side_of_a_threshold():
    p_slow = np.full((2, 2), 0.5)
    assert (p_slow > threshold_of(p_slow, 0.5)).sum() == 0


def test_every_threshold_is_one_that_a_judge_takes_and_at_one_all_is_worked_out():
    p_slow = np.array([[0.0, 0.4], [0.2, 1.0]])  # as it was written down: of decimals, 0 may be left
    for share in choices.SHARES:
        judge_options(slow_above=threshold_of(p_slow, share))
    assert worked_out(p_slow, 1.0).all()


def test_the_share_in_a_row_is_the_one_that_was_worked_out(measured, monkeypatch):
    monkeypatch.setattr(choices, "p_slow_in", lambda reading: 0.5)
    made = choices_of(*measured, "dual", None)
    assert [one["worked_out"] for one in made["shares"]] == [0, 0, 0, 0, 0, 1]
    cells = [line.split(" | ")[1] for line in choices.table_of([made]).splitlines()[2:8]]
    assert cells == ["0%"] * 5 + ["100%"]


def test_probabilities_that_differ_in_the_sixth_decimal_are_told_apart():
    steps = [choice_of(True, p) for p in (0.731212, 0.731214)]
    one, other = (p_slow_in(Judgment(Choice.FIRST, None, "", 0, 0, steps=(step,))) for step in steps)
    assert one < other


def test_a_reading_of_which_no_model_was_asked_would_not_think():
    assert p_slow_in(Judgment(Choice.TIE, None, "", 0, 0)) == 0


def test_a_student_that_is_not_in_the_file_is_named(measured):
    with pytest.raises(InputError, match="--student other: the result file has no judge called other fast"):
        choices_of(*measured, "other", None)


def test_the_command_writes_a_result_with_provenance_and_prints_its_table(measured, tmp_path, capsys):
    result, _ = measured
    (tmp_path / "result.json").write_text(json.dumps(result), encoding="utf-8")
    out = tmp_path / "choices.json"
    arguments = [str(tmp_path / "result.json"), "--ledger", str(tmp_path / "ledger.sqlite")]
    choices.main([*arguments, "--student", "dual", "--out", str(out)])
    made = json.loads(out.read_text(encoding="utf-8"))
    assert {"commit", "cpu", "versions", "seed", "base_model_hash", "data_hash"} <= set(made)
    table = capsys.readouterr().out
    assert "| own | 33% | 72 | 91.7 " in table
    assert "| own | people disagree | 2 | 0.105 | 100.0 " in table
