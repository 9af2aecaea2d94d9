"""The script that Streamlit runs for every session: the look, the session, and the page asked for."""

from __future__ import annotations

import streamlit as st

from app.screens import adjudicate, agreement, export, review, shell, try_it, why

st.set_page_config(page_title="Judge: review", page_icon="⚖️", layout="wide")
PAGES = {
    "review": st.Page(review.page, title="Review", url_path="review", default=True),
    "why": st.Page(why.page, title="Why", url_path="why"),
    "agreement": st.Page(agreement.page, title="Agreement", url_path="agreement"),
    "adjudicate": st.Page(adjudicate.page, title="Adjudicate", url_path="adjudicate"),
    "try": st.Page(try_it.page, title="Try it", url_path="try"),
    "export": st.Page(export.page, title="Export", url_path="export"),
}
shell.begin()
st.session_state["pages"] = PAGES
page = st.navigation(list(PAGES.values()), position="top")
st.session_state["page"] = page.title
page.run()
