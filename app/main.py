"""The script that Streamlit runs by its path for every session: the look, the session, the page asked for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import streamlit as st

# In an installation the pages are plain files, not an importable package, so they add their own folder to
# the front of the path: a project may have a package of the same name.
if (beside := str(Path(__file__).resolve().parents[1])) != sys.path[0]:
    sys.path.insert(0, beside)

from app import adjudicate, agreement, export, progress, rank, review, shell, try_it, why
from judge.errors import JudgeError

st.set_page_config(page_icon="⚖️", layout="wide")
PAGES = {
    "review": st.Page(review.page, title="Review", url_path="review", default=True),
    "why": st.Page(why.page, title="Why", url_path="why"),
    "rank": st.Page(rank.page, title="Rank", url_path="rank"),
    "progress": st.Page(progress.page, title="Progress", url_path="progress"),
    "agreement": st.Page(agreement.page, title="Agreement", url_path="agreement"),
    "adjudicate": st.Page(adjudicate.page, title="Adjudicate", url_path="adjudicate"),
    "try": st.Page(try_it.page, title="Try it", url_path="try"),
    "export": st.Page(export.page, title="Export", url_path="export"),
}
SCRIPT = Path(__file__).with_name("script.js").read_text(encoding="utf-8")
shell.begin()
st.session_state["pages"] = PAGES
page = st.navigation(list(PAGES.values()), position="top")
st.session_state["page"] = page.title
st.set_page_config(page_title=f"{page.title}: judge")
with st.container(key="script"):
    paths = json.dumps([one.url_path for one in PAGES.values()])
    st.html(f"<script>window.judgePages = {paths};\n{SCRIPT}</script>", unsafe_allow_javascript=True)
shell.header(page.title)
try:
    page.run()
except JudgeError as error:  # a file, or an adapter, that changed or went while the page was made
    st.error(shell.plain(str(error)), icon=":material/error:")
