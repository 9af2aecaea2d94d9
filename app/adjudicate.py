"""Adjudicate: pairs on which reviewers differ, with all votes and notes, for someone to decide."""

from __future__ import annotations

import streamlit as st

from app import shell
from judge.records import Ballot, HumanVote
from judge.review.agreement import disputed
from judge.review.pairindex import IndexEntry
from judge.review.store import Event, EventKind

WORDS = {Ballot.A: "A is better", Ballot.B: "B is better", Ballot.TIE: "Tie", Ballot.BOTH_BAD: "Both bad"}


def page() -> None:
    project = shell.need_project()
    differ = disputed(project.votes())
    labels = {label.pair_id: label for label in project.votes(EventKind.LABEL)}
    if not differ:
        st.subheader("Nothing to settle", anchor=False)
        st.write("Pairs on which two reviewers say different things come up here.")
        return
    open_ids = [id for id in differ if id not in labels]
    st.progress(
        1 - len(open_ids) / len(differ), text=f"{len(differ) - len(open_ids)} of {len(differ)} settled"
    )
    order = open_ids + [id for id in differ if id in labels]
    chosen = st.selectbox(
        "Pair",
        order,
        format_func=lambda id: f"{id} (settled: {WORDS[labels[id].outcome]})" if id in labels else id,
    )
    entry = project.entry(chosen)
    if entry is None:
        return
    pair = project.index.pair(entry)
    shell.show_question(pair, "A", is_named=True)
    shell.show_responses(pair, "A", is_named=True)
    shell.columns_of([row_of(vote) for vote in differ[entry.id]])
    shell.keep_sighting(entry, project)
    told = shell.verdict_html(project.verdicts.get(entry.id), pair, "A")
    st.html(f"<section class='said' aria-label='The judge'>{told}</section>")
    settle(project, entry, labels.get(entry.id))


def row_of(vote: HumanVote) -> dict[str, str]:
    return {
        "reviewer": vote.voter,
        "said": WORDS[vote.outcome],
        "note": vote.note or "",
        "left was": vote.shown_left or "",
        "had seen the judge": "yes" if vote.saw_judge else "no",
        "at": vote.at or "",
    }


def settle(project: shell.Project, entry: IndexEntry, label: HumanVote | None) -> None:
    if label is not None:
        st.success(shell.plain(f"{label.voter}: {WORDS[label.outcome]}. {label.note or ''}"))
    st.text_input("Reason", key=reason_key(entry), placeholder="Why this is the final label")
    with st.container(horizontal=True, horizontal_alignment="center"):
        for number, (ballot, words) in enumerate(WORDS.items(), start=1):
            st.button(
                words,
                key=f"label_{ballot}_{entry.id}",
                shortcut=str(number),
                type="primary" if ballot in (Ballot.A, Ballot.B) else "secondary",
                on_click=decide,
                args=(entry, ballot),
            )
        st.button("Undo", key="undo_label", shortcut="U", type="tertiary", on_click=undo, args=(project,))


def reason_key(entry: IndexEntry) -> str:
    return f"reason_{entry.id}"


def decide(entry: IndexEntry, ballot: Ballot) -> None:
    reason = str(st.session_state.get(reason_key(entry)) or "").strip()
    if shell.must_say_name():
        st.toast("Others review here, too. Type your name on the Review page first.")
        return
    if not reason:
        st.toast("Give a reason first: others will want to know.")
        return
    shell.store().add(
        Event(
            kind=EventKind.LABEL,
            reviewer=shell.reviewer(),
            content=entry.content,
            pair_id=entry.id,
            at=shell.now(),
            ballot=ballot,
            note=reason,
            category=entry.category,
            saw_judge=shell.has_seen_judge(entry),
        )
    )
    st.session_state[reason_key(entry)] = ""  # a second press has no reason, so it is no second label


def undo(project: shell.Project) -> None:
    contents = project.index.by_content
    if shell.store().undo(shell.reviewer(), (EventKind.LABEL,), shell.now(), contents) is None:
        st.toast("There is nothing to undo.")
