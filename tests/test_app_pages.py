"""The pages' logic, without a browser: Streamlit's own test runner over scripted judges."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
import streamlit as st
from pairs import pair_of
from streamlit.testing.v1 import AppTest

from judge.evaluate import judge_pairs
from judge.io.pairs import write_pairs
from judge.io.verdicts import write_verdicts
from judge.methods import MemoryStore
from judge.options import judge_options
from judge.progress import silent
from judge.records import Ballot
from judge.review.settings import AppSettings, start_with
from judge.review.store import Event, EventKind, ReviewStore

pytestmark = pytest.mark.slow
MAIN = Path(__file__).parents[1] / "app" / "main.py"
LONGER = judge_options(backend="scripted:longer")
PAIRS = [pair_of(f"a long answer {n}", "short", f"Question {n}?", f"p{n}") for n in range(5)]


@pytest.fixture
def root(tmp_path, monkeypatch):
    # A session runs its script as `__main__` and leaves it so, and then no process can be spawned from here.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    st.cache_resource.clear()
    st.cache_data.clear()
    write_pairs(tmp_path / "pairs.jsonl", PAIRS)
    write_verdicts(tmp_path / "verdicts.jsonl", judge_pairs(PAIRS, LONGER.load(silent, MemoryStore())))
    return tmp_path


@pytest.fixture
def open_app(root):
    """Starts a session; `verdicts` "" opens the pairs alone."""

    def open_app(pairs="pairs.jsonl", verdicts="verdicts.jsonl"):
        start_with(
            AppSettings(
                root=root,
                pairs=pairs,
                verdicts=verdicts,
                reviews=root / "reviews.sqlite",
                ledger=root / "ledger.sqlite",
                judge=LONGER,
            )
        )
        session = AppTest.from_file(str(MAIN), default_timeout=30).run()
        assert not session.exception
        return session

    return open_app


def html_of(session):
    return "\n".join(str(one.proto.body) for one in session.get("html"))


def press(session, key):
    session.button(key=key).click().run()
    assert not session.exception


def events(root):
    return ReviewStore(root / "reviews.sqlite").standing()


def test_without_a_file_the_page_says_how_to_open_one(open_app):
    session = open_app(pairs="", verdicts="")
    assert session.subheader[0].value == "No pairs are open"
    assert session.code[0].value == "judge app pairs.jsonl"


def test_a_vote_is_written_and_the_next_pair_comes_up(open_app, root):
    session = open_app()
    first = session.session_state["current"]
    session.text_input(
        key=next(one.key for one in session.text_input if (one.key or "").startswith("note_"))
    ).input("clear")
    press(session, "left")
    [event] = events(root)
    assert (event.pair_id, event.reviewer, event.note, event.saw_judge) == (
        first,
        "anonymous",
        "clear",
        False,
    )
    assert event.ballot is Ballot(event.shown_left)
    assert session.session_state["current"] != first
    assert f"Before: {first}" in html_of(session)


def test_the_judge_is_hidden_until_the_vote_or_until_asked(open_app, root):
    session = open_app()
    assert "The judge says" not in html_of(session)
    press(session, "judge")
    assert "The judge says" in html_of(session)
    press(session, "tie")
    [event] = events(root)
    assert (event.ballot, event.saw_judge) == (Ballot.TIE, True)
    press(session, "bad")
    assert [one.saw_judge for one in events(root)] == [True, False]


def test_five_votes_end_the_queue_and_undo_brings_the_last_pair_back(open_app, root):
    session = open_app()
    for key in ("left", "right", "tie", "bad", "skip"):
        last = session.session_state["current"]
        press(session, key)
    assert session.success[0].value.startswith("Every pair has your vote")
    press(session, "undo")
    assert session.session_state["current"] == last
    assert len(events(root)) == 4


def test_a_name_belongs_to_its_votes_and_another_reviewer_starts_afresh(open_app, root):
    session = open_app()
    session.text_input(key="kept_reviewer").input("ada").run()
    press(session, "left")
    session.text_input(key="kept_reviewer").input("bob").run()
    assert r"others\: ada 1" in session.get("progress")[0].proto.text
    press(session, "left")
    assert sorted(event.reviewer for event in events(root)) == ["ada", "bob"]


def test_a_filter_that_fits_nothing_says_so(open_app):
    session = open_app()
    session.text_input(key="kept_text").input("no such words").run()
    assert session.info[0].value.startswith("No pair fits these filters")
    session.text_input(key="kept_text").input("Question 3").run()
    assert session.session_state["current"] == "p3"


def test_bad_lines_are_named_and_the_others_can_be_reviewed(open_app, root):
    with (root / "pairs.jsonl").open("a") as file:
        file.write("nonsense\n")
    session = open_app(verdicts="")
    assert session.expander[0].label == "1 lines of the file are no pairs and are left out"
    assert session.session_state["current"]


def test_a_file_that_cannot_be_opened_is_one_line(open_app, root):
    (root / "verdicts.jsonl").write_text(json.dumps({"pair_id": 1, "orders": {}}) + "\n")
    session = open_app()
    assert "verdicts.jsonl:1" in session.error[0].value.replace("\\", "")


def test_the_judge_reads_the_pairs_when_asked_and_filters_know_it(open_app, root):
    session = open_app(verdicts="")
    assert "The judge has not read this pair" not in html_of(session)
    next(one for one in session.button if one.label == "Read").click().run()
    for _ in range(100):
        if session.session_state["job"].is_over:
            break
        time.sleep(0.05)
    session.run()
    press(session, "judge")
    assert "The judge says" in html_of(session)
    assert not [one for one in session.button if one.label == "Read"]


def test_a_bar_opens_the_pairs_behind_it(open_app):
    session = open_app()

    def script(point):
        import streamlit as st

        from app import agreement

        st.switch_page = lambda page: None
        agreement.open_category(point)

    for figure, looks in (("inconsistent", ["inconsistent"]), ("agreement, strict", [])):
        opened = AppTest.from_function(script, args=({"category": "math", "figure": figure},))
        opened.session_state["pages"] = {"review": None}
        opened.run()
        assert not opened.exception
        assert opened.session_state["kept_category"] == "math"
        assert opened.session_state["kept_looks"] == looks
    assert not session.exception


@pytest.mark.parametrize("page", ["Why", "Agreement", "Adjudicate", "Try it", "Export"])
def test_every_page_opens_before_and_after_votes(open_app, root, page):
    session = open_app()
    for reviewer, ballot in (("ada", Ballot.A), ("bob", Ballot.B)):
        open_page(session, page)
        store = ReviewStore(root / "reviews.sqlite")
        for n, pair in enumerate(PAIRS):
            store.add(
                Event(
                    EventKind.VOTE,
                    reviewer,
                    pair.content_hash,
                    pair.id,
                    "2026-11-22",
                    ballot if n else Ballot.A,
                )
            )
    open_page(session, page)


def test_grades_of_single_answers_are_shown_as_two_grades_and_not_as_two_orders(open_app):
    session = open_app()
    open_page(session, "Why")
    session.session_state["kept_method_why"] = "score"
    press(session, "ask_why")
    for _ in range(100):
        if session.session_state["job_why"].is_over:
            break
        time.sleep(0.05)
    session.run()
    assert not session.exception
    html = html_of(session)
    assert "each answer graded alone, 1 to 9: A " in html
    assert "shown first" not in html
    names = [one.value for one in session.subheader]
    assert [name for name in names if "answer" in name.lower()] == [
        "Answer A, graded alone",
        "Answer B, graded alone",
    ]
    assert not [name for name in names if "shown first" in name]


def open_page(session, title):
    """Opens a page as a click on its name would; `AppTest.switch_page` knows pages that are files only."""
    page = next(page for page in session.session_state["pages"].values() if page.title == title)
    session._page_hash = page._script_hash
    session.run()
    assert not session.exception
    assert session.session_state["page"] == title
