"""Review: one pair at a time, side by side; a vote is written at once, and the next pair comes up."""

from __future__ import annotations

import tempfile
from collections import Counter
from html import escape
from pathlib import Path

import streamlit as st

from app import shell
from app.shell import Project
from judge.methods import AUTO, WAYS
from judge.records import Ballot
from judge.review.judging import by_method
from judge.review.pairindex import IndexEntry
from judge.review.queues import (
    NEED_VERDICTS,
    QueueFilter,
    QueueOrder,
    QueueWanted,
    categories_of,
    queue_of,
    shown_left,
)
from judge.review.settings import holds_verdicts, started
from judge.review.store import Event, EventKind

KEYS = {"left": "1", "right": "2", "tie": "3", "bad": "4", "skip": "S", "undo": "U", "judge": "J", "raw": "T"}
DIFFERENCE_KEY = "D"


def page() -> None:
    files()
    project = shell.need_project()
    wanted = filters(project)
    queue = queue_of(project.entries, wanted, shell.reviewer(), project.events, project.verdicts)
    progress(project, queue)
    last(project)
    if not queue:
        nothing_left(project, wanted)
        return
    review(project, queue)


# --- on the left: what is open, who reviews, what is shown -----------------------------------------------


def files() -> None:
    with st.sidebar:
        names, verdicts = shell.choices()
        if not names:
            st.info("There is no file of pairs in this folder. Upload one.")
        picked(
            st.selectbox("Pairs", names, index=place(names, "pairs"), placeholder="Choose a file"), "pairs"
        )
        picked(
            st.selectbox("Verdicts", verdicts, index=place(verdicts, "verdicts"), placeholder="None"),
            "verdicts",
        )
        with st.popover("Upload a file", icon=":material/upload:"):
            st.file_uploader(
                "Pairs (JSONL, CSV, Parquet) or verdicts (JSONL)",
                type=["jsonl", "csv", "parquet", "gz"],
                key="upload",
                on_change=take_upload,
            )
        st.text_input("Your name", key="kept_reviewer", placeholder="anonymous", help="Your votes carry it.")


def place(names: list[str], key: str) -> int | None:
    chosen = st.session_state[key]
    return names.index(chosen) if chosen in names else None


def picked(name: str | None, key: str) -> None:
    if name and name != st.session_state[key]:
        st.session_state[key] = name
        if key == "pairs":
            forget()
        st.rerun()


def forget() -> None:
    """Forgets what belongs to the file that was open."""
    for key in ("at", "last", "revealed", "job", "job_file"):
        st.session_state.pop(key, None)


def take_upload() -> None:
    """Keeps an uploaded file where no other session sees it, and opens it."""
    upload = st.session_state.get("upload")
    if upload is None:
        return
    path = Path(tempfile.mkdtemp(prefix="judge-app-")) / Path(upload.name).name
    path.write_bytes(upload.getvalue())
    shell.uploads()[upload.name] = path
    key = "verdicts" if holds_verdicts(path) else "pairs"
    st.session_state[key] = upload.name
    if key == "pairs":
        st.session_state["verdicts"] = ""
        forget()


def filters(project: Project) -> QueueWanted:
    with st.sidebar:
        st.divider()
        categories = [shell.ALL_CATEGORIES, *categories_of(project.entries)]
        if st.session_state.get("kept_category") not in categories:
            st.session_state["kept_category"] = shell.ALL_CATEGORIES
        category = st.selectbox("Category", categories, key="kept_category")
        st.session_state.setdefault("kept_looks", [QueueFilter.UNVOTED.value])
        looks = st.pills(
            "Only pairs that are",
            [look.value for look in QueueFilter],
            selection_mode="multi",
            key="kept_looks",
        )
        st.session_state.setdefault("kept_line", QueueOrder.RANDOM.value)
        line = st.selectbox("In the order", [line.value for line in QueueOrder], key="kept_line")
        text = st.text_input("With the text", key="kept_text", placeholder="in question or answers")
        st.session_state.setdefault("kept_blind", True)
        st.toggle("Blind: vote before the judge is shown", key="kept_blind")
        judge_them(project)
    asked = frozenset(QueueFilter(look) for look in looks or [])
    if not project.verdicts and asked.intersection(NEED_VERDICTS):
        st.sidebar.warning(
            "This filter needs verdicts: open a file of them, or let the judge read the pairs."
        )
    return QueueWanted(
        category=None if category == shell.ALL_CATEGORIES else category,
        looks=asked,
        line=QueueOrder(line),
        found=contents_with(project, text) if text.strip() else None,
    )


def contents_with(project: Project, text: str) -> frozenset[str]:
    """The contents of the pairs that hold the text; remembered until another text is searched for."""
    key = (str(project.index.path), project.index.n_read, text)
    if st.session_state.get("search_key") != key:
        with st.spinner(f"Searching {len(project.entries):,} pairs"):
            found = frozenset(one.content for one in project.index.found(text.strip(), list(project.entries)))
        st.session_state["search_key"], st.session_state["search_found"] = key, found
    return frozenset(st.session_state["search_found"])


def judge_them(project: Project) -> None:
    """Lets the judge read the open file's pairs."""
    job = st.session_state.get("job")
    if job is not None and not job.is_over:
        shell.show_job(job)
        return
    if job is not None and job.error:
        st.error(shell.plain(job.error))
    if all(entry.id in project.verdicts for entry in project.entries):
        return
    with st.popover("Let the judge read them", icon=":material/balance:"):
        way = st.segmented_control("How", [*WAYS, AUTO], default="fast")
        n = st.number_input("Pairs", 1, max(1, len(project.entries)), min(100, len(project.entries)))
        if st.button("Read", type="primary"):
            some = [one for one in project.entries if one.id not in project.verdicts][: int(n)]
            options = by_method(started().judge, way or "fast")
            st.session_state["job"] = shell.desk().ask(options, project.index.pairs(some))
            st.session_state["job_file"] = str(project.index.path)
            st.rerun()


# --- above the pair: how far the reviewer is, and what the judge said of the pair before ------------------


def progress(project: Project, queue: list[IndexEntry]) -> None:
    contents = {entry.content for entry in project.entries}
    votes = [event for event in project.events if event.kind is EventKind.VOTE and event.content in contents]
    by_reviewer = Counter(event.reviewer for event in votes)
    mine, total = by_reviewer[shell.reviewer()], len(project.entries)
    others = ", ".join(f"{name} {n}" for name, n in sorted(by_reviewer.items()) if name != shell.reviewer())
    text = f"{mine} of {total:,} voted, {len(queue):,} in the queue" + (
        f" · others: {others}" if others else ""
    )
    st.progress(mine / total if total else 0.0, text=shell.plain(text))
    if not project.index.is_read:
        st.caption(f"Reading the file: {project.index.n_read:,} of {project.index.n_lines:,} lines so far.")
    shell.problems(project.index)


def last(project: Project) -> None:
    """The pair that was voted on before this one, with what the judge said of it."""
    event: Event | None = st.session_state.get("last")
    if event is None:
        return
    entry = next((one for one in project.entries if one.content == event.content), None)
    if entry is None:
        return
    pair = project.index.pair(entry)
    left = event.shown_left or "A"
    words = "you skipped it" if event.ballot is None else f"you said {ballot_words(event.ballot, left)}"
    told = shell.verdict_html(project.verdicts.get(entry.id), pair, left)
    with st.container(key="last"):
        st.html(
            f"<section class='said' aria-label='The pair before' aria-live='polite'>"
            f"<p><b>Before: {escape(entry.id)}</b>, {words}.</p>{told}</section>"
        )


def ballot_words(ballot: Ballot, left: str) -> str:
    if ballot is Ballot.BOTH_BAD:
        return "both are bad"
    return shell.outcome_words(ballot.outcome, left)


def nothing_left(project: Project, wanted: QueueWanted) -> None:
    if wanted != QueueWanted(line=wanted.line):
        st.info("No pair fits these filters. Take one away on the left.", icon=":material/filter_alt_off:")
    elif not project.index.is_read:
        st.info("All pairs that are read so far have your vote. More are coming.")
    else:
        st.success("Every pair has your vote. The Agreement page shows how you and the judge compare.")
    st.button("Undo the last vote", key="undo", shortcut=KEYS["undo"], on_click=undo, args=(project,))


# --- the pair, and the vote ------------------------------------------------------------------------------


def review(project: Project, queue: list[IndexEntry]) -> None:
    contents = [entry.content for entry in queue]
    here = contents.index(st.session_state["at"]) if st.session_state.get("at") in contents else 0
    entry = queue[here]
    following = contents[here + 1] if here + 1 < len(contents) else None
    pair = project.index.pair(entry)
    left = shown_left(shell.reviewer(), entry.content)
    is_blind = st.session_state["kept_blind"] and st.session_state.get("revealed") != entry.content
    st.session_state["current"] = entry.id

    st.caption(shell.plain(f"{entry.id}" + (f" · {entry.category}" if entry.category else "")))
    shell.show_question(pair)
    shell.show_responses(pair, left, is_named=not is_blind)
    if not is_blind:
        told = shell.verdict_html(project.verdicts.get(entry.id), pair, left)
        st.html(f"<section class='said' aria-label='The judge'>{told}</section>")
    st.text_input(
        "Note",
        key=f"note_{entry.content}",
        placeholder="Why? (goes with your vote)",
        label_visibility="collapsed",
    )
    with st.container(key="votes"):
        right = shell.OTHER_SIDE[left]
        ballots = {
            "left": Ballot(left),
            "right": Ballot(right),
            "tie": Ballot.TIE,
            "bad": Ballot.BOTH_BAD,
            "skip": None,
        }
        labels = {
            "left": "Left is better",
            "right": "Right is better",
            "tie": "Tie",
            "bad": "Both bad",
            "skip": "Skip",
        }
        with st.container(horizontal=True, horizontal_alignment="center"):
            for name, ballot in ballots.items():
                st.button(
                    labels[name],
                    key=name,
                    shortcut=KEYS[name],
                    type="primary" if name in ("left", "right") else "secondary",
                    on_click=cast,
                    args=(entry, ballot, left, not is_blind, following),
                )
            st.button(
                "Undo", key="undo", shortcut=KEYS["undo"], type="tertiary", on_click=undo, args=(project,)
            )
        with st.container(horizontal=True, horizontal_alignment="center"):
            look_button("Differences", "difference", DIFFERENCE_KEY)
            look_button("Raw text", "raw", KEYS["raw"])
            if is_blind:
                st.button(
                    "Show the judge",
                    key="judge",
                    shortcut=KEYS["judge"],
                    type="tertiary",
                    on_click=lambda: st.session_state.update(revealed=entry.content),
                )


def look_button(label: str, way: str, key: str) -> None:
    """Turns another way of showing texts on or off."""
    is_on = shell.how() == way
    st.button(
        f"{label}: on" if is_on else label,
        key=f"look_{way}",
        shortcut=key,
        type="tertiary",
        on_click=lambda: st.session_state.update(kept_how="markdown" if is_on else way),
    )


def cast(entry: IndexEntry, ballot: Ballot | None, left: str, saw_judge: bool, following: str | None) -> None:
    """Writes the vote, or the skip, before anything else happens."""
    event = Event(
        kind=EventKind.SKIP if ballot is None else EventKind.VOTE,
        reviewer=shell.reviewer(),
        content=entry.content,
        pair_id=entry.id,
        at=shell.now(),
        ballot=ballot,
        note=str(st.session_state.get(f"note_{entry.content}") or "").strip(),
        category=entry.category,
        shown_left=left,
        saw_judge=saw_judge,
    )
    st.session_state["last"] = shell.store().add(event)
    st.session_state["at"] = following


def undo(project: Project) -> None:
    """Takes the last vote or skip back; its pair comes up again."""
    taken = shell.store().undo(shell.reviewer(), (EventKind.VOTE, EventKind.SKIP), shell.now())
    st.session_state["last"] = None
    if taken is None:
        st.toast("There is nothing to undo.")
        return
    st.session_state["at"] = taken.content
    st.toast(f"Taken back: {shell.plain(taken.pair_id)}")
