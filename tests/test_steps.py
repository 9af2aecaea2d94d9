"""What a slow judge did, as people see it."""

from __future__ import annotations

from pairs import FOUR_PAIRS, pair_of

from judge.backends import load_backend
from judge.drawing.steps import format_steps, scores_of, shared_steps
from judge.evaluate import judge_pairs
from judge.ledger.ledger import Ledger
from judge.methods import MethodSettings, load_method
from judge.records import Order


def verdict_of(method="bsm-text", spec="scripted:longer"):
    [verdict] = judge_pairs([pair_of("a longer answer", "short")], load_method(method, load_backend(spec)))
    return verdict


def test_the_table_shows_scores_by_criterion_and_response_in_both_orders():
    lines = format_steps(verdict_of()).splitlines()
    assert lines[:6] == [
        "                                A shown first   B shown first",
        "criterion                            A      B        A      B",
        "Content: says what was asked.     4.00   2.00     4.00   2.00",
        "Form: is easy to read.            4.00   2.00     4.00   2.00",
        "Care: says nothing wrong.         4.00   2.00     4.00   2.00",
        "sum                              12.00   6.00    12.00   6.00",
    ]


def test_scores_are_the_responses_own_whichever_was_shown_first():
    verdict = verdict_of()
    assert scores_of(verdict.readings[Order.BA], Order.BA) == scores_of(verdict.readings[Order.AB], Order.AB)


def test_plan_and_reasons_are_shown_the_plan_once():
    text = format_steps(verdict_of())
    assert text.count("branch\n  1. Content: says what was asked.") == 1
    assert text.count("Reason: it is a rule.") == 2 * 3
    assert "In its replies the judge calls the answer shown first A" in text


def test_a_long_criterion_is_folded_and_the_table_stays_within_the_width():
    lines = format_steps(verdict_of(), width=56).splitlines()
    table = lines[: lines.index("")]
    assert max(map(len, table)) <= 56
    assert "says what was" in "\n".join(table)


def test_a_method_without_scores_shows_its_replies():
    text = format_steps(verdict_of("cot"))
    assert "criterion" not in text
    assert "A shown first, reply\n  [[A]]" in text
    assert "B shown first, reply\n  [[B]]" in text


def test_a_reply_that_readings_share_is_counted_once():
    verdicts = judge_pairs(FOUR_PAIRS, load_method("bsm", load_backend("scripted:longer")))
    assert len(shared_steps(verdicts)) == 4  # questions
    assert len(shared_steps(verdicts[:1])) == 1


def test_the_seconds_of_what_readings_share_are_found_under_the_name_in_their_steps(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        method = load_method("bsm", load_backend("scripted:longer"), MethodSettings(store=ledger))
        verdicts = judge_pairs(FOUR_PAIRS, method, ledger)
        contents = [pair.content_hash for pair in FOUR_PAIRS]
        shared = [step.shared for step in shared_steps(verdicts)]
        judge = method.identity.fingerprint
        assert ledger.elapsed(judge, contents, shared) > ledger.elapsed(judge, contents) > 0
