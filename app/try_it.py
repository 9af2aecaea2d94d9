"""Try it: a question and two answers, typed or pasted, and a verdict."""

from __future__ import annotations

import streamlit as st

from app.why import ask
from judge.records import Message, Pair


def page() -> None:
    prompt = st.text_area("Question", key="kept_try_prompt", height=90, placeholder="What was asked")
    left, right = st.columns(2)
    response_a = left.text_area("Answer A", key="kept_try_a", height=220)
    response_b = right.text_area("Answer B", key="kept_try_b", height=220)
    if not prompt.strip():
        st.caption("Write a question and two answers. Nothing is kept but what the judge said.")
        return
    pair = Pair(
        id="pasted",
        conversation_a=(Message("user", prompt), Message("assistant", response_a)),
        conversation_b=(Message("user", prompt), Message("assistant", response_b)),
    )
    ask(pair, "try")
