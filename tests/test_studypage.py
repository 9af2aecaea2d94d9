"""A study as text, Markdown and HTML: nothing cut, nothing escapes, nothing loaded."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from pairs import pair_of
from rich.cells import cell_len
from studies import CATEGORIES, entrants, pairs, small_study, votes
from test_report import HOSTILE, Page

from judge.io.wording import visible, with_hidden_named
from judge.records import Ballot, HumanVote, Outcome, Status, Verdict
from judge.study.gallery import galleries_of
from judge.study.glossary import METRICS
from judge.study.page import Frame, format_study_html, format_study_markdown, format_study_text
from judge.study.scoreboard import details_of, main_board
from judge.study.study import Entrant, EntrantKind, study_of

STUDY = small_study()


def clear_study():
    """Two judges on twelve questions: one says what people say, the other never does."""
    on = [pair_of("yes", "no", f"Question {n}?", f"p{n}") for n in range(12)]
    said = ["A" if n % 2 else "B" for n in range(12)]
    cast = [HumanVote(pair.id, "ann", Ballot(one)) for pair, one in zip(on, said, strict=True)]
    other = {"A": "B", "B": "A"}

    def verdict(pair, outcome):
        return Verdict(pair.id, Status.CONSISTENT, Outcome(outcome), None, None, {}, "some")

    right, wrong = (
        [verdict(pair, turn(one)) for pair, one in zip(on, said, strict=True)]
        for turn in (str, other.__getitem__)
    )
    both = [Entrant("right", EntrantKind.RELEASED, right), Entrant("wrong", EntrantKind.RELEASED, wrong)]
    return study_of(both, cast, on, n_draws=200)


CLEAR = clear_study()
MARKED = [
    cell for board in details_of(CLEAR) for line in board.lines for cell in line.cells if cell.is_marked
]
FRAME = Frame(
    "A benchmark",
    "two judges, twelve pairs",
    provenance=(("Commit", "0f3c9a1"), ("Data", "sha256 1d96")),
    self_check=(("strict 69.4, published 69.4", True), ("half 78.5, published 78.4", False)),
)


def html_with_examples(study, frame):
    on = pairs()
    return format_study_html(study, frame, galleries_of(entrants(on), votes(on), on))


FORMATS = [format_study_text, format_study_markdown, html_with_examples]


@cache
def made(formatted):
    """The small study in that format."""
    return formatted(STUDY, FRAME)


@cache
def bare(formatted):
    """A study of released verdicts alone: without texts, models, categories and a frame."""
    on = pairs()
    cast = [replace(vote, model_a=None, category=None) for vote in votes(on)]
    return formatted(study_of(entrants(on)[2:], cast, None, n_draws=50), Frame("Alone"))


@cache
def hostile():
    """Every hostile text as an answer, in an id, as a category, a name, a model and in the frame."""
    texts = list(HOSTILE.values())
    on = [
        replace(pair, id=f"{pair.id} {text}", category=text)
        for pair, text in zip(pairs(texts), (texts * 2)[:12], strict=True)
    ]
    cast = [replace(vote, model_a=texts[0], model_b=texts[1], voter=texts[2]) for vote in votes(on)]
    names = (texts[0], texts[6], texts[1])
    judges = [Entrant(name, one.kind, one.verdicts) for name, one in zip(names, entrants(on), strict=True)]
    frame = Frame(texts[0], texts[1], tuple((text, text) for text in texts), ((texts[0], True),))
    return study_of(judges, cast, on, n_draws=50), frame, galleries_of(judges, cast, on)


@cache
def hostile_page():
    return format_study_html(*hostile())


# What every format says


@pytest.mark.slow
@pytest.mark.parametrize("formatted", FORMATS)
def test_every_format_has_the_judges_their_figures_and_what_they_stand_on(formatted):
    page = " ".join(made(formatted).replace("\\", "").split())
    for said in ["A benchmark", "two judges, twelve pairs", "fast", "GPT-4", "people (ceiling)", *CATEGORIES]:
        assert said in page
    for said in ["6 questions (200 draws, seed 0)", "0f3c9a1", "changes its mind on", "NOT as expected"]:
        assert said in page
    figures = STUDY.standings[0].figures
    for name in ("strict", "inconsistent", "longer_chosen"):
        assert f"{100 * figures[name].value:.1f}" in page
    assert f"{figures['ece'].value:.3f}" in page


@pytest.mark.slow
@pytest.mark.parametrize("formatted", FORMATS)
def test_the_same_study_gives_the_same_bytes(formatted, monkeypatch):
    once = made(formatted)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert formatted(small_study(), FRAME) == once


@pytest.mark.parametrize("formatted", [format_study_text, format_study_markdown, format_study_html])
def test_a_study_that_lacks_nearly_everything_is_still_a_report(formatted):
    page = bare(formatted)
    assert "Alone" in page
    assert "GPT-4" in page
    assert "nan" not in page
    for heading in ("Self-check", "Made with", "Right by confidence", "McNemar p", "Win rates", "Examples"):
        assert heading not in page


# Text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_figure_is_cut_at_any_width(width):
    text = format_study_text(STUDY, FRAME, width=width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    for board in [main_board(STUDY), *details_of(STUDY)]:
        for line in board.lines:
            assert all(str(cell) in text for cell in line.cells)


def test_long_and_hostile_names_keep_to_the_width():
    study, frame, _ = hostile()
    for width in (60, 100):
        lines = format_study_text(study, frame, width=width).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]", "".join(lines))


def test_the_main_table_and_then_the_headlines_stand_last():
    text = made(format_study_text)
    assert (
        text.index("Self-check") < text.index("\nAgreement with people\n") < text.index("\nfast agrees with")
    )
    assert text.rstrip().splitlines()[-1].endswith("difference.")


def test_text_is_coloured_only_on_demand():
    plain = made(format_study_text)
    assert "\x1b[" not in plain
    coloured = format_study_text(STUDY, FRAME, color=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured).split() == plain.split()


# Markdown


def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_heading():
    study, frame, _ = hostile()
    for page in (made(format_study_markdown), format_study_markdown(study, frame)):
        tables = re.findall(r"(?:^\|.*\|$\n?)+", page, re.MULTILINE)
        assert len(tables) >= 10
        for table in tables:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_hostile_texts_leave_no_element_and_no_control_in_markdown():
    study, frame, _ = hostile()
    page = format_study_markdown(study, frame)
    assert not re.search("<[a-z/!]", page)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]", page)


def test_a_clear_difference_is_bold_in_markdown():
    assert len(MARKED) > 2
    assert format_study_markdown(CLEAR, FRAME).count(r"\***") == len(MARKED)


# HTML


@pytest.mark.slow
def test_no_hostile_text_becomes_an_element_or_an_attribute():
    page = Page(hostile_page())
    assert not {"script", "img", "iframe", "object", "embed", "link", "form", "image"} & set(page.elements)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert not [v for name, v in page.attributes if name in ("src", "href") and not (v or "").startswith("#")]
    assert page.open == []


@pytest.mark.slow
def test_every_text_of_an_example_can_be_read_as_it_was():
    texts = {shown.strip() for shown in Page(hostile_page()).texts}
    _, _, galleries = hostile()
    shown = [one.row.pair for gallery in galleries for one in (*gallery.disagreements, *gallery.flipped)]
    assert len(shown) > 4
    for pair in shown:
        answers = (pair.response_a, pair.response_b)
        assert {with_hidden_named(visible(answer)).strip() for answer in answers} <= texts
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", hostile_page())
    assert hostile_page().encode()


@pytest.mark.slow
def test_the_page_forbids_scripts_and_loads_nothing():
    html = made(html_with_examples)
    policies = [v for name, v in Page(html).attributes if name == "content" and v and "default-src" in v]
    assert [one.startswith("default-src 'none'; style-src 'unsafe-inline';") for one in policies] == [True]
    assert "http" not in html.replace("http-equiv", "")
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_links_go_to_places_on_the_page_and_ids_are_unique():
    page = Page(made(html_with_examples))
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {(value or "#")[1:] for name, value in page.attributes if name == "href"}
    assert {"agreement", "differences", "bias", "calibration", "models", "examples"} <= links <= set(ids)


def test_there_is_no_link_to_what_a_study_lacks():
    links = re.findall('<a href="#(.*?)">', bare(format_study_html))
    assert links == ["agreement", "bias", "said", "method"]


def test_a_mark_says_beside_the_weight_that_a_difference_is_clear():
    html = format_study_html(CLEAR, FRAME, [])
    assert html.count('<td class="number marked">') == len(MARKED)
    assert all(f">{cell.value} *" in html for cell in MARKED)


def test_charts_are_in_the_page_and_each_has_words():
    page = Page(made(html_with_examples))
    labels = [value or "" for name, value in page.attributes if name == "aria-label"]
    assert page.elements.count("svg") == 7
    for start, n in (("Strict in percent", 1), ("Inconsistent in percent", 1), ("Reliability of", 2)):
        assert sum(label.startswith(start) for label in labels) == n


def test_more_judges_than_can_be_drawn_are_counted_as_left_out():
    one = replace(STUDY.standings[0], reliability=(), coverage=())
    judges = tuple(replace(one, name=f"judge {number}") for number in range(7))
    html = format_study_html(replace(STUDY, standings=judges, contrasts=(), by_category={}), FRAME)
    assert "the 2 others are in the tables" in html


def test_every_figure_is_explained_on_the_page():
    data = " ".join(Page(made(html_with_examples)).data)
    shown = [metric for metric in METRICS.values() if metric.name != "undecided"]  # here no pair is
    assert all(metric.label in data and metric.meaning in data for metric in shown)
    assert METRICS["undecided"].label not in data


@pytest.mark.parametrize("width", [80, 87, 94, 99, 100, 101, 113, 120])
def test_no_interval_of_a_table_is_broken_over_two_lines_however_wide_the_terminal_is(width):
    on_one_line = re.compile(r"\[[-+.\d]+, [-+.\d]+\]")
    in_tables = Counter(
        cell.interval
        for board in [main_board(STUDY), *details_of(STUDY)]
        for line in board.lines
        for cell in line.cells
        if cell.interval
    )
    found = Counter(on_one_line.findall(format_study_text(STUDY, FRAME, width=width)))
    assert in_tables - found == Counter()
