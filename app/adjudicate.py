"""Adjudicate: pairs on which reviewers differ, for someone to decide who sees neither names nor the judge.

Names, and what the judge says, come up with the label. Pairs on which all agree are accepted in one step.
"""

from __future__ import annotations

import streamlit as st

from app import shell
from judge.records import Ballot, HumanVote
from judge.review.agreement import disputed, unanimous, votes_of
from judge.review.markup import plain_html
from judge.review.pairindex import IndexEntry
from judge.review.queues import shown_left, shuffle_key
from judge.review.store import Event, EventKind

WORDS = {Ballot.A: "A is better", Ballot.B: "B is better", Ballot.TIE: "Tie", Ballot.BOTH_BAD: "Both bad"}


def page() -> None:
    project = shell.need_project()
    differ = disputed(project.votes())
    labels = {label.pair_id: label for label in project.votes(EventKind.LABEL)}
    accept_unanimous(project, labels)
    if not differ:
        st.subheader("Nothing to settle", anchor=False)
        st.write("Pairs on which two reviewers say different things come up here.")
        if any(label.voter == shell.reviewer() for label in labels.values()):
            undo_button(project)
        return
    settled = [id for id in differ if id in labels]
    open_ids = [id for id in differ if id not in labels]
    st.progress(len(settled) / len(differ), text=f"{len(settled)} of {len(differ)} settled")
    told_before(project, differ, labels)
    chosen = st.selectbox(
        "Pair",
        open_ids + settled,
        format_func=lambda id: f"{id} (settled: {WORDS[labels[id].outcome]})" if id in labels else id,
    )
    entry = project.entry(chosen)
    if entry is None:
        return
    label = labels.get(chosen)
    left = shown_left(shell.reviewer(), entry.content)
    pair = project.index.pair(entry)
    shell.show_question(pair, left, is_named=label is not None)
    shell.show_responses(pair, left, is_named=label is not None)
    if label is None:
        shell.table_of(blind_rows(differ[entry.id], left))
    else:
        st.success(shell.plain(f"{label.voter}: {WORDS[label.outcome]}. {label.note or ''}"))
        tell(project, entry, differ[entry.id], left)
    settle(project, entry, left)
    links(open_ids, settled)


def links(open_ids: list[str], settled: list[str]) -> None:
    """The ways to the pairs that are counted above."""
    with st.container(horizontal=True):
        for ids, words, key in (
            (open_ids, f"{shell.counted(len(open_ids), 'pair')} to settle", "open"),
            (settled, shell.counted(len(settled), "settled pair"), "settled"),
        ):
            if ids and st.button(f"Review {words}", key=f"see_{key}", type="tertiary"):
                shell.open_pairs(ids, words.partition(" ")[2])


def accept_unanimous(project: shell.Project, labels: dict[str, HumanVote]) -> None:
    """Offers to make what all reviewers of a pair say its label, for all such pairs in one step."""
    alike = unanimous(project.votes(), project.assigned)
    new = {id: ballot for id, ballot in alike.items() if id not in labels}
    if not new:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.write(f"All reviewers say the same of {shell.counted(len(new), 'more pair')}.")
        st.button(
            f"Accept all {len(new):,}",
            key="accept",
            disabled=shell.must_say_name() or not project.is_read,
            on_click=accept,
            args=(project, new),
        )
        if st.button("Review them", key="see_unanimous", type="tertiary"):
            shell.open_pairs(new, "pairs on which all reviewers agree")


@shell.or_said("The labels were NOT written")
def accept(project: shell.Project, ballots: dict[str, Ballot]) -> None:
    """Writes a label for each of these pairs, all or none. What has one by now gets none."""
    if shell.must_say_name():
        return
    events = shell.store().standing()
    labelled = {label.pair_id for label in votes_of(events, project.index.by_id, EventKind.LABEL)}
    entries = [
        entry for id in ballots if (entry := project.entry(id)) is not None and entry.id not in labelled
    ]
    labels = [label_on(entry, ballots[entry.id], "all reviewers say the same", None) for entry in entries]
    shell.store().add_all(labels)
    st.toast(f"{len(labels):,} labels written.")


def blind_rows(votes: list[HumanVote], left: str) -> list[dict[str, str]]:
    """The votes in the words of the screen, as HTML; neither names nor the order tell whose they are."""
    mixed = sorted(votes, key=lambda vote: shuffle_key(vote.pair_id, vote.voter))
    return [
        {"reviewer": str(n), "said": shell.label_html(name_of(vote.outcome, left))} | reasons_of(vote)
        for n, vote in enumerate(mixed, start=1)
    ]


def name_of(ballot: Ballot, left: str) -> str:
    """The ballot's name on the screen: left, right, tie or bad."""
    other = {Ballot.TIE: "tie", Ballot.BOTH_BAD: "bad"}
    return other.get(ballot) or ("left" if ballot.value == left else "right")


def reasons_of(vote: HumanVote) -> dict[str, str]:
    return {
        "note": plain_html(vote.note or ""),
        "tags": plain_html(", ".join(vote.tags)),
        "confidence": vote.confidence or "",
    }


def tell(project: shell.Project, entry: IndexEntry, votes: list[HumanVote], left: str) -> None:
    """Who said what, and the judge: after the label."""
    shell.table_of([row_of(vote) for vote in votes])
    shell.keep_sighting(entry, project)
    told = shell.verdict_html(project.verdicts.get(entry.id), project.index.pair(entry), left)
    st.html(f"<section class='said' aria-label='The judge'>{told}</section>")


def told_before(
    project: shell.Project, differ: dict[str, list[HumanVote]], labels: dict[str, HumanVote]
) -> None:
    """The pair that was labelled last, with all that was hidden until then."""
    id = st.session_state.get("last_label")
    entry = project.entry(id) if id in differ and id in labels else None
    if entry is None:
        return
    with st.expander(shell.plain(f"Before: {entry.id}. You said: {WORDS[labels[entry.id].outcome]}.")):
        st.html(f"<p>Who said what of {plain_html(entry.id)}:</p>")
        tell(project, entry, differ[entry.id], shown_left(shell.reviewer(), entry.content))


def row_of(vote: HumanVote) -> dict[str, str]:
    return {
        "reviewer": plain_html(vote.voter),
        "said": WORDS[vote.outcome],
        **reasons_of(vote),
        f"{shell.side_html('left')} was": vote.shown_left or "",
        "had seen the judge": {True: "yes", False: "no", None: ""}[vote.saw_judge],
        "at": plain_html(vote.at or ""),
    }


def settle(project: shell.Project, entry: IndexEntry, left: str) -> None:
    st.text_input("Reason", key=reason_key(entry), placeholder="Why this is the final label")
    if shell.must_say_name():
        st.info(shell.name_words())
    ballots = (Ballot(left), Ballot(shell.OTHER_SIDE[left]), Ballot.TIE, Ballot.BOTH_BAD)
    with st.container(horizontal=True, horizontal_alignment="center"):
        for number, ballot in enumerate(ballots, start=1):
            st.button(
                shell.label_of(name_of(ballot, left)),
                key=f"label_{ballot}_{entry.id}",
                shortcut=str(number),
                type="primary" if ballot in (Ballot.A, Ballot.B) else "secondary",
                on_click=decide,
                args=(entry, ballot, left),
            )
        undo_button(project)
        shell.help_button()


def undo_button(project: shell.Project) -> None:
    st.button("Undo", key="undo_label", shortcut="U", type="tertiary", on_click=undo, args=(project,))


def reason_key(entry: IndexEntry) -> str:
    return f"reason_{shell.reviewer()}_{entry.id}"


@shell.or_said("Your label was NOT written")
def decide(entry: IndexEntry, ballot: Ballot, left: str) -> None:
    reason = str(st.session_state.get(reason_key(entry)) or "").strip()
    if shell.must_say_name():
        st.toast(shell.name_words())
        return
    if not reason:
        st.toast("Give a reason first: others will want to know.")
        return
    shell.store().add(label_on(entry, ballot, reason, left))
    st.session_state[reason_key(entry)] = ""  # a second press has no reason, so it is no second label
    st.session_state["last_label"] = entry.id


def label_on(entry: IndexEntry, ballot: Ballot, reason: str, left: str | None) -> Event:
    return shell.with_sighting(
        Event(
            kind=EventKind.LABEL,
            reviewer=shell.reviewer(),
            content=entry.content,
            pair_id=entry.id,
            at=shell.now(),
            ballot=ballot,
            note=reason,
            category=entry.category,
            shown_left=left,
        )
    )


@shell.or_said("Nothing was taken back")
def undo(project: shell.Project) -> None:
    contents = project.index.by_content
    st.session_state["last_label"] = None
    if shell.store().undo(shell.reviewer(), (EventKind.LABEL,), shell.now(), contents) is None:
        st.toast("There is nothing to undo.")
