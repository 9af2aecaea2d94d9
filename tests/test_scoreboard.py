"""What every format says of a study: cells, tables, headlines and notes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from studies import entrants, pairs, small_study, votes

from judge.metrics.bootstrap import Estimate
from judge.metrics.metric import Metric, Unit
from judge.metrics.significance import McNemar
from judge.study.cells import Cell, name_in_table, percent_cell, points_cell
from judge.study.glossary import METRICS, notes_of, study_counts
from judge.study.scoreboard import (
    bias_board,
    calibration_board,
    category_board,
    confusion_boards,
    contrast_board,
    contrast_cells,
    curve_boards,
    details_of,
    headlines_of,
    main_board,
    metric_cell,
    model_boards,
    yardsticks_of,
)
from judge.study.study import Contrast, Cost, EntrantKind, study_of

STUDY = small_study()
FAST, SLOW = "fast (11 of 12 judged)", "slow (11 of 12 judged)"


def estimate(value, low=None, high=None, n=100):
    return Estimate(value, low, high, n)


def with_figures(name, **figures):
    """The study with some figures of one entrant replaced."""
    standings = [
        replace(one, figures={**one.figures, **figures}) if one.name == name else one
        for one in STUDY.standings
    ]
    return replace(STUDY, standings=tuple(standings))


# Cells


def test_a_share_is_percent_with_one_decimal_and_its_interval():
    assert str(percent_cell(estimate(0.6942, 0.6481, 0.7388))) == "69.4 [64.8, 73.9]"


def test_a_figure_that_does_not_exist_reads_as_a_dash():
    assert str(metric_cell({}, METRICS["strict"])) == "-"
    assert str(metric_cell({"strict": estimate(None)}, METRICS["strict"])) == "-"
    assert str(metric_cell({"strict": estimate(None, 0.1, 0.2)}, METRICS["strict"])) == "-"


def test_a_figure_without_an_interval_stands_alone():
    assert str(percent_cell(estimate(0.5))) == "50.0"


def test_agreement_without_ties_says_at_what_coverage():
    figures = {"without_ties": estimate(0.846, 0.8, 0.9), "coverage": estimate(0.82)}
    assert str(metric_cell(figures, METRICS["without_ties"])) == "84.6 [80.0, 90.0] at 82.0"


def test_kappa_and_calibration_are_no_percents():
    assert str(metric_cell({"ece": estimate(0.0712, 0.05, 0.1)}, METRICS["ece"])) == "0.071 [0.050, 0.100]"


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        (Unit.PERCENT, "4.0 [1.0, 7.0]"),
        (Unit.POINTS, "+4.0 [+1.0, +7.0] *"),
        (Unit.ELO, "0 [0, 0]"),
        (Unit.NUMBER, "0.040 [0.010, 0.070]"),
    ],
)
def test_a_figure_is_written_as_its_unit_wants_it(unit, shown):
    metric = Metric("mine", "Mine", "a figure of somebody's own.", unit)
    assert str(metric_cell({"mine": estimate(0.04, 0.01, 0.07)}, metric)) == shown


@pytest.mark.parametrize(
    ("difference", "shown"),
    [
        (estimate(0.052, 0.004, 0.1), "+5.2 [+0.4, +10.0] *"),
        (estimate(-0.052, -0.1, -0.004), "-5.2 [-10.0, -0.4] *"),
        (estimate(0.052, -0.004, 0.1), "+5.2 [-0.4, +10.0]"),
        (estimate(0.1, 0.0, 0.2), "+10.0 [0.0, +20.0]"),
        (estimate(0.1), "+10.0"),
        (None, "-"),
    ],
)
def test_a_difference_is_marked_only_where_its_interval_excludes_zero(difference, shown):
    assert str(points_cell(difference)) == shown


def test_a_difference_that_rounds_to_zero_has_no_sign():
    assert str(points_cell(estimate(-0.0001, -0.0004, 0.0002))) == "0.0 [0.0, 0.0]"


def test_a_p_value_is_never_rounded_to_zero():
    tiny = Contrast("one", "other", {}, McNemar(100, 40, 3, 0.00002))
    assert [str(cell) for cell in contrast_cells(tiny)] == ["-", "-", "-", "<0.001 (40 : 3)"]


def test_names_that_shorten_alike_and_a_judge_called_people_keep_their_own_pairs_judged():
    all_read = with_figures("slow", unparsed=estimate(0.0, n=12)).standings
    alike = [f"{'x' * 70}{letter}{'y' * 70}" for letter in "ab"]
    assert len({name_in_table(name) for name in alike}) == 1
    for names in (alike, ["fast", "people"]):
        named = [replace(one, name=name) for one, name in zip(all_read, names, strict=False)]
        lines = bias_board(replace(STUDY, standings=(*named, *all_read[2:]))).lines
        assert [str(line.cells[0]) for line in (*lines[:2], lines[-1])] == ["11 of 12", "12 of 12", "-"]


def test_a_long_name_keeps_both_ends():
    shown = name_in_table("model/" + "x" * 200 + "#0f3c9a1b2c4d5e6f")
    assert len(shown) == 120
    assert shown.startswith("model/xxx")
    assert shown.endswith("xxx#0f3c9a1b2c4d5e6f")
    assert name_in_table("two\nlines\u202e") == "two lines\ufffd"


# Tables


def test_the_main_table_has_a_row_an_entrant_in_order_and_people_last():
    board = main_board(STUDY)
    names = [line.name for line in board.lines]
    assert names == ["fast", "slow", "GPT-4", "longer wins", "first wins", "coin", "people (ceiling)"]
    assert [line.style for line in board.lines] == ["judge"] * 2 + ["released"] + ["baseline"] * 3 + [
        "people"
    ]
    assert all(len(line.cells) == len(board.labels) == 12 for line in board.lines)
    assert "12 pairs, 24 votes" in board.caption


def test_the_main_table_has_a_dash_for_what_is_not_known():
    board = main_board(STUDY)
    by_name = {line.name: dict(zip(board.labels, line.cells, strict=True)) for line in board.lines}
    assert by_name["GPT-4"]["Single order"] == by_name["GPT-4"]["By mean"] == Cell()
    assert by_name["GPT-4"]["Tokens in"] == by_name["coin"]["Seconds"] == Cell()
    assert by_name["people (ceiling)"]["Inconsistent"] == Cell()
    assert str(by_name["fast"]["Seconds"]) == "0.40"
    assert str(by_name["slow"]["Seconds"]) == "12.3"
    assert str(by_name["first wins"]["Inconsistent"]).startswith("100.0 [")


def test_tokens_are_rounded_to_what_a_reader_can_use():
    cost = Cost(tokens_in=1546.7, tokens_out=8.0, elapsed_s=None, n_trimmed=0)
    changed = replace(STUDY.standings[0], cost=cost)
    cells = main_board(replace(STUDY, standings=(changed,))).lines[0].cells
    assert [str(cell) for cell in cells[-3:]] == ["1,547", "8.00", "-"]


def test_a_table_by_category_ends_with_all_and_has_the_ceiling_of_its_own_convention():
    board = category_board(STUDY, "strict")
    assert [line.name for line in board.lines] == ["coding", "math", "writing", "all"]
    names = ("fast", "slow", "GPT-4", "longer wins", "first wins", "coin", "people (ceiling)")
    assert board.labels == (*names, "Votes", "Questions")
    assert str(board.lines[-1].cells[6]) == str(percent_cell(STUDY.people.figures["strict"]))
    judged = replace(percent_cell(STUDY.standings[0].figures["strict"]), behind="11 of 12 judged")
    assert board.lines[-1].cells[0] == judged
    n = sum(int(line.cells[7].value) for line in board.lines[:-1])
    assert n == int(board.lines[-1].cells[7].value) == STUDY.total.n_votes - STUDY.people.n_ties


def test_inconsistency_by_category_has_no_ceiling_and_counts_pairs():
    board = category_board(STUDY, "inconsistent")
    assert "people (ceiling)" not in board.labels
    assert board.labels[-2:] == ("Pairs", "Questions")
    assert [line.cells[-2].value for line in board.lines] == ["4", "4", "4", "12"]


def test_a_table_says_how_many_pairs_each_judge_read_where_one_has_not_read_all():
    board = main_board(STUDY)
    assert board.labels[0] == "Pairs judged"
    judged = {line.name: line.cells[0].value for line in board.lines}
    assert judged["fast"] == judged["slow"] == "11 of 12"
    assert judged["GPT-4"] == judged["coin"] == "12 of 12"
    assert judged["people (ceiling)"] == "-"
    everything = replace(STUDY, standings=STUDY.standings[2:])
    assert "Pairs judged" not in main_board(everything).labels


def test_a_category_that_is_called_all_is_a_row_of_its_own():
    counts = {"all": STUDY.by_category["math"]}
    board = category_board(replace(STUDY, by_category=counts), "strict")
    assert [(line.name, line.style) for line in board.lines] == [("all", ""), ("all", "all")]


def test_differences_are_between_judges_and_against_the_longer_answer_only():
    board = contrast_board(STUDY)
    assert [line.name for line in board.lines] == [
        f"{FAST} less {SLOW}",
        f"{FAST} less GPT-4",
        f"{FAST} less longer wins",
        f"{SLOW} less GPT-4",
        f"{SLOW} less longer wins",
        "GPT-4 less longer wins",
    ]
    assert board.labels[-1] == "McNemar p, not clustered"


def test_what_nobody_has_is_no_table():
    on = pairs()
    alone = study_of(entrants(on)[2:], [replace(v, model_a=None) for v in votes(on)], None, n_draws=50)
    assert contrast_board(alone) is None
    assert calibration_board(alone) is None
    assert curve_boards(alone) == []
    assert model_boards(alone) == []
    titles = [board.title for board in details_of(replace(alone, by_category={}))]
    assert [title for title in titles if title != "Other metrics"] == ["Bias", "Agreement beyond chance"]


def test_people_have_the_share_for_the_longer_answer_beside_the_judges():
    board = bias_board(STUDY)
    assert board.lines[-1].name == "people"
    assert str(board.lines[-1].cells[1]) == str(percent_cell(STUDY.people.figures["longer_chosen"]))
    assert board.lines[0].cells[-1] == Cell("1")  # trimmed


def test_a_row_of_the_confusion_counts_all_votes_of_that_kind():
    board = confusion_boards(STUDY)[0]
    assert board.title == "fast"
    assert [line.name for line in board.lines] == ["A", "B", "tie"]
    total = sum(int(cell.value) for line in board.lines for cell in line.cells)
    assert total == STUDY.total.n_votes
    for line in board.lines:
        assert sum(float(cell.behind.strip("()")) for cell in line.cells) == pytest.approx(100, abs=0.3)


def test_models_stand_in_the_order_of_people():
    win_rates, strengths = model_boards(STUDY)
    people = dict(zip(STUDY.people.ranking.names, STUDY.people.ranking.win_rates, strict=True))
    names = [line.name for line in win_rates.lines]
    assert names == [line.name for line in strengths.lines]
    assert names == sorted(people, key=lambda name: -people[name].value)
    assert win_rates.labels == ("people", FAST, SLOW, "GPT-4")


def test_the_figures_behind_the_curves_are_a_row_a_bin_and_a_row_a_coverage():
    by_confidence, by_coverage = curve_boards(STUDY)
    assert by_confidence.labels == by_coverage.labels == (FAST, SLOW)
    assert [line.name for line in by_coverage.lines] == [str(share) for share in range(10, 101, 10)]
    first = STUDY.standings[0].reliability[0]
    assert f"n {first.right.n}" in str(by_confidence.lines[0].cells[0])


# Words


def test_a_headline_has_agreement_flips_people_and_the_distance_to_the_longer_answer():
    study = with_figures(
        "fast",
        strict=estimate(0.341, 0.301, 0.38),
        inconsistent=estimate(0.723, 0.7, 0.75),
        unparsed=estimate(0.0),
    )
    people = {**study.people.figures, "strict": estimate(0.684, 0.6, 0.7)}
    gap = {"strict": estimate(-0.2, -0.3, -0.1)}
    contrasts = tuple(
        replace(c, figures=gap) if (c.one, c.other) == ("fast", "longer wins") else c for c in study.contrasts
    )
    study = replace(study, people=replace(study.people, figures=people), contrasts=contrasts)
    assert [headline.name for headline in headlines_of(study)] == ["fast", "slow"]
    assert str(headlines_of(study)[0]) == (
        "agrees with 34.1 % [30.1, 38.0] of people's votes (ties aside), "
        "changes its mind on 72.3 % [70.0, 75.0] of pairs when the answers swap places; "
        "people agree with each other on 68.4 %. "
        "Against always choosing the longer answer: -20.0 points [-30.0, -10.0], a clear difference."
    )


def test_a_headline_does_not_hide_what_was_not_read():
    assert "8.3 % [0.0, 33.3] of pairs got no readable verdict (11 of 12 judged)" in str(
        headlines_of(with_figures("fast", unparsed=estimate(1 / 12, 0.0, 1 / 3, n=12)))[0]
    )


def test_released_verdicts_have_a_headline_where_there_is_no_judge():
    others = tuple(one for one in STUDY.standings if one.kind is not EntrantKind.JUDGE)
    assert [headline.name for headline in headlines_of(replace(STUDY, standings=others))] == ["GPT-4"]
    assert headlines_of(replace(STUDY, standings=())) == []


def test_a_coin_is_a_yardstick_and_people_where_two_voted_on_one_pair():
    assert yardsticks_of(STUDY) == [("people", 100 * STUDY.people.figures["strict"].value), ("coin", 50.0)]
    nobody = replace(STUDY.people, figures={"strict": estimate(None, n=0)})
    assert yardsticks_of(replace(STUDY, people=nobody)) == [("coin", 50.0)]


def test_every_figure_of_a_study_has_its_word():
    figures = {name for one in STUDY.standings for name in one.figures} | set(STUDY.people.figures)
    assert figures - {"coverage"} <= set(METRICS)  # the coverage stands in the cell of without_ties


def test_the_notes_say_what_the_figures_stand_on():
    notes = dict(notes_of(replace(STUDY, n_left_out=3, n_draws=10_000, seed=7)))
    assert study_counts(STUDY) == "12 pairs, 24 votes (21 for a side, 3 ties) by 2 people, 6 questions"
    assert "3 pairs with a verdict left out" in notes["Data"]
    assert "6 questions (10,000 draws, seed 7)" in notes["Intervals"]
    assert "--pairs" not in notes["Intervals"]
    without = replace(STUDY, has_texts=False)
    assert study_counts(without) == "12 pairs, 24 votes (21 for a side, 3 ties) by 2 people"
    said = dict(notes_of(without))["Intervals"]
    assert "over the 6 pairs (200 draws" in said
    assert said.endswith("if some do, these intervals are too narrow. Give --pairs.")
    assert "question" not in category_board(without, "strict").labels[-1].lower()
    assert "in one" in notes["Categories"]
    assert "Categories" not in dict(notes_of(replace(STUDY, by_category={})))
