"""What reviewers say beside each other and beside the judge."""

from __future__ import annotations

import pytest
from pairs import pair_of

from judge.metrics.baselines import longer_wins
from judge.records import Ballot, HumanVote, Outcome, Share
from judge.review.agreement import (
    JUDGE,
    between_reviewers,
    differing,
    disputed,
    final_labels,
    kappa_of,
    kinds_of,
    study_of_votes,
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


def test_blind_votes_and_those_after_the_judge_was_seen_are_two_kinds():
    votes = votes_here([event(n, Ballot.A, saw_judge=n > 1) for n in range(5)])
    assert {kind: [vote.pair_id for vote in some] for kind, some in kinds_of(votes).items()} == {
        "blind": ["p0", "p1"],
        "judge seen": ["p2", "p3", "p4"],
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
