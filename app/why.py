"""Why: any method on the pair at hand, live, with what each order said side by side."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.shell import Project
from judge.drawing.steps import graded_steps, reading_cut_in_words, scores_of, slow_steps
from judge.methods import AUTO, BY_CRITERIA, DUAL, METHODS, WAYS
from judge.records import Order, Pair, Reading, Status, Unparsed, Verdict
from judge.review.explaining import in_pair_names, plan_fault, way_in_words, working_rows
from judge.review.judging import Job, by_method, offered_first
from judge.review.markup import plain_html
from judge.review.pairindex import IndexEntry
from judge.review.settings import started

NEAR = 500
HOW_DUAL = {
    "fast": "four tokens",
    "slow": "criteria, scores and reasons first, by the same adapter",
    "auto": "fast or slow, as the adapter chooses by its first word",
}
"""What ways mean where one adapter is fast and slow."""
HOW = {
    "fast": "four tokens",
    "score": "each answer graded alone",
    "slow": "BSM: criteria, scores, sums",
    "checklist": "each answer alone: does it meet the criterion, yes or no",
    "auto": "fast, slow where in doubt",
}


def page() -> None:
    project = shell.need_project()
    entry = chosen_entry(project)
    st.session_state["current"] = entry.id
    pair = project.index.pair(entry)
    shell.show_question(pair, "A", is_named=True)
    shell.show_responses(pair, "A", is_named=True)
    if ask(pair, "why"):
        shell.saw(entry.content)


def chosen_entry(project: Project) -> IndexEntry:
    """The pair to look at: the one under review, or another one near it in the file."""
    entries = list(project.entries)
    current = st.session_state.get("current")
    here = next((n for n, entry in enumerate(entries) if entry.id == current), 0)
    start = max(0, min(here - NEAR // 2, len(entries) - NEAR))
    near = entries[start : start + NEAR]
    more = f" ({len(near)} of {len(entries):,}: those around it)" if len(near) < len(entries) else ""
    return st.selectbox(f"Pair{more}", near, index=here - start, format_func=lambda entry: entry.id)


def ask(pair: Pair, key: str) -> bool:
    """Lets the reviewer choose a method and shows what it says; whether a verdict is to be seen."""
    judge = started().judge
    named = DUAL if judge.is_dual else (*DUAL, WAYS["slow"])
    others = (name for name in METHODS.names() if name not in named)
    names = list(dict.fromkeys([judge.method, *WAYS, AUTO, *others]))
    st.session_state.setdefault(f"kept_method_{key}", offered_first(judge, pair.criteria))
    place = f"job_{key}"
    job: Job | None = st.session_state.get(place)
    is_busy = job is not None and not job.is_over
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = st.segmented_control("Method", names, key=f"kept_method_{key}", required=True) or "fast"
        asked = st.button("Ask the judge", type="primary", key=f"ask_{key}", disabled=is_busy)
    options = by_method(judge, method)
    how = HOW | HOW_DUAL if options.is_dual else HOW
    if method in how:
        st.caption(how[method])
    if pair.criteria and options.asked_by not in (*BY_CRITERIA, AUTO):
        st.caption("This method does not read the pair's criteria.")
    shell.say_memory(options)
    if asked:
        job = st.session_state[place] = shell.desk().ask(options, [pair])
    if job is None:
        return False
    if not job.is_over:
        shell.show_job(job)
        return False
    if job.options != options or job.pairs != (pair,):  # what another method said, or of another pair
        return False
    if job.error:
        st.error(shell.plain(job.error))
        return False
    show(job.verdicts[0], pair, options.asked_by)
    return True


def show(verdict: Verdict, pair: Pair, method: str) -> None:
    """The verdict and all that led to it; `method` is the one that was asked, by its own name."""
    st.html(f"<section class='said' aria-label='Verdict'>{shell.verdict_html(verdict, pair, 'A')}</section>")
    if fault := plan_fault(verdict):
        st.warning(shell.plain(fault))
    if method not in DUAL:
        criteria(verdict)
    if verdict.status is Status.INCONSISTENT:
        st.caption("It contradicts itself: what each order said, side by side.")
    graded = graded_steps(verdict)
    for column, (side, step) in zip(st.columns(2), graded.items(), strict=False):
        with column, st.container(border=True):
            st.subheader(f"Answer {side}, graded alone", anchor=False)
            st.caption(f"one reading: {step.tokens_in:,} tokens in, {step.tokens_out:,} out")
            shell.show_reply(step.raw)
    slow = slow_steps(verdict)
    for step in slow:
        with st.expander(f"Asked once for both orders: {shell.plain(step.name)}"):
            shell.show_reply(step.raw)
    if method in DUAL:
        workings(verdict, method)
    elif slow or not graded:
        by_order(verdict)
    st.caption(shell.plain(f"Judge: {verdict.judge}"))


def by_order(verdict: Verdict) -> None:
    """What each order said, side by side."""
    for column, order in zip(st.columns(2), Order, strict=True):
        reading = verdict.readings[order]
        with column, st.container(border=True):
            st.subheader(f"{order[0]} shown first", anchor=False)
            said = [f"{reading.tokens_in:,} tokens in", f"{reading.tokens_out:,} out"]
            st.caption(", ".join([*said, *filter(None, [reading_cut_in_words(reading)])]))
            replies = replies_of(reading)
            for name, raw in replies:
                st.markdown(f"**{shell.plain(name)}**")
                shell.show_reply(in_pair_names(raw, order))
            if order is Order.BA and any(in_pair_names(raw, order) != raw for _, raw in replies):
                with st.expander("As it was written: the answer shown first is called A there"):
                    shell.show_reply("\n\n".join(raw for _, raw in replies))


def workings(verdict: Verdict, method: str) -> None:
    """What an adapter that is fast and slow said in each order: which it was, and its working as a table."""
    for order in Order:
        reading = verdict.readings[order]
        with st.container(border=True):
            st.subheader(f"{order[0]} shown first", anchor=False)
            said = [
                way_in_words(reading, method),
                f"{reading.tokens_in:,} tokens in, {reading.tokens_out:,} out",
            ]
            st.caption(shell.plain("; ".join(filter(None, [*said, reading_cut_in_words(reading)]))))
            if rows := working_rows(reading, order):
                shell.table_of([{name: plain_html(cell) for name, cell in row.items()} for row in rows])
            if not rows or isinstance(reading, Unparsed):
                shell.show_reply(in_pair_names(reading.raw, order))
                continue
            with st.expander("As it was written: the answer shown first is called A there"):
                shell.show_reply(reading.raw)


def replies_of(reading: Reading) -> list[tuple[str, str]]:
    """What the judge wrote in one order alone: each step's name and text, and last the reply."""
    return [*((step.name, step.raw) for step in reading.steps if not step.shared), ("Reply", reading.raw)]


def criteria(verdict: Verdict) -> None:
    """The scores of both answers on each criterion, in both orders; nothing where there are none."""
    by_order = {order: scores_of(verdict.readings[order], order) for order in Order}
    names = list(dict.fromkeys(name for scores in by_order.values() for name in scores))
    if not names:
        return
    rows = []
    for name in names:
        row: dict[str, str | float | None] = {"criterion": name}
        for order in Order:
            scores = by_order[order].get(name)
            for side, label in enumerate("AB"):
                row[f"{label} when {order[0]} is first"] = None if scores is None else round(scores[side], 2)
        rows.append(row)
    shell.columns_of(rows)
