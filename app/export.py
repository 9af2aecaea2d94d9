"""Export: votes, final labels and pairs as files, for `judge bench`, calibration and `judge distill`."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

from app import shell
from judge.review.agreement import final_labels
from judge.review.exporting import FORMATS, as_bytes, pair_rows, vote_rows
from judge.review.store import EventKind


def page() -> None:
    project = shell.need_project()
    votes, labels = project.votes(), final_labels(project.votes(EventKind.LABEL))
    st.session_state.setdefault("kept_format", FORMATS[0])
    form = st.segmented_control("Format", FORMATS, key="kept_format", required=True) or FORMATS[0]
    stem = PurePath(project.index.name).name.partition(".")[0]
    st.subheader("Votes", anchor=False)
    offer(shell.counted(len(votes), "vote"), vote_rows(votes), f"{stem}-votes", form)
    st.code(f"judge bench {stem}.jsonl --votes {stem}-votes.{form}", language=None, wrap_lines=True)
    st.subheader("Final labels", anchor=False)
    offer(shell.counted(len(labels), "label"), vote_rows(labels), f"{stem}-labels", form)
    st.subheader("Pairs", anchor=False)
    known = {label.pair_id: label for label in labels}
    voted = {vote.pair_id for vote in votes} | known.keys()
    entries = [entry for entry in project.entries if entry.id in voted]
    st.write(
        "Those with a vote. A final label is the column gold, and gold_by says who gave it; what the file "
        "had as gold is the column gold_of_file."
    )
    offer(
        shell.counted(len(entries), "pair"),
        pair_rows(project.index.pairs(entries), known),
        f"{stem}-reviewed",
        form,
    )
    st.code(f"judge bench {stem}-reviewed.{form}", language=None, wrap_lines=True)


def offer(label: str, rows: list[dict[str, object]], stem: str, form: str) -> None:
    name = f"{stem}.{form}"
    st.download_button(
        f"Download {label}",
        as_bytes(rows, form) if rows else b"",
        file_name=name,
        key=f"get_{stem}",
        icon=":material/download:",
        disabled=not rows,
        on_click="ignore",
        help=name,
    )
