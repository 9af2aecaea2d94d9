"""Studies of next to nothing claim next to nothing: made-up small ones, and every kind of thin data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.errors import InputError
from judge.metrics.metric import Unit
from judge.orders import combine
from judge.records import Ballot, Choice, HumanVote, Judgment, Order, Outcome, Pair, Unparsed, Verdict
from judge.report.page import format_json, format_markdown, format_text
from judge.report.summary import summarize
from judge.study.glossary import METRICS
from judge.study.page import Frame, format_study_html, format_study_markdown, format_study_text
from judge.study.study import Entrant, EntrantKind, Study, study_as_json, study_of

pytestmark = pytest.mark.slow

FRAME = Frame("Judges on next to nothing")
NO_NUMBER = re.compile(r"\b(nan|inf|infinity)\b", re.IGNORECASE)
SHARES = {name for name, metric in METRICS.items() if metric.unit is Unit.PERCENT} | {"coverage"}
FIRST = Judgment(Choice.FIRST, {Choice.FIRST: 0.75, Choice.SECOND: 0.25}, "1", 9, 4)
SECOND = Judgment(Choice.SECOND, {Choice.FIRST: 0.125, Choice.SECOND: 0.875}, "2", 9, 4)
BARE = Judgment(Choice.FIRST, None, "1", 9, 4)
TIE = Judgment(Choice.TIE, {Choice.FIRST: 0.25, Choice.SECOND: 0.25, Choice.TIE: 0.5}, "tie", 9, 4)
UNREAD = Unparsed("no 'Verdict:' line", raw="?")
READINGS = st.sampled_from([FIRST, SECOND, BARE, TIE, UNREAD])
MIRRORED = {Ballot.A: Ballot.B, Ballot.B: Ballot.A, Ballot.TIE: Ballot.TIE, Ballot.BOTH_BAD: Ballot.BOTH_BAD}

Data = tuple[list[Pair], list[HumanVote], dict[str, list[Verdict]]]


@st.composite
def data(draw: st.DrawFn) -> Data:
    """1 to 8 pairs on some questions, up to three votes on each and at least one in all, 1 or 2 judges."""
    pairs = [
        Pair.of(
            f"Question {draw(st.integers(0, 7))}?",
            draw(st.sampled_from(["yes", "no, never", "4"])),
            draw(st.sampled_from(["yes", "no, never", "4"])),
            id=f"p{number}",
            category=draw(st.sampled_from([None, "math", "writing"])),
        )
        for number in range(draw(st.integers(1, 8)))
    ]
    votes = [
        HumanVote(pair.id, voter, ballot, model_a="gpt", model_b="llama" if number % 2 else "vicuna")
        for number, pair in enumerate(pairs)
        for voter, ballot in draw(
            st.lists(
                st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(list(Ballot))),
                min_size=0 if number else 1,
                max_size=3,
            )
        )
    ]
    judges = {
        name: [combine(p.id, {order: draw(READINGS) for order in Order}, name) for p in pairs]
        for name in ("fast", "slow")[: draw(st.integers(1, 2))]
    }
    return pairs, votes, judges


def study(of: Data) -> Study:
    pairs, votes, judges = of
    entrants = [Entrant(name, EntrantKind.JUDGE, verdicts) for name, verdicts in judges.items()]
    return study_of(entrants, votes, pairs, n_draws=60)


def mirrored(of: Data) -> Data:
    """The same with each answer a called b, and each b called a."""
    pairs, votes, judges = of
    return (
        [replace(p, conversation_a=p.conversation_b, conversation_b=p.conversation_a) for p in pairs],
        [replace(v, outcome=MIRRORED[v.outcome], model_a=v.model_b, model_b=v.model_a) for v in votes],
        {
            name: [
                combine(v.pair_id, {order: v.readings[order.swapped] for order in Order}, v.judge)
                for v in verdicts
            ]
            for name, verdicts in judges.items()
        },
    )


def estimates_in(value: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every estimate in the JSON of a study, with its name."""
    if isinstance(value, dict):
        if set(value) == {"value", "low", "high", "n"}:
            yield name, value
        else:
            for key, item in value.items():
                yield from estimates_in(item, key)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from estimates_in(item, name)


@given(data())
@settings(deadline=None)
def test_no_figure_is_nan_and_no_interval_is_a_point(of):
    made = study_as_json(study(of))
    assert not NO_NUMBER.search(json.dumps(made, allow_nan=False))
    for name, one in estimates_in(made):
        assert (one["low"] is None) == (one["high"] is None)
        assert one["n"] >= (one["value"] is not None), name
        if one["low"] is not None:
            assert one["low"] < one["high"], name


@given(data())
@settings(deadline=None)
def test_shares_lie_between_0_and_1_and_differences_between_their_ends(of):
    made = study_as_json(study(of))
    for contrast in made["contrasts"]:
        for one in contrast["figures"].values():
            assert one["low"] is None or -1 <= one["low"] < one["high"] <= 1
    for name, one in estimates_in([made["people"], made["judges"]]):
        if name in SHARES and one["low"] is not None:
            assert 0 <= one["low"] < one["high"] <= 1, name


@given(data())
@settings(deadline=None)
def test_a_difference_is_clear_only_where_six_questions_differ(of):
    pairs, _, _ = of
    made = study(of)
    is_few = len({pair.question for pair in pairs}) < 6
    for contrast in made.contrasts:
        for one in contrast.figures.values():
            is_clear = one.low is not None and (one.low > 0 or one.high < 0)
            assert not (is_few and is_clear)


@given(data())
@settings(deadline=None)
def test_every_table_is_written_and_says_how_many_pairs_were_judged(of):
    made = study(of)
    texts = [format_study_text(made, FRAME, width=200), format_study_markdown(made, FRAME)]
    for text in texts:
        assert not NO_NUMBER.search(text)
    for one in made.standings:
        assert one.judged is not None
        if one.judged.count < one.judged.total:
            assert f"{one.judged.count} of {one.judged.total} judged" in texts[1]


@given(data())
@settings(deadline=None)
def test_a_report_has_no_nan_and_says_how_many_pairs_were_judged(of):
    pairs, _, judges = of
    made = summarize(judges["fast"], pairs)
    n, n_judged = made.total.n_pairs, made.total.consistent.total
    for text in (format_text(made, width=200), format_markdown(made)):
        assert not NO_NUMBER.search(text)
        assert (f"{n_judged} of {n} judged" in text) == (n_judged < n)
    total = json.loads(format_json(made), parse_constant=pytest.fail)["total"]
    assert (total["n_judged"], total["n_pairs"]) == (n_judged, n)


@given(data())
@settings(deadline=None)
def test_calling_a_b_and_b_a_mirrors_every_figure(of):
    here, there = study_as_json(study(of)), study_as_json(study(mirrored(of)))
    for judge in there["judges"]:
        judge["confusion"] = {
            flipped(said): {flipped(by): n for by, n in row.items()}
            for said, row in judge["confusion"].items()
        }
    assert same(here, there)


@given(data())
@settings(deadline=None)
def test_calling_a_b_and_b_a_mirrors_a_report(of):
    pairs, _, judges = of
    here = summarize(judges["fast"], pairs).total
    other_pairs, _, other_judges = mirrored(of)
    there = summarize(other_judges["fast"], other_pairs).total
    for wins, others in ((here.wins, there.wins), (here.wins_by_mean, there.wins_by_mean)):
        assert wins[Outcome.A] == others[Outcome.B]
        assert wins[Outcome.B] == others[Outcome.A]
        assert wins[Outcome.TIE] == others[Outcome.TIE]
    assert (here.inconsistent, here.unparsed, here.first_twice) == (
        there.inconsistent,
        there.unparsed,
        there.first_twice,
    )


def flipped(side: str) -> str:
    return {"A": "B", "B": "A"}.get(side, side)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same, numbers to nine digits."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == pytest.approx(other, rel=1e-9, abs=1e-9)) if isinstance(one, float) else one == other


# --- one by one ------------------------------------------------------------------------------------------


def plain(n: int, ballots: str = "A", same_question: bool = False, **more: Any) -> Data:
    """`n` pairs of a judge that always takes a; each letter of `ballots` is a vote of one person on each."""
    names = {"A": Ballot.A, "B": Ballot.B, "=": Ballot.TIE}
    pairs = [
        Pair.of("Why?" if same_question else f"Why {number}?", "so", "no", id=f"p{number}", **more)
        for number in range(n)
    ]
    votes = [
        HumanVote(pair.id, f"voter {place}", names[letter])
        for pair in pairs
        for place, letter in enumerate(ballots)
    ]
    readings = {Order.AB: FIRST, Order.BA: SECOND}
    return pairs, votes, {"fast": [combine(pair.id, readings, "fast") for pair in pairs]}


@pytest.mark.parametrize(
    "of",
    [
        pytest.param(plain(4, same_question=True), id="one question"),
        pytest.param(plain(1), id="one pair"),
        pytest.param(plain(8, category="math"), id="one category"),
        pytest.param(plain(8, "AB"), id="no ties"),
        pytest.param(plain(8, "=="), id="all ties"),
        pytest.param((*plain(8)[:1], [*plain(8)[1], *plain(1, "ABAB")[1]], plain(8)[2]), id="unequal votes"),
    ],
)
def test_thin_data_makes_whole_pages_without_a_certain_figure(of):
    made = study(of)
    html = format_study_html(made, FRAME)
    for text in (html, format_study_markdown(made, FRAME), format_study_text(made, FRAME)):
        assert not NO_NUMBER.search(re.sub(r"<(style|svg).*?</\1>", "", text, flags=re.DOTALL))
        assert "[100.0, 100.0]" not in text
        assert "[0.0, 0.0]" not in text
        assert "[1.000, 1.000]" not in text


def test_a_perfect_judge_on_five_questions_is_not_clearly_better_and_on_six_it_is():
    def gap(n):
        pairs, votes, judges = plain(n)
        wrong = [combine(p.id, {Order.AB: SECOND, Order.BA: FIRST}, "slow") for p in pairs]
        [contrast] = [
            one for one in study((pairs, votes, judges | {"slow": wrong})).contrasts if one.other == "slow"
        ]
        return contrast.figures["strict"]

    assert gap(5).value == gap(6).value == 1
    assert gap(5).low == pytest.approx(1 - 2 * (1 - 0.025 ** (1 / 5)))
    assert gap(5).low < 0 < gap(6).low
    assert gap(6).high == 1


def test_without_votes_there_is_one_line_and_no_study():
    pairs, _, judges = plain(3)
    with pytest.raises(InputError, match="none of the 3 judged pairs has a vote"):
        study((pairs, [], judges))


def test_a_person_who_votes_twice_on_a_pair_agrees_with_nobody():
    pairs, votes, judges = plain(4)
    again = study((pairs, [*votes, *votes], judges)).people
    assert again.n_voters == 1
    assert again.figures["strict"].n == again.figures["krippendorff_alpha"].n == 0


def test_votes_on_pairs_without_a_verdict_are_counted_as_left_out():
    pairs, votes, judges = plain(4)
    made = study((pairs, [*votes, HumanVote("p77", "ann", Ballot.A)], judges))
    assert made.n_votes_left_out == 1
    assert "1 vote on other pairs left out" in format_study_text(made, FRAME)
