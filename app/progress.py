"""Progress: how far every reviewer is, and which votes each pair still misses."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from app import shell
from app.shell import Project
from judge.review.assigning import PairProgress, pairs_of, progress_of_pairs, progress_of_reviewers
from judge.review.queues import disagreements
from judge.review.store import EventKind

MOST_ROWS = 1_000


def page() -> None:
    project = shell.need_project()
    pairs = progress_of_pairs(project.entries, project.assigned, project.events)
    whole(project, pairs)
    by_reviewer(project)
    by_pair(project, pairs)


def whole(project: Project, pairs: list[PairProgress]) -> None:
    """All votes that are to be given, and how many pairs have so many votes."""
    if project.assigned:
        n_wanted = sum(len(names) for names in project.assigned.values())
        n_missing = sum(len(pair.missing) for pair in pairs)
        done = n_wanted - n_missing
        st.progress(done / n_wanted if n_wanted else 0.0, text=f"{done:,} of {n_wanted:,} votes given")
    counts = Counter(len(pair.voted) for pair in pairs)
    st.subheader("Votes a pair", anchor=False)
    rows = [{"votes": n, "pairs": counts[n]} for n in sorted(counts)]
    behind = [
        ([pair.entry.id for pair in pairs if len(pair.voted) == n], f"pairs with {n} votes")
        for n in sorted(counts)
    ]
    shell.linked_columns_of(rows, behind, "progress_counts")


def by_reviewer(project: Project) -> None:
    """A row for each reviewer; it opens the pairs that are left."""
    st.subheader("By reviewer", anchor=False)
    found = progress_of_reviewers(project.entries, project.assigned, project.events, shell.named_reviewers())
    if not found:
        st.write("Reviewers appear here with their first vote.")
        return
    rows = [
        {
            "reviewer": one.reviewer,
            "to review": one.n_assigned,
            "voted": one.n_voted,
            "skipped": one.n_skipped,
            "still open": one.n_left,
            "votes on others' pairs": one.n_more,
            "last vote": one.last,
        }
        for one in found
    ]
    behind = [
        (left_of(project, one.reviewer), f"pairs that are still open for {one.reviewer}") for one in found
    ]
    shell.linked_columns_of(rows, behind, "progress_reviewers")
    st.caption("A row that is chosen opens the pairs that are still open.")


def left_of(project: Project, reviewer: str) -> list[str]:
    """The ids of the pairs that the reviewer has yet to vote on."""
    own = pairs_of(reviewer, project.assigned) if project.assigned else None
    voted = {one.pair_id for one in project.events if one.reviewer == reviewer and one.kind is EventKind.VOTE}
    return [
        entry.id for entry in project.entries if entry.id not in voted and (own is None or entry.id in own)
    ]


def by_pair(project: Project, pairs: list[PairProgress]) -> None:
    """A row for each pair, those on which reviewers differ most first; it opens the pair."""
    st.subheader("By pair", anchor=False)
    differ = disagreements([one for one in project.events if one.kind is EventKind.VOTE])
    in_order = sorted(pairs, key=lambda pair: differ.get(pair.entry.id, (-1.0, 0)), reverse=True)
    shown = in_order[:MOST_ROWS]
    rows = [
        {
            "pair": one.entry.id,
            "category": one.entry.category or "",
            "votes": len(one.voted),
            "disagreement": round(differ[one.entry.id][0], 2) if one.entry.id in differ else None,
            "voted": ", ".join(one.voted),
            "missing": ", ".join(one.missing),
        }
        for one in shown
    ]
    shell.linked_columns_of(rows, [([one.entry.id], one.entry.id) for one in shown], "progress_pairs")
    more = f" The first {MOST_ROWS:,} of {len(pairs):,} are shown." if len(pairs) > MOST_ROWS else ""
    st.caption(
        "Disagreement is the share of any two reviewers of the pair who say different things. A row that is "
        f"chosen opens its pair.{more}"
    )
