"""A vote belongs to the pair that was on the screen when its key went down."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from judge.review.trail import SOONEST_S, Trail

MOVES = {
    "onward": lambda trail, now: trail.onward(f"p{trail.visit}", now),
    "stay": lambda trail, now: trail.onward(None, now),
    "back": lambda trail, now: trail.back(now),
    "to": lambda trail, now: trail.to("p0", now),
}


def walked(*moves):
    trail = Trail().to("p0", 0.0)
    for n, name in enumerate(moves, start=1):
        trail = MOVES[name](trail, float(n))
    return trail


@given(st.lists(st.sampled_from(sorted(MOVES))))
def test_no_two_visits_have_one_number_and_a_pair_is_always_there(moves):
    visits = [walked(*moves[:n]).visit for n in range(len(moves) + 1)]
    assert len(set(visits)) == len(visits)
    assert walked(*moves).at is not None


def test_back_and_onward_go_through_the_pairs_that_were_seen():
    trail = walked("onward", "onward")
    assert trail.seen == ("p0", "p1", "p2")
    back = trail.back(5.0).back(5.0)
    assert (back.at, back.has_before, back.has_after) == ("p0", False, True)
    assert back.back(6.0).at == "p0"
    assert back.onward("another", 6.0).at == "p1"
    assert trail.onward("another", 6.0).at == "another"
    assert trail.onward(None, 6.0).at == "p2"


def test_a_pair_that_was_seen_comes_up_where_it_was():
    assert walked("onward", "onward").to("p1", 9.0).seen == ("p0", "p1", "p2")
    assert walked("onward", "onward").to("p1", 9.0).at == "p1"


def test_a_key_that_comes_before_anybody_could_read_does_not_count_and_a_held_one_never_does():
    trail = Trail().to("p0", 10.0)
    assert trail.is_hasty(10.0 + 0.15)
    assert not trail.is_hasty(10.0 + SOONEST_S + 0.01)
    now = 10.0
    for _ in range(100):
        now += 0.03
        assert trail.is_hasty(now)
        trail = trail.hurried(now)
    assert (trail.at, trail.visit) == ("p0", 1)
