"""Figures of a result file that are worked out again: which verdicts they stand on."""

from __future__ import annotations

import pytest
from pairs import FOUR_PAIRS, pair_of

from benchmarks.refigure import renewed, verdicts_of
from judge.backends import load_backend
from judge.errors import InputError
from judge.evaluate import judge_pairs, read_batch
from judge.ledger.ledger import Ledger
from judge.methods import load_method

EQUAL = pair_of("same", "same", id="equal")


@pytest.fixture
def method():
    return load_method("direct", load_backend("scripted:longer"))


def test_equal_answers_are_a_tie_though_nobody_asked(tmp_path, method):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        judged = judge_pairs([*FOUR_PAIRS, EQUAL], method, ledger)
        fingerprint = method.identity.fingerprint
        assert verdicts_of(fingerprint, [*FOUR_PAIRS, EQUAL], ledger) == judged
        with pytest.raises(InputError, match=r": 1 of 2 pairs are not read\.$"):
            verdicts_of(fingerprint, [FOUR_PAIRS[0], pair_of("new", "newer")], ledger)


def test_equal_answers_are_a_tie_where_an_older_run_asked_about_them(tmp_path, method):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        fingerprint = ledger.register(method.identity)
        ledger.record(fingerprint, read_batch([EQUAL], method))
        assert EQUAL.content_hash in {hash for hash, _ in ledger.find(fingerprint, {EQUAL.content_hash})}
        [verdict] = verdicts_of(fingerprint, [EQUAL], ledger)
        assert verdict.is_identical


def test_a_figure_that_is_worked_out_no_longer_is_left_out():
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10}
    old = {"strict": figure, "by_mean": figure, "kept": {"value": 1}}
    assert renewed(old, {"strict": {**figure, "value": 0.55}}) == {
        "strict": {**figure, "value": 0.55},
        "kept": {"value": 1},
    }
