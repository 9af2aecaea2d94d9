"""Try it: a question and two answers, typed or pasted, what to judge them by, and a verdict."""

from __future__ import annotations

import streamlit as st

from app.why import ask
from judge.io.criteria import criteria_given
from judge.records import Message, Pair


def page() -> None:
    prompt = st.text_area("Question", key="kept_try_prompt", height=90, placeholder="What was asked")
    left, right = st.columns(2)
    response_a = left.text_area("Answer A", key="kept_try_a", height=220)
    response_b = right.text_area("Answer B", key="kept_try_b", height=220)
    lines = st.text_area(
        "Criteria",
        key="kept_try_criteria",
        height=90,
        placeholder="price: names the price | weight 2",
        help="Optional, one a line: what checklist and slow judge by instead of a plan of their own.",
    )
    if not prompt.strip():
        st.caption("Write a question and two answers. Nothing is kept but what the judge said.")
        return
    criteria = criteria_given(lines.splitlines())
    pair = Pair(
        id="pasted",
        conversation_a=(Message("user", prompt), Message("assistant", response_a)),
        conversation_b=(Message("user", prompt), Message("assistant", response_b)),
        criteria=criteria,
    )
    ask(pair, "try_by_criteria" if criteria else "try")
