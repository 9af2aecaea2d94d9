"""What all pages share: the server's resources, the session's state, and how a pair looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from threading import Thread
from typing import Any

import streamlit as st

from judge.drawing.steps import grades_in_words
from judge.errors import InputError
from judge.io.verdicts import read_verdicts
from judge.orders import outcome_of
from judge.records import HumanVote, Order, Outcome, Pair, Status, Verdict
from judge.report.summary import ReportRow
from judge.review.agreement import votes_of
from judge.review.judging import Desk, Job
from judge.review.markup import difference_html, markdown_html, raw_html
from judge.review.pairindex import IndexEntry, PairIndex, opened
from judge.review.settings import below, files_below, holds_verdicts, started
from judge.review.store import Event, EventKind, ReviewStore

STYLE = Path(__file__).with_name("style.css")
AT_ONCE = 5_000
PIECE = 2_000
KEPT = "kept_"
"""Widgets whose key begins with this keep their value when another page is opened."""

ALL_CATEGORIES = "all categories"
OTHER_SIDE = {"A": "B", "B": "A"}


@dataclass(frozen=True)
class Project:
    """What is open: the pairs' index, the judge's verdicts by pair id, and what reviewers said."""

    index: PairIndex
    verdicts: Mapping[str, Verdict]
    events: Sequence[Event]

    @property
    def entries(self) -> Sequence[IndexEntry]:
        return self.index.entries

    def entry(self, id: str) -> IndexEntry | None:
        return next((entry for entry in self.entries if entry.id == id), None)

    def votes(self, kind: EventKind = EventKind.VOTE) -> list[HumanVote]:
        return votes_of(self.events, self.entries, kind)


# --- the server's resources ------------------------------------------------------------------------------


@st.cache_resource
def store() -> ReviewStore:
    return ReviewStore(started().reviews)


@st.cache_resource
def desk() -> Desk:
    return Desk(started().ledger)


@st.cache_resource(max_entries=16, show_spinner="Opening the file")
def index_of(path: str, name: str, stamp: str) -> PairIndex:
    """The file's index; the rest of a large file is read in the background."""
    index = opened(Path(path), name)
    index.read_on(AT_ONCE)
    if not index.is_read:
        Thread(target=read_on, args=(index,), daemon=True).start()
    return index


def read_on(index: PairIndex) -> None:
    while not index.is_read:
        index.read_on(PIECE)


@st.cache_resource(max_entries=8, show_spinner="Reading the verdicts")
def verdicts_of(path: str, stamp: str) -> dict[str, Verdict]:
    return {verdict.pair_id: verdict for verdict in read_verdicts(path)}


@st.cache_resource(max_entries=2, show_spinner=False)
def events_of(path: str, last_number: int) -> list[Event]:
    return store().standing()


@st.cache_data(ttl=5, show_spinner=False)
def files_in(root: str) -> list[str]:
    return files_below(Path(root))


@st.cache_data(max_entries=2_000, show_spinner=False)
def is_of_verdicts(path: str, stamp: str) -> bool:
    return holds_verdicts(Path(path))


def stamp_of(path: Path) -> str:
    found = path.stat()
    return f"{found.st_mtime_ns}-{found.st_size}"


def uploads() -> dict[str, Path]:
    """This session's uploaded files: where each is kept, by the name that is shown."""
    files: dict[str, Path] = st.session_state.setdefault("uploads", {})
    return files


def path_of(name: str) -> Path:
    """The file of that name: an uploaded one, or one in the folder. Raises InputError for any other."""
    if name in uploads():
        return uploads()[name]
    path = below(started().root, name)
    if not path.is_file():
        raise InputError(f"{name}: no such file.")
    return path


# --- the session -----------------------------------------------------------------------------------------


def begin() -> None:
    """Every run of every page begins here."""
    for key in list(st.session_state):
        if str(key).startswith(KEPT):
            st.session_state[key] = st.session_state[key]
    settings = started()
    st.session_state.setdefault("pairs", settings.pairs)
    st.session_state.setdefault("verdicts", settings.verdicts)
    st.html(STYLE)


def reviewer() -> str:
    return str(st.session_state.get("kept_reviewer", "") or "").strip() or "anonymous"


def project() -> Project | None:
    """What is open, or None; if a file cannot be opened, the page says why."""
    name = st.session_state["pairs"]
    if not name:
        return None
    try:
        path = path_of(name)
        index = index_of(str(path), name, stamp_of(path))
        verdicts: dict[str, Verdict] = {}
        if chosen := st.session_state["verdicts"]:
            where = path_of(chosen)
            verdicts = dict(verdicts_of(str(where), stamp_of(where)))
        verdicts |= judged_here(index)
        return Project(index, verdicts, events_of(str(store().path), store().last_number()))
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def judged_here(index: PairIndex) -> dict[str, Verdict]:
    """What the judge of this server said of the open file's pairs when a reviewer asked."""
    job: Job | None = st.session_state.get("job")
    if job is None or st.session_state.get("job_file") != str(index.path):
        return {}
    return {verdict.pair_id: verdict for verdict in job.verdicts}


def need_project() -> Project:
    """What is open; if nothing is, the page says how to open a file and stops there."""
    found = project()
    if found is None:
        if not st.session_state["pairs"]:
            st.subheader("No pairs are open")
            st.write("Choose a file of pairs on the left of the Review page, or start with one:")
            st.code("judge app pairs.jsonl", language=None)
        st.stop()
    if not found.entries and found.index.is_read:
        st.error(plain(f"{found.index.name}: none of its {found.index.n_lines} lines is a pair."))
        problems(found.index)
        st.stop()
    return found


def problems(index: PairIndex) -> None:
    """The lines of the file that hold no pair."""
    if index.n_bad:
        with st.expander(f"{index.n_bad} lines of the file are no pairs and are left out"):
            st.code("\n".join(index.problems), language=None, wrap_lines=True)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def choices() -> tuple[list[str], list[str]]:
    """Names of the files with pairs and of those with verdicts, uploaded ones first."""
    names = [*uploads(), *files_in(str(started().root))]
    paths = {name: path_of(name) for name in names}
    verdicts = [name for name in names if is_of_verdicts(str(paths[name]), stamp_of(paths[name]))]
    return [name for name in names if name not in verdicts], verdicts


# --- how things look -------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Text for a Streamlit element that takes Markdown, with all Markdown characters escaped."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!|>~:$<&" else c for c in text)


def how() -> str:
    """How texts are shown: "markdown", "raw" or "difference"."""
    return str(st.session_state.get("kept_how") or "markdown")


def shade() -> str:
    return "dark" if st.context.theme.type == "dark" else "light"


def text_html(text: str, other: str, way: str) -> str:
    if way == "difference":
        return difference_html(text, other)
    return raw_html(text) if way == "raw" else markdown_html(text)


def show_question(pair: Pair) -> None:
    """Everything before the responses; both conversations where they are not the same."""
    parts = [] if pair.system is None else [turn_html("system", pair.system)]
    parts += [turn_html(one.role, one.content) for one in pair.context_a]
    if pair.context_a != pair.context_b:
        parts += ["<p class='head'>The other conversation</p>"]
        parts += [turn_html(one.role, one.content) for one in pair.context_b]
    if pair.reference:
        parts.append(turn_html("reference answer", pair.reference))
    st.html(f"<section class='question {shade()}' aria-label='Question'>{''.join(parts)}</section>")


def turn_html(role: str, text: str) -> str:
    body = raw_html(text) if how() == "raw" else markdown_html(text)
    return f"<div class='turn'><span class='role'>{escape(role)}</span><div class='body'>{body}</div></div>"


def show_responses(pair: Pair, left: str, is_named: bool) -> None:
    """Both responses side by side, at equal height; one below the other on a narrow screen.

    While the reviewer is blind neither their names nor their lengths are shown.
    """
    texts = {"A": pair.response_a, "B": pair.response_b}
    cards = []
    for side, name in (("Left", left), ("Right", OTHER_SIDE[left])):
        label = f"{side} <span class='name'>{name}</span>" if is_named else side
        body = text_html(texts[name], texts[OTHER_SIDE[name]], how())
        empty = "" if texts[name].strip() else "<p><em>This answer is empty.</em></p>"
        size = f"{len(texts[name]):,} characters" if is_named else ""
        cards.append(
            f"<article class='card' aria-label='{side} answer'>"
            f"<header><h3>{label}</h3><span class='size'>{size}</span></header>"
            f"<div class='body' tabindex='0'>{body}{empty}</div></article>"
        )
    st.html(f"<div class='cards {shade()}'>{''.join(cards)}</div>")


def outcome_words(outcome: Outcome | None, left: str) -> str:
    """An outcome in the words of the screen."""
    if outcome is None:
        return "unreadable"
    return (
        "a tie" if outcome is Outcome.TIE else f"{'left' if outcome.value == left else 'right'} ({outcome})"
    )


def verdict_html(verdict: Verdict | None, pair: Pair, left: str) -> str:
    """What the judge said in both orders, or its two grades, and how the responses differ in length."""
    if verdict is None:
        return f"<p>The judge has not read this pair. {length_words(pair, left)}</p>"
    row = ReportRow(verdict)
    grades = grades_in_words(verdict)
    held = "whatever the order" if grades else "consistent"
    mark = {
        Status.CONSISTENT: f"<span class='tag good'>✓ {held}</span>",
        Status.INCONSISTENT: "<span class='tag bad'>⇄ changes with the order</span>",
        Status.UNPARSED: "<span class='tag bad'>? unreadable</span>",
    }[verdict.status]
    if verdict.status is Status.INCONSISTENT:
        said = "The judge contradicts itself"
    else:
        said = f"The judge says <b>{outcome_words(verdict.outcome, left)}</b>"
    if grades:
        lines = f"<tr><td>{escape(grades)}</td><td>{bar_html(row.p_a)}</td></tr>"
    else:
        lines = "".join(order_html(row, order, left) for order in Order if order in verdict.readings)
    words = f"<div><p>{said} {mark}</p><p>{length_words(pair, left)}</p></div>"
    return f"<div class='told'>{words}<table class='orders'>{lines}</table></div>"


def order_html(row: ReportRow, order: Order, left: str) -> str:
    p, choice = row.p_a_by_order[order], row.choices[order]
    first = order[0]
    if choice is None:
        said = f"unreadable: {escape(row.unparsed_reasons.get(order, ''))}"
    else:
        said = outcome_words(outcome_of(choice, order), left)
    return f"<tr><th scope='row'>{first} shown first</th><td>{said}</td><td>{bar_html(p)}</td></tr>"


def bar_html(p: float | None) -> str:
    """P(A) as a bar and as a figure; nothing where there is none."""
    if p is None:
        return ""
    return (
        f"<span class='bar' role='img' aria-label='P(A) {100 * p:.0f} percent'>"
        f"<i style='width:{100 * p:.0f}%'></i></span> P(A) {100 * p:.0f} %"
    )


def length_words(pair: Pair, left: str) -> str:
    by = len(pair.response_a) - len(pair.response_b)
    if not by:
        return "Both answers are equally long."
    longer = "A" if by > 0 else "B"
    return f"The {'left' if longer == left else 'right'} answer ({longer}) is {abs(by):,} characters longer."


def show_job(job: Job) -> None:
    """How far the judge is, without blocking the page; the page is redrawn when it is done."""

    @st.fragment(run_every=0.5)
    def watch() -> None:
        if job.is_over:
            st.rerun()
        share = job.done / job.total if job.total else 0.0
        st.progress(min(1.0, share), text=plain(job.stage))
        st.button("Stop", key="stop_job", on_click=lambda: setattr(job, "is_stopped", True))

    watch()


def columns_of(rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of plain cells: nothing in them is read as Markdown."""
    st.dataframe([dict(row) for row in rows], hide_index=True, width="stretch")
