"""Review: one pair at a time, side by side; a vote is written at once, and the next pair comes up."""

from __future__ import annotations

import time
import weakref
from collections import Counter
from dataclasses import replace

import streamlit as st

from app import shell
from app.shell import Project
from judge.methods import AUTO, WAYS
from judge.records import Ballot, Confidence
from judge.review.assigning import pairs_of
from judge.review.judging import by_method, offered_first
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
from judge.review.repeating import AGAIN, due
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


def page() -> None:
    files()
    project = shell.need_project()
    wanted = filters(project)
    queue = queue_of(project.entries, wanted, shell.reviewer(), project.events, project.verdicts)
    progress(project, queue)
    if is_new := is_new_here(project):
        tour()
    if is_new or started().guidelines:
        shell.show_guidelines()
    picked_pairs()
    entry = on_screen(project, queue, wanted)
    last(project, entry)
    if entry is None:
        nothing_left(project, wanted)
        return
    review(project, queue, entry, wanted)


# --- on the left: what is open, who reviews, what is shown -----------------------------------------------


def files() -> None:
    with st.sidebar:
        if shell.plan() is not None:
            who()
            return
        names, verdicts = shell.choices()
        if names == [shell.SAMPLE]:
            st.info("There is no file of pairs in this folder. Upload one, or try the sample pairs.")
        picked(
            st.selectbox("Pairs", names, index=place(names, "pairs"), placeholder="Choose a file"), "pairs"
        )
        verdicts = ["", *verdicts]  # "" closes them
        at = place(verdicts, "verdicts")
        picked(
            st.selectbox("Verdicts", verdicts, index=at, format_func=lambda name: name or "None"), "verdicts"
        )
        with st.popover("Upload a file", icon=":material/upload:"):
            st.file_uploader(
                "Pairs (JSONL, CSV, Parquet) or verdicts (JSONL)",
                type=["jsonl", "csv", "parquet", "gz"],
                key="upload",
                on_change=take_upload,
            )
        who()


def who() -> None:
    """The reviewer's name: one of the project's, or any."""
    names = shell.named_reviewers()
    if not names:
        st.text_input("Your name", key="kept_reviewer", placeholder="anonymous")
        return
    if st.session_state.get("kept_reviewer") not in names:
        st.session_state["kept_reviewer"] = None
    st.selectbox("Your name", names, key="kept_reviewer", index=None, placeholder="Choose")


def place(names: list[str], key: str) -> int | None:
    chosen = st.session_state[key]
    return names.index(chosen) if chosen in names else None


def picked(name: str | None, key: str) -> None:
    if name is not None and name != st.session_state[key]:
        if key == "pairs":
            forget()
        st.session_state[key] = name
        st.rerun()


OF_A_FILE = (
    "trail",
    "trail_of",
    "last",
    "revealed",
    "jobs",
    "judge",
    "pair",
    "picked",
    "filters_before",
    "put_off",
)


def forget() -> None:
    """Forgets what belongs to the file that is open, and closes the verdicts on it."""
    if st.session_state["pairs"]:
        st.session_state["verdicts"] = ""
    for key in OF_A_FILE:
        st.session_state.pop(key, None)


def take_upload() -> None:
    """Keeps an uploaded file for this session, and opens it."""
    upload = st.session_state.get("upload")
    if upload is None:
        return
    path = shell.uploads().keep(upload.name, upload.getvalue())
    st.session_state.get("stamps", {}).pop(upload.name, None)  # another file, not the same one changed
    key = "verdicts" if holds_verdicts(path) else "pairs"
    if key == "pairs":
        forget()
    st.session_state[key] = upload.name


def filters(project: Project) -> QueueWanted:
    with st.sidebar:
        st.divider()
        categories = [shell.ALL_CATEGORIES, *categories_of(project.entries)]
        if st.session_state.get("kept_category") not in categories:
            st.session_state["kept_category"] = shell.ALL_CATEGORIES
        category = st.selectbox("Category", categories, key="kept_category")
        possible = [look for look in QueueFilter if look is not QueueFilter.ASSIGNED or project.assigned]
        first = [look.value for look in (QueueFilter.UNVOTED, QueueFilter.ASSIGNED) if look in possible]
        st.session_state.setdefault("kept_looks", first)
        st.session_state["kept_looks"] = [look for look in st.session_state["kept_looks"] if look in possible]
        looks = st.pills(
            "Only pairs that are",
            [look.value for look in possible],
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
        picked=None if (picked := picked_now()) is None else picked.ids,
        assigned=own_pairs(project),
    )


def own_pairs(project: Project) -> frozenset[str] | None:
    """The ids of the pairs that this reviewer is to review; None where the project does not name them."""
    me = shell.reviewer()
    return pairs_of(me, project.assigned) if me in shell.named_reviewers() else None


def picked_now() -> shell.Picked | None:
    """The pairs behind a figure of another page that was opened here."""
    picked: shell.Picked | None = st.session_state.get("picked")
    return picked


def picked_pairs() -> None:
    """Says which pairs were opened from another page, and lets the reviewer leave them."""
    if picked := picked_now():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info(shell.plain(f"Only {picked.words}: {len(picked.ids):,} in all."))
            st.button("Show all pairs", key="show_all", on_click=leave_picked)


def leave_picked() -> None:
    """Back to all pairs, with the filters that were on before."""
    st.session_state.pop("picked")
    for name, value in st.session_state.pop("filters_before", {}).items():
        if value is None:  # what the page begins with
            st.session_state.pop(name, None)
        else:
            st.session_state[name] = value


def ids_with(project: Project, text: str) -> frozenset[str]:
    """The ids of the pairs that hold the text; remembered until another text is searched for."""
    key = (weakref.ref(project.index), project.index.n_read, text)  # a file that changed has another index
    if st.session_state.get("search_key") != key:
        with st.spinner(f"Searching {shell.counted(len(project.entries), 'pair')}"):
            found = frozenset(one.id for one in project.index.found(text.strip(), list(project.entries)))
        st.session_state["search_key"], st.session_state["search_found"] = key, found
    return frozenset(st.session_state["search_found"])


def judge_them(project: Project) -> None:
    """Lets the judge read the open file's pairs."""
    job = shell.jobs()[-1] if shell.jobs() else None
    if job is not None and not job.is_over:
        shell.show_job(job)
        return
    if job is not None and job.error:
        st.error(shell.plain(job.error))
    if all(entry.id in project.verdicts for entry in project.entries):
        return
    with st.popover("Let the judge read them", icon=":material/balance:"):
        judge = started().judge
        first = offered_first(judge)
        ways = list(dict.fromkeys([first, judge.method, *WAYS, AUTO]))
        options = by_method(judge, st.segmented_control("How", ways, default=first) or first)
        shell.say_memory(options)
        n = st.number_input("Pairs", 1, max(1, len(project.entries)), min(100, len(project.entries)))
        if st.button("Read", type="primary"):
            some = [one for one in project.entries if one.id not in project.verdicts][: int(n)]
            shell.jobs().append(shell.desk().ask(options, project.index.pairs(some)))
            st.session_state["job_is_new"] = True
            st.rerun()


# --- above the pair: how far the reviewer is, and what the judge said of the pair before ------------------


def progress(project: Project, queue: list[IndexEntry]) -> None:
    me = shell.reviewer()
    votes = [event for event in project.events if event.kind is EventKind.VOTE]
    by_reviewer = Counter(event.reviewer for event in votes)
    mine, total = by_reviewer[me], len(project.entries)
    if (own := own_pairs(project)) is not None:
        mine = len({event.pair_id for event in votes if event.reviewer == me} & own)
        total = len(own)
    others = ", ".join(f"{name} {n}" for name, n in sorted(by_reviewer.items()) if name != me)
    text = f"{mine} of {total:,} voted, {len(queue):,} in the queue" + (
        f" · others: {others}" if others else ""
    )
    st.progress(mine / total if total else 0.0, text=shell.plain(text))
    shell.problems(project.index)


def is_new_here(project: Project) -> bool:
    """Whether the reviewer has neither voted yet nor put the tour away."""
    me = shell.reviewer()
    return not st.session_state.get("is_tour_over") and all(one.reviewer != me for one in project.events)


def tour() -> None:
    """Three lines for somebody who is new here, and a button that puts them away."""
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
    if event is None or entry is None or entry == now or event.reviewer != shell.reviewer():
        return
    pair = project.index.pair(entry)
    left = event.shown_left or "A"
    words = "you skipped it" if event.ballot is None else f"you said {ballot_words(event.ballot, left)}"
    told = ""
    if not hides_judge():
        told = shell.verdict_html(project.verdicts.get(entry.id), pair, left)
        shell.keep_sighting(entry, project)
    with st.container(key="last"):
        st.html(
            f"<section class='said' aria-label='The pair before' aria-live='polite'>"
            f"<p><b>Before: {plain_html(entry.id)}</b>, {words}.</p>{told}</section>"
        )


def hides_judge() -> bool:
    """Whether the judge is not told after a vote either, as the pair may come again."""
    found = shell.plan()
    return found is not None and found.repeat is not None and bool(st.session_state["kept_blind"])


def ballot_words(ballot: Ballot, left: str) -> str:
    if ballot is Ballot.BOTH_BAD:
        return "both are bad"
    return shell.outcome_words(ballot.outcome, left)


def nothing_left(project: Project, wanted: QueueWanted) -> None:
    me = shell.reviewer()
    mine = [event for event in project.events if event.reviewer == me]
    skipped = sum(event.kind is EventKind.SKIP for event in mine)
    if QueueFilter.ASSIGNED in wanted.looks and wanted.assigned == frozenset():
        st.info("No pair is assigned to you. Take that filter away in the side bar to see the others'.")
    elif replace(wanted, looks=wanted.looks - {QueueFilter.ASSIGNED}, assigned=None) != QueueWanted(
        line=wanted.line
    ):
        st.info(
            "No pair fits these filters. Take one away in the side bar.", icon=":material/filter_alt_off:"
        )
    elif not project.is_read:
        st.info("All pairs that are read so far have your vote. More are coming.")
    elif skipped:
        st.success(
            f"Every pair has your vote, but for {skipped:,} that you skipped. "
            "Take the filter away in the side bar to see them again."
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


def place_on_trail() -> str:
    """What stands on the trail for the pair on the screen: its id, and that it has come again, if it has."""
    return trail().at or ""


def is_again() -> bool:
    """Whether the pair on the screen has come to this reviewer again, sides swapped."""
    return place_on_trail().endswith(AGAIN)


def repeats(project: Project) -> list[str]:
    """What is to stand on the trail for the pairs that are to come again now."""
    found = shell.plan()
    if found is None:
        return []
    put_off = st.session_state.get("put_off", set())
    places = (
        entry.id + AGAIN for entry in due(project.entries, shell.reviewer(), project.events, found.repeat)
    )
    return [one for one in places if one not in put_off and one != place_on_trail()]


def open_named(project: Project) -> None:
    """Brings up the pair that the address names, until the reviewer moves on; says so if there is none."""
    id = st.session_state.get("pair")
    if not id:
        return
    if project.entry(id) is None:
        where = "has been read so far" if not project.is_read else f"is in {project.index.name}"
        st.warning(shell.plain(f"No pair with the id {id} {where}."))
    elif trail().at != id:
        st.session_state["is_at_end"] = False
        st.session_state["trail"] = trail().to(id, time.monotonic())


def on_screen(project: Project, queue: list[IndexEntry], wanted: QueueWanted) -> IndexEntry | None:
    """The pair to show. It stays until the reviewer moves on or asks for others, whatever the queue does."""
    open_named(project)
    asked_for = (
        shell.reviewer(),
        replace(wanted, found=None, assigned=None),
        st.session_state.get("kept_text"),
    )
    before = st.session_state.get("trail_of")
    st.session_state["trail_of"] = asked_for
    is_same = before == asked_for
    here = project.entry(place_on_trail().removesuffix(AGAIN))
    if st.session_state.get("is_at_end") or (is_again() and not is_same):
        here = None
    if before is not None and before[0] != shell.reviewer():  # who has a trail of their own, and other sides
        st.session_state["trail"] = Trail(visit=trail().visit)
        shell.keep_sightings()
        for shown_or_put_off in ("revealed", "put_off"):
            st.session_state.pop(shown_or_put_off, None)
    if here is not None and (is_same or here in queue or here.id == st.session_state.get("pair")):
        if not is_same:  # keys on their way are for what was asked for before
            st.session_state["trail"] = trail().to(here.id, time.monotonic())
        return here
    places = [entry.id for entry in queue[:1]] or repeats(project)
    if not places:
        return None
    st.session_state["is_at_end"] = False
    st.session_state["trail"] = trail().to(places[0], time.monotonic())
    return project.entry(places[0].removesuffix(AGAIN))


def stay_on_last() -> None:
    """Brings the last pair back after the end of the queue."""
    st.session_state["is_at_end"] = False


def move_on(following: str | None, is_shrinking: bool) -> None:
    """To the pair that comes next; at the end of a queue that holds what is left, nothing does."""
    now = trail()
    st.session_state["pair"] = ""  # the address names it no longer
    st.session_state["trail"] = now.onward(following, time.monotonic())
    if following is None and not now.has_after:
        st.session_state["is_at_end"] = is_shrinking
        if not is_shrinking:
            st.toast("This is the last pair.")


def after_vote(following: str | None, is_shrinking: bool) -> None:
    """From a pair that was voted on or skipped: where the queue holds what is left, to its next or its end.

    Pairs that were on the screen after this one may have votes, so their trail is not followed.
    """
    if not is_shrinking:
        move_on(following, is_shrinking)
        return
    now = trail()
    st.session_state["pair"] = ""
    st.session_state["is_at_end"] = following is None
    st.session_state["trail"] = now.to(following or place_on_trail(), time.monotonic())


def go_back(visit: int) -> None:
    if trail().visit == visit:
        st.session_state["pair"] = ""
        st.session_state["trail"] = trail().back(time.monotonic())


def go_on(visit: int, following: str | None, is_shrinking: bool) -> None:
    """To the next pair, without a word on this one."""
    if trail().visit == visit:
        move_on(following, is_shrinking and following is not None)


# --- the pair, and the vote ------------------------------------------------------------------------------


def review(project: Project, queue: list[IndexEntry], entry: IndexEntry, wanted: QueueWanted) -> None:
    pair = project.index.pair(entry)
    said = own_votes(project, entry)
    mine = said.get(EventKind.REPEAT if is_again() else EventKind.VOTE)
    left = side_now(entry, said.get(EventKind.VOTE))
    is_blind = st.session_state["kept_blind"] and st.session_state.get("revealed") != place_on_trail()
    st.session_state["current"] = entry.id
    picked = picked_now()
    is_told = picked is not None and picked.tells_judge and entry.id in picked.ids
    if is_told or QueueFilter.DIFFER in wanted.looks:
        shell.keep_sighting(entry, project)

    name = shell.plain(entry.id)
    address = shell.link_to(entry.id)
    category = shell.plain(f" · {entry.category}" if entry.category else "")
    st.caption((f"[{name}]({address})" if address else name) + category)
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
            else shell.LABELS[given]
        )
        shell.caption(f"Your vote: {words}. Another one takes its place; to move on leaves it as it is.")
    looks(is_blind)
    reasons(mine)
    is_shrinking = QueueFilter.UNVOTED in wanted.looks
    after = following(queue, entry.id, is_shrinking)
    again = repeats(project) if is_shrinking else []
    buttons(project, entry, left, again[0] if again else after, is_shrinking)


def side_now(entry: IndexEntry, first: Event | None) -> str:
    """The answer that stands left: always the same, but for a pair that comes again, sides swapped."""
    left = shown_left(shell.reviewer(), entry.content)
    if not is_again():
        return left
    before = left if first is None else first.shown_left or left
    return shell.OTHER_SIDE[before]


def reasons(mine: Event | None) -> None:
    """What goes with the vote: a note, and the tags and the confidence that the project asks for."""
    found = shell.plan()
    with st.container(key="reasons"):
        st.text_input(
            "Note",
            value="" if mine is None else mine.note,
            key=field_key("note"),
            placeholder="Why? (goes with your vote)",
            label_visibility="collapsed",
        )
        if found is not None and found.tags:
            st.pills(
                "Reasons",
                found.tags,
                selection_mode="multi",
                key=field_key("tags"),
                default=[] if mine is None else [tag for tag in mine.tags if tag in found.tags],
            )
        if found is not None and found.confidence:
            st.segmented_control(
                "How sure are you?",
                [one.value for one in Confidence],
                key=field_key("confidence"),
                default=None if mine is None or mine.confidence is None else mine.confidence.value,
            )


def field_key(what: str) -> str:
    """The key of a field that goes with this reviewer's vote on the pair on the screen."""
    return f"{what}_{shell.reviewer()}_{place_on_trail()}".replace(AGAIN, "-again")


def own_votes(project: Project, entry: IndexEntry) -> dict[EventKind, Event]:
    """What this reviewer has said of the pair, by its kind; of one that has come again, twice."""
    me = shell.reviewer()
    return {one.kind: one for one in project.events if one.pair_id == entry.id and one.reviewer == me}


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
        st.info(shell.name_words())
    with st.container(key="votes"), st.container(horizontal=True, horizontal_alignment="center"):
        for name, ballot in ballots(left).items():
            st.button(
                shell.label_of(name),
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


def looks(is_blind: bool) -> None:
    """Other ways to look at the pair; they write nothing."""
    with st.container(key="looks", horizontal=True, horizontal_alignment="center"):
        look_button("Differences", "difference", DIFFERENCE_KEY)
        look_button("Raw text", "raw", KEYS["raw"])
        shell.help_button()
        if is_blind:
            st.button(
                "Show the judge",
                key="reveal",
                shortcut=KEYS["judge"],
                type="tertiary",
                on_click=lambda: st.session_state.update(revealed=place_on_trail()),
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


@shell.or_said("Your vote was NOT written")
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
    if ballot is None and is_again():
        st.session_state.setdefault("put_off", set()).add(place_on_trail())
        move_on(*going)
        return
    has_seen = shell.has_seen_judge(entry)
    sure = st.session_state.get(field_key("confidence"))
    voted = EventKind.REPEAT if is_again() else EventKind.VOTE
    event = Event(
        kind=EventKind.SKIP if ballot is None else voted,
        reviewer=shell.reviewer(),
        content=entry.content,
        pair_id=entry.id,
        at=shell.now(),
        ballot=ballot,
        note=str(st.session_state.get(field_key("note")) or "").strip(),
        category=entry.category,
        shown_left=left,
        saw_judge=has_seen,
        tags=tuple(st.session_state.get(field_key("tags")) or ()),
        confidence=Confidence(sure) if sure else None,
    )
    st.session_state["last"] = shell.store().add(event)
    after_vote(*going)


@shell.or_said("Nothing was taken back")
def undo(project: Project, visit: int) -> None:
    """Takes the last vote or skip on this file's pairs back; its pair comes up again."""
    if visit != trail().visit:
        return
    kinds = (EventKind.VOTE, EventKind.SKIP, EventKind.REPEAT)
    taken = shell.store().undo(shell.reviewer(), kinds, shell.now(), project.index.by_content)
    st.session_state["last"] = None
    if taken is None:
        st.toast("There is nothing to undo.")
        return
    entry = placed([taken], project.index.by_content)[0]
    st.session_state["is_at_end"] = False
    st.session_state["pair"] = ""
    place = entry.pair_id + (AGAIN if taken.kind is EventKind.REPEAT else "")
    st.session_state["trail"] = trail().to(place, time.monotonic())
    what = "skip" if taken.ballot is None else "vote"
    st.toast(f"Taken back: your {what} on {shell.plain(entry.pair_id)}")
