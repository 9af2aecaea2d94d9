"""What reviewers say beside each other and beside the judge."""

from __future__ import annotations

import random
from dataclasses import replace

import krippendorff
import numpy as np
import pytest
from pairs import pair_of

from judge.metrics.baselines import longer_wins
from judge.records import Ballot, HumanVote, Outcome, Share
from judge.review.agreement import (
    JUDGE,
    alpha_of,
    between_reviewers,
    by_time,
    category_of,
    differing,
    disputed,
    final_labels,
    kappa_of,
    kinds_of,
    study_of_votes,
    together,
    unanimous,
    votes_of,
)
from judge.review.pairindex import IndexEntry
from judge.review.placing import placed
from judge.review.store import Event, EventKind

PAIRS = [pair_of("a long answer", "short", f"Question {n}?", f"p{n}") for n in range(6)]
ENTRIES = [IndexEntry(n, pair.id, pair.content_hash, "math", 1, 1) for n, pair in enumerate(PAIRS)]


BY_ID = {entry.id: entry for entry in ENTRIES}


def votes_here(events, kind=EventKind.VOTE):
    """The votes on the pairs of the file, as the app has them."""
    return votes_of(placed(events, {entry.content: [entry] for entry in ENTRIES}), BY_ID, kind)


def event(n, ballot, reviewer="ada", kind=EventKind.VOTE, **more):
    return Event(kind, reviewer, PAIRS[n].content_hash, "old name", "2026-11-22T10:00:00", ballot, **more)


def test_votes_name_the_pair_as_the_open_file_does_and_skips_are_none():
    events = [event(0, Ballot.A, note="why", shown_left="B"), event(1, None, kind=EventKind.SKIP)]
    elsewhere = Event(EventKind.VOTE, "ada", "content of another file", "p9", "2026", Ballot.A)
    assert votes_here([*events, elsewhere]) == [
        HumanVote(
            "p0",
            "ada",
            Ballot.A,
            category="math",
            note="why",
            shown_left="B",
            at="2026-11-22T10:00:00",
            saw_judge=False,
        )
    ]


def test_blind_votes_are_a_kind_of_their_own():
    saw = [False, True, None, False, True]
    votes = votes_here([event(n, Ballot.A, saw_judge=saw[n]) for n in range(5)])
    assert {kind: [vote.pair_id for vote in some] for kind, some in kinds_of(votes).items()} == {
        "blind": ["p0", "p3"],
        "judge seen": ["p1", "p4"],
        "not known whether blind": ["p2"],
    }


def test_the_judge_stands_beside_the_votes_with_the_harness_s_metrics():
    votes = votes_here([event(n, Ballot.A if n < 4 else Ballot.B) for n in range(6)])
    figures = study_of_votes(votes, longer_wins(PAIRS), PAIRS).standing(JUDGE).figures
    assert figures["strict"].value == pytest.approx(4 / 6)
    assert figures["inconsistent"].value == 0


def test_kappa_is_that_of_the_textbook():
    a, b = Outcome.A, Outcome.B
    left, right = [a] * 25 + [b] * 25, [a] * 20 + [b] * 5 + [a] * 10 + [b] * 15
    assert kappa_of(left, right, [str(n) for n in range(50)]).value == pytest.approx(0.4)


def test_every_two_reviewers_are_compared_where_both_voted():
    events = [event(n, Ballot.A) for n in range(4)] + [event(n, Ballot.B, "bob") for n in range(2, 5)]
    events += [event(5, Ballot.TIE, "eve")]
    [between] = between_reviewers(votes_here(events), {})
    assert (between.one, between.other, between.same) == ("ada", "bob", Share(0, 2))


def random_votes(n_pairs=40, names="abcd"):
    """Votes of reviewers who see the same thing often, and leave a pair out now and then."""
    draw = random.Random(7)
    votes = []
    for n in range(n_pairs):
        truth = draw.choice(list(Ballot)[:3])
        for name in names:
            if draw.random() < 0.8:
                said = truth if draw.random() < 0.7 else draw.choice(list(Ballot)[:3])
                votes.append(HumanVote(f"p{n}", name, said, category="even" if n % 2 == 0 else "odd"))
    return votes


def alpha_by_the_package(votes):
    names, ids = (sorted({getattr(vote, key) for vote in votes}) for key in ("voter", "pair_id"))
    table = np.full((len(names), len(ids)), np.nan)
    for vote in votes:
        table[names.index(vote.voter), ids.index(vote.pair_id)] = list(Ballot).index(vote.outcome)
    return krippendorff.alpha(reliability_data=table, level_of_measurement="nominal")


def test_alpha_is_that_of_an_independent_package_with_an_interval_around_it():
    votes = random_votes()
    alpha = alpha_of(votes, {})
    assert alpha.value == pytest.approx(alpha_by_the_package(votes))
    assert alpha.low < alpha.value < alpha.high


def test_intervals_are_over_questions():
    votes = random_votes()
    few = alpha_of(votes, {f"p{n}": f"question {n % 8}" for n in range(40)})
    assert few.value == pytest.approx(alpha_of(votes, {}).value)
    assert (few.low, few.high) != (alpha_of(votes, {}).low, alpha_of(votes, {}).high)
    same = alpha_of(votes, dict.fromkeys((f"p{n}" for n in range(40)), "one question"))
    assert (same.low, same.high) == (None, None)


def test_all_together_by_category_count_pairs_with_two_votes():
    votes = random_votes()
    groups = {one.group: one for one in together(votes, {}, category_of)}
    assert list(groups) == ["even", "odd"]
    for name, one in groups.items():
        theirs = [vote for vote in votes if vote.category == name]
        assert one.alpha.value == pytest.approx(alpha_by_the_package(theirs))
        n_differ = len(disputed(theirs))
        assert (one.same.total - one.same.count, len(one.differ), one.kappa) == (n_differ, n_differ, None)
    [every] = together([*votes, HumanVote("alone", "a", Ballot.A)], {})
    assert "alone" not in every.pair_ids


def test_two_reviewers_together_have_the_kappa_that_they_have_between_them():
    votes = random_votes(names="ab")
    [between], [every] = between_reviewers(votes, {}), together(votes, {})
    assert (every.kappa.value, every.alpha.value) == (
        pytest.approx(between.kappa.value),
        pytest.approx(between.alpha.value),
    )
    assert set(between.differ) == set(disputed(votes))


@pytest.mark.parametrize(
    ("days", "groups"),
    [
        (("2026-11-02", "2026-11-04", "2026-11-15"), ["2026-11-02", "2026-11-04", "2026-11-15"]),
        (("2026-11-02", "2026-11-04", "2026-11-17"), ["week of 2026-11-02", "week of 2026-11-16"]),
        (("2026-11-02", None, "2026-11-03"), ["(no time)", "2026-11-02", "2026-11-03"]),
    ],
)
def test_over_time_is_by_day_or_where_that_is_long_by_week(days, groups):
    votes = []
    for n, day in enumerate(days):
        first = HumanVote(f"p{n}", "ada", Ballot.A, at=day and f"{day}T10:00:00+00:00")
        votes += [first, replace(first, voter="bob", at=day and "2026-11-02")]
    assert [one.group for one in together(votes, {}, by_time(votes))] == groups


def test_unanimous_are_pairs_with_all_their_votes_that_say_the_same():
    events = [
        event(0, Ballot.A),
        event(0, Ballot.A, "bob"),
        event(1, Ballot.TIE),
        event(1, Ballot.BOTH_BAD, "bob"),
        event(2, Ballot.BOTH_BAD),
        event(2, Ballot.BOTH_BAD, "bob"),
        event(3, Ballot.A),
        event(4, Ballot.A),
        event(4, Ballot.B, "bob"),
    ]
    votes = votes_here(events)
    assert unanimous(votes, {}) == {"p0": Ballot.A, "p1": Ballot.TIE, "p2": Ballot.BOTH_BAD}
    assigned = {"p0": ["bob", "zoe"], "p1": ["bob"]}
    assert unanimous(votes, assigned) == {"p1": Ballot.TIE, "p2": Ballot.BOTH_BAD}, "zoe has not voted"


def test_a_vote_on_a_pair_that_came_again_counts_in_no_figure():
    events = [event(0, Ballot.A), event(0, Ballot.B, kind=EventKind.REPEAT), event(0, Ballot.A, "bob")]
    votes = votes_here(events)
    assert [(vote.voter, vote.outcome) for vote in votes] == [("ada", Ballot.A), ("bob", Ballot.A)]


def test_who_differs_from_the_judge_is_counted_by_category():
    verdicts = {verdict.pair_id: verdict for verdict in longer_wins(PAIRS[:4])}
    events = [event(n, Ballot.A if n else Ballot.B) for n in range(6)] + [event(1, Ballot.TIE, "bob")]
    assert differing(votes_here(events), verdicts) == {
        ("ada", "math"): Share(1, 4),
        ("bob", "math"): Share(1, 1),
    }


def test_disputed_are_the_pairs_with_two_outcomes_and_both_bad_is_a_tie():
    events = [
        event(0, Ballot.A),
        event(0, Ballot.B, "bob"),
        event(1, Ballot.TIE),
        event(1, Ballot.BOTH_BAD, "bob"),
    ]
    assert [[vote.voter for vote in votes] for votes in disputed(votes_here(events)).values()] == [
        ["ada", "bob"]
    ]


def test_the_last_label_is_final_whoever_gave_it():
    events = [event(0, Ballot.A, kind=EventKind.LABEL), event(0, Ballot.B, "bob", kind=EventKind.LABEL)]
    [label] = final_labels(votes_here(events, EventKind.LABEL))
    assert (label.voter, label.outcome) == ("bob", Ballot.B)
