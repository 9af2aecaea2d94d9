"""Export: votes, final labels and pairs as files, for `judge bench`, calibration and `judge distill`.

Votes that were given elsewhere are taken in here, too.
"""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path, PurePath

import streamlit as st

from app import shell
from app.shell import Project
from judge.errors import InputError
from judge.forms.reading import read_votes_on
from judge.io.content import ENDINGS
from judge.records import HumanVote
from judge.review.agreement import final_labels
from judge.review.exporting import FORMATS, as_bytes, pair_rows, vote_rows
from judge.review.importing import take_in
from judge.review.store import EventKind


def page() -> None:
    project = shell.need_project()
    votes, labels = project.votes(), final_labels(project.votes(EventKind.LABEL))
    st.session_state.setdefault("kept_format", FORMATS[0])
    form = st.segmented_control("Format", FORMATS, key="kept_format", required=True) or FORMATS[0]
    stem = stem_of(PurePath(project.index.name).name)

    def named(what: str) -> str:
        return f"{stem}-{what}.{form}"

    reviewed = named("reviewed")
    of_pairs = reviewed if project.index.name == shell.SAMPLE else project.index.name
    st.subheader("Votes", anchor=False)
    offer(project, shell.counted(len(votes), "vote"), vote_rows(votes), named("votes"))
    command("judge", "bench", of_pairs, "--votes", named("votes"))
    see(votes, "pairs with a vote", "votes")
    again = project.votes(EventKind.REPEAT)
    if again:
        st.subheader("Votes on pairs that came again", anchor=False)
        offer(project, shell.counted(len(again), "vote"), vote_rows(again), named("again"))
        see(again, "pairs that came again", "again")
    st.subheader("Final labels", anchor=False)
    offer(project, shell.counted(len(labels), "label"), vote_rows(labels), named("labels"))
    see(labels, "pairs with a final label", "labels")
    st.subheader("Pairs", anchor=False)
    known = {label.pair_id: label for label in labels}
    voted = {vote.pair_id for vote in votes} | known.keys()
    entries = [entry for entry in project.entries if entry.id in voted]
    st.write(
        "Those with a vote. A final label is the column gold, and gold_by says who gave it; what the file "
        "had as gold is the column gold_of_file."
    )
    offer(
        project,
        shell.counted(len(entries), "pair"),
        pair_rows(project.index.pairs(entries), known),
        reviewed,
    )
    command("judge", "bench", reviewed)
    import_votes(project)


def stem_of(name: str) -> str:
    """The name of a file without what says how it is written."""
    return next((name[: -len(one)] for one in ENDINGS if name.lower().endswith(one)), name)


def command(*words: str) -> None:
    """A command to copy, its words quoted as a shell needs them."""
    st.code(shlex.join(words), language=None, wrap_lines=True)


def see(votes: list[HumanVote], words: str, key: str) -> None:
    """A way to the pairs behind a count."""
    if votes and st.button("Review these pairs", key=f"see_{key}", type="tertiary"):
        shell.open_pairs({vote.pair_id for vote in votes}, words)


def import_votes(project: Project) -> None:
    """Takes in votes that were given elsewhere, or the labels in a file of another tool."""
    st.subheader("Take in votes", anchor=False)
    st.write("Votes that were given elsewhere, in a file such as the one above. What was said here stays.")
    upload = st.file_uploader(
        "Votes", type=["jsonl", "json", "csv", "tsv", "parquet", "gz"], key="upload_votes"
    )
    if upload is not None and st.button("Take them in", key="take_in", disabled=not project.is_read):
        try:
            said = take_in_upload(project, upload.name, upload.getvalue())
        except InputError as error:
            st.error(shell.plain(str(error)))
        else:
            st.success(shell.plain(said))


def take_in_upload(project: Project, name: str, data: bytes) -> str:
    """Keeps the votes of a file; in words, what became of them.

    Raises:
        InputError: it has no votes, or pairs that they may be on are still being read.
    """
    name = Path(name).name
    if not project.is_read:
        raise InputError(f"{name}: not taken in. {shell.so_far(project.index)} Take it in after that.")
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="judge-app-") as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            votes = read_votes_on(path, project.index.every_pair(), notes.append)
        except InputError as error:
            raise InputError(str(error).replace(str(path), name)) from None
    taken = take_in(votes, project.index.by_id, name, shell.store()).words
    return " ".join([*(note.replace(str(path), name) for note in notes), taken])


def offer(project: Project, label: str, rows: list[dict[str, object]], name: str) -> None:
    """A file to download, once all pairs are read: one of half of the votes would look whole."""
    st.download_button(
        f"Download {label}",
        as_bytes(rows, PurePath(name).suffix[1:]) if rows else b"",
        file_name=name,
        key=f"get_{name}",
        icon=":material/download:",
        disabled=not rows or not project.is_read,
        on_click="ignore",
        help=name,
    )
