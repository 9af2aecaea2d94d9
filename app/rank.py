"""Rank: all answers to one question in one view; the order that they are put in is a vote on each pair."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.shell import Project
from judge.review.ordering import Question, as_shown, is_ordered, questions_of, texts_of, votes_of_places
from judge.review.store import Event, EventKind


def page() -> None:
    project = shell.need_project()
    questions = questions_of(project.entries)
    if not questions:
        st.subheader("No question has three answers", anchor=False)
        st.write("Questions of which the file has pairs of three to twelve answers are ranked here.")
        return
    me = shell.reviewer()
    mine = [one for one in project.events if one.reviewer == me]
    left = [one for one in questions if not is_ordered(one, shell.reviewer(), mine)]
    n_done = len(questions) - len(left)
    st.progress(n_done / len(questions), text=f"{n_done:,} of {len(questions):,} questions ranked")
    done = {one.asked for one in questions} - {one.asked for one in left}
    chosen = st.selectbox(
        "Question, by its first pair",
        left + [one for one in questions if one.asked in done],
        format_func=lambda one: f"{one.name} (ranked)" if one.asked in done else one.name,
    )
    rank(project, chosen)


def rank(project: Project, question: Question) -> None:
    pair, texts = texts_of(question, project.index)
    shown = as_shown(question, shell.reviewer())
    shell.show_question(pair, "A", is_named=False)
    shell.show_answers([texts[answer] for answer in shown])
    places = list(range(1, len(shown) + 1))
    with st.container(horizontal=True):
        for n, answer in enumerate(shown, start=1):
            st.selectbox(
                f"Place of answer {n}", places, index=None, key=place_key(question, answer), placeholder="-"
            )
    st.caption("1 is the best. Answers with one place are a tie.")
    st.text_input("Note", key=note_key(question), placeholder="Why? (goes with each vote)")
    given = places_given(question)
    if shell.must_say_name():
        st.info(shell.name_words())
    st.button(
        f"Save: {len(question.entries)} votes",
        key="save_rank",
        type="primary",
        disabled=given is None or shell.must_say_name(),
        on_click=save,
        args=(question, shown),
    )
    if st.button("Review its pairs one by one", key="rank_pairs", type="tertiary"):
        shell.open_pairs(
            [entry.id for entry in question.entries], f"pairs of this question ({question.name})"
        )


def place_key(question: Question, answer: bytes) -> str:
    return f"place_{shell.reviewer()}_{question.asked.hex()}_{answer.hex()}"


def note_key(question: Question) -> str:
    return f"rank_note_{shell.reviewer()}_{question.name}"


def places_given(question: Question) -> dict[bytes, int] | None:
    """The place of each answer; None until all have one."""
    places = {answer: st.session_state.get(place_key(question, answer)) for answer in question.answers}
    return None if None in places.values() else {answer: int(place or 0) for answer, place in places.items()}


@shell.or_said("Your votes were NOT written")
def save(question: Question, shown: list[bytes]) -> None:
    """Writes a vote on every pair of the question, all or none."""
    places = places_given(question)
    if places is None or shell.must_say_name():
        return
    common = Event(
        kind=EventKind.VOTE,
        reviewer=shell.reviewer(),
        content="",
        pair_id="",
        at=shell.now(),
        note=str(st.session_state.get(note_key(question)) or "").strip(),
    )
    votes = [shell.with_sighting(vote) for vote in votes_of_places(question, places, shown, common)]
    shell.store().add_all(votes)
    st.toast(f"{len(votes)} votes written.")
