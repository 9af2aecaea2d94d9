"""The pages of a project, without a browser: names, assignment, reasons, repeats, orders, adjudication."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace

import pytest
import streamlit as st
from pairs import pair_of
from streamlit.testing.v1 import AppTest
from test_app_pages import LONGER, MAIN, PATIENCE_S, button, events, html_of, open_page, press, shown

from judge.evaluate import judge_pairs
from judge.io.pairs import write_pairs
from judge.io.verdicts import write_verdicts
from judge.io.votes import write_votes
from judge.methods import MemoryStore
from judge.progress import silent
from judge.records import Ballot, Confidence, HumanVote
from judge.review.projectfile import ReviewProject
from judge.review.settings import AppSettings, start_with
from judge.review.store import Event, EventKind, ReviewStore

pytestmark = pytest.mark.slow
PAIRS = [
    pair_of("first answer", "second", "Which?", "q0"),
    pair_of("third one", "first answer", "Which?", "q1"),
    pair_of("second", "third one", "Which?", "q2"),
    pair_of("a long answer ![plot](plot.png)", "short", "Alone?", "p3"),
    pair_of("a long answer 4", "short", "Alone 4?", "p4"),
]
PNG = b"\x89PNG\r\n\x1a\n..."


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr("judge.review.trail.SOONEST_S", 0.0)
    st.cache_resource.clear()
    st.cache_data.clear()
    write_pairs(tmp_path / "pairs.jsonl", PAIRS)
    write_verdicts(tmp_path / "verdicts.jsonl", judge_pairs(PAIRS, LONGER.load(silent, MemoryStore())))
    return tmp_path


@pytest.fixture
def open_project(root):
    """Starts a session of a project with these settings, as `who`; `address` is what its address holds."""

    def open_project(who="ada", guidelines="", address=None, **settings):
        start_with(
            AppSettings(
                root=root,
                pairs="pairs.jsonl",
                verdicts="verdicts.jsonl",
                reviews=root / "reviews.sqlite",
                ledger=root / "ledger.sqlite",
                judge=LONGER,
                project=ReviewProject(
                    **{"pairs": "pairs.jsonl", "order": "as in the file", "reviewers": ["ada", "bob"]}
                    | settings
                ),
                guidelines=guidelines,
            )
        )
        session = AppTest.from_file(str(MAIN), default_timeout=PATIENCE_S)
        for name, value in ({"name": who} | (address or {})).items():
            session.query_params[name] = value
        session.run()
        assert not session.exception
        return session

    return open_project


def vote(root, id, reviewer, ballot, **more):
    pair = next(pair for pair in PAIRS if pair.id == id)
    event = Event(EventKind.VOTE, reviewer, pair.content_hash, id, "2026-11-22", ballot, shown_left="A")
    ReviewStore(root / "reviews.sqlite").add(replace(event, **more))


def field(session, kind, name):
    return next(one for one in getattr(session, kind) if (one.key or "").startswith(f"{name}_"))


def test_nobody_votes_under_a_name_that_the_project_does_not_have(open_project, root):
    session = open_project(who="zoe")
    assert session.selectbox(key="kept_reviewer").value is None
    assert session.info[0].value.startswith("Choose your name in the side bar of the Review page: ada, bob")
    assert button(session, "left").disabled
    session.selectbox(key="kept_reviewer").select("bob").run()
    press(session, "left")
    assert [one.reviewer for one in events(root)] == ["bob"]


def test_each_reviewer_gets_their_own_pairs_and_the_order_of_the_project(open_project, root):
    session = open_project(assignment={"reviewers_per_pair": 1})
    mine = []
    while not session.success:
        mine.append(shown(session))
        press(session, "tie")
    assert session.success[0].value.startswith("Every pair has your vote.")
    other = open_project(who="bob", assignment={"reviewers_per_pair": 1})
    assert f"0 of {5 - len(mine)} voted" in other.get("progress")[0].proto.text
    assert mine == sorted(mine, key=[pair.id for pair in PAIRS].index)
    assert shown(other) not in mine
    assert len(mine) in (2, 3)


def test_a_reviewer_without_pairs_of_their_own_gets_none_and_is_told_so(open_project):
    session = open_project(who="bob", assignment={"shares": {"ada": 1.0}})
    assert "0 of 0 voted, 0 in the queue" in session.get("progress")[0].proto.text
    assert session.info[0].value.startswith("No pair is assigned to you.")
    session.pills(key="kept_looks").set_value([]).run()
    assert shown(session) == "q0"


def test_the_address_of_a_project_cannot_open_another_file(open_project, root):
    write_pairs(root / "other.jsonl", [pair_of("x", "y", "Another?", "o")])
    session = open_project(address={"pairs": "other.jsonl", "pair": "p4"})
    assert (session.session_state["pairs"], shown(session)) == ("pairs.jsonl", "p4")


def named(session):
    """The pair that the address names; None if it names none."""
    found = session.query_params.get("pair")
    return found if found is None or isinstance(found, str) else found[0]


def test_an_address_opens_one_pair_until_the_reviewer_moves_on(open_project):
    session = open_project(address={"pair": "p3"})
    assert (shown(session), named(session)) == ("p3", "p3")
    assert any("](./?" in one.value and "pair=p3" in one.value for one in session.caption)
    press(session, "next")
    assert shown(session) == "p4"
    session.run()
    assert named(session) is None


def test_an_address_with_no_such_pair_says_so(open_project):
    session = open_project(address={"pair": "gone*"})
    assert session.warning[0].value == r"No pair with the id gone\* is in pairs\.jsonl\."
    assert shown(session) == "q0"


def test_tags_and_confidence_go_with_the_vote_and_come_back_with_it(open_project, root):
    session = open_project(tags=["wrong", "too long"], confidence=True)
    assert field(session, "text_input", "note")
    field(session, "button_group", "tags").set_value(["too long"]).run()
    field(session, "button_group", "confidence").set_value("low").run()
    press(session, "left")
    [event] = events(root)
    assert (event.tags, event.confidence) == (("too long",), Confidence.LOW)
    press(session, "previous")
    again = open_project(tags=["wrong", "too long"], confidence=True, address={"pair": event.pair_id})
    press(again, "right")
    assert [(one.tags, one.confidence) for one in events(root)] == [(("too long",), Confidence.LOW)]


def test_what_one_reviewer_typed_and_ticked_is_not_in_the_vote_of_another(open_project, root):
    session = open_project(tags=["wrong"], confidence=True)
    session.pills(key="kept_looks").set_value([]).run()
    field(session, "text_input", "note").input("ada's").run()
    field(session, "button_group", "tags").set_value(["wrong"]).run()
    field(session, "button_group", "confidence").set_value("low").run()
    session.selectbox(key="kept_reviewer").select("bob").run()
    assert shown(session) == "q0"
    press(session, "left")
    [event] = events(root)
    assert (event.reviewer, event.note, event.tags, event.confidence) == ("bob", "", (), None)


def test_a_note_on_an_order_and_a_reason_belong_to_who_gave_them(open_project, root):
    for name, ballot in (("ada", Ballot.A), ("bob", Ballot.B)):
        vote(root, "p3", name, ballot)
    session = open_project()
    for page, name in (("Rank", "rank_note"), ("Adjudicate", "reason")):
        open_page(session, page)
        field(session, "text_input", name).input("ada's").run()
        session.session_state["kept_reviewer"] = "bob"
        session.run()
        assert not field(session, "text_input", name).value
        session.session_state["kept_reviewer"] = "ada"
        session.run()


def test_guidelines_are_shown_and_their_images_are_not_fetched(open_project):
    session = open_project(guidelines="**Be fair.** ![x](http://example.org/x.png)")
    assert session.expander[0].label == "Guidelines"
    assert session.markdown[0].value == r"**Be fair.** !\[x](http://example.org/x.png)"


def test_the_keys_are_told(open_project):
    session = open_project()
    press(session, "help")
    assert "<kbd>?</kbd>" in html_of(session)


def test_a_pair_comes_again_with_its_sides_swapped_and_its_vote_counts_apart(open_project, root):
    session = open_project(repeat={"share": 1.0, "after": 1})
    for _ in range(4):
        press(session, "left")
        assert "The judge says" not in html_of(session)
    first, *others, again = events(root)
    assert (again.kind, again.pair_id) == (EventKind.REPEAT, first.pair_id)
    assert again.shown_left != first.shown_left
    assert again.ballot is not first.ballot
    assert first.pair_id not in [one.pair_id for one in others]
    press(session, "undo")
    assert events(root) == [first, *others]
    open_page(session, "Agreement")
    assert "With themselves" not in [one.value for one in session.subheader]
    open_page(session, "Review")
    press(session, "left")
    open_page(session, "Agreement")
    assert "With themselves" in [one.value for one in session.subheader]


def test_a_pair_that_came_again_and_is_skipped_does_not_come_at_once(open_project, root):
    session = open_project(repeat={"share": 1.0, "after": 1})
    for _ in range(3):
        press(session, "left")
    assert session.session_state["trail"].at.endswith("again")
    press(session, "skip")
    assert not session.session_state["trail"].at.startswith("q0")
    assert [one.kind for one in events(root)] == [EventKind.VOTE] * 3


def test_answers_to_one_question_are_put_in_order_in_one_view(open_project, root):
    session = open_project()
    open_page(session, "Rank")
    assert "0 of 1 questions ranked" in session.get("progress")[0].proto.text
    assert button(session, "save_rank").disabled
    places = [one for one in session.selectbox if (one.key or "").startswith("place_")]
    for place, value in zip(places, (2, 1, 2), strict=True):
        place.select(value)
    session.run()
    press(session, "save_rank")
    votes = events(root)
    assert {one.pair_id for one in votes} == {"q0", "q1", "q2"}
    assert sorted(one.ballot is Ballot.TIE for one in votes) == [False, False, True]
    assert "1 of 1 questions ranked" in session.get("progress")[0].proto.text


def test_progress_names_whose_votes_are_missing(open_project, root):
    vote(root, "q1", "ada", Ballot.A)
    session = open_project()
    open_page(session, "Progress")
    assert "1 of 10 votes given" in session.get("progress")[0].proto.text
    by_votes, reviewers, pairs = (one.value for one in session.dataframe)
    assert by_votes.values.tolist() == [[0, 4], [1, 1]]
    assert reviewers[["reviewer", "voted", "still open"]].values.tolist() == [["ada", 1, 4], ["bob", 0, 5]]
    assert pairs.set_index("pair").loc["q1"][["voted", "missing"]].tolist() == ["ada", "bob"]


def test_a_row_opens_the_pairs_that_it_counts_and_they_can_be_left(open_project):
    session = open_project()

    def script():
        import streamlit as st

        from app import shell

        st.switch_page = lambda page: None
        shell.open_pairs(["p4"], "pairs with 0 votes")

    opened = AppTest.from_function(script)
    opened.session_state["pages"] = {"review": None}
    opened.run()
    assert not opened.exception
    before = {key: session.session_state[key] for key in ("kept_looks", "kept_category")}
    assert before["kept_looks"]
    for key in ("picked", "kept_looks", "kept_category"):
        session.session_state[key] = opened.session_state[key]
    session.session_state["filters_before"] = before
    session.run()
    assert shown(session) == "p4"
    assert session.info[0].value == r"Only pairs with 0 votes\: 1 in all\."
    press(session, "show_all")
    assert not session.info
    assert {key: session.session_state[key] for key in before} == before


def test_adjudication_hides_names_and_the_judge_until_the_label(open_project, root):
    vote(root, "p3", "ada", Ballot.A, note="<b>plot</b>", tags=("wrong",))
    vote(root, "p3", "bob", Ballot.B)
    session = open_project(reviewers=["ada", "bob", "cleo"], who="cleo")
    open_page(session, "Adjudicate")
    assert re.findall(r"<tr><td>.*?</span>(\d)</td>", html_of(session)) == ["1", "2"]
    said = "<span class='beside'>{}</span><span class='stacked'>{}</span> is better</td>"
    assert html_of(session).count(said.format("Left", "First")) == 1
    assert html_of(session).count(said.format("Right", "Second")) == 1
    assert "ada" not in html_of(session)
    assert "The judge says" not in html_of(session)
    session.text_input(key="reason_cleo_p3").input("so it is")
    press(session, "label_B_p3")
    label = events(root)[-1]
    assert (label.kind, label.ballot, label.saw_judge) == (EventKind.LABEL, Ballot.B, False)
    assert "The judge says" in html_of(session)
    assert set(re.findall(r"reviewer: </span>(\w+)</td>", html_of(session))) == {"ada", "bob"}
    assert "<b>plot</b>" not in html_of(session)


def test_a_vote_stays_blind_if_its_pair_was_only_looked_at_in_adjudication(open_project, root):
    for name, ballot in (("ada", Ballot.A), ("bob", Ballot.B)):
        vote(root, "q0", name, ballot)
    session = open_project(reviewers=["ada", "bob", "cleo"], who="cleo")
    open_page(session, "Adjudicate")
    open_page(session, "Review")
    assert shown(session) == "q0"
    press(session, "left")
    assert events(root)[-1].saw_judge is False


def test_what_cannot_be_written_is_said_and_the_page_stays(open_project, root, monkeypatch):
    monkeypatch.setattr("judge.review.store.WAIT_S", 0.01)
    for id, ballot in (("p3", Ballot.A), ("p4", Ballot.B)):
        vote(root, id, "ada", Ballot.A)
        vote(root, id, "bob", ballot)
    before = events(root)
    session = open_project()
    said = {
        "Review": {"left": "Your vote was NOT written", "undo": "Nothing was taken back"},
        "Rank": {"save_rank": "Your votes were NOT written"},
        "Adjudicate": {
            "accept": "The labels were NOT written",
            "label_B_p4": "Your label was NOT written",
            "undo_label": "Nothing was taken back",
        },
    }
    with closing(sqlite3.connect(root / "reviews.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        for page, buttons in said.items():
            open_page(session, page)
            for place in [one for one in session.selectbox if (one.key or "").startswith("place_")]:
                place.select(1)
            for name, words in buttons.items():
                for reason in [one for one in session.text_input if (one.key or "").startswith("reason_")]:
                    reason.input("so it is").run()
                session.run()
                press(session, name)
                assert session.error[0].value.startswith(f"{words}: ".replace(":", r"\:")), name
                assert "database is locked" in session.error[0].value
    assert events(root) == before


def test_pairs_of_which_all_reviewers_say_the_same_are_accepted_in_one_step(open_project, root):
    for id in ("q0", "q1"):
        for name in ("ada", "bob"):
            vote(root, id, name, Ballot.A)
    vote(root, "q2", "ada", Ballot.B)
    session = open_project()
    open_page(session, "Adjudicate")
    press(session, "accept")
    labels = [one for one in events(root) if one.kind is EventKind.LABEL]
    assert [(one.pair_id, one.ballot, one.reviewer) for one in labels] == [
        ("q0", Ballot.A, "ada"),
        ("q1", Ballot.A, "ada"),
    ]
    assert not [one for one in session.button if one.key == "accept"]
    press(session, "undo_label")
    assert [one.pair_id for one in events(root) if one.kind is EventKind.LABEL] == ["q0"]


def test_a_second_press_of_accept_writes_no_second_label(open_project, root):
    for id in ("q0", "q1"):
        for name in ("ada", "bob"):
            vote(root, id, name, Ballot.A)
    session = open_project()
    open_page(session, "Adjudicate")
    pair = next(pair for pair in PAIRS if pair.id == "q0")
    ReviewStore(root / "reviews.sqlite").add(
        Event(EventKind.LABEL, "bob", pair.content_hash, "q0", "2026-11-22", Ballot.A, shown_left=None)
    )
    press(session, "accept")
    labels = [(one.pair_id, one.reviewer) for one in events(root) if one.kind is EventKind.LABEL]
    assert labels == [("q0", "bob"), ("q1", "ada")]


def test_agreement_has_kappa_and_alpha_by_category_and_over_time(open_project, root):
    for n, pair in enumerate(PAIRS):
        for name in ("ada", "bob", "cleo"):
            ballot = Ballot.B if n == 0 and name == "cleo" else [Ballot.A, Ballot.B][n % 2]
            vote(root, pair.id, name, ballot, at=f"2026-11-2{n}")
    session = open_project(reviewers=["ada", "bob", "cleo"])
    open_page(session, "Agreement")
    tables = [one.value for one in session.dataframe]
    between = next(one for one in tables if "reviewers" in one)
    assert between["reviewers"].tolist() == ["ada, bob", "ada, cleo", "bob, cleo", "everybody together"]
    assert between["kappa"][0] == between["alpha"][0] == 1
    assert between["alpha"][3] < 1
    assert len(next(one for one in tables if "when" in one)) == 5
    session.selectbox(key="agreement_of").select("ada, bob").run()
    assert not session.exception
    category = next(one.value for one in session.dataframe if one.value.columns[0] == "category")
    assert category["kappa"].tolist() == [1]


def test_images_in_answers_are_shown_where_the_project_says_so_and_from_its_folder(open_project, root):
    (root / "plot.png").write_bytes(PNG)
    shown_as = f'<img src="data:image/png;base64,{base64.b64encode(PNG).decode()}" alt="plot">'
    assert shown_as in html_of(open_project(address={"pair": "p3"}, images=True))
    assert "<img" not in html_of(open_project(address={"pair": "p3"}))


def test_votes_are_taken_in_on_the_page_export(open_project, root):
    path = root / "elsewhere.jsonl"
    write_votes(path, [HumanVote("q0", "eve", Ballot.A), HumanVote("gone", "eve", Ballot.B)])
    open_project()
    assert said_of(path).startswith("elsewhere.jsonl: 1 of 2 votes taken in; 1 on no pair")
    assert [(one.reviewer, one.source) for one in events(root)] == [("eve", "elsewhere.jsonl")]


def test_labels_in_a_file_of_another_tool_are_taken_in_and_it_is_said(open_project, root):
    row = {"prompt": "Why?", "response_a": "So.", "response_b": "No.", "winner": "model_b"}
    (root / "pairs.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    open_project()
    assert said_of(root / "pairs.jsonl") == (
        "elsewhere.jsonl: read as arena votes: 1 pair, 1 vote; left out: nothing. "
        "elsewhere.jsonl: 1 of 1 votes taken in."
    )
    assert [one.ballot for one in events(root)] == [Ballot.B]


@pytest.fixture
def half_read(monkeypatch):
    """Of each file two lines are read, and never more."""
    monkeypatch.setattr("app.shell.AT_ONCE", 2)
    monkeypatch.setattr("app.shell.read_on", lambda index: None)


PAGES = ["Review", "Why", "Rank", "Progress", "Agreement", "Adjudicate", "Export"]


def test_every_page_says_that_the_file_is_still_being_read(open_project, root, half_read):
    vote(root, "q0", "ada", Ballot.A)
    session = open_project()
    for page in PAGES:
        open_page(session, page)
        assert session.warning[0].value.startswith("The file is still being read: 2 of 5 lines so far."), page


def test_nothing_is_made_of_the_votes_on_half_a_file(open_project, root, half_read):
    for name in ("ada", "bob"):
        vote(root, "q0", name, Ballot.A)
    session = open_project()
    open_page(session, "Export")
    assert [one.proto.disabled for one in session.get("download_button")] == [True, True, True]
    open_page(session, "Adjudicate")
    assert button(session, "accept").disabled
    open_page(session, "Agreement")
    [calibrate] = [one for one in session.button if one.label.startswith("Calibrate")]
    assert calibrate.disabled


def test_votes_are_not_taken_in_while_the_file_is_being_read(open_project, root, half_read):
    path = root / "elsewhere.jsonl"
    write_votes(path, [HumanVote("q0", "eve", Ballot.A), HumanVote("p4", "eve", Ballot.B)])
    open_project()
    with pytest.raises(AssertionError, match=r"elsewhere.jsonl: not taken in\. The file is still being read"):
        said_of(path)
    assert events(root) == []


def said_of(path):
    """What the page Export says when the votes of a file are taken in."""

    def script(path):
        import pathlib

        import streamlit as st

        from app import export, shell

        shell.begin()
        data = pathlib.Path(path).read_bytes()
        st.write(export.take_in_upload(shell.project(), "../elsewhere.jsonl", data))

    done = AppTest.from_function(script, args=(str(path),), default_timeout=PATIENCE_S).run()
    assert not done.exception, done.exception[0].message
    return done.markdown[-1].value
