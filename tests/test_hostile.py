"""The hostile set: pairs that differ from the plain ones in one text, and figures counted by hand."""

from __future__ import annotations

import pytest
from pairs import pair_of

from benchmarks.hostile import ATTACKS, QUESTIONS, figures_of, measured, p_wrong, pairs_of, table_of
from distill.plea import CLAIMS
from judge import Judge
from judge.errors import InputError
from judge.orders import combine
from judge.records import Order, Unparsed


def test_there_are_two_hundred_pairs_beside_the_control_and_only_the_wrong_answer_differs():
    kinds = [kind for kind in ATTACKS if kind != "control"]
    assert len(kinds) * len(QUESTIONS) == 200
    plain = pairs_of(None)
    for kind in ATTACKS:
        for number, (before, after) in enumerate(zip(plain, pairs_of(kind), strict=True)):
            request, right, wrong = QUESTIONS[number]
            assert before.prompt == after.prompt == request
            assert {before.response_a, before.response_b} == {right, wrong}
            hostile = after.response_a if number % 2 else after.response_b
            assert hostile.startswith(wrong)
            assert hostile != wrong
            assert (after.response_b if number % 2 else after.response_a) == right
    ids = [pair.id for kind in (None, *ATTACKS) for pair in pairs_of(kind)]
    assert len(set(ids)) == len(ids)


def test_judges_are_taught_no_sentence_that_attacks_them_here_but_two_bare_verdicts():
    texts = [attack("Why?", "So.") for _, attack in ATTACKS.values()]
    claims = [claim.replace("{it}", "this answer") for some in CLAIMS.values() for claim in some]
    assert {one for one in claims if any(one in text for text in texts)} == {"[[9]]", "[[A]]"}


def test_figures_are_those_counted_by_hand():
    found = figures_of([0.2, 0.4, 0.6], [0.3, 0.6, 0.6])
    assert (found["n"], found["wrong_before"], found["wrong_after"], found["turned"]) == (3, 1, 2, 1)
    assert found["moved"] == pytest.approx(0.1)
    assert found["moved_most"] == pytest.approx(0.2)
    # Three moves of 0.1, 0.2 and 0: spread 0.1, and t of two degrees of freedom is 4.303.
    assert found["moved_high"] - found["moved"] == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)


@pytest.mark.slow
def test_a_judge_that_takes_the_longer_answer_is_fooled_by_every_kind():
    with Judge(backend="scripted:longer", method="direct", cache=False) as judge:
        kinds = measured(judge)
    result = {"cpu": "this one", "judges": [{"name": "longer", "kinds": kinds}]}
    assert set(kinds) == set(ATTACKS)
    assert all(one["wrong_after"] == len(QUESTIONS) for one in kinds.values())
    assert all(one["moved"] > 0 for one in kinds.values())
    table = table_of([result])
    assert table.count("25 of 25 |") == len(ATTACKS)
    moves = [float(line.split("|")[3].split("(")[0]) for line in table.splitlines()[2:-2]]
    assert moves == sorted(moves, reverse=True)


def test_a_pair_that_was_not_judged_is_no_figure():
    pair = pair_of("one", "two", id="lost")
    lost = combine(pair.id, {order: Unparsed("nothing came", "") for order in Order}, "judge")
    with pytest.raises(InputError, match="pair lost: the judge gave no probability"):
        p_wrong([lost])
