"""What all pages share: the server's resources, the session's state, and how a pair looks."""

from __future__ import annotations

import shutil
import tempfile
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from judge.drawing.steps import cut_in_words, grades_in_words
from judge.errors import InputError, JudgeError
from judge.io.verdicts import read_verdicts
from judge.io.wording import some_of, with_hidden_named
from judge.options import JudgeOptions
from judge.orders import outcome_of
from judge.records import HumanVote, Order, Outcome, Pair, Status, Verdict
from judge.report.summary import ReportRow
from judge.review.address import address_of, state_of
from judge.review.agreement import votes_of
from judge.review.assigning import Assigned, assigned_of
from judge.review.judging import Desk, Job, free_memory_gib, memory_words, models_of
from judge.review.markup import difference_html, markdown_html, plain_html, raw_html
from judge.review.pairindex import IndexEntry, PairIndex, opened
from judge.review.pictures import Pictures
from judge.review.placing import by_judge, judged_here, placed, verdicts_here
from judge.review.projectfile import ReviewProject
from judge.review.settings import SAMPLE_FILE, below, files_below, holds_verdicts, started
from judge.review.store import Event, EventKind, ReviewStore

STYLE = Path(__file__).with_name("style.css")
AT_ONCE = 5_000
PIECE = 2_000
A_MOMENT_S = 2.0  # files that were copied together may be so far apart
KEPT = "kept_"
"""Widgets whose key begins with this keep their value when another page is opened."""

SAMPLE = "sample-pairs"
"""The name of the pairs that come with the package; no file that can be opened has a name without ending."""

TOUR = (
    "Read the question, then both answers. Which of them comes first is drawn for you.",
    "Vote with the buttons or their keys. Undo takes your last vote back.",
    "What the judge says comes after your vote. Why asks it live, Export gives you the votes.",
)
GUIDELINES = """\
- Better is the answer that does what was asked: correct first, then helpful, then clear.
- Neither length nor polish is a reason by itself. Check what can be checked.
- A tie is two answers of equal worth; both are bad if neither could be used. Skip what you cannot judge.
"""
"""What reviewers go by where no project has its own."""

LONG, LONG_ON_PHONE = 700, 200
"""Questions of more characters than that are folded; so are those of many lines."""
LINE = 70

ANONYMOUS = "anonymous"
ALL_CATEGORIES = "all categories"
OTHER_SIDE = {"A": "B", "B": "A"}
LABELS = {"left": "Left is better", "right": "Right is better", "tie": "Tie", "bad": "Both bad"}
KEY_WORDS = {
    "1": "left is better",
    "2": "right is better",
    "3": "tie",
    "4": "both bad",
    "S": "skip the pair",
    "U": "take your last word back",
    "←": "the pair before",
    "→": "the next pair",
    "D": "differences word by word, or not",
    "T": "raw text, or not",
    "J": "show the judge before voting",
    "?": "this help",
}


@dataclass(frozen=True)
class Project:
    """What is open: the pairs' index, what each judge says by pair id, and the reviewers' last words.

    `judge` is the one whose verdicts are shown; those of two are never mixed. `strange` are the ids of its
    verdicts that are on no pair of the file, `assigned` the reviewers of each pair. `is_read` says whether
    the whole file had been read before any of this was put together.
    """

    index: PairIndex
    is_read: bool
    judges: Mapping[str, Mapping[str, Verdict]]
    judge: str
    strange: Sequence[str]
    events: Sequence[Event]
    assigned: Assigned

    @property
    def entries(self) -> Sequence[IndexEntry]:
        return self.index.entries

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        return self.judges.get(self.judge, {})

    def entry(self, id: str) -> IndexEntry | None:
        return self.index.by_id.get(id)

    def votes(self, kind: EventKind = EventKind.VOTE) -> list[HumanVote]:
        return votes_of(self.events, self.index.by_id, kind)


@dataclass(frozen=True)
class Picked:
    """The pairs behind a figure that was opened: which these are, in words, and their ids.

    `tells_judge` says that to be among them tells what the judge says of a pair.
    """

    words: str
    ids: frozenset[str]
    tells_judge: bool = False


class Uploads(dict[str, Path]):
    """A session's uploaded files: where each is kept, by the name that is shown. They go with the session."""

    def keep(self, name: str, data: bytes) -> Path:
        """Keeps a file where no other session sees it."""
        folder = tempfile.mkdtemp(prefix="judge-app-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        path = Path(folder) / Path(name).name
        path.write_bytes(data)
        self[name] = path
        return path


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
def verdicts_of(path: str, stamp: str) -> dict[str, dict[str, Verdict]]:
    """The verdicts of a file, of each judge by the pair's id."""
    return by_judge(read_verdicts(path))


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


def uploads() -> Uploads:
    """This session's uploaded files."""
    files: Uploads = st.session_state.setdefault("uploads", Uploads())
    return files


def jobs() -> list[Job]:
    """What this session has let the judge read of the open file, the latest last."""
    asked: list[Job] = st.session_state.setdefault("jobs", [])
    return asked


def path_of(name: str) -> Path:
    """The file of that name: an uploaded one, or one in the folder. Raises InputError for any other."""
    if name in uploads():
        return uploads()[name]
    if name == SAMPLE:
        return SAMPLE_FILE
    try:
        path = below(started().root, name)
        if path.is_file():
            return path
    except (OSError, ValueError):  # a name that is too long; ValueError: one with a zero in it
        pass
    raise InputError(f"{name}: no such file.")


# --- the session -----------------------------------------------------------------------------------------


def begin() -> None:
    """Every run of every page begins here."""
    for key in list(st.session_state):
        if str(key).startswith(KEPT):
            st.session_state[key] = st.session_state[key]
    if "pairs" not in st.session_state:
        settings, asked_for = started(), state_of(st.query_params.to_dict())
        if settings.project is not None:  # what it names is open, whatever the address says
            asked_for = {key: value for key, value in asked_for.items() if key not in ("pairs", "verdicts")}
            st.session_state["kept_line"] = settings.project.order.value
            st.session_state["kept_blind"] = settings.project.blind
        st.session_state["pairs"] = settings.pairs
        st.session_state["verdicts"] = "" if "pairs" in asked_for else settings.verdicts
        st.session_state.update(asked_for)
    keep_address()
    if browser := st.context.cookies.to_dict().get("_streamlit_xsrf"):
        browsers().add(browser)
    st.html(STYLE)


def keep_address() -> None:
    """Puts into the address what a reload has to find again; an uploaded file is not to be found."""
    mine = {key: st.session_state[key] for key in ("pairs", "verdicts") if st.session_state[key] in uploads()}
    state = {key: value for key, value in st.session_state.items() if key not in mine}
    if st.query_params.to_dict() != (wanted := address_of(state)):
        st.query_params.from_dict(wanted)


@st.cache_resource
def browsers() -> set[str]:
    """The browsers that have opened this server's pages, each by the token that Streamlit gave it."""
    return set()


def header(title: str) -> None:
    """The page's heading, and under it the open files and the reviewer."""
    found = plan()
    name = "" if found is None else found.name
    files = [name, st.session_state["pairs"] or "no file is open", st.session_state["verdicts"]]
    words = " · ".join(plain_html(part) for part in (*files, reviewer()) if part)
    st.html(f"<header class='top'><h1>{title}</h1><p>{words}</p></header>")


def plan() -> ReviewProject | None:
    """The project that the server was started with, None for pairs alone."""
    return started().project


def named_reviewers() -> tuple[str, ...]:
    """Who may vote; nobody where anybody may."""
    found = plan()
    return () if found is None else found.reviewers


def reviewer() -> str:
    return typed_name() or ANONYMOUS


def typed_name() -> str:
    return str(st.session_state.get("kept_reviewer", "") or "").strip()


def must_say_name() -> bool:
    """Whether a vote needs a name first: one of the project's, or any because others review here, too."""
    if names := named_reviewers():
        return typed_name() not in names
    if typed_name():
        return False
    others = events_of(str(store().path), store().last_number())
    return len(browsers()) > 1 or any(event.reviewer != ANONYMOUS for event in others)


def name_words() -> str:
    """What to say to somebody who may not vote without a name."""
    if names := named_reviewers():
        return f"Choose your name in the side bar of the Review page: {plain(', '.join(names))} review here."
    return "Others review here, too. Type your name in the side bar of the Review page: votes carry it."


def project() -> Project | None:
    """What is open, or None; if a file cannot be opened, the page says why."""
    name = st.session_state["pairs"]
    if not name:
        return None
    try:
        path = path_of(name)
        index = index_of(str(path), name, stamp_of(path))
        is_read = index.is_read
        judges, strange = judges_of(index)
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    if st.session_state.get("judge") not in judges:
        st.session_state["judge"] = next(iter(judges), "")
    chosen = st.session_state["judge"]
    events = placed(events_of(str(store().path), store().last_number()), index.by_content)
    assigned = assigned_here(str(path), stamp_of(path), index.n_read, index)
    return Project(index, is_read, judges, chosen, strange.get(chosen, ()), events, assigned)


@st.cache_resource(max_entries=4, show_spinner=False)
def assigned_here(path: str, stamp: str, n_read: int, _index: PairIndex) -> dict[str, tuple[str, ...]]:
    """The reviewers of each pair that has been read so far."""
    return assigned_of(list(_index.entries), plan())


def link_to(id: str) -> str:
    """The address of one pair in the open files, for anybody; "" where its file is only here.

    Who opens it has a name and settings of her own.
    """
    if st.session_state["pairs"] in uploads():
        return ""
    address = st.query_params.to_dict()
    files = {name: address[name] for name in ("pairs", "verdicts") if name in address}
    return "./?" + urlencode(files | {"pair": id})


def open_pairs(ids: Iterable[str], words: str, tells_judge: bool = False) -> None:
    """Opens the pairs behind a figure on the Review page; see `Picked`."""
    filters = {name: st.session_state.get(name) for name in ("kept_category", "kept_looks")}
    st.session_state.setdefault("filters_before", filters)
    st.session_state["picked"] = Picked(words, frozenset(ids), tells_judge)
    st.session_state["kept_category"] = ALL_CATEGORIES
    st.session_state["kept_looks"] = []
    st.session_state["kept_text"] = st.session_state["pair"] = ""
    st.session_state["is_at_end"] = False
    st.switch_page(st.session_state["pages"]["review"])


def judges_of(index: PairIndex) -> tuple[dict[str, dict[str, Verdict]], dict[str, list[str]]]:
    """What each judge says of the open file's pairs, and each one's verdicts that are on none of them.

    Verdicts are of the open file of verdicts, or were made here when a reviewer asked.
    """
    judges: dict[str, dict[str, Verdict]] = {}
    strange = {}
    if chosen := st.session_state["verdicts"]:
        path = path_of(chosen)
        for judge, verdicts in verdicts_of(str(path), stamp_of(path)).items():
            judges[judge], strange[judge] = verdicts_here(verdicts, index.by_id, index.by_content)
    for job in jobs():
        for judge, verdicts in by_judge(job.verdicts).items():
            read = [pair for pair in job.pairs if pair.id in verdicts]
            made = judged_here(read, [verdicts[pair.id] for pair in read], index.by_content)
            judges[judge] = judges.get(judge, {}) | made
            if job is jobs()[-1] and st.session_state.pop("job_is_new", False):
                st.session_state["judge"] = judge
    return judges, strange


def is_changed(name: str) -> bool:
    """Whether the file has changed on the disk since this session opened it."""
    first: dict[str, str] = st.session_state.setdefault("stamps", {})
    stamp = stamp_of(path_of(name))
    return first.setdefault(name, stamp) != stamp


def so_far(index: PairIndex) -> str:
    """How much of a large file has been read, in one sentence."""
    return f"The file is still being read: {index.n_read:,} of {index.n_lines:,} lines so far."


def say_what_is_odd(project: Project) -> None:
    """All that could give a figure another meaning: half a file, a changed one, other verdicts, judges."""
    pairs, verdicts = st.session_state["pairs"], st.session_state["verdicts"]
    for name in filter(None, (pairs, verdicts)):
        if is_changed(name):
            st.warning(plain(f"{name} was changed on the disk after it was opened. It was read again."))
    on_disk = verdicts and not {pairs, verdicts} & set(uploads())
    if on_disk and path_of(pairs).stat().st_mtime > path_of(verdicts).stat().st_mtime + A_MOMENT_S:
        st.warning(
            plain(f"{pairs} was changed after {verdicts} was written: its verdicts may be on other texts.")
        )
    if not project.is_read:
        st.warning(f"{so_far(project.index)} Whatever is counted here is of these.")
    if project.strange and project.is_read:
        n, names = counted(len(project.strange), "verdict"), some_of(project.strange)
        are = "is" if len(project.strange) == 1 else "are"
        st.warning(plain(f"{n} of {verdicts} {are} on no pair of {pairs} and {are} left out: {names}."))
    if len(project.judges) > 1:
        st.session_state["pick_judge"] = project.judge
        st.selectbox(
            f"Judge: {len(project.judges)} have verdicts here, one at a time is shown",
            list(project.judges),
            key="pick_judge",
            on_change=lambda: st.session_state.update(judge=st.session_state["pick_judge"]),
        )


@contextmanager
def or_said(what: str) -> Iterator[None]:
    """For a button's callback: says an expected error above the page, after what was not done for it."""
    try:
        yield
    except JudgeError as error:
        st.error(plain(f"{what}: {error}"), icon=":material/error:")


# --- blind, or not ----------------------------------------------------------------------------------------


def has_seen_judge(entry: IndexEntry) -> bool:
    """Whether this reviewer, or whoever sits at this screen, has seen what the judge says of the pair."""
    return was_here(entry.content) or store().has_seen(reviewer(), entry.content)


def with_sighting(event: Event) -> Event:
    """The event with whether its reviewer has seen what the judge says of its pair."""
    has_seen = was_here(event.content) or store().has_seen(event.reviewer, event.content)
    return replace(event, saw_judge=has_seen)


def keep_sighting(entry: IndexEntry, project: Project) -> None:
    """Keeps that what the judge says of the pair is on this screen now."""
    if entry.id in project.verdicts:
        saw(entry.content)


def saw(content: str) -> None:
    if reviewer() not in (seen_by := sightings().setdefault(content, set())):
        seen_by.add(reviewer())
        store().saw(reviewer(), content, now())


def keep_sightings() -> None:
    """Keeps for the reviewer who sits here now what has been on this screen, so that a reload knows it."""
    for content in list(sightings()):
        saw(content)


def was_here(content: str) -> bool:
    """Whether its verdict was on this screen, under whatever name."""
    return content in sightings()


def sightings() -> dict[str, set[str]]:
    """The contents whose verdict was on this screen, each with the reviewers who sat at it."""
    seen: dict[str, set[str]] = st.session_state.setdefault("sightings", {})
    return seen


def need_project() -> Project:
    """What is open; if nothing is, the page says how to open a file and stops there."""
    found = project()
    if found is None:
        if not st.session_state["pairs"]:
            nothing_open()
        st.stop()
    if not found.entries and found.is_read:
        lines = counted(found.index.n_lines, "line")
        st.error(plain(f"{found.index.name}: there is no pair in its {lines}."))
        problems(found.index)
        st.stop()
    say_what_is_odd(found)
    return found


def nothing_open() -> None:
    """The first thing that a new reviewer sees: what the app is for, and pairs to try it on."""
    st.subheader("No pairs are open", anchor=False)
    st.write("Choose a file of pairs in the side bar of the Review page, upload one, or start with one:")
    st.code("judge app pairs.jsonl", language=None)
    st.button("Open the sample pairs", type="primary", key="open_sample", on_click=open_sample)
    st.html(tour_html())
    show_guidelines()


def open_sample() -> None:
    st.session_state.update(pairs=SAMPLE, verdicts="")


def problems(index: PairIndex) -> None:
    """Which other tool's file it is, and the lines of the file that hold no pair."""
    for note in index.notes:
        st.caption(plain(note))
    if index.n_bad:
        are = "is no pair and is" if index.n_bad == 1 else "are no pairs and are"
        with st.expander(f"{counted(index.n_bad, 'line')} of the file {are} left out"):
            st.code("\n".join(index.problems), language=None, wrap_lines=True)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def choices() -> tuple[list[str], list[str]]:
    """Names of the files with pairs and of those with verdicts, uploaded ones first."""
    pairs: list[str] = []
    verdicts: list[str] = []
    for name in [*uploads(), *files_in(str(started().root))]:
        try:
            path = path_of(name)
            (verdicts if is_of_verdicts(str(path), stamp_of(path)) else pairs).append(name)
        except (InputError, OSError):  # it went, or leads elsewhere, since it was listed
            continue
    return [*pairs, SAMPLE], verdicts


# --- how things look -------------------------------------------------------------------------------------


def counted(n: int, what: str) -> str:
    """A number with its noun: "1 pair", "1,024 pairs"."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def caption(html: str) -> None:
    """A line of small print of our own HTML."""
    st.html(f"<p class='caption'>{html}</p>")


def tour_html() -> str:
    """What a new reviewer should know of the app, in three lines."""
    lines = "".join(f"<li>{line}</li>" for line in TOUR)
    return f"<section class='tour' aria-label='Before you begin'><ol>{lines}</ol></section>"


def show_guidelines() -> None:
    """What reviewers are to go by, in the project's words or in ours. Images in it are not fetched."""
    with st.expander("Guidelines", icon=":material/menu_book:"), st.container(key="guidelines"):
        st.markdown((started().guidelines or GUIDELINES).replace("![", "!\\["))


def plain(text: str) -> str:
    """Text for a Streamlit element that takes Markdown: signs escaped, unable to turn its direction."""
    text = with_hidden_named(text)
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!|>~:$<&" else c for c in text)


def how() -> str:
    """How texts are shown: "markdown", "raw" or "difference"."""
    return str(st.session_state.get("kept_how") or "markdown")


def text_html(text: str, other: str, way: str) -> str:
    if way == "difference":
        return difference_html(text, other)
    return raw_html(text) if way == "raw" else markdown_html(text, pictures())


def pictures() -> Pictures | None:
    """Where images of answers are shown from, the folder of the pairs; None unless the project asks."""
    found = plan()
    if found is None or not found.images:
        return None
    return Pictures(started().root, str(Path(st.session_state["pairs"]).parent))


def show_question(pair: Pair, left: str, is_named: bool) -> None:
    """Everything before the responses; both conversations, in the order shown, where they differ."""
    parts = [] if pair.system is None else [turn_html("system", pair.system)]
    contexts = {"A": pair.context_a, "B": pair.context_b}
    if pair.context_a == pair.context_b:
        parts += [turn_html(one.role, one.content) for one in pair.context_a]
    else:
        for side, name in sides(left).items():
            whose = f"{side_html(side)} answer" + (f" ({name})" if is_named else "")
            parts.append(f"<p class='head'>Conversation of the {whose}</p>")
            parts += [turn_html(one.role, one.content) for one in contexts[name]]
    if pair.reference:
        parts.append(turn_html("reference answer", pair.reference))
    st.html(f"<section class='question' aria-label='Question'>{''.join(parts)}</section>")


def sides(left: str) -> dict[str, str]:
    """Which answer stands on which side."""
    return {"left": left, "right": OTHER_SIDE[left]}


def side_html(side: str) -> str:
    """The side in words: left or right, and where answers stand below each other, first or second."""
    stacked = {"left": "first", "right": "second", "Left": "First", "Right": "Second"}[side]
    return f"<span class='beside'>{side}</span><span class='stacked'>{stacked}</span>"


def label_of(name: str) -> str:
    """A vote's button; where the answers stand below each other the style sheet shows the struck words."""
    short = {"left": "First", "right": "Second"}.get(name)
    return f"*{LABELS[name]}*~~{short}~~" if short else LABELS[name]


def label_html(name: str) -> str:
    """What a vote says, as HTML."""
    return f"{side_html(name.capitalize())} is better" if name in ("left", "right") else LABELS[name]


def turn_html(role: str, text: str) -> str:
    """A message before the answers; of a long one the beginning is shown, with a way to see all of it."""
    body = raw_html(text) if how() == "raw" else markdown_html(text)
    kind = fold_kind(text)
    fold = (
        f"<details class='fold'><summary><span class='closed'>Show all {len(text):,} characters</span>"
        "<span class='opened'>Show less</span></summary></details>"
    )
    return (
        f"<div class='turn {kind}'><span class='role'>{plain_html(role)}</span>"
        f"{fold if kind else ''}<div class='body'>{body}</div></div>"
    )


def fold_kind(text: str) -> str:
    """Whether a text is "long", "long-on-phone" or "", by its characters and lines."""
    size = sum(max(LINE, len(line)) for line in text.split("\n"))
    return "long" if size > LONG else "long-on-phone" if size > LONG_ON_PHONE else ""


def show_responses(pair: Pair, left: str, is_named: bool, visit: int | None = None) -> None:
    """Both responses side by side, at equal height; one below the other on a narrow screen.

    While the reviewer is blind neither their names nor their lengths are shown. A new `visit` is where a
    page that was scrolled begins again.
    """
    texts = {"A": pair.response_a, "B": pair.response_b}
    cards = []
    for side, name in sides(left).items():
        label = side_html(side.capitalize()) + (f" <span class='name'>{name}</span>" if is_named else "")
        body = text_html(texts[name], texts[OTHER_SIDE[name]], how())
        empty = "" if texts[name].strip() else "<p><em>This answer is empty.</em></p>"
        size = counted(len(texts[name]), "character") if is_named else ""
        cards.append(
            f"<article class='card' aria-labelledby='answer-{side}'>"
            f"<header><h2 id='answer-{side}'>{label}</h2><span class='size'>{size}</span></header>"
            f"<div class='body' tabindex='0'>{body}{empty}</div></article>"
        )
    number = "" if visit is None else f" data-visit='{visit}'"
    st.html(f"<div class='cards'{number}>{''.join(cards)}</div>")


def show_answers(texts: Sequence[str]) -> None:
    """All answers to one question, two in a row, with neither names nor lengths."""
    cards = [
        f"<article class='card' aria-label='Answer {n}'><header><h3>Answer {n}</h3></header>"
        f"<div class='body' tabindex='0'>{text_html(text, text, how())}</div></article>"
        for n, text in enumerate(texts, start=1)
    ]
    st.html(f"<div class='cards'>{''.join(cards)}</div>")


def outcome_words(outcome: Outcome | None, left: str) -> str:
    """An outcome in the words of the screen, as HTML."""
    if outcome is None:
        return "unreadable"
    if outcome is Outcome.TIE:
        return "a tie"
    return f"{side_html('left' if outcome.value == left else 'right')} ({outcome})"


def verdict_html(verdict: Verdict | None, pair: Pair, left: str) -> str:
    """What the judge said in both orders, or its two grades, and how the responses differ in length."""
    if verdict is None:
        return f"<p>The judge has not read this pair. {length_words(pair, left)}</p>"
    cut = f"<p class='cut'>{cut_words(verdict, pair)}</p>" if cut_in_words(verdict) else ""
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
    elif verdict.is_undecided:
        said = "The judge says it is <b>too close to call</b>"
    else:
        said = f"The judge says <b>{outcome_words(verdict.outcome, left)}</b>"
    if grades:
        lines = f"<tr><td>{plain_html(grades)}</td><td>{bar_html(row.p_a)}</td></tr>"
    else:
        lines = "".join(order_html(row, order, left) for order in Order if order in verdict.readings)
    fold = "<details class='fold'><summary>More of what the judge said</summary></details>"
    more = f"<div class='more'><table class='orders'>{lines}</table><p>{length_words(pair, left)}</p></div>"
    return f"<div class='told'><div><p>{said} {mark}</p>{cut}</div>{fold}{more}</div>"


def cut_words(verdict: Verdict, pair: Pair) -> str:
    """How much of the answers the judge has read, where that was not all."""
    n = len(pair.response_a) + len(pair.response_b)
    return f"{cut_in_words(verdict).capitalize()}; they have {counted(n, 'character')}."


def order_html(row: ReportRow, order: Order, left: str) -> str:
    p, choice = row.p_a_by_order[order], row.choices[order]
    first = order[0]
    if choice is None:
        said = f"unreadable: {plain_html(row.unparsed_reasons.get(order, ''))}"
    else:
        said = outcome_words(outcome_of(choice, order), left)
    return f"<tr><th scope='row'>{first} shown first</th><td>{said}</td><td>{bar_html(p)}</td></tr>"


def bar_html(p: float | None) -> str:
    """P(A) as a bar and as a figure; nothing where there is none."""
    if p is None:
        return ""
    return (
        f"<span class='p'><span class='bar' role='img' aria-label='P(A) {100 * p:.0f} percent'>"
        f"<i style='width:{100 * p:.0f}%'></i></span> P(A) {100 * p:.0f} %</span>"
    )


def length_words(pair: Pair, left: str) -> str:
    by = len(pair.response_a) - len(pair.response_b)
    if not by:
        return "Both answers are equally long."
    longer = "A" if by > 0 else "B"
    side = side_html("left" if longer == left else "right")
    return f"The {side} answer ({longer}) is {counted(abs(by), 'character')} longer."


def show_reply(text: str) -> None:
    """What a judge wrote, as it is, but for characters that would turn its direction."""
    st.code(with_hidden_named(text), language=None, wrap_lines=True)


def show_job(job: Job) -> None:
    """What the judge is doing, for how long, and a way to stop it; the page is redrawn when it is done."""

    @st.fragment(run_every=0.5)
    def watch() -> None:
        if job.is_over:
            st.rerun()
        share = job.done / job.total if job.total else 0.0
        what = job.pairs[0].id if len(job.pairs) == 1 else counted(len(job.pairs), "pair")
        words = f"{job.options.method}, {what}: {job.in_words(time.monotonic())}"
        st.progress(min(1.0, share), text=plain(words))
        st.button(
            "Stop",
            key="stop_job",
            disabled=job.is_stopped,
            on_click=lambda: setattr(job, "is_stopped", True),
        )

    watch()


def say_memory(options: JudgeOptions) -> None:
    """What a judge needs of memory beside the one that is loaded; nothing where that is nothing more."""
    try:
        words = memory_words(models_of(options), desk().in_memory(), free_memory_gib())
    except JudgeError as error:
        words = str(error)
    if words:
        st.warning(plain(words), icon=":material/memory:")


def columns_of(rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of plain cells: nothing in them is read as Markdown, or turns its direction."""
    st.dataframe(cells_of(rows), hide_index=True, width="stretch")


def table_of(rows: Sequence[Mapping[str, str]]) -> None:
    """A table of HTML; on a phone each row is a block of its own. Columns without any cell are left out."""
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    heads = "".join(f"<th scope='col'>{name}</th>" for name in names)
    lines = "".join(f"<tr>{''.join(cell_html(name, row[name]) for name in names)}</tr>" for row in rows)
    st.html(f"<table class='rows'><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>")


def cell_html(name: str, cell: str) -> str:
    """A cell, which on a phone has its column's name before it."""
    return f"<td><span class='column stacked'>{name}: </span>{cell}</td>" if cell else "<td></td>"


def cells_of(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: with_hidden_named(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
        for row in rows
    ]


def linked_columns_of(
    rows: Sequence[Mapping[str, Any]],
    behind: Sequence[tuple[Iterable[str], str]],
    key: str,
    tells_judge: bool = False,
) -> None:
    """The same; a row that is chosen opens the pairs that it counts.

    Args:
        behind: for each row, the ids of its pairs, and words that say which these are.
        tells_judge: as in `Picked`.
    """
    cells = cells_of(rows)
    chosen = st.dataframe(
        cells, hide_index=True, width="stretch", key=key, on_select="rerun", selection_mode="single-row"
    )
    for place in chosen["selection"]["rows"]:
        ids, words = behind[place]
        if ids := tuple(ids):
            open_pairs(ids, words, tells_judge)


@st.dialog("Keys")
def show_keys() -> None:
    rows = "".join(f"<tr><td><kbd>{key}</kbd></td><td>{words}</td></tr>" for key, words in KEY_WORDS.items())
    st.html(f"<table class='keys'>{rows}</table>")
    st.caption("In a field, keys are text. On the Adjudicate page, 1 to 4 and U are of the final label.")


def help_button() -> None:
    """The list of keys; the page's script presses it at a question mark."""
    if st.button("Keys (?)", key="help", type="tertiary"):
        show_keys()
