"""A study puts judges, released verdicts and baselines beside people, on the same pairs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import studies
from pairs import pair_of

from judge.errors import InputError
from judge.orders import combine
from judge.records import Ballot, Choice, HumanVote, Identity, Judgment, Order, Step, Unparsed
from judge.study.study import Entrant, EntrantKind, Study, study_as_json, study_of

PAIRS = [
    pair_of("a long answer", "short", f"Question {n // 2}?", f"p{n}", category="xy"[n // 2 % 2])
    for n in range(8)
]
ALL_A = [HumanVote(pair.id, voter, Ballot.A) for pair in PAIRS for voter in ("ann", "bob")]


def judge_of(name: str, chooses: str, pairs=PAIRS, steps=(), **fields) -> Entrant:
    """A judge by what it chooses: A or B in both orders, or F for the first shown."""
    choices = {
        "A": (Choice.FIRST, Choice.SECOND),
        "B": (Choice.SECOND, Choice.FIRST),
        "F": (Choice.FIRST,) * 2,
    }
    verdicts = []
    for pair, letter in zip(pairs, chooses, strict=True):
        readings = {
            order: Judgment(choice, None, "", 100, 4, steps=steps)
            for order, choice in zip(Order, choices[letter], strict=True)
        }
        verdicts.append(combine(pair.id, readings, name))
    return Entrant(name, EntrantKind.JUDGE, verdicts, **fields)


def figure(study: Study, name: str, metric: str, category: str | None = None) -> float | None:
    standing = study.standing(name)
    figures = standing.figures if category is None else standing.by_category[category]
    return figures[metric].value


def test_judges_and_baselines_stand_on_the_same_pairs_in_all_and_by_category():
    study = study_of([judge_of("mixed", "AABBAAFF"), judge_of("right", "A" * 8)], ALL_A, PAIRS)
    assert [one.name for one in study.standings] == ["mixed", "right", "longer wins", "first wins", "coin"]
    assert (study.total.n_pairs, study.total.n_votes, study.total.n_questions) == (8, 16, 4)
    assert figure(study, "mixed", "strict") == 4 / 8
    assert figure(study, "mixed", "inconsistent") == 2 / 8
    assert {name: figure(study, "mixed", "strict", name) for name in "xy"} == {"x": 1.0, "y": 0.0}
    assert study.by_category["x"].n_questions == 2
    assert figure(study, "longer wins", "strict") == 1.0
    assert figure(study, "first wins", "inconsistent") == 1.0
    assert study.people.figures["with_ties"].value == 1.0


def test_a_category_called_all_takes_no_place_of_all_pairs_in_a_table():
    pairs = [replace(pair, category={"x": "all"}.get(pair.category, pair.category)) for pair in PAIRS]
    frame = study_of([judge_of("mixed", "AABBAAFF")], ALL_A, pairs).to_frame()
    strict = frame[(frame["judge"] == "mixed") & (frame["metric"] == "strict")]
    values = dict(zip(strict["category"], strict["value"], strict=True))
    assert values == {"all": 0.5, "all (category)": 1.0, "y": 0.0}


def test_a_contrast_is_the_first_less_the_second_and_counts_pairs_for_mcnemar():
    study = study_of([judge_of("mixed", "AABBAAFF"), judge_of("right", "A" * 8)], ALL_A, PAIRS)
    [contrast] = [one for one in study.contrasts if (one.one, one.other) == ("mixed", "right")]
    assert contrast.figures["strict"].value == -4 / 8
    assert contrast.figures["inconsistent"].value == 2 / 8
    assert (contrast.mcnemar.only_one_right, contrast.mcnemar.only_other_right) == (0, 4)
    low, high = contrast.figures["strict"].low, contrast.figures["strict"].high
    assert -1 <= low < -0.5 < 0 < high  # four questions make nothing clear


def test_inconsistent_verdicts_are_contrasted_on_the_pairs_that_both_read():
    choppy, sure = judge_of("choppy", "FFFFAAAA"), judge_of("sure", "A" * 8)
    unread = Unparsed("cut off", raw="?", tokens_in=100, tokens_out=4)
    gaps = [combine(pair.id, dict.fromkeys(Order, unread), "gaps") for pair in PAIRS[:2]]
    gaps += judge_of("gaps", "FAFFAF", PAIRS[2:]).verdicts
    study = study_of([choppy, sure, Entrant("gaps", EntrantKind.JUDGE, gaps)], ALL_A, PAIRS)
    found = {(one.one, one.other): one.figures["inconsistent"] for one in study.contrasts}
    assert (found["choppy", "sure"].value, found["choppy", "sure"].n) == (4 / 8, 8)
    assert (found["choppy", "gaps"].value, found["choppy", "gaps"].n) == (2 / 6 - 4 / 6, 6)
    assert found["sure", "gaps"].value == -4 / 6


def test_pairs_that_lack_a_vote_or_a_verdict_are_left_out_and_counted():
    half = judge_of("half", "A" * 4, PAIRS[:4])
    votes = [vote for vote in ALL_A if vote.pair_id != "p0"]
    study = study_of([judge_of("whole", "A" * 8), half], votes, PAIRS)
    assert study.total.n_pairs == 3
    assert study.n_left_out == 5
    assert study.standing("whole").figures["strict"].n == 6


def test_without_texts_there_are_no_lengths_no_baselines_and_the_votes_categories():
    votes = [replace(vote, category="x" if vote.pair_id < "p4" else "y") for vote in ALL_A]
    study = study_of([judge_of("judge", "A" * 8)], votes, None)
    assert [one.name for one in study.standings] == ["judge"]
    assert not study.has_texts
    assert study.total.n_questions == 8
    assert set(study.by_category) == {"x", "y"}
    assert "length_balanced" not in study.standing("judge").figures


def test_the_cost_of_a_verdict_is_both_orders_and_its_part_of_what_was_asked_once():
    plan = Step("plan", "1. Content", tokens_in=80, tokens_out=16, shared="one plan for all")
    own = Step("score", "4", tokens_in=50, tokens_out=1)
    cost = (
        study_of([judge_of("judge", "A" * 8, steps=(plan, own), elapsed_s=1.5)], ALL_A, PAIRS)
        .standings[0]
        .cost
    )
    assert cost.tokens_in == 2 * 100 + 80 / 8
    assert cost.tokens_out == 2 * 4 + 16 / 8
    assert cost.elapsed_s == 1.5


def test_baselines_and_released_verdicts_cost_nothing_that_is_known():
    study = studies.small_study()
    costs = {one.kind: one.cost for one in study.standings}
    assert costs[EntrantKind.BASELINE].tokens_in is None
    assert costs[EntrantKind.RELEASED].tokens_in is None
    assert costs[EntrantKind.JUDGE].n_trimmed == 1


def test_the_confusion_counts_every_vote_once():
    study = study_of([judge_of("mixed", "AABBAAFF")], ALL_A, PAIRS)
    confusion = study.standing("mixed").confusion
    assert confusion["A"] == {"A": 8, "B": 4, "TIE": 0, "inconsistent": 4, "unparsed": 0}
    assert sum(confusion["B"].values()) == sum(confusion["TIE"].values()) == 0


def test_one_category_is_no_table_of_categories():
    study = study_of([judge_of("judge", "A" * 8)], ALL_A, [replace(pair, category="x") for pair in PAIRS])
    assert study.by_category == {}
    assert study.standings[0].by_category == {}


def test_the_same_seed_gives_the_same_intervals_and_another_seed_others():
    on = studies.pairs()
    first, again, other = (
        study_as_json(study_of(studies.entrants(on), studies.votes(on), on, n_draws=50, seed=seed))
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("entrants", "votes", "complaint"),
    [
        ([judge_of("same", "A" * 8), judge_of("same", "B" * 8)], ALL_A, "two judges are named same"),
        ([judge_of("judge", "A" * 8)], [], "none of the 8 judged pairs has a vote"),
        ([judge_of("judge", "A" * 8), judge_of("none", "", [])], ALL_A, "a verdict of every judge"),
        ([judge_of("judge", "AB", PAIRS[:1] * 2)], ALL_A, "two verdicts of one judge: p0. Give one"),
    ],
)
def test_what_cannot_be_compared_is_one_clear_line(entrants, votes, complaint):
    with pytest.raises(InputError, match=complaint):
        study_of(entrants, votes, PAIRS)


def test_votes_on_one_pair_that_name_other_models_are_one_clear_line():
    named = [replace(vote, model_a="x", model_b="y") for vote in ALL_A]
    study = study_of([judge_of("judge", "A" * 8)], [*named, *ALL_A], PAIRS)
    assert study.people.ranking.names == ("x", "y")
    turned = replace(named[-1], voter="eve", model_a="y", model_b="x")
    with pytest.raises(InputError) as caught:
        study_of([judge_of("judge", "A" * 8)], [*named, turned], PAIRS)
    assert str(caught.value) == (
        "pair 'p7': votes name the models x, y and y, x. All votes on a pair must name the same: model_a "
        "wrote response a, model_b response b."
    )


def test_texts_of_two_different_pairs_of_one_id_are_refused():
    other = replace(PAIRS[0], category="z")
    with pytest.raises(InputError, match="two different pairs have the id 'p0'"):
        study_of([judge_of("judge", "A" * 8)], ALL_A, [*PAIRS, other])


def identity_of(adapter: str) -> Identity:
    return Identity("m", "", adapter, "", "direct", "", "", "", 0, "embedded-cpu", "auto", "trim", 4096)


@pytest.mark.parametrize("is_known", [True, False])
def test_judges_that_learned_votes_are_in_no_study_with_others(is_known):
    def tuned(adapter: str) -> Entrant:
        """With its identity as in `judge bench`, or its fingerprint alone as in `judge report`."""
        identity = identity_of(adapter)
        if is_known:
            return judge_of(adapter, "A" * 8, identity=identity)
        return judge_of(identity.fingerprint, "A" * 8)

    bare, voted, other_voted, distilled = map(tuned, ("none", "mine-votes", "your-votes", "mine"))
    with pytest.raises(InputError, match=r"mine-votes.* was fine-tuned on human votes and .*mine.* was not"):
        study_of([bare, distilled, voted], ALL_A, PAIRS)
    assert study_of([bare, voted, other_voted], ALL_A, PAIRS, n_draws=10).total.n_pairs == 8
    assert study_of([bare, distilled], ALL_A, PAIRS, n_draws=10).total.n_pairs == 8


def test_a_pair_without_its_texts_is_named():
    with pytest.raises(InputError, match="1 of 8 pairs are not given: p7"):
        study_of([judge_of("judge", "A" * 8)], ALL_A, PAIRS[:7])
