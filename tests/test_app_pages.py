"""The pages' logic, without a browser: Streamlit's own test runner over scripted judges."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from pairs import pair_of
from streamlit.testing.v1 import AppTest

from judge.backends import Completion, scripted
from judge.backends.scripted import ScriptedBackend
from judge.evaluate import judge_pairs
from judge.forms.reading import read_pairs
from judge.io.pairs import write_pairs
from judge.io.verdicts import read_verdicts, write_verdicts
from judge.methods import MemoryStore
from judge.options import JudgeOptions, judge_options
from judge.progress import silent
from judge.records import Ballot, Cut, HumanVote, Message, Pair, Status
from judge.review.pairindex import IndexEntry
from judge.review.queues import shown_left
from judge.review.settings import AppSettings, start_with
from judge.review.store import Event, EventKind, ReviewStore

pytestmark = pytest.mark.slow
PATIENCE_S = 300  # a busy machine is no failure
MAIN = Path(__file__).parents[1] / "app" / "main.py"
LONGER = judge_options(backend="scripted:longer")
PAIRS = [pair_of(f"a long answer {n}", "short", f"Question {n}?", f"p{n}") for n in range(5)]


@pytest.fixture
def root(tmp_path, monkeypatch):
    # A session runs its script as `__main__` and leaves it so, and then no process can be spawned from here.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr("judge.review.trail.SOONEST_S", 0.0)  # no test has to read the pairs
    st.cache_resource.clear()
    st.cache_data.clear()
    write_pairs(tmp_path / "pairs.jsonl", PAIRS)
    write_verdicts(tmp_path / "verdicts.jsonl", judge_pairs(PAIRS, LONGER.load(silent, MemoryStore())))
    return tmp_path


@pytest.fixture
def open_app(root):
    """Starts a session; `verdicts` "" opens the pairs alone."""

    def open_app(pairs="pairs.jsonl", verdicts="verdicts.jsonl", judge=LONGER):
        start_with(
            AppSettings(
                root=root,
                pairs=pairs,
                verdicts=verdicts,
                reviews=root / "reviews.sqlite",
                ledger=root / "ledger.sqlite",
                judge=judge,
            )
        )
        session = AppTest.from_file(str(MAIN), default_timeout=PATIENCE_S).run()
        assert not session.exception
        return session

    return open_app


def html_of(session):
    return "\n".join(str(one.proto.body) for one in session.get("html"))


def button(session, name):
    """The button of that name; those of the votes carry the number of the visit, too."""
    return next(one for one in session.button if re.fullmatch(rf"{name}(_\d+)?", one.key or ""))


def press(session, name):
    button(session, name).click().run()
    assert not session.exception


def events(root):
    return ReviewStore(root / "reviews.sqlite").standing()


def test_without_a_file_the_page_says_how_to_open_one(open_app):
    session = open_app(pairs="", verdicts="")
    assert session.subheader[0].value == "No pairs are open"
    assert session.code[0].value == "judge app pairs.jsonl"
    press(session, "open_sample")
    assert "of 24 voted" in session.get("progress")[0].proto.text
    assert html_of(session).count("<li>") == 3
    assert [one.label for one in session.expander] == ["Guidelines"]
    assert "A tie is two answers of equal worth" in session.expander[0].markdown[0].value


def test_the_lines_for_a_new_reviewer_go_with_the_first_vote(open_app):
    session = open_app()
    assert "Before you begin" in html_of(session)
    press(session, "left")
    assert "Before you begin" not in html_of(session)


def test_a_file_of_another_tool_is_opened_and_named_and_its_labels_are_not_shown(open_app, root):
    row = {"prompt": "Why?", "response_a": "So.", "response_b": "No.", "winner": "model_b", "judge": "ann_9"}
    (root / "battles.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    session = open_app(pairs="battles.jsonl", verdicts="")
    shown = [one.value for one in session.caption]
    assert any("read as arena votes" in text for text in shown)
    assert "ann_9" not in html_of(session) + "".join(shown)
    press(session, "left")
    assert len(events(root)) == 1


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
    press(session, "reveal")
    assert "The judge says" in html_of(session)
    press(session, "tie")
    [event] = events(root)
    assert (event.ballot, event.saw_judge) == (Ballot.TIE, True)
    press(session, "bad")
    assert [one.saw_judge for one in events(root)] == [True, False]


def test_what_one_reviewer_asked_to_see_is_not_shown_to_the_next_on_the_same_screen(open_app, root):
    session = open_app()
    session.text_input(key="kept_reviewer").input("ada").run()
    first = session.session_state["current"]
    press(session, "reveal")
    assert "The judge says" in html_of(session)
    press(session, "tie")
    session.text_input(key="kept_reviewer").input("bob").run()
    while session.session_state["current"] != first:  # bob's order is his own
        press(session, "next")
    assert "The judge says" not in html_of(session)
    content = next(one.content for one in events(root))
    assert ReviewStore(root / "reviews.sqlite").has_seen("bob", content), "it was on this screen"


def test_the_link_of_a_pair_names_files_and_pair_alone(open_app):
    session = open_app()
    session.text_input(key="kept_reviewer").input("ada").run()
    [link] = [one.value for one in session.caption if "](./?" in one.value]
    assert "ada" not in link
    assert re.findall(r"[?&](\w+)=", link) == ["pairs", "verdicts", "pair"]


def test_five_votes_end_the_queue_and_undo_brings_the_last_pair_back(open_app, root):
    session = open_app()
    for key in ("left", "right", "tie", "bad", "skip"):
        last = session.session_state["current"]
        press(session, key)
    assert session.success[0].value.startswith("Every pair has your vote, but for 1 that you skipped")
    press(session, "undo")
    assert session.session_state["current"] == last
    assert len(events(root)) == 4


def shown(session):
    return session.session_state["current"]


def test_a_skip_leaves_the_vote_before_it_as_it_is(open_app, root):
    session = open_app()
    first = shown(session)
    press(session, "left")
    press(session, "previous")
    assert shown(session) == first
    press(session, "skip")
    assert [(one.pair_id, one.kind) for one in events(root)] == [(first, EventKind.VOTE)]


def test_previous_and_next_write_nothing_and_show_the_vote_that_was_given(open_app, root):
    session = open_app()
    first = shown(session)
    press(session, "tie")
    second = shown(session)
    press(session, "next")
    third = shown(session)
    for move, there in (("previous", second), ("previous", first), ("next", second), ("next", third)):
        press(session, move)
        assert shown(session) == there
        assert ("Your vote: Tie." in html_of(session)) == (there == first)
    assert [one.pair_id for one in events(root)] == [first]


def test_after_a_pair_that_was_passed_by_each_of_the_others_comes_once_and_then_the_end(open_app, root):
    session = open_app()
    press(session, "next")
    for n in range(1, 6):
        assert not session.success
        press(session, "left")
        assert len(events(root)) == n
    assert session.success[0].value.startswith("Every pair has your vote")
    assert len({one.pair_id for one in events(root)}) == 5


def test_what_one_reviewer_said_and_saw_is_not_shown_to_the_next_but_what_that_one_sees_is_kept(
    open_app, root
):
    session = open_app()
    first = shown(session)
    press(session, "left")
    assert f"Before: {first}" in html_of(session)
    session.text_input(key="kept_reviewer").input("bob").run()
    assert "Before:" not in html_of(session)
    while shown(session) != first:
        press(session, "next")
    press(session, "reveal")
    [event] = events(root)
    assert ReviewStore(root / "reviews.sqlite").has_seen("bob", event.content)


def test_a_second_vote_on_a_pair_takes_the_place_of_the_first_and_keeps_its_note(open_app, root):
    session = open_app()
    note = next(one for one in session.text_input if (one.key or "").startswith("note_"))
    note.input("because")
    press(session, "left")
    press(session, "previous")
    press(session, "bad")
    assert [(one.ballot, one.note) for one in events(root)] == [(Ballot.BOTH_BAD, "because")]


def test_a_second_press_for_a_pair_that_has_left_the_screen_writes_nothing(open_app, root):
    session = open_app()
    old = button(session, "left").id
    press(session, "left")
    second = shown(session)
    late = button(session, "left")
    late.id = old  # what a browser sends that has not got the next pair yet
    late.click().run()
    assert not session.exception
    assert (shown(session), len(events(root))) == (second, 1)


@pytest.mark.parametrize(("visit", "n"), [(0, 1), (-1, 0)], ids=["this one", "the one before"])
def test_a_vote_names_the_visit_it_was_meant_for(open_app, root, visit, n):
    session = open_app()
    trail = session.session_state["trail"]

    def script(trail, visit, entry):
        import streamlit as st

        from app import review
        from judge.records import Ballot

        if "trail" not in st.session_state:
            st.session_state["trail"] = trail
            for _ in range(2):
                review.cast(trail.visit + visit, entry, Ballot.A, "A", (None, True))

    entry = IndexEntry(0, "p0", PAIRS[0].content_hash, None, 1, 1)
    AppTest.from_function(script, args=(trail, visit, entry)).run()
    assert len(events(root)) == n


def test_a_key_that_comes_too_soon_is_no_vote_and_says_so(open_app, root, monkeypatch):
    session = open_app()
    monkeypatch.setattr("judge.review.trail.SOONEST_S", 3600.0)
    press(session, "left")
    assert events(root) == []
    assert session.toast[0].value.startswith("That key came before anybody could have read this pair")


def test_a_queue_that_moves_leaves_the_pair_on_the_screen(open_app, root):
    session = open_app()
    first = shown(session)
    pair = next(pair for pair in PAIRS if pair.id == first)
    vote_elsewhere(root, pair, "anonymous")
    session.run()
    assert shown(session) == first
    assert "Your vote: " in html_of(session)


def vote_elsewhere(root, pair, reviewer, ballot=Ballot.A, **more):
    event = Event(EventKind.VOTE, reviewer, pair.content_hash, pair.id, "2026-11-22", ballot, "", None, "A")
    ReviewStore(root / "reviews.sqlite").add(replace(event, **more))


def test_undo_shows_its_pair_even_if_no_filter_lets_it_through(open_app, root):
    session = open_app()
    first = shown(session)
    press(session, "left")
    session.text_input(key="kept_text").input("no such words").run()
    press(session, "undo")
    assert events(root) == []
    session.text_input(key="kept_text").input("").run()
    press(session, "left")
    session.text_input(key="kept_text").input("Question").run()
    press(session, "undo")
    assert (shown(session), events(root)) == (first, [])


def test_undo_takes_nothing_from_another_file(open_app, root):
    stranger = pair_of("x", "y", "Another file?", "p0")
    session = open_app()
    press(session, "left")
    vote_elsewhere(root, stranger, "anonymous")
    press(session, "undo")
    assert [one.content for one in events(root)] == [stranger.content_hash]


def saw(root):
    return [event.saw_judge for event in events(root)]


def test_a_vote_after_undo_says_that_the_judge_was_seen(open_app, root):
    session = open_app()
    press(session, "left")
    press(session, "undo")
    assert any("You have seen what the judge says" in one.value for one in session.caption)
    press(session, "right")
    assert saw(root) == [True]


def test_a_vote_after_a_reload_or_under_another_name_says_that_the_judge_was_seen(open_app, root):
    session = open_app()
    first = shown(session)
    press(session, "reveal")
    again = open_app()
    assert shown(again) == first
    press(again, "left")
    session.text_input(key="kept_reviewer").input("bob").run()
    while shown(session) != first:
        press(session, "next")
    press(session, "left")
    assert {(one.reviewer, one.saw_judge) for one in events(root) if one.pair_id == first} == {
        ("anonymous", True),
        ("bob", True),
    }


def test_a_vote_after_the_blind_switch_was_off_for_a_moment_says_so(open_app, root):
    session = open_app()
    for is_blind in (False, True):
        session.toggle(key="kept_blind").set_value(is_blind).run()
    press(session, "left")
    assert saw(root) == [True]


def test_a_vote_after_another_page_showed_the_judge_says_so(open_app, root):
    session = open_app()
    first = shown(session)
    pair = next(pair for pair in PAIRS if pair.id == first)
    for reviewer, ballot in (("ada", Ballot.A), ("bob", Ballot.B)):
        vote_elsewhere(root, pair, reviewer, ballot)
    session.text_input(key="kept_reviewer").input("carl").run()
    while shown(session) != first:
        press(session, "next")
    ReviewStore(root / "reviews.sqlite").add(
        Event(EventKind.LABEL, "eve", pair.content_hash, pair.id, "2026-11-22", Ballot.A, "why", None, "A")
    )
    open_page(session, "Adjudicate")  # a settled pair is shown with names and the judge
    open_page(session, "Review")
    press(session, "left")
    assert {one.reviewer: one.saw_judge for one in events(root) if one.kind is EventKind.VOTE} == {
        "ada": False,
        "bob": False,
        "carl": True,
    }


def test_equal_pairs_under_two_ids_are_voted_on_apart(open_app, root):
    write_pairs(root / "pairs.jsonl", [PAIRS[0], replace(PAIRS[0], id="twin")])
    session = open_app(verdicts="")
    first = shown(session)
    press(session, "left")
    assert {first, shown(session)} == {"p0", "twin"}
    press(session, "right")
    assert sorted(one.pair_id for one in events(root)) == ["p0", "twin"]


def test_verdicts_on_no_pair_are_said_and_left_out(open_app, root):
    write_pairs(root / "pairs.jsonl", PAIRS[:3])
    warned = [one.value.replace("\\", "") for one in open_app().warning]
    assert "2 verdicts of verdicts.jsonl are on no pair of pairs.jsonl and are left out: p3, p4." in warned


def test_two_judges_in_one_file_are_said_and_shown_one_at_a_time(open_app, root):
    verdicts = read_verdicts(root / "verdicts.jsonl")
    others = [replace(verdict, judge="another judge") for verdict in verdicts[:2]]
    write_verdicts(root / "verdicts.jsonl", [*verdicts, *others])
    for pair in PAIRS:
        vote_elsewhere(root, pair, "ada")
    session = open_app()
    open_page(session, "Agreement")
    assert session.selectbox(key="pick_judge").options == [verdicts[0].judge, "another judge"]
    session.selectbox(key="pick_judge").select("another judge").run()
    assert not session.exception
    assert session.session_state["judge"] == "another judge"


def test_a_file_that_was_changed_on_the_disk_is_read_again_and_said(open_app, root):
    session = open_app()
    write_pairs(root / "pairs.jsonl", [pair_of("new", "texts", "Changed?", "p0")])
    session.run()
    warned = [one.value.replace("\\", "") for one in session.warning]
    assert "pairs.jsonl was changed on the disk after it was opened. It was read again." in warned
    assert shown(session) == "p0"
    assert "Changed?" in html_of(session)


def test_other_pairs_close_the_verdicts_and_so_does_none(open_app, root):
    write_pairs(root / "two.jsonl", [pair_of("new", "texts", "Another?", pair.id) for pair in PAIRS])
    session = open_app()

    def box(label):
        return next(one for one in session.selectbox if one.label == label)

    box("Pairs").select("two.jsonl").run()
    press(session, "reveal")
    assert "The judge has not read this pair." in html_of(session)
    assert box("Verdicts").value == session.session_state["verdicts"] == ""
    for name in ("verdicts.jsonl", ""):
        box("Verdicts").select(name).run()
        assert not session.exception
        assert session.session_state["verdicts"] == name


def test_conversations_that_differ_say_whose_they_are_in_the_order_shown(open_app, root):
    told = (Message("user", "Hi"), Message("assistant", "said by the first"), Message("user", "And?"))
    other = (Message("user", "Hi"), Message("assistant", "said by the second"), Message("user", "And?"))
    answer = Message("assistant", "x")
    write_pairs(root / "pairs.jsonl", [Pair("p0", (*told, answer), (*other, answer))])
    session = open_app(verdicts="")
    html = html_of(session)
    [pair] = read_pairs(root / "pairs.jsonl")
    is_a_left = shown_left("anonymous", pair.content_hash) == "A"
    first, second = ("first", "second") if is_a_left else ("second", "first")
    places = [
        html.index(part)
        for part in (
            "Conversation of the <span class='beside'>left</span>",
            f"said by the {first}",
            "Conversation of the <span class='beside'>right</span>",
            f"said by the {second}",
        )
    ]
    assert places == sorted(places)


def test_answers_that_were_shortened_for_the_judge_are_said_with_the_verdict(open_app, root):
    verdicts = read_verdicts(root / "verdicts.jsonl")

    def cut(readings):
        read = Cut(4096, 30_000)
        return {order: replace(one, is_trimmed=True, cut=read) for order, one in readings.items()}

    cuts = [replace(verdict, readings=cut(verdict.readings)) for verdict in verdicts]
    write_verdicts(root / "verdicts.jsonl", cuts)
    session = open_app()
    press(session, "reveal")
    said = "Answers were shortened for the judge, which read 4,096 of 30,000 tokens; they have"
    assert said in html_of(session)


def test_agreement_shows_blind_votes_and_those_after_the_judge_apart(open_app, root):
    for n, pair in enumerate(PAIRS):
        vote_elsewhere(root, pair, "ada", saw_judge=n > 2)
    session = open_app()
    open_page(session, "Agreement")
    found = {one.label: one.value for one in session.metric if one.label.startswith("Votes")}
    assert found == {"Votes, blind": "3", "Votes, judge seen": "2"}


def test_agreement_says_how_many_votes_count_and_how_many_have_no_verdict(open_app, root):
    write_verdicts(root / "verdicts.jsonl", read_verdicts(root / "verdicts.jsonl")[1:])
    for name in ("ada", "bob"):
        for pair in PAIRS:
            vote_elsewhere(root, pair, name)
    session = open_app()
    open_page(session, "Agreement")
    found = {one.label: one.delta for one in session.metric}
    n = len(PAIRS)
    assert found["Votes, blind"] == f"{n} pairs; 2 votes without a verdict"
    assert found["Agreement, strict"].endswith(f"of {2 * (n - 1)} votes")
    assert found["Inconsistent"].endswith(f"of {n - 1} pairs")


def test_agreement_with_a_judge_without_probabilities_has_no_figure_by_mean(open_app, root):
    def bare(verdict):
        readings = {order: replace(one, probabilities=None) for order, one in verdict.readings.items()}
        return replace(verdict, p_a=None, outcome_by_mean=None, readings=readings)

    write_verdicts(root / "verdicts.jsonl", map(bare, read_verdicts(root / "verdicts.jsonl")))
    vote_elsewhere(root, PAIRS[0], "ada")
    session = open_app()
    open_page(session, "Agreement")
    found = {one.label: one.value for one in session.metric}
    assert (found["Agreement, strict"], found["Agreement by mean"]) == ("100.0 %", "-")


def calibrated(session):
    """The Agreement page after the votes on it have been asked for a calibration."""
    open_page(session, "Agreement")
    [button] = [one for one in session.button if one.label == "Calibrate the judge on these votes"]
    button.click().run()
    assert not session.exception
    return session


def test_agreement_offers_a_calibration_and_says_that_few_votes_are_too_few(open_app, root):
    for pair in PAIRS:
        vote_elsewhere(root, pair, "ada")
    session = calibrated(open_app())
    assert "A calibration needs at least 30" in session.error[0].value.replace("\\", "")


def test_a_calibration_of_the_votes_can_be_taken_along(open_app, root, monkeypatch):
    monkeypatch.setattr("judge.study.calibrating.FEWEST_VOTES", 5)
    for pair in PAIRS:
        vote_elsewhere(root, pair, "ada")
    session = calibrated(open_app())
    assert any("On questions that it was not fitted on:" in one.value for one in session.code)
    assert session.get("download_button")


def test_name_file_and_filters_are_in_the_address_and_come_back_from_it(open_app, root):
    session = open_app()
    session.text_input(key="kept_reviewer").input("ada").run()
    session.selectbox(key="kept_line").select("as in the file").run()
    session.run()
    told = {
        name: value if isinstance(value, str) else value[0] for name, value in session.query_params.items()
    }
    assert told == {
        "name": "ada",
        "pairs": "pairs.jsonl",
        "verdicts": "verdicts.jsonl",
        "category": "all categories",
        "only": "not yet voted",
        "order": "as in the file",
        "blind": "yes",
    }
    again = AppTest.from_file(str(MAIN), default_timeout=PATIENCE_S)
    for name, value in (told | {"blind": "no", "only": "all"}).items():
        again.query_params[name] = value
    again.run()
    assert not again.exception
    assert again.text_input(key="kept_reviewer").value == "ada"
    assert again.selectbox(key="kept_line").value == "as in the file"
    assert (again.toggle(key="kept_blind").value, again.session_state["kept_looks"]) == (False, [])
    assert shown(again) == "p0"


def test_a_file_outside_the_folder_is_not_opened_by_its_address(open_app, root):
    open_app()
    session = AppTest.from_file(str(MAIN), default_timeout=PATIENCE_S)
    session.query_params["pairs"] = "../outside.jsonl"
    session.run()
    assert "not in the folder that the app was started in" in session.error[0].value.replace("\\", "")


@pytest.mark.parametrize("key", ["pairs", "verdicts"])
def test_an_address_with_a_name_that_no_file_can_have_is_one_line(open_app, key):
    open_app()
    for name in ("a\0b", "x" * 5000):
        session = AppTest.from_file(str(MAIN), default_timeout=PATIENCE_S)
        session.query_params[key] = name
        session.run()
        assert not session.exception
        assert session.error[0].value.endswith(r"no such file\.")


def test_without_a_name_there_is_no_vote_once_others_review_too(open_app, root):
    session = open_app()
    vote_elsewhere(root, PAIRS[0], "ada")
    session.run()
    assert session.info[0].value.startswith("Others review here, too. Type your name")
    assert button(session, "left").disabled
    assert [one.reviewer for one in events(root)] == ["ada"]
    session.text_input(key="kept_reviewer").input("bob").run()
    press(session, "left")
    assert [one.reviewer for one in events(root)] == ["ada", "bob"]


@pytest.mark.parametrize(
    "page", ["Review", "Why", "Rank", "Progress", "Agreement", "Adjudicate", "Try it", "Export"]
)
def test_each_page_has_its_heading_and_says_which_files_and_who(open_app, page):
    session = open_app()
    session.text_input(key="kept_reviewer").input("ada <b>").run()
    open_page(session, page)
    html = html_of(session)
    assert f"<h1>{page}</h1><p>pairs.jsonl · verdicts.jsonl · ada &lt;b&gt;</p>" in html


def test_a_name_belongs_to_its_votes_and_another_reviewer_starts_afresh(open_app, root):
    session = open_app()
    session.text_input(key="kept_reviewer").input("ada").run()
    press(session, "left")
    session.text_input(key="kept_reviewer").input("bob").run()
    assert r"others\: ada 1" in session.get("progress")[0].proto.text
    press(session, "left")
    assert sorted(event.reviewer for event in events(root)) == ["ada", "bob"]


def test_a_search_looks_at_what_the_file_is_now(open_app, root):
    session = open_app(verdicts="")
    session.text_input(key="kept_text").input("question").run()
    assert "5 in the queue" in session.get("progress")[0].proto.text
    text = (root / "pairs.jsonl").read_text(encoding="utf-8")
    (root / "pairs.jsonl").write_text(text.replace("Question", "Demand, "), encoding="utf-8")
    session.run()
    assert "0 in the queue" in session.get("progress")[0].proto.text


def test_another_reviewer_walks_a_trail_of_their_own(open_app, root):
    session = open_app()
    session.text_input(key="kept_reviewer").input("ada").run()
    for _ in range(3):
        press(session, "next")
    last = shown(session)
    session.text_input(key="kept_reviewer").input("bob").run()
    assert session.session_state["trail"].seen == (last,)


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        (
            "my.pairs v2.jsonl",
            [
                "judge bench 'my.pairs v2.jsonl' --votes 'my.pairs v2-votes.jsonl'",
                "judge bench 'my.pairs v2-reviewed.jsonl'",
            ],
        ),
        (
            "sample-pairs",
            [
                "judge bench sample-pairs-reviewed.jsonl --votes sample-pairs-votes.jsonl",
                "judge bench sample-pairs-reviewed.jsonl",
            ],
        ),
    ],
)
def test_export_tells_commands_that_run(open_app, root, name, commands):
    (root / "pairs.jsonl").rename(root / "my.pairs v2.jsonl")
    session = open_app(pairs=name, verdicts="")
    open_page(session, "Export")
    assert [one.value for one in session.code] == commands


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
    assert session.expander[0].label == "1 line of the file is no pair and is left out"
    assert session.session_state["current"]


def test_a_file_that_cannot_be_opened_is_one_line(open_app, root):
    (root / "verdicts.jsonl").write_text(json.dumps({"pair_id": 1, "orders": {}}) + "\n")
    session = open_app()
    assert "verdicts.jsonl:1" in session.error[0].value.replace("\\", "")


def test_the_judge_reads_the_pairs_when_asked_and_filters_know_it(open_app, root):
    session = open_app(verdicts="")
    assert "The judge has not read this pair" not in html_of(session)
    judge_reads(session)
    press(session, "reveal")
    assert "The judge says" in html_of(session)
    assert not [one for one in session.button if one.label == "Read"]


def judge_reads(session):
    next(one for one in session.button if one.label == "Read").click().run()
    for _ in range(100):
        if session.session_state["jobs"][-1].is_over:
            break
        time.sleep(0.05)
    session.run()
    assert not session.exception


def test_what_the_judge_reads_later_joins_what_it_has_read_before(open_app):
    session = open_app(verdicts="")
    for n_left in (3, 1):
        session.number_input[0].set_value(2).run()
        judge_reads(session)
        assert session.number_input  # some are left
        read = [pair.id for job in session.session_state["jobs"] for pair in job.pairs]
        assert len(set(read)) == len(read) == 5 - n_left
    session.pills(key="kept_looks").set_value([]).run()
    session.number_input[0].set_value(1).run()
    judge_reads(session)
    assert not [one for one in session.button if one.label == "Read"]


def test_an_adapter_that_went_is_one_line_on_every_page_that_needs_it(open_app):
    session = open_app(judge=judge_options(adapter="runs/typo"), verdicts="")
    assert session.error[0].value.replace("\\", "").startswith("runs/typo: no such folder.")
    open_page(session, "Why")
    assert session.error[0].value.replace("\\", "").startswith("runs/typo: no such folder.")


@pytest.mark.parametrize("method", ["direct", "bsm"])
def test_the_method_that_the_app_was_started_with_is_offered_first(open_app, method):
    session = open_app(judge=judge_options(backend="scripted:longer", method=method), verdicts="")
    [how] = [one for one in session.segmented_control if one.label == "How"]
    assert (how.options[0], how.value) == (method, method)
    open_page(session, "Why")
    why = session.segmented_control(key="kept_method_why")
    assert (why.options[0], why.value) == (method, method)


def test_a_file_that_leads_elsewhere_leaves_the_page_as_it_is(open_app, root, monkeypatch):
    monkeypatch.setattr("app.shell.files_below", lambda _: ["pairs.jsonl", "link.jsonl", "gone.jsonl"])
    (root / "link.jsonl").symlink_to("/dev/null")
    session = open_app(verdicts="")
    assert session.selectbox[0].options == ["pairs.jsonl", "sample-pairs"]


def test_an_uploaded_file_goes_with_its_session(open_app):
    open_app()
    from app.shell import Uploads  # which the session has put on the path

    uploads = Uploads()
    path = uploads.keep("../mine.jsonl", b"{}")
    assert (path.name, path.read_bytes(), uploads["../mine.jsonl"]) == ("mine.jsonl", b"{}", path)
    del uploads
    assert not path.parent.exists()


def test_a_bar_opens_the_pairs_that_it_counts(root):
    def script(point, votes, verdicts):
        import streamlit as st

        from app import agreement

        st.switch_page = lambda page: None
        agreement.open_bar(point, votes, verdicts)

    pairs = [
        pair_of("long a", "b", "Q?", id, category=category)
        for id, category in (("p0", "math"), ("p1", "math"), ("p2", "art"), ("p3", "math"), ("p4", "math"))
    ]
    made = judge_pairs(pairs[:4], LONGER.load(silent, MemoryStore()))
    verdicts = {one.pair_id: one for one in made}
    verdicts["p1"] = replace(verdicts["p1"], status=Status.INCONSISTENT)
    votes = [HumanVote(one.id, "ada", Ballot.A, category=one.category) for one in (*pairs[:3], pairs[4])]
    for figure, ids in (("inconsistent", {"p1"}), ("agreement, strict", {"p0", "p1"})):
        point = {"category": "math", "figure": figure}
        opened = AppTest.from_function(script, args=(point, votes, verdicts))
        opened.session_state["pages"] = {"review": None}
        opened.session_state["kept_text"] = "words of an earlier search"
        opened.run()
        assert not opened.exception
        picked = opened.session_state["picked"]
        assert (picked.words, picked.ids) == (f"pairs with votes, math: {figure}", ids)
        assert picked.tells_judge == (figure == "inconsistent")
        assert opened.session_state["kept_text"] == ""


def test_pairs_on_which_people_and_the_judge_differ_are_opened_as_such(root):
    def script(votes, verdicts):
        from types import SimpleNamespace

        import streamlit as st

        from app import agreement

        st.switch_page = lambda page: None
        agreement.who_differs(SimpleNamespace(verdicts=verdicts), votes)

    votes = [HumanVote(pair.id, "ada", Ballot.B if n else Ballot.A) for n, pair in enumerate(PAIRS[:2])]
    verdicts = {one.pair_id: one for one in read_verdicts(root / "verdicts.jsonl")}
    opened = AppTest.from_function(script, args=(votes, verdicts))
    opened.session_state["pages"] = {"review": None}
    opened.run()
    opened.button[0].click().run()
    assert not opened.exception
    assert opened.session_state["picked"].ids == {"p1"}
    assert opened.session_state["picked"].tells_judge


@pytest.mark.parametrize("tells_judge", [False, True])
def test_a_vote_on_a_pair_that_a_figure_opened_says_whether_that_told_the_judge(open_app, root, tells_judge):
    session = open_app()
    from app.shell import Picked  # which the session has put on the path

    session.session_state["picked"] = Picked("some pairs", frozenset({"p3"}), tells_judge)
    session.run()
    assert shown(session) == "p3"
    press(session, "left")
    assert saw(root) == [tells_judge]


@pytest.mark.parametrize("page", ["Why", "Rank", "Progress", "Agreement", "Adjudicate", "Try it", "Export"])
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


def test_try_it_judges_by_the_criteria_that_are_typed_in(open_app):
    session = open_app()
    open_page(session, "Try it")
    for key, text in {"prompt": "Why?", "a": "a long answer", "b": "short"}.items():
        session.text_area(key=f"kept_try_{key}").input(text)
    session.text_area(key="kept_try_criteria").input("price | weight -1").run()
    assert "criterion 1: weight is '-1'" in session.error[0].value.replace("\\", "")
    session.text_area(key="kept_try_criteria").input("price: names it | weight 2\ntone").run()
    assert session.session_state["kept_method_try_by_criteria"] == "checklist"
    press(session, "ask_try_by_criteria")
    for _ in range(PATIENCE_S * 10):
        if session.session_state["job_try_by_criteria"].is_over:
            break
        time.sleep(0.1)
    session.run()
    assert not session.exception
    table = session.dataframe[0].value
    assert list(table["criterion"]) == ["price: names it (weight 2)", "tone"]


def open_page(session, title):
    """Opens a page as a click on its name would; `AppTest.switch_page` knows pages that are files only."""
    page = next(page for page in session.session_state["pages"].values() if page.title == title)
    session._page_hash = page._script_hash
    session.run()
    assert not session.exception
    assert session.session_state["page"] == title


def asked(session, method):
    """What the page Why shows of a method that was asked."""
    session.segmented_control(key="kept_method_why").set_value(method).run()
    press(session, "ask_why")
    for _ in range(600):
        if session.session_state["job_why"].is_over:
            break
        time.sleep(0.05)
    session.run()
    assert not session.exception
    return html_of(session)


def test_a_changed_method_never_shows_what_another_one_said(open_app):
    session = open_app()
    open_page(session, "Why")
    assert "The judge says" in asked(session, "direct")
    session.segmented_control(key="kept_method_why").set_value("cot").run()
    assert "The judge says" not in html_of(session)
    assert not session.code
    assert "The judge says" in asked(session, "cot")


def test_the_why_page_calls_answers_alike_in_scores_table_and_replies_of_both_orders(open_app):
    session = open_app()
    open_page(session, "Why")
    asked(session, "bsm-text")
    replies = [one.value for one in session.code if one.value.startswith("Scores:")]
    said = "Scores: A [[4]], B [[2]]"
    turned = "Scores: B [[2]], A [[4]]"  # the judge wrote A [[2]], B [[4]] of the same two answers
    assert [one.splitlines()[0] for one in replies] == 3 * [said] + 3 * [turned] + [swapped(turned)]
    [table] = session.dataframe
    assert table.value["A when A is first"].tolist() == table.value["A when B is first"].tolist() == [4.0] * 3
    assert [one.value for one in session.code if one.value.startswith("A ")] == ["A 12.00 : B 6.00"] * 2


def two_minded(prompt, index):
    """Slow where A is shown first, fast where B is; the longer answer wins."""
    is_first = "long" in scripted.text_of(prompt, "first")
    return "Plan" if is_first and not prompt.reply_start else scripted.longer(prompt, index)


def test_the_why_page_shows_the_working_of_an_adapter_that_is_fast_and_slow_and_who_chose(
    open_app, monkeypatch
):
    monkeypatch.setitem(scripted.CHARACTERS, "two-minded", two_minded)
    monkeypatch.setattr(JudgeOptions, "is_dual", property(lambda self: self.settings.adapter != "none"))
    session = open_app(judge=judge_options(backend="scripted:two-minded"))
    open_page(session, "Why")
    html = asked(session, "auto")
    captions = [one.value.replace("\\", "") for one in session.caption]
    assert "fast or slow, as the adapter chooses by its first word" in captions
    assert [one.partition(";")[0] for one in captions if "own choice" in one] == [
        "slow, worked out first, by its own choice: P(slow) 1.000000",
        "fast, the verdict at once, by its own choice: P(slow) 0.000000",
    ]
    assert [one.value for one in session.subheader if "shown first" in one.value] == [
        "A shown first",
        "B shown first",
    ]
    [table] = re.findall(r"<table class='rows'>.*?</table>", html)  # of one order: the other gave none
    assert re.findall(r"scope='col'>(.*?)</th>", table) == ["criterion", "A", "B", "reason"]
    assert "Content: says what was asked." in table
    assert "It is a rule." in table
    assert [one.value for one in session.code if one.value.startswith("Plan")]
    everything = html + " ".join(captions)
    assert not re.search(r"BSM|slow judge|models? in memory|eleven", everything)


def test_ways_of_one_adapter_are_offered_by_name_to_nobody_else(open_app, monkeypatch):
    def offered():
        session = open_app()
        open_page(session, "Why")
        return session.segmented_control(key="kept_method_why").options

    assert {"slow", "checklist"} <= set(offered())
    assert not {"bsm", "dual", "dual-slow", "dual-auto"} & set(offered())
    monkeypatch.setattr(JudgeOptions, "is_dual", property(lambda self: self.settings.adapter != "none"))
    assert "bsm" in offered()  # slow is another method there
    assert not {"dual", "dual-slow", "dual-auto"} & set(offered())


def swapped(text):
    return text.translate(str.maketrans("AB", "BA"))


def test_equal_criteria_are_named_as_a_fault_of_the_plan(open_app, monkeypatch):
    equal = "\n".join(f"{n}. Clarity: is clear." for n in range(1, 6)).removeprefix("1.")
    real = ScriptedBackend.complete

    def complete(self, prompts, sampling):
        if prompts[0].reply_start == "1.":
            return [Completion(equal, 10, 10, is_ended=True) for _ in prompts]
        return real(self, prompts, sampling)

    monkeypatch.setattr(ScriptedBackend, "complete", complete)
    session = open_app()
    open_page(session, "Why")
    asked(session, "slow")
    [warning] = [one.value.replace("\\", "") for one in session.warning]
    assert warning.startswith("A fault of the plan: of the 5 criteria that the judge listed all are one")


def test_an_interval_in_the_chart_lies_in_a_lane_of_its_own(open_app, root):
    write_pairs(root / "pairs.jsonl", [replace(pair, category=f"c{pair.id}") for pair in PAIRS])
    for pair in PAIRS:
        vote_elsewhere(root, pair, "ada")
    session = open_app()
    open_page(session, "Agreement")
    spec = json.loads(session.get("vega_lite_chart")[0].proto.spec)
    bars, lines = (layer["encoding"]["yOffset"] for layer in spec["layer"])
    assert (bars["field"], lines["field"]) == ("figure", "interval")
    figures = ("agreement, strict", "inconsistent")
    lanes = [lane for figure in figures for lane in (figure, f"{figure}, interval")]
    assert bars["scale"]["domain"] == lines["scale"]["domain"] == lanes


def test_one_pair_is_one_pair(open_app, root):
    vote_elsewhere(root, PAIRS[0], "ada")
    session = open_app()
    open_page(session, "Agreement")
    assert session.metric[0].delta == "1 pair"


@pytest.mark.parametrize("page", ["Review", "Why", "Adjudicate"])
def test_a_shortened_answer_is_said_wherever_a_verdict_stands(open_app, root, page, monkeypatch):
    real = ScriptedBackend.choose

    def choose(self, prompts, choices):
        read = Cut(4096, 30_000)
        return [replace(one, is_trimmed=True, cut=read) for one in real(self, prompts, choices)]

    monkeypatch.setattr(ScriptedBackend, "choose", choose)
    write_verdicts(root / "verdicts.jsonl", judge_pairs(PAIRS, LONGER.load(silent, MemoryStore())))
    for reviewer, ballot in (("ada", Ballot.A), ("bob", Ballot.B)):
        for pair in PAIRS:
            vote_elsewhere(root, pair, reviewer, ballot)
    for pair in PAIRS:  # what the judge says of a pair comes up with its label
        vote_elsewhere(root, pair, "eve", kind=EventKind.LABEL)
    session = open_app()
    open_page(session, page)
    if page == "Review":
        press(session, "reveal")
    html = asked(session, "direct") if page == "Why" else html_of(session)
    said = "Answers were shortened for the judge, which read 4,096 of 30,000 tokens; they have "
    assert re.search(rf"{said}\d+ char", html)
    if page == "Why":
        captions = [one.value for one in session.caption]
        assert sum("answers shortened: 4,096 of 30,000 tokens read" in one for one in captions) == 2


def test_a_long_question_is_folded_and_a_short_one_is_not(open_app, root):
    questions = {
        "short": "",
        "x" * 300: " long-on-phone",
        "x" * 900: " long",
        "\n".join("abcdefghijkl"): " long",
    }
    for question, kind in questions.items():
        write_pairs(root / "pairs.jsonl", [pair_of("a", "b", question, "p0")])
        html = html_of(open_app(verdicts=""))
        assert f"<div class='turn{kind or ' '}'>" in html
        assert (f"Show all {len(question):,} characters" in html) == bool(kind)


def test_a_judge_at_work_shows_its_stage_and_a_clock_and_can_be_stopped(open_app, monkeypatch):
    go_on, is_reading, real = threading.Event(), threading.Event(), ScriptedBackend.choose

    def choose(self, prompts, choices):
        is_reading.set()
        go_on.wait(PATIENCE_S)
        return real(self, prompts, choices)

    monkeypatch.setattr(ScriptedBackend, "choose", choose)
    session = open_app()
    open_page(session, "Why")
    session.segmented_control(key="kept_method_why").set_value("direct").run()
    press(session, "ask_why")

    def told():
        return session.get("progress")[0].proto.text.replace("\\", "")

    assert re.fullmatch(r"direct, p\d: .+ · \d+ s", told())
    assert is_reading.wait(PATIENCE_S)  # a job that is stopped before that is over at once
    press(session, "stop_job")
    assert "stopping after what is being read now" in told()
    go_on.set()
    for _ in range(600):
        if session.session_state["job_why"].is_over:
            break
        time.sleep(0.05)
    session.run()
    assert session.error[0].value.replace("\\", "") == "stopped. What was judged is kept."
    assert "The judge says" not in html_of(session)
