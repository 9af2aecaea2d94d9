"""Pictures of the results page: drawn from result files, and not stale."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.pictures import picture_of, study_in
from benchmarks.tables import MT_BENCH_RESULT, NOT_IN_PICTURES, PICTURES, drawn
from judge.errors import InputError

pytestmark = pytest.mark.slow  # every picture is drawn

CHECKOUT = Path(__file__).parents[1]
RESULT = json.loads((CHECKOUT / MT_BENCH_RESULT).read_text(encoding="utf-8"))
SVG = "{http://www.w3.org/2000/svg}"


def test_the_study_of_a_result_file_has_its_figures():
    study = study_in(RESULT)
    for standing, judge in zip(study.standings, RESULT["judges"], strict=True):
        assert standing.name == judge["name"]
        for category in RESULT["data"]["categories"]:
            found = standing.by_category[category]["strict"]
            assert found.value == judge["by_category"][category]["strict"]["value"]
            assert found.low == judge["by_category"][category]["strict"]["low"]
    assert study.total.n_pairs == RESULT["data"]["n_pairs"]
    assert study.people.figures["strict"].value == RESULT["people"]["figures"]["strict"]["value"]


@pytest.mark.parametrize("metric", ["strict", "inconsistent"])
def test_a_picture_stands_alone_with_every_category_and_its_own_colours(metric):
    picture = picture_of(RESULT, metric)
    root = ElementTree.fromstring(picture)
    assert root.tag == f"{SVG}svg"
    shown = {text.strip() for element in root.iter(f"{SVG}text") for text in element.itertext()}
    assert shown >= {"all", *RESULT["data"]["categories"]}
    [style] = root.iter(f"{SVG}style")
    used = set(re.findall(r"var\(--([a-z-]+)\)", picture))
    defined = re.findall(r"--([a-z-]+):", style.text)
    assert used
    assert all(defined.count(name) == 2 for name in used), "each colour, for light and for dark"


def test_a_figure_that_nobody_has_is_refused():
    with pytest.raises(InputError, match="no judge of this result file has the figure beauty"):
        picture_of(RESULT, "beauty")


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_show_what_their_result_files_have_now(name):
    """Their words: where a line is drawn to the last digit depends on matplotlib's version."""
    committed = (CHECKOUT / name).read_text(encoding="utf-8")
    assert words_in(committed) == words_in(drawn(name))
    page = (CHECKOUT / "docs" / "results.md").read_text(encoding="utf-8")
    assert f"]({name.removeprefix('docs/')})" in page


def test_every_judge_of_the_headline_table_is_drawn_but_those_named():
    names = {judge["name"] for judge in RESULT["judges"] if judge["kind"] != "baseline"}
    assert names >= set(NOT_IN_PICTURES)
    for picture in PICTURES:
        words = {word.strip("\u200b") for word in words_in(drawn(picture))}
        assert names & words == names - set(NOT_IN_PICTURES)


def words_in(picture):
    root = ElementTree.fromstring(picture)
    return [root.attrib["aria-label"], *(" ".join(text.itertext()) for text in root.iter(f"{SVG}text"))]
