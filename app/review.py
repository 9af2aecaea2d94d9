"""Review: one pair at a time, side by side; a vote is written at once, and the next pair comes up."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import streamlit as st

from app import shell
from app.shell import Project
from judge.methods import AUTO, WAYS
from judge.records import Ballot
from judge.review.judging import by_method
from judge.review.markup import plain_html
from judge.review.pairindex import IndexEntry
from judge.review.placing import placed
from judge.review.queues import (
    NEED_VERDICTS,
    QueueFilter,
    QueueOrder,
    QueueWanted,
    categories_of,
    following,
    queue_of,
    shown_left,
)
from judge.review.settings import holds_verdicts, started
from judge.review.store import Event, EventKind
from judge.review.trail import Trail

KEYS = {
    "left": "1",
    "right": "2",
    "tie": "3",
    "bad": "4",
    "skip": "S",
    "undo": "U",
    "judge": "J",
    "raw": "T",
    "previous": "Left",
    "next": "Right",
}
DIFFERENCE_KEY = "D"
LABELS = {"left": "Left is better", "right": "Right is better", "tie": "Tie", "bad": "Both bad"}


def page() -> None:
    files()
    project = shell.need_project()
    wanted = filters(project)
    queue = queue_of(project.entries, wanted, shell.reviewer(), project.events, project.verdicts)
    progress(project, queue)
    tour(project)
    entry = on_screen(project, queue, wanted)
    last(project, entry)
    if entry is None:
        nothing_left(project, wanted)
        return
    review(project, queue, entry, wanted)


# --- on the left: what is open, who reviews, what is shown -----------------------------------------------


def files() -> None:
    with st.sidebar:
        names, verdicts = shell.choices()
        if names == [shell.SAMPLE]:
            st.info("There is no file of pairs in this folder. Upload one, or try the sample pairs.")
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
        st.text_input("Your name", key="kept_reviewer", placeholder="anonymous")


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
    for key in ("trail", "trail_of", "last", "revealed", "job", "judge"):
        st.session_state.pop(key, None)


def take_upload() -> None:
    """Keeps an uploaded file where no other session sees it, and opens it."""
    upload = st.session_state.get("upload")
    if upload is None:
        return
    path = Path(tempfile.mkdtemp(prefix="judge-app-")) / Path(upload.name).name
    path.write_bytes(upload.getvalue())
    shell.uploads()[upload.name] = path
    st.session_state.get("stamps", {}).pop(upload.name, None)  # another file, not the same one changed
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
        found=ids_with(project, text) if text.strip() else None,
    )


def ids_with(project: Project, text: str) -> frozenset[str]:
    """The ids of the pairs that hold the text; remembered until another text is searched for."""
    key = (str(project.index.path), project.index.starts[-1], project.index.n_read, text)
    if st.session_state.get("search_key") != key:
        with st.spinner(f"Searching {shell.counted(len(project.entries), 'pair')}"):
            found = frozenset(one.id for one in project.index.found(text.strip(), list(project.entries)))
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
        way = st.segmented_control("How", [*WAYS, AUTO], default="fast") or "fast"
        options = by_method(started().judge, way)
        shell.say_memory(options)
        n = st.number_input("Pairs", 1, max(1, len(project.entries)), min(100, len(project.entries)))
        if st.button("Read", type="primary"):
            some = [one for one in project.entries if one.id not in project.verdicts][: int(n)]
            st.session_state["job"] = shell.desk().ask(options, project.index.pairs(some))
            st.session_state["job_is_new"] = True
            st.rerun()


# --- above the pair: how far the reviewer is, and what the judge said of the pair before ------------------


def progress(project: Project, queue: list[IndexEntry]) -> None:
    votes = [event for event in project.events if event.kind is EventKind.VOTE]
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


def tour(project: Project) -> None:
    """Three lines for somebody who has not voted yet, until the first vote or until they are put away."""
    if st.session_state.get("is_tour_over") or any(
        event.reviewer == shell.reviewer() for event in project.events
    ):
        return
    with st.container(key="tour"):
        st.html(shell.tour_html())
        st.button(
            "Put these lines away",
            key="end_tour",
            type="tertiary",
            on_click=lambda: st.session_state.update(is_tour_over=True),
        )


def last(project: Project, now: IndexEntry | None) -> None:
    """The pair that was voted on before the one there is now, with what the judge said of it."""
    event: Event | None = st.session_state.get("last")
    entry = None if event is None else project.entry(event.pair_id)
    if event is None or entry is None or entry == now:
        return
    pair = project.index.pair(entry)
    left = event.shown_left or "A"
    words = "you skipped it" if event.ballot is None else f"you said {ballot_words(event.ballot, left)}"
    told = shell.verdict_html(project.verdicts.get(entry.id), pair, left)
    shell.keep_sighting(entry, project)
    with st.container(key="last"):
        st.html(
            f"<section class='said' aria-label='The pair before' aria-live='polite'>"
            f"<p><b>Before: {plain_html(entry.id)}</b>, {words}.</p>{told}</section>"
        )


def ballot_words(ballot: Ballot, left: str) -> str:
    if ballot is Ballot.BOTH_BAD:
        return "both are bad"
    return shell.outcome_words(ballot.outcome, left)


def nothing_left(project: Project, wanted: QueueWanted) -> None:
    mine = [event for event in project.events if event.reviewer == shell.reviewer()]
    skipped = sum(event.kind is EventKind.SKIP for event in mine)
    if wanted != QueueWanted(line=wanted.line):
        st.info("No pair fits these filters. Take one away on the left.", icon=":material/filter_alt_off:")
    elif not project.index.is_read:
        st.info("All pairs that are read so far have your vote. More are coming.")
    elif skipped:
        st.success(
            f"Every pair has your vote, but for {skipped:,} that you skipped. "
            "Take the filter away on the left to see them again."
        )
    else:
        st.success("Every pair has your vote. The Agreement page shows how you and the judge compare.")
    if trail().seen:
        st.button("Previous", key="previous", shortcut=KEYS["previous"], on_click=stay_on_last)
    visit = trail().visit
    st.button(
        "Undo the last vote",
        key=f"undo_{visit}",
        shortcut=KEYS["undo"],
        on_click=undo,
        args=(project, visit),
    )


# --- which pair is on the screen -------------------------------------------------------------------------


def trail() -> Trail:
    found: Trail = st.session_state.setdefault("trail", Trail())
    return found


def on_screen(project: Project, queue: list[IndexEntry], wanted: QueueWanted) -> IndexEntry | None:
    """The pair to show. It stays until the reviewer moves on or asks for others, whatever the queue does."""
    asked_for = (shell.reviewer(), replace(wanted, found=None), st.session_state.get("kept_text"))
    is_same = st.session_state.get("trail_of") == asked_for
    st.session_state["trail_of"] = asked_for
    here = project.entry(trail().at or "")
    if st.session_state.get("is_at_end"):
        here = None
    if here is not None and (is_same or here in queue):
        if not is_same:  # another reviewer has other sides: keys on their way are for the old ones
            st.session_state["trail"] = trail().to(here.id, time.monotonic())
        return here
    if not queue:
        return None
    st.session_state["is_at_end"] = False
    st.session_state["trail"] = trail().to(queue[0].id, time.monotonic())
    return queue[0]


def stay_on_last() -> None:
    """Brings the last pair back after the end of the queue."""
    st.session_state["is_at_end"] = False


def move_on(following: str | None, is_shrinking: bool) -> None:
    """To the pair that comes next; at the end of a queue that holds what is left, nothing does."""
    now = trail()
    st.session_state["trail"] = now.onward(following, time.monotonic())
    if following is None and not now.has_after:
        st.session_state["is_at_end"] = is_shrinking
        if not is_shrinking:
            st.toast("This is the last pair.")


def go_back(visit: int) -> None:
    if trail().visit == visit:
        st.session_state["trail"] = trail().back(time.monotonic())


def go_on(visit: int, following: str | None, is_shrinking: bool) -> None:
    """To the next pair, without a word on this one."""
    if trail().visit == visit:
        move_on(following, is_shrinking and following is not None)


# --- the pair, and the vote ------------------------------------------------------------------------------


def review(project: Project, queue: list[IndexEntry], entry: IndexEntry, wanted: QueueWanted) -> None:
    pair = project.index.pair(entry)
    left = shown_left(shell.reviewer(), entry.content)
    is_blind = st.session_state["kept_blind"] and st.session_state.get("revealed") != entry.content
    mine = own_vote(project, entry)
    st.session_state["current"] = entry.id
    if QueueFilter.DIFFER in wanted.looks:
        shell.keep_sighting(entry, project)

    st.caption(shell.plain(f"{entry.id}" + (f" · {entry.category}" if entry.category else "")))
    shell.show_question(pair, left, is_named=not is_blind)
    shell.show_responses(pair, left, is_named=not is_blind, visit=trail().visit)
    if not is_blind:
        shell.keep_sighting(entry, project)
        told = shell.verdict_html(project.verdicts.get(entry.id), pair, left)
        st.html(f"<section class='said asked' aria-label='The judge'>{told}</section>")
    elif shell.has_seen_judge(entry):
        st.caption("You have seen what the judge says of this pair: your vote will say so.")
    if mine is not None and mine.ballot is not None:
        given = name_of_ballot(mine.ballot, left)
        words = (
            f"{shell.side_html(given.capitalize())} is better"
            if given in shell.sides(left)
            else LABELS[given]
        )
        shell.caption(f"Your vote: {words}. Another one takes its place; to move on leaves it as it is.")
    looks(entry, is_blind)
    st.text_input(
        "Note",
        value="" if mine is None else mine.note,
        key=f"note_{entry.id}",
        placeholder="Why? (goes with your vote)",
        label_visibility="collapsed",
    )
    is_shrinking = QueueFilter.UNVOTED in wanted.looks
    buttons(project, entry, left, following(queue, entry.id, is_shrinking), is_shrinking)


def own_vote(project: Project, entry: IndexEntry) -> Event | None:
    """The vote that this reviewer gave on the pair before."""
    mine = (event for event in project.events if event.reviewer == shell.reviewer())
    return next((one for one in mine if one.pair_id == entry.id and one.kind is EventKind.VOTE), None)


def ballots(left: str) -> dict[str, Ballot]:
    """What each vote's button says of the pair."""
    right = shell.OTHER_SIDE[left]
    return {"left": Ballot(left), "right": Ballot(right), "tie": Ballot.TIE, "bad": Ballot.BOTH_BAD}


def name_of_ballot(ballot: Ballot, left: str) -> str:
    return next(name for name, one in ballots(left).items() if one is ballot)


def buttons(project: Project, entry: IndexEntry, left: str, after: str | None, is_shrinking: bool) -> None:
    """The votes and the ways on. Keys of buttons change with every visit: none outlives its pair."""
    visit = trail().visit
    going = (after, is_shrinking)
    is_nameless = shell.must_say_name()
    if is_nameless:
        st.info("Others review here, too. Type your name on the left, so that your votes carry it.")
    with st.container(key="votes"), st.container(horizontal=True, horizontal_alignment="center"):
        for name, ballot in ballots(left).items():
            st.button(
                label_of(name),
                key=f"{name}_{visit}",
                shortcut=KEYS[name],
                type="primary" if name in ("left", "right") else "secondary",
                disabled=is_nameless,
                on_click=cast,
                args=(visit, entry, ballot, left, going),
            )
        st.button(
            "Skip",
            key=f"skip_{visit}",
            shortcut=KEYS["skip"],
            disabled=is_nameless,
            on_click=cast,
            args=(visit, entry, None, left, going),
        )
        st.button(
            "Undo",
            key=f"undo_{visit}",
            shortcut=KEYS["undo"],
            type="tertiary",
            on_click=undo,
            args=(project, visit),
        )
        st.button(
            "Previous",
            key=f"previous_{visit}",
            shortcut=KEYS["previous"],
            type="tertiary",
            disabled=not trail().has_before,
            on_click=go_back,
            args=(visit,),
        )
        st.button(
            "Next",
            key=f"next_{visit}",
            shortcut=KEYS["next"],
            type="tertiary",
            on_click=go_on,
            args=(visit, *going),
        )


def label_of(name: str) -> str:
    """A vote's button; where the answers stand below each other the style sheet shows the struck words."""
    short = {"left": "First", "right": "Second"}.get(name)
    return f"*{LABELS[name]}*~~{short}~~" if short else LABELS[name]


def looks(entry: IndexEntry, is_blind: bool) -> None:
    """Other ways to look at the pair; they write nothing."""
    with st.container(key="looks", horizontal=True, horizontal_alignment="center"):
        look_button("Differences", "difference", DIFFERENCE_KEY)
        look_button("Raw text", "raw", KEYS["raw"])
        if is_blind:
            st.button(
                "Show the judge",
                key="reveal",
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


def cast(
    visit: int, entry: IndexEntry, ballot: Ballot | None, left: str, going: tuple[str | None, bool]
) -> None:
    """Writes the vote, or the skip, before anything else happens; nothing if its pair has left the screen."""
    if visit != trail().visit or shell.must_say_name():
        return
    if trail().is_hasty(time.monotonic()):
        st.session_state["trail"] = trail().hurried(time.monotonic())
        st.toast("That key came before anybody could have read this pair, so it does not count.")
        return
    has_seen = shell.has_seen_judge(entry)
    event = Event(
        kind=EventKind.SKIP if ballot is None else EventKind.VOTE,
        reviewer=shell.reviewer(),
        content=entry.content,
        pair_id=entry.id,
        at=shell.now(),
        ballot=ballot,
        note=str(st.session_state.get(f"note_{entry.id}") or "").strip(),
        category=entry.category,
        shown_left=left,
        saw_judge=has_seen,
    )
    st.session_state["last"] = shell.store().add(event)
    move_on(*going)


def undo(project: Project, visit: int) -> None:
    """Takes the last vote or skip on this file's pairs back; its pair comes up again."""
    if visit != trail().visit:
        return
    kinds = (EventKind.VOTE, EventKind.SKIP)
    taken = shell.store().undo(shell.reviewer(), kinds, shell.now(), project.index.by_content)
    st.session_state["last"] = None
    if taken is None:
        st.toast("There is nothing to undo.")
        return
    entry = placed([taken], project.index.by_content)[0]
    st.session_state["is_at_end"] = False
    st.session_state["trail"] = trail().to(entry.pair_id, time.monotonic())
    what = "skip" if taken.ballot is None else "vote"
    st.toast(f"Taken back: your {what} on {shell.plain(entry.pair_id)}")
