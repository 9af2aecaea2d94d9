"""Charts of a study: what is drawn, what is not, and that no name becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import pytest
from studies import small_study
from test_report import HOSTILE

from judge.metrics.bootstrap import Estimate
from judge.study.charts import (
    LOOK_OF_LONGER,
    LOOKS,
    MAX_CATEGORIES,
    chart_by_category,
    chart_of_coverage,
    chart_of_length,
    charts_of_reliability,
    drawn_of,
    not_drawn,
    wrapped,
)
from judge.study.study import EntrantKind

STUDY = small_study()
BY_CATEGORY = ("strict", "length_balanced", "inconsistent")


def all_charts(study):
    drawn = [chart_by_category(study, name) for name in BY_CATEGORY]
    drawn += [
        chart_of_length(study),
        chart_of_coverage(study),
        *(svg for _, svg in charts_of_reliability(study)),
    ]
    return [svg for svg in drawn if svg]


def texts_in(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter("text")]


def with_people(**figures):
    people = replace(STUDY.people, figures={**STUDY.people.figures, **figures})
    return replace(STUDY, people=people)


def named(*names):
    """The study with the names of its first entrants replaced."""
    renamed = [
        replace(one, name=name) for one, name in zip(STUDY.standings[: len(names)], names, strict=True)
    ]
    return replace(STUDY, standings=(*renamed, *STUDY.standings[len(names) :]))


@cache
def strict_chart():
    return chart_by_category(STUDY, "strict")


@pytest.mark.slow
def test_the_same_study_gives_the_same_bytes():
    assert chart_by_category(small_study(), "strict") == strict_chart()


def test_a_chart_draws_the_ceiling_of_its_own_convention_only():
    study = with_people(strict=Estimate(0.684, 0.6, 0.7, 9), length_balanced=Estimate(0.649, 0.6, 0.7, 9))
    strict, balanced, flips = (texts_in(chart_by_category(study, name)) for name in BY_CATEGORY)
    assert "people 68.4" in strict
    assert "people 64.9" not in strict
    assert "people 64.9" in balanced
    assert "people 68.4" not in balanced
    assert "coin" in strict
    assert "coin" in balanced
    assert not [text for text in flips if text.startswith(("people", "coin"))]


def test_each_row_has_its_own_ceiling_and_none_where_no_two_people_voted_on_a_pair():
    by_category = {**STUDY.people.by_category, "math": {"strict": Estimate(None, None, None, 0)}}
    study = replace(STUDY, people=replace(STUDY.people, by_category=by_category))
    shown = [text for text in texts_in(chart_by_category(study, "strict")) if text.startswith("people")]
    figures = [STUDY.people.figures, STUDY.people.by_category["coding"], STUDY.people.by_category["writing"]]
    assert shown == [f"people {100 * one['strict'].value:.1f}" for one in figures]


def test_rows_are_all_and_then_the_categories():
    texts = texts_in(strict_chart())
    assert [text for text in texts if text in ("all", "coding", "math", "writing")] == [
        "all",
        "coding",
        "math",
        "writing",
    ]


@pytest.mark.slow
def test_without_categories_there_is_one_row_and_with_too_many_no_chart():
    alone = replace(STUDY, by_category={})
    assert "coding" not in texts_in(chart_by_category(alone, "strict"))
    assert "all" in texts_in(chart_by_category(alone, "strict"))
    many = {f"category {number}": STUDY.total for number in range(MAX_CATEGORIES + 1)}
    assert chart_by_category(replace(STUDY, by_category=many), "strict") is None
    del many["category 0"]
    assert "category 30" in texts_in(chart_by_category(replace(STUDY, by_category=many), "strict"))


def test_a_category_that_is_called_all_has_its_own_row():
    there = {"all": STUDY.by_category["math"]}
    assert texts_in(chart_by_category(replace(STUDY, by_category=there), "strict")).count("all") == 2


@pytest.mark.slow
def test_one_entrant_and_figures_without_an_interval_or_without_a_value_are_drawn_as_far_as_they_go():
    one = STUDY.standings[0]
    figures = {
        **one.figures,
        "strict": Estimate(0.7, None, None, 9),
        "inconsistent": Estimate(None, None, None, 0),
    }
    study = replace(STUDY, standings=(replace(one, figures=figures, by_category={}),))
    for svg in all_charts(study):
        assert "nan" not in svg.lower()
    assert chart_by_category(replace(STUDY, standings=()), "strict") is None


def test_without_texts_or_probabilities_their_charts_are_missing():
    gpt_4 = replace(STUDY, standings=STUDY.standings[2:3])
    assert chart_of_coverage(gpt_4) is None
    assert charts_of_reliability(gpt_4) == []
    bare = {name: figure for name, figure in gpt_4.standings[0].figures.items() if name in ("strict", "half")}
    without = replace(gpt_4, standings=(replace(gpt_4.standings[0], figures=bare),))
    assert chart_of_length(without) is None
    assert chart_by_category(without, "length_balanced") is None


def test_first_wins_and_the_coin_are_never_drawn():
    assert [one.name for one in drawn_of(STUDY)] == [
        "fast (11 of 12 judged)",
        "slow (11 of 12 judged)",
        "GPT-4",
        "longer wins",
    ]
    assert "first wins" not in strict_chart()


def test_judges_are_drawn_before_released_ones_and_no_more_than_can_be_told_apart():
    one, _, gpt_4, longer, *_ = STUDY.standings
    judges = [replace(one, name=f"judge {number}") for number in range(7)]
    study = replace(STUDY, standings=(gpt_4, *judges, longer))
    names = [drawn.standing.name for drawn in drawn_of(study)]
    assert names == [*(f"judge {number}" for number in range(5)), "longer wins"]
    assert not_drawn(study) == "Charts show the first 5 judges; the 3 others are in the tables."
    assert not_drawn(STUDY) == ""


def test_no_two_entrants_share_a_shape_or_a_colour():
    looks = [*LOOKS, LOOK_OF_LONGER]
    assert len({marker for marker, _ in looks}) == len({colour for _, colour in looks}) == len(looks)


def test_a_judge_of_that_name_is_not_taken_for_the_baseline():
    judge = replace(STUDY.standings[0], name="longer wins", kind=EntrantKind.JUDGE)
    [drawn] = drawn_of(replace(STUDY, standings=(judge,)))
    assert (drawn.marker, drawn.colour) == LOOKS[0]


@pytest.mark.slow
@pytest.mark.parametrize("names", [list(HOSTILE.values())[:5], [*list(HOSTILE.values())[5:], "$x_1$", ""]])
def test_no_name_leaves_its_place_in_a_chart(names):
    one = STUDY.standings[0]
    study = replace(
        STUDY,
        standings=tuple(replace(one, name=name) for name in names),
        by_category=dict.fromkeys(names, STUDY.total),
    )
    for svg in (
        chart_by_category(study, "strict"),
        chart_of_coverage(study),
        charts_of_reliability(study)[1][1],
    ):
        tags = {element.tag for element in ElementTree.fromstring(svg).iter()}
        assert tags <= {"svg", "g", "path", "text", "tspan", "defs", "use", "clipPath", "rect"}
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", svg)


def test_a_name_is_in_the_legend_whole_even_a_long_one_or_one_with_an_underscore_first():
    long = "qwen2.5-coder-0.5b+none/direct@embedded-cpu#0f3c9a1b2c4d5e6f"
    assert len(wrapped(long).split("\n")) == 2
    assert wrapped(long).replace("\n", "") == long
    assert max(map(len, wrapped("漢" * 40).split("\n"))) == 23  # each is two letters wide
    shown = "".join(texts_in(chart_by_category(named("_hidden", long), "strict"))).replace("\u200b", "")
    assert "_hidden" in shown
    assert long in shown


def test_reliability_shows_the_size_of_every_bin():
    [(name, svg), _] = charts_of_reliability(STUDY)
    assert name == "fast (11 of 12 judged)"
    sizes = [f"{one.right.n:,}" for one in STUDY.standings[0].reliability]
    texts = texts_in(svg)
    assert all(size in texts for size in sizes)


@pytest.mark.slow
def test_charts_have_words_for_those_who_do_not_see_them():
    svgs = all_charts(STUDY)
    labels = [ElementTree.fromstring(svg).attrib["aria-label"] for svg in svgs]
    assert len(set(labels)) == len(labels) == 7
    strict = STUDY.standings[0].figures["strict"].value
    assert f"fast (11 of 12 judged) {100 * strict:.1f}" in labels[0]
