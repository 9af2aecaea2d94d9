"""The documentation as a site: it builds strictly, needs no network, and has every public name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import judge
from benchmarks.documented import REFERENCE, undocumented

CHECKOUT = Path(__file__).parents[1]
LOADED = {("link", "href"), ("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src")}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of a strict build."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=CHECKOUT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


class Loads(HTMLParser):
    """Collects the addresses that a page loads something from."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "link" and dict(attributes).get("rel") in ("canonical", "prev", "next"):
            return
        self.addresses += [value or "" for name, value in attributes if (tag, name) in LOADED]


@pytest.mark.slow
def test_the_site_builds_strictly_and_its_pages_load_nothing_from_elsewhere(site):
    files = sorted(site.rglob("*.html"))
    assert len(files) > 20
    for page in files:
        text = page.read_text(encoding="utf-8")
        parser = Loads()
        parser.feed(text)
        assert parser.addresses
        assert [one for one in parser.addresses if re.match(r"(https?:)?//", one)] == [], page
        assert not re.search(r"@import|url\(['\"]?https?:", text), page


@pytest.mark.slow
def test_the_reference_page_has_every_public_name(site):
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    names = [name for name in judge.__all__ if not name.startswith("__")]
    assert [name for name in names if f'id="judge.{name}"' not in page] == []


def test_every_public_name_is_documented():
    assert list(undocumented(REFERENCE.read_text(encoding="utf-8"))) == []


def test_a_public_name_without_a_docstring_or_a_place_on_the_page_is_found(monkeypatch):
    page = REFERENCE.read_text(encoding="utf-8")

    class Bare:
        def method(self):
            return None

    monkeypatch.setattr(judge, "__all__", [*judge.__all__, "Bare"])
    monkeypatch.setattr(judge, "Bare", Bare, raising=False)
    assert list(undocumented(page)) == [
        "judge.Bare is not on the page. Add a line: ::: judge.Bare",
        "judge.Bare has no docstring.",
        "judge.Bare.method has no docstring.",
    ]
    assert list(undocumented(page + "::: judge.Bare\n::: judge.Other\n"))[-1] == (
        "judge.Other is on the page, and judge does not export it."
    )
