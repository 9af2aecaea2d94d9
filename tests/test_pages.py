"""The README and the documentation keep their word: tables are as measured, links lead somewhere."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tables import MARKED, OUR_JUDGE, pages, rewritten
from judge.bench.result import SCHEMA

CHECKOUT = Path(__file__).parents[1]
PAGES = {path.relative_to(CHECKOUT).as_posix(): path.read_text(encoding="utf-8") for path in pages()}
SHOWN = sorted(
    {file for page in PAGES.values() for _, files, _ in MARKED.findall(page) for file in files.split()}
)
RESULT_FILES = sorted(
    path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "benchmarks" / "results").glob("*.json")
)
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
MAKE_TARGETS = sorted({target for page in PAGES.values() for target in re.findall(r"make ([a-z-]+)`", page)})
LONGEST_README = 150


def test_the_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= LONGEST_README


@pytest.mark.parametrize("page", PAGES)
def test_what_is_generated_on_a_page_is_as_its_sources_have_it_now(page):
    assert rewritten(PAGES[page], name=page) == PAGES[page], "run: python -m benchmarks.tables"


def test_every_result_file_is_shown_on_a_page():
    assert SHOWN == RESULT_FILES


@pytest.mark.parametrize("path", RESULT_FILES)
def test_a_table_of_figures_says_what_it_was_measured_with(path):
    result = json.loads((CHECKOUT / path).read_text(encoding="utf-8"))
    assert {"commit", "cpu", "cores", "versions", "seed"} <= result.keys()
    assert re.fullmatch("[0-9a-f]{40}", result["commit"]), "measured on a tree that no commit holds"
    if result["schema"] == SCHEMA:
        assert re.fullmatch("[0-9a-f]{64}", result["data"]["hash"])
        judges = [judge for judge in result["judges"] if judge["kind"] == "judge"]
        assert judges
        assert all(re.fullmatch("[0-9a-f]{64}", judge["identity"]["base_model_hash"]) for judge in judges)
    else:
        assert {"base_model_hash", "data_hash"} <= result.keys()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page):
    for link in LINK.findall(PAGES[page]):
        path, _, anchor = link.partition("#")
        target = ((CHECKOUT / page).parent / path).resolve() if path else CHECKOUT / page
        assert target.is_file(), link
        assert not anchor or anchor in anchors_of(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("mt-bench-experiments-sample-of-160", "by {} points ({} to {}; on 200 pairs"),
        ("oasst-experiments-sample-of-200", "OASST by {}, {} to {})"),
    ],
)
def test_a_difference_in_a_sentence_is_that_of_its_result_file(file, words):
    [found] = [
        contrast["figures"]["strict"]
        for contrast in result_of(file)["contrasts"]
        if {contrast["one"], contrast["other"]} == {"distilled", "distilled-any-length"}
    ]
    figures = sorted(abs(100 * found[key]) for key in ("low", "value", "high"))
    low, value, high = (f"{figure:.1f}" for figure in figures)
    assert words.format(value, low, high) in " ".join(PAGES["docs/distilling.md"].split())


def test_a_share_in_a_sentence_is_that_of_its_result_file():
    result, page = result_of("mt-bench"), " ".join(PAGES["docs/results.md"].split())
    [ours] = [judge for judge in result["judges"] if judge["name"] == OUR_JUDGE]
    assert ours["figures"]["inconsistent"]["value"] == 0
    assert "in half of the cases" in page
    assert 0.47 < ours["figures"]["strict_where_shorter_is_right"]["value"] < 0.53
    assert f"{len(result['self_check'])} figures" in page


def test_how_far_our_judge_is_from_the_longer_answer_is_said_as_the_result_files_have_it():
    page, balanced = " ".join(PAGES["docs/results.md"].split()), []
    for name, words in (("mt-bench", "{} points more often than"), ("oasst", "{} points less often")):
        result = result_of(name)
        [apart] = [
            one["figures"]["strict"]
            for one in result["contrasts"]
            if (one["one"], one["other"]) == (OUR_JUDGE, "longer wins")
        ]
        assert words.format(f"{abs(100 * apart['value']):.1f}") in page
        assert f"({100 * apart['low']:.1f} to {100 * apart['high']:.1f}: not clear" in page
        assert apart["low"] < 0 < apart["high"]
        [ours] = [judge for judge in result["judges"] if judge["name"] == OUR_JUDGE]
        balanced.append(round(100 * ours["figures"]["length_balanced"]["value"]))
    assert "length balanced it has {} and {} there, where the longer answer has 50".format(*balanced) in page


@pytest.mark.parametrize("target", MAKE_TARGETS)
def test_every_make_target_that_a_page_names_exists(target):
    assert re.search(rf"^{target}:", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.slow
def test_every_message_that_troubleshooting_quotes_is_one_of_ours():
    messages = list(messages_of_ours())
    quoted = re.findall(r'^### "(.+)"$', PAGES["docs/troubleshooting.md"], re.MULTILINE)
    assert len(quoted) > 10
    for heading in quoted:
        pattern = re.compile(".*".join(re.escape(part) for part in heading.split("...")), re.DOTALL)
        assert any(pattern.search(message) for message in messages), heading


def messages_of_ours() -> Iterator[str]:
    """Every text in the code of `judge` and `distill`; dots stand for what is filled in."""
    for path in chain(*((CHECKOUT / name).rglob("*.py") for name in ("judge", "distill"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(one.value if isinstance(one, ast.Constant) else "..." for one in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def result_of(name: str) -> dict[str, Any]:
    return json.loads((CHECKOUT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def anchors_of(page: str) -> set[str]:
    """What the headings of a page are called in a link, on GitHub and on the site; and documented names."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    names = re.findall(r"^::: (\S+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in headings} | {*names}
