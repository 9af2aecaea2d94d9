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


@pytest.mark.parametrize("is_replayed", [False, True])
def test_equal_answers_are_a_tie_though_nobody_asked(tmp_path, method, is_replayed):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        judged = judge_pairs([*FOUR_PAIRS, EQUAL], method, ledger)
        fingerprint = method.identity.fingerprint
        assert verdicts_of(fingerprint, [*FOUR_PAIRS, EQUAL], ledger, is_replayed) == judged
        with pytest.raises(InputError, match=r": 1 of 2 pairs are not read\.$"):
            verdicts_of(fingerprint, [FOUR_PAIRS[0], pair_of("new", "newer")], ledger, is_replayed)


def test_an_older_run_that_asked_about_equal_answers_keeps_what_it_heard(tmp_path, method):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        fingerprint = ledger.register(method.identity)
        ledger.record(fingerprint, read_batch([EQUAL], method))
        ([asked], [replayed]) = (verdicts_of(fingerprint, [EQUAL], ledger, again) for again in (False, True))
        assert not asked.is_identical
        assert replayed.is_identical


def test_a_figure_that_is_worked_out_no_longer_is_left_out():
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10}
    old = {"strict": figure, "by_mean": figure, "kept": {"value": 1}}
    assert renewed(old, {"strict": {**figure, "value": 0.55}}) == {
        "strict": {**figure, "value": 0.55},
        "kept": {"value": 1},
    }
